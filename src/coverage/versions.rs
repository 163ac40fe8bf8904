//! What each version changed, as it was noted when the version was made.

use std::cmp::Reverse;

use serde::Serialize;

use crate::error::Result;
use crate::key::Date;
use crate::store::{ColumnChange, DateChange, DiffReport, StockChange, Store, VersionEntry};

/// Columns and stocks that are named of a version, at most.
const NAMED: usize = 20;

/// One version.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct VersionCoverage {
    /// When it was made, by what, and how much it changed.
    #[serde(flatten)]
    pub entry: VersionEntry,
    /// Whether it can be opened.
    pub kept: bool,
    /// The dates whose sections differ from the version before, ascending; `None` where that is not told.
    pub dirty: Option<Vec<Date>>,
    /// What differs on them.
    pub change: Option<VersionChange>,
    /// Why `change` is not told.
    pub untold: Option<Untold>,
}

/// Why it is not told what a version changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Untold {
    /// It is the first one.
    First,
    /// It was built anew, or that is too many versions ago.
    Gone,
}

/// What a version changed against the one before.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct VersionChange {
    /// The dates on which a row was added, restated, filled or removed, ascending.
    pub dates: Vec<DateChange>,
    /// Columns that are gone, whose values count for no row.
    pub lost: Vec<String>,
    /// How many columns have values that were restated or filled.
    pub column_count: u64,
    /// The most restated of them, then the most filled, at most 20.
    pub columns: Vec<ColumnTally>,
    /// How many stocks have rows that were added, restated, filled or removed.
    pub stock_count: u64,
    /// Those with most restated rows, then those with most others, at most 20.
    pub stocks: Vec<StockChange>,
}

/// A column that was restated or filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ColumnTally {
    /// Its name.
    pub column: String,
    /// Values that differ.
    pub restated: u64,
    /// First values in rows that were there.
    pub filled: u64,
}

/// All versions up to `store`'s.
pub(super) fn versions(store: &Store) -> Result<Vec<VersionCoverage>> {
    let kept = store.kept_versions()?;
    let version = |(at, entry): (usize, VersionEntry)| {
        let noted = store.changes_of(entry.version)?;
        let untold = match noted {
            Some(_) => None,
            None => Some(if at == 0 { Untold::First } else { Untold::Gone }),
        };
        Ok(VersionCoverage {
            kept: kept.binary_search(&entry.version).is_ok(),
            dirty: noted.as_ref().map(|noted| noted.dirty_dates.clone()),
            change: noted.map(change),
            untold,
            entry,
        })
    };
    store.history()?.into_iter().enumerate().map(version).collect()
}

/// The same change with the most restated columns and stocks alone.
fn change(diff: DiffReport) -> VersionChange {
    let is_lost = |column: &&ColumnChange| column.newer_type.is_none();
    let lost = diff.columns.iter().filter(is_lost).map(|column| column.name.clone()).collect();
    let changed = diff.columns.into_iter().filter(|column| column.restated + column.filled > 0);
    let mut columns: Vec<ColumnTally> = changed
        .map(|ColumnChange { name, restated, filled, .. }| ColumnTally { column: name, restated, filled })
        .collect();
    let column_count = columns.len() as u64;
    columns.sort_by_key(|column| Reverse((column.restated, column.filled)));
    columns.truncate(NAMED);
    let is_told = |stock: &StockChange| stock.added + stock.restated + stock.filled + stock.removed > 0;
    let mut stocks: Vec<StockChange> = diff.stocks.into_iter().filter(is_told).collect();
    let stock_count = stocks.len() as u64;
    stocks.sort_by_key(|stock| Reverse((stock.restated, stock.added + stock.filled + stock.removed)));
    stocks.truncate(NAMED);
    VersionChange { dates: diff.dates, lost, column_count, columns, stock_count, stocks }
}
