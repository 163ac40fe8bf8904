//! Reads a file's date column into days and remembers how the dates were spelt.

use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::timezone::Tz;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::DataType;
use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{Datelike, NaiveDate, TimeZone};

use super::convert::shown_value;
use super::options::BadDates;
use super::order::NO_DAY;
use super::types::{is_text, logical};
use crate::error::{Error, Result};
use crate::key::{Date, days_in_month};
use crate::panel::{DateForm, Spelling, midnight, parse_zone, ticks_per_day};
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};

/// Formats that are tried where dates in text are of no spelling that is read without one.
const OTHER_SPELLINGS: [&str; 12] = [
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%b %d %Y",
    "%d.%m.%Y",
    "%Y.%m.%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y-%m-%d 00:00:00",
    "%Y-%m-%dT00:00:00",
];

/// `ticks` in units of `unit`, if that comes out even.
fn whole(ticks: i64, unit: i64) -> Option<i64> {
    (ticks.rem_euclid(unit) == 0).then(|| ticks.div_euclid(unit))
}

/// The day, since 1970, whose midnight on the clocks of `zone` is `seconds`; `None` when no day's is.
fn day_in_zone(seconds: i64, zone: &Tz) -> Option<i64> {
    let local = zone.timestamp_opt(seconds, 0).single()?.date_naive();
    let date = Date::from_ymd(local.year(), local.month(), local.day())?;
    (midnight(zone, date)? == seconds).then(|| i64::from(date.days()))
}

/// A checked `--date-format`.
#[derive(Debug, Clone)]
pub(super) struct Format {
    text: String,
    items: Vec<Item<'static>>,
    /// The spelling it stands for, if it is one that is read without it.
    usual: Option<Spelling>,
}

impl Format {
    /// Checks a strftime format.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is no format or one that does not make a whole date.
    pub(super) fn new(text: &str) -> Result<Format> {
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
        // Writing a date as the output will need it fails where the format asks for a time of day.
        let sample = NaiveDate::from_ymd_opt(2024, 12, 31).and_then(|day| format.write(day));
        match sample.as_deref().and_then(|sample| format.read(sample)) {
            Some(_) => Ok(format),
            None => Err(invalid(
                "does not make a whole date",
                "it needs day, month and year and no time of day (write a constant one as it stands: '%Y-%m-%d \
                 00:00:00')",
            )),
        }
    }

    fn write(&self, day: NaiveDate) -> Option<String> {
        let mut out = String::new();
        write!(out, "{}", day.format_with_items(self.items.iter())).ok()?;
        Some(out)
    }

    fn read(&self, text: &str) -> Option<NaiveDate> {
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).ok()?;
        parsed.to_naive_date().ok()
    }
}

/// How the dates of one file are spelt, as far as they have been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    Day,
    Digits,
    Dashes,
    Slashes,
    Custom,
    /// Several ways, or one that writing would not give back.
    Mixed,
}

/// Collects the days of one file's date column, batch by batch.
pub(super) struct DateReader<'a> {
    name: &'a str,
    raw: &'a DataType,
    format: Option<&'a Format>,
    bad: BadDates,
    /// One day for each row of the file, [`NO_DAY`] where there is none.
    pub(super) days: Vec<i32>,
    pub(super) dropped: u64,
    seen: Seen,
    month: Month,
}

impl<'a> DateReader<'a> {
    pub(super) fn new(name: &'a str, raw: &'a DataType, format: Option<&'a Format>, bad: BadDates) -> DateReader<'a> {
        DateReader {
            name,
            raw,
            format,
            bad,
            days: Vec::new(),
            dropped: 0,
            seen: Seen::Nothing,
            month: Month::default(),
        }
    }

    /// Takes the next rows.
    ///
    /// # Errors
    /// A reason to refuse the file, with row and value.
    pub(super) fn push(&mut self, array: &ArrayRef) -> Result<(), Reason> {
        match array.data_type() {
            DataType::Utf8 => {
                let texts = array.as_string::<i32>();
                self.push_texts(array, texts.iter())
            }
            DataType::LargeUtf8 => {
                let texts = array.as_string::<i64>();
                self.push_texts(array, texts.iter())
            }
            DataType::Utf8View => {
                let texts = array.as_string_view();
                self.push_texts(array, texts.iter())
            }
            DataType::Dictionary(_, value) => self.push(&lenient(array, value)?),
            DataType::Null => (0..array.len()).try_for_each(|row| self.push_bad(array, row)),
            DataType::Date32 => self.push_ticks(array, Some),
            DataType::Date64 => self.push_ticks(array, |ticks| whole(ticks, 86_400_000)),
            DataType::Timestamp(unit, None) => self.push_ticks(array, |ticks| whole(ticks, ticks_per_day(*unit))),
            DataType::Timestamp(unit, Some(name)) => {
                let zone = parse_zone(name).ok_or_else(|| {
                    let what = format!("{:?} is in the time zone {name}, which is unknown", self.name);
                    let rewrite = "write the file anew in a zone such as Asia/Shanghai or +08:00";
                    Reason::new(Kind::UnknownZone, what).or(Remedy::Do(rewrite.to_owned()))
                })?;
                let per_second = ticks_per_day(*unit) / 86_400;
                self.push_ticks(array, |ticks| day_in_zone(whole(ticks, per_second)?, &zone))
            }
            integer if integer.is_integer() => {
                let numbers = lenient(array, &DataType::Int64)?;
                let numbers = numbers.as_primitive::<Int64Type>();
                for row in 0..array.len() {
                    // Fewer digits mean something else, such as YYMMDD; they would be days of the first centuries.
                    let number =
                        numbers.is_valid(row).then(|| numbers.value(row)).filter(|number| *number >= 10_000_101);
                    match number.and_then(Date::from_yyyymmdd) {
                        Some(date) => self.push_day(date.days(), Seen::Digits),
                        None => self.push_bad(array, row)?,
                    }
                }
                Ok(())
            }
            other => {
                let what = format!("its date column {:?} is {other}, which is no date", self.name);
                Err(Reason::new(Kind::DateType, what).of_column(self.name))
            }
        }
    }

    /// Adds numbers of which `day` makes days since 1970, or `None` of one that is not midnight.
    fn push_ticks(&mut self, array: &ArrayRef, day: impl Fn(i64) -> Option<i64>) -> Result<(), Reason> {
        let ticks = if *array.data_type() == DataType::Date32 {
            lenient(&lenient(array, &DataType::Int32)?, &DataType::Int64)?
        } else {
            lenient(array, &DataType::Int64)?
        };
        let ticks = ticks.as_primitive::<Int64Type>();
        for row in 0..array.len() {
            let found = if ticks.is_valid(row) { Some(day(ticks.value(row))) } else { None };
            match found {
                Some(None) => {
                    let what = format!(
                        "row {} of {:?}: {} has a time of day, and intraday panels are not supported yet",
                        self.days.len() + 1,
                        self.name,
                        shown_value(array, row)
                    );
                    return Err(Reason::new(Kind::TimeOfDay, what));
                }
                Some(Some(days)) => match i32::try_from(days).ok().and_then(Date::from_days) {
                    Some(date) => self.push_day(date.days(), Seen::Day),
                    None => self.push_bad(array, row)?,
                },
                None => self.push_bad(array, row)?,
            }
        }
        Ok(())
    }

    fn push_texts<'t>(&mut self, array: &ArrayRef, texts: impl Iterator<Item = Option<&'t str>>) -> Result<(), Reason> {
        self.days.reserve(array.len());
        for (row, text) in texts.enumerate() {
            match text.and_then(|text| self.read(text)) {
                Some((date, seen)) => self.push_day(date.days(), seen),
                None => self.push_bad(array, row)?,
            }
        }
        Ok(())
    }

    /// A date in text and its spelling. A format that the user gave comes first, as it may read digits its own way.
    fn read(&mut self, text: &str) -> Option<(Date, Seen)> {
        match self.format {
            None => self.usual(text),
            Some(format) if format.usual.is_some() => self.usual(text).or_else(|| custom(format, text)),
            Some(format) => custom(format, text).or_else(|| self.usual(text)),
        }
    }

    fn usual(&mut self, text: &str) -> Option<(Date, Seen)> {
        let bytes = text.as_bytes();
        if let Ok(digits) = <&[u8; 8]>::try_from(bytes) {
            // The path of nearly all files.
            return self.month.date(*digits).map(|date| (date, Seen::Digits));
        }
        let seen = match bytes.get(4)? {
            b'-' => Seen::Dashes,
            b'/' => Seen::Slashes,
            _ => return None,
        };
        text.parse().ok().map(|date| (date, seen))
    }

    fn push_day(&mut self, day: i32, seen: Seen) {
        self.days.push(day);
        if self.seen != seen {
            self.seen = if self.seen == Seen::Nothing { seen } else { Seen::Mixed };
        }
    }

    fn push_bad(&mut self, array: &ArrayRef, row: usize) -> Result<(), Reason> {
        if self.bad == BadDates::Drop {
            self.dropped += 1;
            self.days.push(NO_DAY);
            return Ok(());
        }
        let is_null = array.logical_nulls().is_some_and(|nulls| nulls.is_null(row));
        let hint = match array.data_type() {
            _ if is_null => "a row needs one",
            text if is_text(text) => "YYYYMMDD, YYYY-MM-DD and YYYY/MM/DD are read, other spellings by a date format",
            integer if integer.is_integer() => "integers are read as YYYYMMDD",
            _ => "the years 0000 to 9999 are read",
        };
        let has_dates = self.has_dates(array);
        let others = if has_dates { "" } else { ", nor has another row one" };
        let (row_number, value) = (self.days.len() + 1, shown_value(array, row));
        let what = format!("row {row_number} of {:?}: {value} is no date{others}; {hint}", self.name);
        let drops = Remedy::set(Setting::BadDates(BadDates::Drop.to_string()), "leaves such rows out");
        let spelt = self.spelling(array).map(|format| Remedy::set(Setting::DateFormat(format), "reads them"));
        Err(Reason::new(Kind::BadDate, what).or(spelt).or(has_dates.then_some(drops)))
    }

    /// The one usual format that reads every date of `array` beside the usual spellings; `None` if there are two, since
    /// days and months may be swapped.
    fn spelling(&self, array: &ArrayRef) -> Option<String> {
        let reads = |text: &&&str| {
            let format = Format::new(text).ok();
            let mut others = DateReader::new(self.name, self.raw, format.as_ref(), BadDates::Drop);
            others.push(array).is_ok() && others.dropped == 0
        };
        let mut found = OTHER_SPELLINGS.iter().filter(reads);
        let one = is_text(array.data_type()).then(|| found.next()).flatten();
        one.filter(|_| found.next().is_none()).map(|text| (*text).to_owned())
    }

    /// Whether a row so far, or another one of `array`, has a date. Without one, leaving out those that have none would
    /// leave no row.
    fn has_dates(&self, array: &ArrayRef) -> bool {
        let mut others = DateReader::new(self.name, self.raw, self.format, BadDates::Drop);
        !self.days.is_empty() || (others.push(array).is_ok() && others.days.iter().any(|&day| day != NO_DAY))
    }

    /// The one form of all dates seen; `None` if there are several or none.
    pub(super) fn form(&self) -> Option<DateForm> {
        let spelling = match self.seen {
            Seen::Nothing | Seen::Mixed => return None,
            Seen::Day => Spelling::Day,
            Seen::Digits => Spelling::Digits,
            Seen::Dashes => Spelling::Dashes,
            Seen::Slashes => Spelling::Slashes,
            Seen::Custom => Spelling::Custom(self.format?.text.clone()),
        };
        Some(DateForm { data_type: logical(self.raw)?, spelling })
    }

    /// Whether the dates seen are spelt in several ways.
    pub(super) fn is_mixed(&self) -> bool {
        self.seen == Seen::Mixed
    }
}

/// Whether dates can be cast to this type: to any text, to integers with room for eight digits, to days.
pub(super) fn can_be_date(data_type: &DataType) -> bool {
    use DataType::{Date32, Date64, Int32, Int64, Timestamp, UInt32, UInt64};
    is_text(data_type) || matches!(data_type, Int32 | Int64 | UInt32 | UInt64 | Date32 | Date64 | Timestamp(_, None))
}

/// `array` as `to`, with nulls for what it cannot hold.
fn lenient(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, Reason> {
    cast_with_options(array, to, &CastOptions { safe: true, ..CastOptions::default() }).map_err(Reason::undecodable)
}

/// The month of the text read last. A series has some twenty dates of a month one after the other, in which but two
/// digits differ; reading each as if nothing were known took a tenth of all decoding.
#[derive(Default)]
struct Month {
    /// Its six digits.
    digits: [u8; 6],
    /// The day before its first, since 1970.
    before: i32,
    day_count: u8,
}

impl Month {
    /// The date that eight digits spell.
    fn date(&mut self, text: [u8; 8]) -> Option<Date> {
        let [a, b, c, d, e, f, tens, ones] = text;
        let digits = [a, b, c, d, e, f];
        if digits != self.digits {
            let first: Date = std::str::from_utf8(&[a, b, c, d, e, f, b'0', b'1']).ok()?.parse().ok()?;
            let (year, month, _) = first.ymd();
            *self = Month { digits, before: first.days() - 1, day_count: days_in_month(year, month) as u8 };
        }
        let digit = |byte: u8| byte.is_ascii_digit().then(|| byte - b'0');
        let day = digit(tens)? * 10 + digit(ones)?;
        if day == 0 || day > self.day_count { None } else { Date::from_days(self.before + i32::from(day)) }
    }
}

fn custom(format: &Format, text: &str) -> Option<(Date, Seen)> {
    let day = format.read(text)?;
    let date = Date::from_ymd(day.year(), day.month(), day.day())?;
    // `2 Jan 2024` reads as `%d %b %Y`, but would be written `02 Jan 2024`.
    let same = format.usual.is_none() && format.write(day).as_deref() == Some(text);
    Some((date, if same { Seen::Custom } else { Seen::Mixed }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Eight bytes that are mostly digits, and often those of a date near others.
    fn eight() -> impl Strategy<Value = [u8; 8]> {
        let near = (2023..2025_u32, 0..14_u32, 0..33_u32)
            .prop_map(|(year, month, day)| format!("{year:04}{month:02}{day:02}").as_bytes().try_into().unwrap());
        (near, prop::option::weighted(0.2, (0..8_usize, any::<u8>()))).prop_map(|(mut text, flaw): ([u8; 8], _)| {
            if let Some((at, byte)) = flaw {
                text[at] = byte;
            }
            text
        })
    }

    proptest! {
        #[test]
        fn a_date_does_not_depend_on_the_dates_before_it(texts in prop::collection::vec(eight(), 1..50)) {
            let mut month = Month::default();
            for text in texts {
                let alone = std::str::from_utf8(&text).ok().and_then(|text| text.parse::<Date>().ok());
                prop_assert_eq!(month.date(text), alone, "{:?}", text);
            }
        }
    }
}
