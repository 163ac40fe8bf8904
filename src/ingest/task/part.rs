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
use crate::source::{BadFile, Survey};
use crate::staging::{Kind, Receipt, encode, json, part_name};
use crate::storage::Dir;

/// Where the days of blocks lie, in which order the arrays stand.
const KEPT: usize = 1;
const CODE_LENS: usize = 2;
const CODES: usize = 3;
const IS_USED: usize = 4;
const RUNS: usize = 5;
const BLOCKS: usize = 6;

/// What a receipt says in JSON.
#[derive(Serialize, Deserialize)]
struct Told {
    read: Vec<Read>,
    bad: Vec<(usize, BadFile)>,
    /// Length and checksum of what there is of each band.
    bands: Vec<(u64, u64)>,
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
    pub(super) byte_len: usize,
}

/// The receipt of a part of which `gathered` was read of inputs that are numbered from 0.
///
/// # Errors
/// When it is nothing that JSON has.
pub(super) fn receipt_of(
    plan: &Plan,
    part: usize,
    columns: &[Column],
    (gathered, bad): (Gathered, Vec<(usize, BadFile)>),
    (bands, kept, runs): (&[BandFile], &[u8], &[u8]),
) -> Result<Vec<u8>> {
    let Gathered { blocks, read, codes } = gathered;
    let bands = bands.iter().map(|band| (band.byte_len, band.checksum)).collect();
    let told = json(&Told { read, bad, bands })?;
    let code_lens: Vec<u32> = codes.all().map(|code| code.len() as u32).collect();
    let texts: String = codes.all().collect();
    let is_used: Vec<u8> = codes.kept().iter().map(|code| u8::from(code.is_some())).collect();
    let table = BlockTable::of(&blocks, columns);
    let own: [&[u8]; BLOCKS] = [&told, kept, bytemuck::cast_slice(&code_lens), texts.as_bytes(), &is_used, runs];
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
        let (mut parts, mut codes, mut byte_len) = (Vec::with_capacity(plan.part_count()), AllCodes::default(), 0);
        for part in 0..plan.part_count() {
            let whose = plan.whose(Kind::Part, part);
            let receipt = Receipt::read(staging, &part_name(part), whose, plan.receipt_limit())?;
            let found = Part::of(&receipt, plan, survey, part, codes.len())?;
            byte_len += found.byte_len as u64;
            if byte_len > plan.receipt_limit() {
                let what = "the receipts of the parts take more than half of the memory";
                return Err(Error::refused(what, "plan with more memory, or leave out columns of long texts"));
            }
            codes.extend(&found.codes);
            parts.push(found);
        }
        Ok((parts, codes))
    }

    /// What `receipt` says, where the parts before have so many codes.
    fn of(receipt: &Receipt, plan: &Plan, survey: &Survey, part: usize, code_count: usize) -> Result<Part> {
        let range = plan.part(part);
        let Told { mut read, mut bad, bands } = receipt.json(0)?;
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
        let fits = read.iter().all(|read| read.files.len() == file_count(read.input))
            && bad.iter().all(|(input, bad)| bad.file < file_count(*input));
        if seen.contains(&false) || !fits || bands.len() != plan.band_count() {
            return Err(wrong("it does not tell of all its inputs"));
        }
        read.iter_mut().for_each(|read| read.input += range.start);
        bad.iter_mut().for_each(|(input, _)| *input += range.start);
        let codes = codes(receipt)?;
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
        let (runs, byte_len) = (receipt.bytes(RUNS)?, receipt.byte_len());
        Ok(Part { blocks, read, bad, codes, bands, kept, runs, byte_len })
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
