//! Runs a write: rows in memory become a store, without files.

use std::path::PathBuf;
use std::time::Instant;

use arrow_array::{Array, RecordBatchReader};

use super::appended::{Appended, AppendedDate};
use super::build_report::BuildReport;
use super::first::{DEFAULT_KEEP, add_sealed, begin_history, ended, seal_all};
use super::gather::parted::{Parted, Rows};
use super::gather::stages::Stages;
use super::seal::assemble::{Assembly, Target, assemble};
use super::seal::sealer::Sealer;
use super::settings::{Settings, store_settings};
use super::writing::{Writing, setters};
use crate::error::{Error, Result};
use crate::shuffle::{self, Gathering};
use crate::source::{FrameSchema, SourceOptions};
use crate::store::{Opening, SnapshotTables, SourceContents, Store, StoreWriter};

/// Makes a store of rows that lie in memory, or are made while they are read.
///
/// Its source has no folder: an update leaves it alone, and [`Append::of_rows`](crate::Append::of_rows) brings it further
/// rows. All dates of the rows are in one column, and their codes in another.
pub struct Write<'a> {
    writing: Writing<'a>,
    rows: Option<Rows<'a>>,
    options: SourceOptions,
    name: Option<String>,
    force: bool,
}

impl<'a> Write<'a> {
    /// A store of `rows` at `store`. They are read once, and as many of them are held as the memory allows; to put those
    /// of one date in order takes some 50 bytes a row, and a quarter of the memory at most.
    pub fn new(store: impl Into<PathBuf>, rows: impl RecordBatchReader + Send + 'a) -> Write<'a> {
        Write {
            writing: Writing::new(store.into()),
            rows: Some(Box::new(rows)),
            options: SourceOptions::default(),
            name: None,
            force: false,
        }
    }

    /// How the rows are read: which columns are code, date and key, and which are left out. What is about files says
    /// nothing here.
    pub fn options(mut self, options: SourceOptions) -> Self {
        self.options = options;
        self
    }

    /// The name of the source; `frame` by default.
    pub fn source_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether to replace a store that exists, with all its versions.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    setters!(memory, workers, keep, keep_for, wait, observer, disk);

    /// Writes and publishes the store.
    ///
    /// # Errors
    /// When a row cannot be used, there is none, the store cannot be written, or the observer cancels; then the version
    /// that was live before stays live.
    pub fn run(mut self) -> Result<BuildReport> {
        let started = Instant::now();
        let stages = self.writing.stages()?;
        let writer = self.writing.begin(if self.force { Opening::Replace } else { Opening::Create })?;
        let rows = self.rows.take();
        let result = rows.map_or_else(|| Err(no_rows()), |rows| self.write(&stages, &writer, rows));
        ended(result, writer, &self.writing.store, started)
    }

    fn write(&self, stages: &Stages, writer: &StoreWriter, rows: Rows) -> Result<BuildReport> {
        let schema = rows.schema();
        let frame = FrameSchema::new(&schema, &self.options)?;
        let parted = Parted::read(stages, writer, rows, &frame)?;
        let frame = frame.settle(&schema, parted.says_more)?;
        let panel = frame.panel(parted.form.clone())?;
        let spill = stages.spill(writer, 0)?;
        let sections = parted.sections(stages, &frame, (&panel, None), &spill)?;
        drop(parted);
        if sections.dates.is_empty() {
            return Err(no_rows());
        }
        let keep = self.writing.keep.of(writer.before().map_or(DEFAULT_KEEP, Store::kept));
        let target = Target { before: None, place: 0, name: self.name.as_deref().unwrap_or("frame") };
        let date_form = panel.date_form.to_string();
        let Assembly { mut snapshot, columns, stocks, codes } =
            assemble(panel, &sections.codes(), &sections.blocks, writer.ids(), keep, target)?;
        let source = snapshot.sources[0].id;
        let (sealed, dates) = stages.synced(|syncs| {
            let spilled = spill.map()?;
            let gathering = Gathering { blocks: &sections.blocks, spill: &spilled, stocks, codes };
            let dates = shuffle::sections(gathering.days());
            let sealer = Sealer { gathering, columns };
            let sealed = seal_all(stages, writer, (source, &sealer), &dates, syncs)?;
            Ok((sealed, dates))
        })?;
        let mut appended = Appended::default();
        let all = |rows: u32| std::iter::repeat_n(writer.version(), rows as usize);
        appended.follow(dates.iter().map(|&(date, rows)| (date, AppendedDate::new(all(rows), 0))));
        snapshot.settings = store_settings("write")?;
        let settings = Settings { appended, ..Settings::without_folder(frame.options()) };
        let mut contents = SourceContents { settings: settings.encode()?, ..SourceContents::default() };
        add_sealed(sealed, &mut contents, &mut snapshot, writer);
        snapshot.sources[0].tables = SnapshotTables::New(contents);
        begin_history(writer, "write", &mut snapshot, dates.len() as u64);
        if self.writing.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        writer.publish(&snapshot)?;
        Ok(BuildReport {
            version: snapshot.version,
            published: true,
            rows: snapshot.row_count(),
            stocks: snapshot.dictionaries[0].len() as u64,
            dates: dates.len() as u64,
            first_date: dates.first().map(|&(date, _)| date),
            last_date: dates.last().map(|&(date, _)| date),
            columns: snapshot.columns.len() as u64,
            date_form,
            notes: sections.losses.notes(),
            store_bytes: snapshot.new_segments().map(|segment| segment.record.file_len).sum(),
            ..BuildReport::default()
        })
    }
}

fn no_rows() -> Error {
    Error::refused("the frame has no rows", "give one that has some")
}
