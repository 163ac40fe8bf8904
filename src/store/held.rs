//! What is held of a store whose files are not mapped: its texts, and a piece of a section a worker, while its rows are
//! used.

use super::view::Store;
use crate::error::{Error, Result};
use crate::remedy::{Remedy, Setting};
use crate::storage::Access;
use crate::workers::Workers;

impl Store {
    /// Where files are read and not mapped, the workers that read them: within what the store's texts leave of the memory
    /// of `workers`, and as many as half of that holds a piece for, of the panel's `columns`, or all. `None` where they
    /// are mapped.
    ///
    /// # Errors
    /// [`Error::Refused`] when less than `least` is left, or half of it does not hold a piece; or the store is damaged.
    pub(crate) fn readers(&self, workers: &Workers, columns: Option<&[usize]>, least: u64) -> Result<Option<Workers>> {
        if self.access() == Access::Map {
            return Ok(None);
        }
        let (texts, largest, memory) = (self.version.texts_len(), self.largest_piece(columns)?, workers.memory());
        let left = memory.saturating_sub(texts);
        let needed = least.max(2 * largest);
        if left < needed {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            let what = format!(
                "files that are not mapped are read: the store's texts take {} MiB of the memory, which is {} MiB; \
                 {} MiB are to be left, for pieces of sections of which the largest takes {} MiB",
                mib(texts),
                mib(memory),
                mib(needed),
                mib(largest)
            );
            let enough = Setting::Memory(mib(texts + needed) << 20);
            return Err(Error::refused_unless(what, [Remedy::set(enough, "allows it")]));
        }
        let at_once = usize::try_from(left / (2 * largest).max(1)).unwrap_or(usize::MAX);
        Ok(Some(Workers::new(Some(workers.count().min(at_once)))?.within(left)))
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
