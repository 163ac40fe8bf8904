//! Runs a transpose: each worker takes a section, encodes it and puts its file in place.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use arrow_array::BooleanArray;
use arrow_select::filter::filter;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::Serialize;

use super::ledger::{Ledger, LedgerFile};
use super::plan::{Plan, Selection, Shape};
use crate::durable::Disk;
use crate::error::{Error, Result};
use crate::format::TEMP_PREFIX;
use crate::key::Date;
use crate::progress::{Observer, Silent};
use crate::sink::{Encoder, OutputColumn, Scratch, temporary_path, write_whole};
use crate::store::{Section, Store, StoredColumn};
use crate::workers::Workers;

/// Writes one file per date from a store.
///
/// ```no_run
/// let store = transect::Store::open("panel.store")?;
/// let report = transect::Transpose::new(&store, "by_date").run()?;
/// println!("{} files", report.files);
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
    observer: &'a dyn Observer,
    disk: Disk,
}

/// What a transpose did.
#[derive(Debug, Default, Serialize)]
pub struct TransposeReport {
    /// The store's version that was written.
    pub version: u64,
    /// Files written.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Columns in each.
    pub columns: u64,
    /// Files of earlier runs that were removed: their dates are gone, or they had another shape.
    pub removed: u64,
    /// Selected dates without a file, because none of the chosen stocks has a row.
    pub without_rows: u64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// What an earlier run left in the output directory.
#[derive(Default)]
struct OldFiles {
    /// Files of this shape, by date; those of this run's dates until they are replaced.
    kept: BTreeMap<String, LedgerFile>,
    /// Of the kept files of other dates, the paths that an unfinished run may have replaced.
    open: BTreeSet<String>,
    /// Paths of files that must go.
    stale: BTreeSet<String>,
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
            observer: &Silent,
            disk: Disk::default(),
        }
    }

    /// What the files are like.
    pub fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// Which dates to write. Files of other dates stay.
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

    /// Writes the files, then the ledger. Stopped half-way, the directory holds whole files only, and running again
    /// completes it.
    ///
    /// # Errors
    /// When the directory holds what must not be replaced, a name is unknown, the store is damaged, or the observer
    /// cancels.
    pub fn run(self) -> Result<TransposeReport> {
        let started = Instant::now();
        let workers = Workers::new(self.workers)?;
        let plan = Plan::new(self.store, &self.shape)?;
        let indices = self.selection.resolve(self.store)?;
        let dates = self.store.dates()?;
        let encoder = Encoder::new(plan.schema.clone(), self.shape.format, self.shape.compression)?;

        self.disk.create_dir(&self.out)?;
        let _lock = self.lock()?;
        let before = self.take_directory()?;
        let paths: BTreeSet<String> = indices.iter().map(|&index| plan.name.path(dates[index])).collect();
        self.refuse_foreign_files(before.as_ref(), &paths)?;
        let mut ledger = Ledger::new(self.store_name(), self.store.version(), self.shape.clone());
        let old = self.split_old_files(before, &plan, &paths)?;
        ledger.files = old.kept;
        ledger.pending = paths.iter().chain(&old.stale).chain(&old.open).cloned().collect();
        ledger.write(&self.disk, &self.out, &plan, &encoder)?;
        self.create_dirs(&paths)?;

        self.observer.begin("transpose", "dates", indices.len() as u64);
        let written = workers.try_map_with(indices.len(), Scratch::default, |scratch, at| {
            if self.observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let file = self.write_section(&plan, &encoder, scratch, indices[at])?;
            self.observer.advance(1);
            Ok(file)
        })?;
        self.observer.end();

        let mut report = TransposeReport {
            version: self.store.version(),
            columns: plan.schema.fields().len() as u64,
            ..TransposeReport::default()
        };
        let mut removable = old.stale;
        for (file, &index) in written.into_iter().zip(&indices) {
            let Some(file) = file else {
                report.without_rows += 1;
                removable.insert(plan.name.path(dates[index]));
                ledger.files.remove(&dates[index].to_string());
                continue;
            };
            report.files += 1;
            report.rows += file.rows;
            report.bytes += file.bytes;
            ledger.files.insert(dates[index].to_string(), file);
        }
        for path in &removable {
            let path = self.out.join(path);
            if path.exists() {
                self.disk.remove(&path)?;
                report.removed += 1;
            }
            // A run that was killed while it wrote the file left this.
            self.disk.remove(&temporary_path(&path))?;
        }
        ledger.pending = old.open;
        ledger.write(&self.disk, &self.out, &plan, &encoder)?;
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Keeps other runs out of the output directory; the kernel drops the lock with the process. The directory itself is
    /// locked, so that no file of ours is in a reader's way.
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
    fn refuse_foreign_files(&self, ledger: Option<&Ledger>, paths: &BTreeSet<String>) -> Result<()> {
        let ours = ledger.map(Ledger::paths).unwrap_or_default();
        let is_foreign =
            |path: &&String| !ours.contains(path.as_str()) && self.out.join(path).symlink_metadata().is_ok();
        match paths.iter().find(is_foreign) {
            Some(path) => Err(Error::Refused(format!(
                "{} was not written by transect and is in the way; move it, or name another directory",
                self.out.join(path).display()
            ))),
            None => Ok(()),
        }
    }

    /// Sorts what an earlier run left: files that stay listed until they are replaced, and paths that must go.
    fn split_old_files(&self, before: Option<Ledger>, plan: &Plan, paths: &BTreeSet<String>) -> Result<OldFiles> {
        let Some(before) = before else { return Ok(OldFiles::default()) };
        let dates = self.store.dates()?;
        let same_kind = before.shape == self.shape && before.store == self.store_name();
        let mut old = OldFiles::default();
        for (date, file) in before.files {
            let is_right = |date: Date| dates.binary_search(&date).is_ok() && file.path == plan.name.path(date);
            if same_kind && date.parse().is_ok_and(is_right) {
                // An unfinished run may have replaced it: which it is, old or new, stays open.
                if before.pending.contains(&file.path) && !paths.contains(&file.path) {
                    old.open.insert(file.path.clone());
                }
                old.kept.insert(date, file);
            } else if !paths.contains(&file.path) {
                old.stale.insert(file.path);
            }
        }
        let kept: HashSet<&str> = old.kept.values().map(|file| file.path.as_str()).collect();
        let unfinished =
            before.pending.into_iter().filter(|path| !paths.contains(path) && !kept.contains(path.as_str()));
        old.stale.extend(unfinished);
        Ok(old)
    }

    fn create_dirs(&self, paths: &BTreeSet<String>) -> Result<()> {
        let dirs: BTreeSet<&Path> = paths.iter().filter_map(|path| Path::new(path).parent()).collect();
        for dir in dirs.into_iter().filter(|dir| !dir.as_os_str().is_empty()) {
            self.disk.create_dir(&self.out.join(dir))?;
        }
        Ok(())
    }

    fn write_section(
        &self,
        plan: &Plan,
        encoder: &Encoder,
        scratch: &mut Scratch,
        index: usize,
    ) -> Result<Option<LedgerFile>> {
        let section = self.store.section_at(index)?;
        let Some((columns, row_count)) = section_columns(&section, plan)? else { return Ok(None) };
        let path = plan.name.path(section.date());
        let written = encoder
            .encode(&columns, row_count, scratch, |bytes| write_whole(&self.disk, &self.out.join(&path), bytes))?;
        Ok(Some(LedgerFile {
            path,
            version: self.store.version(),
            rows: row_count as u64,
            bytes: written.byte_len,
            checksum: format!("{:016x}", written.checksum),
            modified_ns: written.modified_ns,
        }))
    }
}

/// The columns and the number of rows of `section` that `plan` selects; `None` when no row is left.
pub(super) fn section_columns(section: &Section<'_>, plan: &Plan) -> Result<Option<(Vec<OutputColumn>, usize)>> {
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
    let row_count = section.row_count();
    let Some(stocks) = &plan.stocks else { return Ok(Some((columns, row_count))) };

    let chosen: BooleanArray = section.stocks()?.iter().map(|stock| Some(stocks.contains(stock))).collect();
    if chosen.true_count() == 0 {
        return Ok(None);
    }
    for column in &mut columns {
        if let OutputColumn::Stored { array, .. } = column {
            *array = filter(array, &chosen).map_err(Error::arrow("choose stocks"))?;
        }
    }
    Ok(Some((columns, chosen.true_count())))
}
