//! Groups of arguments that several commands have.

use std::path::Path;
use std::time::Duration;

use crate::quantity;
use crate::storage::{Access, network_file_system};
use crate::{Guard, Limit, Store};
use clap::{Args, ValueEnum};

use super::output;
use super::words::{any, at_least_one, guard, number};

/// Headings of `--help`: which files, how they are named and found.
pub const FILES: &str = "Files";
/// How dates are read.
pub const DATES: &str = "Dates";
/// Which columns and rows, and what tells rows apart.
pub const COLUMNS: &str = "Columns and rows";
/// What ends a command before it publishes.
pub const STOPS: &str = "What stops it";
/// Which version is read, and which are kept.
pub const VERSIONS: &str = "Versions";
/// How to run, not what.
pub const RUNNING: &str = "Running";

/// What may look broken and goes through all the same.
#[derive(Debug, Clone, Args)]
pub struct Allowed {
    /// Publish although these guards are met
    ///
    /// What looks like a broken night is stopped, and the report says by which guards: nothing is published, and the
    /// exit code is 4. Once it is right, allow it by those words. What was accepted once does not stop the next night.
    #[arg(long, value_name = "WORD,WORD", value_delimiter = ',', value_parser = guard(), help_heading = STOPS)]
    pub allow: Vec<Guard>,
}

/// Whether to wait for somebody else who is writing.
#[derive(Debug, Clone, Copy, Args)]
pub struct Waiting {
    /// How long to wait for somebody else who is writing, such as 30s, 10m or 2h
    ///
    /// Without it the command ends at once, with exit code 5.
    #[arg(long, value_name = "DURATION", value_parser = quantity::duration, help_heading = RUNNING)]
    wait: Option<Duration>,
}

impl Waiting {
    /// The time to wait.
    pub fn patience(self) -> Duration {
        self.wait.unwrap_or_default()
    }
}

/// What a change to a store may do, and what it leaves.
#[derive(Debug, Clone, Copy, Args)]
pub struct Limits {
    /// Publish nothing if a row would be restated or removed
    ///
    /// The report says what would change, and the exit code is 4.
    #[arg(long, conflicts_with = "max_restated", help_heading = STOPS, hide_short_help = true)]
    refuse_restatement: bool,

    /// Publish nothing if more rows than this would be restated or removed: a number, or a share of all rows
    ///
    /// A tripwire against a broken upstream job. The report says what would change, and the exit code is 4.
    #[arg(long, value_name = "N|P%", help_heading = STOPS)]
    max_restated: Option<Limit>,

    /// Publish nothing; report what would change, with the exit code that it would have
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub keeping: Keeping,
}

/// Which versions a store keeps.
#[derive(Debug, Clone, Copy, Args)]
pub struct Keeping {
    /// How many versions the store keeps from now on, the live one among them [default for a new store: 7]
    #[arg(long, value_name = "N", value_parser = at_least_one::<u32>())]
    #[arg(help_heading = VERSIONS, hide_short_help = true)]
    pub keep: Option<u32>,

    /// For how long the store keeps a version after another has replaced it, such as 30d, 2w or 12h
    ///
    /// From now on, until another age is given; 0d ends it. Of this and --keep, whichever keeps more counts. The store can
    /// be read --as-of any instant since.
    #[arg(long, value_name = "AGE", value_parser = quantity::age, help_heading = VERSIONS, hide_short_help = true)]
    pub keep_for: Option<Duration>,
}

impl Limits {
    /// The most rows that may be restated or removed, if there is a limit.
    pub fn max_restated(self) -> Option<Limit> {
        self.max_restated.or(self.refuse_restatement.then_some(Limit::Count(0)))
    }
}

/// How a long command runs and reports.
#[derive(Debug, Clone, Copy, Args)]
pub struct Running {
    /// How many threads to use [default: all cores]
    ///
    /// 1 works on the calling thread alone and starts no other. The bytes written do not depend on it.
    #[arg(short = 'j', long = "parallel", value_name = "N", help_heading = RUNNING)]
    #[arg(value_parser = number::<u16>(1..=1024))]
    parallel: Option<u16>,

    /// Print the report as one JSON object
    ///
    /// On stdout, also when the run fails: then the object has `error`, with kind, path, message and hint. It always has
    /// `exit_code`.
    #[arg(long, help_heading = RUNNING)]
    pub json: bool,
}

impl Running {
    /// The number of threads, if one was given.
    pub fn workers(self) -> Option<usize> {
        self.parallel.map(usize::from)
    }
}

/// How a store's files reach memory.
#[derive(Debug, Clone, Copy, Args)]
pub struct Io {
    /// map: pages of the files as they lie on the disk; read: copies of what is asked for
    ///
    /// A file that somebody cuts short while it is mapped ends the command by SIGBUS, and one that is written over may be
    /// seen half changed. Where that can happen, such as on a network file system, read: each worker then holds copies of a
    /// piece of a section, at most 65,536 rows. Fewer workers run where those would not fit half of the memory.
    #[arg(long, value_name = "HOW", default_value = "map", value_enum, help_heading = RUNNING)]
    #[arg(hide_short_help = true)]
    io: Way,
}

/// What `--io` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    Map,
    Read,
}

impl Io {
    /// Opens the live version of the store at `path`; unless `quiet`, warns of a network file system.
    pub fn open(self, path: &Path, quiet: bool) -> crate::Result<Store> {
        Store::open_with(path, self.of(path, quiet))
    }

    /// How the files of the store at `path` reach memory; unless `quiet`, warns of a network file system.
    pub fn of(self, path: &Path, quiet: bool) -> Access {
        let access = match self.io {
            Way::Map => Access::Map,
            Way::Read => Access::Read,
        };
        if let (Access::Map, false, Some(name)) = (access, quiet, network_file_system(path)) {
            output::say(format_args!(
                "transect: note: {} lies on a network file system ({name}); if another machine cuts a file short, this \
                 command ends by SIGBUS; --io read reads copies",
                output::path(path)
            ));
        }
        access
    }
}

/// Which version of a store to read.
#[derive(Debug, Clone, Copy, Args)]
pub struct At {
    /// Read this version instead of the live one; `transect log` lists them
    #[arg(long, value_name = "N", value_parser = any::<u64>(), conflicts_with = "as_of", help_heading = VERSIONS)]
    pub version: Option<u64>,

    /// Read the version that was live at this time, as 2024-01-02, 2024-01-02T15:04 or 2024-01-02T15:04:05+08:00
    ///
    /// On this machine's clocks unless it ends in an offset; a date alone is the end of that day. What was published
    /// later is not seen. Which version that is goes to stderr.
    #[arg(long, value_name = "DATETIME", value_parser = quantity::instant, help_heading = VERSIONS)]
    pub as_of: Option<i64>,

    #[command(flatten)]
    io: Io,
}

impl At {
    /// Opens that version of the store at `path`; unless `quiet`, says which one a time chose.
    pub fn open(self, path: &Path, quiet: bool) -> crate::Result<Store> {
        let live = self.io.open(path, quiet)?;
        match (self.version, self.as_of) {
            (Some(version), _) => live.other_version(version),
            (None, Some(instant_ns)) => {
                let store = live.version_as_of(instant_ns)?;
                if !quiet {
                    let (version, made) = (store.version(), quantity::shown(store.created_ns()));
                    output::say(format_args!("version {version} of {}, made {made}", output::path(path)));
                }
                Ok(store)
            }
            (None, None) => Ok(live),
        }
    }

    /// Whether a version was asked for.
    pub fn is_given(self) -> bool {
        self.version.is_some() || self.as_of.is_some()
    }
}
