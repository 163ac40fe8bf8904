//! Reads inputs one after the other and collects them in blocks; says what became of each.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::gather::{Block, BlockBuilder, Frame};
use super::lane::{DictionaryBuilder, Lane};
use super::spelling::Spelt;
use super::spill::Spill;
use crate::error::{Error, Result};
use crate::hint::{listed, quoted};
use crate::panel::{DateForm, PanelSchema};
use crate::progress::Observer;
use crate::source::{SeriesReader, Survey, check_machine};

/// Columns of a file too large for a block that are read at once.
const COLUMNS_AT_ONCE: usize = 4;

/// What a run takes whatever its memory: the program, the list of files, the catalog.
const FIXED_MEMORY: u64 = 16 << 20;

/// The largest block: its rows are counted in 32 bits, and each takes 16 bytes at least.
const MOST_SHARE: usize = (u32::MAX as usize) << 4;

/// Bytes a text takes beside its own: its place in the list, and the allocator's.
const TEXT_OVERHEAD: usize = 32;

/// What one task found: blocks in code order, and what became of each input.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) blocks: Vec<Block>,
    pub(super) read: Vec<Read>,
    pub(super) skipped: Vec<(usize, String)>,
}

/// What became of one input.
pub(super) struct Read {
    pub(super) input: usize,
    pub(super) rows: u64,
    pub(super) merged: u64,
    pub(super) dropped: u64,
    pub(super) content_hash: u128,
    /// How its dates are spelt.
    pub(super) dates: Spelt,
}

/// Reads inputs for all workers of a build.
pub(super) struct Intake<'a> {
    survey: &'a Survey,
    spill: &'a Spill,
    observer: &'a dyn Observer,
    /// Bytes of one block.
    share: usize,
    /// Bytes that the texts of all blocks together may take.
    text_limit: usize,
    text_len: AtomicUsize,
    /// Bytes that the texts of each column take.
    text_lens: Vec<AtomicUsize>,
}

impl<'a> Intake<'a> {
    /// An intake that keeps to about `memory` bytes with this many workers.
    pub(super) fn new(
        survey: &'a Survey,
        spill: &'a Spill,
        observer: &'a dyn Observer,
        memory: u64,
        workers: usize,
    ) -> Intake<'a> {
        Intake {
            survey,
            spill,
            observer,
            // Half of the memory holds blocks; decoding, texts, sealing and the catalog need the rest, and some of it
            // whatever the memory.
            share: (((memory - FIXED_MEMORY) / 2) as usize / workers).min(MOST_SHARE),
            text_limit: (memory / 4) as usize,
            text_len: AtomicUsize::new(0),
            text_lens: survey.columns.iter().map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// Bytes of one block.
    pub(super) fn share(&self) -> usize {
        self.share
    }

    /// Reads the inputs of `range` into blocks, in code order.
    ///
    /// # Errors
    /// When the spill cannot be written, the texts are too many, or the observer cancels.
    pub(super) fn gather(&self, range: Range<usize>) -> Result<Gathered> {
        let mut gathered = Gathered::default();
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
            let outcome = if decoded_len > self.share as u64 {
                self.gather_large(index, &mut gathered.blocks)?
            } else {
                self.add(index, &mut builder)?
            };
            match outcome {
                Ok(read) => gathered.read.push(read),
                Err(reason) => {
                    check_machine(&self.survey.root.join(&self.survey.inputs[index].path))?;
                    gathered.skipped.push((index, reason));
                }
            }
            self.observer.advance(1);
        }
        self.flush(builder, &mut gathered.blocks)?;
        Ok(gathered)
    }

    /// Gathers what `builder` collected; a new builder.
    fn flush(&self, builder: BlockBuilder, blocks: &mut Vec<Block>) -> Result<BlockBuilder> {
        if !builder.is_empty() {
            blocks.extend(self.counted(builder.gather(self.spill)?)?);
        }
        Ok(BlockBuilder::new(&self.survey.columns))
    }

    /// `blocks` of the same stocks, whose texts stay in memory until the dictionaries are joined.
    fn counted(&self, blocks: Vec<Block>) -> Result<Vec<Block>> {
        let columns = blocks.first().map_or(&[][..], |block| &block.columns);
        for (column, own_len) in columns.iter().zip(&self.text_lens) {
            let texts = column.as_ref().map_or(&[][..], |column| &column.dictionary);
            let len: usize = texts.iter().map(|text| text.len() + TEXT_OVERHEAD).sum();
            own_len.fetch_add(len, Ordering::Relaxed);
            if self.text_len.fetch_add(len, Ordering::Relaxed) + len > self.text_limit {
                return Err(self.too_many_texts());
            }
        }
        Ok(blocks)
    }

    /// Names the columns that have the texts: the one that came last need not be one of them.
    fn too_many_texts(&self) -> Error {
        const NAMED: usize = 3;
        let lens = self.text_lens.iter().map(|len| len.load(Ordering::Relaxed));
        let mut columns: Vec<(usize, &str)> =
            lens.zip(&self.survey.columns).map(|(len, column)| (len, column.name.as_str())).collect();
        columns.sort_by_key(|&(len, _)| std::cmp::Reverse(len));
        columns.retain(|&(len, _)| len > self.text_limit / 10);
        columns.truncate(NAMED);
        let told: Vec<String> =
            columns.iter().map(|(len, name)| format!("{name:?} ({} MiB so far)", len >> 20)).collect();
        let names: Vec<&str> = columns.iter().map(|(_, name)| *name).collect();
        let (what, without) = match names.as_slice() {
            [] => ("many columns".to_owned(), String::new()),
            names => {
                (listed(&told), format!(", or build without such columns: --exclude {}", quoted(&names.join(","))))
            }
        };
        Error::Refused(format!(
            "the distinct texts of {what} take more than a quarter of the memory ({} MiB); raise --memory{without}",
            self.text_limit >> 20
        ))
    }

    /// Reads one input into the block being collected; the inner error is the reason for skipping it.
    fn add(&self, index: usize, builder: &mut BlockBuilder) -> Result<Result<Read, String>> {
        let read = self.survey.open(&self.survey.inputs[index]).and_then(|reader| {
            let columns = reader.read(0..self.survey.columns.len())?;
            Ok((Read::new(index, &reader), reader.dates().to_vec(), columns))
        });
        let (read, dates, columns) = match read {
            Ok(read) => read,
            Err(reason) => return Ok(Err(reason)),
        };
        if !dates.is_empty() {
            builder.push(index as u32, dates, columns)?;
        }
        Ok(Ok(read))
    }

    /// Reads an input that is too large for a block a few columns at a time, as a block of its own.
    fn gather_large(&self, index: usize, blocks: &mut Vec<Block>) -> Result<Result<Read, String>> {
        let reader = match self.survey.open(&self.survey.inputs[index]) {
            Ok(reader) => reader,
            Err(reason) => return Ok(Err(reason)),
        };
        let read = Read::new(index, &reader);
        if reader.dates().is_empty() {
            return Ok(Ok(read));
        }
        let frame = Frame::new(&[(index as u32, reader.dates().to_vec())]);
        let count = self.survey.columns.len();
        let mut columns = Vec::with_capacity(count);
        for start in (0..count).step_by(COLUMNS_AT_ONCE) {
            let group = start..(start + COLUMNS_AT_ONCE).min(count);
            let found = match reader.read(group.clone()) {
                Ok(found) => found,
                Err(reason) => return Ok(Err(reason)),
            };
            for (values, column) in found.into_iter().zip(&self.survey.columns[group]) {
                let mut dictionary = DictionaryBuilder::default();
                let lane = values.map(|values| Lane::new(values, reader.dates().len(), &mut dictionary));
                let lane = lane.transpose()?.flatten();
                let signed = column.data_type.is_signed_integer();
                columns.push(frame.column(vec![lane], signed, dictionary, self.spill)?);
            }
        }
        blocks.extend(self.counted(frame.finish(columns, self.spill)?)?);
        Ok(Ok(read))
    }
}

impl Read {
    fn new(input: usize, reader: &SeriesReader) -> Read {
        Read {
            input,
            rows: reader.dates().len() as u64,
            merged: reader.merged(),
            dropped: reader.dropped(),
            content_hash: reader.content_hash(),
            dates: Spelt::of(reader),
        }
    }
}

/// The panel of the files of `survey`.
pub(super) fn panel_of(survey: &Survey) -> PanelSchema {
    PanelSchema {
        code: survey.code.clone(),
        date_name: survey.date_name.clone(),
        date_form: survey.date_form().cloned().unwrap_or(DateForm::COMMON),
        columns: survey.columns.clone(),
    }
}

/// For each input of `survey` its code, if it has rows.
pub(super) fn codes_of<'s>(survey: &'s Survey, read: &[Read]) -> Vec<Option<&'s str>> {
    let mut codes = vec![None; survey.inputs.len()];
    for read in read.iter().filter(|read| read.rows > 0) {
        codes[read.input] = Some(survey.inputs[read.input].code.as_str());
    }
    codes
}
