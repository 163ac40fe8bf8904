//! Values in Parquet's plain encoding, which for numbers is Arrow's memory, and the statistics of a column of them.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, TimeUnit};
use parquet::basic::Type as Physical;
use parquet::data_type::ByteArray;
use parquet::file::statistics::Statistics;

/// The longest text that statistics hold, as those of the `parquet` crate.
const LONGEST_TEXT: usize = 64;

/// Bytes of a page that readers need not split to hold; the numbers of a row group never take as many.
const LONGEST_PAGE: usize = 8 << 20;

/// Appends the numbers of `array` that are not null at the width of `physical`; `false` for a type that is not done
/// here. `array` has its logical type, or a narrower integer's.
pub(super) fn put_numbers(array: &ArrayRef, logical: &DataType, physical: Physical, page: &mut Vec<u8>) -> bool {
    let (width, nulls) = (byte_width(physical), array.nulls());
    if array.data_type() == logical && plain_width(logical) == Some(width) {
        let data = array.to_data();
        let start = data.offset() * width;
        let bytes = &data.buffers()[0][start..start + data.len() * width];
        valid_runs(nulls, array.len(), |from, to| page.extend_from_slice(&bytes[from * width..to * width]));
        return true;
    }
    if !logical.is_integer() {
        return false;
    }
    match array.data_type() {
        DataType::Boolean => {
            let bits = array.as_boolean().values();
            valid_runs(nulls, array.len(), |from, to| {
                (from..to).for_each(|row| put_integer(bits.value(row).into(), width, page));
            });
        }
        DataType::Int8 => put_integers::<Int8Type>(array, width, page),
        DataType::Int16 => put_integers::<Int16Type>(array, width, page),
        DataType::Int32 => put_integers::<Int32Type>(array, width, page),
        DataType::Int64 => put_integers::<Int64Type>(array, width, page),
        DataType::UInt8 => put_integers::<UInt8Type>(array, width, page),
        DataType::UInt16 => put_integers::<UInt16Type>(array, width, page),
        DataType::UInt32 => put_integers::<UInt32Type>(array, width, page),
        DataType::UInt64 => put_integers::<UInt64Type>(array, width, page),
        _ => return false,
    }
    true
}

fn put_integers<T: ArrowPrimitiveType>(array: &ArrayRef, width: usize, page: &mut Vec<u8>)
where
    i128: From<T::Native>,
{
    let values = array.as_primitive::<T>().values();
    page.reserve(values.len() * width);
    valid_runs(array.nulls(), array.len(), |from, to| {
        values[from..to].iter().for_each(|&value| put_integer(value.into(), width, page));
    });
}

/// Appends the low bytes of an integer.
pub(super) fn put_integer(value: i128, width: usize, page: &mut Vec<u8>) {
    match width {
        4 => page.extend_from_slice(&(value as i32).to_le_bytes()),
        _ => page.extend_from_slice(&(value as i64).to_le_bytes()),
    }
}

/// Calls `each` with the runs of rows that are not null.
fn valid_runs(nulls: Option<&NullBuffer>, len: usize, mut each: impl FnMut(usize, usize)) {
    match nulls {
        None => each(0, len),
        Some(nulls) => nulls.valid_slices().for_each(|(from, to)| each(from, to)),
    }
}

/// Appends texts; `false` where they take more than a page should.
pub(super) fn put_texts<'t>(mut texts: impl Iterator<Item = &'t [u8]>, page: &mut Vec<u8>) -> bool {
    texts.all(|text| {
        put_text(text, page);
        page.len() <= LONGEST_PAGE
    })
}

/// Appends a text.
pub(super) fn put_text(text: &[u8], page: &mut Vec<u8>) {
    page.extend_from_slice(&(text.len() as u32).to_le_bytes());
    page.extend_from_slice(text);
}

/// Bytes of one value of a type whose Arrow memory is its plain Parquet encoding.
fn plain_width(logical: &DataType) -> Option<usize> {
    match logical {
        DataType::Int32
        | DataType::UInt32
        | DataType::Float32
        | DataType::Date32
        | DataType::Time32(TimeUnit::Millisecond) => Some(4),
        DataType::Int64
        | DataType::UInt64
        | DataType::Float64
        | DataType::Time64(_)
        | DataType::Timestamp(TimeUnit::Millisecond | TimeUnit::Microsecond | TimeUnit::Nanosecond, _) => Some(8),
        _ => None,
    }
}

/// Bytes of a number of a physical type.
pub(super) fn byte_width(physical: Physical) -> usize {
    if matches!(physical, Physical::INT32 | Physical::FLOAT) { 4 } else { 8 }
}

/// The numbers of plain bytes, as bits.
pub(super) fn bits(bytes: &[u8], physical: Physical) -> impl Iterator<Item = u64> {
    let width = byte_width(physical);
    bytes.chunks_exact(width).map(move |value| match value.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => value.first_chunk().map_or(0, |four| u32::from_le_bytes(*four).into()),
    })
}

/// Statistics of plain `bytes` of a column: the least and the greatest of integers. Of measurements nobody looks for
/// them, within one date.
pub(super) fn number_statistics(bytes: &[u8], logical: &DataType, physical: Physical, nulls: u64) -> Statistics {
    /// The ends of integers, ordered as those of `logical` are.
    fn ends<T: Copy, K: Ord>(values: impl Iterator<Item = T>, key: impl Fn(T) -> K) -> (Option<T>, Option<T>) {
        values.fold((None, None), |(least, most), value| {
            let lower = least.is_none_or(|least| key(value) < key(least));
            let higher = most.is_none_or(|most| key(value) > key(most));
            (if lower { Some(value) } else { least }, if higher { Some(value) } else { most })
        })
    }
    let unsigned = logical.is_unsigned_integer();
    match physical {
        Physical::INT32 => {
            let values = bits(bytes, physical).map(|bits| bits as i32);
            let (min, max) = if unsigned { ends(values, |value| value as u32) } else { ends(values, |value| value) };
            Statistics::int32(min, max, None, Some(nulls), false)
        }
        Physical::INT64 => {
            let values = bits(bytes, physical).map(|bits| bits as i64);
            let (min, max) = if unsigned { ends(values, |value| value as u64) } else { ends(values, |value| value) };
            Statistics::int64(min, max, None, Some(nulls), false)
        }
        Physical::FLOAT => Statistics::float(None, None, None, Some(nulls), false),
        _ => Statistics::double(None, None, None, Some(nulls), false),
    }
}

/// Statistics of texts: the least and the greatest by their bytes, unless one of them is long.
pub(super) fn text_statistics<'t>(texts: impl Iterator<Item = &'t [u8]>, nulls: u64) -> Statistics {
    let ends = texts.fold(None, |ends: Option<(&[u8], &[u8])>, text| match ends {
        None => Some((text, text)),
        Some((least, most)) => Some((least.min(text), most.max(text))),
    });
    let ends = ends.filter(|(least, most)| least.len().max(most.len()) <= LONGEST_TEXT);
    let (min, max) = ends.map(|(min, max)| (ByteArray::from(min.to_vec()), ByteArray::from(max.to_vec()))).unzip();
    Statistics::byte_array(min, max, None, Some(nulls), false)
}
