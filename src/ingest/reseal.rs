//! The second half of an update: seals the sections that differ beside those that stay, and publishes the version.

use std::collections::HashSet;

use super::changes::Changes;
use super::merge::merged;
use super::plan;
use super::revision::Revision;
use super::stages::{NewSection, Stages};
use super::update_report::UpdateReport;
use crate::compare::{Origin, Piece};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::shuffle::Walk;
use crate::store::{Snapshot, SnapshotSection, StoreWriter};

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

    /// Writes the sections that differ, with those of small segments that are merged, and adds them to `snapshot`
    /// beside what stays as it is.
    fn seal(&self, stages: &Stages, writer: &StoreWriter, changes: &Changes, snapshot: &mut Snapshot) -> Result<()> {
        let (before, columns) = (self.before, &self.sealer.columns);
        let segments = before.snapshot_segments()?;
        let dirty: HashSet<Date> = changes.dirty.iter().map(|dirty| dirty.date).collect();
        let mut kept: Vec<SnapshotSection> = before.snapshot_sections()?;
        kept.retain(|section| !dirty.contains(&section.date));
        let mut live_lens = vec![0; segments.len()];
        for section in &kept {
            live_lens[section.record.segment as usize] += section.record.body_len;
        }
        let mut written: Vec<(Date, u32)> = changes.dirty.iter().map(|dirty| (dirty.date, dirty.row_count)).collect();
        written.retain(|&(_, row_count)| row_count > 0);
        if !written.is_empty() {
            let rows: u64 = written.iter().map(|&(_, rows)| u64::from(rows)).sum();
            let merged: HashSet<usize> =
                merged(&live_lens, rows * plan::bits_per_row(columns) / 8).into_iter().collect();
            kept.retain(|section| {
                let stays = !merged.contains(&(section.record.segment as usize));
                if !stays {
                    written.push((section.date, section.record.row_count));
                }
                stays
            });
            written.sort_unstable_by_key(|&(date, _)| date);
        }

        let gathering = &self.sealer.gathering;
        let section = |walk: &mut Walk, date| {
            let section = self.section_before(date)?;
            let (changed, pieces) = match &section {
                Some(section) if !dirty.contains(&date) => {
                    let section = section.section();
                    (section.changed(), vec![Piece { origin: Origin::Before, rows: 0..section.row_count() }])
                }
                _ => (writer.version(), self.align(date, section.as_ref(), walk)?.pieces),
            };
            if let Some(section) = &section
                && pieces.iter().any(|piece| piece.origin == Origin::Before)
            {
                // Damage must not be sealed again under a checksum that is right.
                section.section().check()?;
            }
            let (row_count, body) = self.sealer.section(date, &pieces, section.as_ref());
            Ok(NewSection { changed, row_count, body })
        };
        let sealed = stages.synced(|syncs| stages.seal(writer, columns, gathering, &written, syncs, section))?;
        snapshot.add_kept(segments, &kept);
        sealed.into_iter().for_each(|segment| snapshot.add_sealed(segment));
        Ok(())
    }
}
