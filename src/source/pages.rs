//! Looks at the page headers of the columns about to be decoded, and refuses sizes that their bytes cannot hold.
//!
//! The decoder takes a header's word for the size of what it unpacks and allocates that much first: two flipped bits
//! could ask for gigabytes and end the process, which nothing catches. A walk over the headers costs some 50 ns a
//! page, and no decoding.

use parquet::basic::CompressionCodec;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::Length;

use super::content::Content;

/// Bytes read for one header; with statistics of long texts it may be longer.
const HEADER: u64 = 1 << 10;

/// Checks the pages of the leaves for which `wanted` is true.
///
/// # Errors
/// The reason to skip the file. A header that cannot be read is left to the decoder, which stops there too.
pub(super) fn check_pages(
    content: &Content,
    metadata: &ParquetMetaData,
    wanted: impl Fn(usize) -> bool,
) -> Result<(), String> {
    let groups = metadata.row_groups().iter();
    let chunks = groups.flat_map(|group| group.columns().iter().enumerate());
    chunks.filter(|(leaf, _)| wanted(*leaf)).try_for_each(|(_, chunk)| check_chunk(content, chunk))
}

/// Checks the pages of one chunk.
///
/// # Errors
/// As [`check_pages`].
pub(super) fn check_chunk(content: &Content, chunk: &ColumnChunkMetaData) -> Result<(), String> {
    let (start, len) = chunk.byte_range();
    let end = start.checked_add(len).filter(|end| *end <= content.len());
    let end = end.ok_or("is truncated or damaged: a column reaches beyond its end")?;
    walk(content, chunk, start, end).ok_or_else(|| {
        format!("is damaged: a page of {:?} claims a size that it cannot have", chunk.column_path().string())
    })
}

/// `None` where a page claims too much.
fn walk(content: &Content, chunk: &ColumnChunkMetaData, start: u64, end: u64) -> Option<()> {
    let total = u64::try_from(chunk.uncompressed_size()).ok()?;
    let mut values_left = u64::try_from(chunk.num_values()).ok()?;
    let mut at = start;
    while at < end && values_left > 0 {
        let Some(page) = page_header(content, at, end) else { return Some(()) };
        let (packed, unpacked) = (u64::try_from(page.compressed).ok()?, u64::try_from(page.uncompressed).ok()?);
        at = at.checked_add(page.header_len)?.checked_add(packed).filter(|next| *next <= end)?;
        // The most a codec makes of a byte. Those without such a bound are held to the footer's total, or to a size
        // that does no harm, as not all writers get the total right.
        let limit = |ratio| packed.saturating_mul(ratio).saturating_add(64);
        let limit = match chunk.compression_codec() {
            CompressionCodec::UNCOMPRESSED => limit(1),
            CompressionCodec::SNAPPY => limit(22),
            CompressionCodec::LZ4 | CompressionCodec::LZ4_RAW => limit(256),
            CompressionCodec::GZIP => limit(1_100),
            _ => total.max(16 << 20),
        };
        // Every entry of a dictionary takes a byte at least: an empty text has its length, booleans have no dictionary.
        let values = u64::try_from(page.values).ok()?;
        let is_dictionary = page.kind == PageKind::Dictionary;
        if unpacked > limit || (is_dictionary && values > unpacked) {
            return None;
        }
        if !is_dictionary {
            values_left = values_left.saturating_sub(values);
        }
    }
    Some(())
}

/// What a page header says.
pub(super) struct Page {
    pub(super) header_len: u64,
    pub(super) compressed: i64,
    pub(super) uncompressed: i64,
    pub(super) values: i64,
    /// CRC-32 of the bytes after the header, where the writer gave one.
    pub(super) checksum: Option<u32>,
    pub(super) kind: PageKind,
    pub(super) encoding: Encoding,
    /// Whether the levels of a page of [`PageKind::Data`] are runs and packed groups.
    pub(super) has_plain_levels: bool,
}

/// What a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageKind {
    Dictionary,
    /// Rows, levels and values packed together.
    Data,
    /// Rows, the levels apart and never packed; or a page of another kind.
    Other,
}

/// How a page's values are coded, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    /// By the dictionary; the entries of a dictionary page may be called so, too, and are plain.
    Dictionary,
    Other,
}

/// The header of the page at `at`, in a column that ends at `end`.
pub(super) fn page_header(content: &Content, at: u64, end: u64) -> Option<Page> {
    let left = end.checked_sub(at)?;
    let parsed = |len: u64| Page::parse(&content.range(at, usize::try_from(len).ok()?).ok()?);
    parsed(left.min(HEADER)).or_else(|| if left > HEADER { parsed(left.min(16 << 20)) } else { None })
}

impl Page {
    /// Reads a PageHeader in Thrift's compact protocol.
    fn parse(bytes: &[u8]) -> Option<Page> {
        let mut thrift = Thrift { bytes };
        let mut page = Page {
            header_len: 0,
            compressed: 0,
            uncompressed: 0,
            values: 0,
            checksum: None,
            kind: PageKind::Other,
            encoding: Encoding::Other,
            has_plain_levels: false,
        };
        let mut last = 0;
        // What the page calls itself, beside the part that it has.
        let mut named = PageKind::Other;
        let mut plain_levels = [false; 2];
        while let Some((id, kind)) = thrift.field(&mut last)? {
            match (id, kind) {
                (1, 5) => {
                    named = match thrift.integer()? {
                        0 => PageKind::Data,
                        2 => PageKind::Dictionary,
                        _ => PageKind::Other,
                    };
                }
                (2, 5) => page.uncompressed = thrift.integer()?,
                (3, 5) => page.compressed = thrift.integer()?,
                (4, 5) => page.checksum = Some(thrift.integer()? as u32),
                // Data page, dictionary page, data page of version 2; all have the number of values first.
                (5 | 7 | 8, 12) => {
                    page.kind = match id {
                        5 => PageKind::Data,
                        7 => PageKind::Dictionary,
                        _ => PageKind::Other,
                    };
                    let mut last = 0;
                    while let Some((id, kind)) = thrift.field(&mut last)? {
                        match (id, kind, page.kind) {
                            (1, 5, _) => page.values = thrift.integer()?,
                            (2, 5, PageKind::Dictionary | PageKind::Data) => {
                                page.encoding = match thrift.integer()? {
                                    0 => Encoding::Plain,
                                    2 | 8 => Encoding::Dictionary,
                                    _ => Encoding::Other,
                                };
                            }
                            (3, 5, PageKind::Data) => plain_levels[0] = thrift.integer()? == 3,
                            (4, 5, PageKind::Data) => plain_levels[1] = thrift.integer()? == 3,
                            (_, kind, _) => thrift.skip(kind, 0)?,
                        }
                    }
                }
                (_, kind) => thrift.skip(kind, 0)?,
            }
        }
        if page.kind != named {
            page.kind = PageKind::Other;
        }
        page.has_plain_levels = plain_levels == [true; 2];
        page.header_len = (bytes.len() - thrift.bytes.len()) as u64;
        Some(page)
    }
}

/// Structs and lists within one another that are followed, at most; the decoder follows as many.
const DEEPEST: u8 = 64;

/// The little of Thrift's compact protocol that page headers and footers need.
pub(super) struct Thrift<'a> {
    pub(super) bytes: &'a [u8],
}

impl Thrift<'_> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn integer(&mut self) -> Option<i64> {
        let zigzag = self.varint()?;
        Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// The next field's id and kind; `Some(None)` at the end of the struct.
    pub(super) fn field(&mut self, last: &mut i64) -> Option<Option<(i64, u8)>> {
        let head = self.byte()?;
        if head == 0 {
            return Some(None);
        }
        *last = match head >> 4 {
            0 => self.integer()?,
            delta => last.checked_add(i64::from(delta))?,
        };
        Some(Some((*last, head & 15)))
    }

    /// Bytes or a text.
    pub(super) fn binary(&mut self) -> Option<&[u8]> {
        let len = usize::try_from(self.varint()?).ok()?;
        let (bytes, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(bytes)
    }

    /// The number of a list's elements, and their kind.
    pub(super) fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        Some((count, head & 15))
    }

    /// Passes a value that lies within `depth` others.
    pub(super) fn skip(&mut self, kind: u8, depth: u8) -> Option<()> {
        match kind {
            1 | 2 => Some(()),
            3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.advance(8),
            8 => {
                let len = self.varint()?;
                self.advance(len)
            }
            9 | 10 if depth < DEEPEST => {
                let (count, kind) = self.list()?;
                // Within a list a boolean takes a byte, so each turn consumes one at least.
                let element = if matches!(kind, 1 | 2) { 3 } else { kind };
                (0..count).try_for_each(|_| self.skip(element, depth + 1))
            }
            12 if depth < DEEPEST => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip(kind, depth + 1)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    fn advance(&mut self, len: u64) -> Option<()> {
        self.bytes = self.bytes.get(usize::try_from(len).ok()?..)?;
        Some(())
    }
}
