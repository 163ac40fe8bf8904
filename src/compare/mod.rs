//! Two streams of rows in one order: which rows are new or gone, and which values differ, bit for bit.

mod align;
mod groups;
mod order;
mod rows;
mod values;

pub(crate) use align::{Alignment, Marks, Pair, Reread, Rule, Unread, Wanted};
pub(crate) use groups::groups;
pub(crate) use order::KeyOrder;
pub(crate) use rows::{ColumnRows, Origin, Place, Run, within, without};
pub(crate) use values::{Turned, for_each_difference};
