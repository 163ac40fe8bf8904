//! Row groups as the bytes of one file, in the chosen format.

use std::collections::BTreeSet;

use arrow_schema::SchemaRef;

use super::arrow::{self, ArrowFile};
use super::chunk::Scratch;
use super::csv::CsvEncoder;
use super::parquet::{ParquetEncoder, ParquetFile, Put};
use super::slices::{in_groups, in_slices};
use super::{Compression, Format, OutputColumn};
use crate::error::Result;

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
            AsFormat::Arrow => FileEncoder::Arrow(ArrowFile::new(&self.schema)?),
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
            AsFormat::Arrow => arrow::encode_note(&self.schema, text),
        }
    }

    /// The columns of which its format could not say all in the files that were made.
    pub(crate) fn lossy(&self) -> BTreeSet<usize> {
        let AsFormat::Csv(csv) = &self.as_format else { return BTreeSet::new() };
        csv.with_empty()
    }

    /// What its format could not say of these columns; `None` where it said all.
    pub(crate) fn loss(&self, lossy: &BTreeSet<usize>) -> Option<String> {
        let AsFormat::Csv(csv) = &self.as_format else { return None };
        let empty: Vec<&str> = lossy.iter().filter_map(|&index| csv.name(index)).collect();
        let told = || format!("in csv an empty text looks like a null: there are some in {}", empty.join(", "));
        (!empty.is_empty()).then(told)
    }
}

/// One file on its way: groups of rows, each with the same columns.
pub(crate) enum FileEncoder<'e> {
    Parquet(ParquetFile<'e>),
    Arrow(ArrowFile<'e>),
    Csv { csv: &'e CsvEncoder, is_first: bool },
}

impl FileEncoder<'_> {
    /// Adds a group of rows. What came before goes to `put`, so that a small file is put in one piece, and of a large one
    /// a column is held at a time, or a slice of the rows.
    ///
    /// # Errors
    /// When the format cannot hold a value, or `put` fails.
    pub(crate) fn write(&mut self, columns: &[OutputColumn], row_count: usize, put: &mut Put<'_>) -> Result<()> {
        match self {
            FileEncoder::Parquet(file) => {
                in_groups(columns, row_count, &mut |columns, row_count| file.write(columns, row_count, put))
            }
            FileEncoder::Csv { csv, is_first } => in_slices(columns, row_count, &mut |columns, row_count| {
                let bytes = csv.encode(columns, row_count, std::mem::take(is_first))?;
                put(&bytes)
            }),
            FileEncoder::Arrow(file) => file.write(columns, row_count, put),
        }
    }

    /// Whether all groups must be written once more, because only now is known what the file must begin with. Nothing was
    /// put then.
    ///
    /// # Errors
    /// When the format cannot hold it.
    pub(crate) fn begins_again(&mut self) -> Result<bool> {
        match self {
            FileEncoder::Arrow(file) => file.begins_again(),
            FileEncoder::Parquet(_) | FileEncoder::Csv { .. } => Ok(false),
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
            FileEncoder::Arrow(file) => file.finish(put),
        }
    }
}
