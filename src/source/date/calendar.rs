//! Reads the trading dates of a calendar: a csv or Parquet file with a column of dates.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, StringArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use csv::StringRecord;

use super::column::DateReader;
use super::rules::DateRules;
use crate::error::Result;
use crate::reason::{Kind, Reason};
use crate::remedy::Setting;
use crate::source::allowance::Allowance;
use crate::source::options::SourceOptions;
use crate::source::order::NO_DAY;
use crate::source::table::{Table, Wanted, unusable};

/// Names of the column of dates, the likelier ones first.
const DATE_NAMES: [&str; 5] = ["trade_date", "cal_date", "date", "datetime", "day"];

/// The column that says of each date whether it is a trading date, where a calendar has all dates.
const IS_OPEN: &str = "is_open";

/// The days since 1970 that the calendar at `path` has, in the order of its rows.
///
/// # Errors
/// [`Error::Invalid`](crate::Error::Invalid) where it cannot be read, or has no dates.
pub(in crate::source) fn trading_days(path: &Path, allowance: &Arc<Allowance>) -> Result<Vec<i32>> {
    let otherwise = "give a csv or Parquet file with the trading dates in a column trade_date";
    read(path, allowance).map_err(|reason| unusable(Setting::Calendar, path, &reason, otherwise))
}

fn read(path: &Path, allowance: &Arc<Allowance>) -> Result<Vec<i32>, Reason> {
    let is_wanted = |name: &str| DATE_NAMES.iter().chain([&IS_OPEN]).any(|wanted| name.eq_ignore_ascii_case(wanted));
    // A file whose first line begins with a date has no names.
    let is_date = |line: &StringRecord| line.get(0).is_some_and(|text| super::text::read(text).is_some());
    let wanted = Wanted { column: &is_wanted, unnamed: &|line| is_date(line).then_some(DATE_NAMES[0]) };
    let table = Table::read(path, allowance, &wanted)?;
    let Some((name, dates)) = table.column(&DATE_NAMES).or(table.only()) else {
        let what = format!("has no column of dates; its columns are {}", table.names());
        return Err(Reason::new(Kind::NoDateColumn, what));
    };
    let rules = DateRules::new(&SourceOptions::default()).map_err(Reason::undecodable)?;
    let mut reader = DateReader::new(name, dates.data_type(), &rules);
    reader.push(dates).map_err(Reason::alone)?;
    let mut days = reader.days;
    if let Some((_, is_open)) = table.column(&[IS_OPEN]) {
        let texts = cast(is_open, &DataType::Utf8).map_err(Reason::undecodable)?;
        let texts: Vec<Option<&str>> = texts.as_any().downcast_ref::<StringArray>().into_iter().flatten().collect();
        let is_closed = |text: &Option<&str>| text.is_none_or(|text| matches!(text, "0" | "false" | "False" | ""));
        days.iter_mut().zip(&texts).filter(|(_, text)| is_closed(text)).for_each(|(day, _)| *day = NO_DAY);
    }
    days.retain(|day| *day != NO_DAY);
    if days.is_empty() {
        return Err(Reason::new(Kind::NoRows, "has no trading date"));
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Date;

    fn days(bytes: &[u8]) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("calendar");
        std::fs::write(&path, bytes).unwrap();
        let days = read(&path, &Allowance::new(64 << 20, 1)).map_err(|reason| reason.to_string())?;
        Ok(days.into_iter().map(|day| Date::from_days(day).unwrap().to_string()).collect())
    }

    #[test]
    fn calendars_are_read_as_vendors_write_them() {
        let two = Ok(vec!["20240102".to_owned(), "20240103".to_owned()]);
        for text in [
            "trade_date\n20240102\n20240103\n",
            "20240102\n20240103",
            "2024-01-02\r\n2024-01-03\r\n",
            "\u{feff}Date\n2024/1/2\n2024/1/3\n",
            "any name\n20240102\n20240103\n",
            "exchange,cal_date,is_open,pretrade_date\nSSE,20240101,0,20231229\nSSE,20240102,1,20231229\n\
             SSE,20240103,1,20240102\n",
            "id,trade_date\n1,\"20240102\"\n2, 20240103 \n",
        ] {
            assert_eq!(days(text.as_bytes()), two, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_calendar_is_told() {
        for (text, told) in [
            ("", "has zero bytes"),
            ("trade_date\n", "has no trading date"),
            ("a,b\n1,2\n", "has no column of dates; its columns are a and b"),
            ("trade_date\n20240102\nsoon\n", "row 2 of \"trade_date\": \"soon\" is no date; YYYYMMDD"),
            ("trade_date,x\n20240102,1\n20240103\n", "is no csv file: "),
            ("PAR1", "is truncated"),
        ] {
            let found = days(text.as_bytes()).unwrap_err();
            assert!(found.starts_with(told), "{text:?}: {found}");
        }
    }
}
