//! The paths of a stock's files below the source directory, with the code and what else varies left open.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::files_by::{DATE, FilesBy, YEAR};
use super::input_format::InputFormat;
use super::naming::{is_hidden, percent_decoded};
use crate::as_text::as_text;
use crate::key::{NULL_PARTITION, is_escaped};

/// The placeholder of the code.
pub(in crate::source) const CODE: &str = "code";
/// A placeholder of anything.
pub(in crate::source) const ANYTHING: &str = "*";

/// A relative path with placeholders: `{code}`, once in a step of the path at least, or for files by date `{date}` or
/// `{year}`, and others such as `{exchange}`; `{*}` stands for anything. A name that comes again stands for the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    steps: Vec<Step>,
}

/// The name of one directory, or of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct Step {
    parts: Vec<Part>,
    /// Whether the step is the value of a `key=value` directory. Those who write such directories escape what a name
    /// cannot hold, as in `symbol=BTC%2FUSDT`; few do so in the names of files.
    is_encoded: bool,
    is_directory: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Open(String),
}

/// What the placeholders of a path stand for, in the order of the pattern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::source) struct Values(Vec<Value>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct Value {
    pub(in crate::source) name: String,
    /// As it stands in the path.
    pub(in crate::source) text: Vec<u8>,
    /// Which step of the path has it.
    pub(in crate::source) step: usize,
    is_encoded: bool,
    is_directory: bool,
}

impl Values {
    pub(in crate::source) fn all(&self) -> &[Value] {
        &self.0
    }

    pub(in crate::source) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|value| value.name == name)
    }
}

impl Value {
    /// What it means: decoded where the path escapes it. In other names that is a code which has nothing escaped but what
    /// a name cannot hold, as our own outputs by stock have it.
    pub(in crate::source) fn decoded(&self) -> Vec<u8> {
        let decoded = percent_decoded(&self.text);
        let is_ours = || self.name == CODE && is_escaped(&self.text, &decoded, self.is_directory);
        if self.is_encoded || is_ours() { decoded } else { self.text.clone() }
    }

    /// Whether it says that rows have no value for its key.
    pub(in crate::source) fn is_null(&self) -> bool {
        self.is_encoded && self.text == NULL_PARTITION.as_bytes()
    }
}

impl Step {
    /// The name where nothing is open, `known` values in their places.
    pub(in crate::source) fn closed(&self, known: &Values) -> Option<PathBuf> {
        let mut name = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.extend_from_slice(text.as_bytes()),
                Part::Open(open) => name.extend_from_slice(&known.get(open).filter(|_| open != ANYTHING)?.text),
            }
        }
        Some(PathBuf::from(OsStr::from_bytes(&name)))
    }

    /// `known` and the values that `name` gives as step `step`; `None` if it has another shape. The code takes as much of
    /// it as can be, and each other placeholder something.
    fn values(&self, name: &[u8], step: usize, known: &Values) -> Option<Values> {
        let known_text = |part: &Part| match part {
            Part::Text(text) => Some(text.as_bytes().to_vec()),
            Part::Open(open) => known.get(open).filter(|_| open != ANYTHING).map(|value| value.text.clone()),
        };
        let texts: Vec<Option<Vec<u8>>> = self.parts.iter().map(known_text).collect();
        let is_code = |n: &usize| texts[*n].is_none() && self.parts[*n] == Part::Open(CODE.to_owned());
        // What stands before the greedy part is found from the left, and what stands behind it from the right.
        let open: Vec<usize> = (0..texts.len()).filter(|&n| texts[n].is_none()).collect();
        let Some(&greedy) = open.iter().find(|n| is_code(n)).or(open.last()) else {
            let whole: Vec<u8> = texts.into_iter().flatten().flatten().collect();
            return (whole == name).then(|| known.clone());
        };
        let mut found: Vec<Option<&[u8]>> = vec![None; texts.len()];
        let mut rest = name;
        let mut pending = None;
        for (n, text) in texts.iter().enumerate().take(greedy) {
            match (text, pending.take()) {
                (Some(text), None) => rest = rest.strip_prefix(&text[..])?,
                (Some(text), Some(before)) => {
                    let at = 1 + find(rest.get(1..)?, text)?;
                    found[before] = Some(&rest[..at]);
                    rest = &rest[at + text.len()..];
                }
                (None, _) => pending = Some(n),
            }
        }
        for (n, text) in texts.iter().enumerate().skip(greedy + 1).rev() {
            match (text, pending.take()) {
                (Some(text), None) => rest = rest.strip_suffix(&text[..])?,
                (Some(text), Some(behind)) => {
                    let at = find_last(rest.get(..rest.len().checked_sub(1)?)?, text)?;
                    found[behind] = Some(&rest[at + text.len()..]);
                    rest = &rest[..at];
                }
                (None, _) => pending = Some(n),
            }
        }
        found[greedy] = Some(rest).filter(|rest| is_code(&greedy) || !rest.is_empty());
        let mut values = known.clone();
        for n in open {
            let Part::Open(name) = &self.parts[n] else { continue };
            let text = found[n]?.to_vec();
            let Step { is_encoded, is_directory, .. } = *self;
            values.0.push(Value { name: name.clone(), text, step, is_encoded, is_directory });
        }
        Some(values)
    }

    /// Whether the step itself asks for names that would not be looked at.
    fn asks_for_hidden(&self) -> bool {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Open(_) => "x".to_owned(),
        };
        is_hidden(OsStr::new(&self.parts.iter().map(part).collect::<String>()))
    }
}

/// What an entry of a directory is to the pattern.
pub(in crate::source) enum Entry {
    /// A name that conventions hide, of the pattern's shape or not.
    Hidden {
        fits: bool,
    },
    /// One of another shape.
    Other,
    Fits(Values),
}

impl Pattern {
    pub(in crate::source) fn step(&self, at: usize) -> Option<&Step> {
        self.steps.get(at)
    }

    /// The steps before the first that has a placeholder.
    pub(in crate::source) fn before(&self) -> PathBuf {
        let closed = self.steps.iter().map_while(|step| step.closed(&Values::default()));
        closed.collect()
    }

    /// `{code}.parquet`, or `{date}.csv` and the like.
    pub fn usual(files_by: FilesBy, input: InputFormat) -> Pattern {
        let name = match files_by {
            FilesBy::Stock => CODE,
            FilesBy::Date => DATE,
        };
        let ending = input.usual_ending();
        let parts = vec![Part::Open(name.to_owned()), Part::Text(format!(".{ending}"))];
        Pattern {
            text: format!("{{{name}}}.{ending}"),
            steps: vec![Step { parts, is_encoded: false, is_directory: false }],
        }
    }

    /// Whether it has a placeholder of this name.
    pub(in crate::source) fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// The names of all placeholders, in order.
    pub(in crate::source) fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().flat_map(|step| &step.parts).filter_map(|part| match part {
            Part::Open(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Whether the code is the value of a `key=value` directory, and decoded.
    pub(in crate::source) fn encodes_code(&self) -> bool {
        let code = Part::Open(CODE.to_owned());
        self.steps.iter().find(|step| step.parts.contains(&code)).is_some_and(|step| step.is_encoded)
    }

    /// What the entry `name` of a directory is as step `at`, after steps that gave the values `known`.
    pub(in crate::source) fn entry(&self, at: usize, name: &OsStr, known: &Values) -> Entry {
        let Some(step) = self.steps.get(at) else { return Entry::Other };
        let values = step.values(name.as_bytes(), at, known);
        match values {
            values if is_hidden(name) && !step.asks_for_hidden() => Entry::Hidden { fits: values.is_some() },
            Some(values) => Entry::Fits(values),
            None => Entry::Other,
        }
    }

    /// The values that `path` gives.
    pub(in crate::source) fn values_of(&self, path: &Path) -> Option<Values> {
        let names: Vec<&OsStr> = path.iter().collect();
        if names.len() != self.steps.len() {
            return None;
        }
        let all = self.steps.iter().zip(names).enumerate();
        all.into_iter()
            .try_fold(Values::default(), |known, (at, (step, name))| step.values(name.as_bytes(), at, &known))
    }

    /// Whether `path` is one of the pattern's.
    pub(crate) fn fits(&self, path: &Path) -> bool {
        self.values_of(path).is_some()
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    // A code may be empty, and no window is.
    text.windows(wanted.len().max(1)).position(|window| window == wanted)
}

fn find_last(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len().max(1)).rposition(|window| window == wanted)
}

impl Default for Pattern {
    fn default() -> Pattern {
        Pattern::usual(FilesBy::Stock, InputFormat::Parquet)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether `name` may stand for what a placeholder finds.
fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Takes `text` apart into what stands between braces, and the rest. A brace that begins no placeholder stands for itself.
pub(super) fn parts_of(text: &str) -> Vec<Result<&str, &str>> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(open) = text[at..].find('{').map(|found| at + found) {
        at = open + 1;
        let Some(close) = text[at..].find('}').map(|found| at + found) else { break };
        let name = &text[at..close];
        if name == ANYTHING || is_name(name) {
            parts.extend((start < open).then(|| Err(&text[start..open])));
            parts.push(Ok(name));
            (start, at) = (close + 1, close + 1);
        }
    }
    parts.extend((start < text.len()).then(|| Err(&text[start..])));
    parts
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Pattern, String> {
        let refuse = |why: &str| Err(format!("pattern {text:?} {why}; write it like {{code}}.parquet"));
        if text.starts_with('/') {
            return refuse("must be relative to the source directory");
        }
        let names: Vec<&str> = text.split('/').collect();
        if names.contains(&"") {
            return refuse("has an empty component");
        }
        if names.iter().any(|name| matches!(*name, "." | "..")) {
            return refuse("must not have . or .. as a component");
        }
        if text.contains('\0') {
            return refuse("has a zero byte");
        }
        let mut steps = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            let parts: Vec<Part> = parts_of(name)
                .into_iter()
                .map(|part| part.map_or_else(|text| Part::Text(text.to_owned()), |name| Part::Open(name.to_owned())))
                .collect();
            if parts.windows(2).any(|pair| matches!(pair, [Part::Open(_), Part::Open(_)])) {
                return refuse("has two placeholders with nothing between them");
            }
            let is_twice =
                |n: usize| matches!(&parts[n], Part::Open(name) if name != ANYTHING && parts[..n].contains(&parts[n]));
            if (0..parts.len()).any(is_twice) {
                return refuse("has a placeholder twice in one component");
            }
            let is_key = matches!(&parts[..], [Part::Text(key), Part::Open(_)] if key.len() > 1 && key.ends_with('='));
            let is_directory = at + 1 < names.len();
            steps.push(Step { parts, is_encoded: is_key && is_directory, is_directory });
        }
        let pattern = Pattern { text: text.to_owned(), steps };
        if !pattern.names().any(|name| [CODE, DATE, YEAR].contains(&name)) {
            return refuse("must have {code} in it");
        }
        Ok(pattern)
    }
}

as_text!(Pattern);
