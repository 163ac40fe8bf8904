//! Reads a file's date column into days and remembers how the dates were spelt.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::DataType;

use super::clock::{Clocks, Moment, Reading};
use super::format::Format;
use super::month::Month;
use super::rules::{DateRules, lenient};
use super::seen::{Seen, Way};
use super::spelling::{READS_THEM, order, spellings_of_dates_that};
use super::text;
use crate::key::Date;
use crate::panel::{DateForm, Spelling, ticks_per_day};
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};
use crate::source::convert::shown_value;
use crate::source::options::{BadDates, Epoch};
use crate::source::order::NO_DAY;
use crate::source::types::{is_text, logical};

/// Collects the days of one file's date column, batch by batch.
pub(in crate::source) struct DateReader<'a> {
    name: &'a str,
    raw: &'a DataType,
    rules: &'a DateRules,
    /// One day for each row of the file, [`NO_DAY`] where there is none.
    pub(in crate::source) days: Vec<i32>,
    /// At which second of its day each row is, if that is wanted.
    pub(in crate::source) seconds: Vec<u32>,
    pub(in crate::source) dropped: u64,
    /// Whether a row has a time of day, which is left out.
    pub(in crate::source) has_time: bool,
    /// The times of UTC at which instants lie, as [`Moment::second_of_utc`] has them; no more than three.
    times: Vec<Option<i64>>,
    seen: Seen,
    /// What follows each date in text, while there is a time but midnight.
    tail: String,
    month: Month,
}

impl<'a> DateReader<'a> {
    pub(in crate::source) fn new(name: &'a str, raw: &'a DataType, rules: &'a DateRules) -> DateReader<'a> {
        DateReader {
            name,
            raw,
            rules,
            days: Vec::new(),
            seconds: Vec::new(),
            dropped: 0,
            has_time: false,
            times: Vec::new(),
            seen: Seen::Nothing,
            tail: String::new(),
            month: Month::default(),
        }
    }

    /// Takes the next rows.
    ///
    /// # Errors
    /// A reason to refuse the file, with row and value.
    pub(in crate::source) fn push(&mut self, array: &ArrayRef) -> Result<(), Reason> {
        let rules = self.rules;
        let wall = |ticks: i64, per_second: i64| {
            let (seconds, has_fraction) = (ticks.div_euclid(per_second), ticks.rem_euclid(per_second) != 0);
            rules.clocks.read(Reading { seconds, has_fraction, offset: None })
        };
        match (array.data_type(), rules.epoch) {
            (DataType::Utf8, _) => {
                let texts = array.as_string::<i32>();
                self.push_texts(array, texts.iter())
            }
            (DataType::LargeUtf8, _) => {
                let texts = array.as_string::<i64>();
                self.push_texts(array, texts.iter())
            }
            (DataType::Utf8View, _) => {
                let texts = array.as_string_view();
                self.push_texts(array, texts.iter())
            }
            (DataType::Dictionary(..), _) if self.push_coded(array)? => Ok(()),
            (DataType::Dictionary(_, value), _) => self.push(&lenient(array, value)?),
            // Text by writers that do not say that it is.
            (DataType::Binary | DataType::LargeBinary | DataType::BinaryView, _) => {
                self.push(&lenient(array, &DataType::Utf8)?)
            }
            // Whole numbers, in databases whose integers are decimals.
            (DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale), _) => {
                self.push(&lenient(array, if *scale == 0 { &DataType::Int64 } else { &DataType::Float64 })?)
            }
            (DataType::Null, _) => (0..array.len()).try_for_each(|row| self.push_bad(array, row)),
            (DataType::Date32, _) => {
                let days = lenient(array, &DataType::Int32)?;
                self.push_numbers(array, &days, |day| Some(Moment::midnight(day)))
            }
            (DataType::Date64, _) => self.push_numbers(array, array, |millis| wall(millis, 1_000)),
            (DataType::Timestamp(unit, None), _) => {
                let per_second = ticks_per_day(*unit) / 86_400;
                self.push_numbers(array, array, |ticks| wall(ticks, per_second))
            }
            (DataType::Timestamp(unit, Some(name)), _) => {
                let zone = rules.clocks.zone_of(name).ok_or_else(|| {
                    let what = format!("{:?} is in the time zone {name}, which is unknown", self.name);
                    let effect = "says on whose clocks its instants are dates, such as Asia/Shanghai or +08:00";
                    Reason::new(Kind::UnknownZone, what).or(Remedy::set(Setting::Zone, effect))
                })?;
                let per_second = ticks_per_day(*unit) / 86_400;
                let date = |ticks: i64| {
                    let (seconds, left) = (ticks.div_euclid(per_second), ticks.rem_euclid(per_second));
                    rules.clocks.on(&zone, seconds, left != 0)
                };
                self.push_numbers(array, array, date)
            }
            (count, Some(epoch)) if count.is_integer() => {
                self.push_numbers(array, array, |count| rules.clocks.since_1970(count, epoch))
            }
            // Narrower floats have not the digits of a date, or of a count of today's.
            (DataType::Float64, Some(epoch)) => self.push_floats(array, epoch),
            (integer, None) if integer.is_integer() => self.push_numbers(array, array, digits),
            (DataType::Float64, None) => self.push_whole(array),
            (other, _) => {
                let what = format!("its date column {:?} is {other}, which is no date", self.name);
                Err(Reason::new(Kind::DateType, what).of_column(self.name))
            }
        }
    }

    /// Adds the dates that `moment` makes of the numbers of `array`, which `numbers` has as integers.
    fn push_numbers(
        &mut self,
        array: &ArrayRef,
        numbers: &ArrayRef,
        moment: impl Fn(i64) -> Option<Moment>,
    ) -> Result<(), Reason> {
        let numbers = lenient(numbers, &DataType::Int64)?;
        let numbers = numbers.as_primitive::<Int64Type>();
        self.days.reserve(array.len());
        for row in 0..array.len() {
            let found = numbers.is_valid(row).then(|| moment(numbers.value(row))).flatten();
            let seen = match array.data_type() {
                integer if integer.is_integer() => Seen::Digits,
                _ => Seen::Day,
            };
            self.push_moment(array, row, found.map(|found| (found, seen)))?;
        }
        Ok(())
    }

    /// Adds the dates of doubles that are whole, as pandas makes them of integers beside a null.
    fn push_whole(&mut self, array: &ArrayRef) -> Result<(), Reason> {
        let numbers = lenient(array, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        for row in 0..array.len() {
            let number = if numbers.is_valid(row) { numbers.value(row) } else { f64::NAN };
            // Eight digits are exact in a double, as are those of a time to the second behind them.
            let whole = (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64);
            self.push_moment(array, row, whole.and_then(digits).map(|found| (found, Seen::Digits)))?;
        }
        Ok(())
    }

    fn push_floats(&mut self, array: &ArrayRef, epoch: Epoch) -> Result<(), Reason> {
        let numbers = lenient(array, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        for row in 0..array.len() {
            let count = if numbers.is_valid(row) { numbers.value(row) } else { f64::NAN };
            // What is left of one is a time of day, whatever it counts.
            let whole = (count.abs() < i64::MAX as f64).then(|| count.floor() as i64);
            let found = whole.and_then(|whole| self.rules.clocks.since_1970(whole, epoch));
            let found = found.map(|found| match count.fract() == 0.0 {
                true => found,
                false => {
                    Moment { second: second_of(count, epoch, found), has_time: true, second_of_utc: None, ..found }
                }
            });
            self.push_moment(array, row, found.map(|found| (found, Seen::Instant)))?;
        }
        Ok(())
    }

    /// Adds dates that lie as a dictionary of eight digits each; `false`, and nothing added, where they do not.
    fn push_coded(&mut self, array: &ArrayRef) -> Result<bool, Reason> {
        let Some(coded) = array.as_dictionary_opt::<Int32Type>() else { return Ok(false) };
        if !is_text(array.data_type()) || coded.null_count() > 0 || !self.reads_usual_first() || !self.tail.is_empty() {
            return Ok(false);
        }
        let texts = lenient(coded.values(), &DataType::Utf8)?;
        let eight = |text: Option<&str>| text?.as_bytes().try_into().ok();
        let texts: Vec<Option<[u8; 8]>> = texts.as_string::<i32>().iter().map(eight).collect();
        Ok(self.push_entries(texts.into_iter(), coded.keys().values().iter().map(|&key| key as usize)))
    }

    /// Adds dates that lie as a dictionary of eight digits each; `false`, and nothing added, where others lie there.
    pub(in crate::source) fn push_eight_bytes(&mut self, entries: &[[u8; 8]], rows: &[u32]) -> bool {
        self.tail.is_empty()
            && self.reads_usual_first()
            && self.push_entries(entries.iter().copied().map(Some), rows.iter().map(|&row| row as usize))
    }

    /// As there, given the digits of each entry and the entry of each row.
    fn push_entries(
        &mut self,
        entries: impl Iterator<Item = Option<[u8; 8]>>,
        rows: impl Iterator<Item = usize>,
    ) -> bool {
        let month = &mut self.month;
        let day = |digits: Option<[u8; 8]>| digits.and_then(|digits| month.date(digits)).map_or(NO_DAY, Date::days);
        let days: Vec<i32> = entries.map(day).collect();
        let start = self.days.len();
        self.days.extend(rows.map(|row| days[row]));
        // A dictionary may have values that no row uses.
        if self.days[start..].contains(&NO_DAY) {
            self.days.truncate(start);
            return false;
        }
        if self.rules.rolls {
            self.seconds.resize(self.days.len(), 0);
        }
        if self.days.len() > start {
            self.seen = self.seen.and(Seen::Digits);
        }
        true
    }

    fn push_texts<'t>(&mut self, array: &ArrayRef, texts: impl Iterator<Item = Option<&'t str>>) -> Result<(), Reason> {
        self.days.reserve(array.len());
        for (row, text) in texts.enumerate() {
            // The path of nearly all files.
            let digits = text.and_then(|text| <&[u8; 8]>::try_from(text.as_bytes()).ok());
            if let (Some(digits), true) = (digits, self.tail.is_empty() && self.reads_usual_first())
                && let Some(date) = self.month.date(*digits)
            {
                self.push_day(date, 0, Seen::Digits);
                continue;
            }
            let found = text.and_then(|text| self.read(text));
            self.push_moment(array, row, found)?;
        }
        Ok(())
    }

    /// Whether the usual spellings come before the user's format, which may read digits its own way.
    fn reads_usual_first(&self) -> bool {
        self.rules.format.as_ref().is_none_or(|format| format.usual.is_some())
    }

    fn read(&mut self, text: &str) -> Option<(Moment, Seen)> {
        let format = self.rules.format.as_ref();
        let clocks = &self.rules.clocks;
        let by_format = || format.and_then(|format| custom(format, clocks, text));
        match self.reads_usual_first() {
            true => self.usual(text).or_else(by_format),
            // A format with a blank also reads a text without one, which is then spelt in the usual way.
            false => match by_format() {
                Some((moment, unwritten @ Seen::Unwritten(_))) => {
                    let usual = self.usual(text).filter(|(usual, _)| *usual == moment);
                    usual.or(Some((moment, unwritten)))
                }
                found => found.or_else(|| self.usual(text)),
            },
        }
    }

    fn usual(&mut self, text: &str) -> Option<(Moment, Seen)> {
        let found = text::read(text)?;
        let moment = self.rules.clocks.read(found.reading)?;
        let seen = match found.spelling {
            Some(Spelling::Digits) => Seen::Digits,
            Some(Spelling::Dashes) => Seen::Dashes,
            Some(Spelling::Slashes) => Seen::Slashes,
            _ if text.as_bytes().get(4) == Some(&b'/') => Seen::Unwritten(Way::Slashes),
            _ => Seen::Unwritten(Way::Dashes),
        };
        if moment.is_midnight_as_written && self.tail != found.tail {
            if self.seen != Seen::Nothing {
                return Some((moment, Seen::Mixed));
            }
            self.tail = found.tail.to_owned();
        }
        Some((moment, seen))
    }

    /// Adds the date of a row, spelt as it was `seen`; `None` for one that has none.
    fn push_moment(&mut self, array: &ArrayRef, row: usize, found: Option<(Moment, Seen)>) -> Result<(), Reason> {
        let date = found.and_then(|(moment, _)| i32::try_from(moment.day).ok()).and_then(Date::from_days);
        let Some((date, (moment, seen))) = date.zip(found) else { return self.push_bad(array, row) };
        if moment.has_time && !self.rules.allows_time(self.name) {
            let (row_number, value) = (self.days.len() + 1, shown_value(array, row));
            let what = format!("row {row_number} of {:?}: {value} has a time of day", self.name);
            let reason = Reason::new(Kind::TimeOfDay, what).of_column(self.name);
            let other_column = Remedy::set(Setting::DateColumn(Vec::new()), "names another column of dates");
            if self.may_be_midnights(array) {
                // To leave out the time, or to keep it, would put each row on the date before or after its own.
                let effect = "says on whose clocks that is midnight, such as Asia/Shanghai or +08:00, or is UTC if on \
                              nobody's";
                return Err(reason.or(Remedy::set(Setting::Zone, effect)).or(other_column));
            }
            return Err(reason
                .or(Remedy::set(Setting::DropTime, "leaves it out"))
                .or(Remedy::set(Setting::Key(vec![self.name.to_owned()]), "keeps it in the key"))
                .or(other_column));
        }
        if (moment.has_time || moment.second_of_utc.is_some())
            && self.times.len() < 3
            && !self.times.contains(&moment.second_of_utc)
        {
            self.times.push(moment.second_of_utc);
        }
        self.has_time |= moment.has_time;
        self.push_day(date, moment.second, if moment.is_midnight_as_written { seen } else { Seen::Instant });
        Ok(())
    }

    /// Whether the instants of `array` may be midnights on clocks that nobody has named: all lie at one time of UTC, or at
    /// two an hour apart, as summer time moves them. Clocks are set to quarters of an hour.
    fn may_be_midnights(&self, array: &ArrayRef) -> bool {
        let rules = self.rules.lenient().without_times();
        let mut others = DateReader::new(self.name, self.raw, &rules);
        others.push(array).is_ok() && others.are_maybe_midnights()
    }

    /// Whether the instants so far may be such midnights.
    pub(in crate::source) fn are_maybe_midnights(&self) -> bool {
        let apart = |one: i64, other: i64| (one - other).rem_euclid(86_400);
        match *self.times {
            [Some(time)] => time % 900 == 0,
            [Some(one), Some(other)] => one % 900 == 0 && [apart(one, other), apart(other, one)].contains(&3_600),
            _ => false,
        }
    }

    /// The offset of clocks on which the instants so far are midnight; those of two times no one offset has.
    pub(in crate::source) fn clocks_of_midnights(&self) -> Option<String> {
        let [Some(time)] = *self.times else { return None };
        let (sign, ahead) = if time > 43_200 { ('+', 86_400 - time) } else { ('-', time) };
        self.are_maybe_midnights().then(|| format!("{sign}{:02}:{:02}", ahead / 3_600, ahead / 60 % 60))
    }

    fn push_day(&mut self, date: Date, second: i64, seen: Seen) {
        self.days.push(date.days());
        if self.rules.rolls {
            self.seconds.push(second as u32);
        }
        self.seen = self.seen.and(seen);
    }

    fn push_bad(&mut self, array: &ArrayRef, row: usize) -> Result<(), Reason> {
        if self.rules.bad == BadDates::Drop {
            self.dropped += 1;
            self.days.push(NO_DAY);
            if self.rules.rolls {
                self.seconds.push(0);
            }
            return Ok(());
        }
        let is_null = array.logical_nulls().is_some_and(|nulls| nulls.is_null(row));
        let hint = match (array.data_type(), self.rules.epoch) {
            _ if is_null => "a row needs one",
            (text, _) if is_text(text) => "YYYYMMDD, YYYY-MM-DD and YYYY/MM/DD are read",
            (integer, None) if integer.is_integer() => "integers are read as YYYYMMDD",
            (double, None) if double.is_floating() => "whole numbers are read as YYYYMMDD",
            _ => "the years 0000 to 9999 are read",
        };
        let has_dates = self.has_dates(array);
        let others = if has_dates { "" } else { ", nor has another row one" };
        let (row_number, value) = (self.days.len() + 1, shown_value(array, row));
        let text = || Some(cast(&array.slice(row, 1), &DataType::Utf8).ok()?.as_string::<i32>().value(0).to_owned());
        let format = self.rules.format.as_ref().filter(|_| is_text(array.data_type()));
        let weekday = format.and_then(|format| format.of_other_weekday(&text()?));
        let why = match weekday {
            Some(date) => format!(", as {} is a {}", date.format("%Y-%m-%d"), date.format("%A")),
            None => format!("{others}; {hint}"),
        };
        let what = format!("row {row_number} of {:?}: {value} is no date{why}", self.name);
        let drops = Remedy::set(Setting::BadDates(BadDates::Drop.to_string()), "leaves such rows out");
        let spellings = self.spellings(array);
        let effect = |text: &str| if spellings.len() == 1 { READS_THEM } else { order(text) };
        let spelt: Vec<Remedy> =
            spellings.iter().map(|text| Remedy::set(Setting::DateFormat((*text).to_owned()), effect(text))).collect();
        let counts = self
            .rules
            .count(array)
            .map(|epoch| Remedy::set(Setting::Epoch(epoch.to_string()), "reads them as counts since 1970"));
        let reason = spelt.into_iter().fold(Reason::new(Kind::BadDate, what), Reason::or);
        // A text beside dates is none in any spelling, and one format is all that a folder has.
        let may_be_spelt = !has_dates && !is_null && spellings.is_empty() && self.rules.format.is_none();
        let format = (may_be_spelt && is_text(array.data_type())).then(|| {
            let effect = "reads other spellings, such as %d %B %Y or %d.%m.%Y %H:%M %z";
            Remedy::set(Setting::DateFormat(String::new()), effect)
        });
        let is_count = counts.is_none() && !has_dates && array.data_type().is_numeric();
        let anew = is_count.then(|| Remedy::Do("write its dates as dates, or as numbers such as 20240102".to_owned()));
        Err(reason.or(format).or(counts).or(has_dates.then_some(drops)).or(anew))
    }

    /// The formats that read every date of `array` beside the usual spellings: two, where days and months may be swapped.
    fn spellings(&self, array: &ArrayRef) -> Vec<&'static str> {
        let reads = |text: &str| {
            let rules = self.rules.lenient().with_format(text);
            let mut others = DateReader::new(self.name, self.raw, &rules);
            others.push(array).is_ok() && others.dropped == 0
        };
        if is_text(array.data_type()) { spellings_of_dates_that(reads) } else { Vec::new() }
    }

    /// Whether a row so far, or another one of `array`, has a date. Without one, leaving out those that have none would
    /// leave no row.
    fn has_dates(&self, array: &ArrayRef) -> bool {
        let rules = self.rules.lenient();
        let mut others = DateReader::new(self.name, self.raw, &rules);
        !self.days.is_empty() || (others.push(array).is_ok() && others.days.iter().any(|&day| day != NO_DAY))
    }

    /// The one form of all dates seen, which gives them back; `None` if there is none or no such one.
    pub(in crate::source) fn form(&self) -> Option<DateForm> {
        let spelling = match (self.seen, self.tail.as_str()) {
            (Seen::Nothing | Seen::Mixed | Seen::Unwritten(_), _) => return None,
            (Seen::Instant, _) => return Some(DateForm::COMMON),
            (Seen::Day, _) => Spelling::Day,
            (Seen::Custom, _) => Spelling::Custom(self.rules.format.as_ref()?.text.clone()),
            (Seen::Digits, "") => Spelling::Digits,
            (Seen::Dashes, "") => Spelling::Dashes,
            (Seen::Slashes, "") => Spelling::Slashes,
            (Seen::Digits, tail) => Spelling::Custom(format!("%Y%m%d{tail}")),
            (Seen::Dashes, tail) => Spelling::Custom(format!("%Y-%m-%d{tail}")),
            (Seen::Slashes, tail) => Spelling::Custom(format!("%Y/%m/%d{tail}")),
        };
        // No output has dates in doubles, in decimals or in bytes.
        let data_type = match self.raw {
            number if number.is_floating() || number.is_decimal() => DataType::Int64,
            bytes if bytes.is_binary() => DataType::Utf8,
            other => logical(other)?,
        };
        Some(DateForm { data_type, spelling })
    }

    /// Whether all dates seen say no more than a day, so that [`form`](Self::form) gives them back.
    pub(in crate::source) fn is_plain(&self) -> bool {
        !self.has_time && !matches!(self.seen, Seen::Instant | Seen::Mixed | Seen::Unwritten(_))
    }

    /// Whether the column is of a kind that says a time of day with each date.
    pub(in crate::source) fn tells_times(&self) -> bool {
        let is_of_instants = matches!(self.raw, DataType::Timestamp(..) | DataType::Date64);
        is_of_instants || self.rules.epoch.is_some() || self.seen == Seen::Instant || !self.tail.is_empty()
    }

    /// How the dates seen are spelt, where no form gives them back.
    pub(in crate::source) fn other_form(&self) -> Option<String> {
        let way = match self.seen {
            Seen::Mixed => return Some("several ways at once".to_owned()),
            Seen::Unwritten(Way::Dashes) => "YYYY-M-D",
            Seen::Unwritten(Way::Slashes) => "YYYY/M/D",
            Seen::Unwritten(Way::Custom) => self.rules.format.as_ref()?.text.as_str(),
            _ => return None,
        };
        Some(format!("{} {way}", logical(self.raw)?))
    }
}

/// Whether dates can be cast to this type: to any text, to integers with room for eight digits, to days.
pub(in crate::source) fn can_be_date(data_type: &DataType) -> bool {
    use DataType::{Date32, Date64, Int32, Int64, Timestamp, UInt32, UInt64};
    is_text(data_type) || matches!(data_type, Int32 | Int64 | UInt32 | UInt64 | Date32 | Date64 | Timestamp(_, None))
}

/// The second of the day at which `count`, whose whole part `found` is, lies.
fn second_of(count: f64, epoch: Epoch, found: Moment) -> i64 {
    match epoch {
        Epoch::Days => ((count - count.floor()) * 86_400.0) as i64,
        _ => found.second,
    }
}

fn custom(format: &Format, clocks: &Clocks, text: &str) -> Option<(Moment, Seen)> {
    let (date, reading) = format.read(text)?;
    // `2 Jan 2024` reads as `%d %b %Y`, but would be written `02 Jan 2024`.
    let same = format.usual.is_none() && format.write(date).as_deref() == Some(text);
    Some((clocks.read(reading)?, if same { Seen::Custom } else { Seen::Unwritten(Way::Custom) }))
}

/// The date of an integer such as 20240102, and of one with a time of day behind it.
fn digits(number: i64) -> Option<Moment> {
    // Fewer digits mean something else, such as YYMMDD; they would be days of the first centuries.
    if let Some(date) = Date::from_yyyymmdd(number).filter(|_| number >= 10_000_101) {
        return Some(Moment::midnight(date.days().into()));
    }
    let text = number.to_string();
    let found = text::read(&text).filter(|_| number > 0)?;
    let second = found.reading.seconds.rem_euclid(86_400);
    let has_time = found.reading.has_fraction || second != 0;
    Some(Moment {
        day: found.date.days().into(),
        second,
        has_time,
        is_midnight_as_written: false,
        ..Moment::midnight(0)
    })
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
