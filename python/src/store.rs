//! A version of a store, and answers to what is asked of it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use arrow_array::types::*;
use arrow_array::{Array, RecordBatch, RecordBatchIterator, new_empty_array};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use arrow_select::concat::concat;
use pyo3::exceptions::{PyIndexError, PyKeyboardInterrupt, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use serde_json::json;
use transect::progress::Observer;
use transect::remedy::Remedy;
use transect::storage::{Access, Memory};
use transect::store::{CodeType, DateType, Fill, Types, Universe, ValueTypes};
use transect::workers::Workers;
use transect::{Date, Request, Selection, verify_output, verify_source};

use super::capsule::{self, Buffer};
use super::coverage::Coverage;
use super::diff::Diff;
use super::fault::raised;
use super::frames::batches;
use super::options::workers;
use super::report::told;
use super::rows::{Batch, Column, numpy_type};
use super::watch::watched;

/// One version of a store.
#[pyclass(frozen, module = "transect._transect")]
pub struct Store(pub transect::Store);

/// What was asked for, found.
#[pyclass(frozen, module = "transect._transect")]
pub struct Answer {
    found: transect::store::Answer,
    universe: Option<Universe>,
    /// What ended a stream of it. The reader of the stream makes an error of its own of that.
    failure: Arc<Mutex<Option<transect::Error>>>,
}

/// Values of a matrix, which are the caller's; its type; bits of the cells that have a row, and a value; its stocks.
type Matrix = (Buffer, &'static str, Buffer, Buffer, Vec<String>);

fn day(days: i32) -> PyResult<Date> {
    Date::from_days(days).ok_or_else(|| PyValueError::new_err("a date lies outside the years 0000 to 9999"))
}

fn days(dates: &[Date]) -> Buffer {
    Buffer::shared(arrow_buffer::Buffer::from_vec(dates.iter().map(|date| date.days()).collect::<Vec<i32>>()))
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

    /// The same with each type in words.
    fn types(&self, py: Python<'_>) -> PyResult<Vec<(String, String)>> {
        let schema = self.0.schema().map_err(|error| raised(py, &error))?.arrow();
        Ok(schema.fields().iter().map(|field| (field.name().clone(), field.data_type().to_string())).collect())
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
        py.detach(|| self.0.info()).map(told).map_err(|error| raised(py, &error))
    }

    fn log(&self, py: Python<'_>) -> PyResult<String> {
        self.0.history().map(|history| json!(history).to_string()).map_err(|error| raised(py, &error))
    }

    fn changes(&self, py: Python<'_>, version: u64) -> PyResult<String> {
        py.detach(|| self.0.changes_of(version))
            .map(|changes| json!(changes).to_string())
            .map_err(|error| raised(py, &error))
    }

    fn verify(&self, py: Python<'_>, all: bool, options: &str, progress: Option<Py<PyAny>>) -> PyResult<String> {
        let workers = workers(options)?;
        let report = watched(py, progress.as_ref(), |observer| {
            if all { self.0.verify_all(&workers()?, observer) } else { self.0.verify(&workers()?, observer) }
        })?;
        Ok(json!(report).to_string())
    }

    /// Compares it with the files that it came from.
    fn verify_inputs(
        &self,
        py: Python<'_>,
        source: PathBuf,
        options: &str,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<String> {
        let workers = workers(options)?;
        let check = |observer: &dyn Observer| verify_source(&self.0, &source, &workers()?, observer);
        watched(py, progress.as_ref(), check).map(told)
    }

    /// Compares the files that were written from it.
    fn verify_output(
        &self,
        py: Python<'_>,
        out: PathBuf,
        options: &str,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<String> {
        let workers = workers(options)?;
        let check = |observer: &dyn Observer| verify_output(&self.0, &out, &workers()?, observer);
        Ok(json!(watched(py, progress.as_ref(), check)?).to_string())
    }

    /// Reads the whole version.
    fn coverage(&self, py: Python<'_>, options: &str, progress: Option<Py<PyAny>>) -> PyResult<Coverage> {
        let workers = workers(options)?;
        let read = |observer: &dyn Observer| transect::Coverage::of(&self.0, &workers()?, observer);
        watched(py, progress.as_ref(), read).map(Coverage)
    }

    /// From the version before where none is given; of these dates, stocks and columns.
    fn diff(
        &self,
        py: Python<'_>,
        older: Option<&Store>,
        first: Option<i32>,
        last: Option<i32>,
        stocks: Option<Vec<String>>,
        columns: Option<Vec<String>>,
    ) -> PyResult<Diff> {
        let (first, last) = (first.map(day).transpose()?, last.map(day).transpose()?);
        let diff = py.detach(|| {
            let diff =
                older.map_or_else(|| self.0.diff_from_before(), |older| self.0.diff(&older.0))?.between(first, last);
            let diff = stocks.map_or_else(|| Ok(diff.clone()), |stocks| diff.clone().of_stocks(stocks))?;
            columns.map_or_else(|| Ok(diff.clone()), |columns| diff.clone().of_columns(columns))
        });
        diff.map(Diff).map_err(|error| raised(py, &error))
    }

    /// `dates` are days since 1970; `codes` is `view`, `categorical` or `text`; `at` names values of key columns;
    /// `universe` is a frame of dates and codes, or the name of a column.
    #[pyo3(signature = (columns, first, last, dates, stocks, codes, at, universe))]
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
        universe: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Answer> {
        let code = match codes {
            "view" => CodeType::View,
            "categorical" => CodeType::Dictionary,
            _ => CodeType::Logical,
        };
        let dates = dates.map(|dates| dates.into_iter().map(day).collect::<PyResult<_>>()).transpose()?;
        let dates = Selection {
            from: first.map(day).transpose()?,
            to: last.map(day).transpose()?,
            dates,
            ..Selection::default()
        };
        let types = Types { code, date: DateType::Day, values: ValueTypes::Logical };
        let universe = universe.map(|universe| members(&self.0, universe)).transpose()?;
        let request = Request { columns, dates, stocks, at, universe, types, ..Request::default() };
        let answer = py.detach(|| self.0.answer(&request));
        let answer = answer.map(|found| Answer { found, universe: request.universe, failure: Arc::default() });
        answer.map_err(|error| raised(py, &error))
    }

    /// Where a date stands among all; an error that names the nearest where it does not.
    fn section(&self, py: Python<'_>, date: i32) -> PyResult<(u64, usize)> {
        let section = self.0.section(day(date)?).map_err(|error| raised(py, &error))?;
        Ok((section.changed(), section.row_count()))
    }
}

/// An error where Ctrl-C was pressed. Of that the reader of a stream makes an error of its own, so that Python is told
/// again.
fn interrupted(py: Python<'_>) -> Result<(), ArrowError> {
    let outside = |error| ArrowError::ExternalError(Box::new(error));
    let Err(error) = py.check_signals() else { return Ok(()) };
    if !error.is_instance_of::<PyKeyboardInterrupt>(py) {
        return Err(outside(error));
    }
    py.import("_thread").and_then(|thread| thread.call_method0("interrupt_main")).map_err(outside)?;
    // Spelling the exception would run Python, which would raise it there and then.
    Err(ArrowError::ExternalError("interrupted".into()))
}

/// How often Ctrl-C was pressed before a stream that ends at the next time; `None` where that is not for it to say: another
/// thread reads on, and another handler may let everything go on.
fn pressed_before(py: Python<'_>) -> PyResult<Option<usize>> {
    let (threads, signals) = (py.import("threading")?, py.import("_signal")?);
    let is_main = threads.call_method0("current_thread")?.is(&threads.call_method0("main_thread")?);
    let handler = signals.call_method1("getsignal", (signals.getattr("SIGINT")?,))?;
    let raises = handler.is(&signals.getattr("default_int_handler")?);
    Ok((is_main && raises).then(capsule::interrupts))
}

/// The most memory that a file of members may take, of which one file has a quarter.
const MEMBERS: u64 = 4 << 30;

/// A frame of dates and codes, read: a stream can be read once, and what is asked for may be asked again.
#[pyclass(frozen, module = "transect._transect")]
pub struct Members(Vec<RecordBatch>);

#[pymethods]
impl Members {
    #[new]
    fn new(frame: &Bound<'_, PyAny>) -> PyResult<Members> {
        batches(frame).map(Members)
    }
}

/// The name of a column of `store`, the path of a file, or a frame of dates and codes.
pub fn members(store: &transect::Store, universe: &Bound<'_, PyAny>) -> PyResult<Universe> {
    if let Ok(column) = universe.extract::<String>() {
        return Ok(Universe::Column(column));
    }
    if let Ok(read) = universe.cast::<Members>() {
        return Ok(Universe::Rows(read.get().0.clone()));
    }
    let py = universe.py();
    match universe.extract::<PathBuf>() {
        Ok(path) => py
            .detach(|| transect::source::read_members(&path, store.schema()?, MEMBERS))
            .map(|rows| Universe::Rows(vec![rows]))
            .map_err(|error| raised(py, &error)),
        Err(_) => batches(universe).map(Universe::Rows),
    }
}

#[pymethods]
impl Answer {
    /// What to tell of the universe.
    fn notes(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let notes = |universe: &Universe| universe.notes(self.found.store());
        let notes = py.detach(|| self.universe.as_ref().map(notes).transpose());
        notes.map(Option::unwrap_or_default).map_err(|error| raised(py, &error))
    }

    fn dates(&self, py: Python<'_>) -> PyResult<Buffer> {
        self.found.dates().map(|dates| days(&dates)).map_err(|error| raised(py, &error))
    }

    fn schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::schema(py, self.found.schema())
    }

    fn names(&self) -> Vec<String> {
        self.found.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    /// The rows of the `index`-th date.
    fn batch(&self, py: Python<'_>, index: usize) -> PyResult<Batch> {
        let rows = py.detach(|| match self.found.stored(index)? {
            Some(rows) => Ok(rows.into()),
            None => self.found.batch(index).map(Batch::from),
        });
        rows.map_err(|error| raised(py, &error))
    }

    fn row_count(&self, py: Python<'_>) -> PyResult<usize> {
        py.detach(|| self.found.row_count()).map_err(|error| raised(py, &error))
    }

    /// The `index`-th column of all rows, in one piece.
    fn column(&self, py: Python<'_>, index: usize) -> PyResult<Column> {
        let field = self.found.schema().fields().get(index).cloned();
        let field = field.ok_or_else(|| PyIndexError::new_err("there is no such column"))?;
        let joined = watched(py, None, |observer| {
            let mut parts = Vec::new();
            for batch in self.found.batches() {
                if observer.cancelled() {
                    return Err(transect::Error::Cancelled);
                }
                parts.push(batch?.column(index).clone());
            }
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            match parts.len() {
                0 => Ok(new_empty_array(field.data_type())),
                _ => concat(&parts).map_err(|error| transect::Error::Failed {
                    action: format!("join the sections of {:?}", field.name()),
                    source: Box::new(error),
                }),
            }
        });
        joined.map(Column::from)
    }

    fn series(&self, py: Python<'_>, code: &str) -> PyResult<Batch> {
        watched(py, None, |observer| self.found.series(code, &Workers::new(None)?, observer)).map(Batch::from)
    }

    /// All rows, a batch a date.
    fn stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let answer = self.found.clone();
        let count = answer.dates().map_err(|error| raised(py, &error))?.len();
        let schema = answer.schema().clone();
        let (asker, failure) = (thread::current().id(), Arc::clone(&self.failure));
        let pressed = pressed_before(py)?;
        let batches = (0..count).map(move |index| {
            // Whoever reads the whole stream in the thread that runs Python leaves no other moment for Ctrl-C. Another
            // thread is not to wait for Python: the reader may hold it until the stream has ended, and may wait for that
            // thread once it knows of Ctrl-C, as DuckDB does.
            if thread::current().id() == asker {
                Python::attach(interrupted)?;
            }
            if pressed.is_some_and(|pressed| pressed != capsule::interrupts_so_far()) {
                return Err(ArrowError::ExternalError("interrupted".into()));
            }
            answer.batch(index).map_err(|error| {
                let outside = ArrowError::ExternalError(error.to_string().into());
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                outside
            })
        });
        capsule::stream(py, Box::new(RecordBatchIterator::new(batches, schema)))
    }

    /// Raises what ended a stream, where something did.
    fn check(&self, py: Python<'_>) -> PyResult<()> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), |error| Err(raised(py, &error)))
    }

    /// The one column as a matrix: of its own type, with `fill` where there is no value; floats have NaN by default.
    fn matrix(&self, py: Python<'_>, fill: Option<&Bound<'_, PyAny>>) -> PyResult<Matrix> {
        let own = self.found.schema().field(self.found.schema().fields().len() - 1).data_type();
        let (fill, numpy) = fill_of(own, fill)?;
        let answer = &self.found;
        let (values, cells) = watched(py, None, |observer| {
            let len = answer.matrix_len(&fill)?;
            let mut values = Memory::zeroed(len).ok_or_else(|| transect::Error::Failed {
                action: format!("find {len} bytes of memory"),
                source: "the system refuses".into(),
            })?;
            let cells = answer.matrix_into(values.as_mut(), &fill, &Workers::new(None)?, observer);
            Ok((values, cells.map_err(|error| unrounded(error, own))?))
        })?;
        let stocks = answer.matrix_stocks().map_err(|error| raised(py, &error))?.to_vec();
        let bits = |bits: &arrow_buffer::BooleanBuffer| Buffer::shared(bits.inner().clone());
        Ok((Buffer::own(values), numpy, bits(cells.rows()), bits(cells.valid()), stocks))
    }
}

/// The refusal of a value that a matrix of doubles does not hold, with what does in Python: there are none of decimals.
fn unrounded(error: transect::Error, own: &DataType) -> transect::Error {
    match error {
        // Of other kinds there is no matrix at all.
        transect::Error::Refused { what, path, .. } if own.is_numeric() => {
            let integers = match own.is_integer() {
                true => format!("Store.matrix with fill=0, say, is one of {own}, which does; "),
                false => String::new(),
            };
            let way_out = format!("{integers}sections, series and scans have all values as they are");
            transect::Error::Refused { what, remedies: vec![Remedy::Do(way_out)], path }
        }
        other => other,
    }
}

/// What stands in the empty cells of a matrix of a column of this type, and how numpy calls its values.
fn fill_of(own: &DataType, fill: Option<&Bound<'_, PyAny>>) -> PyResult<(Fill, &'static str)> {
    let is_nan = fill.and_then(|fill| fill.extract::<f64>().ok()).is_some_and(f64::is_nan);
    if is_nan && (own.is_integer() || *own == DataType::Boolean) {
        return Ok((Fill::of::<Float64Type>(f64::NAN), "<f8"));
    }
    let given = |fill: &Bound<'_, PyAny>| fill.repr().map(|text| text.to_string());
    macro_rules! integers {
        ($type:ty) => {{
            type Native = <$type as ArrowPrimitiveType>::Native;
            let (least, most) = (Native::MIN, Native::MAX);
            let Some(fill) = fill else {
                let any = if least == 0 { most.to_string() } else { "-1".to_owned() };
                let what = format!("a matrix of {own} has no NaN for cells without a value");
                return Err(PyValueError::new_err(format!(
                    "{what}; give fill={any}, say, or fill=math.nan for doubles"
                )));
            };
            let Ok(value) = fill.extract::<Native>() else {
                let what = format!("a matrix of {own} cannot have fill={}", given(fill)?);
                let helps = format!("give an integer from {least} to {most}, or fill=math.nan for doubles");
                return Err(PyValueError::new_err(format!("{what}; {helps}")));
            };
            Fill::of::<$type>(value)
        }};
    }
    macro_rules! times {
        ($type:ty) => {{
            if let Some(fill) = fill.filter(|_| !is_nan) {
                let what = format!(
                    "a matrix of {own} has NaT for cells without a value, and cannot have fill={}",
                    given(fill)?
                );
                return Err(PyValueError::new_err(format!("{what}; leave it out")));
            }
            Fill::of::<$type>(i64::MIN)
        }};
    }
    let float = || match fill {
        None => Ok(f64::NAN),
        Some(fill) => match fill.extract::<f64>() {
            Ok(value) => Ok(value),
            Err(_) => Err(PyValueError::new_err(format!("fill={} is no number; give one", given(fill)?))),
        },
    };
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
        DataType::Timestamp(TimeUnit::Second, _) => (times!(TimestampSecondType), numpy),
        DataType::Timestamp(TimeUnit::Millisecond, _) => (times!(TimestampMillisecondType), numpy),
        DataType::Timestamp(TimeUnit::Microsecond, _) => (times!(TimestampMicrosecondType), numpy),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => (times!(TimestampNanosecondType), numpy),
        DataType::Date32 => (times!(TimestampSecondType), "<M8[s]"),
        _ => (Fill::of::<Float64Type>(float()?), "<f8"),
    })
}
