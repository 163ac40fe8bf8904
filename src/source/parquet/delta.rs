//! Reads DELTA_BINARY_PACKED numbers one by one, as the lengths of texts are written; and their header alone.

/// A stream of such numbers.
pub(in crate::source) struct Deltas<'a> {
    bytes: &'a [u8],
    /// How many are still to come.
    pub(in crate::source) left: u64,
    per_block: u64,
    blocks: u64,
    next: i64,
    min_delta: i64,
    /// The widths of the blocks that are still to come, the one being read first.
    widths: &'a [u8],
    block: &'a [u8],
    /// How many numbers of the block were read.
    read: u64,
    is_first: bool,
}

impl<'a> Deltas<'a> {
    /// Reads the header. `None` where it is none that the format allows.
    pub(in crate::source) fn new(mut bytes: &'a [u8]) -> Option<Deltas<'a>> {
        let block_len = varint(&mut bytes)?;
        let blocks = varint(&mut bytes)?;
        let left = varint(&mut bytes)?;
        let next = zigzag(varint(&mut bytes)?);
        // "The block size is a multiple of 128; the miniblock count is a divisor of the block size such that their
        // quotient is a multiple of 32."
        let is_whole = block_len > 0 && block_len <= u64::from(u32::MAX) && block_len.is_multiple_of(128);
        if !is_whole || blocks == 0 || !block_len.is_multiple_of(blocks) || !(block_len / blocks).is_multiple_of(32) {
            return None;
        }
        let per_block = block_len / blocks;
        Some(Deltas {
            bytes,
            left,
            per_block,
            blocks,
            next,
            min_delta: 0,
            widths: &[],
            block: &[],
            read: per_block,
            is_first: true,
        })
    }

    /// The next number; `None` where the bytes end before it.
    pub(in crate::source) fn next(&mut self) -> Option<i64> {
        self.left = self.left.checked_sub(1)?;
        if self.is_first {
            self.is_first = false;
            return Some(self.next);
        }
        if self.read == self.per_block {
            self.widths = self.widths.get(1..).unwrap_or(&[]);
            if self.widths.is_empty() {
                self.min_delta = zigzag(varint(&mut self.bytes)?);
                (self.widths, self.bytes) = self.bytes.split_at_checked(usize::try_from(self.blocks).ok()?)?;
            }
            // "We pad the miniblock so that its length is always the number of values in a full miniblock times the bit
            // width."
            let len = u64::from(self.widths[0]) * self.per_block / 8;
            (self.block, self.bytes) = self.bytes.split_at_checked(len as usize)?;
            self.read = 0;
        }
        let width = u64::from(self.widths[0]);
        let mut delta = 0u64;
        for bit in self.read * width..(self.read + 1) * width {
            let byte = self.block.get((bit / 8) as usize)?;
            let place = bit - self.read * width;
            // No length takes more than 64 bits.
            delta |= u64::from(byte >> (bit % 8) & 1).checked_shl(u32::try_from(place).ok()?)?;
        }
        self.read += 1;
        // Lengths are of 32 bits, in which the decoder adds.
        self.next = i64::from(self.next.wrapping_add(self.min_delta).wrapping_add(delta as i64) as i32);
        Some(self.next)
    }

    /// Passes all numbers, none of which takes more than `most` bits besides its block's smallest, without looking at each.
    /// `None` where the bytes do not hold them.
    pub(in crate::source) fn pass(mut self, most: u8) -> Option<()> {
        let mut left = self.left.saturating_sub(1);
        while left > 0 {
            varint(&mut self.bytes)?;
            let (widths, mut rest) = self.bytes.split_at_checked(usize::try_from(self.blocks).ok()?)?;
            for &width in widths {
                if left == 0 {
                    break;
                }
                let len = u64::from(width) * self.per_block / 8;
                rest = rest.get(len as usize..).filter(|_| width <= most)?;
                left = left.saturating_sub(self.per_block);
            }
            self.bytes = rest;
        }
        Some(())
    }

    /// What follows the stream, once all its numbers are read. Blocks of the last group that hold no number have no
    /// bytes.
    pub(in crate::source) fn rest(&self) -> &'a [u8] {
        self.bytes
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<(Vec<i64>, usize)> {
        let mut deltas = Deltas::new(bytes)?;
        let mut numbers = Vec::new();
        while deltas.left > 0 {
            numbers.push(deltas.next()?);
        }
        Some((numbers, deltas.rest().len()))
    }

    #[test]
    fn numbers_come_out_as_the_format_says() {
        // The format's own example: 7, 5, 3, 1, 2, 3, 4, 5, whose smallest delta is -2.
        let mut bytes = vec![0x80, 1, 4, 8, 14, 3, 2, 0, 0, 0, 0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0];
        assert_eq!(read(&bytes), Some((vec![7, 5, 3, 1, 2, 3, 4, 5], 0)));
        bytes.extend(b"texts");
        assert_eq!(read(&bytes), Some((vec![7, 5, 3, 1, 2, 3, 4, 5], 5)));
        // A million equal numbers take no bits.
        let mut equal = vec![0x80, 0x80, 0x80, 1, 1, 0xc0, 0x84, 0x3d, 14, 0, 0];
        equal.extend(b"texts");
        let (numbers, rest) = read(&equal).unwrap();
        assert_eq!((numbers.len(), numbers.iter().all(|number| *number == 7), rest), (1_000_000, true, 5));
    }

    #[test]
    fn headers_that_the_format_does_not_allow_are_refused() {
        for header in [
            &[0, 4, 8, 14][..],
            &[0x81, 1, 4, 8, 14],
            &[0x80, 1, 0, 8, 14],
            &[0x80, 1, 3, 8, 14],
            &[0x80, 1, 8, 8, 14],
            &[0x80, 1, 4],
            &[],
        ] {
            assert!(Deltas::new(header).is_none(), "{header:?}");
        }
        // Fewer bytes than the numbers take.
        assert_eq!(read(&[0x80, 1, 4, 8, 14, 3, 64, 0, 0, 0, 1]), None);
    }

    #[test]
    fn blocks_are_whole_though_their_last_numbers_mean_nothing() {
        let is_whole = |bytes: &[u8], most| Deltas::new(bytes).unwrap().pass(most).is_some();
        // Eight numbers in a block of 32, two bits each; the blocks after it hold none, whatever their widths.
        let bytes = [0x80, 1, 4, 8, 14, 3, 2, 99, 99, 99, 0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0];
        assert!(is_whole(&bytes, 32) && is_whole(&bytes, 2));
        assert!(!is_whole(&bytes, 1), "a width beyond the type's");
        // The rest of the block is cut off; pyarrow refuses that, too.
        assert!(!is_whole(&bytes[..17], 32));
        assert_eq!(read(&bytes[..17]), None);
        // One number stands in the header; none need not even that.
        assert!(is_whole(&[0x80, 1, 4, 1, 14], 32) && is_whole(&[0x80, 1, 4, 0, 14], 32));
        assert!(!is_whole(&[0x80, 1, 4, 2, 14], 32));
        // Numbers that go on in the next group.
        let mut groups = vec![0x80, 1, 4, 0x81, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(is_whole(&groups, 32));
        groups.pop();
        assert!(!is_whole(&groups, 32));
    }
}
