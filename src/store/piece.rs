//! One piece of a section: neighbouring rows of one date, put together from the parts that sources have of them.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow_array::{ArrayRef, new_null_array};
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use arrow_schema::DataType;

use super::batch::Batch;
use super::column::StoredColumn;
use super::dictionary::Texts;
use super::part::{Moved, Part, Parts, Present};
use super::version::{CODE, DAY, Home, Version};
use crate::error::{Damage, Error, Result};
use crate::format::{BatchRecord, NONE, PartRecord, PieceRecord, Stored};
use crate::key::Date;
use crate::panel::restore;
use crate::segment::{SegmentColumn, stored_array};

/// Neighbouring rows of one date, as its version sees them; a view of mapped bytes.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    version: Arc<Version>,
    date: Date,
    record: PieceRecord,
    /// Rows that are seen.
    row_count: usize,
    bytes: Bytes,
    /// Code, date and key columns of the piece's rows.
    keys: OnceLock<Batch>,
    /// By place of the source; of a source's own view, its alone.
    parts: Parts,
    /// Columns that had to be moved, code and date first.
    moved: OnceLock<Arc<[OnceLock<Moved>]>>,
}

/// What is asked of the bytes of its batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytes {
    /// Values, which are mapped or read, as the store was opened.
    AsStore,
    /// Nothing.
    None,
}

/// Where a column's values lie.
enum Place<'a> {
    /// Nowhere: every row is null.
    Absent,
    /// In this column of the batch, row by row.
    Whole(&'a Batch, usize),
    /// There, of the rows that the part has.
    Spread(&'a Batch, usize, &'a Present),
    /// There, of more rows than are seen.
    Taken(&'a Batch, usize, &'a Present),
}

impl Place<'_> {
    /// Compares the checksum of the column, unless that was done before.
    fn check_once(&self) -> Result<()> {
        match self {
            Place::Absent => Ok(()),
            Place::Whole(batch, at) | Place::Spread(batch, at, _) | Place::Taken(batch, at, _) => batch.check_once(*at),
        }
    }
}

/// A column that is seen.
#[derive(Debug, Clone, Copy)]
enum Seen {
    Code,
    Day,
    /// The `index`-th of the panel's.
    Column(usize),
}

impl Piece {
    /// The piece of `record`, one of the section of `date`; `part` is what the source has of it, in a source's own view.
    pub(super) fn new(
        version: &Arc<Version>,
        date: Date,
        record: PieceRecord,
        part: Option<PartRecord>,
        bytes: Bytes,
    ) -> Result<Piece> {
        let part_count = if part.is_some() { 1 } else { version.sources()?.len() };
        let piece = Piece {
            version: version.clone(),
            date,
            record,
            row_count: part.map_or(record.row_count, |part| part.values.row_count) as usize,
            bytes,
            keys: OnceLock::new(),
            parts: (0..part_count).map(|_| OnceLock::new()).collect(),
            moved: OnceLock::new(),
        };
        if piece.row_count == 0 {
            return Err(version.catalog.structure(format!("a piece of {date} has no row")));
        }
        // Where its rows begin and end is needed in any case.
        piece.place(Seen::Code)?;
        Ok(piece)
    }

    /// The batch of `record`, in a segment of `home`.
    fn batch(&self, home: Home, record: BatchRecord) -> Result<Batch> {
        Batch::new(self.version.segment(home, record.segment)?, self.date, record)
    }

    /// What the source at `place` has of the piece.
    fn part(&self, place: usize) -> Result<Option<&Part>> {
        let unknown = || self.version.catalog.structure(format!("it has no source {place}"));
        let slot = self.parts.get(if self.version.source().is_some() { 0 } else { place }).ok_or_else(unknown)?;
        if let Some(part) = slot.get() {
            return Ok(part.as_deref());
        }
        let found = match self.version.part(place, self.date, self.record.number)? {
            None => None,
            Some(PartRecord { values, present, .. }) => {
                let values = self.batch(Home::Source(place), values)?;
                // Without bytes nobody asks which rows there are.
                let has_all = present.segment == NONE || self.bytes == Bytes::None;
                let present = match has_all {
                    true => None,
                    false => Some(Present::new(self.batch(Home::Source(place), present)?, values.row_count())?),
                };
                let row_count = present.as_ref().map_or(values.row_count(), |present| present.bits().len());
                if row_count != self.record.row_count as usize && self.bytes != Bytes::None {
                    let date = self.date;
                    return Err(self
                        .version
                        .catalog
                        .structure(format!("a part of {date} has other rows than its piece")));
                }
                Some(Box::new(Part { values, present }))
            }
        };
        Ok(slot.get_or_init(|| found).as_deref())
    }

    /// Code, date and key columns of the piece's rows.
    fn keys(&self) -> Result<&Batch> {
        if let Some(keys) = self.keys.get() {
            return Ok(keys);
        }
        let keys = match (self.record.keys, self.version.source()) {
            (BatchRecord { segment: NONE, .. }, None) => self.part(0)?.map(|part| part.values.clone()),
            (BatchRecord { segment: NONE, .. }, Some(_)) => {
                let part = self.version.part(0, self.date, self.record.number)?;
                part.map(|part| self.batch(Home::Source(0), part.values)).transpose()?
            }
            (record, _) => Some(self.batch(Home::Keys, record)?),
        };
        let lacks = || self.version.catalog.structure(format!("no source has the keys of a piece of {}", self.date));
        let keys = keys.ok_or_else(lacks)?;
        if keys.row_count() != self.record.row_count as usize {
            let date = self.date;
            return Err(self.version.catalog.structure(format!("the keys of a piece of {date} have other rows")));
        }
        Ok(self.keys.get_or_init(|| keys))
    }

    fn place(&self, seen: Seen) -> Result<Place<'_>> {
        match seen {
            Seen::Code => self.key_column(CODE),
            Seen::Day => self.key_column(DAY),
            Seen::Column(index) => self.column(index),
        }
    }

    /// Where the `index`-th of the panel's columns lies. Inlined, as what follows from it is, where single values are read:
    /// handing it on through memory took a sixth of the time of a series.
    #[inline(always)]
    fn column(&self, index: usize) -> Result<Place<'_>> {
        let Some((id, owner)) = self.version.column_place(index)? else {
            return Err(self.version.panel_type(index).err().unwrap_or(Error::Cancelled));
        };
        let Some(owner) = owner else { return self.key_column(id) };
        let Some(part) = self.part(owner)? else { return Ok(Place::Absent) };
        let Some(at) = part.values.segment().position(id) else { return Ok(Place::Absent) };
        Ok(match &part.present {
            Some(present) if self.version.source().is_none() => Place::Spread(&part.values, at, present),
            _ => Place::Whole(&part.values, at),
        })
    }

    /// Where the code, the date or the key column with this id lies.
    fn key_column(&self, id: u32) -> Result<Place<'_>> {
        match self.version.source() {
            // The first source has the keys of its rows beside them, if it was the first when they were written.
            Some(0) if self.first_is_keyed()? != Some(false) => match self.part(0)? {
                Some(part) => self.key_place(&part.values, id).map(|at| Place::Whole(&part.values, at)),
                None => Ok(Place::Absent),
            },
            source => {
                let (keys, part) = (self.keys()?, source.map(|place| self.part(place)).transpose()?.flatten());
                let at = self.key_place(keys, id)?;
                Ok(match part.and_then(|part| part.present.as_ref()) {
                    Some(present) => Place::Taken(keys, at, present),
                    None => Place::Whole(keys, at),
                })
            }
        }
    }

    /// Whether the first source has the keys of its rows beside them; `None` where it has no row of the piece.
    fn first_is_keyed(&self) -> Result<Option<bool>> {
        Ok(self.part(0)?.map(|part| part.values.segment().position(CODE).is_some()))
    }

    /// Where the code, the date or a key column stands in `batch`.
    fn key_place(&self, batch: &Batch, id: u32) -> Result<usize> {
        let wanted = match id {
            CODE => Some(Stored::Codes),
            DAY => Some(Stored::Bytes4),
            _ => None,
        };
        let found = batch.segment().position(id);
        let found = found.filter(|&at| wanted.is_none_or(|wanted| batch.columns()[at].stored == wanted));
        found.filter(|&at| wanted.is_none() || batch.null_count(at) == 0).ok_or_else(|| {
            batch.damaged(Damage::Structure("a segment of keys lacks the code, the date or a key column".to_owned()))
        })
    }

    /// A column that is not where its rows are, moved once.
    fn moved(&self, seen: Seen, move_it: impl FnOnce() -> Result<Moved>) -> Result<&Moved> {
        let count = self.version.schema()?.columns.len() + 2;
        let all = self.moved.get_or_init(|| (0..count).map(|_| OnceLock::new()).collect());
        let at = match seen {
            Seen::Code => 0,
            Seen::Day => 1,
            Seen::Column(index) => index + 2,
        };
        if let Some(moved) = all[at].get() {
            return Ok(moved);
        }
        let moved = move_it()?;
        Ok(all[at].get_or_init(|| moved))
    }

    /// The bytes of a column, not verified; `None` where it has no value.
    fn bytes(&self, seen: Seen) -> Result<Option<RawColumn<'_>>> {
        self.bytes_at(seen, self.place(seen)?)
    }

    #[inline(always)]
    fn bytes_at<'p>(&'p self, seen: Seen, place: Place<'p>) -> Result<Option<RawColumn<'p>>> {
        let (batch, at, moved) = match place {
            Place::Absent => return Ok(None),
            Place::Whole(batch, at) => (batch, at, None),
            Place::Spread(batch, at, present) => {
                (batch, at, Some(self.moved(seen, || Moved::spread(batch, at, present))?))
            }
            Place::Taken(batch, at, present) => {
                (batch, at, Some(self.moved(seen, || Moved::taken(batch, at, present))?))
            }
        };
        let SegmentColumn { stored, logical, .. } = &batch.columns()[at];
        let (values, validity, null_count) = match moved {
            Some(Moved { values, validity, null_count }) => (&**values, validity.as_deref(), *null_count),
            None => {
                let (chunk, layout) = (batch.chunk_bytes(at)?, batch.layout(at));
                let validity = layout.validity.map(|validity| &chunk[validity]);
                (&chunk[layout.values], validity, batch.null_count(at) as usize)
            }
        };
        Ok(Some(RawColumn {
            stored: *stored,
            logical,
            values,
            validity,
            null_count,
            column: &batch.columns()[at],
            texts: batch.segment().texts[at].as_ref(),
            row_count: self.row_count,
        }))
    }

    /// A column in its stored type, not verified; `None` where it has no value.
    fn stored(&self, seen: Seen) -> Result<Option<ArrayRef>> {
        let (batch, at, moved) = match self.place(seen)? {
            Place::Absent => return Ok(None),
            Place::Whole(batch, at) => return batch.array(at).map(Some),
            Place::Spread(batch, at, present) => (batch, at, self.moved(seen, || Moved::spread(batch, at, present))?),
            Place::Taken(batch, at, present) => (batch, at, self.moved(seen, || Moved::taken(batch, at, present))?),
        };
        let column = &batch.columns()[at];
        let array =
            stored_array(column, batch.texts(at)?, self.row_count, moved.validity.clone(), moved.values.clone());
        array.map(Some).map_err(|damage| batch.damaged(damage))
    }

    /// Compares the checksum of a column.
    fn check_seen(&self, seen: Seen) -> Result<()> {
        match self.place(seen)? {
            Place::Absent => Ok(()),
            Place::Whole(batch, at) => batch.check_chunk(at),
            Place::Spread(batch, at, present) | Place::Taken(batch, at, present) => {
                present.batch().check_chunk(0)?;
                batch.check_chunk(at)
            }
        }
    }

    /// As [`check_seen`](Piece::check_seen), unless that was done before: for those who read single rows, again and again.
    fn check_seen_once(&self, seen: Seen) -> Result<()> {
        self.place(seen)?.check_once()
    }

    /// How many rows it has.
    pub(crate) fn row_count(&self) -> usize {
        self.row_count
    }

    /// The date of its rows.
    pub(crate) fn date(&self) -> Date {
        self.date
    }

    /// The code column as it is stored, a dictionary of stock numbers, verified.
    pub(super) fn code(&self) -> Result<ArrayRef> {
        self.check_seen(Seen::Code)?;
        self.unchecked_codes()
    }

    /// The date column as it is stored, as date32, verified.
    pub(super) fn days(&self) -> Result<ArrayRef> {
        self.check_seen(Seen::Day)?;
        self.stored(Seen::Day)?.ok_or_else(|| self.unknown_stocks())
    }

    /// The code column as it is stored, a dictionary of stock numbers, without comparing its checksum.
    pub(crate) fn unchecked_code(&self) -> Result<StoredColumn> {
        Ok(StoredColumn::new(self.unchecked_codes()?, self.version.schema()?.code.data_type.clone()))
    }

    fn unchecked_codes(&self) -> Result<ArrayRef> {
        self.stored(Seen::Code)?.ok_or_else(|| self.unknown_stocks())
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
        self.check_seen(Seen::Column(index))?;
        self.unchecked_array(index)
    }

    fn unchecked_array(&self, index: usize) -> Result<ArrayRef> {
        match self.stored(Seen::Column(index))? {
            Some(array) => Ok(array),
            // The column came to the panel after this was written, or its source has no row here.
            None => Ok(new_null_array(self.version.panel_type(index)?, self.row_count)),
        }
    }

    /// Compares the checksums of the code column and of the panel's columns at `columns`. Whoever does it after their
    /// values were used knows that those were right, whatever another program did to a mapped file meanwhile.
    ///
    /// # Errors
    /// [`Error::Corrupt`], naming the first column whose checksum does not match.
    pub(crate) fn check_columns(&self, columns: &[usize]) -> Result<()> {
        self.check_seen(Seen::Code)?;
        columns.iter().try_for_each(|&index| self.check_seen(Seen::Column(index)))
    }

    /// Compares the checksum of the code column, unless that was done before.
    pub(super) fn check_code_once(&self) -> Result<()> {
        self.check_seen_once(Seen::Code)
    }

    /// Compares the checksum of the `index`-th of the panel's columns, unless that was done before.
    pub(super) fn check_column_once(&self, index: usize) -> Result<()> {
        self.check_seen_once(Seen::Column(index))
    }

    /// These rows of the `index`-th of the panel's columns converted to `logical`, without comparing its checksum; all
    /// null where it has no value.
    pub(crate) fn column_as(&self, index: usize, logical: &DataType, rows: Range<usize>) -> Result<ArrayRef> {
        match self.stored(Seen::Column(index))? {
            Some(array) => restore(&array.slice(rows.start, rows.len()), logical),
            None => Ok(new_null_array(logical, rows.len())),
        }
    }

    /// The `index`-th of the panel's columns as bytes, not verified; `None` where it has no value.
    pub(crate) fn raw(&self, index: usize) -> Result<Option<RawColumn<'_>>> {
        self.bytes(Seen::Column(index))
    }

    /// As [`raw`](Piece::raw), after its checksum was compared, unless that was done before.
    #[inline(always)]
    pub(super) fn checked_raw(&self, index: usize) -> Result<Option<RawColumn<'_>>> {
        let place = self.column(index)?;
        place.check_once()?;
        self.bytes_at(Seen::Column(index), place)
    }

    /// Compares the checksums of all that is seen, and of whatever lies beside it in the same batches.
    ///
    /// # Errors
    /// [`Error::Corrupt`], naming the first column whose checksum does not match.
    pub(crate) fn check(&self) -> Result<()> {
        for batch in self.batches()? {
            (0..batch.columns().len()).try_for_each(|position| batch.check_chunk(position))?;
        }
        Ok(())
    }

    /// All batches that it is put together from.
    pub(super) fn batches(&self) -> Result<Vec<&Batch>> {
        let mut batches = Vec::new();
        let sources = match self.version.source() {
            Some(place) => place..place + 1,
            None => 0..self.version.sources()?.len(),
        };
        for place in sources {
            if let Some(Part { values, present }) = self.part(place)? {
                batches.push(values);
                batches.extend(present.as_ref().map(Present::batch));
            }
        }
        let has_own_keys = match self.version.source() {
            None => self.record.keys.segment != NONE,
            Some(0) => self.first_is_keyed()? == Some(false),
            Some(_) => true,
        };
        if has_own_keys {
            batches.push(self.keys()?);
        }
        Ok(batches)
    }

    /// Bytes of the code and of these columns, or of all that it is put together from.
    pub(super) fn byte_len(&self, columns: Option<&[usize]>) -> Result<u64> {
        let Some(columns) = columns else { return Ok(self.batches()?.into_iter().map(Batch::byte_len).sum()) };
        let seen = [Seen::Code].into_iter().chain(columns.iter().map(|&index| Seen::Column(index)));
        let lens = seen.map(|seen| match self.place(seen)? {
            Place::Absent => Ok(0),
            Place::Whole(batch, at) | Place::Spread(batch, at, _) | Place::Taken(batch, at, _) => {
                Ok(batch.chunk_len(at) as u64)
            }
        });
        lens.sum()
    }

    /// Whether the `index`-th of the panel's columns has a value, by its record.
    pub(crate) fn has_value(&self, index: usize) -> Result<bool> {
        Ok(match self.place(Seen::Column(index))? {
            Place::Absent => false,
            Place::Whole(batch, at) | Place::Spread(batch, at, _) | Place::Taken(batch, at, _) => {
                (batch.null_count(at) as usize) < batch.row_count()
            }
        })
    }

    /// How many rows of the `index`-th of the panel's columns have no value, its checksum compared. None of its texts is
    /// read.
    pub(crate) fn checked_nulls(&self, index: usize) -> Result<usize> {
        self.check_seen(Seen::Column(index))?;
        Ok(self.nulls(index)?.map_or(self.row_count, |(nulls, _)| nulls))
    }

    /// How many nulls the `index`-th of the panel's columns has, by its record, and how it is stored; `None` where it has no
    /// value.
    pub(super) fn nulls(&self, index: usize) -> Result<Option<(usize, &SegmentColumn)>> {
        Ok(match self.place(Seen::Column(index))? {
            Place::Absent => None,
            Place::Whole(batch, at) | Place::Spread(batch, at, _) | Place::Taken(batch, at, _) => {
                let values = batch.row_count() - batch.null_count(at) as usize;
                Some((self.row_count.saturating_sub(values.min(self.row_count)), &batch.columns()[at]))
            }
        })
    }

    pub(super) fn version(&self) -> &Version {
        &self.version
    }

    pub(super) fn damaged(&self, damage: Damage) -> Error {
        match self.place(Seen::Code) {
            Ok(Place::Whole(batch, _) | Place::Taken(batch, ..)) => batch.damaged(damage),
            _ => Error::Corrupt { path: self.version.root.clone(), damage },
        }
    }

    /// The rows of the stocks whose places in code order lie in `wanted`.
    pub(crate) fn rows_between(&self, wanted: Range<u32>) -> Result<Range<usize>> {
        self.check_code_once()?;
        let ranks = self.version().ranks()?;
        let numbers = self.raw_stock_numbers()?;
        let start = self.first_row(wanted.start, numbers, ranks, 0)?;
        // A damaged section may be out of order.
        Ok(start..self.first_row(wanted.end, numbers, ranks, start)?.max(start))
    }

    /// The first row whose stock's place in code order is `wanted` or later; the number of rows when there is none.
    /// Takes few steps when it lies near row `near`, as it does near that of a neighbouring section. `numbers` are the
    /// rows' stock numbers.
    pub(super) fn first_row(&self, wanted: u32, numbers: &[u32], ranks: &[u32], near: usize) -> Result<usize> {
        let len = numbers.len();
        let (mut low, mut high) = (0, len);
        let (mut probe, mut step) = (near, 1);
        while low < high {
            let at = probe.clamp(low, high - 1);
            if self.rank_at(at, numbers, ranks)? < wanted {
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

    /// Place in code order of the stock in `row`, whose number is among `numbers`.
    pub(super) fn rank_at(&self, row: usize, numbers: &[u32], ranks: &[u32]) -> Result<u32> {
        ranks.get(numbers[row] as usize).copied().ok_or_else(|| self.unknown_stocks())
    }

    /// The places in code order of the stocks in these rows, without comparing the checksum.
    pub(crate) fn ranks_at(&self, rows: Range<usize>) -> Result<Vec<u32>> {
        let (numbers, ranks) = (self.raw_stock_numbers()?, self.version().ranks()?);
        let rank = |row| match self.rank_at(row, numbers, ranks)? {
            rank if (rank as usize) < ranks.len() => Ok(rank),
            _ => Err(self.unknown_stocks()),
        };
        rows.map(rank).collect()
    }

    /// The rows' stock numbers, without comparing the checksum.
    pub(crate) fn raw_stock_numbers(&self) -> Result<&[u32]> {
        let codes = self.bytes(Seen::Code)?.ok_or_else(|| self.unknown_stocks())?;
        // A segment's buffers are aligned, and so is a section's place in it.
        Ok(bytemuck::cast_slice(codes.values))
    }

    /// As [`raw_stock_numbers`](Piece::raw_stock_numbers), in a buffer that keeps the map alive.
    pub(crate) fn stock_numbers(&self) -> Result<ScalarBuffer<u32>> {
        let values = match self.place(Seen::Code)? {
            Place::Whole(batch, at) => batch.values(at)?,
            Place::Taken(batch, at, present) => {
                self.moved(Seen::Code, || Moved::taken(batch, at, present))?.values.clone()
            }
            _ => return Err(self.unknown_stocks()),
        };
        Ok(ScalarBuffer::new(values, 0, self.row_count))
    }

    /// Which of the piece's rows the source at `place` has; `None` where it has none.
    pub(super) fn rows_of(&self, place: usize) -> Result<Option<BooleanBuffer>> {
        let Some(part) = self.part(place)? else { return Ok(None) };
        Ok(Some(match &part.present {
            Some(present) => present.bits().clone(),
            None => BooleanBuffer::new_set(self.record.row_count as usize),
        }))
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
    pub(super) null_count: usize,
    /// How its segment holds it.
    pub(super) column: &'a SegmentColumn,
    /// What its codes stand for.
    pub(super) texts: Option<&'a Texts>,
    row_count: usize,
}

impl RawColumn<'_> {
    /// Itself, if it has a value.
    pub(crate) fn filled(self) -> Option<Self> {
        (self.null_count < self.row_count).then_some(self)
    }
}
