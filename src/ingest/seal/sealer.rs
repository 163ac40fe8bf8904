//! The second half of a build or an update: runs of blocks, mapped from the spill, and of the section before become
//! a section.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_buffer::bit_chunk_iterator::UnalignedBitChunk;
use arrow_buffer::bit_util::set_bit;

use super::before::Before;
use crate::codec::{Slot, by_width, copy_bits};
use crate::compare::{ColumnRows, Origin, Run};
use crate::error::{Damage, Result};
use crate::format::{ChunkLayout, Stored};
use crate::key::Date;
use crate::segment::{BatchBody, ChunkMut, Room, SegmentColumn, chunk_array, filled_chunk};
use crate::shuffle::Gathering;

/// Everything that sealing a piece needs, shared by all workers.
pub(in crate::ingest) struct Sealer<'a> {
    pub(in crate::ingest) gathering: Gathering<'a>,
    /// Code, date, then the source's columns.
    pub(in crate::ingest) columns: Arc<[SegmentColumn]>,
}

impl Sealer<'_> {
    /// A batch of rows of `date`, those of `runs`, which are in key order; `before` is what some may lie in. It has the
    /// columns at `which` of the sealer's, and is put together in `room`.
    ///
    /// # Errors
    /// When the room is a file, and that cannot be written.
    pub(in crate::ingest) fn batch(
        &self,
        date: Date,
        runs: &[Run],
        before: Option<&Before>,
        which: &[usize],
        room: &Room,
    ) -> Result<BatchBody> {
        let row_count: usize = runs.iter().map(|run| run.rows.len()).sum();
        // Those of one column at a time: of many columns and blocks all together would take far more than the rows.
        let sources = |index: usize| if index < 2 { Vec::new() } else { self.sources(index - 2, runs, before) };
        let layout = which.iter().map(|&index| {
            let nulls: usize = sources(index).iter().map(Source::null_count).sum();
            (self.columns[index].stored, nulls as u32)
        });
        BatchBody::filled(row_count as u32, layout, room, |at, mut chunk| match which[at] {
            0 => self.fill_codes(runs, before, bytemuck::cast_slice_mut(chunk.values())),
            1 => bytemuck::cast_slice_mut::<u8, i32>(chunk.values()).fill(date.days()),
            index => {
                let sources = sources(index);
                fill_validity(&sources, &mut chunk);
                fill_values(&sources, &self.columns[index], chunk.values());
            }
        })
    }

    /// The stock number of each row.
    fn fill_codes(&self, runs: &[Run], before: Option<&Before>, codes: &mut [u32]) {
        let mut at = 0;
        for run in runs {
            let to = &mut codes[at..at + run.rows.len()];
            match (run.origin, before) {
                (Origin::Block(block), _) => {
                    let stocks = self.gathering.stocks(block, run.rows.clone());
                    to.iter_mut().zip(stocks).for_each(|(code, stock)| *code = stock);
                }
                (Origin::Before, Some(before)) => to.copy_from_slice(&before.stock_numbers()[run.rows.clone()]),
                (Origin::Before, None) => {}
            }
            at += to.len();
        }
    }

    /// A panel column of the rows of `runs` as a section holds it.
    ///
    /// # Errors
    /// When a code lies outside its dictionary, as those of a damaged section may.
    pub(in crate::ingest) fn column_of(
        &self,
        column: usize,
        runs: &[Run],
        before: Option<&Before>,
    ) -> Result<ArrayRef, Damage> {
        let row_count: usize = runs.iter().map(|run| run.rows.len()).sum();
        let (sources, target) = (self.sources(column, runs, before), &self.columns[column + 2]);
        let null_count = sources.iter().map(Source::null_count).sum::<usize>() as u32;
        let layout = ChunkLayout::new(target.stored, row_count as u32, null_count);
        let chunk = filled_chunk(&layout, |mut chunk| {
            fill_validity(&sources, &mut chunk);
            fill_values(&sources, target, chunk.values());
        });
        chunk_array(target, target.dictionary.as_ref(), row_count as u32, null_count, &chunk)
    }

    /// A panel column of each run.
    fn sources<'s>(&'s self, column: usize, runs: &[Run], before: Option<&'s Before>) -> Vec<Source<'s>> {
        let source = |run: &Run| Source { column: self.column(column, run.origin, before), rows: run.rows.clone() };
        runs.iter().map(source).collect()
    }

    /// A panel column of an origin; `None` when it has no value there.
    pub(in crate::ingest) fn column<'s>(
        &'s self,
        column: usize,
        origin: Origin,
        before: Option<&'s Before>,
    ) -> Option<ColumnRows<'s>> {
        match origin {
            Origin::Block(block) => self.gathering.column(block, column),
            Origin::Before => before?.column(column),
        }
    }
}

/// One column of one run.
struct Source<'a> {
    column: Option<ColumnRows<'a>>,
    rows: Range<usize>,
}

impl Source<'_> {
    fn null_count(&self) -> usize {
        let Some(column) = self.column else { return self.rows.len() };
        let Some(validity) = column.validity else { return 0 };
        self.rows.len() - UnalignedBitChunk::new(validity, self.rows.start, self.rows.len()).count_ones()
    }
}

fn fill_validity(sources: &[Source], chunk: &mut ChunkMut) {
    let Some(bits) = chunk.validity() else { return };
    let mut at = 0;
    for Source { column, rows } in sources {
        match column.map(|column| column.validity) {
            Some(Some(validity)) => {
                copy_bits(validity, rows.clone(), bits, at);
            }
            Some(None) => (at..at + rows.len()).for_each(|row| set_bit(bits, row)),
            None => {}
        }
        at += rows.len();
    }
}

fn fill_values(sources: &[Source], target: &SegmentColumn, values: &mut [u8]) {
    let signed = target.logical.is_signed_integer();
    let mut to = 0;
    for Source { column, rows } in sources {
        if let Some(column) = column {
            fill_run(column, rows.clone(), target.stored, signed, values, to);
        }
        to += rows.len();
    }
}

/// Writes the values of `rows` at the width of `stored` from row `to` on.
fn fill_run(from: &ColumnRows, rows: Range<usize>, stored: Stored, signed: bool, values: &mut [u8], to: usize) {
    match (from.stored, stored, from.codes) {
        (Stored::Bits, Stored::Bits, _) => {
            copy_bits(from.values, rows, values, to);
        }
        (Stored::Codes, _, Some(ours)) => {
            let codes: &[u32] = bytemuck::cast_slice(from.values);
            let values: &mut [u32] = bytemuck::cast_slice_mut(values);
            for (value, row) in values[to..].iter_mut().zip(rows) {
                // A null row's code would stand for its block's first text; slots of nulls are zero.
                if from.is_valid(row) {
                    *value = ours[codes[row] as usize];
                }
            }
        }
        (narrow, wide, _) if narrow == wide => {
            let width = stored.byte_len(1) as usize;
            let source = &from.values[rows.start * width..rows.end * width];
            values[to * width..to * width + source.len()].copy_from_slice(source);
        }
        (..) => put_integers(&from.integers(rows, signed), stored, values, to),
    }
}

/// Writes integers at the width of `stored` from row `to` on.
fn put_integers(integers: &[i64], stored: Stored, values: &mut [u8], to: usize) {
    fn each<T: Slot>(integers: &[i64], values: &mut [u8], to: usize) {
        let values: &mut [T] = bytemuck::cast_slice_mut(values);
        values[to..].iter_mut().zip(integers).for_each(|(value, &integer)| *value = T::from_bits(integer));
    }
    by_width!(stored, bits => each::<u8>(integers, values, to), Width => each::<Width>(integers, values, to));
}
