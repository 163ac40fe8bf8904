//! The plan of a build that is cut into tasks: pure data, and all that a task depends on.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ingest::first::DEFAULT_KEEP;
use crate::ingest::guard::Guard;
use crate::ingest::join::Join;
use crate::ingest::limit::Limit;
use crate::key::Date;
use crate::source::{Agreed, FilesBy, KnownFile, Scan, SourceOptions};
use crate::staging::{Kind, MOST, PlanOf, Planned, TASKS, Whose, hex, read_plan, unhex};
use crate::storage::{Access, Dir};
use crate::store::{Ids, Keep, KeepChange};
use crate::workers::LEAST_MEMORY;

/// What a plan says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The version of the program that made it, which alone goes on with it.
    transect: String,
    tasks: u32,
    pub(super) of: PlanOf,
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
    /// What an update goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<Base>,
    /// The checksum of its text.
    #[serde(skip)]
    checksum: u64,
}

/// What an update goes on from, and what it is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Base {
    /// The commit of the version that it goes on from.
    pub(super) before: u64,
    /// The version that it makes.
    pub(super) version: u64,
    /// How the source joins the others, where it is a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) joins: Option<Join>,
    /// How the files are appended, where they are no source's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) appends: Option<Appending>,
    /// Whether all files of the source are read again.
    pub(super) rereads: bool,
    pub(super) prune: bool,
    /// Whether the bytes of the store are read, and not mapped.
    pub(super) reads: bool,
    pub(super) max_restated: Option<Limit>,
    pub(super) scan: Scan,
}

/// How per-date files are appended.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Appending {
    pub(super) replace: bool,
    /// Columns of the files to leave out, beside those that the store leaves out.
    pub(super) exclude: Vec<String>,
    /// What those of the source's own files are that are not as the store remembers them.
    pub(super) files_now: Vec<(String, KnownFile)>,
}

impl Base {
    /// How the bytes of that version reach memory.
    pub(super) fn access(&self) -> Access {
        if self.reads { Access::Read } else { Access::Map }
    }
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
    pub(super) base: Option<Base>,
}

impl Plan {
    /// A plan of these parts and bands.
    pub(super) fn new(decided: Decided, agreed: Agreed, parts: &[Range<usize>], starts: Vec<Date>) -> Plan {
        Plan {
            transect: env!("CARGO_PKG_VERSION").to_owned(),
            tasks: TASKS,
            of: if decided.base.is_some() { PlanOf::Update } else { PlanOf::Store },
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
            base: decided.base,
            checksum: 0,
        }
    }

    /// The plan `name` in the staging directory, which is to be of one of these.
    ///
    /// # Errors
    /// When it is none, another version of the program made it, or the system refuses.
    pub(super) fn read(staging: &Dir, name: &str, of: &[PlanOf]) -> Result<Plan> {
        let (plan, checksum) = read_plan::<Plan>(staging, name, of)?;
        Ok(Plan { checksum, ..plan })
    }

    /// The numbers of the version that is made, which may get another version.
    pub(super) fn ids(&self) -> Ids {
        let store_id = unhex(&self.store_id).unwrap_or_default();
        let commit = u64::from_be_bytes(unhex(&self.commit).unwrap_or_default());
        let version = self.base.as_ref().map_or(1, |base| base.version);
        Ids { store_id, version, commit, next_column: 2, next_source: 0 }
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
        self.keep_change().of(DEFAULT_KEEP)
    }

    /// What is said of the versions that the store keeps.
    pub(super) fn keep_change(&self) -> KeepChange {
        KeepChange { versions: self.keep, age: self.keep_for }
    }

    /// What an update goes on from.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn base(&self) -> Result<&Base> {
        self.base.as_ref().ok_or_else(|| Error::refused("it plans no change of a store", "plan again"))
    }

    /// How its files are appended, where they are.
    pub(super) fn appends(&self) -> Option<&Appending> {
        self.base.as_ref()?.appends.as_ref()
    }

    /// The guards that stop nothing.
    pub(super) fn allowed(&self) -> Vec<Guard> {
        self.allowed.iter().filter_map(|word| word.parse().ok()).collect()
    }
}

impl Planned for Plan {
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
            && (self.of == PlanOf::Update) == self.base.is_some()
            && self.allowed.iter().all(|word| word.parse::<Guard>().is_ok())
    }
}
