//! Where the work on a source that changes can be cut: what a run here does at once, tasks do one after the other.

use super::gather::intake::Gathered;
use super::gather::sections::{FilesRead, GivenFiles};
use super::gather::stages::{Stages, Which};
use super::revise::changes::Changes;
use super::revise::revision::Revision;
use crate::error::Result;
use crate::shuffle::SpillMap;
use crate::source::{KnownFile, Scan, SourceOptions, Survey, Surveyor};
use crate::store::{Site, Store, StoreWriter};

/// How each stage of a change of a source is done. As it stands, here and at once.
pub(super) trait Seams: Sync {
    /// Reads the code map of `options`, where there is one.
    ///
    /// # Errors
    /// When the file cannot be used.
    fn code_map(&self, options: &mut SourceOptions, memory: u64) -> Result<()> {
        options.read_code_map(memory)
    }

    /// Whether what the files hold can be read once more, by the code map of before.
    fn reads_again(&self) -> bool {
        true
    }

    /// Which files are not as they were, as `look` finds.
    ///
    /// # Errors
    /// Those of `look`.
    fn scan(&self, look: &dyn Fn() -> Result<Scan>) -> Result<Scan> {
        look()
    }

    /// What the files are that the surveyor found, unless `check` refuses that, and what they hold, beside what the
    /// source has `before`; without that, this run ends here. The surveyor comes with whether all files are read again.
    ///
    /// # Errors
    /// As [`Stages::read`].
    fn read(
        &self,
        (surveyor, _): (Surveyor, bool),
        check: &dyn Fn(&Survey) -> Result<()>,
        stages: &Stages,
        writer: &StoreWriter,
        before: &Store,
    ) -> Result<(Survey, Option<(SpillMap, Gathered)>)> {
        let survey = surveyor.survey()?;
        check(&survey)?;
        let (survey, spill, gathered) = stages.read(surveyor, survey, writer, Some(before))?;
        Ok((survey, Some((spill.map()?, gathered))))
    }

    /// What per-date files hold that are appended, unless `check` refuses them, which says what is to be noted; `None` where
    /// this run ends here.
    ///
    /// # Errors
    /// Those of `check`, and as [`GivenFiles::gather`].
    fn append(
        &self,
        given: &GivenFiles,
        check: &dyn Fn() -> Result<Vec<String>>,
        stages: &Stages,
        writer: &StoreWriter,
    ) -> Result<Option<FilesRead>> {
        let notes = check()?;
        let spill = stages.spill(writer, 0)?;
        let (sections, codes) = given.gather(0..given.files.len(), stages, &spill)?;
        Ok(Some(FilesRead { sections, codes: codes.into_all(), spill: spill.map()?, notes }))
    }

    /// What the source's own files are now that rows of their units are appended, each by its path, as `look` finds.
    ///
    /// # Errors
    /// Those of `look`.
    fn files_now(&self, look: &dyn Fn() -> Result<Vec<(String, KnownFile)>>) -> Result<Vec<(String, KnownFile)>> {
        look()
    }

    /// What differs from the version before; `None` where this run ends here.
    ///
    /// # Errors
    /// When the version before is damaged, or the observer cancels.
    fn compare(&self, revision: &Revision, stages: &Stages) -> Result<Option<Changes>> {
        revision.compare(stages).map(Some)
    }

    /// Where segments go, and which of them are sealed by this run.
    fn seal<'s>(&'s self, writer: &'s StoreWriter) -> (&'s dyn Site, Which<'s>) {
        (writer, Which::All)
    }
}

/// All of it here.
pub(super) struct Here;

impl Seams for Here {}
