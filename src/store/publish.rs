//! Writing to a store: one writer at a time, and the commit that makes a version live.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::layout::{self, names};
use super::{Snapshot, Store};
use crate::durable::Disk;
use crate::error::{Error, Result};
use crate::format::{
    CATALOG_DIR, CURRENT_NAME, Current, LOCK_NAME, SEGMENT_DIR, SPILL_PREFIX, TEMP_PREFIX, catalog_name,
    parse_catalog_name, parse_segment_name, segment_name,
};

/// How a writer treats what is there already.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WriterOptions {
    /// Replace a store that exists.
    pub(crate) replace: bool,
}

/// The one writer of a store, from its lock to its commit.
pub(crate) struct WriterLock {
    _file: File,
}

/// A new version being written.
pub(crate) struct StoreWriter {
    root: PathBuf,
    disk: Disk,
    version: u64,
    _lock: WriterLock,
}

impl StoreWriter {
    /// Locks the store at `root`, making the directory where there is none, and clears away what earlier writers left
    /// unpublished.
    ///
    /// # Errors
    /// [`Error::Refused`] when something stands there that must not be replaced, [`Error::Locked`] when another writer
    /// is at work.
    pub(crate) fn begin(root: &Path, disk: &Disk, options: WriterOptions) -> Result<StoreWriter> {
        let refuse_existing = || {
            if root.join(CURRENT_NAME).exists() && !options.replace {
                return Err(Error::Refused(format!(
                    "{0} is a store already; use --force to replace it, or remove it with `rm -r {0}`",
                    root.display()
                )));
            }
            Ok(())
        };
        if root.exists() {
            if !layout::is_store(root)? && !layout::is_empty(root)? {
                return Err(Error::Refused(format!(
                    "{} exists and is no store; name a directory that does not exist yet",
                    root.display()
                )));
            }
            refuse_existing()?;
        }
        disk.create_dir(root)?;
        let lock = lock(root)?;
        // Another writer may have published between the first look and the lock.
        refuse_existing()?;
        for dir in [CATALOG_DIR, SEGMENT_DIR] {
            disk.create_dir(&root.join(dir))?;
        }
        let mut writer = StoreWriter { root: root.to_owned(), disk: disk.clone(), version: 1, _lock: lock };
        writer.version = writer.newest_version()? + 1;
        writer.clear_unpublished()?;
        Ok(writer)
    }

    /// The version being written.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The store's identity: that of the version before, or a new one.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub(crate) fn store_id(&self) -> Result<[u8; 16]> {
        // A store too damaged to open is replaced by a new one.
        if let Ok(before) = Store::open(&self.root) {
            return Ok(before.id().to_le_bytes());
        }
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(Error::arrow("draw a random number"))?;
        Ok(id)
    }

    /// Where segments go.
    pub(crate) fn segment_dir(&self) -> PathBuf {
        self.root.join(SEGMENT_DIR)
    }

    /// A name for an intermediate file.
    pub(crate) fn spill_path(&self, number: usize) -> PathBuf {
        self.root.join(format!("{SPILL_PREFIX}{number}"))
    }

    /// Makes `snapshot` the live version. Its segments are synced already. When this returns, the version survives a
    /// crash; before CURRENT is renamed, readers see the version before.
    ///
    /// # Errors
    /// When any step fails; then the version before stays live, unless the failure is the very last sync.
    pub(crate) fn publish(&self, snapshot: &Snapshot) -> Result<()> {
        let segment_dir = self.segment_dir();
        for segment in &snapshot.segments {
            if segment.id.version == self.version {
                let name = segment_name(segment.id.version, segment.id.ordinal);
                self.disk.rename(&segment.temporary, &segment_dir.join(name))?;
            }
        }
        self.disk.sync_dir(&segment_dir)?;
        self.put(&self.root.join(CATALOG_DIR), &catalog_name(self.version), &snapshot.encode()?)?;
        // The directories' own names must be there before CURRENT refers to what is in them.
        self.disk.sync_dir(&self.root)?;
        self.put(&self.root, CURRENT_NAME, &Current { version: self.version }.encode())?;
        match self.root.parent() {
            Some(parent) if parent.as_os_str().is_empty() => self.disk.sync_dir(Path::new(".")),
            Some(parent) => self.disk.sync_dir(parent),
            None => Ok(()),
        }
    }

    /// Writes, syncs and renames one file, and syncs its directory.
    fn put(&self, dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
        let temporary = dir.join(format!("{TEMP_PREFIX}{name}"));
        self.disk.remove(&temporary)?;
        let file = self.disk.create(temporary.clone())?;
        file.write_at(bytes, 0)?;
        file.sync()?;
        self.disk.rename(&temporary, &dir.join(name))?;
        self.disk.sync_dir(dir)
    }

    /// Removes all versions but the live one, with the segments that only they use. A version that a reader has open
    /// stays.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub(crate) fn drop_old_versions(&self) -> Result<()> {
        let mut kept_segments: HashSet<(u64, u32)> = HashSet::new();
        let catalog_dir = self.root.join(CATALOG_DIR);
        let live = Store::open(&self.root)?;
        kept_segments.extend(live.segment_names()?);
        for name in names(&catalog_dir)? {
            let Some(version) = parse_catalog_name(&name).filter(|&version| version != live.version()) else {
                continue;
            };
            let path = catalog_dir.join(&name);
            let file = File::open(&path).map_err(Error::io("open", &path))?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                self.disk.remove(&path)?;
            } else {
                // A reader has it: whatever segments its version or an earlier one wrote may be in use.
                let segments = names(&self.segment_dir())?;
                kept_segments
                    .extend(segments.iter().filter_map(|name| parse_segment_name(name)).filter(|s| s.0 <= version));
            }
        }
        for name in names(&self.segment_dir())? {
            if parse_segment_name(&name).is_some_and(|segment| !kept_segments.contains(&segment)) {
                self.disk.remove(&self.segment_dir().join(name))?;
            }
        }
        Ok(())
    }

    /// Removes temporary files, for a writer that gives up.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub(crate) fn clear_unpublished(&self) -> Result<()> {
        for dir in [self.root.clone(), self.root.join(CATALOG_DIR), self.segment_dir()] {
            for name in names(&dir)? {
                if name.starts_with(TEMP_PREFIX) || name.starts_with(SPILL_PREFIX) {
                    self.disk.remove(&dir.join(name))?;
                }
            }
        }
        Ok(())
    }

    /// The highest version that any file's name mentions, published or not: its names must not be used again.
    fn newest_version(&self) -> Result<u64> {
        let catalogs = names(&self.root.join(CATALOG_DIR))?;
        let segments = names(&self.segment_dir())?;
        let catalog_versions = catalogs.iter().filter_map(|name| parse_catalog_name(name));
        let segment_versions = segments.iter().filter_map(|name| parse_segment_name(name)).map(|(version, _)| version);
        Ok(catalog_versions.chain(segment_versions).max().unwrap_or(0))
    }
}

fn lock(root: &Path) -> Result<WriterLock> {
    let path = root.join(LOCK_NAME);
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(Error::io("create", &path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(WriterLock { _file: file }),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Locked { path }),
        Err(errno) => Err(Error::io("lock", &path)(errno.into())),
    }
}
