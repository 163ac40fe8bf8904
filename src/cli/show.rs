//! `transect show`

use crate::progress::Silent;
use crate::workers::Workers;
use crate::{Date, Request, Selection, Store};
use anyhow::{Context, bail};
use arrow_array::RecordBatch;

use super::args::{RowFormat, ShowArgs};
use super::exit::Exit;
use super::output::{self, Out};
use super::rows::RowWriter;
use super::words::Names;

pub fn run(args: ShowArgs, quiet: bool) -> anyhow::Result<Exit> {
    let format = RowFormat::for_stdout("show", args.format);
    let store = args.at.open(&args.store, quiet)?;
    let request = Request { columns: args.columns.as_deref().map(Names::all), ..Request::default() };
    // A column that is not there is told before anything else.
    store.answer(&request)?;
    let batch = match (args.date, &args.stock) {
        (Some(date), None) => section(&store, date, request)?,
        (Some(date), Some(code)) => row(&store, date, code, request)?,
        (None, Some(code)) => store.answer(&request)?.series(code, &Workers::new(None)?, &Silent)?,
        (None, None) => {
            let &date = store.dates()?.last().context("the store has no dates")?;
            if !quiet {
                output::say(format_args!("the latest date, {date}; --date and --stock show others"));
            }
            section(&store, date, request)?
        }
    };
    let mut out = Out::new();
    let result = write(&batch, format, &mut out);
    out.finish(result)?;
    Ok(Exit::Done)
}

fn section(store: &Store, date: Date, request: Request) -> anyhow::Result<RecordBatch> {
    let dates = Selection { dates: Some(vec![date]), ..Selection::default() };
    Ok(store.answer(&Request { dates, ..request })?.batch(0)?)
}

/// The rows of a stock on a date: one, unless the panel has further key columns.
fn row(store: &Store, date: Date, code: &str, request: Request) -> anyhow::Result<RecordBatch> {
    let batch = section(store, date, Request { stocks: Some(vec![code.to_owned()]), ..request })?;
    if batch.num_rows() == 0 {
        bail!("stock {code:?} has no row on {date}; --stock alone shows the dates it has");
    }
    Ok(batch)
}

fn write(batch: &RecordBatch, format: RowFormat, out: &mut Out) -> anyhow::Result<()> {
    let mut writer = RowWriter::begin(format, batch.schema_ref(), out)?;
    writer.write(batch)?;
    writer.finish()
}
