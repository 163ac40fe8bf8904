//! What an update tells, and what stops one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow_array::cast::AsArray;
use serde::Serialize;

use super::gather::intake::Gathered;
use super::guard::{GuardMet, Guards, NearLimit};
use super::limit::Limit;
use super::named_codes::codes_note;
use super::restated::{FilledColumn, RestatedColumn, RestatedStock};
use super::revise::changes::{Changes, DirtyDate, RowChange};
use super::spelling::date_note;
use crate::error::{Error, Result};
use crate::format::{FileStatus, RowCounts};
use crate::hint::counted;
use crate::key::Date;
use crate::panel::DateForm;
use crate::remedy::{Remedy, Setting};
use crate::segment::SegmentColumn;
use crate::skipped::Skipped;
use crate::source::{Scan, Survey};
use crate::store::{
    DateChange, FileEntry, Keep, Newest, Snapshot, StockChange, Store, StoreWriter, VersionChanges, VersionEntry,
};

/// Stocks with restated rows that are named.
const STOCKS: usize = 20;

/// What an update did, or, where it was refused, would have done.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct UpdateReport {
    /// The live version.
    pub version: u64,
    /// Whether the update made it.
    pub published: bool,
    /// Whether nothing was to be published.
    pub dry_run: bool,
    /// The version whose rows are restored, if that was asked for.
    pub restored: Option<u64>,
    /// Why nothing was published, where a limit on restatements stopped it.
    pub refused: Option<String>,
    /// The guards that were met. One that was not allowed stopped the change.
    pub guards: Vec<GuardMet>,
    /// Guards and limits that were not met, with figures that are more than half of what would meet them.
    pub near: Vec<NearLimit>,
    /// How many skipped files are usual, if somebody has said so.
    pub max_skipped: Option<Limit>,
    /// Rows that the version before does not have.
    pub added: u64,
    /// Rows that the version before has with other values, in the columns that it has; also values that are null now,
    /// since their source has the row no longer.
    pub restated: u64,
    /// Rows that differ from those of the version before only in first values: of columns that it does not have, or of a
    /// source that had no such row.
    pub filled: u64,
    /// Rows that only the version before has.
    pub removed: u64,
    /// Appended rows that stay although the files read lack them.
    pub kept: u64,
    /// Date and code of the first of those.
    pub kept_examples: Vec<String>,
    /// Rows that wait until their trading date is known.
    pub waiting_rows: u64,
    /// Rows read that are left out, since their source joins left and no other has their key.
    pub left_out: u64,
    /// Dates whose sections differ.
    pub dirty_dates: u64,
    /// The first of them.
    pub first_dirty: Option<Date>,
    /// The last of them.
    pub last_dirty: Option<Date>,
    /// The columns with restated values.
    pub columns: Vec<RestatedColumn>,
    /// How many stocks have restated rows.
    pub restated_stocks: u64,
    /// Those with most of them, at most 20.
    pub stocks: Vec<RestatedStock>,
    /// The columns with first values in rows that the version before has.
    pub filled_columns: Vec<FilledColumn>,
    /// The first changes.
    pub examples: Vec<RowChange>,
    /// Columns that the panel did not have; null in older rows.
    pub new_columns: Vec<String>,
    /// Columns that are gone with their source.
    pub lost_columns: Vec<String>,
    /// Columns that have another name, with both.
    pub renamed_columns: Vec<String>,
    /// Columns whose type became wider, with both types.
    pub widened_columns: Vec<String>,
    /// Columns that no file read has; null in their rows.
    pub absent_columns: Vec<String>,
    /// Stocks that the store did not know.
    pub new_stocks: u64,
    /// Files read.
    pub read_files: u64,
    /// Files as they were.
    pub unchanged_files: u64,
    /// Files whose time changed, and whose bytes did not.
    pub touched_files: u64,
    /// Files that have disappeared; their rows stay. Where the store has several sources, each after its source's name.
    pub missing_files: Vec<String>,
    /// Files that have disappeared, and their rows with them; named like those.
    pub pruned_files: Vec<String>,
    /// Files read that have no rows; named like those.
    pub empty_files: Vec<String>,
    /// Rows left out because another row of the stock has the same key.
    pub merged_rows: u64,
    /// Rows left out because their date cannot be read.
    pub dropped_rows: u64,
    /// Files that could not be used; rows that the store has of them stay.
    pub skipped: Vec<Skipped>,
    /// Rows of the live version.
    pub rows: u64,
    /// Dates of the live version.
    pub dates: u64,
    /// The newest date of the live version, and who lacks it.
    pub newest: Option<Newest>,
    /// Bytes of the segments written.
    pub written_bytes: u64,
    /// Versions that were removed.
    #[serde(rename = "removed_versions")]
    pub collected: Vec<u64>,
    /// What else a user should know.
    pub notes: Vec<String>,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// The dates that differ, also in values alone that are gone with their column.
    #[serde(skip)]
    pub(super) dirty: BTreeMap<Date, DateChange>,
    /// By code, the stocks of which a row differs.
    #[serde(skip)]
    pub(super) stocks_changed: BTreeMap<String, StockChange>,
    #[serde(skip)]
    keep: Option<Keep>,
    /// Whether a source lost rows that others still have.
    #[serde(skip)]
    pub(super) is_parted: bool,
    /// Whether a source joins left from now on.
    #[serde(skip)]
    pub(super) joins_left: bool,
    /// Whether columns or dates, or what a restore gives back of sources, are not as they were.
    #[serde(skip)]
    pub(super) schema_changed: bool,
    /// Of several sources, whether more files of one were skipped than is usual for it.
    #[serde(skip)]
    more_skips_than_usual: Option<bool>,
}

impl UpdateReport {
    /// The report of a change that has not begun, of a store that is to keep these versions.
    pub(super) fn of(before: &Store, keep: Keep) -> UpdateReport {
        UpdateReport {
            version: before.version(),
            rows: before.row_count(),
            dates: before.dates().map_or(0, |dates| dates.len() as u64),
            keep: Some(keep),
            ..UpdateReport::default()
        }
    }

    /// Says of which source what is told of files is.
    pub(super) fn be_of_source(&mut self, name: &str) {
        self.skipped.iter_mut().for_each(|skipped| skipped.be_of_source(name));
        self.guards.iter_mut().for_each(|met| met.source = Some(name.to_owned()));
        self.near.iter_mut().for_each(|near| near.source = Some(name.to_owned()));
        let files = [&mut self.missing_files, &mut self.pruned_files, &mut self.empty_files, &mut self.notes];
        files.into_iter().flatten().for_each(|told| told.insert_str(0, &format!("{name}: ")));
    }

    /// Adds the report of a change of another source, which went on from this one.
    pub(super) fn join(&mut self, other: UpdateReport) {
        self.more_skips_than_usual = Some(!self.skips_are_usual() || !other.skips_are_usual());
        self.refused = self.refused.take().or(other.refused);
        self.guards.extend(other.guards);
        self.near.extend(other.near);
        self.added += other.added;
        self.restated += other.restated;
        self.filled += other.filled;
        self.removed += other.removed;
        self.left_out += other.left_out;
        self.is_parted |= other.is_parted;
        self.joins_left |= other.joins_left;
        self.kept += other.kept;
        self.kept_examples.extend(other.kept_examples);
        for (date, more) in other.dirty {
            self.dirty.entry(date).or_insert(DateChange::none(date)).add(&more);
        }
        for (code, more) in other.stocks_changed {
            let none = || StockChange::none(code.clone());
            self.stocks_changed.entry(code.clone()).or_insert_with(none).add(&more);
        }
        self.count_dirty();
        self.columns.extend(other.columns);
        self.filled_columns.extend(other.filled_columns);
        let known = |example: &RowChange| !self.examples.contains(example);
        let news: Vec<RowChange> = other.examples.into_iter().filter(known).collect();
        self.examples.extend(news);
        self.new_columns.extend(other.new_columns);
        self.lost_columns.extend(other.lost_columns);
        self.renamed_columns.extend(other.renamed_columns);
        self.widened_columns.extend(other.widened_columns);
        self.absent_columns.extend(other.absent_columns);
        self.new_stocks += other.new_stocks;
        self.read_files += other.read_files;
        self.unchanged_files += other.unchanged_files;
        self.touched_files += other.touched_files;
        self.missing_files.extend(other.missing_files);
        self.pruned_files.extend(other.pruned_files);
        self.empty_files.extend(other.empty_files);
        self.merged_rows += other.merged_rows;
        self.dropped_rows += other.dropped_rows;
        self.skipped.extend(other.skipped);
        self.notes.extend(other.notes);
        self.schema_changed |= other.schema_changed;
    }

    /// Counts the rows and dates of what is to be the live version.
    pub(super) fn count(&mut self, snapshot: &Snapshot) {
        self.rows = snapshot.row_count();
        self.dates = snapshot.date_count() as u64;
    }

    /// Adds what a look at the source found.
    pub(super) fn describe_scan(&mut self, scan: &Scan) {
        self.unchanged_files = scan.unchanged;
        self.touched_files = scan.touched.len() as u64;
        self.skipped = scan.skipped.clone();
        self.notes = scan.notes.clone();
    }

    /// Clears away what the change with this result leaves, and the versions that are no longer kept.
    pub(super) fn finish(result: Result<UpdateReport>, writer: &mut StoreWriter) -> Result<UpdateReport> {
        if !matches!(&result, Ok(report) if report.published) {
            // What stopped the change says more than an error about its leftovers.
            let _ = writer.clear_unpublished();
        }
        let mut report = result?;
        report.sum_up(writer);
        if let Some(keep) = report.keep.filter(|_| report.published) {
            // The new version is live: what is left of old ones is no failure of it, and the next change tries again.
            match writer.collect(keep) {
                Ok(collected) => report.collected = collected.versions,
                Err(why) => report.notes.push(format!("files of earlier versions could not be removed: {why}")),
            }
        }
        Ok(report)
    }

    /// Adds what a person looks at first: who has the newest date, and whose rows were restated.
    fn sum_up(&mut self, writer: &StoreWriter) {
        let restated = std::mem::take(&mut self.stocks_changed).into_values().filter(|change| change.restated > 0);
        let restated = restated.map(|StockChange { stock, restated, .. }| RestatedStock { stock, restated });
        self.stocks = restated.collect();
        self.restated_stocks = self.stocks.len() as u64;
        self.stocks.sort_by_key(|stock| Reverse(stock.restated));
        self.stocks.truncate(STOCKS);
        let newest = match self.published {
            true => writer.published().and_then(|store| store.newest()),
            false => writer.readers_version().map_or(Ok(None), Store::newest),
        };
        match newest {
            Ok(newest) => self.newest = newest,
            // What was published is: damage elsewhere is no failure of it.
            Err(why) => self.notes.push(format!("the newest dates cannot be read: {why}")),
        }
    }

    /// Adds what differs in the source's `columns`, code and date among them, from what it has in `before`.
    ///
    /// # Errors
    /// When the version before is damaged.
    pub(super) fn describe(
        &mut self,
        changes: &Changes,
        snapshot: &Snapshot,
        columns: &[SegmentColumn],
        before: &Store,
    ) -> Result<()> {
        let sum = |count: fn(&DirtyDate) -> u64| changes.dirty.iter().map(count).sum();
        self.added = sum(|dirty| dirty.added);
        self.restated = sum(|dirty| dirty.restated);
        self.filled = sum(|dirty| dirty.filled);
        self.removed = sum(|dirty| dirty.removed);
        self.left_out = changes.left_out;
        self.is_parted = changes.parted > 0;
        self.dirty = changes.dirty.iter().map(|dirty| (dirty.date, dirty.change())).collect();
        self.count_dirty();
        let panel = before.schema()?;
        let columns = &columns[2..];
        let counts = changes.columns.iter().zip(&changes.filled);
        for (index, (column, (&differing, &first))) in columns.iter().zip(counts).enumerate() {
            let is_known = index < panel.columns.len();
            let (restated, filled) = if is_known { (differing, first) } else { (0, differing + first) };
            let name = || column.name.clone();
            self.columns.extend((restated > 0).then(|| RestatedColumn { column: name(), restated }));
            self.filled_columns.extend((filled > 0).then(|| FilledColumn { column: name(), filled }));
        }
        let codes = snapshot.dictionaries[0].as_string::<i32>();
        let stock_change = |&(stock, rows): &(u32, RowCounts)| {
            let stock = codes.value(stock as usize).to_owned();
            let RowCounts { added, restated, filled, removed } = rows;
            (stock.clone(), StockChange { stock, added, restated, filled, removed })
        };
        self.stocks_changed = changes.rows_of.iter().map(stock_change).collect();
        self.examples = changes.examples.clone();
        self.kept = changes.stayed.count;
        self.kept_examples = changes.stayed.examples.clone();

        for (index, column) in columns.iter().enumerate() {
            match panel.columns.get(index) {
                None => self.new_columns.push(column.name.clone()),
                Some(old) if old.data_type != column.logical => {
                    self.widened_columns.push(format!("{}: {} -> {}", column.name, old.data_type, column.logical));
                }
                Some(_) => {}
            }
        }
        let date_form = snapshot.date_form();
        if date_form != panel.date_form {
            self.notes.push(format!("{} is {date_form} from now on, and was {}", panel.date_name, panel.date_form));
        }
        self.schema_changed = !self.new_columns.is_empty()
            || !self.widened_columns.is_empty()
            || date_form != panel.date_form
            || snapshot.columns[0].logical != panel.code.data_type;
        self.new_stocks = (snapshot.dictionaries[0].len() - before.stocks()?.len()) as u64;
        Ok(())
    }

    /// Adds columns that options took away or gave other names; the source has rows on these dates.
    pub(super) fn describe_reshaped(&mut self, renamed: Vec<String>, lost: Vec<String>, dates: &BTreeSet<Date>) {
        self.schema_changed |= !renamed.is_empty();
        self.renamed_columns = renamed;
        self.lost_columns = lost;
        for &date in dates {
            self.dirty.entry(date).or_insert(DateChange::none(date));
        }
        self.count_dirty();
    }

    /// Adds that a source goes with these columns: rows that stay lose their values, and none is restated.
    pub(super) fn describe_lost(&mut self, columns: Vec<String>) {
        self.restated = 0;
        self.columns.clear();
        self.dirty.values_mut().for_each(|change| change.restated = 0);
        self.stocks_changed.values_mut().for_each(|change| change.restated = 0);
        self.stocks_changed.retain(|_, change| change.removed > 0);
        self.examples.retain(|change| change.change != "restated");
        self.lost_columns = columns;
    }

    /// Adds what became of the files of `survey`.
    pub(super) fn describe_files(
        &mut self,
        survey: &Survey,
        gathered: &Gathered,
        read: &[FileEntry],
        date_form: &DateForm,
    ) {
        let is_absent = |index: usize| survey.inputs.iter().all(|input| !input.has_column(index));
        let absent = survey.columns.iter().enumerate().filter(|(index, _)| is_absent(*index));
        if survey.files().next().is_some() {
            self.absent_columns = absent.map(|(_, column)| column.name.clone()).collect();
        }
        let with = |status| read.iter().filter(move |entry| entry.status == status);
        self.read_files = with(FileStatus::Read).count() as u64;
        self.empty_files = with(FileStatus::Empty).map(|entry| entry.path.clone()).collect();
        self.skipped = read.iter().filter_map(FileEntry::skipped).collect();
        self.merged_rows = read.iter().map(|entry| entry.merged).sum();
        self.dropped_rows = read.iter().map(|entry| entry.dropped).sum();
        self.notes = survey.notes.clone();
        self.notes.extend(date_note(survey, &gathered.read, date_form, false));
        self.notes.extend(codes_note(survey, &gathered.read));
    }

    /// Decides whether the change may be published: not with more rows restated or removed than `most` of the `rows`
    /// there were, nor when a guard was met that is not allowed.
    pub(super) fn judge(&mut self, most: Option<Limit>, rows: u64, guards: Guards) {
        let count = self.restated + self.removed;
        self.refused = self.refusal(most, rows);
        (self.guards, self.near) = guards.into_parts();
        let skipped = (self.skipped.len() as u64, self.file_count());
        let limits = [
            ("max-restated", most, (count, rows), "rows are restated or removed"),
            ("max-skipped", self.max_skipped, skipped, "files are skipped"),
        ];
        for (guard, most, (count, of), what) in limits {
            if let Some(most) = most.filter(|most| most.allows(count, of) && most.is_near(count, of)) {
                let what = format!("{count} of {of} {what}; at most {most} may be");
                self.near.push(NearLimit { guard, source: None, count, of, what });
            }
        }
    }

    /// Decides the same of several changes, each of which may be published.
    pub(super) fn judge_together(&mut self, most: Option<Limit>, rows: u64) {
        self.refused = self.refused.take().or_else(|| self.refusal(most, rows));
    }

    /// Why so many of the `rows` there were may not be restated or removed.
    fn refusal(&self, most: Option<Limit>, rows: u64) -> Option<String> {
        let count = self.restated + self.removed;
        let most = most.filter(|most| !most.allows(count, rows))?;
        Some(format!("{count} of {rows} rows would be restated or removed; at most {most} may be"))
    }

    /// Adds a guard that was met, or was not allowed.
    pub(super) fn meet(&mut self, guards: Guards) {
        let (met, near) = guards.into_parts();
        self.guards.extend(met);
        self.near.extend(near);
    }

    /// Refuses a change that leaves no row, and names the files that could not be used, or the `calendar` that knows no
    /// trading date of a row.
    pub(super) fn refuse_empty(&self, calendar: Option<&str>) -> Result<()> {
        if self.rows + self.added > self.removed || self.is_stopped() {
            return Ok(());
        }
        let what = "no row of the store would be left";
        if let (Some(calendar), 1..) = (calendar, self.waiting_rows) {
            let rows = counted(self.waiting_rows as usize, "row", "rows");
            let what = format!("{what}: the calendar {calendar} knows the trading date of none of the {rows} read");
            let other = Remedy::set(Setting::Calendar, "names one that does");
            return Err(Error::refused_unless(what, [other]).about(Path::new(calendar)));
        }
        match self.skipped.as_slice() {
            [] => Err(Error::refused(what, "look whether the source is what it should be")),
            skipped => Err(Error::Inputs { what: what.to_owned(), skipped: skipped.to_vec(), path: None }),
        }
    }

    /// Whether a limit or a guard stopped the change.
    pub fn is_stopped(&self) -> bool {
        self.refused.is_some() || self.guards.iter().any(|met| !met.allowed)
    }

    /// How many files there were, those that were skipped included.
    pub fn file_count(&self) -> u64 {
        let listed = self.empty_files.len() + self.skipped.len();
        self.read_files + self.unchanged_files + self.touched_files + listed as u64
    }

    /// Whether no more files were skipped than is usual.
    pub fn skips_are_usual(&self) -> bool {
        let (count, all) = (self.skipped.len() as u64, self.file_count());
        match self.more_skips_than_usual {
            Some(more) => !more,
            None => self.max_skipped.unwrap_or(Limit::Count(0)).allows(count, all),
        }
    }

    /// Whether rows or columns are not as they were, or what a restore gives back of sources.
    pub fn changes_anything(&self) -> bool {
        self.dirty_dates > 0 || self.schema_changed || !self.lost_columns.is_empty()
    }

    pub(super) fn count_dirty(&mut self) {
        self.dirty_dates = self.dirty.len() as u64;
        self.first_dirty = self.dirty.keys().next().copied();
        self.last_dirty = self.dirty.keys().next_back().copied();
    }

    /// What is noted of the change that makes `snapshot` of `before`.
    ///
    /// # Errors
    /// When the version before is damaged.
    pub(super) fn changes(&self, before: &Store, snapshot: &Snapshot) -> Result<Option<VersionChanges>> {
        let stocks: Vec<StockChange> = self.stocks_changed.values().cloned().collect();
        let restated = self.columns.iter().map(|of| (of.column.as_str(), (of.restated, 0)));
        let filled = self.filled_columns.iter().map(|of| (of.column.as_str(), (0, of.filled)));
        let mut values: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (name, (restated, filled)) in restated.chain(filled) {
            let of = values.entry(name).or_default();
            *of = (of.0 + restated, of.1 + filled);
        }
        let values = |name: &str| values.get(name).copied().unwrap_or_default();
        VersionChanges::new(before, snapshot, self.dirty.values().cloned(), &stocks, values)
    }

    /// The new version's line in the store's history.
    pub(super) fn history_entry(&self, writer: &StoreWriter, snapshot: &Snapshot, command: &str) -> VersionEntry {
        VersionEntry {
            version: writer.version(),
            commit: writer.commit(),
            created_ns: writer.now(),
            command: command.to_owned(),
            rows: snapshot.row_count(),
            dates: snapshot.date_count() as u64,
            added: self.added,
            restated: self.restated,
            filled: self.filled,
            removed: self.removed,
            dirty_dates: self.dirty_dates,
            dirty_stocks: self.stocks_changed.len() as u64,
            dirty_columns: 0,
            changes: None,
        }
    }

    /// Notes that `snapshot` is live.
    pub(super) fn published(&mut self, snapshot: &Snapshot) {
        self.published = true;
        self.version = snapshot.version;
        self.rows = snapshot.row_count();
        self.dates = snapshot.date_count() as u64;
        self.written_bytes = snapshot.new_segments().map(|segment| segment.record.file_len).sum();
    }
}
