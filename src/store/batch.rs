//! One record batch of a segment, in place: its chunks, and whether they are as they were written.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow_array::ArrayRef;
use arrow_buffer::Buffer;

use super::dictionary::Texts;
use super::open_segment::OpenSegment;
use crate::error::{Damage, Error, Result};
use crate::format::{ALIGNMENT, BatchRecord, ChunkIdentity, ChunkLayout, ChunkRecord, Stored};
use crate::key::Date;
use crate::segment::{SegmentColumn, chunk_array};

/// Bytes that are read at once where more than one chunk is: an ordinary section is, and of a large one each chunk is read
/// when it is wanted.
const READ_AT_ONCE: usize = 1 << 20;

/// A record batch of one date; a view of mapped bytes, cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    open: Arc<OpenSegment>,
    record: BatchRecord,
    date: Date,
    body: Body,
    /// Where each chunk starts in the body, and the end of the last.
    starts: Arc<[usize]>,
}

/// The bytes of a batch.
#[derive(Debug, Clone)]
enum Body {
    Mapped(Buffer),
    /// Neighbouring chunks, read when one of them is first wanted, and as they were then from then on.
    Read(Arc<[Stretch]>),
}

#[derive(Debug)]
struct Stretch {
    /// Where it lies in the body.
    place: Range<usize>,
    bytes: OnceLock<Buffer>,
}

impl Batch {
    /// The batch of `record`. Nothing of a file that is not mapped is read yet.
    ///
    /// # Errors
    /// When the record makes no sense, or its bytes lie outside the segment.
    pub(super) fn new(open: &Arc<OpenSegment>, date: Date, record: BatchRecord) -> Result<Batch> {
        let wrong = |why: String| Err(Error::structure(open.segment.path(), why));
        if !record.body_offset.is_multiple_of(ALIGNMENT) {
            return wrong(format!("the section of {date} is not aligned"));
        }
        if record.row_count == 0 {
            return wrong(format!("a piece of {date} has no row"));
        }
        let chunks = open.chunks.records(record.chunk_start, open.columns.len())?;
        let (mut fits, mut end) = (true, 0u64);
        let ends = open.columns.iter().zip(chunks).map(|(column, chunk)| {
            let layout = ChunkLayout::new(column.stored, record.row_count, chunk.null_count);
            fits &= layout.byte_len as u64 == chunk.byte_len;
            end += layout.byte_len as u64;
            end as usize
        });
        let starts: Arc<[usize]> = std::iter::once(0).chain(ends).collect();
        if !fits || end != record.body_len {
            return wrong(format!("the section of {date} has another length than its columns"));
        }
        let body = match open.segment.mapped(record.body_offset, record.body_len)? {
            Some(bytes) => Body::Mapped(bytes),
            None => Body::Read(stretches(&starts)),
        };
        Ok(Batch { open: open.clone(), record, date, body, starts })
    }

    /// How many rows it has.
    pub(super) fn row_count(&self) -> usize {
        self.record.row_count as usize
    }

    /// How many bytes its chunks have.
    pub(super) fn byte_len(&self) -> u64 {
        self.record.body_len
    }

    /// Its segment.
    pub(super) fn segment(&self) -> &Arc<OpenSegment> {
        &self.open
    }

    /// The columns of its segment.
    pub(super) fn columns(&self) -> &[SegmentColumn] {
        &self.open.columns
    }

    /// The `position`-th column in its stored type, without comparing its checksum. The values are not copied.
    pub(super) fn array(&self, position: usize) -> Result<ArrayRef> {
        let (column, texts, nulls) = (&self.open.columns[position], self.texts(position)?, self.null_count(position));
        chunk_array(column, texts, self.record.row_count, nulls, &self.chunk(position)?)
            .map_err(|damage| self.damaged(damage))
    }

    /// The texts that the codes of the `position`-th column stand for, read at their first use.
    pub(super) fn texts(&self, position: usize) -> Result<Option<&ArrayRef>> {
        self.open.texts[position].as_ref().map(Texts::get).transpose()
    }

    /// Compares the checksum of the `position`-th column, and remembers that it matched.
    pub(super) fn check_chunk(&self, position: usize) -> Result<()> {
        if self.identity(position).checksum(self.chunk_bytes(position)?) == self.chunk_record(position).checksum {
            self.open.chunks.set_checked(self.record.chunk_start + position as u64);
            return Ok(());
        }
        let column = self.open.columns[position].name.clone();
        Err(self.damaged(Damage::Section { date: self.date, column }))
    }

    /// Compares the checksum of the `position`-th column, unless that was done before: for those who read single rows,
    /// again and again.
    #[inline]
    pub(super) fn check_once(&self, position: usize) -> Result<()> {
        if self.open.chunks.is_checked(self.record.chunk_start + position as u64) {
            return Ok(());
        }
        self.check_chunk(position)
    }

    /// The bytes of the `position`-th column, not verified.
    ///
    /// # Errors
    /// When they cannot be read.
    #[inline]
    pub(super) fn chunk_bytes(&self, position: usize) -> Result<&[u8]> {
        let (bytes, start) = self.bytes_with(position)?;
        Ok(&bytes[start..start + self.chunk_len(position)])
    }

    /// The values of the `position`-th column, as a buffer that keeps the bytes alive; not verified.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn values(&self, position: usize) -> Result<Buffer> {
        let values = self.layout(position).values;
        Ok(self.chunk(position)?.slice_with_length(values.start, values.len()))
    }

    /// All that is wrong with its columns.
    pub(super) fn damages(&self) -> Vec<Error> {
        let check = |position: usize| {
            self.check_chunk(position)?;
            // What the codes of a column mean that was given up the version does not say any more.
            let is_given_up = self.columns()[position].stored == Stored::Codes && self.open.texts[position].is_none();
            if is_given_up { Ok(()) } else { self.array(position).map(drop) }
        };
        (0..self.columns().len()).filter_map(|position| check(position).err()).collect()
    }

    /// As [`chunk_bytes`](Batch::chunk_bytes), as a buffer that keeps the bytes alive.
    fn chunk(&self, position: usize) -> Result<Buffer> {
        let (bytes, start) = self.bytes_with(position)?;
        Ok(bytes.slice_with_length(start, self.chunk_len(position)))
    }

    /// How many bytes the `position`-th column has.
    pub(super) fn chunk_len(&self, position: usize) -> usize {
        self.starts[position + 1] - self.starts[position]
    }

    /// Bytes that have the `position`-th chunk, and where it starts in them.
    fn bytes_with(&self, position: usize) -> Result<(&Buffer, usize)> {
        let start = self.starts[position];
        let stretches = match &self.body {
            Body::Mapped(bytes) => return Ok((bytes, start)),
            Body::Read(stretches) => stretches,
        };
        // Chunks without bytes lie at the end of others.
        let at = stretches.partition_point(|stretch| stretch.place.end <= start).min(stretches.len() - 1);
        let Stretch { place, bytes } = &stretches[at];
        if let Some(bytes) = bytes.get() {
            return Ok((bytes, start - place.start));
        }
        let read = self.open.segment.slice(self.record.body_offset + place.start as u64, place.len() as u64)?;
        Ok((bytes.get_or_init(|| read), start - place.start))
    }

    /// How the `position`-th column lies in its chunk.
    #[inline]
    pub(super) fn layout(&self, position: usize) -> ChunkLayout {
        let stored = self.open.columns[position].stored;
        ChunkLayout::new(stored, self.record.row_count, self.null_count(position))
    }

    /// How many nulls the `position`-th column has, by its record.
    pub(super) fn null_count(&self, position: usize) -> u32 {
        self.chunk_record(position).null_count
    }

    fn chunk_record(&self, position: usize) -> &ChunkRecord {
        // That they are there was seen when the batch was made.
        &self.open.chunks.all()[self.record.chunk_start as usize + position]
    }

    fn identity(&self, position: usize) -> ChunkIdentity {
        let column = &self.open.columns[position];
        ChunkIdentity {
            store_id: self.open.store_id,
            commit: self.open.record.commit,
            ordinal: self.open.record.ordinal,
            date: self.date.days(),
            row_count: self.record.row_count,
            column: column.column,
            null_count: self.null_count(position),
            stored: column.stored as u32,
            chunk: self.record.chunk_start + position as u64,
        }
    }

    pub(super) fn damaged(&self, damage: Damage) -> Error {
        Error::Corrupt { path: self.open.segment.path().to_owned(), damage }
    }
}

/// The chunks between these places in stretches of [`READ_AT_ONCE`], or of one chunk that is longer.
fn stretches(starts: &[usize]) -> Arc<[Stretch]> {
    let stretch = |place: Range<usize>| Stretch { place, bytes: OnceLock::new() };
    let mut all = Vec::new();
    let mut first = 0;
    for ends in starts.windows(2) {
        if ends[1] - first > READ_AT_ONCE && ends[1] > ends[0] && ends[0] > first {
            all.push(stretch(first..ends[0]));
            first = ends[0];
        }
    }
    all.push(stretch(first..starts.last().copied().unwrap_or(first)));
    all.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_chunks_are_read_together_and_large_ones_alone() {
        let places = |lens: &[usize]| -> Vec<(usize, usize)> {
            let mut starts = vec![0];
            lens.iter().for_each(|len| starts.push(starts[starts.len() - 1] + len));
            stretches(&starts).iter().map(|stretch| (stretch.place.start, stretch.place.end)).collect()
        };
        let mib = 1 << 20;
        assert_eq!(places(&[mib / 2, mib / 2, 64]), [(0, mib), (mib, mib + 64)]);
        assert_eq!(places(&[64, 3 * mib, 64, 0]), [(0, 64), (64, 3 * mib + 64), (3 * mib + 64, 3 * mib + 128)]);
        assert_eq!(places(&[0, 0]), [(0, 0)]);
        assert_eq!(places(&[0, 2 * mib, 0]), [(0, 2 * mib)]);
    }
}
