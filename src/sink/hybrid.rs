//! Parquet's runs: numbers of few bits, repeated or packed. Levels and the indices of dictionary pages are written so.

/// A packed group holds so many numbers; runs that are shorter are packed, too.
const GROUP: usize = 8;

/// Appends a number in the variable-length form of run headers.
pub(super) fn put_varint(page: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        page.push(number as u8 | 0x80);
        number >>= 7;
    }
    page.push(number as u8);
}

/// Appends bits as one packed run of width 1: groups of eight, least significant first, which is how Arrow keeps them.
pub(super) fn put_bits(page: &mut Vec<u8>, bits: &[u8], len: usize) {
    let groups = len.div_ceil(GROUP);
    put_varint(page, (groups as u64) << 1 | 1);
    page.extend_from_slice(&bits[..groups]);
    // What lies beyond the last row may be others'.
    if let (Some(last), used @ 1..) = (page.last_mut(), len % GROUP) {
        *last &= (1 << used) - 1;
    }
}

/// Appends `len` times the same number of `width` bits.
pub(super) fn put_repeated(page: &mut Vec<u8>, number: u32, len: usize, width: u32) {
    put_varint(page, (len as u64) << 1);
    page.extend_from_slice(&number.to_le_bytes()[..width.div_ceil(8) as usize]);
}

/// Appends numbers of at most `width` bits.
pub(super) fn put_numbers(page: &mut Vec<u8>, numbers: &[u32], width: u32) {
    // What is to be packed begins here; it is a whole number of groups when a repeated run begins.
    let mut packed = 0;
    // A run that is long enough to be repeated has two numbers this far apart, one of them at a multiple of it.
    const STEP: usize = GROUP / 2;
    let mut at = 0;
    while at + STEP < numbers.len() {
        let number = numbers[at];
        if numbers[at + STEP] != number {
            at += STEP;
            continue;
        }
        let is_like = |other: &&u32| **other == number;
        let start = at - numbers[packed..at].iter().rev().take_while(is_like).count();
        let end = at + numbers[at..].iter().take_while(is_like).count();
        let filled = (packed + (start - packed).next_multiple_of(GROUP)).min(end);
        if end - filled >= GROUP {
            put_packed(page, &numbers[packed..filled], width);
            put_repeated(page, number, end - filled, width);
            packed = end;
        }
        at = end.next_multiple_of(STEP);
    }
    put_packed(page, &numbers[packed..], width);
}

/// Appends numbers as one packed run, its last group filled with zeroes.
fn put_packed(page: &mut Vec<u8>, numbers: &[u32], width: u32) {
    if numbers.is_empty() {
        return;
    }
    let groups = numbers.len().div_ceil(GROUP);
    put_varint(page, (groups as u64) << 1 | 1);
    let end = page.len() + groups * width as usize;
    page.reserve(groups * width as usize + size_of::<u32>());
    let (mut bits, mut held) = (0u64, 0);
    for &number in numbers {
        bits |= u64::from(number) << held;
        held += width;
        if held >= u32::BITS {
            page.extend_from_slice(&(bits as u32).to_le_bytes());
            bits >>= u32::BITS;
            held -= u32::BITS;
        }
    }
    page.extend_from_slice(&(bits as u32).to_le_bytes());
    page.resize(end, 0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads runs as the format describes them.
    fn read(mut page: &[u8], width: u32, count: usize) -> Vec<u32> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            let (mut header, mut shift) = (0u64, 0);
            loop {
                let byte = page[0];
                page = &page[1..];
                header |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            let (len, is_packed) = ((header >> 1) as usize, header & 1 == 1);
            if is_packed {
                let bit = |at: usize| u32::from(page[at / 8] >> (at % 8) & 1);
                let number = |n: usize| (0..width as usize).map(|b| bit(n * width as usize + b) << b).sum::<u32>();
                numbers.extend((0..len * GROUP).map(number));
                page = &page[len * width as usize..];
            } else {
                let bytes = width.div_ceil(8) as usize;
                let number = page[..bytes].iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte));
                numbers.extend(std::iter::repeat_n(number, len));
                page = &page[bytes..];
            }
        }
        assert!(page.is_empty(), "{} bytes are left", page.len());
        assert!(numbers[count..].iter().all(|&number| number == 0) && numbers.len() < count + GROUP);
        numbers.truncate(count);
        numbers
    }

    proptest! {
        #[test]
        fn numbers_come_back_in_their_order(
            runs in prop::collection::vec((any::<u32>(), prop_oneof![Just(1), 1..40_usize]), 0..40),
            width in 1..=32_u32,
        ) {
            let runs = runs.iter().map(|&(number, len)| (number >> (32 - width), len));
            let numbers: Vec<u32> = runs.flat_map(|(number, len)| std::iter::repeat_n(number, len)).collect();
            let mut page = Vec::new();
            put_numbers(&mut page, &numbers, width);
            prop_assert_eq!(read(&page, width, numbers.len()), numbers);
        }
    }

    /// The runs as one gets them by looking at one number after the other.
    fn put_one_by_one(page: &mut Vec<u8>, numbers: &[u32], width: u32) {
        let (mut packed, mut at) = (0, 0);
        for run in numbers.chunk_by(|a, b| a == b) {
            let end = at + run.len();
            let filled = (packed + (at - packed).next_multiple_of(GROUP)).min(end);
            if end - filled >= GROUP {
                put_packed(page, &numbers[packed..filled], width);
                put_repeated(page, run[0], end - filled, width);
                packed = end;
            }
            at = end;
        }
        put_packed(page, &numbers[packed..], width);
    }

    proptest! {
        #[test]
        fn every_run_that_is_long_enough_is_repeated(
            runs in prop::collection::vec((0..3_u32, prop_oneof![Just(1), 1..6_usize, 6..20_usize]), 0..60),
        ) {
            let numbers: Vec<u32> = runs.iter().flat_map(|&(number, len)| std::iter::repeat_n(number, len)).collect();
            let [mut page, mut expected] = [Vec::new(), Vec::new()];
            put_numbers(&mut page, &numbers, 2);
            put_one_by_one(&mut expected, &numbers, 2);
            prop_assert_eq!(page, expected);
        }
    }

    #[test]
    fn runs_are_repeated_and_the_rest_is_packed() {
        let mut page = Vec::new();
        let numbers: Vec<u32> = [1, 2, 3].into_iter().chain([5; 20]).chain([6]).collect();
        put_numbers(&mut page, &numbers, 3);
        // Three numbers and five of the run fill a group; fifteen of the run are repeated; a last group holds 6.
        assert_eq!(page, [3, 0b1101_0001, 0b1101_1010, 0b1011_0110, 30, 5, 3, 6, 0, 0]);
    }
}
