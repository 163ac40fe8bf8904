//! What a user may decide about output files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The placeholder in a [`NamePattern`].
const PLACEHOLDER: &str = "{date}";

/// Where a date's file lies below the output directory, such as `trade_date={date}/data.parquet`.
///
/// Readers of folders take a directory `column=value` for a column. Where the date column's own name has `{date}` as its
/// value, the date is spelt as the column spells it (`2024-01-02` where that has no digits alone), and files do without
/// the column unless [`Shape::date`](crate::Shape::date) asks for it. Everywhere else it is `20240102`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamePattern {
    before: String,
    after: String,
}

impl NamePattern {
    /// The path of a file whose date is spelt like this.
    pub(crate) fn path(&self, date: &str) -> String {
        format!("{}{date}{}", self.before, self.after)
    }
}

impl FromStr for NamePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<NamePattern, String> {
        let wrong = |why: &str| Err(format!("{text:?}: {why}; write a relative path such as {{date}}.parquet"));
        let Some((before, after)) = text.split_once(PLACEHOLDER) else {
            return wrong("it does not contain {date}");
        };
        if after.contains(PLACEHOLDER) {
            return wrong("it contains {date} twice");
        }
        if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return wrong("it has an empty component, or . or ..");
        }
        if text.split('/').any(|part| part.starts_with(['.', '_'])) {
            return wrong("a component starts with a dot or an underscore, and readers of folders skip such files");
        }
        Ok(NamePattern { before: before.to_owned(), after: after.to_owned() })
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{PLACEHOLDER}{}", self.before, self.after)
    }
}

impl TryFrom<String> for NamePattern {
    type Error = String;

    fn try_from(text: String) -> Result<NamePattern, String> {
        text.parse()
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> String {
        pattern.to_string()
    }
}

/// File format of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Apache Parquet.
    #[default]
    Parquet,
    /// Apache Arrow IPC file, which is Feather version 2; always uncompressed.
    Arrow,
}

impl Format {
    /// The usual ending of file names.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
        }
    }

    /// `{date}` with the usual ending.
    pub fn default_name(self) -> NamePattern {
        NamePattern { before: String::new(), after: format!(".{}", self.extension()) }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        match text {
            "parquet" => Ok(Format::Parquet),
            "arrow" => Ok(Format::Arrow),
            _ => Err(format!("{text:?} is neither parquet nor arrow")),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

/// Compression of Parquet pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Compression {
    /// What pandas writes.
    #[default]
    Snappy,
    /// Zstandard, at a level from 1 to 22.
    Zstd(i32),
    /// LZ4 without its frame, Parquet's `LZ4_RAW`.
    Lz4,
    /// None.
    None,
}

impl FromStr for Compression {
    type Err = String;

    fn from_str(text: &str) -> Result<Compression, String> {
        match text {
            "snappy" => Ok(Compression::Snappy),
            "lz4" => Ok(Compression::Lz4),
            "none" => Ok(Compression::None),
            "zstd" => Ok(Compression::Zstd(1)),
            _ => text
                .strip_prefix("zstd:")
                .and_then(|level| level.parse().ok())
                .filter(|level| (1..=22).contains(level))
                .map(Compression::Zstd)
                .ok_or_else(|| format!("{text:?} is none of snappy, zstd, zstd:1 to zstd:22, lz4, none")),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Compression::Snappy => f.write_str("snappy"),
            Compression::Zstd(level) => write!(f, "zstd:{level}"),
            Compression::Lz4 => f.write_str("lz4"),
            Compression::None => f.write_str("none"),
        }
    }
}

impl TryFrom<String> for Compression {
    type Error = String;

    fn try_from(text: String) -> Result<Compression, String> {
        text.parse()
    }
}

impl From<Compression> for String {
    fn from(compression: Compression) -> String {
        compression.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_directory_are_refused() {
        for bad in [
            "x.parquet",
            "{date}{date}",
            "../{date}",
            "/{date}",
            "a//{date}",
            "{date}/",
            "./{date}",
            ".{date}",
            "_{date}",
            "_d={date}/x.parquet",
        ] {
            assert!(bad.parse::<NamePattern>().is_err(), "{bad}");
        }
        let name: NamePattern = "trade_date={date}/data.parquet".parse().unwrap();
        assert_eq!(name.path("20240102"), "trade_date=20240102/data.parquet");
        assert_eq!(name.to_string().parse(), Ok(name));
    }

    #[test]
    fn compressions_survive_the_round_trip() {
        for text in ["snappy", "zstd:1", "zstd:22", "lz4", "none"] {
            assert_eq!(text.parse::<Compression>().unwrap().to_string(), text);
        }
        for bad in ["zstd:0", "zstd:23", "gzip", "zstd:"] {
            assert!(bad.parse::<Compression>().is_err(), "{bad}");
        }
    }
}
