//! A key of more than date and code can go wrong wherever rows are told apart: in the order of a file, in the merge of
//! two versions, in what a diff, a series or a verification names. Random panels with up to two further key columns live
//! for some nights here, beside a map by whole key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use proptest::prelude::*;
use transect::progress::Silent;
use transect::remedy::{CastTo, Remedy, Setting};
use transect::sink::Partition;
use transect::skipped::Skipped;
use transect::source::{Duplicates, SourceOptions};
use transect::workers::Workers;
use transect::{Append, Build, Date, Shape, Store, Transpose, Update, verify_output, verify_source};

use super::panels::{Cell, Place, cases, cell, read_parquet, verify, workers, write_parquet};

const CODES: [&str; 4] = ["A", "B", "a b", "平安"];
const TEXTS: [&str; 5] = ["", "10:00", "9:30", "z", "é"];

/// Date, code, and the values of two key columns as numbers in their order.
type Key = (i32, usize, i64, i64);
/// By whole key, the bits of a value.
type Model = BTreeMap<Key, u64>;

/// The type of the n-th kind of key column, and the column of these numbers, which ascend as its values do.
fn column(kind: usize, numbers: &[i64]) -> ArrayRef {
    let integers: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
    let texts = |numbers: &[i64]| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(numbers.iter().map(|&n| TEXTS[n as usize])))
    };
    match kind {
        0 => integers,
        1 => cast(&integers, &DataType::Timestamp(TimeUnit::Nanosecond, Some("+08:00".into()))).unwrap(),
        2 => {
            let values = numbers.iter().map(|&n| i128::from(n) - 2);
            Arc::new(Decimal128Array::from_iter_values(values).with_precision_and_scale(9, 2).unwrap())
        }
        3 => texts(numbers),
        4 => {
            let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            cast(&texts(numbers), &coded).unwrap()
        }
        _ => cast(&cast(&integers, &DataType::Int32).unwrap(), &DataType::Date32).unwrap(),
    }
}

/// The rows of one stock or of one date, shuffled by `salt`; its key columns are `kinds`.
fn batch(rows: &[(Key, u64)], kinds: &[usize], salt: usize, with_code: bool) -> RecordBatch {
    let mut rows = rows.to_vec();
    // Any order will do; this one is neither ascending nor descending.
    rows.sort_by_key(|((date, code, a, b), _)| {
        (*date as usize * 31 + code * 17 + *a as usize * 7 + *b as usize + salt) % 13
    });
    let dates: Vec<String> =
        rows.iter().map(|((day, ..), _)| Date::from_days(19_700 + day).unwrap().to_string()).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![("trade_date", Arc::new(StringArray::from(dates)))];
    if with_code {
        let codes: Vec<&str> = rows.iter().map(|((_, code, ..), _)| CODES[*code]).collect();
        columns.push(("ts_code", Arc::new(StringArray::from(codes))));
    }
    let values: Vec<f64> = rows.iter().map(|(_, bits)| f64::from_bits(*bits)).collect();
    columns.push(("value", Arc::new(Float64Array::from(values))));
    for (n, (&kind, name)) in kinds.iter().zip(["k", "m"]).enumerate() {
        let numbers: Vec<i64> = rows.iter().map(|((_, _, a, b), _)| if n == 0 { *a } else { *b }).collect();
        columns.push((name, column(kind, &numbers)));
    }
    RecordBatch::try_from_iter(columns).unwrap()
}

fn put(place: &Place, model: &Model, kinds: &[usize], salt: usize) {
    for (number, code) in CODES.iter().enumerate() {
        let rows: Vec<(Key, u64)> =
            model.iter().filter(|(key, _)| key.1 == number).map(|(key, bits)| (*key, *bits)).collect();
        let path = place.source().join(format!("{code}.parquet"));
        match rows.is_empty() {
            true => drop(std::fs::remove_file(path)),
            false => write_parquet(&path, &batch(&rows, kinds, salt, false)),
        }
    }
}

/// All rows in key order as cells: code, key columns, value.
fn expected(model: &Model, kinds: &[usize]) -> BTreeMap<i32, Vec<Vec<Cell>>> {
    let mut dates: BTreeMap<i32, Vec<Vec<Cell>>> = BTreeMap::new();
    for (&(day, code, a, b), &bits) in model {
        let mut row = vec![Cell::Text(CODES[code].to_owned()), Cell::Bits(bits.into())];
        row.extend(kinds.iter().zip([a, b]).map(|(&kind, number)| cell(&column(kind, &[number]), 0)));
        dates.entry(19_700 + day).or_default().push(row);
    }
    dates
}

/// Code, then all columns but the date of the rows of `batch`.
fn rows(batch: &RecordBatch) -> Vec<Vec<Cell>> {
    let columns = [0].into_iter().chain(2..batch.num_columns());
    let columns: Vec<ArrayRef> = columns.map(|column| batch.column(column).clone()).collect();
    (0..batch.num_rows()).map(|row| columns.iter().map(|column| cell(column, row)).collect()).collect()
}

fn assert_holds(store: &Store, model: &Model, kinds: &[usize]) -> Result<(), TestCaseError> {
    let expected = expected(model, kinds);
    prop_assert_eq!(store.row_count(), model.len() as u64);
    let dates: Vec<i32> = store.dates().unwrap().iter().map(|date| date.days()).collect();
    prop_assert_eq!(&dates, &expected.keys().copied().collect::<Vec<_>>());
    for &date in store.dates().unwrap() {
        prop_assert_eq!(rows(&store.section(date).unwrap().batch().unwrap()), expected[&date.days()].clone());
    }
    let codes: BTreeSet<usize> = model.keys().map(|key| key.1).collect();
    for code in codes {
        let of_code: Vec<Vec<Cell>> =
            expected.values().flatten().filter(|row| row[0] == Cell::Text(CODES[code].to_owned())).cloned().collect();
        prop_assert_eq!(rows(&store.series(CODES[code]).unwrap()), of_code);
    }
    Ok(())
}

fn model() -> impl Strategy<Value = Model> {
    let key = (0..6_i32, 0..CODES.len(), 0..5_i64, 0..3_i64);
    prop::collection::btree_map(key, any::<u64>(), 1..60)
}

/// `model` with one number for every key column beyond those of `kinds`.
fn narrowed(model: Model, kinds: &[usize]) -> Model {
    let fewer = |(day, code, a, b)| match kinds.len() {
        0 => (day, code, 0, 0),
        1 => (day, code, a, 0),
        _ => (day, code, a, b),
    };
    model.into_iter().map(|(key, bits)| (fewer(key), bits)).collect()
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn every_version_is_what_a_map_by_whole_key_says(
        kinds in prop::collection::vec(0..6_usize, 0..=2),
        nights in prop::collection::vec(model(), 2..4),
        appended in model(),
        two_workers in any::<bool>(),
    ) {
        let place = Place::new();
        let nights: Vec<Model> = nights.into_iter().map(|model| narrowed(model, &kinds)).collect();
        let key: Vec<String> = ["k", "m"].iter().take(kinds.len()).map(|name| (*name).to_owned()).collect();
        let workers_count = if two_workers { 2 } else { 1 };
        put(&place, &nights[0], &kinds, 0);
        let options = SourceOptions { key, ..SourceOptions::default() };
        Build::new(place.source(), place.store()).options(options).workers(workers_count).run().unwrap();
        assert_holds(&Store::open(place.store()).unwrap(), &nights[0], &kinds)?;
        let mut now = nights[0].clone();
        for (n, night) in nights.iter().enumerate().skip(1) {
            // A stock that is gone keeps its rows: that is another test's.
            let mut night = night.clone();
            for code in 0..CODES.len() {
                if night.keys().all(|key| key.1 != code) {
                    night.extend(now.iter().filter(|(key, _)| key.1 == code).map(|(key, bits)| (*key, *bits)));
                }
            }
            put(&place, &night, &kinds, n);
            let guards = transect::Guard::ALL;
            let report = Update::new(place.store()).workers(workers_count).allow(guards).run().unwrap();
            prop_assert_eq!(report.skipped.len(), 0);
            let added = night.keys().filter(|key| !now.contains_key(*key)).count() as u64;
            let removed = now.keys().filter(|key| !night.contains_key(*key)).count() as u64;
            let restated = night.iter().filter(|(key, bits)| now.get(*key).is_some_and(|was| was != *bits)).count() as u64;
            prop_assert_eq!((report.added, report.removed, report.restated), (added, removed, restated));
            let store = Store::open(place.store()).unwrap();
            assert_holds(&store, &night, &kinds)?;
            if report.published {
                let before = Store::open_version(place.store(), store.version() - 1).unwrap();
                let found = store.diff(&before).unwrap().report(&workers(2), &Silent).unwrap();
                prop_assert_eq!((found.added, found.removed, found.restated), (added, removed, restated));
            }
            now = night;
        }
        let store = Store::open(place.store()).unwrap();
        prop_assert!(verify(&store).damages.is_empty());
        let report = verify_source(&store, &place.source(), &workers(2), &Silent).unwrap();
        prop_assert!(report.is_complete(), "{:?}", report);
        let out = place.path("out");
        Transpose::new(&store, &out).run().unwrap();
        let report = verify_output(&store, &out, &Workers::new(Some(1)).unwrap(), &Silent).unwrap();
        prop_assert!(report.differences.is_empty(), "{:?}", report);

        // Rows of some dates by hand: they are added, or restate what is there.
        let appended = narrowed(appended, &kinds);
        let dates: BTreeSet<i32> = appended.keys().map(|key| key.0).collect();
        let files = dates.iter().map(|day| {
            let rows: Vec<(Key, u64)> =
                appended.iter().filter(|(key, _)| key.0 == *day).map(|(key, bits)| (*key, *bits)).collect();
            let path = place.path(&format!("{}.parquet", Date::from_days(19_700 + day).unwrap()));
            write_parquet(&path, &batch(&rows, &kinds, 5, true));
            path
        });
        let report = Append::new(place.store(), files.collect::<Vec<_>>()).allow(transect::Guard::ALL).run().unwrap();
        prop_assert_eq!(report.skipped.len(), 0, "{:?}", report.skipped);
        now.extend(appended);
        assert_holds(&Store::open(place.store()).unwrap(), &now, &kinds)?;
    }
}

#[test]
fn identical_rows_of_one_key_are_merged_and_others_refuse_the_file() {
    let place = Place::new();
    let rows = |bits: u64| vec![((0, 0, 1, 0), 1), ((0, 0, 1, 0), bits), ((0, 0, 2, 0), 3)];
    write_parquet(&place.source().join("A.parquet"), &batch(&rows(1), &[3], 0, false));
    write_parquet(&place.source().join("B.parquet"), &batch(&rows(2), &[3], 0, false));
    let options = SourceOptions { key: vec!["k".to_owned()], ..SourceOptions::default() };
    let report =
        Build::new(place.source(), place.store()).options(options.clone()).allow(transect::Guard::ALL).run().unwrap();
    assert_eq!((report.rows, report.merged_rows, report.skipped.len()), (2, 1, 1));
    let why = report.skipped[0].reason.to_string();
    assert!(why.starts_with("has differing rows for 20231209 10:00: \"value\" is"), "{why}");
    let last = SourceOptions { duplicates: Duplicates::Last, ..options };
    let report = Build::new(place.source(), place.path("last")).options(last).run().unwrap();
    assert_eq!((report.rows, report.skipped.len()), (4, 0));
}

#[test]
fn one_value_of_each_key_column_makes_a_matrix_and_chooses_rows() {
    use arrow_array::types::Float64Type;
    use transect::store::{Fill, Request};
    let place = Place::new();
    let first = [((0, 0, 1, 0), 1), ((0, 0, 2, 0), 2), ((0, 1, 2, 0), 3), ((0, 1, 3, 0), 6)];
    let rows: Model = first
        .into_iter()
        .chain([((1, 0, 1, 0), 4), ((1, 1, 2, 0), 5)])
        .map(|(key, value)| (key, f64::from(value).to_bits()))
        .collect();
    for kind in [0, 3, 4] {
        put(&place, &rows, &[kind], 0);
        let options = SourceOptions { key: vec!["k".to_owned()], ..SourceOptions::default() };
        let path = place.path(&format!("{kind}.store"));
        Build::new(place.source(), &path).options(options).run().unwrap();
        let store = Store::open(&path).unwrap();
        let text = if kind == 0 { "2" } else { TEXTS[2] };
        let of =
            |name: &str, text: &str| Request { at: vec![(name.to_owned(), text.to_owned())], ..Request::of(["value"]) };
        let answer = store.answer(&of("k", text)).unwrap();
        let matrix = answer.matrix(&Fill::of::<Float64Type>(-1.0), &workers(2), &Silent).unwrap();
        assert_eq!(matrix.values::<Float64Type>().unwrap(), [2.0, 3.0, -1.0, 5.0]);
        let batches: Vec<usize> = answer.batches().map(|batch| batch.unwrap().num_rows()).collect();
        assert_eq!(batches, [2, 1]);
        let series = answer.series("B", &workers(1), &Silent).unwrap();
        assert_eq!((series.num_rows(), series.num_columns()), (2, 3));

        let whole = store.answer(&Request::of(["value"])).unwrap();
        let refused = whole.matrix(&Fill::of::<Float64Type>(-1.0), &workers(1), &Silent).unwrap_err().to_string();
        let expected = "a matrix has one value for each date and stock, and this panel has one for each \"k\"; at k says \
                        which \"k\" it is to be of";
        assert_eq!(refused, expected);
        // The same as a file, of that value alone.
        let shape = |at: &str| Shape {
            by: Partition::Matrix,
            columns: Some(vec!["value".to_owned()]),
            at: [("k".to_owned(), at.to_owned())].into_iter().filter(|(_, text)| !text.is_empty()).collect(),
            ..Shape::default()
        };
        let out = place.path(&format!("{kind}.out"));
        let transpose = |shape: Shape| Transpose::new(&store, &out).shape(shape).workers(1).run();
        assert_eq!(transpose(shape("")).unwrap_err().to_string(), expected);
        assert_eq!(transpose(shape(text)).unwrap().written, 1);
        let found = read_parquet(&out.join("value.parquet"));
        let cells = |stock: usize| -> Vec<Cell> { (0..2).map(|row| cell(found.column(1 + stock), row)).collect() };
        let bits = |value: f64| Cell::Bits(value.to_bits().into());
        assert_eq!((cells(0), cells(1)), (vec![bits(2.0), Cell::Null], vec![bits(3.0), bits(5.0)]));
        assert_eq!(transpose(shape(text)).unwrap().unchanged_files, 1);
        assert_eq!(verify_output(&store, &out, &workers(1), &Silent).unwrap().differences, Vec::<String>::new());
        // And of one that the last date lacks.
        let early = shape(if kind == 0 { "3" } else { TEXTS[3] });
        let early = Transpose::new(&store, place.path(&format!("{kind}.early"))).shape(early).workers(1).run();
        assert_eq!(early.unwrap().written, 1);
        let by_date = Shape { by: Partition::Date, columns: None, ..shape(text) };
        let why = transpose(by_date).unwrap_err().to_string();
        assert_eq!(why, "at chooses rows of a matrix, and dates have all of theirs");
        let unknown = store.answer(&of("value", "1")).unwrap_err().to_string();
        assert_eq!(unknown, "key column \"value\" not found; the key columns are k");
    }
    let store = Store::open(place.path("0.store")).unwrap();
    let no_value = store.answer(&Request { at: vec![("k".to_owned(), "x".to_owned())], ..Request::default() });
    let expected =
        "\"x\" is no value of the key column \"k\", which is Int64; write it as the rows of the store show it";
    assert_eq!(no_value.unwrap_err().to_string(), expected);
}

#[test]
fn a_row_without_a_value_in_a_key_column_refuses_its_file() {
    let place = Place::new();
    let whole = batch(&[((0, 0, 1, 0), 1)], &[0], 0, false);
    write_parquet(&place.source().join("A.parquet"), &whole);
    let null: ArrayRef = Arc::new(Int64Array::from(vec![None::<i64>]));
    let columns = [("trade_date", whole.column(0).clone()), ("value", whole.column(1).clone()), ("k", null)];
    write_parquet(&place.source().join("B.parquet"), &RecordBatch::try_from_iter(columns.clone()).unwrap());
    write_parquet(&place.source().join("C.parquet"), &RecordBatch::try_from_iter(columns[..2].to_vec()).unwrap());
    let options = SourceOptions { key: vec!["k".to_owned()], ..SourceOptions::default() };
    let report = Build::new(place.source(), place.store()).options(options).allow(transect::Guard::ALL).run().unwrap();
    let skipped: Vec<String> =
        report.skipped.iter().map(|skipped| format!("{}: {}", skipped.path, skipped.reason)).collect();
    assert_eq!(
        skipped,
        [
            "B.parquet: row 1 has no \"k\", which is part of the key; write the file without such rows",
            "C.parquet: lacks the key column \"k\"; write the file with it"
        ]
    );
}

#[test]
fn a_key_that_also_names_code_and_date_is_understood() {
    let place = Place::new();
    let text = |texts: &[&str]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
    let rows = super::panels::batch(&[
        ("trade_date", text(&["20240102", "20240102"])),
        ("time", text(&["09:31", "09:32"])),
        ("x", Arc::new(Int64Array::from(vec![1, 2]))),
    ]);
    place.add("A", &rows);
    for key in [["ts_code", "trade_date", "time"], ["code", "date", "time"]] {
        let options = SourceOptions { key: key.map(str::to_owned).to_vec(), ..SourceOptions::default() };
        Build::new(place.source(), place.store()).options(options).force(true).workers(1).run().unwrap();
        let schema = Store::open(place.store()).unwrap().schema().unwrap().clone();
        assert_eq!(schema.key, [0], "{key:?}");
        assert_eq!(schema.columns[0].name, "time");
    }
}

#[test]
fn a_file_whose_key_column_has_floats_is_left_out_by_name_and_stops_no_other() {
    let place = Place::new();
    let write = |code: &str, key: ArrayRef| {
        let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102", "20240102"]));
        let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let rows = RecordBatch::try_from_iter([("trade_date", dates), ("t", key), ("x", values)]).unwrap();
        write_parquet(&place.source().join(format!("{code}.parquet")), &rows);
    };
    let (whole, half): (ArrayRef, ArrayRef) =
        (Arc::new(Float64Array::from(vec![1.0, 2.0])), Arc::new(Float64Array::from(vec![1.0, 2.5])));
    for n in 0..12 {
        write(&format!("S{n:02}"), Arc::new(Int64Array::from(vec![1, 2])));
    }
    write("F", Arc::clone(&whole));
    let options = SourceOptions { key: vec!["t".to_owned()], ..SourceOptions::default() };
    let build = || Build::new(place.source(), place.store()).options(options.clone()).workers(1).force(true);
    let cast = [Setting::Cast(vec![CastTo { column: "t".to_owned(), to: "int64".to_owned() }])];
    let told = |skipped: &[Skipped]| {
        let [one] = skipped else { panic!("{skipped:?}") };
        let key_type = "its key column \"t\" is Float64; a key has integers, decimals, dates, times, booleans or text";
        assert_eq!((one.path.as_str(), one.reason.what()), ("F.parquet", key_type));
        one.reason.remedies().to_vec()
    };
    let ways = told(&build().run().unwrap().skipped);
    assert!(matches!(&ways[..], [Remedy::Set { settings, .. }] if settings[..] == cast), "{ways:?}");
    // Neither does it stop a night.
    let update = || Update::new(place.store()).reread(true).workers(1);
    told(&update().run().unwrap().skipped);
    let report = update().set("source", "cast+=t:int64".parse().unwrap()).run().unwrap();
    assert_eq!((report.skipped.len(), report.added), (0, 2));
    // What is not whole has no such way out.
    write("F", half);
    let ways = told(&build().run().unwrap().skipped);
    assert!(matches!(&ways[..], [Remedy::Do(_)]), "{ways:?}");
    // Nor has a row without a value, which is told.
    write("F", Arc::new(Float64Array::from(vec![Some(1.0), None])));
    let skipped = build().run().unwrap().skipped;
    let told = "its key column \"t\" is Float64; a key has integers, decimals, dates, times, booleans or text; row 2 has no \"t\", \
                which is part of the key; write the file without such rows";
    assert_eq!(skipped.iter().map(|one| one.reason.to_string()).collect::<Vec<_>>(), [told]);
}
