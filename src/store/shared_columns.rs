//! Which columns of two versions are the same.

use std::collections::{HashMap, HashSet};

use arrow_schema::DataType;

use super::snapshot::Snapshot;
use super::view::Store;
use crate::error::Result;

/// A column of a version.
pub(super) struct KnownColumn<'a> {
    id: Option<u32>,
    pub(super) name: &'a str,
    pub(super) data_type: &'a DataType,
}

/// A column that one of two versions has, or both: its place among the columns of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SharedColumn {
    pub(super) older: Option<usize>,
    pub(super) newer: Option<usize>,
}

impl Store {
    /// The columns that are seen, code and date left out.
    pub(super) fn known_columns(&self) -> Result<Vec<KnownColumn<'_>>> {
        let columns = self.schema()?.columns.iter().enumerate();
        let known = columns.map(|(index, column)| {
            let id = self.version.column_place(index)?.map(|(id, _)| id);
            Ok(KnownColumn { id, name: &column.name, data_type: &column.data_type })
        });
        known.collect()
    }
}

impl Snapshot {
    /// Whether a column of `before` is made anew in it: it has the name of another.
    ///
    /// # Errors
    /// When the version before is damaged.
    pub(crate) fn makes_anew(&self, before: &Store) -> Result<bool> {
        let (older, newer) = (before.known_columns()?, self.known_columns());
        let is_other = |shared: SharedColumn| match (shared.older, shared.newer) {
            (Some(old), Some(new)) => older[old].id != newer[new].id,
            _ => false,
        };
        Ok(shared_columns(&older, &newer).into_iter().any(is_other))
    }

    /// The columns, code and date left out.
    pub(super) fn known_columns(&self) -> Vec<KnownColumn<'_>> {
        let columns = self.columns.iter().skip(2);
        columns.map(|of| KnownColumn { id: Some(of.id), name: &of.name, data_type: &of.logical }).collect()
    }
}

/// The columns of both versions: the newer one's in its order, then those that only the older one has. One that got another
/// name since is the same; one that was made anew is the one that had its name.
pub(super) fn shared_columns(older: &[KnownColumn<'_>], newer: &[KnownColumn<'_>]) -> Vec<SharedColumn> {
    let by_id: HashMap<Option<u32>, usize> = older.iter().enumerate().map(|(old, column)| (column.id, old)).collect();
    let by_name: HashMap<&str, usize> = older.iter().enumerate().map(|(old, column)| (column.name, old)).collect();
    let kept: HashSet<Option<u32>> = newer.iter().map(|column| column.id).collect();
    let same = |column: &KnownColumn<'_>| {
        let of_name = || by_name.get(column.name).copied().filter(|&old| !kept.contains(&older[old].id));
        by_id.get(&column.id).copied().or_else(of_name)
    };
    let of_newer =
        newer.iter().enumerate().map(|(index, column)| SharedColumn { older: same(column), newer: Some(index) });
    let mut columns: Vec<SharedColumn> = of_newer.collect();
    let shared: HashSet<usize> = columns.iter().filter_map(|column| column.older).collect();
    let only_older = (0..older.len()).filter(|index| !shared.contains(index));
    columns.extend(only_older.map(|index| SharedColumn { older: Some(index), newer: None }));
    columns
}
