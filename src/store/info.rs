//! What a store says about itself, for `info` and for scripts.

use arrow_schema::DataType;
use serde::Serialize;

use super::entries::SourceEntry;
use super::version::OpenSegment;
use super::view::Store;
use crate::codec::{natural_stored, stored_type};
use crate::error::Result;
use crate::format::{NONE, PieceRecord, SegmentRecord, SourceRecord, SourceStatus, Stored, Table};
use crate::key::Date;
use crate::reason::Reason;
use crate::skipped::Skipped;

/// A store in numbers.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct StoreInfo {
    /// The version that this is about.
    pub version: u64,
    /// The live version.
    pub live_version: u64,
    /// The versions that can be opened, ascending.
    pub kept_versions: Vec<u64>,
    /// How many versions the store keeps.
    pub keep: u32,
    /// When it was published, in nanoseconds since 1970.
    pub created_ns: i64,
    /// The store's identity, in hexadecimal.
    pub id: String,
    /// Rows.
    pub rows: u64,
    /// Stocks that have been seen, those without a row included.
    pub stocks: u64,
    /// Dates that have a section.
    pub dates: u64,
    /// The first date.
    pub first_date: Option<Date>,
    /// The last date.
    pub last_date: Option<Date>,
    /// Bytes of the catalog.
    pub catalog_bytes: u64,
    /// Bytes of the segments.
    pub segment_bytes: u64,
    /// Number of segments.
    pub segments: u64,
    /// Bytes of this version's sections within them.
    pub section_bytes: u64,
    /// Sections in them that this version does not use, because it has others for their dates.
    pub replaced_sections: u64,
    /// Bytes of all files that the live version does not use: what would be free if it were kept alone.
    pub unused_bytes: u64,
    /// Code, date, then the rest.
    pub columns: Vec<ColumnInfo>,
    /// How the store was built.
    pub settings: serde_json::Value,
    /// Source files whose rows are in the store.
    pub read_files: u64,
    /// Source files without rows.
    pub empty_files: Vec<String>,
    /// Source files that could not be used, by an update those included whose earlier rows stay.
    pub skipped_files: Vec<Skipped>,
    /// Rows left out because another row has the same key.
    pub merged_rows: u64,
    /// Rows left out because their date cannot be read.
    pub dropped_rows: u64,
}

/// One column in numbers.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// Its logical type; dates with their spelling.
    pub logical: String,
    /// Its stored type.
    pub stored: String,
    /// Nulls.
    pub nulls: u64,
    /// Nulls as a share of all rows, 0 to 1.
    pub null_share: f64,
}

impl Store {
    /// The store in numbers. Costs a look at each chunk's record, at the directory and at the live catalog.
    ///
    /// # Errors
    /// When the catalog, or the live one, is damaged.
    pub fn info(&self) -> Result<StoreInfo> {
        let live = Store::open_with(self.path(), self.access())?;
        let schema = self.schema()?;
        let dates = self.dates()?;
        let segments: &[SegmentRecord] = self.version.catalog.table(Table::Segments)?;
        let pieces: &[PieceRecord] = self.version.catalog.table(Table::Pieces)?;
        let pieces_of = |segment: &SegmentRecord| segment.chunk_count / u64::from(segment.column_count.max(1));
        let written = segments.iter().fold(0, |sum: u64, segment| sum.saturating_add(pieces_of(segment)));
        let sources = self.sources()?;
        let paths = |status| sources.iter().filter(move |source| source.status == status);
        let settings: serde_json::Value = serde_json::from_str(&self.settings()?).unwrap_or_default();
        let mut skipped_files: Vec<Skipped> = sources.iter().filter_map(SourceEntry::skipped).collect();
        // An update skipped these, and their rows are those of an earlier time.
        let with_rows = settings.get("skipped").and_then(serde_json::Value::as_object).into_iter().flatten();
        skipped_files.extend(with_rows.filter_map(|(path, reason)| {
            Some(Skipped { path: path.clone(), reason: serde_json::from_value(reason.clone()).ok()? })
        }));
        skipped_files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(StoreInfo {
            version: self.version(),
            live_version: live.version(),
            kept_versions: live.kept_versions()?,
            keep: live.keep(),
            created_ns: self.created_ns(),
            id: format!("{:032x}", self.id()),
            rows: self.row_count(),
            stocks: self.version.codes()?.iter().count() as u64,
            dates: dates.len() as u64,
            first_date: dates.first().copied(),
            last_date: dates.last().copied(),
            catalog_bytes: self.version.catalog.byte_len(),
            segment_bytes: segments.iter().fold(0, |sum, segment| sum.saturating_add(segment.file_len)),
            segments: segments.len() as u64,
            section_bytes: pieces.iter().fold(0, |sum, piece| sum.saturating_add(piece.body_len)),
            replaced_sections: written.saturating_sub(pieces.len() as u64),
            unused_bytes: live.unused_bytes()?,
            columns: self.column_infos(schema.columns.len() + 2)?,
            settings,
            read_files: paths(SourceStatus::Read).count() as u64,
            empty_files: paths(SourceStatus::Empty).map(|source| source.path.clone()).collect(),
            skipped_files,
            merged_rows: sources.iter().map(|source| source.merged).sum(),
            dropped_rows: sources.iter().map(|source| source.dropped).sum(),
        })
    }

    /// How the store was built, as JSON.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn settings(&self) -> Result<String> {
        let bytes: &[u8] = self.version.catalog.table(Table::Settings)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| self.version.catalog.structure("its settings are no text"))
    }

    /// The source files this version was made from, skipped ones included.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn sources(&self) -> Result<Vec<SourceEntry>> {
        let codes = self.version.codes()?;
        let decode = |record: &SourceRecord| {
            let status = SourceStatus::from_number(record.status)
                .ok_or_else(|| self.version.catalog.structure(format!("source status {} is unknown", record.status)))?;
            if record.stock != NONE && record.stock as usize >= arrow_array::Array::len(codes) {
                return Err(self.version.catalog.structure("a source names an unknown stock"));
            }
            Ok(SourceEntry {
                path: self.version.catalog.string(record.path)?.to_owned(),
                status,
                code: (record.stock != NONE).then(|| codes.value(record.stock as usize).to_owned()),
                reason: match self.version.catalog.string(record.reason)? {
                    "" => None,
                    text => Some(Reason::from_stored(text)),
                },
                bytes: record.byte_len,
                modified_ns: record.modified_ns,
                content_hash: u128::from(record.content_hash[0]) | u128::from(record.content_hash[1]) << 64,
                rows: record.row_count,
                merged: record.merged_count,
                dropped: record.dropped_count,
            })
        };
        self.version.catalog.table::<SourceRecord>(Table::Sources)?.iter().map(decode).collect()
    }

    /// Version and number of each segment.
    pub(super) fn segment_names(&self) -> Result<Vec<(u64, u32)>> {
        let segments: &[SegmentRecord] = self.version.catalog.table(Table::Segments)?;
        Ok(segments.iter().map(|segment| (segment.version, segment.ordinal)).collect())
    }

    /// For each column, code and date included, how many values it has. Costs a look at each chunk's record.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(crate) fn value_counts(&self) -> Result<Vec<u64>> {
        let columns = self.column_infos(self.schema()?.columns.len() + 2)?;
        Ok(columns.iter().map(|column| self.row_count().saturating_sub(column.nulls)).collect())
    }

    fn column_infos(&self, count: usize) -> Result<Vec<ColumnInfo>> {
        let mut nulls = vec![0u64; count];
        let mut stored = vec![None; count];
        for index in 0..self.dates()?.len() {
            let section = self.outline_at(index)?;
            for piece in section.pieces() {
                let piece = piece?;
                let open: &OpenSegment = piece.segment();
                let mut absent = vec![true; count];
                for (position, column) in open.columns.iter().enumerate() {
                    let at = column.column as usize;
                    nulls[at] += u64::from(piece.null_count(position));
                    let widest: &mut Option<(Stored, DataType)> = &mut stored[at];
                    if widest.as_ref().is_none_or(|(stored, _)| *stored < column.stored) {
                        *widest = Some((column.stored, column.logical.clone()));
                    }
                    absent[at] = false;
                }
                for (at, _) in absent.iter().enumerate().filter(|(_, absent)| **absent) {
                    nulls[at] += piece.row_count() as u64;
                }
            }
        }
        let info = |at: usize| {
            let (name, logical) = self.version.column(at)?;
            let natural = || (natural_stored(logical), logical.clone());
            let (stored, logical_then) = stored[at].clone().unwrap_or_else(natural);
            let stored = stored_type(&logical_then, stored);
            Ok(ColumnInfo {
                name: name.to_owned(),
                logical: if at == 1 { self.schema()?.date_form.to_string() } else { logical.to_string() },
                stored: stored.map_or_else(String::new, |stored| stored.to_string()),
                nulls: nulls[at],
                null_share: nulls[at] as f64 / (self.row_count().max(1)) as f64,
            })
        };
        (0..count).map(info).collect()
    }
}
