//! One version, open: its catalog, what the small tables say, and the segments that were used so far. All handles of it
//! share this.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use arrow_array::{ArrayRef, StringArray, StringViewArray, cast::AsArray};
use arrow_schema::DataType;

use super::catalog::Catalog;
use super::chunks::Chunks;
use super::entries::VersionEntry;
use super::{dictionary, logical};
use crate::error::{Error, Result, Wanted};
use crate::format::{
    ColumnRecord, HistoryRecord, NONE, SEGMENT_DIR, SegmentColumnRecord, SegmentRecord, Stored, Table, TypeRecord,
    segment_name,
};
use crate::key::Date;
use crate::panel::{Column, DateForm, PanelSchema, can_be_key};
use crate::segment::{Segment, SegmentColumn};
use crate::storage::Access;

/// One version of the store at `root`.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) root: PathBuf,
    pub(super) access: Access,
    pub(super) catalog: Catalog,
    parts: OnceLock<Parts>,
    dates: OnceLock<Vec<Date>>,
    /// The codes in the order of stock numbers, as a string view.
    code_views: OnceLock<StringViewArray>,
    segments: Box<[OnceLock<Arc<OpenSegment>>]>,
}

/// What the small tables say, taken apart once.
#[derive(Debug)]
struct Parts {
    schema: PanelSchema,
    /// For each column, code and date included, the values of its dictionary.
    dictionaries: Vec<Option<ArrayRef>>,
}

/// A segment and the columns it holds.
#[derive(Debug)]
pub(super) struct OpenSegment {
    pub(super) record: SegmentRecord,
    pub(super) columns: Vec<SegmentColumn>,
    pub(super) chunks: Chunks,
    pub(super) segment: Segment,
}

impl OpenSegment {
    /// Where the `index`-th of the panel's columns stands among the segment's; code and date not counted.
    pub(super) fn position(&self, index: usize) -> Option<usize> {
        self.columns.binary_search_by_key(&(index as u32 + 2), |column| column.column).ok()
    }
}

impl Version {
    /// The version `number` of the store at `root`, which `catalog` should be of.
    ///
    /// # Errors
    /// When it is of another one.
    pub(super) fn new(root: &Path, catalog: Catalog, number: u64, access: Access) -> Result<Version> {
        if catalog.header().version != number {
            return Err(catalog.structure(format!("it says it is version {}", catalog.header().version)));
        }
        let segment_count =
            catalog.header().tables[Table::Segments as usize].byte_len as usize / size_of::<SegmentRecord>();
        Ok(Version {
            root: root.to_owned(),
            access,
            catalog,
            parts: OnceLock::new(),
            dates: OnceLock::new(),
            code_views: OnceLock::new(),
            segments: (0..segment_count).map(|_| OnceLock::new()).collect(),
        })
    }

    /// The panel's columns in their logical types.
    pub(super) fn schema(&self) -> Result<&PanelSchema> {
        Ok(&self.parts()?.schema)
    }

    /// The dates that have a section, ascending.
    pub(super) fn dates(&self) -> Result<&[Date]> {
        if let Some(dates) = self.dates.get() {
            return Ok(dates);
        }
        let days: &[i32] = self.catalog.table(Table::Dates)?;
        let dates = days.iter().map(|&days| Date::from_days(days)).collect::<Option<Vec<Date>>>();
        let dates = dates.ok_or_else(|| self.catalog.structure("a date lies outside the years 0000 to 9999"))?;
        if !dates.is_sorted_by(|a, b| a < b) {
            return Err(self.catalog.structure("its dates are out of order"));
        }
        Ok(self.dates.get_or_init(|| dates))
    }

    /// All versions up to this one, oldest first, collected ones included.
    pub(super) fn history(&self) -> Result<Vec<VersionEntry>> {
        let decode = |record: &HistoryRecord| {
            Ok(VersionEntry {
                version: record.version,
                created_ns: record.created_ns,
                command: self.catalog.string(record.command)?.to_owned(),
                rows: record.row_count,
                dates: u64::from(record.date_count),
                added: record.added_count,
                restated: record.restated_count,
                removed: record.removed_count,
                dirty_dates: u64::from(record.dirty_count),
            })
        };
        self.catalog.table::<HistoryRecord>(Table::History)?.iter().map(decode).collect()
    }

    /// The codes in the order of stock numbers.
    pub(super) fn codes(&self) -> Result<&StringArray> {
        self.dictionary(0)?
            .and_then(|codes| codes.as_string_opt())
            .ok_or_else(|| self.catalog.structure("its codes are no text"))
    }

    /// As [`codes`](Version::codes), as a string view, made at its first use.
    pub(super) fn code_views(&self) -> Result<&StringViewArray> {
        let codes = self.codes()?;
        Ok(self.code_views.get_or_init(|| codes.into()))
    }

    /// The codes of all stocks, in the order in which sections hold them.
    pub(super) fn stocks(&self) -> Result<Vec<&str>> {
        let codes = self.codes()?;
        let order: &[u32] = self.catalog.table(Table::StockOrder)?;
        order.iter().map(|&stock| self.code_of(codes, stock)).collect()
    }

    /// The code of the stock with this number, of a table of the catalog.
    pub(super) fn code_of<'a>(&self, codes: &'a StringArray, stock: u32) -> Result<&'a str> {
        let is_known = (stock as usize) < arrow_array::Array::len(codes);
        let unknown = || self.catalog.structure("its stock order names unknown stocks");
        is_known.then(|| codes.value(stock as usize)).ok_or_else(unknown)
    }

    /// Place of each stock in code order, by stock number.
    pub(super) fn ranks(&self) -> Result<&[u32]> {
        self.catalog.table(Table::StockRanks)
    }

    /// The values of column `column`'s dictionary; column 0 is the code, column 1 the date.
    pub(super) fn dictionary(&self, column: usize) -> Result<Option<&ArrayRef>> {
        Ok(self.parts()?.dictionaries.get(column).and_then(Option::as_ref))
    }

    /// Name and logical type of column `column`; column 0 is the code, column 1 the date.
    pub(super) fn column(&self, column: usize) -> Result<(&str, &DataType)> {
        let schema = self.schema()?;
        let column = match column {
            0 => &schema.code,
            1 => return Ok((&schema.date_name, &DataType::Date32)),
            other => schema
                .columns
                .get(other - 2)
                .ok_or_else(|| self.catalog.structure(format!("a segment names unknown column {other}")))?,
        };
        Ok((&column.name, &column.data_type))
    }

    /// Logical type of the `index`-th of the panel's columns, code and date not counted.
    pub(super) fn panel_type(&self, index: usize) -> Result<&DataType> {
        let columns = &self.schema()?.columns;
        columns.get(index).map(|column| &column.data_type).ok_or_else(|| Error::NotFound {
            wanted: Wanted::Column,
            what: format!("column {index}"),
            hint: format!("the panel has {} besides code and date, counted from 0", columns.len()),
        })
    }

    /// How many segments it uses.
    pub(super) fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// Segment `index`, opened at its first use.
    pub(super) fn segment(&self, index: u32) -> Result<&Arc<OpenSegment>> {
        let slot = self
            .segments
            .get(index as usize)
            .ok_or_else(|| self.catalog.structure(format!("a section names unknown segment {index}")))?;
        if let Some(open) = slot.get() {
            return Ok(open);
        }
        let record: SegmentRecord = self.catalog.record(Table::Segments, index as usize)?;
        let columns = self
            .catalog
            .records(Table::SegmentColumns, record.column_start, record.column_count as usize)?
            .iter()
            .map(|column: &SegmentColumnRecord| {
                let (name, _) = self.column(column.column as usize)?;
                let logical = self.logical_type(&column.logical, name)?;
                let stored = Stored::from_number(column.stored)
                    .ok_or_else(|| self.catalog.structure(format!("stored type {} is unknown", column.stored)))?;
                let dictionary = (stored == Stored::Codes).then(|| self.dictionary(column.column as usize));
                Ok(SegmentColumn {
                    column: column.column,
                    name: name.to_owned(),
                    logical,
                    stored,
                    dictionary: dictionary.transpose()?.flatten().cloned(),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let keys: Vec<_> = columns.iter().take(2).map(|column| (column.column, column.stored)).collect();
        let ascending = columns.is_sorted_by(|a, b| a.column < b.column);
        if !ascending || keys != [(0, Stored::Codes), (1, Stored::Bytes4)] {
            return Err(self.catalog.structure(format!(
                "segment {index} does not begin with code and date, or its columns are out of order"
            )));
        }
        let path = self.root.join(SEGMENT_DIR).join(segment_name(record.version, record.ordinal));
        let segment = Segment::open(&path, record.file_len, self.access)?;
        let chunks = Chunks::open(&self.root, &record, self.access)?;
        Ok(slot.get_or_init(|| Arc::new(OpenSegment { record, columns, chunks, segment })))
    }

    /// The logical type in a record of the column `name`.
    pub(super) fn logical_type(&self, record: &TypeRecord, name: &str) -> Result<DataType> {
        let zone = self.catalog.string(record.zone)?;
        logical::decode(record, zone)
            .ok_or_else(|| self.catalog.structure(format!("column {name:?} has an unknown type")))
    }

    fn parts(&self) -> Result<&Parts> {
        if let Some(parts) = self.parts.get() {
            return Ok(parts);
        }
        let parts = self.read_parts()?;
        Ok(self.parts.get_or_init(|| parts))
    }

    fn read_parts(&self) -> Result<Parts> {
        let records: &[ColumnRecord] = self.catalog.table(Table::Columns)?;
        let mut columns = Vec::with_capacity(records.len());
        let mut dictionaries = Vec::with_capacity(records.len());
        for record in records {
            let name = self.catalog.string(record.name)?.to_owned();
            let data_type = self.logical_type(&record.logical, &name)?;
            columns.push(Column { name, data_type });
            let dictionary = (record.dictionary != NONE).then(|| dictionary::get(&self.catalog, record.dictionary));
            dictionaries.push(dictionary.transpose()?);
        }
        let [_, date, ..] = records else {
            return Err(self.catalog.structure("it lacks the code or the date column"));
        };
        let format = self.catalog.string(date.spelling_format)?;
        let spelling = logical::decode_spelling(date.spelling, format)
            .ok_or_else(|| self.catalog.structure("its dates have an unknown spelling"))?;
        let rest = columns.split_off(2);
        let [code, date] = <[Column; 2]>::try_from(columns)
            .map_err(|_| self.catalog.structure("it lacks the code or the date column"))?;
        let date_form = DateForm { data_type: date.data_type, spelling };
        let key = key_of(records, &rest).ok_or_else(|| self.catalog.structure("its key columns make no key"))?;
        let schema = PanelSchema { code, date_name: date.name, date_form, columns: rest, key };
        Ok(Parts { schema, dictionaries })
    }
}

/// The places of the key columns among `columns`, whose records follow those of code and date; `None` where their
/// numbers or types are none of a key.
fn key_of(records: &[ColumnRecord], columns: &[Column]) -> Option<Vec<usize>> {
    if records.iter().take(2).any(|record| record.key > 0) {
        return None;
    }
    let rest = records.get(2..)?.iter().enumerate();
    let mut key: Vec<(u8, usize)> = rest.filter(|(_, r)| r.key > 0).map(|(place, r)| (r.key, place)).collect();
    key.sort_unstable();
    let is_whole = key.iter().enumerate().all(|(n, &(number, _))| usize::from(number) == n + 1);
    let is_typed = key.iter().all(|&(_, place)| can_be_key(&columns[place].data_type));
    (is_whole && is_typed).then(|| key.into_iter().map(|(_, place)| place).collect())
}
