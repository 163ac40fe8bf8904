//! Row groups as comma-separated values.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_csv::WriterBuilder;
use arrow_schema::{DataType, SchemaRef};

use super::OutputColumn;
use crate::error::{Error, Result};

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
        writer.write(&batch).map_err(failed())?;
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
