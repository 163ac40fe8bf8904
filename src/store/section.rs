//! One section: all stocks on one date, in place.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, ScalarBuffer};
use arrow_schema::DataType;
use arrow_select::concat::concat;

use super::column::StoredColumn;
use super::piece::{Bytes, Piece};
use super::version::Version;
use crate::error::{Damage, Error, Result, Wanted};
use crate::format::{PartRecord, PieceRecord, SectionRecord, Table};
use crate::key::Date;
use crate::panel::restore;
use crate::storage::Access;

/// All rows of one date, ordered by key; a view of mapped bytes, cheap to clone.
///
/// Nothing is read before a column is asked for. Each time a column is handed out its checksum is compared, which reads
/// it once (about as fast as memory). A section of more than 65,536 rows lies in several pieces, which are joined, and so
/// copied, where a whole column is asked for.
#[derive(Debug, Clone)]
pub struct Section {
    version: Arc<Version>,
    date: Date,
    changed: u64,
    bytes: Bytes,
    pieces: Arc<[Slot]>,
}

/// One piece, opened at its first use.
#[derive(Debug)]
struct Slot {
    record: PieceRecord,
    /// What the source has of it, in a source's own view.
    part: Option<PartRecord>,
    piece: OnceLock<Piece>,
}

impl Slot {
    /// Rows that are seen.
    fn row_count(&self) -> usize {
        self.part.map_or(self.record.row_count, |part| part.values.row_count) as usize
    }
}

impl Section {
    /// The section of the `index`-th date, whose bytes are come by so.
    pub(super) fn new(version: &Arc<Version>, index: usize, bytes: Bytes) -> Result<Section> {
        let dates = version.dates()?;
        let date = *dates.get(index).ok_or_else(|| {
            Error::not_found(Wanted::Date, format!("section {index}"), format!("there are {}", dates.len()))
        })?;
        let place = match version.source() {
            None => index,
            // The source has no section on some dates.
            Some(_) => {
                let days: &[i32] = version.catalog.table(Table::Dates)?;
                let unknown = |_| version.catalog.structure(format!("a source has {date}, which it lacks"));
                days.binary_search(&date.days()).map_err(unknown)?
            }
        };
        let record: SectionRecord = version.catalog.record(Table::Sections, place)?;
        let records: &[PieceRecord] =
            version.catalog.records(Table::Pieces, record.piece_start, record.piece_count as usize)?;
        let rows = records.iter().map(|piece| u64::from(piece.row_count)).sum::<u64>();
        if records.is_empty() || rows != record.row_count {
            return Err(version.catalog.structure(format!("the section of {date} has other rows than its pieces")));
        }
        let slot = |record: PieceRecord, part| Slot { record, part, piece: OnceLock::new() };
        let (mut changed, mut pieces) = (record.changed, Vec::with_capacity(records.len()));
        match version.source() {
            None => pieces.extend(records.iter().map(|&record| slot(record, None))),
            Some(source) => {
                changed = 0;
                for &record in records {
                    if let Some(part) = version.part(source, date, record.number)? {
                        changed = changed.max(part.changed);
                        pieces.push(slot(record, Some(part)));
                    }
                }
            }
        }
        let pieces = pieces.into();
        let section = Section { version: version.clone(), date, changed, bytes, pieces };
        section.pieces().try_for_each(|piece| piece.map(drop))?;
        Ok(section)
    }

    /// The part of it that lies in these pieces, for who wants no more of it at once. What is read of a file that is not
    /// mapped is held for as long as the part.
    pub(crate) fn part(&self, pieces: Range<usize>) -> Section {
        if pieces.len() == self.pieces.len() {
            return self.clone();
        }
        // What is open already is shared, unless that would keep what is read.
        let open = |slot: &Slot| match self.version.access {
            Access::Map => slot.piece.clone(),
            Access::Read => OnceLock::new(),
        };
        let slot = |slot: &Slot| Slot { record: slot.record, part: slot.part, piece: open(slot) };
        Section { pieces: self.pieces[pieces].iter().map(slot).collect(), ..self.clone() }
    }

    /// Its pieces as parts, one after the other.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Section> {
        (0..self.piece_count()).map(|place| self.part(place..place + 1))
    }

    /// How many pieces it has.
    pub(crate) fn piece_count(&self) -> usize {
        self.pieces.len()
    }

    /// Its pieces, in the order of their rows.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Result<&Piece>> {
        (0..self.pieces.len()).map(|place| self.piece(place))
    }

    fn piece(&self, place: usize) -> Result<&Piece> {
        let slot = &self.pieces[place];
        if let Some(piece) = slot.piece.get() {
            return Ok(piece);
        }
        let piece = Piece::new(&self.version, self.date, slot.record, slot.part, self.bytes)?;
        Ok(slot.piece.get_or_init(|| piece))
    }

    /// The piece, where there is one.
    pub(crate) fn only_piece(&self) -> Result<Option<&Piece>> {
        if self.pieces.len() == 1 { self.pieces().next().transpose() } else { Ok(None) }
    }

    /// The section's date.
    pub fn date(&self) -> Date {
        self.date
    }

    /// The version in which its rows last changed: equal in two versions of one store, they hold the same rows.
    pub fn changed(&self) -> u64 {
        self.changed
    }

    /// How many rows there are on this date.
    pub fn row_count(&self) -> usize {
        self.pieces.iter().map(Slot::row_count).sum()
    }

    /// The rows of each piece, in turn.
    pub(crate) fn row_counts(&self) -> impl Iterator<Item = usize> {
        self.pieces.iter().map(Slot::row_count)
    }

    /// The rows' codes, ascending.
    ///
    /// # Errors
    /// When the section is damaged.
    pub fn codes(&self) -> Result<Vec<&str>> {
        let names = self.version.codes()?;
        let numbers = self.stock_numbers()?;
        let code = |&number: &u32| Some(number as usize).filter(|&n| n < names.len()).map(|n| names.value(n));
        let codes: Option<Vec<&str>> = numbers.iter().map(code).collect();
        codes.ok_or_else(|| self.unknown_stocks())
    }

    /// The code column as it is stored, a dictionary of stock numbers.
    ///
    /// # Errors
    /// When its checksum does not match.
    pub(super) fn code_array(&self) -> Result<ArrayRef> {
        self.joined(Piece::code)
    }

    /// The date column as it is stored, as date32.
    ///
    /// # Errors
    /// When its checksum does not match.
    pub(super) fn day_array(&self) -> Result<ArrayRef> {
        self.joined(Piece::days)
    }

    /// The rows' stock numbers, in the order of their codes.
    ///
    /// # Errors
    /// When its checksum does not match, or there is no such stock.
    pub(crate) fn stock_numbers(&self) -> Result<ScalarBuffer<u32>> {
        let count = self.version.ranks()?.len();
        let numbers = |piece: &Piece| {
            piece.check_columns(&[])?;
            let numbers = piece.stock_numbers()?;
            let is_known = numbers.iter().max().is_none_or(|&last| (last as usize) < count);
            if is_known { Ok(numbers) } else { Err(self.unknown_stocks()) }
        };
        if let Some(piece) = self.only_piece()? {
            return numbers(piece);
        }
        let mut all = Vec::with_capacity(self.row_count());
        for piece in self.pieces() {
            all.extend_from_slice(&numbers(piece?)?);
        }
        Ok(all.into())
    }

    /// The column `name` as it is stored, without a copy.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a name that the panel does not have; [`Error::Corrupt`] when its checksum does not
    /// match.
    pub fn column(&self, name: &str) -> Result<StoredColumn> {
        self.column_at(self.version.schema()?.find(name)?)
    }

    /// The `index`-th of the panel's columns as it is stored, without a copy where it lies in one piece.
    ///
    /// # Errors
    /// As [`column`](Section::column).
    pub fn column_at(&self, index: usize) -> Result<StoredColumn> {
        let logical = self.version.panel_type(index)?.clone();
        let stored = match self.only_piece()? {
            Some(piece) => piece.array(index)?,
            None => self.joined(|piece| restore(&piece.array(index)?, &logical))?,
        };
        Ok(StoredColumn::new(stored, logical))
    }

    /// The further key columns in the panel's types, each of whose checksums was compared once at least.
    pub(crate) fn key_columns(&self) -> Result<Vec<ArrayRef>> {
        let panel = self.version.schema()?;
        let column =
            |&index: &usize| self.checked_column_as(index, &panel.columns[index].data_type, 0..self.row_count());
        panel.key.iter().map(column).collect()
    }

    /// As [`column_as`](Section::column_as), of a column whose checksums were compared once at least where these rows lie.
    pub(crate) fn checked_column_as(&self, index: usize, logical: &DataType, rows: Range<usize>) -> Result<ArrayRef> {
        for place in self.places(&rows) {
            self.piece(place)?.check_column_once(index)?;
        }
        self.column_as(index, logical, rows)
    }

    /// These rows of the `index`-th of the panel's columns converted to `logical`, without comparing its checksum; all
    /// null where a segment lacks it.
    pub(crate) fn column_as(&self, index: usize, logical: &DataType, rows: Range<usize>) -> Result<ArrayRef> {
        let places = self.places(&rows);
        let mut start: usize = self.row_counts().take(places.start).sum();
        let mut parts = Vec::with_capacity(places.len());
        for place in places {
            let piece = self.piece(place)?;
            let (from, to) = (rows.start.max(start), rows.end.min(start + piece.row_count()));
            parts.push(piece.column_as(index, logical, from - start..to - start)?);
            start += piece.row_count();
        }
        match parts.as_slice() {
            [] => Ok(new_null_array(logical, 0)),
            parts => joined(parts),
        }
    }

    /// The pieces in which these rows lie.
    fn places(&self, rows: &Range<usize>) -> Range<usize> {
        let (mut start, mut places) = (0, 0..0);
        for (place, count) in self.row_counts().enumerate() {
            let end = start + count;
            if rows.start.max(start) < rows.end.min(end) {
                places = if places.is_empty() { place..place + 1 } else { places.start..place + 1 };
            }
            start = end;
        }
        places
    }

    /// The rows of the stocks whose places in code order lie in `wanted`.
    pub(crate) fn rows_between(&self, wanted: Range<u32>) -> Result<Range<usize>> {
        let mut found = 0..0;
        let mut start = 0;
        for (place, count) in self.row_counts().enumerate() {
            let rows = self.piece(place)?.rows_between(wanted.clone())?;
            if !rows.is_empty() {
                let first = if found.is_empty() { start + rows.start } else { found.start };
                found = first..start + rows.end;
            }
            start += count;
        }
        Ok(found)
    }

    /// The places in code order of the stocks in these rows, without comparing checksums.
    pub(crate) fn ranks_at(&self, rows: Range<usize>) -> Result<Vec<u32>> {
        let places = self.places(&rows);
        let mut start: usize = self.row_counts().take(places.start).sum();
        let mut ranks = Vec::with_capacity(rows.len());
        for place in places {
            let piece = self.piece(place)?;
            let (from, to) = (rows.start.max(start), rows.end.min(start + piece.row_count()));
            ranks.extend(piece.ranks_at(from - start..to - start)?);
            start += piece.row_count();
        }
        Ok(ranks)
    }

    /// Compares the checksums of all columns.
    ///
    /// # Errors
    /// [`Error::Corrupt`], naming the first column whose checksum does not match.
    pub(crate) fn check(&self) -> Result<()> {
        self.pieces().try_for_each(|piece| piece?.check())
    }

    /// Compares the checksums of the code and the key columns.
    ///
    /// # Errors
    /// [`Error::Corrupt`], naming the first column whose checksum does not match.
    pub(crate) fn check_keys(&self) -> Result<()> {
        let key = &self.version.schema()?.key;
        self.pieces().try_for_each(|piece| piece?.check_columns(key))
    }

    /// Whether the `index`-th of the panel's columns has a value, by its record.
    pub(crate) fn has_value(&self, index: usize) -> Result<bool> {
        for piece in self.pieces() {
            if piece?.has_value(index)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Which of its rows the source at `place` has. Of a section that is seen whole.
    ///
    /// # Errors
    /// When it is damaged.
    pub(crate) fn rows_of(&self, place: usize) -> Result<BooleanBuffer> {
        let mut rows = BooleanBufferBuilder::new(self.row_count());
        for piece in self.pieces() {
            let piece = piece?;
            match piece.rows_of(place)? {
                Some(of_piece) => rows.append_buffer(&of_piece),
                None => rows.append_n(piece.row_count(), false),
            }
        }
        Ok(rows.finish())
    }

    /// The number of each piece.
    pub(crate) fn piece_numbers(&self) -> impl Iterator<Item = u32> {
        self.pieces.iter().map(|slot| slot.record.number)
    }

    /// What `get` takes from each piece, one after the other.
    fn joined(&self, get: impl Fn(&Piece) -> Result<ArrayRef>) -> Result<ArrayRef> {
        joined(&self.pieces().map(|piece| get(piece?)).collect::<Result<Vec<ArrayRef>>>()?)
    }

    /// The places in code order of each piece's first and last stock, by these places of the stocks; without comparing
    /// checksums.
    pub(crate) fn ends(&self, ranks: &[u32]) -> Result<Vec<(u32, u32)>> {
        let ends = |piece: Result<&Piece>| {
            let piece = piece?;
            let numbers = piece.raw_stock_numbers()?;
            Ok((piece.rank_at(0, numbers, ranks)?, piece.rank_at(numbers.len() - 1, numbers, ranks)?))
        };
        self.pieces().map(ends).collect()
    }

    /// That its rows are not in the order of their keys.
    pub(super) fn out_of_order(&self) -> Error {
        self.damaged(Damage::Structure(format!("the rows of {} are out of order", self.date)))
    }

    pub(crate) fn unknown_stocks(&self) -> Error {
        self.damaged(Damage::Structure(format!("the section of {} names unknown stocks", self.date)))
    }

    pub(super) fn damaged(&self, damage: Damage) -> Error {
        match self.pieces().next() {
            Some(Ok(piece)) => piece.damaged(damage),
            Some(Err(error)) => error,
            None => Error::Corrupt { path: self.version.root.clone(), damage },
        }
    }

    pub(super) fn version(&self) -> &Arc<Version> {
        &self.version
    }
}

/// Arrays one after the other.
fn joined(parts: &[ArrayRef]) -> Result<ArrayRef> {
    match parts {
        [one] => Ok(one.clone()),
        parts => {
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            concat(&parts).map_err(Error::failed("join the pieces of a section"))
        }
    }
}
