//! Looks over the messages of an Arrow file before they are decoded: bodies and buffers must lie where the format lets
//! them, each apart from the others. The decoder allocates by what a message says, copies what is out of place, and shares
//! what overlaps.

use std::fmt;

use arrow_ipc::{DictionaryBatch, Message, MessageHeader, MetadataVersion, RecordBatch, root_as_message_with_opts};
use arrow_schema::{
    DECIMAL32_MAX_PRECISION, DECIMAL64_MAX_PRECISION, DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType,
};

use flatbuffers::{InvalidFlatbuffer, VerifierOptions};

use crate::reason::{Kind, Reason};
use crate::remedy::Remedy;

/// Before a message stands its length, and before that, in all but old files, this mark.
pub(super) const MARK: [u8; 4] = [0xff; 4];

/// Whether a message says what it means as today's do: version 4 is "non-backwards compatible with V3", and there is none
/// after 5.
pub(in crate::source) fn is_of_known_version(message: &Message) -> bool {
    (MetadataVersion::V4..=MetadataVersion::V5).contains(&message.version())
}

/// Whether a type that an Arrow schema claims is one: the crate takes any number for the digits of a decimal.
pub(in crate::source) fn is_possible(data_type: &DataType) -> bool {
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

/// What is made of each byte of flatbuffers that hold a schema, at most. They may refer to one table or text any number of
/// times, and each becomes a copy; no writer's do.
pub(in crate::source) const COPIES: usize = 8;

/// How far the flatbuffers in `bytes` may be followed: writers' own come to twice their bytes, with what tables share.
pub(super) fn reach(bytes: &[u8]) -> VerifierOptions {
    VerifierOptions { max_apparent_size: bytes.len().saturating_mul(COPIES), ..VerifierOptions::default() }
}

/// The message in `bytes`.
pub(in crate::source) fn message_in(bytes: &[u8]) -> Result<Message<'_>, InvalidFlatbuffer> {
    root_as_message_with_opts(&reach(bytes), bytes)
}

/// Why flatbuffers that hold a schema are not read. They may be whole, and more than the reader follows, as it says only
/// in words.
pub(in crate::source) fn unread(what: &str, error: impl fmt::Display) -> Reason {
    let error = error.to_string();
    let limits = [
        ("depth limit", "has a column of types nested too deeply to be read", "it"),
        ("oo many tables", "has too many columns, or notes on them, to be read", "some"),
    ];
    match limits.into_iter().find(|(limit, ..)| error.contains(limit)) {
        Some((_, what, some)) => {
            Reason::new(Kind::ColumnType, what).or(Remedy::Do(format!("write the file without {some}")))
        }
        None => Reason::damaged(what),
    }
}

/// A message that has rows, or texts that rows refer to.
pub(super) enum Batch<'a> {
    Rows(RecordBatch<'a>, MetadataVersion),
    Dictionary(DictionaryBatch<'a>),
}

/// What the message at the start of `bytes`, which are its length and itself, brings; its body has `body_len` bytes.
///
/// # Errors
/// What is wrong with it, after the name of the message.
pub(super) fn batch(bytes: &[u8], body_len: u64) -> Result<Batch<'_>, &'static str> {
    let unreadable = "has a message that cannot be read";
    let message = message_in(message_of(bytes).ok_or("has a message of another length than it says")?);
    let message = message.map_err(|_| unreadable)?;
    if !is_of_known_version(&message) {
        return Err("has a message of a version of Arrow that is not read");
    }
    if u64::try_from(message.bodyLength()) != Ok(body_len) {
        return Err("has a body of another length than its footer says");
    }
    let (found, batch) = match message.header_type() {
        MessageHeader::RecordBatch => {
            let batch = message.header_as_record_batch().ok_or(unreadable)?;
            (Batch::Rows(batch, message.version()), batch)
        }
        MessageHeader::DictionaryBatch => {
            let dictionary = message.header_as_dictionary_batch().ok_or(unreadable)?;
            (Batch::Dictionary(dictionary), dictionary.data().ok_or(unreadable)?)
        }
        _ => return Err("has a message of another kind than rows or a dictionary"),
    };
    check(batch, body_len)?;
    Ok(found)
}

/// The message in `bytes`, without what stands before it.
pub(super) fn message_of(bytes: &[u8]) -> Option<&[u8]> {
    let (len, message) = bytes.strip_prefix(&MARK).unwrap_or(bytes).split_first_chunk::<4>()?;
    (usize::try_from(i32::from_le_bytes(*len)) == Ok(message.len())).then_some(message)
}

fn check(batch: RecordBatch, body_len: u64) -> Result<(), &'static str> {
    // The first node is that of the first column. A batch that says it has no rows is else taken for one.
    let first = batch.nodes().and_then(|nodes| nodes.iter().next());
    if batch.length() == 0 && first.is_some_and(|node| node.length() != 0) {
        return Err("has a column of more rows than its batch");
    }
    let mut nodes = batch.nodes().into_iter().flatten();
    if batch.length() < 0 || !nodes.all(|node| (0..=node.length()).contains(&node.null_count())) {
        return Err("has a column of fewer rows than nulls");
    }
    let body_len = i64::try_from(body_len).unwrap_or(i64::MAX);
    let mut end = 0;
    for buffer in batch.buffers().into_iter().flatten() {
        if buffer.length() == 0 && (0..=body_len).contains(&buffer.offset()) {
            continue;
        }
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
