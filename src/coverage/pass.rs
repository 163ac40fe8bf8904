//! The one pass over the sections, month by month.

use arrow_array::Array;
use arrow_schema::DataType;

use super::facts::MonthMissing;
use super::moments::Moments;
use super::months::Month;
use super::numbers::{each, is_number};
use super::tally::{Counts, Tally};
use super::years::{Numbers, Years};
use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::store::{Section, Store};
use crate::workers::Workers;

/// Rows of sections that a worker has open at once, unless one section has more.
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

/// Looks at every section of `months`. What was seen comes back in their order, and what each column of numbers has by
/// year in `years`.
pub(super) fn run(
    store: &Store,
    months: &[Month],
    years: &Years,
    workers: &Workers,
    observer: &dyn Observer,
) -> Result<Vec<Seen>> {
    observer.begin("look", "sections", store.dates()?.len() as u64);
    let seen = workers.try_map_with(months.len(), Tally::new, |tally, at| {
        let mut pass = Pass { store, month: &months[at], observer, tally };
        let (seen, numbers) = pass.look()?;
        years.add(months[at].year(), numbers);
        Ok(seen)
    })?;
    observer.end();
    Ok(seen)
}

/// One month.
struct Pass<'a> {
    store: &'a Store,
    month: &'a Month,
    observer: &'a dyn Observer,
    tally: &'a mut Tally,
}

impl Pass<'_> {
    fn look(&mut self) -> Result<(Seen, Vec<Numbers>)> {
        let columns = &self.store.schema()?.columns;
        let mut seen = Seen { dates: Vec::new(), stocks: Vec::new(), columns: Vec::new() };
        seen.columns.resize_with(columns.len(), SeenColumn::default);
        let mut numbers = vec![Numbers::default(); columns.iter().filter(|c| is_number(&c.data_type)).count()];
        let mut stocks = vec![SeenStock::default(); self.store.ranks()?.len()];
        let mut place = self.month.places.start;
        while place < self.month.places.end {
            let (mut open, mut rows) = (Vec::new(), 0);
            while place < self.month.places.end && (open.is_empty() || rows < OPEN_ROWS) {
                let section = self.store.section_at(place)?;
                rows += section.row_count();
                open.push(section);
                place += 1;
            }
            for section in &open {
                if self.observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                let day = seen.dates.len() as u8;
                seen.dates.push(self.stocks(section, day, &mut stocks)?);
            }
            let mut of_numbers = numbers.iter_mut();
            for (index, column) in columns.iter().enumerate() {
                match is_number(&column.data_type) {
                    true => {
                        let Some(numbers) = of_numbers.next() else { continue };
                        self.numbers(&open, index, &mut seen.columns[index], numbers)?;
                    }
                    false => {
                        for section in &open {
                            seen.columns[index].missing.nulls += nulls(section, index)?;
                        }
                    }
                }
            }
            self.observer.advance(open.len() as u64);
        }
        let has_rows = |(rank, seen): (usize, SeenStock)| (seen.rows > 0).then_some((rank as u32, seen));
        seen.stocks = stocks.into_iter().enumerate().filter_map(has_rows).collect();
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

    /// Counts the numbers of a column.
    fn numbers(
        &mut self,
        sections: &[Section],
        index: usize,
        seen: &mut SeenColumn,
        numbers: &mut Numbers,
    ) -> Result<()> {
        for section in sections {
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
            seen.moments.push(section.date(), &counts, median);
            numbers.counts.add(&counts);
        }
        self.tally.drain_into(&mut numbers.sketch);
        Ok(())
    }
}

/// How many nulls a column has that holds no numbers.
fn nulls(section: &Section, index: usize) -> Result<u64> {
    let mut nulls = 0;
    for piece in section.parts() {
        let column = piece.column_at(index)?;
        let stored = column.stored();
        // An array of type Null counts no nulls of its own.
        nulls += if *stored.data_type() == DataType::Null { stored.len() } else { stored.null_count() } as u64;
    }
    Ok(nulls)
}
