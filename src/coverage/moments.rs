//! What a column is like on one date, and the dates on which that jumps.

use super::facts::{Jump, JumpKind};
use super::tally::Counts;
use crate::key::Date;

/// Dates on which so many stocks have a row, and a value, are judged by themselves: chance moves them little.
const MANY: u64 = 20;

/// Fewer say nothing about a date. From these to [`MANY`], a jump must also be [`FAR`] beyond what is usual of the column.
const FEW: u64 = 5;

/// How many times as far as all moves of the column but the largest: a twentieth of them, and four at least, which is
/// what two bad dates make.
const FAR: f64 = 3.0;
const LARGEST: usize = 20;
const LEAST_LARGEST: usize = 4;

/// How far the median of the absolute values may move: ten times, or a tenth.
const FACTOR: f64 = 10.0;

/// By how much a share may differ.
const SHARE: f64 = 0.5;

/// Jumps of a column that are kept.
pub(super) const KEPT_JUMPS: usize = 100;

/// Bytes that a column takes for a date, at most: of few rows, or one on which it jumps twice.
pub(super) const MOMENT_LEN: usize =
    if size_of::<Moment>() > 2 * size_of::<Jump>() { size_of::<Moment>() } else { 2 * size_of::<Jump>() };

/// A column on one date.
#[derive(Debug, Clone, Copy)]
struct Moment {
    date: Date,
    missing: f64,
    /// Of dates with enough values: the share of zeros, and the median of the absolute values unless that is zero.
    values: Option<(f64, Option<f64>)>,
}

/// The first and the last of some moments.
type Ends = Option<(Moment, Moment)>;

/// From one date to the next.
type Move = (Moment, Moment);

/// A column on neighbouring dates, and where it jumps.
#[derive(Debug, Clone, Default)]
pub(super) struct Moments {
    /// Among the dates that can be judged by their stocks.
    ends: Ends,
    /// Among those that can be judged by their values, too.
    value_ends: Ends,
    /// How many jumps there are between these, and the newest of them.
    jump_count: u64,
    jumps: Vec<Jump>,
    /// The dates that have few stocks.
    few: Vec<Moment>,
}

/// From where on a move is a jump.
#[derive(Debug, Clone, Copy)]
struct Least {
    missing: f64,
    zeros: f64,
    factor: f64,
}

const LEAST: Least = Least { missing: SHARE, zeros: SHARE, factor: FACTOR };

impl Moments {
    /// Goes on to `date`, which is later than all before, and on which so many stocks have a row. Rows are no measure:
    /// three stocks have a thousand, of minutes.
    pub(super) fn push(&mut self, date: Date, stocks: u32, counts: &Counts, median: Option<f64>) {
        let stocks = u64::from(stocks);
        if stocks < FEW {
            return;
        }
        let is_few = stocks < MANY;
        let share = |part: u64, of: u64| part as f64 / of as f64;
        let missing = share(counts.rows - counts.values, counts.rows);
        // As many stocks have values as there are values to one row of each.
        let with_values = u128::from(counts.values) * u128::from(stocks) / u128::from(counts.rows);
        let has_values = with_values >= u128::from(if is_few { FEW } else { MANY });
        let values = has_values.then(|| (share(counts.zeros, counts.values), median));
        let next = Moment { date, missing, values };
        if is_few {
            self.few.push(next);
        } else {
            let ends = Some((next, next));
            self.join(Moments { ends, value_ends: values.and(ends), ..Moments::default() });
        }
    }

    /// Goes on to the dates of `later`, all of which are later.
    pub(super) fn join(&mut self, later: Moments) {
        let missing = between(self.ends, later.ends).and_then(|step| missing(step, LEAST));
        let moved = between(self.value_ends, later.value_ends).and_then(|step| moved(step, LEAST));
        let new = missing.into_iter().chain(moved);
        self.jump_count += later.jump_count + new.clone().count() as u64;
        self.jumps.extend(new.chain(later.jumps));
        self.keep_newest();
        self.ends = joined(self.ends, later.ends);
        self.value_ends = joined(self.value_ends, later.value_ends);
        self.few.extend(later.few);
    }

    /// How many jumps there are, and the newest of them; of all dates of the panel.
    pub(super) fn finish(mut self) -> (u64, Vec<Jump>) {
        let few = among_few(&self.few);
        self.jump_count += few.len() as u64;
        self.jumps.extend(few);
        self.keep_newest();
        (self.jump_count, self.jumps)
    }

    fn keep_newest(&mut self) {
        self.jumps.sort_by_key(|jump| jump.date);
        self.jumps.drain(..self.jumps.len().saturating_sub(KEPT_JUMPS));
    }
}

/// The jumps between neighbours of `dates`, which have few stocks.
fn among_few(dates: &[Moment]) -> Vec<Jump> {
    let with_values: Vec<Moment> = dates.iter().copied().filter(|date| date.values.is_some()).collect();
    let (all, valued) = (neighbours(dates), neighbours(&with_values));
    let far = |moves: Vec<f64>| FAR * usual(moves);
    let zeros = |&(before, after): &Move| Some((after.values?.0 - before.values?.0).abs());
    let scale = |&(before, after): &Move| Some((after.values?.1? / before.values?.1?).ln().abs());
    let least = Least {
        missing: SHARE.max(far(all.iter().map(|(before, after)| (after.missing - before.missing).abs()).collect())),
        zeros: SHARE.max(far(valued.iter().filter_map(zeros).collect())),
        factor: FACTOR.max(far(valued.iter().filter_map(scale).collect()).exp()),
    };
    let missing = all.into_iter().filter_map(|step| missing(step, least));
    missing.chain(valued.into_iter().filter_map(|step| moved(step, least))).collect()
}

fn neighbours(dates: &[Moment]) -> Vec<Move> {
    dates.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

/// The largest of `moves` that is usual; without bound where there are too few to tell.
fn usual(mut moves: Vec<f64>) -> f64 {
    let unusual = LEAST_LARGEST.max(moves.len() / LARGEST);
    moves.sort_unstable_by(f64::total_cmp);
    moves.iter().rev().nth(unusual).copied().unwrap_or(f64::INFINITY)
}

/// The last moment of `before` and the first of `after`.
fn between(before: Ends, after: Ends) -> Option<Move> {
    Some((before?.1, after?.0))
}

fn joined(before: Ends, after: Ends) -> Ends {
    match (before, after) {
        (Some((first, _)), Some((_, last))) => Some((first, last)),
        (before, after) => before.or(after),
    }
}

fn missing((before, after): Move, least: Least) -> Option<Jump> {
    let jump = Jump { date: after.date, kind: JumpKind::Missing, before: before.missing, after: after.missing };
    ((jump.after - jump.before).abs() > least.missing).then_some(jump)
}

fn moved((before, after): Move, least: Least) -> Option<Jump> {
    let jump = |kind, before, after_value| Jump { date: after.date, kind, before, after: after_value };
    let ((zeros, median), (zeros_after, median_after)) = (before.values?, after.values?);
    if (zeros_after - zeros).abs() > least.zeros {
        return Some(jump(JumpKind::Zeros, zeros, zeros_after));
    }
    let (median, median_after) = (median?, median_after?);
    let has_moved = median_after >= least.factor * median || median >= least.factor * median_after;
    has_moved.then(|| jump(JumpKind::Scale, median, median_after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twentieth_of_all_moves_is_unusual_and_four_at_least() {
        let largest = |count: u32| usual((1..=count).map(f64::from).collect());
        assert_eq!([4, 5, 60, 200].map(largest), [f64::INFINITY, 1.0, 56.0, 190.0]);
    }
}
