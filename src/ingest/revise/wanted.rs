//! Rows of an older version that was restored stand when their files, which are as they were, are read again for others.

use std::cmp::Ordering;

use arrow_array::ArrayRef;
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};

use super::revision::{Beside, KnownThen, Revision, Unit};
use crate::compare::{KeyOrder, Origin, Reread, Run, Wanted};
use crate::error::Result;
use crate::ingest::seal::before::Before;
use crate::key::Date;

impl Revision<'_> {
    /// Those of the rows of blocks in `runs` that are wanted. `before` is what the source had of the unit.
    ///
    /// # Errors
    /// When a section before is damaged.
    pub(super) fn wanted(
        &self,
        date: Date,
        (unit, reread): (&Unit, &[Reread]),
        before: Option<&Before>,
        runs: Vec<Run>,
    ) -> Result<Vec<Run>> {
        if runs.is_empty() || reread.iter().all(|reread| reread.rule.wanted == Wanted::All) {
            return Ok(runs);
        }
        let all = BooleanBuffer::new_set(before.map_or(0, |before| before.stock_numbers().len()));
        let there = self.among((&runs, None), before, &all)?;
        let KnownThen { days, beside } = &self.then;
        let is_new_date = days.is_some_and(|days| days.binary_search(&date.days()).is_err());
        let count = there.len();
        let known = match (is_new_date, beside) {
            (true, _) => BooleanBuffer::new_unset(count),
            (false, None) => BooleanBuffer::new_set(count),
            (false, Some(beside)) => self.known_beside(date, unit, beside, &runs)?,
        };
        let (mut left, mut row, mut wanted) = (reread, 0, Vec::new());
        for Run { origin, rows } in runs {
            let stocks = self.stocks_of(&[Run { origin, rows: rows.clone() }], None);
            for (place, stock) in rows.zip(stocks) {
                left = &left[left.iter().take_while(|reread| reread.stock != stock).count()..];
                let is_wanted = match left.first().map(|reread| reread.rule.wanted) {
                    None | Some(Wanted::All) => true,
                    Some(Wanted::Absent) => !there.value(row),
                    Some(Wanted::New) => !there.value(row) && !known.value(row),
                };
                if is_wanted {
                    Run::push(&mut wanted, origin, place..place + 1);
                }
                row += 1;
            }
        }
        Ok(wanted)
    }

    /// Which rows of `runs` have a key that a source had which joins outer, in the version beside which rows were laid.
    fn known_beside(&self, date: Date, unit: &Unit, beside: &Beside, runs: &[Run]) -> Result<BooleanBuffer> {
        let none = || Ok(BooleanBuffer::new_unset(runs.iter().map(|run| run.rows.len()).sum()));
        let Ok(index) = beside.store.dates()?.binary_search(&date) else { return none() };
        let section = beside.store.section_at(index)?;
        let ends = section.ends(self.ranks())?;
        let start = ends.partition_point(|(_, last)| *last < unit.ranks.start);
        let end = ends.partition_point(|(first, _)| *first < unit.ranks.end);
        if start >= end {
            return none();
        }
        let part = section.part(start..end);
        let mut had = BooleanBuffer::new_unset(part.row_count());
        for &place in &beside.outer {
            had = &had | &part.rows_of(place)?;
        }
        let keys = self.keys_of(part, &beside.store.schema()?.key)?;
        self.among((runs, None), Some(&keys), &had)
    }

    /// For each of the rows of `runs`, whether `others` have its key, in a row that `has` names. Both are in key order;
    /// `before` is what rows that are not of blocks are of.
    ///
    /// # Errors
    /// When a section is damaged.
    pub(super) fn among(
        &self,
        (runs, before): (&[Run], Option<&Before>),
        others: Option<&Before>,
        has: &BooleanBuffer,
    ) -> Result<BooleanBuffer> {
        let numbers = others.map_or(&[][..], Before::stock_numbers);
        let all = others.map(|_| Run { origin: Origin::Before, rows: 0..numbers.len() });
        let keys: Vec<ArrayRef> = self.keys(all.as_slice(), others)?;
        let order = KeyOrder::new(&keys, &self.keys(runs, before)?)?;
        let rank = |stock: u32| self.ranks().get(stock as usize).copied();
        let stocks = self.stocks_of(runs, before);
        let mut among = BooleanBufferBuilder::new(stocks.len());
        let mut row = 0;
        for (n, stock) in stocks.into_iter().enumerate() {
            // A damaged section may name any stock; what it has is not taken away for that.
            let Some(own) = rank(stock) else {
                among.append(true);
                continue;
            };
            let place = |row: usize| numbers.get(row).map(|&other| rank(other).cmp(&Some(own)));
            let compared = |row: usize| place(row).map(|place| place.then_with(|| order.compare(row, n)));
            while compared(row).is_some_and(Ordering::is_lt) {
                row += 1;
            }
            among.append(compared(row).is_some_and(Ordering::is_eq) && has.value(row));
        }
        Ok(among.finish())
    }
}
