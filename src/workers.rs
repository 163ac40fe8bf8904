//! The threads of one run: a rayon pool, or the calling thread alone.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// Runs a list of work items, in parallel unless there is one worker; results come back in the order of the items.
pub struct Workers {
    pool: Option<rayon::ThreadPool>,
}

impl Workers {
    /// `count` workers; `None` means one per core. One worker starts no thread: the calling thread does the work.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new(count: Option<usize>) -> Result<Workers> {
        let count = count.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        if count <= 1 {
            return Ok(Workers { pool: None });
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|n| format!("transect-{n}"))
            .build()
            .map_err(Error::arrow("start worker threads"))?;
        Ok(Workers { pool: Some(pool) })
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
