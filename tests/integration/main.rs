//! The crate as others see it: one test binary, a module for each subject.

#[cfg(feature = "cli")]
mod cli;
