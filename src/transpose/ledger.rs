//! The ledger: a small file in an output directory that says which files there are ours, and what they hold.
//!
//! It is JSON. Beside files of one directory it travels in the metadata of a file of their own format without rows, so
//! that a reader of the directory finds nothing strange; where `--name` makes sub-directories, it is a file by itself.
//!
//! What a file was made from is recorded beside its size and time, so that the next run can tell which files are
//! current without reading one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::plan::{Plan, Shape};
use crate::durable::Disk;
use crate::error::{Error, Result};
use crate::format::checksum;
use crate::key::Date;
use crate::sink::{Encoder, Format, modified_ns, read_note, temporary_path};

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
    /// [`Plan::fields`] of every file whose `changed_ns` is not 0.
    pub(super) schema: Vec<(String, String)>,
    /// What is known of each date.
    #[serde(with = "by_date")]
    pub(super) files: BTreeMap<Date, LedgerFile>,
    /// Paths that an unfinished run may have written; empty once it completed.
    pub(super) pending: BTreeSet<String>,
}

/// One output file, or that a date needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LedgerFile {
    /// When the version was made in which the section last changed that it was made from, in nanoseconds since 1970; 0
    /// when the file must be written again whatever the store says. Not the version's number: copies of a store that
    /// went apart number their versions alike.
    pub(super) changed_ns: i64,
    /// Its rows; 0 when there is no file, because the date has none of the chosen stocks.
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// XXH3 of the file.
    #[serde(with = "hexadecimal")]
    pub(super) checksum: u64,
    /// Modification time, nanoseconds since 1970.
    pub(super) modified_ns: i64,
}

impl LedgerFile {
    /// That a section has none of the chosen stocks.
    pub(super) fn without_rows(changed_ns: i64) -> LedgerFile {
        LedgerFile { changed_ns, rows: 0, bytes: 0, checksum: 0, modified_ns: 0 }
    }

    /// Whether the file at `path` is as it was written, by its size and modification time.
    ///
    /// # Errors
    /// When it cannot be examined.
    pub(super) fn stands_at(&self, path: &Path) -> Result<bool> {
        match fs::symlink_metadata(path) {
            Ok(found) => Ok(self.rows > 0
                && found.is_file()
                && found.len() == self.bytes
                && modified_ns(&found) == self.modified_ns),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(self.rows == 0),
            Err(error) => Err(Error::io("examine", path)(error)),
        }
    }

    /// Whether `bytes` are what was written.
    pub(super) fn has_content(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.bytes && checksum(bytes) == self.checksum
    }

    /// Whether the file at `path` holds what was written, whatever its time.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn holds_at(&self, path: &Path) -> Result<bool> {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_file() && found.len() == self.bytes => {
                fs::read(path).map(|bytes| self.has_content(&bytes)).map_err(Error::io("read", path))
            }
            _ => Ok(false),
        }
    }
}

impl Ledger {
    /// A ledger without files.
    pub(super) fn new(store: String, version: u64, shape: Shape, schema: Vec<(String, String)>) -> Ledger {
        Ledger {
            ledger: LEDGER_VERSION,
            store,
            version,
            shape,
            schema,
            files: BTreeMap::new(),
            pending: BTreeSet::new(),
        }
    }

    /// The ledger in `out`; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is none of ours.
    pub(super) fn read(out: &Path) -> Result<Option<Ledger>> {
        let exists = |wrapping: &&Option<Format>| ledger_path(out, **wrapping).exists();
        let ledger = WRAPPINGS.iter().find(exists).map(|&wrapping| Ledger::read_wrapped(out, wrapping)).transpose();
        ledger.map_err(|error| match error {
            // Not what is said of a store: no copy of an output is needed.
            Error::Corrupt { path, damage } => Error::Refused(format!(
                "{} is damaged: {damage}; it says which files in there are transect's, so remove {} and transpose again",
                path.display(),
                out.display()
            )),
            other => other,
        })
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
        if let Some(outside) = ledger.pending.iter().find(|path| !is_below(path)) {
            return Err(Error::structure(&path, format!("{outside:?} does not lie below its directory")));
        }
        Ok(ledger)
    }

    /// Writes the ledger to `out`, in place of an older one; `plan` and `encoder` are those of its shape.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn write(&self, disk: &Disk, out: &Path, plan: &Plan, encoder: &Encoder) -> Result<()> {
        let text = serde_json::to_string(self).map_err(Error::failed("write the ledger"))?;
        let wrapping = (!plan.name.makes_dirs()).then_some(self.shape.format);
        let bytes = match wrapping {
            Some(_) => encoder.encode_note(text)?,
            None => text.into_bytes(),
        };
        // Synced, unlike the files it lists: after a power failure it must say what was about to be written.
        let path = ledger_path(out, wrapping);
        disk.put(&temporary_path(&path), &path, &bytes).inspect_err(|_| {
            // The first error says more than one about the leftover.
            let _ = disk.remove(&temporary_path(&path));
        })?;
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

    /// The files that stand in the directory as far as the ledger knows: dates, paths below it, and records.
    pub(super) fn files(&self) -> impl Iterator<Item = (Date, String, &LedgerFile)> {
        let name = self.shape.file_name();
        let files = self.files.iter().filter(|(_, file)| file.rows > 0);
        files.map(move |(&date, file)| (date, name.path(date), file))
    }
}

/// Maps with dates as keys.
mod by_date {
    use std::collections::BTreeMap;
    use std::fmt;

    use serde::de::{Error, MapAccess, Visitor};
    use serde::{Deserializer, Serializer};

    use super::LedgerFile;
    use crate::key::Date;

    type Files = BTreeMap<Date, LedgerFile>;

    pub(super) fn serialize<S: Serializer>(files: &Files, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(files.iter().map(|(date, file)| (date.to_string(), file)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Files, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Files;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("files by date")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Files, M::Error> {
                let mut files = Files::new();
                while let Some((date, file)) = map.next_entry::<&str, LedgerFile>()? {
                    files.insert(date.parse().map_err(M::Error::custom)?, file);
                }
                Ok(files)
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// Checksums as sixteen digits.
mod hexadecimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{number:016x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        u64::from_str_radix(<&str>::deserialize(deserializer)?, 16).map_err(D::Error::custom)
    }
}

/// Whether a run was killed while it wrote a ledger to `out`.
pub(super) fn has_leftover(out: &Path) -> bool {
    WRAPPINGS.into_iter().any(|wrapping| temporary_path(&ledger_path(out, wrapping)).exists())
}

fn ledger_path(out: &Path, wrapping: Option<Format>) -> PathBuf {
    out.join(format!("{LEDGER_STEM}.{}", wrapping.map_or("json", Format::extension)))
}
