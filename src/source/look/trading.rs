//! Finds the trading dates on which rows are: those of a calendar, or the dates that have a row by day.

use std::path::Path;

use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::source::date::calendar::trading_days;
use crate::source::date::trading::Trading;
use crate::source::read::file::FileReader;
use crate::source::survey::Survey;
use crate::source::trouble::check_machine;
use crate::workers::Workers;

/// The trading dates of the files of `survey`, beside those that are `known`; `None` where rows are of their own dates.
///
/// # Errors
/// When the calendar cannot be read, the machine fails, or the observer cancels.
pub(in crate::source) fn trading(
    survey: &Survey,
    known: &[i32],
    workers: &Workers,
    observer: &dyn Observer,
) -> Result<Option<Trading>> {
    let Some(roll) = survey.options.roll else { return Ok(None) };
    if let Some(calendar) = &survey.options.calendar {
        let days = trading_days(Path::new(calendar), &survey.allowance)?;
        return Ok(Some(Trading::new(roll, days, true)));
    }
    let trading = Trading::new(roll, known.to_vec(), false);
    observer.begin("look for dates", "files", survey.files().count() as u64);
    let found = workers.try_map(survey.inputs.len(), |at| {
        let input = &survey.inputs[at];
        let mut days = Vec::new();
        for file in &input.files {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            // What is wrong with a file is told when it is read.
            match FileReader::days_by_day(survey, &input.unit, file, &trading) {
                Ok(found) => days.extend(found),
                Err(_) => check_machine(&survey.root.join(&file.path))?,
            }
            observer.advance(1);
        }
        Ok(days)
    })?;
    observer.end();
    Ok(Some(Trading::new(roll, [&found.concat()[..], known].concat(), false)))
}
