//! Reads one segment: chunks at the places the catalog names, and for `verify` what the other door, the IPC footer,
//! says.

use std::fs::File;
use std::hash::Hasher;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use arrow_buffer::Buffer;
use arrow_ipc::reader::read_footer_length;
use arrow_ipc::root_as_footer;
use twox_hash::XxHash3_64;

use crate::durable;
use crate::error::{Damage, Error, Result};
use crate::mapped::{Access, load, read_at};

/// `ARROW1` and the footer's length, the last ten bytes of an Arrow IPC file.
const TRAILER_LEN: usize = 10;

/// The bytes of one segment.
#[derive(Debug)]
pub(crate) struct Segment {
    bytes: Buffer,
    access: Access,
    path: PathBuf,
}

impl Segment {
    /// Opens the segment at `path`, which must be `file_len` bytes long.
    ///
    /// # Errors
    /// When it cannot be read, or has another length.
    pub(crate) fn open(path: &Path, file_len: u64, access: Access) -> Result<Segment> {
        let file = durable::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::structure(path, "the catalog names it, and it is not there"),
            _ => Error::io("open", path)(error),
        })?;
        let got = file.metadata().map_err(Error::io("read", path))?.len();
        if got != file_len {
            return Err(Error::Corrupt { path: path.to_owned(), damage: Damage::Length { expected: file_len, got } });
        }
        Segment::load(&file, path, access)
    }

    pub(crate) fn load(file: &File, path: &Path, access: Access) -> Result<Segment> {
        Ok(Segment { bytes: load(file, path, access)?, access, path: path.to_owned() })
    }

    /// Length of the file.
    pub(crate) fn byte_len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// `len` bytes at `offset`, in place.
    ///
    /// # Errors
    /// When they lie outside the file.
    pub(crate) fn slice(&self, offset: u64, len: u64) -> Result<Buffer> {
        let end = offset.checked_add(len);
        if end.is_none_or(|end| end > self.byte_len()) {
            return Err(Error::structure(&self.path, format!("bytes {offset} to {offset}+{len} lie outside it")));
        }
        Ok(self.bytes.slice_with_length(offset as usize, len as usize))
    }

    /// `len` bytes at `offset`, on the heap. Opens the file each time: a store may have more segments than a process
    /// may have open files. The version must be one that cannot be collected meanwhile.
    ///
    /// # Errors
    /// When they lie outside the file, or reading fails.
    pub(crate) fn read(&self, offset: u64, len: u64) -> Result<Buffer> {
        let bytes = self.slice(offset, len)?;
        if self.access == Access::Read {
            return Ok(bytes);
        }
        let file = File::open(&self.path).map_err(Error::io("open", &self.path))?;
        read_at(&file, &self.path, offset, len as usize)
    }

    /// Offset and length of each record batch's body, as the IPC footer gives them.
    ///
    /// # Errors
    /// When the footer is damaged.
    pub(crate) fn footer_bodies(&self) -> Result<Vec<(u64, u64)>> {
        let damaged = |why: &dyn std::fmt::Display| Error::structure(&self.path, format!("its Arrow footer: {why}"));
        let trailer_start =
            self.bytes.len().checked_sub(TRAILER_LEN).ok_or_else(|| damaged(&"the file is too short"))?;
        let mut trailer = [0; TRAILER_LEN];
        trailer.copy_from_slice(&self.bytes[trailer_start..]);
        let footer_len = read_footer_length(trailer).map_err(|error| damaged(&error))?;
        let footer_start = trailer_start.checked_sub(footer_len).ok_or_else(|| damaged(&"it is too long"))?;
        let footer = root_as_footer(&self.bytes[footer_start..trailer_start]).map_err(|error| damaged(&error))?;
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
        let mut hasher = XxHash3_64::new();
        let mut at = 0;
        for &(offset, len) in bodies {
            let gap = offset.checked_sub(at).ok_or_else(|| Error::structure(&self.path, "its sections overlap"))?;
            hasher.write(&self.slice(at, gap)?);
            at = offset.checked_add(len).ok_or_else(|| Error::structure(&self.path, "a section lies outside it"))?;
        }
        let rest = self.byte_len().checked_sub(at);
        let rest = rest.ok_or_else(|| Error::structure(&self.path, "a section lies outside it"))?;
        hasher.write(&self.slice(at, rest)?);
        Ok(hasher.finish())
    }
}
