//! Finds columns that hold one value in all rows, without decoding the rows: dummies, most of which never change.
//!
//! The pages alone decide, not the statistics: the dictionary has one entry, every page of rows is coded by it, and its
//! few bytes say "present" and "entry 0" for each row. Whatever is not surely of this form is left to the decoder, and
//! so is every complaint.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, PrimitiveArray};
use arrow_schema::DataType;
use bytemuck::Pod;
use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::column::page::Page;
use parquet::file::metadata::ParquetMetaData;

use super::chunks::extent;
use super::contents::split;
use super::pages::{Extent, Need, PageKind, Pages, page_header};
use crate::source::content::Content;

/// Bytes of a page, at most: two counts and two values are enough for any number of equal rows.
const PAGE: u64 = 512;

/// The one value of a flat column of numbers, as an array of one row of the column's type; `None` where rows differ,
/// one is null, or only the decoder can tell.
pub(in crate::source) fn constant(
    content: &Content,
    metadata: &ParquetMetaData,
    leaf: usize,
    data_type: &DataType,
    row_count: usize,
) -> Option<ArrayRef> {
    type One = fn(&[u8]) -> Option<ArrayRef>;
    let (physical, one): (PhysicalType, One) = match data_type {
        DataType::Int8 => (PhysicalType::INT32, narrow::<Int8Type>),
        DataType::Int16 => (PhysicalType::INT32, narrow::<Int16Type>),
        DataType::UInt8 => (PhysicalType::INT32, narrow::<UInt8Type>),
        DataType::UInt16 => (PhysicalType::INT32, narrow::<UInt16Type>),
        DataType::Int32 => (PhysicalType::INT32, same_bits::<Int32Type>),
        DataType::UInt32 => (PhysicalType::INT32, same_bits::<UInt32Type>),
        DataType::Int64 => (PhysicalType::INT64, same_bits::<Int64Type>),
        DataType::UInt64 => (PhysicalType::INT64, same_bits::<UInt64Type>),
        DataType::Float32 => (PhysicalType::FLOAT, same_bits::<Float32Type>),
        DataType::Float64 => (PhysicalType::DOUBLE, same_bits::<Float64Type>),
        _ => return None,
    };
    let descriptor = metadata.file_metadata().schema_descr().column(leaf);
    if descriptor.physical_type() != physical || descriptor.max_rep_level() > 0 || descriptor.max_def_level() > 1 {
        return None;
    }
    let mut entry: Option<Vec<u8>> = None;
    let mut rows = 0;
    for group in metadata.row_groups() {
        let (found, count) = constant_chunk(content, extent(group, leaf)?)?;
        if entry.as_ref().is_some_and(|known| *known != found) {
            return None;
        }
        entry = Some(found);
        rows += count;
    }
    if rows == row_count { one(&entry?) } else { None }
}

/// A value that the file holds at the width of `T`.
fn same_bits<T: ArrowPrimitiveType<Native: Pod>>(entry: &[u8]) -> Option<ArrayRef> {
    let value: T::Native = bytemuck::try_pod_read_unaligned(entry).ok()?;
    Some(Arc::new(PrimitiveArray::<T>::new(vec![value].into(), None)))
}

/// A value that the file holds in four bytes, and `T` in fewer.
fn narrow<T: ArrowPrimitiveType<Native: TryFrom<i32>>>(entry: &[u8]) -> Option<ArrayRef> {
    let value: i32 = bytemuck::try_pod_read_unaligned(entry).ok()?;
    Some(Arc::new(PrimitiveArray::<T>::new(vec![T::Native::try_from(value).ok()?].into(), None)))
}

/// The bytes of the one value of a chunk, and its number of rows.
fn constant_chunk(content: &Content, chunk: Extent) -> Option<(Vec<u8>, usize)> {
    let header = page_header(content, chunk.start, chunk.end)?;
    if !matches!(header.kind, PageKind::Dictionary { values: 1, .. }) {
        return None;
    }
    let mut pages = Pages::new(content.clone(), chunk);
    let mut next = || pages.next(Need::of_at_most(PAGE)).ok()?.map(|checked| checked.page);
    let Page::DictionaryPage { buf: entry, .. } = next()? else { return None };
    let rows = usize::try_from(chunk.rows).ok()?;
    let mut left = rows;
    while left > 0 {
        let Page::DataPage { buf, num_values, encoding, .. } = next()? else { return None };
        if !matches!(encoding, Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY) {
            return None;
        }
        let (levels, indices) = split(chunk.leaf, &buf)?;
        let count = num_values as usize;
        let (&width, indices) = indices.split_first()?;
        if chunk.leaf.is_optional && !all_are(levels, 1, true, count) || !all_are(indices, width, false, count) {
            return None;
        }
        left = left.checked_sub(count)?;
    }
    Some((entry.to_vec(), rows))
}

/// Whether `count` numbers of `width` bits, coded as runs and packed groups, are all `1`, or else all `0`.
pub(super) fn all_are(mut bytes: &[u8], width: u8, ones: bool, count: usize) -> bool {
    let mut left = count;
    while left > 0 {
        let Some((head, rest)) = varint(bytes) else { return false };
        let run = (head >> 1) as usize;
        let (len, expected) = if head & 1 == 0 {
            (usize::from(width).div_ceil(8), u8::from(ones))
        } else {
            (run.saturating_mul(usize::from(width)), if ones { 0xff } else { 0 })
        };
        // A packed group of ones is told apart from other numbers by its bits only at a width of one.
        if run == 0 || (ones && width != 1) || width > 32 {
            return false;
        }
        let Some((values, rest)) = rest.split_at_checked(len) else { return false };
        let held = if head & 1 == 0 { run } else { run.saturating_mul(8) };
        // What fills the last group up does not count, and need not be as expected.
        let whole = if head & 1 == 1 && ones { left.min(held) / 8 } else { len };
        if values[..whole].iter().any(|&value| value != expected) {
            return false;
        }
        if let Some(last) = values.get(whole) {
            let mask = (1u8 << (left % 8)) - 1;
            if last & mask != mask {
                return false;
            }
        }
        left -= left.min(held);
        bytes = rest;
    }
    true
}

fn varint(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut number = 0u32;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        number |= u32::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_groups_are_told_from_what_differs_in_one_number() {
        // A run of 1000.
        let run = |value: u8| vec![0xd0, 0x0f, value];
        assert!(all_are(&run(1), 1, true, 1000) && all_are(&run(0), 1, false, 1000));
        assert!(!all_are(&run(1), 1, false, 1000) && !all_are(&run(0), 1, true, 1000));
        assert!(!all_are(&run(1), 1, true, 1001), "one is not there");
        // Two groups of eight, of which twelve numbers count.
        assert!(all_are(&[5, 0xff, 0x0f], 1, true, 12));
        assert!(!all_are(&[5, 0xff, 0x07], 1, true, 12) && !all_are(&[5, 0xfe, 0x0f], 1, true, 12));
        assert!(all_are(&[3, 0, 0, 0], 3, false, 8) && !all_are(&[3, 0, 0, 1], 3, false, 8));
        // A run, then a group.
        assert!(all_are(&[20, 1, 3, 0x3f], 1, true, 16) && !all_are(&[20, 1, 3, 0x1f], 1, true, 16));
        // Numbers of no bits are counted like others.
        assert!(all_are(&[0xd0, 0x0f], 0, false, 1000) && !all_are(&[0xc0, 0x0f], 0, false, 1000));
        for damaged in [&[][..], &[0x80], &[0], &[1], &[20], &[3], &[0xff, 0xff, 0xff, 0xff, 0xff]] {
            assert!(!all_are(damaged, 1, true, 10) && !all_are(damaged, 1, false, 10), "{damaged:?}");
        }
    }
}
