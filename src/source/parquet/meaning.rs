//! What the values of a file's columns are, in Arrow's types, exactly.
//!
//! The `parquet` crate turns what a page holds into Arrow's types as it goes, and narrows or reinterprets on the way:
//! it lets instants wrap, cuts integers and fractions, drops months, and takes an Arrow schema in the file's notes at its
//! word. So it is told a schema of bare numbers and bytes ([`Leaves`]), and [`take_as`] makes of them what the file
//! says that they are, or names the first that is not.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date64Type, Decimal128Type, Decimal256Type, DecimalType, Int8Type, Int16Type, Int32Type,
    Int64Type, UInt8Type, UInt16Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray, make_array, new_null_array};
use arrow_buffer::{ArrowNativeType, Buffer, i256};
use arrow_data::ArrayData;
use arrow_schema::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type, TypePtr};

use super::declared::{Declared, Flat, Mark, Physical, Shape, Unit};
use super::instants::{INSTANT, take_instants};
use crate::reason::{Kind, Reason};
use crate::source::convert::shown_value;

/// The leaves of a file's columns as the decoder is to read them.
#[derive(Debug)]
pub(in crate::source) struct Leaves {
    pub(in crate::source) declared: Vec<Declared>,
    /// One column for each leaf, of bare numbers and bytes; of text where the file says so, since only then does the
    /// decoder look at each byte.
    pub(in crate::source) plain: SchemaDescPtr,
}

impl Leaves {
    /// # Errors
    /// The decoder's, for a schema that it does not take.
    pub(in crate::source) fn new(declared: Vec<Declared>, count: usize) -> Result<Leaves, ParquetError> {
        let unread = Flat { physical: Physical::Bytes, is_required: false, mark: Mark::Nothing };
        let mut flat = vec![("", unread); count];
        for column in &declared {
            if let (Shape::Flat(shape), Some(place)) = (&column.shape, flat.get_mut(column.leaf)) {
                *place = (&column.name, *shape);
            }
        }
        let fields = flat.iter().map(|(name, flat)| plain_type(name, *flat)).collect::<Result<_, _>>()?;
        let root = Type::group_type_builder("schema").with_fields(fields).build()?;
        Ok(Leaves { declared, plain: Arc::new(SchemaDescriptor::new(Arc::new(root))) })
    }

    /// The Arrow schema by which the decoder reads columns of these types, each with its leaf.
    pub(in crate::source) fn decoded<'a>(&self, columns: impl Iterator<Item = (usize, &'a DataType)>) -> SchemaRef {
        let mut fields: Vec<Field> = self
            .plain
            .columns()
            .iter()
            .map(|leaf| {
                let data_type = match leaf.physical_type() {
                    PhysicalType::BOOLEAN => DataType::Boolean,
                    PhysicalType::INT32 => DataType::Int32,
                    PhysicalType::INT64 => DataType::Int64,
                    PhysicalType::FLOAT => DataType::Float32,
                    PhysicalType::DOUBLE => DataType::Float64,
                    PhysicalType::FIXED_LEN_BYTE_ARRAY => DataType::FixedSizeBinary(leaf.type_length()),
                    _ if leaf.logical_type_ref().is_some() => DataType::Utf8,
                    _ => DataType::Binary,
                };
                Field::new(leaf.name(), data_type, leaf.max_def_level() > 0)
            })
            .collect();
        for (leaf, data_type) in columns {
            let is_binary = matches!(data_type, DataType::LargeBinary | DataType::BinaryView);
            if let Some(field) = fields.get_mut(leaf)
                && (is_binary || *field.data_type() == DataType::Utf8)
                && *data_type != DataType::Null
            {
                *field = Field::new(field.name(), data_type.clone(), field.is_nullable());
            }
        }
        Arc::new(Schema::new(fields))
    }
}

/// A column of bare numbers and bytes.
fn plain_type(name: &str, flat: Flat) -> Result<TypePtr, ParquetError> {
    let (physical, length) = match flat.physical {
        Physical::Boolean => (PhysicalType::BOOLEAN, 0),
        Physical::Int32 => (PhysicalType::INT32, 0),
        Physical::Int64 => (PhysicalType::INT64, 0),
        // An INT96 is twelve bytes, whatever the decoder makes of them.
        Physical::Int96 => (PhysicalType::FIXED_LEN_BYTE_ARRAY, INSTANT),
        Physical::Float => (PhysicalType::FLOAT, 0),
        Physical::Double => (PhysicalType::DOUBLE, 0),
        Physical::Fixed(length) if length > 0 => (PhysicalType::FIXED_LEN_BYTE_ARRAY, length),
        Physical::Bytes | Physical::Fixed(_) => (PhysicalType::BYTE_ARRAY, 0),
    };
    let is_text = flat.physical == Physical::Bytes && matches!(flat.mark, Mark::Text | Mark::Json | Mark::Enum);
    let repetition = if flat.is_required { Repetition::REQUIRED } else { Repetition::OPTIONAL };
    let builder = Type::primitive_type_builder(name, physical).with_repetition(repetition).with_length(length);
    Ok(Arc::new(builder.with_logical_type(is_text.then_some(LogicalType::String)).build()?))
}

/// The type of a column's values, by its own account and by that of the Arrow schema among the file's notes, which is
/// heard only where it says more and contradicts nothing.
///
/// # Errors
/// What a column is called whose values cannot be read.
pub(in crate::source) fn meaning(shape: &Shape, hint: Option<&DataType>) -> Result<DataType, String> {
    let flat = match shape {
        Shape::Flat(flat) => flat,
        Shape::Nested(name, _) => return Err((*name).to_owned()),
    };
    // What is coded by a dictionary of numbers is numbers.
    let hint = match hint {
        Some(DataType::Dictionary(_, value)) if !matches!(flat.mark, Mark::Text | Mark::Json | Mark::Enum) => {
            Some(value.as_ref())
        }
        other => other,
    };
    let unit = |unit| match unit {
        Unit::Millis => TimeUnit::Millisecond,
        Unit::Micros => TimeUnit::Microsecond,
        Unit::Nanos => TimeUnit::Nanosecond,
    };
    Ok(match (flat.physical, flat.mark) {
        (_, Mark::Unknown) => DataType::Null,
        (Physical::Boolean, Mark::Nothing) => DataType::Boolean,
        (Physical::Float, Mark::Nothing) => DataType::Float32,
        (Physical::Double, Mark::Nothing) => DataType::Float64,
        // Parquet has no seconds, no milliseconds that mean days and no durations: Arrow writes bare numbers.
        (Physical::Int32, Mark::Nothing) => match hint {
            Some(DataType::Time32(TimeUnit::Second)) => DataType::Time32(TimeUnit::Second),
            _ => DataType::Int32,
        },
        (Physical::Int64, Mark::Nothing) => match hint {
            Some(hint @ (DataType::Timestamp(TimeUnit::Second, _) | DataType::Date64 | DataType::Duration(_))) => {
                hint.clone()
            }
            _ => DataType::Int64,
        },
        (Physical::Int32, Mark::Integer { bits: 8, is_signed: true }) => DataType::Int8,
        (Physical::Int32, Mark::Integer { bits: 16, is_signed: true }) => DataType::Int16,
        (Physical::Int32, Mark::Integer { bits: 32, is_signed: true }) => DataType::Int32,
        (Physical::Int32, Mark::Integer { bits: 8, is_signed: false }) => DataType::UInt8,
        (Physical::Int32, Mark::Integer { bits: 16, is_signed: false }) => DataType::UInt16,
        (Physical::Int32, Mark::Integer { bits: 32, is_signed: false }) => DataType::UInt32,
        (Physical::Int64, Mark::Integer { bits: 64, is_signed: true }) => DataType::Int64,
        (Physical::Int64, Mark::Integer { bits: 64, is_signed: false }) => DataType::UInt64,
        (Physical::Int32, Mark::Date) if hint == Some(&DataType::Date64) => DataType::Date64,
        (Physical::Int32, Mark::Date) => DataType::Date32,
        (Physical::Int32, Mark::Time { unit: Unit::Millis, .. }) => DataType::Time32(TimeUnit::Millisecond),
        (Physical::Int64, Mark::Time { unit: fine @ (Unit::Micros | Unit::Nanos), .. }) => DataType::Time64(unit(fine)),
        (Physical::Int64, Mark::Timestamp { unit: ticks, is_utc }) => {
            DataType::Timestamp(unit(ticks), zone(is_utc, hint))
        }
        (Physical::Int96, Mark::Nothing) => match hint {
            Some(hint @ DataType::Timestamp(..)) => hint.clone(),
            _ => DataType::Timestamp(TimeUnit::Nanosecond, None),
        },
        (
            Physical::Int32 | Physical::Int64 | Physical::Bytes | Physical::Fixed(1..),
            Mark::Decimal { precision, scale },
        ) => decimal(flat.physical, precision, scale, hint)?,
        (Physical::Bytes, Mark::Text | Mark::Json | Mark::Enum) => text(hint),
        (Physical::Bytes, Mark::Nothing | Mark::Bson | Mark::Geometry | Mark::Geography | Mark::Other) => match hint {
            Some(hint @ (DataType::LargeBinary | DataType::BinaryView)) => hint.clone(),
            _ => DataType::Binary,
        },
        (Physical::Fixed(2), Mark::Float16) => DataType::Float16,
        (Physical::Fixed(length @ 1..), Mark::Nothing | Mark::Uuid | Mark::Other) => DataType::FixedSizeBinary(length),
        (Physical::Fixed(12), Mark::Interval) => return Err("an interval of months, days and milliseconds".to_owned()),
        (physical, mark) => return Err(format!("of type {physical:?} but marked as {mark:?}")),
    })
}

/// The zone of timestamps. One that the Arrow schema names is that of instants: what is no instant has none.
fn zone(is_utc: bool, hint: Option<&DataType>) -> Option<Arc<str>> {
    match hint {
        Some(DataType::Timestamp(_, Some(zone))) if is_utc != zone.is_empty() => Some(Arc::clone(zone)),
        _ => is_utc.then(|| "UTC".into()),
    }
}

fn text(hint: Option<&DataType>) -> DataType {
    let coded = |value| DataType::Dictionary(Box::new(DataType::Int32), Box::new(value));
    match hint {
        Some(DataType::LargeUtf8) => DataType::LargeUtf8,
        Some(DataType::Utf8View) => DataType::Utf8View,
        // Keys of 32 bits whatever the file has: a file of many parts may need more than each of them.
        Some(DataType::Dictionary(_, value)) => match value.as_ref() {
            DataType::LargeUtf8 => coded(DataType::LargeUtf8),
            DataType::Utf8 | DataType::Utf8View => coded(DataType::Utf8),
            _ => DataType::Utf8,
        },
        _ => DataType::Utf8,
    }
}

fn decimal(physical: Physical, precision: i64, scale: i64, hint: Option<&DataType>) -> Result<DataType, String> {
    // "Length n can store <= floor(log_10(2^(8*n - 1) - 1)) base-10 digits", and so can integers of as many bytes.
    let bytes = match physical {
        Physical::Int32 => Some(4),
        Physical::Int64 => Some(8),
        Physical::Fixed(length) => Some(i64::from(length)),
        _ => None,
    };
    if let Some(bytes) = bytes.filter(|bytes| precision > (8 * bytes - 1) * 30_103 / 100_000) {
        // "A precision too large for the underlying type is an error."
        return Err(format!("a decimal of {precision} digits in {bytes} bytes each, which hold fewer"));
    }
    let digits = u8::try_from(precision).ok().filter(|digits| (1..=DECIMAL256_MAX_PRECISION).contains(digits));
    let fraction = i8::try_from(scale).ok().filter(|_| (0..=precision).contains(&scale));
    let (Some(digits), Some(fraction)) = (digits, fraction) else {
        return Err(format!("a decimal of {precision} digits with {scale} after the point"));
    };
    let wide = DataType::Decimal256(digits, fraction);
    if digits > DECIMAL128_MAX_PRECISION || hint == Some(&wide) {
        return Ok(wide);
    }
    Ok(DataType::Decimal128(digits, fraction))
}

/// Decoded numbers or bytes as values of the type `to`; `before` rows of the file come before them. Where
/// `may_round`, fractions of an instant below the unit of `to` are cut, since a user decided so.
///
/// # Errors
/// The first row (from 1) whose value that type does not have, as a reason.
pub(in crate::source) fn take_as(
    array: &ArrayRef,
    to: &DataType,
    before: usize,
    may_round: bool,
) -> Result<ArrayRef, Reason> {
    use DataType::*;
    match (array.data_type(), to) {
        (from, to) if from == to => Ok(array.clone()),
        (_, Null) => match array.null_count() == array.len() {
            true => Ok(new_null_array(&Null, array.len())),
            false => Err(Reason::new(Kind::Damaged, "whose values should all be null, has others")),
        },
        (Int32, Int8) => narrowed::<Int8Type>(array, before),
        (Int32, Int16) => narrowed::<Int16Type>(array, before),
        (Int32, UInt8) => narrowed::<UInt8Type>(array, before),
        (Int32, UInt16) => narrowed::<UInt16Type>(array, before),
        (Int32, Date64) => {
            let days = array.as_primitive::<Int32Type>();
            Ok(Arc::new(days.unary::<_, Date64Type>(|day| i64::from(day) * 86_400_000)))
        }
        (Int32, UInt32 | Date32 | Time32(_)) => same_bits(array, to),
        (Int64, UInt64 | Date64 | Time64(_) | Timestamp(..) | Duration(_)) => same_bits(array, to),
        (FixedSizeBinary(INSTANT), Timestamp(..)) => take_instants(array, to, before, may_round),
        (FixedSizeBinary(2), Float16) => {
            let halves = array.as_fixed_size_binary();
            let halves: Vec<u16> = (0..halves.len())
                .map(|row| match halves.value(row) {
                    &[low, high] => u16::from_le_bytes([low, high]),
                    _ => 0,
                })
                .collect();
            let data = ArrayData::builder(Float16).len(array.len()).add_buffer(Buffer::from_vec(halves));
            Ok(make_array(data.nulls(array.nulls().cloned()).build().map_err(Reason::undecodable)?))
        }
        (Int32, Decimal128(..)) => {
            let numbers = array.as_primitive::<Int32Type>();
            decimals::<Decimal128Type>(array, to, before, |row| Some(i128::from(numbers.value(row))))
        }
        (Int64, Decimal128(..)) => {
            let numbers = array.as_primitive::<Int64Type>();
            decimals::<Decimal128Type>(array, to, before, |row| Some(i128::from(numbers.value(row))))
        }
        (Int32, Decimal256(..)) => {
            let numbers = array.as_primitive::<Int32Type>();
            decimals::<Decimal256Type>(array, to, before, |row| Some(i256::from(numbers.value(row))))
        }
        (Int64, Decimal256(..)) => {
            let numbers = array.as_primitive::<Int64Type>();
            decimals::<Decimal256Type>(array, to, before, |row| Some(i256::from(numbers.value(row))))
        }
        (Binary | FixedSizeBinary(_), Decimal128(..)) => {
            decimals::<Decimal128Type>(array, to, before, |row| signed(bytes(array, row)).map(i128::from_be_bytes))
        }
        (Binary | FixedSizeBinary(_), Decimal256(..)) => {
            decimals::<Decimal256Type>(array, to, before, |row| signed(bytes(array, row)).map(i256::from_be_bytes))
        }
        (from, to) => Err(Reason::new(Kind::Damaged, format!("stored as {from}, is no {to}"))),
    }
}

fn bytes(array: &ArrayRef, row: usize) -> &[u8] {
    match array.as_fixed_size_binary_opt() {
        Some(fixed) => fixed.value(row),
        None => array.as_binary::<i32>().value(row),
    }
}

/// A big-endian number of any length as one of `N` bytes, if it has no more digits than they hold.
fn signed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let sign = if *bytes.first()? >= 0x80 { 0xff } else { 0 };
    let mut number = [sign; N];
    let (more, digits) = bytes.split_at(bytes.len().saturating_sub(N));
    number[N - digits.len()..].copy_from_slice(digits);
    let fits = more.iter().all(|byte| *byte == sign) && (more.is_empty() || (digits[0] >= 0x80) == (sign == 0xff));
    fits.then_some(number)
}

/// Decimals of the numbers that `number` gives for the rows that are not null.
fn decimals<T: DecimalType>(
    array: &ArrayRef,
    to: &DataType,
    before: usize,
    number: impl Fn(usize) -> Option<T::Native>,
) -> Result<ArrayRef, Reason> {
    let (precision, scale) = match to {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => (*precision, *scale),
        other => return Err(Reason::new(Kind::Damaged, format!("marked as {other}, is no decimal"))),
    };
    let mut numbers = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        numbers.push(if array.is_null(row) {
            T::Native::usize_as(0)
        } else {
            number(row)
                .filter(|number| T::is_valid_decimal_precision(*number, precision))
                .ok_or_else(|| beyond(array, row, before, to))?
        });
    }
    let decimals = PrimitiveArray::<T>::new(numbers.into(), array.nulls().cloned());
    let decimals = decimals.with_precision_and_scale(precision, scale).map_err(Reason::undecodable)?;
    Ok(Arc::new(decimals))
}

/// Numbers of 32 bits in the type that their column is marked with.
fn narrowed<T: ArrowPrimitiveType<Native: TryFrom<i32>>>(array: &ArrayRef, before: usize) -> Result<ArrayRef, Reason> {
    let wide = array.as_primitive::<Int32Type>();
    let mut numbers: Vec<T::Native> = Vec::with_capacity(wide.len());
    for (row, &number) in wide.values().iter().enumerate() {
        numbers.push(match T::Native::try_from(number) {
            Ok(number) => number,
            // Null slots may hold anything.
            Err(_) if wide.is_null(row) => T::Native::default(),
            Err(_) => return Err(beyond(array, row, before, &T::DATA_TYPE)),
        });
    }
    Ok(Arc::new(PrimitiveArray::<T>::new(numbers.into(), wide.nulls().cloned())))
}

/// The values of `array` as another type of the same width, bit for bit.
fn same_bits(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, Reason> {
    let data = array.to_data().into_builder().data_type(to.clone()).build().map_err(Reason::undecodable)?;
    Ok(make_array(data))
}

fn beyond(array: &ArrayRef, row: usize, before: usize, to: &DataType) -> Reason {
    let shown = shown_value(array, row);
    let shown = if shown.is_empty() { "a number without a digit" } else { &shown };
    let what = format!("row {}: {shown} is stored, which is beyond {to}", before + row + 1);
    Reason::new(Kind::InexactValue, what)
}
