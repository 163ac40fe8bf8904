//! Clears away what tasks left: by age alone, since what failed may be run again.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::FileType;
use serde::Deserialize;

use super::names::{ASSEMBLY, ATTEMPT_PREFIX, PLAN};
use super::plan_file::LONGEST;
use crate::error::{Error, Result};
use crate::format::TEMP_PREFIX;
use crate::storage::{Dir, Disk, Found};
use crate::store::CollectReport;

/// Where a plan of any version of the program says that its store will be.
#[derive(Deserialize)]
struct Planned {
    store: String,
}

/// Removes the staging directory of tasks that make, or made, the store at `store`, where nothing in it was written
/// since `age`; else only what attempts left that are so old. A dry run only counts.
///
/// # Errors
/// When it is no staging directory, or that of another store, or the system refuses.
pub fn clear_staging(staging: &Path, store: &Path, age: Duration, dry_run: bool) -> Result<CollectReport> {
    let disk = Disk::default();
    let dir = Dir::open(&disk, staging)?;
    check(&dir, store)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = i64::try_from(now.saturating_sub(age).as_nanos()).unwrap_or(i64::MAX);
    let mut report = CollectReport::default();
    let mut files: Vec<(String, Found)> = Vec::new();
    let mut is_old = true;
    for name in dir.names()? {
        match dir.enter(&name) {
            Ok(Some(attempt)) if name.starts_with(ATTEMPT_PREFIX) => {
                let own = found(&attempt)?;
                let begun = dir.look(&name)?.map_or(0, |found| found.modified_ns);
                let newest = own.iter().map(|(_, found)| found.modified_ns).max().unwrap_or(0).max(begun);
                is_old &= newest < since;
                if newest < since {
                    remove(&attempt, &own, dry_run, &mut report)?;
                    _ = dry_run || dir.remove_empty(&name)?;
                }
            }
            _ => files.extend(dir.look(&name)?.map(|found| (name, found))),
        }
    }
    if !is_old || files.iter().any(|(_, found)| found.modified_ns >= since) {
        return Ok(report);
    }
    // The plan goes last: it says what the others are.
    files.sort_by_key(|(name, _)| name == PLAN);
    remove(&dir, &files, dry_run, &mut report)?;
    _ = dry_run || disk.remove_empty_dir(staging)?;
    Ok(report)
}

/// What there is in a directory, and in those below it, which come after what they hold.
fn found(dir: &Dir) -> Result<Vec<(String, Found)>> {
    let mut all = Vec::new();
    for name in dir.names()? {
        if let Some(below) = dir.enter(&name)? {
            all.extend(found(&below)?.into_iter().map(|(own, found)| (format!("{name}/{own}"), found)));
        }
        all.extend(dir.look(&name)?.map(|found| (name, found)));
    }
    Ok(all)
}

fn remove(dir: &Dir, files: &[(String, Found)], dry_run: bool, report: &mut CollectReport) -> Result<()> {
    for (path, found) in files {
        let is_dir = found.kind == FileType::Directory;
        if let Some((holder, name)) = dir.holder(path)?.filter(|_| !dry_run) {
            if is_dir { holder.remove_empty(name).map(drop) } else { holder.remove(name) }?;
        }
        if is_dir {
            continue;
        }
        report.files += 1;
        report.bytes += found.byte_len;
    }
    Ok(())
}

/// Whether `name` is one that tasks give.
fn is_ours(name: &str) -> bool {
    let is_numbered = |rest: &str| rest.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    let numbered = ["part-", "changes-", "band-", "segment-", "files-", "file-"]
        .into_iter()
        .filter_map(|prefix| name.strip_prefix(prefix));
    [PLAN, ASSEMBLY].contains(&name)
        || name.starts_with(ATTEMPT_PREFIX)
        || name.strip_prefix(TEMP_PREFIX) == Some(PLAN)
        || numbered.into_iter().any(is_numbered)
}

/// Refuses a directory that has anything else, or a plan of another store.
fn check(dir: &Dir, store: &Path) -> Result<()> {
    let path = dir.path().display();
    if let Some(other) = dir.names()?.iter().find(|name| !is_ours(name)) {
        let what = format!("{path} has {other:?}, which no task of transect left");
        return Err(Error::refused(what, "name the staging directory of a plan, or remove that").about(dir.path()));
    }
    let Some(file) = dir.open_file(PLAN)? else { return Ok(()) };
    let text = std::io::BufReader::new(std::io::Read::take(file, LONGEST));
    let planned: Planned = serde_json::from_reader(text).map_err(|error| {
        Error::refused(format!("{path}/{PLAN} is no plan of tasks: {error}"), "remove the directory yourself")
    })?;
    match std::path::absolute(store).is_ok_and(|store| store == Path::new(&planned.store)) {
        true => Ok(()),
        false => Err(Error::refused(format!("{path} is of the store {}", planned.store), "name that store")),
    }
}
