//! Locks on open files: one writer at a time, and versions that readers hold.
//!
//! The system gives a lock to an open file, which a process that is forked off shares. So a lock is given back by name
//! when it is dropped, and only in the process that took it: a child neither keeps nor frees it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};

use crate::error::{Error, Result};
use crate::progress::Observer;

/// How long to wait until a lock is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// What the system says where a file system has no locks: some network ones, or as they are mounted.
const NO_LOCKS: [Errno; 4] = [Errno::NOLCK, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOSYS];

/// A lock that is held; or, of those who share it, none where the file system has none.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: File,
    /// The process that took it.
    process: u32,
}

impl FileLock {
    /// Takes the lock of `file`, which is at `path`, for one alone; gives the file back if anybody else has it.
    ///
    /// # Errors
    /// When the system refuses; and when the file system has no locks, so that two writers would not know of each other.
    pub(crate) fn exclusive(file: File, path: &Path) -> Result<Result<FileLock, File>> {
        match lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Ok(FileLock { file, process: std::process::id() })),
            Err(Errno::WOULDBLOCK) => Ok(Err(file)),
            Err(errno) if NO_LOCKS.contains(&errno) => {
                let why = io::Error::from(errno);
                let what = format!(
                    "the file system of {} has no locks ({why}), and two who write there would not know of each other",
                    path.display()
                );
                let way_out =
                    "mount it with flock, as Lustre can be, or write elsewhere, and copy here what was written";
                Err(Error::refused(what, way_out).about(path))
            }
            Err(errno) => Err(Error::io("lock", path)(errno.into())),
        }
    }

    /// Takes the lock of `file`, which is at `path`, together with others, and waits for one who has it alone. Where the
    /// file system has no locks, nothing is held: no writer here waits for it, and one elsewhere that keeps versions for
    /// some time leaves a reader that long.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn shared(file: File, path: &Path) -> Result<FileLock> {
        match lock(&file, FlockOperation::LockShared) {
            Err(errno) if !NO_LOCKS.contains(&errno) => Err(Error::io("lock", path)(errno.into())),
            _ => Ok(FileLock { file, process: std::process::id() }),
        }
    }

    /// The locked file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

/// Locks a file. For tests of the binary: where `TRANSECT_NO_LOCKS` is the number of an error, that is the answer.
fn lock(file: &File, operation: FlockOperation) -> rustix::io::Result<()> {
    #[cfg(feature = "failpoints")]
    if let Some(number) = std::env::var("TRANSECT_NO_LOCKS").ok().and_then(|number| number.parse().ok()) {
        return Err(Errno::from_raw_os_error(number));
    }
    retry_on_intr(|| flock(file, operation))
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            // If the system refuses, it does so for good, and closing the file is all that is left.
            let _ = flock(&self.file, FlockOperation::Unlock);
        }
    }
}

/// What `take` gives once nobody else is writing, for which it is asked again for so long.
///
/// # Errors
/// Those of `take`, [`Error::Locked`] among them when the time is over; [`Error::Cancelled`].
pub(crate) fn wait<T>(patience: Duration, observer: &dyn Observer, take: impl Fn() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let mut is_told = false;
    loop {
        match take() {
            Err(Error::Locked { path, holder }) if start.elapsed() < patience => {
                if !is_told {
                    let why = Error::Locked { path, holder }.to_string();
                    observer.waits(why.split_once("; ").map_or(why.as_str(), |(why, _)| why));
                    is_told = true;
                }
                if observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                sleep(PAUSE.min(patience.saturating_sub(start.elapsed())));
            }
            taken => return taken,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn open(dir: &tempfile::TempDir) -> File {
        File::options().create(true).truncate(false).write(true).open(dir.path().join("LOCK")).unwrap()
    }

    fn is_free(dir: &tempfile::TempDir) -> bool {
        FileLock::exclusive(open(dir), dir.path()).unwrap().is_ok()
    }

    /// What a child holds that is forked while the lock is held: the same open file.
    #[test]
    fn a_child_that_was_forked_meanwhile_neither_keeps_nor_frees_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let lock = FileLock::exclusive(open(&dir), dir.path()).unwrap().unwrap();
        let fork = |arg| {
            let held = Stdio::from(lock.file().try_clone().unwrap());
            Command::new("sleep").arg(arg).stdin(held).spawn().unwrap()
        };
        fork("0").wait().unwrap();
        assert!(!is_free(&dir), "a child that ended has freed it");
        drop(FileLock { file: lock.file().try_clone().unwrap(), process: 0 });
        assert!(!is_free(&dir), "a copy of another process has freed it");
        let mut child = fork("600");
        drop(lock);
        let was_free = is_free(&dir);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(was_free, "a child that lives has kept it");
    }

    #[test]
    fn waiting_ends_with_the_time_or_when_the_run_is_cancelled() {
        struct Stop;
        impl Observer for Stop {
            fn cancelled(&self) -> bool {
                true
            }
        }
        let locked = || -> Result<()> { Err(Error::Locked { path: "LOCK".into(), holder: None }) };
        let hour = Duration::from_secs(3600);
        assert!(matches!(wait(Duration::ZERO, &Stop, locked), Err(Error::Locked { .. })));
        assert!(matches!(wait(hour, &Stop, locked), Err(Error::Cancelled)));
        let asked = std::cell::Cell::new(0);
        let third = || {
            asked.set(asked.get() + 1);
            if asked.get() < 3 { locked() } else { Ok(()) }
        };
        assert!(wait(hour, &crate::progress::Silent, third).is_ok());
    }
}
