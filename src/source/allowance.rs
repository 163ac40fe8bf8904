//! How much memory one file may take: little beside others, more when it is the only large one, and no more than that.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};

/// What one file may take of the memory: a quarter. What it is turned into, and blocks of other files, take the rest.
pub(super) const QUARTER: u64 = 4;

/// Bytes that a row takes beside its columns while a file is read: its date, its place, and the place it comes from.
pub(super) const ROW_LEN: u64 = 16;

/// The memory of one run, as far as files that are read are concerned.
#[derive(Debug)]
pub(crate) struct Allowance {
    memory: u64,
    /// What each worker's file may take beside those of the others.
    free: u64,
    /// The thread whose files take more than that at the moment, and how many they are.
    taken: Mutex<Option<(ThreadId, usize)>>,
    given_back: Condvar,
}

impl Allowance {
    /// For a run within `memory` bytes that reads `workers` files at once.
    pub(crate) fn new(memory: u64, workers: usize) -> Arc<Allowance> {
        let free = memory / 8 / workers.max(1) as u64;
        Arc::new(Allowance { memory, free, taken: Mutex::default(), given_back: Condvar::new() })
    }

    /// Bytes of the whole run.
    pub(super) fn memory(&self) -> u64 {
        self.memory
    }

    /// The most that one file may take.
    pub(super) fn most(&self) -> u64 {
        self.memory / QUARTER
    }

    /// What a file may take beside those of all other workers.
    pub(super) fn free(&self) -> u64 {
        self.free
    }

    /// Why a file is refused that takes `bytes`, `as_what`.
    pub(super) fn refusal(&self, what: &str, bytes: u64) -> Reason {
        self.refusal_of(what, bytes, bytes)
    }

    /// As [`refusal`](Allowance::refusal) of a file that would take `all` in the end.
    pub(super) fn refusal_of(&self, what: &str, bytes: u64, all: u64) -> Reason {
        let what = format!(
            "{what} would take {}, more than a quarter of the memory, which is {}",
            shown(bytes),
            shown(self.memory),
        );
        let enough = Setting::Memory(whole(all.saturating_mul(QUARTER)));
        Reason::new(Kind::TooLarge, what).or(Remedy::set(enough, "allows it"))
    }
}

/// Bytes in whole units, rounded up.
pub(super) fn shown(bytes: u64) -> String {
    match whole(bytes) {
        large if large >= 10 << 30 => format!("{} GiB", large >> 30),
        small => format!("{} MiB", small >> 20),
    }
}

/// Bytes rounded up to whole MiB, or to GiB where there are ten of those.
pub(super) fn whole(bytes: u64) -> u64 {
    let unit = if bytes >= 10 << 30 { 1 << 30 } else { 1 << 20 };
    bytes.checked_next_multiple_of(unit).unwrap_or(u64::MAX)
}

/// What one file takes at the moment.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) allowance: Arc<Allowance>,
    used: AtomicU64,
    /// What was read of the file before, and is still there.
    kept: AtomicU64,
    is_large: AtomicBool,
    was_exceeded: AtomicBool,
}

impl Meter {
    pub(super) fn new(allowance: &Arc<Allowance>) -> Arc<Meter> {
        Arc::new(Meter {
            allowance: Arc::clone(allowance),
            used: AtomicU64::new(0),
            kept: AtomicU64::new(0),
            is_large: AtomicBool::new(false),
            was_exceeded: AtomicBool::new(false),
        })
    }

    /// Sets what is taken already, beside what is kept.
    pub(super) fn start(&self, bytes: u64) {
        self.used.store(bytes.saturating_add(self.kept.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    /// Sets what is kept of what was read before.
    pub(super) fn keep(&self, bytes: u64) {
        self.kept.store(bytes, Ordering::Relaxed);
    }

    /// Takes `kept` bytes, and `passing` ones for as long as they are copied. Waits where other files are large.
    /// `false`, and nothing taken, where it is too much.
    pub(super) fn take(&self, kept: u64, passing: u64) -> bool {
        let used = self.used.load(Ordering::Relaxed).saturating_add(kept);
        let peak = used.saturating_add(passing);
        if peak > self.allowance.most() {
            self.was_exceeded.store(true, Ordering::Relaxed);
            return false;
        }
        if peak > self.allowance.free && !self.is_large.swap(true, Ordering::Relaxed) {
            let this = thread::current().id();
            let mut taken = self.allowance.taken.lock().unwrap_or_else(PoisonError::into_inner);
            // Several files of one thread do not wait for one another: that would be for ever.
            while taken.is_some_and(|(thread, _)| thread != this) {
                taken = self.allowance.given_back.wait(taken).unwrap_or_else(PoisonError::into_inner);
            }
            *taken = Some((this, taken.map_or(1, |(_, files)| files + 1)));
        }
        self.used.store(used, Ordering::Relaxed);
        true
    }

    /// Gives back what was taken to be kept.
    pub(super) fn give(&self, bytes: u64) {
        self.used.store(self.used.load(Ordering::Relaxed).saturating_sub(bytes), Ordering::Relaxed);
    }

    /// Whether more was asked for than there is, ever.
    pub(super) fn was_exceeded(&self) -> bool {
        self.was_exceeded.load(Ordering::Relaxed)
    }

    /// What is taken.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if *self.is_large.get_mut() {
            let mut taken = self.allowance.taken.lock().unwrap_or_else(PoisonError::into_inner);
            *taken = taken.and_then(|(thread, files)| (files > 1).then_some((thread, files - 1)));
            self.allowance.given_back.notify_one();
        }
    }
}
