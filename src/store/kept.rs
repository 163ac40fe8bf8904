//! What a later version keeps of an open one.

use super::snapshot::{SnapshotSection, SnapshotSegment};
use super::view::Store;
use crate::error::Result;
use crate::format::{SectionRecord, SegmentColumnRecord, SegmentRecord, Stored, Table};

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

    /// The sections of this version, as a later one keeps them.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(crate) fn snapshot_sections(&self) -> Result<Vec<SnapshotSection>> {
        let records: &[SectionRecord] = self.version.catalog.table(Table::Sections)?;
        let dates = self.dates()?;
        if records.len() != dates.len()
            || records.iter().any(|record| record.segment as usize >= self.version.segment_count())
        {
            return Err(self.version.catalog.structure("its sections do not fit its dates and segments"));
        }
        Ok(dates.iter().zip(records).map(|(&date, &record)| SnapshotSection { date, record }).collect())
    }
}
