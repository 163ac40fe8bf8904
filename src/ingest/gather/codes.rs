//! Numbers the codes of rows as they are met, where an input has rows of several stocks.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;

use crate::error::{Error, Result};
use crate::remedy::{Remedy, Setting};

/// Bytes a code takes beside its own: its place in the table, which may be half empty, where it ends, and a reference to
/// it once all are there.
const OVERHEAD: usize = 40;

/// Codes may take an eighth of the memory.
const SHARE: u64 = 8;

/// The codes that were met, by number.
pub(in crate::ingest) struct Codes {
    known: Mutex<Known>,
    limit: usize,
}

/// There may be a million of them, so that they lie in one text.
#[derive(Default)]
struct Known {
    /// The numbers, by the hashes of their codes.
    numbers: HashTable<u32>,
    hasher: RandomState,
    all: AllCodes,
}

/// Codes by number, once all were met.
#[derive(Debug, Default)]
pub(in crate::ingest) struct AllCodes {
    /// One after the other.
    texts: String,
    /// By number, where each ends.
    ends: Vec<usize>,
    /// By number, whether a row that stays has the code.
    is_used: Vec<bool>,
}

impl Codes {
    /// None yet, in a run within `memory` bytes.
    pub(in crate::ingest) fn new(memory: u64) -> Codes {
        Codes { known: Mutex::default(), limit: (memory / SHARE) as usize }
    }

    /// The number of each of `codes`, of which those of one stock are neighbours.
    ///
    /// # Errors
    /// When all codes together take too much memory.
    pub(in crate::ingest) fn numbers<'c>(&self, mut codes: impl Iterator<Item = &'c str>) -> Result<Vec<u32>> {
        let mut known = self.lock();
        let mut numbers = Vec::with_capacity(codes.size_hint().0);
        let mut last: Option<(&str, u32)> = None;
        while let Some(code) = codes.next() {
            let number = match last {
                Some((last, number)) if last == code => number,
                _ => known.number(code),
            };
            if known.all.byte_len() > self.limit {
                return Err(self.too_many(known.all.byte_len(), code, codes));
            }
            last = Some((code, number));
            numbers.push(number);
        }
        Ok(numbers)
    }

    /// Refuses codes that take so many bytes with `last`, after which `others` come, of which nobody knows how many are
    /// new.
    fn too_many<'c>(&self, mut byte_len: usize, mut last: &'c str, others: impl Iterator<Item = &'c str>) -> Error {
        for code in others.filter(|&code| code != std::mem::replace(&mut last, code)) {
            byte_len += code.len() + OVERHEAD;
        }
        let what = format!("the codes take more than an eighth of the memory ({} MiB)", self.limit >> 20);
        let enough = Setting::Memory((byte_len as u64 * SHARE).next_multiple_of(1 << 20));
        // Further files or dates may bring further codes.
        Error::refused_unless(what, [Remedy::set(enough, "may be enough")])
    }

    /// Notes that rows with these numbers stay.
    pub(in crate::ingest) fn keep(&self, numbers: &[u32]) {
        self.lock().all.keep(numbers);
    }

    /// All of them.
    pub(in crate::ingest) fn into_all(self) -> AllCodes {
        self.known.into_inner().unwrap_or_else(PoisonError::into_inner).all
    }

    /// Where the lock is poisoned the run has failed.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// The number of `code`, new or known.
    fn number(&mut self, code: &str) -> u32 {
        let Known { numbers, hasher, all } = self;
        let hash = hasher.hash_one(code);
        if let Some(&number) = numbers.find(hash, |&number| all.get(number) == code) {
            return number;
        }
        let number = all.ends.len() as u32;
        all.texts.push_str(code);
        all.ends.push(all.texts.len());
        all.is_used.push(false);
        numbers.insert_unique(hash, number, |&number| hasher.hash_one(all.get(number)));
        number
    }
}

impl AllCodes {
    fn get(&self, number: u32) -> &str {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.texts[start..self.ends[number]]
    }

    /// Bytes that they take.
    fn byte_len(&self) -> usize {
        self.texts.len() + OVERHEAD * self.ends.len()
    }

    /// By number.
    pub(in crate::ingest) fn all(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len() as u32).map(|number| self.get(number))
    }

    /// Notes that rows with these numbers stay.
    pub(in crate::ingest) fn keep(&mut self, numbers: &[u32]) {
        numbers.iter().for_each(|&number| self.is_used[number as usize] = true);
    }

    /// Adds those of another run, whose numbers go on from these.
    pub(in crate::ingest) fn extend(&mut self, other: &AllCodes) {
        let start = self.texts.len();
        self.texts.push_str(&other.texts);
        self.ends.extend(other.ends.iter().map(|end| start + end));
        self.is_used.extend(&other.is_used);
    }

    /// How many there are.
    pub(in crate::ingest) fn len(&self) -> usize {
        self.ends.len()
    }

    /// These codes by number, each with whether a row that stays has it.
    pub(in crate::ingest) fn of<'c>(codes: impl IntoIterator<Item = (&'c str, bool)>) -> AllCodes {
        let mut all = AllCodes::default();
        for (code, is_used) in codes {
            all.texts.push_str(code);
            all.ends.push(all.texts.len());
            all.is_used.push(is_used);
        }
        all
    }

    /// By number, the code, if a row that stays has it: codes that only refused files have are no stocks.
    pub(in crate::ingest) fn kept(&self) -> Vec<Option<&str>> {
        self.all().zip(&self.is_used).map(|(code, &is_used)| is_used.then_some(code)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_rows_that_do_not_stay_are_no_stocks() {
        let codes = Codes::new(1 << 20);
        let first = codes.numbers(["B", "B", "A"].into_iter()).unwrap();
        let second = codes.numbers(["A", "C"].into_iter()).unwrap();
        assert_eq!((first, second.clone()), (vec![0, 0, 1], vec![1, 2]));
        codes.keep(&second);
        assert_eq!(codes.into_all().kept(), [None, Some("A"), Some("C")]);
    }

    #[test]
    fn codes_beyond_the_memory_are_refused_with_a_way_out() {
        for count in [3_000, 50_000] {
            let many: Vec<String> = (0..count).map(|n| format!("a code of some length {n}")).collect();
            let twice = || many.iter().flat_map(|code| [code.as_str(); 2]);
            let error = Codes::new(1 << 20).numbers(twice()).unwrap_err();
            assert!(
                error.to_string().starts_with("the codes take more than an eighth of the memory (0 MiB); memory of ")
            );
            let [Remedy::Set { settings, .. }] = &error.remedies()[..] else { panic!("{error}") };
            let [Setting::Memory(enough)] = settings[..] else { panic!("{error}") };
            assert_eq!(Codes::new(enough).numbers(twice()).unwrap().len(), 2 * count);
            assert!(Codes::new(enough - (2 << 20)).numbers(twice()).is_err(), "{error}");
        }
    }
}
