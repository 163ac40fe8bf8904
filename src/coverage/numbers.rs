//! The numbers of a column, whatever their type, as doubles.

use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, cast::AsArray};
use arrow_schema::DataType;

/// Whether values of this logical type are numbers here; booleans are 0 and 1.
pub(super) fn is_number(logical: &DataType) -> bool {
    logical.is_numeric() || *logical == DataType::Boolean
}

/// What takes numbers.
pub(super) trait Takes {
    /// One of them, which may be NaN or infinite.
    fn take(&mut self, value: f64);
    /// So many zeros and ones.
    fn take_bits(&mut self, zeros: u64, ones: u64);
}

/// Hands the values of `stored`, which holds numbers of type `logical`, to `to`; nulls are left out. Integers and
/// decimals become the nearest double.
pub(super) fn each(stored: &ArrayRef, logical: &DataType, to: &mut impl Takes) {
    match stored.data_type() {
        DataType::Boolean => {
            let array = stored.as_boolean();
            let ones = array.true_count() as u64;
            to.take_bits((array.len() - array.null_count()) as u64 - ones, ones);
        }
        DataType::Int8 => values::<Int8Type>(stored, to, f64::from),
        DataType::Int16 => values::<Int16Type>(stored, to, f64::from),
        DataType::Int32 => values::<Int32Type>(stored, to, f64::from),
        DataType::Int64 => values::<Int64Type>(stored, to, |value| value as f64),
        DataType::UInt8 => values::<UInt8Type>(stored, to, f64::from),
        DataType::UInt16 => values::<UInt16Type>(stored, to, f64::from),
        DataType::UInt32 => values::<UInt32Type>(stored, to, f64::from),
        DataType::UInt64 => values::<UInt64Type>(stored, to, |value| value as f64),
        DataType::Float32 => values::<Float32Type>(stored, to, f64::from),
        DataType::Float64 => values::<Float64Type>(stored, to, |value| value),
        DataType::Decimal128(..) => {
            let scale = if let DataType::Decimal128(_, scale) = logical { i32::from(*scale) } else { 0 };
            let unit = 10f64.powi(scale);
            values::<Decimal128Type>(stored, to, |value| value as f64 / unit);
        }
        _ => {}
    }
}

fn values<T: ArrowPrimitiveType>(stored: &ArrayRef, to: &mut impl Takes, number: impl Fn(T::Native) -> f64) {
    let array = stored.as_primitive::<T>();
    match array.nulls() {
        None => array.values().iter().for_each(|&value| to.take(number(value))),
        Some(nulls) => nulls.valid_indices().for_each(|row| to.take(number(array.value(row)))),
    }
}
