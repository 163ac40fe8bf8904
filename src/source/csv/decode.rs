//! The values of a csv file, batch by batch.

use std::io::Read;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{ArrayBuilder, BooleanBuilder, Float64Builder, Int64Builder, NullBuilder, StringBuilder};
use arrow_schema::DataType;
use parquet::file::reader::Length;

use super::guess::{boolean, is_null, trimmed};
use super::records::{Records, records};
use crate::reason::Reason;
use crate::source::allowance::{Allowance, Meter, ROW_LEN};
use crate::source::content::{Content, changed};
use crate::source::input::schema::{Batches, Decoder, FileColumn, FileSchema, Format};
use crate::source::options::SourceOptions;
use crate::source::weight::written_out;

/// Rows of a batch at most; ordinary files fit in one.
const BATCH_ROWS: usize = 65_536;
/// Rows that there is room for at first: of a file of very many columns, room for a thousand in each would be gigabytes.
const FEW: usize = 16;
/// Bytes of texts in a batch, about, at most.
const BATCH_LEN: u64 = 64 << 20;

/// Text with a line of names and fields between commas.
#[derive(Debug)]
pub(super) struct Csv {
    /// The words that stand for a null.
    nulls: Vec<String>,
}

impl Csv {
    pub(super) fn new(options: &SourceOptions) -> Csv {
        Csv { nulls: options.nulls.clone() }
    }
}

impl Format for Csv {
    fn takes_any_line(&self) -> bool {
        true
    }

    fn open(
        self: Arc<Csv>,
        content: Content,
        schema: &Arc<FileSchema>,
        allowance: &Arc<Allowance>,
    ) -> Result<Box<dyn Decoder>, Reason> {
        Ok(Box::new(CsvFile { csv: self, content, schema: Arc::clone(schema), meter: Meter::new(allowance) }))
    }
}

/// The decoder over one file.
struct CsvFile {
    csv: Arc<Csv>,
    content: Content,
    schema: Arc<FileSchema>,
    meter: Arc<Meter>,
}

impl Decoder for CsvFile {
    fn row_count(&self) -> Option<u64> {
        None
    }

    fn batches(&self, leaves: &[usize]) -> Result<Batches<'_>, Reason> {
        let columns: Vec<&FileColumn> =
            self.schema.columns.iter().filter(|column| leaves.binary_search(&column.leaf).is_ok()).collect();
        let mut records = records(&self.content, &self.meter.allowance)?;
        if columns.iter().any(|column| records.names.len() <= column.leaf) {
            return Err(changed());
        }
        self.meter.start(0);
        let mut is_over = false;
        Ok(Box::new(std::iter::from_fn(move || {
            if is_over {
                return None;
            }
            let batch = self.batch(&mut records, &columns);
            is_over = !matches!(&batch, Ok(Some((_, false))));
            batch.map(|batch| batch.map(|(arrays, _)| arrays)).transpose()
        })))
    }

    fn check_unchanged(&self) -> Result<(), Reason> {
        self.content.check_unchanged()
    }

    fn was_too_large(&self) -> bool {
        self.meter.was_exceeded()
    }
}

impl CsvFile {
    /// The next rows of `columns`, and whether they are the last.
    fn batch(
        &self,
        records: &mut Records<impl Read>,
        columns: &[&FileColumn],
    ) -> Result<Option<(Vec<ArrayRef>, bool)>, Reason> {
        let most = BATCH_LEN.min(self.meter.allowance.most() / 8);
        let mut builders: Vec<Builder> = columns.iter().map(|column| Builder::new(column)).collect::<Result<_, _>>()?;
        let (mut rows, mut len) = (0, 0_u64);
        let mut is_last = false;
        while rows < BATCH_ROWS && len < most {
            if !records.next()? {
                is_last = true;
                break;
            }
            rows += 1;
            len += 8;
            for (column, builder) in columns.iter().zip(&mut builders) {
                let text = records.text(column.leaf)?;
                len += text.len() as u64;
                builder.push(if is_null(text, &self.csv.nulls) { "" } else { text })?;
            }
        }
        if rows == 0 && is_last {
            return Ok(None);
        }
        let arrays: Vec<ArrayRef> = builders.into_iter().map(Builder::finish).collect();
        let kept: u64 = arrays.iter().map(|array| written_out(array, array.data_type())).sum();
        let kept = kept.saturating_add(ROW_LEN.saturating_mul(rows as u64));
        if !self.meter.take(kept, len) {
            let bytes = self.meter.used().saturating_add(kept).saturating_add(len);
            // No value is longer decoded than eight bytes and its text.
            let all = bytes.max(self.content.len().saturating_mul(8));
            return Err(self.meter.allowance.refusal_of("decoded, it", bytes, all));
        }
        Ok(Some((arrays, is_last)))
    }
}

/// The values of one column in the making.
enum Builder {
    Nothing(NullBuilder),
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Double(Float64Builder),
    Text(StringBuilder),
}

impl Builder {
    fn new(column: &FileColumn) -> Result<Builder, Reason> {
        Ok(match &column.raw {
            Ok(DataType::Null) => Builder::Nothing(NullBuilder::new()),
            Ok(DataType::Boolean) => Builder::Boolean(BooleanBuilder::with_capacity(FEW)),
            Ok(DataType::Int64) => Builder::Integer(Int64Builder::with_capacity(FEW)),
            Ok(DataType::Float64) => Builder::Double(Float64Builder::with_capacity(FEW)),
            Ok(DataType::Utf8) => Builder::Text(StringBuilder::with_capacity(FEW, FEW)),
            _ => return Err(Reason::damaged(format_args!("its column {:?} is of another type", column.name))),
        })
    }

    /// Adds the value of a field, which is null where it is empty.
    ///
    /// # Errors
    /// Where it is not of the type that all fields had when the file was surveyed.
    fn push(&mut self, field: &str) -> Result<(), Reason> {
        let text = trimmed(field);
        if field.is_empty() || (text.is_empty() && !matches!(self, Builder::Text(_))) {
            match self {
                Builder::Nothing(builder) => builder.append_null(),
                Builder::Boolean(builder) => builder.append_null(),
                Builder::Integer(builder) => builder.append_null(),
                Builder::Double(builder) => builder.append_null(),
                Builder::Text(builder) => builder.append_null(),
            }
            return Ok(());
        }
        match self {
            Builder::Nothing(_) => return Err(changed()),
            Builder::Boolean(builder) => builder.append_value(boolean(text).ok_or_else(changed)?),
            Builder::Integer(builder) => builder.append_value(text.parse().map_err(|_| changed())?),
            Builder::Double(builder) => builder.append_value(text.parse().map_err(|_| changed())?),
            Builder::Text(builder) => builder.append_value(field),
        }
        Ok(())
    }

    fn finish(self) -> ArrayRef {
        match self {
            Builder::Nothing(mut builder) => ArrayBuilder::finish(&mut builder),
            Builder::Boolean(mut builder) => ArrayBuilder::finish(&mut builder),
            Builder::Integer(mut builder) => ArrayBuilder::finish(&mut builder),
            Builder::Double(mut builder) => ArrayBuilder::finish(&mut builder),
            Builder::Text(mut builder) => ArrayBuilder::finish(&mut builder),
        }
    }
}
