//! Finds the files that match the pattern and takes the codes from their paths. Opens none of them.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::advice::nothing;
use super::beside::{Beside, odd_codes};
use super::naming::{NULL_PARTITION, is_hidden, shown};
use super::options::SourceOptions;
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

fn no_code(what: &str) -> Reason {
    Reason::new(Kind::NoCode, what).or(Remedy::Do("rename the file after its code".to_owned()))
}

/// What lies in the source directory.
#[derive(Default)]
pub(super) struct Found {
    /// Code and relative path, by code. A code names one path, so codes are unique.
    pub(super) files: Vec<(String, PathBuf)>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) notes: Vec<String>,
    /// Relative paths that would match if their names were not hidden by convention.
    pub(super) hidden: Vec<PathBuf>,
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
    let pattern = &options.pattern;
    let directory = root.join(pattern.before());
    let mut found = Found::default();
    let mut beside = Beside::default();
    let is_there = match fs::metadata(&directory) {
        Ok(metadata) => metadata.is_dir(),
        Err(error) if is_of_file(&error) => false,
        Err(error) => return Err(Error::io("read", &directory)(error)),
    };
    if pattern.before().as_os_str().is_empty() || is_there {
        beside.look_above(root, pattern.before());
        for entry in fs::read_dir(&directory).map_err(Error::io("read", &directory))? {
            let name = entry.map_err(Error::io("read", &directory))?.file_name();
            // Joining an empty path would leave a slash at the end.
            let path = match pattern.after() {
                none if none.as_os_str().is_empty() => pattern.before().join(&name),
                after => pattern.before().join(&name).join(after),
            };
            let code = pattern.code(name.as_bytes());
            if is_hidden(&name) && !pattern.asks_for_hidden() {
                if code.is_some() {
                    found.hidden.push(path);
                }
                continue;
            }
            let Some(code) = code else {
                beside.add(root, pattern.before().join(&name));
                continue;
            };
            if !pattern.after().as_os_str().is_empty() {
                match fs::symlink_metadata(root.join(&path)) {
                    Ok(_) => beside.look(root, &pattern.before().join(&name), &path),
                    Err(error)
                        if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
                            && !is_dangling(&directory.join(&name)) =>
                    {
                        beside.add(root, pattern.before().join(&name));
                        continue;
                    }
                    Err(error) if !is_of_file(&error) => return Err(Error::io("read", &root.join(&path))(error)),
                    // It may be a stock's file, and silence would lose the stock.
                    Err(error) => {
                        found
                            .skipped
                            .push(skip(&path, Reason::new(Kind::Unreadable, format!("cannot be examined: {error}"))));
                        continue;
                    }
                }
            }
            match std::str::from_utf8(&code) {
                Err(_) => found.skipped.push(skip(&path, no_code("its name is not UTF-8, so it gives no code"))),
                Ok("") => found.skipped.push(skip(&path, no_code("its name leaves nothing for the code"))),
                Ok(NULL_PARTITION) if pattern.is_encoded() => {
                    found
                        .skipped
                        .push(skip(&path, no_code("its name gives no code, but says that its rows have none")));
                }
                Ok(code) => found.files.push((code.to_owned(), path)),
            }
        }
    }
    found.files.sort_unstable();
    refuse_twins(&mut found);
    let is_file = |(_, path): &(String, PathBuf)| !root.join(path).is_dir();
    if found.skipped.is_empty() && !found.files.iter().any(is_file) {
        return Err(nothing(root, options)?);
    }
    found.notes = beside.notes(pattern);
    found.notes.extend(odd_codes(&found.files, pattern));
    found.skipped.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Leaves out files that have one code, which escapes make possible: nobody can say which one is the stock's.
fn refuse_twins(found: &mut Found) {
    let mut files = std::mem::take(&mut found.files);
    for twins in files.chunk_by_mut(|a, b| a.0 == b.0) {
        let [(code, path)] = twins else {
            for (at, (code, path)) in twins.iter().enumerate() {
                let other = shown(twins[usize::from(at == 0)].1.as_os_str());
                let reason = Reason::new(Kind::SharedCode, format!("gives the code {code:?}, as {other} does"));
                found.skipped.push(skip(path, reason.or(Remedy::Do("rename one of them".to_owned()))));
            }
            continue;
        };
        found.files.push((std::mem::take(code), std::mem::take(path)));
    }
}

/// Whether `path` is a link to what is not there, such as a volume that is not mounted.
fn is_dangling(path: &Path) -> bool {
    path.is_symlink() && !path.exists()
}
