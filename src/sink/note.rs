//! A text kept in an otherwise empty output file.
//!
//! Polars reads every file of a directory it is given and refuses one with another ending, hidden or not. A note that
//! is itself a file of the format, with the schema of its neighbours and no rows, disturbs no reader.

use std::path::Path;

use arrow_ipc::reader::FileReader;
use parquet::file::metadata::ParquetMetaDataReader;

use super::Format;
use crate::durable;
use crate::error::{Error, Result};

/// Under this key the text stands in the file's metadata.
pub(super) const KEY: &str = "transect";

/// The text in the file of `format` at `path`.
///
/// # Errors
/// When the file cannot be read, or carries no text.
pub(crate) fn read_note(format: Format, path: &Path) -> Result<String> {
    let file = durable::open(path).map_err(Error::io("open", path))?;
    let damaged = |error: &dyn std::fmt::Display| Error::structure(path, error.to_string());
    let text = match format {
        Format::Parquet => {
            let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(|error| damaged(&error))?;
            let pairs = metadata.file_metadata().key_value_metadata();
            pairs.and_then(|pairs| pairs.iter().find(|pair| pair.key == KEY)?.value.clone())
        }
        Format::Arrow => {
            let reader = FileReader::try_new(file, None).map_err(|error| damaged(&error))?;
            reader.custom_metadata().get(KEY).cloned()
        }
    };
    text.ok_or_else(|| damaged(&"it carries no note of transect's"))
}
