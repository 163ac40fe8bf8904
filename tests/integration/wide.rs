//! Panels of very many columns: what could be no panel is stopped, lists end, and nothing costs the square of their
//! number.

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, StringArray};
use transect::source::SourceOptions;
use transect::{Build, Error, Guard, Store, Update};

use super::panels::{Place, batch, write_parquet};

/// Writes a file of `rows` dates, with as many columns as there are `names`.
fn write(place: &Place, code: &str, rows: usize, names: &[String]) {
    let dates = (0..rows).map(|row| format!("20{:02}{:02}{:02}", row / 336, 1 + row / 28 % 12, 1 + row % 28));
    let mut columns: Vec<(&str, ArrayRef)> = vec![("date", Arc::new(StringArray::from_iter_values(dates)))];
    let values: ArrayRef = Arc::new(BooleanArray::from(vec![true; rows]));
    columns.extend(names.iter().map(|name| (name.as_str(), Arc::clone(&values))));
    write_parquet(&place.source().join(format!("{code}.parquet")), &batch(&columns));
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n:05}")).collect()
}

#[test]
fn a_large_panel_of_columns_that_are_in_one_file_each_is_stopped_unless_it_is_allowed() {
    // The code in each column's name, as downloads have it.
    let write_all = |place: &Place, columns| {
        for n in 0..100 {
            write(place, &format!("S{n:02}"), 100, &names(&format!("S{n:02}_"), columns));
        }
    };
    let place = Place::new();
    write_all(&place, 135);
    let report = Build::new(place.source(), place.store()).run().unwrap();
    assert!(!report.published && !place.store().exists());
    let [met] = &report.guards[..] else { panic!("{:?}", report.guards) };
    assert_eq!((met.guard, met.guard.word(), met.allowed), (Guard::SparseColumns, "sparse-columns", false));
    assert_eq!(
        met.what,
        "only 1350000 of 135000000 cells could have a value (give a column the same name in all files, or choose \
         columns): 13500 of 13502 columns are in one file each"
    );
    assert_eq!(met.examples, ["S00_00000", "S00_00001", "S00_00002"]);

    // A small panel is nobody's harm.
    let place = Place::new();
    write_all(&place, 2);
    let report = Build::new(place.source(), place.store()).run().unwrap();
    assert!(report.guards.is_empty() && report.published);
}

#[test]
fn of_20_000_columns_no_message_names_more_than_a_few() {
    let place = Place::new();
    let many = names("column_", 20_000);
    write(&place, "A", 1, &many);
    write(&place, "B", 2, &many[..1]);
    let report = Build::new(place.source(), place.store()).run().unwrap();
    assert_eq!((report.skipped.len(), report.rows), (0, 3));
    let expected = "19999 of 20002 columns are in one file each: column_00001, column_00002, column_00003, \
                    column_00004, column_00005 and 19994 more";
    assert_eq!(report.notes, [expected]);

    let store = Store::open(place.store()).unwrap();
    let Err(error @ Error::NotFound { .. }) = store.schema().unwrap().find("volume") else { panic!("it is found") };
    assert_eq!(
        error.to_string(),
        "column \"volume\" not found; the store's information lists the columns: column_00000, column_00001, \
         column_00002, column_00003, column_00004 and 19995 more"
    );
    let options = SourceOptions { exclude: vec!["volume".to_owned()], ..SourceOptions::default() };
    let error = Build::new(place.source(), place.path("other")).options(options).run().unwrap_err().to_string();
    assert!(error.len() < 300 && error.contains("and 19996 more"), "{error}");
}

#[test]
fn where_texts_take_more_than_a_quarter_of_the_memory_the_columns_are_named() {
    let place = Place::new();
    for n in 0..8 {
        let text = |row: usize| {
            let mut text = String::new();
            write!(text, "{n} {row} ").unwrap();
            text.repeat(1024)[..4096].to_owned()
        };
        let dates = (0..750).map(|row| format!("{}{:02}{:02}", 2000 + row / 336, 1 + row / 28 % 12, 1 + row % 28));
        let columns: [(&str, ArrayRef); 3] = [
            ("date", Arc::new(StringArray::from_iter_values(dates))),
            ("name", Arc::new(StringArray::from_iter_values((0..750).map(|_| "steel")))),
            ("story", Arc::new(StringArray::from_iter_values((0..750).map(text)))),
        ];
        write_parquet(&place.source().join(format!("{n}.parquet")), &batch(&columns));
    }
    let build = |memory: u64| Build::new(place.source(), place.store()).memory(memory << 20).workers(1);
    assert_eq!(
        build(64).run().unwrap_err().to_string(),
        "the distinct texts of \"story\" (17 MiB so far) take more than a quarter of the memory (16 MiB); memory of \
         128 MiB may be enough, or exclude story leaves it out"
    );
    assert_eq!(build(128).run().unwrap().rows, 6000);
    let options = SourceOptions { exclude: vec!["story".to_owned()], ..SourceOptions::default() };
    let without = build(64).options(options).force(true).run().unwrap();
    assert_eq!(without.rows, 6000);
}

#[test]
fn another_folder_is_measured_by_all_codes_that_the_store_has() {
    let place = Place::new();
    for code in ["A", "B", "C", "D", "E", "F", "G"] {
        write(&place, code, 2, &names("x", 1));
    }
    Build::new(place.source(), place.store()).run().unwrap();
    // Its rows stay.
    std::fs::remove_file(place.source().join("A.parquet")).unwrap();
    Update::new(place.store()).run().unwrap();
    let other = Place::new();
    for code in ["A", "B", "C", "X"] {
        write(&other, code, 2, &names("x", 1));
    }
    let update = |source: &Place| {
        let path = format!("path={}", source.source().display()).parse().unwrap();
        Update::new(place.store()).set("source", path).dry_run(true).run().unwrap()
    };
    let report = update(&other);
    let [met] = &report.guards[..] else { panic!("{:?}", report.guards) };
    assert_eq!((met.guard, met.count, met.of), (Guard::FewCodes, 3, 7));
    assert_eq!(met.what, "3 of 7 known codes are in the folder; known are D, E, F, and there are X");
    // Four of seven are more than half.
    write(&other, "G", 2, &names("x", 1));
    assert!(update(&other).guards.is_empty());
}
