//! Runs a build: survey, gather, seal, publish.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::assemble::{Assembly, Target, assemble};
use super::build_report::{BuildReport, guard_skipped, nothing_to_store, report, source_entries};
use super::first::{DEFAULT_KEEP, add_sealed, begun, ended, seal_all};
use super::guard::{Guard, Guards};
use super::intake::{codes_of, panel_of};
use super::limit::Limit;
use super::seal::Sealer;
use super::settings::{Settings, store_settings};
use super::sparse::guard_sparse;
use super::spelling::date_form;
use super::stages::Stages;
use crate::error::{Error, Result};
use crate::key::Date;
use crate::progress::{Observer, Silent};
use crate::shuffle::{self, Gathering};
use crate::source::{SourceOptions, Survey, survey};
use crate::storage::Disk;
use crate::storage::wait;
use crate::store::{KeepChange, Opening, SnapshotTables, SourceContents, Store, StoreWriter};
use crate::workers::DEFAULT_MEMORY;

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
    name: Option<String>,
    force: bool,
    keep: KeepChange,
    allowed: Vec<Guard>,
    max_skipped: Option<Limit>,
    wait: Duration,
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
            name: None,
            force: false,
            keep: KeepChange::default(),
            allowed: Vec::new(),
            max_skipped: None,
            wait: Duration::ZERO,
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

    /// Worker threads; one per core by default, and never more than one for each 16 MiB of memory. One runs on the
    /// calling thread. The segments' bytes do not depend on it.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = Some(count);
        self
    }

    /// The name of the source; that of its directory by default.
    pub fn source_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether to replace a store that exists, with all its versions, of which the new one shares nothing. Readers keep
    /// what they have open.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// How many versions the store keeps when it is updated, at least 1; 7 by default.
    pub fn keep(mut self, versions: u32) -> Self {
        self.keep.versions = Some(versions.max(1));
        self
    }

    /// For how long the store keeps a version after another has replaced it, when it is updated; by default not at all.
    /// It keeps those that this or [`keep`](Build::keep) says.
    pub fn keep_for(mut self, age: Duration) -> Self {
        self.keep.age = Some(age);
        self
    }

    /// Guards that stop nothing; by default each does.
    pub fn allow(mut self, guards: impl IntoIterator<Item = Guard>) -> Self {
        self.allowed.extend(guards);
        self
    }

    /// How many skipped files are usual: up to so many are no reason to look, nor for a guard to stop.
    pub fn max_skipped(mut self, most: Limit) -> Self {
        self.max_skipped = Some(most);
        self
    }

    /// How long to wait for somebody else who is writing there; by default not at all.
    pub fn wait(mut self, patience: Duration) -> Self {
        self.wait = patience;
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

    /// Builds and publishes, unless a guard is met that is not [allowed](Build::allow): then the report says so. Files
    /// that cannot be used are skipped, with reasons in the report.
    ///
    /// # Errors
    /// When no file can be used, the store cannot be written, or the observer cancels; then the version that was live
    /// before stays live.
    pub fn run(self) -> Result<BuildReport> {
        let started = Instant::now();
        let stages = Stages::new(self.workers, self.memory, self.observer)?;
        let mut survey = survey(&self.source, &self.options, &stages.workers, self.observer)?;
        let opening = if self.force { Opening::Replace } else { Opening::Create };
        let begin = || StoreWriter::begin(&self.store, &self.disk, opening);
        let writer = wait(self.wait, self.observer, begin)?;
        let result = self.write(&stages, &mut survey, &writer);
        ended(result, writer, &self.store, started)
    }

    fn write(&self, stages: &Stages, survey: &mut Survey, writer: &StoreWriter) -> Result<BuildReport> {
        let spill = stages.spill(writer, survey.decoded_len())?;
        let gathered = stages.gather(survey, &spill, self.options.strict)?;
        let keep = self.keep.of(writer.before().map_or(DEFAULT_KEEP, Store::kept));
        // How dates are spelt is decided when all are known.
        let panel = panel_of(survey);
        let inputs = codes_of(survey, &gathered);
        let target = Target { before: None, place: 0, name: &self.name_of_source() };
        let Assembly { mut snapshot, columns, stocks, codes } =
            assemble(panel, &inputs, &gathered.blocks, writer, keep, target)?;
        let settings_before = writer.before().and_then(|before| Settings::of(&before.of_source(0)).ok());
        let max_skipped = self.max_skipped.or(settings_before.and_then(|settings| settings.max_skipped));
        let settings = Settings { max_skipped, ..Settings::new(&self.source, survey.options()) };
        snapshot.settings = store_settings("build")?;
        let files = source_entries(survey, &gathered);
        let mut guards = Guards::new(&self.allowed);
        guard_skipped(&files, max_skipped, &mut guards);
        guard_sparse(survey, &mut guards);

        let (sealed, batches, sections): (_, Vec<(Date, u32)>, _) = stages.synced(|syncs| {
            // Goes when the last section is sealed: giving back so many pages takes as long as the last syncs.
            let spilled = spill.map()?;
            let gathering = Gathering { blocks: &gathered.blocks, spill: &spilled, stocks, codes };
            let sections = shuffle::sections(gathering.days());
            if sections.is_empty() {
                return Err(nothing_to_store(survey, &files));
            }
            if guards.stop() {
                return Ok((Vec::new(), Vec::new(), sections));
            }
            let sealer = Sealer { gathering, columns };
            let (sealed, batches) = seal_all(stages, writer, &sealer, &sections, syncs)?;
            Ok((sealed, batches, sections))
        })?;
        let dates = sections.iter().map(|&(date, _)| date);
        snapshot.set_date_form(date_form(survey, &gathered.read, dates));
        if guards.stop() {
            let version = writer.before().map_or(0, Store::version);
            return Ok(BuildReport {
                version,
                published: false,
                ..report(survey, &gathered, &snapshot, &files, &sections, (guards, max_skipped))
            });
        }
        let mut contents = SourceContents { settings: settings.encode()?, files, ..SourceContents::default() };
        add_sealed((sealed, batches), &mut contents, &mut snapshot, writer);
        let files = contents.files.clone();
        snapshot.sources[0].tables = SnapshotTables::New(contents);
        snapshot.history = begun(writer, "build", &snapshot, sections.len() as u64);
        if self.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        writer.publish(&snapshot)?;
        Ok(report(survey, &gathered, &snapshot, &files, &sections, (guards, max_skipped)))
    }

    /// The name of the source: that of its directory, unless it was given one.
    fn name_of_source(&self) -> String {
        let directory = || {
            let source = std::path::absolute(&self.source).unwrap_or_else(|_| self.source.clone());
            source.file_name().map(|name| name.to_string_lossy().into_owned())
        };
        self.name.clone().or_else(directory).unwrap_or_else(|| "source".to_owned())
    }
}
