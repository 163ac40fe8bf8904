//! What each version changed, as far as it can still be compared with the one before.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::key::Date;
use crate::progress::Observer;
use crate::store::{DateChange, Diff, SectionDiff, Store, VersionEntry};
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
    pub stocks: Vec<StockTally>,
}

/// A column that was restated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ColumnTally {
    /// Its name.
    pub name: String,
    /// Values that differ.
    pub restated: u64,
}

/// A stock of which rows changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StockTally {
    /// Its code.
    pub code: String,
    /// Rows that the version before does not have.
    pub added: u64,
    /// Rows with other values.
    pub restated: u64,
    /// Rows that only the version before has.
    pub removed: u64,
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
            version.change = Some(change(diff, workers, observer)?);
        }
    }
    Ok(())
}

/// What changed in a run of dates.
#[derive(Default)]
struct Found {
    dates: Vec<DateChange>,
    columns: BTreeMap<usize, u64>,
    stocks: HashMap<Arc<str>, [u64; 3]>,
}

/// Dates that a worker compares at a time.
const RUN: usize = 16;

fn change(diff: &Diff, workers: &Workers, observer: &dyn Observer) -> Result<VersionChange> {
    let count = diff.dates().len();
    observer.begin("diff", "sections", count as u64);
    let all = Mutex::new(Found::default());
    workers.try_map(count.div_ceil(RUN), |run| {
        let mut found = Found::default();
        for index in run * RUN..count.min((run + 1) * RUN) {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            if let Some(section) = diff.section(index)? {
                found.add(diff, &section);
            }
            observer.advance(1);
        }
        all.lock().unwrap_or_else(PoisonError::into_inner).join(found);
        Ok(())
    })?;
    observer.end();
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.dates.sort_by_key(|change| change.date);
    let mut columns: Vec<ColumnTally> = all
        .columns
        .into_iter()
        .map(|(column, restated)| ColumnTally { name: diff.columns()[column].name.clone(), restated })
        .collect();
    let column_count = columns.len() as u64;
    columns.sort_by_key(|column| std::cmp::Reverse(column.restated));
    columns.truncate(NAMED);
    let stock = |(code, [added, restated, removed]): (Arc<str>, [u64; 3])| StockTally {
        code: code.to_string(),
        added,
        restated,
        removed,
    };
    let mut stocks: Vec<StockTally> = all.stocks.into_iter().map(stock).collect();
    let stock_count = stocks.len() as u64;
    let rest = |stock: &StockTally| (stock.restated, stock.added + stock.removed);
    stocks.sort_by(|a, b| rest(b).cmp(&rest(a)).then_with(|| a.code.cmp(&b.code)));
    stocks.truncate(NAMED);
    Ok(VersionChange { dates: all.dates, column_count, columns, stock_count, stocks })
}

impl Found {
    /// Adds what changed on other dates. Sums do not depend on the order.
    fn join(&mut self, other: Found) {
        self.dates.extend(other.dates);
        other.columns.into_iter().for_each(|(column, count)| *self.columns.entry(column).or_default() += count);
        for (code, counts) in other.stocks {
            let sums = self.stocks.entry(code).or_default();
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
    }

    fn add(&mut self, diff: &Diff, section: &SectionDiff) {
        let mut is_restated = vec![false; section.changed.len()];
        for column in section.columns.iter().filter(|column| diff.columns()[column.column].older.is_some()) {
            column.rows.iter().for_each(|&row| is_restated[row] = true);
            *self.columns.entry(column.column).or_default() += column.rows.len() as u64;
        }
        let restated = section.changed.iter().zip(&is_restated).filter(|(_, is_restated)| **is_restated);
        let restated: Vec<&Arc<str>> = restated.map(|(code, _)| code).collect();
        self.dates.push(DateChange {
            date: section.date,
            added: section.added.len() as u64,
            restated: restated.len() as u64,
            filled: (section.changed.len() - restated.len()) as u64,
            removed: section.removed.len() as u64,
        });
        let lists = [section.added.iter().collect(), restated, section.removed.iter().collect::<Vec<_>>()];
        for (kind, codes) in lists.into_iter().enumerate() {
            codes.into_iter().for_each(|code| self.stocks.entry(code.clone()).or_default()[kind] += 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

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
