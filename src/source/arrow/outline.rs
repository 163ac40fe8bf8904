//! What lies where in an Arrow file: by its footer, or, in a stream, by walking from message to message.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow_ipc::{Block, DictionaryBatch, Endianness, MetadataVersion, root_as_footer_with_opts};
use arrow_schema::SchemaRef;
use bytes::Bytes;
use parquet::file::reader::Length;

use super::buffers::{all, unmatched, unpacked_len};
use super::messages::{Batch, COPIES, MARK, batch, is_possible, message_in, message_of, reach, unread};
use super::schema::schema_of;
use crate::reason::{Kind, Reason};
use crate::remedy::Remedy;
use crate::source::allowance::Meter;
use crate::source::content::{Content, unreadable};

/// The first bytes of a file that is no stream, and its last.
const MAGIC: &[u8] = b"ARROW1";
/// The first bytes of Feather's first version.
const OLD_FEATHER: &[u8] = b"FEA1";
/// Bytes before the first message of a file.
const HEAD: u64 = 8;
/// Bytes after the footer: its length, and the magic.
const TAIL: u64 = 10;

/// A message that has a body.
#[derive(Debug)]
pub(super) struct Part {
    /// Where the message begins.
    start: u64,
    /// Bytes of the message, with what stands before it.
    message_len: u64,
    body_len: u64,
    pub(super) is_dictionary: bool,
}

/// The messages of a file.
#[derive(Debug)]
pub(super) struct Outline {
    pub(super) schema: SchemaRef,
    /// In the order in which they are to be decoded.
    pub(super) parts: Vec<Part>,
    pub(super) row_count: u64,
}

impl Part {
    /// The bytes of the file that it has.
    fn place(&self) -> Range<u64> {
        self.start..self.start + self.message_len + self.body_len
    }

    /// The place of the part as the decoder is told of it.
    pub(super) fn block(&self) -> Block {
        Block::new(self.start as i64, self.message_len as i32, self.body_len as i64)
    }

    /// The bytes of the message and of its body.
    pub(super) fn read(&self, content: &Content) -> Result<Bytes, Reason> {
        content.range(self.start, (self.message_len + self.body_len) as usize).map_err(unreadable)
    }

    /// The bytes of the message and of its body that `bytes` are.
    pub(super) fn split<'b>(&self, bytes: &'b [u8]) -> (&'b [u8], &'b [u8]) {
        bytes.split_at(self.message_len as usize)
    }

    pub(super) fn body_len(&self) -> u64 {
        self.body_len
    }

    /// The bytes of the message.
    pub(super) fn message(&self, content: &Content) -> Result<Bytes, Reason> {
        content.range(self.start, self.message_len as usize).map_err(unreadable)
    }

    /// Eight bytes of the body from `offset` on.
    pub(super) fn prefix(&self, content: &Content, offset: u64) -> Option<[u8; 8]> {
        let at = self.start.checked_add(self.message_len)?.checked_add(offset)?;
        content.range(at, 8).ok()?.first_chunk().copied()
    }

    /// The bytes that the body takes once it is unpacked, by its own account.
    pub(super) fn unpacked_len(&self, content: &Content) -> Result<u64, Reason> {
        let message = self.message(content)?;
        let batch = match batch(&message, self.body_len).map_err(Reason::damaged)? {
            Batch::Rows(rows, _) => Some(rows),
            Batch::Dictionary(dictionary) => dictionary.data(),
        };
        let len = batch.and_then(|batch| unpacked_len(batch, &all(batch), |offset| self.prefix(content, offset)));
        len.ok_or_else(unmatched)
    }
}

impl Outline {
    /// Reads the messages of the file, and not their bodies; what they take is for `meter` to allow.
    ///
    /// # Errors
    /// The reason to skip the file.
    pub(super) fn new(content: &Content, meter: &Meter) -> Result<Outline, Reason> {
        let head = content.range(0, content.len().min(HEAD) as usize).map_err(unreadable)?;
        let walk = Walk { content, meter, parts: Vec::new(), row_count: 0, dictionaries: HashSet::new() };
        if head.starts_with(MAGIC) {
            walk.file()
        } else if head.starts_with(&MARK) {
            walk.stream()
        } else if head.starts_with(OLD_FEATHER) {
            let way_out = "write it as Feather of version 2, or as Parquet".to_owned();
            Err(Reason::new(Kind::OtherFormat, "is Feather of version 1, which is not read").or(Remedy::Do(way_out)))
        } else {
            Err(Reason::new(Kind::OtherFormat, "is not an Arrow file"))
        }
    }
}

struct Walk<'a> {
    content: &'a Content,
    meter: &'a Meter,
    parts: Vec<Part>,
    row_count: u64,
    /// The dictionaries that there were.
    dictionaries: HashSet<i64>,
}

impl Walk<'_> {
    fn file(mut self) -> Result<Outline, Reason> {
        let truncated =
            || Reason::new(Kind::Truncated, "is truncated or damaged: it does not end as an Arrow file does");
        let len = self.content.len().checked_sub(TAIL).filter(|len| *len >= HEAD).ok_or_else(truncated)?;
        let tail = self.message(len, TAIL)?;
        let (footer_len, magic) = tail.split_at(4);
        if magic != MAGIC {
            return Err(truncated());
        }
        let footer_len = i32::from_le_bytes(footer_len.try_into().unwrap_or_default());
        let start = u64::try_from(footer_len).ok().filter(|len| *len > 0).and_then(|footer| len.checked_sub(footer));
        let start = start.filter(|start| *start >= HEAD);
        let start = start.ok_or_else(|| Reason::damaged("its footer cannot be that long"))?;
        let footer = self.footer(start, len - start)?;
        let footer = root_as_footer_with_opts(&reach(&footer), &footer)
            .map_err(|error| unread("its footer cannot be read", error))?;
        let schema = schema(footer.schema(), footer.version())?;
        let dictionaries = footer.dictionaries().into_iter().flatten().map(|block| (block, true));
        let batches = footer.recordBatches().into_iter().flatten().map(|block| (block, false));
        let damaged = |n: usize, why: &str| Reason::damaged(format_args!("block {n} {why}"));
        let mut parts = Vec::new();
        for (n, (block, is_dictionary)) in dictionaries.chain(batches).enumerate() {
            parts.push(part_of(block, start, is_dictionary).ok_or_else(|| damaged(n, "lies out of place"))?);
        }
        // Before any is read: one message would be read as often as blocks say where it is.
        let mut places: Vec<Range<u64>> = parts.iter().map(Part::place).collect();
        places.sort_unstable_by_key(|place| place.start);
        if places.windows(2).any(|pair| pair[0].end > pair[1].start) {
            return Err(Reason::damaged("two of its blocks lie in the same bytes"));
        }
        self.content.check_used(places.iter().map(|place| place.end - place.start).sum::<u64>() + TAIL)?;
        for (n, part) in parts.into_iter().enumerate() {
            let damaged = |why: &str| damaged(n, why);
            let message = self.message(part.start, part.message_len)?;
            let found = batch(&message, part.body_len).map_err(damaged)?;
            match (&found, part.is_dictionary) {
                (Batch::Rows(..), false) | (Batch::Dictionary(_), true) => {}
                _ => return Err(damaged("has a message of another kind than its footer says")),
            }
            let is_known = |dictionary: &DictionaryBatch| self.dictionaries.contains(&dictionary.id());
            match &found {
                Batch::Dictionary(dictionary) if is_known(dictionary) && !dictionary.isDelta() => {
                    return Err(damaged("has a dictionary that another block has, too"));
                }
                found => self.take(found)?,
            }
            self.parts.push(part);
        }
        Ok(Outline { schema, parts: self.parts, row_count: self.row_count })
    }

    fn stream(mut self) -> Result<Outline, Reason> {
        let truncated = || {
            let what = "is truncated: it begins as a stream of Arrow but does not end as one";
            Reason::new(Kind::Truncated, what).or(Remedy::Do("write it anew, and close it".to_owned()))
        };
        let mut known: Option<SchemaRef> = None;
        let mut at = 0;
        for n in 0.. {
            let damaged = |why: &str| Reason::damaged(format_args!("message {n} {why}"));
            if self.content.len() - at < HEAD {
                return Err(truncated());
            }
            let head = self.message(at, HEAD)?;
            let (mark, len) = head.split_at(4);
            let len = i32::from_le_bytes(len.try_into().unwrap_or_default());
            if mark != MARK {
                return Err(damaged("does not begin as one"));
            }
            if len == 0 {
                at += HEAD;
                break;
            }
            let message_len = u64::try_from(len).ok().filter(|len| len.is_multiple_of(8));
            let message_len = message_len.ok_or_else(|| damaged("has no length"))? + HEAD;
            if self.content.len() - at < message_len {
                return Err(truncated());
            }
            let bytes = if known.is_none() { self.footer(at, message_len)? } else { self.message(at, message_len)? };
            let message = message_in(message_of(&bytes).ok_or_else(|| damaged("cannot be read"))?);
            let message = message.map_err(|error| match known {
                None => unread("its schema cannot be read", error),
                Some(_) => damaged("cannot be read"),
            })?;
            if known.is_none() {
                known = Some(schema(message.header_as_schema(), message.version())?);
                at += message_len;
                continue;
            }
            let body_len = u64::try_from(message.bodyLength()).ok().filter(|len| len.is_multiple_of(8));
            let body_len = body_len.ok_or_else(|| damaged("has a body of no length"))?;
            let found = batch(&bytes, body_len).map_err(damaged)?;
            self.take(&found)?;
            let is_dictionary = matches!(found, Batch::Dictionary(_));
            self.parts.push(Part { start: at, message_len, body_len, is_dictionary });
            let end = at.checked_add(message_len).and_then(|end| end.checked_add(body_len));
            at = end.filter(|end| *end <= self.content.len()).ok_or_else(truncated)?;
        }
        let schema = known.ok_or_else(|| Reason::damaged("it has no schema"))?;
        if at != self.content.len() {
            return Err(Reason::damaged("it goes on after its end"));
        }
        Ok(Outline { schema, parts: self.parts, row_count: self.row_count })
    }

    /// The bytes of a message, of which a few numbers are kept.
    fn message(&self, start: u64, len: u64) -> Result<Bytes, Reason> {
        self.read(start, len, size_of::<Part>() as u64)
    }

    /// The bytes of a footer or a schema, of which a few times as many are made.
    fn footer(&self, start: u64, len: u64) -> Result<Bytes, Reason> {
        self.read(start, len, COPIES as u64 * len.min(self.content.len()))
    }

    fn read(&self, start: u64, len: u64, kept: u64) -> Result<Bytes, Reason> {
        let len = len.min(self.content.len());
        if !self.meter.take(kept, len) {
            let needed = self.meter.used().saturating_add(kept).saturating_add(len);
            return Err(self.meter.allowance.refusal("what it says of itself", needed));
        }
        self.content.range(start, len as usize).map_err(unreadable)
    }

    fn take(&mut self, found: &Batch) -> Result<(), Reason> {
        match found {
            Batch::Rows(rows, _) => {
                let sum = self.row_count.checked_add(rows.length() as u64);
                self.row_count = sum.ok_or_else(|| Reason::damaged("it has more rows than there can be"))?;
            }
            Batch::Dictionary(dictionary) => {
                if dictionary.isDelta() {
                    let what = "has a dictionary in several pieces, which is not read";
                    let way_out = Remedy::Do("write each dictionary whole, or the file as Parquet".to_owned());
                    return Err(Reason::new(Kind::Other, what).or(way_out));
                }
                self.dictionaries.insert(dictionary.id());
            }
        }
        Ok(())
    }
}

/// Where a block lies, before `end`; each part begins at a multiple of eight.
fn part_of(block: &Block, end: u64, is_dictionary: bool) -> Option<Part> {
    let length = |len: i64| u64::try_from(len).ok().filter(|len| len.is_multiple_of(8));
    let start = length(block.offset()).filter(|start| *start >= HEAD)?;
    let message_len = length(block.metaDataLength().into()).filter(|len| *len > HEAD)?;
    let body_len = length(block.bodyLength())?;
    start.checked_add(message_len)?.checked_add(body_len).filter(|to| *to <= end)?;
    Some(Part { start, message_len, body_len, is_dictionary })
}

fn schema(schema: Option<arrow_ipc::Schema>, version: MetadataVersion) -> Result<SchemaRef, Reason> {
    const UNREAD: &str = "its schema cannot be read";
    let anew = || Remedy::Do("write it anew with a newer Arrow, or as Parquet".to_owned());
    // Zeros are of version 1 and have no schema.
    let schema = schema.ok_or_else(|| Reason::damaged(UNREAD))?;
    if !(MetadataVersion::V4..=MetadataVersion::V5).contains(&version) {
        let what = format!("is of version {} of Arrow's format, which is not read", i64::from(version.0) + 1);
        return Err(Reason::new(Kind::Other, what).or(anew()));
    }
    if schema.endianness() != Endianness::Little {
        let what = "has its numbers in big-endian order, which is not read";
        return Err(Reason::new(Kind::Other, what).or(anew()));
    }
    let schema = schema_of(schema, UNREAD)?;
    if !schema.fields().iter().all(|field| is_possible(field.data_type())) {
        return Err(Reason::damaged("its schema has a decimal of no digits, or of too many"));
    }
    Ok(Arc::new(schema))
}
