//! Runs an append: rows of per-date files come beside the store's, or take their place.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use arrow_array::RecordBatchReader;

use super::dated::{DatedChange, Others};
use super::gather::parted::{Parted, Rows};
use super::gather::sections::{FilesRead, GivenFiles, Sections};
use super::gather::stages::Stages;
use super::left::{guarded, settle};
use super::seams::{Here, Seams};
use super::settings::Settings;
use super::steps::{Step, Steps};
use super::update_report::UpdateReport;
use super::writing::{Writing, setters};
use crate::error::{Error, Result};
use crate::hint::{instead, listed, slips};
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};
use crate::shuffle::SpillMap;
use crate::skipped::Skipped;
use crate::source::{Allowance, FrameSchema, SourceOptions, column_names};
use crate::store::{Store, StoreWriter};

/// Adds rows to a store from per-date files, of the shape that [`Transpose`](crate::Transpose) writes, and restates
/// those that it has.
///
/// Each file holds stocks of one date. Rows that the store has on that date and the file has not stay, unless the file is
/// to [`replace`](Append::replace) the date. Rows that were appended stay as they are when their stocks are updated,
/// until a stock's file changes and has the row itself; where every row is there already, nothing is published, and the
/// rows go on as those of their files. Each file is held in memory while it is read; one that would take more than a
/// quarter of [`memory`](Append::memory) is skipped.
///
/// ```no_run
/// let report = transect::Append::new("panel.store", ["20240103.parquet"]).run()?;
/// println!("{} rows added, {} restated", report.added, report.restated);
/// # Ok::<(), transect::Error>(())
/// ```
pub struct Append<'a> {
    pub(super) writing: Writing<'a>,
    pub(super) files: Vec<PathBuf>,
    rows: Option<Rows<'a>>,
    source: Option<String>,
    pub(super) replace: bool,
    pub(super) exclude: Vec<String>,
}

impl<'a> Append<'a> {
    /// An append of `files` to the store at `store`, with the defaults of the command line.
    pub fn new<P: Into<PathBuf>>(store: impl Into<PathBuf>, files: impl IntoIterator<Item = P>) -> Append<'a> {
        Append {
            writing: Writing::new(store.into()),
            files: files.into_iter().map(Into::into).collect(),
            rows: None,
            source: None,
            replace: false,
            exclude: Vec::new(),
        }
    }

    /// An append of rows that lie in memory, or are made while they are read, to the store at `store`: of any dates, which a
    /// date column tells. They are read once, and as many of them are held as the memory allows; to put those of one
    /// date in order takes some 50 bytes a row, and a quarter of the memory at most. All of them are used, or none.
    pub fn of_rows(store: impl Into<PathBuf>, rows: impl RecordBatchReader + Send + 'a) -> Append<'a> {
        Append { rows: Some(Box::new(rows)), ..Append::new(store, <[PathBuf; 0]>::default()) }
    }

    /// The source whose rows these are; needed where the store has several.
    pub fn source_name(mut self, name: impl Into<String>) -> Self {
        self.source = Some(name.into());
        self
    }

    /// Whether rows that the store has on a date and its file has not go. They stay by default.
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// Columns of the files to leave out, beside those that the store leaves out.
    pub fn exclude<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.exclude.extend(names.into_iter().map(Into::into));
        self
    }

    setters!(memory, workers, keep, keep_for, allow, max_restated, dry_run, wait, access, observer, disk);

    /// Appends, and publishes if anything changed. Files that cannot be used are skipped, with reasons in the report,
    /// and their dates stay as they are.
    ///
    /// # Errors
    /// When there is no store, or it cannot be read or written, or the observer cancels; then the version that was live
    /// before stays live.
    pub fn run(mut self) -> Result<UpdateReport> {
        let rows = self.rows.take();
        self.writing.change(|stages, writer| self.write((stages, &Here), writer, rows))
    }

    pub(super) fn write(
        &self,
        (stages, seams): (&Stages, &dyn Seams),
        writer: &mut StoreWriter,
        rows: Option<Rows>,
    ) -> Result<UpdateReport> {
        let mut steps = Steps::new(writer, self.writing.dry_run, "append")?.limited(self.writing.max_restated);
        let step = self.append((stages, seams), steps.writer(), rows)?;
        steps.take(step);
        settle(&mut steps, stages, &self.writing, guarded)?;
        steps.finish(stages)
    }

    pub(super) fn append(
        &self,
        (stages, seams): (&Stages, &dyn Seams),
        writer: &StoreWriter,
        rows: Option<Rows>,
    ) -> Result<Step> {
        let whole = writer.live()?;
        let place = self.place(whole)?;
        let before = &whole.of_source(place);
        let settings = Settings::of(before)?;
        let mut options = settings.options.clone();
        options.exclude.extend_from_slice(&self.exclude);
        let mut panel = before.schema()?.clone();
        let keep = self.writing.keep.of(before.kept());
        let mut report = UpdateReport::of(whole, keep);
        report.dry_run = self.writing.dry_run;
        let given = match rows {
            None => {
                let whole = whole.schema()?;
                let given = GivenFiles { files: &self.files, options: &options, panel: &panel, whole, before };
                let check = || self.check_names(&options, stages.workers.memory());
                let Some(read) = seams.append(&given, &check, stages, writer)? else {
                    return Ok(Step { report, snapshot: None });
                };
                self.sections(read, place, writer.live()?, &mut report)?
            }
            Some(rows) => {
                let schema = rows.schema();
                self.check_excluded(&schema.fields().iter().map(|field| field.name().clone()).collect(), None)?;
                let frame = FrameSchema::joining(&schema, &options, (&panel, whole.schema()?))?;
                panel = frame.typed(panel);
                let spill = stages.spill(writer, 0)?;
                let parted = Parted::read(stages, writer, rows, &frame)?;
                (parted.sections(stages, &frame, (&panel, Some(before)), &spill)?, spill.map()?)
            }
        };
        if given.0.dates.is_empty() && keep == before.kept() {
            return Ok(Step { report, snapshot: None });
        }
        let change = DatedChange {
            whole,
            place,
            name: "",
            panel,
            settings,
            others: if self.replace { Others::GoOnTheseDates } else { Others::Stay },
            max_restated: self.writing.max_restated,
            keep,
            allowed: &self.writing.allowed,
            dry_run: self.writing.dry_run,
            command: "append",
        };
        change.make((stages, seams), writer, given, report)
    }

    /// Whether it has rows that lie in memory.
    pub(super) fn is_of_rows(&self) -> bool {
        self.rows.is_some()
    }

    /// The place of the source whose rows these are.
    pub(super) fn place(&self, whole: &Store) -> Result<usize> {
        let names = whole.source_names()?;
        match &self.source {
            Some(name) => whole.find_source(name),
            None if names.len() == 1 => Ok(0),
            None => {
                let what = format!("{} has the sources {}", whole.path().display(), listed(&names));
                let named = Remedy::set(Setting::Source(String::new()), "says whose rows these are");
                Err(Error::refused_unless(what, [named]))
            }
        }
    }

    /// Looks whether each column to leave out is in a file; says which may be in those that cannot be read.
    fn check_names(&self, options: &SourceOptions, memory: u64) -> Result<Vec<String>> {
        let mut notes = Vec::new();
        if !self.exclude.is_empty() {
            let allowance = Allowance::new(memory, 1);
            let names: Vec<_> = self.files.iter().map(|path| column_names(path, options, &allowance)).collect();
            let unread = names.iter().any(Option::is_none).then_some(&mut notes);
            self.check_excluded(&names.into_iter().flatten().flatten().collect(), unread)?;
        }
        Ok(notes)
    }

    /// The sections of what was read; files that cannot be used are told of in `report`.
    fn sections(
        &self,
        read: FilesRead,
        place: usize,
        whole: &Store,
        report: &mut UpdateReport,
    ) -> Result<(Sections, SpillMap)> {
        let (mut sections, mut dates) = (Vec::new(), HashSet::new());
        report.notes.extend(read.notes);
        for (path, read) in self.files.iter().zip(read.sections) {
            let refused = match read {
                Ok(section) if !dates.insert(section.date) => {
                    Reason::new(Kind::OtherDate, format!("is a second file of {}", section.date))
                        .or(Remedy::Do("name one of the two".to_owned()))
                }
                Ok(section) => {
                    sections.push(section);
                    continue;
                }
                Err(reason) => of_another_source(whole, place, reason)?,
            };
            report.skipped.push(Skipped::new(path.display().to_string(), refused));
        }
        report.read_files = sections.len() as u64;
        Ok((Sections::new(sections, read.codes), read.spill))
    }

    /// Refuses names of columns to leave out that are not among those that were given; where some files are `unread`,
    /// which may have them, it is noted there.
    fn check_excluded(&self, names: &BTreeSet<String>, unread: Option<&mut Vec<String>>) -> Result<()> {
        let unknown: Vec<&str> =
            self.exclude.iter().filter(|name| !names.contains(*name)).map(String::as_str).collect();
        if let Some(notes) = unread {
            let told = |name| format!("{name:?}, which is to be left out, is in no file that can be read");
            notes.extend(unknown.into_iter().map(told));
            return Ok(());
        }
        let Some(first) = unknown.first() else { return Ok(()) };
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let why = format!("names {}, which is not there", slips(&unknown, &known));
        Err(Error::invalid(Setting::Exclude(Vec::new()), why, [instead(first, &known, "columns", None)]))
    }
}

/// `reason` for which a file cannot be added to the source at `place`; where it has a column of another source, says so,
/// and that the file is for that one, unless it has all of this one beside.
fn of_another_source(whole: &Store, place: usize, reason: Reason) -> Result<Reason> {
    let Some(column) = reason.column().filter(|_| reason.kind() == Kind::OtherColumns) else { return Ok(reason) };
    for (other, name) in whole.source_names()?.into_iter().enumerate().filter(|(other, _)| *other != place) {
        if whole.of_source(other).schema()?.index_of(column).is_none() {
            continue;
        }
        let what = format!("has the column {column:?}, which is one of the source {name:?}");
        let told = Reason::new(Kind::OtherColumns, what).of_column(column);
        let to_that = || Remedy::set(Setting::Source(name.to_owned()), "adds it to that one");
        let has_all = reason.remedies().iter().any(|remedy| matches!(remedy, Remedy::Set { .. }));
        return Ok(match has_all {
            true => reason.remedies().iter().cloned().fold(told, Reason::or),
            false => told.or(to_that()),
        });
    }
    Ok(reason)
}
