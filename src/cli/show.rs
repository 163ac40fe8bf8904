//! `transect show`

use crate::progress::Silent;
use crate::store::Answer;
use crate::workers::Workers;
use crate::{Request, Selection, Store};
use anyhow::{Context, bail};
use arrow_array::RecordBatch;

use super::args::{RowFormat, ShowArgs};
use super::exit::Exit;
use super::output::{self, Out};
use super::rows::RowWriter;
use super::words::Names;

pub fn run(args: ShowArgs, quiet: bool) -> anyhow::Result<Exit> {
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from > to
    {
        return Err(super::usage("show", format_args!("--from {from} is later than --to {to}")));
    }
    let format = RowFormat::for_stdout("show", args.format)?;
    let store = args.at.open(&args.store, quiet)?;
    let stocks = args.stock.as_ref().map(|stocks| stocks.read("code")).transpose()?;
    let columns = args.columns.as_deref().map(Names::all);
    // A column that is not there is told before anything else.
    store.answer(&Request { columns: columns.clone(), ..Request::default() })?;
    let dates = selection(&args, &store, stocks.is_some(), quiet)?;
    if args.date.is_none() {
        super::transpose::check_range(&dates, &store)?;
    }
    let ignore_unknown = args.ignore_unknown;
    let request = Request { columns, dates, stocks: stocks.clone(), ignore_unknown, ..Request::default() };
    let answer = store.answer(&request)?;
    let mut out = Out::new();
    let result = write(&args, &answer, stocks.as_deref(), format, &mut out);
    out.finish(result)?;
    Ok(Exit::Done)
}

/// The dates to show: the latest one unless something else was asked for.
fn selection(args: &ShowArgs, store: &Store, has_stocks: bool, quiet: bool) -> anyhow::Result<Selection> {
    let only = |date| Selection { dates: Some(vec![date]), ..Selection::default() };
    let is_open = args.from.is_none() && args.to.is_none() && args.last.is_none();
    match args.date {
        Some(date) => Ok(only(date)),
        None if is_open && !has_stocks => {
            let &date = store.dates()?.last().context("the store has no dates")?;
            if !quiet {
                output::say(format_args!("the latest date, {date}; --date and --stock show others"));
            }
            Ok(only(date))
        }
        None => Ok(Selection { from: args.from, to: args.to, last: args.last, ..Selection::default() }),
    }
}

fn write(
    args: &ShowArgs,
    answer: &Answer,
    stocks: Option<&[String]>,
    format: RowFormat,
    out: &mut Out,
) -> anyhow::Result<()> {
    let all: Box<dyn Iterator<Item = crate::Result<RecordBatch>>> = match (stocks, args.date) {
        // The rows of one stock are found without a look at the others.
        (Some([code]), None) => Box::new(std::iter::once(answer.series(code, &Workers::new(None)?, &Silent))),
        _ => Box::new(answer.batches()),
    };
    let is_empty = |batch: &crate::Result<RecordBatch>| batch.as_ref().is_ok_and(|batch| batch.num_rows() == 0);
    let mut batches = all.filter(|batch| !is_empty(batch));
    // Nothing is printed before something is there.
    let first = batches.next().transpose()?;
    if let (None, Some(stocks)) = (&first, stocks) {
        let whose = match stocks {
            [code] => format!("stock {code:?} has"),
            _ => "these stocks have".to_owned(),
        };
        let when = args.date.map_or("these dates".to_owned(), |date| date.to_string());
        bail!("{whose} no row on {when}; --stock alone shows the dates it has");
    }
    let mut writer = RowWriter::begin(format, answer.schema(), out)?;
    for batch in first.map(Ok).into_iter().chain(batches) {
        writer.write(&batch?)?;
    }
    writer.finish()
}
