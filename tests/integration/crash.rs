//! A build runs at night, and at some point of its life the machine stops in the middle of it: power, a full disk, an
//! impatient administrator. Whatever the moment, the next reader must find the version before or the new one, each
//! whole, or be told that there is none; and the next build must simply work. Every operation on the disk passes one
//! seam, so each moment is tried here: the n-th operation fails, alone or with all that follow, for every n.

use std::collections::HashSet;
use std::fs;
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use transect::progress::{Observer, Silent};
use transect::sink::{Format, Partition};
use transect::storage::{Disk, Operation};
use transect::store::Collect;
use transect::{Build, BuildReport, Error, Selection, Shape, Store, Transpose, TransposeReport, verify_output};

use super::panels::{
    Place, assert_no_leftovers, assert_whole, by_version, commits, copy_dir, entries, sections, small_panel, workers,
};
use super::versions::publish_versions;

/// How operations fail.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Only the n-th.
    Once(usize),
    /// The n-th and all that follow, as if the process had ended there.
    From(usize),
    /// From the n-th on, everything that needs room.
    Full(usize),
}

impl Fault {
    fn all(count: usize) -> impl Iterator<Item = Fault> {
        (0..count).flat_map(|n| [Fault::Once(n), Fault::From(n), Fault::Full(n)])
    }

    fn disk(self) -> Disk {
        let done = AtomicUsize::new(0);
        Disk::with_hook(move |operation| {
            let n = done.fetch_add(1, Ordering::SeqCst);
            let needs_room = matches!(operation, Operation::Create(_) | Operation::CreateDir(_) | Operation::Write(..));
            match self {
                Fault::Once(at) if n == at => Err(IoError::from(ErrorKind::Other)),
                Fault::From(at) if n >= at => Err(IoError::from(ErrorKind::Other)),
                Fault::Full(at) if n >= at && needs_room => Err(IoError::from(ErrorKind::StorageFull)),
                _ => Ok(()),
            }
        })
    }
}

/// A disk that counts.
fn counting() -> (Disk, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let disk = Disk::with_hook(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    (disk, count)
}

fn build(place: &Place, store: &Path, force: bool, disk: Disk) -> Result<BuildReport, Error> {
    Build::new(place.source(), store).workers(1).force(force).disk(disk).run()
}

/// A crash of the machine undoes what was not synced, so the order of syncs and removals is what counts.
#[test]
fn nothing_is_removed_before_what_makes_it_needless_is_synced() {
    let place = Place::new();
    drop(publish_versions(&place, 3));
    let done = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&done);
    let disk = Disk::with_hook(move |operation| {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        noted.lock().unwrap().push(match operation {
            Operation::Remove(path) => format!("remove {}", name(path)),
            Operation::SyncDir(path) => format!("sync {}", name(path)),
            other => format!("{other:?}"),
        });
        Ok(())
    });
    let commits = commits(&place.store());
    Collect::new(place.store()).keep(2).disk(disk).run().unwrap();
    let mut done: Vec<String> = done.lock().unwrap().iter().map(|done| by_version(&commits, done)).collect();
    done.retain(|operation| !operation.starts_with("CreateDir"));
    done[4..].sort_unstable();
    let right = ["sync panel.store", "remove 1", "sync catalog"];
    assert_eq!(done[1..4], right);
    assert_eq!(done[4..], ["remove 1-0000", "remove 1-0000.arrow", "remove 1.chunks"]);
}

fn transpose(store: &Store, out: &Path, disk: Disk) -> Result<TransposeReport, Error> {
    transpose_by(Partition::Date, store, out, disk)
}

fn transpose_by(by: Partition, store: &Store, out: &Path, disk: Disk) -> Result<TransposeReport, Error> {
    let shape = Shape { by, ..Shape::default() };
    // Forced, because what stands in `out` may be of another store.
    Transpose::new(store, out).shape(shape).workers(1).force(true).disk(disk).run()
}

/// Every file below `out` but the ledger, with its bytes.
fn files(out: &Path) -> Vec<(String, Vec<u8>)> {
    if !out.exists() {
        return Vec::new();
    }
    let is_ours = |path: &String| path.ends_with(".parquet") && !path.contains(".transect");
    entries(out).into_iter().filter(is_ours).map(|path| (path.clone(), fs::read(out.join(path)).unwrap())).collect()
}

#[test]
fn a_transpose_that_fails_anywhere_leaves_whole_files_and_can_be_run_again() {
    bears_any_failure(Partition::Date, 3);
    bears_any_failure(Partition::Stock, 4);
}

fn bears_any_failure(by: Partition, file_count: usize) {
    let transpose = |store: &Store, out: &Path, disk: Disk| transpose_by(by, store, out, disk);
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let store = Store::open(place.store()).unwrap();
    let old_store_path = place.path("old.store");
    small_panel(&place, 1);
    build(&place, &old_store_path, false, Disk::default()).unwrap();
    let old_store = Store::open(&old_store_path).unwrap();

    let (before, right) = (place.path("before"), place.path("right"));
    transpose(&old_store, &before, Disk::default()).unwrap();
    let (disk, count) = counting();
    transpose(&store, &right, disk).unwrap();
    let (old, new) = (files(&before), files(&right));
    assert_eq!(new.len(), file_count);
    assert_ne!(old, new);
    let whole: HashSet<&(String, Vec<u8>)> = old.iter().chain(&new).collect();

    for fresh in [true, false] {
        for (at, fault) in Fault::all(count.load(Ordering::SeqCst) + 3).enumerate() {
            let out = place.path(&format!("out-{fresh}-{at}"));
            if !fresh {
                copy_dir(&before, &out);
            }
            let result = transpose(&store, &out, fault.disk());
            let found = files(&out);
            assert!(found.iter().all(|file| whole.contains(file)), "{fault:?}: a file is not whole");
            if result.is_ok() {
                assert_eq!(found, new, "{fault:?}");
            }
            transpose(&store, &out, Disk::default()).unwrap_or_else(|error| panic!("after {fault:?}: {error}"));
            assert_eq!(files(&out), new, "{fault:?}");
            assert_eq!(verify_output(&store, &out, &workers(1), &Silent).unwrap().differences, Vec::<String>::new());
            assert_no_leftovers(&out);
            fs::remove_dir_all(&out).unwrap();
        }
    }
}

/// A run that brings a directory up to date, stopped at each operation; the next one goes on to the version it was for,
/// or back to the one before.
#[test]
fn a_transpose_of_what_changed_that_fails_anywhere_can_be_run_again_forward_and_back() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let first = Store::open(place.store()).unwrap();
    small_panel(&place, 1);
    build(&place, &place.store(), true, Disk::default()).unwrap();
    let second = Store::open(place.store()).unwrap();
    let run = |store: &Store, out: &Path, disk: Disk| Transpose::new(store, out).workers(1).disk(disk).run();
    let model = |store: &Store, name: &str| {
        run(store, &place.path(name), Disk::default()).unwrap();
        files(&place.path(name))
    };
    let (old, new) = (model(&first, "old"), model(&second, "new"));
    let whole: HashSet<&(String, Vec<u8>)> = old.iter().chain(&new).collect();
    // Either all files are of the first version, or one of the second is missing.
    let scenes: [&dyn Fn(&Path); 2] = [
        &|out| {
            run(&first, out, Disk::default()).unwrap();
        },
        &|out| {
            run(&second, out, Disk::default()).unwrap();
            fs::remove_file(out.join("20240102.parquet")).unwrap();
        },
    ];
    for (scene, prepare) in scenes.into_iter().enumerate() {
        let counted = place.path(&format!("counted-{scene}"));
        prepare(&counted);
        let (disk, count) = counting();
        run(&second, &counted, disk).unwrap();
        for (at, fault) in Fault::all(count.load(Ordering::SeqCst)).enumerate() {
            for (store, right) in [(&second, &new), (&first, &old)] {
                let out = place.path(&format!("out-{scene}-{at}"));
                prepare(&out);
                let result = run(&second, &out, fault.disk());
                let found = files(&out);
                assert!(found.iter().all(|file| whole.contains(file)), "{fault:?}: a file is not whole");
                if result.is_ok() {
                    assert_eq!(found, new, "{fault:?}");
                }
                run(store, &out, Disk::default()).unwrap_or_else(|error| panic!("after {fault:?}: {error}"));
                assert!(files(&out) == *right, "scene {scene}, {fault:?}");
                assert_eq!(verify_output(store, &out, &workers(1), &Silent).unwrap().differences, Vec::<String>::new());
                assert_no_leftovers(&out);
                let again = run(store, &out, Disk::default()).unwrap();
                assert_eq!((again.written, again.unchanged_files), (0, 3), "scene {scene}, {fault:?}");
                fs::remove_dir_all(&out).unwrap();
            }
        }
    }
}

/// What a run that was killed may have replaced is transect's until a run completes, whatever dates that one is for, and
/// also when it is killed in its turn.
#[test]
fn after_two_killed_transposes_no_file_is_left_whose_date_has_gone() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let first = Store::open(place.store()).unwrap();
    small_panel(&place, 1);
    build(&place, &place.store(), true, Disk::default()).unwrap();
    let second = Store::open(place.store()).unwrap();
    // Only the stock of one date is left.
    for code in ["000001.SZ", "BRK.B", "600000.SH"] {
        fs::remove_file(place.source().join(format!("{code}.parquet"))).unwrap();
    }
    build(&place, &place.store(), true, Disk::default()).unwrap();
    let third = Store::open(place.store()).unwrap();
    assert_eq!(third.dates().unwrap().len(), 1);
    let run = |store: &Store, out: &Path, disk: Disk| Transpose::new(store, out).workers(1).disk(disk).run();
    let some = |out: &Path, disk: Disk| {
        let selection = Selection { dates: Some(second.dates().unwrap()[..1].to_vec()), ..Selection::default() };
        Transpose::new(&second, out).workers(1).selection(selection).disk(disk).run()
    };

    let counted = place.path("counted");
    run(&first, &counted, Disk::default()).unwrap();
    let (disk, all) = counting();
    run(&second, &counted, disk).unwrap();
    for n in 0..all.load(Ordering::SeqCst) {
        // Before its ledger, after it, after its file, and never.
        for m in [2, 5, 9, usize::MAX] {
            let out = place.path(&format!("out-{n}-{m}"));
            run(&first, &out, Disk::default()).unwrap();
            run(&second, &out, Fault::From(n).disk()).unwrap_err();
            if some(&out, Fault::From(m).disk()).is_ok() {
                let report = verify_output(&second, &out, &workers(1), &Silent).unwrap();
                let is_open = |difference: &String| difference.contains("did not complete");
                assert!(!report.differences.iter().any(is_open), "killed at {n}, then run for one date: {report:?}");
            }
            // A third one is killed while it removes.
            let _ = run(&third, &out, Fault::From(n).disk());
            run(&third, &out, Disk::default()).unwrap();
            assert_eq!(entries(&out), [".transect.parquet", "20240102.parquet"], "killed at {n}, then at {m}");
            fs::remove_dir_all(&out).unwrap();
        }
    }
}

#[test]
fn of_two_transposes_at_once_one_is_told_that_the_directory_is_locked() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let store = Store::open(place.store()).unwrap();
    let out = place.path("out");
    let (slow, is_reached, go) = waiting(|operation| matches!(operation, Operation::Rename(_, _)));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| transpose(&store, &out, slow));
        is_reached.recv().unwrap();
        match transpose(&store, &out, Disk::default()) {
            Err(Error::Locked { path, .. }) => assert_eq!(path, out),
            other => panic!("{:?}", other.map(|_| "transposed")),
        }
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap().unwrap().written, 3);
    });
    assert_eq!(verify_output(&store, &out, &workers(1), &Silent).unwrap().differences, Vec::<String>::new());
    assert_no_leftovers(&out);
}

#[test]
fn a_transpose_that_was_killed_leaves_nothing_behind_a_later_one_of_another_shape() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let store = Store::open(place.store()).unwrap();
    let (disk, count) = counting();
    transpose(&store, &place.path("counted"), disk).unwrap();
    let mut left_something = 0;
    for n in 0..count.load(Ordering::SeqCst) {
        let out = place.path(&format!("out-{n}"));
        assert!(transpose(&store, &out, Fault::From(n).disk()).is_err());
        left_something += usize::from(out.exists() && entries(&out).iter().any(|path| path.contains("-tmp-2")));
        let shape = Shape { format: Format::Arrow, ..Shape::default() };
        let dates = store.dates().unwrap()[..1].to_vec();
        let selection = Selection { dates: Some(dates), ..Selection::default() };
        Transpose::new(&store, &out).shape(shape).selection(selection).force(true).workers(1).run().unwrap();
        // Those of other dates are written too where the ledger knows them already.
        let found = entries(&out);
        let all = [".transect.arrow", "20231229.arrow", "20240102.arrow", "20240103.arrow"];
        assert!(found == all[..2] || found == all, "killed at operation {n}: {found:?}");
    }
    assert!(left_something > 0);
}

/// What the protocol promises about order, from the operations themselves.
#[test]
fn nothing_gets_its_name_before_its_bytes_are_synced_and_current_comes_last() {
    #[derive(Debug, Clone, PartialEq)]
    enum Step {
        Write(PathBuf),
        Sync(PathBuf),
        Rename(PathBuf, PathBuf),
        SyncDir(PathBuf),
        Other,
    }
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&steps);
    let disk = Disk::with_hook(move |operation| {
        log.lock().unwrap().push(match operation {
            Operation::Write(path, ..) => Step::Write(path.to_owned()),
            Operation::Sync(path) => Step::Sync(path.to_owned()),
            Operation::Rename(from, to) => Step::Rename(from.to_owned(), to.to_owned()),
            Operation::SyncDir(path) => Step::SyncDir(path.to_owned()),
            _ => Step::Other,
        });
        Ok(())
    });
    build(&place, &place.store(), true, disk).unwrap();
    let steps = steps.lock().unwrap();

    let mut renamed = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let Step::Rename(from, to) = step else { continue };
        let last_write = steps[..at].iter().rposition(|step| *step == Step::Write(from.clone())).unwrap();
        let synced = steps[..at].iter().rposition(|step| *step == Step::Sync(from.clone()));
        assert!(synced.is_some_and(|synced| synced > last_write), "{} has its name before its bytes", to.display());
        // Whatever refers to it is renamed only once its own name is synced.
        let dir = Step::SyncDir(to.parent().unwrap().to_owned());
        let named = steps[at..].iter().position(|step| *step == dir).expect("its directory is synced");
        let next_dir = steps[at + 1..]
            .iter()
            .position(|step| matches!(step, Step::Rename(_, next) if next.parent() != to.parent()));
        assert!(next_dir.is_none_or(|next| named < next + 1), "{} is referred to before it is there", to.display());
        renamed.push(to.strip_prefix(place.store()).unwrap().to_str().unwrap().to_owned());
    }
    let commits = commits(&place.store());
    let renamed: Vec<String> = renamed.iter().map(|name| by_version(&commits, name)).collect();
    assert_eq!(renamed, ["segment/2-0000.arrow", "segment/2.chunks", "catalog/2-0000", "catalog/2", "CURRENT"]);
    let parent = Step::SyncDir(place.store().parent().unwrap().to_owned());
    let current = steps.iter().position(|step| matches!(step, Step::Rename(_, to) if to.ends_with("CURRENT"))).unwrap();
    assert!(steps[..current].contains(&parent), "the store's own name is not synced");
}

/// A disk that waits before the first operation that `stops`, a message that it does, and the word to go on.
fn waiting(stops: fn(Operation<'_>) -> bool) -> (Disk, Receiver<()>, Sender<()>) {
    let (reached, is_reached) = channel();
    let (go, may_go) = channel();
    let (reached, may_go) = (Mutex::new(reached), Mutex::new(may_go));
    let waits = AtomicUsize::new(0);
    let disk = Disk::with_hook(move |operation| {
        if stops(operation) && waits.fetch_add(1, Ordering::SeqCst) == 0 {
            reached.lock().unwrap().send(()).unwrap();
            may_go.lock().unwrap().recv().unwrap();
        }
        Ok(())
    });
    (disk, is_reached, go)
}

#[test]
fn a_build_that_was_overtaken_does_not_replace_the_others_store() {
    let place = Place::new();
    small_panel(&place, 0);
    // It has found no store and makes the directory next.
    let (slow, is_reached, go) = waiting(|operation| matches!(operation, Operation::CreateDir(_)));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| build(&place, &place.store(), false, slow));
        is_reached.recv().unwrap();
        build(&place, &place.store(), false, Disk::default()).unwrap();
        go.send(()).unwrap();
        assert!(matches!(first.join().unwrap(), Err(Error::Refused { .. })));
    });
    assert_eq!(Store::open(place.store()).unwrap().version(), 1);
}

#[test]
fn of_two_builds_at_once_one_is_told_that_the_store_is_locked() {
    let place = Place::new();
    small_panel(&place, 0);
    // The first file is the spill, made under the lock.
    let (slow, is_reached, go) = waiting(|operation| matches!(operation, Operation::Create(_)));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| build(&place, &place.store(), false, slow));
        is_reached.recv().unwrap();
        for force in [false, true] {
            match build(&place, &place.store(), force, Disk::default()) {
                Err(Error::Locked { path, .. }) => assert_eq!(path, place.store()),
                other => panic!("force {force}: {:?}", other.map(|_| "built")),
            }
        }
        go.send(()).unwrap();
        first.join().unwrap().unwrap();
    });
    assert_whole(&Store::open(place.store()).unwrap());
    assert_no_leftovers(&place.store());
}

#[test]
fn a_reader_keeps_its_version_through_forced_rebuilds() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let old = sections(&Store::open(place.store()).unwrap());
    // Nothing of its segment is read before the rebuild.
    let reader = Store::open(place.store()).unwrap();
    for salt in 1..=2 {
        small_panel(&place, salt);
        build(&place, &place.store(), true, Disk::default()).unwrap();
    }
    assert_eq!(reader.version(), 1);
    assert_eq!(sections(&reader), old);
    assert_whole(&reader);

    let newer = Store::open(place.store()).unwrap();
    assert_eq!(newer.version(), 3);
    assert_ne!(sections(&newer), old);
    // Once nobody reads it, the next build takes its files away.
    drop((reader, newer));
    build(&place, &place.store(), true, Disk::default()).unwrap();
    let commits = commits(&place.store());
    let names: Vec<String> = entries(&place.store()).iter().map(|name| by_version(&commits, name)).collect();
    let of_version = ["catalog/4", "catalog/4-0000", "segment", "segment/4-0000.arrow", "segment/4.chunks"];
    assert_eq!(names, [&["CURRENT", "LOCK", "catalog"], &of_version[..]].concat());
}

/// Stops a run after so many questions.
struct StopAfter(AtomicUsize);

impl Observer for StopAfter {
    fn cancelled(&self) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err()
    }
}

#[test]
fn a_cancelled_build_leaves_what_was_there_before() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let old = sections(&Store::open(place.store()).unwrap());
    small_panel(&place, 1);
    let mut cancelled = 0;
    for questions in 0.. {
        let observer = StopAfter(AtomicUsize::new(questions));
        match Build::new(place.source(), place.store()).workers(1).force(true).observer(&observer).run() {
            Err(Error::Cancelled) => {
                cancelled += 1;
                assert_eq!(sections(&Store::open(place.store()).unwrap()), old);
                assert_no_leftovers(&place.store());
            }
            other => {
                assert_eq!(other.unwrap().version, 2);
                break;
            }
        }
    }
    assert!(cancelled > 4, "cancelled {cancelled} times");
}

#[test]
fn a_cancelled_transpose_leaves_whole_files_and_can_be_run_again() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let store = Store::open(place.store()).unwrap();
    let out = place.path("out");
    let observer = StopAfter(AtomicUsize::new(1));
    let result = Transpose::new(&store, &out).workers(1).observer(&observer).run();
    assert!(matches!(result, Err(Error::Cancelled)));
    assert_eq!(files(&out).len(), 1);
    let report = verify_output(&store, &out, &workers(1), &Silent).unwrap();
    assert!(report.differences.iter().any(|difference| difference.contains("did not complete")), "{report:?}");
    assert_eq!(transpose(&store, &out, Disk::default()).unwrap().written, 3);
    assert_eq!(verify_output(&store, &out, &workers(1), &Silent).unwrap().differences, Vec::<String>::new());
}
