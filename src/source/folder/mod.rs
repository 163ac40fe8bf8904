//! The files below a source's directory: found, compared with those that are known, and what else lies there.

pub(in crate::source) mod advice;
pub(in crate::source) mod beside;
pub(in crate::source) mod discover;
pub(in crate::source) mod meeting;
pub(in crate::source) mod scan;
