//! The threads of one run: a rayon pool, or the calling thread alone.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// The number of the worker that asks, from 0; 0 outside of any work.
pub(crate) fn current() -> usize {
    rayon::current_thread_index().unwrap_or(0)
}

/// The number of cores that the process may use.
pub(crate) fn available() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs a list of work items, in parallel unless there is one worker; results come back in the order of the items.
pub struct Workers {
    pool: Option<rayon::ThreadPool>,
    memory: u64,
}

/// Anonymous memory a run may use, unless told otherwise: 512 MiB.
pub(crate) const DEFAULT_MEMORY: u64 = 512 << 20;

/// The least memory that a run which makes or compares rows can work with.
pub(crate) const LEAST_MEMORY: u64 = 64 << 20;

/// What a worker that reads files or makes sections takes for each column, whatever its rows: arrays, and what
/// describes them. Measured with 30,000 columns.
const COLUMN_LEN: u64 = 2 << 10;

impl Workers {
    /// `count` workers; `None` means one per core. One worker starts no thread: the calling thread does the work.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new(count: Option<usize>) -> Result<Workers> {
        let count = count.unwrap_or_else(available);
        if count <= 1 {
            return Ok(Workers { pool: None, memory: DEFAULT_MEMORY });
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|n| format!("transect-{n}"))
            .build()
            .map_err(|error| {
                Error::refused(format!("cannot start {count} worker threads ({error})"), "ask for fewer")
            })?;
        Ok(Workers { pool: Some(pool), memory: DEFAULT_MEMORY })
    }

    /// The same workers, which together hold so many bytes, 512 MiB unless set.
    pub fn within(self, memory: u64) -> Workers {
        Workers { memory, ..self }
    }

    /// The bytes that they may hold together.
    pub fn memory(&self) -> u64 {
        self.memory
    }

    /// Fewer than these, but one at least, where their memory does not hold so many bytes for each; `None` where it does.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(crate) fn fewer(&self, bytes: u64) -> Result<Option<Workers>> {
        let most = usize::try_from(self.memory / bytes.max(1)).unwrap_or(usize::MAX).max(1);
        let fewer = || Ok(Workers::new(Some(most))?.within(self.memory));
        (most < self.count()).then(fewer).transpose()
    }

    /// [`fewer`](Workers::fewer), where so many columns would take more than half of the memory.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn for_columns(&self, count: usize) -> Result<Option<Workers>> {
        self.fewer(2 * COLUMN_LEN * count as u64)
    }

    /// How many work at once.
    pub fn count(&self) -> usize {
        self.pool.as_ref().map_or(1, rayon::ThreadPool::current_num_threads)
    }

    /// `work` on each index below `count`. Items start in ascending order, so that neighbours run at about the same
    /// time and readahead has something to guess.
    pub fn map<R: Send>(&self, count: usize, work: impl Fn(usize) -> R + Send + Sync) -> Vec<R> {
        let done: Result<Vec<R>, Infallible> = self.run(count, || (), |(), index| Ok(work(index)));
        match done {
            Ok(results) => results,
        }
    }

    /// Like [`map`](Workers::map), but items not yet started are left out once one has failed.
    ///
    /// # Errors
    /// The error of the lowest index among those that failed.
    pub fn try_map<R: Send>(&self, count: usize, work: impl Fn(usize) -> Result<R> + Send + Sync) -> Result<Vec<R>> {
        self.run(count, || (), |(), index| work(index))
    }

    /// Like [`try_map`](Workers::try_map); each worker makes itself one `T`, such as a buffer, for all of its items.
    ///
    /// # Errors
    /// As [`try_map`](Workers::try_map).
    pub fn try_map_with<T, R: Send>(
        &self,
        count: usize,
        init: impl Fn() -> T + Send + Sync,
        work: impl Fn(&mut T, usize) -> Result<R> + Send + Sync,
    ) -> Result<Vec<R>> {
        self.run(count, init, work)
    }

    fn run<T, R: Send, E: Send>(
        &self,
        count: usize,
        init: impl Fn() -> T + Send + Sync,
        work: impl Fn(&mut T, usize) -> Result<R, E> + Send + Sync,
    ) -> Result<Vec<R>, E> {
        let Some(pool) = &self.pool else {
            let mut own = init();
            return (0..count).map(|index| work(&mut own, index)).collect();
        };
        let next = AtomicUsize::new(0);
        let mut done: Vec<(usize, Result<R, E>)> = pool
            .broadcast(|_| {
                let mut own = init();
                let mut mine = Vec::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return mine;
                    }
                    let result = work(&mut own, index);
                    if result.is_err() {
                        next.fetch_max(count, Ordering::Relaxed);
                    }
                    mine.push((index, result));
                }
            })
            .into_iter()
            .flatten()
            .collect();
        done.sort_unstable_by_key(|&(index, _)| index);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(index: usize) -> Error {
        Error::refused_unless(index.to_string(), [])
    }

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for count in [1, 2, 5] {
            let workers = Workers::new(Some(count)).unwrap();
            assert_eq!(workers.count(), count);
            for items in [0, 1, 3, 1000] {
                assert_eq!(workers.map(items, |index| index * 2), (0..items).map(|n| n * 2).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn one_worker_is_the_calling_thread() {
        let caller = std::thread::current().id();
        for count in [0, 1] {
            let workers = Workers::new(Some(count)).unwrap();
            assert_eq!(workers.count(), 1);
            assert!(workers.map(3, |_| std::thread::current().id()).iter().all(|id| *id == caller));
        }
    }

    #[test]
    fn several_workers_are_other_threads() {
        let caller = std::thread::current().id();
        let ids = Workers::new(Some(2)).unwrap().map(10, |_| std::thread::current().id());
        assert!(ids.iter().all(|id| *id != caller));
    }

    #[test]
    fn the_error_of_the_lowest_index_is_the_one_reported() {
        for count in [1, 4] {
            let workers = Workers::new(Some(count)).unwrap();
            let result = workers.try_map(1000, |index| if index >= 7 { Err(failure(index)) } else { Ok(index) });
            assert!(matches!(result, Err(Error::Refused { what, .. }) if what == "7"), "{count} workers");
        }
    }

    /// The list is so long that the test ends only if this holds.
    #[test]
    fn items_after_a_failure_are_left_out() {
        for count in [1, 2] {
            let workers = Workers::new(Some(count)).unwrap();
            let result = workers.try_map(usize::MAX / 2, |index| if index == 3 { Err(failure(3)) } else { Ok(()) });
            assert!(matches!(result, Err(Error::Refused { .. })), "{count} workers");
        }
    }
}
