//! Runs a build: survey, gather, seal, publish.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::build_report::BuildReport;
use super::first::{DEFAULT_KEEP, ended, seal_all};
use super::gather::intake::{codes_of, panel_of};
use super::gather::stages::Stages;
use super::making::{Making, live_version};
use super::seal::assemble::{Assembly, Target, assemble};
use super::seal::sealer::Sealer;
use super::settings::Settings;
use super::writing::{Writing, setters};
use crate::error::Result;
use crate::shuffle::{self, Gathering};
use crate::source::{SourceOptions, Survey, Surveyor};
use crate::store::{Opening, Store, StoreWriter};

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
    pub(super) writing: Writing<'a>,
    pub(super) source: PathBuf,
    pub(super) options: SourceOptions,
    pub(super) name: Option<String>,
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
        let keep = self.writing.keep.of(writer.before().map_or(DEFAULT_KEEP, Store::kept));
        let panel = panel_of(&survey);
        let inputs = codes_of(&survey, &gathered);
        let name = name_of_source(self.name.clone(), &self.source);
        let target = Target { before: None, place: 0, name: &name };
        let Assembly { snapshot, columns, stocks, codes } =
            assemble(panel, &inputs, &gathered.blocks, writer.ids(), keep, target)?;
        let settings_before = writer.before().and_then(|before| Settings::of(&before.of_source(0)).ok());
        let max_skipped = self.writing.max_skipped.or(settings_before.and_then(|settings| settings.max_skipped));
        let making = Making::new((&survey, &gathered), &self.source, &self.writing.allowed, max_skipped)?;
        let source = snapshot.sources[0].id;
        let (sealed, sections) = stages.synced(|syncs| {
            // Goes when the last section is sealed: giving back so many pages takes as long as the last syncs.
            let spilled = spill.map()?;
            let gathering = Gathering { blocks: &gathered.blocks, spill: &spilled, stocks, codes };
            let sections = shuffle::sections(gathering.days());
            if making.stops(&sections)? {
                return Ok((None, sections));
            }
            let sealer = Sealer { gathering, columns };
            let sealed = seal_all(stages, writer, (source, &sealer), &sections, syncs)?;
            Ok((Some(sealed), sections))
        })?;
        match sealed {
            Some(sealed) => making.publish(writer, snapshot, &sections, sealed, self.writing.observer),
            None => Ok(making.stopped(snapshot, &sections, live_version(writer))),
        }
    }
}

/// The name of a source: that of its directory, unless it was given one.
pub(super) fn name_of_source(given: Option<String>, directory: &Path) -> String {
    let own = || {
        let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        directory.file_name().map(|name| name.to_string_lossy().into_owned())
    };
    given.or_else(own).unwrap_or_else(|| "source".to_owned())
}
