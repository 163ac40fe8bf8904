//! Reads inputs one after the other and collects them in blocks; says what became of each.

use std::ops::Range;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use serde::{Deserialize, Serialize};

use super::codes::{AllCodes, Codes};
use super::plan;
use super::texts::Texts;
use crate::codec::{DictionaryBuilder, Lane};
use crate::error::{Error, Result};
use crate::panel::{DateForm, PanelSchema};
use crate::progress::Observer;
use crate::reason::{Kind, Reason};
use crate::shuffle::{Block, BlockBuilder, Frame, Inputs, Spill};
use crate::source::{BadFile, FileOutcome, FilesBy, InputFile, SeriesReader, Survey, check_machine};

/// Columns of a file too large for a block that are read at once.
const COLUMNS_AT_ONCE: usize = 4;

/// What a run takes whatever its memory: the program, the list of files, the catalog.
const FIXED_MEMORY: u64 = 16 << 20;

/// The largest block: its rows are counted in 32 bits, and each takes 16 bytes at least.
const MOST_SHARE: usize = (u32::MAX as usize) << 4;

/// What was read: blocks in the order of inputs, and what became of each input.
#[derive(Default)]
pub(in crate::ingest) struct Gathered {
    pub(in crate::ingest) blocks: Vec<Block>,
    pub(in crate::ingest) read: Vec<Read>,
    /// Where inputs are by date, the codes of rows by number, once all are there.
    pub(in crate::ingest) codes: AllCodes,
}

/// What became of one input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ingest) struct Read {
    pub(in crate::ingest) input: usize,
    pub(in crate::ingest) rows: u64,
    pub(in crate::ingest) files: Vec<FileOutcome>,
}

/// Reads inputs for all workers of a build.
pub(in crate::ingest) struct Intake<'a> {
    survey: &'a Survey,
    spill: &'a Spill,
    observer: &'a dyn Observer,
    /// Bytes of one block.
    share: usize,
    memory: u64,
    texts: Texts<'a>,
    codes: Codes,
}

impl<'a> Intake<'a> {
    /// An intake that keeps to about `memory` bytes with this many workers.
    pub(in crate::ingest) fn new(
        survey: &'a Survey,
        spill: &'a Spill,
        observer: &'a dyn Observer,
        texts: Texts<'a>,
        (memory, workers): (u64, usize),
    ) -> Intake<'a> {
        Intake {
            survey,
            spill,
            observer,
            // Half of the memory holds blocks; decoding, texts, sealing and the catalog need the rest, and some of it
            // whatever the memory.
            share: (((memory - FIXED_MEMORY) / 2) as usize / workers).min(MOST_SHARE),
            memory,
            texts,
            codes: Codes::new(memory),
        }
    }

    /// Bytes of one block.
    pub(in crate::ingest) fn share(&self) -> usize {
        self.share
    }

    /// The texts of the rows that were read.
    pub(in crate::ingest) fn texts(&self) -> &Texts<'a> {
        &self.texts
    }

    /// The codes of the rows that were read, by number, where inputs are by date.
    pub(in crate::ingest) fn into_codes(self) -> AllCodes {
        self.codes.into_all()
    }

    /// Reads the inputs of `range` into blocks, in their order; those that cannot be used.
    ///
    /// # Errors
    /// When the spill cannot be written, or the observer cancels.
    pub(in crate::ingest) fn gather(&self, range: Range<usize>) -> Result<(Gathered, Vec<(usize, BadFile)>)> {
        let (mut gathered, mut skipped) = (Gathered::default(), Vec::new());
        let mut builder = BlockBuilder::new(&self.survey.columns);
        for index in range {
            if self.observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let decoded_len = self.survey.inputs[index].decoded_len;
            // What is collected goes first: it would not leave room for this series, and blocks stay in code order.
            if decoded_len.saturating_add(builder.byte_len() as u64) > self.share as u64 {
                builder = self.flush(builder, &mut gathered.blocks)?;
            }
            let is_small = decoded_len <= self.share as u64;
            let outcome = match if is_small { self.add(index, &mut builder)? } else { None } {
                Some(outcome) => outcome,
                None => {
                    builder = self.flush(builder, &mut gathered.blocks)?;
                    self.gather_large(index, &mut gathered.blocks)?
                }
            };
            match outcome {
                Ok(read) => gathered.read.push(read),
                Err(bad) => {
                    check_machine(&self.survey.root.join(&self.survey.inputs[index].files[bad.file].path))?;
                    skipped.push((index, bad));
                }
            }
            self.observer.advance(self.survey.inputs[index].files.len() as u64);
        }
        self.flush(builder, &mut gathered.blocks)?;
        Ok((gathered, skipped))
    }

    /// Gathers what `builder` collected; a new builder.
    fn flush(&self, builder: BlockBuilder, blocks: &mut Vec<Block>) -> Result<BlockBuilder> {
        if !builder.is_empty() {
            blocks.extend(self.texts.counted(builder.gather(self.spill)?));
        }
        Ok(BlockBuilder::new(&self.survey.columns))
    }

    /// Reads one input into the block being collected; the inner error is the reason for skipping it. `None` where it
    /// turns out larger than its footer lets it seem, too large to be read at once.
    fn add(&self, index: usize, builder: &mut BlockBuilder) -> Result<Option<Result<Read, BadFile>>> {
        let reader = match self.survey.open(&self.survey.inputs[index]) {
            Ok(reader) => reader,
            Err(bad) => return Ok(Some(Err(bad))),
        };
        if let Err(bad) = self.check_dates(index, &reader) {
            return Ok(Some(Err(bad)));
        }
        let codes = match reader.codes() {
            Ok(codes) => codes,
            Err(bad) => return Ok(Some(Err(bad))),
        };
        let columns = match reader.read(0..self.survey.columns.len()) {
            Ok(columns) => columns,
            Err(_) if reader.was_too_large() => return Ok(None),
            Err(bad) => return Ok(Some(Err(bad))),
        };
        let read = Read::new(index, &reader);
        if !reader.dates().is_empty() {
            let inputs = self.inputs(index, codes.as_ref())?;
            self.keep(&inputs);
            builder.push(inputs, reader.dates().to_vec(), columns)?;
        }
        Ok(Some(Ok(read)))
    }

    /// Refuses an input of so many dates that the memory does not hold what has to be noted of its own columns on each.
    fn check_dates(&self, index: usize, reader: &SeriesReader) -> Result<(), BadFile> {
        let files = &self.survey.inputs[index].files;
        let columns = files.iter().map(InputFile::column_count).max().unwrap_or(0) as usize + 2;
        if plan::too_long(reader.dates().len(), columns, self.memory).is_none() {
            return Ok(());
        }
        let dates = reader.dates().chunk_by(|a, b| a == b).count();
        match plan::too_long(dates, columns, self.memory) {
            Some((what, way_out)) => {
                let what = format!("has {dates} dates; {what}");
                Err(BadFile { file: 0, reason: Reason::new(Kind::TooLarge, what).or(way_out) })
            }
            None => Ok(()),
        }
    }

    /// Reads an input that is too large for a block a few columns at a time, or one where those are too many, as a block
    /// of its own.
    fn gather_large(&self, index: usize, blocks: &mut Vec<Block>) -> Result<Result<Read, BadFile>> {
        let reader = match self.survey.open(&self.survey.inputs[index]) {
            Ok(reader) => reader,
            Err(bad) => return Ok(Err(bad)),
        };
        let read = Read::new(index, &reader);
        if reader.dates().is_empty() {
            return Ok(Ok(read));
        }
        if let Err(bad) = self.check_dates(index, &reader) {
            return Ok(Err(bad));
        }
        let codes = match reader.codes() {
            Ok(codes) => codes,
            Err(bad) => return Ok(Err(bad)),
        };
        let inputs = || self.inputs(index, codes.as_ref());
        let frame = Frame::new(vec![(inputs()?, reader.dates().to_vec())]);
        let count = self.survey.columns.len();
        let (mut columns, mut next) = (Vec::new(), 0);
        let mut at_once = COLUMNS_AT_ONCE;
        while next < count {
            let group = next..(next + at_once).min(count);
            let found = match reader.read(group.clone()) {
                Ok(found) => found,
                Err(_) if at_once > 1 && reader.was_too_large() => {
                    at_once = 1;
                    continue;
                }
                Err(bad) => return Ok(Err(bad)),
            };
            next = group.end;
            for (values, at) in found.into_iter().zip(group) {
                let Some(values) = values else { continue };
                let mut dictionary = DictionaryBuilder::default();
                let lane = Lane::new(values, reader.dates().len(), &mut dictionary)?;
                let lanes = lane.into_iter().map(|lane| (0, lane)).collect();
                let signed = self.survey.columns[at].data_type.is_signed_integer();
                let column = frame.column(lanes, signed, dictionary, self.spill)?;
                columns.extend(column.map(|column| (at, column)));
            }
        }
        blocks.extend(self.texts.counted(frame.finish(columns, self.spill)?));
        self.keep(&inputs()?);
        Ok(Ok(read))
    }

    /// What the rows of an input are of: the input, or the number of the code that each of them has.
    fn inputs(&self, index: usize, codes: Option<&ArrayRef>) -> Result<Inputs> {
        match codes {
            Some(codes) => Ok(Inputs::Each(self.codes.numbers(codes.as_string::<i32>().iter().flatten())?)),
            None => Ok(Inputs::One(index as u32)),
        }
    }

    /// Notes that rows of these stay.
    fn keep(&self, inputs: &Inputs) {
        if let Inputs::Each(numbers) = inputs {
            self.codes.keep(numbers);
        }
    }
}

impl Read {
    fn new(input: usize, reader: &SeriesReader) -> Read {
        Read { input, rows: reader.dates().len() as u64, files: reader.files().to_vec() }
    }
}

/// The panel of the files of `survey`.
pub(in crate::ingest) fn panel_of(survey: &Survey) -> PanelSchema {
    PanelSchema {
        code: survey.code.clone(),
        date_name: survey.date_name.clone(),
        date_form: survey.date_form().cloned().unwrap_or(DateForm::COMMON),
        columns: survey.columns.clone(),
        key: survey.key.clone(),
    }
}

/// For each input of `survey` its code, if it has rows; where inputs are by date, for each number of a code.
pub(in crate::ingest) fn codes_of<'s>(survey: &'s Survey, gathered: &'s Gathered) -> Vec<Option<&'s str>> {
    if survey.options().files_by == FilesBy::Date {
        return gathered.codes.kept();
    }
    let mut codes = vec![None; survey.inputs.len()];
    for read in gathered.read.iter().filter(|read| read.rows > 0) {
        codes[read.input] = Some(survey.inputs[read.input].unit.as_str());
    }
    codes
}
