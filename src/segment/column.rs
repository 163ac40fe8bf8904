//! A column as a segment holds it: narrow, and the way back to its logical type.

use arrow_array::{Array, ArrayRef, make_array};
use arrow_buffer::Buffer;
use arrow_data::ArrayData;
use arrow_schema::DataType;

use crate::error::Damage;
use crate::format::{ChunkLayout, Stored};

/// One column of a segment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SegmentColumn {
    /// Index of the panel column: 0 the code, 1 the date.
    pub(crate) column: u32,
    /// Its name.
    pub(crate) name: String,
    /// Its logical type.
    pub(crate) logical: DataType,
    /// How this segment stores it.
    pub(crate) stored: Stored,
    /// For [`Stored::Codes`], the values that codes stand for.
    pub(crate) dictionary: Option<ArrayRef>,
}

/// The stored type of a column whose values need all the width that their logical type has.
pub(crate) fn natural_stored(logical: &DataType) -> Stored {
    match logical {
        DataType::Null | DataType::Boolean => Stored::Bits,
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::Dictionary(_, _) => Stored::Codes,
        fixed => match fixed.primitive_width() {
            Some(1) => Stored::Bytes1,
            Some(2) => Stored::Bytes2,
            Some(4) => Stored::Bytes4,
            Some(16) => Stored::Bytes16,
            _ => Stored::Bytes8,
        },
    }
}

/// The Arrow type under which a segment holds `logical` values stored as `stored`; `None` where the two cannot meet.
pub(crate) fn stored_type(logical: &DataType, stored: Stored) -> Option<DataType> {
    let natural = natural_stored(logical);
    match (logical, stored) {
        (DataType::Null, Stored::Bits) => Some(DataType::Boolean),
        (DataType::Binary | DataType::LargeBinary | DataType::BinaryView, Stored::Codes) => {
            Some(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Binary)))
        }
        (_, Stored::Codes) if natural == Stored::Codes => {
            Some(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))
        }
        (integer, _) if integer.is_integer() && stored <= natural => {
            Some(match (stored, integer.is_signed_integer()) {
                (Stored::Bits, _) => DataType::Boolean,
                (Stored::Bytes1, true) => DataType::Int8,
                (Stored::Bytes2, true) => DataType::Int16,
                (Stored::Bytes4, true) => DataType::Int32,
                (_, true) => DataType::Int64,
                (Stored::Bytes1, false) => DataType::UInt8,
                (Stored::Bytes2, false) => DataType::UInt16,
                (Stored::Bytes4, false) => DataType::UInt32,
                (_, false) => DataType::UInt64,
            })
        }
        (other, _) => (stored == natural).then(|| other.clone()),
    }
}

/// The array over one chunk, in the segment's stored type. The values are not copied.
///
/// # Errors
/// When the bytes cannot be such an array, as when a code lies outside the dictionary.
pub(crate) fn chunk_array(
    column: &SegmentColumn,
    row_count: u32,
    null_count: u32,
    chunk: &Buffer,
) -> Result<ArrayRef, Damage> {
    let wrong = |why: &dyn std::fmt::Display| Damage::Structure(format!("column {:?}: {why}", column.name));
    let layout = ChunkLayout::new(column.stored, row_count, null_count);
    if chunk.len() != layout.byte_len {
        return Err(Damage::Length { expected: layout.byte_len as u64, got: chunk.len() as u64 });
    }
    let slice = |range: std::ops::Range<usize>| chunk.slice_with_length(range.start, range.len());
    let array = stored_array(column, row_count as usize, layout.validity.map(slice), slice(layout.values))?;
    if array.null_count() != null_count as usize {
        return Err(wrong(&format_args!("{} nulls, the catalog says {null_count}", array.null_count())));
    }
    Ok(array)
}

/// The array of these values of a column and their validity bits, in the segment's stored type.
///
/// # Errors
/// When the bytes cannot be such an array, as when a code lies outside the dictionary.
pub(crate) fn stored_array(
    column: &SegmentColumn,
    row_count: usize,
    validity: Option<Buffer>,
    values: Buffer,
) -> Result<ArrayRef, Damage> {
    let wrong = |why: &dyn std::fmt::Display| Damage::Structure(format!("column {:?}: {why}", column.name));
    let data_type =
        stored_type(&column.logical, column.stored).ok_or_else(|| wrong(&"its stored type does not fit its type"))?;
    let mut data = ArrayData::builder(data_type).len(row_count).null_bit_buffer(validity).add_buffer(values);
    if let Some(dictionary) = &column.dictionary {
        data = data.add_child_data(dictionary.to_data());
    }
    // `build` checks everything a later access relies on: buffer lengths, alignment and the range of codes.
    data.build().map(make_array).map_err(|error| wrong(&error))
}
