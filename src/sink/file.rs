//! Puts one output file in place: whole under its final name, or not at all.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;

use crate::error::{Error, Result};
use crate::format::{TEMP_PREFIX, checksum};
use crate::storage::Dir;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) byte_len: u64,
    /// XXH3 of the file.
    pub(crate) checksum: u64,
    /// Modification time, nanoseconds since 1970.
    pub(crate) modified_ns: i64,
}

/// Writes `bytes` to the file `name` of `dir` by way of a temporary name beside it.
///
/// The file is not synced: output can be written again from the store at any time, and thousands of syncs would cost
/// more than that. After a power failure, `verify --output` tells.
///
/// # Errors
/// When the system refuses; then nothing stands under the final name that did not before.
pub(crate) fn write_whole(dir: &Dir, name: &str, bytes: &[u8]) -> Result<Written> {
    let temporary = temporary_name(name);
    let file = match dir.create(&temporary) {
        // A run that was killed left it. To ask first would take the directory's lock once more for each file.
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {
            dir.remove(&temporary)?;
            dir.create(&temporary)?
        }
        created => created?,
    };
    let written = file.write_at(bytes, 0).and_then(|()| {
        let metadata = file.file().metadata().map_err(Error::io("read", file.path()))?;
        dir.rename(&temporary, name)?;
        Ok(Written { byte_len: bytes.len() as u64, checksum: checksum(bytes), modified_ns: modified_ns(&metadata) })
    });
    if written.is_err() {
        // The first error says more than one about the leftover.
        let _ = dir.remove(&temporary);
    }
    written
}

/// Modification time in nanoseconds since 1970.
fn modified_ns(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// Under which name the file `name` is written before it gets its own.
pub(crate) fn temporary_name(name: &str) -> String {
    format!("{TEMP_PREFIX}{name}")
}
