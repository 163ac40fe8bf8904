//! The logical types a panel may have, their names, and where differing types meet.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType};
use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType, TimeUnit};

/// Reads the name of a type a panel may have: Arrow's (`Float64`, `Timestamp(ns)`) or a usual short one (`float64`,
/// `double`, `string`, `date32`, `timestamp[ns]`, `decimal128(18, 4)`).
///
/// # Errors
/// When the text names no such type; the message lists some.
pub fn parse_type(text: &str) -> Result<DataType, String> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let lower = compact.to_ascii_lowercase();
    let named = match lower.as_str() {
        "bool" => Some(DataType::Boolean),
        "int8" => Some(DataType::Int8),
        "int16" => Some(DataType::Int16),
        "int32" | "int" => Some(DataType::Int32),
        "int64" | "long" => Some(DataType::Int64),
        "uint8" => Some(DataType::UInt8),
        "uint16" => Some(DataType::UInt16),
        "uint32" => Some(DataType::UInt32),
        "uint64" => Some(DataType::UInt64),
        "float32" | "float" => Some(DataType::Float32),
        "float64" | "double" => Some(DataType::Float64),
        "date32" | "date" => Some(DataType::Date32),
        "date64" => Some(DataType::Date64),
        "string" | "str" | "text" => Some(DataType::Utf8),
        "large_string" => Some(DataType::LargeUtf8),
        "string_view" => Some(DataType::Utf8View),
        "binary" => Some(DataType::Binary),
        "large_binary" => Some(DataType::LargeBinary),
        "binary_view" => Some(DataType::BinaryView),
        _ => bracketed(&compact, &lower),
    };
    let parsed = named.or_else(|| text.trim().parse().ok()).filter(|parsed| logical(parsed).as_ref() == Some(parsed));
    parsed.filter(|parsed| *parsed != DataType::Null).ok_or_else(|| {
        format!(
            "{text:?} is no type of a panel; there are bool, int8 to int64, uint8 to uint64, float32, float64, \
             decimal128(P,S), date32, date64, time32[ms], time64[us], timestamp[ns], timestamp[us,UTC], string, \
             large_string, binary and the like"
        )
    })
}

/// `timestamp[ns]`, `timestamp[us,UTC]`, `time64[us]`, `decimal128(18,4)`.
fn bracketed(compact: &str, lower: &str) -> Option<DataType> {
    let open = lower.find(['[', '('])?;
    let inner = compact.get(open + 1..compact.len() - 1)?;
    let (first, second) = match inner.split_once(',') {
        Some((first, second)) => (first, Some(second)),
        None => (inner, None),
    };
    match (&lower[..open], lower.as_bytes()[open], lower.as_bytes()[lower.len() - 1]) {
        ("timestamp", b'[', b']') => Some(DataType::Timestamp(unit(first)?, second.map(Into::into))),
        ("time32", b'[', b']') if second.is_none() => Some(DataType::Time32(unit(first)?)),
        ("time64", b'[', b']') if second.is_none() => Some(DataType::Time64(unit(first)?)),
        ("decimal" | "decimal128", b'(', b')') => {
            Some(DataType::Decimal128(first.parse().ok()?, second.unwrap_or("0").parse().ok()?))
        }
        _ => None,
    }
}

fn unit(text: &str) -> Option<TimeUnit> {
    match text.to_ascii_lowercase().as_str() {
        "s" => Some(TimeUnit::Second),
        "ms" => Some(TimeUnit::Millisecond),
        "us" => Some(TimeUnit::Microsecond),
        "ns" => Some(TimeUnit::Nanosecond),
        _ => None,
    }
}

/// Nanoseconds of one tick.
pub(super) fn per_tick(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// The logical type of a column that a file has as `raw`; `None` where a panel cannot hold it.
///
/// Dictionaries of text keep 32-bit keys whatever the file has: a section joins the strings of all stocks, which
/// the 8 bits that suffice for one file need not hold. Other dictionaries are an encoding, not a type.
pub(super) fn logical(raw: &DataType) -> Option<DataType> {
    match raw {
        DataType::Null
        | DataType::Boolean
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Date64
        | DataType::Timestamp(..)
        | DataType::Time32(TimeUnit::Second | TimeUnit::Millisecond)
        | DataType::Time64(TimeUnit::Microsecond | TimeUnit::Nanosecond) => Some(raw.clone()),
        integer if integer.is_integer() => Some(raw.clone()),
        text if is_plain_text(text) || is_binary(text) => Some(raw.clone()),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
            if (1..=DECIMAL128_MAX_PRECISION).contains(precision)
                && (0..=*precision as i16).contains(&i16::from(*scale)) =>
        {
            Some(DataType::Decimal128(*precision, *scale))
        }
        DataType::Dictionary(_, value) => match value.as_ref() {
            DataType::LargeUtf8 => Some(dictionary(DataType::LargeUtf8)),
            text if is_plain_text(text) => Some(dictionary(DataType::Utf8)),
            DataType::Dictionary(..) => None,
            other => logical(other),
        },
        _ => None,
    }
}

/// A type for a message; that of a nested column is cut.
pub(super) fn shown_type(data_type: &DataType) -> String {
    const LONGEST: usize = 80;
    let text = data_type.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

pub(super) fn dictionary(value: DataType) -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(value))
}

pub(super) fn is_plain_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Refuses decimals of more digits than their type has: Arrow hands on what it is given, and a Parquet file cuts it.
///
/// # Errors
/// The first, and its type.
pub(crate) fn check_decimals(array: &dyn Array) -> Result<(), String> {
    match array.data_type() {
        DataType::Decimal32(digits, _) => check_digits::<Decimal32Type>(array, *digits),
        DataType::Decimal64(digits, _) => check_digits::<Decimal64Type>(array, *digits),
        DataType::Decimal128(digits, _) => check_digits::<Decimal128Type>(array, *digits),
        DataType::Decimal256(digits, _) => check_digits::<Decimal256Type>(array, *digits),
        _ => Ok(()),
    }
}

fn check_digits<T: DecimalType>(array: &dyn Array, digits: u8) -> Result<(), String> {
    let numbers = array.as_primitive::<T>();
    let is_beyond = |number: &T::Native| !T::is_valid_decimal_precision(*number, digits);
    match numbers.iter().flatten().find(is_beyond) {
        Some(number) => Err(format!("{number:?} is stored, which is beyond {}", array.data_type())),
        None => Ok(()),
    }
}

/// Whether the type is text of any kind, dictionaries included.
pub(super) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_plain_text(value),
        other => is_plain_text(other),
    }
}

pub(super) fn is_binary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

/// Where types meet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joined {
    /// The smallest type that holds every value of them exactly.
    pub(super) target: DataType,
    /// Those among them of whose values this holds only if each is looked at.
    pub(super) checked: Vec<DataType>,
}

/// Where `types` may meet, the best choice first; none where no type holds the values of all of them exactly.
pub(super) fn join(types: &[DataType]) -> Vec<Joined> {
    let types: Vec<&DataType> = types.iter().filter(|data_type| **data_type != DataType::Null).collect();
    let all = |is: &dyn Fn(&DataType) -> bool| types.iter().all(|data_type| is(data_type));
    let Some(&first) = types.first() else { return vec![Joined { target: DataType::Null, checked: Vec::new() }] };
    let sure = |target: DataType| vec![Joined { target, checked: Vec::new() }];
    if all(&|data_type| data_type == first) {
        sure(first.clone())
    } else if all(&is_text) {
        sure(types.iter().fold(first.clone(), |joined, other| join_text(&joined, other)))
    } else if all(&is_binary) {
        let has = |wanted: &DataType| types.contains(&wanted);
        sure(if has(&DataType::LargeBinary) { DataType::LargeBinary } else { DataType::BinaryView })
    } else if all(&|data_type| data_type.is_numeric()) {
        join_numbers(&types).into_iter().collect()
    } else if all(&|data_type| matches!(data_type, DataType::Date32 | DataType::Date64)) {
        sure(DataType::Date64)
    } else if all(&|data_type| instant_unit(data_type).is_some()) {
        join_instants(&types, None)
    } else if let DataType::Timestamp(_, zone) = first {
        match all(&|data_type| matches!(data_type, DataType::Timestamp(_, other) if other == zone)) {
            true => join_instants(&types, zone.as_ref()),
            false => Vec::new(),
        }
    } else {
        let units: Option<Vec<TimeUnit>> = types
            .iter()
            .map(|data_type| match data_type {
                DataType::Time32(unit) | DataType::Time64(unit) => Some(*unit),
                _ => None,
            })
            .collect();
        match units.and_then(|units| units.into_iter().max_by_key(fineness)) {
            None => Vec::new(),
            Some(coarse @ (TimeUnit::Second | TimeUnit::Millisecond)) => sure(DataType::Time32(coarse)),
            Some(fine) => sure(DataType::Time64(fine)),
        }
    }
}

/// Where instants of several units meet: at the finest. Nanoseconds end in 2262, and days such as 9999-12-31 are common,
/// so where they do not reach every value, microseconds may hold all of them.
fn join_instants(types: &[&DataType], zone: Option<&Arc<str>>) -> Vec<Joined> {
    let units = types.iter().filter_map(|data_type| unit_of(data_type));
    let Some(finest) = units.max_by_key(fineness) else { return Vec::new() };
    let of = |is_fine: bool| {
        let is_ns = |data_type: &&&DataType| unit_of(data_type) == Some(TimeUnit::Nanosecond);
        types.iter().filter(|data_type| is_ns(data_type) == is_fine).map(|data_type| (*data_type).clone()).collect()
    };
    let at = |unit, checked| Joined { target: DataType::Timestamp(unit, zone.cloned()), checked };
    match finest {
        TimeUnit::Nanosecond => vec![at(TimeUnit::Nanosecond, of(false)), at(TimeUnit::Microsecond, of(true))],
        coarser => vec![at(coarser, Vec::new())],
    }
}

/// Whether two types of instants without a zone differ, of which one is in nanoseconds: it ends in 2262.
pub(super) fn meets_beyond_nanoseconds(a: &DataType, b: &DataType) -> bool {
    let units = [instant_unit(a), instant_unit(b)];
    units.iter().all(Option::is_some) && units[0] != units[1] && units.contains(&Some(TimeUnit::Nanosecond))
}

/// The unit of a timestamp, or that in which a day counts.
fn unit_of(data_type: &DataType) -> Option<TimeUnit> {
    match data_type {
        DataType::Timestamp(unit, _) => Some(*unit),
        day => instant_unit(day),
    }
}

/// Where two text types meet: large offsets before views before small offsets before dictionaries.
pub(super) fn join_text(a: &DataType, b: &DataType) -> DataType {
    let value = |data_type: &DataType| match data_type {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        plain => plain.clone(),
    };
    let values = [value(a), value(b)];
    let joined = [DataType::LargeUtf8, DataType::Utf8View].into_iter().find(|kind| values.contains(kind));
    let joined = joined.unwrap_or(DataType::Utf8);
    match (a, b) {
        (DataType::Dictionary(..), DataType::Dictionary(..)) => logical(&dictionary(joined)).unwrap_or(DataType::Utf8),
        _ => joined,
    }
}

/// The unit in which a day without a zone counts; a date64 counts milliseconds.
fn instant_unit(data_type: &DataType) -> Option<TimeUnit> {
    match data_type {
        DataType::Date32 => Some(TimeUnit::Second),
        DataType::Date64 => Some(TimeUnit::Millisecond),
        DataType::Timestamp(unit, None) => Some(*unit),
        _ => None,
    }
}

fn fineness(unit: &TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    }
}

fn join_numbers(types: &[&DataType]) -> Option<Joined> {
    let bits = |data_type: &DataType| data_type.primitive_width().unwrap_or(0) * 8;
    let integers: Vec<&DataType> = types.iter().copied().filter(|data_type| data_type.is_integer()).collect();
    let widest = |signed: bool| {
        let kind = integers.iter().filter(|data_type| data_type.is_signed_integer() == signed);
        kind.map(|data_type| bits(data_type)).max().unwrap_or(0)
    };
    let (signed, unsigned) = (widest(true), widest(false));
    let wide = || types.iter().filter(|t| t.is_integer() && bits(t) == 64).map(|t| (*t).clone());
    let has_floats = types.iter().any(|data_type| data_type.is_floating());
    let decimals: Vec<(u8, i8)> = types
        .iter()
        .filter_map(|data_type| match data_type {
            DataType::Decimal128(precision, scale) => Some((*precision, *scale)),
            _ => None,
        })
        .collect();
    if has_floats {
        let single = signed.max(unsigned) <= 16 && !types.contains(&&DataType::Float64);
        let target = if single { DataType::Float32 } else { DataType::Float64 };
        let mut checked: Vec<DataType> = wide().collect();
        checked.dedup();
        return decimals.is_empty().then_some(Joined { target, checked });
    }
    if !decimals.is_empty() {
        // Digits of the largest value: 127, 32767, 2147483647, ...; 64 bits differ with the sign.
        let digits = |bits: usize, signed: bool| match bits {
            0 => 0,
            8 => 3,
            16 => 5,
            32 => 10,
            _ if signed => 19,
            _ => 20,
        };
        let whole = decimals.iter().map(|&(precision, scale)| i16::from(precision) - i16::from(scale)).max()?;
        let whole = whole.max(digits(signed, true)).max(digits(unsigned, false));
        let scale = decimals.iter().map(|&(_, scale)| scale).max()?;
        let precision = u8::try_from(whole + i16::from(scale)).ok()?;
        let target = DataType::Decimal128(precision, scale);
        return (precision <= DECIMAL128_MAX_PRECISION).then_some(Joined { target, checked: Vec::new() });
    }
    let needed = if signed == 0 { unsigned } else { signed.max(if unsigned == 0 { 0 } else { unsigned * 2 }) };
    let target = match (signed == 0, needed) {
        (true, 8) => DataType::UInt8,
        (true, 16) => DataType::UInt16,
        (true, 32) => DataType::UInt32,
        (true, _) => DataType::UInt64,
        (false, 8) => DataType::Int8,
        (false, 16) => DataType::Int16,
        (false, 32) => DataType::Int32,
        (false, _) => DataType::Int64,
    };
    // No integer has room for all of both; most unsigned columns never use their last bit.
    let checked = if needed == 128 { vec![DataType::UInt64] } else { Vec::new() };
    Some(Joined { target, checked })
}
