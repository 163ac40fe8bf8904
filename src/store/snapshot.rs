//! Everything one version says, as values; turned into the bytes of a catalog.

use std::collections::HashMap;

use arrow_array::{Array, ArrayRef, cast::AsArray};
use arrow_schema::DataType;
use bytemuck::Zeroable;

use super::strings::StringTable;
use super::{SourceEntry, dictionary, logical};
use crate::error::{Error, Result};
use crate::format::{
    CatalogBytes, ColumnRecord, NONE, SectionRecord, SegmentColumnRecord, SegmentRecord, SourceRecord, StrRef, Table,
};
use crate::key::StockId;
use crate::panel::{DateForm, Spelling};
use crate::segment::SealedSegment;

/// The contents of one version.
pub(crate) struct Snapshot {
    pub(crate) version: u64,
    pub(crate) store_id: [u8; 16],
    pub(crate) created_ns: i64,
    /// How the store was built, as JSON.
    pub(crate) settings: String,
    /// Column 0 is the code, column 1 the date.
    pub(crate) columns: Vec<SnapshotColumn>,
    pub(crate) date_spelling: Spelling,
    /// Dictionary 0 holds the codes.
    pub(crate) dictionaries: Vec<ArrayRef>,
    pub(crate) segments: Vec<SealedSegment>,
    pub(crate) sources: Vec<SourceEntry>,
}

/// One column of a version.
pub(crate) struct SnapshotColumn {
    pub(crate) name: String,
    pub(crate) logical: DataType,
    pub(crate) dictionary: Option<u32>,
}

impl Snapshot {
    /// The date column's form.
    pub(crate) fn date_form(&self) -> DateForm {
        DateForm { data_type: self.columns[1].logical.clone(), spelling: self.date_spelling.clone() }
    }

    /// The catalog's bytes.
    ///
    /// # Errors
    /// When a limit of the format is passed.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let mut strings = StringTable::default();
        let row_count = self
            .segments
            .iter()
            .flat_map(|segment| &segment.sections)
            .map(|section| u64::from(section.row_count))
            .sum();
        let mut catalog = CatalogBytes::new(self.version, self.store_id, self.created_ns, row_count);
        catalog.put(Table::Settings, self.settings.as_bytes());
        catalog.put(Table::Columns, &self.column_records(&mut strings)?);
        dictionary::put(&mut catalog, &self.dictionaries);
        self.put_stock_order(&mut catalog);
        self.put_sections(&mut catalog);
        catalog.put(Table::Sources, &self.source_records(&mut strings));
        let strings = strings.finish();
        if strings.len() > u32::MAX as usize {
            return Err(Error::Refused("names and reasons take more than 4 GiB".to_owned()));
        }
        catalog.put(Table::Strings, strings.as_bytes());
        Ok(catalog.finish())
    }

    fn column_records(&self, strings: &mut StringTable) -> Result<Vec<ColumnRecord>> {
        let (spelling, format) = logical::encode_spelling(&self.date_spelling);
        let encode = |(index, column): (usize, &SnapshotColumn)| {
            let unsupported =
                || Error::Refused(format!("column {:?} has unsupported type {}", column.name, column.logical));
            let is_date = index == 1;
            Ok(ColumnRecord {
                name: strings.add(&column.name),
                logical: logical::encode(&column.logical, strings).ok_or_else(unsupported)?,
                dictionary: column.dictionary.unwrap_or(NONE),
                spelling: if is_date { spelling } else { 0 },
                reserved: [0; 3],
                spelling_format: if is_date { strings.add(format) } else { StrRef::zeroed() },
            })
        };
        self.columns.iter().enumerate().map(encode).collect()
    }

    fn put_stock_order(&self, catalog: &mut CatalogBytes) {
        let codes = self.dictionaries[0].as_string::<i32>();
        let mut order: Vec<u32> = (0..codes.len() as u32).collect();
        order.sort_unstable_by_key(|&stock| codes.value(stock as usize));
        let mut ranks = vec![0; order.len()];
        for (rank, &stock) in order.iter().enumerate() {
            ranks[stock as usize] = rank as u32;
        }
        catalog.put(Table::StockOrder, &order);
        catalog.put::<u32>(Table::StockRanks, &ranks);
    }

    fn put_sections(&self, catalog: &mut CatalogBytes) {
        let mut segments = Vec::new();
        let mut segment_columns = Vec::new();
        let mut sections = Vec::new();
        for (index, segment) in self.segments.iter().enumerate() {
            segments.push(SegmentRecord {
                version: segment.id.version,
                ordinal: segment.id.ordinal,
                column_count: segment.columns.len() as u32,
                column_start: segment_columns.len() as u64,
                file_len: segment.file_len,
                frame_checksum: segment.frame_checksum,
            });
            segment_columns.extend(segment.columns.iter().map(|column| SegmentColumnRecord {
                column: column.column,
                stored: column.stored as u8,
                reserved: [0; 3],
            }));
            sections.extend(segment.sections.iter().map(|section| (index as u32, section)));
        }
        sections.sort_by_key(|(_, section)| section.date);
        let mut chunks = Vec::new();
        let mut records = Vec::with_capacity(sections.len());
        for &(segment, section) in &sections {
            records.push(SectionRecord {
                body_offset: section.body_offset,
                body_len: section.body_len,
                chunk_start: chunks.len() as u64,
                segment,
                row_count: section.row_count,
            });
            chunks.extend_from_slice(&section.chunks);
        }
        let dates: Vec<i32> = sections.iter().map(|(_, section)| section.date.days()).collect();
        catalog.put(Table::Segments, &segments);
        catalog.put(Table::SegmentColumns, &segment_columns);
        catalog.put(Table::Dates, &dates);
        catalog.put(Table::Sections, &records);
        catalog.put(Table::Chunks, &chunks);
    }

    fn source_records(&self, strings: &mut StringTable) -> Vec<SourceRecord> {
        let codes = self.dictionaries[0].as_string::<i32>();
        let stocks: HashMap<&str, StockId> =
            codes.iter().flatten().enumerate().map(|(stock, code)| (code, StockId(stock as u32))).collect();
        let encode = |source: &SourceEntry| SourceRecord {
            path: strings.add(&source.path),
            reason: strings.add(&source.reason),
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
}
