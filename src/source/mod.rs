//! The input: finds the per-stock files, agrees on one schema for all of them, and reads one series at a time.
//!
//! What is wrong with one file is a reason in words (of a [`Skipped`](crate::skipped::Skipped), or the `Err` of
//! [`Survey::open`] and [`SeriesReader::read`]), never an [`Error`](crate::Error): the other files go on.

mod advice;
mod agree;
mod allowance;
mod apart;
mod arrow_file;
mod becomes;
mod beside;
mod by_date;
mod calendar;
mod candidate;
mod clock;
mod code_template;
mod codes;
mod conflict;
mod content;
mod convert;
mod date_advice;
mod date_format;
mod date_text;
mod dates;
mod day_times;
mod discover;
mod exact;
mod file;
mod files_by;
mod frame;
mod ignore;
mod look;
mod losses;
mod meeting;
mod members;
mod naming;
mod options;
mod order;
mod outcome;
mod parquet;
mod pattern;
mod period;
mod prior;
mod question;
mod roles;
mod roll;
mod scan;
mod section_file;
mod series;
mod settle;
mod survey;
mod trading;
mod trading_dates;
mod trial;
mod trouble;
mod types;
mod unit;
mod weight;

pub(crate) use allowance::Allowance;
pub(crate) use becomes::Becomes;
pub use code_template::CodeTemplate;
pub(crate) use convert::check_values;
pub use files_by::FilesBy;
pub(crate) use frame::{FrameSchema, of_frame, of_frame_on, unreadable};
pub use ignore::Ignore;
pub use look::survey;
pub(crate) use look::survey_again;
pub(crate) use losses::Losses;
pub use members::read_members;
pub(crate) use options::absolute;
pub use options::{BadDates, Cast, Duplicates, Epoch, OptionChanges, Rename, SourceOptions};
pub use outcome::FileOutcome;
pub use pattern::Pattern;
pub(crate) use period::Period;
pub(crate) use prior::Prior;
pub use roll::Roll;
pub(crate) use scan::{Known, KnownFile, Scan, Trust, scan};
pub(crate) use section_file::{SectionFile, read_section, take_frame};
pub use series::{BadFile, SeriesReader};
pub use survey::{Input, InputFile, Survey};
pub(crate) use trouble::check_machine;
pub use types::parse_type;
pub(crate) use unit::beside_unusable;

#[cfg(test)]
mod tests;
