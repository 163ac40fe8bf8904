//! The paths of a source's files, and what they say: codes, dates, and which files belong together.

pub(in crate::source) mod code_template;
pub(in crate::source) mod files_by;
pub(in crate::source) mod ignore;
pub(in crate::source) mod input_format;
mod month_name;
pub(in crate::source) mod naming;
pub(in crate::source) mod pattern;
pub(in crate::source) mod period;
pub(in crate::source) mod unit;
pub(in crate::source) mod when;
