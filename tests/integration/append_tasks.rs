//! Files that are appended by tasks: what they publish must be what an append here publishes, byte for byte, and what a
//! later update takes for appended.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use transect::sink::Format;
use transect::source::SourceOptions;
use transect::storage::Disk;
use transect::{AddSource, Append, Build, Error, Guard, Join, Shape, Store, TaskSplit, Transpose, UpdateReport};
use transect::{Update, UpdateTasks};

use super::alike::{SPLITS, World, copy, said};
use super::model::{Files, files};
use super::panels::{Place, assert_whole, batch, cases, paths_in, write_parquet};
use super::several_tasks::write_other;
use super::tasks::{bars, days, die_everywhere, texts, texts_panel};
use super::update_tasks::{all_but_commit, numbers, tasks};

type Configure<'c> = &'c dyn Fn(Append<'static>) -> Append<'static>;

fn append(store: &Path, files: &[PathBuf], disk: Disk, configure: Configure) -> Append<'static> {
    configure(Append::new(store, files).memory(64 << 20).allow(Guard::ALL).disk(disk))
}

impl World {
    /// Appends `files`, here and by tasks.
    fn appended(
        &mut self,
        files: &[PathBuf],
        configure: Configure,
        splits: &[(usize, usize)],
    ) -> Result<UpdateReport, Error> {
        let here = |store: &Path, disk| append(store, files, disk, configure).workers(2).run();
        let plan = |store: &Path, disk, split| append(store, files, disk, configure).plan_tasks(&split);
        self.alike(splits, here, plan)
    }

    /// A file `name` of a day: of these stocks, with values that depend on `salt`.
    fn day(&self, name: &str, day: usize, stocks: std::ops::Range<usize>, salt: i64) -> PathBuf {
        let path = self.place.path(name);
        let columns = [
            ("date", texts(stocks.clone().flat_map(|_| days(day..day + 1)))),
            ("ts_code", texts(stocks.clone().map(|stock| format!("{stock:03}")))),
            ("name", texts(stocks.clone().map(|stock| format!("name {}", stock as i64 % 4 + salt)))),
            ("n", numbers(stocks.clone().map(|stock| stock as i64 * 7 + salt))),
            ("x", float(stocks.map(|stock| stock as f64))),
        ];
        write_parquet(&path, &batch(&columns));
        path
    }

    /// Files of new days and of days that there are, of stocks that there are and new ones.
    fn some_days(&self) -> Vec<PathBuf> {
        let name = |day: usize| format!("day-{day}.parquet");
        (25..45).rev().map(|day| self.day(&name(day), day, day % 9..20 + day % 5, day as i64 % 3)).collect()
    }
}

fn float(values: impl IntoIterator<Item = f64>) -> arrow_array::ArrayRef {
    std::sync::Arc::new(arrow_array::Float64Array::from_iter_values(values))
}

fn world() -> World {
    let place = Place::in_memory();
    texts_panel(&place);
    World::new(place, &SourceOptions::default())
}

#[test]
fn tasks_append_what_is_appended_here() {
    let mut world = world();
    let files = world.some_days();
    let report = world.appended(&files, &|append| append, &SPLITS).unwrap();
    assert!(report.published && report.added > 0 && report.restated > 0 && report.new_stocks > 0, "{report:?}");
    assert_eq!((report.read_files, report.removed, report.skipped.len()), (20, 0, 0));
    assert!(!world.appended(&files, &|append| append, &[(1, 1), (7, 3)]).unwrap().published);
    // Others take the place of what is there.
    let few: Vec<PathBuf> = (28..33).map(|day| world.day(&format!("few-{day}.parquet"), day, 2..9, 5)).collect();
    let report = world.appended(&few, &|append| append.replace(true).keep(3), &SPLITS).unwrap();
    assert!(report.published && report.removed > 0);
    // What was appended stays, unless a file has it.
    world.rewrite("003", &[("date", texts(days(20..40))), ("n", numbers(20..40))]);
    assert!(world.night(&[(2, 3)]).published);
}

#[test]
fn what_cannot_be_used_of_files_is_told_by_tasks_as_it_is_here() {
    let mut world = world();
    let mut files: Vec<PathBuf> = (30..36).map(|day| world.day(&format!("{day}.parquet"), day, 0..9, 1)).collect();
    // A second file of a date has codes that no other has, and lies in another part.
    files.push(world.day("second.parquet", 31, 30..50, 1));
    fs::write(world.place.path("none.parquet"), b"none").unwrap();
    fs::write(world.place.path("empty.parquet"), b"").unwrap();
    write_parquet(&world.place.path("other.parquet"), &batch(&[("date", texts(days(30..31))), ("z", numbers(0..1))]));
    let bad = ["none", "empty", "other", "missing"].map(|name| world.place.path(&format!("{name}.parquet")));
    let mut pages = fs::read(&files[2]).unwrap();
    let end = pages.len() / 2;
    pages[4..end].fill(0xee);
    fs::write(&files[2], pages).unwrap();
    let all = [&files[..3], &bad, &files[3..]].concat();
    let report = world.appended(&all, &|append| append, &SPLITS).unwrap();
    assert!(report.published && report.skipped.len() == 6 && report.read_files == 5, "{:?}", report.skipped);
    // A commit that is run again tells them, too.
    let again = tasks(&world.place.path("own.staging/plan.json")).commit().unwrap();
    assert_eq!((again.published, again.skips_are_usual(), &again.skipped), (false, false, &report.skipped));
    // Some were read, so that it is no append of no usable file.
    assert_eq!(again.read_files, report.read_files);
    assert_eq!(report.new_stocks, 1);
    // Where none can be used nothing is published.
    let report = world.appended(&bad, &|append| append, &[(1, 1), (7, 3)]).unwrap();
    assert!(!report.published && report.read_files == 0);
}

#[test]
fn tasks_append_to_one_of_several_sources_and_leave_columns_out() {
    let mut world = world();
    write_other(&world.place.path("other"), |stock| stock..28, 0);
    let other = world.place.path("other");
    AddSource::new(world.local(), [&other]).join(Join::Left).allow(Guard::ALL).run().unwrap();
    let day = |world: &World, day: usize| {
        let path = world.place.path(&format!("w-{day}.parquet"));
        let codes = || (0..25).map(|stock| format!("{stock:03}"));
        let columns = [("ts_code", texts(codes())), ("w", numbers(0..25)), ("extra", numbers(0..25))];
        let dates = ("date", texts(codes().flat_map(|_| days(day..day + 1))));
        write_parquet(&path, &batch(&[&[dates][..], &columns].concat()));
        path
    };
    let files: Vec<PathBuf> = (10..40).map(|at| day(&world, at)).collect();
    let named = |append: Append<'static>| append.source_name("other").exclude(["extra"]);
    // Rows whose key no other source has are left out.
    let report = world.appended(&files, &named, &SPLITS).unwrap();
    assert!(report.published && report.left_out > 0, "{report:?}");
    let refused: [(Configure, &str); 2] = [
        (&|append| append, "has the sources source and other; source says whose rows these are"),
        (&|append| append.source_name("none"), "source \"none\" in "),
    ];
    for (configure, why) in refused {
        let told = world.appended(&files, configure, &[(1, 1)]).unwrap_err().to_string();
        assert!(told.contains(why), "{told}");
    }
    let why = world.appended(&files, &|append| named(append).exclude(["nowhere"]), &[(2, 2)]).unwrap_err().to_string();
    assert!(why.contains("\"nowhere\", which is not there"), "{why}");
    // Where rows go from the other source, those that have no key any more go with them.
    let few: Vec<PathBuf> = (12..15).map(|day| world.day(&format!("few-{day}.parquet"), day, 2..9, 5)).collect();
    let replaced = |append: Append<'static>| append.source_name("source").replace(true);
    assert!(world.appended(&few, &replaced, &SPLITS).unwrap().removed > 0);
}

/// A source's own file that changed before the append was no news then, and is none to the next update.
#[test]
fn files_that_changed_before_an_append_by_tasks_are_noted_as_here() {
    let mut world = world();
    let files: Vec<PathBuf> = (20..24).map(|day| world.day(&format!("{day}.parquet"), day, 0..9, 1)).collect();
    world.rewrite("000", &[("date", texts(days(0..40))), ("n", numbers(50..90))]);
    world.touch("002");
    assert!(world.appended(&files[..2], &|append| append, &SPLITS).unwrap().published);
    world.rewrite("000", &[("date", texts(days(0..40))), ("n", numbers(60..100))]);
    assert!(world.appended(&files[1..], &|append| append, &SPLITS).unwrap().published);
    assert!(world.night(&[(2, 3)]).published);
}

#[test]
fn tasks_append_long_dates_and_to_files_by_date() {
    let place = Place::in_memory();
    let options = bars(&place);
    let mut world = World::new(place, &options);
    let long = |name: &str, day: usize, count: i64| {
        let path = world.place.path(name);
        let codes = ["B", "C", "F"];
        let columns = [
            ("date", texts((0..3 * count).flat_map(|_| days(day..day + 1)))),
            ("ts_code", texts(codes.iter().flat_map(|code| (0..count).map(|_| (*code).to_owned())))),
            ("time", numbers((0..3).flat_map(|_| 0..count))),
            ("x", numbers((0..3 * count).map(|n| n * 3 % 89))),
        ];
        write_parquet(&path, &batch(&columns));
        path
    };
    let files = [long("0.parquet", 0, 40_000), long("1.parquet", 1, 20_000), long("2.parquet", 2, 50_000)];
    assert!(world.appended(&files, &|append| append.memory(256 << 20), &[(1, 2), (5, 3)]).unwrap().published);

    let place = Place::in_memory();
    for day in days(0..9) {
        let codes = texts((0..5).map(|code| format!("{code:03}")));
        let columns = [("ts_code", codes), ("x", numbers(0..5))];
        write_parquet(&place.source().join(format!("{}.parquet", day.replace('-', ""))), &batch(&columns));
    }
    let mut world = World::new(place, &SourceOptions::by_date());
    let more: Vec<PathBuf> = days(5..14)
        .map(|day| {
            let path = world.place.path(&format!("{}.parquet", day.replace('-', "")));
            write_parquet(
                &path,
                &batch(&[("ts_code", texts(["001".to_owned(), "A".to_owned()])), ("x", numbers(7..9))]),
            );
            path
        })
        .collect();
    assert!(world.appended(&more, &|append| append, &SPLITS).unwrap().published);
    assert!(world.appended(&more[..2], &|append| append.replace(true), &SPLITS).unwrap().published);
}

/// A copy of the store of `world`, and a plan of what is appended to it.
fn planned(world: &World, allowed: &'static [Guard], configure: Configure) -> PathBuf {
    let own = world.place.path("own.store");
    copy(&world.local(), &own);
    let split = TaskSplit { staging: world.place.path("own.staging"), parts: 3, bands: 4 };
    let append = Append::new(own, world.some_days()).memory(64 << 20).allow(allowed.iter().copied());
    PathBuf::from(configure(append).plan_tasks(&split).unwrap().plan.unwrap())
}

fn assert_alike(world: &World) {
    Append::new(world.local(), world.some_days()).allow(Guard::ALL).run().unwrap();
    let [local, own] = [world.local(), world.place.path("own.store")].map(|path| Store::open(path).unwrap());
    assert_eq!(own.version(), 2);
    assert_eq!(super::updates::rows_of(&local), super::updates::rows_of(&own));
    assert_whole(&own);
}

#[test]
fn a_task_of_an_append_that_dies_before_any_of_its_operations_is_run_again() {
    let world = world();
    let path = planned(&world, &Guard::ALL, &|append| append);
    let why = std::error::Error::source(&tasks(&path).compare(0).unwrap_err()).unwrap().to_string();
    assert!(why.contains("assemble is not done yet"), "{why}");
    (0..3).for_each(|part| die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.gather(part).map(drop)));
    die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.assemble().map(drop));
    (0..4).for_each(|band| die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.compare(band).map(drop)));
    (0..4).for_each(|band| die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.seal(band).map(drop)));
    die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.commit().map(drop));
    assert_alike(&world);
    // The work was cut: dates of the files were known to the plan.
    let staging = world.place.path("own.staging");
    let has_rows = |band: usize| {
        (0..3).any(|part| fs::metadata(staging.join(format!("part-000{part}.band-000{band}"))).unwrap().len() > 0)
    };
    assert!((0..4).all(has_rows));
}

#[test]
fn tasks_of_an_append_may_be_run_twice_at_once_and_after_the_commit() {
    let world = world();
    let path = planned(&world, &Guard::ALL, &|append| append);
    let all = || {
        std::thread::scope(|scope| {
            let run = || scope.spawn(|| tasks(&path).run(2));
            [run(), run()].map(|thread| thread.join().unwrap())
        })
    };
    let results = all();
    assert_eq!(results.iter().flatten().filter(|report| report.published).count(), 1);
    let again = all().map(Result::unwrap);
    assert!(again.iter().all(|report| (report.version, report.published) == (2, false)));
    assert_alike(&world);
}

#[test]
fn an_append_goes_on_from_the_version_and_the_files_that_it_was_planned_with_or_not_at_all() {
    let world = world();
    let path = planned(&world, &Guard::ALL, &|append| append);
    let changed = world.place.path("day-30.parquet");
    let bytes = fs::read(&changed).unwrap();
    world.day("day-30.parquet", 30, 0..3, 9);
    let refused = (0..3).filter_map(|part| tasks(&path).gather(part).err()).map(|why| why.to_string());
    let refused: Vec<String> = refused.collect();
    assert!(
        refused.len() == 1 && refused[0].contains("day-30.parquet is not the file that was planned"),
        "{refused:?}"
    );
    fs::remove_file(&changed).unwrap();
    assert!((0..3).any(|part| tasks(&path).gather(part).is_err()));
    let path = {
        fs::write(&changed, bytes).unwrap();
        fs::remove_dir_all(world.place.path("own.staging")).unwrap();
        planned(&world, &Guard::ALL, &|append| append)
    };
    all_but_commit(&tasks(&path)).unwrap();
    let own = world.place.path("own.store");
    Update::new(&own).keep(5).run().unwrap();
    let why = tasks(&path).commit().unwrap_err().to_string();
    assert!(why.contains("has another version than the one that was planned from"), "{why}");
}

#[test]
fn a_guard_stops_an_append_by_tasks_as_it_stops_one_here() {
    let world = world();
    let replaced: Configure = &|append| append.replace(true);
    let path = planned(&world, &[], replaced);
    let files = (25..45).rev().map(|day| world.place.path(&format!("day-{day}.parquet")));
    let local = replaced(Append::new(world.local(), files)).run().unwrap();
    let stopped = tasks(&path).run(2).unwrap();
    assert!(!stopped.published && stopped.guards.iter().any(|met| !met.allowed), "{stopped:?}");
    assert_eq!(said(&local), said(&stopped));
    assert_eq!(Store::open(world.place.path("own.store")).unwrap().version(), 1);
    let split = TaskSplit { staging: world.place.path("refused.staging"), parts: 1, bands: 1 };
    let why = Append::new(world.local(), world.some_days()).dry_run(true).plan_tasks(&split).unwrap_err().to_string();
    assert!(why.contains("tasks append the rows of files, and try nothing"), "{why}");
}

proptest! {
    #![proptest_config(cases(6))]

    #[test]
    fn tasks_append_random_files_as_they_are_appended_here(
        before in files(), lost in any::<u8>(), split in (1..9usize, 1..6usize), replace in any::<bool>(),
        dated in any::<bool>(), arrow in any::<bool>(),
    ) {
        check_files(before, lost, split, replace, (dated, arrow));
    }
}

/// Appends what an output has of all dates to a store that lacks some, and what it restates.
fn check_files(mut before: Files, lost: u8, split: (usize, usize), replace: bool, (dated, arrow): (bool, bool)) {
    let place = Place::in_memory();
    before.write(&place);
    let probe = place.path("probe.store");
    if Build::new(place.source(), &probe).allow(Guard::ALL).run().is_err() {
        return;
    }
    let format = if arrow { Format::Arrow } else { Format::Parquet };
    let shape = Shape { format, date: Some(dated), ..Shape::default() };
    Transpose::new(&Store::open(&probe).unwrap(), place.path("out")).shape(shape).run().unwrap();
    before.lose_dates(lost);
    if before.rows().is_empty() {
        return;
    }
    paths_in(&place.source()).into_iter().for_each(|path| fs::remove_file(path).unwrap());
    before.write(&place);
    let files = paths_in(&place.path("out")).into_iter();
    let is_file = |path: &PathBuf| !path.file_name().unwrap().to_string_lossy().starts_with('.');
    let files: Vec<PathBuf> = files.filter(is_file).collect();
    let mut world = World::new(place, &SourceOptions::default());
    let report = world.appended(&files, &|append| append.replace(replace), &[split]).unwrap();
    assert_eq!((&report.skipped[..], report.read_files), (&[][..], files.len() as u64));
    // Nothing that the store had is not in the output, too.
    let [probe, local] = [probe, world.local()].map(|path| super::updates::rows_of(&Store::open(path).unwrap()));
    assert_eq!(local, probe);
}
