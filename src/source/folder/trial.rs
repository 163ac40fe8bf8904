//! Tries a layout on the files: which of them it reads, and whether what they hold is what their paths would say.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::layout::Layout;
use super::looks::{Codes, Look, Looks};
use super::meeting::{Fitting, Meeting, of_several_stocks, times};
use super::own_codes::OwnCodes;
use crate::key::Date;
use crate::remedy::Setting;
use crate::source::options::{CODE_NAMES, SourceOptions};
use crate::source::path::code_template::code_of;
use crate::source::path::files_by::FilesBy;
use crate::source::path::naming::{is_part, is_time, shown};
use crate::source::path::pattern::{CODE, Pattern, Values};
use crate::source::path::period::Period;

/// Files of a layout that are looked into.
const LOOKED_INTO: usize = 20;
/// Stocks of which files are compared, and pairs of files of each.
const COMPARED: usize = 3;

/// The files to try layouts on.
pub(super) struct Files<'a> {
    pub(super) all: &'a [PathBuf],
    /// Those whose directories name a key for their rows.
    pub(super) named: &'a [PathBuf],
    pub(super) looks: &'a Looks<'a>,
    pub(super) own: &'a OwnCodes,
    pub(super) options: &'a SourceOptions,
}

/// What came of a layout that reads the files.
pub(super) struct Tried {
    pub(super) settings: Vec<Setting>,
    /// How many files it reads.
    pub(super) count: usize,
    /// How many stocks these are of.
    pub(super) stocks: usize,
    /// A file that would be of the same stock and dates, but has other columns.
    pub(super) other_source: Option<String>,
    /// Whether the codes of paths are those that the files have.
    pub(super) agrees: bool,
    /// Whether some have a date column.
    pub(super) has_dates: bool,
    rank: Rank,
}

/// What makes a layout the likelier one, the weightiest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    agrees: bool,
    /// The code is the value of a key that means codes.
    is_keyed: bool,
    /// The times in paths are those of the rows.
    is_timely: bool,
    /// No two files of a stock have rows of the same dates.
    is_free: bool,
    /// A name is a code and a time of the rows.
    is_split: bool,
    /// All that are compared have rows of other dates, or each has a code of its own.
    is_plain: bool,
    count: usize,
    stocks: usize,
}

/// What reads files of which several give one code.
struct Several {
    settings: Vec<Setting>,
    is_plain: bool,
    is_free: bool,
    /// Two files that have dates in common.
    met: Option<(PathBuf, PathBuf)>,
}

/// What the files of one code are to each other.
enum Together {
    Apart,
    /// These two have dates in common.
    Meeting(PathBuf, PathBuf),
    Unknown,
}

impl Files<'_> {
    /// The best of `layouts` by stock, the first of several.
    pub(super) fn best_by_stock(&self, layouts: &[Layout]) -> Option<Tried> {
        let layouts = layouts.iter().filter(|layout| layout.files_by == FilesBy::Stock);
        layouts.filter_map(|layout| self.by_stock(layout)).rev().max_by_key(|tried| tried.rank)
    }

    /// What comes of reading the files by stock.
    fn by_stock(&self, layout: &Layout) -> Option<Tried> {
        let pattern = &layout.pattern;
        let fitting = |path: &PathBuf| {
            let values = pattern.values_of(path)?;
            Some(Fitting { unit: code_of(None, &values).ok()?, path: path.clone(), values })
        };
        let mut fitting: Vec<Fitting> = self.all.iter().filter_map(fitting).collect();
        let is_no_code = |file: &Fitting| is_time(&file.unit) || is_part(&file.unit);
        if fitting.len() * 10 < self.named.len() * 9 || fitting.iter().all(is_no_code) {
            return None;
        }
        let paths: Vec<PathBuf> = fitting.iter().map(|file| file.path.clone()).collect();
        let looks = self.looks.of_some(&paths, LOOKED_INTO);
        let several = looks.iter().filter(|(_, look)| look.codes.are_several(self.options.code_name()));
        if several.count() * 2 > looks.len() {
            return None;
        }
        let in_time: Vec<bool> = looks.iter().filter_map(|(path, look)| is_in_time(pattern, path, look)).collect();
        let options = SourceOptions { pattern: pattern.clone(), ..SourceOptions::default() };
        let is_split = layout.is_split && !in_time.is_empty();
        let out_of_time = in_time.iter().filter(|is_in_time| !**is_in_time).count();
        let is_timely = out_of_time * 10 <= in_time.len();
        if layout.is_split && !(is_split && is_timely) && !self.own.are_those_of(&options) {
            return None;
        }
        fitting.sort_by(|a, b| (&a.unit, &a.path).cmp(&(&b.unit, &b.path)));
        let Several { settings, is_plain, is_free, met } = self.several(&fitting, &options);
        if let Some((one, other)) = met.filter(|(one, other)| self.have_other_columns(one, other)) {
            return self.one_source(layout, &one, &other);
        }
        let told = SourceOptions::default().with(&settings);
        let units: HashSet<String> = paths.iter().filter_map(|path| told.named_by(path)).collect();
        let (agrees, is_keyed, count, stocks) = (self.own.agrees(&told), is_keyed(pattern), fitting.len(), units.len());
        let rank = Rank { agrees, is_keyed, is_timely, is_free, is_split, is_plain, count, stocks };
        let has_dates = looks.is_empty() || looks.iter().any(|(_, look)| look.has_date_column);
        Some(Tried { settings, count, stocks, other_source: None, agrees, has_dates, rank })
    }

    /// What the pattern of `options` needs where several of the files that are `fitting`, by code, give one code.
    fn several(&self, fitting: &[Fitting], options: &SourceOptions) -> Several {
        let stocks: Vec<&[Fitting]> =
            fitting.chunk_by(|a, b| a.unit == b.unit).filter(|files| files.len() > 1).collect();
        let meeting = |files: &[Fitting]| of_several_stocks(files, options).and_then(|(_, meeting)| meeting);
        let telling: Vec<(&[Fitting], Meeting)> =
            stocks.iter().filter_map(|files| Some((*files, meeting(files)?))).take(COMPARED).collect();
        let some = stocks.iter().step_by(stocks.len().div_ceil(COMPARED).max(1)).filter(|_| telling.is_empty());
        let compared = telling.iter().map(|(files, _)| *files).chain(some.copied());
        let together: Vec<Together> = compared.map(|files| self.together(files)).collect();
        let are_apart = together.iter().all(|together| matches!(together, Together::Apart));
        let met = together.into_iter().find_map(|together| match together {
            Together::Meeting(one, other) => Some((one, other)),
            _ => None,
        });
        let template = match telling.first() {
            None => Vec::new(),
            Some(_) if are_apart => vec![Setting::CodeTemplate(format!("{{{CODE}}}"))],
            Some((_, meeting)) => meeting.apart().to_vec(),
        };
        let has_pattern = template.iter().any(|setting| matches!(setting, Setting::Pattern(_)));
        let pattern = (!has_pattern).then(|| Setting::Pattern(options.pattern.to_string()));
        Several {
            settings: pattern.into_iter().chain(template).collect(),
            is_plain: are_apart,
            is_free: met.is_none() || !telling.is_empty(),
            met,
        }
    }

    /// What `files`, which give one code, are to each other; those of one time are compared first.
    fn together(&self, files: &[Fitting]) -> Together {
        let some = &files[..files.len().min(LOOKED_INTO * 2)];
        let pairs = (0..some.len()).flat_map(|n| (n + 1..some.len()).map(move |m| (n, m)));
        let mut pairs: Vec<(usize, usize)> = pairs.collect();
        pairs.sort_by_key(|&(n, m)| (times(&some[n].values) != times(&some[m].values), m - n));
        let mut are_known = true;
        for (n, m) in pairs.into_iter().take(COMPARED) {
            let (one, other) = (&some[n].path, &some[m].path);
            let are_apart = || {
                let (one, other) = (self.looks.at(one)?, self.looks.at(other)?);
                one.days.as_ref()?.are_apart(other.days.as_ref()?)
            };
            match are_apart() {
                Some(false) => return Together::Meeting(one.clone(), other.clone()),
                is_known => are_known &= is_known.is_some(),
            }
        }
        if are_known { Together::Apart } else { Together::Unknown }
    }

    /// Whether two files have no column in common.
    fn have_other_columns(&self, one: &Path, other: &Path) -> bool {
        let (Some(one), Some(other)) = (self.looks.at(one), self.looks.at(other)) else { return false };
        !one.columns.is_empty() && !other.columns.is_empty() && one.columns.is_disjoint(&other.columns)
    }

    /// What comes of reading the files alone that lie as `one` does, where those that lie as `other` does have other
    /// columns of the same stocks.
    fn one_source(&self, layout: &Layout, one: &Path, other: &Path) -> Option<Tried> {
        let values = layout.pattern.values_of(one)?;
        let closed = values.all().iter().filter(|value| value.name != CODE && !times(&values).contains(value));
        let text = closed.fold(layout.pattern.to_string(), |text, value| {
            text.replacen(&format!("{{{}}}", value.name), &String::from_utf8_lossy(&value.text), 1)
        });
        let pattern: Pattern = text.parse().ok().filter(|pattern: &Pattern| !pattern.fits(other))?;
        let codes = self.all.iter().filter_map(|path| code_of(None, &pattern.values_of(path)?).ok());
        let codes: Vec<String> = codes.collect();
        let (count, stocks) = (codes.len(), codes.iter().collect::<HashSet<_>>().len());
        let whole = Rank {
            agrees: true,
            is_keyed: is_keyed(&pattern),
            is_timely: true,
            is_free: true,
            is_split: false,
            is_plain: true,
            count: self.all.len(),
            stocks,
        };
        let settings = vec![Setting::Pattern(pattern.to_string())];
        let other_source = Some(shown(other.as_os_str()));
        Some(Tried { settings, count, stocks, other_source, agrees: true, has_dates: true, rank: whole })
    }

    /// The first of `layouts` by date that reads all files.
    pub(super) fn best_by_date(&self, layouts: &[Layout]) -> Option<Pattern> {
        let layouts = layouts.iter().filter(|layout| layout.files_by == FilesBy::Date);
        layouts.map(|layout| &layout.pattern).find(|pattern| self.reads_by_date(pattern)).cloned()
    }

    /// Whether all files are of the dates that `pattern` finds in their paths, and have codes.
    fn reads_by_date(&self, pattern: &Pattern) -> bool {
        let options = SourceOptions { pattern: pattern.clone(), ..SourceOptions::by_date() };
        let units: Option<BTreeSet<String>> = self.named.iter().map(|path| options.named_by(path)).collect();
        let Some(units) = units else { return false };
        let is_part_of_other =
            |unit: &String| [4, 6].into_iter().filter(|len| *len < unit.len()).any(|len| units.contains(&unit[..len]));
        if units.iter().any(is_part_of_other) {
            return false;
        }
        let looks = self.looks.of_some(self.named, LOOKED_INTO);
        !looks.is_empty()
            && looks.iter().all(|(path, look)| {
                let Some(period) = options.named_by(path).and_then(|unit| Period::named(&unit)) else { return false };
                let has_codes = match pattern.has(CODE) {
                    true => look.codes == Codes::None,
                    false => look.codes != Codes::None,
                };
                let is_of_period = match &look.days {
                    Some(days) => days.all.iter().all(|day| has(period, *day)),
                    None => look.has_date_column || period.only().is_some(),
                };
                has_codes && is_of_period
            })
    }
}

/// Whether most rows of a file are of the time in its path, if both are known.
fn is_in_time(pattern: &Pattern, path: &Path, look: &Look) -> Option<bool> {
    let period = period_in(&pattern.values_of(path)?)?;
    let days = &look.days.as_ref()?.all;
    Some(days.iter().filter(|day| has(period, **day)).count() * 2 >= days.len())
}

fn has(period: Period, day: i32) -> bool {
    Date::from_days(day).is_some_and(|day| period.has(day))
}

/// The dates that the times of a path are.
fn period_in(values: &Values) -> Option<Period> {
    let named = || String::from_utf8(values.get("period")?.decoded()).ok();
    Period::named(&Period::text_of(values).or_else(named)?)
}

/// Whether `pattern` takes for codes what directories are of by a key that means codes: `symbol={code}`.
fn is_keyed(pattern: &Pattern) -> bool {
    let text = pattern.to_string();
    let key = text.split('/').find_map(|step| step.strip_suffix(&format!("={{{CODE}}}")));
    key.is_some_and(|key| CODE_NAMES.iter().any(|name| name.eq_ignore_ascii_case(key)))
}
