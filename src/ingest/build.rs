//! Runs a build: survey, gather, seal, publish.

use std::path::PathBuf;
use std::time::Instant;

use super::build_report::{BuildReport, guard_skipped, nothing_to_store, report, source_entries};
use super::first::{DEFAULT_KEEP, add_sealed, begin_history, ended, seal_all};
use super::gather::intake::{codes_of, panel_of};
use super::gather::stages::Stages;
use super::guard::Guards;
use super::rolled::Rolled;
use super::seal::assemble::{Assembly, Target, assemble};
use super::seal::sealer::Sealer;
use super::settings::{Settings, store_settings};
use super::sparse::guard_sparse;
use super::spelling::date_form;
use super::writing::{Writing, setters};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::shuffle::{self, Gathering};
use crate::source::{SourceOptions, Survey, Surveyor};
use crate::store::{Opening, SnapshotTables, SourceContents, Store, StoreWriter};

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
    writing: Writing<'a>,
    source: PathBuf,
    options: SourceOptions,
    name: Option<String>,
    force: bool,
}

impl<'a> Build<'a> {
    /// A build of the files in `source` into a store at `store`, with the defaults of the command line.
    pub fn new(source: impl Into<PathBuf>, store: impl Into<PathBuf>) -> Build<'a> {
        Build {
            writing: Writing::new(store.into()),
            source: source.into(),
            options: SourceOptions::default(),
            name: None,
            force: false,
        }
    }

    /// How to find and read the input.
    pub fn options(mut self, options: SourceOptions) -> Self {
        self.options = options;
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

    setters!(memory, workers, keep, keep_for, allow, max_skipped, wait, observer, disk);

    /// Builds and publishes, unless a guard is met that is not [allowed](Build::allow): then the report says so. Files
    /// that cannot be used are skipped, with reasons in the report.
    ///
    /// # Errors
    /// When no file can be used, the store cannot be written, or the observer cancels; then the version that was live
    /// before stays live.
    pub fn run(self) -> Result<BuildReport> {
        let started = Instant::now();
        let stages = self.writing.stages()?;
        let surveyor = Surveyor::new(&self.source, &self.options, &stages.workers, self.writing.observer)?;
        // Before anything is touched.
        let survey = surveyor.survey()?;
        let writer = self.writing.begin(if self.force { Opening::Replace } else { Opening::Create })?;
        let result = self.write(&stages, (surveyor, survey), &writer);
        ended(result, writer, &self.writing.store, started)
    }

    fn write(
        &self,
        stages: &Stages,
        (surveyor, survey): (Surveyor, Survey),
        writer: &StoreWriter,
    ) -> Result<BuildReport> {
        let (survey, spill, gathered) = stages.read(surveyor, survey, writer, None)?;
        let survey = &survey;
        let keep = self.writing.keep.of(writer.before().map_or(DEFAULT_KEEP, Store::kept));
        // How dates are spelt is decided when all are known.
        let panel = panel_of(survey);
        let inputs = codes_of(survey, &gathered);
        let target = Target { before: None, place: 0, name: &self.name_of_source() };
        let Assembly { mut snapshot, columns, stocks, codes } =
            assemble(panel, &inputs, &gathered.blocks, writer, keep, target)?;
        let settings_before = writer.before().and_then(|before| Settings::of(&before.of_source(0)).ok());
        let max_skipped = self.writing.max_skipped.or(settings_before.and_then(|settings| settings.max_skipped));
        let rolled = Rolled::new(survey, &gathered, None, &[]);
        let settings = Settings { max_skipped, rolled, ..Settings::new(&self.source, survey.options()) };
        snapshot.settings = store_settings("build")?;
        let files = source_entries(survey, &gathered);
        let mut guards = Guards::new(&self.writing.allowed);
        guard_skipped(&files, max_skipped, &mut guards);
        guard_sparse(survey, &mut guards);

        let source = snapshot.sources[0].id;
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
            let (sealed, batches) = seal_all(stages, writer, (source, &sealer), &sections, syncs)?;
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
        begin_history(writer, "build", &mut snapshot, sections.len() as u64);
        if self.writing.observer.cancelled() {
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
