//! One section as the bytes of one file, in the chosen format.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::writer::FileWriter;
use arrow_schema::SchemaRef;

use super::chunk::Scratch;
use super::note::KEY;
use super::parquet::{ParquetEncoder, ParquetFile, Put};
use super::{Compression, Format, OutputColumn};
use crate::error::{Error, Result};

/// What failed, where an Arrow file could not be made.
const ARROW: &str = "encode an Arrow file";

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

    /// Begins a file. Its bytes depend on nothing but the rows, how they are grouped, and the options.
    ///
    /// # Errors
    /// When the format cannot hold the schema.
    pub(crate) fn begin<'e>(&'e self, scratch: &'e mut Scratch) -> Result<FileEncoder<'e>> {
        Ok(match &self.parquet {
            Some(parquet) => FileEncoder::Parquet(parquet.begin(scratch)),
            None => {
                let writer = FileWriter::try_new(Vec::new(), &self.schema).map_err(Error::failed(ARROW))?;
                FileEncoder::Arrow { schema: &self.schema, writer: Box::new(writer) }
            }
        })
    }

    /// A file of the same schema without rows that carries `text` in its metadata; see [`read_note`](super::read_note).
    ///
    /// # Errors
    /// When the format cannot hold the text.
    pub(crate) fn encode_note(&self, text: String) -> Result<Vec<u8>> {
        match &self.parquet {
            Some(parquet) => parquet.encode_note(text),
            None => {
                let failed = || Error::failed(ARROW);
                let mut writer = FileWriter::try_new(Vec::new(), &self.schema).map_err(failed())?;
                writer.write_metadata(KEY, text);
                writer.into_inner().map_err(failed())
            }
        }
    }
}

/// One file on its way: groups of rows, each with the same columns.
pub(crate) enum FileEncoder<'e> {
    Parquet(ParquetFile<'e>),
    Arrow { schema: &'e SchemaRef, writer: Box<FileWriter<Vec<u8>>> },
}

impl FileEncoder<'_> {
    /// Adds a group of rows. What came before goes to `put`, so that one group is held at a time and a file of one group
    /// is put in one piece.
    ///
    /// # Errors
    /// When the format cannot hold a value, or `put` fails.
    pub(crate) fn write(&mut self, columns: &[OutputColumn], row_count: usize, put: &mut Put<'_>) -> Result<()> {
        match self {
            FileEncoder::Parquet(file) => file.write(columns, row_count, put),
            FileEncoder::Arrow { schema, writer } => {
                let arrays: Vec<ArrayRef> =
                    columns.iter().map(|column| column.logical(row_count)).collect::<Result<_>>()?;
                let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(Error::failed(ARROW))?;
                if !writer.get_ref().is_empty() {
                    put(writer.get_ref())?;
                    writer.get_mut().clear();
                }
                writer.write(&batch).map_err(Error::failed(ARROW))
            }
        }
    }

    /// Gives the rest of the file to `put`.
    ///
    /// # Errors
    /// When `put` fails.
    pub(crate) fn finish(self, put: &mut Put<'_>) -> Result<()> {
        match self {
            FileEncoder::Parquet(file) => file.finish(put),
            FileEncoder::Arrow { writer, .. } => put(&writer.into_inner().map_err(Error::failed(ARROW))?),
        }
    }
}
