//! Garbage collection: removes versions that are no longer wanted, and the files that only they used.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::entries::VersionEntry;
use super::keep::{Keep, KeepChange};
use super::layout::{catalogs, names_below};
use super::publish::{Opening, StoreWriter};
use super::stale::Stale;
use super::view::Store;
use crate::error::{Error, Result};
use crate::format::{
    CATALOG_DIR, SEGMENT_DIR, catalog_name, parse_changes_name, parse_chunks_name, parse_segment_name,
    parse_tables_name,
};
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
    keep_for: Option<Duration>,
    dry_run: bool,
    live: Option<u64>,
    wait: Duration,
    access: Access,
    observer: &'a dyn Observer,
    disk: Disk,
}

/// What was removed, or would be.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct CollectReport {
    /// The versions removed, ascending.
    #[serde(rename = "removed_versions")]
    pub versions: Vec<u64>,
    /// Versions that had to go and stay, because a reader has them open.
    #[serde(rename = "held_versions")]
    pub held: Vec<u64>,
    /// Versions that stay, held ones included, the live one last.
    #[serde(rename = "kept_versions")]
    pub kept: Vec<u64>,
    /// Files removed.
    #[serde(rename = "removed_files")]
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

impl<'a> Collect<'a> {
    /// Collects in the store at `store`, which keeps the versions that it says itself.
    pub fn new(store: impl Into<PathBuf>) -> Collect<'a> {
        Collect {
            store: store.into(),
            keep: None,
            keep_for: None,
            dry_run: false,
            live: None,
            wait: Duration::ZERO,
            access: Access::default(),
            observer: &Silent,
            disk: Disk::default(),
        }
    }

    /// Keeps the newest `versions`, the live one among them, instead of those that the store says; at least 1.
    pub fn keep(mut self, versions: u32) -> Self {
        self.keep = Some(versions.max(1));
        self
    }

    /// Keeps versions that were replaced no longer ago than `age`, instead of those that the store says: the store as of
    /// any instant since can still be opened. With [`keep`](Collect::keep), whichever keeps more.
    pub fn keep_for(mut self, age: Duration) -> Self {
        self.keep_for = Some(age);
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

    /// How the bytes of catalogs reach memory; by mapping them, by default.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
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
        let live = Store::open_with(&self.store, self.access)?;
        let keep = match (self.keep, self.keep_for) {
            (None, None) => live.kept(),
            (versions, age) => KeepChange { versions, age }.of(Keep::ONE),
        };
        if self.dry_run {
            return match (Stale::find(&self.store, self.access)?, self.live) {
                (Some(stale), None) => Err(stale.refusal(&self.store)),
                (Some(stale), Some(version)) if version != stale.current => match stale.whole {
                    Some((newer, commit)) if newer == version => {
                        let newer = Store::open_catalog(&self.store, commit, self.access)?;
                        Ok(Plan::of(&newer, keep)?.report)
                    }
                    _ => Err(stale.refusal(&self.store)),
                },
                _ => Ok(Plan::of(&live, keep)?.report),
            };
        }
        drop(live);
        let opening = self.live.map_or(Opening::Change, Opening::Settle);
        let begin = || StoreWriter::begin(&self.store, &self.disk, self.access, opening);
        let mut writer = wait(self.wait, self.observer, begin)?;
        writer.collect(keep)
    }
}

impl StoreWriter {
    /// Removes the versions that `keep` does not keep, with the files that only they use, and files that no version uses.
    ///
    /// # Errors
    /// When the live version cannot be read, or a file cannot be removed.
    pub(crate) fn collect(&mut self, keep: Keep) -> Result<CollectReport> {
        // The writer itself reads the version before, and would be in its own way.
        (self.before, self.live) = (None, None);
        let plan = Plan::of(&Store::open_with(self.root(), self.access)?, keep)?;
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
    /// Tables of sources, change files, segments and chunk files that go, each with its directory.
    unused: Vec<(&'static str, String)>,
    report: CollectReport,
}

impl Plan {
    fn of(live: &Store, keep: Keep) -> Result<Plan> {
        let (root, history) = (live.path(), live.history()?);
        let mut plan = Plan { catalogs: Vec::new(), unused: Vec::new(), report: CollectReport::default() };
        let mut there: HashSet<u64> = catalogs(root)?.into_iter().collect();
        let mut kept: Vec<u64> = Vec::new();
        let goes = keep.goes();
        // Versions with the same rows count once, so that one that notes skipped files pushes out no other rows.
        let (mut states, mut is_other) = (0, true);
        for (at, entry) in history.iter().enumerate().rev() {
            let next = history.get(at + 1);
            is_other |= next.is_some_and(VersionEntry::changes_rows);
            if !there.remove(&entry.commit) {
                continue;
            }
            let newer = if is_other { states } else { kept.len() };
            let replaced_ns = next.map_or(i64::MAX, |next| next.created_ns);
            if entry.version != live.version() && goes(newer, replaced_ns) {
                match plan.remove(root, entry.commit)? {
                    true => {
                        plan.report.versions.push(entry.version);
                        continue;
                    }
                    false => plan.report.held.push(entry.version),
                }
            }
            states += usize::from(is_other);
            is_other = false;
            kept.push(entry.commit);
            plan.report.kept.push(entry.version);
        }
        // Whatever the live version does not know was never live, or was given up.
        for commit in there {
            let version = Store::open_catalog(root, commit, live.access()).map(|store| store.version());
            if plan.remove(root, commit)? {
                plan.report.versions.extend(version.ok());
            } else {
                kept.push(commit);
                if let Ok(version) = version {
                    plan.report.held.push(version);
                    plan.report.kept.push(version);
                }
            }
        }
        let report = &mut plan.report;
        for versions in [&mut report.versions, &mut report.held, &mut report.kept] {
            versions.sort_unstable();
            versions.dedup();
        }
        plan.unused = unused_files(root, &kept, live.access())?;
        report.files = (plan.catalogs.len() + plan.unused.len()) as u64;
        let catalogs = plan.catalogs.iter().map(|(name, _)| root.join(CATALOG_DIR).join(name));
        report.bytes = catalogs.map(|path| len(&path)).sum::<u64>() + bytes_of(root, &plan.unused);
        Ok(plan)
    }

    /// Has the catalog that `commit` wrote go, unless a reader has it.
    fn remove(&mut self, root: &Path, commit: u64) -> Result<bool> {
        let path = catalog_path(root, commit);
        let file = match storage::open_to_lock(&path) {
            // In a dry run, a writer may remove it meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
            opened => opened.map_err(Error::io("open", &path))?,
        };
        match FileLock::exclusive(file, &path)? {
            Ok(lock) => self.catalogs.push((catalog_name(commit), lock)),
            Err(_) => return Ok(false),
        }
        Ok(true)
    }
}

impl Store {
    /// Bytes of all files that this version does not use.
    pub(super) fn unused_bytes(&self) -> Result<u64> {
        let others = catalogs(self.path())?.into_iter().filter(|&commit| commit != self.commit());
        let catalogs: u64 = others.map(|commit| len(&catalog_path(self.path(), commit))).sum();
        Ok(catalogs + bytes_of(self.path(), &unused_files(self.path(), &[self.commit()], self.access())?))
    }
}

/// Tables of sources, change files, segments and chunk files in the store at `root` that none of the versions uses whose
/// catalogs the commits `kept` wrote. Of a version that cannot be read, anything may be in use.
fn unused_files(root: &Path, kept: &[u64], access: Access) -> Result<Vec<(&'static str, String)>> {
    let (mut segments, mut tables, mut changes) = (HashSet::new(), HashSet::new(), HashSet::new());
    for &commit in kept {
        match Store::open_catalog(root, commit, access).and_then(|store| store.file_names()) {
            Ok(names) => {
                segments.extend(names.segments);
                tables.extend(names.tables);
                changes.extend(names.changes);
            }
            Err(_) => return Ok(Vec::new()),
        }
    }
    let commits: HashSet<u64> = segments.iter().map(|&(commit, _)| commit).collect();
    let is_unused =
        |found: Option<(u64, u32)>, used: &HashSet<(u64, u32)>| found.is_some_and(|file| !used.contains(&file));
    let in_segments = |name: &String| match parse_chunks_name(name) {
        Some(commit) => !commits.contains(&commit),
        None => is_unused(parse_segment_name(name), &segments),
    };
    let in_catalogs = |name: &String| match parse_changes_name(name) {
        Some(commit) => !changes.contains(&commit),
        None => is_unused(parse_tables_name(name), &tables),
    };
    let catalogs = names_below(root, CATALOG_DIR)?.into_iter().filter(in_catalogs);
    let segments = names_below(root, SEGMENT_DIR)?.into_iter().filter(in_segments);
    let segments = segments.map(|name| (SEGMENT_DIR, name));
    Ok(catalogs.map(|name| (CATALOG_DIR, name)).chain(segments).collect())
}

fn catalog_path(root: &Path, commit: u64) -> PathBuf {
    root.join(CATALOG_DIR).join(catalog_name(commit))
}

/// Bytes in these files of the store's directories.
fn bytes_of(root: &Path, files: &[(&str, String)]) -> u64 {
    files.iter().map(|(dir, name)| len(&root.join(dir).join(name))).sum()
}

/// Length of a file; 0 when it is gone, as it may be in a dry run.
fn len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
