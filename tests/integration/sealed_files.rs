//! Files of dates that are written while a build by tasks is sealed: byte for byte those of a transpose, which finds them
//! current.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arrow_array::{ArrayRef, Decimal128Array};
use transect::source::SourceOptions;
use transect::{Build, Error, Guard, Store, TaskSplit, Tasks, Transpose, Update, clear_staging};

use super::panels::{Place, assert_clean, assert_whole, batch, entries, write_parquet};
use super::tasks::{days, die_everywhere, texts, texts_panel};
use super::update_tasks::numbers;

const SPLITS: [(usize, usize); 3] = [(1, 1), (7, 3), (3, 64)];

fn plan(place: &Place, name: &str, options: &SourceOptions, (parts, bands): (usize, usize)) -> PathBuf {
    let build = Build::new(place.source(), place.path(&format!("{name}.store"))).options(options.clone());
    let split = TaskSplit { staging: place.path(&format!("{name}.staging")), parts, bands };
    PathBuf::from(build.memory(256 << 20).allow(Guard::ALL).plan_tasks(&split).unwrap().plan)
}

/// The files of a build here, in the directory `local`.
fn local(place: &Place, options: &SourceOptions) -> PathBuf {
    let (store, out) = (place.path("local.store"), place.path("local"));
    Build::new(place.source(), &store).options(options.clone()).allow(Guard::ALL).run().unwrap();
    Transpose::new(&Store::open(store).unwrap(), &out).run().unwrap();
    out
}

/// Asserts that `out` has the files of `local` and that a transpose finds them current, but for `missing` ones.
fn assert_same(local: &Path, store: &Path, out: &Path, missing: u64) {
    let store = Store::open(store).unwrap();
    assert_whole(&store);
    let report = Transpose::new(&store, out).run().unwrap();
    assert_eq!(report.written, missing);
    assert_clean(&store, out);
    assert_eq!(entries(local), entries(out));
    for name in entries(local).iter().filter(|name| !name.starts_with('.')) {
        assert!(fs::read(local.join(name)).unwrap() == fs::read(out.join(name)).unwrap(), "{name}");
    }
}

#[test]
fn what_is_sealed_is_what_a_transpose_writes() {
    let place = Place::in_memory();
    texts_panel(&place);
    let local = local(&place, &SourceOptions::default());
    for split in SPLITS {
        let name = format!("{}-{}", split.0, split.1);
        let path = plan(&place, &name, &SourceOptions::default(), split);
        let out = place.path(&name);
        let report = Tasks::open(&path).unwrap().output(&out).unwrap().run(2).unwrap();
        assert!(report.notes.iter().any(|note| note.contains(" files were put into ")), "{:?}", report.notes);
        assert_same(&local, &place.path(&format!("{name}.store")), &out, 0);
        assert!(!Tasks::open(&path).unwrap().output(&out).unwrap().run(2).unwrap().published);
    }
}

/// Two dates in two segments, of which the first ends within the second date.
fn two_long_dates(place: &Place) -> SourceOptions {
    for stock in 0..8 {
        let names: Vec<String> = (0..21).map(|column| format!("x{column}")).collect();
        let day = |row: i64| usize::from(row >= 12_500);
        let dates = (0..50_000).flat_map(|row| days(day(row)..day(row) + 1));
        let mut columns: Vec<(&str, ArrayRef)> = vec![("date", texts(dates)), ("time", numbers(0..50_000))];
        for (column, name) in names.iter().enumerate() {
            let values = Decimal128Array::from(vec![(stock * 300 + column) as i128; 50_000]);
            columns.push((name, Arc::new(values)));
        }
        place.add(&format!("{stock:03}"), &batch(&columns));
    }
    SourceOptions { key: vec!["time".to_owned()], ..SourceOptions::default() }
}

#[test]
fn a_date_that_two_bands_have_is_left_to_the_next_transpose_and_told() {
    let place = Place::in_memory();
    let options = two_long_dates(&place);
    let local = local(&place, &options);
    for (split, missing) in [((1, 1), 0), ((2, 2), 1)] {
        let name = format!("{}-{}", split.0, split.1);
        let path = plan(&place, &name, &options, split);
        let out = place.path(&name);
        let report = Tasks::open(&path).unwrap().output(&out).unwrap().run(2).unwrap();
        let told = report.notes.iter().find_map(|note| note.split_once(" dates lie in segments of two bands"));
        assert_eq!(told.map_or(0, |(count, _)| count.parse().unwrap()), missing, "{:?}", report.notes);
        assert_same(&local, &place.path(&format!("{name}.store")), &out, missing);
    }
}

#[test]
fn files_for_a_directory_of_another_store_are_refused_and_the_store_is_whole() {
    let place = Place::in_memory();
    texts_panel(&place);
    let out = local(&place, &SourceOptions::default());
    let before = entries(&out);
    let path = plan(&place, "own", &SourceOptions::default(), (2, 2));
    let refused = |out: &Path| {
        let why = Tasks::open(&path).unwrap().output(out).err().unwrap();
        assert!(matches!(why, Error::Refused { .. }), "{why:?}");
        why.to_string()
    };
    // A directory that is no place for them is told before any band is sealed, in the words of a transpose.
    let (foreign, store) = (place.path("foreign"), place.path("own.store"));
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("notes"), b"mine").unwrap();
    for (out, why) in [
        (&out, "holds files of another store; name another directory"),
        (&foreign, "is not empty and was not written by transect; name another directory"),
        (&store.join("files"), "lies in the store; name a directory elsewhere"),
        (&place.path("local.store"), "is a store; name a directory elsewhere"),
        (&place.source(), "is built from; name a directory elsewhere"),
    ] {
        let told = refused(out);
        assert!(told.ends_with(why), "{told}");
    }
    // One that turns into such a place meanwhile is told by the commit.
    fs::rename(&out, place.path("away")).unwrap();
    let tasks = Tasks::open(&path).unwrap().output(&out).unwrap();
    (0..2).for_each(|part| _ = tasks.gather(part).unwrap());
    tasks.assemble().unwrap();
    (0..2).for_each(|band| _ = tasks.seal(band).unwrap());
    fs::rename(place.path("away"), &out).unwrap();
    for _ in 0..2 {
        let why = tasks.commit().unwrap_err();
        assert!(matches!(why, Error::Refused { .. }), "{why:?}");
        let told = why.to_string();
        assert!(told.starts_with("version 1 is live, and its files are in the staging directory alone: "), "{told}");
        assert!(told.ends_with("; seal for another directory, or transpose the store"), "{told}");
    }
    assert_whole(&Store::open(place.path("own.store")).unwrap());
    assert_eq!(entries(&out), before);
}

#[test]
fn a_band_may_be_sealed_without_files_then_with_them_twice_at_once_and_die_anywhere() {
    let place = Place::in_memory();
    texts_panel(&place);
    let local = local(&place, &SourceOptions::default());
    let path = plan(&place, "own", &SourceOptions::default(), (2, 2));
    let out = place.path("own");
    let plain = || Tasks::open(&path).unwrap();
    let tasks = || plain().output(&out).unwrap();
    (0..2).for_each(|part| _ = plain().gather(part).unwrap());
    plain().assemble().unwrap();
    assert!(!plain().seal(0).unwrap().was_done);
    assert!(!tasks().seal(0).unwrap().was_done);
    assert!(tasks().seal(0).unwrap().was_done && plain().seal(0).unwrap().was_done);
    fs::remove_file(place.path("own.staging/files-0000")).unwrap();
    for band in 0..2 {
        die_everywhere(|disk| Tasks::open_on(&path, disk)?.output(&out)?.seal(band).map(drop));
    }
    // A file of another length is made again.
    let file = entries(&place.path("own.staging")).into_iter().find(|name| name.starts_with("file-")).unwrap();
    fs::write(place.path("own.staging").join(file), b"half").unwrap();
    let error = plain().commit().unwrap_err();
    let why = format!("{error}: {}", std::error::Error::source(&error).unwrap());
    assert!(why.contains("it is not as long as its task says; run seal "), "{why}");
    thread::scope(|scope| {
        for band in [0, 1, 0, 1] {
            let tasks = &tasks;
            scope.spawn(move || tasks().seal(band).unwrap());
        }
    });
    die_everywhere(|disk| Tasks::open_on(&path, disk)?.commit().map(drop));
    assert_same(&local, &place.path("own.store"), &out, 0);
    // Done before, also once another version is there.
    let source = place.source().join("008.parquet");
    write_parquet(&source, &batch(&[("date", texts(days(0..3)))]));
    Update::new(place.path("own.store")).allow(Guard::ALL).run().unwrap();
    Transpose::new(&Store::open(place.path("own.store")).unwrap(), &out).run().unwrap();
    assert!((0..2).all(|band| plain().seal(band).unwrap().was_done));
    assert_eq!(plain().commit().unwrap().version, 1);
}

#[test]
fn attempts_that_died_are_cleared_away_with_what_lies_below_them() {
    let place = Place::in_memory();
    texts_panel(&place);
    let path = plan(&place, "own", &SourceOptions::default(), (1, 1));
    Tasks::open(&path).unwrap().gather(0).unwrap();
    Tasks::open(&path).unwrap().assemble().unwrap();
    let (staging, store) = (place.path("own.staging"), place.path("own.store"));
    fs::create_dir_all(staging.join(".attempt-1/part/segment")).unwrap();
    fs::write(staging.join(".attempt-1/part/segment/x"), b"x").unwrap();
    let count = |dry_run| clear_staging(&staging, &store, Duration::ZERO, dry_run).unwrap().files;
    let files = count(true);
    assert_eq!(files, entries(&staging).iter().filter(|name| staging.join(name).is_file()).count() as u64);
    assert_eq!(count(false), files);
    assert!(!staging.exists());
}

#[test]
fn files_for_two_directories_and_files_of_an_update_are_refused() {
    let place = Place::in_memory();
    texts_panel(&place);
    let path = plan(&place, "own", &SourceOptions::default(), (1, 2));
    let to = |name: &str| Tasks::open(&path).unwrap().output(place.path(name)).unwrap();
    to("a").gather(0).unwrap();
    to("a").assemble().unwrap();
    to("a").seal(0).unwrap();
    to("b").seal(1).unwrap();
    let why = to("a").commit().unwrap_err().to_string();
    assert!(why.contains("seal all for one output"), "{why}");
    to("a").seal(1).unwrap();
    to("a").commit().unwrap();
    place.add("new", &batch(&[("date", texts(days(0..3)))]));
    let split = TaskSplit { staging: place.path("night"), parts: 1, bands: 1 };
    let plan = Update::new(place.path("own.store")).plan_tasks(&split).unwrap().plan.unwrap();
    let why = Tasks::open(plan).unwrap().output(place.path("a")).err().unwrap().to_string();
    assert!(why.contains("plans an update, and not a store"), "{why}");
}
