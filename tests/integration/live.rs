//! Other programs write to files that are in use: a copy is put back over a store, a disk is shared, a script truncates.
//! Whoever reads meanwhile gets the right rows or an error, and no file with wrong rows gets its name. A reader that maps
//! may be ended by SIGBUS where a file is cut short, as the docs say; so those run in processes of their own here.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use arrow_array::{ArrayRef, Float64Array, StringArray};
use transect::progress::Silent;
use transect::storage::Access;
use transect::storage::Disk;
use transect::storage::list;
use transect::{Build, Error, Store, Transpose, verify_output};

use super::panels::{Contents, Place, batch, contents, paths_in, segment_path, setting, workers};
use super::scene::Random;

const SIGBUS: i32 = if cfg!(target_os = "linux") { 7 } else { 10 };
const STOCKS: usize = 400;

/// How often a file is altered; `tools/torture` asks for more.
fn cases() -> usize {
    setting("TRANSECT_ROUNDS", 50) as usize
}

/// A store whose segment other programs alter.
struct Victim {
    place: Place,
    segment: PathBuf,
    good: Vec<u8>,
    sections: Vec<Contents>,
    series: Contents,
    /// What a transpose writes, by name.
    outputs: BTreeMap<String, Vec<u8>>,
}

/// One way in which a file is altered.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// These bytes are turned over, in place.
    Overwrite(usize, usize),
    /// The file ends there.
    Truncate(usize),
    /// Another file of the same length takes its name.
    Replace,
    Remove,
}

impl Victim {
    fn new() -> Victim {
        let place = Place::in_memory();
        for stock in 0..STOCKS {
            let dates: ArrayRef = Arc::new(StringArray::from(vec!["20240102", "20240103", "20240104"]));
            let names: Vec<String> = (0..6).map(|column| format!("x{column}")).collect();
            let mut columns = vec![("date", dates)];
            for (at, name) in names.iter().enumerate() {
                let value = |day: usize| (stock * 7 + at * 3 + day) as f64 / 8.0;
                columns.push((name, Arc::new((0..3).map(|day| Some(value(day))).collect::<Float64Array>())));
            }
            place.add(&format!("{stock:06}"), &batch(&columns));
        }
        Build::new(place.source(), place.store()).run().unwrap();
        let store = Store::open(place.store()).unwrap();
        let sections = (0..3).map(|at| contents(&store.section_at(at).unwrap().batch().unwrap())).collect();
        let series = contents(&store.series("000007").unwrap());
        Transpose::new(&store, place.path("right")).run().unwrap();
        let outputs = outputs(&place.path("right"));
        assert_eq!(outputs.len(), 3);
        let segment = segment_path(&place.store());
        let good = fs::read(&segment).unwrap();
        Victim { place, segment, good, sections, series, outputs }
    }

    fn act(&self, random: &mut Random, ways: usize) -> Act {
        let at = random.below(self.good.len());
        match random.below(ways) {
            0 | 1 => Act::Overwrite(at, 1 + random.below(self.good.len() - at)),
            2 => Act::Replace,
            3 => Act::Remove,
            _ => Act::Truncate(at),
        }
    }

    fn alter(&self, act: Act) {
        let file = || OpenOptions::new().write(true).open(&self.segment).unwrap();
        let turned = |range: &[u8]| range.iter().map(|byte| byte ^ 0x55).collect::<Vec<u8>>();
        match act {
            Act::Overwrite(at, len) => file().write_all_at(&turned(&self.good[at..at + len]), at as u64).unwrap(),
            Act::Truncate(len) => file().set_len(len as u64).unwrap(),
            Act::Replace => {
                let other = self.place.path("other");
                fs::write(&other, turned(&self.good)).unwrap();
                fs::rename(other, &self.segment).unwrap();
            }
            Act::Remove => fs::remove_file(&self.segment).unwrap(),
        }
    }

    /// Puts the file right, in place where it is still there.
    fn mend(&self) {
        let file = File::options().create(true).truncate(false).write(true).open(&self.segment).unwrap();
        file.write_all_at(&self.good, 0).unwrap();
        file.set_len(self.good.len() as u64).unwrap();
    }

    /// Looks at the store in every way. Returns how often it was refused an answer; a wrong one fails the test.
    fn look(&self, access: Access, context: &str) -> usize {
        let store = Store::open_with(self.place.store(), access).unwrap();
        let mut refused = 0;
        let mut check = |what: &str, found: Result<bool, Error>| match found {
            Ok(is_right) => assert!(is_right, "{context}: {what} is wrong"),
            Err(_) => refused += 1,
        };
        for (at, expected) in self.sections.iter().enumerate() {
            let found = store.section_at(at).and_then(|section| section.batch());
            check("a section", found.map(|found| contents(&found) == *expected));
        }
        check("a series", store.series("000007").map(|found| contents(&found) == self.series));
        refused
    }

    /// Asserts that what has its name in `out` is what belongs there.
    fn assert_right(&self, out: &Path, context: &str) -> usize {
        let found = outputs(out);
        for (name, bytes) in &found {
            assert!(self.outputs.get(name) == Some(bytes), "{context}: {name} has wrong rows under its final name");
        }
        found.len()
    }
}

/// The files of an output directory that readers see.
fn outputs(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = list(out).into_iter().flatten().map(|name| name.unwrap().into_string().unwrap());
    let shown = names.filter(|name| !name.starts_with('.'));
    shown.map(|name| (name.clone(), fs::read(out.join(name)).unwrap())).collect()
}

#[test]
fn damage_of_the_store_is_told_once_by_who_compares_its_outputs() {
    let victim = Victim::new();
    let store = Store::open(victim.place.store()).unwrap();
    let out = victim.place.path("compared");
    Transpose::new(&store, &out).run().unwrap();
    let compare = || verify_output(&store, &out, &workers(2), &Silent).unwrap().differences;
    assert_eq!(compare(), Vec::<String>::new());
    // Somebody wrote to it, and put its bytes back.
    let catalogs = victim.place.store().join("catalog");
    let name = list(&catalogs).unwrap().map(Result::unwrap).find(|name| name.len() == 16).unwrap();
    let catalog = File::options().write(true).open(catalogs.join(name)).unwrap();
    catalog.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let told = compare();
    let [told] = &told[..] else { panic!("{told:?}") };
    let names = ["20240102.parquet", "20240103.parquet", "20240104.parquet"];
    assert!(told.contains("written to while it was used: not compared were "), "{told}");
    assert!(names.iter().all(|name| told.contains(name)), "{told}");
}

#[test]
fn readers_that_copy_are_right_or_refused_while_a_segment_is_altered_all_the_time() {
    /// Also where the test fails.
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let victim = Victim::new();
    let (is_over, acts) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (mut refused, mut written) = (0, 0);
    thread::scope(|scope| {
        let _stop = Stop(&is_over);
        scope.spawn(|| {
            let mut random = Random::new(0);
            while !is_over.load(Ordering::SeqCst) {
                victim.alter(victim.act(&mut random, 5));
                thread::sleep(Duration::from_micros(200 * random.below(8) as u64));
                victim.mend();
                thread::sleep(Duration::from_micros(500 * random.below(8) as u64));
                acts.fetch_add(1, Ordering::SeqCst);
            }
        });
        for case in 0..cases() {
            let before = acts.load(Ordering::SeqCst);
            let context = format!("case {case}");
            refused += victim.look(Access::Read, &context);
            let store = Store::open_with(victim.place.store(), Access::Read).unwrap();
            let out = victim.place.path("out");
            if Transpose::new(&store, &out).workers(2).run().is_ok() {
                assert_eq!(outputs(&out).len(), 3, "{context}");
            }
            written += victim.assert_right(&out, &context);
            let _ = fs::remove_dir_all(&out);
            // So that each case meets another state.
            while acts.load(Ordering::SeqCst) == before {
                thread::yield_now();
            }
        }
    });
    println!("{} acts, {refused} answers refused, {written} files written", acts.into_inner());
    victim.mend();
    assert_eq!(victim.look(Access::Read, "mended"), 0);
}

/// The segment is altered before each operation on the disk in turn: before, between and after the files.
#[test]
fn a_transpose_under_which_a_segment_changes_gives_no_wrong_file_its_name() {
    let victim = Victim::new();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let counting = Disk::with_hook(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let store = Store::open(victim.place.store()).unwrap();
    Transpose::new(&store, victim.place.path("counted")).workers(1).disk(counting).run().unwrap();
    let mut failed = 0;
    let victim = Arc::new(victim);
    for access in [Access::Map, Access::Read] {
        for (at, act) in (0..count.load(Ordering::SeqCst)).flat_map(|at| {
            let len = victim.good.len();
            // What is mapped must not be cut here.
            [Act::Overwrite(0, len), Act::Replace, Act::Remove, Act::Truncate(len / 2)].map(|act| (at, act))
        }) {
            if access == Access::Map && matches!(act, Act::Truncate(_)) {
                continue;
            }
            let store = Store::open_with(victim.place.store(), access).unwrap();
            let (done, altered) = (AtomicUsize::new(0), Arc::clone(&victim));
            let disk = Disk::with_hook(move |_| {
                if done.fetch_add(1, Ordering::SeqCst) == at {
                    altered.alter(act);
                }
                Ok(())
            });
            let out = victim.place.path("out");
            let context = format!("{access:?}, {act:?} before operation {at}");
            let result = Transpose::new(&store, &out).workers(1).disk(disk).run();
            let written = victim.assert_right(&out, &context);
            assert!(result.is_err() || written == 3, "{context}");
            failed += usize::from(result.is_err());
            fs::remove_dir_all(&out).unwrap();
            victim.mend();
        }
    }
    assert!(failed > 10, "{failed} failed");
}

/// The command may end by SIGBUS, or say what is wrong; it never prints or names wrong rows.
#[test]
fn a_transpose_under_which_the_catalog_changes_gives_no_wrong_file_its_name() {
    let place = Place::in_memory();
    let days: ArrayRef = Arc::new(StringArray::from(vec!["20240102", "20240103"]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["alpha", "beta"]));
    place.add("A", &batch(&[("trade_date", days), ("t", texts)]));
    Build::new(place.source(), place.store()).workers(1).run().unwrap();
    let transpose = |store: &Store, out: &str| Transpose::new(store, place.path(out)).workers(1).run();
    let [mapped, read, held] =
        [Access::Map, Access::Read, Access::Read].map(|access| Store::open_with(place.store(), access).unwrap());
    // Texts are compared with their checksum when they are first used, and copied then where they are read.
    transpose(&mapped, "before").unwrap();
    transpose(&held, "copied").unwrap();
    // The tables of sources have their number at the end of the name.
    let is_catalog = |path: &PathBuf| !path.file_name().unwrap().to_string_lossy().contains('-');
    let catalog = paths_in(&place.store().join("catalog")).into_iter().find(is_catalog).unwrap();
    let bytes = fs::read(&catalog).unwrap();
    let at = bytes.windows(5).position(|window| window == b"alpha").unwrap();
    let file = OpenOptions::new().write(true).open(&catalog).unwrap();
    file.write_all_at(b"gamma", at as u64).unwrap();
    // Clocks of file systems are coarse, and this is all done within a tick.
    file.set_modified(SystemTime::now() + Duration::from_secs(1)).unwrap();
    let why = transpose(&mapped, "mapped").unwrap_err().to_string();
    assert!(why.contains("it was written to while it was used"), "{why}");
    assert_eq!(outputs(&place.path("mapped")), BTreeMap::new());
    let why = transpose(&read, "read").unwrap_err().to_string();
    assert!(why.contains("is damaged"), "{why}");
    assert_eq!(outputs(&place.path("read")), BTreeMap::new());
    // What was copied stays as it was.
    assert_eq!(transpose(&held, "held").unwrap().rows, 2);
    assert_eq!(outputs(&place.path("held")), outputs(&place.path("before")));
}

#[test]
fn a_command_that_maps_a_segment_which_is_altered_ends_with_right_rows_or_none() {
    let victim = Victim::new();
    let mut random = Random::new(1);
    let run = |line: &str, io: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transect"));
        command.current_dir(victim.place.path("")).args(line.split_whitespace()).args(["--io", io, "-q"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let lines = [
        "transpose panel.store out -j2",
        "show panel.store --stock 000007 --format csv",
        "verify panel.store",
        "update panel.store --reread --dry-run",
        "append panel.store right/20240103.parquet --dry-run",
    ];
    let started = Instant::now();
    let right = lines.map(|line| run(line, "map").output().unwrap());
    let longest = started.elapsed() / 3;
    assert!(right.iter().all(|output| output.status.success()));
    let (mut killed, mut told, mut done) = (0, 0, 0);
    for case in 0..cases() {
        let _ = fs::remove_dir_all(victim.place.path("out"));
        let (which, io) = (random.below(lines.len()), ["map", "read"][random.below(2)]);
        let (act, moment) = (victim.act(&mut random, 7), longest.mul_f64(random.below(1000) as f64 / 1000.0));
        let child = run(lines[which], io).spawn().unwrap();
        thread::sleep(moment);
        victim.alter(act);
        let output = child.wait_with_output().unwrap();
        let context = format!("case {case}: {} --io {io}, {act:?} after {moment:?}", lines[which]);
        victim.assert_right(&victim.place.path("out"), &context);
        match (output.status.code(), output.status.signal()) {
            (Some(0), _) => {
                assert_eq!(output.stdout, right[which].stdout, "{context}");
                done += 1;
            }
            (Some(1 | 6), _) => {
                let stderr = String::from_utf8_lossy(&output.stderr);
                assert!(stderr.contains("-0000.arrow") && !stderr.contains("panicked"), "{context}: {stderr}");
                told += 1;
            }
            (None, Some(SIGBUS)) if io == "map" && matches!(act, Act::Truncate(_)) => killed += 1,
            _ => panic!("{context}: {:?}: {}", output.status, String::from_utf8_lossy(&output.stderr)),
        }
        victim.mend();
    }
    println!("{done} done, {told} told what is wrong, {killed} ended by SIGBUS");
    assert_eq!(done + told + killed, cases());
    assert_eq!(victim.look(Access::Map, "mended"), 0);
}

#[cfg(feature = "failpoints")]
#[test]
fn each_command_that_maps_a_store_on_a_network_file_system_says_so_unless_it_reads_copies() {
    let place = Place::in_memory();
    let source = place.source().file_name().unwrap().to_string_lossy().into_owned();
    let column = |values: &[f64]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
    let texts = |texts: &[&str]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let dates = texts(&["20240102", "20240103"]);
    for version in 0..2 {
        for code in ["A", "B"] {
            let size = column(&[1.5, f64::from(version)]);
            place.add(code, &batch(&[("date", dates.clone()), ("size", size)]));
        }
        match version {
            0 => drop(Build::new(place.source(), place.path("s")).run().unwrap()),
            _ => drop(transect::Update::new(place.path("s")).check_content(true).run().unwrap()),
        }
    }
    fs::create_dir(place.path("more")).unwrap();
    let more = batch(&[("date", dates), ("more", column(&[0.5, 0.5]))]);
    super::panels::write_parquet(&place.path("more/A.parquet"), &more);
    let day = batch(&[("ts_code", texts(&["A"])), ("size", column(&[0.5]))]);
    super::panels::write_parquet(&place.path("20240103.parquet"), &day);
    let lines = [
        "update s --dry-run",
        "append s 20240103.parquet --dry-run --allow appended-rows",
        "restore s --version 1 --dry-run",
        "source add s more --dry-run --allow few-codes",
        "source list s",
        &format!("source set s {source}.max-skipped=3 --dry-run"),
        &format!("source rename s {source} other --dry-run"),
        "gc s --dry-run",
        "show s",
        "info s",
        "log s",
        "diff s",
        "verify s",
        "transpose s o",
        "coverage s",
        "report s page.html --force",
    ];
    let note = "transect: note: s lies on a network file system (nfs); if another machine cuts a file short, this command \
                ends by SIGBUS; --io read reads copies\n";
    for line in lines {
        let run = |options: &[&str], number: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_transect"));
            command.current_dir(place.path("")).args(line.split_whitespace()).args(options);
            let output = command.env("TRANSECT_FILE_SYSTEM", number).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{line}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stderr).unwrap()
        };
        assert_eq!(run(&[], "6969").matches(note).count(), 1, "{line}");
        for (options, number) in [(&["--io", "read"][..], "6969"), (&["-q"], "6969"), (&[], "ef53")] {
            assert_eq!(run(options, number).matches("network").count(), 0, "{line} {options:?}");
        }
    }
}
