//! What a user may decide about the input. Kept in the store as JSON, so that an update can repeat it.

use std::fmt;
use std::str::FromStr;

use arrow_schema::DataType;
use serde::{Deserialize, Serialize};

use super::pattern::Pattern;
use super::types::parse_type;

/// How to find, choose and read the input files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceOptions {
    /// Where a stock's file lies below the source directory.
    pub pattern: Pattern,
    /// Name of the output column for the code; a file's column of this name must agree with the file's name.
    pub code_column: String,
    /// Alternatives for the date column: the first one present in a file wins, the first of the list names the
    /// output's column. Empty: `trade_date`, `date` or `datetime` in any case, else `__index_level_0__`
    /// unless it has integers.
    pub date_columns: Vec<String>,
    /// A strftime format for dates in text, tried beside the usual spellings.
    pub date_format: Option<String>,
    /// What to do with differing rows for one date.
    pub duplicates: Duplicates,
    /// What to do with rows whose date is null or unreadable.
    pub bad_dates: BadDates,
    /// The columns to keep; `None` keeps all.
    pub columns: Option<Vec<String>>,
    /// Columns to treat as if no file had them.
    pub exclude: Vec<String>,
    /// Types decided by hand.
    pub casts: Vec<Cast>,
    /// Whether one refused file fails the whole survey.
    pub strict: bool,
}

impl Default for SourceOptions {
    fn default() -> SourceOptions {
        SourceOptions {
            pattern: Pattern::default(),
            code_column: "ts_code".to_owned(),
            date_columns: Vec::new(),
            date_format: None,
            duplicates: Duplicates::default(),
            bad_dates: BadDates::default(),
            columns: None,
            exclude: Vec::new(),
            casts: Vec::new(),
            strict: false,
        }
    }
}

impl SourceOptions {
    /// Whether the column `name` is to be kept.
    pub(super) fn keeps(&self, name: &str) -> bool {
        self.columns.as_ref().is_none_or(|columns| columns.iter().any(|column| column == name))
    }

    /// Whether the column `name` is to be treated as absent.
    pub(super) fn excludes(&self, name: &str) -> bool {
        self.exclude.iter().any(|column| column == name)
    }

    /// The type decided by hand for the column `name`.
    pub(super) fn cast(&self, name: &str) -> Option<&DataType> {
        self.casts.iter().find(|cast| cast.column == name).map(|cast| &cast.to)
    }
}

/// What to do when a file has several rows for one date that are not identical. Identical rows are always merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Duplicates {
    /// Refuse the file.
    #[default]
    Error,
    /// Keep the first row in file order.
    First,
    /// Keep the last row in file order.
    Last,
}

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Duplicates::Error => "error",
            Duplicates::First => "first",
            Duplicates::Last => "last",
        })
    }
}

impl FromStr for Duplicates {
    type Err = String;

    fn from_str(text: &str) -> Result<Duplicates, String> {
        match text {
            "error" => Ok(Duplicates::Error),
            "first" => Ok(Duplicates::First),
            "last" => Ok(Duplicates::Last),
            _ => Err(format!("{text:?} is none of error, first, last")),
        }
    }
}

/// What to do with a row whose date is null or cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BadDates {
    /// Refuse the file.
    #[default]
    Error,
    /// Leave the row out and count it.
    Drop,
}

impl fmt::Display for BadDates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadDates::Error => "error",
            BadDates::Drop => "drop",
        })
    }
}

impl FromStr for BadDates {
    type Err = String;

    fn from_str(text: &str) -> Result<BadDates, String> {
        match text {
            "error" => Ok(BadDates::Error),
            "drop" => Ok(BadDates::Drop),
            _ => Err(format!("{text:?} is neither error nor drop")),
        }
    }
}

/// The type of one column, decided by hand; written `COL=TYPE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cast {
    /// The column.
    pub column: String,
    /// Its type in the panel.
    pub to: DataType,
}

impl fmt::Display for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.column, self.to)
    }
}

impl FromStr for Cast {
    type Err = String;

    fn from_str(text: &str) -> Result<Cast, String> {
        // No type name has an equals sign; a column's name may.
        match text.rsplit_once('=') {
            Some((column, to)) if !column.is_empty() => Ok(Cast { column: column.to_owned(), to: parse_type(to)? }),
            _ => Err(format!("{text:?} is not COL=TYPE, such as close=float64")),
        }
    }
}

impl TryFrom<String> for Cast {
    type Error = String;

    fn try_from(text: String) -> Result<Cast, String> {
        text.parse()
    }
}

impl From<Cast> for String {
    fn from(cast: Cast) -> String {
        cast.to_string()
    }
}
