//! A difference in numbers as rows: one a date, a stock or a column.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, RecordBatch, StringArray, UInt64Array};
use arrow_cast::cast;
use arrow_schema::ArrowError;

use super::changes::plain;
use super::diff::Diff;
use super::differences::{DateChange, DiffReport};
use super::request::DateType;
use crate::error::{Error, Result};

fn failed(error: ArrowError) -> Error {
    Error::failed("list what changed")(error)
}

fn counts<T>(of: &[T], count: impl Fn(&T) -> u64) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(of.iter().map(count)))
}

fn texts<'t, T>(of: &'t [T], text: impl Fn(&'t T) -> Option<&'t str>) -> ArrayRef {
    Arc::new(of.iter().map(text).collect::<StringArray>())
}

fn rows<const N: usize>(columns: [(&str, ArrayRef); N]) -> Result<RecordBatch> {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).map_err(failed)
}

impl Diff {
    /// A row for each date of `report`, which is of this difference, on which anything differs; values that are gone with
    /// their column count for no row.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn by_date(&self, report: &DiffReport, date: DateType) -> Result<RecordBatch> {
        let mut told = report.dates.iter().peekable();
        let dates: Vec<DateChange> = report
            .dirty_dates
            .iter()
            .map(|&date| told.next_if(|told| told.date == date).cloned().unwrap_or_else(|| DateChange::none(date)))
            .collect();
        let (dates, days) = (dates.as_slice(), report.dirty_dates.as_slice());
        let days: ArrayRef = match date {
            DateType::Logical => {
                let days = self.newer.schema()?.date_form.array(days)?;
                cast(&days, &plain(days.data_type())).map_err(failed)?
            }
            _ => Arc::new(Date32Array::from_iter_values(days.iter().map(|date| date.days()))),
        };
        rows([
            ("date", days),
            ("added", counts(dates, |date| date.added)),
            ("restated", counts(dates, |date| date.restated)),
            ("filled", counts(dates, |date| date.filled)),
            ("removed", counts(dates, |date| date.removed)),
        ])
    }
}

impl DiffReport {
    /// A row for each stock.
    ///
    /// # Errors
    /// When Arrow refuses.
    pub fn by_stock(&self) -> Result<RecordBatch> {
        let stocks = &self.stocks;
        rows([
            ("stock", texts(stocks, |stock| Some(&stock.stock))),
            ("added", counts(stocks, |stock| stock.added)),
            ("restated", counts(stocks, |stock| stock.restated)),
            ("filled", counts(stocks, |stock| stock.filled)),
            ("removed", counts(stocks, |stock| stock.removed)),
        ])
    }

    /// A row for each column in which anything differs, or whose type does.
    ///
    /// # Errors
    /// When Arrow refuses.
    pub fn by_column(&self) -> Result<RecordBatch> {
        let columns: Vec<_> = self.columns.iter().filter(|column| column.differs()).collect();
        rows([
            ("column", texts(&columns, |column| Some(&column.name))),
            ("restated", counts(&columns, |column| column.restated)),
            ("filled", counts(&columns, |column| column.filled)),
            ("older_type", texts(&columns, |column| column.older_type.as_deref())),
            ("newer_type", texts(&columns, |column| column.newer_type.as_deref())),
        ])
    }
}
