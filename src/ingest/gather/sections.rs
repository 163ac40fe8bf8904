//! Whole dates that are given, as per-date files or as rows in memory: each is spilled as a block of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::codes::Codes;
use super::stages::Stages;
use super::texts::Texts;
use crate::codec::{DictionaryBuilder, Lane};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::panel::PanelSchema;
use crate::reason::Reason;
use crate::shuffle::{Block, Frame, Inputs, Spill};
use crate::source::{Allowance, Losses, SectionFile};

/// The rows of one date.
pub(in crate::ingest) struct Section {
    pub(in crate::ingest) date: Date,
    blocks: Vec<Block>,
    /// For each row, the number of its code.
    codes: Vec<u32>,
    losses: Losses,
}

/// The rows of several dates.
pub(in crate::ingest) struct Sections {
    /// Ascending.
    pub(in crate::ingest) dates: Vec<Date>,
    pub(in crate::ingest) blocks: Vec<Block>,
    /// By the number that rows have as their input, the code; `None` where no row has it.
    pub(in crate::ingest) inputs: Vec<Option<String>>,
    /// What they say of themselves that outputs do not carry.
    pub(in crate::ingest) losses: Losses,
}

/// Reads each of `given` with `read`, several at once, and spills it as a section of `panel`, or says why not.
///
/// # Errors
/// Those of `read`; or a file cannot be written, or the observer cancels.
pub(in crate::ingest) fn gather<T: Sync>(
    stages: &Stages,
    (given, unit): (&[T], &'static str),
    panel: &PanelSchema,
    spill: &Spill,
    read: impl Fn(&T, &Arc<Allowance>) -> Result<Result<SectionFile, Reason>> + Send + Sync,
) -> Result<(Vec<Result<Section, Reason>>, Codes)> {
    let codes = Codes::new(stages.workers.memory());
    let allowance = Allowance::new(stages.workers.memory(), stages.workers.count());
    let texts = Texts::new(&panel.columns, stages.workers.memory(), None);
    stages.observer.begin("read", unit, given.len() as u64);
    let sections = stages.workers.try_map(given.len(), |at| {
        if stages.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let section = read(&given[at], &allowance)?;
        let section = section
            .map(|file| Section::new(file, &codes, panel, spill, &texts))
            .map_or_else(|reason| Ok(Err(reason)), |section| section.map(Ok));
        stages.observer.advance(1);
        section
    })?;
    stages.observer.end();
    texts.check()?;
    Ok((sections, codes))
}

impl Section {
    /// Spills the rows of `file` as a block of one date; its codes get numbers among `codes`.
    fn new(file: SectionFile, codes: &Codes, panel: &PanelSchema, spill: &Spill, texts: &Texts) -> Result<Section> {
        // One series whose rows all have the same date: they stay in the order of their codes.
        let numbers = codes.numbers(file.codes.iter().map(String::as_str))?;
        let frame = Frame::new(vec![(Inputs::Each(numbers.clone()), vec![file.date; file.codes.len()])]);
        let mut columns = Vec::with_capacity(panel.columns.len());
        for (array, column) in file.columns.into_iter().zip(&panel.columns) {
            let mut dictionary = DictionaryBuilder::default();
            let lane = Lane::of_rows(&array, &mut dictionary)?;
            columns.push(frame.column(vec![lane], column.data_type.is_signed_integer(), dictionary, spill)?);
        }
        let blocks = texts.counted(frame.finish(columns, spill)?);
        Ok(Section { date: file.date, blocks, codes: numbers, losses: file.losses })
    }
}

impl Sections {
    /// `sections`, whose rows have numbers of `codes`; no two are of one date.
    pub(in crate::ingest) fn new(sections: Vec<Section>, codes: Codes) -> Sections {
        let sections: BTreeMap<Date, Section> = sections.into_iter().map(|section| (section.date, section)).collect();
        let dates = sections.keys().copied().collect();
        let mut blocks = Vec::with_capacity(sections.len());
        let mut losses = Losses::default();
        for section in sections.into_values() {
            codes.keep(&section.codes);
            blocks.extend(section.blocks);
            losses.join(section.losses);
        }
        Sections { dates, blocks, inputs: codes.into_kept(), losses }
    }

    /// The code of each input.
    pub(in crate::ingest) fn codes(&self) -> Vec<Option<&str>> {
        self.inputs.iter().map(Option::as_deref).collect()
    }
}
