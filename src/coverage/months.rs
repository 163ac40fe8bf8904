//! The panel's dates by calendar month, in which the pass works.

use std::ops::Range;

use crate::key::Date;

/// The dates of one calendar month, as places among those of the store.
#[derive(Debug, Clone)]
pub(super) struct Month {
    /// Such as 202401.
    pub(super) number: u32,
    pub(super) places: Range<usize>,
}

impl Month {
    pub(super) fn year(&self) -> i32 {
        (self.number / 100) as i32
    }
}

/// The months of `dates`, which ascend.
pub(super) fn months(dates: &[Date]) -> Vec<Month> {
    let number = |date: &Date| (date.yyyymmdd() / 100) as u32;
    let mut start = 0;
    let months = dates.chunk_by(|a, b| number(a) == number(b)).map(|dates| {
        let places = start..start + dates.len();
        start = places.end;
        Month { number: number(&dates[0]), places }
    });
    months.collect()
}
