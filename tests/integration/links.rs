//! A link in a store's directory leads out of it: what is written, removed or read behind it is somebody else's. None
//! is followed, whoever put it there; the store itself may be a link, as users move stores to larger disks.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use transect::storage::Disk;
use transect::store::Collect;
use transect::{Build, Error, Shape, Store, Transpose, Update};

use super::panels::{Place, assert_whole, copy_dir, entries, named, segment_path, small_panel, small_store};
use super::scene::{Scene, store_in};

/// Asserts that `result` names the link at `path`.
fn assert_names<T: std::fmt::Debug>(result: Result<T, Error>, path: &Path) {
    match result {
        Err(Error::Io { path: named, source, .. }) => {
            let told = format!("{}: {source}", named.display());
            assert!(told.contains(path.to_str().unwrap()), "{told}");
            assert!(told.contains(" is a link, which is not followed; put what it points to in its place"), "{told}");
        }
        other => panic!("{}: {other:?}", path.display()),
    }
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let names = entries(dir).into_iter().filter(|name| dir.join(name).is_file());
    names.map(|name| (name.clone(), fs::read(dir.join(name)).unwrap())).collect()
}

/// Puts a link to somebody else's directory in the place of one of ours, at one of a run's operations.
struct Swap {
    ours: PathBuf,
    /// Where ours goes.
    aside: PathBuf,
    theirs: PathBuf,
    at: usize,
    done: AtomicUsize,
    happened: AtomicBool,
}

impl Swap {
    fn disk(self: &Arc<Swap>) -> Disk {
        let swap = Arc::clone(self);
        Disk::with_hook(move |_| match swap.done.fetch_add(1, Ordering::SeqCst) == swap.at {
            true => swap.happen(),
            false => Ok(()),
        })
    }

    fn happen(&self) -> io::Result<()> {
        if self.ours.is_dir() {
            fs::rename(&self.ours, &self.aside)?;
            symlink(&self.theirs, &self.ours)?;
            self.happened.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    fn undo(&self) {
        fs::remove_file(&self.ours).unwrap();
        fs::rename(&self.aside, &self.ours).unwrap();
    }
}

impl Scene {
    /// At each of the command's operations, catalog/ or segment/ becomes a link to a directory that has files of the
    /// very names: none of those is touched, and once the directory is back the store is whole.
    fn leaves_what_a_link_leads_to(&self) {
        let (mut swaps, mut named) = (0, 0);
        for name in ["catalog", "segment"] {
            for at in 0.. {
                let (world, ..) = self.begin();
                let ours = store_in(&world).join(name);
                let (aside, theirs) = (self.empty("aside"), self.empty("theirs"));
                // What the command would make there, too.
                copy_dir(&store_in(&self.place.path("undisturbed")).join(name), &theirs);
                if ours.is_dir() {
                    copy_dir(&ours, &theirs);
                }
                for temporary in [".transect-tmp-ab", ".transect-tmp-ab-0000.arrow", ".transect-spill-0"] {
                    fs::write(theirs.join(temporary), "mine").unwrap();
                }
                let before = files(&theirs);
                let (done, happened) = (AtomicUsize::new(0), AtomicBool::new(false));
                let swap = Arc::new(Swap { ours: ours.clone(), aside, theirs: theirs.clone(), at, done, happened });
                let result = (self.command)(&self.place, &store_in(&world), swap.disk());
                assert!(files(&theirs) == before, "{}: {name} at {at}", self.name);
                if swap.done.load(Ordering::SeqCst) <= at {
                    break;
                }
                if !swap.happened.load(Ordering::SeqCst) {
                    continue;
                }
                swaps += 1;
                if result.is_err() {
                    named += 1;
                    assert_names(result, &ours);
                }
                swap.undo();
                self.assert_goes_on(&world, &[self.live(), Some(&self.after)], || format!("{name} at {at}"));
            }
        }
        assert!(swaps > 10 && named > swaps / 4, "{}: {named} of {swaps}", self.name);
    }
}

#[test]
fn a_link_put_there_during_a_command_leads_nowhere() {
    let scenes = [
        Scene::first_build,
        Scene::forced_build,
        Scene::update,
        Scene::append,
        Scene::merge,
        Scene::restore,
        Scene::collection,
    ];
    scenes.into_iter().for_each(|scene| scene().leaves_what_a_link_leads_to());
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
    let below = |name: &str| named(&place.store(), name).strip_prefix(place.store()).unwrap().to_owned();
    let (chunks, catalog) = (below("segment/2.chunks"), below("catalog/2"));
    let (chunks, catalog) = (chunks.to_str().unwrap(), catalog.to_str().unwrap());
    for name in ["CURRENT", "LOCK", "catalog", "segment", catalog, segment, chunks] {
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

/// The same of a directory within an output.
#[test]
fn a_link_put_into_an_output_during_a_transpose_leads_nowhere() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let store = Store::open(place.store()).unwrap();
    let shape = || Shape { name: Some("daily/{date}.parquet".parse().unwrap()), ..Shape::default() };
    let theirs = place.path("theirs");
    Transpose::new(&store, &theirs).shape(shape()).workers(1).run().unwrap();
    let theirs = theirs.join("daily");
    fs::write(theirs.join("20240102.parquet"), "mine").unwrap();
    let before = files(&theirs);
    let mut named = 0;
    for at in 0.. {
        let out = place.path(&format!("out{at}"));
        let (ours, aside) = (out.join("daily"), place.path(&format!("aside{at}")));
        let (done, happened) = (AtomicUsize::new(0), AtomicBool::new(false));
        let swap = Arc::new(Swap { ours: ours.clone(), aside, theirs: theirs.clone(), at, done, happened });
        let result = Transpose::new(&store, &out).shape(shape()).workers(1).disk(swap.disk()).run();
        assert!(files(&theirs) == before, "at {at}");
        if swap.done.load(Ordering::SeqCst) <= at {
            break;
        }
        if result.is_err() {
            named += 1;
            assert_names(result, &ours);
        }
        if swap.happened.load(Ordering::SeqCst) {
            swap.undo();
        }
        Transpose::new(&store, &out).shape(shape()).workers(1).run().unwrap();
        assert_eq!(entries(&ours), entries(&theirs), "at {at}");
    }
    assert!(named > 3, "{named}");
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

/// A copy of links has its lock in common with the original, which it would block, and tell of versions that are not its own.
#[test]
fn a_lock_that_another_store_has_too_is_refused_and_left_as_it_is() {
    let (place, _) = small_store();
    let (lock, other) = (place.store().join("LOCK"), place.path("other"));
    fs::hard_link(&lock, &other).unwrap();
    let before = fs::read(&lock).unwrap();
    // Nobody keeps a reader from either.
    assert_whole(&Store::open(place.store()).unwrap());
    let refused = Update::new(place.store()).run().unwrap_err().to_string();
    assert!(refused.contains("LOCK is a hard link") && refused.contains("cp LOCK own"), "{refused}");
    assert_eq!(fs::read(&other).unwrap(), before);
    // The way out.
    fs::copy(&lock, place.store().join("own")).unwrap();
    fs::rename(place.store().join("own"), &lock).unwrap();
    Update::new(place.store()).run().unwrap();
    assert_eq!(fs::read(&other).unwrap(), before);
}
