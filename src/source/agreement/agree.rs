//! Agrees on one schema for all files: which columns there are, where their types meet, and which files are refused
//! because theirs do not. Pure but for what it may ask about the values of a column: see [`Question`].

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow_schema::DataType;

use super::conflict::{Conflict, Dispute, advise, tell};
use super::prior::Prior;
use super::question::{Answers, Ask, Question, Unsettled};
use crate::error::{Error, Result};
use crate::hint::counted;
use crate::panel::Column;
use crate::reason::Reason;
use crate::remedy::{Remedy, Setting};
use crate::source::convert::surely_exact;
use crate::source::input::schema::{FileSchema, Value};
use crate::source::options::Cast;
use crate::source::types::{Joined, join};

/// One file as far as the agreement goes.
pub(in crate::source) struct Member<'m> {
    pub(in crate::source) path: &'m Path,
    pub(in crate::source) schema: Arc<FileSchema>,
    /// A file without rows has no values, so it cannot contradict any type.
    pub(in crate::source) has_rows: bool,
}

/// What was agreed.
pub(in crate::source) struct Agreement {
    /// The union of the columns, in first-seen order.
    pub(in crate::source) columns: Vec<Column>,
    /// For each file the reason why it is refused, if it is.
    pub(in crate::source) refused: Vec<Option<Reason>>,
}

/// Agrees on the columns of `members`, which are in the order of their codes. The columns of a panel that was there
/// before come first, and its types are never given up for those of a file.
///
/// # Errors
/// Only those of `ask` and of `prior`.
pub(in crate::source) fn agree(members: &[Member], prior: Option<&Prior>, ask: &Ask) -> Result<Agreement> {
    let paths: Vec<&Path> = members.iter().map(|member| member.path).collect();
    let mut refused: Vec<Option<Reason>> = vec![None; members.len()];
    let mut answers = Answers::new(&paths, prior, ask);
    // Each round that does not end refuses at least one more file.
    loop {
        let columns = columns(members, &refused, prior);
        let mut agreed = Vec::with_capacity(columns.len());
        // The files of the first conflict are refused, and what else is in their way is told with it.
        let mut conflicts: HashMap<usize, Vec<Conflict>> = HashMap::new();
        for (name, settled) in settle_all(&columns, &mut answers)? {
            match settled {
                Settled::Type(data_type) => agreed.push(Column { name: name.to_owned(), data_type }),
                Settled::Conflict(conflict, files) => {
                    let is_first = conflicts.is_empty();
                    for file in files {
                        if is_first || conflicts.contains_key(&file) {
                            conflicts.entry(file).or_default().push(Conflict::clone(&conflict));
                        }
                    }
                }
            }
        }
        if conflicts.is_empty() {
            return Ok(Agreement { columns: agreed, refused });
        }
        for (file, conflicts) in conflicts {
            refused[file] = tell(file, &conflicts, members[file].schema.is_of_fields());
        }
    }
}

/// Types in first-seen order, each as one file has it, with those of its files that have rows.
pub(in crate::source) type Types<'a> = Vec<(&'a Value, Vec<usize>)>;

/// What files say of one column.
struct Uses<'a> {
    name: &'a str,
    /// Its type in the panel that was there before.
    before: Option<&'a DataType>,
    /// What a user decides on for it this time.
    cast: Option<&'a Cast>,
    types: Types<'a>,
}

/// The columns of the files that are not refused: those of the panel before, then the others as they are first seen.
fn columns<'a>(members: &'a [Member<'a>], refused: &[Option<Reason>], prior: Option<&Prior<'a>>) -> Vec<Uses<'a>> {
    let mut schemas: Vec<(&FileSchema, Vec<usize>)> = Vec::new();
    let mut known = HashMap::new();
    for (file, member) in members.iter().enumerate().filter(|(file, _)| refused[*file].is_none()) {
        let at = *known.entry(Arc::as_ptr(&member.schema)).or_insert_with(|| {
            schemas.push((&member.schema, Vec::new()));
            schemas.len() - 1
        });
        if member.has_rows {
            schemas[at].1.push(file);
        }
    }
    let casts = prior.and_then(|prior| prior.changes).map_or(&[][..], |changes| &changes.casts);
    let mut columns: Vec<Uses> = Vec::new();
    let mut places = HashMap::new();
    for Column { name, data_type } in prior.into_iter().flat_map(|prior| prior.columns) {
        places.insert(name.as_str(), columns.len());
        let before = Some(data_type).filter(|data_type| **data_type != DataType::Null);
        columns.push(Uses { name, before, cast: None, types: Vec::new() });
    }
    for (schema, files) in &schemas {
        for value in &schema.values {
            let at = *places.entry(value.name.as_str()).or_insert_with(|| {
                columns.push(Uses { name: &value.name, before: None, cast: None, types: Vec::new() });
                columns.len() - 1
            });
            if value.logical == DataType::Null {
                continue;
            }
            if let Some(cast) = casts.iter().find(|cast| cast.column == value.own_name) {
                columns[at].cast = Some(cast);
            }
            let types = &mut columns[at].types;
            let is_same = |known: &Value| known.logical == value.logical && unit_lost(known) == unit_lost(value);
            match types.iter_mut().find(|(known, _)| is_same(known)) {
                Some((_, all)) => all.extend(files),
                None => types.push((value, files.clone())),
            }
        }
    }
    columns
}

enum Settled {
    Type(DataType),
    /// The types do not meet, and these files have the rarer one.
    Conflict(Box<Conflict>, Vec<usize>),
}

/// Settles each of `columns`. What one has to ask for that is asked together with what the others have to, again and again
/// until all is known.
fn settle_all<'c>(columns: &'c [Uses], answers: &mut Answers) -> Result<Vec<(&'c str, Settled)>> {
    let mut settled: Vec<Option<Settled>> = columns.iter().map(|_| None).collect();
    loop {
        for (uses, found) in columns.iter().zip(&mut settled).filter(|(_, found)| found.is_none()) {
            match settle(uses, answers) {
                Ok(now) => *found = Some(now),
                Err(Unsettled::Unknown) => {}
                Err(Unsettled::Failed(error)) => return Err(error),
            }
        }
        if !answers.ask()? {
            break;
        }
    }
    Ok(columns.iter().zip(settled).filter_map(|(uses, settled)| Some((uses.name, settled?))).collect())
}

/// Where the types of a column meet, or the files of the rarer type where they do not.
fn settle(uses: &Uses, answers: &mut Answers) -> Result<Settled, Unsettled> {
    let Uses { name, before, cast, ref types } = *uses;
    let mut types = types.clone();
    // Most files first; the sort is stable, so that of two equally common types the one seen later is the rarer.
    types.sort_by_key(|(_, files)| std::cmp::Reverse(files.len()));
    let all = types.clone();
    let (before, types) = with_values(name, before, types, answers)?;
    let mut accepted: Vec<DataType> = before.cloned().into_iter().collect();
    let mut target = before.cloned().unwrap_or(DataType::Null);
    for (n, (value, files)) in types.iter().enumerate() {
        let data_type = &value.logical;
        // A type that only empty files have widens nothing that files with rows have agreed on.
        if files.is_empty() && !accepted.is_empty() {
            continue;
        }
        // Numbers of different units look alike, and nothing would tell them apart any more.
        let other = types[..n].iter().find_map(|(other, files)| Some((unit_lost(other)?, files.len())));
        if let (Some(own), Some((other, count))) = (unit_lost(value), other)
            && own != other
        {
            let why = format!("as {data_type} the numbers of both would look alike");
            let common = format!("{other} in {}", counted(count, "file", "files"));
            let sides = Sides { own: &own, target: &other, common: &common };
            return conflict(name, &sides, why, files, (before, &all), answers);
        }
        let with: Vec<DataType> = accepted.iter().chain([data_type]).cloned().collect();
        let common = match before {
            Some(_) => format!("{target} in the store"),
            None => format!("{target} in {}", counted(types[0].1.len(), "file", "files")),
        };
        // Who is refused where no choice holds all values, the best choice decides.
        let (mut found, mut refused) = (None, None);
        let mut choices = join(&with);
        if let Some(cast) = cast.filter(|cast| choices.iter().any(|joined| joined.target == cast.to)) {
            choices.retain(|joined| joined.target == cast.to);
            if let Some(before) = before.filter(|before| !surely_exact(before, &cast.to))
                && let Err(why) = answers.exact_before(name, &cast.to)?
            {
                let why =
                    format!("{cast}: the store has {before}, and {} does not hold all of its values: {why}", cast.to);
                let way_out = Remedy::Do("build another store with that type".to_owned());
                return Err(Unsettled::Failed(Error::invalid(Setting::Cast(Vec::new()), why, [way_out])));
            }
        }
        for joined in choices {
            match refuse(name, &joined, &types[..=n], before, answers)? {
                None => {
                    found = Some(joined);
                    break;
                }
                some => refused = refused.or(some),
            }
        }
        let Some(joined) = found else {
            let (why, suspects) =
                refused.unwrap_or_else(|| ("no type holds the values of both exactly".to_owned(), files.clone()));
            let sides = Sides { own: data_type, target: &target, common: &common };
            return conflict(name, &sides, why, &suspects, (before, &all), answers);
        };
        target = joined.target;
        accepted = with;
    }
    Ok(Settled::Type(target))
}

/// Who does not agree.
struct Sides<'a> {
    own: &'a DataType,
    target: &'a DataType,
    /// What the panel has instead, and in how many files.
    common: &'a str,
}

/// The conflict of those of `suspects` that have values with the others, and what helps.
fn conflict(
    name: &str,
    sides: &Sides,
    why: String,
    suspects: &[usize],
    (before, types): (Option<&DataType>, &Types),
    answers: &mut Answers,
) -> Result<Settled, Unsettled> {
    let refused: Vec<usize> = answers.no(suspects, name, &Question::Empty)?.into_iter().map(|(file, _)| file).collect();
    let Sides { own, target, common } = *sides;
    let advice = advise(&Dispute { column: name, own, target, before, types, refused: &refused }, answers)?;
    // Whoever mends a file, or says how it is read, knows the column by its name there.
    let column = types.first().map_or_else(|| name.to_owned(), |(value, _)| value.own_name.clone());
    let conflict = Conflict { column, own: own.clone(), common: common.to_owned(), why, advice };
    Ok(Settled::Conflict(Box::new(conflict), refused))
}

/// The type whose unit a cast to bare numbers takes away from a column.
fn unit_lost(value: &Value) -> Option<DataType> {
    let raw = match &value.raw {
        DataType::Dictionary(_, inner) => inner.as_ref(),
        raw => raw,
    };
    (raw.is_temporal() && value.logical.is_numeric()).then(|| match raw {
        // Instants count the same on all clocks.
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("UTC".into())),
        other => other.clone(),
    })
}

/// Why the last of `types` cannot join those before it in the type `joined`, and which of its files cannot; `None` if all
/// can.
fn refuse(
    name: &str,
    joined: &Joined,
    types: &[(&Value, Vec<usize>)],
    before: Option<&DataType>,
    answers: &mut Answers,
) -> Result<Option<(String, Vec<usize>)>, Unsettled> {
    let Some((value, files)) = types.last() else { return Ok(None) };
    // Values of a file are looked at once more when it is read; those of the store must be looked at now.
    if let Some(before) = before
        && (!surely_exact(before, &joined.target) || joined.checked.contains(before))
        && let Err(why) = answers.exact_before(name, &joined.target)?
    {
        return Ok(Some((format!("{} cannot hold all values of the store: {why}", joined.target), files.clone())));
    }
    for checked in &joined.checked {
        let of_type = types.iter().find(|(value, _)| value.logical == *checked);
        let suspects = of_type.map_or(&[][..], |(_, files)| files);
        let inexact = answers.no(suspects, name, &Question::Exact(joined.target.clone()))?;
        let Some((file, example)) = inexact.first() else { continue };
        if *checked == value.logical {
            return Ok(Some((example.clone(), inexact.iter().map(|(file, _)| *file).collect())));
        }
        let why = format!("{} cannot hold all values of {}: {example}", joined.target, answers.path(*file).display());
        return Ok(Some((why, files.clone())));
    }
    Ok(None)
}

/// Of types that differ those of which some file, or the store, has a value: nulls have no say in their type. All of
/// them where nobody has a value.
fn with_values<'a, 'v>(
    name: &str,
    before: Option<&'a DataType>,
    types: Types<'v>,
    answers: &mut Answers,
) -> Result<(Option<&'a DataType>, Types<'v>), Unsettled> {
    let with_rows = types.iter().filter(|(_, files)| !files.is_empty());
    let different: HashSet<(&DataType, Option<DataType>)> = with_rows
        .map(|(value, _)| (&value.logical, unit_lost(value)))
        .chain(before.map(|before| (before, None)))
        .collect();
    if different.len() < 2 {
        return Ok((before, types));
    }
    let mut kept = Vec::with_capacity(types.len());
    for (value, files) in &types {
        if answers.has_value(files, name)? {
            kept.push((*value, files.clone()));
        }
    }
    let before_has = before.is_some() && answers.has_value_before(name)?;
    match (before_has, kept.is_empty()) {
        (true, _) => Ok((before, kept)),
        (false, false) => Ok((None, kept)),
        (false, true) if before.is_some() => Ok((before, Vec::new())),
        (false, true) => Ok((None, types.into_iter().take(1).collect())),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A file with so many columns of a type.
    fn member(count: usize, data_type: &DataType) -> Member<'static> {
        let value = |leaf: usize| Value {
            name: format!("c{leaf}"),
            own_name: format!("c{leaf}"),
            leaf,
            raw: data_type.clone(),
            logical: data_type.clone(),
        };
        let schema = FileSchema {
            columns: Vec::new(),
            date: Err(Reason::damaged("none")),
            has_named_date: false,
            code: None,
            values: (0..count).map(value).collect(),
            drops_index: false,
            refusal: None,
            format: None,
        };
        Member { path: Path::new("A.parquet"), schema: Arc::new(schema), has_rows: true }
    }

    /// Each time that a file is asked it is opened, which takes as long as it has columns.
    #[test]
    fn a_file_is_asked_about_all_of_its_columns_at_once() {
        let times_asked = |count: usize| {
            let members = [DataType::Utf8, DataType::Float64, DataType::Float64].map(|kind| member(count, &kind));
            let times = Cell::new(0);
            let ask = |asked: &[(usize, Vec<(String, Question)>)]| {
                times.set(times.get() + asked.len());
                let answer = |file: usize, question: &Question| match question {
                    Question::Empty => Err("it has values".to_owned()),
                    Question::Readable(DataType::Float64) if file == 0 => Err("\"x\" cannot be read".to_owned()),
                    _ => Ok(()),
                };
                let of_file = |(file, questions): &(usize, Vec<(String, Question)>)| {
                    questions.iter().map(|(_, question)| answer(*file, question)).collect()
                };
                Ok(asked.iter().map(of_file).collect())
            };
            let agreement = agree(&members, None, &ask).unwrap();
            let told = agreement.refused[0].as_ref().unwrap().to_string();
            assert!(told.starts_with("its column \"c0\" is Utf8, but Float64 in 2 files"), "{told}");
            assert_eq!(agreement.columns.len(), count);
            times.get()
        };
        assert!(times_asked(1) <= 12, "{} times", times_asked(1));
        assert_eq!(times_asked(1000), times_asked(1));
    }
}
