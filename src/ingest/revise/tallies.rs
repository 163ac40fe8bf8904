//! How many rows of each stock differ, counted by several workers at once.

use std::sync::{Mutex, PoisonError};

use crate::format::RowCounts;

/// Counts by stock number. Each task counts in some of its own, which the next one goes on with.
pub(super) struct Tallies {
    stock_count: usize,
    free: Mutex<Vec<Vec<Tally>>>,
}

/// Those of one task.
pub(super) type Counts = [Tally];

/// Those of one stock, which has no more rows than 32 bits count.
#[derive(Clone, Default)]
pub(super) struct Tally {
    pub(super) added: u32,
    pub(super) restated: u32,
    pub(super) filled: u32,
    pub(super) removed: u32,
}

impl Tallies {
    /// None of so many stocks.
    pub(super) fn new(stock_count: usize) -> Tallies {
        Tallies { stock_count, free: Mutex::default() }
    }

    /// What `task` gives, which counts.
    pub(super) fn count<T>(&self, task: impl FnOnce(&mut Counts) -> T) -> T {
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let known = free().pop();
        let mut counts = known.unwrap_or_else(|| vec![Tally::default(); self.stock_count]);
        let found = task(&mut counts);
        free().push(counts);
        found
    }

    /// The counts of the stocks of which a row differs, by number.
    pub(super) fn sums(self) -> Vec<(u32, RowCounts)> {
        let parts = self.free.into_inner().unwrap_or_else(PoisonError::into_inner);
        let sum = |stock: usize| {
            let mut sum = RowCounts::default();
            for Tally { added, restated, filled, removed } in parts.iter().map(|part| &part[stock]) {
                sum.added += u64::from(*added);
                sum.restated += u64::from(*restated);
                sum.filled += u64::from(*filled);
                sum.removed += u64::from(*removed);
            }
            (stock as u32, sum)
        };
        (0..self.stock_count).map(sum).filter(|(_, rows)| *rows != RowCounts::default()).collect()
    }
}

/// Counts one more row of a stock, where `of` says.
pub(super) fn count_row(counts: &mut Counts, stock: u32, of: impl Fn(&mut Tally) -> &mut u32) {
    if let Some(tally) = counts.get_mut(stock as usize) {
        *of(tally) += 1;
    }
}
