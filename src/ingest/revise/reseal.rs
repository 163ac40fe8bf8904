//! The second half of an update: seals what differs beside what stays.
//!
//! What differs are the source's values; and, where rows of the panel came or went, keys, and the bits that say which
//! rows of a piece a source has. No other source's values are touched.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_buffer::BooleanBuffer;

use super::changes::Changes;
use super::replan::{BatchOf, Plan, ValuesOf, What};
use super::revision::{Aligned, Revision, Unit};
use crate::compare::{Origin, Run, within};
use crate::error::{Error, Result};
use crate::format::{BatchRecord, ChunkLayout};
use crate::ingest::gather::stages::{PlannedBatch, SegmentPlace, Stages, Which};
use crate::ingest::seal::before::Before;
use crate::segment::{BatchBody, Room, SealedSegment, SegmentColumn, filled_chunk};
use crate::shuffle::Walk;
use crate::store::{Section, Site, Snapshot, SnapshotTables, SourceContents, present_column};

impl Revision<'_> {
    /// Gives `snapshot`, which has all but sections and history, what the next version has of them, and writes what that
    /// lacks at `site`. `contents` is what the source remembers, yet without segments and parts.
    ///
    /// # Errors
    /// When a file cannot be written, the version before is damaged, or the observer cancels.
    pub(in crate::ingest) fn write(
        &self,
        stages: &Stages,
        (site, which): (&dyn Site, Which),
        changes: &Changes,
        (snapshot, contents): (&mut Snapshot, SourceContents),
    ) -> Result<()> {
        let plan = self.plan(changes, snapshot.version)?;
        stages.synced(|syncs| {
            let to = SegmentPlace { site, source: None, next: 0, syncs, which };
            self.seal(stages, to, plan, changes, (snapshot, contents))
        })
    }

    /// Writes what is planned, and adds it to `snapshot` beside what stays as it is.
    fn seal(
        &self,
        stages: &Stages,
        mut to: SegmentPlace,
        mut plan: Plan,
        changes: &Changes,
        (snapshot, mut contents): (&mut Snapshot, SourceContents),
    ) -> Result<()> {
        // Keys and bits first: what blocks have of a date is given back when its values are sealed.
        let keys = self.seal_keys(stages, &mut to, &plan.keys)?;
        snapshot
            .key_segments
            .keep(self.whole.snapshot_segments(None)?, plan.pieces.iter_mut().map(|piece| &mut piece.record.keys));
        let records = snapshot.key_segments.add_sealed(keys, &mut snapshot.chunks);
        for (batch, record) in plan.keys.iter().zip(records) {
            plan.pieces[batch.of.target].record.keys = record;
        }

        let mut own_bits = None;
        for (place, of_source) in std::mem::take(&mut plan.bits) {
            to.source = Some(snapshot.sources[place].id);
            let sealed = self.seal_bits(stages, &mut to, place, &of_source.written)?;
            if place == self.place {
                own_bits = Some((of_source.written, sealed));
                continue;
            }
            let mut other = self.whole.snapshot_contents(place)?;
            let records = other.segments.add_sealed(sealed, &mut snapshot.chunks);
            let written = of_source.written.iter().zip(records).map(|(batch, record)| (batch.of.key, record));
            let moved: BTreeMap<(i32, u32), BatchRecord> =
                of_source.needless.iter().map(|&key| (key, BatchRecord::NONE)).chain(written).collect();
            for part in &mut other.parts {
                if let Some(&record) = moved.get(&(part.date, part.piece)) {
                    part.present = record;
                }
            }
            snapshot.sources[place].tables = SnapshotTables::New(other);
        }

        let layout = self.value_layout();
        let make =
            |walk: &mut Walk, batch: &PlannedBatch<ValuesOf>, room: &Room| self.values(batch, &layout, walk, room);
        let columns = self.columns(&layout);
        to.source = Some(snapshot.sources[self.place].id);
        let sealed = stages.seal(&mut to, &columns, &self.sealer.gathering, &plan.values, true, make)?;
        let all = plan.parts.iter_mut().flat_map(|part| [&mut part.values, &mut part.present]);
        contents.segments.keep(self.own_segments()?, all);
        let records = contents.segments.add_sealed(sealed, &mut snapshot.chunks);
        for (batch, record) in plan.values.iter().zip(records) {
            plan.parts[batch.of.target].values = record;
        }
        if let Some((batches, sealed)) = own_bits {
            let records = contents.segments.add_sealed(sealed, &mut snapshot.chunks);
            for (batch, record) in batches.iter().zip(records) {
                plan.parts[batch.of.target].present = record;
            }
        }
        contents.stock_changes = self.before.stock_changes()?;
        contents.stock_changes.note(changes.stocks.iter(), snapshot.version);
        snapshot.stock_changes.note(changes.stocks.iter(), snapshot.version);
        contents.parts = plan.parts;
        snapshot.sources[self.place].tables = SnapshotTables::New(contents);
        snapshot.pieces = plan.pieces;
        Ok(())
    }

    fn seal_keys(
        &self,
        stages: &Stages,
        to: &mut SegmentPlace,
        batches: &[PlannedBatch<BatchOf>],
    ) -> Result<Vec<SealedSegment>> {
        let layout = self.layout(|index| self.is_key(index));
        let make = |walk: &mut Walk, batch: &PlannedBatch<BatchOf>, room: &Room| {
            let BatchOf { unit, rows, .. } = &batch.of;
            let section = self.whole_section(batch.date)?;
            let merged = self.merged(batch.date, unit, section.as_ref(), walk)?;
            let whole = self.whole_keys(section.as_ref(), unit)?;
            let runs = taken(&merged.runs, rows)?;
            check_taken(&runs, whole.as_ref(), Section::check_keys)?;
            self.sealer.batch(batch.date, &runs, whole.as_ref(), &layout, room)
        };
        stages.seal(to, &self.columns(&layout), &self.sealer.gathering, batches, false, make)
    }

    /// Seals the bits that say which rows the source at `place` has.
    fn seal_bits(
        &self,
        stages: &Stages,
        to: &mut SegmentPlace,
        place: usize,
        batches: &[PlannedBatch<BatchOf>],
    ) -> Result<Vec<SealedSegment>> {
        let make = |walk: &mut Walk, batch: &PlannedBatch<BatchOf>, _: &Room| {
            let BatchOf { unit, rows, .. } = &batch.of;
            let section = self.whole_section(batch.date)?;
            let merged = self.merged(batch.date, unit, section.as_ref(), walk)?;
            taken(&merged.runs, rows)?;
            let bits = match place == self.place {
                true => merged.own.slice(rows.start, rows.len()),
                false => merged.rows_of(&self.rows_of(place, section.as_ref(), unit)?, rows.clone()),
            };
            Ok(bits_body(&bits))
        };
        let columns: Arc<[SegmentColumn]> = [present_column()].into();
        stages.seal(to, &columns, &self.sealer.gathering, batches, false, make)
    }

    /// Makes a batch of the source's values.
    fn values(
        &self,
        batch: &PlannedBatch<ValuesOf>,
        layout: &[usize],
        walk: &mut Walk,
        room: &Room,
    ) -> Result<BatchBody> {
        let own = self.section_before(batch.date)?;
        let (before, runs) = match &batch.of.what {
            What::AsItIs => {
                let place = own.iter().flat_map(Section::piece_numbers).position(|number| number == batch.piece);
                let place = place.unwrap_or_default();
                let unit = Unit { pieces: 0..0, own: place..place + 1, ranks: 0..0 };
                let runs = vec![Run { origin: Origin::Before, rows: 0..batch.row_count as usize }];
                (self.part(own.as_ref(), &unit)?, runs)
            }
            What::Rows { unit, rows } => {
                let Aligned { before, alignment } = self.aligned(batch.date, unit, walk)?;
                (before, taken(&alignment.runs, rows)?)
            }
        };
        check_taken(&runs, before.as_ref(), Section::check)?;
        self.sealer.batch(batch.date, &runs, before.as_ref(), layout, room)
    }
}

/// These rows of `runs`. What is planned may come from a receipt: fewer rows must not be sealed as if they were all.
fn taken(runs: &[Run], rows: &Range<usize>) -> Result<Vec<Run>> {
    let taken = within(runs, rows.clone());
    if taken.iter().map(|run| run.rows.len()).sum::<usize>() == rows.len() {
        return Ok(taken);
    }
    Err(Error::refused("what was compared of a date has other rows than were gathered of it", "plan again"))
}

/// Damage must not be sealed again under a checksum that is right.
fn check_taken(runs: &[Run], before: Option<&Before>, check: impl Fn(&Section) -> Result<()>) -> Result<()> {
    match before {
        Some(before) if runs.iter().any(|run| run.origin == Origin::Before) => check(before.section()),
        _ => Ok(()),
    }
}

/// A batch of one column of bits.
fn bits_body(bits: &BooleanBuffer) -> BatchBody {
    let layout = ChunkLayout::new(present_column().stored, bits.len() as u32, 0);
    BatchBody::single(filled_chunk(&layout, |mut chunk| {
        let packed = bits.sliced();
        let to = chunk.values();
        to.copy_from_slice(&packed[..to.len()]);
        // Bits after the last are zero, as padding is.
        if let Some(last) = to.last_mut().filter(|_| !bits.len().is_multiple_of(8)) {
            *last &= (1 << (bits.len() % 8)) - 1;
        }
    }))
}
