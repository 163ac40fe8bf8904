//! The body of one record batch while it is being put together.

use arrow_buffer::{Buffer, MutableBuffer};

use crate::format::{ChunkLayout, Stored};

/// The chunks of one batch, one after the other in one allocation, zeroed at first so that padding is zero.
pub(crate) struct BatchBody {
    bytes: MutableBuffer,
    chunks: Vec<Chunk>,
}

#[derive(Debug, Clone)]
struct Chunk {
    start: usize,
    layout: ChunkLayout,
    null_count: u32,
}

impl BatchBody {
    /// Room for `row_count` rows of columns with these stored types and numbers of nulls.
    pub(crate) fn new(row_count: u32, columns: impl Iterator<Item = (Stored, u32)>) -> BatchBody {
        let mut start = 0;
        let chunks = columns
            .map(|(stored, null_count)| {
                let layout = ChunkLayout::new(stored, row_count, null_count);
                let chunk = Chunk { start, layout, null_count };
                start += chunk.layout.byte_len;
                chunk
            })
            .collect();
        BatchBody { bytes: MutableBuffer::from_len_zeroed(start), chunks }
    }

    /// Where to write the values of column `index`.
    pub(crate) fn values_mut(&mut self, index: usize) -> &mut [u8] {
        let Chunk { start, layout, .. } = &self.chunks[index];
        &mut self.bytes.as_slice_mut()[start + layout.values.start..start + layout.values.end]
    }

    /// Where to write the validity bits of column `index`; nothing when it has no nulls.
    pub(crate) fn validity_mut(&mut self, index: usize) -> Option<&mut [u8]> {
        let Chunk { start, layout, .. } = &self.chunks[index];
        let range = layout.validity.clone()?;
        Some(&mut self.bytes.as_slice_mut()[start + range.start..start + range.end])
    }

    /// The chunks as slices of one buffer, each with its number of nulls.
    pub(crate) fn into_chunks(self) -> Vec<(Buffer, u32)> {
        let bytes: Buffer = self.bytes.into();
        let slice = |chunk: Chunk| (bytes.slice_with_length(chunk.start, chunk.layout.byte_len), chunk.null_count);
        self.chunks.into_iter().map(slice).collect()
    }
}
