//! The threads of one run: a rayon pool, or the calling thread alone.

use rayon::prelude::*;

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

    /// `work` on each index below `count`. Items start in ascending order, so neighbours run at about the same time.
    pub fn map<R: Send>(&self, count: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
        match &self.pool {
            None => (0..count).map(work).collect(),
            // One item at a time: items are whole files or sections, and splitting them unevenly costs more than
            // the hand-over.
            Some(pool) => pool.install(|| (0..count).into_par_iter().with_max_len(1).map(work).collect()),
        }
    }

    /// Like [`map`](Workers::map), but items not yet started are left out once one has failed.
    ///
    /// # Errors
    /// One of the errors that `work` returned.
    pub fn try_map<R: Send>(&self, count: usize, work: impl Fn(usize) -> Result<R> + Sync) -> Result<Vec<R>> {
        match &self.pool {
            None => (0..count).map(work).collect(),
            Some(pool) => pool.install(|| (0..count).into_par_iter().with_max_len(1).map(work).collect()),
        }
    }
}
