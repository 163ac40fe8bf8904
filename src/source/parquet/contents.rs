//! Looks into an unpacked page before the decoder does: its levels, and what its encoding says of its values, against
//! what page and column claim. The decoder takes some of these for granted, and allocates by others.

use parquet::basic::{Encoding, Type as PhysicalType};

use super::delta::Deltas;
use super::runs::{Run, Runs, count_ones, unpack};

/// A column as far as its pages depend on it.
#[derive(Debug, Clone, Copy)]
pub(in crate::source) struct Leaf {
    pub(in crate::source) physical: PhysicalType,
    /// Bytes of one value, 0 where they differ.
    pub(in crate::source) width: u64,
    pub(in crate::source) is_optional: bool,
}

impl Leaf {
    /// Bytes that each row takes decoded, apart from a text's own.
    pub(in crate::source) fn slot_len(self) -> u64 {
        if self.physical == PhysicalType::BOOLEAN { 1 } else { self.width.max(8) }
    }
}

/// Bytes that a page may have beside what its values take: some writers leave a few there.
pub(in crate::source) const BESIDE: u64 = 64 << 10;

/// The dictionary of a chunk.
#[derive(Debug, Default)]
pub(in crate::source) struct Dictionary {
    pub(in crate::source) entries: u64,
    /// For texts, the length of each entry.
    lens: Vec<u32>,
    longest: u64,
}

impl Dictionary {
    /// Looks into a dictionary page. `None` where it does not hold what it claims.
    pub(in crate::source) fn new(leaf: Leaf, bytes: &[u8], entries: u64) -> Option<Dictionary> {
        let mut dictionary = Dictionary { entries, ..Dictionary::default() };
        if leaf.physical == PhysicalType::BYTE_ARRAY {
            let mut rest = bytes;
            dictionary.lens.reserve_exact(entries.min(bytes.len() as u64 / 4) as usize);
            for _ in 0..entries {
                let (len, after) = rest.split_first_chunk()?;
                let len = u32::from_le_bytes(*len);
                rest = after.get(len as usize..)?;
                dictionary.longest = dictionary.longest.max(u64::from(len));
                dictionary.lens.push(len);
            }
            return (rest.len() as u64 <= BESIDE).then_some(dictionary);
        }
        (leaf.physical != PhysicalType::BOOLEAN && holds(leaf, bytes, entries)).then_some(dictionary)
    }
}

/// Whether `bytes` hold `count` plain values of fixed width.
fn holds(leaf: Leaf, bytes: &[u8], count: u64) -> bool {
    count.checked_mul(leaf.width).is_some_and(|needed| needed <= bytes.len() as u64)
}

/// How many bytes behind `count` values there are, of which the decoder must not know: where fixed byte strings take
/// another length it guesses that each has its own before it. fastparquet writes some after INT96.
pub(in crate::source) fn surplus(leaf: Leaf, encoding: Encoding, bytes: &[u8], count: u64) -> usize {
    let is_fixed = leaf.physical == PhysicalType::FIXED_LEN_BYTE_ARRAY && encoding == Encoding::PLAIN;
    let needed = count.saturating_mul(leaf.width);
    if is_fixed { (bytes.len() as u64).saturating_sub(needed) as usize } else { 0 }
}

/// How many values are present by these levels of a flat column; `None` where the levels are not as many.
pub(in crate::source) fn present(leaf: Leaf, levels: &[u8], count: u64) -> Option<u64> {
    if leaf.is_optional { count_ones(levels, count) } else { Some(count) }
}

/// The levels and the values of a page whose levels lie before its values, each after their length.
pub(in crate::source) fn split(leaf: Leaf, page: &[u8]) -> Option<(&[u8], &[u8])> {
    if !leaf.is_optional {
        return Some((&[], page));
    }
    let (len, rest) = page.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*len) as usize)
}

/// The bytes that `count` values take decoded, apart from what `count` levels take; `None` where `bytes` do not hold
/// them.
pub(in crate::source) fn decoded_len(
    leaf: Leaf,
    encoding: Encoding,
    bytes: &[u8],
    count: u64,
    dictionary: Option<&Dictionary>,
) -> Option<u64> {
    let is_text = leaf.physical == PhysicalType::BYTE_ARRAY;
    match encoding {
        Encoding::PLAIN if is_text => Some(bytes.len() as u64),
        Encoding::PLAIN if leaf.physical == PhysicalType::BOOLEAN => {
            (count.div_ceil(8) <= bytes.len() as u64).then_some(0)
        }
        Encoding::PLAIN => holds(leaf, bytes, count).then_some(0),
        Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY => indexed(leaf, bytes, count, dictionary?),
        Encoding::RLE => {
            let (len, rest) = bytes.split_first_chunk()?;
            count_ones(rest.get(..u32::from_le_bytes(*len) as usize)?, count).map(|_| 0)
        }
        // The stream says itself how many values it has, and the decoder believes it.
        Encoding::DELTA_BINARY_PACKED => {
            let numbers = Deltas::new(bytes).filter(|numbers| numbers.left == count)?;
            numbers.pass(if leaf.width == 4 { 32 } else { 64 }).map(|()| 0)
        }
        Encoding::DELTA_LENGTH_BYTE_ARRAY => {
            // Their lengths are held beside the texts.
            (Deltas::new(bytes)?.left == count).then_some(bytes.len() as u64 + 4 * count)
        }
        Encoding::DELTA_BYTE_ARRAY => prefixed(bytes, count),
        Encoding::BYTE_STREAM_SPLIT => (count.checked_mul(leaf.width) == Some(bytes.len() as u64)).then_some(0),
        _ => None,
    }
}

/// As [`decoded_len`], of numbers of dictionary entries.
fn indexed(leaf: Leaf, bytes: &[u8], count: u64, dictionary: &Dictionary) -> Option<u64> {
    if count == 0 {
        return Some(0);
    }
    let (&width, bytes) = bytes.split_first()?;
    let runs = Runs::of_indices(bytes, width)?;
    let is_text = leaf.physical == PhysicalType::BYTE_ARRAY;
    let (mut highest, mut len) = (0u32, 0u64);
    // The decoder looks at each index of a number itself.
    let look = !matches!(
        leaf.physical,
        PhysicalType::INT32 | PhysicalType::INT64 | PhysicalType::FLOAT | PhysicalType::DOUBLE
    );
    // How long all texts are takes a look at each; seldom is that worth it.
    let weigh = is_text && count.saturating_mul(dictionary.longest) > 1 << 20;
    let text_len = |index: u32| u64::from(dictionary.lens.get(index as usize).copied().unwrap_or(0));
    runs.cover(count, |run| match run {
        Run::Equal(held, index) => {
            highest = highest.max(index);
            if weigh {
                len = len.saturating_add(held.saturating_mul(text_len(index)));
            }
        }
        Run::Packed(held, bytes) if look => unpack(bytes, width, held, |index| {
            highest = highest.max(index);
            if weigh {
                len = len.saturating_add(text_len(index));
            }
        }),
        Run::Packed(..) => {}
    })?;
    let len = if weigh { len } else { count * dictionary.longest };
    (u64::from(highest) < dictionary.entries).then_some(len)
}

/// As [`decoded_len`], of texts that share a prefix with the one before: few bytes can be very many.
fn prefixed(bytes: &[u8], count: u64) -> Option<u64> {
    let mut prefixes = Deltas::new(bytes).filter(|prefixes| prefixes.left == count)?;
    // Where the suffixes begin is known once all prefixes are read.
    while prefixes.left > 0 {
        prefixes.next()?;
    }
    let mut suffixes = Deltas::new(prefixes.rest()).filter(|suffixes| suffixes.left == count)?;
    let mut prefixes = Deltas::new(bytes)?;
    let (mut before, mut suffix_len, mut len) = (0u64, 0u64, 0u64);
    for _ in 0..count {
        let prefix = u64::try_from(prefixes.next()?).ok().filter(|prefix| *prefix <= before)?;
        let suffix = u64::try_from(suffixes.next()?).ok()?;
        before = prefix + suffix;
        suffix_len = suffix_len.saturating_add(suffix);
        len = len.saturating_add(before);
    }
    (suffix_len <= suffixes.rest().len() as u64).then_some(len.saturating_add(8 * count))
}
