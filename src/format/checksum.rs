//! XXH3 checksums, and the identity that seeds those of a section's chunks.

use std::hash::Hasher;

use bytemuck::{Pod, Zeroable};
use twox_hash::XxHash3_64;

/// XXH3-64 of `bytes` with seed 0.
pub fn checksum(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

/// The checksum of bytes that come one piece after the other, with zeros where nothing is written.
pub(crate) struct RunningChecksum {
    hash: XxHash3_64,
    byte_len: u64,
}

impl Default for RunningChecksum {
    fn default() -> RunningChecksum {
        RunningChecksum { hash: XxHash3_64::new(), byte_len: 0 }
    }
}

impl RunningChecksum {
    /// Goes on with `bytes` at `offset`, which is not before the end of those that came before.
    pub(crate) fn add(&mut self, offset: u64, bytes: &[u8]) {
        debug_assert!(offset >= self.byte_len);
        const ZEROS: [u8; 64] = [0; 64];
        while self.byte_len < offset {
            let len = (offset - self.byte_len).min(ZEROS.len() as u64);
            self.hash.write(&ZEROS[..len as usize]);
            self.byte_len += len;
        }
        self.hash.write(bytes);
        self.byte_len += bytes.len() as u64;
    }

    /// How many bytes it is of.
    pub(crate) fn byte_len(&self) -> u64 {
        self.byte_len
    }

    /// That of all of them.
    pub(crate) fn finish(&self) -> u64 {
        self.hash.finish()
    }
}

/// What a chunk is: seeds its checksum, so that a block that is whole but in the wrong place never verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ChunkIdentity {
    /// The store.
    pub store_id: [u8; 16],
    /// The commit that wrote the segment.
    pub commit: u64,
    /// The segment's number within that commit.
    pub ordinal: u32,
    /// Days since 1970-01-01.
    pub date: i32,
    /// Rows of the batch.
    pub row_count: u32,
    /// The column's id.
    pub column: u32,
    /// Nulls in the chunk.
    pub null_count: u32,
    /// Stored type.
    pub stored: u32,
    /// Index of the chunk among its segment's.
    pub chunk: u64,
}

impl ChunkIdentity {
    /// Checksum of `bytes` as the chunk with this identity.
    pub fn checksum(&self, bytes: &[u8]) -> u64 {
        XxHash3_64::oneshot_with_seed(checksum(bytemuck::bytes_of(self)), bytes)
    }
}

const _: () = assert!(size_of::<ChunkIdentity>() == 56);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_xxh3_as_published() {
        // From the XXH3 reference implementation's sanity values: empty input, seed 0.
        assert_eq!(checksum(b""), 0x2D06_8005_38D3_94C2);
    }

    #[test]
    fn a_running_checksum_is_that_of_all_bytes() {
        let mut running = RunningChecksum::default();
        let mut whole = vec![0u8; 700];
        for (offset, len) in [(0, 3), (64, 300), (364, 0), (390, 310)] {
            let bytes: Vec<u8> = (0..len).map(|n| (n * 7 + offset) as u8).collect();
            running.add(offset as u64, &bytes);
            whole[offset..offset + len].copy_from_slice(&bytes);
        }
        assert_eq!((running.byte_len(), running.finish()), (700, checksum(&whole)));
    }

    #[test]
    fn the_same_bytes_elsewhere_have_another_checksum() {
        let here = ChunkIdentity {
            store_id: [7; 16],
            commit: 1,
            ordinal: 0,
            date: 19_724,
            row_count: 3,
            column: 2,
            null_count: 0,
            stored: 5,
            chunk: 9,
        };
        let sum = here.checksum(b"block");
        assert_ne!(sum, ChunkIdentity { date: 19_725, ..here }.checksum(b"block"));
        assert_ne!(sum, ChunkIdentity { column: 3, ..here }.checksum(b"block"));
        assert_ne!(sum, ChunkIdentity { chunk: 14, ..here }.checksum(b"block"));
        assert_ne!(sum, ChunkIdentity { commit: 2, ..here }.checksum(b"block"));
        assert_ne!(sum, ChunkIdentity { store_id: [8; 16], ..here }.checksum(b"block"));
    }
}
