//! The tasks of an output: each writes some of its files into the staging directory, and a commit moves all to their
//! places.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use super::output_plan::OutputPlan;
use super::run::{Prepared, Transpose, TransposeReport};
use super::staged::{Staged, StagedFile, WrittenFile, is_moved, is_staged, write, written_files};
use super::unit::Unit;
use super::work::place_of;
use crate::error::{Error, Result};
use crate::progress::{Observer, Quiet, Silent};
use crate::staging::{
    Attempt, PlanOf, Receipt, TaskReport, Whose, check_number, encode, read_plan, staging_of, written_name,
};
use crate::storage::{Dir, Disk};
use crate::store::Store;
use crate::workers::Workers;

/// The tasks of an output's plan: [`write`](OutputTasks::write) each part, then [`commit`](OutputTasks::commit). Each
/// may be run by another process on another machine that reaches the same directories, and again, and twice at once. A
/// task is one thread, and keeps to the plan's memory.
pub struct OutputTasks<'a> {
    staging: Dir,
    plan: OutputPlan,
    /// The plan's.
    checksum: u64,
    observer: &'a dyn Observer,
    patience: Duration,
    disk: Disk,
}

impl<'a> OutputTasks<'a> {
    /// The tasks of the plan at `path`, whose directory is the staging directory.
    ///
    /// # Errors
    /// When it is no plan of an output, or that of another version of this library.
    pub fn open(path: impl AsRef<Path>) -> Result<OutputTasks<'a>> {
        OutputTasks::open_on(path, Disk::default())
    }

    /// As [`open`](OutputTasks::open), on a disk that a test may have fail.
    ///
    /// # Errors
    /// As there.
    pub fn open_on(path: impl AsRef<Path>, disk: Disk) -> Result<OutputTasks<'a>> {
        let (staging, name) = staging_of(&disk, path.as_ref())?;
        let (plan, checksum) = read_plan(&staging, name, &[PlanOf::Output])?;
        Ok(OutputTasks { staging, plan, checksum, observer: &Silent, patience: Duration::ZERO, disk })
    }

    /// Who watches.
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// How long a commit waits for somebody else who is writing there; by default not at all.
    pub fn wait(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How many parts there are to write.
    pub fn parts(&self) -> usize {
        self.plan.part_count()
    }

    /// The store that is written from.
    pub fn store(&self) -> &Path {
        Path::new(&self.plan.store)
    }

    /// Where the files will be.
    pub fn out(&self) -> &Path {
        Path::new(&self.plan.out)
    }

    /// Writes the files of part `part`, counted from 0, into the staging directory.
    ///
    /// # Errors
    /// When there are not so many, the planned version of the store is gone or damaged, something cannot be written, or
    /// the observer cancels.
    pub fn write(&self, part: usize) -> Result<TaskReport> {
        self.write_for(part, self.observer)
    }

    fn write_for(&self, part: usize, observer: &dyn Observer) -> Result<TaskReport> {
        check_number(part, self.parts(), "parts")?;
        let store = self.plan.open_store()?;
        let prepared = self.transpose(&store).prepare()?;
        let (places, units) = (self.plan.part(part), self.units(&prepared, part)?);
        if let Some(receipt) = Receipt::open(&self.staging, &written_name(part), self.whose(part), u64::MAX)? {
            let files = written_files(&receipt, 0, units.len())?;
            if self.are_there(&files, &units, places.start)? {
                return Ok(TaskReport::before(files.iter().map(|file| file.rows).sum()));
            }
        }
        let attempt = Attempt::begin(&self.staging)?;
        let all: Vec<usize> = places.collect();
        let files = write(&prepared, &units, (&attempt, &all), observer)?;
        let lossy: Vec<u64> = prepared.encoder.lossy().into_iter().map(|index| index as u64).collect();
        let arrays = [bytemuck::cast_slice(&files), bytemuck::cast_slice(&lossy)];
        attempt.place_receipt(&written_name(part), &encode(self.whose(part), &arrays))?;
        Ok(TaskReport::now(files.iter().map(|file| file.rows).sum()))
    }

    /// Moves the files to their places, removes those that have none any more, and says so in the ledger, as
    /// [`Transpose::run`] does. Reads no file and no row. Where this was done before, it says so.
    ///
    /// # Errors
    /// When a task is not done yet, files there were changed since the plan or are of a newer version, somebody else is
    /// writing there, or something cannot be written. Nothing that tasks made is lost: the commit can be tried again.
    pub fn commit(&self) -> Result<TransposeReport> {
        let started = Instant::now();
        let store = self.plan.open_store()?;
        let mut transpose = self.transpose(&store).observer(self.observer).wait(self.patience);
        let prepared = transpose.prepare()?;
        let (mut files, mut lossy) = (BTreeMap::new(), BTreeSet::new());
        for part in 0..self.parts() {
            let receipt = Receipt::read(&self.staging, &written_name(part), self.whose(part), u64::MAX)?;
            let places = self.plan.part(part);
            for (place, file) in places.clone().zip(written_files(&receipt, 0, places.len())?) {
                let task = format!("write {part}");
                files.insert(self.plan.keys[place].clone(), StagedFile { place, file, task });
            }
            lossy.extend(receipt.array::<u64>(1)?.iter().map(|&index| index as usize));
        }
        let staged = Staged { staging: &self.staging, files };
        let ready = |out: &Dir, units: &[&Unit]| staged.check(out, units, self.plan.version);
        let put = |out: &Dir, units: &[&Unit]| units.iter().map(|unit| staged.take(out, unit)).collect();
        let mut report = transpose.bring(&prepared, ready, put)?;
        report.notes.extend(prepared.encoder.loss(&lossy).filter(|_| report.written > 0));
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Runs all tasks here, so many at once, each with the plan's memory.
    ///
    /// # Errors
    /// Those of the tasks.
    pub fn run(&self, jobs: usize) -> Result<TransposeReport> {
        let started = Instant::now();
        self.observer.begin("write", "parts", self.parts() as u64);
        Workers::new(Some(jobs))?.try_map(self.parts(), |part| {
            self.write_for(part, &Quiet(self.observer))?;
            self.observer.advance(1);
            Ok(())
        })?;
        self.observer.end();
        Ok(TransposeReport { seconds: started.elapsed().as_secs_f64(), ..self.commit()? })
    }

    /// The transpose that was planned.
    fn transpose<'s>(&self, store: &'s Store) -> Transpose<'s>
    where
        'a: 's,
    {
        self.plan.transpose(store).disk(self.disk.clone())
    }

    fn whose(&self, part: usize) -> Whose {
        OutputPlan::whose(self.checksum, part)
    }

    /// What the files of a part are made from.
    fn units<'p>(&self, prepared: &'p Prepared, part: usize) -> Result<Vec<&'p Unit>> {
        let unit = |key: &String| place_of(&prepared.units, key).map(|place| &prepared.units[place]);
        let units: Option<Vec<&Unit>> = self.plan.keys[self.plan.part(part)].iter().map(unit).collect();
        units.ok_or_else(|| {
            let what = format!("{} is not what was planned for", self.plan.store);
            Error::refused(what, "plan again").about(self.store())
        })
    }

    /// Whether these files are where a task put them, the first of this place in the plan, or a commit.
    fn are_there(&self, files: &[WrittenFile], units: &[&Unit], start: usize) -> Result<bool> {
        let out = Dir::open(&self.disk, self.out())?;
        for (at, (file, unit)) in files.iter().zip(units).enumerate().filter(|(_, (file, _))| file.rows > 0) {
            if !is_staged(&self.staging, start + at, file)? && !is_moved(&out, &unit.path, file)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
