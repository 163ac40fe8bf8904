//! Puts one output file in place: whole under its final name, or not at all.

use std::fs::{File, Metadata};
use std::hash::Hasher;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use twox_hash::XxHash3_64;

use crate::error::{Error, Result};
use crate::format::TEMP_PREFIX;
use crate::storage::{Dir, DiskFile};

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) byte_len: u64,
    /// XXH3 of the file.
    pub(crate) checksum: u64,
    /// Modification time, nanoseconds since 1970.
    pub(crate) modified_ns: i64,
}

/// A file that is written under a temporary name beside its own.
pub(crate) struct NewFile {
    dir: Dir,
    name: String,
    /// `None` once it has its name.
    file: Option<DiskFile>,
    byte_len: u64,
    hasher: XxHash3_64,
}

impl NewFile {
    /// Makes the file `name` of `dir`.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn create(dir: Dir, name: &str) -> Result<NewFile> {
        let temporary = temporary_name(name);
        let file = match dir.create(&temporary) {
            // A run that was killed left it. To ask first would take the directory's lock once more for each file.
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {
                dir.remove(&temporary)?;
                dir.create(&temporary)?
            }
            created => created?,
        };
        Ok(NewFile { dir, name: name.to_owned(), file: Some(file), byte_len: 0, hasher: XxHash3_64::new() })
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(file) = &self.file {
            file.write_at(bytes, self.byte_len)?;
            self.hasher.write(bytes);
            self.byte_len += bytes.len() as u64;
        }
        Ok(())
    }

    /// Waits until what was written is on the disk.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.as_ref().map_or(Ok(()), DiskFile::sync)
    }

    /// Gives the file its name, in place of what stands there.
    ///
    /// The file is not synced: output can be written again from the store at any time, and thousands of syncs would cost
    /// more than that. After a power failure, `verify --output` tells.
    ///
    /// # Errors
    /// When the system refuses; then nothing stands under the final name that did not before.
    pub(crate) fn finish(mut self) -> Result<Written> {
        let mut modified = 0;
        if let Some(file) = &self.file {
            modified = modified_ns(&file.file().metadata().map_err(Error::io("examine", file.path()))?);
            self.dir.rename(&temporary_name(&self.name), &self.name)?;
        }
        self.file = None;
        Ok(Written { byte_len: self.byte_len, checksum: self.hasher.finish(), modified_ns: modified })
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.file.is_some() {
            // What went wrong says more than an error about the leftover.
            let _ = self.dir.remove(&temporary_name(&self.name));
        }
    }
}

/// A file that is there, compared with what would be written in its place, as that comes.
pub(crate) struct OldFile {
    file: File,
    path: PathBuf,
    block: Vec<u8>,
    byte_len: u64,
    hasher: XxHash3_64,
    is_same: bool,
}

impl OldFile {
    /// The open `file`, which is at `path`.
    pub(crate) fn new(file: File, path: PathBuf) -> OldFile {
        OldFile { file, path, block: Vec::new(), byte_len: 0, hasher: XxHash3_64::new(), is_same: true }
    }

    /// Compares the bytes that come next.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn compare(&mut self, bytes: &[u8]) -> Result<()> {
        if self.is_same {
            self.block.clear();
            let next = (&self.file).take(bytes.len() as u64).read_to_end(&mut self.block);
            next.map_err(Error::io("read", &self.path))?;
            self.is_same = self.block == bytes;
            self.hasher.write(bytes);
            self.byte_len += bytes.len() as u64;
        }
        Ok(())
    }

    /// What was written, if it is all the same and the file ends here.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn finish(self) -> Result<Option<Written>> {
        let metadata = self.file.metadata().map_err(Error::io("examine", &self.path))?;
        let is_same = self.is_same && metadata.len() == self.byte_len;
        let (byte_len, checksum) = (self.byte_len, self.hasher.finish());
        Ok(is_same.then(|| Written { byte_len, checksum, modified_ns: modified_ns(&metadata) }))
    }
}

/// Modification time in nanoseconds since 1970.
fn modified_ns(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// Bytes of a name, at most, on all file systems in use.
const LONGEST_NAME: usize = 255;

/// Under which name the file `name` is written before it gets its own.
pub(crate) fn temporary_name(name: &str) -> String {
    if TEMP_PREFIX.len() + name.len() <= LONGEST_NAME {
        return format!("{TEMP_PREFIX}{name}");
    }
    let mut hasher = XxHash3_64::new();
    hasher.write(name.as_bytes());
    format!("{TEMP_PREFIX}{:016x}", hasher.finish())
}
