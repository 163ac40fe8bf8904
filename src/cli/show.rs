//! `transect show`

use anyhow::{Context, bail};
use arrow_array::RecordBatch;
use transect::workers::Workers;
use transect::{Date, Store};

use super::args::{RowFormat, ShowArgs};
use super::exit::Exit;
use super::output::{self, Out};
use super::rows::RowWriter;
use super::words::Names;

pub fn run(args: ShowArgs, quiet: bool) -> anyhow::Result<Exit> {
    let format = RowFormat::for_stdout("show", args.format);
    let store = args.at.open(&args.store, quiet)?;
    let columns = columns(&store, args.columns.as_deref().map(Names::all).as_deref())?;
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
    let result = write(&batch, format, &mut out);
    out.finish(result)?;
    Ok(Exit::Done)
}

/// The panel columns to show, in the order in which they were named. Code and date are always shown.
fn columns(store: &Store, names: Option<&[String]>) -> anyhow::Result<Vec<usize>> {
    let panel = store.schema()?;
    let Some(names) = names else { return Ok((0..panel.columns.len()).collect()) };
    let mut columns = Vec::new();
    for name in names.iter().filter(|name| **name != panel.code.name && **name != panel.date_name) {
        let index = panel.find(name)?;
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

fn write(batch: &RecordBatch, format: RowFormat, out: &mut Out) -> anyhow::Result<()> {
    let mut writer = RowWriter::begin(format, batch.schema_ref(), out)?;
    writer.write(batch)?;
    writer.finish()
}
