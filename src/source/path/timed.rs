//! Names that end in a time, as those of several files of one stock do.

use super::files_by::{DATE, DAY, MONTH, YEAR};
use super::naming::{is_date, is_time};
use crate::key::Date;

/// What stands between a stem and a time.
pub(in crate::source) const SEPARATORS: [char; 3] = ['_', '-', '.'];

/// A name that ends in a time: `AAPL_2023`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct Timed<'a> {
    /// What stands before the time: `AAPL`.
    pub(in crate::source) stem: &'a str,
    /// The rest, as a pattern has it: `_{year}`.
    pub(in crate::source) tail: String,
    /// What such times are: `years`.
    pub(in crate::source) times: &'static str,
}

impl Timed<'_> {
    /// What `name` is, if it ends in a time behind a stem.
    pub(in crate::source) fn of(name: &str) -> Option<Timed<'_>> {
        name.match_indices(SEPARATORS).find_map(|(at, letter)| {
            let (stem, rest) = (&name[..at], &name[at + 1..]);
            let (times, open) = time(rest).filter(|_| !stem.is_empty())?;
            // A code takes as much of a name as it can.
            let parts: &[&str] = match rest.split(letter).count() {
                1 => &[open],
                2 => &[YEAR, open],
                _ => &[YEAR, MONTH, DAY],
            };
            let tail = parts.iter().map(|part| format!("{letter}{{{part}}}")).collect();
            Some(Timed { stem, tail, times })
        })
    }
}

/// What the time before the stem of `name` is, and how a pattern has both: years and `{year}_{code}` of `2023_AAPL`.
pub(in crate::source) fn leading(name: &str) -> Option<(&'static str, String)> {
    let (first, stem) = name.split_once(SEPARATORS)?;
    let (times, open) = time(first)?;
    // What goes on with a number is rather the rest of a date.
    let is_number = |text: &str| text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = !is_number(stem.split(SEPARATORS).next()?);
    is_name.then(|| (times, format!("{{{open}}}{}{{code}}", &name[first.len()..=first.len()])))
}

/// What times like `text` are, and how a pattern calls one.
fn time(text: &str) -> Option<(&'static str, &'static str)> {
    let is_month = || {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.len() == 6 && format!("{digits}01").parse::<Date>().is_ok()
    };
    match () {
        () if is_date(text) => Some(("dates", DATE)),
        () if !is_time(text) => None,
        () if text.len() == 4 => Some(("years", YEAR)),
        () if text.contains(['Q', 'q']) => Some(("quarters", "quarter")),
        () => is_month().then_some(("months", MONTH)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_and_the_time_behind_it_are_told_apart() {
        for (name, stem, tail, times) in [
            ("AAPL_2023", "AAPL", "_{year}", "years"),
            ("BRK.B-2023", "BRK.B", "-{year}", "years"),
            ("A_202201", "A", "_{month}", "months"),
            ("A_2022-01", "A", "_{month}", "months"),
            ("BRK-B-2022-01", "BRK-B", "-{year}-{month}", "months"),
            ("000001.SZ_20220105", "000001.SZ", "_{date}", "dates"),
            ("A-2022-01-05", "A", "-{year}-{month}-{day}", "dates"),
            ("A_2022Q1", "A", "_{quarter}", "quarters"),
            ("A-2022-Q1", "A", "-{year}-{quarter}", "quarters"),
        ] {
            assert_eq!(Timed::of(name), Some(Timed { stem, tail: tail.to_owned(), times }), "{name}");
        }
        for name in ["AAPL", "2023", "_2023", "A2023", "A_2023x", "sz_200066", "A_202213", "D_2401", "HK.0700", "A_1.5"]
        {
            assert_eq!(Timed::of(name), None, "{name}");
        }
    }

    #[test]
    fn a_time_before_a_stem_is_left_open() {
        for (name, times, open) in [
            ("2023_AAPL", "years", "{year}_{code}"),
            ("202301-AAPL", "months", "{month}-{code}"),
            ("20230105_BRK.B", "dates", "{date}_{code}"),
        ] {
            assert_eq!(leading(name), Some((times, open.to_owned())), "{name}");
        }
        for name in ["2023", "2023_01", "2023-01-AAPL", "AAPL_2023", "600519.SH", "_2023"] {
            assert_eq!(leading(name), None, "{name}");
        }
    }
}
