//! What each file of an output is of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What each file of an output directory is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Partition {
    /// One date.
    #[default]
    Date,
    /// The dates of a month.
    Month,
    /// The dates of a year.
    Year,
    /// Everything.
    All,
    /// One stock.
    Stock,
    /// One column: a row a date, and a column a stock.
    Matrix,
}

impl Partition {
    /// The words that a file's name may have in braces.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Partition::Date => &["date", "year", "month", "day"],
            Partition::Month => &["date", "year", "month"],
            Partition::Year => &["date", "year"],
            Partition::All => &[],
            Partition::Stock => &["code"],
            Partition::Matrix => &["column"],
        }
    }

    /// One such thing, and several.
    pub(crate) fn nouns(self) -> [&'static str; 2] {
        match self {
            Partition::Date => ["date", "dates"],
            Partition::Month => ["month", "months"],
            Partition::Year => ["year", "years"],
            Partition::All => ["panel", "panels"],
            Partition::Stock => ["stock", "stocks"],
            Partition::Matrix => ["column", "columns"],
        }
    }
}

impl FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Partition, String> {
        match text {
            "date" => Ok(Partition::Date),
            "month" => Ok(Partition::Month),
            "year" => Ok(Partition::Year),
            "all" => Ok(Partition::All),
            "stock" => Ok(Partition::Stock),
            "matrix" => Ok(Partition::Matrix),
            _ => Err(format!("{text:?} is none of date, month, year, all, stock, matrix")),
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Partition::All => "all",
            Partition::Matrix => "matrix",
            other => other.nouns()[0],
        })
    }
}
