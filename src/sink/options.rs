//! What a user may decide about output files.

use crate::as_text::as_text;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{NamePattern, Partition};

/// File format of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Apache Parquet.
    #[default]
    Parquet,
    /// Apache Arrow IPC file, which is Feather version 2; always uncompressed.
    Arrow,
    /// Comma-separated values with a header, in UTF-8. Numbers are written so that they are read back the same; a null and
    /// an empty text are both an empty field, and NaN has no payload.
    Csv,
}

impl Format {
    /// The usual ending of file names.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
            Format::Csv => "csv",
        }
    }

    /// All endings that say of a file that it has this format.
    pub(crate) fn endings(self) -> &'static [&'static str] {
        match self {
            Format::Parquet => &["parquet", "pq"],
            Format::Arrow => &["arrow", "feather", "ipc"],
            Format::Csv => &["csv"],
        }
    }

    /// `{date}` with the usual ending, or what else tells files of this kind apart.
    pub fn default_name(self, by: Partition) -> NamePattern {
        NamePattern::usual(by, self.extension())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        match text {
            "parquet" => Ok(Format::Parquet),
            "arrow" => Ok(Format::Arrow),
            "csv" => Ok(Format::Csv),
            _ => Err(format!("{text:?} is none of parquet, arrow, csv")),
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

as_text!(Compression);

#[cfg(test)]
mod tests {
    use super::*;

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
