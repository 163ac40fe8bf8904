//! The little of Thrift's compact protocol that page headers and footers need, read strictly: a known field of another
//! type than the format's is damage. Readers that skip or believe such a field see different files in the same bytes.

/// Structs and lists within one another that are followed, at most; the decoder follows as many.
const DEEPEST: u8 = 64;

pub(in crate::source) const TRUE: u8 = 1;
pub(in crate::source) const FALSE: u8 = 2;
pub(in crate::source) const BYTE: u8 = 3;
pub(in crate::source) const I16: u8 = 4;
pub(in crate::source) const I32: u8 = 5;
pub(in crate::source) const I64: u8 = 6;
const DOUBLE: u8 = 7;
pub(in crate::source) const BINARY: u8 = 8;
pub(in crate::source) const LIST: u8 = 9;
const SET: u8 = 10;
pub(in crate::source) const STRUCT: u8 = 12;

/// Bytes that are read from the front. `None` is bytes that are no Thrift.
pub(in crate::source) struct Thrift<'a> {
    pub(in crate::source) bytes: &'a [u8],
}

impl Thrift<'_> {
    pub(in crate::source) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(first)
    }

    pub(in crate::source) fn varint(&mut self) -> Option<u64> {
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

    pub(in crate::source) fn integer(&mut self) -> Option<i64> {
        let zigzag = self.varint()?;
        Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// An integer that counts something, in 32 bits.
    pub(in crate::source) fn count(&mut self) -> Option<u32> {
        i32::try_from(self.integer()?).ok()?.try_into().ok()
    }

    /// The next field's id and kind; `Some(None)` at the end of the struct.
    pub(in crate::source) fn field(&mut self, last: &mut i64) -> Option<Option<(i64, u8)>> {
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

    /// The number of a list's elements, and their kind.
    pub(in crate::source) fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        Some((count, head & 15))
    }

    /// Bytes or a text.
    pub(in crate::source) fn binary(&mut self) -> Option<&[u8]> {
        let len = usize::try_from(self.varint()?).ok()?;
        let (bytes, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(bytes)
    }

    /// Passes a value that lies within `depth` others.
    pub(in crate::source) fn skip(&mut self, kind: u8, depth: u8) -> Option<()> {
        match kind {
            TRUE | FALSE => Some(()),
            BYTE => self.byte().map(drop),
            I16 | I32 | I64 => self.varint().map(drop),
            DOUBLE => self.advance(8),
            BINARY => self.binary().map(drop),
            LIST | SET if depth < DEEPEST => {
                let (count, kind) = self.list()?;
                // Within a list a boolean takes a byte, so each turn consumes one at least.
                let element = if matches!(kind, TRUE | FALSE) { BYTE } else { kind };
                (0..count).try_for_each(|_| self.skip(element, depth + 1))
            }
            STRUCT if depth < DEEPEST => {
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
