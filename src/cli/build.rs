//! `transect build`

use crate::source::{CodeMap, Pattern, SourceOptions};
use crate::{Build, BuildReport};
use anyhow::Context;
use serde::Serialize;

use super::advice::Speaker;
use super::args::{BuildArgs, MakeArgs, Reading};
use super::bar::Watch;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{self, Lines};
use super::skips;
use super::stop::{Stop, allowed};
use super::words::Names;

/// Empty files that are named in the report.
const NAMED: usize = 3;

#[derive(Serialize)]
struct Json<'a> {
    folder: String,
    store: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    #[serde(flatten)]
    report: &'a BuildReport,
}

pub fn run(args: MakeArgs, quiet: bool) -> anyhow::Result<Exit> {
    let report = {
        let watch = Watch::new(quiet)?;
        configured(&args.build, &watch).wait(args.waiting.patience()).force(args.force).run()?
    };
    let args = args.build;

    let (folder, store) = (output::path(&args.source), output::path(&args.store));
    let stop = Stop::new(&report.guards, None);
    let all = match stop {
        Some(_) => "--json lists all".to_owned(),
        None => format!("`transect info {} --json` lists all", output::quoted(&store)),
    };
    // A store that was built is there, and is not built again with other options.
    let speaker = if stop.is_none() { Speaker::afterwards(&args.store) } else { Speaker::new("build", &args.store) };
    skips::say_skipped(&report.skipped, report.files, &speaker, &all);
    let exit = match (&stop, report.skips_are_usual()) {
        (Some(_), _) => Exit::Stopped,
        (None, true) => Exit::Done,
        (None, false) => Exit::Skipped,
    };
    let live = stop.is_none().then_some(report.version);
    if args.running.json {
        let error = stop.as_ref().map(|stop| stop.failure(&store));
        let json = Json { folder, store: store.clone(), error, report: &report };
        skips::print_json_of("build", exit, &json, &speaker, &["skipped"])
            .with_context(|| output::untold(&store, live))?;
    } else if !quiet {
        let lines = lines(&store, &report, output::pace(report.seconds, report.rows));
        output::print(&lines.to_string()).with_context(|| output::untold(&store, live))?;
    }
    if let Some(stop) = stop {
        stop.say("run it again");
    }
    Ok(exit)
}

/// What a build is told, watched by `watch`.
pub fn configured<'w>(args: &BuildArgs, watch: &'w Watch) -> Build<'w> {
    let mut build = Build::new(&args.source, &args.store).memory(args.memory).observer(watch);
    build = build.allow(args.allowed.allow.iter().copied());
    if let Some(count) = args.running.workers() {
        build = build.workers(count);
    }
    if let Some(most) = args.max_skipped {
        build = build.max_skipped(most);
    }
    if let Some(versions) = args.keeping.keep {
        build = build.keep(versions);
    }
    if let Some(age) = args.keeping.keep_for {
        build = build.keep_for(age);
    }
    if let Some(name) = &args.name {
        build = build.source_name(name);
    }
    build.options(options(&args.reading))
}

/// How files are found and read.
pub fn options(args: &Reading) -> SourceOptions {
    SourceOptions {
        input: args.input,
        files_by: args.files_by,
        pattern: args.pattern.clone().unwrap_or_else(|| Pattern::usual(args.files_by, args.input)),
        code_template: args.code_template.clone(),
        code_map: args.code_map.as_deref().map(CodeMap::at),
        ignore: args.ignore.clone(),
        code_column: args.code_column.clone(),
        date_columns: Names::all(&args.date_column),
        date_name: args.date_name.clone(),
        date_format: args.date_format.clone(),
        epoch: args.epoch,
        zone: args.zone.clone(),
        naive_zone: args.naive_zone.clone(),
        drop_time: args.drop_time,
        roll: args.roll,
        calendar: args.calendar.clone(),
        key: Names::all(&args.key),
        duplicates: args.duplicates,
        bad_dates: args.bad_dates,
        columns: args.columns.as_deref().map(Names::all),
        exclude: Names::all(&args.exclude),
        casts: args.cast.clone(),
        renames: args.rename.clone(),
        nulls: Names::all(&args.null),
        prefix: String::new(),
        strict: args.strict,
    }
}

/// The report of a build.
pub fn lines(store: &str, report: &BuildReport, time: String) -> Lines {
    let mut lines = Lines::default();
    let read = report.files - (report.skipped.len() + report.empty_files.len()) as u64;
    let range = match (&report.first_date, &report.last_date) {
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => String::new(),
    };
    let state = match report.published {
        true => format!("{store}, version {}", report.version),
        false => format!("{store}, nothing published; this would be in it:"),
    };
    lines.add("store", state);
    lines.add("rows", output::count(report.rows));
    lines.add("stocks", output::count(report.stocks));
    lines.add("dates", format!("{}{range}", output::count(report.dates)));
    lines.add("columns", format!("{}, dates as {}", output::count(report.columns), report.date_form));
    let files = output::counted(read, "file", "files");
    let store_bytes =
        if report.published { format!(" -> {}", output::bytes(report.store_bytes)) } else { String::new() };
    lines.add("bytes", format!("{} in {files}{store_bytes}", output::bytes(report.source_bytes)));
    lines.add("time", time);
    lines.add_some("left out", report.merged_rows, |_| output::merged(report.merged_rows));
    lines.add_some("dropped", report.dropped_rows, |_| output::dateless(report.dropped_rows));
    lines.add_some("waiting", report.waiting_rows, |_| output::waiting(report.waiting_rows));
    lines.add_some("empty", report.empty_files.len() as u64, |_| empty_files(&report.empty_files));
    lines.add_some("skipped", report.skipped.len() as u64, |count| {
        format!("{count} of {}, named on stderr", output::counted(report.files, "input", "inputs"))
    });
    allowed(&report.guards, &mut lines);
    for note in &report.notes {
        lines.add("note", note);
    }
    lines
}

/// `2 files without rows: a.parquet, b.parquet`.
pub fn empty_files(paths: &[String]) -> String {
    let named: Vec<&str> = paths.iter().take(NAMED).map(String::as_str).collect();
    let more = if paths.len() > NAMED { ", ..." } else { "" };
    format!("{} without rows: {}{more}", output::counted(paths.len() as u64, "file", "files"), named.join(", "))
}
