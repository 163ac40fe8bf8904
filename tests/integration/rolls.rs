//! Night sessions: from some time of the day on rows are of the next trading date. Random files, night after night, beside
//! a model: a row is of the first trading date from its own day on, or after it; without one it waits.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use transect::progress::Silent;
use transect::source::{OptionChanges, SourceOptions};
use transect::{Assignment, Build, Date, Guard, Restore, Store, Update, verify_source};

use super::panels::{Place, batch, cases, verify, workers, write_parquet};

const CODES: [&str; 2] = ["A", "B"];
const TIMES: [&str; 3] = ["09:00:00", "15:00", "21:00:00"];
const DAYS: i32 = 8;

/// By code, day and time.
type Rows = BTreeMap<(usize, i32, usize), i64>;
/// By trading date: code, day, time and value.
type Panel = BTreeMap<i32, Vec<(String, String, String, i64)>>;
/// Rows that are new or restated, and for a calendar whether a day is a trading date from now on.
type Night = (Vec<(usize, i32, usize, i64)>, Vec<(i32, bool)>);

fn date(day: i32) -> Date {
    Date::from_days(19_700 + day).unwrap()
}

fn columns(rows: &[(i32, usize, i64)]) -> RecordBatch {
    let text = |texts: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
    batch(&[
        ("date", text(rows.iter().map(|(day, ..)| date(*day).to_string()).collect())),
        ("time", text(rows.iter().map(|(_, time, _)| TIMES[*time].to_owned()).collect())),
        ("x", Arc::new(Int64Array::from_iter_values(rows.iter().map(|(.., x)| *x)))),
    ])
}

fn write(place: &Place, code: usize, rows: &Rows) {
    // The newest first.
    let own = rows.iter().rev().filter(|((of, ..), _)| *of == code);
    let own: Vec<(i32, usize, i64)> = own.map(|((_, day, time), x)| (*day, *time, *x)).collect();
    if !own.is_empty() {
        place.add(CODES[code], &columns(&own));
    }
}

fn write_calendar(place: &Place, days: &BTreeSet<i32>) -> String {
    let lines: String = days.iter().map(|day| format!("{}\n", date(*day))).collect();
    let path = place.path("calendar.csv");
    fs::write(&path, format!("trade_date\n{lines}")).unwrap();
    path.to_str().unwrap().to_owned()
}

fn options(calendar: Option<String>) -> SourceOptions {
    let key = vec!["date".to_owned(), "time".to_owned()];
    SourceOptions { key, roll: Some("20:30".parse().unwrap()), calendar, ..SourceOptions::default() }
}

/// The panel, and how many rows wait.
fn expected(rows: &Rows, trading: &BTreeSet<i32>) -> (Panel, u64) {
    let (mut panel, mut waiting) = (Panel::new(), 0);
    for ((code, day, time), x) in rows {
        match trading.range(day + i32::from(*time == 2)..).next() {
            Some(&on) => {
                let row = (CODES[*code].to_owned(), date(*day).to_string(), TIMES[*time].to_owned(), *x);
                panel.entry(on).or_default().push(row);
            }
            None => waiting += 1,
        }
    }
    (panel, waiting)
}

fn held(store: &Store) -> Panel {
    let dates = store.dates().unwrap().to_vec();
    let rows = |on: Date| {
        let section = store.section(on).unwrap().batch().unwrap();
        let text = |name: &str, row: usize| {
            let texts = arrow_cast::cast(section.column_by_name(name).unwrap(), &arrow_schema::DataType::Utf8).unwrap();
            texts.as_string::<i32>().value(row).to_owned()
        };
        let x = section.column_by_name("x").unwrap().as_primitive::<Int64Type>().clone();
        (0..section.num_rows())
            .map(|row| (text("ts_code", row), text("date", row), text("time", row), x.value(row)))
            .collect()
    };
    dates.into_iter().map(|on| (on.days() - 19_700, rows(on))).collect()
}

fn night() -> impl Strategy<Value = Night> {
    let row = (0..CODES.len(), 0..DAYS, 0..TIMES.len(), 0..9_i64);
    (prop::collection::vec(row, 0..6), prop::collection::vec((1..DAYS, any::<bool>()), 0..3))
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn rows_are_of_the_trading_dates_that_are_known_each_night(
        has_calendar in any::<bool>(),
        nights in prop::collection::vec(night(), 1..5),
    ) {
        let place = Place::in_memory();
        // Day 0 is a trading date from the first.
        let mut rows: Rows = [((0, 0, 0), 1)].into_iter().collect();
        let mut calendar: BTreeSet<i32> = [0, 2].into_iter().collect();
        let path = write_calendar(&place, &calendar);
        for (n, (changed, days)) in std::iter::once((Vec::new(), Vec::new())).chain(nights).enumerate() {
            for (code, day, time, x) in changed {
                rows.insert((code, day, time), x);
                write(&place, code, &rows);
            }
            for (day, is_open) in days {
                if is_open { calendar.insert(day) } else { calendar.remove(&day) };
            }
            write_calendar(&place, &calendar);
            let by_day = rows.keys().filter(|(_, _, time)| *time < 2).map(|(_, day, _)| *day).collect();
            let trading = if has_calendar { &calendar } else { &by_day };
            let (panel, waiting) = expected(&rows, trading);
            let told = if n == 0 {
                write(&place, 0, &rows);
                let options = options(has_calendar.then(|| path.clone()));
                Build::new(place.source(), place.store()).options(options).workers(1).run().unwrap().waiting_rows
            } else {
                Update::new(place.store()).allow(Guard::ALL).workers(1).run().unwrap().waiting_rows
            };
            let store = Store::open(place.store()).unwrap();
            prop_assert_eq!(held(&store), panel, "night {}", n);
            prop_assert_eq!(told, waiting, "night {}", n);
            prop_assert_eq!(verify(&store).damages, Vec::<String>::new());
            let checked = verify_source(&store, &place.source(), &workers(1), &Silent).unwrap();
            prop_assert_eq!(checked.difference_count, 0, "night {}: {:?}", n, checked);
            let again = Update::new(place.store()).workers(1).run().unwrap();
            prop_assert!(!again.published, "night {}: {:?}", n, again);
            prop_assert_eq!(again.waiting_rows, waiting, "night {}", n);
        }
    }
}

#[test]
fn a_later_file_says_when_fridays_night_is_and_files_by_date_are_of_trading_dates() {
    let place = Place::new();
    // Friday the 5th, and Monday the 8th.
    let write = |name: &str, rows: &[(&str, &str, i64)]| {
        let text = |n: usize| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| if n == 0 { row.0 } else { row.1 })))
        };
        let codes: ArrayRef = Arc::new(StringArray::from(vec!["A"; rows.len()]));
        let x: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2)));
        let path = place.source().join(format!("{name}.parquet"));
        write_parquet(&path, &batch(&[("date", text(0)), ("time", text(1)), ("code", codes), ("x", x)]));
    };
    write("20240105", &[("20240105", "09:00", 1)]);
    write("20240108", &[("20240105", "21:00", 2), ("20240108", "09:00", 3)]);
    let options = SourceOptions { roll: options(None).roll, key: options(None).key, ..SourceOptions::by_date() };
    let report = Build::new(place.source(), place.store()).options(options).run().unwrap();
    assert_eq!((report.rows, report.waiting_rows, report.skipped.len()), (3, 0, 0), "{report:?}");
    let store = Store::open(place.store()).unwrap();
    assert_eq!(store.section("20240108".parse().unwrap()).unwrap().row_count(), 2);
    // Friday's night in Friday's file is of another date than its name says.
    write("20240105", &[("20240105", "09:00", 1), ("20240105", "21:00", 2)]);
    let report = Update::new(place.store()).run().unwrap();
    let reason = report.skipped[0].reason.to_string();
    assert_eq!(reason, "row 2 is of 20240108, and its name says 20240105; rename the file, or write it anew");
}

#[test]
fn what_a_roll_needs_is_told() {
    let place = Place::new();
    place.add("A", &columns(&[(1, 0, 1), (1, 2, 2)]));
    let build = |options: SourceOptions| Build::new(place.source(), place.store()).options(options).run();
    let lost = build(SourceOptions { key: vec!["time".to_owned()], ..options(None) }).unwrap_err().to_string();
    let told =
        "roll 20:30: the dates in \"date\" would be lost, as trading dates take their place; key date, time keeps them";
    assert_eq!(lost, told);
    let timeless = build(SourceOptions { key: vec!["date".to_owned(), "x".to_owned()], ..options(None) });
    let timeless = timeless.unwrap_err().to_string();
    let told = "nothing in its key says at what time of the day its rows are; key names a column of times, too";
    assert!(timeless.contains(told), "{timeless}");
    let calendar = write_calendar(&place, &[2, 3].into_iter().collect());
    let before = build(options(Some(calendar.clone()))).unwrap_err().to_string();
    let told =
        "row 1 is of 20231210, before the calendar's first date 20231211; calendar names one that begins earlier";
    assert!(before.contains(told), "{before}");
    fs::remove_file(&calendar).unwrap();
    let gone = build(options(Some(calendar))).unwrap_err().to_string();
    assert!(gone.starts_with("calendar ") && gone.contains("cannot be opened: No such file"), "{gone}");

    // Nothing but a night that waits is no store yet.
    place.add("A", &columns(&[(1, 2, 2)]));
    let waits = build(options(None)).unwrap_err().to_string();
    assert!(waits.contains("has no row whose trading date is known"), "{waits}");
}

#[test]
fn another_calendar_reads_all_files_again() {
    let place = Place::new();
    place.add("A", &columns(&[(0, 0, 1), (0, 2, 2), (2, 0, 3)]));
    let calendar = write_calendar(&place, &[0, 1, 2].into_iter().collect());
    Build::new(place.source(), place.store()).options(options(Some(calendar))).run().unwrap();
    let days = || held(&Store::open(place.store()).unwrap()).into_keys().collect::<Vec<i32>>();
    assert_eq!(days(), [0, 1, 2]);
    let other = place.path("other.csv");
    fs::write(&other, format!("{}\n{}\n", date(0), date(2))).unwrap();
    let changes = OptionChanges { calendar: Some(other.to_str().unwrap().to_owned()), ..OptionChanges::default() };
    let report = Update::new(place.store()).options(changes).allow(Guard::ALL).run().unwrap();
    assert_eq!((report.added, report.removed, days()), (1, 1, vec![0, 2]), "{report:?}");
    assert!(!Update::new(place.store()).run().unwrap().published);
    // One that ends before all rows knows the trading date of none.
    fs::write(&other, format!("{}\n", date(-300))).unwrap();
    let why = Update::new(place.store()).allow(Guard::ALL).run().unwrap_err();
    let path = other.display();
    let told = format!(
        "no row of the store would be left: the calendar {path} knows the trading date of none of the 3 rows read; \
         calendar names one that does"
    );
    assert_eq!((why.to_string(), why.path()), (told, Some(other.as_path())));
}

#[test]
fn a_trading_date_that_was_none_goes_once_all_files_are_read_again() {
    let place = Place::new();
    // Someone's clock was wrong: a row by day on day 1.
    place.add("A", &columns(&[(0, 0, 1), (0, 2, 2), (2, 0, 3)]));
    place.add("B", &columns(&[(1, 0, 4), (2, 0, 5)]));
    Build::new(place.source(), place.store()).options(options(None)).run().unwrap();
    let rows = || held(&Store::open(place.store()).unwrap()).into_iter().map(|(day, rows)| (day, rows.len()));
    assert_eq!(rows().collect::<Vec<_>>(), [(0, 1), (1, 2), (2, 2)]);
    place.add("B", &columns(&[(2, 0, 5)]));
    let update = || Update::new(place.store()).allow(Guard::ALL);
    update().run().unwrap();
    assert_eq!(rows().collect::<Vec<_>>(), [(0, 1), (1, 1), (2, 2)]);
    let report = update().reread(true).run().unwrap();
    assert_eq!((report.added, report.removed), (1, 1), "{report:?}");
    assert_eq!(rows().collect::<Vec<_>>(), [(0, 1), (2, 3)]);
    assert!(!update().run().unwrap().published);
}

#[test]
fn roll_and_calendar_are_set_and_rows_move() {
    let place = Place::new();
    place.add("A", &columns(&[(0, 0, 1), (0, 2, 2), (2, 0, 3)]));
    Build::new(place.source(), place.store()).options(options(None)).run().unwrap();
    let days = || held(&Store::open(place.store()).unwrap()).into_keys().collect::<Vec<i32>>();
    let rows = |on: i32| held(&Store::open(place.store()).unwrap()).get(&on).map_or(0, Vec::len);
    let set = |text: String| {
        let assignment: Assignment = text.parse().unwrap();
        Update::new(place.store()).set("source", assignment).allow(Guard::ALL).run()
    };
    assert_eq!((days(), rows(2)), (vec![0, 2], 2));
    let calendar = write_calendar(&place, &[0, 1, 2].into_iter().collect());
    set(format!("calendar={calendar}")).unwrap();
    assert_eq!((days(), rows(2)), (vec![0, 1, 2], 1));
    // Without it, the dates are those that have a row by day: day 1 has none.
    set("calendar=".to_owned()).unwrap();
    assert_eq!((days(), rows(2)), (vec![0, 2], 2));
    set("roll=21:30".to_owned()).unwrap();
    assert_eq!((days(), rows(0)), (vec![0, 2], 2));
    set("roll=".to_owned()).unwrap();
    assert_eq!((days(), rows(0)), (vec![0, 2], 2));
    set("roll=14:00".to_owned()).unwrap();
    assert_eq!((days(), rows(2)), (vec![0, 2], 2));
}

#[test]
fn a_panel_that_does_not_keep_the_dates_of_its_files_cannot_roll() {
    let place = Place::new();
    place.add("A", &columns(&[(0, 0, 1), (2, 0, 3)]));
    let options = SourceOptions { key: vec!["time".to_owned()], ..SourceOptions::default() };
    Build::new(place.source(), place.store()).options(options).run().unwrap();
    let roll: Assignment = "roll=20:30".parse().unwrap();
    let why = Update::new(place.store()).set("source", roll).run().unwrap_err().to_string();
    let told = "roll 20:30: the files' dates would be lost, as trading dates take their place; build another store, with \
                the date column in its key";
    assert_eq!(why, told);
}

#[test]
fn a_file_that_is_read_again_for_rows_that_waited_leaves_restored_ones_as_they_are() {
    let place = Place::in_memory();
    place.add("A", &columns(&[(0, 0, 1), (0, 2, 2)]));
    place.add("B", &columns(&[(0, 0, 3)]));
    Build::new(place.source(), place.store()).options(options(None)).workers(1).run().unwrap();
    let update = || Update::new(place.store()).workers(1).run().unwrap();
    place.add("A", &columns(&[(0, 0, 100), (0, 1, 4), (0, 2, 2)]));
    assert_eq!((update().restated, update().waiting_rows), (1, 1));
    Restore::new(place.store(), 1).workers(1).allow(Guard::ALL).run().unwrap();
    place.add("B", &columns(&[(0, 0, 3), (1, 0, 5)]));
    let report = update();
    assert_eq!((report.added, report.restated, report.waiting_rows), (2, 0, 0), "{report:?}");
    let of_a: Vec<i64> = held(&Store::open(place.store()).unwrap())
        .into_values()
        .flatten()
        .filter(|row| row.0 == "A")
        .map(|row| row.3)
        .collect();
    assert_eq!(of_a, [1, 2]);
}

#[test]
fn a_date_of_which_there_are_small_hours_alone_is_noted_once() {
    let place = Place::new();
    let add = |code: &str, rows: &[(i32, &str)]| {
        let text = |texts: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
        let days = text(rows.iter().map(|(day, _)| date(*day).to_string()).collect());
        let times = text(rows.iter().map(|(_, time)| (*time).to_owned()).collect());
        place.add(code, &batch(&[("date", days), ("time", times)]));
    };
    // The night from day 0 to day 2 goes on past midnight; A has no other row on day 2, and B has.
    add("A", &[(0, "09:00"), (0, "21:00"), (1, "05:59"), (2, "01:00")]);
    add("B", &[(2, "00:30"), (2, "15:00")]);
    let built = Build::new(place.source(), place.store()).options(options(None)).run().unwrap();
    let told = format!(
        "only rows before 06:00 make {} trading dates; a calendar says whose they are where a night goes on past midnight",
        date(1)
    );
    assert_eq!(built.notes, [told.as_str()]);
    // What is known needs no note, nor do dates of their own in the panel beside those that files spell as text.
    add("A", &[(0, "09:00"), (0, "21:00"), (1, "05:59"), (2, "01:00"), (3, "10:00")]);
    let updated = Update::new(place.store()).run().unwrap();
    assert_eq!((updated.added, updated.notes), (1, Vec::<String>::new()));
    assert_eq!(Update::new(place.store()).reread(true).run().unwrap().notes, [told.as_str()]);
    let calendar = write_calendar(&place, &[0, 2, 3].into_iter().collect());
    let kept = Update::new(place.store()).set("source", format!("calendar={calendar}").parse().unwrap());
    assert_eq!(kept.allow(Guard::ALL).run().unwrap().notes, Vec::<String>::new());
}
