//! Rows that come from Python: a frame, or frames one after the other.

use std::sync::Arc;

use arrow_array::ffi_stream::RecordBatchStreamReader;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, RecordBatchReader, new_null_array};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyIterator;
use transect::Error;

use super::capsule::reader;
use super::fault::refused;
use super::watch::watched;

/// The batches of a frame, or of each of several; another one is asked for when those before it have been read.
pub fn rows(object: &Bound<'_, PyAny>) -> PyResult<Box<dyn RecordBatchReader + Send>> {
    if object.hasattr("__arrow_c_stream__")? {
        return Ok(Box::new(Frame::of(object)?));
    }
    let mut frames = object.try_iter().map_err(|_| no_rows(object))?;
    let Some(first) = frames.next() else {
        return Err(PyValueError::new_err("there is no frame to take rows from"));
    };
    // What is no sequence but can be asked for an item, such as a lazy frame, refuses.
    let is_asked = !object.hasattr("__iter__")?;
    let first = first.map_err(|error| {
        let refuses = is_asked && error.is_instance_of::<PyTypeError>(object.py());
        if refuses { no_rows(object) } else { error }
    })?;
    if !first.hasattr("__arrow_c_stream__")? {
        return Err(no_rows(object));
    }
    let first = Frame::of(&first)?;
    Ok(Box::new(Frames { schema: first.schema(), current: Some(first), frames: frames.unbind(), number: 1 }))
}

/// All batches of a frame.
pub fn batches(frame: &Bound<'_, PyAny>) -> PyResult<Vec<RecordBatch>> {
    if !frame.hasattr("__arrow_c_stream__")? {
        return Err(no_rows(frame));
    }
    let rows = Frame::of(frame)?;
    watched(frame.py(), None, |observer| {
        let mut batches = Vec::new();
        for batch in rows {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            batches.push(
                batch
                    .map_err(|error| Error::Failed { action: "read the frame".to_owned(), source: Box::new(error) })?,
            );
        }
        Ok(batches)
    })
}

fn no_rows(object: &Bound<'_, PyAny>) -> PyErr {
    let kind = object.get_type().name().map_or_else(|_| "that".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!(
        "{kind} has no rows; give a frame of Arrow, pandas, Polars or DuckDB, or such frames one after the other"
    ))
}

/// The batches of one frame, in the types in which a store takes them.
struct Frame {
    schema: SchemaRef,
    batches: RecordBatchStreamReader,
}

impl Frame {
    fn of(frame: &Bound<'_, PyAny>) -> PyResult<Frame> {
        let exported = frame.py().import("transect._change")?.call_method1("exported", (frame,))?;
        let (frame, untyped): (Bound<'_, PyAny>, Vec<String>) = exported.extract()?;
        let batches = reader(&frame)?;
        let known = batches.schema();
        let field = |field: &Arc<Field>| {
            let is_untyped = untyped.contains(field.name());
            let data_type = if is_untyped { DataType::Null } else { taken(field.data_type()) };
            Arc::new(field.as_ref().clone().with_data_type(data_type))
        };
        let fields: Vec<_> = known.fields().iter().map(field).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, known.metadata().clone()));
        Ok(Frame { schema, batches })
    }
}

/// The type in which a column is taken. Polars has texts as views, unasked, which pyarrow and pandas can neither sort
/// nor compare; large texts are what it writes to files.
fn taken(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::LargeUtf8,
        DataType::BinaryView => DataType::LargeBinary,
        other => other.clone(),
    }
}

impl Iterator for Frame {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let cast = |batch: RecordBatch| {
            let column = |(array, field): (&ArrayRef, &Arc<Field>)| match field.data_type() {
                own if own == array.data_type() => Ok(array.clone()),
                DataType::Null => Ok(new_null_array(&DataType::Null, array.len())),
                taken => cast(array, taken),
            };
            let columns = batch.columns().iter().zip(self.schema.fields()).map(column).collect::<Result<_, _>>()?;
            RecordBatch::try_new_with_options(
                Arc::clone(&self.schema),
                columns,
                &RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
            )
        };
        self.batches.next().map(|batch| batch.and_then(cast))
    }
}

impl RecordBatchReader for Frame {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// Frames one after the other.
struct Frames {
    schema: SchemaRef,
    current: Option<Frame>,
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
    fn advance(&mut self) -> PyResult<Option<Frame>> {
        self.number += 1;
        Python::attach(|py| {
            let next = self.frames.bind(py).clone().next().transpose()?;
            next.map(|frame| Frame::of(&frame)).transpose()
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
