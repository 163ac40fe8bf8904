//! What the machine refuses while a file is looked at, opened or read is not the file's: the run fails, or waits, and no
//! stock is left out for it. The binary is told which call of it fails.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray};
use transect::{Build, Error, Store};

use super::panels::{Place, batch, copy_dir, entries, named, paths_in, sections, small_panel, write_parquet};
use super::trouble::source_name;

const EIO: i32 = 5;
const ENOMEM: i32 = 12;
const EACCES: i32 = 13;
const EMFILE: i32 = 24;
const ESTALE: i32 = 116;

/// Runs the binary in `place` where so many openings or readings of a file fail.
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

/// The name of the first file of the source.
fn first_of(place: &Place) -> String {
    paths_in(&place.source())[0].file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_failure_of_the_machine_fails_the_run_and_leaves_no_stock_out() {
    let place = Place::new();
    small_panel(&place, 0);
    let source = source_name(&place);
    let file = first_of(&place);
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

#[test]
fn what_is_over_in_a_moment_is_waited_for_and_what_is_of_the_file_is_told_of_it() {
    let place = Place::new();
    small_panel(&place, 0);
    let source = source_name(&place);
    let file = first_of(&place);
    let file = file.as_str();
    let (code, stderr) = run_with(&place, &format!("build {source} a.store -q"), "open", EMFILE, 5, file);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let args = format!("build {source} b.store -q --allow skipped-files");
    let (code, stderr) = run_with(&place, &args, "open", EACCES, u32::MAX, file);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains(&format!("{file}: cannot be opened: Permission denied")), "{stderr}");
}

/// Three stocks whose files are looked into before they are read: for the column of the codes, and for the type at which
/// integers and doubles meet.
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
fn settings(store: &Store) -> serde_json::Value {
    let catalog = fs::read(named(store.path(), &format!("catalog/{}", store.version()))).unwrap();
    let begins = b"{\"command\"";
    let start = catalog.windows(begins.len()).position(|bytes| bytes == begins).unwrap();
    serde_json::Deserializer::from_slice(&catalog[start..]).into_iter().next().unwrap().unwrap()
}

/// A signal may come in at any time, and says nothing of the file.
#[test]
fn a_reading_that_a_signal_ends_goes_on() {
    const EINTR: i32 = 4;
    let place = Place::new();
    small_panel(&place, 0);
    let source = source_name(&place);
    let file = first_of(&place);
    let (code, stderr) = run_with(&place, &format!("build {source} a.store -q"), "read", EINTR, 50, &file);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    // Each try is no signal any more.
    let (code, stderr) = run_with(&place, &format!("build {source} b.store -q"), "read", EINTR, u32::MAX, &file);
    assert!(code == Some(1) && stderr.contains("os error 4"), "{stderr}");
}
