//! What one source has of a piece: its rows, which of the piece's they are, and columns moved from one to the other.

use std::sync::{Arc, OnceLock};

use arrow_buffer::bit_util::{get_bit, set_bit};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer};
use arrow_schema::DataType;
use bytemuck::Pod;

use super::batch::Batch;
use crate::codec::by_width;
use crate::error::{Damage, Result};
use crate::format::{PRESENT, Stored};
use crate::segment::SegmentColumn;

/// The name in segments of the bits that say which rows a source has.
pub(super) const PRESENT_NAME: &str = "present";

/// The one column of segments of such bits.
pub(crate) fn present_column() -> SegmentColumn {
    SegmentColumn {
        column: PRESENT,
        name: PRESENT_NAME.to_owned(),
        logical: DataType::Boolean,
        stored: Stored::Bits,
        dictionary: None,
    }
}

/// One source's rows of a piece.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) values: Batch,
    /// `None` where the source has every row of the piece.
    pub(super) present: Option<Present>,
}

/// Which rows of a piece a source has.
#[derive(Debug, Clone)]
pub(super) struct Present {
    batch: Batch,
    /// One bit for each row of the piece.
    bits: BooleanBuffer,
}

impl Present {
    /// Those that `batch` says, for a part of so many rows. Its checksum is compared once.
    ///
    /// # Errors
    /// When it is damaged.
    pub(super) fn new(batch: Batch, part_rows: usize) -> Result<Present> {
        let wrong = |why: &str| Err(batch.damaged(Damage::Structure(why.to_owned())));
        let [column] = batch.columns() else { return wrong("it does not say which rows a source has") };
        if (column.column, column.stored, batch.null_count(0)) != (PRESENT, Stored::Bits, 0) {
            return wrong("it does not say which rows a source has");
        }
        batch.check_once(0)?;
        let bytes = Buffer::from(&batch.chunk_bytes(0)?[batch.layout(0).values]);
        let bits = BooleanBuffer::new(bytes, 0, batch.row_count());
        if bits.count_set_bits() != part_rows {
            return wrong("it gives a source other rows than it has");
        }
        Ok(Present { batch, bits })
    }

    /// One bit for each row of the piece.
    pub(super) fn bits(&self) -> &BooleanBuffer {
        &self.bits
    }

    /// Where the bits lie.
    pub(super) fn batch(&self) -> &Batch {
        &self.batch
    }
}

/// A column whose rows are not where they lie.
#[derive(Debug)]
pub(super) struct Moved {
    pub(super) values: Buffer,
    /// One bit a row; `None` when all rows have a value.
    pub(super) validity: Option<Buffer>,
    pub(super) null_count: usize,
}

impl Moved {
    /// The `position`-th column of a part's batch, at the rows of the piece: null in those that the part lacks.
    pub(super) fn spread(batch: &Batch, position: usize, present: &Present) -> Result<Moved> {
        let len = present.bits.len();
        let (values, valid) = bytes_of(batch, position)?;
        let pairs = || present.bits.set_indices().enumerate();
        let moved = moved(batch.columns()[position].stored, values, len, pairs());
        let mut validity = MutableBuffer::from_len_zeroed(len.div_ceil(8));
        let has_value = |from| valid.is_none_or(|valid| get_bit(valid, from));
        pairs().filter(|&(from, _)| has_value(from)).for_each(|(_, row)| set_bit(&mut validity, row));
        let valid_count = batch.row_count() - batch.null_count(position) as usize;
        Ok(Moved { values: moved.into(), validity: Some(validity.into()), null_count: len - valid_count })
    }

    /// The `position`-th column of the keys' batch, of the rows alone that a part has. Keys have no nulls.
    pub(super) fn taken(batch: &Batch, position: usize, present: &Present) -> Result<Moved> {
        let len = present.bits.count_set_bits();
        let (values, _) = bytes_of(batch, position)?;
        let pairs = present.bits.set_indices().enumerate().map(|(to, row)| (row, to));
        let values = moved(batch.columns()[position].stored, values, len, pairs);
        Ok(Moved { values: values.into(), validity: None, null_count: 0 })
    }
}

/// Values and validity bits of a column.
fn bytes_of(batch: &Batch, position: usize) -> Result<(&[u8], Option<&[u8]>)> {
    let (chunk, layout) = (batch.chunk_bytes(position)?, batch.layout(position));
    Ok((&chunk[layout.values], layout.validity.map(|validity| &chunk[validity])))
}

/// `len` values, zero but for those that `pairs` of a place in `from` and one here name.
fn moved(stored: Stored, from: &[u8], len: usize, pairs: impl Iterator<Item = (usize, usize)>) -> MutableBuffer {
    by_width!(
        stored,
        bits => {
            let mut to = MutableBuffer::from_len_zeroed(len.div_ceil(8));
            pairs.filter(|&(place, _)| get_bit(from, place)).for_each(|(_, row)| set_bit(&mut to, row));
            to
        },
        Width => moved_as::<Width>(from, len, pairs),
    )
}

fn moved_as<T: Pod>(from: &[u8], len: usize, pairs: impl Iterator<Item = (usize, usize)>) -> MutableBuffer {
    let mut to = MutableBuffer::from_len_zeroed(len * size_of::<T>());
    let values: &mut [T] = bytemuck::cast_slice_mut(to.as_slice_mut());
    let from: &[T] = bytemuck::cast_slice(from);
    pairs.for_each(|(place, row)| values[row] = from[place]);
    to
}

/// Parts that are opened one by one, by place of their source.
pub(super) type Parts = Arc<[OnceLock<Option<Box<Part>>>]>;
