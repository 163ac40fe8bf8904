//! Plans an update of a source as tasks: looks which files are not as they were, and cuts the work.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::plan::{Change, Decided, Plan};
use super::scanned::Scanned;
use super::task_plan::{TaskSplit, cut};
use crate::error::{Error, Result};
use crate::ingest::gather::intake::Gathered;
use crate::ingest::gather::stages::Stages;
use crate::ingest::join::Join;
use crate::ingest::seams::Seams;
use crate::ingest::settings::Settings;
use crate::ingest::source_update::Pass;
use crate::ingest::update::Update;
use crate::key::Date;
use crate::shuffle::SpillMap;
use crate::skipped::Skipped;
use crate::source::{Agreed, OptionChanges, Scan, SourceOptions, Survey, Surveyor};
use crate::staging::{PLAN, check_count, check_device, check_new, hex, put_plan};
use crate::storage::{Access, Dir};
use crate::store::{Opening, Store, StoreWriter};

/// What was planned of an update.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct UpdatePlanReport {
    /// Where the plan is; `None` where all is as it was, so that there is nothing to do.
    pub plan: Option<String>,
    /// The version that it goes on from.
    pub version: u64,
    /// How many tasks gather.
    pub parts: u64,
    /// How many tasks compare, and seal.
    pub bands: u64,
    /// Files to read.
    pub files: u64,
    /// Bytes of these files.
    pub source_bytes: u64,
    /// Files that are as they were.
    pub unchanged_files: u64,
    /// Files that cannot be used, by what they say of themselves.
    pub skipped: Vec<Skipped>,
    /// What else a user should know.
    pub notes: Vec<String>,
}

/// Ends a run once it is known which files there are.
struct Planning<'a> {
    split: &'a TaskSplit,
    /// What each look found.
    scans: Mutex<Vec<Scanned>>,
    found: Mutex<Option<Found>>,
}

/// What the files that are not as they were turned out to be, and how they are cut.
struct Found {
    agreed: Agreed,
    parts: Vec<Range<usize>>,
    starts: Vec<Date>,
    options: SourceOptions,
    files: u64,
    source_bytes: u64,
    skipped: Vec<Skipped>,
    notes: Vec<String>,
}

impl Seams for Planning<'_> {
    fn scan(&self, look: &dyn Fn() -> Result<Scan>) -> Result<Scan> {
        let scan = look()?;
        self.scans.lock().unwrap_or_else(PoisonError::into_inner).push(Scanned::of(&scan));
        Ok(scan)
    }

    fn read(
        &self,
        surveyor: Surveyor,
        check: &dyn Fn(&Survey) -> Result<()>,
        stages: &Stages,
        _: &StoreWriter,
        _: &Store,
    ) -> Result<(Survey, Option<(SpillMap, Gathered)>)> {
        let mut survey = surveyor.survey()?;
        check(&survey)?;
        survey.whole_file_limit(stages.share() as u64);
        let (parts, starts) = cut(&survey, self.split);
        let found = Found {
            agreed: Agreed::of(&survey)?,
            parts,
            starts,
            options: survey.options().clone(),
            files: survey.files().count() as u64,
            source_bytes: survey.files().map(|file| file.byte_len).sum(),
            skipped: survey.skipped.clone(),
            notes: survey.notes.clone(),
        };
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        Ok((survey, None))
    }
}

impl Update<'_> {
    /// Plans the update of a source as tasks, and makes nothing but the plan. What tasks may take is its
    /// [`memory`](Update::memory), each of them.
    ///
    /// # Errors
    /// When the update would be refused here, the store has several sources and not one is named, something is asked for
    /// that tasks do not do, or the plan cannot be written.
    pub fn plan_tasks(self, split: &TaskSplit) -> Result<UpdatePlanReport> {
        let stages = self.writing.stages()?;
        check_count(split.parts)?;
        check_count(split.bands)?;
        let writer = self.writing.begin(Opening::Look)?;
        let live = writer.live()?;
        let stages = stages.reading(Ok(live))?;
        let place = self.one_source(live)?;
        self.check_tasks(live, place)?;
        self.writing.disk.create_dir_to_stay(&split.staging)?;
        let staging = Dir::open(&self.writing.disk, &split.staging)?;
        check_new(&staging)?;
        check_device(&staging, &self.writing.store, "segments")?;
        let planning = Planning { split, scans: Mutex::default(), found: Mutex::default() };
        let pass = Pass { rereads: self.reread, keeps_map: false, is_changed: false };
        let step = self.update((&stages, &planning), &writer, (place, pass), &mut HashMap::new())?;
        let mut report = UpdatePlanReport {
            plan: None,
            version: live.version(),
            parts: split.parts as u64,
            bands: split.bands as u64,
            files: 0,
            source_bytes: 0,
            unchanged_files: step.report.unchanged_files,
            skipped: step.report.skipped,
            notes: step.report.notes,
        };
        let scans = planning.scans.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = planning.found.into_inner().unwrap_or_else(PoisonError::into_inner) else {
            return Ok(report);
        };
        // A second look is one at which all files are read again.
        let rereads = self.reread || scans.len() > 1;
        let store = std::path::absolute(&self.writing.store).map_err(Error::io("find", &self.writing.store))?;
        (report.files, report.source_bytes) = (found.files, found.source_bytes);
        (report.skipped, report.notes) = (found.skipped, found.notes);
        let decided = Decided {
            store: store.display().to_string(),
            ids: writer.ids(),
            memory: stages.workers.memory(),
            name: live.source_names()?[place].to_owned(),
            keep: self.writing.keep,
            max_skipped: self.writing.max_skipped,
            allowed: self.writing.allowed.clone(),
            options: found.options,
            change: scans.into_iter().next_back().map(|scan| Change {
                before: hex(&live.commit().to_be_bytes()),
                version: writer.version(),
                rereads,
                prune: self.prune,
                reads: self.writing.access == Access::Read,
                max_restated: self.writing.max_restated,
                scan,
            }),
        };
        put_plan(&staging, &Plan::new(decided, found.agreed, &found.parts, found.starts))?;
        report.plan = Some(split.staging.join(PLAN).display().to_string());
        Ok(report)
    }

    /// The place of the one source that is updated.
    fn one_source(&self, live: &Store) -> Result<usize> {
        match self.places(live)?[..] {
            [place] => Ok(place),
            _ => {
                let names = live.source_names()?.join(", ");
                let what = format!("{} has several sources, {names}", live.path().display());
                Err(Error::refused(what, "plan the update of one of them, commit it, and plan the next"))
            }
        }
    }

    /// Refuses what tasks do not do.
    fn check_tasks(&self, live: &Store, place: usize) -> Result<()> {
        let settings = Settings::of(&live.of_source(place))?;
        let refuse = |what: &str| Err(Error::refused(what, "run the update here, and not as tasks"));
        let is_set = !self.assignments.is_empty() || self.changes != OptionChanges::default();
        if is_set || self.expected.is_some() || self.writing.dry_run {
            return refuse("tasks bring a source up to date, and change or expect nothing else");
        }
        if settings.options.code_map.is_some() {
            return refuse("tasks follow no code map");
        }
        if settings.source.is_none() {
            return refuse("the source has no files");
        }
        for other in 0..live.source_names()?.len() {
            if Settings::of(&live.of_source(other))?.join == Join::Left {
                return refuse("a source of the store joins left, and its rows follow those of others");
            }
        }
        Ok(())
    }
}
