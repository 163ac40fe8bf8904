//! Collects series of neighbouring stocks until they make a block.

use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};

use super::block::Block;
use super::gather::{Frame, Inputs};
use super::spill::Spill;
use crate::codec::{DictionaryBuilder, Lane, Values};
use crate::error::Result;
use crate::key::Date;
use crate::panel::{Column, SeriesColumn};

/// What a lane takes beside its values, with the room that a growing list of them has.
const LANE_LEN: usize = 2 * size_of::<(u32, Lane)>();

/// Series of neighbouring stocks, collected until they fill a worker's share of the memory.
pub(crate) struct BlockBuilder {
    /// For each column the lanes of those series that have it, each with its series' number.
    columns: Vec<Vec<(u32, Lane)>>,
    /// Those of the columns that some series has.
    dictionaries: Vec<Option<Box<DictionaryBuilder>>>,
    signed: Vec<bool>,
    /// For each series, the inputs of its rows and its dates.
    series: Vec<(Inputs, Vec<Date>)>,
    byte_len: usize,
}

impl BlockBuilder {
    /// An empty block of a panel with these columns.
    pub(crate) fn new(columns: &[Column]) -> BlockBuilder {
        BlockBuilder {
            columns: columns.iter().map(|_| Vec::new()).collect(),
            dictionaries: columns.iter().map(|_| None).collect(),
            signed: columns.iter().map(|column| column.data_type.is_signed_integer()).collect(),
            series: Vec::new(),
            byte_len: 0,
        }
    }

    /// Adds a series, its columns in the panel's order; `None` for one that its file lacks.
    ///
    /// # Errors
    /// When a column's type is none of a panel's.
    pub(crate) fn push(&mut self, inputs: Inputs, dates: Vec<Date>, columns: Vec<Option<SeriesColumn>>) -> Result<()> {
        let mut lanes: Vec<(usize, Lane)> = Vec::new();
        for (at, values) in columns.into_iter().enumerate() {
            let Some(values) = values else { continue };
            let dictionary = self.dictionaries[at].get_or_insert_default();
            lanes.extend(Lane::new(values, dates.len(), dictionary)?.map(|lane| (at, lane)));
        }
        self.byte_len += pack(&mut lanes) + lanes.len() * LANE_LEN;
        // The dates themselves, and a row's share of what `gather` needs: its place and its widest value.
        self.byte_len += dates.len() * (size_of::<Date>() + size_of::<u32>() + 8);
        if let Inputs::Each(inputs) = &inputs {
            self.byte_len += size_of_val(&inputs[..]);
        }
        let series = self.series.len() as u32;
        for (at, lane) in lanes {
            let column = &mut self.columns[at];
            if column.is_empty() {
                // A vector would make room for four, of columns that most often have one.
                column.reserve_exact(1);
            }
            column.push((series, lane));
        }
        self.series.push((inputs, dates));
        Ok(())
    }

    /// Whether it holds no series.
    pub(crate) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Bytes on the heap that it takes, with what gathering it will take.
    pub(crate) fn byte_len(&self) -> usize {
        self.byte_len + self.dictionaries.iter().flatten().map(|own| own.byte_len()).sum::<usize>()
    }

    /// Gathers the block into `spill`, one column after the other; each column's lanes are dropped as it is done. There
    /// is a block for each band on which it has rows.
    pub(crate) fn gather(self, spill: &Spill) -> Result<Vec<Block>> {
        let frame = Frame::new(self.series);
        let mut columns = Vec::new();
        let all = self.columns.into_iter().zip(self.dictionaries).zip(&self.signed).enumerate();
        for (at, ((lanes, dictionary), &signed)) in all {
            if let Some(column) =
                frame.column(lanes, signed, dictionary.map_or_else(Default::default, |own| *own), spill)?
            {
                columns.push((at, column));
            }
        }
        frame.finish(columns, spill)
    }
}

/// Moves what these lanes hold into one allocation; its length. They live as long as the block, while decoding makes
/// and drops arrays around them: kept one by one, thousands of small pieces cut up the heap, and the allocator spends
/// more time on finding room than the decoder on decoding.
fn pack(lanes: &mut [(usize, Lane)]) -> usize {
    let bits = |lane: &Lane| lane.nulls.as_ref().map(|nulls| nulls.inner().sliced());
    let held: Vec<Option<Buffer>> = lanes.iter().map(|(_, lane)| bits(lane)).collect();
    let mut bytes = Vec::with_capacity(
        lanes.iter().map(|(_, lane)| lane.values.byte_len()).sum::<usize>()
            + held.iter().flatten().map(|bits| bits.len()).sum::<usize>(),
    );
    for ((_, lane), bits) in lanes.iter().zip(&held) {
        if let Values::Plain(values) = &lane.values {
            bytes.extend_from_slice(values);
        }
        bytes.extend_from_slice(bits.as_deref().unwrap_or_default());
    }
    let packed = Buffer::from_vec(bytes);
    let mut at = 0;
    let mut next = |len: usize| {
        at += len;
        packed.slice_with_length(at - len, len)
    };
    for ((_, lane), bits) in lanes.iter_mut().zip(held) {
        if let Values::Plain(values) = &mut lane.values {
            *values = next(values.len());
        }
        if let (Some(nulls), Some(bits)) = (&mut lane.nulls, bits) {
            *nulls = NullBuffer::new(BooleanBuffer::new(next(bits.len()), 0, nulls.len()));
        }
    }
    packed.len()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Array, ArrayRef, Int64Array};

    use super::*;
    use crate::codec::widened;

    #[test]
    fn packed_lanes_hold_what_they_held_before() {
        let large: ArrayRef = Arc::new(Int64Array::from_iter((0..100).map(|n| (n % 3 > 0).then_some(n << 40))));
        let small: ArrayRef = Arc::new(Int64Array::from_iter_values(0..97));
        let one: ArrayRef = Arc::new(Int64Array::from(vec![7; 97]));
        let lane = |array: &ArrayRef| Lane::of_rows(array, &mut DictionaryBuilder::default()).unwrap();
        // Validity bits that do not start on a byte.
        let arrays = [large.slice(3, 97), small, one];
        let mut lanes: Vec<(usize, Lane)> = arrays.iter().map(|array| lane(array).unwrap()).enumerate().collect();
        assert_eq!(pack(&mut lanes), 97 * 8 + 13 + 97);
        let [(0, first), (1, second), (2, third)] = &lanes[..] else { panic!("other lanes") };
        assert_eq!(first.nulls.as_ref(), arrays[0].nulls());
        let values = |lane: &Lane| match &lane.values {
            Values::Plain(bytes) => widened(bytes, lane.stored, true),
            Values::Constant(_) => Vec::new(),
        };
        for (row, value) in values(first).into_iter().enumerate().filter(|(row, _)| arrays[0].is_valid(*row)) {
            assert_eq!(value, (row as i64 + 3) << 40);
        }
        assert_eq!(values(second), (0..97).collect::<Vec<i64>>());
        assert!(second.nulls.is_none() && matches!(third.values, Values::Constant(7)));
    }
}
