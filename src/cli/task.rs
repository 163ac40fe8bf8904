//! `transect task`

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

use super::advice::Speaker;
use super::append;
use super::args::{CutArgs, FilesArgs, OutputPlanArgs, PlanArgs, Planned, RunArgs, TaskCommand};
use super::bar::Watch;
use super::build;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{self, Lines};
use super::skips;
use super::source;
use super::stop::Stop;
use super::transpose;
use super::update;
use crate::skipped::Skipped;
use crate::{
    BuildReport, OutputPlanReport, OutputSplit, OutputTasks, PlanOf, TaskPlanReport, TaskReport, TaskSplit, Tasks,
    TransposeReport, UpdatePlanReport, UpdateReport, UpdateTasks,
};

/// How to go on where a guard stopped it.
const AGAIN: &str = "plan again";

pub fn run(command: TaskCommand, quiet: bool) -> anyhow::Result<Exit> {
    match command {
        TaskCommand::Plan(args) => plan(*args, quiet),
        TaskCommand::Update(args) => {
            let plan = |watch: &Watch| update::configured(&args.update, watch, quiet).plan_tasks(&split(&args.cut));
            plan_change("task update", (&args.update.store, args.update.running.json), quiet, plan)
        }
        TaskCommand::Add(args) => {
            let plan = |watch: &Watch| source::configured(&args.add, watch, quiet).plan_tasks(&split(&args.cut));
            plan_change("task add", (&args.add.store, args.add.running.json), quiet, plan)
        }
        TaskCommand::Append(args) => {
            let plan = |watch: &Watch| append::configured(&args.append, watch, quiet).plan_tasks(&split(&args.cut));
            plan_change("task append", (&args.append.store, args.append.running.json), quiet, plan)
        }
        TaskCommand::Gather(args) => one("task gather", &args.planned, ("part", args.part), quiet, |plan, watch| {
            Tasks::open(plan)?.observer(watch).gather(args.part)
        }),
        TaskCommand::Compare(args) => one("task compare", &args.planned, ("band", args.band), quiet, |plan, watch| {
            UpdateTasks::open(plan)?.observer(watch).compare(args.band)
        }),
        TaskCommand::Seal(args) => one("task seal", &args.planned, ("band", args.band), quiet, |plan, watch| {
            with_files(Tasks::open(plan)?, &args.files)?.observer(watch).seal(args.band)
        }),
        TaskCommand::Write(args) => one("task write", &args.planned, ("part", args.part), quiet, |plan, watch| {
            OutputTasks::open(plan)?.observer(watch).write(args.part)
        }),
        TaskCommand::Transpose(args) => plan_output(&args, quiet),
        TaskCommand::Assemble(args) if is_of(&args.planned, PlanOf::Update)? => {
            let report = {
                let watch = Watch::new(quiet)?;
                UpdateTasks::open(&args.planned.plan)?.observer(&watch).assemble()?
            };
            tell_assembled(&args.planned, &report, quiet)
        }
        TaskCommand::Assemble(args) => {
            let report = {
                let watch = Watch::new(quiet)?;
                Tasks::open(&args.planned.plan)?.observer(&watch).assemble()?
            };
            tell_whole("task assemble", &args.planned, report.as_ref(), quiet)
        }
        TaskCommand::Commit(args) if is_of(&args.planned, PlanOf::Output)? => {
            let report = {
                let watch = Watch::new(quiet)?;
                OutputTasks::open(&args.planned.plan)?.observer(&watch).wait(args.waiting.patience()).commit()?
            };
            tell_output("task commit", &args.planned, &report, quiet)
        }
        TaskCommand::Commit(args) if is_of(&args.planned, PlanOf::Update)? => {
            let report = {
                let watch = Watch::new(quiet)?;
                UpdateTasks::open(&args.planned.plan)?.observer(&watch).wait(args.waiting.patience()).commit()?
            };
            tell_update("task commit", &args.planned, report, quiet)
        }
        TaskCommand::Commit(args) => {
            let report = {
                let watch = Watch::new(quiet)?;
                Tasks::open(&args.planned.plan)?.observer(&watch).wait(args.waiting.patience()).commit()?
            };
            tell_whole("task commit", &args.planned, Some(&report), quiet)
        }
        TaskCommand::Run(args) => run_all(&args, quiet),
    }
}

#[derive(Serialize)]
struct PlanJson<'a> {
    folder: String,
    store: String,
    #[serde(flatten)]
    report: &'a TaskPlanReport,
}

fn split(cut: &CutArgs) -> TaskSplit {
    TaskSplit { staging: cut.staging.clone(), parts: cut.parts.into(), bands: cut.bands.into() }
}

fn plan(args: PlanArgs, quiet: bool) -> anyhow::Result<Exit> {
    let report = {
        let watch = Watch::new(quiet)?;
        let split = split(&args.cut);
        build::configured(&args.build, &watch).plan_tasks(&split)?
    };
    let (folder, store) = (output::path(&args.build.source), output::path(&args.build.store));
    let speaker = Speaker::new("task plan", &args.build.store);
    skips::say_skipped(&report.skipped, report.files + report.skipped.len() as u64, &speaker, "--json lists all");
    if args.build.running.json {
        let json = PlanJson { folder, store, report: &report };
        skips::print_json_of("task plan", Exit::Done, &json, &speaker, &["skipped"])?;
    } else if !quiet {
        let mut lines = Lines::default();
        lines.add("plan", output::quoted(&report.plan));
        let parts = output::counted(report.parts, "part", "parts");
        lines.add(
            "gather",
            format!("{parts}, {} files of {}", output::count(report.files), output::bytes(report.source_bytes)),
        );
        lines.add("seal", output::counted(report.bands, "band", "bands"));
        report.notes.iter().for_each(|note| lines.add("note", note));
        output::print(&lines.to_string())?;
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct OneJson<'a> {
    plan: String,
    number: usize,
    #[serde(flatten)]
    report: &'a TaskReport,
    seconds: f64,
}

/// Runs one of several tasks of a kind.
fn one(
    command: &'static str,
    planned: &Planned,
    (what, number): (&str, usize),
    quiet: bool,
    task: impl Fn(&Path, &Watch) -> crate::Result<TaskReport>,
) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let report = {
        let watch = Watch::new(quiet)?;
        task(&planned.plan, &watch)?
    };
    let seconds = started.elapsed().as_secs_f64();
    if planned.json {
        let json = OneJson { plan: output::path(&planned.plan), number, report: &report, seconds };
        output::print_json(command, Exit::Done, &json)?;
    } else if !quiet {
        let done = if report.was_done { ", done before" } else { "" };
        output::print(&format!("{what} {number}: {} rows{done}\n", output::count(report.rows)))?;
    }
    Ok(Exit::Done)
}

fn run_all(args: &RunArgs, quiet: bool) -> anyhow::Result<Exit> {
    let (plan, patience) = (&args.planned.plan, args.waiting.patience());
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.parallel.map_or_else(cores, usize::from);
    if args.files.out.is_some() {
        with_files(Tasks::open(plan)?, &args.files)?;
    }
    if is_of(&args.planned, PlanOf::Update)? {
        let report = {
            let watch = Watch::new(quiet)?;
            UpdateTasks::open(plan)?.observer(&watch).wait(patience).run(jobs)?
        };
        return tell_update("task run", &args.planned, report, quiet);
    }
    if is_of(&args.planned, PlanOf::Output)? {
        let report = {
            let watch = Watch::new(quiet)?;
            OutputTasks::open(plan)?.observer(&watch).wait(patience).run(jobs)?
        };
        return tell_output("task run", &args.planned, &report, quiet);
    }
    let report = {
        let watch = Watch::new(quiet)?;
        with_files(Tasks::open(plan)?, &args.files)?.observer(&watch).wait(patience).run(jobs)?
    };
    tell_whole("task run", &args.planned, Some(&report), quiet)
}

/// The tasks, which write files too where that is asked for.
fn with_files<'a>(tasks: Tasks<'a>, files: &FilesArgs) -> crate::Result<Tasks<'a>> {
    match &files.out {
        Some(out) => tasks.output(out),
        None => Ok(tasks),
    }
}

/// Whether a plan is for this.
fn is_of(planned: &Planned, what: PlanOf) -> anyhow::Result<bool> {
    Ok(PlanOf::at(&planned.plan)? == what)
}

#[derive(Serialize)]
struct UpdatePlanJson<'a> {
    store: String,
    #[serde(flatten)]
    report: &'a UpdatePlanReport,
}

/// Plans a change of a store.
fn plan_change(
    command: &'static str,
    (store, json): (&Path, bool),
    quiet: bool,
    plan: impl Fn(&Watch) -> crate::Result<UpdatePlanReport>,
) -> anyhow::Result<Exit> {
    let report = {
        let watch = Watch::new(quiet)?;
        plan(&watch)?
    };
    let speaker = Speaker::new(command, store);
    let store = output::path(store);
    skips::say_skipped(&report.skipped, report.files + report.skipped.len() as u64, &speaker, "--json lists all");
    if json {
        let json = UpdatePlanJson { store, report: &report };
        skips::print_json_of(command, Exit::Done, &json, &speaker, &["skipped"])?;
    } else if !quiet {
        let mut lines = Lines::default();
        match &report.plan {
            Some(plan) => {
                lines.add("plan", output::quoted(plan));
                let (parts, files) = (report.parts, output::counted(report.files, "file", "files"));
                let bytes = output::bytes(report.source_bytes);
                lines.add("gather", format!("{}, {files} of {bytes}", output::counted(parts, "part", "parts")));
                let bands = output::counted(report.bands, "band", "bands");
                lines.add("compare", format!("{bands}, with version {}", report.version));
            }
            None => lines.add("store", format!("{store}, version {}, nothing to do", report.version)),
        }
        report.notes.iter().for_each(|note| lines.add("note", note));
        output::print(&lines.to_string())?;
    }
    Ok(Exit::Done)
}

/// Tells that the parts of an update are assembled.
fn tell_assembled(planned: &Planned, report: &TaskReport, quiet: bool) -> anyhow::Result<Exit> {
    if planned.json {
        #[derive(Serialize)]
        struct Json<'a> {
            plan: String,
            #[serde(flatten)]
            report: &'a TaskReport,
        }
        output::print_json("task assemble", Exit::Done, &Json { plan: output::path(&planned.plan), report })?;
    } else if !quiet {
        let done = if report.was_done { ", done before" } else { "" };
        output::print(&format!("{} rows{done}\n", output::count(report.rows)))?;
    }
    Ok(Exit::Done)
}

/// Tells of the store, once a source of it is up to date.
fn tell_update(command: &'static str, planned: &Planned, report: UpdateReport, quiet: bool) -> anyhow::Result<Exit> {
    let tasks = UpdateTasks::open(&planned.plan)?;
    let (report, speaker) = match tasks.appends() {
        true => (append::usable(tasks.store(), report)?, Speaker::new(command, &planned.plan)),
        // Tasks have no options of their own.
        false => (report, Speaker::afterwards(tasks.store())),
    };
    update::tell_by(&speaker, (command, tasks.store()), &report, planned.json, quiet)
}

#[derive(Serialize)]
struct OutputPlanJson<'a> {
    store: String,
    out: String,
    #[serde(flatten)]
    report: &'a OutputPlanReport,
}

fn plan_output(args: &OutputPlanArgs, quiet: bool) -> anyhow::Result<Exit> {
    let typed = &args.transpose;
    let store = transpose::open("task transpose", typed, quiet)?;
    let report = {
        let watch = Watch::new(quiet)?;
        let split = OutputSplit { staging: args.staging.clone(), parts: usize::from(args.parts) };
        transpose::configured("task transpose", typed, &store, &watch)?.plan_tasks(&split)?
    };
    if typed.running.json {
        let json = OutputPlanJson { store: output::path(&typed.store), out: output::path(&typed.out), report: &report };
        output::print_json("task transpose", Exit::Done, &json)?;
    } else if !quiet {
        let mut lines = Lines::default();
        lines.add("plan", output::quoted(&report.plan));
        let (parts, files) = (report.parts, output::counted(report.files, "file", "files"));
        lines.add(
            "write",
            format!("{}, {files} of version {}", output::counted(parts, "part", "parts"), report.version),
        );
        lines.add_some("current", report.unchanged_files, |_| output::counted(report.unchanged_files, "file", "files"));
        output::print(&lines.to_string())?;
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct OutputJson<'a> {
    plan: String,
    was_done: bool,
    output: transpose::Json<'a>,
}

/// Tells of the output, once all its files are in their places.
fn tell_output(
    command: &'static str,
    planned: &Planned,
    report: &TransposeReport,
    quiet: bool,
) -> anyhow::Result<Exit> {
    let tasks = OutputTasks::open(&planned.plan)?;
    let out = output::path(tasks.out());
    if planned.json {
        let was_done = report.written + report.removed_files + report.taken_over == 0;
        let output = transpose::Json { store: output::path(tasks.store()), out, report };
        let json = OutputJson { plan: output::path(&planned.plan), was_done, output };
        output::print_json(command, Exit::Done, &json)?;
    } else if !quiet {
        output::print(&transpose::lines(&out, ["file", "files"], report).to_string())?;
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct WholeJson<'a> {
    plan: String,
    was_done: bool,
    /// Of a commit that was done before.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// Likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<&'a [Skipped]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    #[serde(flatten)]
    report: Option<&'a BuildReport>,
}

/// Whether it is of a commit that was done before.
fn is_before(report: &BuildReport) -> bool {
    !report.published && report.version > 0
}

/// Tells of the whole store: what it will hold, or what it holds. No report: it was told before.
fn tell_whole(
    command: &'static str,
    planned: &Planned,
    report: Option<&BuildReport>,
    quiet: bool,
) -> anyhow::Result<Exit> {
    let plan = output::path(&planned.plan);
    let store = Tasks::open(&planned.plan).map(|tasks| output::path(tasks.store())).unwrap_or_default();
    let stop = report.and_then(|report| Stop::new(&report.guards, None));
    let is_usual = report.is_none_or(BuildReport::skips_are_usual);
    let exit = match (&stop, is_usual || command == "task assemble") {
        (Some(_), _) => Exit::Stopped,
        (None, true) => Exit::Done,
        (None, false) => Exit::Skipped,
    };
    let speaker = Speaker::new(command, Path::new(&store));
    // What other tasks read says nothing of the time of this one.
    let time = |report: &BuildReport| match command {
        "task run" => output::pace(report.seconds, report.rows),
        _ => output::seconds(report.seconds),
    };
    if let Some(report) = report {
        skips::say_skipped(&report.skipped, report.files, &speaker, "--json lists all");
    }
    let live = report.filter(|report| report.published).map(|report| report.version);
    if planned.json {
        let error = stop.as_ref().map(|stop| stop.failure(&store));
        let now = report.filter(|report| !is_before(report));
        let before = report.filter(|report| is_before(report));
        let (version, skipped) = (before.map(|report| report.version), before.map(|report| &report.skipped[..]));
        let json = WholeJson { plan, was_done: now.is_none(), version, skipped, error, report: now };
        skips::print_json_of(command, exit, &json, &speaker, &["skipped"])
            .with_context(|| output::untold(&store, live))?;
    } else if !quiet {
        let text = match report {
            Some(report) if is_before(report) => format!("{store}: version {} was committed before\n", report.version),
            Some(report) => build::lines(&store, report, time(report)).to_string(),
            None => "assembled before\n".to_owned(),
        };
        output::print(&text).with_context(|| output::untold(&store, live))?;
    }
    if let Some(stop) = stop {
        stop.say(AGAIN);
    }
    Ok(exit)
}
