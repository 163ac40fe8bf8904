//! A change of a source by whole dates, which are laid beside what it has of them: what an append and a source of rows in
//! memory have in common.

use std::collections::HashMap;
use std::path::Path;

use super::build_report::known_file;
use super::gather::sections::Sections;
use super::gather::stages::Stages;
use super::guard::{Guard, Guards};
use super::left::outer_sources;
use super::limit::Limit;
use super::night::{guard_codes_of, guard_nulls, guard_pruned};
use super::revise::revision::{Given, Revised, Revision};
use super::seal::assemble::{Assembly, Target, assemble};
use super::seal::sealer::Sealer;
use super::seams::Seams;
use super::settings::{Settings, store_settings};
use super::steps::Step;
use super::update_report::UpdateReport;
use crate::compare::{Rule, Unread};
use crate::error::{Error, Result};
use crate::format::FileStatus;
use crate::key::Date;
use crate::panel::PanelSchema;
use crate::shuffle::{Gathering, SpillMap};
use crate::source::KnownFile;
use crate::store::{FileEntry, Keep, SourceContents, Store, StoreWriter};

/// What becomes of rows that the source has and that were not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    Stay,
    /// Those of the dates that were given go.
    GoOnTheseDates,
    Go,
}

/// What is to become of a source.
pub(super) struct DatedChange<'a> {
    pub(super) whole: &'a Store,
    /// The source's place among those of `whole`; one more than there are for a new one.
    pub(super) place: usize,
    /// The name of a new one.
    pub(super) name: &'a str,
    /// The panel as the source sees it.
    pub(super) panel: PanelSchema,
    pub(super) settings: Settings,
    pub(super) others: Others,
    pub(super) max_restated: Option<Limit>,
    pub(super) keep: Keep,
    pub(super) allowed: &'a [Guard],
    pub(super) dry_run: bool,
    pub(super) command: &'static str,
}

impl DatedChange<'_> {
    /// Compares `sections`, which lie in `spill`, with what the source has, and writes what differs.
    ///
    /// # Errors
    /// When the store cannot be read or written, nothing would be left, or the observer cancels.
    pub(super) fn make(
        self,
        (stages, seams): (&Stages, &dyn Seams),
        writer: &StoreWriter,
        (sections, spill): (Sections, SpillMap),
        mut report: UpdateReport,
    ) -> Result<Step> {
        let (whole, place) = (self.whole, self.place);
        report.notes.extend(sections.losses.notes());
        let before = &whole.of_source(place);
        let is_new = place == whole.source_names()?.len();
        let target = Target { before: Some(whole), place, name: self.name };
        let (inputs, key) = (sections.codes(), self.panel.key.clone());
        let Assembly { mut snapshot, columns, stocks, codes } =
            assemble(self.panel, &inputs, &sections.blocks, writer.ids(), self.keep, target)?;

        // Of these dates all stocks are read again.
        let unread = if self.others == Others::Stay { Unread::Stays } else { Unread::Goes };
        let rule = Rule::anew(unread);
        let mut reread: HashMap<&str, Rule> = inputs.iter().flatten().map(|code| (*code, rule)).collect();
        let mut dates: Vec<Date> = sections.dates.clone();
        if self.others != Others::Stay {
            reread.extend(before.stocks()?.into_iter().map(|code| (code, rule)));
        }
        if self.others == Others::Go {
            dates.extend(before.dates()?);
        }
        let given = Given::ByDate { version: writer.version(), replaces: self.others != Others::Stay };
        let gathering = Gathering { blocks: &sections.blocks, spill: &spill, stocks, codes };
        let sealer = Sealer { gathering, columns };
        let appended = &self.settings.appended;
        let (site, which) = seams.seal(writer);
        let (outer, scratch) = (outer_sources(whole, place, self.settings.join)?, stages.scratch(site));
        let revised = Revised { whole, before, place, appended, given, outer, scratch };
        let revision = Revision::new(sealer, revised, &snapshot, key, &reread, dates)?;
        let Some(changes) = seams.compare(&revision, stages)? else { return Ok(Step { report, snapshot: None }) };
        report.describe(&changes, &snapshot, &revision.sealer.columns, before)?;
        let mut guards = Guards::new(self.allowed);
        match is_new {
            true => guard_codes_of(whole, "the frame", inputs.iter().copied().flatten(), &mut guards)?,
            false => {
                guard_nulls(before, &changes, &mut guards)?;
                guard_pruned(&changes, changes.rows_before, &mut guards);
            }
        }
        report.judge(self.max_restated, if is_new { whole } else { before }.row_count(), guards);
        let is_news = is_new || report.changes_anything() || self.keep != before.kept();
        report.refuse_empty(None)?;
        if !is_news || report.is_stopped() || self.dry_run {
            return Ok(Step { report, snapshot: None });
        }
        let files = if is_new { Vec::new() } else { before.files()? };
        let is_given = |unit: &str| match self.settings.options.period_of(unit) {
            None => reread.contains_key(unit),
            Some(period) => revision.dates.iter().any(|date| period.has(*date)),
        };
        let mut appended = self.settings.appended.clone();
        let own = OwnFiles { settings: &self.settings, files: &files };
        for (path, known, now) in own.now((stages, seams), is_given)? {
            appended.note_file(path, known, now, writer.version());
        }
        appended.follow(changes.appended.iter().cloned());
        snapshot.settings = store_settings(self.command)?;
        let options = &self.settings.options;
        let units = files.iter().flat_map(|file| options.units_of(file.path.as_ref()));
        let left_out = revision.left_out(&changes, &snapshot, units, options);
        let left_out = self.settings.left_out.clone().and(left_out, writer.version());
        let settings = Settings { appended, left_out, ..self.settings }.encode()?;
        let contents = SourceContents { settings, files, ..SourceContents::default() };
        revision.write(stages, (site, which), &changes, (&mut snapshot, contents))?;
        Ok(Step { report, snapshot: Some(snapshot) })
    }
}

/// The files of a source that has a folder.
pub(super) struct OwnFiles<'f> {
    pub(super) settings: &'f Settings,
    pub(super) files: &'f [FileEntry],
}

impl OwnFiles<'_> {
    /// Those of units that are given: for each its path, what the store remembers of it, and what it is now.
    fn now(
        &self,
        (stages, seams): (&Stages, &dyn Seams),
        is_given: impl Fn(&str) -> bool,
    ) -> Result<impl Iterator<Item = (&str, KnownFile, KnownFile)>> {
        let given = self.given(is_given);
        let now: HashMap<String, KnownFile> = match given.is_empty() {
            true => HashMap::new(),
            false => seams.files_now(&|| self.look(&given, stages))?.into_iter().collect(),
        };
        Ok(given.into_iter().filter_map(move |(path, known)| Some((path, known, *now.get(path)?))))
    }

    /// What those are now that are not as the store remembers them.
    ///
    /// # Errors
    /// When the machine fails, or the observer cancels.
    pub(super) fn changed(&self, stages: &Stages) -> Result<Vec<(String, KnownFile)>> {
        let given = self.given(|_| true);
        let mut now = self.look(&given, stages)?;
        let known: HashMap<&str, KnownFile> = given.into_iter().collect();
        let is_news = |path: &str, now: &KnownFile| {
            let as_known = known.get(path).is_some_and(|known| known.content_hash == now.content_hash);
            !as_known || self.settings.appended.file(path).is_some()
        };
        now.retain(|(path, now)| is_news(path, now));
        Ok(now)
    }

    /// The files with rows of units that are given.
    fn given(&self, is_given: impl Fn(&str) -> bool) -> Vec<(&str, KnownFile)> {
        if self.settings.source.is_none() {
            return Vec::new();
        }
        let with_rows = self.files.iter().filter(|entry| entry.status == FileStatus::Read);
        let units = |entry: &FileEntry| self.settings.options.units_of(entry.path.as_ref());
        let given = with_rows.filter(|entry| units(entry).iter().any(|unit| is_given(unit)));
        given.filter_map(|entry| Some((entry.path.as_str(), known_file(entry)?))).collect()
    }

    /// What these are now.
    fn look(&self, files: &[(&str, KnownFile)], stages: &Stages) -> Result<Vec<(String, KnownFile)>> {
        let folder = Path::new(self.settings.source.as_deref().unwrap_or_default());
        stages.observer.begin("look", "files", files.len() as u64);
        let found = stages.workers.try_map(files.len(), |at| {
            if stages.observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let (path, known) = files[at];
            let now = self.settings.appended.file(path).unwrap_or(known).look_again(&folder.join(path))?;
            stages.observer.advance(1);
            Ok(now.map(|now| (path.to_owned(), now)))
        })?;
        stages.observer.end();
        Ok(found.into_iter().flatten().collect())
    }
}
