//! A column as a segment holds it: narrow, and the way back to its logical type.

use arrow_array::{Array, ArrayRef, make_array};
use arrow_buffer::Buffer;
use arrow_data::ArrayData;
use arrow_schema::DataType;

use crate::codec::stored_type;
use crate::error::Damage;
use crate::format::{ChunkLayout, Stored};

/// One column of a segment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SegmentColumn {
    /// Its id: 0 the code, 1 the date.
    pub(crate) column: u32,
    /// Its name.
    pub(crate) name: String,
    /// Its logical type.
    pub(crate) logical: DataType,
    /// How this segment stores it.
    pub(crate) stored: Stored,
    /// For [`Stored::Codes`], the values that codes stand for, while the segment is written. Who reads it has them from the
    /// catalog.
    pub(crate) dictionary: Option<ArrayRef>,
}

/// The array over one chunk, in the segment's stored type. The values are not copied. `texts` are those that codes stand
/// for.
///
/// # Errors
/// When the bytes cannot be such an array, as when a code lies outside the dictionary.
pub(crate) fn chunk_array(
    column: &SegmentColumn,
    texts: Option<&ArrayRef>,
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
    let array = stored_array(column, texts, row_count as usize, layout.validity.map(slice), slice(layout.values))?;
    if array.null_count() != null_count as usize {
        return Err(wrong(&format_args!("{} nulls, the catalog says {null_count}", array.null_count())));
    }
    Ok(array)
}

/// The array of these values of a column and their validity bits, in the segment's stored type. `texts` are those that
/// codes stand for.
///
/// # Errors
/// When the bytes cannot be such an array, as when a code lies outside the dictionary.
pub(crate) fn stored_array(
    column: &SegmentColumn,
    texts: Option<&ArrayRef>,
    row_count: usize,
    validity: Option<Buffer>,
    values: Buffer,
) -> Result<ArrayRef, Damage> {
    let wrong = |why: &dyn std::fmt::Display| Damage::Structure(format!("column {:?}: {why}", column.name));
    let data_type =
        stored_type(&column.logical, column.stored).ok_or_else(|| wrong(&"its stored type does not fit its type"))?;
    let mut data = ArrayData::builder(data_type).len(row_count).null_bit_buffer(validity).add_buffer(values);
    if let Some(texts) = texts {
        data = data.add_child_data(texts.to_data());
    }
    // `build` checks everything a later access relies on: buffer lengths, alignment and the range of codes.
    data.build().map(make_array).map_err(|error| wrong(&error))
}
