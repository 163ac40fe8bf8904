//! Finds the files that match the pattern and takes the codes from their paths. Opens none of them.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::advice::nothing;
use super::beside::{Beside, odd_codes};
use super::meeting::{Fitting, Meeting, of_several_stocks};
use crate::error::{Error, Result};
use crate::hint::nearest;
use crate::key::NULL_PARTITION;
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};
use crate::skipped::Skipped;
use crate::source::options::SourceOptions;
use crate::source::path::files_by::FilesBy;
use crate::source::path::naming::shown;
use crate::source::path::pattern::{Entry, Values};
use crate::source::path::unit::beside_overlapping;
use crate::source::trouble::is_of_file;
use crate::storage;

/// The file at `path`, relative to the source directory, is left out.
pub(in crate::source) fn skip(path: &Path, reason: Reason) -> Skipped {
    Skipped::new(shown(path.as_os_str()), reason)
}

/// What lies in the source directory.
#[derive(Default)]
pub(in crate::source) struct Found {
    /// Unit and relative path, by unit and path: all files of a unit are read together.
    pub(in crate::source) files: Vec<(String, PathBuf)>,
    pub(in crate::source) skipped: Vec<Skipped>,
    pub(in crate::source) notes: Vec<String>,
    /// Relative paths that would match, or lead to what would, if their names were not hidden by convention.
    pub(in crate::source) hidden: Vec<PathBuf>,
    /// Where one code may mean several stocks; such files are skipped.
    pub(in crate::source) meeting: Option<Meeting>,
}

/// The directory that lies beside `root`, where nothing is, and has the likeliest name.
fn near(root: &Path) -> Option<PathBuf> {
    let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = storage::list(parent).ok()?.filter_map(|name| name.ok()?.into_string().ok());
    let directories: Vec<String> = names.filter(|name| parent.join(name).is_dir()).collect();
    let near = nearest(root.file_name()?.to_str()?, directories.iter().map(String::as_str));
    near.first().map(|name| root.with_file_name(name))
}

/// The files below `root` that match the pattern of `options`.
///
/// # Errors
/// [`Error::Io`] when a directory cannot be read, [`Error::Refused`] when `root` is a file or nothing matches.
pub(in crate::source) fn discover(root: &Path, options: &SourceOptions) -> Result<Found> {
    let looked = fs::metadata(root).map_err(Error::io("read", root));
    if looked.map_err(|error| error.or_near(|| near(root)))?.is_file() {
        let way_out =
            format!("give the directory that holds one {} file per {}", options.input.noun(), options.files_by);
        return Err(Error::refused(format!("{} is a file", root.display()), &way_out).about(root));
    }
    options.check_paths()?;
    let pattern = &options.pattern;
    let mut walk = Walk {
        root,
        options,
        beside: Beside::new(root, &options.ignore, options.input),
        files: Vec::new(),
        found: Found::default(),
    };
    let before = pattern.before();
    let is_there = match fs::metadata(root.join(&before)) {
        Ok(metadata) => metadata.is_dir(),
        Err(error) if is_of_file(&error) => false,
        Err(error) => return Err(Error::io("read", &root.join(&before))(error)),
    };
    if before.as_os_str().is_empty() || is_there {
        walk.beside.look_above(&before);
        let at = before.iter().count();
        walk.list(&before, at, &Values::default())?;
    }
    let Walk { beside, mut files, mut found, .. } = walk;
    files.sort_unstable_by(|a, b| (&a.unit, &a.path).cmp(&(&b.unit, &b.path)));
    if options.files_by == FilesBy::Date {
        leave_out_overlapping(&mut files, &mut found.skipped);
    }
    for unit in files.chunk_by(|a, b| a.unit == b.unit) {
        let meeting = (options.files_by == FilesBy::Stock).then(|| of_several_stocks(unit, options)).flatten();
        match meeting {
            None => found.files.extend(unit.iter().map(|file| (file.unit.clone(), file.path.clone()))),
            Some((reasons, meeting)) => {
                found.skipped.extend(unit.iter().zip(reasons).map(|(file, reason)| skip(&file.path, reason)));
                if let Some(meeting) = meeting {
                    found.meeting.get_or_insert(meeting).count += 1;
                }
            }
        }
    }
    let is_file = |(_, path): &(String, PathBuf)| !root.join(path).is_dir();
    if found.skipped.is_empty() && !found.files.iter().any(is_file) {
        return Err(nothing(root, options)?.about(root));
    }
    found.notes = beside.notes(pattern, options.files_by);
    if options.files_by == FilesBy::Stock {
        found.notes.extend(odd_codes(&found.files, pattern));
        map_codes(&mut found, options);
    }
    found.skipped.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Puts each file among those of the stocks that its code stands for.
fn map_codes(found: &mut Found, options: &SourceOptions) {
    let Some(map) = &options.code_map else { return };
    if !found.files.iter().any(|(code, _)| map.names(code)) {
        found.notes.push(format!("no file has a code that the code map {} names", map.path()));
    }
    let of = |(code, path): (String, PathBuf)| {
        let codes = options.units_named(&code);
        codes.into_iter().map(move |code| (code, path.clone()))
    };
    found.files = std::mem::take(&mut found.files).into_iter().flat_map(of).collect();
    found.files.sort_unstable();
}

struct Walk<'a> {
    root: &'a Path,
    options: &'a SourceOptions,
    beside: Beside<'a>,
    files: Vec<Fitting>,
    found: Found,
}

impl Walk<'_> {
    /// Looks at the entries of `directory` as step `at` of the pattern.
    fn list(&mut self, directory: &Path, at: usize, known: &Values) -> Result<()> {
        let whole = self.root.join(directory);
        for name in storage::list(&whole).map_err(Error::io("read", &whole))? {
            let name = name.map_err(Error::io("read", &whole))?;
            let path = directory.join(&name);
            if self.options.ignores(&path) {
                continue;
            }
            match self.options.pattern.entry(at, &name, known) {
                Entry::Hidden { fits: true } => self.found.hidden.push(path),
                Entry::Hidden { fits: false } => {}
                Entry::Other => self.beside.add(path),
                Entry::Fits(values) => self.follow(path, at + 1, values)?,
            }
        }
        Ok(())
    }

    /// Goes on below `start`, which fits all steps before step `at`.
    fn follow(&mut self, start: PathBuf, mut at: usize, values: Values) -> Result<()> {
        let mut path = start.clone();
        let pattern = &self.options.pattern;
        while let Some(name) = pattern.step(at).and_then(|step| step.closed(&values)) {
            path.push(name);
            at += 1;
        }
        let is_file = pattern.step(at).is_none();
        if is_file && path == start {
            self.add(path, values);
            return Ok(());
        }
        if self.options.ignores(&path) {
            return Ok(());
        }
        let whole = self.root.join(&path);
        let looked = if is_file { fs::symlink_metadata(&whole).map(drop) } else { storage::list(&whole).map(drop) };
        match looked {
            Ok(()) if is_file => {
                self.beside.look(&start, &path);
                self.add(path, values);
            }
            Ok(()) => {
                self.beside.look(&start, &path);
                self.list(&path, at, &values)?;
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
                    && !is_dangling(&self.root.join(&start)) =>
            {
                self.beside.add(start);
            }
            Err(error) if !is_of_file(&error) => return Err(Error::io("read", &whole)(error)),
            // There may be a stock's file, and silence would lose the stock.
            Err(error) => {
                let reason = Reason::new(Kind::Unreadable, format!("cannot be examined: {error}"));
                self.found.skipped.push(skip(&path, reason));
            }
        }
        Ok(())
    }

    fn add(&mut self, path: PathBuf, values: Values) {
        match self.options.named_by_values(&values) {
            Ok(unit) => self.files.push(Fitting { unit, path, values }),
            Err(why) => {
                let (kind, what) = match self.options.files_by {
                    FilesBy::Stock => (Kind::NoCode, "code"),
                    FilesBy::Date => (Kind::OtherDate, "date, such as 20240102, or leave it out"),
                };
                let null = values.all().iter().find(|value| value.is_null());
                let named =
                    if null.is_some_and(|value| value.step + 1 < path.iter().count()) { "directory" } else { "file" };
                let reason = Reason::new(kind, why).or(Remedy::Do(format!("rename the {named} after its {what}")));
                let leave_out = Remedy::set(Setting::Ignore(format!("*={NULL_PARTITION}")), "leaves it out");
                self.found.skipped.push(skip(&path, if null.is_some() { reason.or(leave_out) } else { reason }));
            }
        }
    }
}

/// Leaves out files of a month or a year of which some dates have files of their own, and these. The units ascend.
fn leave_out_overlapping(files: &mut Vec<Fitting>, skipped: &mut Vec<Skipped>) {
    // The name of a period begins with that of each which it lies in.
    let units: BTreeSet<&str> = files.iter().map(|file| file.unit.as_str()).collect();
    let inner = units.iter().flat_map(|unit| [4, 6].into_iter().filter_map(|len| Some((*unit, unit.get(..len)?))));
    let inner: Vec<(String, String)> = inner
        .filter(|(unit, outer)| unit != outer && units.contains(outer))
        .map(|(unit, outer)| (unit.to_owned(), outer.to_owned()))
        .collect();
    let first = |unit: &str| {
        let file = files.get(files.partition_point(|file| file.unit.as_str() < unit))?;
        Some(shown(file.path.as_os_str()))
    };
    let mut others: HashMap<String, String> = HashMap::new();
    for (unit, outer) in &inner {
        others.extend(first(outer).map(|path| (unit.clone(), path)));
        let path = first(unit);
        others.entry(outer.clone()).or_insert_with(|| path.unwrap_or_default());
    }
    files.retain(|file| match others.get(&file.unit) {
        Some(other) => {
            skipped.push(skip(&file.path, beside_overlapping(other)));
            false
        }
        None => true,
    });
}

/// Whether `path` is a link to what is not there, such as a volume that is not mounted.
fn is_dangling(path: &Path) -> bool {
    path.is_symlink() && !path.exists()
}
