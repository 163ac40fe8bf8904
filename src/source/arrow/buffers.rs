//! The buffers of a batch: which are those of a column, and how many bytes they take unpacked.

use std::collections::VecDeque;
use std::ops::Range;

use arrow_ipc::{MetadataVersion, RecordBatch};
use arrow_schema::{DataType, Schema, UnionMode};

use crate::reason::Reason;

/// The buffers of each column of `schema`, by their places among those of `batch`; `None` where it has not as many.
pub(super) fn buffers_of(schema: &Schema, batch: RecordBatch, version: MetadataVersion) -> Option<Vec<Range<usize>>> {
    let variadic = batch.variadicBufferCounts().into_iter().flatten().collect();
    let count = batch.buffers().map_or(0, |buffers| buffers.len());
    let mut walk = Walk { at: 0, count, variadic, has_nulls_of_unions: version < MetadataVersion::V5 };
    let mut places = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let start = walk.at;
        walk.pass(field.data_type())?;
        places.push(start..walk.at);
    }
    (walk.at == count).then_some(places)
}

struct Walk {
    at: usize,
    count: usize,
    variadic: VecDeque<i64>,
    has_nulls_of_unions: bool,
}

impl Walk {
    fn pass(&mut self, data_type: &DataType) -> Option<()> {
        let own = match data_type {
            DataType::Null | DataType::RunEndEncoded(..) => 0,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => 3,
            DataType::Utf8View | DataType::BinaryView => {
                usize::try_from(self.variadic.pop_front()?).ok()?.checked_add(2)?
            }
            DataType::ListView(_) | DataType::LargeListView(_) => 3,
            DataType::Struct(_) | DataType::FixedSizeList(..) => 1,
            DataType::Union(_, mode) => {
                1 + usize::from(*mode == UnionMode::Dense) + usize::from(self.has_nulls_of_unions)
            }
            _ => 2,
        };
        self.at = self.at.checked_add(own).filter(|at| *at <= self.count)?;
        match data_type {
            DataType::List(inner)
            | DataType::LargeList(inner)
            | DataType::ListView(inner)
            | DataType::LargeListView(inner)
            | DataType::FixedSizeList(inner, _)
            | DataType::Map(inner, _) => self.pass(inner.data_type()),
            DataType::Struct(fields) => fields.iter().try_for_each(|field| self.pass(field.data_type())),
            DataType::RunEndEncoded(ends, values) => {
                self.pass(ends.data_type())?;
                self.pass(values.data_type())
            }
            DataType::Union(fields, _) => fields.iter().try_for_each(|(_, field)| self.pass(field.data_type())),
            _ => Some(()),
        }
    }
}

/// All buffers of `batch`.
pub(super) fn all(batch: RecordBatch) -> Range<usize> {
    0..batch.buffers().map_or(0, |buffers| buffers.len())
}

/// Why a file is skipped whose buffers are not those of its columns.
pub(super) fn unmatched() -> Reason {
    Reason::damaged("its buffers are not what its schema and they themselves say")
}

/// The most bytes that so many packed ones hold: zstd has blocks of 128 KiB of which four bytes tell.
fn most_of(packed: u64) -> u64 {
    packed.saturating_mul(1 << 15).saturating_add(1 << 17)
}

/// The bytes that the buffers of `batch` at these places take once they are unpacked, by their own account; `prefix` gives
/// the first eight bytes of a buffer that begins there in the body. `None` where one has none, or one that it cannot have.
pub(super) fn unpacked_len(
    batch: RecordBatch,
    places: &Range<usize>,
    prefix: impl Fn(u64) -> Option<[u8; 8]>,
) -> Option<u64> {
    let mut sum = 0_u64;
    let buffers = batch.buffers().into_iter().flatten().skip(places.start).take(places.len());
    for buffer in buffers.filter(|buffer| buffer.length() > 0) {
        let (offset, len) = (buffer.offset() as u64, buffer.length() as u64);
        let unpacked = match batch.compression() {
            None => len,
            Some(_) if len < 8 => return None,
            // "The uncompressed length may be set to -1 to indicate that the data that follows is not compressed".
            Some(_) => match i64::from_le_bytes(prefix(offset)?) {
                -1 => len,
                length => u64::try_from(length).ok().filter(|length| *length <= most_of(len))?,
            },
        };
        sum = sum.saturating_add(unpacked);
    }
    Some(sum)
}
