//! The tasks of an output: each writes some of its files into the staging directory, and a commit moves all to their
//! places.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use bytemuck::{Pod, Zeroable};

use super::encode::encode;
use super::ledger::{Ledger, LedgerFile};
use super::output_plan::OutputPlan;
use super::rows::{Rows, for_each_file};
use super::run::{Prepared, Transpose, TransposeReport};
use super::unit::Unit;
use super::work::place_of;
use crate::error::{Error, Result};
use crate::progress::{Observer, Quiet, Silent};
use crate::sink::{NewFile, Scratch, Written};
use crate::staging::{
    Attempt, PlanOf, Receipt, TaskReport, Whose, check_number, damaged, encode as encode_receipt, file_name, read_plan,
    staging_of, written_name,
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

/// What a receipt says of a file; where it has no rows, there is none.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Made {
    rows: u64,
    byte_len: u64,
    checksum: u64,
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
        let (plan, checksum) = read_plan(&staging, name, PlanOf::Output)?;
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
            let files = made(&receipt, units.len())?;
            if self.are_there(&files, &units, places.start)? {
                return Ok(TaskReport::before(files.iter().map(|file| file.rows).sum()));
            }
        }
        let attempt = Attempt::begin(&self.staging)?;
        observer.begin("transpose", prepared.plan.by.nouns()[1], units.len() as u64);
        let write = |scratch: &mut Scratch, at: usize, rows: &Rows<'_>| {
            let mut file: Option<NewFile> = None;
            let rows = encode(rows, &prepared.encoder, scratch, &mut |bytes| {
                if file.is_none() {
                    file = Some(NewFile::create(attempt.dir().clone(), &file_name(places.start + at))?);
                }
                file.as_mut().map_or(Ok(()), |file| file.write(bytes))
            })?;
            let Some(file) = file else { return Ok(Made::zeroed()) };
            // Whoever moves it does not read it.
            file.sync()?;
            let Written { byte_len, checksum, .. } = file.finish()?;
            Ok(Made { rows, byte_len, checksum })
        };
        let files = for_each_file(&prepared.plan, &units, &prepared.workers, observer, Scratch::default, write)?;
        observer.end();
        for (at, _) in files.iter().enumerate().filter(|(_, file)| file.rows > 0) {
            let name = file_name(places.start + at);
            attempt.place(&name, &name)?;
        }
        let lossy: Vec<u64> = prepared.encoder.lossy().into_iter().map(|index| index as u64).collect();
        let arrays = [bytemuck::cast_slice(&files), bytemuck::cast_slice(&lossy)];
        attempt.place_receipt(&written_name(part), &encode_receipt(self.whose(part), &arrays))?;
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
        let (mut files, mut lossy) = (Vec::with_capacity(self.plan.keys.len()), BTreeSet::new());
        for part in 0..self.parts() {
            let receipt = Receipt::read(&self.staging, &written_name(part), self.whose(part), u64::MAX)?;
            files.extend(made(&receipt, self.plan.part(part).len())?);
            lossy.extend(receipt.array::<u64>(1)?.iter().map(|&index| index as usize));
        }
        let ready = |out: &Dir, units: &[&Unit]| self.check(out, units, &files);
        let put = |out: &Dir, units: &[&Unit]| units.iter().map(|unit| self.take(out, unit, &files)).collect();
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
    fn are_there(&self, files: &[Made], units: &[&Unit], start: usize) -> Result<bool> {
        let out = Dir::open(&self.disk, self.out())?;
        for (at, (file, unit)) in files.iter().zip(units).enumerate().filter(|(_, (file, _))| file.rows > 0) {
            let is_moved = || Ok(out.look_below(&unit.path)?.is_some_and(|found| found.byte_len == file.byte_len));
            if !self.is_staged(start + at, file)? && !is_moved()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_staged(&self, place: usize, file: &Made) -> Result<bool> {
        let found = self.staging.look(&file_name(place))?;
        Ok(found.is_some_and(|found| found.is_file() && found.byte_len == file.byte_len))
    }

    /// The place of a file in the plan.
    fn place(&self, unit: &Unit) -> Result<usize> {
        self.plan.keys.binary_search(&unit.key).map_err(|_| {
            let path = self.out().join(&unit.path);
            let what = format!("{} was current when its directory was planned, and is no more", path.display());
            Error::refused(what, "plan again, in another staging directory").about(&path)
        })
    }

    /// Refuses what must not, or cannot, be brought to the planned version, before anything there is touched.
    fn check(&self, out: &Dir, units: &[&Unit], files: &[Made]) -> Result<()> {
        let newer = Ledger::read(out)?.filter(|ledger| ledger.version > self.plan.version && !units.is_empty());
        if let Some(ledger) = newer {
            let (version, path) = (self.plan.version, out.path());
            let what = format!("{} holds version {}, newer than {version}", path.display(), ledger.version);
            return Err(Error::refused(what, "plan again, in another staging directory").about(path));
        }
        for unit in units {
            let place = self.place(unit)?;
            let file = &files[place];
            if file.rows > 0 && !self.is_staged(place, file)? && !file.of(unit, 0).holds_at(out, &unit.path)? {
                let path = self.staging.path().join(file_name(place));
                let part = (0..self.parts()).find(|&part| self.plan.part(part).contains(&place)).unwrap_or_default();
                let again = format!("run write {part} again");
                return Err(damaged(&path, "it is not as long as its task says", again));
            }
        }
        Ok(())
    }

    /// Moves the file of `unit` to its place, unless an earlier commit did.
    fn take(&self, out: &Dir, unit: &Unit, files: &[Made]) -> Result<LedgerFile> {
        let place = self.place(unit)?;
        let file = &files[place];
        if file.rows == 0 {
            return Ok(LedgerFile::without_rows(unit.made));
        }
        let (dir, name) = out.make_holder(&unit.path)?;
        if self.is_staged(place, file)? {
            dir.take(&self.staging, &file_name(place), name)?;
        }
        // Not when the receipt was written: another attempt may have put the same bytes there since.
        Ok(file.of(unit, dir.look(name)?.map_or(0, |found| found.modified_ns)))
    }
}

impl Made {
    /// What the ledger says of it.
    fn of(&self, unit: &Unit, modified_ns: i64) -> LedgerFile {
        let written = Written { byte_len: self.byte_len, checksum: self.checksum, modified_ns };
        LedgerFile::new(unit.made, self.rows, written)
    }
}

/// The files that a receipt tells of, which must be so many.
fn made(receipt: &Receipt, count: usize) -> Result<Vec<Made>> {
    let files = receipt.array::<Made>(0)?;
    // No more than can be added up.
    let is_length = |length: u64| length < 1 << 40;
    match files.len() == count && files.iter().all(|file| is_length(file.rows) && is_length(file.byte_len)) {
        true => Ok(files.to_vec()),
        false => Err(receipt.damaged("its files are not those of the plan")),
    }
}
