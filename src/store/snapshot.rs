//! Everything one version says, as values; turned into the bytes of a catalog and of the tables of its sources.

use std::collections::HashMap;

use arrow_array::{Array, ArrayRef, StringArray, cast::AsArray};
use arrow_schema::DataType;
use bytemuck::Zeroable;

use super::change_file::VersionChanges;
use super::chunks::ChunkFile;
use super::entries::{ChangesPlace, FileEntry, VersionEntry};
use super::keep::Keep;
use super::strings::StringTable;
use super::{dictionary, logical};
use crate::error::{Error, Result};
use crate::format::{
    BatchRecord, CHANGES_MAGIC, CatalogBytes, ColumnRecord, FileRecord, Header, HistoryRecord, MAGIC, NONE, PartRecord,
    PieceRecord, SOURCE_MAGIC, SectionRecord, SegmentColumnRecord, SegmentRecord, SourceRecord, Stored, StrRef, Table,
};
use crate::key::{Date, StockId};
use crate::panel::{DateForm, Spelling};
use crate::reason::Reason;
use crate::segment::SealedSegment;

/// The contents of one version.
pub(crate) struct Snapshot {
    pub(crate) version: u64,
    /// The commit that writes it.
    pub(crate) commit: u64,
    pub(crate) store_id: [u8; 16],
    /// Which versions the store keeps.
    pub(crate) keep: Keep,
    /// What is remembered of the whole store, as JSON.
    pub(crate) settings: String,
    /// Column 0 is the code, column 1 the date.
    pub(crate) columns: Vec<SnapshotColumn>,
    pub(crate) date_spelling: Spelling,
    /// Dictionary 0 holds the codes.
    pub(crate) dictionaries: Vec<ArrayRef>,
    /// The segments that hold keys alone.
    pub(crate) key_segments: SegmentList,
    /// Those of all sections, in any order.
    pub(crate) pieces: Vec<SnapshotPiece>,
    pub(crate) sources: Vec<SnapshotSource>,
    /// Of the panel's rows; a stock that it lacks is as new as the version.
    pub(crate) stock_changes: StockChanges,
    /// The chunks of the segments that this version wrote.
    pub(crate) chunks: ChunkFile,
    /// All versions so far, this one last.
    pub(crate) history: Vec<VersionEntry>,
    /// What it changes against the one before, where that is noted.
    pub(crate) changes: Option<VersionChanges>,
    /// The ids of the next new column and of the next new source.
    pub(crate) next_column: u32,
    pub(crate) next_source: u32,
}

/// One column of a version.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotColumn {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) logical: DataType,
    pub(crate) dictionary: Option<u32>,
    /// Its place in the key beside date and code, from 1; 0 for a column that is no part of it.
    pub(crate) key: u8,
    /// The id of its source; `NONE` for code, date and key columns.
    pub(crate) source: u32,
}

/// The segments that one file of tables lists.
#[derive(Debug, Default)]
pub(crate) struct SegmentList(Vec<SnapshotSegment>);

/// One segment that a version uses.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotSegment {
    /// Its record, but for where its columns are, which the catalog decides.
    pub(crate) record: SegmentRecord,
    /// Id, stored type and logical type of each of its columns.
    pub(crate) columns: Vec<(u32, Stored, DataType)>,
    /// Where it lies until it is published; `None` when an earlier version did that.
    pub(crate) temporary: Option<String>,
}

/// One piece of a section of a version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SnapshotPiece {
    pub(crate) date: Date,
    /// Its place among the pieces of its section.
    pub(crate) place: u32,
    /// The version in which the section's rows last changed.
    pub(crate) changed: u64,
    pub(crate) record: PieceRecord,
}

/// By stock number, the version in which rows of the stock last changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct StockChanges(Vec<u64>);

impl StockChanges {
    pub(super) fn new(versions: &[u64]) -> StockChanges {
        StockChanges(versions.to_vec())
    }

    /// Rows of these stocks change in `version`.
    pub(crate) fn note(&mut self, stocks: impl IntoIterator<Item = u32>, version: u64) {
        for stock in stocks {
            let stock = stock as usize;
            if self.0.len() <= stock {
                self.0.resize(stock + 1, 0);
            }
            self.0[stock] = version;
        }
    }

    /// The stocks that ever had a row.
    pub(crate) fn stocks(&self) -> impl Iterator<Item = u32> {
        self.0.iter().enumerate().filter(|(_, changed)| **changed > 0).map(|(stock, _)| stock as u32)
    }
}

/// One source of a version.
pub(crate) struct SnapshotSource {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) tables: SnapshotTables,
}

/// What a source's tables say.
pub(crate) enum SnapshotTables {
    /// What they said before.
    Kept(SourceRecord),
    New(SourceContents),
}

/// The tables of a source.
#[derive(Default)]
pub(crate) struct SourceContents {
    /// How it is read, and what is remembered of that, as JSON.
    pub(crate) settings: String,
    pub(crate) segments: SegmentList,
    pub(crate) files: Vec<FileEntry>,
    /// In any order.
    pub(crate) parts: Vec<PartRecord>,
    /// Of the source's own rows.
    pub(crate) stock_changes: StockChanges,
}

/// The bytes of a version.
pub(super) struct Encoded {
    /// The tables of sources, by ordinal.
    pub(super) tables: Vec<Vec<u8>>,
    /// The change file.
    pub(super) changes: Option<Vec<u8>>,
    pub(super) catalog: Vec<u8>,
    /// The checksum in the catalog's header.
    pub(super) header_checksum: u64,
}

impl SegmentList {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &SnapshotSegment> {
        self.0.iter()
    }

    /// Adds what stays of a list of before: those of `segments` in which one of `batches` lies, whose records follow.
    pub(crate) fn keep<'b>(
        &mut self,
        segments: Vec<SnapshotSegment>,
        batches: impl IntoIterator<Item = &'b mut BatchRecord>,
    ) {
        let mut numbers: Vec<Option<u32>> = vec![None; segments.len()];
        let mut segments: Vec<Option<SnapshotSegment>> = segments.into_iter().map(Some).collect();
        for batch in batches {
            let Some(number) = numbers.get_mut(batch.segment as usize) else { continue };
            if let Some(segment) = segments[batch.segment as usize].take() {
                *number = Some(self.0.len() as u32);
                self.0.push(segment);
            }
            batch.segment = number.unwrap_or(NONE);
        }
    }

    /// Adds segments that were sealed for this version, whose chunks go to `chunks`; the records of their batches in the
    /// order in which they were written.
    pub(crate) fn add_sealed(&mut self, sealed: Vec<SealedSegment>, chunks: &mut ChunkFile) -> Vec<BatchRecord> {
        let mut records = Vec::new();
        for sealed in sealed {
            let segment = self.0.len() as u32;
            let column_count = sealed.columns.len() as u64;
            for (number, batch) in sealed.batches.iter().enumerate() {
                records.push(BatchRecord {
                    body_offset: batch.body_offset,
                    body_len: batch.body_len,
                    chunk_start: number as u64 * column_count,
                    segment,
                    row_count: batch.row_count,
                });
            }
            let (chunk_start, chunk_count) = (chunks.len(), sealed.chunks.len() as u64);
            let chunk_checksum = chunks.add(sealed.chunks);
            self.0.push(SnapshotSegment {
                record: SegmentRecord {
                    commit: sealed.id.commit,
                    ordinal: sealed.id.ordinal,
                    file_len: sealed.file_len,
                    frame_checksum: sealed.frame_checksum,
                    chunk_start,
                    chunk_count,
                    chunk_checksum,
                    ..SegmentRecord::zeroed()
                },
                columns: sealed.columns.iter().map(|c| (c.column, c.stored, c.logical.clone())).collect(),
                temporary: Some(sealed.temporary),
            });
        }
        records
    }

    fn put(&self, catalog: &mut CatalogBytes, strings: &mut StringTable) -> Result<()> {
        let mut records = Vec::with_capacity(self.0.len());
        let mut columns = Vec::new();
        for segment in &self.0 {
            records.push(SegmentRecord {
                column_start: columns.len() as u64,
                column_count: segment.columns.len() as u32,
                ..segment.record
            });
            for (column, stored, logical) in &segment.columns {
                let unsupported =
                    || Error::refused_unless(format!("column {column} has unsupported type {logical}"), []);
                columns.push(SegmentColumnRecord {
                    column: *column,
                    stored: *stored as u8,
                    reserved: [0; 3],
                    logical: logical::encode(logical, strings).ok_or_else(unsupported)?,
                });
            }
        }
        catalog.put(Table::Segments, &records);
        catalog.put(Table::SegmentColumns, &columns);
        Ok(())
    }
}

impl Snapshot {
    /// Decides on the date column's form.
    pub(crate) fn set_date_form(&mut self, form: DateForm) {
        self.columns[1].logical = form.data_type;
        self.date_spelling = form.spelling;
    }

    /// The date column's form.
    pub(crate) fn date_form(&self) -> DateForm {
        DateForm { data_type: self.columns[1].logical.clone(), spelling: self.date_spelling.clone() }
    }

    /// The codes of all stocks, by number.
    pub(super) fn codes(&self) -> &StringArray {
        self.dictionaries[0].as_string()
    }

    /// The dictionary of the column at `place`, if it has one.
    pub(crate) fn texts_of(&self, place: usize) -> Option<&ArrayRef> {
        self.columns[place].dictionary.map(|number| &self.dictionaries[number as usize])
    }

    /// Makes `texts` the dictionary of the column at `place`; they begin with those that it had.
    pub(crate) fn put_texts(&mut self, place: usize, texts: ArrayRef) {
        match self.columns[place].dictionary {
            Some(number) => self.dictionaries[number as usize] = texts,
            None => {
                self.columns[place].dictionary = Some(self.dictionaries.len() as u32);
                self.dictionaries.push(texts);
            }
        }
    }

    /// Goes on from `history` by `entry`, which has the `changes` against the version before. Where those are not known, as
    /// of a build, no earlier ones are told either: the numbers of stocks may be others from now on.
    pub(crate) fn set_history(
        &mut self,
        mut history: Vec<VersionEntry>,
        entry: VersionEntry,
        changes: Option<VersionChanges>,
    ) {
        if changes.is_none() {
            history.iter_mut().for_each(|entry| entry.changes = None);
        }
        let counts = changes.as_ref().map(|changes| (changes.stock_count(), changes.column_count()));
        let (dirty_stocks, dirty_columns) = counts.unwrap_or((entry.dirty_stocks, entry.dirty_columns));
        history.push(VersionEntry { dirty_stocks, dirty_columns, ..entry });
        (self.history, self.changes) = (history, changes);
    }

    /// Rows of the panel.
    pub(crate) fn row_count(&self) -> u64 {
        self.pieces.iter().map(|piece| u64::from(piece.record.row_count)).sum()
    }

    /// Dates of the panel.
    pub(crate) fn date_count(&self) -> usize {
        self.pieces.iter().filter(|piece| piece.place == 0).count()
    }

    /// Segments that this version wrote.
    pub(crate) fn new_segments(&self) -> impl Iterator<Item = &SnapshotSegment> {
        let of_sources = self.sources.iter().filter_map(|source| match &source.tables {
            SnapshotTables::New(contents) => Some(contents.segments.iter()),
            SnapshotTables::Kept(_) => None,
        });
        self.key_segments.iter().chain(of_sources.flatten()).filter(|segment| segment.temporary.is_some())
    }

    /// Refuses segments that this version wrote and that have keys, where they lack a column of the key, or its value in
    /// a row: no reader could tell the rows apart. It says that whoever made them is wrong, and nothing of the input.
    ///
    /// # Errors
    /// Names the column.
    pub(super) fn check_keys(&self) -> Result<()> {
        let key: Vec<&SnapshotColumn> = self
            .columns
            .iter()
            .enumerate()
            .filter(|(at, column)| *at < 2 || column.key > 0)
            .map(|(_, column)| column)
            .collect();
        for segment in self.new_segments() {
            let place = |id: u32| segment.columns.iter().position(|(own, ..)| *own == id);
            let has_keys =
                place(key[0].id).is_some() || self.key_segments.iter().any(|keys| std::ptr::eq(keys, segment));
            for column in key.iter().filter(|_| has_keys) {
                let chunks = self.chunks.of_segment(segment.record.chunk_start).chunks(segment.columns.len().max(1));
                let nulls = |at: usize| chunks.filter_map(|batch| batch.get(at)).any(|chunk| chunk.null_count > 0);
                if place(column.id).is_none_or(nulls) {
                    let why = format!(
                        "rows of segment {} have no {:?}, which is part of the key",
                        segment.record.ordinal, column.name
                    );
                    return Err(Error::failed(format!("publish version {}", self.version))(why));
                }
            }
        }
        Ok(())
    }

    /// The bytes of the catalog and of the tables that are new.
    ///
    /// # Errors
    /// When a limit of the format is passed.
    pub(super) fn encode(&self) -> Result<Encoded> {
        let mut strings = StringTable::default();
        let (mut tables, mut sources) = (Vec::new(), Vec::with_capacity(self.sources.len()));
        for source in &self.sources {
            let name = strings.add(&source.name);
            sources.push(match &source.tables {
                SnapshotTables::Kept(record) => SourceRecord { name, id: source.id, ..*record },
                SnapshotTables::New(contents) => {
                    let (bytes, header_checksum) = self.encode_source(contents)?;
                    let record = SourceRecord {
                        name,
                        commit: self.commit,
                        file_len: bytes.len() as u64,
                        header_checksum,
                        ordinal: tables.len() as u32,
                        id: source.id,
                    };
                    tables.push(bytes);
                    record
                }
            });
        }
        let changes = self.changes.as_ref().map(|changes| changes.encode(self.header(CHANGES_MAGIC))).transpose()?;
        let changes_place = changes.as_ref().map(|(bytes, header_checksum)| ChangesPlace {
            byte_len: bytes.len() as u64,
            header_checksum: *header_checksum,
        });
        let mut catalog = CatalogBytes::new(Header {
            row_count: self.row_count(),
            keep_ns: self.keep.age_ns(),
            keep_count: self.keep.versions,
            next_column: self.next_column,
            next_source: self.next_source,
            ..self.header(MAGIC)
        });
        catalog.put(Table::Settings, self.settings.as_bytes());
        catalog.put(Table::Columns, &self.column_records(&mut strings)?);
        dictionary::put(&mut catalog, &self.dictionaries);
        self.put_stocks(&mut catalog);
        self.key_segments.put(&mut catalog, &mut strings)?;
        self.put_sections(&mut catalog);
        catalog.put(Table::Sources, &sources);
        catalog.put(Table::History, &self.history_records(changes_place, &mut strings));
        let (catalog, header_checksum) = strings.into_tables(catalog)?;
        Ok(Encoded { tables, changes: changes.map(|(bytes, _)| bytes), catalog, header_checksum })
    }

    /// What the headers of all its files have in common.
    fn header(&self, magic: [u8; 8]) -> Header {
        Header {
            magic,
            version: self.version,
            commit: self.commit,
            store_id: self.store_id,
            created_ns: self.history.last().map_or(0, |this| this.created_ns),
            ..Header::zeroed()
        }
    }

    /// The bytes of a source's tables, and the checksum in their header.
    fn encode_source(&self, contents: &SourceContents) -> Result<(Vec<u8>, u64)> {
        let mut strings = StringTable::default();
        let mut parts = contents.parts.clone();
        parts.sort_unstable_by_key(|part| (part.date, part.piece));
        let mut tables = CatalogBytes::new(Header {
            row_count: parts.iter().map(|part| u64::from(part.values.row_count)).sum(),
            ..self.header(SOURCE_MAGIC)
        });
        tables.put(Table::Settings, contents.settings.as_bytes());
        contents.segments.put(&mut tables, &mut strings)?;
        tables.put(Table::Files, &self.file_records(&contents.files, &mut strings));
        tables.put(Table::Parts, &parts);
        tables.put(Table::StockChanges, &contents.stock_changes.0);
        strings.into_tables(tables)
    }

    fn column_records(&self, strings: &mut StringTable) -> Result<Vec<ColumnRecord>> {
        let (spelling, format) = logical::encode_spelling(&self.date_spelling);
        let encode = |(index, column): (usize, &SnapshotColumn)| {
            let unsupported = || {
                Error::refused_unless(format!("column {:?} has unsupported type {}", column.name, column.logical), [])
            };
            let is_date = index == 1;
            Ok(ColumnRecord {
                name: strings.add(&column.name),
                logical: logical::encode(&column.logical, strings).ok_or_else(unsupported)?,
                dictionary: column.dictionary.unwrap_or(NONE),
                spelling: if is_date { spelling } else { 0 },
                key: column.key,
                reserved: [0; 2],
                spelling_format: if is_date { strings.add(format) } else { StrRef::zeroed() },
                id: column.id,
                source: column.source,
            })
        };
        self.columns.iter().enumerate().map(encode).collect()
    }

    /// The numbers of all stocks in code order, and the place of each in that order.
    pub(crate) fn stock_order(&self) -> (Vec<u32>, Vec<u32>) {
        let codes = self.dictionaries[0].as_string::<i32>();
        let mut order: Vec<u32> = (0..codes.len() as u32).collect();
        order.sort_unstable_by_key(|&stock| codes.value(stock as usize));
        let mut ranks = vec![0; order.len()];
        for (rank, &stock) in order.iter().enumerate() {
            ranks[stock as usize] = rank as u32;
        }
        (order, ranks)
    }

    fn put_stocks(&self, catalog: &mut CatalogBytes) {
        let (order, ranks) = self.stock_order();
        catalog.put(Table::StockOrder, &order);
        catalog.put(Table::StockRanks, &ranks);
        let mut changes = self.stock_changes.0.clone();
        changes.resize(order.len(), 0);
        changes.iter_mut().filter(|changed| **changed == 0).for_each(|changed| *changed = self.version);
        catalog.put(Table::StockChanges, &changes);
    }

    fn put_sections(&self, catalog: &mut CatalogBytes) {
        let mut pieces = self.pieces.clone();
        pieces.sort_unstable_by_key(|piece| (piece.date, piece.place));
        let (mut dates, mut sections) = (Vec::new(), Vec::new());
        let mut piece_start = 0;
        for of_date in pieces.chunk_by(|a, b| a.date == b.date) {
            dates.push(of_date[0].date.days());
            sections.push(SectionRecord {
                piece_start,
                changed: of_date[0].changed,
                row_count: of_date.iter().map(|piece| u64::from(piece.record.row_count)).sum(),
                piece_count: of_date.len() as u32,
                reserved: 0,
            });
            piece_start += of_date.len() as u64;
        }
        let pieces: Vec<PieceRecord> = pieces.iter().map(|piece| piece.record).collect();
        catalog.put(Table::Dates, &dates);
        catalog.put(Table::Sections, &sections);
        catalog.put(Table::Pieces, &pieces);
    }

    fn file_records(&self, files: &[FileEntry], strings: &mut StringTable) -> Vec<FileRecord> {
        let codes = self.dictionaries[0].as_string::<i32>();
        let stocks: HashMap<&str, StockId> =
            codes.iter().flatten().enumerate().map(|(stock, code)| (code, StockId(stock as u32))).collect();
        let encode = |file: &FileEntry| FileRecord {
            path: strings.add(&file.path),
            reason: strings.add(&file.reason.as_ref().map_or_else(String::new, Reason::stored)),
            byte_len: file.bytes,
            modified_ns: file.modified_ns,
            content_hash: [file.content_hash as u64, (file.content_hash >> 64) as u64],
            row_count: file.rows,
            merged_count: file.merged,
            dropped_count: file.dropped,
            stock: file.code.as_deref().and_then(|code| stocks.get(code)).map_or(NONE, |stock| stock.0),
            status: file.status as u32,
        };
        files.iter().map(encode).collect()
    }

    /// The history; the change file of this version itself is the one at `changes`.
    fn history_records(&self, changes: Option<ChangesPlace>, strings: &mut StringTable) -> Vec<HistoryRecord> {
        let encode = |entry: &VersionEntry| {
            let changes = if entry.commit == self.commit { changes } else { entry.changes };
            HistoryRecord {
                version: entry.version,
                commit: entry.commit,
                created_ns: entry.created_ns,
                command: strings.add(&entry.command),
                row_count: entry.rows,
                added_count: entry.added,
                restated_count: entry.restated,
                filled_count: entry.filled,
                removed_count: entry.removed,
                date_count: entry.dates as u32,
                dirty_count: entry.dirty_dates as u32,
                stock_count: entry.dirty_stocks as u32,
                column_count: entry.dirty_columns as u32,
                changes_len: changes.map_or(0, |place| place.byte_len),
                changes_checksum: changes.map_or(0, |place| place.header_checksum),
            }
        };
        self.history.iter().map(encode).collect()
    }
}
