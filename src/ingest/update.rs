//! Runs an update: scan, read what changed, compare, seal what differs, publish.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::assignment::Assignment;
use super::expected::{Brought, Codes, Expected};
use super::gather::stages::Stages;
use super::join::{Join, LeftOut};
use super::left::{check_outer, guarded, settle};
use super::limit::Limit;
use super::reshape::decided;
use super::seams::{Here, Seams};
use super::settings::Settings;
use super::source_update::{Ended, How, Pass, SourceUpdate};
use super::steps::{Step, Steps};
use super::update_report::UpdateReport;
use super::way_out::excluding_from;
use super::without_files;
use super::writing::{Writing, setters};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::remedy::{Remedy, Setting};
use crate::source::{OptionChanges, Trust};
use crate::store::{Store, StoreWriter};

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
    pub(super) writing: Writing<'a>,
    pub(super) assignments: Vec<(String, Assignment)>,
    pub(super) sources: Vec<String>,
    pub(super) check_content: bool,
    pub(super) reread: bool,
    pub(super) prune: bool,
    pub(super) changes: OptionChanges,
    pub(super) expected: Option<Expected>,
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

    /// Whether the rows of files that have disappeared go, but for those that were appended. They stay by default.
    pub fn prune(mut self, prune: bool) -> Self {
        self.prune = prune;
        self
    }

    /// Publishes only where the panel then has rows on `date`, and of at least so many stocks, or such a share of those
    /// that have the date before: else [`Guard::ExpectedDate`](crate::Guard::ExpectedDate) is met. Of several sources
    /// each is asked that is updated, has most of its stocks on every date, and was not behind the others before (of
    /// those that are named: was there on the date before this one); a number of stocks is asked of all together.
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
        self.writing.change(|stages, writer| self.write(stages, writer, &Here))
    }

    pub(super) fn write(&self, stages: &Stages, writer: &mut StoreWriter, seams: &dyn Seams) -> Result<UpdateReport> {
        let places = self.places(writer.live()?)?;
        let mut steps = Steps::new(writer, self.writing.dry_run, self.command())?.limited(self.writing.max_restated);
        let mut brought: HashMap<usize, Codes> = HashMap::new();
        for &place in &places {
            steps.before(stages)?;
            let whole = steps.writer().live()?;
            let names = whole.source_names()?;
            // A way out is for one of several sources, or an option of one that is set.
            let name = (names.len() > 1 || !self.assignments.is_empty()).then(|| names[place].to_owned());
            let how = Pass { rereads: self.reread, keeps_map: false, is_changed: steps.is_changed() };
            let step = self.update((stages, seams), steps.writer(), (place, how), &mut brought);
            steps.take(match &name {
                Some(name) => step.map_err(|error| error.of_source(name))?.of_source(name),
                None => step?,
            });
        }
        settle(&mut steps, stages, &self.writing, guarded)?;
        if let Some(expected) = self.expected {
            let are_named = !self.sources.is_empty();
            let brought = Brought { updated: &places, are_named, codes: brought, is_dry: self.writing.dry_run };
            steps.expect(expected, brought, &self.writing.allowed)?;
        }
        steps.finish(stages)
    }

    /// The places of the sources to update.
    pub(super) fn places(&self, whole: &Store) -> Result<Vec<usize>> {
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
        (stages, seams): (&Stages, &dyn Seams),
        writer: &StoreWriter,
        (place, pass): (usize, Pass),
        path: &str,
        brought: &mut HashMap<usize, Codes>,
    ) -> Result<Step> {
        let what = format!(
            "another code map cannot be followed while {path} cannot be used: some of its rows would be of two stocks"
        );
        let is_set = self.assignments.iter().any(|(_, assignment)| assignment.is_of_code_map());
        if is_set || self.changes.code_map.is_some() || !seams.reads_again() {
            return Err(Error::refused(what, "write the file anew, ignore it, or prune it"));
        }
        let pass = Pass { keeps_map: true, ..pass };
        let mut step = self.update((stages, seams), writer, (place, pass), brought)?;
        step.report.notes.push(what);
        Ok(step)
    }

    /// Changes what is to be changed of the source `name`.
    fn assign(&self, name: &str, settings: &mut Settings) {
        self.assignments
            .iter()
            .filter(|(of, _)| of == name)
            .for_each(|(_, assignment)| assignment.apply(name, settings));
    }

    /// Updates the source at `place`. Notes which codes it then has on a date that is expected, unless it stays as it is.
    pub(super) fn update(
        &self,
        (stages, seams): (&Stages, &dyn Seams),
        writer: &StoreWriter,
        (place, pass): (usize, Pass),
        brought: &mut HashMap<usize, Codes>,
    ) -> Result<Step> {
        let live = writer.live()?;
        let then = Settings::of(&live.of_source(place))?;
        let now = self.settings(live, place, &then)?;
        let Some(folder) = now.source.clone().map(PathBuf::from) else {
            let name = live.source_names()?[place];
            return match self.assignments.iter().any(|(of, _)| of == name) {
                true => without_files::set(&self.writing, writer, place, (then, now)),
                false => without_files::leave(&self.writing, writer, self.sources.iter().any(|one| one == name)),
            };
        };
        let how = How {
            writing: &self.writing,
            command: self.command(),
            trusted: if self.check_content { Trust::Content } else { Trust::Stamp },
            prune: self.prune,
            expected: self.expected,
            pass,
            seams,
        };
        match SourceUpdate::new(stages, writer, how, (place, folder), (then, now))?.run(brought)? {
            Ended::With(step) => Ok(*step),
            Ended::WithOtherDays => {
                self.update((stages, seams), writer, (place, Pass { rereads: true, ..pass }), brought)
            }
            Ended::WithoutMap(path) => self.keep_map((stages, seams), writer, (place, pass), &path, brought),
        }
    }

    /// What the log calls it.
    fn command(&self) -> &'static str {
        if self.assignments.is_empty() { "update" } else { "source set" }
    }
}
