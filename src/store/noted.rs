//! What a version changed against the one before, as it was counted when the version was made and lies in its change file.
//! So it can be told without a look at any row, and after the rows of both are gone.

use arrow_array::{Array, StringArray};

use super::catalog::Catalog;
use super::change_file::{ChangedColumn, IN_NEWER, IN_OLDER, VersionChanges};
use super::differences::{ColumnChange, DateChange, DiffReport, StockChange};
use super::entries::{ChangesPlace, VersionEntry};
use super::shared_columns::{KnownColumn, SharedColumn, shared_columns};
use super::snapshot::Snapshot;
use super::version::logical_type;
use super::view::Store;
use crate::error::{Error, Result, Wanted};
use crate::format::{
    CATALOG_DIR, CHANGES_MAGIC, ChangedColumnRecord, ChangedDateRecord, ChangedStocksRecord, RowCounts, Table,
    TypeRecord, changes_name,
};
use crate::hint::listed;
use crate::key::Date;

/// The newest versions of a history whose change files stay: four years of nights.
const TOLD: usize = 1000;

impl VersionChanges {
    /// What `snapshot` changes against `before`: the counts of dates, ascending, and of stocks, and `values`, which tells
    /// by a column's name how many of its values are restated and how many filled. `None` where the numbers of stocks do
    /// not go on from those of the version before.
    ///
    /// # Errors
    /// When the version before is damaged.
    pub(crate) fn new(
        before: &Store,
        snapshot: &Snapshot,
        dates: impl IntoIterator<Item = DateChange>,
        stocks: &[StockChange],
        values: impl Fn(&str) -> (u64, u64),
    ) -> Result<Option<VersionChanges>> {
        let (codes, codes_before) = (snapshot.codes(), before.version.codes()?);
        if codes.len() < codes_before.len() || codes.slice(0, codes_before.len()) != *codes_before {
            return Ok(None);
        }
        let numbers: Vec<u32> = snapshot.stock_order().0;
        let mut numbered = Vec::with_capacity(stocks.len());
        for stock in stocks {
            let code = |&number: &u32| codes.value(number as usize).cmp(&stock.stock);
            let Ok(rank) = numbers.binary_search_by(code) else { return Ok(None) };
            let rows = RowCounts {
                added: stock.added,
                restated: stock.restated,
                filled: stock.filled,
                removed: stock.removed,
            };
            numbered.push((numbers[rank], rows));
        }
        numbered.sort_unstable_by_key(|&(number, _)| number);
        let is_next = |a: &(u32, RowCounts), b: &(u32, RowCounts)| a.0 + 1 == b.0 && a.1 == b.1;
        let run = |run: &[(u32, RowCounts)]| ChangedStocksRecord {
            stock_start: run[0].0,
            stock_count: run.len() as u32,
            rows: run[0].1,
        };
        let date = |date: DateChange| {
            let DateChange { added, restated, filled, removed, .. } = date;
            let rows = RowCounts { added, restated, filled, removed };
            ChangedDateRecord { date: date.date.days(), reserved: 0, rows }
        };
        Ok(Some(VersionChanges {
            dates: dates.into_iter().map(date).collect(),
            stocks: numbered.chunk_by(is_next).map(run).collect(),
            columns: changed_columns(before, snapshot, values)?,
        }))
    }
}

/// The columns that `snapshot` changes against `before`.
fn changed_columns(
    before: &Store,
    snapshot: &Snapshot,
    values: impl Fn(&str) -> (u64, u64),
) -> Result<Vec<ChangedColumn>> {
    let (older, newer) = (before.known_columns()?, snapshot.known_columns());
    let mut changed = Vec::new();
    for SharedColumn { older: old, newer: new } in shared_columns(&older, &newer) {
        let side = |columns: &[KnownColumn<'_>], place: Option<usize>| {
            place.map(|place| (columns[place].name.to_owned(), columns[place].data_type.clone()))
        };
        let (old, new) = (side(&older, old), side(&newer, new));
        let (restated, filled) = new.as_ref().map_or((0, 0), |(name, _)| values(name));
        let name = new.as_ref().or(old.as_ref()).map_or_else(String::new, |(name, _)| name.clone());
        let (older, newer) = (old.map(|(_, data_type)| data_type), new.map(|(_, data_type)| data_type));
        if restated + filled > 0 || older != newer {
            changed.push(ChangedColumn { name, older, newer, restated, filled });
        }
    }
    Ok(changed)
}

impl Store {
    /// What `version`, this one or an earlier one, changed against the one before it, as it was counted when it was made:
    /// without a look at any row, and whether or not the two can still be opened. Columns are those alone that
    /// [differ](ColumnChange::differs) or are gone; no moves and no turns are told. `None` of a version that was made without the one
    /// before, as by a build, and of one that is no longer among the newest 1,000.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there was no such version; [`Error::Corrupt`] when the file in which that is noted is
    /// missing or damaged, which says nothing of any row.
    pub fn changes_of(&self, version: u64) -> Result<Option<DiffReport>> {
        let history = self.history()?;
        let Ok(at) = history.binary_search_by_key(&version, |entry| entry.version) else {
            let what = format!("version {version} of {}", self.path().display());
            let known: Vec<u64> = history.iter().rev().map(|entry| entry.version).collect();
            return Err(Error::not_found(Wanted::Version, what, format!("there were {}", listed(&known))));
        };
        let older = at.checked_sub(1).map(|at| history[at].version);
        match told(&history).find(|(told, _)| told.version == version) {
            Some((entry, place)) => self.read_changes(entry, &self.change_file(entry, place)?, older).map(Some),
            None => Ok(None),
        }
    }

    /// What the change file of the version with this entry says.
    fn read_changes(&self, entry: &VersionEntry, file: &Catalog, older: Option<u64>) -> Result<DiffReport> {
        let (dirty, codes) = (changed_dates(file)?, self.version.codes()?);
        let dirty_dates = dirty.iter().map(|date| date.date).collect();
        let has_rows = |date: &DateChange| date.added + date.restated + date.filled + date.removed > 0;
        Ok(DiffReport {
            older,
            newer: entry.version,
            added: entry.added,
            restated: entry.restated,
            filled: entry.filled,
            removed: entry.removed,
            moves: Vec::new(),
            turns: Vec::new(),
            stocks: changed_stocks(file, codes)?,
            columns: read_columns(file)?,
            dates: dirty.into_iter().filter(has_rows).collect(),
            dirty_dates,
            dirty_stocks: Vec::new(),
        })
    }

    /// The change file of the version with this entry.
    fn change_file(&self, entry: &VersionEntry, place: ChangesPlace) -> Result<Catalog> {
        let path = self.path().join(CATALOG_DIR).join(changes_name(entry.commit));
        Catalog::open_named(&path, CHANGES_MAGIC, place.header_checksum, self.access())
    }

    /// The commits whose change files this version needs: those of the newest versions of its history.
    pub(super) fn change_files(&self) -> Result<Vec<u64>> {
        Ok(told(&self.history()?).map(|(entry, _)| entry.commit).collect())
    }

    /// What is wrong with the change file of each of the newest versions that `is_new` says was not looked at before.
    pub(super) fn verify_changes(&self, mut is_new: impl FnMut(u64) -> bool) -> Result<(u64, Vec<Error>)> {
        let (history, mut bytes, mut damages) = (self.history()?, 0, Vec::new());
        for (entry, place) in told(&history).filter(|(entry, _)| is_new(entry.commit)) {
            match self.change_file(entry, place) {
                Ok(file) => {
                    bytes += file.byte_len();
                    damages.extend(self.verify_change_file(entry, place, &file));
                }
                Err(damage) => damages.push(damage),
            }
        }
        Ok((bytes, damages))
    }

    fn verify_change_file(&self, entry: &VersionEntry, place: ChangesPlace, file: &Catalog) -> Vec<Error> {
        let mut damages = file.damages();
        if damages.is_empty() {
            damages.extend(self.contradiction(entry, place, file).err());
        }
        damages
    }

    /// Whether a change file says what the version's entry does.
    fn contradiction(&self, entry: &VersionEntry, place: ChangesPlace, file: &Catalog) -> Result<()> {
        let report = self.read_changes(entry, file, None)?;
        let sum = |counts: &mut dyn Iterator<Item = [u64; 4]>| {
            counts.fold([0u64; 4], |sums, of| std::array::from_fn(|n| sums[n].saturating_add(of[n])))
        };
        let by_date = sum(&mut report.dates.iter().map(|of| [of.added, of.restated, of.filled, of.removed]));
        let by_stock = sum(&mut report.stocks.iter().map(|of| [of.added, of.restated, of.filled, of.removed]));
        let counted = [entry.added, entry.restated, entry.filled, entry.removed];
        let lens = [report.dirty_dates.len() as u64, report.stocks.len() as u64];
        if by_date != counted || by_stock != counted || lens != [entry.dirty_dates, entry.dirty_stocks] {
            return Err(file.structure("it counts other rows than the catalog"));
        }
        match file.header().commit == entry.commit && place.byte_len == file.byte_len() {
            true => Ok(()),
            false => Err(file.structure("it is of another version")),
        }
    }
}

/// The newest versions of `history` that have change files, and where those lie.
fn told(history: &[VersionEntry]) -> impl Iterator<Item = (&VersionEntry, ChangesPlace)> {
    let newest = &history[history.len().saturating_sub(TOLD)..];
    newest.iter().filter_map(|entry| Some((entry, entry.changes?)))
}

/// What a change file says of dates, those included on which values are gone with their column alone.
fn changed_dates(file: &Catalog) -> Result<Vec<DateChange>> {
    let records: &[ChangedDateRecord] = file.table(Table::ChangedDates)?;
    if !records.is_sorted_by(|a, b| a.date < b.date) {
        return Err(file.structure("its dates are out of order"));
    }
    let date = |record: &ChangedDateRecord| {
        let RowCounts { added, restated, filled, removed } = record.rows;
        Some(DateChange { date: Date::from_days(record.date)?, added, restated, filled, removed })
    };
    let outside = || file.structure("a date lies outside the years 0000 to 9999");
    records.iter().map(date).collect::<Option<_>>().ok_or_else(outside)
}

/// What a change file says of stocks, by code.
fn changed_stocks(file: &Catalog, codes: &StringArray) -> Result<Vec<StockChange>> {
    let (mut stocks, mut next) = (Vec::new(), 0);
    for run in file.table::<ChangedStocksRecord>(Table::ChangedStocks)? {
        let (start, end) = (u64::from(run.stock_start), u64::from(run.stock_start) + u64::from(run.stock_count));
        if start < next || end > codes.len() as u64 {
            return Err(file.structure("its stocks are out of order, or unknown"));
        }
        next = end;
        let RowCounts { added, restated, filled, removed } = run.rows;
        let stock = |number: u64| {
            let stock = codes.value(number as usize).to_owned();
            StockChange { stock, added, restated, filled, removed }
        };
        stocks.extend((start..end).map(stock));
    }
    stocks.sort_unstable_by(|a: &StockChange, b| a.stock.cmp(&b.stock));
    Ok(stocks)
}

/// What a change file says of columns.
fn read_columns(file: &Catalog) -> Result<Vec<ColumnChange>> {
    let column = |record: &ChangedColumnRecord| {
        let name = file.string(record.name)?.to_owned();
        let side = |of: &TypeRecord, side: u32| {
            let is_there = record.versions & side != 0;
            is_there.then(|| logical_type(file, of, &name).map(|data_type| data_type.to_string())).transpose()
        };
        let (older_type, newer_type) = (side(&record.older, IN_OLDER)?, side(&record.newer, IN_NEWER)?);
        let (restated, filled) = (record.restated_count, record.filled_count);
        Ok(ColumnChange { name, older_type, newer_type, restated, filled, turned_null: 0 })
    };
    file.table::<ChangedColumnRecord>(Table::ChangedColumns)?.iter().map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_thousand_versions_are_told_and_builds_are_not() {
        let entry = |version: u64| VersionEntry {
            version,
            commit: version,
            created_ns: 0,
            command: String::new(),
            rows: 0,
            dates: 0,
            added: 0,
            restated: 0,
            filled: 0,
            removed: 0,
            dirty_dates: 0,
            dirty_stocks: 0,
            dirty_columns: 0,
            changes: (version != 1005).then_some(ChangesPlace { byte_len: 1, header_checksum: 1 }),
        };
        let history: Vec<VersionEntry> = (1..=1010).map(entry).collect();
        let versions: Vec<u64> = told(&history).map(|(entry, _)| entry.version).collect();
        assert_eq!(versions, (11..=1010).filter(|&version| version != 1005).collect::<Vec<u64>>());
        assert_eq!(told(&history[..3]).count(), 3);
    }
}
