//! The one place where rows cross: a block of series goes in, columns ordered by (date, stock) come out, into the
//! spill.

use std::ops::Range;
use std::sync::Arc;

use arrow_buffer::bit_iterator::BitSliceIterator;
use arrow_buffer::bit_util::set_bit;
use arrow_buffer::{Buffer, NullBuffer};

use super::block::{Block, BlockColumn};
use super::spill::{Extent, Shelf, Spill};
use crate::codec::{DictionaryBuilder, Lane, Slot, Values, by_width, widened};
use crate::error::Result;
use crate::format::Stored;
use crate::key::Date;

/// Bytes that are put in order at a time: they stay in a core's own cache while values land in them from everywhere and
/// while the system copies them out. Any multiple of 16 would do.
const WINDOW_LEN: usize = 256 << 10;

/// The number of the input that each row of a series is of.
#[derive(Debug)]
pub(crate) enum Inputs {
    /// The same for all.
    One(u32),
    Each(Vec<u32>),
}

impl Inputs {
    fn of_row(&self, row: usize) -> u32 {
        match self {
            Inputs::One(input) => *input,
            Inputs::Each(inputs) => inputs[row],
        }
    }
}

/// Where each row of a block goes, before any column is there.
pub(crate) struct Frame {
    dates: Vec<Date>,
    row_starts: Vec<u32>,
    /// For each row, series after series, its place in (date, stock) order.
    places: Vec<u32>,
    /// The inputs of each series' rows, and how many rows it has.
    series: Vec<(Inputs, usize)>,
}

impl Frame {
    /// Places the rows of `series`, each with its dates ascending. On one date, rows keep the order of the series and of
    /// the rows in them, which is that of their codes.
    pub(crate) fn new(series: Vec<(Inputs, Vec<Date>)>) -> Frame {
        let (dates, row_starts) = count_rows(&series);
        let places = row_places(&series, &dates, &row_starts);
        let series = series.into_iter().map(|(inputs, dates)| (inputs, dates.len())).collect();
        Frame { dates, row_starts, places, series }
    }

    /// Orders one column, of which each series has one lane or none, by (date, stock) and spills it; `None` when it has
    /// no value, else what goes with each band.
    pub(crate) fn column(
        &self,
        lanes: Vec<(u32, Lane)>,
        signed: bool,
        dictionary: DictionaryBuilder,
        spill: &Spill,
    ) -> Result<Option<Vec<BlockColumn>>> {
        let Some(stored) = lanes.iter().map(|(_, lane)| lane.stored).max() else {
            return Ok(None);
        };
        let mut of_series: Vec<Option<Lane>> = self.series.iter().map(|_| None).collect();
        lanes.into_iter().for_each(|(series, lane)| of_series[series as usize] = Some(lane));
        let lanes = of_series;
        let has_nulls = lanes.iter().any(|lane| lane.as_ref().is_none_or(|lane| lane.nulls.is_some()));
        let validity = if has_nulls { self.spill_validity(&lanes, spill)? } else { Vec::new() };
        let values = by_width!(
            stored,
            bits => self.spill_bits(&lanes, spill)?,
            Width => self.spill_values::<Width>(lanes, stored, signed, spill)?,
        );
        let dictionary = (stored == Stored::Codes).then(|| Arc::new(dictionary.into_values()));
        let column = |(band, values)| BlockColumn {
            stored,
            values,
            validity: validity.get(band).copied(),
            dictionary: dictionary.clone(),
        };
        Ok(Some(values.into_iter().enumerate().map(column).collect()))
    }

    /// The blocks that its `columns` make, which are at these places of the panel, one a band.
    pub(crate) fn finish(self, columns: Vec<(usize, Vec<BlockColumn>)>, spill: &Spill) -> Result<Vec<Block>> {
        let inputs = self.spill_windows(32, spill, |visit, window| {
            let inputs: &mut [u32] = bytemuck::cast_slice_mut(window);
            let of = &self.series[visit.series].0;
            visit.rows.clone().zip(visit.places()).for_each(|(row, place)| inputs[place] = of.of_row(row));
        })?;
        let mut columns: Vec<_> = columns.into_iter().map(|(at, column)| (at, column.into_iter())).collect();
        let block = |((_, dates), inputs): ((usize, Range<usize>), Extent)| {
            let days: Vec<i32> = self.dates[dates.clone()].iter().map(|date| date.days()).collect();
            let first = self.row_starts[dates.start];
            let row_starts: Vec<u32> =
                self.row_starts[dates.start..=dates.end].iter().map(|start| start - first).collect();
            Ok(Block {
                days: spill.put(Shelf::Kept, bytemuck::cast_slice(&days))?,
                row_starts: spill.put(Shelf::Kept, bytemuck::cast_slice(&row_starts))?,
                inputs,
                first_input: 0,
                columns: columns.iter_mut().filter_map(|(at, column)| Some((*at, column.next()?))).collect(),
            })
        };
        self.bands(spill).into_iter().zip(inputs).map(block).collect()
    }

    fn bands(&self, spill: &Spill) -> Vec<(usize, Range<usize>)> {
        spill.bands(&self.dates, &self.row_starts)
    }

    /// For each place, the number of the row's input.
    pub(crate) fn inputs(&self) -> Vec<u32> {
        let mut inputs = vec![0; self.places.len()];
        let mut start = 0;
        for (of, len) in &self.series {
            let places = self.places[start..start + len].iter().enumerate();
            places.for_each(|(row, &place)| inputs[place as usize] = of.of_row(row));
            start += len;
        }
        inputs
    }

    /// For each place, which row, series after series, goes there.
    pub(crate) fn order(&self) -> Vec<u32> {
        let mut order = vec![0; self.places.len()];
        for (row, &place) in self.places.iter().enumerate() {
            order[place as usize] = row as u32;
        }
        order
    }

    /// The dates, ascending, and where each one's rows start.
    pub(crate) fn into_dates(self) -> (Vec<Date>, Vec<u32>) {
        (self.dates, self.row_starts)
    }

    /// Writes `bits` a place, window by window, as one extent a band. Each window starts zeroed and is handed to `fill`
    /// with the rows of one series after the other that belong in it.
    fn spill_windows(
        &self,
        bits: usize,
        spill: &Spill,
        mut fill: impl FnMut(&Visit, &mut [u8]),
    ) -> Result<Vec<Extent>> {
        let byte_len = |places: usize| (places * bits).div_ceil(8);
        // 16 bytes are the widest value; slices of any narrower one are aligned as well.
        let longest = WINDOW_LEN.min(byte_len(self.places.len()));
        let mut buffer = vec![0u128; longest.div_ceil(size_of::<u128>())];
        let buffer: &mut [u8] = bytemuck::cast_slice_mut(&mut buffer);
        // For each series its first row not yet visited.
        let mut done = vec![0; self.series.len()];
        let mut extents = Vec::new();
        for (band, dates) in self.bands(spill) {
            let places = self.row_starts[dates.start] as usize..self.row_starts[dates.end] as usize;
            let extent = spill.reserve(Shelf::Band(band), byte_len(places.len()) as u64);
            for first in places.clone().step_by(WINDOW_LEN * 8 / bits) {
                let end = places.end.min(first + WINDOW_LEN * 8 / bits);
                let window = &mut buffer[..byte_len(end - first)];
                window.fill(0);
                let mut start = 0;
                for (series, ((_, len), done)) in self.series.iter().zip(&mut done).enumerate() {
                    let rest = &self.places[start + *done..start + *len];
                    let found = count_below(rest, end as u32);
                    if found > 0 {
                        fill(&Visit { series, rows: *done..*done + found, places: &rest[..found], first }, window);
                    }
                    *done += found;
                    start += len;
                }
                spill.write(extent, byte_len(first - places.start) as u64, window)?;
            }
            extents.push(extent);
        }
        Ok(extents)
    }

    /// One validity bit a row.
    fn spill_validity(&self, lanes: &[Option<Lane>], spill: &Spill) -> Result<Vec<Extent>> {
        self.spill_windows(1, spill, |visit, window| {
            if let Some(lane) = &lanes[visit.series] {
                visit.valid_runs(lane.nulls.as_ref()).for_each(|run| {
                    visit.places_of(run).for_each(|place| set_bit(window, place));
                });
            }
        })
    }

    /// The values of all lanes of 0 and 1 as one bit a row; zero where there is none.
    fn spill_bits(&self, lanes: &[Option<Lane>], spill: &Spill) -> Result<Vec<Extent>> {
        self.spill_windows(1, spill, |visit, window| {
            let Some(lane) = &lanes[visit.series] else { return };
            // Most dummies of most stocks: nothing to set.
            if matches!(lane.values, Values::Constant(0)) {
                return;
            }
            visit.valid_runs(lane.nulls.as_ref()).for_each(|run| match &lane.values {
                Values::Constant(_) => visit.places_of(run).for_each(|place| set_bit(window, place)),
                Values::Plain(bytes) => {
                    let ones = bytes[run.clone()].iter().zip(visit.places_of(run)).filter(|(value, _)| **value != 0);
                    ones.for_each(|(_, place)| set_bit(window, place));
                }
            });
        })
    }

    /// The values of all lanes at the width of `T`; zero where there is none.
    fn spill_values<T: Slot>(
        &self,
        mut lanes: Vec<Option<Lane>>,
        stored: Stored,
        signed: bool,
        spill: &Spill,
    ) -> Result<Vec<Extent>> {
        for lane in lanes.iter_mut().flatten() {
            if let Values::Plain(bytes) = &lane.values
                && lane.stored != stored
            {
                let values: Vec<T> = widened(bytes, lane.stored, signed).into_iter().map(T::from_bits).collect();
                lane.values = Values::Plain(Buffer::from_slice_ref(bytemuck::cast_slice::<T, u8>(&values)));
            }
        }
        self.spill_windows(size_of::<T>() * 8, spill, |visit, window| {
            let Some(lane) = &lanes[visit.series] else { return };
            let window: &mut [T] = bytemuck::cast_slice_mut(window);
            visit.valid_runs(lane.nulls.as_ref()).for_each(|run| match &lane.values {
                Values::Constant(value) => {
                    let value = T::from_bits(*value);
                    visit.places_of(run).for_each(|place| window[place] = value);
                }
                Values::Plain(bytes) => {
                    let values =
                        bytes[run.start * size_of::<T>()..run.end * size_of::<T>()].chunks_exact(size_of::<T>());
                    let values = values.map(bytemuck::pod_read_unaligned);
                    visit.places_of(run).zip(values).for_each(|(place, value)| window[place] = value);
                }
            });
        })
    }
}

/// The rows of one series that belong in one window.
struct Visit<'a> {
    /// Which series.
    series: usize,
    /// The rows, counted in the series.
    rows: Range<usize>,
    /// Their places in the block.
    places: &'a [u32],
    /// The first place of the window.
    first: usize,
}

impl Visit<'_> {
    /// The places of all rows, counted in the window.
    fn places(&self) -> impl Iterator<Item = usize> {
        self.places_of(self.rows.clone())
    }

    /// The places of `rows`, counted in the window.
    fn places_of(&self, rows: Range<usize>) -> impl Iterator<Item = usize> {
        let places = &self.places[rows.start - self.rows.start..rows.end - self.rows.start];
        places.iter().map(|&place| place as usize - self.first)
    }

    /// The rows that have a value, as runs.
    fn valid_runs(&self, nulls: Option<&NullBuffer>) -> impl Iterator<Item = Range<usize>> {
        let start = self.rows.start;
        let all = nulls.is_none().then(|| self.rows.clone());
        let runs = nulls.map(|nulls| {
            BitSliceIterator::new(nulls.validity(), nulls.offset() + start, self.rows.len())
                .map(move |(first, end)| start + first..start + end)
        });
        all.into_iter().chain(runs.into_iter().flatten())
    }
}

/// How many of these ascending places lie below `end`. Few do, as a window holds rows of all series.
fn count_below(places: &[u32], end: u32) -> usize {
    let mut reach = 1;
    while places.get(reach - 1).is_some_and(|&place| place < end) {
        reach *= 2;
    }
    let least = reach / 2;
    least + places[least..places.len().min(reach)].partition_point(|&place| place < end)
}

/// The dates of all series, ascending, and where each date's rows start.
fn count_rows(series: &[(Inputs, Vec<Date>)]) -> (Vec<Date>, Vec<u32>) {
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
fn row_places(series: &[(Inputs, Vec<Date>)], dates: &[Date], row_starts: &[u32]) -> Vec<u32> {
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
