//! Rows come to a store from stocks' files and by hand, and each has the last word on some. Who has it must not depend
//! on which nights published a version, on a file's time, or on what was written anew without a change. Random nights
//! run here beside a map that knows where each row came from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::{ArrayRef, Float64Array, StringArray};
use proptest::prelude::*;
use proptest::sample::select;
use transect::storage::Disk;
use transect::{Append, Build, Error, Guard, Store, Update, UpdateReport};

use super::appends::noted;
use super::model::Rows;
use super::panels::{Cell, Place, assert_no_leftovers, assert_whole, batch, cases, date, write_parquet};
use super::updates::{Difference, rows_of};

const CODES: [&str; 4] = ["B", "A", "平安", "a b"];
const DATES: [i64; 5] = [19691231, 20240102, 20240103, 20240104, 20240108];
const COLUMNS: [&str; 3] = ["close", "pe", "pb"];

/// For each column a value, or null.
type Values = [Option<u8>; 3];

/// What one stock's file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    /// By date.
    rows: BTreeMap<usize, Values>,
    /// How many of the columns it has, at least one.
    columns: usize,
    /// Files that differ in nothing else hold the same rows.
    note: u8,
}

/// What happens between two looks at the store.
#[derive(Debug, Clone)]
enum Step {
    /// A stock's file is written.
    Write(usize, File),
    /// It is written again with the same bytes, or with the same rows and others.
    Again(usize, bool),
    /// It loses or gains one date.
    Alter(usize, usize, Option<Values>),
    Remove(usize),
    Append {
        day: usize,
        rows: BTreeMap<usize, Values>,
        replace: bool,
    },
    Update {
        prune: bool,
        allow: bool,
    },
}

fn values() -> impl Strategy<Value = Values> {
    prop::array::uniform3(prop_oneof![1 => Just(None), 4 => (0..4u8).prop_map(Some)])
}

fn files() -> impl Strategy<Value = File> {
    let rows = prop::collection::btree_map(0..DATES.len(), values(), 0..5);
    (rows, select(vec![1, 1, 2, 2, 3]), 0..2u8).prop_map(|(rows, columns, note)| {
        let mut file = File { rows, columns, note };
        file.rows = file.rows.iter().map(|(&day, row)| (day, file.values(row))).collect();
        file
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let code = || 0..CODES.len();
    let day = || 0..DATES.len();
    let step = prop_oneof![
        3 => (code(), files()).prop_map(|(code, file)| Step::Write(code, file)),
        2 => (code(), any::<bool>()).prop_map(|(code, same)| Step::Again(code, same)),
        2 => (code(), day(), prop::option::of(values())).prop_map(|(code, day, row)| Step::Alter(code, day, row)),
        1 => code().prop_map(Step::Remove),
        4 => (day(), prop::collection::btree_map(code(), values(), 1..4), prop::bool::weighted(0.3))
            .prop_map(|(day, rows, replace)| Step::Append { day, rows, replace }),
        6 => (prop::bool::weighted(0.2), any::<bool>()).prop_map(|(prune, allow)| Step::Update { prune, allow }),
    ];
    prop::collection::vec(step, 1..16)
}

/// A row as the store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    values: Values,
    /// The version that appended it, or 0 for one of its file.
    appended: u64,
}

/// What a store must hold, and why.
#[derive(Debug, Clone, Default)]
struct Model {
    version: u64,
    columns: usize,
    /// By date and code.
    rows: BTreeMap<(usize, usize), Row>,
    /// The files as they were when a version last remembered them.
    known: BTreeMap<usize, File>,
    /// Those of them that were not there when an update last published a version.
    missing: BTreeSet<usize>,
    /// Files that were not so when rows of their stocks were appended, and the first version that saw them.
    seen: BTreeMap<usize, (u64, File)>,
    /// The version that last replaced each date, while it has appended rows.
    replaced: BTreeMap<usize, u64>,
}

impl Model {
    fn marked(&self, day: usize) -> bool {
        self.marks().keys().any(|key| key.0 == day)
    }

    /// The appended rows, and the versions that appended them.
    fn marks(&self) -> BTreeMap<(usize, usize), u64> {
        self.rows.iter().filter(|(_, row)| row.appended > 0).map(|(key, row)| (*key, row.appended)).collect()
    }

    /// After an update from these files; whether it publishes, and how many appended rows no file of it has.
    fn update(&mut self, files: &BTreeMap<usize, File>, prune: bool) -> (bool, u64) {
        let mut next = self.clone();
        let mut kept = 0;
        let changed: BTreeSet<usize> =
            files.iter().filter(|(code, file)| self.known.get(code) != Some(*file)).map(|(code, _)| *code).collect();
        let gone: Vec<usize> = self.known.keys().copied().filter(|code| !files.contains_key(code)).collect();
        for &code in &gone {
            let is_empty = self.known[&code].rows.is_empty();
            if prune && !is_empty {
                next.rows.retain(|key, row| key.1 != code || row.appended > 0);
                kept += next.rows.keys().filter(|key| key.1 == code).count() as u64;
            }
            if prune || is_empty {
                next.known.remove(&code);
                next.seen.remove(&code);
            }
        }
        for &code in &changed {
            let file = &files[&code];
            let since = self.seen.get(&code).filter(|(_, seen)| seen == file).map_or(u64::MAX, |(since, _)| *since);
            next.columns = next.columns.max(file.columns);
            for day in 0..DATES.len() {
                let before = self.rows.get(&(day, code));
                let appended = before.map_or_else(|| self.replaced.get(&day).copied().unwrap_or(0), |row| row.appended);
                match (file.rows.get(&day), before) {
                    (Some(_), _) if appended >= since => {}
                    (Some(row), _) => {
                        next.rows.insert((day, code), Row { values: *row, appended: 0 });
                    }
                    (None, Some(_)) if appended > 0 => kept += 1,
                    (None, _) => drop(next.rows.remove(&(day, code))),
                }
            }
            next.known.insert(code, file.clone());
            next.seen.remove(&code);
        }
        // An empty folder is told once, and so is a file that is there again.
        let is_emptied = files.is_empty() && gone.iter().any(|code| !self.missing.contains(code));
        let came_back = self.missing.iter().any(|code| files.contains_key(code));
        next.missing = gone.into_iter().filter(|code| next.known.contains_key(code)).collect();
        let listed = |model: &Model| -> Vec<(usize, bool)> {
            model.known.iter().map(|(code, file)| (*code, file.rows.is_empty())).collect()
        };
        let publishes = self.values() != next.values()
            || self.marks() != next.marks()
            || next.columns != self.columns
            || listed(self) != listed(&next)
            || is_emptied
            || came_back;
        if publishes {
            *self = next;
            self.settle();
        }
        (publishes, kept)
    }

    /// After an append; whether it publishes.
    fn append(
        &mut self,
        files: &BTreeMap<usize, File>,
        day: usize,
        rows: &BTreeMap<usize, Values>,
        replace: bool,
    ) -> bool {
        let mut next = self.clone();
        next.version += 1;
        let version = next.version;
        if replace {
            next.rows.retain(|key, _| key.0 != day || rows.contains_key(&key.1));
            next.replaced.insert(day, version);
        }
        for (&code, row) in rows {
            let mut values = *row;
            values[self.columns..].fill(None);
            next.rows.insert((day, code), Row { values, appended: version });
        }
        let publishes = self.values() != next.values();
        if publishes {
            for (&code, known) in self.known.iter().filter(|(_, known)| !known.rows.is_empty()) {
                if !replace && !rows.contains_key(&code) {
                    continue;
                }
                match files.get(&code) {
                    Some(file) if file == known => drop(next.seen.remove(&code)),
                    Some(file) if self.seen.get(&code).is_none_or(|(_, seen)| seen != file) => {
                        next.seen.insert(code, (version, file.clone()));
                    }
                    _ => {}
                }
            }
            next.version -= 1;
            *self = next;
            self.settle();
        }
        publishes
    }

    /// A version was published.
    fn settle(&mut self) {
        self.version += 1;
        let marked: Vec<usize> = (0..DATES.len()).filter(|&day| self.marked(day)).collect();
        self.replaced.retain(|day, _| marked.contains(day));
        if marked.is_empty() {
            self.seen.clear();
        }
    }

    fn values(&self) -> BTreeMap<(usize, usize), Values> {
        self.rows.iter().map(|(key, row)| (*key, row.values)).collect()
    }

    fn rows(&self) -> Rows {
        let named = |values: Values| {
            let cells = COLUMNS.iter().zip(values);
            cells.filter_map(|(name, value)| Some(((*name).to_owned(), Cell::Bits(bits(value?).into())))).collect()
        };
        let key = |(day, code): (usize, usize)| (date(DATES[day]), CODES[code].to_owned());
        self.values().into_iter().map(|(at, values)| (key(at), named(values))).collect()
    }
}

fn bits(value: u8) -> u64 {
    [0.0, -0.0, f64::NAN, 1.5][usize::from(value)].to_bits()
}

fn column(rows: impl Iterator<Item = Option<u8>>) -> ArrayRef {
    Arc::new(rows.map(|value| value.map(|value| f64::from_bits(bits(value)))).collect::<Float64Array>())
}

impl File {
    /// The values of a row, null where it has no column.
    fn values(&self, row: &Values) -> Values {
        let mut values = *row;
        values[self.columns..].fill(None);
        values
    }

    fn write(&self, place: &Place, code: usize) {
        let dates: ArrayRef =
            Arc::new(self.rows.keys().map(|day| Some(DATES[*day].to_string())).collect::<StringArray>());
        let mut columns = vec![("trade_date", dates)];
        for (index, name) in COLUMNS.into_iter().enumerate().take(self.columns) {
            columns.push((name, column(self.rows.values().map(|row| row[index]))));
        }
        place.add(CODES[code], &noted(batch(&columns), &self.note.to_string()));
    }
}

/// Disks of which the n-th operation fails, for each n in turn; the last one never does.
fn disks(faults: &[usize]) -> impl Iterator<Item = Disk> {
    let failing = |&at: &usize| {
        let done = AtomicUsize::new(0);
        Disk::with_hook(move |_| match done.fetch_add(1, Ordering::SeqCst) == at {
            true => Err(std::io::Error::from_raw_os_error(5)),
            false => Ok(()),
        })
    };
    faults.iter().map(failing).chain([Disk::default()])
}

/// Runs a command on each disk until it is done or has published; a run that failed before that leaves `before`.
fn persist(
    place: &Place,
    before: &Rows,
    faults: &[usize],
    run: impl Fn(Disk) -> Result<UpdateReport, Error>,
) -> Result<UpdateReport, Error> {
    let mut failed = None;
    for disk in disks(faults) {
        match run(disk) {
            Err(error @ Error::Io { .. }) => {
                let store = Store::open(place.store()).unwrap();
                assert_whole(&store);
                assert_eq!(rows_of(&store), *before, "{error}");
                failed = Some(error);
            }
            ended => return ended,
        }
    }
    Err(failed.expect("the last disk fails nothing"))
}

/// Runs the steps on a store and on the model; both must agree after each. Where there are `faults`, each command is run
/// on disks that fail first.
fn live(first: BTreeMap<usize, File>, steps: Vec<Step>, workers: usize, faults: &[usize]) {
    let place = Place::in_memory();
    let mut files = first;
    files.iter().for_each(|(code, file)| file.write(&place, *code));
    let mut model = Model::default();
    model.update(&files, false);
    if model.rows.is_empty() {
        return;
    }
    Build::new(place.source(), place.store()).workers(workers).run().unwrap();
    for step in steps {
        let store = Store::open(place.store()).unwrap();
        let (before, columns) = (rows_of(&store), store.schema().unwrap().columns.clone());
        assert_eq!(before, model.rows());
        drop(store);
        let told: Option<(UpdateReport, bool, u64)> = match step {
            Step::Write(code, file) => {
                files.insert(code, file);
                files[&code].write(&place, code);
                None
            }
            Step::Again(code, same) => {
                if let Some(file) = files.get_mut(&code) {
                    file.note += u8::from(!same);
                    file.write(&place, code);
                }
                None
            }
            Step::Alter(code, day, row) => {
                if let Some(file) = files.get_mut(&code) {
                    match row {
                        Some(row) => drop(file.rows.insert(day, file.values(&row))),
                        None => drop(file.rows.remove(&day)),
                    }
                    file.write(&place, code);
                }
                None
            }
            Step::Remove(code) => {
                if files.remove(&code).is_some() {
                    fs::remove_file(place.source().join(format!("{}.parquet", CODES[code]))).unwrap();
                }
                None
            }
            Step::Append { day, rows, replace } => {
                let path = place.path(&format!("{}.parquet", DATES[day]));
                let codes: ArrayRef = Arc::new(rows.keys().map(|code| Some(CODES[*code])).collect::<StringArray>());
                let mut all = vec![("ts_code", codes)];
                for (index, name) in COLUMNS.into_iter().enumerate().take(model.columns) {
                    all.push((name, column(rows.values().map(|row| row[index]))));
                }
                write_parquet(&path, &batch(&all));
                let publishes = model.append(&files, day, &rows, replace);
                let append = |disk| {
                    let append = Append::new(place.store(), [&path]).replace(replace).allow(Guard::ALL);
                    append.workers(workers).disk(disk).run()
                };
                match persist(&place, &before, faults, append) {
                    Err(Error::Live { .. }) => None,
                    report => Some((report.unwrap(), publishes, 0)),
                }
            }
            Step::Update { prune, allow } => {
                let mut next = model.clone();
                let (publishes, kept) = next.update(&files, prune);
                let gone = model.rows.keys().filter(|key| !next.rows.contains_key(key));
                let stops = !allow && gone.into_iter().any(|key| model.marked(key.0));
                let allowed = Guard::ALL.into_iter().filter(|guard| allow || *guard != Guard::AppendedRows);
                let update = |disk| {
                    let update = Update::new(place.store()).prune(prune).allow(allowed.clone());
                    update.workers(workers).disk(disk).run()
                };
                let result = persist(&place, &before, faults, update);
                let is_left = !(files.is_empty() && model.known.is_empty());
                if !is_left || (next.rows.is_empty() && !stops) {
                    assert!(result.is_err(), "nothing would be left");
                    return;
                }
                if stops {
                    let report = result.unwrap();
                    assert!(!report.published && report.is_stopped(), "{report:?}");
                    continue;
                }
                model = next;
                match result {
                    Err(Error::Live { .. }) => None,
                    report => Some((report.unwrap(), publishes, kept)),
                }
            }
        };
        let Some((report, publishes, kept)) = told else { continue };
        assert_eq!(report.skipped, []);
        assert_eq!((report.published, report.kept), (publishes, kept));
        // A run that failed may have used up a number.
        assert!(report.version == model.version || !faults.is_empty(), "{report:?}");
        assert_eq!(Difference::told(&report), Difference::between(&before, &model.rows(), &columns));
    }
    let store = Store::open(place.store()).unwrap();
    assert_whole(&store);
    assert_eq!(rows_of(&store), model.rows());
    assert_no_leftovers(&place.store());
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2000, ..cases(60) })]

    #[test]
    fn each_row_is_what_the_last_who_had_a_say_said(
        first in prop::collection::btree_map(0..CODES.len(), files(), 1..4),
        steps in steps(),
        workers in 1usize..3,
    ) {
        live(first, steps, workers, &[]);
    }

    #[test]
    fn a_run_that_fails_leaves_what_was_there_and_the_next_one_does_all(
        first in prop::collection::btree_map(0..CODES.len(), files(), 1..4),
        steps in steps(),
        faults in prop::collection::vec(0usize..40, 1..3),
    ) {
        live(first, steps, 1, &faults);
    }
}

#[test]
fn guards_that_are_nearly_met_are_told_where_a_few_are_none() {
    let place = Place::new();
    let write = |stock: usize, nulls: usize| {
        let dates = DATES.map(|date| date.to_string());
        let close = (0..DATES.len()).map(|row| (row >= nulls).then_some(row as f64)).collect::<Float64Array>();
        let columns: [(&str, ArrayRef); 2] =
            [("date", Arc::new(StringArray::from_iter_values(dates))), ("close", Arc::new(close))];
        place.add(&format!("S{stock:02}"), &batch(&columns));
    };
    (0..20).for_each(|stock| write(stock, 0));
    place.build();
    // Eleven of either would stop the night.
    (0..2).for_each(|stock| write(stock, 4));
    (10..18).for_each(|stock| fs::remove_file(place.source().join(format!("S{stock}.parquet"))).unwrap());
    let report = Update::new(place.store()).workers(1).run().unwrap();
    let near: Vec<_> = report.near.iter().map(|near| (near.guard, near.count, near.of)).collect();
    assert_eq!((report.published, near), (true, vec![("missing-files", 8, 20), ("turned-null", 8, 100)]));
}
