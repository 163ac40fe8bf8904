//! The body of one record batch while it is being put together.

use arrow_buffer::{Buffer, MutableBuffer};

use crate::error::Result;
use crate::format::{ChunkLayout, Stored};
use crate::storage::{Access, Dir, load};

/// Where bodies are put together.
pub(crate) enum Room<'a> {
    /// In memory.
    Heap,
    /// In memory up to so many bytes; longer ones a chunk at a time, in a file without a name that goes with them.
    Spill {
        /// The longest body in memory.
        limit: usize,
        /// Where the file is made.
        dir: &'a Dir,
        /// The name that it has for an instant.
        name: String,
    },
}

impl Room<'_> {
    /// Whether so many bytes are to lie in memory.
    pub(crate) fn holds(&self, byte_len: usize) -> bool {
        match self {
            Room::Heap => true,
            Room::Spill { limit, .. } => byte_len <= *limit,
        }
    }

    /// `bytes` out of memory, if the room has a file for them.
    ///
    /// # Errors
    /// When the file cannot be made, written or mapped.
    pub(crate) fn put_away(&self, bytes: Buffer) -> Result<Buffer> {
        match self {
            Room::Spill { dir, name, .. } if !bytes.is_empty() => {
                let file = dir.create(name)?;
                dir.remove(name)?;
                file.write_at(&bytes, 0)?;
                load(file.file(), file.path(), Access::Map)
            }
            _ => Ok(bytes),
        }
    }
}

/// The chunks of one batch, each with its number of nulls.
pub(crate) struct BatchBody {
    chunks: Vec<(Buffer, u32)>,
}

/// One chunk to be filled, zeroed so that padding is zero.
pub(crate) struct ChunkMut<'a> {
    bytes: &'a mut [u8],
    layout: &'a ChunkLayout,
}

impl BatchBody {
    /// `row_count` rows of columns with these stored types and numbers of nulls, filled one after the other by `fill`, which
    /// is told the column's index.
    ///
    /// # Errors
    /// When a file cannot be made, written or mapped.
    pub(crate) fn filled(
        row_count: u32,
        columns: impl Iterator<Item = (Stored, u32)>,
        room: &Room,
        mut fill: impl FnMut(usize, ChunkMut),
    ) -> Result<BatchBody> {
        let layouts: Vec<(ChunkLayout, u32)> =
            columns.map(|(stored, nulls)| (ChunkLayout::new(stored, row_count, nulls), nulls)).collect();
        let byte_len: usize = layouts.iter().map(|(layout, _)| layout.byte_len).sum();
        let bytes = match room {
            Room::Spill { dir, name, .. } if !room.holds(byte_len) => {
                let file = dir.create(name)?;
                dir.remove(name)?;
                let mut start = 0;
                for (index, (layout, _)) in layouts.iter().enumerate() {
                    file.write_at(&filled_chunk(layout, |chunk| fill(index, chunk)), start)?;
                    start += layout.byte_len as u64;
                }
                load(file.file(), file.path(), Access::Map)?
            }
            _ => {
                // One allocation for all.
                let mut bytes = MutableBuffer::from_len_zeroed(byte_len);
                let mut rest = bytes.as_slice_mut();
                for (index, (layout, _)) in layouts.iter().enumerate() {
                    let (chunk, others) = rest.split_at_mut(layout.byte_len);
                    fill(index, ChunkMut { bytes: chunk, layout });
                    rest = others;
                }
                bytes.into()
            }
        };
        let mut start = 0;
        let chunk = |(layout, null_count): (ChunkLayout, u32)| {
            let chunk = bytes.slice_with_length(start, layout.byte_len);
            start += layout.byte_len;
            (chunk, null_count)
        };
        Ok(BatchBody { chunks: layouts.into_iter().map(chunk).collect() })
    }

    /// A batch of one column without nulls.
    pub(crate) fn single(chunk: Buffer) -> BatchBody {
        BatchBody { chunks: vec![(chunk, 0)] }
    }

    /// The chunks, each with its number of nulls.
    pub(crate) fn into_chunks(self) -> Vec<(Buffer, u32)> {
        self.chunks
    }
}

/// A chunk that `fill` fills.
pub(crate) fn filled_chunk(layout: &ChunkLayout, fill: impl FnOnce(ChunkMut)) -> Buffer {
    let mut bytes = MutableBuffer::from_len_zeroed(layout.byte_len);
    fill(ChunkMut { bytes: &mut bytes, layout });
    bytes.into()
}

impl ChunkMut<'_> {
    /// Where to write the values.
    pub(crate) fn values(&mut self) -> &mut [u8] {
        &mut self.bytes[self.layout.values.clone()]
    }

    /// Where to write the validity bits; nothing when it has no nulls.
    pub(crate) fn validity(&mut self) -> Option<&mut [u8]> {
        Some(&mut self.bytes[self.layout.validity.clone()?])
    }
}
