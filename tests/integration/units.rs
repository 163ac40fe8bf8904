//! Several files a stock, night after night, beside a model: a stock's rows are those of all its files, or those of the
//! night before where one of them is gone or cannot be used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, StringArray};
use proptest::collection::vec;
use proptest::prelude::*;
use transect::progress::Silent;
use transect::source::{Duplicates, SourceOptions};
use transect::{Build, Guard, Store, Update, verify_source};

use super::panels::{Place, assert_whole, batch, cases, workers, write_parquet};

const CODES: [&str; 3] = ["A", "B", "C"];
const YEARS: [i64; 3] = [2022, 2023, 2024];

/// What happens to one file before a night.
#[derive(Debug, Clone)]
enum Event {
    /// It has these values on the days of January, and maybe of the next year's.
    Written(Vec<(u8, bool, i64)>),
    Removed,
    Damaged,
}

fn event() -> impl Strategy<Value = (usize, usize, Event)> {
    let rows = vec((1..9_u8, prop::bool::weighted(0.2), 0..5_i64), 0..6);
    let event = prop_oneof![6 => rows.prop_map(Event::Written), 2 => Just(Event::Removed), 1 => Just(Event::Damaged)];
    (0..CODES.len(), 0..YEARS.len(), event)
}

type Rows = BTreeMap<i64, i64>;

/// A stock's files by year: rows in the order of the file, or `None` for a damaged one.
type Files = BTreeMap<i64, Option<Vec<(i64, i64)>>>;

/// What the store is to hold of one stock.
#[derive(Debug, Clone, Default)]
struct Stock {
    rows: Rows,
    /// The files that these rows are of.
    read: Files,
}

impl Stock {
    /// The stock after a night that finds `files`.
    fn night(&mut self, files: &Files, prune: bool) {
        let is_bad = files.values().any(Option::is_none);
        // An empty file leaves nothing behind that could be missed.
        let is_gone = |(year, rows): (&i64, &Option<Vec<(i64, i64)>>)| {
            !files.contains_key(year) && rows.as_ref().is_some_and(|rows| !rows.is_empty())
        };
        if is_bad || (self.read.iter().any(is_gone) && !prune) {
            return;
        }
        self.read.clone_from(files);
        self.rows = files.values().flatten().flatten().copied().collect();
    }
}

fn write(place: &Place, code: &str, year: i64, event: &Event, files: &mut Files, serial: usize) {
    let path = place.source().join(code).join(format!("{year}.parquet"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match event {
        Event::Removed => {
            let _ = fs::remove_file(&path);
            files.remove(&year);
        }
        Event::Damaged => {
            fs::write(&path, format!("no Parquet {serial}")).unwrap();
            files.insert(year, None);
        }
        Event::Written(rows) => {
            let date = |(day, later, _): &(u8, bool, i64)| (year + i64::from(*later)) * 10_000 + 100 + i64::from(*day);
            let rows: Vec<(i64, i64)> = rows.iter().map(|row| (date(row), row.2)).collect();
            let dates: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.0.to_string())).collect::<StringArray>());
            let values: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int64Array>());
            write_parquet(&path, &batch(&[("date", dates), ("x", values)]));
            files.insert(year, Some(rows));
        }
    }
}

fn held(store: &Store) -> BTreeMap<String, Rows> {
    let mut held: BTreeMap<String, Rows> = BTreeMap::new();
    for &date in store.dates().unwrap() {
        let batch = store.section(date).unwrap().batch().unwrap();
        let (codes, values) = (batch.column(0).as_string::<i32>(), batch.column(2).as_primitive::<Int64Type>());
        for row in 0..batch.num_rows() {
            let rows = held.entry(codes.value(row).to_owned()).or_default();
            rows.insert(date.to_string().parse().unwrap(), values.value(row));
        }
    }
    held
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn a_stock_is_the_rows_of_all_its_files_or_stays_as_it_was(
        nights in vec((vec(event(), 0..5), any::<bool>()), 1..8),
    ) {
        let place = Place::in_memory();
        let mut files: BTreeMap<&str, Files> = BTreeMap::new();
        let mut model: BTreeMap<&str, Stock> = BTreeMap::new();
        let rows = Event::Written(vec![(1, false, 7)]);
        for code in CODES {
            let of_code = files.entry(code).or_default();
            YEARS.iter().for_each(|year| write(&place, code, *year, &rows, of_code, 0));
            model.entry(code).or_default().night(of_code, false);
        }
        let pattern = "{code}/{year}.parquet".parse().unwrap();
        let options = SourceOptions { pattern, duplicates: Duplicates::Last, ..SourceOptions::default() };
        Build::new(place.source(), place.store()).options(options).workers(1).run().unwrap();
        for (serial, (events, prune)) in nights.iter().enumerate() {
            for (code, year, event) in events {
                let of_code = files.get_mut(CODES[*code]).unwrap();
                write(&place, CODES[*code], YEARS[*year], event, of_code, serial);
            }
            let update = Update::new(place.store()).prune(*prune).check_content(true).allow(Guard::ALL).workers(1);
            let before = model.clone();
            for code in CODES {
                model.get_mut(code).unwrap().night(&files[code], *prune);
            }
            if model.values().all(|stock| stock.rows.is_empty()) || files.values().all(BTreeMap::is_empty) {
                prop_assert!(update.run().is_err());
                model = before;
                continue;
            }
            let report = update.run().unwrap();
            let store = Store::open(place.store()).unwrap();
            assert_whole(&store);
            let expected = model.iter().filter(|(_, stock)| !stock.rows.is_empty());
            let expected: BTreeMap<String, Rows> =
                expected.map(|(code, stock)| ((*code).to_owned(), stock.rows.clone())).collect();
            prop_assert_eq!(held(&store), expected);
            let named: BTreeSet<&str> = report.skipped.iter().map(|skipped| skipped.path.as_str()).collect();
            let bad = files.iter().flat_map(|(code, files)| {
                files.iter().filter(|(_, rows)| rows.is_none()).map(move |(year, _)| format!("{code}/{year}.parquet"))
            });
            for path in bad {
                prop_assert!(named.contains(&path[..]), "{path} {named:?}");
            }
            let compared = verify_source(&store, &place.source(), &workers(1), &Silent).unwrap();
            prop_assert_eq!(compared.differences, vec![]);
        }
    }
}
