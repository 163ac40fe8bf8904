//! Segments that are open: each at its first use, with its columns and the records of its chunks.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::catalog::Catalog;
use super::chunks::Chunks;
use super::dictionary::Texts;
use crate::error::Result;
use crate::format::{SEGMENT_DIR, SegmentColumnRecord, SegmentRecord, Table, segment_name};
use crate::segment::{Segment, SegmentColumn};
use crate::storage::Access;

/// A segment and the columns it holds.
#[derive(Debug)]
pub(super) struct OpenSegment {
    pub(super) store_id: [u8; 16],
    pub(super) record: SegmentRecord,
    /// By ascending id.
    pub(super) columns: Vec<SegmentColumn>,
    /// Of each of them what its codes stand for; `None` where it has none, and of one that the version lists no longer.
    pub(super) texts: Vec<Option<Texts>>,
    pub(super) chunks: Chunks,
    pub(super) segment: Segment,
}

impl OpenSegment {
    /// Where the column with this id stands among the segment's.
    #[inline]
    pub(super) fn position(&self, id: u32) -> Option<usize> {
        // Ids mostly follow each other.
        let guess = id.checked_sub(self.columns.first()?.column)? as usize;
        if self.columns.get(guess).is_some_and(|column| column.column == id) {
            return Some(guess);
        }
        self.columns.binary_search_by_key(&id, |column| column.column).ok()
    }
}

/// The segments that one file of tables lists.
#[derive(Debug)]
pub(super) struct Segments {
    slots: Box<[OnceLock<Arc<OpenSegment>>]>,
}

impl Segments {
    /// Those that `tables` lists.
    pub(super) fn of(tables: &Catalog) -> Segments {
        let byte_len = tables.place(Table::Segments).byte_len as usize;
        Segments { slots: (0..byte_len / size_of::<SegmentRecord>()).map(|_| OnceLock::new()).collect() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Segment `index` of the store with this id at `root`, whose `tables` these are, opened at its first use. `column` says
    /// what a column's record means.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub(super) fn get(
        &self,
        index: u32,
        (root, access, store_id): (&Path, Access, [u8; 16]),
        tables: &Catalog,
        column: impl Fn(&SegmentColumnRecord) -> Result<(SegmentColumn, Option<Texts>)>,
    ) -> Result<&Arc<OpenSegment>> {
        let unknown = || tables.structure(format!("a section names unknown segment {index}"));
        let slot = self.slots.get(index as usize).ok_or_else(unknown)?;
        if let Some(open) = slot.get() {
            return Ok(open);
        }
        let record: SegmentRecord = tables.record(Table::Segments, index as usize)?;
        let records: &[SegmentColumnRecord] =
            tables.records(Table::SegmentColumns, record.column_start, record.column_count as usize)?;
        let (columns, texts): (Vec<SegmentColumn>, Vec<Option<Texts>>) =
            records.iter().map(column).collect::<Result<_>>()?;
        if !columns.is_sorted_by(|a, b| a.column < b.column) {
            return Err(tables.structure(format!("the columns of segment {index} are out of order")));
        }
        let path = root.join(SEGMENT_DIR).join(segment_name(record.commit, record.ordinal));
        let segment = Segment::open(&path, record.file_len, access)?;
        let chunks = Chunks::open(root, &record, access)?;
        Ok(slot.get_or_init(|| Arc::new(OpenSegment { store_id, record, columns, texts, chunks, segment })))
    }
}
