//! The Parquet decoder over one file: columns as the file has them, in the order of the file.

use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, LargeBinaryArray, RecordBatch, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::file::metadata::{ParquetMetaData, ParquetStatisticsPolicy};
use parquet::file::statistics::Statistics;
use parquet::schema::types::SchemaDescriptor;

use super::chunks::{Chunks, Weighed};
use super::constant::constant;
use super::declared::{Levels, Shape};
use super::direct::{eight_bytes, is_plain, numbers};
use super::encrypted::encrypted_leaf;
use super::footer::read_footer;
use super::meaning::{Leaves, take_as};
use super::nulls::are_null;
use crate::reason::{Kind, Reason};
use crate::remedy::{CastTo, Remedy, Setting, excluding};
use crate::source::allowance::{Allowance, Meter, ROW_LEN};
use crate::source::content::{Content, first_failing};
use crate::source::input::schema::{Batches, Decoder, EightBytes, FileColumn, FileSchema, Format, Value};
use crate::source::types::{dictionary, is_plain_text};

/// Rows decoded at a time, at most. Ordinary files fit in one batch, so nothing is joined afterwards; a footer that
/// claims more rows than the file has cannot ask for more memory than this many.
const BATCH_ROWS: usize = 65_536;

/// Columns that are decoded at once: the decoder of one takes some 5 KiB, whatever its rows.
const COLUMNS_AT_ONCE: usize = 1024;

/// The decoder over one file, its footer parsed once.
pub(super) struct Parquet {
    content: Content,
    schema: Arc<FileSchema>,
    metadata: Arc<ParquetMetaData>,
    /// The types by which the decoder reads, once it does.
    fields: OnceLock<Fields>,
    leaves: Arc<Leaves>,
    meter: Arc<Meter>,
    weighed: Arc<Weighed>,
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
        Ok(Parquet {
            content,
            schema: Arc::clone(schema),
            metadata: Arc::new(metadata),
            fields: OnceLock::new(),
            leaves: Arc::clone(leaves),
            meter: Meter::new(allowance),
            weighed: Arc::default(),
        })
    }

    /// The levels of the column whose first leaf this is, if it is no flat one.
    fn nested(&self, leaf: usize) -> Option<&[Levels]> {
        let at = self.leaves.declared.binary_search_by_key(&leaf, |column| column.leaf).ok()?;
        match &self.leaves.declared[at].shape {
            Shape::Nested(_, levels) => Some(levels.as_slice()),
            Shape::Flat(_) => None,
        }
    }

    /// Rows by the footer's account.
    fn rows(&self) -> u64 {
        u64::try_from(self.metadata.file_metadata().num_rows()).unwrap_or(0)
    }

    /// The types by which all columns are decoded.
    fn fields(&self) -> &Fields {
        self.fields.get_or_init(|| {
            let columns = &self.schema.columns;
            let types = columns.iter().filter_map(|column| Some((column.leaf, column.raw.as_ref().ok()?)));
            self.leaves.decoded(types).fields().clone()
        })
    }

    /// Columns of the file.
    fn descriptor(&self) -> &SchemaDescriptor {
        self.metadata.file_metadata().schema_descr()
    }

    /// Counts what is read from now on.
    fn start_meter(&self) {
        self.meter.start(self.rows().saturating_mul(ROW_LEN));
    }

    /// The chunks of these columns.
    pub(super) fn chunks(&self, leaves: &[usize]) -> Chunks {
        Chunks {
            content: self.content.clone(),
            metadata: Arc::clone(&self.metadata),
            meter: Arc::clone(&self.meter),
            weighed: Arc::clone(&self.weighed),
            leaves: leaves.into(),
            schema: Arc::clone(&self.schema),
            types: Fields::empty(),
            reason: Arc::default(),
        }
    }

    /// As [`batches`](Decoder::batches), but the bare numbers and bytes that the pages hold.
    pub(super) fn stored(
        &self,
        leaves: &[usize],
    ) -> Result<impl Iterator<Item = Result<RecordBatch, Reason>> + use<'_>, Reason> {
        self.read(leaves, self.fields())
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
        let mask = ProjectionMask::leaves(self.descriptor(), leaves.iter().copied());
        let levels =
            parquet_to_arrow_field_levels(self.descriptor(), mask, Some(types)).map_err(Reason::undecodable)?;
        let chunks = Chunks { types: types.clone(), ..self.chunks(leaves) };
        self.start_meter();
        let reader = ParquetRecordBatchReader::try_new_with_row_groups(&levels, &chunks, rows, None);
        Ok((reader.map_err(Reason::undecodable)?, chunks.reason))
    }

    /// Why these columns cannot be read, if it is that one of them is encrypted: its pages look like damaged ones.
    fn encrypted(&self, leaves: &[usize]) -> Option<Reason> {
        let leaf = encrypted_leaf(&self.content, leaves)?;
        let column = self.descriptor().column(leaf);
        let name = column.name();
        let reason = Reason::new(Kind::Encrypted, format!("its column {name:?} is encrypted")).of_column(name);
        Some(if self.is_key(leaf) { reason } else { reason.or(excluding(&[name])) })
    }

    /// Whether the column at `leaf` has the dates or the codes, which no file can do without.
    fn is_key(&self, leaf: usize) -> bool {
        self.schema.date.iter().chain(&self.schema.code).any(|key| key.leaf == leaf)
    }

    /// What the decoder said of these columns, as a reason with the name of the one that it is about. The decoder takes
    /// them side by side and does not say which.
    fn blame(&self, leaves: &[usize], error: &ArrowError) -> Reason {
        let fails = |leaves: &[usize]| match self.reader(leaves, self.fields()) {
            Ok((mut reader, _)) => reader.any(|batch| batch.is_err()),
            Err(_) => true,
        };
        let Some(&leaf) = first_failing(leaves, fails) else { return Reason::undecodable(error) };
        let column = self.descriptor().column(leaf);
        Reason::undecodable(format_args!("its column {:?}: {error}", column.name())).of_column(column.name())
    }

    /// The columns at `leaves`, decoded as `types` say or taken as they lie; numbers and bytes become values of the types of
    /// their columns.
    fn batches_by(&self, leaves: &[usize], types: impl Fn() -> Fields) -> Result<Batches<'_>, Reason> {
        let columns: Vec<&FileColumn> =
            self.schema.columns.iter().filter(|column| leaves.binary_search(&column.leaf).is_ok()).collect();
        let mut before = 0;
        Ok(Box::new(self.arrays(leaves, types)?.map(move |batch| {
            let batch = batch?;
            if batch.len() != columns.len() {
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
                    let without = (!self.is_key(column.leaf)).then(|| excluding(&[name]));
                    reason.within(format_args!("its column {name:?}, ")).of_column(name).or(cut).or(without)
                })
            };
            let arrays = columns.iter().zip(&batch).map(turn).collect();
            before += batch.first().map_or(0, |array| array.len());
            arrays
        })))
    }

    /// The columns at `leaves` as the pages hold them: taken from there where all rows are one batch, else decoded.
    fn arrays(&self, leaves: &[usize], types: impl Fn() -> Fields) -> Result<Batches<'_>, Reason> {
        let (rows, columns) = (self.rows() as usize, |batch: RecordBatch| batch.columns().to_vec());
        let is_taken = |leaf: &&usize| rows <= BATCH_ROWS && is_plain(&self.metadata, **leaf);
        let (plain, others): (Vec<usize>, Vec<usize>) = leaves.iter().partition(is_taken);
        let decoded = if others.is_empty() { None } else { Some(self.read(&others, &types())?) };
        let chunks = self.chunks(leaves);
        if decoded.is_none() {
            self.start_meter();
        }
        let taken = plain.iter().map(|&leaf| numbers(&chunks, leaf, rows)).collect::<Option<Vec<ArrayRef>>>();
        let Some(taken) = taken else {
            return Ok(Box::new(self.read(leaves, &types())?.map(move |batch| batch.map(columns))));
        };
        let Some(decoded) = decoded else { return Ok(Box::new(std::iter::once(Ok(taken)))) };
        let leaves = leaves.to_vec();
        Ok(Box::new(decoded.map(move |batch| {
            let batch = batch?;
            if !taken.is_empty() && batch.num_rows() != rows {
                return Err(Reason::damaged(format_args!("its columns have {} and {rows} rows", batch.num_rows())));
            }
            let (mut taken, mut decoded) = (taken.iter(), batch.columns().iter());
            let next = |leaf: &usize| if plain.contains(leaf) { taken.next() } else { decoded.next() };
            Ok(leaves.iter().filter_map(next).map(Arc::clone).collect())
        })))
    }

    /// The types by which the columns at `leaves` are decoded where texts may stay as dictionaries.
    fn coded_types(&self, leaves: &[usize]) -> Fields {
        let groups = self.metadata.row_groups();
        let lies_coded = |leaf: usize| groups.iter().all(|group| group.column(leaf).dictionary_page_offset().is_some());
        let field = |(leaf, field): (usize, &FieldRef)| match is_plain_text(field.data_type()) && lies_coded(leaf) {
            true if leaves.binary_search(&leaf).is_ok() => {
                let coded = dictionary(field.data_type().clone());
                Arc::new(Field::new(field.name(), coded, field.is_nullable()))
            }
            _ => Arc::clone(field),
        };
        self.fields().iter().enumerate().map(field).collect()
    }
}

impl Decoder for Parquet {
    fn row_count(&self) -> Option<u64> {
        Some(self.rows())
    }

    fn batches(&self, leaves: &[usize]) -> Result<Batches<'_>, Reason> {
        self.batches_by(leaves, || self.fields().clone())
    }

    fn coded(&self, leaves: &[usize]) -> Result<Batches<'_>, Reason> {
        self.batches_by(leaves, || self.coded_types(leaves))
    }

    fn columns_at_once(&self) -> usize {
        COLUMNS_AT_ONCE
    }

    fn keep(&self, bytes: u64) {
        self.meter.keep(bytes);
    }

    fn check_unchanged(&self) -> Result<(), Reason> {
        self.content.check_unchanged()
    }

    fn was_too_large(&self) -> bool {
        self.meter.was_exceeded()
    }

    fn constant(&self, column: &Value, row_count: usize) -> Option<ArrayRef> {
        constant(&self.content, &self.metadata, column.leaf, &column.raw, row_count)
    }

    fn eight_bytes(&self, leaf: usize) -> Option<EightBytes> {
        self.start_meter();
        eight_bytes(&self.chunks(&[leaf]), leaf, usize::try_from(self.rows()).ok()?)
    }

    fn is_null(&self, column: &FileColumn) -> Result<bool, Reason> {
        if let Some(levels) = self.nested(column.leaf) {
            return Ok(are_null(&self.content, &self.metadata, column.leaf, levels));
        }
        for batch in self.stored(&[column.leaf])? {
            let batch = batch?;
            if batch.column(0).null_count() < batch.num_rows() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn nulls(&self, column: &Value, row_count: usize) -> Option<ArrayRef> {
        let levels = self.nested(column.leaf)?;
        let is_null = are_null(&self.content, &self.metadata, column.leaf, levels);
        is_null.then(|| new_null_array(&DataType::Null, row_count))
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
