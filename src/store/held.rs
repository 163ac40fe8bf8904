//! What is held of a store whose files are not mapped: a piece of a section a worker, while its rows are used.

use super::view::Store;
use crate::error::{Error, Result};
use crate::remedy::{Remedy, Setting};
use crate::storage::Access;
use crate::workers::Workers;

impl Store {
    /// Fewer workers than these, where files are read and not mapped, and half of their memory does not hold a piece of each:
    /// these of the panel's columns, or all.
    ///
    /// # Errors
    /// [`Error::Refused`] when it does not hold one, or the store is damaged.
    pub(crate) fn fewer_workers(&self, workers: &Workers, columns: Option<&[usize]>) -> Result<Option<Workers>> {
        if self.access() == Access::Map {
            return Ok(None);
        }
        let (largest, memory) = (self.largest_piece(columns)?, workers.memory());
        if largest > memory / 2 {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            let what = format!(
                "files that are not mapped are read by pieces of sections, of which the largest takes {} MiB, more than \
                 half of the memory, which is {} MiB",
                mib(largest),
                mib(memory)
            );
            let enough = Setting::Memory(mib(2 * largest) << 20);
            return Err(Error::refused_unless(what, [Remedy::set(enough, "allows it")]));
        }
        workers.fewer(2 * largest)
    }

    /// Bytes of the largest piece of a section.
    fn largest_piece(&self, columns: Option<&[usize]>) -> Result<u64> {
        let mut largest = 0;
        for index in 0..self.dates()?.len() {
            for piece in self.outline_at(index)?.pieces() {
                largest = largest.max(piece?.byte_len(columns)?);
            }
        }
        Ok(largest)
    }
}
