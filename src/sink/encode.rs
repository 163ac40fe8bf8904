//! Row groups as the bytes of one file, in the chosen format.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::writer::FileWriter;
use arrow_schema::SchemaRef;

use super::chunk::Scratch;
use super::csv::CsvEncoder;
use super::note::KEY;
use super::parquet::{ParquetEncoder, ParquetFile, Put};
use super::{Compression, Format, OutputColumn};
use crate::error::{Error, Result};

/// What failed, where an Arrow file could not be made.
const ARROW: &str = "encode an Arrow file";

/// Encodes files of one schema; made once for a run and shared by all workers.
pub(crate) struct Encoder {
    schema: SchemaRef,
    as_format: AsFormat,
}

enum AsFormat {
    // Boxed, because it is far larger than the others.
    Parquet(Box<ParquetEncoder>),
    Arrow,
    Csv(CsvEncoder),
}

impl Encoder {
    /// An encoder for columns of `schema`.
    ///
    /// # Errors
    /// When the format cannot hold a type.
    pub(crate) fn new(schema: SchemaRef, format: Format, compression: Compression) -> Result<Encoder> {
        let as_format = match format {
            Format::Parquet => AsFormat::Parquet(Box::new(ParquetEncoder::new(&schema, compression)?)),
            Format::Arrow => AsFormat::Arrow,
            Format::Csv => AsFormat::Csv(CsvEncoder::new(schema.clone())),
        };
        Ok(Encoder { schema, as_format })
    }

    /// An encoder like this one for files of another schema; `None` where it is the same.
    ///
    /// # Errors
    /// As [`new`](Encoder::new).
    pub(crate) fn of_schema(&self, schema: SchemaRef) -> Result<Option<Encoder>> {
        if schema == self.schema {
            return Ok(None);
        }
        let (format, compression) = match &self.as_format {
            AsFormat::Parquet(parquet) => (Format::Parquet, parquet.compression()),
            AsFormat::Arrow => (Format::Arrow, Compression::None),
            AsFormat::Csv(_) => (Format::Csv, Compression::None),
        };
        Encoder::new(schema, format, compression).map(Some)
    }

    /// Begins a file. Its bytes depend on nothing but the rows, how they are grouped, and the options.
    ///
    /// # Errors
    /// When the format cannot hold the schema.
    pub(crate) fn begin<'e>(&'e self, scratch: &'e mut Scratch) -> Result<FileEncoder<'e>> {
        Ok(match &self.as_format {
            AsFormat::Parquet(parquet) => FileEncoder::Parquet(parquet.begin(scratch)),
            AsFormat::Csv(csv) => FileEncoder::Csv { csv, is_first: true },
            AsFormat::Arrow => {
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
        match &self.as_format {
            AsFormat::Parquet(parquet) => parquet.encode_note(text),
            // There is no place for it in such a file; it is one of its own.
            AsFormat::Csv(_) => Ok(text.into_bytes()),
            AsFormat::Arrow => {
                let failed = || Error::failed(ARROW);
                let mut writer = FileWriter::try_new(Vec::new(), &self.schema).map_err(failed())?;
                writer.write_metadata(KEY, text);
                writer.into_inner().map_err(failed())
            }
        }
    }

    /// What its format could not say of the files that were made; `None` where it said all.
    pub(crate) fn loss(&self) -> Option<String> {
        let AsFormat::Csv(csv) = &self.as_format else { return None };
        let empty = csv.with_empty();
        let told = || format!("in csv an empty text looks like a null: there are some in {}", empty.join(", "));
        (!empty.is_empty()).then(told)
    }
}

/// One file on its way: groups of rows, each with the same columns.
pub(crate) enum FileEncoder<'e> {
    Parquet(ParquetFile<'e>),
    Arrow { schema: &'e SchemaRef, writer: Box<FileWriter<Vec<u8>>> },
    Csv { csv: &'e CsvEncoder, is_first: bool },
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
            FileEncoder::Csv { csv, is_first } => {
                let bytes = csv.encode(columns, row_count, std::mem::take(is_first))?;
                put(&bytes)
            }
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
            FileEncoder::Csv { .. } => Ok(()),
            FileEncoder::Arrow { writer, .. } => put(&writer.into_inner().map_err(Error::failed(ARROW))?),
        }
    }
}
