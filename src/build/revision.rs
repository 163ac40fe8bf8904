//! A panel that changes: what was read again beside the version before, and the version that comes of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};

use super::align::{Alignment, Reread, Rule};
use super::appended::{Appended, Marks};
use super::changes::Changes;
use super::merge::merged;
use super::plan;
use super::rows::{Before, Origin, Piece, Walk};
use super::seal::Sealer;
use super::stages::{NewSection, Stages};
use super::update_report::UpdateReport;
use crate::error::{Error, Result};
use crate::key::Date;
use crate::store::{Snapshot, SnapshotSection, Store, StoreWriter};

/// What was read again, beside the version before.
pub(super) struct Revision<'a> {
    pub(super) sealer: Sealer<'a>,
    pub(super) before: &'a Store,
    /// The stocks that were read again or are to go, by code.
    reread: Vec<Reread>,
    /// Place of each stock in code order, by stock number.
    ranks: Vec<u32>,
    /// The dates on which a row was read again or may be gone, ascending.
    pub(super) dates: Vec<Date>,
    /// The rows of the version before that were appended.
    appended: &'a Appended,
    /// Whose rows were read again.
    pub(super) given: Given,
    /// Code of each stock, by stock number.
    codes: ArrayRef,
}

/// Whose rows were read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// Those of the stocks' files.
    ByStock,
    /// Those of whole dates, which this version appends.
    ByDate {
        version: u64,
        /// Whether rows that were not given go.
        replaces: bool,
    },
}

impl<'a> Revision<'a> {
    /// A revision of the stocks whose codes have a rule in `reread` on `dates`, in any order; what is not among the
    /// rows of `sealer` was not read.
    pub(super) fn new(
        sealer: Sealer<'a>,
        (before, appended): (&'a Store, &'a Appended),
        snapshot: &Snapshot,
        given: Given,
        reread: &HashMap<&str, Rule>,
        mut dates: Vec<Date>,
    ) -> Revision<'a> {
        let (order, ranks) = snapshot.stock_order();
        let codes = snapshot.dictionaries[0].as_string::<i32>();
        let reread = order.into_iter().filter_map(|stock| {
            let rule = *reread.get(codes.value(stock as usize))?;
            Some(Reread { stock, rank: ranks[stock as usize], rule })
        });
        let reread = reread.collect();
        dates.sort_unstable();
        dates.dedup();
        let codes = Arc::clone(&snapshot.dictionaries[0]);
        Revision { sealer, before, reread, ranks, dates, appended, given, codes }
    }

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
                _ => (writer.version(), self.align(date, section.as_ref(), walk).pieces),
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

    /// The section of `date` in the version before, if there is one.
    pub(super) fn section_before(&self, date: Date) -> Result<Option<Before<'a>>> {
        let Ok(index) = self.before.dates()?.binary_search(&date) else { return Ok(None) };
        Before::new(self.before.read_section_at(index)?, &self.sealer.columns).map(Some)
    }

    /// How the section of `date` follows from the one before. The walk must not have passed the date.
    pub(super) fn align(&self, date: Date, before: Option<&Before>, walk: &mut Walk) -> Alignment {
        let pieces = walk.pieces(date);
        let blocks = pieces.iter().filter_map(|piece| match piece.origin {
            Origin::Block(block) => Some((piece, block)),
            Origin::Before => None,
        });
        let rows = blocks.flat_map(|(piece, block)| {
            let stocks = self.sealer.gathering.stocks(block, piece.rows.clone());
            stocks.zip(piece.rows.clone()).map(move |(stock, row)| (stock, block, row))
        });
        let stocks = before.map_or(&[][..], Before::stock_numbers);
        Alignment::new(&self.reread, stocks, &self.marks(date, before), rows, &self.ranks)
    }

    /// The code of a stock.
    pub(super) fn code(&self, stock: u32) -> &str {
        let codes = self.codes.as_string::<i32>();
        if (stock as usize) < codes.len() { codes.value(stock as usize) } else { "" }
    }

    /// Which rows of the section before were appended.
    pub(super) fn marks(&self, date: Date, before: Option<&Before>) -> Marks {
        self.appended.marks(date, before.map_or(0, |before| before.stock_numbers().len()))
    }
}
