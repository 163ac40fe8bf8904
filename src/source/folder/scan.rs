//! Compares the source directory with what is known of its files, so that only those that changed are read.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::discover::{Found, discover, skip};
use crate::error::{Error, Result};
use crate::hint::{counted, listed};
use crate::progress::Observer;
use crate::reason::{Kind, Reason};
use crate::skipped::{self, Skipped};
use crate::source::content::{self, Stamp};
use crate::source::options::SourceOptions;
use crate::source::path::naming::names_in;
use crate::source::path::unit::{beside_missing, beside_unusable};
use crate::source::trouble::{self, check_machine, is_of_file};
use crate::workers::Workers;

/// What is known of a file from the last time it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Scan {
    /// Unit and relative path of the files of each unit of which one is new or changed, by unit and path: those of a unit
    /// are read together.
    pub changed: Vec<(String, PathBuf)>,
    /// Path of each file that has the known bytes and another modification time, and that time.
    pub touched: Vec<(String, i64)>,
    /// How many files are as they were.
    pub unchanged: u64,
    /// Unit and relative path of those that are, their times aside.
    pub(crate) quiet: Vec<(String, PathBuf)>,
    /// Known paths at which no file is any more, ascending.
    pub missing: Vec<String>,
    /// Those that leave no rows behind, ascending; the other files of their units are read again.
    pub pruned: Vec<String>,
    /// What lies there and can be no input, and files that are new or changed while another of their unit is gone.
    #[serde(with = "skipped::in_full")]
    pub skipped: Vec<Skipped>,
    /// What else a user should know.
    pub notes: Vec<String>,
}

impl Scan {
    /// Whether there was no file at all.
    pub(crate) fn found_nothing(&self) -> bool {
        self.changed.is_empty() && self.quiet.is_empty() && self.skipped.is_empty()
    }
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

/// What is known of the source from the last time.
pub struct Known<'a> {
    /// Its files, by their paths.
    pub files: &'a HashMap<String, KnownFile>,
    /// Whether the rows of a file that is gone go.
    pub goes: &'a dyn Fn(&str) -> bool,
    /// Which files are to be read again in any case.
    pub again: &'a (dyn Fn(&str) -> bool + Sync),
    /// What tells that a file is as it was.
    pub trust: Trust,
}

/// What a look at one file says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Unchanged,
    Touched(i64),
    Changed,
}

/// Looks at each file below `root`. One with the size and the time of the `known` file of its path (relative, as text)
/// is unchanged, and not opened, where `known` goes by those; one of the same size and another time is read to see
/// whether its bytes are the known ones.
///
/// # Errors
/// [`Error::Io`] for a directory that cannot be read, [`Error::Cancelled`], [`Error::Refused`] when no file is there.
pub fn scan(
    root: &Path,
    options: &SourceOptions,
    known: &Known,
    workers: &Workers,
    observer: &dyn Observer,
) -> Result<Scan> {
    let Known { files: known, goes, again, trust } = *known;
    // A folder that was emptied, or is not mounted, has lost its files; in any other, something else lies there.
    let is_emptied = !known.is_empty() && names_in(root).is_ok_and(|names| names.is_empty());
    let found = if is_emptied { Found::default() } else { discover(root, options)? };
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
        let known = known.get(&shown).filter(|_| !again(&shown));
        let look = known.map_or(Look::Changed, |known| look(path, *known));
        observer.advance(1);
        Ok((shown, look))
    })?;
    observer.end();
    let mut gone: HashSet<&str> = known.keys().map(String::as_str).collect();
    looks.iter().for_each(|(path, _)| _ = gone.remove(path.as_str()));
    // What cannot be looked at has not disappeared; it may be a directory.
    let unseen = |path: &str| scan.skipped.iter().find(|skipped| Path::new(path).starts_with(&skipped.path));
    let mut torn: HashMap<String, Reason> = HashMap::new();
    let units_of = |path: &str| options.units_of(Path::new(path)).into_iter();
    let beside = |path: &str| beside_unusable(options.files_by, path);
    for skipped in &scan.skipped {
        torn.extend(units_of(&skipped.path).map(|unit| (unit, beside(&skipped.path))));
    }
    gone.retain(|path| match unseen(path) {
        Some(skipped) => {
            torn.extend(units_of(path).map(|unit| (unit, beside(&skipped.path))));
            false
        }
        None => true,
    });
    scan.notes.extend(notes(&gone, &found.hidden, options));
    let (mut pruned, mut missing): (Vec<&str>, Vec<&str>) = gone.into_iter().partition(|path| goes(path));
    pruned.sort_unstable();
    missing.sort_unstable();
    for path in missing.iter().rev() {
        torn.extend(units_of(path).map(|unit| (unit, beside_missing(options.files_by, path))));
    }
    let shrunk: HashSet<String> = pruned.iter().flat_map(|path| units_of(path)).collect();
    let files: Vec<_> = found.files.into_iter().zip(looks).collect();
    let units = || files.chunk_by(|a, b| a.0.0 == b.0.0).map(|unit| (unit[0].0.0.as_str(), unit));
    let has_news = |(name, unit): &(&str, &[LookedAt])| {
        shrunk.contains(*name) || unit.iter().any(|(_, (_, look))| *look == Look::Changed)
    };
    let mut news: HashSet<&str> = units().filter(has_news).map(|(name, _)| name).collect();
    if options.code_map.is_some() {
        spread(&files, |unit| torn.contains_key(unit), &mut news);
    }
    let mut quiet: Vec<(&Path, &str, Look)> = Vec::new();
    for (name, unit) in units() {
        let is_news = news.contains(name);
        let reason = torn.get(name);
        for ((_, path), (shown, look)) in unit {
            match (reason, look) {
                (None, _) if is_news => scan.changed.push((name.to_owned(), path.clone())),
                (Some(reason), Look::Changed) => scan.skipped.push(skip(path, reason.clone())),
                (_, look) => {
                    scan.quiet.push((name.to_owned(), path.clone()));
                    quiet.push((path, shown, *look));
                }
            }
        }
    }
    // Where codes stand for several, a file is of several units, and told of once.
    if options.code_map.is_some() {
        let read: HashSet<&Path> = scan.changed.iter().map(|(_, path)| path.as_path()).collect();
        quiet.retain(|(path, ..)| !read.contains(path));
        quiet.sort_by_key(|(path, ..)| *path);
        quiet.dedup_by_key(|(path, ..)| *path);
    }
    for (_, shown, look) in quiet {
        match look {
            Look::Touched(modified_ns) => scan.touched.push((shown.to_owned(), modified_ns)),
            _ => scan.unchanged += 1,
        }
    }
    once(&mut scan.skipped);
    scan.missing = missing.into_iter().map(str::to_owned).collect();
    scan.pruned = pruned.into_iter().map(str::to_owned).collect();
    Ok(scan)
}

/// A file with the unit that it is of, and what a look at it says.
type LookedAt = ((String, PathBuf), (String, Look));

/// Adds to the units that are `news` those that share a file with one of them that `is_torn` does not leave as it is: a file
/// is read for all of its units, or for none.
fn spread<'f>(files: &'f [LookedAt], is_torn: impl Fn(&str) -> bool, news: &mut HashSet<&'f str>) {
    let mut files_of: HashMap<&str, Vec<&Path>> = HashMap::new();
    let mut units_of: HashMap<&Path, Vec<&str>> = HashMap::new();
    for ((unit, path), _) in files {
        files_of.entry(unit).or_default().push(path);
        units_of.entry(path).or_default().push(unit);
    }
    let mut open: Vec<&str> = news.iter().copied().collect();
    while let Some(unit) = open.pop() {
        let own = files_of.get(unit).into_iter().flatten().filter(|_| !is_torn(unit));
        for other in own.flat_map(|path| &units_of[*path]) {
            if news.insert(other) {
                open.push(other);
            }
        }
    }
}

/// Orders what is skipped by path, each file once: with what is wrong with itself, if there is something.
pub(in crate::source) fn once(skipped: &mut Vec<Skipped>) {
    skipped.sort_by(|a, b| {
        let is_other = |skipped: &Skipped| skipped.reason.kind() == Kind::OtherFile;
        a.path.cmp(&b.path).then_with(|| is_other(a).cmp(&is_other(b)))
    });
    skipped.dedup_by(|a, b| a.path == b.path);
}

/// What to tell of known files that are `gone` only because they are not looked at.
fn notes(gone: &HashSet<&str>, hidden: &[PathBuf], options: &SourceOptions) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |one: &str, many: &str, is_so: &dyn Fn(&Path) -> bool| {
        let mut paths: Vec<&&str> = gone.iter().filter(|path| is_so(Path::new(path))).collect();
        paths.sort_unstable();
        let verb = if paths.len() == 1 { "counts" } else { "count" };
        if !paths.is_empty() {
            notes.push(format!("{}, and {verb} as missing: {}", counted(paths.len(), one, many), listed(&paths)));
        }
    };
    // An earlier transect took them for stocks.
    let is_hidden = |path: &Path| hidden.iter().any(|hidden| path.starts_with(hidden));
    note(
        "file that the store knows is hidden by its name",
        "files that the store knows are hidden by their names",
        &is_hidden,
    );
    note("file that the store knows is ignored", "files that the store knows are ignored", &|path| {
        options.ignores(path)
    });
    notes
}
