//! Rows of a section, wherever they lie: in the blocks of the spill, or in the section of the version before.

use std::ops::Range;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::Buffer;
use arrow_buffer::bit_util::get_bit;
use arrow_schema::DataType;

use super::gather::Block;
use super::lane::{fixed_bytes, widened};
use super::spill::SpillMap;
use crate::error::Result;
use crate::format::Stored;
use crate::key::Date;
use crate::segment::{SegmentColumn, natural_stored};
use crate::store::Section;

/// Neighbouring rows of one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) origin: Origin,
    pub(super) rows: Range<usize>,
}

/// Where a piece's rows lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the block of this number.
    Block(usize),
    /// In the section of the version before.
    Before,
}

/// One column of all rows of an origin, as bytes.
#[derive(Clone, Copy)]
pub(super) struct ColumnRows<'a> {
    pub(super) stored: Stored,
    pub(super) values: &'a [u8],
    /// One bit a row; `None` when all rows have a value.
    pub(super) validity: Option<&'a [u8]>,
    /// For codes that are the origin's own, the store's code of each.
    pub(super) codes: Option<&'a [u32]>,
}

impl ColumnRows<'_> {
    /// Whether the row has a value.
    pub(super) fn is_valid(&self, row: usize) -> bool {
        self.validity.is_none_or(|bits| get_bit(bits, row))
    }

    /// The integers of these rows.
    pub(super) fn integers(&self, rows: Range<usize>, signed: bool) -> Vec<i64> {
        match self.stored {
            Stored::Bits => rows.map(|row| i64::from(get_bit(self.values, row))).collect(),
            stored => {
                let width = stored.byte_len(1) as usize;
                widened(&self.values[rows.start * width..rows.end * width], stored, signed)
            }
        }
    }
}

/// The rows that were gathered.
pub(super) struct Gathering<'a> {
    pub(super) blocks: &'a [Block],
    pub(super) spill: &'a SpillMap,
    /// For each input, the number of its stock.
    pub(super) stocks: Vec<u32>,
    /// For each block and panel column, the store's code for each of the block's codes.
    pub(super) codes: Vec<Vec<Vec<u32>>>,
}

impl Gathering<'_> {
    /// A panel column of a block; `None` when it has no value there.
    pub(super) fn column(&self, block: usize, column: usize) -> Option<ColumnRows<'_>> {
        let found = self.blocks[block].columns[column].as_ref()?;
        Some(ColumnRows {
            stored: found.stored,
            values: self.spill.get(found.values),
            validity: found.validity.map(|validity| self.spill.get(validity)),
            codes: (found.stored == Stored::Codes).then_some(&self.codes[block][column]),
        })
    }

    /// The stock numbers of these rows of a block.
    pub(super) fn stocks(&self, block: usize, rows: Range<usize>) -> impl Iterator<Item = u32> {
        let inputs: &[u32] = bytemuck::cast_slice(self.spill.get(self.blocks[block].inputs));
        inputs[rows].iter().map(|&input| self.stocks[input as usize])
    }

    /// For each block its days, ascending, and where each one's rows start and the last one's end.
    pub(super) fn days(&self) -> impl Iterator<Item = (&[i32], &[u32])> + Clone {
        let get = |piece| self.spill.get(piece);
        self.blocks
            .iter()
            .map(move |block| (bytemuck::cast_slice(get(block.days)), bytemuck::cast_slice(get(block.row_starts))))
    }

    /// Walks through the blocks in step with dates that ascend from `first` on.
    pub(super) fn walk(&self, first: Date) -> Walk<'_> {
        let start = |(days, _): (&[i32], &[u32])| days.partition_point(|&day| day < first.days());
        let next = self.days().map(start).collect();
        Walk { blocks: self.days().collect(), next }
    }
}

/// A place in each block; see [`Gathering::walk`].
pub(super) struct Walk<'a> {
    blocks: Vec<(&'a [i32], &'a [u32])>,
    next: Vec<usize>,
}

impl Walk<'_> {
    /// The rows of `date`, which must be later than the one asked for before, in code order.
    pub(super) fn pieces(&mut self, date: Date) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(self.blocks.len());
        for (number, ((days, row_starts), at)) in self.blocks.iter().zip(&mut self.next).enumerate() {
            while days.get(*at).is_some_and(|&other| other < date.days()) {
                *at += 1;
            }
            if days.get(*at) == Some(&date.days()) {
                let rows = row_starts[*at] as usize..row_starts[*at + 1] as usize;
                pieces.push(Piece { origin: Origin::Block(number), rows });
                *at += 1;
            }
        }
        pieces
    }
}

/// The section of the version before, its columns in the panel's types of now.
pub(super) struct Before<'a> {
    section: Section<'a>,
    /// For each panel column, its values in the new type where the old one's bytes do not serve.
    converted: Vec<Option<Converted>>,
}

struct Converted {
    stored: Stored,
    values: Buffer,
    validity: Option<Buffer>,
}

impl<'a> Before<'a> {
    /// `section` for a panel with these `columns`, code and date included.
    ///
    /// # Errors
    /// When it is damaged.
    pub(super) fn new(section: Section<'a>, columns: &[SegmentColumn]) -> Result<Before<'a>> {
        let converted = columns[2..].iter().enumerate().map(|(index, column)| {
            let serves = section.raw(index).is_none_or(|raw| serves(raw.logical, &column.logical));
            if serves {
                return Ok(None);
            }
            let array = section.column_as(index, &column.logical, 0..section.row_count())?;
            Converted::new(&array).map(Some)
        });
        let converted = converted.collect::<Result<_>>()?;
        Ok(Before { section, converted })
    }

    /// The stock number of each row.
    pub(super) fn stocks(&self) -> &[u32] {
        self.section.stock_numbers()
    }

    /// The section itself.
    pub(super) fn section(&self) -> &Section<'a> {
        &self.section
    }

    /// A panel column; `None` when it has no value here.
    pub(super) fn column(&self, index: usize) -> Option<ColumnRows<'_>> {
        if let Some(converted) = self.converted.get(index)?.as_ref() {
            return Some(ColumnRows {
                stored: converted.stored,
                values: &converted.values,
                validity: converted.validity.as_deref(),
                codes: None,
            });
        }
        let raw = self.section.raw(index).filter(|raw| *raw.logical != DataType::Null)?;
        Some(ColumnRows { stored: raw.stored, values: raw.values, validity: raw.validity, codes: None })
    }
}

/// Whether bytes stored for type `then` mean the same for type `now`.
fn serves(then: &DataType, now: &DataType) -> bool {
    let is_coded = |data_type| natural_stored(data_type) == Stored::Codes;
    let is_signed = |data_type: &DataType| data_type.is_signed_integer();
    then == now
        || *then == DataType::Null
        || (is_coded(then) && is_coded(now))
        || (then.is_integer() && now.is_integer() && is_signed(then) == is_signed(now))
}

/// The width at which values of type `then`, stored as `stored`, lie before a reader of type `now`; `None` without values.
pub(super) fn stored_as(then: &DataType, stored: Stored, now: &DataType) -> Option<Stored> {
    match (then, serves(then, now)) {
        (DataType::Null, _) if *now != DataType::Null => None,
        (_, true) => Some(stored),
        (_, false) => Some(natural_stored(now)),
    }
}

impl Converted {
    fn new(array: &ArrayRef) -> Result<Converted> {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        Ok(Converted {
            stored: natural_stored(array.data_type()),
            values: fixed_bytes(array)?,
            validity: nulls.map(|nulls| nulls.inner().sliced()),
        })
    }
}
