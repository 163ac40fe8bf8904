//! Decides what the panel's date, code and key columns are, and checks the names in the options against what the files
//! have.

use std::collections::{BTreeSet, HashSet};
use std::mem::discriminant;

use arrow_schema::DataType;

use crate::error::{Error, Result};
use crate::hint::{instead, slips};
use crate::panel::{Column, KEY_TYPES, can_be_key};
use crate::reason::{Kind, Reason};
use crate::remedy::{Operation, Remedy, Setting, excluding};
use crate::source::agreement::prior::Prior;
use crate::source::date::column::can_be_date;
use crate::source::input::parts::INDEX_NAME;
use crate::source::input::schema::FileSchema;
use crate::source::options::{DATE_NAMES, OptionChanges, SourceOptions};
use crate::source::path::files_by::FilesBy;
use crate::source::path::pattern::CODE;
use crate::source::types::{is_text, join_text, logical};

/// Further columns that a key may have.
const MOST_KEYS: usize = 16;

/// Refuses names in the options that no file has.
pub(in crate::source) fn check_names(
    options: &SourceOptions,
    schemas: &[&FileSchema],
    some_are_unread: bool,
    notes: &mut Vec<String>,
) -> Result<()> {
    let mut names: Vec<&str> = Vec::new();
    let mut known = HashSet::new();
    for column in schemas.iter().flat_map(|schema| &schema.columns) {
        if known.insert(column.name.as_str()) {
            names.push(&column.name);
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    let is_key = |name: &str| {
        let date = options.date_name.as_ref().or(options.date_columns.first());
        name == options.code_name() || date.is_some_and(|date| date == name)
    };
    let unknown = |name: &str| !is_key(name) && !names.contains(&name);
    let chosen = options.columns.iter().flatten().map(|name| (Setting::Columns(Vec::new()), name));
    let excluded = options.exclude.iter().map(|name| (Setting::Exclude(Vec::new()), name));
    let cast = options.casts.iter().map(|cast| (Setting::Cast(Vec::new()), &cast.column));
    let renamed = options.renames.iter().map(|rename| (Setting::Rename(Vec::new()), &rename.from));
    // Of files by date the codes stand in a column, unless their paths say them.
    let is_by_row = options.files_by == FilesBy::Date && !options.pattern.has(CODE) && !some_are_unread;
    let code = options.code_column.iter().filter(|name| is_by_row && !names.contains(&name.as_str()));
    let mut refused: Vec<(Setting, &str)> =
        code.map(|name| (Setting::CodeColumn(String::new()), name.as_str())).collect();
    for (setting, name) in chosen.chain(excluded).chain(cast).chain(renamed).filter(|(_, name)| unknown(name)) {
        // It may stand in a file that cannot be read tonight: an option that helped must not fail the others then.
        match some_are_unread && !matches!(setting, Setting::Columns(_)) {
            true => notes.push(format!("{} is in no file that can be read", to_be(&setting, name))),
            false => refused.push((setting, name.as_str())),
        }
    }
    refuse(refused, &names, "no file has", None)
}

/// Refuses what settings name that is not among the columns `known`: all names of the first setting with such a one.
fn refuse(unknown: Vec<(Setting, &str)>, known: &[&str], whose: &str, whole: Option<Operation>) -> Result<()> {
    let Some((setting, first)) = unknown.first() else { return Ok(()) };
    let of_one = unknown.iter().filter(|(other, _)| discriminant(other) == discriminant(setting));
    let names: Vec<&str> = of_one.map(|(_, name)| *name).collect();
    let why = format!("names {}, which {whose}", slips(&names, known));
    Err(Error::invalid(setting.clone(), why, [instead(first, known, "columns", whole)]))
}

/// A column and what a setting wants of it: a note is for readers of all kinds, to some of whom no setting is known by
/// its name.
fn to_be(setting: &Setting, name: &str) -> String {
    let become_of_it = match setting {
        Setting::Exclude(_) => "left out",
        Setting::Cast(_) => "cast",
        Setting::Rename(_) => "renamed",
        _ => "kept",
    };
    format!("{name:?}, which is to be {become_of_it},")
}

/// Refuses names in what is decided anew that neither the panel before nor any file has.
pub(super) fn check_changed_names(
    prior: &Prior,
    schemas: &[&FileSchema],
    some_are_unread: bool,
    notes: &mut Vec<String>,
) -> Result<()> {
    let Some(OptionChanges { exclude, casts, .. }) = prior.changes else { return Ok(()) };
    let names: BTreeSet<&str> =
        schemas.iter().flat_map(|schema| &schema.columns).map(|column| column.name.as_str()).collect();
    let is_known = |name: &str| name == prior.date_name || name == prior.code.name || prior.has(name);
    let excluded = exclude.iter().map(|name| (Setting::Exclude(Vec::new()), name));
    let cast = casts.iter().map(|cast| (Setting::Cast(Vec::new()), &cast.column));
    let renamed = prior.renamed.iter().map(|name| (Setting::Rename(Vec::new()), name));
    let unknown =
        excluded.chain(cast).chain(renamed).filter(|(_, name)| !is_known(name) && !names.contains(name.as_str()));
    let mut unknown: Vec<(Setting, &str)> = unknown.map(|(setting, name)| (setting, name.as_str())).collect();
    if some_are_unread {
        let nowhere = "is neither in the store nor in a file that can be read";
        notes.extend(unknown.drain(..).map(|(setting, name)| format!("{} {nowhere}", to_be(&setting, name))));
    }
    let known: Vec<&str> = prior
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .chain(names.iter().copied().filter(|name| !is_known(name)))
        .collect();
    refuse(unknown, &known, "neither the store nor a file has", Some(Operation::Info))
}

/// The output's name for the date column: the user's, the first of the user's list, else the best name in any file.
pub(in crate::source) fn date_name(
    options: &SourceOptions,
    schemas: &[&FileSchema],
    notes: &mut Vec<String>,
) -> String {
    if let Some(name) = options.date_name.as_ref().or(options.date_columns.first()) {
        return name.clone();
    }
    let names: Vec<&str> = schemas.iter().filter_map(|schema| Some(schema.date.as_ref().ok()?.name.as_str())).collect();
    let best = DATE_NAMES.iter().find_map(|wanted| names.iter().find(|name| name.eq_ignore_ascii_case(wanted)));
    if names.contains(&INDEX_NAME) {
        let name = best.unwrap_or(&"date");
        notes.push(format!("the dates are an index without a name ({INDEX_NAME}); its column is called {name}"));
    }
    let mut others: Vec<&str> =
        names.iter().copied().filter(|name| *name != INDEX_NAME && Some(name) != best).collect();
    others.sort_unstable();
    others.dedup();
    if let (Some(best), false) = (best, others.is_empty()) {
        notes.push(format!("the date column is called {} in some files; its name is {best}", others.join(", ")));
    }
    best.map_or_else(|| "date".to_owned(), |name| (*name).to_owned())
}

pub(in crate::source) fn code_column(
    options: &SourceOptions,
    prior: Option<&Prior>,
    schemas: &[&FileSchema],
) -> Result<Column> {
    let types = schemas.iter().filter_map(|schema| Some(schema.code.as_ref()?.raw.clone()));
    let texts = types.filter(is_text).filter_map(|data_type| logical(&data_type));
    let joined = match prior {
        // Each type of text holds all codes, and another one would have all outputs written anew.
        Some(prior) => Some(prior.code.data_type.clone()),
        None => texts.reduce(|a, b| if a == b { a } else { join_text(&a, &b) }),
    };
    let data_type = match options.cast(options.code_name()) {
        Some(cast) if is_text(cast) => cast.clone(),
        Some(cast) => {
            let name = options.code_name();
            let why = format!("{name}={cast}: codes are text");
            return Err(Error::invalid(
                Setting::Cast(Vec::new()),
                why,
                [Remedy::Do("cast them to a text type".to_owned())],
            ));
        }
        None => joined.unwrap_or(DataType::Utf8),
    };
    Ok(Column { name: options.code_name().to_owned(), data_type })
}

/// The type decided on for the dates: the user's, by the output's name of the column or that in a file; that of a day
/// for a new panel whose dates are of instants.
pub(in crate::source) fn date_cast(
    options: &SourceOptions,
    prior: Option<&Prior>,
    date_name: &str,
    schemas: &[&FileSchema],
) -> Result<Option<DataType>> {
    let in_files = || schemas.iter().filter_map(|schema| Some(schema.date.as_ref().ok()?.name.as_str()));
    let is_kept = |name: &str| options.key_of(name).is_some();
    let names = [date_name].into_iter().chain(in_files().filter(|name| !is_kept(name)));
    let Some(cast) = names.into_iter().find_map(|name| options.cast(name)) else {
        let is_of_instants = options.drop_time || in_files().any(is_kept);
        return Ok((prior.is_none() && is_of_instants).then_some(DataType::Date32));
    };
    if !can_be_date(cast) {
        let why = format!("{date_name}={cast}: that is no type of dates");
        let way_out = "dates are text, integers of 32 or 64 bits, date32, date64 or timestamps without a zone";
        return Err(Error::invalid(Setting::Cast(Vec::new()), why, [Remedy::Do(way_out.to_owned())]));
    }
    Ok(Some(cast.clone()))
}

/// Why files of this schema are refused beside a panel whose date has this name: another column of theirs has it, too.
pub(super) fn meets_date(schema: &FileSchema, date_name: &str) -> Option<Reason> {
    let date = schema.date.as_ref().ok()?;
    let own = &schema.values.iter().find(|value| value.name == date_name)?.own_name;
    let what =
        format!("its dates are in {:?}, and its column {own:?} has the name of the dates of the store", date.name);
    let renamed = Remedy::Do(format!("write the file without {own:?}, or with another name for it"));
    Some(Reason::new(Kind::TwinColumns, what).of_column(own).or(renamed))
}

pub(in crate::source) fn check_unique(code: &str, date: &str, columns: &[Column]) -> Result<()> {
    let twice = |name: &str, what: &str, setting: Setting| {
        let renames = Remedy::set(setting, format!("gives the {what} another name"));
        Err(Error::refused_unless(
            format!("two columns would be named {name:?}, one of them the {what}"),
            [excluding(&[name]), renames],
        ))
    };
    if code == date || columns.iter().any(|column| column.name == code) {
        return twice(code, "code", Setting::CodeColumn(String::new()));
    }
    if columns.iter().any(|column| column.name == date) {
        return twice(date, "date", Setting::DateName);
    }
    Ok(())
}

/// Where the further key columns stand among `columns`. A list that also names code and date is understood.
pub(in crate::source) fn key_columns(
    options: &SourceOptions,
    code: &str,
    date_name: &str,
    columns: &[Column],
) -> Result<Vec<usize>> {
    let names = options.key.iter().map(String::as_str).filter(|name| *name != code && *name != date_name);
    let invalid = |why: String, remedies: Vec<Remedy>| Error::invalid(Setting::Key(Vec::new()), why, remedies);
    let place = |name: &str| {
        let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let Some(place) = known.iter().position(|column| *column == name) else {
            let instead = instead(name, &known, "columns", None);
            return Err(invalid(format!("names {name:?}, which no file has"), vec![instead]));
        };
        match &columns[place].data_type {
            key if can_be_key(key) => Ok(place),
            other => Err(invalid(format!("{name}: a key column has {KEY_TYPES}, and this one is {other}"), Vec::new())),
        }
    };
    let key: Vec<usize> = names.map(place).collect::<Result<_>>()?;
    match (1..key.len()).find(|&n| key[..n].contains(&key[n])) {
        Some(n) => Err(invalid(format!("names {:?} twice", columns[key[n]].name), Vec::new())),
        None if key.len() > MOST_KEYS => Err(invalid(format!("names more than {MOST_KEYS} columns"), Vec::new())),
        None => Ok(key),
    }
}
