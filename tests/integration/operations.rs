//! Sequences of all that changes a store, on disks that fail, beside a map of what it must hold: sources come, change,
//! get columns of other names and go, rows are appended, versions restored and collected. Bytes say what happens.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use transect::progress::Silent;
use transect::storage::{Access, Disk};
use transect::store::Collect;
use transect::workers::Workers;
use transect::{
    AddSource, Append, Build, ChangeSource, Error, Guard, Restore, Store, Transpose, Update, verify_output,
    verify_source,
};

use super::targets::{place, write};

const CODES: [&str; 3] = ["B", "A", "平安"];
const DAYS: [&str; 3] = ["20231229", "20240102", "20240103"];
const SOURCES: [&str; 3] = ["s0", "s1", "s2"];
/// How a disk fails: EIO, ENOSPC, EACCES, EMFILE.
const ERRORS: [i32; 4] = [5, 28, 13, 24];

/// A day and a code.
type Key = (usize, usize);
/// The rows of a file by day: a number or null.
type File = BTreeMap<usize, Option<u8>>;
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

    /// Some days, one at least, with their values.
    fn rows(&self, limit: usize) -> BTreeMap<usize, Option<u8>> {
        let (mask, values) = (self.below((1 << limit) - 1) + 1, self.next());
        let days = (0..limit).filter(|day| mask >> day & 1 == 1);
        days.map(|day| (day, (values >> (2 * day) & 3 != 3).then_some((values >> (2 * day) & 3) as u8))).collect()
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
#[derive(Debug, Clone, Default)]
struct Source {
    /// Which of [`SOURCES`] it is.
    place: usize,
    /// Told apart from one that was dropped.
    id: u64,
    /// Whether its column has its other name.
    is_renamed: bool,
    rows: BTreeMap<Key, Row>,
    /// The files as they were when a version last remembered them, by code.
    known: BTreeMap<usize, File>,
    /// Files that were not so when rows of their stocks were appended, and since when.
    seen: BTreeMap<usize, (u64, File)>,
    /// When the rows of a date were last replaced.
    replaced: BTreeMap<usize, u64>,
}

impl Source {
    fn new(place: usize, id: u64, files: &BTreeMap<usize, File>) -> Source {
        let mut source = Source { place, id, ..Source::default() };
        source.update(files, false);
        source
    }

    fn column(&self) -> String {
        format!("{}{}", if self.is_renamed { "w" } else { "v" }, self.place)
    }

    fn values(&self) -> BTreeMap<Key, Option<u8>> {
        self.rows.iter().map(|(key, row)| (*key, row.value)).collect()
    }

    /// Takes over what the files have that changed, or all of them, whose appended rows stand; whether it is another source
    /// then.
    fn update(&mut self, files: &BTreeMap<usize, File>, all: bool) -> bool {
        let mut next = self.clone();
        for code in self.known.keys().filter(|code| !files.contains_key(code)) {
            next.rows.retain(|key, _| key.1 != *code);
            next.known.remove(code);
            next.seen.remove(code);
        }
        for (&code, file) in files {
            let is_known = self.known.get(&code) == Some(file);
            if is_known && !all {
                continue;
            }
            let seen = self.seen.get(&code).filter(|(_, seen)| seen == file).map(|(since, _)| *since);
            let since = seen.or(is_known.then_some(1)).unwrap_or(u64::MAX);
            for day in 0..DAYS.len() {
                let before = self.rows.get(&(day, code));
                let appended = before.map_or_else(|| self.replaced.get(&day).copied().unwrap_or(0), |row| row.appended);
                match (file.get(&day), before) {
                    (Some(_), _) if appended >= since => {}
                    (Some(&value), _) => drop(next.rows.insert((day, code), Row { value, appended: 0 })),
                    (None, Some(_)) if appended > 0 => {}
                    (None, _) => drop(next.rows.remove(&(day, code))),
                }
            }
            next.known.insert(code, file.clone());
            next.seen.remove(&code);
        }
        let listed = |source: &Source| source.known.keys().copied().collect::<Vec<usize>>();
        let differs = self.values() != next.values() || listed(self) != listed(&next);
        if differs {
            *self = next;
            self.settle();
        }
        differs
    }

    /// Takes over rows of one date, by code, that are appended `now`.
    fn append(&mut self, files: &BTreeMap<usize, File>, day: usize, rows: &File, replace: bool, now: u64) {
        let mut next = self.clone();
        if replace {
            next.rows.retain(|key, _| key.0 != day || rows.contains_key(&key.1));
            next.replaced.insert(day, now);
        }
        for (&code, &value) in rows {
            next.rows.insert((day, code), Row { value, appended: now });
        }
        if self.values() == next.values() {
            return;
        }
        for (&code, known) in self.known.iter().filter(|(code, _)| replace || rows.contains_key(code)) {
            match files.get(&code) {
                Some(file) if file == known => drop(next.seen.remove(&code)),
                Some(file) if self.seen.get(&code).is_none_or(|(_, seen)| seen != file) => {
                    next.seen.insert(code, (now, file.clone()));
                }
                _ => {}
            }
        }
        *self = next;
        self.settle();
    }

    /// A version was published.
    fn settle(&mut self) {
        let marked: BTreeSet<usize> =
            self.rows.iter().filter(|(_, row)| row.appended > 0).map(|(key, _)| key.0).collect();
        self.replaced.retain(|day, _| marked.contains(day));
        if marked.is_empty() {
            self.seen.clear();
        }
    }

    /// This source of an older version, of which `now` is known.
    fn restored(&self, now: &Source, at: u64) -> Source {
        let mut next = self.clone();
        for (code, file) in &now.known {
            if next.known.insert(*code, file.clone()).as_ref() != Some(file) {
                next.seen.insert(*code, (at, file.clone()));
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

/// What `store` holds.
fn found(store: &Store) -> Panel {
    let mut panel = Panel::new();
    for &date in store.dates().unwrap() {
        let rows = store.section(date).unwrap().batch().unwrap();
        let codes = cast(rows.column_by_name("ts_code").unwrap(), &DataType::Utf8).unwrap();
        let day = DAYS.iter().position(|day| *day == date.to_string()).expect("a date of the files");
        for row in 0..rows.num_rows() {
            let code = codes.as_string::<i32>().value(row);
            let code = CODES.iter().position(|one| *one == code).expect("a code of the files");
            let mut cells = BTreeMap::new();
            for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
                if field.data_type() == &DataType::Float64 && column.is_valid(row) {
                    let value = column.as_primitive::<Float64Type>().value(row);
                    cells.insert(field.name().clone(), value.to_bits());
                }
            }
            assert!(panel.insert((day, code), cells).is_none(), "a row stands twice");
        }
    }
    panel
}

fn batch(columns: Vec<(String, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn values(rows: &File) -> ArrayRef {
    Arc::new(rows.values().map(|value| value.map(|value| f64::from_bits(bits(value)))).collect::<Float64Array>())
}

/// A store, the files of its sources, and what it must hold.
struct World<'b> {
    bytes: Bytes<'b>,
    home: tempfile::TempDir,
    /// By place of the source, then by code.
    files: [BTreeMap<usize, File>; 3],
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

    /// Writes the file of a stock.
    fn put(&mut self, source: usize, code: usize, file: File) {
        let dates = Arc::new(file.keys().map(|day| Some(DAYS[*day])).collect::<StringArray>()) as ArrayRef;
        let rows = batch(vec![("trade_date".to_owned(), dates), (format!("v{source}"), values(&file))]);
        write(&self.path(SOURCES[source]).join(format!("{}.parquet", CODES[code])), &rows);
        self.done.add(format!("file of {} in {}: {file:?}", CODES[code], SOURCES[source]));
        self.files[source].insert(code, file);
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

    fn assert_holds(&self, context: &str) {
        let store = Store::open(self.store()).unwrap();
        let checked = store.verify(&Workers::new(Some(1)).unwrap(), &Silent).unwrap();
        assert!(checked.damages.is_empty(), "{context}: {:?}", checked.damages);
        assert_eq!(found(&store), panel(&self.sources), "{context}");
        let names: Vec<&str> = store.schema().unwrap().columns.iter().map(|column| column.name.as_str()).collect();
        let expected: BTreeSet<String> = self.sources.iter().map(Source::column).collect();
        assert_eq!(names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), expected, "{context}");
    }

    /// The place among [`SOURCES`] of one that the store has.
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
        let (day, rows, replace) =
            (self.bytes.below(DAYS.len()), self.bytes.rows(CODES.len()), self.bytes.below(4) == 0);
        self.done.add(format!("append to {} on {day}: {rows:?}, replace: {replace}", SOURCES[self.sources[at].place]));
        let codes: ArrayRef = Arc::new(rows.keys().map(|code| Some(CODES[*code])).collect::<StringArray>());
        let path = self.path(&format!("{}.parquet", DAYS[day]));
        write(&path, &batch(vec![("ts_code".to_owned(), codes), (self.sources[at].column(), values(&rows))]));
        let (store, access, count) = (self.store(), self.access(), self.workers());
        let name = SOURCES[self.sources[at].place];
        self.change(|disk| {
            let append = Append::new(&store, [&path]).source_name(name).replace(replace).allow(Guard::ALL);
            append.access(access).workers(count).disk(disk).run()
        })
        .unwrap();
        let files = &self.files[self.sources[at].place];
        self.sources[at].append(files, day, &rows, replace, self.now);
    }

    fn add(&mut self) {
        let Some(place) = (0..3).find(|place| self.sources.iter().all(|source| source.place != *place)) else { return };
        let (store, access, count) = (self.store(), self.access(), self.workers());
        let folder = self.path(SOURCES[place]);
        self.done.add(format!("add {}", SOURCES[place]));
        self.change(|disk| {
            let add = AddSource::new(&store, [&folder]).allow(Guard::ALL);
            add.access(access).workers(count).disk(disk).run()
        })
        .unwrap();
        self.sources.push(Source::new(place, self.now, &self.files[place]));
    }

    fn rename(&mut self) {
        let at = self.one();
        let (store, access, count) = (self.store(), self.access(), self.workers());
        let source = &self.sources[at];
        let sign = if source.is_renamed { "-=" } else { "+=" };
        let value = if source.is_renamed { format!("v{}", source.place) } else { format!("v{0}:w{0}", source.place) };
        let name = SOURCES[source.place];
        self.done.add(format!("set {name}.rename{sign}{value}"));
        self.change(|disk| {
            let set = Update::new(&store).set(name, format!("rename{sign}{value}").parse().unwrap()).prune(true);
            set.allow(Guard::ALL).access(access).workers(count).disk(disk).run()
        })
        .unwrap();
        let source = &mut self.sources[at];
        source.is_renamed = !source.is_renamed;
        // Without the name, files that have the one are told apart from files that have the other: all are read.
        source.update(&self.files[source.place], !source.is_renamed);
    }

    fn drop_source(&mut self) {
        if self.sources.len() < 2 {
            return;
        }
        let at = self.one();
        let (store, access, count) = (self.store(), self.access(), self.workers());
        let name = SOURCES[self.sources[at].place];
        self.done.add(format!("drop {name}"));
        self.change(|disk| ChangeSource::drop(&store, name).access(access).workers(count).disk(disk).run()).unwrap();
        self.sources.remove(at);
    }

    fn restore(&mut self) {
        let versions = Store::open(self.store()).unwrap().kept_versions().unwrap();
        let version = versions[self.bytes.below(versions.len())];
        self.done.add(format!("restore {version} of {versions:?}"));
        let (store, access, count) = (self.store(), self.access(), self.workers());
        self.change(|disk| {
            Restore::new(&store, version).allow(Guard::ALL).access(access).workers(count).disk(disk).run()
        })
        .unwrap();
        let then = self.versions[&version].clone();
        let columns = |sources: &[Source]| sources.iter().map(Source::column).collect::<BTreeSet<String>>();
        if panel(&then) == panel(&self.sources) && columns(&then) == columns(&self.sources) {
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
        let out = self.path("out");
        Transpose::new(&store, &out).workers(self.workers()).force(true).run().unwrap();
        let checked = verify_output(&store, &out, &Workers::new(Some(1)).unwrap(), &Silent).unwrap();
        assert!(checked.differences.is_empty(), "{:?}", checked.differences);
    }

    /// Where no row was appended and the files are as they were read, they have all that the store has.
    fn verify(&self) {
        let (at, store) = (self.one(), Store::open_with(self.store(), self.access()).unwrap());
        let source = &self.sources[at];
        let workers = Workers::new(Some(1)).unwrap();
        let checked = verify_source(&store, Path::new(SOURCES[source.place]), &workers, &Silent).unwrap();
        let rows = self.files[source.place]
            .iter()
            .flat_map(|(&code, file)| file.iter().map(move |(&day, &value)| ((day, code), value)));
        let is_as_read =
            source.known == self.files[source.place] && rows.collect::<BTreeMap<_, _>>() == source.values();
        if is_as_read {
            assert_eq!(checked.difference_count, 0, "{checked:?}");
        }
    }

    /// Does the next thing; false where the bytes have ended.
    fn step(&mut self) -> bool {
        if self.bytes.0.get().is_empty() {
            return false;
        }
        self.now += 1;
        match self.bytes.below(14) {
            0..=2 => {
                let (source, code, rows) =
                    (self.bytes.below(3), self.bytes.below(CODES.len()), self.bytes.rows(DAYS.len()));
                self.put(source, code, rows);
            }
            3 => {
                let (source, code) = (self.bytes.below(3), self.bytes.below(CODES.len()));
                // A source without a row is none.
                if self.files[source].len() > 1 && self.files[source].remove(&code).is_some() {
                    self.done.add(format!("file of {} in {} is gone", CODES[code], SOURCES[source]));
                    fs::remove_file(self.path(SOURCES[source]).join(format!("{}.parquet", CODES[code]))).unwrap();
                }
            }
            4 | 5 => self.update(),
            6 | 7 => self.append(),
            8 => self.add(),
            9 => self.rename(),
            10 => self.drop_source(),
            11 => self.restore(),
            12 => {
                let (store, keep, access) = (self.store(), 1 + self.bytes.below(3) as u32, self.access());
                self.change(|disk| Collect::new(&store).keep(keep).access(access).disk(disk).run()).unwrap();
            }
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
    let mut world = World {
        bytes: Bytes(Cell::new(bytes)),
        home: place(),
        files: Default::default(),
        sources: Vec::new(),
        versions: BTreeMap::new(),
        now: 1,
        done: Log::default(),
    };
    world.done.add(format!("{bytes:?}"));
    for (source, name) in SOURCES.into_iter().enumerate() {
        fs::create_dir(world.path(name)).unwrap();
        let rows = world.bytes.rows(DAYS.len());
        world.put(source, source, rows);
        let rows = world.bytes.rows(DAYS.len());
        world.put(source, (source + 1) % 3, rows);
    }
    let (store, folder) = (world.store(), world.path(SOURCES[0]));
    world.change(|disk| Build::new(&folder, &store).allow(Guard::ALL).workers(1).disk(disk).force(true).run()).unwrap();
    world.sources.push(Source::new(0, 1, &world.files[0]));
    world.remember();
    while world.step() {
        world.assert_holds("a step");
        world.remember();
    }
    for version in Store::open(&store).unwrap().kept_versions().unwrap() {
        let old = Store::open_version(&store, version).unwrap();
        assert_eq!(found(&old), panel(&world.versions[&version]), "version {version}");
    }
}
