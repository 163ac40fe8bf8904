//! Of which stocks and dates a task's files are, as the check lays their rows beside the store's.

use std::collections::HashMap;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;

use super::origins::Origins;
use crate::error::Result;
use crate::ingest::gather::codes::Codes;
use crate::key::Date;
use crate::shuffle::Inputs;
use crate::source::{FilesBy, Input, Period, Survey};

/// A unit whose files were read.
pub(in crate::ingest) struct Series<'a> {
    pub(in crate::ingest) input: &'a Input,
    pub(in crate::ingest) dates: Vec<Date>,
    /// The codes of the rows, where they have several.
    pub(in crate::ingest) codes: Option<ArrayRef>,
    /// See [`Origins::stands_since`].
    pub(super) stands_since: u64,
}

/// The rows of units as they are laid out: of which code each is, and of which date.
type Laid = Vec<(Inputs, Vec<Date>)>;

/// What is known of the units that were read.
pub(super) struct Units {
    /// The codes of their rows, by number.
    pub(in crate::ingest) codes: Vec<String>,
    /// For each, twice its place among the store's stocks, and one more where they have it.
    pub(in crate::ingest) places: Vec<u64>,
    /// Of units of one stock each, by the stock's place: see [`Origins::stands_since`].
    stocks: HashMap<u64, u64>,
    /// The same of units by date, ascending; `None` where they are by stock.
    dates: Option<Vec<(Period, u64)>>,
}

/// What is known of the units that were read, on one date.
#[derive(Clone, Copy)]
pub(super) struct UnitsOn<'a> {
    units: &'a Units,
    /// Where units are by date, that of the date, if it was read.
    of_date: Option<Option<u64>>,
}

impl Units {
    /// Those of `series`, and the rows of each as they are laid out.
    ///
    /// # Errors
    /// None that can be met: the codes are in memory.
    pub(in crate::ingest) fn new(survey: &Survey, origins: &Origins, series: Vec<Series>) -> Result<(Units, Laid)> {
        let numbers = Codes::new(u64::MAX);
        let mut rows = Vec::with_capacity(series.len());
        let (mut of_inputs, mut dates) = (Vec::new(), Vec::new());
        for Series { input, dates: of_rows, codes, stands_since } in series {
            let inputs = match &codes {
                Some(codes) => Inputs::Each(numbers.numbers(codes.as_string::<i32>().iter().flatten())?),
                None => Inputs::One(numbers.numbers(std::iter::once(input.unit.as_str()))?[0]),
            };
            match survey.options().period_of(&input.unit) {
                Some(period) => dates.push((period, stands_since)),
                None => of_inputs.push((&input.unit, stands_since)),
            }
            rows.push((inputs, of_rows));
        }
        let place = |code: &str| {
            let rank = origins.codes.partition_point(|stock| *stock < code);
            2 * rank as u64 + u64::from(origins.codes.get(rank) == Some(&code))
        };
        let stocks = of_inputs.into_iter().map(|(code, since)| (place(code), since)).collect();
        let codes: Vec<String> = numbers.into_all().all().map(str::to_owned).collect();
        let places = codes.iter().map(|code| place(code)).collect();
        let is_by_date = survey.options().files_by == FilesBy::Date;
        Ok((Units { codes, places, stocks, dates: is_by_date.then_some(dates) }, rows))
    }

    /// The same, on one date.
    pub(in crate::ingest) fn on(&self, date: Date) -> UnitsOn<'_> {
        let since = |dates: &Vec<(Period, u64)>| {
            let at = dates.partition_point(|(period, _)| period.last < date);
            dates.get(at).filter(|(period, _)| period.has(date)).map(|(_, since)| *since)
        };
        UnitsOn { units: self, of_date: self.dates.as_ref().map(since) }
    }
}

impl UnitsOn<'_> {
    /// From which version on what was appended stands, of a row that the stock at this place has; `None` where its files
    /// were not read.
    pub(super) fn stands_since(self, place: u64) -> Option<u64> {
        self.of_date.unwrap_or_else(|| self.units.stocks.get(&place).copied())
    }
}
