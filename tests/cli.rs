//! The command line: exit codes, what goes to stdout and what to stderr, and that an interrupted run leaves nothing
//! half-written under a final name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use assert_cmd::Command;
use chrono::{DateTime, TimeDelta, Utc};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use tempfile::TempDir;
use transect::storage::list;

const TRANSECT: &str = env!("CARGO_BIN_EXE_transect");

/// Makes a panel that takes long enough to build that the build can be interrupted.
const LONG_PANEL: &str = if cfg!(debug_assertions) {
    "synth panel --stocks 50 --dates 1200 -q"
} else {
    "synth panel --stocks 300 --dates 3000 -q"
};

/// What one run of the command printed, and how it ended.
#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "one JSON object, and nothing else, on stdout: {self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn done(self) -> Ran {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    fn failed(self, code: i32, words: &[&str]) -> Ran {
        assert_eq!(self.code, code, "{self:?}");
        assert!(words.iter().all(|word| self.stderr.contains(word)), "{words:?} in {self:?}");
        self
    }
}

/// A directory in which commands run.
/// The first segment that a version of `store` wrote.
fn segment_of(store: &Path, version: u64) -> PathBuf {
    let of_version = |name: &String| {
        // A catalog says its version behind magic, format version and its header's length.
        name.len() == 16 && fs::read(store.join("catalog").join(name)).unwrap()[16..24] == version.to_le_bytes()
    };
    let mut names = list(&store.join("catalog")).unwrap().map(|name| name.unwrap().into_string().unwrap());
    store.join("segment").join(format!("{}-0000.arrow", names.find(of_version).unwrap()))
}

struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    /// With a panel of a few stocks in `panel`.
    fn with_panel() -> Place {
        let place = Place::new();
        place.run("synth panel --stocks 12 --dates 60 -q").done();
        place
    }

    /// With that panel built into `store`.
    fn with_store() -> Place {
        let place = Place::with_panel();
        place.run("build panel store -q").done();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run_all(&self, args: &[&str]) -> Ran {
        self.run_with(args, &[])
    }

    fn run_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(TRANSECT);
        command.current_dir(self.0.path()).env("TERM", "xterm").envs(environment.iter().copied()).args(args);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        Ran { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Runs the arguments in `line`, which are separated by blanks.
    fn run(&self, line: &str) -> Ran {
        self.run_all(&line.split_whitespace().collect::<Vec<_>>())
    }

    fn bytes_of(&self, line: &str) -> Vec<u8> {
        let args = line.split_whitespace();
        let output = Command::new(TRANSECT).current_dir(self.0.path()).args(args).output().unwrap();
        assert!(output.status.success());
        output.stdout
    }

    fn start(&self, line: &str) -> Child {
        let mut command = std::process::Command::new(TRANSECT);
        command.current_dir(self.0.path()).args(line.split_whitespace());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// All files below `dir` with their bytes, by path.
    fn files(&self, dir: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let base = self.path(dir);
        let mut dirs = vec![base.clone()];
        while let Some(dir) = dirs.pop() {
            for name in list(&dir).unwrap() {
                let path = dir.join(name.unwrap());
                if path.is_dir() {
                    dirs.push(path);
                } else {
                    files.insert(path.strip_prefix(&base).unwrap().to_owned(), fs::read(&path).unwrap());
                }
            }
        }
        files
    }

    fn write_parquet(&self, path: &str, columns: Vec<(&str, ArrayRef)>) {
        let columns = columns.into_iter().map(|(name, array)| (name, array, true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        let file = fs::File::create(self.path(path)).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }
}

/// Waits until `is_there`, for as long as a slow machine may take.
fn wait_for(child: &mut Child, is_there: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_there() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be interrupted");
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn interrupt(child: Child) -> Ran {
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn has_file(dir: &Path, is_it: impl Fn(&str) -> bool) -> bool {
    list(dir).into_iter().flatten().flatten().any(|name| is_it(&name.to_string_lossy()))
}

#[test]
fn the_help_lists_commands_and_exit_codes() {
    let place = Place::new();
    let short = place.run("-h").done();
    for word in [
        "build",
        "transpose",
        "show",
        "info",
        "coverage",
        "report",
        "verify",
        "log",
        "diff",
        "gc",
        "task",
        "synth",
        "demo",
        "generate",
        "Exit codes:",
        "130",
        "skipped",
    ] {
        assert!(short.stdout.contains(word), "{word}");
    }
    for (command, common, rare) in [
        ("build", "--date-column", "--naive-zone"),
        ("update", "--max-restated", "--date-column"),
        ("transpose", "--columns", "--keep-date"),
    ] {
        let (short, long) =
            (place.run(&format!("{command} -h")).done(), place.run(&format!("{command} --help")).done());
        assert!(short.stdout.contains(common) && long.stdout.contains(common), "{command} {common}");
        assert!(!short.stdout.contains(rare) && long.stdout.contains(rare), "{command} {rare}");
        assert!(long.stdout.contains("\nRunning:\n"), "{command}");
    }
    let codes = |command: &str| {
        let help = place.run(&format!("{command} --help")).done().stdout;
        let codes = help.split_once("Exit codes:\n").unwrap().1.lines();
        codes.map(|line| line.trim_start().split_once("  ").unwrap().0.to_owned()).collect::<Vec<_>>().join(" ")
    };
    for (command, expected) in [
        ("build", "0 1 2 3 4 5 6 130"),
        ("update", "0 1 2 3 4 5 6 130"),
        ("append", "0 1 2 3 4 5 6 130"),
        ("restore", "0 1 2 4 5 6 130"),
        ("source add", "0 1 2 3 4 5 6 130"),
        ("source set", "0 1 2 3 4 5 6 130"),
        ("source drop", "0 1 2 5 6 130"),
        ("source rename", "0 1 2 5 6 130"),
        ("source list", "0 1 2 6 130"),
        ("transpose", "0 1 2 5 6 130"),
        ("gc", "0 1 2 5 6 130"),
        ("task plan", "0 1 2 6 130"),
        ("task update", "0 1 2 5 6 130"),
        ("task add", "0 1 2 5 6 130"),
        ("task append", "0 1 2 5 6 130"),
        ("task compare", "0 1 2 6 130"),
        ("task gather", "0 1 2 6 130"),
        ("task assemble", "0 1 2 4 6 130"),
        ("task seal", "0 1 2 6 130"),
        ("task transpose", "0 1 2 6 130"),
        ("task write", "0 1 2 6 130"),
        ("task commit", "0 1 2 3 4 5 6 130"),
        ("task run", "0 1 2 3 4 5 6 130"),
        ("verify", "0 1 2 3 6 130"),
        ("show", "0 1 2 6 130"),
        ("coverage", "0 1 2 6 130"),
        ("report", "0 1 2 6 130"),
        ("synth", "0 1 2 130"),
    ] {
        assert_eq!(codes(command), expected, "{command}");
    }
    let verify = place.run("verify --help").done().stdout;
    let kept = "3  the source lacks rows that the store keeps, or more was skipped than is usual";
    assert!(verify.contains(kept), "{verify}");
    let list = place.run("source set --help").done().stdout;
    assert!(list.contains(" is written `\\,`."), "{list}");
    assert!(place.run("--version").done().stdout.starts_with("transect "));
}

#[test]
fn wrong_usage_ends_with_2_and_prints_nothing_on_stdout() {
    let place = Place::with_store();
    for line in [
        "",
        "bild",
        "build panel",
        "build panel s2 --parallel 0",
        "build panel s2 --memory lots",
        "build panel s2 --pattern x.parquet",
        "build panel s2 --duplicates some",
        "build panel s2 --bad-dates keep",
        "build panel s2 --cast size",
        "build panel s2 --cast size=matrix",
        "transpose store out --from 20240230",
        "transpose store out --from 20240102 --to 20240101",
        "transpose store out --dates 20240102 --from 20240101",
        "transpose store out --name x.parquet",
        "transpose store out --name ../{date}",
        "transpose store out --compression gzip",
        "transpose store out --format arrow --compression zstd",
        "transpose store out --format xlsx",
        "transpose store out --by week",
        "transpose store out --by month --name {code}.parquet",
        "transpose store out --by stock --no-date",
        "transpose store out --matrix size --by stock",
        "transpose store out --last 0",
        "transpose store out --name {day}{week}.parquet",
        "transpose store out --stocks A,,B",
        "show store --format yaml",
        "show store --version 1 --as-of 2024-01-02",
        "show store --version x",
        "info store --as-of yesterday",
        "coverage store --version 1 --as-of 2024-01-02",
        "report store",
        "diff store --format csv",
        "gc store --keep 0",
        "gc store --keep-for 30",
        "build panel s2 --keep 0",
        "build panel s2 --allow everything",
        "build panel s2 --wait soon",
        "build panel s2 --max-skipped some",
        "synth p2 --stocks 0",
        "synth p2 --preset none",
        "verify store --nonsense",
        "generate completions tcl",
    ] {
        let ran = place.run(line).failed(2, &[]);
        assert_eq!(ran.stdout, "", "{line}");
        assert!(!ran.stderr.is_empty(), "{line}");
    }
    assert!(!place.path("s2").exists() && !place.path("out").exists() && !place.path("p2").exists());
}

#[test]
fn what_is_not_understood_is_an_object_where_scripts_read() {
    let place = Place::with_store();
    for (line, command, message, hint) in [
        ("--json", "", "unexpected argument '--json' found", "it is used like `transect [OPTIONS] <COMMAND>`"),
        ("bild a b --json", "", "unrecognized subcommand 'bild'", "a similar subcommand exists: 'build'"),
        (
            "build panel --json",
            "build",
            "the following required arguments were not provided: <STORE>",
            "it is used like `transect build --json <SRC> <STORE>`",
        ),
        (
            "-q source add store --json",
            "source add",
            "the following required arguments were not provided: <DIR>...",
            "it is used like `transect source add --json <STORE> <DIR>...`",
        ),
        (
            "update store --json --wait soon",
            "update",
            "invalid value 'soon' for '--wait <DURATION>': \"soon\" is no duration; write it as 30s, 10m or 2h",
            "write it as 30s, 10m or 2h",
        ),
        (
            "transpose store out --format xlsx --json",
            "transpose",
            "invalid value 'xlsx' for '--format <FORMAT>' [possible values: parquet, arrow, csv]",
            "`transect transpose --help` says what it takes",
        ),
        (
            "verify store --nonsense --json",
            "verify",
            "unexpected argument '--nonsense' found",
            "it is used like `transect verify <STORE>`",
        ),
        (
            "diff store --by row --json",
            "diff",
            "the argument '--by <WHAT>' cannot be used with '--json'",
            "it is used like `transect diff --by <WHAT> <STORE> [A] [B]`",
        ),
        // What only the command itself knows.
        (
            "transpose store out --compression zstd --format csv --json",
            "transpose",
            "--compression is for Parquet; other files are not compressed",
            "other files are not compressed",
        ),
    ] {
        let ran = place.run(line).failed(2, &["error: "]);
        let expected = serde_json::json!({
            "schema_version": 1,
            "command": command,
            "exit_code": 2,
            "error": {"kind": "usage", "path": null, "message": message, "hint": hint},
        });
        assert_eq!(ran.json(), expected, "{line}");
    }
    let ran = place.run("show store -- --json").failed(2, &["unexpected argument '--json' found"]);
    assert_eq!(ran.stdout, "", "a name is no option");
    assert!(!ran.stderr.contains("as a value"), "{}", ran.stderr);
}

#[test]
fn errors_name_the_directory_that_they_are_about_and_a_way_out() {
    let place = Place::with_panel();
    place.run("build panel store -q").done();
    place.run("source add store panel --source two --prefix two_ -q").done();
    fs::create_dir(place.path("empty")).unwrap();
    fs::create_dir(place.path("full")).unwrap();
    fs::write(place.path("full/x"), "x").unwrap();
    for (line, kind, path, hint) in [
        ("build nowhere s2", "io", "nowhere", "name one that is there"),
        ("build panle s2", "io", "panle", "did you mean panel?"),
        (
            "build empty s2",
            "refused",
            "empty",
            "put one Parquet file per stock there, or give the directory that has them",
        ),
        (
            "build full s2",
            "refused",
            "full",
            "give the directory with one Parquet file per stock, or the pattern of their paths",
        ),
        ("build panel full/x", "io", "full/x", "name a directory"),
        ("transpose store full", "refused", "full", "name another directory, or --force writes beside what is there"),
        ("transpose store panel", "refused", "panel", "name a directory elsewhere"),
        ("transpose store full/x", "io", "full/x", "name another one, or move it away"),
        ("verify store --output empty", "not-found", "empty", "a directory that a store was transposed into has one"),
        ("append store panel/x", "refused", "store", "--source NAME says whose rows these are"),
        ("report store empty", "refused", "empty", "name another"),
        ("synth full", "refused", "full", "name a new directory, or empty this one first"),
    ] {
        let error = &place.run(&format!("{line} --json")).failed(1, &["transect: error: ", hint]).json()["error"];
        let told = [&error["kind"], &error["path"], &error["hint"]].map(|field| field.as_str().unwrap_or_default());
        assert_eq!(told, [kind, path, hint], "{line}");
    }
    // Whose files are of stocks are never of dates.
    let set = place.run("source set store two.path=full --json").failed(1, &["no file in "]);
    assert!(set.json()["error"]["path"].as_str().unwrap().ends_with("/full"), "{set:?}");
}

#[test]
fn reports_go_to_stdout_and_nothing_to_stderr() {
    let place = Place::new();
    for (line, words) in [
        ("synth panel --stocks 12 --dates 60", &["files  12", "barra"][..]),
        ("build panel store", &["stocks   12", "dates    60, 2", "rows/s", "columns  42", "in 12 files -> "]),
        ("transpose store out", &["files    60", "columns  42"]),
        ("verify store --output out", &["60 sections", "every checksum matches", "60 files"]),
        ("info store", &["stocks   12", "12 files read", "options  defaults", "ind_banks", "Boolean"]),
    ] {
        let ran = place.run(line).done();
        assert_eq!(ran.stderr, "", "{line}");
        assert!(words.iter().all(|word| ran.stdout.contains(word)), "{words:?} in {ran:?}");
    }
}

#[test]
fn quiet_runs_print_nothing_at_all() {
    let place = Place::new();
    for line in [
        "synth panel --stocks 12 --dates 60 -q",
        "build panel store -q",
        "-q transpose store out",
        "verify store --output out --quiet",
    ] {
        let ran = place.run(line).done();
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""), "{line}");
    }
    assert_eq!(place.run("show store -q").done().stderr, "");
}

#[test]
fn json_reports_are_one_object_each() {
    let place = Place::new();
    let synth = place.run("synth panel --stocks 12 --dates 60 --json").done().json();
    let build = place.run("build panel store --json -q").done().json();
    let transpose = place.run("transpose store out --json").done().json();
    let verify = place.run("verify store --output out --json").done().json();
    let info = place.run("info store --json").done().json();
    for (command, report) in
        [("synth", &synth), ("build", &build), ("transpose", &transpose), ("verify", &verify), ("info", &info)]
    {
        assert_eq!(report["command"], command);
        assert_eq!(report["exit_code"], 0);
    }
    assert_eq!((&synth["files"], &synth["preset"]), (&12.into(), &"barra".into()));
    assert_eq!((&build["stocks"], &build["dates"], &build["columns"]), (&12.into(), &60.into(), &42.into()));
    assert_eq!(build["rows"], synth["rows"]);
    assert_eq!(build["source_bytes"], synth["bytes"]);
    assert_eq!((&transpose["written"], &transpose["rows"]), (&60.into(), &build["rows"]));
    assert_eq!((&verify["ok"], &verify["output"]["files"]), (&true.into(), &60.into()));
    assert_eq!(verify["source"], Value::Null);
    assert_eq!((&info["rows"], &info["version"]), (&build["rows"], &1.into()));
    assert_eq!(info["columns"].as_array().unwrap().len(), 42);
}

#[test]
fn a_second_transpose_says_that_there_is_nothing_to_do_and_a_third_what_it_did() {
    let place = Place::new();
    place.run("synth panel --stocks 12 --dates 60").done();
    place.run("build panel store").done();
    let first = place.run("transpose store out").done().stdout;
    assert!(first.contains("files    60 written\n"), "{first}");
    let second = place.run("transpose store out").done().stdout;
    assert_eq!(second, "output  out, of version 1\nfiles   nothing to do: 60 files are current\n");
    let is_section = |name: &PathBuf| name.to_string_lossy().starts_with("20");
    let section = place.files("out").into_keys().find(is_section).unwrap();
    fs::remove_file(place.path("out").join(section)).unwrap();
    let third = place.run("transpose store out --check-content").done().stdout;
    assert!(third.contains("files    1 written; 59 files were current\n"), "{third}");
    let json = place.run("transpose store out --json").done().json();
    assert_eq!(
        (&json["written"], &json["unchanged_files"], &json["removed_files"]),
        (&0.into(), &60.into(), &0.into())
    );
}

#[test]
fn errors_are_one_line_on_stderr_and_an_object_where_scripts_read() {
    let place = Place::with_panel();
    let ran = place.run("info nowhere").failed(1, &["transect: error: ", "nowhere", "transect build"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.lines().count()), ("", 1));

    let ran = place.run("verify nowhere --json").failed(1, &["transect: error: "]);
    let json = ran.json();
    let error = &json["error"];
    assert_eq!(
        (&error["kind"], &error["path"], &json["exit_code"]),
        (&"not-a-store".into(), &"nowhere".into(), &1.into())
    );
    assert!(error["message"].as_str().unwrap().contains("nowhere is not a store"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("`transect build SRC nowhere`"), "{error}");

    // The system's own word stands at the end of the chain.
    place.run("build missing store").failed(1, &["missing", ": No such file or directory"]);
    let ran = place.run_all(&["build", "new\nline\x1b[31m", "store"]);
    assert_eq!(ran.failed(1, &["new\\nline\\u{1b}[31m"]).stderr.lines().count(), 1);
}

#[test]
fn what_exists_is_refused_without_force() {
    let place = Place::with_store();
    place.run("build panel store").failed(1, &["--force"]);
    assert_eq!(place.run("build panel store --force --json").done().json()["version"], 2);

    place.run("synth panel").failed(1, &["not empty"]);
    place.run("demo panel").failed(1, &["not empty"]);
    fs::create_dir(place.path("mine")).unwrap();
    fs::write(place.path("mine/notes.txt"), "mine").unwrap();
    place.run("build panel mine --force").failed(1, &["no store"]);
    place.run("transpose store mine").failed(1, &["not empty", "--force"]);
    place.run("transpose store mine --force").done();
    assert_eq!(fs::read(place.path("mine/notes.txt")).unwrap(), b"mine");

    place.run("transpose store mine --no-date").failed(1, &["another shape"]);
    place.run("transpose store mine --no-date --force").done();
}

#[test]
fn skipped_inputs_are_named_and_end_with_3() {
    let place = Place::with_panel();
    fs::write(place.path("panel/BAD.parquet"), "").unwrap();
    fs::create_dir(place.path("panel/DIR.parquet")).unwrap();
    fs::write(place.path("panel/ESC\x1b[31m.parquet"), "no parquet").unwrap();

    let ran = place
        .run("build panel store -q --allow skipped-files")
        .failed(3, &["skipped 3 of 15 inputs", "BAD.parquet: ", "DIR.parquet: "]);
    assert!(!ran.stderr.contains('\x1b') && ran.stderr.contains("ESC\\u{1b}[31m"), "{ran:?}");
    assert_eq!(ran.stdout, "");

    let report = place.run("build panel store --force --json --allow skipped-files").failed(3, &[]).json();
    assert_eq!((&report["exit_code"], report["skipped"].as_array().unwrap().len()), (&3.into(), 3));
    assert_eq!(report["skipped"][0]["path"], "BAD.parquet");

    let ran = place.run("build panel store --force --allow skipped-files").failed(3, &[]);
    assert!(ran.stdout.contains("skipped  3 of 15 inputs"), "{ran:?}");
    let info = place.run("info store").done();
    assert!(["BAD.parquet: ", "DIR.parquet: "].iter().all(|name| info.stdout.contains(name)), "{info:?}");

    place.run("build panel strict --strict").failed(1, &["and the run is strict"]);
}

#[test]
fn who_comes_second_is_told_or_waits() {
    let place = Place::with_store();
    place.run("transpose store out -q").done();
    let hold = |path: &str| {
        let file = fs::File::open(place.path(path)).unwrap();
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
        file
    };
    let (store, out) = (hold("store/LOCK"), hold("out"));
    for line in [
        "build panel store --force",
        "update store",
        "update store --dry-run",
        "append store x.parquet",
        "gc store",
        "transpose store out",
    ] {
        place.run(line).failed(5, &["is being written by ", "; try again later, or --wait 10m waits for it"]);
    }
    let error = &place.run("update store --json").failed(5, &[]).json()["error"];
    assert_eq!((&error["kind"], &error["path"]), (&"locked".into(), &"store".into()));
    assert_eq!(error["hint"], "try again later, or --wait 10m waits for it");
    place.run("update store --wait 0s").failed(5, &["written by"]);
    place.run("update store --wait 1s").failed(5, &["written by", "; waiting for it\n"]);
    assert!(!place.run("update store --wait 1s -q").failed(5, &[]).stderr.contains("waiting"));
    let waiting = ["update store --wait 10m", "gc store --wait 10m", "transpose store out --wait 10m"];
    let waiting = waiting.map(|line| place.start(line));
    drop((store, out));
    for child in waiting {
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    }
}

#[test]
fn who_waits_for_a_lock_can_be_interrupted() {
    let place = Place::with_store();
    place.run("transpose store out -q").done();
    let locks = ["store/LOCK", "out"].map(|path| {
        let file = fs::File::open(place.path(path)).unwrap();
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
        file
    });
    for line in [
        "build panel store --force --wait 10m",
        "update store --wait 10m",
        "update store --dry-run --wait 10m",
        "append store x.parquet --wait 10m",
        "gc store --wait 10m",
        "transpose store out --wait 10m",
    ] {
        let mut child = place.start(line);
        // It says so when it begins to wait.
        let mut told = String::new();
        BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut told).unwrap();
        assert!(told.contains("is being written by ") && told.ends_with("; waiting for it\n"), "{line}: {told}");
        let started = Instant::now();
        interrupt(child).failed(130, &["transect: interrupted"]);
        assert!(started.elapsed() < Duration::from_secs(60), "{line}: the ten minutes were not over");
    }
    drop(locks);
    place.run("verify store --output out").done();
}

#[test]
fn an_append_that_would_remove_most_rows_of_a_date_is_stopped_until_it_is_allowed() {
    let place = Place::with_store();
    let date = place.run("show store --stock 000001.SZ --format csv").done().stdout;
    let date = date.lines().last().unwrap().split(',').nth(1).unwrap().to_owned();
    let rows = || place.run(&format!("show store --date {date} --format csv")).done().stdout.lines().count() - 1;
    assert_eq!(rows(), 12);
    place.run("transpose store one --stocks 000001.SZ -q").done();
    let append = format!("append store one/{date}.parquet --replace");
    let words = &[
        "transect: error: nothing was published:",
        "  pruned-rows: 11 of 12 rows would be removed, such as ",
        "  if all this is right, run it again with --allow pruned-rows",
    ];
    let told = place.run(&format!("{append} --dry-run")).failed(4, words).stdout;
    let stays = "store    store, version 1 stays; this would have changed:\nremoved  11 rows\n";
    assert!(told.starts_with(stays), "{told}");
    place.run(&append).failed(4, words);
    let report = place.run(&format!("{append} --dry-run --json")).failed(4, words).json();
    assert_eq!((&report["published"], &report["version"]), (&false.into(), &1.into()));
    assert_eq!(report["error"]["hint"], "--allow pruned-rows");
    assert_eq!(rows(), 12);
    let told = place.run(&format!("{append} --dry-run --allow pruned-rows")).done().stdout;
    assert!(told.contains("allowed  pruned-rows: 11 of 12 rows would be removed"), "{told}");
    assert_eq!(rows(), 12);
    place.run(&format!("{append} --allow pruned-rows -q")).done();
    assert_eq!(rows(), 1);
}

#[test]
fn a_build_that_would_skip_more_than_a_tenth_of_the_files_is_stopped_until_it_is_allowed() {
    let place = Place::with_panel();
    fs::write(place.path("panel/BAD.parquet"), "").unwrap();
    place.run("build panel one -q").failed(3, &["skipped 1 of 13 inputs"]);
    fs::write(place.path("panel/WORSE.parquet"), "").unwrap();
    let words = &[
        "skipped 2 of 14 inputs",
        "BAD.parquet: has zero bytes",
        "transect: error: nothing was published:",
        "  skipped-files: 2 of 14 files would be skipped, such as BAD.parquet, WORSE.parquet",
        "  if all this is right, run it again with --allow skipped-files",
    ];
    assert_eq!(place.run("build panel store -q").failed(4, words).stdout, "");
    place.run("info store").failed(1, &["nothing of that name is there"]);
    let json = place.run("build panel store --json").failed(4, words).json();
    assert_eq!((&json["published"], &json["version"], &json["rows"]), (&false.into(), &0.into(), &475.into()));
    let met = &json["guards"][0];
    assert_eq!((&met["guard"], &met["allowed"]), (&"skipped-files".into(), &false.into()));
    assert_eq!((&met["count"], &met["of"]), (&2.into(), &14.into()));
    assert_eq!((&json["error"]["kind"], &json["error"]["hint"]), (&"stopped".into(), &"--allow skipped-files".into()));
    assert!(!has_file(&place.path("store"), |name| name.starts_with('.')));

    let ran = place.run("build panel store --allow skipped-files").failed(3, &[]);
    assert!(ran.stdout.contains("allowed  skipped-files: 2 of 14 files would be skipped"), "{ran:?}");
    let stays = place.run("build panel store --force").failed(4, &["nothing was published"]);
    assert!(stays.stdout.starts_with("store    store, nothing published; this would be in it:\n"), "{stays:?}");
    assert!(place.run("info store").done().stdout.contains("version 1"));
}

#[test]
fn many_skipped_inputs_are_told_once_and_listed_as_json() {
    let place = Place::with_panel();
    for number in 0..25 {
        fs::write(place.path(&format!("panel/BAD{number:02}.parquet")), "").unwrap();
    }
    let told = "  25 inputs, such as BAD00.parquet: has zero bytes\n  `transect info store --json` lists all\n";
    place.run("build panel store --allow skipped-files").failed(3, &[told]);
    assert!(place.run("info store").done().stdout.contains("25 inputs, such as BAD00.parquet: has zero bytes"));
    assert!(place.run("info store --json").done().stdout.contains("BAD24.parquet"));
}

#[test]
fn build_options_reach_the_store_and_info_repeats_them() {
    let place = Place::new();
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["02-Jan-2024", "03-Jan-2024"]));
    let close: ArrayRef = Arc::new(Float64Array::from(vec![1.5, 2.5]));
    place.write_parquet("src/c=A/x.parquet", vec![("Day", dates), ("close", close.clone()), ("junk", close)]);
    let args = [
        "build",
        "src",
        "store",
        "--pattern",
        "c={code}/x.parquet",
        "--code-column",
        "code",
        "--date-column",
        "Day",
        "--date-format",
        "%d-%b-%Y",
        "--exclude",
        "junk",
        "--cast",
        "close=decimal128(20,4)",
        "--memory",
        "64MiB",
    ];
    place.run_all(&args).done();
    let info = place.run("info store").done().stdout;
    let options = "--pattern 'c={code}/x.parquet' --code-column code --date-column Day --date-format %d-%b-%Y \
                   --exclude junk --cast 'close=Decimal128(20, 4)'";
    assert!(info.contains(options), "{info}");
    assert_eq!(
        place.run("show store --stock A").done().stdout,
        "code,Day,close\nA,02-Jan-2024,1.5000\nA,03-Jan-2024,2.5000\n"
    );
}

#[test]
fn show_prints_a_section_a_series_or_one_row() {
    let place = Place::with_store();
    let ran = place.run("show store --columns size,beta").done();
    assert!(ran.stderr.contains("the latest date, 20260630"), "{ran:?}");
    assert!(ran.stdout.starts_with("ts_code,trade_date,size,beta\n"), "csv in a pipe: {ran:?}");
    let section = place.run("show store --date 2026-06-30 --columns size,beta").done();
    assert_eq!((section.stdout.as_str(), section.stderr.as_str()), (ran.stdout.as_str(), ""));

    let line = section.stdout.lines().nth(1).unwrap();
    let code = line.split(',').next().unwrap();
    let series = place.run(&format!("show store --stock {code} --columns ts_code,size,beta")).done();
    assert!(series.stdout.lines().any(|row| row == line));
    let row = place.run(&format!("show store --stock {code} --date 20260630 --columns size,beta")).done();
    assert_eq!(row.stdout, format!("ts_code,trade_date,size,beta\n{line}\n"));
    let turned = place.run(&format!("show store --stock {code} --date 20260630 --columns beta,size")).done();
    assert!(turned.stdout.starts_with("ts_code,trade_date,beta,size\n"));

    place.run("show store --date 19990101").failed(2, &["19990101", "nearest"]);
    place.run("show store --stock NONE").failed(2, &["NONE"]);
    place.run("show store --columns nope").failed(2, &["nope", "momentum"]);
}

#[test]
fn the_last_dates_of_a_stock_are_its_own_and_of_several_those_that_one_of_them_has() {
    let place = Place::new();
    write_closes(&place, "GONE", &["20240102", "20240103", "20240105"], &[1.0, 2.0, 3.0]);
    write_closes(&place, "B", &["20240102", "20240108", "20240109"], &[4.0, 5.0, 6.0]);
    place.run("build src store -q").done();
    let rows = |options: &str| place.run(&format!("show store {options}")).done().stdout;
    let header = "ts_code,trade_date,close\n";
    assert_eq!(rows("--stock GONE --last 2"), format!("{header}GONE,20240103,2.0\nGONE,20240105,3.0\n"));
    assert_eq!(rows("--stock GONE --to 20240104 --last 1"), format!("{header}GONE,20240103,2.0\n"));
    let both = "GONE,20240105,3.0\nB,20240108,5.0\nB,20240109,6.0\n";
    assert_eq!(rows("--stock GONE,B --last 3"), format!("{header}{both}"));
    let message = "stock \"GONE\" has no row on these dates";
    place.run("show store --stock GONE --from 20240106 --last 2").failed(1, &[message]);
}

#[test]
fn show_writes_the_same_rows_in_every_format() {
    let place = Place::with_store();
    let csv = place.run("show store --date 20260630").done().stdout;
    let rows = csv.lines().count() - 1;

    let json = place.run("show store --date 20260630 --format json").done().stdout;
    let objects: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), rows);
    assert_eq!(objects[0].as_object().unwrap().len(), 42);

    let parquet = place.bytes_of("show store --date 20260630 --format parquet");
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(parquet)).unwrap().build().unwrap();
    let parquet: Vec<RecordBatch> = reader.collect::<Result<_, _>>().unwrap();
    let arrow = Cursor::new(place.bytes_of("show store --date 20260630 --format arrow"));
    let arrow: Vec<RecordBatch> =
        arrow_ipc::reader::FileReader::try_new(arrow, None).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(parquet.iter().map(RecordBatch::num_rows).sum::<usize>(), rows);
    assert_eq!(arrow[0].columns(), parquet[0].columns());

    let table = place.run("show store --date 20260630 --format table").done().stdout;
    assert!(table.starts_with("ts_code ") && table.ends_with(&format!("[{rows} rows x 42 columns]\n")), "{table}");
}

#[test]
fn an_arrow_file_of_several_dates_has_one_dictionary_of_each_column() {
    let place = Place::new();
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102", "20240103", "20240104"]));
    let kinds: DictionaryArray<Int32Type> = [Some("b"), Some("a"), None].into_iter().collect();
    place.write_parquet("src/A.parquet", vec![("date", dates.clone()), ("kind", Arc::new(kinds))]);
    let kinds: DictionaryArray<Int32Type> = [Some("c"), Some("b"), Some("a")].into_iter().collect();
    place.write_parquet("src/B.parquet", vec![("date", dates), ("kind", Arc::new(kinds))]);
    place.run("build src store").done();
    for (which, shown) in
        [("--stock B", "cba"), ("--stock A,B --to 20240103", "bcab"), ("--stock A --from 20240104", "-")]
    {
        let arrow = Cursor::new(place.bytes_of(&format!("show store {which} --format arrow")));
        let reader = arrow_ipc::reader::FileReader::try_new(arrow, None).unwrap();
        let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().unwrap();
        let [batch] = &batches[..] else { panic!("{} batches", batches.len()) };
        let kinds = batch["kind"].as_dictionary::<Int32Type>().downcast_dict::<StringArray>().unwrap();
        let texts: Vec<&str> = kinds.into_iter().map(|text| text.unwrap_or("-")).collect();
        assert_eq!(texts.concat(), shown, "{which}");
        let distinct: BTreeSet<_> = kinds.values().iter().collect();
        assert_eq!(distinct.len(), kinds.values().len(), "{which}");
    }
}

#[test]
fn csv_and_json_keep_null_nan_and_the_empty_text_apart() {
    let place = Place::new();
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102", "20240103", "20240104"]));
    let x: ArrayRef = Arc::new(Float64Array::from(vec![Some(f64::NAN), None, Some(-0.0)]));
    let name: ArrayRef = Arc::new(StringArray::from(vec![Some(""), None, Some("a,\"b\"")]));
    place.write_parquet("src/A.parquet", vec![("date", dates), ("x", x), ("name", name)]);
    place.run("build src store").done();
    assert_eq!(
        place.run("show store --stock A").done().stdout,
        "ts_code,date,x,name\nA,20240102,NaN,\"\"\nA,20240103,,\nA,20240104,-0.0,\"a,\"\"b\"\"\"\n"
    );
    assert_eq!(
        place.run("show store --stock A --format json").done().stdout,
        r#"{"ts_code":"A","date":"20240102","x":"NaN","name":""}
{"ts_code":"A","date":"20240103","x":null,"name":null}
{"ts_code":"A","date":"20240104","x":-0.0,"name":"a,\"b\""}
"#
    );
    place.run("show store --stock A --date 20240105").failed(2, &["20240105"]);
}

#[test]
fn a_table_leaves_out_the_middle_and_says_how_much() {
    let place = Place::new();
    place.run("synth panel --stocks 3 --dates 120 -q").done();
    place.run("build panel store -q").done();
    let csv = place.run("show store --stock 000001.SZ").done().stdout;
    let rows = csv.lines().count() - 1;
    assert!(rows > 40, "the panel must be long enough for this test");
    let table = place.run("show store --stock 000001.SZ --format table --columns size").done().stdout;
    assert_eq!(table.lines().count(), 1 + 20 + 1 + 20 + 1);
    assert!(table.ends_with(&format!("[{rows} rows x 3 columns; {} rows not shown]\n", rows - 40)), "{table}");
    let last_date = csv.lines().last().unwrap().split(',').nth(1).unwrap();
    assert!(table.lines().nth(41).unwrap().contains(last_date), "{table}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    place.run("synth panel --stocks 2 --dates 1500 -q").done();
    place.run("build panel store -q").done();
    for format in ["csv", "json", "parquet", "arrow"] {
        let mut child = place.start(&format!("show store --stock 000001.SZ --format {format}"));
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 8]).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{format}");
    }
}

#[test]
fn transpose_writes_what_was_chosen() {
    let place = Place::with_store();
    place.run("transpose store some --dates 20260630,2026-06-29 --columns size,ts_code --no-date -q").done();
    let names: Vec<String> = place.files("some").into_keys().map(|path| path.display().to_string()).collect();
    assert_eq!(names, [".transect.parquet", "20260629.parquet", "20260630.parquet"]);

    fs::write(place.path("codes.txt"), "\u{feff}000001.SZ\r\n\n000002.SZ\n").unwrap();
    let listed = place.run("transpose store listed --stocks 000001.SZ,000002.SZ --json").done().json();
    let read = place.run("transpose store read --stocks @codes.txt --json").done().json();
    assert_eq!(listed["rows"], read["rows"]);

    let report = place.run("transpose store lake --name d={date}/x.arrow --format arrow --from 20260601 --json").done();
    assert!(place.path("lake/d=20260630/x.arrow").exists() && !place.path("lake/d=20260529").exists(), "{report:?}");

    place.run("transpose store no --dates 20260628").failed(2, &["20260628", "nearest", "20260629"]);
    place.run("transpose store no --from 20300101").failed(1, &["20300101", "20260630"]);
    place.run("transpose store no --stocks NONE").failed(2, &["NONE"]);
    place.run("transpose store no --stocks @nothing.txt").failed(2, &["nothing.txt", "No such file"]);
    // Files that options name are alike, whatever the option: the error is about them.
    fs::write(place.path("bad.csv"), "a,b\n1,2\n").unwrap();
    for (option, path) in [
        ("--stocks @nothing.txt", "nothing.txt"),
        ("--dates @bad.csv", "bad.csv"),
        ("--universe bad.csv", "bad.csv"),
        ("--universe panel", "panel"),
    ] {
        let told = place.run(&format!("transpose store no {option} --json")).failed(2, &[]).json();
        assert_eq!((&told["error"]["kind"], &told["error"]["path"]), (&"invalid".into(), &path.into()), "{option}");
    }
    for option in ["--matrix ts_code", "--no-date --by stock", "--exclude ts_code"] {
        let told = place.run(&format!("transpose store no {option} --json")).failed(2, &[]).json();
        assert_eq!((&told["error"]["kind"], &told["error"]["path"]), (&"invalid".into(), &"store".into()), "{option}");
    }
    fs::write(place.path("some.txt"), "000001.SZ\nNONE\n").unwrap();
    for words in ["show store --stock @some.txt", "transpose store no --stocks @some.txt"] {
        place.run(words).failed(2, &["stock \"NONE\" in store not found; --ignore-unknown passes over it"]);
    }
    for (words, why) in [
        ("show store --last x", "'x' for '--last <N>': it is no whole number from 1 to 4294967295"),
        ("gc store --keep x", "'x' for '--keep <N>': it is no whole number from 1 to 4294967295"),
        ("gc store --keep 0", "'0' for '--keep <N>': it is no whole number from 1 to 4294967295"),
        ("info store --version x", "'x' for '--version <N>': it is no whole number\n"),
        ("update store -j x", "it is no whole number from 1 to 1024"),
        ("update store --expect today --min-codes 101%", "\"101%\" is no share from 0% to 100%"),
    ] {
        place.run(words).failed(2, &[why]);
    }
    fs::File::create(place.path("long.txt")).unwrap().set_len((16 << 20) + 1).unwrap();
    let otherwise = "; name a file with one code per line";
    for (file, why) in [
        ("/dev/zero", "it is no regular file"),
        ("store", "it is no regular file"),
        ("panel/000001.SZ.parquet", "it is no text"),
        ("long.txt", "it has more than 16 MiB"),
    ] {
        let told = format!("--stocks @{file}: {why}{otherwise}");
        place.run(&format!("transpose store no --stocks @{file}")).failed(2, &[&told]);
    }
    place.run("transpose store no --dates @/dev/zero").failed(2, &["--dates @/dev/zero: ", "with one date per line"]);
    for path in ["/dev/zero", "panel"] {
        let told =
            format!("--universe {path} is no regular file; name a file of dates and codes, a column, or a column of");
        place.run(&format!("transpose store no --universe {path}")).failed(2, &[&told]);
    }
    let members = |lines: &str| fs::write(place.path("members.csv"), format!("date,code,in_index\n{lines}")).unwrap();
    members("2026-06-30,000001.SZ,true\n2026-06-30,000002.SZ,false\n");
    let told =
        "all rows of a universe are its members, and \"in_index\" is not true in some; leave those rows out, or that";
    place.run("transpose store no --universe members.csv").failed(2, &[told, "--universe members.csv: "]);
    members("2026-06-30,000001.SZ,true\n2031-01-02,000001.SZ,true\n");
    let report = place.run("transpose store members --universe members.csv --json").done().json();
    assert_eq!([&report["written"], &report["rows"]], [1, 1]);
    assert_eq!(report["notes"][0], "the universe names 1 date that the store lacks: 20310102");
    members("2026-06-30,000001.SZ,1\n2026-06-30,000002.SZ,0\n");
    place.run("transpose store no --universe members.csv").failed(2, &[told, "--universe members.csv: "]);
    members("2026-06-30,000001.SZ,2\n2026-06-30,000002.SZ,0\n");
    assert_eq!(place.run("transpose store ranks --universe members.csv --json").done().json()["rows"], 2);
    // A file that was cut off is no universe without members, for which outputs would go.
    members("");
    let told = "--universe members.csv: has no rows; give a Parquet, Arrow or csv file with a column of dates";
    place.run("transpose store members --universe members.csv").failed(2, &[told]);
    let unknown: Vec<String> = (0..5000).map(|n| format!("X{n:04}")).collect();
    fs::write(place.path("unknown.txt"), unknown.join("\n")).unwrap();
    let told = place.run("transpose store no --stocks @unknown.txt");
    let told = told.failed(
        2,
        &["stocks \"X0000\", ", "\"X0199\" and 4800 more in store not found; --ignore-unknown passes over them"],
    );
    assert!(told.stderr.ends_with("\n  --json lists all 5,000\n") && told.stderr.len() < 3000, "{told:?}");
    let told = place.run("transpose store no --stocks @unknown.txt --json").failed(2, &[]).json();
    assert_eq!(told["error"]["names"], serde_json::json!(unknown));
    let told = place.run("transpose store no --dates 20240101,19990101 --json").failed(2, &[]).json();
    assert_eq!(told["error"]["names"], serde_json::json!(["19990101", "20240101"]));
    place.run("transpose store no --columns nope").failed(2, &["nope"]);
    place
        .run("transpose store no --exclude trade_date")
        .failed(2, &["--exclude names the date column \"trade_date\"", "--no-date leaves it out"]);
    place.run("transpose store no --exclude ts_code").failed(2, &["--exclude names the code column \"ts_code\""]);
    assert!(!place.path("no").exists(), "what cannot be done leaves nothing");
}

/// A store with three versions of two stocks' prices; the readers that are returned keep the older ones.
fn three_versions(place: &Place) -> Vec<transect::Store> {
    let publish = |version: usize| {
        let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102", "20240103"]));
        let close: ArrayRef = Arc::new(Float64Array::from(vec![1.5, version as f64]));
        place.write_parquet("src/A.parquet", vec![("trade_date", dates.clone()), ("close", close.clone())]);
        if version > 1 {
            place.write_parquet("src/B.parquet", vec![("trade_date", dates), ("close", close)]);
        }
        place.run("build src store --force --keep 5 -q").done();
        transect::Store::open(place.path("store")).unwrap()
    };
    (1..=3).map(publish).collect()
}

/// `text` with every instant replaced by a word, so that it can be compared.
fn timeless(text: &str) -> String {
    let shown = "2024-01-02 15:04:05.678 +08:00".len();
    let is_instant = |word: &&str| DateTime::parse_from_str(word, "%Y-%m-%d %H:%M:%S%.3f %:z").is_ok();
    let word = (0..text.len()).filter_map(|at| text.get(at..at + shown)).find(is_instant);
    word.map_or_else(|| text.to_owned(), |word| timeless(&text.replace(word, "<            when it was made>")))
}

#[test]
fn log_lists_versions_and_gc_removes_old_ones() {
    let place = Place::new();
    let held = three_versions(&place);
    let log = place.run("log store").done();
    assert_eq!(
        timeless(&log.stdout),
        "\
version  made                            command  rows  added  restated  removed  filled  dirty dates  state
      1  <            when it was made>  build       2      2         0        0       0            2  kept
      2  <            when it was made>  build       4      4         0        2       0            2  kept
      3  <            when it was made>  build       4      4         0        4       0            2  live
"
    );
    let report = place.run("log store --json").done().json();
    assert_eq!((&report["command"], &report["live_version"], &report["keep"]), (&"log".into(), &3.into(), &5.into()));
    assert_eq!(report["versions"].as_array().unwrap().len(), 3);
    assert_eq!(report["versions"][1]["removed"], 2);
    let told = |version: u64| place.run(&format!("log store --version {version}")).done().stdout;
    assert_eq!(told(1), "store: version 1 is the first, and has nothing before it\n");
    assert!(told(2).starts_with("store: version 2 was built anew, or is one of long ago: "));

    let first = held.into_iter().next().unwrap();
    let dry = place.run("gc store --keep 1 --dry-run").done().stdout;
    let freed = dry.lines().last().unwrap().strip_prefix("would free    ").unwrap();
    assert!(freed.ends_with(" in 4 files"), "{dry}");
    assert_eq!(
        dry,
        format!(
            "\
store         store
would remove  version 2
held          version 1, open in a reader; the next gc removes what is no longer
kept          versions 1 and 3
would free    {freed}
"
        )
    );
    assert_eq!(place.run("gc store").done().stdout.lines().nth(1), Some("removed  no version"), "5 are kept");
    place.run("gc store --keep-for 1h -q").done();
    assert_eq!(
        place.run("gc store --keep 1").done().stdout,
        format!(
            "\
store    store
removed  version 2
held     version 1, open in a reader; the next gc removes what is no longer
kept     versions 1 and 3
freed    {freed}
"
        )
    );
    drop(first);
    let report = place.run("gc store --keep-for 0h --json").done().json();
    assert_eq!((&report["command"], &report["dry_run"]), (&"gc".into(), &false.into()));
    assert_eq!(
        (&report["removed_versions"], &report["held_versions"], &report["removed_files"]),
        (&vec![1].into(), &Value::Array(vec![]), &4.into())
    );
    let log = timeless(&place.run("log store").done().stdout);
    let states: Vec<&str> = log.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(states, ["state", "gone", "gone", "live"]);
    place.run("verify store").done();
    place.run("gc nowhere").failed(1, &["nowhere"]);
}

#[test]
fn every_command_that_reads_takes_a_version_or_a_time() {
    let place = Place::new();
    let held = three_versions(&place);
    let show = |at: &str| place.run(&format!("show store --stock A {at}")).done().stdout;
    let row = |close: &str| format!("ts_code,trade_date,close\nA,20240102,1.5\nA,20240103,{close}\n");
    assert_eq!((show(""), show("--version 1"), show("--version 3")), (row("3.0"), row("1.0"), row("3.0")));
    assert_eq!(show("--as-of 2100-01-01"), row("3.0"));
    // As all who tell of versions print their times, which follow each other within a second.
    let times = |text: &str| {
        let wide = "2024-01-02 15:04:05.678 +08:00".len();
        let is_time = |word: &&str| DateTime::parse_from_str(word, "%Y-%m-%d %H:%M:%S%.3f %:z").is_ok();
        (0..text.len()).filter_map(|at| text.get(at..at + wide)).filter(is_time).map(str::to_owned).collect::<Vec<_>>()
    };
    let made = times(&place.run("log store").done().stdout);
    for (time, close) in made.iter().zip(["1.0", "2.0", "3.0"]) {
        assert_eq!(
            place.run_all(&["show", "store", "--stock", "A", "--as-of", time]).done().stdout,
            row(close),
            "{time}"
        );
    }
    assert_eq!(made.len(), 3);
    assert_eq!(times(&place.run("coverage store").done().stdout), made);
    assert_eq!(times(&place.run("info store").done().stdout), made[2..]);
    place.run("report store page.html -q").done();
    let page = fs::read_to_string(place.path("page.html")).unwrap();
    assert!(made.iter().all(|time| page.contains(&format!("\"made\":\"{time}\""))), "{made:?}");

    let info = place.run("info store --version 2").done().stdout;
    assert!(info.contains("\nversion  2, made ") && info.contains("; live is 3\n"), "{info}");
    assert!(info.contains("\nkept     versions 1, 2 and 3; an update keeps 5 versions\n"), "{info}");
    assert!(info.contains("only older versions use; `transect gc store --keep 1` frees them\n"), "{info}");
    let report = place.run("info store --json").done().json();
    let dry = place.run("gc store --keep 1 --dry-run --json").done().json();
    assert_eq!((&report["live_version"], &report["kept_versions"]), (&3.into(), &vec![1, 2, 3].into()));
    drop(held);
    let free = place.run("gc store --keep 1 --dry-run --json").done().json();
    assert_eq!(report["unused_bytes"], free["bytes"]);
    assert_ne!(report["unused_bytes"], dry["bytes"], "readers hold them");

    place.run("transpose store out --version 1 -q").done();
    place.run("verify store --output out --as-of 2100-01-01 -q").failed(6, &["out differs"]);
    assert!(
        place
            .run("verify store --output out --version 1")
            .done()
            .stdout
            .starts_with("store   store, version 1: 2 sections, 2 rows")
    );
    let refused = place.run("verify store --source src --version 1").failed(2, &["--source", "leave out"]);
    assert_eq!(refused.stdout, "");
    place.run("show store --version 9").failed(2, &["version 9", "versions 3, 2 and 1 are kept"]);
    place.run("show store --as-of 1999-01-01").failed(2, &["its first version was made 20"]);
}

#[test]
fn a_file_that_grows_beyond_the_limit_of_the_system_is_an_error_and_leaves_nothing() {
    let place = Place::with_store();
    let limited = |line: &str| {
        let script = format!("ulimit -f 8; exec {TRANSECT} {line}");
        let output = Command::new("sh").current_dir(place.0.path()).args(["-c", &script]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "no signal ends it: {stderr}");
        stderr
    };
    assert!(limited("build panel s2").contains("cannot write s2/.transect-spill-"));
    assert_eq!(place.files("s2").into_keys().collect::<Vec<_>>(), [PathBuf::from("LOCK")]);
    assert!(limited("transpose store out").contains("File too large"));
    assert_eq!(place.files("out").len(), 0);
    place.run("build panel s2 -q").done();
    place.run("transpose store out -q").done();
}

#[test]
fn as_of_is_on_the_clocks_of_the_place_and_says_which_version_it_chose() {
    let place = Place::new();
    let _held = three_versions(&place);
    let log = place.run("log store --json").done().json();
    let made = |version: usize| -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(log["versions"][version - 1]["created_ns"].as_i64().unwrap())
    };
    for (zone, hours) in [("EAST-14", 14), ("WEST+12", -12)] {
        let info = |as_of: &str, more: &str| {
            let args = format!("info store --json --as-of {as_of} {more}");
            place.run_with(&args.split_whitespace().collect::<Vec<_>>(), &[("TZ", zone)])
        };
        let there = made(3) + TimeDelta::hours(hours);
        let day = there.format("%Y-%m-%d").to_string();
        let chosen = info(&day, "").done();
        assert_eq!(chosen.json()["version"], 3, "the end of {day} at {zone}");
        assert!(chosen.stderr.starts_with("version 3 of store, made 20"), "{chosen:?}");
        assert_eq!(info(&day, "-q").done().stderr, "");
        info(&(there - TimeDelta::days(1)).format("%Y-%m-%d").to_string(), "")
            .failed(2, &["so old a version of ", " not found; its first version was made 20"]);
        // A time without an offset: the last instant of the first version.
        let second = made(2) + TimeDelta::hours(hours) - TimeDelta::nanoseconds(1);
        let time = second.format("%Y-%m-%dT%H:%M:%S%.9f").to_string();
        assert_eq!(info(&time, "").done().json()["version"], 1, "{time} at {zone}");
    }
}

/// A store with two versions: on 3 January A is restated, also from one NaN to another, and B is new.
fn two_versions(place: &Place) {
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102", "20240103"]));
    let publish = |command: &str, close: f64, weight: u64, name: Option<&str>| {
        let close: ArrayRef = Arc::new(Float64Array::from(vec![1.5, close]));
        let weight: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, f64::from_bits(weight)]));
        let name: ArrayRef = Arc::new(StringArray::from(vec![Some(""), name]));
        let columns = vec![("trade_date", dates.clone()), ("close", close), ("weight", weight), ("name", name)];
        place.write_parquet("src/A.parquet", columns);
        place.run(command).done();
    };
    publish("build src store -q", 2.5, 0x7ff8_0000_0000_0000, Some("a,b"));
    let date: ArrayRef = Arc::new(StringArray::from(vec!["20240103"]));
    place
        .write_parquet("src/B.parquet", vec![("trade_date", date), ("close", Arc::new(Float64Array::from(vec![1.0])))]);
    publish("update store -q", -0.0, 0x7ff8_0000_0000_1234, None);
}

#[test]
fn coverage_is_tables_and_json() {
    let place = Place::new();
    two_versions(&place);
    let text = place.run("coverage store").done().stdout;
    let mut parts = text.split("\n\n");
    assert_eq!(
        parts.next(),
        Some(
            "\
store   store, version 2
rows    3
dates   2, 20240102 to 20240103
stocks  2: 2 have the last date, 0 are stale, 0 have left
holes   none"
        )
    );
    assert_eq!(
        parts.next(),
        Some(
            "\
years
year  dates  stocks a date  new  last  absent  unusual dates
2024      2         1 to 2    1     0       -              0"
        )
    );
    assert_eq!(
        parts.next(),
        Some(
            "\
columns, and their numbers in the last year that has some
column  type      nulls    NaNs  year   zeros   1 %  median  99 %  jumps
close   Float64       -       -  2024  33.3 %  0.02       1  1.49      -
weight  Float64  33.3 %  66.7 %                                        -
name    Utf8     66.7 %       -                                        -"
        )
    );
    let versions: Vec<&str> = parts.next().unwrap().lines().collect();
    assert!(versions[2].ends_with("build        2         0        0       0            2"), "{versions:?}");
    assert!(
        versions[3].ends_with("update       1         1        0       0  1, 20240103  close (1), A (1)"),
        "{versions:?}"
    );
    assert_eq!(
        parts.next(),
        Some(
            "sources\nsource  rows  columns  files read  empty  skipped\nsrc        3        3           2      0        0\n"
        )
    );
    let json = place.run("coverage store --json").done().json();
    assert_eq!((&json["command"], &json["version"], &json["rows"]), (&"coverage".into(), &2.into(), &3.into()));
    assert_eq!(json["stocks"][1]["months"], serde_json::json!([[0, 1, 1]]));
    assert_eq!(json["columns"][0]["years"][0]["least"], 0.0);
    assert_eq!(json["columns"][1]["months"], serde_json::json!([[1, 2]]));
    assert_eq!(
        json["versions"][1]["change"]["columns"][0],
        serde_json::json!({"column": "close", "restated": 1, "filled": 0})
    );
    assert_eq!(json["sources"][0]["skipped"], serde_json::json!([]));
    let first = place.run("coverage store --version 1 --json").done().json();
    assert_eq!((&first["rows"], &first["versions"][0]["untold"]), (&2.into(), &"first".into()));
}

#[test]
fn coverage_and_report_tell_skipped_files() {
    let place = Place::with_panel();
    fs::write(place.path("panel/BAD.parquet"), "").unwrap();
    place.run("build panel store -q").failed(3, &["BAD.parquet: has zero bytes"]);
    let text = place.run("coverage store").done().stdout;
    assert!(text.ends_with("skipped\n  BAD.parquet: has zero bytes\n"), "{text}");
    place.run("report store report.html -q").done();
    let page = fs::read_to_string(place.path("report.html")).unwrap();
    assert!(page.contains(r#""skipped_count":1,"skipped":[["BAD.parquet","has zero bytes"]]"#));
}

/// The facts in a page.
fn facts_of(page: &str) -> (Value, &str) {
    let facts = page.split_once("id=\"facts\">").unwrap().1.split_once("</script>").unwrap().0;
    (serde_json::from_str(facts).unwrap(), facts)
}

#[test]
fn a_page_holds_what_it_needs_and_no_tag_of_the_data() {
    let place = Place::new();
    let date: ArrayRef = Arc::new(StringArray::from(vec!["20240102", "20240103"]));
    let value: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), None]));
    // A path has no slash in a name; the code is percent-decoded.
    let file = "src/code=%3C%2Fscript%3E%3Cb%3E/data.parquet";
    place.write_parquet(file, vec![("trade_date", date), ("<img src=x onerror=alert(1)>", value)]);
    place.run("build src store -q --pattern code={code}/data.parquet").done();
    let json = place.run("report store report.html --json").done().json();
    let page = fs::read_to_string(place.path("report.html")).unwrap();
    assert_eq!((&json["bytes"], &json["version"]), (&page.len().into(), &1.into()));
    let (facts, text) = facts_of(&page);
    assert!(!text.contains('<'));
    assert_eq!(facts["stocks"]["code"], serde_json::json!(["</script><b>"]));
    assert_eq!(facts["columns"][0]["name"], "<img src=x onerror=alert(1)>");
    assert_eq!((&facts["heat"], &facts["columns"][0]["nulls"]), (&"Ag==".into(), &serde_json::json!([1])));
    // What stands outside of the facts is the same for every store, and loads nothing.
    let frame = page.replace(text, "");
    for loads in ["src=", "<link", "@import", "url(", "fetch(", "XMLHttpRequest", "innerHTML ="] {
        assert!(!frame.contains(loads) || loads == "innerHTML =", "{loads}");
    }
    assert!(frame.contains("default-src 'none'") && frame.contains("Permission is hereby granted"));
    let own = page.rsplit_once("<script>").unwrap().1;
    assert!(!own.contains("innerHTML") && !own.contains("insertAdjacentHTML"), "text of data is text");
}

#[test]
fn a_page_replaces_a_page_and_nothing_else() {
    let place = Place::with_store();
    place.run("report store report.html -q").done();
    let first = fs::read(place.path("report.html")).unwrap();
    place.run("report store report.html -q").done();
    assert_eq!(fs::read(place.path("report.html")).unwrap(), first);

    fs::write(place.path("mine.html"), "<!doctype html>\n<html lang=\"en\">mine").unwrap();
    place
        .run("report store mine.html -q")
        .failed(1, &["mine.html is there, and transect did not write it; --force replaces it, or name another file"]);
    assert_eq!(fs::read(place.path("mine.html")).unwrap(), b"<!doctype html>\n<html lang=\"en\">mine");
    place.run("report store mine.html -q --force").done();
    assert_eq!(fs::read(place.path("mine.html")).unwrap(), first);

    fs::create_dir(place.path("dir")).unwrap();
    std::os::unix::fs::symlink(place.path("elsewhere"), place.path("link")).unwrap();
    for (out, words) in [
        ("dir", "dir is no regular file; name another"),
        ("link", "link is no regular file; name another"),
        ("new/", "new/ is no name for a page; name a file, such as report.html"),
        ("missing/report.html", "cannot open"),
    ] {
        place.run(&format!("report store {out} -q --force")).failed(1, &[words]);
    }
    assert!(!place.path("elsewhere").exists() && !has_file(place.0.path(), |name| name.starts_with(".transect-tmp")));
}

#[test]
fn diff_says_what_changed_in_short_and_in_full() {
    let place = Place::new();
    two_versions(&place);
    let text = "\
store   store, from version 1 to version 2
rows    1 added, 1 restated, 0 removed
dates   1 with a difference, 20240103
stocks  2 with a difference

numbers that moved furthest, by the share of the smaller value
date      stock  column  old   new    move
20240103  A      close   2.5  -0.0  -100 %

restated values that are or were null, NaN or infinite, or are no numbers
column  values  the first
weight       1  20240103 A: NaN -> NaN
name         1  20240103 A: a,b -> null

stocks with most changes
stock  added  restated  removed
A          0         1        0
B          1         0        0

columns with most restated values
column  restated values  type
close                 1  Float64
weight                1  Float64
name                  1  Utf8

newest dates with a difference
date      added  restated  removed
20240103      1         1        0

--by date, stock, column or row lists all; --stock, --column, --from and --to choose
";
    assert_eq!(place.run("diff store").done().stdout, text);
    assert_eq!(place.run("diff store 1").done().stdout, text);
    assert_eq!(place.run("diff store 1 2").done().stdout, text);
    assert_eq!(
        place.run("diff store 2 1").done().stdout.lines().take(2).collect::<Vec<_>>(),
        ["store   store, from version 2 to version 1", "rows    0 added, 1 restated, 1 removed"]
    );
    assert_eq!(
        place.run("diff store 2 2").done().stdout,
        "store   store, from version 2 to version 2\nrows    0 added, 0 restated, 0 removed\ndates   0 with a difference\n\
         stocks  0 with a difference\n"
    );
    let listed = |by: &str| place.run(&format!("diff store --by {by}")).done().stdout;
    assert_eq!(listed("date"), "date,added,restated,filled,removed\n20240103,1,1,0,0\n");
    assert_eq!(listed("stock"), "stock,added,restated,filled,removed\nA,0,1,0,0\nB,1,0,0,0\n");
    assert_eq!(
        listed("column"),
        "column,restated,filled,older_type,newer_type\nclose,1,0,Float64,Float64\nweight,1,0,Float64,Float64\nname,1,0,Utf8,Utf8\n"
    );
    assert_eq!(listed("stock --stock B"), "stock,added,restated,filled,removed\nB,1,0,0,0\n");
    assert_eq!(
        listed("row --column name,close --stock A"),
        "date,stock,change,column,old,new\n20240103,A,restated,close,2.5,-0.0\n20240103,A,restated,name,\"a,b\",\n"
    );
    assert_eq!(listed("date --from 20240104"), "date,added,restated,filled,removed\n");
    assert_eq!(listed("date --to 2024-01-03 --from 20240103").lines().count(), 2);
    place.run("diff store --from 20240104 --to 20240103").failed(2, &["--from 20240104 is later than --to 20240103"]);
    place.run("diff store --by stock --stock C").failed(2, &["stock \"C\" in store not found"]);
    place.run("diff store --column clsoe").failed(2, &["column \"clsoe\" not found", "did you mean close?"]);
    place.run("diff store --by stock --from 20240104 --format parquet").done();
    assert_eq!(
        place.run("diff store --by row").done().stdout,
        "\
date,stock,change,column,old,new
20240103,A,restated,close,2.5,-0.0
20240103,A,restated,weight,NaN(0x7ff8000000000000),NaN(0x7ff8000000001234)
20240103,A,restated,name,\"a,b\",
20240103,B,added,,,
"
    );
    assert_eq!(
        place.run("diff store --by row --format json").done().stdout.lines().nth(2).unwrap(),
        r#"{"date":"20240103","stock":"A","change":"restated","column":"name","old":"a,b","new":null}"#
    );
    assert_eq!(
        place.run("diff store --by row --format table").done().stdout.lines().collect::<Vec<_>>()[3..],
        [
            "20240103  A      restated  name    a,b                      null",
            "20240103  B      added     null    null                     null",
            "[4 rows x 6 columns]",
        ]
    );
    let parquet = place.bytes_of("diff store --by row --format parquet");
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(parquet)).unwrap().build().unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 4);
    assert_eq!(place.run("diff store 2 2 --by row").done().stdout, "date,stock,change,column,old,new\n");

    let report = place.run("diff store --json").done().json();
    assert_eq!((&report["older"], &report["newer"], &report["restated"]), (&1.into(), &2.into(), &1.into()));
    assert_eq!(report["dates"][0]["added"], 1);
    assert_eq!(report["columns"][1]["restated"], 1);
    place.run("diff store 7").failed(2, &["version 7", "versions 2 and 1 are kept"]);
    place.run("gc store --keep 1 -q").done();
    let none = "store  store, version 2; no version before it is kept to compare it with\n";
    assert_eq!(place.run("diff store").done().stdout, none);
    let json = place.run("diff store --json").done().json();
    assert_eq!((&json["older"], &json["newer"], &json["added"]), (&Value::Null, &2.into(), &0.into()));
    assert_eq!(place.run("diff store --by row").done().stdout, "date,stock,change,column,old,new\n");
}

/// Stored and written exactly, such a value must not hide the rest of its section.
#[test]
fn names_of_a_hundred_thousand_letters_are_cut_in_whatever_is_told() {
    let place = Place::new();
    let long = "x".repeat(100_000);
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102"]));
    let one: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    place.write_parquet("panel/A.parquet", vec![("trade_date", dates), (long.as_str(), one)]);
    place.run("build panel store").done();
    let near = format!("{}y", &long[1..]);
    for words in [
        "show store --stock NAME",
        "show store --date 20240102 --columns NAME",
        "build panel other --cast NAME=q",
        "build panel other --key NAME",
        "transpose store out --stocks NAME",
        "source set store panel.exclude+=NAME",
        "NAME",
        "show store --date NAME",
        "build panel other --NAME",
    ] {
        let ran = place.run(&words.replace("NAME", &near));
        assert_ne!(ran.code, 0, "{words}");
        assert!(ran.stderr.len() < 12_000, "{words}: {} bytes", ran.stderr.len());
    }
}

#[test]
fn a_time_beyond_all_calendars_is_shown_as_its_number() {
    let place = Place::new();
    let publish = |command: &str, ticks: i64| {
        let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102"]));
        let far: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![ticks]));
        place.write_parquet("src/A.parquet", vec![("trade_date", dates), ("t", far)]);
        place.run(command).done()
    };
    publish("build src store -q", i64::MAX);
    assert_eq!(place.run("show store").done().stdout, "ts_code,trade_date,t\nA,20240102,9223372036854775807\n");
    let json = "{\"ts_code\":\"A\",\"trade_date\":\"20240102\",\"t\":\"9223372036854775807\"}\n";
    assert_eq!(place.run("show store --format json").done().stdout, json);
    let ran = publish("update store", i64::MIN);
    assert!(ran.stdout.contains("20240102 A t: 9223372036854775807 -> -9223372036854775808"), "{ran:?}");
    let rows = place.run("diff store --by row").done().stdout;
    assert!(rows.ends_with("20240102,A,restated,t,9223372036854775807,-9223372036854775808\n"), "{rows}");
}

#[test]
fn damage_on_the_way_to_stdout_is_not_blamed_on_stdout() {
    let place = Place::new();
    two_versions(&place);
    let segment = segment_of(&place.path("store"), 2);
    fs::remove_file(&segment).unwrap();
    let damaged = format!("{} is damaged", segment.file_name().unwrap().display());
    let ran = place.run("diff store --by row").failed(6, &[&damaged]);
    assert!(!ran.stderr.contains("standard output"), "{ran:?}");
}

#[test]
fn verify_finds_damage_in_the_store_and_in_the_output() {
    let place = Place::with_store();
    place.run("transpose store out -q").done();
    let file = place.path("out/20260630.parquet");
    let good = fs::read(&file).unwrap();
    fs::write(&file, &good[1..]).unwrap();
    let ran = place.run("verify store --output out").failed(6, &["transect: error: ", "20260630.parquet"]);
    assert!(ran.stdout.contains("every checksum matches") && ran.stdout.contains("1 difference"), "{ran:?}");
    fs::write(&file, &good).unwrap();
    place.run("verify store --output out").done();

    let segment = segment_of(&place.path("store"), 1);
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    place.run("verify store -q").failed(6, &["damaged", "checksum"]);
    let ran = place.run("verify store --output out --json").failed(6, &[]);
    let report = ran.json();
    assert_eq!((&report["ok"], &report["exit_code"]), (&false.into(), &6.into()));
    assert_eq!(report["checksums"]["damages"].as_array().unwrap().len(), 1);
}

#[test]
fn verify_compares_the_store_with_its_source() {
    let place = Place::with_panel();
    fs::write(place.path("panel/BAD.parquet"), "").unwrap();
    place.run("build panel store -q").failed(3, &[]);
    // What the build skipped is no difference, and not all of the source either, until somebody says that it is usual.
    let ran = place.run("verify store --source panel").failed(3, &["1 file skipped, as before:", "BAD.parquet: "]);
    assert!(ran.stdout.contains("what was compared is the same; 1 file skipped, as before"), "{ran:?}");
    place.run("update store --max-skipped 1 -q").done();
    place.run("verify store --source panel").done();
    fs::write(place.path("panel/WORSE.parquet"), "").unwrap();
    let ran = place.run("verify store --source panel").failed(3, &["skipped 1 of 13 inputs", "WORSE.parquet: "]);
    assert!(ran.stdout.contains("12 files") && ran.stdout.contains("what was compared is the same"), "{ran:?}");

    fs::remove_file(place.path("panel/WORSE.parquet")).unwrap();
    place.run("verify store --source panel").done();
    fs::copy(place.path("panel/000001.SZ.parquet"), place.path("panel/000002.SZ.parquet")).unwrap();
    let ran = place.run("verify store --source panel --json").failed(6, &["panel differs from the store"]);
    let report = ran.json();
    assert_eq!((&report["ok"], &report["checksums"]["damages"]), (&false.into(), &Value::Array(Vec::new())));
    assert!(report["source"]["difference_count"].as_u64().unwrap() > 0);
}

#[test]
fn the_demo_ends_well_and_its_suggestions_work() {
    let place = Place::new();
    let ran = place.run("demo it").done();
    assert_eq!(ran.stderr, "");
    for word in
        ["synth", "build", "transpose", "verify", "300 stocks on 500 dates", "500 files", "every row is the same"]
    {
        assert!(ran.stdout.contains(word), "{word} in {ran:?}");
    }
    let commands: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("  ")).collect();
    assert!(commands.iter().any(|command| command.contains("python3 -c")), "{ran:?}");
    for command in commands.iter().filter(|command| !command.contains("python3")) {
        let status = std::process::Command::new("sh")
            .args(["-c", command])
            .current_dir(place.0.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{command}");
    }
    assert!(!place.path("it").exists(), "the last suggestion removes it");
}

#[test]
fn the_demo_finds_itself_a_new_directory() {
    let place = Place::new();
    let output = Command::new(TRANSECT).args(["demo", "--json"]).env("TMPDIR", place.0.path()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let dir = PathBuf::from(report["places"]["dir"].as_str().unwrap());
    assert_eq!(dir, place.path("transect-demo-1"));
    assert!(dir.join("by_date").is_dir() && dir.join("panel.store").is_dir());
    assert_eq!(report["verify"]["ok"], true);
}

/// A file of the stock `code` with these days and closes.
fn write_closes(place: &Place, code: &str, days: &[&str], closes: &[f64]) {
    let dates: ArrayRef = Arc::new(StringArray::from(days.to_vec()));
    let closes: ArrayRef = Arc::new(Float64Array::from(closes.to_vec()));
    place.write_parquet(&format!("src/{code}.parquet"), vec![("trade_date", dates), ("close", closes)]);
}

/// A store of two stocks on two days.
fn two_stocks() -> Place {
    let place = Place::new();
    write_closes(&place, "A", &["20240102", "20240103"], &[1.0, 2.0]);
    write_closes(&place, "B", &["20240102", "20240103"], &[10.0, 20.0]);
    place.run("build src store -q").done();
    place
}

/// The lines of a report, but for the time it took.
fn untimed(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with("time")).collect()
}

#[test]
fn an_update_says_what_it_changed_and_a_second_one_that_there_is_nothing() {
    let place = two_stocks();
    write_closes(&place, "A", &["20240102", "20240103", "20240104"], &[1.0, 2.5, 3.0]);
    write_closes(&place, "C", &["20240104"], &[7.0]);
    let refused = place.run("update store --refuse-restatement");
    let refused =
        refused.failed(4, &["nothing was published", "1 of 4 rows would be restated or removed; at most 0 may be"]);
    assert!(refused.stdout.contains("version 1 stays"), "{}", refused.stdout);
    let told = place.run("update store").done().stdout;
    assert_eq!(
        untimed(&told),
        [
            "store     store, version 2",
            "added     2 rows, of 1 new stock",
            "restated  1 row in close (1), of A (1)",
            "dates     2 dirty, 20240103 to 20240104",
            "rows      6 on 3 dates",
            "files     2 read, 1 unchanged",
            "written   2.09 KiB",
            "such as   20240103 A close: 2.0 -> 2.5",
            "such as   20240104 A added",
            "such as   20240104 C added",
            "newest    2 stocks have 20240104, 2 stocks have 20240103",
            "stale     1 stock, with their last dates: B (20240103)",
        ]
    );
    place.run("update store --expect 20240105").failed(
        4,
        &["expected-date: 20240105 is not there; 2 stocks have 20240104", "run it again with --allow expected-date"],
    );
    place.run("update store --expect 20240105 --allow expected-date").done();
    place.run("update store --expect 2024-01-04 --min-codes 3 --dry-run").failed(
        4,
        &["expected-date: 2 stocks have 20240104, and 2 stocks have 20240103; at least 3 should have it, such as B"],
    );
    place.run("update store --expect 20240104 --min-codes 100%").done();
    place.run("update store --expect yesterday").failed(2, &["or write today"]);
    place.run("update store --min-codes 5").failed(2, &["--expect"]);
    let again = place.run("update store --json").done().json();
    assert_eq!((&again["published"], &again["version"]), (&Value::from(false), &Value::from(2)));
    assert_eq!(again["unchanged_files"], 3);
    place.run("verify store --source src").done();
}

#[test]
fn an_update_of_a_bad_file_names_it_and_ends_with_3() {
    let place = two_stocks();
    fs::write(place.path("src/A.parquet"), "no parquet").unwrap();
    let ran = place.run("update store").failed(3, &["skipped 1 of 2 inputs", "A.parquet: is not a Parquet file"]);
    assert!(ran.stdout.contains("rows that the store has of them stay"), "{}", ran.stdout);
    place.run("update nowhere").failed(1, &["nowhere is not a store: nothing of that name is there"]);
    place.run("source set store src.path=elsewhere").failed(1, &["elsewhere, the folder of", "src.path=DIR"]);
}

#[test]
fn an_append_takes_back_what_transpose_wrote() {
    let place = two_stocks();
    place.run("transpose store out -q").done();
    let told = place.run("append store out/20240102.parquet out/20240103.parquet").done().stdout;
    assert_eq!(
        untimed(&told),
        [
            "store   store, version 1, nothing changed",
            "rows    4 on 2 dates",
            "files   2 read, 0 unchanged",
            "newest  2 stocks have 20240103, 2 stocks have 20240102"
        ]
    );
    fs::copy(place.path("out/20240103.parquet"), place.path("20240109.parquet")).unwrap();
    place.run("append store").failed(2, &["<FILE>"]);
}

#[test]
fn an_append_of_no_usable_file_fails_and_of_one_beside_others_skips() {
    let place = two_stocks();
    place.run("transpose store out -q").done();
    fs::copy(place.path("out/20240103.parquet"), place.path("20240109.parquet")).unwrap();
    let told = ["no row can be appended to store", "its rows are of 20240103, its name says 20240109"];
    place.run("append store 20240109.parquet").failed(1, &told);
    place.run("append store 20240109.parquet -q --dry-run").failed(1, &told);
    place.run("append store no.parquet 20240109.parquet").failed(1, &["no.parquet: cannot be opened", told[1]]);
    let json = place.run("append store no.parquet --json").failed(1, &[]).json();
    assert_eq!((&json["error"]["kind"], &json["exit_code"]), (&"inputs".into(), &1.into()));
    assert_eq!(json["skipped"][0]["path"], "no.parquet");
    let told = place.run("append store no.parquet out/20240102.parquet").failed(3, &["skipped 1 of 2 inputs"]).stdout;
    assert!(told.contains("nothing changed"), "{told}");
}

#[test]
fn the_bytes_written_do_not_depend_on_the_number_of_workers() {
    let place = Place::new();
    place.run("synth one --stocks 30 --dates 80 -q -j 1").done();
    place.run("synth three --stocks 30 --dates 80 -q -j 3").done();
    assert!(place.files("one") == place.files("three"));
    for jobs in ["1", "3"] {
        place.run(&format!("build one store{jobs} -q -j {jobs}")).done();
        place.run(&format!("transpose store{jobs} out{jobs} -q -j {jobs}")).done();
    }
    let segments = |dir: &str| {
        // Names are random, and so are the checksums of chunk files, which are seeded with the store's identity.
        let files = place.files(dir).into_iter();
        let arrow = files.filter(|(name, _)| name.extension().is_some_and(|ending| ending == "arrow"));
        arrow.map(|(_, bytes)| bytes).collect::<Vec<_>>()
    };
    assert!(segments("store1/segment") == segments("store3/segment"));
    let outputs = |dir: &str| {
        let mut files = place.files(dir);
        // The ledger names the store and when files were written.
        assert!(files.remove(Path::new(".transect.parquet")).is_some());
        files
    };
    assert!(outputs("out1") == outputs("out3"));
}

#[test]
fn an_interrupted_build_leaves_nothing_under_a_final_name() {
    let place = Place::new();
    place.run(LONG_PANEL).done();
    let mut child = place.start("build panel store -j 1");
    let segments = place.path("store/segment");
    wait_for(&mut child, || segments.exists());
    #[cfg(target_os = "linux")]
    {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        assert!(status.contains("Threads:\t1\n"), "-j 1 starts no thread");
    }
    let ran = interrupt(child).failed(130, &["transect: interrupted"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.lines().count()), ("", 1), "{ran:?}");

    assert!(!place.path("store").exists(), "it would pass for a build that was killed");
    place.run("info store").failed(1, &["nothing of that name is there"]);
    place.run("build panel store -q").done();
    place.run("verify store").done();
}

#[test]
fn an_interrupted_rebuild_leaves_the_store_that_was_there() {
    let place = Place::new();
    place.run(LONG_PANEL).done();
    place.run("build panel store -q").done();
    let files = || {
        let mut files = place.files("store");
        // It says who wrote last.
        assert!(files.remove(Path::new("LOCK")).is_some());
        files
    };
    let before = files();
    let mut child = place.start("build panel store -j 1 --force --json");
    wait_for(&mut child, || has_file(&place.path("store/segment"), |name| name.starts_with('.')));
    let ran = interrupt(child).failed(130, &["transect: interrupted"]);
    assert_eq!(ran.json()["exit_code"], 130);
    assert!(files() == before);
}

#[test]
fn an_interrupted_transpose_leaves_whole_files_and_can_be_run_again() {
    let place = Place::new();
    place.run(LONG_PANEL).done();
    place.run("build panel store -q").done();
    let mut child = place.start("transpose store out -j 1");
    let out = place.path("out");
    wait_for(&mut child, || has_file(&out, |name| name.ends_with(".parquet") && !name.starts_with('.')));
    interrupt(child).failed(130, &["transect: interrupted"]);
    for (path, bytes) in place.files("out") {
        assert!(ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).is_ok(), "{}", path.display());
    }
    place.run("verify store --output out").failed(6, &["did not complete"]);
    place.run("transpose store out -q").done();
    place.run("verify store --output out").done();
}

#[test]
fn completions_and_man_pages_come_from_the_binary() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.run(&format!("generate completions {shell}")).done().stdout;
        assert!(script.contains("transect") && script.contains("transpose"), "{shell}");
    }
    let zsh = place.run("generate completions zsh").done().stdout;
    assert!(
        zsh.contains(":FILE:_files' \\\n") && zsh.contains(":GLOB:' \\\n"),
        "names of files only where one is taken"
    );
    assert!(zsh.contains("(parquet arrow csv)"), "{zsh}");
    assert_eq!(zsh.matches(":LIST|@FILE:{compset -P @ && _files}'").count(), 5, "lists in files");
    let fish = place.run("generate completions fish").done().stdout;
    assert_eq!(fish.matches(" -r -f -a '(string match -q \"@*\" -- (commandline -ct); and ").count(), 5, "{fish}");

    place.run("generate man pages").done();
    let page = |name: &str| fs::read_to_string(place.path("pages").join(name)).unwrap();
    let whole = page("transect.1");
    assert!(whole.contains("transect\\-build(1)"));
    assert!(
        whole.contains(".SH NOTES\nStart with `transect demo`.\n.SH \"EXIT CODES\"\n.nf\n    0  done\n"),
        "{whole}"
    );
    let is_empty = |(line, next): (&str, &str)| line.starts_with(".SH") && (next.is_empty() || next.starts_with(".SH"));
    for name in list(&place.path("pages")).unwrap() {
        let name = name.unwrap().into_string().unwrap();
        let page = page(&name);
        let pairs = page.lines().zip(page.lines().skip(1).chain([""]));
        assert!(!page.contains("help(1)"), "{name} names a page that there is none of");
        assert_eq!(pairs.filter(|&pair| is_empty(pair)).count(), 0, "{name} has a heading with nothing below it");
    }
    assert!(page("transect-source-set.1").contains("transect source set\\fR [OPTIONS] <STORE>"));
    let build = page("transect-build.1");
    assert!(
        build.contains(".SH EXAMPLES\n.nf\n  transect build features panel.store\n  transect build lake"),
        "{build}"
    );
    assert!(build.contains(".SH \"EXIT CODES\"\n.nf\n    0  done\n    1  failed\n"), "{build}");
}

#[test]
fn names_that_are_no_utf_8_can_be_given() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::with_panel();
    let store = std::ffi::OsStr::from_bytes(b"st\xffore");
    let mut command = Command::new(TRANSECT);
    command.current_dir(place.0.path()).args(["build", "panel"]).arg(store).assert().success();
    Command::new(TRANSECT).current_dir(place.0.path()).arg("info").arg(store).assert().success();
}

#[test]
fn where_the_disk_of_a_first_build_fails_the_next_build_makes_a_store_of_what_is_there() {
    let place = Place::with_panel();
    // A file may have a block, which is enough for LOCK and too little for the intermediate ones.
    let limited = format!("ulimit -f 1; exec {TRANSECT} build panel store -q");
    let output = Command::new("sh").args(["-c", &limited]).current_dir(place.0.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("File too large"), "{stderr}");
    let why = "store is an unfinished store: a build started there and did not complete; `transect build SRC store` \
               begins anew, or remove the directory";
    place.run("info store").failed(1, &[why]);
    place.run("build panel store -q").done();
    place.run("verify store -q").done();
}

#[test]
fn a_script_runs_the_tasks_of_a_plan_by_xargs() {
    let place = Place::with_store();
    place.run("transpose store out -q").done();
    let plan = place.run("task plan panel own --staging staging --parts 5 --bands 3").done().stdout;
    assert!(
        plan.contains("plan    staging/plan.json") && plan.contains("5 parts") && plan.contains("3 bands"),
        "{plan}"
    );
    assert!(!place.path("own").exists());
    let beside = Path::new(TRANSECT).parent().unwrap().display().to_string();
    let run = |staging: &str| {
        let mut script = std::process::Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/tasks"));
        script.args([&format!("{staging}/plan.json"), "3"]).current_dir(place.path(""));
        let path = std::env::var("PATH").unwrap_or_default();
        let output = script.env("PATH", format!("{beside}:{path}")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run("staging").contains("version 1"));
    assert!(run("staging").contains("version 1 was committed before"));
    let nothing = place.run("task update own --staging night").done().stdout;
    assert!(nothing.contains("version 1, nothing to do") && !place.path("night/plan.json").exists(), "{nothing}");
    fs::copy(place.path("panel/000001.SZ.parquet"), place.path("panel/999999.SZ.parquet")).unwrap();
    let plan = place.run("task update own --staging night --parts 2 --bands 3").done().stdout;
    assert!(plan.contains("2 parts, 1 file of") && plan.contains("3 bands, with version 1"), "{plan}");
    assert!(run("night").contains("version 2\n") && run("night").contains("version 2, nothing changed"));
    place.run("update store -q").done();
    fs::remove_file(place.path("panel/999999.SZ.parquet")).unwrap();
    place.run("update own --prune -q --allow pruned-rows,missing-files").done();
    let plan =
        place.run("task add own panel --source more --prefix m_ --staging more --parts 2 --bands 3").done().stdout;
    assert!(plan.contains("plan     more/plan.json") && plan.contains("3 bands, with version 3"), "{plan}");
    assert!(run("more").contains("version 4\n") && run("more").contains("version 4, nothing changed"));
    let two = "own panel panel --staging two";
    place.run(&format!("task add {two}")).failed(2, &["tasks add the source of one directory"]);
    place.run("source drop own more -q").done();
    place.run("transpose own days --from 20260629 -q").done();
    let days = "days/20260629.parquet days/20260630.parquet";
    fs::copy(place.path("days/20260630.parquet"), place.path("days/20260701.parquet")).unwrap();
    place.run("append own days/20260701.parquet").failed(1, &["no row can be appended to "]);
    let plan = place.run(&format!("task append own {days} --staging days.staging --parts 2 --bands 3")).done().stdout;
    assert!(plan.contains("2 parts, 2 files of") && plan.contains("3 bands, with version 5"), "{plan}");
    assert!(run("days.staging").contains("version 5, nothing changed"));
    let plan =
        place.run("task append own days/20260701.parquet --staging bad.staging --parts 1 --bands 1 --json").done();
    assert!(plan.stdout.contains("\"files\":1"), "{plan:?}");
    place.run("task run bad.staging/plan.json").failed(2, &["no row can be appended to "]);
    place.run("task append own days/20260701.parquet --dry-run --staging no.staging").failed(2, &["and try nothing"]);
    let plan = place.run("task transpose own own_out --staging staging_out --parts 3").done().stdout;
    assert!(plan.contains("plan   staging_out/plan.json") && plan.contains("3 parts"), "{plan}");
    let written = run("staging_out");
    assert!(written.contains(" written\n") && !written.contains("current"), "{written}");
    assert!(run("staging_out").contains("nothing to do: "));
    place.run("task plan panel again --staging sealed --parts 2 --bands 2 -q").done();
    place.run("task gather sealed/plan.json 0 -q").done();
    let sealed = place.run("task run sealed/plan.json -j 2 --out sealed_out").done().stdout;
    assert!(sealed.contains(" files were put into "), "{sealed}");
    let written = place.run("transpose again sealed_out").done().stdout;
    assert!(written.contains("nothing to do: "), "{written}");
    let why = "plans an update, and not a store";
    place.run("task run night/plan.json --out other").failed(2, &[why]);
    place.run("task seal night/plan.json 0 --out other").failed(2, &[why]);
    for name in ["20260630.parquet", "20260629.parquet"] {
        assert!(fs::read(place.path("out").join(name)).unwrap() == fs::read(place.path("own_out").join(name)).unwrap());
    }
}

/// Beside a `sbatch` that runs at once what it is given, an array's tasks from the last to the first.
#[test]
fn a_script_submits_the_tasks_of_a_plan_to_slurm() {
    let place = Place::with_store();
    fs::create_dir(place.path("bin")).unwrap();
    let sbatch = "#!/bin/sh
set -e
echo \"$@\" >> \"$SUBMITTED\"
last=0 array=
for word; do
    case $word in --array=0-*) array=1 last=${word#--array=0-} ;; esac
    wrapped=$word
done
for task in $(seq \"$last\" -1 0); do
    if [ $array ]; then export SLURM_ARRAY_TASK_ID=$task; else unset SLURM_ARRAY_TASK_ID; fi
    sh -c \"$wrapped\" >&2
done
wc -l < \"$SUBMITTED\"
";
    fs::write(place.path("bin/sbatch"), sbatch).unwrap();
    Command::new("chmod").args(["+x", "bin/sbatch"]).current_dir(place.path("")).ok().unwrap();
    let beside = Path::new(TRANSECT).parent().unwrap().display().to_string();
    let submit = |staging: &str| {
        let _ = fs::remove_file(place.path("submitted"));
        let mut script = std::process::Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/slurm"));
        script.args([&format!("{staging}/plan.json"), "--mem=2G", "--time=10"]).current_dir(place.path(""));
        let path = format!("{}:{beside}:{}", place.path("bin").display(), std::env::var("PATH").unwrap_or_default());
        let output = script.env("PATH", path).env("SUBMITTED", place.path("submitted")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        fs::read_to_string(place.path("submitted")).unwrap()
    };
    place.run("task plan panel own --staging staging --parts 5 --bands 3 -q").done();
    let submitted = submit("staging");
    let lines: Vec<&str> = submitted.lines().collect();
    assert_eq!(lines.len(), 4, "{submitted}");
    assert!(lines[0].contains("--array=0-4") && lines[0].contains("--mem=2G --time=10"), "{submitted}");
    assert!(lines[2].contains("--dependency=afterok:2") && lines[2].contains("--array=0-2"), "{submitted}");
    assert!(!lines[3].contains("--array") && lines[3].contains("task commit"), "{submitted}");
    place.run("transpose own own_out -q").done();
    place.run("transpose store out -q").done();
    let file = "20260630.parquet";
    assert!(fs::read(place.path("out").join(file)).unwrap() == fs::read(place.path("own_out").join(file)).unwrap());
    fs::copy(place.path("panel/000001.SZ.parquet"), place.path("panel/999999.SZ.parquet")).unwrap();
    place.run("task update own --staging night --parts 2 --bands 3 -q").done();
    assert!(submit("night").lines().nth(2).unwrap().contains("task compare"));
    assert_eq!(place.run("info own --json").done().json()["version"], 2);
    place.run("task transpose own more --staging files --parts 3 -q").done();
    assert_eq!(submit("files").lines().count(), 2);
    assert!(place.path("more").join(file).exists());
}

#[test]
fn exit_codes_of_tasks_say_whether_another_try_may_help() {
    let place = Place::with_panel();
    let plan = "staging/plan.json";
    place.run("task plan panel own --staging staging --parts 2 --bands 2 -q").done();
    place.run("task gather staging 0").failed(2, &["staging is a directory; name the plan in it, staging/plan.json"]);
    place.run("task plan panel own --staging staging").failed(2, &["has a plan already"]);
    place.run(&format!("task assemble {plan}")).failed(1, &["part-0000: gather 0 is not done yet; run it first"]);
    place.run(&format!("task gather {plan} 2")).failed(2, &["name one from 0 to 1"]);
    place.run("task gather staging/nothing.json 0").failed(2, &["name a plan of tasks"]);
    place.run(&format!("task gather {plan} 0")).done();
    fs::write(place.path("staging/part-0001"), "other").unwrap();
    place
        .run(&format!("task gather {plan} 1"))
        .failed(6, &["part-0001 is damaged", "remove it, and run gather 1 again"]);
    fs::remove_file(place.path("staging/part-0001")).unwrap();
    let again = place.run(&format!("task gather {plan} 1 --json")).done().json();
    assert_eq!((&again["was_done"], &again["number"]), (&false.into(), &1.into()));
    place.run(&format!("task run {plan} -q")).done();
    assert!(place.run(&format!("task gather {plan} 1")).done().stdout.ends_with(", done before\n"));
    place.run("task plan panel own --staging other").failed(2, &["is not empty"]);

    place.run("task transpose own out --staging out.staging --parts 2 -q").done();
    place.run("task gather out.staging/plan.json 0").failed(2, &["plans the files of an output, and not a store"]);
    place.run(&format!("task write {plan} 0")).failed(2, &["plans a store, and not the files of an output"]);
    place.run("task commit out.staging/plan.json").failed(1, &["files-0000", "write 0 is not done yet; run it first"]);
    let stdout = place.run("task run out.staging/plan.json --json").done().json();
    assert_eq!((&stdout["was_done"], &stdout["output"]["unchanged_files"]), (&false.into(), &0.into()));
    for (field, name) in [("store", "own"), ("out", "out")] {
        assert_eq!(stdout["output"][field].as_str().unwrap(), place.path(name).display().to_string());
    }
    fs::write(place.path("members.csv"), "ts_code,trade_date\n000001.SZ,20260629\n").unwrap();
    let universe = "task transpose own members --universe members.csv --staging members.staging";
    place.run(universe).failed(2, &["no plan holds the rows of a universe; name a column that says it"]);

    // A guard: most of the files are none.
    for code in ["a", "b", "c", "d"] {
        fs::write(place.path("panel").join(format!("{code}.parquet")), "").unwrap();
    }
    place.run("task plan panel guarded --staging guarded.staging -q").done();
    let stopped = place.run("task run guarded.staging/plan.json");
    stopped.failed(4, &["skipped-files", "plan again with --allow skipped-files"]);
    assert!(!place.path("guarded").exists());
    place.run("task plan panel guarded --staging allowed --allow skipped-files -q").done();
    assert_eq!(place.run("task run allowed/plan.json -q").code, 3);
}

/// Whoever moves it away, as is said, goes on.
#[test]
fn what_stands_in_the_place_of_a_file_is_told_with_a_way_out_that_leads_on() {
    let place = Place::with_store();
    place.run("transpose store out -q").done();
    let (catalog, segments) = ("store/catalog/0000000000000001", "store/segment/0000000000000001.chunks");
    let (date, ledger) = ("out/20260630.parquet", "out/.transect.parquet");
    let in_places = [
        (date, "transpose store out -q"),
        (date, "transpose store out --force -q"),
        (ledger, "transpose store out -q"),
        (ledger, "verify store --output out"),
        (catalog, "gc store -q"),
        (segments, "gc store -q"),
        ("store/CURRENT", "info store"),
        ("store/LOCK", "update store -q"),
    ];
    for (name, line) in in_places {
        for is_socket in [false, true] {
            let at = place.path(name);
            let bytes = fs::read(&at).ok();
            let _ = fs::remove_file(&at);
            match is_socket {
                true => drop(std::os::unix::net::UnixListener::bind(&at).unwrap()),
                false => fs::create_dir(&at).unwrap(),
            }
            let ran = place.run(line);
            if ran.code != 0 {
                let told =
                    ["move the directory away, and try again", "move it away, and try again", "put one in its place"];
                assert!(told.iter().any(|told| ran.stderr.contains(told)), "{name}: {ran:?}");
            }
            // A file is put there by rename, and what is left over removed; of a directory the system lets nobody do so.
            let can_be_replaced = is_socket && [date, segments].contains(&name);
            assert_eq!(ran.code == 0, can_be_replaced, "{name} {is_socket}: {ran:?}");
            let _ = if is_socket { fs::remove_file(&at) } else { fs::remove_dir(&at) };
            if let Some(bytes) = bytes {
                fs::write(at, bytes).unwrap();
            }
            place.run(line).done();
        }
    }
}

#[test]
fn gc_removes_what_tasks_left_by_its_age_alone() {
    let place = Place::with_panel();
    place.run("task plan panel own --staging staging --parts 2 --bands 2 -q").done();
    place.run("task gather staging/plan.json 0 -q").done();
    fs::create_dir(place.path("staging/.attempt-1-2-3")).unwrap();
    fs::write(place.path("staging/.attempt-1-2-3/receipt"), "half").unwrap();
    let below = |name: &str| {
        let names = list(&place.path(name)).into_iter().flatten();
        names.map(Result::unwrap).collect::<std::collections::BTreeSet<_>>()
    };
    let names = || (below("staging"), below("staging/.attempt-1-2-3"));
    let all = names();
    assert_eq!(
        place.run("gc own --staging staging --older-than 1h").done().stdout,
        "staging  staging\nfreed    0 B in 0 files\n"
    );
    place.run("gc own --staging staging --older-than 0h --dry-run").done();
    assert_eq!(names(), all);
    place.run("gc other --staging staging --older-than 0h").failed(1, &["is of the store", "name that store"]);
    place.run("gc own --staging panel --older-than 0h").failed(1, &["which no task of transect left"]);
    place.run("gc own --staging staging").failed(2, &["--older-than"]);
    // An attempt that died long ago, beside tasks that are at work.
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    for name in ["staging/.attempt-1-2-3/receipt", "staging/.attempt-1-2-3"] {
        fs::File::open(place.path(name)).unwrap().set_modified(long_ago).unwrap();
    }
    let freed = place.run("gc own --staging staging --older-than 1h").done().stdout;
    assert!(freed.ends_with("freed    4 B in 1 file\n"), "{freed}");
    assert_eq!((names().0.len(), names().1.len()), (all.0.len() - 1, 0));
    place.run("task run staging/plan.json -q").done();
    place.run("gc own --staging staging --older-than 0h").done();
    assert!(!place.path("staging").exists());
    place.run("verify own -q").done();
}
