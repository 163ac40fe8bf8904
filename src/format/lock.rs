//! The contents of LOCK: who writes, and which version went live last, so that a CURRENT of another day is noticed.

use super::checksum;

/// What LOCK says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LockNote {
    /// The process that writes, or wrote last.
    pub process: u32,
    /// The version that CURRENT names, as far as the last writer knew; 0 before the first.
    pub live: u64,
    /// The highest version that was ever live. Its number is not used again, whatever became of it.
    pub last: u64,
}

impl LockNote {
    /// The file's bytes: always as many, so that one write in place changes them all or none.
    pub fn encode(self) -> Vec<u8> {
        let body = format!("process {:<10}\nlive {:<20}\nlast {:<20}\n", self.process, self.live, self.last);
        let sum = checksum(body.as_bytes());
        format!("{body}checksum {sum:016x}\n").into_bytes()
    }

    /// Reads the file's bytes; `None` unless [`encode`](LockNote::encode) wrote them.
    pub fn parse(bytes: &[u8]) -> Option<LockNote> {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        let mut number = |name: &str| lines.next()?.strip_prefix(name)?.trim().parse::<u64>().ok();
        let process = u32::try_from(number("process ")?).ok()?;
        let note = LockNote { process, live: number("live ")?, last: number("last ")? };
        (note.encode() == bytes).then_some(note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_byte_of_lock_is_noticed_and_its_length_never_changes() {
        let good = LockNote { process: 4711, live: 12, last: 13 }.encode();
        assert_eq!(LockNote::parse(&good), Some(LockNote { process: 4711, live: 12, last: 13 }));
        assert_eq!(good.len(), 97);
        let largest = LockNote { process: u32::MAX, live: u64::MAX, last: u64::MAX };
        assert_eq!((largest.encode().len(), LockNote::default().encode().len()), (good.len(), good.len()));
        assert_eq!(LockNote::parse(&largest.encode()), Some(largest));
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert_eq!(LockNote::parse(&bad), None, "byte {at} bit {bit}");
            }
        }
        for bytes in [&b""[..], b"4711\n", &good[..good.len() - 1]] {
            assert_eq!(LockNote::parse(bytes), None);
        }
    }
}
