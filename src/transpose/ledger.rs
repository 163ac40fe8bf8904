//! The ledger: a small file in an output directory that says which files there are ours, and what they hold.
//!
//! It is JSON. Beside files of one directory it travels in the metadata of a file of their own format without rows, so
//! that a reader of the directory finds nothing strange; where `--name` makes sub-directories, it is a file by itself.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::plan::{Plan, Shape};
use crate::durable::Disk;
use crate::error::{Error, Result};
use crate::sink::{Encoder, Format, read_note, temporary_path, write_whole};

/// The ledger's file name without its ending. Most programs that read a folder skip names with a leading dot.
const LEDGER_STEM: &str = ".transect";

/// What a ledger is wrapped in; `None` is bare JSON.
const WRAPPINGS: [Option<Format>; 3] = [Some(Format::Parquet), Some(Format::Arrow), None];

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
    /// The store's version it was written from.
    pub(super) version: u64,
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
        let exists = |wrapping: &&Option<Format>| ledger_path(out, **wrapping).exists();
        WRAPPINGS.iter().find(exists).map(|&wrapping| Ledger::read_wrapped(out, wrapping)).transpose()
    }

    /// The ledger in `out` that is wrapped so.
    fn read_wrapped(out: &Path, wrapping: Option<Format>) -> Result<Ledger> {
        let path = ledger_path(out, wrapping);
        let text = match wrapping {
            Some(format) => read_note(format, &path)?,
            None => fs::read_to_string(&path).map_err(Error::io("read", &path))?,
        };
        let ledger: Ledger = serde_json::from_str(&text).map_err(|error| Error::structure(&path, error.to_string()))?;
        if ledger.ledger != LEDGER_VERSION {
            return Err(Error::WrongVersion { path, found: ledger.ledger, supported: LEDGER_VERSION });
        }
        let is_below = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        // A path of the ledger may be removed, so it must not lead out of the directory.
        if let Some(outside) = ledger.paths().into_iter().find(|path| !is_below(path)) {
            return Err(Error::structure(&path, format!("{outside:?} does not lie below its directory")));
        }
        Ok(ledger)
    }

    /// Writes the ledger to `out`, in place of an older one; `plan` and `encoder` are those of its shape.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn write(&self, disk: &Disk, out: &Path, plan: &Plan, encoder: &Encoder) -> Result<()> {
        let text = serde_json::to_string(self).map_err(Error::arrow("write the ledger"))?;
        let wrapping = (!plan.name.makes_dirs()).then_some(self.shape.format);
        let bytes = match wrapping {
            Some(_) => encoder.encode_note(text)?,
            None => text.into_bytes(),
        };
        write_whole(disk, &ledger_path(out, wrapping), &bytes)?;
        for other in WRAPPINGS.into_iter().filter(|&other| other != wrapping) {
            let path = ledger_path(out, other);
            let temporary = temporary_path(&path);
            if temporary.exists() {
                disk.remove(&temporary)?;
            }
            // A file of this name that is no ledger is somebody else's.
            if Ledger::read_wrapped(out, other).is_ok() {
                disk.remove(&path)?;
            }
        }
        Ok(())
    }

    /// The paths, below the output directory, of everything that transect wrote there.
    pub(super) fn paths(&self) -> HashSet<&str> {
        self.pending.iter().chain(self.files.values().map(|file| &file.path)).map(String::as_str).collect()
    }
}

fn ledger_path(out: &Path, wrapping: Option<Format>) -> PathBuf {
    out.join(format!("{LEDGER_STEM}.{}", wrapping.map_or("json", Format::extension)))
}
