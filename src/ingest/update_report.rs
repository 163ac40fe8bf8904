//! What an update tells, and what stops one.

use serde::Serialize;

use super::changes::{Changes, DirtyDate, RowChange};
use super::guard::{GuardMet, Guards};
use super::intake::Gathered;
use super::limit::Limit;
use super::spelling::date_note;
use crate::error::{Error, Result};
use crate::format::SourceStatus;
use crate::key::Date;
use crate::panel::DateForm;
use crate::skipped::Skipped;
use crate::source::{Scan, Survey};
use crate::store::{Snapshot, SourceEntry, Store, StoreWriter, VersionEntry};

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
    /// Why nothing was published, where a limit on restatements stopped it.
    pub refused: Option<String>,
    /// The guards that were met. One that was not allowed stopped the change.
    pub guards: Vec<GuardMet>,
    /// How many skipped files are usual, if somebody has said so.
    pub max_skipped: Option<Limit>,
    /// Rows that the version before does not have.
    pub added: u64,
    /// Rows that the version before has with other values, in the columns that it has.
    pub restated: u64,
    /// Rows that differ from those of the version before only in columns that it does not have.
    pub filled: u64,
    /// Rows that only the version before has.
    pub removed: u64,
    /// Appended rows that stay although the files read lack them.
    pub kept: u64,
    /// Date and code of the first of those.
    pub kept_examples: Vec<String>,
    /// Dates whose sections differ.
    pub dirty_dates: u64,
    /// The first of them.
    pub first_dirty: Option<Date>,
    /// The last of them.
    pub last_dirty: Option<Date>,
    /// The columns with restated values.
    pub columns: Vec<RestatedColumn>,
    /// The new columns with values in rows that the version before has.
    pub filled_columns: Vec<FilledColumn>,
    /// The first changes.
    pub examples: Vec<RowChange>,
    /// Columns that the panel did not have; null in older rows.
    pub new_columns: Vec<String>,
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
    /// Files that have disappeared; their rows stay.
    pub missing_files: Vec<String>,
    /// Files that have disappeared, and their rows with them.
    pub pruned_files: Vec<String>,
    /// Files read that have no rows.
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
    /// Bytes of the segments written.
    pub written_bytes: u64,
    /// Versions that were removed.
    pub collected: Vec<u64>,
    /// What else a user should know.
    pub notes: Vec<String>,
    /// Wall-clock seconds.
    pub seconds: f64,
    #[serde(skip)]
    keep: u32,
    /// Whether columns or dates are not as they were.
    #[serde(skip)]
    schema_changed: bool,
}

/// A column with restated values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RestatedColumn {
    /// Its name.
    pub column: String,
    /// How many of its values differ from those of the version before.
    pub restated: u64,
}

/// A new column with values in rows that are not new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FilledColumn {
    /// Its name.
    pub column: String,
    /// How many.
    pub filled: u64,
}

impl UpdateReport {
    /// The report of a change that has not begun, of a store that is to keep so many versions.
    pub(super) fn of(before: &Store, keep: u32) -> UpdateReport {
        UpdateReport {
            version: before.version(),
            rows: before.row_count(),
            dates: before.dates().map_or(0, |dates| dates.len() as u64),
            keep,
            ..UpdateReport::default()
        }
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
        if report.published {
            let keep = report.keep as usize;
            // The new version is live: what is left of old ones is no failure of it, and the next change tries again.
            match writer.collect(|newer, _| newer >= keep) {
                Ok(collected) => report.collected = collected.versions,
                Err(why) => report.notes.push(format!("files of earlier versions could not be removed: {why}")),
            }
        }
        Ok(report)
    }

    /// Adds what differs.
    pub(super) fn describe(&mut self, changes: &Changes, snapshot: &Snapshot, before: &Store) -> Result<()> {
        let sum = |count: fn(&DirtyDate) -> u64| changes.dirty.iter().map(count).sum();
        self.added = sum(|dirty| dirty.added);
        self.restated = sum(|dirty| dirty.restated);
        self.filled = sum(|dirty| dirty.filled);
        self.removed = sum(|dirty| dirty.removed);
        self.dirty_dates = changes.dirty.len() as u64;
        self.first_dirty = changes.dirty.first().map(|dirty| dirty.date);
        self.last_dirty = changes.dirty.last().map(|dirty| dirty.date);
        let panel = before.schema()?;
        let columns = &snapshot.columns[2..];
        for (index, (column, &count)) in columns.iter().zip(&changes.columns).enumerate().filter(|(_, of)| *of.1 > 0) {
            let column = column.name.clone();
            match panel.columns.get(index) {
                Some(_) => self.columns.push(RestatedColumn { column, restated: count }),
                None => self.filled_columns.push(FilledColumn { column, filled: count }),
            }
        }
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

    /// Adds what became of the files of `survey`.
    pub(super) fn describe_files(
        &mut self,
        survey: &Survey,
        gathered: &Gathered,
        read: &[SourceEntry],
        date_form: &DateForm,
    ) {
        let is_absent = |index: usize| survey.inputs.iter().all(|input| !input.has_column(index));
        let absent = survey.columns.iter().enumerate().filter(|(index, _)| is_absent(*index));
        if !survey.inputs.is_empty() {
            self.absent_columns = absent.map(|(_, column)| column.name.clone()).collect();
        }
        let with = |status| read.iter().filter(move |entry| entry.status == status);
        self.read_files = with(SourceStatus::Read).count() as u64;
        self.empty_files = with(SourceStatus::Empty).map(|entry| entry.path.clone()).collect();
        self.skipped = read.iter().filter_map(SourceEntry::skipped).collect();
        self.merged_rows = read.iter().map(|entry| entry.merged).sum();
        self.dropped_rows = read.iter().map(|entry| entry.dropped).sum();
        self.notes = survey.notes.clone();
        self.notes.extend(date_note(survey, &gathered.read, date_form));
    }

    /// Decides whether the change may be published: not with more rows restated or removed than `most` of the `rows`
    /// there were, nor when a guard was met that is not allowed.
    pub(super) fn judge(&mut self, most: Option<Limit>, rows: u64, guards: Guards) {
        let count = self.restated + self.removed;
        self.refused = most
            .filter(|most| !most.allows(count, rows))
            .map(|most| format!("{count} of {rows} rows would be restated or removed; at most {most} may be"));
        self.guards = guards.into_met();
    }

    /// Refuses a change that leaves no row.
    pub(super) fn refuse_empty(&self) -> Result<()> {
        match self.rows + self.added > self.removed {
            true => Ok(()),
            false => {
                Err(Error::refused("no row of the store would be left", "look whether the source is what it should be"))
            }
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
        self.max_skipped.unwrap_or(Limit::Count(0)).allows(count, all)
    }

    /// Whether rows or columns are not as they were.
    pub fn changes_anything(&self) -> bool {
        self.dirty_dates > 0 || self.schema_changed
    }

    /// The new version's line in the store's history.
    pub(super) fn history_entry(&self, writer: &StoreWriter, snapshot: &Snapshot, command: &str) -> VersionEntry {
        VersionEntry {
            version: writer.version(),
            created_ns: writer.now(),
            command: command.to_owned(),
            rows: snapshot.row_count(),
            dates: snapshot.date_count() as u64,
            added: self.added,
            restated: self.restated,
            removed: self.removed,
            dirty_dates: self.dirty_dates,
        }
    }

    /// Notes that `snapshot` is live.
    pub(super) fn published(&mut self, snapshot: &Snapshot) {
        self.published = true;
        self.version = snapshot.version;
        self.rows = snapshot.row_count();
        self.dates = snapshot.date_count() as u64;
        let new = snapshot.segments.iter().filter(|segment| segment.temporary.is_some());
        self.written_bytes = new.map(|segment| segment.record.file_len).sum();
    }
}
