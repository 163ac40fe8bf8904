//! An update cut into tasks: what it publishes must be what an update here publishes, byte for byte, whatever the number
//! of parts and bands, and whoever dies on the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use arrow_array::{ArrayRef, Float64Array, Int64Array};
use proptest::prelude::*;
use transect::source::{OptionChanges, SourceOptions};
use transect::storage::Disk;
use transect::{
    AddSource, Append, Build, Error, Guard, Join, Limit, PlanOf, Restore, Store, TaskSplit, Tasks, Update,
    UpdateReport, UpdateTasks,
};

use super::model::{Files, files};
use super::panels::{Place, assert_whole, batch, cases, entries, small_panel, write_parquet};
use super::tasks::{bars, coming_back, days, dying, spoil, texts, texts_panel, timeless};

const SPLITS: [(usize, usize); 4] = [(1, 1), (7, 3), (64, 64), (3, 8)];

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in entries(from).into_iter().filter(|name| from.join(name).is_file()) {
        let to = to.join(&name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from.join(name), to).unwrap();
    }
}

/// A disk whose numbers no night before has drawn. `store` is one that nothing is done to.
fn disk(store: &Path, night: usize) -> Disk {
    let disk = Disk::default().counting();
    // Each draws one.
    (0..4 * night).for_each(|_| drop(Update::new(store).dry_run(true).disk(disk.clone()).run().unwrap()));
    disk
}

fn update<'a>(store: &Path) -> Update<'a> {
    Update::new(store).memory(64 << 20).allow(Guard::ALL)
}

fn plan_of(update: Update, staging: PathBuf, (parts, bands): (usize, usize)) -> Option<PathBuf> {
    let split = TaskSplit { staging, parts, bands };
    update.plan_tasks(&split).unwrap().plan.map(PathBuf::from)
}

/// Asserts that two stores have the same bytes.
fn assert_same(local: &Path, own: &Path, what: &str) {
    assert_eq!(entries(local), entries(own), "{what}");
    for name in entries(local).iter().filter(|name| name.contains('/')) {
        assert!(timeless(local, name) == timeless(own, name), "{what}: {name} differs");
    }
}

/// What two updates say alike.
fn said(report: &UpdateReport) -> String {
    let mut said = report.clone();
    said.seconds = 0.0;
    format!("{said:?}")
}

/// A store, and how it is brought up to date.
struct World {
    place: Place,
    night: usize,
    configure: fn(Update<'static>) -> Update<'static>,
}

impl World {
    /// The store of the files that there are.
    fn new(place: Place, options: &SourceOptions) -> World {
        let build = Build::new(place.source(), place.path("local.store")).options(options.clone()).memory(64 << 20);
        build.allow(Guard::ALL).run().unwrap();
        let (drawn, path) = (place.path("drawn"), place.path("drawn.store"));
        fs::create_dir(&drawn).unwrap();
        write_parquet(&drawn.join("A.parquet"), &batch(&[("date", texts(days(0..1)))]));
        Build::new(drawn, path).run().unwrap();
        World { place, night: 0, configure: |update| update }
    }

    fn local(&self) -> PathBuf {
        self.place.path("local.store")
    }

    /// Brings the store up to date here, and copies of it by tasks.
    fn night(&mut self, splits: &[(usize, usize)]) -> UpdateReport {
        self.night += 1;
        let copies: Vec<PathBuf> = (0..splits.len()).map(|n| self.place.path(&format!("{n}.store"))).collect();
        for own in &copies {
            let _ = fs::remove_dir_all(own);
            copy(&self.local(), own);
        }
        let disk = || disk(&self.place.path("drawn.store"), self.night);
        let local = (self.configure)(update(&self.local()).workers(2).disk(disk())).run();
        for (own, &split) in copies.iter().zip(splits) {
            let staging = self.place.path("own.staging");
            let _ = fs::remove_dir_all(&staging);
            let split = TaskSplit { staging, parts: split.0, bands: split.1 };
            let planned = (self.configure)(update(own).disk(disk())).plan_tasks(&split);
            let done = planned.and_then(|report| match report.plan {
                Some(plan) => UpdateTasks::open(plan)?.run(2).map(Some),
                None => Ok(None),
            });
            let what = format!("night {} {split:?}", self.night);
            match (&local, done) {
                (Ok(local), Ok(Some(done))) => assert_eq!(said(local), said(&done), "{what}"),
                (Ok(local), Ok(None)) => assert!(!local.published, "{what}"),
                (Err(local), Err(done)) => assert_eq!(local.to_string(), done.to_string(), "{what}"),
                (local, done) => panic!("{what}: {local:?}, {done:?}"),
            }
            assert_same(&self.local(), own, &what);
        }
        assert_whole(&Store::open(self.local()).unwrap());
        local.unwrap()
    }

    fn rewrite(&self, code: &str, columns: &[(&str, ArrayRef)]) {
        self.place.add(code, &batch(columns));
    }
}

fn numbers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

#[test]
fn tasks_bring_a_store_where_an_update_does() {
    let place = Place::in_memory();
    texts_panel(&place);
    let mut world = World::new(place, &SourceOptions::default());
    assert!(!world.night(&[(2, 2)]).published);
    // New rows, a new stock, restated and removed rows, new texts, a wider column, and a new column.
    world.rewrite(
        "002",
        &[
            ("date", texts(days(5..32))),
            ("name", texts((5..32).map(|row| format!("new name {}", row % 4)))),
            ("n", numbers((5..32).map(|row| row << 40))),
        ],
    );
    world.rewrite("new", &[("date", texts(days(0..40))), ("n", numbers(0..40)), ("z", numbers(5..45))]);
    let report = world.night(&SPLITS);
    assert!(
        report.published && report.added > 0 && report.restated > 0 && report.removed > 0 && report.new_stocks == 1
    );
    // One changes back, one is gone, and what is bad is skipped.
    world.rewrite("002", &[("date", texts(days(1..32))), ("n", numbers((1..32).map(|row| row % 5)))]);
    fs::remove_file(world.place.source().join("new.parquet")).unwrap();
    spoil(&world.place);
    let report = world.night(&SPLITS);
    assert!(report.published && !report.skipped.is_empty() && report.missing_files.len() == 1);
    // The rows of what is gone go.
    world.configure = |update| update.prune(true).keep(3);
    let report = world.night(&SPLITS);
    assert!(report.published && report.pruned_files.len() == 1);
    world.configure = |update| update.reread(true);
    world.night(&[(3, 2)]);
    // What was restored stands where its files are as they were.
    world.configure = |update| update;
    let oldest = Store::open(world.local()).unwrap().kept_versions().unwrap()[0];
    Restore::new(world.local(), oldest).allow(Guard::ALL).run().unwrap();
    world.rewrite("new", &[("date", texts(days(3..44))), ("n", numbers(3..44))]);
    world.night(&SPLITS);
}

#[test]
fn tasks_restate_each_kind_of_value_as_an_update_does() {
    let place = Place::in_memory();
    small_panel(&place, 0);
    let mut world = World::new(place, &SourceOptions::default());
    for salt in 1..4 {
        small_panel(&world.place, salt);
        assert!(world.night(&SPLITS).restated > 0);
    }
}

#[test]
fn tasks_cut_long_dates_as_an_update_does() {
    let place = Place::in_memory();
    let options = bars(&place);
    let mut world = World::new(place, &options);
    for (code, count) in [("B", 30_000), ("F", 90_000), ("A", 20_001)] {
        let columns = [
            ("date", texts((0..count).flat_map(|_| days(0..1)))),
            ("time", numbers(0..count)),
            ("x", numbers((0..count).map(|n| n * 3 % 89))),
        ];
        world.rewrite(code, &columns);
        assert!(world.night(&[(1, 2), (5, 3)]).published);
    }
}

#[test]
fn tasks_of_files_by_date_do_as_an_update_does() {
    let place = Place::in_memory();
    let write = |place: &Place, days: std::ops::Range<i64>, salt: i64| {
        for day in days {
            let codes = (0..5).filter(|code| (code + day) % 4 > 0);
            let columns = [
                ("ts_code", texts(codes.clone().map(|code| format!("{code}.SZ")))),
                ("x", numbers(codes.map(|code| (code << day) + salt))),
            ];
            write_parquet(&place.source().join(format!("{}.parquet", 20240101 + day)), &batch(&columns));
        }
    };
    write(&place, 0..9, 0);
    let mut world = World::new(place, &SourceOptions::by_date());
    write(&world.place, 7..12, 1);
    assert!(world.night(&SPLITS).published);
    fs::remove_file(world.place.source().join("20240103.parquet")).unwrap();
    world.configure = |update| update.prune(true);
    assert!(world.night(&SPLITS).removed > 0);
}

/// Rows of one of two sources come and go, and the keys and bits with them.
#[test]
fn tasks_bring_one_of_several_sources_where_an_update_does() {
    let place = Place::in_memory();
    texts_panel(&place);
    let other = place.path("other");
    fs::create_dir(&other).unwrap();
    let write = |days_of: fn(usize) -> std::ops::Range<usize>, salt: i64| {
        for stock in 5..25 {
            let range = days_of(stock);
            let columns =
                [("date", texts(days(range.clone()))), ("w", numbers(range.map(|day| day as i64 * 3 + salt)))];
            write_parquet(&other.join(format!("{stock:03}.parquet")), &batch(&columns));
        }
    };
    write(|stock| stock..28, 0);
    let mut world = World::new(place, &SourceOptions::default());
    AddSource::new(world.local(), [&other]).allow(Guard::ALL).run().unwrap();
    world.configure = |update| update.sources(["other"]);
    write(|stock| stock - 3..33 - stock % 5, 1);
    assert!(world.night(&SPLITS).published);
    world.configure = |update| update.sources(["source"]);
    world.rewrite("007", &[("date", texts(days(0..35))), ("n", numbers(0..35))]);
    assert!(world.night(&SPLITS).published);
    // One has to be named.
    let split = TaskSplit { staging: world.place.path("more.staging"), parts: 1, bands: 1 };
    let why = update(&world.local()).plan_tasks(&split).unwrap_err().to_string();
    assert!(why.contains("has several sources, source, other"), "{why}");
}

#[test]
fn tasks_merge_small_segments_and_keep_appended_rows_as_an_update_does() {
    let place = Place::in_memory();
    texts_panel(&place);
    let mut world = World::new(place, &SourceOptions::default());
    let rows = |n: i64| [("code", texts(["000", "009"].map(str::to_owned))), ("n", numbers([n, n + 1]))];
    for day in 0..3 {
        let file = world.place.path(&format!("{}.parquet", 20260101 + day));
        write_parquet(&file, &batch(&rows(day)));
        Append::new(world.local(), [file]).allow(Guard::ALL).run().unwrap();
    }
    for night in 0..17 {
        let values = (0..31).map(|row| row * night);
        world.rewrite("009", &[("date", texts(days(0..31))), ("n", numbers(values))]);
        let splits: &[(usize, usize)] = if night % 5 == 0 { &SPLITS } else { &[(2, 3)] };
        assert!(world.night(splits).published);
    }
}

/// A store whose source has changed, and a plan to bring it up to date.
fn planned(allowed: &[Guard]) -> (World, PathBuf) {
    let place = Place::in_memory();
    texts_panel(&place);
    let world = World::new(place, &SourceOptions::default());
    world.rewrite("002", &[("date", texts(days(1..32))), ("n", numbers((1..32).map(|row| row << 30)))]);
    world.rewrite("new", &[("date", texts(days(0..40))), ("n", numbers(0..40))]);
    copy(&world.local(), &world.place.path("own.store"));
    let own = world.place.path("own.store");
    let update = Update::new(&own).memory(64 << 20).allow(allowed.iter().copied());
    let plan = plan_of(update, world.place.path("own.staging"), (3, 4)).unwrap();
    (world, plan)
}

fn tasks(plan: &Path) -> UpdateTasks<'static> {
    UpdateTasks::open(plan).unwrap()
}

fn all_but_commit(tasks: &UpdateTasks) -> Result<(), Error> {
    (0..tasks.parts()).try_for_each(|part| tasks.gather(part).map(drop))?;
    tasks.assemble()?;
    (0..tasks.bands()).try_for_each(|band| tasks.compare(band).map(drop))?;
    (0..tasks.bands()).try_for_each(|band| tasks.seal(band).map(drop))
}

#[test]
fn tasks_of_an_update_may_be_run_in_any_order_twice_at_once_and_after_the_commit() {
    let (world, path) = planned(&Guard::ALL);
    let own = tasks(&path);
    let (parts, bands) = (own.parts(), own.bands());
    let twice = |count: usize, run: fn(&UpdateTasks, usize)| {
        thread::scope(|scope| {
            for number in (0..count).rev().chain(0..count) {
                let path = &path;
                scope.spawn(move || run(&tasks(path), number));
            }
        });
    };
    twice(parts, |tasks, part| _ = tasks.gather(part).unwrap());
    twice(1, |tasks, _| _ = tasks.assemble().unwrap());
    twice(bands, |tasks, band| _ = tasks.compare(band).unwrap());
    twice(bands, |tasks, band| _ = tasks.seal(band).unwrap());
    assert!(own.commit().unwrap().published);
    let before = entries(&world.place.path("own.staging"));
    assert!((0..parts).all(|part| own.gather(part).unwrap().was_done) && own.assemble().unwrap().was_done);
    assert!((0..bands).all(|band| own.compare(band).unwrap().was_done && own.seal(band).unwrap().was_done));
    let again = own.commit().unwrap();
    assert_eq!((again.version, again.published), (2, false));
    assert_eq!(before, entries(&world.place.path("own.staging")));
    update(&world.local()).run().unwrap();
    let [local, own] = [world.local(), world.place.path("own.store")].map(|path| Store::open(path).unwrap());
    assert_eq!(super::updates::rows_of(&local), super::updates::rows_of(&own));
    assert_whole(&own);
}

#[test]
fn tasks_of_an_update_say_which_is_missing_and_of_which_kind_a_plan_is() {
    let (world, path) = planned(&Guard::ALL);
    let own = tasks(&path);
    let said = |result: Result<(), Error>| {
        let error = result.unwrap_err();
        let cause = std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
        error.to_string() + &cause
    };
    assert!(said(own.assemble().map(drop)).ends_with("part-0000: gather 0 is not done yet; run it first"));
    (0..own.parts()).for_each(|part| _ = own.gather(part).unwrap());
    assert!(said(own.compare(0).map(drop)).ends_with("assembly: assemble is not done yet; run it first"));
    own.assemble().unwrap();
    own.compare(0).unwrap();
    assert!(said(own.seal(0).map(drop)).ends_with("changes-0001: compare 1 is not done yet; run it first"));
    (1..own.bands()).for_each(|band| _ = own.compare(band).unwrap());
    own.seal(0).unwrap();
    assert!(said(own.commit().map(drop)).ends_with("band-0001: seal 1 is not done yet; run it first"));
    assert_eq!(PlanOf::at(&path).unwrap(), PlanOf::Update);
    assert!(Tasks::open(&path).is_err_and(|error| error.to_string().contains("plans an update, and not a store")));
    assert_eq!(Store::open(world.place.path("own.store")).unwrap().version(), 1);
}

#[test]
fn a_guard_stops_an_update_by_tasks_as_it_stops_one_here() {
    let (world, _) = planned(&[]);
    (3..15).for_each(|stock| fs::remove_file(world.place.source().join(format!("{stock:03}.parquet"))).unwrap());
    let own = world.place.path("own.store");
    let here = Update::new(&own).max_restated(Limit::Count(1));
    let local = Update::new(world.local()).max_restated(Limit::Count(1)).run().unwrap();
    let path = plan_of(here, world.place.path("stopped.staging"), (3, 4)).unwrap();
    all_but_commit(&tasks(&path)).unwrap();
    let stopped = tasks(&path).commit().unwrap();
    assert_eq!(said(&local), said(&stopped));
    assert!(!stopped.published && stopped.guards.iter().any(|met| !met.allowed));
    assert!(!entries(&world.place.path("stopped.staging")).iter().any(|name| name.starts_with("segment")));
    assert_eq!(Store::open(&own).unwrap().version(), 1);
    // And so does a limit alone.
    let limited = update(&own).max_restated(Limit::Count(1));
    let path = plan_of(limited, world.place.path("limited.staging"), (1, 2)).unwrap();
    let stopped = tasks(&path).run(1).unwrap();
    assert!(!stopped.published && stopped.refused.is_some());
}

#[test]
fn an_update_by_tasks_makes_one_version_of_the_one_that_it_was_planned_from() {
    let (world, path) = planned(&Guard::ALL);
    let own = world.place.path("own.store");
    let other = plan_of(update(&own), world.place.path("other.staging"), (2, 2)).unwrap();
    [&path, &other].into_iter().for_each(|path| all_but_commit(&tasks(path)).unwrap());
    let results: Vec<Result<UpdateReport, Error>> = thread::scope(|scope| {
        let paths = [&path, &path, &other, &other, &path, &other];
        let threads: Vec<_> = paths.map(|path| scope.spawn(move || tasks(path).commit())).into_iter().collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results.iter().flatten().filter(|report| report.published).count(), 1, "{results:?}");
    for told in results.iter().filter_map(|result| result.as_ref().err()) {
        assert!(matches!(told, Error::Locked { .. } | Error::Refused { .. }), "{told}");
    }
    let again = [&path, &other].map(|path| tasks(path).commit());
    assert_eq!(again.iter().flatten().map(|report| report.version).collect::<Vec<_>>(), [2]);
    let refused = again.iter().find_map(|result| result.as_ref().err()).unwrap().to_string();
    assert!(refused.contains("has another version than the one that the update was planned from"), "{refused}");
    assert_whole(&Store::open(&own).unwrap());
}

#[test]
fn what_tasks_do_not_do_is_refused_before_anything_is_read() {
    let (world, _) = planned(&Guard::ALL);
    let split = || TaskSplit { staging: world.place.path("refused.staging"), parts: 1, bands: 1 };
    let own = world.place.path("own.store");
    let changed = OptionChanges { date_columns: vec!["date".to_owned()], ..OptionChanges::default() };
    let expected = transect::Date::from_days(19_700).unwrap();
    let all =
        [update(&own).options(changed), update(&own).expect(expected, Limit::Count(1)), update(&own).dry_run(true)];
    for update in all {
        let why = update.plan_tasks(&split()).unwrap_err().to_string();
        assert!(why.contains("tasks bring a source up to date, and change or expect nothing else"), "{why}");
    }
    let other = world.place.path("left");
    fs::create_dir(&other).unwrap();
    write_parquet(&other.join("000.parquet"), &batch(&[("date", texts(days(1..3))), ("w", numbers(1..3))]));
    AddSource::new(&own, [&other]).join(Join::Left).allow(Guard::ALL).run().unwrap();
    let why = update(&own).sources(["source"]).plan_tasks(&split()).unwrap_err().to_string();
    assert!(why.contains("a source of the store joins left"), "{why}");
    assert!(!world.place.path("refused.staging/plan.json").exists());
}

/// Runs a task with a death before each of its operations, and then to its end.
fn die_everywhere(path: &Path, run: impl Fn(&UpdateTasks) -> Result<(), Error>) {
    for at in 0.. {
        let (disk, done) = dying(at);
        let result = UpdateTasks::open_on(path, disk).and_then(|tasks| run(&tasks));
        if done.load(Ordering::SeqCst) <= at {
            result.unwrap();
            return;
        }
        assert!(at < 400, "a task does not end");
    }
}

#[test]
fn a_task_of_an_update_that_dies_before_any_of_its_operations_is_run_again() {
    let (world, path) = planned(&Guard::ALL);
    (0..3).for_each(|part| die_everywhere(&path, |tasks| tasks.gather(part).map(drop)));
    die_everywhere(&path, |tasks| tasks.assemble().map(drop));
    (0..4).for_each(|band| die_everywhere(&path, |tasks| tasks.compare(band).map(drop)));
    (0..4).for_each(|band| die_everywhere(&path, |tasks| tasks.seal(band).map(drop)));
    die_everywhere(&path, |tasks| tasks.commit().map(drop));
    update(&world.local()).run().unwrap();
    let [local, own] = [world.local(), world.place.path("own.store")].map(|path| Store::open(path).unwrap());
    assert_eq!(own.version(), 2);
    assert_eq!(super::updates::rows_of(&local), super::updates::rows_of(&own));
    assert_whole(&own);
}

#[test]
fn a_worker_of_an_update_that_comes_back_after_the_others_committed_changes_nothing() {
    for task in ["gather", "assemble", "compare", "seal", "commit"] {
        for at in (0..).step_by(3) {
            let (world, path) = planned(&Guard::ALL);
            let first = tasks(&path);
            let before =
                ["gather", "assemble", "compare", "seal", "commit"].into_iter().take_while(|name| *name != task);
            before.for_each(|name| each(&first, name).unwrap());
            let other = path.clone();
            // Where the late one has the store's lock, the others cannot commit.
            let (disk, done) = coming_back(at, move || drop(UpdateTasks::open(&other).unwrap().run(1)));
            let late = UpdateTasks::open_on(&path, disk).and_then(|tasks| each(&tasks, task));
            if done.load(Ordering::SeqCst) <= at {
                late.unwrap();
                break;
            }
            if let Err(why) = late {
                assert!(
                    task == "commit" && matches!(why, Error::Locked { .. } | Error::Refused { .. }),
                    "{task} {at}: {why}"
                );
            }
            let own = Store::open(world.place.path("own.store")).unwrap();
            assert_eq!(own.version(), 2, "{task} {at}");
            assert_whole(&own);
        }
    }
}

fn each(tasks: &UpdateTasks, task: &str) -> Result<(), Error> {
    match task {
        "gather" => (0..tasks.parts()).try_for_each(|part| tasks.gather(part).map(drop)),
        "assemble" => tasks.assemble().map(drop),
        "compare" => (0..tasks.bands()).try_for_each(|band| tasks.compare(band).map(drop)),
        "seal" => (0..tasks.bands()).try_for_each(|band| tasks.seal(band).map(drop)),
        _ => tasks.commit().map(drop),
    }
}

#[test]
fn what_is_cut_off_or_changed_of_an_updates_receipts_is_told_and_makes_no_version() {
    let (world, path) = planned(&Guard::ALL);
    all_but_commit(&tasks(&path)).unwrap();
    let staging = world.place.path("own.staging");
    let names: Vec<String> = entries(&staging).into_iter().filter(|name| !name.contains('.')).collect();
    assert!(names.iter().any(|name| name.starts_with("changes-")));
    for name in &names {
        let bytes = fs::read(staging.join(name)).unwrap();
        for at in (0..bytes.len()).step_by(bytes.len() / 20 + 1) {
            for cut in [true, false] {
                let mut other = bytes.clone();
                if cut {
                    other.truncate(at)
                } else {
                    other[at] ^= 0x21
                }
                fs::write(staging.join(name), other).unwrap();
                let why = tasks(&path).run(1).expect_err(&format!("{name} {at} {cut}")).to_string();
                assert!(why.contains(name.as_str()), "{name} {at}: {why}");
            }
        }
        fs::write(staging.join(name), bytes).unwrap();
    }
    assert_eq!(Store::open(world.place.path("own.store")).unwrap().version(), 1);
    fs::write(staging.join("segment-0000.arrow"), b"short").unwrap();
    assert!(tasks(&path).run(1).unwrap().published);
}

fn float(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

/// Integers that become floats: the segments of before are read as the wider type.
#[test]
fn tasks_widen_a_column_as_an_update_does() {
    let place = Place::in_memory();
    texts_panel(&place);
    let mut world = World::new(place, &SourceOptions::default());
    let halves = (0..30).map(|row| row as f64 / 2.0);
    world.rewrite("000", &[("date", texts(days(0..30))), ("n", float(halves))]);
    let (local, own) = (world.local(), world.place.path("own.store"));
    copy(&local, &own);
    assert_eq!(world.night(&[(2, 3)]).widened_columns.len(), 1);
}

proptest! {
    #![proptest_config(cases(6))]

    #[test]
    fn tasks_bring_random_files_where_an_update_does(
        before in files(), now in files(), parts in 1..9usize, bands in 1..6usize, prune in any::<bool>(),
    ) {
        check_files(&before, &now, (parts, bands), prune);
    }
}

fn check_files(before: &Files, now: &Files, split: (usize, usize), prune: bool) {
    let place = Place::in_memory();
    before.write(&place);
    if Build::new(place.source(), place.path("probe.store")).allow(Guard::ALL).run().is_err() {
        return;
    }
    let mut world = World::new(place, &SourceOptions::default());
    world.configure = if prune { |update| update.prune(true) } else { |update| update };
    for path in super::panels::paths_in(&world.place.source()) {
        fs::remove_file(path).unwrap();
    }
    now.write(&world.place);
    let probe = world.place.path("probe.store");
    if (world.configure)(update(&probe)).run().is_ok() {
        world.night(&[split]);
    }
}
