//! Who asks for what is not there should learn what is: a date between two sections, a code with a typing error, a
//! column of another year's schema.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::types::{Decimal128Type, Float64Type, Int32Type, UInt8Type};
use arrow_array::{ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use transect::progress::{Observer, Silent};
use transect::storage::Access;
use transect::store::Fill;
use transect::{Build, Error, Request, Selection, Store, Update};

use super::panels::{Place, SMALL_DATES, batch, date, header, paths_in, rows, small_panel, small_store, workers};

fn hint<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::NotFound { what, hint, .. }) => format!("{what}; {hint}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_there_is_answered_with_what_is_nearest() {
    let (_place, store) = small_store();
    let between = hint(store.section(date(20240101)));
    assert!(between.contains("20231229") && between.contains("20240102"), "{between}");
    assert!(hint(store.section(date(20000101))).contains("20231229"));
    assert!(hint(store.section(date(20990101))).contains("20240103"));
    assert!(hint(store.section_at(3)).contains('3'));
    let stock = hint(store.series("600000.SZ"));
    assert!(stock.ends_with("; did you mean 600000.SH?"), "{stock}");
    let far = hint(store.series("ZZZ"));
    assert!(far.ends_with("; in code order it would stand near BRK.B and 平安"), "{far}");
    let section = store.section(date(SMALL_DATES[0])).unwrap();
    let column = hint(section.column("Size"));
    assert_eq!(column, "column \"Size\"; did you mean size?");
}

#[test]
fn columns_are_chosen_by_name_in_any_order_and_a_place_beyond_the_last_is_an_error() {
    let (_place, store) = small_store();
    let section = store.section(date(20240102)).unwrap();
    let (all, series) = (section.batch().unwrap(), store.series("BRK.B").unwrap());
    let pick = |row: &Vec<super::panels::Cell>| [0, 1, 7, 2].map(|at| row[at].clone()).to_vec();
    let names = ["ts_code", "trade_date", "price", "size"];
    let dates = Selection { dates: Some(vec![date(20240102)]), ..Selection::default() };
    let request = Request::of(["price", "ts_code", "size", "price"]);
    let every_date = store.answer(&request).unwrap();
    let chosen = store.answer(&Request { dates, ..request }).unwrap();
    for (whole, chosen) in
        [(all, chosen.batch(0).unwrap()), (series, every_date.series("BRK.B", &workers(2), &Silent).unwrap())]
    {
        assert!(header(&chosen).iter().map(|(name, _)| name).eq(names));
        assert_eq!(rows(&chosen), rows(&whole).iter().map(pick).collect::<Vec<_>>());
    }
    assert_eq!(store.answer(&Request::of([""; 0])).unwrap().batch(0).unwrap().num_columns(), 2);
    for place in [7, usize::MAX] {
        assert!(hint(section.column_at(place)).contains("the panel has 7"));
    }
}

/// Dates are taken some at a time, values are wider after an update, and each column has nulls of its own.
#[test]
fn a_series_of_many_dates_has_the_rows_that_its_sections_have() {
    let place = Place::new();
    let put = |dates: usize| {
        for (s, code) in ["A", "B", "C"].into_iter().enumerate() {
            let days: Vec<usize> = (0..dates).filter(|d| !(d * 7 + s * 3).is_multiple_of(5)).collect();
            let spelt = |d: &usize| (20240101 + d / 28 * 100 + d % 28).to_string();
            let has = |d: usize, column: usize| !(d * 3 + d / 9 + s + column).is_multiple_of(4);
            let small = |d: usize| if d < 60 { d as i64 } else { -(d as i64) << 40 };
            let size = |d: usize| [0.5, -0.0, f64::from_bits(0x7ff8_0000_0000_1234), f64::INFINITY, 1e300][d % 5];
            let columns: [(&str, ArrayRef); 8] = [
                ("trade_date", Arc::new(StringArray::from_iter_values(days.iter().map(spelt)))),
                ("flag", Arc::new(Int64Array::from_iter_values(days.iter().map(|&d| (d % 3 == 0) as i64)))),
                ("hole", Arc::new(days.iter().map(|&d| has(d, 1).then_some((d % 2) as i64)).collect::<Int64Array>())),
                ("small", Arc::new(days.iter().map(|&d| has(d, 2).then_some(small(d))).collect::<Int64Array>())),
                ("size", Arc::new(days.iter().map(|&d| has(d, 3).then_some(size(d))).collect::<Float64Array>())),
                ("half", Arc::new(days.iter().map(|&d| Some(size(d) as f32)).collect::<Float32Array>())),
                ("late", Arc::new(days.iter().map(|&d| (d >= 60).then_some(d % 2 == 0)).collect::<BooleanArray>())),
                (
                    "text",
                    Arc::new(days.iter().map(|&d| has(d, 4).then(|| format!("t{}", d % 7))).collect::<StringArray>()),
                ),
            ];
            place.add(code, &batch(&columns));
        }
    };
    put(60);
    place.build();
    put(100);
    Update::new(place.store()).run().unwrap();
    for access in [Access::Map, Access::Read] {
        let store = Store::open_with(place.store(), access).unwrap();
        let batches: Vec<RecordBatch> =
            store.answer(&Request::default()).unwrap().batches().map(Result::unwrap).collect();
        assert_eq!(batches.len(), 100);
        for code in ["A", "B", "C"] {
            let series = rows(&store.series(code).unwrap());
            let of_sections: Vec<_> = batches.iter().flat_map(rows).filter(|row| row[0] == series[0][0]).collect();
            assert!(of_sections.len() > 70);
            assert_eq!(series, of_sections, "{code}, {access:?}");
            for count in [2, 7] {
                let answer = store.answer(&Request::default()).unwrap();
                assert_eq!(rows(&answer.series(code, &workers(count), &Silent).unwrap()), of_sections);
            }
        }
    }
}

fn is_a_handle<T: Clone + std::fmt::Debug + Send + Sync + 'static>(_: &T) {}

#[test]
fn handles_outlive_one_another_the_files_names_and_the_thread_that_opened_them() {
    let (place, store) = small_store();
    let (section, diff) = (store.section(date(20240103)).unwrap(), store.diff(&store).unwrap());
    is_a_handle(&store);
    is_a_handle(&section);
    is_a_handle(&diff);
    let price = section.column("price").unwrap();
    let expected = rows(&section.batch().unwrap());
    drop((store, diff));
    fs::remove_dir_all(place.store()).unwrap();
    let there = std::thread::spawn(move || rows(&section.clone().batch().unwrap())).join().unwrap();
    assert_eq!(there, expected);
    assert_eq!(price.stored().len(), 3);
}

#[test]
fn values_are_a_slice_in_the_stored_type_only() {
    let (_place, store) = small_store();
    let section = store.section(date(20240103)).unwrap();
    let volume = section.column("volume").unwrap();
    assert_eq!((volume.logical_type(), volume.stored().data_type()), (&DataType::Int64, &DataType::Int32));
    // The first stock's is null, and its slot zero.
    assert_eq!(volume.values::<Int32Type>().unwrap(), [0, 70_001, 70_000]);
    assert_eq!(volume.nulls().unwrap().null_count(), 1);
    assert!(volume.values::<Float64Type>().is_none());
    assert_eq!(volume.logical().unwrap().data_type(), &DataType::Int64);
}

#[test]
fn a_matrix_tells_missing_rows_from_nulls_and_nulls_from_nan() {
    let (_place, store) = small_store();
    let of = |name: &str, from| {
        let dates = Selection { from, ..Selection::default() };
        store.answer(&Request { dates, ..Request::of([name]) }).unwrap()
    };
    let sizes = of("size", None).matrix(&Fill::of::<Float64Type>(7.0), &workers(2), &Silent).unwrap();
    is_a_handle(&sizes);
    assert_eq!(sizes.stocks(), ["000001.SZ", "600000.SH", "BRK.B", "平安"]);
    assert_eq!(sizes.dates(), store.dates().unwrap());
    let nan = sizes.value::<Float64Type>(1, 0).unwrap();
    assert_eq!(nan.to_bits(), 0x7ff8_0000_0000_1234);
    assert!(sizes.has_row(2, 0) && sizes.value::<Float64Type>(2, 0).is_none(), "a null");
    assert!(!sizes.has_row(0, 1) && sizes.value::<Float64Type>(0, 1).is_none(), "no row");
    assert_eq!(sizes.date_values::<Float64Type>(2).unwrap()[0], 7.0);
    assert_eq!(sizes.date_values::<Float64Type>(0).unwrap()[1], 7.0);
    assert_eq!(sizes.cells().rows().count_set_bits() as u64, store.row_count());
    let halted = of("halted", Some(date(20240102))).matrix(&Fill::of::<UInt8Type>(9), &workers(1), &Silent).unwrap();
    assert_eq!((halted.dates().len(), halted.value::<UInt8Type>(0, 0)), (2, Some(1)));
    assert_eq!(halted.values::<UInt8Type>().unwrap()[1], 9);
    let price = of("price", None).matrix(&Fill::of::<Decimal128Type>(0), &workers(1), &Silent).unwrap();
    assert_eq!(price.value::<Decimal128Type>(0, 0), Some(1_234_567));
}

/// Stops a run after so many sections.
struct StopAfter {
    most: u64,
    done: AtomicU64,
}

impl Observer for StopAfter {
    fn advance(&self, count: u64) {
        self.done.fetch_add(count, Ordering::SeqCst);
    }

    fn cancelled(&self) -> bool {
        self.done.load(Ordering::SeqCst) >= self.most
    }
}

#[test]
fn a_matrix_and_a_series_stop_between_sections_when_they_are_told_to() {
    let (_place, store) = small_store();
    let answer = store.answer(&Request::of(["size"])).unwrap();
    for most in 0..4 {
        let stop = || StopAfter { most, done: AtomicU64::new(0) };
        let (of_matrix, of_series) = (stop(), stop());
        let matrix = answer.matrix(&Fill::of::<Float64Type>(0.0), &workers(1), &of_matrix).map(drop);
        let series = answer.series("600000.SH", &workers(1), &of_series).map(drop);
        for (result, stop) in [(matrix, of_matrix), (series, of_series)] {
            assert_eq!(stop.done.into_inner(), most.min(3));
            match most {
                3 => assert!(result.is_ok(), "{result:?}"),
                _ => assert!(matches!(result, Err(Error::Cancelled)), "{result:?}"),
            }
        }
    }
}

#[test]
fn a_matrix_of_text_is_refused() {
    let (_place, store) = small_store();
    let names = store.answer(&Request::of(["name"])).unwrap().matrix(&Fill::of::<Int32Type>(0), &workers(1), &Silent);
    let why = "column \"name\" is Utf8 and cannot be a matrix of Int32; ask for a column of numbers";
    assert_eq!(names.unwrap_err().to_string(), why);
    assert!(hint(store.answer(&Request::of(["Size"]))).contains("size"));
}

#[test]
fn a_directory_of_another_program_is_neither_a_store_nor_replaced() {
    let place = Place::new();
    small_panel(&place, 0);
    for (files, force) in [(&["LOCK", "thesis.tex"][..], false), (&["CURRENT", "LOCK", "000005.log"], true)] {
        let dir = place.path(files[files.len() - 1]);
        fs::create_dir(&dir).unwrap();
        for file in files {
            fs::write(dir.join(file), "MANIFEST-000004\n").unwrap();
        }
        let result = Build::new(place.source(), &dir).force(force).run();
        assert!(matches!(result, Err(Error::Refused { .. })), "{result:?}");
        assert!(!matches!(Store::open(&dir), Err(Error::Unfinished { .. })));
        for file in files {
            assert_eq!(fs::read_to_string(dir.join(file)).unwrap(), "MANIFEST-000004\n");
        }
        assert_eq!(paths_in(&dir).len(), files.len());
    }
}
