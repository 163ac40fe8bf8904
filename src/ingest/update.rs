//! Runs an update: scan, read what changed, compare, seal what differs, publish.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

use arrow_schema::DataType;

use super::appended::Appended;
use super::assignment::Assignment;
use super::build_report::{known_file, source_entries};
use super::expected::{Codes, Expected};
use super::file_list::{same_files, same_skips, skips_of, sources_now, with_status};
use super::gather::intake::{codes_of, panel_of};
use super::gather::stages::Stages;
use super::guard::Guards;
use super::join::{Join, LeftOut};
use super::joining::{check_before_reading, check_new_columns};
use super::left::{check_outer, guarded, outer_sources, settle};
use super::limit::Limit;
use super::night::{Night, guard_appended, guard_codes_read, guard_columns, guard_nulls, guard_pruned};
use super::rereads::{Rereads, given_up, rules, touches, units_under, was_read};
use super::reshape::{Reshaped, decided};
use super::revise::changes::{Changes, Lost};
use super::revise::revision::{Given, Revised, Revision};
use super::rolled::{Rolled, days_of};
use super::seal::assemble::{Assembly, Target, assemble};
use super::seal::sealer::Sealer;
use super::settings::{Settings, store_settings};
use super::steps::{Step, Steps};
use super::update_report::UpdateReport;
use super::way_out::{excluding_from, without_folder};
use super::without_files;
use super::writing::{Writing, setters};
use crate::compare::{Rule, Unread};
use crate::error::{Error, Result};
use crate::format::{FileStatus, Stored};
use crate::key::Date;
use crate::progress::Observer;
use crate::remedy::{Remedy, Setting};
use crate::shuffle::{Gathering, sections};
use crate::source::{FilesBy, Known, KnownFile, OptionChanges, Prior, Surveyor, Touched, Trust, check_values, scan};
use crate::store::{FileEntry, SourceContents, Store, StoreWriter};
use crate::workers::Workers;

/// Brings a store up to date with the files it was built from.
///
/// Files of the size and time that the store remembers are not read. What the others hold is compared with the live
/// version, row by row and bit by bit; a new version is published if anything differs, in which only the sections that
/// differ are written again. A row that a changed file no longer has is gone from the new version.
///
/// ```no_run
/// let report = transect::Update::new("panel.store").run()?;
/// println!("{} rows added, {} restated", report.added, report.restated);
/// # Ok::<(), transect::Error>(())
/// ```
pub struct Update<'a> {
    writing: Writing<'a>,
    assignments: Vec<(String, Assignment)>,
    sources: Vec<String>,
    check_content: bool,
    reread: bool,
    prune: bool,
    changes: OptionChanges,
    expected: Option<Expected>,
}

impl<'a> Update<'a> {
    /// An update of the store at `store` from the source it was last made from, with the defaults of the command line.
    pub fn new(store: impl Into<PathBuf>) -> Update<'a> {
        Update {
            writing: Writing::new(store.into()),
            assignments: Vec::new(),
            sources: Vec::new(),
            check_content: false,
            reread: false,
            prune: false,
            changes: OptionChanges::default(),
            expected: None,
        }
    }

    /// Changes how the source `name` is found or read, from now on: the store remembers it. Files that were skipped are
    /// tried again, and those that were read are where it matters; columns get other names, or go. Only sources that are
    /// so changed are brought up to date then.
    pub fn set(mut self, name: impl Into<String>, assignment: Assignment) -> Self {
        self.assignments.push((name.into(), assignment));
        self
    }

    /// The sources to update, by name; all of them by default.
    pub fn sources<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.sources.extend(names.into_iter().map(Into::into));
        self
    }

    /// Whether to read every file and compare its bytes with a hash of those last read, whatever its time says.
    pub fn check_content(mut self, check: bool) -> Self {
        self.check_content = check;
        self
    }

    /// Whether to read every file again, also one that holds what it held: rows that were [restored](crate::Restore) become
    /// what the files have.
    pub fn reread(mut self, reread: bool) -> Self {
        self.reread = reread;
        self
    }

    /// What is to be read otherwise than before, from now on: the store remembers it. Every file is read again then.
    pub fn options(mut self, changes: OptionChanges) -> Self {
        self.changes = changes;
        self
    }

    /// Whether the rows of files that have disappeared go. They stay by default.
    pub fn prune(mut self, prune: bool) -> Self {
        self.prune = prune;
        self
    }

    /// Publishes only where the panel then has rows on `date`, and of at least so many stocks, or such a share of those
    /// that have the date before: else [`Guard::ExpectedDate`](crate::Guard::ExpectedDate) is met.
    pub fn expect(mut self, date: Date, least: Limit) -> Self {
        self.expected = Some(Expected { date, least });
        self
    }

    setters!(memory, workers, keep, keep_for, allow, max_restated, max_skipped, dry_run, wait, access, observer, disk);

    /// Updates, and publishes if anything changed. Files that cannot be used are skipped, with reasons in the report;
    /// rows that the store has of them stay.
    ///
    /// # Errors
    /// When there is no store, or it cannot be read or written, or the observer cancels; then the version that was live
    /// before stays live.
    pub fn run(self) -> Result<UpdateReport> {
        self.writing.change(|stages, writer| self.write(stages, writer))
    }

    fn write(&self, stages: &Stages, writer: &mut StoreWriter) -> Result<UpdateReport> {
        let places = self.places(writer.live()?)?;
        let command = if self.assignments.is_empty() { "update" } else { "source set" };
        let mut steps = Steps::new(writer, self.writing.dry_run, command)?.limited(self.writing.max_restated);
        let mut brought: HashMap<usize, Codes> = HashMap::new();
        for place in places {
            steps.before(stages)?;
            let whole = steps.writer().live()?;
            let names = whole.source_names()?;
            // A way out is for one of several sources, or an option of one that is set.
            let name = (names.len() > 1 || !self.assignments.is_empty()).then(|| names[place].to_owned());
            let how = Pass { rereads: self.reread, keeps_map: false, is_changed: steps.is_changed() };
            let step = self.update(stages, steps.writer(), (place, how), &mut brought);
            steps.take(match &name {
                Some(name) => step.map_err(|error| error.of_source(name))?.of_source(name),
                None => step?,
            });
        }
        settle(&mut steps, stages, &self.writing, guarded)?;
        if let Some(expected) = self.expected {
            steps.expect(expected, brought, &self.writing.allowed)?;
        }
        steps.finish(stages)
    }

    /// The places of the sources to update.
    fn places(&self, whole: &Store) -> Result<Vec<usize>> {
        let wanted: Vec<&String> = self.sources.iter().chain(self.assignments.iter().map(|(name, _)| name)).collect();
        let mut places: Vec<usize> = Vec::new();
        for name in &wanted {
            let place = whole.find_source(name)?;
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let names = whole.source_names()?;
        if wanted.is_empty() {
            places = (0..names.len()).collect();
        }
        // Those that join left follow the others, whose keys theirs are.
        let mut left = HashSet::new();
        for &place in places.iter().filter(|_| names.len() > 1) {
            let mut settings = Settings::of(&whole.of_source(place))?;
            self.assign(names[place], &mut settings);
            left.extend((settings.join == Join::Left).then_some(place));
        }
        places.sort_by_key(|place| left.contains(place));
        Ok(places)
    }

    /// How the source at `place` of `whole`, which was read so, is read from now on.
    fn settings(&self, whole: &Store, place: usize, then: &Settings) -> Result<Settings> {
        let mut now = Settings::without_folder(&self.changes.apply(&then.options));
        now.source.clone_from(&then.source);
        now.max_skipped = self.writing.max_skipped.or(then.max_skipped);
        let name = whole.source_names()?[place];
        let panel = whole.of_source(place).schema()?.clone();
        let has = |column: &String| panel.index_of(&then.options.name_of(column)).is_some();
        if let Some(column) = self.changes.exclude.iter().find(|column| has(column)) {
            let why = format!("{column}: the store has this column, and an update cannot remove it");
            let way_out = Remedy::run(excluding_from(whole, name, vec![column.clone()]), "does");
            return Err(Error::invalid(Setting::Exclude(Vec::new()), why, [way_out]));
        }
        (now.join, now.left_out) = (then.join, LeftOut::default());
        self.assign(name, &mut now);
        if now.join == Join::Left && then.join == Join::Outer {
            check_outer(whole, place)?;
        }
        decided(&then.options, &now.options).check_casts(&panel, &now.options)?;
        now.options.check_roll()?;
        Ok(now)
    }

    /// Updates the source at `place` without the code map that is there now: it cannot be followed for the file at `path`.
    fn keep_map(
        &self,
        stages: &Stages,
        writer: &StoreWriter,
        (place, pass): (usize, Pass),
        path: &str,
        brought: &mut HashMap<usize, Codes>,
    ) -> Result<Step> {
        let what = format!(
            "another code map cannot be followed while {path} cannot be used: some of its rows would be of two stocks"
        );
        let is_set = self.assignments.iter().any(|(_, assignment)| assignment.is_of_code_map());
        if is_set || self.changes.code_map.is_some() {
            return Err(Error::refused(what, "write the file anew, ignore it, or prune it"));
        }
        let mut step = self.update(stages, writer, (place, Pass { keeps_map: true, ..pass }), brought)?;
        step.report.notes.push(what);
        Ok(step)
    }

    /// Changes what is to be changed of the source `name`.
    fn assign(&self, name: &str, settings: &mut Settings) {
        self.assignments.iter().filter(|(of, _)| of == name).for_each(|(_, assignment)| assignment.apply(settings));
    }

    /// The units that are read again although nothing tells that they are not as they were: those of which rows were left
    /// out that may come in now.
    fn gained(&self, live: &Store, (then, now): (&Settings, &Settings)) -> Result<BTreeSet<String>> {
        match now.join {
            Join::Left => then.left_out.gained(live, &then.options),
            Join::Outer => Ok(then.left_out.units().clone()),
        }
    }

    /// Updates the source at `place`. Notes which codes it then has on a date that is expected, unless it stays as it is.
    fn update(
        &self,
        stages: &Stages,
        writer: &StoreWriter,
        (place, pass): (usize, Pass),
        brought: &mut HashMap<usize, Codes>,
    ) -> Result<Step> {
        let live = writer.live()?;
        let settings = Settings::of(&live.of_source(place))?;
        let mut settings_now = self.settings(live, place, &settings)?;
        let Some(source) = settings_now.source.clone().map(PathBuf::from) else {
            let name = live.source_names()?[place];
            return match self.assignments.iter().any(|(of, _)| of == name) {
                true => without_files::set(&self.writing, writer, place, (settings, settings_now)),
                false => without_files::leave(&self.writing, writer, place, self.sources.iter().any(|one| one == name)),
            };
        };
        match pass.keeps_map {
            false => settings_now.options.read_code_map(stages.workers.memory())?,
            true => settings_now.options.code_map.clone_from(&settings.options.code_map),
        }
        let options = settings_now.options.clone();
        let touched = Touched::new(settings.options.code_map.as_ref(), options.code_map.as_ref());
        let reshaped = Reshaped::new(live, place, (&settings.options, &options), writer)?;
        let whole = reshaped.store(live);
        let target = Target { before: Some(whole), place, name: "" };
        let before = &whole.of_source(target.place);
        let sources = before.files()?;
        let known = |entry: &FileEntry| Some((entry.path.clone(), known_file(entry)?));
        let known: HashMap<String, KnownFile> = sources.iter().filter_map(known).collect();
        let (workers, observer) = (&stages.workers, self.writing.observer);
        let trust = match (pass.rereads || reshaped.rereads, self.check_content) {
            (true, _) => Trust::Nothing,
            (false, true) => Trust::Content,
            (false, false) => Trust::Stamp,
        };
        let empty: HashSet<&str> = with_status(&sources, FileStatus::Empty).map(|entry| entry.path.as_str()).collect();
        // An empty file that is gone leaves nothing behind.
        let goes = |path: &str| self.prune || empty.contains(path);
        // Rows that wait for a trading date may have one by now, and those that were left out the key of another source.
        let waits = |path: &str| settings.rolled.as_ref().is_some_and(|rolled| rolled.waiting.contains_key(path));
        let gained = self.gained(live, (&settings, &settings_now))?;
        let gains = |path: &str| options.units_of(path.as_ref()).iter().any(|unit| gained.contains(unit));
        // A file that could not be used was not read since, whatever it was like then.
        let was_left = |path: &str| settings.skipped.contains_key(path) || settings.missing.contains(path);
        let of_path = |path: &str| units_under(path, [&settings.options, &options]);
        let is_touched =
            |path: &str| !touched.is_empty() && of_path(path).iter().any(|unit| touches(&touched, unit, &options));
        let again = |path: &str| waits(path) || gains(path) || was_left(path) || is_touched(path);
        let scanned = Known { files: &known, goes: &goes, again: &again, trust };
        let mut scan = scan(&source, &options, &scanned, workers, observer)
            .map_err(|error| without_folder(error, &source, whole, place))?;
        let keep = self.writing.keep.of(before.kept());
        let mut report = UpdateReport::of(live, keep);
        report.dry_run = self.writing.dry_run;
        report.describe_scan(&scan);
        let night = Night::new(&sources, &settings);
        let mut guards = Guards::new(&self.writing.allowed);
        night.guard_missing(&[&scan.missing[..], &scan.pruned].concat(), &mut guards);
        let is_pruned = |entry: &&FileEntry| scan.pruned.binary_search(&entry.path).is_ok();
        let mut pruned: Vec<&FileEntry> = sources.iter().filter(is_pruned).collect();
        report.missing_files.clone_from(&scan.missing);
        report.pruned_files.clone_from(&scan.pruned);
        report.max_skipped = settings_now.max_skipped;
        report.waiting_rows = settings.rolled.as_ref().map_or(0, Rolled::waiting_rows);
        let is_moved = settings_now.source != settings.source;
        if is_moved && options.files_by == FilesBy::Stock {
            night.guard_codes(&scan, &mut guards);
        }
        let same_settings = !is_moved
            && options == settings.options
            && settings_now.max_skipped == settings.max_skipped
            && settings_now.join == settings.join
            && keep == before.kept();
        let skips_before = skips_of(&sources, &settings);
        let is_as_it_was = scan.changed.is_empty() && same_skips(&skips_before, &scan.skipped);
        // Which trading dates there are is not known before the calendar is read.
        if same_settings && is_as_it_was && options.calendar.is_none() && pruned.is_empty() && guards.met().is_empty() {
            report.meet(guards);
            return Ok(Step { report, snapshot: None });
        }

        let panel = before.schema()?;
        let panel_then = live.of_source(place).schema()?.clone();
        let mut anew = decided(&settings.options, &options);
        anew.exclude.retain(|name| panel_then.index_of(&settings.options.name_of(name)).is_none());
        let then = &settings.options;
        let renamed: Vec<String> = options
            .renames
            .iter()
            .filter(|rename| !then.renames.contains(rename) && options.wants(&rename.from))
            .filter(|rename| panel_then.index_of(&then.name_of(&rename.from)).is_none())
            .map(|rename| rename.from.clone())
            .collect();
        let exact = |name: &str, to: &DataType| exact_in_store(before, name, to, workers, observer);
        let prior = Prior {
            code: &panel.code,
            date_name: &panel.date_name,
            date_form: &panel.date_form,
            columns: &panel.columns,
            trading_days: &days_of(whole, &options, (trust == Trust::Nothing).then_some((place, &settings.appended)))?,
            is_new: false,
            shares_options: false,
            exact: &exact,
            renamed: &renamed,
            changes: Some(&anew),
            has_value: &|name| has_value_in_store(before, name),
        };
        let own = panel.places();
        let source_name = whole.source_names()?[place];
        let surveyor = Surveyor::again(&source, &mut scan, &prior, &options, workers, observer);
        let survey = surveyor.survey()?;
        check_before_reading(whole, &survey, panel.columns.len(), source_name)?;
        let read = stages.read(surveyor, survey, writer);
        let (survey, spill, gathered) = read.map_err(|error| {
            error.with_ways(|way| match way {
                // An update leaves out no column that the store has.
                Remedy::Set { settings, effect } => match &settings[..] {
                    [Setting::Exclude(names)]
                        if names.iter().any(|name| own.contains_key(options.name_of(name).as_str())) =>
                    {
                        Remedy::run(excluding_from(whole, source_name, names.clone()), effect)
                    }
                    _ => Remedy::Set { settings, effect },
                },
                way => way,
            })
        })?;
        check_new_columns(whole, &survey.columns[panel.columns.len()..], source_name)?;
        let rolled = settings.rolled.as_ref();
        let differs = survey.trading().zip(rolled).is_some_and(|(trading, then)| trading.differs(&then.days));
        if differs && trust != Trust::Nothing {
            return self.update(stages, writer, (place, Pass { rereads: true, ..pass }), brought);
        }
        let panel = panel_of(&survey);
        if let Some(date) = before.dates()?.iter().find(|date| !panel.date_form.holds(**date)) {
            let form = &panel.date_form;
            let why = format!("of the dates to {form}: the store's date {date} has no place in it");
            let way_out = Remedy::Do("choose another type".to_owned());
            return Err(Error::invalid(Setting::Cast(Vec::new()), why, [way_out]));
        }
        let (inputs, key) = (codes_of(&survey, &gathered), panel.key.clone());
        if is_moved && options.files_by == FilesBy::Date {
            guard_codes_read(before, &inputs, &mut guards)?;
        }
        let Assembly { mut snapshot, columns, stocks, codes } =
            assemble(panel, &inputs, &gathered.blocks, writer, keep, target)?;

        let read = source_entries(&survey, &gathered);
        let appended = &settings.appended;
        // A unit of which a file cannot be used stays whole, with the rows of a file that is gone.
        let left_out: BTreeSet<String> =
            with_status(&read, FileStatus::Skipped).flat_map(|entry| options.units_of(entry.path.as_ref())).collect();
        let is_whole = |path: &String| options.units_of(path.as_ref()).is_disjoint(&left_out);
        // Rows that go from one stock to another would be of both where one of them stays as it is.
        let stays = with_status(&read, FileStatus::Skipped).map(|entry| &entry.path).chain(&report.missing_files);
        let stuck = stays.into_iter().find(|path| options.files_by == FilesBy::Stock && is_touched(path));
        if let Some(path) = stuck.cloned() {
            return self.keep_map(stages, writer, (place, pass), &path, brought);
        }
        pruned.retain(|entry| is_whole(&entry.path));
        let stay = report.pruned_files.extract_if(.., |path| !is_whole(path));
        report.missing_files.extend(stay);
        report.missing_files.sort_unstable();
        let units_read: HashSet<&str> =
            gathered.read.iter().map(|read| survey.inputs[read.input].unit.as_str()).collect();
        let mut rules = rules(&read, &pruned, &known, appended, &options, (&units_read, &left_out));
        let settled: HashSet<&str> =
            read.iter().filter(was_read).chain(pruned.iter().copied()).map(|entry| entry.path.as_str()).collect();
        let gave = with_status(&sources, FileStatus::Read).filter(|entry| settled.contains(entry.path.as_str()));
        for code in given_up(gave, [&settings.options, &options]).filter(|code| !left_out.contains(code)) {
            rules.entry(code).or_insert(Rule { appended_stands_since: u64::MAX, unread: Unread::Goes });
        }
        let spilled = spill.map()?;
        let gathering = Gathering { blocks: &gathered.blocks, spill: &spilled, stocks, codes };
        let dates_read: Vec<Date> = sections(gathering.days()).into_iter().map(|(date, _)| date).collect();
        let Rereads { stocks: reread, dates: date_rules } =
            Rereads::new(&rules, (&inputs, &dates_read), before, &options)?;
        let dates = match &date_rules {
            Some(rules) => rules.keys().copied().collect(),
            None => [before.dates()?, &dates_read].concat(),
        };
        let sealer = Sealer { gathering, columns };
        let (place, given) = (target.place, Given::ByStock);
        let (outer, scratch) = (outer_sources(whole, place, settings_now.join)?, stages.scratch(writer));
        let revised = Revised { whole, before, place, appended, given, outer, scratch };
        let revision = Revision::new(sealer, revised, &snapshot, key, &reread, dates)?.by_date(date_rules);
        let mut changes = revision.compare(stages)?;
        changes.stocks.add_all(&reshaped.stocks);
        if let Some(Expected { date, .. }) = self.expected {
            brought.insert(place, revision.codes_on(date, &snapshot)?);
        }
        report.describe_files(&survey, &gathered, &read, &snapshot.date_form());
        report.describe(&changes, &snapshot, &revision.sealer.columns, before)?;
        reshaped.describe(&mut report);
        settings_now.appended = appended_now(appended, &changes, read.iter().filter(was_read).chain(pruned.clone()));
        report.joins_left = settings_now.join != settings.join;
        if !report.skips_are_usual() {
            night.guard_skipped(&report.skipped, &mut guards);
        }
        let has_changed =
            |entry: &&FileEntry| known.get(&entry.path).is_some_and(|known| known.content_hash != entry.content_hash);
        let changed: HashSet<&str> =
            read.iter().filter(was_read).filter(has_changed).map(|entry| entry.path.as_str()).collect();
        let is_of = |lost: &Lost, input: usize| revision.has_lost(lost, input, &survey);
        guard_columns((&survey, &changed), is_of, &changes, report.file_count(), &mut guards);
        guard_nulls(before, &changes, &mut guards)?;
        guard_pruned(&changes, before.row_count(), &mut guards);
        guard_appended(&changes, before.row_count(), &mut guards);
        settings_now.rolled = Rolled::new(&survey, &gathered, rolled, &report.pruned_files);
        let waiting = |rolled: Option<&Rolled>| rolled.map(|rolled| rolled.waiting.clone()).unwrap_or_default();
        let same_settings = same_settings
            && settings_now.appended.marks_as(appended)
            && waiting(rolled) == waiting(settings_now.rolled.as_ref());
        report.waiting_rows = settings_now.rolled.as_ref().map_or(0, Rolled::waiting_rows);
        settings_now.missing = report.missing_files.iter().cloned().collect();
        let has_rows = |path: &str| known.contains_key(path) && report.pruned_files.iter().all(|pruned| pruned != path);
        let skipped = report.skipped.iter().filter(|skipped| has_rows(&skipped.path));
        settings_now.skipped = skipped.map(|skipped| (skipped.path.clone(), skipped.reason.clone())).collect();
        snapshot.settings = store_settings(if self.assignments.is_empty() { "update" } else { "source set" })?;
        let is_read_in_part =
            |path: &str| options.units_of(path.as_ref()).iter().any(|unit| !units_read.contains(unit.as_str()));
        let files = sources_now(&sources, read, &scan.touched, &pruned, is_read_in_part);
        if settings_now.join == Join::Left {
            let mut units: BTreeSet<String> = settings.left_out.units().clone();
            units.retain(|unit| !rules.contains_key(unit));
            let all = files.iter().flat_map(|file| options.units_of(file.path.as_ref()));
            units.extend(revision.left_out(&changes, &snapshot, all, &options));
            let all_read = gained.iter().all(|unit| rules.contains_key(unit));
            let since = if all_read { writer.version() } else { settings.left_out.since() };
            settings_now.left_out = LeftOut::new(units, since);
        }
        report.judge(self.writing.max_restated, before.row_count(), guards);
        let same_rows = !report.changes_anything();
        // What was allowed is remembered, so that it stops no other night.
        let laid_anew = pass.is_changed && !gained.is_empty();
        let is_known = same_rows && same_settings && !laid_anew && report.guards.is_empty();
        let is_news = !(is_known && same_files(&sources, &files) && same_skips(&skips_before, &report.skipped));
        report.refuse_empty(options.calendar.as_deref())?;
        if is_news && !report.is_stopped() && !self.writing.dry_run {
            let contents = SourceContents { settings: settings_now.encode()?, files, ..SourceContents::default() };
            revision.write(stages, writer, &changes, (&mut snapshot, contents))?;
            return Ok(Step { report, snapshot: Some(snapshot) });
        }
        Ok(Step { report, snapshot: None })
    }
}

/// How a source is updated.
#[derive(Clone, Copy)]
struct Pass {
    /// Whether all its files are read again.
    rereads: bool,
    /// Whether codes are mapped as they were, whatever the file of the code map has now.
    keeps_map: bool,
    /// Whether there is a new version in any case.
    is_changed: bool,
}

/// The appended rows of the new version, which remembers the files `settled` as they are now.
fn appended_now<'e>(before: &Appended, changes: &Changes, settled: impl Iterator<Item = &'e FileEntry>) -> Appended {
    let mut now = before.clone();
    settled.for_each(|entry| now.forget_file(&entry.path));
    now.follow(changes.appended.iter().cloned());
    now
}

/// Whether all values of a column of `store` are exact in another type; the inner error says why not.
pub(super) fn exact_in_store(
    store: &Store,
    name: &str,
    to: &DataType,
    workers: &Workers,
    observer: &dyn Observer,
) -> Result<Result<(), String>> {
    let panel = store.schema()?;
    let Some(index) = panel.index_of(name) else { return Ok(Ok(())) };
    let is_integer = panel.columns[index].data_type.is_integer();
    let answers = workers.try_map(store.dates()?.len(), |at| {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let section = store.section_at(at)?;
        // Integers of fewer than 64 bits are exact in a double.
        let is_narrow = |stored: Stored| *to == DataType::Float64 && is_integer && stored < Stored::Bytes8;
        for part in section.parts() {
            let piece = part.only_piece()?.cloned();
            let raw = piece.as_ref().map(|piece| piece.raw(index)).transpose()?.flatten();
            if raw.is_none_or(|raw| is_narrow(raw.stored)) {
                continue;
            }
            let values = part.column_at(index)?.logical()?;
            if let Err(why) = check_values(&values, to) {
                return Ok(Err(format!("{}, {why}", section.date())));
            }
        }
        Ok(Ok(()))
    })?;
    Ok(answers.into_iter().find(Result::is_err).unwrap_or(Ok(())))
}

/// Whether a column of `store` has a value.
pub(super) fn has_value_in_store(store: &Store, name: &str) -> Result<bool> {
    let panel = store.schema()?;
    let Some(index) = panel.index_of(name) else { return Ok(false) };
    for at in 0..store.dates()?.len() {
        if store.section_at(at)?.has_value(index)? {
            return Ok(true);
        }
    }
    Ok(false)
}
