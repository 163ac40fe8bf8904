//! The facts as the page takes them: numbers in lists, and the stocks' months as bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use serde_json::{Value, json};

use crate::coverage::{ColumnCoverage, Coverage, Distribution, StockState, VersionCoverage};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::store::{SourceInfo, Store};

/// Cells of stocks x months that a page draws, at most: 32 MiB, where 5,000 stocks in 25 years are 1.5.
const MOST_CELLS: usize = 32 << 20;

/// Dates on which something changed, of all versions together: some 5 MB of the page.
const MOST_CHANGED_DATES: usize = 200_000;

/// Skipped files of a source that are listed, at most.
const MOST_SKIPPED: usize = 1000;

#[derive(Serialize)]
struct Facts<'a> {
    store: String,
    version: u64,
    made: String,
    rows: u64,
    /// Days since 1970, ascending. What follows is by date; a place is one among these.
    dates: Vec<i32>,
    month_of: Vec<u32>,
    stocks_on: Vec<u32>,
    absent: Vec<u32>,
    first_on: Vec<u32>,
    last_on: Vec<u32>,
    /// Places.
    unusual: Vec<usize>,
    months: Vec<u32>,
    month_dates: Vec<u32>,
    month_rows: Vec<u64>,
    stocks: Stocks<'a>,
    /// A byte for each stock and month, stock after stock: on how many of its dates the stock has a row.
    heat: Option<String>,
    columns: Vec<Column<'a>>,
    versions: Vec<Value>,
    sources: Vec<Value>,
}

/// By stock.
#[derive(Serialize)]
struct Stocks<'a> {
    code: Vec<&'a str>,
    /// Places.
    first: Vec<usize>,
    last: Vec<usize>,
    rows: Vec<u64>,
    dates: Vec<u32>,
    holes: Vec<u32>,
    /// A letter for each: current, stale, left.
    state: String,
}

#[derive(Serialize)]
struct Column<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    data_type: &'a str,
    source: Option<&'a str>,
    /// By month.
    nulls: Vec<u64>,
    nans: Vec<u64>,
    years: Vec<Value>,
    jump_count: u64,
    jumps: Vec<Value>,
}

/// `coverage` of `store` as JSON that may stand in a script element: nothing in it begins a tag.
///
/// # Errors
/// When it cannot be written as JSON, or the store's versions cannot be listed.
pub(super) fn json(store: &Store, coverage: &Coverage) -> Result<String> {
    let dates = &coverage.dates;
    let by_date = |of: fn(&crate::coverage::DateCoverage) -> u32| dates.iter().map(of).collect();
    let name = store.path().file_name().unwrap_or(store.path().as_os_str());
    let facts = Facts {
        store: name.to_string_lossy().into_owned(),
        version: coverage.version,
        made: made(coverage.created_ns),
        rows: coverage.rows,
        dates: dates.iter().map(|date| date.date.days()).collect(),
        month_of: coverage.months.iter().enumerate().flat_map(|(at, m)| (0..m.dates).map(move |_| at as u32)).collect(),
        stocks_on: by_date(|date| date.stocks),
        absent: by_date(|date| date.absent),
        first_on: by_date(|date| date.first),
        last_on: by_date(|date| date.last),
        unusual: (0..dates.len()).filter(|&at| dates[at].unusual).collect(),
        months: coverage.months.iter().map(|month| month.month).collect(),
        month_dates: coverage.months.iter().map(|month| month.dates).collect(),
        month_rows: coverage.months.iter().map(|month| month.rows).collect(),
        stocks: stocks(coverage),
        heat: heat(coverage),
        columns: coverage.columns.iter().map(column).collect(),
        versions: versions(&coverage.versions, store.kept_versions()?.last().copied()),
        sources: coverage.sources.iter().map(source).collect(),
    };
    let text = serde_json::to_string(&facts)
        .map_err(|error| Error::Failed { action: "write the page's facts".to_owned(), source: Box::new(error) })?;
    // Such a character is in a text, where its escape means the same.
    Ok(text.replace('<', "\\u003c"))
}

fn made(ns: i64) -> String {
    DateTime::from_timestamp_nanos(ns).to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn stocks(coverage: &Coverage) -> Stocks<'_> {
    let place = |date: Date| coverage.dates.binary_search_by_key(&date, |known| known.date).unwrap_or_default();
    let stocks = &coverage.stocks;
    let letter = |state| match state {
        StockState::Current => 'c',
        StockState::Stale => 's',
        StockState::Left => 'l',
    };
    Stocks {
        code: stocks.iter().map(|stock| &*stock.code).collect(),
        first: stocks.iter().map(|stock| place(stock.first)).collect(),
        last: stocks.iter().map(|stock| place(stock.last)).collect(),
        rows: stocks.iter().map(|stock| stock.rows).collect(),
        dates: stocks.iter().map(|stock| stock.dates).collect(),
        holes: stocks.iter().map(|stock| stock.holes).collect(),
        state: stocks.iter().map(|stock| letter(stock.state)).collect(),
    }
}

fn heat(coverage: &Coverage) -> Option<String> {
    let months = coverage.months.len();
    let cells = coverage.stocks.len().checked_mul(months).filter(|&cells| cells <= MOST_CELLS)?;
    let mut bytes = vec![0_u8; cells];
    for (stock, row) in coverage.stocks.iter().zip(bytes.chunks_mut(months.max(1))) {
        stock.months.iter().for_each(|month| row[month.month as usize] = month.dates);
    }
    Some(STANDARD.encode(bytes))
}

fn column(column: &ColumnCoverage) -> Column<'_> {
    Column {
        name: &column.name,
        data_type: &column.data_type,
        source: column.source.as_deref(),
        nulls: column.months.iter().map(|month| month.nulls).collect(),
        nans: column.months.iter().map(|month| month.nans).collect(),
        years: column.years.iter().map(year).collect(),
        jump_count: column.jump_count,
        jumps: column
            .jumps
            .iter()
            .map(|jump| json!([jump.date.days(), jump.kind, short(jump.before), short(jump.after)]))
            .collect(),
    }
}

fn year(year: &Distribution) -> Value {
    let Distribution { year, rows, nulls, nans, infinities, zeros, values, least, greatest, quantiles } = year;
    let mut list = vec![json!(year)];
    list.extend([rows, nulls, nans, infinities, zeros, values].map(|count| json!(count)));
    list.extend([least, greatest].map(|end| json!(end.map(short))));
    list.extend(quantiles.map_or_else(|| vec![Value::Null; 7], |all| all.map(|value| json!(short(value))).to_vec()));
    Value::Array(list)
}

/// A number to seven digits, of which the page shows five.
fn short(value: f64) -> f64 {
    format!("{value:.6e}").parse().unwrap_or(value)
}

/// All of them; what they changed, of the newest whose dates together are not too many.
fn versions(all: &[VersionCoverage], live: Option<u64>) -> Vec<Value> {
    let mut room = MOST_CHANGED_DATES;
    let newest_first = all.iter().rev().map(|told| {
        let dates = told.dirty.as_ref().map_or(0, Vec::len);
        let left = room.checked_sub(dates);
        room = left.unwrap_or(0);
        version(told, left.is_some(), live)
    });
    let mut versions: Vec<Value> = newest_first.collect();
    versions.reverse();
    versions
}

fn version(version: &VersionCoverage, has_room: bool, live: Option<u64>) -> Value {
    let VersionCoverage { entry, kept, dirty, change, untold } = version;
    let (dirty, change) = if has_room { (dirty.as_ref(), change.as_ref()) } else { (None, None) };
    let untold = if has_room { json!(untold) } else { json!("large") };
    let change = change.map(|change| {
        let dates = change.dates.iter().map(|d| json!([d.date.days(), d.added, d.restated, d.removed, d.filled]));
        let columns = change.columns.iter().map(|column| json!([column.column, column.restated, column.filled]));
        let stocks = change.stocks.iter();
        let stocks = stocks.map(|s| json!([s.stock, s.added, s.restated, s.removed, s.filled]));
        json!({
            "dates": dates.collect::<Value>(),
            "column_count": change.column_count,
            "columns": columns.collect::<Value>(),
            "stock_count": change.stock_count,
            "stocks": stocks.collect::<Value>(),
        })
    });
    // The dates of a change that is told are those.
    let dirty = dirty.filter(|_| change.is_none());
    let state = match kept {
        _ if live == Some(entry.version) => "live",
        true => "kept",
        false => "gone",
    };
    json!({
        "version": entry.version,
        "made": made(entry.created_ns),
        "command": entry.command,
        "rows": entry.rows,
        "added": entry.added,
        "restated": entry.restated,
        "removed": entry.removed,
        "filled": entry.filled,
        "dirty_dates": entry.dirty_dates,
        "state": state,
        "dirty": dirty.map(|dates| dates.iter().map(|date| json!(date.days())).collect::<Value>()),
        "change": change,
        "untold": untold,
    })
}

fn source(source: &SourceInfo) -> Value {
    let skipped = source.skipped_files.iter().take(MOST_SKIPPED);
    json!({
        "name": source.name,
        "rows": source.rows,
        "columns": source.columns.len(),
        "read": source.read_files,
        "empty": source.empty_files.len(),
        "skipped_count": source.skipped_files.len(),
        "skipped": skipped.map(|file| json!([file.path, file.reason.what()])).collect::<Value>(),
    })
}
