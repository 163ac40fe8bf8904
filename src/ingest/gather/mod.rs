//! From inputs to blocks of rows by date: what a build, an update and an append have in common.

pub(in crate::ingest) mod codes;
pub(in crate::ingest) mod intake;
pub(in crate::ingest) mod parted;
pub(in crate::ingest) mod plan;
pub(in crate::ingest) mod sections;
pub(in crate::ingest) mod stages;
pub(in crate::ingest) mod texts;
