//! Tries a layout on the files: which of them it reads, and whether what they hold is what their paths would say.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::layout::Layout;
use super::looks::{Codes, Days, Look, Looks};
use super::meeting::{Fitting, Meeting, of_several_stocks, times};
use super::own_codes::OwnCodes;
use crate::key::Date;
use crate::remedy::Setting;
use crate::source::options::{CODE_NAMES, SourceOptions};
use crate::source::path::code_template::code_of;
use crate::source::path::files_by::FilesBy;
use crate::source::path::naming::{is_part, shown};
use crate::source::path::pattern::{CODE, Pattern};
use crate::source::path::period::Period;
use crate::source::path::when::{Around, Numbered, is_of_time, open_times};

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
    /// No two files of a stock have rows of the same dates.
    is_free: bool,
    /// Codes are not the numbers of pieces.
    is_of_stocks: bool,
    timely: Timely,
    /// All that are compared have rows of other dates, or each has a code of its own.
    is_plain: bool,
    count: usize,
    stocks: usize,
}

/// What reads files that are not of one stock each.
pub(super) enum Better {
    ByStock(Tried),
    ByDate(Pattern),
}

/// Whether the times in paths are those of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timely {
    No,
    Unknown,
    /// They are: so many.
    Yes(usize),
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

    /// What of `layouts` reads the files, if they are not of one stock each as `pattern` has them, in whose codes there are
    /// times or but numbers: `None` inside where nothing does.
    pub(super) fn of_fewer(&self, pattern: &Pattern, are_times: bool, layouts: &[Layout]) -> Option<Option<Better>> {
        let several = |look: &Look| look.codes.are_several(self.options.code_name());
        let by_date = || self.best_by_date(layouts).map(Better::ByDate);
        let looks = self.looks.of_some(self.all, LOOKED_INTO);
        if looks.iter().any(|(_, look)| several(look)) {
            return by_date().map(Some);
        }
        if looks.iter().all(|(_, look)| look.days.is_none()) {
            return None;
        }
        let own = Layout { files_by: FilesBy::Stock, pattern: pattern.clone(), is_split: false };
        let own = self.by_stock(&own);
        if !are_times && own.as_ref().is_none_or(|own| own.rank.is_of_stocks) {
            return None;
        }
        let rank = own.as_ref().map(|own| (own.rank.is_of_stocks, own.rank.timely));
        let named = |settings: &[Setting]| SourceOptions::default().with(settings).named_by(&self.all[0]);
        let is_other = |best: &Tried| named(&best.settings) != named(&[Setting::Pattern(pattern.to_string())]);
        let is_better =
            |best: &Tried| rank.is_none_or(|rank| (best.rank.is_of_stocks, best.rank.timely) > rank) && is_other(best);
        let by_stock = self.best_by_stock(layouts).filter(is_better).map(Better::ByStock);
        let is_of_stocks = rank.is_some_and(|(is_of_stocks, _)| is_of_stocks);
        match by_stock {
            Some(Better::ByStock(best)) if !best.agrees => Some(by_date().or(Some(Better::ByStock(best)))),
            Some(best) => Some(Some(best)),
            None if is_of_stocks && own.is_some_and(|own| own.agrees) => None,
            // What files have in their column of codes are no names of these.
            None if is_of_stocks => by_date().map(Some),
            None => Some(by_date()),
        }
    }

    /// What comes of reading the files by stock.
    fn by_stock(&self, layout: &Layout) -> Option<Tried> {
        let pattern = &layout.pattern;
        let fitting = |path: &PathBuf| {
            let values = pattern.values_of(path)?;
            Some(Fitting { unit: code_of(None, &values).ok()?, path: path.clone(), values })
        };
        let mut fitting: Vec<Fitting> = self.all.iter().filter_map(fitting).collect();
        if fitting.len() * 10 < self.named.len() * 9 || fitting.is_empty() {
            return None;
        }
        let paths: Vec<PathBuf> = fitting.iter().map(|file| file.path.clone()).collect();
        let looks = self.looks.of_some(&paths, LOOKED_INTO);
        let several = looks.iter().filter(|(_, look)| look.codes.are_several(self.options.code_name()));
        if several.count() * 2 > looks.len() {
            return None;
        }
        let options = SourceOptions { pattern: pattern.clone(), ..SourceOptions::default() };
        let are_own = self.own.are_those_of(&options);
        let timely = timely(&looks, |path| pattern.values_of(path).map(|values| Period::all_of(&values)));
        if !are_own
            && (layout.is_split && timely <= Timely::Unknown || !is_keyed(pattern) && are_no_codes(&fitting, &looks))
        {
            return None;
        }
        let timely = match timely {
            Timely::Yes(_) => Timely::Yes(times(&fitting[0].values).len()),
            other => other,
        };
        fitting.sort_by(|a, b| (&a.unit, &a.path).cmp(&(&b.unit, &b.path)));
        let is_of_stocks = are_own || !self.are_pieces(&fitting);
        let Several { settings, is_plain, is_free, met } = self.several(&fitting, &options);
        if let Some((one, other)) = met.filter(|(one, other)| self.have_other_columns(one, other)) {
            return self.one_source(layout, &one, &other);
        }
        let told = SourceOptions::default().with(&settings);
        let units: HashSet<String> = paths.iter().filter_map(|path| told.named_by(path)).collect();
        let (agrees, is_keyed, count, stocks) = (self.own.agrees(&told), is_keyed(pattern), fitting.len(), units.len());
        let rank = Rank { agrees, is_keyed, is_free, is_of_stocks, timely, is_plain, count, stocks };
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

    /// Whether the codes of files that are `fitting`, by code, are alike but for numbers, and the dates of those of one
    /// directory and time go on as these do: stocks have dates in common.
    fn are_pieces(&self, fitting: &[Fitting]) -> bool {
        let Some(first) = Numbered::of(&fitting[0].unit) else { return false };
        let numbers =
            |file: &Fitting| Numbered::of(&file.unit).filter(|own| own.shape == first.shape).map(|own| own.numbers);
        let Some(numbers) = fitting.iter().map(numbers).collect::<Option<Vec<_>>>() else { return false };
        let place = |file: &Fitting| {
            let times = times(&file.values).into_iter().map(|value| value.text.clone());
            (file.path.parent().map(Path::to_owned), times.collect::<Vec<_>>())
        };
        let mut files: Vec<_> =
            fitting.iter().zip(numbers).map(|(file, numbers)| (place(file), numbers, &file.path)).collect();
        files.sort_unstable();
        let most = files.chunk_by(|a, b| a.0 == b.0).max_by_key(|files| files.len()).unwrap_or_default();
        let some = most.iter().step_by(most.len().div_ceil(COMPARED + 1).max(1));
        let looks: Vec<_> = some.map(|(_, numbers, path)| (numbers, self.looks.at(path))).collect();
        looks.len() > 1
            && looks.windows(2).all(|pair| {
                let days = |n: usize| pair[n].1.as_ref()?.days.as_ref();
                let goes_on = |one: &Days, other: &Days| one.all.last() < other.all.first();
                pair[0].0 < pair[1].0 && days(0).zip(days(1)).is_some_and(|(one, other)| goes_on(one, other))
            })
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
            is_free: true,
            is_of_stocks: true,
            timely: Timely::Unknown,
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
        // The times of names are none of stocks.
        let code = |path: &PathBuf| code_of(None, &pattern.values_of(path)?).ok();
        let is_time = |code: &String| {
            is_of_time(code, Around { has_year: true, is_below_year: true, is_below_month: true }) || is_part(code)
        };
        if pattern.has(CODE) && self.named.iter().filter_map(code).all(|code| is_time(&code)) {
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

/// Whether most rows of nearly all files are of all times that `periods` finds in their paths, where both are known.
fn timely(looks: &[(&Path, Rc<Look>)], periods: impl Fn(&Path) -> Option<Vec<Period>>) -> Timely {
    let in_time = |(path, look): &(&Path, Rc<Look>)| {
        let periods = periods(path).filter(|periods| !periods.is_empty())?;
        let days = &look.days.as_ref()?.all;
        let is_in = |day: &&i32| periods.iter().all(|period| has(*period, **day));
        Some(days.iter().filter(is_in).count() * 2 >= days.len())
    };
    let in_time: Vec<bool> = looks.iter().filter_map(in_time).collect();
    match in_time.iter().filter(|is_in_time| !**is_in_time).count() {
        _ if in_time.is_empty() => Timely::Unknown,
        others if others * 10 <= in_time.len() => Timely::Yes(1),
        _ => Timely::No,
    }
}

/// Whether the codes of all files are times or numbers of pieces, and their rows do not tell otherwise.
fn are_no_codes(fitting: &[Fitting], looks: &[(&Path, Rc<Look>)]) -> bool {
    let is_no_code = |file: &Fitting| {
        let has_year = file.values.get("year").is_some();
        let around = Around { has_year, is_below_year: has_year, is_below_month: false };
        is_part(&file.unit) || !open_times("", &file.unit, around).is_empty()
    };
    let period = |path: &Path| {
        let file = fitting.iter().find(|file| file.path == path)?;
        Some(Period::named(&file.unit).into_iter().collect())
    };
    fitting.iter().all(is_no_code) && timely(looks, period) != Timely::No
}

fn has(period: Period, day: i32) -> bool {
    Date::from_days(day).is_some_and(|day| period.has(day))
}

/// Whether `pattern` takes for codes what directories are of by a key that means codes: `symbol={code}`.
fn is_keyed(pattern: &Pattern) -> bool {
    let text = pattern.to_string();
    let key = text.split('/').find_map(|step| step.strip_suffix(&format!("={{{CODE}}}")));
    key.is_some_and(|key| CODE_NAMES.iter().any(|name| name.eq_ignore_ascii_case(key)))
}
