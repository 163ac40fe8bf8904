//! Finds the files that match the pattern and takes the codes from their paths. Opens none of them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::advice::nothing;
use super::beside::{Beside, odd_codes};
use super::code_template::code_of;
use super::meeting::{Fitting, Meeting, of_several_stocks};
use super::naming::shown;
use super::options::SourceOptions;
use super::pattern::{Entry, Values};
use super::trouble::is_of_file;
use crate::error::{Error, Result};
pub(super) use crate::hint::counted;
use crate::reason::{Kind, Reason};
use crate::remedy::Remedy;
use crate::skipped::Skipped;

/// The file at `path`, relative to the source directory, is left out.
pub(super) fn skip(path: &Path, reason: Reason) -> Skipped {
    Skipped { path: shown(path.as_os_str()), reason }
}

/// What lies in the source directory.
#[derive(Default)]
pub(super) struct Found {
    /// Code and relative path, by code and path. All files of a code are one stock's.
    pub(super) files: Vec<(String, PathBuf)>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) notes: Vec<String>,
    /// Relative paths that would match, or lead to what would, if their names were not hidden by convention.
    pub(super) hidden: Vec<PathBuf>,
    /// Where one code may mean several stocks; such files are skipped.
    pub(super) meeting: Option<Meeting>,
}

/// The files below `root` that match the pattern of `options`.
///
/// # Errors
/// [`Error::Io`] when a directory cannot be read, [`Error::Refused`] when `root` is a file or nothing matches.
pub(super) fn discover(root: &Path, options: &SourceOptions) -> Result<Found> {
    if fs::metadata(root).map_err(Error::io("read", root))?.is_file() {
        let way_out = "give the directory that holds one Parquet file per stock";
        return Err(Error::refused(format!("{} is a file", root.display()), way_out));
    }
    options.check_template()?;
    let pattern = &options.pattern;
    let mut walk =
        Walk { root, options, beside: Beside::new(root, &options.ignore), files: Vec::new(), found: Found::default() };
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
    files.sort_unstable_by(|a, b| (&a.code, &a.path).cmp(&(&b.code, &b.path)));
    for stock in files.chunk_by(|a, b| a.code == b.code) {
        match of_several_stocks(stock, options) {
            None => found.files.extend(stock.iter().map(|file| (file.code.clone(), file.path.clone()))),
            Some((reasons, meeting)) => {
                found.skipped.extend(stock.iter().zip(reasons).map(|(file, reason)| skip(&file.path, reason)));
                if let Some(meeting) = meeting {
                    found.meeting.get_or_insert(meeting).count += 1;
                }
            }
        }
    }
    let is_file = |(_, path): &(String, PathBuf)| !root.join(path).is_dir();
    if found.skipped.is_empty() && !found.files.iter().any(is_file) {
        return Err(nothing(root, options)?);
    }
    found.notes = beside.notes(pattern);
    found.notes.extend(odd_codes(&found.files, pattern));
    found.skipped.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
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
        for entry in fs::read_dir(&whole).map_err(Error::io("read", &whole))? {
            let name = entry.map_err(Error::io("read", &whole))?.file_name();
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
        let looked = if is_file { fs::symlink_metadata(&whole).map(drop) } else { fs::read_dir(&whole).map(drop) };
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
        match code_of(self.options.code_template.as_ref(), &values) {
            Ok(code) => self.files.push(Fitting { code, path, values }),
            Err(why) => {
                let rename = Remedy::Do("rename the file after its code".to_owned());
                self.found.skipped.push(skip(&path, Reason::new(Kind::NoCode, why).or(rename)));
            }
        }
    }
}

/// Whether `path` is a link to what is not there, such as a volume that is not mounted.
fn is_dangling(path: &Path) -> bool {
    path.is_symlink() && !path.exists()
}
