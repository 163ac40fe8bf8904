//! A source that changes: what it had, beside what it has now, date by date, and what is written again.

pub(in crate::ingest) mod changes;
pub(in crate::ingest) mod comparison;
pub(in crate::ingest) mod joined;
pub(in crate::ingest) mod merge;
pub(in crate::ingest) mod merged;
pub(in crate::ingest) mod replan;
pub(in crate::ingest) mod reseal;
pub(in crate::ingest) mod revision;
mod tallies;
mod wanted;
