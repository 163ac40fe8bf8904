//! Runs `source add`: the columns of other folders join the panel, row by row on its key.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatchReader;
use arrow_schema::DataType;

use super::add_rows::NewRows;
use super::appended::Appended;
use super::build_report::{guard_skipped, nothing_to_store, source_entries};
use super::gather::intake::{Gathered, codes_of, panel_of};
use super::gather::parted::Rows;
use super::gather::stages::Stages;
use super::guard::Guards;
use super::join::{Join, LeftOut};
use super::joining::{check_before_reading, check_columns, options_of, rolled_source};
use super::left::{guarded, outer_sources, settle};
use super::night::guard_codes_of;
use super::revise::revision::{Given, Revised, Revision};
use super::rolled::{Rolled, days_of};
use super::seal::assemble::{Assembly, Target, assemble};
use super::seal::sealer::Sealer;
use super::seams::{Here, Seams};
use super::settings::{Settings, store_settings};
use super::sparse::{guard_sparse, lone_note};
use super::steps::{Step, Steps};
use super::stored_values::{all_in_store, exact_in_store, has_value_in_store, says_times_in_store};
use super::update_report::UpdateReport;
use super::writing::{Writing, setters};
use crate::compare::{Rule, Unread};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::reason::Kind;
use crate::remedy::{Remedy, Setting};
use crate::shuffle::{Gathering, sections};
use crate::skipped::Skipped;
use crate::source::{FilesBy, Known, Prior, SourceOptions, Survey, Surveyor, Trust, scan};
use crate::store::{SourceContents, Store, StoreWriter};

/// Adds sources to a store: the columns of their files join its rows on date, code and key columns.
///
/// All become part of one version. A row that a source lacks has nulls in its columns; no other source's values are
/// written again.
///
/// ```no_run
/// let report = transect::AddSource::new("panel.store", ["factors/value", "factors/size"]).prefix("{source}_").run()?;
/// println!("{} rows have new values", report.filled);
/// # Ok::<(), transect::Error>(())
/// ```
pub struct AddSource<'a> {
    pub(super) writing: Writing<'a>,
    pub(super) directories: Vec<PathBuf>,
    rows: Option<Rows<'a>>,
    pub(super) name: Option<String>,
    pub(super) options: SourceOptions,
    pub(super) join: Join,
}

impl<'a> AddSource<'a> {
    /// Adds a source for each of `directories` to the store at `store`, with the defaults of the command line.
    pub fn new<P: Into<PathBuf>>(store: impl Into<PathBuf>, directories: impl IntoIterator<Item = P>) -> AddSource<'a> {
        AddSource {
            writing: Writing::new(store.into()),
            directories: directories.into_iter().map(Into::into).collect(),
            rows: None,
            name: None,
            options: SourceOptions::default(),
            join: Join::Outer,
        }
    }

    /// Adds a source `name` of rows that lie in memory, or are made while they are read, to the store at `store`. It
    /// has no folder: an update leaves it alone, and [`Append::of_rows`](crate::Append::of_rows) brings it further
    /// rows. Where the store has such a source of that name, the rows take the place of those that it has.
    pub fn of_rows(
        store: impl Into<PathBuf>,
        name: impl Into<String>,
        rows: impl RecordBatchReader + Send + 'a,
    ) -> AddSource<'a> {
        let none = AddSource::new(store, <[PathBuf; 0]>::default());
        AddSource { rows: Some(Box::new(rows)), name: Some(name.into()), ..none }
    }

    /// The name of the one source; by default each has that of its directory.
    pub fn source_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How to find and read the files. The key is the store's; `{source}` in the prefix stands for the source's name.
    pub fn options(mut self, options: SourceOptions) -> Self {
        self.options = options;
        self
    }

    /// What the names of the columns begin with; `{source}` stands for the source's name.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = prefix.into();
        self
    }

    /// What becomes of rows whose key the panel lacks, from now on.
    pub fn join(mut self, join: Join) -> Self {
        self.join = join;
        self
    }

    setters!(memory, workers, keep, keep_for, allow, max_skipped, dry_run, wait, access, observer, disk);

    /// Adds the sources, and publishes unless a guard is met that is not [allowed](AddSource::allow). Files that cannot
    /// be used are skipped, with reasons in the report.
    ///
    /// # Errors
    /// When there is no store, a name is taken, no file can be used, the store cannot be written, or the observer
    /// cancels; then the version that was live before stays live.
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
        if self.name.is_some() && self.directories.len() > 1 {
            let what = "one name cannot be that of several sources";
            return Err(Error::refused(what, "add them one by one, or leave the name to their directories"));
        }
        let mut steps = Steps::new(writer, self.writing.dry_run, "source add")?;
        if let (Some(rows), Some(name)) = (rows, &self.name) {
            let rows = NewRows {
                rows,
                name,
                options: &self.options,
                join: self.join,
                keep: self.writing.keep,
                allowed: &self.writing.allowed,
                dry_run: self.writing.dry_run,
            };
            let step = rows.add(stages, steps.writer())?;
            steps.take(step);
        }
        for directory in &self.directories {
            steps.before(stages)?;
            let step = self.add((stages, seams), steps.writer(), directory)?;
            steps.take(step);
        }
        settle(&mut steps, stages, &self.writing, guarded)?;
        let mut report = steps.finish(stages)?;
        if !report.published {
            // It can be added with other options still.
            report.skipped.iter_mut().for_each(|skipped| skipped.reason.be_of_any_source());
        }
        Ok(report)
    }

    /// Adds the source of the files in `directory`.
    pub(super) fn add(&self, with: (&Stages, &dyn Seams), writer: &StoreWriter, directory: &Path) -> Result<Step> {
        let name = self.name_of(directory);
        let whole = writer.live()?;
        let key: Vec<String> = whole.schema()?.key_names().map(str::to_owned).collect();
        let step = self.add_as(with, writer, directory, &name).map_err(|error| with_key(error, whole, &key))?;
        Ok(step.of_source(&name))
    }

    /// The name of the source of the files in `directory`.
    pub(super) fn name_of(&self, directory: &Path) -> String {
        self.name.clone().unwrap_or_else(|| directory_name(directory))
    }

    fn add_as(
        &self,
        (stages, seams): (&Stages, &dyn Seams),
        writer: &StoreWriter,
        directory: &Path,
        name: &str,
    ) -> Result<Step> {
        let whole = writer.live()?;
        let names = whole.source_names()?;
        if names.contains(&name) {
            let what = format!("{} has a source {name:?} already", whole.path().display());
            return Err(Error::refused(what, "give the new one another name"));
        }
        let place = names.len();
        let before = &whole.of_source(place);
        let panel = before.schema()?;
        let mut options = options_of(&self.options, panel, name)?;
        seams.code_map(&mut options, stages.workers.memory())?;
        let (workers, observer) = (&stages.workers, self.writing.observer);
        let known = Known { files: &HashMap::new(), goes: &|_| false, again: &|_| false, trust: Trust::Nothing };
        let mut scan = seams.scan(&|| scan(directory, &options, &known, workers, observer))?;
        let keep = self.writing.keep.of(whole.kept());
        let mut report = UpdateReport::of(whole, keep);
        report.dry_run = self.writing.dry_run;
        report.describe_scan(&scan);
        report.max_skipped = self.writing.max_skipped;
        let mut guards = Guards::new(&self.writing.allowed);
        let is_by_stock = options.files_by == FilesBy::Stock;
        let named: Vec<String> = scan.changed.iter().filter(|_| is_by_stock).map(|(code, _)| code.clone()).collect();
        let rolled = rolled_source(whole)?;
        // As that one, if its dates are part of the key, which is not known yet.
        let dated = rolled.as_ref().filter(|_| options.roll.is_none()).unwrap_or(&options);
        let prior = Prior {
            code: &panel.code,
            date_name: &panel.date_name,
            date_form: &panel.date_form,
            columns: &panel.columns,
            key: &panel.key,
            exact: &|name: &str, to: &DataType| exact_in_store(whole, name, to, workers, observer),
            trading_days: &days_of(whole, dated, None)?,
            rolled: rolled.as_ref(),
            is_new: true,
            shares_options: self.directories.len() > 1,
            renamed: &[],
            changes: None,
            has_value: &|name| has_value_in_store(whole, name),
            all: &|name, holds| all_in_store(whole, name, holds),
        };
        let surveyor = Surveyor::again(directory, &mut scan, &prior, &options, workers, observer);
        let check = |survey: &Survey| check_before_reading(whole, survey, panel.columns.len(), name);
        let (survey, found) = seams.read((surveyor, false), &check, stages, writer, before)?;
        if survey.inputs.is_empty() {
            return Err(nothing_to_store(&survey, &source_entries(&survey, &Gathered::default())));
        }
        let Some((spill, gathered)) = found else { return Ok(Step { report, snapshot: None }) };
        let files = source_entries(&survey, &gathered);
        if gathered.read.iter().all(|read| read.rows == 0) {
            return Err(nothing_to_store(&survey, &files));
        }
        let known_count = panel.columns.len();
        check_columns(whole, &survey.columns[known_count..], (name, survey.options()))?;
        let panel = panel_of(&survey);
        let (inputs, key) = (codes_of(&survey, &gathered), panel.key.clone());
        let target = Target { before: Some(whole), place, name };
        let Assembly { mut snapshot, columns, stocks, codes } =
            assemble(panel, &inputs, &gathered.blocks, writer.ids(), keep, target)?;
        let found = named.iter().map(String::as_str).chain(inputs.iter().copied().flatten());
        guard_codes_of(whole, "the folder", found, &mut guards)?;
        guard_skipped(&files, self.writing.max_skipped, &mut guards);
        guard_sparse(&survey, known_count, whole.row_count(), &mut guards);
        let gathering = Gathering { blocks: &gathered.blocks, spill: &spill, stocks, codes };
        let dates: Vec<Date> = sections(gathering.days()).into_iter().map(|(date, _)| date).collect();
        let rule = Rule::anew(Unread::Goes);
        let reread: HashMap<&str, Rule> = inputs.iter().flatten().map(|code| (*code, rule)).collect();
        let (appended, given) = (&Appended::default(), Given::ByStock);
        let (site, which) = seams.seal(writer);
        let (outer, scratch) = (outer_sources(whole, place, self.join)?, stages.scratch(site));
        let revised = Revised { whole, before, place, appended, given, outer, scratch };
        let sealer = Sealer { gathering, columns };
        let revision = Revision::new(sealer, revised, &snapshot, key, &reread, dates)?;
        let Some(changes) = seams.compare(&revision, stages)? else { return Ok(Step { report, snapshot: None }) };
        report.describe_files(&survey, &gathered, &files, &snapshot.date_form());
        report.notes.extend(lone_note(&survey, known_count));
        report.describe(&changes, &snapshot, &revision.sealer.columns, before)?;
        let rolled = Rolled::new(&survey, &gathered, None, &[]);
        report.waiting_rows = rolled.as_ref().map_or(0, Rolled::waiting_rows);
        report.judge(None, whole.row_count(), guards);
        if report.is_stopped() || self.writing.dry_run {
            return Ok(Step { report, snapshot: None });
        }
        for skipped in &mut report.skipped {
            skipped.reason = survey.once_built(&skipped.reason);
        }
        snapshot.settings = store_settings("source add")?;
        let options = survey.options();
        let units = files.iter().flat_map(|file| options.units_of(file.path.as_ref()));
        let left_out = LeftOut::new(revision.left_out(&changes, &snapshot, units, options), writer.version());
        let (max_skipped, join) = (self.writing.max_skipped, self.join);
        let settings = Settings { max_skipped, join, left_out, rolled, ..Settings::new(directory, options) };
        let contents = SourceContents { settings: settings.encode()?, files, ..SourceContents::default() };
        revision.write(stages, (site, which), &changes, (&mut snapshot, contents))?;
        Ok(Step { report, snapshot: Some(snapshot) })
    }
}

/// `error` with what helps where no file has the `key` of the store `whole`.
fn with_key(mut error: Error, whole: &Store, key: &[String]) -> Error {
    if let Error::Inputs { skipped, .. } = &mut error {
        let is_of_times = |input: &&mut Skipped| input.reason.kind() == Kind::TimeOfDay;
        for input in skipped.iter_mut().filter(is_of_times) {
            let own = input.reason.column().map(str::to_owned);
            let Some((own, ours)) = own.zip(key.iter().find(|name| says_times_in_store(whole, name))) else { continue };
            let has_others = input.reason.remedies().iter().any(|way| !matches!(way, Remedy::Do(_)));
            let reason = if has_others { input.reason.clone() } else { input.reason.clone().alone() };
            input.reason = reason.or(Remedy::set(Setting::Key(vec![format!("{ours}={own}")]), "keeps it in the key"));
        }
        for input in skipped.iter_mut().filter(|input| input.reason.kind() == Kind::OtherColumns && !key.is_empty()) {
            let named = Setting::Key(key.iter().map(|column| format!("{column}=NAME")).collect());
            let apart = Remedy::Do("make a store of its own of files whose rows have another key".to_owned());
            let reason = input.reason.clone().or(Remedy::set(named, "says what the files call it"));
            input.reason = reason.or(apart);
        }
    }
    error
}

/// The name of a directory.
pub(super) fn directory_name(directory: &Path) -> String {
    let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    directory.file_name().map_or_else(|| "source".to_owned(), |name| name.to_string_lossy().into_owned())
}
