//! What each version changed, as far as it can still be compared with the one before.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::key::Date;
use crate::progress::Observer;
use crate::store::{DateChange, Diff, DiffReport, StockChange, Store, VersionEntry};
use crate::workers::Workers;

/// Columns and stocks that are named of a version, at most.
const NAMED: usize = 20;

/// Rows that are compared in any case.
const COMPARED: u64 = 1 << 20;

/// One version.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct VersionCoverage {
    /// When it was made, by what, and how much it changed.
    #[serde(flatten)]
    pub entry: VersionEntry,
    /// Whether it can be opened.
    pub kept: bool,
    /// The dates whose sections differ from the version before, ascending; `None` where one of the two is gone.
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
    /// It or the version before is gone.
    Gone,
    /// It would take too long beside the versions that are told.
    Large,
}

/// What a version changed against the one before.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct VersionChange {
    /// By date.
    pub dates: Vec<DateChange>,
    /// How many columns have restated values.
    pub column_count: u64,
    /// The most restated of them, at most 20.
    pub columns: Vec<ColumnTally>,
    /// How many stocks have rows that were added, restated or removed.
    pub stock_count: u64,
    /// Those with most restated rows, then those with most others, at most 20.
    pub stocks: Vec<StockChange>,
}

/// A column that was restated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ColumnTally {
    /// Its name.
    pub column: String,
    /// Values that differ.
    pub restated: u64,
}

/// All versions up to `store`'s. The newest ones are compared first, as long as they together have no more rows to
/// compare than the panel.
pub(super) fn versions(store: &Store, workers: &Workers, observer: &dyn Observer) -> Result<Vec<VersionCoverage>> {
    versions_within(store, store.row_count().max(COMPARED), workers, observer)
}

/// As [`versions`], with room for so many rows to compare.
fn versions_within(
    store: &Store,
    mut room: u64,
    workers: &Workers,
    observer: &dyn Observer,
) -> Result<Vec<VersionCoverage>> {
    let kept: BTreeSet<u64> = store.kept_versions()?.into_iter().collect();
    let history = store.history()?;
    let mut versions = Vec::with_capacity(history.len());
    let mut newer = None;
    for (at, entry) in history.iter().enumerate().rev() {
        let is_kept = entry.version == store.version() || kept.contains(&entry.version);
        let mut version =
            VersionCoverage { entry: entry.clone(), kept: is_kept, dirty: None, change: None, untold: None };
        let before = at.checked_sub(1).map(|at| history[at].version);
        let mut opened = None;
        match before {
            None => version.untold = Some(Untold::First),
            Some(before) => {
                let this = match newer.take() {
                    Some(store) => Some(store),
                    None if is_kept => open(store, entry.version)?,
                    None => None,
                };
                opened = if kept.contains(&before) { open(store, before)? } else { None };
                match (&this, &opened) {
                    (Some(this), Some(before)) => {
                        compare(&mut version, &this.diff(before)?, &mut room, workers, observer)?
                    }
                    _ => version.untold = Some(Untold::Gone),
                }
            }
        }
        newer = opened;
        versions.push(version);
    }
    versions.reverse();
    Ok(versions)
}

/// A version of `store`; `None` where it was collected at this moment.
fn open(store: &Store, version: u64) -> Result<Option<Store>> {
    if version == store.version() {
        return Ok(Some(store.clone()));
    }
    match store.other_version(version) {
        Err(Error::NotFound { .. }) => Ok(None),
        opened => opened.map(Some),
    }
}

/// Says what `diff` has of `version`, unless that has more rows than there is room for.
fn compare(
    version: &mut VersionCoverage,
    diff: &Diff,
    room: &mut u64,
    workers: &Workers,
    observer: &dyn Observer,
) -> Result<()> {
    version.dirty = Some(diff.dates().collect());
    let share = u128::from(version.entry.rows) * diff.dates().len() as u128 / u128::from(version.entry.dates.max(1));
    let rows = u64::try_from(share).unwrap_or(u64::MAX);
    match room.checked_sub(rows) {
        None => version.untold = Some(Untold::Large),
        Some(left) => {
            *room = left;
            version.change = Some(change(diff.counts(workers, observer)?));
        }
    }
    Ok(())
}

/// The same change with the most restated columns and stocks alone.
fn change(diff: DiffReport) -> VersionChange {
    let restated = diff.columns.into_iter().filter(|column| column.restated > 0);
    let mut columns: Vec<ColumnTally> =
        restated.map(|column| ColumnTally { column: column.name, restated: column.restated }).collect();
    let column_count = columns.len() as u64;
    columns.sort_by_key(|column| Reverse(column.restated));
    columns.truncate(NAMED);
    let is_told = |stock: &StockChange| stock.added + stock.restated + stock.removed > 0;
    let mut stocks: Vec<StockChange> = diff.stocks.into_iter().filter(is_told).collect();
    let stock_count = stocks.len() as u64;
    stocks.sort_by_key(|stock| Reverse((stock.restated, stock.added + stock.removed)));
    stocks.truncate(NAMED);
    VersionChange { dates: diff.dates, column_count, columns, stock_count, stocks }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;
    use crate::ingest::{Build, Update};
    use crate::progress::Silent;

    #[test]
    fn the_newest_versions_are_told_and_one_that_has_more_rows_than_there_is_room_for_is_not() {
        let place = tempfile::tempdir().unwrap();
        let (source, path) = (place.path().join("source"), place.path().join("store"));
        fs::create_dir(&source).unwrap();
        // Four rows, of which the last version restates those of one date.
        for (version, values) in [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [5.0, 7.0]].into_iter().enumerate() {
            for code in ["A", "B"] {
                let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102", "20240103"]));
                let values: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
                let rows = RecordBatch::try_from_iter([("date", dates), ("x", values)]).unwrap();
                let file = File::create(source.join(format!("{code}.parquet"))).unwrap();
                let mut writer = ArrowWriter::try_new(file, rows.schema(), None).unwrap();
                writer.write(&rows).unwrap();
                writer.close().unwrap();
            }
            match version {
                0 => drop(Build::new(&source, &path).run().unwrap()),
                _ => drop(Update::new(&path).check_content(true).run().unwrap()),
            }
        }
        let store = Store::open(&path).unwrap();
        let told = |room: u64| {
            let versions = versions_within(&store, room, &Workers::new(Some(1)).unwrap(), &Silent).unwrap();
            versions
                .into_iter()
                .map(|version| (version.dirty.map(|dates| dates.len()), version.untold))
                .collect::<Vec<_>>()
        };
        let (first, large) = (Some(Untold::First), Some(Untold::Large));
        assert_eq!(told(10), [(None, first), (Some(2), None), (Some(2), None), (Some(1), None)]);
        assert_eq!(told(9), [(None, first), (Some(2), large), (Some(2), None), (Some(1), None)]);
        assert_eq!(told(5), [(None, first), (Some(2), large), (Some(2), large), (Some(1), None)]);
        assert_eq!(told(1), [(None, first), (Some(2), large), (Some(2), large), (Some(1), large)]);
    }
}
