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
use crate::staging::{check_count, check_staging, put_plan};
use crate::storage;
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
        let disk = writing.disk.clone();
        let stages = writing.stages()?;
        check_count(split.parts)?;
        check_count(split.bands)?;
        check_places(&split.staging, &writing.store)?;
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
        let store = std::path::absolute(&writing.store).map_err(Error::io("find", &writing.store))?;
        let decided = Decided {
            store: store.display().to_string(),
            ids: Ids::first(&disk)?,
            memory: stages.workers.memory(),
            name: crate::ingest::build::name_of_source(name, &source),
            keep: writing.keep,
            max_skipped: writing.max_skipped,
            allowed: writing.allowed,
            options,
            base: None,
        };
        let plan = Plan::new(decided, Agreed::of(&survey)?, &parts, starts);
        Ok(TaskPlanReport {
            plan: put_plan(&disk, &split.staging, &plan)?,
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
fn check_places(staging: &Path, store: &Path) -> Result<()> {
    check_staging(staging, store, "segments")?;
    let is_empty = match storage::list(store) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(Error::io("read", store)(error)),
    };
    if !is_empty {
        let what = format!("{} is not empty, and tasks make new stores alone", store.display());
        return Err(Error::refused(what, "name a directory that does not exist yet"));
    }
    Ok(())
}

/// How the work is cut: the inputs of each part, and the first dates of bands but the first.
pub(super) fn cut(survey: &Survey, split: &TaskSplit) -> (Vec<Range<usize>>, Vec<Date>) {
    let lens: Vec<u64> = survey.inputs.iter().map(|input| input.decoded_len).collect();
    (parts(&lens, split.parts), starts(dates(survey), split.bands))
}

/// The inputs of so many parts, of which each has about the same share of these lengths.
pub(super) fn parts(lens: &[u64], count: usize) -> Vec<Range<usize>> {
    let mut parts = tasks(lens, count);
    // A scheduler starts as many tasks as it was told; those that are too many have nothing to do.
    parts.resize(count, lens.len()..lens.len());
    parts
}

/// The dates of files that name theirs, else those of some inputs, each with how much there is of it.
fn dates(survey: &Survey) -> Vec<(Date, u64)> {
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
    dates
}

/// The first dates of so many bands but the first, which divide these evenly.
pub(super) fn starts(mut dates: Vec<(Date, u64)>, count: usize) -> Vec<Date> {
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
