//! Finds the values that differ, bit for bit, between rows of the section before and the rows that take their place.

use arrow_buffer::bit_chunk_iterator::BitChunks;
use arrow_buffer::bit_util::get_bit;

use super::align::Pair;
use super::rows::ColumnRows;
use crate::format::Stored;

/// Calls `differs` with the place, counted over all `pairs`, of each row whose value is not the same in both. `block`
/// gives the column of a block.
pub(super) fn for_each_difference<'a>(
    before: Option<ColumnRows<'a>>,
    block: impl Fn(usize) -> Option<ColumnRows<'a>>,
    pairs: &[Pair],
    signed: bool,
    mut differs: impl FnMut(usize),
) {
    let mut at = 0;
    // Neighbouring pairs are mostly of one block.
    let mut current = None;
    for pair in pairs {
        let now = match current {
            Some((number, column)) if number == pair.block => column,
            _ => {
                let column = block(pair.block);
                current = Some((pair.block, column));
                column
            }
        };
        if !surely_equal(before, now, pair) {
            for n in 0..pair.len {
                if !equal(before, pair.before + n, now, pair.row + n, signed) {
                    differs(at + n);
                }
            }
        }
        at += pair.len;
    }
}

/// Whether the bytes of all rows are the same at a glance. Slots of nulls are zero on both sides.
fn surely_equal(before: Option<ColumnRows>, now: Option<ColumnRows>, pair: &Pair) -> bool {
    let (Some(before), Some(now)) = (before, now) else { return before.is_none() && now.is_none() };
    if before.stored != now.stored || now.codes.is_some() || pair.len < 8 {
        return false;
    }
    let same_bits = |a: &[u8], b: &[u8]| {
        let (a, b) = (BitChunks::new(a, pair.before, pair.len), BitChunks::new(b, pair.row, pair.len));
        a.remainder_bits() == b.remainder_bits() && a.iter().eq(b.iter())
    };
    let same_validity = match (before.validity, now.validity) {
        (None, None) => true,
        (Some(a), Some(b)) => same_bits(a, b),
        _ => false,
    };
    same_validity
        && match before.stored {
            Stored::Bits => same_bits(before.values, now.values),
            stored => {
                let width = stored.byte_len(1) as usize;
                let bytes = |row: usize| row * width..(row + pair.len) * width;
                before.values[bytes(pair.before)] == now.values[bytes(pair.row)]
            }
        }
}

fn equal(before: Option<ColumnRows>, row: usize, now: Option<ColumnRows>, new_row: usize, signed: bool) -> bool {
    let before = before.filter(|column| column.is_valid(row));
    let now = now.filter(|column| column.is_valid(new_row));
    let (before, now) = match (before, now) {
        (None, None) => return true,
        (Some(before), Some(now)) => (before, now),
        _ => return false,
    };
    let code = |column: ColumnRows, row: usize| {
        let codes: &[u32] = bytemuck::cast_slice(column.values);
        column.codes.map_or(codes[row], |ours| ours[codes[row] as usize])
    };
    match (before.stored, now.stored) {
        (Stored::Codes, Stored::Codes) => code(before, row) == code(now, new_row),
        (Stored::Bits, Stored::Bits) => get_bit(before.values, row) == get_bit(now.values, new_row),
        (a, b) if a == b => {
            let width = a.byte_len(1) as usize;
            before.values[row * width..(row + 1) * width] == now.values[new_row * width..(new_row + 1) * width]
        }
        _ => before.integers(row..row + 1, signed) == now.integers(new_row..new_row + 1, signed),
    }
}
