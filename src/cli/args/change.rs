//! What can be typed to make a store and to change it.

use std::path::PathBuf;

use crate::Limit;
use crate::quantity;
use crate::source::{BadDates, Cast, CodeTemplate, Duplicates, Epoch, Ignore, Pattern};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::super::groups::{Allowed, Limits, RUNNING, Running, Waiting};
use super::super::words::{Names, at_least_one, one_of};

/// Heading of options that decide how a store reads its files.
const READING: &str = "Reading the files, from now on";

/// Read per-stock Parquet files into a store
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
  transect build prices panel.store --date-column trade_date,cal_date --cast volume=float64
  transect build bars panel.store --key ToD                                 # a date and a time in text
  transect build klines panel.store --date-column open_time --key open_time --epoch ms")]
pub struct BuildArgs {
    /// The directory with one Parquet file per stock
    #[arg(value_name = "SRC")]
    pub source: PathBuf,

    /// The store to make, a directory
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// Where a stock's files lie below SRC, with {code} in it
    ///
    /// The stock's code is what {code} stands for. Any relative path will do, such as 'code={code}/data.parquet', and
    /// further names in braces stand for what else varies: '{exchange}/{code}.parquet', '{code}/{year}.parquet'; {*} stands
    /// for anything. Several files of a code are one stock's and are read together: when one has changed, all are, and
    /// when one is gone or cannot be used, the stock stays as it was. A row that two of them have is a duplicate (see
    /// --duplicates). The value of a key=value directory is percent-decoded: symbol=BTC%2FUSDT is BTC/USDT.
    #[arg(long, value_name = "PATTERN", default_value_t)]
    pub pattern: Pattern,

    /// How the code is made of the names in the pattern, such as '{code}.{exchange}'
    ///
    /// For stocks of one name in two folders, which are refused without this unless only a time tells them apart.
    /// '{code}' takes them for files of one stock.
    #[arg(long, value_name = "TEMPLATE")]
    pub code_template: Option<CodeTemplate>,

    /// Leave out files that the pattern finds; may be repeated
    ///
    /// A glob of names such as '_*' or 'index.parquet', or with a slash of paths below SRC. The store remembers it.
    #[arg(long, value_name = "GLOB")]
    pub ignore: Vec<Ignore>,

    /// Name of the output's column for the code
    ///
    /// A file that has this column must agree with its name, else it is skipped. Without this, the code is the files' own
    /// column where one of text has it in every row of every file, else ts_code.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub code_column: Option<String>,

    /// The date column, or alternatives for it
    ///
    /// The first one present in a file is its date column; the first of the list names the output's column. Without
    /// this, the date is trade_date, date or datetime in any case, or a pandas index of dates.
    #[arg(long, value_name = "A,B,...")]
    pub date_column: Vec<Names>,

    /// Name of the output's date column
    ///
    /// By default that of the files. A date column that --key names stays as it is, and the date gets a column of its
    /// own: date, or trade_date where the files have a date.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub date_name: Option<String>,

    /// How dates in text are spelt, if not in a usual way
    ///
    /// A strftime format such as '%d-%b-%Y', with a time of day and an offset (%z) if need be; names of weekdays (%A)
    /// may be of any language. Text as 20240102, 2024-01-02 or 2024/01/02, with or without a time and an offset,
    /// integers as 20240102 or 20240102093000, dates and timestamps are read without it. The output spells dates as most
    /// files do, as date32 where two ways are as usual or the files say more than a date; --cast COL=TYPE decides on
    /// another type, and text is then spelt as in the files that have text, else 2024-01-02.
    #[arg(long, value_name = "FORMAT")]
    pub date_format: Option<String>,

    /// What numbers in the date column count since 1970, in UTC
    #[arg(long, value_name = "UNIT", value_parser = one_of::<Epoch>(&["s", "ms", "us", "ns", "days"]))]
    pub epoch: Option<Epoch>,

    /// On whose clocks an instant is a date, such as Asia/Shanghai or +08:00
    ///
    /// For stamps with a zone, text with an offset, and counts since 1970. By default they are read on their own clocks,
    /// counts on those of UTC. Stamps that name no zone are what clocks showed, and stay as they are (see --naive-zone).
    #[arg(long, value_name = "ZONE", value_parser = NonEmptyStringValueParser::new())]
    pub zone: Option<String>,

    /// The zone of stamps that name none, so that --zone shifts them, too
    #[arg(long, value_name = "ZONE", value_parser = NonEmptyStringValueParser::new())]
    pub naive_zone: Option<String>,

    /// Leave out the time of day in the date column
    ///
    /// For daily bars stamped at their open. A time of day refuses its file otherwise, unless --key names the column. Two
    /// rows of one date are duplicates then, whatever their times.
    #[arg(long)]
    pub drop_time: bool,

    /// Further columns of a row's key, beside code and date
    ///
    /// For panels that have several rows a date and stock: bars by their time, reports by their period. Integers,
    /// decimals, dates, times and text; the first column counts most. Such columns stay where they are in outputs, and
    /// rows of one stock and date are ordered by them. A date column with a time of day may be one of them (see
    /// --date-name).
    #[arg(long, value_name = "COL,...")]
    pub key: Vec<Names>,

    /// What to do where a stock has two differing rows of one key
    ///
    /// error skips the file; first and last keep that row in file order, of several files in the order of their paths.
    /// Identical rows are always merged and counted.
    #[arg(long, value_name = "WHAT", default_value_t, value_parser = one_of::<Duplicates>(&["error", "first", "last"]))]
    pub duplicates: Duplicates,

    /// What to do with a row whose date is null or unreadable
    ///
    /// error skips the file; drop leaves the row out and counts it.
    #[arg(long, value_name = "WHAT", default_value_t, value_parser = one_of::<BadDates>(&["error", "drop"]))]
    pub bad_dates: BadDates,

    /// Keep only these columns, besides code and date
    #[arg(long, value_name = "COL,COL")]
    pub columns: Option<Vec<Names>>,

    /// Leave these columns out
    ///
    /// A comma in a column's name is written \, here and wherever columns are named.
    #[arg(long, value_name = "COL,COL")]
    pub exclude: Vec<Names>,

    /// Decide on a column's type by hand; may be repeated
    ///
    /// For columns whose types differ between files in a way that loses nothing only by your word: --cast
    /// volume=float64, --cast 'price=decimal128(20,4)', --cast 'time=timestamp[ns]'. Values are rounded to what TYPE
    /// holds: digits of a float or after a decimal's point, and what is finer than the unit of a time is cut. A value
    /// that TYPE does not hold refuses its file: one beyond its range, a fraction as an integer, a time of day as a date,
    /// a clock time that a zone skips or shows twice. Without a zone, times are those of UTC; integers as dates and times
    /// count days or units since 1970.
    #[allow(rustdoc::broken_intra_doc_links, reason = "the help shows a type's brackets as they are typed")]
    #[arg(long, value_name = "COL=TYPE")]
    pub cast: Vec<Cast>,

    /// Build nothing if any input would be skipped
    #[arg(long)]
    pub strict: bool,

    /// How many skipped files are usual: a number, or a share of all files
    ///
    /// Up to so many, the exit code is 0, so that what follows in a script goes on, and skipped-files stops nothing. The
    /// files are named all the same. The store remembers it for its updates.
    #[arg(long, value_name = "N|P%")]
    pub max_skipped: Option<Limit>,

    #[command(flatten)]
    pub allowed: Allowed,

    /// How many versions the store keeps when it is updated, the live one among them
    ///
    /// By default 7, or as many as the store that is replaced.
    #[arg(long, value_name = "N", value_parser = at_least_one::<u32>())]
    pub keep: Option<u32>,

    /// Anonymous memory to use at most, such as 512MiB or 2GB, and 64MiB at least
    ///
    /// Whatever the panel's size; there is one worker for each 16 MiB at most. Mapped files come on top in a process's
    /// resident size, but those pages are the kernel's to take back; RssAnon in /proc/PID/status is the figure that
    /// this bounds.
    #[arg(long, value_name = "BYTES", default_value = "512MiB", value_parser = quantity::byte_len, help_heading = RUNNING)]
    pub memory: u64,

    #[command(flatten)]
    pub waiting: Waiting,

    #[command(flatten)]
    pub running: Running,

    /// Replace a store that exists, and erase all its versions
    ///
    /// Not for every night: `transect update` keeps the versions, and reads only what changed. Whoever has the store open
    /// keeps reading the version they opened. A directory that is no store is refused all the same.
    #[arg(long, help_heading = RUNNING)]
    pub force: bool,
}

/// Bring a store up to date with the files it was built from
///
/// Files with the size and time that the store remembers are not read. The others are compared with the store, row by
/// row and bit by bit, and what differs becomes a new version: rows added, restated, and removed (a row that a changed
/// file no longer has; one that `transect append` brought stays until its stock's file changes and has it). Older
/// versions stay as they are, as many as the store keeps. Nothing is published if nothing differs, the files that are
/// skipped included (a file that was only touched is hashed again each time until something does), and an update that
/// fails or is interrupted changes nothing.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect update panel.store                                # every night
  transect update panel.store --max-restated 5%              # unless far too much would change
  transect update panel.store --refuse-restatement           # history must not move
  transect update panel.store features2 --check-content      # from a copy")]
pub struct UpdateArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// The directory with one Parquet file per stock [default: the one of last time]
    #[arg(value_name = "SRC")]
    pub source: Option<PathBuf>,

    /// Read every file and compare its bytes with a hash, whatever its time says
    #[arg(long)]
    pub check_content: bool,

    /// Remove the rows of files that have disappeared
    ///
    /// Without this they stay, and the files are named.
    #[arg(long)]
    pub prune: bool,

    /// How many skipped files are usual: a number, or a share of all files
    ///
    /// Up to so many, the exit code is 0, so that what follows in a script goes on, and skipped-files stops nothing. The
    /// files are named all the same. The store remembers it from now on.
    #[arg(long, value_name = "N|P%")]
    pub max_skipped: Option<Limit>,

    /// Leave out files that the pattern finds, from now on; may be repeated
    ///
    /// A glob of names such as '_*' or 'index.parquet', or with a slash of paths below SRC. Rows that the store has of such
    /// files stay, unless --prune removes them.
    #[arg(long, value_name = "GLOB", help_heading = READING)]
    pub ignore: Vec<Ignore>,

    /// The date column from now on, or alternatives for it
    ///
    /// The first one present in a file is its date column; the output's column keeps its name. As with all options under
    /// this heading, the store remembers it, and every file is read again with it.
    #[arg(long, value_name = "A,B,...", help_heading = READING)]
    pub date_column: Vec<Names>,

    /// How dates in text are spelt from now on, if not in a usual way
    #[arg(long, value_name = "FORMAT", help_heading = READING)]
    pub date_format: Option<String>,

    /// What numbers in the date column count since 1970
    #[arg(long, value_name = "UNIT", value_parser = one_of::<Epoch>(&["s", "ms", "us", "ns", "days"]), help_heading = READING)]
    pub epoch: Option<Epoch>,

    /// On whose clocks an instant is a date from now on
    #[arg(long, value_name = "ZONE", value_parser = NonEmptyStringValueParser::new(), help_heading = READING)]
    pub zone: Option<String>,

    /// The zone of stamps that name none, from now on
    #[arg(long, value_name = "ZONE", value_parser = NonEmptyStringValueParser::new(), help_heading = READING)]
    pub naive_zone: Option<String>,

    /// Leave out the time of day in the date column from now on
    #[arg(long, help_heading = READING)]
    pub drop_time: bool,

    /// What to do from now on where a file has two differing rows of one key
    #[arg(long, value_name = "WHAT", value_parser = one_of::<Duplicates>(&["error", "first", "last"]), help_heading = READING)]
    pub duplicates: Option<Duplicates>,

    /// What to do from now on with a row whose date is null or unreadable
    #[arg(long, value_name = "WHAT", value_parser = one_of::<BadDates>(&["error", "drop"]), help_heading = READING)]
    pub bad_dates: Option<BadDates>,

    /// Leave these columns out, too, which the store does not have
    #[arg(long, value_name = "COL,COL", help_heading = READING)]
    pub exclude: Vec<Names>,

    /// Decide on a column's type from now on; may be repeated
    ///
    /// A column that the store has may only become wider. The type of the dates may be any that holds them.
    #[arg(long, value_name = "COL=TYPE", help_heading = READING)]
    pub cast: Vec<Cast>,

    #[command(flatten)]
    pub allowed: Allowed,

    #[command(flatten)]
    pub limits: Limits,

    /// Anonymous memory to use at most, such as 512MiB or 2GB
    #[arg(long, value_name = "BYTES", default_value = "512MiB", value_parser = quantity::byte_len, help_heading = RUNNING)]
    pub memory: u64,

    #[command(flatten)]
    pub waiting: Waiting,

    #[command(flatten)]
    pub running: Running,
}

/// Add rows to a store from per-date files, or restate them
///
/// Each FILE, Parquet or uncompressed Arrow, holds stocks of one date, in the shape that `transect transpose` writes: a
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
  transect append panel.store corrected/20240103.parquet --replace    # and what it lacks goes")]
pub struct AppendArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// The files, one for each date
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

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
    pub waiting: Waiting,

    #[command(flatten)]
    pub running: Running,
}
