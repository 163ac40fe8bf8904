//! From blocks to segments: what depends on all blocks, and a section's columns put together.

pub(in crate::ingest) mod assemble;
pub(in crate::ingest) mod before;
pub(in crate::ingest) mod sealer;
