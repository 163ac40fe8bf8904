//! Row groups as comma-separated values.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_csv::WriterBuilder;
use arrow_schema::{DataType, SchemaRef};

use super::OutputColumn;
use crate::error::{Error, Result};
use crate::panel::show;

/// Makes comma-separated values of one schema.
pub(crate) struct CsvEncoder {
    schema: SchemaRef,
    /// Columns in which an empty text was written, which no reader can tell from a null.
    empty: Mutex<BTreeSet<usize>>,
}

impl CsvEncoder {
    pub(super) fn new(schema: SchemaRef) -> CsvEncoder {
        CsvEncoder { schema, empty: Mutex::default() }
    }

    /// The header, if it is the first group of a file, and a line for each row.
    ///
    /// # Errors
    /// When a value has no text.
    pub(super) fn encode(&self, columns: &[OutputColumn], row_count: usize, is_first: bool) -> Result<Vec<u8>> {
        let arrays = columns.iter().map(|column| column.logical(row_count)).collect::<Result<Vec<ArrayRef>>>()?;
        for (index, _) in arrays.iter().enumerate().filter(|(_, array)| has_empty(array)) {
            self.empty.lock().unwrap_or_else(PoisonError::into_inner).insert(index);
        }
        let failed = || Error::failed("write comma-separated values");
        let batch = RecordBatch::try_new(self.schema.clone(), arrays).map_err(failed())?;
        let mut bytes = Vec::new();
        let mut writer = WriterBuilder::new().with_header(is_first).build(&mut bytes);
        writer.write(&batch).map_err(|error| unwritable(&batch).unwrap_or_else(|| failed()(error)))?;
        drop(writer);
        Ok(bytes)
    }

    /// The columns in which an empty text was written.
    pub(super) fn with_empty(&self) -> BTreeSet<usize> {
        self.empty.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The name of a column; `None` where there is none.
    pub(super) fn name(&self, index: usize) -> Option<&str> {
        self.schema.fields().get(index).map(|field| field.name().as_str())
    }
}

/// Why `batch` cannot be written: its first value without a text, a date or a time that no calendar reaches.
fn unwritable(batch: &RecordBatch) -> Option<Error> {
    let options = FormatOptions::default();
    batch.schema_ref().fields().iter().zip(batch.columns()).find_map(|(field, array)| {
        let formatter = ArrayFormatter::try_new(array, &options).ok()?;
        let row = (0..array.len()).find(|&row| formatter.value(row).try_to_string().is_err())?;
        let (name, value, kind) = (field.name(), show(array, row), array.data_type());
        let what = format!("{value} in {name:?}, as {kind}, is beyond the dates and times that csv has words for");
        Some(Error::refused(what, "leave the column out, or write Arrow files"))
    })
}

/// Whether a text or a byte string of no length is among the values.
fn has_empty(array: &ArrayRef) -> bool {
    let lengths = |array: &ArrayRef| match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().flatten().any(str::is_empty),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().flatten().any(str::is_empty),
        DataType::Utf8View => array.as_string_view().iter().flatten().any(str::is_empty),
        DataType::Binary => array.as_binary::<i32>().iter().flatten().any(<[u8]>::is_empty),
        DataType::LargeBinary => array.as_binary::<i64>().iter().flatten().any(<[u8]>::is_empty),
        DataType::BinaryView => array.as_binary_view().iter().flatten().any(<[u8]>::is_empty),
        _ => false,
    };
    match array.data_type() {
        DataType::Dictionary(_, values) => cast(array, values).is_ok_and(|texts| lengths(&texts)),
        _ => lengths(array),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Date32Array, Date64Array, Time32SecondArray, TimestampSecondArray};

    use super::*;

    #[test]
    fn a_value_that_csv_has_no_words_for_is_named_with_a_way_out() {
        let arrays: [(ArrayRef, &str); 4] = [
            (Arc::new(Date32Array::from(vec![Some(0), None, Some(i32::MAX)])), "2147483647 in \"x\", as Date32"),
            (Arc::new(Date64Array::from(vec![17_280_000_000_000_000])), "17280000000000000 in \"x\", as Date64"),
            (Arc::new(Time32SecondArray::from(vec![1, 86_400])), "86400 in \"x\", as Time32(s)"),
            (Arc::new(TimestampSecondArray::from(vec![1 << 62])), "4611686018427387904 in \"x\", as Timestamp(s)"),
        ];
        for (array, told) in arrays {
            let row_count = array.len();
            let batch = RecordBatch::try_from_iter([("x", array.clone())]).unwrap();
            let encoder = CsvEncoder::new(batch.schema());
            let column = OutputColumn::Stored { logical: array.data_type().clone(), array, distinct: false };
            let error = encoder.encode(&[column], row_count, true).unwrap_err().to_string();
            let ends =
                "is beyond the dates and times that csv has words for; leave the column out, or write Arrow files";
            assert!(error.starts_with(told) && error.ends_with(ends), "{error}");
        }
    }
}
