//! The one writer's lock, and what its text notes for the next one.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::format::{LOCK_NAME, LockNote};
use crate::storage::FileLock;
use crate::storage::{self, Dir, Disk};

/// More bytes than LOCK has.
const LONGEST: u64 = 4096;

/// The write lock of a store, held until it is dropped.
pub(super) struct Lock {
    file: FileLock,
    path: PathBuf,
    /// What it said when it was taken.
    note: LockNote,
}

impl Lock {
    /// Takes the lock of the store in `dir`, and notes in it who has it, for those who come second.
    ///
    /// # Errors
    /// [`Error::Locked`] when another writer has it.
    pub(super) fn take(dir: &Dir) -> Result<Lock> {
        let path = dir.path().join(LOCK_NAME);
        let file = take(dir.open_or_create(LOCK_NAME)?, dir.path())?;
        // Who gave up a store before it had a version took LOCK away, with whoever waited for it.
        if !dir.has(LOCK_NAME, file.file())? {
            return Err(Error::Locked { path: dir.path().to_owned(), holder: None });
        }
        check_own(file.file(), &path)?;
        let note = LockNote::parse(&text(file.file())).unwrap_or_default();
        let lock = Lock { file, path, note };
        // Nothing but the process is new, and that is a courtesy: no sync.
        lock.put(&lock.noting(note.live, note.last).encode()).map_err(Error::io("write", &lock.path))?;
        Ok(lock)
    }

    /// What it said when it was taken.
    pub(super) fn note(&self) -> LockNote {
        self.note
    }

    /// Notes for good that `version` is live, and that numbers up to `newest` are used.
    ///
    /// # Errors
    /// When it cannot be written and synced.
    pub(super) fn set_live(&self, version: u64, newest: u64, disk: &Disk) -> Result<()> {
        disk.rewrite(self.file.file(), &self.path, &self.noting(version, newest.max(self.note.last)).encode())
    }

    fn noting(&self, live: u64, last: u64) -> LockNote {
        LockNote { process: std::process::id(), live, last }
    }

    fn put(&self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.file().write_all_at(bytes, 0)?;
        self.file.file().set_len(bytes.len() as u64)
    }
}

/// Checks that a LOCK is that of one store: a copy that is made of links would note there what the other does not know of.
fn check_own(file: &File, path: &Path) -> Result<()> {
    let metadata = file.metadata().map_err(Error::io("examine", path))?;
    if metadata.nlink() < 2 {
        return Ok(());
    }
    let what = format!("{} is a hard link, and may be the lock of another store, too", path.display());
    Err(Error::refused(what, "put a copy of it in its place: `cp LOCK own && mv own LOCK` there").about(path))
}

/// Takes the lock of `file`, the LOCK of the store at `root`.
fn take(file: File, root: &Path) -> Result<FileLock> {
    let taken = FileLock::exclusive(file, &root.join(LOCK_NAME))?;
    taken.map_err(|file| Error::Locked { holder: holder(&file), path: root.to_owned() })
}

/// Sees that nobody is writing to the store at `root`, and leaves LOCK as it is.
///
/// # Errors
/// [`Error::Locked`] when somebody is.
pub(super) fn look(root: &Path) -> Result<()> {
    let path = root.join(LOCK_NAME);
    match root.canonicalize().and_then(|root| storage::open_to_lock(&root.join(LOCK_NAME))) {
        Ok(file) => take(file, root).map(drop),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("open", &path)(error)),
    }
}

/// What the LOCK of the store at `root` notes; zeros where it notes nothing that can be read.
pub(super) fn note(root: &Path) -> LockNote {
    let file = storage::open(&root.join(LOCK_NAME)).ok();
    file.and_then(|file| LockNote::parse(&text(&file))).unwrap_or_default()
}

/// What it says is a courtesy: it may be empty, or the holder may just have changed.
fn holder(file: &File) -> Option<u32> {
    LockNote::parse(&text(file)).map(|note| note.process)
}

/// The file's text, as far as it can be read.
fn text(file: &File) -> Vec<u8> {
    let mut bytes = Vec::new();
    match file.take(LONGEST).read_to_end(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::Interrupted => Vec::new(),
        _ => bytes,
    }
}
