//! Plans a build as tasks: lists the files, agrees on what they are, and cuts the work.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::plan::{Decided, Plan};
use crate::error::{Error, Result};
use crate::ingest::build::Build;
use crate::ingest::gather::plan::tasks;
use crate::key::Date;
use crate::skipped::Skipped;
use crate::source::{Agreed, Input, Survey, Surveyor, absolute};
use crate::staging::{PLAN, check_count, check_device, check_new, put_plan};
use crate::storage::{self, Dir};
use crate::store::Ids;

/// How many inputs are opened to see on which dates rows are: the longest ones.
const SAMPLE: usize = 4;

/// How a build is cut into tasks, and where what they make lies until it is published.
#[derive(Debug, Clone)]
pub struct TaskSplit {
    /// The directory that the plan and what tasks make go to; on the store's file system, and for this plan alone.
    pub staging: PathBuf,
    /// How many tasks gather.
    pub parts: usize,
    /// How many tasks seal.
    pub bands: usize,
}

/// What was planned.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct TaskPlanReport {
    /// Where the plan is.
    pub plan: String,
    /// How many tasks gather.
    pub parts: u64,
    /// How many tasks seal.
    pub bands: u64,
    /// Files to read.
    pub files: u64,
    /// Bytes of these files.
    pub source_bytes: u64,
    /// Files that cannot be used, by what they say of themselves.
    pub skipped: Vec<Skipped>,
    /// What else a user should know.
    pub notes: Vec<String>,
}

impl Build<'_> {
    /// Plans the build as tasks, and makes nothing but the plan. What tasks may take is its [`memory`](Build::memory),
    /// each of them.
    ///
    /// # Errors
    /// When no file can be used, there is a store, or the plan cannot be written.
    pub fn plan_tasks(self, split: &TaskSplit) -> Result<TaskPlanReport> {
        let Build { writing, source, mut options, name, .. } = self;
        let stages = writing.stages()?;
        check_count(split.parts)?;
        check_count(split.bands)?;
        // Tasks may be at work elsewhere.
        options.calendar = options.calendar.as_deref().map(absolute);
        let surveyor = Surveyor::new(&source, &options, &stages.workers, writing.observer)?;
        let mut survey = surveyor.survey()?;
        survey.whole_file_limit(stages.share() as u64);
        if survey.inputs.is_empty() {
            let what = format!("no file in {} can be used", source.display());
            return Err(Error::Inputs { what, skipped: survey.skipped, path: Some(source.into()) });
        }
        let (parts, starts) = cut(&survey, split);
        writing.disk.create_dir_to_stay(&split.staging)?;
        let staging = Dir::open(&writing.disk, &split.staging)?;
        check_places(&staging, &writing.store)?;
        let store = std::path::absolute(&writing.store).map_err(Error::io("find", &writing.store))?;
        let decided = Decided {
            store: store.display().to_string(),
            ids: Ids::first(&writing.disk)?,
            memory: stages.workers.memory(),
            name: crate::ingest::build::name_of_source(name, &source),
            keep: writing.keep,
            max_skipped: writing.max_skipped,
            allowed: writing.allowed,
            options,
            change: None,
        };
        let plan = Plan::new(decided, Agreed::of(&survey)?, &parts, starts);
        put_plan(&staging, &plan)?;
        Ok(TaskPlanReport {
            plan: split.staging.join(PLAN).display().to_string(),
            parts: plan.part_count() as u64,
            bands: plan.band_count() as u64,
            files: survey.files().count() as u64,
            source_bytes: survey.files().map(|file| file.byte_len).sum(),
            skipped: survey.skipped,
            notes: survey.notes,
        })
    }
}

/// Refuses a store that is there, a plan that is there, and a store to which segments cannot be moved.
fn check_places(staging: &Dir, store: &Path) -> Result<()> {
    check_new(staging)?;
    let is_empty = match storage::list(store) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(Error::io("read", store)(error)),
    };
    if !is_empty {
        let what = format!("{} is not empty, and tasks make new stores alone", store.display());
        return Err(Error::refused(what, "name a directory that does not exist yet"));
    }
    check_device(staging, store, "segments")
}

/// How the work is cut: the inputs of each part, and the first dates of bands but the first.
pub(super) fn cut(survey: &Survey, split: &TaskSplit) -> (Vec<Range<usize>>, Vec<Date>) {
    let lens: Vec<u64> = survey.inputs.iter().map(|input| input.decoded_len).collect();
    let mut parts = tasks(&lens, split.parts);
    // A scheduler starts as many tasks as it was told; those that are too many have nothing to do.
    parts.resize(split.parts, lens.len()..lens.len());
    (parts, starts(survey, split.bands))
}

/// The first dates of so many bands but the first: they divide evenly the dates of files that name theirs, else those
/// of some inputs.
fn starts(survey: &Survey, count: usize) -> Vec<Date> {
    let period = |input: &Input| Some((survey.options().period_of(&input.unit)?.first, input.row_count));
    let mut dates: Vec<(Date, u64)> = survey.inputs.iter().filter_map(period).collect();
    if dates.is_empty() {
        let mut longest: Vec<&Input> = survey.inputs.iter().collect();
        longest.sort_by_key(|input| std::cmp::Reverse(input.row_count));
        for input in longest.into_iter().take(SAMPLE) {
            // What is wrong with it is told when it is gathered.
            if let Ok(reader) = survey.open(input) {
                dates.extend(reader.dates().iter().map(|date| (*date, 1)));
            }
        }
    }
    dates.sort_unstable();
    let total: u64 = dates.iter().fold(0, |sum, (_, rows)| sum.saturating_add(*rows));
    let (mut starts, mut sum) = (Vec::with_capacity(count), 0u64);
    for (date, rows) in &dates {
        while starts.len() + 1 < count && sum as u128 >= total as u128 * (starts.len() as u128 + 1) / count as u128 {
            starts.push(*date);
        }
        sum = sum.saturating_add(*rows);
    }
    let last = dates.last().map_or(Date::MIN, |(date, _)| *date);
    starts.resize(count - 1, last);
    starts
}
