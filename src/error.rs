//! The library's error: one variant per thing a caller can do about it.
//!
//! Damage is described by plain values ([`Damage`]), so that a caller can tell a swapped section from a truncated file
//! without reading text. What is wrong with one *input* file is not an [`Error`]: it is a reason in a report
//! (see [`Skipped`]), because the other inputs go on.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::key::Date;
use crate::remedy::{Operation, Remedy, Setting, lost_current, sentence};
use crate::skipped::{Skipped, grouped, usual};

/// Result of this library's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Of so many names that are not there, the words of an error tell; of more, the first.
pub const NAMES_TOLD: usize = 200;

/// What went wrong, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The thing asked for is not there.
    NotFound {
        /// What kind of thing it is.
        wanted: Wanted,
        /// What was asked for; of many things the first.
        what: String,
        /// All that were asked for and are not there, by name, where these are several.
        names: Box<[String]>,
        /// The nearest thing that is there, or where all are listed.
        hint: Box<Remedy>,
        /// Where it was looked for, if that is not what the request is about.
        path: Option<Box<Path>>,
    },
    /// There is no store at a path.
    NotAStore {
        /// Where one was looked for.
        path: PathBuf,
        /// What is there.
        instead: String,
        /// The way out.
        way_out: Remedy,
    },
    /// A setting that cannot be right, whatever else is asked for.
    Invalid {
        /// The setting.
        setting: Setting,
        /// What is wrong with it, as the end of a sentence that begins with the setting.
        why: String,
        /// The ways out.
        remedies: Vec<Remedy>,
        /// The file that it names, where it is that which cannot be used.
        path: Option<Box<Path>>,
    },
    /// A request that contradicts the data or what already exists.
    Refused {
        /// Why it is refused.
        what: String,
        /// The ways out.
        remedies: Vec<Remedy>,
        /// The file or directory that is in the way, if that is not what the request is about.
        path: Option<Box<Path>>,
    },
    /// Inputs cannot be used, and nothing can be done without them.
    Inputs {
        /// What cannot be done.
        what: String,
        /// The inputs, with reasons.
        skipped: Vec<Skipped>,
        /// The directory that they are in.
        path: Option<Box<Path>>,
    },
    /// A file of a newer (or unknown) format version.
    WrongVersion {
        /// The file.
        path: PathBuf,
        /// Version in the file.
        found: u32,
        /// The version this library reads.
        supported: u32,
    },
    /// A file that has what a newer transect added, and without which it cannot be understood.
    UnknownTable {
        /// The file.
        path: PathBuf,
        /// The kind of table that is not known here.
        kind: u32,
    },
    /// A directory in which a build began and never published.
    Unfinished {
        /// The directory.
        path: PathBuf,
    },
    /// Bytes on disk are not what was written.
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// What does not hold.
        damage: Damage,
    },
    /// Another process holds the write lock of a store or an output directory.
    Locked {
        /// The store, or the output directory.
        path: PathBuf,
        /// The process that holds it, where it says so.
        holder: Option<u32>,
    },
    /// A version is live, and a step after that failed.
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
    Io {
        /// What was tried, as a verb: "read", "rename".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
        /// What lies beside it, of a like name.
        near: Option<Box<Path>>,
    },
    /// A library could not do what was asked of it: encode or decode, start threads, draw random numbers.
    Failed {
        /// What was tried.
        action: String,
        /// The library's word.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The observer asked to stop. Nothing half-written stands under a final name.
    Cancelled,
}

/// A kind of thing that somebody may ask for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// A column.
    Column,
    /// A stock, by its code.
    Stock,
    /// A date.
    Date,
    /// A version of a store.
    Version,
    /// A source of a store, by its name.
    Source,
    /// A value of a key column.
    Value,
    /// What transect notes of an output directory.
    Ledger,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Each reason has its own, and the system's word comes before a way out.
            Error::Inputs { .. } | Error::Io { .. } => f.write_str(&self.what(Setting::to_string)),
            _ => sentence(f, &self.what(Setting::to_string), &self.remedies()),
        }
    }
}

/// What helps where the system said no to `action`.
fn against(action: &str, error: &io::Error) -> Option<&'static str> {
    Some(match (error.kind(), Errno::from_io_error(error)) {
        (io::ErrorKind::NotFound, _) => "name one that is there",
        (io::ErrorKind::PermissionDenied, _) => "give it the permission, or name another one",
        (io::ErrorKind::NotADirectory, _) => "name a directory",
        (io::ErrorKind::IsADirectory, _) => "move the directory away, and try again",
        (io::ErrorKind::AlreadyExists, _) => "name another one, or move it away",
        (io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded, _) => "make room there, and try again",
        (io::ErrorKind::ReadOnlyFilesystem, _) => "name a place that can be written to",
        (io::ErrorKind::InvalidFilename, _) => "choose a shorter name",
        (io::ErrorKind::FileTooLarge, _) => "raise `ulimit -f`, or write smaller files",
        (_, Some(Errno::MFILE)) => "raise `ulimit -n`, or take fewer threads",
        (_, Some(Errno::IO)) if action == "read" => "try again, and move the file away if it is the only one",
        // Ours say what to put there.
        (io::ErrorKind::InvalidInput, None) => return None,
        _ if action == "read" => "try again",
        _ => return None,
    })
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
    /// What a task left is not what it wrote; the task can be run again.
    #[error("{what}")]
    Task {
        /// What is wrong.
        what: String,
        /// Which task is to be run again, and what has to go before.
        way_out: String,
    },
}

impl Error {
    /// The kind of error in a word, for scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::NotFound { .. } => "not-found",
            Error::NotAStore { .. } => "not-a-store",
            Error::Invalid { .. } => "invalid",
            Error::Refused { .. } => "refused",
            Error::Inputs { .. } => "inputs",
            Error::WrongVersion { .. } => "wrong-version",
            Error::UnknownTable { .. } => "unknown-table",
            Error::Unfinished { .. } => "unfinished",
            Error::Corrupt { .. } => "damaged",
            Error::Locked { .. } => "locked",
            Error::Live { .. } => "live",
            Error::Io { .. } => "io",
            Error::Failed { .. } => "failed",
            Error::Cancelled => "interrupted",
        }
    }

    /// What is wrong, without the ways out; a setting that it is about as `spell` has it.
    pub fn what(&self, spell: impl Fn(&Setting) -> String) -> String {
        match self {
            Error::NotFound { what, .. } => format!("{what} not found"),
            Error::NotAStore { path, instead, .. } => format!("{} is not a store: {instead}", path.display()),
            Error::Invalid { setting, why, .. } => format!("{} {why}", spell(setting)),
            Error::Refused { what, .. } => what.clone(),
            Error::Inputs { what, skipped, .. } => format!("{what}: {}", usual(skipped, |group| group.to_string())),
            Error::WrongVersion { path, found, supported } => {
                format!("{} has format version {found}, this transect reads version {supported}", path.display())
            }
            Error::UnknownTable { path, kind } => {
                format!("{} has a table of kind {kind}, which this transect does not know and must", path.display())
            }
            Error::Unfinished { path } => {
                format!("{} is an unfinished store: a build started there and did not complete", path.display())
            }
            Error::Corrupt { path, damage } => format!("{} is damaged: {damage}", path.display()),
            Error::Locked { path, holder } => {
                let holder = holder.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"));
                format!("{} is being written by {holder}", path.display())
            }
            Error::Live { version, path, .. } => format!(
                "version {version} of {} is live, but a power failure may bring back the one before",
                path.display()
            ),
            Error::Io { action, path, .. } => format!("cannot {action} {}", path.display()),
            Error::Failed { action, .. } => format!("cannot {action}"),
            Error::Cancelled => "interrupted".to_owned(),
        }
    }

    /// Whether it says something of the machine, which is short of something or out of reach, and so nothing of what
    /// was to be read.
    pub(crate) fn is_of_machine(&self) -> bool {
        let ours = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::STALE, Errno::TIMEDOUT];
        let is_ours = |source: &io::Error| {
            source.kind() == io::ErrorKind::OutOfMemory
                || Errno::from_io_error(source).is_some_and(|errno| ours.contains(&errno))
        };
        // What a disk does not give of a file is lost with it; what it does not even open may be there the next time.
        let is_shut = |action: &str, source: &io::Error| {
            ["open", "examine"].contains(&action) && Errno::from_io_error(source) == Some(Errno::IO)
        };
        matches!(self, Error::Io { action, source, .. } if is_ours(source) || is_shut(action, source))
    }

    /// Whether it says that this process may not look.
    pub(crate) fn is_of_permission(&self) -> bool {
        matches!(self, Error::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// The same, with ways out that are for the source `name`.
    pub(crate) fn of_source(mut self, name: &str) -> Error {
        match &mut self {
            Error::Invalid { remedies, .. } | Error::Refused { remedies, .. } => {
                remedies.iter_mut().for_each(|remedy| remedy.be_of_source(name));
            }
            Error::Inputs { skipped, .. } => skipped.iter_mut().for_each(|input| input.be_of_source(name)),
            _ => {}
        }
        self
    }

    /// The same, with other ways out where it is a refusal.
    pub(crate) fn with_ways(mut self, other: impl Fn(Remedy) -> Remedy) -> Error {
        if let Error::Refused { remedies, .. } = &mut self {
            *remedies = std::mem::take(remedies).into_iter().map(other).collect();
        }
        self
    }

    /// The ways out, where there are some.
    pub fn remedies(&self) -> Vec<Remedy> {
        let only = |text: String| vec![Remedy::Do(text)];
        match self {
            Error::Invalid { remedies, .. } | Error::Refused { remedies, .. } => remedies.clone(),
            // The usual reason's.
            Error::Inputs { skipped, .. } => grouped(skipped).into_iter().next().map_or_else(Vec::new, |g| g.remedies),
            Error::NotFound { hint, .. } => vec![hint.as_ref().clone()],
            Error::NotAStore { way_out, .. } => vec![way_out.clone()],
            Error::WrongVersion { .. } => {
                only("use the transect that wrote it, or make it again with this one".to_owned())
            }
            Error::UnknownTable { .. } => only("use the transect that wrote it, or a newer one".to_owned()),
            Error::Unfinished { path } => {
                let build = Operation::Build { source: None, store: Some(path.to_string_lossy().into_owned()) };
                vec![Remedy::run(build, "begins anew"), Remedy::Do("remove the directory".to_owned())]
            }
            Error::Corrupt { damage: Damage::Task { way_out, .. }, .. } => only(way_out.clone()),
            Error::Corrupt { path, .. } if path.ends_with("CURRENT") => lost_current().to_vec(),
            Error::Corrupt { .. } => only("restore it from a copy, or build the store again".to_owned()),
            Error::Locked { .. } => {
                vec![Remedy::Do("try again later".to_owned()), Remedy::set(Setting::Wait, "waits for it")]
            }
            Error::Io { near: Some(near), .. } => only(format!("did you mean {}?", near.display())),
            Error::Io { action, source, .. } => {
                against(action, source).map_or_else(Vec::new, |text| only(text.to_owned()))
            }
            Error::Live { .. } | Error::Failed { .. } | Error::Cancelled => Vec::new(),
        }
    }

    /// The file or directory that it is about, where it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Error::NotAStore { path, .. }
            | Error::WrongVersion { path, .. }
            | Error::UnknownTable { path, .. }
            | Error::Unfinished { path }
            | Error::Corrupt { path, .. }
            | Error::Locked { path, .. }
            | Error::Live { path, .. }
            | Error::Io { path, .. } => Some(path),
            Error::NotFound { path, .. }
            | Error::Invalid { path, .. }
            | Error::Refused { path, .. }
            | Error::Inputs { path, .. } => path.as_deref(),
            Error::Failed { .. } | Error::Cancelled => None,
        }
    }

    /// The same, where it is about `path`, unless it says what it is about.
    pub(crate) fn about(mut self, about: &Path) -> Error {
        if let Error::NotFound { path, .. } | Error::Refused { path, .. } | Error::Inputs { path, .. } = &mut self {
            path.get_or_insert_with(|| about.into());
        }
        self
    }

    /// An [`Error::NotFound`] with what to say instead.
    pub(crate) fn not_found(wanted: Wanted, what: impl Into<String>, hint: impl Into<Remedy>) -> Error {
        Error::NotFound { wanted, what: what.into(), names: Box::default(), hint: Box::new(hint.into()), path: None }
    }

    /// An [`Error::NotFound`] of several `names`, which are `things`, in `place`; `spell` adds to one what it may be a
    /// slip of.
    pub(crate) fn none_of<T: ToString>(
        wanted: Wanted,
        (things, names): (&str, &[T]),
        place: &str,
        spell: impl Fn(&T) -> String,
        hint: Remedy,
    ) -> Error {
        let told = names.iter().take(NAMES_TOLD).map(spell).collect::<Vec<_>>().join(", ");
        let more = match names.len().saturating_sub(NAMES_TOLD) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (what, names) = (format!("{things} {told}{more}{place}"), names.iter().map(T::to_string).collect());
        Error::NotFound { wanted, what, names, hint: Box::new(hint), path: None }
    }

    /// An [`Error::Refused`] whose way out no setting is.
    pub(crate) fn refused(what: impl Into<String>, way_out: impl Into<String>) -> Error {
        Error::refused_unless(what, [Remedy::Do(way_out.into())])
    }

    /// An [`Error::Refused`] with these ways out.
    pub(crate) fn refused_unless(what: impl Into<String>, remedies: impl Into<Vec<Remedy>>) -> Error {
        Error::Refused { what: what.into(), remedies: remedies.into(), path: None }
    }

    /// An [`Error::Invalid`] with these ways out.
    pub(crate) fn invalid(setting: Setting, why: impl Into<String>, remedies: impl Into<Vec<Remedy>>) -> Error {
        Error::Invalid { setting, why: why.into(), remedies: remedies.into(), path: None }
    }

    /// An [`Error::Io`] for `action` on `path`; made for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { action, path: path.to_owned(), source, near: None }
    }

    /// The same, of a path that is not there, with `beside` as what may be meant.
    pub(crate) fn or_near(mut self, beside: impl FnOnce() -> Option<PathBuf>) -> Error {
        if let Error::Io { source, near, .. } = &mut self
            && source.kind() == io::ErrorKind::NotFound
        {
            *near = beside().map(PathBuf::into_boxed_path);
        }
        self
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_does_not_open_a_file_says_nothing_of_it_and_one_that_does_not_read_it_does() {
        let failed = |action, errno: Errno| Error::io(action, Path::new("f"))(errno.into()).is_of_machine();
        assert!(failed("open", Errno::IO) && failed("examine", Errno::IO) && failed("read", Errno::STALE));
        assert!(!failed("read", Errno::IO) && !failed("open", Errno::NOENT));
    }

    #[test]
    fn what_the_machine_lacks_is_nothing_of_a_file() {
        let is_of_machine = |source: io::Error| Error::io("read", Path::new("a"))(source).is_of_machine();
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::STALE, Errno::TIMEDOUT] {
            assert!(is_of_machine(errno.into()), "{errno}");
        }
        assert!(is_of_machine(io::ErrorKind::OutOfMemory.into()));
        for errno in [Errno::IO, Errno::NOENT, Errno::ACCESS] {
            assert!(!is_of_machine(errno.into()), "{errno}");
        }
    }
}
