//! How a source is found and read, changed thing by thing: `path=DIR`, `exclude+=volume`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::join::Join;
use super::joining::with_source;
use super::limit::Limit;
use super::settings::Settings;
use crate::list;
use crate::source::{
    BadDates, Cast, CodeMap, CodeTemplate, Duplicates, Epoch, Ignore, InputFormat, Pattern, Rename, Roll, absolute,
};

/// A change of one thing about a source, which the store remembers: `NAME=VALUE`; for lists also `NAME+=VALUE,...` and
/// `NAME-=VALUE,...`. A comma in a value is written `\,`, and without a value the thing is as it is by default. In a list
/// of types or names, these follow a colon: `cast+=volume:float64`.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment(Change);

#[derive(Debug, Clone, PartialEq)]
enum Change {
    Path(PathBuf),
    Input(InputFormat),
    Pattern(Option<Pattern>),
    CodeTemplate(Option<CodeTemplate>),
    CodeMap(Option<CodeMap>),
    DateFormat(Option<String>),
    Epoch(Option<Epoch>),
    Zone(Option<String>),
    NaiveZone(Option<String>),
    DropTime(bool),
    Roll(Option<Roll>),
    Calendar(Option<String>),
    Duplicates(Duplicates),
    BadDates(BadDates),
    Prefix(String),
    MaxSkipped(Option<Limit>),
    Join(Join),
    Ignore(How, Vec<Ignore>),
    DateColumn(How, Vec<String>),
    Columns(How, Vec<String>),
    Exclude(How, Vec<String>),
    Cast(How, Vec<Cast>),
    Rename(How, Vec<Rename>),
    Null(How, Vec<String>),
}

/// What stands behind a column that is taken from a list of types, or of names.
const ANY_TYPE: &str = "int64";
const ANY_NAME: &str = "-";

/// What values do to a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Set,
    Add,
    Remove,
}

impl Assignment {
    /// What can be changed.
    pub const NAMES: [&'static str; 24] = [
        "path",
        "input",
        "pattern",
        "code-template",
        "code-map",
        "ignore",
        "date-column",
        "date-format",
        "epoch",
        "zone",
        "naive-zone",
        "drop-time",
        "roll",
        "calendar",
        "duplicates",
        "bad-dates",
        "columns",
        "exclude",
        "cast",
        "rename",
        "null",
        "prefix",
        "max-skipped",
        "join",
    ];

    /// Whether it is one of the code map.
    pub(super) fn is_of_code_map(&self) -> bool {
        matches!(self.0, Change::CodeMap(_))
    }

    /// Makes the change of the source `name`.
    pub(super) fn apply(&self, name: &str, settings: &mut Settings) {
        let options = &mut settings.options;
        match &self.0 {
            Change::Path(path) => settings.set_directory(path),
            Change::Pattern(pattern) => {
                options.pattern = pattern.clone().unwrap_or_else(|| Pattern::usual(options.files_by, options.input));
            }
            Change::Input(input) => {
                let was_usual = options.pattern == Pattern::usual(options.files_by, options.input);
                options.input = *input;
                if was_usual {
                    options.pattern = Pattern::usual(options.files_by, options.input);
                }
            }
            Change::CodeTemplate(template) => options.code_template.clone_from(template),
            Change::CodeMap(map) => options.code_map.clone_from(map),
            Change::DateFormat(format) => options.date_format.clone_from(format),
            Change::Epoch(epoch) => options.epoch = *epoch,
            Change::Zone(zone) => options.zone.clone_from(zone),
            Change::NaiveZone(zone) => options.naive_zone.clone_from(zone),
            Change::DropTime(drop) => options.drop_time = *drop,
            Change::Roll(roll) => options.roll = *roll,
            Change::Calendar(calendar) => options.calendar = calendar.as_deref().map(absolute),
            Change::Duplicates(duplicates) => options.duplicates = *duplicates,
            Change::BadDates(bad_dates) => options.bad_dates = *bad_dates,
            Change::Prefix(prefix) => options.prefix = with_source(prefix, name),
            Change::MaxSkipped(most) => settings.max_skipped = *most,
            Change::Join(join) => settings.join = *join,
            Change::Ignore(how, globs) => how.change(&mut options.ignore, globs, |a, b| a == b),
            Change::DateColumn(how, names) => how.change(&mut options.date_columns, names, |a, b| a == b),
            Change::Columns(how, names) => {
                let mut columns = options.columns.take().unwrap_or_default();
                how.change(&mut columns, names, |a, b| a == b);
                options.columns = (!columns.is_empty()).then_some(columns);
            }
            Change::Exclude(how, names) => how.change(&mut options.exclude, names, |a, b| a == b),
            Change::Cast(how, casts) => how.change(&mut options.casts, casts, |a, b| a.column == b.column),
            Change::Null(how, words) => how.change(&mut options.nulls, words, |a, b| a == b),
            Change::Rename(how, renames) => how.change(&mut options.renames, renames, |a, b| a.from == b.from),
        }
    }
}

impl How {
    /// Changes `list` by `values`; of two that are `alike`, the newer stays.
    fn change<T: Clone>(self, list: &mut Vec<T>, values: &[T], alike: impl Fn(&T, &T) -> bool) {
        if self == How::Set {
            list.clear();
        }
        list.retain(|known| !values.iter().any(|value| alike(known, value)));
        if self != How::Remove {
            list.extend_from_slice(values);
        }
    }
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Assignment, String> {
        let (left, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not NAME=VALUE"))?;
        let (name, how) = match (left.strip_suffix('+'), left.strip_suffix('-')) {
            (Some(name), _) => (name, How::Add),
            (_, Some(name)) => (name, How::Remove),
            _ => (left, How::Set),
        };
        if !matches!(name, "ignore" | "date-column" | "columns" | "exclude" | "cast" | "rename" | "null")
            && how != How::Set
        {
            return Err(format!("{name:?} is no list: it takes a value after \"=\" alone"));
        }
        let change = match name {
            "path" if value.is_empty() => return Err("the path is empty".to_owned()),
            "path" => Change::Path(PathBuf::from(value)),
            "input" => Change::Input(one(value)?.unwrap_or_default()),
            "pattern" => Change::Pattern(one(value)?),
            "code-template" => Change::CodeTemplate(one(value)?),
            "code-map" => Change::CodeMap((!value.is_empty()).then(|| CodeMap::at(value))),
            "date-format" => Change::DateFormat(one(value)?),
            "epoch" => Change::Epoch(one(value)?),
            "zone" => Change::Zone(one(value)?),
            "naive-zone" => Change::NaiveZone(one(value)?),
            "drop-time" => Change::DropTime(match value {
                "true" => true,
                "false" | "" => false,
                _ => return Err(format!("{value:?} is neither true nor false")),
            }),
            "roll" => Change::Roll(one(value)?),
            "calendar" => Change::Calendar((!value.is_empty()).then(|| value.to_owned())),
            "duplicates" => Change::Duplicates(one(value)?.unwrap_or_default()),
            "bad-dates" => Change::BadDates(one(value)?.unwrap_or_default()),
            "prefix" => Change::Prefix(value.to_owned()),
            "max-skipped" => Change::MaxSkipped(one(value)?),
            "join" => Change::Join(one(value)?.unwrap_or_default()),
            "ignore" => Change::Ignore(how, all(value, |glob| glob.parse::<Ignore>().map_err(|why| why.to_string()))?),
            "date-column" => Change::DateColumn(how, split(value)),
            "columns" => Change::Columns(how, split(value)),
            "exclude" => Change::Exclude(how, split(value)),
            "null" => Change::Null(how, split(value)),
            "cast" if how == How::Remove => Change::Cast(how, all(value, |column| pair(column, ANY_TYPE))?),
            "cast" => {
                Change::Cast(how, split_casts(value).iter().map(|cast| pair(cast, "")).collect::<Result<_, _>>()?)
            }
            "rename" if how == How::Remove => Change::Rename(how, all(value, |column| pair(column, ANY_NAME))?),
            "rename" => Change::Rename(how, all(value, |rename| pair(rename, ""))?),
            _ => return Err(format!("{name:?} cannot be set; what can be are {}", Assignment::NAMES.join(", "))),
        };
        Ok(Assignment(change))
    }
}

/// One value, or none.
fn one<T: FromStr<Err: fmt::Display>>(value: &str) -> Result<Option<T>, String> {
    if value.is_empty() { Ok(None) } else { value.parse().map(Some).map_err(|why: T::Err| why.to_string()) }
}

/// What each value of a list means.
fn all<T>(list: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    split(list).iter().map(|value| parse(value)).collect()
}

/// A column and what follows the colon behind it; without that, `other`.
fn pair<T: FromStr<Err = String>>(text: &str, other: &str) -> Result<T, String> {
    // A type may have a colon, as in a zone, and a name an equals sign.
    let (column, value) = match text.split_once('=').or_else(|| text.split_once(':')) {
        Some(pair) => pair,
        None if other.is_empty() => return Err(format!("{text:?} is not COLUMN:VALUE, such as volume:vol")),
        None => (text, other),
    };
    format!("{column}={value}").parse()
}

/// The values of a list.
fn split(text: &str) -> Vec<String> {
    let mut values = list::values(text);
    values.retain(|value| !value.is_empty());
    values
}

/// The same, of types behind columns: a comma in a type's brackets divides nothing.
fn split_casts(text: &str) -> Vec<String> {
    let is_open = |value: &str| {
        let data_type = value.split_once(['=', ':']).map_or("", |(_, data_type)| data_type);
        data_type.matches(['(', '[']).count() > data_type.matches([')', ']']).count()
    };
    let mut values = list::divided(text, is_open);
    values.retain(|value| !value.is_empty());
    values
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::source::SourceOptions;

    fn after(assignments: &[&str]) -> Settings {
        let mut settings = Settings::new(Path::new("/a"), &SourceOptions::default());
        for text in assignments {
            text.parse::<Assignment>().unwrap_or_else(|why| panic!("{text}: {why}")).apply("prices", &mut settings);
        }
        settings
    }

    #[test]
    fn lists_are_set_added_to_and_taken_from() {
        let excluded = |assignments: &[&str]| after(assignments).options.exclude;
        assert_eq!(excluded(&["exclude=a,b", "exclude+=c\\,d,a"]), ["b", "c,d", "a"]);
        assert_eq!(excluded(&["exclude=a,b", "exclude-=a"]), ["b"]);
        assert_eq!(excluded(&["exclude=a,b", "exclude="]), Vec::<String>::new());
        let options = after(&["cast+=t:timestamp[us, +08:00],v:decimal128(10, 2)", "cast+=v=float64"]).options;
        let casts: Vec<String> = options.casts.iter().map(ToString::to_string).collect();
        assert_eq!(casts[1], "v=Float64");
        assert!(casts[0].starts_with("t=Timestamp"), "{casts:?}");
        assert_eq!(after(&["cast=v:float64", "cast-=v"]).options.casts, []);
        let renames = after(&["rename+=volume:vol", "rename+=a=b", "rename-=a"]).options.renames;
        assert_eq!(renames.iter().map(ToString::to_string).collect::<Vec<_>>(), ["volume=vol"]);
        assert_eq!(after(&["columns=a,b", "columns-=a,b"]).options.columns, None);
    }

    #[test]
    fn a_value_is_set_and_without_one_is_as_by_default() {
        let settings = after(&["path=/b/c", "max-skipped=5%", "pattern={code}/x.parquet", "drop-time=true"]);
        assert_eq!((settings.source.as_deref(), settings.max_skipped), (Some("/b/c"), Some(Limit::Percent(5.0))));
        assert_eq!(settings.options.pattern.to_string(), "{code}/x.parquet");
        assert!(settings.options.drop_time);
        let settings = after(&["epoch=ms", "epoch=", "max-skipped=3", "max-skipped=", "pattern=", "prefix=v_"]);
        assert_eq!((settings.max_skipped, &settings.options.epoch), (None, &None));
        assert_eq!((after(&["join=left"]).join, after(&["join=left", "join="]).join), (Join::Left, Join::Outer));
        let plain = SourceOptions { prefix: "v_".to_owned(), ..SourceOptions::default() };
        assert_eq!(settings.options, plain);
        assert_eq!(after(&["prefix={source}_"]).options.prefix, "prices_");
    }

    #[test]
    fn what_cannot_be_set_is_told() {
        let why = |text: &str| text.parse::<Assignment>().unwrap_err();
        assert_eq!(why("exclude"), "\"exclude\" is not NAME=VALUE");
        assert_eq!(why("epoch+=ms"), "\"epoch\" is no list: it takes a value after \"=\" alone");
        assert!(why("key=time").starts_with("\"key\" cannot be set; what can be are path, input, pattern, "));
        assert_eq!(why("rename+=volume"), "\"volume\" is not COLUMN:VALUE, such as volume:vol");
        assert_eq!(why("drop-time=yes"), "\"yes\" is neither true nor false");
        assert_eq!(why("path="), "the path is empty");
        assert_eq!(why("join=nonsense"), "\"nonsense\" is neither outer nor left");
        assert!(why("max-skipped=few").contains("neither a number"));
    }
}
