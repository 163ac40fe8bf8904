//! Writing to a store: one writer at a time, and the commit that makes a version live.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::io::Errno;

use super::entries::VersionEntry;
use super::layout::{self, catalogs};
use super::lock::{self, Lock};
use super::snapshot::Snapshot;
use super::stale::Stale;
use super::view::{Store, published_before, read_current};
use crate::error::{Error, Result};
use crate::format::{
    CATALOG_DIR, CURRENT_NAME, Current, LOCK_NAME, SEGMENT_DIR, SPILL_PREFIX, TEMP_PREFIX, catalog_name, changes_name,
    checksum, chunks_name, segment_name, tables_name,
};
use crate::remedy::{Operation, Remedy, Setting, lost_current};
use crate::storage::{Access, Dir, Disk};

/// What a writer expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// No store, or one that was never finished.
    Create,
    /// No store, or one to replace.
    Replace,
    /// A store to change.
    Change,
    /// A store to change whose live version is this one: CURRENT's, or a newer one that CURRENT does not know of.
    Settle(u64),
    /// A store to say of what would change, and to leave as it is.
    Look,
}

/// The numbers of a version that is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) store_id: [u8; 16],
    pub(crate) version: u64,
    pub(crate) commit: u64,
    /// Those of the next new column and of the next new source.
    pub(crate) next_column: u32,
    pub(crate) next_source: u32,
}

impl Ids {
    /// Those of the first version of a new store, which were not drawn before.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub(crate) fn first(disk: &Disk) -> Result<Ids> {
        Ok(Ids { store_id: new_store_id(disk)?, version: 1, commit: disk.draw()?, next_column: 2, next_source: 0 })
    }
}

/// A new version being written, by the one writer of the store: the lock goes with it.
pub(crate) struct StoreWriter {
    pub(super) dir: Dir,
    /// How bytes that were published reach memory.
    pub(super) access: Access,
    version: u64,
    /// Names the files that are written.
    commit: u64,
    store_id: [u8; 16],
    /// The live version. `None` where there is none, or it is too damaged to be opened and is to be replaced.
    pub(super) before: Option<Store>,
    /// The live version, where `before` is a later one that was staged.
    pub(super) live: Option<Store>,
    /// `None` where nothing is to be published.
    pub(super) lock: Option<Lock>,
    /// Whether this writer made the directory.
    is_new: bool,
}

impl StoreWriter {
    /// Locks the store at `root`, makes the directory where one is to be created, and clears away what earlier writers
    /// left unpublished.
    ///
    /// # Errors
    /// [`Error::Refused`] when something stands there that must not be replaced, [`Error::Locked`] when another writer
    /// is at work; for a store that is to be changed also what [`Store::open`] says, and [`Error::Refused`] when newer
    /// versions than CURRENT's went live.
    pub(crate) fn begin(root: &Path, disk: &Disk, access: Access, opening: Opening) -> Result<StoreWriter> {
        let refuse_existing = || {
            if opening != Opening::Create {
                return Ok(());
            }
            if root.join(CURRENT_NAME).exists() {
                let update = Operation::Update(root.to_string_lossy().into_owned());
                let update = Remedy::run(update, "brings it up to date");
                let force = Remedy::set(Setting::Force, "replaces it and erases all its versions");
                let what = format!("{} is a store already", root.display());
                return Err(Error::refused_unless(what, [update, force]));
            }
            match published_before(root) {
                Some(version) => {
                    let what = format!(
                        "{0} is a store of which version {version} was published, but {0}/{CURRENT_NAME} is not there",
                        root.display()
                    );
                    let force = Remedy::set(Setting::Force, "replaces the store and erases all its versions");
                    let [back, anew] = lost_current();
                    Err(Error::refused_unless(what, [back, anew, force]))
                }
                None => Ok(()),
            }
        };
        if opening == Opening::Look {
            return StoreWriter::look(root, disk, access);
        }
        let changes = matches!(opening, Opening::Change | Opening::Settle(_));
        if changes {
            // Whatever is wrong with it is said before anything is written there.
            Store::open_with(root, access)?;
        } else if root.exists() {
            if !layout::is_store(root)? && !layout::is_empty(root)? {
                let what = format!("{} exists and is no store", root.display());
                return Err(Error::refused(what, "name a directory that does not exist yet"));
            }
            refuse_existing()?;
        }
        let is_new = !root.exists();
        disk.create_dir_to_stay(root)?;
        let dir = Dir::open(disk, root)?;
        let lock = Lock::take(&dir)?;
        // Names that must survive whatever follows: LOCK, by which an unfinished store is known as one; and CURRENT,
        // since whoever published the live version may have died before its name was safe, and the version before it
        // goes next.
        dir.sync()?;
        // Another writer may have published between the first look and the lock.
        refuse_existing()?;
        for name in [CATALOG_DIR, SEGMENT_DIR] {
            dir.make(name)?;
        }
        if changes {
            settle(&dir, disk, access, &lock, opening)?;
        }
        let before = match Store::open_with(root, access) {
            // What cannot be read now may be whole.
            Err(error) if changes || matches!(error, Error::Io { .. }) => return Err(error),
            // A store too damaged to open is replaced by a new one.
            before => before.ok(),
        };
        let store_id = match &before {
            Some(before) => before.id().to_le_bytes(),
            None => new_store_id(disk)?,
        };
        let newest = match &before {
            Some(before) if changes => before.version(),
            // Where all that there is goes, CURRENT may be of another day, or nobody can read it.
            _ => newest_version(root, access, None)?,
        };
        let version = next_version(root, newest.max(lock.note().last))?;
        let (commit, lock) = (disk.draw()?, Some(lock));
        let writer = StoreWriter { dir, access, version, commit, store_id, before, live: None, lock, is_new };
        writer.clear_unpublished()?;
        Ok(writer)
    }

    /// One that publishes nothing and leaves nothing behind. It keeps no writer away, but does not begin beside one.
    fn look(root: &Path, disk: &Disk, access: Access) -> Result<StoreWriter> {
        let before = Store::open_with(root, access)?;
        lock::look(root)?;
        if let Some(stale) = Stale::find(root, access)? {
            return Err(stale.refusal(root));
        }
        let (dir, store_id) = (Dir::open(disk, root)?, before.id().to_le_bytes());
        let version = next_version(root, before.version().max(lock::note(root).last))?;
        let (commit, before) = (disk.draw()?, Some(before));
        Ok(StoreWriter { dir, access, version, commit, store_id, before, live: None, lock: None, is_new: false })
    }

    /// One that makes a part of the version with these numbers, going on from the version that the commit `before` wrote,
    /// whether that is live still or not. It publishes nothing, and keeps nobody away.
    ///
    /// # Errors
    /// When that version is gone.
    pub(crate) fn of_task(
        root: &Path,
        (disk, access): (&Disk, Access),
        (version, commit): (u64, u64),
        before: u64,
    ) -> Result<StoreWriter> {
        let before = Store::open_catalog(root, before, access).map_err(|error| match error {
            Error::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
                let what = format!("{} no longer has the version that it was planned from", root.display());
                Error::refused(what, "plan again").about(root)
            }
            other => other,
        })?;
        let (dir, store_id) = (Dir::open(disk, root)?, before.id().to_le_bytes());
        let before = Some(before);
        Ok(StoreWriter { dir, access, version, commit, store_id, before, live: None, lock: None, is_new: false })
    }

    /// One that makes in `dir` a part of a new store that has these numbers, for this process alone. It publishes nothing.
    ///
    /// # Errors
    /// When its directories cannot be made.
    pub(crate) fn of_part(dir: Dir, Ids { store_id, version, commit, .. }: Ids) -> Result<StoreWriter> {
        for name in [CATALOG_DIR, SEGMENT_DIR] {
            dir.make(name)?;
        }
        let (before, live, lock) = (None, None, None);
        Ok(StoreWriter { dir, access: Access::Map, version, commit, store_id, before, live, lock, is_new: true })
    }

    /// Where the store is.
    pub(super) fn root(&self) -> &Path {
        self.dir.path()
    }

    /// One of the store's directories, looked for each time: what stands there may have been swapped meanwhile, and a
    /// link is not followed.
    ///
    /// # Errors
    /// When it is gone or a link, or the system refuses.
    pub(super) fn dir(&self, name: &str) -> Result<Dir> {
        let gone = || Error::io("open", &self.root().join(name))(Errno::NOENT.into());
        self.dir.enter(name)?.ok_or_else(gone)
    }

    /// The version being written.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The commit that is going on: it names the files that are written.
    pub(crate) fn commit(&self) -> u64 {
        self.commit
    }

    /// The store's identity: that of the version before, or a new one.
    pub(crate) fn store_id(&self) -> [u8; 16] {
        self.store_id
    }

    /// When a version that is about to be published is made, in nanoseconds since 1970; later than the version before.
    /// All that is in it was read before, so that no reader as of an earlier instant sees what was not there yet.
    pub(crate) fn now(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64);
        // A clock that was set back must not make versions that look older than the ones before.
        self.before.as_ref().map_or(now, |before| now.max(before.created_ns().saturating_add(1)))
    }

    /// All its numbers. No id of before is used again, not by a store that is built anew either.
    pub(crate) fn ids(&self) -> Ids {
        let StoreWriter { store_id, version, commit, .. } = *self;
        let (next_column, next_source) = self.before.as_ref().map_or((2, 0), Store::next_ids);
        Ids { store_id, version, commit, next_column, next_source }
    }

    /// Goes on with what others have written for a version that has these numbers. Its version is this writer's; that of
    /// a new store is as if nobody had begun to publish it before.
    ///
    /// # Errors
    /// When the store's catalogs cannot be listed.
    pub(crate) fn take_over(&mut self, ids: Ids) -> Result<Ids> {
        (self.store_id, self.commit) = (ids.store_id, ids.commit);
        if self.before.is_none() {
            let last = self.lock.as_ref().map_or(0, |lock| lock.note().last);
            let newest = newest_version(self.root(), self.access, Some(ids.commit))?;
            self.version = next_version(self.root(), newest.max(last))?;
        }
        Ok(Ids { version: self.version, ..ids })
    }

    /// The live version, if there is one.
    pub(crate) fn before(&self) -> Option<&Store> {
        self.before.as_ref()
    }

    /// The live version, or the one that was staged last.
    ///
    /// # Errors
    /// [`Error::Unfinished`] where there is none.
    pub(crate) fn live(&self) -> Result<&Store> {
        self.before.as_ref().ok_or_else(|| Error::Unfinished { path: self.root().to_owned() })
    }

    /// All versions so far, oldest first.
    ///
    /// # Errors
    /// When the live catalog is damaged.
    pub(crate) fn history(&self) -> Result<Vec<VersionEntry>> {
        self.readers_version().map_or(Ok(Vec::new()), Store::history)
    }

    /// The version that readers see, if there is one.
    pub(crate) fn readers_version(&self) -> Option<&Store> {
        self.live.as_ref().or(self.before.as_ref())
    }

    /// Has the names of its directories survive a power failure, for who moves into them what is nowhere else.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn sync_names(&self) -> Result<()> {
        self.dir.sync()
    }

    /// Where segments go.
    ///
    /// # Errors
    /// When it is gone or a link, or the system refuses.
    pub(crate) fn segment_dir(&self) -> Result<Dir> {
        self.dir(SEGMENT_DIR)
    }

    /// Makes `snapshot` the live version. Its segments are synced already. When this returns, the version survives a
    /// crash; before CURRENT is renamed, readers see the version before.
    ///
    /// # Errors
    /// When any step fails, or a file of an earlier commit is not as it was; then the version before stays live, unless
    /// it is [`Error::Live`]: the very last sync.
    pub(crate) fn publish(&self, snapshot: &Snapshot) -> Result<()> {
        let header_checksum = self.put_version(snapshot)?;
        self.published()?.check_files()?;
        let put = put_current(&self.dir, (self.version, self.commit, header_checksum)).and_then(|()| {
            let lock = self.lock.as_ref();
            lock.map_or(Ok(()), |lock| lock.set_live(self.version, self.version, self.dir.disk()))
        });
        put.map_err(|why| match read_current(self.root()) {
            Ok(current) if current.commit == self.commit => {
                Error::Live { version: self.version, path: self.root().to_owned(), source: Box::new(why) }
            }
            _ => why,
        })
    }

    /// The version that this writer has published, or is about to.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn published(&self) -> Result<Store> {
        Store::open_catalog(self.root(), self.commit, self.access)
    }

    /// Goes on from `snapshot`, as if it were live: a later one of this writer's is to be published, and then this
    /// goes.
    ///
    /// # Errors
    /// When any step fails.
    pub(crate) fn stage(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.put_version(snapshot)?;
        let before = self.before.take();
        self.live = self.live.take().or(before);
        self.before = Some(Store::open_catalog(self.root(), self.commit, self.access)?);
        self.commit = next_commit(self.commit);
        Ok(())
    }

    /// Puts all files of a version in place but CURRENT; the checksum in the header of its catalog.
    fn put_version(&self, snapshot: &Snapshot) -> Result<u64> {
        snapshot.check_keys()?;
        for segment in snapshot.new_segments() {
            if let Some(temporary) = &segment.temporary {
                let name = segment_name(segment.record.commit, segment.record.ordinal);
                self.segment_dir()?.rename(temporary, &name)?;
            }
        }
        if !snapshot.chunks.is_empty() {
            // Syncs the directory as well, and with it the names of the segments.
            let name = chunks_name(self.commit);
            self.segment_dir()?.put_parts(&format!("{TEMP_PREFIX}{name}"), &name, snapshot.chunks.parts())?;
        }
        let encoded = snapshot.encode()?;
        for (ordinal, tables) in encoded.tables.iter().enumerate() {
            put(&self.dir(CATALOG_DIR)?, &tables_name(self.commit, ordinal as u32), tables)?;
        }
        if let Some(changes) = &encoded.changes {
            put(&self.dir(CATALOG_DIR)?, &changes_name(self.commit), changes)?;
        }
        put(&self.dir(CATALOG_DIR)?, &catalog_name(self.commit), &encoded.catalog)?;
        // The directories' own names must be there before CURRENT refers to what is in them.
        self.dir.sync()?;
        Ok(encoded.header_checksum)
    }

    /// Removes temporary files, for a writer that gives up.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub(crate) fn clear_unpublished(&self) -> Result<()> {
        if self.lock.is_none() {
            return Ok(());
        }
        for dir in [self.dir.clone(), self.dir(CATALOG_DIR)?, self.segment_dir()?] {
            for name in dir.names()? {
                if name.starts_with(TEMP_PREFIX) || name.starts_with(SPILL_PREFIX) {
                    dir.remove(&name)?;
                }
            }
        }
        Ok(())
    }
}

impl StoreWriter {
    /// As [`clear_unpublished`](StoreWriter::clear_unpublished); and a directory that this writer made goes with it,
    /// where nothing was ever published: it would pass for a build that was killed.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub(crate) fn give_up(self) -> Result<()> {
        self.clear_unpublished()?;
        if !self.is_new || self.before.is_some() || self.dir.names()?.iter().any(|name| name == CURRENT_NAME) {
            return Ok(());
        }
        for (name, dir) in [(SEGMENT_DIR, self.segment_dir()?), (CATALOG_DIR, self.dir(CATALOG_DIR)?)] {
            for file in dir.names()? {
                dir.remove(&file)?;
            }
            if !self.dir.remove_empty(name)? {
                return Ok(());
            }
        }
        // LOCK says whose directory this is for as long as there is anything else.
        self.dir.sync()?;
        self.dir.remove(LOCK_NAME)?;
        self.dir.disk().remove_empty_dir(self.root()).map(drop)
    }
}

/// The commit that goes on where `commit` has staged something: who runs a plan again writes the same again.
pub(crate) fn next_commit(commit: u64) -> u64 {
    checksum(&commit.to_le_bytes()).max(1)
}

fn new_store_id(disk: &Disk) -> Result<[u8; 16]> {
    Ok([disk.draw()?.to_le_bytes(), disk.draw()?.to_le_bytes()].concat().try_into().unwrap_or_default())
}

/// The highest version that a catalog has, live or not, but that which the commit `but` wrote; 0 where there is none
/// that can be read.
fn newest_version(root: &Path, access: Access, but: Option<u64>) -> Result<u64> {
    let others = catalogs(root)?.into_iter().filter(|at| Some(*at) != but);
    let found = others.filter_map(|at| Store::open_catalog(root, at, access).ok());
    Ok(found.map(|store| store.version()).max().unwrap_or(0))
}

fn next_version(root: &Path, newest: u64) -> Result<u64> {
    newest.checked_add(1).ok_or_else(|| {
        Error::refused_unless(format!("{} has the last version that can be numbered", root.display()), [])
    })
}

fn put(dir: &Dir, name: &str, bytes: &[u8]) -> Result<()> {
    dir.put(&format!("{TEMP_PREFIX}{name}"), name, bytes)
}

/// Has CURRENT name a version, the commit that wrote its catalog, and the checksum in the catalog's header.
fn put_current(dir: &Dir, (version, commit, header_checksum): (u64, u64, u64)) -> Result<()> {
    let current = Current { version, commit, header_checksum, nonce: dir.disk().draw()? };
    put(dir, CURRENT_NAME, &current.encode())
}

/// Sees that CURRENT names the version that went live last, or that somebody chose another.
fn settle(dir: &Dir, disk: &Disk, access: Access, lock: &Lock, opening: Opening) -> Result<()> {
    let root = dir.path();
    match (Stale::find(root, access)?, opening) {
        (None, Opening::Settle(_)) => {
            let what = format!("CURRENT of {} names the version that went live last", root.display());
            Err(Error::refused(what, "choose none, since there is nothing to be chosen"))
        }
        (Some(stale), Opening::Settle(version)) if version == stale.current => {
            lock.set_live(version, stale.newest, disk)
        }
        (Some(stale), opening) => match (stale.whole, opening) {
            (Some((version, commit)), Opening::Settle(chosen)) if chosen == version => {
                let header_checksum = Store::open_catalog(root, commit, access)?.header_checksum();
                put_current(dir, (version, commit, header_checksum))?;
                lock.set_live(version, stale.newest, disk)
            }
            _ => Err(stale.refusal(root)),
        },
        (None, _) => Ok(()),
    }
}
