//! One stock over time, gathered from all sections that have it.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, DictionaryArray, Int32Array, RecordBatch, StringArray, StringViewArray,
    new_null_array,
};
use arrow_buffer::bit_util::{get_bit, unset_bit};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer};
use arrow_schema::DataType;
use arrow_select::concat::concat;
use arrow_select::filter::filter_record_batch;

use super::answer::Answer;
use super::dictionary::Texts;
use super::piece::RawColumn;
use super::request::{CodeType, DateType, Request};
use super::view::Store;
use crate::codec::by_width;
use crate::error::{Error, Result};
use crate::format::{SEGMENT_DIR, Stored};
use crate::key::Date;
use crate::panel::restore;
use crate::progress::{Observer, Silent};
use crate::segment::{SegmentColumn, stored_array};
use crate::workers::Workers;

impl Store {
    /// All rows of the stock with `code` by ascending date and key, in logical types: code, date, then the panel's
    /// columns. As [`Answer::series`], on the calling thread.
    ///
    /// # Errors
    /// As [`Answer::series`].
    pub fn series(&self, code: &str) -> Result<RecordBatch> {
        self.answer(&Request::default())?.series(code, &Workers::new(Some(1))?, &Silent)
    }
}

impl Answer {
    /// The rows of the stock with `code` by ascending date and key, the dates shared out among `workers`.
    ///
    /// Costs a short search and a row's copy for each date. A checksum covers a column of a whole section; each is
    /// compared once and then remembered by the [`Store`] and its clones, so that the first series reads the columns
    /// asked for on all dates that have the stock, and later ones cost a small part of that.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a code that the store does not have; [`Error::Refused`] where a universe was asked for;
    /// [`Error::Corrupt`] for damage that shows; [`Error::Cancelled`].
    pub fn series(&self, code: &str, workers: &Workers, observer: &dyn Observer) -> Result<RecordBatch> {
        if self.members.is_some() {
            return Err(Error::refused("a universe is of sections, and a series is of one stock", "leave it out"));
        }
        if self.at.is_empty() {
            return self.whole_series(code, workers, observer);
        }
        let batch = self.whole()?.whole_series(code, workers, observer)?;
        let asked = batch.num_columns() - self.at.len();
        let mut rows = BooleanBuffer::new_set(batch.num_rows());
        for (at, column) in self.at.iter().zip(&batch.columns()[asked..]) {
            rows = &rows & &at.rows_of(column)?;
        }
        let failed = || Error::failed("choose rows");
        let batch = batch.project(&(0..asked).collect::<Vec<usize>>()).map_err(failed())?;
        filter_record_batch(&batch, &BooleanArray::new(rows, None)).map_err(failed())
    }

    /// As [`series`](Answer::series), whatever the values of key columns.
    fn whole_series(&self, code: &str, workers: &Workers, observer: &dyn Observer) -> Result<RecordBatch> {
        let version = &self.store.version;
        let stock = self.store.stock(code)?;
        let logical = self.columns.iter().map(|&index| version.panel_type(index)).collect::<Result<Vec<_>>>()?;
        let unknown = || version.catalog.structure("its stock order names unknown stocks");
        let wanted = *version.ranks()?.get(stock.0 as usize).ok_or_else(unknown)?;

        let share = self.places.len().div_ceil(workers.count()).max(1);
        let shares: Vec<&[usize]> = self.places.chunks(share).collect();
        observer.begin("read", "sections", self.places.len() as u64);
        let gathered = workers.try_map(shares.len(), |n| self.gather(wanted, shares[n], observer))?;
        observer.end();
        let (dates, runs): (Vec<Vec<Date>>, Vec<Vec<Run>>) = gathered.into_iter().unzip();
        let (dates, runs) = (dates.concat(), runs.into_iter().flatten());

        let mut arrays = vec![self.repeated_code(code, dates.len())?];
        match self.types.date {
            DateType::Logical => arrays.push(version.schema()?.date_form.array(&dates)?),
            DateType::Day => {
                arrays.push(Arc::new(Date32Array::from_iter_values(dates.iter().map(|date| date.days()))));
            }
            DateType::Omitted => {}
        }
        let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); self.columns.len()];
        for run in runs {
            run.finish(&logical, &version.root.join(SEGMENT_DIR), &mut parts)?;
        }
        for (logical, parts) in logical.into_iter().zip(&parts) {
            arrays.push(match parts.as_slice() {
                [] => new_null_array(logical, 0),
                [whole] => whole.clone(),
                parts => {
                    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                    concat(&parts).map_err(Error::failed("join the parts of a series"))?
                }
            });
        }
        RecordBatch::try_new(self.schema().clone(), arrays)
            .map_err(Error::failed(format!("make a record batch of {code}")))
    }

    /// The one code, so many times.
    fn repeated_code(&self, code: &str, len: usize) -> Result<ArrayRef> {
        let codes: ArrayRef = match self.types.code {
            CodeType::View => Arc::new(std::iter::repeat_n(Some(code), len).collect::<StringViewArray>()),
            CodeType::Dictionary => {
                let keys = Int32Array::from(vec![0; len]);
                let codes = DictionaryArray::try_new(keys, Arc::new(StringArray::from(vec![code])));
                return codes.map(|codes| Arc::new(codes) as ArrayRef).map_err(Error::failed("repeat a code"));
            }
            CodeType::Logical => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(code, len))),
        };
        restore(&codes, self.schema().field(0).data_type())
    }

    /// The rows, on the dates at these places, of the stock at place `wanted` in code order, and the date of each.
    fn gather(&self, wanted: u32, places: &[usize], observer: &dyn Observer) -> Result<(Vec<Date>, Vec<Run>)> {
        let ranks = self.store.ranks()?;
        let mut dates = Vec::new();
        let mut runs: Vec<Run> = Vec::new();
        let mut near = 0;
        // Section by section, not column by column: a row is found once, and the loads of its values, each a miss of
        // the processor's caches, do not wait for one another.
        for &place in places {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            observer.advance(1);
            let section = self.store.section_at(place)?;
            for piece in section.pieces() {
                let piece = piece?;
                piece.check_code_once()?;
                let numbers = piece.raw_stock_numbers()?;
                near = piece.first_row(wanted, numbers, ranks, near)?;
                let first_later = piece.first_row(wanted + 1, numbers, ranks, near)?;
                if first_later <= near {
                    continue;
                }
                dates.extend(std::iter::repeat_n(section.date(), first_later - near));
                let columns = self.columns.iter().map(|&index| {
                    piece.check_column_once(index)?;
                    piece.raw(index)
                });
                let columns = columns.collect::<Result<Vec<Option<RawColumn>>>>()?;
                if !runs.last().is_some_and(|run| run.continues(&columns)) {
                    runs.push(Run::new(&columns));
                }
                if let Some(run) = runs.last_mut() {
                    (near..first_later).for_each(|row| run.push(&columns, row));
                }
            }
        }
        Ok((dates, runs))
    }
}

/// The rows of one stock on neighbouring dates on which all columns are stored alike.
struct Run {
    row_count: usize,
    /// For each column asked for; `None` where it has no value.
    columns: Vec<Option<Gathered>>,
}

/// The values of one column, as they are stored.
struct Gathered {
    column: SegmentColumn,
    texts: Option<Texts>,
    /// Rows of the run that are null.
    nulls: Vec<usize>,
    /// The values, where they are stored as bits.
    bits: Vec<bool>,
    /// The values, where they are not.
    bytes: MutableBuffer,
}

impl Run {
    fn new(columns: &[Option<RawColumn>]) -> Run {
        let gathered = |raw: &RawColumn| {
            let (nulls, bits, bytes) = (Vec::new(), Vec::new(), MutableBuffer::default());
            Gathered { column: raw.column.clone(), texts: raw.texts.cloned(), nulls, bits, bytes }
        };
        Run { row_count: 0, columns: columns.iter().map(|raw| raw.as_ref().map(gathered)).collect() }
    }

    /// Whether rows of these columns can be appended as well.
    fn continues(&self, next: &[Option<RawColumn>]) -> bool {
        let alike = |(own, next): (&Option<Gathered>, &Option<RawColumn>)| match (own, next) {
            (None, None) => true,
            (Some(own), Some(next)) => own.column.stored == next.stored && own.column.logical == *next.logical,
            _ => false,
        };
        self.columns.iter().zip(next).all(alike)
    }

    fn push(&mut self, columns: &[Option<RawColumn>], row: usize) {
        for (column, raw) in self.columns.iter_mut().zip(columns) {
            let (Some(column), Some(raw)) = (column, raw) else { continue };
            if raw.null_count > 0 && raw.validity.is_some_and(|validity| !get_bit(validity, row)) {
                column.nulls.push(self.row_count);
            }
            let from = raw.values;
            // A copy of known length is a load and a store.
            by_width!(
                column.column.stored,
                bits => column.bits.push(get_bit(from, row)),
                Width => copy_value::<{ size_of::<Width>() }>(&mut column.bytes, from, row),
            );
        }
        self.row_count += 1;
    }

    /// Appends the columns to `parts`, each in its logical type. `path` is what damage is reported of.
    fn finish(self, logical: &[&DataType], path: &Path, parts: &mut [Vec<ArrayRef>]) -> Result<()> {
        for ((column, logical), part) in self.columns.into_iter().zip(logical).zip(parts) {
            let Some(Gathered { column, texts, nulls, bits, bytes }) = column else {
                part.push(new_null_array(logical, self.row_count));
                continue;
            };
            let values = match column.stored {
                Stored::Bits => BooleanBuffer::from(bits).into_inner(),
                _ => bytes.into(),
            };
            let validity = (!nulls.is_empty()).then(|| {
                let mut validity = vec![0xff; self.row_count.div_ceil(8)];
                nulls.iter().for_each(|&row| unset_bit(&mut validity, row));
                Buffer::from(validity)
            });
            let texts = texts.as_ref().map(Texts::get).transpose()?;
            let array = stored_array(&column, texts, self.row_count, validity, values)
                .map_err(|damage| Error::Corrupt { path: path.to_owned(), damage })?;
            part.push(restore(&array, logical)?);
        }
        Ok(())
    }
}

fn copy_value<const WIDTH: usize>(to: &mut MutableBuffer, from: &[u8], row: usize) {
    to.extend_from_slice(&from.as_chunks::<WIDTH>().0[row]);
}
