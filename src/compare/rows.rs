//! Rows of one date, wherever they lie: runs of their origins, and the columns of an origin as bytes.

use std::ops::Range;

use arrow_buffer::bit_util::get_bit;

use crate::codec::widened;
use crate::format::Stored;

/// Neighbouring rows of one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) origin: Origin,
    pub(crate) rows: Range<usize>,
}

/// Where a run's rows lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// In the block of this number.
    Block(usize),
    /// In the section of the version before.
    Before,
}

impl Run {
    /// Adds rows of an origin after those of `runs`, of which the last goes on where they follow on it.
    pub(crate) fn push(runs: &mut Vec<Run>, origin: Origin, rows: Range<usize>) {
        match runs.last_mut() {
            Some(last) if last.origin == origin && last.rows.end == rows.start => last.rows.end = rows.end,
            _ if rows.is_empty() => {}
            _ => runs.push(Run { origin, rows }),
        }
    }
}

/// A place among the rows of runs.
pub(crate) struct Place<'r> {
    runs: &'r [Run],
    /// Rows of the first of them that were passed.
    passed: usize,
}

impl<'r> Place<'r> {
    /// Before all rows.
    pub(crate) fn first(runs: &'r [Run]) -> Place<'r> {
        Place { runs, passed: 0 }
    }

    /// The rows of one origin that come next.
    pub(crate) fn next(&self) -> Option<Run> {
        let Run { origin, rows } = self.runs.first()?;
        Some(Run { origin: *origin, rows: rows.start + self.passed..rows.end })
    }

    /// Passes so many rows.
    pub(crate) fn pass(&mut self, count: usize) {
        self.passed += count;
        while let Some((first, others)) = self.runs.split_first()
            && self.passed >= first.rows.len()
        {
            self.passed -= first.rows.len();
            self.runs = others;
        }
    }
}

/// The rows of `all` that are not among `some` of them, both in one order.
pub(crate) fn without(all: &[Run], some: &[Run]) -> Vec<Run> {
    let mut left = Vec::new();
    let mut some = Place::first(some);
    for Run { origin, rows } in all {
        let mut start = rows.start;
        while let Some(next) = some.next().filter(|next| next.origin == *origin && rows.contains(&next.rows.start)) {
            Run::push(&mut left, *origin, start..next.rows.start);
            start = next.rows.end.min(rows.end);
            some.pass(start - next.rows.start);
        }
        Run::push(&mut left, *origin, start..rows.end);
    }
    left
}

/// The part of `runs` with these rows, counted from the first run's first.
pub(crate) fn within(runs: &[Run], rows: Range<usize>) -> Vec<Run> {
    let mut start = 0;
    let part = |run: &Run| {
        let before = start;
        start += run.rows.len();
        let (from, to) = (rows.start.max(before), rows.end.min(start));
        (from < to)
            .then(|| Run { origin: run.origin, rows: run.rows.start + from - before..run.rows.start + to - before })
    };
    runs.iter().filter_map(part).collect()
}

/// One column of all rows of an origin, as bytes.
#[derive(Clone, Copy)]
pub(crate) struct ColumnRows<'a> {
    pub(crate) stored: Stored,
    pub(crate) values: &'a [u8],
    /// One bit a row; `None` when all rows have a value.
    pub(crate) validity: Option<&'a [u8]>,
    /// For codes that are the origin's own, the store's code of each.
    pub(crate) codes: Option<&'a [u32]>,
}

impl ColumnRows<'_> {
    /// Whether the row has a value.
    pub(crate) fn is_valid(&self, row: usize) -> bool {
        self.validity.is_none_or(|bits| get_bit(bits, row))
    }

    /// The integers of these rows.
    pub(crate) fn integers(&self, rows: Range<usize>, signed: bool) -> Vec<i64> {
        match self.stored {
            Stored::Bits => rows.map(|row| i64::from(get_bit(self.values, row))).collect(),
            stored => {
                let width = stored.byte_len(1) as usize;
                widened(&self.values[rows.start * width..rows.end * width], stored, signed)
            }
        }
    }
}
