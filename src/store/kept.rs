//! What a later version keeps of an open one.

use super::snapshot::{SnapshotPiece, SnapshotSegment};
use super::view::Store;
use crate::error::Result;
use crate::format::{PieceRecord, SectionRecord, SegmentColumnRecord, SegmentRecord, Stored, Table};

impl Store {
    /// The segments of this version, as a later one keeps them.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(crate) fn snapshot_segments(&self) -> Result<Vec<SnapshotSegment>> {
        let segments: &[SegmentRecord] = self.version.catalog.table(Table::Segments)?;
        let column = |record: &SegmentColumnRecord| {
            let unknown = || self.version.catalog.structure(format!("stored type {} is unknown", record.stored));
            let stored = Stored::from_number(record.stored).ok_or_else(unknown)?;
            Ok((record.column, stored, self.version.logical_type(&record.logical, &record.column.to_string())?))
        };
        let segment = |record: &SegmentRecord| {
            let columns = self.version.catalog.records(
                Table::SegmentColumns,
                record.column_start,
                record.column_count as usize,
            )?;
            let columns = columns.iter().map(column).collect::<Result<_>>()?;
            Ok(SnapshotSegment { record: *record, columns, temporary: None })
        };
        segments.iter().map(segment).collect()
    }

    /// The pieces of this version's sections, as a later one keeps them, in the order of their rows.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(crate) fn snapshot_pieces(&self) -> Result<Vec<SnapshotPiece>> {
        let sections: &[SectionRecord] = self.version.catalog.table(Table::Sections)?;
        let dates = self.dates()?;
        let unfit = || self.version.catalog.structure("its sections do not fit its dates and segments");
        if sections.len() != dates.len() {
            return Err(unfit());
        }
        let mut pieces = Vec::with_capacity(sections.len());
        for (&date, section) in dates.iter().zip(sections) {
            let records: &[PieceRecord] =
                self.version.catalog.records(Table::Pieces, section.piece_start, section.piece_count as usize)?;
            if records.iter().any(|record| record.segment as usize >= self.version.segment_count()) {
                return Err(unfit());
            }
            let piece = |(place, &record): (usize, &PieceRecord)| SnapshotPiece {
                date,
                place: place as u32,
                changed: section.changed,
                record,
            };
            pieces.extend(records.iter().enumerate().map(piece));
        }
        Ok(pieces)
    }
}
