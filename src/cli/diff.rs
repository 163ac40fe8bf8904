//! `transect diff`

use std::io::{self, IsTerminal};
use std::sync::Arc;

use crate::progress::Observer;
use crate::store::{ColumnChange, DateChange, Diff, DiffReport, SectionDiff};
use crate::workers::Workers;
use crate::{Error, Store};
use anyhow::{Context, bail};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, UInt32Array, cast::AsArray, types};
use arrow_cast::cast;
use arrow_ord::sort::{SortColumn, lexsort_to_indices};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use serde::Serialize;

use super::args::{DiffArgs, RowFormat};
use super::bar::Watch;
use super::cells::Cells;
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
    let live = args.reading.open(&args.store, quiet)?;
    let newer = live.other_version(args.newer.unwrap_or(live.version()))?;
    let older = live.other_version(args.older.map_or_else(|| version_before(&newer), Ok)?)?;
    let diff = newer.diff(&older)?;
    let watch = Watch::new(quiet)?;
    let workers = Workers::new(args.running.workers())?;
    if args.rows {
        let format = RowFormat::for_stdout("diff", args.format);
        let mut out = Out::new();
        let result = write_rows(&diff, &newer, format, &workers, &watch, &mut out);
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
fn write_rows(
    diff: &Diff,
    newer: &Store,
    format: RowFormat,
    workers: &Workers,
    watch: &Watch,
    out: &mut Out,
) -> anyhow::Result<()> {
    let schema = schema(newer)?;
    let mut writer = RowWriter::begin(format, &schema, out)?;
    let count = diff.dates().len();
    watch.begin("diff", "sections", count as u64);
    for start in (0..count).step_by(workers.count()) {
        let batches = workers.map(workers.count().min(count - start), |at| {
            let section = diff.section(start + at)?;
            section.map(|section| changes(diff, newer, &section, &schema)).transpose()
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

fn schema(newer: &Store) -> anyhow::Result<SchemaRef> {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let panel = newer.schema()?;
    let key = panel.key.iter().map(|&index| {
        let column = &panel.columns[index];
        Field::new(&column.name, plain(&column.data_type), true)
    });
    let rest = ["change", "column", "old", "new"].map(text);
    let fields = [Field::new("date", plain(&panel.date_form.data_type), true), text("stock")];
    Ok(Arc::new(Schema::new(fields.into_iter().chain(key).chain(rest).collect::<Vec<Field>>())))
}

/// The type without a dictionary: an Arrow file has one for all of its batches.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        plain => plain.clone(),
    }
}

/// A change of one row, or of one value in it.
struct Change<'a> {
    code: &'a str,
    /// Which of the lists of rows it is in, and where.
    place: (usize, usize),
    change: &'static str,
    column: Option<usize>,
    old: Option<String>,
    new: Option<String>,
}

/// The changes of one date by key and column: a row for each value that was restated or filled, and one for each row
/// that was added or removed.
fn changes(diff: &Diff, newer: &Store, section: &SectionDiff, schema: &SchemaRef) -> anyhow::Result<RecordBatch> {
    let mut changes: Vec<Change<'_>> = Vec::new();
    for (list, (codes, change)) in [(&section.added, "added"), (&section.removed, "removed")].into_iter().enumerate() {
        let whole = |(row, code)| Change { code, place: (list, row), change, column: None, old: None, new: None };
        changes.extend(codes.iter().map(AsRef::as_ref).enumerate().map(whole));
    }
    for values in &section.columns {
        let (old, new) = (texts(&values.old)?, texts(&values.new)?);
        let is_new = diff.columns()[values.column].older.is_none();
        for (at, (&row, (old, new))) in values.rows.iter().zip(old.into_iter().zip(new)).enumerate() {
            let is_told = old != new;
            let tell = |text: Option<String>, array: &ArrayRef| {
                if is_told { text } else { text.map(|text| bits(array, at, text)) }
            };
            changes.push(Change {
                code: &section.changed[row],
                place: (2, row),
                change: if is_new { "filled" } else { "restated" },
                column: Some(values.column),
                old: tell(old, &values.old),
                new: tell(new, &values.new),
            });
        }
    }
    let places: Vec<(usize, usize)> = changes.iter().map(|change| change.place).collect();
    let lists = section.added_key.iter().zip(&section.removed_key).zip(&section.changed_key);
    let key = lists.map(|((added, removed), changed)| {
        let whole = interleave(&[added.as_ref(), removed.as_ref(), changed.as_ref()], &places)?;
        Ok(cast(&whole, &plain(whole.data_type()))?)
    });
    let key = key.collect::<anyhow::Result<Vec<ArrayRef>>>()?;
    let codes: ArrayRef = Arc::new(changes.iter().map(|change| Some(change.code)).collect::<StringArray>());
    let name = |change: &Change<'_>| change.column.map(|column| diff.columns()[column].name.as_str());
    let numbers = changes.iter().map(|change| change.column.map(|column| column as u32));
    let numbers: ArrayRef = Arc::new(numbers.collect::<UInt32Array>());
    let sorted = [&codes].into_iter().chain(&key).chain([&numbers]);
    let sorted: Vec<SortColumn> = sorted.map(|values| SortColumn { values: values.clone(), options: None }).collect();
    let order = lexsort_to_indices(&sorted, None)?;

    let date = newer.schema()?.date_form.repeated(section.date, changes.len())?;
    let mut columns: Vec<ArrayRef> = vec![cast(&date, schema.field(0).data_type())?, codes];
    columns.extend(key);
    columns.extend([
        Arc::new(changes.iter().map(|change| Some(change.change)).collect::<StringArray>()) as ArrayRef,
        Arc::new(changes.iter().map(name).collect::<StringArray>()),
        Arc::new(changes.iter().map(|change| change.old.as_deref()).collect::<StringArray>()),
        Arc::new(changes.iter().map(|change| change.new.as_deref()).collect::<StringArray>()),
    ]);
    let columns = columns.iter().map(|column| take(column, &order, None)).collect::<Result<_, _>>()?;
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

/// The values of `array` as csv has them.
fn texts(array: &ArrayRef) -> anyhow::Result<Vec<Option<String>>> {
    let batch = RecordBatch::try_from_iter_with_nullable([("", array.clone(), true)])?;
    let cells = Cells::new(&batch)?;
    let columns = cells.columns()?;
    let [column] = columns.as_slice() else { return Ok(Vec::new()) };
    let text = |row| {
        let mut text = String::new();
        Ok(column.read(row, &mut text)?.then_some(text))
    };
    (0..array.len()).map(text).collect()
}

/// `text`, with the bits of a float: two NaNs differ in nothing else.
fn bits(array: &ArrayRef, row: usize, text: String) -> String {
    match array.data_type() {
        DataType::Float32 => {
            format!("{text}(0x{:08x})", array.as_primitive::<types::Float32Type>().value(row).to_bits())
        }
        DataType::Float64 => {
            format!("{text}(0x{:016x})", array.as_primitive::<types::Float64Type>().value(row).to_bits())
        }
        _ => text,
    }
}
