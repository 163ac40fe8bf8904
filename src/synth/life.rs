//! When a stock trades: from its listing to its end, less the days it is suspended.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Open01};

/// Share of stocks that are listed before the panel begins.
const OLD: f64 = 0.06;
/// Share of stocks that leave before the panel ends.
const DELISTED: f64 = 0.06;
/// Share of days on which a listed stock does not trade.
const SUSPENDED: f64 = 0.02;
/// Mean number of days that a suspension lasts.
const SUSPENSION: f64 = 6.0;

/// The days on which one stock trades, as indices into the calendar, ascending. Never empty.
pub(super) struct Life {
    pub(super) days: Vec<usize>,
}

impl Life {
    /// The life of stock `index` in a calendar of `dates` days.
    ///
    /// The first stock trades every day, so that no date of a small panel is without a row. The others live for about
    /// half of the panel in the mean: 5,160 stocks by 6,552 dates come to 17 million rows.
    pub(super) fn new(index: usize, dates: usize, rng: &mut ChaCha8Rng) -> Life {
        if index == 0 {
            return Life { days: (0..dates).collect() };
        }
        let listed = listed(dates, rng);
        // Leaving a run of length m has probability 1/m; entering is set so that the share of suspended days holds.
        let leave = 1.0 / SUSPENSION;
        let enter = leave * SUSPENDED / (1.0 - SUSPENDED);
        let mut suspended = false;
        let first = listed.start;
        let days = listed.filter(|&day| {
            let change: f64 = Open01.sample(rng);
            suspended = day != first && if suspended { change >= leave } else { change < enter };
            !suspended
        });
        Life { days: days.collect() }
    }
}

/// The days from listing to the end of a stock's life; at least one.
fn listed(dates: usize, rng: &mut ChaCha8Rng) -> Range<usize> {
    let mut draw = || -> f64 { Open01.sample(rng) };
    let (old, start, delisted, share) = (draw(), draw(), draw(), draw());
    let start = if old < OLD { 0 } else { (start * 0.985 * dates as f64) as usize };
    let end =
        if delisted < DELISTED { start + ((0.15 + 0.8 * share) * (dates - start) as f64) as usize } else { dates };
    start..end.max(start + 1)
}
