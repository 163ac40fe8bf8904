//! What can be typed about the sources of a store.

use std::path::PathBuf;

use crate::Limit;
use crate::quantity;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::super::groups::{Allowed, FILES, Io, Keeping, Limits, RUNNING, Running, STOPS, Waiting};
use super::super::words::{Assigned, one_of};
use super::reading::Reading;
use crate::Join;

/// The sources of a store: other folders whose columns join its rows
#[derive(Debug, Args)]
pub struct SourceArgs {
    #[command(subcommand)]
    pub what: SourceCommand,
}

#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    Add(Box<AddArgs>),
    List(ListArgs),
    Set(Box<SetArgs>),
    Rename(RenameArgs),
    Drop(DropArgs),
}

/// Add the columns of other folders to a store
///
/// Each DIR has one Parquet file per stock and becomes a source of the store, with columns of its own; all of them
/// become part of one version. Rows join those of the store on date, code and key columns. A row that a source lacks
/// has nulls in its columns, and one that only the new source has becomes a row of the store, unless --join left leaves
/// it out. No other source's values are written again. `transect update` brings all sources up to date.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect source add panel.store factors/value
  transect source add panel.store factors/* --prefix '{source}_'
  transect source add panel.store flows --join left --rename amount=flow")]
pub struct AddArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// The directories, one for each source
    #[arg(value_name = "DIR", required = true)]
    pub directories: Vec<PathBuf>,

    /// Name of the one source [default: that of its directory]
    #[arg(long = "source", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    #[arg(help_heading = FILES)]
    pub name: Option<String>,

    /// What the names of the columns begin with; {source} stands for the source's name
    ///
    /// A column that --rename gives another name has that one as it is.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub prefix: String,

    /// What becomes of rows that the store lacks
    ///
    /// outer makes them rows of the store; left counts them and leaves them out, in every update, until another source
    /// that joins outer has their key. The store remembers it.
    #[arg(long, value_name = "HOW", default_value_t, value_parser = one_of::<Join>(&["outer", "left"]))]
    pub join: Join,

    #[command(flatten)]
    pub reading: Reading,

    /// How many skipped files of each source are usual: a number, or a share of all files
    ///
    /// The store remembers it for its updates.
    #[arg(long, value_name = "N|P%", help_heading = STOPS)]
    pub max_skipped: Option<Limit>,

    #[command(flatten)]
    pub allowed: Allowed,

    /// Publish nothing; say what would change
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub keeping: Keeping,

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

/// List the sources of a store
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    #[command(flatten)]
    pub io: Io,

    /// Print the list as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Change how sources are found and read, and bring them up to date
///
/// Each NAME.OPTION=VALUE changes an option of a source from now on; NAME.OPTION+=VALUE,... and NAME.OPTION-=VALUE,...
/// add to a list and take from it, and without a value an option is as it is by default. Files that were skipped are
/// tried again, and all files of the source are read again where it matters. A column that is left out goes from the
/// store, and one that is renamed keeps its values; older versions stay as they are.
///
/// The options are path (of the directory), pattern, code-template, code-map, ignore, date-column, date-format, epoch,
/// zone, naive-zone, drop-time (true or false), roll, calendar, duplicates, bad-dates, columns, exclude, null, cast (COL:TYPE),
/// rename (OLD:NEW), prefix, max-skipped and join (outer or left); see `transect build --help` and `transect source add
/// --help` for what they mean. A comma in a value of a list is written `\,`. All but path and prefix name columns as the
/// files have them. A source of rows that came without files takes columns, exclude, rename and prefix, by the names of
/// the store, too, as well as join and path.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect source set panel.store value.path=factors2/value
  transect source set panel.store prices.exclude+=memo prices.rename+=volume:vol
  transect source set panel.store prices.max-skipped=3 --dry-run")]
pub struct SetArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// What is changed, such as value.path=DIR or prices.exclude+=memo
    #[arg(value_name = "NAME.OPTION=VALUE", required = true)]
    pub assignments: Vec<Assigned>,

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

/// Give a source another name
#[derive(Debug, Args)]
pub struct RenameArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// The source
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Its name from now on
    #[arg(value_name = "OTHER", value_parser = NonEmptyStringValueParser::new())]
    pub other: String,

    #[command(flatten)]
    pub changing: Changing,
}

/// Take a source out of a store
///
/// Its columns go, and rows that no other source has. Older versions keep them. The last source that is left stays.
#[derive(Debug, Args)]
pub struct DropArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// The source
    #[arg(value_name = "NAME")]
    pub name: String,

    #[command(flatten)]
    pub changing: Changing,
}

/// How a source is changed.
#[derive(Debug, Args)]
pub struct Changing {
    /// Publish nothing; say what would change
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub io: Io,

    #[command(flatten)]
    pub waiting: Waiting,

    #[command(flatten)]
    pub running: Running,
}
