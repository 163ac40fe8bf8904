//! Somebody restores CURRENT from a backup, and the store is a week younger again: readers see the old version, and the
//! next night would remove what it does not know. A writer must notice, and lose nothing before somebody chooses.

use std::fs;
use std::io::{Error as IoError, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use transect::format::LockNote;
use transect::storage::Disk;
use transect::store::Collect;
use transect::{Build, Error, Store, Update};

use super::panels::{Place, assert_whole, copy_dir, entries, named, sections, small_panel, verify};

/// A store of three versions, and what its CURRENT and LOCK were when each had gone live.
fn three_versions() -> (Place, Vec<[Vec<u8>; 2]>) {
    let place = Place::new();
    let mut then = Vec::new();
    for version in 1..=3 {
        publish(&place, version);
        then.push(["CURRENT", "LOCK"].map(|name| fs::read(place.store().join(name)).unwrap()));
    }
    (place, then)
}

/// The next version, the `version`-th.
fn publish(place: &Place, version: usize) {
    small_panel(place, version as i64);
    match version {
        1 => drop(place.build()),
        _ => assert!(Update::new(place.store()).workers(1).run().unwrap().published),
    }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(error @ Error::Refused { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

/// All files but LOCK, which has the process in it.
fn files(store: &Path) -> Vec<(String, Vec<u8>)> {
    let names = entries(store).into_iter().filter(|name| name != "LOCK" && store.join(name).is_file());
    names.map(|name| (name.clone(), fs::read(store.join(name)).unwrap())).collect()
}

fn live(store: &Path) -> u64 {
    Store::open(store).unwrap().version()
}

#[test]
fn a_current_of_another_day_stops_every_writer_and_says_how_to_choose() {
    let (place, then) = three_versions();
    let path = place.store().display().to_string();
    for with_lock in [false, true] {
        let store = place.store();
        fs::write(store.join("CURRENT"), &then[0][0]).unwrap();
        if with_lock {
            // An old copy of all files was laid over the newer ones.
            fs::write(store.join("LOCK"), &then[0][1]).unwrap();
        }
        let before = files(&store);
        let right = format!(
            "{path}: CURRENT names version 1, and version 3 went live after it: CURRENT was restored from a copy, or \
             altered; live 3 makes version 3 live again, or live 1 goes on from version 1 and gives up what came later"
        );
        assert_eq!(refusal(Update::new(&store).run()), right);
        assert_eq!(refusal(Collect::new(&store).run()), right);
        assert_eq!(refusal(Collect::new(&store).dry_run(true).run()), right);
        assert_eq!(files(&store), before);
        let damages = verify(&Store::open(&store).unwrap()).damages;
        assert!(damages[0].contains("CURRENT names version 1, and version 3 went live after it"), "{damages:?}");
        assert_eq!(live(&store), 1);
    }
    // A forced build replaces all of them in any case, under a number of its own.
    assert_eq!(Build::new(place.source(), place.store()).force(true).run().unwrap().version, 4);
}

#[test]
fn the_newer_version_is_made_live_again_and_nothing_is_lost() {
    let (place, then) = three_versions();
    let right = sections(&Store::open(place.store()).unwrap());
    fs::write(place.store().join("CURRENT"), &then[0][0]).unwrap();
    let report = Collect::new(place.store()).live(3).dry_run(true).run().unwrap();
    assert_eq!((report.versions, report.kept), (vec![], vec![1, 2, 3]));
    assert_eq!(Collect::new(place.store()).live(3).run().unwrap().kept, [1, 2, 3]);
    let store = Store::open(place.store()).unwrap();
    assert_eq!((store.version(), sections(&store)), (3, right));
    assert_whole(&store);
    publish(&place, 4);
    assert_eq!(Store::open(place.store()).unwrap().kept_versions().unwrap(), [1, 2, 3, 4]);
}

#[test]
fn what_is_given_up_goes_and_its_numbers_are_not_used_again() {
    let (place, then) = three_versions();
    fs::write(place.store().join("CURRENT"), &then[0][0]).unwrap();
    let report = Collect::new(place.store()).live(1).run().unwrap();
    assert_eq!((report.versions, report.kept), (vec![2, 3], vec![1]));
    assert_whole(&Store::open(place.store()).unwrap());
    publish(&place, 4);
    assert_eq!(Store::open(place.store()).unwrap().kept_versions().unwrap(), [1, 4]);
}

/// A reader keeps the catalogs that are given up; they must not ask the same question every night.
#[test]
fn what_is_given_up_while_a_reader_has_it_is_no_question_any_more() {
    let (place, then) = three_versions();
    let reader = Store::open(place.store()).unwrap();
    fs::write(place.store().join("CURRENT"), &then[0][0]).unwrap();
    assert_eq!(Collect::new(place.store()).live(1).run().unwrap().held, [3]);
    publish(&place, 4);
    assert_eq!(live(&place.store()), 4);
    assert_eq!(sections(&reader).len(), 3);
}

#[test]
fn versions_of_which_only_lock_knows_are_asked_for() {
    let (place, then) = three_versions();
    fs::write(place.store().join("CURRENT"), &then[0][0]).unwrap();
    for version in [2, 3] {
        fs::remove_file(named(&place.store(), &format!("catalog/{version}"))).unwrap();
    }
    let why = refusal(Update::new(place.store()).run());
    assert!(why.contains("restore version 3 from a copy, since it is not there any more, or live 1"), "{why}");
    assert!(refusal(Collect::new(place.store()).live(3).run()).contains("restore version 3 from a copy"));
    Collect::new(place.store()).live(1).run().unwrap();
    publish(&place, 4);
    assert_eq!(live(&place.store()), 4);
}

#[test]
fn where_nothing_is_to_be_chosen_no_choice_is_taken() {
    let (place, _) = three_versions();
    for version in [1, 3, 4] {
        let why = refusal(Collect::new(place.store()).live(version).run());
        assert!(why.contains("names the version that went live last") && why.contains("nothing to be chosen"), "{why}");
    }
    assert_eq!(Store::open(place.store()).unwrap().kept_versions().unwrap(), [1, 2, 3]);
}

/// All else of the store is there: each way out that is told is one that works.
#[test]
fn a_store_without_current_is_made_whole_by_an_old_copy_of_it_or_built_elsewhere() {
    let (place, then) = three_versions();
    let current = place.store().join("CURRENT");
    let ways = "put a copy of CURRENT back, of whatever version: whoever writes next is told how the newest goes live, \
                or build another store from the files, which has neither the older versions nor appended rows";
    for damaged in [None, Some(&then[2][0][..20])] {
        match damaged {
            None => fs::remove_file(&current).unwrap(),
            Some(bytes) => fs::write(&current, bytes).unwrap(),
        }
        let error = Update::new(place.store()).run().unwrap_err();
        assert!(error.to_string().ends_with(ways), "{error}");
        fs::write(&current, &then[0][0]).unwrap();
        let told = Update::new(place.store()).run().unwrap_err().to_string();
        assert!(told.contains("makes version 3 live again"), "{told}");
        Collect::new(place.store()).live(3).run().unwrap();
        assert_eq!(live(&place.store()), 3);
    }
    fs::remove_file(&current).unwrap();
    let refused = Build::new(place.source(), place.store()).run().unwrap_err().to_string();
    assert!(refused.contains("put a copy of CURRENT back"), "{refused}");
    assert_eq!(Build::new(place.source(), place.path("other")).run().unwrap().version, 1);
}

/// The first one has no history, and its CURRENT may be lost as well as any other.
#[test]
fn a_first_version_without_current_was_published() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    fs::remove_file(place.store().join("CURRENT")).unwrap();
    match Store::open(place.store()) {
        Err(Error::Corrupt { path, damage }) => {
            assert_eq!(path, place.store().join("CURRENT"));
            assert_eq!(damage.to_string(), "it is not there, although version 1 was published");
        }
        other => panic!("{:?}", other.map(|store| store.version())),
    }
    refusal(Build::new(place.source(), place.store()).run());
}

#[test]
fn a_lock_that_says_nothing_or_rubbish_is_in_nobodys_way() {
    let (place, _) = three_versions();
    let lock = place.store().join("LOCK");
    let text = fs::read(&lock).unwrap();
    assert_eq!(LockNote::parse(&text).map(|note| (note.live, note.last)), Some((3, 3)));
    let mut flipped = text.clone();
    flipped[30] ^= 4;
    for (version, bytes) in (4..).zip([&b""[..], b"4711\n", &flipped, &text[..50], &[0; 500], &[0xff; 9000]]) {
        fs::write(&lock, bytes).unwrap();
        publish(&place, version);
        let note = LockNote::parse(&fs::read(&lock).unwrap()).unwrap();
        assert_eq!((note.live, note.last, note.process), (version as u64, version as u64, std::process::id()));
    }
}

/// Each operation of a choice fails in turn, alone or with all that follow: nothing is lost that was not given up, and
/// the same choice completes it.
#[test]
fn a_choice_that_fails_anywhere_can_be_made_again() {
    let (place, then) = three_versions();
    fs::write(place.store().join("CURRENT"), &then[0][0]).unwrap();
    let right = sections(&Store::open_version(place.store(), 1).unwrap());
    for (choice, goes_on) in [(1, true), (1, false), (3, true), (3, false)] {
        for at in 0.. {
            let store = place.path(&format!("{choice}-{goes_on}-{at}"));
            copy_dir(&place.store(), &store);
            let done = AtomicUsize::new(0);
            let disk = Disk::with_hook(move |_| match done.fetch_add(1, Ordering::SeqCst) {
                n if n == at || n > at && !goes_on => Err(IoError::from(ErrorKind::Other)),
                _ => Ok(()),
            });
            if Collect::new(&store).live(choice).disk(disk).run().is_ok() {
                assert!(at > 5, "{at} operations");
                assert_eq!(live(&store), choice);
                break;
            }
            assert!([1, choice].contains(&live(&store)), "operation {at}");
            assert_eq!(sections(&Store::open_version(&store, 1).unwrap()), right);
            // It was chosen already, or is still to be chosen.
            if Collect::new(&store).run().is_err() {
                Collect::new(&store).live(choice).run().unwrap();
            }
            assert_eq!(live(&store), choice, "operation {at}");
            assert_whole(&Store::open(&store).unwrap());
        }
    }
}
