//! What an update writes and what it leaves: for each date, the pieces, the source's parts, keys, and the bits that say
//! which rows a source has.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use super::changes::{Changes, DirtyDate, NewUnit, PieceNow, UnitNow};
use super::merge::merged;
use super::revision::{Revision, Unit};
use crate::error::Result;
use crate::format::{BatchRecord, NONE, PartRecord, PieceRecord};
use crate::ingest::gather::plan;
use crate::ingest::gather::stages::PlannedBatch;
use crate::key::Date;
use crate::store::{SnapshotPiece, SnapshotSegment};

/// What is written, and what the version to be consists of.
#[derive(Default)]
pub(in crate::ingest) struct Plan {
    /// All pieces of the version to be.
    pub(in crate::ingest) pieces: Vec<SnapshotPiece>,
    /// The source's parts of them.
    pub(in crate::ingest) parts: Vec<PartRecord>,
    /// Keys, for pieces.
    pub(in crate::ingest) keys: Vec<PlannedBatch<BatchOf>>,
    /// The source's values, for parts.
    pub(in crate::ingest) values: Vec<PlannedBatch<ValuesOf>>,
    /// By place of the source.
    pub(in crate::ingest) bits: BTreeMap<usize, BitsOf>,
}

/// The bits of one source that change.
#[derive(Default)]
pub(in crate::ingest) struct BitsOf {
    pub(in crate::ingest) written: Vec<PlannedBatch<BatchOf>>,
    /// The date and piece of parts that have every row now.
    pub(super) needless: Vec<(i32, u32)>,
}

/// These rows of a unit of the whole section.
pub(in crate::ingest) struct BatchOf {
    pub(in crate::ingest) unit: Unit,
    pub(in crate::ingest) rows: Range<usize>,
    /// The piece or the part that the batch is for, where it is one of the plan's.
    pub(in crate::ingest) target: usize,
    /// Date and number of the piece.
    pub(in crate::ingest) key: (i32, u32),
}

/// Values of one part.
pub(in crate::ingest) struct ValuesOf {
    /// The part that the batch is for.
    pub(in crate::ingest) target: usize,
    /// The piece's place in the section.
    place: u32,
    pub(in crate::ingest) what: What,
}

/// What a part's values are made from.
pub(in crate::ingest) enum What {
    /// Those that it had.
    AsItIs,
    /// These of the source's rows of a unit.
    Rows { unit: Unit, rows: Range<usize> },
}

/// One date that differs.
struct DateBefore<'a> {
    date: Date,
    /// The pieces of the section before.
    pieces: &'a [SnapshotPiece],
    /// The source's parts, by piece.
    parts: HashMap<u32, PartRecord>,
    /// The pieces of which the first source has keys beside its values.
    keyed: HashSet<u32>,
    /// The number of the next new piece.
    next: u32,
    /// The place of the next piece.
    place: u32,
}

impl Revision<'_> {
    /// Plans the version to be, which is `version`.
    ///
    /// # Errors
    /// When the version before is damaged.
    pub(in crate::ingest) fn plan(&self, changes: &Changes, version: u64) -> Result<Plan> {
        let mut plan = Plan::default();
        let dirty: HashSet<Date> = changes.dirty.iter().map(|dirty| dirty.date).collect();
        let (pieces, parts) = (self.whole.snapshot_pieces()?, self.whole.snapshot_parts(self.place)?);
        plan.pieces.extend(pieces.iter().filter(|piece| !dirty.contains(&piece.date)));
        let dirty_days: HashSet<i32> = dirty.iter().map(|date| date.days()).collect();
        plan.parts.extend(parts.iter().filter(|part| !dirty_days.contains(&part.date)));
        let first = self.whole.snapshot_segments(Some(0))?;
        let is_keyed = |part: &&PartRecord| {
            let segment = first.get(part.values.segment as usize);
            segment.is_some_and(|segment| segment.columns.iter().any(|(column, ..)| *column == 0))
        };
        for dirty in &changes.dirty {
            let days = dirty.date.days();
            let of_date = |first: usize, len: usize| first..first + len;
            let first = pieces.partition_point(|piece| piece.date < dirty.date);
            let count = pieces[first..].iter().take_while(|piece| piece.date == dirty.date).count();
            let pieces = &pieces[of_date(first, count)];
            let first = parts.partition_point(|part| part.date < days);
            let parts = parts[first..].iter().take_while(|part| part.date == days);
            let mut before = DateBefore {
                date: dirty.date,
                pieces,
                parts: parts.map(|part| (part.piece, *part)).collect(),
                keyed: self.whole.parts_of(0, dirty.date)?.iter().filter(is_keyed).map(|part| part.piece).collect(),
                next: pieces.iter().map(|piece| piece.record.number + 1).max().unwrap_or(0),
                place: 0,
            };
            self.plan_date(dirty, &mut before, version, &mut plan);
        }
        self.plan_merge(&mut plan)?;
        Ok(plan)
    }

    fn plan_date(&self, dirty: &DirtyDate, before: &mut DateBefore, version: u64, plan: &mut Plan) {
        for NewUnit { unit, now } in &dirty.units {
            match now {
                None => {
                    for piece in &before.pieces[unit.pieces.clone()] {
                        plan.parts.extend(before.parts.get(&piece.record.number));
                        let record = piece.record;
                        before.push(record, version, plan);
                    }
                }
                Some(now) if self.source_count == 1 => {
                    self.plan_alone(unit, &now.cuts, before, version, plan);
                }
                Some(UnitNow { moved: None, .. }) => {
                    let mut start = 0;
                    for piece in &before.pieces[unit.pieces.clone()] {
                        let record = piece.record;
                        if let Some(&part) = before.parts.get(&record.number) {
                            let end = start + part.values.row_count as usize;
                            let what = What::Rows { unit: unit.clone(), rows: start..end };
                            before.write(part.present, (record.number, what, end - start), version, plan);
                            start = end;
                        }
                        before.push(record, version, plan);
                    }
                }
                Some(UnitNow { moved: Some(moved), .. }) => self.plan_moved(unit, moved, before, plan, version),
            }
        }
    }

    /// Plans a unit of the only source: its pieces are cut anew.
    fn plan_alone(&self, unit: &Unit, cuts: &[Range<usize>], before: &mut DateBefore, version: u64, plan: &mut Plan) {
        let numbers: Vec<u32> = before.pieces[unit.pieces.clone()].iter().map(|piece| piece.record.number).collect();
        for (n, rows) in cuts.iter().cloned().enumerate() {
            let number = numbers.get(n).copied().unwrap_or_else(|| before.fresh());
            let row_count = rows.len();
            let what = What::Rows { unit: unit.clone(), rows };
            before.write(BatchRecord::NONE, (number, what, row_count), version, plan);
            let record = PieceRecord { keys: BatchRecord::NONE, number, row_count: row_count as u32 };
            before.push(record, version, plan);
        }
    }

    /// Plans a unit in which rows of one of several sources came or went.
    fn plan_moved(&self, unit: &Unit, moved: &[PieceNow], before: &mut DateBefore, plan: &mut Plan, version: u64) {
        let date = before.date;
        let olds = &before.pieces[unit.pieces.clone()];
        let mut own_start = 0;
        for (n, PieceNow { rows, own, others }) in moved.iter().enumerate().filter(|(_, piece)| !piece.rows.is_empty())
        {
            let old = olds.get(n).map(|piece| piece.record);
            let number = old.map_or_else(|| before.fresh(), |old| old.number);
            let key = (date.days(), number);
            let batch = |target: usize| PlannedBatch {
                date,
                piece: number,
                row_count: rows.len() as u32,
                of: BatchOf { unit: unit.clone(), rows: rows.clone(), target, key },
            };
            let others_now = others.iter().flatten().copied();
            // Keys lie beside the first source's values, if it was the first when they were written.
            let first_has_keys = match (self.place, others_now.clone().next()) {
                (0, _) => *own == rows.len(),
                (_, Some((0, count))) => count == rows.len() && before.keyed.contains(&number),
                _ => false,
            };
            let keys = match (old, others) {
                _ if first_has_keys => BatchRecord::NONE,
                // They are where they were, beside the first source's values or not.
                (Some(old), None) if self.place > 0 || old.keys.segment != NONE => old.keys,
                _ => {
                    plan.keys.push(batch(plan.pieces.len()));
                    BatchRecord::NONE
                }
            };
            for (place, count) in others_now.filter(|&(_, count)| count > 0) {
                let bits = plan.bits.entry(place).or_default();
                match count == rows.len() {
                    true => bits.needless.push(key),
                    false => bits.written.push(batch(0)),
                }
            }
            if *own > 0 {
                if *own < rows.len() {
                    let bits = plan.bits.entry(self.place).or_default();
                    bits.written.push(batch(plan.parts.len()));
                }
                let what = What::Rows { unit: unit.clone(), rows: own_start..own_start + own };
                before.write(BatchRecord::NONE, (number, what, *own), version, plan);
                own_start += own;
            }
            let record = PieceRecord { keys, number, row_count: rows.len() as u32 };
            before.push(record, version, plan);
        }
    }

    /// Adds the parts that stay and lie in small segments which are merged with what is written.
    fn plan_merge(&self, plan: &mut Plan) -> Result<()> {
        if !plan.values.is_empty() {
            let columns = self.columns(&self.value_layout());
            let mut live_lens = vec![0; self.own_segments()?.len()];
            for part in &plan.parts {
                if let Some(len) = live_lens.get_mut(part.values.segment as usize) {
                    *len += part.values.body_len;
                }
            }
            let rows: u64 = plan.values.iter().map(|batch| u64::from(batch.row_count)).sum();
            let merged: HashSet<usize> =
                merged(&live_lens, rows * plan::bits_per_row(&columns) / 8).into_iter().collect();
            if !merged.is_empty() {
                let places: HashMap<(i32, u32), u32> =
                    plan.pieces.iter().map(|piece| ((piece.date.days(), piece.record.number), piece.place)).collect();
                for (target, part) in plan.parts.iter_mut().enumerate() {
                    if !merged.contains(&(part.values.segment as usize)) {
                        continue;
                    }
                    let Some(date) = Date::from_days(part.date) else { continue };
                    let place = places.get(&(part.date, part.piece)).copied().unwrap_or_default();
                    let row_count = part.values.row_count;
                    part.values = BatchRecord { row_count, ..BatchRecord::NONE };
                    let of = ValuesOf { target, place, what: What::AsItIs };
                    plan.values.push(PlannedBatch { date, piece: part.piece, row_count, of });
                }
            }
        }
        plan.values.sort_unstable_by_key(|batch| (batch.date, batch.of.place));
        Ok(())
    }

    /// The segments that the source had.
    pub(super) fn own_segments(&self) -> Result<Vec<SnapshotSegment>> {
        match self.place < self.whole.source_names()?.len() {
            true => self.whole.snapshot_segments(Some(self.place)),
            false => Ok(Vec::new()),
        }
    }
}

impl DateBefore<'_> {
    /// A number that no piece of the date has.
    fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    /// Adds the next piece.
    fn push(&mut self, record: PieceRecord, changed: u64, plan: &mut Plan) {
        plan.pieces.push(SnapshotPiece { date: self.date, place: self.place, changed, record });
        self.place += 1;
    }

    /// Adds a part of the piece that is pushed next, whose values are written.
    fn write(
        &self,
        present: BatchRecord,
        (number, what, row_count): (u32, What, usize),
        changed: u64,
        plan: &mut Plan,
    ) {
        let (date, row_count) = (self.date, row_count as u32);
        let of = ValuesOf { target: plan.parts.len(), place: self.place, what };
        plan.values.push(PlannedBatch { date, piece: number, row_count, of });
        let values = BatchRecord { row_count, ..BatchRecord::NONE };
        plan.parts.push(PartRecord { date: date.days(), piece: number, changed, values, present });
    }
}
