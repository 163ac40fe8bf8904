//! Everything one version says, as values; turned into the bytes of a catalog.

use std::collections::HashMap;

use arrow_array::{Array, ArrayRef, cast::AsArray};
use arrow_schema::DataType;
use bytemuck::Zeroable;

use super::chunks::ChunkFile;
use super::entries::{SourceEntry, VersionEntry};
use super::strings::StringTable;
use super::{dictionary, logical};
use crate::error::{Error, Result};
use crate::format::{
    CatalogBytes, ColumnRecord, Header, HistoryRecord, NONE, PieceRecord, SectionRecord, SegmentColumnRecord,
    SegmentRecord, SourceRecord, Stored, StrRef, Table,
};
use crate::key::{Date, StockId};
use crate::panel::{DateForm, Spelling};
use crate::reason::Reason;
use crate::segment::SealedSegment;

/// The contents of one version.
pub(crate) struct Snapshot {
    pub(crate) version: u64,
    pub(crate) store_id: [u8; 16],
    /// How many versions the store keeps.
    pub(crate) keep: u32,
    /// How the store was built, as JSON.
    pub(crate) settings: String,
    /// Column 0 is the code, column 1 the date.
    pub(crate) columns: Vec<SnapshotColumn>,
    pub(crate) date_spelling: Spelling,
    /// Dictionary 0 holds the codes.
    pub(crate) dictionaries: Vec<ArrayRef>,
    pub(crate) segments: Vec<SnapshotSegment>,
    /// Those of all sections, in any order.
    pub(crate) pieces: Vec<SnapshotPiece>,
    /// The chunks of the segments that this version wrote.
    pub(crate) chunks: ChunkFile,
    pub(crate) sources: Vec<SourceEntry>,
    /// All versions so far, this one last.
    pub(crate) history: Vec<VersionEntry>,
}

/// One column of a version.
pub(crate) struct SnapshotColumn {
    pub(crate) name: String,
    pub(crate) logical: DataType,
    pub(crate) dictionary: Option<u32>,
    /// Its place in the key beside date and code, from 1; 0 for a column that is no part of it.
    pub(crate) key: u8,
}

/// One segment that a version uses.
pub(crate) struct SnapshotSegment {
    /// Its record, but for where its columns are, which the catalog decides.
    pub(crate) record: SegmentRecord,
    /// Panel column, stored type and logical type of each of its columns.
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

    /// The further key columns, as places among the columns after code and date, the most significant first.
    pub(crate) fn key(&self) -> Vec<usize> {
        let key = self.columns.iter().enumerate().filter(|(_, column)| column.key > 0);
        let mut key: Vec<(u8, usize)> = key.map(|(index, column)| (column.key, index - 2)).collect();
        key.sort_unstable();
        key.into_iter().map(|(_, place)| place).collect()
    }

    /// Rows of the panel.
    pub(crate) fn row_count(&self) -> u64 {
        self.pieces.iter().map(|piece| u64::from(piece.record.row_count)).sum()
    }

    /// Dates of the panel.
    pub(crate) fn date_count(&self) -> usize {
        self.pieces.iter().filter(|piece| piece.place == 0).count()
    }

    /// Adds what stays of the version before: `pieces` in its `segments`, and no segment without any.
    pub(crate) fn add_kept(&mut self, segments: Vec<SnapshotSegment>, pieces: &[SnapshotPiece]) {
        let mut numbers: Vec<Option<u32>> = vec![None; segments.len()];
        for piece in pieces {
            numbers[piece.record.segment as usize] = Some(0);
        }
        for (number, segment) in numbers.iter_mut().zip(segments) {
            if let Some(number) = number {
                *number = self.segments.len() as u32;
                self.segments.push(segment);
            }
        }
        self.pieces.extend(pieces.iter().map(|piece| {
            let segment = numbers[piece.record.segment as usize].unwrap_or_default();
            SnapshotPiece { record: PieceRecord { segment, ..piece.record }, ..*piece }
        }));
    }

    /// Adds a segment that was sealed for this version, with all its pieces.
    pub(crate) fn add_sealed(&mut self, sealed: SealedSegment) {
        let segment = self.segments.len() as u32;
        let chunk_start = self.chunks.len();
        let mut start = 0;
        for piece in sealed.pieces {
            self.pieces.push(SnapshotPiece {
                date: piece.date,
                place: piece.place,
                changed: piece.changed,
                record: PieceRecord {
                    body_offset: piece.body_offset,
                    body_len: piece.body_len,
                    chunk_start: start,
                    segment,
                    row_count: piece.row_count,
                },
            });
            start += piece.chunks.len() as u64;
            self.chunks.extend(&piece.chunks);
        }
        self.segments.push(SnapshotSegment {
            record: SegmentRecord {
                version: sealed.id.version,
                ordinal: sealed.id.ordinal,
                file_len: sealed.file_len,
                frame_checksum: sealed.frame_checksum,
                chunk_start,
                chunk_count: start,
                chunk_checksum: self.chunks.checksum_from(chunk_start),
                ..SegmentRecord::zeroed()
            },
            columns: sealed.columns.iter().map(|c| (c.column, c.stored, c.logical.clone())).collect(),
            temporary: Some(sealed.temporary),
        });
    }

    /// The catalog's bytes.
    ///
    /// # Errors
    /// When a limit of the format is passed.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let mut strings = StringTable::default();
        let mut catalog = CatalogBytes::new(Header {
            version: self.version,
            store_id: self.store_id,
            created_ns: self.history.last().map_or(0, |this| this.created_ns),
            row_count: self.row_count(),
            keep_count: self.keep,
            ..Header::zeroed()
        });
        catalog.put(Table::Settings, self.settings.as_bytes());
        catalog.put(Table::Columns, &self.column_records(&mut strings)?);
        dictionary::put(&mut catalog, &self.dictionaries);
        self.put_stock_order(&mut catalog);
        self.put_segments(&mut catalog, &mut strings)?;
        self.put_sections(&mut catalog);
        catalog.put(Table::Sources, &self.source_records(&mut strings));
        catalog.put(Table::History, &self.history_records(&mut strings));
        let strings = strings.finish();
        if strings.len() > u32::MAX as usize {
            return Err(Error::refused_unless("names and reasons take more than 4 GiB", []));
        }
        catalog.put(Table::Strings, strings.as_bytes());
        Ok(catalog.finish())
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

    fn put_stock_order(&self, catalog: &mut CatalogBytes) {
        let (order, ranks) = self.stock_order();
        catalog.put(Table::StockOrder, &order);
        catalog.put(Table::StockRanks, &ranks);
    }

    fn put_segments(&self, catalog: &mut CatalogBytes, strings: &mut StringTable) -> Result<()> {
        let mut records = Vec::with_capacity(self.segments.len());
        let mut columns = Vec::new();
        for segment in &self.segments {
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

    fn source_records(&self, strings: &mut StringTable) -> Vec<SourceRecord> {
        let codes = self.dictionaries[0].as_string::<i32>();
        let stocks: HashMap<&str, StockId> =
            codes.iter().flatten().enumerate().map(|(stock, code)| (code, StockId(stock as u32))).collect();
        let encode = |source: &SourceEntry| SourceRecord {
            path: strings.add(&source.path),
            reason: strings.add(&source.reason.as_ref().map_or_else(String::new, Reason::stored)),
            byte_len: source.bytes,
            modified_ns: source.modified_ns,
            content_hash: [source.content_hash as u64, (source.content_hash >> 64) as u64],
            row_count: source.rows,
            merged_count: source.merged,
            dropped_count: source.dropped,
            stock: source.code.as_deref().and_then(|code| stocks.get(code)).map_or(NONE, |stock| stock.0),
            status: source.status as u32,
        };
        self.sources.iter().map(encode).collect()
    }

    fn history_records(&self, strings: &mut StringTable) -> Vec<HistoryRecord> {
        let encode = |entry: &VersionEntry| HistoryRecord {
            version: entry.version,
            created_ns: entry.created_ns,
            command: strings.add(&entry.command),
            row_count: entry.rows,
            added_count: entry.added,
            restated_count: entry.restated,
            removed_count: entry.removed,
            date_count: entry.dates as u32,
            dirty_count: entry.dirty_dates as u32,
        };
        self.history.iter().map(encode).collect()
    }
}
