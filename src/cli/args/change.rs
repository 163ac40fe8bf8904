//! What can be typed to make a store and to change it.

use std::path::PathBuf;

use crate::quantity;
use crate::source::{BadDates, Cast, Duplicates, Epoch, Ignore};
use crate::{Date, Limit};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueHint};

use super::super::groups::{Allowed, FILES, Io, Keeping, Limits, RUNNING, Running, STOPS, Waiting};
use super::super::words::{Names, any, expected, one_of};
use super::reading::Reading;

/// Heading of options that decide how a store reads its files.
const READING: &str = "Reading the files, from now on";

/// Read a folder of files, by stock or by date, into a store
///
/// A file that cannot be used is skipped, named on stderr with the reason, and remembered by the store (see `transect
/// info`); the exit code is then 3, unless so many are usual (see --max-skipped). Where more than a tenth of the files
/// would be skipped, and more than one, nothing is built (see --allow). A file without rows is an empty series and no
/// failure. Nothing is published before everything is on disk: a build that fails or is interrupted leaves the store
/// that was there before.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect build features panel.store
  transect build lake panel.store --pattern 'code={code}/data.parquet'
  transect build prices panel.store --cast volume=float64
  transect build bars panel.store --key ToD    # a date and a time in text
  transect build klines panel.store --date-column t --key t --epoch ms")]
pub struct MakeArgs {
    #[command(flatten)]
    pub build: BuildArgs,

    #[command(flatten)]
    pub waiting: Waiting,

    /// Replace a store that exists, and erase all its versions
    ///
    /// Not for every night: that is what `transect update` is for. Whoever has the store open keeps reading the version
    /// they opened. A directory that is no store is refused all the same.
    #[arg(long, help_heading = RUNNING)]
    pub force: bool,
}

/// What a build is told, whoever does the work.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// The directory with one file per stock, Parquet unless --input says otherwise
    #[arg(value_name = "SRC")]
    pub source: PathBuf,

    /// The store to make, a directory
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// Name of the source [default: that of the directory]
    ///
    /// A store may have several sources, each with files and columns of its own (see `transect source add`).
    #[arg(long = "source", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    #[arg(help_heading = FILES, hide_short_help = true)]
    pub name: Option<String>,

    #[command(flatten)]
    pub reading: Reading,

    /// How many skipped files are usual: a number, or a share of all files
    ///
    /// Up to so many, the exit code is 0, so that what follows in a script goes on, and skipped-files stops nothing. The
    /// files are named all the same. The store remembers it for its updates.
    #[arg(long, value_name = "N|P%", help_heading = STOPS)]
    pub max_skipped: Option<Limit>,

    #[command(flatten)]
    pub allowed: Allowed,

    #[command(flatten)]
    pub keeping: Keeping,

    /// Anonymous memory to use at most, such as 512MiB or 2GB, and 64MiB at least
    ///
    /// Whatever the panel's size; there is one worker for each 16 MiB at most. Mapped files come on top in a process's
    /// resident size, but those pages are the kernel's to take back; RssAnon in /proc/PID/status is the figure that
    /// this bounds.
    #[arg(long, value_name = "BYTES", default_value = "512MiB", value_parser = quantity::byte_len, help_heading = RUNNING)]
    pub memory: u64,

    #[command(flatten)]
    pub running: Running,
}

/// Bring a store up to date with the files it was built from
///
/// All of its sources become part of one version. Files with the size and time that the store remembers are not read.
/// The others are compared with the store, row by row and bit by bit, and what differs becomes a new version: rows
/// added, restated, and removed (a row that a changed file no longer has; one that `transect append` brought stays
/// until its stock's file changes and has it). Older versions stay as they are, as many as the store keeps. Nothing is
/// published if nothing differs, the files that are skipped included (a file that was only touched is hashed again each
/// time until something does), and an update that fails or is interrupted changes nothing.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect update panel.store                         # every night
  transect update panel.store --max-restated 5%       # a tripwire
  transect update panel.store --expect today --min-codes 95%
  transect update panel.store --refuse-restatement    # history must not move
  transect update panel.store --check-content         # whatever the times of files say")]
pub struct UpdateArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// Only these of the store's sources [default: all of them]
    #[arg(long = "source", value_name = "NAME,...")]
    pub sources: Vec<Names>,

    /// Read every file and compare its bytes with a hash, whatever its time says
    #[arg(long)]
    pub check_content: bool,

    /// Read every file again, also one that holds what it held
    ///
    /// After `transect restore`: rows whose files did not change since stand until then.
    #[arg(long)]
    pub reread: bool,

    /// Remove the rows of files that have disappeared
    ///
    /// Without this they stay, and the files are named. Rows that were appended stay in any case, until somebody appends
    /// others: `transect append --replace`.
    #[arg(long)]
    pub prune: bool,

    /// Publish nothing unless the store then has this date: a date, or today
    ///
    /// So a night is stopped whose files are not there yet, with exit code 4 (--allow expected-date). `today` is that
    /// of this machine's clocks. Of several sources also each is asked that is updated, has most of its stocks on every
    /// date, and was not behind the others before; one that was is told under `behind`, and stops nothing. One that is
    /// named by
    /// --source may follow others: it is asked where it has the date before this one. See --min-codes.
    #[arg(long, value_name = "DATE|today", value_parser = expected, help_heading = STOPS)]
    pub expect: Option<Date>,

    /// Of how many stocks the date that is expected has to have rows: a number, or a share of those that have the date
    /// before
    ///
    /// A number is of all sources together, a share of these and of each one that is asked (see --expect).
    #[arg(long, value_name = "N|P%", default_value = "90%", requires = "expect", help_heading = STOPS)]
    pub min_codes: Limit,

    /// How many skipped files are usual: a number, or a share of all files
    ///
    /// Up to so many, the exit code is 0, so that what follows in a script goes on, and skipped-files stops nothing. The
    /// files are named all the same. The store remembers it from now on.
    #[arg(long, value_name = "N|P%", help_heading = STOPS)]
    pub max_skipped: Option<Limit>,

    /// Leave out files that the pattern finds, from now on; may be repeated
    ///
    /// A glob of names such as '_*' or 'index.parquet', or with a slash of paths below SRC. Rows that the store has of such
    /// files stay, unless --prune removes them.
    #[arg(long, value_name = "GLOB", help_heading = READING, hide_short_help = true)]
    pub ignore: Vec<Ignore>,

    /// The date column from now on, or alternatives for it
    ///
    /// The first one present in a file is its date column; the output's column keeps its name. As with all options under
    /// this heading, the store remembers it, and every file is read again with it.
    #[arg(long, value_name = "A,B,...", help_heading = READING, hide_short_help = true)]
    pub date_column: Vec<Names>,

    /// How dates in text are spelt from now on, if not in a usual way
    #[arg(long, value_name = "FORMAT", help_heading = READING, hide_short_help = true)]
    pub date_format: Option<String>,

    /// What numbers in the date column count since 1970
    #[arg(long, value_name = "UNIT", value_parser = one_of::<Epoch>(&["s", "ms", "us", "ns", "days"]), help_heading = READING)]
    #[arg(hide_short_help = true)]
    pub epoch: Option<Epoch>,

    /// On whose clocks an instant is a date from now on
    #[arg(long, value_name = "ZONE", value_parser = NonEmptyStringValueParser::new(), help_heading = READING)]
    #[arg(hide_short_help = true)]
    pub zone: Option<String>,

    /// The zone of stamps that name none, from now on
    #[arg(long, value_name = "ZONE", value_parser = NonEmptyStringValueParser::new(), help_heading = READING)]
    #[arg(hide_short_help = true)]
    pub naive_zone: Option<String>,

    /// Leave out the time of day in the date column from now on
    #[arg(long, help_heading = READING, hide_short_help = true)]
    pub drop_time: bool,

    /// The file with the trading dates from now on, of a store whose rows are of those
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = NonEmptyStringValueParser::new(), help_heading = READING)]
    #[arg(hide_short_help = true)]
    pub calendar: Option<String>,

    /// The file that says from now on which codes of the files stand for which others
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = NonEmptyStringValueParser::new(), help_heading = READING)]
    #[arg(hide_short_help = true)]
    pub code_map: Option<String>,

    /// What to do from now on where a file has two differing rows of one key
    #[arg(long, value_name = "WHAT", value_parser = one_of::<Duplicates>(&["error", "first", "last"]), help_heading = READING)]
    #[arg(hide_short_help = true)]
    pub duplicates: Option<Duplicates>,

    /// What to do from now on with a row whose date is null or unreadable
    #[arg(long, value_name = "WHAT", value_parser = one_of::<BadDates>(&["error", "drop"]), help_heading = READING)]
    #[arg(hide_short_help = true)]
    pub bad_dates: Option<BadDates>,

    /// Leave these columns out, too, which the store does not have
    #[arg(long, value_name = "COL,COL", help_heading = READING, hide_short_help = true)]
    pub exclude: Vec<Names>,

    /// Decide on a column's type from now on; may be repeated
    ///
    /// A column that the store has may only become wider. The type of the dates may be any that holds them;
    /// a text is spelt as in the files that have text.
    #[arg(long, value_name = "COL=TYPE", help_heading = READING, hide_short_help = true)]
    pub cast: Vec<Cast>,

    #[command(flatten)]
    pub allowed: Allowed,

    #[command(flatten)]
    pub limits: Limits,

    /// Anonymous memory to use at most, such as 512MiB or 2GB
    #[arg(long, value_name = "BYTES", default_value = "512MiB", value_parser = quantity::byte_len, help_heading = RUNNING)]
    pub memory: u64,

    #[command(flatten)]
    pub io: Io,

    #[command(flatten)]
    pub waiting: Waiting,

    #[command(flatten)]
    pub running: Running,
}

/// Add rows to a store from per-date files, or restate them
///
/// Each FILE, Parquet, Arrow or csv, holds stocks of one date, in the shape that `transect transpose` writes: a
/// column with the codes and every other column of the store. The date is that of its date column, or of its name, such
/// as 20240103.parquet. Its rows come beside those that the store has on that date, or take their place; rows that the
/// file lacks stay, unless --replace removes them. A file that cannot be used is skipped, and its date stays as it is.
///
/// `transect update` leaves rows that were appended as they are, until the file of their stock changes and has the row
/// itself.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect append panel.store today/20240103.parquet
  transect append panel.store by_date/202401*.parquet --refuse-restatement
  transect append panel.store fixed/20240103.parquet --replace")]
pub struct AppendArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// The files, one for each date
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// The source whose rows these are, where the store has several
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,

    /// Also remove the rows that the store has on these dates and the files lack
    #[arg(long)]
    pub replace: bool,

    /// Leave these columns of the files out, which the store does not have
    #[arg(long, value_name = "COL,COL")]
    pub exclude: Vec<Names>,

    #[command(flatten)]
    pub allowed: Allowed,

    #[command(flatten)]
    pub limits: Limits,

    /// Anonymous memory to use at most, such as 512MiB or 2GB; a file may take a quarter of it
    #[arg(long, value_name = "BYTES", default_value = "512MiB", value_parser = quantity::byte_len, help_heading = RUNNING)]
    pub memory: u64,

    #[command(flatten)]
    pub io: Io,

    #[command(flatten)]
    pub waiting: Waiting,

    #[command(flatten)]
    pub running: Running,
}

/// Make the rows of an older version those of the next one
///
/// The next version has the rows, columns and sources of version N, and shares its bytes; `transect log` says so. Dates
/// on which nothing differs stay as they are, and `transect transpose` writes only the others. Files that were read
/// since count as they were read: a restored row stands until its file changes, or `transect update --reread` reads all
/// again.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect log panel.store                              # the versions, and which are kept
  transect restore panel.store --version 41 --dry-run
  transect restore panel.store --version 41")]
pub struct RestoreArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// The version whose rows come back; `transect log` lists them
    #[arg(long, value_name = "N", value_parser = any::<u64>())]
    pub version: u64,

    #[command(flatten)]
    pub allowed: Allowed,

    #[command(flatten)]
    pub limits: Limits,

    #[command(flatten)]
    pub io: Io,

    #[command(flatten)]
    pub waiting: Waiting,

    #[command(flatten)]
    pub running: Running,
}
