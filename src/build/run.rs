//! Runs a build: survey, gather, seal, publish.

use std::path::PathBuf;
use std::time::Instant;

use super::assemble::{SealerParts, assemble};
use super::intake::{Gathered, Intake};
use super::plan;
use super::report::{BuildReport, nothing_to_store, report};
use super::seal::Sealer;
use super::settings::Settings;
use super::spill::Spill;
use crate::durable::Disk;
use crate::error::{Error, Result};
use crate::key::Date;
use crate::progress::{Observer, Silent};
use crate::segment::{SealedSegment, SegmentId, SegmentWriter};
use crate::source::{SourceOptions, Survey, survey};
use crate::store::{Opening, Store, StoreWriter, VersionEntry};
use crate::workers::Workers;

/// Anonymous memory a build may use, unless told otherwise: 512 MiB.
const DEFAULT_MEMORY: u64 = 512 << 20;

/// Versions a store keeps, unless told otherwise.
const DEFAULT_KEEP: u32 = 7;

/// The least memory a build can work with.
const LEAST_MEMORY: u64 = 64 << 20;

/// Builds a store from per-stock Parquet files.
///
/// ```no_run
/// let report = transect::Build::new("features", "panel.store").run()?;
/// println!("{} rows of {} stocks", report.rows, report.stocks);
/// # Ok::<(), transect::Error>(())
/// ```
///
/// # Memory
///
/// Series are collected in blocks that fill each worker's share of [`memory`](Build::memory), whatever the panel's
/// size, and pass through an intermediate file in the store's directory that is about as large as the store.
pub struct Build<'a> {
    source: PathBuf,
    store: PathBuf,
    options: SourceOptions,
    memory: u64,
    workers: Option<usize>,
    force: bool,
    keep: Option<u32>,
    observer: &'a dyn Observer,
    disk: Disk,
}

impl<'a> Build<'a> {
    /// A build of the files in `source` into a store at `store`, with the defaults of the command line.
    pub fn new(source: impl Into<PathBuf>, store: impl Into<PathBuf>) -> Build<'a> {
        Build {
            source: source.into(),
            store: store.into(),
            options: SourceOptions::default(),
            memory: DEFAULT_MEMORY,
            workers: None,
            force: false,
            keep: None,
            observer: &Silent,
            disk: Disk::default(),
        }
    }

    /// How to find and read the input.
    pub fn options(mut self, options: SourceOptions) -> Self {
        self.options = options;
        self
    }

    /// Anonymous memory to use, in bytes; 512 MiB by default.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Worker threads; one per core by default. One runs on the calling thread. The segments' bytes do not depend on it.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = Some(count);
        self
    }

    /// Whether to replace a store that exists. Its readers keep what they have open.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// How many versions the store keeps when it is updated, at least 1; 7 by default.
    pub fn keep(mut self, versions: u32) -> Self {
        self.keep = Some(versions.max(1));
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

    /// Builds and publishes. Files that cannot be used are skipped, with reasons in the report.
    ///
    /// # Errors
    /// When no file can be used, the store cannot be written, or the observer cancels; then the version that was live
    /// before stays live.
    pub fn run(self) -> Result<BuildReport> {
        if self.memory < LEAST_MEMORY {
            return Err(Error::Refused(format!(
                "{} bytes of memory are too few; give at least {} MiB",
                self.memory,
                LEAST_MEMORY >> 20
            )));
        }
        let started = Instant::now();
        let workers = Workers::new(self.workers)?;
        let mut survey = survey(&self.source, &self.options, &workers, self.observer)?;
        survey.whole_file_limit(self.memory / 8 / workers.count() as u64);
        let opening = if self.force { Opening::Replace } else { Opening::Create };
        let mut writer = StoreWriter::begin(&self.store, &self.disk, opening)?;
        let result = self.write(&workers, &survey, &mut writer);
        if result.is_err() {
            // The error that stopped the build says more than one about its leftovers.
            let _ = writer.clear_unpublished();
        }
        let mut report = result?;
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    fn write(&self, workers: &Workers, survey: &Survey, writer: &mut StoreWriter) -> Result<BuildReport> {
        let spill = Spill::create(&self.disk, (0..workers.count()).map(|worker| writer.spill_path(worker)))?;
        let gathered = self.gather(workers, survey, &spill)?;
        let keep = self.keep.or(writer.before().map(Store::keep)).unwrap_or(DEFAULT_KEEP);
        let (mut snapshot, sealer_parts) = assemble(survey, &gathered, writer, keep)?;
        snapshot.settings = Settings::of_build(&self.source, &self.options).encode()?;

        let sections = plan::sections(&gathered.blocks);
        if sections.is_empty() {
            return Err(nothing_to_store(survey, &snapshot));
        }
        for sealed in self.seal(workers, writer, &gathered, &spill, sealer_parts, &sections)? {
            snapshot.add_sealed(sealed);
        }
        // What stood before may be too damaged to say what it was.
        snapshot.history = writer.history().unwrap_or_default();
        snapshot.history.push(VersionEntry {
            version: writer.version(),
            created_ns: writer.created_ns(),
            command: "build".to_owned(),
            rows: snapshot.row_count(),
            dates: sections.len() as u64,
            added: snapshot.row_count(),
            restated: 0,
            removed: writer.before().map_or(0, Store::row_count),
            dirty_dates: sections.len() as u64,
        });
        if self.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        writer.publish(&snapshot)?;
        let mut report = report(survey, &gathered, &snapshot, &sections);
        // The new version is live: what is left of old ones is no failure of this build, and the next one tries again.
        if let Err(why) = writer.collect(|_, _| true, false) {
            report.notes.push(format!("files of earlier versions could not be removed: {why}"));
        }
        Ok(report)
    }

    /// Reads all inputs and gathers them by blocks.
    fn gather(&self, workers: &Workers, survey: &Survey, spill: &Spill) -> Result<Gathered> {
        let inputs = &survey.inputs;
        let intake = Intake::new(survey, spill, self.observer, self.memory, workers.count());
        let decoded_lens: Vec<u64> = inputs.iter().map(|input| input.decoded_len).collect();
        // A task makes about one block, and there are several tasks for each worker.
        let decoded_len = plan::total(&decoded_lens);
        let task_count = (workers.count() * 4).max((decoded_len / (3 * intake.share() as u64)) as usize);
        let tasks = plan::tasks(&decoded_lens, task_count);
        self.observer.begin("build", "files", inputs.len() as u64);
        let parts = workers.try_map(tasks.len(), |task| intake.gather(tasks[task].clone()))?;
        self.observer.end();
        let mut all = Gathered::default();
        for part in parts {
            all.blocks.extend(part.blocks);
            all.read.extend(part.read);
            all.skipped.extend(part.skipped);
        }
        if self.options.strict && !all.skipped.is_empty() {
            let (input, reason) = &all.skipped[0];
            return Err(Error::Refused(format!(
                "{}: {reason} (and --strict allows no skipped file)",
                inputs[*input].path.display()
            )));
        }
        Ok(all)
    }

    fn seal(
        &self,
        workers: &Workers,
        writer: &StoreWriter,
        gathered: &Gathered,
        spill: &Spill,
        parts: SealerParts,
        sections: &[(Date, u32)],
    ) -> Result<Vec<SealedSegment>> {
        let dates: Vec<Date> = sections.iter().map(|&(date, _)| date).collect();
        let row_counts: Vec<u32> = sections.iter().map(|&(_, rows)| rows).collect();
        let bits_per_row: u64 = parts.columns.iter().map(|column| column.stored.byte_len(8)).sum();
        let segments = plan::segments(&row_counts, bits_per_row);
        let spill = spill.map()?;
        let sealer = Sealer {
            blocks: &gathered.blocks,
            spill: &spill,
            version: writer.version(),
            columns: parts.columns,
            stocks: parts.stocks,
            codes: parts.codes,
        };
        self.observer.begin("seal", "sections", dates.len() as u64);
        let sealed = workers.try_map(segments.len(), |ordinal| {
            let (store_id, version) = (writer.store_id(), writer.version());
            let id = SegmentId { store_id, version, ordinal: ordinal as u32 };
            let mut segment = SegmentWriter::create(&self.disk, &writer.segment_dir(), id, sealer.columns.clone())?;
            sealer.seal(&dates[segments[ordinal].clone()], &mut segment, || {
                self.observer.advance(1);
                if self.observer.cancelled() { Err(Error::Cancelled) } else { Ok(()) }
            })?;
            segment.finish()
        })?;
        self.observer.end();
        Ok(sealed)
    }
}
