//! Runs an append: whole dates, from per-date files, take the place of the store's or come beside them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::assemble::{Assembly, assemble};
use super::gather::{Block, Frame};
use super::lane::{DictionaryBuilder, Lane};
use super::revision::Revision;
use super::rows::Gathering;
use super::seal::Sealer;
use super::settings::Settings;
use super::spill::{Shelf, Spill};
use super::stages::{DEFAULT_MEMORY, Stages};
use super::update_report::{MaxRestated, UpdateReport};
use crate::durable::Disk;
use crate::error::{Error, Result};
use crate::key::Date;
use crate::panel::{DateForm, PanelSchema};
use crate::progress::{Observer, Silent};
use crate::skipped::Skipped;
use crate::source::{SectionFile, join_date_forms, read_section};
use crate::store::{Opening, StoreWriter};

/// Adds or replaces whole dates of a store from per-date files, of the shape that [`Transpose`](crate::Transpose)
/// writes.
///
/// Each file holds all stocks of one date. Rows that the store has on that date and the file has not are gone from the
/// new version, as if the stocks' own files had lost them. Each file is held in memory while it is read.
///
/// ```no_run
/// let report = transect::Append::new("panel.store", ["20240103.parquet"]).run()?;
/// println!("{} rows added, {} restated", report.added, report.restated);
/// # Ok::<(), transect::Error>(())
/// ```
pub struct Append<'a> {
    store: PathBuf,
    files: Vec<PathBuf>,
    workers: Option<usize>,
    max_restated: Option<MaxRestated>,
    keep: Option<u32>,
    observer: &'a dyn Observer,
    disk: Disk,
}

/// What was read of one file.
struct Appended {
    date: Date,
    /// One, unless the file has no rows.
    blocks: Vec<Block>,
    /// For each row, the number of its code.
    codes: Vec<u32>,
    date_form: Option<DateForm>,
}

impl<'a> Append<'a> {
    /// An append of `files` to the store at `store`, with the defaults of the command line.
    pub fn new<P: Into<PathBuf>>(store: impl Into<PathBuf>, files: impl IntoIterator<Item = P>) -> Append<'a> {
        Append {
            store: store.into(),
            files: files.into_iter().map(Into::into).collect(),
            workers: None,
            max_restated: None,
            keep: None,
            observer: &Silent,
            disk: Disk::default(),
        }
    }

    /// The most rows that may be restated or removed. With more, nothing is published, and the report says what would
    /// have changed.
    pub fn max_restated(mut self, most: MaxRestated) -> Self {
        self.max_restated = Some(most);
        self
    }

    /// How many versions the store keeps from now on, at least 1.
    pub fn keep(mut self, versions: u32) -> Self {
        self.keep = Some(versions.max(1));
        self
    }

    /// Worker threads; one per core by default. One runs on the calling thread. What is written does not depend on it.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = Some(count);
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

    /// Appends, and publishes if anything changed. Files that cannot be used are skipped, with reasons in the report,
    /// and their dates stay as they are.
    ///
    /// # Errors
    /// When there is no store, or it cannot be read or written, or the observer cancels; then the version that was live
    /// before stays live.
    pub fn run(self) -> Result<UpdateReport> {
        let started = Instant::now();
        let stages = Stages::new(self.workers, DEFAULT_MEMORY, self.observer, &self.disk)?;
        let mut writer = StoreWriter::begin(&self.store, &self.disk, Opening::Change)?;
        let result = self.write(&stages, &writer);
        let mut report = UpdateReport::finish(result, &mut writer)?;
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    fn write(&self, stages: &Stages, writer: &StoreWriter) -> Result<UpdateReport> {
        let before = writer.live()?;
        let settings = Settings::of(before)?;
        let mut panel = before.schema()?.clone();
        let spill = stages.spill(writer, 0)?;
        let known: Mutex<HashMap<String, u32>> = Mutex::default();
        stages.observer.begin("read", "files", self.files.len() as u64);
        let read = stages.workers.try_map(self.files.len(), |at| {
            if stages.observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let read = match read_section(&self.files[at], &settings.options, &panel) {
                Ok(file) => Ok(Appended::new(file, &known, &panel, &spill)?),
                Err(reason) => Err(reason),
            };
            stages.observer.advance(1);
            Ok(read)
        })?;
        stages.observer.end();

        let keep = self.keep.unwrap_or(before.keep());
        let mut report = UpdateReport::of(before, keep);
        let mut appended: BTreeMap<Date, Appended> = BTreeMap::new();
        for (path, read) in self.files.iter().zip(read) {
            let refused = match read {
                Ok(file) if appended.contains_key(&file.date) => {
                    format!("is a second file of {}; name one of the two", file.date)
                }
                Ok(file) => {
                    appended.insert(file.date, file);
                    continue;
                }
                Err(reason) => reason,
            };
            report.skipped.push(Skipped { path: path.display().to_string(), reason: refused.into() });
        }
        report.read_files = appended.len() as u64;
        if appended.is_empty() && keep == before.keep() {
            return Ok(report);
        }
        for form in appended.values().filter_map(|file| file.date_form.as_ref()) {
            if *form != panel.date_form {
                panel.date_form = join_date_forms(&panel.date_form, form);
            }
        }

        // A row's input is its code.
        let dates: Vec<Date> = appended.keys().copied().collect();
        let known = known.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut codes: Vec<&str> = vec![""; known.len()];
        for (code, &number) in &known {
            codes[number as usize] = code;
        }
        // Codes that only refused files have are no stocks.
        let mut inputs: Vec<Option<&str>> = vec![None; known.len()];
        let mut blocks = Vec::with_capacity(appended.len());
        for file in appended.into_values() {
            for block in file.blocks {
                blocks.push(Block { inputs: spill.put(Shelf::Band(0), bytemuck::cast_slice(&file.codes))?, ..block });
            }
            file.codes.iter().for_each(|&code| inputs[code as usize] = Some(codes[code as usize]));
        }
        let Assembly { mut snapshot, columns, stocks, codes } =
            assemble(panel, &inputs, &blocks, writer, keep, Some(before))?;
        snapshot.settings = Settings { command: "append".to_owned(), ..settings }.encode()?;
        snapshot.sources = before.sources()?;

        // All stocks of these dates are read again: those that a file lacks are gone.
        let mut reread: HashSet<&str> = before.stocks()?.into_iter().collect();
        reread.extend(inputs.iter().flatten());
        let spilled = spill.map()?;
        let gathering = Gathering { blocks: &blocks, spill: &spilled, stocks, codes };
        let revision = Revision::new(Sealer { gathering, columns }, before, &snapshot, &reread, dates);
        let changes = revision.compare(stages)?;
        report.describe(&changes, &snapshot, before)?;
        if report.changes_anything() || keep != before.keep() {
            revision.publish(stages, writer, &changes, snapshot, &mut report, "append", self.max_restated)?;
        }
        Ok(report)
    }
}

impl Appended {
    /// Spills the rows of `file` as a block of one date; its codes get numbers among those that are `known`.
    fn new(
        file: SectionFile,
        known: &Mutex<HashMap<String, u32>>,
        panel: &PanelSchema,
        spill: &Spill,
    ) -> Result<Appended> {
        // One series whose rows all have the same date: they stay in the order of their codes.
        let frame = Frame::new(&[(0, vec![file.date; file.codes.len()])]);
        let mut columns = Vec::with_capacity(panel.columns.len());
        for (array, column) in file.columns.into_iter().zip(&panel.columns) {
            let mut dictionary = DictionaryBuilder::default();
            let lane = Lane::of_rows(&array, &mut dictionary)?;
            columns.push(frame.column(vec![lane], column.data_type.is_signed_integer(), dictionary, spill)?);
        }
        let blocks = frame.finish(columns, spill)?;
        // Where the lock is poisoned the run has failed.
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let number = |code| {
            let next = known.len() as u32;
            *known.entry(code).or_insert(next)
        };
        Ok(Appended {
            date: file.date,
            blocks,
            codes: file.codes.into_iter().map(number).collect(),
            date_form: file.date_form,
        })
    }
}
