//! Disks fill up, quotas run out, file systems turn read-only, cables come loose, and processes run out of open files.
//! Any operation may fail, alone or with all that follow; the run then says so and stops, what was live stays live and
//! whole, and once the cause is gone the next run simply works. After a failed sync the kernel may have dropped the
//! bytes, and says that all is well when it is asked again: nothing that failed to sync may be synced again, named, or
//! relied upon.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use transect::storage::Operation;

use super::machine::{Loss, Machine, Step};
use super::scene::{Scene, store_in};

/// How an operation fails.
#[derive(Debug, Clone, Copy)]
enum Failure {
    Refused(Errno),
    /// Half of the bytes are written, and then there is no room.
    ShortWrite,
}

const FAILURES: [Failure; 7] = [
    Failure::Refused(Errno::IO),
    Failure::Refused(Errno::NOSPC),
    Failure::Refused(Errno::DQUOT),
    Failure::Refused(Errno::ROFS),
    Failure::Refused(Errno::ACCESS),
    Failure::Refused(Errno::MFILE),
    Failure::ShortWrite,
];

impl Failure {
    /// Whether it can befall this operation.
    fn befalls(self, operation: Operation<'_>) -> bool {
        use Operation::{Create, CreateDir, Sync, SyncDir, Write};
        match self {
            Failure::Refused(Errno::NOSPC | Errno::DQUOT) => !matches!(operation, Operation::Remove(_)),
            Failure::Refused(Errno::ROFS) => !matches!(operation, Sync(_) | SyncDir(_)),
            Failure::Refused(Errno::ACCESS) => !matches!(operation, Write(..) | Sync(_)),
            Failure::Refused(Errno::MFILE) => matches!(operation, Create(_) | CreateDir(_) | SyncDir(_)),
            Failure::Refused(_) => true,
            Failure::ShortWrite => matches!(operation, Write(..)),
        }
    }

    fn strike(self, operation: Operation<'_>) -> io::Error {
        if let (Failure::ShortWrite, Operation::Write(path, offset, bytes)) = (self, operation) {
            // The spill has no name by then, and nobody will see what is in it.
            if let Ok(file) = File::options().write(true).open(path) {
                file.write_all_at(&bytes[..bytes.len() / 2], offset).unwrap();
            }
        }
        self.errno().into()
    }

    fn errno(self) -> Errno {
        match self {
            Failure::Refused(errno) => errno,
            Failure::ShortWrite => Errno::NOSPC,
        }
    }
}

impl Scene {
    /// Fails each of the command's operations in each way, once and for good.
    fn bears_any_failure(&self) {
        let (world, _, recorder) = self.begin();
        (self.command)(&self.place, &store_in(&world), recorder.disk()).unwrap();
        let count = recorder.take().len();
        let (mut tried, mut failed) = (0, 0);
        let mut seen = HashSet::new();
        for (failure, at) in FAILURES.into_iter().flat_map(|failure| (0..count).map(move |at| (failure, at))) {
            for for_good in [false, true] {
                let (world, _, recorder) = self.begin();
                let has_struck = AtomicBool::new(false);
                let disk = recorder.failing_disk(move |number, operation| {
                    let is_due = number == at || for_good && has_struck.load(Ordering::SeqCst);
                    if !is_due || !failure.befalls(operation) {
                        return Ok(());
                    }
                    has_struck.store(true, Ordering::SeqCst);
                    Err(failure.strike(operation))
                });
                let result = (self.command)(&self.place, &store_in(&world), disk);
                let steps = recorder.take();
                let Some(first) = steps.iter().position(Step::is_failure) else { continue };
                tried += 1;
                let context = || format!("{failure:?} at {at}, for good: {for_good}");
                // What is half-written is taken away. A buffer may still be emptied into it; nothing is made, synced or
                // named any more, and no sync is tried again.
                let gives_up = |step: &Step| matches!(step, Step::Remove(_) | Step::Write(..) | Step::Failed);
                assert!(steps[first + 1..].iter().all(gives_up), "{}: {}: {:?}", self.name, context(), &steps[first..]);
                let allowed = match result {
                    Ok(()) => &[Some(&self.after)][..],
                    Err(error) => {
                        failed += 1;
                        let causes: Vec<String> = causes(&error);
                        let cause = io::Error::from(failure.errno()).to_string();
                        assert!(causes.contains(&cause), "{}: {}: {causes:?}", self.name, context());
                        &[self.live(), Some(&self.after)]
                    }
                };
                // Most failures leave the same behind.
                if seen.insert((allowed.len(), Machine::of(&world).crash(Loss::Nothing).digest())) {
                    self.assert_goes_on(&world, allowed, context);
                }
            }
        }
        println!("{}: {tried} failures", self.name);
        assert!(failed > 10, "{}: {failed} runs failed", self.name);
    }
}

/// What `error` says, and what its causes say.
fn causes(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect()
}

#[test]
fn a_first_build_bears_any_failure() {
    Scene::first_build().bears_any_failure();
}

#[test]
fn a_forced_build_bears_any_failure() {
    Scene::forced_build().bears_any_failure();
}

#[test]
fn an_update_bears_any_failure() {
    Scene::update().bears_any_failure();
}

#[test]
fn an_append_bears_any_failure() {
    Scene::append().bears_any_failure();
}

#[test]
fn an_update_that_merges_segments_bears_any_failure() {
    Scene::merge().bears_any_failure();
}

#[test]
fn an_update_of_a_setting_alone_bears_any_failure() {
    Scene::setting().bears_any_failure();
}

#[test]
fn a_restore_bears_any_failure() {
    Scene::restore().bears_any_failure();
}

#[test]
fn options_that_are_set_bear_any_failure() {
    Scene::set().bears_any_failure();
}

#[test]
fn a_source_that_goes_bears_any_failure() {
    Scene::drop_first().bears_any_failure();
}

#[test]
fn a_collection_bears_any_failure() {
    Scene::collection().bears_any_failure();
}
