//! The key of a row: a date and a stock, and nothing about where the row lies.

use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A calendar day from 0000-01-01 to 9999-12-31, proleptic Gregorian, as days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

impl Date {
    /// 0000-01-01.
    pub const MIN: Date = Date(-719_528);
    /// 1 January 1970.
    pub(crate) const EPOCH: Date = Date(0);
    /// 9999-12-31.
    pub const MAX: Date = Date(2_932_896);

    /// The day `days` after 1970-01-01; `None` outside the years 0000 to 9999, which have no eight-digit spelling.
    pub const fn from_days(days: i32) -> Option<Date> {
        if days < Self::MIN.0 || days > Self::MAX.0 { None } else { Some(Date(days)) }
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.0
    }

    /// The day of a civil date; `None` if there is no such day.
    pub const fn from_ymd(year: i32, month: u32, day: u32) -> Option<Date> {
        if year < 0 || year > 9999 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        // Days from civil, Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years start in March, so
        // that the leap day is the last of its year. Counted from an era of 400 years earlier, nothing is negative.
        let year = year as u32 + 400;
        let (year, march_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let (era, year_of_era) = (year / 400, year % 400);
        let day_of_year = (153 * march_month + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Some(Date((era * 146_097 + day_of_era) as i32 - 719_468 - 146_097))
    }

    /// Year, month and day.
    pub const fn ymd(self) -> (i32, u32, u32) {
        let z = self.0 + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * march_month + 2) / 5 + 1) as u32;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 } as u32;
        (year_of_era + era * 400 + (month <= 2) as i32, month, day)
    }

    /// The day of an integer such as 20240102; `None` if there is no such day.
    pub const fn from_yyyymmdd(number: i64) -> Option<Date> {
        if number < 0 || number > 99_991_231 {
            return None;
        }
        let number = number as u32;
        Date::from_ymd((number / 10_000) as i32, number / 100 % 100, number % 100)
    }

    /// The integer 20240102 for 2 January 2024.
    pub const fn yyyymmdd(self) -> i32 {
        let (year, month, day) = self.ymd();
        year * 10_000 + month as i32 * 100 + day as i32
    }
}

/// What Hive and Spark call the partition of rows that have no value for its key.
pub(crate) const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// Where in the name of a file or a directory a code stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    /// In that of a file, at its beginning or behind something.
    File { is_start: bool },
    /// In that of a directory, at its beginning or behind something.
    Directory { is_start: bool },
    /// The value of a directory `column=value`.
    Value,
}

/// Appends `code` to the name of a file as that can hold it: a slash, a control character, a percent sign, at the
/// beginning of a name what readers of folders take for hidden, in a directory what makes it a column to them, and in a
/// value what Hive and Spark escape there, are escaped as `%2F`. Where a path names it several times, `within` has all the
/// places, since who reads it takes two spellings for two codes.
pub(crate) fn push_escaped(code: &str, within: &[Within], name: &mut String) {
    for (at, c) in code.char_indices() {
        let is_special = within.iter().any(|within| match *within {
            Within::File { is_start } | Within::Directory { is_start }
                if is_start && at == 0 && matches!(c, '.' | '_' | '~') =>
            {
                true
            }
            Within::File { .. } => false,
            Within::Directory { .. } => c == '=',
            Within::Value => r##""#'*:=?\{[]^"##.contains(c),
        });
        if is_special || matches!(c, '/' | '%') || c.is_ascii_control() {
            name.push_str(&format!("%{:02X}", c as u32));
        } else {
            name.push(c);
        }
    }
}

/// Whether `text` is how [`push_escaped`] writes `code` in the name of a file or a directory, and not the code itself.
pub(crate) fn is_escaped(text: &[u8], code: &[u8], is_directory: bool) -> bool {
    let Ok(code) = std::str::from_utf8(code) else { return false };
    let is_written = |within: Within| {
        let mut name = String::new();
        push_escaped(code, &[within], &mut name);
        name.as_bytes() == text
    };
    let within = |is_start| if is_directory { Within::Directory { is_start } } else { Within::File { is_start } };
    text != code.as_bytes() && [true, false].map(within).into_iter().any(is_written)
}

/// Days of a month, 1 to 12, of any year.
pub(crate) const fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Writes `20240102`, the spelling of file names.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.yyyymmdd())
    }
}

/// Reads `20240102`, `2024-01-02` or `2024/01/02`.
impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Date, String> {
        let digits = |range: std::ops::Range<usize>| -> Option<u32> {
            text.as_bytes()[range]
                .iter()
                .try_fold(0, |n, byte| byte.is_ascii_digit().then(|| n * 10 + u32::from(byte - b'0')))
        };
        let bytes = text.as_bytes();
        let parts = match bytes.len() {
            8 => digits(0..4).zip(digits(4..6)).zip(digits(6..8)),
            10 if bytes[4] == bytes[7] && matches!(bytes[4], b'-' | b'/') => {
                digits(0..4).zip(digits(5..7)).zip(digits(8..10))
            }
            _ => None,
        };
        parts
            .and_then(|((year, month), day)| Date::from_ymd(year as i32, month, day))
            .ok_or_else(|| format!("{text:?} is no date; write it as 20240102 or 2024-01-02"))
    }
}

/// As JSON has it: `"20240102"`, also as a key.
impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A stock's number within one store: its place in the append-only dictionary of codes.
///
/// The number carries no order; rows of a section are ordered by *code*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StockId(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_ten_thousand_years_survives_the_round_trip() {
        let mut expected = (0, 1, 1);
        for days in Date::MIN.0..=Date::MAX.0 {
            let date = Date(days);
            assert_eq!(date.ymd(), expected);
            assert_eq!(Date::from_ymd(expected.0, expected.1, expected.2), Some(date));
            let (year, month, day) = expected;
            expected = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, last) if last == days_in_month(year, month) => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for text in ["20230229", "20240431", "2024-13-01", "2024-1-01", "2024-01/02", "2024010a", "", "99999999"] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
        assert_eq!(Date::from_days(Date::MAX.0 + 1), None);
        assert_eq!(Date::from_yyyymmdd(-1), None);
    }

    #[test]
    fn three_spellings_name_the_same_day() {
        let day = Date::from_ymd(2024, 2, 29).unwrap();
        for text in ["20240229", "2024-02-29", "2024/02/29"] {
            assert_eq!(text.parse(), Ok(day));
        }
        assert_eq!(day.to_string(), "20240229");
    }
}
