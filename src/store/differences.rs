//! What a comparison of two versions finds, as values.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_select::concat::concat;
use serde::Serialize;

use super::moves::{Move, Turn};
use crate::error::{Error, Result};
use crate::key::Date;

/// What changed on one date.
#[derive(Debug, Clone)]
pub struct SectionDiff {
    /// The date.
    pub date: Date,
    /// Codes of rows that only the newer version has, ascending.
    pub added: Vec<Arc<str>>,
    /// Codes of rows that only the older version has, ascending.
    pub removed: Vec<Arc<str>>,
    /// Codes of rows that both have with other values, restated, filled or gone with their column, ascending.
    pub changed: Vec<Arc<str>>,
    /// The further key columns of the added rows, in the newer version's types; none where the key has no more than
    /// date and code.
    pub added_key: Vec<ArrayRef>,
    /// Those of the removed rows.
    pub removed_key: Vec<ArrayRef>,
    /// Those of the changed rows.
    pub changed_key: Vec<ArrayRef>,
    /// The values that differ in those rows, by column, in the order of [`Diff::columns`](super::Diff::columns);
    /// columns without are left out.
    pub columns: Vec<ColumnDiff>,
}

/// The values of one column that differ on one date.
#[derive(Debug, Clone)]
pub struct ColumnDiff {
    /// Index among [`Diff::columns`](super::Diff::columns).
    pub column: usize,
    /// For each value the row it belongs to, as an index among [`SectionDiff::changed`]; ascending.
    pub rows: Vec<usize>,
    /// For each value what became of it.
    pub changes: Vec<ValueChange>,
    /// The values in the older version, in its type.
    pub old: ArrayRef,
    /// The values in the newer version, in its type.
    pub new: ArrayRef,
}

/// What became of a value in a row that both versions have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueChange {
    /// It is another one, or null.
    Restated,
    /// It is the first: the older version lacks the column, or the column's source had no such row in it.
    Filled,
    /// It is gone with its column.
    Lost,
}

impl ValueChange {
    /// The word for it: `restated`, `filled` or `lost`.
    pub fn as_str(self) -> &'static str {
        match self {
            ValueChange::Restated => "restated",
            ValueChange::Filled => "filled",
            ValueChange::Lost => "lost",
        }
    }
}

/// A difference in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DiffReport {
    /// The older version; `None` where no version before the newer one is kept, and nothing was compared.
    pub older: Option<u64>,
    /// The newer version.
    pub newer: u64,
    /// Rows that only the newer version has.
    pub added: u64,
    /// Rows that both have with other values, in columns that both have.
    pub restated: u64,
    /// Rows that differ only in first values: of columns that the older version lacks, or of a source that had no such row.
    pub filled: u64,
    /// Rows that only the older version has.
    pub removed: u64,
    /// The restated numbers that moved furthest, at most 20, the furthest first.
    pub moves: Vec<Move>,
    /// The columns with restated values that are not numbers both times.
    pub turns: Vec<Turn>,
    /// The stocks of which a row was added, restated, filled or removed, by code.
    pub stocks: Vec<StockChange>,
    /// Columns in the newer version's order, then those that only the older one has.
    pub columns: Vec<ColumnChange>,
    /// The dates on which a row was added, restated, filled or removed, ascending.
    pub dates: Vec<DateChange>,
    /// The dates on which anything differs, also values that are gone with their column.
    #[serde(skip)]
    pub(crate) dirty_dates: Vec<Date>,
    /// The codes of stocks of which anything does, ascending.
    #[serde(skip)]
    pub(crate) dirty_stocks: Vec<Arc<str>>,
}

/// A column in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ColumnChange {
    /// Its name.
    #[serde(rename = "column")]
    pub name: String,
    /// Its type in the older version; `None` where that lacks it.
    pub older_type: Option<String>,
    /// Its type in the newer version; `None` where that lacks it.
    pub newer_type: Option<String>,
    /// Values that differ, in rows that both versions have, but for first ones; 0 where one of them lacks the column.
    pub restated: u64,
    /// First values in rows that both have: of a column that the older version lacks, or of a source that had no such row.
    pub filled: u64,
    /// Those of the restated ones that became null.
    #[serde(skip)]
    pub(crate) turned_null: u64,
}

impl ColumnChange {
    /// Whether values differ, or the type.
    pub fn differs(&self) -> bool {
        self.restated + self.filled > 0 || self.older_type != self.newer_type
    }
}

/// A stock in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StockChange {
    /// Its code.
    pub stock: String,
    /// Rows that only the newer version has.
    pub added: u64,
    /// Rows that both have with other values, in columns that both have.
    pub restated: u64,
    /// Rows that differ only in first values: of columns that the older version lacks, or of a source that had no such row.
    pub filled: u64,
    /// Rows that only the older version has.
    pub removed: u64,
}

impl StockChange {
    /// No change of the stock with this code.
    pub(crate) fn none(stock: String) -> StockChange {
        StockChange { stock, added: 0, restated: 0, filled: 0, removed: 0 }
    }

    /// Adds rows of the same stock.
    pub(crate) fn add(&mut self, more: &StockChange) {
        self.added += more.added;
        self.restated += more.restated;
        self.filled += more.filled;
        self.removed += more.removed;
    }
}

/// A date in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DateChange {
    /// The date.
    pub date: Date,
    /// Rows that only the newer version has.
    pub added: u64,
    /// Rows that both have with other values, in columns that both have.
    pub restated: u64,
    /// Rows that differ only in first values: of columns that the older version lacks, or of a source that had no such row.
    pub filled: u64,
    /// Rows that only the older version has.
    pub removed: u64,
}

impl DateChange {
    /// No change of `date`.
    pub(crate) fn none(date: Date) -> DateChange {
        DateChange { date, added: 0, restated: 0, filled: 0, removed: 0 }
    }

    /// Adds rows of the same date.
    pub(crate) fn add(&mut self, more: &DateChange) {
        self.added += more.added;
        self.restated += more.restated;
        self.filled += more.filled;
        self.removed += more.removed;
    }
}

/// Codes of some rows, and their further key columns.
pub(super) type DiffRows = (Vec<Arc<str>>, Vec<ArrayRef>);

/// What changed in some pieces of a date.
pub(super) struct GroupDiff {
    pub(super) added: DiffRows,
    pub(super) removed: DiffRows,
    pub(super) changed: DiffRows,
    pub(super) columns: Vec<ColumnDiff>,
}

/// What changed on a date, given what changed in groups of its pieces.
pub(super) fn joined(date: Date, groups: Vec<GroupDiff>) -> Result<SectionDiff> {
    let mut columns: BTreeMap<usize, Vec<ColumnDiff>> = BTreeMap::new();
    let (mut added, mut removed, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    let mut start = 0;
    for group in groups {
        for mut of_column in group.columns {
            of_column.rows.iter_mut().for_each(|row| *row += start);
            columns.entry(of_column.column).or_default().push(of_column);
        }
        start += group.changed.0.len();
        added.push(group.added);
        removed.push(group.removed);
        changed.push(group.changed);
    }
    let columns = columns.into_iter().map(|(column, parts)| {
        let side =
            |side: fn(&ColumnDiff) -> &ArrayRef| joined_array(&parts.iter().map(side).cloned().collect::<Vec<_>>());
        let rows = parts.iter().flat_map(|part| part.rows.iter().copied()).collect();
        let changes = parts.iter().flat_map(|part| part.changes.iter().copied()).collect();
        Ok(ColumnDiff { column, rows, changes, old: side(|part| &part.old)?, new: side(|part| &part.new)? })
    });
    let ((added, added_key), (removed, removed_key), (changed, changed_key)) =
        (joined_rows(added)?, joined_rows(removed)?, joined_rows(changed)?);
    let columns = columns.collect::<Result<_>>()?;
    Ok(SectionDiff { date, added, removed, changed, added_key, removed_key, changed_key, columns })
}

fn joined_rows(groups: Vec<DiffRows>) -> Result<DiffRows> {
    let (codes, keys): (Vec<Vec<Arc<str>>>, Vec<Vec<ArrayRef>>) = groups.into_iter().unzip();
    let count = keys.first().map_or(0, Vec::len);
    let column = |n: usize| joined_array(&keys.iter().map(|key| key[n].clone()).collect::<Vec<ArrayRef>>());
    Ok((codes.concat(), (0..count).map(column).collect::<Result<_>>()?))
}

fn joined_array(parts: &[ArrayRef]) -> Result<ArrayRef> {
    match parts {
        [one] => Ok(one.clone()),
        parts => {
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            concat(&parts).map_err(Error::failed("join what differs"))
        }
    }
}
