//! The ledger: a small file in an output directory that says which files there are ours, and what they hold.
//!
//! It is JSON. It travels in the metadata of a file of their own format without rows, so that a reader of the directory
//! finds nothing strange; where that lies is for [`Names`] to say. Earlier versions had a file of bare JSON.
//!
//! What a file was made from is recorded beside its size and time, so that the next run can tell which files are
//! current without reading one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::Hasher;
use std::io::{self, Read, Seek};
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::key::Key;
use super::names::{LEDGER_DIR, LEDGER_STEM, Names};
use super::shape::Shape;
use super::unit::Made;
use crate::error::{Error, Result};
use crate::format::TEMP_PREFIX;
use crate::sink::{Encoder, Written, read_note, temporary_name};
use crate::storage::Dir;

/// Endings of a ledger beside the files of an output directory.
const ENDINGS: [&str; 3] = ["parquet", "arrow", "json"];

/// How deep a ledger may lie in a directory of its own: deeper than any path of ours.
const LEDGER_DEPTH: usize = 32;

/// Bytes that are read at a time where a file is only looked at.
const BLOCK_LEN: usize = 1 << 20;

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
    /// Whether dates in paths are spelt `2024-01-02`.
    #[serde(default)]
    pub(super) dashes: bool,
    /// `Plan::fields` of every file whose `changed_ns` is not 0.
    pub(super) schema: Vec<(String, String)>,
    /// What is known of each file, by what it is of, as [`Key`] spells it.
    pub(super) files: BTreeMap<String, LedgerFile>,
    /// Paths that an unfinished run may have written; empty once it completed.
    pub(super) pending: BTreeSet<String>,
}

/// One output file, or that none is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LedgerFile {
    /// When the version was made in which the section last changed that it was made from, in nanoseconds since 1970; 0
    /// when the file must be written again whatever the store says. Not the version's number: copies of a store that
    /// went apart number their versions alike.
    pub(super) changed_ns: i64,
    /// Which sections it was made from, and when each changed: a checksum; 0 for a file of one date.
    #[serde(with = "hexadecimal", default)]
    pub(super) sections: u64,
    /// Its rows; 0 when there is no file, because none of what was chosen is in it.
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// XXH3 of the file.
    #[serde(with = "hexadecimal")]
    pub(super) checksum: u64,
    /// Modification time, nanoseconds since 1970.
    pub(super) modified_ns: i64,
}

impl LedgerFile {
    /// That nothing of what was chosen is there.
    pub(super) fn without_rows(made: Made) -> LedgerFile {
        LedgerFile {
            changed_ns: made.changed_ns,
            sections: made.sections,
            rows: 0,
            bytes: 0,
            checksum: 0,
            modified_ns: 0,
        }
    }

    /// A file of so many rows that was made from this.
    pub(super) fn new(made: Made, rows: u64, Written { byte_len, checksum, modified_ns }: Written) -> LedgerFile {
        let Made { changed_ns, sections } = made;
        LedgerFile { changed_ns, sections, rows, bytes: byte_len, checksum, modified_ns }
    }

    /// What it was made from.
    pub(super) fn made(&self) -> Made {
        Made { changed_ns: self.changed_ns, sections: self.sections }
    }

    /// Whether the file at `path` below `out` is as it was written, by its size and modification time.
    ///
    /// # Errors
    /// When it cannot be examined.
    pub(super) fn stands_at(&self, out: &Dir, path: &str) -> Result<bool> {
        Ok(match out.look_below(path)? {
            Some(found) => {
                self.rows > 0
                    && found.is_file()
                    && found.byte_len == self.bytes
                    && found.modified_ns == self.modified_ns
            }
            None => self.rows == 0,
        })
    }

    /// Whether `file` holds what was written; it is read from first to last, and is at its start again afterwards.
    pub(super) fn is_in(&self, file: &mut File) -> io::Result<bool> {
        // A file of another length, which may be a terabyte without a byte on disk, need not be read.
        if file.metadata()?.len() != self.bytes {
            return Ok(false);
        }
        let mut hasher = XxHash3_64::new();
        let mut block = vec![0; BLOCK_LEN];
        let mut len = 0;
        let mut rest = Read::take(&*file, self.bytes.saturating_add(1));
        loop {
            match rest.read(&mut block) {
                Ok(0) => break,
                Ok(count) => {
                    hasher.write(&block[..count]);
                    len += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        file.rewind()?;
        Ok(len == self.bytes && hasher.finish() == self.checksum)
    }

    /// Whether the file at `path` below `out` holds what was written, whatever its time.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn holds_at(&self, out: &Dir, path: &str) -> Result<bool> {
        match out.look_below(path)? {
            Some(found) if found.is_file() && found.byte_len == self.bytes => match out.open_file(path)? {
                Some(mut file) => self.is_in(&mut file).map_err(Error::io("read", &out.path().join(path))),
                None => Ok(false),
            },
            _ => Ok(false),
        }
    }
}

impl Ledger {
    /// A ledger without files.
    pub(super) fn new(
        store: String,
        version: u64,
        shape: Shape,
        names: &Names,
        schema: Vec<(String, String)>,
    ) -> Ledger {
        Ledger {
            ledger: LEDGER_VERSION,
            store,
            version,
            shape,
            dashes: names.dashes(),
            schema,
            files: BTreeMap::new(),
            pending: BTreeSet::new(),
        }
    }

    /// Where its files lie.
    pub(super) fn names(&self) -> Names {
        Names::new(self.shape.file_name(), self.shape.by, self.dashes)
    }

    /// The ledger in `out`; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is none of ours.
    pub(super) fn read(out: &Dir) -> Result<Option<Ledger>> {
        let path = Standing::of(out)?.ledgers.into_iter().next();
        path.map(|path| Ledger::read_at(out, &path)).transpose().map_err(|error| match error {
            // Not what is said of a store: no copy of an output is needed.
            Error::Corrupt { path, damage } => Error::refused(
                format!("{} is damaged: {damage}; it says which files in there are transect's", path.display()),
                format!("remove {} and transpose again", out.path().display()),
            )
            .about(&path),
            other => other,
        })
    }

    /// The ledger at `path` below `out`.
    fn read_at(out: &Dir, path: &str) -> Result<Ledger> {
        let at = out.path().join(path);
        let file = out.open_file(path)?.ok_or_else(|| Error::structure(&at, "it has just been removed"))?;
        let text = read_note(file, &at)?;
        let ledger: Ledger = serde_json::from_str(&text).map_err(|error| Error::structure(&at, error.to_string()))?;
        if ledger.ledger != LEDGER_VERSION {
            return Err(Error::WrongVersion { path: at, found: ledger.ledger, supported: LEDGER_VERSION });
        }
        let is_key = |key: &&String| Key::parse(ledger.shape.by, key).is_some();
        if let Some(other) = ledger.files.keys().find(|key| !is_key(key)) {
            return Err(Error::structure(&at, format!("{other:?} is no {}", ledger.shape.by.nouns()[0])));
        }
        let is_below = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        // A path of the ledger may be removed, so it must not lead out of the directory.
        if let Some(outside) = ledger.pending.iter().find(|path| !is_below(path)) {
            return Err(Error::structure(&at, format!("{outside:?} does not lie below its directory")));
        }
        Ok(ledger)
    }

    /// Writes the ledger to `out`, in place of an older one; `encoder` is that of its shape.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn write(&self, out: &Dir, encoder: &Encoder) -> Result<()> {
        let text = serde_json::to_string(self).map_err(Error::failed("write the ledger"))?;
        let path = self.names().ledger(self.shape.format);
        let (dir, name) = out.make_holder(&path)?;
        // Synced, unlike the files it lists: after a power failure it must say what was about to be written.
        dir.put(&temporary_name(name), name, &encoder.encode_note(text)?)?;
        out.sync_dirs(&path)?;
        for stray in Standing::of(out)?.strays(out, &path) {
            if let Some((dir, name)) = out.holder(&stray)? {
                dir.remove(name)?;
            }
        }
        Ok(())
    }

    /// The files that stand in the directory as far as the ledger knows: their keys, paths below it, and records.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, String, &LedgerFile)> {
        let names = self.names();
        let files = self.files.iter().filter(|(_, file)| file.rows > 0);
        files.filter_map(move |(key, file)| Some((key.as_str(), names.path_of(key)?, file)))
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

/// Ledgers in an output directory, and what a run left that was killed while it wrote one.
pub(super) struct Standing {
    ledgers: Vec<String>,
    temporary: Vec<String>,
}

impl Standing {
    /// What stands in `out`. Costs a few looks, not a list of the directory.
    ///
    /// # Errors
    /// When a link stands on the way, or the system refuses.
    pub(super) fn of(out: &Dir) -> Result<Standing> {
        let mut standing = Standing { ledgers: Vec::new(), temporary: Vec::new() };
        for name in ENDINGS.map(|ending| format!("{LEDGER_STEM}.{ending}")) {
            let temporary = temporary_name(&name);
            if out.look(&name)?.is_some() {
                standing.ledgers.push(name);
            }
            if out.look(&temporary)?.is_some() {
                standing.temporary.push(temporary);
            }
        }
        if let Some(dir) = out.enter(LEDGER_DIR)? {
            standing.walk(&dir, LEDGER_DIR, LEDGER_DEPTH)?;
        }
        Ok(standing)
    }

    fn walk(&mut self, dir: &Dir, path: &str, depth: usize) -> Result<()> {
        for name in dir.names()? {
            let path = format!("{path}/{name}");
            if name.starts_with(TEMP_PREFIX) {
                self.temporary.push(path);
            } else if name.strip_prefix(LEDGER_STEM).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
                self.ledgers.push(path);
            } else if let Some(below) = dir.enter(&name)?
                && depth > 0
            {
                self.walk(&below, &path, depth - 1)?;
            }
        }
        Ok(())
    }

    /// Paths of all that should go where the ledger lies at `own`. A file of a ledger's name that is none is somebody
    /// else's.
    pub(super) fn strays(self, out: &Dir, own: &str) -> Vec<String> {
        let is_stray = |path: &String| path != own && Ledger::read_at(out, path).is_ok();
        self.ledgers.into_iter().filter(is_stray).chain(self.temporary).collect()
    }
}
