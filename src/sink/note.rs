//! A text kept in an otherwise empty output file.
//!
//! Polars reads every file of a directory it is given and refuses one with another ending, hidden or not. A note that
//! is itself a file of the format, with the schema of its neighbours and no rows, disturbs no reader.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use arrow_ipc::reader::FileReader;
use parquet::file::metadata::ParquetMetaDataReader;

use crate::error::{Error, Result};

/// Under this key the text stands in the file's metadata.
pub(super) const KEY: &str = "transect";

/// The text in `file`, which is at `path`. A file that is of neither format is itself the text.
///
/// # Errors
/// When the file cannot be read, or carries no text.
pub(crate) fn read_note(mut file: File, path: &Path) -> Result<String> {
    let unread = || Error::io("read", path);
    let damaged = |error: &dyn std::fmt::Display| Error::structure(path, error.to_string());
    let mut magic = Vec::new();
    (&file).take(6).read_to_end(&mut magic).map_err(unread())?;
    file.rewind().map_err(unread())?;
    let text = if magic.starts_with(b"PAR1") {
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(|error| damaged(&error))?;
        let pairs = metadata.file_metadata().key_value_metadata();
        pairs.and_then(|pairs| pairs.iter().find(|pair| pair.key == KEY)?.value.clone())
    } else if magic == b"ARROW1" {
        let reader = FileReader::try_new(file, None).map_err(|error| damaged(&error))?;
        reader.custom_metadata().get(KEY).cloned()
    } else {
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| damaged(&error))?;
        Some(text)
    };
    text.ok_or_else(|| damaged(&"it carries no note of transect's"))
}
