//! Views under nulls, of which the format says nothing: "undefined". The decoder looks at them all the same, and gives a
//! column up whose writer left there what is no view.

use std::borrow::Cow;
use std::io::Read;

use arrow_ipc::{CompressionType, RecordBatch};
use arrow_schema::DataType;

use super::buffers::{IS_PLAIN, Packed, packed};

/// Bytes of a view.
const VIEW: usize = 16;

/// Whether values of this type are views.
pub(super) fn is_view(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8View | DataType::BinaryView)
}

/// The message of `batch` and its body, of which zeros take the place of views under nulls, in columns whose first buffers
/// are at these places; and how many nulls each of these has. They lie behind the others, unpacked, and the message says
/// so. `None` where one cannot be read.
pub(super) fn with_views_cleared(
    batch: RecordBatch,
    columns: impl Iterator<Item = usize>,
    (message, body): (&[u8], &[u8]),
) -> Option<(Vec<u8>, Vec<usize>)> {
    let mut counts = Vec::new();
    let mut cleared = [message, body].concat();
    // The buffers are as many pairs of an offset and a length.
    let pairs = batch.buffers()?.bytes().as_ptr() as usize - message.as_ptr() as usize;
    for nulls_at in columns {
        let nulls = unpacked(packed(batch, nulls_at, body)?)?;
        let mut views = unpacked(packed(batch, nulls_at + 1, body)?)?.into_owned();
        let mut count = 0;
        for (view, row) in views.chunks_exact_mut(VIEW).zip(0..usize::try_from(batch.length()).ok()?) {
            // A column without nulls may leave their buffer out.
            if nulls.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 0) {
                view.fill(0);
                count += 1;
            }
        }
        counts.push(count);
        cleared.resize(cleared.len().next_multiple_of(8), 0);
        let start = cleared.len() - message.len();
        if batch.compression().is_some() {
            cleared.extend(IS_PLAIN.to_le_bytes());
        }
        cleared.append(&mut views);
        let len = cleared.len() - message.len() - start;
        let pair = pairs + (nulls_at + 1) * VIEW;
        cleared.get_mut(pair..pair + 8)?.copy_from_slice(&(start as i64).to_le_bytes());
        cleared.get_mut(pair + 8..pair + 16)?.copy_from_slice(&(len as i64).to_le_bytes());
    }
    Some((cleared, counts))
}

/// The bytes of a buffer; `None` where it does not hold as many as it says.
fn unpacked(buffer: Packed<'_>) -> Option<Cow<'_, [u8]>> {
    let (len, bytes) = match buffer {
        Packed::Plain(bytes) => return Some(Cow::Borrowed(bytes)),
        Packed::By(CompressionType::ZSTD, len, bytes) => (len, zstd::bulk::decompress(bytes, len).ok()?),
        Packed::By(_, len, bytes) => {
            let mut unpacked = Vec::new();
            lz4_flex::frame::FrameDecoder::new(bytes).take(len as u64).read_to_end(&mut unpacked).ok()?;
            (len, unpacked)
        }
    };
    (bytes.len() == len).then_some(Cow::Owned(bytes))
}
