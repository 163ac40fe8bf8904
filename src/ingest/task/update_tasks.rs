//! The tasks of an update of a source: each runs the update as one here does, as far as it goes, and takes from the
//! receipts what others did.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use super::assemble::{text_len, without};
use super::assembly::Told;
use super::changed;
use super::part::Part;
use super::plan::{Change, Plan};
use super::sealed::{Moving, Sealing, Segments};
use super::site::AttemptSite;
use super::tasks::Tasks;
use crate::error::{Error, Result};
use crate::ingest::gather::intake::Gathered;
use crate::ingest::gather::stages::{Stages, Which, raise_figures};
use crate::ingest::revise::changes::Changes;
use crate::ingest::revise::revision::Revision;
use crate::ingest::seams::Seams;
use crate::ingest::source_update::Pass;
use crate::ingest::update::Update;
use crate::ingest::update_report::UpdateReport;
use crate::key::Date;
use crate::progress::Observer;
use crate::shuffle::SpillMap;
use crate::skipped::Skipped;
use crate::source::{Scan, Survey, Surveyor};
use crate::staging::{
    ASSEMBLY, Attempt, Kind, PlanOf, Receipt, TaskReport, band_name, changes_name, check_number, encode, hex, json,
    unhex,
};
use crate::storage::{Access, Disk, wait};
use crate::store::{Opening, Site, Store, StoreWriter};
use crate::workers::Workers;

/// The tasks of a planned update: [`gather`](UpdateTasks::gather) each part, then [`assemble`](UpdateTasks::assemble),
/// then [`compare`](UpdateTasks::compare) each band, then [`seal`](UpdateTasks::seal) each band, then
/// [`commit`](UpdateTasks::commit). They are run as [`Tasks`] are.
pub struct UpdateTasks<'a>(Tasks<'a>);

impl<'a> UpdateTasks<'a> {
    /// The tasks of the plan at `path`, whose directory is the staging directory.
    ///
    /// # Errors
    /// When it is no plan of an update, or that of another version of this library.
    pub fn open(path: impl AsRef<Path>) -> Result<UpdateTasks<'a>> {
        UpdateTasks::open_on(path, Disk::default())
    }

    /// As [`open`](UpdateTasks::open), on a disk that a test may have fail.
    ///
    /// # Errors
    /// As there.
    pub fn open_on(path: impl AsRef<Path>, disk: Disk) -> Result<UpdateTasks<'a>> {
        Tasks::open_of(path, disk, PlanOf::Update).map(UpdateTasks)
    }

    /// Who watches.
    pub fn observer(self, observer: &'a dyn Observer) -> Self {
        UpdateTasks(self.0.observer(observer))
    }

    /// How long a commit waits for somebody else who is writing to the store; by default not at all.
    pub fn wait(self, patience: Duration) -> Self {
        UpdateTasks(self.0.wait(patience))
    }

    /// How many parts there are to gather.
    pub fn parts(&self) -> usize {
        self.0.parts()
    }

    /// How many bands there are to compare, and to seal.
    pub fn bands(&self) -> usize {
        self.0.bands()
    }

    /// The store.
    pub fn store(&self) -> &Path {
        self.0.store()
    }

    /// Gathers the files of part `part`, counted from 0; see [`Tasks::gather`].
    ///
    /// # Errors
    /// As there.
    pub fn gather(&self, part: usize) -> Result<TaskReport> {
        self.0.gather(part)
    }

    /// Says, once all parts are gathered, which files cannot be used.
    ///
    /// # Errors
    /// When a part is not gathered yet, something cannot be written, or the observer cancels; and where a file that cannot
    /// be used had a say in what the others are.
    pub fn assemble(&self) -> Result<TaskReport> {
        self.0.assemble_update()
    }

    /// Compares what was read of the dates of band `band`, counted from 0, with what the store has.
    ///
    /// # Errors
    /// When there are not so many, the parts are not assembled yet, what they left is not what their receipts say, the
    /// version that was planned from is gone or damaged, something cannot be written, or the observer cancels.
    pub fn compare(&self, band: usize) -> Result<TaskReport> {
        self.0.compare_update(band)
    }

    /// Seals the segments that begin on the dates of band `band`, counted from 0; none where a guard stops the update.
    ///
    /// # Errors
    /// When a band is not compared yet; else as [`compare`](UpdateTasks::compare).
    pub fn seal(&self, band: usize) -> Result<TaskReport> {
        self.0.seal_update(band)
    }

    /// Makes the version live, from receipts and the store's own tables, unless nothing differs or a guard stops it. Where
    /// this plan was committed before, it says so and changes nothing.
    ///
    /// # Errors
    /// When a task is not done yet, the store has another version meanwhile, somebody else is writing, or something
    /// cannot be written. Nothing that tasks made is lost: the commit can be tried again.
    pub fn commit(&self) -> Result<UpdateReport> {
        self.0.commit_update()
    }

    /// Runs all tasks here, so many at once, each with the plan's memory.
    ///
    /// # Errors
    /// Those of the tasks.
    pub fn run(&self, jobs: usize) -> Result<UpdateReport> {
        let (tasks, started) = (&self.0, Instant::now());
        let workers = Workers::new(Some(jobs))?;
        tasks.each(&workers, ("gather", "parts"), self.parts(), |tasks, part| tasks.gather(part).map(drop))?;
        self.assemble()?;
        let bands = self.bands();
        tasks.each(&workers, ("compare", "bands"), bands, |tasks, band| tasks.compare_update(band).map(drop))?;
        tasks.each(&workers, ("seal", "bands"), bands, |tasks, band| tasks.seal_update(band).map(drop))?;
        let mut report = self.commit()?;
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }
}

/// How the bytes of the version before reach memory.
fn access_of(change: &Change) -> Access {
    if change.reads { Access::Read } else { Access::Map }
}

/// How far a task goes, beyond what its plan says.
enum Goes<'t> {
    /// Says what cannot be used.
    Assembles(&'t (dyn Fn(&Told) -> Result<()> + Sync)),
    /// Compares a band.
    Compares { band: usize, site: &'t AttemptSite<'t>, put: &'t (dyn Fn(&Changes) -> Result<()> + Sync) },
    /// Seals some of the segments.
    Seals { site: &'t AttemptSite<'t>, sealing: &'t Sealing<'t> },
    /// Publishes what was sealed.
    Commits(&'t Moving<'t>),
}

/// A task, as the update sees it.
struct Task<'t> {
    tasks: &'t Tasks<'t>,
    goes: Goes<'t>,
}

impl Task<'_> {
    fn plan(&self) -> &Plan {
        &self.tasks.plan
    }

    /// What all parts have read, and what there is of them on the bands that this task reads.
    fn gathered(&self) -> Result<(Survey, SpillMap, Gathered)> {
        let (tasks, planned) = (self.tasks, self.tasks.planned()?);
        let whose = self.plan().whose(Kind::Assembly, 0);
        let receipt = Receipt::read(&tasks.staging, ASSEMBLY, whose, self.plan().receipt_limit())?;
        let told: Told = receipt.json(0)?;
        if told.unread.iter().any(|input| *input >= planned.inputs.len()) {
            return Err(receipt.damaged("it leaves out inputs that there are not"));
        }
        let (mut parts, codes) = Part::read_all(&tasks.staging, self.plan(), &planned)?;
        let bands = match &self.goes {
            Goes::Compares { band, .. } => *band..*band + 1,
            Goes::Seals { sealing, .. } => sealing.bands(),
            Goes::Assembles(_) | Goes::Commits(_) => 0..0,
        };
        let spill = tasks.rows_of(&parts, bands)?;
        let read = parts.iter_mut().flat_map(|part| std::mem::take(&mut part.read)).collect();
        let blocks = parts.into_iter().flat_map(|part| part.blocks).collect();
        let unread: HashSet<usize> = told.unread.into_iter().collect();
        let skipped = told.skipped.into_iter().map(|(path, reason)| Skipped::new(path, reason)).collect();
        Ok((planned.without(skipped, told.notes, &unread), spill, Gathered { blocks, read, codes }))
    }

    /// What cannot be used, once all parts are gathered.
    fn told(&self, surveyor: Surveyor) -> Result<(Survey, Told)> {
        let (plan, planned) = (self.plan(), self.tasks.planned()?);
        let (mut parts, _) = Part::read_all(&self.tasks.staging, plan, &planned)?;
        let mut bad: Vec<_> = parts.iter_mut().flat_map(|part| std::mem::take(&mut part.bad)).collect();
        let text_len = text_len(&parts, &planned, plan.memory)?;
        if text_len > 0 {
            raise_figures(&mut bad, text_len);
        }
        let unread = bad.iter().map(|(input, _)| *input).collect();
        let survey = without(planned, bad, || Ok(surveyor))?;
        let skipped = survey.skipped.iter().map(|one| (one.path.clone(), one.reason.clone())).collect();
        let told = Told { skipped, notes: survey.notes.clone(), unread };
        Ok((survey, told))
    }
}

impl Seams for Task<'_> {
    fn scan(&self, _: &dyn Fn() -> Result<Scan>) -> Result<Scan> {
        Ok(self.plan().change()?.scan.scan())
    }

    fn read(
        &self,
        surveyor: Surveyor,
        _: &dyn Fn(&Survey) -> Result<()>,
        _: &Stages,
        _: &StoreWriter,
        _: &Store,
    ) -> Result<(Survey, Option<(SpillMap, Gathered)>)> {
        if let Goes::Assembles(put) = &self.goes {
            let (survey, told) = self.told(surveyor)?;
            put(&told)?;
            return Ok((survey, None));
        }
        let (survey, spill, gathered) = self.gathered()?;
        Ok((survey, Some((spill, gathered))))
    }

    fn compare(&self, revision: &Revision, stages: &Stages) -> Result<Option<Changes>> {
        let plan = self.plan();
        let Goes::Compares { band, put, .. } = &self.goes else {
            return changed::read_all(&self.tasks.staging, plan, revision).map(Some);
        };
        let own: Vec<Date> = revision.dates.iter().copied().filter(|date| plan.band_of(*date) == *band).collect();
        put(&revision.compare_some(&own, stages)?)?;
        Ok(None)
    }

    fn seal<'s>(&'s self, writer: &'s StoreWriter) -> (&'s dyn Site, Which<'s>) {
        match &self.goes {
            Goes::Assembles(_) => (writer, Which::All),
            Goes::Compares { site, .. } => (*site, Which::All),
            Goes::Seals { site, sealing } => (*site, Which::Some(*sealing)),
            Goes::Commits(moving) => (writer, Which::Brought(*moving)),
        }
    }
}

impl Tasks<'_> {
    /// The update that was planned.
    fn update(&self) -> Result<Update<'_>> {
        let (plan, change) = (&self.plan, self.plan.change()?);
        let mut update = Update::new(&plan.store).sources([&plan.name]).prune(change.prune).memory(plan.memory);
        update = update
            .workers(1)
            .access(access_of(change))
            .allow(plan.allowed())
            .reread(change.rereads)
            .disk(self.disk.clone());
        update.writing.observer = self.observer;
        update.writing.keep = plan.keep_change();
        update.writing.max_skipped = plan.max_skipped;
        update.writing.max_restated = change.max_restated;
        Ok(update)
    }

    /// Runs the update as far as a task `goes` that does not publish.
    fn go(&self, goes: Goes) -> Result<UpdateReport> {
        let (plan, change, update) = (&self.plan, self.plan.change()?, self.update()?);
        let before = u64::from_be_bytes(unhex(&change.before).unwrap_or_default());
        let ids = (change.version, plan.ids().commit);
        let writer = StoreWriter::of_task(self.store(), (&self.disk, access_of(change)), ids, before)?;
        let stages = self.stages()?.reading(writer.live())?;
        let place = writer.live()?.find_source(&plan.name)?;
        let pass = Pass { rereads: change.rereads, keeps_map: false, is_changed: false };
        let task = Task { tasks: self, goes };
        let step = update.update((&stages, &task), &writer, (place, pass), &mut HashMap::new())?;
        Ok(step.report)
    }

    fn assemble_update(&self) -> Result<TaskReport> {
        let (plan, planned) = (&self.plan, self.planned()?);
        let whose = plan.whose(Kind::Assembly, 0);
        let rows = || -> Result<u64> {
            let (parts, _) = Part::read_all(&self.staging, plan, &planned)?;
            Ok(parts.iter().map(Part::row_count).sum())
        };
        if Receipt::open(&self.staging, ASSEMBLY, whose, plan.receipt_limit())?.is_some() {
            return Ok(TaskReport::before(rows()?));
        }
        let put = |told: &Told| Attempt::begin(&self.staging)?.place_receipt(ASSEMBLY, &encode(whose, &[&json(told)?]));
        self.go(Goes::Assembles(&put))?;
        Ok(TaskReport::now(rows()?))
    }

    fn compare_update(&self, band: usize) -> Result<TaskReport> {
        check_number(band, self.plan.band_count(), "bands")?;
        let (plan, name) = (&self.plan, changes_name(band));
        let whose = plan.whose(Kind::Changes, band);
        if let Some(receipt) = Receipt::open(&self.staging, &name, whose, plan.receipt_limit())? {
            return Ok(TaskReport::before(changed::row_count(&receipt)?));
        }
        let attempt = Attempt::begin(&self.staging)?;
        let site = AttemptSite { attempt: &attempt, ids: self.plan.ids() };
        let put = |changes: &Changes| attempt.place_receipt(&name, &changed::receipt_of(plan, band, changes)?);
        self.go(Goes::Compares { band, site: &site, put: &put })?;
        let receipt = Receipt::read(&self.staging, &name, whose, plan.receipt_limit())?;
        Ok(TaskReport::now(changed::row_count(&receipt)?))
    }

    fn seal_update(&self, band: usize) -> Result<TaskReport> {
        check_number(band, self.plan.band_count(), "bands")?;
        if let Some(sealed) = Segments::of_band(&self.staging, &self.plan, band)?
            && sealed.are_there(self)?
        {
            return Ok(TaskReport::before(sealed.row_count()));
        }
        let attempt = Attempt::begin(&self.staging)?;
        let site = AttemptSite { attempt: &attempt, ids: self.plan.ids() };
        // Which bands its segments reach into is known once they are cut.
        let looking = Sealing::looking(&self.plan, band);
        self.go(Goes::Seals { site: &site, sealing: &looking })?;
        let sealing = looking.now();
        self.go(Goes::Seals { site: &site, sealing: &sealing })?;
        let (receipt, rows) = sealing.finish(&attempt)?;
        attempt.place_receipt(&band_name(band), &receipt)?;
        Ok(TaskReport::now(rows))
    }

    fn commit_update(&self) -> Result<UpdateReport> {
        let (plan, change, started) = (&self.plan, self.plan.change()?, Instant::now());
        if let Some(report) = self.committed_update() {
            return Ok(report);
        }
        let segments = Segments::of_all(&self.staging, plan)?;
        let access = access_of(change);
        let begin = || StoreWriter::begin(self.store(), &self.disk, access, Opening::Change);
        let mut writer = match wait(self.patience, self.observer, begin) {
            // Somebody else may have committed meanwhile.
            Err(why) => return self.committed_update().ok_or(why),
            Ok(writer) => writer,
        };
        let ids = writer.take_over(self.plan.ids())?;
        if (hex(&writer.live()?.commit().to_be_bytes()), ids.version) != (change.before.clone(), change.version) {
            if let Some(report) = self.committed_update() {
                return Ok(report);
            }
            let what = format!("{} has another version than the one that the update was planned from", plan.store);
            return Err(Error::refused(what, "plan again"));
        }
        let stages = self.stages()?.reading(writer.live())?;
        let moving = Moving { segments, staging: &self.staging, to: writer.segment_dir()? };
        let task = Task { tasks: self, goes: Goes::Commits(&moving) };
        let result = self.update()?.write(&stages, &mut writer, &task);
        let mut report = UpdateReport::finish(result, &mut writer)?;
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    /// What there is to say where this plan was committed before.
    fn committed_update(&self) -> Option<UpdateReport> {
        let store = Store::open(&self.plan.store).ok()?;
        let commit = self.plan.ids().commit;
        let entry = store.history().ok()?.into_iter().find(|entry| entry.commit == commit)?;
        let mut report = UpdateReport::default();
        (report.version, report.rows, report.dates) = (entry.version, entry.rows, entry.dates);
        report.notes = vec!["this plan was committed before".to_owned()];
        Some(report)
    }
}
