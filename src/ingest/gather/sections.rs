//! Whole dates that are given, as per-date files or as rows in memory: each is spilled as a block of its own.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::codes::{AllCodes, Codes};
use super::stages::Stages;
use super::texts::Texts;
use crate::codec::{DictionaryBuilder, Lane};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::panel::PanelSchema;
use crate::reason::Reason;
use crate::shuffle::{Block, Frame, Inputs, Spill, SpillMap};
use crate::source::{Allowance, Losses, SectionRows, SourceOptions, check_machine, read_section};
use crate::store::Store;

/// The rows of one date.
pub(in crate::ingest) struct Section {
    pub(in crate::ingest) date: Date,
    pub(in crate::ingest) blocks: Vec<Block>,
    /// The numbers of its codes.
    pub(in crate::ingest) codes: Vec<u32>,
    pub(in crate::ingest) losses: Losses,
}

/// Per-date files that are given to a source.
pub(in crate::ingest) struct GivenFiles<'g> {
    pub(in crate::ingest) files: &'g [PathBuf],
    /// How they are read.
    pub(in crate::ingest) options: &'g SourceOptions,
    /// The panel as the source sees it, and all of it.
    pub(in crate::ingest) panel: &'g PanelSchema,
    pub(in crate::ingest) whole: &'g PanelSchema,
    /// What the source has.
    pub(in crate::ingest) before: &'g Store,
}

/// What per-date files hold.
pub(in crate::ingest) struct FilesRead {
    /// For each file its rows, or why it cannot be used.
    pub(in crate::ingest) sections: Vec<Result<Section, Reason>>,
    /// The codes of the rows by number, none of which is known to stay.
    pub(in crate::ingest) codes: AllCodes,
    pub(in crate::ingest) spill: SpillMap,
    pub(in crate::ingest) notes: Vec<String>,
}

/// The rows of several dates.
pub(in crate::ingest) struct Sections {
    /// Ascending.
    pub(in crate::ingest) dates: Vec<Date>,
    pub(in crate::ingest) blocks: Vec<Block>,
    /// By the number that rows have as their input, the codes.
    inputs: AllCodes,
    /// What they say of themselves that outputs do not carry.
    pub(in crate::ingest) losses: Losses,
}

/// Reads each of `given` with `read`, several at once, and spills it as a section of `panel`, or says why not; `before` is
/// what the source has.
///
/// # Errors
/// Those of `read`; or a file cannot be written, or the observer cancels.
pub(in crate::ingest) fn gather<'p, T: Sync>(
    stages: &Stages,
    (given, unit): (&[T], &'static str),
    (panel, before): (&'p PanelSchema, Option<&Store>),
    spill: &Spill,
    read: impl Fn(&T, &Arc<Allowance>) -> Result<Result<SectionRows<'p>, Reason>> + Send + Sync,
) -> Result<(Vec<Result<Section, Reason>>, Codes)> {
    let codes = Codes::new(stages.workers.memory());
    let allowance = Allowance::new(stages.workers.memory(), stages.workers.count());
    let texts = Texts::new(&panel.columns, stages.workers.memory(), None).beside(before)?;
    stages.observer.begin("read", unit, given.len() as u64);
    let sections = stages.workers.try_map(given.len(), |at| {
        if stages.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let section = match read(&given[at], &allowance)? {
            Ok(rows) => Section::new(rows, &codes, panel, spill, &texts)?,
            Err(reason) => Err(reason),
        };
        stages.observer.advance(1);
        Ok(section)
    })?;
    stages.observer.end();
    texts.check()?;
    Ok((sections, codes))
}

impl GivenFiles<'_> {
    /// Reads these of the files, and spills each as a section, or says why not.
    ///
    /// # Errors
    /// When the machine fails, a file cannot be written, or the observer cancels.
    pub(in crate::ingest) fn gather(
        &self,
        range: Range<usize>,
        stages: &Stages,
        spill: &Spill,
    ) -> Result<(Vec<Result<Section, Reason>>, Codes)> {
        let read = |path: &PathBuf, allowance: &Arc<Allowance>| {
            let section = read_section(path, self.options, (self.panel, self.whole), allowance);
            if section.is_err() {
                check_machine(path)?;
            }
            Ok(section)
        };
        gather(stages, (&self.files[range], "files"), (self.panel, Some(self.before)), spill, read)
    }
}

impl Section {
    /// Spills `rows` as a block of one date; their codes get numbers among `codes`. Or says why they cannot be used.
    fn new(
        mut rows: SectionRows,
        codes: &Codes,
        panel: &PanelSchema,
        spill: &Spill,
        texts: &Texts,
    ) -> Result<Result<Section, Reason>> {
        let mut numbers = codes.numbers(rows.codes())?;
        // Series whose rows all have the same date: they stay in the order of their codes.
        let mut of_pieces = &numbers[..];
        let series = rows.pieces().map(|len| {
            let (piece, rest) = of_pieces.split_at(len);
            of_pieces = rest;
            (Inputs::Each(piece.to_vec()), vec![rows.date; len])
        });
        let frame = Frame::new(series.collect());
        numbers.dedup();
        let mut columns = Vec::new();
        for (place, column) in panel.columns.iter().enumerate() {
            let mut dictionary = DictionaryBuilder::default();
            let mut lanes = Vec::new();
            for (series, array) in rows.column(place).enumerate() {
                match array {
                    Ok(array) => {
                        let lane = Lane::of_rows(&array, &mut dictionary)?;
                        lanes.extend(lane.map(|lane| (series as u32, lane)));
                    }
                    Err(reason) => return Ok(Err(reason)),
                }
            }
            let found = frame.column(lanes, column.data_type.is_signed_integer(), dictionary, spill)?;
            columns.extend(found.map(|found| (place, found)));
        }
        let blocks = texts.counted(frame.finish(columns, spill)?);
        Ok(Ok(Section { date: rows.date, blocks, codes: numbers, losses: rows.losses }))
    }
}

impl Sections {
    /// `sections`, whose rows have numbers of `codes`; no two are of one date.
    pub(in crate::ingest) fn new(sections: Vec<Section>, mut codes: AllCodes) -> Sections {
        let sections: BTreeMap<Date, Section> = sections.into_iter().map(|section| (section.date, section)).collect();
        let dates = sections.keys().copied().collect();
        let mut blocks = Vec::with_capacity(sections.len());
        let mut losses = Losses::default();
        for section in sections.into_values() {
            codes.keep(&section.codes);
            blocks.extend(section.blocks);
            losses.join(section.losses);
        }
        Sections { dates, blocks, inputs: codes, losses }
    }

    /// The code of each input; `None` where no row has it.
    pub(in crate::ingest) fn codes(&self) -> Vec<Option<&str>> {
        self.inputs.kept()
    }
}
