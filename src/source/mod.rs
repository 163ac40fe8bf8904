//! The input: finds the per-stock files, agrees on one schema for all of them, and reads one series at a time.
//!
//! What is wrong with one file is a reason in words (of a [`Skipped`](crate::skipped::Skipped), or the `Err` of
//! [`Survey::open`] and [`SeriesReader::read`]), never an [`Error`](crate::Error): the other files go on.

mod agreement;
mod allowance;
mod arrow;
mod becomes;
mod code_column;
mod code_map;
mod content;
mod convert;
mod csv;
mod date;
mod folder;
mod frame;
mod from_text;
mod input;
mod look;
mod losses;
mod lz4_frame;
mod map_file;
mod members;
mod options;
mod order;
mod outcome;
mod parquet;
mod path;
mod read;
mod roll;
mod section_file;
mod section_rows;
mod survey;
mod table;
mod time_text;
mod trouble;
mod types;
mod weight;

pub(crate) use agreement::prior::Prior;
pub(crate) use allowance::Allowance;
pub(crate) use becomes::Becomes;
pub use code_map::CodeMap;
pub(crate) use code_map::Touched;
pub(crate) use convert::check_values;
pub(crate) use folder::scan::{Known, KnownFile, Scan, Trust, scan};
pub(crate) use frame::{FrameSchema, odd_values, of_frame_on, unreadable};
pub(crate) use look::agreed::Agreed;
pub(crate) use look::settle::says_times;
pub(crate) use look::surveyor::Surveyor;
pub use look::surveyor::survey;
pub(crate) use losses::Losses;
pub use members::read_members;
pub use options::{BadDates, Cast, Duplicates, Epoch, OptionChanges, Rename, SourceOptions};
pub use outcome::FileOutcome;
pub use path::code_template::CodeTemplate;
pub use path::files_by::FilesBy;
pub use path::ignore::Ignore;
pub use path::input_format::InputFormat;
pub(crate) use path::naming::{absolute, shown};
pub use path::pattern::Pattern;
pub(crate) use path::period::Period;
pub use read::series::{BadFile, SeriesReader};
pub use roll::Roll;
pub(crate) use section_file::{column_names, read_section, section_date, take_frame};
pub(crate) use section_rows::SectionRows;
pub use survey::{Input, InputFile, Survey};
pub(crate) use trouble::check_machine;
pub(crate) use types::check_decimals;
pub use types::parse_type;

#[cfg(test)]
mod tests;
