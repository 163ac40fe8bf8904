//! The file of a plan: JSON behind its checksum, which only the program that wrote it goes on with.

use std::fmt::Write;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::names::{PLAN, no_plan, staging_of};
use crate::error::{Error, Result};
use crate::format::{TEMP_PREFIX, checksum};
use crate::remedy::Remedy;
use crate::storage::{Dir, Disk, FileLock};

/// The version of what plans, receipts and files of rows hold.
pub(crate) const TASKS: u32 = 1;

/// The longest plan: one of some million files.
pub(crate) const LONGEST: u64 = 1 << 30;

/// The most tasks of a kind: an attempt may have a file open for each.
pub(crate) const MOST: usize = 512;

/// How the text of a plan begins, before the checksum of what follows it.
const BEGIN: &str = "{\"checksum\":\"";
const BEGIN_LEN: usize = BEGIN.len() + 16 + 2;

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PlanOf {
    /// To make a store: see [`Tasks`](crate::Tasks).
    Store,
    /// To bring a source of a store up to date: see [`UpdateTasks`](crate::UpdateTasks).
    Update,
    /// To write the files of an output: see [`OutputTasks`](crate::OutputTasks).
    Output,
}

impl PlanOf {
    /// What the plan at `path` is for.
    ///
    /// # Errors
    /// When it is no plan, or that of another version of this library.
    pub fn at(path: impl AsRef<Path>) -> Result<PlanOf> {
        let (staging, name) = staging_of(&Disk::default(), path.as_ref())?;
        Ok(head(&read_text(&staging, name)?, &staging.path().join(name))?.of)
    }

    /// Refuses a plan at `path`, which is for this, where it should be for one of what is `wanted`.
    ///
    /// # Errors
    /// Where it is not.
    pub(crate) fn check(self, wanted: &[PlanOf], path: &Path) -> Result<()> {
        if wanted.contains(&self) {
            return Ok(());
        }
        let wanted: Vec<&str> = wanted.iter().map(|wanted| wanted.what()).collect();
        let what = format!("{} plans {}, and not {}", path.display(), self.what(), wanted.join(" or "));
        Err(Error::refused(what, "run the tasks that it has").about(path))
    }

    fn what(self) -> &'static str {
        match self {
            PlanOf::Store => "a store",
            PlanOf::Update => "an update",
            PlanOf::Output => "the files of an output",
        }
    }
}

/// What a plan says, and that it does not contradict itself.
pub(crate) trait Planned: Serialize + DeserializeOwned {
    fn is_whole(&self) -> bool;
}

/// Who made a plan, whatever else it says.
#[derive(Deserialize)]
struct Head {
    transect: String,
    tasks: u32,
    of: PlanOf,
}

/// Puts a plan in place in the directory `staging`, which it makes, after which tasks may run; the plan's path.
///
/// # Errors
/// When it says what JSON has not, the file system has no locks, or the system refuses.
pub(crate) fn put_plan(disk: &Disk, staging: &Path, plan: &impl Planned) -> Result<String> {
    let rest = serde_json::to_string(plan).map_err(Error::failed("write the plan"))?;
    let rest = rest.strip_prefix('{').unwrap_or_default();
    let text = format!("{BEGIN}{:016x}\",{rest}", checksum(rest.as_bytes()));
    disk.create_dir_to_stay(staging)?;
    // The commit takes a lock: where there is none to take, it would refuse what all others have done.
    let own = File::open(staging).map_err(Error::io("open", staging))?;
    drop(FileLock::exclusive(own, staging)?);
    Dir::open(disk, staging)?.put(&format!("{TEMP_PREFIX}{PLAN}"), PLAN, text.as_bytes())?;
    Ok(staging.join(PLAN).display().to_string())
}

/// Refuses to cut work into so many tasks of a kind.
///
/// # Errors
/// Where these are too many, or none.
pub(crate) fn check_count(count: usize) -> Result<()> {
    if (1..=MOST).contains(&count) {
        return Ok(());
    }
    let way_out = Remedy::Do(format!("cut the work into 1 to {MOST}"));
    Err(Error::refused_unless(format!("{count} parts or bands of tasks"), [way_out]))
}

/// The plan `name` in the staging directory, for one of what is `wanted`, and its checksum.
///
/// # Errors
/// When it is none, is for something else, another version of the program made it, or the system refuses.
pub(crate) fn read_plan<P: Planned>(staging: &Dir, name: &str, wanted: &[PlanOf]) -> Result<(P, u64)> {
    let path = staging.path().join(name);
    let text = read_text(staging, name)?;
    let Head { of, .. } = head(&text, &path)?;
    of.check(wanted, &path)?;
    let plan: P = serde_json::from_str(&text).map_err(|error| wrong(&path, &error.to_string()))?;
    match plan.is_whole() {
        true => Ok((plan, checksum_of(&text).unwrap_or_default())),
        false => Err(wrong(&path, "its numbers contradict each other")),
    }
}

fn wrong(path: &Path, why: &str) -> Error {
    Error::refused(format!("{} is no plan of tasks: {why}", path.display()), "plan again").about(path)
}

/// The text of a plan, which has the checksum that it says.
fn read_text(staging: &Dir, name: &str) -> Result<String> {
    let path = staging.path().join(name);
    let file = staging.open_file(name)?.ok_or_else(|| no_plan(&path))?;
    let byte_len = file.metadata().map_err(Error::io("examine", &path))?.len();
    if byte_len > LONGEST {
        return Err(wrong(&path, "it is too long"));
    }
    let mut text = String::new();
    let mut read = |most: u64| {
        let read = (&file).take(most).read_to_string(&mut text);
        read.map_err(|error| match error.kind() {
            ErrorKind::InvalidData => wrong(&path, "it is no text"),
            _ => Error::io("read", &path)(error),
        })?;
        checksum_of(&text).ok_or_else(|| wrong(&path, "it does not begin as one"))
    };
    // Whatever the file is, and however long: no more of it is read than tells that it is a plan.
    read(BEGIN_LEN as u64)?;
    let own = read(LONGEST)?;
    match text.get(BEGIN_LEN..).is_some_and(|rest| own == checksum(rest.as_bytes())) {
        true => Ok(text),
        false => Err(wrong(&path, "its checksum does not match")),
    }
}

/// The checksum that the text of a plan begins with.
fn checksum_of(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix(BEGIN)?.get(..16)?, 16).ok()
}

/// Who made the plan of this text, which must be this program.
fn head(text: &str, path: &Path) -> Result<Head> {
    let head: Head = serde_json::from_str(text).map_err(|error| wrong(path, &error.to_string()))?;
    let own = env!("CARGO_PKG_VERSION");
    if (head.transect.as_str(), head.tasks) != (own, TASKS) {
        let other = match head.transect == own {
            true => format!("is of tasks of version {}, and this transect has version {TASKS}", head.tasks),
            false => format!("was made by transect {}, and this is {own}", head.transect),
        };
        let what = format!("{} {other}, of which tasks may have other bytes", path.display());
        return Err(Error::refused(what, "run all tasks with the transect that planned them, or plan again"));
    }
    Ok(head)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}
