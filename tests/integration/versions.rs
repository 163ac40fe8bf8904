//! A store keeps several versions, and removes some. What a reader asks for by number or by time must be what was live
//! then, or be refused; what is removed must not be missed by anything that stays, nor what stays be forgotten on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow_array::{ArrayRef, Float64Array, StringArray};
use transect::progress::Silent;
use transect::storage::{Disk, Operation};
use transect::store::{Collect, CollectReport};
use transect::{Build, Error, Store, Update};

use super::panels::{
    Contents, Place, assert_whole, batch, by_version, commits, copy_dir, entries, named, sections, small_panel, verify,
    workers,
};

/// Publishes `count` versions of the small panel, each with other values. A build collects what nobody reads, so the
/// readers that are returned keep them all.
pub fn publish_versions(place: &Place, count: i64) -> Vec<Store> {
    let publish = |salt| {
        small_panel(place, salt);
        Build::new(place.source(), place.store()).workers(1).force(true).run().unwrap();
        Store::open(place.store()).unwrap()
    };
    (0..count).map(publish).collect()
}

fn collect(place: &Place) -> Collect<'_> {
    Collect::new(place.store())
}

fn numbers(report: &CollectReport) -> [&[u64]; 3] {
    [&report.versions, &report.held, &report.kept]
}

/// Every file of the store with its bytes.
fn files(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let root = place.store();
    let files = entries(&root).into_iter().filter(|path| root.join(path).is_file());
    files.map(|path| (path.clone(), fs::read(root.join(path)).unwrap())).collect()
}

fn byte_len(place: &Place) -> u64 {
    files(place).values().map(|bytes| bytes.len() as u64).sum()
}

fn open(place: &Place, version: u64) -> Store {
    let store = Store::open_version(place.store(), version).unwrap();
    assert_whole(&store);
    store
}

fn is_missing(result: Result<Store, Error>) -> bool {
    matches!(result, Err(Error::NotFound { .. }))
}

fn hour() -> Duration {
    Duration::from_secs(3600)
}

#[test]
fn each_version_is_read_as_it_was_by_number_and_by_time() {
    let place = Place::new();
    let held = publish_versions(&place, 3);
    assert_eq!(held[2].kept_versions().unwrap(), [1, 2, 3]);
    let all: Vec<_> = held.iter().map(sections).collect();
    for (store, right) in held.iter().zip(&all) {
        let (version, since) = (store.version(), store.created_ns());
        assert_eq!(&sections(&open(&place, version)), right);
        let as_of = |instant| Store::open_as_of(place.store(), instant).map(|store| store.version());
        assert_eq!(as_of(since).unwrap(), version);
        match version {
            1 => assert!(matches!(as_of(since - 1), Err(Error::NotFound { .. }))),
            _ => assert_eq!(as_of(since - 1).unwrap(), version - 1),
        }
    }
    assert_eq!(Store::open_as_of(place.store(), i64::MAX).unwrap().version(), 3);
    assert!(is_missing(Store::open_version(place.store(), 4)) && is_missing(Store::open_version(place.store(), 0)));
}

/// A version that claims to be older than what it was made from would show a reader as of that time what nobody knew
/// then.
#[test]
fn nothing_is_seen_as_of_a_time_before_it_was_read() {
    let place = Place::new();
    drop(publish_versions(&place, 1));
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
    let began = Arc::new(AtomicI64::new(i64::MAX));
    let noted = Arc::clone(&began);
    let disk = Disk::with_hook(move |operation| {
        if matches!(operation, Operation::Create(_)) {
            noted.fetch_min(now(), Ordering::SeqCst);
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    });
    small_panel(&place, 1);
    let report = Update::new(place.store()).workers(1).disk(disk).run().unwrap();
    assert!(report.published);
    let as_of = |instant| Store::open_as_of(place.store(), instant).unwrap().version();
    assert_eq!([as_of(began.load(Ordering::SeqCst)), as_of(now())], [1, 2]);
}

/// Only damage gives up what the store was; what merely cannot be read now may be whole.
#[test]
fn a_forced_build_goes_on_with_the_store_unless_its_catalog_is_damaged() {
    let place = Place::new();
    let id = publish_versions(&place, 1)[0].id();
    let catalog = named(&place.store(), "catalog/1");
    let bytes = fs::read(&catalog).unwrap();
    fs::remove_file(&catalog).unwrap();
    fs::create_dir(&catalog).unwrap();
    let forced = || Build::new(place.source(), place.store()).workers(1).force(true).run();
    assert!(matches!(forced(), Err(Error::Io { path, .. }) if path == catalog));
    fs::remove_dir(&catalog).unwrap();
    fs::write(&catalog, &bytes).unwrap();
    forced().unwrap();
    let store = Store::open(place.store()).unwrap();
    assert_eq!((store.id(), store.history().unwrap().len()), (id, 2));
    let catalog = named(&place.store(), "catalog/2");
    fs::write(&catalog, &bytes[..bytes.len() / 2]).unwrap();
    forced().unwrap();
    let store = Store::open(place.store()).unwrap();
    assert_ne!(store.id(), id);
    assert_eq!(store.history().unwrap().len(), 1);
}

/// A copy that left CURRENT out is no unfinished build, and a new one in its place would remove all versions.
#[test]
fn a_store_without_its_current_file_is_damaged_and_only_replaced_by_force() {
    let place = Place::new();
    drop(publish_versions(&place, 1));
    small_panel(&place, 1);
    Update::new(place.store()).run().unwrap();
    let current = place.store().join("CURRENT");
    let bytes = fs::read(&current).unwrap();
    fs::remove_file(&current).unwrap();
    assert!(matches!(Store::open(place.store()), Err(Error::Corrupt { path, .. }) if path == current));
    let before = files(&place);
    match Build::new(place.source(), place.store()).run() {
        Err(why @ Error::Refused { .. }) => {
            assert!(why.to_string().contains("rows, or force replaces the store and erases all its versions"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    fs::write(&current, &bytes).unwrap();
    assert_eq!(Store::open(place.store()).unwrap().kept_versions().unwrap(), [1, 2]);
    fs::remove_file(&current).unwrap();
    assert_eq!(before.keys().collect::<Vec<_>>(), files(&place).keys().collect::<Vec<_>>());
    Build::new(place.source(), place.store()).force(true).run().unwrap();
    assert_eq!(Store::open(place.store()).unwrap().history().unwrap().len(), 1);
}

#[test]
fn the_newest_versions_stay_whole_and_nothing_is_left_of_the_others() {
    let place = Place::new();
    let held = publish_versions(&place, 4);
    let right: Vec<Vec<(_, Contents)>> = held.iter().map(sections).collect();
    let since = held[1].created_ns();
    drop(held);
    let before = byte_len(&place);

    let report = collect(&place).keep(2).run().unwrap();
    assert_eq!(numbers(&report), [&[1, 2][..], &[], &[3, 4]]);
    // Of each, a catalog, a source's tables, a segment and a chunk file.
    assert_eq!((report.files, report.bytes), (8, before - byte_len(&place)));
    assert_eq!((sections(&open(&place, 3)), sections(&open(&place, 4))), (right[2].clone(), right[3].clone()));
    let names = entries(&place.store()).into_iter().filter(|path| path.contains('/'));
    let commits = commits(&place.store());
    let mut names: Vec<String> = names.map(|name| by_version(&commits, &name)).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "catalog/3",
            "catalog/3-0000",
            "catalog/4",
            "catalog/4-0000",
            "segment/3-0000.arrow",
            "segment/3.chunks",
            "segment/4-0000.arrow",
            "segment/4.chunks",
        ]
    );
    let gone = Store::open_version(place.store(), 2).unwrap_err();
    assert!(gone.to_string().ends_with("versions 4 and 3 are kept"), "{gone}");
    assert!(is_missing(Store::open_as_of(place.store(), since)), "never another version than was live");
    assert_eq!(numbers(&collect(&place).keep(2).run().unwrap()), [&[][..], &[], &[3, 4]]);
}

#[test]
fn the_store_itself_says_how_many_versions_stay() {
    let place = Place::new();
    small_panel(&place, 0);
    Build::new(place.source(), place.store()).workers(1).keep(2).run().unwrap();
    drop(publish_versions(&place, 3));
    assert_eq!(Store::open(place.store()).unwrap().keep(), 2, "a forced build keeps the setting");
    let held = publish_versions(&place, 2);
    drop(held);
    assert_eq!(collect(&place).run().unwrap().kept, [5, 6]);
}

#[test]
fn versions_that_only_note_skipped_files_take_the_place_of_none_with_other_rows() {
    let place = Place::new();
    small_panel(&place, 0);
    let kept = |keep: u32| {
        let report = Update::new(place.store()).keep(keep).workers(1).run().unwrap();
        assert!(report.published, "{report:?}");
        Store::open(place.store()).unwrap().kept_versions().unwrap()
    };
    Build::new(place.source(), place.store()).workers(1).keep(2).run().unwrap();
    small_panel(&place, 1);
    assert_eq!(kept(2), [1, 2]);
    // The same rows as those of version 2, three times.
    for (name, right) in [("x", &[1, 2, 3][..]), ("y", &[1, 3, 4]), ("z", &[1, 4, 5])] {
        fs::write(place.source().join(format!("{name}.parquet")), "").unwrap();
        assert_eq!(kept(2), right);
    }
    small_panel(&place, 2);
    assert_eq!(kept(2), [5, 6]);
    small_panel(&place, 3);
    assert_eq!(kept(3), [5, 6, 7]);
    assert_eq!(collect(&place).keep(1).run().unwrap().kept, [7]);
}

#[test]
fn a_version_that_a_reader_has_open_stays_and_goes_later() {
    let place = Place::new();
    let mut held = publish_versions(&place, 3);
    let first = held.swap_remove(0);
    let right = sections(&first);
    drop(held);
    assert_eq!(numbers(&collect(&place).keep(1).run().unwrap()), [&[2][..], &[1], &[1, 3]]);
    assert_eq!(sections(&first), right);
    assert_whole(&first);
    assert_eq!(sections(&open(&place, 1)), right, "others may open it, too");
    drop(first);
    assert_eq!(numbers(&collect(&place).keep(1).run().unwrap()), [&[1][..], &[], &[3]]);
    assert!(is_missing(Store::open_version(place.store(), 1)));
}

#[test]
fn a_dry_run_tells_the_same_and_touches_nothing() {
    let place = Place::new();
    let mut held = publish_versions(&place, 4);
    let second = held.swap_remove(1);
    drop(held);
    // What another writer may be about to publish.
    fs::write(place.store().join("segment/.transect-tmp-x"), "unfinished").unwrap();
    let before = files(&place);
    let disk = Disk::with_hook(|operation| panic!("{operation:?}"));
    let told = collect(&place).keep(1).dry_run(true).disk(disk).run().unwrap();
    assert_eq!(files(&place), before);
    let done = collect(&place).keep(1).run().unwrap();
    assert_eq!(numbers(&told), [&[1, 3][..], &[2], &[2, 4]]);
    assert_eq!(format!("{told:?}"), format!("{done:?}"));
    drop(second);
}

#[test]
fn a_version_is_as_old_as_its_end_so_that_any_instant_since_can_be_read() {
    let place = Place::new();
    let mut held = publish_versions(&place, 2);
    thread::sleep(Duration::from_millis(400));
    held.extend(publish_versions(&place, 1));
    let instant = held[1].created_ns() + 50_000_000;
    drop(held);
    assert_eq!(numbers(&collect(&place).keep_for(hour()).run().unwrap()), [&[][..], &[], &[1, 2, 3]]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
    let age = Duration::from_nanos((now - instant) as u64);
    assert_eq!(numbers(&collect(&place).keep_for(age).keep(3).run().unwrap()), [&[][..], &[], &[1, 2, 3]]);
    // Version 2 is older than that, but was live then.
    assert_eq!(numbers(&collect(&place).keep_for(age).run().unwrap()), [&[1][..], &[], &[2, 3]]);
    assert_eq!(Store::open_as_of(place.store(), now).unwrap().version(), 3);
    assert_eq!(Store::open_as_of(place.store(), instant).unwrap().version(), 2);
    assert_eq!(collect(&place).keep_for(Duration::ZERO).run().unwrap().kept, [3]);
    assert_eq!(collect(&place).keep_for(Duration::MAX).run().unwrap().kept, [3]);
}

#[test]
fn a_version_that_never_became_live_goes() {
    let place = Place::new();
    drop(publish_versions(&place, 1));
    let right = sections(&open(&place, 1));
    let disk = Disk::with_hook(|operation| match operation {
        Operation::Rename(_, to) if to.ends_with("CURRENT") => Err(std::io::ErrorKind::Other.into()),
        _ => Ok(()),
    });
    small_panel(&place, 1);
    Build::new(place.source(), place.store()).workers(1).force(true).disk(disk).run().unwrap_err();
    assert!(named(&place.store(), "catalog/2").exists());
    assert_eq!(open(&place, 1).kept_versions().unwrap(), [1], "it cannot be opened");
    assert!(is_missing(Store::open_version(place.store(), 2)));

    assert_eq!(numbers(&collect(&place).run().unwrap()), [&[2][..], &[], &[1]]);
    assert_eq!(entries(&place.store()).len(), 8);
    assert_eq!(sections(&open(&place, 1)), right);
}

/// Nobody reads an old version before it is needed, and then it should be there.
#[test]
fn every_version_is_verified_and_what_they_share_is_read_once() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240103"]));
    for salt in 1..4 {
        let x: ArrayRef = Arc::new(Float64Array::from(vec![f64::from(salt)]));
        place.add("more", &batch(&[("date", dates.clone()), ("size", x)]));
        assert!(Update::new(place.store()).run().unwrap().published);
    }
    let all = |store: &Store| store.verify_all(&workers(2), &Silent).unwrap();
    let live = open(&place, 4);
    let report = all(&live);
    assert_eq!((report.versions, report.damages), (vec![1, 2, 3, 4], vec![]));
    // Three dates of the first version, and one more section for each later one.
    assert_eq!(report.sections, 6);
    assert_eq!(verify(&live).sections, 3);

    // The section that version 3 replaced is version 2's alone.
    let segment = named(&place.store(), "segment/2-0000.arrow");
    let good = fs::read(&segment).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&segment, &bad).unwrap();
        let report = all(&Store::open(place.store()).unwrap());
        assert!(!report.damages.is_empty(), "byte {at}");
        assert!(
            report.damages.iter().all(|damage| damage.contains(&segment.display().to_string())),
            "{:?}",
            report.damages
        );
    }
    assert_eq!(verify(&Store::open(place.store()).unwrap()).damages, Vec::<String>::new());
    fs::write(&segment, &good).unwrap();
    let catalog = named(&place.store(), "catalog/3");
    fs::write(&catalog, &fs::read(&catalog).unwrap()[..100]).unwrap();
    let report = all(&live);
    assert_eq!((report.versions, report.damages.len()), (vec![1, 2, 3, 4], 1));
    assert!(report.damages[0].contains(&catalog.display().to_string()), "{:?}", report.damages);
}

/// Which segments a damaged catalog names, nobody knows; so none that it could name may go.
#[test]
fn what_a_damaged_version_may_use_stays() {
    let place = Place::new();
    drop(publish_versions(&place, 3));
    let catalog = named(&place.store(), "catalog/2");
    let good = fs::read(&catalog).unwrap();
    fs::write(&catalog, &good[..good.len() / 2]).unwrap();
    let report = collect(&place).keep(2).run().unwrap();
    assert_eq!(numbers(&report), [&[1][..], &[], &[2, 3]]);
    assert_eq!(report.files, 1, "the catalog alone");
    assert_eq!(open(&place, 3).kept_versions().unwrap(), [2, 3]);
    assert!(Store::open_version(place.store(), 2).is_err());
    fs::write(&catalog, &good).unwrap();
    open(&place, 2);
    fs::write(&catalog, &good[..good.len() / 2]).unwrap();
    assert_eq!(collect(&place).keep(1).run().unwrap().versions, [2], "a damaged version goes as any other");
    assert_eq!(entries(&place.store()).len(), 8);
}

#[test]
fn a_damaged_live_version_stops_the_collector() {
    let place = Place::new();
    drop(publish_versions(&place, 2));
    let catalog = named(&place.store(), "catalog/2");
    let mut bytes = fs::read(&catalog).unwrap();
    bytes[100] ^= 1;
    fs::write(&catalog, &bytes).unwrap();
    let before = files(&place);
    assert!(matches!(collect(&place).keep(1).run(), Err(Error::Corrupt { .. })));
    assert_eq!(files(&place), before);
}

/// To learn whether a version is held, a lock is tried that would be in a reader's way.
#[test]
fn a_reader_that_opens_a_version_while_it_is_looked_at_gets_it() {
    let place = Place::new();
    drop(publish_versions(&place, 2));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                collect(&place).keep(1).dry_run(true).run().unwrap();
            }
        });
        for _ in 0..300 {
            assert_eq!(Store::open_version(place.store(), 1).unwrap().version(), 1);
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// Each round a reader opens version 1 at about the instant at which it is removed.
#[test]
fn a_reader_that_opens_a_version_while_it_is_removed_gets_all_of_it_or_is_refused() {
    let place = Place::new();
    let held = publish_versions(&place, 2);
    let right = sections(&held[0]);
    drop(held);
    let (mut got, mut refused) = (0, 0);
    for round in 0..40 {
        let store: PathBuf = place.path(&format!("{round}.store"));
        copy_dir(&place.store(), &store);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                thread::sleep(Duration::from_micros(round * 20));
                Store::open_version(&store, 1)
            });
            Collect::new(&store).keep(1).run().unwrap();
            match reader.join().unwrap() {
                Ok(opened) => {
                    got += 1;
                    assert_eq!(sections(&opened), right, "round {round}");
                }
                Err(Error::NotFound { .. }) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        });
        fs::remove_dir_all(&store).unwrap();
    }
    assert_eq!(got + refused, 40);
}
