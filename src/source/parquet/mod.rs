//! Parquet files: what their footers declare and mean, and their pages, checked before the `parquet` crate decodes them.

pub(in crate::source) mod chunks;
pub(in crate::source) mod constant;
pub(in crate::source) mod contents;
pub(in crate::source) mod declared;
pub(in crate::source) mod decode;
pub(in crate::source) mod delta;
pub(in crate::source) mod direct;
pub(in crate::source) mod encrypted;
pub(in crate::source) mod footer;
pub(in crate::source) mod inflate;
pub(in crate::source) mod instants;
pub(in crate::source) mod meaning;
pub(in crate::source) mod nulls;
pub(in crate::source) mod outline;
pub(in crate::source) mod pages;
pub(in crate::source) mod runs;
pub(in crate::source) mod settle;
pub(in crate::source) mod thrift;
