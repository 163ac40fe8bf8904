//! The changes of a date as rows: one for each value that was restated, filled or lost with its column, and one for each
//! row that was added or removed.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Date32Array, RecordBatch, StringArray, UInt32Array, cast::AsArray, types};
use arrow_cast::cast;
use arrow_ord::sort::{SortColumn, lexsort_to_indices};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::interleave::interleave;
use arrow_select::take::take;

use super::diff::Diff;
use super::differences::SectionDiff;
use super::request::DateType;
use super::text::texts;
use crate::error::{Error, Result};

impl Diff {
    /// Names and types of the columns of [`rows`](Diff::rows): date, `stock`, the further key columns, then as texts
    /// `change` (`added`, `removed`, `restated`, `filled` or `lost`), `column`, `old` and `new`.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn rows_schema(&self, date: DateType) -> Result<SchemaRef> {
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let panel = self.newer.schema()?;
        let key = panel.key.iter().map(|&index| {
            let column = &panel.columns[index];
            Field::new(&column.name, plain(&column.data_type), true)
        });
        let rest = ["change", "column", "old", "new"].map(text);
        let dates = match date {
            DateType::Logical => Some(plain(&panel.date_form.data_type)),
            DateType::Day => Some(DataType::Date32),
            DateType::Omitted => None,
        };
        let dates = dates.map(|dates| Field::new("date", dates, true));
        Ok(Arc::new(Schema::new(
            dates.into_iter().chain([text("stock")]).chain(key).chain(rest).collect::<Vec<Field>>(),
        )))
    }

    /// The changes of one date by key and column. Values are texts that lose nothing; where two floats differ in their
    /// bits alone, as NaNs do, the texts tell these.
    ///
    /// # Errors
    /// When the catalog is damaged, or a value has no text.
    pub fn rows(&self, section: &SectionDiff, date: DateType) -> Result<RecordBatch> {
        let failed = |error: ArrowError| Error::failed(format!("list the changes of {}", section.date))(error);
        let mut changes: Vec<Change<'_>> = Vec::new();
        for (list, (codes, change)) in
            [(&section.added, "added"), (&section.removed, "removed")].into_iter().enumerate()
        {
            let whole = |(row, code)| Change { code, place: (list, row), change, column: None, old: None, new: None };
            changes.extend(codes.iter().map(AsRef::as_ref).enumerate().map(whole));
        }
        for values in &section.columns {
            let (old, new) = (texts(&values.old)?, texts(&values.new)?);
            let rows = values.rows.iter().zip(&values.changes);
            for (at, ((&row, change), (old, new))) in rows.zip(old.into_iter().zip(new)).enumerate() {
                let is_told = old != new;
                let tell = |text: Option<String>, array: &ArrayRef| {
                    if is_told { text } else { text.map(|text| bits(array, at, text)) }
                };
                changes.push(Change {
                    code: &section.changed[row],
                    place: (2, row),
                    change: change.as_str(),
                    column: Some(values.column),
                    old: tell(old, &values.old),
                    new: tell(new, &values.new),
                });
            }
        }
        let places: Vec<(usize, usize)> = changes.iter().map(|change| change.place).collect();
        let lists = section.added_key.iter().zip(&section.removed_key).zip(&section.changed_key);
        let key = lists.map(|((added, removed), changed)| {
            let whole = interleave(&[added.as_ref(), removed.as_ref(), changed.as_ref()], &places)?;
            cast(&whole, &plain(whole.data_type()))
        });
        let key = key.collect::<Result<Vec<ArrayRef>, ArrowError>>().map_err(failed)?;
        let codes: ArrayRef = Arc::new(changes.iter().map(|change| Some(change.code)).collect::<StringArray>());
        let name = |change: &Change<'_>| change.column.map(|column| self.columns()[column].name.as_str());
        let numbers = changes.iter().map(|change| change.column.map(|column| column as u32));
        let numbers: ArrayRef = Arc::new(numbers.collect::<UInt32Array>());
        let sorted = [&codes].into_iter().chain(&key).chain([&numbers]);
        let sorted: Vec<SortColumn> =
            sorted.map(|values| SortColumn { values: values.clone(), options: None }).collect();
        let order = lexsort_to_indices(&sorted, None).map_err(failed)?;

        let schema = self.rows_schema(date)?;
        let count = changes.len();
        let dates: Option<ArrayRef> = match date {
            DateType::Logical => {
                let dates = self.newer.schema()?.date_form.repeated(section.date, count)?;
                Some(cast(&dates, schema.field(0).data_type()).map_err(failed)?)
            }
            DateType::Day => Some(Arc::new(Date32Array::from(vec![section.date.days(); count]))),
            DateType::Omitted => None,
        };
        let mut columns: Vec<ArrayRef> = dates.into_iter().chain([codes]).collect();
        columns.extend(key);
        columns.extend([
            Arc::new(changes.iter().map(|change| Some(change.change)).collect::<StringArray>()) as ArrayRef,
            Arc::new(changes.iter().map(name).collect::<StringArray>()),
            Arc::new(changes.iter().map(|change| change.old.as_deref()).collect::<StringArray>()),
            Arc::new(changes.iter().map(|change| change.new.as_deref()).collect::<StringArray>()),
        ]);
        let columns =
            columns.iter().map(|column| take(column, &order, None)).collect::<Result<_, _>>().map_err(failed)?;
        RecordBatch::try_new(schema, columns).map_err(failed)
    }
}

/// A change of one row, or of one value in it.
struct Change<'a> {
    code: &'a str,
    /// Which of the lists of rows it is in, and where.
    place: (usize, usize),
    change: &'static str,
    column: Option<usize>,
    old: Option<String>,
    new: Option<String>,
}

/// The type without a dictionary: an Arrow file has one for all of its batches.
pub(super) fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        plain => plain.clone(),
    }
}

/// `text`, with the bits of a float: two NaNs differ in nothing else.
fn bits(array: &ArrayRef, row: usize, text: String) -> String {
    match array.data_type() {
        DataType::Float32 => {
            format!("{text}(0x{:08x})", array.as_primitive::<types::Float32Type>().value(row).to_bits())
        }
        DataType::Float64 => {
            format!("{text}(0x{:016x})", array.as_primitive::<types::Float64Type>().value(row).to_bits())
        }
        _ => text,
    }
}
