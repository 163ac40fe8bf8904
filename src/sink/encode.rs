//! One section as the bytes of one file.

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::{Compression, Format};
use crate::error::{Error, Result};

/// Encodes sections of one schema; made once for a run and shared by all workers.
pub(crate) struct Encoder {
    schema: SchemaRef,
    kind: Kind,
}

enum Kind {
    Parquet(Box<WriterProperties>),
    Arrow,
}

impl Encoder {
    /// An encoder for batches of `schema`.
    ///
    /// # Errors
    /// When the compression's level is out of range.
    pub(crate) fn new(schema: SchemaRef, format: Format, compression: Compression) -> Result<Encoder> {
        let kind = match format {
            Format::Arrow => Kind::Arrow,
            Format::Parquet => Kind::Parquet(Box::new(properties(&schema, compression)?)),
        };
        Ok(Encoder { schema, kind })
    }

    /// The bytes of one file with the rows of `batch`. They depend on nothing but the batch and the options.
    ///
    /// # Errors
    /// When the format cannot hold the batch.
    pub(crate) fn encode(&self, batch: &RecordBatch) -> Result<Vec<u8>> {
        match &self.kind {
            Kind::Arrow => {
                let failed = || Error::arrow("encode an Arrow file");
                let mut writer = FileWriter::try_new(Vec::new(), &self.schema).map_err(failed())?;
                writer.write(batch).map_err(failed())?;
                writer.into_inner().map_err(failed())
            }
            Kind::Parquet(properties) => {
                let failed = || Error::arrow("encode a Parquet file");
                let properties = Some(WriterProperties::clone(properties));
                let mut writer = ArrowWriter::try_new(Vec::new(), self.schema.clone(), properties).map_err(failed())?;
                writer.write(batch).map_err(failed())?;
                writer.into_inner().map_err(failed())
            }
        }
    }
}

fn properties(schema: &SchemaRef, compression: Compression) -> Result<WriterProperties> {
    let codec = match compression {
        Compression::Snappy => Codec::SNAPPY,
        Compression::Zstd(level) => {
            Codec::ZSTD(ZstdLevel::try_new(level).map_err(Error::arrow("set the compression level"))?)
        }
        Compression::Lz4 => Codec::LZ4_RAW,
        Compression::None => Codec::UNCOMPRESSED,
    };
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("transect ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(codec)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    for (index, field) in schema.fields().iter().enumerate() {
        // A dictionary pays where values repeat within one date; codes never do, measurements hardly ever.
        let repeats = index > 0
            && (field.data_type().is_integer()
                || matches!(
                    field.data_type(),
                    DataType::Utf8
                        | DataType::LargeUtf8
                        | DataType::Utf8View
                        | DataType::Binary
                        | DataType::LargeBinary
                        | DataType::BinaryView
                        | DataType::Dictionary(_, _)
                        | DataType::Date32
                        | DataType::Date64
                ));
        let path = ColumnPath::new(vec![field.name().clone()]);
        properties = properties.set_column_dictionary_enabled(path, repeats);
    }
    Ok(properties.build())
}
