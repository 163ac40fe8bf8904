//! What a source must be to join a store: of the same key, with columns of its own.

use std::collections::HashSet;

use super::settings::Settings;
use crate::error::{Error, Result};
use crate::hint::listed;
use crate::panel::{Column, PanelSchema};
use crate::remedy::{Remedy, Setting, excluding};
use crate::source::{Input, Rename, SourceOptions, Survey};
use crate::store::Store;

/// How the inputs of the source `name` are read; `panel` has the key of the store.
pub(super) fn options_of(options: &SourceOptions, panel: &PanelSchema, name: &str) -> Result<SourceOptions> {
    let mut options = options.clone();
    options.prefix = with_source(&options.prefix, name);
    take_key(&mut options, panel.key_names().map(str::to_owned).collect())?;
    Ok(options)
}

/// Gives `options` the key of the store. A column of it may be called otherwise in the files, as in `time=bar_time`.
fn take_key(options: &mut SourceOptions, key: Vec<String>) -> Result<()> {
    let (mut named, mut is_renamed) = (Vec::new(), false);
    for asked in std::mem::take(&mut options.key) {
        let pair = asked.split_once('=').filter(|(ours, theirs)| {
            !key.contains(&asked) && !theirs.is_empty() && key.iter().any(|column| column == ours)
        });
        match pair {
            Some((ours, theirs)) => {
                options.renames.push(Rename { from: theirs.to_owned(), to: ours.to_owned() });
                is_renamed = true;
            }
            None => named.push(asked),
        }
    }
    let is_other = match is_renamed {
        true => !named.iter().all(|column| key.contains(column)),
        false => !named.is_empty() && named != key,
    };
    if is_other {
        let why = match key[..] {
            [] => "is for no source of this store, whose rows are known by date and code alone".to_owned(),
            _ => format!("is another than that of the store, {}", listed(&key)),
        };
        return Err(Error::invalid(Setting::Key(Vec::new()), why, [Remedy::Do("leave it out".to_owned())]));
    }
    options.key = key;
    Ok(())
}

/// How the first source of `whole` is read whose rows are of trading dates, if there is one.
///
/// # Errors
/// When its settings are damaged.
pub(super) fn rolled_source(whole: &Store) -> Result<Option<SourceOptions>> {
    for place in 0..whole.source_names()?.len() {
        let options = Settings::of(&whole.of_source(place))?.options;
        if options.roll.is_some() {
            return Ok(Some(options));
        }
    }
    Ok(None)
}

/// Refuses columns that the panel has already, and a source that brings none.
pub(super) fn check_columns(whole: &Store, columns: &[Column], (name, options): (&str, &SourceOptions)) -> Result<()> {
    if columns.is_empty() {
        let what = format!("the source {name:?} has no column beside date, code and key");
        return Err(Error::refused(what, "append its rows, if they are what it is for"));
    }
    check_new_columns(whole, columns, 0, (name, options))
}

/// As [`check_new_columns`], of what `survey` says before files are read, beside so many columns that the source has
/// already: but where the first file with such a column can be read, so that it has its say.
pub(super) fn check_before_reading(whole: &Store, survey: &Survey, own_count: usize, name: &str) -> Result<()> {
    let new = &survey.columns[own_count..];
    let taken: HashSet<&str> = taken(whole, new)?.into_iter().collect();
    let places = (own_count..).zip(new).filter(|(_, column)| taken.contains(column.name.as_str()));
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    let has_one = |input: &&Input| places.iter().any(|&place| input.has_column(place));
    match survey.inputs.iter().find(has_one) {
        Some(input) if survey.can_read(input) => {
            check_new_columns(whole, &survey.columns, own_count, (name, survey.options()))
        }
        _ => Ok(()),
    }
}

/// Refuses columns of a source beside the first so many, which it has already, that the panel has: no two sources own
/// one. The ways out call them as the files do.
pub(super) fn check_new_columns(
    whole: &Store,
    columns: &[Column],
    own_count: usize,
    (name, options): (&str, &SourceOptions),
) -> Result<()> {
    let taken = taken(whole, &columns[own_count..])?;
    let Some(first) = taken.first() else { return Ok(()) };
    let verb = if taken.len() == 1 { "is a column" } else { "are columns" };
    let what = format!("{} of the source {name:?} {verb} of the store already", listed(&taken));
    let own_names: Vec<String> = taken.iter().map(|name| options.file_name(name)).collect();
    let renamed = Setting::Rename(vec![format!("{}={name}_{first}", own_names[0])]);
    // A prefix leaves alone what is renamed.
    let would_help = options.prefix.is_empty() && own_names.iter().zip(&taken).all(|(own, name)| own == name);
    let prefix = would_help
        .then(|| Remedy::set(Setting::Prefix("{source}_".to_owned()), "gives all columns of the source other names"));
    // A source needs a column beside those of the key.
    let has_others = columns.len() > taken.len() + whole.schema()?.key.len().min(own_count);
    let exclude = has_others.then(|| excluding(&own_names.iter().map(String::as_str).collect::<Vec<_>>()));
    let renamed = Remedy::set(renamed, "gives one another name");
    Err(Error::refused_unless(what, prefix.into_iter().chain([renamed]).chain(exclude).collect::<Vec<_>>()))
}

/// The names of those of `columns` that the panel has already.
fn taken<'c>(whole: &Store, columns: &'c [Column]) -> Result<Vec<&'c str>> {
    let panel = whole.schema()?;
    let places = panel.places();
    let is_taken = |column: &&Column| {
        places.contains_key(column.name.as_str()) || column.name == panel.code.name || column.name == panel.date_name
    };
    Ok(columns.iter().filter(is_taken).map(|column| column.name.as_str()).collect())
}

/// What columns begin with, where `prefix` may name the source.
pub(super) fn with_source(prefix: &str, name: &str) -> String {
    prefix.replace("{source}", name)
}
