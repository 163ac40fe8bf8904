//! The ledger: a small JSON file in an output directory that says which files there are ours, and what they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use super::plan::Shape;
use crate::durable::Disk;
use crate::error::{Error, Result};
use crate::sink::write_whole;

/// The ledger's file name. Programs that read a folder of Parquet files skip names with a leading dot.
pub const LEDGER_NAME: &str = ".transect.json";

/// Version of the ledger's format.
const LEDGER_VERSION: u32 = 1;

/// What stands in an output directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// [`LEDGER_VERSION`].
    pub(super) ledger: u32,
    /// The store, in hexadecimal.
    pub(super) store: String,
    /// The store's version.
    pub(super) version: u64,
    /// What the files are like.
    pub(super) shape: Shape,
    /// The files, by date YYYYMMDD.
    pub(super) files: BTreeMap<String, LedgerFile>,
    /// Paths that an unfinished run may have written; empty once it completed.
    pub(super) pending: BTreeSet<String>,
}

/// One output file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LedgerFile {
    /// Path below the output directory.
    pub(super) path: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// XXH3 of the file, in hexadecimal.
    pub(super) checksum: String,
    /// Modification time, nanoseconds since 1970.
    pub(super) modified_ns: i64,
}

impl Ledger {
    /// A ledger without files.
    pub(super) fn new(store: String, version: u64, shape: Shape) -> Ledger {
        Ledger { ledger: LEDGER_VERSION, store, version, shape, files: BTreeMap::new(), pending: BTreeSet::new() }
    }

    /// The ledger in `out`; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is none of ours.
    pub(super) fn read(out: &Path) -> Result<Option<Ledger>> {
        let path = out.join(LEDGER_NAME);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            result => result.map_err(Error::io("read", &path))?,
        };
        let ledger: Ledger =
            serde_json::from_slice(&bytes).map_err(|error| Error::structure(&path, error.to_string()))?;
        if ledger.ledger != LEDGER_VERSION {
            return Err(Error::WrongVersion { path, found: ledger.ledger, supported: LEDGER_VERSION });
        }
        let is_below = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        // A path of the ledger may be removed, so it must not lead out of the directory.
        let mut paths = ledger.pending.iter().chain(ledger.files.values().map(|file| &file.path));
        if let Some(path) = paths.find(|path| !is_below(path)) {
            return Err(Error::structure(&out.join(LEDGER_NAME), format!("{path:?} does not lie below its directory")));
        }
        Ok(Some(ledger))
    }

    /// Writes the ledger to `out`, in place of an older one.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn write(&self, disk: &Disk, out: &Path) -> Result<()> {
        let bytes = serde_json::to_vec(self).map_err(Error::arrow("write the ledger"))?;
        write_whole(disk, &out.join(LEDGER_NAME), &bytes).map(|_| ())
    }

    /// Whether `path`, below the output directory, was written by transect.
    pub(super) fn wrote(&self, path: &str) -> bool {
        self.pending.contains(path) || self.files.values().any(|file| file.path == path)
    }
}
