//! The dates that the path of a file names: one, or those of a month or a year.

use super::files_by::{DATE, DAY, MONTH, YEAR};
use super::pattern::Values;
use crate::key::{Date, days_in_month};

/// The dates that a path names: one, or those of a month or a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) first: Date,
    pub(crate) last: Date,
}

impl Period {
    /// The period that `text` names: `20240102` or `2024-01-02`, `202401` or `2024-01`, `2024`.
    pub(crate) fn named(text: &str) -> Option<Period> {
        if let Ok(date) = text.parse() {
            return Some(Period { first: date, last: date });
        }
        let digits = |text: &str| -> Option<u32> {
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
        };
        let (year, month) = match text.len() {
            4 => (text, None),
            6 => (text.get(..4)?, Some(text.get(4..)?)),
            7 => text.split_once('-').map(|(year, month)| (year, Some(month)))?,
            _ => return None,
        };
        // Other numbers are those of stocks.
        let year = i32::try_from(digits(year).filter(|number| (1900..2100).contains(number))?).ok()?;
        match month {
            None => Some(Period { first: Date::from_ymd(year, 1, 1)?, last: Date::from_ymd(year, 12, 31)? }),
            Some(month) => {
                let month = digits(month)?;
                let first = Date::from_ymd(year, month, 1)?;
                Some(Period { first, last: Date::from_ymd(year, month, days_in_month(year, month))? })
            }
        }
    }

    /// The period that the placeholders of a path name, in one spelling for each.
    pub(in crate::source) fn text_of(values: &Values) -> Option<String> {
        let text = |name: &str| Some(String::from_utf8(values.get(name)?.decoded()).ok());
        let number = |name: &str| Some(text(name)??.parse::<u32>().ok());
        let period = match text(DATE) {
            Some(text) => Period::named(&text?)?,
            None => Period::named(&match (text(YEAR)??, number(MONTH), number(DAY)) {
                (year, None, _) => year,
                (year, Some(month), None) => format!("{year}{:02}", month?),
                (year, Some(month), Some(day)) => format!("{year}{:02}{:02}", month?, day?),
            })?,
        };
        Some(period.text())
    }

    fn text(self) -> String {
        let (first, last) = (self.first.to_string(), self.last.to_string());
        match () {
            () if first == last => first,
            () if first[..6] == last[..6] => first[..6].to_owned(),
            () => first[..4].to_owned(),
        }
    }

    /// The one date that it is.
    pub(crate) fn only(self) -> Option<Date> {
        (self.first == self.last).then_some(self.first)
    }

    /// Whether `date` is one of its dates.
    pub(crate) fn has(self, date: Date) -> bool {
        (self.first..=self.last).contains(&date)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::source::path::pattern::Pattern;

    #[test]
    fn a_path_names_a_date_a_month_or_a_year() {
        for (pattern, path, period) in [
            ("{date}.parquet", "20240102.parquet", Some("20240102")),
            ("{date}.parquet", "2024-01-02.parquet", Some("20240102")),
            ("{date}.parquet", "2024-02.parquet", Some("202402")),
            ("{date}.parquet", "2024.parquet", Some("2024")),
            ("{date}.parquet", "AAPL.parquet", None),
            ("{date}.parquet", "20240230.parquet", None),
            ("{date}.parquet", "202413.parquet", None),
            ("{date}.parquet", "000001.parquet", None),
            ("{date}.parquet", "1-2-345.parquet", None),
            ("{date}.parquet", "平安银.parquet", None),
            ("{date}/{*}.parquet", "20240102/part-0.parquet", Some("20240102")),
            ("year={year}/month={month}/day={day}/x.parquet", "year=2024/month=1/day=2/x.parquet", Some("20240102")),
            ("year={year}/month={month}/{*}.parquet", "year=2024/month=02/a.parquet", Some("202402")),
            ("{year}/{day}.parquet", "2024/1.parquet", Some("2024")),
            ("{year}/{month}.parquet", "2024/x.parquet", None),
        ] {
            let pattern: Pattern = pattern.parse().unwrap();
            let found = pattern.values_of(Path::new(path)).and_then(|values| Period::text_of(&values));
            assert_eq!(found.as_deref(), period, "{path}");
        }
        let february = Period::named("202402").unwrap();
        assert_eq!((february.first.to_string(), february.last.to_string()), ("20240201".into(), "20240229".into()));
        assert!(february.only().is_none() && Period::named("20240229").unwrap().only().is_some());
    }
}
