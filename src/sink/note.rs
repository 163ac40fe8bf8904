//! A text kept in an otherwise empty output file.
//!
//! Polars reads every file of a directory it is given and refuses one with another ending, hidden or not. A note that
//! is itself a file of the format, with the schema of its neighbours and no rows, disturbs no reader.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use arrow_ipc::root_as_footer;
use parquet::file::metadata::ParquetMetaDataReader;

use crate::error::{Error, Result};

/// Under this key the text stands in the file's metadata.
pub(super) const KEY: &str = "transect";

/// The most bytes of a file that carries one: some hundred for each of a million files.
const LONGEST: u64 = 256 << 20;

/// Bytes at the end of an Arrow file: the footer's length, and ARROW1.
const TAIL: u64 = 10;

/// The text in `file`, which is at `path`. A file that is of neither format is itself the text.
///
/// # Errors
/// When the file cannot be read, or carries no text.
pub(crate) fn read_note(mut file: File, path: &Path) -> Result<String> {
    let unread = || Error::io("read", path);
    let damaged = |error: &dyn std::fmt::Display| Error::structure(path, error.to_string());
    let byte_len = file.metadata().map_err(unread())?.len();
    if byte_len > LONGEST {
        return Err(damaged(&format!("it has {byte_len} bytes, which are too many")));
    }
    let mut magic = Vec::new();
    (&file).take(6).read_to_end(&mut magic).map_err(unread())?;
    file.rewind().map_err(unread())?;
    let text = if magic.starts_with(b"PAR1") {
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(|error| damaged(&error))?;
        let pairs = metadata.file_metadata().key_value_metadata();
        pairs.and_then(|pairs| pairs.iter().find(|pair| pair.key == KEY)?.value.clone())
    } else if magic == b"ARROW1" {
        in_footer(&mut file).map_err(unread())?
    } else {
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| damaged(&error))?;
        Some(text)
    };
    text.ok_or_else(|| damaged(&"it carries no note of transect's"))
}

/// The text in the footer of an Arrow file; `None` where there is none. The crate's reader would read what else the footer
/// lists.
fn in_footer(file: &mut File) -> io::Result<Option<String>> {
    let byte_len = file.metadata()?.len();
    let Some(end) = byte_len.checked_sub(TAIL) else { return Ok(None) };
    let mut len = [0; 4];
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut len)?;
    let Some(start) = end.checked_sub(u32::from_le_bytes(len).into()) else { return Ok(None) };
    let mut footer = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(end - start).read_to_end(&mut footer)?;
    let footer = root_as_footer(&footer).ok();
    let mut pairs = footer.and_then(|footer| footer.custom_metadata()).into_iter().flatten();
    Ok(pairs.find(|pair| pair.key() == Some(KEY)).and_then(|pair| pair.value()).map(str::to_owned))
}
