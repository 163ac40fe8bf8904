//! The newest dates of a version: how many stocks have them, and which stocks have gone stale.

use arrow_array::types::Int32Type;
use arrow_array::{Array, cast::AsArray};
use serde::Serialize;

use super::view::Store;
use crate::error::Result;
use crate::key::Date;

/// Dates at the end of the panel within which a stock without a row on the last one is stale, and has not left.
pub(crate) const STALE: usize = 20;

/// Stale stocks that are named.
const NAMED: usize = 20;

/// The newest date of a version, and who lacks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Newest {
    /// The date.
    pub date: Date,
    /// Stocks that have a row on it.
    pub stocks: u64,
    /// The date before.
    pub date_before: Option<Date>,
    /// Stocks that have a row on that.
    pub stocks_before: u64,
    /// Stocks that have no row on the newest date, and one on one of the 20 dates before.
    pub stale: u64,
    /// Those that have become so last, at most 20.
    pub stale_stocks: Vec<StaleStock>,
    /// Which sources have these dates, where there are several.
    pub sources: Vec<NewestOf>,
}

/// How many stocks a source has on the newest dates of the panel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NewestOf {
    /// The source.
    pub source: String,
    /// Stocks of which it has a row on the newest date.
    pub stocks: u64,
    /// Stocks of which it has one on the date before.
    pub stocks_before: u64,
    /// The last date on which it has a row.
    pub last: Option<Date>,
}

/// A stock without a row on the newest date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StaleStock {
    /// Its code.
    pub stock: String,
    /// The last date on which it has a row.
    pub last: Date,
}

impl Store {
    /// The newest date, and who lacks it; `None` where there is no date. Reads the keys of 21 dates, and of each of several
    /// sources those of two.
    ///
    /// # Errors
    /// When one of them is damaged.
    pub fn newest(&self) -> Result<Option<Newest>> {
        let dates = self.dates()?;
        let Some(&date) = dates.last() else { return Ok(None) };
        // How many dates before the newest each stock had its last row.
        let mut ages: Vec<Option<usize>> = vec![None; self.version.codes()?.len()];
        let (mut stocks, mut stocks_before) = (0, 0);
        for (age, index) in (0..dates.len()).rev().take(STALE + 1).enumerate() {
            let numbers = self.stocks_at(index)?;
            match age {
                0 => stocks = numbers.len() as u64,
                1 => stocks_before = numbers.len() as u64,
                _ => {}
            }
            for stock in numbers {
                ages[stock as usize].get_or_insert(age);
            }
        }
        let codes = self.version.codes()?;
        let of_age =
            |(stock, age): (usize, &Option<usize>)| age.filter(|&age| age > 0).map(|age| (age, codes.value(stock)));
        let mut stale: Vec<(usize, &str)> = ages.iter().enumerate().filter_map(of_age).collect();
        stale.sort_unstable();
        let date_before = dates.len().checked_sub(2).map(|before| dates[before]);
        let of_source = |(place, source): (usize, &str)| -> Result<NewestOf> {
            let own = self.of_source(place);
            let count =
                |date: Option<Date>| -> Result<u64> { date.map_or(Ok(0), |date| Ok(own.codes_on(date)?.len() as u64)) };
            Ok(NewestOf {
                source: source.to_owned(),
                stocks: count(Some(date))?,
                stocks_before: count(date_before)?,
                last: own.dates()?.last().copied(),
            })
        };
        let names = self.source_names()?;
        let sources = match names.len() {
            1 => Vec::new(),
            _ => names.into_iter().enumerate().map(of_source).collect::<Result<_>>()?,
        };
        let named = stale.iter().take(NAMED);
        let named = named.map(|&(age, code)| StaleStock { stock: code.to_owned(), last: dates[dates.len() - 1 - age] });
        Ok(Some(Newest {
            date,
            stocks,
            date_before,
            stocks_before,
            stale: stale.len() as u64,
            stale_stocks: named.collect(),
            sources,
        }))
    }

    /// The codes that have a row on `date`, in code order.
    ///
    /// # Errors
    /// When its section is damaged.
    pub(crate) fn codes_on(&self, date: Date) -> Result<Vec<&str>> {
        let Ok(index) = self.dates()?.binary_search(&date) else { return Ok(Vec::new()) };
        let codes = self.version.codes()?;
        Ok(self.stocks_at(index)?.into_iter().map(|stock| codes.value(stock as usize)).collect())
    }

    /// The numbers of the stocks that have a row on the `index`-th date, in code order.
    fn stocks_at(&self, index: usize) -> Result<Vec<u32>> {
        let count = self.version.codes()?.len();
        let section = self.section_at(index)?;
        // A date may have millions of rows of few stocks: no piece of it is held.
        let mut numbers: Vec<u32> = Vec::new();
        for piece in section.pieces() {
            let codes = piece?.code()?;
            let of_rows =
                codes.as_dictionary_opt::<Int32Type>().ok_or_else(|| section.unknown_stocks())?.keys().values();
            numbers.extend(of_rows.chunk_by(|a, b| a == b).map(|rows| rows[0] as u32));
        }
        numbers.dedup();
        match numbers.iter().all(|&stock| (stock as usize) < count) {
            true => Ok(numbers),
            false => Err(section.unknown_stocks()),
        }
    }
}
