//! How many columns are looked at at once: as many as the memory holds, so that many columns are several walks over the
//! sections.

use std::ops::Range;

use super::facts::{ColumnCoverage, DateCoverage, Distribution, Jump, MonthMissing, StockCoverage, StockMonth};
use super::moments::{KEPT_JUMPS, MOMENT_LEN};
use super::months::Month;
use super::pass::{SeenColumn, SeenStock};
use super::sketch::{HISTOGRAM_LEN, MOST_LEN};
use crate::error::{Error, Result};
use crate::remedy::{Remedy, Setting};
use crate::store::Store;
use crate::workers::Workers;

/// What a worker takes whatever there is to see: a column's numbers on a date and on all of them.
const WORKER_LEN: u64 = 2 * HISTOGRAM_LEN as u64;

/// Bytes of names and types, about.
const NAMES: u64 = 64;

/// The columns of each walk, all of them in their order; none of a panel without columns, which is walked over, too.
///
/// `times` is how often what is told is held, by whoever writes it down.
///
/// # Errors
/// [`Error::Refused`] where not even one column fits; or the store is damaged.
pub(super) fn walks(store: &Store, months: &[Month], workers: &Workers, times: u64) -> Result<Vec<Range<usize>>> {
    let len = |each: usize, count: u64| (each as u64).saturating_mul(count);
    let (stocks, dates) = (store.ranks()?.len() as u64, store.dates()?.len() as u64);
    let (columns, month_count) = (store.schema()?.columns.len(), months.len() as u64);
    let years = months.chunk_by(|a, b| a.year() == b.year()).count() as u64;
    let at_once = workers.count() as u64;
    // Months of stocks that have a row.
    let cells = stocks.saturating_mul(month_count).min(store.row_count());

    let of_column = len(size_of::<MonthMissing>(), month_count)
        + len(size_of::<Distribution>(), years)
        + len(size_of::<Jump>(), KEPT_JUMPS as u64)
        + size_of::<ColumnCoverage>() as u64
        + NAMES;
    let of_stocks = len(size_of::<StockMonth>(), cells) + stocks * (size_of::<StockCoverage>() as u64 + NAMES);
    let told = of_stocks + len(size_of::<DateCoverage>(), dates) + of_column.saturating_mul(columns as u64);
    let seen = len(size_of::<(u32, SeenStock)>(), cells) + at_once * (WORKER_LEN + len(size_of::<SeenStock>(), stocks));
    let always = told.saturating_mul(times).saturating_add(seen).saturating_add(store.held_len()?);
    // A worker has a month in hand, and its year.
    let each = len(size_of::<SeenColumn>(), month_count) + len(MOMENT_LEN, dates) + 2 * at_once * MOST_LEN as u64;

    let (memory, least) = (workers.memory(), always.saturating_add(each));
    if least > memory {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        let what = format!(
            "what there is to tell of {columns} columns and {stocks} stocks in {month_count} months takes {} MiB of the \
             memory, which is {} MiB",
            mib(least),
            mib(memory)
        );
        let enough = Setting::Memory(mib(least).saturating_mul(1 << 20));
        return Err(Error::refused_unless(what, [Remedy::set(enough, "allows it")]));
    }
    let fit = usize::try_from((memory - always) / each).unwrap_or(usize::MAX).max(1);
    let starts = (0..columns.max(1)).step_by(fit);
    Ok(starts.map(|start| start..columns.min(start.saturating_add(fit))).collect())
}
