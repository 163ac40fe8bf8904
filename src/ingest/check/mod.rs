//! The check of a store against the files it was built from.

pub(in crate::ingest) mod join;
pub(in crate::ingest) mod lined;
pub(in crate::ingest) mod origins;
pub(in crate::ingest) mod place;
pub(in crate::ingest) mod report;
pub(in crate::ingest) mod run;
pub(in crate::ingest) mod tasks;
pub(in crate::ingest) mod units;
