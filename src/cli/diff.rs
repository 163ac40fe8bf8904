//! `transect diff`

use std::io::{self, IsTerminal};

use crate::progress::Observer;
use crate::store::{ColumnChange, DateChange, DateType, Diff, DiffReport};
use crate::workers::Workers;
use crate::{Error, Store};
use anyhow::{Context, bail};
use serde::Serialize;

use super::args::{DiffArgs, RowFormat};
use super::bar::Watch;
use super::exit::Exit;
use super::output::{self, Lines, Out};
use super::rows::RowWriter;
use super::table::{Align, Table};

/// Dates that are listed on a terminal, at most.
const DATES: usize = 40;

#[derive(Serialize)]
struct Json<'a> {
    store: String,
    #[serde(flatten)]
    report: &'a DiffReport,
}

pub fn run(args: &DiffArgs, quiet: bool) -> anyhow::Result<Exit> {
    let live = args.io.open(&args.store, quiet)?;
    let newer = live.other_version(args.newer.unwrap_or(live.version()))?;
    let older = live.other_version(args.older.map_or_else(|| version_before(&newer), Ok)?)?;
    let diff = newer.diff(&older)?;
    let watch = Watch::new(quiet)?;
    let workers = Workers::new(args.running.workers())?;
    if args.rows {
        let format = RowFormat::for_stdout("diff", args.format);
        let mut out = Out::new();
        let result = write_rows(&diff, format, &workers, &watch, &mut out);
        out.finish(result)?;
        return Ok(Exit::Done);
    }
    let report = diff.report(&workers, &watch)?;
    drop(watch);
    if args.running.json {
        output::print_json("diff", Exit::Done, &Json { store: output::path(&args.store), report: &report })?;
    } else if !quiet {
        output::print(&text(&output::path(&args.store), &report))?;
    }
    Ok(Exit::Done)
}

/// The newest version before `store`'s that can be opened.
fn version_before(store: &Store) -> anyhow::Result<u64> {
    let kept = store.kept_versions()?;
    kept.iter().rfind(|&&version| version < store.version()).copied().with_context(|| {
        let (path, version) = (output::path(store.path()), store.version());
        if store.history().is_ok_and(|history| history.len() == 1) {
            return format!(
                "version {version} is the first of {path}, and has nothing before it to compare it with; `transect \
                 update {}` makes the next one when files have changed",
                output::quoted(&path)
            );
        }
        format!(
            "{path} keeps no version before {version} to compare it with; `transect log {}` lists those that it keeps",
            output::quoted(&path)
        )
    })
}

fn text(store: &str, report: &DiffReport) -> String {
    let mut lines = Lines::default();
    lines.add("store", format!("{store}, from version {} to version {}", report.older, report.newer));
    let count = output::count;
    let filled = match report.filled {
        0 => String::new(),
        rows => format!(", {} filled in new columns", count(rows)),
    };
    let (added, restated, removed) = (count(report.added), count(report.restated), count(report.removed));
    lines.add("rows", format!("{added} added, {restated} restated, {removed} removed{filled}"));
    lines.add("dates", format!("{} with a difference", count(report.dates.len() as u64)));
    format!("{lines}{}{}", columns(&report.columns), dates(&report.dates))
}

/// The columns in which anything differs.
fn columns(columns: &[ColumnChange]) -> String {
    let mut table = Table::new(&[("column", Align::Left), ("restated values", Align::Right), ("type", Align::Left)]);
    let mut differ =
        columns.iter().filter(|column| column.restated > 0 || column.older_type != column.newer_type).peekable();
    if differ.peek().is_none() {
        return String::new();
    }
    for column in differ {
        let data_type = match (&column.older_type, &column.newer_type) {
            (Some(older), Some(newer)) if older == newer => newer.clone(),
            (Some(older), Some(newer)) => format!("{newer}, was {older}"),
            (None, Some(newer)) => {
                format!("{newer}, a new column, {} filled", output::counted(column.filled, "value", "values"))
            }
            (Some(older), None) => format!("{older}, gone"),
            (None, None) => String::new(),
        };
        table.push([column.name.clone(), output::count(column.restated), data_type]);
    }
    format!("\n{table}")
}

/// The dates on which anything differs; on a terminal without the middle of a long list.
fn dates(dates: &[DateChange]) -> String {
    let right = Align::Right;
    let has_filled = dates.iter().any(|date| date.filled > 0);
    let mut columns = vec![("date", Align::Left), ("added", right), ("restated", right), ("removed", right)];
    columns.extend(has_filled.then_some(("filled", right)));
    let mut table = Table::new(&columns);
    if dates.is_empty() {
        return String::new();
    }
    let hidden = if io::stdout().is_terminal() { dates.len().saturating_sub(DATES) } else { 0 };
    let gap = if hidden > 0 { DATES / 2..DATES / 2 + hidden } else { 0..0 };
    for (at, date) in dates.iter().enumerate() {
        if !gap.contains(&at) {
            let count = output::count;
            let counts = [date.date.to_string(), count(date.added), count(date.restated), count(date.removed)];
            table.push(counts.into_iter().chain(has_filled.then(|| count(date.filled))));
        } else if at == gap.start {
            table.push(columns.iter().map(|_| "...".to_owned()));
        }
    }
    let note = if hidden > 0 {
        format!(
            "[{}; {} not shown, --json has all]\n",
            output::counted(dates.len() as u64, "date", "dates"),
            output::count(hidden as u64)
        )
    } else {
        String::new()
    };
    format!("\n{table}{note}")
}

/// Writes every change. Holds those of as many dates as there are workers.
fn write_rows(diff: &Diff, format: RowFormat, workers: &Workers, watch: &Watch, out: &mut Out) -> anyhow::Result<()> {
    let schema = diff.rows_schema(DateType::Logical)?;
    let mut writer = RowWriter::begin(format, &schema, out)?;
    let count = diff.dates().len();
    watch.begin("diff", "sections", count as u64);
    for start in (0..count).step_by(workers.count()) {
        let batches = workers.map(workers.count().min(count - start), |at| {
            let section = diff.section(start + at)?;
            section.map(|section| diff.rows(&section, DateType::Logical)).transpose()
        });
        for batch in batches {
            if let Some(batch) = batch? {
                writer.write(&batch)?;
            }
            watch.advance(1);
        }
        if watch.cancelled() {
            bail!(Error::Cancelled);
        }
    }
    watch.end();
    writer.finish()
}
