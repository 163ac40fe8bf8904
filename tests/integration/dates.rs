//! Files by date, several a date, night after night, beside a model: a date is the rows of all its files, or those of
//! the night before where one of them is gone or cannot be used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use proptest::collection::vec;
use proptest::prelude::*;
use transect::progress::Silent;
use transect::source::{Duplicates, FilesBy, SourceOptions};
use transect::{AddSource, Append, Build, Guard, Kept, Store, Update, UpdateReport, verify_source};

use super::panels::{Place, assert_whole, batch, cases, sections, workers, write_parquet};

const DAYS: [i64; 3] = [20240102, 20240103, 20240104];
const CODES: [&str; 4] = ["A", "B", "a b", "平安"];
const PARTS: usize = 2;

/// What happens to one file before a night.
#[derive(Debug, Clone)]
enum Event {
    /// It has these values, by code, and maybe without a date column.
    Written(Vec<(usize, i64)>, bool),
    Removed,
    Damaged,
}

fn event() -> impl Strategy<Value = (usize, usize, Event)> {
    let rows = vec((0..CODES.len(), 0..5_i64), 0..6);
    let written = (rows, any::<bool>()).prop_map(|(rows, has_date)| Event::Written(rows, has_date));
    let event = prop_oneof![6 => written, 2 => Just(Event::Removed), 1 => Just(Event::Damaged)];
    (0..DAYS.len(), 0..PARTS, event)
}

/// The rows of one date, by code.
type Rows = BTreeMap<String, i64>;
/// A date's files: rows in the order of the file, or `None` for a damaged one.
type Files = BTreeMap<usize, Option<Vec<(usize, i64)>>>;

/// What the store is to hold of one date.
#[derive(Debug, Clone, Default)]
struct Day {
    rows: Rows,
    /// The files that these rows are of.
    read: Files,
}

impl Day {
    /// The date after a night that finds `files`.
    fn night(&mut self, files: &Files, prune: bool) {
        let is_bad = files.values().any(Option::is_none);
        // An empty file leaves nothing behind that could be missed.
        let is_gone = |(part, rows): (&usize, &Option<Vec<(usize, i64)>>)| {
            !files.contains_key(part) && rows.as_ref().is_some_and(|rows| !rows.is_empty())
        };
        if is_bad || (self.read.iter().any(is_gone) && !prune) {
            return;
        }
        self.read.clone_from(files);
        let rows = files.values().flatten().flatten();
        self.rows = rows.map(|(code, value)| (CODES[*code].to_owned(), *value)).collect();
    }
}

fn columns(day: Option<i64>, codes: &[&str], values: &[i64]) -> RecordBatch {
    let text = |texts: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
    let day = day.map(|day| day.to_string());
    let dates = day.iter().map(|day| ("trade_date", text(vec![day; codes.len()])));
    let rest = [("x", Arc::new(Int64Array::from(values.to_vec())) as ArrayRef), ("symbol", text(codes.to_vec()))];
    batch(&dates.chain(rest).collect::<Vec<_>>())
}

fn path(place: &Place, day: i64, part: usize) -> PathBuf {
    place.source().join(format!("{}-{:02}-{:02}/{part}.parquet", day / 10_000, day / 100 % 100, day % 100))
}

fn write(place: &Place, (day, part): (i64, usize), event: &Event, files: &mut Files, serial: usize) {
    let path = path(place, day, part);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match event {
        Event::Removed => {
            let _ = fs::remove_file(&path);
            files.remove(&part);
        }
        Event::Damaged => {
            fs::write(&path, format!("no Parquet {serial}")).unwrap();
            files.insert(part, None);
        }
        Event::Written(rows, has_date) => {
            let codes: Vec<&str> = rows.iter().map(|row| CODES[row.0]).collect();
            let values: Vec<i64> = rows.iter().map(|row| row.1).collect();
            write_parquet(&path, &columns(has_date.then_some(day), &codes, &values));
            files.insert(part, Some(rows.clone()));
        }
    }
}

fn held(store: &Store) -> BTreeMap<i64, Rows> {
    let mut held: BTreeMap<i64, Rows> = BTreeMap::new();
    for &date in store.dates().unwrap() {
        let batch = store.section(date).unwrap().batch().unwrap();
        let codes = batch.column_by_name("symbol").unwrap().as_string::<i32>();
        let values = batch.column_by_name("x").unwrap().as_primitive::<Int64Type>();
        let rows = codes.iter().flatten().map(str::to_owned).zip(values.values().iter().copied()).collect();
        held.insert(date.to_string().parse().unwrap(), rows);
    }
    held
}

fn options() -> SourceOptions {
    let pattern = "{date}/{*}.parquet".parse().unwrap();
    SourceOptions { pattern, duplicates: Duplicates::Last, ..SourceOptions::by_date() }
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn a_date_is_the_rows_of_all_its_files_or_stays_as_it_was(
        nights in vec((vec(event(), 0..5), any::<bool>()), 1..8),
    ) {
        let place = Place::in_memory();
        let mut files: BTreeMap<i64, Files> = BTreeMap::new();
        let mut model: BTreeMap<i64, Day> = BTreeMap::new();
        let rows = Event::Written(vec![(1, 7)], true);
        for day in DAYS {
            let of_day = files.entry(day).or_default();
            (0..PARTS).for_each(|part| write(&place, (day, part), &rows, of_day, 0));
            model.entry(day).or_default().night(of_day, false);
        }
        Build::new(place.source(), place.store()).options(options()).workers(1).run().unwrap();
        for (serial, (events, prune)) in nights.iter().enumerate() {
            for (day, part, event) in events {
                let day = DAYS[*day];
                write(&place, (day, *part), event, files.get_mut(&day).unwrap(), serial);
            }
            let update = Update::new(place.store()).prune(*prune).check_content(true).allow(Guard::ALL).workers(1);
            let before = model.clone();
            model.iter_mut().for_each(|(day, of_day)| of_day.night(&files[day], *prune));
            if model.values().all(|day| day.rows.is_empty()) || files.values().all(BTreeMap::is_empty) {
                prop_assert!(update.run().is_err());
                model = before;
                continue;
            }
            let report = update.run().unwrap();
            let store = Store::open(place.store()).unwrap();
            assert_whole(&store);
            let expected = model.iter().filter(|(_, day)| !day.rows.is_empty());
            let expected: BTreeMap<i64, Rows> = expected.map(|(day, of_day)| (*day, of_day.rows.clone())).collect();
            prop_assert_eq!(held(&store), expected);
            let named: BTreeSet<PathBuf> =
                report.skipped.iter().map(|skipped| place.source().join(&skipped.path)).collect();
            let bad = files.iter().flat_map(|(day, files)| {
                files.iter().filter(|(_, rows)| rows.is_none()).map(|(part, _)| path(&place, *day, *part))
            });
            for path in bad {
                prop_assert!(named.contains(&path), "{path:?} {named:?}");
            }
            let compared = verify_source(&store, &place.source(), &workers(1), &Silent).unwrap();
            prop_assert_eq!(compared.differences, vec![]);
        }
    }
}

/// A place with the days of a store, each with the values 1 and 2 of A and B.
fn two_stocks(days: &[i64]) -> Place {
    let place = Place::in_memory();
    for day in days {
        put(&place, &day.to_string(), &columns(Some(*day), &["B", "A"], &[2, 1]));
    }
    Build::new(place.source(), place.store()).options(SourceOptions::by_date()).workers(1).run().unwrap();
    place
}

fn put(place: &Place, name: &str, batch: &RecordBatch) {
    write_parquet(&place.source().join(format!("{name}.parquet")), batch);
}

fn update(place: &Place) -> UpdateReport {
    Update::new(place.store()).workers(1).run().unwrap()
}

fn reasons(report: &UpdateReport) -> Vec<String> {
    report.skipped.iter().map(|skipped| format!("{}: {}", skipped.path, skipped.reason)).collect()
}

fn values(place: &Place, day: i64) -> Rows {
    held(&Store::open(place.store()).unwrap()).remove(&day).unwrap_or_default()
}

fn row(code: &str, value: i64) -> (String, i64) {
    (code.to_owned(), value)
}

#[test]
fn a_new_date_is_added_and_a_restated_one_rewritten_and_nothing_else_is_read() {
    let place = two_stocks(&DAYS[..2]);
    put(&place, "20240103", &columns(Some(20240103), &["A", "B"], &[1, 9]));
    put(&place, "20240104", &columns(None, &["C", "A"], &[4, 3]));
    let report = update(&place);
    assert_eq!((report.added, report.restated, report.removed, report.dirty_dates), (2, 1, 0, 2));
    assert_eq!((report.read_files, report.unchanged_files), (2, 1));
    assert_eq!(values(&place, 20240103), [row("A", 1), row("B", 9)].into());
    assert_eq!(values(&place, 20240104), [row("A", 3), row("C", 4)].into());
    assert!(!update(&place).published);
}

#[test]
fn a_date_whose_file_is_gone_stays_and_is_named_until_it_is_pruned() {
    let place = two_stocks(&DAYS);
    fs::remove_file(place.source().join("20240103.parquet")).unwrap();
    let report = update(&place);
    assert_eq!((report.missing_files, report.removed), (vec!["20240103.parquet".to_owned()], 0));
    assert_eq!(values(&place, 20240103).len(), 2);
    let store = Store::open(place.store()).unwrap();
    let checked = verify_source(&store, &place.source(), &workers(1), &Silent).unwrap();
    let kept: Vec<_> = checked.kept.iter().map(|kept| (kept.date.unwrap().to_string(), kept.why, kept.rows)).collect();
    assert_eq!((checked.difference_count, kept), (0, vec![("20240103".to_owned(), Kept::Missing, 2)]));
    let report = Update::new(place.store()).prune(true).allow(Guard::ALL).workers(1).run().unwrap();
    assert_eq!((report.removed, values(&place, 20240103).len()), (2, 0));
}

#[test]
fn a_file_of_another_date_than_its_name_says_is_refused_and_its_date_stays() {
    let place = two_stocks(&DAYS[..2]);
    put(&place, "20240103", &columns(Some(20240104), &["A"], &[5]));
    let report = update(&place);
    let reason =
        "20240103.parquet: row 1 is of 20240104, and its name says 20240103; rename the file, or write it anew";
    assert_eq!(reasons(&report), [reason]);
    assert_eq!(values(&place, 20240103), [row("A", 1), row("B", 2)].into());
}

#[test]
fn appended_rows_stand_until_the_file_of_their_date_changes() {
    let place = two_stocks(&DAYS[..2]);
    let file = place.path("20240103.parquet");
    write_parquet(&file, &columns(Some(20240103), &["A", "C"], &[7, 8]));
    Append::new(place.store(), [&file]).allow(Guard::ALL).workers(1).run().unwrap();
    let appended: Rows = [row("A", 7), row("B", 2), row("C", 8)].into();
    assert_eq!(values(&place, 20240103), appended);
    // Another date is news, and this one is not read again.
    put(&place, "20240102", &columns(Some(20240102), &["A", "B"], &[3, 2]));
    assert_eq!(update(&place).restated, 1);
    assert_eq!(values(&place, 20240103), appended);
    // A file that was touched says nothing new, and one that is restated has no word of C.
    let store = Store::open(place.store()).unwrap();
    let checked = verify_source(&store, &place.source(), &workers(1), &Silent).unwrap();
    let kept: Vec<_> = checked.kept.iter().map(|kept| (kept.why, kept.rows)).collect();
    assert_eq!((checked.difference_count, kept), (0, vec![(Kept::Appended, 2)]));
    put(&place, "20240103", &columns(Some(20240103), &["A", "B"], &[6, 5]));
    assert_eq!(update(&place).restated, 2);
    assert_eq!(values(&place, 20240103), [row("A", 6), row("B", 5), row("C", 8)].into());
}

#[test]
fn a_file_of_a_month_is_a_unit_and_gives_way_to_no_file_of_a_day() {
    let place = Place::in_memory();
    let rows = |days: [i64; 2], values: [i64; 2]| {
        let dates: ArrayRef = Arc::new(StringArray::from_iter_values(days.iter().map(i64::to_string)));
        let codes: ArrayRef = Arc::new(StringArray::from(vec!["A", "A"]));
        batch(&[("date", dates), ("symbol", codes), ("x", Arc::new(Int64Array::from(values.to_vec())))])
    };
    put(&place, "202401", &rows([20240103, 20240102], [2, 1]));
    put(&place, "202402", &rows([20240201, 20240202], [3, 4]));
    Build::new(place.source(), place.store()).options(SourceOptions::by_date()).workers(1).run().unwrap();
    put(&place, "202402", &rows([20240205, 20240202], [5, 4]));
    let report = update(&place);
    assert_eq!((report.added, report.restated, report.removed), (1, 0, 1));
    let days: Vec<i64> = held(&Store::open(place.store()).unwrap()).into_keys().collect();
    assert_eq!(days, [20240102, 20240103, 20240202, 20240205]);
    put(&place, "20240102", &columns(Some(20240102), &["A"], &[9]));
    let told = reasons(&update(&place));
    let way_out = "keep one of the two, or ignore one";
    assert_eq!(
        told,
        [
            format!("202401.parquet: is of dates that 20240102.parquet is of, too; {way_out}"),
            format!("20240102.parquet: is of dates that 202401.parquet is of, too; {way_out}"),
        ]
    );
    assert_eq!(values(&place, 20240102), [row("A", 1)].into());
}

#[test]
fn stores_by_date_and_by_stock_of_the_same_rows_are_the_same() {
    let (by_stock, by_date) = (Place::in_memory(), Place::in_memory());
    super::panels::small_panel(&by_stock, 3);
    by_stock.build();
    let store = Store::open(by_stock.store()).unwrap();
    transect::Transpose::new(&store, by_date.source()).workers(1).run().unwrap();
    assert_eq!(SourceOptions::by_date().files_by, FilesBy::Date);
    for workers in [1, 2] {
        let build = Build::new(by_date.source(), by_date.store()).options(SourceOptions::by_date());
        build.force(true).workers(workers).run().unwrap();
        assert_eq!(sections(&Store::open(by_date.store()).unwrap()), sections(&store));
    }
}

#[test]
fn a_folder_of_files_by_date_is_told_so_also_where_it_would_be_another_source() {
    let place = Place::in_memory();
    for folder in ["prices", "flows", "bare"] {
        fs::create_dir(place.path(folder)).unwrap();
    }
    let texts = |texts: &[&str]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
    let numbers = |column: &[i64]| -> ArrayRef { Arc::new(Int64Array::from(column.to_vec())) };
    let days = ["20240102", "20240103"];
    for code in ["A", "B"] {
        let rows = batch(&[("trade_date", texts(&days)), ("p", numbers(&[1, 2]))]);
        write_parquet(&place.path(&format!("prices/{code}.parquet")), &rows);
    }
    for day in days {
        let rows = [("ts_code", texts(&["A", "B"])), ("trade_date", texts(&[day; 2])), ("flow", numbers(&[3, 4]))];
        write_parquet(&place.path(&format!("flows/{day}.parquet")), &batch(&rows));
        write_parquet(&place.path(&format!("bare/{day}.parquet")), &batch(&[rows[0].clone(), rows[2].clone()]));
    }
    Build::new(place.path("prices"), place.store()).workers(1).run().unwrap();
    for folder in ["flows", "bare"] {
        let add = || AddSource::new(place.store(), [place.path(folder)]).workers(1);
        let message = add().run().unwrap_err().to_string();
        assert!(message.contains("the 2 files are by date") && message.contains("files by date"), "{message}");
        let options = SourceOptions { code_column: Some("ts_code".to_owned()), ..SourceOptions::by_date() };
        let report = add().options(options).dry_run(true).run().unwrap();
        assert_eq!((report.filled, report.added, report.skipped.len()), (4, 0, 0), "{report:?}");
    }
}
