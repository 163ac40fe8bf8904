//! What a version has and lacks, as rows.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int32Array, RecordBatch, StringArray, UInt64Array,
};
use pyo3::prelude::*;
use serde::Serialize;
use transect::coverage::{ColumnCoverage, DateCoverage, Distribution, Jump, StockCoverage};

use super::report::told;
use super::rows::Batch;

/// The coverage of one version.
#[pyclass(frozen, module = "transect._transect")]
pub struct Coverage(pub transect::Coverage);

/// A column of rows that are made of values.
fn of<T, R>(rows: &[T], value: impl Fn(&T) -> R) -> ArrayRef
where
    R: Values,
{
    R::array(rows.iter().map(value).collect())
}

/// What a column may hold.
trait Values: Sized {
    fn array(values: Vec<Self>) -> ArrayRef;
}

macro_rules! values {
    ($($type:ty => $array:ty),*) => {
        $(impl Values for $type {
            fn array(values: Vec<Self>) -> ArrayRef {
                Arc::new(<$array>::from_iter(values.into_iter().map(Some)))
            }
        })*
    };
}

values!(u64 => UInt64Array, bool => BooleanArray, f64 => Float64Array, i32 => Int32Array, String => StringArray);

impl Values for transect::Date {
    fn array(values: Vec<Self>) -> ArrayRef {
        Arc::new(Date32Array::from_iter_values(values.into_iter().map(transect::Date::days)))
    }
}

impl Values for Option<f64> {
    fn array(values: Vec<Self>) -> ArrayRef {
        Arc::new(Float64Array::from(values))
    }
}

impl Values for Option<String> {
    fn array(values: Vec<Self>) -> ArrayRef {
        Arc::new(StringArray::from(values))
    }
}

/// The word of a state or a kind, as reports have it.
fn word(value: impl Serialize) -> String {
    serde_json::json!(value).as_str().unwrap_or_default().to_owned()
}

fn frame<const N: usize>(columns: [(&str, ArrayRef); N]) -> PyResult<Batch> {
    let rows = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)));
    rows.map(Batch::from).map_err(|error| pyo3::exceptions::PyRuntimeError::new_err(error.to_string()))
}

#[pymethods]
impl Coverage {
    /// All of it, as a report.
    fn report(&self) -> String {
        told(&self.0)
    }

    /// A row for each date.
    fn by_date(&self) -> PyResult<Batch> {
        let dates = &self.0.dates;
        let count = |count: fn(&DateCoverage) -> u32| of(dates, |date| u64::from(count(date)));
        frame([
            ("date", of(dates, |date| date.date)),
            ("rows", of(dates, |date| date.rows)),
            ("stocks", count(|date| date.stocks)),
            ("first", count(|date| date.first)),
            ("last", count(|date| date.last)),
            ("absent", count(|date| date.absent)),
            ("unusual", of(dates, |date| date.unusual)),
        ])
    }

    /// A row for each stock.
    fn by_stock(&self) -> PyResult<Batch> {
        let stocks: &[StockCoverage] = &self.0.stocks;
        frame([
            ("stock", of(stocks, |stock| stock.code.clone())),
            ("first", of(stocks, |stock| stock.first)),
            ("last", of(stocks, |stock| stock.last)),
            ("rows", of(stocks, |stock| stock.rows)),
            ("dates", of(stocks, |stock| u64::from(stock.dates))),
            ("holes", of(stocks, |stock| u64::from(stock.holes))),
            ("state", of(stocks, |stock| word(stock.state))),
        ])
    }

    /// A row for each column.
    fn by_column(&self) -> PyResult<Batch> {
        let columns: &[ColumnCoverage] = &self.0.columns;
        frame([
            ("column", of(columns, |column| column.name.clone())),
            ("type", of(columns, |column| column.data_type.clone())),
            ("source", of(columns, |column| column.source.clone())),
            ("nulls", of(columns, |column| column.nulls)),
            ("nans", of(columns, |column| column.nans)),
            ("jumps", of(columns, |column| column.jump_count)),
        ])
    }

    /// A row for each column and month.
    fn by_month(&self) -> PyResult<Batch> {
        let months = &self.0.months;
        let all = |column: &'_ ColumnCoverage| {
            let lacks = column.months.iter().zip(months);
            lacks
                .map(|(lacks, month)| (column.name.clone(), month.month as i32, month.rows, *lacks))
                .collect::<Vec<_>>()
        };
        let rows: Vec<_> = self.0.columns.iter().flat_map(all).collect();
        frame([
            ("column", of(&rows, |row| row.0.clone())),
            ("month", of(&rows, |row| row.1)),
            ("rows", of(&rows, |row| row.2)),
            ("nulls", of(&rows, |row| row.3.nulls)),
            ("nans", of(&rows, |row| row.3.nans)),
        ])
    }

    /// A row for each column and year: how its numbers are distributed.
    fn by_year(&self) -> PyResult<Batch> {
        let all = |column: &'_ ColumnCoverage| {
            column.years.iter().map(|year| (column.name.clone(), year.clone())).collect::<Vec<_>>()
        };
        let rows: Vec<(String, Distribution)> = self.0.columns.iter().flat_map(all).collect();
        let quantile = |at: usize| of(&rows, move |(_, year)| year.quantiles.map(|all| all[at]));
        frame([
            ("column", of(&rows, |row| row.0.clone())),
            ("year", of(&rows, |row| row.1.year)),
            ("rows", of(&rows, |row| row.1.rows)),
            ("nulls", of(&rows, |row| row.1.nulls)),
            ("nans", of(&rows, |row| row.1.nans)),
            ("infinities", of(&rows, |row| row.1.infinities)),
            ("zeros", of(&rows, |row| row.1.zeros)),
            ("values", of(&rows, |row| row.1.values)),
            ("least", of(&rows, |row| row.1.least)),
            ("1%", quantile(0)),
            ("5%", quantile(1)),
            ("25%", quantile(2)),
            ("50%", quantile(3)),
            ("75%", quantile(4)),
            ("95%", quantile(5)),
            ("99%", quantile(6)),
            ("greatest", of(&rows, |row| row.1.greatest)),
        ])
    }

    /// A row for each jump: the newest hundred of each column.
    fn by_jump(&self) -> PyResult<Batch> {
        let all = |column: &'_ ColumnCoverage| {
            column.jumps.iter().map(|jump| (column.name.clone(), *jump)).collect::<Vec<_>>()
        };
        let rows: Vec<(String, Jump)> = self.0.columns.iter().flat_map(all).collect();
        frame([
            ("column", of(&rows, |row| row.0.clone())),
            ("date", of(&rows, |row| row.1.date)),
            ("kind", of(&rows, |row| word(row.1.kind))),
            ("before", of(&rows, |row| row.1.before)),
            ("after", of(&rows, |row| row.1.after)),
        ])
    }
}
