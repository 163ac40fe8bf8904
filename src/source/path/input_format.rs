//! The format of a source's files.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The format of a source's files, of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputFormat {
    /// Parquet.
    #[default]
    Parquet,
    /// Arrow IPC, as a file or as a stream: Feather of version 2.
    Arrow,
    /// Text with a line of names and fields between commas.
    Csv,
}

impl InputFormat {
    /// All of them, the usual one first.
    pub(in crate::source) const ALL: [InputFormat; 3] = [InputFormat::Parquet, InputFormat::Arrow, InputFormat::Csv];

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(in crate::source) fn is_usual(&self) -> bool {
        *self == InputFormat::Parquet
    }

    /// The endings of names that mean it, the usual one first.
    fn endings(self) -> &'static [&'static str] {
        match self {
            InputFormat::Parquet => &["parquet", "parq", "pq"],
            InputFormat::Arrow => &["arrow", "feather", "ipc", "arrows"],
            InputFormat::Csv => &["csv"],
        }
    }

    /// The ending that its files mostly have.
    pub(in crate::source) fn usual_ending(self) -> &'static str {
        self.endings()[0]
    }

    /// The ending of a name that means it, in any case.
    pub(in crate::source) fn ending_of(self, name: &OsStr) -> Option<&str> {
        let ending = Path::new(name).extension()?.to_str()?;
        self.endings().contains(&ending.to_ascii_lowercase().as_str()).then_some(ending)
    }

    /// The ending of a name that means one of them.
    pub(in crate::source) fn any_ending(name: &OsStr) -> Option<&str> {
        InputFormat::ALL.into_iter().find_map(|format| format.ending_of(name))
    }

    /// Whether a name says that there are rows of it in there, packed or set aside or not.
    pub(in crate::source) fn is_told_by(self, name: &OsStr) -> bool {
        let is_within = || name.to_string_lossy().to_ascii_lowercase().contains(&format!(".{}", self.usual_ending()));
        self.ending_of(name).is_some() || is_within()
    }

    /// What its files are called in a sentence, before `file`.
    pub(in crate::source) fn noun(self) -> &'static str {
        match self {
            InputFormat::Parquet => "Parquet",
            InputFormat::Arrow => "Arrow",
            InputFormat::Csv => "csv",
        }
    }
}

impl fmt::Display for InputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InputFormat::Parquet => "parquet",
            InputFormat::Arrow => "arrow",
            InputFormat::Csv => "csv",
        })
    }
}

impl FromStr for InputFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<InputFormat, String> {
        let found = InputFormat::ALL.into_iter().find(|format| format.to_string() == text);
        found.ok_or_else(|| format!("{text:?} is none of parquet, arrow, csv"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_mean_a_format_in_any_case() {
        let of = |name: &str| InputFormat::ALL.into_iter().find(|format| format.ending_of(OsStr::new(name)).is_some());
        for (name, format) in [
            ("A.parquet", Some(InputFormat::Parquet)),
            ("A.PQ", Some(InputFormat::Parquet)),
            ("A.b.Feather", Some(InputFormat::Arrow)),
            ("A.arrow", Some(InputFormat::Arrow)),
            ("A.csv", Some(InputFormat::Csv)),
            ("A.csv.gz", None),
            ("csv", None),
        ] {
            assert_eq!(of(name), format, "{name}");
        }
        assert!(InputFormat::Csv.is_told_by(OsStr::new("A.csv.gz")));
        assert!(InputFormat::Parquet.is_told_by(OsStr::new("A.parquet.bak")));
        assert!(!InputFormat::Parquet.is_told_by(OsStr::new("A.csv")));
    }
}
