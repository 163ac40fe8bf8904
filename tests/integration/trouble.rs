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
use transect::storage::{Disk, Operation};
use transect::{AddSource, Build, Error, Store, Update};

use super::panels::{Place, batch, copy_dir, entries, named, sections, small_panel, verify, write_parquet};

const EIO: i32 = 5;
const ENOMEM: i32 = 12;
const EACCES: i32 = 13;
const EMFILE: i32 = 24;
const ESTALE: i32 = 116;

/// Runs the binary in `place` where so many openings or readings of a file fail.
#[cfg(feature = "failpoints")]
fn run_with(
    place: &Place,
    args: &str,
    stage: &str,
    errno: i32,
    times: impl std::fmt::Display,
    name: &str,
) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transect"));
    command.current_dir(place.path(".")).args(args.split_whitespace());
    let output = command.env("TRANSECT_READ_FAILS", format!("{stage}:{errno}:{times}:{name}")).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn source_name(place: &Place) -> String {
    place.source().file_name().unwrap().to_string_lossy().into_owned()
}

#[cfg(feature = "failpoints")]
#[test]
fn a_failure_of_the_machine_fails_the_run_and_leaves_no_stock_out() {
    let place = Place::new();
    small_panel(&place, 0);
    let source = source_name(&place);
    let file = fs::read_dir(place.source()).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    for (stage, errno) in [("open", EIO), ("read", EIO), ("open", EMFILE), ("open", ENOMEM), ("open", ESTALE)] {
        let build = format!("build {source} new.store -q -j2");
        let (code, stderr) = run_with(&place, &build, stage, errno, u32::MAX, &file);
        assert_eq!(code, Some(1), "{stage} {errno}: {stderr}");
        assert!(stderr.contains(&file) && stderr.contains(&format!("os error {errno}")), "{stderr}");
        assert!(matches!(
            Store::open(place.path("new.store")),
            Err(Error::Unfinished { .. } | Error::NotAStore { .. })
        ));
    }
    place.build();
    let before = fs::read(place.store().join("CURRENT")).unwrap();
    let store = place.store().display().to_string();
    for args in [format!("update {store} --check-content -q"), format!("verify {store} --source {source} -q")] {
        let (code, stderr) = run_with(&place, &args, "open", EIO, u32::MAX, &file);
        assert_eq!(code, Some(1), "{args}: {stderr}");
        assert!(stderr.contains("os error 5"), "{stderr}");
    }
    assert_eq!(fs::read(place.store().join("CURRENT")).unwrap(), before);
}

#[cfg(feature = "failpoints")]
#[test]
fn what_is_over_in_a_moment_is_waited_for_and_what_is_of_the_file_is_told_of_it() {
    let place = Place::new();
    small_panel(&place, 0);
    let source = source_name(&place);
    let files: Vec<_> = fs::read_dir(place.source()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let file = files[0].to_str().unwrap();
    let (code, stderr) = run_with(&place, &format!("build {source} a.store -q"), "open", EMFILE, 5, file);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let args = format!("build {source} b.store -q --allow skipped-files");
    let (code, stderr) = run_with(&place, &args, "open", EACCES, u32::MAX, file);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains(&format!("{file}: cannot be opened: Permission denied")), "{stderr}");
}

/// Three stocks whose files are looked into before they are read: for the column of the codes, and for the type at which
/// integers and doubles meet.
#[cfg(feature = "failpoints")]
fn looked_into(place: &Place, salt: f64) {
    for (code, is_whole) in [("A", true), ("B", false), ("C", false)] {
        let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102", "20240103"]));
        let symbols: ArrayRef = Arc::new(StringArray::from(vec![code; 2]));
        let sizes: ArrayRef = match is_whole {
            true => Arc::new(Int64Array::from(vec![1_i64 << 40, 2])),
            false => Arc::new(Float64Array::from(vec![0.5 + salt, 1.5])),
        };
        place.add(code, &batch(&[("trade_date", dates), ("symbol", symbols), ("size", sizes)]));
    }
}

/// Each look, opening and reading of a file fails in turn, in each command that reads it. The command then fails, or the
/// failure has changed nothing: not the stocks, nor what is a column, nor what an append remembers of the files.
#[cfg(feature = "failpoints")]
#[test]
fn each_reading_that_fails_fails_the_run_or_changes_nothing() {
    let place = Place::new();
    looked_into(&place, 0.0);
    place.build();
    let before = place.store();
    looked_into(&place, 1.0);
    let built = place.path("built.store");
    Build::new(place.source(), &built).run().unwrap();
    // A date of which the sources have nothing, in the shape of an output.
    let rows = Store::open(&before).unwrap().section_at(1).unwrap().batch().unwrap();
    write_parquet(&place.path("20240104.parquet"), &rows.project(&[0, 2]).unwrap());
    let source = source_name(&place);
    let commands: [(&str, String, Option<&Path>, &str); 4] = [
        ("build", format!("build {source} now.store -q -j1"), None, "A.parquet"),
        ("update", "update now.store --check-content -q -j1".to_owned(), Some(&before), "B.parquet"),
        ("append", "append now.store 20240104.parquet -q -j1".to_owned(), Some(&before), "20240104.parquet"),
        // The files of the stocks have been written anew, which the append has to remember.
        ("append", "append now.store 20240104.parquet -q -j1".to_owned(), Some(&before), "B.parquet"),
    ];
    let now = place.path("now.store");
    let mut failed = 0;
    for (name, args, from, file) in commands {
        let begin = || {
            let _ = fs::remove_dir_all(&now);
            from.inspect(|from| copy_dir(from, &now));
        };
        begin();
        let (code, stderr) = run_with(&place, &args, "none", EIO, 0, file);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{name}");
        let store = Store::open(&now).unwrap();
        let expected = (sections(&store), settings(&store));
        for stage in ["look", "open", "examine", "read"] {
            let (mut at, mut harmless) = (0, 0);
            while harmless < 6 {
                begin();
                let context = format!("{name}: {stage} {at} of {file}");
                let (code, stderr) = run_with(&place, &args, stage, EIO, format!("+{at}"), file);
                match code {
                    Some(0) => {
                        let store = Store::open(&now).unwrap();
                        assert!((sections(&store), settings(&store)) == expected, "{context}: {stderr}");
                        harmless += 1;
                    }
                    Some(1) => {
                        assert!(stderr.contains(file) && stderr.contains("os error 5"), "{context}: {stderr}");
                        match from {
                            Some(from) => assert_eq!(entries(&now), entries(from), "{context}"),
                            None => assert!(
                                matches!(Store::open(&now), Err(Error::Unfinished { .. } | Error::NotAStore { .. })),
                                "{context}"
                            ),
                        }
                        (failed, harmless) = (failed + 1, 0);
                    }
                    other => panic!("{context}: {other:?}: {stderr}"),
                }
                at += 1;
            }
        }
    }
    assert!(failed > 20, "{failed}");
}

/// What a store remembers of its files beside their rows.
#[cfg(feature = "failpoints")]
fn settings(store: &Store) -> serde_json::Value {
    let catalog = fs::read(named(store.path(), &format!("catalog/{}", store.version()))).unwrap();
    let begins = b"{\"command\"";
    let start = catalog.windows(begins.len()).position(|bytes| bytes == begins).unwrap();
    serde_json::Deserializer::from_slice(&catalog[start..]).into_iter().next().unwrap().unwrap()
}

/// A signal may come in at any time, and says nothing of the file.
#[cfg(feature = "failpoints")]
#[test]
fn a_reading_that_a_signal_ends_goes_on() {
    const EINTR: i32 = 4;
    let place = Place::new();
    small_panel(&place, 0);
    let source = source_name(&place);
    let file = fs::read_dir(place.source()).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let (code, stderr) = run_with(&place, &format!("build {source} a.store -q"), "read", EINTR, 50, &file);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}

#[test]
fn with_few_open_files_a_build_is_whole_or_fails() {
    let place = Place::new();
    small_panel(&place, 0);
    let count = fs::read_dir(place.source()).unwrap().count() as u64;
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
    // The segment, its chunks and the tables of the second source; not the catalog, which each writer opens.
    let is_of_value = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        !before.contains(path) && name.contains(['-', '.'])
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
