//! Parquet files from sections, with pages made from stored bytes.
//!
//! A 0/1 dummy is stored as bits, and these are, byte for byte, the body of a dictionary-coded page of bit width 1;
//! doubles are a plain page as they lie in the map; the codes of texts are a page of indices, renumbered. So numbers and
//! texts are encoded in [`chunk`](super::chunk); every other type goes through the `parquet` crate's own writer. Page
//! headers and the footer are always the crate's.

use std::io::Write;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, RecordBatch, cast::AsArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, KeyValue, ParquetMetaDataBuilder, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::TrackedWrite;
use parquet::schema::types::{ColumnPath, SchemaDescPtr};

use super::chunk::{Chunk, Output, Scratch};
use super::codec::parquet_compression;
use super::note::KEY;
use super::{Compression, OutputColumn};
use crate::error::{Error, Result};
use crate::panel::{first_unwritable, show};

/// What failed, where a Parquet file could not be made.
const PARQUET: &str = "encode a Parquet file";

/// First bytes of a Parquet file.
const MAGIC: &[u8] = b"PAR1";

/// Bytes of a file that are held until they are put: more than files of one date mostly have.
const HELD_BYTES: usize = 4 << 20;

/// Makes Parquet files of one schema.
pub(super) struct ParquetEncoder {
    compression: Compression,
    schema: SchemaRef,
    properties: WriterProperties,
    /// What all files have in common.
    common: FileMetaData,
    columns: SchemaDescPtr,
}

/// Where the bytes of a file go, from the first to the last.
pub(crate) type Put<'p> = dyn FnMut(&[u8]) -> Result<()> + 'p;

impl ParquetEncoder {
    /// An encoder for files of `schema`.
    ///
    /// # Errors
    /// When Parquet cannot hold a type, or the compression's level is out of range.
    pub(super) fn new(schema: &SchemaRef, compression: Compression) -> Result<ParquetEncoder> {
        let schema = &in_parquet(schema);
        let properties = properties(schema, compression)?;
        // An empty file by the crate's own writer has all that files have in common: the schema in both notations,
        // the column orders and the creator.
        let failed = || Error::failed("encode a Parquet schema");
        let writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties.clone())).map_err(failed())?;
        let common = writer.close().map_err(failed())?.file_metadata().clone();
        let columns = common.schema_descr_ptr();
        Ok(ParquetEncoder { compression, schema: schema.clone(), properties, common, columns })
    }

    /// How its pages are compressed.
    pub(super) fn compression(&self) -> Compression {
        self.compression
    }

    /// Begins a file.
    pub(super) fn begin<'e>(&'e self, scratch: &'e mut Scratch) -> ParquetFile<'e> {
        let mut file = std::mem::take(&mut scratch.file);
        file.clear();
        ParquetFile { encoder: self, scratch, output: TrackedWrite::new(file), groups: Vec::new(), row_count: 0 }
    }

    /// A file without rows that carries `text` in its metadata.
    ///
    /// # Errors
    /// When the crate refuses.
    pub(super) fn encode_note(&self, text: String) -> Result<Vec<u8>> {
        let failed = || Error::failed("encode a Parquet file");
        let properties = Some(self.properties.clone());
        let mut writer = ArrowWriter::try_new(Vec::new(), self.schema.clone(), properties).map_err(failed())?;
        writer.append_key_value_metadata(KeyValue::new(KEY.to_owned(), text));
        writer.into_inner().map_err(failed())
    }

    fn write_column(
        &self,
        index: usize,
        column: &OutputColumn,
        row_count: usize,
        scratch: &mut Scratch,
        output: &mut Output,
    ) -> Result<ColumnChunkMetaData, ParquetError> {
        let (column_of, compression) = (self.columns.column(index), self.compression);
        let whole = column.whole().map_err(|error| ParquetError::External(Box::new(error)))?;
        let column = &whole;
        let mut chunk = Chunk { column: column_of, compression, row_count, scratch, output };
        match column {
            OutputColumn::Constant(value) if value.null_count() == 0 => {
                if let Some(written) = chunk.constant(value)? {
                    return Ok(written);
                }
            }
            OutputColumn::Constant(_) | OutputColumn::Joined(_) => {}
            OutputColumn::Stored { array, logical, distinct } => {
                if let (Some(bits), true) = (array.as_boolean_opt(), logical.is_integer() && array.null_count() == 0) {
                    return chunk.bits(&bits.values().sliced(), logical);
                }
                let written = match array.as_dictionary_opt::<Int32Type>() {
                    Some(coded) => chunk.texts(coded, *distinct)?,
                    None => chunk.numbers(array, logical)?,
                };
                if let Some(written) = written {
                    return Ok(written);
                }
            }
        }
        let array = column.logical(row_count).map_err(|error| ParquetError::External(Box::new(error)))?;
        if let Some(row) = first_unwritable(&array) {
            let (name, value, kind) = (self.schema.field(index).name(), show(&array, row), array.data_type());
            let what = format!("{value} in {name:?}, as {kind}, is more than a Parquet file can hold");
            let refused = Error::refused(what, "leave the column out, or write Arrow files");
            return Err(ParquetError::External(Box::new(refused)));
        }
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let array = cast_with_options(&array, self.schema.field(index).data_type(), &strict)?;
        self.write_any(index, array, output)
    }

    /// A column by the crate's writer: as a file of its own, of which only the chunk is kept.
    fn write_any(
        &self,
        index: usize,
        array: ArrayRef,
        output: &mut Output,
    ) -> Result<ColumnChunkMetaData, ParquetError> {
        let schema = Arc::new(Schema::new(vec![self.schema.field(index).clone()]));
        let batch = RecordBatch::try_new(schema.clone(), vec![array])?;
        let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(self.properties.clone()))?;
        writer.write(&batch)?;
        let metadata = writer.finish()?;
        let file = writer.inner();
        let [group] = metadata.row_groups() else {
            return Err(ParquetError::General("a section has more rows than one row group".to_owned()));
        };
        let chunk = group.column(0);
        let (start, len) = chunk.byte_range();
        let shift = output.bytes_written() as i64 - start as i64;
        output.write_all(&file[start as usize..(start + len) as usize])?;
        let mut moved = ColumnChunkMetaData::builder(self.columns.column(index))
            .set_compression_codec(chunk.compression_codec())
            .set_encodings_mask(*chunk.encodings_mask())
            .set_num_values(chunk.num_values())
            .set_total_compressed_size(chunk.compressed_size())
            .set_total_uncompressed_size(chunk.uncompressed_size())
            .set_data_page_offset(chunk.data_page_offset() + shift)
            .set_dictionary_page_offset(chunk.dictionary_page_offset().map(|offset| offset + shift));
        if let Some(statistics) = chunk.statistics() {
            moved = moved.set_statistics(statistics.clone());
        }
        moved.build()
    }
}

/// One file being made.
pub(crate) struct ParquetFile<'e> {
    encoder: &'e ParquetEncoder,
    scratch: &'e mut Scratch,
    /// What was not put yet.
    output: Output,
    groups: Vec<RowGroupMetaData>,
    row_count: usize,
}

impl ParquetFile<'_> {
    /// Adds a row group; what came before goes to `put`, and columns of this one do when they are many bytes.
    ///
    /// # Errors
    /// When Parquet cannot hold a value, or `put` fails.
    pub(super) fn write(&mut self, columns: &[OutputColumn], row_count: usize, put: &mut Put<'_>) -> Result<()> {
        match self.groups.is_empty() {
            true => self.output.write_all(MAGIC).map_err(Error::failed(PARQUET))?,
            false => self.put(put)?,
        }
        let start = self.output.bytes_written();
        let mut chunks = Vec::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            let written = self.encoder.write_column(index, column, row_count, self.scratch, &mut self.output);
            chunks.push(written.map_err(own)?);
            if self.output.inner().len() > HELD_BYTES {
                self.put(put)?;
            }
        }
        self.end_group(chunks, start, row_count).map_err(Error::failed(PARQUET))
    }

    /// Gives what was written to `put`.
    fn put(&mut self, put: &mut Put<'_>) -> Result<()> {
        self.output.flush().map_err(Error::failed(PARQUET))?;
        put(self.output.inner())?;
        self.output.inner_mut().clear();
        Ok(())
    }

    /// Describes the row group of these chunks, which begins at `start`.
    fn end_group(
        &mut self,
        chunks: Vec<ColumnChunkMetaData>,
        start: usize,
        row_count: usize,
    ) -> Result<(), ParquetError> {
        let total: i64 = chunks.iter().map(ColumnChunkMetaData::uncompressed_size).sum();
        let group = RowGroupMetaData::builder(self.encoder.columns.clone())
            .set_num_rows(row_count as i64)
            .set_total_byte_size(total)
            .set_column_metadata(chunks)
            .set_file_offset(start as i64)
            .set_ordinal(self.groups.len() as i32)
            .build()?;
        self.groups.push(group);
        self.row_count += row_count;
        Ok(())
    }

    /// Gives the rest of the file to `put`.
    ///
    /// # Errors
    /// When `put` fails.
    pub(super) fn finish(self, put: &mut Put<'_>) -> Result<()> {
        let ParquetEncoder { common, columns, .. } = self.encoder;
        let metadata = FileMetaData::new(
            common.version(),
            self.row_count as i64,
            common.created_by().map(str::to_owned),
            common.key_value_metadata().cloned(),
            columns.clone(),
            common.column_orders().cloned(),
        );
        let metadata = ParquetMetaDataBuilder::new(metadata).set_row_groups(self.groups).build();
        // The footer's offsets are absolute, so it can be written apart from what precedes it.
        let mut file = self.output.into_inner().map_err(Error::failed(PARQUET))?;
        ParquetMetaDataWriter::new(&mut file, &metadata).finish().map_err(Error::failed(PARQUET))?;
        put(&file)?;
        self.scratch.file = file;
        Ok(())
    }
}

/// Our own error as it is, and another's as what it failed at.
fn own(error: ParquetError) -> Error {
    match error {
        ParquetError::External(error) => match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => Error::failed(PARQUET)(error),
        },
        error => Error::failed(PARQUET)(error),
    }
}

/// `schema` as a Parquet file has it. Parquet has no seconds: they become milliseconds, as pyarrow writes them. As bare
/// numbers, with a note for Arrow, most readers would take them for numbers.
pub(crate) fn in_parquet(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let data_type = match field.data_type() {
            DataType::Timestamp(TimeUnit::Second, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
            DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
            other => other.clone(),
        };
        field.as_ref().clone().with_data_type(data_type)
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

fn properties(schema: &SchemaRef, compression: Compression) -> Result<WriterProperties> {
    let compression = parquet_compression(compression).map_err(Error::failed("set the compression level"))?;
    let mut properties: WriterPropertiesBuilder = WriterProperties::builder()
        .set_created_by(concat!("transect ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(compression)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        // Without it a date64 is a bare integer to everyone but Arrow.
        .set_coerce_types(true)
        .set_max_row_group_row_count(None);
    for field in schema.fields() {
        // A dictionary pays where values repeat within one date; measurements hardly ever do.
        let repeats = !(field.data_type().is_floating() || field.data_type().is_decimal());
        let path = ColumnPath::new(vec![field.name().clone()]);
        properties = properties.set_column_dictionary_enabled(path, repeats);
    }
    Ok(properties.build())
}
