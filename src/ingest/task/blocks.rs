//! The blocks of a part, as its receipt tells of them. Where a block's columns lie in the file of its band follows from
//! their widths and the number of its rows, so that it need not be told for each column on each band.

use std::sync::Arc;

use crate::codec::{Dictionary, natural_stored, stored_type};
use crate::error::Result;
use crate::format::Stored;
use crate::key::Date;
use crate::panel::Column;
use crate::shuffle::{BandFile, Block, BlockColumn, Extent, Sparse};
use crate::staging::Receipt;

/// Says of a column of a block that it has validity bits.
const HAS_VALIDITY: u8 = 0x80;

/// How many arrays a table is.
pub(super) const ARRAYS: usize = 5;

/// Blocks as arrays. Those of neighbouring bands with the same columns and texts are a group.
#[derive(Default)]
pub(super) struct BlockTable {
    /// By group and column, its stored type's number, 0 where it has no value.
    widths: Vec<u8>,
    /// By group and column of texts, how many there are; then the length of each.
    text_counts: Vec<u32>,
    text_lens: Vec<u32>,
    texts: Vec<u8>,
    blocks: Vec<[u64; 7]>,
}

/// Of what part blocks are.
pub(super) struct PartPlace<'a> {
    /// The number of its first file among those that extents refer to: those of its bands, then its receipt's.
    pub(super) first_file: usize,
    pub(super) first_input: u32,
    pub(super) columns: &'a [Column],
    /// The first date of each band but the first.
    pub(super) starts: &'a [Date],
    pub(super) files: &'a [BandFile],
    /// The days of the blocks and where their rows start.
    pub(super) kept: &'a [u8],
}

/// The texts of one column of a group.
type GroupTexts = Option<Arc<Dictionary>>;

fn is_coded(column: &Column) -> bool {
    natural_stored(&column.data_type) == Stored::Codes
}

impl BlockTable {
    /// Of `blocks` that were gathered into files of their own.
    pub(super) fn of(blocks: &[Block], columns: &[Column]) -> BlockTable {
        let mut table = BlockTable::default();
        let mut groups = 0;
        for (at, block) in blocks.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| &blocks[before]);
            if !before.is_some_and(|before| is_alike(before, block)) {
                table.add_group(block, columns);
                groups += 1;
            }
            let first = block.columns.values().next();
            let first = first.map_or(block.inputs, |column| column.validity.unwrap_or(column.values));
            table.blocks.push([
                // Without columns all are one.
                if columns.is_empty() { 0 } else { groups - 1 },
                block.inputs.file as u64,
                first.offset,
                block.inputs.byte_len / 4,
                block.days.offset,
                block.days.byte_len / 4,
                block.row_starts.offset,
            ]);
        }
        table
    }

    fn add_group(&mut self, block: &Block, columns: &[Column]) {
        for (at, column) in columns.iter().enumerate() {
            let found = block.columns.get(at);
            let width = |found: &BlockColumn| found.stored as u8 | found.validity.map_or(0, |_| HAS_VALIDITY);
            self.widths.push(found.map_or(0, width));
            if is_coded(column) {
                let texts = found.and_then(|found| found.dictionary.as_ref());
                self.text_counts.push(texts.map_or(0, |texts| texts.len() as u32));
                for text in texts.into_iter().flat_map(|texts| texts.iter()) {
                    self.text_lens.push(text.len() as u32);
                    self.texts.extend_from_slice(text);
                }
            }
        }
    }

    pub(super) fn arrays(&self) -> [&[u8]; ARRAYS] {
        let cast = bytemuck::cast_slice::<u32, u8>;
        [
            &self.widths,
            cast(&self.text_counts),
            cast(&self.text_lens),
            &self.texts,
            bytemuck::cast_slice(self.blocks.as_flattened()),
        ]
    }

    /// The blocks of which `receipt` tells from array `first` on.
    ///
    /// # Errors
    /// When it says what cannot be.
    pub(super) fn read(receipt: &Receipt, first: usize, place: &PartPlace) -> Result<Vec<Block>> {
        let widths: &[u8] = receipt.array(first)?;
        let blocks: &[u64] = receipt.array(first + 4)?;
        let wrong = || receipt.damaged("its blocks are none");
        let count = place.columns.len();
        let group_count = widths.len().checked_div(count).unwrap_or(1);
        if widths.len() != group_count * count || !blocks.len().is_multiple_of(7) {
            return Err(wrong());
        }
        let texts = group_texts(receipt, first, group_count, place.columns)?;
        let mut read = Vec::with_capacity(blocks.len() / 7);
        for block in blocks.chunks_exact(7) {
            let group = usize::try_from(block[0]).ok().filter(|group| *group < group_count).ok_or_else(wrong)?;
            let widths = &widths[group * count..(group + 1) * count];
            read.push(place.block(block, widths, &texts[group]).ok_or_else(wrong)?);
        }
        Ok(read)
    }
}

/// Whether `block` goes on where `before` ended, on a later band.
pub(super) fn is_alike(before: &Block, block: &Block) -> bool {
    let about = |(place, column): (usize, &BlockColumn)| (place, column.stored, column.validity.is_some());
    let mut pairs = before.columns.values().zip(block.columns.values());
    before.inputs.file < block.inputs.file
        && before.columns.iter().map(about).eq(block.columns.iter().map(about))
        && pairs.all(|(a, b)| is_shared(&a.dictionary, &b.dictionary))
}

/// Whether two columns have the same dictionary, or none.
pub(super) fn is_shared(a: &GroupTexts, b: &GroupTexts) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        _ => false,
    }
}

/// By group and column, its texts.
fn group_texts(receipt: &Receipt, first: usize, groups: usize, columns: &[Column]) -> Result<Vec<Vec<GroupTexts>>> {
    let wrong = || receipt.damaged("its texts are none");
    let mut counts = receipt.array::<u32>(first + 1)?.iter();
    let mut lens = receipt.array::<u32>(first + 2)?;
    let mut bytes = receipt.array::<u8>(first + 3)?;
    let mut all = Vec::with_capacity(groups);
    for _ in 0..groups {
        let mut of_group = Vec::with_capacity(columns.len());
        for column in columns {
            if !is_coded(column) {
                of_group.push(None);
                continue;
            }
            let count = *counts.next().ok_or_else(wrong)? as usize;
            let own = lens.split_off(..count).ok_or_else(wrong)?;
            let byte_len: u64 = own.iter().map(|len| u64::from(*len)).sum();
            let own_bytes = bytes.split_off(..byte_len as usize).ok_or_else(wrong)?;
            of_group.push(Some(Arc::new(Dictionary::of(own, own_bytes).ok_or_else(wrong)?)));
        }
        all.push(of_group);
    }
    if counts.next().is_some() || !lens.is_empty() || !bytes.is_empty() {
        return Err(wrong());
    }
    Ok(all)
}

impl PartPlace<'_> {
    /// A block as its numbers tell, with columns of these widths and texts; `None` where they cannot be.
    fn block(&self, numbers: &[u64], widths: &[u8], texts: &[GroupTexts]) -> Option<Block> {
        let &[_, band, start, row_count, days_at, day_count, row_starts_at] = numbers else { return None };
        let band = usize::try_from(band).ok()?;
        let (file, rows) = (self.files.get(band)?, u32::try_from(row_count).ok()?);
        let mut end = start;
        let mut next = |byte_len: u64| {
            let extent = Extent { file: self.first_file + band, offset: end, byte_len };
            end = extent.end();
            let is_inside = extent.offset.checked_add(byte_len).is_some_and(|end| end <= file.byte_len);
            (is_inside && extent.offset.is_multiple_of(64)).then_some(extent)
        };
        let mut columns = Sparse::default();
        let all = widths.iter().zip(texts).zip(self.columns).enumerate();
        for (at, ((&width, texts), column)) in all.filter(|(_, ((width, _), _))| **width != 0) {
            let stored = Stored::from_number(width & !HAS_VALIDITY)?;
            stored_type(&column.data_type, stored)?;
            let validity = match width & HAS_VALIDITY {
                0 => None,
                _ => Some(next(Stored::Bits.byte_len(rows))?),
            };
            let values = next(stored.byte_len(rows))?;
            columns.push(at, BlockColumn { stored, values, validity, dictionary: texts.clone() });
        }
        let inputs = next(4 * u64::from(rows))?;
        let kept = self.first_file + self.files.len();
        let days = Extent { file: kept, offset: days_at, byte_len: day_count.checked_mul(4)? };
        let row_starts =
            Extent { file: kept, offset: row_starts_at, byte_len: day_count.checked_add(1)?.checked_mul(4)? };
        self.has_days(band, rows, days, row_starts)?;
        Some(Block { days, row_starts, inputs, first_input: self.first_input, columns })
    }

    /// Whether these are days of the band, and starts of so many rows.
    fn has_days(&self, band: usize, rows: u32, days: Extent, row_starts: Extent) -> Option<()> {
        let kept = |extent: Extent| -> Option<&[u32]> {
            let start = usize::try_from(extent.offset).ok()?;
            let end = start.checked_add(usize::try_from(extent.byte_len).ok()?)?;
            bytemuck::try_cast_slice(self.kept.get(start..end)?).ok()
        };
        let (days, starts): (&[i32], &[u32]) = (bytemuck::cast_slice(kept(days)?), kept(row_starts)?);
        let first = band.checked_sub(1).map_or(Date::MIN, |before| self.starts[before]);
        let is_before_next = |day: i32| match self.starts.get(band) {
            Some(next) => day < next.days(),
            None => day <= Date::MAX.days(),
        };
        let are_days = days.is_sorted_by(|a, b| a < b)
            && days.first().is_some_and(|day| *day >= first.days())
            && days.last().is_some_and(|day| is_before_next(*day));
        let are_starts =
            starts.first() == Some(&0) && starts.last() == Some(&rows) && starts.is_sorted_by(|a, b| a < b);
        (are_days && are_starts).then_some(())
    }
}
