//! The command is killed: by an impatient administrator, by the kernel that wants its memory, by a machine that shuts
//! down. Nothing in the process can do anything about it any more. The real binary is killed here before each of its
//! operations on the disk (the feature `failpoints` counts them) and at random moments; the store must then hold the
//! version before or the new one, an output directory whole files, and the next run must simply work.
//!
//! `TRANSECT_ROUNDS` and `TRANSECT_SEED` kill more often than the usual run; see `tools/torture`.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array, StringArray, cast::AsArray};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use transect::storage::list;
use transect::store::Collect;
use transect::{Error, Store};

use super::panels::{Place, assert_no_leftovers, batch, copy_dir, read_parquet, setting, verify};

const SIGKILL: i32 = 9;

const STOCKS: usize = 4;
const DATES: i64 = 5;

/// Two at once would hold each other's locks while they start a process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Makes every value of the panel `salt`.
fn write_panel(place: &Place, salt: u32) {
    for stock in 0..STOCKS {
        let dates: ArrayRef =
            Arc::new((0..DATES).map(|day| Some((20240102 + day).to_string())).collect::<StringArray>());
        let values: ArrayRef = Arc::new(Float64Array::from(vec![f64::from(salt); DATES as usize]));
        place.add(&format!("stock {stock}"), &batch(&[("date", dates), ("x", values)]));
    }
}

/// The one value of a whole store; `None` where there is no store.
fn salt_of(store: &Path) -> Option<u32> {
    let live = match Store::open(store) {
        Err(Error::NotAStore { .. } | Error::Unfinished { .. }) => return None,
        opened => opened.unwrap(),
    };
    for version in live.kept_versions().unwrap() {
        let kept = Store::open_version(store, version).unwrap();
        assert_eq!(verify(&kept).damages, Vec::<String>::new(), "version {version}");
        assert_eq!(kept.row_count(), STOCKS as u64 * DATES as u64);
    }
    let dates = live.dates().unwrap();
    let batches = dates.iter().map(|&date| live.section(date).unwrap().batch().unwrap());
    let salts: BTreeSet<u32> = batches.flat_map(|batch| values(batch.column_by_name("x").unwrap())).collect();
    assert_eq!(salts.len(), 1, "version {} is a mixture of {salts:?}", live.version());
    salts.into_iter().next()
}

/// The value of each file in an output directory, which are whole files of so many rows.
fn salts_of(out: &Path, rows: usize) -> BTreeSet<u32> {
    let mut salts = BTreeSet::new();
    for name in list(out).into_iter().flatten() {
        let name = name.unwrap();
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        let batch = read_parquet(&out.join(&name));
        assert_eq!(batch.num_rows(), rows, "{name:?}");
        let salt: BTreeSet<u32> = values(batch.column_by_name("x").unwrap()).into_iter().collect();
        assert_eq!(salt.len(), 1, "{name:?} is a mixture of {salt:?}");
        salts.extend(salt);
    }
    salts
}

fn values(column: &ArrayRef) -> Vec<u32> {
    column.as_primitive::<Float64Type>().values().iter().map(|&value| value as u32).collect()
}

/// The binary with these arguments, run in `place`.
fn transect(place: &Place, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transect"));
    command.current_dir(place.path("")).args(line.split_whitespace());
    command.env_remove("TRANSECT_KILL_AT").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn run(place: &Place, line: &str) {
    assert!(transect(place, line).status().unwrap().success(), "{line}");
}

fn is_killed(status: ExitStatus) -> bool {
    assert!(status.success() || status.signal() == Some(SIGKILL), "{status}");
    !status.success()
}

/// Kills the command before each of its operations, each time over a copy of what `place` holds.
fn kill_everywhere(place: &Place, line: &str, check: impl Fn(&Place, bool)) {
    for at in 0.. {
        let now = Place::in_memory();
        for name in ["source", "store", "out"].into_iter().filter(|name| place.path(name).exists()) {
            copy_dir(&place.path(name), &now.path(name));
        }
        let is_killed = is_killed(transect(&now, line).env("TRANSECT_KILL_AT", at.to_string()).status().unwrap());
        check(&now, !is_killed);
        run(&now, line);
        check(&now, true);
        for name in ["store", "out"].into_iter().filter(|name| now.path(name).exists()) {
            assert_no_leftovers(&now.path(name));
        }
        if !is_killed {
            assert!(at > 5, "{line}: {at} operations");
            return;
        }
    }
}

/// A store of the panel 1, and the panel 2 where it was built from.
fn one_and_two() -> Place {
    let place = Place::in_memory();
    write_panel(&place, 1);
    run(&place, "build source store");
    write_panel(&place, 2);
    place
}

/// After a kill the panel before or the new one is live; after a run that ended, the new one.
fn old_or_new(old: Option<u32>, new: u32) -> impl Fn(&Place, bool) {
    move |place, has_ended| {
        let salt = salt_of(&place.path("store"));
        assert!(salt == Some(new) || (!has_ended && salt == old), "{salt:?}, ended: {has_ended}");
    }
}

#[test]
fn a_first_build_may_be_killed_anywhere() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::in_memory();
    write_panel(&place, 1);
    // What was finished before the kill is in the way of the next run.
    kill_everywhere(&place, "build source store --force", old_or_new(None, 1));
}

#[test]
fn a_forced_build_may_be_killed_anywhere() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    kill_everywhere(&one_and_two(), "build source store --force", old_or_new(Some(1), 2));
}

#[test]
fn an_update_may_be_killed_anywhere() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    kill_everywhere(&one_and_two(), "update store --keep 1", old_or_new(Some(1), 2));
}

/// Each task of a plan is a process of its own, of which the last commits.
#[test]
fn tasks_may_be_killed_anywhere() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::in_memory();
    write_panel(&place, 1);
    run(&place, "task plan source store --staging staging --parts 2 --bands 2");
    let tasks = |kinds: &[(&'static str, usize)]| -> Vec<String> {
        let all = kinds.iter().flat_map(|(kind, count)| (0..*count).map(move |number| format!("{kind} PLAN {number}")));
        all.collect()
    };
    let build = tasks(&[("gather", 2), ("assemble", 1), ("seal", 2), ("commit", 1)]);
    build.iter().for_each(|task| kill_task(&place, task, old_or_new(None, 1)));
    std::fs::remove_dir_all(place.path("staging")).unwrap();
    write_panel(&place, 2);
    run(&place, "task update store --staging staging --parts 2 --bands 2 --allow turned-null");
    let update = tasks(&[("gather", 2), ("assemble", 1), ("compare", 2), ("seal", 2), ("commit", 1)]);
    update.iter().for_each(|task| kill_task(&place, task, old_or_new(Some(1), 2)));
    let whole = transect(&place, "verify store").status().unwrap();
    assert!(whole.success());
}

/// Kills a task before each of its operations, one after the other over what the one before left and a `gc` of the store
/// kept, where there is one, and runs it then.
fn kill_task(place: &Place, task: &str, check: impl Fn(&Place, bool)) {
    let is_one = task.starts_with("assemble") || task.starts_with("commit");
    let task = if is_one { task.rsplit_once(' ').unwrap().0 } else { task };
    let line = format!("task {}", task.replace("PLAN", "staging/plan.json"));
    for at in 0.. {
        let was_killed = is_killed(transect(place, &line).env("TRANSECT_KILL_AT", at.to_string()).status().unwrap());
        check(place, !was_killed && line.contains("commit"));
        if !was_killed {
            return;
        }
        if place.path("store/CURRENT").exists() {
            run(place, "gc store -q");
        }
        assert!(at < 200, "{line}: it does not end");
    }
}

#[test]
fn a_restore_may_be_killed_anywhere() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let place = one_and_two();
    run(&place, "update store");
    kill_everywhere(&place, "restore store --version 1", old_or_new(Some(2), 1));
}

#[test]
fn a_collection_may_be_killed_anywhere() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let place = one_and_two();
    run(&place, "update store");
    write_panel(&place, 3);
    run(&place, "update store");
    kill_everywhere(&place, "gc store --keep 1", old_or_new(None, 3));
}

#[test]
fn a_transpose_may_be_killed_anywhere() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for (line, rows) in [("transpose store out", STOCKS), ("transpose store out --by stock", DATES as usize)] {
        let place = one_and_two();
        run(&place, line);
        run(&place, "update store");
        kill_everywhere(&place, line, |place, has_ended| {
            let salts = salts_of(&place.path("out"), rows);
            let right = if has_ended { BTreeSet::from([2]) } else { BTreeSet::from([1, 2]) };
            assert!(!salts.is_empty() && salts.is_subset(&right), "{line}: {salts:?}, ended: {has_ended}");
        });
    }
}

/// One store lives through all of it; nothing is mended in between.
#[test]
fn commands_may_be_killed_at_any_moment() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut random = ChaCha8Rng::seed_from_u64(setting("TRANSECT_SEED", 1));
    let place = one_and_two();
    let (store, out) = (place.path("store"), place.path("out"));
    let mut longest = Duration::from_millis(30);
    let (mut live, mut killed) = (1, 0);
    let rounds = setting("TRANSECT_ROUNDS", 300) as u32;
    for salt in 2..rounds + 2 {
        write_panel(&place, salt);
        let lines = [
            "update store --keep 2",
            "update store --keep 1",
            "build source store --force",
            "gc store --keep 1",
            "transpose store out",
        ];
        let line = lines[random.next_u32() as usize % lines.len()];
        let started = Instant::now();
        let mut child = transect(&place, line).spawn().unwrap();
        let moment = longest.mul_f64(f64::from(random.next_u32()) / f64::from(u32::MAX));
        while started.elapsed() < moment && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        child.kill().unwrap();
        let has_ended = !is_killed(child.wait().unwrap());
        if has_ended {
            // So that the next moments lie within a run.
            longest = (longest + started.elapsed()) / 2 + Duration::from_millis(2);
        }
        killed += u32::from(!has_ended);
        let context = format!("round {salt}: {line}, ended: {has_ended}");
        let now = salt_of(&store).unwrap();
        let writes = line.starts_with("update") || line.starts_with("build");
        assert!(now == salt && writes || now == live && !(writes && has_ended), "{context}: {now} after {live}");
        live = now;
        let salts = salts_of(&out, STOCKS);
        assert!(salts.iter().all(|&salt| salt <= live), "{context}: {salts:?}");
        assert!(
            !(line.starts_with("transpose") && has_ended) || salts == BTreeSet::from([live]),
            "{context}: {salts:?}"
        );
    }
    assert!(killed > rounds / 10, "{killed} of {rounds} were killed");
    for line in ["update store --keep 1", "transpose store out", "gc store"] {
        run(&place, line);
    }
    assert_eq!((salt_of(&store), salts_of(&out, STOCKS)), (Some(rounds + 1), BTreeSet::from([rounds + 1])));
    assert_no_leftovers(&store);
    assert_no_leftovers(&out);
    assert_eq!(Collect::new(&store).dry_run(true).run().unwrap().files, 0);
}

/// A file system without locks: writers refuse, and say why; readers read.
#[test]
fn where_there_are_no_locks_nobody_writes_and_everybody_reads() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let place = one_and_two();
    run(&place, "transpose store out");
    run(&place, "task update store --staging staging --parts 1 --bands 1");
    let plan = "staging/plan.json";
    ["gather PLAN 0", "assemble PLAN", "compare PLAN 0", "seal PLAN 0"]
        .into_iter()
        .for_each(|task| run(&place, &format!("task {}", task.replace("PLAN", plan))));
    let before = super::panels::entries(&place.path("store"));
    let without = |line: &str, number: i32| {
        let mut command = transect(&place, line);
        command.env("TRANSECT_NO_LOCKS", number.to_string()).stderr(Stdio::piped()).output().unwrap()
    };
    // EIO says nothing of locks.
    assert!(!without("info store", 5).status.success());
    // ENOLCK, ENOSYS and EOPNOTSUPP, which Linux calls ENOTSUP, too.
    for number in [37, 38, 95] {
        let commit = format!("task commit {plan}");
        let writes = [
            "update store",
            "gc store",
            "build source other",
            "transpose store out",
            "append store x.parquet",
            // What it plans could not be committed.
            "task plan source another --staging planned",
            &commit,
        ];
        for line in writes {
            let output = without(line, number);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            // To run a task again would not help.
            let code = if line.starts_with("task") { 2 } else { 1 };
            assert_eq!(output.status.code(), Some(code), "{line}: {said}");
            assert!(said.contains(" has no locks (") && said.contains("mount it with flock"), "{line}: {said}");
        }
        for line in ["info store", "show store", "diff store", "verify store", "coverage store"] {
            let output = without(line, number);
            assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    assert_eq!(super::panels::entries(&place.path("store")), before);
    assert_eq!(salt_of(&place.path("store")), Some(1));
    run(&place, &format!("task commit {plan}"));
    assert_eq!(salt_of(&place.path("store")), Some(2));
}
