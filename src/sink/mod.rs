//! The output: turns one section into the bytes of one file, and puts files in place whole.

mod arrow;
mod chunk;
mod codec;
mod column;
mod csv;
mod distinct;
mod encode;
mod file;
mod hybrid;
mod name;
mod note;
mod options;
mod parquet;
mod partition;
mod plain;
mod slices;
#[cfg(test)]
mod tests;

pub use name::NamePattern;
pub use options::{Compression, Format};
pub use partition::Partition;

pub(crate) use chunk::Scratch;
pub(crate) use column::OutputColumn;
pub(crate) use encode::Encoder;
pub(crate) use file::{NewFile, OldFile, Written, temporary_name};
pub(crate) use name::{Carried, Named};
pub(crate) use note::read_note;
pub(crate) use parquet::{Put, in_parquet};
pub(crate) use slices::{in_slices, longest, rows_of_slice};
