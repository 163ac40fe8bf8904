//! `transect show`

use std::io::{self, IsTerminal};

use anyhow::{Context, bail};
use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use transect::workers::Workers;
use transect::{Date, Store};

use super::args::{ShowArgs, ShowFormat};
use super::cells::{Cells, Kind};
use super::exit::Exit;
use super::output::{self, Out};
use super::table::{Align, Table};

/// Rows of a table, at most.
const ROWS: usize = 40;

/// Columns that a table always shows: code and date.
const KEYS: usize = 2;

pub fn run(args: ShowArgs, quiet: bool) -> anyhow::Result<Exit> {
    let is_terminal = io::stdout().is_terminal();
    let format = args.format.unwrap_or(if is_terminal { ShowFormat::Table } else { ShowFormat::Csv });
    if is_terminal && matches!(format, ShowFormat::Parquet | ShowFormat::Arrow) {
        super::usage(
            "show",
            "this format is not for a terminal; send the output to a file with > or to a program with |",
        );
    }
    let store = args.at.open(&args.store)?;
    let columns = columns(&store, args.columns.as_deref())?;
    let batch = match (args.date, &args.stock) {
        (Some(date), None) => section(&store, date, &columns)?,
        (Some(date), Some(code)) => row(&store, date, code, &columns)?,
        (None, Some(code)) => store.series_of(code, &columns, &Workers::new(None)?)?,
        (None, None) => {
            let &date = store.dates()?.last().context("the store has no dates")?;
            if !quiet {
                output::say(format_args!("the latest date, {date}; --date and --stock show others"));
            }
            section(&store, date, &columns)?
        }
    };
    let mut out = Out::new();
    let result = write(&batch, format, is_terminal, &mut out);
    out.finish(result)?;
    Ok(Exit::Done)
}

/// The panel columns to show, in the order in which they were named. Code and date are always shown.
fn columns(store: &Store, names: Option<&[String]>) -> anyhow::Result<Vec<usize>> {
    let panel = store.schema()?;
    let Some(names) = names else { return Ok((0..panel.columns.len()).collect()) };
    let mut columns = Vec::new();
    for name in names.iter().filter(|name| **name != panel.code.name && **name != panel.date_name) {
        let Some(index) = panel.index_of(name) else {
            let known: Vec<&str> = panel.columns.iter().map(|column| column.name.as_str()).collect();
            bail!("column {name:?} not found; the panel has {}", known.join(", "));
        };
        if !columns.contains(&index) {
            columns.push(index);
        }
    }
    Ok(columns)
}

fn section(store: &Store, date: Date, columns: &[usize]) -> anyhow::Result<RecordBatch> {
    Ok(store.section(date)?.batch_of(columns)?)
}

/// The one row of a stock on a date.
fn row(store: &Store, date: Date, code: &str, columns: &[usize]) -> anyhow::Result<RecordBatch> {
    let section = store.section(date)?;
    store.stock(code)?;
    let Ok(row) = section.codes()?.binary_search(&code) else {
        bail!("stock {code:?} has no row on {date}; --stock alone shows the dates it has");
    };
    Ok(section.batch_of(columns)?.slice(row, 1))
}

fn write(batch: &RecordBatch, format: ShowFormat, is_terminal: bool, out: &mut Out) -> anyhow::Result<()> {
    match format {
        ShowFormat::Table => {
            let width = if is_terminal { output::terminal_width(io::stdout()) } else { usize::MAX };
            io::Write::write_all(out, table(&Cells::new(batch)?, width)?.as_bytes())?;
        }
        ShowFormat::Csv => Cells::new(batch)?.write_csv(out)?,
        ShowFormat::Json => Cells::new(batch)?.write_json(out)?,
        ShowFormat::Parquet => {
            let properties = WriterProperties::builder()
                .set_created_by(concat!("transect ", env!("CARGO_PKG_VERSION")).to_owned())
                .set_compression(Compression::SNAPPY)
                .build();
            let mut writer = ArrowWriter::try_new(out, batch.schema(), Some(properties))?;
            writer.write(batch)?;
            writer.close()?;
        }
        ShowFormat::Arrow => {
            let mut writer = FileWriter::try_new(out, batch.schema_ref())?;
            writer.write(batch)?;
            writer.finish()?;
        }
    }
    Ok(())
}

/// A table of what fits; the last line says how much there is and how much of it is left out.
fn table(cells: &Cells, width: usize) -> anyhow::Result<String> {
    let columns = cells.columns()?;
    let align = |kind| if kind == Kind::Text { Align::Left } else { Align::Right };
    let mut table = Table::new(&columns.iter().map(|column| (column.name, align(column.kind))).collect::<Vec<_>>());
    let hidden_rows = cells.row_count.saturating_sub(ROWS);
    let head = if hidden_rows > 0 { ROWS / 2 } else { cells.row_count };
    let rows: Vec<usize> = (0..head).chain(head + hidden_rows..cells.row_count).collect();
    let columns_of_cells =
        columns.iter().map(|column| column.table_cells(&rows)).collect::<anyhow::Result<Vec<Vec<String>>>>()?;
    for (at, &row) in rows.iter().enumerate() {
        if row == head + hidden_rows {
            table.push(columns.iter().map(|_| "...".to_owned()));
        }
        table.push(columns_of_cells.iter().map(|cells| cells[at].clone()));
    }
    let hidden_columns = table.fit(width, KEYS);
    let rows = |count: usize| output::counted(count as u64, "row", "rows");
    let cols = |count: usize| output::counted(count as u64, "column", "columns");
    let hidden = match (hidden_rows, hidden_columns) {
        (0, 0) => String::new(),
        (count, 0) => format!("; {} not shown", rows(count)),
        (0, count) => format!("; {} not shown", cols(count)),
        (r, c) => format!("; {} and {} not shown", rows(r), cols(c)),
    };
    Ok(format!("{table}[{} x {}{hidden}]\n", rows(cells.row_count), cols(columns.len())))
}
