//! What becomes of the rows of units, stocks or dates, whose files were read again or are gone.

use std::collections::{BTreeMap, HashMap};

use super::appended::Appended;
use crate::compare::{Rule, Unread};
use crate::error::Result;
use crate::format::FileStatus;
use crate::key::Date;
use crate::source::{FilesBy, KnownFile, SourceOptions};
use crate::store::{FileEntry, Store};

/// The rule of each unit of which files were `read` again or are `pruned`.
pub(super) fn rules(
    read: &[FileEntry],
    pruned: &[&FileEntry],
    known: &HashMap<String, KnownFile>,
    appended: &Appended,
    options: &SourceOptions,
) -> HashMap<String, Rule> {
    let mut rules: HashMap<String, Rule> = HashMap::new();
    for entry in read.iter().filter(was_read) {
        let Some(unit) = options.unit_of(entry.path.as_ref()) else { continue };
        let is_known = known.get(&entry.path).is_some_and(|known| known.content_hash == entry.content_hash);
        let unchanged_since = appended.unchanged_since(&entry.path, entry.content_hash).or(is_known.then_some(1));
        let since = unchanged_since.unwrap_or(u64::MAX);
        let rule = Rule { appended_stands_since: since, unread: Unread::StaysIfAppended };
        let rule = rules.entry(unit).or_insert(rule);
        rule.appended_stands_since = rule.appended_stands_since.max(since);
    }
    // A file without rows leaves none behind; those of its unit were appended.
    for entry in pruned.iter().filter(|entry| entry.status == FileStatus::Read) {
        let Some(unit) = options.unit_of(entry.path.as_ref()) else { continue };
        // Where other files of the unit are left, they were read again.
        let goes = Rule { appended_stands_since: u64::MAX, unread: Unread::Goes };
        rules.entry(unit).or_insert(goes).appended_stands_since = u64::MAX;
    }
    rules
}

pub(super) fn was_read(entry: &&FileEntry) -> bool {
    entry.status != FileStatus::Skipped
}

/// The rules of stocks, by code, and those of dates; only one of them is asked.
pub(super) struct Rereads<'a> {
    pub(super) stocks: HashMap<&'a str, Rule>,
    /// `None` where files are by stock.
    pub(super) dates: Option<BTreeMap<Date, Rule>>,
}

impl<'a> Rereads<'a> {
    /// Those of `rules`, by unit. `codes` and `dates` are what was read; `before` is what the source had.
    ///
    /// # Errors
    /// When the version before is damaged.
    pub(super) fn new(
        rules: &'a HashMap<String, Rule>,
        (codes, dates): (&[Option<&'a str>], &[Date]),
        before: &'a Store,
        options: &SourceOptions,
    ) -> Result<Rereads<'a>> {
        if options.files_by == FilesBy::Stock {
            let stocks = rules.iter().map(|(unit, rule)| (unit.as_str(), *rule)).collect();
            return Ok(Rereads { stocks, dates: None });
        }
        let mut of_dates = BTreeMap::new();
        for (unit, rule) in rules {
            let Some(period) = options.period_of(unit) else { continue };
            for all in [before.dates()?, dates] {
                let start = all.partition_point(|date| *date < period.first);
                let own = all[start..].iter().take_while(|date| period.has(**date));
                of_dates.extend(own.map(|date| (*date, *rule)));
            }
        }
        // On these dates all stocks were read.
        let any = Rule { appended_stands_since: u64::MAX, unread: Unread::Goes };
        let stocks = before.stocks()?.into_iter().chain(codes.iter().copied().flatten());
        Ok(Rereads { stocks: stocks.map(|code| (code, any)).collect(), dates: Some(of_dates) })
    }
}
