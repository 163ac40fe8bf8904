//! The contents of CURRENT: a few lines of text, so that an administrator can read what is live.

use super::{FORMAT_VERSION, checksum};

/// What CURRENT says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Current {
    /// The live version.
    pub version: u64,
}

impl Current {
    /// The file's bytes.
    pub fn encode(self) -> Vec<u8> {
        let body = format!("transect store {FORMAT_VERSION}\nversion {}\n", self.version);
        let sum = checksum(body.as_bytes());
        format!("{body}checksum {sum:016x}\n").into_bytes()
    }

    /// Reads the file's bytes. Only what [`encode`](Current::encode) writes is accepted, to the byte.
    ///
    /// # Errors
    /// The format version found, when it is another than ours; `None` when the bytes are damaged.
    pub fn parse(bytes: &[u8]) -> Result<Current, Option<u32>> {
        let text = std::str::from_utf8(bytes).map_err(|_| None)?;
        let mut lines = text.lines();
        let format: u32 =
            lines.next().and_then(|line| line.strip_prefix("transect store ")?.parse().ok()).ok_or(None)?;
        if format != FORMAT_VERSION {
            return Err(Some(format));
        }
        let version = lines.next().and_then(|line| line.strip_prefix("version ")?.parse().ok()).ok_or(None)?;
        let current = Current { version };
        if current.encode() == bytes { Ok(current) } else { Err(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_byte_of_current_is_noticed() {
        let good = Current { version: 12 }.encode();
        assert_eq!(Current::parse(&good), Ok(Current { version: 12 }));
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(Current::parse(&bad).is_err(), "byte {at} bit {bit}");
            }
        }
        for len in 0..good.len() {
            assert!(Current::parse(&good[..len]).is_err());
        }
    }
}
