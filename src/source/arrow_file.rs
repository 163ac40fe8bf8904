//! Looks over an Arrow file before it is decoded: its blocks and buffers must lie where the format lets them, each
//! apart from the others. The decoder allocates by what the footer says, copies what is out of place, and shares what
//! overlaps.

use std::ops::Range;

use arrow_ipc::{Block, Message, MessageHeader, MetadataVersion, RecordBatch, root_as_footer, root_as_message};
use arrow_schema::{
    DECIMAL32_MAX_PRECISION, DECIMAL64_MAX_PRECISION, DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType,
};

use crate::reason::{Kind, Reason};
use crate::remedy::Remedy;

/// Bytes before the first message.
const HEAD: usize = 8;
/// Bytes after the footer: its length, and the magic.
const TAIL: usize = 10;

/// Checks a whole file.
///
/// # Errors
/// The reason to skip it.
pub(super) fn check_arrow(bytes: &[u8]) -> Result<(), Reason> {
    let truncated = || Reason::new(Kind::Truncated, "is truncated or damaged: it does not end as an Arrow file does");
    let len = bytes.len().checked_sub(TAIL).ok_or_else(truncated)?;
    let (tail, magic) = bytes[len..].split_at(4);
    if magic != b"ARROW1" {
        return Err(truncated());
    }
    let footer_len = i32::from_le_bytes(tail.try_into().unwrap_or_default());
    let footer_len = usize::try_from(footer_len).ok().filter(|len| *len > 0);
    let start = footer_len.and_then(|footer| len.checked_sub(footer)).filter(|start| *start >= HEAD);
    let start = start.ok_or_else(|| Reason::damaged("its footer cannot be that long"))?;
    let footer = root_as_footer(&bytes[start..len]).map_err(|_| Reason::damaged("its footer cannot be read"))?;
    let mut places: Vec<Range<usize>> = Vec::new();
    let dictionaries = footer.dictionaries().into_iter().flatten().map(|block| (block, true));
    let batches = footer.recordBatches().into_iter().flatten().map(|block| (block, false));
    for (n, (block, is_dictionary)) in dictionaries.chain(batches).enumerate() {
        let place = place(block, start).ok_or_else(|| Reason::damaged(format_args!("block {n} lies out of place")))?;
        check_block(&bytes[place.clone()], block, is_dictionary).map_err(|why| match why {
            COMPRESSED => {
                Reason::new(Kind::Other, COMPRESSED).or(Remedy::Do("write it uncompressed, or as Parquet".to_owned()))
            }
            why => Reason::damaged(format_args!("block {n} {why}")),
        })?;
        places.push(place);
    }
    places.sort_unstable_by_key(|place| place.start);
    match places.windows(2).find(|pair| pair[0].end > pair[1].start) {
        Some(_) => Err(Reason::damaged("two of its blocks lie in the same bytes")),
        None => Ok(()),
    }
}

/// Whether a message says what it means as today's do: version 4 is "non-backwards compatible with V3", and there is none
/// after 5.
pub(super) fn is_of_known_version(message: &Message) -> bool {
    (MetadataVersion::V4..=MetadataVersion::V5).contains(&message.version())
}

/// Whether a type that an Arrow schema claims is one: the crate takes any number for the digits of a decimal.
pub(super) fn is_possible(data_type: &DataType) -> bool {
    let (digits, most) = match data_type {
        DataType::Decimal32(digits, _) => (*digits, DECIMAL32_MAX_PRECISION),
        DataType::Decimal64(digits, _) => (*digits, DECIMAL64_MAX_PRECISION),
        DataType::Decimal128(digits, _) => (*digits, DECIMAL128_MAX_PRECISION),
        DataType::Decimal256(digits, _) => (*digits, DECIMAL256_MAX_PRECISION),
        DataType::Dictionary(_, values) => return is_possible(values),
        _ => return true,
    };
    (1..=most).contains(&digits)
}

/// Arrow would believe whatever size such a file claims, and allocate it.
const COMPRESSED: &str = "is a compressed Arrow file";

/// Where a block lies, before `end`; each part begins at a multiple of eight.
fn place(block: &Block, end: usize) -> Option<Range<usize>> {
    let part = |len: i64| usize::try_from(len).ok().filter(|len| len.is_multiple_of(8));
    let start = part(block.offset()).filter(|start| *start >= HEAD)?;
    let len = part(block.metaDataLength().into()).filter(|len| *len > HEAD)?.checked_add(part(block.bodyLength())?)?;
    Some(start..start.checked_add(len).filter(|to| *to <= end)?)
}

/// Checks the message of a block, which is all of `bytes`.
fn check_block(bytes: &[u8], block: &Block, is_dictionary: bool) -> Result<(), &'static str> {
    let metadata_len = block.metaDataLength() as usize;
    // Before the message stands its length, and before that, in all but old files, a mark.
    let head = if bytes[..4] == [0xff; 4] { 8 } else { 4 };
    let len = bytes[head - 4..head].try_into().map(i32::from_le_bytes).unwrap_or_default();
    if usize::try_from(len).ok().and_then(|len| len.checked_add(head)) != Some(metadata_len) {
        return Err("has a message of another length than its footer says");
    }
    let message = root_as_message(&bytes[head..metadata_len]).map_err(|_| "has a message that cannot be read")?;
    if !is_of_known_version(&message) {
        return Err("has a message of a version of Arrow that is not read");
    }
    if message.bodyLength() != block.bodyLength() {
        return Err("has a body of another length than its footer says");
    }
    let batch = match message.header_type() {
        MessageHeader::RecordBatch if !is_dictionary => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch if is_dictionary => {
            message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data())
        }
        _ => None,
    };
    check_batch(batch.ok_or("has a message of another kind than its footer says")?, block.bodyLength())
}

fn check_batch(batch: RecordBatch, body_len: i64) -> Result<(), &'static str> {
    if batch.compression().is_some() {
        return Err(COMPRESSED);
    }
    let mut nodes = batch.nodes().into_iter().flatten();
    if batch.length() < 0 || !nodes.all(|node| (0..=node.length()).contains(&node.null_count())) {
        return Err("has a column of fewer rows than nulls");
    }
    let mut end = 0;
    for buffer in batch.buffers().into_iter().flatten().filter(|buffer| buffer.length() != 0) {
        if buffer.offset() < end {
            return Err("has buffers in the same bytes, or out of order");
        }
        end = buffer.offset().checked_add(buffer.length()).unwrap_or(i64::MAX);
        if buffer.offset() % 8 != 0 || buffer.length() < 0 || end > body_len {
            return Err("has a buffer out of place");
        }
    }
    Ok(())
}
