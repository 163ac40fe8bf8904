//! What an input file is, whatever its format: the columns that it says it has, the parts that these play, and how they
//! are decoded.

pub(in crate::source) mod fields;
pub(in crate::source) mod formats;
pub(in crate::source) mod interner;
pub(in crate::source) mod parts;
mod refusals;
pub(in crate::source) mod schema;
