//! The library's error: one variant per thing a caller can do about it.
//!
//! Damage is described by plain values ([`Damage`]), so that a caller can tell a swapped section from a truncated file
//! without reading text. What is wrong with one *input* file is not an [`Error`]: it is a reason in a report
//! (see [`Skipped`]), because the other inputs go on.

use std::io;
use std::path::{Path, PathBuf};

use crate::key::Date;
use crate::skipped::{Skipped, grouped};

/// Result of this library's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The thing asked for is not there. `hint` names the nearest thing that is.
    #[error("{what} not found; {hint}")]
    NotFound {
        /// What was asked for.
        what: String,
        /// The way out.
        hint: String,
    },
    /// There is no store at a path. `instead` says what is there, and the way out.
    #[error("{} is not a store: {instead}", path.display())]
    NotAStore {
        /// Where one was looked for.
        path: PathBuf,
        /// What is there, and the way out.
        instead: String,
    },
    /// A request that contradicts itself, the data or what already exists. The message ends in the way out, after a
    /// semicolon.
    #[error("{0}")]
    Refused(String),
    /// Inputs cannot be used, and nothing can be done without them.
    #[error("{what}: {}", told(skipped))]
    Inputs {
        /// What cannot be done.
        what: String,
        /// The inputs, with reasons.
        skipped: Vec<Skipped>,
    },
    /// A file of a newer (or unknown) format version.
    #[error(
        "{} has format version {found}, this transect reads version {supported}; use the transect that wrote it, or make it again with this one",
        path.display()
    )]
    WrongVersion {
        /// The file.
        path: PathBuf,
        /// Version in the file.
        found: u32,
        /// The version this library reads.
        supported: u32,
    },
    /// A directory in which a build began and never published.
    #[error(
        "{0} is an unfinished store: a build started there and did not complete; run `transect build` again, or remove it with `rm -r {0}`",
        path.display()
    )]
    Unfinished {
        /// The directory.
        path: PathBuf,
    },
    /// Bytes on disk are not what was written.
    #[error("{} is damaged: {damage}; restore it from a copy, or build the store again", path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// What does not hold.
        damage: Damage,
    },
    /// Another process holds the write lock of a store or an output directory.
    #[error("{} is being written by {}; try again later, or wait for it with --wait 10m", path.display(), by(*holder))]
    Locked {
        /// The lock file, or the directory.
        path: PathBuf,
        /// The process that holds it, where it says so.
        holder: Option<u32>,
    },
    /// A version is live, and a step after that failed.
    #[error("version {version} of {} is live, but a power failure may bring back the one before", path.display())]
    Live {
        /// The version.
        version: u64,
        /// The store.
        path: PathBuf,
        /// What failed.
        #[source]
        source: Box<Error>,
    },
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb: "read", "rename".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// A library could not do what was asked of it: encode or decode, start threads, draw random numbers.
    #[error("cannot {action}")]
    Failed {
        /// What was tried.
        action: String,
        /// The library's word.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The observer asked to stop. Nothing half-written stands under a final name.
    #[error("interrupted")]
    Cancelled,
}

/// The usual reasons, of which a message names a few.
fn told(skipped: &[Skipped]) -> String {
    const NAMED: usize = 3;
    let groups = grouped(skipped);
    let mut told: Vec<String> = groups.iter().take(NAMED).map(ToString::to_string).collect();
    if groups.len() > NAMED {
        told.push(format!("and {} more reasons", groups.len() - NAMED));
    }
    told.join("; ")
}

fn by(holder: Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"))
}

/// A damaged place and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The file is shorter or longer than its catalog says.
    #[error("{got} bytes long, should be {expected}")]
    Length {
        /// Bytes that should be there.
        expected: u64,
        /// Bytes found.
        got: u64,
    },
    /// A checksum does not match.
    #[error("checksum of {what} does not match")]
    Checksum {
        /// The damaged part.
        what: String,
    },
    /// One column of one section does not match its checksum.
    #[error("checksum of column {column:?} on {date} does not match")]
    Section {
        /// The section's date.
        date: Date,
        /// The column's name.
        column: String,
    },
    /// A structure that cannot be right, whatever its checksum says.
    #[error("{0}")]
    Structure(String),
}

impl Error {
    /// The kind of error in a word, for scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::NotFound { .. } => "not-found",
            Error::NotAStore { .. } => "not-a-store",
            Error::Refused(_) => "refused",
            Error::Inputs { .. } => "inputs",
            Error::WrongVersion { .. } => "wrong-version",
            Error::Unfinished { .. } => "unfinished",
            Error::Corrupt { .. } => "damaged",
            Error::Locked { .. } => "locked",
            Error::Live { .. } => "live",
            Error::Io { .. } => "io",
            Error::Failed { .. } => "failed",
            Error::Cancelled => "interrupted",
        }
    }

    /// The file or directory that it is about, where it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Error::NotAStore { path, .. }
            | Error::WrongVersion { path, .. }
            | Error::Unfinished { path }
            | Error::Corrupt { path, .. }
            | Error::Locked { path, .. }
            | Error::Live { path, .. }
            | Error::Io { path, .. } => Some(path),
            Error::NotFound { .. }
            | Error::Refused(_)
            | Error::Inputs { .. }
            | Error::Failed { .. }
            | Error::Cancelled => None,
        }
    }

    /// The way out: the end of the message, where it names one.
    pub fn hint(&self) -> Option<String> {
        match self {
            // The usual reason's, where an option helps.
            Error::Inputs { skipped, .. } => {
                let usual = grouped(skipped).into_iter().next()?;
                let (_, hint) = usual.example.reason.rsplit_once("; ").filter(|(_, hint)| hint.contains("--"))?;
                Some(hint.to_owned())
            }
            _ => self.to_string().rsplit_once("; ").map(|(_, hint)| hint.to_owned()),
        }
    }

    /// An [`Error::Io`] for `action` on `path`; made for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { action, path: path.to_owned(), source }
    }

    /// An [`Error::Failed`] for `action`; made for `map_err`.
    pub(crate) fn failed<E>(action: impl Into<String>) -> impl FnOnce(E) -> Error
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |source| Error::Failed { action: action.into(), source: source.into() }
    }

    /// An [`Error::Corrupt`] with a structural reason.
    pub(crate) fn structure(path: &Path, why: impl Into<String>) -> Error {
        Error::Corrupt { path: path.to_owned(), damage: Damage::Structure(why.into()) }
    }
}
