//! Finds the values that differ, bit for bit, between rows of the section before and the rows that take their place.

use arrow_buffer::bit_chunk_iterator::BitChunks;
use arrow_buffer::bit_util::get_bit;
use arrow_schema::DataType;
use bytemuck::Pod;

use super::align::Pair;
use super::rows::ColumnRows;
use crate::codec::by_width;
use crate::format::Stored;

/// What a value that differs has become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turned {
    /// And was one of numbers among which NaN may be, but none, or not.
    Null {
        of_number: bool,
    },
    /// And was none.
    Nan,
    Another,
}

/// Calls `differs` for each row whose value is not the same in both, with its place, counted over all `pairs`, its row in
/// the section before, and what it has become. `block` gives the column of a block, which is of this type.
pub(crate) fn for_each_difference<'a>(
    before: Option<ColumnRows<'a>>,
    block: impl Fn(usize) -> Option<ColumnRows<'a>>,
    pairs: &[Pair],
    logical: &DataType,
    mut differs: impl FnMut(usize, usize, Turned),
) {
    let (signed, is_nan) = (logical.is_signed_integer(), |of, row| logical.is_floating() && is_nan(of, row));
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
                    let (row, row_before) = (pair.row + n, pair.before + n);
                    let had_number = || before.is_some_and(|of| of.is_valid(row_before) && !is_nan(of, row_before));
                    let turned = match now.filter(|now| now.is_valid(row)) {
                        None => Turned::Null { of_number: logical.is_floating() && had_number() },
                        Some(now) if is_nan(now, row) && had_number() => Turned::Nan,
                        Some(_) => Turned::Another,
                    };
                    differs(at + n, row_before, turned);
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
        // Codes of a block are its own.
        && before.stored == now.stored
        && before.stored != Stored::Codes
        && by_width!(
            before.stored,
            bits => same_bits(before.values, now.values, pairs),
            Width => same_values::<Width>(before.values, now.values, pairs),
        )
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

/// Whether a row of a column of floats is NaN.
fn is_nan(column: ColumnRows, row: usize) -> bool {
    match column.stored {
        Stored::Bytes4 => value(column, row).is_some_and(|bytes| f32::from_le_bytes(*bytes).is_nan()),
        Stored::Bytes8 => value(column, row).is_some_and(|bytes| f64::from_le_bytes(*bytes).is_nan()),
        _ => false,
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
        (Stored::Bytes8, Stored::Bytes8) => value::<8>(before, row) == value::<8>(now, new_row),
        (Stored::Bytes4, Stored::Bytes4) => value::<4>(before, row) == value::<4>(now, new_row),
        (a, b) if a == b => {
            let width = a.byte_len(1) as usize;
            before.values[row * width..(row + 1) * width] == now.values[new_row * width..(new_row + 1) * width]
        }
        _ => before.integers(row..row + 1, signed) == now.integers(new_row..new_row + 1, signed),
    }
}
