//! `transect verify`

use std::path::Path;
use std::time::Instant;

use crate::hint::{listed, quoted};
use crate::remedy::{Setting, Words};
use crate::store::VerifyReport;
use crate::workers::{LEAST_MEMORY, Workers};
use crate::{Error, Kept, OutputReport, SourceReport, Store, verify_output, verify_source};
use serde::Serialize;

use super::advice::Speaker;
use super::args::VerifyArgs;
use super::bar::Watch;
use super::exit::Exit;
use super::output::{self, Lines};
use super::skips;

/// Everything that was compared.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// Whether nothing is wrong: no damage, no difference.
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
        let why = "--source compares with the files as they are now, which an older version cannot match; leave out one \
                   of them";
        return Err(super::usage("verify", why));
    }
    let store = args.at.open(&args.store, quiet)?;
    if args.source.is_some() {
        // Else what checksums need would be named first, and is too little for this.
        store.check_texts(args.memory, LEAST_MEMORY)?;
    }
    let mut verified = {
        let watch = Watch::new(quiet)?;
        let workers = Workers::new(args.running.workers())?.within(args.memory);
        let all = args.all_versions;
        verify(&store, all, args.source.as_deref(), args.output.as_deref(), &workers, &watch)?
    };

    let speaker = Speaker::new("verify", &args.store);
    add_way_out(&mut verified.checksums, &store, &speaker);
    say_damage(&verified, &args.store, args.source.as_deref(), args.output.as_deref(), &speaker);
    let exit = match &verified {
        Verified { ok: false, .. } => Exit::Damaged,
        Verified { source: Some(source), .. } if !source.is_complete() => Exit::Skipped,
        _ => Exit::Done,
    };
    let path = output::path(&args.store);
    if args.running.json {
        let mut json = serde_json::to_value(Json { store: path, verified: &verified })?;
        if let Some(source) = json.get_mut("source") {
            speaker.put_into_words(source, &["skipped", "skipped_before"]);
        }
        output::print_json("verify", exit, &json)?;
    } else if !quiet {
        let mut lines = Lines::default();
        let versions = output::versions(&verified.checksums.versions);
        lines.add("store", format!("{path}, {versions}: {}", store_line(&verified.checksums)));
        if let Some(source) = &args.source {
            lines.add("source", format!("{}: {}", output::path(source), source_line(verified.source.as_ref())));
        }
        if let Some(out) = &args.output {
            lines.add("output", format!("{}: {}", output::path(out), output_line(verified.output.as_ref())));
        }
        lines.add("time", output::seconds(verified.seconds));
        for note in verified.source.iter().flat_map(|source| &source.notes) {
            lines.add("note", note);
        }
        output::print(&lines.to_string())?;
    }
    Ok(exit)
}

/// Adds to the damage that CURRENT is of another day what chooses a version.
fn add_way_out(report: &mut VerifyReport, store: &Store, speaker: &Speaker) {
    let Ok(Some(Error::Refused { what, remedies, .. })) = store.stale_current() else { return };
    if let Some(damage) = report.damages.iter_mut().find(|damage| **damage == what) {
        *damage = speaker.sentence(&what, &remedies);
    }
}

/// Compares the store, or all its versions, with itself; then with the files it came from and those made from it.
pub fn verify(
    store: &Store,
    all_versions: bool,
    source: Option<&Path>,
    out: Option<&Path>,
    workers: &Workers,
    watch: &Watch,
) -> anyhow::Result<Verified> {
    let started = Instant::now();
    let checksums = match all_versions {
        true => store.verify_all(workers, watch)?,
        false => store.verify(workers, watch)?,
    };
    let mut verified = Verified { ok: true, checksums, source: None, output: None, seconds: 0.0 };
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

/// Names everything that is wrong on stderr, and what was not compared.
pub fn say_damage(verified: &Verified, store: &Path, source: Option<&Path>, out: Option<&Path>, speaker: &Speaker) {
    let all = "--json lists all";
    output::say_wrong(format_args!("{} is damaged", output::path(store)), &verified.checksums.damages, all);
    if let (Some(path), Some(report)) = (source, &verified.source) {
        let listed = report.differences.len() as u64;
        let rest = match report.not_listed {
            0 => all.to_owned(),
            _ => format!("--json lists {} of {}", output::count(listed), output::count(report.difference_count)),
        };
        let lines: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
        let path = output::path(path);
        output::say_wrong(format_args!("{path} differs from the store: {}", differing(report)), &lines, &rest);
        skips::say_skipped(&report.skipped, report.files + report.skipped.len() as u64, speaker, all);
        if !report.skipped_before.is_empty() {
            let files = output::counted(report.skipped_before.len() as u64, "file", "files");
            output::say(format_args!("transect: {files} skipped, as before:"));
            skips::say_grouped(&report.skipped_before, speaker, all);
        }
        say_kept(report, speaker, all);
        if !report.restated.is_empty() {
            output::say("transect: their files have other values:");
            output::say_listed(report.restated.iter().map(ToString::to_string), all);
        }
    }
    if let (Some(path), Some(report)) = (out, &verified.output) {
        output::say_wrong(format_args!("{} differs from the store", output::path(path)), &report.differences, all);
        if report.not_as_written > 0 {
            let [store, out] = [store, path].map(|path| quoted(&output::path(path)));
            output::say(format_args!("  `transect transpose {store} {out} --check-content` writes such files again"));
        }
    }
}

/// What differs, in numbers.
fn differing(report: &SourceReport) -> String {
    let counts = [
        (report.differing_values, "value", "values"),
        (report.only_in_store, "row only in the store", "rows only in the store"),
        (report.only_in_source, "row only in the source", "rows only in the source"),
    ];
    let rows: u64 = counts.iter().map(|(count, ..)| count).sum();
    let types = (report.difference_count - rows, "column's type", "columns' types");
    let counts = counts.into_iter().chain([types]).filter(|(count, ..)| *count > 0);
    let mut text = counts.map(|(count, one, many)| output::counted(count, one, many)).collect::<Vec<_>>().join(", ");
    if rows > 0 {
        let stocks = output::counted(report.differing_stocks, "stock", "stocks");
        text.push_str(&format!(", of {stocks} on {}", output::counted(report.differing_dates, "date", "dates")));
    }
    text
}

/// Names the rows that the store keeps and the source does not have.
fn say_kept(report: &SourceReport, speaker: &Speaker, rest: &str) {
    let prune = speaker.settings(&[Setting::Prune]).unwrap_or_default();
    let gone = format!("not compared; their files are gone ({prune} removes such rows)");
    for (why, heading) in [
        (Kept::Missing, gone.as_str()),
        (Kept::Skipped, "not compared; their files cannot be read now"),
        (Kept::Appended, "as append gave them, until their file changes and has them"),
        (
            Kept::Removed,
            "not compared; an append that replaced their dates removed them, and their file has not changed since",
        ),
    ] {
        let kept: Vec<_> = report.kept.iter().filter(|kept| kept.why == why).collect();
        if kept.is_empty() {
            continue;
        }
        let rows = output::counted(kept.iter().map(|kept| kept.rows).sum(), "row", "rows");
        output::say(format_args!("transect: {rows} {heading}:"));
        let line = |kept: &&crate::KeptRows| {
            let rows = output::counted(kept.rows, "row", "rows");
            let of = kept.code.clone().or(kept.date.map(|date| date.to_string())).unwrap_or_default();
            format!("{}: {rows} of {of}", kept.path.as_deref().unwrap_or("no file"))
        };
        output::say_listed(kept.iter().map(line), rest);
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
    let counts = [
        output::counted(report.files, "file", "files"),
        output::counted(report.rows, "row", "rows"),
        output::counted(report.values, "value", "values"),
    ];
    let mut line = counts.join(", ");
    line.push_str("; ");
    let left_out = [
        (report.merged_rows, output::merged(report.merged_rows)),
        (report.dropped_rows, output::dateless(report.dropped_rows)),
        (report.waiting_rows, output::waiting(report.waiting_rows)),
        (report.left_out, output::lone(report.left_out)),
    ];
    let left_out: Vec<String> = left_out.into_iter().filter(|(count, _)| *count > 0).map(|(_, rows)| rows).collect();
    if !left_out.is_empty() {
        line.push_str(&format!("left out {}; ", listed(&left_out)));
    }
    match report.difference_count {
        0 if report.is_complete() && !left_out.is_empty() => {
            line.push_str("every other row is in the store as it is here");
        }
        0 if report.is_complete() => line.push_str("every row is in the store as it is here"),
        0 => line.push_str("what was compared is the same"),
        count => line.push_str(&format!("{}, named on stderr", output::counted(count, "difference", "differences"))),
    }
    for (is_appended, what) in [(false, "not compared"), (true, "as append gave them")] {
        let kept = report.kept.iter().filter(|kept| (kept.why == Kept::Appended) == is_appended);
        let rows = kept.map(|kept| kept.rows).sum();
        if rows > 0 {
            line.push_str(&format!("; {} {what}", output::counted(rows, "row", "rows")));
        }
    }
    if !report.skipped_before.is_empty() {
        let files = output::counted(report.skipped_before.len() as u64, "file", "files");
        line.push_str(&format!("; {files} skipped, as before"));
    }
    line
}

fn output_line(report: Option<&OutputReport>) -> String {
    let Some(report) = report else { return "not compared, because the store is damaged".to_owned() };
    let verdict = match report.differences.len() as u64 {
        0 => "each holds what the store does".to_owned(),
        count => format!("{}, named on stderr", output::counted(count, "difference", "differences")),
    };
    let (files, rows) = (output::counted(report.files, "file", "files"), output::counted(report.rows, "row", "rows"));
    let mut line = format!("{files}, {rows}; {verdict}");
    if report.not_written > 0 {
        let dates = output::counted(report.not_written, "date of the store has", "dates of the store have");
        line.push_str(&format!("; {dates} no file here"));
    }
    line
}
