//! An update cut into tasks: what it publishes must be what an update here publishes, byte for byte, whatever the number
//! of parts and bands, and whoever dies on the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatchIterator};
use proptest::prelude::*;
use transect::source::{OptionChanges, SourceOptions};
use transect::storage::{Disk, Operation};
use transect::store::Collect;
use transect::{
    AddSource, Append, Build, Error, Guard, Limit, PlanOf, Restore, Store, TaskSplit, Tasks, Update, UpdateReport,
    UpdateTasks,
};

use super::alike::{SPLITS, World, copy, plan_of, said, update};
use super::model::{Files, files};
use super::panels::{Place, assert_whole, batch, cases, copy_dir, entries, small_panel, write_parquet};
use super::tasks::{bars, coming_back, days, die_everywhere, dying, dying_with, spoil, texts, texts_panel};

pub fn numbers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
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
    world.touch("009");
    let report = world.night(&SPLITS);
    assert!(
        report.published && report.added > 0 && report.restated > 0 && report.removed > 0 && report.new_stocks == 1
    );
    assert_eq!((report.touched_files, report.unchanged_files), (1, 18));
    // One changes back, one is gone, and what is bad is skipped; how much of it may be is remembered.
    world.configure = |update| update.max_skipped(Limit::Count(9));
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
    // What was restored stands until all is read again.
    Restore::new(world.local(), 1).allow(Guard::ALL).run().unwrap();
    assert!(!world.night(&[(3, 2)]).published);
    world.configure = |update| update.reread(true);
    assert!(world.night(&[(3, 2)]).restated > 0);
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

/// It leaves a catalog that is not live, and the number of its version is the next one's.
#[test]
fn a_writer_that_died_before_its_version_was_live_is_in_no_commits_way() {
    let (world, path) = planned(&Guard::ALL);
    all_but_commit(&tasks(&path)).unwrap();
    let (own, spare) = (world.place.path("own.store"), world.place.path("spare.store"));
    let last = (0..).take_while(|at| {
        let _ = fs::remove_dir_all(&spare);
        copy(&own, &spare);
        let _ = update(&spare).workers(1).disk(dying(*at).0).run();
        Store::open(&spare).unwrap().version() == 1
    });
    let last = last.last().unwrap();
    update(&own).workers(1).disk(dying(last).0).run().unwrap_err();
    assert_eq!(entries(&own.join("catalog")).iter().filter(|name| name.len() == 16).count(), 2);
    assert_eq!(tasks(&path).commit().unwrap().version, 2);
    assert_whole(&Store::open(&own).unwrap());
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

pub fn tasks(plan: &Path) -> UpdateTasks<'static> {
    UpdateTasks::open(plan).unwrap()
}

pub fn all_but_commit(tasks: &UpdateTasks) -> Result<(), Error> {
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
    let other = Tasks::open(&path).unwrap();
    for why in [other.assemble().unwrap_err(), other.commit().unwrap_err(), other.run(1).unwrap_err()] {
        assert!(why.to_string().contains("plans an update, and not a store"), "{why}");
    }
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
    assert!(refused.contains("has another version than the one that was planned from"), "{refused}");
    assert_whole(&Store::open(&own).unwrap());
}

#[test]
fn what_tasks_do_not_do_is_refused_before_anything_is_read() {
    let (world, _) = planned(&Guard::ALL);
    let split = || TaskSplit { staging: world.place.path("refused.staging"), parts: 1, bands: 1 };
    let own = world.place.path("own.store");
    let changed = OptionChanges { date_columns: vec!["date".to_owned()], ..OptionChanges::default() };
    let expected = transect::Date::from_days(19_700).unwrap();
    let all = [
        update(&own).options(changed),
        update(&own).set("source", "join=left".parse().unwrap()),
        update(&own).expect(expected, Limit::Count(1)),
        update(&own).dry_run(true),
    ];
    for update in all {
        let why = update.plan_tasks(&split()).unwrap_err().to_string();
        assert!(why.contains("tasks bring a source up to date, and change or expect nothing else"), "{why}");
    }
    let held = batch(&[("date", texts(days(1..2))), ("code", texts(["000".to_owned()])), ("h", numbers(0..1))]);
    let held = RecordBatchIterator::new([Ok(held.clone())], held.schema());
    AddSource::of_rows(&own, "held", held).allow(Guard::ALL).run().unwrap();
    let why = update(&own).sources(["held"]).plan_tasks(&split()).unwrap_err().to_string();
    assert!(why.contains("the source has no files"), "{why}");
    assert!(!world.place.path("refused.staging/plan.json").exists());
}

#[test]
fn a_task_of_an_update_that_dies_before_any_of_its_operations_is_run_again() {
    let (world, path) = planned(&Guard::ALL);
    (0..3).for_each(|part| die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.gather(part).map(drop)));
    die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.assemble().map(drop));
    (0..4).for_each(|band| die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.compare(band).map(drop)));
    (0..4).for_each(|band| die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.seal(band).map(drop)));
    die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.commit().map(drop));
    update(&world.local()).run().unwrap();
    let [local, own] = [world.local(), world.place.path("own.store")].map(|path| Store::open(path).unwrap());
    assert_eq!(own.version(), 2);
    assert_eq!(super::updates::rows_of(&local), super::updates::rows_of(&own));
    assert_whole(&own);
}

/// What lies in the staging directory stays there until the version is live: nothing that a commit has begun is all there is
/// of a segment, and whoever collects what no version uses harms nobody.
#[test]
fn a_commit_that_died_is_run_again_though_what_no_version_uses_was_collected() {
    let (world, path) = planned(&Guard::ALL);
    all_but_commit(&tasks(&path)).unwrap();
    let (own, staging) = (world.place.path("own.store"), world.place.path("own.staging"));
    let kept = [&own, &staging].map(|dir| (dir.clone(), dir.with_extension("kept")));
    kept.iter().for_each(|(dir, kept)| copy_dir(dir, kept));
    let sealed = || entries(&staging).iter().filter(|name| name.starts_with("segment-")).count();
    assert!(sealed() > 0);
    for at in 0.. {
        let (disk, done) = dying(at);
        let first = UpdateTasks::open_on(&path, disk).unwrap().commit();
        if done.load(Ordering::SeqCst) <= at {
            assert!(first.unwrap().published);
            break;
        }
        Collect::new(&own).run().unwrap();
        assert_eq!(tasks(&path).commit().unwrap_or_else(|why| panic!("{at}: {why}")).version, 2, "{at}");
        assert_whole(&Store::open(&own).unwrap());
        for (dir, kept) in &kept {
            fs::remove_dir_all(dir).unwrap();
            copy_dir(kept, dir);
        }
    }
    // Once it is live it has one name.
    assert_eq!(sealed(), 0);
}

/// Fails as a file system does that gives a file one name.
fn without_links(operation: &Operation) -> std::io::Result<()> {
    match operation {
        Operation::Link(..) => Err(std::io::Error::from_raw_os_error(1)),
        _ => Ok(()),
    }
}

/// Some file systems give a file one name: there the commit moves segments.
#[test]
fn where_files_have_one_name_a_commit_moves_segments() {
    let (world, path) = planned(&Guard::ALL);
    all_but_commit(&tasks(&path)).unwrap();
    let disk = Disk::with_hook(|operation| without_links(&operation));
    assert!(UpdateTasks::open_on(&path, disk).unwrap().commit().unwrap().published);
    assert_whole(&Store::open(world.place.path("own.store")).unwrap());
}

/// What such a commit has moved is nobody's once it died: a collection takes it, and the next commit says which bands are
/// to be sealed again, each once.
#[test]
fn where_files_have_one_name_what_a_collection_took_from_a_dead_commit_is_sealed_again() {
    let (world, path) = planned(&Guard::ALL);
    all_but_commit(&tasks(&path)).unwrap();
    update(&world.local()).run().unwrap();
    let (own, staging) = (world.place.path("own.store"), world.place.path("own.staging"));
    let kept = [&own, &staging].map(|dir| (dir.clone(), dir.with_extension("kept")));
    kept.iter().for_each(|(dir, kept)| copy_dir(dir, kept));
    let bands = tasks(&path).bands();
    let (mut most, mut untouched) = (0, 0);
    for at in 0.. {
        let (disk, done) = dying_with(at, without_links);
        let first = UpdateTasks::open_on(&path, disk).unwrap().commit();
        if done.load(Ordering::SeqCst) <= at {
            assert!(first.unwrap().published);
            break;
        }
        Collect::new(&own).run().unwrap();
        let mut sealed = Vec::new();
        let report = loop {
            let why = match tasks(&path).commit() {
                Ok(report) => break report,
                Err(why) => why,
            };
            assert!(matches!(why, Error::Corrupt { .. }), "{at}: {why}");
            let told = why.to_string();
            let band = told.split("; run seal ").nth(1).and_then(|rest| rest.strip_suffix(" again")?.parse().ok());
            let band: usize = band.unwrap_or_else(|| panic!("{at}: {told}"));
            assert!(told.contains(": it is gone") && band < bands && !sealed.contains(&band), "{at}: {told}");
            assert!(!tasks(&path).seal(band).unwrap().was_done);
            sealed.push(band);
        };
        assert_eq!(report.version, 2, "{at}");
        let [local, own] = [&world.local(), &own].map(|path| Store::open(path).unwrap());
        assert_eq!(super::updates::rows_of(&local), super::updates::rows_of(&own), "{at}");
        assert_whole(&own);
        (most, untouched) = (sealed.len().max(most), untouched + usize::from(sealed.is_empty()));
        for (dir, kept) in &kept {
            fs::remove_dir_all(dir).unwrap();
            copy_dir(kept, dir);
        }
    }
    assert!(most > 0 && untouched > 0, "{most} bands at most, and none {untouched} times");
}

#[test]
fn a_commit_of_an_update_that_is_run_again_tells_what_was_skipped() {
    let (world, _) = planned(&Guard::ALL);
    spoil(&world.place);
    let (own, staging) = (world.place.path("own.store"), world.place.path("spoilt.staging"));
    let plan = plan_of(update(&own), staging, (3, 2)).unwrap();
    let done = tasks(&plan).run(1).unwrap();
    let again = tasks(&plan).commit().unwrap();
    assert!(done.published && !again.published && !done.skipped.is_empty());
    assert_eq!((&again.skipped, again.skips_are_usual()), (&done.skipped, false));
    // So it is where some are usual.
    world.rewrite("006", &[("date", texts(days(0..3)))]);
    let plan = plan_of(update(&own).max_skipped(Limit::Count(4)), world.place.path("usual.staging"), (1, 1)).unwrap();
    assert!(tasks(&plan).run(1).unwrap().skips_are_usual() && tasks(&plan).commit().unwrap().skips_are_usual());
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

pub fn each(tasks: &UpdateTasks, task: &str) -> Result<(), Error> {
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
    let segment = staging.join("segment-0000.arrow");
    fs::write(&segment, b"short").unwrap();
    let why = tasks(&path).commit().unwrap_err().to_string();
    assert!(why.contains("segment-0000.arrow") && why.contains("it is not what seal 0 left"), "{why}");
    fs::remove_file(&segment).unwrap();
    let why = tasks(&path).commit().unwrap_err().to_string();
    assert!(why.contains("segment-0000.arrow") && why.contains("it is gone"), "{why}");
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
