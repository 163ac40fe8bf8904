//! Chunk files: lengths, checksums and null counts of all segments that one commit wrote, outside of catalogs, so that later
//! versions share them as they share the segments.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_buffer::Buffer;

use crate::error::{Damage, Error, Result};
use crate::format::{
    ChunkFileHeader, ChunkRecord, FORMAT_VERSION, MAGIC, SEGMENT_DIR, SegmentRecord, checksum, chunks_name,
};
use crate::storage;
use crate::storage::{Access, load, read_at};

/// Length of a record, and of the header.
const RECORD_LEN: u64 = size_of::<ChunkRecord>() as u64;

/// The chunks of one segment, in place, and which of them were found to be as they were written.
#[derive(Debug)]
pub(super) struct Chunks {
    bytes: Buffer,
    path: PathBuf,
    /// One bit a chunk; none where nothing is remembered.
    checked: Box<[AtomicU64]>,
}

impl Chunks {
    /// The chunks of `segment` in the store at `root`. Their checksum is compared.
    ///
    /// # Errors
    /// When the file is missing, too short or damaged.
    pub(super) fn open(root: &Path, segment: &SegmentRecord, access: Access) -> Result<Chunks> {
        let path = root.join(SEGMENT_DIR).join(chunks_name(segment.commit));
        let file = storage::open_below(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::structure(&path, "the catalog needs it, and it is not there"),
            _ => Error::io("open", &path)(error),
        })?;
        let len = file.metadata().map_err(Error::io("examine", &path))?.len();
        let header = (len >= RECORD_LEN).then(|| read_at(&file, &path, 0, RECORD_LEN as usize)).transpose()?;
        let header = header.map(|bytes| bytemuck::pod_read_unaligned::<ChunkFileHeader>(&bytes));
        match header {
            Some(header) if header == header_of(segment.commit) => {}
            Some(header) if header.magic == MAGIC && header.format_version != FORMAT_VERSION => {
                return Err(Error::WrongVersion { path, found: header.format_version, supported: FORMAT_VERSION });
            }
            _ => return Err(Error::structure(&path, "it does not begin as a chunk file")),
        }
        let range = segment.chunk_start.checked_add(1).and_then(|start| {
            let end = start.checked_add(segment.chunk_count)?.checked_mul(RECORD_LEN)?;
            Some((start.checked_mul(RECORD_LEN)?, end))
        });
        let Some((start, end)) = range.filter(|(_, end)| *end <= len) else {
            return Err(Error::structure(&path, "it is too short for the chunks that the catalog looks for"));
        };
        let bytes = match access {
            Access::Map => load(&file, &path, access)?.slice_with_length(start as usize, (end - start) as usize),
            Access::Read => read_at(&file, &path, start, (end - start) as usize)?,
        };
        if checksum(&bytes) != segment.chunk_checksum {
            let what = format!("the chunks of segment {}", segment.ordinal);
            return Err(Error::Corrupt { path, damage: Damage::Checksum { what } });
        }
        // Bytes that are read anew each time are checked each time.
        let words = if access == Access::Map { segment.chunk_count.div_ceil(64) } else { 0 };
        let checked = (0..words).map(|_| AtomicU64::new(0)).collect();
        Ok(Chunks { bytes, path, checked })
    }

    /// Whether chunk `number` was found to be as it was written.
    pub(super) fn is_checked(&self, number: u64) -> bool {
        let word = self.checked.get((number / 64) as usize);
        word.is_some_and(|word| word.load(Ordering::Relaxed) >> (number % 64) & 1 == 1)
    }

    /// Remembers that chunk `number` is as it was written.
    pub(super) fn set_checked(&self, number: u64) {
        if let Some(word) = self.checked.get((number / 64) as usize) {
            word.fetch_or(1 << (number % 64), Ordering::Relaxed);
        }
    }

    /// All records.
    pub(super) fn all(&self) -> &[ChunkRecord] {
        bytemuck::cast_slice(&self.bytes)
    }

    /// `count` records from `start` on.
    ///
    /// # Errors
    /// When the segment has not so many.
    pub(super) fn records(&self, start: u64, count: usize) -> Result<&[ChunkRecord]> {
        let all = self.all();
        usize::try_from(start).ok().and_then(|start| all.get(start..start.checked_add(count)?)).ok_or_else(|| {
            Error::structure(&self.path, format!("a section looks for {count} chunks at {start}, and there are none"))
        })
    }
}

fn header_of(commit: u64) -> ChunkFileHeader {
    ChunkFileHeader { magic: MAGIC, format_version: FORMAT_VERSION, reserved: 0, commit }
}

/// A chunk file being put together.
pub(crate) struct ChunkFile {
    header: ChunkFileHeader,
    /// Those of each segment.
    records: Vec<Vec<ChunkRecord>>,
}

impl ChunkFile {
    /// A file of `commit`'s without chunks.
    pub(crate) fn new(commit: u64) -> ChunkFile {
        ChunkFile { header: header_of(commit), records: Vec::new() }
    }

    /// How many chunks it has.
    pub(super) fn len(&self) -> u64 {
        self.records.iter().map(|records| records.len() as u64).sum()
    }

    /// Whether it has none.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The records of the segment that begins at so many.
    pub(super) fn of_segment(&self, chunk_start: u64) -> &[ChunkRecord] {
        let mut start = 0;
        let begins = |records: &&Vec<ChunkRecord>| {
            start += records.len() as u64;
            start - records.len() as u64 == chunk_start
        };
        self.records.iter().find(begins).map_or(&[], Vec::as_slice)
    }

    /// Adds the records of the next segment; their XXH3.
    pub(super) fn add(&mut self, records: Vec<ChunkRecord>) -> u64 {
        let checksum = checksum(bytemuck::cast_slice(&records));
        self.records.push(records);
        checksum
    }

    /// The whole file, in parts.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let records = self.records.iter().map(|records| bytemuck::cast_slice(records));
        std::iter::once(bytemuck::bytes_of(&self.header)).chain(records)
    }
}
