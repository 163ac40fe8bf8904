//! One source of an update: which of its files are not as they were, what they hold beside what the store has, what the
//! guards say of it, and what the store remembers then.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

use arrow_schema::DataType;

use super::appended::Appended;
use super::build_report::{known_file, source_entries};
use super::expected::{Codes, Expected};
use super::file_list::{same_files, same_skips, skips_of, sources_now, with_status};
use super::gather::intake::{Gathered, codes_of, panel_of};
use super::gather::stages::Stages;
use super::guard::Guards;
use super::join::{Join, LeftOut};
use super::joining::{check_before_reading, check_new_columns};
use super::left::outer_sources;
use super::night::{Night, guard_appended, guard_codes_read, guard_columns, guard_nulls, guard_pruned};
use super::rereads::{self, Rereads, given_up, touches, units_under, was_read};
use super::reshape::{Reshaped, decided, without_columns};
use super::revise::changes::{Changes, Lost};
use super::revise::revision::{Beside, Given, KnownThen, Revised, Revision};
use super::rolled::{Rolled, days_of};
use super::seal::assemble::{Assembly, Target, assemble};
use super::seal::sealer::Sealer;
use super::seams::Seams;
use super::settings::{Settings, store_settings};
use super::sparse::{guard_sparse, lone_note};
use super::spelling::{check_dates, recast};
use super::standing;
use super::steps::Step;
use super::stored_values::{all_in_store, exact_in_store, has_value_in_store};
use super::update_report::UpdateReport;
use super::way_out::{excluding_from, without_folder};
use super::writing::Writing;
use crate::compare::{Rule, Unread};
use crate::error::{Error, Result};
use crate::format::FileStatus;
use crate::key::Date;
use crate::panel::PanelSchema;
use crate::reason::Kind;
use crate::remedy::{Remedy, Setting};
use crate::shuffle::{Gathering, SpillMap, sections};
use crate::source::{FilesBy, Known, KnownFile, Prior, Scan, SourceOptions, Survey, Surveyor, Touched, Trust, scan};
use crate::store::{FileEntry, Keep, Snapshot, SourceContents, Store, StoreWriter};

/// How a source is updated.
#[derive(Clone, Copy)]
pub(super) struct How<'u> {
    pub(super) writing: &'u Writing<'u>,
    /// What the log calls it.
    pub(super) command: &'static str,
    /// What tells that a file is as it was, where not all are read again.
    pub(super) trusted: Trust,
    /// Whether the rows of files that are gone go.
    pub(super) prune: bool,
    pub(super) expected: Option<Expected>,
    pub(super) pass: Pass,
    pub(super) seams: &'u dyn Seams,
}

/// What differs from one attempt at a source to the next.
#[derive(Clone, Copy)]
pub(super) struct Pass {
    /// Whether all its files are read again.
    pub(super) rereads: bool,
    /// Whether codes are mapped as they were, whatever the file of the code map has now.
    pub(super) keeps_map: bool,
    /// Whether there is a new version in any case.
    pub(super) is_changed: bool,
}

/// How an attempt ended.
pub(super) enum Ended {
    /// With this, which has no version where the run ends before it.
    With(Box<Step>),
    /// Other trading dates are known now: all files are to be read again.
    WithOtherDays,
    /// Another code map cannot be followed while the file at this path cannot be used.
    WithoutMap(String),
}

/// A source that has files, as the store has it and as it is from now on.
pub(super) struct SourceUpdate<'u> {
    stages: &'u Stages<'u>,
    writer: &'u StoreWriter,
    how: How<'u>,
    place: usize,
    folder: PathBuf,
    then: Settings,
    now: Settings,
    /// What the code map of now makes of other codes than that of then.
    touched: Touched,
    reshaped: Reshaped,
    /// The store, with the columns that the options of now make of it.
    whole: Store,
    /// The same as the source sees it.
    before: Store,
    /// Its files.
    files: Vec<FileEntry>,
    /// Those that were read, by path.
    known: HashMap<String, KnownFile>,
}

/// What the files that were read again hold.
struct Reread {
    survey: Survey,
    spill: SpillMap,
    gathered: Gathered,
    entries: Vec<FileEntry>,
}

/// What becomes of the units of which files were read again, or are gone.
struct Units<'r> {
    rules: HashMap<String, Rule>,
    read: HashSet<&'r str>,
    /// Those of which a file cannot be used: they stay whole, with the rows of a file that is gone.
    left_out: BTreeSet<String>,
    /// Files that are gone with their rows.
    pruned: Vec<&'r FileEntry>,
    /// Those of which rows stand that an older version had.
    standing: BTreeSet<String>,
    /// Where some do and others were left out, the version beside whose rows they were laid.
    beside: Option<Beside>,
}

impl Units<'_> {
    /// Whether all units of the file at `path` are as their files say.
    fn is_whole(&self, path: &str, options: &SourceOptions) -> bool {
        options.units_of(path.as_ref()).is_disjoint(&self.left_out)
    }
}

impl<'u> SourceUpdate<'u> {
    /// Of the source at `place`, whose files are in `folder`, with its settings of then and of now.
    ///
    /// # Errors
    /// When the code map cannot be read, what is set is refused, or the store is damaged.
    pub(super) fn new(
        stages: &'u Stages<'u>,
        writer: &'u StoreWriter,
        how: How<'u>,
        (place, folder): (usize, PathBuf),
        (then, mut now): (Settings, Settings),
    ) -> Result<SourceUpdate<'u>> {
        match how.pass.keeps_map {
            false => how.seams.code_map(&mut now.options, stages.workers.memory())?,
            true => now.options.code_map.clone_from(&then.options.code_map),
        }
        let touched = Touched::new(then.options.code_map.as_ref(), now.options.code_map.as_ref());
        let live = writer.live()?;
        let reshaped = Reshaped::new(live, place, (&then.options, &now.options), writer)?;
        let whole = reshaped.store(live).clone();
        let before = whole.of_source(place);
        let files = before.files()?;
        let known = files.iter().filter_map(|entry| Some((entry.path.clone(), known_file(entry)?))).collect();
        Ok(SourceUpdate {
            stages,
            writer,
            how,
            place,
            folder,
            then,
            now,
            touched,
            reshaped,
            whole,
            before,
            files,
            known,
        })
    }

    /// Brings the source up to date, unless a guard is met. Notes in `brought` which codes it then has on a date that is
    /// expected, unless it stays as it is.
    ///
    /// # Errors
    /// When files or the store cannot be read, the store cannot be written, or the observer cancels.
    pub(super) fn run(self, brought: &mut HashMap<usize, Codes>) -> Result<Ended> {
        let gained = self.gained()?;
        let mut scan = self.scan(&gained)?;
        let mut report = self.report(&scan)?;
        let night = Night::new(&self.files, &self.then);
        let mut guards = Guards::new(&self.how.writing.allowed);
        night.guard_missing(&scan, &mut guards);
        if self.is_moved() && self.now.options.files_by == FilesBy::Stock {
            night.guard_codes(&scan, &mut guards);
        }
        if self.is_as_it_was(&scan) && guards.met().is_empty() {
            report.meet(guards);
            return Ok(Ended::With(Box::new(Step { report, snapshot: None })));
        }
        let (survey, found) = self.read(&mut scan)?;
        let trading = survey.trading().zip(self.then.rolled.as_ref());
        if trading.is_some_and(|(trading, then)| trading.differs(&then.days)) && self.trust() != Trust::Nothing {
            return Ok(Ended::WithOtherDays);
        }
        if let Some(path) = self.stuck(&survey, &scan) {
            return Ok(Ended::WithoutMap(path));
        }
        let Some((spill, gathered)) = found else {
            return Ok(Ended::With(Box::new(Step { report, snapshot: None })));
        };
        let entries = source_entries(&survey, &gathered);
        let reread = Reread { survey, spill, gathered, entries };
        let units = self.units(&reread, &scan)?;
        let stay = report.pruned_files.extract_if(.., |path| !units.is_whole(path, &self.now.options));
        report.missing_files.extend(stay);
        report.missing_files.sort_unstable();
        let step = self.revise((&reread, &units), (&scan, &gained), (report, night, guards), brought)?;
        Ok(Ended::With(Box::new(step)))
    }

    fn trust(&self) -> Trust {
        match self.how.pass.rereads || self.reshaped.rereads {
            true => Trust::Nothing,
            false => self.how.trusted,
        }
    }

    fn keep(&self) -> Keep {
        self.how.writing.keep.of(self.before.kept())
    }

    /// Whether its files are looked for elsewhere.
    fn is_moved(&self) -> bool {
        self.now.source != self.then.source
    }

    fn same_settings(&self) -> bool {
        let (then, now) = (&self.then, &self.now);
        !self.is_moved()
            && now.options == then.options
            && now.max_skipped == then.max_skipped
            && now.join == then.join
            && self.keep() == self.before.kept()
    }

    /// Whether rows of the file at `path` may get other codes.
    fn is_touched(&self, path: &str) -> bool {
        let options = &self.now.options;
        let units = || units_under(path, [&self.then.options, options]);
        !self.touched.is_empty() && units().iter().any(|unit| touches(&self.touched, unit, options))
    }

    /// The units that are read again although nothing tells that they are not as they were: those of which rows were left
    /// out that may come in now.
    fn gained(&self) -> Result<BTreeSet<String>> {
        match self.now.join {
            Join::Left => self.then.left_out.gained(self.writer.live()?, &self.then.options),
            Join::Outer => Ok(self.then.left_out.units().clone()),
        }
    }

    /// Looks which files are not as they were.
    fn scan(&self, gained: &BTreeSet<String>) -> Result<Scan> {
        let (then, options) = (&self.then, &self.now.options);
        let empty: HashSet<&str> = with_status(&self.files, FileStatus::Empty).map(|entry| &*entry.path).collect();
        // An empty file that is gone leaves nothing behind.
        let goes = |path: &str| self.how.prune || empty.contains(path);
        // Rows that wait for a trading date may have one by now, and those that were left out the key of another source.
        let waits = |path: &str| then.rolled.as_ref().is_some_and(|rolled| rolled.waiting.contains_key(path));
        let gains = |path: &str| options.units_of(path.as_ref()).iter().any(|unit| gained.contains(unit));
        let again = |path: &str| waits(path) || gains(path) || self.was_left(path) || self.is_touched(path);
        let known = Known { files: &self.known, goes: &goes, again: &again, trust: self.trust() };
        let look = || scan(&self.folder, options, &known, &self.stages.workers, self.stages.observer);
        self.how.seams.scan(&look).map_err(|error| without_folder(error, &self.folder, &self.whole, self.place))
    }

    /// The report, as far as `scan` tells.
    fn report(&self, scan: &Scan) -> Result<UpdateReport> {
        let mut report = UpdateReport::of(self.writer.live()?, self.keep());
        report.dry_run = self.how.writing.dry_run;
        report.describe_scan(scan);
        report.missing_files.clone_from(&scan.missing);
        report.pruned_files.clone_from(&scan.pruned);
        report.max_skipped = self.now.max_skipped;
        report.waiting_rows = self.then.rolled.as_ref().map_or(0, Rolled::waiting_rows);
        Ok(report)
    }

    fn skips_before(&self) -> BTreeMap<String, Kind> {
        skips_of(&self.files, &self.then)
    }

    /// Whether there is nothing to read or to note.
    fn is_as_it_was(&self, scan: &Scan) -> bool {
        let same_files = scan.changed.is_empty() && scan.pruned.is_empty();
        // Which trading dates there are is not known before the calendar is read.
        let same_days = self.now.options.calendar.is_none();
        self.same_settings() && same_files && same_days && same_skips(&self.skips_before(), &scan.skipped)
    }

    /// Reads the files that are not as they were.
    fn read(&self, scan: &mut Scan) -> Result<(Survey, Option<(SpillMap, Gathered)>)> {
        let (whole, before, stages) = (&self.whole, &self.before, self.stages);
        let (then, options) = (&self.then.options, &self.now.options);
        let panel = before.schema()?;
        let panel_then = self.writer.live()?.of_source(self.place).schema()?.clone();
        let mut anew = decided(then, options);
        anew.exclude.retain(|name| panel_then.index_of(&then.name_of(name)).is_none());
        let renamed: Vec<String> = options
            .renames
            .iter()
            .filter(|rename| !then.renames.contains(rename) && options.wants(&rename.from))
            .filter(|rename| panel_then.index_of(&then.name_of(&rename.from)).is_none())
            .map(|rename| rename.from.clone())
            .collect();
        let reads_all = (self.trust() == Trust::Nothing).then_some((self.place, &self.then.appended));
        let prior = Prior {
            code: &panel.code,
            date_name: &panel.date_name,
            date_form: &panel.date_form,
            columns: &panel.columns,
            key: &panel.key,
            trading_days: &days_of(whole, options, reads_all)?,
            is_new: false,
            rolled: None,
            shares_options: false,
            exact: &|name: &str, to: &DataType| exact_in_store(before, name, to, &stages.workers, stages.observer),
            renamed: &renamed,
            changes: Some(&anew),
            has_value: &|name| has_value_in_store(before, name),
            all: &|name, holds| all_in_store(before, name, holds),
        };
        let (count, name) = (panel.columns.len(), whole.source_names()?[self.place]);
        let surveyor = Surveyor::again(&self.folder, scan, &prior, options, &stages.workers, stages.observer);
        let check = |survey: &Survey| check_before_reading(whole, survey, count, name);
        let surveyor = (surveyor, self.how.pass.rereads);
        let read = self.how.seams.read(surveyor, &check, stages, self.writer, before);
        let (survey, found) = read.map_err(|error| self.with_columns_kept(error, name))?;
        check_new_columns(whole, &survey.columns, count, (name, survey.options()))?;
        if survey.columns.is_empty() && !panel_then.columns.is_empty() {
            return Err(without_columns(name));
        }
        Ok((survey, found))
    }

    /// `error` with ways out that an update of the source `name` has: it leaves out no column that the store has.
    fn with_columns_kept(&self, error: Error, name: &str) -> Error {
        let own = self.before.schema().map(PanelSchema::places).unwrap_or_default();
        let has = |column: &String| own.contains_key(self.now.options.name_of(column).as_str());
        error.with_ways(|way| match way {
            Remedy::Set { settings, effect } => match &settings[..] {
                [Setting::Exclude(names)] if names.iter().any(has) => {
                    Remedy::run(excluding_from(&self.whole, name, names.clone()), effect)
                }
                _ => Remedy::Set { settings, effect },
            },
            way => way,
        })
    }

    /// A file that stays as it is, of which rows would go from one stock to another: they would be of both.
    fn stuck(&self, survey: &Survey, scan: &Scan) -> Option<String> {
        let skipped = survey.skipped.iter().map(|skipped| &skipped.path);
        let is_by_stock = self.now.options.files_by == FilesBy::Stock;
        skipped.chain(&scan.missing).find(|path| is_by_stock && self.is_touched(path)).cloned()
    }

    /// What becomes of units, now that files were read again.
    fn units<'r>(&'r self, reread: &'r Reread, scan: &Scan) -> Result<Units<'r>> {
        let (then, options) = (&self.then.options, &self.now.options);
        let entries = &reread.entries;
        let skipped = with_status(entries, FileStatus::Skipped);
        let left_out: BTreeSet<String> = skipped.flat_map(|entry| options.units_of(entry.path.as_ref())).collect();
        let inputs = &reread.survey.inputs;
        let read: HashSet<&str> = reread.gathered.read.iter().map(|read| inputs[read.input].unit.as_str()).collect();
        let (rules, pruned) = (HashMap::new(), Vec::new());
        let mut units = Units { rules, read, left_out, pruned, standing: BTreeSet::new(), beside: None };
        let is_pruned = |entry: &&FileEntry| scan.pruned.binary_search(&entry.path).is_ok();
        let is_whole = |entry: &&FileEntry| units.is_whole(&entry.path, options);
        units.pruned = self.files.iter().filter(is_pruned).filter(is_whole).collect();
        let (known, appended) = (&self.known, &self.then.appended);
        units.rules = rereads::rules(entries, &units.pruned, known, appended, options, (&units.read, &units.left_out));
        let settled = entries.iter().filter(was_read).chain(units.pruned.iter().copied());
        let settled: HashSet<&str> = settled.map(|entry| entry.path.as_str()).collect();
        let gave = with_status(&self.files, FileStatus::Read).filter(|entry| settled.contains(entry.path.as_str()));
        for code in given_up(gave, [then, options]).filter(|code| !units.left_out.contains(code)) {
            // What was appended under it stays: no file has it that could take its place.
            units.rules.entry(code).or_insert(Rule::anew(Unread::StaysIfAppended));
        }
        units.standing = self.standing(entries, &units.pruned);
        if !units.standing.is_empty() {
            let left_out = &self.then.left_out;
            units.beside = match left_out.is_empty() {
                true => None,
                false => standing::beside(self.writer.live()?, self.place, left_out)?,
            };
            let laid = (left_out, units.beside.as_ref());
            standing::let_stand(&mut units.rules, &units.standing, laid, options)?;
        }
        Ok(units)
    }

    /// The units of which rows stand that an older version had.
    fn standing(&self, entries: &[FileEntry], pruned: &[&FileEntry]) -> BTreeSet<String> {
        let is_as_it_was = |entry: &FileEntry| {
            let known = self.known.get(&entry.path).map(|known| known.content_hash);
            known == Some(entry.content_hash) && !self.was_left(&entry.path) && !self.is_touched(&entry.path)
        };
        match self.trust() {
            Trust::Nothing => BTreeSet::new(),
            _ => standing::units(entries, pruned, &self.then.restored, is_as_it_was, &self.now.options),
        }
    }

    /// What is to be noted where all files were read again, so that rows which were restored do not stand.
    fn overruled(&self, entries: &[FileEntry]) -> Option<String> {
        let is_restored = |entry: &&FileEntry| self.then.restored.contains(&entry.path);
        let count = entries.iter().filter(was_read).filter(is_restored).count();
        let files = if count == 1 { "1 file" } else { &format!("{count} files") };
        let note = || format!("all files were read again: rows of {files} are no longer as they were restored");
        (self.trust() == Trust::Nothing && count > 0).then(note)
    }

    /// Whether the file at `path` could not be used: then it was not read since, whatever it was like then.
    fn was_left(&self, path: &str) -> bool {
        self.then.skipped.contains_key(path) || self.then.missing.contains(path)
    }

    /// Compares what was read with what the store has, and writes what differs unless a guard is met.
    fn revise(
        &self,
        (reread, units): (&Reread, &Units),
        (scan, gained): (&Scan, &BTreeSet<String>),
        (mut report, night, mut guards): (UpdateReport, Night, Guards),
        brought: &mut HashMap<usize, Codes>,
    ) -> Result<Step> {
        let Reread { survey, spill, gathered, entries } = reread;
        let (whole, before, options, place) = (&self.whole, &self.before, &self.now.options, self.place);
        let panel = recast(panel_of(survey), &gathered.read, before)?;
        check_dates(before, &panel.date_form)?;
        let (inputs, key) = (codes_of(survey, gathered), panel.key.clone());
        if self.is_moved() && options.files_by == FilesBy::Date {
            guard_codes_read(before, &inputs, &mut guards)?;
        }
        let target = Target { before: Some(whole), place, name: "" };
        let Assembly { mut snapshot, columns, stocks, codes } =
            assemble(panel, &inputs, &gathered.blocks, self.writer.ids(), self.keep(), target)?;
        let gathering = Gathering { blocks: &gathered.blocks, spill, stocks, codes };
        let dates_read: Vec<Date> = sections(gathering.days()).into_iter().map(|(date, _)| date).collect();
        let Rereads { stocks: stock_rules, dates: date_rules } =
            Rereads::new(&units.rules, (&inputs, &dates_read), before, options)?;
        let dates = match &date_rules {
            Some(rules) => rules.keys().copied().collect(),
            None => [before.dates()?, &dates_read].concat(),
        };
        let (site, which) = self.how.seams.seal(self.writer);
        let (outer, scratch) = (outer_sources(whole, place, self.now.join)?, self.stages.scratch(site));
        let (appended, given) = (&self.then.appended, Given::ByStock);
        let revised = Revised { whole, before, place, appended, given, outer, scratch };
        let sealer = Sealer { gathering, columns };
        let days = self.then.rolled.as_ref().map(|rolled| &rolled.days[..]);
        let revision = Revision::new(sealer, revised, &snapshot, key, &stock_rules, dates)?;
        let revision = revision.by_date(date_rules).knowing(KnownThen { days, beside: units.beside.as_ref() });
        let Some(mut changes) = self.how.seams.compare(&revision, self.stages)? else {
            return Ok(Step { report, snapshot: None });
        };
        changes.stocks.add_all(&self.reshaped.stocks);
        if let Some(Expected { date, .. }) = self.how.expected {
            brought.insert(place, revision.codes_on(date, &snapshot)?);
        }
        report.describe_files(survey, gathered, entries, &snapshot.date_form());
        report.describe(&changes, &snapshot, &revision.sealer.columns, before)?;
        self.reshaped.describe(&mut report);
        report.notes.extend(lone_note(survey, before.schema()?.columns.len()));
        report.notes.extend(self.overruled(entries));
        report.joins_left = self.now.join != self.then.join;
        let rolled = Rolled::new(survey, gathered, self.then.rolled.as_ref(), &report.pruned_files);
        report.waiting_rows = rolled.as_ref().map_or(0, Rolled::waiting_rows);
        let is_of = |lost: &Lost, input: usize| revision.has_lost(lost, input, survey);
        self.guard((reread, &changes), is_of, &report, (night, &mut guards))?;
        report.judge(self.how.writing.max_restated, before.row_count(), guards);
        report.refuse_empty(options.calendar.as_deref())?;

        let files = self.files_now(reread, units, scan);
        let left_out = self.left_out((&revision, &changes, &snapshot), units, gained, &files);
        let settings = self.settings_now((reread, units, &changes), &report, (rolled, left_out));
        let is_news = self.is_news(&settings, &files, &report, gained);
        if !is_news || report.is_stopped() || self.how.writing.dry_run {
            return Ok(Step { report, snapshot: None });
        }
        snapshot.settings = store_settings(self.how.command)?;
        let contents = SourceContents { settings: settings.encode()?, files, ..SourceContents::default() };
        revision.write(self.stages, (site, which), &changes, (&mut snapshot, contents))?;
        Ok(Step { report, snapshot: Some(snapshot) })
    }

    /// Looks whether the night is a strange one. `is_of` says whether something was lost of an input.
    fn guard(
        &self,
        (reread, changes): (&Reread, &Changes),
        is_of: impl Fn(&Lost, usize) -> bool,
        report: &UpdateReport,
        (night, guards): (Night, &mut Guards),
    ) -> Result<()> {
        if !report.skips_are_usual() {
            night.guard_skipped(&report.skipped, guards);
        }
        let has_changed = |entry: &&FileEntry| {
            let known = self.known.get(&entry.path);
            known.is_some_and(|known| known.content_hash != entry.content_hash)
        };
        let changed = reread.entries.iter().filter(was_read).filter(has_changed);
        let changed: HashSet<&str> = changed.map(|entry| entry.path.as_str()).collect();
        guard_columns((&reread.survey, &changed), is_of, changes, report.file_count(), guards);
        guard_sparse(&reread.survey, self.before.schema()?.columns.len(), self.whole.row_count(), guards);
        guard_nulls(&self.before, changes, guards)?;
        guard_pruned(changes, self.before.row_count(), guards);
        guard_appended(changes, self.before.row_count(), guards);
        Ok(())
    }

    /// The files of the new version.
    fn files_now(&self, reread: &Reread, units: &Units, scan: &Scan) -> Vec<FileEntry> {
        let is_read_in_part = |path: &str| {
            let of_path = self.now.options.units_of(path.as_ref());
            of_path.iter().any(|unit| !units.read.contains(unit.as_str()))
        };
        sources_now(&self.files, reread.entries.clone(), &scan.touched, &units.pruned, is_read_in_part)
    }

    /// What it leaves out where it joins left.
    fn left_out(
        &self,
        (revision, changes, snapshot): (&Revision, &Changes, &Snapshot),
        units: &Units,
        gained: &BTreeSet<String>,
        files: &[FileEntry],
    ) -> LeftOut {
        if self.now.join == Join::Outer {
            return LeftOut::default();
        }
        let options = &self.now.options;
        let mut left: BTreeSet<String> = self.then.left_out.units().clone();
        left.retain(|unit| !units.rules.contains_key(unit));
        let all = files.iter().flat_map(|file| options.units_of(file.path.as_ref()));
        left.extend(revision.left_out(changes, snapshot, all, options));
        let all_read = gained.iter().all(|unit| units.rules.contains_key(unit));
        let since = if all_read { self.writer.version() } else { self.then.left_out.since() };
        LeftOut::new(left, since)
    }

    /// What the new version remembers of the source.
    fn settings_now(
        &self,
        (reread, units, changes): (&Reread, &Units, &Changes),
        report: &UpdateReport,
        (rolled, left_out): (Option<Rolled>, LeftOut),
    ) -> Settings {
        let is_pruned = |path: &String| report.pruned_files.binary_search(path).is_ok();
        let has_rows = |path: &String| self.known.contains_key(path) && !is_pruned(path);
        let skipped = report.skipped.iter().filter(|skipped| has_rows(&skipped.path));
        let settled = reread.entries.iter().filter(was_read).chain(units.pruned.iter().copied());
        Settings {
            source: self.now.source.clone(),
            options: self.now.options.clone(),
            appended: appended_now(&self.then.appended, changes, settled),
            missing: report.missing_files.iter().cloned().collect(),
            skipped: skipped.map(|skipped| (skipped.path.clone(), skipped.reason.clone())).collect(),
            restored: self.restored_now(reread, units),
            max_skipped: self.now.max_skipped,
            rolled,
            join: self.now.join,
            left_out,
        }
    }

    /// The files whose rows are still those of an older version.
    fn restored_now(&self, reread: &Reread, units: &Units) -> BTreeSet<String> {
        let is_whole = |entry: &&FileEntry| self.now.options.units_of(entry.path.as_ref()).is_subset(&units.standing);
        let settled = reread.entries.iter().filter(was_read).filter(|entry| !is_whole(entry));
        let mut restored = self.then.restored.clone();
        settled.chain(units.pruned.iter().copied()).for_each(|entry| _ = restored.remove(&entry.path));
        restored
    }

    /// Whether the version with these settings and files would say anything that the one before does not.
    fn is_news(
        &self,
        settings: &Settings,
        files: &[FileEntry],
        report: &UpdateReport,
        gained: &BTreeSet<String>,
    ) -> bool {
        let waiting =
            |rolled: &Option<Rolled>| rolled.as_ref().map(|rolled| rolled.waiting.clone()).unwrap_or_default();
        let same_settings = self.same_settings()
            && settings.appended.marks_as(&self.then.appended)
            && settings.restored == self.then.restored
            // One that came back may be gone again, and is to be told then.
            && self.then.missing.iter().all(|path| settings.missing.contains(path))
            && waiting(&settings.rolled) == waiting(&self.then.rolled);
        // What was allowed is remembered, so that it stops no other night.
        let laid_anew = self.how.pass.is_changed && !gained.is_empty();
        let is_known = !report.changes_anything() && same_settings && !laid_anew && report.guards.is_empty();
        !(is_known && same_files(&self.files, files) && same_skips(&self.skips_before(), &report.skipped))
    }
}

/// The appended rows of the new version, which remembers the files `settled` as they are now.
fn appended_now<'e>(before: &Appended, changes: &Changes, settled: impl Iterator<Item = &'e FileEntry>) -> Appended {
    let mut now = before.clone();
    settled.for_each(|entry| now.forget_file(&entry.path));
    now.follow(changes.appended.iter().cloned());
    now
}
