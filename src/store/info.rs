//! What a store says about itself, for `info` and for scripts.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_schema::DataType;
use serde::Serialize;

use super::entries::FileEntry;
use super::version::Home;
use super::view::Store;
use crate::codec::{natural_stored, stored_type};
use crate::error::Result;
use crate::format::{BatchRecord, FileRecord, FileStatus, NONE, PieceRecord, SegmentRecord, Stored, Table};
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
    /// How many versions the store keeps, at least.
    pub keep: u32,
    /// For how many seconds it keeps a version after another has replaced it, at least.
    pub keep_for_seconds: u64,
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
    /// Record batches in them that this version does not use, because it has others for their dates.
    pub replaced_sections: u64,
    /// Bytes of all files that the live version does not use: what would be free if it were kept alone.
    pub unused_bytes: u64,
    /// Code, date, then the rest.
    pub columns: Vec<ColumnInfo>,
    /// What is remembered of the whole store.
    pub settings: serde_json::Value,
    /// Where the rows came from.
    pub sources: Vec<SourceInfo>,
}

/// One source in numbers.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct SourceInfo {
    /// Its name.
    pub name: String,
    /// Its columns, code, date and key columns left out.
    pub columns: Vec<String>,
    /// Its rows.
    pub rows: u64,
    /// Where its files are and how they are read.
    pub settings: serde_json::Value,
    /// Files whose rows are in the store.
    pub read_files: u64,
    /// Files without rows.
    pub empty_files: Vec<String>,
    /// Files that could not be used, by an update those included whose earlier rows stay.
    #[serde(rename = "skipped")]
    pub skipped_files: Vec<Skipped>,
    /// Rows left out because another row has the same key.
    pub merged_rows: u64,
    /// Rows left out because their date cannot be read.
    pub dropped_rows: u64,
}

/// Commit and number of the files that a version uses.
#[derive(Debug, Default)]
pub(super) struct FileNames {
    pub(super) segments: Vec<(u64, u32)>,
    pub(super) tables: Vec<(u64, u32)>,
    /// The commits whose change files it needs.
    pub(super) changes: Vec<u64>,
}

/// One column in numbers.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// Its logical type; dates with their spelling.
    #[serde(rename = "type")]
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
        // Which has the texts already, where files are read.
        let live = if live.commit() == self.commit() { self.clone() } else { live };
        let schema = self.schema()?;
        let dates = self.dates()?;
        let (mut segment_count, mut written, mut segment_bytes) = (0, 0_u64, 0_u64);
        let mut catalog_bytes = self.version.catalog.byte_len();
        for home in self.version.homes()? {
            let tables = self.version.home(home)?;
            let segments: &[SegmentRecord] = tables.table(Table::Segments)?;
            segment_count += segments.len() as u64;
            for segment in segments {
                segment_bytes = segment_bytes.saturating_add(segment.file_len);
                let batches = segment.chunk_count / u64::from(segment.column_count.max(1));
                written = written.saturating_add(batches);
            }
            if home != Home::Keys {
                catalog_bytes = catalog_bytes.saturating_add(tables.byte_len());
            }
        }
        let (mut used, mut section_bytes) = (0, 0_u64);
        let mut count = |batch: &BatchRecord| {
            if batch.segment != NONE {
                used += 1;
                section_bytes = section_bytes.saturating_add(batch.body_len);
            }
        };
        self.version.catalog.table::<PieceRecord>(Table::Pieces)?.iter().for_each(|piece| count(&piece.keys));
        for place in 0..self.version.sources()?.len() {
            self.version.all_parts(place)?.iter().flat_map(|part| [&part.values, &part.present]).for_each(&mut count);
        }
        Ok(StoreInfo {
            version: self.version(),
            live_version: live.version(),
            kept_versions: live.kept_versions()?,
            keep: live.keep(),
            keep_for_seconds: live.keep_for().as_secs(),
            created_ns: self.created_ns(),
            id: format!("{:032x}", self.id()),
            rows: self.row_count(),
            stocks: self.version.codes()?.iter().count() as u64,
            dates: dates.len() as u64,
            first_date: dates.first().copied(),
            last_date: dates.last().copied(),
            catalog_bytes,
            segment_bytes,
            segments: segment_count,
            section_bytes,
            replaced_sections: written.saturating_sub(used),
            unused_bytes: live.unused_bytes()?,
            columns: self.column_infos(schema.columns.len() + 2)?,
            settings: serde_json::from_str(&self.settings()?).unwrap_or_default(),
            sources: self.sources()?,
        })
    }

    /// The sources in numbers.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn sources(&self) -> Result<Vec<SourceInfo>> {
        let names = self.source_names()?;
        let has_several = names.len() > 1;
        let info =
            |(place, name): (usize, &str)| {
                let own = self.of_source(place);
                let files = own.files()?;
                let paths = |status| files.iter().filter(move |file| file.status == status);
                let settings: serde_json::Value = serde_json::from_str(&own.settings()?).unwrap_or_default();
                let mut skipped_files: Vec<Skipped> = files.iter().filter_map(FileEntry::skipped).collect();
                // An update skipped these, and their rows are those of an earlier time.
                let with_rows = settings.get("skipped").and_then(serde_json::Value::as_object).into_iter().flatten();
                skipped_files.extend(with_rows.filter_map(|(path, reason)| {
                    Some(Skipped::new(path, serde_json::from_value(reason.clone()).ok()?))
                }));
                skipped_files.sort_by(|a, b| a.path.cmp(&b.path));
                skipped_files.iter_mut().filter(|_| has_several).for_each(|skipped| skipped.be_of_source(name));
                let panel = own.schema()?;
                let columns = panel.columns.iter().enumerate().filter(|(index, _)| !panel.key.contains(index));
                Ok(SourceInfo {
                    name: name.to_owned(),
                    columns: columns.map(|(_, column)| column.name.clone()).collect(),
                    rows: own.version.row_count()?,
                    settings,
                    read_files: paths(FileStatus::Read).count() as u64,
                    empty_files: paths(FileStatus::Empty).map(|file| file.path.clone()).collect(),
                    skipped_files,
                    merged_rows: files.iter().map(|file| file.merged).sum(),
                    dropped_rows: files.iter().map(|file| file.dropped).sum(),
                })
            };
        names.into_iter().enumerate().map(info).collect()
    }

    /// What is remembered of the whole store, or, in a source's own view, of how it is read, as JSON.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn settings(&self) -> Result<String> {
        let tables = self.version.home(self.version.source().map_or(Home::Keys, Home::Source))?;
        let bytes: &[u8] = tables.table(Table::Settings)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| tables.structure("its settings are no text"))
    }

    /// The files this version was made from, source after source, skipped ones included; in a source's own view, its
    /// alone.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn files(&self) -> Result<Vec<FileEntry>> {
        let sources = match self.version.source() {
            Some(place) => place..place + 1,
            None => 0..self.version.sources()?.len(),
        };
        let codes = self.version.codes()?;
        let mut files = Vec::new();
        for place in sources {
            let tables = self.version.tables(place)?;
            for record in tables.table::<FileRecord>(Table::Files)? {
                let status = FileStatus::from_number(record.status)
                    .ok_or_else(|| tables.structure(format!("status {} of a file is unknown", record.status)))?;
                if record.stock != NONE && record.stock as usize >= arrow_array::Array::len(codes) {
                    return Err(tables.structure("a file is of an unknown stock"));
                }
                files.push(FileEntry {
                    path: tables.string(record.path)?.to_owned(),
                    status,
                    code: (record.stock != NONE).then(|| codes.value(record.stock as usize).to_owned()),
                    reason: match tables.string(record.reason)? {
                        "" => None,
                        text => Some(Reason::from_stored(text)),
                    },
                    bytes: record.byte_len,
                    modified_ns: record.modified_ns,
                    content_hash: u128::from(record.content_hash[0]) | u128::from(record.content_hash[1]) << 64,
                    rows: record.row_count,
                    merged: record.merged_count,
                    dropped: record.dropped_count,
                });
            }
        }
        Ok(files)
    }

    /// Commit and number of each segment, and of the tables of each source; the commits of change files.
    pub(super) fn file_names(&self) -> Result<FileNames> {
        let mut names = FileNames::default();
        for home in self.version.homes()? {
            let segments: &[SegmentRecord] = self.version.home(home)?.table(Table::Segments)?;
            names.segments.extend(segments.iter().map(|segment| (segment.commit, segment.ordinal)));
        }
        let sources = self.version.sources()?.iter();
        names.tables = sources.map(|source| (source.record.commit, source.record.ordinal)).collect();
        names.changes = self.change_files()?;
        Ok(names)
    }

    /// For each column, code and date included, how many values it has. Costs a look at each chunk's record.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(crate) fn value_counts(&self) -> Result<Vec<u64>> {
        let columns = self.column_infos(self.schema()?.columns.len() + 2)?;
        let rows = self.version.row_count()?;
        Ok(columns.iter().map(|column| rows.saturating_sub(column.nulls)).collect())
    }

    /// How many values of the `index`-th of the panel's columns are NaN. Reads all of them.
    pub(crate) fn count_nan(&self, index: usize) -> Result<u64> {
        let mut count = 0;
        for at in 0..self.dates()?.len() {
            let array = self.section_at(at)?.column_at(index)?.logical()?;
            let is_nan: usize = match array.data_type() {
                DataType::Float64 => {
                    array.as_primitive::<Float64Type>().iter().flatten().filter(|n| n.is_nan()).count()
                }
                DataType::Float32 => {
                    array.as_primitive::<Float32Type>().iter().flatten().filter(|n| n.is_nan()).count()
                }
                DataType::Float16 => {
                    array.as_primitive::<Float16Type>().iter().flatten().filter(|n| n.is_nan()).count()
                }
                _ => return Ok(0),
            };
            count += is_nan as u64;
        }
        Ok(count)
    }

    fn column_infos(&self, count: usize) -> Result<Vec<ColumnInfo>> {
        let mut nulls = vec![0u64; count];
        let mut stored: Vec<Option<(Stored, DataType)>> = vec![None; count];
        stored[0] = Some((Stored::Codes, DataType::Utf8));
        for index in 0..self.dates()?.len() {
            let section = self.outline_at(index)?;
            for piece in section.pieces() {
                let piece = piece?;
                for at in 2..count {
                    let Some((null_count, column)) = piece.nulls(at - 2)? else {
                        nulls[at] += piece.row_count() as u64;
                        continue;
                    };
                    nulls[at] += null_count as u64;
                    let widest = &mut stored[at];
                    if widest.as_ref().is_none_or(|(stored, _)| *stored < column.stored) {
                        *widest = Some((column.stored, column.logical.clone()));
                    }
                }
            }
        }
        let (schema, rows) = (self.schema()?, self.version.row_count()?);
        let info = |at: usize| {
            let (name, logical) = match at {
                0 => (&schema.code.name, &schema.code.data_type),
                1 => (&schema.date_name, &DataType::Date32),
                other => (&schema.columns[other - 2].name, &schema.columns[other - 2].data_type),
            };
            let natural = || (natural_stored(logical), logical.clone());
            let (stored, logical_then) = stored[at].clone().unwrap_or_else(natural);
            let stored = stored_type(&logical_then, stored);
            Ok(ColumnInfo {
                name: name.clone(),
                logical: if at == 1 { schema.date_form.to_string() } else { logical.to_string() },
                stored: stored.map_or_else(String::new, |stored| stored.to_string()),
                nulls: nulls[at],
                null_share: nulls[at] as f64 / rows.max(1) as f64,
            })
        };
        (0..count).map(info).collect()
    }
}
