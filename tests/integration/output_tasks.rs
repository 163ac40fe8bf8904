//! An output cut into tasks: what other processes write, in another order, twice, at once, or dying and beginning anew,
//! is byte for byte what a transpose writes, and its ledger one that the next transpose finds right.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::thread;

use transect::sink::{Format, Partition};
use transect::{
    Error, OutputSplit, OutputTasks, PlanOf, Selection, Shape, Store, Tasks, Transpose, TransposeReport, Update,
};

use super::model::{Files, files};
use super::panels::{Place, assert_clean, cases, counts, date, entries, small_panel};
use super::scene::Random;
use super::tasks::{coming_back, die_everywhere};

/// The store of a small panel.
fn built() -> Place {
    let place = Place::in_memory();
    live_through(&place, 0);
    place
}

/// Builds a store of a small panel, or brings it up to date with other values on a later night.
fn live_through(place: &Place, night: i64) {
    small_panel(place, night);
    match night {
        0 => drop(place.build()),
        _ => drop(Update::new(place.store()).allow(transect::Guard::ALL).run().unwrap()),
    }
}

fn plan(place: &Place, out: &str, shape: &Shape, parts: usize) -> (PathBuf, u64) {
    let store = Store::open(place.store()).unwrap();
    let split = OutputSplit { staging: place.path(&format!("{out}.staging-{}", store.version())), parts };
    let report = Transpose::new(&store, place.path(out)).shape(shape.clone()).plan_tasks(&split).unwrap();
    assert_eq!((report.parts, report.version), (parts as u64, store.version()));
    (PathBuf::from(report.plan), report.files)
}

fn tasks(plan: &Path) -> OutputTasks<'static> {
    OutputTasks::open(plan).unwrap()
}

fn write_all(tasks: &OutputTasks) {
    (0..tasks.parts()).for_each(|part| assert!(!tasks.write(part).unwrap().was_done));
}

fn local(place: &Place, out: &str, shape: &Shape) -> TransposeReport {
    Transpose::new(&Store::open(place.store()).unwrap(), place.path(out)).shape(shape.clone()).run().unwrap()
}

/// The files of an output, but the ledger, which has times.
fn bytes(place: &Place, out: &str) -> BTreeMap<String, Vec<u8>> {
    let out = place.path(out);
    let is_file = |name: &String| out.join(name).is_file() && !name.contains(".transect.");
    entries(&out).into_iter().filter(is_file).map(|name| (name.clone(), fs::read(out.join(&name)).unwrap())).collect()
}

/// Asserts that an output of tasks is that of a transpose, and that the next transpose finds it current.
fn assert_same(place: &Place, out: &str, shape: &Shape, what: &str) {
    assert_eq!(entries(&place.path("local")), entries(&place.path(out)), "{what}");
    assert!(bytes(place, "local") == bytes(place, out), "{what}");
    assert_clean(&Store::open(place.store()).unwrap(), &place.path(out));
    let again = local(place, out, shape);
    assert_eq!((again.written, again.removed_files, again.left), (0, 0, 0), "{what}");
}

fn said(report: &TransposeReport) -> String {
    let mut said = report.clone();
    said.seconds = 0.0;
    format!("{said:?}")
}

fn shapes() -> Vec<Shape> {
    let by = |by: Partition| Shape { by, ..Shape::default() };
    let matrix = Some(vec!["size".to_owned(), "volume".to_owned()]);
    vec![
        Shape::default(),
        by(Partition::Month),
        by(Partition::Stock),
        Shape { columns: matrix, ..by(Partition::Matrix) },
        Shape { format: Format::Arrow, ..by(Partition::All) },
        Shape { format: Format::Csv, ..Shape::default() },
        Shape { name: Some("year={year}/{date}.parquet".parse().unwrap()), ..Shape::default() },
        Shape { stocks: Some(vec!["平安".to_owned()]), ..Shape::default() },
    ]
}

#[test]
fn tasks_write_the_files_that_a_transpose_writes_and_again_those_that_changed() {
    for shape in shapes() {
        for parts in [1, 3, 64] {
            let place = Place::in_memory();
            for night in 0..2 {
                live_through(&place, night);
                let what = format!("{shape:?} {parts} {night}");
                let (path, files) = plan(&place, "own", &shape, parts);
                let own = tasks(&path).run(2).unwrap();
                let report = local(&place, "local", &shape);
                assert_eq!((said(&own), files), (said(&report), report.written + report.without_rows), "{what}");
                assert_same(&place, "own", &shape, &what);
            }
        }
    }
}

#[test]
fn a_plan_has_only_the_files_that_are_not_current() {
    let place = built();
    local(&place, "own", &Shape::default());
    fs::remove_file(place.path("own/20240102.parquet")).unwrap();
    let (path, files) = plan(&place, "own", &Shape::default(), 2);
    assert_eq!(files, 1);
    write_all(&tasks(&path));
    assert!(!place.path("own/20240102.parquet").exists());
    assert_eq!(counts(&tasks(&path).commit().unwrap()), (1, 2, 0));
    local(&place, "local", &Shape::default());
    assert_same(&place, "own", &Shape::default(), "one of three");
}

#[test]
fn dates_that_were_chosen_and_others_that_are_passed_over_are_part_of_the_plan() {
    let place = built();
    let store = Store::open(place.store()).unwrap();
    let dates = Some(vec![date(20240103), date(20300101)]);
    let selection = Selection { dates, ignore_unknown: true, ..Selection::default() };
    for by in [Partition::Date, Partition::Stock] {
        let shape = Shape { by, ..Shape::default() };
        let to = |out: &str| {
            let out = place.path(&format!("{out}-{by:?}"));
            Transpose::new(&store, out).shape(shape.clone()).selection(selection.clone())
        };
        let split = OutputSplit { staging: place.path(&format!("staging-{by:?}")), parts: 2 };
        let own = to("own").plan_tasks(&split).unwrap().plan;
        let (own, local) = (tasks(Path::new(&own)).run(1).unwrap(), to("local").run().unwrap());
        assert_eq!(said(&own), said(&local));
        assert_eq!(bytes(&place, &format!("own-{by:?}")), bytes(&place, &format!("local-{by:?}")));
        assert_eq!(counts(&to("own").run().unwrap()).0, 0);
    }
}

#[test]
fn tasks_may_be_run_in_any_order_twice_at_once_and_after_the_commit() {
    let place = built();
    local(&place, "local", &Shape::default());
    let (path, _) = plan(&place, "own", &Shape::default(), 3);
    thread::scope(|scope| {
        for part in [2, 1, 0, 0, 1, 2] {
            let path = &path;
            scope.spawn(move || tasks(path).write(part).unwrap());
        }
    });
    assert!((0..3).all(|part| tasks(&path).write(part).unwrap().was_done));
    assert_eq!(bytes(&place, "own"), BTreeMap::new());
    let results: Vec<Result<TransposeReport, Error>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| tasks(&path).commit())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results.iter().flatten().filter(|report| report.written > 0).count(), 1, "{results:?}");
    let told = results.iter().filter_map(|result| result.as_ref().err());
    told.for_each(|told| assert!(matches!(told, Error::Locked { .. }), "{told}"));
    assert!((0..3).all(|part| tasks(&path).write(part).unwrap().was_done));
    assert_eq!(counts(&tasks(&path).commit().unwrap()), (0, 3, 0));
    assert_same(&place, "own", &Shape::default(), "at once");
}

#[test]
fn a_file_of_the_length_of_one_that_is_gone_does_not_stand_for_it() {
    let place = built();
    let right = local(&place, "right", &Shape::default());
    assert_eq!(right.written, 3);
    let first = bytes(&place, "right").into_iter().next().unwrap();
    let (path, _) = plan(&place, "own", &Shape::default(), 1);
    write_all(&tasks(&path));
    let other: Vec<u8> = first.1.iter().map(|byte| !byte).collect();
    fs::write(place.path("own").join(&first.0), other).unwrap();
    let staged = place.path("own.staging-1/file-000000");
    assert_eq!(fs::read(&staged).unwrap(), first.1);
    fs::remove_file(&staged).unwrap();
    assert!(!tasks(&path).write(0).unwrap().was_done);
    assert_eq!(fs::read(&staged).unwrap(), first.1);
    assert!(tasks(&path).write(0).unwrap().was_done);
}

#[test]
fn a_task_that_dies_before_any_of_its_operations_is_run_again() {
    for shape in [Shape::default(), Shape { by: Partition::Stock, ..Shape::default() }] {
        let place = Place::in_memory();
        for night in 0..2 {
            live_through(&place, night);
            let (path, _) = plan(&place, "own", &shape, 2);
            (0..2).for_each(|part| die_everywhere(|disk| OutputTasks::open_on(&path, disk)?.write(part).map(drop)));
            die_everywhere(|disk| OutputTasks::open_on(&path, disk)?.commit().map(drop));
            local(&place, "local", &shape);
            assert_same(&place, "own", &shape, "after many deaths");
        }
    }
}

#[test]
fn a_worker_that_comes_back_after_others_did_its_task_and_committed_changes_nothing() {
    let place = built();
    local(&place, "local", &Shape::default());
    for at in 0.. {
        let out = format!("own-{at}");
        let (path, _) = plan(&place, &out, &Shape::default(), 2);
        let others = path.clone();
        let (disk, done) = coming_back(at, move || assert_eq!(tasks(&others).run(1).unwrap().written, 3));
        OutputTasks::open_on(&path, disk).unwrap().write(1).unwrap();
        if done.load(Ordering::SeqCst) <= at {
            assert!(at > 5, "{at}");
            break;
        }
        assert_same(&place, &out, &Shape::default(), &out);
        assert_eq!(counts(&tasks(&path).run(1).unwrap()), (0, 3, 0), "{out}");
        assert_same(&place, &out, &Shape::default(), &out);
    }
}

#[test]
fn a_commit_that_does_not_fit_what_is_there_is_refused_and_touches_nothing() {
    let place = built();
    let (path, _) = plan(&place, "own", &Shape::default(), 2);
    let why = tasks(&path).commit().unwrap_err();
    assert!(matches!(&why, Error::Io { .. }) && why.to_string().contains("files-0000"), "{why}");
    write_all(&tasks(&path));
    // Somebody brings the output to a newer version meanwhile, of which nothing may be taken back.
    small_panel(&place, 1);
    Update::new(place.store()).allow(transect::Guard::ALL).run().unwrap();
    local(&place, "own", &Shape::default());
    let before = bytes(&place, "own");
    let why = tasks(&path).commit().unwrap_err().to_string();
    assert!(why.contains("holds version 2, newer than 1") && why.contains("plan again"), "{why}");
    assert!(before == bytes(&place, "own"));

    // A file that was current goes after the plan, and no task wrote it.
    fs::remove_file(place.path("own/20240102.parquet")).unwrap();
    let (path, files) = plan(&place, "own", &Shape::default(), 1);
    assert_eq!(files, 1);
    write_all(&tasks(&path));
    fs::remove_file(place.path("own/20240103.parquet")).unwrap();
    let why = tasks(&path).commit().unwrap_err().to_string();
    assert!(why.contains("20240103.parquet was current when its directory was planned, and is no more"), "{why}");
    assert_eq!(bytes(&place, "own").len(), 1);
}

#[test]
fn another_store_a_version_that_is_gone_and_a_plan_of_something_else_are_refused() {
    let place = built();
    let (path, _) = plan(&place, "own", &Shape::default(), 2);
    assert_eq!(PlanOf::at(&path).unwrap(), PlanOf::Output);
    let why = Tasks::open(&path).err().unwrap().to_string();
    assert!(why.contains("plans the files of an output, and not a store"), "{why}");
    let store = Store::open(place.store()).unwrap();
    let split = OutputSplit { staging: place.path("own.staging-1"), parts: 2 };
    let why = Transpose::new(&store, place.path("own")).plan_tasks(&split).unwrap_err().to_string();
    assert!(why.contains("has a plan already"), "{why}");
    drop(store);
    small_panel(&place, 1);
    Update::new(place.store()).allow(transect::Guard::ALL).keep(1).run().unwrap();
    assert!(matches!(tasks(&path).write(0), Err(Error::NotFound { .. })));
    fs::remove_dir_all(place.store()).unwrap();
    place.build();
    let why = tasks(&path).write(0).unwrap_err().to_string();
    assert!(why.contains("is another store than was planned for"), "{why}");
}

#[test]
fn what_is_cut_off_or_changed_in_the_staging_directory_is_told() {
    let place = built();
    let (path, _) = plan(&place, "own", &Shape::default(), 2);
    write_all(&tasks(&path));
    let staging = place.path("own.staging-1");
    let files: BTreeMap<String, Vec<u8>> =
        entries(&staging).into_iter().map(|name| (name.clone(), fs::read(staging.join(name)).unwrap())).collect();
    let restore = || files.iter().for_each(|(name, bytes)| fs::write(staging.join(name), bytes).unwrap());
    for (name, bytes) in &files {
        for at in (0..bytes.len()).step_by(bytes.len() / 40 + 1) {
            for cut in [true, false] {
                // Whoever changes bytes of a file of the output is found as in any output, by a check.
                if name.starts_with("file-") && !cut {
                    continue;
                }
                restore();
                let mut other = bytes.clone();
                match cut {
                    true => other.truncate(at),
                    false => other[at] ^= 0x21,
                }
                fs::write(staging.join(name), other).unwrap();
                let why = OutputTasks::open(&path).and_then(|tasks| tasks.commit()).unwrap_err().to_string();
                assert!(why.contains(name.as_str()), "{name} {at} {cut}: {why}");
                // What is too short is written again; a receipt that is damaged has to be removed.
                let again =
                    OutputTasks::open(&path).and_then(|tasks| (0..2).try_for_each(|part| tasks.write(part).map(drop)));
                assert_eq!(again.is_ok(), name.starts_with("file-"), "{name} {at} {cut}: {again:?}");
            }
        }
    }
    assert!(bytes(&place, "own").is_empty());
    restore();
    tasks(&path).commit().unwrap();
    local(&place, "local", &Shape::default());
    assert_same(&place, "own", &Shape::default(), "whole again");
}

#[test]
fn receipts_of_any_words_give_an_answer_or_an_error() {
    let place = built();
    let (path, _) = plan(&place, "own", &Shape::default(), 2);
    write_all(&tasks(&path));
    let receipt = place.path("own.staging-1/files-0001");
    let whole = fs::read(&receipt).unwrap();
    local(&place, "local", &Shape::default());
    let right = bytes(&place, "local");
    let mut random = Random::new(15);
    for _ in 0..200 {
        let mut odd_one = whole.clone();
        for _ in 0..=random.below(2) {
            let at = 64 + random.below((odd_one.len() - 64) / 8) * 8;
            let odd = [0, 1, u64::MAX, i64::MAX as u64, 1 << 32, odd_one[at].into()][random.below(6)];
            match random.below(3) {
                0 => odd_one[at] ^= 1 << random.below(8),
                _ => odd_one[at..at + 8].copy_from_slice(&odd.to_le_bytes()),
            }
        }
        odd_one[48..56].fill(0);
        let sum = transect::format::checksum(&odd_one);
        odd_one[48..56].copy_from_slice(&sum.to_le_bytes());
        fs::write(&receipt, odd_one).unwrap();
        let _ = tasks(&path).commit();
        let _ = tasks(&path).write(1);
        let _ = tasks(&path).commit();
        // Whatever was said of them, files are those that tasks wrote.
        if place.path("own").exists() {
            assert!(bytes(&place, "own").iter().all(|(name, bytes)| right.get(name) == Some(bytes)));
        }
        let _ = fs::remove_dir_all(place.path("own"));
        fs::write(&receipt, &whole).unwrap();
        (0..2).for_each(|part| drop(tasks(&path).write(part)));
    }
}

proptest::proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn tasks_write_of_random_panels_what_a_transpose_writes(
        files in files(), parts in 1..9usize, shape in 0..8usize
    ) {
        check_files(&files, parts, &shapes()[shape]);
    }
}

fn check_files(files: &Files, parts: usize, shape: &Shape) {
    let place = Place::in_memory();
    files.write(&place);
    let build = transect::Build::new(place.source(), place.store()).allow(transect::Guard::ALL);
    if build.run().is_err() {
        return;
    }
    let store = Store::open(place.store()).unwrap();
    let to = |out: &str| Transpose::new(&store, place.path(out)).shape(shape.clone());
    let split = OutputSplit { staging: place.path("staging"), parts };
    let own = to("own").plan_tasks(&split).and_then(|own| OutputTasks::open(own.plan)?.run(2));
    match (to("local").run(), own) {
        (Ok(local), Ok(own)) => {
            assert_eq!(said(&own), said(&local));
            assert_same(&place, "own", shape, "random");
        }
        (Err(local), Err(own)) => assert_eq!(local.kind(), own.kind()),
        (local, own) => panic!("{local:?}, {own:?}"),
    }
}
