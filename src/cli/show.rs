//! `transect show`

use std::collections::BTreeSet;

use crate::progress::Silent;
use crate::store::{Answer, CodeType, DateType, Types};
use crate::workers::Workers;
use crate::{Date, Request, Selection, Store};
use anyhow::{Context, bail};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;

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
    let stocks = args.stock.as_ref().map(|stocks| stocks.read("--stock", "code")).transpose()?;
    let columns = args.columns.as_deref().map(Names::all);
    // A column that is not there is told before anything else.
    store.answer(&Request { columns: columns.clone(), ..Request::default() })?;
    let mut dates = selection(&args, &store, stocks.is_some(), quiet)?;
    if args.date.is_none() {
        super::transpose::check_range(&dates, &store)?;
    }
    let ignore_unknown = args.ignore_unknown;
    if let (Some(stocks), Some(count)) = (&stocks, dates.last) {
        dates = Selection { dates: Some(last_dates(&store, stocks, &args, count)?), ..Selection::default() };
    }
    let request = Request { columns, dates, stocks: stocks.clone(), ignore_unknown, ..Request::default() };
    let answer = store.answer(&request)?;
    let mut out = Out::new();
    let result = write(&args, (&store, &answer), stocks.as_deref(), format, &mut out);
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

/// Whether one of these stocks has a row on any date.
fn has_rows(store: &Store, stocks: &[String]) -> anyhow::Result<bool> {
    let request = Request {
        columns: Some(Vec::new()),
        stocks: Some(stocks.to_vec()),
        ignore_unknown: true,
        ..Request::default()
    };
    let answer = store.answer(&request)?;
    for batch in rows(&answer, stocks)? {
        if batch?.num_rows() > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The last so many of the dates asked for on which one of `stocks` has a row.
fn last_dates(store: &Store, stocks: &[String], args: &ShowArgs, count: usize) -> anyhow::Result<Vec<Date>> {
    let request = Request {
        columns: Some(Vec::new()),
        dates: Selection { from: args.from, to: args.to, ..Selection::default() },
        stocks: Some(stocks.to_vec()),
        ignore_unknown: args.ignore_unknown,
        types: Types { code: CodeType::Dictionary, date: DateType::Day, ..Types::default() },
        ..Request::default()
    };
    let answer = store.answer(&request)?;
    let mut dates = BTreeSet::new();
    for batch in rows(&answer, stocks)? {
        let batch = batch?;
        let days = batch.column_by_name(&store.schema()?.date_name).context("a section lacks its dates")?;
        dates.extend(days.as_primitive::<Date32Type>().values().iter().filter_map(|&day| Date::from_days(day)));
    }
    Ok(dates.into_iter().rev().take(count).collect())
}

/// The rows of these stocks.
fn rows<'a>(
    answer: &'a Answer,
    stocks: &[String],
) -> anyhow::Result<Box<dyn Iterator<Item = crate::Result<RecordBatch>> + 'a>> {
    Ok(match stocks {
        // Those of one are found without a look at the others.
        [code] => Box::new(std::iter::once(answer.series(code, &Workers::new(None)?, &Silent))),
        _ => Box::new(answer.batches()),
    })
}

fn write(
    args: &ShowArgs,
    (store, answer): (&Store, &Answer),
    stocks: Option<&[String]>,
    format: RowFormat,
    out: &mut Out,
) -> anyhow::Result<()> {
    let all = match (stocks, args.date) {
        (Some(stocks), None) => rows(answer, stocks)?,
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
        if has_rows(store, stocks)? {
            let when = args.date.map_or("these dates".to_owned(), |date| date.to_string());
            bail!("{whose} no row on {when}; --stock alone shows the dates it has");
        }
        let before = store.kept_versions()?.into_iter().rev().filter(|version| *version < store.version());
        // One may be collected at this moment.
        let mut with_rows = before.filter(|version| {
            store.other_version(*version).is_ok_and(|other| has_rows(&other, stocks).unwrap_or(false))
        });
        let way_out = with_rows.next().map_or_else(
            || {
                format!(
                    "no older one that is kept has any; `transect log {}` tells what each removed",
                    output::path(store.path())
                )
            },
            |version| format!("--version {version} shows those that were there"),
        );
        bail!("{whose} no row in version {}; {way_out}", store.version());
    }
    let mut writer = RowWriter::begin(format, answer.schema(), out)?;
    for batch in first.map(Ok).into_iter().chain(batches) {
        writer.write(&batch?)?;
    }
    writer.finish()
}
