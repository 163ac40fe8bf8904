//! What a version changed is noted in a file of its own, since it must be told when nobody keeps the rows any more. Such a
//! file must not be what a reader of rows stumbles over, nor may it be believed when it is damaged, or go too early.

use std::fs;
use std::path::PathBuf;

use transect::progress::Silent;
use transect::store::{Collect, DiffReport};
use transect::{Build, ChangeSource, Error, Restore, Store, Update, UpdateReport};

use super::panels::{Place, assert_whole, entries, named, sections, small_panel, small_store, verify, workers};

fn open(place: &Place) -> Store {
    Store::open(place.store()).unwrap()
}

/// Restates the small panel, in another way for each salt.
fn restate(place: &Place, salt: i64) -> UpdateReport {
    small_panel(place, salt);
    let report = Update::new(place.store()).check_content(true).workers(1).run().unwrap();
    assert!(report.published && report.restated > 0, "{report:?}");
    report
}

fn counts(changes: &DiffReport) -> [u64; 4] {
    [changes.added, changes.restated, changes.filled, changes.removed]
}

/// A store of two versions, and the change file of the second.
fn restated() -> (Place, PathBuf) {
    let (place, _) = small_store();
    restate(&place, 1);
    let path = named(&place.store(), "catalog/2.changes");
    (place, path)
}

#[test]
fn what_a_version_changed_is_told_when_it_and_the_one_before_are_gone() {
    let (place, store) = small_store();
    assert!(store.changes_of(1).unwrap().is_none());
    drop(store);
    let reports: Vec<UpdateReport> = (1..4).map(|salt| restate(&place, salt)).collect();
    let before: Vec<DiffReport> = (2..5).map(|version| open(&place).changes_of(version).unwrap().unwrap()).collect();
    Collect::new(place.store()).keep(1).run().unwrap();
    let store = open(&place);
    assert_eq!(store.kept_versions().unwrap(), [4]);
    for (version, (report, before)) in (2..).zip(reports.iter().zip(&before)) {
        let changes = store.changes_of(version).unwrap().unwrap();
        assert_eq!(&changes, before);
        assert_eq!((changes.older, changes.newer), (Some(version - 1), version));
        assert_eq!(counts(&changes), [report.added, report.restated, report.filled, report.removed]);
        assert_eq!(changes.dates.len() as u64, report.dirty_dates);
        let columns = changes.columns.iter().map(|of| (&of.name, of.restated));
        assert!(columns.eq(report.columns.iter().map(|of| (&of.column, of.restated))), "{changes:?}");
        let entry = &store.history().unwrap()[version as usize - 1];
        assert_eq!(
            (entry.dirty_stocks, entry.dirty_columns),
            (changes.stocks.len() as u64, changes.columns.len() as u64)
        );
    }
    let Err(Error::NotFound { .. }) = store.changes_of(5) else { panic!("there is no version 5") };
}

#[test]
fn a_version_without_another_row_says_that_it_changed_none() {
    let (place, _) = small_store();
    let name = open(&place).source_names().unwrap()[0].to_owned();
    ChangeSource::rename(place.store(), name, "other").run().unwrap();
    let changes = open(&place).changes_of(2).unwrap().unwrap();
    assert_eq!((counts(&changes), changes.dates.len() + changes.stocks.len() + changes.columns.len()), ([0; 4], 0));
}

#[test]
fn neighbours_are_compared_without_a_look_at_their_rows() {
    let (place, path) = restated();
    let store = open(&place);
    let older = store.other_version(1).unwrap();
    let diff = store.diff(&older).unwrap();
    let report = diff.report(&workers(1), &Silent).unwrap();
    fs::rename(place.store().join("segment"), place.path("segment")).unwrap();
    let told = |diff: transect::store::Diff| diff.counts(&workers(1), &Silent);
    let counts = told(open(&place).diff(&older).unwrap()).unwrap();
    assert_eq!((counts.dates, counts.stocks, counts.restated), (report.dates, report.stocks, report.restated));
    let columns = |report: &[transect::store::ColumnChange]| {
        report.iter().map(|of| (of.name.clone(), of.newer_type.clone(), of.restated)).collect::<Vec<_>>()
    };
    assert_eq!(columns(&counts.columns), columns(&report.columns));
    // What was not counted so when the version was made is counted now.
    for narrowed in [
        open(&place).diff(&older).unwrap().between(Some(store.dates().unwrap()[0]), None),
        open(&place).diff(&older).unwrap().of_columns([&report.columns[0].name]).unwrap(),
        open(&place).diff(&older).unwrap().of_stocks(&store.stocks().unwrap()[..1]).unwrap(),
        older.diff(&open(&place)).unwrap(),
    ] {
        assert!(told(narrowed).is_err());
    }
    fs::remove_file(path).unwrap();
    assert!(told(open(&place).diff(&older).unwrap()).is_err());
}

#[test]
fn a_missing_or_damaged_change_file_is_named_and_harms_no_row() {
    let (place, path) = restated();
    let expected = sections(&open(&place));
    let good = fs::read(&path).unwrap();
    let flips = (0..good.len()).map(|at| {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        Some(bad)
    });
    let cuts = (0..good.len()).step_by(7).map(|len| Some(good[..len].to_vec()));
    for (at, bad) in flips.chain(cuts).chain([Some([&good[..], &[0]].concat()), None]).enumerate() {
        match &bad {
            Some(bad) => fs::write(&path, bad).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let store = open(&place);
        let told = store.changes_of(2);
        let is_named = |error: &Error| error.path() == Some(&*path);
        assert!(told.as_ref().map_or_else(is_named, |told| told.is_some()), "damage {at}: {told:?}");
        let damages = verify(&store).damages;
        let [damage] = &damages[..] else { panic!("damage {at}: {damages:?}") };
        assert!(damage.contains(path.file_name().unwrap().to_str().unwrap()), "damage {at}: {damage}");
        if at % 97 == 0 || bad.is_none() {
            assert_eq!(sections(&store), expected, "damage {at}");
        }
    }
    // The nights go on, and so does a restore.
    restate(&place, 2);
    Restore::new(place.store(), 2).run().unwrap();
    assert_eq!(sections(&open(&place)), expected);
    assert!(open(&place).changes_of(3).unwrap().is_some() && open(&place).changes_of(2).is_err());
}

#[test]
fn a_store_that_is_built_anew_forgets_what_was_changed_before() {
    let (place, path) = restated();
    fs::write(&path, "damaged").unwrap();
    small_panel(&place, 2);
    Build::new(place.source(), place.store()).workers(1).force(true).run().unwrap();
    let store = open(&place);
    assert_whole(&store);
    assert!((1..4).all(|version| store.changes_of(version).unwrap().is_none()));
    let left = entries(&place.store()).into_iter().filter(|name| name.ends_with(".changes"));
    assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn change_files_that_no_version_names_go() {
    let (place, path) = restated();
    let stray = path.with_file_name("00000000000000ab.changes");
    fs::copy(&path, &stray).unwrap();
    let report = Collect::new(place.store()).dry_run(true).run().unwrap();
    assert_eq!((report.files, report.bytes), (1, fs::metadata(&path).unwrap().len()));
    Collect::new(place.store()).run().unwrap();
    assert!(path.is_file() && !stray.exists());
}
