//! The column chunks of one file as the decoder reads them: where they lie by the footer's account, and their pages,
//! checked one by one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow_schema::{DataType, Fields};
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Type as PhysicalType;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::Length;

use super::contents::Leaf;
use super::pages::{Checked, Extent, Fault, Need, Pages, Weight};
use crate::reason::{Kind, Reason};
use crate::remedy::Remedy;
use crate::source::allowance::{Meter, ROW_LEN, shown};
use crate::source::content::Content;
use crate::source::input::schema::FileSchema;

/// Checks where the chunks of a file lie, before `byte_len`, and how many values those of flat columns have.
///
/// # Errors
/// The reason to skip the file.
pub(in crate::source) fn check_places(
    metadata: &ParquetMetaData,
    byte_len: u64,
    is_flat: impl Fn(usize) -> bool,
) -> std::result::Result<(), Reason> {
    let mut places = Vec::new();
    for group in metadata.row_groups().iter().filter(|group| group.num_rows() > 0) {
        for leaf in 0..group.columns().len() {
            let chunk = group.column(leaf);
            let name = || chunk.column_path().string();
            let (start, end) = place(group, leaf)
                .filter(|(start, end)| *start >= 4 && start <= end && *end <= byte_len)
                .ok_or_else(|| {
                    Reason::new(
                        Kind::Truncated,
                        format!("is truncated or damaged: {:?} reaches beyond its end", name()),
                    )
                })?;
            if is_flat(leaf) && chunk.num_values() != group.num_rows() {
                let (values, rows) = (chunk.num_values(), group.num_rows());
                return Err(Reason::damaged(format_args!("{:?} has {values} values in {rows} rows", name())));
            }
            if is_flat(leaf) && !has_own_levels(chunk) {
                return Err(Reason::damaged(format_args!("{:?} counts other levels than it has", name())));
            }
            // "This field should only be set for types that use BYTE_ARRAY as their physical type."
            let is_texts = chunk.column_descr().physical_type() == PhysicalType::BYTE_ARRAY;
            if is_flat(leaf) && !is_texts && chunk.unencoded_byte_array_data_bytes().is_some() {
                return Err(Reason::damaged(format_args!("{:?} counts bytes of texts, and has none", name())));
            }
            places.push((start, end));
        }
    }
    places.sort_unstable();
    match places.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        Some(_) => Err(Reason::damaged("two of its columns lie in the same bytes")),
        None => Ok(()),
    }
}

/// Whether a chunk counts as many levels as its column has, or none: "there is expected to be one element corresponding
/// to each repetition (i.e. size=max repetition_level+1)", and so for definitions.
fn has_own_levels(chunk: &ColumnChunkMetaData) -> bool {
    let column = chunk.column_descr();
    let counted = [
        (chunk.repetition_level_histogram(), column.max_rep_level()),
        (chunk.definition_level_histogram(), column.max_def_level()),
    ];
    counted.into_iter().all(|(counts, most)| match counts.map(|counts| counts.len()) {
        None | Some(0) => true,
        Some(levels) => i16::try_from(levels).is_ok_and(|levels| levels == most.saturating_add(1)),
    })
}

/// The first byte of a chunk, and the one after its last.
fn place(group: &RowGroupMetaData, leaf: usize) -> Option<(u64, u64)> {
    let chunk = group.column(leaf);
    let data = u64::try_from(chunk.data_page_offset()).ok()?;
    // Some writers say 0 where there is no dictionary.
    let dictionary = chunk.dictionary_page_offset().and_then(|at| u64::try_from(at).ok()).filter(|at| *at > 0);
    let start = data.min(dictionary.unwrap_or(data));
    Some((start, start.checked_add(u64::try_from(chunk.compressed_size()).ok()?)?))
}

/// The extent of the chunk of a flat column; `None` where it is none.
pub(in crate::source) fn extent(group: &RowGroupMetaData, leaf: usize) -> Option<Extent> {
    let chunk = group.columns().get(leaf)?;
    let (start, end) = place(group, leaf)?;
    let descriptor = chunk.column_descr();
    if descriptor.max_rep_level() > 0 || descriptor.max_def_level() > 1 {
        return None;
    }
    let physical = descriptor.physical_type();
    let width = match physical {
        PhysicalType::INT32 | PhysicalType::FLOAT => 4,
        PhysicalType::INT64 | PhysicalType::DOUBLE => 8,
        PhysicalType::INT96 => 12,
        PhysicalType::FIXED_LEN_BYTE_ARRAY => u64::try_from(descriptor.type_length()).ok().filter(|len| *len > 0)?,
        PhysicalType::BOOLEAN | PhysicalType::BYTE_ARRAY => 0,
    };
    let leaf = Leaf { physical, width, is_optional: descriptor.max_def_level() == 1 };
    let rows = u64::try_from(group.num_rows()).ok()?;
    Some(Extent { start, end, rows, codec: chunk.compression_codec(), leaf })
}

/// Columns of text that are looked at to say what a file takes that is refused.
const TEXTS: usize = 16;

/// Bytes of dictionaries that have more entries than there are rows, for which nothing is decoded: slices of categories
/// have such. To unpack more of them takes seconds, and a few bytes can hold any number; those that a file has as bytes,
/// and not only claims, are a multiple of its length.
const IDLE: u64 = 256 << 20;
const IDLE_TIMES: u64 = 128;

/// What was found out about a file, whatever is read of it.
#[derive(Default)]
pub(in crate::source) struct Weighed {
    /// What the leaves take that were weighed.
    leaves: Mutex<HashMap<usize, LeafWeight>>,
    /// Bytes of dictionaries that were unpacked and have more entries than there are rows.
    idle: AtomicU64,
}

/// Bytes that a column takes.
#[derive(Debug, Clone, Copy, Default)]
struct LeafWeight {
    /// Its values, decoded.
    decoded_len: u64,
    /// The largest of its pages.
    page_len: u64,
    /// The largest of its dictionaries, and all of them.
    dictionary_len: u64,
    dictionaries_len: u64,
}

/// What all pages that are read of one file have in common.
#[derive(Clone)]
pub(in crate::source) struct Chunks {
    pub(in crate::source) content: Content,
    pub(in crate::source) metadata: Arc<ParquetMetaData>,
    pub(in crate::source) meter: Arc<Meter>,
    pub(in crate::source) weighed: Arc<Weighed>,
    /// The leaves that are read.
    pub(in crate::source) leaves: Arc<[usize]>,
    /// All columns of the file that have a part in the panel, of which others may be read later.
    pub(in crate::source) schema: Arc<FileSchema>,
    /// The types by which leaves are decoded; of none where they are not.
    pub(in crate::source) types: Fields,
    /// Why reading stopped.
    pub(in crate::source) reason: Arc<OnceLock<Reason>>,
}

impl Chunks {
    /// The reason for which the pages of a leaf stop.
    fn reason(&self, leaf: usize, fault: Fault) -> Reason {
        let name = self.metadata.file_metadata().schema_descr().column(leaf).path().string();
        match fault {
            Fault::Damaged(what) => Reason::damaged(format_args!("its column {name:?} {what}")).of_column(&name),
            Fault::Lzo => {
                let reason =
                    Reason::new(Kind::Other, format!("its column {name:?} is packed by LZO, which is not read"));
                reason.of_column(&name).or(Remedy::Do("write the file anew with another compression".to_owned()))
            }
            Fault::Idle(len) => {
                let what = format!(
                    "its column {name:?} has a dictionary of more entries than rows, as dictionaries before it have: \
                     {} together",
                    shown(len)
                );
                let anew = Remedy::Do("write the file anew with dictionaries of the values that it has".to_owned());
                Reason::new(Kind::TooLarge, what).of_column(&name).or(anew)
            }
            // So many columns are tried again, fewer at a time: to know what all take, each page would be looked at.
            Fault::TooLarge(len) if self.leaves.len() > TEXTS => {
                self.meter.allowance.refusal("decoded, it", self.meter.used().saturating_add(len))
            }
            Fault::TooLarge(_) => match self.needed(&self.leaves) {
                Ok(bytes) => self.meter.allowance.refusal_of("decoded, it", bytes, bytes.max(self.needed_later())),
                Err(reason) => reason,
            },
        }
    }

    /// The most bytes that one of the columns takes by itself that are not read now: with less the file would be refused
    /// again. Nothing where fewer columns are tried next.
    fn needed_later(&self) -> u64 {
        let has_date = self.schema.date.as_ref().is_ok_and(|date| self.leaves.contains(&date.leaf));
        if self.leaves.len() > 1 && !has_date {
            return 0;
        }
        let groups = self.metadata.row_groups();
        let values = self.schema.values.iter().map(|value| value.leaf);
        let (mut most, mut texts) = (0, 0);
        for leaf in values.filter(|leaf| !self.leaves.contains(leaf)) {
            let is_text = groups.iter().any(|group| {
                group.columns().get(leaf).is_some_and(|chunk| chunk.column_type() == PhysicalType::BYTE_ARRAY)
            });
            let needed = match is_text {
                // Others are as wide as their type.
                false => (self.num_rows() as u64).saturating_mul(ROW_LEN + 16),
                true if texts == TEXTS => continue,
                // What else is wrong with it is told when it is read.
                true => self.needed(&[leaf]).unwrap_or(0),
            };
            texts += usize::from(is_text);
            most = most.max(needed);
        }
        most
    }

    /// The most bytes that reading all of `leaves` would take at once.
    fn needed(&self, leaves: &[usize]) -> std::result::Result<u64, Reason> {
        let mut kept = (self.num_rows() as u64).saturating_mul(ROW_LEN);
        let mut largest = 0;
        for &leaf in leaves {
            let LeafWeight { decoded_len, page_len, dictionary_len, dictionaries_len } = self.weight(leaf)?;
            let dictionaries = if self.is_coded(leaf) { dictionaries_len } else { dictionary_len };
            kept = kept.saturating_add(decoded_len).saturating_add(page_len).saturating_add(dictionaries);
            largest = largest.max(page_len);
        }
        Ok(kept.saturating_add(largest))
    }

    /// What a leaf takes, by looking at each page whose header does not tell, once, and keeping none.
    fn weight(&self, leaf: usize) -> std::result::Result<LeafWeight, Reason> {
        let known = || self.weighed.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(weight) = known().get(&leaf) {
            return Ok(*weight);
        }
        self.meter.start(0);
        let mut weight = LeafWeight::default();
        for chunk in self.metadata.row_groups().iter().filter_map(|group| extent(group, leaf)) {
            // Where each text ends.
            let ends = chunk.rows.saturating_mul(8);
            let mut pages = Pages::new(self.content.clone(), chunk);
            loop {
                let (decoded, len) = match pages.next_weight(|need| self.allow(need)) {
                    Ok(Some(page)) => {
                        weight.dictionary_len = weight.dictionary_len.max(page.dictionary_len);
                        weight.dictionaries_len = weight.dictionaries_len.saturating_add(page.dictionary_len);
                        (page.decoded_len, page.page_len)
                    }
                    Ok(None) => break,
                    // A page that alone is too large is weighed by its size.
                    Err(Fault::TooLarge(held)) => (held.saturating_add(ends), held),
                    Err(fault) => return Err(self.reason(leaf, fault)),
                };
                weight.decoded_len = weight.decoded_len.saturating_add(decoded);
                weight.page_len = weight.page_len.max(len);
            }
        }
        known().insert(leaf, weight);
        Ok(weight)
    }

    /// Has the meter allow what a page needs.
    fn allow(&self, need: &Need) -> std::result::Result<(), Fault> {
        let most = IDLE.saturating_add(self.content.len().saturating_mul(IDLE_TIMES));
        let idle = need.idle.saturating_add(self.weighed.idle.load(Ordering::Relaxed));
        if need.idle > 0 && idle > most {
            return Err(Fault::Idle(idle));
        }
        if !self.meter.take(0, need.held) {
            return Err(Fault::TooLarge(need.held));
        }
        self.weighed.idle.store(idle, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the rows of a leaf are decoded to places in its dictionaries, which stay with them.
    fn is_coded(&self, leaf: usize) -> bool {
        self.types.get(leaf).is_some_and(|field| matches!(field.data_type(), DataType::Dictionary(..)))
    }
}

impl RowGroups for Chunks {
    fn num_rows(&self) -> usize {
        self.row_groups().map(|group| usize::try_from(group.num_rows()).unwrap_or(0)).sum()
    }

    fn column_chunks(&self, leaf: usize) -> Result<Box<dyn PageIterator>> {
        Ok(Box::new(ColumnChunks { chunks: self.clone(), leaf, next: 0 }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.metadata.row_groups().iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The chunks of one column.
struct ColumnChunks {
    chunks: Chunks,
    leaf: usize,
    next: usize,
}

impl Iterator for ColumnChunks {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let group = self.chunks.metadata.row_groups().get(self.next)?;
            self.next += 1;
            if group.num_rows() == 0 {
                continue;
            }
            let chunk = extent(group, self.leaf);
            let reader = chunk.map(|chunk| -> Box<dyn PageReader> {
                let pages = Pages::new(self.chunks.content.clone(), chunk);
                Box::new(Chunk { chunks: self.chunks.clone(), leaf: self.leaf, pages, page_len: 0, dictionary_len: 0 })
            });
            return Some(reader.ok_or_else(|| ParquetError::General("a column is nested".to_owned())));
        }
    }
}

impl PageIterator for ColumnChunks {}

/// The pages of one chunk, for the decoder: it keeps the last of them and the dictionary, for each of the columns that are
/// read together.
struct Chunk {
    chunks: Chunks,
    leaf: usize,
    pages: Pages,
    /// What the decoder keeps that the meter counts.
    page_len: u64,
    dictionary_len: u64,
}

impl Chunk {
    /// Has the meter count what `checked` takes, in place of the page before.
    fn count(&mut self, checked: Checked) -> std::result::Result<Page, Fault> {
        let meter = &self.chunks.meter;
        let Weight { decoded_len, page_len, dictionary_len } = Weight::of(&checked, self.pages.leaf());
        if !meter.take(decoded_len.saturating_add(page_len).saturating_add(dictionary_len), 0) {
            return Err(Fault::TooLarge(decoded_len));
        }
        meter.give(std::mem::replace(&mut self.page_len, page_len));
        self.dictionary_len += dictionary_len;
        Ok(checked.page)
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let dictionary_len = if self.chunks.is_coded(self.leaf) { 0 } else { self.dictionary_len };
        self.chunks.meter.give(self.page_len + dictionary_len);
    }
}

impl PageReader for Chunk {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.next(|need| self.chunks.allow(need));
        let page = page.and_then(|page| page.map(|page| self.count(page)).transpose());
        page.map_err(|fault| {
            let reason = self.chunks.reason(self.leaf, fault);
            ParquetError::General(self.chunks.reason.get_or_init(|| reason).what().to_owned())
        })
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        Err(ParquetError::NYI("pages are read in order".to_owned()))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        Err(ParquetError::NYI("pages are read in order".to_owned()))
    }
}

impl Iterator for Chunk {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Result<Page>> {
        self.get_next_page().transpose()
    }
}
