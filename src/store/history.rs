//! What each version of a store changed.

use serde::Serialize;

use super::Store;
use crate::error::Result;
use crate::format::{HistoryRecord, Table};

/// One version, and what it changed against the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VersionEntry {
    /// The version.
    pub version: u64,
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
    /// Rows that only the version before has.
    pub removed: u64,
    /// Dates whose sections differ from the version before.
    pub dirty_dates: u64,
}

impl Store {
    /// All versions up to this one, oldest first, collected ones included.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn history(&self) -> Result<Vec<VersionEntry>> {
        let decode = |record: &HistoryRecord| {
            Ok(VersionEntry {
                version: record.version,
                created_ns: record.created_ns,
                command: self.catalog.string(record.command)?.to_owned(),
                rows: record.row_count,
                dates: u64::from(record.date_count),
                added: record.added_count,
                restated: record.restated_count,
                removed: record.removed_count,
                dirty_dates: u64::from(record.dirty_count),
            })
        };
        self.catalog.table::<HistoryRecord>(Table::History)?.iter().map(decode).collect()
    }
}
