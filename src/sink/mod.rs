//! The output: turns one section into the bytes of one file, and puts files in place whole.

mod chunk;
mod codec;
mod column;
mod distinct;
mod encode;
mod file;
mod hybrid;
mod note;
mod options;
mod parquet;
mod plain;
#[cfg(test)]
mod tests;

pub use options::{Compression, Format, NamePattern};

pub(crate) use chunk::Scratch;
pub(crate) use column::OutputColumn;
pub(crate) use encode::Encoder;
pub(crate) use file::{NewFile, Written, temporary_name};
pub(crate) use note::read_note;
pub(crate) use parquet::{Put, in_parquet};
