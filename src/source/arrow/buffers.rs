//! The buffers of a batch: which are those of a column, and how many bytes they take unpacked.

use std::collections::VecDeque;
use std::ops::Range;

use arrow_ipc::{CompressionType, MetadataVersion, RecordBatch};
use arrow_schema::{DataType, Schema, UnionMode};

use crate::reason::Reason;
use crate::source::lz4_frame::is_whole;

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

/// What stands before the bytes of a buffer in a batch that is packed: how long it is unpacked.
const PREFIX: usize = size_of::<i64>();
/// "The uncompressed length may be set to -1 to indicate that the data that follows is not compressed".
pub(super) const IS_PLAIN: i64 = -1;

/// A buffer of a batch, as it lies in the body.
pub(super) enum Packed<'b> {
    Plain(&'b [u8]),
    /// In this way, and how long it is unpacked.
    By(CompressionType, usize, &'b [u8]),
}

/// The buffer number `place` of `batch`, which lies in `body`; `None` where it is not there.
pub(super) fn packed<'b>(batch: RecordBatch, place: usize, body: &'b [u8]) -> Option<Packed<'b>> {
    let buffers = batch.buffers()?;
    let buffer = if place < buffers.len() { buffers.get(place) } else { return None };
    let start = usize::try_from(buffer.offset()).ok()?;
    let bytes = body.get(start..start.checked_add(usize::try_from(buffer.length()).ok()?)?)?;
    let Some(compression) = batch.compression().filter(|_| !bytes.is_empty()) else {
        return Some(Packed::Plain(bytes));
    };
    let (prefix, bytes) = bytes.split_first_chunk::<PREFIX>()?;
    Some(match i64::from_le_bytes(*prefix) {
        IS_PLAIN => Packed::Plain(bytes),
        len => Packed::By(compression.codec(), usize::try_from(len).ok()?, bytes),
    })
}

/// Whether what the buffers of `batch` at these places are packed in is there to its end, as far as the decoder does not
/// see to it itself.
pub(super) fn are_whole(batch: RecordBatch, places: &Range<usize>, body: &[u8]) -> bool {
    places.clone().all(|place| match packed(batch, place, body) {
        Some(Packed::By(CompressionType::LZ4_FRAME, 1.., bytes)) => is_whole(bytes),
        found => found.is_some(),
    })
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
            Some(_) if len < PREFIX as u64 => return None,
            Some(_) => match i64::from_le_bytes(prefix(offset)?) {
                IS_PLAIN => len,
                length => u64::try_from(length).ok().filter(|length| *length <= most_of(len))?,
            },
        };
        sum = sum.saturating_add(unpacked);
    }
    Some(sum)
}
