//! What can be typed. The doc comments are the help: their first paragraph is the short one of `-h`.
//!
//! What the arguments mean is for the file of each sub-command.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use transect::sink::{Compression, Format, NamePattern};
use transect::source::{BadDates, Cast, Duplicates, Pattern};
use transect::synth::Preset;
use transect::{Date, Limit};

use super::exit::{self, Exit};
use super::groups::{Allowed, At, Limits, RUNNING, Reading, Running, Waiting};
use super::words::{StocksArg, age, at_least_one, byte_len, one_of};

/// Turns a panel of per-stock Parquet files into one file per date
///
/// Reads one Parquet file per stock once, into a memory-mapped store, and writes from the store one file per trading
/// date, as often as you like. Every value comes out as it went in, bit for bit.
#[derive(Debug, Parser)]
#[command(
    name = "transect",
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = format!("Start with `transect demo`.\n\n{}", exit::help(&Exit::ALL)),
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// Say nothing but errors and skipped inputs
    ///
    /// No progress bar, no report and no notes; `--json` still prints its report.
    #[arg(short, long, global = true, display_order = 900)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Build(BuildArgs),
    Update(UpdateArgs),
    Append(AppendArgs),
    Transpose(TransposeArgs),
    Show(ShowArgs),
    Info(InfoArgs),
    Verify(VerifyArgs),
    Log(LogArgs),
    Diff(DiffArgs),
    Gc(GcArgs),
    Synth(SynthArgs),
    Demo(DemoArgs),
    #[command(hide = true)]
    Generate(GenerateArgs),
}

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
  transect build features panel.store --json                    # every night after, `transect update panel.store`
  transect build lake panel.store --pattern 'code={code}/data.parquet'
  transect build prices panel.store --date-column trade_date,cal_date --cast volume=float64")]
pub struct BuildArgs {
    /// The directory with one Parquet file per stock
    #[arg(value_name = "SRC")]
    pub source: PathBuf,

    /// The store to make, a directory
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// Where a stock's file lies below SRC, with {code} once
    ///
    /// The stock's code is what {code} stands for. Any relative path will do, such as 'code={code}/data.parquet'. The
    /// value of a key=value directory is percent-decoded: symbol=BTC%2FUSDT is BTC/USDT.
    #[arg(long, value_name = "PATTERN", default_value_t)]
    pub pattern: Pattern,

    /// Name of the output's column for the code
    ///
    /// A file that has this column must agree with its name, else it is skipped.
    #[arg(long, value_name = "NAME", default_value = "ts_code", value_parser = NonEmptyStringValueParser::new())]
    pub code_column: String,

    /// The date column, or alternatives for it
    ///
    /// The first one present in a file is its date column; the first of the list names the output's column. Without
    /// this, the date is trade_date, date or datetime in any case, or a pandas index of dates.
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    pub date_column: Vec<String>,

    /// How dates in text are spelt, if not in a usual way
    ///
    /// A strftime format such as '%d-%b-%Y'. Text as 20240102, 2024-01-02 or 2024/01/02, integers as 20240102, dates
    /// and timestamps at midnight are read without it. The output spells dates as most files do, as date32 where two
    /// ways are as usual; --cast COL=TYPE decides on another type, and text is then spelt as in the files that have
    /// text, else 2024-01-02.
    #[arg(long, value_name = "FORMAT")]
    pub date_format: Option<String>,

    /// What to do where a file has two differing rows for one date
    ///
    /// error skips the file; first and last keep that row in file order. Identical rows are always merged and counted.
    #[arg(long, value_name = "WHAT", default_value_t, value_parser = one_of::<Duplicates>(&["error", "first", "last"]))]
    pub duplicates: Duplicates,

    /// What to do with a row whose date is null or unreadable
    ///
    /// error skips the file; drop leaves the row out and counts it.
    #[arg(long, value_name = "WHAT", default_value_t, value_parser = one_of::<BadDates>(&["error", "drop"]))]
    pub bad_dates: BadDates,

    /// Keep only these columns, besides code and date
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,

    /// Leave these columns out
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
    pub exclude: Vec<String>,

    /// Decide on a column's type by hand; may be repeated
    ///
    /// For columns whose types differ between files in a way that loses nothing only by your word: --cast
    /// volume=float64, --cast 'price=decimal128(20,4)', --cast 'time=timestamp[ns]'.
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
    #[arg(long, value_name = "BYTES", default_value = "512MiB", value_parser = byte_len, help_heading = RUNNING)]
    pub memory: u64,

    #[command(flatten)]
    pub waiting: Waiting,

    #[command(flatten)]
    pub running: Running,

    /// Replace a store that exists, and erase all its versions
    ///
    /// Not for every night: `transect update` keeps the versions, and reads only what changed.
    /// It shares nothing with them, so that keeping them would multiply its size; `transect update` keeps them. Whoever
    /// has it open keeps reading the version they opened. A directory that is no store is refused all the same.
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

    /// The date column from now on, or alternatives for it
    ///
    /// The first one present in a file is its date column; the output's column keeps its name. As with all options under
    /// this heading, the store remembers it, and every file is read again with it.
    #[arg(long, value_name = "A,B,...", value_delimiter = ',', help_heading = READING)]
    pub date_column: Vec<String>,

    /// How dates in text are spelt from now on, if not in a usual way
    #[arg(long, value_name = "FORMAT", help_heading = READING)]
    pub date_format: Option<String>,

    /// What to do from now on where a file has two differing rows for one date
    #[arg(long, value_name = "WHAT", value_parser = one_of::<Duplicates>(&["error", "first", "last"]), help_heading = READING)]
    pub duplicates: Option<Duplicates>,

    /// What to do from now on with a row whose date is null or unreadable
    #[arg(long, value_name = "WHAT", value_parser = one_of::<BadDates>(&["error", "drop"]), help_heading = READING)]
    pub bad_dates: Option<BadDates>,

    /// Leave these columns out, too, which the store does not have
    #[arg(long, value_name = "COL,COL", value_delimiter = ',', help_heading = READING)]
    pub exclude: Vec<String>,

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
    #[arg(long, value_name = "BYTES", default_value = "512MiB", value_parser = byte_len, help_heading = RUNNING)]
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
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
    pub exclude: Vec<String>,

    #[command(flatten)]
    pub allowed: Allowed,

    #[command(flatten)]
    pub limits: Limits,

    /// Anonymous memory to use at most, such as 512MiB or 2GB; a file may take a quarter of it
    #[arg(long, value_name = "BYTES", default_value = "512MiB", value_parser = byte_len, help_heading = RUNNING)]
    pub memory: u64,

    #[command(flatten)]
    pub waiting: Waiting,

    #[command(flatten)]
    pub running: Running,
}

/// Write one file per date from a store
///
/// Each file appears whole or not at all. OUT also gets a small hidden ledger, .transect.parquet mostly, which readers
/// take for an empty file. It knows which files are transect's and what they were made from. Run again, transpose writes only files
/// whose date or columns changed in the store, or that somebody changed or removed, and removes those whose dates are
/// gone. Files under other names are never touched.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect transpose panel.store by_date
  transect transpose panel.store by_date --from 20240101
  transect transpose panel.store styles --columns size,beta,momentum --no-date
  transect transpose panel.store lake --name 'trade_date={date}/data.parquet' --compression zstd:3
  transect transpose panel.store hs300 --stocks @hs300.txt
  transect transpose panel.store by_date --check-content")]
pub struct TransposeArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// The directory to write to
    #[arg(value_name = "OUT")]
    pub out: PathBuf,

    #[command(flatten)]
    pub at: At,

    /// Where a date's file lies below OUT, with {date} once
    ///
    /// By default {date}.parquet, or {date}.arrow. {date} is spelt YYYYMMDD; in a directory trade_date={date}, of the
    /// date column's own name, as the column spells it: YYYY-MM-DD unless that is digits. Files in such a directory have
    /// no date column of their own.
    #[arg(long, value_name = "PATTERN")]
    pub name: Option<NamePattern>,

    /// Write only these columns, besides code and date
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,

    /// Leave these columns out
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
    pub exclude: Vec<String>,

    /// Leave the date column out
    #[arg(long)]
    pub no_date: bool,

    /// Keep the date column in files whose path carries it as column={date}
    ///
    /// Such files do without it otherwise: most readers of the directory take it from the path, and some refuse to have
    /// it twice.
    #[arg(long, conflicts_with = "no_date")]
    pub keep_date: bool,

    /// The first date to write, as 20240102 or 2024-01-02
    #[arg(long, value_name = "DATE")]
    pub from: Option<Date>,

    /// The last date to write
    #[arg(long, value_name = "DATE")]
    pub to: Option<Date>,

    /// Write exactly these dates; the store must have each
    #[arg(long, value_name = "DATE,DATE", value_delimiter = ',', conflicts_with_all = ["from", "to"])]
    pub dates: Vec<Date>,

    /// Write only these stocks: CODE,CODE or @FILE with one code per line
    #[arg(long, value_name = "LIST|@FILE")]
    pub stocks: Option<StocksArg>,

    /// Compression of Parquet files: snappy, zstd, zstd:1 to zstd:22, lz4 or none [default: snappy]
    #[arg(long, value_name = "CODEC", hide_default_value = true)]
    pub compression: Option<Compression>,

    /// Format of the files
    ///
    /// arrow is an uncompressed Arrow IPC file, also called Feather version 2.
    #[arg(long, value_name = "FORMAT", default_value_t, value_parser = one_of::<Format>(&["parquet", "arrow"]))]
    pub format: Format,

    #[command(flatten)]
    pub waiting: Waiting,

    #[command(flatten)]
    pub running: Running,

    /// Also read the files that seem current, and write again those that are not as they were written
    ///
    /// Otherwise a file that still has the size and the time at which it was written is taken for that file.
    #[arg(long, help_heading = RUNNING)]
    pub check_content: bool,

    /// Write into a directory with other files, or with files of ours in another shape
    ///
    /// Where the ledger was lost, files that are byte for byte what transect writes are taken over. Never replaces or
    /// deletes a file that transect did not write.
    #[arg(long, help_heading = RUNNING)]
    pub force: bool,
}

/// Look into a store: one date, one stock, or both
///
/// With neither --date nor --stock, shows the latest date. A table leaves out the middle of what does not fit and
/// rounds floats; the other formats are complete and exact.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Null, NaN and the empty text stay apart:
  csv   null is an empty field, NaN is NaN, the empty text is \"\"
  json  null is null; NaN and the infinities are \"NaN\", \"Infinity\" and \"-Infinity\"

Examples:
  transect show panel.store
  transect show panel.store --date 20240102 --columns size,beta
  transect show panel.store --stock 000001.SZ --format json | head
  transect show panel.store --date 20240102 --format parquet > 20240102.parquet")]
pub struct ShowArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    #[command(flatten)]
    pub at: At,

    /// The date to show, as 20240102 or 2024-01-02
    #[arg(long, value_name = "DATE")]
    pub date: Option<Date>,

    /// The stock to show, by its code
    #[arg(long, value_name = "CODE", allow_hyphen_values = true)]
    pub stock: Option<String>,

    /// Show only these columns, in this order, after code and date
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,

    /// How to print [default: table on a terminal, csv in a pipe]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<RowFormat>,
}

/// How `show` and `diff --rows` print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// A table of at most 40 rows
    Table,
    /// Comma-separated values with a header
    Csv,
    /// One JSON object per line
    Json,
    /// A Parquet file
    Parquet,
    /// An Arrow IPC file
    Arrow,
}

/// Say what a store holds
///
/// Rows, stocks, dates, columns with logical and stored type and share of nulls, bytes, how it was built, and which
/// inputs were skipped and why.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    #[command(flatten)]
    pub at: At,

    /// Print it as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Check every checksum of a store, and compare it with its input and output
///
/// Reads every byte of one version, the live one unless --version or --as-of name another. Anything that is not as it
/// was written is named, and the exit code is 6.
///
/// With --source, each file is read as an update would read it, and each row and value that differs is named. Rows that
/// the store keeps although SRC does not have them (their file is gone or cannot be read, or append brought them) are
/// named as that; where nothing differs the exit code is then 3.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect verify panel.store
  transect verify panel.store --all-versions
  transect verify panel.store --source features --output by_date")]
pub struct VerifyArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    #[command(flatten)]
    pub at: At,

    /// Check every version that the store keeps
    ///
    /// What they share is read once.
    #[arg(long, conflicts_with_all = ["version", "as_of"])]
    pub all_versions: bool,

    /// Also compare every row with the files in SRC
    #[arg(long, value_name = "SRC")]
    pub source: Option<PathBuf>,

    /// Also compare every file that transpose wrote to OUT
    #[arg(long, value_name = "OUT")]
    pub output: Option<PathBuf>,

    /// Anonymous memory to use at most for comparing with SRC, such as 512MiB or 2GB
    #[arg(long, value_name = "BYTES", default_value = "512MiB", value_parser = byte_len, help_heading = RUNNING)]
    pub memory: u64,

    #[command(flatten)]
    pub running: Running,
}

/// List a store's versions: when each was made, and what it changed
///
/// The newest is the last. Rows added, restated (the same key, other values) and removed, and dirty dates, are against
/// the version before; a build starts afresh. A version that is live or kept can be read with --version or --as-of, one
/// that is gone was collected. In a pipe numbers are plain and times in UTC.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    #[command(flatten)]
    pub reading: Reading,

    /// Print it as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Say what changed between two versions of a store
///
/// Rows added (only B has their date and stock), restated (both have them, with other values) and removed, by date, and
/// restated values by column. Values are compared bit by bit: null, NaN and -0.0 are values of their own. A column that
/// one version lacks is null there.
#[derive(Debug, Args)]
#[command(after_long_help = "\
With --rows, each restated value is a row with its date, stock, column, old and new value, and each row that was added or
removed is one without a column. The values are text in every format, because each column has a type of its own.

Examples:
  transect diff panel.store
  transect diff panel.store 3 7 --json
  transect diff panel.store --rows --format parquet > changes.parquet")]
pub struct DiffArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// The version to compare with [default: the newest kept one before B]
    #[arg(value_name = "A")]
    pub older: Option<u64>,

    /// The version to look at [default: the live one]
    #[arg(value_name = "B")]
    pub newer: Option<u64>,

    /// List every change
    #[arg(long, conflicts_with = "json")]
    pub rows: bool,

    /// How to print the list [default: table on a terminal, csv in a pipe]
    #[arg(long, value_name = "FORMAT", requires = "rows")]
    pub format: Option<RowFormat>,

    #[command(flatten)]
    pub reading: Reading,

    #[command(flatten)]
    pub running: Running,
}

/// Remove old versions of a store, and what only they use
///
/// Without options, keeps as many versions as the store says (see `transect build --keep`). The live version stays, and
/// so does one that a reader has open. A version that is removed cannot be read again; what it shares with others
/// stays.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect gc panel.store --dry-run
  transect gc panel.store --keep 1
  transect gc panel.store --older-than 30d --keep 3             # at least the newest 3 stay")]
pub struct GcArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// Keep the newest N versions, the live one among them
    #[arg(long, value_name = "N", value_parser = at_least_one::<u32>())]
    pub keep: Option<u32>,

    /// Remove only versions that were replaced longer ago than this, such as 30d, 2w or 12h
    ///
    /// The store can still be read --as-of any instant since. Without --keep, however many versions stay.
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older_than: Option<Duration>,

    /// Which version is live, where CURRENT names another than the one that went live last
    ///
    /// A CURRENT that was restored from a copy hides the versions that went live since. Nothing is written to such a store
    /// before this chooses: the newer version, and nothing is lost; or CURRENT's, and what came later is given up.
    #[arg(long, value_name = "N")]
    pub live: Option<u64>,

    /// Remove nothing; say what would be removed
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub waiting: Waiting,

    /// Print the report as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Make up a panel to try and to measure with
///
/// Writes one Parquet file per stock, the same for the same seed on any machine.
#[derive(Debug, Args)]
pub struct SynthArgs {
    /// The directory to make; it must not exist, or be empty
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// How many stocks
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = at_least_one::<usize>())]
    pub stocks: usize,

    /// How many trading dates
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = at_least_one::<usize>())]
    pub dates: usize,

    /// Where the random numbers begin
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// Which columns: barra has 10 style factors and 30 industry dummies, ohlcv daily prices
    #[arg(long, value_name = "NAME", default_value_t, value_parser = one_of::<Preset>(&["barra", "ohlcv"]))]
    pub preset: Preset,

    #[command(flatten)]
    pub running: Running,
}

/// Try it all on a made-up panel
///
/// Makes up 300 stocks by 500 dates, builds, transposes, verifies, says how long each step took and what to try next.
/// What it made stays there to be looked at.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The directory to make [default: a new one among the system's temporary files]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// Print the report as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Write shell completions or man pages
#[derive(Debug, Args)]
pub struct GenerateArgs {
    #[command(subcommand)]
    pub what: Generate,
}

#[derive(Debug, Subcommand)]
pub enum Generate {
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages, one per command, to a directory
    Man {
        /// The directory, made if it is missing
        dir: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }
}
