//! Finds the values that differ, bit for bit, between rows of the section before and the rows that take their place.

use arrow_buffer::bit_chunk_iterator::BitChunks;
use arrow_buffer::bit_util::get_bit;
use bytemuck::Pod;

use super::align::Pair;
use super::rows::ColumnRows;
use crate::format::Stored;

/// Calls `differs` for each row whose value is not the same in both, with its place, counted over all `pairs`, its row in
/// the section before, and whether it has a value now. `block` gives the column of a block.
pub(crate) fn for_each_difference<'a>(
    before: Option<ColumnRows<'a>>,
    block: impl Fn(usize) -> Option<ColumnRows<'a>>,
    pairs: &[Pair],
    signed: bool,
    mut differs: impl FnMut(usize, usize, bool),
) {
    let mut at = 0;
    for pairs in pairs.chunk_by(|a, b| a.block == b.block) {
        let now = block(pairs[0].block);
        if surely_equal(before, now, pairs) {
            at += pairs.iter().map(|pair| pair.len).sum::<usize>();
            continue;
        }
        for pair in pairs {
            for n in 0..pair.len {
                if !equal(before, pair.before + n, now, pair.row + n, signed) {
                    differs(at + n, pair.before + n, now.is_some_and(|now| now.is_valid(pair.row + n)));
                }
            }
            at += pair.len;
        }
    }
}

/// Whether the bytes of all rows are the same at a glance. Slots of nulls are zero on both sides.
///
/// Rows of few stocks lie far apart in a section, and fetching them is all the work there is: one simple loop for each
/// width lets the processor fetch many at once.
fn surely_equal(before: Option<ColumnRows>, now: Option<ColumnRows>, pairs: &[Pair]) -> bool {
    let (Some(before), Some(now)) = (before, now) else { return before.is_none() && now.is_none() };
    let same_validity = match (before.validity, now.validity) {
        (None, None) => true,
        (Some(a), Some(b)) => same_bits(a, b, pairs),
        _ => false,
    };
    same_validity
        && match (before.stored, now.stored) {
            // Codes of a block are its own.
            (Stored::Codes, _) | (_, Stored::Codes) => false,
            (Stored::Bits, Stored::Bits) => same_bits(before.values, now.values, pairs),
            (Stored::Bytes1, Stored::Bytes1) => same_values::<u8>(before.values, now.values, pairs),
            (Stored::Bytes2, Stored::Bytes2) => same_values::<u16>(before.values, now.values, pairs),
            (Stored::Bytes4, Stored::Bytes4) => same_values::<u32>(before.values, now.values, pairs),
            (Stored::Bytes8, Stored::Bytes8) => same_values::<u64>(before.values, now.values, pairs),
            (Stored::Bytes16, Stored::Bytes16) => same_values::<u128>(before.values, now.values, pairs),
            _ => false,
        }
}

fn same_bits(a: &[u8], b: &[u8], pairs: &[Pair]) -> bool {
    pairs.iter().all(|pair| match pair.len {
        1 => get_bit(a, pair.before) == get_bit(b, pair.row),
        len => {
            let (a, b) = (BitChunks::new(a, pair.before, len), BitChunks::new(b, pair.row, len));
            a.remainder_bits() == b.remainder_bits() && a.iter().eq(b.iter())
        }
    })
}

fn same_values<T: Pod + Eq>(a: &[u8], b: &[u8], pairs: &[Pair]) -> bool {
    let (Ok(a), Ok(b)) = (bytemuck::try_cast_slice::<u8, T>(a), bytemuck::try_cast_slice::<u8, T>(b)) else {
        return false;
    };
    pairs.iter().all(|pair| match pair.len {
        1 => a[pair.before] == b[pair.row],
        len => a[pair.before..pair.before + len] == b[pair.row..pair.row + len],
    })
}

/// The bytes of a value of this width.
fn value<const WIDTH: usize>(column: ColumnRows<'_>, row: usize) -> Option<&[u8; WIDTH]> {
    column.values.get(row * WIDTH..)?.first_chunk()
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
        (Stored::Bytes8, Stored::Bytes8) => value::<8>(before, row) == value::<8>(now, new_row),
        (Stored::Bytes4, Stored::Bytes4) => value::<4>(before, row) == value::<4>(now, new_row),
        (a, b) if a == b => {
            let width = a.byte_len(1) as usize;
            before.values[row * width..(row + 1) * width] == now.values[new_row * width..(new_row + 1) * width]
        }
        _ => before.integers(row..row + 1, signed) == now.integers(new_row..new_row + 1, signed),
    }
}
