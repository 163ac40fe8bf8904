//! `transect update`

use std::path::Path;

use crate::hint::visible;
use crate::remedy::{Setting, Words};
use crate::source::{CodeMap, OptionChanges};
use crate::store::Newest;
use crate::{RowChange, Update, UpdateReport};
use anyhow::Context;
use serde::Serialize;

use super::advice::Speaker;
use super::args::UpdateArgs;
use super::bar::Watch;
use super::build::empty_files;
use super::exit::{Exit, is_task};
use super::failure::Failure;
use super::output::{self, Lines};
use super::skips;
use super::stop::{Stop, allowed, of};
use super::words::Names;

/// Columns and examples that are named in the report.
const NAMED: usize = 5;

#[derive(Serialize)]
struct Json<'a> {
    store: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    #[serde(flatten)]
    report: &'a UpdateReport,
}

pub fn run(args: &UpdateArgs, quiet: bool) -> anyhow::Result<Exit> {
    let report = {
        let watch = Watch::new(quiet)?;
        configured(args, &watch, quiet).run()?
    };

    tell("update", &args.store, &report, args.running.json, quiet)
}

/// The update that was asked for.
pub fn configured<'a>(args: &UpdateArgs, watch: &'a Watch, quiet: bool) -> Update<'a> {
    let mut update = Update::new(&args.store)
        .check_content(args.check_content)
        .reread(args.reread)
        .prune(args.prune)
        .options(changes(args))
        .dry_run(args.limits.dry_run)
        .wait(args.waiting.patience())
        .access(args.io.of(&args.store, quiet))
        .allow(args.allowed.allow.iter().copied())
        .memory(args.memory)
        .observer(watch);
    update = update.sources(Names::all(&args.sources));
    if let Some(most) = args.limits.max_restated() {
        update = update.max_restated(most);
    }
    if let Some(date) = args.expect {
        update = update.expect(date, args.min_codes);
    }
    if let Some(most) = args.max_skipped {
        update = update.max_skipped(most);
    }
    if let Some(versions) = args.limits.keeping.keep {
        update = update.keep(versions);
    }
    if let Some(age) = args.limits.keeping.keep_for {
        update = update.keep_for(age);
    }
    match args.running.workers() {
        Some(count) => update.workers(count),
        None => update,
    }
}

fn changes(args: &UpdateArgs) -> OptionChanges {
    OptionChanges {
        ignore: args.ignore.clone(),
        date_columns: Names::all(&args.date_column),
        date_format: args.date_format.clone(),
        epoch: args.epoch,
        zone: args.zone.clone(),
        naive_zone: args.naive_zone.clone(),
        drop_time: args.drop_time,
        calendar: args.calendar.clone(),
        code_map: args.code_map.as_deref().map(CodeMap::at),
        duplicates: args.duplicates,
        bad_dates: args.bad_dates,
        exclude: Names::all(&args.exclude),
        casts: args.cast.clone(),
    }
}

/// Tells what a change to the store did; how the run ends.
pub fn tell(
    command: &'static str,
    store: &Path,
    report: &UpdateReport,
    json: bool,
    quiet: bool,
) -> anyhow::Result<Exit> {
    // A source that was added is there, and cannot be added again with other options.
    let is_added = command == "source add" && report.published;
    let speaker = if is_added { Speaker::afterwards(store) } else { Speaker::new(command, store) };
    tell_by(&speaker, (command, store), report, json, quiet)
}

/// As [`tell`], with ways out in the words of `speaker`.
pub fn tell_by(
    speaker: &Speaker,
    (command, store): (&'static str, &Path),
    report: &UpdateReport,
    json: bool,
    quiet: bool,
) -> anyhow::Result<Exit> {
    let store = output::path(store);
    skips::say_skipped(&report.skipped, report.file_count(), speaker, "--json lists all");
    let stop = Stop::new(&report.guards, report.refused.as_deref());
    let exit = match (&stop, report.skips_are_usual()) {
        (Some(_), _) => Exit::Stopped,
        (None, true) => Exit::Done,
        (None, false) => Exit::Skipped,
    };
    if json {
        let error = stop.as_ref().map(|stop| stop.failure(&store));
        let json = Json { store: store.clone(), error, report };
        skips::print_json_of(command, exit, &json, speaker, &["skipped"])
            .with_context(|| output::untold(&store, Some(report.version)))?;
    } else if !quiet {
        let lines = lines(&store, report, speaker);
        output::print(&lines.to_string()).with_context(|| output::untold(&store, Some(report.version)))?;
    }
    if let Some(stop) = stop {
        stop.say(if is_task(command) { "plan again" } else { "run it again" });
    }
    Ok(exit)
}

fn lines(store: &str, report: &UpdateReport, speaker: &Speaker) -> Lines {
    let mut lines = Lines::default();
    let state = match (report.published, report.is_stopped()) {
        (true, _) => "",
        (false, false) if report.dry_run && report.changes_anything() => " stays (--dry-run); this would change:",
        (false, false) => ", nothing changed",
        (false, true) if report.changes_anything() => " stays; this would have changed:",
        (false, true) => " stays; nothing would have changed",
    };
    // What is said of the store's state beneath such a line is said of the version that stays.
    let stays = if state.ends_with(':') { " (as it stays)" } else { "" };
    lines.add("store", format!("{store}, version {}{state}", report.version));
    if let Some(version) = report.restored {
        let stand = "which stand until a file changes, or `transect update --reread` reads all again";
        lines.add("restored", format!("the rows of version {version}, {stand}"));
    }
    let rows = |number| output::counted(number, "row", "rows");
    lines.add_some("added", report.added, |_| rows(report.added) + &new_stocks(report));
    let restated = report.columns.iter().map(|of| (of.column.as_str(), of.restated));
    lines.add_some("restated", report.restated, |_| rows(report.restated) + &columns(restated) + &stocks(report));
    let filled = report.filled_columns.iter().map(|of| (of.column.as_str(), of.filled));
    lines.add_some("filled", report.filled, |_| format!("{}{}: first values", rows(report.filled), columns(filled)));
    lines.add_some("removed", report.removed, |_| rows(report.removed));
    lines.add_some("waiting", report.waiting_rows, |_| output::waiting(report.waiting_rows));
    lines.add_some("kept", report.kept, |_| {
        let example = report.kept_examples.first().map_or_else(String::new, |row| format!(", such as {row}"));
        format!("{} that append brought and the files read lack{example}", rows(report.kept))
    });
    if let (Some(first), Some(last)) = (&report.first_dirty, &report.last_dirty) {
        let range = if first == last { first.to_string() } else { format!("{first} to {last}") };
        lines.add("dates", format!("{} dirty, {range}", output::count(report.dirty_dates)));
    }
    let dates = output::counted(report.dates, "date", "dates");
    lines.add("rows", format!("{} on {dates}{stays}", output::count(report.rows)));
    if report.restored.is_none() {
        lines.add("files", read(report));
    }
    if report.published {
        lines.add("written", output::bytes(report.written_bytes));
    }
    lines.add("time", output::seconds(report.seconds));
    for example in report.examples.iter().take(NAMED) {
        lines.add("such as", shown(example));
    }
    let column = ("column", "columns");
    let file = ("file", "files");
    let mut named = |label, (one, many), names: &[String], what: &str| {
        lines.add_some(label, names.len() as u64, |_| {
            let shown: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
            let more = if names.len() > NAMED { ", ..." } else { "" };
            format!("{}{what}: {}{more}", output::counted(names.len() as u64, one, many), shown.join(", "))
        });
    };
    named("new", column, &report.new_columns, ", null where the files read lack it");
    named("gone", column, &report.lost_columns, "");
    named("renamed", column, &report.renamed_columns, "");
    named("wider", column, &report.widened_columns, "");
    named("absent", column, &report.absent_columns, " in none of the files read, null in their rows");
    let prune = speaker.settings(&[Setting::Prune]).unwrap_or_default();
    named("missing", file, &report.missing_files, &format!(" that disappeared, while the rows stay ({prune})"));
    named("pruned", file, &report.pruned_files, " that disappeared, and the rows with them");
    lines.add_some("left out", report.left_out, |_| output::lone(report.left_out));
    lines.add_some("left out", report.merged_rows, |_| output::merged(report.merged_rows));
    lines.add_some("dropped", report.dropped_rows, |_| output::dateless(report.dropped_rows));
    lines.add_some("empty", report.empty_files.len() as u64, |_| empty_files(&report.empty_files));
    let skipped = report.skipped.len() as u64;
    lines.add_some("skipped", skipped, |_| {
        format!("{}, named on stderr; rows that the store has of them stay", output::counted(skipped, "file", "files"))
    });
    allowed(&report.guards, &mut lines);
    for note in &report.notes {
        lines.add("note", note);
    }
    for near in &report.near {
        lines.add("near", format!("{}{}: {}", near.guard, of(&near.source), near.what));
    }
    if let Some(newest) = &report.newest {
        add_newest(newest, stays, &mut lines);
    }
    lines
}

/// Who has the newest date, and who lacks it.
fn add_newest(newest: &Newest, stays: &str, lines: &mut Lines) {
    let have = |number, date| format!("{} {date}", output::counted(number, "stock has", "stocks have"));
    let before = newest.date_before.map(|date| format!(", {}", have(newest.stocks_before, date)));
    lines.add("newest", have(newest.stocks, newest.date) + &before.unwrap_or_default() + stays);
    for of in newest.sources.iter().filter(|of| of.stocks < of.stocks_before || of.last != Some(newest.date)) {
        // Night after night, until it has the newest date again.
        let before = match (newest.date_before, of.last) {
            (Some(date), _) if of.stocks_before > 0 => format!(", {}", have(of.stocks_before, date)),
            (_, Some(last)) => format!(", its last date is {last}"),
            (_, None) => ", and it has no row".to_owned(),
        };
        lines.add("behind", format!("source {}: {}{before}", of.source, have(of.stocks, newest.date)));
    }
    lines.add_some("stale", newest.stale, |_| {
        let named = newest.stale_stocks.iter().take(NAMED).map(|stale| format!("{} ({})", stale.stock, stale.last));
        let more = if newest.stale > NAMED as u64 { ", ..." } else { "" };
        let named = named.collect::<Vec<_>>().join(", ");
        format!("{}, with their last dates: {named}{more}", output::counted(newest.stale, "stock", "stocks"))
    });
}

/// `, of A (2)`, or `, of 300 stocks, most of A (12), B (11), ...`.
fn stocks(report: &UpdateReport) -> String {
    let named = report.stocks.iter().take(NAMED).map(|of| format!("{} ({})", of.stock, output::count(of.restated)));
    let named = named.collect::<Vec<_>>().join(", ");
    match report.restated_stocks {
        0 => String::new(),
        few if few <= NAMED as u64 => format!(", of {named}"),
        many => format!(", of {} stocks, most of {named}, ...", output::count(many)),
    }
}

fn new_stocks(report: &UpdateReport) -> String {
    match report.new_stocks {
        0 => String::new(),
        count => format!(", of {}", output::counted(count, "new stock", "new stocks")),
    }
}

/// ` in size (12), beta (3), ...`.
fn columns<'r>(counted: impl Iterator<Item = (&'r str, u64)>) -> String {
    let mut columns: Vec<_> = counted.collect();
    if columns.is_empty() {
        return String::new();
    }
    columns.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let shown: Vec<String> =
        columns.iter().take(NAMED).map(|(column, count)| format!("{column} ({})", output::count(*count))).collect();
    let more = if columns.len() > NAMED { ", ..." } else { "" };
    format!(" in {}{more}", shown.join(", "))
}

fn read(report: &UpdateReport) -> String {
    let mut text = format!("{} read", output::count(report.read_files));
    if report.touched_files > 0 {
        text += &format!(", {} touched", output::count(report.touched_files));
    }
    text + &format!(", {} unchanged", output::count(report.unchanged_files))
}

/// `20240102 000001.SZ size: 0.5 -> 0.6`, with further key columns after the code.
fn shown(change: &RowChange) -> String {
    let words = [change.date.to_string(), change.code.clone()].into_iter().chain(change.key.iter().cloned());
    let key = words.collect::<Vec<String>>().join(" ");
    match (&change.column, &change.before, &change.now) {
        (Some(column), Some(before), Some(now)) => {
            format!("{key} {column}: {} -> {}", visible(before), visible(now))
        }
        _ => format!("{key} {}", change.change),
    }
}
