//! A block: the rows of neighbouring stocks in (date, stock) order, and where they lie in the spill.

use std::sync::Arc;

use super::spill::Extent;
use crate::codec::Dictionary;
use crate::format::Stored;

/// The rows of a block on a band of dates: where its columns lie in the spill, each in (date, stock) order.
pub(crate) struct Block {
    /// The days of its dates, ascending. There are many blocks, so that these lie in the spill like the rows.
    pub(crate) days: Extent,
    /// Where each date's rows start, and the end of the last.
    pub(crate) row_starts: Extent,
    /// For each row, the number of its input, less `first_input`.
    pub(crate) inputs: Extent,
    pub(crate) first_input: u32,
    /// Those of the panel's columns of which the block has a value.
    pub(crate) columns: Sparse<BlockColumn>,
}

/// What there is of some of a panel's columns, by their places, ascending. Where each stock has columns of its own, a
/// block has few of all.
#[derive(Debug, Clone)]
pub(crate) struct Sparse<T>(Vec<(u32, T)>);

impl<T> Default for Sparse<T> {
    fn default() -> Sparse<T> {
        Sparse(Vec::new())
    }
}

impl<T> Sparse<T> {
    /// What there is of the column at `place`.
    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        // Most often there is something of each.
        let found = match self.0.get(place) {
            Some((own, value)) if *own as usize == place => return Some(value),
            _ => self.0.binary_search_by_key(&place, |(own, _)| *own as usize),
        };
        found.ok().map(|at| &self.0[at].1)
    }

    /// Adds a column behind all others.
    pub(crate) fn push(&mut self, place: usize, value: T) {
        self.0.push((place as u32, value));
    }

    /// All, each with its place.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.0.iter().map(|(place, value)| (*place as usize, value))
    }

    /// What there is of each.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }
}

impl<T> FromIterator<(usize, T)> for Sparse<T> {
    fn from_iter<I: IntoIterator<Item = (usize, T)>>(columns: I) -> Sparse<T> {
        Sparse(columns.into_iter().map(|(place, value)| (place as u32, value)).collect())
    }
}

/// One column of a block.
pub(crate) struct BlockColumn {
    /// The width of its values in the spill.
    pub(crate) stored: Stored,
    /// Its values; bits are packed.
    pub(crate) values: Extent,
    /// Its validity bits; `None` when it has no nulls.
    pub(crate) validity: Option<Extent>,
    /// For codes, what they stand for in this block, on every band.
    pub(crate) dictionary: Option<Arc<Dictionary>>,
}
