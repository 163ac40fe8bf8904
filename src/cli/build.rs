//! `transect build`

use serde::Serialize;
use transect::source::SourceOptions;
use transect::{Build, BuildReport};

use super::args::BuildArgs;
use super::bar::Watch;
use super::exit::Exit;
use super::output::{self, Lines};

/// Empty files that are named in the report.
const NAMED: usize = 3;

#[derive(Serialize)]
struct Json<'a> {
    source: String,
    store: String,
    #[serde(flatten)]
    report: &'a BuildReport,
}

pub fn run(args: BuildArgs, quiet: bool) -> anyhow::Result<Exit> {
    let report = {
        let watch = Watch::new(quiet)?;
        let mut build = Build::new(&args.source, &args.store).memory(args.memory).force(args.force).observer(&watch);
        if let Some(count) = args.running.workers() {
            build = build.workers(count);
        }
        if let Some(versions) = args.keep {
            build = build.keep(versions);
        }
        build.options(options(&args)).run()?
    };

    let (source, store) = (output::path(&args.source), output::path(&args.store));
    let info = format!("`transect info {} --json` lists all", output::quoted(&store));
    output::say_skipped(&report.skipped, report.files, &info);
    let exit = if report.skipped.is_empty() { Exit::Done } else { Exit::Skipped };
    if args.running.json {
        output::print_json("build", exit, &Json { source, store, report: &report })?;
    } else if !quiet {
        output::print(&lines(&store, &report).to_string())?;
    }
    Ok(exit)
}

fn options(args: &BuildArgs) -> SourceOptions {
    SourceOptions {
        pattern: args.pattern.clone(),
        code_column: args.code_column.clone(),
        date_columns: args.date_column.clone(),
        date_format: args.date_format.clone(),
        duplicates: args.duplicates,
        bad_dates: args.bad_dates,
        columns: args.columns.clone(),
        exclude: args.exclude.clone(),
        casts: args.cast.clone(),
        strict: args.strict,
    }
}

fn lines(store: &str, report: &BuildReport) -> Lines {
    let mut lines = Lines::default();
    let read = report.files - (report.skipped.len() + report.empty_files.len()) as u64;
    let range = match (&report.first_date, &report.last_date) {
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => String::new(),
    };
    lines.add("store", format!("{store}, version {}", report.version));
    lines.add("rows", output::count(report.rows));
    lines.add("stocks", output::count(report.stocks));
    lines.add("dates", format!("{}{range}", output::count(report.dates)));
    lines.add("columns", format!("{}, dates as {}", output::count(report.columns), report.date_form));
    let files = output::counted(read, "file", "files");
    lines.add(
        "bytes",
        format!("{} in {files} -> {}", output::bytes(report.source_bytes), output::bytes(report.store_bytes)),
    );
    lines.add("time", output::pace(report.seconds, report.rows));
    lines.add_some("merged", report.merged_rows, |count| {
        format!("{count} rows with the date of another row of the file")
    });
    lines.add_some("dropped", report.dropped_rows, |count| format!("{count} rows without a readable date"));
    lines.add_some("empty", report.empty_files.len() as u64, |_| empty_files(&report.empty_files));
    lines.add_some("skipped", report.skipped.len() as u64, |count| {
        format!("{count} of {}, named on stderr", output::counted(report.files, "input", "inputs"))
    });
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
