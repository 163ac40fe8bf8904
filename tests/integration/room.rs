//! Places where there is little of something: a disk of a few blocks, no inodes left, files that may not grow, little
//! address space. A command then says what is lacking and leaves what was there; with room again it simply works.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, StringArray};
use transect::progress::Silent;
use transect::{Build, Error, Store, verify_output};

use super::panels::{Contents, Place, assert_no_leftovers, assert_whole, batch, contents, copy_dir, paths_in, workers};

const STEP: u64 = 64 << 10;
const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;
/// What Rust and glibc say then: glibc has no other answer where a thread's end cannot be noted.
const NO_BYTES: [&str; 2] =
    ["memory allocation of", "Fatal glibc error: failed to register TLS destructor: out of memory"];
/// What a program ends with whose libraries cannot be loaded.
const LOADER: i32 = 127;

/// A file system in memory of its own; unmounted when it is dropped.
struct Disk {
    path: PathBuf,
}

impl Disk {
    /// `None`, and a word, where mounting is not allowed.
    fn mount(path: PathBuf, options: &str) -> Option<Disk> {
        let _ = fs::create_dir(&path);
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "transect-test"]).arg(&path).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Disk { path }),
            other => {
                eprintln!("skipped: no file system of a given size can be mounted here: {other:?}");
                None
            }
        }
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.path).status().unwrap().success(), "{options}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

/// Two panels that differ in every value.
struct Scene {
    place: Place,
    /// A store of the first.
    store: PathBuf,
    /// The files of the second.
    files: Vec<(PathBuf, Vec<u8>)>,
    /// The ends of a store of each.
    panels: [[Contents; 2]; 2],
}

fn write_panel(place: &Place, salt: usize) {
    let names: Vec<String> = (0..50).map(|column| format!("x{column}")).collect();
    for stock in 0..40 {
        let dates: ArrayRef = Arc::new((1..=24).map(|day| Some(format!("202401{day:02}"))).collect::<StringArray>());
        let mut columns = vec![("date", dates)];
        for (at, name) in names.iter().enumerate() {
            let value = |day: usize| ((day * 7919 + stock * 31 + at * 1013) % 10_007) as f64 / 7.0 + salt as f64;
            columns.push((name, Arc::new((0..24).map(|day| Some(value(day))).collect::<Float64Array>())));
        }
        place.add(&format!("{stock}"), &batch(&columns));
    }
}

/// The first section and the last: no value of one panel is one of the other.
fn ends(store: &Store) -> [Contents; 2] {
    let last = store.dates().unwrap().len() - 1;
    [0, last].map(|at| contents(&store.section_at(at).unwrap().batch().unwrap()))
}

impl Scene {
    fn new() -> Scene {
        let place = Place::in_memory();
        let panels = [0, 1].map(|salt| {
            write_panel(&place, salt);
            let store = place.path(&format!("{salt}.store"));
            Build::new(place.source(), &store).workers(1).run().unwrap();
            ends(&Store::open(store).unwrap())
        });
        let files = paths_in(&place.source()).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        let store = place.path("0.store");
        Scene { place, store, files, panels }
    }

    /// Runs the binary under `limit`, which is a shell's word for it.
    fn run(&self, limit: &str, line: &str) -> Output {
        let script = format!("{limit} exec {} {line} -q", env!("CARGO_BIN_EXE_transect"));
        Command::new("sh").current_dir(self.place.path("")).args(["-c", &script]).output().unwrap()
    }

    /// Runs a line that must work.
    fn works(&self, line: &str) {
        let output = self.run("", line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs `line` under a limit, and asserts that it is done, or said why it is not, in words that have one of `why`.
    fn ends(&self, limit: &str, line: &str, why: &[&str]) -> bool {
        let output = self.run(limit, line);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let is_told = why.iter().any(|why| stderr.contains(why)) && !stderr.contains("panicked");
        match (output.status.code(), output.status.signal()) {
            (Some(0), _) => true,
            (Some(1 | LOADER), _) if is_told => false,
            // Where no memory is left for a few bytes, Rust or glibc ends the process; where its program has no room,
            // Linux does.
            (None, Some(SIGABRT)) if limit.contains("ulimit -v") && NO_BYTES.iter().any(|why| stderr.contains(why)) => {
                false
            }
            (None, Some(SIGSEGV)) if limit.contains("ulimit -v") && stderr.is_empty() => false,
            ended => panic!("{limit} {line}: {ended:?}: {stderr}"),
        }
    }

    /// Asserts that the store is whole and holds the panel of `salt`; where that is `None`, that no version is there.
    fn holds(&self, store: &Path, salt: Option<usize>, context: &str) {
        match (Store::open(store), salt) {
            (Ok(open), Some(salt)) => {
                assert_whole(&open);
                assert!(ends(&open) == self.panels[salt], "{context}: holds something else");
            }
            (Err(Error::NotAStore { .. } | Error::Unfinished { .. }), None) => {}
            (opened, _) => panic!("{context}: {opened:?}"),
        }
    }
}

/// What a full disk is called.
const FULL: [&str; 1] = ["No space left on device"];

/// Runs each kind of command in `dir` under limits that grow step by step until it works; how many were tried. `make_room`
/// takes the limit away, and `limit` sets the one of a step, or gives a shell's word for it.
fn until_it_works(scene: &Scene, dir: &Path, why: &[&str], make_room: impl Fn(), limit: impl Fn(u64) -> String) -> u64 {
    let (store, out) = (dir.join("s"), dir.join("o"));
    let (name, source) = (store.display(), scene.place.source());
    let source = source.display();
    let commands = [
        ("build", format!("build {source} {name} --force"), None),
        ("update", format!("update {name} --keep 1"), Some(0)),
        ("transpose", format!("transpose {name} {}", out.display()), Some(0)),
    ];
    let mut tried = 0;
    for (kind, line, before) in commands {
        let mut step = 0;
        loop {
            make_room();
            for path in [&store, &out].into_iter().filter(|path| path.exists()) {
                fs::remove_dir_all(path).unwrap();
            }
            if before.is_some() {
                copy_dir(&scene.store, &store);
            }
            for (path, bytes) in &scene.files {
                fs::write(path, bytes).unwrap();
            }
            let context = format!("{kind}, step {step}");
            let is_done = scene.ends(&limit(step), &line, why);
            tried += 1;
            let after = Some(usize::from(kind != "transpose"));
            scene.holds(&store, if is_done { after } else { before }, &context);
            make_room();
            for dir in [&store, &out].into_iter().filter(|dir| dir.exists()) {
                assert_no_leftovers(dir);
            }
            scene.works(&line);
            scene.holds(&store, after, &format!("{context}, with room again"));
            if kind == "transpose" {
                let open = Store::open(&store).unwrap();
                let report = verify_output(&open, &out, &workers(1), &Silent).unwrap();
                assert_eq!(report.differences, Vec::<String>::new(), "{context}");
            }
            if is_done {
                break;
            }
            step += 1;
            assert!(step < 200, "{context}: it never works");
        }
    }
    tried
}

#[test]
fn on_a_disk_of_any_size_a_command_is_done_or_leaves_what_was_there() {
    let scene = Scene::new();
    let Some(disk) = Disk::mount(scene.place.path("disk"), "size=64m") else { return };
    let tried = until_it_works(
        &scene,
        &disk.path,
        &FULL,
        || disk.remount("size=64m"),
        |step| {
            let now = rustix::fs::statvfs(&disk.path).unwrap();
            let filled = (now.f_blocks - now.f_bfree) * now.f_frsize;
            disk.remount(&format!("size={}", filled.max(4096) + step * STEP));
            String::new()
        },
    );
    println!("{tried} sizes");
}

#[test]
fn with_any_number_of_inodes_a_command_is_done_or_leaves_what_was_there() {
    let scene = Scene::new();
    let Some(disk) = Disk::mount(scene.place.path("disk"), "size=64m,nr_inodes=1000") else { return };
    let tried = until_it_works(
        &scene,
        &disk.path,
        &FULL,
        || disk.remount("nr_inodes=1000"),
        |step| {
            let now = rustix::fs::statvfs(&disk.path).unwrap();
            disk.remount(&format!("nr_inodes={}", now.f_files - now.f_ffree + step));
            String::new()
        },
    );
    println!("{tried} numbers of inodes");
}

#[test]
fn where_no_file_may_grow_beyond_a_size_a_command_is_done_or_leaves_what_was_there() {
    let scene = Scene::new();
    let why = ["File too large"];
    // In units of 512 bytes.
    let tried = until_it_works(&scene, &scene.place.path(""), &why, || (), |step| format!("ulimit -f {};", step * 32));
    println!("{tried} sizes of files");
}

#[test]
fn with_any_number_of_open_files_a_command_is_done_or_leaves_what_was_there() {
    let scene = Scene::new();
    // The loader may find no room itself.
    let why = ["Too many open files", "error while loading shared libraries"];
    let tried = until_it_works(&scene, &scene.place.path(""), &why, || (), |step| format!("ulimit -n {};", 3 + step));
    println!("{tried} numbers of open files");
}

#[test]
fn with_any_address_space_a_command_is_done_or_leaves_what_was_there() {
    let scene = Scene::new();
    let why = ["memory", "error while loading shared libraries", "Resource temporarily unavailable"];
    let tried =
        until_it_works(&scene, &scene.place.path(""), &why, || (), |step| format!("ulimit -v {};", (5 + step) << 12));
    println!("{tried} address spaces");
}
