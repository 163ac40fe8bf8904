//! The pages of one column chunk, each checked before the decoder sees it: a header by the letter, sizes that its
//! bytes can have, the checksum, and contents as many as it claims.
//!
//! The decoder takes much of this for granted. It allocates by what a header says, reads on into the next chunk, and
//! makes rows of pages that other readers refuse.

use bytes::Bytes;
use parquet::basic::{CompressionCodec, Encoding, Type};
use parquet::column::page::Page;

use super::contents::{BESIDE, Dictionary, Leaf, decoded_len, present, split, surplus};
use super::inflate::Inflater;
use super::thrift::{FALSE, I32, STRUCT, TRUE, Thrift};
use crate::source::content::Content;

/// Bytes read for one header; with statistics of long texts it may be longer.
const HEADER: u64 = 1 << 10;
const LONGEST_HEADER: u64 = 16 << 20;

/// What a page header says.
#[derive(Debug, PartialEq)]
pub(in crate::source) struct Header {
    pub(in crate::source) header_len: u64,
    pub(in crate::source) compressed: u32,
    pub(in crate::source) uncompressed: u32,
    crc: Option<u32>,
    pub(in crate::source) kind: PageKind,
}

/// What a page is.
#[derive(Debug, PartialEq)]
pub(in crate::source) enum PageKind {
    Dictionary {
        values: u32,
        encoding: i64,
    },
    /// Rows, levels and values packed together.
    Data {
        values: u32,
        encoding: i64,
        level_encoding: i64,
    },
    /// Rows, the levels apart and never packed.
    DataV2 {
        values: u32,
        nulls: u32,
        rows: u32,
        encoding: i64,
        levels_len: [u32; 2],
        is_packed: bool,
    },
    /// A page that readers pass.
    Other,
}

/// The header of the page at `at`, in a column that ends at `end`.
pub(in crate::source) fn page_header(content: &Content, at: u64, end: u64) -> Option<Header> {
    let most = end.checked_sub(at)?.min(LONGEST_HEADER);
    let mut len = HEADER.min(most);
    // More each time, so that what is read for long headers is a few times as much as they have.
    loop {
        let header = Header::parse(&content.range(at, usize::try_from(len).ok()?).ok()?);
        if header.is_some() || len == most {
            return header;
        }
        len = (len * 4).min(most);
    }
}

impl Header {
    /// Reads a PageHeader. `None` where one of its fields is of another type than the format's, or a required one is
    /// not there.
    fn parse(bytes: &[u8]) -> Option<Header> {
        let mut thrift = Thrift { bytes };
        let (mut named, mut compressed, mut uncompressed, mut crc) = (None, None, None, None);
        let [mut data, mut dictionary, mut data_v2] = [None, None, None];
        let mut last = 0;
        while let Some((id, kind)) = thrift.field(&mut last)? {
            match (id, kind) {
                (1, I32) => named = Some(thrift.integer()?),
                (2, I32) => uncompressed = Some(thrift.count()?),
                (3, I32) => compressed = Some(thrift.count()?),
                (4, I32) => crc = Some(thrift.integer()? as u32),
                (5, STRUCT) => data = Some(Numbers::read(&mut thrift, &DATA)?),
                (7, STRUCT) => dictionary = Some(Numbers::read(&mut thrift, &DICTIONARY)?),
                (8, STRUCT) => data_v2 = Some(Numbers::read(&mut thrift, &DATA_V2)?),
                (1..=5 | 7 | 8, _) => return None,
                (_, kind) => thrift.skip(kind, 0)?,
            }
        }
        let kind = match named? {
            0 => data?.data()?,
            2 => dictionary?.dictionary()?,
            3 => data_v2?.data_v2()?,
            _ => PageKind::Other,
        };
        let header_len = (bytes.len() - thrift.bytes.len()) as u64;
        Some(Header { header_len, compressed: compressed?, uncompressed: uncompressed?, crc, kind })
    }
}

/// The types of the fields of the parts that a page header may have; TRUE stands for a boolean.
const DATA: [u8; 5] = [I32, I32, I32, I32, STRUCT];
const DICTIONARY: [u8; 3] = [I32, I32, TRUE];
const DATA_V2: [u8; 8] = [I32, I32, I32, I32, I32, I32, TRUE, STRUCT];

/// The numbers of one such part, by field; a boolean is 0 or 1.
struct Numbers([Option<i64>; 8]);

impl Numbers {
    fn read(thrift: &mut Thrift, kinds: &[u8]) -> Option<Numbers> {
        let mut numbers = [None; 8];
        let mut last = 0;
        while let Some((id, kind)) = thrift.field(&mut last)? {
            let place = usize::try_from(id).ok().and_then(|id| id.checked_sub(1)).filter(|place| *place < kinds.len());
            let number = match (place.map(|place| kinds[place]), kind) {
                (Some(I32), I32) => Some(thrift.integer()?),
                (Some(TRUE), TRUE | FALSE) => Some(i64::from(kind == TRUE)),
                // Statistics, and what is not known.
                (Some(STRUCT), STRUCT) | (None, _) => {
                    thrift.skip(kind, 0)?;
                    None
                }
                _ => return None,
            };
            if let (Some(place), Some(_)) = (place, number) {
                numbers[place] = number;
            }
        }
        Some(Numbers(numbers))
    }

    fn count(&self, field: usize) -> Option<u32> {
        u32::try_from(self.0[field - 1]?).ok().filter(|count| i32::try_from(*count).is_ok())
    }

    fn data(self) -> Option<PageKind> {
        self.0[3]?;
        Some(PageKind::Data { values: self.count(1)?, encoding: self.0[1]?, level_encoding: self.0[2]? })
    }

    fn dictionary(self) -> Option<PageKind> {
        Some(PageKind::Dictionary { values: self.count(1)?, encoding: self.0[1]? })
    }

    fn data_v2(self) -> Option<PageKind> {
        Some(PageKind::DataV2 {
            values: self.count(1)?,
            nulls: self.count(2)?,
            rows: self.count(3)?,
            encoding: self.0[3]?,
            levels_len: [self.count(5)?, self.count(6)?],
            // "Missing or true": the values are packed.
            is_packed: self.0[6] != Some(0),
        })
    }
}

/// Why the pages of a chunk are not handed on.
pub(in crate::source) enum Fault {
    /// What is wrong with a page.
    Damaged(&'static str),
    /// They are packed in a way that nobody here unpacks.
    Lzo,
    /// It would take so many bytes, more than there are.
    TooLarge(u64),
    /// With it, so many bytes of dictionaries were unpacked that have more entries than there are rows.
    Idle(u64),
}

/// What a chunk's pages depend on.
#[derive(Debug, Clone, Copy)]
pub(in crate::source) struct Extent {
    /// Where its pages begin and end.
    pub(in crate::source) start: u64,
    pub(in crate::source) end: u64,
    pub(in crate::source) rows: u64,
    pub(in crate::source) codec: CompressionCodec,
    pub(in crate::source) leaf: Leaf,
}

/// The pages of one chunk, in order.
pub(in crate::source) struct Pages {
    content: Content,
    chunk: Extent,
    at: u64,
    values_left: u64,
    dictionary: Option<Dictionary>,
    /// Whether there is a dictionary that was too large to be looked at.
    is_unseen: bool,
    inflater: Inflater,
}

/// A page that may be decoded, and what it takes.
pub(in crate::source) struct Checked {
    pub(in crate::source) page: Page,
    /// Bytes of its values, decoded.
    pub(in crate::source) decoded_len: u64,
}

/// A page whose header was read.
struct Found {
    header: Header,
    /// Where its bytes begin.
    start: u64,
    /// How many of them are packed.
    packed_len: u32,
}

/// Bytes that a page takes.
pub(super) struct Weight {
    /// Its values, decoded.
    pub(super) decoded_len: u64,
    /// The page itself, as long as the decoder has no other.
    pub(super) page_len: u64,
    /// As a dictionary, which the decoder keeps.
    pub(super) dictionary_len: u64,
}

impl Weight {
    pub(super) fn of(Checked { page, decoded_len }: &Checked, leaf: Leaf) -> Weight {
        let page_len = page.buffer().len() as u64;
        match page {
            Page::DictionaryPage { num_values, .. } => Weight::of_dictionary(leaf, page_len, *num_values),
            _ => Weight { decoded_len: *decoded_len, page_len, dictionary_len: 0 },
        }
    }

    /// A dictionary of `entries` in a page of so many bytes.
    fn of_dictionary(leaf: Leaf, page_len: u64, entries: u32) -> Weight {
        /// Where a text ends, and how long it is.
        const TEXT: u64 = 12;
        let entry = if leaf.physical == Type::BYTE_ARRAY { TEXT } else { 0 };
        let dictionary_len = page_len.saturating_add(entry.saturating_mul(u64::from(entries)));
        Weight { decoded_len: 0, page_len, dictionary_len }
    }
}

/// What it takes to unpack a page, by its header.
pub(super) struct Need {
    /// Bytes that are held then, at most.
    pub(super) held: u64,
    /// Bytes of a dictionary that has more entries than there are rows.
    pub(super) idle: u64,
}

impl Need {
    /// Allows pages of `most` bytes.
    pub(super) fn of_at_most(most: u64) -> impl Fn(&Need) -> Result<(), Fault> {
        move |need| if need.held <= most { Ok(()) } else { Err(Fault::TooLarge(need.held)) }
    }
}

impl Pages {
    pub(in crate::source) fn new(content: Content, chunk: Extent) -> Pages {
        let (at, values_left) = (chunk.start, chunk.rows);
        Pages { content, chunk, at, values_left, dictionary: None, is_unseen: false, inflater: Inflater::default() }
    }

    /// The column that they are of.
    pub(in crate::source) fn leaf(&self) -> Leaf {
        self.chunk.leaf
    }

    /// The next page, unless all values were there. `may` is asked whether it may be unpacked.
    ///
    /// # Errors
    /// What is wrong with it, or what `may` says.
    pub(super) fn next(&mut self, may: impl Fn(&Need) -> Result<(), Fault>) -> Result<Option<Checked>, Fault> {
        match self.next_unpacked(may)? {
            Some((kind, body)) => self.checked(&kind, body).map(Some),
            None => Ok(None),
        }
    }

    /// As [`next`](Self::next), but nobody looked into the page.
    ///
    /// # Errors
    /// Likewise.
    pub(super) fn next_unpacked(
        &mut self,
        may: impl Fn(&Need) -> Result<(), Fault>,
    ) -> Result<Option<(PageKind, Bytes)>, Fault> {
        match self.next_found()? {
            Some(found) => self.unpack(found, may).map(Some),
            None => Ok(None),
        }
    }

    /// What the next page takes, by its header alone where that tells it. Without a dictionary that is too large to be
    /// looked at, pages that refer to it say nothing, and are the end.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(super) fn next_weight(&mut self, may: impl Fn(&Need) -> Result<(), Fault>) -> Result<Option<Weight>, Fault> {
        let Some(found) = self.next_found()? else { return Ok(None) };
        let told = self.told(&found.header);
        let is_of_texts = self.chunk.leaf.physical == Type::BYTE_ARRAY;
        let is_dictionary = is_of_texts && matches!(found.header.kind, PageKind::Dictionary { .. });
        if told.is_some() && !is_dictionary {
            return Ok(told);
        }
        if self.is_unseen {
            return Ok(None);
        }
        match self.unpack(found, may) {
            Ok((kind, body)) => {
                let checked = self.checked(&kind, body)?;
                Ok(Some(Weight::of(&checked, self.chunk.leaf)))
            }
            Err(Fault::TooLarge(_)) if is_dictionary => {
                self.is_unseen = true;
                Ok(told)
            }
            Err(fault) => Err(fault),
        }
    }

    /// The next page with values.
    fn next_found(&mut self) -> Result<Option<Found>, Fault> {
        // Also where no page of it is packed: other readers refuse the chunk by its codec.
        if self.chunk.codec == CompressionCodec::LZO {
            return Err(Fault::Lzo);
        }
        while self.values_left > 0 {
            if self.at >= self.chunk.end {
                return Err(Fault::Damaged("ends before its last value"));
            }
            let header = page_header(&self.content, self.at, self.chunk.end);
            let header = header.ok_or(Fault::Damaged("has a page whose header cannot be read"))?;
            let is_first = self.at == self.chunk.start;
            let start = self.at + header.header_len;
            self.at = start + u64::from(header.compressed);
            let packed_len = self.packed_len(&header).filter(|_| self.at <= self.chunk.end);
            let packed_len = packed_len.ok_or(Fault::Damaged("has a page that claims a size that it cannot have"))?;
            let values = match header.kind {
                PageKind::Dictionary { .. } if !is_first => {
                    return Err(Fault::Damaged("has a dictionary out of place"));
                }
                PageKind::Data { values, .. } | PageKind::DataV2 { values, .. } => u64::from(values),
                PageKind::Dictionary { .. } => u64::MAX,
                PageKind::Other => 0,
            };
            // The decoder would take a page without values for the end.
            if values == 0 {
                continue;
            }
            if values != u64::MAX {
                let left = self.values_left.checked_sub(values);
                self.values_left = left.ok_or(Fault::Damaged("has more values than rows"))?;
            }
            if !self.may_be(&header) {
                return Err(Fault::Damaged("has a page of far more bytes than its values take"));
            }
            return Ok(Some(Found { header, start, packed_len }));
        }
        Ok(None)
    }

    /// A page's bytes. `may` is asked whether it may be unpacked.
    fn unpack(&mut self, found: Found, may: impl Fn(&Need) -> Result<(), Fault>) -> Result<(PageKind, Bytes), Fault> {
        let Found { header, start, packed_len } = found;
        may(&self.need(&header))?;
        let body = self.content.range(start, header.compressed as usize);
        let body = body.map_err(|_| Fault::Damaged("has a page that cannot be read"))?;
        if header.crc.is_some_and(|crc| crc32fast::hash(&body) != crc) {
            return Err(Fault::Damaged("has a page whose checksum does not match"));
        }
        let body = self.unpacked(&header, body, packed_len);
        let body = body.ok_or(Fault::Damaged("has a page that does not unpack to the size that it claims"))?;
        Ok((header.kind, body))
    }

    /// What it takes to unpack a page.
    fn need(&self, header: &Header) -> Need {
        let page_len = u64::from(header.uncompressed);
        let unpacked = match self.content {
            Content::Memory(_) => page_len,
            Content::Disk(..) => page_len + u64::from(header.compressed),
        };
        match header.kind {
            PageKind::Dictionary { values, .. } => {
                let weight = Weight::of_dictionary(self.chunk.leaf, page_len, values);
                let idle = if u64::from(values) > self.chunk.rows { page_len } else { 0 };
                Need { held: unpacked.max(page_len.saturating_add(weight.dictionary_len)), idle }
            }
            _ => Need { held: unpacked, idle: 0 },
        }
    }

    /// What a page takes by its header. Of texts that lie in a dictionary, or begin as others do, only a look at them tells.
    fn told(&self, header: &Header) -> Option<Weight> {
        let (leaf, page_len) = (self.chunk.leaf, u64::from(header.uncompressed));
        let is_text = leaf.physical == Type::BYTE_ARRAY;
        match header.kind {
            PageKind::Dictionary { values, .. } => Some(Weight::of_dictionary(leaf, page_len, values)),
            PageKind::Data { values, encoding, .. } | PageKind::DataV2 { values, encoding, .. } => {
                let texts_len = match encoding {
                    _ if !is_text => 0,
                    0 => page_len,
                    // Their lengths are held beside the texts.
                    6 => page_len + 4 * u64::from(values),
                    _ => return None,
                };
                let decoded_len = texts_len.saturating_add(leaf.slot_len().saturating_mul(values.into()));
                Some(Weight { decoded_len, page_len, dictionary_len: 0 })
            }
            _ => None,
        }
    }

    /// Whether a page may have as many bytes as it claims, unpacked: some writers leave a few behind the values, but to unpack
    /// many for one value takes as long as for many. Texts may have any number, and count against the memory.
    fn may_be(&self, header: &Header) -> bool {
        let is_text = self.chunk.leaf.physical == Type::BYTE_ARRAY;
        let (values, is_of_texts) = match header.kind {
            PageKind::Data { values, encoding, .. } | PageKind::DataV2 { values, encoding, .. } => {
                (values, is_text && !matches!(encoding, 2 | 8))
            }
            PageKind::Dictionary { values, .. } => (values, is_text),
            PageKind::Other => return true,
        };
        // Levels take less than any value is taken to.
        let most = u64::from(values).saturating_mul(2 * self.chunk.leaf.slot_len().max(8));
        is_of_texts || u64::from(header.uncompressed) <= most.saturating_add(BESIDE)
    }

    /// The bytes at the end of a page that are packed; `None` where its sizes contradict each other.
    fn packed_len(&self, header: &Header) -> Option<u32> {
        let [levels, is_packed] = match header.kind {
            PageKind::DataV2 { levels_len: [a, b], is_packed, .. } => [a.checked_add(b)?, u32::from(is_packed)],
            _ => [0, 1],
        };
        // Before each text of a dictionary stands its length.
        if let PageKind::Dictionary { values, .. } = header.kind
            && self.chunk.leaf.physical == Type::BYTE_ARRAY
            && u64::from(values).saturating_mul(size_of::<u32>() as u64) > u64::from(header.uncompressed)
        {
            return None;
        }
        let packed = header.compressed.checked_sub(levels)?;
        let unpacked = u64::from(header.uncompressed.checked_sub(levels)?);
        if is_packed == 0 || self.chunk.codec == CompressionCodec::UNCOMPRESSED {
            return (u64::from(packed) == unpacked).then_some(0);
        }
        // The most that a codec makes of a byte, where it has such a bound.
        let ratio = match self.chunk.codec {
            CompressionCodec::SNAPPY => 22,
            CompressionCodec::LZ4 | CompressionCodec::LZ4_RAW => 256,
            CompressionCodec::GZIP => 1_100,
            _ => u64::MAX,
        };
        (unpacked <= u64::from(packed).saturating_mul(ratio).saturating_add(64)).then_some(packed)
    }

    /// A page's bytes, of which the last `packed_len` are packed.
    fn unpacked(&mut self, header: &Header, body: Bytes, packed_len: u32) -> Option<Bytes> {
        if packed_len == 0 {
            // Where all values are null there are none to unpack.
            return (body.len() == header.uncompressed as usize).then_some(body);
        }
        let (plain, packed) = body.split_at_checked(body.len().checked_sub(packed_len as usize)?)?;
        let len = (header.uncompressed as usize).checked_sub(plain.len())?;
        let mut unpacked = Vec::with_capacity(header.uncompressed as usize);
        unpacked.extend_from_slice(plain);
        if len > 0 {
            self.inflater.inflate(self.chunk.codec, packed, len, &mut unpacked)?;
        }
        Some(Bytes::from(unpacked))
    }

    /// A page for the decoder, if it holds what it claims.
    fn checked(&mut self, kind: &PageKind, body: Bytes) -> Result<Checked, Fault> {
        const LEVELS: Fault = Fault::Damaged("has a page whose levels are damaged or too few");
        let leaf = self.chunk.leaf;
        let page = match *kind {
            PageKind::Dictionary { values, encoding: code @ (0 | 2) } => {
                let dictionary = Dictionary::new(leaf, &body, u64::from(values));
                self.dictionary =
                    Some(dictionary.ok_or(Fault::Damaged("has a dictionary of other entries than it claims"))?);
                let encoding = encoding(code).ok_or(UNKNOWN)?;
                let buf = body.slice(..body.len() - surplus(leaf, Encoding::PLAIN, &body, values.into()));
                let page = Page::DictionaryPage { buf, num_values: values, encoding, is_sorted: false };
                return Ok(Checked { page, decoded_len: 0 });
            }
            PageKind::Data { values, encoding: code, level_encoding } => {
                if leaf.is_optional && level_encoding != LEVELS_RLE {
                    return Err(Fault::Damaged(
                        "has levels in an encoding (BIT_PACKED) that was given up, and that readers do not agree on",
                    ));
                }
                let (levels, bytes) = split(leaf, &body).ok_or(LEVELS)?;
                let present = present(leaf, levels, values.into()).ok_or(LEVELS)?;
                let len = self.decoded_len(code, bytes, values, present)?;
                let (rle, encoding) = (Encoding::RLE, encoding(code).ok_or(UNKNOWN)?);
                let page = Page::DataPage {
                    buf: body.slice(..body.len() - surplus(leaf, encoding, bytes, present)),
                    num_values: values,
                    encoding,
                    def_level_encoding: rle,
                    rep_level_encoding: rle,
                    statistics: None,
                };
                (page, len)
            }
            PageKind::DataV2 { values, nulls, rows, encoding: code, levels_len: [levels_len, others_len], .. } => {
                let levels = body.get(others_len as usize..(others_len + levels_len) as usize).ok_or(LEVELS)?;
                let present = present(leaf, levels, values.into()).ok_or(LEVELS)?;
                if rows != values || u64::from(values) - present != u64::from(nulls) {
                    return Err(Fault::Damaged("has a page of other numbers of rows or nulls than it claims"));
                }
                let bytes = &body[(others_len + levels_len) as usize..];
                let len = self.decoded_len(code, bytes, values, present)?;
                let encoding = encoding(code).ok_or(UNKNOWN)?;
                let page = Page::DataPageV2 {
                    buf: body.slice(..body.len() - surplus(leaf, encoding, bytes, present)),
                    num_values: values,
                    encoding,
                    num_nulls: nulls,
                    num_rows: rows,
                    def_levels_byte_len: levels_len,
                    rep_levels_byte_len: others_len,
                    is_compressed: false,
                    statistics: None,
                };
                (page, len)
            }
            PageKind::Dictionary { .. } | PageKind::Other => return Err(UNKNOWN),
        };
        Ok(Checked { page: page.0, decoded_len: page.1 })
    }

    /// The bytes that a page takes decoded.
    fn decoded_len(&self, code: i64, bytes: &[u8], values: u32, present: u64) -> Result<u64, Fault> {
        let (leaf, dictionary) = (self.chunk.leaf, self.dictionary.as_ref());
        let len = decoded_len(leaf, encoding(code).ok_or(UNKNOWN)?, bytes, present, dictionary);
        let len = len.ok_or(Fault::Damaged("has a page whose values are damaged or too few"))?;
        Ok(len.saturating_add(leaf.slot_len().saturating_mul(values.into())))
    }
}

const UNKNOWN: Fault = Fault::Damaged("is encoded in a way that is not known");

/// The format's number for levels in runs and packed groups.
pub(super) const LEVELS_RLE: i64 = 3;

/// How values are encoded, by the format's number.
pub(in crate::source) fn encoding(code: i64) -> Option<Encoding> {
    Some(match code {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        _ => return None,
    })
}
