//! Seals a band: the segments that begin on its dates, from the rows that the parts have of them, and a receipt.

use std::ops::Range;
use std::sync::Arc;

use arrow_buffer::Buffer;

use super::assembly::{Assembled, Piece};
use super::part::Part;
use super::plan::Plan;
use super::site::AttemptSite;
use super::tasks::Tasks;
use crate::compare::within;
use crate::error::Result;
use crate::format::{ChunkRecord, SEGMENT_DIR, Stored, checksum, segment_name};
use crate::ingest::gather::intake::{Gathered, codes_of};
use crate::ingest::gather::stages::{PlannedBatch, SegmentPlace, Which};
use crate::ingest::seal::sealer::Sealer;
use crate::segment::{SealedBatch, SealedSegment, SegmentColumn, SegmentId};
use crate::shuffle::{Block, Gathering, SpillMap};
use crate::staging::{
    Attempt, Kind, PlanOf, Receipt, TaskReport, band_name, check_number, damaged, encode, part_name, rows_name,
    sealed_name,
};
use crate::storage::{Access, Dir, Syncs, load};
use crate::store::{Site, StoreWriter};

/// The directory of an attempt in which the store lies that its dates alone are.
const PART: &str = "part";

impl Tasks<'_> {
    /// Seals the segments that begin on the dates of band `band`, counted from 0.
    ///
    /// # Errors
    /// When there are not so many, the parts are not assembled yet, what they left is not what their receipts say,
    /// something cannot be written, or the observer cancels.
    pub fn seal(&self, band: usize) -> Result<TaskReport> {
        check_number(band, self.plan.band_count(), "bands")?;
        let out = self.out.as_deref();
        if self.plan.of == PlanOf::Update {
            return self.seal_update(band);
        }
        let (plan, planned) = (&self.plan, self.planned()?);
        let assembled = Assembled::read(&self.staging, plan, &planned)?;
        let made = assembled.made(plan, &planned, plan.ids())?;
        let own = own_segments(plan, &assembled, band);
        let pieces = &assembled.cuts.pieces;
        let rows = |own: &Range<usize>| -> u64 {
            let segments = assembled.cuts.segments[own.clone()].iter();
            segments.flat_map(|segment| &pieces[segment.clone()]).map(|(.., rows)| rows.len() as u64).sum()
        };
        let id = SegmentId { source: Some(made.snapshot.sources[0].id), ..self.segment_id(0) };
        if let Some(receipt) = Receipt::open(&self.staging, &band_name(band), plan.whose(Kind::Band, band), u64::MAX)?
            && self.has_segments(&read_sealed(&receipt, &assembled, own.clone(), (id, &made.columns))?)?
            && out.map_or(Ok(true), |out| self.has_files(band, out))?
        {
            return Ok(TaskReport::before(rows(&own)));
        }
        let stages = self.stages()?;
        let (mut parts, codes) = Part::read_all(&self.staging, plan, &planned)?;
        assembled.check(&parts)?;
        let read = parts.iter_mut().flat_map(|part| std::mem::take(&mut part.read)).collect();
        let gathered = Gathered { read, codes, ..Gathered::default() };
        let (stocks, codes) = assembled.numbers(&parts, &codes_of(&planned, &gathered), &made.columns)?;
        let (first, segments) = (own.start, &assembled.cuts.segments[own.clone()]);
        let start = segments.first().map_or(0, |segment| segment.start);
        let end = segments.last().map_or(0, |segment| segment.end);
        let batches: Vec<PlannedBatch<Range<usize>>> = pieces[start..end].iter().map(planned_batch).collect();
        let segments: Vec<Range<usize>> =
            segments.iter().map(|segment| segment.start - start..segment.end - start).collect();
        let bands = match (batches.first(), batches.last()) {
            (Some(first), Some(last)) => plan.band_of(first.date)..plan.band_of(last.date) + 1,
            _ => 0..0,
        };
        let spill = self.rows_of(&parts, bands)?;
        let blocks: Vec<Block> = parts.into_iter().flat_map(|part| part.blocks).collect();
        let sealer =
            Sealer { gathering: Gathering { blocks: &blocks, spill: &spill, stocks, codes }, columns: made.columns };
        let attempt = Attempt::begin(&self.staging)?;
        let plain = AttemptSite { attempt: &attempt, ids: plan.ids() };
        let part = |_| StoreWriter::of_part(attempt.dir().make(PART)?, plan.ids());
        let mut writer = out.map(part).transpose()?;
        let site: &dyn Site = writer.as_ref().map_or(&plain, |writer| writer);
        let all: Vec<usize> = (0..sealer.columns.len()).collect();
        let sealed = Syncs::run(0, |syncs| {
            let to = SegmentPlace { site, source: id.source, next: first as u32, syncs, which: Which::All };
            let cut = (&batches[..], &segments[..]);
            stages.seal_segments(&to, &sealer.columns, &sealer.gathering, cut, false, |walk, batch, room| {
                let runs = within(&walk.runs(batch.date), batch.of.clone());
                sealer.batch(batch.date, &runs, None, &all, room)
            })
        })?;
        let dir = site.segment_dir()?;
        if let (Some(out), Some(writer)) = (out, &mut writer) {
            let survey = assembled.told.clone().left(planned);
            let with = (&assembled, &survey, &gathered);
            self.write_files((band, out), (&attempt, writer), with, (&sealed, start..end))?;
        }
        place_all(&attempt, &dir, &sealed)?;
        attempt.place_receipt(&band_name(band), &receipt_of(plan, band, &sealed))?;
        Ok(TaskReport::now(rows(&own)))
    }

    /// The segments of all bands, in order.
    ///
    /// # Errors
    /// When a band is not sealed yet, or its receipt is damaged.
    pub(super) fn sealed(
        &self,
        assembled: &Assembled,
        (source, columns): (u32, &Arc<[SegmentColumn]>),
    ) -> Result<Vec<SealedSegment>> {
        let mut all = Vec::with_capacity(assembled.cuts.segments.len());
        for band in 0..self.plan.band_count() {
            let whose = self.plan.whose(Kind::Band, band);
            let receipt = Receipt::read(&self.staging, &band_name(band), whose, u64::MAX)?;
            let own = own_segments(&self.plan, assembled, band);
            let id = SegmentId { source: Some(source), ..self.segment_id(0) };
            all.extend(read_sealed(&receipt, assembled, own, (id, columns))?);
        }
        Ok(all)
    }

    fn segment_id(&self, ordinal: u32) -> SegmentId {
        let ids = self.plan.ids();
        SegmentId { store_id: ids.store_id, commit: ids.commit, ordinal, source: None }
    }

    /// Whether these segments are there, or in the store already.
    fn has_segments(&self, sealed: &[SealedSegment]) -> Result<bool> {
        for segment in sealed {
            if !self.has_segment(segment.id.ordinal, segment.file_len)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a segment of this length is there, or in the store already.
    pub(super) fn has_segment(&self, ordinal: u32, file_len: u64) -> Result<bool> {
        let found = self.staging.look(&sealed_name(ordinal))?;
        let published = || {
            let path = self.store().join(SEGMENT_DIR);
            std::fs::metadata(path.join(segment_name(self.plan.ids().commit, ordinal)))
        };
        Ok(found.map(|found| found.byte_len).or_else(|| Some(published().ok()?.len())) == Some(file_len))
    }

    /// What all parts have of these bands, mapped, and the days of their blocks.
    ///
    /// # Errors
    /// When it is not what their receipts say.
    pub(super) fn rows_of(&self, parts: &[Part], bands: Range<usize>) -> Result<SpillMap> {
        let mut files = Vec::with_capacity(parts.len() * (self.plan.band_count() + 1));
        for (number, part) in parts.iter().enumerate() {
            for (band, expected) in part.bands.iter().enumerate() {
                if !bands.contains(&band) {
                    files.push(Buffer::default());
                    continue;
                }
                let name = rows_name(number, band);
                let path = self.staging.path().join(&name);
                let again = format!("run gather {number} again");
                let file = self.staging.open_file(&name)?.ok_or_else(|| damaged(&path, "it is gone", &again))?;
                let bytes = load(&file, &path, Access::Map)?;
                if bytes.len() as u64 != expected.byte_len || checksum(&bytes) != expected.checksum {
                    let what = format!("it is not what gather {number} left");
                    return Err(damaged(&path, what, without_receipt(number)));
                }
                files.push(bytes);
            }
            files.push(part.kept.clone());
        }
        let spill = SpillMap::of(files);
        for (number, part) in parts.iter().enumerate() {
            let own = number * (self.plan.band_count() + 1);
            let are_there = |block: &&Block| bands.contains(&(block.inputs.file - own));
            let input_count = if self.plan.is_by_date() { part.codes.len() } else { self.plan.part(number).len() };
            if !part.blocks.iter().filter(are_there).all(|block| has_rows(block, &spill, input_count)) {
                let path = self.staging.path().join(rows_name(number, bands.start));
                let what = format!("it has rows that are not those of part {number}");
                return Err(damaged(&path, what, without_receipt(number)));
            }
        }
        Ok(spill)
    }
}

/// Puts segments in place that were sealed in `dir`.
fn place_all(attempt: &Attempt, dir: &Dir, sealed: &[SealedSegment]) -> Result<()> {
    for SealedSegment { id, temporary, .. } in sealed {
        // It has its name where it became part of a store.
        let own = segment_name(id.commit, id.ordinal);
        let from = if dir.look(&own)?.is_some() { &own } else { temporary };
        attempt.place_from(dir, from, &sealed_name(id.ordinal))?;
    }
    Ok(())
}

/// How rows are made again that are as long as their part's receipt says.
fn without_receipt(part: usize) -> String {
    format!("remove {} beside it, and run gather {part} again", part_name(part))
}

/// Whether the rows of a block are of so many inputs, and its codes stand for texts that it has.
fn has_rows(block: &Block, spill: &SpillMap, input_count: usize) -> bool {
    let all_below = |bytes: &[u8], count: usize| {
        let numbers: &[u32] = bytemuck::cast_slice(bytes);
        numbers.iter().all(|number| (*number as usize) < count)
    };
    let mut coded = block.columns.values().filter(|column| column.stored == Stored::Codes);
    all_below(spill.get(block.inputs), input_count)
        && coded.all(|column| {
            all_below(spill.get(column.values), column.dictionary.as_ref().map_or(0, |texts| texts.len()).max(1))
        })
}

fn planned_batch((date, piece, rows): &Piece) -> PlannedBatch<Range<usize>> {
    PlannedBatch { date: *date, piece: *piece, row_count: rows.len() as u32, of: rows.clone() }
}

/// The segments that begin on the dates of a band.
fn own_segments(plan: &Plan, assembled: &Assembled, band: usize) -> Range<usize> {
    let cuts = &assembled.cuts;
    let band_of = |segment: &Range<usize>| cuts.band_of(plan, segment);
    let start = cuts.segments.partition_point(|segment| band_of(segment) < band);
    start..cuts.segments.partition_point(|segment| band_of(segment) <= band)
}

/// The receipt of a band of which these segments were sealed.
fn receipt_of(plan: &Plan, band: usize, sealed: &[SealedSegment]) -> Vec<u8> {
    let segments: Vec<u64> = sealed.iter().flat_map(|segment| [segment.file_len, segment.frame_checksum]).collect();
    let batches = sealed.iter().flat_map(|segment| &segment.batches);
    let batches: Vec<u64> = batches.flat_map(|batch| [batch.body_offset, batch.body_len]).collect();
    let chunks: Vec<ChunkRecord> = sealed.iter().flat_map(|segment| segment.chunks.iter().copied()).collect();
    let arrays = [bytemuck::cast_slice(&segments), bytemuck::cast_slice(&batches), bytemuck::cast_slice(&chunks)];
    encode(plan.whose(Kind::Band, band), &arrays)
}

/// The segments `own` of the assembly, as the receipt of their band tells of them.
fn read_sealed(
    receipt: &Receipt,
    assembled: &Assembled,
    own: Range<usize>,
    (id, columns): (SegmentId, &Arc<[SegmentColumn]>),
) -> Result<Vec<SealedSegment>> {
    let wrong = || receipt.damaged("its segments are not those of the assembly");
    let mut segments = receipt.array::<[u64; 2]>(0)?.iter();
    let mut batches = receipt.array::<[u64; 2]>(1)?.iter();
    let mut chunks: &[ChunkRecord] = receipt.array(2)?;
    let mut sealed = Vec::with_capacity(own.len());
    for ordinal in own {
        let &[file_len, frame_checksum] = segments.next().ok_or_else(wrong)?;
        let pieces = &assembled.cuts.pieces[assembled.cuts.segments[ordinal].clone()];
        let mut own_batches = Vec::with_capacity(pieces.len());
        for (.., rows) in pieces {
            let &[body_offset, body_len] = batches.next().ok_or_else(wrong)?;
            own_batches.push(SealedBatch { row_count: rows.len() as u32, body_offset, body_len });
        }
        let own_chunks = chunks.split_off(..pieces.len() * columns.len()).ok_or_else(wrong)?;
        let segment = SealedSegment {
            id: SegmentId { ordinal: ordinal as u32, ..id },
            columns: Arc::clone(columns),
            temporary: segment_name(id.commit, ordinal as u32),
            file_len,
            frame_checksum,
            batches: own_batches,
            chunks: own_chunks.to_vec(),
        };
        sealed.push(Some(segment).filter(SealedSegment::is_possible).ok_or_else(wrong)?);
    }
    let is_all = segments.next().is_none() && batches.next().is_none() && chunks.is_empty();
    if is_all { Ok(sealed) } else { Err(wrong()) }
}
