//! Reading the files of a stock or a date into rows in order.

pub(in crate::source) mod apart;
pub(in crate::source) mod codes;
pub(in crate::source) mod file;
pub(in crate::source) mod series;
