//! Coverage is what somebody looks at to see whether a panel is whole. A fact that is a little wrong there is believed,
//! and a hole that it does not show is traded on. Random panels with several sources, with further key columns and with
//! versions are counted here beside a map of all rows; a panel with known faults says that each is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int32Array, Int64Array, StringArray};
use transect::coverage::{ColumnCoverage, Distribution, JumpKind, StockState, Untold, VersionChange};
use transect::progress::{Observer, Silent};
use transect::source::SourceOptions;
use transect::store::{Collect, StockChange};
use transect::{AddSource, Build, Coverage, Date, Error, Guard, Store, Update};

use super::panels::{Place, batch, date, workers, write_parquet};
use super::scene::{Random, rounds};

const CODES: [&str; 5] = ["000001.SZ", "</script><b>", "BRK.B", "abr", "平安"];
const DATES: [i64; 8] = [20221230, 20230103, 20230104, 20230228, 20230301, 20231229, 20240102, 20240103];
const FLOATS: [f64; 10] = [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.0, -2.5, 1e300, -5e-324, 3.999];

/// The first and the last date on which a stock has a row, and all of them.
type Life = (usize, usize, BTreeSet<usize>);

/// By date, code and a further key: a double, an integer and a text, null or not.
type Model = BTreeMap<(usize, usize, i64), [Option<usize>; 3]>;

fn model(random: &mut Random, is_keyed: bool) -> Model {
    let keys = if is_keyed { 3 } else { 1 };
    let mut row = |_| {
        let key = (random.below(DATES.len()), random.below(CODES.len()), random.below(keys) as i64);
        let value = |random: &mut Random, count| (random.below(5) > 0).then(|| random.below(count));
        (key, [value(random, FLOATS.len()), value(random, 300), value(random, 3)])
    };
    (0..40).map(&mut row).collect()
}

/// Writes a source whose columns begin with `prefix`.
fn put(directory: &PathBuf, prefix: &str, model: &Model, is_keyed: bool) {
    let _ = fs::remove_dir_all(directory);
    fs::create_dir(directory).unwrap();
    for (number, code) in CODES.iter().enumerate() {
        let rows: Vec<_> = model.iter().filter(|((_, code, _), _)| *code == number).collect();
        if rows.is_empty() {
            continue;
        }
        let dates: ArrayRef =
            Arc::new(StringArray::from_iter_values(rows.iter().map(|((day, ..), _)| DATES[*day].to_string())));
        let x = rows.iter().map(|(_, row)| row[0].map(|at| FLOATS[at])).collect::<Float64Array>();
        let n = rows.iter().map(|(_, row)| row[1].map(|n| n as i32)).collect::<Int32Array>();
        let t = rows.iter().map(|(_, row)| row[2].map(|n| format!("text {n}"))).collect::<StringArray>();
        let names = ["x", "n", "t"].map(|name| format!("{prefix}{name}"));
        let mut columns: Vec<(&str, ArrayRef)> = vec![("trade_date", dates)];
        let key: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|((_, _, k), _)| *k)));
        columns.extend(is_keyed.then_some(("k", key)));
        columns.extend([(&*names[0], Arc::new(x) as ArrayRef), (&*names[1], Arc::new(n)), (&*names[2], Arc::new(t))]);
        // A stock of this name has no file of its own on a disk.
        let code = code.replace('/', "%2F");
        fs::create_dir(directory.join(format!("code={code}"))).unwrap();
        write_parquet(&directory.join(format!("code={code}/data.parquet")), &batch(&columns));
    }
}

/// The numbers of a column in a year, by the model.
fn check_distribution(told: &Distribution, values: &[Option<f64>]) {
    let mut finite: Vec<f64> = values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
    finite.sort_by(f64::total_cmp);
    let count = |is: fn(&f64) -> bool| values.iter().flatten().filter(|value| is(value)).count() as u64;
    assert_eq!(
        [told.rows, told.nulls, told.nans, told.infinities, told.zeros, told.values],
        [
            values.len() as u64,
            values.iter().filter(|value| value.is_none()).count() as u64,
            count(|value| value.is_nan()),
            count(|value| value.is_infinite()),
            count(|value| *value == 0.0),
            finite.len() as u64
        ]
    );
    assert_eq!((told.least, told.greatest), (finite.first().copied(), finite.last().copied()));
    for (share, told) in [1, 5, 25, 50, 75, 95, 99].into_iter().zip(told.quantiles.into_iter().flatten()) {
        let place = (finite.len() - 1) * share;
        let (low, high, part) = (finite[place / 100], finite[place.div_ceil(100)], (place % 100) as f64 / 100.0);
        let between = |low: f64, high: f64| low * (1.0 - part) + high * part;
        let exact = between(low, high);
        // Numbers with fewer digits than others have no such share of their own.
        let most = (between(low.abs(), high.abs()) / 128.0).max(f64::MIN_POSITIVE);
        assert!((told - exact).abs() <= most, "{share} %: {told:e}, and it is {exact:e}");
    }
    assert_eq!(told.quantiles.is_some(), !finite.is_empty());
}

fn check_column(told: &ColumnCoverage, coverage: &Coverage, rows: &[(Date, Option<f64>)], is_number: bool) {
    let nulls = |rows: &[(Date, Option<f64>)]| rows.iter().filter(|(_, value)| value.is_none()).count() as u64;
    let nans =
        |rows: &[(Date, Option<f64>)]| rows.iter().filter(|(_, value)| value.is_some_and(f64::is_nan)).count() as u64;
    assert_eq!((told.nulls, told.nans), (nulls(rows), nans(rows)), "{}", told.name);
    let month = |date: Date| (date.yyyymmdd() / 100) as u32;
    for (known, missing) in coverage.months.iter().zip(&told.months) {
        let rows: Vec<_> = rows.iter().filter(|(date, _)| month(*date) == known.month).copied().collect();
        assert_eq!((missing.nulls, missing.nans), (nulls(&rows), nans(&rows)), "{} in {}", told.name, known.month);
    }
    assert_eq!(told.months.len(), coverage.months.len());
    let years: BTreeSet<i32> = rows.iter().map(|(date, _)| date.ymd().0).filter(|_| is_number).collect();
    assert_eq!(told.years.iter().map(|year| year.year).collect::<Vec<_>>(), Vec::from_iter(years), "{}", told.name);
    for year in &told.years {
        let values = rows.iter().filter(|(date, _)| date.ymd().0 == year.year).map(|(_, value)| *value);
        check_distribution(year, &values.collect::<Vec<_>>());
    }
}

fn check(coverage: &Coverage, models: &[Model], is_keyed: bool) {
    let keys: BTreeSet<(usize, usize, i64)> = models.iter().flat_map(|model| model.keys().copied()).collect();
    let days: BTreeSet<usize> = keys.iter().map(|(day, ..)| *day).collect();
    let stocks_on = |day: usize| keys.iter().filter(|key| key.0 == day).map(|key| key.1).collect::<BTreeSet<_>>();
    let life = |code: usize| -> Option<Life> {
        let days: BTreeSet<usize> = keys.iter().filter(|key| key.1 == code).map(|key| key.0).collect();
        Some((*days.first()?, *days.last()?, days))
    };
    let lives: BTreeMap<usize, _> = (0..CODES.len()).filter_map(|code| Some((code, life(code)?))).collect();
    assert_eq!(coverage.rows, keys.len() as u64);
    assert_eq!(coverage.dates.len(), days.len());
    for (told, &day) in coverage.dates.iter().zip(&days) {
        let count = |is: &dyn Fn(&Life) -> bool| lives.values().filter(|life| is(life)).count() as u32;
        assert_eq!(told.date, date(DATES[day]));
        assert_eq!(told.rows, keys.iter().filter(|key| key.0 == day).count() as u64);
        assert_eq!(told.stocks, stocks_on(day).len() as u32);
        assert_eq!((told.first, told.last), (count(&|life| life.0 == day), count(&|life| life.1 == day)));
        assert_eq!(told.absent, count(&|life| life.0 < day && day < life.1 && !life.2.contains(&day)));
    }
    assert_eq!(
        coverage.stocks.iter().map(|stock| &*stock.code).collect::<Vec<_>>(),
        lives.keys().map(|code| CODES[*code]).collect::<Vec<_>>()
    );
    for (told, (code, (first, last, own))) in coverage.stocks.iter().zip(&lives) {
        assert_eq!((told.first, told.last), (date(DATES[*first]), date(DATES[*last])));
        assert_eq!(told.dates, own.len() as u32);
        assert_eq!(told.holes, days.range(first..=last).filter(|day| !own.contains(day)).count() as u32);
        assert_eq!(told.state == StockState::Current, days.last() == Some(last));
        let of_month = |month: &u32, day: usize| (date(DATES[day]).yyyymmdd() / 100) as u32 == *month;
        let mut months = told.months.iter();
        for (number, month) in coverage.months.iter().enumerate() {
            let dates = own.iter().filter(|day| of_month(&month.month, **day)).count();
            let rows = keys.iter().filter(|key| key.1 == *code && of_month(&month.month, key.0)).count();
            if dates > 0 {
                let told = months.next().unwrap();
                assert_eq!((told.month, told.rows, told.dates), (number as u32, rows as u32, dates as u8));
            }
        }
        assert_eq!(months.next(), None);
    }
    let mut columns = coverage.columns.iter();
    if is_keyed {
        let key = columns.next().unwrap();
        assert_eq!((&*key.name, &key.source), ("k", &None));
        check_column(
            key,
            coverage,
            &keys.iter().map(|key| (date(DATES[key.0]), Some(key.2 as f64))).collect::<Vec<_>>(),
            true,
        );
    }
    for (number, model) in models.iter().enumerate() {
        for (at, name) in ["x", "n", "t"].into_iter().enumerate() {
            let told = columns.next().unwrap();
            assert_eq!(
                (&told.name, told.source.as_deref()),
                (&format!("{}{name}", ["p", "q"][number]), Some(["p", "q"][number]))
            );
            let value = |key| {
                let value = model.get(key).and_then(|row| row[at]);
                value.map(|value| if at == 0 { FLOATS[value] } else { value as f64 })
            };
            check_column(
                told,
                coverage,
                &keys.iter().map(|key| (date(DATES[key.0]), value(key))).collect::<Vec<_>>(),
                at < 2,
            );
        }
    }
    assert!(columns.next().is_none());
}

/// What the model says that a version changed in its source's rows: by stock and by column.
fn check_change(told: &VersionChange, old: &Model, new: &Model, others: &BTreeSet<(usize, usize, i64)>) {
    let row = |model: &Model, key: &(usize, usize, i64)| model.get(key).copied().unwrap_or_default();
    let bits = |row: [Option<usize>; 3]| (row[0].map(|at| FLOATS[at].to_bits()), row[1], row[2]);
    let has = |model: &Model, key: &(usize, usize, i64)| model.contains_key(key) || others.contains(key);
    let mut stocks: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    let mut columns = [[0_u64; 2]; 3];
    for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let (a, b) = (row(old, key), row(new, key));
        let kind = match (has(old, key), has(new, key)) {
            (false, _) => 0,
            (_, false) => 2,
            _ if bits(a) == bits(b) => continue,
            // First values of a row that the other source had.
            _ if !old.contains_key(key) => 3,
            _ => 1,
        };
        if kind % 2 == 1 {
            let differ = [bits(a).0 != bits(b).0, a[1] != b[1], a[2] != b[2]];
            columns.iter_mut().zip(differ).for_each(|(counts, differs)| counts[kind / 2] += u64::from(differs));
        }
        stocks.entry(CODES[key.1].to_owned()).or_default()[kind] += 1;
    }
    let counts = |of: &StockChange| [of.added, of.restated, of.removed, of.filled];
    let told_stocks: BTreeMap<String, [u64; 4]> =
        told.stocks.iter().map(|stock| (stock.stock.clone(), counts(stock))).collect();
    assert_eq!(told_stocks, stocks);
    assert!(told.stocks.is_sorted_by(|a, b| a.restated >= b.restated));
    let told_columns: BTreeMap<&str, [u64; 2]> =
        told.columns.iter().map(|column| (&*column.column, [column.restated, column.filled])).collect();
    let columns = ["px", "pn", "pt"].into_iter().zip(columns).filter(|(_, counts)| *counts != [0; 2]);
    assert_eq!(told_columns, columns.collect());
    let sums = told.dates.iter().fold([0; 4], |sums, date| {
        let of_date = [date.added, date.restated, date.removed, date.filled];
        [0, 1, 2, 3].map(|at| sums[at] + of_date[at])
    });
    assert_eq!(sums, stocks.values().fold([0; 4], |sums, counts| [0, 1, 2, 3].map(|at| sums[at] + counts[at])));
}

#[test]
fn coverage_of_random_panels_is_what_a_map_of_their_rows_says() {
    let all = [Guard::MissingFiles, Guard::TurnedNull, Guard::FewCodes, Guard::PrunedRows, Guard::SparseColumns];
    // With one source and with two, of plain keys and of longer ones, in six rounds.
    for round in 0..2 * rounds() as u64 {
        let mut random = Random::new(round);
        let is_keyed = round % 2 == 1;
        let place = Place::in_memory();
        let mut models = vec![model(&mut random, is_keyed)];
        let options = SourceOptions {
            pattern: "code={code}/data.parquet".parse().unwrap(),
            key: if is_keyed { vec!["k".to_owned()] } else { Vec::new() },
            ..SourceOptions::default()
        };
        put(&place.path("p"), "p", &models[0], is_keyed);
        Build::new(place.path("p"), place.store()).options(options.clone()).workers(1).run().unwrap();
        let cover =
            |count: usize| Coverage::of(&Store::open(place.store()).unwrap(), &workers(count), &Silent).unwrap();
        check(&cover(1), &models, is_keyed);

        if round % 3 > 0 {
            let other = model(&mut random, is_keyed);
            put(&place.path("q"), "q", &other, is_keyed);
            let add = AddSource::new(place.store(), [place.path("q")]).options(options);
            add.allow(all).workers(1).run().unwrap();
            models.push(other);
        }
        let before = models[0].clone();
        let changed = model(&mut random, is_keyed);
        models[0].retain(|_, _| random.below(3) > 0);
        models[0].extend(changed.into_iter().take(8));
        let only: BTreeSet<usize> = before.keys().map(|key| key.1).collect();
        // A stock whose file is gone keeps its rows; so none goes.
        for (key, row) in &before {
            if only.contains(&key.1) && !models[0].keys().any(|known| known.1 == key.1) {
                models[0].insert(*key, *row);
            }
        }
        put(&place.path("p"), "p", &models[0], is_keyed);
        Update::new(place.store()).check_content(true).allow(all).workers(1).run().unwrap();
        let coverage = cover(3);
        assert_eq!(format!("{coverage:?}"), format!("{:?}", cover(1)));
        // A column or two at a time, in as many walks.
        let small = workers(1).within(4_700_000);
        let in_walks = Coverage::of(&Store::open(place.store()).unwrap(), &small, &Silent).unwrap();
        assert_eq!(format!("{coverage:?}"), format!("{in_walks:?}"));
        check(&coverage, &models, is_keyed);
        let others = models.get(1).map(|other| other.keys().copied().collect()).unwrap_or_default();
        let last = coverage.versions.last().unwrap();
        let change = last.change.as_ref().unwrap();
        check_change(change, &before, &models[0], &others);
        assert_eq!(last.entry.filled, change.dates.iter().map(|date| date.filled).sum::<u64>());
        assert_eq!(coverage.versions[0].untold, Some(Untold::First));

        Collect::new(place.store()).keep(1).run().unwrap();
        let last = cover(1).versions.pop().unwrap();
        // The other one is gone, and what changed is known.
        check_change(last.change.as_ref().unwrap(), &before, &models[0], &others);
        assert_eq!(
            (last.kept, last.untold, last.dirty.map(|dates| dates.len() as u64)),
            (true, None, Some(last.entry.dirty_dates))
        );
    }
}

/// 30 stocks on 60 dates, with one fault of each kind.
fn faulty() -> Place {
    let place = Place::in_memory();
    let days: Vec<Date> = (0..60).map(|n| Date::from_days(19_700 + n).unwrap()).collect();
    for stock in 0..30 {
        let has = |day: usize| match (stock, day) {
            // One comes late, one has left, one is stale; seven are absent on one date, where one is as a rule.
            (0, 0..10) | (1, 30..) | (2, 57..) | (3..10, 40) => false,
            (10, day) => day % 2 == 0,
            _ => true,
        };
        let rows: Vec<usize> = (0..60).filter(|&day| has(day)).collect();
        let value = |day: usize| match day {
            // A unit of a hundredth on one date, zeros on another, nulls and NaNs on a third.
            20 => Some(1000.0 + f64::from(stock)),
            30 => Some(if stock < 20 { 0.0 } else { 10.0 }),
            50 if stock < 15 => None,
            50 => Some(f64::NAN),
            _ => Some(10.0 + f64::from(stock) / 100.0),
        };
        let dates = rows.iter().map(|&day| days[day].to_string());
        let x = rows.iter().map(|&day| value(day)).collect::<Float64Array>();
        let flag = rows.iter().map(|&day| Some(i64::from((stock + day as i32) % 2 == 0))).collect::<Int64Array>();
        let columns: [(&str, ArrayRef); 3] =
            [("date", Arc::new(StringArray::from_iter_values(dates))), ("x", Arc::new(x)), ("flag", Arc::new(flag))];
        place.add(&format!("S{stock:02}"), &batch(&columns));
    }
    place.build();
    place
}

#[test]
fn faults_of_a_feed_are_told() {
    let place = faulty();
    let coverage = Coverage::of(&Store::open(place.store()).unwrap(), &workers(2), &Silent).unwrap();
    let day = |n: i32| Date::from_days(19_700 + n).unwrap();
    let unusual: Vec<Date> = coverage.dates.iter().filter(|date| date.unusual).map(|date| date.date).collect();
    assert_eq!(unusual, [day(40)]);
    assert_eq!((coverage.dates[40].absent, coverage.dates[40].stocks), (7, 22));
    let states = |state| {
        let stocks = coverage.stocks.iter().filter(|stock| stock.state == state);
        stocks.map(|stock| (&*stock.code, stock.holes)).collect::<Vec<_>>()
    };
    assert_eq!(states(StockState::Left), [("S01", 0)]);
    // One that has rows on every other date lacks the last one, too.
    assert_eq!(states(StockState::Stale), [("S02", 0), ("S10", 29)]);
    assert_eq!(coverage.stocks[0].first, day(10));
    let jumps: Vec<_> = coverage.columns[0].jumps.iter().map(|jump| (jump.date, jump.kind)).collect();
    use JumpKind::*;
    let expected = [(20, Scale), (21, Scale), (30, Zeros), (31, Zeros), (50, Missing), (51, Missing)];
    assert_eq!(jumps, expected.map(|(n, kind)| (day(n), kind)));
    assert_eq!((coverage.columns[0].jump_count, coverage.columns[1].jump_count), (6, 0));
}

/// Of so many stocks, 60 dates: a feed whose unit changes, one that lacks values, one of zeros, one with a bad date,
/// one that moves by itself, between a hundredth and a hundred, two that have values or zeros alone on every third
/// date, and one of which most stocks have none, or too few of many.
fn few(stocks: u32) -> Vec<(String, Vec<(i32, JumpKind)>)> {
    let place = Place::new();
    let day = |n: i32| Date::from_days(19_700 + n).unwrap();
    for stock in 0..stocks {
        let price = |n: i32| f64::from(stock + 1) * 100.0 * (1.0 + f64::from(n % 7) / 100.0);
        // The same for all stocks, so that their median moves, too.
        let wild = |n: i32| 10_f64.powf(f64::from(n * 37 % 11) * 0.4 - 2.0);
        let column =
            |value: &dyn Fn(i32) -> Option<f64>| -> ArrayRef { Arc::new((0..60).map(value).collect::<Float64Array>()) };
        let has_value = stock < if stocks < 20 { 4 } else { 19 };
        let columns: [(&str, ArrayRef); 9] = [
            ("date", Arc::new(StringArray::from_iter_values((0..60).map(|n| day(n).to_string())))),
            ("unit", column(&|n| Some(price(n) * if n < 30 { 1.0 } else { 100_000.0 }))),
            ("lacking", column(&|n| (n < 40).then(|| price(n)))),
            ("zero", column(&|n| Some(if n < 45 { price(n) } else { 0.0 }))),
            ("bad", column(&|n| Some(price(n) * if n == 20 { 0.01 } else { 1.0 }))),
            ("wild", column(&|n| Some(wild(n)))),
            ("seldom", column(&|n| (n % 3 == 0).then(|| price(n)))),
            ("halting", column(&|n| Some(if n % 3 == 0 { 0.0 } else { price(n) }))),
            ("thin", column(&|n| has_value.then(|| price(n) * if n < 30 { 1.0 } else { 100_000.0 }))),
        ];
        place.add(&format!("F{stock:02}"), &batch(&columns));
    }
    place.build();
    let coverage = Coverage::of(&Store::open(place.store()).unwrap(), &workers(2), &Silent).unwrap();
    let jumps = |column: &ColumnCoverage| {
        assert_eq!(column.jump_count, column.jumps.len() as u64);
        column.jumps.iter().map(|jump| (jump.date.days() - 19_700, jump.kind)).collect()
    };
    coverage.columns.iter().map(|column| (column.name.clone(), jumps(column))).collect()
}

#[test]
fn faults_of_a_feed_of_few_stocks_are_told_beyond_what_is_usual_of_it() {
    use JumpKind::*;
    let told = [
        ("unit", vec![(30, Scale)]),
        ("lacking", vec![(40, Missing)]),
        ("zero", vec![(45, Zeros)]),
        ("bad", vec![(20, Scale), (21, Scale)]),
        ("wild", vec![]),
        ("seldom", vec![]),
        ("halting", vec![]),
        ("thin", vec![]),
    ];
    let told = told.map(|(name, jumps)| (name.to_owned(), jumps));
    for stocks in [5, 12, 19] {
        assert_eq!(few(stocks), told, "{stocks} stocks");
    }
    assert!(few(4).iter().all(|(_, jumps)| jumps.is_empty()), "too few to say anything");
    // Of many stocks, what is usual is no excuse.
    assert!(few(20).iter().all(|(name, jumps)| jumps.is_empty() == (name == "thin")));
}

/// Panels of minutes: so many stocks on the first 30 dates, and so many after, when the unit is another. The column
/// `thin` has values of three of them alone, on all dates. How many jumps `unit` and `thin` have.
fn of_minutes(before: u32, after: u32) -> [u64; 2] {
    let place = Place::new();
    let rows: Vec<(i32, i64)> = (0..60).flat_map(|n| (0..30).map(move |minute| (n, minute))).collect();
    for stock in 0..before.max(after) {
        let has = |n: i32| stock < if n < 30 { before } else { after };
        let rows: Vec<(i32, i64)> = rows.iter().copied().filter(|&(n, _)| has(n)).collect();
        let price = |n: i32| f64::from(stock + 1) * if n < 30 { 1.0 } else { 100_000.0 };
        let dates = rows.iter().map(|&(n, _)| Date::from_days(19_700 + n).unwrap().to_string());
        let columns: [(&str, ArrayRef); 4] = [
            ("date", Arc::new(StringArray::from_iter_values(dates))),
            ("minute", Arc::new(Int64Array::from_iter_values(rows.iter().map(|&(_, minute)| minute)))),
            ("unit", Arc::new(Float64Array::from_iter_values(rows.iter().map(|&(n, _)| price(n))))),
            ("thin", Arc::new(rows.iter().map(|&(n, _)| (stock < 3).then(|| price(n))).collect::<Float64Array>())),
        ];
        place.add(&format!("M{stock:02}"), &batch(&columns));
    }
    let options = SourceOptions { key: vec!["minute".to_owned()], ..SourceOptions::default() };
    Build::new(place.source(), place.store()).options(options).workers(1).run().unwrap();
    let coverage = Coverage::of(&Store::open(place.store()).unwrap(), &workers(2), &Silent).unwrap();
    [1, 2].map(|at| coverage.columns[at].jump_count)
}

#[test]
fn dates_are_judged_by_their_stocks_however_many_rows_each_has() {
    assert_eq!(of_minutes(22, 22), [1, 0]);
    assert_eq!(of_minutes(12, 12), [1, 0]);
    for (before, after) in [(3, 3), (3, 22), (22, 3), (12, 22)] {
        assert_eq!(of_minutes(before, after), [0, 0], "{before} stocks, then {after}");
    }
}

/// Of so many stocks, of which each misses one date of `one_in` at random, but on date 100 so many miss it; the dates
/// that are unusual, of 300.
fn unusual(stocks: usize, one_in: usize, on_100: usize) -> Vec<usize> {
    let place = Place::in_memory();
    let mut random = Random::new(stocks as u64);
    for stock in 0..stocks {
        // A stock has the first and the last date.
        let mut has = |day: usize| match day {
            0 | 299 => true,
            100 => stock >= on_100,
            _ => random.below(one_in) > 0,
        };
        let days: Vec<usize> = (0..300).filter(|&day| has(day)).collect();
        let dates = days.iter().map(|&day| Date::from_days(19_700 + day as i32).unwrap().to_string());
        let x = Float64Array::from_iter_values(days.iter().map(|&day| day as f64));
        let columns: [(&str, ArrayRef); 2] =
            [("date", Arc::new(StringArray::from_iter_values(dates))), ("x", Arc::new(x))];
        place.add(&format!("U{stock:03}"), &batch(&columns));
    }
    place.build();
    let coverage = Coverage::of(&Store::open(place.store()).unwrap(), &workers(2), &Silent).unwrap();
    (0..coverage.dates.len()).filter(|&at| coverage.dates[at].unusual).collect()
}

#[test]
fn absences_are_unusual_where_chance_does_not_make_them() {
    // So many, where hardly one, a few or most are absent as a rule.
    for (stocks, one_in, on_100) in [(5, 30, 4), (20, 30, 9), (60, 30, 20), (20, 10, 12), (30, 3, 29), (200, 10, 60)] {
        let told = unusual(stocks, one_in, on_100);
        assert!(told.contains(&100), "{stocks} stocks: {told:?}");
        // Three dates in a hundred may be chance: of 20 stocks three are absent on one.
        assert!(told.len() <= 9, "{stocks} stocks: {told:?}");
    }
}

#[test]
fn coverage_stops_when_it_is_told_to_and_names_damage() {
    struct Stop;
    impl Observer for Stop {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let place = faulty();
    let store = Store::open(place.store()).unwrap();
    assert!(matches!(Coverage::of(&store, &workers(2), &Stop), Err(Error::Cancelled)));
    drop(store);
    let segment = super::panels::segment_path(&place.store());
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(8).position(|window| window == 1000f64.to_le_bytes()).unwrap();
    bytes[at] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let damaged = Coverage::of(&Store::open(place.store()).unwrap(), &workers(1), &Silent);
    assert!(matches!(damaged, Err(Error::Corrupt { .. })), "{damaged:?}");
}
