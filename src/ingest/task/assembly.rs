//! What was decided once all parts were gathered, and the receipt of it.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use serde::{Deserialize, Serialize};

use super::blocks::is_shared;
use super::part::Part;
use super::plan::Plan;
use crate::codec::{Dictionary, stored_type};
use crate::error::Result;
use crate::format::Stored;
use crate::ingest::gather::intake::panel_of;
use crate::ingest::seal::assemble::{Assembly, Target, assemble};
use crate::key::Date;
use crate::segment::SegmentColumn;
use crate::shuffle::{self, Block, BlockColumn, Extent, Sparse};
use crate::skipped::{self, Skipped};
use crate::source::Survey;
use crate::staging::{ASSEMBLY, Kind, Receipt, encode, json};
use crate::storage::Dir;
use crate::store::Ids;

const CODES: usize = 1;
const WIDTHS: usize = 3;
const TEXT_COUNTS: usize = 4;
const TEXTS: usize = 5;
const STOCKS: usize = 7;
const BLOCK_CODES: usize = 8;
const SECTIONS: usize = 9;
const PIECES: usize = 10;
const SEGMENTS: usize = 11;

/// What is told in JSON: what the files turned out to be.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Told {
    #[serde(with = "skipped::in_full")]
    pub(super) skipped: Vec<Skipped>,
    pub(super) notes: Vec<String>,
    /// The inputs that turned out to be unusable.
    pub(super) unread: Vec<usize>,
}

impl Told {
    /// What `survey` tells, of which these inputs are `unread`.
    pub(super) fn of(survey: &Survey, unread: Vec<usize>) -> Told {
        Told { skipped: survey.skipped.clone(), notes: survey.notes.clone(), unread }
    }

    /// What `receipt` says of the files of the survey that was planned.
    ///
    /// # Errors
    /// When it tells of inputs that there are not.
    pub(super) fn read(receipt: &Receipt, planned: &Survey) -> Result<Told> {
        let told: Told = receipt.json(0)?;
        match told.unread.iter().all(|input| *input < planned.inputs.len()) {
            true => Ok(told),
            false => Err(receipt.damaged("it leaves out inputs that there are not")),
        }
    }

    /// The survey that was planned, without what turned out to be unusable.
    pub(super) fn left(self, planned: Survey) -> Survey {
        planned.without(self.skipped, self.notes, &self.unread.into_iter().collect())
    }
}

/// A date, the number of a piece of its section, and its rows there.
pub(super) type Piece = (Date, u32, Range<usize>);

/// How the rows are cut.
pub(super) struct Cuts {
    pub(super) sections: Vec<(Date, u32)>,
    pub(super) pieces: Vec<Piece>,
    /// The pieces of each segment.
    pub(super) segments: Vec<Range<usize>>,
}

/// For each input, or number of a code, the number of its stock; and for each block and column of texts the store's
/// code for each of the block's.
type Numbers = (Vec<u32>, Vec<Sparse<Arc<[u32]>>>);

/// An assembly that was read.
pub(super) struct Assembled {
    receipt: Receipt,
    pub(super) told: Told,
    pub(super) cuts: Cuts,
    codes: Vec<String>,
    /// What the columns of the panel are as if all rows were one block.
    whole: Block,
}

/// The receipt of what was decided on `blocks`.
///
/// # Errors
/// When it is nothing that JSON has.
pub(super) fn receipt_of(plan: &Plan, told: &Told, made: &Assembly, blocks: &[Block], cuts: &Cuts) -> Result<Vec<u8>> {
    let (mut texts, mut counts) = (Texts::default(), Vec::new());
    let mut codes = Texts::default();
    codes.add_all(&made.snapshot.dictionaries[0]);
    for column in made.columns[2..].iter().filter(|column| column.stored == Stored::Codes) {
        counts.push(column.dictionary.as_ref().map_or(0, |texts| texts.len() as u32));
        column.dictionary.iter().for_each(|own| texts.add_all(own));
    }
    let widths: Vec<u8> = made.columns[2..].iter().map(|column| column.stored as u8).collect();
    let mut block_codes: Vec<u32> = Vec::new();
    for (at, (block, own)) in blocks.iter().zip(&made.codes).enumerate() {
        for (column, codes) in own.iter() {
            if !shares_texts(at.checked_sub(1).map(|before| &blocks[before]), block, column) {
                block_codes.extend_from_slice(codes);
            }
        }
    }
    let sections = cuts.sections.iter().flat_map(|&(date, rows)| [date.days() as u32, rows]);
    let sections: Vec<u32> = sections.collect();
    let piece = |(date, piece, rows): &Piece| [date.days() as u32, *piece, rows.start as u32, rows.end as u32];
    let pieces: Vec<u32> = cuts.pieces.iter().flat_map(piece).collect();
    let segments: Vec<u32> = cuts.segments.iter().map(|segment| segment.end as u32).collect();
    let cast = bytemuck::cast_slice::<u32, u8>;
    let arrays: [&[u8]; SEGMENTS + 1] = [
        &json(told)?,
        cast(&codes.lens),
        &codes.bytes,
        &widths,
        cast(&counts),
        cast(&texts.lens),
        &texts.bytes,
        cast(&made.stocks),
        cast(&block_codes),
        cast(&sections),
        cast(&pieces),
        cast(&segments),
    ];
    Ok(encode(plan.whose(Kind::Assembly, 0), &arrays))
}

/// Texts, one after the other.
#[derive(Default)]
struct Texts {
    lens: Vec<u32>,
    bytes: Vec<u8>,
}

impl Texts {
    /// Those of an array of texts, or of byte strings.
    fn add_all(&mut self, array: &arrow_array::ArrayRef) {
        let texts = array.as_string_opt::<i32>().into_iter().flatten().flatten().map(str::as_bytes);
        let bytes = array.as_binary_opt::<i32>().into_iter().flatten().flatten();
        for text in texts.chain(bytes) {
            self.lens.push(text.len() as u32);
            self.bytes.extend_from_slice(text);
        }
    }
}

/// Whether a column of `block` has the texts of the block before, so that its codes are the same.
fn shares_texts(before: Option<&Block>, block: &Block, column: usize) -> bool {
    match (before.and_then(|before| before.columns.get(column)), block.columns.get(column)) {
        (Some(before), Some(own)) => own.dictionary.is_some() && is_shared(&before.dictionary, &own.dictionary),
        _ => false,
    }
}

impl Cuts {
    /// The band that seals a segment: that of the date on which it begins.
    pub(super) fn band_of(&self, plan: &Plan, segment: &Range<usize>) -> usize {
        plan.band_of(self.pieces[segment.start].0)
    }
}

impl Assembled {
    /// The assembly in `staging`; `None` where it is not done yet.
    ///
    /// # Errors
    /// When it is damaged, or the system refuses.
    pub(super) fn open(staging: &Dir, plan: &Plan, survey: &Survey) -> Result<Option<Assembled>> {
        let receipt = Receipt::open(staging, ASSEMBLY, plan.whose(Kind::Assembly, 0), plan.receipt_limit())?;
        receipt.map(|receipt| Assembled::of(receipt, survey)).transpose()
    }

    /// As [`open`](Assembled::open), of one that must be there.
    ///
    /// # Errors
    /// As there, and where it is not done yet.
    pub(super) fn read(staging: &Dir, plan: &Plan, survey: &Survey) -> Result<Assembled> {
        let receipt = Receipt::read(staging, ASSEMBLY, plan.whose(Kind::Assembly, 0), plan.receipt_limit())?;
        Assembled::of(receipt, survey)
    }

    fn of(receipt: Receipt, survey: &Survey) -> Result<Assembled> {
        let told = Told::read(&receipt, survey)?;
        let codes = texts(&receipt, CODES)?;
        let whole = whole(&receipt, survey)?;
        let cuts = cuts(&receipt)?;
        Ok(Assembled { told, cuts, codes, whole, receipt })
    }

    /// What the version with these numbers is, but for its sections, and how segments hold its columns.
    ///
    /// # Errors
    /// When texts are none, or one is there twice.
    pub(super) fn made(&self, plan: &Plan, survey: &Survey, ids: Ids) -> Result<Assembly> {
        let codes: Vec<Option<&str>> = self.codes.iter().map(|code| Some(code.as_str())).collect();
        let target = Target { before: None, place: 0, name: &plan.name };
        let made = assemble(panel_of(survey), &codes, std::slice::from_ref(&self.whole), ids, plan.keep(), target)?;
        let texts = |at: usize| Some(self.whole.columns.get(at)?.dictionary.as_ref()?.len());
        let counts = (0..survey.columns.len()).map(texts);
        let found = |column: &SegmentColumn| column.dictionary.as_ref().map(|texts| texts.len());
        let is_once = found(&made.columns[0]) == Some(codes.len()) && made.columns[2..].iter().map(found).eq(counts);
        match is_once {
            true => Ok(made),
            false => Err(self.receipt.damaged("it has a code or a text twice")),
        }
    }

    /// Refuses an assembly of other rows than `parts` have, or of columns that are too narrow for them.
    ///
    /// # Errors
    /// Where it is one.
    pub(super) fn check(&self, parts: &[Part]) -> Result<()> {
        let fits = |block: &Block| {
            let mut columns = block.columns.iter();
            columns.all(|(at, own)| self.whole.columns.get(at).is_some_and(|whole| own.stored <= whole.stored))
        };
        let has_rows = shuffle::sections(parts.iter().flat_map(Part::days)) == self.cuts.sections;
        match has_rows && parts.iter().flat_map(|part| &part.blocks).all(fits) {
            true => Ok(()),
            false => Err(self.receipt.damaged("its rows or columns are not those of the parts")),
        }
    }

    /// What the numbers of `parts` are in the store, whose segments have these columns. Each stands for the code or the
    /// text that the part has.
    ///
    /// # Errors
    /// When they are not those of the parts, whose inputs, or numbers of codes, have these codes.
    pub(super) fn numbers(
        &self,
        parts: &[Part],
        inputs: &[Option<&str>],
        columns: &[SegmentColumn],
    ) -> Result<Numbers> {
        let wrong = || self.receipt.damaged("its codes are not those of the parts");
        let stocks: Vec<u32> = self.receipt.array(STOCKS)?.to_vec();
        let mut left: &[u32] = self.receipt.array(BLOCK_CODES)?;
        let mut all: Vec<Sparse<Arc<[u32]>>> = Vec::new();
        let mut before: Option<&Block> = None;
        for block in parts.iter().flat_map(|part| &part.blocks) {
            let mut own = Sparse::default();
            for (at, column) in block.columns.iter() {
                let Some(texts) = &column.dictionary else { continue };
                let shared = all.last().and_then(|last| last.get(at)).filter(|_| shares_texts(before, block, at));
                let codes = match shared {
                    Some(codes) => Arc::clone(codes),
                    None => {
                        let codes = left.split_off(..texts.len()).ok_or_else(wrong)?;
                        let known = |code: &u32| text_at(columns[at + 2].dictionary.as_ref()?, *code);
                        if !codes.iter().map(known).eq(texts.iter().map(Some)) {
                            return Err(wrong());
                        }
                        codes.into()
                    }
                };
                own.push(at, codes);
            }
            all.push(own);
            before = Some(block);
        }
        let is_of = |(stock, code): (&u32, &Option<&str>)| match code {
            Some(code) => text_at(columns[0].dictionary.as_ref()?, *stock).map(|text| text == code.as_bytes()),
            // It has no rows, and its number is that of nothing.
            None => Some(*stock == 0),
        };
        let are_stocks =
            stocks.len() == inputs.len() && stocks.iter().zip(inputs).all(|pair| is_of(pair) == Some(true));
        if left.is_empty() && are_stocks { Ok((stocks, all)) } else { Err(wrong()) }
    }
}

/// The text, or the bytes, that `code` stands for in a dictionary.
fn text_at(dictionary: &ArrayRef, code: u32) -> Option<&[u8]> {
    let code = Some(code as usize).filter(|code| *code < dictionary.len())?;
    match dictionary.as_string_opt::<i32>() {
        Some(texts) => Some(texts.value(code).as_bytes()),
        None => Some(dictionary.as_binary_opt::<i32>()?.value(code)),
    }
}

/// The texts that a receipt has from array `first` on.
fn texts(receipt: &Receipt, first: usize) -> Result<Vec<String>> {
    let wrong = || receipt.damaged("its codes are none");
    let mut bytes = std::str::from_utf8(receipt.array(first + 1)?).map_err(|_| wrong())?;
    let mut texts = Vec::new();
    for &len in receipt.array::<u32>(first)? {
        let (text, rest) = bytes.split_at_checked(len as usize).ok_or_else(wrong)?;
        texts.push(text.to_owned());
        bytes = rest;
    }
    if bytes.is_empty() { Ok(texts) } else { Err(wrong()) }
}

/// The columns of the panel as those of one block.
fn whole(receipt: &Receipt, survey: &Survey) -> Result<Block> {
    let wrong = || receipt.damaged("its columns are not those of the plan");
    let widths: &[u8] = receipt.array(WIDTHS)?;
    let mut counts = receipt.array::<u32>(TEXT_COUNTS)?.iter();
    let (mut lens, mut bytes): (&[u32], &[u8]) = (receipt.array(TEXTS)?, receipt.array(TEXTS + 1)?);
    let mut next = || {
        let own = lens.split_off(..*counts.next()? as usize)?;
        let byte_len: u64 = own.iter().map(|len| u64::from(*len)).sum();
        Dictionary::of(own, bytes.split_off(..byte_len as usize)?).map(Arc::new)
    };
    if widths.len() != survey.columns.len() {
        return Err(wrong());
    }
    let nowhere = Extent { file: 0, offset: 0, byte_len: 0 };
    let mut columns = Sparse::default();
    for (at, (&width, column)) in widths.iter().zip(&survey.columns).enumerate() {
        let stored = Stored::from_number(width).ok_or_else(wrong)?;
        if stored_type(&column.data_type, stored).is_none() {
            return Err(wrong());
        }
        let dictionary = if stored == Stored::Codes { Some(next().ok_or_else(wrong)?) } else { None };
        columns.push(at, BlockColumn { stored, values: nowhere, validity: None, dictionary });
    }
    Ok(Block { days: nowhere, row_starts: nowhere, inputs: nowhere, first_input: 0, columns })
}

fn cuts(receipt: &Receipt) -> Result<Cuts> {
    let wrong = || receipt.damaged("its cuts are none");
    let date = |days: u32| Date::from_days(days as i32).ok_or_else(wrong);
    let mut sections = Vec::new();
    for section in receipt.array::<[u32; 2]>(SECTIONS)? {
        sections.push((date(section[0])?, section[1]));
    }
    let mut pieces = Vec::new();
    for &[day, piece, start, end] in receipt.array::<[u32; 4]>(PIECES)? {
        pieces.push((date(day)?, piece, start as usize..end as usize));
    }
    let mut segments = Vec::new();
    let mut start = 0;
    for &end in receipt.array::<u32>(SEGMENTS)? {
        segments.push(start..end as usize);
        start = end as usize;
    }
    let are_cut = start == pieces.len() && segments.iter().all(|segment| !segment.is_empty());
    // The pieces of each section are all its rows, in order.
    let mut left = &pieces[..];
    let are_whole = sections.iter().all(|(date, row_count)| {
        let own = left.iter().take_while(|(own, ..)| own == date).count();
        let (own, rest) = left.split_at(own);
        left = rest;
        let mut start = 0;
        let follows = |(place, (_, piece, rows)): (usize, &Piece)| {
            let fits = *piece as usize == place && rows.start == start && rows.end > start;
            start = rows.end;
            fits
        };
        own.iter().enumerate().all(follows) && start == *row_count as usize
    });
    let ascend = sections.is_sorted_by(|a, b| a.0 < b.0);
    if are_cut && are_whole && left.is_empty() && ascend {
        Ok(Cuts { sections, pieces, segments })
    } else {
        Err(wrong())
    }
}
