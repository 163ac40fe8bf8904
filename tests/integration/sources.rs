//! Several sources share one key: whatever one of them gains or loses moves the rows of all others, whose values stay
//! where they lie. Random sources come, change and are appended to here, beside a map by whole key for each; what the
//! store says must be their join, in every version and through every door.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use transect::progress::Silent;
use transect::source::SourceOptions;
use transect::{
    AddSource, Append, Build, ChangeSource, Date, Error, Guard, Join, Restore, Store, Transpose, Update, UpdateReport,
    verify_output, verify_source,
};

use super::counted::{Counts, There, diff};
use super::panels::{
    Cell, Place, assert_told, cases, cell, entries, read_parquet, segment_path, verify, workers, write_parquet,
};

pub(super) const CODES: [&str; 4] = ["A", "B", "a b", "平安"];
pub(super) const NAMES: [&str; 3] = ["prices", "value", "flows"];
pub(super) const ALL: [Guard; 8] = [
    Guard::MissingFiles,
    Guard::ColumnsGone,
    Guard::TurnedNull,
    Guard::SkippedFiles,
    Guard::FewCodes,
    Guard::PrunedRows,
    Guard::AppendedRows,
    Guard::SparseColumns,
];

/// Date, code and the value of a further key column.
pub(super) type Key = (i32, usize, i64);
/// Rows by day: code, key column, and each source's value and text.
type Rows = BTreeMap<i32, Vec<Vec<Cell>>>;
/// What one source says of a key: the bits of a value, or null.
pub(super) type Model = BTreeMap<Key, Option<u64>>;

pub(super) struct World {
    pub(super) place: Place,
    is_keyed: bool,
    /// For each source, whether its files are by date, up to two a date.
    pub(super) by_date: [bool; 3],
    pub(super) models: Vec<Model>,
    /// The source that was dropped.
    pub(super) gone: Option<usize>,
    /// Which sources join left.
    pub(super) left: [bool; 3],
    /// What each version had.
    seen: RefCell<BTreeMap<u64, There>>,
}

impl World {
    pub(super) fn new(is_keyed: bool) -> World {
        World {
            place: Place::in_memory(),
            is_keyed,
            by_date: [false; 3],
            models: Vec::new(),
            gone: None,
            left: [false; 3],
            seen: RefCell::default(),
        }
    }

    pub(super) fn directory(&self, source: usize) -> PathBuf {
        self.place.path(NAMES[source])
    }

    /// The rows of one stock or one date of a source, in no order.
    pub(super) fn batch(&self, source: usize, rows: &[(Key, Option<u64>)], with_code: bool) -> RecordBatch {
        let mut rows = rows.to_vec();
        rows.sort_by_key(|((day, code, k), _)| (*day as usize * 7 + code * 5 + *k as usize * 3) % 11);
        let dates = rows.iter().map(|((day, ..), _)| date(*day).to_string());
        let mut columns: Vec<(&str, ArrayRef)> = vec![("trade_date", Arc::new(StringArray::from_iter_values(dates)))];
        if with_code {
            let codes = rows.iter().map(|((_, code, _), _)| CODES[*code]);
            columns.push(("ts_code", Arc::new(StringArray::from_iter_values(codes))));
        }
        // The key column stands behind the value in one source, and before it in the others.
        let key: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|((_, _, k), _)| *k)));
        let values = rows.iter().map(|(_, bits)| bits.map(f64::from_bits));
        let value: (&str, ArrayRef) = (["p", "v", "f"][source], Arc::new(values.collect::<Float64Array>()));
        match (self.is_keyed, source) {
            (false, _) => columns.push(value),
            (true, 1) => columns.extend([value, ("k", key)]),
            (true, _) => columns.extend([("k", key), value]),
        }
        // A text beside it, so that codes of dictionaries move, too.
        let texts = rows.iter().map(|(key, bits)| bits.map(|bits| text(key, bits)));
        columns.push((["pt", "vt", "ft"][source], Arc::new(texts.collect::<StringArray>())));
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    }

    /// Writes the files of a source, which has `model` from now on.
    pub(super) fn put(&mut self, source: usize, model: Model) {
        fs::create_dir_all(self.directory(source)).unwrap();
        let write = |path: String, is_in: &dyn Fn(&Key) -> bool| {
            let rows: Vec<_> = model.iter().filter(|(key, _)| is_in(key)).map(|(k, v)| (*k, *v)).collect();
            let path = self.directory(source).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match rows.is_empty() {
                true => drop(fs::remove_file(path)),
                false => write_parquet(&path, &self.batch(source, &rows, self.by_date[source])),
            }
        };
        match self.by_date[source] {
            false => CODES.iter().enumerate().for_each(|(number, code)| {
                write(format!("{code}.parquet"), &|key| key.1 == number);
            }),
            true => (0..4).for_each(|day| {
                for half in 0..2 {
                    write(format!("{}/{half}.parquet", date(day)), &|key| key.0 == day && key.1 % 2 == half);
                }
            }),
        }
        match self.models.get_mut(source) {
            Some(known) => *known = model,
            None => self.models.push(model),
        }
    }

    fn options(&self, source: usize) -> SourceOptions {
        let key = if self.is_keyed { vec!["k".to_owned()] } else { Vec::new() };
        match self.by_date[source] {
            false => SourceOptions { key, ..SourceOptions::default() },
            true => SourceOptions { key, pattern: "{date}/{*}.parquet".parse().unwrap(), ..SourceOptions::by_date() },
        }
    }

    pub(super) fn build(&self) {
        Build::new(self.directory(0), self.place.store()).options(self.options(0)).workers(1).run().unwrap();
    }

    pub(super) fn add(&self, sources: std::ops::Range<usize>, join: Join) -> UpdateReport {
        let options = SourceOptions { key: Vec::new(), ..self.options(sources.start) };
        let add = AddSource::new(self.place.store(), sources.map(|source| self.directory(source)));
        let add = add.options(options).join(join);
        add.allow(ALL).workers(1).run().unwrap()
    }

    pub(super) fn update(&self, count: usize) -> UpdateReport {
        let before = self.seen.borrow().get(&self.live().version()).cloned();
        let report = Update::new(self.place.store()).prune(true).allow(ALL).workers(count).run().unwrap();
        if let Some(before) = before {
            assert_eq!(Counts::of_update(&report), Counts::between(&before, &self.there()), "{report:?}");
        }
        report
    }

    pub(super) fn live(&self) -> Store {
        Store::open(self.place.store()).unwrap()
    }

    /// Makes the rows of an older version, which had these models, those of the next one, and asserts what follows.
    fn restore(&mut self, version: u64, models: Vec<Model>, context: &str) {
        let (store, before) = (self.place.store(), self.there());
        let segments = entries(&store.join("segment"));
        let restore = || Restore::new(&store, version).allow(ALL).workers(1);
        let told = restore().dry_run(true).run().unwrap();
        let report = restore().run().unwrap();
        (self.models, self.gone) = (models, None);
        self.assert_holds(&self.live(), context);
        let differs = before != self.there();
        assert_eq!((report.published, told.published), (differs, false), "{context}: {report:?}");
        let counts = |report: &UpdateReport| (report.added, report.restated, report.removed, report.dirty_dates);
        assert_eq!(counts(&told), counts(&report), "{context}");
        assert_eq!(report.written_bytes, 0, "{context}");
        let left: Vec<String> = entries(&store.join("segment"));
        assert!(left.iter().all(|name| segments.contains(name)), "{context}: {left:?} beside {segments:?}");
        if differs {
            let entry = self.live().history().unwrap().pop().unwrap();
            assert_eq!(entry.command, format!("restore {version}"));
        }
        // Its rows stand, whatever the files have by now.
        let update = Update::new(&store).allow(ALL).workers(1).run().unwrap();
        assert!(!update.published, "{context}: {update:?}");
    }

    /// The sources that there are, with what they have: those that join left only what others have a key of.
    pub(super) fn there(&self) -> Vec<(usize, Model)> {
        let there = || self.models.iter().enumerate().filter(|(source, _)| Some(*source) != self.gone);
        let outer = there().filter(|(source, _)| !self.left[*source]);
        let outer: BTreeSet<Key> = outer.flat_map(|(_, model)| model.keys().copied()).collect();
        let has = |source: usize, key: &Key| !self.left[source] || outer.contains(key);
        let held = |(source, model): (usize, &Model)| {
            (source, model.iter().filter(|(key, _)| has(source, key)).map(|(key, bits)| (*key, *bits)).collect())
        };
        there().map(held).collect()
    }

    fn keys(&self) -> BTreeSet<Key> {
        self.there().into_iter().flat_map(|(_, model)| model.into_keys()).collect()
    }

    /// All rows in key order.
    fn expected(&self) -> Rows {
        let mut days = Rows::new();
        let there = self.there();
        for key in self.keys() {
            let mut row = vec![Cell::Text(CODES[key.1].to_owned())];
            if self.is_keyed {
                row.push(Cell::Bits(u128::from(key.2 as u64)));
            }
            for (_, model) in &there {
                let bits = model.get(&key).copied().flatten();
                row.push(bits.map_or(Cell::Null, |bits| Cell::Bits(bits.into())));
                row.push(bits.map_or(Cell::Null, |bits| Cell::Text(text(&key, bits))));
            }
            days.entry(key.0).or_default().push(row);
        }
        days
    }

    /// The same of a batch of the panel.
    fn rows(&self, batch: &RecordBatch) -> Vec<Vec<Cell>> {
        let column =
            |name: &str| batch.column_by_name(name).unwrap_or_else(|| panic!("{name} in {:?}", batch.schema()));
        let mut names = vec!["ts_code"];
        names.extend(self.is_keyed.then_some("k"));
        names.extend(self.there().into_iter().flat_map(|(source, _)| [["p", "pt"], ["v", "vt"], ["f", "ft"]][source]));
        let columns: Vec<ArrayRef> = names.into_iter().map(|name| column(name).clone()).collect();
        (0..batch.num_rows()).map(|row| columns.iter().map(|column| cell(column, row)).collect()).collect()
    }

    /// Asserts that the store, which is live, counts a stock as changed since any version before that had other rows of
    /// it, and as unchanged since one after which no source had others; and that a difference counts what became of each
    /// row and value since the version that was looked at last.
    fn assert_changes(&self, store: &Store, context: &str) {
        let rows = |models: &[Model]| -> BTreeMap<Key, Vec<Option<u64>>> {
            let keys: BTreeSet<Key> = models.iter().flat_map(|model| model.keys().copied()).collect();
            let row = |key: &Key| models.iter().map(|model| model.get(key).copied().flatten()).collect();
            keys.into_iter().map(|key| (key, row(&key))).collect()
        };
        // What each source says of the stock with this number, nothing where there is no such source.
        let of_stock = |there: &There, code: usize| -> Vec<Model> {
            let of_source = |source: usize| -> Model {
                let model = there.iter().find(|(there, _)| *there == source).into_iter().flat_map(|(_, model)| model);
                model.filter(|(key, _)| key.1 == code).map(|(key, bits)| (*key, *bits)).collect()
            };
            (0..NAMES.len()).map(of_source).collect()
        };
        let mut seen = self.seen.borrow_mut();
        if let Some((version, before)) = seen.iter().next_back() {
            let older = store.other_version(*version).unwrap();
            assert_eq!(diff(store, &older), Counts::between(before, &self.there()), "{context}");
            assert_eq!(diff(&older, store), Counts::between(&self.there(), before), "{context}, backwards");
        }
        seen.insert(store.version(), self.there());
        for (code, name) in CODES.iter().enumerate() {
            let Ok(stock) = store.stock(name) else { continue };
            let (changed, now) = (store.stock_changed(stock).unwrap(), of_stock(&self.there(), code));
            // A stock that is new counts as changed, although all its rows are left out.
            let mut is_as_it_was = now.iter().any(|model| !model.is_empty());
            for (&version, then) in seen.iter().rev() {
                let then = of_stock(then, code);
                let differs = rows(&then) != rows(&now);
                assert!(changed > version || !differs, "{context}: {name} changed in {changed}, not since {version}");
                is_as_it_was &= then == now;
                assert!(changed <= version || !is_as_it_was, "{context}: {name} changed in {changed}, after {version}");
            }
        }
    }

    /// Asserts that `store` is whole and holds the join of all models, as sections, as series and as files.
    pub(super) fn assert_holds(&self, store: &Store, context: &str) {
        self.assert_changes(store, context);
        assert_eq!(verify(store).damages, Vec::<String>::new(), "{context}");
        assert_told(store);
        let expected = self.expected();
        assert_eq!(store.row_count(), self.keys().len() as u64, "{context}");
        let days: Vec<i32> = store.dates().unwrap().iter().map(|date| date.days() - 19_700).collect();
        assert_eq!(days, expected.keys().copied().collect::<Vec<_>>(), "{context}");
        let out = self.place.path(&format!("out {context}"));
        Transpose::new(store, &out).workers(1).run().unwrap();
        assert_eq!(verify_output(store, &out, &workers(1), &Silent).unwrap().differences, Vec::<String>::new());
        for (day, rows) in &expected {
            let section = store.section(date(*day)).unwrap();
            assert_eq!(&self.rows(&section.batch().unwrap()), rows, "{context}, {day}");
            let file = out.join(format!("{}.parquet", date(*day)));
            assert_eq!(&self.rows(&read_parquet(&file)), rows, "{context}, the file of {day}");
        }
        for code in CODES {
            let rows: Vec<Vec<Cell>> =
                expected.values().flatten().filter(|row| row[0] == Cell::Text(code.to_owned())).cloned().collect();
            match store.series(code) {
                Ok(series) => assert_eq!(self.rows(&series), rows, "{context}, {code}"),
                Err(Error::NotFound { .. }) => assert!(rows.is_empty(), "{context}, {code}"),
                Err(error) => panic!("{context}, {code}: {error}"),
            }
        }
    }
}

/// The text beside a value.
pub(super) fn text(key: &Key, bits: u64) -> String {
    format!("{} {}", key.1, bits % 3)
}

pub(super) fn date(day: i32) -> Date {
    Date::from_days(19_700 + day).unwrap()
}

pub(super) fn model() -> impl Strategy<Value = Model> {
    let key = (0..4_i32, 0..CODES.len(), 0..3_i64);
    let bits = prop_oneof![Just(None), any::<u64>().prop_map(Some)];
    prop::collection::btree_map(key, bits, 1..30)
}

pub(super) fn narrowed(model: Model, is_keyed: bool) -> Model {
    let key = |(day, code, k)| if is_keyed { (day, code, k) } else { (day, code, 0) };
    model.into_iter().map(|(at, bits)| (key(at), bits)).collect()
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn every_version_is_the_join_of_what_its_sources_say(
        is_keyed in any::<bool>(),
        by_date in any::<[bool; 3]>(),
        first in prop::collection::vec(model(), 1..=3),
        nights in prop::collection::vec((prop::collection::vec(prop::option::of(model()), 3), any::<bool>()), 1..4),
        (appended, to) in (model(), 0..3_usize),
        (which, other, later_model) in (any::<prop::sample::Index>(), model(), model()),
        together in any::<bool>(),
    ) {
        let mut world = World { by_date, ..World::new(is_keyed) };
        let count = first.len();
        for (source, model) in first.into_iter().enumerate() {
            world.put(source, narrowed(model, is_keyed));
        }
        let later = world.models.split_off(1);
        world.build();
        world.assert_holds(&Store::open(world.place.store()).unwrap(), "built");
        if together && count > 1 && (count == 2 || by_date[1] == by_date[2]) {
            world.models.extend(later);
            let report = world.add(1..count, Join::Outer);
            // Numbers of versions that no reader saw are left out.
            let versions = Store::open(world.place.store()).unwrap().kept_versions().unwrap();
            prop_assert_eq!(versions, [1, report.version]);
        } else {
            for (source, model) in later.into_iter().enumerate() {
                world.models.push(model);
                world.add(source + 1..source + 2, Join::Outer);
            }
        }
        world.assert_holds(&Store::open(world.place.store()).unwrap(), "added");
        let mut then = vec![(world.live(), world.models.clone(), world.expected())];

        for (night, (models, two_workers)) in nights.into_iter().enumerate() {
            let before = world.keys();
            for (source, model) in models.into_iter().enumerate().take(count) {
                if let Some(model) = model {
                    world.put(source, narrowed(model, is_keyed));
                }
            }
            let report = world.update(1 + usize::from(two_workers));
            prop_assert_eq!(report.added, world.keys().difference(&before).count() as u64, "night {}", night);
            prop_assert_eq!(report.removed, before.difference(&world.keys()).count() as u64, "night {}", night);
            let store = Store::open(world.place.store()).unwrap();
            world.assert_holds(&store, &format!("night {night}"));
            then.push((store, world.models.clone(), world.expected()));
            let again = world.update(1);
            prop_assert!(!again.published, "night {}: {:?}", night, again);
            for (source, name) in NAMES.iter().enumerate().take(count) {
                let store = Store::open(world.place.store()).unwrap();
                let checked = verify_source(&store, &world.directory(source), &workers(1), &Silent).unwrap();
                prop_assert_eq!(checked.difference_count, 0, "night {}, {}: {:?}", night, name, checked);
            }
        }

        let (to, appended) = (to % count, narrowed(appended, is_keyed));
        let day = appended.keys().next().unwrap().0;
        let rows: Vec<(Key, Option<u64>)> =
            appended.iter().filter(|(key, _)| key.0 == day).map(|(key, bits)| (*key, *bits)).collect();
        let file = world.place.path("day.parquet");
        write_parquet(&file, &world.batch(to, &rows, true));
        let append = Append::new(world.place.store(), [&file]).source_name(NAMES[to]).allow(ALL).workers(1);
        // Rows that are all there already stay their files'.
        let is_marked = append.run().unwrap().published;
        world.models[to].extend(rows);
        world.assert_holds(&Store::open(world.place.store()).unwrap(), "appended");
        let again = world.update(1);
        prop_assert!(!again.published, "after the append: {:?}", again);

        for (n, (store, _, expected)) in then.iter().enumerate() {
            for (day, rows) in expected {
                let batch = store.section(date(*day)).unwrap().batch().unwrap();
                prop_assert_eq!(&world.rows(&batch), rows, "version {} still", n);
            }
        }
        let newest = Store::open(world.place.store()).unwrap();
        let (oldest, ..) = &then[0];
        let diff = newest.diff(oldest).unwrap().report(&workers(1), &Silent).unwrap();
        let keys = |expected: &Rows| -> BTreeSet<(i32, Vec<Cell>)> {
            let key = |row: &Vec<Cell>| row[..1 + usize::from(is_keyed)].to_vec();
            expected.iter().flat_map(|(day, rows)| rows.iter().map(move |row| (*day, key(row)))).collect()
        };
        let (old, new) = (keys(&then[0].2), keys(&world.expected()));
        prop_assert_eq!(diff.added, new.difference(&old).count() as u64);
        prop_assert_eq!(diff.removed, old.difference(&new).count() as u64);
        drop((newest, diff));

        // Any version comes back, a stock whose file changes then is read, and all when that is asked for.
        let (with_appended, whole) = (world.live().version(), world.models.clone());
        let (store, models, _) = which.get(&then);
        world.restore(store.version(), models.clone(), "restored");
        let mut files = then.last().unwrap().1.clone();
        let (path, code) = (world.directory(0).join(format!("{}.parquet", CODES[0])), 0);
        // Of a date one file may change while the version that is restored had another one.
        if !by_date[0] {
            files[0].retain(|key, _| key.1 != code);
            files[0].extend(narrowed(other, is_keyed).into_iter().filter(|(key, _)| key.1 == code));
        }
        if files[0].is_empty() {
            // An update refuses a folder without any file.
            return Ok(());
        }
        let restored = world.models.clone();
        let bytes = fs::read(&path).ok();
        world.put(0, files[0].clone());
        let is_other = path.exists() && fs::read(&path).ok() != bytes;
        world.models = restored;
        if is_other {
            world.models[0].retain(|key, _| key.1 != code);
            world.models[0].extend(files[0].iter().filter(|(key, _)| key.1 == code));
        }
        Update::new(world.place.store()).allow(ALL).workers(1).run().unwrap();
        world.assert_holds(&world.live(), "restored, and one file read");
        Update::new(world.place.store()).reread(true).prune(true).allow(ALL).workers(2).run().unwrap();
        world.models = files.clone();
        world.assert_holds(&world.live(), "read again");
        world.restore(with_appended, whole, "restored with what was appended");
        Update::new(world.place.store()).reread(true).prune(true).allow(ALL).workers(1).run().unwrap();
        // What was appended stands, but where the file changed since and has the row itself.
        let stands = |key: &Key| match (to, key.1) {
            (0, 0) => is_marked && !(is_other && files[0].contains_key(key)),
            _ => true,
        };
        world.models = files.clone();
        let of_day = appended.iter().filter(|(key, _)| key.0 == day && stands(key));
        world.models[to].extend(of_day.map(|(key, bits)| (*key, *bits)));
        world.assert_holds(&world.live(), "read again with what was appended");

        if count > 1 {
            let before = world.models.clone();
            world.gone = Some(which.index(count));
            let dropped = which.index(count);
            let left = world.keys();
            let only = before[dropped].keys().filter(|key| !left.contains(*key)).count() as u64;
            let report = ChangeSource::drop(world.place.store(), NAMES[dropped]).workers(1).run().unwrap();
            prop_assert_eq!((report.removed, report.lost_columns.len()), (only, 2));
            world.assert_holds(&world.live(), "dropped");
            prop_assert!(!world.update(1).published);
            // What is left goes on.
            let next = (dropped + 1) % count;
            if next != to {
                world.put(next, narrowed(later_model, is_keyed));
                world.update(2);
                world.assert_holds(&world.live(), "dropped, and another changed");
                prop_assert!(!world.update(1).published);
                let renewed = Update::new(world.place.store()).reread(true).allow(ALL).workers(1).run().unwrap();
                prop_assert!(!renewed.published, "{:?}", renewed);
            }
            world.restore(report.version - 1, before, "restored after the drop");
        }
    }
}

#[test]
fn a_source_gets_another_name_and_goes_with_its_columns_but_the_last_stays() {
    let mut world = World::new(true);
    world.put(0, plain(1));
    world.put(1, plain(5));
    world.build();
    world.add(1..2, Join::Outer);
    let change = |result: Result<UpdateReport, Error>| result.map_err(|error| error.to_string());
    let renamed = change(ChangeSource::rename(world.place.store(), "value", "worth").run()).unwrap();
    assert_eq!((renamed.version, renamed.dirty_dates), (3, 0));
    assert_eq!(Store::open(world.place.store()).unwrap().source_names().unwrap(), ["prices", "worth"]);
    assert_eq!(
        change(ChangeSource::drop(world.place.store(), "value").run()).unwrap_err(),
        format!("source \"value\" in {} not found; the sources are prices and worth", world.place.store().display())
    );
    let dropped = change(ChangeSource::drop(world.place.store(), "worth").run()).unwrap();
    assert_eq!((dropped.removed, dropped.lost_columns), (0, vec!["v".to_owned(), "vt".to_owned()]));
    world.models.pop();
    world.assert_holds(&Store::open(world.place.store()).unwrap(), "dropped");
    // Its name and its columns are free again.
    world.put(1, plain(9));
    assert_eq!(world.add(1..2, Join::Outer).new_columns, ["v", "vt"]);
    world.assert_holds(&Store::open(world.place.store()).unwrap(), "added again");
    // The first goes as any other, but the last stays.
    change(ChangeSource::drop(world.place.store(), "prices").run()).unwrap();
    world.gone = Some(0);
    world.assert_holds(&world.live(), "without the first");
    assert_eq!(world.live().source_names().unwrap(), ["value"]);
    let only = change(ChangeSource::drop(world.place.store(), "value").run()).unwrap_err();
    assert!(only.ends_with("; add another before it is dropped"), "{only}");
}

/// Days 0 and 1 of stocks A and B.
fn plain(value: u64) -> Model {
    (0..2).flat_map(|day| (0..2).map(move |code| ((day, code, 0), Some(value + day as u64)))).collect()
}

#[test]
fn a_source_that_has_every_row_costs_its_own_bytes_and_leaves_all_others_as_they_are() {
    let mut world = World::new(false);
    world.put(0, plain(1));
    world.put(1, plain(5));
    world.build();
    let first_segment = segment_path(&world.place.store());
    let first = fs::read(&first_segment).unwrap();
    let report = world.add(1..2, Join::Outer);
    assert_eq!((report.added, report.restated, report.filled, report.dirty_dates), (0, 0, 4, 2));
    assert_eq!(report.new_columns, ["v", "vt"]);
    assert_eq!(fs::read(&first_segment).unwrap(), first);
    let store = Store::open(world.place.store()).unwrap();
    assert_eq!(store.source_names().unwrap(), ["prices", "value"]);
    // Nothing but the new values: no keys, and no bits where a source has every row.
    assert_eq!(store.info().unwrap().segments, 2);
    world.assert_holds(&store, "added");
}

#[test]
fn rows_that_the_panel_lacks_are_left_out_and_counted_if_so_joined() {
    let mut world = World::new(false);
    world.put(0, plain(1));
    world.build();
    let mut more = plain(5);
    more.extend([((1, 2, 0), Some(7)), ((3, 0, 0), Some(8)), ((3, 3, 0), Some(9))]);
    more.remove(&(0, 1, 0));
    world.put(1, more);
    let report = world.add(1..2, Join::Left);
    assert_eq!((report.added, report.filled, report.left_out), (0, 3, 3));
    world.left[1] = true;
    world.assert_holds(&world.live(), "joined");
    // Every night, and whoever asks.
    let again = || Update::new(world.place.store()).reread(true).workers(1).run().unwrap();
    assert_eq!((again().published, again().left_out), (false, 3));
    let checked = verify_source(&world.live(), &world.directory(1), &workers(1), &Silent).unwrap();
    assert_eq!((checked.difference_count, checked.left_out, checked.is_complete()), (0, 3, true));
}

#[test]
fn a_column_that_the_store_has_is_refused_with_other_names() {
    let mut world = World::new(false);
    world.put(0, plain(1));
    world.build();
    let again = AddSource::new(world.place.store(), [world.directory(0)]).source_name("again");
    let message = again.run().unwrap_err().to_string();
    assert_eq!(
        message,
        "p and pt of the source \"again\" are columns of the store already; prefix {source}_ gives all columns of the \
         source other names, or rename p=again_p gives one another name"
    );
    // Ways out call columns as files do, and a prefix, which leaves alone what is renamed, is none.
    let renamed =
        SourceOptions { renames: vec!["p=x".parse().unwrap(), "pt=p".parse().unwrap()], ..SourceOptions::default() };
    let again = AddSource::new(world.place.store(), [world.directory(0)]).source_name("again").options(renamed);
    assert_eq!(
        again.run().unwrap_err().to_string(),
        "p of the source \"again\" is a column of the store already; rename pt=again_p gives one another name, or \
         exclude pt leaves it out"
    );
    let report = AddSource::new(world.place.store(), [world.directory(0)])
        .source_name("again")
        .prefix("{source}_")
        .workers(1)
        .run()
        .unwrap();
    assert_eq!(report.new_columns, ["again_p", "again_pt"]);
    let section = Store::open(world.place.store()).unwrap().section(date(0)).unwrap();
    assert_eq!(
        section.column("again_p").unwrap().stored().to_data().buffers()[0],
        section.column("p").unwrap().stored().to_data().buffers()[0]
    );
    assert_eq!(world.update(1).unchanged_files, 4);
    let taken = AddSource::new(world.place.store(), [world.directory(0)]).run().unwrap_err().to_string();
    assert!(taken.contains("has a source \"prices\" already"), "{taken}");
}

#[test]
fn a_key_column_of_another_name_is_told_and_another_kind_of_key_is_refused() {
    let mut world = World::new(true);
    world.put(0, plain(1));
    world.build();
    let column = |values: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let (days, times): (ArrayRef, ArrayRef) = (column(vec!["20231209"]), Arc::new(Int64Array::from(vec![0])));
    let value: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    for (folder, code) in [("ticks", "A"), ("ticks", "B"), ("daily", "A"), ("daily", "B")] {
        let all = [("trade_date", days.clone()), ("time", times.clone()), ("x", value.clone())];
        let batch =
            RecordBatch::try_from_iter(all.into_iter().filter(|(name, _)| folder == "ticks" || *name != "time"));
        fs::create_dir_all(world.place.path(folder)).unwrap();
        write_parquet(&world.place.path(&format!("{folder}/{code}.parquet")), &batch.unwrap());
    }
    let add = |folder: &str, key: &[&str]| {
        let key = key.iter().map(|column| (*column).to_owned()).collect();
        let options = SourceOptions { key, ..SourceOptions::default() };
        AddSource::new(world.place.store(), [world.place.path(folder)]).options(options).allow(ALL).workers(1).run()
    };
    for folder in ["ticks", "daily"] {
        let message = add(folder, &[]).unwrap_err().to_string();
        let way_out = "lacks the key column \"k\"; write the file with it, or key k=NAME says what the files call it, or \
                       make a store of its own of files whose rows have another key";
        assert!(message.contains(way_out), "{message}");
    }
    assert!(add("ticks", &["time"]).unwrap_err().to_string().contains("is another than that of the store, k"));
    let report = add("ticks", &["k=time"]).unwrap();
    assert_eq!((report.new_columns, report.filled + report.added), (vec!["x".to_owned()], 2));
    assert!(!world.update(1).published);
}
