//! The contents of CURRENT: a few lines of text, so that an administrator can read what is live.

use super::{FORMAT_VERSION, checksum};

/// What CURRENT says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Current {
    /// The live version.
    pub version: u64,
    /// The commit that wrote its catalog, whose name that is.
    pub commit: u64,
    /// The checksum in that catalog's header.
    pub header_checksum: u64,
    /// Drawn anew each time, so that no two CURRENTs are the same bytes, whatever they name.
    pub nonce: u64,
}

impl Current {
    /// The file's bytes.
    pub fn encode(self) -> Vec<u8> {
        let body = format!(
            "transect store {FORMAT_VERSION}\nversion {}\ncatalog {:016x}\nheader {:016x}\nnonce {:016x}\n",
            self.version, self.commit, self.header_checksum, self.nonce
        );
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
        let mut number = |name: &str, radix: u32| {
            let digits = lines.next().and_then(|line| line.strip_prefix(name));
            digits.and_then(|digits| u64::from_str_radix(digits, radix).ok()).ok_or(None)
        };
        let current = Current {
            version: number("version ", 10)?,
            commit: number("catalog ", 16)?,
            header_checksum: number("header ", 16)?,
            nonce: number("nonce ", 16)?,
        };
        if current.encode() == bytes { Ok(current) } else { Err(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_byte_of_current_is_noticed() {
        let current = Current { version: 12, commit: 7, header_checksum: u64::MAX, nonce: 3 };
        let good = current.encode();
        assert_eq!(Current::parse(&good), Ok(current));
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
