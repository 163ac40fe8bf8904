//! The intermediate storage of a build: what blocks of stocks gathered, each column by (date, stock).

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_buffer::Buffer;

use crate::durable::{Disk, DiskFile};
use crate::error::Result;
use crate::mapped::{Access, load};
use crate::workers;

/// Every piece starts on a multiple of this, so that values can be read in place.
const PIECE_ALIGNMENT: u64 = 64;

/// Files without names, one for each worker: workers that write to one file wait for each other. They go when the build
/// ends, however it ends.
pub(super) struct Spill {
    files: Vec<SpillFile>,
}

struct SpillFile {
    file: DiskFile,
    end: AtomicU64,
}

/// A finished piece of the spill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    file: usize,
    offset: u64,
    byte_len: u64,
}

impl Spill {
    /// Makes an empty file at each of `paths` and takes the names away at once.
    pub(super) fn create(disk: &Disk, paths: impl Iterator<Item = PathBuf>) -> Result<Spill> {
        let create = |path| {
            let file = disk.create(path)?;
            disk.remove(file.path())?;
            Ok(SpillFile { file, end: AtomicU64::new(0) })
        };
        Ok(Spill { files: paths.map(create).collect::<Result<_>>()? })
    }

    /// Room for a piece at the end of the worker's file.
    pub(super) fn reserve(&self, byte_len: u64) -> Piece {
        let file = workers::current() % self.files.len();
        let offset = self.files[file].end.fetch_add(byte_len.next_multiple_of(PIECE_ALIGNMENT), Ordering::Relaxed);
        Piece { file, offset, byte_len }
    }

    /// Writes `bytes` at `at` within `piece`.
    pub(super) fn write(&self, piece: Piece, at: u64, bytes: &[u8]) -> Result<()> {
        debug_assert!(at + bytes.len() as u64 <= piece.byte_len);
        self.files[piece.file].file.write_at(bytes, piece.offset + at)
    }

    /// Appends a piece to the worker's file.
    pub(super) fn put(&self, bytes: &[u8]) -> Result<Piece> {
        let piece = self.reserve(bytes.len() as u64);
        self.write(piece, 0, bytes)?;
        Ok(piece)
    }

    /// Maps what was written. Nothing may be put afterwards.
    pub(super) fn map(&self) -> Result<SpillMap> {
        let map = |spill: &SpillFile| load(spill.file.file(), spill.file.path(), Access::Map);
        Ok(SpillMap { files: self.files.iter().map(map).collect::<Result<_>>()? })
    }
}

/// A spill, mapped.
pub(super) struct SpillMap {
    files: Vec<Buffer>,
}

impl SpillMap {
    /// The bytes of a piece.
    pub(super) fn get(&self, piece: Piece) -> &[u8] {
        let start = piece.offset as usize;
        &self.files[piece.file][start..start + piece.byte_len as usize]
    }
}
