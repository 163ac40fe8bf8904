//! Runs an update: scan, read what changed, compare, seal what differs, publish.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::time::Instant;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;

use super::align::Restated;
use super::assemble::{Assembly, assemble};
use super::changes::{Changes, Changing};
use super::merge::merged;
use super::plan;
use super::report::source_entries;
use super::rows::{Gathering, Origin, Piece};
use super::seal::Sealer;
use super::settings::Settings;
use super::stages::{DEFAULT_MEMORY, SealedRows, Stages};
use super::update_report::{MaxRestated, UpdateReport};
use crate::durable::Disk;
use crate::error::{Error, Result};
use crate::format::{SourceStatus, Stored};
use crate::key::Date;
use crate::progress::{Observer, Silent};
use crate::source::{KnownFile, Prior, check_values, scan, survey_again};
use crate::store::{Opening, Snapshot, SnapshotSection, SourceEntry, Store, StoreWriter};

/// Brings a store up to date with the files it was built from.
///
/// Files of the size and time that the store remembers are not read. What the others hold is compared with the live
/// version, row by row and bit by bit; a new version is published if anything differs, in which only the sections that
/// differ are written again. A row that a changed file no longer has is gone from the new version.
///
/// ```no_run
/// let report = transect::Update::new("panel.store").run()?;
/// println!("{} rows added, {} restated", report.added, report.restated);
/// # Ok::<(), transect::Error>(())
/// ```
pub struct Update<'a> {
    store: PathBuf,
    source: Option<PathBuf>,
    memory: u64,
    workers: Option<usize>,
    check_content: bool,
    prune: bool,
    max_restated: Option<MaxRestated>,
    keep: Option<u32>,
    observer: &'a dyn Observer,
    disk: Disk,
}

impl<'a> Update<'a> {
    /// An update of the store at `store` from the source it was last made from, with the defaults of the command line.
    pub fn new(store: impl Into<PathBuf>) -> Update<'a> {
        Update {
            store: store.into(),
            source: None,
            memory: DEFAULT_MEMORY,
            workers: None,
            check_content: false,
            prune: false,
            max_restated: None,
            keep: None,
            observer: &Silent,
            disk: Disk::default(),
        }
    }

    /// The source directory, if it is another than last time. The store remembers it.
    pub fn source(mut self, source: impl Into<PathBuf>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether to read every file and compare its bytes with a hash of those last read, whatever its time says.
    pub fn check_content(mut self, check: bool) -> Self {
        self.check_content = check;
        self
    }

    /// Whether the rows of files that have disappeared go. They stay by default.
    pub fn prune(mut self, prune: bool) -> Self {
        self.prune = prune;
        self
    }

    /// The most rows that may be restated or removed. With more, nothing is published, and the report says what would
    /// have changed.
    pub fn max_restated(mut self, most: MaxRestated) -> Self {
        self.max_restated = Some(most);
        self
    }

    /// How many versions the store keeps from now on, at least 1.
    pub fn keep(mut self, versions: u32) -> Self {
        self.keep = Some(versions.max(1));
        self
    }

    /// Anonymous memory to use, in bytes; 512 MiB by default.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Worker threads; one per core by default. One runs on the calling thread. What is written does not depend on it.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = Some(count);
        self
    }

    /// Who watches.
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// The disk to write to; a test's may fail.
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }

    /// Updates, and publishes if anything changed. Files that cannot be used are skipped, with reasons in the report;
    /// rows that the store has of them stay.
    ///
    /// # Errors
    /// When there is no store, or it cannot be read or written, or the observer cancels; then the version that was live
    /// before stays live.
    pub fn run(self) -> Result<UpdateReport> {
        let started = Instant::now();
        let stages = Stages::new(self.workers, self.memory, self.observer, &self.disk)?;
        let mut writer = StoreWriter::begin(&self.store, &self.disk, Opening::Change)?;
        let result = self.write(&stages, &writer);
        if !matches!(&result, Ok(report) if report.published) {
            // What stopped the update says more than an error about its leftovers.
            let _ = writer.clear_unpublished();
        }
        let mut report = result?;
        if report.published {
            let keep = self.keep.unwrap_or(report.keep) as usize;
            // The new version is live: what is left of old ones is no failure of it, and the next update tries again.
            match writer.collect(|newer, _| newer >= keep, false) {
                Ok(collected) => report.collected = collected.versions,
                Err(why) => report.notes.push(format!("files of earlier versions could not be removed: {why}")),
            }
        }
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    fn write(&self, stages: &Stages, writer: &StoreWriter) -> Result<UpdateReport> {
        let Some(before) = writer.before() else { return Err(Error::Unfinished { path: self.store.clone() }) };
        let settings = Settings::of(before)?;
        let source = self.source.clone().unwrap_or_else(|| settings.source.clone().into());
        let sources = before.sources()?;
        let known = known_files(&sources);
        let (workers, observer) = (&stages.workers, self.observer);
        let mut scan = scan(&source, &settings.options, &known, self.check_content, workers, observer)?;
        let mut report = UpdateReport::new(before, &scan);
        let is_missing = |entry: &&SourceEntry| scan.missing.binary_search(&entry.path).is_ok();
        let missing: Vec<&SourceEntry> = sources.iter().filter(is_missing).collect();
        // An empty file that is gone leaves nothing behind.
        let goes = |entry: &&SourceEntry| self.prune || entry.status == SourceStatus::Empty;
        let (pruned, missing): (Vec<&SourceEntry>, Vec<&SourceEntry>) = missing.into_iter().partition(goes);
        report.missing_files = missing.iter().map(|entry| entry.path.clone()).collect();
        report.pruned_files = pruned.iter().map(|entry| entry.path.clone()).collect();
        let keep = self.keep.unwrap_or(before.keep());
        let as_before = scan.changed.is_empty() && scan.touched.is_empty() && pruned.is_empty();
        if as_before && keep == before.keep() {
            return Ok(report);
        }

        let panel = before.schema()?;
        let exact = |name: &str, to: &DataType| exact_in_store(before, name, to);
        let prior = Prior { code: &panel.code, date_name: &panel.date_name, columns: &panel.columns, exact: &exact };
        let mut survey = survey_again(&source, &mut scan, &prior, &settings.options, workers, observer)?;
        let spill = stages.spill(writer)?;
        let gathered = stages.gather(&mut survey, &spill, settings.options.strict)?;
        let Assembly { mut snapshot, columns, stocks, codes } =
            assemble(&survey, &gathered, writer, keep, Some(before))?;
        snapshot.settings = Settings::new("update", &source, &settings.options).encode()?;

        let read = source_entries(&survey, &gathered);
        let was_read = |entry: &&SourceEntry| entry.status != SourceStatus::Skipped;
        let codes_now = read.iter().filter(was_read).chain(pruned.iter().copied());
        let (restated, ranks) = restated(&snapshot, codes_now.filter_map(|entry| entry.code.as_deref()).collect());
        let spilled = spill.map()?;
        let gathering = Gathering { blocks: &gathered.blocks, spill: &spilled, stocks, codes };
        let changing = Changing { sealer: Sealer { gathering, columns }, before, restated, ranks };
        let changes = changing.compare(workers, observer)?;
        report.describe(&survey, &gathered, &read, &changes, &snapshot, before)?;
        if let Some(most) = self.max_restated {
            report.refused = most.refusal(report.restated + report.removed, before.row_count());
            if report.refused.is_some() {
                return Ok(report);
            }
        }

        snapshot.sources = sources_now(&sources, read, &scan.touched, &pruned);
        if !report.changes_anything() && keep == before.keep() && same_files(&sources, &snapshot.sources) {
            return Ok(report);
        }
        seal(stages, writer, &changing, &changes, &mut snapshot)?;
        snapshot.history = writer.history()?;
        snapshot.history.push(report.history_entry(writer, &snapshot, "update"));
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        writer.publish(&snapshot)?;
        report.published(&snapshot);
        Ok(report)
    }
}

/// What the store remembers of files that can be told to be unchanged. Those that were skipped are looked at again each
/// time: what was wrong may have lain elsewhere.
fn known_files(sources: &[SourceEntry]) -> HashMap<String, KnownFile> {
    let known = sources.iter().filter(|entry| entry.status != SourceStatus::Skipped).map(|entry| {
        let SourceEntry { bytes, modified_ns, content_hash, .. } = *entry;
        (entry.path.clone(), KnownFile { byte_len: bytes, modified_ns, content_hash })
    });
    known.collect()
}

/// Whether all values of a column of `store` are exact in another type; the inner error says why not.
fn exact_in_store(store: &Store, name: &str, to: &DataType) -> Result<Result<(), String>> {
    let panel = store.schema()?;
    let Some(index) = panel.index_of(name) else { return Ok(Ok(())) };
    let logical = &panel.columns[index].data_type;
    for at in 0..store.dates()?.len() {
        let section = store.section_at(at)?;
        // Only 64 bits can be too many.
        if section.raw(index).is_none_or(|raw| raw.stored < Stored::Bytes8) {
            continue;
        }
        section.check()?;
        if let Err(why) = check_values(&section.column_as(index, logical, 0..section.row_count())?, to) {
            return Ok(Err(format!("{}, {why}", section.date())));
        }
    }
    Ok(Ok(()))
}

/// The stocks with these codes in code order, and the place of every stock in that order.
fn restated(snapshot: &Snapshot, codes: HashSet<&str>) -> (Vec<Restated>, Vec<u32>) {
    let all = snapshot.dictionaries[0].as_string::<i32>();
    let mut order: Vec<u32> = (0..all.len() as u32).collect();
    order.sort_unstable_by_key(|&stock| all.value(stock as usize));
    let mut ranks = vec![0; order.len()];
    let mut restated = Vec::with_capacity(codes.len());
    for (rank, &stock) in order.iter().enumerate() {
        ranks[stock as usize] = rank as u32;
        if codes.contains(all.value(stock as usize)) {
            restated.push(Restated { stock, rank: rank as u32 });
        }
    }
    (restated, ranks)
}

/// The files of the new version. A file that can no longer be used keeps its entry as its rows stay, and will be read
/// again.
fn sources_now(
    before: &[SourceEntry],
    read: Vec<SourceEntry>,
    touched: &[(String, i64)],
    pruned: &[&SourceEntry],
) -> Vec<SourceEntry> {
    let kept = before.iter().filter(|entry| entry.status != SourceStatus::Skipped);
    let mut now: BTreeMap<String, SourceEntry> = kept.map(|entry| (entry.path.clone(), entry.clone())).collect();
    for entry in pruned {
        now.remove(&entry.path);
    }
    for (path, modified_ns) in touched {
        if let Some(entry) = now.get_mut(path) {
            entry.modified_ns = *modified_ns;
        }
    }
    for entry in read {
        if entry.status != SourceStatus::Skipped || !now.contains_key(&entry.path) {
            now.insert(entry.path.clone(), entry);
        }
    }
    now.into_values().collect()
}

/// Whether both lists hold the same files as far as they were read.
fn same_files(before: &[SourceEntry], now: &[SourceEntry]) -> bool {
    let read = |entry: &&SourceEntry| entry.status != SourceStatus::Skipped;
    let what = |entry: &SourceEntry| (entry.path.clone(), entry.bytes, entry.modified_ns, entry.content_hash);
    before.iter().filter(read).map(what).eq(now.iter().filter(read).map(what))
}

/// Writes the sections that differ, with those of small segments that are merged, and adds them to `snapshot` beside
/// what stays as it is.
fn seal(
    stages: &Stages,
    writer: &StoreWriter,
    changing: &Changing,
    changes: &Changes,
    snapshot: &mut Snapshot,
) -> Result<()> {
    let (before, columns) = (changing.before, &changing.sealer.columns);
    let segments = before.snapshot_segments()?;
    let dirty: HashSet<Date> = changes.dirty.iter().map(|dirty| dirty.date).collect();
    let mut kept: Vec<SnapshotSection> = before.snapshot_sections()?;
    kept.retain(|section| !dirty.contains(&section.date));
    let mut live_lens = vec![0; segments.len()];
    for section in &kept {
        live_lens[section.record.segment as usize] += section.record.body_len;
    }
    let mut written: Vec<(Date, u32)> = changes.dirty.iter().map(|dirty| (dirty.date, dirty.row_count)).collect();
    written.retain(|&(_, row_count)| row_count > 0);
    if !written.is_empty() {
        let rows: u64 = written.iter().map(|&(_, rows)| u64::from(rows)).sum();
        let merged: HashSet<usize> = merged(&live_lens, rows * plan::bits_per_row(columns) / 8).into_iter().collect();
        kept.retain(|section| {
            let stays = !merged.contains(&(section.record.segment as usize));
            if !stays {
                written.push((section.date, section.record.row_count));
            }
            stays
        });
        written.sort_unstable_by_key(|&(date, _)| date);
    }

    let gathering = &changing.sealer.gathering;
    let sealed = stages.seal(writer, columns, gathering, &written, |walk, date| {
        let section = changing.section_before(date)?;
        let (changed, pieces) = match &section {
            Some(section) if !dirty.contains(&date) => {
                let section = section.section();
                (section.changed(), vec![Piece { origin: Origin::Before, rows: 0..section.row_count() }])
            }
            _ => (writer.version(), changing.align(date, section.as_ref(), walk).pieces),
        };
        if let Some(section) = &section
            && pieces.iter().any(|piece| piece.origin == Origin::Before)
        {
            // Damage must not be sealed again under a checksum that is right.
            section.section().check()?;
        }
        let (row_count, body) = changing.sealer.section(date, &pieces, section.as_ref());
        Ok(SealedRows { changed, row_count, body })
    })?;
    snapshot.add_kept(segments, &kept);
    sealed.into_iter().for_each(|segment| snapshot.add_sealed(segment));
    if snapshot.sections.is_empty() {
        return Err(Error::Refused("no row would be left; remove the store instead".to_owned()));
    }
    Ok(())
}
