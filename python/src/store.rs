//! A version of a store, and answers to what is asked of it.

use std::path::PathBuf;

use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchIterator, cast::AsArray};
use arrow_schema::{DataType, TimeUnit};
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use serde_json::json;
use transect::storage::{Access, Memory};
use transect::store::{CodeType, DateType, Fill, Types, ValueTypes};
use transect::workers::Workers;
use transect::{Date, Request, Selection};

use super::capsule::{self, Buffer};
use super::fault::raised;
use super::watch::watched;

/// One version of a store.
#[pyclass(frozen, module = "transect._transect")]
pub struct Store(pub transect::Store);

/// What was asked for, found.
#[pyclass(frozen, module = "transect._transect")]
pub struct Answer(transect::store::Answer);

/// Some rows.
#[pyclass(frozen, module = "transect._transect")]
pub struct Batch(pub RecordBatch);

/// One column of some rows.
#[pyclass(frozen, module = "transect._transect")]
pub struct Column(ArrayRef);

/// Values of a matrix, which are the caller's; its type; bits of the cells that have a row, and a value; its stocks.
type Matrix = (Buffer, &'static str, Buffer, Buffer, Vec<String>);

fn day(days: i32) -> PyResult<Date> {
    Date::from_days(days).ok_or_else(|| PyValueError::new_err("a date lies outside the years 0000 to 9999"))
}

fn days(dates: &[Date]) -> Buffer {
    Buffer::shared(arrow_buffer::Buffer::from_vec(dates.iter().map(|date| date.days()).collect::<Vec<i32>>()))
}

/// The numpy type of values as they lie in memory; `None` where they are no numbers, or bits.
fn numpy_type(data_type: &DataType) -> Option<&'static str> {
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
impl Store {
    #[staticmethod]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        version: Option<u64>,
        as_of_ns: Option<i64>,
        copies: bool,
    ) -> PyResult<Store> {
        let access = if copies { Access::Read } else { Access::Map };
        let opened = transect::Store::open_with(&path, access).and_then(|live| match (version, as_of_ns) {
            (Some(version), _) => live.other_version(version),
            (None, Some(instant)) => live.version_as_of(instant),
            (None, None) => Ok(live),
        });
        opened.map(Store).map_err(|error| raised(py, &error))
    }

    #[getter]
    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    #[getter]
    fn version(&self) -> u64 {
        self.0.version()
    }

    #[getter]
    fn id(&self) -> String {
        format!("{:032x}", self.0.id())
    }

    #[getter]
    fn row_count(&self) -> u64 {
        self.0.row_count()
    }

    /// Names of the code's column, the date's, the further key's and the others.
    fn names(&self, py: Python<'_>) -> PyResult<(String, String, Vec<String>, Vec<String>)> {
        let schema = self.0.schema().map_err(|error| raised(py, &error))?;
        let columns = schema.columns.iter().map(|column| column.name.clone()).collect();
        let key = schema.key_names().map(str::to_owned).collect();
        Ok((schema.code.name.clone(), schema.date_name.clone(), key, columns))
    }

    /// Code, date and the other columns in the types that the input has.
    fn schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::schema(py, &self.0.schema().map_err(|error| raised(py, &error))?.arrow())
    }

    fn dates(&self, py: Python<'_>) -> PyResult<Buffer> {
        self.0.dates().map(days).map_err(|error| raised(py, &error))
    }

    fn stocks(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let stocks = self.0.stocks().map_err(|error| raised(py, &error))?;
        Ok(stocks.into_iter().map(str::to_owned).collect())
    }

    fn kept_versions(&self, py: Python<'_>) -> PyResult<Vec<u64>> {
        self.0.kept_versions().map_err(|error| raised(py, &error))
    }

    fn other_version(&self, py: Python<'_>, version: u64) -> PyResult<Store> {
        self.0.other_version(version).map(Store).map_err(|error| raised(py, &error))
    }

    fn info(&self, py: Python<'_>) -> PyResult<String> {
        py.detach(|| self.0.info()).map(|info| json!(info).to_string()).map_err(|error| raised(py, &error))
    }

    fn log(&self, py: Python<'_>) -> PyResult<String> {
        self.0.history().map(|history| json!(history).to_string()).map_err(|error| raised(py, &error))
    }

    fn verify(&self, py: Python<'_>, progress: Option<Py<PyAny>>) -> PyResult<String> {
        let report = watched(py, progress.as_ref(), |observer| self.0.verify_all(&Workers::new(None)?, observer))?;
        Ok(json!(report).to_string())
    }

    fn diff(&self, py: Python<'_>, older: &Store, progress: Option<Py<PyAny>>) -> PyResult<String> {
        let report =
            watched(py, progress.as_ref(), |observer| self.0.diff(&older.0)?.report(&Workers::new(None)?, observer))?;
        Ok(json!(report).to_string())
    }

    /// `dates` are days since 1970; `codes` is `view`, `categorical` or `text`; `at` names values of key columns.
    #[pyo3(signature = (columns, first, last, dates, stocks, codes, at))]
    #[expect(clippy::too_many_arguments, reason = "Python names them")]
    fn answer(
        &self,
        py: Python<'_>,
        columns: Option<Vec<String>>,
        first: Option<i32>,
        last: Option<i32>,
        dates: Option<Vec<i32>>,
        stocks: Option<Vec<String>>,
        codes: &str,
        at: Vec<(String, String)>,
    ) -> PyResult<Answer> {
        let code = match codes {
            "view" => CodeType::View,
            "categorical" => CodeType::Dictionary,
            _ => CodeType::Logical,
        };
        let dates = dates.map(|dates| dates.into_iter().map(day).collect::<PyResult<_>>()).transpose()?;
        let dates = Selection { from: first.map(day).transpose()?, to: last.map(day).transpose()?, dates };
        let types = Types { code, date: DateType::Day, values: ValueTypes::Logical };
        let answer = self.0.answer(&Request { columns, dates, stocks, at, types });
        answer.map(Answer).map_err(|error| raised(py, &error))
    }

    /// Where a date stands among all; an error that names the nearest where it does not.
    fn section(&self, py: Python<'_>, date: i32) -> PyResult<(u64, usize)> {
        let section = self.0.section(day(date)?).map_err(|error| raised(py, &error))?;
        Ok((section.changed(), section.row_count()))
    }
}

#[pymethods]
impl Answer {
    fn dates(&self, py: Python<'_>) -> PyResult<Buffer> {
        self.0.dates().map(|dates| days(&dates)).map_err(|error| raised(py, &error))
    }

    fn schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::schema(py, self.0.schema())
    }

    fn names(&self) -> Vec<String> {
        self.0.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    /// The rows of the `index`-th date.
    fn batch(&self, py: Python<'_>, index: usize) -> PyResult<Batch> {
        py.detach(|| self.0.batch(index)).map(Batch).map_err(|error| raised(py, &error))
    }

    /// How many rows the sections have, chosen stocks or not.
    fn row_count(&self, py: Python<'_>) -> PyResult<usize> {
        let count = self
            .0
            .dates()
            .and_then(|dates| (0..dates.len()).try_fold(0, |sum, index| Ok(sum + self.0.section(index)?.row_count())));
        count.map_err(|error| raised(py, &error))
    }

    fn series(&self, py: Python<'_>, code: &str) -> PyResult<Batch> {
        watched(py, None, |observer| self.0.series(code, &Workers::new(None)?, observer)).map(Batch)
    }

    /// All rows, a batch a date.
    fn stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let answer = self.0.clone();
        let count = answer.dates().map_err(|error| raised(py, &error))?.len();
        let schema = answer.schema().clone();
        let outside = |error| arrow_schema::ArrowError::ExternalError(Box::new(error));
        let batches = (0..count).map(move |index| answer.batch(index).map_err(outside));
        capsule::stream(py, Box::new(RecordBatchIterator::new(batches, schema)))
    }

    /// The one column as a matrix: of its own type, with `fill` where there is no value; floats have NaN by default.
    fn matrix(&self, py: Python<'_>, fill: Option<&Bound<'_, PyAny>>) -> PyResult<Matrix> {
        let own = self.0.schema().field(self.0.schema().fields().len() - 1).data_type();
        let (fill, numpy) = fill_of(own, fill)?;
        let answer = &self.0;
        let (values, cells) = watched(py, None, |observer| {
            let len = answer.matrix_len(&fill)?;
            let mut values = Memory::zeroed(len).ok_or_else(|| transect::Error::Failed {
                action: format!("find {len} bytes of memory"),
                source: "the system refuses".into(),
            })?;
            let cells = answer.matrix_into(values.as_mut(), &fill, &Workers::new(None)?, observer)?;
            Ok((values, cells))
        })?;
        let stocks = answer.matrix_stocks().map_err(|error| raised(py, &error))?.to_vec();
        let bits = |bits: &arrow_buffer::BooleanBuffer| Buffer::shared(bits.inner().clone());
        Ok((Buffer::own(values), numpy, bits(cells.rows()), bits(cells.valid()), stocks))
    }
}

/// What stands in the empty cells of a matrix of a column of this type, and how numpy calls its values.
fn fill_of(own: &DataType, fill: Option<&Bound<'_, PyAny>>) -> PyResult<(Fill, &'static str)> {
    macro_rules! integers {
        ($type:ty) => {{
            let fill = fill.ok_or_else(|| {
                PyValueError::new_err(format!(
                    "a matrix of {own} has no NaN for cells without a value; give fill=-1, or as you like"
                ))
            })?;
            Fill::of::<$type>(fill.extract()?)
        }};
    }
    let float = || fill.map_or(Ok(f64::NAN), |fill| fill.extract::<f64>());
    let numpy = numpy_type(own).unwrap_or("<f8");
    Ok(match own {
        DataType::Int8 => (integers!(Int8Type), numpy),
        DataType::Int16 => (integers!(Int16Type), numpy),
        DataType::Int32 => (integers!(Int32Type), numpy),
        DataType::Int64 => (integers!(Int64Type), numpy),
        DataType::UInt8 => (integers!(UInt8Type), numpy),
        DataType::UInt16 => (integers!(UInt16Type), numpy),
        DataType::UInt32 => (integers!(UInt32Type), numpy),
        DataType::UInt64 => (integers!(UInt64Type), numpy),
        DataType::Boolean => (integers!(UInt8Type), "<u1"),
        DataType::Float32 => (Fill::of::<Float32Type>(float()? as f32), numpy),
        DataType::Timestamp(TimeUnit::Second, _) => (Fill::of::<TimestampSecondType>(i64::MIN), numpy),
        DataType::Timestamp(TimeUnit::Millisecond, _) => (Fill::of::<TimestampMillisecondType>(i64::MIN), numpy),
        DataType::Timestamp(TimeUnit::Microsecond, _) => (Fill::of::<TimestampMicrosecondType>(i64::MIN), numpy),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => (Fill::of::<TimestampNanosecondType>(i64::MIN), numpy),
        DataType::Date32 => (Fill::of::<TimestampSecondType>(i64::MIN), "<M8[s]"),
        _ => (Fill::of::<Float64Type>(float()?), "<f8"),
    })
}

#[pymethods]
impl Batch {
    fn __len__(&self) -> usize {
        self.0.num_rows()
    }

    fn names(&self) -> Vec<String> {
        self.0.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    fn schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::schema(py, &self.0.schema())
    }

    fn array<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        capsule::batch(py, &self.0)
    }

    fn stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let batches = vec![Ok(self.0.clone())];
        capsule::stream(py, Box::new(RecordBatchIterator::new(batches, self.0.schema())))
    }

    fn column(&self, index: usize) -> PyResult<Column> {
        let column = self.0.columns().get(index).ok_or_else(|| PyIndexError::new_err("there is no such column"))?;
        Ok(Column(column.clone()))
    }
}

#[pymethods]
impl Column {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    #[getter]
    fn null_count(&self) -> usize {
        self.0.logical_null_count()
    }

    /// Its Arrow type, in Arrow's words.
    #[getter]
    fn type_name(&self) -> String {
        self.0.data_type().to_string()
    }

    /// Its values in place, and how numpy calls them; `None` where they are no numbers.
    fn values(&self) -> Option<(Buffer, &'static str)> {
        let numpy = numpy_type(self.0.data_type())?;
        let data = self.0.to_data();
        let width = data.data_type().primitive_width()?;
        let values = data.buffers()[0].slice_with_length(data.offset() * width, data.len() * width);
        Some((Buffer::shared(values), numpy))
    }

    /// One byte a row: its boolean.
    fn booleans(&self) -> Option<Buffer> {
        let values = self.0.as_boolean_opt()?.values();
        Some(Buffer::shared(arrow_buffer::Buffer::from_vec(values.iter().map(u8::from).collect::<Vec<u8>>())))
    }

    /// One byte a row: whether it has a value.
    fn valid(&self) -> Buffer {
        let nulls = self.0.logical_nulls();
        let valid = (0..self.0.len()).map(|row| u8::from(nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))));
        Buffer::shared(arrow_buffer::Buffer::from_vec(valid.collect::<Vec<u8>>()))
    }

    /// Its texts.
    fn texts(&self) -> Option<Vec<Option<String>>> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(match self.0.data_type() {
            DataType::Utf8 => self.0.as_string::<i32>().iter().map(owned).collect(),
            DataType::LargeUtf8 => self.0.as_string::<i64>().iter().map(owned).collect(),
            DataType::Utf8View => self.0.as_string_view().iter().map(owned).collect(),
            _ => return None,
        })
    }
}
