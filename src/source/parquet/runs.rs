//! The hybrid of runs and packed groups in which Parquet writes levels, dictionary indices and booleans.

/// Numbers of one width, run by run.
pub(in crate::source) struct Runs<'a> {
    bytes: &'a [u8],
    width: u8,
    /// Whether the last group may be cut off where its numbers end, as some writers do.
    may_be_cut: bool,
}

/// A stretch of numbers.
pub(in crate::source) enum Run<'a> {
    /// So many times the same number.
    Equal(u64, u32),
    /// So many numbers, one after the other in as many bits as each takes.
    Packed(u64, &'a [u8]),
}

impl<'a> Runs<'a> {
    /// Levels of a flat column.
    pub(in crate::source) fn of_levels(bytes: &'a [u8]) -> Runs<'a> {
        Runs { bytes, width: 1, may_be_cut: false }
    }

    /// Indices of `width` bits, 32 at most.
    pub(in crate::source) fn of_indices(bytes: &'a [u8], width: u8) -> Option<Runs<'a>> {
        (width <= 32).then_some(Runs { bytes, width, may_be_cut: true })
    }

    /// The next run; `None` where the bytes hold no more, or none that is whole.
    fn next(&mut self) -> Option<Run<'a>> {
        let (head, rest) = varint(self.bytes)?;
        let count = u64::from(head >> 1);
        // A head of zero is padding.
        if count == 0 {
            return None;
        }
        if head & 1 == 0 {
            let (value, rest) = rest.split_at_checked(usize::from(self.width).div_ceil(8))?;
            let mut bytes = [0; 4];
            bytes[..value.len()].copy_from_slice(value);
            let value = u32::from_le_bytes(bytes);
            if u64::from(value) >> self.width != 0 {
                return None;
            }
            self.bytes = rest;
            return Some(Run::Equal(count, value));
        }
        let whole = count * u64::from(self.width);
        let len = whole.min(rest.len() as u64);
        // A group has as many bytes as a number has bits.
        if len < whole && (!self.may_be_cut || whole - len >= u64::from(self.width)) {
            return None;
        }
        let (packed, rest) = rest.split_at(len as usize);
        self.bytes = rest;
        let held = if self.width == 0 { count * 8 } else { (len * 8 / u64::from(self.width)).min(count * 8) };
        Some(Run::Packed(held, packed))
    }

    /// Calls `each` with the runs that hold the first `count` numbers, the last one cut. `None` where there are fewer.
    pub(in crate::source) fn cover(mut self, count: u64, mut each: impl FnMut(Run<'a>)) -> Option<()> {
        let mut left = count;
        while left > 0 {
            match self.next()? {
                Run::Equal(held, value) => {
                    each(Run::Equal(held.min(left), value));
                    left -= held.min(left);
                }
                Run::Packed(0, _) => return None,
                Run::Packed(held, bytes) => {
                    each(Run::Packed(held.min(left), bytes));
                    left -= held.min(left);
                }
            }
        }
        Some(())
    }
}

/// How many of the first `count` bits are set; `None` where there are fewer.
pub(in crate::source) fn count_ones(bytes: &[u8], count: u64) -> Option<u64> {
    let mut ones = 0;
    Runs::of_levels(bytes).cover(count, |run| match run {
        Run::Equal(held, value) => ones += held * u64::from(value),
        Run::Packed(held, bytes) => {
            let (whole, rest) = bytes.split_at((held / 8) as usize);
            ones += whole.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
            if !held.is_multiple_of(8) {
                ones += u64::from((rest[0] & ((1 << (held % 8)) - 1)).count_ones());
            }
        }
    })?;
    Some(ones)
}

/// Calls `each` with the first `count` packed numbers of `width` bits.
pub(in crate::source) fn unpack(bytes: &[u8], width: u8, count: u64, mut each: impl FnMut(u32)) {
    let (width, mask) = (usize::from(width), (1u64 << width) - 1);
    for n in 0..count as usize {
        let bit = n * width;
        let from = &bytes[(bit / 8).min(bytes.len())..];
        let window = from.first_chunk().copied().unwrap_or_else(|| {
            let mut last = [0; 8];
            last[..from.len()].copy_from_slice(from);
            last
        });
        each(((u64::from_le_bytes(window) >> (bit % 8)) & mask) as u32);
    }
}

/// A number of 32 bits in groups of seven.
fn varint(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut number = 0u64;
    for (at, byte) in bytes.iter().take(5).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(number).ok()?, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_are_counted_in_runs_and_groups_up_to_the_last_one_that_counts() {
        // A run of 1000; two groups of eight; a run, then a group.
        assert_eq!(count_ones(&[0xd0, 0x0f, 1], 1000), Some(1000));
        assert_eq!(count_ones(&[0xd0, 0x0f, 1], 7), Some(7));
        assert_eq!(count_ones(&[0xd0, 0x0f, 0], 1000), Some(0));
        assert_eq!(count_ones(&[5, 0xff, 0x0f], 16), Some(12));
        assert_eq!(count_ones(&[5, 0xff, 0x0f], 11), Some(11));
        assert_eq!(count_ones(&[20, 1, 3, 0x3f], 16), Some(16));
        // Not so where the last group is cut off: other readers refuse it.
        assert_eq!(count_ones(&[7, 0xff, 0xff], 16), None);
        for (bytes, count) in [(&[0xd0, 0x0f, 1][..], 1001), (&[7, 0xff, 0xff], 17), (&[2, 2], 1), (&[0, 1], 1)] {
            assert_eq!(count_ones(bytes, count), None, "{bytes:?}");
        }
        for damaged in [&[][..], &[0x80], &[0], &[1], &[20], &[3], &[0xff; 6]] {
            assert_eq!(count_ones(damaged, 10), None, "{damaged:?}");
        }
        assert_eq!(count_ones(&[], 0), Some(0));
    }

    #[test]
    fn only_the_last_group_of_indices_may_be_cut_off() {
        // Two groups of three bits a number, and fewer bytes than their six.
        let held = |bytes: &[u8]| Runs::of_indices(bytes, 3).and_then(|runs| runs.cover(9, |_| {})).is_some();
        assert!(held(&[5, 0, 0, 0, 0, 0, 0]) && held(&[5, 0, 0, 0, 0]));
        assert!(!held(&[5, 0, 0, 0]), "nine numbers take 27 bits");
        assert!(!held(&[7, 0, 0, 0, 0, 0]), "three groups, of which more than one is not there");
    }

    #[test]
    fn packed_numbers_come_out_at_every_width() {
        for width in 1..=32u8 {
            let numbers: Vec<u32> = (0..40u64).map(|n| (n * 0x9e37_79b9 % (1 << width)) as u32).collect();
            let mut bytes = vec![0u8; 40 * usize::from(width) / 8];
            for (n, number) in numbers.iter().enumerate() {
                for bit in (0..usize::from(width)).filter(|bit| number >> bit & 1 == 1) {
                    bytes[(n * usize::from(width) + bit) / 8] |= 1 << ((n * usize::from(width) + bit) % 8);
                }
            }
            let mut found = Vec::new();
            unpack(&bytes, width, 40, |number| found.push(number));
            assert_eq!(found, numbers, "{width} bits");
        }
    }
}
