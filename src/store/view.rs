//! An open store: one version, seen whole.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::ArrayRef;
use chrono::DateTime;

use super::catalog::Catalog;
use super::entries::VersionEntry;
use super::keep::Keep;
use super::layout::{self, catalogs};
use super::piece::Bytes;
use super::section::Section;
use super::snapshot::Snapshot;
use super::version::Version;
use super::{absent, lock};
use crate::error::{Damage, Error, Result, Wanted};
use crate::format::{
    CATALOG_DIR, CURRENT_NAME, Current, FORMAT_VERSION, HistoryRecord, SectionRecord, Table, catalog_name,
};
use crate::hint::{instead, listed, nearest};
use crate::key::{Date, StockId};
use crate::panel::{Column, PanelSchema};
use crate::remedy::Operation;
use crate::storage;
use crate::storage::Access;

/// One version of a store, opened for reading.
///
/// A reader sees exactly the version that was live when it opened, whatever is published meanwhile; open again to see
/// the newer one. A `Store` is a handle: cheap to clone, and free to go to any thread. The version stays whole for as long
/// as any handle of it lives, sections included.
///
/// # Trust
///
/// [`open`](Store::open) checks the catalog's header; each table of the catalog is checked against its checksum at its
/// first use, and each column of a section every time it is handed out by [`section`](Store::section). Whole-store
/// checks are [`verify`](Store::verify)'s.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) version: Arc<Version>,
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
        let catalog = loop {
            let path = root.join(CATALOG_DIR).join(catalog_name(current.commit));
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
        if catalog.header().version != current.version || catalog.header().checksum != current.header_checksum {
            return Err(catalog.structure("it is not the one that CURRENT names"));
        }
        Store::of_catalog(root, catalog, current.commit, access)
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
        let root = self.path();
        let entries = self.kept_entries()?;
        let missing = || {
            let kept: Vec<u64> = entries.iter().rev().map(|entry| entry.version).collect();
            let hint = match kept[..] {
                [only] => format!("only version {only} is kept"),
                ref kept => format!("versions {} are kept", listed(kept)),
            };
            Error::not_found(Wanted::Version, format!("version {version} of {}", root.display()), hint)
        };
        let Some(entry) = entries.iter().find(|entry| entry.version == version) else { return Err(missing()) };
        match Store::open_catalog(root, entry.commit, self.access()) {
            // It was collected at this moment.
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Err(missing()),
            opened => opened,
        }
    }

    /// Opens the catalog that `commit` wrote, live or not.
    pub(super) fn open_catalog(root: &Path, commit: u64, access: Access) -> Result<Store> {
        let path = root.join(CATALOG_DIR).join(catalog_name(commit));
        Store::of_catalog(root, Catalog::open(&path, access)?, commit, access)
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
        let history = self.history()?;
        match history.iter().rfind(|entry| entry.created_ns <= instant_ns) {
            Some(entry) => self.other_version(entry.version),
            None => {
                let what = format!("so old a version of {}", self.path().display());
                let made = |first: &VersionEntry| {
                    let at = DateTime::from_timestamp_nanos(first.created_ns).format("%Y-%m-%d %H:%M:%S%.3f");
                    format!("its first version was made {at} UTC")
                };
                let hint = history.first().map_or_else(|| "it has no version".to_owned(), made);
                Err(Error::not_found(Wanted::Version, what, hint))
            }
        }
    }

    /// The versions that can be opened, ascending. Costs a look at the directory.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn kept_versions(&self) -> Result<Vec<u64>> {
        Ok(self.kept_entries()?.into_iter().map(|entry| entry.version).collect())
    }

    /// What History says of the versions that can be opened.
    pub(super) fn kept_entries(&self) -> Result<Vec<VersionEntry>> {
        let there: HashSet<u64> = catalogs(self.path())?.into_iter().collect();
        Ok(self.history()?.into_iter().filter(|entry| there.contains(&entry.commit)).collect())
    }

    fn of_catalog(root: &Path, catalog: Catalog, commit: u64, access: Access) -> Result<Store> {
        Ok(Store { version: Arc::new(Version::new(root, catalog, commit, access)?) })
    }

    /// The store as `snapshot` makes it, which has no segments or tables of its own, before it is written.
    pub(crate) fn seen_as(&self, snapshot: &Snapshot) -> Result<Store> {
        let path = self.path().join(CATALOG_DIR).join(catalog_name(snapshot.commit));
        let catalog = Catalog::of_memory(&snapshot.encode()?.catalog, &path)?;
        Store::of_catalog(self.path(), catalog, snapshot.commit, self.access())
    }

    /// All versions up to this one, oldest first, collected ones included.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn history(&self) -> Result<Vec<VersionEntry>> {
        self.version.history()
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.version.root
    }

    /// How its files reach memory.
    pub(crate) fn access(&self) -> Access {
        self.version.access
    }

    /// The version this reader sees, from 1.
    pub fn version(&self) -> u64 {
        self.version.catalog.header().version
    }

    /// The same in every version of one store, different in any other store.
    pub fn id(&self) -> u128 {
        u128::from_le_bytes(self.version.catalog.header().store_id)
    }

    /// When this version was made, in nanoseconds since 1970: after all that is in it was read, just before it went
    /// live.
    pub fn created_ns(&self) -> i64 {
        self.version.catalog.header().created_ns
    }

    /// Rows of the panel.
    pub fn row_count(&self) -> u64 {
        self.version.catalog.header().row_count
    }

    /// The names of the sources, the first one first.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn source_names(&self) -> Result<Vec<&str>> {
        Ok(self.version.sources()?.iter().map(|source| source.name.as_str()).collect())
    }

    /// For each of the panel's columns the name of its source; `None` for a key column.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(crate) fn column_sources(&self) -> Result<Vec<Option<&str>>> {
        let sources = self.version.sources()?;
        let name = |index| {
            let owner = self.version.column_place(index)?.and_then(|(_, owner)| owner);
            Ok(owner.and_then(|place| sources.get(place)).map(|source| source.name.as_str()))
        };
        (0..self.schema()?.columns.len()).map(name).collect()
    }

    /// The place of the source `name`.
    ///
    /// # Errors
    /// [`Error::NotFound`], naming those that there are.
    pub(crate) fn find_source(&self, name: &str) -> Result<usize> {
        let names = self.source_names()?;
        names.iter().position(|known| *known == name).ok_or_else(|| {
            let what = format!("source {name:?} in {}", self.path().display());
            Error::not_found(Wanted::Source, what, instead(name, &names, "sources", Some(Operation::Info)))
        })
    }

    /// The store as the source at `place` sees it: its rows and columns, and nothing of the others.
    pub(crate) fn of_source(&self, place: usize) -> Store {
        Store { version: Arc::new(self.version.of_source(place)) }
    }

    /// The ids of the next new column and of the next new source.
    pub(crate) fn next_ids(&self) -> (u32, u32) {
        let header = self.version.catalog.header();
        (header.next_column, header.next_source)
    }

    /// The commit that wrote this version's catalog.
    pub(crate) fn commit(&self) -> u64 {
        self.version.catalog.header().commit
    }

    /// The checksum in the header of this version's catalog.
    pub(super) fn header_checksum(&self) -> u64 {
        self.version.catalog.header().checksum
    }

    /// How many versions the store keeps, at least.
    pub fn keep(&self) -> u32 {
        self.version.catalog.header().keep_count
    }

    /// For how long the store keeps a version after another has replaced it, at least.
    pub fn keep_for(&self) -> Duration {
        Duration::from_nanos(self.version.catalog.header().keep_ns)
    }

    /// Which versions the store keeps.
    pub(crate) fn kept(&self) -> Keep {
        Keep { versions: self.keep(), age: self.keep_for() }
    }

    /// The panel's columns in their logical types.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn schema(&self) -> Result<&PanelSchema> {
        self.version.schema()
    }

    /// The dates that have a section, ascending.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn dates(&self) -> Result<&[Date]> {
        self.version.dates()
    }

    /// The codes of all stocks, in the order in which sections hold them.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn stocks(&self) -> Result<Vec<&str>> {
        self.version.stocks()
    }

    /// The number of the stock with this code.
    ///
    /// # Errors
    /// [`Error::NotFound`], naming those that it may be a slip of.
    pub fn stock(&self, code: &str) -> Result<StockId> {
        let (codes, order): (_, &[u32]) = (self.version.codes()?, self.version.catalog.table(Table::StockOrder)?);
        let mut trouble = None;
        let found = order.binary_search_by(|&stock| match self.version.code_of(codes, stock) {
            Ok(known) => known.cmp(code),
            Err(error) => {
                trouble = Some(error);
                Ordering::Equal
            }
        });
        match (found, trouble) {
            (_, Some(error)) => Err(error),
            (Ok(rank), _) => Ok(StockId(order[rank])),
            (Err(at), _) => {
                let stocks = self.stocks()?;
                let around = &stocks[at.saturating_sub(1)..(at + 1).min(stocks.len())];
                let hint = match nearest(code, stocks.iter().copied())[..] {
                    [] => format!("in code order it would stand near {}", listed(around)),
                    ref near => format!("did you mean {}?", near.join(" or ")),
                };
                let what = format!("stock {code:?} in {}", self.path().display());
                Err(Error::not_found(Wanted::Stock, what, hint))
            }
        }
    }

    /// The version in which rows of a stock last changed: one came, went, or got another value. Rows that are the same in
    /// two versions may still count as changed between, never the other way; columns that came, went or got another
    /// name or type are told by the [schema](Store::schema).
    ///
    /// # Errors
    /// When there is no such stock, or the catalog is damaged.
    pub fn stock_changed(&self, stock: StockId) -> Result<u64> {
        let changed = self.version.stock_changes()?.get(stock.0 as usize).copied();
        changed.ok_or_else(|| self.version.catalog.structure(format!("it does not say when stock {} changed", stock.0)))
    }

    /// The section of `date`. Costs a binary search; nothing is read before a column is asked for.
    ///
    /// # Errors
    /// [`Error::NotFound`], naming the nearest dates.
    pub fn section(&self, date: Date) -> Result<Section> {
        self.section_at(self.place_of(date)?)
    }

    /// The dates before and after `date`, which is none of the store's.
    pub(super) fn beside(&self, date: Date) -> Result<&[Date]> {
        let dates = self.dates()?;
        let at = dates.partition_point(|known| *known < date);
        Ok(&dates[at.saturating_sub(1)..(at + 1).min(dates.len())])
    }

    /// Where `date` stands among the dates.
    pub(super) fn place_of(&self, date: Date) -> Result<usize> {
        match self.dates()?.binary_search(&date) {
            Ok(index) => Ok(index),
            Err(_) => {
                let near = self.beside(date)?;
                let verb = if near.len() == 1 { "is" } else { "are" };
                let what = format!("date {date} in {}", self.path().display());
                Err(Error::not_found(Wanted::Date, what, format!("the nearest {verb} {}", listed(near))))
            }
        }
    }

    /// When the version was made in which the section of the `index`-th date last changed, in nanoseconds since 1970;
    /// no segment is opened for it. Equal for two versions of a store, or of copies of one, they hold the same rows.
    ///
    /// # Errors
    /// When there are not so many dates, or the catalog is damaged.
    pub(crate) fn changed_ns(&self, index: usize) -> Result<i64> {
        self.made_ns(self.version.catalog.record::<SectionRecord>(Table::Sections, index)?.changed)
    }

    /// How many rows the section of the `index`-th date has; no segment is opened for it.
    ///
    /// # Errors
    /// When there are not so many dates, or the catalog is damaged.
    pub(crate) fn row_count_at(&self, index: usize) -> Result<u64> {
        Ok(self.version.catalog.record::<SectionRecord>(Table::Sections, index)?.row_count)
    }

    /// As [`changed_ns`](Store::changed_ns), of the rows of a stock.
    ///
    /// # Errors
    /// When there is no such stock, or the catalog is damaged.
    pub(crate) fn stock_changed_ns(&self, stock: StockId) -> Result<i64> {
        self.made_ns(self.stock_changed(stock)?)
    }

    /// When `version`, in which something last changed, was made.
    fn made_ns(&self, version: u64) -> Result<i64> {
        let history: &[HistoryRecord] = self.version.catalog.table(Table::History)?;
        let at = history.binary_search_by_key(&version, |record| record.version);
        let at = at.map_err(|_| self.version.catalog.structure(format!("its history lacks version {version}")))?;
        Ok(history[at].created_ns)
    }

    /// The codes of stocks of which rows changed after `version`.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(crate) fn stocks_changed_since(&self, version: u64) -> Result<HashSet<&str>> {
        let (codes, changes) = (self.version.codes()?, self.version.stock_changes()?);
        Ok(codes
            .iter()
            .flatten()
            .zip(changes)
            .filter(|(_, changed)| **changed > version)
            .map(|(code, _)| code)
            .collect())
    }

    /// The dates of which rows changed after `version`, and that have rows, ascending.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(crate) fn dates_changed_since(&self, version: u64) -> Result<Vec<Date>> {
        let sections: &[SectionRecord] = self.version.catalog.table(Table::Sections)?;
        let dates = self.dates()?.iter().zip(sections);
        Ok(dates.filter(|(_, section)| section.changed > version).map(|(date, _)| *date).collect())
    }

    /// The section of the `index`-th date.
    ///
    /// # Errors
    /// When there are not so many, or the store is damaged.
    pub fn section_at(&self, index: usize) -> Result<Section> {
        Section::new(&self.version, index, Bytes::AsStore)
    }

    /// As [`section_at`](Store::section_at), without its bytes: for those who ask for no row of it.
    pub(super) fn outline_at(&self, index: usize) -> Result<Section> {
        Section::new(&self.version, index, Bytes::None)
    }

    /// Place of each stock in code order, by stock number.
    pub(crate) fn ranks(&self) -> Result<&[u32]> {
        self.version.ranks()
    }

    /// Whether nobody wrote over the texts and codes while they were mapped.
    ///
    /// # Errors
    /// When somebody did.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        self.version.catalog.check_unchanged()
    }

    /// Bytes that the distinct texts of all columns take.
    pub(crate) fn texts_len(&self) -> u64 {
        self.version.texts_len()
    }

    /// Bytes that the distinct texts of each column take, by its name.
    pub(crate) fn texts_lens(&self) -> Result<HashMap<&str, usize>> {
        let mut lens = HashMap::new();
        for (place, Column { name, .. }) in self.schema()?.columns.iter().enumerate() {
            lens.insert(name.as_str(), self.version.texts_len_of(place + 2)? as usize);
        }
        Ok(lens)
    }

    /// The values of column `column`'s dictionary; column 0 is the code, column 1 the date.
    pub(crate) fn dictionary(&self, column: usize) -> Result<Option<&ArrayRef>> {
        self.version.dictionary(column)
    }
}

/// A version of the store at `root` that was live for certain, whether or not CURRENT is there: LOCK notes it, or the
/// history of a later one lists it. Builds that did not complete leave catalogs, too, but each of them knows itself alone.
pub(super) fn published_before(root: &Path) -> Option<u64> {
    let noted = Some(lock::note(root).last).filter(|&version| version > 0);
    let before = |commit| {
        let history = Store::open_catalog(root, commit, Access::Read).and_then(|store| store.history()).ok()?;
        history.iter().rev().nth(1).map(|entry| entry.version)
    };
    let listed = || catalogs(root).ok()?.into_iter().filter_map(before).max();
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
