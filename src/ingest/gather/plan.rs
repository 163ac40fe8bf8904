//! What a build does, decided from metadata alone: which inputs make one task, which sections make one segment.

use std::ops::Range;

use crate::format::ChunkRecord;
use crate::remedy::{Remedy, Setting};
use crate::segment::SegmentColumn;

/// About how many bytes of sections one segment holds, at most. Large enough that a store has few files, small enough that
/// segments keep several workers busy.
pub(in crate::ingest) const SEGMENT_LEN: u64 = 128 << 20;

/// Splits inputs of these decoded lengths into contiguous ranges of about equal length, at most `count`.
pub(in crate::ingest) fn tasks(decoded_lens: &[u64], count: usize) -> Vec<Range<usize>> {
    // Footers may claim anything.
    let total: u128 = decoded_lens.iter().map(|len| u128::from(*len)).sum();
    split(decoded_lens.iter().copied(), total.div_ceil(count.max(1) as u128).max(1))
}

/// Splits sections with these row counts into the ranges that make one segment each, all of about the same length: no
/// worker waits long for the others. Depends on nothing but the panel, so that the bytes of a store do not depend on
/// memory or workers.
pub(in crate::ingest) fn segments(row_counts: &[u32], bits_per_row: u64) -> Vec<Range<usize>> {
    let lens = row_counts.iter().map(|&rows| u64::from(rows) * bits_per_row / 8);
    let total: u64 = lens.clone().sum();
    split(lens, total.div_ceil(total.div_ceil(SEGMENT_LEN).max(1)).max(1).into())
}

/// Bits of one row of a segment with these columns, validity aside.
pub(in crate::ingest) fn bits_per_row(columns: &[SegmentColumn]) -> u64 {
    columns.iter().map(|column| column.stored.byte_len(8)).sum()
}

/// Contiguous ranges, each closed by the item with which it reaches `target`, the last one by the last item. Items without
/// a length make no range of their own behind others.
fn split(lens: impl ExactSizeIterator<Item = u64>, target: u128) -> Vec<Range<usize>> {
    let count = lens.len();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let (mut start, mut sum) = (0, 0u128);
    for (at, len) in lens.enumerate() {
        sum += u128::from(len);
        match ranges.last_mut() {
            Some(last) if at + 1 == count && sum == 0 => last.end = count,
            _ if sum >= target || at + 1 == count => {
                ranges.push(start..at + 1);
                (start, sum) = (at + 1, 0);
            }
            _ => {}
        }
    }
    ranges
}

/// What is wrong, and the way out, where `memory` does not hold the list of where each of `columns` lies on `dates`.
pub(in crate::ingest) fn too_long(dates: usize, columns: usize, memory: u64) -> Option<(String, Remedy)> {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    // Once as it is made, and once more as it is written.
    let len = (dates as u64).saturating_mul(columns as u64).saturating_mul(2 * size_of::<ChunkRecord>() as u64);
    (len > memory).then(|| {
        let what = format!(
            "the list of where {columns} columns lie on {dates} dates would take {} MiB, more than the memory, which is {} MiB",
            mib(len),
            mib(memory),
        );
        (what, Remedy::set(Setting::Memory(mib(len) << 20), "allows it"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_in_exactly_one_range_in_order() {
        for lens in [
            vec![],
            vec![0],
            vec![5, 0, 0, 5, 100, 1],
            vec![5, 0, 0],
            vec![0, 0],
            vec![u64::MAX, u64::MAX, 1],
            vec![1; 1000],
        ] {
            for count in [1, 2, 3, 1000] {
                let ranges = tasks(&lens, count);
                let items: Vec<usize> = ranges.iter().cloned().flatten().collect();
                assert_eq!(items, (0..lens.len()).collect::<Vec<_>>());
                assert!(ranges.iter().all(|range| !range.is_empty()) && ranges.len() <= count, "{ranges:?}");
            }
        }
    }

    #[test]
    fn segments_are_about_equal_and_none_is_longer_than_it_may_be_by_more_than_a_section() {
        let counts = |row_counts: &[u32], bits| -> Vec<usize> {
            segments(row_counts, bits).iter().map(ExactSizeIterator::len).collect()
        };
        assert_eq!(counts(&[1 << 20; 16], 64), [16]);
        assert_eq!(counts(&[1 << 20; 17], 64), [9, 8]);
        assert_eq!(counts(&[1 << 20; 33], 64), [11, 11, 11]);
        assert_eq!(counts(&[1, 5], 1), [2]);
        assert!(counts(&[], 64).is_empty());
    }

    #[test]
    fn tasks_are_about_equal() {
        let ranges = tasks(&vec![10; 100], 4);
        assert_eq!(ranges, [0..25, 25..50, 50..75, 75..100]);
    }
}
