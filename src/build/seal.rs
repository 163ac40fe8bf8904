//! The second half of a build: pieces of blocks, mapped from the spill, become sections.

use std::ops::Range;
use std::sync::Arc;

use arrow_buffer::bit_chunk_iterator::UnalignedBitChunk;
use arrow_buffer::bit_mask::set_bits;
use arrow_buffer::bit_util::{get_bit, set_bit};

use super::gather::{Block, BlockColumn, Slot};
use super::lane::widened;
use super::spill::SpillMap;
use crate::error::Result;
use crate::format::Stored;
use crate::key::Date;
use crate::segment::{SectionBody, SegmentColumn, SegmentWriter};

/// Everything that sealing a section needs, shared by all workers.
pub(super) struct Sealer<'a> {
    pub(super) blocks: &'a [Block],
    pub(super) spill: &'a SpillMap,
    /// The version being written.
    pub(super) version: u64,
    /// Code, date, then the panel's columns.
    pub(super) columns: Arc<[SegmentColumn]>,
    /// For each input, the number of its stock.
    pub(super) stocks: Vec<u32>,
    /// For each block and panel column, the store's code for each of the block's codes.
    pub(super) codes: Vec<Vec<Vec<u32>>>,
}

/// The rows of one block on one date.
struct Piece {
    block: usize,
    rows: Range<usize>,
}

impl Sealer<'_> {
    /// Writes the sections of `dates`, which ascend, to `writer`; tells `done` after each.
    pub(super) fn seal(
        &self,
        dates: &[Date],
        writer: &mut SegmentWriter,
        mut done: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        // Blocks are walked in step with the dates: a binary search for the first, then one step a date.
        let first = dates.first().copied().unwrap_or(Date::MIN);
        let mut next: Vec<usize> =
            self.blocks.iter().map(|block| block.dates.partition_point(|&date| date < first)).collect();
        for &date in dates {
            let mut pieces = Vec::with_capacity(self.blocks.len());
            for (block, at) in next.iter_mut().enumerate() {
                if self.blocks[block].dates.get(*at) == Some(&date) {
                    let starts = &self.blocks[block].row_starts;
                    pieces.push(Piece { block, rows: starts[*at] as usize..starts[*at + 1] as usize });
                    *at += 1;
                }
            }
            let (row_count, body) = self.section(date, &pieces);
            writer.write(date, self.version, row_count, body)?;
            done()?;
        }
        Ok(())
    }

    fn section(&self, date: Date, pieces: &[Piece]) -> (u32, SectionBody) {
        let row_count: usize = pieces.iter().map(|piece| piece.rows.len()).sum();
        let layout = self.columns.iter().enumerate().map(|(index, column)| {
            let nulls = if index < 2 { 0 } else { self.null_count(index - 2, pieces) };
            (column.stored, nulls as u32)
        });
        let mut body = SectionBody::new(row_count as u32, layout);

        let codes: &mut [u32] = bytemuck::cast_slice_mut(body.values_mut(0));
        let mut at = 0;
        for piece in pieces {
            let inputs: &[u32] = bytemuck::cast_slice(self.spill.get(self.blocks[piece.block].inputs));
            for &input in &inputs[piece.rows.clone()] {
                codes[at] = self.stocks[input as usize];
                at += 1;
            }
        }
        bytemuck::cast_slice_mut::<u8, i32>(body.values_mut(1)).fill(date.days());
        for index in 2..self.columns.len() {
            self.fill_validity(index - 2, pieces, &mut body);
            self.fill_values(index - 2, pieces, &mut body);
        }
        (row_count as u32, body)
    }

    fn column(&self, column: usize, piece: &Piece) -> Option<&BlockColumn> {
        self.blocks[piece.block].columns[column].as_ref()
    }

    fn null_count(&self, column: usize, pieces: &[Piece]) -> usize {
        let nulls = |piece: &Piece| {
            let Some(block_column) = self.column(column, piece) else { return piece.rows.len() };
            let Some(validity) = block_column.validity else { return 0 };
            let bits = UnalignedBitChunk::new(self.spill.get(validity), piece.rows.start, piece.rows.len());
            piece.rows.len() - bits.count_ones()
        };
        pieces.iter().map(nulls).sum()
    }

    fn fill_validity(&self, column: usize, pieces: &[Piece], body: &mut SectionBody) {
        let Some(bits) = body.validity_mut(column + 2) else { return };
        let mut at = 0;
        for piece in pieces {
            let len = piece.rows.len();
            if let Some(block_column) = self.column(column, piece) {
                match block_column.validity {
                    Some(validity) => {
                        set_bits(bits, self.spill.get(validity), at, piece.rows.start, len);
                    }
                    None => (at..at + len).for_each(|row| set_bit(bits, row)),
                }
            }
            at += len;
        }
    }

    fn fill_values(&self, column: usize, pieces: &[Piece], body: &mut SectionBody) {
        let target = &self.columns[column + 2];
        let signed = target.logical.is_signed_integer();
        let values = body.values_mut(column + 2);
        let mut at = 0;
        for piece in pieces {
            let rows = piece.rows.clone();
            let to = at;
            at += rows.len();
            let Some(block_column) = self.column(column, piece) else { continue };
            let bytes = self.spill.get(block_column.values);
            match (block_column.stored, target.stored) {
                (Stored::Bits, Stored::Bits) => {
                    set_bits(values, bytes, to, rows.start, rows.len());
                }
                (Stored::Codes, _) => {
                    let codes: &[u32] = bytemuck::cast_slice(bytes);
                    let ours = &self.codes[piece.block][column];
                    let validity = block_column.validity.map(|validity| self.spill.get(validity));
                    let values: &mut [u32] = bytemuck::cast_slice_mut(values);
                    for (value, row) in values[to..].iter_mut().zip(rows) {
                        // A null row's code would stand for its block's first text; slots of nulls are zero.
                        if validity.is_none_or(|bits| get_bit(bits, row)) {
                            *value = ours[codes[row] as usize];
                        }
                    }
                }
                (from, stored) if from == stored => {
                    let width = stored.byte_len(1) as usize;
                    let source = &bytes[rows.start * width..rows.end * width];
                    values[to * width..to * width + source.len()].copy_from_slice(source);
                }
                (from, stored) => {
                    let integers = match from {
                        Stored::Bits => rows.map(|row| i64::from(get_bit(bytes, row))).collect(),
                        _ => {
                            let width = from.byte_len(1) as usize;
                            widened(&bytes[rows.start * width..rows.end * width], from, signed)
                        }
                    };
                    put_integers(&integers, stored, values, to);
                }
            }
        }
    }
}

/// Writes integers at the width of `stored` from row `to` on.
fn put_integers(integers: &[i64], stored: Stored, values: &mut [u8], to: usize) {
    fn each<T: Slot>(integers: &[i64], values: &mut [u8], to: usize) {
        let values: &mut [T] = bytemuck::cast_slice_mut(values);
        values[to..].iter_mut().zip(integers).for_each(|(value, &integer)| *value = T::from_bits(integer));
    }
    match stored {
        Stored::Bits | Stored::Bytes1 => each::<u8>(integers, values, to),
        Stored::Bytes2 => each::<u16>(integers, values, to),
        Stored::Bytes4 | Stored::Codes => each::<u32>(integers, values, to),
        Stored::Bytes8 => each::<u64>(integers, values, to),
        Stored::Bytes16 => each::<u128>(integers, values, to),
    }
}
