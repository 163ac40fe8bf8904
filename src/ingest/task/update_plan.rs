//! Plans a change of a source as tasks, a new one, or an append to one: looks which files are not as they were, and cuts
//! the work.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::plan::{Appending, Base, Decided, Plan};
use super::task_plan::{TaskSplit, cut, parts, starts};
use crate::error::{Error, Result};
use crate::ingest::add::AddSource;
use crate::ingest::append::Append;
use crate::ingest::dated::OwnFiles;
use crate::ingest::gather::intake::Gathered;
use crate::ingest::gather::sections::{FilesRead, GivenFiles};
use crate::ingest::gather::stages::Stages;
use crate::ingest::join::Join;
use crate::ingest::seams::Seams;
use crate::ingest::settings::Settings;
use crate::ingest::source_update::Pass;
use crate::ingest::steps::Step;
use crate::ingest::update::Update;
use crate::ingest::writing::Writing;
use crate::key::Date;
use crate::shuffle::SpillMap;
use crate::skipped::Skipped;
use crate::source::{Agreed, Allowance, OptionChanges, Scan, SourceOptions, Survey, Surveyor, absolute, section_date};
use crate::staging::{check_count, check_staging, put_plan};
use crate::storage::Access;
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
    /// What the last look found.
    scan: Mutex<Scan>,
    cut: Mutex<Option<Cut>>,
}

/// What the files that are not as they were turned out to be, and how they are cut.
struct Cut {
    rereads: bool,
    agreed: Agreed,
    parts: Vec<Range<usize>>,
    starts: Vec<Date>,
    files: u64,
    source_bytes: u64,
    skipped: Vec<Skipped>,
    notes: Vec<String>,
}

impl Planning<'_> {
    fn note(&self, cut: Cut) {
        *self.cut.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut);
    }
}

impl Seams for Planning<'_> {
    fn reads_again(&self) -> bool {
        false
    }

    fn scan(&self, look: &dyn Fn() -> Result<Scan>) -> Result<Scan> {
        let scan = look()?;
        self.scan.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&scan);
        Ok(scan)
    }

    fn read(
        &self,
        (surveyor, rereads): (Surveyor, bool),
        check: &dyn Fn(&Survey) -> Result<()>,
        stages: &Stages,
        _: &StoreWriter,
        _: &Store,
    ) -> Result<(Survey, Option<(SpillMap, Gathered)>)> {
        let mut survey = surveyor.survey()?;
        check(&survey)?;
        survey.whole_file_limit(stages.share() as u64);
        let (parts, starts) = cut(&survey, self.split);
        let cut = Cut {
            rereads,
            agreed: Agreed::of(&survey)?,
            parts,
            starts,
            files: survey.files().count() as u64,
            source_bytes: survey.files().map(|file| file.byte_len).sum(),
            skipped: survey.skipped.clone(),
            notes: survey.notes.clone(),
        };
        self.note(cut);
        Ok((survey, None))
    }

    fn append(
        &self,
        given: &GivenFiles,
        check: &dyn Fn() -> Result<Vec<String>>,
        stages: &Stages,
        _: &StoreWriter,
    ) -> Result<Option<FilesRead>> {
        let (notes, workers) = (check()?, &stages.workers);
        let agreed = Agreed::of_files(given.files, given.panel)?;
        let survey = agreed.survey(workers.memory())?;
        let lens: Vec<u64> = survey.files().map(|file| file.byte_len).collect();
        let allowance = Allowance::new(workers.memory(), workers.count());
        let dates = workers.try_map(given.files.len(), |at| {
            let date = section_date(&given.files[at], given.options, given.panel, &allowance);
            Ok(date.map(|date| (date, lens[at])))
        })?;
        self.note(Cut {
            rereads: false,
            agreed,
            parts: parts(&lens, self.split.parts),
            starts: starts(dates.into_iter().flatten().collect(), self.split.bands),
            files: lens.len() as u64,
            source_bytes: lens.iter().sum(),
            skipped: Vec::new(),
            notes,
        });
        Ok(None)
    }
}

/// What is planned.
struct Asked {
    /// The source.
    name: String,
    options: SourceOptions,
    prune: bool,
    /// How it joins the others, where it is a new one.
    joins: Option<Join>,
    /// How its files are appended, where they are no source's own.
    appends: Option<Appending>,
}

/// Plans what `run` does up to where files are read.
fn plan(
    writing: &Writing,
    split: &TaskSplit,
    run: impl FnOnce((&Stages, &dyn Seams), &StoreWriter) -> Result<(Step, Asked)>,
) -> Result<UpdatePlanReport> {
    let stages = writing.stages()?;
    check_count(split.parts)?;
    check_count(split.bands)?;
    check_staging(&split.staging, &writing.store, "segments")?;
    let writer = writing.begin(Opening::Look)?;
    let live = writer.live()?;
    let stages = stages.reading(Ok(live))?;
    let planning = Planning { split, scan: Mutex::default(), cut: Mutex::default() };
    let (step, Asked { name, options, prune, joins, appends }) = run((&stages, &planning), &writer)?;
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
    let Some(cut) = planning.cut.into_inner().unwrap_or_else(PoisonError::into_inner) else {
        return Ok(report);
    };
    let store = std::path::absolute(&writing.store).map_err(Error::io("find", &writing.store))?;
    (report.files, report.source_bytes) = (cut.files, cut.source_bytes);
    (report.skipped, report.notes) = (cut.skipped, cut.notes);
    let decided = Decided {
        store: store.display().to_string(),
        ids: writer.ids(),
        memory: stages.workers.memory(),
        name,
        keep: writing.keep,
        max_skipped: writing.max_skipped,
        allowed: writing.allowed.clone(),
        // Tasks may be at work elsewhere.
        options: SourceOptions { calendar: options.calendar.as_deref().map(absolute), ..options },
        base: Some(Base {
            before: live.commit(),
            version: writer.version(),
            joins,
            appends,
            rereads: cut.rereads,
            prune,
            reads: writing.access == Access::Read,
            max_restated: writing.max_restated,
            scan: planning.scan.into_inner().unwrap_or_else(PoisonError::into_inner),
        }),
    };
    let plan = Plan::new(decided, cut.agreed, &cut.parts, cut.starts);
    report.plan = Some(put_plan(&writing.disk, &split.staging, &plan)?);
    Ok(report)
}

/// Refuses what tasks do not do.
fn refuse<T>(what: &str) -> Result<T> {
    Err(Error::refused(what, "run it here, and not as tasks"))
}

impl AddSource<'_> {
    /// Plans the addition of one source as tasks, which are those of an update, and makes nothing but the plan. What
    /// tasks may take is its [`memory`](AddSource::memory), each of them.
    ///
    /// # Errors
    /// When the source could not be added here, there is more than one, no file can be used, or the plan cannot be
    /// written.
    pub fn plan_tasks(self, split: &TaskSplit) -> Result<UpdatePlanReport> {
        let [directory] = &self.directories[..] else {
            return refuse("tasks add the source of one directory");
        };
        if self.writing.dry_run {
            return refuse("tasks add a source, and try nothing");
        }
        plan(&self.writing, split, |with, writer| {
            let step = self.add(with, writer, directory)?;
            let (name, options) = (self.name_of(directory), self.options.clone());
            Ok((step, Asked { name, options, prune: false, joins: Some(self.join), appends: None }))
        })
    }
}

impl Append<'_> {
    /// Plans the append of its files as tasks, which are those of an update, and makes nothing but the plan. What tasks may
    /// take is its [`memory`](Append::memory), each of them.
    ///
    /// # Errors
    /// When there is no such source, something is asked for that tasks do not do, or the plan cannot be written.
    pub fn plan_tasks(self, split: &TaskSplit) -> Result<UpdatePlanReport> {
        if self.is_of_rows() || self.writing.dry_run {
            return refuse("tasks append the rows of files, and try nothing");
        }
        plan(&self.writing, split, |with, writer| {
            let step = self.append(with, writer, None)?;
            let live = writer.live()?;
            let place = self.place(live)?;
            let (before, name) = (live.of_source(place), live.source_names()?[place].to_owned());
            let own = OwnFiles { settings: &Settings::of(&before)?, files: &before.files()? };
            let appends =
                Appending { replace: self.replace, exclude: self.exclude.clone(), files_now: own.changed(with.0)? };
            let options = SourceOptions::by_date();
            Ok((step, Asked { name, options, prune: false, joins: None, appends: Some(appends) }))
        })
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
        plan(&self.writing, split, |with, writer| {
            let live = writer.live()?;
            let place = self.one_source(live)?;
            let options = self.check_tasks(live, place)?;
            let pass = Pass { rereads: self.reread, keeps_map: false, is_changed: false };
            let step = self.update(with, writer, (place, pass), &mut HashMap::new())?;
            let name = live.source_names()?[place].to_owned();
            Ok((step, Asked { name, options, prune: self.prune, joins: None, appends: None }))
        })
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

    /// How the source is read, of which tasks do all that is asked for.
    fn check_tasks(&self, live: &Store, place: usize) -> Result<SourceOptions> {
        let settings = Settings::of(&live.of_source(place))?;
        let is_set = !self.assignments.is_empty() || self.changes != OptionChanges::default();
        if is_set || self.expected.is_some() || self.writing.dry_run {
            return refuse("tasks bring a source up to date, and change or expect nothing else");
        }
        if settings.source.is_none() {
            return refuse("the source has no files");
        }
        Ok(settings.options)
    }
}
