//! One record batch of a segment, in place: its chunks, and whether they are as they were written.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_buffer::Buffer;

use super::open_segment::OpenSegment;
use crate::error::{Damage, Error, Result};
use crate::format::{ALIGNMENT, BatchRecord, ChunkIdentity, ChunkLayout, ChunkRecord};
use crate::key::Date;
use crate::segment::{Segment, SegmentColumn, chunk_array};

/// A record batch of one date; a view of mapped bytes, cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    open: Arc<OpenSegment>,
    record: BatchRecord,
    date: Date,
    body: Buffer,
    /// Where each chunk starts in the body, and the end of the last.
    starts: Arc<[usize]>,
}

impl Batch {
    /// The batch of `record`, whose bytes `get` takes from its segment.
    ///
    /// # Errors
    /// When the record makes no sense, or its bytes cannot be had.
    pub(super) fn new(
        open: &Arc<OpenSegment>,
        date: Date,
        record: BatchRecord,
        get: impl Fn(&Segment, u64, u64) -> Result<Buffer>,
    ) -> Result<Batch> {
        let wrong = |why: String| Err(Error::structure(open.segment.path(), why));
        if !record.body_offset.is_multiple_of(ALIGNMENT) {
            return wrong(format!("the section of {date} is not aligned"));
        }
        if record.row_count == 0 {
            return wrong(format!("a piece of {date} has no row"));
        }
        let body = get(&open.segment, record.body_offset, record.body_len)?;
        let chunks = open.chunks.records(record.chunk_start, open.columns.len())?;
        let mut end = 0;
        let fits = open.columns.iter().zip(chunks).all(|(column, chunk)| {
            ChunkLayout::new(column.stored, record.row_count, chunk.null_count).byte_len as u64 == chunk.byte_len
        });
        if !fits || chunks.iter().map(|chunk| chunk.byte_len).sum::<u64>() != record.body_len {
            return wrong(format!("the section of {date} has another length than its columns"));
        }
        let ends = chunks.iter().map(|chunk| {
            end += chunk.byte_len as usize;
            end
        });
        let starts: Arc<[usize]> = std::iter::once(0).chain(ends).collect();
        Ok(Batch { open: open.clone(), record, date, body, starts })
    }

    /// How many rows it has.
    pub(super) fn row_count(&self) -> usize {
        self.record.row_count as usize
    }

    /// Its segment.
    pub(super) fn segment(&self) -> &Arc<OpenSegment> {
        &self.open
    }

    /// The columns of its segment.
    pub(super) fn columns(&self) -> &[SegmentColumn] {
        &self.open.columns
    }

    /// The `position`-th column in its stored type, without comparing its checksum. The values are not copied.
    pub(super) fn array(&self, position: usize) -> Result<ArrayRef> {
        let (column, nulls) = (&self.open.columns[position], self.null_count(position));
        chunk_array(column, self.record.row_count, nulls, &self.chunk_buffer(position))
            .map_err(|damage| self.damaged(damage))
    }

    /// Compares the checksum of the `position`-th column, and remembers that it matched.
    pub(super) fn check_chunk(&self, position: usize) -> Result<()> {
        if self.identity(position).checksum(self.chunk_bytes(position)) == self.chunk_record(position).checksum {
            self.open.chunks.set_checked(self.record.chunk_start + position as u64);
            return Ok(());
        }
        let column = self.open.columns[position].name.clone();
        Err(self.damaged(Damage::Section { date: self.date, column }))
    }

    /// Compares the checksum of the `position`-th column, unless that was done before: for those who read single rows,
    /// again and again.
    pub(super) fn check_once(&self, position: usize) -> Result<()> {
        if self.open.chunks.is_checked(self.record.chunk_start + position as u64) {
            return Ok(());
        }
        self.check_chunk(position)
    }

    /// The bytes of the `position`-th column, not verified.
    pub(super) fn chunk_bytes(&self, position: usize) -> &[u8] {
        &self.body[self.starts[position]..self.starts[position + 1]]
    }

    /// The values of the `position`-th column, as a buffer that keeps the map alive; not verified.
    pub(super) fn values(&self, position: usize) -> Buffer {
        let values = self.layout(position).values;
        self.body.slice_with_length(self.starts[position] + values.start, values.len())
    }

    /// All that is wrong with its columns.
    pub(super) fn damages(&self) -> Vec<Error> {
        let check = |position: usize| {
            self.check_chunk(position)?;
            // What the codes of a column mean that was given up the version does not say any more.
            if self.columns()[position].is_given_up() { Ok(()) } else { self.array(position).map(drop) }
        };
        (0..self.columns().len()).filter_map(|position| check(position).err()).collect()
    }

    /// As [`chunk_bytes`](Batch::chunk_bytes), as a buffer that keeps the map alive.
    fn chunk_buffer(&self, position: usize) -> Buffer {
        self.body.slice_with_length(self.starts[position], self.starts[position + 1] - self.starts[position])
    }

    /// How the `position`-th column lies in its chunk.
    pub(super) fn layout(&self, position: usize) -> ChunkLayout {
        let stored = self.open.columns[position].stored;
        ChunkLayout::new(stored, self.record.row_count, self.null_count(position))
    }

    /// How many nulls the `position`-th column has, by its record.
    pub(super) fn null_count(&self, position: usize) -> u32 {
        self.chunk_record(position).null_count
    }

    fn chunk_record(&self, position: usize) -> &ChunkRecord {
        // That they are there was seen when the batch was made.
        &self.open.chunks.all()[self.record.chunk_start as usize + position]
    }

    fn identity(&self, position: usize) -> ChunkIdentity {
        let column = &self.open.columns[position];
        ChunkIdentity {
            store_id: self.open.store_id,
            commit: self.open.record.commit,
            ordinal: self.open.record.ordinal,
            date: self.date.days(),
            row_count: self.record.row_count,
            column: column.column,
            null_count: self.null_count(position),
            stored: column.stored as u32,
            chunk: self.record.chunk_start + position as u64,
        }
    }

    pub(super) fn damaged(&self, damage: Damage) -> Error {
        Error::Corrupt { path: self.open.segment.path().to_owned(), damage }
    }
}
