//! Files that survive a crash whole: written under a temporary name, synced, renamed, directory synced.
//!
//! Every change to a store's or an output's directory goes through a [`Disk`], which is the seam where tests make the
//! n-th operation fail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};

/// One operation about to happen; what a test's hook sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Make a directory.
    CreateDir(&'a Path),
    /// Make a file that does not exist.
    Create(&'a Path),
    /// Write so many bytes to a file.
    Write(&'a Path, usize),
    /// Sync a file's bytes.
    Sync(&'a Path),
    /// Give a file its final name.
    Rename(&'a Path, &'a Path),
    /// Sync a directory's names.
    SyncDir(&'a Path),
    /// Remove a file.
    Remove(&'a Path),
}

type Hook = dyn Fn(Operation<'_>) -> io::Result<()> + Send + Sync;

/// The file system, with a seam before each operation.
#[derive(Clone, Default)]
pub struct Disk {
    hook: Option<Arc<Hook>>,
}

impl Disk {
    /// A disk that asks `hook` before each operation and fails it with the hook's error. For tests.
    pub fn with_hook(hook: impl Fn(Operation<'_>) -> io::Result<()> + Send + Sync + 'static) -> Disk {
        Disk { hook: Some(Arc::new(hook)) }
    }

    fn before(&self, operation: Operation<'_>) -> io::Result<()> {
        self.hook.as_ref().map_or(Ok(()), |hook| hook(operation))
    }

    /// Makes `path` and its missing parents.
    pub(crate) fn create_dir(&self, path: &Path) -> Result<()> {
        self.before(Operation::CreateDir(path))
            .and_then(|()| fs::create_dir_all(path))
            .map_err(Error::io("create directory", path))
    }

    /// Makes a file that must not exist yet, readable by its writer as well.
    pub(crate) fn create(&self, path: PathBuf) -> Result<DiskFile> {
        self.before(Operation::Create(&path))
            .and_then(|()| OpenOptions::new().read(true).write(true).create_new(true).open(&path))
            .map(|file| DiskFile { disk: self.clone(), file, path: path.clone() })
            .map_err(Error::io("create", &path))
    }

    /// Gives `from` the name `to`, replacing what stands there.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.before(Operation::Rename(from, to)).and_then(|()| fs::rename(from, to)).map_err(Error::io("rename to", to))
    }

    /// Makes the names in `path` survive a crash.
    pub(crate) fn sync_dir(&self, path: &Path) -> Result<()> {
        self.before(Operation::SyncDir(path))
            .and_then(|()| File::open(path)?.sync_all())
            .map_err(Error::io("sync directory", path))
    }

    /// Removes a file; that it is gone already is no error.
    pub(crate) fn remove(&self, path: &Path) -> Result<()> {
        self.before(Operation::Remove(path))
            .and_then(|()| gone(fs::remove_file(path)))
            .map_err(Error::io("remove", path))
    }
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// A file being written.
pub struct DiskFile {
    disk: Disk,
    file: File,
    path: PathBuf,
}

impl DiskFile {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The open file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Writes all of `bytes` at `offset`.
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.disk
            .before(Operation::Write(&self.path, bytes.len()))
            .and_then(|()| self.file.write_all_at(bytes, offset))
            .map_err(Error::io("write", &self.path))
    }

    /// Makes its bytes survive a crash. A failed sync is final: the kernel may have dropped the pages, so trying again
    /// could report success for bytes that are lost.
    pub(crate) fn sync(&self) -> Result<()> {
        self.disk
            .before(Operation::Sync(&self.path))
            .and_then(|()| self.file.sync_all())
            .map_err(Error::io("sync", &self.path))
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.before(Operation::Write(&self.path, bytes.len()))?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
