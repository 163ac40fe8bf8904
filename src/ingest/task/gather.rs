//! Gathers a part: reads its inputs, and leaves their rows by band, and a receipt.

use arrow_buffer::Buffer;

use super::part::{Part, receipt_of, runs_of};
use super::plan::Plan;
use super::tasks::Tasks;
use crate::error::Result;
use crate::ingest::gather::intake::Intake;
use crate::ingest::gather::texts::Texts;
use crate::shuffle::{BandFile, Spill, SpillMap};
use crate::staging::{Attempt, TaskReport, check_number, part_name, rows_name};
use crate::storage::{Access, Dir, load};

/// What is kept beside the bands while a part is gathered.
const KEPT: &str = "kept";

impl Tasks<'_> {
    /// Gathers the inputs of part `part`, counted from 0.
    ///
    /// # Errors
    /// When there are not so many, its texts take too much memory, something cannot be written, or the observer
    /// cancels.
    pub fn gather(&self, part: usize) -> Result<TaskReport> {
        check_number(part, self.plan.part_count(), "parts")?;
        let plan = &self.plan;
        if let Some(found) = Part::open(&self.staging, plan, &self.planned()?, part)?
            && self.has_rows(part, &found.bands)?
        {
            return Ok(TaskReport::before(found.row_count()));
        }
        if plan.appends().is_some() {
            return self.gather_files(part);
        }
        let stages = self.stages()?;
        let mut survey = plan.agreed.look(plan.part(part), plan.memory, stages.observer)?;
        survey.whole_file_limit(stages.share() as u64);
        let attempt = Attempt::begin(&self.staging)?;
        let spill = spill_of(&attempt, plan, part)?;
        let texts = Texts::new(&survey.columns, plan.memory, Some(&survey));
        let intake = Intake::new(&survey, &spill, stages.observer, texts, (plan.memory, 1));
        stages.observer.begin("read", "files", survey.files().count() as u64);
        let (mut gathered, bad) = intake.gather(0..survey.inputs.len())?;
        stages.observer.end();
        intake.texts().check()?;
        gathered.codes = intake.into_codes();
        let (bands, kept) = spill.finish()?;
        let runs = match survey.key.is_empty() {
            true => Vec::new(),
            false => runs_of(&gathered, survey.inputs.len(), &written(attempt.dir(), part, &bands, kept.clone())?),
        };
        let report = TaskReport::now(gathered.read.iter().map(|read| read.rows).sum());
        let gathered = (gathered, bad, Vec::new());
        place_part(
            &attempt,
            part,
            &receipt_of(plan, part, &survey.columns, gathered, (&bands, &kept, &runs))?,
            &bands,
        )?;
        Ok(report)
    }

    /// Whether the files of a part are there, each as long as its receipt says.
    fn has_rows(&self, part: usize, bands: &[BandFile]) -> Result<bool> {
        for (band, file) in bands.iter().enumerate() {
            let found = self.staging.look(&rows_name(part, band))?;
            if found.is_none_or(|found| !found.is_file() || found.byte_len != file.byte_len) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Where the rows of a part go while it is gathered.
pub(super) fn spill_of(attempt: &Attempt, plan: &Plan, part: usize) -> Result<Spill> {
    Spill::lasting(attempt.dir(), plan.starts(), KEPT, |band| rows_name(part, band))
}

/// Puts the rows of a part in place, and its receipt.
pub(super) fn place_part(attempt: &Attempt, part: usize, receipt: &[u8], bands: &[BandFile]) -> Result<()> {
    for band in 0..bands.len() {
        attempt.place(&rows_name(part, band), &rows_name(part, band))?;
    }
    attempt.place_receipt(&part_name(part), receipt)
}

/// What was just written of a part, and kept beside it.
fn written(dir: &Dir, part: usize, bands: &[BandFile], kept: Buffer) -> Result<SpillMap> {
    let mut files = Vec::with_capacity(bands.len() + 1);
    for band in 0..bands.len() {
        let name = rows_name(part, band);
        let file = dir.open_file(&name)?;
        let bytes = file.map(|file| load(&file, &dir.path().join(&name), Access::Map)).transpose()?;
        files.push(bytes.unwrap_or_default());
    }
    Ok(SpillMap::of(files.into_iter().chain([kept])))
}
