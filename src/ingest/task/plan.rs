//! The plan of a build that is cut into tasks: pure data, and all that a task depends on.

use std::fmt::Write;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::receipt::{Kind, Whose};
use crate::error::{Error, Result};
use crate::format::checksum;
use crate::ingest::first::DEFAULT_KEEP;
use crate::ingest::gather::stages::LEAST_MEMORY;
use crate::ingest::guard::Guard;
use crate::ingest::limit::Limit;
use crate::key::Date;
use crate::source::{Agreed, FilesBy, SourceOptions};
use crate::storage::Dir;
use crate::store::{Ids, Keep, KeepChange};

/// The version of what plans, receipts and files of rows hold.
const TASKS: u32 = 1;

/// The longest plan: one of some million files.
pub(super) const LONGEST: u64 = 1 << 30;

/// The most parts, and the most bands: an attempt has a file of each band open.
pub(super) const MOST: usize = 512;

/// How the text of a plan begins, before the checksum of what follows it.
const BEGIN: &str = "{\"checksum\":\"";
const BEGIN_LEN: usize = BEGIN.len() + 16 + 2;

/// What a plan says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The version of the program that made it, which alone goes on with it.
    transect: String,
    tasks: u32,
    /// How many tasks gather, and how many seal, for who runs them.
    parts: usize,
    bands: usize,
    /// Absolute.
    pub(super) store: String,
    store_id: String,
    commit: String,
    /// What a task may take.
    pub(super) memory: u64,
    /// The inputs of each part end here.
    part_ends: Vec<usize>,
    /// The first date of each band but the first, which has all dates before.
    starts: Vec<Date>,
    /// The name of the source.
    pub(super) name: String,
    keep: Option<u32>,
    keep_for: Option<Duration>,
    pub(super) max_skipped: Option<Limit>,
    allowed: Vec<String>,
    /// As they were given.
    pub(super) options: SourceOptions,
    pub(super) agreed: Agreed,
    /// The checksum of its text.
    #[serde(skip)]
    checksum: u64,
}

/// The version of the program, whatever else a plan says.
#[derive(Deserialize)]
struct MadeBy {
    transect: String,
    tasks: u32,
}

/// What is decided on, beside what the files say.
pub(super) struct Decided {
    pub(super) store: String,
    pub(super) ids: Ids,
    pub(super) memory: u64,
    pub(super) name: String,
    pub(super) keep: KeepChange,
    pub(super) max_skipped: Option<Limit>,
    pub(super) allowed: Vec<Guard>,
    pub(super) options: SourceOptions,
}

impl Plan {
    /// A plan of these parts and bands.
    pub(super) fn new(decided: Decided, agreed: Agreed, parts: &[Range<usize>], starts: Vec<Date>) -> Plan {
        Plan {
            transect: env!("CARGO_PKG_VERSION").to_owned(),
            tasks: TASKS,
            parts: parts.len(),
            bands: starts.len() + 1,
            store: decided.store,
            store_id: hex(&decided.ids.store_id),
            commit: hex(&decided.ids.commit.to_be_bytes()),
            memory: decided.memory,
            part_ends: parts.iter().map(|part| part.end).collect(),
            starts,
            name: decided.name,
            keep: decided.keep.versions,
            keep_for: decided.keep.age,
            max_skipped: decided.max_skipped,
            allowed: decided.allowed.iter().map(Guard::to_string).collect(),
            options: decided.options,
            agreed,
            checksum: 0,
        }
    }

    /// The text of the plan.
    ///
    /// # Errors
    /// When it is nothing that JSON has.
    pub(super) fn encode(&self) -> Result<String> {
        let rest = serde_json::to_string(self).map_err(Error::failed("write the plan"))?;
        let rest = rest.strip_prefix('{').unwrap_or_default();
        Ok(format!("{BEGIN}{:016x}\",{rest}", checksum(rest.as_bytes())))
    }

    /// The plan `name` in the staging directory.
    ///
    /// # Errors
    /// When it is none, another version of the program made it, or the system refuses.
    pub(super) fn read(staging: &Dir, name: &str) -> Result<Plan> {
        let path = staging.path().join(name);
        let missing = || Error::refused(format!("{} is not there", path.display()), "name a plan of tasks");
        let file = staging.open_file(name)?.ok_or_else(missing)?;
        let byte_len = file.metadata().map_err(Error::io("read", &path))?.len();
        let wrong = |why: &str| {
            Error::refused(format!("{} is no plan of tasks: {why}", path.display()), "plan again").about(&path)
        };
        if byte_len > LONGEST {
            return Err(wrong("it is too long"));
        }
        let mut text = String::new();
        let read = std::io::Read::read_to_string(&mut std::io::Read::take(file, LONGEST), &mut text);
        read.map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => wrong("it is no text"),
            _ => Error::io("read", &path)(error),
        })?;
        Plan::decode(&text, &path).map_err(|why| wrong(&why))?
    }

    /// What `text` says; the outer error is why it is none, the inner one that another program made it.
    fn decode(text: &str, path: &Path) -> Result<Result<Plan>, String> {
        let begins = || {
            let own = text.strip_prefix(BEGIN)?.get(..16)?;
            Some((u64::from_str_radix(own, 16).ok()?, text.get(BEGIN_LEN..)?))
        };
        let (own, rest) = begins().ok_or("it does not begin as one")?;
        if own != checksum(rest.as_bytes()) {
            return Err("its checksum does not match".to_owned());
        }
        let MadeBy { transect, tasks } = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if (transect.as_str(), tasks) != (env!("CARGO_PKG_VERSION"), TASKS) {
            let what = format!(
                "{} was made by transect {transect}, and this is {}, of which tasks may have other bytes",
                path.display(),
                env!("CARGO_PKG_VERSION")
            );
            return Ok(Err(Error::refused(what, "run all tasks with the transect that planned them, or plan again")));
        }
        let mut plan: Plan = serde_json::from_str(text).map_err(|error| error.to_string())?;
        plan.checksum = own;
        match plan.is_whole() {
            true => Ok(Ok(plan)),
            false => Err("its numbers contradict each other".to_owned()),
        }
    }

    fn is_whole(&self) -> bool {
        let ends = &self.part_ends;
        self.agreed.is_whole()
            && self.memory >= LEAST_MEMORY
            && (self.parts, self.bands) == (ends.len(), self.starts.len() + 1)
            && (1..=MOST).contains(&ends.len())
            && ends.is_sorted()
            && ends.last() == Some(&self.agreed.input_count())
            && self.starts.len() < MOST
            && self.starts.is_sorted()
            && unhex::<16>(&self.store_id).is_some()
            && unhex::<8>(&self.commit).is_some()
            && self.allowed.iter().all(|word| word.parse::<Guard>().is_ok())
    }

    /// The numbers of the version that is made, which may get another version.
    pub(super) fn ids(&self) -> Ids {
        let store_id = unhex(&self.store_id).unwrap_or_default();
        let commit = u64::from_be_bytes(unhex(&self.commit).unwrap_or_default());
        Ids { store_id, version: 1, commit, next_column: 2, next_source: 0 }
    }

    pub(super) fn part_count(&self) -> usize {
        self.part_ends.len()
    }

    pub(super) fn band_count(&self) -> usize {
        self.starts.len() + 1
    }

    /// The inputs of a part.
    pub(super) fn part(&self, part: usize) -> Range<usize> {
        let start = part.checked_sub(1).map_or(0, |before| self.part_ends[before]);
        start..self.part_ends[part]
    }

    /// The first date of each band but the first.
    pub(super) fn starts(&self) -> &[Date] {
        &self.starts
    }

    /// The band that `date` is on.
    pub(super) fn band_of(&self, date: Date) -> usize {
        self.starts.partition_point(|start| *start <= date)
    }

    /// Whether its files are by date.
    pub(super) fn is_by_date(&self) -> bool {
        self.options.files_by == FilesBy::Date
    }

    /// Which receipt is that of a task.
    pub(super) fn whose(&self, kind: Kind, number: usize) -> Whose {
        Whose { kind, plan: self.checksum, number }
    }

    /// Bytes that receipts may have together.
    pub(super) fn receipt_limit(&self) -> u64 {
        self.memory / 2
    }

    /// Which versions the store keeps.
    pub(super) fn keep(&self) -> Keep {
        KeepChange { versions: self.keep, age: self.keep_for }.of(DEFAULT_KEEP)
    }

    /// The guards that stop nothing.
    pub(super) fn allowed(&self) -> Vec<Guard> {
        self.allowed.iter().filter_map(|word| word.parse().ok()).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}
