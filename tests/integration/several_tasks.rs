//! An update by tasks of a store of several sources, or of one whose codes a map gives: what it publishes must be what
//! an update here publishes, byte for byte.

use std::fs;
use std::path::{Path, PathBuf};

use transect::progress::Silent;
use transect::source::{CodeMap, SourceOptions};
use transect::{AddSource, Guard, Join, Store, TaskSplit, UpdateTasks, verify_source};

use super::alike::{SPLITS, World, copy, plan_of, update};
use super::panels::{Place, assert_whole, batch, workers, write_parquet};
use super::tasks::{days, die_everywhere, texts, texts_panel};
use super::update_tasks::{all_but_commit, numbers, tasks};

/// Writes what another source has: of some stocks the dates that `days_of` says.
pub fn write_other(other: &Path, days_of: fn(usize) -> std::ops::Range<usize>, salt: i64) {
    let _ = fs::create_dir(other);
    for stock in 5..25 {
        let range = days_of(stock);
        let columns = [("date", texts(days(range.clone()))), ("w", numbers(range.map(|day| day as i64 * 3 + salt)))];
        write_parquet(&other.join(format!("{stock:03}.parquet")), &batch(&columns));
    }
}

/// A store of two sources, of which the second has changed.
fn two() -> World {
    let place = Place::in_memory();
    texts_panel(&place);
    let mut world = World::new(place, &SourceOptions::default());
    let other = world.place.path("other");
    write_other(&other, |stock| stock..28, 0);
    AddSource::new(world.local(), [&other]).allow(Guard::ALL).run().unwrap();
    write_other(&other, |stock| stock - 3..33 - stock % 5, 1);
    world.configure = |update| update.sources(["other"]);
    world
}

/// The same, and a plan to bring it up to date.
pub fn two_sources() -> (World, PathBuf) {
    let world = two();
    let own = world.place.path("own.store");
    copy(&world.local(), &own);
    let plan = plan_of((world.configure)(update(&own)), world.place.path("own.staging"), (2, 2)).unwrap();
    (world, plan)
}

/// Rows of one of two sources come and go, and the keys and bits with them.
#[test]
fn tasks_bring_one_of_several_sources_where_an_update_does() {
    let mut world = two();
    assert!(world.night(&SPLITS).published);
    world.configure = |update| update.sources(["source"]);
    world.rewrite("007", &[("date", texts(days(0..35))), ("n", numbers(0..35))]);
    assert!(world.night(&SPLITS).published);
    // One has to be named.
    let split = TaskSplit { staging: world.place.path("more.staging"), parts: 1, bands: 1 };
    let why = update(&world.local()).plan_tasks(&split).unwrap_err().to_string();
    assert!(why.contains("has several sources, source, other"), "{why}");
}

/// Writes a code map, and makes a world of files whose codes it gives.
fn mapped(text: &str) -> (World, PathBuf) {
    let place = Place::in_memory();
    texts_panel(&place);
    let map = place.path("map.csv");
    fs::write(&map, text).unwrap();
    let code_map = Some(CodeMap::at(map.to_str().unwrap()));
    (World::new(place, &SourceOptions { code_map, ..SourceOptions::default() }), map)
}

#[test]
fn tasks_follow_a_code_map_as_an_update_does() {
    let (mut world, map) = mapped("from,to,valid_from,until\n000,A,,\n");
    world.rewrite("000", &[("date", texts(days(0..35))), ("n", numbers(0..35))]);
    assert!(world.night(&SPLITS).published);
    // Some of its rows are another's, and there are others in their place.
    fs::write(&map, "from,to,valid_from,until\n000,A,,2023-12-18\n002,A,2023-12-19,\n").unwrap();
    let report = world.night(&SPLITS);
    assert!(report.published && report.restated > 0 && report.removed > 0);
    // What was planned is done, whatever the map is meanwhile.
    fs::write(&map, "from,to,valid_from,until\n000,A,,2023-12-13\n004,B,,\n").unwrap();
    let own = world.place.path("own.store");
    copy(&world.local(), &own);
    let path = plan_of(update(&own), world.place.path("mapped.staging"), (3, 2)).unwrap();
    update(&world.local()).run().unwrap();
    fs::remove_file(&map).unwrap();
    assert!(tasks(&path).run(2).unwrap().published);
    let [local, own] = [world.local(), own].map(|path| Store::open(path).unwrap());
    assert_eq!(super::updates::rows_of(&local), super::updates::rows_of(&own));
    assert_whole(&own);
}

/// An update here then keeps the map of before, and reads what it has read once more.
#[test]
fn another_code_map_that_cannot_be_followed_is_told_as_soon_as_that_is_known() {
    let (world, map) = mapped("from,to,valid_from,until\n000,A,,\n");
    fs::write(&map, "from,to,valid_from,until\n000,A,,\n004,B,,\n006,C,,\n").unwrap();
    let path = world.place.source().join("006.parquet");
    let mut pages = fs::read(&path).unwrap();
    let end = pages.len() / 3;
    pages[4..end].fill(0xee);
    fs::write(&path, &pages).unwrap();
    let plan = |staging: &str| {
        let split = TaskSplit { staging: world.place.path(staging), parts: 2, bands: 2 };
        update(&world.local()).plan_tasks(&split).map(|report| PathBuf::from(report.plan.unwrap()))
    };
    let own = tasks(&plan("bad.staging").unwrap());
    (0..own.parts()).for_each(|part| _ = own.gather(part).unwrap());
    for why in [own.assemble().map(drop).unwrap_err(), own.compare(0).map(drop).unwrap_err()] {
        let why = why.to_string();
        assert!(why.contains("another code map cannot be followed while 006.parquet cannot be used"), "{why}");
    }
    fs::remove_file(world.place.source().join("004.parquet")).unwrap();
    let why = plan("gone.staging").unwrap_err().to_string();
    assert!(why.contains("while 004.parquet cannot be used") && why.contains("or prune it"), "{why}");
    assert!(!world.place.path("gone.staging").exists());
    let local = update(&world.local()).run().unwrap();
    assert!(local.notes.iter().any(|note| note.contains("another code map cannot be followed")), "{local:?}");
}

/// A store whose second source joins left and has no rows of its own.
fn one_joins_left() -> World {
    let place = Place::in_memory();
    texts_panel(&place);
    let mut world = World::new(place, &SourceOptions::default());
    let other = world.place.path("other");
    write_other(&other, |stock| stock - 3..33 - stock % 5, 0);
    AddSource::new(world.local(), [&other]).join(Join::Left).allow(Guard::ALL).run().unwrap();
    world.configure = |update| update.sources(["source"]);
    world
}

/// What the others gain, it has from its own update on; what they lose, it loses in the same version.
#[test]
fn tasks_bring_a_source_that_joins_left_where_an_update_does() {
    let mut world = one_joins_left();
    world.rewrite("007", &[("date", texts(days(0..35))), ("n", numbers(0..35))]);
    let report = world.night(&SPLITS);
    assert!(report.published && report.added > 0 && report.left_out == 0);
    world.configure = |update| update.sources(["other"]);
    let report = world.night(&SPLITS);
    assert!(report.published && report.filled > 0 && report.read_files == 1);
    write_other(&world.place.path("other"), |stock| stock - 2..34 - stock % 5, 1);
    let report = world.night(&SPLITS);
    assert!(report.published && report.restated > 0 && report.left_out > 0 && report.added == 0);
    world.configure = |update| update.sources(["source"]);
    world.rewrite("007", &[("date", texts(days(5..12))), ("n", numbers(5..12))]);
    let report = world.night(&SPLITS);
    assert!(report.published && report.removed > 0);
    let store = Store::open(world.local()).unwrap();
    let checked = verify_source(&store, &world.place.path("other"), &workers(1), &Silent).unwrap();
    assert_eq!((checked.difference_count, checked.left_out > 0), (0, true), "{checked:?}");
}

#[test]
fn a_commit_that_dies_while_it_takes_rows_from_a_source_that_joins_left_is_run_again() {
    let world = one_joins_left();
    world.rewrite("007", &[("date", texts(days(5..12))), ("n", numbers(5..12))]);
    let own = world.place.path("own.store");
    copy(&world.local(), &own);
    let change = |store: &Path| (world.configure)(update(store));
    let path = plan_of(change(&own), world.place.path("own.staging"), (2, 3)).unwrap();
    all_but_commit(&tasks(&path)).unwrap();
    die_everywhere(|disk| UpdateTasks::open_on(&path, disk)?.commit().map(drop));
    assert_eq!(change(&world.local()).run().unwrap().version, 3);
    let [local, own] = [world.local(), own].map(|path| Store::open(path).unwrap());
    assert_eq!(own.version(), 3);
    assert_eq!(super::updates::rows_of(&local), super::updates::rows_of(&own));
    assert_whole(&own);
}
