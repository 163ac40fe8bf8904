//! The dates that the path of a file names: one, or those of a month or a year.

use super::files_by::{DATE, DAY, HALF, MONTH, PERIOD, QUARTER, YEAR};
use super::month_name::month_named;
use super::pattern::Values;
use crate::key::{Date, days_in_month};

/// The dates that a path names: one, or those of a month or a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) first: Date,
    pub(crate) last: Date,
}

impl Period {
    /// The period that `text` names: `20240102` or `2024-01-02`, `202401` or `2024-01`, `2024`; also `02Jan2024` and
    /// `Jan2024`.
    pub(crate) fn named(text: &str) -> Option<Period> {
        if let Ok(date) = text.parse() {
            return Some(Period { first: date, last: date });
        }
        if text.chars().any(char::is_alphabetic) {
            return Period::spelt_out(text);
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

    /// The period that `text` names with the name of its month in it.
    fn spelt_out(text: &str) -> Option<Period> {
        let start = text.find(char::is_alphabetic)?;
        let (before, rest) = text.split_at(start);
        let (name, behind) = rest.split_at(rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len()));
        let month = month_named(name)?;
        match (before, behind) {
            (year, "") | ("", year) if year.len() == 4 => Period::named(&format!("{year}{month:02}")),
            (day, year) | (year, day) if year.len() == 4 => {
                Period::named(&format!("{year}{month:02}{:02}", day.parse::<u8>().ok()?))
            }
            _ => None,
        }
    }

    /// The period that the placeholders of a path name, in one spelling for each.
    pub(in crate::source) fn text_of(values: &Values) -> Option<String> {
        let text = |name: &str| Some(String::from_utf8(values.get(name)?.decoded()).ok());
        let number = |name: &str| Some(text(name)??.parse::<u32>().ok());
        let month =
            || text(MONTH).map(|month| month.and_then(|month| month.parse().ok().or_else(|| month_named(&month))));
        // Of two digits a year is one of these times.
        let year = |year: String| if year.len() == 2 { format!("20{year}") } else { year };
        let period = match text(DATE) {
            Some(text) => Period::named(&text?)?,
            None => Period::named(&match (year(text(YEAR)??), month(), number(DAY)) {
                (year, None, _) => year,
                (year, Some(month), None) => format!("{year}{:02}", month?),
                (year, Some(month), Some(day)) => format!("{year}{:02}{:02}", month?, day?),
            })?,
        };
        Some(period.text())
    }

    /// The periods that a path names, each by itself: rows are of all of them.
    pub(in crate::source) fn all_of(values: &Values) -> Vec<Period> {
        let text = |name: &str| String::from_utf8(values.get(name)?.decoded()).ok();
        let number = |name: &str| text(name)?.parse::<u32>().ok();
        let whole = Period::text_of(values).and_then(|text| Period::named(&text));
        let named = || Period::named(&text(PERIOD)?);
        let part = |name: &str, count: u32| {
            let (year, part) = (whole?, number(name).filter(|part| (1..=count).contains(part))?);
            let months = 12 / count;
            let last = part * months;
            let (year, first) = (year.first.ymd().0, last - months + 1);
            Some(Period {
                first: Date::from_ymd(year, first, 1)?,
                last: Date::from_ymd(year, last, days_in_month(year, last))?,
            })
        };
        [whole, named(), part(QUARTER, 4), part(HALF, 2)].into_iter().flatten().collect()
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
            ("{month}-{year}.parquet", "Jan-2024.parquet", Some("202401")),
            ("{year}Q{quarter}.parquet", "24Q1.parquet", Some("2024")),
            ("{date}.parquet", "Jan2024.parquet", Some("202401")),
            ("{date}.parquet", "2024März.parquet", Some("202403")),
            ("{date}.parquet", "2Jan2024.parquet", Some("20240102")),
            ("{date}.parquet", "Jan24.parquet", None),
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
