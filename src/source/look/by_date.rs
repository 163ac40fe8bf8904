//! Tells a folder with a file for each date, or each month, or for each of several times of fewer stocks, from one with a
//! file for each stock: read as one, its times would be stocks.

use std::path::PathBuf;

use super::candidate::Candidate;
use super::settle::Look;
use crate::error::{Error, Result};
use crate::hint::counted;
use crate::key::Date;
use crate::remedy::Remedy;
use crate::source::code_column::usual_codes;
use crate::source::date::column::DateReader;
use crate::source::folder::advice::{by_date_settings, of_fewer};
use crate::source::folder::layout::pattern_by_date;
use crate::source::options::SourceOptions;
use crate::source::order::NO_DAY;
use crate::source::path::files_by::YEAR;
use crate::source::path::naming::is_time;
use crate::source::path::pattern::ANYTHING;
use crate::source::path::period::Period;
use crate::source::path::when::{Around, Numbered, is_of_time};

/// Refuses files that are named after times or numbered, and are not of one stock each by their rows. Who says how codes
/// are made of paths has said that names are codes.
///
/// # Errors
/// [`Error::Refused`] where the files are by date, or several are of one stock.
pub(super) fn refuse_times(candidates: &[Candidate], options: &SourceOptions, look: &Look) -> Result<()> {
    let with_rows: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.has_rows()).collect();
    let Some(first) = with_rows.first().filter(|_| options.code_template.is_none()) else { return Ok(()) };
    let has_year = options.pattern.has(YEAR);
    let around = Around { has_year, is_below_year: has_year, is_below_month: false };
    let shape = Numbered::of(&first.unit).map(|first| first.shape);
    let is_alike = |one: &&Candidate| Numbered::of(&one.unit).map(|one| one.shape) == shape;
    // Two files may be of other dates by chance.
    let are_numbered = || with_rows.len() > 2 && shape.is_some() && with_rows.iter().all(is_alike);
    let are_times = with_rows.iter().all(|candidate| is_of_time(&candidate.unit, around));
    if !are_times && !are_numbered() {
        return Ok(());
    }
    let paths: Vec<PathBuf> = with_rows.iter().map(|candidate| candidate.path.clone()).collect();
    refuse_by_date(&with_rows, &paths, options, look)?;
    let Some(remedies) = of_fewer(look.root, &paths, options, are_times) else { return Ok(()) };
    let files = counted(with_rows.len(), "file is", "files are");
    let what = format!(
        "the {files} hardly of one stock each, such as {}: by their rows, names are times or numbers of pieces",
        first.path.display()
    );
    Err(Error::refused_unless(what, remedies))
}

/// Refuses files that have no dates but those in their names.
fn refuse_by_date(with_rows: &[&Candidate], paths: &[PathBuf], options: &SourceOptions, look: &Look) -> Result<()> {
    let some = [with_rows[0], with_rows[with_rows.len() / 2], with_rows[with_rows.len() - 1]];
    let first = some[0];
    let Some(pattern) = pattern_by_date(&first.path, paths) else { return Ok(()) };
    let found = SourceOptions { pattern, ..SourceOptions::by_date() };
    let period = |candidate: &Candidate| Period::named(&found.named_by(&candidate.path)?);
    let has_codes = usual_codes(options, &first.footer.schema.columns, "").is_ok();
    let is_by_date = |candidate: &Candidate| {
        // Of a month behind a name a stock has several rows a date, too.
        let is_named = |period: &Period| period.only().is_some() || has_codes || is_time(&candidate.unit);
        period(candidate).filter(is_named).is_some_and(|period| is_of(candidate, period, has_codes, look))
    };
    let is_alike = !found.pattern.has(ANYTHING);
    if !(is_alike || has_codes)
        || !with_rows.iter().all(|candidate| period(candidate).is_some())
        || !some.into_iter().all(is_by_date)
    {
        return Ok(());
    }
    let files = counted(with_rows.len(), "file is", "files are");
    let what =
        format!("the {files} by date, such as {}: all its rows are of the time in its name", first.path.display());
    let are_of_one = with_rows.iter().all(|candidate| period(candidate).is_some_and(|period| period.only().is_some()));
    let settings = by_date_settings(&found.pattern, options);
    let by_date = Remedy::Set { settings, effect: "reads them as what they are".to_owned() };
    let append = || Remedy::Do("append them, one a date, to a store that is there".to_owned());
    let remedies: Vec<Remedy> = [by_date].into_iter().chain(are_of_one.then(append)).collect();
    Err(Error::refused_unless(what, remedies))
}

/// Whether all rows are of `period`, and of several stocks.
fn is_of(candidate: &Candidate, period: Period, has_codes: bool, look: &Look) -> bool {
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
    let are_several = days.len() < row_count || (has_codes && period.only().is_some());
    matches!(is_read, Ok(true)) && is_inside && are_several && row_count > 0
}
