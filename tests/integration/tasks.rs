//! A build cut into tasks: other processes run the parts, in another order, twice, at once, or die and begin anew. What
//! is published must be what a build here publishes, byte for byte, but for the time at which it was made.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use arrow_array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, StringArray};
use proptest::prelude::*;
use transect::source::{FilesBy, InputFormat, Pattern, SourceOptions};
use transect::storage::{Disk, Operation};
use transect::{Build, BuildReport, Error, Guard, Store, TaskSplit, Tasks, Transpose};

use super::model::{Files, files};
use super::panels::{Place, assert_clean, assert_whole, batch, cases, entries, paths_in, small_panel, write_parquet};

/// A build of the files of `place`.
fn build<'a>(place: &Place, store: &str, options: &SourceOptions) -> Build<'a> {
    let build = Build::new(place.source(), place.path(store)).options(options.clone()).memory(64 << 20);
    build.allow(Guard::ALL).disk(Disk::default().counting())
}

/// Plans tasks for the files of `place`, in a directory of this name.
fn plan(place: &Place, name: &str, options: &SourceOptions, parts: usize, bands: usize) -> PathBuf {
    let staging = place.path(&format!("{name}.staging"));
    let split = TaskSplit { staging, parts, bands };
    let report = build(place, &format!("{name}.store"), options).plan_tasks(&split).unwrap();
    PathBuf::from(report.plan)
}

pub fn tasks(plan: &Path) -> Tasks<'static> {
    Tasks::open(plan).unwrap()
}

fn gather_all(tasks: &Tasks) {
    (0..tasks.parts()).for_each(|part| assert!(!tasks.gather(part).unwrap().was_done));
}

fn seal_all(tasks: &Tasks) {
    (0..tasks.bands()).for_each(|band| assert!(!tasks.seal(band).unwrap().was_done));
}

/// The bytes of the file `name` of a store, without the times at which it was made, and what depends on those.
pub fn timeless(root: &Path, name: &str) -> Vec<u8> {
    let mut bytes = fs::read(root.join(name)).unwrap();
    if !name.starts_with("catalog/") {
        return bytes;
    }
    let number = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    bytes[40..48].fill(0);
    bytes[120..128].fill(0);
    let tables = u32::from_le_bytes(bytes[92..96].try_into().unwrap()) as usize;
    for table in 0..tables {
        let at = 128 + 32 * table;
        let (start, len) = (number(&bytes, at + 8), number(&bytes, at + 16));
        // By kind of table, the length of its records, and which of their bytes say when, or vouch for those that do.
        let (record, when) = match bytes[at] {
            12 => (40, [24, 24]),
            13 => (104, [16, 96]),
            _ => continue,
        };
        bytes[at + 24..at + 32].fill(0);
        for first in (start..start + len).step_by(record) {
            when.iter().for_each(|at| bytes[first + at..first + at + 8].fill(0));
        }
    }
    bytes
}

/// Asserts that two stores have the same bytes.
fn assert_same(place: &Place, name: &str, what: &str) {
    let (local, own) = (place.path("local.store"), place.path(&format!("{name}.store")));
    assert_eq!(entries(&local), entries(&own), "{what}");
    for name in entries(&local).iter().filter(|name| name.contains('/')) {
        assert!(timeless(&local, name) == timeless(&own, name), "{what}: {name} differs");
    }
}

/// Asserts that two stores have the same bytes, and so do their outputs.
fn assert_same_outputs(place: &Place, name: &str, what: &str) {
    assert_same(place, name, what);
    let store = Store::open(place.path(&format!("{name}.store"))).unwrap();
    assert_whole(&store);
    Transpose::new(&Store::open(place.path("local.store")).unwrap(), place.path("out")).run().unwrap();
    assert_clean(&store, &place.path("out"));
}

/// What two builds say alike.
fn said(report: &BuildReport) -> BuildReport {
    let mut said = report.clone();
    said.seconds = 0.0;
    said
}

fn assert_same_report(local: &BuildReport, own: &BuildReport) {
    assert_eq!(format!("{:?}", said(local)), format!("{:?}", said(own)));
}

/// Builds the files of `place` here, and by so many parts and bands.
fn check(place: &Place, options: &SourceOptions, splits: &[(usize, usize)]) {
    let local = build(place, "local.store", options).workers(2).run();
    for &(parts, bands) in splits {
        let name = format!("{parts}-{bands}");
        let plan = plan(place, &name, options, parts, bands);
        let tasks = tasks(&plan);
        let own = tasks.run(2);
        match (&local, own) {
            (Ok(local), Ok(own)) => {
                assert_same(place, &name, &name);
                assert_same_report(local, &own);
            }
            (Err(local), Err(own)) => assert_eq!(local.to_string(), own.to_string(), "{name}"),
            (local, own) => panic!("{name}: {local:?}, {own:?}"),
        }
    }
}

const SPLITS: [(usize, usize); 4] = [(1, 1), (7, 3), (64, 64), (3, 8)];

pub fn texts(values: impl IntoIterator<Item = String>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

pub fn days(range: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    range.map(|day| transect::Date::from_days(19_700 + day as i32).unwrap().to_string())
}

/// Twenty stocks with texts of their own and in common, of which some have no row, or a column less.
pub fn texts_panel(place: &Place) {
    for stock in 0..20 {
        let range = if stock % 7 == 3 { 0..0 } else { stock..30 - stock / 2 };
        let count = range.len();
        let name = |row: usize| format!("name {} {}", stock % 3, row % (stock + 1));
        let mut columns = vec![
            ("date", texts(days(range))),
            ("name", texts((0..count).map(name))),
            ("n", Arc::new(Int64Array::from_iter_values((0..count).map(|row| (row << stock) as i64))) as ArrayRef),
        ];
        if stock % 2 == 0 {
            columns.push((
                "x",
                Arc::new(Float64Array::from_iter((0..count).map(|row| (row % 3 > 0).then_some(row as f64)))),
            ));
        }
        place.add(&format!("{stock:03}"), &batch(&columns));
    }
}

/// Rows by minute, so many of them that a date is cut into pieces.
pub fn bars(place: &Place) -> SourceOptions {
    for (code, count) in [("A", 20_000), ("B", 40_000), ("C", 150_000), ("D", 10), ("E", 65_000)] {
        let rows = || (0..count).flat_map(|n| [Some((0, n)), (n % 100 == 0).then_some((1, n))]).flatten();
        let columns = [
            ("date", texts(rows().flat_map(|(day, _)| days(day..day + 1)))),
            ("time", Arc::new(Int64Array::from_iter_values(rows().map(|(_, n)| n as i64))) as ArrayRef),
            ("x", Arc::new(Int64Array::from_iter_values(rows().map(|(day, n)| (n * 7 + day) as i64 % 91)))),
        ];
        place.add(code, &batch(&columns));
    }
    SourceOptions { key: vec!["time".to_owned()], ..SourceOptions::default() }
}

/// Spoils files of `place`: one is empty, one is cut off, one has damaged pages behind a whole footer, and one a column of
/// another type.
pub fn spoil(place: &Place) {
    let path = |code: &str| place.source().join(format!("{code}.parquet"));
    fs::write(path("001"), b"").unwrap();
    let whole = fs::read(path("002")).unwrap();
    fs::write(path("002"), &whole[..whole.len() / 2]).unwrap();
    let mut pages = fs::read(path("004")).unwrap();
    let end = pages.len() / 3;
    pages[4..end].fill(0xee);
    fs::write(path("004"), pages).unwrap();
    let other = [("date", texts(days(0..3))), ("n", texts(["a", "b", "c"].map(str::to_owned)))];
    write_parquet(&path("005"), &batch(&other));
}

#[test]
fn a_plan_that_is_not_there_is_told_in_one_way_and_one_of_other_tasks_in_true_words() {
    let place = Place::new();
    small_panel(&place, 0);
    for path in ["none.json", "none/plan.json", "none/of/these/plan.json"] {
        let why = Tasks::open(place.path(path)).err().unwrap();
        assert!(matches!(why, Error::Refused { .. }), "{why:?}");
        let told = format!("{} is not there; name a plan of tasks", place.path(path).display());
        assert_eq!(why.to_string(), told);
    }
    let path = plan(&place, "own", &SourceOptions::default(), 1, 1);
    let rest = fs::read_to_string(&path).unwrap()[31..].replace("\"tasks\":1", "\"tasks\":7");
    let sum = transect::format::checksum(rest.as_bytes());
    fs::write(&path, format!("{{\"checksum\":\"{sum:016x}\",{rest}")).unwrap();
    let why = Tasks::open(&path).err().unwrap().to_string();
    assert!(why.contains("is of tasks of version 7, and this transect has version 1"), "{why}");
}

#[test]
fn a_commit_that_is_run_again_tells_what_was_skipped() {
    let place = Place::in_memory();
    texts_panel(&place);
    spoil(&place);
    let path = plan(&place, "own", &SourceOptions::default(), 3, 2);
    let done = tasks(&path).run(1).unwrap();
    let again = tasks(&path).commit().unwrap();
    assert!(done.published && !again.published && !done.skipped.is_empty());
    assert_eq!((&again.skipped, again.files, again.skips_are_usual()), (&done.skipped, done.files, false));
}

#[test]
fn of_what_is_no_plan_its_first_bytes_are_read() {
    let place = Place::new();
    let path = place.path("plan.json");
    // That it is no text shows further on alone.
    fs::write(&path, [&b"x".repeat(64)[..], &[0xff]].concat()).unwrap();
    let refused = Tasks::open(&path).err().unwrap().to_string();
    assert!(refused.contains("it does not begin as one"), "{refused}");
}

#[test]
fn tasks_make_the_store_that_a_build_makes() {
    let place = Place::in_memory();
    small_panel(&place, 0);
    check(&place, &SourceOptions::default(), &SPLITS);
    let place = Place::in_memory();
    texts_panel(&place);
    check(&place, &SourceOptions::default(), &SPLITS);
    // Rows that have a key alone.
    let place = Place::in_memory();
    for code in ["A", "B", "C"] {
        place.add(code, &batch(&[("date", texts(days(0..5)))]));
    }
    check(&place, &SourceOptions::default(), &SPLITS);
}

#[test]
fn tasks_skip_what_a_build_skips() {
    let place = Place::in_memory();
    texts_panel(&place);
    spoil(&place);
    check(&place, &SourceOptions::default(), &SPLITS);
}

#[test]
fn tasks_cut_long_dates_as_a_build_does() {
    let place = Place::in_memory();
    let options = bars(&place);
    check(&place, &options, &[(1, 2), (5, 3)]);
}

#[test]
fn tasks_read_files_by_date_and_files_of_text() {
    let place = Place::in_memory();
    for day in 0..9 {
        let codes = (0..5).filter(|code| (code + day) % 4 > 0);
        let columns = [
            ("ts_code", texts(codes.clone().map(|code| format!("{code}.SZ")))),
            ("name", texts(codes.clone().map(|code| format!("name {}", code * day % 5)))),
            ("x", Arc::new(Int64Array::from_iter_values(codes.map(|code| (code << day) as i64))) as ArrayRef),
        ];
        write_parquet(&place.source().join(format!("{}.parquet", 20240101 + day)), &batch(&columns));
    }
    check(&place, &SourceOptions::by_date(), &SPLITS);

    let place = Place::in_memory();
    for stock in 0..6 {
        let row = |day: String| format!("{day},{},{}\n", stock * 3, if stock == 4 { "x" } else { "1.5" });
        let lines: String = days(0..stock + 1).map(row).collect();
        fs::write(place.source().join(format!("{stock}.csv")), format!("date,n,y\n{lines}")).unwrap();
    }
    let pattern = Pattern::usual(FilesBy::Stock, InputFormat::Csv);
    check(&place, &SourceOptions { input: InputFormat::Csv, pattern, ..SourceOptions::default() }, &SPLITS);
}

/// A store of more than one segment, whose bands do not end where segments do.
#[test]
fn tasks_cut_the_segments_that_a_build_cuts() {
    let place = Place::in_memory();
    for stock in 0..60 {
        let names: Vec<String> = (0..150).map(|column| format!("x{column}")).collect();
        let mut columns: Vec<(&str, ArrayRef)> = vec![("date", texts(days(stock..1000)))];
        for (column, name) in names.iter().enumerate() {
            let values = Decimal128Array::from(vec![(stock * 300 + column) as i128; 1000 - stock]);
            columns.push((name, Arc::new(values)));
        }
        place.add(&format!("{stock:03}"), &batch(&columns));
    }
    check(&place, &SourceOptions::default(), &[(3, 5)]);
    assert_eq!(paths_in(&place.path("local.store/segment")).len(), 3);
}

#[test]
fn tasks_may_be_run_in_any_order_twice_at_once_and_after_the_commit() {
    let place = Place::in_memory();
    texts_panel(&place);
    build(&place, "local.store", &SourceOptions::default()).run().unwrap();
    let path = plan(&place, "own", &SourceOptions::default(), 5, 4);
    let own = tasks(&path);
    thread::scope(|scope| {
        for part in (0..own.parts()).rev().chain(0..own.parts()) {
            let path = &path;
            scope.spawn(move || tasks(path).gather(part).unwrap());
        }
    });
    assert!(own.gather(2).unwrap().was_done);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| tasks(&path).assemble().unwrap());
        }
    });
    thread::scope(|scope| {
        for band in (0..own.bands()).rev().chain(0..own.bands()) {
            let path = &path;
            scope.spawn(move || tasks(path).seal(band).unwrap());
        }
    });
    own.commit().unwrap();
    assert_same_outputs(&place, "own", "at once");
    let before = entries(&place.path("own.staging"));
    for part in 0..own.parts() {
        assert!(own.gather(part).unwrap().was_done);
    }
    assert!(own.assemble().unwrap().is_none());
    assert!((0..own.bands()).all(|band| own.seal(band).unwrap().was_done));
    let again = own.commit().unwrap();
    assert_eq!((again.version, again.published), (1, false));
    assert_eq!(before, entries(&place.path("own.staging")));
    assert_same(&place, "own", "again");
}

/// A disk that fails from its operation `at` on, as if the process had died before it, and how many there were.
pub fn dying(at: usize) -> (Disk, Arc<std::sync::atomic::AtomicUsize>) {
    dying_with(at, |_| Ok(()))
}

/// A disk that is as `hook` has it up to its operation `at`.
pub fn dying_with(
    at: usize,
    hook: fn(&Operation) -> std::io::Result<()>,
) -> (Disk, Arc<std::sync::atomic::AtomicUsize>) {
    let done = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&done);
    let disk = Disk::with_hook(move |operation| match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < at {
        true => hook(&operation),
        false => Err(std::io::Error::from_raw_os_error(5)),
    });
    (disk, done)
}

/// Runs a task with a death before each of its operations, and then to its end.
pub fn die_everywhere(run: impl Fn(Disk) -> Result<(), Error>) {
    for at in 0.. {
        let (disk, done) = dying(at);
        let result = run(disk);
        if done.load(std::sync::atomic::Ordering::SeqCst) <= at {
            return result.unwrap();
        }
        assert!(at < 800, "a task does not end");
    }
}

/// Stops before operation `at` until `others` have run, as a machine that was taken for lost and comes back; whether it
/// came so far.
pub fn coming_back(
    at: usize,
    others: impl Fn() + Send + Sync + 'static,
) -> (Disk, Arc<std::sync::atomic::AtomicUsize>) {
    let done = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&done);
    let disk = Disk::with_hook(move |_| {
        if count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == at {
            others();
        }
        Ok(())
    });
    (disk, done)
}

#[test]
fn a_worker_that_comes_back_after_others_did_its_task_and_committed_changes_nothing() {
    let place = Place::in_memory();
    texts_panel(&place);
    build(&place, "local.store", &SourceOptions::default()).run().unwrap();
    let task = |kind: usize, tasks: &Tasks| match kind {
        0 => tasks.gather(1).map(drop),
        1 => tasks.assemble().map(drop),
        _ => tasks.seal(1).map(drop),
    };
    for kind in 0..3 {
        for at in 0.. {
            let name = format!("own-{kind}-{at}");
            let path = plan(&place, &name, &SourceOptions::default(), 2, 2);
            if kind > 0 {
                gather_all(&tasks(&path));
            }
            if kind > 1 {
                tasks(&path).assemble().unwrap();
            }
            let others = path.clone();
            let (disk, done) = coming_back(at, move || assert!(tasks(&others).run(1).unwrap().published));
            task(kind, &Tasks::open_on(&path, disk).unwrap()).unwrap();
            if done.load(std::sync::atomic::Ordering::SeqCst) <= at {
                break;
            }
            assert_same(&place, &name, &name);
            assert_whole(&Store::open(place.path(&format!("{name}.store"))).unwrap());
            assert!(!tasks(&path).run(1).unwrap().published, "{name}");
            assert_same(&place, &name, &name);
        }
    }
}

#[test]
fn a_task_that_dies_before_any_of_its_operations_is_run_again() {
    let place = Place::in_memory();
    texts_panel(&place);
    spoil(&place);
    build(&place, "local.store", &SourceOptions::default()).run().unwrap();
    let path = plan(&place, "own", &SourceOptions::default(), 3, 2);
    for part in 0..3 {
        die_everywhere(|disk| Tasks::open_on(&path, disk)?.gather(part).map(drop));
    }
    die_everywhere(|disk| Tasks::open_on(&path, disk)?.assemble().map(drop));
    for band in 0..2 {
        die_everywhere(|disk| Tasks::open_on(&path, disk)?.seal(band).map(drop));
    }
    die_everywhere(|disk| Tasks::open_on(&path, disk)?.commit().map(drop));
    assert_same_outputs(&place, "own", "after many deaths");
}

#[test]
fn of_two_that_commit_one_wins_and_the_other_is_told() {
    let place = Place::in_memory();
    small_panel(&place, 0);
    let path = plan(&place, "own", &SourceOptions::default(), 2, 2);
    let other = {
        let staging = place.path("other.staging");
        let split = TaskSplit { staging, parts: 2, bands: 2 };
        let build = Build::new(place.source(), place.path("own.store"));
        PathBuf::from(build.plan_tasks(&split).unwrap().plan)
    };
    for path in [&path, &other] {
        let tasks = tasks(path);
        gather_all(&tasks);
        tasks.assemble().unwrap();
        seal_all(&tasks);
    }
    let results: Vec<Result<BuildReport, Error>> = thread::scope(|scope| {
        let paths = [&path, &path, &other, &other, &path, &other];
        let threads: Vec<_> = paths.map(|path| scope.spawn(move || tasks(path).commit())).into_iter().collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let published = results.iter().flatten().filter(|report| report.published).count();
    assert_eq!(published, 1, "{results:?}");
    for told in results.iter().filter_map(|result| result.as_ref().err()) {
        assert!(matches!(told, Error::Locked { .. } | Error::Refused { .. }), "{told}");
    }
    assert_whole(&Store::open(place.path("own.store")).unwrap());
    // Whoever tries again hears which of the two it was.
    let again = [&path, &other].map(|path| tasks(path).commit());
    assert_eq!(again.iter().flatten().map(|report| report.version).collect::<Vec<_>>(), [1]);
    let refused = again.iter().find_map(|result| result.as_ref().err()).unwrap().to_string();
    assert!(refused.contains("is a store already"), "{refused}");
}

#[test]
fn a_task_waits_for_no_other_but_says_which_is_missing() {
    let place = Place::in_memory();
    small_panel(&place, 0);
    let path = plan(&place, "own", &SourceOptions::default(), 2, 2);
    let own = tasks(&path);
    let said = |result: Result<(), Error>| {
        let error = result.unwrap_err();
        let cause = std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
        error.to_string() + &cause
    };
    own.gather(0).unwrap();
    assert!(said(own.assemble().map(drop)).ends_with("part-0001: gather 1 is not done yet; run it first"));
    assert!(said(own.seal(0).map(drop)).ends_with("assembly: assemble is not done yet; run it first"));
    own.gather(1).unwrap();
    own.assemble().unwrap();
    own.seal(0).unwrap();
    assert!(said(own.commit().map(drop)).ends_with("band-0001: seal 1 is not done yet; run it first"));
    assert!(said(own.gather(2).map(drop)).contains("name one from 0 to 1"));
    assert!(!place.path("own.store").exists());
}

#[test]
fn files_that_changed_since_the_plan_are_skipped_or_refuse_the_assembly() {
    let place = Place::in_memory();
    texts_panel(&place);
    let path = plan(&place, "own", &SourceOptions::default(), 3, 2);
    fs::remove_file(place.source().join("006.parquet")).unwrap();
    let own = tasks(&path);
    let why = own.run(1).unwrap_err().to_string();
    assert!(why.contains("006.parquet cannot be used"), "{why}");
}

#[test]
fn a_guard_stops_the_tasks_before_anything_is_sealed() {
    let place = Place::in_memory();
    texts_panel(&place);
    spoil(&place);
    let split = TaskSplit { staging: place.path("own.staging"), parts: 2, bands: 2 };
    let report = Build::new(place.source(), place.path("own.store")).plan_tasks(&split).unwrap();
    let stopped = tasks(Path::new(&report.plan)).run(2).unwrap();
    assert!(!stopped.published && stopped.guards.iter().any(|met| !met.allowed));
    assert!(!place.path("own.store").exists() && !place.path("own.staging/assembly").exists());
}

/// The plan of a small panel, and what all tasks but the commit left.
pub fn staged() -> (Place, PathBuf, BTreeMap<String, Vec<u8>>) {
    let place = Place::in_memory();
    texts_panel(&place);
    let path = plan(&place, "own", &SourceOptions::default(), 2, 2);
    let own = tasks(&path);
    gather_all(&own);
    own.assemble().unwrap();
    seal_all(&own);
    let staging = place.path("own.staging");
    let files = entries(&staging).into_iter().map(|name| (name.clone(), fs::read(staging.join(name)).unwrap()));
    let files = files.collect();
    (place, path, files)
}

/// Runs all tasks, of which those were done whose receipts are there.
pub fn go_on(path: &Path) -> Result<(), Error> {
    let own = Tasks::open(path)?;
    own.run(1).map(drop)
}

#[test]
fn what_is_cut_off_or_changed_in_the_staging_directory_is_told_and_makes_no_store() {
    let (place, path, files) = staged();
    let staging = place.path("own.staging");
    let restore = || files.iter().for_each(|(name, bytes)| fs::write(staging.join(name), bytes).unwrap());
    let not_sealed = || {
        fs::remove_file(staging.join("band-0000")).unwrap();
        fs::remove_file(staging.join("band-0001")).unwrap();
    };
    for (name, bytes) in files.iter().filter(|(name, _)| !name.starts_with("segment")) {
        let is_rows = name.contains(".band-");
        let step = bytes.len() / 40 + 1;
        for at in (0..bytes.len()).step_by(step) {
            for cut in [true, false] {
                restore();
                if is_rows {
                    not_sealed();
                }
                let mut other = bytes.clone();
                if cut {
                    other.truncate(at)
                } else {
                    other[at] ^= 0x21
                }
                fs::write(staging.join(name), other).unwrap();
                // Rows that are too short are gathered again.
                if is_rows && cut {
                    continue;
                }
                let why = go_on(&path).expect_err(&format!("{name} {at} {cut}")).to_string();
                assert!(why.contains(name.as_str()), "{name} {at}: {why}");
            }
        }
    }
    restore();
    fs::write(staging.join("segment-0000.arrow"), b"short").unwrap();
    go_on(&path).unwrap();
}

/// Does what an error of a task says, but for what it is about `path`.
fn follow(path: &Path, own: &Tasks, error: &Error) {
    let told: String = error.remedies().iter().map(|way_out| way_out.to_string()).collect();
    let cause = std::error::Error::source(error).map_or_else(String::new, |source| source.to_string());
    let told = format!("{told} {cause}");
    let remove = |path: &Path| if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
    if told.contains("remove it") || told.contains("move it away") || told.contains("move the directory away") {
        remove(path).unwrap();
    }
    if let Some((_, rest)) = told.split_once("remove part-") {
        remove(&path.with_file_name(format!("part-{}", &rest[..4]))).unwrap();
    }
    let number = |task: &str| {
        let (_, rest) = told.split_once(&format!("{task} "))?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok()
    };
    if let Some(part) = number("gather") {
        own.gather(part).unwrap();
    } else if let Some(band) = number("seal") {
        own.seal(band).unwrap();
    } else if told.contains("assemble") {
        own.assemble().unwrap();
    } else {
        assert!(told.contains("try again"), "{error}: {told}");
    }
}

/// What each task needs is gone, changed, or something else stands there.
#[test]
fn what_is_told_of_files_of_tasks_leads_on_until_the_store_is_there() {
    let (place, path, files) = staged();
    let staging = place.path("own.staging");
    build(&place, "local.store", &SourceOptions::default()).run().unwrap();
    for name in files.keys().filter(|name| *name != "plan.json") {
        for kind in ["gone", "changed", "cut", "directory", "socket"] {
            for (other, bytes) in &files {
                fs::write(staging.join(other), bytes).unwrap();
            }
            let at = staging.join(name);
            if name.contains(".band-") {
                ["band-0000", "band-0001"].iter().for_each(|band| fs::remove_file(staging.join(band)).unwrap());
            }
            fs::remove_file(&at).unwrap();
            let mut bytes = files[name].clone();
            let middle = bytes.len() / 2;
            match kind {
                // The commit does not read them; whoever reads the store tells.
                "changed" if name.ends_with(".arrow") => continue,
                "changed" => {
                    bytes[middle] ^= 1;
                    fs::write(&at, bytes).unwrap();
                }
                "cut" => fs::write(&at, &bytes[..middle]).unwrap(),
                "directory" => fs::create_dir(&at).unwrap(),
                "socket" => drop(std::os::unix::net::UnixListener::bind(&at).unwrap()),
                _ => {}
            }
            let own = tasks(&path);
            for tries in 0.. {
                let sealed = (0..2).try_for_each(|band| own.seal(band).map(drop));
                let Err(why) = sealed.and_then(|()| own.commit().map(drop)) else { break };
                assert!(tries < 4, "{name} {kind}: {why}");
                let about = why.path().unwrap_or_else(|| panic!("{name} {kind}: {why}"));
                follow(about, &own, &why);
            }
            assert_same(&place, "own", &format!("{name} {kind}"));
            fs::remove_dir_all(place.path("own.store")).unwrap();
        }
    }
}

#[test]
fn a_plan_of_another_program_and_receipts_of_another_plan_are_refused() {
    let (place, path, files) = staged();
    let text = String::from_utf8(files["plan.json"].clone()).unwrap();
    let version = format!("\"transect\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let rest = text[31..].replace(&version, "\"transect\":\"0.0.9\"");
    let sum = transect::format::checksum(rest.as_bytes());
    fs::write(&path, format!("{{\"checksum\":\"{sum:016x}\",{rest}")).unwrap();
    let why = Tasks::open(&path).err().unwrap().to_string();
    assert!(why.contains("was made by transect 0.0.9") && why.contains("plan again"), "{why}");

    fs::write(&path, &text).unwrap();
    let other = plan(&place, "other", &SourceOptions::default(), 3, 2);
    tasks(&other).gather(0).unwrap();
    fs::copy(place.path("other.staging/part-0000"), place.path("own.staging/part-0000")).unwrap();
    let why = go_on(&path).unwrap_err().to_string();
    assert!(why.ends_with("is of another plan; remove it, and run gather 0 again"), "{why}");
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 100, ..cases(24) })]

    #[test]
    fn tasks_make_of_random_files_what_a_build_makes(files in files(), parts in 1..9usize, bands in 1..6usize) {
        check_files(&files, parts, bands);
    }
}

fn check_files(files: &Files, parts: usize, bands: usize) {
    let place = Place::in_memory();
    files.write(&place);
    check(&place, &SourceOptions::default(), &[(parts, bands)]);
}
