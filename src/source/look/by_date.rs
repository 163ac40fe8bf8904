//! Tells a folder with a file for each date, or each month, from one with a file for each stock: read as one, its dates
//! would be stocks.

use std::path::PathBuf;

use super::candidate::Candidate;
use super::settle::Look;
use crate::error::{Error, Result};
use crate::hint::counted;
use crate::key::Date;
use crate::remedy::{Remedy, Setting};
use crate::source::code_column::usual_codes;
use crate::source::date::column::DateReader;
use crate::source::folder::layout::pattern_by_date;
use crate::source::options::SourceOptions;
use crate::source::order::NO_DAY;
use crate::source::path::files_by::FilesBy;
use crate::source::path::naming::is_time;
use crate::source::path::pattern::{ANYTHING, CODE, Pattern};
use crate::source::path::period::Period;
use crate::source::path::timed::Timed;
use crate::source::path::when::{Around, open_time, time_inside};

/// Files that are looked into, whose names are times or have a date in them.
const LOOKED_INTO: usize = 3;

/// Refuses files that are named after times, and have no dates but those.
///
/// # Errors
/// [`Error::Refused`] where the files are by date.
pub(super) fn refuse_by_date(candidates: &[Candidate], options: &SourceOptions, look: &Look) -> Result<()> {
    let with_rows: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.has_rows()).collect();
    let (Some(first), Some(last)) = (with_rows.first(), with_rows.last()) else { return Ok(()) };
    let around = Around::default();
    let names_time = |unit: &str| open_time("", unit, around).is_some() || time_inside(unit, around).is_some();
    if !with_rows.iter().all(|candidate| names_time(&candidate.unit)) {
        return Ok(());
    }
    let paths: Vec<PathBuf> = with_rows.iter().map(|candidate| candidate.path.clone()).collect();
    let Some(pattern) = pattern_by_date(&first.path, &paths) else { return Ok(()) };
    let found = SourceOptions { pattern, ..SourceOptions::by_date() };
    let period = |candidate: &Candidate| Period::named(&found.named_by(&candidate.path)?);
    let has_codes = usual_codes(options, &first.footer.schema.columns, "").is_ok();
    let is_by_date = |candidate: &Candidate| {
        // Of a month behind a name a stock has several rows a date, too.
        let is_named = |period: &Period| period.only().is_some() || has_codes || is_time(&candidate.unit);
        period(candidate).filter(is_named).is_some_and(|period| is_of(candidate, period, look))
    };
    let some = [*first, with_rows[with_rows.len() / 2], *last];
    if !with_rows.iter().all(|candidate| period(candidate).is_some())
        || !some.into_iter().take(LOOKED_INTO).all(is_by_date)
    {
        return Ok(());
    }
    let files = counted(with_rows.len(), "file is", "files are");
    let what =
        format!("the {files} by date, such as {}: all its rows are of the time in its name", first.path.display());
    let are_of_one = with_rows.iter().all(|candidate| period(candidate).is_some_and(|period| period.only().is_some()));
    let is_alike = !found.pattern.has(ANYTHING);
    let by_date = Some(found.pattern).filter(|_| is_alike || has_codes);
    let by_date = by_date.map(|pattern| {
        let pattern =
            (pattern != Pattern::usual(FilesBy::Date, options.input)).then(|| Setting::Pattern(pattern.to_string()));
        let settings = [Setting::FilesBy(FilesBy::Date.to_string())].into_iter().chain(pattern).collect();
        Remedy::Set { settings, effect: "reads them as what they are".to_owned() }
    });
    let by_stock = tail(&with_rows).filter(|_| by_date.is_none() && !has_codes).map(|tail| {
        let pattern = options.pattern.to_string().replace(&format!("{{{CODE}}}"), &format!("{{{CODE}}}{tail}"));
        Remedy::set(Setting::Pattern(pattern), "reads those of a stock together")
    });
    let append = || Remedy::Do("append them, one a date, to a store that is there".to_owned());
    let remedies = match by_stock {
        Some(by_stock) => vec![by_stock],
        None => by_date.into_iter().chain(are_of_one.then(append)).collect(),
    };
    Err(Error::refused_unless(what, remedies))
}

/// How the names of all `files` go on behind their stems, with the time.
fn tail(files: &[&Candidate]) -> Option<String> {
    let tail = Timed::of(&files.first()?.unit)?.tail;
    let has_tail = |file: &&Candidate| Timed::of(&file.unit).is_some_and(|timed| timed.tail == tail);
    files.iter().all(has_tail).then_some(tail)
}

/// Whether all rows are of `period`, and of several stocks if that has several dates.
fn is_of(candidate: &Candidate, period: Period, look: &Look) -> bool {
    let Ok(date) = &candidate.footer.schema.date else { return period.only().is_some() };
    let rules = look.rules.without_times();
    let mut reader = DateReader::new(&date.name, &date.raw, &rules);
    let is_read = candidate.all(look.root, date.leaf, look.allowance, |array| reader.push(array).is_ok());
    let mut days: Vec<i32> = reader.days.into_iter().filter(|day| *day != NO_DAY).collect();
    let row_count = days.len();
    days.sort_unstable();
    days.dedup();
    let is_inside = days.iter().all(|day| Date::from_days(*day).is_some_and(|day| period.has(day)));
    // One stock has its dates once.
    matches!(is_read, Ok(true)) && is_inside && (period.only().is_some() || days.len() < row_count) && row_count > 0
}
