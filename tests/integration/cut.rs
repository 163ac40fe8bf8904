//! A disk is shared, and another machine cuts files of a store short while a command changes it. Who maps them may be
//! ended by SIGBUS; who reads copies is told which file ends too early, and the store is whole once the file is.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, Float64Array, StringArray};
use transect::storage::{Access, Disk};
use transect::store::Collect;
use transect::{AddSource, Append, Build, ChangeSource, Error, Guard, Restore, Store, Update};

use super::panels::{Place, assert_whole, batch, copy_dir, entries, paths_in, sections, write_parquet};
use super::scene::{Panel, Random};

type Command = fn(&Place, &Path, Disk) -> Result<(), Error>;

/// What changes a store, by copies of what it reads there.
const COMMANDS: [(&str, Command); 9] = [
    ("update", |_, store, disk| {
        Update::new(store).allow(Guard::ALL).access(Access::Read).workers(1).disk(disk).run().map(drop)
    }),
    ("update of what did not change", |_, store, disk| {
        Update::new(store).sources(["more"]).reread(true).access(Access::Read).workers(1).disk(disk).run().map(drop)
    }),
    ("append", |place, store, disk| {
        let append = Append::new(store, [place.path("20240103.parquet")]).source_name("source");
        append.access(Access::Read).workers(1).disk(disk).run().map(drop)
    }),
    ("restore", |_, store, disk| {
        let restore = Restore::new(store, 1).allow(Guard::ALL);
        restore.access(Access::Read).workers(1).disk(disk).run().map(drop)
    }),
    ("source add", |place, store, disk| {
        let add = AddSource::new(store, [place.path("third")]).prefix("t_").allow(Guard::ALL);
        add.access(Access::Read).workers(1).disk(disk).run().map(drop)
    }),
    ("source set", |_, store, disk| {
        let set = Update::new(store).set("more", "rename+=x0:y".parse().unwrap()).allow(Guard::ALL);
        set.access(Access::Read).workers(1).disk(disk).run().map(drop)
    }),
    ("source rename", |_, store, disk| {
        let rename = ChangeSource::rename(store, "more", "other");
        rename.access(Access::Read).workers(1).disk(disk).run().map(drop)
    }),
    ("source drop", |_, store, disk| {
        ChangeSource::drop(store, "source").access(Access::Read).workers(1).disk(disk).run().map(drop)
    }),
    ("gc", |_, store, disk| Collect::new(store).keep(1).access(Access::Read).disk(disk).run().map(drop)),
];

/// Writes the files of a source, of which one has no row on the second date.
fn write(dir: &Path, salt: f64) {
    fs::create_dir_all(dir).unwrap();
    for (stock, code) in ["A", "B", "C"].into_iter().enumerate() {
        let days = if stock == 1 { vec!["20240102", "20240104"] } else { vec!["20240102", "20240103", "20240104"] };
        let values = |column: usize| (0..days.len()).map(move |day| (stock * 7 + column * 3 + day) as f64 / 8.0 + salt);
        let x = |column: usize| Arc::new(values(column).collect::<Float64Array>()) as ArrayRef;
        let dates: ArrayRef = Arc::new(StringArray::from(days.clone()));
        write_parquet(&dir.join(format!("{code}.parquet")), &batch(&[("date", dates), ("x0", x(0)), ("x1", x(1))]));
    }
}

/// A store of two sources and three versions, and files that have changed since.
fn prepared() -> Place {
    let place = Place::in_memory();
    write(&place.source(), 0.0);
    Build::new(place.source(), place.store()).workers(1).run().unwrap();
    write(&place.source(), 1.0);
    Update::new(place.store()).workers(1).run().unwrap();
    write(&place.path("more"), 2.0);
    fs::remove_file(place.path("more/C.parquet")).unwrap();
    AddSource::new(place.store(), [place.path("more")]).prefix("m_").allow(Guard::ALL).workers(1).run().unwrap();
    write(&place.source(), 3.0);
    write(&place.path("third"), 4.0);
    let codes: ArrayRef = Arc::new(StringArray::from(vec!["A", "D"]));
    let values: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 1.5]));
    write_parquet(&place.path("20240103.parquet"), &batch(&[("ts_code", codes), ("x0", values)]));
    place
}

/// A copy of the store to work on.
fn copied(place: &Place) -> PathBuf {
    let now = place.path("now.store");
    let _ = fs::remove_dir_all(&now);
    copy_dir(&place.store(), &now);
    now
}

/// The files that a version before wrote.
fn published(store: &Path) -> Vec<PathBuf> {
    let mut files = vec![store.join("CURRENT")];
    for dir in ["catalog", "segment"] {
        files.extend(paths_in(&store.join(dir)));
    }
    files.sort();
    files
}

/// Runs a command, and `meddles` before each of its operations on the disk, told its number.
fn run_with(
    place: &Place,
    store: &Path,
    command: Command,
    meddles: impl Fn(usize) + Send + Sync + 'static,
) -> Result<(), Error> {
    let done = AtomicUsize::new(0);
    let disk = Disk::with_hook(move |_| {
        meddles(done.fetch_add(1, Ordering::SeqCst));
        Ok(())
    });
    command(place, store, disk)
}

/// The files of the store that the process has mapped.
#[cfg(target_os = "linux")]
fn mapped(store: &Path) -> Vec<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let dirs = ["catalog", "segment"].map(|dir| store.join(dir).display().to_string());
    maps.lines().filter(|line| dirs.iter().any(|dir| line.contains(dir))).map(str::to_owned).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn who_reads_copies_maps_no_file_of_the_store() {
    let place = prepared();
    for (name, command) in COMMANDS {
        let store = copied(&place);
        let looked_at = store.clone();
        run_with(&place, &store, command, move |at| {
            assert_eq!(mapped(&looked_at), Vec::<String>::new(), "{name}, operation {at}");
        })
        .unwrap();
    }
    // What is looked for is there where a store is mapped.
    let live = Store::open(place.store()).unwrap();
    live.section_at(0).unwrap();
    assert!(mapped(&place.store()).len() > 1);
}

#[test]
fn a_file_that_is_cut_short_under_a_change_is_named_and_the_store_is_whole_once_it_is() {
    let place = prepared();
    let before = sections(&Store::open(place.store()).unwrap());
    let (mut refused, mut random) = (0, Random::new(0));
    for (name, command) in COMMANDS {
        let store = copied(&place);
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        run_with(&place, &store, command, move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
        })
        .unwrap();
        let after = sections(&Store::open(&store).unwrap());
        let count = count.load(Ordering::SeqCst);
        let files = published(&copied(&place)).len();
        // Each file at the first operation, when all is still to be read, and one at each other.
        let first = (0..files).map(|file| (0, file));
        let cuts: Vec<(usize, usize)> = first.chain((1..count).map(|at| (at, random.below(files)))).collect();
        for (at, file) in cuts {
            let store = copied(&place);
            let path = published(&store)[file].clone();
            let context = format!("{name}: {} is cut before operation {at}", path.display());
            let (cut, share) = (path.clone(), random.below(100));
            // What it held: some is gone by then, and some has another file in its place.
            let held: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
            let keep = Arc::clone(&held);
            let result = run_with(&place, &store, command, move |now| {
                if now == at
                    && let Ok(bytes) = fs::read(&cut)
                {
                    let file = OpenOptions::new().write(true).open(&cut).unwrap();
                    file.set_len((bytes.len() * share / 100) as u64).unwrap();
                    *keep.lock().unwrap() = Some(bytes);
                }
            });
            if let Err(error) = &result {
                let told = causes(error);
                let name = path.file_name().unwrap().to_string_lossy();
                assert!(told.contains(&*name) && !told.contains("panicked"), "{context}: {told}");
                refused += 1;
            }
            if let Some(bytes) = held.lock().unwrap().as_deref() {
                mend(&path, bytes);
            }
            assert_goes_on(&store, (&before, &after), result.is_ok(), &context);
        }
    }
    assert!(refused > 40, "{refused}");
}

fn causes(error: &dyn std::error::Error) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<String>>().join(": ")
}

/// Puts a file right, in place, that is still cut; what was collected or replaced meanwhile stays so.
fn mend(path: &Path, bytes: &[u8]) {
    let is_cut = fs::read(path).is_ok_and(|now| bytes.starts_with(&now));
    if is_cut {
        OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, 0).unwrap();
    }
}

/// The live version is whole, and holds what it held before, or what the command was for.
fn assert_goes_on(store: &Path, (before, after): (&Panel, &Panel), is_done: bool, context: &str) {
    let live = Store::open(store).unwrap_or_else(|error| panic!("{context}: {error}: {:?}", entries(store)));
    assert_whole(&live);
    let found = sections(&live);
    assert!(found == *after || (!is_done && found == *before), "{context}: holds something else");
}
