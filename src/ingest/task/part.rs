//! What became of a part: the rows of neighbouring inputs, by band, and the receipt of them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use arrow_buffer::Buffer;
use serde::{Deserialize, Serialize};

use super::blocks::{ARRAYS, BlockTable, PartPlace, is_alike};
use super::plan::Plan;
use crate::error::{Error, Result};
use crate::ingest::gather::codes::AllCodes;
use crate::ingest::gather::intake::{Gathered, Read};
use crate::key::Date;
use crate::panel::Column;
use crate::shuffle::{BandFile, Block, Extent, Gathering, SpillMap, cut};
use crate::source::{BadFile, FileOutcome, Losses, Survey};
use crate::staging::{Kind, Receipt, Receipts, encode, json, part_name};
use crate::storage::Dir;

/// More rows than any file has; so many sums of these are no more than a number can be.
const MOST_ROWS: u64 = 1 << 40;

/// Where the days of blocks lie, in which order the arrays stand.
const KEPT: usize = 1;
const CODE_LENS: usize = 2;
const CODES: usize = 3;
const IS_USED: usize = 4;
const RUNS: usize = 5;
const SECTION_CODES: usize = 6;
const BLOCKS: usize = 7;

/// What a receipt says in JSON.
#[derive(Serialize, Deserialize)]
struct InJson {
    read: Vec<Read>,
    bad: Vec<(usize, BadFile)>,
    /// Length and checksum of what there is of each band.
    bands: Vec<(u64, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    losses: Vec<Losses>,
}

/// What is known of an input beside its rows where each is a date that is appended.
pub(super) struct PartSection {
    /// The numbers of its codes.
    pub(super) codes: Vec<u32>,
    pub(super) losses: Losses,
}

/// A part that was gathered; numbers of inputs are the plan's.
pub(super) struct Part {
    pub(super) blocks: Vec<Block>,
    pub(super) read: Vec<Read>,
    pub(super) bad: Vec<(usize, BadFile)>,
    /// Where inputs are by date, the codes of its rows.
    pub(super) codes: AllCodes,
    pub(super) bands: Vec<BandFile>,
    /// The days of its blocks, as their extents refer to them.
    pub(super) kept: Buffer,
    /// See [`runs_of`].
    runs: Buffer,
    /// Of dates that are appended, one for each input that was read.
    pub(super) sections: Vec<PartSection>,
}

/// The receipt of a part of which `gathered` was read of inputs that are numbered from 0.
///
/// # Errors
/// When it is nothing that JSON has.
pub(super) fn receipt_of(
    plan: &Plan,
    part: usize,
    columns: &[Column],
    (gathered, bad, sections): (Gathered, Vec<(usize, BadFile)>, Vec<PartSection>),
    (bands, kept, runs): (&[BandFile], &[u8], &[u8]),
) -> Result<Vec<u8>> {
    let Gathered { blocks, read, codes } = gathered;
    let bands = bands.iter().map(|band| (band.byte_len, band.checksum)).collect();
    let count_then_codes = |section: &PartSection| [&[section.codes.len() as u32][..], &section.codes].concat();
    let section_codes: Vec<u32> = sections.iter().flat_map(count_then_codes).collect();
    let losses = sections.into_iter().map(|section| section.losses).collect();
    let told = json(&InJson { read, bad, bands, losses })?;
    let code_lens: Vec<u32> = codes.all().map(|code| code.len() as u32).collect();
    let texts: String = codes.all().collect();
    let is_used: Vec<u8> = codes.kept().iter().map(|code| u8::from(code.is_some())).collect();
    let table = BlockTable::of(&blocks, columns);
    let section_codes = bytemuck::cast_slice(&section_codes);
    let own: [&[u8]; BLOCKS] =
        [&told, kept, bytemuck::cast_slice(&code_lens), texts.as_bytes(), &is_used, runs, section_codes];
    let arrays: Vec<&[u8]> = own.into_iter().chain(table.arrays()).collect();
    debug_assert_eq!(arrays.len(), BLOCKS + ARRAYS);
    Ok(encode(plan.whose(Kind::Part, part), &arrays))
}

/// For each block, date by date, how many neighbouring rows each stock has, in seven bits a byte: it decides where long
/// sections are cut.
pub(super) fn runs_of(gathered: &Gathered, input_count: usize, files: &SpillMap) -> Vec<u8> {
    let mut bytes = Vec::new();
    let stocks = (0..input_count.max(gathered.codes.len()) as u32).collect();
    let gathering = Gathering { blocks: &gathered.blocks, spill: files, stocks, codes: Vec::new() };
    for (block, (_, starts)) in gathering.days().enumerate() {
        for rows in starts.windows(2) {
            for mut len in gathering.stock_runs(block, rows[0] as usize..rows[1] as usize) {
                while len >= 0x80 {
                    bytes.push(len as u8 | 0x80);
                    len >>= 7;
                }
                bytes.push(len as u8);
            }
        }
    }
    bytes
}

impl Part {
    /// Part `part` as its receipt in `staging` tells of it; `None` where there is none.
    ///
    /// # Errors
    /// When the receipt is damaged or another's, or the system refuses.
    pub(super) fn open(staging: &Dir, plan: &Plan, survey: &Survey, part: usize) -> Result<Option<Part>> {
        let receipt = Receipt::open(staging, &part_name(part), plan.whose(Kind::Part, part), plan.receipt_limit())?;
        receipt.map(|receipt| Part::of(&receipt, plan, survey, part, 0)).transpose()
    }

    /// All parts, with the codes of all rows by number in the last place.
    ///
    /// # Errors
    /// As [`open`](Part::open); and where one is not done yet, or all together take too much memory.
    pub(super) fn read_all(staging: &Dir, plan: &Plan, survey: &Survey) -> Result<(Vec<Part>, AllCodes)> {
        let (mut parts, mut codes) = (Vec::with_capacity(plan.part_count()), AllCodes::default());
        let mut receipts = Receipts::new(staging, plan.receipt_limit());
        for part in 0..plan.part_count() {
            let receipt = receipts.read(&part_name(part), plan.whose(Kind::Part, part))?;
            let found = Part::of(&receipt, plan, survey, part, codes.len())?;
            codes.extend(&found.codes);
            parts.push(found);
        }
        Ok((parts, codes))
    }

    /// What `receipt` says, where the parts before have so many codes.
    fn of(receipt: &Receipt, plan: &Plan, survey: &Survey, part: usize, code_count: usize) -> Result<Part> {
        let range = plan.part(part);
        let InJson { mut read, mut bad, bands, losses } = receipt.json(0)?;
        let bands: Vec<BandFile> =
            bands.into_iter().map(|(byte_len, checksum)| BandFile { byte_len, checksum }).collect();
        let wrong = |what| receipt.damaged(what);
        let file_count = |input: usize| survey.inputs[range.start + input].files.len();
        let mut seen = vec![false; range.len()];
        let inputs = read.iter().map(|read| read.input).chain(bad.iter().map(|(input, _)| *input));
        for input in inputs {
            if seen.get(input) != Some(&false) {
                return Err(wrong("it tells of an input twice, or of another's"));
            }
            seen[input] = true;
        }
        let few = |count: &u64| *count <= MOST_ROWS;
        let are_few = |file: &FileOutcome| [file.rows, file.merged, file.dropped, file.waiting].iter().all(few);
        let is_of = |read: &Read| read.files.len() == file_count(read.input) && few(&read.rows);
        let fits = read.iter().all(|read| is_of(read) && read.files.iter().all(are_few))
            && bad.iter().all(|(input, bad)| bad.file < file_count(*input));
        if seen.contains(&false) || !fits || bands.len() != plan.band_count() {
            return Err(wrong("it does not tell of all its inputs"));
        }
        read.iter_mut().for_each(|read| read.input += range.start);
        bad.iter_mut().for_each(|(input, _)| *input += range.start);
        let codes = codes(receipt)?;
        let sections = sections(receipt, losses, (codes.len(), code_count))?;
        let kept = receipt.bytes(KEPT)?;
        let place = PartPlace {
            first_file: part * (bands.len() + 1),
            first_input: if plan.is_by_date() { code_count } else { range.start } as u32,
            columns: &survey.columns,
            starts: plan.starts(),
            files: &bands,
            kept: &kept,
        };
        let blocks = BlockTable::read(receipt, BLOCKS, &place)?;
        if plan.appends().is_some() && [sections.len(), blocks.len()] != [read.len(); 2] {
            return Err(wrong("it does not tell of all its dates"));
        }
        Ok(Part { blocks, read, bad, codes, bands, kept, runs: receipt.bytes(RUNS)?, sections })
    }

    /// Rows of all its inputs.
    pub(super) fn row_count(&self) -> u64 {
        self.read.iter().map(|read| read.rows).sum()
    }

    /// Its blocks, those together that have the same texts.
    pub(super) fn groups(&self) -> impl Iterator<Item = &[Block]> {
        self.blocks.chunk_by(is_alike)
    }

    /// For each block its days, ascending, and where each one's rows start and the last one's end.
    pub(super) fn days(&self) -> impl Iterator<Item = (&[i32], &[u32])> + Clone {
        let get = |extent: Extent| {
            let start = extent.offset as usize;
            &self.kept[start..start + extent.byte_len as usize]
        };
        let blocks = self.blocks.iter();
        blocks.map(move |block| (bytemuck::cast_slice(get(block.days)), bytemuck::cast_slice(get(block.row_starts))))
    }

    /// Adds to each of the `long` dates how many neighbouring rows each stock has on it; `None` where the receipt does
    /// not tell of all rows.
    fn add_runs(&self, long: &HashSet<i32>, runs: &mut HashMap<i32, Vec<usize>>) -> Option<()> {
        let mut bytes = self.runs.iter();
        for (days, starts) in self.days() {
            for (day, rows) in days.iter().zip(starts.windows(2)) {
                let mut left = (rows[1] - rows[0]) as usize;
                let mut own = long.contains(day).then(|| runs.entry(*day).or_default());
                while left > 0 {
                    let len = varint(&mut bytes)?;
                    left = left.checked_sub(len).filter(|_| len > 0)?;
                    if let Some(own) = &mut own {
                        own.push(len);
                    }
                }
            }
        }
        bytes.next().is_none().then_some(())
    }
}

/// Where `long` sections are cut into pieces, by their days.
///
/// # Errors
/// When a receipt does not tell of all rows.
pub(super) fn cuts(parts: &[Part], survey: &Survey, long: &[(Date, u32)]) -> Result<HashMap<i32, Vec<Range<usize>>>> {
    if survey.key.is_empty() {
        let ones = |rows: u32| cut(std::iter::repeat_n(1, rows as usize));
        return Ok(long.iter().map(|&(date, rows)| (date.days(), ones(rows))).collect());
    }
    let days = long.iter().map(|(date, _)| date.days()).collect();
    let mut runs = HashMap::new();
    let all = parts.iter().try_for_each(|part| part.add_runs(&days, &mut runs));
    all.ok_or_else(|| {
        Error::refused("a receipt does not tell how many rows each stock has", "gather all parts again")
    })?;
    Ok(runs.into_iter().map(|(day, runs)| (day, cut(runs))).collect())
}

fn varint<'b>(bytes: &mut impl Iterator<Item = &'b u8>) -> Option<usize> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.next()?;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// What is known of dates that are appended, of which these are the losses, where the part has so many codes, and the parts
/// before have others.
fn sections(receipt: &Receipt, losses: Vec<Losses>, (own_count, before): (usize, usize)) -> Result<Vec<PartSection>> {
    let wrong = || receipt.damaged("the codes of its dates are none");
    let mut left: &[u32] = receipt.array(SECTION_CODES)?;
    let mut sections = Vec::with_capacity(losses.len());
    for losses in losses {
        let count = *left.split_off_first().ok_or_else(wrong)? as usize;
        let own = left.split_off(..count).ok_or_else(wrong)?;
        if own.iter().any(|code| *code as usize >= own_count) {
            return Err(wrong());
        }
        sections.push(PartSection { codes: own.iter().map(|code| code + before as u32).collect(), losses });
    }
    if left.is_empty() { Ok(sections) } else { Err(wrong()) }
}

/// The codes of rows by number, and whether each is used.
fn codes(receipt: &Receipt) -> Result<AllCodes> {
    let wrong = || receipt.damaged("its codes are none");
    let (lens, used): (&[u32], &[u8]) = (receipt.array(CODE_LENS)?, receipt.array(IS_USED)?);
    let mut texts = std::str::from_utf8(receipt.array(CODES)?).map_err(|_| wrong())?;
    let mut codes = Vec::with_capacity(lens.len());
    for (&len, &is_used) in lens.iter().zip(used) {
        let (code, rest) = texts.split_at_checked(len as usize).ok_or_else(wrong)?;
        codes.push((code, is_used != 0));
        texts = rest;
    }
    if lens.len() != used.len() || !texts.is_empty() {
        return Err(wrong());
    }
    Ok(AllCodes::of(codes))
}
