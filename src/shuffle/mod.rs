//! From one order of rows to another within a budget: series come in by stock, and leave by date.

mod block;
mod builder;
mod gather;
mod gathering;
mod spill;

pub(crate) use block::{Block, BlockColumn, Sparse};
pub(crate) use builder::BlockBuilder;
pub(crate) use gather::{Frame, Inputs};
pub(crate) use gathering::{Gathering, PIECE_ROWS, Walk, cut, pieces, sections};
pub(crate) use spill::{BandFile, Extent, Shelf, Spill, SpillMap};
