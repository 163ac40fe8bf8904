//! What helps a file whose types do not meet those of the others. Only what was tried on all files is recommended.

use std::fmt::Write;
use std::sync::Arc;

use arrow_schema::{DataType, TimeUnit};

use super::agree::{Answers, Question};
use super::parquet::footer::Value;
use super::types::{is_text, join, meets_beyond_nanoseconds};
use crate::error::Result;
use crate::hint::quoted;
use crate::panel::parse_zone;

/// Columns that a reason names.
const NAMED: usize = 5;

/// A column of a file whose type does not meet that of the panel.
#[derive(Debug, Clone)]
pub(super) struct Conflict {
    pub(super) column: String,
    pub(super) own: DataType,
    /// What the panel has instead, and in how many files.
    pub(super) common: String,
    pub(super) why: String,
    pub(super) advice: Advice,
}

/// The way out of a conflict.
#[derive(Debug, Clone)]
pub(super) struct Advice {
    /// A type as which every value of every file can be read, and what that does to them.
    cast: Option<(DataType, Effect)>,
    /// A value that is in the way of the types that one would want, and where it is.
    obstacle: Option<String>,
    /// Whether the column may be left out.
    can_exclude: bool,
}

/// What a cast does to values, beside reading them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Nothing,
    /// Some are rounded.
    Rounds,
    /// Numbers, days and the like become text.
    Spells,
}

/// Finds a type as which all of `files` can read their column.
pub(super) fn advise(
    name: &str,
    own: &DataType,
    target: &DataType,
    before: Option<&DataType>,
    files: &[(&Value, Vec<usize>)],
    answers: &mut Answers,
) -> Result<Advice> {
    let mut advice = Advice { cast: None, obstacle: None, can_exclude: answers.prior.is_none_or(|p| !p.has(name)) };
    for to in candidates(own, target, before) {
        // A store's column may become wider, and nothing else.
        if let Some(before) = before
            && to != *before
            && (!join(&[before.clone(), to.clone()]).iter().any(|joined| joined.target == to)
                || answers.exact_before(name, &to)?.is_err())
        {
            continue;
        }
        let all: Vec<usize> = files.iter().flat_map(|(_, files)| files).copied().collect();
        match answers.no(&all, name, &Question::Readable(to.clone()))?.into_iter().next() {
            None => {
                let may_round = to.is_floating() || meets_beyond_nanoseconds(own, target);
                let is_rounded = may_round && !answers.no(&all, name, &Question::Exact(to.clone()))?.is_empty();
                let effect = match () {
                    () if is_rounded => Effect::Rounds,
                    () if is_text(&to) && !(is_text(own) && is_text(target)) => Effect::Spells,
                    () => Effect::Nothing,
                };
                advice.cast = Some((to, effect));
                break;
            }
            Some((_, why)) => advice.obstacle = advice.obstacle.or(Some(why)),
        }
    }
    Ok(advice)
}

/// The types to try, the best first.
fn candidates(own: &DataType, target: &DataType, before: Option<&DataType>) -> Vec<DataType> {
    // Text that is numbers becomes numbers; numbers that do not meet become the wider kind; instants keep their zone.
    let mut candidates = match (own, target) {
        _ if is_text(own) && !is_text(target) => vec![target.clone()],
        _ if is_text(target) && !is_text(own) => vec![own.clone()],
        (DataType::Timestamp(a, Some(zone)), DataType::Timestamp(b, _))
        | (DataType::Timestamp(a, _), DataType::Timestamp(b, Some(zone))) => {
            // On clocks that nobody here knows nothing can be read; instants are the same on all others.
            let zone = if parse_zone(zone).is_some() { Arc::clone(zone) } else { "UTC".into() };
            vec![DataType::Timestamp(finer(*a, *b), Some(zone))]
        }
        // The twenty digits of the largest unsigned number, and a sign.
        _ if own.is_integer() && target.is_integer() => vec![DataType::Decimal128(20, 0)],
        _ if own.is_numeric() && target.is_numeric() => vec![DataType::Float64],
        // Nanoseconds end in 2262.
        _ if meets_beyond_nanoseconds(own, target) => vec![DataType::Timestamp(TimeUnit::Microsecond, None)],
        _ => vec![target.clone(), own.clone()],
    };
    // Of a number and its text in another file, one of the two may be a fraction.
    if own.is_numeric() || target.is_numeric() {
        candidates.push(DataType::Float64);
    }
    candidates.extend(before.cloned());
    candidates.push(DataType::Utf8);
    let mut seen = Vec::new();
    candidates.retain(|candidate| {
        !seen.contains(candidate) && {
            seen.push(candidate.clone());
            true
        }
    });
    candidates
}

fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    let rank = |unit: TimeUnit| {
        [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond]
            .iter()
            .position(|other| *other == unit)
    };
    if rank(a) < rank(b) { b } else { a }
}

/// Says how a file's types do not meet those of the panel, and what helps.
pub(super) fn tell(conflicts: &[Conflict]) -> String {
    let Some(Conflict { column, own, common, why, .. }) = conflicts.first() else { return String::new() };
    let mut text = format!("its column {column:?} is {own}, but {common}; {why}");
    let others: Vec<String> = conflicts[1..].iter().take(NAMED).map(|other| format!("{:?}", other.column)).collect();
    if !others.is_empty() {
        let more = conflicts.len() - 1 - others.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let verb = if conflicts.len() == 2 { "differs" } else { "differ" };
        let _ = write!(text, "; {}{more} {verb}, too", others.join(", "));
    }
    let casts: Option<Vec<&(DataType, Effect)>> =
        conflicts.iter().map(|conflict| conflict.advice.cast.as_ref()).collect();
    let has = |wanted: Effect| casts.iter().flatten().any(|(_, effect)| *effect == wanted);
    if let Some(obstacle) = conflicts.iter().find_map(|conflict| conflict.advice.obstacle.as_ref())
        && (casts.is_none() || has(Effect::Spells))
        && !why.contains(obstacle.as_str())
    {
        let _ = write!(text, "; {obstacle}");
    }
    let it = if conflicts.len() == 1 { "it" } else { "them" };
    let options = |option: &str, value: &dyn Fn(&Conflict) -> String| {
        let options = conflicts.iter().map(|conflict| format!("--{option} {}", quoted(&value(conflict))));
        options.collect::<Vec<_>>().join(" ")
    };
    match &casts {
        Some(_) if conflicts.len() <= NAMED => {
            let cast = |conflict: &Conflict| {
                let to = conflict.advice.cast.as_ref().map_or(&conflict.own, |(to, _)| to);
                format!("{}={to}", conflict.column)
            };
            let effect = match () {
                () if has(Effect::Spells) => format!("reads {it} as text"),
                () if has(Effect::Rounds) => format!("reads {it}, rounded where it must"),
                () if conflicts.len() == 1 => "decides on one type".to_owned(),
                () => "decides on their types".to_owned(),
            };
            let _ = write!(text, "; {} {effect}", options("cast", &cast));
        }
        _ if conflicts.len() <= NAMED && conflicts.iter().all(|conflict| conflict.advice.can_exclude) => {
            let _ = write!(text, "; {} leaves {it} out", options("exclude", &|conflict| conflict.column.clone()));
        }
        _ => text.push_str("; no option reads this file beside the others: write it anew with their types"),
    }
    text
}
