//! What a column is like on one date, and the dates on which that jumps.

use super::facts::{Jump, JumpKind};
use super::tally::Counts;
use crate::key::Date;

/// Fewer rows or values than these say nothing about a date.
const JUDGED: u64 = 20;

/// How far the median of the absolute values may move: ten times, or a tenth.
const FACTOR: f64 = 10.0;

/// By how much a share may differ.
const SHARE: f64 = 0.5;

/// Jumps of a column that are kept.
const KEPT_JUMPS: usize = 100;

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

/// A column on neighbouring dates, and where it jumps.
#[derive(Debug, Clone, Default)]
pub(super) struct Moments {
    /// Among the dates that can be judged by their rows.
    ends: Ends,
    /// Among those that can be judged by their values, too.
    value_ends: Ends,
    /// How many jumps there are, and the newest of them.
    pub(super) jump_count: u64,
    pub(super) jumps: Vec<Jump>,
}

impl Moments {
    /// Goes on to `date`, which is later than all before.
    pub(super) fn push(&mut self, date: Date, counts: &Counts, median: Option<f64>) {
        if counts.rows < JUDGED {
            return;
        }
        let share = |part: u64, of: u64| part as f64 / of as f64;
        let missing = share(counts.rows - counts.values, counts.rows);
        let values = (counts.values >= JUDGED).then(|| (share(counts.zeros, counts.values), median));
        let next = Moment { date, missing, values };
        let ends = Some((next, next));
        self.join(Moments { ends, value_ends: values.and(ends), ..Moments::default() });
    }

    /// Goes on to the dates of `later`, all of which are later.
    pub(super) fn join(&mut self, later: Moments) {
        let missing = between(self.ends, later.ends).and_then(missing);
        let moved = between(self.value_ends, later.value_ends).and_then(moved);
        let new = missing.into_iter().chain(moved);
        self.jump_count += later.jump_count + new.clone().count() as u64;
        self.jumps.extend(new.chain(later.jumps));
        self.jumps.sort_by_key(|jump| jump.date);
        self.jumps.drain(..self.jumps.len().saturating_sub(KEPT_JUMPS));
        self.ends = joined(self.ends, later.ends);
        self.value_ends = joined(self.value_ends, later.value_ends);
    }
}

/// The last moment of `before` and the first of `after`.
fn between(before: Ends, after: Ends) -> Ends {
    Some((before?.1, after?.0))
}

fn joined(before: Ends, after: Ends) -> Ends {
    match (before, after) {
        (Some((first, _)), Some((_, last))) => Some((first, last)),
        (before, after) => before.or(after),
    }
}

fn missing((before, after): (Moment, Moment)) -> Option<Jump> {
    let jump = Jump { date: after.date, kind: JumpKind::Missing, before: before.missing, after: after.missing };
    ((jump.after - jump.before).abs() > SHARE).then_some(jump)
}

fn moved((before, after): (Moment, Moment)) -> Option<Jump> {
    let jump = |kind, before, after_value| Jump { date: after.date, kind, before, after: after_value };
    let ((zeros, median), (zeros_after, median_after)) = (before.values?, after.values?);
    if (zeros_after - zeros).abs() > SHARE {
        return Some(jump(JumpKind::Zeros, zeros, zeros_after));
    }
    let (median, median_after) = (median?, median_after?);
    let has_moved = median_after >= FACTOR * median || median >= FACTOR * median_after;
    has_moved.then(|| jump(JumpKind::Scale, median, median_after))
}
