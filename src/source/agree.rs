//! Agrees on one schema for all files: which columns there are, where their types meet, and which files are refused
//! because theirs do not. Pure but for one question it may ask: whether the values of a file's column are exact in
//! another type.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::DataType;

use super::convert::surely_exact;
use super::discover::counted;
use super::footer::FileSchema;
use super::survey::Prior;
use super::types::{is_text, join};
use crate::error::Result;
use crate::panel::Column;

/// One file as far as the agreement goes.
pub(super) struct Member {
    pub(super) schema: Arc<FileSchema>,
    /// A file without rows has no values, so it cannot contradict any type.
    pub(super) has_rows: bool,
}

/// What was agreed.
pub(super) struct Agreement {
    /// The union of the columns, in first-seen order.
    pub(super) columns: Vec<Column>,
    /// For each file the reason why it is refused, if it is.
    pub(super) refused: Vec<Option<String>>,
}

/// Tells for each of some files whether all values of their column are exact in another type; an `Err` says why not.
pub(super) type Exact<'a> = dyn Fn(&[usize], &str, &DataType) -> Result<Vec<Result<(), String>>> + 'a;

/// Files that share a schema and are not refused, in first-seen order.
struct Group<'a> {
    schema: &'a Arc<FileSchema>,
    filled: Vec<usize>,
}

/// Agrees on the columns of `members`, which are in the order of their codes. The columns of a panel that was there
/// before come first, and its types are never given up for those of a file.
///
/// # Errors
/// Only those of `exact` and of `prior`.
pub(super) fn agree(members: &[Member], prior: Option<&Prior>, exact: &Exact) -> Result<Agreement> {
    let mut refused: Vec<Option<String>> = vec![None; members.len()];
    let mut asked = HashMap::new();
    // Each round that does not end refuses at least one more file.
    'round: loop {
        let groups = group(members, &refused);
        let mut columns = Vec::new();
        for name in union(&groups, prior) {
            match settle(&name, &groups, prior, exact, &mut asked)? {
                Settled::Type(data_type) => columns.push(Column { name, data_type }),
                Settled::Refused(files) => {
                    for (file, reason) in files {
                        refused[file] = Some(reason);
                    }
                    continue 'round;
                }
            }
        }
        return Ok(Agreement { columns, refused });
    }
}

fn group<'a>(members: &'a [Member], refused: &[Option<String>]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known = HashMap::new();
    for (file, member) in members.iter().enumerate().filter(|(file, _)| refused[*file].is_none()) {
        let at = *known.entry(Arc::as_ptr(&member.schema)).or_insert_with(|| {
            groups.push(Group { schema: &member.schema, filled: Vec::new() });
            groups.len() - 1
        });
        if member.has_rows {
            groups[at].filled.push(file);
        }
    }
    groups
}

fn union(groups: &[Group], prior: Option<&Prior>) -> Vec<String> {
    let mut known = HashMap::new();
    let mut names: Vec<String> = Vec::new();
    let before = prior.into_iter().flat_map(|prior| prior.columns).map(|column| &column.name);
    for name in before.chain(groups.iter().flat_map(|group| &group.schema.values).map(|value| &value.name)) {
        known.entry(name.as_str()).or_insert_with(|| names.push(name.clone()));
    }
    names
}

enum Settled {
    Type(DataType),
    Refused(Vec<(usize, String)>),
}

/// What is known of a column in a type: file, or `None` for the panel that was there before; column, type.
type Asked = HashMap<(Option<usize>, String, DataType), Result<(), String>>;

/// Where the types of the column `name` meet, or the files of the rarer type where they do not.
fn settle(name: &str, groups: &[Group], prior: Option<&Prior>, exact: &Exact, asked: &mut Asked) -> Result<Settled> {
    // Types in first-seen order, each with its files that have rows.
    let mut uses: Vec<(DataType, Vec<usize>)> = Vec::new();
    for group in groups {
        let Some(value) = group.schema.values.iter().find(|value| value.name == name) else { continue };
        if value.logical == DataType::Null {
            continue;
        }
        match uses.iter_mut().find(|(data_type, _)| *data_type == value.logical) {
            Some((_, files)) => files.extend(&group.filled),
            None => uses.push((value.logical.clone(), group.filled.clone())),
        }
    }
    // Most files first; the sort is stable, so that of two equally common types the one seen later is the rarer.
    uses.sort_by_key(|(_, files)| std::cmp::Reverse(files.len()));
    let before = prior.and_then(|prior| prior.columns.iter().find(|column| column.name == name));
    let before = before.map(|column| &column.data_type).filter(|data_type| **data_type != DataType::Null);
    let mut accepted: Vec<DataType> = before.cloned().into_iter().collect();
    let mut target = before.cloned().unwrap_or(DataType::Null);
    for (n, (data_type, files)) in uses.iter().enumerate() {
        // A type that only empty files have widens nothing that files with rows have agreed on.
        if files.is_empty() && !accepted.is_empty() {
            continue;
        }
        let with: Vec<DataType> = accepted.iter().chain([data_type]).cloned().collect();
        let common = || match before {
            Some(_) => format!("{target} in the store"),
            None => format!("{target} in {}", counted(uses[0].1.len(), "file", "files")),
        };
        let Some(joined) = join(&with) else {
            let reason = conflict(name, data_type, &common(), &target, "no type holds the values of both exactly");
            return Ok(Settled::Refused(files.iter().map(|&file| (file, reason.clone())).collect()));
        };
        // Values of a file are looked at once more when it is read; those of the store must be looked at now.
        if let (Some(prior), Some(before)) = (prior, before)
            && (!surely_exact(before, &joined.target) || joined.checked.contains(before))
            && let Err(why) = exact_before(prior, name, &joined.target, asked)?
        {
            let why = format!("{} cannot hold all values of the store: {why}", joined.target);
            let reason = conflict(name, data_type, &common(), &target, &why);
            return Ok(Settled::Refused(files.iter().map(|&file| (file, reason.clone())).collect()));
        }
        for checked in &joined.checked {
            let of_type = uses[..=n].iter().find(|(data_type, _)| data_type == checked);
            let suspects = of_type.map_or(&[][..], |(_, files)| files);
            let inexact = inexact(suspects, name, &joined.target, exact, asked)?;
            let Some((_, example)) = inexact.first() else { continue };
            let refused = if checked == data_type {
                let reason = |why: &String| conflict(name, data_type, &common(), &target, why);
                inexact.iter().map(|(file, why)| (*file, reason(why))).collect()
            } else {
                let why = format!("{} cannot hold all values of a {target} file: {example}", joined.target);
                let reason = conflict(name, data_type, &common(), &target, &why);
                files.iter().map(|&file| (file, reason.clone())).collect()
            };
            return Ok(Settled::Refused(refused));
        }
        target = joined.target;
        accepted = with;
    }
    Ok(Settled::Type(target))
}

/// Whether the column of the panel that was there before is exact in `to`. Asks once, since that reads the whole column.
fn exact_before(prior: &Prior, name: &str, to: &DataType, asked: &mut Asked) -> Result<Result<(), String>> {
    let key = (None, name.to_owned(), to.clone());
    if let Some(known) = asked.get(&key) {
        return Ok(known.clone());
    }
    let answer = (prior.exact)(name, to)?;
    asked.insert(key, answer.clone());
    Ok(answer)
}

/// Those of `files` whose column is not exact in `to`, with the reason. Asks only about what is not yet known.
fn inexact(
    files: &[usize],
    name: &str,
    to: &DataType,
    exact: &Exact,
    asked: &mut Asked,
) -> Result<Vec<(usize, String)>> {
    let key = |file: usize| (Some(file), name.to_owned(), to.clone());
    let unknown: Vec<usize> = files.iter().copied().filter(|&file| !asked.contains_key(&key(file))).collect();
    let answers = exact(&unknown, name, to)?;
    asked.extend(unknown.into_iter().map(key).zip(answers));
    Ok(files.iter().filter_map(|&file| Some((file, asked.get(&key(file))?.as_ref().err()?.clone()))).collect())
}

/// Says that a file's type does not meet that of the panel, and which cast would help.
fn conflict(name: &str, own: &DataType, common: &str, target: &DataType, why: &str) -> String {
    // Text that is numbers becomes numbers; numbers that do not meet become the wider kind.
    let help = match (is_text(own), is_text(target)) {
        (true, false) => target,
        (false, true) => own,
        _ if own.is_numeric() && target.is_numeric() => &DataType::Float64,
        _ => target,
    };
    format!("its column {name:?} is {own}, but {common}; {why}; --cast '{name}={help}' decides on one type")
}
