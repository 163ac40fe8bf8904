//! What the files of a source are of: each of one stock, or each of one date, month or year.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The placeholder of a date, or of a month or a year.
pub(in crate::source) const DATE: &str = "date";
/// The placeholders that together give a date, or a month or a year.
pub(in crate::source) const YEAR: &str = "year";
pub(super) const MONTH: &str = "month";
pub(in crate::source) const DAY: &str = "day";
/// Those of parts of a year, and of a time that is spelt out, which tell when rows are.
pub(super) const QUARTER: &str = "quarter";
pub(super) const HALF: &str = "half";
pub(super) const PERIOD: &str = "period";

/// What the files of a source are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FilesBy {
    /// Each has rows of one stock, which its path names.
    #[default]
    Stock,
    /// Each has rows of all stocks on one date, or in one month or year, which its path names.
    Date,
}

impl FilesBy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(in crate::source) fn is_usual(&self) -> bool {
        *self == FilesBy::Stock
    }
}

impl fmt::Display for FilesBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FilesBy::Stock => "stock",
            FilesBy::Date => "date",
        })
    }
}

impl FromStr for FilesBy {
    type Err = String;

    fn from_str(text: &str) -> Result<FilesBy, String> {
        match text {
            "stock" => Ok(FilesBy::Stock),
            "date" => Ok(FilesBy::Date),
            _ => Err(format!("{text:?} is neither stock nor date")),
        }
    }
}
