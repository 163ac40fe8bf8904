//! Runs a transpose: each worker takes a section, encodes it and puts its file in place.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use arrow_array::BooleanArray;
use arrow_select::filter::filter;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::Serialize;

use super::ledger::{Ledger, LedgerFile, has_leftover};
use super::plan::{Plan, Selection, Shape};
use super::work::{Check, Work};
use crate::durable::Disk;
use crate::error::{Error, Result};
use crate::format::TEMP_PREFIX;
use crate::progress::{Observer, Silent};
use crate::sink::{Encoder, OutputColumn, Scratch, temporary_path, write_whole};
use crate::store::{Section, Store, StoredColumn};
use crate::workers::Workers;

/// Writes one file per date from a store, and no file again that is current.
///
/// A file is current when the output directory's ledger says that it was made in this shape and schema from the section
/// as it is now, and the file still has the size and modification time that the ledger gives.
///
/// ```no_run
/// let store = transect::Store::open("panel.store")?;
/// let report = transect::Transpose::new(&store, "by_date").run()?;
/// println!("{} files written, {} unchanged", report.written, report.unchanged);
/// # Ok::<(), transect::Error>(())
/// ```
///
/// # Memory
///
/// Each worker holds one encoded section. The sections themselves are mapped.
pub struct Transpose<'a> {
    store: &'a Store,
    out: PathBuf,
    shape: Shape,
    selection: Selection,
    workers: Option<usize>,
    force: bool,
    check_content: bool,
    observer: &'a dyn Observer,
    disk: Disk,
}

/// What a transpose did.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct TransposeReport {
    /// The store's version that was written.
    pub version: u64,
    /// Files written.
    pub written: u64,
    /// Files of selected dates that were current, and so were left as they are.
    pub unchanged: u64,
    /// Files of earlier runs that were removed: their dates are gone, or they had another shape.
    pub removed: u64,
    /// Files that were to be removed too, but that somebody else has changed since; they are left and forgotten.
    pub left: u64,
    /// Selected dates without a file, because none of the chosen stocks has a row.
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
            workers: None,
            force: false,
            check_content: false,
            observer: &Silent,
            disk: Disk::default(),
        }
    }

    /// What the files are like.
    pub fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// Which dates to write. Files of other dates stay as they are, unless the columns have changed since they were
    /// written: all files of a directory have one schema.
    pub fn selection(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Worker threads; one per core by default. One runs on the calling thread. The files' bytes do not depend on it.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = Some(count);
        self
    }

    /// Whether to write into a directory that has other files, or files of ours in another shape. Files that transect
    /// did not write are never touched.
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
        self.shape = self.shape.canonical();
        let workers = Workers::new(self.workers)?;
        let plan = Plan::new(self.store, &self.shape)?;
        let selected = self.selection.resolve(self.store)?;

        self.refuse_the_store()?;
        self.disk.create_dir(&self.out)?;
        let _lock = self.lock()?;
        let before = self.take_directory()?;
        let ledger = Ledger::new(self.store_name(), self.store.version(), self.shape.clone(), plan.fields.clone());
        let check = Check {
            store: self.store,
            out: &self.out,
            plan: &plan,
            content: self.check_content,
            workers: &workers,
            observer: self.observer,
        };
        let work = Work::new(&check, before, ledger, &selected)?;
        let mut report = TransposeReport {
            version: self.store.version(),
            unchanged: work.unchanged,
            without_rows: work.without_rows,
            columns: plan.schema.fields().len() as u64,
            notes: work.note.iter().cloned().collect(),
            ..TransposeReport::default()
        };
        if !work.is_none() || has_leftover(&self.out) {
            self.refuse_foreign_files(&work, &plan)?;
            self.work(work, &plan, &workers, &mut report)?;
        }
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    fn work(&self, work: Work, plan: &Plan, workers: &Workers, report: &mut TransposeReport) -> Result<()> {
        let dates = self.store.dates()?;
        let encoder = Encoder::new(plan.schema.clone(), self.shape.format, self.shape.compression)?;
        work.ledger.write(&self.disk, &self.out, plan, &encoder)?;
        self.create_dirs(&work, plan)?;

        self.observer.begin("transpose", "dates", work.write.len() as u64);
        let written = workers.try_map_with(work.write.len(), Scratch::default, |scratch, at| {
            if self.observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let file = self.write_section(plan, &encoder, scratch, work.write[at])?;
            self.observer.advance(1);
            Ok(file)
        })?;
        self.observer.end();

        let mut ledger = work.ledger.clone();
        let mut removable = work.stale.clone();
        for (file, &index) in written.into_iter().zip(&work.write) {
            if file.rows == 0 {
                report.without_rows += 1;
                removable.insert(plan.name.path(dates[index]));
            } else {
                report.written += 1;
                report.rows += file.rows;
                report.bytes += file.bytes;
            }
            ledger.files.insert(dates[index], file);
        }
        for path in &removable {
            let at = self.out.join(path);
            if at.symlink_metadata().is_ok() {
                if work.may_remove(path, &at)? {
                    self.disk.remove(&at)?;
                    report.removed += 1;
                } else {
                    report.left += 1;
                }
            }
            // A run that was killed while it wrote the file left this.
            self.disk.remove(&temporary_path(&at))?;
        }
        ledger.pending = BTreeSet::new();
        ledger.write(&self.disk, &self.out, plan, &encoder)
    }

    /// A store's directory holds what is of the store, and nothing else.
    fn refuse_the_store(&self) -> Result<()> {
        let out = std::path::absolute(&self.out).map_err(Error::io("find", &self.out))?;
        // What is there of it; the rest will be made below.
        let out = out.ancestors().find_map(|path| path.canonicalize().ok());
        let store = self.store.path().canonicalize().ok();
        match out.zip(store).is_some_and(|(out, store)| out.starts_with(store)) {
            true => {
                Err(Error::Refused(format!("{} lies in the store; name a directory elsewhere", self.out.display())))
            }
            false => Ok(()),
        }
    }

    /// Keeps other runs out of the output directory; the kernel drops the lock with the process. The directory itself
    /// is locked, so that no file of ours is in a reader's way.
    fn lock(&self) -> Result<File> {
        let directory = File::open(&self.out).map_err(Error::io("open", &self.out))?;
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(directory),
            Err(Errno::WOULDBLOCK) => Err(Error::Locked { path: self.out.clone(), holder: None }),
            Err(errno) => Err(Error::io("lock", &self.out)(errno.into())),
        }
    }

    /// What an earlier run left in the output directory; an error where it must not be written to.
    fn take_directory(&self) -> Result<Option<Ledger>> {
        let out = self.out.display();
        let ledger = Ledger::read(&self.out)?;
        match &ledger {
            Some(ledger) if ledger.store != self.store_name() && !self.force => Err(Error::Refused(format!(
                "{out} holds files of another store; name another directory, or use --force to replace them"
            ))),
            Some(ledger) if ledger.shape != self.shape && !self.force => Err(Error::Refused(format!(
                "{out} holds files of another shape (format, compression, names, columns or stocks); name another \
                 directory, or use --force to replace them"
            ))),
            Some(_) => Ok(ledger),
            None if self.force || self.is_unused()? => Ok(None),
            None => Err(Error::Refused(format!(
                "{out} is not empty and was not written by transect; name another directory, or use --force to write \
                 beside what is there"
            ))),
        }
    }

    /// The store as ledgers name it.
    fn store_name(&self) -> String {
        format!("{:032x}", self.store.id())
    }

    /// Whether the output directory holds nothing, or only what a run that was stopped at once left.
    fn is_unused(&self) -> Result<bool> {
        let entries = fs::read_dir(&self.out).map_err(Error::io("read directory", &self.out))?;
        for entry in entries {
            let entry = entry.map_err(Error::io("read directory", &self.out))?;
            if !entry.file_name().to_string_lossy().starts_with(TEMP_PREFIX) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// No file that transect did not write is replaced, with --force or without.
    fn refuse_foreign_files(&self, work: &Work, plan: &Plan) -> Result<()> {
        let dates = self.store.dates()?;
        let paths = work.write.iter().map(|&index| plan.name.path(dates[index]));
        let mut foreign = paths.filter(|path| !work.owns(path)).map(|path| self.out.join(path));
        match foreign.find(|path| path.symlink_metadata().is_ok()) {
            Some(path) => Err(Error::Refused(format!(
                "{} was not written by transect and is in the way; move it, or name another directory",
                path.display()
            ))),
            None => Ok(()),
        }
    }

    fn create_dirs(&self, work: &Work, plan: &Plan) -> Result<()> {
        let dates = self.store.dates()?;
        let paths = work.write.iter().map(|&index| self.out.join(plan.name.path(dates[index])));
        let dirs: BTreeSet<PathBuf> = paths.filter_map(|path| path.parent().map(Path::to_owned)).collect();
        dirs.iter().filter(|dir| **dir != self.out).try_for_each(|dir| self.disk.create_dir(dir))
    }

    fn write_section(&self, plan: &Plan, encoder: &Encoder, scratch: &mut Scratch, index: usize) -> Result<LedgerFile> {
        let section = self.store.section_at(index)?;
        let changed_ns = self.store.changed_ns(index)?;
        let Some((columns, row_count)) = section_columns(&section, plan)? else {
            return Ok(LedgerFile::without_rows(changed_ns));
        };
        let path = self.out.join(plan.name.path(section.date()));
        let written = encoder.encode(&columns, row_count, scratch, |bytes| write_whole(&self.disk, &path, bytes))?;
        Ok(LedgerFile {
            changed_ns,
            rows: row_count as u64,
            bytes: written.byte_len,
            checksum: written.checksum,
            modified_ns: written.modified_ns,
        })
    }
}

/// The columns and the number of rows of `section` that `plan` selects; `None` when no row is left.
pub(super) fn section_columns(section: &Section<'_>, plan: &Plan) -> Result<Option<(Vec<OutputColumn>, usize)>> {
    // First of all, because with few stocks most sections end here.
    let chosen: Option<BooleanArray> = match &plan.stocks {
        None => None,
        Some(stocks) => Some(section.stock_numbers()?.iter().map(|stock| Some(stocks.contains(stock))).collect()),
    };
    if chosen.as_ref().is_some_and(|chosen| chosen.true_count() == 0) {
        return Ok(None);
    }
    let mut columns = Vec::with_capacity(plan.schema.fields().len());
    let stored = |column: StoredColumn, distinct| OutputColumn::Stored {
        array: column.stored().clone(),
        logical: column.logical_type().clone(),
        distinct,
    };
    columns.push(stored(section.code_column()?, true));
    if plan.date {
        columns.push(OutputColumn::Constant(section.date_value()?));
    }
    for &index in &plan.columns {
        columns.push(stored(section.column_at(index)?, false));
    }
    let Some(chosen) = chosen else { return Ok(Some((columns, section.row_count()))) };
    for column in &mut columns {
        if let OutputColumn::Stored { array, .. } = column {
            *array = filter(array, &chosen).map_err(Error::failed("choose stocks"))?;
        }
    }
    Ok(Some((columns, chosen.true_count())))
}
