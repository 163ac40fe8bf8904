//! What changed between two versions, as rows.

use arrow_select::concat::concat_batches;
use pyo3::prelude::*;
use serde_json::json;
use transect::progress::Observer;
use transect::store::DateType;
use transect::workers::Workers;

use super::rows::Batch;
use super::watch::watched;

/// The difference between two versions.
#[pyclass(frozen, module = "transect._transect")]
pub struct Diff(pub transect::store::Diff);

type Progress = Option<Py<PyAny>>;

impl Diff {
    fn report(&self, observer: &dyn Observer) -> transect::Result<transect::store::DiffReport> {
        self.0.report(&Workers::new(None)?, observer)
    }

    fn counts(&self, observer: &dyn Observer) -> transect::Result<transect::store::DiffReport> {
        self.0.counts(&Workers::new(None)?, observer)
    }
}

#[pymethods]
impl Diff {
    /// All of it in numbers.
    fn numbers(&self, py: Python<'_>, progress: Progress) -> PyResult<String> {
        Ok(json!(watched(py, progress.as_ref(), |observer| self.report(observer))?).to_string())
    }

    /// A row for each date on which something changed.
    fn by_date(&self, py: Python<'_>, progress: Progress) -> PyResult<Batch> {
        let rows = |observer: &dyn Observer| self.0.by_date(&self.counts(observer)?, DateType::Day);
        watched(py, progress.as_ref(), rows).map(Batch::from)
    }

    /// A row for each column in which something changed, or whose type did.
    fn by_column(&self, py: Python<'_>, progress: Progress) -> PyResult<Batch> {
        watched(py, progress.as_ref(), |observer| self.counts(observer)?.by_column()).map(Batch::from)
    }

    /// A row for each stock of which something changed, by code.
    fn by_stock(&self, py: Python<'_>, progress: Progress) -> PyResult<Batch> {
        watched(py, progress.as_ref(), |observer| self.counts(observer)?.by_stock()).map(Batch::from)
    }

    /// A row for each value and each row that changed.
    fn by_row(&self, py: Python<'_>, progress: Progress) -> PyResult<Batch> {
        let rows = watched(py, progress.as_ref(), |observer| {
            let mut parts = Vec::new();
            observer.begin("diff", "sections", self.0.dates().len() as u64);
            for index in 0..self.0.dates().len() {
                if observer.cancelled() {
                    return Err(transect::Error::Cancelled);
                }
                if let Some(section) = self.0.section(index)? {
                    parts.push(self.0.rows(&section, DateType::Day)?);
                }
                observer.advance(1);
            }
            observer.end();
            let failed =
                |error| transect::Error::Failed { action: "list what changed".to_owned(), source: Box::new(error) };
            concat_batches(&self.0.rows_schema(DateType::Day)?, &parts).map_err(failed)
        });
        rows.map(Batch::from)
    }
}
