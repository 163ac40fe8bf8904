//! One column of one series, narrowed to the width its values need.

use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, cast::AsArray, downcast_primitive_array};
use arrow_buffer::{Buffer, NullBuffer};
use arrow_schema::DataType;
use bytemuck::Pod;

use super::dictionary::DictionaryBuilder;
use super::stored::natural_stored;
use crate::error::{Error, Result};
use crate::format::Stored;
use crate::panel::SeriesColumn;

/// The values of one column of one series, in date order.
pub(crate) struct Lane {
    /// The narrowest stored type that holds every value.
    pub(crate) stored: Stored,
    /// Which rows have a value; `None` when all have. The values of other rows mean nothing.
    pub(crate) nulls: Option<NullBuffer>,
    /// The values, at the width of `stored`; one byte a value for [`Stored::Bits`].
    pub(crate) values: Values,
}

/// The values of a lane.
pub(crate) enum Values {
    /// Every row holds this integer, or a value with these low bits.
    Constant(i64),
    /// One value after the other.
    Plain(Buffer),
}

impl Lane {
    /// Narrows a column of `row_count` rows; texts and byte strings become codes of `dictionary`. `None` when there is
    /// no value at all.
    ///
    /// # Errors
    /// When the type is none of a panel's.
    pub(crate) fn new(
        column: SeriesColumn,
        row_count: usize,
        dictionary: &mut DictionaryBuilder,
    ) -> Result<Option<Lane>> {
        match column {
            SeriesColumn::Rows(array) | SeriesColumn::Coded(array) => Lane::of_rows(&array, dictionary),
            SeriesColumn::Constant(_) if row_count == 0 => Ok(None),
            SeriesColumn::Constant(one) => Ok(Lane::of_rows(&one, dictionary)?.map(|lane| lane.repeated(row_count))),
        }
    }

    /// Narrows one value a row; see [`new`](Lane::new).
    pub(crate) fn of_rows(array: &ArrayRef, dictionary: &mut DictionaryBuilder) -> Result<Option<Lane>> {
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        if array.is_empty() || nulls.as_ref().is_some_and(|nulls| nulls.null_count() == nulls.len()) {
            return Ok(None);
        }
        let valid = nulls.as_ref();
        let (stored, values) = match array.data_type() {
            DataType::Boolean => {
                let values = array.as_boolean().values().iter().map(u8::from);
                (Stored::Bits, Values::Plain(Buffer::from_vec(values.collect())))
            }
            DataType::Int8 => narrow::<Int8Type>(array, valid),
            DataType::Int16 => narrow::<Int16Type>(array, valid),
            DataType::Int32 => narrow::<Int32Type>(array, valid),
            DataType::Int64 => narrow::<Int64Type>(array, valid),
            DataType::UInt8 => narrow::<UInt8Type>(array, valid),
            DataType::UInt16 => narrow::<UInt16Type>(array, valid),
            DataType::UInt32 => narrow::<UInt32Type>(array, valid),
            DataType::UInt64 => narrow::<UInt64Type>(array, valid),
            other => match natural_stored(other) {
                Stored::Codes => (Stored::Codes, Values::Plain(Buffer::from_vec(dictionary.encode(array)?))),
                stored => (stored, Values::Plain(fixed_bytes(array)?)),
            },
        };
        Ok(Some(Lane { stored, nulls, values }))
    }

    /// This lane of one row with as many as `row_count`.
    fn repeated(self, row_count: usize) -> Lane {
        let values = match self.values {
            Values::Plain(one) if one.len() > size_of::<i64>() => {
                Values::Plain(Buffer::from_vec(one.repeat(row_count)))
            }
            Values::Plain(one) => {
                let mut bits = [0; size_of::<i64>()];
                bits[..one.len()].copy_from_slice(&one);
                Values::Constant(i64::from_le_bytes(bits))
            }
            constant => constant,
        };
        Lane { values, ..self }
    }
}

impl Values {
    /// Bytes on the heap.
    pub(crate) fn byte_len(&self) -> usize {
        match self {
            Values::Constant(_) => 0,
            Values::Plain(bytes) => bytes.len(),
        }
    }
}

/// The bytes of a fixed-width array, not copied.
pub(crate) fn fixed_bytes(array: &ArrayRef) -> Result<Buffer> {
    downcast_primitive_array!(
        array => Ok(array.values().inner().clone()),
        other => Err(Error::refused_unless(format!("type {other} cannot be stored"), []))
    )
}

/// An integer as 64 bits. The sign travels with the type, so cutting the upper bits off and extending again is exact.
trait Integer: ArrowPrimitiveType {
    fn bits(value: Self::Native) -> i64;
    /// The narrowest stored type for values between these two.
    fn width(min: Self::Native, max: Self::Native) -> Stored;
}

macro_rules! integers {
    ($($type:ty, $wide:ty: $($limit:ty => $stored:ident),+;)+) => {$(
        impl Integer for $type {
            fn bits(value: Self::Native) -> i64 {
                value as i64
            }

            fn width(min: Self::Native, max: Self::Native) -> Stored {
                let (min, max) = (min as $wide, max as $wide);
                if min >= 0 && max <= 1 {
                    return Stored::Bits;
                }
                $(if min >= <$limit>::MIN as $wide && max <= <$limit>::MAX as $wide {
                    return Stored::$stored;
                })+
                Stored::Bytes8
            }
        }
    )+};
}

integers! {
    Int8Type, i64: i8 => Bytes1;
    Int16Type, i64: i8 => Bytes1, i16 => Bytes2;
    Int32Type, i64: i8 => Bytes1, i16 => Bytes2, i32 => Bytes4;
    Int64Type, i64: i8 => Bytes1, i16 => Bytes2, i32 => Bytes4;
    UInt8Type, i128: u8 => Bytes1;
    UInt16Type, i128: u8 => Bytes1, u16 => Bytes2;
    UInt32Type, i128: u8 => Bytes1, u16 => Bytes2, u32 => Bytes4;
    UInt64Type, i128: u8 => Bytes1, u16 => Bytes2, u32 => Bytes4;
}

/// Narrows integers to the width that the valid ones among them need.
fn narrow<T: Integer>(array: &ArrayRef, nulls: Option<&NullBuffer>) -> (Stored, Values)
where
    T::Native: Ord,
{
    let values: &[T::Native] = array.as_primitive::<T>().values();
    // Dummies never change over a stock's life, and comparing a series with itself, one value on, is the quickest way
    // to see that.
    if nulls.is_none() && !values.is_empty() && values[1..] == values[..values.len() - 1] {
        return (T::width(values[0], values[0]), Values::Constant(T::bits(values[0])));
    }
    let range = match nulls {
        None => values.iter().min().copied().zip(values.iter().max().copied()),
        Some(nulls) => nulls.valid_indices().map(|row| values[row]).fold(None, |range, value| match range {
            None => Some((value, value)),
            Some((min, max)) => Some((value.min(min), value.max(max))),
        }),
    };
    let Some((min, max)) = range else { return (Stored::Bits, Values::Constant(0)) };
    let stored = T::width(min, max);
    if min == max {
        return (stored, Values::Constant(T::bits(min)));
    }
    let bits = values.iter().map(|&value| T::bits(value));
    let bytes = match stored {
        Stored::Bits | Stored::Bytes1 => Buffer::from_vec(bits.map(|value| value as u8).collect()),
        Stored::Bytes2 => Buffer::from_vec(bits.map(|value| value as u16).collect()),
        Stored::Bytes4 | Stored::Codes => Buffer::from_vec(bits.map(|value| value as u32).collect()),
        Stored::Bytes8 | Stored::Bytes16 => Buffer::from_vec(bits.collect::<Vec<i64>>()),
    };
    (stored, Values::Plain(bytes))
}

/// Integers that lie at the width of `stored`, as 64 bits; one byte each for [`Stored::Bits`].
pub(crate) fn widened(bytes: &[u8], stored: Stored, signed: bool) -> Vec<i64> {
    fn each<T: Pod>(bytes: &[u8], bits: impl Fn(T) -> i64) -> Vec<i64> {
        bytes.chunks_exact(size_of::<T>()).map(|value| bits(bytemuck::pod_read_unaligned(value))).collect()
    }
    match (stored, signed) {
        (Stored::Bytes1, true) => each(bytes, |value: i8| value.into()),
        (Stored::Bytes2, true) => each(bytes, |value: i16| value.into()),
        (Stored::Bytes4, true) => each(bytes, |value: i32| value.into()),
        (Stored::Bits | Stored::Bytes1, _) => each(bytes, |value: u8| value.into()),
        (Stored::Bytes2, false) => each(bytes, |value: u16| value.into()),
        (Stored::Bytes4 | Stored::Codes, _) => each(bytes, |value: u32| value.into()),
        (Stored::Bytes8 | Stored::Bytes16, _) => each(bytes, |value: i64| value),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BooleanArray, Float64Array, Int64Array, NullArray, StringArray, UInt64Array};

    use super::*;

    fn lane(array: ArrayRef) -> Option<Lane> {
        let row_count = array.len();
        Lane::new(SeriesColumn::Rows(array), row_count, &mut DictionaryBuilder::default()).unwrap()
    }

    /// The values of a lane, widened again; 0 where there is none.
    fn values(lane: &Lane, len: usize, signed: bool) -> Vec<i64> {
        let values = match &lane.values {
            Values::Constant(value) => vec![*value; len],
            Values::Plain(bytes) => widened(bytes, lane.stored, signed),
        };
        let is_valid = |row: usize| lane.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        values.into_iter().enumerate().map(|(row, value)| if is_valid(row) { value } else { 0 }).collect()
    }

    #[test]
    fn signed_integers_get_the_narrowest_width_that_holds_both_ends() {
        let (bits, one, two, four, eight) =
            (Stored::Bits, Stored::Bytes1, Stored::Bytes2, Stored::Bytes4, Stored::Bytes8);
        for (min, max, stored) in [
            (0, 1, bits),
            (-1, 0, one),
            (0, 2, one),
            (-128, 127, one),
            (-129, 0, two),
            (0, 128, two),
            (-32_768, 32_767, two),
            (0, 32_768, four),
            (i64::from(i32::MIN), i64::from(i32::MAX), four),
            (0, i64::from(i32::MAX) + 1, eight),
            (i64::from(i32::MIN) - 1, 0, eight),
            (i64::MIN, i64::MAX, eight),
        ] {
            // The natural type is the widest here; a null's slot must not count.
            let column = Int64Array::new(vec![min, max, i64::MAX].into(), Some(vec![true, true, false].into()));
            let found = lane(Arc::new(column)).unwrap();
            assert_eq!(found.stored, stored, "{min} to {max}");
            assert_eq!(values(&found, 3, true), [min, max, 0]);
        }
    }

    #[test]
    fn unsigned_integers_use_the_bit_of_the_sign() {
        for (max, stored) in [
            (1, Stored::Bits),
            (255, Stored::Bytes1),
            (256, Stored::Bytes2),
            (65_535, Stored::Bytes2),
            (65_536, Stored::Bytes4),
            (u64::from(u32::MAX), Stored::Bytes4),
            (u64::from(u32::MAX) + 1, Stored::Bytes8),
            (u64::MAX, Stored::Bytes8),
        ] {
            let found = lane(Arc::new(UInt64Array::from(vec![0, max]))).unwrap();
            assert_eq!(found.stored, stored, "{max}");
            assert_eq!(values(&found, 2, false), [0, max as i64]);
        }
    }

    #[test]
    fn no_width_exceeds_that_of_the_type() {
        let ends: [(ArrayRef, Stored); 8] = [
            (Arc::new(arrow_array::Int8Array::from(vec![i8::MIN, i8::MAX])), Stored::Bytes1),
            (Arc::new(arrow_array::Int16Array::from(vec![i16::MIN, i16::MAX])), Stored::Bytes2),
            (Arc::new(arrow_array::Int32Array::from(vec![i32::MIN, i32::MAX])), Stored::Bytes4),
            (Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX])), Stored::Bytes8),
            (Arc::new(arrow_array::UInt8Array::from(vec![0, u8::MAX])), Stored::Bytes1),
            (Arc::new(arrow_array::UInt16Array::from(vec![0, u16::MAX])), Stored::Bytes2),
            (Arc::new(arrow_array::UInt32Array::from(vec![0, u32::MAX])), Stored::Bytes4),
            (Arc::new(UInt64Array::from(vec![0, u64::MAX])), Stored::Bytes8),
        ];
        for (array, stored) in ends {
            let data_type = array.data_type().clone();
            let found = lane(array).unwrap();
            assert_eq!(found.stored, stored, "{data_type}");
            assert!(found.stored <= natural_stored(&data_type));
        }
    }

    #[test]
    fn a_constant_is_kept_once_whatever_lies_under_its_nulls() {
        for value in [0, 1, -7, i64::MIN, i64::MAX] {
            let column = Int64Array::new(vec![value, 55, value].into(), Some(vec![true, false, true].into()));
            let found = lane(Arc::new(column)).unwrap();
            assert!(matches!(found.values, Values::Constant(kept) if kept == value));
            assert_eq!(found.nulls.unwrap().null_count(), 1);
        }
        let found = lane(Arc::new(UInt64Array::from(vec![u64::MAX; 4]))).unwrap();
        assert!(matches!(found.values, Values::Constant(-1)));
        assert_eq!(found.stored, Stored::Bytes8);
    }

    #[test]
    fn a_constant_column_makes_the_lane_of_its_rows() {
        let coded = |one: ArrayRef, row_count| {
            let mut dictionary = DictionaryBuilder::default();
            dictionary.add(b"known").unwrap();
            Lane::new(SeriesColumn::Constant(one), row_count, &mut dictionary).unwrap()
        };
        for (one, stored, bits) in [
            (Arc::new(Int64Array::from(vec![-3])) as ArrayRef, Stored::Bytes1, -3),
            (Arc::new(UInt64Array::from(vec![u64::MAX])), Stored::Bytes8, -1),
            (Arc::new(Float64Array::from(vec![-0.0])), Stored::Bytes8, i64::MIN),
            (Arc::new(arrow_array::Float32Array::from(vec![-0.0])), Stored::Bytes4, 1 << 31),
            (Arc::new(BooleanArray::from(vec![true])), Stored::Bits, 1),
            (Arc::new(StringArray::from(vec!["new"])), Stored::Codes, 1),
        ] {
            let found = coded(one.clone(), 5).unwrap();
            assert_eq!((found.stored, found.nulls.is_none()), (stored, true), "{}", one.data_type());
            assert!(matches!(found.values, Values::Constant(kept) if kept == bits), "{}", one.data_type());
            assert!(coded(one, 0).is_none());
        }
        let wide = coded(Arc::new(arrow_array::Decimal128Array::from(vec![i128::MIN])), 3).unwrap();
        let Values::Plain(bytes) = wide.values else { panic!("16 bytes in eight") };
        assert_eq!(bytes.typed_data::<i128>(), [i128::MIN; 3]);
    }

    #[test]
    fn columns_without_a_value_have_no_lane() {
        assert!(lane(Arc::new(Int64Array::from(vec![None, None]))).is_none());
        assert!(lane(Arc::new(Float64Array::from(Vec::<f64>::new()))).is_none());
        assert!(lane(Arc::new(NullArray::new(3))).is_none());
    }

    #[test]
    fn slices_are_read_from_where_they_start() {
        let ints: ArrayRef = Arc::new(Int64Array::from(vec![Some(1000), None, Some(2), Some(3)]));
        let found = lane(ints.slice(1, 3)).unwrap();
        assert_eq!((found.stored, values(&found, 3, true)), (Stored::Bytes1, vec![0, 2, 3]));
        let bits: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true, true]));
        assert_eq!(values(&lane(bits.slice(1, 3)).unwrap(), 3, false), [0, 1, 1]);
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, -0.0]));
        let Some(Lane { values: Values::Plain(bytes), .. }) = lane(floats.slice(1, 2)) else { panic!("no values") };
        assert_eq!(bytes.typed_data::<u64>(), [2f64.to_bits(), (-0f64).to_bits()]);
    }
}
