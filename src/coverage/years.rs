//! The distribution of each column by year, put together from months in whichever order they are done.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::facts::Distribution;
use super::months::Month;
use super::sketch::Sketch;
use super::tally::Counts;

/// Shares of the values below the quantiles of a [`Distribution`], in percent.
const QUANTILES: [u64; 7] = [1, 5, 25, 50, 75, 95, 99];

/// What a column of numbers has in some months.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    pub(super) counts: Counts,
    pub(super) sketch: Sketch,
}

/// All years. A year's sketches are held from its first month that is done to its last.
pub(super) struct Years(Vec<Mutex<Year>>);

struct Year {
    year: i32,
    months_left: usize,
    /// By column; empty before the first month.
    numbers: Vec<Numbers>,
    /// By column, once all months are done.
    distributions: Vec<Distribution>,
}

impl Years {
    pub(super) fn new(months: &[Month]) -> Years {
        let years = months.chunk_by(|a, b| a.year() == b.year()).map(|months| Year {
            year: months[0].year(),
            months_left: months.len(),
            numbers: Vec::new(),
            distributions: Vec::new(),
        });
        Years(years.map(Mutex::new).collect())
    }

    /// Adds a month of `year`: what each column of numbers has in it.
    pub(super) fn add(&self, year: i32, month: Vec<Numbers>) {
        let Ok(at) = self.0.binary_search_by_key(&year, |known| lock(known).year) else { return };
        let mut known = lock(&self.0[at]);
        match known.numbers.is_empty() {
            true => known.numbers = month,
            false => {
                for (ours, theirs) in known.numbers.iter_mut().zip(month) {
                    ours.counts.add(&theirs.counts);
                    ours.sketch.merge(theirs.sketch);
                }
            }
        }
        known.months_left -= 1;
        if known.months_left == 0 {
            let numbers = std::mem::take(&mut known.numbers);
            known.distributions = numbers.iter().map(|numbers| distribution(year, numbers)).collect();
        }
    }

    /// By column, the years in which it has rows.
    pub(super) fn finish(self, columns: usize) -> Vec<Vec<Distribution>> {
        let mut found = vec![Vec::new(); columns];
        for year in self.0 {
            let year = year.into_inner().unwrap_or_else(PoisonError::into_inner);
            found.iter_mut().zip(year.distributions).for_each(|(years, year)| years.push(year));
        }
        found
    }
}

fn lock(year: &Mutex<Year>) -> MutexGuard<'_, Year> {
    year.lock().unwrap_or_else(PoisonError::into_inner)
}

fn distribution(year: i32, Numbers { counts, sketch }: &Numbers) -> Distribution {
    let Counts { rows, nulls, nans, infinities, zeros, values, ends } = *counts;
    let quantiles = ends.map(|(least, greatest)| {
        // Between two values in proportion, as pandas has them: of a few, the lower one may be far off.
        let hundredths = QUANTILES.map(|percent| u128::from(values - 1) * u128::from(percent));
        let lower = hundredths.map(|hundredths| (hundredths / 100) as u64);
        let upper = hundredths.map(|hundredths| hundredths.div_ceil(100) as u64);
        let at = |ranks| sketch.at_ranks(ranks, zeros).map(|value| value.clamp(least, greatest));
        let (lower, upper) = (at(lower), at(upper));
        std::array::from_fn(|n| {
            let share = (hundredths[n] % 100) as f64 / 100.0;
            lower[n] * (1.0 - share) + upper[n] * share
        })
    });
    let (least, greatest) = ends.unzip();
    Distribution { year, rows, nulls, nans, infinities, zeros, values, least, greatest, quantiles }
}
