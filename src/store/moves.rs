//! How far restated numbers moved, and which of all moved furthest.

use std::cmp::Ordering;
use std::sync::{Mutex, PoisonError};

use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, cast::AsArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::key::Date;

/// The largest share that is told, so that it is a number in percent, too.
const LARGEST: f64 = f64::MAX / 1000.0;

/// A restated number. Of two, that moved further whose difference is the larger share of the smaller of its two values;
/// to and from zero counts as a share of one. Infinities and NaNs have no place in that.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Move {
    /// The date.
    pub date: Date,
    /// The stock's code.
    pub stock: String,
    /// The values of the further key columns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// The column.
    pub column: String,
    /// The value in the older version, in words that lose nothing.
    pub old: String,
    /// The value in the newer version.
    pub new: String,
    /// The difference as a share of the old value's size; `None` where that is zero.
    pub relative: Option<f64>,
}

/// A column's restated values that are not finite numbers both times: texts, say, or from or to null, NaN or an infinity.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Turn {
    /// How many there are.
    pub values: u64,
    /// The first of them.
    #[serde(flatten)]
    pub first: Move,
}

/// How far a number moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    /// By which moves are ordered; 0 for none.
    pub(super) size: f64,
    pub(super) relative: Option<f64>,
    /// Whether it is a finite number both times.
    pub(super) is_of_numbers: bool,
}

impl Size {
    /// Of what is no number.
    pub(super) const NONE: Size = Size { size: 0.0, relative: None, is_of_numbers: false };
}

/// A move that may be one of the largest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) size: Size,
    /// Of two moves of one size, the first in this order counts: date, place of the code, row, column.
    pub(super) at: (Date, u32, u32, usize),
    /// Its place among the rows that are compared.
    pub(super) place: usize,
}

impl Candidate {
    fn order(&self, other: &Candidate) -> Ordering {
        other.size.size.total_cmp(&self.size.size).then_with(|| self.at.cmp(&other.at))
    }
}

/// The largest moves so far. Which these are in the end does not depend on the order in which they come.
pub(super) struct Largest {
    most: usize,
    found: Mutex<Vec<(Candidate, Move)>>,
}

impl Largest {
    /// Of so many at most.
    pub(super) fn new(most: usize) -> Largest {
        Largest { most, found: Mutex::new(Vec::new()) }
    }

    /// What moved less than this need not be offered; `None` where nothing need be.
    pub(super) fn least(&self) -> Option<f64> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let last = found.last().filter(|_| found.len() == self.most);
        (self.most > 0).then(|| last.map_or(0.0, |(last, _)| last.size.size))
    }

    /// Adds some; `tell` puts one into words, where it is wanted.
    ///
    /// # Errors
    /// As `tell` has them.
    pub(super) fn offer(&self, mut some: Vec<Candidate>, tell: impl Fn(&Candidate) -> Result<Move>) -> Result<()> {
        some.sort_unstable_by(Candidate::order);
        for candidate in some.iter().take(self.most) {
            let is_larger = |found: &[(Candidate, Move)]| {
                found.len() < self.most || found.last().is_some_and(|(last, _)| candidate.order(last).is_lt())
            };
            if !is_larger(&self.found.lock().unwrap_or_else(PoisonError::into_inner)) {
                break;
            }
            let told = tell(candidate)?;
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            let at = found.partition_point(|(known, _)| known.order(candidate).is_lt());
            found.insert(at, (*candidate, told));
            found.truncate(self.most);
        }
        Ok(())
    }

    /// The largest, the largest first.
    pub(super) fn into_moves(self) -> Vec<Move> {
        let found = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.into_iter().map(|(_, told)| told).collect()
    }
}

/// How far each of these numbers moved.
///
/// # Errors
/// When Arrow refuses.
pub(super) fn sizes(old: &ArrayRef, new: &ArrayRef) -> Result<Vec<Size>> {
    let doubles = |array: &ArrayRef| cast(array, &DataType::Float64).map_err(Error::failed("compare numbers"));
    let (old, new) = (doubles(old)?, doubles(new)?);
    let (old, new) = (old.as_primitive::<Float64Type>(), new.as_primitive::<Float64Type>());
    let sizes = (0..old.len()).map(|row| match old.is_valid(row) && new.is_valid(row) {
        true => size(old.value(row), new.value(row)),
        false => Size::NONE,
    });
    Ok(sizes.collect())
}

fn size(old: f64, new: f64) -> Size {
    if !old.is_finite() || !new.is_finite() {
        return Size::NONE;
    }
    // Zeros of two signs, and what only a wider type tells apart.
    if old == new {
        return Size { is_of_numbers: true, ..Size::NONE };
    }
    // The difference of two numbers near the end of all may be none.
    let share = |of: f64| {
        let share = if (new - old).is_finite() { (new - old) / of } else { new / of - old / of };
        share.clamp(-LARGEST, LARGEST)
    };
    let smaller = old.abs().min(new.abs());
    let size = if smaller == 0.0 { 1.0 } else { share(smaller).abs() };
    Size { size, relative: (old != 0.0).then(|| share(old.abs())), is_of_numbers: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_a_hundredth_moves_as_far_as_what_becomes_a_hundredfold() {
        let moves = |old, new| size(old, new).size;
        assert_eq!(moves(1.0, 100.0), 99.0);
        assert_eq!(moves(100.0, 1.0), 99.0);
        assert_eq!(moves(1.0, -1.0), 2.0);
        assert_eq!((moves(0.0, 5.0), moves(5.0, 0.0)), (1.0, 1.0));
        let none = [(0.0, -0.0), (f64::NAN, 1.0), (1.0, f64::INFINITY), (2.0, 2.0)];
        assert!(none.iter().all(|&(old, new)| moves(old, new) == 0.0));
        assert_eq!((moves(1e-300, 1e300), moves(1e308, -1e308)), (LARGEST, 2.0));
    }

    #[test]
    fn a_share_is_one_of_the_old_value() {
        let share = |old, new| size(old, new).relative;
        assert_eq!((share(2.0, 2.5), share(-2.0, -3.0), share(100.0, 1.0)), (Some(0.25), Some(-0.5), Some(-0.99)));
        assert_eq!(share(0.0, 1.0), None);
    }

    #[test]
    fn the_largest_are_the_same_in_any_order() {
        let candidate = |size: f64, row: u32| Candidate {
            size: Size { size, ..Size::NONE },
            at: (Date::from_days(0).unwrap(), 0, row, 0),
            place: 0,
        };
        let told = |candidate: &Candidate| {
            let (stock, column) = (candidate.at.2.to_string(), String::new());
            let (old, new) = (String::new(), String::new());
            Ok(Move { date: candidate.at.0, stock, key: Vec::new(), column, old, new, relative: None })
        };
        let all: Vec<Candidate> = (0..40).map(|row| candidate(f64::from(row % 7), row)).collect();
        let rows = |runs: Vec<Vec<Candidate>>| {
            let largest = Largest::new(5);
            runs.into_iter().for_each(|run| largest.offer(run, told).unwrap());
            largest.into_moves().into_iter().map(|told| told.stock).collect::<Vec<_>>()
        };
        let backwards = all.iter().rev().map(|candidate| vec![*candidate]).collect();
        assert_eq!(rows(vec![all]), ["6", "13", "20", "27", "34"]);
        assert_eq!(rows(backwards), ["6", "13", "20", "27", "34"]);
    }
}
