//! Reads one segment: chunks at the places the catalog names, and for `verify` what the other door, the IPC footer,
//! says.

use std::fs::File;
use std::hash::Hasher;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow_buffer::Buffer;
use arrow_ipc::reader::read_footer_length;
use arrow_ipc::root_as_footer;
use twox_hash::XxHash3_64;

use crate::error::{Damage, Error, Result};
use crate::storage;
use crate::storage::{Access, load, read_at};

/// `ARROW1` and the footer's length, the last ten bytes of an Arrow IPC file.
const TRAILER_LEN: usize = 10;

/// What is hashed at a time.
const BLOCK_LEN: u64 = 1 << 20;

/// Where a segment's bytes are had from.
#[derive(Debug)]
enum Source {
    Mapped(Buffer),
    /// The file, held open.
    Open(File),
    /// The file, opened each time: a store may have more segments than a process may have open files.
    Named,
}

/// The bytes of one segment.
#[derive(Debug)]
pub(crate) struct Segment {
    source: Source,
    byte_len: u64,
    path: PathBuf,
}

impl Segment {
    /// Opens the segment at `path`, which must be `file_len` bytes long.
    ///
    /// # Errors
    /// When it cannot be read, or has another length.
    pub(crate) fn open(path: &Path, file_len: u64, access: Access) -> Result<Segment> {
        let file = open(path, file_len)?;
        let source = match access {
            Access::Map => Source::Mapped(load(&file, path, access)?),
            Access::Read => Source::Named,
        };
        Ok(Segment { source, byte_len: file_len, path: path.to_owned() })
    }

    /// The segment that was just written to `file`, of which little is asked.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn of_file(file: File, path: &Path) -> Result<Segment> {
        let byte_len = file.metadata().map_err(Error::io("examine", path))?.len();
        Ok(Segment { source: Source::Open(file), byte_len, path: path.to_owned() })
    }

    /// Length of the file.
    pub(crate) fn byte_len(&self) -> u64 {
        self.byte_len
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// `len` bytes at `offset` in place; `None` where the file is not mapped.
    ///
    /// # Errors
    /// When they lie outside the file.
    pub(crate) fn mapped(&self, offset: u64, len: u64) -> Result<Option<Buffer>> {
        self.check_place(offset, len)?;
        match &self.source {
            Source::Mapped(bytes) => Ok(Some(bytes.slice_with_length(offset as usize, len as usize))),
            Source::Open(_) | Source::Named => Ok(None),
        }
    }

    fn check_place(&self, offset: u64, len: u64) -> Result<()> {
        if offset.checked_add(len).is_none_or(|end| end > self.byte_len) {
            return Err(Error::structure(&self.path, format!("bytes {offset} to {offset}+{len} lie outside it")));
        }
        Ok(())
    }

    /// `len` bytes at `offset`: in place where it is mapped, else on the heap.
    ///
    /// # Errors
    /// When they lie outside the file, or reading fails.
    pub(crate) fn slice(&self, offset: u64, len: u64) -> Result<Buffer> {
        self.check_place(offset, len)?;
        match &self.source {
            Source::Mapped(bytes) => Ok(bytes.slice_with_length(offset as usize, len as usize)),
            Source::Open(file) => read_at(file, &self.path, offset, len as usize),
            // The version must be one that cannot be collected meanwhile.
            Source::Named => read_at(&open(&self.path, self.byte_len)?, &self.path, offset, len as usize),
        }
    }

    /// Offset and length of each record batch's body, as the IPC footer gives them.
    ///
    /// # Errors
    /// When the footer is damaged.
    pub(crate) fn footer_bodies(&self) -> Result<Vec<(u64, u64)>> {
        let damaged = |why: &dyn std::fmt::Display| Error::structure(&self.path, format!("its Arrow footer: {why}"));
        let trailer_start =
            self.byte_len.checked_sub(TRAILER_LEN as u64).ok_or_else(|| damaged(&"the file is too short"))?;
        let mut trailer = [0; TRAILER_LEN];
        trailer.copy_from_slice(&self.slice(trailer_start, TRAILER_LEN as u64)?);
        let footer_len = read_footer_length(trailer).map_err(|error| damaged(&error))?;
        let footer_start = trailer_start.checked_sub(footer_len as u64).ok_or_else(|| damaged(&"it is too long"))?;
        let footer = self.slice(footer_start, footer_len as u64)?;
        let footer = root_as_footer(&footer).map_err(|error| damaged(&error))?;
        let blocks = footer.recordBatches().ok_or_else(|| damaged(&"it lists no record batches"))?;
        blocks
            .iter()
            .map(|block| {
                let offset = block.offset().checked_add(i64::from(block.metaDataLength()));
                offset
                    .and_then(|offset| Some((u64::try_from(offset).ok()?, u64::try_from(block.bodyLength()).ok()?)))
                    .ok_or_else(|| damaged(&"a block lies outside the file"))
            })
            .collect()
    }

    /// XXH3 of the file without `bodies`, which must be in file order: the schema, dictionaries, message headers and
    /// the footer.
    ///
    /// # Errors
    /// When the bodies overlap or lie outside the file.
    pub(crate) fn frame_checksum(&self, bodies: &[(u64, u64)]) -> Result<u64> {
        let outside = || Error::structure(&self.path, "a section lies outside it");
        let mut hasher = XxHash3_64::new();
        let mut at = 0;
        for &(offset, len) in bodies {
            if offset < at {
                return Err(Error::structure(&self.path, "its sections overlap"));
            }
            self.hash(&mut hasher, at..offset)?;
            at = offset.checked_add(len).ok_or_else(outside)?;
        }
        if at > self.byte_len {
            return Err(outside());
        }
        self.hash(&mut hasher, at..self.byte_len)?;
        Ok(hasher.finish())
    }

    /// Hashes these bytes. Of a file that is not mapped little is held at a time: its dictionaries may be large.
    fn hash(&self, hasher: &mut XxHash3_64, range: Range<u64>) -> Result<()> {
        let mut at = range.start;
        while at < range.end {
            let len = BLOCK_LEN.min(range.end - at);
            hasher.write(&self.slice(at, len)?);
            at += len;
        }
        Ok(())
    }
}

/// Opens the segment at `path`, which must be `byte_len` bytes long.
fn open(path: &Path, byte_len: u64) -> Result<File> {
    let file = storage::open_below(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::structure(path, "the catalog names it, and it is not there"),
        _ => Error::io("open", path)(error),
    })?;
    match file.metadata().map_err(Error::io("examine", path))?.len() {
        got if got == byte_len => Ok(file),
        got => Err(Error::Corrupt { path: path.to_owned(), damage: Damage::Length { expected: byte_len, got } }),
    }
}
