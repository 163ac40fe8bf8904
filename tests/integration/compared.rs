//! `verify --source` is asked by whoever doubts: it must see everything that it says it saw. Each differing row and
//! value is named, whatever else differs beside it; what could not be compared is no difference, and no agreement.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Date32Array, Float32Array, Float64Array, Int64Array, StringArray};
use proptest::prelude::*;
use transect::progress::Silent;
use transect::{Append, Build, Guard, Kept, SourceReport, Store, Update, verify_source};

use super::panels::{Place, batch, cases, verify, workers, write_parquet};

const MEMORY: u64 = 64 << 20;

fn compare(place: &Place) -> SourceReport {
    let store = Store::open(place.store()).unwrap();
    assert_eq!(verify(&store).damages, Vec::<String>::new());
    verify_source(&store, &place.source(), &workers(2).within(MEMORY), &Silent).unwrap()
}

fn told(report: &SourceReport) -> Vec<String> {
    assert_eq!((report.differences.len() as u64, report.not_listed), (report.difference_count, 0));
    report.differences.iter().map(ToString::to_string).collect()
}

fn dates(dates: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(dates.to_vec()))
}

fn doubles(values: &[Option<f64>]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

/// A file of one column `size`.
fn sizes(place: &Place, code: &str, rows: &[(&str, f64)]) {
    let days: Vec<&str> = rows.iter().map(|(day, _)| *day).collect();
    let values: Vec<Option<f64>> = rows.iter().map(|(_, size)| Some(*size)).collect();
    place.add(code, &batch(&[("date", dates(&days)), ("size", doubles(&values))]));
}

/// A panel of two stocks, and what is told of its source after `change`.
fn after(change: impl Fn(&Place)) -> SourceReport {
    let place = Place::new();
    sizes(&place, "A", &[("20240102", 0.0), ("20240103", 0.0)]);
    sizes(&place, "B", &[("20240102", f64::NAN)]);
    place.build();
    let before = compare(&place);
    assert_eq!((before.files, before.rows, before.values, before.is_complete()), (2, 3, 3, true));
    change(&place);
    compare(&place)
}

#[test]
fn a_value_that_differs_in_one_bit_is_found() {
    let report = after(|place| sizes(place, "A", &[("20240102", 0.0), ("20240103", -0.0)]));
    assert_eq!(told(&report), ["A 20240103 \"size\": 0.0 in the store, -0.0 in the source"]);
    let report = after(|place| sizes(place, "B", &[("20240102", f64::from_bits(f64::NAN.to_bits() + 1))]));
    let both = "NaN (0x7ff8000000000000) in the store, NaN (0x7ff8000000000001) in the source";
    assert_eq!(told(&report), [format!("B 20240102 \"size\": {both}")]);
}

#[test]
fn a_null_is_no_value() {
    let report = after(|place| {
        place.add("A", &batch(&[("date", dates(&["20240102", "20240103"])), ("size", doubles(&[None, Some(0.0)]))]));
    });
    assert_eq!(told(&report), ["A 20240102 \"size\": 0.0 in the store, null in the source"]);
}

#[test]
fn every_row_of_every_date_is_named_whatever_else_differs_there() {
    let report = after(|place| {
        sizes(place, "A", &[("20230104", 1.0), ("20240102", 2.0), ("20240104", 3.0)]);
        sizes(place, "AA", &[("20240102", 4.0), ("20240103", 5.0)]);
        sizes(place, "B", &[("20240102", 1.5), ("20240103", 6.0)]);
    });
    assert_eq!(
        told(&report),
        [
            "A 20230104 the source has a row, the store has none",
            "A 20240102 \"size\": 0.0 in the store, 2.0 in the source",
            "A 20240103 the store has a row, the source has none",
            "A 20240104 the source has a row, the store has none",
            "AA 20240102 the source has a row, the store has none",
            "AA 20240103 the source has a row, the store has none",
            "B 20240102 \"size\": NaN in the store, 1.5 in the source",
            "B 20240103 the source has a row, the store has none",
        ]
    );
    assert_eq!((report.files, report.rows, report.values), (3, 7, 2));
    assert_eq!((report.differing_values, report.only_in_store, report.only_in_source), (2, 1, 5));
    assert_eq!((report.differing_stocks, report.differing_dates), (3, 4));
    assert_eq!(report.differing_columns, BTreeMap::from([("size".to_owned(), 2)]));
}

#[test]
fn rows_of_a_file_that_is_gone_are_kept_and_hide_nothing() {
    let report = after(|place| {
        fs::remove_file(place.source().join("A.parquet")).unwrap();
        sizes(place, "B", &[("20240102", 1.0)]);
    });
    assert_eq!(told(&report), ["B 20240102 \"size\": NaN in the store, 1.0 in the source"]);
    let kept: Vec<_> = report
        .kept
        .iter()
        .map(|kept| (kept.code.as_deref().unwrap(), kept.path.as_deref(), kept.why, kept.rows))
        .collect();
    assert_eq!(kept, [("A", Some("A.parquet"), Kept::Missing, 2)]);
    let report = after(|place| fs::remove_file(place.source().join("A.parquet")).unwrap());
    assert_eq!((report.difference_count, report.is_complete()), (0, false));
}

#[test]
fn a_file_that_is_renamed_is_one_gone_and_one_that_is_new() {
    let report = after(|place| {
        fs::rename(place.source().join("B.parquet"), place.source().join("C.parquet")).unwrap();
    });
    assert_eq!(told(&report), ["C 20240102 the source has a row, the store has none"]);
    assert_eq!((report.kept[0].code.as_deref().unwrap(), report.kept[0].why), ("B", Kept::Missing));
}

#[test]
fn a_file_that_cannot_be_read_now_is_skipped_and_its_rows_are_no_differences() {
    let report = after(|place| fs::write(place.source().join("A.parquet"), "PAR1 no more").unwrap());
    assert_eq!((report.difference_count, report.files, report.skipped.len()), (0, 1, 1));
    assert_eq!((report.kept[0].why, report.kept[0].rows, report.is_complete()), (Kept::Skipped, 2, false));
}

/// Its footer is whole, so that it is found to be damaged only when its turn comes.
#[test]
fn a_file_whose_pages_are_damaged_is_skipped_when_it_is_read() {
    let report = after(|place| {
        let path = place.source().join("A.parquet");
        let mut bytes = fs::read(&path).unwrap();
        bytes[4..60].fill(0xff);
        fs::write(&path, bytes).unwrap();
    });
    assert_eq!((report.difference_count, report.files, report.skipped.len()), (0, 1, 1), "{report:?}");
    let kept = &report.kept[0];
    assert_eq!((kept.path.as_deref(), kept.why, kept.rows), (Some("A.parquet"), Kept::Skipped, 2));
}

#[test]
fn a_file_that_was_skipped_and_can_be_read_now_is_a_difference() {
    let place = Place::new();
    sizes(&place, "A", &[("20240102", 0.0)]);
    fs::write(place.source().join("B.parquet"), "").unwrap();
    Build::new(place.source(), place.store()).workers(1).run().unwrap();
    let report = compare(&place);
    assert_eq!((report.skipped_before.len(), report.skipped.len(), report.is_complete()), (1, 0, false));
    sizes(&place, "B", &[("20240102", 1.0)]);
    assert_eq!(told(&compare(&place)), ["B 20240102 the source has a row, the store has none"]);
}

#[test]
fn stocks_that_only_append_brought_are_no_differences() {
    let place = Place::new();
    sizes(&place, "A", &[("20240102", 0.0)]);
    place.build();
    let codes: ArrayRef = Arc::new(StringArray::from(vec!["Z"]));
    let path = place.path("20240103.parquet");
    write_parquet(
        &path,
        &batch(&[("ts_code", codes), ("date", dates(&["20240103"])), ("size", doubles(&[Some(1.0)]))]),
    );
    assert!(Append::new(place.store(), [path]).run().unwrap().published);
    let report = compare(&place);
    assert_eq!((report.difference_count, report.is_complete()), (0, false));
    assert_eq!(
        (report.kept[0].code.as_deref().unwrap(), report.kept[0].why, report.kept[0].rows),
        ("Z", Kept::Appended, 1)
    );
}

/// The store keeps to them until a changed file says otherwise, and so does whoever compares.
#[test]
fn rows_that_append_brought_or_took_away_are_no_differences_until_the_file_changes() {
    let place = Place::new();
    sizes(&place, "A", &[("20240102", 0.0), ("20240103", 1.0)]);
    sizes(&place, "B", &[("20240102", 0.0), ("20240103", 1.0)]);
    place.build();
    let file = |name: &str, day: &str, rows: &[(&str, f64)]| {
        let codes: ArrayRef = Arc::new(StringArray::from(rows.iter().map(|row| row.0).collect::<Vec<_>>()));
        let values: Vec<Option<f64>> = rows.iter().map(|row| Some(row.1)).collect();
        let path = place.path(name);
        let days = dates(&vec![day; rows.len()]);
        write_parquet(&path, &batch(&[("ts_code", codes), ("date", days), ("size", doubles(&values))]));
        path
    };
    let added = file("20240104.parquet", "20240104", &[("A", 2.0), ("B", 2.0)]);
    assert!(Append::new(place.store(), [added]).run().unwrap().published);
    // A is restated, and B is taken away.
    let replacing = file("20240103.parquet", "20240103", &[("A", 9.0)]);
    let guards = transect::Guard::ALL;
    assert!(Append::new(place.store(), [replacing]).replace(true).allow(guards).run().unwrap().published);
    let report = compare(&place);
    assert_eq!((report.difference_count, report.is_complete()), (0, false), "{report:?}");
    let kept = |report: &SourceReport| -> Vec<(String, Kept, u64)> {
        report.kept.iter().map(|kept| (kept.code.clone().unwrap(), kept.why, kept.rows)).collect()
    };
    let both = [("A", Kept::Appended, 2), ("B", Kept::Appended, 1), ("B", Kept::Removed, 1)];
    assert_eq!(kept(&report), both.map(|(code, why, rows)| (code.to_owned(), why, rows)));
    // What an update would find: A's and B's own rows of 20240103.
    sizes(&place, "A", &[("20240102", 0.5), ("20240103", 1.0)]);
    sizes(&place, "B", &[("20240102", 0.5), ("20240103", 1.0)]);
    let report = compare(&place);
    assert_eq!(
        told(&report),
        [
            "A 20240102 \"size\": 0.0 in the store, 0.5 in the source",
            "A 20240103 \"size\": 9.0 in the store, 1.0 in the source",
            "B 20240102 \"size\": 0.0 in the store, 0.5 in the source",
            "B 20240103 the source has a row, the store has none",
        ]
    );
    assert_eq!(kept(&report).len(), 2);
    Update::new(place.store()).allow(guards).run().unwrap();
    let report = compare(&place);
    assert_eq!((report.difference_count, kept(&report).len()), (0, 2), "{report:?}");
}

#[test]
fn a_column_that_the_store_lacks_is_named_with_each_of_its_values() {
    let report = after(|place| {
        let beta: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        place.add("B", &batch(&[("date", dates(&["20240102"])), ("size", doubles(&[Some(f64::NAN)])), ("beta", beta)]));
    });
    assert_eq!(
        told(&report),
        [
            "column \"beta\" (Int64) is in the source and not in the store",
            "B 20240102 \"beta\": null in the store, 1 in the source"
        ]
    );
}

/// An update leaves such a column as it is, of nulls: then there is no difference.
#[test]
fn a_column_that_no_file_has_any_more_differs_where_the_store_has_values() {
    let without = |place: &Place| {
        place.add("A", &batch(&[("date", dates(&["20240102", "20240103"]))]));
        place.add("B", &batch(&[("date", dates(&["20240102"]))]));
    };
    let report = after(without);
    assert_eq!(report.differing_columns, BTreeMap::from([("size".to_owned(), 3)]));
    assert_eq!(told(&report)[0], "A 20240102 \"size\": 0.0 in the store, null in the source");
    let report = after(|place| {
        without(place);
        assert!(Update::new(place.store()).allow([Guard::ColumnsGone]).run().unwrap().published);
    });
    assert!(report.is_complete(), "{report:?}");
}

/// A cast would make 0.5 an equal of 0.
#[test]
fn a_column_of_another_type_is_named_and_its_values_are_compared() {
    let place = Place::new();
    let file = |sizes: ArrayRef| batch(&[("date", dates(&["20240102", "20240103"])), ("size", sizes)]);
    place.add("A", &file(Arc::new(Int64Array::from(vec![0, 1]))));
    place.build();
    place.add("A", &file(doubles(&[Some(0.5), Some(1.0)])));
    assert_eq!(
        told(&compare(&place)),
        [
            "column \"size\" is Int64 in the store, and with the files of the source Float64",
            "A 20240102 \"size\": 0.0 in the store, 0.5 in the source"
        ]
    );
    // What the store's type holds exactly is read into it.
    place.add("A", &file(Arc::new(BooleanArray::from(vec![false, true]))));
    let report = compare(&place);
    assert_eq!((report.difference_count, report.skipped.len()), (0, 1), "{report:?}");
    place.add("A", &file(Arc::new(arrow_array::Int8Array::from(vec![0, 2]))));
    assert_eq!(told(&compare(&place)), ["A 20240103 \"size\": 1 in the store, 2 in the source"]);
}

#[test]
fn dates_that_are_spelt_otherwise_are_the_same_dates() {
    let place = Place::new();
    sizes(&place, "A", &[("20240102", 0.0)]);
    place.build();
    sizes(&place, "A", &[("2024-01-02", 0.0)]);
    assert!(compare(&place).is_complete());
    let day: ArrayRef = Arc::new(Date32Array::from(vec![super::panels::date(20240102).days()]));
    place.add("A", &batch(&[("trade_date", day), ("size", doubles(&[Some(1.0)]))]));
    assert_eq!(told(&compare(&place)), ["A 20240102 \"size\": 0.0 in the store, 1.0 in the source"]);
}

#[test]
fn of_very_many_differences_the_first_are_listed_and_all_are_counted() {
    let place = Place::new();
    let days: Vec<i32> = (0..1500).map(|day| super::panels::date(20200101).days() + day).collect();
    let file = |value: f32, text: &str| {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![text; days.len()]));
        let values: ArrayRef = Arc::new(Float32Array::from(vec![value; days.len()]));
        batch(&[("date", Arc::new(Date32Array::from(days.clone())) as ArrayRef), ("x", values), ("t", texts)])
    };
    place.add("A", &file(1.0, "a"));
    place.build();
    place.add("A", &file(2.0, &"long ".repeat(1000)));
    let report = compare(&place);
    assert_eq!((report.difference_count, report.differing_values, report.differing_dates), (3000, 3000, 1500));
    assert_eq!((report.differences.len(), report.not_listed), (1000, 2000));
    assert_eq!(report.differing_columns, BTreeMap::from([("t".to_owned(), 1500), ("x".to_owned(), 1500)]));
    assert!(report.differences[1].to_string().ends_with("long long ... (5000 characters) in the source"));
}

/// A row of the model: a double by its bits, an integer, a text.
type Row = (Option<u64>, Option<i64>, Option<String>);

/// By code, then by day.
type Model = BTreeMap<String, BTreeMap<i32, Row>>;

const BITS: [u64; 6] = [0, 1 << 63, 0x7ff8_0000_0000_0000, 0x7ff8_0000_0000_0001, 0x3ff0_0000_0000_0000, u64::MAX];

fn row() -> impl Strategy<Value = Row> {
    (
        prop::option::weighted(0.9, prop::sample::select(&BITS[..])),
        prop::option::weighted(0.9, prop_oneof![-2i64..3, Just(i64::MAX)]),
        prop::option::weighted(0.9, "[ab]{0,2}"),
    )
}

fn model() -> impl Strategy<Value = Model> {
    let series = prop::collection::btree_map(0i32..12, row(), 1..12);
    prop::collection::btree_map("[A-E]", series, 2..5)
}

/// What a night may do to a source.
#[derive(Debug, Clone)]
enum Edit {
    Put(usize, i32, Row),
    Remove(usize, i32),
    Gone(usize),
    Torn(usize),
    New(Row),
}

fn edit() -> impl Strategy<Value = Edit> {
    let (stock, day) = (0usize..5, 0i32..14);
    prop_oneof![
        6 => (stock.clone(), day.clone(), row()).prop_map(|(stock, day, row)| Edit::Put(stock, day, row)),
        3 => (stock.clone(), day).prop_map(|(stock, day)| Edit::Remove(stock, day)),
        1 => stock.clone().prop_map(Edit::Gone),
        1 => stock.prop_map(Edit::Torn),
        1 => row().prop_map(Edit::New),
    ]
}

fn write(place: &Place, code: &str, series: &BTreeMap<i32, Row>) {
    let days: ArrayRef = Arc::new(series.keys().map(|day| Some(*day)).collect::<Date32Array>());
    let x: ArrayRef = Arc::new(series.values().map(|row| row.0.map(f64::from_bits)).collect::<Float64Array>());
    let n: ArrayRef = Arc::new(series.values().map(|row| row.1).collect::<Int64Array>());
    let t: ArrayRef = Arc::new(series.values().map(|row| row.2.clone()).collect::<StringArray>());
    place.add(code, &batch(&[("date", days), ("x", x), ("n", n), ("t", t)]));
}

/// Code, day, and the column or none for a row.
type Places = BTreeSet<(String, String, Option<&'static str>)>;

/// Where the two differ, of the stocks that both can be compared in.
fn expected(before: &Model, after: &Model, unreadable: &BTreeSet<String>) -> Places {
    let mut places = Places::new();
    let none = BTreeMap::new();
    for (code, now) in after.iter().filter(|(code, _)| !unreadable.contains(*code)) {
        let then = before.get(code).unwrap_or(&none);
        for day in then.keys().chain(now.keys()) {
            let date = transect::Date::from_days(*day).unwrap().to_string();
            let mut add = |column| places.insert((code.clone(), date.clone(), column));
            match (then.get(day), now.get(day)) {
                (Some(a), Some(b)) => {
                    let differs = [("x", a.0 != b.0), ("n", a.1 != b.1), ("t", a.2 != b.2)];
                    differs.into_iter().filter(|(_, differs)| *differs).for_each(|(column, _)| {
                        add(Some(column));
                    });
                }
                _ => {
                    add(None);
                }
            }
        }
    }
    places
}

proptest! {
    #![proptest_config(cases(super::scene::rounds() as u32 * 10))]

    #[test]
    fn exactly_the_edits_of_a_source_are_found(
        before in model(),
        edits in prop::collection::vec(edit(), 0..12),
        share in 1usize..3,
    ) {
        let place = Place::new();
        before.iter().for_each(|(code, series)| write(&place, code, series));
        place.build();
        let codes: Vec<String> = before.keys().cloned().collect();
        let (mut after, mut torn) = (before.clone(), BTreeSet::new());
        for edit in edits {
            let code = |stock: usize| codes[stock % codes.len()].clone();
            match edit {
                Edit::Put(stock, day, row) => {
                    after.entry(code(stock)).or_default().insert(day, row);
                    torn.remove(&code(stock));
                }
                Edit::Remove(stock, day) => {
                    after.entry(code(stock)).or_default().remove(&day);
                }
                Edit::Gone(stock) => {
                    after.remove(&code(stock));
                    torn.remove(&code(stock));
                }
                Edit::Torn(stock) => {
                    torn.insert(code(stock));
                    after.entry(code(stock)).or_default();
                }
                Edit::New(row) => {
                    after.insert("NEW".to_owned(), BTreeMap::from([(3, row)]));
                }
            }
        }
        // One stock stays, so that there is a source.
        after.entry(codes[0].clone()).or_insert_with(|| before[&codes[0]].clone());
        for code in before.keys().chain(after.keys()) {
            match after.get(code) {
                _ if torn.contains(code) => fs::write(place.source().join(format!("{code}.parquet")), "torn").unwrap(),
                Some(series) => write(&place, code, series),
                None => drop(fs::remove_file(place.source().join(format!("{code}.parquet")))),
            }
        }
        let store = Store::open(place.store()).unwrap();
        let report = verify_source(&store, &place.source(), &workers(share).within(MEMORY), &Silent).unwrap();
        let found: Places = report
            .differences
            .iter()
            .map(|difference| {
                let column = difference.column.as_deref().map(|name| ["x", "n", "t"].into_iter().find(|c| *c == name).unwrap());
                (difference.code.clone().unwrap(), difference.date.unwrap().to_string(), column)
            })
            .collect();
        prop_assert_eq!(found.len(), report.differences.len());
        let right = expected(&before, &after, &torn);
        prop_assert_eq!(&found, &right);
        prop_assert_eq!(report.difference_count, right.len() as u64);
        let kept: BTreeMap<&str, (Kept, u64)> =
            report.kept.iter().map(|kept| (kept.code.as_deref().unwrap(), (kept.why, kept.rows))).collect();
        let stays = |(code, series): (&'_ String, &BTreeMap<i32, Row>)| {
            let why = match (torn.contains(code), after.contains_key(code)) {
                (true, _) => Kept::Skipped,
                (false, true) => return None,
                (false, false) => Kept::Missing,
            };
            Some((code.clone(), (why, series.len() as u64)))
        };
        let right: BTreeMap<String, (Kept, u64)> = before.iter().filter_map(stays).collect();
        prop_assert_eq!(kept.into_iter().map(|(code, kept)| (code.to_owned(), kept)).collect::<BTreeMap<_, _>>(), right);
        prop_assert_eq!(report.skipped.len(), torn.len());
    }
}
