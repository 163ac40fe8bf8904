//! Files of text with a line of names and fields between commas: their records, what their fields look like, and their
//! values.

mod decode;
mod guess;
mod records;
pub(in crate::source) mod survey;
