//! What can be typed to cut a build, a change of a store or an output into tasks, and to run them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::super::groups::{RUNNING, Waiting};
use super::super::words::{any, number};
use super::change::{AppendArgs, BuildArgs, UpdateArgs};
use super::look::TransposeArgs;
use super::sources::AddArgs;

/// Headings of `--help`: how the work is cut.
const CUT: &str = "Tasks";

/// Cut a build, an update, or the writing of files, into tasks that other machines run
///
/// Of a build: plan, gather every part, assemble, seal every band, commit. Of an update: update, which plans it, and
/// then the same, but compare every band before any is sealed; and so of a further source, which add plans, and of rows
/// of dates, which append plans. Of files from a store: transpose, which plans them, write every part, commit. A task's
/// input is the plan and a number; it may be run by any scheduler, on any machine that reaches the same directories,
/// again after it failed, and twice at once. Nothing stands in the store, or in OUT, before the commit. Segments and
/// files are those of `transect build`, `update`, `source add`, `append` and `transpose`, byte for byte.
#[derive(Debug, Args)]
pub struct TaskArgs {
    #[command(subcommand)]
    pub what: TaskCommand,
}

#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    Plan(Box<PlanArgs>),
    Update(Box<UpdatePlanArgs>),
    Add(Box<AddPlanArgs>),
    Append(Box<AppendPlanArgs>),
    Gather(GatherArgs),
    Assemble(AssembleArgs),
    Compare(CompareArgs),
    Seal(SealArgs),
    Transpose(Box<OutputPlanArgs>),
    Write(WriteArgs),
    Commit(CommitArgs),
    Run(RunArgs),
}

/// List the files, agree on their columns, and cut the work into parts and bands
///
/// Writes plan.json into the staging directory and nothing else; all other tasks depend on it alone. They are run by the
/// same version of transect, and keep to --memory each.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect task plan features panel.store --staging panel.staging --parts 64 --bands 64
  transect task run panel.staging/plan.json -j 4")]
pub struct PlanArgs {
    #[command(flatten)]
    pub build: BuildArgs,

    #[command(flatten)]
    pub cut: CutArgs,
}

/// Plan the update of a source, and cut it into parts and bands
///
/// Looks which files are not as they were, and writes plan.json into the staging directory and nothing else; all other
/// tasks depend on it alone, and on this version of the store. Where all is as it was there is no plan. Of a store of
/// several sources, name one with --source. What changes how files are read, and --expect, is for `transect update`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect task update panel.store --staging night.staging --parts 64 --bands 64
  transect task run night.staging/plan.json -j 4")]
pub struct UpdatePlanArgs {
    #[command(flatten)]
    pub update: UpdateArgs,

    #[command(flatten)]
    pub cut: CutArgs,
}

/// Plan the addition of a source, and cut it into parts and bands
///
/// Lists the files in DIR, agrees on their columns, and writes plan.json into the staging directory and nothing else;
/// all other tasks depend on it alone, and on this version of the store. They are those of an update. Of several
/// directories each is added by a plan of its own, once the one before is committed.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect task add panel.store factors/value --staging value.staging --parts 64 --bands 64
  transect task run value.staging/plan.json -j 4")]
pub struct AddPlanArgs {
    #[command(flatten)]
    pub add: AddArgs,

    #[command(flatten)]
    pub cut: CutArgs,
}

/// Plan the append of rows of dates, and cut it into parts and bands
///
/// Notes which files they are, and writes plan.json into the staging directory and nothing else; all other tasks depend
/// on it alone, and on this version of the store. They are those of an update.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect task append panel.store days/2024*.parquet --staging days.staging --parts 64 --bands 64
  transect task run days.staging/plan.json -j 4")]
pub struct AppendPlanArgs {
    #[command(flatten)]
    pub append: AppendArgs,

    #[command(flatten)]
    pub cut: CutArgs,
}

/// How a change of a store is cut.
#[derive(Debug, Args)]
pub struct CutArgs {
    /// The directory for the plan and what tasks leave, on the store's file system
    ///
    /// Segments are moved from there into the store. It is for this plan alone, and can be removed after the commit.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = CUT)]
    pub staging: PathBuf,

    /// How many tasks read the files
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = number::<u16>(1..=512), help_heading = CUT)]
    pub parts: u16,

    /// How many tasks write segments, and of a change of a store compare dates
    ///
    /// A band is a stretch of dates. Segments hold 128 MiB, so that a store has no more work for bands than that.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = number::<u16>(1..=512), help_heading = CUT)]
    pub bands: u16,
}

/// The plan of a task, and how it tells.
#[derive(Debug, Args)]
pub struct Planned {
    /// The plan: plan.json in the staging directory
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,

    /// Print the report as one JSON object
    #[arg(long, help_heading = RUNNING)]
    pub json: bool,
}

/// Read the files of a part
#[derive(Debug, Args)]
pub struct GatherArgs {
    #[command(flatten)]
    pub planned: Planned,

    /// The part, from 0
    #[arg(value_name = "K", value_parser = any::<usize>())]
    pub part: usize,
}

/// Decide, once all parts are gathered, what depends on all of them
///
/// Reads what the parts have noted, and no row. Says what the store will hold; of an update that is said by the commit.
#[derive(Debug, Args)]
pub struct AssembleArgs {
    #[command(flatten)]
    pub planned: Planned,
}

/// Compare what was read of a band with the store, once the parts of an update are assembled
#[derive(Debug, Args)]
pub struct CompareArgs {
    #[command(flatten)]
    pub planned: Planned,

    /// The band, from 0
    #[arg(value_name = "M", value_parser = any::<usize>())]
    pub band: usize,
}

/// Write the segments of a band, once the parts are assembled, and all bands of an update compared
#[derive(Debug, Args)]
pub struct SealArgs {
    #[command(flatten)]
    pub planned: Planned,

    /// The band, from 0
    #[arg(value_name = "M", value_parser = any::<usize>())]
    pub band: usize,

    #[command(flatten)]
    pub files: FilesArgs,
}

/// Where the files of dates go too.
#[derive(Debug, Args)]
pub struct FilesArgs {
    /// Write the files of dates for this directory too, as `transect transpose` does by its defaults; not of an update
    ///
    /// They are made from what was just written, and not read once more. `transect task commit` puts them there, and says
    /// so in the ledger. A date of which two bands have rows gets its file from the next `transect transpose`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Plan the files that `transect transpose` would write, and cut them into parts
///
/// Writes plan.json into the staging directory and nothing else; all other tasks depend on it alone, and on this version
/// of the store. Files that are current are no part of it.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  transect task transpose panel.store by_date --staging by_date.staging --parts 64
  transect task run by_date.staging/plan.json -j 4")]
pub struct OutputPlanArgs {
    #[command(flatten)]
    pub transpose: TransposeArgs,

    /// The directory for the plan and what tasks leave, on OUT's file system
    ///
    /// Files are moved from there to OUT. It is for this plan alone, and can be removed after the commit.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = CUT)]
    pub staging: PathBuf,

    /// How many tasks write
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = number::<u16>(1..=512), help_heading = CUT)]
    pub parts: u16,
}

/// Write the files of a part of an output
#[derive(Debug, Args)]
pub struct WriteArgs {
    #[command(flatten)]
    pub planned: Planned,

    /// The part, from 0
    #[arg(value_name = "K", value_parser = any::<usize>())]
    pub part: usize,
}

/// Publish the version, once all bands are sealed, or move files to their places, once all parts are written
///
/// Reads no row. Of several commits one publishes, and the others are told so.
#[derive(Debug, Args)]
pub struct CommitArgs {
    #[command(flatten)]
    pub planned: Planned,

    #[command(flatten)]
    pub waiting: Waiting,
}

/// Run all tasks of a plan here
///
/// What was done before is not done again. Each of the tasks that run at once takes the memory of the plan.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub planned: Planned,

    /// How many tasks run at once [default: as many as there are cores]
    #[arg(short = 'j', long = "parallel", value_name = "N", help_heading = RUNNING)]
    #[arg(value_parser = number::<u16>(1..=1024))]
    pub parallel: Option<u16>,

    #[command(flatten)]
    pub files: FilesArgs,

    #[command(flatten)]
    pub waiting: Waiting,
}
