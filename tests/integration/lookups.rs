//! Who asks for what is not there should learn what is: a date between two sections, a code with a typing error, a
//! column of another year's schema. And `verify --source` is worth nothing if it does not find what it is for.

use std::fs;
use std::sync::Arc;

use arrow_array::types::{Decimal128Type, Float64Type, Int32Type, UInt8Type};
use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow_schema::DataType;
use transect::progress::Silent;
use transect::{Build, Error, SourceReport, Store, verify_source};

use super::panels::{Place, SMALL_DATES, batch, date, header, rows, small_panel, verify, workers};

fn small_store() -> (Place, Store) {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let store = Store::open(place.store()).unwrap();
    (place, store)
}

fn hint<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::NotFound { what, hint }) => format!("{what}; {hint}"),
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
fn columns_are_chosen_by_place_and_a_place_beyond_the_last_is_an_error() {
    let (_place, store) = small_store();
    let section = store.section(date(20240102)).unwrap();
    let (all, series) = (section.batch().unwrap(), store.series("BRK.B").unwrap());
    let pick = |row: &Vec<super::panels::Cell>| [0, 1, 7, 2].map(|at| row[at].clone()).to_vec();
    let names = ["ts_code", "trade_date", "price", "size"];
    for (whole, chosen) in
        [(all, section.batch_of(&[5, 0]).unwrap()), (series, store.series_of("BRK.B", &[5, 0], &workers(2)).unwrap())]
    {
        assert!(header(&chosen).iter().map(|(name, _)| name).eq(names));
        assert_eq!(rows(&chosen), rows(&whole).iter().map(pick).collect::<Vec<_>>());
    }
    assert_eq!(section.batch_of(&[]).unwrap().num_columns(), 2);
    for place in [7, usize::MAX] {
        assert!(hint(section.batch_of(&[place])).contains("the panel has 7"));
        assert!(hint(section.column_at(place)).contains("the panel has 7"));
        assert!(hint(store.series_of("BRK.B", &[place], &workers(1))).contains("the panel has 7"));
    }
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
    let sizes = store.matrix::<Float64Type>("size", .., 7.0, &workers(2)).unwrap();
    assert_eq!(sizes.stocks(), ["000001.SZ", "600000.SH", "BRK.B", "平安"]);
    assert_eq!(sizes.dates(), store.dates().unwrap());
    let nan = sizes.value(1, 0).unwrap();
    assert_eq!(nan.to_bits(), 0x7ff8_0000_0000_1234);
    assert!(sizes.has_row(2, 0) && sizes.value(2, 0).is_none(), "a null");
    assert!(!sizes.has_row(0, 1) && sizes.value(0, 1).is_none(), "no row");
    assert_eq!((sizes.date_values(2)[0], sizes.date_values(0)[1]), (7.0, 7.0));
    assert_eq!(sizes.rows().count_set_bits() as u64, store.row_count());
    let halted = store.matrix::<UInt8Type>("halted", date(20240102).., 9, &workers(1)).unwrap();
    assert_eq!((halted.dates().len(), halted.value(0, 0), halted.values()[1]), (2, Some(1), 9));
    let price = store.matrix::<Decimal128Type>("price", .., 0, &workers(1)).unwrap();
    assert_eq!(price.value(0, 0), Some(1_234_567));
}

#[test]
fn a_matrix_of_another_type_or_of_text_is_refused() {
    let (_place, store) = small_store();
    let refused = |result: Result<(), Error>| match result {
        Err(Error::Refused(why)) => why,
        other => panic!("{other:?}"),
    };
    let one = workers(1);
    let why = refused(store.matrix::<Int32Type>("volume", .., 0, &one).map(drop));
    assert!(why.contains("volume") && why.contains("Int64") && why.contains("Int32"), "{why}");
    refused(store.matrix::<Float64Type>("halted", .., 0.0, &one).map(drop));
    refused(store.matrix::<Int32Type>("name", .., 0, &one).map(drop));
    assert!(hint(store.matrix::<Float64Type>("Size", .., 0.0, &one)).contains("size"));
}

/// A panel of two stocks, and what the store says of its source after `change`.
fn after(change: impl Fn(&Place)) -> SourceReport {
    let place = Place::new();
    let file = |size: f64, dates: &[&str]| {
        let sizes: ArrayRef = Arc::new(Float64Array::from(vec![size; dates.len()]));
        batch(&[("date", Arc::new(StringArray::from(dates.to_vec())) as ArrayRef), ("size", sizes)])
    };
    place.add("A", &file(0.0, &["20240102", "20240103"]));
    place.add("B", &file(f64::NAN, &["20240102"]));
    place.build();
    let store = Store::open(place.store()).unwrap();
    let before = verify_source(&store, &place.source(), &workers(1), &Silent).unwrap();
    assert_eq!((before.files, before.rows, before.difference_count), (2, 3, 0));
    change(&place);
    let report = verify_source(&store, &place.source(), &workers(1), &Silent).unwrap();
    assert_eq!(report.differences.len() as u64, report.difference_count);
    assert_eq!(verify(&store).damages, Vec::<String>::new());
    report
}

fn sizes(place: &Place, code: &str, rows: &[(&str, f64)]) {
    let dates: ArrayRef = Arc::new(rows.iter().map(|(date, _)| Some(*date)).collect::<StringArray>());
    let sizes: ArrayRef = Arc::new(rows.iter().map(|(_, size)| Some(*size)).collect::<Float64Array>());
    place.add(code, &batch(&[("date", dates), ("size", sizes)]));
}

#[test]
fn a_value_that_differs_in_one_bit_is_found() {
    let report = after(|place| sizes(place, "A", &[("20240102", 0.0), ("20240103", -0.0)]));
    assert_eq!(report.differences, ["A 20240103 \"size\": 0.0 in the store, -0.0 in the source"]);
    let report = after(|place| sizes(place, "B", &[("20240102", f64::from_bits(f64::NAN.to_bits() + 1))]));
    assert_eq!(report.difference_count, 1, "{report:?}");
    assert!(report.differences[0].starts_with("B 20240102"));
}

#[test]
fn rows_too_many_and_too_few_are_found() {
    let report = after(|place| sizes(place, "A", &[("20240102", 0.0)]));
    assert_eq!(report.differences, ["A 20240103: the store has a row, the source has none"]);
    let report = after(|place| sizes(place, "B", &[("20240102", f64::NAN), ("20240103", 1.0)]));
    assert_eq!(report.differences, ["B 20240103: the source has a row, the store has none"]);
    let report = after(|place| sizes(place, "B", &[("20240102", f64::NAN), ("20240104", 1.0), ("20230104", 1.0)]));
    assert_eq!(
        report.differences,
        [
            "20230104: the store has no section, the source has rows",
            "20240104: the store has no section, the source has rows"
        ]
    );
}

#[test]
fn files_too_many_and_too_few_are_found() {
    let report = after(|place| sizes(place, "AA", &[("20240102", 1.0)]));
    assert_eq!(report.differences, ["AA 20240102: the source has a row, the store has none"]);
    let report = after(|place| fs::remove_file(place.source().join("A.parquet")).unwrap());
    assert_eq!(report.difference_count, 2, "{report:?}");
    let report = after(|place| fs::write(place.source().join("A.parquet"), "PAR1 no more").unwrap());
    assert_eq!((report.skipped.len(), report.difference_count), (1, 2), "{report:?}");
}

#[test]
fn columns_that_the_store_lacks_are_found() {
    let report = after(|place| {
        let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102"]));
        let size: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN]));
        place.add("B", &batch(&[("date", dates), ("size", size), ("beta", Arc::new(Int64Array::from(vec![1])))]));
    });
    assert_eq!(report.differences, ["column \"beta\" is in the source and not in the store"]);
}

#[test]
fn columns_that_the_source_lacks_are_found() {
    let report = after(|place| {
        for (code, dates) in [("A", vec!["20240102", "20240103"]), ("B", vec!["20240102"])] {
            place.add(code, &batch(&[("date", Arc::new(StringArray::from(dates)) as ArrayRef)]));
        }
    });
    assert_eq!(report.differences, ["column \"size\" is in the store and not in the source"]);
}

/// A cast would make 0.5 an equal of 0.
#[test]
fn columns_of_another_type_are_found() {
    let place = Place::new();
    let file = |sizes: ArrayRef| {
        batch(&[("date", Arc::new(StringArray::from(vec!["20240102"])) as ArrayRef), ("size", sizes)])
    };
    place.add("A", &file(Arc::new(Int64Array::from(vec![0]))));
    place.build();
    place.add("A", &file(Arc::new(Float64Array::from(vec![0.5]))));
    let store = Store::open(place.store()).unwrap();
    let report = verify_source(&store, &place.source(), &workers(1), &Silent).unwrap();
    assert_eq!(report.differences, ["column \"size\" is Int64 in the store, Float64 in the source"]);
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
        assert!(matches!(result, Err(Error::Refused(_))), "{result:?}");
        assert!(!matches!(Store::open(&dir), Err(Error::Unfinished { .. })));
        for file in files {
            assert_eq!(fs::read_to_string(dir.join(file)).unwrap(), "MANIFEST-000004\n");
        }
        assert_eq!(fs::read_dir(&dir).unwrap().count(), files.len());
    }
}
