//! The one place where rows cross: a block of series goes in, columns ordered by (date, stock) come out, into the spill.

use arrow_buffer::NullBuffer;
use arrow_buffer::bit_util::set_bit;
use bytemuck::Pod;

use super::lane::{DictionaryBuilder, Lane, Values, widened};
use super::spill::{Piece, Spill};
use crate::error::Result;
use crate::format::Stored;
use crate::key::Date;
use crate::panel::Column;

/// Series of neighbouring stocks, collected until they fill a worker's share of the memory.
pub(super) struct BlockBuilder {
    /// One lane a series and column: `columns[c][s]`.
    columns: Vec<Vec<Option<Lane>>>,
    dictionaries: Vec<DictionaryBuilder>,
    signed: Vec<bool>,
    /// For each series, its input's number and its dates.
    series: Vec<(u32, Vec<Date>)>,
    byte_len: usize,
}

/// A gathered block: where its columns lie in the spill, each in (date, stock) order.
pub(super) struct Block {
    /// Its dates, ascending.
    pub(super) dates: Vec<Date>,
    /// Where each date's rows start, and the end of the last.
    pub(super) row_starts: Vec<u32>,
    /// For each row, the number of its input.
    pub(super) inputs: Piece,
    /// The panel's columns; `None` where the block has no value.
    pub(super) columns: Vec<Option<BlockColumn>>,
}

/// One column of a block.
pub(super) struct BlockColumn {
    /// The width of its values in the spill.
    pub(super) stored: Stored,
    /// Its values; bits are packed.
    pub(super) values: Piece,
    /// Its validity bits; `None` when it has no nulls.
    pub(super) validity: Option<Piece>,
    /// For codes, what they stand for in this block.
    pub(super) dictionary: Vec<Box<[u8]>>,
}

impl BlockBuilder {
    /// An empty block of a panel with these columns.
    pub(super) fn new(columns: &[Column]) -> BlockBuilder {
        BlockBuilder {
            columns: columns.iter().map(|_| Vec::new()).collect(),
            dictionaries: columns.iter().map(|_| DictionaryBuilder::default()).collect(),
            signed: columns.iter().map(|column| column.data_type.is_signed_integer()).collect(),
            series: Vec::new(),
            byte_len: 0,
        }
    }

    /// Adds a series; its columns follow by [`push_column`](BlockBuilder::push_column), each once, in any order.
    pub(super) fn push_series(&mut self, input: u32, dates: Vec<Date>) {
        // The dates themselves, and a row's share of what `gather` needs: its place and its widest value.
        self.byte_len += dates.len() * (size_of::<Date>() + size_of::<u32>() + 8);
        self.series.push((input, dates));
    }

    /// Adds one column of the series added last; `None` when its file has no such column.
    pub(super) fn push_column(&mut self, column: usize, array: Option<&arrow_array::ArrayRef>) -> Result<()> {
        let lane = match array {
            Some(array) => Lane::new(array, &mut self.dictionaries[column])?,
            None => None,
        };
        self.byte_len += size_of::<Option<Lane>>() + lane.as_ref().map_or(0, Lane::byte_len);
        self.columns[column].push(lane);
        Ok(())
    }

    /// Whether it holds no series.
    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Bytes on the heap that it takes, with what gathering it will take.
    pub(super) fn byte_len(&self) -> usize {
        self.byte_len + self.dictionaries.iter().map(DictionaryBuilder::byte_len).sum::<usize>()
    }

    /// Gathers the block into `spill`, one column after the other; each column's lanes are dropped as it is done.
    pub(super) fn gather(self, spill: &Spill) -> Result<Block> {
        let frame = Frame::new(&self.series);
        let columns = self
            .columns
            .into_iter()
            .zip(self.dictionaries)
            .zip(&self.signed)
            .map(|((lanes, dictionary), &signed)| frame.column(lanes, signed, dictionary, spill))
            .collect::<Result<Vec<_>>>()?;
        frame.finish(columns, spill)
    }
}

/// Where each row of a block goes, before any column is there.
pub(super) struct Frame {
    dates: Vec<Date>,
    row_starts: Vec<u32>,
    /// For each row, series after series, its place in (date, stock) order.
    places: Vec<u32>,
    /// Number of the input and rows of each series.
    series: Vec<(u32, usize)>,
}

impl Frame {
    /// Places the rows of `series`, which come in code order with their dates ascending.
    pub(super) fn new(series: &[(u32, Vec<Date>)]) -> Frame {
        let (dates, row_starts) = count_rows(series);
        let places = row_places(series, &dates, &row_starts);
        Frame { dates, row_starts, places, series: series.iter().map(|(input, dates)| (*input, dates.len())).collect() }
    }

    /// Orders one column by (date, stock) and spills it.
    pub(super) fn column(
        &self,
        lanes: Vec<Option<Lane>>,
        signed: bool,
        dictionary: DictionaryBuilder,
        spill: &Spill,
    ) -> Result<Option<BlockColumn>> {
        let Some(stored) = lanes.iter().flatten().map(|lane| lane.stored).max() else {
            return Ok(None);
        };
        let has_nulls = lanes.iter().any(|lane| lane.as_ref().is_none_or(|lane| lane.nulls.is_some()));
        let validity = if has_nulls { Some(spill.put(&self.validity(&lanes))?) } else { None };
        let values = match stored {
            Stored::Bits => spill.put(&self.bits(&lanes))?,
            Stored::Bytes1 => spill.put(&self.values::<u8>(&lanes, stored, signed))?,
            Stored::Bytes2 => spill.put(bytemuck::cast_slice(&self.values::<u16>(&lanes, stored, signed)))?,
            Stored::Bytes4 | Stored::Codes => {
                spill.put(bytemuck::cast_slice(&self.values::<u32>(&lanes, stored, signed)))?
            }
            Stored::Bytes8 => spill.put(bytemuck::cast_slice(&self.values::<u64>(&lanes, stored, signed)))?,
            Stored::Bytes16 => spill.put(bytemuck::cast_slice(&self.values::<u128>(&lanes, stored, signed)))?,
        };
        Ok(Some(BlockColumn { stored, values, validity, dictionary: dictionary.into_values() }))
    }

    /// Completes the block with its `columns`.
    pub(super) fn finish(self, columns: Vec<Option<BlockColumn>>, spill: &Spill) -> Result<Block> {
        let inputs = spill.put(bytemuck::cast_slice(&self.inputs()))?;
        Ok(Block { dates: self.dates, row_starts: self.row_starts, inputs, columns })
    }

    /// For each place, the number of the row's input.
    pub(super) fn inputs(&self) -> Vec<u32> {
        let mut inputs = vec![0; self.places.len()];
        for (&(input, _), places) in self.series.iter().zip(self.places_by_series()) {
            places.iter().for_each(|&place| inputs[place as usize] = input);
        }
        inputs
    }

    /// For each place, which row, series after series, goes there.
    pub(super) fn order(&self) -> Vec<u32> {
        let mut order = vec![0; self.places.len()];
        for (row, &place) in self.places.iter().enumerate() {
            order[place as usize] = row as u32;
        }
        order
    }

    /// The dates, ascending, and where each one's rows start.
    pub(super) fn into_dates(self) -> (Vec<Date>, Vec<u32>) {
        (self.dates, self.row_starts)
    }

    fn places_by_series(&self) -> impl Iterator<Item = &[u32]> {
        let mut rest = self.places.as_slice();
        self.series.iter().map(move |&(_, len)| {
            let (mine, others) = rest.split_at(len);
            rest = others;
            mine
        })
    }

    /// One validity bit a row, in place order.
    fn validity(&self, lanes: &[Option<Lane>]) -> Vec<u8> {
        let mut bits = vec![0u8; self.places.len().div_ceil(8)];
        for (lane, places) in lanes.iter().zip(self.places_by_series()) {
            let Some(lane) = lane else { continue };
            match &lane.nulls {
                None => places.iter().for_each(|&place| set_bit(&mut bits, place as usize)),
                Some(nulls) => nulls.valid_indices().for_each(|row| set_bit(&mut bits, places[row] as usize)),
            }
        }
        bits
    }

    /// The values of all lanes of 0 and 1 as one bit a row, in place order; zero where there is none.
    fn bits(&self, lanes: &[Option<Lane>]) -> Vec<u8> {
        let mut bits = vec![0u8; self.places.len().div_ceil(8)];
        for (lane, places) in lanes.iter().zip(self.places_by_series()) {
            let Some(lane) = lane else { continue };
            let is_valid = |row| lane.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            match &lane.values {
                // Most dummies of most stocks: nothing to set.
                Values::Constant(0) => {}
                Values::Constant(_) => {
                    let valid = (0..places.len()).filter(|&row| is_valid(row));
                    valid.for_each(|row| set_bit(&mut bits, places[row] as usize));
                }
                Values::Plain(bytes) => {
                    let ones = (0..places.len()).filter(|&row| bytes[row] != 0 && is_valid(row));
                    ones.for_each(|row| set_bit(&mut bits, places[row] as usize));
                }
            }
        }
        bits
    }

    /// The values of all lanes at the width of `T`, in place order; zero where there is none.
    fn values<T: Slot>(&self, lanes: &[Option<Lane>], stored: Stored, signed: bool) -> Vec<T> {
        let mut gathered = vec![T::zeroed(); self.places.len()];
        for (lane, places) in lanes.iter().zip(self.places_by_series()) {
            let Some(lane) = lane else { continue };
            let nulls = lane.nulls.as_ref();
            match &lane.values {
                Values::Constant(value) => {
                    let value = T::from_bits(*value);
                    scatter(&mut gathered, places, nulls, std::iter::repeat(value));
                }
                Values::Plain(bytes) if lane.stored == stored => {
                    let values = bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned);
                    scatter(&mut gathered, places, nulls, values);
                }
                Values::Plain(bytes) => {
                    let values = widened(bytes, lane.stored, signed).into_iter().map(T::from_bits);
                    scatter(&mut gathered, places, nulls, values);
                }
            }
        }
        gathered
    }
}

/// The dates of all series, ascending, and where each date's rows start.
fn count_rows(series: &[(u32, Vec<Date>)]) -> (Vec<Date>, Vec<u32>) {
    let first = series.iter().filter_map(|(_, dates)| dates.first()).min().map_or(0, |date| date.days());
    let last = series.iter().filter_map(|(_, dates)| dates.last()).max().map_or(0, |date| date.days());
    let mut counts = vec![0u32; (last - first) as usize + 1];
    for date in series.iter().flat_map(|(_, dates)| dates) {
        counts[(date.days() - first) as usize] += 1;
    }
    let mut dates = Vec::new();
    let mut row_starts = vec![0];
    let mut end = 0;
    for (day, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        end += count;
        dates.extend(Date::from_days(first + day as i32));
        row_starts.push(end);
    }
    (dates, row_starts)
}

/// For each row, series after series, its place among the rows of `dates`.
fn row_places(series: &[(u32, Vec<Date>)], dates: &[Date], row_starts: &[u32]) -> Vec<u32> {
    let first = dates.first().map_or(0, |date| date.days());
    let span = dates.last().map_or(0, |date| date.days() - first + 1) as usize;
    let mut next = vec![0u32; span];
    for (date, &start) in dates.iter().zip(row_starts) {
        next[(date.days() - first) as usize] = start;
    }
    let place = |date: &Date| {
        let slot = &mut next[(date.days() - first) as usize];
        *slot += 1;
        *slot - 1
    };
    series.iter().flat_map(|(_, dates)| dates).map(place).collect()
}

/// An unsigned integer as wide as a stored type; what the bits mean does not matter to a copy.
pub(super) trait Slot: Pod {
    /// The low bits of a widened integer.
    fn from_bits(bits: i64) -> Self;
}

macro_rules! slots {
    ($($slot:ty),+) => {$(
        impl Slot for $slot {
            fn from_bits(bits: i64) -> $slot {
                bits as $slot
            }
        }
    )+};
}
slots!(u8, u16, u32, u64, u128);

/// Puts each valid value at its place.
fn scatter<T>(to: &mut [T], places: &[u32], nulls: Option<&NullBuffer>, values: impl Iterator<Item = T>) {
    match nulls {
        None => places.iter().zip(values).for_each(|(&place, value)| to[place as usize] = value),
        Some(nulls) => {
            for ((&place, value), valid) in places.iter().zip(values).zip(nulls) {
                if valid {
                    to[place as usize] = value;
                }
            }
        }
    }
}
