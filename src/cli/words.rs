//! What single words of the command line mean: lists of stocks and columns, one of a few.

use std::fmt::Display;
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::hint::nearest;
use crate::{Assignment, Date, Guard, list};
use anyhow::{anyhow, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// Codes or dates that were named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed<T> {
    /// On the command line.
    Here(Vec<T>),
    /// In a file.
    File(PathBuf),
}

/// That a file has no list that can be read.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct NoList {
    /// What is wrong, and the way out.
    what: String,
    /// The file.
    pub path: PathBuf,
}

/// The most names that a list may have, and the most bytes.
const MOST_NAMES: usize = 1_000_000;
const LONGEST_LIST: u64 = 16 << 20;

impl<T: FromStr> FromStr for Listed<T>
where
    T::Err: Display,
{
    type Err = String;

    fn from_str(text: &str) -> Result<Listed<T>, String> {
        if let Some(path) = text.strip_prefix('@') {
            return if path.is_empty() { Err("no file follows the @".to_owned()) } else { Ok(Self::File(path.into())) };
        }
        let parse = |name: &str| match name {
            "" => Err("a name is empty".to_owned()),
            name => name.parse().map_err(|why: T::Err| why.to_string()),
        };
        text.split(',').map(parse).collect::<Result<_, _>>().map(Listed::Here)
    }
}

impl<T: FromStr + Clone> Listed<T>
where
    T::Err: Display,
{
    /// All of them, which `option` names, each `noun` of a file on a line of its own. Blank lines do not count, nor does what
    /// follows a # at the beginning of a line or after a blank.
    pub fn read(&self, option: &str, noun: &str) -> anyhow::Result<Vec<T>> {
        match self {
            Listed::Here(names) => Ok(names.clone()),
            Listed::File(path) => lines_of(path, noun).map_err(|why| {
                let what = format!("{option} @{}: {why:#}", path.display());
                NoList { what, path: path.clone() }.into()
            }),
        }
    }
}

/// What stands in the file at `path`, each `noun` on a line of its own.
fn lines_of<T: FromStr>(path: &Path, noun: &str) -> anyhow::Result<Vec<T>>
where
    T::Err: Display,
{
    let otherwise = || format!("name a file with one {noun} per line");
    let unreadable = |why: std::io::Error| anyhow!("it cannot be read: {why}; {}", otherwise());
    // Before it is opened: some things that are no files wait for a writer, or never end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        bail!("it is no regular file; {}", otherwise());
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(LONGEST_LIST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST_LIST {
        bail!("it has more than {} MiB; {}", LONGEST_LIST >> 20, otherwise());
    }
    let Ok(text) = String::from_utf8(bytes) else { bail!("it is no text; {}", otherwise()) };
    let mut names = Vec::new();
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let end = line.match_indices('#').map(|(at, _)| at);
        let end = end.into_iter().find(|&at| line[..at].chars().next_back().is_none_or(char::is_whitespace));
        let name = line[..end.unwrap_or(line.len())].trim();
        if names.len() == MOST_NAMES {
            bail!("it has more than {MOST_NAMES} lines; name fewer {noun}s, or all by naming none");
        }
        if !name.is_empty() {
            let at = at + 1;
            names.push(name.parse().map_err(|why| anyhow!("line {at}: {why}"))?);
        }
    }
    if names.is_empty() {
        bail!("it names no {noun}; write one per line");
    }
    Ok(names)
}

/// Names of columns, as a [list].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(Vec<String>);

impl Names {
    /// All names of an option that may be given several times.
    pub fn all(lists: &[Names]) -> Vec<String> {
        lists.iter().flat_map(|list| &list.0).cloned().collect()
    }
}

impl std::str::FromStr for Names {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Names, Self::Err> {
        Ok(Names(list::values(text)))
    }
}

/// What is to be changed of which source, as in `prices.exclude+=volume`.
#[derive(Debug, Clone, PartialEq)]
pub struct Assigned {
    /// The source's name.
    pub source: String,
    pub assignment: Assignment,
}

impl std::str::FromStr for Assigned {
    type Err = String;

    fn from_str(text: &str) -> Result<Assigned, String> {
        // Names of sources may have dots.
        let is_option = |rest: &str| {
            let behind = Assignment::NAMES.iter().filter_map(|name| rest.strip_prefix(name));
            behind.into_iter().any(|behind| ["=", "+=", "-="].iter().any(|how| behind.starts_with(how)))
        };
        let dots = text.match_indices('.').map(|(at, _)| at);
        match dots.into_iter().find(|&at| at > 0 && is_option(&text[at + 1..])) {
            Some(at) => Ok(Assigned { source: text[..at].to_owned(), assignment: text[at + 1..].parse()? }),
            None => Err(format!("{text:?} is not NAME.OPTION=VALUE, such as prices.exclude+=volume; {}", meant(text))),
        }
    }
}

/// The option that may be meant by what stands before the `=`, or all of them.
fn meant(text: &str) -> String {
    let name = text.split_once('=').map(|(left, _)| left.trim_end_matches(['+', '-']));
    let name = name.map_or("", |left| left.rsplit_once('.').map_or(left, |(_, name)| name));
    match nearest(name, Assignment::NAMES.iter().copied()).first() {
        Some(near) => format!("did you mean {near}?"),
        None => format!("the options are {}", Assignment::NAMES.join(", ")),
    }
}

/// The date that an update is to bring: `today` is this machine's.
pub fn expected(text: &str) -> Result<Date, String> {
    match text {
        "today" => chrono::Local::now().format("%Y%m%d").to_string().parse(),
        text => text.parse().map_err(|why| format!("{why}; or write today")),
    }
}

/// One of a few words that `T` reads; help and completions list them.
pub fn one_of<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: std::str::FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>().map_err(WordError))
}

/// The word of a guard.
pub fn guard() -> impl TypedValueParser<Value = Guard> {
    PossibleValuesParser::new(Guard::ALL.map(Guard::word)).try_map(|word| word.parse::<Guard>().map_err(WordError))
}

/// What `FromStr` says, as the error that clap asks for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WordError(String);

/// A whole number of these.
pub fn number<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text: &str| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| match (range.start(), range.end()) {
            (0, &u64::MAX) => "it is no whole number".to_owned(),
            (least, most) => format!("it is no whole number from {least} to {most}"),
        })
    }
}

/// A number from 1 to the 32 bits that a store counts in.
pub fn at_least_one<T: TryFrom<u64>>() -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    number(1..=u32::MAX.into())
}

/// Any number, such as that of a version.
pub fn any<T: TryFrom<u64>>() -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    number(0..=u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_of_a_source_stands_behind_its_name() {
        let source = |text: &str| text.parse::<Assigned>().map(|assigned| assigned.source);
        assert_eq!(source("prices.exclude+=a.path=b"), Ok("prices".to_owned()));
        assert_eq!(source("a.b.path=c"), Ok("a.b".to_owned()));
        for bad in ["prices", ".path=x", "prices.path", "prices.exclude", "prices.key=time"] {
            assert!(source(bad).unwrap_err().contains("is not NAME.OPTION=VALUE"), "{bad}");
        }
        assert!(source("prices.epoch+=s").unwrap_err().contains("no list"));
        for (slip, meant) in
            [("a.b.pth=x", "path"), ("prices.exclud+=x", "exclude"), ("prices.date-colum=x", "date-column")]
        {
            assert!(source(slip).unwrap_err().ends_with(&format!("; did you mean {meant}?")), "{slip}");
        }
        assert!(source("prices.key=x").unwrap_err().contains("; the options are path, "));
    }

    #[test]
    fn names_are_a_list_or_a_file() {
        assert_eq!("A,B".parse(), Ok(Listed::Here(vec!["A".to_owned(), "B".to_owned()])));
        assert_eq!("@x/y.txt".parse::<Listed<String>>(), Ok(Listed::File("x/y.txt".into())));
        for bad in ["", "A,,B", "@"] {
            assert!(bad.parse::<Listed<String>>().is_err(), "{bad}");
        }
        let dates = "20240102,2024-01-03".parse::<Listed<crate::Date>>();
        assert!(matches!(dates, Ok(Listed::Here(dates)) if dates.len() == 2));
        assert!("20240102,x".parse::<Listed<crate::Date>>().unwrap_err().contains("is no date"));
    }

    #[test]
    fn a_list_in_a_file_may_have_comments() {
        let dir = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            let path = dir.path().join("list.txt");
            std::fs::write(&path, text).unwrap();
            Listed::<String>::File(path).read("--stocks", "code").map_err(|error| error.to_string())
        };
        let text = "\u{feff}# index members\n000001.SZ  # a bank\n\n C#1 \t# sharp\r\n\t#\n";
        assert_eq!(read(text).unwrap(), ["000001.SZ", "C#1"]);
        assert!(read("# none\n").unwrap_err().ends_with("list.txt: it names no code; write one per line"));
        let path = dir.path().join("dates.txt");
        std::fs::write(&path, "20240102\n20249999\n").unwrap();
        let why = Listed::<crate::Date>::File(path).read("--dates", "date").unwrap_err().to_string();
        assert!(why.contains(": line 2: ") && why.contains("\"20249999\" is no date"), "{why}");
    }
}
