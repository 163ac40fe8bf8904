//! What lies beside the files that the pattern names: counted and named in notes, so that nothing is left out in
//! silence.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::hint::{counted, listed};
use crate::source::path::files_by::FilesBy;
use crate::source::path::ignore::Ignore;
use crate::source::path::input_format::InputFormat;
use crate::source::path::naming::{copied, is_part, names_in, shown};
use crate::source::path::pattern::{CODE, Pattern};
use crate::source::path::when::{Around, times_inside};

/// Folders that are looked into for files of the format; a source with more of them has told enough.
const FOLDERS: usize = 1000;

/// What the pattern passes over.
pub(super) struct Beside<'a> {
    root: &'a Path,
    ignore: &'a [Ignore],
    format: InputFormat,
    /// In the directories of stocks that have a file.
    of_stocks: Vec<PathBuf>,
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    others: Vec<PathBuf>,
}

impl<'a> Beside<'a> {
    /// Of what lies below `root` beside files of this format, but for what is ignored.
    pub(in crate::source) fn new(root: &'a Path, ignore: &'a [Ignore], format: InputFormat) -> Beside<'a> {
        let none = Vec::new;
        Beside { root, ignore, format, of_stocks: none(), files: none(), folders: none(), others: none() }
    }

    /// Adds `path`, relative to the source directory, which is not what the pattern names.
    pub(in crate::source) fn add(&mut self, path: PathBuf) {
        if self.ignore.iter().any(|ignore| ignore.matches(&path)) {
            return;
        }
        let name = path.file_name().unwrap_or_default();
        let at = self.root.join(&path);
        if !at.is_dir() {
            if self.format.is_told_by(name) { self.files.push(path) } else { self.others.push(path) }
        } else if self.folders.len() + self.others.len() < FOLDERS && holds(self.format, &at, 2) {
            self.folders.push(path);
        } else {
            self.others.push(path);
        }
    }

    /// Looks beside each step of `directory` for other directories of the kind.
    pub(super) fn look_above(&mut self, directory: &Path) {
        let mut above = PathBuf::new();
        for step in directory {
            for name in names_in(&self.root.join(&above)).unwrap_or_default().into_iter().filter(|name| name != step) {
                self.add(above.join(name));
            }
            above.push(step);
        }
    }

    /// Looks beside each step from `start` to `file`, where the stock of `file` may have more.
    pub(in crate::source) fn look(&mut self, start: &Path, file: &Path) {
        let Ok(steps) = file.strip_prefix(start) else { return };
        let mut directory = start.to_owned();
        for step in steps {
            // What cannot be listed is found again when the file in it is opened.
            let names = names_in(&self.root.join(&directory)).unwrap_or_default();
            for name in names.into_iter().filter(|name| name != step) {
                let path = directory.join(&name);
                if self.ignore.iter().any(|ignore| ignore.matches(&path)) {
                    continue;
                }
                let is_more = self.format.is_told_by(&name) || holds(self.format, &self.root.join(&path), 2);
                if is_more { self.of_stocks.push(path) } else { self.others.push(path) }
            }
            directory.push(step);
        }
    }

    /// What was passed over, in words.
    pub(in crate::source) fn notes(mut self, pattern: &Pattern, by: FilesBy) -> Vec<String> {
        let mut notes = Vec::new();
        let mut note = |paths: &mut Vec<PathBuf>, one: &str, many: &str| {
            if !paths.is_empty() {
                paths.sort_unstable();
                let names: Vec<String> = paths.iter().map(|path| shown(path.as_os_str())).collect();
                let what = if paths.len() == 1 { one } else { many };
                notes.push(format!("{}: {}", what.replace("{}", &paths.len().to_string()), listed(&names)));
            }
        };
        let more = format!("the pattern {pattern} reads one file a {by} and leaves out");
        note(&mut self.of_stocks, &format!("{more} {{}} that lies beside"), &format!("{more} {{}} that lie beside"));
        let left = |what: &str| format!("{{}} {what} not match the pattern {pattern}");
        let noun = self.format.noun();
        let (file, files) = (format!("{noun} file by its name does"), format!("{noun} files by their names do"));
        note(&mut self.files, &left(&file), &left(&files));
        let (folder, folders) = (format!("folder with {noun} files does"), format!("folders with {noun} files do"));
        note(&mut self.folders, &left(&folder), &left(&folders));
        note(&mut self.others, &left("entry does"), &left("entries do"));
        notes
    }
}

/// Whether a directory holds a file of this format by its name, itself or so many steps below.
fn holds(format: InputFormat, directory: &Path, depth: usize) -> bool {
    let Ok(names) = names_in(directory) else { return false };
    names.iter().any(|name| format.is_told_by(name))
        || (depth > 1 && names.iter().take(20).any(|name| holds(format, &directory.join(name), depth - 1)))
}

/// What to tell of codes that are hardly codes, and of those that look decoded and are not.
pub(super) fn odd_codes(codes: &[(String, PathBuf)], pattern: &Pattern) -> Vec<String> {
    let known: HashSet<&str> = codes.iter().map(|(code, _)| code.as_str()).collect();
    let mut notes = Vec::new();
    let mut note = |one: &str, many: &str, is_odd: &dyn Fn(&str) -> bool| {
        let mut odd: Vec<&str> = codes.iter().map(|(code, _)| code.as_str()).filter(|code| is_odd(code)).collect();
        // Of a stock with several files once; they stand side by side.
        odd.dedup();
        if !odd.is_empty() {
            let names: Vec<String> = odd.iter().map(|code| shown(OsStr::new(code))).collect();
            notes.push(format!("{}: {}", counted(odd.len(), one, many), listed(&names)));
        }
    };
    let is_copy = |code: &str| copied(code).is_some_and(|original| known.contains(original));
    note("stock looks like a copy of another", "stocks look like copies of others", &is_copy);
    note("stock looks like a part of one data set", "stocks look like parts of one data set", &is_part);
    for ((times, open), codes) in several_times(&known) {
        let many = format!("stocks look like {times} of fewer, which a pattern such as {open} reads together");
        note(&many, &many, &|code| codes.contains(code));
    }
    if !pattern.encodes_code() {
        let one = "code has a percent sign in it, which is decoded in key=value directories only";
        let many = "codes have percent signs in them, which are decoded in key=value directories only";
        note(one, many, &|code| crate::source::path::naming::percent_decoded(code.as_bytes()) != code.as_bytes());
    }
    notes
}

/// Those of `codes` that a stem and several times make, if nothing else goes with it; by what the times are, and how a
/// pattern has both.
fn several_times<'c>(codes: &HashSet<&'c str>) -> BTreeMap<(&'static str, String), HashSet<&'c str>> {
    let mut alike: BTreeMap<(&str, &str, &'static str, String), Vec<&str>> = BTreeMap::new();
    for code in codes {
        // Codes that look like times are likelier before one than behind it.
        let times = times_inside(code, Around::default()).into_iter().filter(|inside| inside.stem().is_some());
        if let Some(inside) = times.max_by_key(|inside| inside.before.len()) {
            let kind = (inside.before, inside.behind, inside.times(), inside.pattern(CODE));
            alike.entry(kind).or_default().push(code);
        }
    }
    let mut found: BTreeMap<(&'static str, String), HashSet<&str>> = BTreeMap::new();
    for ((before, behind, times, pattern), some) in alike.into_iter().filter(|(.., some)| some.len() > 1) {
        let goes_with = |code: &&&str| code.starts_with(before) && code.ends_with(behind);
        if codes.iter().filter(goes_with).count() == some.len() {
            found.entry((times, pattern)).or_default().extend(some);
        }
    }
    found
}
