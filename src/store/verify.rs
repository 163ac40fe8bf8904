//! Reads every byte of a store and says what is not as it was written.

use serde::Serialize;

use super::{Section, Store};
use crate::error::{Damage, Error, Result};
use crate::format::{ColumnRecord, DictionaryRecord, SectionRecord, SourceRecord, Table};
use crate::progress::Observer;
use crate::segment::Segment;
use crate::workers::Workers;

/// What [`Store::verify`] read and found.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Sections read.
    pub sections: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of catalog and segments.
    pub bytes: u64,
    /// Everything that is damaged, one message each.
    pub damages: Vec<String>,
}

impl Store {
    /// Compares every checksum of this version, and checks that its parts agree: both doors to the segments, row
    /// counts, the order of codes. Reads every byte of the store once.
    ///
    /// # Errors
    /// Only when it cannot go on; damage is in the report.
    pub fn verify(&self, workers: &Workers, observer: &dyn Observer) -> Result<VerifyReport> {
        let mut report = VerifyReport { bytes: self.catalog.byte_len(), ..VerifyReport::default() };
        if let Err(damage) = self.verify_tables() {
            // Nothing below can be found without the tables.
            report.damages.push(message(&damage));
            return Ok(report);
        }
        let dates = self.dates()?;
        observer.begin("verify", "sections", dates.len() as u64);
        let results = workers.try_map(dates.len(), |index| {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let result = self.section_at(index).and_then(|section| section.verify());
            observer.advance(1);
            match result {
                Ok(rows) => Ok((rows, Vec::new())),
                Err(Error::Cancelled) => Err(Error::Cancelled),
                Err(damage) => Ok((0, vec![message(&damage)])),
            }
        })?;
        observer.end();
        report.sections = dates.len() as u64;
        for (rows, damages) in results {
            report.rows += rows;
            report.damages.extend(damages);
        }
        for index in 0..self.segment_count() as u32 {
            match self.verify_frame(index) {
                Ok(len) => report.bytes += len,
                Err(damage) => report.damages.push(message(&damage)),
            }
        }
        if report.damages.is_empty() && report.rows != self.row_count() {
            report.damages.push(format!(
                "{}: it counts {} rows, its sections have {}",
                self.catalog.path().display(),
                self.row_count(),
                report.rows
            ));
        }
        report.damages.dedup();
        Ok(report)
    }

    /// Every table's checksum, and whether the tables fit together.
    fn verify_tables(&self) -> Result<()> {
        let wrong = |why: &str| Err(self.catalog.structure(why));
        if !self.catalog.padding_is_zero() {
            return wrong("the bytes between its tables are not zero");
        }
        self.catalog.table::<u8>(Table::Settings)?;
        self.catalog.table::<u8>(Table::Strings)?;
        for source in self.catalog.table::<SourceRecord>(Table::Sources)? {
            self.catalog.string(source.path)?;
            self.catalog.string(source.reason)?;
        }
        self.history()?;
        let columns: &[ColumnRecord] = self.catalog.table(Table::Columns)?;
        let dictionaries: &[DictionaryRecord] = self.catalog.table(Table::Dictionaries)?;
        self.catalog.table::<i32>(Table::DictionaryOffsets)?;
        self.catalog.table::<u8>(Table::DictionaryBytes)?;
        for column in 0..columns.len() {
            self.dictionary(column)?;
        }
        let stocks = self.stocks()?;
        let ranks = self.ranks()?;
        if !stocks.is_sorted_by(|a, b| a < b) || dictionaries.first().map_or(0, |d| d.count as usize) != ranks.len() {
            return wrong("its stocks are out of order");
        }
        let order: &[u32] = self.catalog.table(Table::StockOrder)?;
        if order.iter().enumerate().any(|(rank, &stock)| ranks.get(stock as usize) != Some(&(rank as u32))) {
            return wrong("the order and the ranks of its stocks contradict each other");
        }
        let sections: &[SectionRecord] = self.catalog.table(Table::Sections)?;
        if sections.len() != self.dates()?.len() {
            return wrong("it does not have one section for each date");
        }
        Ok(())
    }

    /// The bytes of a segment outside its sections, and its other door.
    fn verify_frame(&self, index: u32) -> Result<u64> {
        let open = self.segment(index)?;
        let segment: &Segment = &open.segment;
        let sections: &[SectionRecord] = self.catalog.table(Table::Sections)?;
        let mut bodies = sections.iter().filter(|record| record.segment == index);
        let listed = segment.footer_bodies()?;
        // Sections that later versions replaced stay in the footer.
        if !bodies.all(|record| listed.binary_search(&(record.body_offset, record.body_len)).is_ok()) {
            return Err(Error::structure(segment.path(), "its Arrow footer and the catalog name other sections"));
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

impl Section<'_> {
    /// Every chunk's checksum and the order of the rows; the number of rows.
    fn verify(&self) -> Result<u64> {
        let wrong = |why: String| Err(self.damaged(Damage::Structure(why)));
        for position in 0..self.segment().columns.len() {
            self.chunk(position)?;
        }
        if !self.codes()?.is_sorted_by(|a, b| a < b) {
            return wrong(format!("the codes of {} are out of order", self.date()));
        }
        let dates = self.chunk(1)?;
        let days = arrow_array::cast::AsArray::as_primitive_opt::<arrow_array::types::Date32Type>(&dates);
        let right = |days: &arrow_array::Date32Array| days.values().iter().all(|&day| day == self.date().days());
        if !days.is_some_and(right) || self.null_count(0) + self.null_count(1) != 0 {
            return wrong(format!("rows of {} carry another date", self.date()));
        }
        Ok(self.row_count() as u64)
    }
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
