//! An open store: one version, seen whole.

use std::collections::HashSet;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use arrow_array::{Array, ArrayRef, StringArray, cast::AsArray};
use arrow_buffer::Buffer;
use arrow_schema::DataType;

use super::catalog::Catalog;
use super::chunks::Chunks;
use super::collect::catalog_versions;
use super::{Section, absent, dictionary, layout, lock, logical};
use crate::error::{Damage, Error, Result};
use crate::format::{
    CATALOG_DIR, CURRENT_NAME, ColumnRecord, Current, FORMAT_VERSION, HistoryRecord, NONE, SEGMENT_DIR, SectionRecord,
    SegmentColumnRecord, SegmentRecord, Stored, Table, TypeRecord, catalog_name, segment_name,
};
use crate::hint::{listed, nearest};
use crate::key::{Date, StockId};
use crate::panel::{Column, DateForm, PanelSchema};
use crate::segment::{Segment, SegmentColumn};
use crate::storage;
use crate::storage::Access;

/// One version of a store, opened for reading.
///
/// A reader sees exactly the version that was live when it opened, whatever is published meanwhile; open again to see
/// the newer one. A `Store` can be shared among threads.
///
/// # Trust
///
/// [`open`](Store::open) checks the catalog's header; each table of the catalog is checked against its checksum at its
/// first use, and each column of a section every time it is handed out by [`section`](Store::section). Whole-store
/// checks are [`verify`](Store::verify)'s.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    access: Access,
    pub(super) catalog: Catalog,
    parts: OnceLock<Parts>,
    dates: OnceLock<Vec<Date>>,
    segments: Box<[OnceLock<OpenSegment>]>,
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

impl Store {
    /// Opens the live version of the store at `path`, by mapping; see [`Access::Map`] for what that relies on. Costs
    /// the same for a store of any size.
    ///
    /// # Errors
    /// [`Error::NotAStore`] where none is, [`Error::Unfinished`] where a build did not complete, [`Error::Corrupt`]
    /// and [`Error::WrongVersion`] where there is something else than this library wrote.
    pub fn open(path: impl AsRef<Path>) -> Result<Store> {
        Store::open_with(path, Access::Map)
    }

    /// Opens the live version of the store at `path`.
    ///
    /// # Errors
    /// As [`open`](Store::open).
    pub fn open_with(path: impl AsRef<Path>, access: Access) -> Result<Store> {
        let root = path.as_ref();
        let mut current = read_current(root)?;
        layout::refuse_links(root)?;
        let catalog = loop {
            let path = root.join(CATALOG_DIR).join(catalog_name(current.version));
            match Catalog::open(&path, access) {
                Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                    // Either the version was replaced and collected since CURRENT was read, or the catalog is gone.
                    let newer = read_current(root)?;
                    if newer == current {
                        return Err(Error::structure(&path, "CURRENT names it, and it is not there"));
                    }
                    current = newer;
                }
                opened => break opened?,
            }
        };
        Store::of_catalog(root, catalog, current.version, access)
    }

    /// Opens an older version of the store at `path`, if it is still kept.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such version, or it was collected; else as [`open`](Store::open).
    pub fn open_version(path: impl AsRef<Path>, version: u64) -> Result<Store> {
        Store::open(path)?.other_version(version)
    }

    /// Opens another version of this store, which is open in its live one, to be read in the same way.
    ///
    /// # Errors
    /// As [`open_version`](Store::open_version).
    pub fn other_version(&self, version: u64) -> Result<Store> {
        let root = &self.root;
        let kept = self.kept_versions()?;
        let missing = || Error::NotFound {
            what: format!("version {version} of {}", root.display()),
            hint: match kept[..] {
                [only] => format!("only version {only} is kept"),
                ref kept => format!("versions {} are kept", listed(kept)),
            },
        };
        if !kept.contains(&version) {
            return Err(missing());
        }
        match Store::open_catalog(root, version, self.access) {
            // It was collected at this moment.
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Err(missing()),
            opened => opened,
        }
    }

    /// Opens the catalog of `version`, live or not.
    pub(super) fn open_catalog(root: &Path, version: u64, access: Access) -> Result<Store> {
        let path = root.join(CATALOG_DIR).join(catalog_name(version));
        Store::of_catalog(root, Catalog::open(&path, access)?, version, access)
    }

    /// Opens the version of the store at `path` that was live at an instant, in nanoseconds since 1970, if it is still
    /// kept: what a reader saw at that time.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the store did not exist then, or the version was collected; else as
    /// [`open`](Store::open).
    pub fn open_as_of(path: impl AsRef<Path>, instant_ns: i64) -> Result<Store> {
        Store::open(path)?.version_as_of(instant_ns)
    }

    /// Opens the version that was live at an instant of this store, which is open in its live one, to be read in the
    /// same way.
    ///
    /// # Errors
    /// As [`open_as_of`](Store::open_as_of).
    pub fn version_as_of(&self, instant_ns: i64) -> Result<Store> {
        match self.history()?.iter().rfind(|entry| entry.created_ns <= instant_ns) {
            Some(entry) => self.other_version(entry.version),
            None => Err(Error::NotFound {
                what: format!("a version of {} from that time", self.root.display()),
                hint: "its first version is younger; `transect log` lists them".to_owned(),
            }),
        }
    }

    /// The versions that can be opened, ascending. Costs a look at the directory.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn kept_versions(&self) -> Result<Vec<u64>> {
        let known: HashSet<u64> = self.history()?.iter().map(|entry| entry.version).collect();
        Ok(catalog_versions(&self.root)?.into_iter().filter(|version| known.contains(version)).collect())
    }

    fn of_catalog(root: &Path, catalog: Catalog, version: u64, access: Access) -> Result<Store> {
        if catalog.header().version != version {
            return Err(catalog.structure(format!("it says it is version {}", catalog.header().version)));
        }
        let segment_count =
            catalog.header().tables[Table::Segments as usize].byte_len as usize / size_of::<SegmentRecord>();
        Ok(Store {
            root: root.to_owned(),
            access,
            catalog,
            parts: OnceLock::new(),
            dates: OnceLock::new(),
            segments: (0..segment_count).map(|_| OnceLock::new()).collect(),
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// How its files reach memory.
    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// The version this reader sees, from 1.
    pub fn version(&self) -> u64 {
        self.catalog.header().version
    }

    /// The same in every version of one store, different in any other store.
    pub fn id(&self) -> u128 {
        u128::from_le_bytes(self.catalog.header().store_id)
    }

    /// When this version was made, in nanoseconds since 1970: after all that is in it was read, just before it went
    /// live.
    pub fn created_ns(&self) -> i64 {
        self.catalog.header().created_ns
    }

    /// Rows of the panel.
    pub fn row_count(&self) -> u64 {
        self.catalog.header().row_count
    }

    /// How many versions the store keeps.
    pub fn keep(&self) -> u32 {
        self.catalog.header().keep_count
    }

    /// The panel's columns in their logical types.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn schema(&self) -> Result<&PanelSchema> {
        Ok(&self.parts()?.schema)
    }

    /// The dates that have a section, ascending.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn dates(&self) -> Result<&[Date]> {
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

    /// The codes of all stocks, in the order in which sections hold them.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn stocks(&self) -> Result<Vec<&str>> {
        let codes = self.codes()?;
        let order: &[u32] = self.catalog.table(Table::StockOrder)?;
        let code = |&stock: &u32| (stock < codes.len() as u32).then(|| codes.value(stock as usize));
        let stocks: Option<Vec<&str>> = order.iter().map(code).collect();
        stocks.ok_or_else(|| self.catalog.structure("its stock order names unknown stocks"))
    }

    /// The number of the stock with this code.
    ///
    /// # Errors
    /// [`Error::NotFound`], naming those that it may be a slip of.
    pub fn stock(&self, code: &str) -> Result<StockId> {
        let stocks = self.stocks()?;
        match stocks.binary_search(&code) {
            Ok(rank) => Ok(StockId(self.catalog.record(Table::StockOrder, rank)?)),
            Err(at) => {
                let around = &stocks[at.saturating_sub(1)..(at + 1).min(stocks.len())];
                let hint = match nearest(code, stocks.iter().copied())[..] {
                    [] => format!("in code order it would stand near {}", listed(around)),
                    ref near => format!("did you mean {}?", near.join(" or ")),
                };
                Err(Error::NotFound { what: format!("stock {code:?} in {}", self.root.display()), hint })
            }
        }
    }

    /// The section of `date`. Costs a binary search; nothing is read before a column is asked for.
    ///
    /// # Errors
    /// [`Error::NotFound`], naming the nearest dates.
    pub fn section(&self, date: Date) -> Result<Section<'_>> {
        let dates = self.dates()?;
        match dates.binary_search(&date) {
            Ok(index) => self.section_at(index),
            Err(at) => {
                let near: Vec<String> =
                    dates[at.saturating_sub(1)..(at + 1).min(dates.len())].iter().map(Date::to_string).collect();
                let verb = if near.len() == 1 { "is" } else { "are" };
                Err(Error::NotFound {
                    what: format!("date {date} in {}", self.root.display()),
                    hint: format!("the nearest {verb} {}", near.join(" and ")),
                })
            }
        }
    }

    /// When the version was made in which the section of the `index`-th date last changed, in nanoseconds since 1970;
    /// no segment is opened for it. Equal for two versions of a store, or of copies of one, they hold the same rows.
    ///
    /// # Errors
    /// When there are not so many dates, or the catalog is damaged.
    pub(crate) fn changed_ns(&self, index: usize) -> Result<i64> {
        let changed = self.catalog.record::<SectionRecord>(Table::Sections, index)?.changed;
        let history: &[HistoryRecord] = self.catalog.table(Table::History)?;
        let at = history.binary_search_by_key(&changed, |record| record.version);
        let at = at.map_err(|_| self.catalog.structure(format!("its history lacks version {changed}")))?;
        Ok(history[at].created_ns)
    }

    /// The section of the `index`-th date.
    ///
    /// # Errors
    /// When there are not so many, or the store is damaged.
    pub fn section_at(&self, index: usize) -> Result<Section<'_>> {
        self.section_by(index, Segment::slice)
    }

    /// As [`section_at`](Store::section_at), without its bytes: for those who ask for no row of it.
    pub(super) fn outline_at(&self, index: usize) -> Result<Section<'_>> {
        self.section_by(index, |_, _, _| Ok(Buffer::default()))
    }

    /// As [`section_at`](Store::section_at), with its bytes read to the heap and not mapped: for a writer, before whom
    /// nobody collects the version, that looks at many sections and at each of them once.
    pub(crate) fn read_section_at(&self, index: usize) -> Result<Section<'_>> {
        self.section_by(index, Segment::read)
    }

    fn section_by(&self, index: usize, get: impl Fn(&Segment, u64, u64) -> Result<Buffer>) -> Result<Section<'_>> {
        let date = *self.dates()?.get(index).ok_or_else(|| Error::NotFound {
            what: format!("section {index}"),
            hint: format!("there are {}", self.dates.get().map_or(0, Vec::len)),
        })?;
        let record: SectionRecord = self.catalog.record(Table::Sections, index)?;
        Section::new(self, date, record, get)
    }

    /// The codes in the order of stock numbers.
    pub(super) fn codes(&self) -> Result<&StringArray> {
        self.dictionary(0)?
            .and_then(|codes| codes.as_string_opt())
            .ok_or_else(|| self.catalog.structure("its codes are no text"))
    }

    /// Place of each stock in code order, by stock number.
    pub(crate) fn ranks(&self) -> Result<&[u32]> {
        self.catalog.table(Table::StockRanks)
    }

    /// The values of column `column`'s dictionary; column 0 is the code, column 1 the date.
    pub(crate) fn dictionary(&self, column: usize) -> Result<Option<&ArrayRef>> {
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
            what: format!("column {index}"),
            hint: format!("the panel has {} besides code and date, counted from 0", columns.len()),
        })
    }

    pub(super) fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// Segment `index`, opened at its first use.
    pub(super) fn segment(&self, index: u32) -> Result<&OpenSegment> {
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
        Ok(slot.get_or_init(|| OpenSegment { record, columns, chunks, segment }))
    }

    fn parts(&self) -> Result<&Parts> {
        if let Some(parts) = self.parts.get() {
            return Ok(parts);
        }
        let parts = self.read_parts()?;
        Ok(self.parts.get_or_init(|| parts))
    }

    /// The logical type in a record of the column `name`.
    pub(super) fn logical_type(&self, record: &TypeRecord, name: &str) -> Result<DataType> {
        let zone = self.catalog.string(record.zone)?;
        logical::decode(record, zone)
            .ok_or_else(|| self.catalog.structure(format!("column {name:?} has an unknown type")))
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
        let schema = PanelSchema { code, date_name: date.name, date_form, columns: rest };
        Ok(Parts { schema, dictionaries })
    }
}

/// A version of the store at `root` that was live for certain, whether or not CURRENT is there: LOCK notes it, or the
/// history of a later one lists it. Builds that did not complete leave catalogs, too, but each of them knows itself alone.
pub(super) fn published_before(root: &Path) -> Option<u64> {
    let noted = Some(lock::note(root).last).filter(|&version| version > 0);
    let before = |version| {
        let history = Store::open_catalog(root, version, Access::Map).and_then(|store| store.history()).ok()?;
        history.iter().rev().nth(1).map(|entry| entry.version)
    };
    let listed = || catalog_versions(root).ok()?.into_iter().rev().find_map(before);
    noted.or_else(listed)
}

/// More bytes than CURRENT has in any version of the format.
const LONGEST_CURRENT: u64 = 4096;

pub(super) fn read_current(root: &Path) -> Result<Current> {
    let path = root.join(CURRENT_NAME);
    let read = storage::open(&path).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(LONGEST_CURRENT).read_to_end(&mut bytes).map(|_| bytes)
    });
    match read {
        Ok(bytes) => Current::parse(&bytes).map_err(|other| match other {
            Some(found) => Error::WrongVersion { path, found, supported: FORMAT_VERSION },
            None => Error::Corrupt { path, damage: Damage::Checksum { what: "its text".to_owned() } },
        }),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            if root.is_dir() && layout::is_store(root)? {
                return Err(match published_before(root) {
                    Some(version) => {
                        Error::structure(&path, format!("it is not there, although version {version} was published"))
                    }
                    None => Error::Unfinished { path: root.to_owned() },
                });
            }
            Err(absent::nothing_at(root))
        }
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}
