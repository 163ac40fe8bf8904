//! Reads every byte of a store and says what is not as it was written.

use std::collections::HashSet;

use arrow_array::{Array, ArrayRef};
use serde::Serialize;

use super::batch::Batch;
use super::catalog::Catalog;
use super::piece::Piece;
use super::section::Section;
use super::stale::Stale;
use super::version::Home;
use super::view::Store;
use crate::compare::KeyOrder;
use crate::error::{Damage, Error, Result};
use crate::format::{
    BatchRecord, ColumnRecord, DictionaryRecord, NONE, PartRecord, PieceRecord, SectionRecord, SegmentColumnRecord,
    SegmentRecord, StrRef, Table, TypeRecord, checksum,
};
use crate::progress::Observer;
use crate::segment::Segment;
use crate::workers::Workers;

/// What [`Store::verify`] read and found.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The versions checked, ascending.
    pub versions: Vec<u64>,
    /// Sections read.
    pub sections: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of catalogs and segments.
    pub bytes: u64,
    /// Everything that is damaged, one message each.
    pub damages: Vec<String>,
}

/// What was read for one version and need not be read again for another: sections and frames, by all that their check
/// depends on; change files, by their commits.
#[derive(Default)]
struct Seen {
    sections: HashSet<u64>,
    frames: HashSet<u64>,
    changes: HashSet<u64>,
    damages: HashSet<String>,
}

impl VerifyReport {
    /// Adds a damage.
    ///
    /// # Errors
    /// Where the machine is in trouble, or does not let this process look, which says nothing of the store.
    fn add(&mut self, seen: &mut Seen, error: Error) -> Result<()> {
        if error.is_of_machine() || error.is_of_permission() {
            return Err(error);
        }
        self.add_text(seen, message(&error));
        Ok(())
    }

    /// Adds a damage, unless it was told before: many parts may miss the same one.
    fn add_text(&mut self, seen: &mut Seen, text: String) {
        if seen.damages.insert(text.clone()) {
            self.damages.push(text);
        }
    }
}

impl Store {
    /// Compares every checksum of this version, and checks that its parts agree: both doors to the segments, row
    /// counts, the order of codes. Reads every byte that the version uses once.
    ///
    /// # Errors
    /// Only when it cannot go on; damage is in the report.
    pub fn verify(&self, workers: &Workers, observer: &dyn Observer) -> Result<VerifyReport> {
        let (mut report, mut seen) = (VerifyReport::default(), Seen::default());
        self.verify_current(&mut report, &mut seen);
        self.verify_version(&mut report, &mut seen, workers, observer)?;
        Ok(report)
    }

    /// As [`verify`](Store::verify), of every version that the store keeps. What they share is read once.
    ///
    /// # Errors
    /// As [`verify`](Store::verify); also when the live version's history is damaged.
    pub fn verify_all(&self, workers: &Workers, observer: &dyn Observer) -> Result<VerifyReport> {
        let (mut report, mut seen) = (VerifyReport::default(), Seen::default());
        self.verify_current(&mut report, &mut seen);
        // Oldest first: dictionaries grow, so that a code that lies in the oldest lies in all.
        for version in self.kept_versions()? {
            match self.other_version(version) {
                Ok(store) => store.verify_version(&mut report, &mut seen, workers, observer)?,
                // It was collected meanwhile.
                Err(Error::NotFound { .. }) => {}
                Err(damage) => {
                    report.versions.push(version);
                    report.add(&mut seen, damage)?;
                }
            }
        }
        Ok(report)
    }

    /// Whether CURRENT names the version that went live last. Nothing is said where another version went live since this
    /// one was opened.
    fn verify_current(&self, report: &mut VerifyReport, seen: &mut Seen) {
        let stale = Stale::find(self.path(), self.access());
        if let Ok(Some(stale)) = stale {
            report.add_text(seen, format!("{}: {}", self.path().display(), stale.told()));
        }
    }

    fn verify_version(
        &self,
        report: &mut VerifyReport,
        seen: &mut Seen,
        workers: &Workers,
        observer: &dyn Observer,
    ) -> Result<()> {
        self.check_texts(workers.memory(), 0)?;
        report.versions.push(self.version());
        report.bytes += self.version.catalog.byte_len();
        for damage in self.verify_tables() {
            report.add(seen, damage)?;
        }
        // What is wrong with the history itself is told above.
        if let Ok((bytes, damages)) = self.verify_changes(|commit| seen.changes.insert(commit)) {
            report.bytes += bytes;
            damages.into_iter().try_for_each(|damage| report.add(seen, damage))?;
        }
        // Without the dates nothing below can be found; what else is damaged hides no more than what needs it.
        let Ok(dates) = self.dates() else { return Ok(()) };
        let mut fresh = Vec::new();
        for index in 0..dates.len() {
            // What cannot be identified is damaged, and its check says how.
            if self.section_identity(index).is_none_or(|identity| seen.sections.insert(identity)) {
                fresh.push(index);
            }
        }
        observer.begin("verify", "sections", fresh.len() as u64);
        let results = workers.try_map(fresh.len(), |at| {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let result = self.section_at(fresh[at]).map(|section| (section.row_count() as u64, section.verify()));
            observer.advance(1);
            Ok(result.unwrap_or_else(|damage| (0, vec![damage])))
        })?;
        observer.end();
        report.sections += fresh.len() as u64;
        for (rows, damages) in results {
            report.rows += rows;
            damages.into_iter().try_for_each(|damage| report.add(seen, damage))?;
        }
        let Ok(homes) = self.version.homes() else { return Ok(()) };
        for home in homes {
            let (Ok(tables), Ok(count)) = (self.version.home(home), self.version.segment_count(home)) else { continue };
            if home != Home::Keys && seen.frames.insert(tables.header().checksum) {
                report.bytes += tables.byte_len();
            }
            for index in 0..count as u32 {
                match self.verify_frame(home, index, seen) {
                    Ok(len) => report.bytes += len,
                    Err(damage) => report.add(seen, damage)?,
                }
            }
        }
        Ok(())
    }

    /// A checksum of all that the check of a section depends on, besides the bytes of segments and chunk files.
    fn section_identity(&self, index: usize) -> Option<u64> {
        let record: SectionRecord = self.version.catalog.record(Table::Sections, index).ok()?;
        let pieces: &[PieceRecord] =
            self.version.catalog.records(Table::Pieces, record.piece_start, record.piece_count as usize).ok()?;
        let date = *self.dates().ok()?.get(index)?;
        let mut identity = Vec::new();
        // Where a batch or its segment stands in these tables, and since when the rows are what they are, says nothing of
        // the bytes.
        let mut add = |home: Home, batch: &BatchRecord| {
            if batch.segment != NONE {
                let tables = self.version.home(home).ok()?;
                let segment: SegmentRecord = tables.record(Table::Segments, batch.segment as usize).ok()?;
                identity.extend(segment_identity(tables, &segment)?);
            }
            identity.extend(bytemuck::bytes_of(&BatchRecord { segment: 0, ..*batch }));
            Some(())
        };
        for piece in pieces {
            add(Home::Keys, &piece.keys)?;
        }
        for place in 0..self.version.sources().ok()?.len() {
            for PartRecord { values, present, .. } in self.version.parts(place, date).ok()? {
                add(Home::Source(place), values)?;
                add(Home::Source(place), present)?;
            }
        }
        identity.extend(record.row_count.to_le_bytes());
        identity.extend(date.days().to_le_bytes());
        Some(checksum(&identity))
    }

    /// Every table's checksum, and whether the tables fit together.
    fn verify_tables(&self) -> Vec<Error> {
        let mut damages = self.version.catalog.damages();
        let homes = match self.version.homes() {
            Ok(homes) => homes,
            Err(damage) => {
                damages.push(damage);
                return damages;
            }
        };
        for home in homes {
            match self.version.home(home) {
                Ok(_) if home == Home::Keys => {}
                Ok(tables) => damages.extend(tables.damages()),
                Err(damage) => damages.push(damage),
            }
        }
        if damages.is_empty() {
            // Whether whole tables contradict each other.
            let checks: [&dyn Fn() -> Result<()>; 6] = [
                &|| self.files().map(drop),
                &|| self.verify_parts(),
                &|| self.history().map(drop),
                &|| self.verify_dictionaries(),
                &|| self.verify_stocks(),
                &|| self.verify_sections(),
            ];
            damages.extend(checks.into_iter().filter_map(|check| check().err()));
        }
        damages
    }

    /// That each source's parts are of pieces that there are, in order, and as many rows as it counts.
    fn verify_parts(&self) -> Result<()> {
        let mut numbers: Vec<(i32, u32)> = Vec::new();
        let sections: &[SectionRecord] = self.version.catalog.table(Table::Sections)?;
        for (date, section) in self.dates()?.iter().zip(sections) {
            let pieces: &[PieceRecord] =
                self.version.catalog.records(Table::Pieces, section.piece_start, section.piece_count as usize)?;
            let first = numbers.len();
            numbers.extend(pieces.iter().map(|piece| (date.days(), piece.number)));
            numbers[first..].sort_unstable();
        }
        if !numbers.is_sorted_by(|a, b| a < b) {
            return Err(self.version.catalog.structure("two pieces of a date have one number"));
        }
        for place in 0..self.version.sources()?.len() {
            let tables = self.version.tables(place)?;
            let parts = self.version.all_parts(place)?;
            let is_known = |part: &PartRecord| numbers.binary_search(&(part.date, part.piece)).is_ok();
            if !parts.is_sorted_by(|a, b| (a.date, a.piece) < (b.date, b.piece)) || !parts.iter().all(is_known) {
                return Err(tables.structure("its parts are out of order, or of no piece"));
            }
            let rows: u64 = parts.iter().map(|part| u64::from(part.values.row_count)).sum();
            if rows != tables.header().row_count {
                let counted = tables.header().row_count;
                return Err(tables.structure(format!("it counts {counted} rows, its parts have {rows}")));
            }
        }
        Ok(())
    }

    fn verify_dictionaries(&self) -> Result<()> {
        let columns: &[ColumnRecord] = self.version.catalog.table(Table::Columns)?;
        (0..columns.len()).try_for_each(|column| self.dictionary(column).map(drop))
    }

    fn verify_stocks(&self) -> Result<()> {
        let dictionaries: &[DictionaryRecord] = self.version.catalog.table(Table::Dictionaries)?;
        let (stocks, ranks) = (self.stocks()?, self.ranks()?);
        if !stocks.is_sorted_by(|a, b| a < b) || dictionaries.first().map_or(0, |d| d.count as usize) != ranks.len() {
            return Err(self.version.catalog.structure("its stocks are out of order"));
        }
        let order: &[u32] = self.version.catalog.table(Table::StockOrder)?;
        if order.iter().enumerate().any(|(rank, &stock)| ranks.get(stock as usize) != Some(&(rank as u32))) {
            return Err(self.version.catalog.structure("the order and the ranks of its stocks contradict each other"));
        }
        let history = self.history()?;
        let is_known = |changed: &u64| history.binary_search_by_key(changed, |entry| entry.version).is_ok();
        let changes = self.version.stock_changes()?;
        if changes.len() != ranks.len() || !changes.iter().all(is_known) {
            return Err(self.version.catalog.structure("it does not say of each stock when it changed"));
        }
        for place in 0..self.version.sources()?.len() {
            let changes = self.version.of_source(place).stock_changes()?.to_vec();
            if changes.len() > ranks.len() || !changes.iter().all(|changed| *changed == 0 || is_known(changed)) {
                return Err(self.version.tables(place)?.structure("it does not say when its stocks changed"));
            }
        }
        Ok(())
    }

    fn verify_sections(&self) -> Result<()> {
        let sections: &[SectionRecord] = self.version.catalog.table(Table::Sections)?;
        if sections.len() != self.dates()?.len() {
            return Err(self.version.catalog.structure("it does not have one section for each date"));
        }
        let rows = sections.iter().fold(0, |sum: u64, section| sum.saturating_add(section.row_count));
        let pieces: &[PieceRecord] = self.version.catalog.table(Table::Pieces)?;
        let mut next = 0;
        for section in sections {
            if section.piece_start != next {
                return Err(self.version.catalog.structure("its sections do not have its pieces one after the other"));
            }
            next = section.piece_start.saturating_add(section.piece_count.into());
        }
        if next != pieces.len() as u64 {
            return Err(self.version.catalog.structure("it has other pieces than its sections"));
        }
        if rows != self.row_count() {
            let counted = self.row_count();
            return Err(self.version.catalog.structure(format!("it counts {counted} rows, its sections have {rows}")));
        }
        Ok(())
    }

    /// The bytes of a segment outside its sections, and its other door; its length, where it was not seen before.
    fn verify_frame(&self, home: Home, index: u32, seen: &mut Seen) -> Result<u64> {
        let open = self.version.segment(home, index)?;
        let segment: &Segment = &open.segment;
        let listed = segment.footer_bodies()?;
        let is_listed = |batch: &BatchRecord| {
            batch.segment != index || listed.binary_search(&(batch.body_offset, batch.body_len)).is_ok()
        };
        // Sections that later versions replaced stay in the footer.
        let all_are = match home {
            Home::Keys => {
                self.version.catalog.table::<PieceRecord>(Table::Pieces)?.iter().all(|piece| is_listed(&piece.keys))
            }
            Home::Source(place) => {
                let parts = self.version.all_parts(place)?;
                parts.iter().all(|part| is_listed(&part.values) && is_listed(&part.present))
            }
        };
        if !all_are {
            return Err(Error::structure(segment.path(), "its Arrow footer and the catalog name other sections"));
        }
        let identity = segment_identity(self.version.home(home)?, &open.record).map(|identity| checksum(&identity));
        if identity.is_some_and(|identity| !seen.frames.insert(identity)) {
            return Ok(0);
        }
        if segment.frame_checksum(&listed)? != open.record.frame_checksum {
            return Err(Error::Corrupt {
                path: segment.path().to_owned(),
                damage: Damage::Checksum { what: "schema, dictionaries, batch headers and footer".to_owned() },
            });
        }
        Ok(segment.byte_len())
    }
}

impl Section {
    /// Every chunk's checksum and the order of the rows; all that is wrong.
    fn verify(&self) -> Vec<Error> {
        let mut damages = Vec::new();
        // One piece is held at a time.
        for part in self.parts() {
            let before = damages.len();
            match part.only_piece() {
                Ok(Some(piece)) => {
                    match piece.batches() {
                        Ok(batches) => damages.extend(batches.into_iter().flat_map(Batch::damages)),
                        Err(damage) => damages.push(damage),
                    }
                    if damages.len() == before {
                        damages.extend(part.verify_keys(piece).err());
                    }
                }
                Ok(None) => {}
                Err(damage) => damages.push(damage),
            }
        }
        if damages.is_empty() {
            damages.extend(self.verify_borders().err());
        }
        damages
    }

    /// The order of the last row of each piece and the first of the next.
    fn verify_borders(&self) -> Result<()> {
        let panel = self.version().schema()?;
        let mut start = 0;
        let counts: Vec<usize> = self.row_counts().collect();
        let ends = self.ends(self.version().ranks()?)?;
        for (place, count) in counts.iter().enumerate().skip(1) {
            start += counts[place - 1];
            let row = |row: usize| {
                let column = |&index: &usize| self.column_as(index, &panel.columns[index].data_type, row..row + 1);
                panel.key.iter().map(column).collect::<Result<Vec<ArrayRef>>>()
            };
            debug_assert!(*count > 0, "a piece has a row");
            let order = KeyOrder::new(&row(start - 1)?, &row(start)?)?;
            if !ends[place - 1].1.cmp(&ends[place].0).then_with(|| order.compare(0, 0)).is_lt() {
                return Err(self.out_of_order());
            }
        }
        Ok(())
    }

    /// The order of the rows of a section of one piece by their keys, and the date in every row.
    fn verify_keys(&self, piece: &Piece) -> Result<()> {
        let wrong = |why: String| Err(self.damaged(Damage::Structure(why)));
        let (codes, key) = (self.codes()?, self.key_columns()?);
        let order = KeyOrder::new(&key, &key)?;
        let is_before = |row: usize| codes[row - 1].cmp(codes[row]).then_with(|| order.compare(row - 1, row)).is_lt();
        if !(1..codes.len()).all(is_before) {
            return Err(self.out_of_order());
        }
        if key.iter().any(|column| column.null_count() > 0) {
            return wrong(format!("a key column of {} has nulls", self.date()));
        }
        let dates = piece.days()?;
        let days = arrow_array::cast::AsArray::as_primitive_opt::<arrow_array::types::Date32Type>(&dates);
        let right = |days: &arrow_array::Date32Array| days.values().iter().all(|&day| day == self.date().days());
        if !days.is_some_and(right) || dates.null_count() > 0 {
            return wrong(format!("rows of {} carry another date", self.date()));
        }
        Ok(())
    }
}

/// The records of a segment and its columns.
fn segment_identity(tables: &Catalog, segment: &SegmentRecord) -> Option<Vec<u8>> {
    let columns: &[SegmentColumnRecord] =
        tables.records(Table::SegmentColumns, segment.column_start, segment.column_count as usize).ok()?;
    let mut identity = bytemuck::bytes_of(&SegmentRecord { column_start: 0, ..*segment }).to_vec();
    for column in columns {
        // The zone's name, and not where it lies among these strings.
        let zone = tables.string(column.logical.zone).ok()?;
        let nowhere = StrRef { offset: 0, byte_len: 0 };
        let logical = TypeRecord { zone: nowhere, ..column.logical };
        identity.extend(bytemuck::bytes_of(&SegmentColumnRecord { logical, ..*column }));
        identity.extend(zone.as_bytes());
    }
    Some(identity)
}

/// An error with its causes, in one line.
fn message(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
