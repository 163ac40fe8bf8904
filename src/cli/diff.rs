//! `transect diff`

use std::cmp::Reverse;

use crate::hint::visible;
use crate::progress::Observer;
use crate::store::{ColumnChange, DateChange, DateType, Diff, DiffReport, Move, StockChange, Turn};
use crate::workers::Workers;
use crate::{Error, Store};
use anyhow::bail;
use arrow_array::RecordBatch;
use serde::Serialize;

use super::args::{DiffArgs, DiffBy, RowFormat};
use super::bar::Watch;
use super::exit::Exit;
use super::output::{self, Lines, Out, count};
use super::rows::RowWriter;
use super::table::{Align, Table};
use super::words::Names;

/// Rows of each table, at most.
const ROWS: usize = 10;

#[derive(Serialize)]
struct Json<'a> {
    store: String,
    #[serde(flatten)]
    report: &'a DiffReport,
}

pub fn run(args: &DiffArgs, quiet: bool) -> anyhow::Result<Exit> {
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from > to
    {
        return Err(super::usage("diff", format_args!("--from {from} is later than --to {to}")));
    }
    let live = args.io.open(&args.store, quiet)?;
    let diff = chosen(args, &live)?;
    let watch = Watch::new(quiet)?;
    let workers = Workers::new(args.running.workers())?;
    if let Some(by) = args.by {
        let format = RowFormat::for_stdout("diff", args.format)?;
        let mut out = Out::new();
        let report = || diff.counts(&workers, &watch);
        let rows = match by {
            DiffBy::Date => Some(diff.by_date(&report()?, DateType::Logical)?),
            DiffBy::Stock => Some(report()?.by_stock()?),
            DiffBy::Column => Some(report()?.by_column()?),
            DiffBy::Row => None,
        };
        let result = match rows {
            Some(rows) => write(&rows, format, &mut out),
            None => write_rows(&diff, format, &workers, &watch, &mut out),
        };
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

/// The difference that is asked for.
fn chosen(args: &DiffArgs, live: &Store) -> crate::Result<Diff> {
    let newer = live.other_version(args.newer.unwrap_or(live.version()))?;
    let mut diff = match args.older {
        Some(older) => newer.diff(&live.other_version(older)?)?,
        None => newer.diff_from_before()?,
    };
    diff = diff.between(args.from, args.to);
    if !args.stocks.is_empty() {
        diff = diff.of_stocks(Names::all(&args.stocks))?;
    }
    if !args.columns.is_empty() {
        diff = diff.of_columns(Names::all(&args.columns))?;
    }
    Ok(diff)
}

fn text(store: &str, report: &DiffReport) -> String {
    let mut text = summary(store, report);
    let differs = !report.dates.is_empty() || report.columns.iter().any(ColumnChange::differs);
    if report.older.is_some() && differs {
        text += "\n--by date, stock, column or row lists all; --stock, --column, --from and --to choose\n";
    }
    text
}

/// What changed, in lines and tables.
pub(super) fn summary(store: &str, report: &DiffReport) -> String {
    let mut lines = Lines::default();
    let Some(older) = report.older else {
        let none = format!("{store}, version {}; no version before it is kept to compare it with", report.newer);
        lines.add("store", none);
        return lines.to_string();
    };
    lines.add("store", format!("{store}, from version {older} to version {}", report.newer));
    let filled = match report.filled {
        0 => String::new(),
        rows => format!(", {} filled", count(rows)),
    };
    let (added, restated, removed) = (count(report.added), count(report.restated), count(report.removed));
    lines.add("rows", format!("{added} added, {restated} restated, {removed} removed{filled}"));
    let range = match report.dates.as_slice() {
        [] => String::new(),
        [only] => format!(", {}", only.date),
        [first, .., last] => format!(", {} to {}", first.date, last.date),
    };
    lines.add("dates", format!("{} with a difference{range}", count(report.dates.len() as u64)));
    let lost = (report.dirty_dates.len() - report.dates.len()) as u64;
    let told = |dates| format!("values of columns that are gone, on {dates} dates without another difference");
    lines.add_some("lost", lost, told);
    lines.add("stocks", format!("{} with a difference", count(report.stocks.len() as u64)));
    let tables = [
        moves(&report.moves),
        turns(&report.turns),
        stocks(&report.stocks),
        columns(&report.columns),
        dates(&report.dates),
    ];
    let mut text = lines.to_string();
    for table in tables.into_iter().filter(|table| !table.is_empty()) {
        text += &format!("\n{table}");
    }
    text
}

/// `heading`, or how many of `all` are shown under it.
fn heading(heading: &str, all: usize) -> String {
    if all > ROWS { format!("{heading} ({} of {})", count(ROWS as u64), count(all as u64)) } else { heading.to_owned() }
}

/// The numbers that moved furthest.
fn moves(moves: &[Move]) -> String {
    let Some(first) = moves.first() else { return String::new() };
    let (left, right) = (Align::Left, Align::Right);
    let mut names = vec![("date", left), ("stock", left)];
    names.extend(first.key.iter().map(|_| ("key", left)));
    names.extend([("column", left), ("old", right), ("new", right), ("move", right)]);
    let mut table = Table::new(&names);
    for told in moves.iter().take(ROWS) {
        let key = [told.date.to_string(), told.stock.clone()].into_iter().chain(told.key.iter().cloned());
        let values = [told.column.clone(), told.old.clone(), told.new.clone(), share(told.relative)];
        table.push(key.chain(values));
    }
    table.under("numbers that moved furthest, by the share of the smaller value", 2)
}

/// Columns whose values became null, NaN or infinite, or ceased to be, or are no numbers at all.
fn turns(turns: &[Turn]) -> String {
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new(&[("column", left), ("values", right), ("the first", left)]);
    let mut most: Vec<&Turn> = turns.iter().collect();
    if most.is_empty() {
        return String::new();
    }
    most.sort_by_key(|turn| Reverse(turn.values));
    for Turn { values, first, .. } in most.iter().take(ROWS) {
        let key: String = first.key.iter().map(|key| format!(" {key}")).collect();
        let (old, new) = (visible(&first.old), visible(&first.new));
        let told = format!("{} {}{key}: {old} -> {new}", first.date, first.stock);
        table.push([first.column.clone(), count(*values), told]);
    }
    let what = "restated values that are or were null, NaN or infinite, or are no numbers";
    table.under(&heading(what, most.len()), 1)
}

/// `+25 %`.
fn share(relative: Option<f64>) -> String {
    let Some(relative) = relative else { return "from 0".to_owned() };
    let percent = 100.0 * relative;
    match percent.abs() {
        1e9.. => format!("{percent:+.1e} %"),
        99.95.. => format!("{}{} %", if percent < 0.0 { "-" } else { "+" }, output::rounded(percent.abs())),
        0.995.. => format!("{percent:+.1} %"),
        0.01.. => format!("{percent:+.2} %"),
        _ => format!("{percent:+.1e} %"),
    }
}

/// The stocks with most changes: restated rows first.
fn stocks(stocks: &[StockChange]) -> String {
    if stocks.is_empty() {
        return String::new();
    }
    let mut most: Vec<&StockChange> = stocks.iter().collect();
    most.sort_by_key(|stock| Reverse((stock.restated, stock.added + stock.removed + stock.filled)));
    let has_filled = stocks.iter().any(|stock| stock.filled > 0);
    let mut table = counts("stock", has_filled);
    for stock in most.iter().take(ROWS) {
        let of = [stock.added, stock.restated, stock.removed];
        table.push(row(stock.stock.clone(), of, has_filled.then_some(stock.filled)));
    }
    table.under(&heading("stocks with most changes", stocks.len()), 1)
}

/// A table of counts by what `name` says.
fn counts(name: &str, has_filled: bool) -> Table {
    let right = Align::Right;
    let mut columns = vec![(name, Align::Left), ("added", right), ("restated", right), ("removed", right)];
    columns.extend(has_filled.then_some(("filled", right)));
    Table::new(&columns)
}

fn row(name: String, of: [u64; 3], filled: Option<u64>) -> Vec<String> {
    std::iter::once(name).chain(of.into_iter().chain(filled).map(count)).collect()
}

/// The columns in which most values differ.
fn columns(columns: &[ColumnChange]) -> String {
    let mut most: Vec<&ColumnChange> = columns.iter().filter(|column| column.differs()).collect();
    if most.is_empty() {
        return String::new();
    }
    most.sort_by_key(|column| Reverse(column.restated));
    let mut table = Table::new(&[("column", Align::Left), ("restated values", Align::Right), ("type", Align::Left)]);
    for column in most.iter().take(ROWS) {
        let mut about = match (&column.older_type, &column.newer_type) {
            (Some(older), Some(newer)) if older == newer => newer.clone(),
            (Some(older), Some(newer)) => format!("{newer}, was {older}"),
            (None, Some(newer)) => format!("{newer}, a new column"),
            (Some(older), None) => format!("{older}, gone"),
            (None, None) => String::new(),
        };
        if column.filled > 0 || column.older_type.is_none() {
            about += &format!(", {} filled", output::counted(column.filled, "value", "values"));
        }
        table.push([column.name.clone(), count(column.restated), about]);
    }
    table.under(&heading("columns with most restated values", most.len()), 1)
}

/// The newest dates on which anything differs.
fn dates(dates: &[DateChange]) -> String {
    if dates.is_empty() {
        return String::new();
    }
    let has_filled = dates.iter().any(|date| date.filled > 0);
    let mut table = counts("date", has_filled);
    for date in &dates[dates.len().saturating_sub(ROWS)..] {
        let of = [date.added, date.restated, date.removed];
        table.push(row(date.date.to_string(), of, has_filled.then_some(date.filled)));
    }
    table.under(&heading("newest dates with a difference", dates.len()), 1)
}

fn write(rows: &RecordBatch, format: RowFormat, out: &mut Out) -> anyhow::Result<()> {
    let mut writer = RowWriter::begin(format, rows.schema_ref(), out)?;
    writer.write(rows)?;
    writer.finish()
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
