//! An update that takes a restated row for an old one, or an old one for gone, is wrong without anyone knowing. Random
//! panels change here from day to day, beside the same map as a build's; what an update says it did is counted from two
//! such maps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    LargeStringArray, NullArray, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, UInt8Array, UInt64Array,
};
use arrow_schema::DataType;
use proptest::prelude::*;
use transect::panel::Column;
use transect::progress::Silent;
use transect::source::SourceOptions;
use transect::{Build, Date, Guard, Limit, Store, Transpose, Update, UpdateReport, verify_output};

use super::model::{Files, Rows, days};
use super::panels::{
    Cell, Place, assert_no_leftovers, assert_whole, batch, cases, cell, entries, sections, small_panel, workers,
    write_parquet,
};

fn update(place: &Place) -> UpdateReport {
    Update::new(place.store()).workers(1).run().unwrap()
}

fn open(place: &Place) -> Store {
    Store::open(place.store()).unwrap()
}

/// Every row of `store` with its values, nulls left out, by name of column.
pub(super) fn rows_of(store: &Store) -> Rows {
    let mut rows = Rows::new();
    for &date in store.dates().unwrap() {
        let batch = store.section(date).unwrap().batch().unwrap();
        for row in 0..batch.num_rows() {
            let Cell::Text(code) = cell(batch.column(0), row) else { panic!("a code is text") };
            let fields = batch.schema();
            let cells =
                (2..batch.num_columns()).map(|at| (fields.field(at).name().clone(), cell(batch.column(at), row)));
            let row = cells.filter(|(_, cell)| *cell != Cell::Null).collect();
            assert!(rows.insert((date, code), row).is_none());
        }
    }
    rows
}

/// How two versions differ.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    added: u64,
    restated: u64,
    filled: u64,
    removed: u64,
    dirty_dates: u64,
}

impl Difference {
    /// Between two maps, of which the first has these columns.
    pub(super) fn between(before: &Rows, now: &Rows, columns: &[Column]) -> Difference {
        let is_known = |name: &str| columns.iter().any(|column| column.name == name);
        let mut difference = Difference { added: 0, restated: 0, filled: 0, removed: 0, dirty_dates: 0 };
        let mut dates = BTreeSet::new();
        let keys: BTreeSet<_> = before.keys().chain(now.keys()).collect();
        for key in keys {
            match (before.get(key), now.get(key)) {
                (Some(old), Some(new)) if old == new => continue,
                (Some(old), Some(new)) => {
                    let known = new.iter().filter(|(name, _)| is_known(name));
                    match known.eq(old) {
                        true => difference.filled += 1,
                        false => difference.restated += 1,
                    }
                }
                (None, _) => difference.added += 1,
                (_, None) => difference.removed += 1,
            }
            dates.insert(key.0);
        }
        difference.dirty_dates = dates.len() as u64;
        difference
    }

    /// As an update tells it.
    pub(super) fn told(report: &UpdateReport) -> Difference {
        let UpdateReport { added, restated, filled, removed, dirty_dates, .. } = *report;
        Difference { added, restated, filled, removed, dirty_dates }
    }
}

/// The output directory holds what `store` holds, and nothing more.
fn assert_turned(store: &Store, place: &Place) {
    let out = place.path("out");
    let report = verify_output(store, &out, &workers(1), &Silent).unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
    assert_eq!(report.rows, store.row_count());
    assert_eq!(entries(&out).len(), 1 + store.dates().unwrap().len());
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn a_store_that_is_updated_day_by_day_holds_what_the_model_holds(
        days in days(),
        // For each day and code: whether a file that is not written that day goes; whether the rows go with it.
        gone in proptest::collection::vec((any::<u16>(), any::<bool>()), 5),
        workers in 1usize..4,
    ) {
        let place = Place::new();
        days[0].write(&place);
        Build::new(place.source(), place.store()).workers(workers).run().unwrap();
        let mut state = Files { types: days[0].types.clone(), files: days[0].files.clone() };
        let mut versions = vec![(1, rows_of(&open(&place)))];
        prop_assert_eq!(&versions[0].1, &state.rows());
        Transpose::new(&open(&place), place.path("out")).workers(workers).run().unwrap();
        let mut schema = open(&place).schema().unwrap().clone();
        for (day, (gone, prune)) in days[1..].iter().zip(gone) {
            day.write(&place);
            let mut missing: Vec<&str> = Vec::new();
            for (at, code) in state.files.keys().copied().enumerate() {
                let path = place.source().join(format!("{code}.parquet"));
                if !day.files.contains_key(code) && (gone >> at & 1 == 1 || !path.exists()) {
                    let _ = fs::remove_file(path);
                    missing.push(code);
                }
            }
            for code in missing {
                if prune || state.files[code].is_empty() {
                    state.files.remove(code);
                }
            }
            state.files.extend(day.files.clone());
            let expected = state.rows();
            let result = Update::new(place.store()).prune(prune).workers(workers).allow(Guard::ALL).run();
            if expected.is_empty() {
                prop_assert!(result.is_err());
                return Ok(());
            }
            let report = result.unwrap();
            prop_assert_eq!(&report.skipped, &[]);
            let store = open(&place);
            assert_whole(&store);
            let now = rows_of(&store);
            prop_assert_eq!(&now, &expected);
            prop_assert_eq!(report.rows, now.len() as u64);
            let said = Difference::told(&report);
            prop_assert_eq!(&said, &Difference::between(&versions.last().unwrap().1, &now, &schema.columns));
            prop_assert!(report.published, "files were written");
            versions.push((report.version, now));
            let history = store.history().unwrap();
            let entry = history.last().unwrap();
            prop_assert_eq!((entry.version, entry.added, entry.restated, entry.removed), (report.version, said.added, said.restated, said.removed));
            // What a transpose leaves alone is what it would have written.
            let turned = Transpose::new(&store, place.path("out")).workers(workers).run().unwrap();
            prop_assert_eq!(turned.written + turned.unchanged_files, store.dates().unwrap().len() as u64);
            prop_assert!(store.schema().unwrap() != &schema || turned.written <= said.dirty_dates, "{turned:?}");
            assert_turned(&store, &place);
            schema = store.schema().unwrap().clone();
            // Nothing is left to do.
            let again = Update::new(place.store()).prune(prune).workers(workers).allow(Guard::ALL).run().unwrap();
            prop_assert!(!again.published && again.read_files == 0, "{again:?}");
        }
        for (version, rows) in &versions {
            let store = Store::open_version(place.store(), *version).unwrap();
            assert_whole(&store);
            prop_assert_eq!(&rows_of(&store), rows, "version {}", version);
            // Back to the first version, and forward again.
            Transpose::new(&store, place.path("out")).workers(workers).run().unwrap();
            assert_turned(&store, &place);
        }
        assert_no_leftovers(&place.store());
    }
}

/// Sections whose `changed` did not move lie where they lay.
#[test]
fn only_dirty_sections_are_written_again() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let before = sections(&open(&place));
    // One stock gets a new value on its one date.
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102"]));
    place.add("平安", &batch(&[("trade_date", dates), ("size", Arc::new(Float64Array::from(vec![2e300])))]));
    let report = update(&place);
    assert_eq!((report.added, report.restated, report.removed, report.dirty_dates), (0, 1, 0, 1));
    assert_eq!(report.first_dirty, Some(super::panels::date(20240102)));
    let store = open(&place);
    let changed: Vec<u64> = store.dates().unwrap().iter().map(|&date| store.section(date).unwrap().changed()).collect();
    assert_eq!(changed, [1, 2, 1]);
    let now = sections(&store);
    assert_eq!((&now[0], &now[2]), (&before[0], &before[2]));
    assert_ne!(now[1], before[1]);
    let restated: Vec<(&str, u64)> = report.columns.iter().map(|c| (c.column.as_str(), c.restated)).collect();
    // The other columns are gone from the file, so their values are null now; halted was null before.
    let expected = ["size", "ind_bank", "volume", "name", "price", "raw"].map(|name| (name, 1));
    assert_eq!(restated, expected);
    assert_eq!(report.absent_columns, ["ind_bank", "volume", "halted", "name", "price", "raw"]);
    let example = &report.examples[0];
    assert_eq!(
        (example.date, example.code.as_str(), example.change),
        (super::panels::date(20240102), "平安", "restated")
    );
    assert_eq!(example.column.as_deref(), Some("size"));
    assert_eq!((example.before.as_deref(), example.now.as_deref()), (Some("1e300"), Some("2e300")));
}

#[test]
fn a_file_with_another_time_and_the_same_bytes_is_not_decoded() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let path = place.source().join("BRK.B.parquet");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    // Nothing differs, so nothing is published, and the new time is not remembered either.
    for _ in 0..2 {
        let report = update(&place);
        assert_eq!((report.touched_files, report.read_files, report.unchanged_files), (1, 0, 3));
        assert_eq!((report.published, report.version), (false, 1));
    }
    // The next version remembers it.
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240105"]));
    place.add("new", &batch(&[("date", dates)]));
    assert!(update(&place).published);
    let again = update(&place);
    assert_eq!((again.touched_files, again.unchanged_files, again.published), (0, 5, false));
}

#[test]
fn a_file_written_anew_with_the_same_rows_makes_no_version() {
    let place = Place::new();
    let x: ArrayRef = Arc::new(Float64Array::from(vec![1.0, -0.0]));
    let write = |order: [usize; 2]| {
        let dates: ArrayRef = Arc::new(StringArray::from(order.map(|row| ["20240102", "20240103"][row]).to_vec()));
        let order = arrow_array::UInt32Array::from(order.map(|row| row as u32).to_vec());
        place.add("A", &batch(&[("date", dates), ("x", arrow_select::take::take(&x, &order, None).unwrap())]));
    };
    write([0, 1]);
    place.build();
    write([1, 0]);
    let report = update(&place);
    assert_eq!((report.read_files, report.restated, report.published), (1, 0, false));
}

#[test]
fn a_source_that_moved_as_it_was_is_remembered() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    fs::rename(place.source(), place.path("moved")).unwrap();
    let report = Update::new(place.store())
        .set("source", format!("path={}", place.path("moved").display()).parse().unwrap())
        .run()
        .unwrap();
    assert_eq!((report.published, report.read_files, report.dirty_dates), (true, 0, 0));
    let again = update(&place);
    assert_eq!((again.published, again.unchanged_files, again.missing_files.len()), (false, 4, 0));
}

#[test]
fn a_file_with_the_same_size_and_time_and_other_bytes_is_seen_by_its_content() {
    let place = Place::new();
    let write = |value: f64| {
        let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102"]));
        place.add("A", &batch(&[("date", dates), ("x", Arc::new(Float64Array::from(vec![value])))]));
    };
    write(1.0);
    place.build();
    let path = place.source().join("A.parquet");
    let (time, len) = (fs::metadata(&path).unwrap().modified().unwrap(), fs::metadata(&path).unwrap().len());
    write(2.0);
    assert_eq!(fs::metadata(&path).unwrap().len(), len);
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    assert!(!update(&place).published);
    let report = Update::new(place.store()).check_content(true).run().unwrap();
    assert_eq!((report.restated, report.published), (1, true));
}

#[test]
fn rows_of_a_file_that_disappeared_stay_until_they_are_pruned() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let all = rows_of(&open(&place));
    fs::remove_file(place.source().join("BRK.B.parquet")).unwrap();
    let report = update(&place);
    assert_eq!((report.published, report.missing_files), (false, vec!["BRK.B.parquet".to_owned()]));
    assert_eq!(rows_of(&open(&place)), all);
    let report = Update::new(place.store()).prune(true).run().unwrap();
    assert_eq!((report.removed, report.pruned_files), (2, vec!["BRK.B.parquet".to_owned()]));
    let left: Rows = all.into_iter().filter(|((_, code), _)| code != "BRK.B").collect();
    assert_eq!(rows_of(&open(&place)), left);
    // A stock that comes back has its number again, and its rows.
    small_panel(&place, 0);
    assert_eq!(update(&place).added, 2);
}

/// A directory that cannot be entered, a volume that is not mounted: what was there has not disappeared.
#[test]
fn rows_of_a_file_that_cannot_be_looked_at_stay_although_pruning() {
    let place = Place::new();
    let write = |code: &str| {
        fs::create_dir(place.source().join(code)).unwrap();
        let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102"]));
        write_parquet(&place.source().join(code).join("d.parquet"), &batch(&[("date", dates)]));
    };
    ["A", "B", "C"].into_iter().for_each(write);
    let options = SourceOptions { pattern: "{code}/d.parquet".parse().unwrap(), ..SourceOptions::default() };
    Build::new(place.source(), place.store()).options(options).run().unwrap();
    for (code, target) in [("A", "A"), ("B", "nowhere")] {
        fs::remove_dir_all(place.source().join(code)).unwrap();
        std::os::unix::fs::symlink(target, place.source().join(code)).unwrap();
    }
    let report = Update::new(place.store()).prune(true).run().unwrap();
    let skipped: Vec<&str> = report.skipped.iter().map(|skipped| skipped.path.as_str()).collect();
    assert_eq!((skipped, report.removed), (vec!["A/d.parquet", "B/d.parquet"], 0));
    assert_eq!((report.pruned_files, report.missing_files), (Vec::new(), Vec::<String>::new()));
    assert_eq!(rows_of(&open(&place)).len(), 3);
}

#[test]
fn a_bad_file_keeps_its_rows_and_is_tried_again() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let all = rows_of(&open(&place));
    let path = place.source().join("BRK.B.parquet");
    let good = fs::read(&path).unwrap();
    fs::write(&path, &good[..good.len() - 10]).unwrap();
    let report = update(&place);
    assert_eq!((report.skipped.len(), report.removed), (1, 0));
    assert_eq!(rows_of(&open(&place)), all);
    let report = update(&place);
    assert_eq!((report.skipped.len(), report.published), (1, false));
    fs::write(&path, &good).unwrap();
    assert!(update(&place).skipped.is_empty());
    assert_eq!(rows_of(&open(&place)), all);
}

#[test]
fn a_limit_on_restatements_publishes_nothing_and_says_what_would_change() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let all = rows_of(&open(&place));
    small_panel(&place, 2);
    let limited = |most| Update::new(place.store()).max_restated(most).run().unwrap();
    for most in [Limit::Count(0), Limit::Count(7), Limit::Percent(99.0)] {
        let report = limited(most);
        assert!(report.refused.is_some_and(|why| why.starts_with("8 of 8 rows")), "{most}");
        assert_eq!((report.published, report.version, report.restated), (false, 1, 8));
        assert_eq!(report.examples.len(), 10);
        assert_eq!(rows_of(&open(&place)), all);
        assert_no_leftovers(&place.store());
    }
    assert!(limited(Limit::Count(8)).published);
    // New rows are no restatement.
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240105"]));
    place.add("new", &batch(&[("trade_date", dates), ("size", Arc::new(Float64Array::from(vec![1.0])))]));
    let report = limited(Limit::Count(0));
    assert_eq!((report.published, report.added, report.new_stocks), (true, 1, 1));
}

/// What a column becomes when a later file has it in another type.
#[test]
fn a_column_that_widens_keeps_its_old_values_exact() {
    let nan = f64::from_bits(0x7ff8_0000_0000_0bad);
    let text = |values: &[&str]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let cases: Vec<(ArrayRef, ArrayRef, DataType)> = vec![
        (
            Arc::new(Int64Array::from(vec![Some(1), None, Some(-70_000)])),
            Arc::new(Float64Array::from(vec![0.5, nan, -0.0])),
            DataType::Float64,
        ),
        (
            Arc::new(Int64Array::from(vec![0, 1, 1])),
            Arc::new(Float64Array::from(vec![0.5, 1.0, 0.0])),
            DataType::Float64,
        ),
        (
            Arc::new(Int64Array::from(vec![1 << 53, -(1 << 60), 0])),
            Arc::new(Float64Array::from(vec![0.5, 1.0, 0.0])),
            DataType::Float64,
        ),
        (Arc::new(UInt8Array::from(vec![0, 200, 255])), Arc::new(Int8Array::from(vec![-1, -128, 1])), DataType::Int16),
        (Arc::new(Int8Array::from(vec![-1, 1, 0])), Arc::new(Int32Array::from(vec![70_000, 1, 2])), DataType::Int32),
        (
            Arc::new(UInt64Array::from(vec![1, 2, i64::MAX as u64])),
            Arc::new(Int64Array::from(vec![-1, 2, 3])),
            DataType::Int64,
        ),
        (
            Arc::new(TimestampMillisecondArray::from(vec![Some(1), None, Some(-1)])),
            Arc::new(TimestampMicrosecondArray::from(vec![1, 2, 3])),
            DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, None),
        ),
        (
            Arc::new(Date32Array::from(vec![0, -1, 19_000])),
            Arc::new(TimestampMillisecondArray::from(vec![1, 2, 3])),
            DataType::Timestamp(arrow_schema::TimeUnit::Millisecond, None),
        ),
        (text(&["a", "b", ""]), Arc::new(LargeStringArray::from(vec!["b", "c", "平安"])), DataType::LargeUtf8),
        (Arc::new(NullArray::new(3)), text(&["x", "y", "x"]), DataType::Utf8),
        (Arc::new(NullArray::new(3)), Arc::new(Float64Array::from(vec![1.0, nan, 2.0])), DataType::Float64),
    ];
    let dates = || text(&["20240102", "20240103", "20240104"]);
    for (case, (old, new, data_type)) in cases.into_iter().enumerate() {
        let place = Place::new();
        place.add("A", &batch(&[("date", dates()), ("x", old.clone()), ("y", dates())]));
        place.build();
        place.add("B", &batch(&[("date", dates()), ("x", new.clone())]));
        let report = update(&place);
        let skipped: Vec<&str> = report.skipped.iter().map(|skipped| skipped.reason.what()).collect();
        assert_eq!((report.added, report.restated, report.skipped.len()), (3, 0, 0), "case {case}: {skipped:?}");
        assert_eq!(report.widened_columns.len(), 1, "case {case}");
        let store = open(&place);
        assert_whole(&store);
        assert_eq!(store.schema().unwrap().columns[0].data_type, data_type, "case {case}");
        // The same as a build of both, which has to widen as well.
        let whole = place.path("whole.store");
        Build::new(place.source(), &whole).run().unwrap();
        assert_eq!(rows_of(&store), rows_of(&Store::open(&whole).unwrap()), "case {case}");
        // And once more where the old rows are compared with themselves: nothing is restated by being wider.
        place.add("A", &batch(&[("date", dates()), ("x", old), ("y", dates()), ("z", new.clone())]));
        let report = update(&place);
        let valued = new.len() - new.logical_null_count();
        let told = Difference { added: 0, restated: 0, filled: valued as u64, removed: 0, dirty_dates: valued as u64 };
        assert_eq!(Difference::told(&report), told, "case {case}");
        let columns: Vec<(&str, u64)> =
            report.filled_columns.iter().map(|of| (of.column.as_str(), of.filled)).collect();
        assert_eq!((columns, report.columns.len()), (vec![("z", valued as u64)], 0), "case {case}");
        assert_whole(&open(&place));
    }
}

#[test]
fn a_type_that_cannot_hold_the_stores_values_refuses_the_new_file() {
    let dates = || -> ArrayRef { Arc::new(StringArray::from(vec!["20240102"])) };
    let cases: Vec<(ArrayRef, ArrayRef)> = vec![
        (Arc::new(Int64Array::from(vec![(1 << 53) + 1])), Arc::new(Float64Array::from(vec![0.5]))),
        (Arc::new(UInt64Array::from(vec![u64::MAX])), Arc::new(Int64Array::from(vec![-1]))),
        (Arc::new(StringArray::from(vec!["a"])), Arc::new(Int64Array::from(vec![1]))),
    ];
    for (old, new) in cases {
        let place = Place::new();
        place.add("A", &batch(&[("date", dates()), ("x", old)]));
        place.build();
        let before = rows_of(&open(&place));
        // However many files have the other type, the store's is kept.
        for code in ["B", "C", "D"] {
            place.add(code, &batch(&[("date", dates()), ("x", new.clone())]));
        }
        let report = update(&place);
        assert_eq!(report.skipped.len(), 3);
        assert!(report.skipped[0].reason.to_string().contains("in the store"), "{}", report.skipped[0].reason);
        assert_eq!(rows_of(&open(&place)), before);
    }
}

/// What the store holds is widened where it is read. A value that does not survive that keeps the new file out, by
/// name; the other files of the night go on.
#[test]
fn a_value_of_the_store_that_a_wider_type_would_alter_keeps_the_new_file_out() {
    let date = |day: &str| -> ArrayRef { Arc::new(StringArray::from(vec![day.to_owned()])) };
    let far = 32_503_680_000_000; // The year 3000, in milliseconds.
    let signalling = f32::from_bits(0x7f80_0001);
    let cases: [(ArrayRef, ArrayRef); 3] = [
        (Arc::new(Float32Array::from(vec![signalling])), Arc::new(Float64Array::from(vec![0.5]))),
        (Arc::new(TimestampMillisecondArray::from(vec![far])), Arc::new(TimestampNanosecondArray::from(vec![1]))),
        (Arc::new(Date32Array::from(vec![376_200])), Arc::new(TimestampNanosecondArray::from(vec![1]))),
    ];
    for (then, now) in cases {
        let place = Place::new();
        place.add("A", &batch(&[("date", date("20240102")), ("x", then.clone())]));
        place.build();
        place.add("B", &batch(&[("date", date("20240102")), ("x", now.clone())]));
        place.add("C", &batch(&[("date", date("20240103")), ("x", then.clone())]));
        let report = update(&place);
        let skipped: Vec<&str> = report.skipped.iter().map(|skipped| skipped.path.as_str()).collect();
        assert_eq!((skipped, report.added, report.restated), (vec!["B.parquet"], 1, 0), "{}", now.data_type());
        assert!(
            report.skipped[0].reason.to_string().contains("cannot hold all values of the store"),
            "{:?}",
            report.skipped
        );
        assert_eq!(rows_of(&open(&place)).len(), 2);
        assert_whole(&open(&place));
    }
}

/// Integers of 0 and 1 are stored as bits, whatever they are widened to.
#[test]
fn a_dummy_that_becomes_a_decimal_keeps_its_values() {
    let place = Place::new();
    let date = |day: &str| -> ArrayRef { Arc::new(StringArray::from(vec![day.to_owned()])) };
    place.add("A", &batch(&[("date", date("20240102")), ("x", Arc::new(Int8Array::from(vec![1])))]));
    place.build();
    let decimal = Decimal128Array::from(vec![12345]).with_precision_and_scale(12, 2).unwrap();
    place.add("B", &batch(&[("date", date("20240103")), ("x", Arc::new(decimal))]));
    let report = update(&place);
    assert_eq!((report.skipped.len(), report.added, report.restated), (0, 1, 0));
    let x = |day| {
        let batch = open(&place).section(Date::from_yyyymmdd(day).unwrap()).unwrap().batch().unwrap();
        cell(batch.column_by_name("x").unwrap(), 0)
    };
    assert_eq!([x(20240102), x(20240103)], [Cell::Bits(100), Cell::Bits(12345)]);
    let out = place.path("out");
    Transpose::new(&open(&place), &out).workers(1).run().unwrap();
    assert_eq!(verify_output(&open(&place), &out, &workers(1), &Silent).unwrap().differences, Vec::<String>::new());
}

/// Where it had wide values, nulls are stored as wide.
#[test]
fn a_column_that_lost_all_values_comes_back_in_a_narrower_type() {
    let date = || -> ArrayRef { Arc::new(StringArray::from(vec!["20240102", "20240103"])) };
    let nothing: [Option<ArrayRef>; 3] =
        [None, Some(Arc::new(Int16Array::from(vec![None, None]))), Some(Arc::new(Int32Array::from(vec![None, None])))];
    for gone in nothing {
        let place = Place::new();
        let write = |x: Option<ArrayRef>| {
            let columns = [("date", date())].into_iter().chain(x.map(|x| ("x", x)));
            write_parquet(&place.source().join("A.parquet"), &batch(&columns.collect::<Vec<_>>()));
            Update::new(place.store()).allow(Guard::ALL).workers(1).run()
        };
        place.add("B", &batch(&[("date", date()), ("y", date())]));
        place.add("A", &batch(&[("date", date()), ("x", Arc::new(Int32Array::from(vec![1 << 20, 7])))]));
        place.build();
        write(gone).unwrap();
        assert_eq!(write(Some(Arc::new(Int16Array::from(vec![300, -1])))).unwrap().skipped.len(), 0);
        let rows = rows_of(&open(&place));
        let x = rows.values().filter_map(|row| row.get("x").cloned()).collect::<Vec<_>>();
        assert_eq!(x, [Cell::Bits(300), Cell::Bits(0xffff)]);
        assert_whole(&open(&place));
    }
}

#[test]
fn many_small_versions_are_merged_and_hold_what_they_held() {
    let place = Place::new();
    let mut expected: BTreeMap<i64, f64> = BTreeMap::new();
    let write = |rows: &BTreeMap<i64, f64>| {
        let dates = rows.keys().map(|day| Some(day.to_string())).collect::<StringArray>();
        let values = rows.values().copied().collect::<Float64Array>();
        let path = place.source().join("A.parquet");
        write_parquet(&path, &batch(&[("date", Arc::new(dates) as ArrayRef), ("x", Arc::new(values))]));
    };
    expected.insert(20240101, 0.0);
    write(&expected);
    place.build();
    let mut most = 0;
    for day in 20240102..=20240131 {
        expected.insert(day, day as f64);
        write(&expected);
        let report = Update::new(place.store()).keep(3).run().unwrap();
        assert_eq!((report.added, report.restated), (1, 0), "{day}");
        let store = open(&place);
        assert_whole(&store);
        assert_eq!(rows_of(&store).len(), expected.len());
        most = most.max(store.info().unwrap().segments);
        // Merging moves sections and changes none.
        let changed: Vec<u64> =
            store.dates().unwrap().iter().map(|&date| store.section(date).unwrap().changed()).collect();
        assert!(changed.iter().copied().eq(1..=expected.len() as u64), "{day}: {changed:?}");
    }
    assert_eq!(most, 15);
    assert_eq!(open(&place).kept_versions().unwrap(), [29, 30, 31]);
}

#[test]
fn the_codes_keep_their_type_whatever_type_of_text_a_new_file_has() {
    let place = Place::new();
    let text = |texts: &[&str]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
    let values: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    place.add("A", &batch(&[("ts_code", text(&["A"])), ("date", text(&["20240102"])), ("x", Arc::clone(&values))]));
    place.build();
    let codes: ArrayRef = Arc::new(LargeStringArray::from(vec!["B"]));
    place.add("B", &batch(&[("ts_code", codes), ("date", text(&["20240103"])), ("x", values)]));
    let report = update(&place);
    assert_eq!((report.added, report.dirty_dates, report.skipped.len()), (1, 1, 0));
    assert_eq!(open(&place).schema().unwrap().code.data_type, DataType::Utf8);
}
