//! How many rows of each stock differ, counted by several workers at once.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::format::RowCounts;

/// Counts by stock number.
pub(super) struct Tallies(Vec<Tally>);

/// Those of one stock.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) added: AtomicU64,
    pub(super) restated: AtomicU64,
    pub(super) filled: AtomicU64,
    pub(super) removed: AtomicU64,
}

impl Tallies {
    /// None of so many stocks.
    pub(super) fn new(stocks: usize) -> Tallies {
        Tallies((0..stocks).map(|_| Tally::default()).collect())
    }

    /// Counts one more row of a stock, where `of` says.
    pub(super) fn add(&self, stock: u32, of: impl Fn(&Tally) -> &AtomicU64) {
        if let Some(tally) = self.0.get(stock as usize) {
            of(tally).fetch_add(1, Relaxed);
        }
    }

    /// The counts of the stocks of which a row differs, by number.
    pub(super) fn counts(self) -> Vec<(u32, RowCounts)> {
        let counts = |Tally { added, restated, filled, removed }: Tally| RowCounts {
            added: added.into_inner(),
            restated: restated.into_inner(),
            filled: filled.into_inner(),
            removed: removed.into_inner(),
        };
        let all = self.0.into_iter().map(counts).enumerate();
        all.filter(|(_, rows)| *rows != RowCounts::default()).map(|(stock, rows)| (stock as u32, rows)).collect()
    }
}
