//! Tries the ways out of files that are left out, as if somebody followed them: the source is surveyed again with their
//! settings, and the file is read, and so is of the others what the settings touch. Told is what reads the file, and
//! loses no other.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::Path;

use arrow_schema::DataType;

use super::formats::agree_on_formats;
use super::settings::{
    agree_on_epochs, can_be_tried, date_columns, effect_of, goes_with, is_of_other_dates, joined, of_date_columns,
    settings_of, ways_of, with_more_of_rows,
};
use super::together::joined_ways;
use crate::error::{Error, Result};
use crate::hint::listed;
use crate::progress::Observer;
use crate::reason::{Kind, Reason};
use crate::remedy::{CastTo, Remedy, Setting};
use crate::skipped::Skipped;
use crate::source::agreement::prior::Prior;
use crate::source::input::schema::Value;
use crate::source::options::{DATE_NAMES, Duplicates, SourceOptions};
use crate::source::path::naming::shown;
use crate::source::survey::{Input, InputFile, Survey};
use crate::source::trouble::check_machine;
use crate::source::types::{is_binary, is_text, join, parse_type};
use crate::workers::Workers;

/// Settings that are tried, each of which costs a survey; a folder that needs more has other worries.
const TRIED: usize = 20;
/// Ways out that are taken one after the other.
const STEPS: usize = 2;
/// What helps where a cast does not read a value, and no other cast was found that does.
const AS_CAST: &str = "the file needs another value there, or the column another type";
/// Files that are read whole with the same settings; what becomes of most of them is taken to become of further ones,
/// whose keys alone are read.
const READ: usize = 20;

/// The ways out of what a survey leaves out.
pub(super) struct Ways<'w> {
    ground: Ground<'w>,
    /// What is read without them.
    survey: &'w Survey,
    /// The files that are left out.
    left_out: HashSet<&'w str>,
    tried: Vec<Tried>,
}

/// What ways out are tried on.
pub(super) struct Ground<'w> {
    pub(super) prior: Option<&'w Prior<'w>>,
    pub(super) options: &'w SourceOptions,
    pub(super) workers: &'w Workers,
    pub(super) observer: &'w dyn Observer,
    /// Surveys the source with other options.
    pub(super) survey_with: &'w dyn Fn(&SourceOptions) -> Result<Survey>,
    /// Whether there are files that are not read, since they are as they were.
    pub(super) has_quiet: bool,
    /// Surveys those.
    pub(super) survey_quiet: &'w dyn Fn(&SourceOptions) -> Result<Survey>,
}

/// Settings that were tried.
struct Tried {
    settings: Vec<Setting>,
    /// What is read with them; `None` where that is less than without, or nothing at all.
    survey: Option<Survey>,
    /// How many files were read.
    read: usize,
    /// Why others were refused.
    refused: Vec<Reason>,
    /// Why files are refused for their keys, or for differing rows of one, by path; known once enough were read whole.
    claims: Option<HashMap<String, Reason>>,
}

impl Ground<'_> {
    /// Why files that are `left_out` are refused by `survey` for their keys, or for differing rows of one, by path.
    fn refused_claims(&self, survey: &Survey, left_out: &HashSet<&str>) -> Result<HashMap<String, Reason>> {
        let path = |file: &InputFile| shown(OsStr::new(&file.path));
        let is_left_out = |input: &&Input| input.files.iter().any(|file| left_out.contains(path(file).as_str()));
        let inputs: Vec<&Input> = survey.inputs.iter().filter(is_left_out).collect();
        let read = self.workers.try_map(inputs.len(), |n| {
            if self.observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let Err(bad) = survey.read_claims(inputs[n]) else { return Ok(None) };
            let file = &inputs[n].files[bad.file];
            check_machine(&survey.root.join(&file.path))?;
            Ok(Some((path(file), bad.reason)))
        })?;
        Ok(read.into_iter().flatten().collect())
    }
}

impl Tried {
    /// What becomes of a file that is not tried any more.
    fn usual(&self) -> Outcome {
        match self.refused.last() {
            Some(reason) if self.refused.len() > self.read => Outcome::Refused(reason.clone()),
            _ => Outcome::Read,
        }
    }
}

/// What became of a file.
enum Outcome {
    Read,
    Refused(Reason),
    /// Others are lost, or nothing can be read so.
    Lost,
}

impl<'w> Ways<'w> {
    /// The ways out of what `survey` leaves out.
    pub(super) fn new(ground: Ground<'w>, survey: &'w Survey) -> Ways<'w> {
        let left_out = survey.skipped.iter().map(|skipped| skipped.path.as_str()).collect();
        Ways { ground, survey, left_out, tried: Vec::new() }
    }

    /// What is left out, with the ways out that work.
    ///
    /// # Errors
    /// When the observer cancels, or the machine fails while a file is read.
    pub(super) fn that_work(mut self) -> Result<Vec<Skipped>> {
        let is_read = |name: &str| {
            let name = self.ground.options.name_of(name);
            self.survey.columns.iter().any(|column| column.name == name)
        };
        let joined = joined_ways(&self.survey.skipped, is_read);
        let mut skipped = self.survey.skipped.clone();
        for (Skipped { path, reason, .. }, joined) in skipped.iter_mut().zip(joined) {
            let with_all = joined.map_or(Ok(None), |joined| self.joined_with_ways(path, &joined))?;
            *reason = with_all.map_or_else(|| self.reason_with_ways(path, reason), Ok)?;
        }
        agree_on_formats(&mut skipped);
        agree_on_epochs(&mut skipped);
        self.agree_on_date_columns(&mut skipped)?;
        self.agree_on_rows(&mut skipped)?;
        Ok(skipped)
    }

    /// Tells files that need less than others what those need, if it reads them, too: whoever followed the shorter words
    /// would be told the longer ones of the others next.
    fn agree_on_rows(&mut self, skipped: &mut [Skipped]) -> Result<()> {
        let mut told: Vec<Remedy> = Vec::new();
        for remedy in skipped.iter().flat_map(|one| one.reason.remedies()) {
            let is_tried = self
                .tried
                .iter()
                .any(|tried| matches!(remedy, Remedy::Set { settings, .. } if *settings == tried.settings));
            if is_tried && !told.contains(remedy) {
                told.push(remedy.clone());
            }
        }
        for Skipped { path, reason, .. } in skipped.iter_mut() {
            let mut remedies: Vec<Remedy> = Vec::new();
            for own in reason.remedies() {
                let mut ways = Vec::new();
                for other in &told {
                    if let Some(settings) = with_more_of_rows(own, other)
                        && matches!(self.outcome(settings, path)?, Outcome::Read)
                    {
                        ways.push(other.clone());
                    }
                }
                if ways.is_empty() {
                    ways.push(own.clone());
                }
                ways.retain(|way| !remedies.contains(way));
                remedies.extend(ways);
            }
            *reason = remedies.into_iter().fold(reason.clone().alone(), Reason::or);
        }
        Ok(())
    }

    /// Tells files with dates in columns of different names one list of these, if it reads them all: each list alone would
    /// leave out the files of the others.
    fn agree_on_date_columns(&mut self, skipped: &mut [Skipped]) -> Result<()> {
        // Each list that is told, with the first file that it is told of.
        let mut told: Vec<(&[Setting], &str)> = Vec::new();
        for one in skipped.iter() {
            if let Some(settings) = one.reason.remedies().iter().find_map(of_date_columns)
                && told.iter().all(|(known, _)| *known != settings)
            {
                told.push((settings, &one.path));
            }
        }
        let mut names: Vec<String> = Vec::new();
        for name in told.iter().flat_map(|(settings, _)| date_columns(settings)) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        if told.iter().all(|(settings, _)| date_columns(settings) == names) {
            return Ok(());
        }
        let with_all = |settings: &[Setting]| joined(settings, &[Setting::DateColumn(names.clone())]);
        for (settings, path) in &told {
            if !matches!(self.outcome(&with_all(settings), path)?, Outcome::Read) {
                return Ok(());
            }
        }
        for reason in skipped.iter_mut().map(|one| &mut one.reason) {
            let mut remedies = reason.remedies().to_vec();
            if let Some(Remedy::Set { settings, .. }) = remedies.iter_mut().find(|one| of_date_columns(one).is_some()) {
                *settings = with_all(settings);
                *reason = remedies.into_iter().fold(reason.clone().alone(), Reason::or);
            }
        }
        Ok(())
    }

    /// What helps this file and all that are like it; `None` where that does not help it.
    fn joined_with_ways(&mut self, path: &str, joined: &Reason) -> Result<Option<Reason>> {
        let can_be_set = |reason: &Reason| reason.remedies().iter().any(|one| matches!(one, Remedy::Set { .. }));
        let told = self.reason_with_ways(path, joined)?;
        Ok((can_be_set(&told) || !can_be_set(joined)).then_some(told))
    }

    fn reason_with_ways(&mut self, path: &str, reason: &Reason) -> Result<Reason> {
        let (mut kept, mut longer): (Vec<Remedy>, Vec<Remedy>) = (Vec::new(), Vec::new());
        for remedy in reason.remedies() {
            let found = match remedy {
                Remedy::Set { settings, .. }
                    if reason.kind() == Kind::UnknownZone && settings[..] == [Setting::Zone] =>
                {
                    self.reads_others_in_utc(settings)?.then(|| remedy.clone())
                }
                Remedy::Set { settings, effect } if can_be_tried(settings) => {
                    let others = self.as_the_others(reason, settings);
                    let found = others.clone().map_or(Ok(None), |others| self.way(others, path, STEPS))?;
                    match found {
                        Some(all) if all == *settings => Some(remedy.clone()),
                        Some(all) if others.as_ref() == Some(&all) => {
                            Some(Remedy::Set { settings: all, effect: effect.clone() })
                        }
                        Some(all) => {
                            longer.push(Remedy::Set { effect: effect_of(&all, effect), settings: all });
                            None
                        }
                        None => None,
                    }
                }
                Remedy::Set { settings, .. } if is_of_other_dates(settings) => {
                    self.has_other_dates(path, reason).then(|| remedy.clone())
                }
                other => Some(other.clone()),
            };
            kept.extend(found);
        }
        for remedy in longer {
            if kept.iter().all(|known| settings_of(known) != settings_of(&remedy)) {
                kept.push(remedy);
            }
        }
        let kept = self.with_costs(kept);
        if !kept.is_empty() || reason.remedies().is_empty() {
            return Ok(kept.into_iter().fold(reason.clone().alone(), Reason::or));
        }
        if let Some(still) = self.still_in_words(reason, path)? {
            let told = reason.clone().alone().but(still.what());
            return Ok(still.remedies().iter().cloned().fold(told, Reason::or));
        }
        let reason = reason.clone().alone();
        Ok(match (reason.kind(), reason.column()) {
            (Kind::DifferingRows, Some(name)) => {
                let why = format!("{name:?} tells them apart, and cannot be part of the key");
                let mut reason = reason.but(&why).or(Remedy::Do("write the file with one of these rows".to_owned()));
                for (which, effect) in [(Duplicates::First, "keeps the one"), (Duplicates::Last, "the other")] {
                    let settings = vec![Setting::Duplicates(which.to_string())];
                    if self.way(settings.clone(), path, 0)?.is_some() {
                        reason = reason.or(Remedy::Set { settings, effect: effect.to_owned() });
                    }
                }
                reason
            }
            (Kind::InexactValue, Some(_)) => reason.or(Remedy::Do(AS_CAST.to_owned())),
            _ if self.survey.inputs.is_empty() && !self.ground.has_quiet => {
                reason.or(Remedy::Do("no setting reads it: write the file anew".to_owned()))
            }
            _ => reason.or(Remedy::Do("write the file anew, as the others are".to_owned())),
        })
    }

    /// Why a way out of `reason` does not read the file, where that is rows which no setting helps, but somebody who
    /// writes the file.
    fn still_in_words(&mut self, reason: &Reason, path: &str) -> Result<Option<Reason>> {
        for settings in ways_of(reason) {
            if let Outcome::Refused(still) = self.outcome(settings, path)?
                && matches!(still.kind(), Kind::DifferingRows | Kind::NoKey)
                && still.remedies().iter().all(|remedy| matches!(remedy, Remedy::Do(_)))
            {
                return Ok(Some(still));
            }
        }
        Ok(None)
    }

    /// Says what it costs to leave out columns that other files have, after what costs nothing.
    fn with_costs(&self, remedies: Vec<Remedy>) -> Vec<Remedy> {
        let costs = |remedy: Remedy| {
            let Remedy::Set { settings, .. } = &remedy else { return vec![remedy] };
            let [Setting::Exclude(names)] = &settings[..] else { return vec![remedy] };
            let values = |file: &&InputFile| file.layout.schema.values.iter().any(|own| names.contains(&own.own_name));
            let count = self.survey.files().filter(values).count();
            if count == 0 {
                return vec![remedy];
            }
            let it = if names.len() == 1 { "it" } else { "them" };
            let names = listed(&names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>());
            let (others, those) = match count {
                1 => ("the other file has".to_owned(), "that"),
                _ => (format!("{count} others have"), "those"),
            };
            let anew = Remedy::Do(format!("write the file with {names} as {others} {it}"));
            let effect = format!("leaves {it} out of {those}, too");
            vec![anew, Remedy::Set { settings: settings.clone(), effect }]
        };
        remedies.into_iter().flat_map(costs).collect()
    }

    /// `settings`, and others that the file at `path` needs beside them; as few as there are.
    fn way(&mut self, settings: Vec<Setting>, path: &str, steps: usize) -> Result<Option<Vec<Setting>>> {
        let mut refused = match self.outcome(&settings, path)? {
            Outcome::Read => return Ok(Some(settings)),
            Outcome::Refused(still) => vec![(settings, still)],
            Outcome::Lost => return Ok(None),
        };
        for _ in 0..steps {
            let mut next = Vec::new();
            for (settings, still) in refused {
                for more in ways_of(&still).filter(|more| more.iter().all(|more| goes_with(more, &settings))) {
                    let settings = joined(&settings, more);
                    match self.outcome(&settings, path)? {
                        Outcome::Read => return Ok(Some(settings)),
                        Outcome::Refused(still) => next.push((settings, still)),
                        Outcome::Lost => {}
                    }
                }
            }
            refused = next;
        }
        Ok(None)
    }

    fn outcome(&mut self, settings: &[Setting], path: &str) -> Result<Outcome> {
        let known = self.tried.iter().position(|tried| tried.settings == settings);
        let at = match known {
            Some(at) => at,
            None if self.tried.len() == TRIED || self.lacks_key(settings) => return Ok(Outcome::Lost),
            None => {
                let survey = self.survey_with(settings, path)?;
                self.tried.push(Tried {
                    settings: settings.to_vec(),
                    survey,
                    read: 0,
                    refused: Vec::new(),
                    claims: None,
                });
                self.tried.len() - 1
            }
        };
        let tried = &mut self.tried[at];
        let Some(survey) = &tried.survey else { return Ok(Outcome::Lost) };
        if let Some(skipped) = survey.skipped.iter().find(|skipped| skipped.path == path) {
            return Ok(Outcome::Refused(skipped.reason.clone()));
        }
        if tried.read + tried.refused.len() >= READ {
            let usual = tried.usual();
            if matches!(usual, Outcome::Read) {
                if tried.claims.is_none() {
                    tried.claims = Some(self.ground.refused_claims(survey, &self.left_out)?);
                }
                let refused = tried.claims.as_ref().and_then(|claims| claims.get(path));
                return Ok(refused.map_or(Outcome::Read, |reason| Outcome::Refused(reason.clone())));
            }
            return Ok(usual);
        }
        let Some(input) = input_of(survey, path) else { return Ok(Outcome::Lost) };
        let Err(bad) = survey.read_all(input) else {
            tried.read += 1;
            return Ok(Outcome::Read);
        };
        check_machine(&survey.root.join(&input.files[bad.file].path))?;
        tried.refused.push(bad.reason.clone());
        Ok(Outcome::Refused(bad.reason))
    }

    /// Whether files that are read lack a column which `settings` makes part of the key: these would be lost, which needs
    /// no try.
    fn lacks_key(&self, settings: &[Setting]) -> bool {
        let [Setting::Key(names)] = settings else { return false };
        let has = |file: &InputFile, name: &String| {
            let mut columns = file.layout.schema.columns.iter();
            columns.any(|column| self.ground.options.name_of(&column.name) == *name)
        };
        self.survey.files().any(|file| names.iter().any(|name| !has(file, name)))
    }

    /// What is read with `settings`; `None` where that is less than without them.
    fn survey_with(&self, settings: &[Setting], path: &str) -> Result<Option<Survey>> {
        let Ground { prior, options, survey_with, .. } = self.ground;
        if !may_be_set(prior, options, settings) {
            return Ok(None);
        }
        let mut options = options.with(settings);
        options.strict = false;
        if settings.contains(&Setting::Zone) {
            // Whoever follows it knows which one; some offset must do.
            let timeless = options.with(&[Setting::DropTime]);
            let Some(survey) = usable(survey_with(&timeless))? else { return Ok(None) };
            let input = input_of(&survey, path);
            options.zone = input.and_then(|input| survey.clocks_of_midnights(input));
            if options.zone.is_none() {
                return Ok(None);
            }
        }
        let Some(survey) = usable(survey_with(&options))? else { return Ok(None) };
        let loses = self.loses(&survey, settings)? || self.loses_quiet(&options, settings)?;
        Ok(if loses { None } else { Some(survey) })
    }

    /// Whether a file that is as it was, and is read again with `options`, is lost so, or takes its date from another column.
    fn loses_quiet(&self, options: &SourceOptions, settings: &[Setting]) -> Result<bool> {
        let Ground { has_quiet, survey_quiet, .. } = self.ground;
        if !has_quiet || !settings.iter().any(|setting| self.touches_others(setting)) {
            return Ok(false);
        }
        let before = survey_quiet(self.ground.options)?;
        let Some(now) = usable(survey_quiet(options))? else { return Ok(true) };
        if now.skipped.len() > before.skipped.len() {
            return Ok(true);
        }
        Ok(takes_other_dates(&before, &now) || self.reads_less(&before, &now)?)
    }

    /// Whether all other files are read with instants on the clocks of UTC: that a zone is unknown says nothing of the
    /// clocks on which its instants are dates, and whoever follows it knows them.
    fn reads_others_in_utc(&self, settings: &[Setting]) -> Result<bool> {
        let mut options = self.ground.options.clone();
        (options.strict, options.zone) = (false, Some("UTC".to_owned()));
        let Some(survey) = usable((self.ground.survey_with)(&options))? else { return Ok(false) };
        Ok(!self.loses(&survey, settings)? && !self.loses_quiet(&options, settings)?)
    }

    /// Whether `survey`, which is made with `settings`, lacks a file that is read without them, or has other values of
    /// it, or takes its date from another column.
    fn loses(&self, survey: &Survey, settings: &[Setting]) -> Result<bool> {
        let is_lost = |skipped: &Skipped| !self.left_out.contains(skipped.path.as_str());
        if survey.skipped.iter().any(is_lost) || settings.iter().any(|setting| self.alters_others(setting)) {
            return Ok(true);
        }
        if takes_other_dates(self.survey, survey) {
            return Ok(true);
        }
        Ok(settings.iter().any(|setting| self.touches_others(setting)) && self.reads_less(self.survey, survey)?)
    }

    /// Whether the keys of an input of `survey` cannot be read that `before` can read.
    fn reads_less(&self, before: &Survey, survey: &Survey) -> Result<bool> {
        let Ground { workers, observer, .. } = self.ground;
        let read_before = before.inputs.iter().filter(|input| !input.files.is_empty());
        let read_before: HashMap<&str, &Input> = read_before.map(|input| (input.unit.as_str(), input)).collect();
        let read = workers.try_map(survey.inputs.len(), |n| {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let input = &survey.inputs[n];
            let Some(input_before) = read_before.get(input.unit.as_str()) else { return Ok(true) };
            let Err(bad) = survey.read_key(input) else { return Ok(true) };
            check_machine(&survey.root.join(&input.files[bad.file].path))?;
            // It may not be read without them either, where nothing has been read yet.
            Ok(before.read_key(input_before).is_err())
        })?;
        Ok(read.contains(&false))
    }

    /// Whether files that are read without it would have the bytes of their numbers with it, or take the times of texts
    /// that say no zone for those of one.
    fn alters_others(&self, setting: &Setting) -> bool {
        let Setting::Cast(casts) = setting else { return false };
        let any = |name: &str, is: fn(&Value) -> bool| {
            let mut values = self.survey.files().flat_map(|file| &file.layout.schema.values);
            values.any(|value| value.own_name == name && is(value))
        };
        let is_timeless = |name: &str| {
            let name = self.ground.options.name_of(name);
            let mut columns = self.survey.columns.iter();
            columns.any(|column| column.name == name && matches!(column.data_type, DataType::Timestamp(_, None)))
        };
        casts.iter().any(|CastTo { column, to }| match parse_type(to) {
            Ok(to) if is_binary(&to) => any(column, |value| value.logical.is_numeric()),
            Ok(DataType::Timestamp(_, Some(_))) => is_timeless(column) && any(column, |value| is_text(&value.raw)),
            _ => false,
        })
    }

    /// A cast of a column that no panel holds, so that the others keep their values: to the type that theirs has, where
    /// this holds what is cast, or to one that holds theirs. Other settings as they are.
    fn as_the_others(&self, reason: &Reason, settings: &[Setting]) -> Option<Vec<Setting>> {
        let (Kind::ColumnType, [Setting::Cast(casts)]) = (reason.kind(), settings) else {
            return Some(settings.to_vec());
        };
        let beside = |CastTo { column, to }: &CastTo| {
            let name = self.ground.options.name_of(column);
            let theirs = self.survey.columns.iter().find(|theirs| theirs.name == name).map(|theirs| &theirs.data_type);
            let own = parse_type(to).ok()?;
            let to = match theirs {
                Some(theirs) if own != *theirs && is_exact_in(&own, theirs) => theirs.to_string(),
                Some(theirs) if !is_exact_in(theirs, &own) => return None,
                _ => to.clone(),
            };
            Some(CastTo { column: column.clone(), to })
        };
        Some(vec![Setting::Cast(casts.iter().map(beside).collect::<Option<_>>()?)])
    }

    /// Whether files that are read without it may be read otherwise with it.
    fn touches_others(&self, setting: &Setting) -> bool {
        match setting {
            Setting::Epoch(_) | Setting::Zone | Setting::Key(_) | Setting::DateColumn(_) => true,
            Setting::DateFormat(_) => self.ground.options.date_format.is_some(),
            _ => false,
        }
    }

    /// Whether the file at `path`, which is refused for its date column, has another that may hold dates.
    fn has_other_dates(&self, path: &str, reason: &Reason) -> bool {
        let file = self.survey.unread.iter().flat_map(|input| &input.files).find(|file| is_at(file, path));
        let may_be_date = |name: &str, raw: &DataType| {
            let is_usual = DATE_NAMES.iter().any(|usual| usual.eq_ignore_ascii_case(name));
            is_usual || matches!(raw, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..))
        };
        file.is_some_and(|file| {
            file.layout.schema.columns.iter().any(|column| {
                Some(column.name.as_str()) != reason.column()
                    && column.raw.as_ref().is_ok_and(|raw| may_be_date(&column.name, raw))
            })
        })
    }
}

/// Whether a file of both takes its date from another column in `now`.
fn takes_other_dates(before: &Survey, now: &Survey) -> bool {
    let date = |file: &InputFile| file.layout.schema.date.as_ref().ok().map(|date| date.name.clone());
    let dates: HashMap<&Path, Option<String>> = before.files().map(|file| (file.path.as_path(), date(file))).collect();
    let is_other = |file: &InputFile| dates.get(file.path.as_path()).is_some_and(|known| *known != date(file));
    now.files().any(is_other)
}

/// Whether each value of type `own` is exact in `to`.
fn is_exact_in(own: &DataType, to: &DataType) -> bool {
    own == to || join(&[own.clone(), to.clone()]).iter().any(|join| join.target == *to)
}

/// `surveyed`, unless these settings cannot be or nothing can be read with them.
fn usable(surveyed: Result<Survey>) -> Result<Option<Survey>> {
    match surveyed {
        Ok(survey) => Ok(Some(survey)),
        Err(error @ (Error::Cancelled | Error::Io { .. })) => Err(error),
        Err(_) => Ok(None),
    }
}

fn input_of<'s>(survey: &'s Survey, path: &str) -> Option<&'s Input> {
    survey.inputs.iter().find(|input| input.files.iter().any(|file| is_at(file, path)))
}

fn is_at(file: &InputFile, path: &str) -> bool {
    shown(OsStr::new(&file.path)) == path
}

/// Whether a store that is there lets `settings` be: its key is what it is, also for a source that is new.
fn may_be_set(prior: Option<&Prior>, options: &SourceOptions, settings: &[Setting]) -> bool {
    let Some(prior) = prior else { return true };
    match prior.is_new {
        true => !settings.iter().any(|setting| matches!(setting, Setting::Key(_))),
        false => options.may_become(settings, prior.columns),
    }
}
