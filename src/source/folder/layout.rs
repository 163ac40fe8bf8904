//! The patterns that files may have, by their paths alone: what is a time is left open as one, and of the rest
//! something may be the code.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::source::path::files_by::{DATE, FilesBy};
use crate::source::path::input_format::InputFormat;
use crate::source::path::pattern::{ANYTHING, CODE, Pattern};
use crate::source::path::when::{Around, Inside, open_time, time_inside};

/// A way to read files, which has yet to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) files_by: FilesBy,
    pub(super) pattern: Pattern,
    /// Whether a name is taken for a code and a time, which only its rows can tell.
    pub(super) is_split: bool,
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
    /// What is said of the time with what stands around it alike in all, as a pattern has it.
    time: Option<String>,
    /// The time beside what differs, by the one file.
    split: Option<Inside<'a>>,
}

/// The layouts by which `file` and some of `files` may be read, the likelier ones first.
pub(super) fn layouts(file: &Path, files: &[PathBuf]) -> Vec<Layout> {
    let Some(steps) = steps_of(file, files) else { return Vec::new() };
    let is_code =
        |at: &usize| steps[*at].time.is_none() && (0..*at).all(|above| beginning(&steps, *at, above).is_none());
    let keys = (0..steps.len()).filter(|at| !steps[*at].key.is_empty());
    let names = (0..steps.len()).rev().filter(|at| steps[*at].key.is_empty());
    // A directory's only file is named after nothing.
    let is_alone = steps.len() == 2 && ["data", "part", "0"].iter().any(|begins| steps[1].own.starts_with(begins));
    let mut codes: Vec<usize> = keys.chain(names).filter(is_code).collect();
    if is_alone && steps[0].key.is_empty() {
        codes.reverse();
    }
    let mut layouts: Vec<Layout> = Vec::new();
    let mut add = |files_by: FilesBy, code: Option<(usize, bool)>, others: Others| {
        let Some(pattern) = pattern(&steps, files_by, code, others) else { return };
        let layout = Layout { files_by, pattern, is_split: code.is_some_and(|(_, is_split)| is_split) };
        if !layouts.contains(&layout) {
            layouts.push(layout);
        }
    };
    for others in [Others::AsTheyAre, Others::Open] {
        for &at in &codes {
            add(FilesBy::Stock, Some((at, false)), others);
        }
        for &at in codes.iter().filter(|at| steps[**at].split.is_some()) {
            add(FilesBy::Stock, Some((at, true)), others);
        }
    }
    for others in [Others::AsTheyAre, Others::Open] {
        add(FilesBy::Date, None, others);
        for &at in &codes {
            add(FilesBy::Date, Some((at, false)), others);
        }
    }
    layouts
}

/// The pattern by which `files`, all of which lie as deep as `file`, would be found by date.
pub(in crate::source) fn pattern_by_date(file: &Path, files: &[PathBuf]) -> Option<Pattern> {
    let steps = steps_of(file, files)?;
    pattern(&steps, FilesBy::Date, None, Others::Open)
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
        steps.push(Step { key, ending, own, values, time: None, split: None });
    }
    let mut around = Around::default();
    // A part of a year tells by a year that may stand below.
    around.has_year = steps.iter().any(|step| time_of(step, around).is_some_and(|(open, _)| open.contains("{year}")));
    for step in &mut steps {
        let found = time_of(step, around);
        if let Some((open, is_alike)) = found {
            around.is_below_year |= open.contains("{year}");
            around.is_below_month |= around.is_below_year && open.contains("{month}");
            if is_alike {
                step.time = Some(open);
            } else {
                step.split = time_inside(step.own, around);
            }
        }
    }
    Some(steps)
}

/// The time in all values of a step, as a pattern has it, and whether all else is alike in them.
fn time_of(step: &Step, around: Around) -> Option<(String, bool)> {
    let open = |value: &str| open_time(step.key, value, around);
    let opens: Option<BTreeSet<String>> = step.values.iter().map(|value| open(value)).collect();
    if let Some(opens) = opens.filter(|opens| !opens.is_empty()) {
        let are_periods = opens.iter().all(|open| ["{year}", "{period}", "{date}"].contains(&&open[..]));
        return match opens.len() {
            1 => opens.into_iter().next().map(|open| (open, true)),
            _ => are_periods.then(|| ("{period}".to_owned(), true)),
        };
    }
    // What stands beside a number in a directory of a key is no time of its own.
    let own = time_inside(step.own, around).filter(|_| step.key.is_empty())?;
    let mut is_alike = true;
    for value in &step.values {
        let other = time_inside(value, around).filter(|other| other.open == own.open)?;
        if other.before.is_empty() != own.before.is_empty() || other.behind.is_empty() != own.behind.is_empty() {
            return None;
        }
        is_alike &= (other.before, other.behind) == (own.before, own.behind);
    }
    let text = if is_alike { format!("{}{}{}", own.before, own.open, own.behind) } else { own.open };
    Some((text, is_alike))
}

/// The letter after which names go on that begin with what stands in the step `above`, and the rest of each.
fn beginning<'a>(steps: &[Step<'a>], at: usize, above: usize) -> Option<(char, Vec<&'a str>)> {
    let (values, codes) = (&steps[at].values, &steps[above].values);
    let rest = values.iter().zip(codes).map(|(value, code)| value.strip_prefix(code));
    let rest: Vec<&str> = rest.collect::<Option<_>>().filter(|_| values.len() == codes.len())?;
    let letter = rest.first()?.chars().next().filter(|letter| "_-. ".contains(*letter))?;
    let rest: Option<Vec<&str>> = rest.into_iter().map(|rest| rest.strip_prefix(letter)).collect();
    Some((letter, rest?))
}

/// The pattern of `steps` with the code in the step `code`, alone or beside a time.
fn pattern(steps: &[Step], files_by: FilesBy, code: Option<(usize, bool)>, others: Others) -> Option<Pattern> {
    let mut has_folder = false;
    let code_at = code.map(|(at, _)| at);
    let text = |(at, step): (usize, &Step)| {
        let is_alike = || others == Others::AsTheyAre || step.values.iter().all(|value| *value == step.own);
        let above = || code_at.filter(|code_at| *code_at < at);
        let name = match (&step.time, &step.split) {
            (_, Some(inside)) if code == Some((at, true)) => open_beside(inside, CODE),
            _ if code_at == Some(at) => format!("{{{CODE}}}"),
            (Some(time), _) => time.clone(),
            _ if is_alike() => step.own.to_owned(),
            (None, split) => match (above().and_then(|above| beginning(steps, at, above)), split) {
                (Some((letter, rest)), _) => format!("{{{CODE}}}{letter}{}", open_times(&rest)),
                (None, Some(inside)) if files_by == FilesBy::Date => open_beside(inside, ANYTHING),
                _ if files_by == FilesBy::Stock && above().is_none() && !has_folder => {
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

/// `rest` of names as a pattern has them: a time, or anything.
fn open_times(rest: &[&str]) -> String {
    let times: Option<BTreeSet<String>> = rest.iter().map(|rest| open_time("", rest, Around::default())).collect();
    let time = times.filter(|times| times.len() == 1).and_then(|times| times.into_iter().next());
    time.unwrap_or_else(|| format!("{{{ANYTHING}}}"))
}

/// A time with what stands beside it left open under the name `other`.
fn open_beside(Inside { before, open, behind }: &Inside, other: &str) -> String {
    let letter = |letter: Option<char>| letter.filter(|c| !c.is_alphanumeric()).map_or_else(String::new, String::from);
    let other = |text: &str| if text.is_empty() { String::new() } else { format!("{{{other}}}") };
    let (start, end) = (letter(before.chars().next_back()), letter(behind.chars().next()));
    format!("{}{start}{open}{end}{}", other(before), other(behind))
}
