//! An input that is left out, and why.
//!
//! A reason is one line of text, which is also what a store keeps of it. Its [`Kind`] says which reasons are told
//! together; it is found in the text, so that what an older store has kept is grouped, too.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize, Serializer};

/// An input that is left out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Skipped {
    /// Its path relative to the source directory; control characters and bytes that are not UTF-8 are escaped.
    pub path: String,
    /// Why it is left out.
    pub reason: Reason,
}

impl Serialize for Skipped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'a> {
            path: &'a str,
            kind: Kind,
            reason: &'a str,
        }
        Told { path: &self.path, kind: self.reason.kind(), reason: &self.reason }.serialize(serializer)
    }
}

/// Why an input is left out: what is wrong with it, then the way out if there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Reason(String);

impl From<String> for Reason {
    /// A reason in these words, on one line: what a decoder says may have several.
    fn from(text: String) -> Reason {
        let lines: Vec<&str> = text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect();
        Reason(lines.join("; "))
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Reason {
        Reason::from(text.to_owned())
    }
}

impl Deref for Reason {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with an input, whatever its rows, values and names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// It has zero bytes.
    ZeroBytes,
    /// It is encrypted.
    Encrypted,
    /// It is cut off.
    Truncated,
    /// It is no Parquet file.
    NotParquet,
    /// It is a directory or a device.
    NotAFile,
    /// It changed while it was looked at.
    Changed,
    /// Its bytes contradict themselves or cannot be decoded.
    Damaged,
    /// It would take more memory than there is.
    TooLarge,
    /// Its name gives no code.
    NoCode,
    /// Its own codes are not that of its name.
    OtherCode,
    /// Its column of codes is no text.
    CodeType,
    /// No column is known to hold its dates.
    NoDateColumn,
    /// Several columns may hold its dates.
    SeveralDateColumns,
    /// Its dates have a time of day.
    TimeOfDay,
    /// The zone of its times is unknown.
    UnknownZone,
    /// Its date column is of a type that is no date.
    DateType,
    /// A date cannot be read, or not be held.
    BadDate,
    /// It has differing rows for one date.
    DifferingRows,
    /// Two of its columns have one name.
    TwinColumns,
    /// A column is of a type that a panel cannot hold.
    ColumnType,
    /// A column's type does not meet that of the other files.
    TypesDiffer,
    /// A value is not exact in the column's type.
    InexactValue,
    /// Its columns are not those of the store.
    OtherColumns,
    /// The system cannot open or read it.
    Unreadable,
    /// Something else.
    Other,
}

/// Each kind's words, as they stand in its reasons outside quotes; the first that fits counts.
const WORDS: [(Kind, &[&str]); 25] = [
    (Kind::ZeroBytes, &["has zero bytes"]),
    (Kind::Encrypted, &["encrypted"]),
    (Kind::Truncated, &["is truncated"]),
    (Kind::NotParquet, &["is not a Parquet file", "is neither a Parquet nor an Arrow file"]),
    (Kind::NotAFile, &["is a directory", "is not a regular file"]),
    (Kind::Changed, &["changed since", "changed while"]),
    (Kind::Damaged, &["is damaged", "does not match"]),
    (Kind::TooLarge, &["more than a quarter of --memory"]),
    (Kind::NoCode, &["gives no code", "nothing for the code", "has no code"]),
    (Kind::OtherCode, &["by the file's name"]),
    (Kind::CodeType, &["but a code is text"]),
    (Kind::NoDateColumn, &["has no date column", "has none of the date columns"]),
    (Kind::SeveralDateColumns, &["has several date columns"]),
    (Kind::TimeOfDay, &["has a time of day"]),
    (Kind::UnknownZone, &["which is unknown", "is no time zone"]),
    (Kind::DateType, &["its date column"]),
    (Kind::BadDate, &["is no date", "cannot hold the date"]),
    (Kind::DifferingRows, &["has differing rows", "has two rows for"]),
    (Kind::TwinColumns, &["has two columns named"]),
    (Kind::ColumnType, &["which a panel cannot hold", "which cannot be cast to", "columns within columns"]),
    (Kind::TypesDiffer, &["decides on one type", ", but "]),
    (Kind::InexactValue, &["has no exact value in", "cannot be read as", "cannot hold"]),
    (Kind::OtherColumns, &["which the store does not have", "lacks the column"]),
    (Kind::Unreadable, &["cannot be opened", "cannot be examined", "cannot be read"]),
    (Kind::Other, &[""]),
];

impl Reason {
    /// What kind of reason it is.
    pub fn kind(&self) -> Kind {
        let text = unquoted(&self.0);
        let fits = |words: &&(Kind, &[&str])| words.1.iter().any(|words| text.contains(words));
        WORDS.iter().find(fits).map_or(Kind::Other, |(kind, _)| *kind)
    }

    /// What tells it from others of its kind: the column that it is about, and the options that help.
    fn facts(&self) -> (Option<&str>, Option<&str>) {
        let column = self.0.split_once("column \"").and_then(|(_, rest)| rest.split('"').next());
        let options = self.0.find(" --").map(|at| &self.0[at..]);
        (column, options)
    }
}

/// `text` without what stands in quotes: names and values may say anything.
fn unquoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            '"' if !escaped => quoted = !quoted,
            c if !quoted => out.push(c),
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
    }
    out
}

/// Inputs with one kind of reason, told together.
#[derive(Debug)]
pub struct Group<'a> {
    /// How many there are.
    pub count: u64,
    /// The first.
    pub example: &'a Skipped,
}

impl fmt::Display for Group<'_> {
    /// `a.parquet: has zero bytes`, `3 inputs, such as a.parquet: has zero bytes`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Skipped { path, reason } = self.example;
        match self.count {
            1 => write!(f, "{path}: {reason}"),
            count => write!(f, "{count} inputs, such as {path}: {reason}"),
        }
    }
}

/// `skipped` by kind of reason, column and way out, the most usual first.
pub fn grouped(skipped: &[Skipped]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known = HashMap::new();
    for example in skipped {
        let key = (example.reason.kind(), example.reason.facts());
        let at = *known.entry(key).or_insert_with(|| {
            groups.push(Group { count: 0, example });
            groups.len() - 1
        });
        groups[at].count += 1;
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(path: &str, reason: &str) -> Skipped {
        Skipped { path: path.to_owned(), reason: reason.into() }
    }

    #[test]
    fn reasons_of_one_kind_are_told_once_whatever_their_rows_and_values() {
        let time = |row, time| format!("row {row} of \"date\": 2024-01-0{row}T{time} has a time of day; intraday");
        let all = [
            skipped("Z", "has zero bytes"),
            skipped("A", &time(1, "09:30:00")),
            skipped("B", &time(2, "15:00:00")),
            skipped("C", "its column \"x\" is Utf8, but Float64 in 2 files; --cast 'x=Float64' decides on one type"),
            skipped("D", "its column \"y\" is Utf8, but Float64 in 2 files; --cast 'y=Float64' decides on one type"),
        ];
        let told: Vec<String> = grouped(&all).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "2 inputs, such as A: row 1 of \"date\": 2024-01-01T09:30:00 has a time of day; intraday",
                "Z: has zero bytes",
                "C: its column \"x\" is Utf8, but Float64 in 2 files; --cast 'x=Float64' decides on one type",
                "D: its column \"y\" is Utf8, but Float64 in 2 files; --cast 'y=Float64' decides on one type",
            ]
        );
    }

    #[test]
    fn names_and_values_do_not_decide_on_the_kind() {
        let kind = |text: &str| Reason::from(text).kind();
        assert_eq!(kind("row 1 of \"is encrypted\": \"has \\\"zero bytes\" is no date; x"), Kind::BadDate);
        assert_eq!(kind("is encrypted, and truncated"), Kind::Encrypted);
        assert_eq!(kind("is something that nobody knows"), Kind::Other);
    }

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(&*Reason::from("Parquet error: bad\n\n  at page 3\r\n"), "Parquet error: bad; at page 3");
    }

    #[test]
    fn json_has_the_kind() {
        let json = serde_json::to_string(&skipped("a.parquet", "has zero bytes")).unwrap();
        assert_eq!(json, r#"{"path":"a.parquet","kind":"zero-bytes","reason":"has zero bytes"}"#);
    }
}
