//! One schema for all files: where their types meet, what a question about values answers, and what helps where they do not.

pub(in crate::source) mod agree;
pub(in crate::source) mod conflict;
pub(in crate::source) mod exact;
pub(in crate::source) mod prior;
pub(in crate::source) mod question;
