//! One stock's file: encoded in memory, written under a temporary name, renamed.

use std::fs;
use std::path::Path;

use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::error::{Error, Result};

/// Writes `batch` as `dir/{code}.parquet` and returns the file's length.
///
/// The options are those pyarrow has by default, so that the files cost a reader what pandas' files cost: snappy,
/// dictionaries, statistics per column chunk and no page index, row groups of 1,048,576 rows (the default here too).
pub(super) fn write(dir: &Path, code: &str, batch: &RecordBatch) -> Result<u64> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .build();
    let failed = || Error::failed(format!("encode {code}"));
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).map_err(failed())?;
    writer.write(batch).map_err(failed())?;
    let bytes = writer.into_inner().map_err(failed())?;

    let path = dir.join(format!("{code}.parquet"));
    let temporary = dir.join(format!(".{code}.parquet.tmp"));
    let placed = fs::write(&temporary, &bytes)
        .map_err(Error::io("write", &temporary))
        .and_then(|()| fs::rename(&temporary, &path).map_err(Error::io("rename", &temporary)));
    if let Err(error) = placed {
        // Best effort: the first error is the one to tell.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    Ok(bytes.len() as u64)
}
