//! What becomes of the rows of units, stocks or dates, whose files were read again or are gone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::appended::Appended;
use crate::compare::{Rule, Unread};
use crate::error::Result;
use crate::format::FileStatus;
use crate::key::Date;
use crate::source::{FilesBy, KnownFile, SourceOptions, Touched};
use crate::store::{FileEntry, Store};

/// The rule of each unit of which files were `read` again or are `pruned`. Of a file's units, those that were not
/// read, and those `left_out`, stay as they are.
pub(super) fn rules(
    read: &[FileEntry],
    pruned: &[&FileEntry],
    known: &HashMap<String, KnownFile>,
    appended: &Appended,
    options: &SourceOptions,
    (units_read, left_out): (&HashSet<&str>, &BTreeSet<String>),
) -> HashMap<String, Rule> {
    let mut rules: HashMap<String, Rule> = HashMap::new();
    let units_of = |entry: &FileEntry| options.units_of(entry.path.as_ref()).into_iter();
    for entry in read.iter().filter(was_read) {
        let is_known = known.get(&entry.path).is_some_and(|known| known.content_hash == entry.content_hash);
        let unchanged_since = appended.unchanged_since(&entry.path, entry.content_hash).or(is_known.then_some(1));
        let since = unchanged_since.unwrap_or(u64::MAX);
        let rule = Rule { appended_stands_since: since, ..Rule::anew(Unread::StaysIfAppended) };
        for unit in units_of(entry).filter(|unit| units_read.contains(unit.as_str())) {
            let rule = rules.entry(unit).or_insert(rule);
            rule.appended_stands_since = rule.appended_stands_since.max(since);
        }
    }
    // A file without rows leaves none behind. What was appended stays: no file has it that could take its place.
    for entry in pruned.iter().filter(|entry| entry.status == FileStatus::Read) {
        // Where other files of the unit are left, they were read again.
        let goes = Rule::anew(Unread::StaysIfAppended);
        for unit in units_of(entry).filter(|unit| !left_out.contains(unit)) {
            rules.entry(unit).or_insert(goes).appended_stands_since = u64::MAX;
        }
    }
    rules
}

pub(super) fn was_read(entry: &&FileEntry) -> bool {
    entry.status != FileStatus::Skipped
}

/// The codes that files which were read again, or are gone, `gave` by the first of these options, and do not by the second:
/// nothing is left behind under them but what other files give, or was appended.
pub(super) fn given_up<'e>(
    gave: impl Iterator<Item = &'e FileEntry>,
    [then, now]: [&SourceOptions; 2],
) -> impl Iterator<Item = String> {
    gave.filter(|_| now.files_by == FilesBy::Stock).flat_map(|entry| {
        let units = now.units_of(entry.path.as_ref());
        then.units_of(entry.path.as_ref()).into_iter().filter(move |code| !units.contains(code))
    })
}

/// What the file at `path` is of, by each of these options.
pub(super) fn units_under(path: &str, options: [&SourceOptions; 2]) -> BTreeSet<String> {
    options.into_iter().flat_map(|options| options.units_of(path.as_ref())).collect()
}

/// Whether rows of `unit` may get other codes.
pub(super) fn touches(touched: &Touched, unit: &str, options: &SourceOptions) -> bool {
    match options.period_of(unit) {
        None => touched.has_code(unit),
        Some(period) => touched.has_dates(period.first, period.last),
    }
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
        let any = Rule::anew(Unread::Goes);
        let stocks = before.stocks()?.into_iter().chain(codes.iter().copied().flatten());
        Ok(Rereads { stocks: stocks.map(|code| (code, any)).collect(), dates: Some(of_dates) })
    }
}
