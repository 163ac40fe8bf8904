//! The Parquet decoder over one file: columns as the file has them, in the order of the file.

use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, LargeBinaryArray, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::file::metadata::{ParquetMetaData, ParquetStatisticsPolicy};
use parquet::file::statistics::Statistics;

use super::chunks::Chunks;
use super::constant::constant;
use super::encrypted::encrypted_leaf;
use super::footer::read_footer;
use super::meaning::{Leaves, take_as};
use crate::reason::{Kind, Reason};
use crate::remedy::{CastTo, Remedy, Setting, excluding};
use crate::source::allowance::{Allowance, Meter, ROW_LEN};
use crate::source::content::Content;
use crate::source::input::schema::{Batches, Decoder, FileColumn, FileSchema, Format, Value};
use crate::source::types::{dictionary, is_plain_text};

/// Rows decoded at a time, at most. Ordinary files fit in one batch, so nothing is joined afterwards; a footer that
/// claims more rows than the file has cannot ask for more memory than this many.
const BATCH_ROWS: usize = 65_536;

/// The decoder over one file, its footer parsed once.
pub(super) struct Parquet {
    content: Content,
    schema: Arc<FileSchema>,
    metadata: ArrowReaderMetadata,
    leaves: Arc<Leaves>,
    meter: Arc<Meter>,
}

impl Format for Leaves {
    fn open(
        self: Arc<Leaves>,
        content: Content,
        schema: &Arc<FileSchema>,
        allowance: &Arc<Allowance>,
    ) -> Result<Box<dyn Decoder>, Reason> {
        Ok(Box::new(Parquet::new(content, schema, &self, allowance)?))
    }
}

impl Parquet {
    /// A decoder over `content`, whose footer was surveyed as `schema` with these leaves.
    pub(super) fn new(
        content: Content,
        schema: &Arc<FileSchema>,
        leaves: &Arc<Leaves>,
        allowance: &Arc<Allowance>,
    ) -> Result<Parquet, Reason> {
        let metadata = read_footer(&content, leaves, ParquetStatisticsPolicy::SkipAll)?;
        let types = schema.columns.iter().filter_map(|column| Some((column.leaf, column.raw.as_ref().ok()?)));
        let options = ArrowReaderOptions::new().with_schema(leaves.decoded(types));
        let metadata = ArrowReaderMetadata::try_new(Arc::new(metadata), options).map_err(Reason::undecodable)?;
        Ok(Parquet {
            content,
            schema: Arc::clone(schema),
            metadata,
            leaves: Arc::clone(leaves),
            meter: Meter::new(allowance),
        })
    }

    /// Rows by the footer's account.
    fn rows(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// As [`batches`](Decoder::batches), but the bare numbers and bytes that the pages hold.
    pub(super) fn stored(
        &self,
        leaves: &[usize],
    ) -> Result<impl Iterator<Item = Result<RecordBatch, Reason>> + use<'_>, Reason> {
        self.read(leaves, self.metadata.schema().fields())
    }

    /// As [`stored`](Self::stored), by a schema whose fields are `types`.
    fn read(
        &self,
        leaves: &[usize],
        types: &Fields,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, Reason>> + use<'_>, Reason> {
        let (reader, reason) = self.reader(leaves, types).map_err(|why| self.encrypted(leaves).unwrap_or(why))?;
        let leaves = leaves.to_vec();
        let why = move |error: ArrowError| {
            let known = self.encrypted(&leaves).or_else(|| reason.get().cloned());
            known.unwrap_or_else(|| self.blame(&leaves, &error))
        };
        Ok(reader.map(move |batch| {
            let batch = batch.map_err(&why)?;
            match batch.columns().iter().position(has_split_character) {
                Some(at) => {
                    let name = batch.schema().field(at).name().clone();
                    Err(Reason::damaged(format_args!("its column {name:?} has a text that is not UTF-8"))
                        .of_column(&name))
                }
                None => Ok(batch),
            }
        }))
    }

    /// A reader of these columns, and where it says why their pages ended, in better words than the decoder's.
    fn reader(
        &self,
        leaves: &[usize],
        types: &Fields,
    ) -> Result<(ParquetRecordBatchReader, Arc<OnceLock<Reason>>), Reason> {
        let rows = usize::try_from(self.rows()).unwrap_or(BATCH_ROWS).clamp(1, BATCH_ROWS);
        let descriptor = self.metadata.parquet_schema();
        let mask = ProjectionMask::leaves(descriptor, leaves.iter().copied());
        let levels = parquet_to_arrow_field_levels(descriptor, mask, Some(types));
        self.meter.start(self.rows().saturating_mul(ROW_LEN));
        let chunks = Chunks {
            content: self.content.clone(),
            metadata: Arc::clone(self.metadata.metadata()),
            meter: Arc::clone(&self.meter),
            leaves: leaves.into(),
            schema: Arc::clone(&self.schema),
            reason: Arc::default(),
        };
        let levels = levels.map_err(Reason::undecodable)?;
        let reader = ParquetRecordBatchReader::try_new_with_row_groups(&levels, &chunks, rows, None);
        Ok((reader.map_err(Reason::undecodable)?, chunks.reason))
    }

    /// Why these columns cannot be read, if it is that one of them is encrypted: its pages look like damaged ones.
    fn encrypted(&self, leaves: &[usize]) -> Option<Reason> {
        let leaf = encrypted_leaf(&self.content, leaves)?;
        let column = self.metadata.parquet_schema().column(leaf);
        let name = column.name();
        let reason = Reason::new(Kind::Encrypted, format!("its column {name:?} is encrypted")).of_column(name);
        let mut keys = self.schema.date.iter().chain(&self.schema.code);
        Some(if keys.any(|key| key.leaf == leaf) { reason } else { reason.or(excluding(&[name])) })
    }

    /// What the decoder said of these columns, as a reason with the name of the one that it is about. The decoder takes
    /// them side by side and does not say which.
    fn blame(&self, leaves: &[usize], error: &ArrowError) -> Reason {
        let fails = |leaf: &&usize| match self.reader(std::slice::from_ref(*leaf), self.metadata.schema().fields()) {
            Ok((mut reader, _)) => reader.any(|batch| batch.is_err()),
            Err(_) => true,
        };
        let Some(&leaf) = leaves.iter().find(fails) else { return Reason::undecodable(error) };
        let column = self.metadata.parquet_schema().column(leaf);
        Reason::undecodable(format_args!("its column {:?}: {error}", column.name())).of_column(column.name())
    }

    /// The columns at `leaves`, decoded as `types` say; numbers and bytes become values of the types of their columns.
    fn batches_by(&self, leaves: &[usize], types: &Fields) -> Result<Batches<'_>, Reason> {
        let columns: Vec<&FileColumn> =
            self.schema.columns.iter().filter(|column| leaves.binary_search(&column.leaf).is_ok()).collect();
        let mut before = 0;
        Ok(Box::new(self.read(leaves, types)?.map(move |batch| {
            let batch = batch?;
            if batch.num_columns() != columns.len() {
                return Err(Reason::damaged("it does not have all of its columns"));
            }
            let turn = |(column, array): (&&FileColumn, &ArrayRef)| {
                let FileColumn { name, raw, is_instant, .. } = column;
                let raw =
                    raw.as_ref().map_err(|kind| Reason::damaged(format_args!("its column {name:?} is {kind}")))?;
                if matches!(array.data_type(), DataType::Dictionary(_, value) if **value == *raw) {
                    return Ok(Arc::clone(array));
                }
                take_as(array, raw, before, column.may_round).map_err(|reason| {
                    // No type of a panel holds all instants that such a column may have.
                    let cut = match raw {
                        DataType::Timestamp(TimeUnit::Microsecond, None) if *is_instant => {
                            let cast = CastTo { column: name.clone(), to: "timestamp[us]".to_owned() };
                            Some(Remedy::set(Setting::Cast(vec![cast]), "cuts what is finer"))
                        }
                        _ => None,
                    };
                    reason.within(format_args!("its column {name:?}, ")).of_column(name).or(cut)
                })
            };
            let arrays = columns.iter().zip(batch.columns()).map(turn).collect();
            before += batch.num_rows();
            arrays
        })))
    }

    /// The types by which the columns at `leaves` are decoded where texts may stay as dictionaries.
    fn coded_types(&self, leaves: &[usize]) -> Fields {
        let groups = self.metadata.metadata().row_groups();
        let lies_coded = |leaf: usize| groups.iter().all(|group| group.column(leaf).dictionary_page_offset().is_some());
        let field = |(leaf, field): (usize, &FieldRef)| match is_plain_text(field.data_type()) && lies_coded(leaf) {
            true if leaves.binary_search(&leaf).is_ok() => {
                let coded = dictionary(field.data_type().clone());
                Arc::new(Field::new(field.name(), coded, field.is_nullable()))
            }
            _ => Arc::clone(field),
        };
        self.metadata.schema().fields().iter().enumerate().map(field).collect()
    }
}

impl Decoder for Parquet {
    fn row_count(&self) -> Option<u64> {
        Some(self.rows())
    }

    fn batches(&self, leaves: &[usize]) -> Result<Batches<'_>, Reason> {
        self.batches_by(leaves, self.metadata.schema().fields())
    }

    fn coded(&self, leaves: &[usize]) -> Result<Batches<'_>, Reason> {
        self.batches_by(leaves, &self.coded_types(leaves))
    }

    fn check_unchanged(&self) -> Result<(), Reason> {
        self.content.check_unchanged()
    }

    fn was_too_large(&self) -> bool {
        self.meter.was_exceeded()
    }

    fn constant(&self, column: &Value, row_count: usize) -> Option<ArrayRef> {
        constant(&self.content, self.metadata.metadata(), column.leaf, &column.raw, row_count)
    }

    fn small_leaves(&self) -> Vec<usize> {
        read_footer(&self.content, &self.leaves, ParquetStatisticsPolicy::KeepAll)
            .map_or_else(|_| Vec::new(), |metadata| small_leaves(&metadata))
    }
}

/// The leaves whose signed integers all lie within 53 bits by the statistics of `metadata`.
fn small_leaves(metadata: &ParquetMetaData) -> Vec<usize> {
    const LIMIT: u64 = 1 << 53;
    let within = |number: Option<&i64>| number.is_some_and(|number| number.unsigned_abs() <= LIMIT);
    let is_small = |leaf: &usize| {
        metadata.row_groups().iter().all(|group| {
            match group.columns().get(*leaf).and_then(|chunk| chunk.statistics()) {
                Some(Statistics::Int64(statistics)) => within(statistics.min_opt()) && within(statistics.max_opt()),
                _ => false,
            }
        })
    };
    (0..metadata.file_metadata().schema_descr().num_columns()).filter(is_small).collect()
}

/// Whether a text begins amid a character. Of texts that lie one after the other (DELTA_LENGTH_BYTE_ARRAY) the decoder
/// checks all bytes together, and not that each text is whole.
fn has_split_character(array: &ArrayRef) -> bool {
    let splits = |bytes: &[u8]| bytes.first().is_some_and(|byte| byte & 0xc0 == 0x80);
    match array.data_type() {
        DataType::Utf8 => BinaryArray::from(array.as_string::<i32>().clone()).iter().flatten().any(splits),
        DataType::LargeUtf8 => LargeBinaryArray::from(array.as_string::<i64>().clone()).iter().flatten().any(splits),
        DataType::Utf8View => array.as_string_view().clone().to_binary_view().iter().flatten().any(splits),
        DataType::Dictionary(..) => has_split_character(array.as_any_dictionary().values()),
        _ => false,
    }
}
