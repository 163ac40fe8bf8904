//! A look at every input: the parts that its columns play, what the options leave open, and ways out that were tried.

pub(in crate::source) mod agreed;
pub(in crate::source) mod by_date;
pub(in crate::source) mod candidate;
pub(in crate::source) mod date_advice;
mod fields;
mod formats;
pub(in crate::source) mod inputs;
pub(in crate::source) mod roles;
mod settings;
pub(in crate::source) mod settle;
pub(in crate::source) mod surveyor;
pub(in crate::source) mod talks;
mod together;
pub(in crate::source) mod trading;
mod ways;
