//! How many rows of each stock differ, counted by several workers at once.

use std::sync::{Mutex, PoisonError};

use crate::format::RowCounts;

/// Counts by stock number. Each task counts in some of its own, which the next one goes on with.
pub(super) struct Tallies {
    stock_count: usize,
    free: Mutex<Vec<Vec<RowCounts>>>,
}

/// Those of one task.
pub(super) type Counts = [RowCounts];

impl Tallies {
    /// None of so many stocks.
    pub(super) fn new(stock_count: usize) -> Tallies {
        Tallies { stock_count, free: Mutex::default() }
    }

    /// What `task` gives, which counts.
    pub(super) fn count<T>(&self, task: impl FnOnce(&mut Counts) -> T) -> T {
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let known = free().pop();
        let mut counts = known.unwrap_or_else(|| vec![RowCounts::default(); self.stock_count]);
        let found = task(&mut counts);
        free().push(counts);
        found
    }

    /// The counts of the stocks of which a row differs, by number.
    pub(super) fn sums(self) -> Vec<(u32, RowCounts)> {
        let parts = self.free.into_inner().unwrap_or_else(PoisonError::into_inner);
        let sum = |stock: usize| {
            let mut sum = RowCounts::default();
            parts.iter().for_each(|part| sum.add(&part[stock]));
            (stock as u32, sum)
        };
        (0..self.stock_count).map(sum).filter(|(_, rows)| *rows != RowCounts::default()).collect()
    }
}

/// Counts one more row of a stock, where `of` says.
pub(super) fn count_row(counts: &mut Counts, stock: u32, of: impl Fn(&mut RowCounts) -> &mut u64) {
    if let Some(tally) = counts.get_mut(stock as usize) {
        *of(tally) += 1;
    }
}
