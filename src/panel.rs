//! What a panel looks like: its columns in their logical types, and how its dates are spelt.
//!
//! The logical type is the one the input has and the output restores. How a column is stored is the store's affair.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::timezone::Tz;
use arrow_array::types::{Date64Type, Int32Type, Int64Type, Time32SecondType, TimestampSecondType};
use arrow_array::{
    Array, ArrayRef, Date32Array, DictionaryArray, Int32Array, Int64Array, StringArray, UInt32Array, new_null_array,
};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_cast::{CastOptions, cast, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_select::take::take;
use chrono::{DateTime, NaiveDate, TimeZone};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, Wanted};
use crate::hint::{instead, slip};
use crate::key::Date;
use crate::remedy::{Operation, Remedy, Setting};

/// One column of a panel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, as in the input.
    pub name: String,
    /// Its logical type.
    #[serde(with = "type_text")]
    pub data_type: DataType,
}

/// A type as the text that Arrow has for it, and behind an `@` the name of its time zone, which may be any.
pub(crate) mod type_text {
    use arrow_schema::DataType;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(data_type: &DataType, serializer: S) -> Result<S::Ok, S::Error> {
        match data_type {
            DataType::Timestamp(unit, Some(zone)) => {
                serializer.collect_str(&format_args!("{}@{zone}", DataType::Timestamp(*unit, None)))
            }
            other => serializer.collect_str(other),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DataType, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (plain, zone) = text.split_once('@').map_or((&*text, None), |(plain, zone)| (plain, Some(zone)));
        match (plain.parse().map_err(D::Error::custom)?, zone) {
            (DataType::Timestamp(unit, _), Some(zone)) => Ok(DataType::Timestamp(unit, Some(zone.into()))),
            (other, None) => Ok(other),
            (other, Some(_)) => Err(D::Error::custom(format_args!("{other} has no time zone"))),
        }
    }
}

/// A panel's columns: code, date, then the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelSchema {
    /// The stock's code; always a text type.
    pub code: Column,
    /// Name of the date column.
    pub date_name: String,
    /// Type and spelling of the dates.
    pub date_form: DateForm,
    /// The other columns, in panel order.
    pub columns: Vec<Column>,
    /// The further columns of a row's key beside date and code: their places among `columns`, the most significant first.
    pub key: Vec<usize>,
}

impl PanelSchema {
    /// The Arrow schema of a section in logical types: code, date, then the columns. Every field is nullable, as
    /// pandas and pyarrow write them.
    pub fn arrow(&self) -> SchemaRef {
        let field = |column: &Column| Field::new(&column.name, column.data_type.clone(), true);
        let mut fields = vec![field(&self.code), Field::new(&self.date_name, self.date_form.data_type.clone(), true)];
        fields.extend(self.columns.iter().map(field));
        Arc::new(Schema::new(fields))
    }

    /// The names of the further key columns, the most significant first.
    pub fn key_names(&self) -> impl Iterator<Item = &str> {
        self.key.iter().map(|&index| self.columns[index].name.as_str())
    }

    /// Where the column `name` stands among [`columns`](PanelSchema::columns).
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Where each column stands, for who looks for all of them.
    pub(crate) fn places(&self) -> HashMap<&str, usize> {
        self.columns.iter().enumerate().map(|(index, column)| (column.name.as_str(), index)).collect()
    }

    /// As [`index_of`](PanelSchema::index_of), for a name that somebody asks for.
    ///
    /// # Errors
    /// [`Error::NotFound`], naming those that it may be a slip of.
    pub fn find(&self, name: &str) -> Result<usize> {
        self.index_of(name).ok_or_else(|| {
            let hint = instead(name, &self.names(), "columns", Some(Operation::Info));
            Error::not_found(Wanted::Column, format!("column {name:?}"), hint)
        })
    }

    fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// Where each of these columns stands, for names that somebody asks for.
    ///
    /// # Errors
    /// [`Error::NotFound`], naming all that there are none of, each with those that it may be a slip of.
    pub(crate) fn find_all<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Result<Vec<usize>> {
        let known = self.places();
        let (mut places, mut unknown, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for name in names {
            match known.get(name) {
                Some(&place) => places.push(place),
                None if seen.insert(name) => unknown.push(name),
                None => {}
            }
        }
        match unknown[..] {
            [] => Ok(places),
            [only] => self.find(only).map(|place| vec![place]),
            ref several => {
                let names = self.names();
                let hint = instead("", &names, "columns", Some(Operation::Info));
                let spell = |name: &&str| slip(name, names.iter().copied());
                Err(Error::none_of(Wanted::Column, ("columns", several), "", spell, hint))
            }
        }
    }
}

/// What a column takes of the memory of a run that reads files, whatever its rows: its names and types in the survey,
/// the store that is made and the segments that are written. Measured with 160,000 columns of 20 files.
const COLUMN_LEN: u64 = 2 << 10;
/// How often such a run has its name.
const NAMES: u64 = 12;

/// Refuses columns that take more than half of the memory of a run that reads files.
///
/// # Errors
/// [`Error::Refused`] where they do.
pub(crate) fn check_columns(columns: &[Column], memory: u64) -> Result<()> {
    let len = columns.iter().map(|column| column_len(&column.name)).sum();
    check_columns_len(columns.len() + 2, len, (memory, Share::Half))
}

/// What the column `name` takes of the memory of a run that reads files.
pub(crate) fn column_len(name: &str) -> u64 {
    COLUMN_LEN + NAMES * name.len() as u64
}

/// What of the memory columns may take.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Share {
    /// Half, of a run that reads files: the other half is for their rows.
    Half,
    /// All, of a run that reads or writes the files of an output.
    All,
}

/// Refuses so many columns, code and date among them, that take `len` bytes, where that is more than their share of the
/// memory.
///
/// # Errors
/// [`Error::Refused`] where it is.
pub(crate) fn check_columns_len(count: usize, len: u64, (memory, share): (u64, Share)) -> Result<()> {
    let (needed, more_than, fewer) = match share {
        Share::Half => {
            let some = Remedy::set(Setting::Columns(Vec::new()), "chooses some");
            (len.saturating_mul(2), "more than half of the memory, which is", some)
        }
        Share::All => (len, "more than the memory, which is", Remedy::Do("transpose fewer of them".to_owned())),
    };
    if needed <= memory {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let what = format!(
        "{count} columns take {} MiB of the memory whatever their rows, {more_than} {} MiB",
        mib(len),
        mib(memory)
    );
    let more = Remedy::set(Setting::Memory(mib(needed) << 20), "allows it");
    Err(Error::refused_unless(what, [more, fewer]))
}

/// What [`can_be_key`] takes, in words.
pub(crate) const KEY_TYPES: &str = "integers, decimals, dates, times, booleans or text";

/// Whether a column of this type can be part of the key: its values have one order, and each equals itself.
pub fn can_be_key(data_type: &DataType) -> bool {
    let is_text = |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    match data_type {
        DataType::Boolean
        | DataType::Decimal128(..)
        | DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(..) => true,
        DataType::Dictionary(_, values) => is_text(values),
        other => other.is_integer() || is_text(other),
    }
}

/// How a text or integer spells a day.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spelling {
    /// The type itself means a day: date32, date64 or a timestamp at midnight.
    Day,
    /// `20240102`, as text or integer.
    Digits,
    /// `2024-01-02`.
    Dashes,
    /// `2024/01/02`.
    Slashes,
    /// A strftime format, such as `%d-%b-%Y`.
    Custom(String),
}

/// Type and spelling of a date column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DateForm {
    /// date32, date64, a timestamp, an integer type or a text type.
    #[serde(with = "type_text")]
    pub data_type: DataType,
    /// How values of that type spell a day.
    pub spelling: Spelling,
}

impl DateForm {
    /// What dates become where the inputs do not agree on one form.
    pub const COMMON: DateForm = DateForm { data_type: DataType::Date32, spelling: Spelling::Day };

    /// `date` in this form, `len` times.
    ///
    /// # Errors
    /// When the type cannot hold the date, as timestamps in nanoseconds end in 2262.
    pub fn repeated(&self, date: Date, len: usize) -> Result<ArrayRef> {
        self.spread(&[date], len)
    }

    /// `dates` in this form.
    ///
    /// # Errors
    /// As [`repeated`](DateForm::repeated).
    pub fn array(&self, dates: &[Date]) -> Result<ArrayRef> {
        self.spread(dates, 1)
    }

    /// The form of these dates in another type: a text keeps its spelling, days in text are `2024-01-02`.
    pub(crate) fn cast_to(&self, data_type: &DataType) -> DateForm {
        let spelling = match data_type {
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Spelling::Day,
            integer if integer.is_integer() => Spelling::Digits,
            _ if self.spelling == Spelling::Day => Spelling::Dashes,
            _ => self.spelling.clone(),
        };
        DateForm { data_type: data_type.clone(), spelling }
    }

    /// The first of `dates` that has no place in this form.
    pub(crate) fn first_without(&self, dates: &[Date]) -> Option<Date> {
        match (&self.spelling, &self.data_type) {
            (Spelling::Day, DataType::Timestamp(..)) | (Spelling::Custom(_), _) => {
                dates.iter().copied().find(|date| !self.holds(*date))
            }
            // There may be very many, and nothing to look at.
            _ => None,
        }
    }

    /// Whether `date` can be written in this form and read back from it.
    pub(crate) fn holds(&self, date: Date) -> bool {
        match (&self.spelling, &self.data_type) {
            (Spelling::Day, DataType::Timestamp(unit, zone)) => ticks(date, *unit, zone.as_deref()).is_some(),
            (Spelling::Custom(format), _) => {
                let (year, month, day) = date.ymd();
                let read = NaiveDate::parse_from_str(&self.text(date), format).ok();
                read.is_some() && read == NaiveDate::from_ymd_opt(year, month, day)
            }
            _ => true,
        }
    }

    /// How it spells a day, whatever the kind of text.
    pub(crate) fn spelt(&self) -> String {
        let is_text = self.spelling != Spelling::Day && !self.data_type.is_integer();
        let data_type = if is_text { DataType::Utf8 } else { self.data_type.clone() };
        DateForm { data_type, spelling: self.spelling.clone() }.to_string()
    }

    /// Each of `dates`, `times` times over.
    fn spread(&self, dates: &[Date], times: usize) -> Result<ArrayRef> {
        let integers = |value: &dyn Fn(Date) -> i64| -> ArrayRef {
            let values = dates.iter().flat_map(|&date| std::iter::repeat_n(value(date), times));
            Arc::new(values.collect::<Int64Array>())
        };
        let failed = || Error::failed(format!("write dates as {}", self.data_type));
        let day = |date: Date| i64::from(date.days());
        match (&self.spelling, &self.data_type) {
            (Spelling::Day, DataType::Date32) => {
                let values = dates.iter().flat_map(|&date| std::iter::repeat_n(date.days(), times));
                Ok(Arc::new(Date32Array::from_iter_values(values)))
            }
            (Spelling::Day, DataType::Date64) => {
                cast(&integers(&|date| day(date) * 86_400_000), &DataType::Date64).map_err(failed())
            }
            (Spelling::Day, DataType::Timestamp(unit, zone)) => {
                let ticks = |date: Date| ticks(date, *unit, zone.as_deref());
                if let Some(&date) = dates.iter().find(|&&date| ticks(date).is_none()) {
                    let what = format!("{} cannot hold {date}", self.data_type);
                    return Err(Error::refused(what, "give the date column another type"));
                }
                cast(&integers(&|date| ticks(date).unwrap_or_default()), &self.data_type).map_err(failed())
            }
            (Spelling::Digits, integer) if integer.is_integer() => {
                cast(&integers(&|date| i64::from(date.yyyymmdd())), integer).map_err(failed())
            }
            (_, text) => {
                let values = dates.iter().flat_map(|&date| std::iter::repeat_n(self.text(date), times));
                let values: ArrayRef = Arc::new(StringArray::from_iter_values(values));
                cast(&values, text).map_err(failed())
            }
        }
    }

    /// `date` as text in this form's spelling.
    pub fn text(&self, date: Date) -> String {
        let (year, month, day) = date.ymd();
        match &self.spelling {
            Spelling::Day | Spelling::Dashes => format!("{year:04}-{month:02}-{day:02}"),
            Spelling::Digits => format!("{year:04}{month:02}{day:02}"),
            Spelling::Slashes => format!("{year:04}/{month:02}/{day:02}"),
            Spelling::Custom(format) => match NaiveDate::from_ymd_opt(year, month, day) {
                Some(date) => {
                    let mut text = String::new();
                    // A format that a damaged catalog made up may ask for what a day does not have.
                    match write!(text, "{}", date.format(format)) {
                        Ok(()) => text,
                        Err(_) => format!("{year:04}-{month:02}-{day:02}"),
                    }
                }
                None => format!("{year:04}-{month:02}-{day:02}"),
            },
        }
    }
}

impl fmt::Display for DateForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.spelling {
            Spelling::Day => write!(f, "{}", self.data_type),
            Spelling::Digits => write!(f, "{} YYYYMMDD", self.data_type),
            Spelling::Dashes => write!(f, "{} YYYY-MM-DD", self.data_type),
            Spelling::Slashes => write!(f, "{} YYYY/MM/DD", self.data_type),
            Spelling::Custom(format) => write!(f, "{} {format}", self.data_type),
        }
    }
}

/// How many `unit`s a day has.
pub(crate) const fn ticks_per_day(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 86_400,
        TimeUnit::Millisecond => 86_400_000,
        TimeUnit::Microsecond => 86_400_000_000,
        TimeUnit::Nanosecond => 86_400_000_000_000,
    }
}

/// Midnight of `date` as a timestamp, on the clocks of a zone if there is one; `None` where the type cannot hold it.
fn ticks(date: Date, unit: TimeUnit, zone: Option<&str>) -> Option<i64> {
    let seconds = match zone {
        None => i64::from(date.days()) * 86_400,
        Some(zone) => midnight(&parse_zone(zone)?, date)?,
    };
    seconds.checked_mul(ticks_per_day(unit) / 86_400)
}

/// The time zone of this name or fixed offset; `None` for one that nobody knows.
pub(crate) fn parse_zone(name: &str) -> Option<Tz> {
    if matches!(name, "Z" | "utc") { "UTC" } else { name }.parse().ok()
}

/// The first instant of `date` on the clocks of `zone`, in seconds since 1970 in UTC: the earlier midnight where clocks
/// show two, the end of the gap where they skip it. `None` where they skip the day.
pub(crate) fn midnight(zone: &Tz, date: Date) -> Option<i64> {
    let (year, month, day) = date.ymd();
    let local = NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(0, 0, 0)?;
    if let Some(midnight) = zone.from_local_datetime(&local).earliest() {
        return Some(midnight.timestamp());
    }
    let day_of = |seconds: i64| {
        let utc = DateTime::from_timestamp(seconds, 0)?.naive_utc();
        Some(zone.from_utc_datetime(&utc).date_naive())
    };
    // No clock is further from UTC than a day; dates ascend where clocks skip.
    let middle = local.and_utc().timestamp();
    let (mut before, mut after) = (middle - 2 * 86_400, middle + 2 * 86_400);
    while after - before > 1 {
        let between = before + (after - before) / 2;
        if day_of(between)? < local.date() { before = between } else { after = between }
    }
    (day_of(after)? == local.date()).then_some(after)
}

/// The first value of `array` that a Parquet file cannot hold: it has seconds as milliseconds, and the days of a date64
/// in 32 bits.
pub(crate) fn first_unwritable(array: &dyn Array) -> Option<usize> {
    let number = |row: usize| -> i64 {
        match array.data_type() {
            DataType::Timestamp(TimeUnit::Second, _) => array.as_primitive::<TimestampSecondType>().value(row),
            DataType::Time32(TimeUnit::Second) => array.as_primitive::<Time32SecondType>().value(row).into(),
            _ => array.as_primitive::<Date64Type>().value(row) / 86_400_000,
        }
    };
    let is_held: fn(i64) -> bool = match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => |seconds| seconds.checked_mul(1000).is_some(),
        DataType::Time32(TimeUnit::Second) => |seconds| i32::try_from(seconds * 1000).is_ok(),
        DataType::Date64 => |days| i32::try_from(days).is_ok(),
        _ => return None,
    };
    (0..array.len()).find(|&row| array.is_valid(row) && !is_held(number(row)))
}

/// One value in words; a date or a time that no calendar reaches as the number that it is.
pub(crate) fn show(array: &dyn Array, row: usize) -> String {
    let options = FormatOptions::default().with_null("null");
    let text = ArrayFormatter::try_new(array, &options).and_then(|formatter| formatter.value(row).try_to_string());
    let number =
        |_| cast(&array.slice(row, 1), &DataType::Int64).map(|n| n.as_primitive::<Int64Type>().value(0).to_string());
    text.or_else(number).unwrap_or_else(|_| "a value that cannot be shown".to_owned())
}

/// An array in its stored type, widened to its logical one. Without a copy where the two are the same, unless it refers
/// to texts that lie elsewhere: then it gets those that its rows have, since whoever writes it would write them all.
///
/// # Errors
/// When a value does not fit, which no store of ours contains.
pub(crate) fn restore(array: &ArrayRef, logical: &DataType) -> Result<ArrayRef> {
    let failed = || Error::failed(format!("widen a column to {logical}"));
    if let (DataType::Dictionary(..), Some(coded)) = (logical, array.as_dictionary_opt::<Int32Type>()) {
        return cast(&own_texts(coded).map_err(failed())?, logical).map_err(failed());
    }
    if array.data_type() == logical {
        return Ok(array.clone());
    }
    // A column without any value may have been of type null when it was stored, and that casts to nothing.
    if array.null_count() == array.len() {
        return Ok(new_null_array(logical, array.len()));
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    // Arrow makes no decimals of booleans, which is how 0 and 1 are stored.
    let bits_as_bytes = match (array.data_type(), logical) {
        (DataType::Boolean, DataType::Decimal128(..)) => Some(cast(array, &DataType::Int8)),
        _ => None,
    };
    let bits_as_bytes = bits_as_bytes.transpose().map_err(failed())?;
    let wide = cast_with_options(bits_as_bytes.as_ref().unwrap_or(array), logical, &strict).map_err(failed())?;
    Ok(match logical {
        DataType::Utf8View => Arc::new(wide.as_string_view().gc()),
        DataType::BinaryView => Arc::new(wide.as_binary_view().gc()),
        _ => wide,
    })
}

/// `coded` with a dictionary of its own, in the order in which its rows come to the texts.
fn own_texts(coded: &DictionaryArray<Int32Type>) -> Result<ArrayRef, ArrowError> {
    let mut ours: HashMap<i32, i32> = HashMap::new();
    let mut order: Vec<u32> = Vec::new();
    let mut key = |key: i32| {
        *ours.entry(key).or_insert_with(|| {
            order.push(key as u32);
            order.len() as i32 - 1
        })
    };
    let keys: Int32Array = coded.keys().iter().map(|code| code.map(&mut key)).collect();
    let texts = take(coded.values(), &UInt32Array::from(order), None)?;
    Ok(Arc::new(DictionaryArray::try_new(keys, texts)?))
}

/// What the codes of a dictionary stand for, row by row.
pub(crate) fn written_out(coded: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match coded.data_type() {
        DataType::Dictionary(_, value) => cast(coded, value),
        _ => Ok(Arc::clone(coded)),
    }
}

/// One column of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum SeriesColumn {
    /// One value a row.
    Rows(ArrayRef),
    /// One text a row, as a dictionary of texts of the column's type. Many columns of texts lie like that in their files.
    Coded(ArrayRef),
    /// All rows hold the value of this array of one row, and it is no null. Many columns are like that, such as the
    /// dummies of an industry; that not every such column is found must not matter to who reads it.
    Constant(ArrayRef),
}

impl SeriesColumn {
    /// The column as an array of its `row_count` rows.
    ///
    /// # Errors
    /// None but arrow's own, for a type that it cannot repeat.
    pub fn into_array(self, row_count: usize) -> Result<ArrayRef, String> {
        match self {
            SeriesColumn::Rows(array) => Ok(array),
            SeriesColumn::Coded(array) => written_out(&array).map_err(|error| error.to_string()),
            SeriesColumn::Constant(one) => {
                take(&one, &UInt32Array::from(vec![0; row_count]), None).map_err(|error| error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_comes_back_from_its_text() {
        let coded = |key, value| DataType::Dictionary(Box::new(key), Box::new(value));
        let types = [
            DataType::Null,
            DataType::Boolean,
            DataType::Int8,
            DataType::UInt64,
            DataType::Float32,
            DataType::Float64,
            DataType::Decimal128(38, -3),
            DataType::Date32,
            DataType::Date64,
            DataType::Time32(TimeUnit::Second),
            DataType::Time64(TimeUnit::Nanosecond),
            DataType::Timestamp(TimeUnit::Millisecond, None),
            DataType::Timestamp(TimeUnit::Nanosecond, Some("Asia/Shanghai".into())),
            DataType::Timestamp(TimeUnit::Second, Some("+08:00".into())),
            DataType::Timestamp(TimeUnit::Second, Some("".into())),
            DataType::Timestamp(TimeUnit::Second, Some("a\"@)".into())),
            DataType::Utf8,
            DataType::LargeUtf8,
            DataType::Utf8View,
            DataType::Binary,
            DataType::LargeBinary,
            DataType::BinaryView,
            coded(DataType::Int8, DataType::Utf8),
            coded(DataType::UInt32, DataType::LargeUtf8),
        ];
        for data_type in types {
            let column = Column { name: "a".to_owned(), data_type };
            let text = serde_json::to_string(&column).unwrap();
            assert_eq!(serde_json::from_str::<Column>(&text).unwrap(), column, "{text}");
        }
    }
}
