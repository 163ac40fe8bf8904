//! One column of many sections as a dense matrix: dates down, stocks across.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{Array, ArrayRef, PrimitiveArray, new_null_array};
use arrow_buffer::bit_util::set_bit;
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, ToByteSlice};
use arrow_cast::{can_cast_types, cast};
use arrow_schema::DataType;

use super::answer::Answer;
use super::compare::differing_rows;
use super::section::Section;
use crate::error::{Error, Result};
use crate::key::Date;
use crate::panel::{restore, show};
use crate::progress::Observer;
use crate::remedy::{Remedy, Setting};
use crate::storage::Memory;
use crate::workers::Workers;

/// Dates that a worker fills at a time: so many have whole bytes of bits, whatever the number of stocks.
const BLOCK_DATES: usize = 8;

/// One column as dates x stocks: the value of date `d` and stock `s` stands at `d * stocks().len() + s`.
///
/// A panel is not dense. Cells without a value hold what the caller chose, and [`cells`](Matrix::cells) tells them
/// apart. NaN is a value. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Matrix {
    data_type: DataType,
    dates: Arc<[Date]>,
    stocks: Arc<[String]>,
    values: Buffer,
    cells: Cells,
}

/// What each cell of a matrix has: no row (the stock did not trade), a row whose value is null, or a value.
#[derive(Debug, Clone)]
pub struct Cells {
    rows: BooleanBuffer,
    valid: BooleanBuffer,
}

/// What stands in cells without a value, and with it the type of a matrix.
#[derive(Debug, Clone)]
pub struct Fill {
    bytes: Box<[u8]>,
    data_type: DataType,
    is_compatible: fn(&DataType) -> bool,
}

impl Fill {
    /// `value`, in a matrix of values of type `T`: the column's own type where that is laid out alike, whatever its
    /// zone or scale.
    pub fn of<T: ArrowPrimitiveType>(value: T::Native) -> Fill {
        Fill {
            bytes: value.to_byte_slice().into(),
            data_type: T::DATA_TYPE,
            is_compatible: PrimitiveArray::<T>::is_compatible,
        }
    }

    /// The type of a matrix of a column of type `own`.
    fn type_for(&self, own: &DataType) -> DataType {
        if (self.is_compatible)(own) { own.clone() } else { self.data_type.clone() }
    }
}

impl Matrix {
    /// The type of its values.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// What its rows are, ascending.
    pub fn dates(&self) -> &[Date] {
        &self.dates
    }

    /// What its columns are: the codes of the stocks asked for, in the order in which they were named; of all stocks of
    /// the store, in code order, where none was.
    pub fn stocks(&self) -> &[String] {
        &self.stocks
    }

    /// All cells, date by date; `None` where `T` is not laid out as its type.
    pub fn values<T: ArrowPrimitiveType>(&self) -> Option<&[T::Native]> {
        PrimitiveArray::<T>::is_compatible(&self.data_type).then(|| self.values.typed_data())
    }

    /// The cells of the `date`-th date.
    ///
    /// # Panics
    /// When there is no such date.
    pub fn date_values<T: ArrowPrimitiveType>(&self, date: usize) -> Option<&[T::Native]> {
        assert!(date < self.dates.len(), "date {date} of {}", self.dates.len());
        Some(&self.values::<T>()?[date * self.stocks.len()..(date + 1) * self.stocks.len()])
    }

    /// The value of one cell; `None` where there is no row, or a null in it, or where `T` is not laid out as its type.
    ///
    /// # Panics
    /// When there is no such cell.
    pub fn value<T: ArrowPrimitiveType>(&self, date: usize, stock: usize) -> Option<T::Native> {
        let cell = self.cell(date, stock);
        self.cells.valid.value(cell).then(|| self.values::<T>().map(|values| values[cell])).flatten()
    }

    /// Whether the panel has a row of this date and stock.
    ///
    /// # Panics
    /// When there is no such cell.
    pub fn has_row(&self, date: usize, stock: usize) -> bool {
        self.cells.rows.value(self.cell(date, stock))
    }

    /// What each cell has, in the order of the values.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    fn cell(&self, date: usize, stock: usize) -> usize {
        let shape = (self.dates.len(), self.stocks.len());
        assert!(date < shape.0 && stock < shape.1, "cell {date}, {stock} of {} x {}", shape.0, shape.1);
        date * shape.1 + stock
    }
}

impl Cells {
    /// For each cell, whether the panel has a row there.
    pub fn rows(&self) -> &BooleanBuffer {
        &self.rows
    }

    /// For each cell, whether it has a value: a row, and no null in it.
    pub fn valid(&self) -> &BooleanBuffer {
        &self.valid
    }
}

impl Answer {
    /// The one column asked for as a dense matrix, with `fill` in the cells that have no value.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let (features, panel) = (dir.path().join("features"), dir.path().join("panel.store"));
    /// # use transect::{progress::Silent, synth};
    /// # let options = synth::SynthOptions { stocks: 20, dates: 30, seed: 1, preset: synth::Preset::Barra };
    /// # synth::synth(&features, &options, &transect::workers::Workers::new(Some(1))?, &Silent)?;
    /// # transect::Build::new(&features, &panel).run()?;
    /// use arrow_array::types::Float64Type;
    /// use transect::store::{Fill, Request};
    /// use transect::{Store, workers::Workers};
    ///
    /// let store = Store::open(&panel)?;
    /// let size = store.answer(&Request::of(["size"]))?;
    /// let size = size.matrix(&Fill::of::<Float64Type>(f64::NAN), &Workers::new(None)?, &Silent)?;
    ///
    /// // The mean over the stocks of each date, nulls and missing rows left out.
    /// for (date, day) in size.dates().iter().enumerate() {
    ///     let value = |stock| size.value::<Float64Type>(date, stock);
    ///     let known: Vec<f64> = (0..size.stocks().len()).filter_map(value).collect();
    ///     println!("{day} {}", known.iter().sum::<f64>() / known.len() as f64);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Its type is that of `fill`: the column's own, or another that holds every value exactly. Booleans are 0 and 1 of
    /// any type of numbers. Text and binary columns have no matrix.
    ///
    /// Costs one pass over the column and over the codes of each section, both compared with their checksums, shared
    /// out among `workers`; nothing else is read. Takes a value for each date and stock, and two bits: 6,552 dates x
    /// 5,160 doubles are 258 MiB and 8 MiB, in large pages where the system gives them.
    ///
    /// # Errors
    /// [`Error::Refused`] for more or fewer columns than one, for a type that does not hold its values, and when memory
    /// does not suffice; [`Error::NotFound`] where no row of the dates has the value of a key column that was named;
    /// [`Error::Corrupt`] when a checksum does not match; [`Error::Cancelled`].
    pub fn matrix(&self, fill: &Fill, workers: &Workers, observer: &dyn Observer) -> Result<Matrix> {
        let mut values = Memory::zeroed(self.matrix_len(fill)?).ok_or_else(|| self.too_large())?;
        let cells = self.matrix_into(values.as_mut(), fill, workers, observer)?;
        Ok(Matrix {
            data_type: fill.type_for(self.matrix_column()?.1),
            dates: self.dates()?.into(),
            stocks: self.matrix_stocks()?,
            values: Buffer::from(bytes::Bytes::from_owner(values)),
            cells,
        })
    }

    /// How many bytes the values of such a matrix take.
    ///
    /// # Errors
    /// As [`matrix`](Answer::matrix).
    pub fn matrix_len(&self, fill: &Fill) -> Result<usize> {
        let cells = self.places.len().checked_mul(self.stock_count()?);
        cells.and_then(|cells| cells.checked_mul(fill.bytes.len())).ok_or_else(|| self.too_large())
    }

    /// The stocks that are the columns of a matrix.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn matrix_stocks(&self) -> Result<Arc<[String]>> {
        match &self.stocks {
            Some(stocks) => Ok(stocks.codes.clone()),
            None => Ok(self.store.stocks()?.into_iter().map(str::to_owned).collect()),
        }
    }

    /// As [`matrix`](Answer::matrix), with its values put into memory of the caller's, which has
    /// [`matrix_len`](Answer::matrix_len) bytes.
    ///
    /// # Errors
    /// As [`matrix`](Answer::matrix); also for memory of another length.
    pub fn matrix_into(
        &self,
        values: &mut [u8],
        fill: &Fill,
        workers: &Workers,
        observer: &dyn Observer,
    ) -> Result<Cells> {
        match fill.bytes.len() {
            1 => self.fill::<1>(values, fill, workers, observer),
            2 => self.fill::<2>(values, fill, workers, observer),
            4 => self.fill::<4>(values, fill, workers, observer),
            8 => self.fill::<8>(values, fill, workers, observer),
            _ => self.fill::<16>(values, fill, workers, observer),
        }
    }

    /// Fills a matrix of values of `WIDTH` bytes.
    fn fill<const WIDTH: usize>(
        &self,
        values: &mut [u8],
        fill: &Fill,
        workers: &Workers,
        observer: &dyn Observer,
    ) -> Result<Cells> {
        let (column, own) = self.matrix_column()?;
        let wanted = fill.type_for(own);
        let is_text = matches!(own, DataType::Dictionary(..)) || own.is_string() || own.is_binary();
        let (Ok(empty), false) = (<[u8; WIDTH]>::try_from(&*fill.bytes), is_text || !can_cast_types(own, &wanted))
        else {
            let name = self.schema().fields()[self.schema().fields().len() - 1].name();
            let what = format!("column {name:?} is {own} and cannot be a matrix of {wanted}");
            return Err(Error::refused(what, "ask for a column of numbers"));
        };
        let panel = self.store.schema()?;
        let missing = panel.key.iter().filter(|&&key| self.at.iter().all(|at| at.column != key));
        let missing: Vec<&str> = missing.map(|&key| panel.columns[key].name.as_str()).collect();
        if !missing.is_empty() {
            return Err(one_value(&missing));
        }
        if values.len() != self.matrix_len(fill)? {
            let (has, takes) = (values.len(), self.matrix_len(fill)?);
            let what = format!("the matrix takes {takes} bytes, and the memory for it has {has}");
            return Err(Error::refused(what, "give it as many"));
        }
        let width = self.stock_count()?;
        let cells = self.places.len() * width;
        let mut rows = MutableBuffer::from_len_zeroed(cells.div_ceil(8));
        let mut nulls = MutableBuffer::from_len_zeroed(cells.div_ceil(8));
        let per_block = width.max(1);
        let blocks: Vec<Mutex<Block<'_>>> = values
            .chunks_mut(per_block * BLOCK_DATES * WIDTH)
            .zip(rows.as_slice_mut().chunks_mut(per_block))
            .zip(nulls.as_slice_mut().chunks_mut(per_block))
            .map(|((values, rows), nulls)| Mutex::new(Block { values, rows, nulls }))
            .collect();
        let name = &panel.columns[column].name;
        let what = Wanted { column, name, own, data_type: &wanted, empty };
        observer.begin("read", "sections", self.places.len() as u64);
        workers.try_map_with(
            blocks.len(),
            || vec![empty; width],
            |line, number| {
                // Each block is some worker's alone, once.
                let mut block = blocks[number].lock().unwrap_or_else(PoisonError::into_inner);
                let first = number * BLOCK_DATES;
                let places = &self.places[first..self.places.len().min(first + BLOCK_DATES)];
                for (at, &place) in places.iter().enumerate() {
                    if observer.cancelled() {
                        return Err(Error::Cancelled);
                    }
                    let section = self.store.section_at(place)?;
                    let columns = self.stocks.as_ref().map(|stocks| &*stocks.columns);
                    let rows = self.rows(&section)?;
                    block.fill(at, (&section, rows.as_ref()), &what, columns, line)?;
                    observer.advance(1);
                }
                Ok(())
            },
        )?;
        observer.end();
        drop(blocks);
        let bits = |bytes: MutableBuffer| BooleanBuffer::new(bytes.into(), 0, cells);
        let (rows, nulls) = (bits(rows), bits(nulls));
        if rows.count_set_bits() == 0 {
            self.check_values()?;
        }
        let valid = &rows & &!&nulls;
        Ok(Cells { rows, valid })
    }

    /// Refuses values of key columns that no row of the dates has, whatever its stock. Mostly the last date has some.
    ///
    /// # Errors
    /// [`Error::NotFound`] for such a value, with those of the last date.
    pub(crate) fn check_values(&self) -> Result<()> {
        let Some(&last) = self.places.last() else { return Ok(()) };
        for at in self.at.iter() {
            let mut is_there = false;
            for &place in self.places.iter().rev() {
                is_there = at.rows(&self.store.section_at(place)?)?.count_set_bits() > 0;
                if is_there {
                    break;
                }
            }
            if !is_there {
                return Err(at.nowhere(&self.store.section_at(last)?)?);
            }
        }
        Ok(())
    }

    /// Place and type of the one column.
    fn matrix_column(&self) -> Result<(usize, &DataType)> {
        let [column] = *self.columns else {
            let count = self.columns.len();
            return Err(Error::refused(format!("a matrix is of one column, and {count} were asked for"), "name one"));
        };
        Ok((column, self.store.version.panel_type(column)?))
    }

    fn stock_count(&self) -> Result<usize> {
        match &self.stocks {
            Some(stocks) => Ok(stocks.codes.len()),
            None => Ok(self.store.ranks()?.len()),
        }
    }

    fn too_large(&self) -> Error {
        let stocks = self.stock_count().unwrap_or_default();
        let dates = self.places.len();
        Error::refused(format!("{dates} dates of {stocks} stocks are too much for memory"), "ask for fewer dates")
    }
}

/// Refuses a matrix of a panel that has a row for each value of these key columns.
pub(crate) fn one_value(keys: &[&str]) -> Error {
    let keys: Vec<String> = keys.iter().map(|&name| name.to_owned()).collect();
    let named: Vec<String> = keys.iter().map(|name| format!("{name:?}")).collect();
    let named = named.join(" and ");
    let what = format!("a matrix has one value for each date and stock, and this panel has one for each {named}");
    Error::refused_unless(what, [Remedy::set(Setting::At(keys), format!("says which {named} it is to be of"))])
}

/// The column of a matrix, and what becomes of it.
struct Wanted<'a, const WIDTH: usize> {
    column: usize,
    name: &'a str,
    /// Its own type.
    own: &'a DataType,
    data_type: &'a DataType,
    empty: [u8; WIDTH],
}

/// Some dates of a matrix that is being filled.
struct Block<'m> {
    values: &'m mut [u8],
    rows: &'m mut [u8],
    nulls: &'m mut [u8],
}

impl Block<'_> {
    /// Fills the `at`-th date, with the rows of its section that are asked for. `columns` says for each place in code
    /// order which column of the matrix it is, where stocks were chosen. `line` is room for its values: they are
    /// scattered there, in the processor's caches, and go to memory in one piece.
    fn fill<const WIDTH: usize>(
        &mut self,
        at: usize,
        (section, rows): (&Section, Option<&BooleanBuffer>),
        wanted: &Wanted<'_, WIDTH>,
        columns: Option<&[u32]>,
        line: &mut [[u8; WIDTH]],
    ) -> Result<()> {
        let ranks = section.version().ranks()?;
        let numbers = section.stock_numbers()?;
        let array = restore(section.column_at(wanted.column)?.stored(), wanted.own)?;
        let array = wanted.converted(array, section)?;
        let data = array.to_data();
        let values = data.buffers().first().map_or(&[][..], |buffer| &buffer[data.offset() * WIDTH..]);
        let start = at * line.len();
        line.fill(wanted.empty);
        let mut least = 0;
        for (row, (&number, &value)) in numbers.iter().zip(values.as_chunks::<WIDTH>().0).enumerate() {
            if rows.is_some_and(|rows| !rows.value(row)) {
                continue;
            }
            let rank = ranks.get(number as usize).map(|&rank| rank as usize);
            // Rows are in code order; what is not would silently take another row's cell.
            let rank = rank.filter(|&rank| least <= rank && rank < ranks.len());
            let rank = rank.ok_or_else(|| section.unknown_stocks())?;
            least = rank + 1;
            let place = match columns {
                None => rank,
                Some(columns) if columns[rank] == u32::MAX => continue,
                Some(columns) => columns[rank] as usize,
            };
            set_bit(self.rows, start + place);
            if data.is_valid(row) { line[place] = value } else { set_bit(self.nulls, start + place) }
        }
        let bytes = line.as_flattened();
        self.values[at * bytes.len()..(at + 1) * bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

impl<const WIDTH: usize> Wanted<'_, WIDTH> {
    /// `array`, a column of `section` in its own type, in the type of the matrix.
    ///
    /// # Errors
    /// [`Error::Refused`], naming the first value that it cannot hold.
    fn converted(&self, array: ArrayRef, section: &Section) -> Result<ArrayRef> {
        if array.data_type() == self.data_type {
            return Ok(array);
        }
        // A column without any value may be of type null, and that casts to nothing.
        if array.logical_null_count() == array.len() {
            return Ok(new_null_array(self.data_type, array.len()));
        }
        let failed = |error| Error::failed(format!("make a matrix of {}", self.data_type))(error);
        // What does not fit becomes null, and then differs.
        let there = cast(&array, self.data_type).map_err(failed)?;
        let back = cast(&there, self.own).map_err(failed)?;
        let differing = differing_rows(&array, &back).map_err(Error::failed("compare two columns"))?;
        match differing.set_indices().next() {
            None => Ok(there),
            Some(row) => {
                let (wanted, value, date) = (self.data_type, show(&array, row), section.date());
                let what = format!(
                    "column {:?} has {value} on {date}, which a matrix of {wanted} cannot hold exactly",
                    self.name
                );
                Err(Error::refused(what, format!("a matrix of {} holds it, and so do the rows themselves", self.own)))
            }
        }
    }
}
