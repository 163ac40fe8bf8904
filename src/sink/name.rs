//! Where the files of an output lie, as a path with words in braces.

use std::fmt::{self, Write};
use std::str::FromStr;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Partition;
use crate::as_text::as_text;
use crate::key::{Date, Within, push_escaped};

/// Where each file lies below the output directory: a relative path with words in braces, such as
/// `trade_date={date}/data.parquet`, `year={year}/month={month}/{date}.parquet` or `{code}.parquet`.
///
/// Which words there are depends on what a file is of, see [`Partition`]: `{date}`, `{year}`, `{month}` and `{day}`, of
/// which those count that the period has, or `{code}`. `{date:%Y-%m-%d}` spells a date, or the first day of a period, by
/// a strftime format. What the name of a file cannot hold of a code is percent-encoded: `BTC/USDT` is `BTC%2FUSDT`; in
/// that of a directory also an equals sign: `GC=F` is `GC%3DF`; and as the value of a directory `column=value` what Hive
/// and Spark encode.
///
/// Readers of folders take a directory `column=value` for a column. Where the date column's own name has `{date}` as its
/// value, the date is spelt as the column spells it (`2024-01-02` where that has no digits alone), and files do without
/// the column unless [`Shape::date`](crate::Shape::date) asks for it. Everywhere else it is `20240102`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamePattern {
    text: String,
    /// The name of each directory, then the file's.
    steps: Vec<Vec<Part>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Word(Word),
}

/// A word in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Date,
    /// By a strftime format.
    Format(String),
    Year,
    Month,
    Day,
    Code,
    Column,
}

/// What the words of a name stand for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Named<'a> {
    /// A date or a period, by its first day, and how `{date}` spells it.
    Days(Date, &'a str),
    /// The stock with this code, or the column of this name.
    Text(&'a str),
    Nothing,
}

impl NamePattern {
    /// The usual name of files of this kind, with an ending.
    pub(crate) fn usual(by: Partition, extension: &str) -> NamePattern {
        let word = match by {
            Partition::All => Part::Text("all".to_owned()),
            Partition::Stock => Part::Word(Word::Code),
            Partition::Matrix => Part::Word(Word::Column),
            _ => Part::Word(Word::Date),
        };
        let text = match &word {
            Part::Text(text) => format!("{text}.{extension}"),
            Part::Word(word) => format!("{{{}}}.{extension}", word.name()),
        };
        NamePattern { text, steps: vec![vec![word, Part::Text(format!(".{extension}"))]] }
    }

    /// Why files of this kind cannot be called so, and what helps; `None` where they can.
    pub(crate) fn trouble(&self, by: Partition) -> Option<(String, String)> {
        let words: Vec<&str> = self.words().map(Word::name).collect();
        let braced = |word: &str| format!("{{{word}}}");
        let known: Vec<String> = by.words().iter().copied().map(braced).collect();
        let [one, several] = by.nouns();
        if let Some(other) = words.iter().find(|word| !by.words().contains(word)) {
            let way_out = match known.is_empty() {
                true => "leave it out".to_owned(),
                false => format!("write {}", known.join(", ")),
            };
            return Some((format!("has {{{other}}}, which says nothing of a file of a {one}"), way_out));
        }
        let has = |word: &str| words.contains(&word);
        let tells = match by {
            Partition::Date => has("date") || (has("year") && has("month") && has("day")),
            Partition::Month => has("date") || (has("year") && has("month")),
            Partition::Year => has("date") || has("year"),
            Partition::All => true,
            Partition::Stock => has("code"),
            Partition::Matrix => has("column"),
        };
        let way_out = || format!("write {}, which tells each {one}", known.first().cloned().unwrap_or_default());
        (!tells).then(|| (format!("makes one file of several {several}"), way_out()))
    }

    /// What follows the last dot, where that is the same for all files.
    pub(crate) fn ending(&self) -> Option<String> {
        let Some(Part::Text(last)) = self.steps.last()?.last() else { return None };
        last.rsplit_once('.').map(|(_, ending)| ending.to_lowercase())
    }

    /// The path of a file.
    pub(crate) fn path(&self, named: Named<'_>) -> String {
        let mut path = String::new();
        for (at, step) in self.steps.iter().enumerate() {
            path.push_str(if at > 0 { "/" } else { "" });
            for part in step {
                match part {
                    Part::Text(text) => path.push_str(text),
                    Part::Word(word) => word.put(named, &self.places_of(part, at), &mut path),
                }
            }
        }
        path
    }

    /// The places of a word that are written as in step `at`: all of them, as to who reads them by a pattern they are the
    /// same; but the value of a directory is decoded as a value, if it is not the first that such a reader finds.
    fn places_of(&self, word: &Part, at: usize) -> Vec<Within> {
        let within = |step: usize, is_start: bool| match () {
            () if self.is_value(step) => Within::Value,
            () if step + 1 < self.steps.len() => Within::Directory { is_start },
            () => Within::File { is_start },
        };
        let all = self.steps.iter().enumerate().flat_map(|(step, parts)| {
            let own = parts.iter().enumerate().filter(|(_, part)| *part == word);
            own.map(move |(place, _)| within(step, place == 0))
        });
        let all: Vec<Within> = all.collect();
        match all.first() {
            Some(Within::Value) => all,
            _ if self.is_value(at) => vec![Within::Value],
            _ => all.into_iter().filter(|within| *within != Within::Value).collect(),
        }
    }

    /// Whether a word is all the value of directory `at`, which readers then decode, as `build` does.
    fn is_value(&self, at: usize) -> bool {
        let is_key = |key: &str| key.len() > 1 && key.ends_with('=');
        at + 1 < self.steps.len() && matches!(&self.steps[at][..], [Part::Text(key), Part::Word(_)] if is_key(key))
    }

    /// The directories that readers take for columns: the name of each, and whether its value is the date, or the code,
    /// and nothing else.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (&str, Carried)> {
        let dirs = &self.steps[..self.steps.len() - 1];
        dirs.iter().filter_map(|step| {
            let Some(Part::Text(text)) = step.first() else { return None };
            let (name, rest) = text.split_once('=')?;
            Some((
                name,
                match step.get(1) {
                    Some(Part::Word(word)) if rest.is_empty() && step.len() == 2 => match word {
                        Word::Date | Word::Format(_) => Carried::Date,
                        Word::Code => Carried::Code,
                        _ => Carried::Other,
                    },
                    _ => Carried::Other,
                },
            ))
        })
    }

    /// Whether a directory of it stands for the column `name` by this value, to all readers: some tell `DATE` from
    /// `date`.
    pub(crate) fn carries(&self, name: &str, value: Carried) -> bool {
        self.columns().any(|(column, of)| of == value && column == name)
    }

    fn words(&self) -> impl Iterator<Item = &Word> {
        self.steps.iter().flatten().filter_map(|part| match part {
            Part::Word(word) => Some(word),
            Part::Text(_) => None,
        })
    }
}

/// What a directory's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    Date,
    Code,
    Other,
}

impl Word {
    fn parse(text: &str) -> Result<Word, String> {
        match text.split_once(':') {
            Some(("date", format)) => {
                let mut spelt = String::new();
                // As the format of a day, which has no time.
                let can = NaiveDate::default();
                if write!(spelt, "{}", can.format(format)).is_err() || spelt.is_empty() {
                    return Err(format!("{format:?} is no strftime format of a date"));
                }
                if spelt.contains(['/', '{', '}']) || spelt.contains(char::is_control) {
                    return Err(format!("{format:?} makes {spelt:?}, which is no part of a name"));
                }
                Ok(Word::Format(format.to_owned()))
            }
            Some((word, _)) => Err(format!("{{{word}}} has no format, {{date:%Y-%m-%d}} has")),
            None => match text {
                "date" => Ok(Word::Date),
                "year" => Ok(Word::Year),
                "month" => Ok(Word::Month),
                "day" => Ok(Word::Day),
                "code" => Ok(Word::Code),
                "column" => Ok(Word::Column),
                other => Err(format!(
                    "{{{other}}} is no word; there are {{date}}, {{year}}, {{month}}, {{day}}, {{code}}, {{column}}"
                )),
            },
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Word::Date | Word::Format(_) => "date",
            Word::Year => "year",
            Word::Month => "month",
            Word::Day => "day",
            Word::Code => "code",
            Word::Column => "column",
        }
    }

    fn put(&self, named: Named<'_>, within: &[Within], path: &mut String) {
        // A name never is of something else: `trouble` was asked before.
        let _ = match (self, named) {
            (Word::Code | Word::Column, Named::Text(text)) => return push_escaped(text, within, path),
            (Word::Date, Named::Days(_, spelt)) => path.write_str(spelt),
            (Word::Format(format), Named::Days(date, _)) => {
                let (year, month, day) = date.ymd();
                let day = NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default();
                write!(path, "{}", day.format(format))
            }
            (Word::Year, Named::Days(date, _)) => write!(path, "{:04}", date.ymd().0),
            (Word::Month, Named::Days(date, _)) => write!(path, "{:02}", date.ymd().1),
            (Word::Day, Named::Days(date, _)) => write!(path, "{:02}", date.ymd().2),
            _ => Ok(()),
        };
    }
}

impl FromStr for NamePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<NamePattern, String> {
        let wrong = |why: String| Err(format!("{text:?}: {why}; write a relative path such as {{date}}.parquet"));
        let mut steps = vec![Vec::new()];
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}', '/']) {
            let (before, from) = rest.split_at(at);
            let step = steps.last_mut();
            if let (Some(step), false) = (step, before.is_empty()) {
                step.push(Part::Text(before.to_owned()));
            }
            rest = &from[1..];
            match from.as_bytes()[0] {
                b'/' => steps.push(Vec::new()),
                b'}' => return wrong("a brace is closed that was not opened".to_owned()),
                _ => {
                    let Some((word, behind)) = rest.split_once('}') else {
                        return wrong("a brace is not closed".to_owned());
                    };
                    match (Word::parse(word), steps.last_mut()) {
                        (Ok(word), Some(step)) => step.push(Part::Word(word)),
                        (Ok(_), None) => {}
                        (Err(why), _) => return wrong(why),
                    }
                    rest = behind;
                }
            }
        }
        if let (Some(step), false) = (steps.last_mut(), rest.is_empty()) {
            step.push(Part::Text(rest.to_owned()));
        }
        let begins = |step: &Vec<Part>| match step.first() {
            Some(Part::Text(text)) => text.starts_with(['.', '_']),
            _ => false,
        };
        let is_dots =
            |step: &Vec<Part>| matches!(step.as_slice(), [Part::Text(text)] if matches!(text.as_str(), "." | ".."));
        if steps.iter().any(|step| step.is_empty() || is_dots(step)) {
            return wrong("it has an empty component, or . or ..".to_owned());
        }
        if steps.iter().any(begins) {
            let why = "a component starts with a dot or an underscore, and readers of folders skip such files";
            return wrong(why.to_owned());
        }
        Ok(NamePattern { text: text.to_owned(), steps })
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

as_text!(NamePattern);

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> NamePattern {
        text.parse().unwrap()
    }

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn names_that_leave_the_directory_or_say_nothing_are_refused() {
        for (bad, why) in [
            ("../{date}", "it has an empty component, or . or .."),
            ("/{date}", "it has an empty component, or . or .."),
            ("a//{date}", "it has an empty component, or . or .."),
            ("{date}/", "it has an empty component, or . or .."),
            ("./{date}", "it has an empty component, or . or .."),
            ("", "it has an empty component, or . or .."),
            (".{date}", "a component starts with a dot or an underscore, and readers of folders skip such files"),
            (
                "_d={date}/x.parquet",
                "a component starts with a dot or an underscore, and readers of folders skip such files",
            ),
            ("{dates}.parquet", "{dates} is no word; there are {date}, {year}, {month}, {day}, {code}, {column}"),
            ("{}.parquet", "{} is no word; there are {date}, {year}, {month}, {day}, {code}, {column}"),
            ("{date", "a brace is not closed"),
            ("date}", "a brace is closed that was not opened"),
            ("{date:%H}", "\"%H\" is no strftime format of a date"),
            ("{date:}", "\"\" is no strftime format of a date"),
            ("{date:%Y/%m}", "\"%Y/%m\" makes \"1970/01\", which is no part of a name"),
            ("{year:%Y}", "{year} has no format, {date:%Y-%m-%d} has"),
        ] {
            let expected = format!("{bad:?}: {why}; write a relative path such as {{date}}.parquet");
            assert_eq!(bad.parse::<NamePattern>().unwrap_err(), expected);
        }
    }

    #[test]
    fn a_name_must_tell_files_apart_and_have_words_of_theirs() {
        let one_of_two = |several: &str, word: &str, one: &str| {
            Some((format!("makes one file of several {several}"), format!("write {word}, which tells each {one}")))
        };
        let nothing = |word: &str, one: &str, words: &str| {
            Some((format!("has {word}, which says nothing of a file of a {one}"), words.to_owned()))
        };
        for (text, by, trouble) in [
            ("{date}", Partition::Date, None),
            ("y={year}/{month}{day}", Partition::Date, None),
            ("{date:%d%m%y}", Partition::Date, None),
            ("{year}{month}", Partition::Date, one_of_two("dates", "{date}", "date")),
            ("x", Partition::Date, one_of_two("dates", "{date}", "date")),
            ("{year}{month}", Partition::Month, None),
            ("{month}", Partition::Month, one_of_two("months", "{date}", "month")),
            ("{year}", Partition::Year, None),
            ("x", Partition::All, None),
            ("x.parquet", Partition::Stock, one_of_two("stocks", "{code}", "stock")),
            ("{code}.{code}", Partition::Stock, None),
            ("{code}", Partition::Date, nothing("{code}", "date", "write {date}, {year}, {month}, {day}")),
            ("{day}{date}", Partition::Month, nothing("{day}", "month", "write {date}, {year}, {month}")),
            ("{date}", Partition::All, nothing("{date}", "panel", "leave it out")),
            ("{code}{year}", Partition::Stock, nothing("{year}", "stock", "write {code}")),
            ("{column}.csv", Partition::Matrix, None),
            ("x.csv", Partition::Matrix, one_of_two("columns", "{column}", "column")),
        ] {
            assert_eq!(pattern(text).trouble(by), trouble, "{text}");
        }
    }

    #[test]
    fn words_stand_for_what_the_file_is_of() {
        let named = Named::Days(day("20240102"), "20240102");
        for (text, path) in [
            ("trade_date={date}/data.parquet", "trade_date=20240102/data.parquet"),
            ("year={year}/month={month}/{date}.parquet", "year=2024/month=01/20240102.parquet"),
            ("{date:%Y-%m-%d}.{day}", "2024-01-02.02"),
            ("{date:%d %b %Y}", "02 Jan 2024"),
        ] {
            assert_eq!(pattern(text).path(named), path);
            assert_eq!(pattern(text).to_string().parse(), Ok(pattern(text)));
        }
        assert_eq!(pattern("{date}.{year}").path(Named::Days(day("20240101"), "202401")), "202401.2024");
        assert_eq!(pattern("x/all.csv").path(Named::Nothing), "x/all.csv");
    }

    #[test]
    fn what_a_name_cannot_hold_of_a_code_is_escaped() {
        for (code, path) in [
            ("000001.SZ", "000001.SZ.parquet"),
            ("BTC/USDT", "BTC%2FUSDT.parquet"),
            ("100%", "100%25.parquet"),
            ("BTC%2FUSDT", "BTC%252FUSDT.parquet"),
            ("..", "%2E..parquet"),
            ("_X", "%5FX.parquet"),
            ("~$X", "%7E$X.parquet"),
            ("a\n\0", "a%0A%00.parquet"),
            ("平安 银行", "平安 银行.parquet"),
            ("BRK.B", "BRK.B.parquet"),
        ] {
            assert_eq!(pattern("{code}.parquet").path(Named::Text(code)), path);
        }
        assert_eq!(pattern("c={code}/x").path(Named::Text("_.")), "c=_./x");
    }

    #[test]
    fn what_is_special_in_directories_is_escaped_there() {
        let special = r##""#%'*/:=?\{[]^"##;
        let escaped = "%22%23%25%27%2A%2F%3A%3D%3F%5C%7B%5B%5D%5E";
        for (name, code, path) in [
            ("c={code}/x", special, format!("c={escaped}/x")),
            ("c={code}/x", "\t\u{7f}", "c=%09%7F/x".to_owned()),
            ("c={code}/x", "BRK.B }平_$", "c=BRK.B }平_$/x".to_owned()),
            ("m={column}/x", "a=b", "m=a%3Db/x".to_owned()),
            // Whatever is in another name does not make it a column of readers, nor its value another.
            ("{code}/c=x", "GC=F:", "GC%3DF:/c=x".to_owned()),
            ("a{code}/{code}", ".a=", "a%2Ea%3D/%2Ea%3D".to_owned()),
            ("c={code}/{code}.x", "_a:b?", "c=%5Fa%3Ab%3F/%5Fa%3Ab%3F.x".to_owned()),
            ("{code}/c={code}/x", "a:b=", "a:b%3D/c=a%3Ab%3D/x".to_owned()),
            ("={code}/x", "GC=F", "=GC%3DF/x".to_owned()),
            ("c={code}.x/x", "GC=F", "c=GC%3DF.x/x".to_owned()),
            // A file is no column of anybody.
            ("c={code}", "GC=F", "c=GC=F".to_owned()),
        ] {
            assert_eq!(pattern(name).path(Named::Text(code)), path, "{name}");
        }
    }
}
