//! The dates of rows: how they are spelt, on whose clocks, and on which trading date a row is.

pub(in crate::source) mod calendar;
pub(in crate::source) mod clock;
pub(in crate::source) mod column;
pub(in crate::source) mod format;
mod month;
pub(in crate::source) mod rules;
mod seen;
pub(in crate::source) mod spelling;
pub(in crate::source) mod text;
pub(in crate::source) mod times;
pub(in crate::source) mod trading;
