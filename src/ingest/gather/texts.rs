//! The distinct texts of all blocks, which stay in memory until the dictionaries are joined.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::hint::listed;
use crate::panel::Column;
use crate::remedy::{Remedy, Setting, excluding};
use crate::shuffle::Block;
use crate::source::Survey;

/// Bytes a text takes beside its own: its place in the list, and the allocator's.
const OVERHEAD: usize = 32;

/// What the texts of one run take, and the most that they may.
pub(in crate::ingest) struct Texts<'a> {
    columns: &'a [Column],
    limit: usize,
    len: AtomicUsize,
    /// Bytes that the texts of each column take.
    lens: Vec<AtomicUsize>,
    /// Of whose files such columns may be left out.
    survey: Option<&'a Survey>,
}

impl<'a> Texts<'a> {
    /// The texts of these columns in a run within `memory` bytes, of the files of `survey`, if they are files.
    pub(in crate::ingest) fn new(columns: &'a [Column], memory: u64, survey: Option<&'a Survey>) -> Texts<'a> {
        let lens = columns.iter().map(|_| AtomicUsize::new(0)).collect();
        Texts { columns, limit: (memory / 4) as usize, len: AtomicUsize::new(0), lens, survey }
    }

    /// `blocks` of the same stocks, with their texts added.
    ///
    /// # Errors
    /// When all texts together are too many.
    pub(in crate::ingest) fn counted(&self, blocks: Vec<Block>) -> Result<Vec<Block>> {
        let columns = blocks.first().map_or(&[][..], |block| &block.columns);
        for (column, own_len) in columns.iter().zip(&self.lens) {
            let texts = column.as_ref().map_or(&[][..], |column| &column.dictionary);
            let len: usize = texts.iter().map(|text| text.len() + OVERHEAD).sum();
            own_len.fetch_add(len, Ordering::Relaxed);
            if self.len.fetch_add(len, Ordering::Relaxed) + len > self.limit {
                return Err(self.too_many());
            }
        }
        Ok(blocks)
    }

    /// Names the columns that have the texts: the one that came last need not be one of them.
    fn too_many(&self) -> Error {
        const NAMED: usize = 3;
        let lens = self.lens.iter().map(|len| len.load(Ordering::Relaxed));
        let mut columns: Vec<(usize, usize)> = lens.enumerate().map(|(column, len)| (len, column)).collect();
        columns.sort_by_key(|&(len, _)| std::cmp::Reverse(len));
        columns.retain(|&(len, _)| len > self.limit / 10);
        columns.truncate(NAMED);
        let name = |column: usize| &self.columns[column].name;
        let told: Vec<String> =
            columns.iter().map(|&(len, column)| format!("{:?} ({} MiB so far)", name(column), len >> 20)).collect();
        let what = if told.is_empty() { "many columns".to_owned() } else { listed(&told) };
        let own_names = |survey: &Survey| columns.iter().flat_map(|&(_, column)| survey.own_names(column)).collect();
        let names: Vec<String> = self.survey.map_or_else(Vec::new, own_names);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let without = (!names.is_empty()).then(|| excluding(&names));
        // Twice the memory.
        let more = Remedy::set(Setting::Memory(8 * self.limit as u64), "may be enough");
        Error::refused_unless(
            format!("the distinct texts of {what} take more than a quarter of the memory ({} MiB)", self.limit >> 20),
            [more].into_iter().chain(without).collect::<Vec<_>>(),
        )
    }
}
