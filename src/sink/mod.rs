//! The output: turns one section into the bytes of one file, and puts files in place whole.

mod codec;
mod column;
mod encode;
mod file;
mod note;
mod options;
mod parquet;

pub use options::{Compression, Format, NamePattern};

pub(crate) use column::OutputColumn;
pub(crate) use encode::Encoder;
pub(crate) use file::{NewFile, Written, temporary_name};
pub(crate) use note::read_note;
pub(crate) use parquet::{Put, Scratch, in_parquet};
