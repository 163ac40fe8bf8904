//! One stock over time, gathered from all sections that have it.

use std::ops::Range;

use arrow_array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow_buffer::bit_util::{get_bit, set_bit};
use arrow_schema::Schema;
use arrow_select::concat::concat;

use super::view::OpenSegment;
use super::{Section, Store};
use crate::error::{Damage, Error, Result};
use crate::format::Stored;
use crate::key::{Date, StockId};
use crate::panel::restore;
use crate::segment::{SectionBody, chunk_array};

/// The rows of one stock that lie in one segment.
struct Run<'a> {
    open: &'a OpenSegment,
    rows: Vec<(Section<'a>, usize)>,
}

impl Store {
    /// All rows of the stock with `code` by ascending date, in logical types: code, date, then the panel's columns.
    ///
    /// Costs a binary search and a row's copy for each date, without comparing checksums: a column's checksum covers
    /// the whole section, and reading all of the store for one stock is not what a look-up should do. Use
    /// [`verify`](Store::verify) to check a store.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a code that the store does not have; [`Error::Corrupt`] for damage that shows.
    pub fn series(&self, code: &str) -> Result<RecordBatch> {
        let all: Vec<usize> = (0..self.schema()?.columns.len()).collect();
        self.series_of(code, &all)
    }

    /// As [`series`](Store::series), with only the panel columns at `columns` after code and date.
    ///
    /// # Errors
    /// As [`series`](Store::series); also when the panel has no such column.
    pub fn series_of(&self, code: &str, columns: &[usize]) -> Result<RecordBatch> {
        let stock = self.stock(code)?;
        let panel = self.schema()?;
        let (dates, runs) = self.find(stock)?;

        let schema = panel.arrow();
        let mut fields = vec![schema.field(0).clone(), schema.field(1).clone()];
        let codes: ArrayRef =
            std::sync::Arc::new(arrow_array::StringArray::from_iter_values(std::iter::repeat_n(code, dates.len())));
        let mut arrays = vec![restore(&codes, &panel.code.data_type)?, panel.date_form.arrays(&dates)?];
        for &index in columns {
            let logical = self.panel_type(index)?;
            let parts = runs
                .iter()
                .map(|run| match run.open.position(index) {
                    Some(position) => restore(&run.gather(position)?, logical),
                    None => Ok(new_null_array(logical, run.rows.len())),
                })
                .collect::<Result<Vec<ArrayRef>>>()?;
            let parts: Vec<&dyn arrow_array::Array> = parts.iter().map(AsRef::as_ref).collect();
            arrays.push(match parts.as_slice() {
                [] => new_null_array(logical, 0),
                parts => concat(parts).map_err(Error::arrow("join the parts of a series"))?,
            });
            fields.push(schema.field(index + 2).clone());
        }
        RecordBatch::try_new(std::sync::Arc::new(Schema::new(fields)), arrays)
            .map_err(Error::arrow(format!("make a record batch of {code}")))
    }

    /// The dates on which `stock` has a row, and where the rows are.
    fn find(&self, stock: StockId) -> Result<(Vec<Date>, Vec<Run<'_>>)> {
        let ranks = self.ranks()?;
        let unknown = || self.catalog.structure("a section names unknown stocks");
        let wanted = *ranks.get(stock.0 as usize).ok_or_else(unknown)?;
        let mut dates = Vec::new();
        let mut runs: Vec<Run<'_>> = Vec::new();
        for (index, &date) in self.dates()?.iter().enumerate() {
            let section = self.section_at(index)?;
            let Some(row) = section.find(wanted, ranks)? else { continue };
            dates.push(date);
            match runs.last_mut() {
                Some(run) if std::ptr::eq(run.open, section.segment()) => run.rows.push((section, row)),
                _ => runs.push(Run { open: section.segment(), rows: vec![(section, row)] }),
            }
        }
        Ok((dates, runs))
    }
}

impl<'a> Section<'a> {
    /// The row of the stock whose place in code order is `wanted`.
    fn find(&self, wanted: u32, ranks: &[u32]) -> Result<Option<usize>> {
        let rows = self.rows_between_ranks(wanted..wanted + 1, ranks)?;
        Ok((!rows.is_empty()).then_some(rows.start))
    }

    /// The rows of the stocks whose places in code order lie in `wanted`. Does not compare the checksum.
    pub(crate) fn rows_between(&self, wanted: Range<u32>) -> Result<Range<usize>> {
        self.rows_between_ranks(wanted, self.store().ranks()?)
    }

    fn rows_between_ranks(&self, wanted: Range<u32>, ranks: &[u32]) -> Result<Range<usize>> {
        let codes = self.stock_numbers();
        let first = |rank: u32| -> Result<usize> {
            let (mut low, mut high) = (0, codes.len());
            while low < high {
                let middle = low + (high - low) / 2;
                let found = *ranks.get(codes[middle] as usize).ok_or_else(|| self.unknown_stocks())?;
                if found < rank { low = middle + 1 } else { high = middle }
            }
            Ok(low)
        };
        let start = first(wanted.start)?;
        // A damaged section may be out of order.
        Ok(start..first(wanted.end)?.max(start))
    }

    /// The codes of these rows, without comparing the checksum.
    pub(crate) fn codes_at(&self, rows: Range<usize>) -> Result<Vec<&'a str>> {
        let codes = &self.stock_numbers()[rows];
        let names = self.store().codes()?;
        let code = |&code: &u32| ((code as usize) < names.len()).then(|| names.value(code as usize));
        codes.iter().map(code).collect::<Option<_>>().ok_or_else(|| self.unknown_stocks())
    }

    /// The rows' stock numbers, without comparing the checksum.
    pub(crate) fn stock_numbers(&self) -> &[u32] {
        // A segment's buffers are aligned, and so is a section's place in it.
        bytemuck::cast_slice(&self.chunk_bytes(0)[self.layout(0).values])
    }

    fn unknown_stocks(&self) -> Error {
        self.damaged(Damage::Structure(format!("the section of {} names unknown stocks", self.date())))
    }
}

impl Run<'_> {
    /// The values of the segment's `position`-th column in the run's rows, in the stored type.
    fn gather(&self, position: usize) -> Result<ArrayRef> {
        let column = &self.open.columns[position];
        let row_count = self.rows.len() as u32;
        // Validity is gathered first: how many nulls there are decides the layout.
        let mut valid = vec![0u8; self.rows.len().div_ceil(8)];
        let mut null_count = 0;
        for (to, (section, row)) in self.rows.iter().enumerate() {
            let is_valid = match section.layout(position).validity {
                None => true,
                Some(validity) => get_bit(&section.chunk_bytes(position)[validity], *row),
            };
            if is_valid { set_bit(&mut valid, to) } else { null_count += 1 }
        }
        let mut body = SectionBody::new(row_count, std::iter::once((column.stored, null_count)));
        if let Some(validity) = body.validity_mut(0) {
            validity.copy_from_slice(&valid);
        }
        let values = body.values_mut(0);
        for (to, (section, row)) in self.rows.iter().enumerate() {
            let from = &section.chunk_bytes(position)[section.layout(position).values];
            if column.stored == Stored::Bits {
                if get_bit(from, *row) {
                    set_bit(values, to);
                }
            } else {
                let width = column.stored.byte_len(1) as usize;
                values[to * width..(to + 1) * width].copy_from_slice(&from[row * width..(row + 1) * width]);
            }
        }
        let (chunk, null_count) = body.into_chunks().remove(0);
        chunk_array(column, row_count, null_count, &chunk)
            .map_err(|damage| Error::Corrupt { path: self.open.segment.path().to_owned(), damage })
    }
}
