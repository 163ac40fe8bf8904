//! The files below a source's directory: found, compared with those that are known, and what else lies there.

pub(in crate::source) mod advice;
pub(in crate::source) mod beside;
pub(in crate::source) mod discover;
pub(in crate::source) mod layout;
mod looks;
pub(in crate::source) mod meeting;
mod own_codes;
pub(in crate::source) mod scan;
mod trial;
