//! One stock over time, gathered from all sections that have it.

use std::ops::Range;
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
use super::section::Section;
use super::view::Store;
use crate::codec::by_width;
use crate::error::{Error, Result};
use crate::format::{SEGMENT_DIR, Stored};
use crate::key::Date;
use crate::panel::restore;
use crate::progress::{Observer, Silent};
use crate::segment::{SegmentColumn, stored_array};
use crate::storage::Access;
use crate::workers::Workers;

/// Dates whose values are taken together, one column after the other: so a few instructions run for each, and the loads of
/// many, each a miss of the processor's caches, do not wait for one another.
const DATES: usize = 16;

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
        let (dates, shares): (Vec<Vec<Date>>, Vec<Vec<Vec<Run>>>) = gathered.into_iter().unzip();
        let dates = dates.concat();

        let mut arrays = vec![self.repeated_code(code, dates.len())?];
        match self.types.date {
            DateType::Logical => arrays.push(version.schema()?.date_form.array(&dates)?),
            DateType::Day => {
                arrays.push(Arc::new(Date32Array::from_iter_values(dates.iter().map(|date| date.days()))));
            }
            DateType::Omitted => {}
        }
        let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); self.columns.len()];
        let path = version.root.join(SEGMENT_DIR);
        for columns in shares {
            for ((runs, logical), parts) in columns.into_iter().zip(&logical).zip(&mut parts) {
                for run in runs {
                    parts.push(run.finish(logical, &path)?);
                }
            }
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

    /// What the stock at place `wanted` in code order has on the dates at these places: the date of each row, and for each
    /// column its values.
    fn gather(&self, wanted: u32, places: &[usize], observer: &dyn Observer) -> Result<(Vec<Date>, Vec<Vec<Run>>)> {
        let ranks = self.store.ranks()?;
        // What is read of a file that is not mapped is held for as long as its section.
        let at_once = if self.store.access() == Access::Map { DATES } else { 1 };
        let mut dates = Vec::new();
        let mut columns: Vec<Vec<Run>> = self.columns.iter().map(|_| Vec::new()).collect();
        let mut near = 0;
        for places in places.chunks(at_once) {
            let mut sections = Vec::with_capacity(places.len());
            for &place in places {
                if observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                observer.advance(1);
                sections.push(self.store.section_at(place)?);
            }
            // Where the values lie is looked up section by section, as it is written; see `DATES` for why they are
            // taken column by column.
            let mut stretches: Vec<Vec<Stretch>> = self.columns.iter().map(|_| Vec::with_capacity(at_once)).collect();
            for piece in sections.iter().flat_map(Section::pieces) {
                let piece = piece?;
                piece.check_code_once()?;
                let numbers = piece.raw_stock_numbers()?;
                near = piece.first_row(wanted, numbers, ranks, near)?;
                let first_later = piece.first_row(wanted + 1, numbers, ranks, near)?;
                if first_later <= near {
                    continue;
                }
                dates.extend(std::iter::repeat_n(piece.date(), first_later - near));
                for (&index, stretches) in self.columns.iter().zip(&mut stretches) {
                    stretches.push(Stretch { raw: piece.checked_raw(index)?, rows: near..first_later });
                }
            }
            for (stretches, runs) in stretches.iter().zip(&mut columns) {
                for alike in stretches.chunk_by(|a, b| is_alike(a.kind(), b.kind())) {
                    match runs.last_mut().filter(|run| is_alike(run.kind(), alike[0].kind())) {
                        Some(run) => run.append(alike),
                        None => {
                            let mut run = Run::new(&alike[0]);
                            run.append(alike);
                            runs.push(run);
                        }
                    }
                }
            }
        }
        Ok((dates, columns))
    }
}

/// Rows of one piece in one column.
struct Stretch<'a> {
    /// `None` where it has no value.
    raw: Option<RawColumn<'a>>,
    rows: Range<usize>,
}

impl Stretch<'_> {
    fn kind(&self) -> Option<&SegmentColumn> {
        self.raw.as_ref().map(|raw| raw.column)
    }
}

/// Whether values that lie so can stand side by side.
fn is_alike(one: Option<&SegmentColumn>, other: Option<&SegmentColumn>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.stored == other.stored && one.logical == other.logical,
        _ => false,
    }
}

/// The rows of one stock in one column on neighbouring dates on which it is stored alike.
struct Run {
    row_count: usize,
    /// `None` where it has no value.
    values: Option<Gathered>,
}

/// The values, as they are stored.
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
    fn new(first: &Stretch) -> Run {
        let gathered = |raw: &RawColumn| {
            let (nulls, bits, bytes) = (Vec::new(), Vec::new(), MutableBuffer::default());
            Gathered { column: raw.column.clone(), texts: raw.texts.cloned(), nulls, bits, bytes }
        };
        Run { row_count: 0, values: first.raw.as_ref().map(gathered) }
    }

    fn kind(&self) -> Option<&SegmentColumn> {
        self.values.as_ref().map(|values| &values.column)
    }

    /// Adds these rows, which are stored as its own are.
    fn append(&mut self, stretches: &[Stretch]) {
        let mut at = self.row_count;
        self.row_count += stretches.iter().map(|stretch| stretch.rows.len()).sum::<usize>();
        let Some(own) = &mut self.values else { return };
        let raws = || stretches.iter().filter_map(|Stretch { raw, rows }| Some((raw.as_ref()?, rows.clone())));
        by_width!(
            own.column.stored,
            bits => raws().for_each(|(raw, rows)| own.bits.extend(rows.map(|row| get_bit(raw.values, row)))),
            Width => append_values::<{ size_of::<Width>() }>(&mut own.bytes, self.row_count, raws()),
        );
        for (raw, rows) in raws() {
            if let Some(validity) = raw.validity.filter(|_| raw.null_count > 0) {
                let is_null = |(row, _): &(usize, usize)| !get_bit(validity, *row);
                own.nulls.extend(rows.clone().zip(at..).filter(is_null).map(|(_, at)| at));
            }
            at += rows.len();
        }
    }

    /// The column in its logical type. `path` is what damage is reported of.
    fn finish(self, logical: &DataType, path: &Path) -> Result<ArrayRef> {
        let Some(Gathered { column, texts, nulls, bits, bytes }) = self.values else {
            return Ok(new_null_array(logical, self.row_count));
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
        restore(&array, logical)
    }
}

/// Appends values of these rows, so that there are `len` of them. Nothing in the loop but loads and stores: many of those
/// are under way at the same time.
fn append_values<'a, const WIDTH: usize>(
    to: &mut MutableBuffer,
    len: usize,
    rows: impl Iterator<Item = (&'a RawColumn<'a>, Range<usize>)>,
) {
    let start = to.len();
    to.resize(len * WIDTH, 0);
    let mut places = to[start..].as_chunks_mut::<WIDTH>().0.iter_mut();
    for (raw, rows) in rows {
        let from = &raw.values.as_chunks::<WIDTH>().0[rows];
        // Of those places, as many as there are values.
        from.iter().zip(places.by_ref()).for_each(|(value, place)| *place = *value);
    }
}
