//! The power fails, and what was not synced is gone: all of it, or some, or the middle of a block. The night's run has
//! said that it is done, or is in the middle of it, or was killed in the middle and started again. Whatever the moment,
//! the store must come up as the version before or as the new one, each whole, and as the new one if that was reported;
//! and the next run must simply work. Each run is recorded here, and cut off after each of its operations, with what a
//! disk may have lost by then.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rustix::io::Errno;
use transect::sink::Partition;
use transect::storage::Disk;
use transect::{Build, Error, OutputSplit, OutputTasks, Shape, Store, Transpose};

use super::machine::{Loss, Machine, Recorder, Step, Tree};
use super::panels::{Place, assert_no_leftovers, entries, sections, small_panel};
use super::scene::{Command, Panel, Scene, build, by_tasks, collect, rounds, seed, store_in, update};

/// What happened to a run before the one that is cut off.
#[derive(Debug, Clone, Copy)]
enum Disturbance {
    /// It was killed before its n-th operation.
    Killed,
    /// Its n-th operation failed.
    Failed,
}

impl Scene {
    fn assert_survives(&self, tree: &Tree, allowed: &[Option<&Panel>], when: &str) {
        // In the same place: a plan of tasks names the store.
        let world = self.empty("now");
        tree.write(&world);
        self.assert_goes_on(&world, allowed, || format!("{when}, where the disk holds\n{tree}"));
    }

    /// Cuts the command off after each of its operations.
    fn is_never_half(&self) {
        let (world, mut machine, recorder) = self.begin();
        (self.command)(&self.place, &store_in(&world), recorder.disk()).unwrap();
        let steps = recorder.take();
        let mut seen = HashSet::new();
        for done in 0..=steps.len() {
            if done > 0 {
                machine.apply(&steps[done - 1]);
            }
            let is_reported = done == steps.len();
            let allowed = if is_reported { &[Some(&self.after)][..] } else { &[self.live(), Some(&self.after)] };
            for loss in Loss::all(seed() ^ done as u64, rounds()) {
                let tree = machine.crash(loss);
                if is_reported || seen.insert(tree.digest()) {
                    self.assert_survives(&tree, allowed, &format!("after {done} of {} operations", steps.len()));
                }
            }
        }
        assert!(seen.len() > 5, "{} states after {} operations", seen.len(), steps.len());
    }

    /// Disturbs the command at each of its operations, runs `second` to its end, and cuts that off: what the first did
    /// not sync may still be lost.
    fn is_never_half_before(&self, second: Command, disturbance: Disturbance) {
        let mut random = ChaCha8Rng::seed_from_u64(seed());
        let (world, _, recorder) = self.begin();
        (self.command)(&self.place, &store_in(&world), recorder.disk()).unwrap();
        for at in 0..recorder.take().len() {
            let (world, mut machine, recorder) = self.begin();
            let store = store_in(&world);
            // Made in time: only the run that makes the directory around a store syncs its name.
            let panels = store.parent().unwrap();
            machine.apply(&Step::CreateDir(panels.to_owned()));
            machine.apply(&Step::SyncDir(world.clone()));
            fs::create_dir_all(panels).unwrap();
            let disk = recorder.failing_disk(move |number, _| match disturbance {
                Disturbance::Killed if number < at => Ok(()),
                Disturbance::Failed if number != at => Ok(()),
                _ => Err(Errno::IO.into()),
            });
            let _ = (self.command)(&self.place, &store, disk);
            recorder.take().iter().for_each(|step| machine.apply(step));
            let between = Store::open(&store).ok().map(|store| sections(&store));
            second(&self.place, &store, recorder.disk()).unwrap();
            let then = sections(&Store::open(&store).unwrap());
            let steps = recorder.take();

            let allowed = [self.live(), between.as_ref(), Some(&then)];
            let stops = (0..rounds()).map(|_| random.next_u32() as usize % steps.len().max(1));
            let stops: HashSet<usize> = stops.chain([steps.len()]).collect();
            for done in 0..=steps.len() {
                if done > 0 {
                    machine.apply(&steps[done - 1]);
                }
                if !stops.contains(&done) {
                    continue;
                }
                let allowed = if done == steps.len() { &allowed[2..] } else { &allowed };
                for loss in [Loss::All, Loss::random(random.next_u64())] {
                    let when = format!("{disturbance:?} at {at}, then after {done} of {} operations", steps.len());
                    self.assert_survives(&machine.crash(loss), allowed, &when);
                }
            }
        }
    }
}

/// Brings an output to what a store holds.
type Writer = fn(&Store, &Path, &Shape, Disk) -> Result<(), Error>;

fn transpose(store: &Store, out: &Path, shape: &Shape, disk: Disk) -> Result<(), Error> {
    Transpose::new(store, out).shape(shape.clone()).check_content(true).workers(1).disk(disk).run().map(drop)
}

/// The same by tasks that are all run here, with what an earlier run left.
fn transpose_by_tasks(store: &Store, out: &Path, shape: &Shape, disk: Disk) -> Result<(), Error> {
    let staging = out.with_file_name(format!("staging-{}", store.version()));
    by_tasks(
        &staging,
        || {
            let split = OutputSplit { staging: staging.clone(), parts: 2 };
            let plan = Transpose::new(store, out).shape(shape.clone()).check_content(true).disk(disk.clone());
            plan.plan_tasks(&split).map(|report| Some(report.plan))
        },
        |plan| OutputTasks::open_on(plan, disk.clone())?.run(1).map(drop),
    )
}

/// Its files are not synced one by one, and many may be lost or empty. What must hold is that the next run sees that,
/// and that neither it nor its user has to clear anything away.
fn is_whole_after_a_power_failure(write: Writer, shape: &Shape) {
    let place = Place::in_memory();
    let store = |salt| {
        small_panel(&place, salt);
        Build::new(place.source(), place.store()).workers(1).force(true).run().unwrap();
        Store::open(place.store()).unwrap()
    };
    let fresh = |path: &str| {
        let path = place.path(path);
        let _ = fs::remove_dir_all(&path);
        path
    };
    let contents = |out: &Path| -> BTreeMap<String, Vec<u8>> {
        let files = entries(out).into_iter().filter(|name| !name.starts_with('.') && out.join(name).is_file());
        files.map(|name| (name.clone(), fs::read(out.join(name)).unwrap())).collect()
    };
    let (before, after) = (store(0), store(1));
    for is_first in [true, false] {
        let world = fresh("world");
        fs::create_dir(&world).unwrap();
        let out = world.join("out");
        if !is_first {
            write(&before, &out, shape, Disk::default()).unwrap();
        }
        let (recorder, mut machine) = (Recorder::new(&place.store()), Machine::of(&world));
        write(&after, &out, shape, recorder.disk()).unwrap();
        let right = contents(&out);
        let steps = recorder.take();
        for done in 0..=steps.len() {
            if done > 0 {
                machine.apply(&steps[done - 1]);
            }
            for loss in Loss::all(seed() ^ done as u64, rounds()) {
                // In the same place: a plan of tasks names the output.
                let (tree, world) = (machine.crash(loss), fresh("world"));
                tree.write(&world);
                let out = world.join("out");
                write(&after, &out, shape, Disk::default()).unwrap();
                assert!(
                    contents(&out) == right,
                    "after {done} of {} operations, where the disk holds\n{tree}",
                    steps.len()
                );
                assert_no_leftovers(&out);
            }
        }
    }
}

#[test]
fn a_transpose_after_a_power_failure_makes_the_output_whole() {
    is_whole_after_a_power_failure(transpose, &Shape::default());
}

#[test]
fn a_transpose_by_tasks_after_a_power_failure_makes_the_output_whole() {
    is_whole_after_a_power_failure(transpose_by_tasks, &Shape::default());
}

#[test]
fn a_transpose_by_stock_after_a_power_failure_makes_the_output_whole() {
    is_whole_after_a_power_failure(transpose, &Shape { by: Partition::Stock, ..Shape::default() });
}

/// The ledger lies in a directory of its own there, whose names must be safe, too.
#[test]
fn a_transpose_into_directories_after_a_power_failure_makes_the_output_whole() {
    let name = Some("trade_date={date}/data.parquet".parse().unwrap());
    is_whole_after_a_power_failure(transpose, &Shape { name, ..Shape::default() });
}

#[test]
fn a_first_build_is_never_half() {
    Scene::first_build().is_never_half();
}

#[test]
fn a_build_by_tasks_is_never_half() {
    Scene::first_build_by_tasks().is_never_half();
}

#[test]
fn an_update_by_tasks_is_never_half() {
    Scene::update_by_tasks().is_never_half();
}

#[test]
fn a_source_that_is_added_by_tasks_is_never_half() {
    Scene::add_by_tasks().is_never_half();
}

#[test]
fn a_forced_build_is_never_half() {
    Scene::forced_build().is_never_half();
}

#[test]
fn a_build_by_two_workers_is_never_half() {
    Scene::forced_build_by_two().is_never_half();
}

#[test]
fn an_update_is_never_half() {
    Scene::update().is_never_half();
}

#[test]
fn an_append_is_never_half() {
    Scene::append().is_never_half();
}

#[test]
fn an_update_that_merges_segments_is_never_half() {
    Scene::merge().is_never_half();
}

#[test]
fn an_update_of_a_setting_alone_is_never_half() {
    Scene::setting().is_never_half();
}

#[test]
fn a_restore_is_never_half() {
    Scene::restore().is_never_half();
}

#[test]
fn options_that_are_set_are_never_half() {
    Scene::set().is_never_half();
}

#[test]
fn a_source_that_goes_is_never_half() {
    Scene::drop_first().is_never_half();
}

#[test]
fn a_collection_is_never_half() {
    Scene::collection().is_never_half();
}

#[test]
fn a_build_after_one_that_was_disturbed_is_never_half() {
    let scene = Scene::first_build();
    scene.is_never_half_before(build, Disturbance::Killed);
    scene.is_never_half_before(build, Disturbance::Failed);
}

#[test]
fn an_update_after_one_that_was_disturbed_is_never_half() {
    let scene = Scene::update();
    scene.is_never_half_before(update, Disturbance::Killed);
    scene.is_never_half_before(update, Disturbance::Failed);
}

#[test]
fn a_collection_after_an_update_that_was_disturbed_is_never_half() {
    let scene = Scene::update();
    scene.is_never_half_before(collect, Disturbance::Killed);
    scene.is_never_half_before(collect, Disturbance::Failed);
}
