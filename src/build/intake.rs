//! Reads inputs one after the other and collects them in blocks; says what became of each.

use std::collections::BTreeMap;
use std::ops::Range;

use super::gather::{Block, BlockBuilder, Frame};
use super::lane::{DictionaryBuilder, Lane};
use super::spill::Spill;
use crate::error::{Error, Result};
use crate::panel::DateForm;
use crate::progress::Observer;
use crate::source::{Input, SeriesReader, Survey, join_date_forms};

/// Columns of a file too large for a block that are read at once.
const COLUMNS_AT_ONCE: usize = 4;

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

/// How one file spells its dates.
pub(super) enum Spelt {
    /// It has none.
    Not,
    /// In one form.
    As(DateForm),
    /// In several.
    Mixed,
}

/// Reads the inputs of `range` into blocks of about `share` bytes, in code order.
pub(super) fn gather_inputs(
    survey: &Survey,
    range: Range<usize>,
    share: usize,
    spill: &Spill,
    observer: &dyn Observer,
) -> Result<Gathered> {
    let mut gathered = Gathered::default();
    let mut builder = BlockBuilder::new(&survey.columns);
    for index in range {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let input = &survey.inputs[index];
        let outcome = if input.decoded_len > share as u64 {
            // Blocks must stay in code order, so what is collected goes first.
            builder = flush(builder, survey, &mut gathered.blocks, spill)?;
            gather_large(survey, index, input, spill)?.map(|(read, block)| {
                gathered.blocks.extend(block);
                read
            })
        } else {
            add_input(survey, index, input, &mut builder)?
        };
        match outcome {
            Ok(read) => gathered.read.push(read),
            Err(reason) => gathered.skipped.push((index, reason)),
        }
        if builder.byte_len() >= share {
            builder = flush(builder, survey, &mut gathered.blocks, spill)?;
        }
        observer.advance(1);
    }
    flush(builder, survey, &mut gathered.blocks, spill)?;
    Ok(gathered)
}

fn flush(builder: BlockBuilder, survey: &Survey, blocks: &mut Vec<Block>, spill: &Spill) -> Result<BlockBuilder> {
    if !builder.is_empty() {
        blocks.push(builder.gather(spill)?);
    }
    Ok(BlockBuilder::new(&survey.columns))
}

impl Read {
    fn new(input: usize, reader: &SeriesReader) -> Read {
        Read {
            input,
            rows: reader.dates().len() as u64,
            merged: reader.merged(),
            dropped: reader.dropped(),
            content_hash: reader.content_hash(),
            dates: match reader.date_form() {
                Some(form) => Spelt::As(form.clone()),
                None if reader.is_mixed() => Spelt::Mixed,
                None => Spelt::Not,
            },
        }
    }
}

/// Reads one input into the block being collected; the inner error is the reason for skipping it.
fn add_input(survey: &Survey, index: usize, input: &Input, builder: &mut BlockBuilder) -> Result<Result<Read, String>> {
    let read = survey.open(input).and_then(|reader| {
        let arrays = reader.read(0..survey.columns.len())?;
        Ok((Read::new(index, &reader), reader.dates().to_vec(), arrays))
    });
    let (read, dates, arrays) = match read {
        Ok(read) => read,
        Err(reason) => return Ok(Err(reason)),
    };
    if !dates.is_empty() {
        builder.push_series(index as u32, dates);
        for (column, array) in arrays.iter().enumerate() {
            builder.push_column(column, array.as_ref())?;
        }
    }
    Ok(Ok(read))
}

/// Reads an input that is too large for a block a few columns at a time, as a block of its own.
fn gather_large(
    survey: &Survey,
    index: usize,
    input: &Input,
    spill: &Spill,
) -> Result<Result<(Read, Option<Block>), String>> {
    let reader = match survey.open(input) {
        Ok(reader) => reader,
        Err(reason) => return Ok(Err(reason)),
    };
    let read = Read::new(index, &reader);
    if reader.dates().is_empty() {
        return Ok(Ok((read, None)));
    }
    let frame = Frame::new(&[(index as u32, reader.dates().to_vec())]);
    let mut columns = Vec::with_capacity(survey.columns.len());
    for start in (0..survey.columns.len()).step_by(COLUMNS_AT_ONCE) {
        let group = start..(start + COLUMNS_AT_ONCE).min(survey.columns.len());
        let arrays = match reader.read(group.clone()) {
            Ok(arrays) => arrays,
            Err(reason) => return Ok(Err(reason)),
        };
        for (array, column) in arrays.iter().zip(&survey.columns[group]) {
            let mut dictionary = DictionaryBuilder::default();
            let lane = array.as_ref().map(|array| Lane::new(array, &mut dictionary)).transpose()?.flatten();
            columns.push(frame.column(vec![lane], column.data_type.is_signed_integer(), dictionary, spill)?);
        }
    }
    Ok(Ok((read, Some(frame.finish(columns, spill)?))))
}

/// The one form in which all files' dates can be written back.
pub(super) fn date_form(read: &[Read]) -> DateForm {
    let mut joined: Option<DateForm> = None;
    for read in read {
        let form = match &read.dates {
            Spelt::Not => continue,
            Spelt::As(form) => form,
            Spelt::Mixed => &DateForm::COMMON,
        };
        joined = Some(match joined {
            None => form.clone(),
            Some(known) if known == *form => known,
            Some(known) => join_date_forms(&known, form),
        });
    }
    joined.unwrap_or(DateForm::COMMON)
}

/// What to tell about dates when the files do not agree on how to spell them.
pub(super) fn date_note(survey: &Survey, read: &[Read]) -> Option<String> {
    let mut forms: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for read in read {
        let form = match &read.dates {
            Spelt::Not => continue,
            Spelt::As(form) => form.to_string(),
            Spelt::Mixed => "several ways at once".to_owned(),
        };
        forms.entry(form).or_insert((0, read.input)).0 += 1;
    }
    let mixes = read.iter().any(|read| matches!(read.dates, Spelt::Mixed));
    let example = |(form, (count, input)): (&String, &(usize, usize))| {
        format!("{form} in {count} such as {}", survey.inputs[*input].path.display())
    };
    (mixes || forms.len() > 1).then(|| {
        let forms: Vec<String> = forms.iter().map(example).collect();
        format!("files spell dates differently ({}); the output has {}", forms.join(", "), date_form(read))
    })
}
