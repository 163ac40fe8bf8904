//! What can be typed. The doc comments are the help: their first paragraph is the short one of `-h`.
//!
//! What the arguments mean is for the file of each sub-command.

mod change;
mod look;
mod reading;
mod sources;
mod task;

use std::path::PathBuf;
use std::time::Duration;

use crate::quantity;
use crate::synth::Preset;
use clap::{Args, Parser, Subcommand};

use super::exit::{self, Exit};
use super::groups::{Io, Running, Waiting};
use super::words::{any, at_least_one, one_of};

pub use change::{AppendArgs, BuildArgs, MakeArgs, RestoreArgs, UpdateArgs};
pub use look::{
    CoverageArgs, DiffArgs, DiffBy, InfoArgs, LogArgs, ReportArgs, RowFormat, ShowArgs, TransposeArgs, VerifyArgs,
};
pub use reading::Reading;
pub use sources::{AddArgs, Changing, ListArgs, SetArgs, SourceArgs, SourceCommand};
pub use task::{CutArgs, FilesArgs, OutputPlanArgs, PlanArgs, Planned, RunArgs, TaskArgs, TaskCommand};

/// Turns a panel of files by stock, or by date, the other way round, through a store that is updated every night
///
/// Reads the Parquet, Arrow or csv files of all stocks once, into a memory-mapped store, and writes from the store one
/// file per trading date, as often as you like. Every value comes out as it went in, bit for bit.
#[derive(Debug, Parser)]
#[command(
    name = "transect",
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = format!("Start with `transect demo`.\n\n{}", exit::help(&Exit::ALL, "")),
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
    Build(Box<MakeArgs>),
    Update(UpdateArgs),
    Append(AppendArgs),
    Restore(RestoreArgs),
    Source(SourceArgs),
    Transpose(TransposeArgs),
    Show(ShowArgs),
    Info(InfoArgs),
    Coverage(CoverageArgs),
    Report(ReportArgs),
    Verify(VerifyArgs),
    Log(LogArgs),
    Diff(DiffArgs),
    Gc(GcArgs),
    Task(TaskArgs),
    Synth(SynthArgs),
    Demo(DemoArgs),
    Generate(GenerateArgs),
}

/// Remove old versions of a store, and what only they use
///
/// Without options, keeps the versions that the store says (see `transect build --keep` and `--keep-for`). The live
/// version stays, and so does one that a reader has open. A version that is removed cannot be read again; what it
/// shares with others stays.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect gc panel.store --dry-run
  transect gc panel.store --keep 1
  transect gc panel.store --keep-for 30d --keep 3    # the newest 3 stay, however old
  transect gc panel.store --staging panel.staging --older-than 2d")]
pub struct GcArgs {
    /// The store
    #[arg(value_name = "STORE")]
    pub store: PathBuf,

    /// Keep the newest N versions, the live one among them
    #[arg(long, value_name = "N", value_parser = at_least_one::<u32>())]
    pub keep: Option<u32>,

    /// Keep versions that were replaced no longer ago than this, such as 30d, 2w or 12h
    ///
    /// The store can still be read --as-of any instant since. With --keep, whichever keeps more counts.
    #[arg(long, value_name = "AGE", value_parser = quantity::age)]
    pub keep_for: Option<Duration>,

    /// Remove instead what tasks left in this staging directory, which is of this store (see `transect task`)
    ///
    /// All of it, where nothing was written there for as long as --older-than says; else only what attempts that died left
    /// before. Nothing of the store is touched. Tasks that failed may be run again and go on from what is there.
    #[arg(long, value_name = "DIR", requires = "older_than", conflicts_with_all = ["keep", "keep_for", "live"])]
    pub staging: Option<PathBuf>,

    /// How long nothing may have been written to a staging directory that goes, such as 2d or 12h
    #[arg(long, value_name = "AGE", value_parser = quantity::age, requires = "staging")]
    pub older_than: Option<Duration>,

    /// Which version is live, where CURRENT names another than the one that went live last
    ///
    /// A CURRENT that was restored from a copy hides the versions that went live since. Nothing is written to such a store
    /// before this chooses: the newer version, and nothing is lost; or CURRENT's, and what came later is given up.
    #[arg(long, value_name = "N", value_parser = any::<u64>())]
    pub live: Option<u64>,

    /// Remove nothing; say what would be removed
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub io: Io,

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
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = any::<u64>())]
    pub seed: u64,

    /// Which columns: barra has 10 style factors and 30 industry dummies, ohlcv daily prices, bars minute bars for --key
    /// time
    #[arg(long, value_name = "NAME", default_value_t, value_parser = one_of::<Preset>(&["barra", "ohlcv", "bars"]))]
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
