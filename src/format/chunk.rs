//! Where a column's bytes lie within a section: the layout of an uncompressed Arrow record batch body.

use std::ops::Range;

/// Every buffer starts on a multiple of this and is padded to one.
pub const ALIGNMENT: u64 = 64;

/// How a column's values are stored in one segment: the width of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Stored {
    /// One bit a value, least significant first.
    Bits = 1,
    /// One byte a value.
    Bytes1 = 2,
    /// Two bytes a value.
    Bytes2 = 3,
    /// Four bytes a value.
    Bytes4 = 4,
    /// Eight bytes a value.
    Bytes8 = 5,
    /// Sixteen bytes a value.
    Bytes16 = 6,
    /// Four-byte codes into the column's dictionary.
    Codes = 7,
}

impl Stored {
    /// The stored type with this number.
    pub fn from_number(number: u8) -> Option<Stored> {
        use Stored::{Bits, Bytes1, Bytes2, Bytes4, Bytes8, Bytes16, Codes};
        [Bits, Bytes1, Bytes2, Bytes4, Bytes8, Bytes16, Codes].into_iter().find(|stored| *stored as u8 == number)
    }

    /// Bytes that `rows` values take, without padding.
    pub const fn byte_len(self, rows: u32) -> u64 {
        let rows = rows as u64;
        match self {
            Stored::Bits => rows.div_ceil(8),
            Stored::Bytes1 => rows,
            Stored::Bytes2 => rows * 2,
            Stored::Bytes4 | Stored::Codes => rows * 4,
            Stored::Bytes8 => rows * 8,
            Stored::Bytes16 => rows * 16,
        }
    }
}

/// The byte ranges of one chunk, relative to its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkLayout {
    /// Validity bits, 1 for a value; absent when there is no null.
    pub validity: Option<Range<usize>>,
    /// The values.
    pub values: Range<usize>,
    /// Length of the whole chunk, a multiple of [`ALIGNMENT`].
    pub byte_len: usize,
}

impl ChunkLayout {
    /// Layout of `rows` values of `stored`, of which `null_count` are null.
    pub fn new(stored: Stored, rows: u32, null_count: u32) -> ChunkLayout {
        let values_len = stored.byte_len(rows);
        let validity_len = if null_count == 0 { 0 } else { Stored::Bits.byte_len(rows) };
        let values_start = validity_len.next_multiple_of(ALIGNMENT);
        ChunkLayout {
            validity: (null_count != 0).then_some(0..validity_len as usize),
            values: values_start as usize..(values_start + values_len) as usize,
            byte_len: (values_start + values_len).next_multiple_of(ALIGNMENT) as usize,
        }
    }
}
