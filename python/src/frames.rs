//! Rows that come from Python: a frame, or frames one after the other.

use std::sync::Arc;

use arrow_array::ffi_stream::RecordBatchStreamReader;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchReader, new_null_array};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, SchemaRef};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyIterator;

use super::capsule::reader;
use super::fault::refused;

/// The batches of a frame, or of each of several; another one is asked for when those before it have been read.
pub fn rows(object: &Bound<'_, PyAny>) -> PyResult<Box<dyn RecordBatchReader + Send>> {
    if object.hasattr("__arrow_c_stream__")? {
        return Ok(Box::new(reader(object)?));
    }
    let not_rows = || {
        let kind = object.get_type().name().map_or_else(|_| "that".to_owned(), |name| name.to_string());
        PyTypeError::new_err(format!(
            "{kind} has no rows; give a frame of Arrow, pandas, Polars or DuckDB, or such frames one after the other"
        ))
    };
    let mut frames = object.try_iter().map_err(|_| not_rows())?;
    let Some(first) = frames.next() else {
        return Err(PyValueError::new_err("there is no frame to take rows from"));
    };
    // What is no sequence but can be asked for an item, such as a lazy frame, refuses.
    let first =
        first.map_err(|error| if error.is_instance_of::<PyTypeError>(object.py()) { not_rows() } else { error })?;
    if !first.hasattr("__arrow_c_stream__")? {
        return Err(not_rows());
    }
    let first = reader(&first)?;
    Ok(Box::new(Frames { schema: first.schema(), current: Some(first), frames: frames.unbind(), number: 1 }))
}

/// Frames one after the other.
struct Frames {
    schema: SchemaRef,
    current: Option<RecordBatchStreamReader>,
    frames: Py<PyIterator>,
    /// Which one is the current, from 1.
    number: usize,
}

/// Whether it is text, however it is held: the frames of one program may differ in that.
fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        || matches!(data_type, DataType::Dictionary(_, value) if is_text(value))
}

fn outside(error: PyErr) -> ArrowError {
    ArrowError::ExternalError(Box::new(error))
}

impl Frames {
    /// The batches of the next frame.
    fn advance(&mut self) -> PyResult<Option<RecordBatchStreamReader>> {
        self.number += 1;
        Python::attach(|py| {
            let next = self.frames.bind(py).clone().next().transpose()?;
            next.map(|frame| reader(&frame)).transpose()
        })
    }

    /// `batch` with the columns of the first frame.
    fn alike(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let refuse = |why: String| outside(Python::attach(|py| refused(py, format!("frame {}: {why}", self.number))));
        let known = batch.schema();
        if let Some(other) = known.fields().iter().find(|field| self.schema.field_with_name(field.name()).is_err()) {
            return Err(refuse(format!("has the column {:?}, which the first frame does not have", other.name())));
        }
        let column = |field: &Arc<Field>| -> Result<ArrayRef, ArrowError> {
            let (name, first) = (field.name(), field.data_type());
            let Some(array) = batch.column_by_name(name) else {
                return Err(refuse(format!("lacks the column {name:?}, which the first frame has")));
            };
            match array.data_type() {
                own if own == first => Ok(array.clone()),
                DataType::Null => Ok(new_null_array(first, array.len())),
                own if is_text(own) && is_text(first) => cast(array, first),
                own => Err(refuse(format!("has {name:?} as {own}, the first frame as {first}; give both one type"))),
            }
        };
        let columns = self.schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

impl Iterator for Frames {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.current.as_mut()?.next() {
                return Some(batch.and_then(|batch| self.alike(&batch)));
            }
            self.current = match self.advance() {
                Ok(next) => next,
                Err(error) => {
                    self.current = None;
                    return Some(Err(outside(error)));
                }
            };
        }
    }
}

impl RecordBatchReader for Frames {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
