//! Compares the source directory with what is known of its files, so that only those that changed are read.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::content::{self, Stamp};
use super::discover::{counted, discover};
use super::options::SourceOptions;
use super::trouble::{self, check_machine, is_of_file};
use crate::error::{Error, Result};
use crate::hint::listed;
use crate::progress::Observer;
use crate::skipped::Skipped;
use crate::workers::Workers;

/// What is known of a file from the last time it was read.
#[derive(Debug, Clone, Copy)]
pub struct KnownFile {
    /// Size of the file.
    pub byte_len: u64,
    /// Its modification time, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// XXH3-128 of its bytes.
    pub content_hash: u128,
}

impl KnownFile {
    fn stamp(&self) -> Stamp {
        Stamp { byte_len: self.byte_len, modified_ns: self.modified_ns }
    }

    /// What the file at `path` is now; `None` when it cannot be read. It is hashed only where its size or its time is
    /// another.
    ///
    /// # Errors
    /// [`Error::Io`] when that is the machine's fault.
    pub fn look_again(self, path: &Path) -> Result<Option<KnownFile>> {
        let now = match trouble::look(path) {
            Ok(metadata) => Stamp::of(&metadata),
            Err(error) if is_of_file(&error) => return Ok(None),
            Err(error) => return Err(Error::io("examine", path)(error)),
        };
        if now == self.stamp() {
            return Ok(Some(self));
        }
        let Ok(content_hash) = content::hash_of(path, now) else {
            check_machine(path)?;
            return Ok(None);
        };
        Ok(Some(KnownFile { byte_len: now.byte_len, modified_ns: now.modified_ns, content_hash }))
    }
}

/// What became of the known files, and which others there are.
#[derive(Debug, Default)]
pub struct Scan {
    /// Code and relative path of the files that are new or changed, by code.
    pub changed: Vec<(String, PathBuf)>,
    /// Path of each file that has the known bytes and another modification time, and that time.
    pub touched: Vec<(String, i64)>,
    /// How many files are as they were.
    pub unchanged: u64,
    /// Known paths at which no file is any more, ascending.
    pub missing: Vec<String>,
    /// What lies there and can be no input.
    pub skipped: Vec<Skipped>,
    /// What else a user should know.
    pub notes: Vec<String>,
}

/// What tells that a file is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Its size and time.
    Stamp,
    /// Its bytes.
    Content,
    /// Nothing: it is to be read again.
    Nothing,
}

/// What a look at one file says.
enum Look {
    Unchanged,
    Touched(i64),
    Changed,
}

/// Looks at each file below `root`. One with the size and the time of the `known` file of its path (relative, as text)
/// is unchanged, and not opened, where `trust` goes by those; one of the same size and another time is read to see whether
/// its bytes are the known ones.
///
/// # Errors
/// [`Error::Io`] for a directory that cannot be read, [`Error::Cancelled`], [`Error::Refused`] when no file is there.
pub fn scan(
    root: &Path,
    options: &SourceOptions,
    known: &HashMap<String, KnownFile>,
    trust: Trust,
    workers: &Workers,
    observer: &dyn Observer,
) -> Result<Scan> {
    let found = discover(root, options)?;
    let mut scan = Scan { skipped: found.skipped, notes: found.notes, ..Scan::default() };
    let look = |path: &Path, known: KnownFile| {
        if trust == Trust::Nothing {
            return Look::Changed;
        }
        let path = root.join(path);
        // What is wrong with a file is found again, and told, when it is read.
        let Ok(metadata) = trouble::look(&path) else { return Look::Changed };
        let now = Stamp::of(&metadata);
        let as_known = now == known.stamp();
        if as_known && trust == Trust::Stamp {
            return Look::Unchanged;
        }
        let same_bytes = now.byte_len == known.byte_len && content::hash_of(&path, now) == Ok(known.content_hash);
        match (same_bytes, as_known) {
            (false, _) => Look::Changed,
            (true, true) => Look::Unchanged,
            (true, false) => Look::Touched(now.modified_ns),
        }
    };
    observer.begin("scan", "files", found.files.len() as u64);
    let looks = workers.try_map(found.files.len(), |at| {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let path = &found.files[at].1;
        let shown = path.display().to_string();
        let look = known.get(&shown).map_or(Look::Changed, |known| look(path, *known));
        observer.advance(1);
        Ok((shown, look))
    })?;
    observer.end();
    let mut gone: HashSet<&str> = known.keys().map(String::as_str).collect();
    // What cannot be looked at has not disappeared.
    for skipped in &scan.skipped {
        gone.remove(skipped.path.as_str());
    }
    // Those that an earlier transect took for stocks.
    let hidden: Vec<String> = found.hidden.iter().map(|path| path.display().to_string()).collect();
    let hidden: Vec<&String> = hidden.iter().filter(|path| gone.contains(path.as_str())).collect();
    if !hidden.is_empty() {
        let files = counted(hidden.len(), "file that the store knows is", "files that the store knows are");
        scan.notes.push(format!("{files} hidden by its name, and counts as missing: {}", listed(&hidden)));
    }
    for ((code, path), (shown, look)) in found.files.into_iter().zip(looks) {
        gone.remove(shown.as_str());
        match look {
            Look::Unchanged => scan.unchanged += 1,
            Look::Touched(modified_ns) => scan.touched.push((shown, modified_ns)),
            Look::Changed => scan.changed.push((code, path)),
        }
    }
    scan.missing = gone.into_iter().map(str::to_owned).collect();
    scan.missing.sort_unstable();
    Ok(scan)
}
