//! What a user may decide about the input. Kept in the store as JSON, so that an update can repeat it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use arrow_schema::DataType;
use serde::{Deserialize, Serialize};

use super::code_map::CodeMap;
use super::convert::surely_exact;
use super::path::code_template::{CodeTemplate, code_of};
use super::path::files_by::{DATE, FilesBy, YEAR};
use super::path::ignore::Ignore;
use super::path::input_format::InputFormat;
use super::path::naming::absolute;
use super::path::pattern::{CODE, Pattern, Values};
use super::path::period::Period;
use super::roll::Roll;
use super::types::{join, parse_type};
use crate::as_text::as_text;
use crate::error::{Error, Result};
use crate::panel::{Column, PanelSchema};
use crate::remedy::{CastTo, Remedy, Setting};

/// The code column where no column of the files holds the codes.
pub(super) const CODE_NAME: &str = "ts_code";

/// Names that mean a date when the user names none.
pub(super) const DATE_NAMES: [&str; 3] = ["trade_date", "date", "datetime"];

/// Names that mean a code where the user names none.
pub(super) const CODE_NAMES: [&str; 5] = ["ts_code", "code", "symbol", "ticker", "stock"];

/// How to find, choose and read the input files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceOptions {
    /// The format of its files.
    #[serde(skip_serializing_if = "InputFormat::is_usual")]
    pub input: InputFormat,
    /// What each file is of.
    #[serde(skip_serializing_if = "FilesBy::is_usual")]
    pub files_by: FilesBy,
    /// Where the files lie below the source directory: `{code}.parquet`, unless they are by date or of another format.
    pub pattern: Pattern,
    /// How the code is made of the pattern's placeholders. `None`: it is what `{code}` stands for, and files that give one
    /// code in several places must be told apart by a time.
    pub code_template: Option<CodeTemplate>,
    /// Which codes of the files stand for other codes of the panel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_map: Option<CodeMap>,
    /// What is left out of what the pattern finds.
    pub ignore: Vec<Ignore>,
    /// Name of the output column for the code; a file's column of this name must agree with the file's name. `None`: a
    /// column of text that has the file's code in every row of every file, else `ts_code`. Of files by date it is the
    /// column that holds the codes; `None`: `ts_code`, or one of another usual name.
    pub code_column: Option<String>,
    /// Alternatives for the date column: the first one present in a file wins, the first of the list names the
    /// output's column. Empty: `trade_date`, `date` or `datetime` in any case, else `__index_level_0__`
    /// unless it has integers.
    pub date_columns: Vec<String>,
    /// Name of the output's date column; `None`: that of the files, or `date`, else `trade_date`, beside a date column
    /// that the key keeps.
    pub date_name: Option<String>,
    /// A strftime format for dates in text, tried beside the usual spellings.
    pub date_format: Option<String>,
    /// What numbers in the date column count since 1970; `None`: they are dates such as 20240102.
    pub epoch: Option<Epoch>,
    /// The time zone on whose clocks an instant is a date; `None`: its own, and UTC for counts since 1970.
    pub zone: Option<String>,
    /// The time zone of stamps that name none; `None`: they are what the clocks showed, and never shifted.
    pub naive_zone: Option<String>,
    /// Whether a time of day in the date column is left out; else it refuses the file, unless the key keeps it.
    pub drop_time: bool,
    /// From which time of the day on rows belong to the next trading date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roll: Option<Roll>,
    /// The file that has the trading dates; `None`: they are the dates of the panel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
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
    /// Columns that get another name. All other options name columns as files have them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub renames: Vec<Rename>,
    /// The words that stand for a null in files of text, as `NA` does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nulls: Vec<String>,
    /// What the names of the other columns begin with, beside those of the key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Whether one refused file fails the whole survey.
    pub strict: bool,
}

impl SourceOptions {
    /// The options of files by date, `{date}.parquet`.
    pub fn by_date() -> SourceOptions {
        let pattern = Pattern::usual(FilesBy::Date, InputFormat::Parquet);
        SourceOptions { files_by: FilesBy::Date, pattern, ..SourceOptions::default() }
    }

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
                Setting::DateFormat(format) => options.date_format = Some(format.clone()),
                Setting::Epoch(epoch) => options.epoch = epoch.parse().ok(),
                Setting::Key(names) => options.key.clone_from(names),
                Setting::DropTime => options.drop_time = true,
                Setting::Duplicates(which) => options.duplicates = which.parse().unwrap_or_default(),
                Setting::BadDates(what) => options.bad_dates = what.parse().unwrap_or_default(),
                Setting::Pattern(text) => options.pattern = text.parse().unwrap_or_default(),
                Setting::CodeTemplate(text) => options.code_template = text.parse().ok(),
                _ => {}
            }
        }
        options
    }

    /// Whether the `columns` of a panel that these options read let `settings` be: they stay, and become at most wider.
    pub(super) fn may_become(&self, settings: &[Setting], columns: &[Column]) -> bool {
        let column = |name: &str| columns.iter().find(|column| column.name == self.name_of(name));
        let is_wider = |cast: &CastTo| {
            let Some(ours) = column(&cast.column).map(|column| &column.data_type) else { return true };
            parse_type(&cast.to).is_ok_and(|to| join(&[ours.clone(), to.clone()]).iter().any(|join| join.target == to))
        };
        settings.iter().all(|setting| match setting {
            Setting::Key(_) => false,
            Setting::Exclude(names) => names.iter().all(|name| column(name).is_none()),
            Setting::Cast(casts) => casts.iter().all(is_wider),
            _ => true,
        })
    }

    /// Refuses a pattern that does not say what files are of, and a template of codes that names what the pattern lacks.
    pub(super) fn check_paths(&self) -> Result<()> {
        let invalid = |why: &str, remedies: Vec<Remedy>| {
            Err(Error::invalid(Setting::Pattern(String::new()), format!("{}: {why}", self.pattern), remedies))
        };
        let is_by_date = self.pattern.has(DATE) || self.pattern.has(YEAR);
        match self.files_by {
            FilesBy::Stock if !self.pattern.has(CODE) => {
                let by_date = Setting::FilesBy(FilesBy::Date.to_string());
                let by_date = Remedy::set(by_date, "takes each file for the stocks of one date");
                return invalid("it does not say where the code stands, as {code} would", vec![by_date]);
            }
            FilesBy::Date if !is_by_date => {
                let why = "it does not say where the date stands, as {date} would, or {year}, {month} and {day}";
                let usual = Pattern::usual(FilesBy::Date, self.input);
                return invalid(why, vec![Remedy::Do(format!("write it like {usual}"))]);
            }
            _ => {}
        }
        let Some(name) = self.code_template.as_ref().and_then(|template| template.unknown_in(&self.pattern)) else {
            return Ok(());
        };
        let why = format!("names {{{name}}}, which the pattern {} does not have", self.pattern);
        let way_out = Remedy::Do(format!("put {{{name}}} where it stands in the paths"));
        Err(Error::invalid(Setting::CodeTemplate(String::new()), why, [way_out]))
    }

    /// Refuses rows of trading dates in a panel whose key does not keep the dates of the files.
    pub(crate) fn check_roll(&self) -> Result<()> {
        let is_date = |name: &String| match self.date_columns.is_empty() {
            true => DATE_NAMES.iter().any(|usual| name.eq_ignore_ascii_case(usual)),
            false => self.date_columns.contains(name),
        };
        let keeps_one = self.key.iter().any(|key| is_date(&self.file_name(key)));
        let Some(roll) = self.roll.filter(|_| !keeps_one) else { return Ok(()) };
        let why = format!("{roll}: the files' dates would be lost, as trading dates take their place");
        let way_out = Remedy::Do("build another store, with the date column in its key".to_owned());
        Err(Error::invalid(Setting::Roll, why, [way_out]))
    }

    /// What the path `path` of a file, relative to the source directory, names: the code of its stock, or the date, month
    /// or year.
    pub(super) fn named_by(&self, path: &Path) -> Option<String> {
        self.named_by_values(&self.pattern.values_of(path)?).ok()
    }

    /// The same, of a path that gives `values`; the error says why there is none.
    pub(super) fn named_by_values(&self, values: &Values) -> Result<String, &'static str> {
        match self.files_by {
            FilesBy::Stock => code_of(self.code_template.as_ref(), values),
            FilesBy::Date => Period::text_of(values).ok_or("its name gives no date"),
        }
    }

    /// What the file at `path`, relative to the source directory, is of: the codes of its stocks, which are several where
    /// its code stands for several, or the date, month or year.
    pub(crate) fn units_of(&self, path: &Path) -> BTreeSet<String> {
        self.named_by(path).map(|name| self.units_named(&name)).unwrap_or_default()
    }

    /// What files are of whose paths name `name`.
    pub(super) fn units_named(&self, name: &str) -> BTreeSet<String> {
        match self.code_map.as_ref().filter(|_| self.files_by == FilesBy::Stock) {
            Some(map) => map.codes_of(name),
            None => BTreeSet::from([name.to_owned()]),
        }
    }

    /// Whether a row of the stock `unit` in a file whose path gives the code `named` may have the code `text`.
    pub(super) fn is_code(&self, text: &str, named: &str, unit: &str) -> bool {
        text == named || text == unit || self.code_map.as_ref().is_some_and(|map| map.codes_of(text).contains(unit))
    }

    /// The dates of a unit, where files are by date.
    pub(crate) fn period_of(&self, unit: &str) -> Option<Period> {
        Period::named(unit).filter(|_| self.files_by == FilesBy::Date)
    }

    /// The code of the stock that a file by date is of, where its path gives one.
    pub(super) fn code_in(&self, path: &Path) -> Option<String> {
        let has_code = self.pattern.has(CODE);
        code_of(self.code_template.as_ref(), &self.pattern.values_of(path)?).ok().filter(|_| has_code)
    }

    /// Whether what lies at `path`, relative to the source directory, is left out.
    pub(super) fn ignores(&self, path: &Path) -> bool {
        self.ignore.iter().any(|ignore| ignore.matches(path))
    }

    /// Whether the column `name` is to be kept.
    pub(super) fn keeps(&self, name: &str) -> bool {
        self.columns.as_ref().is_none_or(|columns| columns.iter().any(|column| column == name))
            || self.key.iter().any(|column| *column == self.name_of(name))
    }

    /// Whether the files' column `name` becomes one of the panel's.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.keeps(name) && !self.excludes(name)
    }

    /// What the files' column `name` is called in the panel.
    pub(crate) fn name_of(&self, name: &str) -> String {
        match self.renames.iter().find(|rename| rename.from == name) {
            Some(rename) => rename.to.clone(),
            None if self.key.iter().any(|key| key == name) => name.to_owned(),
            None => format!("{}{name}", self.prefix),
        }
    }

    /// Takes columns by the names that the panel gives them.
    pub(super) fn take_panel_names(&mut self) {
        let cast = |cast: &Cast| Cast { column: self.name_of(&cast.column), to: cast.to.clone() };
        self.casts = self.casts.iter().map(cast).collect();
        (self.prefix, self.renames) = (String::new(), Vec::new());
    }

    /// The name of the output column for the code, `ts_code` where none is given.
    pub fn code_name(&self) -> &str {
        self.code_column.as_deref().unwrap_or(CODE_NAME)
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
    /// More to leave out of what the pattern finds.
    pub ignore: Vec<Ignore>,
    /// As [`SourceOptions::date_columns`], if not empty.
    pub date_columns: Vec<String>,
    /// As [`SourceOptions::date_format`].
    pub date_format: Option<String>,
    /// As [`SourceOptions::epoch`].
    pub epoch: Option<Epoch>,
    /// As [`SourceOptions::zone`].
    pub zone: Option<String>,
    /// As [`SourceOptions::naive_zone`].
    pub naive_zone: Option<String>,
    /// As [`SourceOptions::drop_time`], if set.
    pub drop_time: bool,
    /// As [`SourceOptions::calendar`].
    pub calendar: Option<String>,
    /// As [`SourceOptions::code_map`].
    pub code_map: Option<CodeMap>,
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
        let ignored: Vec<Ignore> = self.ignore.iter().filter(|glob| !options.ignore.contains(glob)).cloned().collect();
        options.ignore.extend(ignored);
        if !self.date_columns.is_empty() {
            options.date_columns.clone_from(&self.date_columns);
        }
        options.date_format = self.date_format.clone().or(options.date_format);
        options.epoch = self.epoch.or(options.epoch);
        options.zone = self.zone.clone().or(options.zone);
        options.naive_zone = self.naive_zone.clone().or(options.naive_zone);
        options.drop_time |= self.drop_time;
        options.calendar = self.calendar.as_deref().map(absolute).or(options.calendar);
        options.code_map = self.code_map.clone().or(options.code_map);
        options.duplicates = self.duplicates.unwrap_or(options.duplicates);
        options.bad_dates = self.bad_dates.unwrap_or(options.bad_dates);
        let excluded: Vec<String> = self.exclude.iter().filter(|name| !options.excludes(name)).cloned().collect();
        options.exclude.extend(excluded);
        options.casts.retain(|cast| self.casts.iter().all(|other| other.column != cast.column));
        options.casts.extend(self.casts.iter().cloned());
        options
    }

    /// Whether an update of this panel, which these options read, can follow the casts whatever values it has.
    pub(crate) fn can_be_followed(&self, panel: &PanelSchema, options: &SourceOptions) -> bool {
        let is_exact = |Cast { column, to }: &Cast| {
            let index = panel.index_of(&options.name_of(column));
            index.is_none_or(|index| surely_exact(&panel.columns[index].data_type, to))
        };
        self.check_casts(panel, options).is_ok() && self.casts.iter().all(is_exact)
    }

    /// Refuses to make a column of this panel, which these options read, narrower.
    pub(crate) fn check_casts(&self, panel: &PanelSchema, options: &SourceOptions) -> Result<()> {
        for cast @ Cast { column, to } in &self.casts {
            let Some(index) = panel.index_of(&options.name_of(column)) else { continue };
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

/// What numbers count since 1970 began in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Epoch {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanoseconds,
    /// Days, on everybody's calendar.
    #[serde(rename = "days")]
    Days,
}

impl Epoch {
    /// All of them.
    pub(super) const ALL: [Epoch; 5] =
        [Epoch::Seconds, Epoch::Milliseconds, Epoch::Microseconds, Epoch::Nanoseconds, Epoch::Days];

    /// How many make a second; `None` for days.
    pub(super) fn per_second(self) -> Option<i64> {
        match self {
            Epoch::Seconds => Some(1),
            Epoch::Milliseconds => Some(1_000),
            Epoch::Microseconds => Some(1_000_000),
            Epoch::Nanoseconds => Some(1_000_000_000),
            Epoch::Days => None,
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Epoch::Seconds => "s",
            Epoch::Milliseconds => "ms",
            Epoch::Microseconds => "us",
            Epoch::Nanoseconds => "ns",
            Epoch::Days => "days",
        })
    }
}

impl FromStr for Epoch {
    type Err = String;

    fn from_str(text: &str) -> Result<Epoch, String> {
        match text {
            "s" => Ok(Epoch::Seconds),
            "ms" => Ok(Epoch::Milliseconds),
            "us" => Ok(Epoch::Microseconds),
            "ns" => Ok(Epoch::Nanoseconds),
            "days" => Ok(Epoch::Days),
            _ => Err(format!("{text:?} is none of s, ms, us, ns, days")),
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

/// Another name for one column; written `OLD=NEW`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rename {
    /// The name in the files.
    pub from: String,
    /// The name in the panel.
    pub to: String,
}

impl fmt::Display for Rename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.from, self.to)
    }
}

impl FromStr for Rename {
    type Err = String;

    fn from_str(text: &str) -> Result<Rename, String> {
        match text.split_once('=') {
            Some((from, to)) if !from.is_empty() && !to.is_empty() => {
                Ok(Rename { from: from.to_owned(), to: to.to_owned() })
            }
            _ => Err(format!("{text:?} is not OLD=NEW, such as volume=vol")),
        }
    }
}

as_text!(Rename);

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

as_text!(Cast);
