//! Whole dates that are given, as per-date files or as rows in memory: each is spilled as a block of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::codes::{AllCodes, Codes};
use super::stages::Stages;
use super::texts::Texts;
use crate::codec::{DictionaryBuilder, Lane};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::panel::PanelSchema;
use crate::reason::Reason;
use crate::shuffle::{Block, Frame, Inputs, Spill};
use crate::source::{Allowance, Losses, SectionRows};
use crate::store::Store;

/// The rows of one date.
pub(in crate::ingest) struct Section {
    pub(in crate::ingest) date: Date,
    blocks: Vec<Block>,
    /// The numbers of its codes.
    codes: Vec<u32>,
    losses: Losses,
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
        let mut columns = Vec::with_capacity(panel.columns.len());
        for (place, column) in panel.columns.iter().enumerate() {
            let mut dictionary = DictionaryBuilder::default();
            let mut lanes = Vec::new();
            for array in rows.column(place) {
                match array {
                    Ok(array) => lanes.push(Lane::of_rows(&array, &mut dictionary)?),
                    Err(reason) => return Ok(Err(reason)),
                }
            }
            columns.push(frame.column(lanes, column.data_type.is_signed_integer(), dictionary, spill)?);
        }
        let blocks = texts.counted(frame.finish(columns, spill)?);
        Ok(Ok(Section { date: rows.date, blocks, codes: numbers, losses: rows.losses }))
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
        Sections { dates, blocks, inputs: codes.into_all(), losses }
    }

    /// The code of each input; `None` where no row has it.
    pub(in crate::ingest) fn codes(&self) -> Vec<Option<&str>> {
        self.inputs.kept()
    }
}
