//! The tasks of a change of a store: each runs the update, the addition of a source or the append, as one here does, as far
//! as it goes, and takes from the receipts what others did.

use std::collections::HashMap;
use std::iter::successors;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::appended;
use super::assemble::usable;
use super::assembly::Told;
use super::changed;
use super::part::Part;
use super::plan::{Appending, Base, Plan};
use super::sealed::{Sealing, Segments, StagedSegments, unstage};
use super::site::AttemptSite;
use super::tasks::Tasks;
use crate::error::{Error, Result};
use crate::ingest::add::AddSource;
use crate::ingest::append::Append;
use crate::ingest::build_report::source_entries;
use crate::ingest::gather::codes::AllCodes;
use crate::ingest::gather::intake::Gathered;
use crate::ingest::gather::sections::{FilesRead, GivenFiles};
use crate::ingest::gather::stages::{Stages, Which};
use crate::ingest::join::Join;
use crate::ingest::revise::changes::Changes;
use crate::ingest::revise::revision::Revision;
use crate::ingest::seams::Seams;
use crate::ingest::settings::Settings;
use crate::ingest::source_update::Pass;
use crate::ingest::update::Update;
use crate::ingest::update_report::UpdateReport;
use crate::ingest::writing::Writing;
use crate::key::Date;
use crate::progress::Observer;
use crate::shuffle::SpillMap;
use crate::source::{KnownFile, Scan, SourceOptions, Survey, Surveyor};
use crate::staging::{
    ASSEMBLY, Attempt, Kind, PlanOf, Receipt, TaskReport, band_name, changes_name, check_number, encode, json,
};
use crate::storage::{Disk, wait};
use crate::store::{Opening, Site, Store, StoreWriter, next_commit};
use crate::workers::Workers;

/// The tasks of a planned update, addition of a source, or append: [`gather`](UpdateTasks::gather) each part, then
/// [`assemble`](UpdateTasks::assemble), then [`compare`](UpdateTasks::compare) each band, then
/// [`seal`](UpdateTasks::seal) each band, then [`commit`](UpdateTasks::commit). They are run as [`Tasks`] are.
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
        Tasks::open_of(path, disk, &[PlanOf::Update]).map(UpdateTasks)
    }

    /// Who watches.
    pub fn observer(self, observer: &'a dyn Observer) -> Self {
        UpdateTasks(self.0.observer(observer))
    }

    /// How long a commit waits for somebody else who is writing to the store; by default not at all.
    pub fn wait(self, patience: Duration) -> Self {
        UpdateTasks(self.0.wait(patience))
    }

    /// Whether they add a source, and update none.
    pub fn adds_source(&self) -> bool {
        self.0.plan.base().is_ok_and(|base| base.joins.is_some())
    }

    /// Whether they append files to a source, and update none.
    pub fn appends(&self) -> bool {
        self.0.plan.appends().is_some()
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
        self.0.seal(band)
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

/// How far a task goes, beyond what its plan says.
enum Goes<'t> {
    /// Gathers a part of the files that are appended; says how many rows these have.
    Gathers { part: usize, attempt: &'t Attempt<'t>, rows: &'t AtomicU64 },
    /// Says what cannot be used.
    Assembles(&'t (dyn Fn(&Told, u64) -> Result<()> + Sync)),
    /// Compares a band.
    Compares { band: usize, site: &'t AttemptSite<'t>, put: &'t (dyn Fn(&Changes) -> Result<()> + Sync) },
    /// Seals some of the segments.
    Seals { site: &'t AttemptSite<'t>, sealing: &'t Sealing<'t> },
    /// Publishes what was sealed.
    Commits(&'t StagedSegments<'t>),
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

    /// The bands of which it reads rows that parts have left.
    fn bands(&self) -> Range<usize> {
        match &self.goes {
            Goes::Compares { band, .. } => *band..*band + 1,
            Goes::Seals { sealing, .. } => sealing.bands(),
            Goes::Gathers { .. } | Goes::Assembles(_) | Goes::Commits(_) => 0..0,
        }
    }

    /// What all parts have read, and what there is of them on the bands that this task reads.
    fn gathered(&self) -> Result<(Survey, SpillMap, Gathered)> {
        let planned = self.tasks.planned()?;
        let (told, mut parts, codes) = self.tasks.assembled(&planned)?;
        let spill = self.tasks.rows_of(&parts, self.bands())?;
        let read = parts.iter_mut().flat_map(|part| std::mem::take(&mut part.read)).collect();
        let blocks = parts.into_iter().flat_map(|part| part.blocks).collect();
        Ok((told.left(planned), spill, Gathered { blocks, read, codes }))
    }
}

impl Seams for Task<'_> {
    /// As it was when it was planned: its file may be another meanwhile.
    fn code_map(&self, options: &mut SourceOptions, _: u64) -> Result<()> {
        options.code_map = self.plan().agreed.code_map().cloned();
        Ok(())
    }

    fn reads_again(&self) -> bool {
        false
    }

    fn scan(&self, _: &dyn Fn() -> Result<Scan>) -> Result<Scan> {
        Ok(self.plan().base()?.scan.clone())
    }

    fn read(
        &self,
        (surveyor, _): (Surveyor, bool),
        _: &dyn Fn(&Survey) -> Result<()>,
        _: &Stages,
        _: &StoreWriter,
        _: &Store,
    ) -> Result<(Survey, Option<(SpillMap, Gathered)>)> {
        if let Goes::Assembles(put) = &self.goes {
            let planned = self.tasks.planned()?;
            let (mut parts, _) = Part::read_all(&self.tasks.staging, self.plan(), &planned)?;
            let (survey, told) = usable(planned, &mut parts, self.plan().memory, || Ok(surveyor))?;
            put(&told, parts.iter().map(Part::row_count).sum())?;
            return Ok((survey, None));
        }
        let (survey, spill, gathered) = self.gathered()?;
        Ok((survey, Some((spill, gathered))))
    }

    fn append(
        &self,
        given: &GivenFiles,
        _: &dyn Fn() -> Result<Vec<String>>,
        stages: &Stages,
        _: &StoreWriter,
    ) -> Result<Option<FilesRead>> {
        if let Goes::Gathers { part, attempt, rows } = self.goes {
            rows.store(appended::gather(self.plan(), part, (given, stages), attempt)?, Relaxed);
            return Ok(None);
        }
        let (tasks, plan, planned) = (self.tasks, self.plan(), self.tasks.planned()?);
        let (parts, codes) = match self.goes {
            Goes::Assembles(_) => {
                let (parts, codes) = Part::read_all(&tasks.staging, plan, &planned)?;
                appended::check_texts(&parts, given, plan.memory)?;
                (parts, codes)
            }
            _ => {
                let (_, parts, codes) = tasks.assembled(&planned)?;
                (parts, codes)
            }
        };
        let spill = tasks.rows_of(&parts, self.bands())?;
        appended::files_read(parts, (codes, spill), given.files.len()).map(Some)
    }

    fn files_now(&self, _: &dyn Fn() -> Result<Vec<(String, KnownFile)>>) -> Result<Vec<(String, KnownFile)>> {
        Ok(self.plan().appends().map(|appends| appends.files_now.clone()).unwrap_or_default())
    }

    fn compare(&self, revision: &Revision, stages: &Stages) -> Result<Option<Changes>> {
        let plan = self.plan();
        let (band, put) = match &self.goes {
            Goes::Compares { band, put, .. } => (band, put),
            Goes::Assembles(_) => return Ok(None),
            _ => return changed::read_all(&self.tasks.staging, plan, revision).map(Some),
        };
        let own: Vec<Date> = revision.dates.iter().copied().filter(|date| plan.band_of(*date) == *band).collect();
        put(&revision.compare_some(&own, stages)?)?;
        Ok(None)
    }

    fn seal<'s>(&'s self, writer: &'s StoreWriter) -> (&'s dyn Site, Which<'s>) {
        match &self.goes {
            Goes::Gathers { .. } | Goes::Assembles(_) => (writer, Which::All),
            Goes::Compares { site, .. } => (*site, Which::All),
            Goes::Seals { site, sealing } => (*site, Which::Some(*sealing)),
            Goes::Commits(staged) => (writer, Which::Brought(*staged)),
        }
    }
}

impl Tasks<'_> {
    /// How the store is written to.
    fn writing(&self, base: &Base) -> Writing<'_> {
        let plan = &self.plan;
        Writing {
            memory: plan.memory,
            workers: Some(1),
            keep: plan.keep_change(),
            allowed: plan.allowed(),
            max_restated: base.max_restated,
            max_skipped: plan.max_skipped,
            access: base.access(),
            observer: self.observer,
            disk: self.disk.clone(),
            ..Writing::new(self.store().to_owned())
        }
    }

    /// The update that was planned.
    fn update(&self, base: &Base) -> Update<'_> {
        let update = Update::new(self.store()).sources([&self.plan.name]).prune(base.prune).reread(base.rereads);
        Update { writing: self.writing(base), ..update }
    }

    /// The addition of a source that was planned.
    fn add(&self, base: &Base, join: Join) -> AddSource<'_> {
        let plan = &self.plan;
        let mut add = AddSource::new(self.store(), [plan.agreed.root()]).source_name(&plan.name).join(join);
        add = add.options(plan.options.clone());
        add.writing = self.writing(base);
        add
    }

    /// The append that was planned.
    fn append(&self, base: &Base, appending: &Appending) -> Append<'_> {
        let plan = &self.plan;
        let append = Append::new(self.store(), plan.agreed.paths()).source_name(&plan.name);
        let mut append = append.replace(appending.replace).exclude(appending.exclude.clone());
        append.writing = self.writing(base);
        append
    }

    /// Gathers a part of the files that are appended.
    pub(super) fn gather_files(&self, part: usize) -> Result<TaskReport> {
        self.plan.agreed.unchanged(self.plan.part(part))?;
        let (attempt, rows) = (Attempt::begin(&self.staging)?, AtomicU64::new(0));
        self.go(Goes::Gathers { part, attempt: &attempt, rows: &rows })?;
        Ok(TaskReport::now(rows.into_inner()))
    }

    /// Runs what was planned as far as a task `goes` that does not publish; what was seen so far.
    fn go(&self, goes: Goes) -> Result<UpdateReport> {
        let (plan, base) = (&self.plan, self.plan.base()?);
        let ids = (base.version, plan.ids().commit);
        let writer = StoreWriter::of_task(self.store(), (&self.disk, base.access()), ids, base.before)?;
        let stages = self.stages()?.reading(writer.live())?;
        let task = Task { tasks: self, goes };
        let step = match (base.joins, &base.appends) {
            (Some(join), _) => self.add(base, join).add((&stages, &task), &writer, Path::new(plan.agreed.root())),
            (None, Some(appending)) => self.append(base, appending).append((&stages, &task), &writer, None),
            (None, None) => {
                let place = writer.live()?.find_source(&plan.name)?;
                let pass = Pass { rereads: base.rereads, keeps_map: false, is_changed: false };
                self.update(base).update((&stages, &task), &writer, (place, pass), &mut HashMap::new())
            }
        };
        step.map(|step| step.report)
    }

    /// What was told of the files once all parts were there, and what the parts have read.
    fn assembled(&self, planned: &Survey) -> Result<(Told, Vec<Part>, AllCodes)> {
        let plan = &self.plan;
        let receipt = Receipt::read(&self.staging, ASSEMBLY, plan.whose(Kind::Assembly, 0), plan.receipt_limit())?;
        let told = Told::read(&receipt, planned)?;
        let (parts, codes) = Part::read_all(&self.staging, plan, planned)?;
        Ok((told, parts, codes))
    }

    fn assemble_update(&self) -> Result<TaskReport> {
        let (plan, planned) = (&self.plan, self.planned()?);
        let whose = plan.whose(Kind::Assembly, 0);
        if Receipt::open(&self.staging, ASSEMBLY, whose, plan.receipt_limit())?.is_some() {
            let (parts, _) = Part::read_all(&self.staging, plan, &planned)?;
            return Ok(TaskReport::before(parts.iter().map(Part::row_count).sum()));
        }
        let assembled = AtomicU64::new(0);
        let put = |told: &Told, rows: u64| {
            assembled.store(rows, Relaxed);
            Attempt::begin(&self.staging)?.place_receipt(ASSEMBLY, &encode(whose, &[&json(told)?]))
        };
        let report = self.go(Goes::Assembles(&put))?;
        if plan.appends().is_some() {
            let (parts, _) = Part::read_all(&self.staging, plan, &planned)?;
            let told = Told { skipped: report.skipped, notes: Vec::new(), unread: Vec::new() };
            put(&told, parts.iter().map(Part::row_count).sum())?;
        }
        Ok(TaskReport::now(assembled.into_inner()))
    }

    fn compare_update(&self, band: usize) -> Result<TaskReport> {
        check_number(band, self.plan.band_count(), "bands")?;
        let (plan, name) = (&self.plan, changes_name(band));
        let whose = plan.whose(Kind::Changes, band);
        if let Some(receipt) = Receipt::open(&self.staging, &name, whose, plan.receipt_limit())? {
            return Ok(TaskReport::before(changed::row_count(receipt.array(changed::ROWS)?)));
        }
        let attempt = Attempt::begin(&self.staging)?;
        let site = AttemptSite { attempt: &attempt, ids: self.plan.ids() };
        let compared = AtomicU64::new(0);
        let put = |changes: &Changes| {
            compared.store(changed::row_count(changes.rows_of.iter().map(|(_, rows)| rows)), Relaxed);
            attempt.place_receipt(&name, &changed::receipt_of(plan, band, changes)?)
        };
        self.go(Goes::Compares { band, site: &site, put: &put })?;
        Ok(TaskReport::now(compared.into_inner()))
    }

    /// Seals a band of a change of a store.
    pub(super) fn seal_update(&self, band: usize) -> Result<TaskReport> {
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
        // On most nights hardly a band has any.
        if !sealing.bands().is_empty() {
            self.go(Goes::Seals { site: &site, sealing: &sealing })?;
        }
        let (receipt, rows) = sealing.finish(&attempt)?;
        attempt.place_receipt(&band_name(band), &receipt)?;
        Ok(TaskReport::now(rows))
    }

    fn commit_update(&self) -> Result<UpdateReport> {
        let (plan, base, started) = (&self.plan, self.plan.base()?, Instant::now());
        if let Some(report) = self.committed_update() {
            return Ok(report);
        }
        let sealed = Segments::of_all(&self.staging, plan)?;
        let begin = || StoreWriter::begin(self.store(), &self.disk, base.access(), Opening::Change);
        let mut writer = match wait(self.patience, self.observer, begin) {
            // Somebody else may have committed meanwhile.
            Err(why) => return self.committed_update().ok_or(why),
            Ok(writer) => writer,
        };
        let ids = writer.take_over(self.plan.ids())?;
        if (writer.live()?.commit(), ids.version) != (base.before, base.version) {
            if let Some(report) = self.committed_update() {
                return Ok(report);
            }
            let what = format!("{} has another version than the one that was planned from", plan.store);
            return Err(Error::refused(what, "plan again"));
        }
        let stages = self.stages()?.reading(writer.live())?;
        let staged = StagedSegments { sealed, staging: &self.staging, to: writer.segment_dir()? };
        let task = Task { tasks: self, goes: Goes::Commits(&staged) };
        let result = match (base.joins, &base.appends) {
            (Some(join), _) => self.add(base, join).write((&stages, &task), &mut writer, None),
            (None, Some(appending)) => self.append(base, appending).write((&stages, &task), &mut writer, None),
            (None, None) => self.update(base).write(&stages, &mut writer, &task),
        };
        let mut report = UpdateReport::finish(result, &mut writer)?;
        if report.published {
            unstage(staged.sealed.ordinals(), &self.staging);
        }
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    /// What became of the files, in a report of nothing else; the plan was committed to `store`.
    fn files_of(&self, store: &Store) -> Result<UpdateReport> {
        let (plan, base, planned) = (&self.plan, self.plan.base()?, self.planned()?);
        let (told, parts, _) = self.assembled(&planned)?;
        let bad = parts.iter().map(|part| part.bad.len() as u64).sum::<u64>();
        let gathered = Gathered { read: parts.into_iter().flat_map(|part| part.read).collect(), ..Gathered::default() };
        let mut report = UpdateReport::default();
        if base.appends.is_some() {
            report.read_files = (gathered.read.len() as u64 + bad).saturating_sub(told.skipped.len() as u64);
            report.skipped = told.skipped;
            return Ok(report);
        }
        let source = store.of_source(store.find_source(&plan.name)?);
        let survey = told.left(planned);
        report.describe_scan(&base.scan);
        report.describe_files(&survey, &gathered, &source_entries(&survey, &gathered), &source.schema()?.date_form);
        report.max_skipped = Settings::of(&source)?.max_skipped;
        if store.source_names()?.len() > 1 {
            report.skipped.iter_mut().for_each(|skipped| skipped.be_of_source(&plan.name));
        }
        Ok(report)
    }

    /// What there is to say where this plan was committed before.
    fn committed_update(&self) -> Option<UpdateReport> {
        let store = Store::open(&self.plan.store).ok()?;
        // Where rows of sources that join left went with it, what the plan's commit made was staged.
        let most = store.source_names().ok()?.len() + 2;
        let own = successors(Some(self.plan.ids().commit), |commit| Some(next_commit(*commit)));
        let own: Vec<u64> = own.take(most).collect();
        let entry = store.history().ok()?.into_iter().find(|entry| own.contains(&entry.commit))?;
        // For as long as receipts tell of them.
        let mut report = self.files_of(&store).unwrap_or_default();
        (report.version, report.rows, report.dates) = (entry.version, entry.rows, entry.dates);
        report.notes = vec!["this plan was committed before".to_owned()];
        Some(report)
    }
}
