//! One section as the bytes of one file, in the chosen format.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::writer::FileWriter;
use arrow_schema::SchemaRef;

use super::note::KEY;
use super::parquet::{ParquetEncoder, Scratch};
use super::{Compression, Format, OutputColumn};
use crate::error::{Error, Result};

/// Encodes sections of one schema; made once for a run and shared by all workers.
pub(crate) struct Encoder {
    schema: SchemaRef,
    /// `None` for Arrow files.
    parquet: Option<ParquetEncoder>,
}

impl Encoder {
    /// An encoder for columns of `schema`.
    ///
    /// # Errors
    /// When the format cannot hold a type.
    pub(crate) fn new(schema: SchemaRef, format: Format, compression: Compression) -> Result<Encoder> {
        let parquet = match format {
            Format::Parquet => Some(ParquetEncoder::new(&schema, compression)?),
            Format::Arrow => None,
        };
        Ok(Encoder { schema, parquet })
    }

    /// Gives the bytes of one file with these columns to `write`. They depend on nothing but the columns and the
    /// options.
    ///
    /// # Errors
    /// When the format cannot hold a value, or `write` fails.
    pub(crate) fn encode<R>(
        &self,
        columns: &[OutputColumn],
        row_count: usize,
        scratch: &mut Scratch,
        write: impl FnOnce(&[u8]) -> Result<R>,
    ) -> Result<R> {
        match &self.parquet {
            Some(parquet) => write(parquet.encode(columns, row_count, scratch)?),
            None => {
                let failed = || Error::failed("encode an Arrow file");
                let arrays: Vec<ArrayRef> =
                    columns.iter().map(|column| column.logical(row_count)).collect::<Result<_>>()?;
                let batch = RecordBatch::try_new(self.schema.clone(), arrays).map_err(failed())?;
                let mut writer = FileWriter::try_new(Vec::new(), &self.schema).map_err(failed())?;
                writer.write(&batch).map_err(failed())?;
                write(&writer.into_inner().map_err(failed())?)
            }
        }
    }

    /// A file of the same schema without rows that carries `text` in its metadata; see [`read_note`](super::read_note).
    ///
    /// # Errors
    /// When the format cannot hold the text.
    pub(crate) fn encode_note(&self, text: String) -> Result<Vec<u8>> {
        match &self.parquet {
            Some(parquet) => parquet.encode_note(text),
            None => {
                let failed = || Error::failed("encode an Arrow file");
                let mut writer = FileWriter::try_new(Vec::new(), &self.schema).map_err(failed())?;
                writer.write_metadata(KEY, text);
                writer.into_inner().map_err(failed())
            }
        }
    }
}
