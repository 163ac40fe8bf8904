//! Tries the ways out of files that are refused: a setting changes the parts that columns play in every file, and who joins
//! has a say in the types. One under which a file would be lost is not recommended.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};
use crate::source::agreement::agree::{Agreement, Member, agree};
use crate::source::agreement::exact::{Small, answer};
use crate::source::agreement::prior::Prior;
use crate::source::agreement::question::Question;
use crate::source::allowance::Allowance;
use crate::source::content::Stamp;
use crate::source::input::parts::cast_parts;
use crate::source::input::schema::{FileColumn, FileSchema};
use crate::source::options::SourceOptions;
use crate::source::trouble::check_machine;
use crate::source::types::join;
use crate::workers::Workers;

/// Ways out that are tried; a folder with more of them has other worries.
const TRIED: usize = 20;
/// How many things that are wrong with one file are told with one way out.
const STEPS: usize = 4;

/// A file that takes part in an agreement.
pub(super) struct Party<'a> {
    pub(in crate::source) path: &'a Path,
    pub(in crate::source) stamp: Stamp,
    pub(in crate::source) schema: Arc<FileSchema>,
    pub(in crate::source) row_count: u64,
    pub(in crate::source) small: &'a Small,
}

/// Who agrees, and where.
pub(super) struct Trial<'a> {
    pub(in crate::source) root: &'a Path,
    pub(in crate::source) options: &'a SourceOptions,
    pub(in crate::source) prior: Option<&'a Prior<'a>>,
    pub(in crate::source) allowance: &'a Arc<Allowance>,
    pub(in crate::source) workers: &'a Workers,
    pub(in crate::source) observer: &'a dyn Observer,
}

impl Party<'_> {
    /// Why it cannot take part, by its own schema.
    pub(in crate::source) fn refusal(&self) -> Option<&Reason> {
        self.schema.refusal_of(self.row_count > 0)
    }
}

impl Trial<'_> {
    /// Where the types of `parties` meet.
    ///
    /// # Errors
    /// When the observer cancels, or the machine fails while a file is read.
    pub(in crate::source) fn agree(&self, parties: &[Party]) -> Result<Agreement> {
        let member = |party: &Party| Member { schema: Arc::clone(&party.schema), has_rows: party.row_count > 0 };
        let members: Vec<Member> = parties.iter().map(member).collect();
        agree(&members, self.prior, &|files, name, question| {
            let is_key = self.options.key.iter().any(|column| column == name);
            let question = &match question {
                Question::Readable(to) if is_key => Question::Apart(to.clone()),
                other => other.clone(),
            };
            self.workers.try_map(files.len(), |n| {
                if self.observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                let Party { path, stamp, schema, small, .. } = &parties[files[n]];
                let path: PathBuf = self.root.join(path);
                let answer = answer(&path, *stamp, schema, small, name, question, self.allowance);
                if answer.is_err() {
                    check_machine(&path)?;
                }
                Ok(answer)
            })
        })
    }

    /// Puts into `reasons`, each of the party at that place, settings under which the file is read and none is lost that is
    /// read without them; `parties` are all files in the order of their codes, and whether each is read.
    ///
    /// # Errors
    /// As [`agree`](Trial::agree).
    pub(super) fn keep_what_works(&self, parties: &[(Party, bool)], reasons: &mut [(usize, Reason)]) -> Result<()> {
        let mut tried = Vec::new();
        for (place, reason) in reasons {
            let mut kept = Vec::new();
            for remedy in reason.remedies() {
                let settings = match remedy {
                    Remedy::Set { settings, .. } if !settings.iter().any(is_open) => settings,
                    _ => {
                        kept.push(remedy.clone());
                        continue;
                    }
                };
                match self.that_work(settings, *place, parties, &mut tried)? {
                    Some(all) if all == *settings => kept.push(remedy.clone()),
                    Some(settings) => kept.push(Remedy::Set { settings, effect: "reads the file".to_owned() }),
                    None => {}
                }
            }
            if kept.is_empty() && !reason.remedies().is_empty() {
                kept.push(Remedy::Do("write the file anew, as the others are".to_owned()));
            }
            *reason = kept.into_iter().fold(reason.clone().alone(), Reason::or);
        }
        Ok(())
    }

    /// `settings`, and others that help the file at `place` once it has those; `None` where it is not read all the same,
    /// or where a file is lost.
    fn that_work(
        &self,
        settings: &[Setting],
        place: usize,
        parties: &[(Party, bool)],
        tried: &mut Vec<(Vec<Setting>, Option<Refusals>)>,
    ) -> Result<Option<Vec<Setting>>> {
        let mut settings = settings.to_vec();
        for _ in 0..STEPS {
            // How much memory there is does not matter here, and each file names its own.
            let those = without_memory(&settings);
            if !tried.iter().any(|(known, _)| *known == those) {
                let is_much = tried.len() >= TRIED || !self.may_be_set(&settings);
                let refused = if is_much { None } else { self.refused(&settings, parties)? };
                tried.push((those.clone(), refused));
            }
            let known = tried.iter().find(|(known, _)| *known == those);
            let Some(refused) = known.and_then(|(_, refused)| refused.as_ref()) else { return Ok(None) };
            let Some(still) = &refused[place] else { return Ok(Some(settings)) };
            let Some(Remedy::Set { settings: more, .. }) = still.remedies().first() else { return Ok(None) };
            settings = joined(&settings, more);
        }
        Ok(None)
    }

    /// Whether a store that is there lets `settings` be changed: a column of it stays, and becomes at most wider.
    fn may_be_set(&self, settings: &[Setting]) -> bool {
        let Some(prior) = self.prior else { return true };
        settings.iter().all(|setting| match setting {
            Setting::Exclude(names) => !names.iter().any(|name| prior.has(&self.options.name_of(name))),
            Setting::Cast(casts) => casts.iter().all(|cast| {
                let name = self.options.name_of(&cast.column);
                let ours = prior.columns.iter().find(|column| column.name == name);
                let to = crate::source::parse_type(&cast.to).ok();
                ours.is_none_or(|ours| {
                    to.is_some_and(|to| join(&[ours.data_type.clone(), to.clone()]).iter().any(|j| j.target == to))
                })
            }),
            _ => true,
        })
    }

    /// Whether each of `parties` has a value of the column `name` in every row.
    fn are_full(&self, parties: &[Party], name: &str) -> Result<Vec<bool>> {
        self.workers.try_map(parties.len(), |n| {
            if self.observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let Party { path, stamp, schema, small, row_count } = &parties[n];
            if *row_count == 0 || !schema.has_value(name) {
                return Ok(*row_count == 0);
            }
            let path = self.root.join(path);
            let answer = answer(&path, *stamp, schema, small, name, &Question::Full, self.allowance);
            if answer.is_err() {
                check_machine(&path)?;
            }
            Ok(answer.is_ok())
        })
    }

    /// Why each of `parties` is refused under `settings`, if it is; `None` where one of those that are read is lost.
    fn refused(&self, settings: &[Setting], parties: &[(Party, bool)]) -> Result<Option<Refusals>> {
        let options = self.options.with(settings);
        let mut schemas: HashMap<*const FileSchema, Arc<FileSchema>> = HashMap::new();
        let mut refused: Refusals = vec![None; parties.len()];
        let (mut joining, mut places) = (Vec::with_capacity(parties.len()), Vec::with_capacity(parties.len()));
        for (place, (party, _)) in parties.iter().enumerate() {
            let schema = schemas.entry(Arc::as_ptr(&party.schema)).or_insert_with(|| {
                let mut columns: Vec<FileColumn> = party.schema.columns.clone();
                columns.iter_mut().for_each(|column| column.may_round = options.cast(&column.name).is_some());
                Arc::new(cast_parts(party.schema.format.clone(), columns, &options))
            });
            let party = Party { schema: Arc::clone(schema), ..*party };
            refused[place] = party.refusal().cloned();
            if refused[place].is_none() {
                joining.push(party);
                places.push(place);
            }
        }
        let agreement = Trial { options: &options, ..*self }.agree(&joining)?;
        for (&place, why) in places.iter().zip(agreement.refused) {
            refused[place] = why;
        }
        for name in options.key.iter().filter(|name| !self.options.key.contains(name)) {
            for (place, is_full) in places.iter().zip(self.are_full(&joining, name)?) {
                if !is_full {
                    let what = format!("{name:?} cannot be part of the key");
                    refused[*place].get_or_insert_with(|| Reason::new(Kind::NoKey, what));
                }
            }
        }
        let loses = parties.iter().zip(&refused).any(|((_, is_read), why)| *is_read && why.is_some());
        Ok((!loses).then_some(refused))
    }
}

/// Whether a user has still to say which column it is.
fn is_open(setting: &Setting) -> bool {
    matches!(setting, Setting::DateColumn(names) | Setting::Key(names) if names.is_empty())
}

/// `settings` but how much memory there is.
fn without_memory(settings: &[Setting]) -> Vec<Setting> {
    settings.iter().filter(|setting| !matches!(setting, Setting::Memory(_))).cloned().collect()
}

/// For each file why it is refused, if it is.
type Refusals = Vec<Option<Reason>>;

/// `settings` and `more`, those of one kind as one.
fn joined(settings: &[Setting], more: &[Setting]) -> Vec<Setting> {
    let mut all = settings.to_vec();
    for setting in more {
        let known = all.iter_mut().find(|known| known.name() == setting.name());
        match (known, setting) {
            (Some(Setting::Cast(ours)), Setting::Cast(theirs)) => {
                ours.retain(|cast| theirs.iter().all(|other| other.column != cast.column));
                ours.extend(theirs.iter().cloned());
            }
            (Some(Setting::Exclude(ours)), Setting::Exclude(theirs)) => ours.extend(theirs.iter().cloned()),
            (Some(known), other) => known.clone_from(other),
            (None, other) => all.push(other.clone()),
        }
    }
    all
}
