//! What changed between two versions, as rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, RecordBatch, StringArray, UInt64Array};
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

fn counts(counts: impl IntoIterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(counts))
}

fn joined(error: arrow_schema::ArrowError) -> transect::Error {
    transect::Error::Failed { action: "list what changed".to_owned(), source: Box::new(error) }
}

impl Diff {
    fn report(&self, observer: &dyn Observer) -> transect::Result<transect::store::DiffReport> {
        self.0.report(&Workers::new(None)?, observer)
    }

    /// What `each` makes of every date on which something changed.
    fn each(
        &self,
        observer: &dyn Observer,
        mut each: impl FnMut(transect::store::SectionDiff) -> transect::Result<()>,
    ) -> transect::Result<()> {
        observer.begin("diff", "sections", self.0.dates().len() as u64);
        for index in 0..self.0.dates().len() {
            if observer.cancelled() {
                return Err(transect::Error::Cancelled);
            }
            if let Some(section) = self.0.section(index)? {
                each(section)?;
            }
            observer.advance(1);
        }
        observer.end();
        Ok(())
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
        let rows = watched(py, progress.as_ref(), |observer| {
            let dates = self.report(observer)?.dates;
            let days = Date32Array::from_iter_values(dates.iter().map(|date| date.date.days()));
            let columns: [(&str, ArrayRef); 5] = [
                ("date", Arc::new(days)),
                ("added", counts(dates.iter().map(|date| date.added))),
                ("restated", counts(dates.iter().map(|date| date.restated))),
                ("filled", counts(dates.iter().map(|date| date.filled))),
                ("removed", counts(dates.iter().map(|date| date.removed))),
            ];
            RecordBatch::try_from_iter(columns).map_err(joined)
        });
        rows.map(Batch::from)
    }

    /// A row for each column in which something changed, or whose type did.
    fn by_column(&self, py: Python<'_>, progress: Progress) -> PyResult<Batch> {
        let rows = watched(py, progress.as_ref(), |observer| {
            let mut columns = self.report(observer)?.columns;
            columns.retain(|column| column.restated + column.filled > 0 || column.older_type != column.newer_type);
            let texts = |texts: Vec<Option<&str>>| Arc::new(StringArray::from(texts)) as ArrayRef;
            let columns: [(&str, ArrayRef); 5] = [
                ("column", texts(columns.iter().map(|column| Some(column.name.as_str())).collect())),
                ("restated", counts(columns.iter().map(|column| column.restated))),
                ("filled", counts(columns.iter().map(|column| column.filled))),
                ("older_type", texts(columns.iter().map(|column| column.older_type.as_deref()).collect())),
                ("newer_type", texts(columns.iter().map(|column| column.newer_type.as_deref()).collect())),
            ];
            RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).map_err(joined)
        });
        rows.map(Batch::from)
    }

    /// A row for each stock of which something changed, by code.
    fn by_stock(&self, py: Python<'_>, progress: Progress) -> PyResult<Batch> {
        let rows = watched(py, progress.as_ref(), |observer| {
            let mut stocks: BTreeMap<Arc<str>, [u64; 3]> = BTreeMap::new();
            self.each(observer, |section| {
                for (kind, codes) in [section.added, section.changed, section.removed].into_iter().enumerate() {
                    codes.into_iter().for_each(|code| stocks.entry(code).or_default()[kind] += 1);
                }
                Ok(())
            })?;
            let columns: [(&str, ArrayRef); 4] = [
                ("stock", Arc::new(StringArray::from_iter_values(stocks.keys()))),
                ("added", counts(stocks.values().map(|counts| counts[0]))),
                ("changed", counts(stocks.values().map(|counts| counts[1]))),
                ("removed", counts(stocks.values().map(|counts| counts[2]))),
            ];
            RecordBatch::try_from_iter(columns).map_err(joined)
        });
        rows.map(Batch::from)
    }

    /// A row for each value and each row that changed.
    fn by_row(&self, py: Python<'_>, progress: Progress) -> PyResult<Batch> {
        let rows = watched(py, progress.as_ref(), |observer| {
            let mut parts = Vec::new();
            self.each(observer, |section| {
                parts.push(self.0.rows(&section, DateType::Day)?);
                Ok(())
            })?;
            concat_batches(&self.0.rows_schema(DateType::Day)?, &parts).map_err(joined)
        });
        rows.map(Batch::from)
    }
}
