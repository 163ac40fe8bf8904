//! The output: turns one section into the bytes of one file, and puts files in place whole.

mod encode;
mod file;
mod options;

pub use options::{Compression, Format, NamePattern};

pub(crate) use encode::Encoder;
pub(crate) use file::{temporary_path, write_whole};
