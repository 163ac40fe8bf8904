//! Runs an append: rows of per-date files come beside the store's, or take their place.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;

use super::appended::Appended;
use super::assemble::{Assembly, Target, assemble};
use super::build_report::known_file;
use super::codes::Codes;
use super::guard::{Guard, Guards};
use super::limit::Limit;
use super::night::{guard_nulls, guard_pruned};
use super::revision::{Given, Revised, Revision};
use super::seal::Sealer;
use super::settings::{Settings, store_settings};
use super::stages::Stages;
use super::steps::{Step, Steps};
use super::texts::Texts;
use super::update_report::UpdateReport;
use crate::codec::{DictionaryBuilder, Lane};
use crate::compare::{Rule, Unread};
use crate::error::{Error, Result};
use crate::format::FileStatus;
use crate::hint::listed;
use crate::key::Date;
use crate::panel::PanelSchema;
use crate::progress::{Observer, Silent};
use crate::reason::{Kind, Reason};
use crate::remedy::Remedy;
use crate::shuffle::{Block, Frame, Gathering, Inputs, Spill};
use crate::skipped::Skipped;
use crate::source::{
    Allowance, KnownFile, SectionFile, SourceOptions, check_machine, read_section, split_by_date, take_section,
};
use crate::storage::Disk;
use crate::storage::wait;
use crate::store::{FileEntry, KeepChange, Opening, SourceContents, StoreWriter};
use crate::workers::DEFAULT_MEMORY;

/// Adds rows to a store from per-date files, of the shape that [`Transpose`](crate::Transpose) writes, and restates
/// those that it has.
///
/// Each file holds stocks of one date. Rows that the store has on that date and the file has not stay, unless the file is
/// to [`replace`](Append::replace) the date. Rows that were appended stay as they are when their stocks are updated,
/// until a stock's file changes and has the row itself. Each file is held in memory while it is read; one that would take
/// more than a quarter of [`memory`](Append::memory) is skipped.
///
/// ```no_run
/// let report = transect::Append::new("panel.store", ["20240103.parquet"]).run()?;
/// println!("{} rows added, {} restated", report.added, report.restated);
/// # Ok::<(), transect::Error>(())
/// ```
pub struct Append<'a> {
    store: PathBuf,
    files: Vec<PathBuf>,
    rows: Vec<RecordBatch>,
    memory: u64,
    workers: Option<usize>,
    source: Option<String>,
    replace: bool,
    exclude: Vec<String>,
    max_restated: Option<Limit>,
    keep: KeepChange,
    allowed: Vec<Guard>,
    dry_run: bool,
    wait: Duration,
    observer: &'a dyn Observer,
    disk: Disk,
}

/// What was read of one file.
struct Section {
    date: Date,
    /// One, unless the file has no rows.
    blocks: Vec<Block>,
    /// For each row, the number of its code.
    codes: Vec<u32>,
}

impl<'a> Append<'a> {
    /// An append of `files` to the store at `store`, with the defaults of the command line.
    pub fn new<P: Into<PathBuf>>(store: impl Into<PathBuf>, files: impl IntoIterator<Item = P>) -> Append<'a> {
        Append {
            store: store.into(),
            files: files.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
            memory: DEFAULT_MEMORY,
            workers: None,
            source: None,
            replace: false,
            exclude: Vec::new(),
            max_restated: None,
            keep: KeepChange::default(),
            allowed: Vec::new(),
            dry_run: false,
            wait: Duration::ZERO,
            observer: &Silent,
            disk: Disk::default(),
        }
    }

    /// Rows that lie in memory, beside the files: of any dates, which a date column tells, as a file of each would have
    /// them.
    pub fn rows(mut self, batches: impl IntoIterator<Item = RecordBatch>) -> Self {
        self.rows.extend(batches);
        self
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

    /// The most rows that may be restated or removed. With more, nothing is published, and the report says what would
    /// have changed.
    pub fn max_restated(mut self, most: Limit) -> Self {
        self.max_restated = Some(most);
        self
    }

    /// Guards that stop nothing; by default each does.
    pub fn allow(mut self, guards: impl IntoIterator<Item = Guard>) -> Self {
        self.allowed.extend(guards);
        self
    }

    /// How many versions the store keeps from now on, at least 1.
    pub fn keep(mut self, versions: u32) -> Self {
        self.keep.versions = Some(versions.max(1));
        self
    }

    /// For how long the store keeps a version after another has replaced it, from now on: it keeps those that this or the
    /// number says.
    pub fn keep_for(mut self, age: Duration) -> Self {
        self.keep.age = Some(age);
        self
    }

    /// Anonymous memory to use, in bytes; 512 MiB by default.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Worker threads; one per core by default, and never more than one for each 16 MiB of memory. One runs on the
    /// calling thread. What is written does not depend on it.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = Some(count);
        self
    }

    /// Whether to publish nothing and only tell what would change. It leaves nothing behind, and keeps no writer away.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
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

    /// Appends, and publishes if anything changed. Files that cannot be used are skipped, with reasons in the report,
    /// and their dates stay as they are.
    ///
    /// # Errors
    /// When there is no store, or it cannot be read or written, or the observer cancels; then the version that was live
    /// before stays live.
    pub fn run(self) -> Result<UpdateReport> {
        let started = Instant::now();
        let stages = Stages::new(self.workers, self.memory, self.observer)?;
        let opening = if self.dry_run { Opening::Look } else { Opening::Change };
        let begin = || StoreWriter::begin(&self.store, &self.disk, opening);
        let mut writer = wait(self.wait, self.observer, begin)?;
        let result = self.write(&stages, &mut writer);
        let mut report = UpdateReport::finish(result, &mut writer)?;
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    /// The files, and the rows in memory date by date.
    fn given(&self, options: &SourceOptions) -> Vec<Rows<'_>> {
        let mut given: Vec<Rows<'_>> = self.files.iter().map(|path| Rows::File(path)).collect();
        let Some(first) = self.rows.first() else { return given };
        // A stream has its rows in pieces, which may part a date.
        let joined = concat_batches(&first.schema(), &self.rows).map_err(Reason::undecodable);
        match joined.and_then(|batch| split_by_date(&batch, options)) {
            Ok(dates) => given.extend(dates.into_iter().map(Rows::Here)),
            Err(reason) => given.push(Rows::Refused(reason)),
        }
        given
    }

    fn write(&self, stages: &Stages, writer: &mut StoreWriter) -> Result<UpdateReport> {
        let mut steps = Steps::new(writer, self.dry_run, "append")?;
        let step = self.append(stages, steps.writer())?;
        steps.take(step);
        steps.finish(stages)
    }

    fn append(&self, stages: &Stages, writer: &StoreWriter) -> Result<Step> {
        let whole = writer.live()?;
        let names = whole.source_names()?;
        let place = match &self.source {
            Some(name) => whole.find_source(name)?,
            None if names.len() == 1 => 0,
            None => {
                let what = format!("{} has the sources {}", whole.path().display(), listed(&names));
                return Err(Error::refused(what, "say whose rows these are"));
            }
        };
        let target = Target { before: Some(whole), place, name: "" };
        let before = &whole.of_source(target.place);
        let settings = Settings::of(before)?;
        let mut options = settings.options.clone();
        options.exclude.extend_from_slice(&self.exclude);
        let panel = before.schema()?.clone();
        let spill = stages.spill(writer, 0)?;
        let codes = Codes::new(stages.workers.memory());
        let allowance = Allowance::new(stages.workers.memory(), stages.workers.count());
        let texts = Texts::new(&panel.columns, stages.workers.memory(), false);
        let given = self.given(&options);
        stages.observer.begin("read", "files", given.len() as u64);
        let read = stages.workers.try_map(given.len(), |at| {
            if stages.observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let section = match &given[at] {
                Rows::File(path) => read_section(path, &options, &panel, &allowance),
                Rows::Here(batch) => take_section(batch, &options, &panel, &allowance),
                Rows::Refused(reason) => Err(reason.clone()),
            };
            let read = match (section, &given[at]) {
                (Ok(file), _) => Ok(Section::new(file, &codes, &panel, &spill, &texts)?),
                (Err(reason), Rows::File(path)) => {
                    check_machine(path)?;
                    Err(reason)
                }
                (Err(reason), _) => Err(reason),
            };
            stages.observer.advance(1);
            Ok(read)
        })?;
        stages.observer.end();

        let keep = self.keep.of(before.kept());
        let mut report = UpdateReport::of(whole, keep);
        report.dry_run = self.dry_run;
        let mut appended: BTreeMap<Date, Section> = BTreeMap::new();
        for (rows, read) in given.iter().zip(read) {
            let refused = match read {
                Ok(file) if appended.contains_key(&file.date) => {
                    Reason::new(Kind::OtherDate, format!("is a second file of {}", file.date))
                        .or(Remedy::Do("name one of the two".to_owned()))
                }
                Ok(file) => {
                    appended.insert(file.date, file);
                    continue;
                }
                Err(reason) => reason,
            };
            report.skipped.push(Skipped { path: rows.to_string(), reason: refused });
        }
        report.read_files = appended.len() as u64;
        if appended.is_empty() && keep == before.kept() {
            return Ok(Step { report, snapshot: None });
        }

        // A row's input is its code.
        let dates: Vec<Date> = appended.keys().copied().collect();
        let mut blocks = Vec::with_capacity(appended.len());
        for file in appended.into_values() {
            codes.keep(&file.codes);
            blocks.extend(file.blocks);
        }
        let codes = codes.into_kept();
        let inputs: Vec<Option<&str>> = codes.iter().map(Option::as_deref).collect();
        let key = panel.key.clone();
        let Assembly { mut snapshot, columns, stocks, codes } =
            assemble(panel, &inputs, &blocks, writer, keep, target)?;

        // Of these dates all stocks are read again; what a file lacks goes only if it is to replace the date.
        let unread = if self.replace { Unread::Goes } else { Unread::Stays };
        let rule = Rule { appended_stands_since: u64::MAX, unread };
        let mut reread: HashMap<&str, Rule> = inputs.iter().flatten().map(|code| (*code, rule)).collect();
        if self.replace {
            reread.extend(before.stocks()?.into_iter().map(|code| (code, rule)));
        }
        let given = Given::ByDate { version: writer.version(), replaces: self.replace };
        let spilled = spill.map()?;
        let gathering = Gathering { blocks: &blocks, spill: &spilled, stocks, codes };
        let sealer = Sealer { gathering, columns };
        let (place, appended) = (target.place, &settings.appended);
        let (joins_left, scratch) = (false, stages.scratch(writer));
        let revised = Revised { whole, before, place, appended, given, joins_left, scratch };
        let revision = Revision::new(sealer, revised, &snapshot, key, &reread, dates)?;
        let changes = revision.compare(stages)?;
        report.describe(&changes, &snapshot, &revision.sealer.columns, before)?;
        let mut guards = Guards::new(&self.allowed);
        guard_nulls(before, &changes, &mut guards)?;
        guard_pruned(&changes, changes.rows_before, &mut guards);
        report.judge(self.max_restated, before.row_count(), guards);
        let is_news = report.changes_anything() || keep != before.kept();
        report.refuse_empty()?;
        if is_news && !report.is_stopped() && !self.dry_run {
            let mut appended = settings.appended.clone();
            let files = before.files()?;
            let is_given = |unit: &str| match settings.options.period_of(unit) {
                None => reread.contains_key(unit),
                Some(period) => revision.dates.iter().any(|date| period.has(*date)),
            };
            note_files(&mut appended, (&settings, &files), writer.version(), stages, is_given)?;
            appended.follow(changes.appended.iter().cloned());
            snapshot.settings = store_settings("append")?;
            let settings = Settings { appended, ..Settings::of(before)? }.encode()?;
            let contents = SourceContents { settings, files, ..SourceContents::default() };
            revision.write(stages, writer, &changes, (&mut snapshot, contents))?;
            return Ok(Step { report, snapshot: Some(snapshot) });
        }
        Ok(Step { report, snapshot: None })
    }
}

/// Rows of one date, before they are read.
enum Rows<'a> {
    File(&'a Path),
    Here(RecordBatch),
    /// Rows whose dates cannot be told apart.
    Refused(Reason),
}

impl fmt::Display for Rows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rows::File(path) => write!(f, "{}", path.display()),
            _ => f.write_str("rows in memory"),
        }
    }
}

/// Notes what the files of units that are given are now, where they are not as the store remembers them.
fn note_files(
    appended: &mut Appended,
    (settings, files): (&Settings, &[FileEntry]),
    version: u64,
    stages: &Stages,
    is_given: impl Fn(&str) -> bool,
) -> Result<()> {
    let with_rows = files.iter().filter(|entry| entry.status == FileStatus::Read);
    let unit_of = |entry: &FileEntry| settings.options.unit_of(entry.path.as_ref());
    let given = with_rows.filter(|entry| unit_of(entry).is_some_and(|unit| is_given(&unit)));
    let files: Vec<(&str, KnownFile)> =
        given.filter_map(|entry| Some((entry.path.as_str(), known_file(entry)?))).collect();
    stages.observer.begin("look", "files", files.len() as u64);
    let found = stages.workers.try_map(files.len(), |at| {
        if stages.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let (path, known) = files[at];
        let now = appended.file(path).unwrap_or(known).look_again(&Path::new(&settings.source).join(path))?;
        stages.observer.advance(1);
        Ok(now)
    })?;
    stages.observer.end();
    for ((path, known), now) in files.into_iter().zip(found) {
        if let Some(now) = now {
            appended.note_file(path, known, now, version);
        }
    }
    Ok(())
}

impl Section {
    /// Spills the rows of `file` as a block of one date; its codes get numbers among `codes`.
    fn new(file: SectionFile, codes: &Codes, panel: &PanelSchema, spill: &Spill, texts: &Texts) -> Result<Section> {
        // One series whose rows all have the same date: they stay in the order of their codes.
        let numbers = codes.numbers(file.codes.iter().map(String::as_str))?;
        let frame = Frame::new(vec![(Inputs::Each(numbers.clone()), vec![file.date; file.codes.len()])]);
        let mut columns = Vec::with_capacity(panel.columns.len());
        for (array, column) in file.columns.into_iter().zip(&panel.columns) {
            let mut dictionary = DictionaryBuilder::default();
            let lane = Lane::of_rows(&array, &mut dictionary)?;
            columns.push(frame.column(vec![lane], column.data_type.is_signed_integer(), dictionary, spill)?);
        }
        let blocks = texts.counted(frame.finish(columns, spill)?)?;
        Ok(Section { date: file.date, blocks, codes: numbers })
    }
}
