//! Rows and their columns, as other packages take them.

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchIterator, cast::AsArray};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, SchemaRef, TimeUnit};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule};

use transect::store::StoredRows;

use super::capsule::{self, Buffer};
use super::fault::raised;

/// Some rows.
#[pyclass(frozen, module = "transect._transect")]
pub struct Batch(Rows);

/// Where they are.
enum Rows {
    Made(RecordBatch),
    /// In the map: what is to have other types is made each time that it is wanted, and takes no memory before.
    Stored(StoredRows),
}

impl From<RecordBatch> for Batch {
    fn from(batch: RecordBatch) -> Batch {
        Batch(Rows::Made(batch))
    }
}

impl From<StoredRows> for Batch {
    fn from(rows: StoredRows) -> Batch {
        Batch(Rows::Stored(rows))
    }
}

impl Batch {
    fn types(&self) -> SchemaRef {
        match &self.0 {
            Rows::Made(batch) => batch.schema(),
            Rows::Stored(rows) => rows.schema().clone(),
        }
    }

    fn made(&self, py: Python<'_>) -> PyResult<RecordBatch> {
        match &self.0 {
            Rows::Made(batch) => Ok(batch.clone()),
            Rows::Stored(rows) => py.detach(|| rows.batch()).map_err(|error| raised(py, &error)),
        }
    }
}

/// One column of some rows.
#[pyclass(frozen, module = "transect._transect")]
pub struct Column {
    array: ArrayRef,
    is_made: bool,
}

impl From<ArrayRef> for Column {
    fn from(array: ArrayRef) -> Column {
        Column { array, is_made: false }
    }
}

/// The numpy type of values as they lie in memory; `None` where they are no numbers, or bits.
pub fn numpy_type(data_type: &DataType) -> Option<&'static str> {
    Some(match data_type {
        DataType::Int8 => "<i1",
        DataType::Int16 => "<i2",
        DataType::Int32 | DataType::Date32 | DataType::Time32(_) => "<i4",
        DataType::Int64 | DataType::Time64(_) => "<i8",
        DataType::UInt8 => "<u1",
        DataType::UInt16 => "<u2",
        DataType::UInt32 => "<u4",
        DataType::UInt64 => "<u8",
        DataType::Float16 => "<f2",
        DataType::Float32 => "<f4",
        DataType::Float64 => "<f8",
        DataType::Date64 => "<M8[ms]",
        DataType::Timestamp(TimeUnit::Second, _) => "<M8[s]",
        DataType::Timestamp(TimeUnit::Millisecond, _) => "<M8[ms]",
        DataType::Timestamp(TimeUnit::Microsecond, _) => "<M8[us]",
        DataType::Timestamp(TimeUnit::Nanosecond, _) => "<M8[ns]",
        _ => return None,
    })
}

#[pymethods]
impl Batch {
    fn __len__(&self) -> usize {
        match &self.0 {
            Rows::Made(batch) => batch.num_rows(),
            Rows::Stored(rows) => rows.row_count(),
        }
    }

    fn names(&self) -> Vec<String> {
        self.types().fields().iter().map(|field| field.name().clone()).collect()
    }

    fn schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::schema(py, &self.types())
    }

    fn array<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        capsule::batch(py, &self.made(py)?)
    }

    fn stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let batches = vec![Ok(self.made(py)?)];
        capsule::stream(py, Box::new(RecordBatchIterator::new(batches, self.types())))
    }

    fn column(&self, py: Python<'_>, index: usize) -> PyResult<Column> {
        if index >= self.types().fields().len() {
            return Err(PyIndexError::new_err("there is no such column"));
        }
        match &self.0 {
            Rows::Made(batch) => Ok(batch.column(index).clone().into()),
            Rows::Stored(rows) => {
                let array = rows.column(index).map_err(|error| raised(py, &error))?;
                Ok(Column { is_made: rows.is_made(index, &array), array })
            }
        }
    }
}

#[pymethods]
impl Column {
    fn __len__(&self) -> usize {
        self.array.len()
    }

    #[getter]
    fn null_count(&self) -> usize {
        self.array.logical_null_count()
    }

    /// Whether its values are others than those in the map, as where the store keeps integers narrower.
    #[getter]
    fn is_made(&self) -> bool {
        self.is_made
    }

    /// Its Arrow type, in Arrow's words.
    #[getter]
    fn type_name(&self) -> String {
        self.array.data_type().to_string()
    }

    fn schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::field(py, &Field::new("", self.array.data_type().clone(), true))
    }

    fn array<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        Ok((self.schema(py)?, capsule::array(py, &self.array)?))
    }

    /// Its values in place, and how numpy calls them; `None` where they are no numbers.
    fn values(&self) -> Option<(Buffer, &'static str)> {
        let numpy = numpy_type(self.array.data_type())?;
        let data = self.array.to_data();
        let width = data.data_type().primitive_width()?;
        let values = data.buffers()[0].slice_with_length(data.offset() * width, data.len() * width);
        Some((Buffer::shared(values), numpy))
    }

    /// One byte a row: its boolean.
    fn booleans(&self) -> Option<Buffer> {
        let values = self.array.as_boolean_opt()?.values();
        Some(Buffer::shared(arrow_buffer::Buffer::from_vec(values.iter().map(u8::from).collect::<Vec<u8>>())))
    }

    /// One byte a row: whether it has a value.
    fn valid(&self) -> Buffer {
        let nulls = self.array.logical_nulls();
        let valid = (0..self.array.len()).map(|row| u8::from(nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))));
        Buffer::shared(arrow_buffer::Buffer::from_vec(valid.collect::<Vec<u8>>()))
    }

    /// Its bytes.
    fn binaries<'py>(&self, py: Python<'py>) -> Option<Vec<Option<Bound<'py, PyBytes>>>> {
        let values = match self.array.data_type() {
            DataType::Dictionary(_, values) => values.as_ref().clone(),
            other => other.clone(),
        };
        if !values.is_binary() {
            return None;
        }
        let plain = cast(&self.array, &DataType::LargeBinary).ok()?;
        let bytes = |bytes: Option<&[u8]>| bytes.map(|bytes| PyBytes::new(py, bytes));
        Some(plain.as_binary::<i64>().iter().map(bytes).collect())
    }

    /// Its decimals, in digits.
    fn decimals(&self) -> Option<Vec<Option<String>>> {
        if !self.array.data_type().is_decimal() {
            return None;
        }
        let texts = cast(&self.array, &DataType::Utf8).ok()?;
        Some(texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
    }

    /// Its texts.
    fn texts(&self) -> Option<Vec<Option<String>>> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let plain = match self.array.data_type() {
            DataType::Dictionary(_, values) => cast(&self.array, values).ok()?,
            _ => self.array.clone(),
        };
        Some(match plain.data_type() {
            DataType::Utf8 => plain.as_string::<i32>().iter().map(owned).collect(),
            DataType::LargeUtf8 => plain.as_string::<i64>().iter().map(owned).collect(),
            DataType::Utf8View => plain.as_string_view().iter().map(owned).collect(),
            _ => return None,
        })
    }
}
