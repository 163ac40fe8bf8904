//! Finds the files that match the pattern and takes the codes from their paths. Opens none of them.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::pattern::Pattern;
use crate::error::{Error, Result};
use crate::skipped::{Reason, Skipped};

/// The file at `path`, relative to the source directory, is left out.
pub(super) fn skip(path: &Path, reason: impl Into<Reason>) -> Skipped {
    Skipped { path: shown(path.as_os_str()), reason: reason.into() }
}

/// What lies in the source directory.
pub(super) struct Found {
    /// Code and relative path, by code. A code names one path, so codes are unique.
    pub(super) files: Vec<(String, PathBuf)>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) notes: Vec<String>,
}

/// The files below `root` that match `pattern`.
///
/// # Errors
/// [`Error::Io`] when a directory cannot be read, [`Error::Refused`] when `root` is a file or nothing matches.
pub(super) fn discover(root: &Path, pattern: &Pattern) -> Result<Found> {
    if fs::metadata(root).map_err(Error::io("read", root))?.is_file() {
        return Err(Error::Refused(format!(
            "{} is a file; give the directory that holds one Parquet file per stock",
            root.display()
        )));
    }
    let directory = root.join(pattern.before());
    let mut found = Found { files: Vec::new(), skipped: Vec::new(), notes: Vec::new() };
    if pattern.before().as_os_str().is_empty() || directory.is_dir() {
        let mut others = Vec::new();
        for entry in fs::read_dir(&directory).map_err(Error::io("read", &directory))? {
            let name = entry.map_err(Error::io("read", &directory))?.file_name();
            let path = pattern.before().join(&name).join(pattern.after());
            // Joining an empty path would leave a slash at the end.
            let path = if pattern.after().as_os_str().is_empty() { pattern.before().join(&name) } else { path };
            let mut code = pattern.code(name.as_bytes());
            if code.is_some() && !pattern.after().as_os_str().is_empty() {
                match fs::symlink_metadata(root.join(&path)) {
                    Ok(_) => {}
                    Err(error)
                        if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
                            && !is_dangling(&directory.join(&name)) =>
                    {
                        code = None;
                    }
                    // It may be a stock's file, and silence would lose the stock.
                    Err(error) => {
                        found.skipped.push(skip(&path, format!("cannot be examined: {error}")));
                        continue;
                    }
                }
            }
            match code.map(std::str::from_utf8) {
                None => others.push(name),
                Some(Err(_)) => found.skipped.push(skip(&path, "its name is not UTF-8, so it gives no code")),
                Some(Ok("")) => found.skipped.push(skip(&path, "its name leaves nothing for the code")),
                Some(Ok(code)) => found.files.push((code.to_owned(), path)),
            }
        }
        if let Some(example) = others.iter().min() {
            let (entries, example) = (counted(others.len(), "entry does", "entries do"), shown(example));
            found.notes.push(format!("{entries} not match the pattern {pattern}, such as {example}"));
        }
    }
    if found.files.is_empty() && found.skipped.is_empty() {
        return Err(Error::Refused(nothing(root, pattern)?));
    }
    found.files.sort_unstable();
    found.skipped.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Whether `path` is a link to what is not there, such as a volume that is not mounted.
fn is_dangling(path: &Path) -> bool {
    path.is_symlink() && !path.exists()
}

/// Says that nothing matches, what lies there instead, and which pattern may be meant.
fn nothing(root: &Path, pattern: &Pattern) -> Result<String> {
    let mut entries = list(root)?;
    entries.sort_unstable();
    let mut message = format!("no file in {} matches the pattern {pattern}; ", root.display());
    if entries.is_empty() {
        message.push_str("the directory is empty");
        return Ok(message);
    }
    let names: Vec<String> = entries.iter().take(5).map(|name| shown(name)).collect();
    let more = if entries.len() > names.len() { ", ..." } else { "" };
    message.push_str(&format!("there are {}: {}{more}", counted(entries.len(), "entry", "entries"), names.join(", ")));
    // A few sub-directories tell as much as all of them.
    for name in entries.iter().filter(|name| root.join(name).is_dir()).take(20) {
        let Ok(mut inner) = list(&root.join(name)) else { continue };
        inner.retain(|file| Path::new(file).extension().is_some_and(|extension| extension == "parquet"));
        let (Some(file), name) = (inner.iter().min(), shown(name)) else { continue };
        let suggestion = match name.split_once('=') {
            _ if inner.len() > 1 => format!("{name}/{{code}}.parquet"),
            Some((key, _)) => format!("{key}={{code}}/{}", shown(file)),
            None => format!("{{code}}/{}", shown(file)),
        };
        message.push_str(&format!("; {name} holds Parquet files: --pattern '{suggestion}' may be what you want"));
        return Ok(message);
    }
    let parquet = entries.iter().find_map(|name| {
        let extension = Path::new(name).extension()?.to_str()?;
        matches!(extension.to_ascii_lowercase().as_str(), "parquet" | "parq" | "pq").then_some(extension)
    });
    match parquet {
        Some(extension) => message.push_str(&format!("; --pattern '{{code}}.{extension}' may be what you want")),
        None => message.push_str("; give the directory with one Parquet file per stock, or a --pattern"),
    }
    Ok(message)
}

fn list(directory: &Path) -> Result<Vec<std::ffi::OsString>> {
    fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
        .map_err(Error::io("read", directory))
}

/// `1 entry`, `2 entries`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `text` with everything escaped that a terminal might take for a command or cannot show.
pub(super) fn shown(text: &OsStr) -> String {
    let mut out = String::with_capacity(text.len());
    for chunk in text.as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                c if c.is_control() => out.extend(c.escape_default()),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}
