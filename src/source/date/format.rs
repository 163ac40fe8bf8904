//! A `--date-format`: a strftime format that reads a date, and perhaps a time of day and an offset.

use std::fmt::Write;

use chrono::format::{Fixed, Item, Numeric, Parsed, StrftimeItems, parse_and_remainder};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Weekday};

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
        if !self.is_written_out(text, &parsed, day.and_time(time)) {
            return None;
        }
        let date = Date::from_ymd(day.year(), day.month(), day.day())?;
        // A count of seconds is an instant whatever else is there.
        let offset = offset.or(parsed.timestamp().map(|_| 0));
        Some((date, Reading { seconds: seconds_of(day, time), has_fraction: time.nanosecond() != 0, offset }))
    }

    /// Whether `text` has all digits of its year, and of numbers without anything between them. What reads them does
    /// not ask: 24 would be the year 24, and 5012024, the 5th of January without its zero, a day in the year 5012.
    fn is_written_out(&self, text: &str, parsed: &Parsed, shown: NaiveDateTime) -> bool {
        let is_whole = |year: i32| !(0..1000).contains(&year) || text.contains(&format!("{year:04}"));
        let is_number = |item: &Item| matches!(item, Item::Numeric(..));
        let is_packed = self.items.windows(2).any(|pair| pair.iter().all(is_number));
        let is_year_whole = [parsed.year(), parsed.isoyear()].into_iter().flatten().all(is_whole);
        is_year_whole && (!is_packed || self.has_all_digits(text, shown))
    }

    /// Whether `text` has as many digits as what `shown` is written with; where that is known, which is not so of
    /// fractions and offsets.
    fn has_all_digits(&self, text: &str, shown: NaiveDateTime) -> bool {
        let is_open = |item: &Item| match item {
            Item::Numeric(numeric, _) => *numeric == Numeric::Nanosecond,
            Item::Fixed(fixed) => !matches!(
                fixed,
                Fixed::ShortMonthName | Fixed::LongMonthName | Fixed::ShortWeekdayName | Fixed::LongWeekdayName
            ),
            _ => false,
        };
        let mut written = String::new();
        let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
        self.items.iter().any(is_open)
            || write!(written, "{}", shown.format_with_items(self.items.iter())).is_err()
            || digits(&written) == digits(text)
    }

    /// What the parts of `text` say. The name of a weekday may be of any language; an English one must be the date's.
    fn parse(&self, text: &str) -> Option<Parsed> {
        let (mut parsed, weekday) = self.parts(text)?;
        weekday.into_iter().try_for_each(|weekday| parsed.set_weekday(weekday).map(drop)).ok()?;
        Some(parsed)
    }

    /// The date that `text` names, if its English weekday is another's.
    pub(super) fn of_other_weekday(&self, text: &str) -> Option<NaiveDate> {
        let (parsed, weekday) = self.parts(text)?;
        let date = parsed.to_naive_date().ok()?;
        (weekday? != date.weekday()).then_some(date)
    }

    /// What the parts of `text` say, the English name of a weekday apart.
    fn parts(&self, text: &str) -> Option<(Parsed, Option<Weekday>)> {
        let (mut parsed, mut weekday) = (Parsed::new(), None);
        let mut rest = text;
        for (n, items) in self.items.split(is_weekday).enumerate() {
            if n > 0 {
                let after = rest.trim_start_matches(char::is_alphabetic);
                weekday = rest[..rest.len() - after.len()].parse().ok().or(weekday);
                rest = after;
            }
            rest = parse_and_remainder(&mut parsed, rest, items.iter()).ok()?;
        }
        rest.is_empty().then_some((parsed, weekday))
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
            ("%d-%b-%y", "02-Jan-24", 1_704_153_600, None),
            ("%d-%b-%Y", "01-Jan-0001", -62_135_596_800, None),
            ("%Y%m%d %H%M%S%.f", "20240102 000000.0", 1_704_153_600, None),
            ("%Y%m%d%H%M%z", "202401020000+0800", 1_704_153_600, Some(28_800)),
        ] {
            let read = Format::new(format).map(|format| format.read(text).map(|(_, reading)| reading));
            assert_eq!(read.unwrap(), Some(Reading { seconds, has_fraction: false, offset }), "{format}");
        }
    }

    #[test]
    fn a_year_of_two_digits_and_numbers_that_lost_a_zero_are_not_read_as_others() {
        for (format, text) in [
            ("%d-%b-%Y", "02-Jan-24"),
            ("%d.%m.%Y", "02.01.24"),
            ("%Y.%m.%d", "02.01.24"),
            ("%Y/%m/%d %A", "24/01/02 Tue"),
            ("%Y年%m月%d日", "24年1月2日"),
            ("%Y%m%d ", "5012024"),
            ("%Y%m%d %A", "5012024 Fri"),
            ("%d%m%Y", "5012024"),
            ("%Y%m%d%H%M%S", "2024010211530"),
            ("%y%m%d", "24105"),
            ("%G-W%V-%u", "24-W01-2"),
        ] {
            assert_eq!(Format::new(format).unwrap().read(text), None, "{format} {text}");
        }
    }

    #[test]
    fn an_english_weekday_must_be_that_of_the_date() {
        for (format, text, is_read) in [
            ("%a %d %b %Y", "Tue 02 Jan 2024", true),
            ("%a %d %b %Y", "Mon 02 Jan 2024", false),
            ("%A, %d %B %Y", "tuesday, 02 January 2024", true),
            ("%A, %d %B %Y", "Wednesday, 02 January 2024", false),
            ("%Y-%m-%d %a %H:%M", "2024-01-02 TUE 23:59", true),
            ("%Y-%m-%d %a %H:%M", "2024-01-02 WED 23:59", false),
            ("%Y-%m-%d %a", "2024-01-02 mer", true),
            ("%Y-%m-%d %A", "2024-01-02 星期三", true),
            ("%Y-%m-%d %A", "2024-01-02 ", true),
        ] {
            assert_eq!(Format::new(format).unwrap().read(text).is_some(), is_read, "{format} {text}");
        }
    }

    #[test]
    fn a_date_of_another_weekday_is_told_as_what_it_is() {
        let format = Format::new("%a %d %b %Y").unwrap();
        for (text, date) in [
            ("Mon 02 Jan 2024", Some("2024-01-02")),
            ("Tue 02 Jan 2024", None),
            ("mer 02 Jan 2024", None),
            ("Mon 32 Jan 2024", None),
            ("Mon 02 Jan 2024 x", None),
        ] {
            assert_eq!(format.of_other_weekday(text).map(|date| date.to_string()).as_deref(), date, "{text}");
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
