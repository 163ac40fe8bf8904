//! Runs a restore: the rows of an older version become those of the next one, which shares its bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use arrow_array::Array;
use arrow_array::cast::AsArray;

use super::appended::Appended;
use super::build_report::known_file;
use super::gather::stages::Stages;
use super::guard::Guards;
use super::join::Join;
use super::night::{guard_appended, guard_nulls, guard_pruned};
use super::revise::changes::{Changes, DirtyDate, Found};
use super::seal::assemble::number_stocks;
use super::settings::{Settings, store_settings};
use super::update_report::UpdateReport;
use super::writing::{Writing, setters};
use crate::error::{Error, Result};
use crate::format::FileStatus;
use crate::key::Date;
use crate::store::{
    Diff, DiffReport, FileEntry, Snapshot, SnapshotSource, SnapshotTables, StockChanges, Store, StoreWriter,
};

/// Makes the rows of an older version those of the next one.
///
/// Nothing is copied: the new version shares the older one's bytes. Columns, sources and their options are those of the
/// older version, too; where the files are, and which of them were read, is as it was last.
/// So restored rows stand until their file changes, or all are [read again](crate::Update::reread), as other options may
/// ask for, too. A source that was dropped since comes back likewise, with what the last version that had it knew of its
/// files.
///
/// ```no_run
/// let report = transect::Restore::new("panel.store", 3).run()?;
/// println!("{} rows added, {} restated, {} removed", report.added, report.restated, report.removed);
/// # Ok::<(), transect::Error>(())
/// ```
pub struct Restore<'a> {
    writing: Writing<'a>,
    version: u64,
}

impl<'a> Restore<'a> {
    /// A restore of this version of the store at `store`, with the defaults of the command line.
    pub fn new(store: impl Into<PathBuf>, version: u64) -> Restore<'a> {
        Restore { writing: Writing::new(store.into()), version }
    }

    setters!(workers, keep, keep_for, allow, max_restated, dry_run, wait, access, observer, disk);

    /// Restores, and publishes if anything differs.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such version any more; when the store cannot be read or written, or the
    /// observer cancels. Then the version that was live before stays live.
    pub fn run(self) -> Result<UpdateReport> {
        self.writing.change(|stages, writer| self.write(stages, writer))
    }

    fn write(&self, stages: &Stages, writer: &StoreWriter) -> Result<UpdateReport> {
        let before = writer.live()?;
        let restored = before.other_version(self.version)?;
        let keep = self.writing.keep.of(before.kept());
        let mut report = UpdateReport::of(before, keep);
        report.dry_run = self.writing.dry_run;
        report.restored = Some(self.version);
        let diff = restored.diff(before)?;
        let found = diff.count_rows(&stages.workers, self.writing.observer)?;
        let sources = Sources::new(before, &restored, writer.version())?;
        report.describe_restored((&found, &diff), (before, &restored))?;
        report.schema_changed |= sources.differ;
        report.notes.extend(sources.notes.iter().cloned());
        let mut guards = Guards::new(&self.writing.allowed);
        let changes = changes((&diff, &found), before, &report, &sources)?;
        guard_nulls(before, &changes, &mut guards)?;
        guard_pruned(&changes, before.row_count(), &mut guards);
        guard_appended(&changes, before.row_count(), &mut guards);
        report.judge(self.writing.max_restated, before.row_count(), guards);
        let claimed = claimed(&diff, &found, before, &restored)?;
        if !claimed.is_empty() {
            report.notes.push("rows are the same, but another source has them".to_owned());
        }
        let is_same = !report.changes_anything() && claimed.is_empty();
        if is_same || report.is_stopped() || self.writing.dry_run {
            return Ok(report);
        }
        let dates: Vec<Date> = found.dirty_dates.iter().copied().chain(claimed).collect();
        check(&restored, &dates, stages)?;

        let mut snapshot = Snapshot { keep, ..restored.snapshot(writer.version(), writer.commit())? };
        keep_ids(&mut snapshot, before)?;
        sources.put(&restored, &mut snapshot)?;
        keep_changed(&mut snapshot, before, &found, &dates)?;
        snapshot.settings = store_settings("restore")?;
        let entry = report.history_entry(writer, &snapshot, &format!("restore {}", self.version));
        let changes = report.changes(before, &snapshot)?;
        snapshot.set_history(writer.history()?, entry, changes);
        if self.writing.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        writer.publish(&snapshot)?;
        report.published(&snapshot);
        Ok(report)
    }
}

/// Checks the sections that come back whole: damage must not become live.
fn check(restored: &Store, changed: &[Date], stages: &Stages) -> Result<()> {
    let dates = restored.dates()?;
    let checked = stages.workers.try_map(changed.len(), |n| {
        if stages.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        match dates.binary_search(&changed[n]) {
            Ok(index) => restored.section_at(index)?.parts().try_for_each(|part| part.check()),
            Err(_) => Ok(()),
        }
    });
    checked.map(drop)
}

/// The dates on which both versions have the same rows, but not by the same sources: a row in which a source has nothing
/// but nulls is seen once it is the last one that has it.
fn claimed(diff: &Diff, found: &DiffReport, before: &Store, restored: &Store) -> Result<Vec<Date>> {
    let live: HashMap<u32, usize> =
        before.snapshot_sources()?.into_iter().enumerate().map(|(place, source)| (source.id, place)).collect();
    let sources = restored.snapshot_sources()?.into_iter().enumerate();
    let sources: Vec<(usize, usize)> =
        sources.filter_map(|(then, source)| Some((then, *live.get(&source.id)?))).collect();
    let dirty: BTreeSet<Date> = found.dirty_dates.iter().copied().collect();
    let mut claimed = Vec::new();
    for date in diff.dates().filter(|date| !dirty.contains(date)) {
        let (then, now) = (restored.section(date)?, before.section(date)?);
        for &(place_then, place_now) in &sources {
            if then.rows_of(place_then)? != now.rows_of(place_now)? {
                claimed.push(date);
                break;
            }
        }
    }
    Ok(claimed)
}

/// What the guards look at.
fn changes(
    (diff, found): (&Diff, &DiffReport),
    before: &Store,
    report: &UpdateReport,
    sources: &Sources,
) -> Result<Changes> {
    let mut changes = Changes::none(before.schema()?.columns.len());
    for (column, change) in diff.columns().iter().zip(&found.columns) {
        // A column that goes is told as that.
        if let (Some(place), Some(_)) = (column.older_index, column.newer_index) {
            changes.lost_values[place].turned_null = change.turned_null;
        }
    }
    let dirty = found.dates.iter().map(|change| DirtyDate {
        date: change.date,
        units: Vec::new(),
        added: change.added,
        restated: change.restated,
        filled: change.filled,
        removed: change.removed,
    });
    changes.dirty = dirty.collect();
    changes.examples.clone_from(&report.examples);
    for change in found.dates.iter().filter(|change| change.removed > 0 && sources.appended_since(change.date)) {
        changes.lost.extend(Found { count: change.removed, examples: vec![change.date.to_string()] });
    }
    Ok(changes)
}

/// Takes over what `before` has of ids and dictionaries: no id is used again for anything else, and a code goes on
/// meaning what it means.
fn keep_ids(snapshot: &mut Snapshot, before: &Store) -> Result<()> {
    let (next_column, next_source) = before.next_ids();
    snapshot.next_column = snapshot.next_column.max(next_column);
    snapshot.next_source = snapshot.next_source.max(next_source);
    let (columns, dictionaries) = before.snapshot_columns()?;
    let now: HashMap<u32, u32> = columns.iter().filter_map(|column| Some((column.id, column.dictionary?))).collect();
    for column in &snapshot.columns {
        let (Some(then), Some(now)) = (column.dictionary, now.get(&column.id)) else { continue };
        let (then, now) = (&mut snapshot.dictionaries[then as usize], &dictionaries[*now as usize]);
        // Of a store that was built anew since, they are others.
        if then.len() <= now.len() && now.slice(0, then.len()).as_ref() == then.as_ref() {
            *then = now.clone();
        }
    }
    Ok(())
}

/// Sections that hold the same rows as before changed when those did, and so did stocks.
fn keep_changed(snapshot: &mut Snapshot, before: &Store, found: &DiffReport, dirty: &[Date]) -> Result<()> {
    let changed: HashMap<Date, u64> =
        before.snapshot_pieces()?.into_iter().map(|piece| (piece.date, piece.changed)).collect();
    let dirty: BTreeSet<&Date> = dirty.iter().collect();
    for piece in &mut snapshot.pieces {
        let same = changed.get(&piece.date).filter(|_| !dirty.contains(&piece.date));
        piece.changed = same.copied().unwrap_or(snapshot.version);
    }
    snapshot.stock_changes = StockChanges::default();
    for (stock, code) in snapshot.dictionaries[0].as_string::<i32>().iter().enumerate() {
        let same = code.filter(|code| found.dirty_stocks.binary_search_by(|changed| (**changed).cmp(code)).is_err());
        let known = same.and_then(|code| before.stock(code).ok());
        let changed = known.map_or(Ok(snapshot.version), |known| before.stock_changed(known))?;
        snapshot.stock_changes.note([stock as u32], changed);
    }
    Ok(())
}

/// The sources of the version that is restored, with what is known of their files now.
struct Sources {
    /// By place; `None` for one that no version since has.
    now: Vec<Option<(Settings, Vec<FileEntry>)>>,
    /// Whether some are called, read or joined otherwise now, or are not there.
    differ: bool,
    notes: Vec<String>,
    /// The dates on which rows were appended that the version does not know of.
    appended: BTreeSet<Date>,
}

impl Sources {
    /// Those of `restored`, which is to be `version` after `before`.
    fn new(before: &Store, restored: &Store, version: u64) -> Result<Sources> {
        let mut live = Vec::new();
        for (place, source) in before.snapshot_sources()?.into_iter().enumerate() {
            let view = before.of_source(place);
            live.push((source, Settings::of(&view)?, view.files()?));
        }
        let mut sources = Sources { now: Vec::new(), differ: false, notes: Vec::new(), appended: BTreeSet::new() };
        let restored_sources = restored.snapshot_sources()?;
        let ids: BTreeSet<u32> = restored_sources.iter().map(|source| source.id).collect();
        for (place, source) in restored_sources.into_iter().enumerate() {
            let view = restored.of_source(place);
            let (then, files_then) = (Settings::of(&view)?, view.files()?);
            let same = live.iter().position(|(live, ..)| live.id == source.id);
            // One that was dropped, and added again as it was.
            let is_alike = |(live, now, _): &(SnapshotSource, Settings, _)| {
                !ids.contains(&live.id)
                    && now.source.is_some()
                    && now.source == then.source
                    && now.options == then.options
            };
            let Some(at) = same.or_else(|| live.iter().position(is_alike)) else {
                let last = last_known(before, restored.version(), source.id)?;
                sources.now.push(last.map(|(now, files)| known(now, files, then, &files_then, version)));
                sources.differ = true;
                continue;
            };
            let (known_as, now, files) = live.swap_remove(at);
            let (name, version_then) = (&source.name, restored.version());
            let mut notes = Vec::new();
            if known_as.name != *name {
                notes.push(format!("the source {:?} is called {name:?} again", known_as.name));
            }
            if now.options != then.options {
                notes.push(format!("the source {name:?} is read as version {version_then} read it"));
            }
            if now.join != then.join {
                notes.push(format!("the source {name:?} joins {} again", then.join));
            }
            sources.differ |= !notes.is_empty();
            sources.notes.extend(notes);
            sources.appended.extend(now.appended.dates_beyond(&then.appended));
            sources.now.push(Some(known(now, files, then, &files_then, version)));
        }
        sources.differ |= !live.is_empty();
        let none = Appended::default();
        sources.appended.extend(live.iter().flat_map(|(_, now, _)| now.appended.dates_beyond(&none)));
        Ok(sources)
    }

    /// Whether rows were appended on `date` that the version does not know of.
    fn appended_since(&self, date: Date) -> bool {
        self.appended.contains(&date)
    }

    /// Gives them to `snapshot`, which is `restored` so far.
    fn put(self, restored: &Store, snapshot: &mut Snapshot) -> Result<()> {
        let files: Vec<&FileEntry> = self.now.iter().flatten().flat_map(|(_, files)| files).collect();
        let codes: Vec<Option<&str>> = files.iter().map(|file| file.code.as_deref()).collect();
        number_stocks(&codes, snapshot)?;
        for (place, now) in self.now.into_iter().enumerate() {
            let mut contents = restored.snapshot_contents(place)?;
            // Which of its rows are not as they were is not known here.
            let stocks: Vec<u32> = contents.stock_changes.stocks().collect();
            contents.stock_changes.note(stocks, snapshot.version);
            if let Some((settings, files)) = now {
                (contents.settings, contents.files) = (settings.encode()?, files);
            }
            snapshot.sources[place].tables = SnapshotTables::New(contents);
        }
        Ok(())
    }
}

/// What the last version between `then` and `live` that has the source `id` knew of it and its files.
fn last_known(live: &Store, then: u64, id: u32) -> Result<Option<(Settings, Vec<FileEntry>)>> {
    for &version in live.kept_versions()?.iter().rev().filter(|&&version| version > then && version < live.version()) {
        let store = live.other_version(version)?;
        if let Some(place) = store.snapshot_sources()?.iter().position(|source| source.id == id) {
            let view = store.of_source(place);
            return Ok(Some((Settings::of(&view)?, view.files()?)));
        }
    }
    Ok(None)
}

/// What is known of a source whose rows of `then` are restored in `version`.
fn known(
    now: Settings,
    files: Vec<FileEntry>,
    then: Settings,
    files_then: &[FileEntry],
    version: u64,
) -> (Settings, Vec<FileEntry>) {
    let left_out = now.left_out.restored(&then.left_out, version);
    let Settings { options, appended, join, restored: restored_then, .. } = then;
    let mut settings = Settings { options, appended, join, left_out, restored: BTreeSet::new(), ..now };
    let mut known: BTreeMap<String, FileEntry> = files.into_iter().map(|entry| (entry.path.clone(), entry)).collect();
    for entry in files_then.iter().filter(|entry| entry.status == FileStatus::Read) {
        match known.get(&entry.path).map(|now| (now.status, now.reason.clone())) {
            Some((FileStatus::Read | FileStatus::Empty, _)) => continue,
            // Its rows had gone, with the file or because nobody could use it any more, and are there again.
            Some((FileStatus::Skipped, reason)) => {
                settings.skipped.extend(reason.map(|reason| (entry.path.clone(), reason)));
            }
            None => {
                settings.missing.insert(entry.path.clone());
            }
        }
        known.insert(entry.path.clone(), entry.clone());
    }
    let hashes_then: HashMap<&str, u128> =
        files_then.iter().map(|entry| (entry.path.as_str(), entry.content_hash)).collect();
    for entry in known.values() {
        let Some(file) = known_file(entry) else { continue };
        // One that was not known then has changed since, too.
        let has_changed = hashes_then.get(entry.path.as_str()) != Some(&file.content_hash);
        if has_changed {
            settings.appended.note_restored(&entry.path, file, version);
        }
        if has_changed || restored_then.contains(&entry.path) {
            settings.restored.insert(entry.path.clone());
        }
    }
    if settings.join == Join::Left {
        // Of what these files hold, the keys that the panel lacks now are left out, whatever it had when they were read.
        let units = settings.restored.iter().flat_map(|path| settings.options.units_of(path.as_ref()));
        settings.left_out = std::mem::take(&mut settings.left_out).and(units, version);
    }
    (settings, known.into_values().collect())
}
