//! Panels of very many columns: what could be no panel is stopped, lists end, and nothing costs the square of their
//! number.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchIterator, RecordBatchReader, StringArray};
use transect::remedy::{Operation, Remedy, Setting};
use transect::source::SourceOptions;
use transect::{Append, Build, Error, Guard, Restore, Store, Update, Write};

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
         columns): 13500 of 13500 columns are in one file each"
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

/// A batch of one stock's row on a date, with these columns.
fn row(date: Option<&str>, names: &[String]) -> RecordBatch {
    let mut columns: Vec<(&str, ArrayRef)> = vec![("ts_code", Arc::new(StringArray::from(vec!["A"])))];
    columns.extend(date.map(|date| ("date", Arc::new(StringArray::from(vec![date])) as ArrayRef)));
    let values: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
    columns.extend(names.iter().map(|name| (name.as_str(), Arc::clone(&values))));
    batch(&columns)
}

fn rows(batch: RecordBatch) -> impl RecordBatchReader + Send {
    let schema = batch.schema();
    RecordBatchIterator::new([Ok(batch)], schema)
}

#[test]
fn of_5_000_columns_appends_frames_settings_and_restores_name_no_more_than_a_few() {
    let place = Place::new();
    let many = names("column_", 5_000);
    write(&place, "A", 1, &many);
    write(&place, "B", 2, &many);
    place.build();
    let store = place.store();
    let append = |rows: &RecordBatch| {
        let path = place.path("20240102.parquet");
        write_parquet(&path, rows);
        Append::new(&store, [path]).run().unwrap()
    };
    assert_eq!(append(&row(None, &many)).added, 1);
    let report = append(&row(None, &many[..1]));
    assert_eq!(
        report.skipped[0].reason.to_string(),
        "lacks the columns \"column_00001\", \"column_00002\", \"column_00003\", \"column_00004\", \"column_00005\" and \
         4994 more; write the file with them, null where there is no value"
    );
    let others = [many.clone(), names("other_", 5_000)].concat();
    let report = append(&row(None, &others));
    let told = report.skipped[0].reason.to_string();
    assert!(told.starts_with("has the columns \"other_00000\"") && told.len() < 400, "{told}");

    assert_eq!(Append::of_rows(&store, rows(row(Some("20240103"), &many))).run().unwrap().added, 1);
    let told = Append::of_rows(&store, rows(row(Some("20240103"), &others))).run().unwrap_err().to_string();
    assert!(told.contains("has the columns \"other_00000\"") && told.len() < 500, "{told}");
    let written = Write::new(place.path("frame"), rows(row(Some("20240103"), &others))).run().unwrap();
    assert_eq!((written.rows, written.columns), (1, 10_002));

    let set = |text: &str| Update::new(&store).set("source", text.parse().unwrap()).run();
    let told = set("exclude+=typo").unwrap_err().to_string();
    assert!(told.len() < 400, "{told}");
    let report = set(&format!("exclude+={}", many[1..].join(","))).unwrap();
    assert_eq!((report.lost_columns.len(), report.rows), (4_999, 5));
    let report = Restore::new(&store, 1).allow(Guard::ALL).run().unwrap();
    assert_eq!((report.new_columns.len(), report.removed), (4_999, 2));
    assert!(report.notes.iter().all(|note| note.len() < 400), "{:?}", report.notes);
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
        "the distinct texts of \"story\" (23 MiB) take more than a quarter of the memory (16 MiB); memory of 118 MiB \
         allows it, or exclude story leaves it out"
    );
    assert_eq!(build(128).run().unwrap().rows, 6000);
    // The way out names the column as the files do.
    let options = SourceOptions {
        renames: vec!["story=tale".parse().unwrap()],
        prefix: "p_".to_owned(),
        ..SourceOptions::default()
    };
    let told = build(64).options(options).force(true).run().unwrap_err().to_string();
    assert!(told.starts_with("the distinct texts of \"tale\" (23 MiB") && told.contains("or exclude story"), "{told}");

    // An update cannot leave out what the store has; what can is named.
    let update = || Update::new(place.store()).reread(true).memory(64 << 20).workers(1);
    let error = update().run().unwrap_err();
    let store = place.store().to_string_lossy().into_owned();
    let settings = [Setting::Source("source".to_owned()), Setting::Exclude(vec!["story".to_owned()])].into();
    let operation = Operation::SetSource { store, settings };
    let set = Remedy::Run { operation, effect: "leaves it out".to_owned() };
    assert_eq!(error.remedies()[1], set, "{error}");
    let report = update().set("source", "exclude+=story".parse().unwrap()).run().unwrap();
    assert_eq!((report.lost_columns, report.rows), (vec!["story".to_owned()], 6000));
    assert!(!update().run().unwrap().published);
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
