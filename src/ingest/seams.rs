//! Where the work on a source that changes can be cut: what a run here does at once, tasks do one after the other.

use super::gather::intake::Gathered;
use super::gather::stages::{Stages, Which};
use super::revise::changes::Changes;
use super::revise::revision::Revision;
use crate::error::Result;
use crate::shuffle::SpillMap;
use crate::source::{Scan, Survey, Surveyor};
use crate::store::{Site, Store, StoreWriter};

/// How each stage of a change of a source is done. As it stands, here and at once.
pub(super) trait Seams: Sync {
    /// Which files are not as they were, as `look` finds.
    ///
    /// # Errors
    /// Those of `look`.
    fn scan(&self, look: &dyn Fn() -> Result<Scan>) -> Result<Scan> {
        look()
    }

    /// What the files are that `surveyor` found, unless `check` refuses that, and what they hold, beside what the source
    /// has `before`; without that, this run ends here.
    ///
    /// # Errors
    /// As [`Stages::read`].
    fn read(
        &self,
        surveyor: Surveyor,
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
