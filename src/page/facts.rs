//! The facts as the page takes them: numbers in lists, and the stocks' months as bytes.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::coverage::{ColumnCoverage, Coverage, Distribution, StockState, VersionChange, VersionCoverage};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::quantity::shown;
use crate::store::{DateChange, SourceInfo, Store};

/// Cells of stocks x months that a page draws, at most: 32 MiB, where 5,000 stocks in 25 years are 1.5.
const MOST_CELLS: usize = 32 << 20;

/// Versions that are listed, at most: half a megabyte.
const MOST_VERSIONS: usize = 2000;

/// Bytes of what versions changed, at most: a page of 5,000 stocks in 25 years stays below 5 MB.
const CHANGE_BYTES: usize = 600_000;

/// Bytes of the numbers of rows by date, at most.
const COUNT_BYTES: usize = 400_000;

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
    /// Days that the panel had once.
    gone: Vec<i32>,
    version_count: usize,
    /// The newest.
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
    let known = known_dates(coverage);
    // A live version that cannot be opened keeps nobody from a page about an older one.
    let live = Store::open_with(store.path(), store.access()).ok().map(|live| live.version());
    let name = store.path().file_name().unwrap_or(store.path().as_os_str());
    let facts = Facts {
        store: name.to_string_lossy().into_owned(),
        version: coverage.version,
        made: shown(coverage.created_ns),
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
        gone: known.iter().filter(|date| place(coverage, date).is_err()).map(|date| date.days()).collect(),
        version_count: coverage.versions.len(),
        versions: versions(&coverage.versions, &known, live)?,
        sources: coverage.sources.iter().map(source).collect(),
    };
    text(&facts)
}

fn text(facts: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string(facts)
        .map_err(|error| Error::Failed { action: "write the page's facts".to_owned(), source: Box::new(error) })?;
    // Such a character is in a text, where its escape means the same.
    Ok(text.replace('<', "\\u003c"))
}

/// Where a date of the panel is.
fn place(coverage: &Coverage, date: &Date) -> std::result::Result<usize, usize> {
    coverage.dates.binary_search_by_key(date, |known| known.date)
}

/// The dates of the panel, and those that some version dirtied: it had them once.
fn known_dates(coverage: &Coverage) -> Vec<Date> {
    let dirty = coverage.versions.iter().filter_map(|version| version.dirty.as_ref()).flatten();
    let gone: BTreeSet<Date> = dirty.copied().filter(|date| place(coverage, date).is_err()).collect();
    let mut known: Vec<Date> = coverage.dates.iter().map(|date| date.date).chain(gone).collect();
    known.sort_unstable();
    known
}

fn stocks(coverage: &Coverage) -> Stocks<'_> {
    let place = |date: Date| place(coverage, &date).unwrap_or_default();
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

/// The newest of them, oldest first; what they changed, of as many of the newest as there is room for, however many there
/// are and however much each changed.
fn versions(all: &[VersionCoverage], known: &[Date], live: Option<u64>) -> Result<Vec<Value>> {
    let (mut changes, mut counts) = (Room(CHANGE_BYTES), Room(COUNT_BYTES));
    let mut versions = Vec::new();
    for told in all.iter().rev().take(MOST_VERSIONS) {
        let mut version = version(told, live);
        if let (Some(dirty), Some(change)) = (&told.dirty, &told.change) {
            version["change"] = changes.take(what_changed(dirty, change, known))?;
            match version["change"].is_null() {
                true => version["untold"] = json!("large"),
                false => version["counts"] = counts.take(by_date(dirty, &change.dates))?,
            }
        }
        versions.push(version);
    }
    versions.reverse();
    Ok(versions)
}

/// How many bytes of the page are left for something.
struct Room(usize);

impl Room {
    /// `value`, or null when there is no room for it, or was none for one before.
    fn take(&mut self, value: Value) -> Result<Value> {
        let left = self.0.checked_sub(text(&value)?.len());
        self.0 = left.unwrap_or(0);
        Ok(if left.is_some() { value } else { Value::Null })
    }
}

fn version(version: &VersionCoverage, live: Option<u64>) -> Value {
    let VersionCoverage { entry, kept, untold, .. } = version;
    let state = match kept {
        _ if live == Some(entry.version) => "live",
        true => "kept",
        false => "gone",
    };
    json!({
        "version": entry.version,
        "made": shown(entry.created_ns),
        "command": entry.command,
        "rows": entry.rows,
        "added": entry.added,
        "restated": entry.restated,
        "removed": entry.removed,
        "filled": entry.filled,
        "dirty_dates": entry.dirty_dates,
        "state": state,
        "untold": untold,
    })
}

/// Dirty dates are runs among the known ones: where each begins, and how many it has.
fn what_changed(dirty: &[Date], change: &VersionChange, known: &[Date]) -> Value {
    let places: Vec<usize> = dirty.iter().filter_map(|date| known.binary_search(date).ok()).collect();
    let runs = places.chunk_by(|a, b| a + 1 == *b).flat_map(|run| [run[0], run.len()]);
    let columns = change.columns.iter().map(|column| json!([column.column, column.restated, column.filled]));
    let stocks = change.stocks.iter().map(|s| json!([s.stock, s.added, s.restated, s.removed, s.filled]));
    json!({
        "dirty": runs.collect::<Vec<usize>>(),
        "lost": change.lost,
        "column_count": change.column_count,
        "columns": columns.collect::<Value>(),
        "stock_count": change.stock_count,
        "stocks": stocks.collect::<Value>(),
    })
}

/// Rows of each dirty date, by what became of them; what became of none is left out.
fn by_date(dirty: &[Date], changes: &[DateChange]) -> Value {
    let mut lists: [(&str, Vec<u64>); 4] = ["added", "restated", "removed", "filled"].map(|name| (name, Vec::new()));
    let mut changes = changes.iter().peekable();
    for date in dirty {
        let change = changes.next_if(|change| change.date == *date);
        let counts = change.map_or([0; 4], |of| [of.added, of.restated, of.removed, of.filled]);
        lists.iter_mut().zip(counts).for_each(|((_, list), count)| list.push(count));
    }
    let some = lists.into_iter().filter(|(_, list)| list.iter().any(|&count| count > 0));
    some.map(|(name, list)| (name.to_owned(), json!(list))).collect::<Map<String, Value>>().into()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::VersionEntry;

    /// A version that restated a row on each of these dates.
    fn restating(version: u64, dates: &[Date]) -> VersionCoverage {
        let counts = dates.iter().map(|&date| DateChange { restated: 1, ..DateChange::none(date) });
        VersionCoverage {
            entry: VersionEntry {
                version,
                commit: version,
                created_ns: 0,
                command: "update".to_owned(),
                rows: 17_000_000,
                dates: 6552,
                added: 0,
                restated: dates.len() as u64,
                filled: 0,
                removed: 0,
                dirty_dates: dates.len() as u64,
                dirty_stocks: 1,
                dirty_columns: 1,
                changes: None,
            },
            kept: false,
            dirty: Some(dates.to_vec()),
            change: Some(VersionChange {
                dates: counts.collect(),
                lost: Vec::new(),
                column_count: 1,
                columns: Vec::new(),
                stock_count: 1,
                stocks: Vec::new(),
            }),
            untold: None,
        }
    }

    /// What the page says of `count` versions, each of which restated `dates`; and how many bytes that takes.
    fn told(count: u64, known: &[Date], dates: &[Date]) -> (Vec<Value>, usize) {
        let all: Vec<VersionCoverage> = (1..=count).map(|version| restating(version, dates)).collect();
        let versions = versions(&all, known, Some(count)).unwrap();
        let bytes = text(&versions).unwrap().len();
        (versions, bytes)
    }

    #[test]
    fn what_a_page_says_of_versions_is_bounded_and_the_newest_are_told_most() {
        let days: Vec<Date> = (10_000..16_552).filter_map(Date::from_days).collect();
        let scattered: Vec<Date> = days.iter().copied().step_by(2).collect();
        for (count, dates) in [(60, &days[..]), (120, &scattered), (2500, &scattered[..50]), (3000, &days[..1])] {
            let (versions, bytes) = told(count, &days, dates);
            assert!(bytes < 1_500_000, "{count} versions: {bytes}");
            assert_eq!(versions.len() as u64, count.min(2000));
            let newest = versions.last().unwrap();
            assert_eq!((&newest["version"], &newest["state"]), (&json!(count), &json!("live")));
            assert_eq!(newest["counts"]["restated"].as_array().map(Vec::len), Some(dates.len()));
            // From the newest to the oldest ever less is told, and the page says so.
            let told = |version: &Value| match (version["change"].is_null(), version["counts"].is_null()) {
                (false, counts) => 1 + u32::from(!counts),
                (true, _) => 0,
            };
            assert!(versions.iter().map(told).is_sorted());
            let is_said = |version: &Value| (version["untold"] == "large") == (told(version) == 0);
            assert!(versions.iter().all(is_said));
        }
        // A month of nights that restate a stock's whole history is told by date.
        let (versions, _) = told(25, &days, &days);
        assert!(versions.iter().all(|version| version["counts"]["restated"].as_array().is_some()));
    }
}
