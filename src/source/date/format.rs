//! A `--date-format`: a strftime format that reads a date, and perhaps a time of day and an offset.

use std::fmt::Write;

use chrono::format::{Fixed, Item, Parsed, StrftimeItems, parse_and_remainder};
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Timelike};

use super::clock::Reading;
use crate::error::{Error, Result};
use crate::key::Date;
use crate::panel::Spelling;
use crate::remedy::{Remedy, Setting};

/// A checked format.
#[derive(Debug, Clone)]
pub(super) struct Format {
    pub(in crate::source) text: String,
    items: Vec<Item<'static>>,
    /// The spelling it stands for, if it is one that is read without it.
    pub(in crate::source) usual: Option<Spelling>,
}

impl Format {
    /// Checks a strftime format.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is no format or one that does not make a whole date.
    pub(in crate::source) fn new(text: &str) -> Result<Format> {
        let invalid = |why: &str, way_out: &str| {
            Error::invalid(
                Setting::DateFormat(String::new()),
                format!("{text:?} {why}"),
                [Remedy::Do(way_out.to_owned())],
            )
        };
        let items = StrftimeItems::new(text)
            .parse_to_owned()
            .map_err(|_| invalid("is no strftime format", "write it like %d-%b-%Y"))?;
        let format = Format {
            text: text.to_owned(),
            items,
            usual: match text {
                "%Y%m%d" => Some(Spelling::Digits),
                "%Y-%m-%d" | "%F" => Some(Spelling::Dashes),
                "%Y/%m/%d" => Some(Spelling::Slashes),
                _ => None,
            },
        };
        // The last evening of a leap year.
        let mut sample = String::new();
        let written = DateTime::parse_from_rfc3339("2024-12-31T23:58:59+00:00")
            .is_ok_and(|sample_time| write!(sample, "{}", sample_time.format_with_items(format.items.iter())).is_ok());
        match format.read(&sample) {
            Some((date, _)) if written && date.ymd() == (2024, 12, 31) => Ok(format),
            _ => Err(invalid(
                "does not make a whole date",
                "it needs day, month and year, and the hour where it has a time of day",
            )),
        }
    }

    /// `date` in this format; `None` where it asks for more than a date.
    pub(in crate::source) fn write(&self, date: Date) -> Option<String> {
        let (year, month, day) = date.ymd();
        let mut out = String::new();
        write!(out, "{}", NaiveDate::from_ymd_opt(year, month, day)?.format_with_items(self.items.iter())).ok()?;
        Some(out)
    }

    /// The date that `text` names in this format, and all that it says.
    pub(in crate::source) fn read(&self, text: &str) -> Option<(Date, Reading)> {
        let parsed = self.parse(text)?;
        let seconds_of = |day: NaiveDate, time: NaiveTime| {
            let midnight = i64::from(day.num_days_from_ce() - NaiveDate::default().num_days_from_ce()) * 86_400;
            midnight + i64::from(time.num_seconds_from_midnight())
        };
        let offset = parsed.offset();
        let (day, time) = match parsed.timestamp() {
            Some(_) => {
                let shown = parsed.to_naive_datetime_with_offset(offset.unwrap_or(0)).ok()?;
                (shown.date(), shown.time())
            }
            None => (parsed.to_naive_date().ok()?, time(parsed.clone())?),
        };
        let date = Date::from_ymd(day.year(), day.month(), day.day())?;
        // A count of seconds is an instant whatever else is there.
        let offset = offset.or(parsed.timestamp().map(|_| 0));
        Some((date, Reading { seconds: seconds_of(day, time), has_fraction: time.nanosecond() != 0, offset }))
    }

    /// What the parts of `text` say. The name of a weekday says nothing new, and may be of any language.
    fn parse(&self, text: &str) -> Option<Parsed> {
        let mut parsed = Parsed::new();
        let mut rest = text;
        for (n, items) in self.items.split(is_weekday).enumerate() {
            if n > 0 {
                rest = rest.trim_start_matches(char::is_alphabetic);
            }
            rest = parse_and_remainder(&mut parsed, rest, items.iter()).ok()?;
        }
        rest.is_empty().then_some(parsed)
    }
}

fn is_weekday(item: &Item) -> bool {
    matches!(item, Item::Fixed(Fixed::LongWeekdayName | Fixed::ShortWeekdayName))
}

/// The time of day, midnight where the format asks for none; `None` where it is no whole one.
fn time(mut parsed: Parsed) -> Option<NaiveTime> {
    let has_hour = parsed.hour_mod_12().is_some() || parsed.hour_div_12().is_some();
    if !has_hour && parsed.minute().is_none() && parsed.second().is_none() {
        return Some(NaiveTime::MIN);
    }
    if parsed.minute().is_none() {
        parsed.set_minute(0).ok()?;
    }
    parsed.to_naive_time().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_read_times_and_offsets() {
        for (format, text, seconds, offset) in [
            ("%d-%b-%Y", "02-Jan-2024", 1_704_153_600, None),
            ("%d.%m.%Y %H:%M", "02.01.2024 09:30", 1_704_187_800, None),
            ("%m/%d/%Y %I:%M:%S %p", "01/02/2024 09:30:00 PM", 1_704_231_000, None),
            ("%Y-%m-%d %H:%M:%S %z", "2024-01-02 09:30:00 -0500", 1_704_187_800, Some(-18_000)),
            ("%d %b %Y %Hh", "02 Jan 2024 09h", 1_704_186_000, None),
            ("%s", "1704187800", 1_704_187_800, Some(0)),
            ("%Y/%m/%d %A", "2019/7/31 星期三", 1_564_531_200, None),
            ("%Y/%m/%d %a", "2019/7/31 Wed", 1_564_531_200, None),
            ("%A, %d %B %Y", "mercredi, 31 July 2019", 1_564_531_200, None),
            ("%Y年%m月%d日", "2019年7月31日", 1_564_531_200, None),
        ] {
            let read = Format::new(format).map(|format| format.read(text).map(|(_, reading)| reading));
            assert_eq!(read.unwrap(), Some(Reading { seconds, has_fraction: false, offset }), "{format}");
        }
    }

    #[test]
    fn formats_that_make_no_whole_date_are_refused() {
        for format in ["%Y-%m", "%H:%M", "%Q", "", "%A", "%Y-%m-%d %I:%M", "%y-%m-%d %M"] {
            assert!(Format::new(format).is_err(), "{format}");
        }
    }

    #[test]
    fn a_text_that_goes_on_after_its_format_is_not_read() {
        let format = Format::new("%Y/%m/%d").unwrap();
        for text in ["2019/7/31 星期三", "2019/7/31 09:30", "2019/7", ""] {
            assert_eq!(format.read(text), None, "{text}");
        }
        assert_eq!(Format::new("%Y/%m/%d %A").unwrap().read("2019/7/31 星期三 x"), None);
    }
}
