//! Finds the trading dates on which rows are: those of a calendar, or the dates that have a row by day.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, Result};
use crate::hint::listed;
use crate::key::Date;
use crate::progress::Observer;
use crate::source::date::calendar::trading_days;
use crate::source::date::trading::Trading;
use crate::source::read::file::FileReader;
use crate::source::survey::Survey;
use crate::source::trouble::check_machine;
use crate::workers::Workers;

/// Until this second of a day a night session may go on.
const SMALL_HOURS: u32 = 6 * 3600;

/// The trading dates of the files of `survey`, beside those that are `known`; `None` where rows are of their own dates.
/// Notes those that a night session may have made, which a calendar would know better.
///
/// # Errors
/// When the calendar cannot be read, the machine fails, or the observer cancels.
pub(in crate::source) fn trading(
    survey: &mut Survey,
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
    let read = &*survey;
    let found = workers.try_map(read.inputs.len(), |at| {
        let input = &read.inputs[at];
        let mut days = Vec::new();
        for file in &input.files {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            // What is wrong with a file is told when it is read.
            match FileReader::days_by_day(read, &input.unit, file, &trading) {
                Ok(found) => days.extend(found),
                Err(_) => check_machine(&read.root.join(&file.path))?,
            }
            observer.advance(1);
        }
        Ok(days)
    })?;
    observer.end();
    let mut last_seconds: BTreeMap<i32, u32> = known.iter().map(|&day| (day, u32::MAX)).collect();
    for (day, second) in found.into_iter().flatten() {
        let last = last_seconds.entry(day).or_default();
        *last = second.max(*last);
    }
    survey.notes.extend(note(&last_seconds));
    Ok(Some(Trading::new(roll, last_seconds.into_keys().collect(), false)))
}

/// What to tell of dates of whose rows none lies after the small hours.
fn note(last_seconds: &BTreeMap<i32, u32>) -> Option<String> {
    let of_night = last_seconds.iter().filter(|(_, second)| **second < SMALL_HOURS);
    let dates: Vec<Date> = of_night.filter_map(|(day, _)| Date::from_days(*day)).collect();
    (!dates.is_empty()).then(|| {
        let dates = listed(&dates);
        format!(
            "only rows before 06:00 make {dates} trading dates; a calendar says whose they are where a night goes on past \
             midnight"
        )
    })
}
