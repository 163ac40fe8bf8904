//! The intermediate file of a build: what blocks of stocks gathered, each column by (date, stock).

use std::sync::atomic::{AtomicU64, Ordering};

use arrow_buffer::Buffer;

use crate::durable::{Disk, DiskFile};
use crate::error::Result;
use crate::mapped::{Access, load};

/// Every piece starts on a multiple of this, so that values can be read in place.
const PIECE_ALIGNMENT: u64 = 64;

/// A file that several workers append to. It has no name: it goes when the build ends, however it ends.
pub(super) struct Spill {
    file: DiskFile,
    end: AtomicU64,
}

/// A finished piece of the spill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    offset: u64,
    byte_len: u64,
}

impl Spill {
    /// Makes an empty spill at `path` and takes the name away at once.
    pub(super) fn create(disk: &Disk, path: std::path::PathBuf) -> Result<Spill> {
        let file = disk.create(path)?;
        disk.remove(file.path())?;
        Ok(Spill { file, end: AtomicU64::new(0) })
    }

    /// Appends `bytes`.
    pub(super) fn put(&self, bytes: &[u8]) -> Result<Piece> {
        let byte_len = bytes.len() as u64;
        let offset = self.end.fetch_add(byte_len.next_multiple_of(PIECE_ALIGNMENT), Ordering::Relaxed);
        self.file.write_at(bytes, offset)?;
        Ok(Piece { offset, byte_len })
    }

    /// Maps what was written. Nothing may be put afterwards.
    pub(super) fn map(&self) -> Result<SpillMap> {
        Ok(SpillMap { bytes: load(self.file.file(), self.file.path(), Access::Map)? })
    }
}

/// A spill, mapped.
pub(super) struct SpillMap {
    bytes: Buffer,
}

impl SpillMap {
    /// The bytes of a piece.
    pub(super) fn get(&self, piece: Piece) -> &[u8] {
        let start = piece.offset as usize;
        &self.bytes[start..start + piece.byte_len as usize]
    }
}
