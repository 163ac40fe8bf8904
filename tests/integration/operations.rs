//! Sequences of all that changes a store, on disks that fail, beside a map of what it must hold: a panel of no, one or two
//! further key columns, and one to four sources, by stock and by date, of one file a unit or two. Sources come, change,
//! are called otherwise, get columns of other names and go, rows are appended, versions restored and collected; each
//! version is read through every door. Bytes say what happens.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use transect::progress::Silent;
use transect::sink::Partition;
use transect::source::SourceOptions;
use transect::storage::{Access, Disk, list};
use transect::store::{Collect, Fill, Request};
use transect::workers::Workers;
use transect::{
    AddSource, Append, Build, ChangeSource, Error, Guard, Restore, Shape, Store, Transpose, Update, UpdateReport,
    verify_output, verify_source,
};

use super::targets::{place, write};

/// In the order of their bytes.
const CODES: [&str; 3] = ["A", "B", "平安"];
const DAYS: [&str; 3] = ["20231229", "20240102", "20240103"];
const SOURCES: [&str; 4] = ["s0", "s1", "s2", "s3"];
/// How a disk fails: EIO, ENOSPC, EACCES, EMFILE.
const ERRORS: [i32; 4] = [5, 28, 13, 24];
/// Numbers beyond those of any operation.
const NONE: u64 = u64::MAX;

/// A day, a code, and which one of the further values of the key: those of `k`, and for each of them those of `t`.
type Key = (usize, usize, usize);
/// What files hold: a number or null for each key.
type Rows = BTreeMap<Key, Option<u8>>;
/// A unit, a code or a day, and which of its files it is.
type FileId = (usize, usize);
/// What the panel holds: for each key the columns by name, null where they are not there.
type Panel = BTreeMap<Key, BTreeMap<String, u64>>;

/// Bytes, one after the other, and zeros from then on.
struct Bytes<'a>(Cell<&'a [u8]>);

impl Bytes<'_> {
    fn next(&self) -> usize {
        let (first, rest) = self.0.get().split_first().unwrap_or((&0, &[]));
        self.0.set(rest);
        usize::from(*first)
    }

    fn below(&self, limit: usize) -> usize {
        self.next() % limit
    }

    fn coin(&self) -> bool {
        self.below(2) == 1
    }

    /// Some of these keys, one at least, with their values.
    fn rows(&self, keys: &[Key]) -> Rows {
        let (always, mask, values) = (self.below(keys.len()), self.next() | self.next() << 8, self.next() as u8);
        let chosen = keys.iter().enumerate().filter(|(at, _)| *at == always || mask >> at & 1 == 1);
        let value = |at: usize| values.rotate_left(2 * at as u32) & 3;
        chosen.map(|(at, key)| (*key, (value(at) != 3).then_some(value(at)))).collect()
    }
}

/// How the files of a source lie in its folder.
#[derive(Debug, Clone, Copy)]
struct Layout {
    by_date: bool,
    /// Whether a unit's rows lie in two files.
    is_split: bool,
}

impl Layout {
    fn file_of(self, key: &Key) -> FileId {
        let unit = if self.by_date { key.0 } else { key.1 };
        (unit, if self.is_split { (key.0 + key.1 + key.2) % 2 } else { 0 })
    }

    fn path(self, (unit, half): FileId) -> String {
        let unit = if self.by_date { DAYS[unit] } else { CODES[unit] };
        if self.is_split { format!("{unit}/{half}.parquet") } else { format!("{unit}.parquet") }
    }

    fn options(self) -> SourceOptions {
        let options = if self.by_date { SourceOptions::by_date() } else { SourceOptions::default() };
        match self.is_split {
            false => options,
            true => {
                let unit = if self.by_date { "{date}" } else { "{code}" };
                SourceOptions { pattern: format!("{unit}/{{*}}.parquet").parse().unwrap(), ..options }
            }
        }
    }
}

/// A row of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    value: Option<u8>,
    /// When it was appended; 0 for one of a file.
    appended: u64,
}

/// What a store must hold of one source, and why.
#[derive(Debug, Clone)]
struct Source {
    /// Which of [`SOURCES`] it is.
    place: usize,
    layout: Layout,
    /// Told apart from one that was dropped.
    id: u64,
    /// Whether it is called otherwise than its folder.
    has_other_name: bool,
    /// Whether its column has its other name.
    is_renamed: bool,
    rows: BTreeMap<Key, Row>,
    /// The files as they were when a version last remembered them.
    known: BTreeMap<FileId, Rows>,
    /// Files that were not so when rows of their units were appended, and since when.
    seen: BTreeMap<FileId, (u64, Rows)>,
    /// When the rows of a date were last replaced.
    replaced: BTreeMap<usize, u64>,
}

impl Source {
    fn new(place: usize, layout: Layout, id: u64, files: &BTreeMap<FileId, Rows>) -> Source {
        let mut source = Source {
            place,
            layout,
            id,
            has_other_name: false,
            is_renamed: false,
            rows: BTreeMap::new(),
            known: BTreeMap::new(),
            seen: BTreeMap::new(),
            replaced: BTreeMap::new(),
        };
        source.update(files, false);
        source
    }

    fn name(&self) -> String {
        format!("{}{}", if self.has_other_name { "n" } else { "s" }, self.place)
    }

    fn column(&self) -> String {
        format!("{}{}", if self.is_renamed { "w" } else { "v" }, self.place)
    }

    fn values(&self) -> Rows {
        self.rows.iter().map(|(key, row)| (*key, row.value)).collect()
    }

    /// Which rows were appended, and when.
    fn marks(&self) -> BTreeMap<Key, u64> {
        self.rows.iter().filter(|(_, row)| row.appended > 0).map(|(key, row)| (*key, row.appended)).collect()
    }

    /// Takes over what the units have of which a file changed, came or went, or all of them, whose appended rows stand.
    fn update(&mut self, files: &BTreeMap<FileId, Rows>, all: bool) {
        let mut next = self.clone();
        let is_as_known = |file: &FileId| self.known.get(file) == files.get(file);
        let units: BTreeSet<usize> =
            self.known.keys().chain(files.keys()).filter(|file| all || !is_as_known(file)).map(|file| file.0).collect();
        // Since when a file is as it is; one that is gone, and so new to nobody, is as one that changed.
        let since = |file: &FileId| match self.seen.get(file) {
            Some((since, seen)) if files.get(file) == Some(seen) => *since,
            _ if is_as_known(file) => 1,
            _ => NONE,
        };
        for unit in units {
            let of_unit = |file: &&FileId| file.0 == unit;
            let own: BTreeSet<&FileId> = self.known.keys().chain(files.keys()).filter(of_unit).collect();
            let since = own.iter().map(|file| since(file)).max().unwrap_or(NONE);
            let rows: BTreeMap<Key, Option<u8>> =
                own.iter().filter_map(|file| files.get(file)).flatten().map(|(key, value)| (*key, *value)).collect();
            let held = self.rows.keys().filter(|key| self.layout.file_of(key).0 == unit);
            for key in held.chain(rows.keys()).collect::<BTreeSet<&Key>>() {
                let before = self.rows.get(key);
                let appended =
                    before.map_or_else(|| self.replaced.get(&key.0).copied().unwrap_or(0), |row| row.appended);
                match (rows.get(key), before) {
                    (Some(_), _) if appended >= since => {}
                    (Some(&value), _) => drop(next.rows.insert(*key, Row { value, appended: 0 })),
                    (None, Some(_)) if appended > 0 => {}
                    (None, _) => drop(next.rows.remove(key)),
                }
            }
            for file in own {
                next.seen.remove(file);
                match files.get(file) {
                    Some(rows) => _ = next.known.insert(*file, rows.clone()),
                    None => _ = next.known.remove(file),
                }
            }
        }
        let listed = |source: &Source| source.known.keys().copied().collect::<Vec<FileId>>();
        if (self.values(), self.marks(), listed(self)) != (next.values(), next.marks(), listed(&next)) {
            *self = next;
            self.settle();
        }
    }

    /// Takes over rows of one date that are appended `now`.
    fn append(&mut self, files: &BTreeMap<FileId, Rows>, day: usize, rows: &Rows, replace: bool, now: u64) {
        let mut next = self.clone();
        if replace {
            next.rows.retain(|key, _| key.0 != day || rows.contains_key(key));
            next.replaced.insert(day, now);
        }
        for (&key, &value) in rows {
            next.rows.insert(key, Row { value, appended: now });
        }
        if self.values() == next.values() {
            return;
        }
        let is_given = |file: &FileId| match self.layout.by_date {
            true => file.0 == day,
            false => replace || rows.keys().any(|key| key.1 == file.0),
        };
        for (file, known) in self.known.iter().filter(|(file, _)| is_given(file)) {
            match files.get(file) {
                Some(rows) if rows == known => drop(next.seen.remove(file)),
                Some(rows) if self.seen.get(file).is_none_or(|(_, seen)| seen != rows) => {
                    next.seen.insert(*file, (now, rows.clone()));
                }
                _ => {}
            }
        }
        *self = next;
        self.settle();
    }

    /// A version was published.
    fn settle(&mut self) {
        let marked: BTreeSet<usize> = self.marks().keys().map(|key| key.0).collect();
        self.replaced.retain(|day, _| marked.contains(day));
        if marked.is_empty() {
            self.seen.clear();
        }
    }

    /// This source of an older version, of which `now` is known.
    fn restored(&self, now: &Source, at: u64) -> Source {
        let mut next = self.clone();
        for (file, rows) in &now.known {
            if next.known.insert(*file, rows.clone()).as_ref() != Some(rows) {
                next.seen.insert(*file, (at, rows.clone()));
            }
        }
        next
    }
}

/// The bits of a value: zeros of both signs, and a NaN with a payload.
fn bits(value: u8) -> u64 {
    [0.0_f64.to_bits(), (-0.0_f64).to_bits(), 0x7ff8_0000_0000_0123][usize::from(value)]
}

fn panel(sources: &[Source]) -> Panel {
    let mut panel = Panel::new();
    for source in sources {
        for (key, row) in &source.rows {
            let cells = panel.entry(*key).or_default();
            cells.extend(row.value.map(|value| (source.column(), bits(value))));
        }
    }
    panel
}

fn batch(columns: Vec<(String, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn texts<'t>(texts: impl Iterator<Item = &'t str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(texts))
}

/// A store, the files of its sources, and what it must hold.
struct World<'b> {
    bytes: Bytes<'b>,
    home: tempfile::TempDir,
    /// How many further columns the key has.
    key_count: usize,
    /// By place of the source.
    layouts: [Layout; 4],
    files: [BTreeMap<FileId, Rows>; 4],
    sources: Vec<Source>,
    /// What each version was.
    versions: BTreeMap<u64, Vec<Source>>,
    /// Counts what was done.
    now: u64,
    done: Log,
}

/// What was done, which a failure prints.
#[derive(Default)]
struct Log(RefCell<Vec<String>>);

impl Log {
    fn add(&self, what: String) {
        self.0.borrow_mut().push(what);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0.borrow().join("\n"));
        }
    }
}

impl World<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// How many rows a stock may have on a date.
    fn row_count(&self) -> usize {
        1 << self.key_count
    }

    /// The keys that a unit of such a layout may have.
    fn keys_of(&self, by_date: bool, unit: usize) -> Vec<Key> {
        let others = if by_date { CODES.len() } else { DAYS.len() };
        let keys = (0..others).flat_map(|other| (0..self.row_count()).map(move |further| (other, further)));
        keys.map(|(other, further)| if by_date { (unit, other, further) } else { (other, unit, further) }).collect()
    }

    /// The columns of a file of these rows, newest first.
    fn columns(&self, rows: &Rows, with_date: bool, with_code: bool, column: String) -> RecordBatch {
        let keys = || rows.keys().rev();
        let mut columns = Vec::new();
        if with_date {
            columns.push(("trade_date".to_owned(), texts(keys().map(|key| DAYS[key.0]))));
        }
        if with_code {
            columns.push(("ts_code".to_owned(), texts(keys().map(|key| CODES[key.1]))));
        }
        let values = rows.values().rev().map(|value| value.map(|value| f64::from_bits(bits(value))));
        columns.push((column, Arc::new(values.collect::<Float64Array>())));
        if self.key_count > 0 {
            let k = keys().map(|key| (key.2 >> (self.key_count - 1)) as i64);
            columns.push(("k".to_owned(), Arc::new(Int64Array::from_iter_values(k))));
        }
        if self.key_count > 1 {
            columns.push(("t".to_owned(), texts(keys().map(|key| ["", "平"][key.2 & 1]))));
        }
        batch(columns)
    }

    /// Gives a unit of a source's files these rows.
    fn put(&mut self, source: usize, unit: usize, rows: &Rows) {
        let layout = self.layouts[source];
        for half in 0..=usize::from(layout.is_split) {
            let file = (unit, half);
            let own: Rows =
                rows.iter().filter(|(key, _)| layout.file_of(key) == file).map(|(key, value)| (*key, *value)).collect();
            if own.is_empty() {
                self.take_away(source, file);
                continue;
            }
            let path = self.path(SOURCES[source]).join(layout.path(file));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            write(&path, &self.columns(&own, !layout.by_date, layout.by_date, format!("v{source}")));
            self.done.add(format!("file {} in {}: {own:?}", layout.path(file), SOURCES[source]));
            self.files[source].insert(file, own);
        }
    }

    fn take_away(&mut self, source: usize, file: FileId) {
        if self.files[source].remove(&file).is_some() {
            let path = self.layouts[source].path(file);
            self.done.add(format!("file {path} in {} is gone", SOURCES[source]));
            fs::remove_file(self.path(SOURCES[source]).join(path)).unwrap();
        }
    }

    fn some_rows(&self, source: usize, unit: usize) -> Rows {
        self.bytes.rows(&self.keys_of(self.layouts[source].by_date, unit))
    }

    /// Runs a change on a disk of which an operation fails, and then on one that works. What fails before the version is
    /// live leaves what was there.
    fn change<T>(&self, run: impl Fn(Disk) -> Result<T, Error>) -> Result<Option<T>, Error> {
        let (fault, kind) = (self.bytes.next(), self.bytes.below(ERRORS.len()));
        if fault < 200 {
            return run(Disk::default()).map(Some);
        }
        let (done, at) = (AtomicUsize::new(0), fault - 200);
        let disk = Disk::with_hook(move |_| match done.fetch_add(1, Ordering::SeqCst) == at {
            true => Err(std::io::Error::from_raw_os_error(ERRORS[kind])),
            false => Ok(()),
        });
        let result = run(disk);
        self.done.add(format!("  operation {at} fails: {}", result.is_err()));
        match result {
            Err(Error::Live { .. }) => Ok(None),
            Err(Error::Io { .. }) => {
                if !self.versions.is_empty() {
                    self.assert_holds("a failed run");
                }
                run(Disk::default()).map(Some)
            }
            ended => ended.map(Some),
        }
    }

    /// The rows of a batch in its order: dates, codes and further key columns, and the columns of numbers that are not
    /// null.
    fn rows_in(&self, rows: &RecordBatch) -> Vec<(Key, BTreeMap<String, u64>)> {
        let find = |name: &str| rows.column_by_name(name).unwrap_or_else(|| panic!("{name} in {:?}", rows.schema()));
        let text = |name: &str| cast(find(name), &DataType::Utf8).unwrap();
        let date = if rows.column_by_name("date").is_some() { "date" } else { "trade_date" };
        let (dates, codes) = (text(date), text("ts_code"));
        let k = (self.key_count > 0).then(|| find("k").as_primitive::<Int64Type>());
        let t = (self.key_count > 1).then(|| text("t"));
        let place = |all: &[&str], one: &str| all.iter().position(|known| *known == one).expect("one of the files'");
        let row = |row: usize| {
            let day = place(&DAYS, &dates.as_string::<i32>().value(row).replace('-', ""));
            let code = place(&CODES, codes.as_string::<i32>().value(row));
            let k = k.map_or(0, |k| k.value(row) as usize);
            let t = t.as_ref().map_or(0, |t| usize::from(!t.as_string::<i32>().value(row).is_empty()));
            let further = if self.key_count > 1 { 2 * k + t } else { k };
            let mut cells = BTreeMap::new();
            for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
                if field.data_type() == &DataType::Float64 && column.is_valid(row) {
                    let value = column.as_primitive::<Float64Type>().value(row);
                    cells.insert(field.name().clone(), value.to_bits());
                }
            }
            ((day, code, further), cells)
        };
        (0..rows.num_rows()).map(row).collect()
    }

    /// What batches hold, whose rows are in ascending order by what `order` makes of a key.
    fn found<O: Ord>(&self, batches: impl Iterator<Item = RecordBatch>, order: impl Fn(&Key) -> O) -> Panel {
        let mut panel = Panel::new();
        for batch in batches {
            let rows = self.rows_in(&batch);
            assert!(rows.is_sorted_by(|(a, _), (b, _)| order(a) < order(b)), "out of order: {rows:?}");
            for (key, cells) in rows {
                assert!(panel.insert(key, cells).is_none(), "a row stands twice");
            }
        }
        panel
    }

    fn sections(&self, store: &Store) -> Panel {
        let dates = store.dates().unwrap().to_vec();
        self.found(dates.into_iter().map(|date| store.section(date).unwrap().batch().unwrap()), |key| (key.1, key.2))
    }

    fn assert_holds(&self, context: &str) {
        let store = Store::open(self.store()).unwrap();
        let checked = store.verify(&Workers::new(Some(1)).unwrap(), &Silent).unwrap();
        assert!(checked.damages.is_empty(), "{context}: {:?}", checked.damages);
        assert_eq!(self.sections(&store), panel(&self.sources), "{context}");
        let columns = store.schema().unwrap().columns.iter().map(|column| column.name.clone());
        let key = ["k", "t"].into_iter().take(self.key_count).map(str::to_owned);
        let expected: BTreeSet<String> = self.sources.iter().map(Source::column).chain(key).collect();
        assert_eq!(columns.collect::<BTreeSet<_>>(), expected, "{context}");
        let names: BTreeSet<String> = self.sources.iter().map(Source::name).collect();
        assert_eq!(store.source_names().unwrap().into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), names);
    }

    /// Asserts that a version has these rows, through each door.
    fn assert_doors(&self, store: &Store, expected: &Panel) {
        let workers = Workers::new(Some(1)).unwrap();
        assert_eq!(&self.sections(store), expected);
        let series = CODES.iter().filter_map(|code| match store.series(code) {
            Err(Error::NotFound { .. }) => None,
            series => Some(series.unwrap()),
        });
        assert_eq!(&self.found(series, |key| (key.0, key.2)), expected);
        let answer = store.answer(&Request::default()).unwrap();
        assert_eq!(&self.found(answer.batches().map(Result::unwrap), |key| *key), expected);
        let columns: BTreeSet<&String> = expected.values().flat_map(BTreeMap::keys).collect();
        for column in columns.into_iter().filter(|_| self.key_count == 0) {
            let one = store.answer(&Request::of([column.as_str()])).unwrap();
            let matrix = one.matrix(&Fill::of::<Float64Type>(-1.0), &workers, &Silent).unwrap();
            let (dates, stocks) = (matrix.dates(), matrix.stocks());
            let cells = dates.iter().flat_map(|date| stocks.iter().map(move |stock| (date.to_string(), stock)));
            for ((date, stock), value) in cells.zip(matrix.values::<Float64Type>().unwrap()) {
                let day = DAYS.iter().position(|day| *day == date).unwrap();
                let code = CODES.iter().position(|code| code == stock).unwrap();
                let held = expected.get(&(day, code, 0)).and_then(|cells| cells.get(column)).copied();
                assert_eq!(value.to_bits(), held.unwrap_or((-1.0_f64).to_bits()), "{column} of {stock} on {date}");
            }
        }
    }

    /// The place among the sources of one that the store has.
    fn one(&self) -> usize {
        self.bytes.below(self.sources.len())
    }

    fn access(&self) -> Access {
        if self.bytes.below(2) == 0 { Access::Map } else { Access::Read }
    }

    fn workers(&self) -> usize {
        [1, 2, 8][self.bytes.below(3)]
    }

    fn update(&mut self) {
        let (store, access, count) = (self.store(), self.access(), self.workers());
        self.done.add("update".to_owned());
        let run =
            |disk| Update::new(&store).prune(true).allow(Guard::ALL).access(access).workers(count).disk(disk).run();
        self.change(run).unwrap();
        for source in &mut self.sources {
            source.update(&self.files[source.place], false);
        }
    }

    fn append(&mut self) {
        let at = self.one();
        let day = self.bytes.below(DAYS.len());
        let (rows, replace) = (self.bytes.rows(&self.keys_of(true, day)), self.bytes.below(4) == 0);
        let name = self.sources[at].name();
        self.done.add(format!("append to {name}: {rows:?}, replace: {replace}"));
        let path = self.path(&format!("{}.parquet", DAYS[day]));
        write(&path, &self.columns(&rows, false, true, self.sources[at].column()));
        let (store, access, count) = (self.store(), self.access(), self.workers());
        self.change(|disk| {
            let append = Append::new(&store, [&path]).source_name(&name).replace(replace).allow(Guard::ALL);
            append.access(access).workers(count).disk(disk).run()
        })
        .unwrap();
        let files = &self.files[self.sources[at].place];
        self.sources[at].append(files, day, &rows, replace, self.now);
    }

    fn add(&mut self) {
        let is_there = |place: &usize| self.sources.iter().any(|source| source.place == *place);
        let Some(place) = (0..SOURCES.len()).find(|place| !is_there(place)) else { return };
        let (store, access, count) = (self.store(), self.access(), self.workers());
        let folder = self.path(SOURCES[place]);
        self.done.add(format!("add {}", SOURCES[place]));
        self.change(|disk| {
            let add = AddSource::new(&store, [&folder]).options(self.layouts[place].options()).allow(Guard::ALL);
            add.access(access).workers(count).disk(disk).run()
        })
        .unwrap();
        self.sources.push(Source::new(place, self.layouts[place], self.now, &self.files[place]));
    }

    /// A source's column gets its other name.
    fn rename_column(&mut self) {
        let at = self.one();
        let (store, access, count) = (self.store(), self.access(), self.workers());
        let source = &self.sources[at];
        let sign = if source.is_renamed { "-=" } else { "+=" };
        let value = if source.is_renamed { format!("v{}", source.place) } else { format!("v{0}:w{0}", source.place) };
        let name = source.name();
        self.done.add(format!("set {name}.rename{sign}{value}"));
        self.change(|disk| {
            let set = Update::new(&store).set(&name, format!("rename{sign}{value}").parse().unwrap()).prune(true);
            set.allow(Guard::ALL).access(access).workers(count).disk(disk).run()
        })
        .unwrap();
        let source = &mut self.sources[at];
        source.is_renamed = !source.is_renamed;
        // Without the name, files that have the one are told apart from files that have the other: all are read.
        source.update(&self.files[source.place], !source.is_renamed);
    }

    /// A source is called by its other name.
    fn rename(&mut self) {
        let at = self.one();
        let (store, access, count) = (self.store(), self.access(), self.workers());
        let source = &mut self.sources[at];
        let before = source.name();
        source.has_other_name = !source.has_other_name;
        let now = source.name();
        source.has_other_name = !source.has_other_name;
        self.done.add(format!("call {before} {now}"));
        self.change(|disk| ChangeSource::rename(&store, &before, &now).access(access).workers(count).disk(disk).run())
            .unwrap();
        let source = &mut self.sources[at];
        source.has_other_name = !source.has_other_name;
    }

    fn drop_source(&mut self) {
        if self.sources.len() < 2 {
            return;
        }
        let at = self.one();
        let (store, access, count) = (self.store(), self.access(), self.workers());
        let name = self.sources[at].name();
        self.done.add(format!("drop {name}"));
        self.change(|disk| ChangeSource::drop(&store, &name).access(access).workers(count).disk(disk).run()).unwrap();
        self.sources.remove(at);
    }

    fn restore(&mut self) {
        let live = Store::open(self.store()).unwrap();
        let versions = live.kept_versions().unwrap();
        let version = versions[self.bytes.below(versions.len())];
        self.done.add(format!("restore {version} of {versions:?}"));
        let (store, access, count) = (self.store(), self.access(), self.workers());
        let report: Option<UpdateReport> = self
            .change(|disk| {
                Restore::new(&store, version).allow(Guard::ALL).access(access).workers(count).disk(disk).run()
            })
            .unwrap();
        let then = self.versions[&version].clone();
        let columns = |sources: &[Source]| sources.iter().map(Source::column).collect::<BTreeSet<String>>();
        let is_same = panel(&then) == panel(&self.sources) && columns(&then) == columns(&self.sources);
        // Of versions with the same rows, another source may have them, or have another name.
        if report.is_some_and(|report| !report.published) {
            assert!(is_same, "not restored");
            return;
        }
        let ids: Vec<u64> = then.iter().map(|source| source.id).collect();
        let known = |source: &Source| {
            let same = self.sources.iter().find(|now| now.id == source.id);
            // One that was dropped, and added again as it was.
            let alike = |now: &&Source| {
                !ids.contains(&now.id) && now.place == source.place && now.is_renamed == source.is_renamed
            };
            let now = same.or_else(|| self.sources.iter().find(alike));
            now.map_or_else(|| source.clone(), |now| source.restored(now, self.now))
        };
        self.sources = then.iter().map(known).collect();
    }

    fn transpose(&self) {
        let store = Store::open_with(self.store(), self.access()).unwrap();
        let (out, count) = (self.path("out"), self.workers());
        let by = [Partition::Date, Partition::Stock, Partition::Year, Partition::All][self.bytes.below(4)];
        self.done.add(format!("transpose by {by}"));
        let transpose = Transpose::new(&store, &out).shape(Shape { by, ..Shape::default() });
        transpose.workers(count).force(true).run().unwrap();
        let checked = verify_output(&store, &out, &Workers::new(Some(1)).unwrap(), &Silent).unwrap();
        assert!(checked.differences.is_empty(), "{:?}", checked.differences);
        let names = list(&out).unwrap().map(|name| name.unwrap().into_string().unwrap());
        let files = names.filter(|name| name.ends_with(".parquet") && !name.starts_with('.'));
        let batches = files.flat_map(|name| {
            let file = fs::File::open(out.join(name)).unwrap();
            ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap)
        });
        assert_eq!(self.found(batches, |key| *key), panel(&self.sources));
    }

    /// Where no row was appended and the files are as they were read, they have all that the store has.
    fn verify(&self) {
        let (at, store) = (self.one(), Store::open_with(self.store(), self.access()).unwrap());
        let source = &self.sources[at];
        let workers = Workers::new(Some(1)).unwrap();
        let checked = verify_source(&store, &self.path(SOURCES[source.place]), &workers, &Silent).unwrap();
        let files = &self.files[source.place];
        let rows: Rows = files.values().flatten().map(|(key, value)| (*key, *value)).collect();
        if source.known == *files && rows == source.values() {
            assert_eq!(checked.difference_count, 0, "{checked:?}");
        }
    }

    /// Does the next thing; false where the bytes have ended.
    fn step(&mut self) -> bool {
        if self.bytes.0.get().is_empty() {
            return false;
        }
        self.now += 1;
        match self.bytes.below(16) {
            0..=2 => {
                let (source, unit) = (self.bytes.below(SOURCES.len()), self.bytes.below(3));
                let rows = self.some_rows(source, unit);
                self.put(source, unit, &rows);
            }
            3 => {
                let source = self.bytes.below(SOURCES.len());
                let files: Vec<FileId> = self.files[source].keys().copied().collect();
                // A source without a row is none.
                if files.len() > 1 {
                    self.take_away(source, files[self.bytes.below(files.len())]);
                }
            }
            4 | 5 => self.update(),
            6 | 7 => self.append(),
            8 | 9 => self.add(),
            10 => self.rename_column(),
            11 => self.drop_source(),
            12 => self.restore(),
            13 => {
                let (store, keep, access) = (self.store(), 1 + self.bytes.below(3) as u32, self.access());
                self.change(|disk| Collect::new(&store).keep(keep).access(access).disk(disk).run()).unwrap();
            }
            14 => self.rename(),
            _ => {
                self.transpose();
                self.verify();
            }
        }
        true
    }

    /// Remembers what the live version is.
    fn remember(&mut self) {
        let version = Store::open(self.store()).unwrap().version();
        self.done.add(format!("    version {version}"));
        self.versions.insert(version, self.sources.clone());
    }
}

/// Leads a store through what the bytes say.
pub fn operations(bytes: &[u8]) {
    let bytes_left = Bytes(Cell::new(bytes));
    let key_count = bytes_left.below(3);
    let layouts = [(); 4].map(|()| Layout { by_date: bytes_left.coin(), is_split: bytes_left.coin() });
    let mut world = World {
        bytes: bytes_left,
        home: place(),
        key_count,
        layouts,
        files: Default::default(),
        sources: Vec::new(),
        versions: BTreeMap::new(),
        now: 1,
        done: Log::default(),
    };
    world.done.add(format!("{bytes:?}: {key_count} columns in the key, {layouts:?}"));
    for (source, name) in SOURCES.into_iter().enumerate() {
        fs::create_dir(world.path(name)).unwrap();
        for unit in [source % 3, (source + 1) % 3] {
            let rows = world.some_rows(source, unit);
            world.put(source, unit, &rows);
        }
    }
    let (store, folder) = (world.store(), world.path(SOURCES[0]));
    let key = ["k", "t"].into_iter().take(key_count).map(str::to_owned).collect();
    let options = SourceOptions { key, ..layouts[0].options() };
    world
        .change(|disk| {
            let build = Build::new(&folder, &store).options(options.clone()).allow(Guard::ALL).workers(1);
            build.disk(disk).force(true).run()
        })
        .unwrap();
    world.sources.push(Source::new(0, layouts[0], 1, &world.files[0]));
    world.remember();
    while world.step() {
        world.assert_holds("a step");
        world.remember();
    }
    for version in Store::open(&store).unwrap().kept_versions().unwrap() {
        world.done.add(format!("the doors of version {version}"));
        world.assert_doors(&Store::open_version(&store, version).unwrap(), &panel(&world.versions[&version]));
    }
}
