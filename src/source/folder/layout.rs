//! The patterns that files may have, by their paths alone: what is a time is left open as one, and of the rest
//! something may be the code.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::source::path::files_by::{DATE, FilesBy};
use crate::source::path::input_format::InputFormat;
use crate::source::path::pattern::{ANYTHING, CODE, Pattern};
use crate::source::path::when::{Around, Inside, open_times, times_inside};

/// A way to read files, which has yet to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) files_by: FilesBy,
    pub(super) pattern: Pattern,
    /// Whether a name is taken for a code and a time, which only its rows can tell.
    pub(super) is_split: bool,
}

/// Where a pattern has the code: which step, and which of its times stands beside it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Code {
    at: usize,
    split: Option<usize>,
}

/// How a pattern has a step that is not the code's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    /// As the one file has it, times aside.
    AsTheyAre,
    /// Open, where files differ.
    Open,
}

/// A step of the paths, which are as deep as that of one file.
struct Step<'a> {
    /// `symbol=` of a directory.
    key: &'a str,
    /// `.parquet`.
    ending: String,
    /// What stands between them, of the one file and of all.
    own: &'a str,
    values: Vec<&'a str>,
    /// What may be said of the time with what stands around it alike in all, as a pattern has it, the likelier first.
    times: Vec<String>,
    /// The times beside what may be of use, by the one file.
    splits: Vec<Inside<'a>>,
}

/// The layouts by which `file` and some of `files` may be read, the likelier ones first.
pub(super) fn layouts(file: &Path, files: &[PathBuf]) -> Vec<Layout> {
    let Some(steps) = steps_of(file, files) else { return Vec::new() };
    let is_code = |at: &usize| (0..*at).all(|above| around_code(&steps, *at, above).is_none());
    let keys = (0..steps.len()).filter(|at| !steps[*at].key.is_empty());
    let names = (0..steps.len()).rev().filter(|at| steps[*at].key.is_empty());
    // A directory's only file is named after nothing.
    let is_alone = steps.len() == 2 && ["data", "part", "0"].iter().any(|begins| steps[1].own.starts_with(begins));
    let mut codes: Vec<usize> = keys.chain(names).filter(is_code).collect();
    if is_alone && steps[0].key.is_empty() {
        codes.reverse();
    }
    // A code may look like a time; only rows can tell.
    codes.sort_by_key(|at| !steps[*at].times.is_empty());
    let mut layouts: Vec<Layout> = Vec::new();
    let mut add = |files_by: FilesBy, code: Option<Code>, others: Others, reading: usize| {
        let Some(pattern) = pattern(&steps, files_by, code, (others, reading)) else { return };
        let layout = Layout { files_by, pattern, is_split: code.is_some_and(|code| code.split.is_some()) };
        if !layouts.contains(&layout) {
            layouts.push(layout);
        }
    };
    for others in [Others::AsTheyAre, Others::Open] {
        for &at in &codes {
            add(FilesBy::Stock, Some(Code { at, split: None }), others, 0);
        }
        for &at in &codes {
            for split in 0..steps[at].splits.len() {
                add(FilesBy::Stock, Some(Code { at, split: Some(split) }), others, 0);
            }
        }
    }
    let readings = steps.iter().map(|step| step.times.len()).max().unwrap_or(0).max(1);
    for others in [Others::AsTheyAre, Others::Open] {
        for reading in 0..readings {
            add(FilesBy::Date, None, others, reading);
        }
        for &at in &codes {
            add(FilesBy::Date, Some(Code { at, split: None }), others, 0);
        }
    }
    layouts
}

/// The pattern by which `files`, all of which lie as deep as `file`, would be found by date.
pub(in crate::source) fn pattern_by_date(file: &Path, files: &[PathBuf]) -> Option<Pattern> {
    let steps = steps_of(file, files)?;
    pattern(&steps, FilesBy::Date, None, (Others::Open, 0))
}

fn steps_of<'a>(file: &'a Path, files: &'a [PathBuf]) -> Option<Vec<Step<'a>>> {
    let own: Vec<&str> = file.iter().map(OsStr::to_str).collect::<Option<_>>()?;
    let alike = files.iter().filter_map(|file| file.iter().map(OsStr::to_str).collect::<Option<Vec<&str>>>());
    let alike: Vec<Vec<&str>> = alike.filter(|steps| steps.len() == own.len()).collect();
    let mut steps: Vec<Step> = Vec::new();
    for (at, &name) in own.iter().enumerate() {
        let is_directory = at + 1 < own.len();
        let key = if is_directory { name.split_once('=').map_or("", |(key, _)| &name[..=key.len()]) } else { "" };
        let ending = InputFormat::any_ending(OsStr::new(name)).map_or_else(String::new, |ending| format!(".{ending}"));
        let between = |name: &'a str| name.strip_prefix(key)?.strip_suffix(&ending[..]);
        let own = between(name)?;
        let values: Vec<&str> = alike.iter().filter_map(|steps| between(steps[at])).collect();
        steps.push(Step { key, ending, own, values, times: Vec::new(), splits: Vec::new() });
    }
    let mut around = Around::default();
    // A part of a year tells by a year that may stand below.
    around.has_year = steps.iter().any(|step| first_of(&times_of(step, around)).contains("{year}"));
    for step in &mut steps {
        let found = times_of(step, around);
        let open = first_of(&found);
        around.is_below_year |= open.contains("{year}");
        around.is_below_month |= around.is_below_year && open.contains("{month}");
        (step.times, step.splits) = found;
    }
    Some(steps)
}

/// The likeliest time in a step.
fn first_of<'t>((times, splits): &'t (Vec<String>, Vec<Inside>)) -> &'t str {
    times.first().or(splits.first().map(|inside| &inside.open)).map_or("", String::as_str)
}

/// The times in all values of a step, as a pattern has them: those beside which all is alike, and those beside something.
fn times_of<'a>(step: &Step<'a>, around: Around) -> (Vec<String>, Vec<Inside<'a>>) {
    let opens = |value: &str| open_times(step.key, value, around);
    let mut times = opens(step.own);
    times.retain(|open| step.values.iter().all(|value| opens(value).contains(open)));
    let is_period =
        |value: &&str| opens(value).first().is_some_and(|open| ["{year}", "{period}", "{date}"].contains(&&open[..]));
    if times.is_empty() && step.values.iter().all(is_period) {
        times.push("{period}".to_owned());
    }
    let mut splits = Vec::new();
    // What stands beside a number in a directory of a key is no time of its own.
    let own = times_inside(step.own, around).into_iter().filter(|_| step.key.is_empty());
    for inside in own {
        let is_like = |other: &Inside| {
            other.open == inside.open
                && other.before.is_empty() == inside.before.is_empty()
                && other.behind.is_empty() == inside.behind.is_empty()
        };
        let found = |value: &&'a str| times_inside(value, around).into_iter().find(is_like);
        let others: Option<Vec<Inside>> = step.values.iter().map(found).collect();
        let Some(others) = others else { continue };
        if others.iter().all(|other| (other.before, other.behind) == (inside.before, inside.behind)) {
            times.push(format!("{}{}{}", inside.before, inside.open, inside.behind));
        }
        splits.push(inside);
    }
    (times, splits)
}

/// What stands around the value of the step `above` in the names of the step `at`: alike before it, behind a letter, and
/// the rest of each.
fn around_code<'a>(steps: &[Step<'a>], at: usize, above: usize) -> Option<(&'a str, char, Vec<&'a str>)> {
    let (values, codes) = (&steps[at].values, &steps[above].values);
    let start = values.first()?.find(codes.first().filter(|code| !code.is_empty())?)?;
    let before = &values.first()?[..start];
    let rest = values.iter().zip(codes).map(|(value, code)| value.strip_prefix(before)?.strip_prefix(code));
    let rest: Vec<&str> = rest.collect::<Option<_>>().filter(|_| values.len() == codes.len())?;
    let is_mark = |letter: &char| "_-. ".contains(*letter);
    let letter = rest.first()?.chars().next().filter(is_mark)?;
    let rest: Option<Vec<&str>> = rest.into_iter().map(|rest| rest.strip_prefix(letter)).collect();
    before.chars().next_back().is_none_or(|letter| is_mark(&letter)).then_some(())?;
    Some((before, letter, rest?))
}

/// The pattern of `steps` with the code where it is, alone or beside a time, and of each other step the time of which it
/// has so many before.
fn pattern(
    steps: &[Step],
    files_by: FilesBy,
    code: Option<Code>,
    (others, reading): (Others, usize),
) -> Option<Pattern> {
    let mut has_folder = false;
    let code_at = code.map(|code| code.at);
    let text = |(at, step): (usize, &Step)| {
        let is_alike = || others == Others::AsTheyAre || step.values.iter().all(|value| *value == step.own);
        let above = code_at.filter(|code_at| *code_at < at);
        let split = code.filter(|code| code.at == at).map(|code| code.split);
        let name = match (split, step.times.get(reading).or(step.times.first())) {
            (Some(Some(split)), _) => step.splits[split].pattern(CODE),
            (Some(None), _) => format!("{{{CODE}}}"),
            (None, Some(time)) => time.clone(),
            (None, None) if is_alike() => step.own.to_owned(),
            (None, None) => match (above.and_then(|above| around_code(steps, at, above)), step.splits.first()) {
                (Some((before, letter, rest)), _) => format!("{before}{{{CODE}}}{letter}{}", open_rest(&rest)),
                (None, Some(inside)) if files_by == FilesBy::Date || above.is_some() => inside.pattern(ANYTHING),
                _ if files_by == FilesBy::Stock && above.is_none() && !has_folder => {
                    has_folder = true;
                    "{folder}".to_owned()
                }
                _ => format!("{{{ANYTHING}}}"),
            },
        };
        format!("{}{name}{}", step.key, step.ending)
    };
    let text = steps.iter().enumerate().map(text).collect::<Vec<String>>().join("/");
    let text = if files_by == FilesBy::Date { text.replace("{period}", &format!("{{{DATE}}}")) } else { text };
    // The last one is the finest; one that comes again would stand for the same.
    let text = [DATE, "period"].iter().fold(text, |text, name| {
        let open = format!("{{{name}}}");
        let count = text.matches(&open).count();
        text.replacen(&open, &format!("{{{ANYTHING}}}"), count.saturating_sub(1))
    });
    text.parse().ok()
}

/// `rest` of names as a pattern has them: a time, alone or behind what is alike, or anything.
fn open_rest(rest: &[&str]) -> String {
    let around = Around::default();
    let common = |opens: &dyn Fn(&str) -> Vec<String>| {
        let all: Vec<Vec<String>> = rest.iter().map(|rest| opens(rest)).collect();
        all.first()?.iter().find(|open| all.iter().all(|opens| opens.contains(open))).cloned()
    };
    let inside = |text: &str| {
        let times = times_inside(text, around).into_iter();
        times.map(|Inside { before, open, behind }| format!("{before}{open}{behind}")).collect()
    };
    common(&|rest| open_times("", rest, around))
        .or_else(|| common(&inside))
        .unwrap_or_else(|| format!("{{{ANYTHING}}}"))
}
