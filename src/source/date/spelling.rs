//! Formats of dates in text that are no usual spelling, to be named where a file is refused for its dates.

/// Formats that are tried where dates in text are of no spelling that is read without one.
const OTHER_SPELLINGS: [&str; 31] = [
    "%Y%m%d ",
    "%Y-%m-%d ",
    "%Y/%m/%d ",
    "%d-%b-%Y",
    "%d %b %Y",
    "%d/%b/%Y",
    "%a, %d %b %Y",
    "%b %d, %Y",
    "%b %d %Y",
    "%d.%m.%Y",
    "%Y.%m.%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y/%m/%d %A",
    "%Y-%m-%d %A",
    "%Y年%m月%d日",
    "%d-%b-%y",
    "%d %b %y",
    "%b %d, %y",
    "%d.%m.%y",
    "%y.%m.%d",
    "%d/%m/%y",
    "%m/%d/%y",
    "%y/%m/%d",
    "%d-%m-%y",
    "%m-%d-%y",
    "%y-%m-%d",
    "%y/%m/%d %A",
    "%y年%m月%d日",
];

/// Formats of six digits, which are tried only where a column is known to have dates: codes would be read by them, too.
const SIX_DIGITS: [&str; 3] = ["%y%m%d", "%d%m%y", "%m%d%y"];

/// As [`spellings_that`], of a column that is known to have dates.
pub(super) fn spellings_of_dates_that(reads: impl Fn(&str) -> bool) -> Vec<&'static str> {
    match spellings_that(&reads) {
        none if none.is_empty() => SIX_DIGITS.into_iter().filter(|text| reads(text)).collect(),
        found => found,
    }
}

/// The formats that are no usual spelling and for which `reads` holds. A weekday is expected only where there is one.
pub(in crate::source) fn spellings_that(reads: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut found: Vec<&str> = OTHER_SPELLINGS.into_iter().filter(|text| reads(text)).collect();
    if found.iter().any(|text| !text.ends_with("%A")) {
        found.retain(|text| !text.ends_with("%A"));
    }
    found
}

/// What a format does beside another that reads the same texts.
pub(in crate::source) fn order(format: &str) -> &'static str {
    let first = format.trim_start_matches('%').chars().next();
    match first {
        Some('d') => "reads them with the day first",
        Some('y' | 'Y') => "reads them with the year first",
        _ => "reads them with the month first",
    }
}

/// What a format does of which there is no other.
pub(in crate::source) const READS_THEM: &str = "reads them";
