//! What helps a file whose date column is not found: a `--date-column` that was tried on it, and under which all other
//! files keep theirs.

use std::path::Path;
use std::sync::Arc;

use parquet::file::metadata::ParquetStatisticsPolicy;

use super::allowance::Allowance;
use super::content::{Content, Stamp, guarded};
use super::dates::{DateReader, DateRules};
use super::options::SourceOptions;
use super::order::NO_DAY;
use super::parquet::decode::Parquet;
use super::parquet::footer::{DATE_NAMES, FileColumn, FileSchema};
use crate::reason::Reason;
use crate::remedy::{Remedy, Setting};

/// Columns that are tried.
const TRIED: usize = 50;

/// What is found for a file.
pub(super) enum Advised {
    Remedy(Remedy),
    /// Why there is none.
    Nothing(String),
}

impl Advised {
    /// `reason` with this at its end.
    pub(super) fn add_to(&self, reason: &Reason) -> Reason {
        match self {
            Advised::Remedy(remedy) => reason.clone().or(remedy.clone()),
            Advised::Nothing(why) => reason.clone().but(why),
        }
    }
}

/// What is known of the files that can be read.
pub(super) struct DateAdvice<'a> {
    options: &'a SourceOptions,
    rules: &'a DateRules,
    /// The names that mean a date today, that of the output first.
    names: Vec<&'a str>,
    working: Vec<&'a FileSchema>,
    allowance: &'a Arc<Allowance>,
}

impl<'a> DateAdvice<'a> {
    /// Of a panel whose date has the name `before`, if there was one, and whose other files have the schemas `working`.
    pub(super) fn new(
        options: &'a SourceOptions,
        rules: &'a DateRules,
        before: Option<&'a str>,
        working: Vec<&'a FileSchema>,
        allowance: &'a Arc<Allowance>,
    ) -> DateAdvice<'a> {
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
        DateAdvice { options, rules, names, working, allowance }
    }

    /// What to say to the file at `path`.
    pub(super) fn tell(&self, path: &Path, stamp: Stamp, schema: &Arc<FileSchema>) -> Advised {
        let found = guarded(|| self.dates_of(path, stamp, schema)).unwrap_or_default();
        let lists = found.iter().flat_map(|column| {
            let others = || self.names.iter().copied().filter(move |name| name != column);
            let last: Vec<&str> = others().chain([column.as_str()]).collect();
            let first: Vec<&str> = [column.as_str()].into_iter().chain(others()).collect();
            [last, first].map(|list| (column, list))
        });
        let mut works = lists.filter(|(column, list)| self.works(schema, column, list));
        match (works.next(), found.first()) {
            (Some((_, list)), _) => {
                let list = list.into_iter().map(str::to_owned).collect();
                Advised::Remedy(Remedy::set(Setting::DateColumn(list), "reads it"))
            }
            (None, Some(column)) => {
                Advised::Nothing(format!("{column:?} holds dates, but no choice of a column reads it and all others"))
            }
            (None, None) => Advised::Nothing("none of its columns holds dates".to_owned()),
        }
    }

    /// Whether under `list` this file's date is `column`, and each other's is what it is today.
    fn works(&self, schema: &FileSchema, column: &str, list: &[&str]) -> bool {
        let chosen = |schema: &FileSchema| {
            list.iter()
                .copied()
                .find(|name| schema.columns.iter().any(|other| other.name == *name) && self.is_free(name))
        };
        let keeps = |other: &&FileSchema| other.date.as_ref().is_ok_and(|date| chosen(other) == Some(&date.name));
        !list.iter().any(|name| name.contains(',')) && chosen(schema) == Some(column) && self.working.iter().all(keeps)
    }

    fn is_free(&self, name: &str) -> bool {
        !self.options.excludes(name) && name != self.options.code_name()
    }

    /// The columns of a file in which each row has a date: those with a name that means one before the others.
    fn dates_of(&self, path: &Path, stamp: Stamp, schema: &Arc<FileSchema>) -> Result<Vec<String>, Reason> {
        let content = Content::load(path, stamp, 0)?;
        let parquet = Parquet::new(content, schema, ParquetStatisticsPolicy::SkipAll, self.allowance)?;
        let rank = |name: &str| {
            let usual = |known: &&str| known.eq_ignore_ascii_case(name);
            self.names.iter().chain(&DATE_NAMES).position(usual).unwrap_or(usize::MAX)
        };
        let mut columns: Vec<&FileColumn> = schema.columns.iter().filter(|column| self.is_free(&column.name)).collect();
        columns.sort_by_key(|column| rank(&column.name));
        let mut found = Vec::new();
        for FileColumn { name, leaf, raw, .. } in columns.into_iter().take(TRIED) {
            let Ok(raw) = raw else { continue };
            let mut dates = DateReader::new(name, raw, self.rules);
            let mut read = || parquet.batches(&[*leaf])?.try_for_each(|batch| dates.push(&batch?[0]));
            if read().is_ok() && dates.days.iter().any(|&day| day != NO_DAY) {
                found.push(name.clone());
            }
        }
        Ok(found)
    }
}
