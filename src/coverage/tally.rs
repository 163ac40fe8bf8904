//! What one column has on some dates: counts, extremes, and the histogram of its numbers.

use super::numbers::Takes;
use super::sketch::{Histogram, Sketch, bucket};

/// Counts of one column's rows. Those of several dates can be added.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) rows: u64,
    pub(super) nulls: u64,
    pub(super) nans: u64,
    pub(super) infinities: u64,
    pub(super) zeros: u64,
    /// Finite numbers, zeros among them.
    pub(super) values: u64,
    /// The least and the greatest of these.
    pub(super) ends: Option<(f64, f64)>,
}

impl Counts {
    pub(super) fn add(&mut self, other: &Counts) {
        self.rows += other.rows;
        self.nulls += other.nulls;
        self.nans += other.nans;
        self.infinities += other.infinities;
        self.zeros += other.zeros;
        self.values += other.values;
        if let Some((least, greatest)) = other.ends {
            self.reach(least);
            self.reach(greatest);
        }
    }

    fn reach(&mut self, value: f64) {
        let (least, greatest) = self.ends.unwrap_or((value, value));
        self.ends = Some((least.min(value), greatest.max(value)));
    }
}

/// A worker's room for the numbers of one column.
pub(super) struct Tally {
    /// Of the date at hand.
    counts: Counts,
    least: f64,
    greatest: f64,
    day: Histogram,
    /// Of all dates since it was emptied.
    all: Histogram,
}

impl Tally {
    pub(super) fn new() -> Tally {
        Tally {
            counts: Counts::default(),
            least: f64::INFINITY,
            greatest: f64::NEG_INFINITY,
            day: Histogram::new(),
            all: Histogram::new(),
        }
    }

    /// Takes in so many rows, of which these are null.
    pub(super) fn rows(&mut self, rows: u64, nulls: u64) {
        self.counts.rows += rows;
        self.counts.nulls += nulls;
    }

    /// Ends a date: its counts, and the median of its absolute values, `None` where that is zero or there is no value.
    pub(super) fn end_date(&mut self) -> (Counts, Option<f64>) {
        let mut counts = std::mem::take(&mut self.counts);
        if self.least <= self.greatest {
            counts.reach(self.least);
            counts.reach(self.greatest);
        }
        (self.least, self.greatest) = (f64::INFINITY, f64::NEG_INFINITY);
        let median = self.day.median_magnitude(counts.zeros);
        self.day.drain_into(&mut self.all);
        (counts, median)
    }

    /// Moves what it has of all dates to `sketch`.
    pub(super) fn drain_into(&mut self, sketch: &mut Sketch) {
        self.all.drain_into_sketch(sketch);
    }
}

impl Takes for Tally {
    #[inline]
    fn take(&mut self, value: f64) {
        if !value.is_finite() {
            let count = if value.is_nan() { &mut self.counts.nans } else { &mut self.counts.infinities };
            *count += 1;
            return;
        }
        self.counts.values += 1;
        // A zero without its sign: which of two is least would depend on the order in which they come.
        let value = value + 0.0;
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
        if value == 0.0 {
            self.counts.zeros += 1;
        } else {
            self.day.add(bucket(value), 1);
        }
    }

    fn take_bits(&mut self, zeros: u64, ones: u64) {
        self.counts.values += zeros + ones;
        self.counts.zeros += zeros;
        if zeros > 0 {
            (self.least, self.greatest) = (self.least.min(0.0), self.greatest.max(0.0));
        }
        if ones > 0 {
            (self.least, self.greatest) = (self.least.min(1.0), self.greatest.max(1.0));
            self.day.add(bucket(1.0), u32::try_from(ones).unwrap_or(u32::MAX));
        }
    }
}
