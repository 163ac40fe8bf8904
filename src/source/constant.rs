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
use parquet::basic::{CompressionCodec, Type as PhysicalType};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::content::Content;
use super::pages::{Encoding, Page, PageKind, check_chunk, page_header};

/// Unpacked bytes of a page, at most: two counts and two values are enough for any number of equal rows.
const PAGE: usize = 256;

/// The one value of a flat column of numbers, as an array of one row of the column's type; `None` where rows differ,
/// one is null, or only the decoder can tell.
pub(super) fn constant(
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
    let is_optional = descriptor.max_def_level() == 1;
    let mut entry: Option<Vec<u8>> = None;
    let mut rows = 0;
    for group in metadata.row_groups() {
        let (found, count) = constant_chunk(content, group.columns().get(leaf)?, is_optional)?;
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
fn constant_chunk(content: &Content, chunk: &ColumnChunkMetaData, is_optional: bool) -> Option<(Vec<u8>, usize)> {
    let (start, len) = chunk.byte_range();
    let end = start.checked_add(len)?;
    let codec = chunk.compression_codec();
    let mut unpacked = [0; PAGE];

    let dictionary = page_header(content, start, end)?;
    if dictionary.kind != PageKind::Dictionary || dictionary.values != 1 || dictionary.encoding == Encoding::Other {
        return None;
    }
    let mut at = start + dictionary.header_len;
    let entry = body(content, &dictionary, at, codec, &mut unpacked)?.to_vec();
    at += u64::try_from(dictionary.compressed).ok()?;

    let total = usize::try_from(chunk.num_values()).ok()?;
    let mut rows = 0;
    while rows < total {
        let page = page_header(content, at, end)?;
        if page.kind != PageKind::Data || page.encoding != Encoding::Dictionary || !page.has_plain_levels {
            return None;
        }
        let count = usize::try_from(page.values).ok()?;
        let mut rest = body(content, &page, at + page.header_len, codec, &mut unpacked)?;
        if is_optional {
            let (len, levels) = rest.split_first_chunk()?;
            let (levels, values) = levels.split_at_checked(u32::from_le_bytes(*len) as usize)?;
            if !all_are(levels, 1, true, count) {
                return None;
            }
            rest = values;
        }
        let (&width, indices) = rest.split_first()?;
        if !all_are(indices, width, false, count) {
            return None;
        }
        rows += count;
        at = at.checked_add(page.header_len)?.checked_add(u64::try_from(page.compressed).ok()?)?;
    }
    check_chunk(content, chunk).ok()?;
    // What follows is the decoder's to judge.
    (rows == total && at == end).then_some((entry, rows))
}

/// The bytes of a page, unpacked. `None` also where they do not match their checksum.
fn body<'a>(
    content: &Content,
    page: &Page,
    at: u64,
    codec: CompressionCodec,
    unpacked: &'a mut [u8; PAGE],
) -> Option<&'a [u8]> {
    let len = usize::try_from(page.uncompressed).ok().filter(|len| *len <= PAGE)?;
    let packed = content.range(at, usize::try_from(page.compressed).ok().filter(|len| *len <= 2 * PAGE)?).ok()?;
    if page.checksum.is_some_and(|checksum| checksum != crc32fast::hash(&packed)) {
        return None;
    }
    match codec {
        CompressionCodec::UNCOMPRESSED if packed.len() == len => unpacked[..len].copy_from_slice(&packed),
        CompressionCodec::SNAPPY if snap::raw::decompress_len(&packed) == Ok(len) => {
            snap::raw::Decoder::new().decompress(&packed, &mut unpacked[..len]).ok()?;
        }
        _ => return None,
    }
    Some(&unpacked[..len])
}

/// Whether `count` numbers of `width` bits, coded as runs and packed groups, are all `1`, or else all `0`.
fn all_are(mut bytes: &[u8], width: u8, ones: bool, count: usize) -> bool {
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
