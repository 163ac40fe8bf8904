//! The columns, put together from what was seen of them by month and by year.

use std::ops::Range;

use super::facts::ColumnCoverage;
use super::numbers::is_number;
use super::pass::Seen;
use super::years::Years;
use crate::error::Result;
use crate::store::Store;

/// The panel's columns that `walk` names.
pub(super) fn columns(store: &Store, walk: Range<usize>, seen: Vec<Seen>, years: Years) -> Result<Vec<ColumnCoverage>> {
    let of_walk = &store.schema()?.columns[walk.clone()];
    let owners = &store.column_sources()?[walk];
    let of_numbers = of_walk.iter().filter(|column| is_number(&column.data_type)).count();
    let mut years = years.finish(of_numbers).into_iter();
    let mut columns: Vec<ColumnCoverage> = of_walk
        .iter()
        .zip(owners)
        .map(|(column, source)| ColumnCoverage {
            name: column.name.clone(),
            data_type: column.data_type.to_string(),
            source: source.map(str::to_owned),
            nulls: 0,
            nans: 0,
            months: Vec::with_capacity(seen.len()),
            years: if is_number(&column.data_type) { years.next().unwrap_or_default() } else { Vec::new() },
            jump_count: 0,
            jumps: Vec::new(),
        })
        .collect();
    let mut moments = vec![super::moments::Moments::default(); columns.len()];
    for month in seen {
        for (at, seen) in month.columns.into_iter().enumerate() {
            columns[at].nulls += seen.missing.nulls;
            columns[at].nans += seen.missing.nans;
            columns[at].months.push(seen.missing);
            moments[at].join(seen.moments);
        }
    }
    for (column, moments) in columns.iter_mut().zip(moments) {
        (column.jump_count, column.jumps) = moments.finish();
    }
    Ok(columns)
}
