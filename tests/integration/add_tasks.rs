//! A source that is added by tasks: what they publish must be what `source add` publishes here, byte for byte, and what
//! a later update finds right.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use transect::source::{CodeMap, SourceOptions};
use transect::storage::Disk;
use transect::{AddSource, Build, Error, Guard, Join, Store, TaskSplit, Update, UpdateReport, UpdateTasks};

use super::alike::{SPLITS, World, copy, said};
use super::model::{Files, files};
use super::panels::{Place, assert_whole, batch, cases, paths_in, write_parquet};
use super::several_tasks::write_other;
use super::tasks::{bars, days, die_everywhere, texts, texts_panel};
use super::update_tasks::{all_but_commit, numbers, tasks};

type Configure<'c> = &'c dyn Fn(AddSource<'static>) -> AddSource<'static>;

/// The addition of `directory` to a store.
fn add(store: &Path, directory: &Path, disk: Disk, configure: Configure) -> AddSource<'static> {
    configure(AddSource::new(store, [directory]).memory(64 << 20).allow(Guard::ALL).disk(disk))
}

impl World {
    /// Adds the files in `directory`, here and by tasks.
    fn added(
        &mut self,
        directory: &str,
        configure: Configure,
        splits: &[(usize, usize)],
    ) -> Result<UpdateReport, Error> {
        let directory = self.place.path(directory);
        let here = |store: &Path, disk| add(store, &directory, disk, configure).workers(2).run();
        let plan = |store: &Path, disk, split| add(store, &directory, disk, configure).plan_tasks(&split);
        self.alike(splits, here, plan)
    }
}

/// A store, and a directory `other` whose rows are some of its own and others.
fn world() -> World {
    let place = Place::in_memory();
    texts_panel(&place);
    write_other(&place.path("other"), |stock| stock - 3..33 - stock % 5, 1);
    World::new(place, &SourceOptions::default())
}

#[test]
fn tasks_add_the_source_that_is_added_here() {
    let mut world = world();
    let report = world.added("other", &|add| add.prefix("{source}_"), &SPLITS).unwrap();
    assert!(report.published && report.added > 0 && report.filled > 0 && report.new_stocks > 0);
    // Rows that no other source has are left out, and files that are bad are skipped.
    write_other(&world.place.path("more"), |stock| stock..40, 2);
    let more = world.place.path("more");
    fs::write(more.join("006.parquet"), b"none").unwrap();
    let mut pages = fs::read(more.join("007.parquet")).unwrap();
    let end = pages.len() / 3;
    pages[4..end].fill(0xee);
    fs::write(more.join("007.parquet"), pages).unwrap();
    let report = world.added("more", &|add| add.join(Join::Left).prefix("m_").source_name("left"), &SPLITS).unwrap();
    assert!(report.published && report.left_out > 0 && report.skipped.len() == 2 && report.added == 0);
    let store = Store::open(world.local()).unwrap();
    assert_eq!(store.source_names().unwrap(), ["source", "other", "left"]);
}

/// What the store remembers of the source is what its next updates go on from.
#[test]
fn a_source_that_tasks_added_is_brought_up_to_date_by_tasks() {
    let mut world = world();
    world.added("other", &|add| add.keep(3), &[(2, 3)]).unwrap();
    write_other(&world.place.path("other"), |stock| stock..28, 2);
    world.configure = |update| update.sources(["other"]);
    assert!(world.night(&SPLITS).published);
    assert!(!world.night(&[(1, 1)]).published);
}

#[test]
fn tasks_add_long_dates_under_another_name_of_the_key() {
    let place = Place::in_memory();
    let options = bars(&place);
    let other = place.path("other");
    fs::create_dir(&other).unwrap();
    for (code, count) in [("B", 50_000), ("C", 90_000), ("F", 30_000)] {
        let columns = [
            ("date", texts((0..count).flat_map(|_| days(0..1)))),
            ("minute", numbers(0..count)),
            ("y", numbers((0..count).map(|n| n * 3 % 89))),
        ];
        write_parquet(&other.join(format!("{code}.parquet")), &batch(&columns));
    }
    let mut world = World::new(place, &options);
    let named = |add: AddSource<'static>| {
        add.options(SourceOptions { key: vec!["time=minute".to_owned()], ..SourceOptions::default() })
    };
    assert!(world.added("other", &named, &[(1, 2), (5, 3)]).unwrap().published);
}

#[test]
fn tasks_add_files_by_date_and_codes_that_a_map_gives() {
    let mut world = world();
    let dates = world.place.path("dates");
    fs::create_dir(&dates).unwrap();
    for day in days(3..9) {
        let columns = [("code", texts(["A", "009", "new"].map(str::to_owned))), ("v", numbers(0..3))];
        write_parquet(&dates.join(format!("{}.parquet", day.replace('-', ""))), &batch(&columns));
    }
    assert!(world.added("dates", &|add| add.options(SourceOptions::by_date()), &SPLITS).unwrap().published);
    let map = world.place.path("map.csv");
    fs::write(&map, "from,to,valid_from,until\n005,000,,\n006,006,,\n").unwrap();
    let options = SourceOptions { code_map: Some(CodeMap::at(map.to_str().unwrap())), ..SourceOptions::default() };
    let report = world.added("other", &|add| add.options(options.clone()), &SPLITS);
    assert!(report.unwrap().published);
}

/// A copy of the store of `world`, and a plan of what is added to it.
fn planned(world: &World, allowed: &'static [Guard]) -> PathBuf {
    let own = world.place.path("own.store");
    copy(&world.local(), &own);
    let split = TaskSplit { staging: world.place.path("own.staging"), parts: 3, bands: 4 };
    let add = AddSource::new(own, [world.place.path("other")]).memory(64 << 20).allow(allowed.iter().copied());
    PathBuf::from(add.plan_tasks(&split).unwrap().plan.unwrap())
}

fn assert_alike(world: &World) {
    let add = AddSource::new(world.local(), [world.place.path("other")]).allow(Guard::ALL);
    add.run().unwrap();
    let [local, own] = [world.local(), world.place.path("own.store")].map(|path| Store::open(path).unwrap());
    assert_eq!(own.version(), 2);
    assert_eq!(super::updates::rows_of(&local), super::updates::rows_of(&own));
    assert_whole(&own);
}

#[test]
fn a_task_of_an_addition_that_dies_before_any_of_its_operations_is_run_again() {
    let world = world();
    let path = planned(&world, &Guard::ALL);
    (0..3).for_each(|part| die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.gather(part).map(drop)));
    die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.assemble().map(drop));
    (0..4).for_each(|band| die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.compare(band).map(drop)));
    (0..4).for_each(|band| die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.seal(band).map(drop)));
    die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.commit().map(drop));
    assert_alike(&world);
}

#[test]
fn tasks_of_an_addition_may_be_run_twice_at_once_and_after_the_commit() {
    let world = world();
    let path = planned(&world, &Guard::ALL);
    let all = || {
        std::thread::scope(|scope| {
            let run = || scope.spawn(|| tasks(&path).run(2));
            [run(), run()].map(|thread| thread.join().unwrap())
        })
    };
    let results = all();
    assert_eq!(results.iter().flatten().filter(|report| report.published).count(), 1, "{results:?}");
    let again = all().map(Result::unwrap);
    assert!(again.iter().all(|report| (report.version, report.published) == (2, false)));
    assert_alike(&world);
}

#[test]
fn an_addition_goes_on_from_the_version_that_it_was_planned_from_or_not_at_all() {
    let world = world();
    let path = planned(&world, &Guard::ALL);
    all_but_commit(&tasks(&path)).unwrap();
    let own = world.place.path("own.store");
    Update::new(&own).keep(5).run().unwrap();
    let why = tasks(&path).commit().unwrap_err().to_string();
    assert!(why.contains("has another version than the one that was planned from"), "{why}");
    assert_eq!(Store::open(&own).unwrap().source_names().unwrap(), ["source"]);
    // Once that version is gone, no task has anything to go on from.
    Update::new(&own).keep(1).run().unwrap();
    fs::remove_file(path.with_file_name("changes-0000")).unwrap();
    let why = tasks(&path).compare(0).unwrap_err().to_string();
    assert!(why.contains("no longer has the version that it was planned from; plan again"), "{why}");
    // Of another program, it is not begun.
    let text = fs::read_to_string(&path).unwrap();
    let version = format!("\"transect\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let rest = text[31..].replace(&version, "\"transect\":\"0.0.9\"");
    let sum = transect::format::checksum(rest.as_bytes());
    fs::write(&path, format!("{{\"checksum\":\"{sum:016x}\",{rest}")).unwrap();
    let why = UpdateTasks::open(&path).err().unwrap().to_string();
    assert!(why.contains("was made by transect 0.0.9") && why.contains("plan again"), "{why}");
}

#[test]
fn a_guard_stops_an_addition_by_tasks_as_it_stops_one_here() {
    let mut world = world();
    // Codes that the store does not have.
    paths_in(&world.place.path("other")).into_iter().for_each(|path| fs::remove_file(path).unwrap());
    (10..40).for_each(|n| {
        let columns = [("date", texts(days(0..3))), ("w", numbers(n..n + 3))];
        write_parquet(&world.place.path("other").join(format!("X{n}.parquet")), &batch(&columns));
    });
    let path = planned(&world, &[]);
    let local = AddSource::new(world.local(), [world.place.path("other")]).run().unwrap();
    let stopped = tasks(&path).run(2).unwrap();
    assert!(!stopped.published && stopped.guards.iter().any(|met| !met.allowed));
    assert_eq!(said(&local), said(&stopped));
    assert_eq!(Store::open(world.place.path("own.store")).unwrap().version(), 1);
    assert!(world.added("other", &|add| add, &[(2, 2)]).unwrap().published);
}

#[test]
fn what_cannot_be_added_by_tasks_is_refused_before_there_is_a_plan() {
    let mut world = world();
    let (one, other) = (world.place.path("source"), world.place.path("other"));
    let split = || TaskSplit { staging: world.place.path("refused.staging"), parts: 1, bands: 1 };
    let refused = |add: AddSource| add.plan_tasks(&split()).unwrap_err().to_string();
    let why = refused(AddSource::new(world.local(), [&one, &other]));
    assert!(why.contains("tasks add the source of one directory"), "{why}");
    let why = refused(AddSource::new(world.local(), [&other]).dry_run(true));
    assert!(why.contains("tasks add a source, and try nothing"), "{why}");
    assert!(!world.place.path("refused.staging").exists());
    // And what is refused here, in the same words.
    for path in paths_in(&other) {
        fs::write(path, b"none").unwrap();
    }
    for configure in [&|add| add, &|add| add.source_name("source")] as [Configure; 2] {
        assert!(world.added("other", configure, &[(2, 2)]).is_err());
    }
    assert!(world.added("source", &|add| add.source_name("same"), &[(2, 2)]).is_err());
}

proptest! {
    #![proptest_config(cases(6))]

    #[test]
    fn tasks_add_random_files_as_they_are_added_here(
        before in files(), other in files(), parts in 1..9usize, bands in 1..6usize, is_left in any::<bool>(),
    ) {
        check_files(&before, &other, (parts, bands), is_left);
    }
}

fn check_files(before: &Files, other: &Files, split: (usize, usize), is_left: bool) {
    let place = Place::in_memory();
    before.write(&place);
    if Build::new(place.source(), place.path("probe.store")).allow(Guard::ALL).run().is_err() {
        return;
    }
    let mut world = World::new(place, &SourceOptions::default());
    fs::rename(world.place.source(), world.place.path("first")).unwrap();
    fs::create_dir(world.place.source()).unwrap();
    other.write(&world.place);
    fs::rename(world.place.source(), world.place.path("other")).unwrap();
    let configure: Configure = match is_left {
        true => &|add| add.prefix("o_").join(Join::Left),
        false => &|add| add.prefix("o_"),
    };
    let _ = world.added("other", configure, &[split]);
}
