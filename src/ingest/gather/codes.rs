//! Numbers the codes of rows as they are met, where an input has rows of several stocks.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::remedy::{Remedy, Setting};

/// Bytes a code takes beside its own: its place in the map and what the allocator adds.
const OVERHEAD: usize = 64;

/// The codes that were met, by number.
pub(in crate::ingest) struct Codes {
    known: Mutex<Known>,
    limit: usize,
}

#[derive(Default)]
struct Known {
    numbers: HashMap<String, u32>,
    /// By number, whether a row that stays has the code.
    is_used: Vec<bool>,
    byte_len: usize,
}

impl Codes {
    /// None yet, in a run within `memory` bytes.
    pub(in crate::ingest) fn new(memory: u64) -> Codes {
        Codes { known: Mutex::default(), limit: (memory / 8) as usize }
    }

    /// The number of each of `codes`, of which those of one stock are neighbours.
    ///
    /// # Errors
    /// When all codes together take too much memory.
    pub(in crate::ingest) fn numbers<'c>(&self, codes: impl Iterator<Item = &'c str>) -> Result<Vec<u32>> {
        let mut known = self.lock();
        let mut last: Option<(&str, u32)> = None;
        codes
            .map(|code| {
                if let Some((_, number)) = last.filter(|(last, _)| *last == code) {
                    return Ok(number);
                }
                let number = self.number(&mut known, code)?;
                last = Some((code, number));
                Ok(number)
            })
            .collect()
    }

    fn number(&self, known: &mut Known, code: &str) -> Result<u32> {
        if let Some(&number) = known.numbers.get(code) {
            return Ok(number);
        }
        known.byte_len += code.len() + OVERHEAD;
        if known.byte_len > self.limit {
            let what = format!("the codes take more than an eighth of the memory ({} MiB)", self.limit >> 20);
            // Twice the memory.
            let more = Setting::Memory(16 * self.limit as u64);
            return Err(Error::refused_unless(what, [Remedy::set(more, "may be enough")]));
        }
        let number = known.is_used.len() as u32;
        known.numbers.insert(code.to_owned(), number);
        known.is_used.push(false);
        Ok(number)
    }

    /// Notes that rows with these numbers stay.
    pub(in crate::ingest) fn keep(&self, numbers: &[u32]) {
        let mut known = self.lock();
        numbers.iter().for_each(|&number| known.is_used[number as usize] = true);
    }

    /// The codes, by number.
    pub(in crate::ingest) fn into_codes(self) -> Vec<String> {
        let known = self.known.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut codes = vec![String::new(); known.is_used.len()];
        known.numbers.into_iter().for_each(|(code, number)| codes[number as usize] = code);
        codes
    }

    /// By number, the code, if a row that stays has it: codes that only refused files have are no stocks.
    pub(super) fn into_kept(self) -> Vec<Option<String>> {
        let known = self.known.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut kept = vec![None; known.is_used.len()];
        for (code, number) in known.numbers {
            kept[number as usize] = Some(code).filter(|_| known.is_used[number as usize]);
        }
        kept
    }

    /// Where the lock is poisoned the run has failed.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(codes.into_kept(), [None, Some("A".to_owned()), Some("C".to_owned())]);
    }

    #[test]
    fn codes_beyond_the_memory_are_refused_with_a_way_out() {
        let many: Vec<String> = (0..3000).map(|n| format!("a code of some length {n}")).collect();
        let error = Codes::new(1 << 20).numbers(many.iter().map(String::as_str)).unwrap_err();
        let told = "the codes take more than an eighth of the memory (0 MiB); memory of 2 MiB may be enough";
        assert_eq!(error.to_string(), told);
    }
}
