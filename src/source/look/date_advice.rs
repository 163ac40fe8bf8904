//! What helps a file whose date column is not found: a `--date-column` that was tried on it, and under which all other
//! files keep theirs.

use std::path::Path;
use std::sync::Arc;

use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};
use crate::source::allowance::Allowance;
use crate::source::content::{Content, Stamp, guarded};
use crate::source::date::column::DateReader;
use crate::source::date::rules::DateRules;
use crate::source::date::spelling::{order, spellings_that};
use crate::source::input::schema::{FileColumn, FileSchema};
use crate::source::options::{BadDates, DATE_NAMES, SourceOptions};
use crate::source::order::NO_DAY;
use crate::source::types::is_text;

/// Columns that are tried.
const TRIED: usize = 50;

/// What is found for a file.
pub(super) enum Advised {
    Remedies(Vec<Remedy>),
    /// Why there is none.
    Nothing(String),
}

impl Advised {
    /// `reason` with this at its end.
    pub(super) fn add_to(&self, reason: &Reason) -> Reason {
        match self {
            Advised::Remedies(remedies) => remedies.iter().cloned().fold(reason.clone(), Reason::or),
            Advised::Nothing(why) => reason.clone().but(why),
        }
    }
}

/// A column of dates.
struct Dates {
    column: String,
    /// What reads them, where they are not read as they are: one of these, with what it does if that is not all.
    spelt: Vec<(Setting, Option<String>)>,
    /// What is needed beside it.
    also: Option<Setting>,
    times: Times,
}

/// What the dates of a column say beside the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Times {
    None,
    /// Midnights, perhaps, on clocks that nobody has named.
    Midnights,
    /// Times of day that a key keeps.
    Kept,
}

/// What is known of the files that can be read.
pub(super) struct DateAdvice<'a> {
    options: &'a SourceOptions,
    rules: &'a DateRules,
    /// The names that mean a date today, that of the output first.
    names: Vec<&'a str>,
    working: Vec<&'a FileSchema>,
    /// Whether times of day may become part of the key.
    can_keep_times: bool,
    allowance: &'a Arc<Allowance>,
}

impl<'a> DateAdvice<'a> {
    /// Of a panel whose date has the name `before`, if there was one, and whose other files have the schemas `working`;
    /// a new one may get times of day in its key, where a name `is_free` for the date's own column beside them.
    pub(in crate::source) fn new(
        options: &'a SourceOptions,
        rules: &'a DateRules,
        before: Option<&'a str>,
        working: Vec<&'a FileSchema>,
        is_free: bool,
        allowance: &'a Arc<Allowance>,
    ) -> DateAdvice<'a> {
        let can_keep_times = before.is_none() && is_free;
        let mut used: Vec<&str> =
            working.iter().filter_map(|schema| Some(schema.date.as_ref().ok()?.name.as_str())).collect();
        let rank = |name: &str| DATE_NAMES.iter().position(|usual| usual.eq_ignore_ascii_case(name));
        used.sort_by_key(|name| rank(name).unwrap_or(DATE_NAMES.len()));
        // Files that are not looked at this time may have any of the usual names.
        let usual = DATE_NAMES.iter().copied().filter(|_| before.is_some() && options.date_columns.is_empty());
        let listed = options.date_columns.iter().map(String::as_str);
        let mut names: Vec<&str> = Vec::new();
        for name in listed.chain(before).chain(used).chain(usual) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        DateAdvice { options, rules, names, working, can_keep_times, allowance }
    }

    /// What to say to the file at `path`.
    pub(in crate::source) fn tell(&self, path: &Path, stamp: Stamp, schema: &Arc<FileSchema>) -> Advised {
        let found = guarded(|| self.dates_of(path, stamp, schema)).unwrap_or_default();
        let lists = found.iter().flat_map(|dates| {
            let column = dates.column.as_str();
            let others = || self.names.iter().copied().filter(move |name| *name != column);
            let last: Vec<&str> = others().chain([column]).collect();
            let first: Vec<&str> = [column].into_iter().chain(others()).collect();
            [last, first].map(|list| (dates, list))
        });
        let mut works = lists.filter(|(dates, list)| self.works(schema, dates, list));
        match (works.next(), found.first()) {
            (Some((dates, list)), _) => {
                let list: Vec<String> = list.into_iter().map(str::to_owned).collect();
                let key = || {
                    // A name that no file has would be refused again.
                    let columns =
                        || self.working.iter().copied().chain([schema.as_ref()]).flat_map(|file| &file.columns);
                    let is_there =
                        |name: &&String| columns().any(|column| self.options.name_of(&column.name) == **name);
                    let known = self.options.key.iter().filter(|name| **name != dates.column).filter(is_there).cloned();
                    Setting::Key([dates.column.clone()].into_iter().chain(known).collect())
                };
                let (times, effect) = match dates.times {
                    Times::None => (None, "reads it"),
                    Times::Kept => {
                        let key = (!self.is_in_key(&dates.column)).then(key);
                        (key, "reads it, with the times in the key")
                    }
                    Times::Midnights => {
                        (Some(Setting::Zone), "reads it, on the clocks on which its times are midnight")
                    }
                };
                let with = |spelt: Option<&(Setting, Option<String>)>| {
                    let column = Setting::DateColumn(list.clone());
                    let setting = spelt.map(|(setting, _)| setting.clone());
                    let others = setting.into_iter().chain(dates.also.clone()).chain(times.clone());
                    let settings = [column].into_iter().chain(others).collect();
                    let own = spelt.and_then(|(_, own)| own.clone());
                    Remedy::Set { settings, effect: own.unwrap_or_else(|| effect.to_owned()) }
                };
                let spelt = dates.spelt.iter().map(|spelt| with(Some(spelt)));
                Advised::Remedies(if dates.spelt.is_empty() { vec![with(None)] } else { spelt.collect() })
            }
            (None, Some(dates)) => Advised::Nothing(format!(
                "{:?} holds dates, but no choice of a column reads it and all others",
                dates.column
            )),
            (None, None) => Advised::Nothing("none of its columns holds dates".to_owned()),
        }
    }

    /// Whether under `list` this file's date is the column of `dates`, and each other's is what it is today and is read
    /// as today.
    fn works(&self, schema: &FileSchema, dates: &Dates, list: &[&str]) -> bool {
        if dates.times == Times::Kept && !self.can_keep_times && !self.is_in_key(&dates.column) {
            return false;
        }
        let column = dates.column.as_str();
        let chosen = |schema: &FileSchema| {
            list.iter()
                .copied()
                .find(|name| schema.columns.iter().any(|other| other.name == *name) && self.is_free(name))
        };
        let counts = dates.spelt.iter().any(|(setting, _)| matches!(setting, Setting::Epoch(_)));
        let raw = |name: &str| schema.columns.iter().find(|column| column.name == name).map(|column| &column.raw);
        let keeps = |other: &&FileSchema| {
            other.date.as_ref().is_ok_and(|date| {
                // A column of the key is one that all files have, and of one kind.
                let is_alike = date.name == column && raw(column).is_some_and(|raw| raw.as_ref() == Ok(&date.raw));
                chosen(other) == Some(&date.name)
                    && !(counts && date.raw.is_numeric())
                    && (dates.times != Times::Kept || is_alike)
            })
        };
        chosen(schema) == Some(column) && self.working.iter().all(keeps)
    }

    /// Whether the column is part of the key already, as that of a store is.
    fn is_in_key(&self, column: &str) -> bool {
        self.options.key.contains(&self.options.name_of(column))
    }

    fn is_free(&self, name: &str) -> bool {
        !self.options.excludes(name) && name != self.options.code_name()
    }

    /// The columns of a file in which each row has a date: those with a name that means one before the others, and
    /// those that are read as they are before those that need a word.
    fn dates_of(&self, path: &Path, stamp: Stamp, schema: &Arc<FileSchema>) -> Result<Vec<Dates>, Reason> {
        let content = Content::load(path, stamp, 0)?;
        let file = schema.open(content, self.allowance)?;
        let rank = |name: &str| {
            let usual = |known: &&str| known.eq_ignore_ascii_case(name);
            let place = self.names.iter().chain(&DATE_NAMES).position(usual).unwrap_or(usize::MAX);
            // What rows are about was not known on that day.
            let is_about =
                ["period", "end", "report", "fiscal", "quarter"].iter().any(|part| name.to_lowercase().contains(part));
            (place, is_about)
        };
        let mut columns: Vec<&FileColumn> = schema.columns.iter().filter(|column| self.is_free(&column.name)).collect();
        columns.sort_by_key(|column| rank(&column.name));
        let drop = || Setting::BadDates(BadDates::Drop.to_string());
        let without = |row: usize| format!("reads it without its rows that have no date, such as row {}", row + 1);
        let mut found = Vec::new();
        for FileColumn { name, leaf, raw, .. } in columns.into_iter().take(TRIED) {
            let Ok(raw) = raw else { continue };
            // What the dates say, where they are read by `rules`.
            let read = |rules: &DateRules| {
                let rules = rules.without_times();
                let mut dates = DateReader::new(name, raw, &rules);
                file.batches(&[*leaf])?.try_for_each(|batch| dates.push(&batch?[0]))?;
                let times = match dates.has_time {
                    false => Times::None,
                    true if dates.are_maybe_midnights() => Times::Midnights,
                    true if self.options.drop_time => Times::None,
                    true => Times::Kept,
                };
                Ok::<_, Reason>(dates.days.iter().any(|&day| day != NO_DAY).then_some(times))
            };
            let counts = || {
                let is_told = ["date", "time", "ts", "stamp"].iter().any(|part| name.to_lowercase().contains(part));
                let first = file.batches(&[*leaf]).ok()?.next()?.ok()?;
                self.rules.count(&first[0]).filter(|_| is_told)
            };
            // The first row without a date, of a column in which most have one.
            let first_without = |rules: &DateRules| {
                let rules = rules.lenient().without_times();
                let mut dates = DateReader::new(name, raw, &rules);
                file.batches(&[*leaf]).ok()?.try_for_each(|batch| dates.push(&batch?[0])).ok()?;
                let is_most = dates.dropped > 0 && dates.dropped * 2 < dates.days.len() as u64;
                dates.days.iter().position(|&day| day == NO_DAY).filter(|_| is_most && !dates.has_time)
            };
            let as_it_is = |times| Dates { column: name.clone(), spelt: Vec::new(), also: None, times };
            let spelt = |spelt: Vec<(Setting, Option<String>)>, times| Dates { spelt, ..as_it_is(times) };
            let is_other_text = is_text(raw) && self.options.date_format.is_none();
            let formats = |is_wanted: bool| match is_wanted {
                true => spellings_that(|text| matches!(read(&self.rules.with_format(text)), Ok(Some(Times::None)))),
                false => Vec::new(),
            };
            let as_text = read(self.rules);
            if let Ok(Some(times)) = as_text {
                found.push(as_it_is(times));
            } else if as_text.is_err_and(|reason| reason.kind() == Kind::TooLarge) {
                // Whatever it is taken for.
            } else if let formats = formats(is_other_text)
                && !formats.is_empty()
            {
                let is_only = formats.len() == 1;
                let format =
                    |text: &str| (Setting::DateFormat(text.to_owned()), (!is_only).then(|| order(text).to_owned()));
                found.push(spelt(formats.into_iter().map(format).collect(), Times::None));
            } else if let Some(epoch) = counts()
                && let Ok(Some(times)) = read(&self.rules.with_epoch(epoch))
            {
                found.push(spelt(vec![(Setting::Epoch(epoch.to_string()), None)], times));
            } else if let Some(epoch) = counts()
                && let Some(row) = first_without(&self.rules.with_epoch(epoch))
            {
                let spelt = vec![(Setting::Epoch(epoch.to_string()), Some(without(row)))];
                found.push(Dates { spelt, also: Some(drop()), ..as_it_is(Times::None) });
            } else if let Some(row) = first_without(self.rules) {
                found.push(spelt(vec![(drop(), Some(without(row)))], Times::None));
            }
        }
        found.sort_by_key(|dates| (dates.times, !dates.spelt.is_empty()));
        Ok(found)
    }
}
