//! Rows of a source laid beside the store's.

use std::collections::BTreeMap;
use std::ops::Range;

use super::report::Kept;
use crate::key::Date;

/// What a row is of that is not compared: a code or, where files are by date, a date.
pub(super) type Owner<'c> = (&'c str, Option<Date>);

/// Neighbouring rows of the source and of the store with the same keys.
pub(super) struct Matched {
    /// Which of the store's dates.
    pub(super) date: usize,
    pub(super) ours: Range<usize>,
    pub(super) theirs: Range<usize>,
    /// Whether an append gave the store these rows, so that they stay as they are.
    pub(super) is_appended: bool,
}

/// What came of laying rows beside each other.
#[derive(Default)]
pub(super) struct Lined<'o> {
    /// How many rows are not compared, by what they are of and why.
    pub(super) kept: BTreeMap<(Owner<'o>, Option<Kept>), u64>,
    pub(super) matched: Vec<Matched>,
}

impl<'o> Lined<'o> {
    pub(super) fn count(&mut self, unit: Owner<'o>, why: Option<Kept>) {
        *self.kept.entry((unit, why)).or_default() += 1;
    }

    /// Our row and theirs have one key, on the store's date of this place.
    pub(super) fn push_matched(&mut self, index: usize, our_row: usize, their_row: usize, stays: bool) {
        match self.matched.last_mut() {
            Some(Matched { date, ours, theirs, is_appended })
                if (*date, ours.end, theirs.end, *is_appended) == (index, our_row, their_row, stays) =>
            {
                (ours.end, theirs.end) = (our_row + 1, their_row + 1);
            }
            _ => self.matched.push(Matched {
                date: index,
                ours: our_row..our_row + 1,
                theirs: their_row..their_row + 1,
                is_appended: stays,
            }),
        }
    }
}
