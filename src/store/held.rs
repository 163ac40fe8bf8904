//! What is held of a store whose files are not mapped: its texts, and a piece of a section a worker, while its rows are
//! used.

use super::view::Store;
use crate::error::{Error, Result};
use crate::remedy::{Remedy, Setting};
use crate::storage::Access;
use crate::workers::Workers;

impl Store {
    /// Where files are read and not mapped, the workers that read them: within what the texts of the panel's `columns`, or
    /// of all, leave of the memory of `workers`, and as many as half of that holds a piece of these columns for. `None` where they
    /// are mapped.
    ///
    /// # Errors
    /// [`Error::Refused`] when less than `least` is left, or half of it does not hold a piece; or the store is damaged.
    pub(crate) fn readers(&self, workers: &Workers, columns: Option<&[usize]>, least: u64) -> Result<Option<Workers>> {
        if self.access() == Access::Map {
            return Ok(None);
        }
        let memory = workers.memory();
        let texts = self.texts_len_of(columns)?;
        let largest = self.largest_piece(columns)?;
        check_room(memory, texts, largest, least)?;
        let left = memory - texts;
        let at_once = usize::try_from(left / largest.saturating_mul(2).max(1)).unwrap_or(usize::MAX);
        Ok(Some(Workers::new(Some(workers.count().min(at_once)))?.within(left)))
    }

    /// Where files are read and not mapped, whether its texts alone fit so much memory, of which `least` is to be left. None
    /// of them is read for that.
    ///
    /// # Errors
    /// [`Error::Refused`] when they do not; or the store is damaged.
    pub(crate) fn check_texts(&self, memory: u64, least: u64) -> Result<()> {
        if self.access() == Access::Map || self.version.texts_len().saturating_add(least) <= memory {
            return Ok(());
        }
        check_room(memory, self.version.texts_len(), self.version.largest_piece()?, least)
    }

    /// Where files are read and not mapped, what is held of the codes; 0 where they are mapped.
    pub(crate) fn held_len(&self) -> Result<u64> {
        if self.access() == Access::Map { Ok(0) } else { self.texts_len_of(Some(&[])) }
    }

    /// Bytes of the codes and of the texts of the panel's `columns`, or of all.
    fn texts_len_of(&self, columns: Option<&[usize]>) -> Result<u64> {
        let Some(columns) = columns else { return Ok(self.version.texts_len()) };
        let lens = columns.iter().map(|column| self.version.texts_len_of(column + 2));
        lens.fold(self.version.texts_len_of(0), |sum, len| Ok(sum?.saturating_add(len?)))
    }

    /// Bytes of the largest piece of a section, of the panel's `columns`, or of all.
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

fn check_room(memory: u64, texts: u64, largest: u64, least: u64) -> Result<()> {
    let needed = least.max(largest.saturating_mul(2));
    let enough = texts.saturating_add(needed);
    if enough <= memory {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let what = format!(
        "files that are not mapped are read: the store's texts take {} MiB of the memory, which is {} MiB; {} MiB are to be \
         left, for pieces of sections of which the largest takes {} MiB",
        mib(texts),
        mib(memory),
        mib(needed),
        mib(largest)
    );
    let enough = Setting::Memory(enough.checked_next_multiple_of(1 << 20).unwrap_or(u64::MAX));
    Err(Error::refused_unless(what, [Remedy::set(enough, "allows it")]))
}
