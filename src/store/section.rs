//! One section: all stocks on one date, in place.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Int32Type};
use arrow_array::{Array, ArrayRef, UInt32Array, cast::AsArray, new_null_array};
use arrow_buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow_schema::DataType;
use arrow_select::take::take;

use super::version::{OpenSegment, Version};
use crate::error::{Damage, Error, Result, Wanted};
use crate::format::{ALIGNMENT, ChunkLayout, ChunkRecord, SectionIdentity, SectionRecord, Stored, Table};
use crate::key::Date;
use crate::panel::restore;
use crate::segment::{Segment, chunk_array};

/// All rows of one date, ordered by code; a view of mapped bytes, cheap to clone.
///
/// Nothing is read before a column is asked for. Each time a column is handed out its checksum is compared, which reads
/// it once (about as fast as memory).
#[derive(Debug, Clone)]
pub struct Section {
    version: Arc<Version>,
    date: Date,
    record: SectionRecord,
    open: Arc<OpenSegment>,
    body: Buffer,
    /// Where each chunk starts in the body, and the end of the last.
    starts: Arc<[usize]>,
}

impl Section {
    /// The section of the `index`-th date, whose bytes `get` takes from its segment.
    pub(super) fn new(
        version: &Arc<Version>,
        index: usize,
        get: impl Fn(&Segment, u64, u64) -> Result<Buffer>,
    ) -> Result<Section> {
        let dates = version.dates()?;
        let date = *dates.get(index).ok_or_else(|| Error::NotFound {
            wanted: Wanted::Date,
            what: format!("section {index}"),
            hint: format!("there are {}", dates.len()),
        })?;
        let record: SectionRecord = version.catalog.record(Table::Sections, index)?;
        let open = version.segment(record.segment)?;
        if !record.body_offset.is_multiple_of(ALIGNMENT) {
            return Err(version.catalog.structure(format!("the section of {date} is not aligned")));
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
        Ok(Section { version: version.clone(), date, record, open: open.clone(), body, starts })
    }

    /// The section's date.
    pub fn date(&self) -> Date {
        self.date
    }

    /// The version in which its rows last changed: equal in two versions of one store, they hold the same rows.
    pub fn changed(&self) -> u64 {
        self.record.changed
    }

    /// How many stocks have a row on this date.
    pub fn row_count(&self) -> usize {
        self.record.row_count as usize
    }

    /// The rows' codes, ascending.
    ///
    /// # Errors
    /// When the section is damaged.
    pub fn codes(&self) -> Result<Vec<&str>> {
        let names = self.version.codes()?;
        let numbers = self.stock_numbers()?;
        let code = |&number: &i32| usize::try_from(number).ok().filter(|&n| n < names.len()).map(|n| names.value(n));
        let codes: Option<Vec<&str>> = numbers.iter().map(code).collect();
        codes
            .ok_or_else(|| self.version.catalog.structure(format!("the section of {} names unknown stocks", self.date)))
    }

    /// The code column as it is stored, a dictionary of stock numbers, without comparing its checksum.
    pub(crate) fn unchecked_code(&self) -> Result<StoredColumn> {
        let stored = self.unchecked_chunk(0)?;
        match stored.as_dictionary_opt::<Int32Type>() {
            Some(_) => Ok(StoredColumn { stored, logical: self.version.schema()?.code.data_type.clone() }),
            None => Err(self.version.catalog.structure("the first column of a segment is not the code")),
        }
    }

    /// As [`column_at`](Section::column_at), without comparing its checksum.
    pub(crate) fn unchecked_column(&self, index: usize) -> Result<StoredColumn> {
        let logical = self.version.panel_type(index)?;
        let stored = match self.open.position(index) {
            Some(position) => self.unchecked_chunk(position)?,
            // The column came to the panel after this segment was written.
            None => new_null_array(logical, self.row_count()),
        };
        Ok(StoredColumn { stored, logical: logical.clone() })
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

    /// The section's date, once, as the date column's type spells it.
    pub(crate) fn date_value(&self) -> Result<ArrayRef> {
        self.version.schema()?.date_form.repeated(self.date, 1)
    }

    /// The rows' stock numbers, in the order of their codes.
    pub(crate) fn stock_numbers(&self) -> Result<ScalarBuffer<i32>> {
        let codes = self.chunk(0)?;
        codes
            .as_dictionary_opt::<Int32Type>()
            .map(|codes| codes.keys().values().clone())
            .ok_or_else(|| self.version.catalog.structure("the first column of a segment is not the code"))
    }

    /// The column `name` as it is stored, without a copy.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a name that the panel does not have; [`Error::Corrupt`] when its checksum does not
    /// match.
    pub fn column(&self, name: &str) -> Result<StoredColumn> {
        self.column_at(self.version.schema()?.find(name)?)
    }

    /// The `index`-th of the panel's columns as it is stored, without a copy.
    ///
    /// # Errors
    /// As [`column`](Section::column).
    pub fn column_at(&self, index: usize) -> Result<StoredColumn> {
        self.version.panel_type(index)?;
        self.open.position(index).map_or(Ok(()), |position| self.check_chunk(position))?;
        self.unchecked_column(index)
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

    /// As [`column_as`](Section::column_as), of a column whose checksum was compared once at least.
    pub(crate) fn checked_column_as(&self, index: usize, logical: &DataType, rows: Range<usize>) -> Result<ArrayRef> {
        self.open.position(index).map_or(Ok(()), |position| self.check_once(position))?;
        self.column_as(index, logical, rows)
    }

    /// The further key columns in the panel's types, each of whose checksums was compared once at least.
    pub(crate) fn key_columns(&self) -> Result<Vec<ArrayRef>> {
        let panel = self.version.schema()?;
        let column =
            |&index: &usize| self.checked_column_as(index, &panel.columns[index].data_type, 0..self.row_count());
        panel.key.iter().map(column).collect()
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

    /// As [`chunk_bytes`](Section::chunk_bytes), as a buffer that keeps the map alive.
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

    pub(super) fn version(&self) -> &Arc<Version> {
        &self.version
    }

    pub(super) fn segment(&self) -> &Arc<OpenSegment> {
        &self.open
    }

    fn identity(&self, position: usize) -> SectionIdentity {
        let column = &self.open.columns[position];
        SectionIdentity {
            store_id: self.version.catalog.header().store_id,
            version: self.open.record.version,
            ordinal: self.open.record.ordinal,
            date: self.date.days(),
            row_count: self.record.row_count,
            column: column.column,
            null_count: self.chunk_record(position).null_count,
            stored: column.stored as u32,
        }
    }

    pub(super) fn damaged(&self, damage: Damage) -> Error {
        Error::Corrupt { path: self.open.segment.path().to_owned(), damage }
    }
}

/// One column of one section as bytes.
pub(crate) struct RawColumn<'a> {
    pub(crate) stored: Stored,
    /// The logical type when it was stored.
    pub(crate) logical: &'a DataType,
    pub(crate) values: &'a [u8],
    /// One bit a row; `None` when all rows have a value.
    pub(crate) validity: Option<&'a [u8]>,
}

/// One column of one section in its stored type; the values lie in the map.
#[derive(Debug, Clone)]
pub struct StoredColumn {
    stored: ArrayRef,
    logical: DataType,
}

impl StoredColumn {
    /// The array in its stored type: narrower than the logical one where no value needs more.
    pub fn stored(&self) -> &ArrayRef {
        &self.stored
    }

    /// The column's logical type.
    pub fn logical_type(&self) -> &DataType {
        &self.logical
    }

    /// The values as a slice, where `T` is the stored type. Slots of nulls hold zero.
    pub fn values<T: ArrowPrimitiveType>(&self) -> Option<&[T::Native]> {
        self.stored.as_primitive_opt::<T>().map(|array| array.values().as_ref())
    }

    /// Which rows have a value; `None` when all have.
    pub fn nulls(&self) -> Option<&NullBuffer> {
        self.stored.nulls()
    }

    /// The array in its logical type. Copies only where that differs from the stored one.
    ///
    /// # Errors
    /// When a value does not fit, which no undamaged store contains.
    pub fn logical(&self) -> Result<ArrayRef> {
        restore(&self.stored, &self.logical)
    }

    /// The rows at `places`, which must lie within it.
    pub(super) fn take(&self, places: &UInt32Array) -> Result<StoredColumn> {
        let stored = take(&self.stored, places, None).map_err(Error::failed("choose rows of a column"))?;
        Ok(StoredColumn { stored, logical: self.logical.clone() })
    }

    /// A column of `row_count` rows of its type that has no value.
    pub(super) fn all_null(&self, row_count: usize) -> StoredColumn {
        StoredColumn { stored: new_null_array(&self.logical, row_count), logical: self.logical.clone() }
    }
}
