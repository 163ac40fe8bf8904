//! Who asks for what is not there should learn what is: a date between two sections, a code with a typing error, a
//! column of another year's schema.

use std::fs;

use arrow_array::types::{Decimal128Type, Float64Type, Int32Type, UInt8Type};
use arrow_schema::DataType;
use transect::{Build, Error, Store};

use super::panels::{Place, SMALL_DATES, date, header, rows, small_panel, workers};

fn small_store() -> (Place, Store) {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let store = Store::open(place.store()).unwrap();
    (place, store)
}

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
        Err(error @ Error::Refused { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let one = workers(1);
    let why = refused(store.matrix::<Int32Type>("volume", .., 0, &one).map(drop));
    assert!(why.contains("volume") && why.contains("Int64") && why.contains("Int32"), "{why}");
    refused(store.matrix::<Float64Type>("halted", .., 0.0, &one).map(drop));
    refused(store.matrix::<Int32Type>("name", .., 0, &one).map(drop));
    assert!(hint(store.matrix::<Float64Type>("Size", .., 0.0, &one)).contains("size"));
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
        assert_eq!(fs::read_dir(&dir).unwrap().count(), files.len());
    }
}
