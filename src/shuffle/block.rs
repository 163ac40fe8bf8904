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
    /// The panel's columns; `None` where the block has no value.
    pub(crate) columns: Vec<Option<BlockColumn>>,
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
