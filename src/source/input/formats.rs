//! The formats of input files, told apart.

use super::interner::Interner;
use super::schema::Footer;
use crate::reason::Reason;
use crate::source::content::Content;
use crate::source::parquet::settle::survey_parquet;

/// What a file says of itself.
///
/// # Errors
/// The reason to skip the file.
pub(in crate::source) fn survey_file(content: &Content, interner: &Interner) -> Result<Footer, Reason> {
    survey_parquet(content, interner)
}
