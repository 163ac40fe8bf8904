//! `transect verify`

use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use transect::store::VerifyReport;
use transect::workers::Workers;
use transect::{OutputReport, SourceReport, Store, verify_output, verify_source};

use super::args::VerifyArgs;
use super::bar::Watch;
use super::exit::Exit;
use super::output::{self, Lines};

/// Everything that was compared.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// Whether nothing is wrong.
    pub ok: bool,
    pub checksums: VerifyReport,
    pub source: Option<SourceReport>,
    pub output: Option<OutputReport>,
    pub seconds: f64,
}

#[derive(Serialize)]
struct Json<'a> {
    store: String,
    #[serde(flatten)]
    verified: &'a Verified,
}

pub fn run(args: &VerifyArgs, quiet: bool) -> anyhow::Result<Exit> {
    if args.source.is_some() && args.at.is_given() {
        super::usage(
            "verify",
            "--source compares with the files as they are now, which an older version cannot match; leave out one of them",
        );
    }
    let store = args.at.open(&args.store, quiet)?;
    let verified = {
        let watch = Watch::new(quiet)?;
        let workers = Workers::new(args.running.workers())?;
        verify(&store, args.source.as_deref(), args.output.as_deref(), &workers, &watch)?
    };

    say_damage(&verified, &args.store, args.source.as_deref(), args.output.as_deref());
    let exit = match &verified {
        Verified { ok: false, .. } => Exit::Failed,
        Verified { source: Some(source), .. } if !source.skipped.is_empty() => Exit::Skipped,
        _ => Exit::Done,
    };
    let path = output::path(&args.store);
    if args.running.json {
        output::print_json("verify", exit, &Json { store: path, verified: &verified })?;
    } else if !quiet {
        let mut lines = Lines::default();
        lines.add("store", format!("{path}, version {}: {}", store.version(), store_line(&verified.checksums)));
        if let Some(source) = &args.source {
            lines.add("source", format!("{}: {}", output::path(source), source_line(verified.source.as_ref())));
        }
        if let Some(out) = &args.output {
            lines.add("output", format!("{}: {}", output::path(out), output_line(verified.output.as_ref())));
        }
        lines.add("time", output::seconds(verified.seconds));
        output::print(&lines.to_string())?;
    }
    Ok(exit)
}

/// Compares the store with itself, then with the files it came from and those made from it.
pub fn verify(
    store: &Store,
    source: Option<&Path>,
    out: Option<&Path>,
    workers: &Workers,
    watch: &Watch,
) -> anyhow::Result<Verified> {
    let started = Instant::now();
    let mut verified =
        Verified { ok: true, checksums: store.verify(workers, watch)?, source: None, output: None, seconds: 0.0 };
    verified.ok = verified.checksums.damages.is_empty();
    // What is compared with a damaged store says nothing.
    if verified.ok {
        verified.source = source.map(|source| verify_source(store, source, workers, watch)).transpose()?;
        verified.output = out.map(|out| verify_output(store, out, workers, watch)).transpose()?;
        verified.ok = verified.source.as_ref().is_none_or(|source| source.difference_count == 0)
            && verified.output.as_ref().is_none_or(|output| output.differences.is_empty());
    }
    verified.seconds = started.elapsed().as_secs_f64();
    Ok(verified)
}

/// Names everything that is wrong on stderr.
pub fn say_damage(verified: &Verified, store: &Path, source: Option<&Path>, out: Option<&Path>) {
    output::say_wrong(format_args!("{} is damaged", output::path(store)), &verified.checksums.damages);
    if let (Some(path), Some(report)) = (source, &verified.source) {
        output::say_wrong(format_args!("{} differs from the store", output::path(path)), &report.differences);
        output::say_skipped(&report.skipped, report.files + report.skipped.len() as u64, "--json lists all");
    }
    if let (Some(path), Some(report)) = (out, &verified.output) {
        output::say_wrong(format_args!("{} differs from the store", output::path(path)), &report.differences);
    }
}

fn store_line(report: &VerifyReport) -> String {
    let verdict = match report.damages.len() as u64 {
        0 => "every checksum matches".to_owned(),
        damages => format!("damaged in {}, named on stderr", output::counted(damages, "place", "places")),
    };
    format!(
        "{}, {}, {}; {verdict}",
        output::counted(report.sections, "section", "sections"),
        output::counted(report.rows, "row", "rows"),
        output::bytes(report.bytes)
    )
}

fn source_line(report: Option<&SourceReport>) -> String {
    let Some(report) = report else { return "not compared, because the store is damaged".to_owned() };
    compared(report.files, report.rows, report.difference_count, "every row is in the store as it is here")
}

fn output_line(report: Option<&OutputReport>) -> String {
    let Some(report) = report else { return "not compared, because the store is damaged".to_owned() };
    let mut line =
        compared(report.files, report.rows, report.differences.len() as u64, "each holds what the store does");
    if report.not_written > 0 {
        let dates = output::counted(report.not_written, "date of the store has", "dates of the store have");
        line.push_str(&format!("; {dates} no file here"));
    }
    line
}

fn compared(files: u64, rows: u64, differences: u64, fine: &str) -> String {
    let verdict = match differences {
        0 => fine.to_owned(),
        count => format!("{}, named on stderr", output::counted(count, "difference", "differences")),
    };
    format!("{}, {}; {verdict}", output::counted(files, "file", "files"), output::counted(rows, "row", "rows"))
}
