//! Runs a transpose: each worker takes the rows of a file, encodes them and puts the file in place.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arrow_schema::{DataType, Field, TimeUnit};
use serde::Serialize;

use super::claim::claims;
use super::encode::{encode, of_file};
use super::ledger::{Ledger, LedgerFile, Standing};
use super::names::LEDGER_DIR;
use super::place::refuse_collision;
use super::plan::Plan;
use super::rows::{Rows, for_each_file, for_ends, longest_file};
use super::shape::{COLUMN, ROWS, Shape};
use super::unit::{Unit, units};
use super::work::{Check, Claims, Work};
use crate::error::{Error, Result};
use crate::format::TEMP_PREFIX;
use crate::hint::listed;
use crate::progress::{Observer, Silent};
use crate::remedy::{Remedy, Setting};
use crate::sink::{Encoder, Format, NewFile, Partition, Scratch, in_parquet, temporary_name};
use crate::storage::{Dir, Disk};
use crate::storage::{FileLock, wait};
use crate::store::{Selection, Store, Universe};
use crate::workers::{DEFAULT_MEMORY, Workers};

/// Writes one file per date from a store, or per month, year or stock, or one of all, and no file again that is current.
///
/// A file is current when the output directory's ledger says that it was made in this shape and schema from the sections
/// as they are now, and the file still has the size and modification time that the ledger gives.
///
/// ```no_run
/// let store = transect::Store::open("panel.store")?;
/// let report = transect::Transpose::new(&store, "by_date").run()?;
/// println!("{} files written, {} unchanged", report.written, report.unchanged_files);
/// # Ok::<(), transect::Error>(())
/// ```
///
/// # Memory
///
/// Each worker holds one encoded row group: a section, or so many rows of several. The sections themselves are mapped. By
/// stock, workers gather the rows of neighbouring stocks first, within [`memory`](Transpose::memory).
pub struct Transpose<'a> {
    pub(super) store: &'a Store,
    pub(super) out: PathBuf,
    pub(super) shape: Shape,
    pub(super) selection: Selection,
    pub(super) universe: Option<Universe>,
    pub(super) workers: Option<usize>,
    pub(super) memory: Option<u64>,
    pub(super) force: bool,
    pub(super) check_content: bool,
    pub(super) wait: Duration,
    pub(super) observer: &'a dyn Observer,
    pub(super) disk: Disk,
}

/// What a worker takes for each column of a file that it writes, whatever its rows. Measured with 30,000 columns by
/// stock.
fn column_len(format: Format) -> u64 {
    match format {
        Format::Parquet => 6 << 10,
        Format::Arrow | Format::Csv => 2 << 10,
    }
}

/// What files are like, and which there are.
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) encoder: Encoder,
    /// All that the store has.
    pub(super) units: Vec<Unit>,
    /// The places of those that were chosen.
    selected: Vec<usize>,
    pub(super) workers: Workers,
}

/// What a transpose did.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct TransposeReport {
    /// The store's version that was written.
    pub version: u64,
    /// Files written.
    pub written: u64,
    /// Files that were current, and so were left as they are.
    pub unchanged_files: u64,
    /// Files that no ledger listed, but that are byte for byte what the store has, now or in a version that it keeps.
    pub taken_over: u64,
    /// Files of earlier runs that were removed: their dates or stocks are gone, or they had another shape.
    pub removed_files: u64,
    /// Files that were to be removed too, but that somebody else has changed since; they are left and forgotten.
    pub left: u64,
    /// What has no file, because it has none of the rows that were chosen: dates, mostly.
    pub without_rows: u64,
    /// Rows in the files written.
    pub rows: u64,
    /// Bytes in the files written.
    pub bytes: u64,
    /// Columns in each file.
    pub columns: u64,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// What else there is to know, a sentence each.
    pub notes: Vec<String>,
}

impl<'a> Transpose<'a> {
    /// A transpose of all of `store` into the directory `out`, with the defaults of the command line.
    pub fn new(store: &'a Store, out: impl Into<PathBuf>) -> Transpose<'a> {
        Transpose {
            store,
            out: out.into(),
            shape: Shape::default(),
            selection: Selection::default(),
            universe: None,
            workers: None,
            memory: None,
            force: false,
            check_content: false,
            wait: Duration::ZERO,
            observer: &Silent,
            disk: Disk::default(),
        }
    }

    /// What the files are like.
    pub fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// Which dates to write. By date these are files, and those of other dates stay as they are, unless the columns have
    /// changed since they were written: all files of a directory have one schema. Else they are the rows of files, and a
    /// part of their shape.
    pub fn selection(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Which rows belong to the files; without it all do. Where it is of rows and not of a column, only checksums tell
    /// [`verify_output`](crate::verify_output) whether files are as they were written.
    pub fn universe(mut self, universe: Universe) -> Self {
        self.universe = Some(universe);
        self
    }

    /// Worker threads; one per core by default. One runs on the calling thread. The files' bytes do not depend on it.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = Some(count);
        self
    }

    /// Bytes of anonymous memory that workers may hold together; 512 MiB by default. Files do not depend on it.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Whether to write into a directory that has other files, or files of ours in another shape, and to take over files
    /// that no ledger lists but that are byte for byte what transect writes. Files that transect did not write are never
    /// touched.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Whether to read the files that seem current, too, and compare them with their checksums. Otherwise one that has
    /// the size and the modification time of the ledger counts as it was written.
    pub fn check_content(mut self, check_content: bool) -> Self {
        self.check_content = check_content;
        self
    }

    /// How long to wait for somebody else who is writing there; by default not at all.
    pub fn wait(mut self, patience: Duration) -> Self {
        self.wait = patience;
        self
    }

    /// Who watches.
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// The disk to write to; a test's may fail.
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }

    /// Writes the files that are not current, removes those that have no place any more, and says so in the ledger.
    /// Stopped half-way, the directory holds whole files only, and running again completes it. When all files are
    /// current, nothing is written.
    ///
    /// # Errors
    /// When the directory holds what must not be replaced, a name is unknown, the store is damaged, or the observer
    /// cancels.
    pub fn run(mut self) -> Result<TransposeReport> {
        let started = Instant::now();
        let prepared = self.prepare()?;
        let mut report = self.bring(&prepared, |_, _| Ok(()), |out, units| self.encode(&prepared, out, units))?;
        report.notes.extend(prepared.encoder.loss(&prepared.encoder.lossy()));
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Decides what files are like, from the store's metadata alone.
    pub(super) fn prepare(&mut self) -> Result<Prepared> {
        let selection = self.selection.clone();
        if self.shape.by != Partition::Date {
            self.shape.dates = Some(selection.clone());
        }
        self.shape.universe = self.universe.as_ref().map(|universe| match universe {
            Universe::Column(name) => format!("{COLUMN}{name}"),
            Universe::Rows(_) => ROWS.to_owned(),
        });
        for (name, text) in &mut self.shape.at {
            *text = self.store.key_value(name, text)?;
        }
        self.shape = self.shape.clone().canonical(self.store.schema()?);
        let workers = Workers::new(self.workers)?.within(self.memory.unwrap_or(DEFAULT_MEMORY));
        let workers = workers.fewer(self.worker_len())?.unwrap_or(workers);
        let plan = Plan::new(self.store, &self.shape, self.universe.as_ref())?;
        plan.check_values()?;
        let workers = plan.workers(&workers, column_len(self.shape.format))?.unwrap_or(workers);
        let workers = self.store.readers(&workers, Some(&plan.read(self.store)?), 0)?.unwrap_or(workers);
        self.shape = self.shape.passing_over(false);
        let encoder = Encoder::new(plan.schema.clone(), self.shape.format, self.shape.compression)?;
        let units = units(&plan)?;
        let workers = for_ends(&plan, longest_file(&plan, &units)?, &workers)?.unwrap_or(workers);
        let selected = match self.shape.by {
            Partition::Date => selection.resolve(self.store)?,
            _ => (0..units.len()).collect(),
        };
        Ok(Prepared { plan, encoder, units, selected, workers })
    }

    /// The output directory, which is made where it is not there.
    pub(super) fn output(&self, prepared: &Prepared) -> Result<Dir> {
        refuse_collision(self.store, &self.out, &prepared.plan.names)?;
        self.disk.create_dir(&self.out)?;
        Dir::open(&self.disk, &self.out)
    }

    /// Brings the directory up to date; `put` puts in place the files that have to be written, once these are `ready`.
    pub(super) fn bring(
        &self,
        prepared: &Prepared,
        ready: impl FnOnce(&Dir, &[&Unit]) -> Result<()>,
        put: impl FnOnce(&Dir, &[&Unit]) -> Result<Vec<LedgerFile>>,
    ) -> Result<TransposeReport> {
        let out = self.output(prepared)?;
        let _lock = wait(self.wait, self.observer, || self.lock())?;
        let work = self.decide(prepared, &out)?;
        let Prepared { plan, units, .. } = prepared;
        let write: Vec<&Unit> = work.write.iter().map(|&place| &units[place]).collect();
        ready(&out, &write)?;
        let mut notes: Vec<String> = work.note.iter().cloned().collect();
        notes.extend(notes_of_types(plan, self.shape.format));
        if let Some(universe) = &self.universe {
            notes.extend(universe.notes(self.store)?);
        }
        let mut report = TransposeReport {
            version: self.store.version(),
            unchanged_files: work.unchanged,
            taken_over: work.taken_over,
            without_rows: work.without_rows,
            columns: plan.column_count()? as u64,
            notes,
            ..TransposeReport::default()
        };
        let own = plan.names.ledger(self.shape.format);
        if !work.is_none() || !Standing::of(&out)?.strays(&out, &own).is_empty() {
            self.work(work, prepared, &out, put, &mut report)?;
        }
        Ok(report)
    }

    /// What has to be done in the directory `out`.
    pub(super) fn decide(&self, prepared: &Prepared, out: &Dir) -> Result<Work> {
        let Prepared { plan, encoder, units, selected, workers } = prepared;
        let before = Ledger::read(out)?;
        let refusal = self.refusal(before.as_ref(), out)?;
        let has_ledger = before.is_some();
        let (name, fields) = (self.store_name(), plan.fields.clone());
        let ledger = Ledger::new(name, self.store.version(), self.shape.clone(), &plan.names, fields);
        let check = Check { out, units, content: self.check_content, workers, observer: self.observer };
        let mut work = Work::new(&check, before, ledger, selected)?;
        // Without a ledger, files that were not selected may be transect's too.
        let places = if has_ledger { work.write.clone() } else { (0..units.len()).collect() };
        let claims = claims(&check, plan, (&self.shape, self.universe.as_ref()), encoder, &work, &places)?;
        self.refuse_foreign_files(&claims, &work, units)?;
        if !self.force {
            self.refuse_unforced(&claims, units, refusal)?;
        }
        work.take_over(&claims, units);
        Ok(work)
    }

    /// Bytes that a worker takes at most, about: a column of a row group on its way into the file, or a slice of all
    /// columns, and where rows are put together those that wait for others of their group.
    fn worker_len(&self) -> u64 {
        match (self.shape.by, self.shape.format) {
            (Partition::Date, Format::Parquet) if self.store.texts_len() <= 8 << 20 => 8 << 20,
            _ => 32 << 20,
        }
    }

    /// Writes the files of `units` to their places below `out`.
    fn encode(&self, prepared: &Prepared, out: &Dir, units: &[&Unit]) -> Result<Vec<LedgerFile>> {
        let Prepared { plan, encoder, workers, .. } = prepared;
        self.observer.begin("transpose", plan.by.nouns()[1], units.len() as u64);
        let write = |scratch: &mut Scratch, at: usize, rows: &Rows<'_>| {
            let Unit { path, made, .. } = units[at];
            let mut file: Option<NewFile> = None;
            let rows = encode(rows, encoder, scratch, &mut |bytes| {
                if file.is_none() {
                    let (dir, name) = out.make_holder(path)?;
                    file = Some(NewFile::create(dir, name)?);
                }
                file.as_mut().map_or(Ok(()), |file| file.write(bytes))
            })
            .map_err(of_file(path))?;
            let Some(file) = file else { return Ok(LedgerFile::without_rows(*made)) };
            Ok(LedgerFile::new(*made, rows, file.finish()?))
        };
        let written = for_each_file(plan, units, workers, self.observer, Scratch::default, write)?;
        self.observer.end();
        Ok(written)
    }

    fn work(
        &self,
        work: Work,
        prepared: &Prepared,
        out: &Dir,
        put: impl FnOnce(&Dir, &[&Unit]) -> Result<Vec<LedgerFile>>,
        report: &mut TransposeReport,
    ) -> Result<()> {
        let encoder = &prepared.encoder;
        work.ledger.write(out, encoder)?;
        let units: Vec<&Unit> = work.write.iter().map(|&place| &prepared.units[place]).collect();
        let written = put(out, &units)?;
        let mut ledger = work.ledger.clone();
        let mut removable = work.stale.clone();
        for (file, unit) in written.into_iter().zip(units) {
            if file.rows == 0 {
                report.without_rows += 1;
                removable.insert(unit.path.clone());
            } else {
                report.written += 1;
                report.rows += file.rows;
                report.bytes += file.bytes;
            }
            ledger.files.insert(unit.key.clone(), file);
        }
        for path in &removable {
            let Some((dir, name)) = out.holder(path)? else { continue };
            if dir.look(name)?.is_some() {
                if work.may_remove(out, path)? {
                    dir.remove(name)?;
                    report.removed_files += 1;
                } else {
                    report.left += 1;
                }
            }
            // A run that was killed while it wrote the file left this.
            dir.remove(&temporary_name(name))?;
        }
        ledger.pending = BTreeSet::new();
        ledger.write(out, encoder)
    }

    /// Keeps other runs out of the output directory; the directory itself
    /// is locked, so that no file of ours is in a reader's way.
    fn lock(&self) -> Result<FileLock> {
        let directory = File::open(&self.out).map_err(Error::io("open", &self.out))?;
        let lock = FileLock::exclusive(directory, &self.out)?;
        lock.map_err(|_| Error::Locked { path: self.out.clone(), holder: None })
    }

    /// Why a run that is not forced must not write to the output directory; `None` where it may.
    fn refusal(&self, ledger: Option<&Ledger>, out: &Dir) -> Result<Option<Error>> {
        let refuse =
            |(what, forced): (String, &str)| Error::refused_unless(what, unless_forced(forced)).about(&self.out);
        Ok(match ledger {
            Some(ledger) if ledger.store == self.store_name() && ledger.shape != self.shape => {
                let differences = self.shape.differences(&ledger.shape);
                let what = format!("{} holds files of another shape ({differences})", self.out.display());
                Some(refuse((what, "replaces them")))
            }
            _ => foreign((out, &self.out), ledger, &self.store_name())?.map(refuse),
        })
    }

    /// The store as ledgers name it.
    pub(super) fn store_name(&self) -> String {
        name_of(self.store.id())
    }

    /// No file that transect did not write is replaced, forced or not.
    fn refuse_foreign_files(&self, claims: &Claims, work: &Work, units: &[Unit]) -> Result<()> {
        let foreign = claims.foreign.iter().filter(|index| work.write.binary_search(index).is_ok());
        let mut paths = foreign.map(|&index| self.out.join(&units[index].path));
        let Some(first) = paths.next() else { return Ok(()) };
        let what = format!("{} was not written by transect and is in the way", first.display());
        let (what, it) = match paths.count() {
            0 => (what, "it"),
            1 => (format!("{what}, as 1 more file is"), "them"),
            more => (format!("{what}, as {more} more files are"), "them"),
        };
        Err(Error::refused(what, format!("move {it}, or name another directory")).about(&first))
    }

    /// Refuses what has to be forced, where that will work.
    fn refuse_unforced(&self, claims: &Claims, units: &[Unit], refusal: Option<Error>) -> Result<()> {
        let mut own = claims.current.iter().chain(&claims.older);
        let Some(&(index, _)) = own.next() else {
            return refusal.map_or(Ok(()), Err);
        };
        let path = self.out.join(&units[index].path);
        let whose = match own.count() {
            0 => "is".to_owned(),
            1 => "and 1 more file are".to_owned(),
            more => format!("and {more} more files are"),
        };
        let what = format!(
            "{} {whose} byte for byte what transect writes, but no ledger says that transect wrote them",
            path.display()
        );
        Err(Error::refused_unless(what, unless_forced("takes them over")).about(&path))
    }
}

/// What ledgers call the store with this id.
pub(super) fn name_of(store: u128) -> String {
    format!("{store:032x}")
}

/// Why files of a store that ledgers call `store` must not go to the directory `out`, called `path`, which has this ledger;
/// and what forcing it does. `None` where they may.
///
/// # Errors
/// When it cannot be read.
pub(super) fn foreign(
    (out, path): (&Dir, &Path),
    ledger: Option<&Ledger>,
    store: &str,
) -> Result<Option<(String, &'static str)>> {
    let path = path.display();
    Ok(match ledger {
        Some(ledger) if ledger.store != store => {
            Some((format!("{path} holds files of another store"), "replaces them"))
        }
        Some(_) => None,
        // What a run that was stopped at once left is nothing.
        None if out.names()?.iter().all(|name| name.starts_with(TEMP_PREFIX) || name == LEDGER_DIR) => None,
        None => Some((format!("{path} is not empty and was not written by transect"), "writes beside what is there")),
    })
}

/// The ways out of a directory that must not be written to.
fn unless_forced(forced: &str) -> [Remedy; 2] {
    [Remedy::Do("name another directory".to_owned()), Remedy::set(Setting::Force, forced)]
}

/// Says which columns Parquet has no type for and what they are there, and which have a type that not every reader takes.
fn notes_of_types(plan: &Plan, format: Format) -> Vec<String> {
    let there = in_parquet(&plan.schema);
    let fields = || plan.schema.fields().iter().zip(there.fields());
    let names = |is_meant: &dyn Fn(&Field, &Field) -> bool| {
        let meant = fields().filter(|(own, there)| is_meant(own, there));
        let names: Vec<&str> = meant.map(|(own, _)| own.name().as_str()).collect();
        (!names.is_empty()).then(|| listed(&names))
    };
    let seconds = names(&|own, there| own != there);
    let nanoseconds = names(&|own, _| matches!(own.data_type(), DataType::Timestamp(TimeUnit::Nanosecond, _)));
    let seconds = seconds.map(|names| format!("Parquet has no seconds: {names} in milliseconds"));
    let nanoseconds = nanoseconds.map(|names| {
        format!("nanoseconds, which Spark does not read: {names}; a build with a cast to timestamp[us] is for that")
    });
    let offsets = names(&|own, _| matches!(own.data_type(), DataType::Timestamp(_, Some(zone)) if is_odd_offset(zone)));
    let offsets = offsets.map(|names| {
        format!(
            "offsets that are no whole hours, such as +05:30, which Polars does not read: {names}; a build with a cast to \
             the name of a zone, such as timestamp[us,Asia/Kolkata], is for that"
        )
    });
    let of_parquet = seconds.into_iter().chain(nanoseconds).filter(|_| format == Format::Parquet);
    of_parquet.chain(offsets).collect()
}

/// Whether a zone is an offset that is not spelt as `+08:00` is.
fn is_odd_offset(zone: &str) -> bool {
    zone.strip_prefix(['+', '-']).is_some_and(|offset| offset.len() != "08:00".len() || !offset.ends_with(":00"))
}
