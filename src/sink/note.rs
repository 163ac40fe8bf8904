//! A text kept in an otherwise empty output file.
//!
//! Polars reads every file of a directory it is given and refuses one with another ending, hidden or not. A note that
//! is itself a file of the format, with the schema of its neighbours and no rows, disturbs no reader.

use std::fs::File;
use std::path::Path;

use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::FileWriter;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::{KeyValue, ParquetMetaDataReader};

use super::Format;
use crate::error::{Error, Result};

/// Under this key the text stands in the file's metadata.
const KEY: &str = "transect";

/// A file of `format` without rows that carries `text`.
///
/// # Errors
/// When the format cannot hold the schema.
pub(crate) fn encode_note(format: Format, schema: &SchemaRef, text: String) -> Result<Vec<u8>> {
    match format {
        Format::Parquet => {
            let failed = || Error::arrow("encode a Parquet file");
            let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), None).map_err(failed())?;
            writer.append_key_value_metadata(KeyValue::new(KEY.to_owned(), text));
            writer.into_inner().map_err(failed())
        }
        Format::Arrow => {
            let failed = || Error::arrow("encode an Arrow file");
            let mut writer = FileWriter::try_new(Vec::new(), schema).map_err(failed())?;
            writer.write_metadata(KEY, text);
            writer.into_inner().map_err(failed())
        }
    }
}

/// The text in the file of `format` at `path`.
///
/// # Errors
/// When the file cannot be read, or carries no text.
pub(crate) fn read_note(format: Format, path: &Path) -> Result<String> {
    let file = File::open(path).map_err(Error::io("open", path))?;
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
