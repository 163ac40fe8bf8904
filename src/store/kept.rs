//! What a later version keeps of an open one.

use arrow_array::ArrayRef;

use super::chunks::ChunkFile;
use super::snapshot::{
    SegmentList, Snapshot, SnapshotColumn, SnapshotPiece, SnapshotSegment, SnapshotSource, SnapshotTables,
    SourceContents, StockChanges,
};
use super::version::{Home, SourceTables, logical_type};
use super::view::Store;
use crate::error::Result;
use crate::format::{
    ColumnRecord, NONE, PartRecord, PieceRecord, SectionRecord, SegmentColumnRecord, SegmentRecord, Stored, Table,
};
use crate::key::Date;

impl Store {
    /// The same version once more, for a writer whose next one it is, by `commit`: without settings and history.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(crate) fn snapshot(&self, version: u64, commit: u64) -> Result<Snapshot> {
        let (columns, dictionaries) = self.snapshot_columns()?;
        let (next_column, next_source) = self.next_ids();
        let mut snapshot = Snapshot {
            version,
            commit,
            store_id: self.id().to_le_bytes(),
            keep: self.kept(),
            settings: String::new(),
            columns,
            date_spelling: self.schema()?.date_form.spelling.clone(),
            dictionaries,
            key_segments: SegmentList::default(),
            pieces: self.snapshot_pieces()?,
            sources: self.snapshot_sources()?,
            stock_changes: self.stock_changes()?,
            chunks: ChunkFile::new(commit),
            history: Vec::new(),
            changes: None,
            next_column,
            next_source,
        };
        let keys = snapshot.pieces.iter_mut().map(|piece| &mut piece.record.keys);
        snapshot.key_segments.keep(self.snapshot_segments(None)?, keys);
        Ok(snapshot)
    }

    /// The segments of the source at `place`, or those that hold keys alone, as a later version keeps them.
    ///
    /// # Errors
    /// When the tables are damaged.
    pub(crate) fn snapshot_segments(&self, source: Option<usize>) -> Result<Vec<SnapshotSegment>> {
        let tables = self.version.home(source.map_or(Home::Keys, Home::Source))?;
        let segments: &[SegmentRecord] = tables.table(Table::Segments)?;
        let column = |record: &SegmentColumnRecord| {
            let unknown = || tables.structure(format!("stored type {} is unknown", record.stored));
            let stored = Stored::from_number(record.stored).ok_or_else(unknown)?;
            Ok((record.column, stored, logical_type(tables, &record.logical, &record.column.to_string())?))
        };
        let segment = |record: &SegmentRecord| {
            let columns = tables.records(Table::SegmentColumns, record.column_start, record.column_count as usize)?;
            let columns = columns.iter().map(column).collect::<Result<_>>()?;
            Ok(SnapshotSegment { record: *record, columns, temporary: None })
        };
        segments.iter().map(segment).collect()
    }

    /// The parts of the source at `place`, as a later version keeps them, by date and piece; none of one that is new.
    ///
    /// # Errors
    /// When the tables are damaged.
    pub(crate) fn snapshot_parts(&self, source: usize) -> Result<Vec<PartRecord>> {
        Ok(self.version.all_parts(source)?.to_vec())
    }

    /// When rows of each stock last changed, as a later version keeps that: those of the panel, or of the source that
    /// sees it; none of a source that is new.
    ///
    /// # Errors
    /// When the tables are damaged.
    pub(crate) fn stock_changes(&self) -> Result<StockChanges> {
        self.version.stock_changes().map(StockChanges::new)
    }

    /// The parts that the source at `place` has of a date.
    ///
    /// # Errors
    /// When the tables are damaged.
    pub(crate) fn parts_of(&self, source: usize, date: Date) -> Result<&[PartRecord]> {
        self.version.parts(source, date)
    }

    /// All tables of the source at `place`, to be written again with other parts.
    ///
    /// # Errors
    /// When they are damaged.
    pub(crate) fn snapshot_contents(&self, source: usize) -> Result<SourceContents> {
        let own = self.of_source(source);
        let mut contents = SourceContents {
            settings: own.settings()?,
            segments: SegmentList::default(),
            files: own.files()?,
            parts: self.snapshot_parts(source)?,
            stock_changes: own.stock_changes()?,
        };
        let batches = contents.parts.iter_mut().flat_map(|part| [&mut part.values, &mut part.present]);
        contents.segments.keep(self.snapshot_segments(Some(source))?, batches);
        Ok(contents)
    }

    /// The columns, code and date first, as a later version keeps them, and their dictionaries.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(crate) fn snapshot_columns(&self) -> Result<(Vec<SnapshotColumn>, Vec<ArrayRef>)> {
        let catalog = &self.version.catalog;
        let column = |record: &ColumnRecord| {
            let name = catalog.string(record.name)?.to_owned();
            Ok(SnapshotColumn {
                id: record.id,
                logical: logical_type(catalog, &record.logical, &name)?,
                name,
                dictionary: (record.dictionary != NONE).then_some(record.dictionary),
                key: record.key,
                source: record.source,
            })
        };
        let columns = catalog.table::<ColumnRecord>(Table::Columns)?.iter().map(column).collect::<Result<_>>()?;
        let all = self.version.dictionaries();
        let dictionaries = (0..all.len() as u32).map(|number| all.get(number).cloned()).collect::<Result<_>>()?;
        Ok((columns, dictionaries))
    }

    /// For each column that is seen, code and date left out, its place among those of the whole store.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(crate) fn column_places(&self) -> Result<&[usize]> {
        self.version.places()
    }

    /// The sources, as a later version keeps them.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(crate) fn snapshot_sources(&self) -> Result<Vec<SnapshotSource>> {
        let source = |source: &SourceTables| SnapshotSource {
            id: source.record.id,
            name: source.name.clone(),
            tables: SnapshotTables::Kept(source.record),
        };
        Ok(self.version.sources()?.iter().map(source).collect())
    }

    /// The pieces of this version's sections, as a later one keeps them, in the order of their rows.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(crate) fn snapshot_pieces(&self) -> Result<Vec<SnapshotPiece>> {
        let sections: &[SectionRecord] = self.version.catalog.table(Table::Sections)?;
        let dates = self.version.catalog.table::<i32>(Table::Dates)?;
        let unfit = || self.version.catalog.structure("its sections do not fit its dates");
        if sections.len() != dates.len() {
            return Err(unfit());
        }
        let mut pieces = Vec::with_capacity(sections.len());
        for (&days, section) in dates.iter().zip(sections) {
            let date = Date::from_days(days).ok_or_else(unfit)?;
            let records: &[PieceRecord] =
                self.version.catalog.records(Table::Pieces, section.piece_start, section.piece_count as usize)?;
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
