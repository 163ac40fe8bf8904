//! The second half of an update: seals the sections that differ beside those that stay, and publishes the version.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::changes::{Changes, DirtyDate, NewUnit};
use super::merge::merged;
use super::plan;
use super::revision::{Revision, Unit};
use super::stages::{NewPiece, PlannedPiece, Stages};
use super::update_report::UpdateReport;
use crate::compare::{Origin, Run, within};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::shuffle::{PIECE_ROWS, Walk};
use crate::store::{Snapshot, SnapshotPiece, StoreWriter};

impl Revision<'_> {
    /// Makes `snapshot`, which has all but sections and history, the next version.
    ///
    /// # Errors
    /// When a file cannot be written, the version before is damaged, no row would be left, or the observer cancels.
    pub(super) fn publish(
        &self,
        stages: &Stages,
        writer: &StoreWriter,
        changes: &Changes,
        mut snapshot: Snapshot,
        report: &mut UpdateReport,
        command: &str,
    ) -> Result<()> {
        self.seal(stages, writer, changes, &mut snapshot)?;
        snapshot.history = writer.history()?;
        snapshot.history.push(report.history_entry(writer, &snapshot, command));
        if stages.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        writer.publish(&snapshot)?;
        report.published(&snapshot);
        Ok(())
    }

    /// Writes the pieces that differ, with those of small segments that are merged, and adds them to `snapshot` beside what
    /// stays as it is.
    fn seal(&self, stages: &Stages, writer: &StoreWriter, changes: &Changes, snapshot: &mut Snapshot) -> Result<()> {
        let (before, columns) = (self.before, &self.sealer.columns);
        let segments = before.snapshot_segments()?;
        let dirty: HashMap<Date, &DirtyDate> = changes.dirty.iter().map(|dirty| (dirty.date, dirty)).collect();
        let (mut kept, mut written) = (Vec::new(), Vec::new());
        let all = before.snapshot_pieces()?;
        for pieces in all.chunk_by(|a, b| a.date == b.date) {
            if !dirty.contains_key(&pieces[0].date) {
                kept.extend(pieces.iter().map(|&piece| Kept { piece, place_before: piece.place }));
            }
        }
        let mut walk = self.sealer.gathering.walk(changes.dirty.first().map_or(Date::EPOCH, |dirty| dirty.date));
        for dirty in &changes.dirty {
            let first = all.partition_point(|piece| piece.date < dirty.date);
            let pieces = &all[first..];
            self.plan(dirty, pieces, writer.version(), &mut walk, (&mut kept, &mut written))?;
        }
        let mut live_lens = vec![0; segments.len()];
        for Kept { piece, .. } in &kept {
            live_lens[piece.record.segment as usize] += piece.record.body_len;
        }
        if !written.is_empty() {
            let rows: u64 = written.iter().map(|piece| u64::from(piece.row_count)).sum();
            let merged: HashSet<usize> =
                merged(&live_lens, rows * plan::bits_per_row(columns) / 8).into_iter().collect();
            kept.retain(|Kept { piece, place_before }| {
                let stays = !merged.contains(&(piece.record.segment as usize));
                if !stays {
                    let (date, place, row_count) = (piece.date, piece.place, piece.record.row_count);
                    let of = Origins::Piece { place: *place_before as usize, changed: piece.changed };
                    written.push(PlannedPiece { date, place, row_count, of });
                }
                stays
            });
            written.sort_unstable_by_key(|piece| (piece.date, piece.place));
        }

        let make = |walk: &mut Walk, piece: &PlannedPiece<Origins>| self.make(piece, writer.version(), walk);
        let gathering = &self.sealer.gathering;
        let sealed = stages.synced(|syncs| stages.seal(writer, columns, gathering, &written, syncs, make))?;
        let kept: Vec<SnapshotPiece> = kept.into_iter().map(|kept| kept.piece).collect();
        snapshot.add_kept(segments, &kept);
        sealed.into_iter().for_each(|segment| snapshot.add_sealed(segment));
        Ok(())
    }

    /// Adds the pieces of a date that differs: those of units that stay, which get other places, and those to be written.
    /// `pieces` are those before, from the date's first on.
    fn plan(
        &self,
        dirty: &DirtyDate,
        pieces: &[SnapshotPiece],
        changed: u64,
        walk: &mut Walk,
        (kept, written): (&mut Vec<Kept>, &mut Vec<PlannedPiece<Origins>>),
    ) -> Result<()> {
        let mut next = 0;
        let mut place = || {
            next += 1;
            next - 1
        };
        for NewUnit { unit, row_count } in &dirty.units {
            let Some(row_count) = *row_count else {
                kept.extend(pieces[unit.pieces.clone()].iter().map(|&piece| Kept {
                    piece: SnapshotPiece { place: place(), changed, ..piece },
                    place_before: piece.place,
                }));
                continue;
            };
            let cuts = match row_count {
                few if few <= PIECE_ROWS => std::iter::once(0..few).filter(|rows| !rows.is_empty()).collect(),
                _ => {
                    let section = self.section_before(dirty.date)?;
                    let before = self.part(section.as_ref(), unit)?;
                    let marks = self.marks_of(dirty.date, section.as_ref(), unit);
                    let alignment = self.align(dirty.date, unit, (before.as_ref(), &marks), walk)?;
                    self.cut(&alignment, before.as_ref())
                }
            };
            written.extend(cuts.into_iter().map(|rows| PlannedPiece {
                date: dirty.date,
                place: place(),
                row_count: rows.len() as u32,
                of: Origins::Unit { unit: unit.clone(), rows },
            }));
        }
        Ok(())
    }

    /// Makes a piece.
    fn make(&self, piece: &PlannedPiece<Origins>, version: u64, walk: &mut Walk) -> Result<NewPiece> {
        let section = self.section_before(piece.date)?;
        let (changed, before, runs) = match &piece.of {
            Origins::Piece { place, changed } => {
                let unit = Unit { pieces: *place..*place + 1, ranks: 0..0 };
                let runs = vec![Run { origin: Origin::Before, rows: 0..piece.row_count as usize }];
                (*changed, self.part(section.as_ref(), &unit)?, runs)
            }
            Origins::Unit { unit, rows } => {
                let before = self.part(section.as_ref(), unit)?;
                let marks = self.marks_of(piece.date, section.as_ref(), unit);
                let alignment = self.align(piece.date, unit, (before.as_ref(), &marks), walk)?;
                (version, before, within(&alignment.runs, rows.clone()))
            }
        };
        if let Some(before) = &before
            && runs.iter().any(|run| run.origin == Origin::Before)
        {
            // Damage must not be sealed again under a checksum that is right.
            before.section().check()?;
        }
        Ok(NewPiece { changed, body: self.sealer.piece(piece.date, &runs, before.as_ref()) })
    }
}

/// A piece that stays as it is.
struct Kept {
    piece: SnapshotPiece,
    /// Its place in the section before.
    place_before: u32,
}

/// What a piece is made from.
enum Origins {
    /// A piece of the section before, as it is.
    Piece { place: usize, changed: u64 },
    /// These rows of a unit.
    Unit { unit: Unit, rows: Range<usize> },
}
