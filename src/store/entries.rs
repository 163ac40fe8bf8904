//! What a catalog keeps of each version and of each source file, as plain values.

use serde::Serialize;

use crate::format::FileStatus;
use crate::reason::Reason;
use crate::skipped::Skipped;

/// One version, and what it changed against the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VersionEntry {
    /// The version.
    pub version: u64,
    /// The commit that wrote its catalog, whose name that is.
    #[serde(skip)]
    pub commit: u64,
    /// When it was made, in nanoseconds since 1970.
    pub created_ns: i64,
    /// The command that made it.
    pub command: String,
    /// Rows of the panel.
    pub rows: u64,
    /// Dates of the panel.
    pub dates: u64,
    /// Rows that the version before does not have.
    pub added: u64,
    /// Rows that the version before has with other values.
    pub restated: u64,
    /// Rows that differ from the version before only in first values.
    pub filled: u64,
    /// Rows that only the version before has.
    pub removed: u64,
    /// Dates whose sections differ from the version before.
    pub dirty_dates: u64,
    /// Stocks of which a row differs.
    pub dirty_stocks: u64,
    /// Columns of which a value differs in a row that both versions have.
    pub dirty_columns: u64,
    /// Where its change file lies, if it has one.
    #[serde(skip)]
    pub(crate) changes: Option<ChangesPlace>,
}

/// Which change file is that of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChangesPlace {
    pub(crate) byte_len: u64,
    /// The checksum in its header.
    pub(crate) header_checksum: u64,
}

impl VersionEntry {
    /// Whether its rows are other than those of the version before.
    pub(super) fn changes_rows(&self) -> bool {
        self.added + self.restated + self.removed + self.dirty_dates > 0
    }
}

/// What the store keeps of one file of a source.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FileEntry {
    /// Path below the source directory.
    pub path: String,
    /// What became of it.
    pub status: FileStatus,
    /// The stock, where the file is one.
    pub code: Option<String>,
    /// Why it was skipped, if it was.
    pub reason: Option<Reason>,
    /// Length in bytes.
    pub bytes: u64,
    /// Modification time, nanoseconds since 1970.
    pub modified_ns: i64,
    /// XXH3-128 of its bytes.
    pub content_hash: u128,
    /// Rows it contributed.
    pub rows: u64,
    /// Rows left out because another row has the same key.
    pub merged: u64,
    /// Rows left out because their date cannot be read.
    pub dropped: u64,
}

impl FileEntry {
    /// The file as one that was skipped, if it was.
    pub(crate) fn skipped(&self) -> Option<Skipped> {
        let reason = self.reason.clone().filter(|_| self.status == FileStatus::Skipped)?;
        Some(Skipped::new(&self.path, reason))
    }
}
