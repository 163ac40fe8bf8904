//! One segment: an immutable Arrow IPC file with a record batch for each of its pieces.
//!
//! The writer produces it through `arrow-ipc`, so that every Arrow program can read it; the reader takes chunks out of
//! it at the places the catalog names, without parsing.

mod body;
mod column;
mod reader;
mod writer;

pub(crate) use body::{BatchBody, ChunkMut, Room, filled_chunk};
pub(crate) use column::{SegmentColumn, chunk_array, stored_array};
pub(crate) use reader::Segment;
pub(crate) use writer::{SealedBatch, SealedSegment, SegmentId, SegmentWriter};
