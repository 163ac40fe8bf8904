//! A source whose rows have another kind of key than the store's, as daily rows beside bars, must be refused before
//! anything is published; one that spells the key as the store does joins it. Where the key has the date column of the
//! files, both look alike: a store that took the one for the other could not be read again.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchIterator, RecordBatchReader, StringArray};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use transect::source::SourceOptions;
use transect::{AddSource, Append, Assignment, Build, Guard, Join, Store, TaskSplit, Update, UpdateReport};

use super::panels::{Place, assert_whole, batch, verify, write_parquet};

const INSTANT: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);
const BARS: [&str; 2] = ["2024-01-02 09:30:00", "2024-01-02 09:35:00"];
const OTHER_BARS: [&str; 2] = ["2024-01-02 09:30:00", "2024-01-02 09:40:00"];
const DAYS: [&str; 2] = ["2024-01-02", "2024-01-03"];

fn texts(texts: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(texts.to_vec()))
}

fn as_type(column: &[&str], to: &DataType) -> ArrayRef {
    cast(&texts(column), to).unwrap()
}

fn numbers(numbers: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(numbers.to_vec()))
}

/// The ways in which dates without a time of day are written.
fn days() -> [ArrayRef; 5] {
    [
        texts(&DAYS),
        texts(&["20240102", "20240103"]),
        texts(&["2024-01-02 00:00:00", "2024-01-03 00:00:00"]),
        as_type(&DAYS, &DataType::Date32),
        as_type(&DAYS, &INSTANT),
    ]
}

fn key(names: &[&str]) -> SourceOptions {
    SourceOptions { key: names.iter().map(|name| (*name).to_owned()).collect(), ..SourceOptions::default() }
}

/// A store of bars of A, whose key has the date column of the files.
fn bars(place: &Place, kind: &DataType) {
    place.add("A", &batch(&[("date", as_type(&BARS, kind)), ("close", numbers(&[1, 2]))]));
    Build::new(place.source(), place.store()).options(key(&["date"])).workers(1).run().unwrap();
}

/// A folder with a file of these columns.
fn folder(place: &Place, name: &str, file: &str, columns: &[(&str, ArrayRef)]) {
    fs::create_dir_all(place.path(name)).unwrap();
    write_parquet(&place.path(name).join(file), &batch(columns));
}

fn add(place: &Place, name: &str) -> AddSource<'static> {
    AddSource::new(place.store(), [place.path(name)]).workers(1).allow(Guard::ALL)
}

fn frame(columns: &[(&str, ArrayRef)]) -> impl RecordBatchReader + Send + 'static {
    let rows = batch(columns);
    let schema = rows.schema();
    RecordBatchIterator::new([Ok(rows)], schema)
}

/// The rows of A as a text, without its code.
fn rows(store: &Path) -> Vec<String> {
    let series: RecordBatch = Store::open(store).unwrap().series("A").unwrap();
    let columns: Vec<ArrayRef> =
        series.columns()[1..].iter().map(|column| cast(column, &DataType::Utf8).unwrap()).collect();
    let cell = |column: &ArrayRef, row| {
        let column = arrow_array::cast::AsArray::as_string::<i32>(column);
        if arrow_array::Array::is_null(column, row) { "-".to_owned() } else { column.value(row).to_owned() }
    };
    (0..series.num_rows())
        .map(|row| columns.iter().map(|column| cell(column, row)).collect::<Vec<_>>().join(" "))
        .collect()
}

/// Nothing was published, and all can be read.
fn assert_untouched(place: &Place) {
    let store = Store::open(place.store()).unwrap();
    assert_eq!((store.version(), store.source_names().unwrap().len()), (1, 1));
    assert_whole(&store);
}

#[test]
fn days_are_refused_beside_a_key_that_has_the_times_of_the_same_column() {
    let told = "the dates in \"date\" say no time of day, and \"date\" in the key of the store does; key date=NAME says \
                which column has the times, or make a store of its own of rows with another key";
    for kind in [DataType::Utf8, INSTANT] {
        for dates in days() {
            let place = Place::new();
            bars(&place, &kind);
            let columns = [("date", dates.clone()), ("pe", numbers(&[7, 8]))];
            folder(&place, "daily", "A.parquet", &columns);
            for join in [Join::Outer, Join::Left] {
                let why = add(&place, "daily").join(join).run().unwrap_err().to_string();
                assert_eq!(why, told, "{} in {kind}", dates.data_type());
            }
            let split = TaskSplit { staging: place.path("staging"), parts: 1, bands: 1 };
            assert_eq!(add(&place, "daily").plan_tasks(&split).unwrap_err().to_string(), told);
            let with_code = [("ts_code", texts(&["A", "A"])), ("date", dates.clone()), ("pe", numbers(&[7, 8]))];
            let of_rows = AddSource::of_rows(place.store(), "daily", frame(&with_code));
            assert_eq!(of_rows.run().unwrap_err().to_string(), told);
            folder(&place, "dates", "20240102.parquet", &with_code.map(|(name, column)| (name, column.slice(0, 1))));
            let by_date = add(&place, "dates").options(SourceOptions::by_date()).run();
            assert_eq!(by_date.unwrap_err().to_string(), told);
            assert_untouched(&place);
        }
    }
}

#[test]
fn files_whose_names_alone_say_the_date_lack_the_key() {
    let place = Place::new();
    bars(&place, &DataType::Utf8);
    folder(&place, "dates", "20240102.parquet", &[("code", texts(&["A"])), ("pe", numbers(&[7]))]);
    let why = add(&place, "dates").options(SourceOptions::by_date()).run().unwrap_err().to_string();
    assert!(why.contains("lacks the key column \"date\""), "{why}");
    // Nor is the column of the codes one of the key beside.
    folder(&place, "codes", "20240102.parquet", &[("date", texts(&["A"])), ("pe", numbers(&[7]))]);
    let options = SourceOptions { code_column: Some("date".to_owned()), ..SourceOptions::by_date() };
    let why = add(&place, "codes").options(options).run().unwrap_err().to_string();
    assert!(why.starts_with("two columns would be named \"date\", one of them the code"), "{why}");
    assert_untouched(&place);
}

#[test]
fn bars_in_the_same_column_join_on_it_and_stay_so() {
    for kind in [DataType::Utf8, INSTANT] {
        let place = Place::new();
        bars(&place, &kind);
        let other = [("date", as_type(&OTHER_BARS, &kind)), ("pe", numbers(&[7, 8]))];
        folder(&place, "other", "A.parquet", &other);
        let report = add(&place, "other").run().unwrap();
        assert_eq!((report.added, report.filled), (1, 1));
        let t = if kind == DataType::Utf8 { " " } else { "T" };
        let joined = [("09:30", "1 7"), ("09:35", "2 -"), ("09:40", "- 8")];
        let joined: Vec<String> =
            joined.map(|(time, values)| format!("2024-01-02 2024-01-02{t}{time}:00 {values}")).to_vec();
        assert_eq!(rows(&place.store()), joined);
        verify(&Store::open(place.store()).unwrap());
        assert!(!Update::new(place.store()).workers(1).run().unwrap().published);

        // So do rows of a frame, and further rows of the shape of an output.
        let with_code = [("ts_code", texts(&["A", "A"])), ("date", other[0].1.clone()), ("pb", numbers(&[5, 6]))];
        AddSource::of_rows(place.store(), "frame", frame(&with_code)).run().unwrap();
        let more = as_type(&["2024-01-03 09:30:00"], &kind);
        for (source, column, value) in [("other", "pe", 9), ("frame", "pb", 3)] {
            let columns = [("ts_code", texts(&["A"])), ("date", more.clone()), (column, numbers(&[value]))];
            let with_date = [("trade_date", texts(&["20240103"]))].into_iter().chain(columns).collect::<Vec<_>>();
            let path = place.path("more.parquet");
            write_parquet(&path, &batch(&with_date));
            let report = Append::new(place.store(), [&path]).source_name(source).run().unwrap();
            assert!(report.published && report.skipped.is_empty(), "{report:?}");
        }
        let last = format!("2024-01-03 2024-01-03{t}09:30:00 - 9 3");
        assert_eq!(rows(&place.store()).last(), Some(&last));
        assert_whole(&Store::open(place.store()).unwrap());
    }
}

#[test]
fn a_column_of_times_of_another_name_is_told() {
    for kind in [DataType::Utf8, INSTANT] {
        let place = Place::new();
        bars(&place, &kind);
        folder(&place, "other", "A.parquet", &[("datetime", as_type(&OTHER_BARS, &kind)), ("pe", numbers(&[7, 8]))]);
        let why = add(&place, "other").run().unwrap_err().to_string();
        assert!(why.ends_with("has a time of day; key date=datetime keeps it in the key"), "{why}");
        assert_untouched(&place);
    }
}

#[test]
fn the_column_that_has_the_times_may_be_any() {
    let files: [(&str, Vec<(&str, ArrayRef)>); 4] = [
        ("datetime", vec![("datetime", texts(&OTHER_BARS))]),
        ("bar_time", vec![("date", texts(&["2024-01-02", "2024-01-02"])), ("bar_time", texts(&OTHER_BARS))]),
        ("bar_time", vec![("trade_date", texts(&["2024-01-02", "2024-01-02"])), ("bar_time", texts(&OTHER_BARS))]),
        ("Datetime", vec![("Datetime", texts(&OTHER_BARS)), ("day", texts(&DAYS))]),
    ];
    for (name, mut columns) in files {
        let place = Place::new();
        bars(&place, &DataType::Utf8);
        columns.push(("pe", numbers(&[7, 8])));
        folder(&place, "other", "A.parquet", &columns);
        let named = SourceOptions { exclude: vec!["day".to_owned()], ..key(&[&format!("date={name}")]) };
        let named = if name == "Datetime" { named } else { SourceOptions { exclude: Vec::new(), ..named } };
        let report = add(&place, "other").options(named).run().unwrap();
        assert_eq!((report.added, report.filled), (1, 1), "{columns:?}");
        let first = "2024-01-02 2024-01-02 09:30:00 1 7";
        assert_eq!(rows(&place.store())[0], first);
        // The file is read again as it was read first.
        *columns.last_mut().unwrap() = ("pe", numbers(&[9, 8]));
        folder(&place, "other", "A.parquet", &columns);
        let report = Update::new(place.store()).workers(1).run().unwrap();
        assert_eq!((report.restated, report.skipped.len()), (1, 0), "{columns:?}");
        assert_whole(&Store::open(place.store()).unwrap());
    }
}

/// A later file is read as its source is: its dates are a part of the key like any other, if they are of its type.
#[test]
fn a_file_that_becomes_daily_later_has_its_dates_as_the_key_or_is_left_out() {
    for kind in [DataType::Utf8, INSTANT] {
        for dates in days() {
            let place = Place::new();
            bars(&place, &kind);
            place.add("A", &batch(&[("date", dates.clone()), ("close", numbers(&[7, 8]))]));
            let report: UpdateReport = Update::new(place.store()).workers(1).allow(Guard::ALL).run().unwrap();
            let store = Store::open(place.store()).unwrap();
            assert_whole(&store);
            match report.skipped.is_empty() {
                true => assert_eq!((report.added, report.removed, store.row_count()), (2, 2, 2)),
                false => assert_eq!(rows(&place.store())[0], {
                    let t = if kind == DataType::Utf8 { " " } else { "T" };
                    format!("2024-01-02 2024-01-02{t}09:30:00 1")
                }),
            }
            let is_read = *dates.data_type() == kind || (*dates.data_type() == DataType::Date32 && kind == INSTANT);
            assert_eq!(report.skipped.is_empty(), is_read, "{} in {kind}", dates.data_type());
        }
    }
}

/// Rows of two nights and of a day, and what they are in a store: Friday's night is Monday's.
fn futures(place: &Place, name: &str, value: &str, salt: i64) {
    let days = ["2024-01-04", "2024-01-05", "2024-01-05", "2024-01-08"];
    let times = ["09:00:00", "09:00:00", "21:00:00", "09:00:00"];
    let values = [1, 2, 3, 4].map(|n| n * salt);
    folder(place, name, "A.parquet", &[("date", texts(&days)), ("time", texts(&times)), (value, numbers(&values))]);
}

fn rolled(place: &Place) {
    futures(place, "fut", "x", 1);
    let options = SourceOptions { roll: Some("20:30".parse().unwrap()), ..key(&["date", "time"]) };
    Build::new(place.path("fut"), place.store()).options(options).workers(1).run().unwrap();
}

const ROLLED: [&str; 4] = [
    "2024-01-04 2024-01-04 09:00:00 1 10",
    "2024-01-05 2024-01-05 09:00:00 2 20",
    "2024-01-08 2024-01-05 21:00:00 3 30",
    "2024-01-08 2024-01-08 09:00:00 4 40",
];

#[test]
fn a_source_beside_rows_of_trading_dates_has_its_rows_on_those() {
    for by_tasks in [false, true] {
        let place = Place::new();
        rolled(&place);
        futures(&place, "oi", "oi", 10);
        let report = match by_tasks {
            false => add(&place, "oi").run().unwrap(),
            true => {
                let split = TaskSplit { staging: place.path("staging"), parts: 1, bands: 2 };
                let plan = add(&place, "oi").plan_tasks(&split).unwrap().plan.unwrap();
                transect::UpdateTasks::open(plan).unwrap().run(1).unwrap()
            }
        };
        assert_eq!((report.added, report.filled), (0, 4), "{report:?}");
        let note = "rows are of trading dates from 20:30 on, as those of the store are";
        assert!(report.notes.iter().any(|told| told.ends_with(note)), "{:?}", report.notes);
        assert_eq!(rows(&place.store()), ROLLED);
        assert!(!Update::new(place.store()).workers(1).run().unwrap().published);
        futures(&place, "oi", "oi", 100);
        let report = Update::new(place.store()).workers(1).run().unwrap();
        assert_eq!((report.added, report.restated, report.removed), (0, 4, 0));
        assert_whole(&Store::open(place.store()).unwrap());
    }
}

#[test]
fn rows_of_a_frame_say_their_trading_dates_themselves() {
    let place = Place::new();
    rolled(&place);
    let columns = [
        ("ts_code", texts(&["A"])),
        ("date", texts(&["2024-01-05"])),
        ("time", texts(&["21:00:00"])),
        ("oi", numbers(&[30])),
    ];
    let why = AddSource::of_rows(place.store(), "oi", frame(&columns)).run().unwrap_err().to_string();
    let told = "rows of the store are of trading dates, and the frame has no column that says theirs; make it with a \
                column \"trade_date\" of them";
    assert_eq!(why, told);
    let with_date: Vec<_> = [("trade_date", texts(&["20240108"]))].into_iter().chain(columns).collect();
    AddSource::of_rows(place.store(), "oi", frame(&with_date)).run().unwrap();
    assert_eq!(rows(&place.store())[2], ROLLED[2]);
}

/// Where the key has no more than days, days are no other kind of key.
#[test]
fn days_join_a_key_of_days_as_they_are() {
    let place = Place::new();
    rolled(&place);
    let set: Assignment = "roll=".parse().unwrap();
    Update::new(place.store()).set("fut", set).allow(Guard::ALL).workers(1).run().unwrap();
    futures(&place, "oi", "oi", 10);
    let report = add(&place, "oi").run().unwrap();
    assert_eq!((report.added, report.filled), (0, 4), "{report:?}");
    assert_eq!(rows(&place.store())[2], "2024-01-05 2024-01-05 21:00:00 3 30");
    assert_whole(&Store::open(place.store()).unwrap());
}
