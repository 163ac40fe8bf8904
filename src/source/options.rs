//! What a user may decide about the input. Kept in the store as JSON, so that an update can repeat it.

use std::fmt;
use std::str::FromStr;

use arrow_schema::DataType;
use serde::{Deserialize, Serialize};

use super::pattern::Pattern;
use super::types::{join, parse_type};
use crate::error::{Error, Result};
use crate::panel::PanelSchema;
use crate::remedy::{Remedy, Setting};

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
    /// The further columns of a row's key beside date and code, the most significant first.
    pub key: Vec<String>,
    /// What to do with differing rows of one key.
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
            key: Vec::new(),
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
    /// These options with `settings` beside them, as they would be typed; what is no option of a source is passed over.
    pub(super) fn with(&self, settings: &[Setting]) -> SourceOptions {
        let mut options = self.clone();
        for setting in settings {
            match setting {
                Setting::Cast(casts) => {
                    options.casts.retain(|known| casts.iter().all(|cast| cast.column != known.column));
                    options.casts.extend(casts.iter().filter_map(|cast| cast.to_string().parse::<Cast>().ok()));
                }
                Setting::Exclude(names) => options.exclude.extend(names.iter().cloned()),
                Setting::DateColumn(names) => options.date_columns.clone_from(names),
                _ => {}
            }
        }
        options
    }

    /// Whether the column `name` is to be kept.
    pub(super) fn keeps(&self, name: &str) -> bool {
        self.columns.as_ref().is_none_or(|columns| columns.iter().any(|column| column == name))
            || self.key.iter().any(|column| column == name)
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

/// What a user decides anew about the input of a store, beside what the store remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionChanges {
    /// As [`SourceOptions::date_columns`], if not empty.
    pub date_columns: Vec<String>,
    /// As [`SourceOptions::date_format`].
    pub date_format: Option<String>,
    /// As [`SourceOptions::duplicates`].
    pub duplicates: Option<Duplicates>,
    /// As [`SourceOptions::bad_dates`].
    pub bad_dates: Option<BadDates>,
    /// More columns to treat as if no file had them.
    pub exclude: Vec<String>,
    /// Types decided by hand, which replace those of the same columns.
    pub casts: Vec<Cast>,
}

impl OptionChanges {
    /// `options` with these changes.
    pub(crate) fn apply(&self, options: &SourceOptions) -> SourceOptions {
        let mut options = options.clone();
        if !self.date_columns.is_empty() {
            options.date_columns.clone_from(&self.date_columns);
        }
        options.date_format = self.date_format.clone().or(options.date_format);
        options.duplicates = self.duplicates.unwrap_or(options.duplicates);
        options.bad_dates = self.bad_dates.unwrap_or(options.bad_dates);
        let excluded: Vec<String> = self.exclude.iter().filter(|name| !options.excludes(name)).cloned().collect();
        options.exclude.extend(excluded);
        options.casts.retain(|cast| self.casts.iter().all(|other| other.column != cast.column));
        options.casts.extend(self.casts.iter().cloned());
        options
    }

    /// Refuses what an update cannot do to a store of this panel: make a column of its narrower, or leave it out.
    pub(crate) fn check(&self, panel: &PanelSchema) -> Result<()> {
        if let Some(name) = self.exclude.iter().find(|name| panel.index_of(name).is_some()) {
            let why = format!("{name}: the store has this column, and an update cannot remove it");
            let way_out = Remedy::Do("build another store without it".to_owned());
            return Err(Error::invalid(Setting::Exclude(Vec::new()), why, [way_out]));
        }
        for cast @ Cast { column, to } in &self.casts {
            let Some(index) = panel.index_of(column) else { continue };
            let ours = &panel.columns[index].data_type;
            if !join(&[ours.clone(), to.clone()]).iter().any(|joined| joined.target == *to) {
                let why = format!("{cast}: the store has {ours}, which an update can only make wider");
                let way_out = Remedy::Do("build another store with that type".to_owned());
                return Err(Error::invalid(Setting::Cast(Vec::new()), why, [way_out]));
            }
        }
        Ok(())
    }
}

/// What to do when a file has several rows of one key that are not identical. Identical rows are always merged.
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
