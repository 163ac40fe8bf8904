//! Parquet files from sections, with pages made from stored bytes.
//!
//! A 0/1 dummy is stored as bits, and these are, byte for byte, the body of a dictionary-coded page of bit width 1;
//! doubles are a plain page as they lie in the map. Such columns are encoded here; every other one goes through the
//! `parquet` crate's own writer. Page headers and the footer are always the crate's.

use std::io::Write;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, RecordBatch, cast::AsArray};
use arrow_buffer::NullBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Encoding, Type as Physical};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, KeyValue, ParquetMetaDataBuilder, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::{ColumnPath, SchemaDescPtr};

use super::codec::{Codec, parquet_compression};
use super::note::KEY;
use super::{Compression, OutputColumn};
use crate::error::{Error, Result};

/// What failed, where a Parquet file could not be made.
const PARQUET: &str = "encode a Parquet file";

/// First bytes of a Parquet file.
const MAGIC: &[u8] = b"PAR1";

/// Makes Parquet files of one schema.
pub(super) struct ParquetEncoder {
    compression: Compression,
    schema: SchemaRef,
    properties: WriterProperties,
    /// What all files have in common.
    common: FileMetaData,
    columns: SchemaDescPtr,
}

/// Buffers that one worker uses for file after file.
#[derive(Default)]
pub(crate) struct Scratch {
    codec: Codec,
    /// The file being made.
    file: Vec<u8>,
    /// The page being made.
    page: Vec<u8>,
}

type Output = TrackedWrite<Vec<u8>>;

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
        let chunk = Chunk { encoder: self, index, row_count, null_count: 0, scratch, output };
        match column {
            OutputColumn::Constant(value) if value.null_count() == 0 => {
                let mut plain = Vec::new();
                if put_plain(value, &mut plain) {
                    let statistics = constant_statistics(value);
                    return chunk.dictionary(&plain, 1, statistics, |page| {
                        put_varint(page, (row_count as u64) << 1);
                        page.push(0);
                    });
                }
            }
            OutputColumn::Constant(_) => {}
            OutputColumn::Stored { array, logical, distinct } => {
                if let (Some(bits), true) = (array.as_boolean_opt(), logical.is_integer() && array.null_count() == 0) {
                    let ones = bits.true_count();
                    let physical = self.columns.column(index).physical_type();
                    let range = (i64::from(ones == row_count), i64::from(ones > 0));
                    let values = bits.values();
                    let (body, offset) = (values.values(), values.offset());
                    if let (Some((dictionary, statistics)), 0) = (zero_and_one(physical, range), offset) {
                        return chunk
                            .dictionary(&dictionary, 2, statistics, |page| put_bit_packed(page, body, row_count));
                    }
                }
                if let (true, 0, Some(codes)) = (*distinct, array.null_count(), array.as_dictionary_opt::<Int32Type>())
                    && let Some(texts) = codes.downcast_dict::<arrow_array::StringArray>()
                    && row_count > 0
                {
                    // Rows come in the order of their codes, so the ends are the extremes.
                    let text = |row| Some(ByteArray::from(arrow_array::ArrayAccessor::value(&texts, row)));
                    let statistics = Statistics::byte_array(text(0), text(row_count - 1), None, Some(0), false);
                    return chunk.plain(None, statistics, |page| {
                        for text in texts.into_iter().flatten() {
                            put_text(page, text.as_bytes());
                        }
                    });
                }
                let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
                if array.data_type() == logical
                    && let Some(width) = plain_width(logical)
                    && nulls.is_none_or(|nulls| nulls.offset() == 0)
                {
                    let null_count = array.null_count() as u64;
                    let statistics = null_statistics(self.columns.column(index).physical_type(), null_count);
                    let data = array.to_data();
                    let start = data.offset() * width;
                    let bytes = &data.buffers()[0][start..start + row_count * width];
                    return chunk.plain(nulls, statistics, |page| match nulls {
                        None => page.extend_from_slice(bytes),
                        Some(nulls) => {
                            for (from, to) in nulls.valid_slices() {
                                page.extend_from_slice(&bytes[from * width..to * width]);
                            }
                        }
                    });
                }
            }
        }
        let array = column.logical(row_count).map_err(|error| ParquetError::External(Box::new(error)))?;
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
    /// Adds a row group; what came before goes to `put`.
    ///
    /// # Errors
    /// When Parquet cannot hold a value, or `put` fails.
    pub(super) fn write(&mut self, columns: &[OutputColumn], row_count: usize, put: &mut Put<'_>) -> Result<()> {
        if !self.groups.is_empty() {
            self.output.flush().map_err(Error::failed(PARQUET))?;
            put(self.output.inner())?;
            self.output.inner_mut().clear();
        }
        self.write_group(columns, row_count).map_err(Error::failed(PARQUET))
    }

    fn write_group(&mut self, columns: &[OutputColumn], row_count: usize) -> Result<(), ParquetError> {
        if self.groups.is_empty() {
            self.output.write_all(MAGIC)?;
        }
        let start = self.output.bytes_written();
        let mut chunks = Vec::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            chunks.push(self.encoder.write_column(index, column, row_count, self.scratch, &mut self.output)?);
        }
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

/// One column chunk being written.
struct Chunk<'a> {
    encoder: &'a ParquetEncoder,
    index: usize,
    row_count: usize,
    null_count: usize,
    scratch: &'a mut Scratch,
    output: &'a mut Output,
}

impl Chunk<'_> {
    /// A chunk with a dictionary of `count` values in plain encoding and no nulls; `indices` appends the page's indices
    /// at bit width 1.
    fn dictionary(
        mut self,
        dictionary: &[u8],
        count: u32,
        statistics: Statistics,
        indices: impl FnOnce(&mut Vec<u8>),
    ) -> Result<ColumnChunkMetaData, ParquetError> {
        let start = self.output.bytes_written();
        self.scratch.page.clear();
        self.scratch.page.extend_from_slice(dictionary);
        let dictionary_len = self.write_page(|buf| Page::DictionaryPage {
            buf,
            num_values: count,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        })?;
        self.scratch.page.clear();
        self.put_levels(None);
        self.scratch.page.push(1);
        indices(&mut self.scratch.page);
        self.finish(start, Some(start), Encoding::RLE_DICTIONARY, dictionary_len, statistics)
    }

    /// A chunk of one plain page; `values` appends the values that are not null.
    fn plain(
        mut self,
        nulls: Option<&NullBuffer>,
        statistics: Statistics,
        values: impl FnOnce(&mut Vec<u8>),
    ) -> Result<ColumnChunkMetaData, ParquetError> {
        let start = self.output.bytes_written();
        self.null_count = nulls.map_or(0, NullBuffer::null_count);
        self.scratch.page.clear();
        self.put_levels(nulls);
        values(&mut self.scratch.page);
        self.finish(start, None, Encoding::PLAIN, 0, statistics)
    }

    /// Definition levels of a nullable column, as a data page of version 1 begins: the length, then runs.
    fn put_levels(&mut self, nulls: Option<&NullBuffer>) {
        let page = &mut self.scratch.page;
        page.extend_from_slice(&[0; 4]);
        match nulls {
            None => {
                put_varint(page, (self.row_count as u64) << 1);
                page.push(1);
            }
            Some(nulls) => put_bit_packed(page, nulls.validity(), self.row_count),
        }
        let len = (page.len() - 4) as u32;
        page[..4].copy_from_slice(&len.to_le_bytes());
    }

    /// Writes the data page and describes the chunk.
    fn finish(
        mut self,
        start: usize,
        dictionary_offset: Option<usize>,
        encoding: Encoding,
        dictionary_len: usize,
        statistics: Statistics,
    ) -> Result<ColumnChunkMetaData, ParquetError> {
        let data_offset = self.output.bytes_written();
        let num_values = self.row_count as u32;
        let data_len = self.write_page(|buf| Page::DataPage {
            buf,
            num_values,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        })?;
        let encodings = match dictionary_offset {
            Some(_) => vec![Encoding::PLAIN, Encoding::RLE, encoding],
            None => vec![encoding, Encoding::RLE],
        };
        ColumnChunkMetaData::builder(self.encoder.columns.column(self.index))
            .set_compression(parquet_compression(self.encoder.compression)?)
            .set_encodings(encodings)
            .set_num_values(self.row_count as i64)
            .set_total_compressed_size((self.output.bytes_written() - start) as i64)
            .set_total_uncompressed_size((dictionary_len + data_len) as i64)
            .set_data_page_offset(data_offset as i64)
            .set_dictionary_page_offset(dictionary_offset.map(|offset| offset as i64))
            .set_statistics(statistics)
            .build()
    }

    /// Compresses the page in the scratch buffer and writes it with its header; its length before compression, header
    /// included.
    fn write_page(&mut self, page: impl FnOnce(Bytes) -> Page) -> Result<usize, ParquetError> {
        let plain_len = self.scratch.page.len();
        let bytes = self.scratch.codec.compress(&self.scratch.page, self.encoder.compression)?;
        let page = CompressedPage::new(page(bytes), plain_len);
        let written = SerializedPageWriter::new(self.output).write_page(page)?;
        Ok(written.uncompressed_size)
    }
}

/// Appends a number in the variable-length form of Parquet's run headers.
fn put_varint(page: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        page.push(number as u8 | 0x80);
        number >>= 7;
    }
    page.push(number as u8);
}

/// Appends bits as one bit-packed run of width 1: groups of eight, least significant first, which is how Arrow keeps
/// them.
fn put_bit_packed(page: &mut Vec<u8>, bits: &[u8], len: usize) {
    let groups = len.div_ceil(8);
    put_varint(page, (groups as u64) << 1 | 1);
    page.extend_from_slice(&bits[..groups]);
}

fn put_text(page: &mut Vec<u8>, text: &[u8]) {
    page.extend_from_slice(&(text.len() as u32).to_le_bytes());
    page.extend_from_slice(text);
}

/// Bytes of one value of a type whose Arrow memory is its plain Parquet encoding.
fn plain_width(logical: &DataType) -> Option<usize> {
    match logical {
        DataType::Int32
        | DataType::UInt32
        | DataType::Float32
        | DataType::Date32
        | DataType::Time32(TimeUnit::Millisecond) => Some(4),
        DataType::Int64
        | DataType::UInt64
        | DataType::Float64
        | DataType::Time64(_)
        | DataType::Timestamp(TimeUnit::Millisecond | TimeUnit::Microsecond | TimeUnit::Nanosecond, _) => Some(8),
        _ => None,
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

/// Appends the values of `array`, none of them null, in plain encoding; `false` for a type that is not done here.
fn put_plain(array: &ArrayRef, page: &mut Vec<u8>) -> bool {
    if let Some(width) = plain_width(array.data_type()) {
        let data = array.to_data();
        page.extend_from_slice(&data.buffers()[0][data.offset() * width..(data.offset() + data.len()) * width]);
        return true;
    }
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().flatten().for_each(|text| put_text(page, text.as_bytes())),
        DataType::LargeUtf8 => {
            array.as_string::<i64>().iter().flatten().for_each(|text| put_text(page, text.as_bytes()));
        }
        _ => return false,
    }
    true
}

/// Least and greatest value of a column that holds one value only.
fn constant_statistics(value: &ArrayRef) -> Statistics {
    let (bytes, text) = match value.data_type() {
        DataType::Utf8 => (None, value.as_string::<i32>().iter().flatten().next()),
        DataType::LargeUtf8 => (None, value.as_string::<i64>().iter().flatten().next()),
        _ => (Some(value.to_data()), None),
    };
    if let Some(text) = text {
        let text = || Some(ByteArray::from(text));
        return Statistics::byte_array(text(), text(), None, Some(0), false);
    }
    let bytes = bytes.map(|data| data.buffers()[0].as_slice().to_vec()).unwrap_or_default();
    match (value.data_type(), <[u8; 4]>::try_from(bytes.as_slice()), <[u8; 8]>::try_from(bytes.as_slice())) {
        (_, Ok(four), _) if !value.data_type().is_floating() => {
            let number = Some(i32::from_le_bytes(four));
            Statistics::int32(number, number, None, Some(0), false)
        }
        (_, _, Ok(eight)) if !value.data_type().is_floating() => {
            let number = Some(i64::from_le_bytes(eight));
            Statistics::int64(number, number, None, Some(0), false)
        }
        _ => Statistics::int32(None, None, None, Some(0), false),
    }
}

/// The number of nulls alone: within one date, nobody looks for a measurement's extremes.
fn null_statistics(physical: Physical, null_count: u64) -> Statistics {
    match physical {
        Physical::INT32 => Statistics::int32(None, None, None, Some(null_count), false),
        Physical::INT64 => Statistics::int64(None, None, None, Some(null_count), false),
        Physical::FLOAT => Statistics::float(None, None, None, Some(null_count), false),
        _ => Statistics::double(None, None, None, Some(null_count), false),
    }
}

/// The dictionary of 0 and 1 in a physical integer type, and the statistics of a column with that range.
fn zero_and_one(physical: Physical, range: (i64, i64)) -> Option<(Vec<u8>, Statistics)> {
    match physical {
        Physical::INT32 => {
            let dictionary = [0i32, 1].iter().flat_map(|value| value.to_le_bytes()).collect();
            let (min, max) = (range.0 as i32, range.1 as i32);
            Some((dictionary, Statistics::int32(Some(min), Some(max), None, Some(0), false)))
        }
        Physical::INT64 => {
            let dictionary = [0i64, 1].iter().flat_map(|value| value.to_le_bytes()).collect();
            Some((dictionary, Statistics::int64(Some(range.0), Some(range.1), None, Some(0), false)))
        }
        _ => None,
    }
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
