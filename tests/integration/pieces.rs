//! A date may have millions of rows. Then its section lies in pieces, and each stage holds few of them: a build cuts
//! them, an update writes those that it touches, a diff and a verification go through them in step. One stock here has
//! more rows than a piece may have, and some are at its borders.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use transect::progress::Silent;
use transect::sink::{Format, Partition};
use transect::source::SourceOptions;
use transect::storage::Access;
use transect::store::Universe;
use transect::{Append, Build, Date, Guard, Shape, Store, Transpose, Update, verify_output, verify_source};

use super::panels::{Place, read_parquet, verify, workers, write_parquet};

/// By date, code and time: a value.
type Model = BTreeMap<(i32, &'static str, i64), f64>;

const DAY: i32 = 19_700;

fn options() -> SourceOptions {
    SourceOptions { key: vec!["time".to_owned()], ..SourceOptions::default() }
}

fn model() -> Model {
    let rows = [("A", 20_000), ("B", 40_000), ("C", 150_000), ("D", 10), ("E", 65_000), ("G", 1)];
    let day = |day: i32| {
        rows.into_iter().flat_map(move |(code, count)| {
            let time = move |n: i64| (day == DAY || n % 100 == 0).then_some(((day, code, 2 * n), n as f64 + 0.5));
            (0..count).filter_map(time)
        })
    };
    day(DAY).chain(day(DAY + 1)).collect()
}

fn batch<'m>(rows: impl Iterator<Item = (&'m (i32, &'static str, i64), &'m f64)>, with_code: bool) -> RecordBatch {
    let rows: Vec<_> = rows.collect();
    let date = |day: i32| Date::from_days(day).unwrap().to_string();
    let dates: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|((day, ..), _)| date(*day))));
    let times: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|((_, _, time), _)| *time)));
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values(rows.iter().map(|(_, value)| **value)));
    let codes: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|((_, code, _), _)| *code)));
    let code = with_code.then_some(("ts_code", codes));
    let columns = code.into_iter().chain([("trade_date", dates), ("time", times), ("value", values)]);
    RecordBatch::try_from_iter(columns).unwrap()
}

fn put(place: &Place, model: &Model, codes: &[&str]) {
    for code in codes {
        let rows = model.iter().filter(|((_, other, _), _)| other == code);
        write_parquet(&place.source().join(format!("{code}.parquet")), &batch(rows, false));
    }
}

fn assert_holds(store: &Store, model: &Model) {
    assert_eq!(store.row_count(), model.len() as u64);
    let mut expected = model.iter();
    for &date in store.dates().unwrap() {
        let batch = store.section(date).unwrap().batch().unwrap();
        let codes = batch.column(0).as_string::<i32>();
        let (times, values) =
            (batch.column(2).as_primitive::<Int64Type>(), batch.column(3).as_primitive::<Float64Type>());
        for row in 0..batch.num_rows() {
            let (&key, &value) = expected.next().unwrap();
            assert_eq!((key, value), ((date.days(), codes.value(row), times.value(row)), values.value(row)));
        }
    }
    assert!(expected.next().is_none());
}

#[test]
fn a_section_of_many_rows_is_cut_changed_compared_and_written_out_piece_by_piece() {
    let place = Place::new();
    let mut model = model();
    put(&place, &model, &["A", "B", "C", "D", "E", "G"]);
    Build::new(place.source(), place.store()).options(options()).workers(2).run().unwrap();
    let first = Store::open(place.store()).unwrap();
    assert_holds(&first, &model);
    assert_holds(&Store::open_with(place.store(), Access::Read).unwrap(), &model);
    let whole = verify(&first);
    assert_eq!((whole.damages.len(), whole.rows), (0, model.len() as u64));
    // A stock in the middle changes, rows come and go at the ends, and one stock is new.
    for n in 0..1000 {
        model.insert((DAY, "C", 200 * n + 1), -1.0);
        model.remove(&(DAY, "C", 200 * n));
        *model.get_mut(&(DAY, "E", 2 * n)).unwrap() = -2.0;
    }
    model.remove(&(DAY, "A", 0));
    for time in 0..70_000 {
        model.insert((DAY, "F", time), 3.0);
    }
    put(&place, &model, &["A", "C", "E", "F"]);
    let report = Update::new(place.store()).workers(2).allow(Guard::ALL).run().unwrap();
    assert_eq!((report.added, report.removed, report.restated), (71_000, 1001, 1000));
    let second = Store::open(place.store()).unwrap();
    assert_holds(&second, &model);
    assert_eq!(verify(&second).damages, [""; 0]);
    let found = second.diff(&first).unwrap().report(&workers(2), &Silent).unwrap();
    assert_eq!((found.added, found.removed, found.restated), (71_000, 1001, 1000));
    let mut sections = second.diff(&first).unwrap().sections().collect::<Result<Vec<_>, _>>().unwrap();
    let section = sections.pop().unwrap();
    assert!(sections.is_empty());
    assert_eq!((section.date.days(), section.added.len(), section.changed.len()), (DAY, 71_000, 1000));
    assert!(section.changed.iter().all(|code| &**code == "E"));
    let times = section.changed_key[0].as_primitive::<Int64Type>();
    assert!(times.values().iter().enumerate().all(|(n, &time)| time == 2 * n as i64));
    assert_eq!(section.columns[0].rows, (0..1000).collect::<Vec<_>>());

    let report = verify_source(&second, &place.source(), &workers(2).within(128 << 20), &Silent).unwrap();
    assert!(report.is_complete(), "{report:?}");
    let series = second.series("C").unwrap();
    assert_eq!(series.num_rows(), model.keys().filter(|(_, code, _)| *code == "C").count());

    // A group of rows for each piece, which a reader can tell by its codes.
    let out = place.path("out");
    Transpose::new(&second, &out).run().unwrap();
    assert_eq!(verify_output(&second, &out, &workers(1), &Silent).unwrap().differences, [""; 0]);
    let file = std::fs::File::open(out.join(format!("{}.parquet", Date::from_days(DAY).unwrap()))).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let groups: Vec<i64> = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    assert!(groups.len() > 5 && groups.iter().all(|&rows| rows <= 1 << 16), "{groups:?}");
    let rows: usize = reader.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, model.keys().filter(|(day, ..)| *day == DAY).count());

    // Rows by hand: some are there and get other values, most are new; and a whole date that is new.
    let by_hand: Model = (0..90_000).map(|n| ((DAY, "D", n), 9.0)).collect();
    let new_date: Model = (0..90_000).map(|n| ((DAY + 2, if n < 50_000 { "A" } else { "Z" }, n), 8.0)).collect();
    let files = [(DAY, &by_hand), (DAY + 2, &new_date)].map(|(day, rows)| {
        let path = place.path(&format!("{}.parquet", Date::from_days(day).unwrap()));
        write_parquet(&path, &batch(rows.iter(), true));
        path
    });
    let report = Append::new(place.store(), files).allow(Guard::ALL).run().unwrap();
    assert_eq!((report.skipped.len(), report.added, report.restated), (0, 179_990, 10));
    model.extend(by_hand);
    model.extend(new_date);
    let third = Store::open(place.store()).unwrap();
    assert_holds(&third, &model);
    assert_eq!(verify(&third).damages, [""; 0]);

    // What was appended stays when a file changes that has it not.
    model.insert((DAY, "G", 7), 5.0);
    put(&place, &model, &["G"]);
    let report = Update::new(place.store()).run().unwrap();
    assert_eq!((report.added, report.removed, report.restated), (1, 0, 0));
    assert_holds(&Store::open(place.store()).unwrap(), &model);
}

/// Columns of the widest type, the same in all rows: much to store, and little to decode.
#[test]
fn the_file_of_a_stock_of_more_rows_than_the_memory_holds_has_each_of_them_in_order() {
    const ROWS: i64 = 150_000;
    let place = Place::in_memory();
    let even: BooleanArray = (0..2 * ROWS).map(|n| Some(n % 2 == 0)).collect();
    let days: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..2 * ROWS).map(|n| if n < 2 * ROWS - 3 { "20240102" } else { "20240103" }),
    ));
    let times: ArrayRef = Arc::new(Int64Array::from_iter_values(0..2 * ROWS));
    for code in ["A", "B"] {
        let columns = [("date", days.clone()), ("time", times.clone()), ("even", Arc::new(even.clone()) as ArrayRef)];
        place.add(code, &RecordBatch::try_from_iter(columns).unwrap());
    }
    Build::new(place.source(), place.store()).options(options()).run().unwrap();
    let mut all = BTreeMap::new();
    for (access, memory) in [(Access::Map, 512 << 20), (Access::Map, 1 << 20), (Access::Read, 4 << 20)] {
        let store = Store::open_with(place.store(), access).unwrap();
        for (format, universe) in [(Format::Parquet, None), (Format::Arrow, None), (Format::Parquet, Some("even"))] {
            let out = place.path(&format!("{access:?}-{memory}-{format}-{universe:?}"));
            let shape = Shape { by: Partition::Stock, format, ..Shape::default() };
            let mut transpose = Transpose::new(&store, &out).shape(shape).memory(memory).workers(2);
            if let Some(name) = universe {
                transpose = transpose.universe(Universe::Column(name.to_owned()));
            }
            transpose.run().unwrap();
            let path = out.join(format!("B.{format}"));
            let bytes = std::fs::read(&path).unwrap();
            let first = all.entry((format.to_string(), universe)).or_insert_with(|| bytes.clone());
            assert!(*first == bytes, "{access:?}, {memory} bytes, {format}, {universe:?}");
            assert!(verify_output(&store, &out, &workers(2).within(memory), &Silent).unwrap().differences.is_empty());
            if format == Format::Parquet {
                let found = read_parquet(&path);
                let found = found.column_by_name("time").unwrap().as_primitive::<Int64Type>().values().to_vec();
                let step = if universe.is_some() { 2 } else { 1 };
                assert_eq!(found, (0..2 * ROWS).step_by(step).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn a_store_of_several_segments_is_sealed_by_several_workers() {
    let place = Place::new();
    for code in ["A", "B"] {
        let rows = 130_000;
        let date = |row: i64| Date::from_days(DAY + (row / 30_000) as i32).unwrap().to_string();
        let dates: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(date)));
        let times: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        let wide = Decimal128Array::from(vec![7; rows as usize]).with_precision_and_scale(38, 0).unwrap();
        let wide: ArrayRef = Arc::new(wide);
        let names: Vec<String> = (0..36).map(|n| format!("w{n}")).collect();
        let columns = [("trade_date", dates), ("time", times)].into_iter();
        let columns = columns.chain(names.iter().map(|name| (name.as_str(), wide.clone())));
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        write_parquet(&place.source().join(format!("{code}.parquet")), &batch);
    }
    Build::new(place.source(), place.store()).options(options()).workers(2).run().unwrap();
    let store = Store::open(place.store()).unwrap();
    let info = store.info().unwrap();
    assert!(info.segments > 1, "{} segments", info.segments);
    let whole = verify(&store);
    assert_eq!((whole.damages.len(), whole.rows), (0, 260_000));
    let series = store.series("B").unwrap();
    assert!(series.column(2).as_primitive::<Int64Type>().values().iter().copied().eq(0..130_000));
}
