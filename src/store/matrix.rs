//! One column of many sections as a dense matrix: dates down, stocks across.

use std::ops::{Bound, Range, RangeBounds};
use std::sync::{Mutex, PoisonError};

use arrow_array::types::{ArrowPrimitiveType, UInt8Type};
use arrow_array::{Array, PrimitiveArray, cast::AsArray};
use arrow_buffer::bit_util::set_bit;
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, ScalarBuffer, ToByteSlice};
use arrow_schema::DataType;

use super::section::Section;
use super::view::Store;
use crate::error::{Error, Result};
use crate::key::Date;
use crate::panel::restore;
use crate::storage::zeroed;
use crate::workers::Workers;

/// Dates that a worker fills at a time: so many have whole bytes of bits, whatever the number of stocks.
const BLOCK_DATES: usize = 8;

/// One column of the panel as dates x stocks: the value of date `d` and stock `s` stands at `d * stocks().len() + s`.
///
/// A panel is not dense. Cells without a value hold what the caller chose, and two bitmaps in the same order tell them
/// apart: a cell has no row (the stock did not trade), or a row whose value is null. NaN is a value.
#[derive(Debug)]
pub struct Matrix<'a, T: ArrowPrimitiveType> {
    dates: &'a [Date],
    stocks: Vec<&'a str>,
    values: ScalarBuffer<T::Native>,
    rows: BooleanBuffer,
    valid: BooleanBuffer,
}

impl<T: ArrowPrimitiveType> Matrix<'_, T> {
    /// What its rows are, ascending.
    pub fn dates(&self) -> &[Date] {
        self.dates
    }

    /// What its columns are: the codes of all stocks of the store, in code order.
    pub fn stocks(&self) -> &[&str] {
        &self.stocks
    }

    /// All cells, date by date.
    pub fn values(&self) -> &[T::Native] {
        &self.values
    }

    /// The cells of the `date`-th date.
    ///
    /// # Panics
    /// When there is no such date.
    pub fn date_values(&self, date: usize) -> &[T::Native] {
        assert!(date < self.dates.len(), "date {date} of {}", self.dates.len());
        &self.values[date * self.stocks.len()..(date + 1) * self.stocks.len()]
    }

    /// The value of one cell; `None` where there is no row, or a null in it.
    ///
    /// # Panics
    /// When there is no such cell.
    pub fn value(&self, date: usize, stock: usize) -> Option<T::Native> {
        let cell = self.cell(date, stock);
        self.valid.value(cell).then(|| self.values[cell])
    }

    /// Whether the panel has a row of this date and stock.
    ///
    /// # Panics
    /// When there is no such cell.
    pub fn has_row(&self, date: usize, stock: usize) -> bool {
        self.rows.value(self.cell(date, stock))
    }

    /// For each cell, whether the panel has a row there.
    pub fn rows(&self) -> &BooleanBuffer {
        &self.rows
    }

    /// For each cell, whether it has a value: a row, and no null in it.
    pub fn valid(&self) -> &BooleanBuffer {
        &self.valid
    }

    fn cell(&self, date: usize, stock: usize) -> usize {
        let shape = (self.dates.len(), self.stocks.len());
        assert!(date < shape.0 && stock < shape.1, "cell {date}, {stock} of {} x {}", shape.0, shape.1);
        date * shape.1 + stock
    }
}

impl Store {
    /// The column `column` on all `dates` as a dense matrix of all stocks, with `fill` in the cells that have no value.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let (features, panel) = (dir.path().join("features"), dir.path().join("panel.store"));
    /// # use transect::{progress::Silent, synth};
    /// # let options = synth::SynthOptions { stocks: 20, dates: 30, seed: 1, preset: synth::Preset::Barra };
    /// # synth::synth(&features, &options, &transect::workers::Workers::new(Some(1))?, &Silent)?;
    /// # transect::Build::new(&features, &panel).run()?;
    /// use arrow_array::types::Float64Type;
    /// use transect::{Store, workers::Workers};
    ///
    /// let store = Store::open(&panel)?;
    /// let size = store.matrix::<Float64Type>("size", .., f64::NAN, &Workers::new(None)?)?;
    /// assert_eq!(size.values().len(), size.dates().len() * size.stocks().len());
    ///
    /// // The mean over the stocks of each date, nulls and missing rows left out.
    /// for (date, day) in size.dates().iter().enumerate() {
    ///     let known: Vec<f64> = (0..size.stocks().len()).filter_map(|stock| size.value(date, stock)).collect();
    ///     println!("{day} {}", known.iter().sum::<f64>() / known.len() as f64);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// `T` is the column's logical type; narrower stored values are widened to it. A boolean column is asked for as
    /// [`UInt8Type`], 0 or 1. Text and binary columns have no matrix.
    ///
    /// Costs one pass over the column and over the codes of each section, both compared with their checksums, shared
    /// out among `workers`; nothing else is read. Takes a value for each date and stock, and two bits: 6,552 dates x
    /// 5,160 doubles are 258 MiB and 8 MiB, in large pages where the system gives them.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a name that the panel does not have, [`Error::Refused`] for another type than the
    /// column's and when memory does not suffice, [`Error::Corrupt`] when a checksum does not match.
    pub fn matrix<T: ArrowPrimitiveType>(
        &self,
        column: &str,
        dates: impl RangeBounds<Date>,
        fill: T::Native,
        workers: &Workers,
    ) -> Result<Matrix<'_, T>> {
        let index = self.schema()?.find(column)?;
        let wanted = match self.version.panel_type(index)? {
            DataType::Boolean if T::DATA_TYPE == UInt8Type::DATA_TYPE => UInt8Type::DATA_TYPE,
            logical if PrimitiveArray::<T>::is_compatible(logical) => logical.clone(),
            logical => {
                let what = format!("column {column:?} is {logical} and cannot be a matrix of {}", T::DATA_TYPE);
                return Err(Error::refused(what, "ask for its own type, or for UInt8 where that is Boolean"));
            }
        };
        if let Some(name) = self.schema()?.key_names().next() {
            let what =
                format!("a matrix has one value for each date and stock, and this panel has one for each {name:?}");
            return Err(Error::refused(what, "take sections or series"));
        }
        let stocks = self.stocks()?;
        let range = within(self.dates()?, dates);
        let (date_count, width) = (range.len(), size_of::<T::Native>());
        let too_large = || {
            Error::refused(
                format!("{date_count} dates of {} stocks are too much for memory", stocks.len()),
                "ask for fewer dates",
            )
        };
        let cells = date_count.checked_mul(stocks.len()).ok_or_else(too_large)?;
        let mut values = cells.checked_mul(width).and_then(zeroed).ok_or_else(too_large)?;
        let mut rows = MutableBuffer::from_len_zeroed(cells.div_ceil(8));
        let mut nulls = MutableBuffer::from_len_zeroed(cells.div_ceil(8));

        let per_block = stocks.len().max(1);
        let blocks: Vec<Mutex<Block<'_>>> = values
            .chunks_mut(per_block * BLOCK_DATES * width)
            .zip(rows.as_slice_mut().chunks_mut(per_block))
            .zip(nulls.as_slice_mut().chunks_mut(per_block))
            .map(|((values, rows), nulls)| Mutex::new(Block { values, rows, nulls }))
            .collect();
        workers.try_map_with(
            blocks.len(),
            || vec![fill; stocks.len()],
            |line, number| {
                // Each block is some worker's alone, once.
                let mut block = blocks[number].lock().unwrap_or_else(PoisonError::into_inner);
                let first = range.start + number * BLOCK_DATES;
                for (at, date) in (first..range.end.min(first + BLOCK_DATES)).enumerate() {
                    block.fill::<T>(at, &self.section_at(date)?, index, &wanted, fill, line)?;
                }
                Ok(())
            },
        )?;
        drop(blocks);

        let bits = |bytes: MutableBuffer| BooleanBuffer::new(bytes.into(), 0, cells);
        let (rows, nulls) = (bits(rows), bits(nulls));
        let valid = &rows & &!&nulls;
        let values = ScalarBuffer::new(Buffer::from(bytes::Bytes::from_owner(values)), 0, cells);
        Ok(Matrix { dates: &self.dates()?[range], stocks, values, rows, valid })
    }
}

/// Some dates of a matrix that is being filled.
struct Block<'m> {
    values: &'m mut [u8],
    rows: &'m mut [u8],
    nulls: &'m mut [u8],
}

impl Block<'_> {
    /// Fills the `at`-th date. `line` is room for its values: they are scattered there, in the processor's caches, and
    /// go to memory in one piece.
    fn fill<T: ArrowPrimitiveType>(
        &mut self,
        at: usize,
        section: &Section,
        column: usize,
        wanted: &DataType,
        fill: T::Native,
        line: &mut [T::Native],
    ) -> Result<()> {
        let ranks = section.version().ranks()?;
        let numbers = section.stock_numbers()?;
        let array = restore(section.column_at(column)?.stored(), wanted)?;
        let array = array.as_primitive::<T>();
        let start = at * line.len();
        line.fill(fill);
        let mut least = 0;
        for (row, (&number, &value)) in numbers.iter().zip(array.values()).enumerate() {
            let place = usize::try_from(number).ok().and_then(|number| ranks.get(number));
            // Rows are in code order; what is not would silently take another row's cell.
            let place = place.map(|&place| place as usize).filter(|&place| least <= place && place < line.len());
            let place = place.ok_or_else(|| section.unknown_stocks())?;
            least = place + 1;
            set_bit(self.rows, start + place);
            if array.is_valid(row) { line[place] = value } else { set_bit(self.nulls, start + place) }
        }
        let bytes = line.to_byte_slice();
        self.values[at * bytes.len()..(at + 1) * bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

/// Where the dates in `wanted` stand in `all`.
fn within(all: &[Date], wanted: impl RangeBounds<Date>) -> Range<usize> {
    let before = |date: &Date| all.partition_point(|other| other < date);
    let through = |date: &Date| all.partition_point(|other| other <= date);
    let start = match wanted.start_bound() {
        Bound::Included(date) => before(date),
        Bound::Excluded(date) => through(date),
        Bound::Unbounded => 0,
    };
    let end = match wanted.end_bound() {
        Bound::Included(date) => through(date),
        Bound::Excluded(date) => before(date),
        Bound::Unbounded => all.len(),
    };
    start..end.max(start)
}
