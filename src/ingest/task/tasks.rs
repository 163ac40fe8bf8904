//! The tasks of a plan, for whoever runs them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::plan::Plan;
use crate::error::{Error, Result};
use crate::ingest::build_report::BuildReport;
use crate::ingest::gather::stages::Stages;
use crate::progress::{Observer, Quiet, Silent};
use crate::source::Survey;
use crate::staging::{PlanOf, check_device, staging_of};
use crate::storage::{Dir, Disk};
use crate::transpose::check_new_output;
use crate::workers::Workers;

/// The tasks of a plan: [`gather`](Tasks::gather) each part, then [`assemble`](Tasks::assemble), then
/// [`seal`](Tasks::seal) each band, then [`commit`](Tasks::commit). Each may be run by another process on another
/// machine that reaches the same directories, and again, and twice at once. A task is one thread, and keeps to the
/// plan's memory.
pub struct Tasks<'a> {
    pub(super) staging: Dir,
    pub(super) plan: Arc<Plan>,
    pub(super) observer: &'a dyn Observer,
    pub(super) patience: Duration,
    pub(super) disk: Disk,
    /// Where the files of dates go, absolute.
    pub(super) out: Option<PathBuf>,
}

impl<'a> Tasks<'a> {
    /// The tasks of the plan at `path`, whose directory is the staging directory. Of one that plans an update,
    /// [`gather`](Tasks::gather) and [`seal`](Tasks::seal) are the same; for its others see
    /// [`UpdateTasks`](crate::UpdateTasks).
    ///
    /// # Errors
    /// When it is no plan of either, or that of another version of this library.
    pub fn open(path: impl AsRef<Path>) -> Result<Tasks<'a>> {
        Tasks::open_on(path, Disk::default())
    }

    /// As [`open`](Tasks::open), on a disk that a test may have fail.
    ///
    /// # Errors
    /// As there.
    pub fn open_on(path: impl AsRef<Path>, disk: Disk) -> Result<Tasks<'a>> {
        Tasks::open_of(path, disk, &[PlanOf::Store, PlanOf::Update])
    }

    pub(super) fn open_of(path: impl AsRef<Path>, disk: Disk, of: &[PlanOf]) -> Result<Tasks<'a>> {
        let (staging, name) = staging_of(&disk, path.as_ref())?;
        let plan = Arc::new(Plan::read(&staging, name, of)?);
        Ok(Tasks { staging, plan, observer: &Silent, patience: Duration::ZERO, disk, out: None })
    }

    /// Who watches.
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// How long a commit waits for somebody else who is writing to the store; by default not at all.
    pub fn wait(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Has [`seal`](Tasks::seal) write the files of its dates too, as [`Transpose`](crate::Transpose) writes them to `out`
    /// by its defaults, and [`commit`](Tasks::commit) put them there: rows are not read once more. A date of which segments
    /// of two bands have rows has no file then.
    ///
    /// # Errors
    /// When it is on another file system than the staging directory or has files that are not of this store, or the plan is
    /// of an update.
    pub fn output(mut self, out: impl Into<PathBuf>) -> Result<Self> {
        self.check_of_store()?;
        let out = out.into();
        check_device(self.staging.path(), &out, "files")?;
        let id = u128::from_le_bytes(self.plan.ids().store_id);
        let source = (PathBuf::from(self.plan.agreed.root()), self.plan.options.pattern.clone());
        check_new_output((self.store(), id), source, &out, &self.disk)?;
        self.out = Some(std::path::absolute(&out).map_err(Error::io("find", &out))?);
        Ok(self)
    }

    /// How many parts there are to gather.
    pub fn parts(&self) -> usize {
        self.plan.part_count()
    }

    /// How many bands there are to seal.
    pub fn bands(&self) -> usize {
        self.plan.band_count()
    }

    /// Where the store will be.
    pub fn store(&self) -> &Path {
        Path::new(&self.plan.store)
    }

    /// Runs all tasks here, so many at once, each with the plan's memory. Where a guard stops the build, nothing is
    /// committed.
    ///
    /// # Errors
    /// Those of the tasks.
    pub fn run(&self, jobs: usize) -> Result<BuildReport> {
        self.check_of_store()?;
        let started = Instant::now();
        let workers = Workers::new(Some(jobs))?;
        self.each(&workers, ("gather", "parts"), self.parts(), |tasks, part| tasks.gather(part).map(drop))?;
        if let Some(stopped) = self.assemble()?
            && stopped.guards.iter().any(|met| !met.allowed)
        {
            return Ok(stopped);
        }
        self.each(&workers, ("seal", "bands"), self.bands(), |tasks, band| tasks.seal(band).map(drop))?;
        Ok(BuildReport { seconds: started.elapsed().as_secs_f64(), ..self.commit()? })
    }

    /// Runs a task for each number below `count`.
    pub(super) fn each(
        &self,
        workers: &Workers,
        (stage, unit): (&'static str, &'static str),
        count: usize,
        task: impl Fn(&Tasks, usize) -> Result<()> + Sync + Send,
    ) -> Result<()> {
        let Tasks { staging, plan, patience, disk, out, .. } = self;
        let (staging, plan, disk, patience) = (staging.clone(), Arc::clone(plan), disk.clone(), *patience);
        let own = Tasks { staging, plan, patience, disk, out: out.clone(), observer: &Quiet(self.observer) };
        self.observer.begin(stage, unit, count as u64);
        workers.try_map(count, |number| {
            task(&own, number)?;
            self.observer.advance(1);
            Ok(())
        })?;
        self.observer.end();
        Ok(())
    }

    /// Refuses what there is of the tasks of a store alone.
    pub(super) fn check_of_store(&self) -> Result<()> {
        self.plan.of.check(&[PlanOf::Store], self.staging.path())
    }

    /// The survey that was planned.
    pub(super) fn planned(&self) -> Result<Survey> {
        self.plan.agreed.survey(self.plan.memory)
    }

    /// What runs the stages of a task.
    pub(super) fn stages(&self) -> Result<Stages<'_>> {
        Stages::new(Some(1), self.plan.memory, self.observer)
    }
}
