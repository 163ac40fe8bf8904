//! Assembles the parts: decides what depends on all of them, from their receipts alone.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use super::assembly::{Assembled, Cuts, Told, receipt_of};
use super::part::{Part, cuts};
use super::tasks::Tasks;
use crate::error::{Error, Result};
use crate::ingest::build_report::BuildReport;
use crate::ingest::gather::intake::{Gathered, codes_of, panel_of};
use crate::ingest::gather::plan::{bits_per_row, segments, too_long};
use crate::ingest::gather::stages::raise_figures;
use crate::ingest::gather::texts::Texts;
use crate::ingest::making::Making;
use crate::ingest::seal::assemble::{Assembly, Target, assemble};
use crate::key::Date;
use crate::shuffle::{self, PIECE_ROWS, pieces};
use crate::source::{BadFile, Survey, Surveyor};
use crate::staging::{ASSEMBLY, Attempt};

impl Tasks<'_> {
    /// Decides on stock numbers, dictionaries, widths and cuts, once all parts are gathered. Says what the store will
    /// hold, or why a guard stops the build, which then goes no further; `None` where it was done before.
    ///
    /// # Errors
    /// When a part is not gathered yet, no row can be stored, something cannot be written, or the observer cancels; and
    /// where a file that cannot be used had a say in what the others are.
    pub fn assemble(&self) -> Result<Option<BuildReport>> {
        self.check_of_store()?;
        let (plan, stages, planned) = (&self.plan, self.stages()?, self.planned()?);
        if Assembled::open(&self.staging, plan, &planned)?.is_some() {
            return Ok(None);
        }
        let (mut parts, codes) = Part::read_all(&self.staging, plan, &planned)?;
        let root = planned.root.clone();
        let surveyor = || Surveyor::new(&root, &plan.options, &stages.workers, stages.observer);
        let (survey, told) = usable(planned, &mut parts, plan.memory, surveyor)?;
        let read = parts.iter_mut().flat_map(|part| std::mem::take(&mut part.read)).collect();
        let mut gathered = Gathered { read, codes, ..Gathered::default() };

        let sections = shuffle::sections(parts.iter().flat_map(Part::days));
        let is_long = |(_, rows): &&(Date, u32)| *rows as usize > PIECE_ROWS;
        let long: Vec<(Date, u32)> = sections.iter().filter(is_long).copied().collect();
        let long = cuts(&parts, &survey, &long)?;
        gathered.blocks = parts.into_iter().flat_map(|part| part.blocks).collect();
        let inputs = codes_of(&survey, &gathered);
        let target = Target { before: None, place: 0, name: &plan.name };
        let made = assemble(panel_of(&survey), &inputs, &gathered.blocks, plan.ids(), plan.keep(), target)?;
        let making =
            Making::new((&survey, &gathered), Path::new(plan.agreed.root()), &plan.allowed(), plan.max_skipped)?;
        if making.stops(&sections)? {
            return Ok(Some(making.stopped(made.snapshot, &sections, 0)));
        }
        let cuts = self.cut(&made, sections, long)?;
        let receipt = receipt_of(plan, &told, &made, &gathered.blocks, &cuts)?;
        Attempt::begin(&self.staging)?.place_receipt(ASSEMBLY, &receipt)?;
        Ok(Some(making.stopped(made.snapshot, &cuts.sections, 0)))
    }

    /// Where the rows of these sections are cut, of which long ones are cut as given.
    fn cut(
        &self,
        made: &Assembly,
        sections: Vec<(Date, u32)>,
        mut long: HashMap<i32, Vec<Range<usize>>>,
    ) -> Result<Cuts> {
        let pieces = pieces(&sections, |date| long.remove(&date.days()).unwrap_or_default());
        if let Some((what, way_out)) = too_long(pieces.len(), made.columns.len(), self.plan.memory) {
            return Err(Error::refused_unless(what, [way_out]));
        }
        let row_counts: Vec<u32> = pieces.iter().map(|(.., rows)| rows.len() as u32).collect();
        let segments = segments(&row_counts, bits_per_row(&made.columns));
        Ok(Cuts { sections, pieces, segments })
    }
}

/// What was planned, without what turned out to be unusable when `parts` were read; the reasons have ways out that were
/// tried.
///
/// # Errors
/// Where the others are not read as was planned, texts take too much of the memory, and those of the surveyor.
pub(super) fn usable<'s>(
    planned: Survey,
    parts: &mut [Part],
    memory: u64,
    surveyor: impl FnOnce() -> Result<Surveyor<'s>>,
) -> Result<(Survey, Told)> {
    let mut bad: Vec<(usize, BadFile)> = parts.iter_mut().flat_map(|part| std::mem::take(&mut part.bad)).collect();
    let texts = Texts::new(&planned.columns, memory, Some(&planned));
    parts.iter().flat_map(Part::groups).for_each(|blocks| texts.count(blocks));
    texts.check()?;
    if texts.len() > 0 {
        raise_figures(&mut bad, texts.len());
    }
    let unread = bad.iter().map(|(input, _)| *input).collect();
    let survey = without(planned, bad, surveyor)?;
    let told = Told::of(&survey, unread);
    Ok((survey, told))
}

/// What was planned, without `bad` inputs.
fn without<'s>(
    planned: Survey,
    bad: Vec<(usize, BadFile)>,
    surveyor: impl FnOnce() -> Result<Surveyor<'s>>,
) -> Result<Survey> {
    if bad.is_empty() && planned.skipped.is_empty() {
        return Ok(planned);
    }
    let root = planned.root.clone();
    let bad_path = bad.first().map(|(input, bad)| planned.inputs[*input].files[bad.file].path.display().to_string());
    surveyor()?.after(&planned, bad)?.map_err(|skipped| {
        if skipped.is_empty() {
            let others = format!("the files in {} are others than were planned", root.display());
            let what = bad_path.map_or_else(|| others.clone(), |path| format!("{path} cannot be used, and {others}"));
            return Error::refused(what, "plan again").about(&root);
        }
        let what = "inputs cannot be used, and without them the others make another panel than was planned; plan again with \
                    what helps, or without such inputs";
        Error::Inputs { what: what.to_owned(), skipped, path: Some(root.into()) }
    })
}
