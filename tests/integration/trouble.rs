//! What goes wrong with the machine, and not with a file: too many open files, a disk that fails, a writer in the midst
//! of its work. A stock must not be left out for it, nor come in with rows that its file never had.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray};
use transect::sink::Format;
use transect::storage::{Disk, Operation};
use transect::{AddSource, Build, Error, Shape, Store, Transpose, Update};

use super::panels::{Place, batch, entries, paths_in, small_panel, verify, write_parquet};

const EIO: i32 = 5;

pub fn source_name(place: &Place) -> String {
    place.source().file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn with_few_open_files_a_build_is_whole_or_fails() {
    let place = Place::new();
    small_panel(&place, 0);
    let count = paths_in(&place.source()).len() as u64;
    let mut whole = 0;
    for limit in 4..24 {
        let store = place.path("few.store");
        let script = format!(
            "ulimit -n {limit}; exec {} build {} {} -q -j2",
            env!("CARGO_BIN_EXE_transect"),
            place.source().display(),
            store.display()
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        match (output.status.code(), Store::open(&store)) {
            (Some(0), Ok(store)) => {
                let source = store.info().unwrap().sources.remove(0);
                assert_eq!(source.read_files + source.empty_files.len() as u64, count);
                whole += 1;
            }
            // The loader itself may find no room.
            (Some(1 | 127), Err(_)) => {}
            (code, store) => panic!("{limit} files: {code:?}, {store:?}, {stderr}"),
        }
        let _ = fs::remove_dir_all(store);
    }
    assert!(whole > 5, "{whole}");
}

#[test]
fn with_few_open_files_no_output_is_called_different() {
    let place = Place::new();
    small_panel(&place, 0);
    Build::new(place.source(), place.store()).run().unwrap();
    let store = Store::open(place.store()).unwrap();
    for format in [Format::Parquet, Format::Arrow, Format::Csv] {
        let out = place.path(&format!("{format}.out"));
        Transpose::new(&store, &out).shape(Shape { format, ..Shape::default() }).run().unwrap();
        let mut ends = Vec::new();
        for limit in 3..24 {
            let script = format!(
                "ulimit -n {limit}; exec {} verify {} --output {} -j2",
                env!("CARGO_BIN_EXE_transect"),
                place.store().display(),
                out.display()
            );
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            // The loader itself may find no room.
            let code = output.status.code().filter(|code| [0, 1, 127].contains(code));
            ends.push(code.unwrap_or_else(|| panic!("{format} with {limit} files: {output:?}")));
            assert!(code != Some(1) || stderr.contains("Too many open files"), "{format} with {limit} files: {stderr}");
        }
        assert!(ends.contains(&0) && ends.contains(&1), "{format}: {ends:?}");
    }
}

#[test]
fn a_sync_that_fails_after_the_version_went_live_says_so() {
    let place = Place::new();
    small_panel(&place, 0);
    let renamed = Arc::new(AtomicBool::new(false));
    let is_live = Arc::clone(&renamed);
    let disk = Disk::with_hook(move |operation| {
        match operation {
            Operation::Rename(_, to) if to.ends_with("CURRENT") => is_live.store(true, Ordering::SeqCst),
            Operation::SyncDir(_) if is_live.load(Ordering::SeqCst) => {
                return Err(std::io::Error::from_raw_os_error(EIO));
            }
            _ => {}
        }
        Ok(())
    });
    let error = Build::new(place.source(), place.store()).disk(disk).run().unwrap_err();
    assert!(renamed.load(Ordering::SeqCst));
    assert!(
        matches!(&error, Error::Live { version: 1, source, .. } if matches!(**source, Error::Io { .. })),
        "{error}"
    );
    assert!(error.to_string().ends_with("is live, but a power failure may bring back the one before"), "{error}");
    assert_eq!(Store::open(place.store()).unwrap().version(), 1);
    verify(&Store::open(place.store()).unwrap());
    assert!(!Update::new(place.store()).run().unwrap().published);
}

#[test]
fn a_report_that_cannot_be_printed_says_that_the_version_is_live() {
    if !Path::new("/dev/full").exists() {
        eprintln!("skipped: this system has no /dev/full");
        return;
    }
    let place = Place::new();
    small_panel(&place, 0);
    for arguments in ["--json", "-j1"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transect"));
        command.current_dir(place.path(".")).args(["build", &source_name(&place), "full.store", "--force", arguments]);
        command.stdout(OpenOptions::new().write(true).open("/dev/full").unwrap());
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(
            stderr.contains("of full.store is live, but the report could not be printed: cannot write"),
            "{stderr}"
        );
    }
}

/// A file of which every value says which writing it is from, in the size of all others.
fn encoded(place: &Place, writing: u32) -> Vec<u8> {
    let dates: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..500).map(|day| transect::Date::from_days(19_000 + day).unwrap().to_string()),
    ));
    let values: ArrayRef = Arc::new(Float64Array::from(vec![f64::from(writing); 500]));
    let names: Vec<String> = (0..40).map(|column| format!("c{column}")).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![("trade_date", dates)];
    columns.extend(names.iter().map(|name| (name.as_str(), Arc::clone(&values))));
    write_parquet(&place.path("scratch.parquet"), &batch(&columns));
    fs::read(place.path("scratch.parquet")).unwrap()
}

#[test]
fn a_file_that_is_written_in_place_meanwhile_is_read_whole_or_skipped() {
    let place = Place::new();
    fs::create_dir_all(place.source()).unwrap();
    let writings: Vec<Vec<u8>> = (1..=8).map(|writing| encoded(&place, writing)).collect();
    assert!(writings.iter().all(|bytes| bytes.len() == writings[0].len()));
    for name in ["A", "B"] {
        fs::write(place.source().join(format!("{name}.parquet")), &writings[0]).unwrap();
    }
    let file = OpenOptions::new().write(true).open(place.source().join("A.parquet")).unwrap();
    /// Also where the test fails.
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let started = Instant::now();
    let now = || started.elapsed().as_millis() as u64;
    let (stop, last_write, longest_pause) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let accepted = thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            for bytes in writings.iter().cycle() {
                // In pieces, as writers do; never shorter, so that only the bytes tell.
                for (at, part) in bytes.chunks(4096).enumerate() {
                    // Noted before the write: a pause that a reader may have seen is known when it ends, or goes on.
                    longest_pause.fetch_max(now() - last_write.load(Ordering::SeqCst), Ordering::SeqCst);
                    last_write.store(now(), Ordering::SeqCst);
                    file.write_all_at(part, at as u64 * 4096).unwrap();
                }
                if stop.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        let mut accepted = 0;
        for round in 0..40 {
            longest_pause.store(0, Ordering::SeqCst);
            let store = place.path(&format!("torn{round}.store"));
            let allow = ["skipped-files".parse().unwrap()];
            let report = Build::new(place.source(), &store).workers(1).allow(allow).run().unwrap();
            let goes_on = now() - last_write.load(Ordering::SeqCst);
            if report.stocks == 2 {
                accepted += 1;
                let series = Store::open(&store).unwrap().series("A").unwrap();
                let value = |column: usize, row: usize| series.column(column).as_primitive::<Float64Type>().value(row);
                let first = value(2, 0);
                let mut columns = 2..series.num_columns();
                let is_whole = columns.all(|column| (0..series.num_rows()).all(|row| value(column, row) == first));
                // Who stands still in the midst of a file for so long cannot be told from who is done.
                let pause = goes_on.max(longest_pause.load(Ordering::SeqCst));
                assert!(is_whole || pause >= 80, "mixed in round {round}, where no pause was longer than {pause} ms");
            }
            fs::remove_dir_all(store).unwrap();
        }
        accepted
    });
    println!("{accepted} of 40 accepted");
    let store = Build::new(place.source(), place.path("still.store")).run().unwrap();
    assert_eq!((store.stocks, store.skipped.len()), (2, 0), "once nothing writes");
}

/// Nobody reads another source's files on the way; what is published on top of them must be whole.
#[test]
fn a_version_does_not_go_live_on_top_of_a_file_that_was_cut_short_or_is_gone() {
    let place = Place::new();
    let put = |source: &str, name: &str, value: i64| {
        let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102", "20240103"]));
        let values: ArrayRef = Arc::new(Int64Array::from(vec![value, value + 1]));
        fs::create_dir_all(place.path(source)).unwrap();
        write_parquet(&place.path(source).join("A.parquet"), &batch(&[("date", dates), (name, values)]));
    };
    let (segments, catalogs) = (place.store().join("segment"), place.store().join("catalog"));
    let all =
        || [&segments, &catalogs].map(|dir| entries(dir).into_iter().map(|name| dir.join(name))).into_iter().flatten();
    put("prices", "p", 1);
    put("value", "v", 10);
    Build::new(place.path("prices"), place.store()).workers(1).run().unwrap();
    let before: Vec<PathBuf> = all().collect();
    AddSource::new(place.store(), [place.path("value")]).workers(1).run().unwrap();
    // The segment, its chunks and the tables of the second source; not the catalog, which each writer opens, and not what
    // the version changed, without which no row is lost.
    let is_of_value = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        !before.contains(path) && name.contains(['-', '.']) && !name.ends_with(".changes")
    };
    let added: Vec<PathBuf> = all().filter(is_of_value).collect();
    assert_eq!(added.len(), 3, "{added:?}");
    put("prices", "p", 2);
    let update = || Update::new(place.store()).sources(["prices"]).workers(1).run();
    for path in &added {
        let bytes = fs::read(path).unwrap();
        for left in [Some(bytes.len() - 8), None] {
            match left {
                Some(len) => fs::write(path, &bytes[..len]).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
            let error = update().unwrap_err();
            assert!(matches!(&error, Error::Corrupt { path: named, .. } if named == path), "{error}: {path:?}");
            assert_eq!(Store::open(place.store()).unwrap().version(), 2);
        }
        fs::write(path, &bytes).unwrap();
    }
    assert_eq!(update().unwrap().restated, 2);
}
