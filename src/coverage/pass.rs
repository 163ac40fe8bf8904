//! The one pass over the sections, month by month.

use std::ops::Range;

use arrow_array::Array;

use super::facts::MonthMissing;
use super::moments::Moments;
use super::months::Month;
use super::numbers::{each, is_number};
use super::tally::{Counts, Tally};
use super::years::{Numbers, Years};
use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::storage::Access;
use crate::store::{Section, Store};
use crate::workers::Workers;

/// Rows of sections that a worker has open at once, unless one section has more, or is read and held for as long.
const OPEN_ROWS: usize = 1 << 18;

/// What was seen in a month.
pub(super) struct Seen {
    /// By date, its rows and its stocks.
    pub(super) dates: Vec<(u64, u32)>,
    /// The stocks that have a row, by place in code order.
    pub(super) stocks: Vec<(u32, SeenStock)>,
    /// By column.
    pub(super) columns: Vec<SeenColumn>,
}

/// A stock in a month; dates are counted from the month's first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SeenStock {
    pub(super) rows: u32,
    pub(super) dates: u8,
    pub(super) first: u8,
    pub(super) last: u8,
}

/// A column in a month.
#[derive(Default)]
pub(super) struct SeenColumn {
    pub(super) missing: MonthMissing,
    pub(super) moments: Moments,
}

/// Looks at `columns` in every section of `months`, and with the first of the panel's also at the rows. What was seen comes
/// back in the order of the months, and what each column of numbers has by year in `years`.
pub(super) fn run(
    store: &Store,
    months: &[Month],
    years: &Years,
    columns: Range<usize>,
    workers: &Workers,
    observer: &dyn Observer,
) -> Result<Vec<Seen>> {
    workers.try_map_with(months.len(), Tally::new, |tally, at| {
        let mut pass = Pass { store, month: &months[at], columns: columns.clone(), observer, tally };
        let (seen, numbers) = pass.look()?;
        years.add(months[at].year(), numbers);
        Ok(seen)
    })
}

/// One month.
struct Pass<'a> {
    store: &'a Store,
    month: &'a Month,
    columns: Range<usize>,
    observer: &'a dyn Observer,
    tally: &'a mut Tally,
}

impl Pass<'_> {
    fn look(&mut self) -> Result<(Seen, Vec<Numbers>)> {
        let columns = &self.store.schema()?.columns[self.columns.clone()];
        let most_rows = if self.store.access() == Access::Map { OPEN_ROWS } else { 0 };
        let mut seen = Seen { dates: Vec::new(), stocks: Vec::new(), columns: Vec::new() };
        seen.columns.resize_with(columns.len(), SeenColumn::default);
        let mut numbers = vec![Numbers::default(); columns.iter().filter(|c| is_number(&c.data_type)).count()];
        let mut stocks = vec![SeenStock::default(); self.store.ranks()?.len()];
        let mut place = self.month.places.start;
        while place < self.month.places.end {
            let (mut open, mut rows) = (Vec::new(), 0);
            while place < self.month.places.end && (open.is_empty() || rows < most_rows) {
                let section = self.store.section_at(place)?;
                rows += section.row_count();
                open.push(section);
                place += 1;
            }
            let mut days = Vec::with_capacity(open.len());
            for section in &open {
                if self.observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                let day = (seen.dates.len() + days.len()) as u8;
                days.push(self.stocks(section, day, &mut stocks)?);
            }
            let mut of_numbers = numbers.iter_mut();
            for ((index, column), seen) in self.columns.clone().zip(columns).zip(&mut seen.columns) {
                match is_number(&column.data_type) {
                    true => {
                        let Some(numbers) = of_numbers.next() else { continue };
                        self.numbers(&open, &days, index, seen, numbers)?;
                    }
                    false => {
                        for section in &open {
                            seen.missing.nulls += nulls(section, index)?;
                        }
                    }
                }
            }
            seen.dates.extend(days);
            self.observer.advance(open.len() as u64);
        }
        if self.columns.start == 0 {
            let has_rows = |(rank, seen): (usize, SeenStock)| (seen.rows > 0).then_some((rank as u32, seen));
            seen.stocks = stocks.into_iter().enumerate().filter_map(has_rows).collect();
        }
        Ok((seen, numbers))
    }

    /// Counts the rows of each stock on the `day`-th date of the month; how many rows and stocks there are.
    fn stocks(&self, section: &Section, day: u8, stocks: &mut [SeenStock]) -> Result<(u64, u32)> {
        let ranks = self.store.ranks()?;
        let (mut last, mut count) = (None, 0);
        for piece in section.parts() {
            for &number in &*piece.stock_numbers()? {
                let rank = usize::try_from(number).ok().and_then(|number| ranks.get(number)).copied();
                let stock = rank.and_then(|rank| stocks.get_mut(rank as usize));
                let stock = stock.ok_or_else(|| section.unknown_stocks())?;
                stock.rows = stock.rows.saturating_add(1);
                if last != Some(number) {
                    if stock.dates == 0 {
                        stock.first = day;
                    }
                    stock.last = day;
                    stock.dates = stock.dates.saturating_add(1);
                    count += 1;
                    last = Some(number);
                }
            }
        }
        Ok((section.row_count() as u64, count))
    }

    /// Counts the numbers of a column; `days` has the rows and stocks of each section.
    fn numbers(
        &mut self,
        sections: &[Section],
        days: &[(u64, u32)],
        index: usize,
        seen: &mut SeenColumn,
        numbers: &mut Numbers,
    ) -> Result<()> {
        for (section, &(_, stocks)) in sections.iter().zip(days) {
            for piece in section.parts() {
                let column = piece.column_at(index)?;
                let stored = column.stored();
                self.tally.rows(stored.len() as u64, stored.null_count() as u64);
                each(stored, column.logical_type(), self.tally);
            }
            let (counts, median) = self.tally.end_date();
            let Counts { nulls, nans, .. } = counts;
            seen.missing.nulls += nulls;
            seen.missing.nans += nans;
            seen.moments.push(section.date(), stocks, &counts, median);
            numbers.counts.add(&counts);
        }
        self.tally.drain_into(&mut numbers.sketch);
        Ok(())
    }
}

/// How many nulls a column has that holds no numbers. None of its texts is read.
fn nulls(section: &Section, index: usize) -> Result<u64> {
    section.pieces().map(|piece| Ok(piece?.checked_nulls(index)? as u64)).sum()
}
