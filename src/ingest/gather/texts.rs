//! The distinct texts of all blocks, which stay in memory until the dictionaries are joined.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::hint::listed;
use crate::panel::Column;
use crate::remedy::{Remedy, Setting, excluding};
use crate::shuffle::Block;
use crate::source::Survey;
use crate::store::Store;

/// Bytes a text takes beside those of its dictionary: the code that it gets in the end.
const CODE_LEN: usize = size_of::<u32>();
/// Bytes a dictionary takes beside its texts.
const OVERHEAD: usize = 128;

/// What the texts of one run take, and the most that they may.
pub(in crate::ingest) struct Texts<'a> {
    columns: &'a [Column],
    limit: usize,
    /// Bytes that the texts of the source's columns take in the store, to which these are added; and those of each column.
    known: usize,
    known_lens: Vec<usize>,
    len: AtomicUsize,
    /// Bytes that the texts of each column take.
    lens: Vec<AtomicUsize>,
    /// Of whose files such columns may be left out.
    survey: Option<&'a Survey>,
}

/// The memory that such texts take, and some more: of other memory other blocks are made, in which texts may be more often.
pub(in crate::ingest) fn enough_for(len: usize) -> u64 {
    (len as u64 * 5).next_multiple_of(1 << 20)
}

impl<'a> Texts<'a> {
    /// The texts of these columns in a run within `memory` bytes, of the files of `survey`, if they are files.
    pub(in crate::ingest) fn new(columns: &'a [Column], memory: u64, survey: Option<&'a Survey>) -> Texts<'a> {
        let lens = columns.iter().map(|_| AtomicUsize::new(0)).collect();
        let (known, known_lens) = (0, vec![0; columns.len()]);
        Texts { columns, limit: (memory / 4) as usize, known, known_lens, len: AtomicUsize::new(0), lens, survey }
    }

    /// The same, which are added to those of `before`.
    ///
    /// # Errors
    /// When its catalog is damaged.
    pub(in crate::ingest) fn beside(self, before: Option<&Store>) -> Result<Texts<'a>> {
        let known = before.map_or_else(|| Ok(HashMap::new()), Store::texts_lens)?;
        let of_column = |column: &Column| known.get(column.name.as_str()).copied().unwrap_or(0);
        Ok(Texts { known: known.values().sum(), known_lens: self.columns.iter().map(of_column).collect(), ..self })
    }

    /// Adds the texts of `blocks` of the same stocks.
    pub(in crate::ingest) fn count(&self, blocks: &[Block]) {
        for (at, column) in blocks.first().into_iter().flat_map(|block| block.columns.iter()) {
            let Some(texts) = &column.dictionary else { continue };
            let len = texts.byte_len() + texts.len() * CODE_LEN + OVERHEAD;
            self.lens[at].fetch_add(len, Ordering::Relaxed);
            self.len.fetch_add(len, Ordering::Relaxed);
        }
    }

    /// `blocks` of the same stocks, with their texts added. None once these are too many: what is read then is only counted,
    /// so that [`check`](Texts::check) knows how much memory it takes.
    pub(in crate::ingest) fn counted(&self, blocks: Vec<Block>) -> Vec<Block> {
        self.count(&blocks);
        if self.len() > self.limit { Vec::new() } else { blocks }
    }

    /// Bytes of the texts so far, and of those to which they are added; 0 where nothing is added.
    pub(in crate::ingest) fn len(&self) -> usize {
        match self.len.load(Ordering::Relaxed) {
            0 => 0,
            own => own + self.known,
        }
    }

    /// Refuses texts that are too many; to be asked when all have been read.
    pub(in crate::ingest) fn check(&self) -> Result<()> {
        if self.len() > self.limit { Err(self.too_many()) } else { Ok(()) }
    }

    /// Names the columns that have the texts: the one that came last need not be one of them.
    fn too_many(&self) -> Error {
        const NAMED: usize = 3;
        let lens = self.lens.iter().map(|len| len.load(Ordering::Relaxed));
        let mut columns: Vec<(usize, usize)> = lens.enumerate().map(|(column, len)| (len, column)).collect();
        columns.sort_by_key(|&(len, _)| std::cmp::Reverse(len));
        let without = self.without(&columns);
        columns.retain(|&(len, _)| len > self.limit / 10);
        columns.truncate(NAMED);
        let name = |column: usize| &self.columns[column].name;
        let told: Vec<String> =
            columns.iter().map(|&(len, column)| format!("{:?} ({} MiB)", name(column), len >> 20)).collect();
        let what = if told.is_empty() { "many columns".to_owned() } else { listed(&told) };
        let beside = match self.known >> 20 {
            0 => String::new(),
            known => format!(", beside {known} MiB that the store has,"),
        };
        let more = Remedy::set(Setting::Memory(enough_for(self.len())), "allows it");
        Error::refused_unless(
            format!(
                "the distinct texts of {what}{beside} take more than a quarter of the memory ({} MiB)",
                self.limit >> 20
            ),
            [more].into_iter().chain(without).collect::<Vec<_>>(),
        )
    }

    /// How so many of these columns, of which the longest come first, are left out that the others fit; `None` where none
    /// would stay but those of the key, or they are more than can be told.
    fn without(&self, columns: &[(usize, usize)]) -> Option<Remedy> {
        let survey = self.survey?;
        let (mut left, mut names, mut count) = (self.len(), Vec::new(), 0);
        for &(len, column) in columns.iter().filter(|(_, column)| !survey.key.contains(column)) {
            if left <= self.limit {
                break;
            }
            left -= len + self.known_lens[column];
            count += 1;
            names.extend(survey.own_names(column));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let is_enough = left <= self.limit && count < self.columns.len() - survey.key.len();
        is_enough.then(|| excluding(&names)).filter(|remedy| matches!(remedy, Remedy::Set { .. }))
    }
}
