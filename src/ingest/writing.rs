//! What all that write to a store have in common: their settings, and how a run of them begins and ends.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::gather::stages::Stages;
use super::guard::Guard;
use super::limit::Limit;
use super::update_report::UpdateReport;
use crate::error::Result;
use crate::progress::{Observer, Silent};
use crate::storage::{Access, Disk, wait};
use crate::store::{KeepChange, Opening, StoreWriter};
use crate::workers::DEFAULT_MEMORY;

/// How a store is written to.
pub(super) struct Writing<'a> {
    pub(super) store: PathBuf,
    pub(super) memory: u64,
    pub(super) workers: Option<usize>,
    pub(super) keep: KeepChange,
    pub(super) allowed: Vec<Guard>,
    pub(super) max_restated: Option<Limit>,
    pub(super) max_skipped: Option<Limit>,
    pub(super) dry_run: bool,
    pub(super) wait: Duration,
    pub(super) access: Access,
    pub(super) observer: &'a dyn Observer,
    pub(super) disk: Disk,
}

impl Writing<'_> {
    /// With the defaults of the command line.
    pub(super) fn new(store: PathBuf) -> Writing<'static> {
        Writing {
            store,
            memory: DEFAULT_MEMORY,
            workers: None,
            keep: KeepChange::default(),
            allowed: Vec::new(),
            max_restated: None,
            max_skipped: None,
            dry_run: false,
            wait: Duration::ZERO,
            access: Access::default(),
            observer: &Silent,
            disk: Disk::default(),
        }
    }

    pub(super) fn stages(&self) -> Result<Stages<'_>> {
        Stages::new(self.workers, self.memory, self.observer)
    }

    /// Keeps others from writing to the store.
    pub(super) fn begin(&self, opening: Opening) -> Result<StoreWriter> {
        let access = match opening {
            // What is replaced is hardly looked at: nothing of it is mapped.
            Opening::Create | Opening::Replace => Access::Read,
            _ => self.access,
        };
        wait(self.wait, self.observer, || StoreWriter::begin(&self.store, &self.disk, access, opening))
    }

    /// Makes a change of a store that is there.
    pub(super) fn change(
        &self,
        make: impl FnOnce(&Stages, &mut StoreWriter) -> Result<UpdateReport>,
    ) -> Result<UpdateReport> {
        let started = Instant::now();
        let stages = self.stages()?;
        let mut writer = self.begin(if self.dry_run { Opening::Look } else { Opening::Change })?;
        let result = stages.reading(writer.live()).and_then(|stages| make(&stages, &mut writer));
        let mut report = UpdateReport::finish(result, &mut writer)?;
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }
}

/// The setters of these settings, for a type whose field `writing` has them.
macro_rules! setters {
    ($($setting:ident),+) => { $(setters!(@$setting);)+ };
    (@keep) => {
        /// How many versions the store keeps from now on, at least 1; 7 by default.
        pub fn keep(mut self, versions: u32) -> Self {
            self.writing.keep.versions = Some(versions.max(1));
            self
        }
    };
    (@keep_for) => {
        /// For how long the store keeps a version after another has replaced it, from now on; by default not at all. It
        /// keeps those that this or the number says.
        pub fn keep_for(mut self, age: std::time::Duration) -> Self {
            self.writing.keep.age = Some(age);
            self
        }
    };
    (@memory) => {
        /// Anonymous memory to use, in bytes; 512 MiB by default.
        pub fn memory(mut self, bytes: u64) -> Self {
            self.writing.memory = bytes;
            self
        }
    };
    (@workers) => {
        /// Worker threads; one per core by default, and never more than one for each 16 MiB of memory. One runs on the
        /// calling thread. What is written does not depend on it.
        pub fn workers(mut self, count: usize) -> Self {
            self.writing.workers = Some(count);
            self
        }
    };
    (@max_skipped) => {
        /// How many skipped files of each source are usual, from now on: up to so many are no reason to look, nor for a
        /// guard to stop.
        pub fn max_skipped(mut self, most: $crate::Limit) -> Self {
            self.writing.max_skipped = Some(most);
            self
        }
    };
    (@max_restated) => {
        /// The most rows that may be restated or removed. With more, nothing is published, and the report says what
        /// would have changed.
        pub fn max_restated(mut self, most: $crate::Limit) -> Self {
            self.writing.max_restated = Some(most);
            self
        }
    };
    (@dry_run) => {
        /// Whether to publish nothing and only tell what would change. It leaves nothing behind, and keeps no writer
        /// away.
        pub fn dry_run(mut self, dry_run: bool) -> Self {
            self.writing.dry_run = dry_run;
            self
        }
    };
    (@wait) => {
        /// How long to wait for somebody else who is writing there; by default not at all.
        pub fn wait(mut self, patience: std::time::Duration) -> Self {
            self.writing.wait = patience;
            self
        }
    };
    (@access) => {
        /// How the bytes of the version before reach memory; by mapping its files, by default.
        pub fn access(mut self, access: $crate::storage::Access) -> Self {
            self.writing.access = access;
            self
        }
    };
    (@observer) => {
        /// Who watches.
        pub fn observer(mut self, observer: &'a dyn $crate::progress::Observer) -> Self {
            self.writing.observer = observer;
            self
        }
    };
    (@disk) => {
        /// The disk to write to; a test's may fail.
        pub fn disk(mut self, disk: $crate::storage::Disk) -> Self {
            self.writing.disk = disk;
            self
        }
    };
    (@allow) => {
        /// Guards that stop nothing; by default each does.
        pub fn allow(mut self, guards: impl IntoIterator<Item = $crate::Guard>) -> Self {
            self.writing.allowed.extend(guards);
            self
        }
    };
}
pub(super) use setters;
