//! Tells a folder with a file for each date, or each month, from one with a file for each stock: read as one, its dates
//! would be stocks.

use super::candidate::Candidate;
use super::settle::Look;
use crate::error::{Error, Result};
use crate::hint::counted;
use crate::key::Date;
use crate::remedy::{Remedy, Setting};
use crate::source::date::column::DateReader;
use crate::source::options::SourceOptions;
use crate::source::order::NO_DAY;
use crate::source::path::files_by::{DATE, FilesBy};
use crate::source::path::naming::is_time;
use crate::source::path::pattern::{CODE, Pattern};
use crate::source::path::period::Period;

/// Files that are looked into, whose names are times or have a date in them.
const LOOKED_INTO: usize = 3;

/// Refuses files that are named after times, and have no dates but those.
///
/// # Errors
/// [`Error::Refused`] where the files are by date.
pub(super) fn refuse_by_date(candidates: &[Candidate], options: &SourceOptions, look: &Look) -> Result<()> {
    let with_rows: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.has_rows()).collect();
    let (Some(first), Some(last)) = (with_rows.first(), with_rows.last()) else { return Ok(()) };
    if !with_rows.iter().all(|candidate| is_time(&candidate.unit) || digits(&candidate.unit).len() >= 8) {
        return Ok(());
    }
    let some = [*first, with_rows[with_rows.len() / 2], *last];
    if !some.into_iter().take(LOOKED_INTO).all(|candidate| is_by_date(candidate, look)) {
        return Ok(());
    }
    let files = counted(with_rows.len(), "file is", "files are");
    let what =
        format!("the {files} by date, such as {}: all its rows are of the time in its name", first.path.display());
    let by_date = pattern(&with_rows, options).map(|pattern| {
        let pattern =
            (pattern != Pattern::usual(FilesBy::Date, options.input)).then(|| Setting::Pattern(pattern.to_string()));
        let settings = [Setting::FilesBy(FilesBy::Date.to_string())].into_iter().chain(pattern).collect();
        Remedy::Set { settings, effect: "reads them as what they are".to_owned() }
    });
    let append = Remedy::Do("append them, one a date, to a store that is there".to_owned());
    let remedies: Vec<Remedy> = by_date.into_iter().chain([append]).collect();
    Err(Error::refused_unless(what, remedies))
}

/// The pattern of `options` with the date of `files` where their codes stood, if it finds all of them.
fn pattern(files: &[&Candidate], options: &SourceOptions) -> Option<Pattern> {
    let unit = files.first()?.unit.as_str();
    let ends = |start: usize| (start + 1..=unit.len()).rev().map(move |end| (start, end));
    let mut places = (0..unit.len())
        .flat_map(ends)
        .filter(|&(start, end)| unit.get(start..end).is_some_and(|text| Period::named(text).is_some()));
    places.find_map(|(start, end)| {
        let date = format!("{}{{{DATE}}}{}", &unit[..start], &unit[end..]);
        let text = options.pattern.to_string().replace(&format!("{{{CODE}}}"), &date);
        let by_date =
            SourceOptions { files_by: FilesBy::Date, pattern: text.parse().ok()?, ..SourceOptions::default() };
        files.iter().all(|file| by_date.named_by(&file.path).is_some()).then_some(by_date.pattern)
    })
}

/// Whether all rows are of the time that is the file's name, or of the one date in it.
fn is_by_date(candidate: &Candidate, look: &Look) -> bool {
    let name = digits(&candidate.unit);
    let Ok(date) = &candidate.footer.schema.date else { return candidate.unit.parse::<Date>().is_ok() };
    let rules = look.rules.without_times();
    let mut reader = DateReader::new(&date.name, &date.raw, &rules);
    let is_read = candidate.all(look.root, date.leaf, look.allowance, |array| reader.push(array).is_ok());
    let days = reader.days.iter().filter(|day| **day != NO_DAY);
    let mut days: Vec<String> = days.filter_map(|&day| Some(Date::from_days(day)?.to_string())).collect();
    let row_count = days.len();
    days.sort_unstable();
    days.dedup();
    let Ok(true) = is_read else { return false };
    match (is_time(&candidate.unit), &days[..]) {
        (_, []) => false,
        (_, [one]) if name.contains(one.as_str()) => true,
        // A year, or a month of one; of a quarter the year tells enough. One stock has its dates once.
        (true, all) => {
            let period = if name.len() == 6 { &name[..] } else { &name[..4] };
            name.len() < 8 && all.len() < row_count && all.iter().all(|day| day.starts_with(period))
        }
        _ => false,
    }
}

fn digits(unit: &str) -> String {
    unit.chars().filter(char::is_ascii_digit).collect()
}
