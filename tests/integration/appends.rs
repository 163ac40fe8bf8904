//! What transpose wrote must go back into a store as it came out; a date that is appended must be as if every stock's
//! own file had it, and stay. Random panels go both ways here, beside an update with the same rows.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, RecordBatchIterator, StringArray};
use proptest::prelude::*;
use transect::remedy::{Remedy, Setting};
use transect::sink::Format;
use transect::source::SourceOptions;
use transect::{AddSource, Append, Build, Guard, Limit, Shape, Store, Transpose, Update, UpdateReport};

use super::model::{Files, days};
use super::panels::{
    Place, assert_no_leftovers, assert_whole, batch, cases, named, paths_in, sections, small_panel, write_parquet,
};
use super::updates::rows_of;

fn append(place: &Place, files: &[PathBuf]) -> UpdateReport {
    Append::new(place.store(), files).workers(1).run().unwrap()
}

/// The files of an output, by name; not the ledger.
fn outputs(out: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in paths_in(out) {
        if path.file_name().unwrap().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() { found.extend(outputs(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn what_transpose_wrote_append_takes_back(
        days in days(),
        arrow in any::<bool>(),
        dated in any::<bool>(),
        in_dirs in any::<bool>(),
        lost in any::<u8>(),
    ) {
        // The whole panel, and one from which some dates are missing.
        let whole = Place::new();
        days[0].write(&whole);
        whole.build();
        let format = if arrow { Format::Arrow } else { Format::Parquet };
        let name = in_dirs.then(|| "day={date}/data.x".parse().unwrap());
        let shape = Shape { format, name, date: Some(dated), ..Shape::default() };
        let store = Store::open(whole.store()).unwrap();
        Transpose::new(&store, whole.path("out")).shape(shape).run().unwrap();
        let files = outputs(&whole.path("out"));
        prop_assert_eq!(files.len(), store.dates().unwrap().len());

        // Every file goes back into the store it came from, and nothing happens.
        let report = append(&whole, &files);
        prop_assert_eq!(&report.skipped, &[]);
        prop_assert!(!report.published, "{report:?}");

        // Into a store without some of the dates: it becomes the whole one.
        let mut part = Files { types: days[0].types.clone(), files: days[0].files.clone() };
        part.lose_dates(lost);
        if part.rows().is_empty() {
            return Ok(());
        }
        let place = Place::new();
        part.write(&place);
        place.build();
        let updated = place.path("updated.store");
        Build::new(place.source(), &updated).run().unwrap();
        let before = Store::open(place.store()).unwrap().row_count();
        let report = append(&place, &files);
        prop_assert_eq!(&report.skipped, &[]);
        prop_assert_eq!((report.added, report.restated, report.removed), (store.row_count() - before, 0, 0));
        let appended = Store::open(place.store()).unwrap();
        assert_whole(&appended);
        prop_assert_eq!(rows_of(&appended), rows_of(&store));
        assert_no_leftovers(&place.store());
        // As an update with the same rows does.
        days[0].write(&place);
        let report = Update::new(&updated).allow(Guard::ALL).run().unwrap();
        prop_assert_eq!(report.added, store.row_count() - before);
        let updated = Store::open(&updated).unwrap();
        if dated {
            prop_assert_eq!(sections(&updated), sections(&appended));
        }
        prop_assert_eq!(rows_of(&updated), rows_of(&appended));
    }
}

/// A file of these stocks for one date.
fn section(codes: &[&str], sizes: &[f64]) -> RecordBatch {
    let codes: ArrayRef = Arc::new(StringArray::from(codes.to_vec()));
    batch(&[("ts_code", codes), ("size", Arc::new(Float64Array::from(sizes.to_vec())))])
}

/// A store of two stocks on two dates, with one column.
fn two_by_two() -> Place {
    let place = Place::new();
    for (code, size) in [("A", 1.0), ("B", 2.0)] {
        let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102", "20240103"]));
        place.add(code, &batch(&[("date", dates), ("size", Arc::new(Float64Array::from(vec![size, size + 10.0])))]));
    }
    place.build();
    place
}

/// The codes and sizes of a date.
fn sizes(place: &Place, date: &str) -> Vec<(String, f64)> {
    let store = Store::open(place.store()).unwrap();
    assert_whole(&store);
    let section = store.section(date.parse().unwrap()).unwrap();
    let size = section.column("size").unwrap().values::<Float64Type>().unwrap().to_vec();
    section.codes().unwrap().into_iter().map(str::to_owned).zip(size).collect()
}

fn pairs(rows: &[(&str, f64)]) -> Vec<(String, f64)> {
    rows.iter().map(|&(code, size)| (code.to_owned(), size)).collect()
}

#[test]
fn an_append_adds_and_restates_and_takes_nothing_away() {
    let place = two_by_two();
    let path = place.path("20240103.parquet");
    write_parquet(&path, &section(&["C", "A"], &[3.0, 1.5]));
    let report = append(&place, &[path]);
    assert_eq!((report.added, report.restated, report.removed, report.dirty_dates), (1, 1, 0, 1));
    assert_eq!(sizes(&place, "20240103"), pairs(&[("A", 1.5), ("B", 12.0), ("C", 3.0)]));
}

#[test]
fn a_date_is_replaced_whole_when_that_is_asked_for() {
    let place = two_by_two();
    let path = place.path("20240103.parquet");
    write_parquet(&path, &section(&["C", "A"], &[3.0, 1.5]));
    let report = Append::new(place.store(), [path]).replace(true).workers(1).run().unwrap();
    assert_eq!((report.added, report.restated, report.removed, report.dirty_dates), (1, 1, 1, 1));
    assert_eq!(sizes(&place, "20240103"), pairs(&[("A", 1.5), ("C", 3.0)]));
    let store = Store::open(place.store()).unwrap();
    assert_eq!(store.section_at(0).unwrap().changed(), 1);
    assert_eq!(store.history().unwrap()[1].command, "append");
    // The source's files are remembered: an update sees that they have not changed.
    let report = Update::new(place.store()).run().unwrap();
    assert_eq!((report.published, report.unchanged_files), (false, 2));
}

/// Writes a stock's file with these rows.
fn stock(place: &Place, code: &str, rows: &[(&str, f64)], note: &str) {
    let dates: ArrayRef = Arc::new(rows.iter().map(|(date, _)| Some(*date)).collect::<StringArray>());
    let size: ArrayRef = Arc::new(rows.iter().map(|&(_, size)| size).collect::<Float64Array>());
    place.add(code, &noted(batch(&[("date", dates), ("size", size)]), note));
}

/// The same rows in a file of other bytes.
pub(super) fn noted(batch: RecordBatch, note: &str) -> RecordBatch {
    let metadata = HashMap::from([("note".to_owned(), note.to_owned())]);
    let schema = batch.schema().as_ref().clone().with_metadata(metadata);
    batch.with_schema(Arc::new(schema)).unwrap()
}

fn append_date(place: &Place, date: &str, codes: &[&str], sizes: &[f64]) -> UpdateReport {
    let path = place.path(&format!("{date}.parquet"));
    write_parquet(&path, &section(codes, sizes));
    append(place, &[path])
}

#[test]
fn a_row_that_append_brought_stays_until_its_stocks_file_changes_and_has_it() {
    let place = two_by_two();
    append_date(&place, "20240104", &["A", "B"], &[1.0, 2.0]);
    // A changes without the date, and B with it.
    stock(&place, "A", &[("20240102", 1.5)], "");
    stock(&place, "B", &[("20240102", 2.0), ("20240103", 12.0), ("20240104", 2.5)], "");
    let report = Update::new(place.store()).run().unwrap();
    assert_eq!((report.restated, report.removed, report.kept), (2, 1, 1));
    assert_eq!(report.kept_examples, ["20240104 A"]);
    assert_eq!(sizes(&place, "20240104"), pairs(&[("A", 1.0), ("B", 2.5)]));
    assert_eq!(sizes(&place, "20240103"), pairs(&[("B", 12.0)]));
    // B's row is its file's now, and goes with it; A's still is not.
    stock(&place, "A", &[("20240102", 1.0)], "");
    stock(&place, "B", &[("20240102", 2.0), ("20240103", 12.0)], "");
    let update = || Update::new(place.store());
    let report = update().run().unwrap();
    assert_eq!((report.removed, report.kept, report.published), (1, 1, false));
    let met = &report.guards[0];
    assert_eq!(
        (met.guard, met.allowed, met.examples.as_slice()),
        (Guard::AppendedRows, false, &["20240104 B".to_owned()][..])
    );
    let report = update().allow([Guard::AppendedRows]).run().unwrap();
    assert_eq!((report.removed, report.kept, report.published), (1, 1, true));
    assert_eq!(sizes(&place, "20240104"), pairs(&[("A", 1.0)]));
}

#[test]
fn what_append_brought_stays_when_the_rows_of_its_stocks_file_go() {
    let place = two_by_two();
    append_date(&place, "20240103", &["A"], &[1.5]);
    append_date(&place, "20240104", &["A"], &[1.0]);
    fs::remove_file(place.source().join("A.parquet")).unwrap();
    let report = Update::new(place.store()).prune(true).run().unwrap();
    assert_eq!((report.removed, report.restated, report.kept, report.published), (1, 0, 2, true), "{report:?}");
    assert_eq!(sizes(&place, "20240103"), pairs(&[("A", 1.5), ("B", 12.0)]));
    assert_eq!(sizes(&place, "20240104"), pairs(&[("A", 1.0)]));
    assert!(!Update::new(place.store()).prune(true).run().unwrap().published);
    // Rows of a file that go from a date on which others were appended are guarded, and these stay.
    append_date(&place, "20240102", &["A"], &[7.0]);
    stock(&place, "C", &[("20240105", 3.0)], "");
    fs::remove_file(place.source().join("B.parquet")).unwrap();
    let update = || Update::new(place.store()).prune(true);
    let report = update().run().unwrap();
    let words: Vec<(Guard, &str)> = report.guards.iter().map(|met| (met.guard, met.what.as_str())).collect();
    let what = "2 rows would be removed from dates on which rows were appended since";
    assert_eq!(words, [(Guard::AppendedRows, what)]);
    assert_eq!(report.guards[0].examples, ["20240102 B", "20240103 B"]);
    let report = update().allow([Guard::AppendedRows]).run().unwrap();
    assert_eq!((report.removed, report.published), (2, true));
    for (date, size) in [("20240102", 7.0), ("20240103", 1.5), ("20240104", 1.0)] {
        assert_eq!(sizes(&place, date), pairs(&[("A", size)]));
    }
}

#[test]
fn a_value_that_append_restated_stays_while_the_file_is_only_touched_and_goes_when_it_changes() {
    let place = two_by_two();
    append_date(&place, "20240103", &["A"], &[1.5]);
    let path = place.source().join("A.parquet");
    fs::write(&path, fs::read(&path).unwrap()).unwrap();
    let report = Update::new(place.store()).run().unwrap();
    assert_eq!((report.touched_files, report.published), (1, false));
    stock(&place, "A", &[("20240102", 7.0), ("20240103", 11.0)], "");
    let report = Update::new(place.store()).run().unwrap();
    assert_eq!((report.restated, report.published), (2, true));
    assert_eq!(sizes(&place, "20240103"), pairs(&[("A", 11.0), ("B", 12.0)]));
}

/// A version that would remember the file's new time and bytes is not published where no row differs. What was appended
/// since must not be taken for older than they are.
#[test]
fn a_file_that_was_written_anew_before_an_append_has_not_changed_since() {
    let place = two_by_two();
    stock(&place, "A", &[("20240102", 1.0), ("20240103", 11.0)], "again");
    stock(&place, "B", &[("20240102", 2.0), ("20240103", 12.0)], "again");
    assert!(!Update::new(place.store()).run().unwrap().published);
    append_date(&place, "20240104", &["A"], &[1.0]);
    append_date(&place, "20240103", &["A"], &[1.5]);
    let path = place.path("20240102.parquet");
    write_parquet(&path, &section(&["A"], &[1.0]));
    Append::new(place.store(), [path]).replace(true).run().unwrap();
    let expected = |size| {
        assert_eq!(sizes(&place, "20240102"), pairs(&[("A", 1.0)]));
        assert_eq!(sizes(&place, "20240103"), pairs(&[("A", size), ("B", 12.0)]));
        assert_eq!(sizes(&place, "20240104"), pairs(&[("A", 1.0)]));
    };
    let report = Update::new(place.store()).run().unwrap();
    assert_eq!((report.read_files, report.published), (2, false));
    expected(1.5);
    // Touched, with nothing else.
    let path = place.source().join("A.parquet");
    fs::write(&path, fs::read(&path).unwrap()).unwrap();
    assert!(!Update::new(place.store()).run().unwrap().published);
    expected(1.5);
    // It changes after the append.
    stock(&place, "A", &[("20240102", 1.0), ("20240103", 11.0)], "once more");
    assert!(Update::new(place.store()).run().unwrap().published);
    expected(11.0);
}

/// The file had the row once, so it is no longer one that an append alone brought.
#[test]
fn a_row_goes_with_its_file_once_the_file_had_just_what_was_appended() {
    let place = two_by_two();
    append_date(&place, "20240104", &["A"], &[3.0]);
    stock(&place, "A", &[("20240102", 1.0), ("20240103", 11.0), ("20240104", 3.0)], "");
    let report = Update::new(place.store()).run().unwrap();
    assert_eq!((report.added + report.restated + report.removed, report.dirty_dates), (0, 0));
    stock(&place, "A", &[("20240102", 1.0), ("20240103", 11.0)], "once more");
    let report = Update::new(place.store()).allow([Guard::PrunedRows]).run().unwrap();
    assert_eq!((report.removed, report.kept), (1, 0));
}

/// The row that was appended last is the newest, whatever the file became before.
#[test]
fn a_file_that_changed_between_two_appends_is_newer_than_the_first_only() {
    let place = two_by_two();
    append_date(&place, "20240103", &["A"], &[1.5]);
    stock(&place, "A", &[("20240102", 1.0), ("20240103", 7.0), ("20240104", 7.0)], "");
    append_date(&place, "20240104", &["A"], &[1.0]);
    let report = Update::new(place.store()).run().unwrap();
    assert_eq!((report.restated, report.added), (1, 0));
    assert_eq!(sizes(&place, "20240103"), pairs(&[("A", 7.0), ("B", 12.0)]));
    assert_eq!(sizes(&place, "20240104"), pairs(&[("A", 1.0)]));
    // The update remembers the file: it has not changed since.
    assert!(!Update::new(place.store()).check_content(true).run().unwrap().published);
    assert_eq!(sizes(&place, "20240104"), pairs(&[("A", 1.0)]));
}

#[test]
fn a_file_that_does_not_fit_is_skipped_by_name_and_the_others_go_in() {
    let place = two_by_two();
    let before = sections(&Store::open(place.store()).unwrap());
    let text = |values: &[&str]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let one: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let cases = [
        ("20240105.parquet", batch(&[("size", one.clone())]), "has no column \"ts_code\""),
        ("20240105.parquet", batch(&[("ts_code", text(&["A"]))]), "lacks the column \"size\""),
        ("data.parquet", section(&["A"], &[1.0]), "no date in its name"),
        ("20240105.parquet", section(&["A", "A"], &[1.0, 2.0]), "two rows for \"A\""),
        ("20240105.parquet", section(&[], &[]), "no rows"),
        ("20240105.parquet", section(&[""], &[1.0]), "no code"),
        (
            "20240105.parquet",
            batch(&[("ts_code", text(&["A"])), ("size", one.clone()), ("beta", one.clone())]),
            "\"beta\", which the store does not have",
        ),
        ("20240105.parquet", batch(&[("ts_code", text(&["A"])), ("size", text(&["x"]))]), "Utf8, Float64 in the store"),
        (
            "20240105.parquet",
            batch(&[("ts_code", text(&["A"])), ("size", Arc::new(Int64Array::from(vec![(1 << 53) + 1])))]),
            "Int64, Float64 in the store",
        ),
        (
            "20240105.parquet",
            batch(&[("ts_code", text(&["A"])), ("date", text(&["20240106"])), ("size", one.clone())]),
            "its rows are of 20240106, its name says 20240105",
        ),
        (
            "any.parquet",
            batch(&[
                ("ts_code", text(&["A", "B"])),
                ("date", text(&["20240105", "20240106"])),
                ("size", Arc::new(Float64Array::from(vec![1.0, 2.0]))),
            ]),
            "several dates",
        ),
    ];
    for (name, batch, reason) in cases {
        let path = place.path(name);
        write_parquet(&path, &batch);
        let report = append(&place, &[path]);
        assert_eq!(report.skipped.len(), 1, "{reason}");
        assert!(report.skipped[0].reason.to_string().contains(reason), "{}", report.skipped[0].reason);
        assert!(!report.published);
    }
    assert_eq!(sections(&Store::open(place.store()).unwrap()), before);

    let (bad, good, twice) = (place.path("nothing"), place.path("20240105.parquet"), place.path("20240105-b.parquet"));
    write_parquet(&good, &section(&["A"], &[1.0]));
    fs::create_dir(place.path("d=20240105")).unwrap();
    fs::copy(&good, place.path("d=20240105/x.parquet")).unwrap();
    let report = append(&place, &[bad, good, place.path("d=20240105/x.parquet"), twice]);
    assert_eq!((report.added, report.skipped.len(), report.published), (1, 3, true));
    assert!(report.skipped[1].reason.to_string().contains("second file of 20240105"), "{}", report.skipped[1].reason);
}

#[test]
fn a_file_of_another_source_is_told_which() {
    let place = two_by_two();
    let factor = place.path("mom");
    fs::create_dir(&factor).unwrap();
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102"]));
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    write_parquet(&factor.join("A.parquet"), &batch(&[("trade_date", dates), ("mom", values)]));
    AddSource::new(place.store(), [&factor]).allow(Guard::ALL).workers(1).run().unwrap();
    let store = Store::open(place.store()).unwrap();
    let prices = store.source_names().unwrap()[0];
    let path = place.path("20240105.parquet");
    write_parquet(&path, &section(&["A"], &[1.0]));
    let append = |source: &str| Append::new(place.store(), [&path]).source_name(source).workers(1).run().unwrap();
    let told = append("mom").skipped.remove(0).reason;
    assert_eq!(told.what(), format!("has the column \"size\", which is one of the source {prices:?}"));
    let [Remedy::Set { settings, .. }] = told.remedies() else { panic!("{told}") };
    assert_eq!(settings[..], [Setting::Source(prices.to_owned())]);
    assert_eq!(append(prices).added, 1);
}

#[test]
fn a_source_of_renamed_columns_takes_them_by_the_names_of_files_and_of_outputs() {
    let place = two_by_two();
    let factor = place.path("v");
    fs::create_dir(&factor).unwrap();
    let of = |date: &str, columns: &[(&str, f64)]| {
        let dates: ArrayRef = Arc::new(StringArray::from(vec![date]));
        let mut all = vec![("trade_date", dates), ("ts_code", Arc::new(StringArray::from(vec!["A"])) as ArrayRef)];
        all.extend(columns.iter().map(|&(name, value)| (name, Arc::new(Float64Array::from(vec![value])) as ArrayRef)));
        batch(&all)
    };
    write_parquet(&factor.join("A.parquet"), &of("20240102", &[("size", 1.0), ("mom", 2.0)]));
    let options = SourceOptions {
        prefix: "v_".to_owned(),
        renames: vec!["mom=momentum".parse().unwrap()],
        code_column: Some("ts_code".to_owned()),
        ..SourceOptions::default()
    };
    AddSource::new(place.store(), [&factor]).options(options).allow(Guard::ALL).workers(1).run().unwrap();
    let append = |day: &str, columns: &[(&str, f64)], exclude: &[String]| {
        let path = place.path(&format!("{day}.parquet"));
        write_parquet(&path, &of(day, columns));
        Append::new(place.store(), [&path]).source_name("v").exclude(exclude.to_vec()).workers(1).run().unwrap()
    };
    let value = |day: &str, name: &str| {
        let store = Store::open(place.store()).unwrap();
        let section = store.section(day.parse().unwrap()).unwrap();
        section.column(name).unwrap().logical().unwrap().as_primitive::<Float64Type>().value(0)
    };
    assert_eq!(append("20240105", &[("size", 3.0), ("mom", 4.0)], &[]).added, 1);
    assert_eq!(append("20240106", &[("v_size", 5.0), ("momentum", 6.0)], &[]).added, 1);
    assert_eq!(["v_size", "momentum"].map(|name| value("20240105", name)), [3.0, 4.0]);
    assert_eq!(["v_size", "momentum"].map(|name| value("20240106", name)), [5.0, 6.0]);
    // A whole output has the columns of both: what is told leaves out those of the other.
    let whole = [("size", 7.0), ("v_size", 8.0), ("momentum", 9.0)];
    let told = append("20240107", &whole, &[]).skipped.remove(0).reason;
    let [Remedy::Set { settings, .. }] = told.remedies() else { panic!("{told}") };
    let [Setting::Exclude(names)] = &settings[..] else { panic!("{told}") };
    assert!(told.what().starts_with("has the column \"size\", which is one of the source"), "{told}");
    assert_eq!(append("20240107", &whole, names).added, 1);
    assert_eq!(["v_size", "momentum"].map(|name| value("20240107", name)), [8.0, 9.0]);
    // Without its own columns, those of the other would be taken for them.
    let both = [("size", 7.0), ("mom", 6.0), ("v_size", 8.0), ("momentum", 9.0)];
    let own = ["v_size", "momentum"].map(str::to_owned);
    let told = append("20240108", &both, &own).skipped.remove(0).reason;
    let what = "has the columns \"size\" and \"v_size\", and the first, which is a column of another source, would be taken \
                for the second";
    assert_eq!(told.what(), what);
    let [Remedy::Set { settings, .. }] = told.remedies() else { panic!("{told}") };
    let [Setting::Exclude(names)] = &settings[..] else { panic!("{told}") };
    assert_eq!(names[..], ["size", "mom"]);
    let rows = of("20240108", &both[..3]);
    let rows = RecordBatchIterator::new([Ok(rows.clone())], rows.schema());
    let frame = Append::of_rows(place.store(), rows).source_name("v").exclude(["v_size"]).workers(1).run();
    assert!(frame.unwrap_err().to_string().starts_with(what));
    assert_eq!(append("20240108", &both, names).added, 1);
    assert_eq!(["v_size", "momentum"].map(|name| value("20240108", name)), [8.0, 9.0]);
}

#[test]
fn the_memory_that_a_file_is_told_is_enough() {
    let place = Place::new();
    let row = |codes: usize, texts: usize| {
        let codes: ArrayRef = Arc::new(StringArray::from_iter_values((0..codes).map(|n| format!("{n:06}"))));
        let text = |n| format!("{n:06}{}", "x".repeat(texts));
        let values: ArrayRef = Arc::new(StringArray::from_iter_values((0..codes.len()).map(text)));
        batch(&[("ts_code", codes), ("note", values)])
    };
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102"]));
    let note: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    write_parquet(&place.source().join("000000.parquet"), &batch(&[("trade_date", dates), ("note", note)]));
    place.build();
    for (codes, texts) in [(20_000, 1_000), (200_000, 90), (1_000_000, 1)] {
        let path = place.path("20240103.parquet");
        write_parquet(&path, &row(codes, texts));
        let run =
            |memory: u64| Append::new(place.store(), [&path]).memory(memory).dry_run(true).workers(1).run().unwrap();
        let told = run(64 << 20).skipped.remove(0).reason;
        let [Remedy::Set { settings, .. }] = told.remedies() else { panic!("{told}") };
        let [Setting::Memory(enough)] = settings[..] else { panic!("{told}") };
        assert_eq!(run(enough).added, codes as u64, "{told}");
    }
}

/// A stock is what has a row, and has its number by its code, whichever file was read first.
#[test]
fn codes_of_a_refused_file_are_no_stocks_and_numbers_do_not_depend_on_workers() {
    let paths: Vec<(String, Vec<String>)> = (1..=28)
        .rev()
        .map(|day| {
            (format!("202402{day:02}.parquet"), vec![format!("N{:02}", 40 - day), format!("Z{:02}", day * 7 % 29)])
        })
        .collect();
    let segments = [1, 4].map(|workers| {
        let place = two_by_two();
        let mut files: Vec<PathBuf> = paths
            .iter()
            .map(|(name, codes)| {
                let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
                write_parquet(&place.path(name), &section(&codes, &[1.0, 2.0]));
                place.path(name)
            })
            .collect();
        fs::create_dir(place.path("d=20240214")).unwrap();
        files.push(place.path("d=20240214/x.parquet"));
        write_parquet(files.last().unwrap(), &section(&["ghost"], &[1.0]));
        let report = Append::new(place.store(), files).workers(workers).run().unwrap();
        assert_eq!((report.skipped.len(), report.added), (1, 56));
        let store = Store::open(place.store()).unwrap();
        assert!(!store.stocks().unwrap().contains(&"ghost"));
        let numbers: Vec<u32> = store.stocks().unwrap().iter().map(|code| store.stock(code).unwrap().0).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        fs::read(named(&place.store(), "segment/2-0000.arrow")).unwrap()
    });
    assert!(segments[0] == segments[1]);
}

#[test]
fn an_append_keeps_to_the_limit_on_restatements() {
    let place = two_by_two();
    let path = place.path("20240103.parquet");
    write_parquet(&path, &section(&["A", "B"], &[11.0, 99.0]));
    let limited = || Append::new(place.store(), [&path]).max_restated(Limit::Count(0)).run().unwrap();
    let report = limited();
    assert_eq!((report.restated, report.published, report.refused.is_some()), (1, false, true));
    assert_eq!(Store::open(place.store()).unwrap().version(), 1);
    // The same date as it is, and a new one.
    write_parquet(&path, &section(&["A", "B"], &[11.0, 12.0]));
    assert!(!limited().published);
    small_panel(&place, 0);
    let new = place.path("20240104.parquet");
    write_parquet(&new, &section(&["A", "B"], &[11.0, 12.0]));
    let report = Append::new(place.store(), [&path, &new]).max_restated(Limit::Count(0)).run().unwrap();
    assert_eq!((report.added, report.restated, report.published), (2, 0, true));
}
