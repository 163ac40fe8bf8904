//! What can be typed to cut a build into tasks, and to run them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::super::groups::{RUNNING, Waiting};
use super::change::{BuildArgs, UpdateArgs};
use super::look::TransposeArgs;

/// Headings of `--help`: how the work is cut.
const CUT: &str = "Tasks";

/// Cut a build, an update, or the writing of files, into tasks that other machines run
///
/// Of a build: plan, gather every part, assemble, seal every band, commit. Of an update: update, which plans it, and then
/// the same, but compare every band before any is sealed. Of files from a store: transpose, which plans them, write every
/// part, commit. A task's input is the plan and a number; it may be run by any scheduler, on any machine
/// that reaches the same directories, again after it failed, and twice at once. Nothing stands in the store, or in OUT,
/// before the commit. Segments and files are those of `transect build`, `update` and `transpose`, byte for byte.
#[derive(Debug, Args)]
pub struct TaskArgs {
    #[command(subcommand)]
    pub what: TaskCommand,
}

#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    Plan(Box<PlanArgs>),
    Update(Box<UpdatePlanArgs>),
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

    /// The directory for the plan and what tasks leave, on the store's file system
    ///
    /// Segments are moved from there into the store. It is for this plan alone, and can be removed after the commit.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = CUT)]
    pub staging: PathBuf,

    /// How many tasks read the files
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = count(), help_heading = CUT)]
    pub parts: u16,

    /// How many tasks write segments
    ///
    /// A band is a stretch of dates. Segments hold 128 MiB, so that a store has no more work for bands than that.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = count(), help_heading = CUT)]
    pub bands: u16,
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

    /// The directory for the plan and what tasks leave, on the store's file system
    ///
    /// Segments are moved from there into the store. It is for this plan alone, and can be removed after the commit.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = CUT)]
    pub staging: PathBuf,

    /// How many tasks read the files
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = count(), help_heading = CUT)]
    pub parts: u16,

    /// How many tasks compare dates, and how many write segments
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = count(), help_heading = CUT)]
    pub bands: u16,
}

/// How many parts or bands there may be.
fn count() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=512)
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
    #[arg(value_name = "K")]
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
    #[arg(value_name = "M")]
    pub band: usize,
}

/// Write the segments of a band, once the parts are assembled, and all bands of an update compared
#[derive(Debug, Args)]
pub struct SealArgs {
    #[command(flatten)]
    pub planned: Planned,

    /// The band, from 0
    #[arg(value_name = "M")]
    pub band: usize,
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
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = count(), help_heading = CUT)]
    pub parts: u16,
}

/// Write the files of a part of an output
#[derive(Debug, Args)]
pub struct WriteArgs {
    #[command(flatten)]
    pub planned: Planned,

    /// The part, from 0
    #[arg(value_name = "K")]
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
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub parallel: Option<u16>,

    #[command(flatten)]
    pub waiting: Waiting,
}
