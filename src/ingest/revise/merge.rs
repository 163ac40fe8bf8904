//! Which small segments are written again together with the sections that an update writes. Pure.

use crate::ingest::gather::plan::SEGMENT_LEN;

/// So many segments of one class, the new one included, become one of a higher class.
const MERGED_AT_ONCE: usize = 16;

/// Bytes of the smallest class.
const SMALLEST: u64 = 1 << 20;

/// The class of a segment with so many bytes of sections in use: 0 up to 1 MiB, then one more for each factor of 16;
/// `None` for one that is large enough to be left alone.
fn class(len: u64) -> Option<u32> {
    let beyond = len.div_ceil(SMALLEST).saturating_sub(1);
    let class = beyond.checked_ilog2().map_or(0, |log| log / MERGED_AT_ONCE.ilog2() + 1);
    (len < SEGMENT_LEN / 2).then_some(class)
}

/// The numbers of the segments to merge into a new one of `new_len` bytes, given the bytes in use of each segment.
///
/// Sixteen segments of one class are merged. So a section that is written once is written again at most twice, there
/// are never more than fifteen segments of a class, and what a segment holds of sections that were replaced is given
/// back once little of it is in use.
pub(in crate::ingest) fn merged(live_lens: &[u64], new_len: u64) -> Vec<usize> {
    let mut merged: Vec<usize> = Vec::new();
    let mut len = new_len;
    loop {
        let of_class = |&(number, &live): &(usize, &u64)| {
            live > 0 && class(live).is_some() && class(live) == class(len) && !merged.contains(&number)
        };
        let group: Vec<usize> = live_lens.iter().enumerate().filter(of_class).map(|(number, _)| number).collect();
        if group.len() + 1 < MERGED_AT_ONCE {
            return merged;
        }
        len += group.iter().map(|&number| live_lens[number]).sum::<u64>();
        merged.extend(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_grow_by_sixteen_and_end_where_segments_are_large() {
        let mib = |count: u64| class(count << 20);
        assert_eq!((class(0), class(1), mib(1)), (Some(0), Some(0), Some(0)));
        assert_eq!((class((1 << 20) + 1), mib(2), mib(16)), (Some(1), Some(1), Some(1)));
        assert_eq!((mib(17), mib(63)), (Some(2), Some(2)));
        assert_eq!((mib(64), mib(1000)), (None, None));
    }

    #[test]
    fn fifteen_small_segments_wait_for_the_sixteenth() {
        let small = vec![460_000; 15];
        assert!(merged(&small[..14], 460_000).is_empty());
        assert_eq!(merged(&small, 460_000), (0..15).collect::<Vec<_>>());
    }

    #[test]
    fn a_merge_sets_off_the_next_and_leaves_large_and_empty_segments_alone() {
        let mut lens = vec![460_000; 15];
        lens.extend([7_000_000; 15]);
        lens.extend([128 << 20, 0]);
        assert_eq!(merged(&lens, 460_000), (0..30).collect::<Vec<_>>());
        assert!(merged(&lens, 100 << 20).is_empty());
    }

    /// 250 nights of one new date each.
    #[test]
    fn a_year_of_appends_leaves_few_segments_and_writes_little_twice() {
        let mut lens: Vec<u64> = vec![128 << 20; 12];
        let (mut written, mut most) = (0, 0);
        for _ in 0..250 {
            let group = merged(&lens, 460_000);
            let len = 460_000 + group.iter().map(|&number| lens[number]).sum::<u64>();
            lens = lens.iter().enumerate().filter(|(n, _)| !group.contains(n)).map(|(_, &len)| len).collect();
            lens.push(len);
            written += len;
            most = most.max(lens.len() - 12);
        }
        assert_eq!(lens.iter().sum::<u64>(), 12 * (128 << 20) + 250 * 460_000);
        assert!(most <= 31 && written < 3 * 250 * 460_000, "{most} segments, {written} bytes written");
    }
}
