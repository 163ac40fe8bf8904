//! One piece of a section: rows of one date that lie in one record batch, in place.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, cast::AsArray, new_null_array};
use arrow_buffer::Buffer;
use arrow_schema::DataType;

use super::column::StoredColumn;
use super::version::{OpenSegment, Version};
use crate::error::{Damage, Error, Result};
use crate::format::{ALIGNMENT, ChunkIdentity, ChunkLayout, ChunkRecord, PieceRecord, Stored};
use crate::key::Date;
use crate::panel::restore;
use crate::segment::{Segment, chunk_array};

/// Neighbouring rows of one date; a view of mapped bytes.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    version: Arc<Version>,
    date: Date,
    record: PieceRecord,
    open: Arc<OpenSegment>,
    body: Buffer,
    /// Where each chunk starts in the body, and the end of the last.
    starts: Arc<[usize]>,
}

impl Piece {
    /// The piece of `record`, one of the section of `date`, whose bytes `get` takes from its segment.
    pub(super) fn new(
        version: &Arc<Version>,
        date: Date,
        record: PieceRecord,
        get: impl Fn(&Segment, u64, u64) -> Result<Buffer>,
    ) -> Result<Piece> {
        let open = version.segment(record.segment)?;
        if !record.body_offset.is_multiple_of(ALIGNMENT) {
            return Err(version.catalog.structure(format!("the section of {date} is not aligned")));
        }
        if record.row_count == 0 {
            return Err(version.catalog.structure(format!("a piece of {date} has no row")));
        }
        let body = get(&open.segment, record.body_offset, record.body_len)?;
        let chunks = open.chunks.records(record.chunk_start, open.columns.len())?;
        let mut end = 0;
        let ends = open.columns.iter().zip(chunks).map(|(column, chunk)| {
            end += ChunkLayout::new(column.stored, record.row_count, chunk.null_count).byte_len;
            end
        });
        let starts: Arc<[usize]> = std::iter::once(0).chain(ends).collect();
        if end as u64 != record.body_len {
            return Err(version
                .catalog
                .structure(format!("the section of {date} has another length than its columns")));
        }
        Ok(Piece { version: version.clone(), date, record, open: open.clone(), body, starts })
    }

    /// How many rows it has.
    pub(crate) fn row_count(&self) -> usize {
        self.record.row_count as usize
    }

    /// The date of its rows.
    pub(crate) fn date(&self) -> Date {
        self.date
    }

    /// The code column as it is stored, a dictionary of stock numbers, without comparing its checksum.
    pub(crate) fn unchecked_code(&self) -> Result<StoredColumn> {
        let stored = self.unchecked_chunk(0)?;
        match stored.as_dictionary_opt::<Int32Type>() {
            Some(_) => Ok(StoredColumn::new(stored, self.version.schema()?.code.data_type.clone())),
            None => Err(self.version.catalog.structure("the first column of a segment is not the code")),
        }
    }

    /// The `index`-th of the panel's columns as it is stored, without comparing its checksum.
    pub(crate) fn unchecked_column(&self, index: usize) -> Result<StoredColumn> {
        Ok(StoredColumn::new(self.unchecked_array(index)?, self.version.panel_type(index)?.clone()))
    }

    /// The `index`-th of the panel's columns as it is stored.
    ///
    /// # Errors
    /// When its checksum does not match.
    pub(super) fn array(&self, index: usize) -> Result<ArrayRef> {
        self.open.position(index).map_or(Ok(()), |position| self.check_chunk(position))?;
        self.unchecked_array(index)
    }

    fn unchecked_array(&self, index: usize) -> Result<ArrayRef> {
        match self.open.position(index) {
            Some(position) => self.unchecked_chunk(position),
            // The column came to the panel after this segment was written.
            None => Ok(new_null_array(self.version.panel_type(index)?, self.row_count())),
        }
    }

    /// Compares the checksums of the code column and of the panel's columns at `columns`. Whoever does it after their
    /// values were used knows that those were right, whatever another program did to a mapped file meanwhile.
    ///
    /// # Errors
    /// [`Error::Corrupt`], naming the first column whose checksum does not match.
    pub(crate) fn check_columns(&self, columns: &[usize]) -> Result<()> {
        let positions = columns.iter().filter_map(|&index| self.open.position(index));
        std::iter::once(0).chain(positions).try_for_each(|position| self.check_chunk(position))
    }

    /// The chunk of the segment's `position`-th column, verified.
    pub(super) fn chunk(&self, position: usize) -> Result<ArrayRef> {
        self.check_chunk(position)?;
        self.unchecked_chunk(position)
    }

    fn unchecked_chunk(&self, position: usize) -> Result<ArrayRef> {
        let (column, record) = (&self.open.columns[position], self.chunk_record(position));
        let bytes = self.chunk_buffer(position);
        chunk_array(column, self.record.row_count, record.null_count, &bytes).map_err(|damage| self.damaged(damage))
    }

    /// Compares the checksum of the `index`-th of the panel's columns, unless that was done before.
    pub(super) fn check_column_once(&self, index: usize) -> Result<()> {
        self.open.position(index).map_or(Ok(()), |position| self.check_once(position))
    }

    /// These rows of the `index`-th of the panel's columns converted to `logical`, without comparing its checksum; all
    /// null where the segment lacks it.
    pub(crate) fn column_as(&self, index: usize, logical: &DataType, rows: Range<usize>) -> Result<ArrayRef> {
        let Some(position) = self.open.position(index) else { return Ok(new_null_array(logical, rows.len())) };
        let bytes = self.chunk_buffer(position);
        let (column, nulls) = (&self.open.columns[position], self.chunk_record(position).null_count);
        let array = chunk_array(column, self.record.row_count, nulls, &bytes).map_err(|damage| self.damaged(damage))?;
        restore(&array.slice(rows.start, rows.len()), logical)
    }

    /// The `index`-th of the panel's columns as bytes, not verified; `None` where the segment lacks it.
    pub(crate) fn raw(&self, index: usize) -> Option<RawColumn<'_>> {
        let position = self.open.position(index)?;
        let (column, layout) = (&self.open.columns[position], self.layout(position));
        let bytes = self.chunk_bytes(position);
        Some(RawColumn {
            stored: column.stored,
            logical: &column.logical,
            values: &bytes[layout.values],
            validity: layout.validity.map(|validity| &bytes[validity]),
        })
    }

    /// Compares the checksums of all columns.
    ///
    /// # Errors
    /// [`Error::Corrupt`], naming the first column whose checksum does not match.
    pub(crate) fn check(&self) -> Result<()> {
        (0..self.open.columns.len()).try_for_each(|position| self.check_chunk(position))
    }

    /// Compares the checksum of the segment's `position`-th column, unless that was done before: for those who read
    /// single rows, again and again.
    pub(super) fn check_once(&self, position: usize) -> Result<()> {
        if self.open.chunks.is_checked(self.record.chunk_start + position as u64) {
            return Ok(());
        }
        self.check_chunk(position)
    }

    fn check_chunk(&self, position: usize) -> Result<()> {
        if self.identity(position).checksum(self.chunk_bytes(position)) == self.chunk_record(position).checksum {
            self.open.chunks.set_checked(self.record.chunk_start + position as u64);
            return Ok(());
        }
        let column = self.open.columns[position].name.clone();
        Err(self.damaged(Damage::Section { date: self.date, column }))
    }

    /// The bytes of the segment's `position`-th column, not verified.
    pub(super) fn chunk_bytes(&self, position: usize) -> &[u8] {
        &self.body[self.starts[position]..self.starts[position + 1]]
    }

    /// As [`chunk_bytes`](Piece::chunk_bytes), as a buffer that keeps the map alive.
    fn chunk_buffer(&self, position: usize) -> Buffer {
        self.body.slice_with_length(self.starts[position], self.starts[position + 1] - self.starts[position])
    }

    /// How the segment's `position`-th column lies in its chunk.
    pub(super) fn layout(&self, position: usize) -> ChunkLayout {
        let record = self.chunk_record(position);
        ChunkLayout::new(self.open.columns[position].stored, self.record.row_count, record.null_count)
    }

    /// Whether the `index`-th of the panel's columns has a value, by its record.
    pub(crate) fn has_value(&self, index: usize) -> bool {
        let position = self.open.position(index);
        position.is_some_and(|position| self.null_count(position) < self.record.row_count)
    }

    pub(super) fn null_count(&self, position: usize) -> u32 {
        self.chunk_record(position).null_count
    }

    /// The record of the segment's `position`-th column.
    fn chunk_record(&self, position: usize) -> &ChunkRecord {
        // That they are there was seen when the section was made.
        &self.open.chunks.all()[self.record.chunk_start as usize + position]
    }

    pub(super) fn version(&self) -> &Version {
        &self.version
    }

    pub(super) fn segment(&self) -> &Arc<OpenSegment> {
        &self.open
    }

    fn identity(&self, position: usize) -> ChunkIdentity {
        let column = &self.open.columns[position];
        ChunkIdentity {
            store_id: self.version.catalog.header().store_id,
            version: self.open.record.version,
            ordinal: self.open.record.ordinal,
            date: self.date.days(),
            row_count: self.record.row_count,
            column: column.column,
            null_count: self.chunk_record(position).null_count,
            stored: column.stored as u32,
            chunk: self.record.chunk_start + position as u64,
        }
    }

    pub(super) fn damaged(&self, damage: Damage) -> Error {
        Error::Corrupt { path: self.open.segment.path().to_owned(), damage }
    }

    /// The rows of the stocks whose places in code order lie in `wanted`.
    pub(crate) fn rows_between(&self, wanted: Range<u32>) -> Result<Range<usize>> {
        self.check_once(0)?;
        let ranks = self.version().ranks()?;
        let start = self.first_row(wanted.start, ranks, 0)?;
        // A damaged section may be out of order.
        Ok(start..self.first_row(wanted.end, ranks, start)?.max(start))
    }

    /// The first row whose stock's place in code order is `wanted` or later; the number of rows when there is none.
    /// Takes few steps when it lies near row `near`, as it does near that of a neighbouring section.
    pub(super) fn first_row(&self, wanted: u32, ranks: &[u32], near: usize) -> Result<usize> {
        let len = self.row_count();
        let (mut low, mut high) = (0, len);
        let (mut probe, mut step) = (near, 1);
        while low < high {
            let at = probe.clamp(low, high - 1);
            if self.rank_at(at, ranks)? < wanted {
                low = at + 1
            } else {
                high = at
            }
            // Ever longer steps until the row lies between two probes; then by halves.
            probe = match (low, high) {
                (0, _) => high.saturating_sub(step),
                (_, end) if end == len => low + step - 1,
                _ => low + (high - low) / 2,
            };
            step = step.saturating_mul(2);
        }
        Ok(low)
    }

    /// Place in code order of the stock in `row`.
    pub(super) fn rank_at(&self, row: usize, ranks: &[u32]) -> Result<u32> {
        ranks.get(self.raw_stock_numbers()[row] as usize).copied().ok_or_else(|| self.unknown_stocks())
    }

    /// The places in code order of the stocks in these rows, without comparing the checksum.
    pub(crate) fn ranks_at(&self, rows: Range<usize>) -> Result<Vec<u32>> {
        let ranks = self.version().ranks()?;
        let rank = |row| match self.rank_at(row, ranks)? {
            rank if (rank as usize) < ranks.len() => Ok(rank),
            _ => Err(self.unknown_stocks()),
        };
        rows.map(rank).collect()
    }

    /// The rows' stock numbers, without comparing the checksum.
    pub(crate) fn raw_stock_numbers(&self) -> &[u32] {
        // A segment's buffers are aligned, and so is a section's place in it.
        bytemuck::cast_slice(&self.chunk_bytes(0)[self.layout(0).values])
    }

    pub(super) fn unknown_stocks(&self) -> Error {
        self.damaged(Damage::Structure(format!("the section of {} names unknown stocks", self.date())))
    }
}

/// One column of one piece as bytes.
pub(crate) struct RawColumn<'a> {
    pub(crate) stored: Stored,
    /// The logical type when it was stored.
    pub(crate) logical: &'a DataType,
    pub(crate) values: &'a [u8],
    /// One bit a row; `None` when all rows have a value.
    pub(crate) validity: Option<&'a [u8]>,
}
