//! A diff is what somebody reads before they trust a night's update. It must name every value that changed and no
//! other, whatever the versions share: segments, numbers of stocks, types of columns, or nothing. A model that is two
//! maps says what it has to be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use arrow_schema::DataType;
use proptest::collection::btree_map;
use proptest::prelude::*;
use transect::progress::{Observer, Silent};
use transect::store::{DateType, Diff, DiffColumn, DiffReport};
use transect::{Build, Date, Error, Guard, Store, Update};

use super::panels::{Cell, Place, SMALL_DATES, batch, cases, cell, date, small_panel, workers};
use super::versions::publish_versions;

const CODES: [&str; 6] = ["000001.SZ", "BRK.B", "abr", "ABR", "平安", "zz"];
const DATES: [i64; 4] = [19691231, 20231229, 20240102, 20240103];
const COLUMNS: [&str; 4] = ["x", "n", "t", "b"];
const FLOATS: [u64; 7] = [
    0,
    1 << 63,
    0x3ff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0x7ff8_0000_0000_1234,
    0x7ff0_0000_0000_0000,
    0x3ff8_0000_0000_0000,
];
const TEXTS: [&str; 3] = ["", "a", "安"];

/// For each column which value a row has, if any: an index into the lists above.
type Row = [Option<usize>; 4];

/// What a version's files say.
#[derive(Debug, Clone)]
struct Version {
    /// By date and code.
    rows: BTreeMap<(usize, usize), Row>,
    /// Which columns the files have.
    columns: [bool; 4],
    /// Whether column n is of doubles instead of integers.
    has_doubles: bool,
}

fn versions() -> impl Strategy<Value = Version> {
    let value = |count: usize| prop_oneof![1 => Just(None), 4 => (0..count).prop_map(Some)];
    let row = (value(7), value(3), value(3), value(2)).prop_map(|(x, n, t, b)| [x, n, t, b]);
    let rows = btree_map((0..DATES.len(), 0..CODES.len()), row, 1..20);
    (rows, prop::array::uniform4(prop::bool::weighted(0.8)), any::<bool>())
        .prop_map(|(rows, columns, has_doubles)| Version { rows, columns, has_doubles })
}

/// Most rows of the second version are those of the first.
fn pairs() -> impl Strategy<Value = (Version, Version)> {
    (versions(), versions(), prop::collection::vec(prop::bool::weighted(0.7), 24)).prop_map(|(old, mut new, same)| {
        for (n, (&key, &row)) in old.rows.iter().enumerate() {
            if same[n % same.len()] {
                new.rows.insert(key, row);
            }
        }
        (old, new)
    })
}

impl Version {
    /// The value in `column` of a row, with numbers as doubles, in which all of them can be compared.
    fn cell(&self, row: &Row, column: usize) -> Cell {
        let Some(value) = row[column].filter(|_| self.columns[column]) else { return Cell::Null };
        match column {
            0 => Cell::Bits(FLOATS[value].into()),
            1 => Cell::Bits((value as f64).to_bits().into()),
            2 => Cell::Text(TEXTS[value].to_owned()),
            _ => Cell::Bits(value as u128),
        }
    }

    /// Replaces the source by this version's files.
    fn write(&self, place: &Place) {
        fs::remove_dir_all(place.source()).unwrap();
        fs::create_dir(place.source()).unwrap();
        for (index, code) in CODES.iter().enumerate() {
            let rows: Vec<(usize, &Row)> =
                self.rows.iter().filter(|((_, code), _)| *code == index).map(|(&(date, _), row)| (date, row)).collect();
            if rows.is_empty() {
                continue;
            }
            let dates = rows.iter().map(|(date, _)| Some(DATES[*date].to_string())).collect::<StringArray>();
            let mut columns: Vec<(&str, ArrayRef)> = vec![("date", Arc::new(dates))];
            let values = |column: usize| rows.iter().map(move |(_, row)| row[column]);
            for (column, name) in COLUMNS.iter().enumerate().filter(|(column, _)| self.columns[*column]) {
                let array: ArrayRef = match column {
                    0 => Arc::new(values(0).map(|v| v.map(|v| f64::from_bits(FLOATS[v]))).collect::<Float64Array>()),
                    1 if self.has_doubles => Arc::new(values(1).map(|v| v.map(|v| v as f64)).collect::<Float64Array>()),
                    1 => Arc::new(values(1).map(|v| v.map(|v| v as i64)).collect::<Int64Array>()),
                    2 => Arc::new(values(2).map(|v| v.map(|v| TEXTS[v])).collect::<StringArray>()),
                    _ => Arc::new(values(3).map(|v| v.map(|v| v == 1)).collect::<BooleanArray>()),
                };
                columns.push((name, array));
            }
            place.add(code, &batch(&columns));
        }
    }
}

/// A change: date, code, and for a restated value its column with the old and the new value.
type Change = (Date, String, &'static str, Option<(String, Cell, Cell)>);

fn expected(old: &Version, new: &Version) -> BTreeSet<Change> {
    let keys: BTreeSet<&(usize, usize)> = old.rows.keys().chain(new.rows.keys()).collect();
    let mut changes = BTreeSet::new();
    for key in keys {
        let (day, code) = (date(DATES[key.0]), CODES[key.1].to_owned());
        match (old.rows.get(key), new.rows.get(key)) {
            (Some(before), Some(after)) => changes.extend((0..4).filter_map(|column| {
                let (before, after) = (old.cell(before, column), new.cell(after, column));
                let value = (COLUMNS[column].to_owned(), before, after);
                (value.1 != value.2).then(|| (day, code.clone(), "restated", Some(value)))
            })),
            (None, _) => drop(changes.insert((day, code, "added", None))),
            (_, None) => drop(changes.insert((day, code, "removed", None))),
        }
    }
    changes
}

fn found(diff: &Diff) -> BTreeSet<Change> {
    let number = |array: &ArrayRef, row: usize| match array.data_type() {
        DataType::Int64 if array.is_valid(row) => {
            Cell::Bits((array.as_primitive::<Int64Type>().value(row) as f64).to_bits().into())
        }
        _ => cell(array, row),
    };
    let mut changes = BTreeSet::new();
    let mut insert = |change: Change| assert!(changes.insert(change.clone()), "{change:?} is told twice");
    let mut last = None;
    for section in diff.sections() {
        let section = section.unwrap();
        assert!(last < Some(section.date) && diff.dates().any(|date| date == section.date));
        last = Some(section.date);
        for codes in [&section.added, &section.removed, &section.changed] {
            assert!(codes.is_sorted_by(|a, b| a < b));
        }
        section.added.iter().for_each(|code| insert((section.date, code.to_string(), "added", None)));
        section.removed.iter().for_each(|code| insert((section.date, code.to_string(), "removed", None)));
        let mut changed = BTreeSet::new();
        for column in &section.columns {
            let DiffColumn { name, older, newer, .. } = &diff.columns()[column.column];
            let change = match (older, newer) {
                (None, _) => "filled",
                (_, None) => "lost",
                _ => "restated",
            };
            assert!(!column.rows.is_empty() && column.rows.is_sorted_by(|a, b| a < b));
            for (at, &row) in column.rows.iter().enumerate() {
                let value = (name.clone(), number(&column.old, at), number(&column.new, at));
                insert((section.date, section.changed[row].to_string(), change, Some(value)));
                changed.insert(row);
            }
        }
        assert_eq!(changed, (0..section.changed.len()).collect(), "every changed row has a value that differs");
    }
    changes
}

/// The same changes between these versions: values of columns that the older one lacks are filled, and those of columns
/// that the newer one lacks are lost.
fn told(changes: BTreeSet<Change>, older: &Store, newer: &Store) -> BTreeSet<Change> {
    let lacks = |store: &Store, value: &Option<(String, Cell, Cell)>| {
        value.as_ref().is_some_and(|(name, ..)| store.schema().unwrap().index_of(name).is_none())
    };
    let told = |(date, code, change, value): Change| match (lacks(older, &value), lacks(newer, &value)) {
        (true, _) => (date, code, "filled", value),
        (_, true) => (date, code, "lost", value),
        _ => (date, code, change, value),
    };
    changes.into_iter().map(told).collect()
}

/// What the numbers of a report have to be.
fn assert_counts(report: &DiffReport, changes: &BTreeSet<Change>) {
    let rows = |change: &str| -> BTreeSet<(Date, &str)> {
        changes.iter().filter(|(.., kind, _)| *kind == change).map(|(date, code, ..)| (*date, code.as_str())).collect()
    };
    let sum = |count: fn(&transect::store::DateChange) -> u64| report.dates.iter().map(count).sum::<u64>();
    for (count, dates, change) in [
        (report.added, sum(|date| date.added), "added"),
        (report.restated, sum(|date| date.restated), "restated"),
        (report.removed, sum(|date| date.removed), "removed"),
    ] {
        assert_eq!((count, dates), (rows(change).len() as u64, count), "{change}");
    }
    let filled = rows("filled").difference(&rows("restated")).count() as u64;
    assert_eq!((report.filled, sum(|date| date.filled)), (filled, filled));
    let dates: BTreeSet<Date> =
        changes.iter().filter(|(.., kind, _)| *kind != "lost").map(|(date, ..)| *date).collect();
    assert!(report.dates.iter().map(|date| &date.date).eq(&dates));
    for column in &report.columns {
        let values = changes.iter().filter(|(.., value)| value.as_ref().is_some_and(|(name, ..)| *name == column.name));
        let values = values.count() as u64;
        let expected = match (&column.older_type, &column.newer_type) {
            (None, _) => (0, values),
            (_, None) => (0, 0),
            _ => (values, 0),
        };
        assert_eq!((column.restated, column.filled), expected, "{}", column.name);
    }
    let (all, restated) = (["added", "restated", "filled", "removed"], rows("restated"));
    let count = |code: &str, change: &str| {
        let found = rows(change).into_iter().filter(|row| row.1 == code);
        found.filter(|row| change != "filled" || !restated.contains(row)).count() as u64
    };
    let codes: BTreeSet<&str> = changes.iter().map(|(_, code, ..)| code.as_str()).collect();
    let stocks: Vec<(&str, [u64; 4])> =
        codes.into_iter().map(|code| (code, all.map(|change| count(code, change)))).collect();
    let stocks: Vec<_> = stocks.into_iter().filter(|(_, counts)| *counts != [0; 4]).collect();
    let told = report.stocks.iter().map(|of| (&*of.stock, [of.added, of.restated, of.filled, of.removed]));
    assert_eq!(told.collect::<Vec<_>>(), stocks);
    assert_moves(report, changes);
    assert_turns(report, changes);
}

/// Restated values without a finite number before and after are counted by column, and the first of each is told.
fn assert_turns(report: &DiffReport, changes: &BTreeSet<Change>) {
    let is_finite = |cell: &Cell| matches!(cell, Cell::Bits(bits) if f64::from_bits(*bits as u64).is_finite());
    for column in &report.columns {
        let is_number = ["x", "n"].contains(&&*column.name);
        let turned: Vec<&Change> = changes
            .iter()
            .filter(|change| match change {
                (.., "restated", Some((name, old, new))) if *name == column.name => {
                    !(is_number && is_finite(old) && is_finite(new))
                }
                _ => false,
            })
            .collect();
        let told = report.turns.iter().find(|told| told.first.column == column.name);
        let told = told.map(|told| (told.values, told.first.date, &told.first.stock));
        assert_eq!(told, turned.first().map(|first| (turned.len() as u64, first.0, &first.1)), "{}", column.name);
    }
}

/// The moves have to be the largest of all.
fn assert_moves(report: &DiffReport, changes: &BTreeSet<Change>) {
    let size = |old: f64, new: f64| match old.abs().min(new.abs()) {
        _ if old == new || !old.is_finite() || !new.is_finite() => 0.0,
        0.0 => 1.0,
        smaller => (new - old).abs() / smaller,
    };
    let mut sizes: Vec<f64> = changes
        .iter()
        .filter_map(|change| match change {
            (.., "restated", Some((name, Cell::Bits(old), Cell::Bits(new)))) if name == "x" || name == "n" => {
                Some(size(f64::from_bits(*old as u64), f64::from_bits(*new as u64)))
            }
            _ => None,
        })
        .filter(|&size| size > 0.0)
        .collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    sizes.truncate(20);
    let number = |text: &str| text.parse::<f64>().unwrap();
    let told: Vec<f64> = report.moves.iter().map(|of| size(number(&of.old), number(&of.new))).collect();
    assert_eq!(told, sizes);
    for of in &report.moves {
        let is_it = |change: &&Change| (change.0, &change.1) == (of.date, &of.stock);
        assert!(
            changes.iter().filter(is_it).any(|(.., value)| value.as_ref().is_some_and(|(name, ..)| *name == of.column))
        );
    }
}

/// A difference of some stocks, columns and dates is what the whole one has of them.
fn assert_narrowed(diff: &Diff, right: &BTreeSet<Change>, chosen: usize) {
    let codes: BTreeSet<&String> = right.iter().map(|(_, code, ..)| code).collect();
    let codes: BTreeSet<&String> = codes.into_iter().skip(chosen % 2).step_by(2).collect();
    let of_stocks = diff.clone().of_stocks(&codes).unwrap();
    let some: BTreeSet<Change> = right.iter().filter(|(_, code, ..)| codes.contains(code)).cloned().collect();
    assert_eq!(found(&of_stocks), some);
    assert_counts(&of_stocks.report(&workers(2), &Silent).unwrap(), &some);

    let names: Vec<&String> = diff.columns().iter().map(|column| &column.name).skip(chosen % 2).step_by(2).collect();
    let is_of = |value: &Option<(String, Cell, Cell)>| value.as_ref().is_none_or(|(name, ..)| names.contains(&name));
    let some: BTreeSet<Change> = right.iter().filter(|(.., value)| is_of(value)).cloned().collect();
    assert_eq!(found(&diff.clone().of_columns(&names).unwrap()), some);

    let (from, to) = (date(DATES[chosen % 4]), date(DATES[3 - chosen % 3]));
    let some: BTreeSet<Change> = right.iter().filter(|(day, ..)| (from..=to).contains(day)).cloned().collect();
    assert_eq!(found(&diff.clone().between(Some(from), Some(to))), some);
}

fn diff_report(newer: &Store, older: &Store, count: usize) -> DiffReport {
    newer.diff(older).unwrap().report(&workers(count), &Silent).unwrap()
}

proptest! {
    #![proptest_config(cases(60))]

    /// After a rebuild the versions share no segment, and stocks have other numbers.
    #[test]
    fn a_diff_is_what_two_maps_say(versions in pairs(), is_rebuilt: bool, chosen in 0..12_usize) {
        let (old, new) = versions;
        let place = Place::new();
        old.write(&place);
        place.build();
        let older = Store::open(place.store()).unwrap();
        new.write(&place);
        if is_rebuilt {
            Build::new(place.source(), place.store()).workers(1).force(true).run().unwrap();
        } else {
            let report = Update::new(place.store()).prune(true).workers(1).allow(Guard::ALL).run().unwrap();
            let counted = diff_report(&Store::open(place.store()).unwrap(), &older, 1);
            prop_assert_eq!((report.added, report.restated, report.filled), (counted.added, counted.restated, counted.filled));
            prop_assert_eq!(report.removed, counted.removed);
        }
        let newer = Store::open(place.store()).unwrap();
        let right = told(expected(&old, &new), &older, &newer);
        prop_assert_eq!(&found(&newer.diff(&older).unwrap()), &right);
        let report = diff_report(&newer, &older, 1);
        assert_counts(&report, &right);
        let listed = newer.diff(&older).unwrap().by_date(&report, DateType::Day).unwrap();
        let days: BTreeSet<i32> = right.iter().map(|(date, ..)| date.days()).collect();
        prop_assert!(listed.column(0).as_primitive::<Date32Type>().values().iter().eq(&days), "{:?}", listed);
        prop_assert_eq!(&report, &diff_report(&newer, &older, 3));
        assert_narrowed(&newer.diff(&older).unwrap(), &right, chosen);

        // Backwards, everything changes place.
        let turned: BTreeSet<Change> = right.into_iter().map(|(date, code, change, value)| {
            let change = match change { "added" => "removed", "removed" => "added", _ => "restated" };
            (date, code, change, value.map(|(name, old, new)| (name, new, old)))
        }).collect();
        prop_assert_eq!(found(&older.diff(&newer).unwrap()), told(turned, &newer, &older));
        prop_assert!(found(&newer.diff(&newer).unwrap()).is_empty());
    }
}

#[test]
fn only_sections_that_were_written_between_are_compared() {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let older = Store::open(place.store()).unwrap();
    let other = Place::new();
    small_panel(&other, 1);
    // This stock has a row on one date.
    fs::copy(other.source().join("平安.parquet"), place.source().join("平安.parquet")).unwrap();
    Update::new(place.store()).workers(1).run().unwrap();
    let newer = Store::open(place.store()).unwrap();
    let diff = newer.diff(&older).unwrap();
    assert_eq!(diff.dates().collect::<Vec<_>>(), [date(SMALL_DATES[1])]);
    let report = diff.report(&workers(1), &Silent).unwrap();
    assert_eq!((report.older, report.newer, report.added, report.restated, report.removed), (Some(1), 2, 0, 1, 0));
    let before = newer.diff_from_before().unwrap().report(&workers(1), &Silent).unwrap();
    assert_eq!(before, report);
    let none = older.diff_from_before().unwrap().report(&workers(1), &Silent).unwrap();
    assert_eq!((none.older, none.newer, none.dates.len()), (None, 1, 0));
    let unknown = newer.diff(&older).unwrap().of_stocks(["平平"]);
    assert!(matches!(unknown, Err(Error::NotFound { what, .. }) if what.contains("stock \"平平\"")));
    let unknown = newer.diff(&older).unwrap().of_columns(["nothing"]);
    assert!(matches!(unknown, Err(Error::NotFound { what, .. }) if what.contains("column \"nothing\"")));
}

#[test]
fn a_diff_needs_two_versions_of_one_store_and_can_be_stopped() {
    struct Stopped;
    impl Observer for Stopped {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let (place, other) = (Place::new(), Place::new());
    let held = publish_versions(&place, 2);
    small_panel(&other, 0);
    other.build();
    let foreign = Store::open(other.store()).unwrap();
    assert!(
        matches!(held[1].diff(&foreign), Err(Error::Refused { what, .. }) if what.contains("no versions of one store"))
    );
    let stopped = held[1].diff(&held[0]).unwrap().report(&workers(1), &Stopped);
    assert!(matches!(stopped, Err(Error::Cancelled)));
}
