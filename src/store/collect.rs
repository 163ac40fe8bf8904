//! Garbage collection: removes versions that are no longer wanted, and the files that only they used.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::entries::VersionEntry;
use super::layout::{catalog_versions, names_below};
use super::publish::{Opening, StoreWriter};
use super::stale::Stale;
use super::view::Store;
use crate::error::{Error, Result};
use crate::format::{CATALOG_DIR, SEGMENT_DIR, catalog_name, parse_chunks_name, parse_segment_name, parse_tables_name};
use crate::progress::{Observer, Silent};
use crate::storage::Access;
use crate::storage::{self, Disk};
use crate::storage::{FileLock, wait};

/// Removes old versions of a store, and the files that only they use.
///
/// The live version always stays. So does a version that a reader has open, with all that it uses: it goes the next
/// time.
pub struct Collect<'a> {
    store: PathBuf,
    keep: Option<u32>,
    older_than: Option<Duration>,
    dry_run: bool,
    live: Option<u64>,
    wait: Duration,
    observer: &'a dyn Observer,
    disk: Disk,
}

/// What was removed, or would be.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct CollectReport {
    /// The versions removed, ascending.
    pub versions: Vec<u64>,
    /// Versions that had to go and stay, because a reader has them open.
    pub held: Vec<u64>,
    /// Versions that stay, held ones included, the live one last.
    pub kept: Vec<u64>,
    /// Files removed.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

impl<'a> Collect<'a> {
    /// Collects in the store at `store`, which keeps as many versions as it says itself.
    pub fn new(store: impl Into<PathBuf>) -> Collect<'a> {
        Collect {
            store: store.into(),
            keep: None,
            older_than: None,
            dry_run: false,
            live: None,
            wait: Duration::ZERO,
            observer: &Silent,
            disk: Disk::default(),
        }
    }

    /// Keeps the newest `versions`, the live one among them, instead of as many as the store says; at least 1.
    pub fn keep(mut self, versions: u32) -> Self {
        self.keep = Some(versions.max(1));
        self
    }

    /// Removes only versions that were replaced longer ago than `age`: the store as of any instant since can still be
    /// opened. Without [`keep`](Collect::keep), however many stay.
    pub fn older_than(mut self, age: Duration) -> Self {
        self.older_than = Some(age);
        self
    }

    /// Whether to remove nothing and only tell. A dry run takes no lock from any writer, and may count the unpublished
    /// files of one that is at work.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Which version is live, where CURRENT names another than the one that went live last: a newer one, and CURRENT
    /// names it from now on; or CURRENT's, and what came later goes. Refused where the two agree.
    pub fn live(mut self, version: u64) -> Self {
        self.live = Some(version);
        self
    }

    /// How long to wait for somebody else who is writing to the store; by default not at all.
    pub fn wait(mut self, patience: Duration) -> Self {
        self.wait = patience;
        self
    }

    /// Who watches, and may end the waiting.
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// The disk to remove files from; a test's may fail.
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }

    /// Collects. Costs a look at both directories and at the catalogs of the versions that stay.
    ///
    /// # Errors
    /// When the live version cannot be read, a newer one went live than CURRENT names, another writer is at work, or a
    /// file cannot be removed; the live version is whole all the same, and collecting again goes on where this stopped.
    pub fn run(self) -> Result<CollectReport> {
        let live = Store::open(&self.store)?;
        let newest = match (self.keep, self.older_than) {
            (Some(keep), _) => keep,
            (None, Some(_)) => 1,
            (None, None) => live.keep(),
        };
        let since = self.older_than.map_or(i64::MAX, |age| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(now.saturating_sub(age).as_nanos()).unwrap_or(i64::MAX)
        });
        let goes = |newer: usize, replaced_ns: i64| newer >= newest as usize && replaced_ns < since;
        if self.dry_run {
            return match (Stale::find(&self.store)?, self.live) {
                (Some(stale), None) => Err(stale.refusal(&self.store)),
                (Some(stale), Some(version)) if version != stale.current => {
                    Ok(Plan::of(&Store::open_catalog(&self.store, version, Access::Map)?, goes)?.report)
                }
                _ => Ok(Plan::of(&live, goes)?.report),
            };
        }
        drop(live);
        let opening = self.live.map_or(Opening::Change, Opening::Settle);
        let begin = || StoreWriter::begin(&self.store, &self.disk, opening);
        let mut writer = wait(self.wait, self.observer, begin)?;
        writer.collect(goes)
    }
}

impl StoreWriter {
    /// Removes the versions that `goes` names, with the files that only they use, and files that no version uses.
    /// It is asked about each version but the live one, with the number of newer versions there are and the instant at
    /// which the version was replaced.
    ///
    /// # Errors
    /// When the live version cannot be read, or a file cannot be removed.
    pub(crate) fn collect(&mut self, goes: impl Fn(usize, i64) -> bool) -> Result<CollectReport> {
        // The writer itself reads the version before, and would be in its own way.
        (self.before, self.live) = (None, None);
        let plan = Plan::of(&Store::open(self.root())?, goes)?;
        if plan.catalogs.is_empty() && plan.unused.is_empty() {
            return Ok(plan.report);
        }
        for (name, lock) in plan.catalogs {
            self.dir(CATALOG_DIR)?.remove(&name)?;
            drop(lock);
        }
        // A catalog must not come back after a crash that its segments did not survive, not even one that an earlier
        // writer removed.
        self.dir(CATALOG_DIR)?.sync()?;
        for (dir, name) in plan.unused {
            self.dir(dir)?.remove(&name)?;
        }
        Ok(plan.report)
    }
}

/// What goes and what stays.
struct Plan {
    /// Catalogs that go, each with an exclusive lock: no reader has them, and none gets them before they are gone.
    catalogs: Vec<(String, FileLock)>,
    /// Tables of sources, segments and chunk files that go, each with its directory.
    unused: Vec<(&'static str, String)>,
    report: CollectReport,
}

impl Plan {
    fn of(live: &Store, goes: impl Fn(usize, i64) -> bool) -> Result<Plan> {
        let history = live.history()?;
        let mut plan = Plan { catalogs: Vec::new(), unused: Vec::new(), report: CollectReport::default() };
        let report = &mut plan.report;
        let mut newer = 0;
        for version in catalog_versions(live.path())?.into_iter().rev() {
            let known = history.iter().position(|entry| entry.version == version);
            let replaced_ns = |at: usize| history.get(at + 1).map_or(i64::MAX, |next: &VersionEntry| next.created_ns);
            // A catalog that the live version's history does not know was written and never made live.
            if version != live.version() && known.is_none_or(|at| goes(newer, replaced_ns(at))) {
                let path = catalog_path(live.path(), version);
                let file = match storage::open_below(&path) {
                    // In a dry run, a writer may remove it meanwhile.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    opened => opened.map_err(Error::io("open", &path))?,
                };
                if let Ok(Ok(lock)) = FileLock::exclusive(file) {
                    plan.catalogs.push((catalog_name(version), lock));
                    report.versions.push(version);
                    continue;
                }
                report.held.push(version);
            }
            newer += usize::from(known.is_some());
            report.kept.push(version);
        }
        for versions in [&mut report.versions, &mut report.held, &mut report.kept] {
            versions.reverse();
        }
        plan.unused = unused_files(live.path(), &report.kept)?;
        report.files = (plan.catalogs.len() + plan.unused.len()) as u64;
        let catalogs = plan.catalogs.iter().map(|(name, _)| live.path().join(CATALOG_DIR).join(name));
        report.bytes = catalogs.map(|path| len(&path)).sum::<u64>() + bytes_of(live.path(), &plan.unused);
        Ok(plan)
    }
}

impl Store {
    /// Bytes of all files that this version does not use.
    pub(super) fn unused_bytes(&self) -> Result<u64> {
        let others = catalog_versions(self.path())?.into_iter().filter(|&version| version != self.version());
        let catalogs: u64 = others.map(|version| len(&catalog_path(self.path(), version))).sum();
        Ok(catalogs + bytes_of(self.path(), &unused_files(self.path(), &[self.version()])?))
    }
}

/// Tables of sources, segments and chunk files in the store at `root` that none of the versions `kept`, ascending, uses.
fn unused_files(root: &Path, kept: &[u64]) -> Result<Vec<(&'static str, String)>> {
    let (mut segments, mut tables) = (HashSet::new(), HashSet::new());
    // Of a version that cannot be read, anything up to its own number may be in use.
    let mut unknown_up_to = 0;
    for &version in kept {
        let names = Store::open_catalog(root, version, Access::Map).and_then(|store| store.file_names());
        match names {
            Ok(names) => {
                segments.extend(names.segments);
                tables.extend(names.tables);
            }
            Err(_) => unknown_up_to = version,
        }
    }
    let versions: HashSet<u64> = segments.iter().map(|&(version, _)| version).collect();
    let is_unused = |found: Option<(u64, u32)>, used: &HashSet<(u64, u32)>| {
        found.is_some_and(|file| file.0 > unknown_up_to && !used.contains(&file))
    };
    let in_segments = |name: &String| match parse_chunks_name(name) {
        Some(version) => version > unknown_up_to && !versions.contains(&version),
        None => is_unused(parse_segment_name(name), &segments),
    };
    let in_catalogs = |name: &String| is_unused(parse_tables_name(name), &tables);
    let catalogs = names_below(root, CATALOG_DIR)?.into_iter().filter(in_catalogs);
    let segments = names_below(root, SEGMENT_DIR)?.into_iter().filter(in_segments);
    let segments = segments.map(|name| (SEGMENT_DIR, name));
    Ok(catalogs.map(|name| (CATALOG_DIR, name)).chain(segments).collect())
}

fn catalog_path(root: &Path, version: u64) -> PathBuf {
    root.join(CATALOG_DIR).join(catalog_name(version))
}

/// Bytes in these files of the store's directories.
fn bytes_of(root: &Path, files: &[(&str, String)]) -> u64 {
    files.iter().map(|(dir, name)| len(&root.join(dir).join(name))).sum()
}

/// Length of a file; 0 when it is gone, as it may be in a dry run.
fn len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
