//! What can be typed to write a store's files, to look into it and to check it.

use std::path::PathBuf;

use crate::Date;
use crate::quantity;
use crate::sink::{Compression, Format, NamePattern, Partition};
use clap::{Args, ValueEnum, ValueHint};

use super::super::groups::{At, COLUMNS, FILES, Io, RUNNING, Running, Waiting};
use super::super::words::{Listed, Names, any, at_least_one, one_of};

/// Write one file per date from a store, or per month, year or stock
///
/// Each file appears whole or not at all. OUT also gets a small hidden ledger, .transect.parquet mostly, which readers
/// take for an empty file. It knows which files are transect's and what they were made from. Run again, transpose
/// writes only files whose date or columns changed in the store, or that somebody changed or removed, and removes those
/// whose dates are gone. Files under other names are never touched.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect transpose panel.store by_date
  transect transpose panel.store by_date --from 20240101
  transect transpose panel.store by_stock --by stock
  transect transpose panel.store months --by month
  transect transpose panel.store wide --matrix close,volume
  transect transpose panel.store csv --format csv --columns close,volume --last 20
  transect transpose panel.store styles --columns size,beta,momentum --no-date
  transect transpose panel.store lake --name 'trade_date={date}/data.parquet'
  transect transpose panel.store hs300 --stocks @hs300.txt
  transect transpose panel.store by_date --check-content")]
pub struct TransposeArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// The directory to write to
    #[arg(value_name = "OUT")]
    pub out: PathBuf,

    /// What each file is of: date, month, year, all or stock
    ///
    /// month, year and all put the rows of several dates into one file, by date and code; stock those of one stock, by
    /// date. Such files always have the date column, and --from, --to, --dates and --last say which rows they have.
    #[arg(long, value_name = "WHAT", default_value_t, hide_default_value = true)]
    #[arg(value_parser = one_of::<Partition>(&["date", "month", "year", "all", "stock"]), help_heading = FILES)]
    pub by: Partition,

    /// Write these columns as matrices: a file each, with a row a date and a column a stock
    ///
    /// close.parquet has the date column, then a column for each stock, in the type of close; null is where there is no
    /// row, or a null. Where a stock has several rows a date, --at says which one.
    #[arg(long, value_name = "COL,COL", conflicts_with_all = ["by", "columns", "exclude", "no_date", "keep_date"])]
    #[arg(help_heading = FILES)]
    pub matrix: Option<Vec<Names>>,

    /// Of which value of the panel's further key columns the matrices are, as 14:55:00
    ///
    /// A panel of several rows a stock and date needs one for each of its key columns: where there are several,
    /// COL=VALUE, once for each. Values are written as `transect show` prints them.
    #[arg(long = "at", value_name = "[COL=]VALUE", requires = "matrix", help_heading = FILES)]
    pub key_values: Vec<String>,

    /// Where each file lies below OUT, with words in braces [default: {date}.parquet or what else tells files apart]
    ///
    /// {date} is 20240102, 202401 or 2024; {year}, {month} and {day} are its parts, and {date:%Y-%m-%d} spells it
    /// otherwise: 'year={year}/month={month}/{date}.parquet'. In a directory trade_date={date}, of the date column's
    /// own name, it is spelt as the column is: YYYY-MM-DD unless that is digits. Files in such a directory have no date
    /// column of their own. By stock {code} is the code; what the name of a file cannot hold of it is percent-encoded,
    /// as BTC%2FUSDT, in a directory also an equals sign, as GC%3DF, and in ts_code={code} all that Hive and Spark
    /// encode. Where a directory has the code column's own name, files have no such column, and codes that readers
    /// would take for numbers are refused: with 'code={code}' beside a column ts_code they stay texts. {column} is the
    /// column of a matrix.
    #[arg(long, value_name = "PATTERN", help_heading = FILES)]
    pub name: Option<NamePattern>,

    /// Write only these columns, besides code and date
    #[arg(long, value_name = "COL,COL", help_heading = COLUMNS)]
    pub columns: Option<Vec<Names>>,

    /// Leave these columns out
    #[arg(long, value_name = "COL,COL", help_heading = COLUMNS)]
    pub exclude: Vec<Names>,

    /// Leave the date column out
    #[arg(long, help_heading = COLUMNS, hide_short_help = true)]
    pub no_date: bool,

    /// Keep the date column in files whose path carries it as column={date}
    ///
    /// Such files do without it otherwise: most readers of the directory take it from the path, and some refuse to have
    /// it twice.
    #[arg(long, conflicts_with = "no_date", help_heading = COLUMNS, hide_short_help = true)]
    pub keep_date: bool,

    /// The first date to write, as 20240102 or 2024-01-02
    #[arg(long, value_name = "DATE", help_heading = COLUMNS)]
    pub from: Option<Date>,

    /// The last date to write
    #[arg(long, value_name = "DATE", help_heading = COLUMNS)]
    pub to: Option<Date>,

    /// Write exactly these dates: DATE,DATE or @FILE with one per line
    ///
    /// The store must have each, unless --ignore-unknown is given. In a file, blank lines and what follows a # do not
    /// count.
    #[arg(long, value_name = "LIST|@FILE", conflicts_with_all = ["from", "to"])]
    #[arg(help_heading = COLUMNS, hide_short_help = true)]
    pub dates: Option<Listed<Date>>,

    /// Of the dates, write only the last N
    #[arg(long, value_name = "N", value_parser = at_least_one::<usize>(), help_heading = COLUMNS)]
    pub last: Option<usize>,

    /// Write only these stocks: CODE,CODE or @FILE with one code per line
    ///
    /// The store must have each, unless --ignore-unknown is given. In a file, blank lines and what follows a # do not
    /// count. All files of a directory have the same stocks: another list takes --force. A list that changes with time is
    /// a --universe, which is followed.
    #[arg(long, value_name = "LIST|@FILE", help_heading = COLUMNS)]
    pub stocks: Option<Listed<String>>,

    /// Write only the rows of a universe: a file of dates and codes, or a column that is true
    ///
    /// Membership is by date: a row belongs if the file has its date and code, or if the column is true in it, or another
    /// number than 0; null and NaN are neither. COLUMN alone is one of STORE's.
    #[arg(long, value_name = "FILE|STORE.COLUMN", value_hint = ValueHint::FilePath, help_heading = COLUMNS)]
    pub universe: Option<String>,

    /// Pass over dates and stocks that the store lacks
    #[arg(long, help_heading = COLUMNS, hide_short_help = true)]
    pub ignore_unknown: bool,

    /// Compression of Parquet files: snappy, zstd, zstd:1 to zstd:22, lz4 or none [default: snappy]
    #[arg(long, value_name = "CODEC", hide_default_value = true, help_heading = FILES)]
    pub compression: Option<Compression>,

    /// Format of the files
    ///
    /// arrow is an uncompressed Arrow IPC file, also called Feather version 2. csv has a header and is UTF-8; numbers are
    /// read back as they were, dates are spelt as in the store, and a null is an empty field, as an empty text is.
    #[arg(long, value_name = "FORMAT", default_value_t, value_parser = one_of::<Format>(&["parquet", "arrow", "csv"]))]
    #[arg(help_heading = FILES)]
    pub format: Format,

    #[command(flatten)]
    pub at: At,

    /// Anonymous memory to use at most for putting rows together and for a universe, such as 512MiB or 2GB
    #[arg(long, value_name = "BYTES", default_value = "512MiB", value_parser = quantity::byte_len, help_heading = RUNNING)]
    #[arg(hide_short_help = true)]
    pub memory: u64,

    #[command(flatten)]
    pub waiting: Waiting,

    #[command(flatten)]
    pub running: Running,

    /// Also read the files that seem current, and write again those that are not as they were written
    ///
    /// Otherwise a file that still has the size and the time at which it was written is taken for that file.
    #[arg(long, help_heading = RUNNING, hide_short_help = true)]
    pub check_content: bool,

    /// Write into a directory with other files, or with files of ours in another shape
    ///
    /// Where the ledger was lost, files that are byte for byte what transect writes are taken over. Never replaces or
    /// deletes a file that transect did not write.
    #[arg(long, help_heading = RUNNING)]
    pub force: bool,
}

/// Look into a store: dates, stocks, or both
///
/// Without any of them, shows the latest date. A table leaves out the middle of what does not fit and
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
  transect show panel.store --stock 000001.SZ,600519.SH --last 5
  transect show panel.store --date 20240102 --format parquet > day.parquet")]
pub struct ShowArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    #[command(flatten)]
    pub at: At,

    /// The date to show, as 20240102 or 2024-01-02
    #[arg(long, value_name = "DATE", conflicts_with_all = ["from", "to", "last"])]
    pub date: Option<Date>,

    /// The stocks to show: CODE,CODE or @FILE with one code per line
    #[arg(long, value_name = "LIST|@FILE", allow_hyphen_values = true, alias = "stocks")]
    pub stock: Option<Listed<String>>,

    /// The first date to show
    #[arg(long, value_name = "DATE")]
    pub from: Option<Date>,

    /// The last date to show
    #[arg(long, value_name = "DATE")]
    pub to: Option<Date>,

    /// Of the dates, show only the last N; of stocks, of those on which one has a row
    #[arg(long, value_name = "N", value_parser = at_least_one::<usize>())]
    pub last: Option<usize>,

    /// Pass over stocks that the store lacks
    #[arg(long)]
    pub ignore_unknown: bool,

    /// Show only these columns, in this order, after code and date
    #[arg(long, value_name = "COL,COL")]
    pub columns: Option<Vec<Names>>,

    /// How to print [default: table on a terminal, csv in a pipe]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<RowFormat>,
}

/// How `show` and `diff --by` print.
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
/// named as that; where nothing differs the exit code is then 3. So it is where files were skipped all along, more than
/// build or update was told are usual (--max-skipped).
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

    /// Also compare every row with the files in SRC, a directory, or the name of a source
    #[arg(long, value_name = "SRC|NAME")]
    pub source: Option<PathBuf>,

    /// Also compare every file that transpose wrote to OUT
    #[arg(long, value_name = "OUT")]
    pub output: Option<PathBuf>,

    /// Anonymous memory to use at most for comparing with SRC and OUT, such as 512MiB or 2GB
    #[arg(long, value_name = "BYTES", default_value = "512MiB", value_parser = quantity::byte_len, help_heading = RUNNING)]
    pub memory: u64,

    #[command(flatten)]
    pub running: Running,
}

/// Show what a store has and lacks: stocks over time, holes, nulls, distributions, versions
///
/// Reads the whole version once. A stock is absent on a date between its first and its last one on which it has no row:
/// these are its holes. It is stale when it has no row on the last date and had one on one of the 20 dates before; when
/// its last row is older, it has left. A date is unusual when its share of absent stocks is larger, by a twentieth at
/// least, than the median of the 21 dates around it, and by more stocks than chance explains: three where usually none
/// is absent, ten where usually ten are.
///
/// A column jumps on a date when the median of its absolute values is ten times that of the date before or a tenth, or
/// when the share of zeros, or of rows without a number, differs by more than half: so looks a broken feed. Dates with
/// fewer than 20 stocks are compared with each other, and must move three times as far as the column usually does; those
/// with fewer than 5 are not judged. Quantiles are within 0.8 %.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect coverage panel.store
  transect coverage panel.store --json | jq '.stocks[] | select(.state == \"stale\") | .stock'
  transect coverage panel.store --as-of 2024-01-05")]
pub struct CoverageArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    #[command(flatten)]
    pub at: At,

    /// Anonymous memory to use at most, such as 512MiB or 2GB
    #[arg(long, value_name = "BYTES", default_value = "512MiB", value_parser = quantity::byte_len, help_heading = RUNNING)]
    pub memory: u64,

    #[command(flatten)]
    pub running: Running,
}

/// Write what `coverage` shows as one page for a browser
///
/// Charts and tables of stocks over time, holes of each stock, nulls and NaNs of each column, numbers by year, versions
/// and what they changed, sources and skipped files; they can be filtered by stock and column. The file has all that it
/// needs and opens without a network. It appears whole or not at all, and replaces an earlier page; any other file
/// stays, unless --force is given.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect report panel.store report.html
  transect report panel.store last_week.html --as-of 2024-01-05")]
pub struct ReportArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// The file to write, such as report.html
    #[arg(value_name = "FILE")]
    pub out: PathBuf,

    #[command(flatten)]
    pub at: At,

    /// Replace a file that transect did not write
    #[arg(long)]
    pub force: bool,

    /// Anonymous memory to use at most, such as 512MiB or 2GB
    #[arg(long, value_name = "BYTES", default_value = "512MiB", value_parser = quantity::byte_len, help_heading = RUNNING)]
    pub memory: u64,

    #[command(flatten)]
    pub running: Running,
}

/// List a store's versions: when each was made, and what it changed
///
/// The newest is the last. Rows added, restated (the same key, other values) and removed, and dirty dates, are against
/// the version before; a build starts afresh. A version that is live or kept can be read with --version or --as-of, one
/// that is gone was collected. In a pipe numbers are plain and times in UTC.
///
/// With --version N, what that version changed, by stock, column and date, as it was noted when it was made; so of the
/// newest 1,000 versions, also of those that are gone.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// Say what this version changed
    #[arg(long, value_name = "N", value_parser = any::<u64>())]
    pub version: Option<u64>,

    #[command(flatten)]
    pub io: Io,

    /// Print it as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Say what changed between two versions of a store
///
/// Rows added (only B has their date and stock), restated (both have them, with other values), filled (with nothing but
/// first values: of new columns, or of a source that had no such row) and removed: first the
/// numbers that moved furthest and the stocks, columns and dates with most changes, while --by lists all of one kind.
/// Values are compared bit by bit: null, NaN and -0.0 are values of their own. Values that are gone with their column
/// restate no row, and --by row lists them as lost; a source's columns are null in a row that it has no longer, which is
/// restated.
///
/// Of two numbers, that moved further whose difference is the larger share of the smaller of its two values, so that a
/// hundredth is as far as a hundredfold; to or from zero counts as 100 %.
#[derive(Debug, Args)]
#[command(after_long_help = "\
With --by row, each restated value is a row with its date, stock, column, old and new value, and
each row that was added or removed is one without a column. The values are text in every format,
because each column has a type of its own.

Examples:
  transect diff panel.store
  transect diff panel.store 3 7 --json
  transect diff panel.store --by stock --column close,volume
  transect diff panel.store --by row --stock 600519.SH --from 2024-01-01
  transect diff panel.store --by row --format parquet > changes.parquet")]
pub struct DiffArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// The version to compare with [default: the newest kept one before B]
    #[arg(value_name = "A", value_parser = any::<u64>())]
    pub older: Option<u64>,

    /// The version to look at [default: the live one]
    #[arg(value_name = "B", value_parser = any::<u64>())]
    pub newer: Option<u64>,

    /// List every date, stock, column or row of which anything changed
    #[arg(long, value_name = "WHAT", conflicts_with = "json")]
    pub by: Option<DiffBy>,

    /// How to print the list [default: table on a terminal, csv in a pipe]
    #[arg(long, value_name = "FORMAT", requires = "by")]
    pub format: Option<RowFormat>,

    /// Only these stocks
    #[arg(long = "stock", value_name = "CODE,CODE", allow_hyphen_values = true)]
    pub stocks: Vec<Names>,

    /// Only these columns; of rows that one version lacks, all are told
    #[arg(long = "column", value_name = "COL,COL")]
    pub columns: Vec<Names>,

    /// Only from this date on, as 20240102 or 2024-01-02
    #[arg(long, value_name = "DATE")]
    pub from: Option<Date>,

    /// Only up to this date
    #[arg(long, value_name = "DATE")]
    pub to: Option<Date>,

    #[command(flatten)]
    pub io: Io,

    #[command(flatten)]
    pub running: Running,
}

/// What `diff --by` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffBy {
    /// Dates with a difference
    Date,
    /// Stocks of which rows changed
    Stock,
    /// Columns in which values changed, or whose type did
    Column,
    /// Each value that was restated, and each row that came or went
    Row,
}
