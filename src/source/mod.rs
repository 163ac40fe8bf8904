//! The input: finds the per-stock files, agrees on one schema for all of them, and reads one series at a time.
//!
//! What is wrong with one file is a reason in words (of a [`Skipped`](crate::skipped::Skipped), or the `Err` of
//! [`Survey::open`] and [`SeriesReader::read`]), never an [`Error`](crate::Error): the other files go on.

mod advice;
mod agree;
mod allowance;
mod arrow_file;
mod beside;
mod chunks;
mod conflict;
mod constant;
mod content;
mod contents;
mod convert;
mod date_advice;
mod dates;
mod declared;
mod decode;
mod delta;
mod discover;
mod exact;
mod footer;
mod inflate;
mod instants;
mod meaning;
mod naming;
mod options;
mod order;
mod outline;
mod pages;
mod pattern;
mod runs;
mod scan;
mod section_file;
mod series;
mod survey;
mod thrift;
mod trouble;
mod types;
mod weight;

pub(crate) use allowance::Allowance;
pub(crate) use convert::check_values;
pub use options::{BadDates, Cast, Duplicates, OptionChanges, SourceOptions};
pub use pattern::Pattern;
pub(crate) use scan::{KnownFile, Scan, Trust, scan};
pub(crate) use section_file::{SectionFile, read_section};
pub use series::{SeriesColumn, SeriesReader};
pub use survey::{Input, Survey, survey};
pub(crate) use survey::{Prior, survey_again};
pub(crate) use trouble::check_machine;
pub use types::parse_type;

#[cfg(test)]
mod tests;
