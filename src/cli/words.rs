//! What single words of the command line mean: lists of stocks and columns, one of a few.

use std::path::PathBuf;

use crate::{Assignment, Date, Guard};
use clap::builder::{PossibleValuesParser, RangedU64ValueParser, TypedValueParser};

/// Which stocks were named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StocksArg {
    /// On the command line.
    List(Vec<String>),
    /// In a file.
    File(PathBuf),
}

impl std::str::FromStr for StocksArg {
    type Err = String;

    fn from_str(text: &str) -> Result<StocksArg, String> {
        if let Some(path) = text.strip_prefix('@') {
            return if path.is_empty() { Err("no file follows the @".to_owned()) } else { Ok(Self::File(path.into())) };
        }
        let codes: Vec<String> = text.split(',').map(str::to_owned).collect();
        if codes.iter().any(String::is_empty) { Err("a code is empty".to_owned()) } else { Ok(Self::List(codes)) }
    }
}

/// Names of columns, divided by commas; a comma in a name is written `\,`.
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
        let mut names = vec![String::new()];
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            let name = names.last_mut();
            match (c, name) {
                (',', _) => names.push(String::new()),
                ('\\', Some(name)) if rest.next_if_eq(&',').is_some() => name.push(','),
                (c, Some(name)) => name.push(c),
                (_, None) => {}
            }
        }
        Ok(Names(names))
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
            None => Err(format!(
                "{text:?} is not NAME.OPTION=VALUE, such as prices.exclude+=volume; the options are {}",
                Assignment::NAMES.join(", ")
            )),
        }
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

/// A number from 1 to the 32 bits that a store counts in.
pub fn at_least_one<T: TryFrom<u64> + Clone + Send + Sync + 'static>() -> RangedU64ValueParser<T>
where
    <T as TryFrom<u64>>::Error: Send + Sync + 'static + std::error::Error,
{
    RangedU64ValueParser::new().range(1..=u32::MAX.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_a_name_stands_behind_a_backslash() {
        let names = |text: &str| text.parse::<Names>().unwrap().0;
        assert_eq!(names("a,b"), ["a", "b"]);
        assert_eq!(names("a\\,b,c"), ["a,b", "c"]);
        assert_eq!(names("a\\b\\"), ["a\\b\\"]);
        assert_eq!(names(""), [""]);
    }

    #[test]
    fn an_option_of_a_source_stands_behind_its_name() {
        let source = |text: &str| text.parse::<Assigned>().map(|assigned| assigned.source);
        assert_eq!(source("prices.exclude+=a.path=b"), Ok("prices".to_owned()));
        assert_eq!(source("a.b.path=c"), Ok("a.b".to_owned()));
        for bad in ["prices", ".path=x", "prices.path", "prices.exclude", "prices.key=time"] {
            assert!(source(bad).unwrap_err().contains("is not NAME.OPTION=VALUE"), "{bad}");
        }
        assert!(source("prices.epoch+=s").unwrap_err().contains("no list"));
    }

    #[test]
    fn stocks_are_a_list_or_a_file() {
        assert_eq!("A,B".parse(), Ok(StocksArg::List(vec!["A".into(), "B".into()])));
        assert_eq!("@x/y.txt".parse(), Ok(StocksArg::File("x/y.txt".into())));
        for bad in ["", "A,,B", "@"] {
            assert!(bad.parse::<StocksArg>().is_err(), "{bad}");
        }
    }
}
