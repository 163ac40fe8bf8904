//! A link in a store's directory leads out of it: what is written, removed or read behind it is somebody else's. None
//! is followed, whoever put it there; the store itself may be a link, as users move stores to larger disks.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use transect::store::Collect;
use transect::{Build, Error, Store, Update};

use super::panels::{Place, assert_whole, copy_dir, entries, segment_path, small_panel};

fn assert_names<T: std::fmt::Debug>(result: Result<T, Error>, path: &Path) {
    match result {
        Err(Error::Io { path: named, source, .. }) => {
            assert_eq!(named, path);
            assert!(source.to_string().contains("it is a link, which is not followed"), "{source}");
        }
        other => panic!("{}: {other:?}", path.display()),
    }
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let names = entries(dir).into_iter().filter(|name| dir.join(name).is_file());
    names.map(|name| (name.clone(), fs::read(dir.join(name)).unwrap())).collect()
}

#[test]
fn no_link_in_a_store_is_followed() {
    let place = Place::new();
    for salt in 0..2 {
        small_panel(&place, salt);
        Build::new(place.source(), place.store()).workers(1).force(true).run().unwrap();
    }
    small_panel(&place, 2);
    let segment = segment_path(&place.store());
    let segment = segment.strip_prefix(place.store()).unwrap().to_str().unwrap();
    let chunks = "segment/00000002.chunks";
    for name in ["CURRENT", "LOCK", "catalog", "segment", "catalog/0000000002", segment, chunks] {
        let (store, outside) = (place.path("linked.store"), place.path("outside"));
        copy_dir(&place.store(), &store);
        fs::create_dir(&outside).unwrap();
        let (link, target) = (store.join(name), outside.join("target"));
        fs::rename(&link, &target).unwrap();
        symlink(&target, &link).unwrap();
        let before = files(&outside);

        if name != "LOCK" {
            assert_names(Store::open(&store).and_then(|store| store.section_at(0)?.batch()), &link);
        }
        assert_names(Update::new(&store).workers(1).run(), &link);
        if ![segment, chunks].contains(&name) {
            assert_names(Collect::new(&store).keep(1).run(), &link);
        }
        let forced = Build::new(place.source(), &store).workers(1).force(true).run();
        if ["LOCK", "catalog", "segment"].contains(&name) {
            assert_names(forced, &link);
        }
        assert_eq!(files(&outside), before, "{name}");
        fs::remove_dir_all(&store).unwrap();
        fs::remove_dir_all(&outside).unwrap();
    }
}

/// Nothing is there yet, and a file would be made where the link points.
#[test]
fn a_lock_that_points_nowhere_makes_nothing_there() {
    let place = Place::new();
    small_panel(&place, 0);
    fs::create_dir(place.store()).unwrap();
    let (link, target) = (place.store().join("LOCK"), place.path("target"));
    symlink(&target, &link).unwrap();
    assert!(Build::new(place.source(), place.store()).run().is_err());
    assert!(!target.exists());
}

#[test]
fn a_store_may_itself_be_a_link() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let (link, target) = (place.store(), place.path("elsewhere"));
    fs::rename(&link, &target).unwrap();
    symlink(&target, &link).unwrap();
    small_panel(&place, 1);
    assert!(Update::new(&link).workers(1).run().unwrap().published);
    assert_whole(&Store::open(&link).unwrap());
    assert_eq!(Store::open(&target).unwrap().version(), 2);
}
