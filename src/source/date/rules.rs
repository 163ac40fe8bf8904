//! How dates are read: what the options of a user say of their spelling, clocks and times.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::DataType;

use super::clock::Clocks;
use super::format::Format;
use crate::error::Result;
use crate::key::Date;
use crate::reason::Reason;
use crate::source::options::{BadDates, Epoch, SourceOptions};

/// How dates are read under the options of a user.
#[derive(Debug, Clone)]
pub(in crate::source) struct DateRules {
    pub(super) format: Option<Format>,
    pub(super) clocks: Clocks,
    pub(super) epoch: Option<Epoch>,
    times: Times,
    pub(super) bad: BadDates,
    /// Whether the seconds of days are wanted, too.
    pub(super) rolls: bool,
}

/// What becomes of a time of day.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Times {
    /// It is left out.
    Dropped,
    /// It refuses the file, unless it is in one of these columns, which are part of the key and keep it.
    Refused { key: Vec<String> },
}

impl DateRules {
    /// The rules of `options`.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) where one of them is no format or no zone.
    pub(in crate::source) fn new(options: &SourceOptions) -> Result<DateRules> {
        Ok(DateRules {
            format: options.date_format.as_deref().map(Format::new).transpose()?,
            clocks: Clocks::new(options)?,
            epoch: options.epoch,
            times: match options.drop_time {
                true => Times::Dropped,
                false => Times::Refused { key: options.key.iter().map(|key| options.file_name(key)).collect() },
            },
            bad: options.bad_dates,
            rolls: options.roll.is_some(),
        })
    }

    /// On whose clocks instants are dates.
    pub(in crate::source) fn clocks(&self) -> &Clocks {
        &self.clocks
    }

    /// These rules where rows without a date are left out.
    pub(in crate::source) fn lenient(&self) -> DateRules {
        DateRules { bad: BadDates::Drop, ..self.clone() }
    }

    /// These rules where a time of day is left out.
    pub(in crate::source) fn without_times(&self) -> DateRules {
        DateRules { times: Times::Dropped, ..self.clone() }
    }

    /// These rules where dates in text are spelt as `text` says.
    pub(in crate::source) fn with_format(&self, text: &str) -> DateRules {
        DateRules { format: Format::new(text).ok(), ..self.clone() }
    }

    /// These rules where numbers count since 1970.
    pub(in crate::source) fn with_epoch(&self, epoch: Epoch) -> DateRules {
        DateRules { epoch: Some(epoch), ..self.clone() }
    }

    /// Whether a time of day in the date column `name` is left out, or kept by the key.
    pub(super) fn allows_time(&self, name: &str) -> bool {
        match &self.times {
            Times::Dropped => true,
            Times::Refused { key } => key.iter().any(|column| column == name),
        }
    }

    /// What the numbers of `array` count since 1970, if one unit makes instants of this age of all of them.
    pub(in crate::source) fn count(&self, array: &ArrayRef) -> Option<Epoch> {
        let is_number = self.epoch.is_none() && array.data_type().is_numeric();
        // A NaN, which is how pandas writes a null among integers, and what no integer holds become null.
        let counts = is_number.then(|| lenient(array, &DataType::Int64))?.ok()?;
        let counts = counts.as_primitive::<Int64Type>();
        // What would be days from 2070 on are rather a spreadsheet's, which counts from the end of 1899.
        let (first, last) = (Date::from_ymd(1980, 1, 1)?, Date::from_ymd(2070, 1, 1)?);
        Epoch::ALL.into_iter().find(|epoch| {
            let is_of_this_age = |count: i64| {
                let moment = self.clocks.since_1970(count, *epoch);
                moment.is_some_and(|moment| (first.days().into()..last.days().into()).contains(&moment.day))
            };
            counts.null_count() < counts.len() && counts.iter().flatten().all(is_of_this_age)
        })
    }
}

/// `array` as `to`, with nulls for what it cannot hold.
pub(super) fn lenient(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, Reason> {
    cast_with_options(array, to, &CastOptions { safe: true, ..CastOptions::default() }).map_err(Reason::undecodable)
}
