//! What helps a file whose types do not meet those of the others. Only what was tried on all files is recommended.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use arrow_schema::{DataType, TimeUnit};

use super::question::{Answers, Question, Unsettled};
use crate::panel::parse_zone;
use crate::reason::{Kind, Reason};
use crate::remedy::{CastTo, Remedy, Setting, taking_for_null};
use crate::source::input::schema::Value;
use crate::source::types::{is_text, join, meets_beyond_nanoseconds};

/// Columns that a reason names.
const NAMED: usize = 5;

/// A column of a file whose type does not meet that of the panel.
#[derive(Debug, Clone)]
pub(in crate::source) struct Conflict {
    pub(in crate::source) column: String,
    pub(in crate::source) own: DataType,
    /// What the panel has instead, and in how many files.
    pub(in crate::source) common: String,
    pub(in crate::source) why: String,
    pub(in crate::source) advice: Advice,
}

/// The way out of a conflict.
#[derive(Debug, Clone)]
pub(in crate::source) struct Advice {
    /// A type as which every value can be read of all files that are read without it, and what that does to them.
    cast: Option<(DataType, Effect)>,
    /// Which of the refused files it does not read, and why.
    unread: HashMap<usize, String>,
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
    /// Times on clocks that nobody knows are taken for those of a zone.
    Places,
}

/// What files disagree on.
pub(super) struct Dispute<'a> {
    pub(in crate::source) column: &'a str,
    /// The type of the files that are refused.
    pub(in crate::source) own: &'a DataType,
    /// The type on which the others agree.
    pub(in crate::source) target: &'a DataType,
    /// The column's type in the panel that was there before.
    pub(in crate::source) before: Option<&'a DataType>,
    /// All types, most files first.
    pub(in crate::source) types: &'a [(&'a Value, Vec<usize>)],
    pub(in crate::source) refused: &'a [usize],
}

/// Finds a type as which all files can read their column, or else all but some of the refused ones.
pub(super) fn advise(dispute: &Dispute, answers: &mut Answers) -> Result<Advice, Unsettled> {
    let Dispute { column, own, target, before, types, refused } = *dispute;
    let can_exclude = answers.prior.is_none_or(|prior| !prior.has(column));
    let mut advice = Advice { cast: None, unread: HashMap::new(), obstacle: None, can_exclude };
    let all: Vec<usize> = types.iter().flat_map(|(_, files)| files).copied().collect();
    for to in candidates(dispute) {
        // A store's column may become wider, and nothing else.
        if let Some(before) = before
            && to != *before
            && (!join(&[before.clone(), to.clone()]).iter().any(|joined| joined.target == to)
                || answers.exact_before(column, &to)?.is_err())
        {
            continue;
        }
        let unread: HashMap<usize, String> =
            answers.no(&all, column, &Question::Readable(to.clone()))?.into_iter().collect();
        if let Some(why) = all.iter().find_map(|file| unread.get(file)) {
            advice.obstacle.get_or_insert_with(|| why.clone());
        }
        // Who is read today must be read with it.
        let loses = unread.keys().any(|file| !refused.contains(file));
        if loses || unread.len() >= refused.len() || (advice.cast.is_some() && !unread.is_empty()) {
            continue;
        }
        let readable: Vec<usize> = all.iter().copied().filter(|file| !unread.contains_key(file)).collect();
        let may_round = to.is_floating() || to.is_decimal() || meets_beyond_nanoseconds(own, target);
        let is_rounded = may_round && !answers.no(&readable, column, &Question::Exact(to.clone()))?.is_empty();
        let effect = match () {
            () if is_rounded => Effect::Rounds,
            () if is_text(&to) && !(is_text(own) && is_text(target)) => Effect::Spells,
            () if is_instant(&to) && types.iter().any(|(value, _)| !is_instant(&value.logical)) => Effect::Places,
            () => Effect::Nothing,
        };
        let is_whole = unread.is_empty();
        (advice.cast, advice.unread) = (Some((to, effect)), unread);
        if is_whole {
            break;
        }
    }
    Ok(advice)
}

/// The types to try, the best first.
fn candidates(dispute: &Dispute) -> Vec<DataType> {
    let Dispute { own, target, types, .. } = *dispute;
    // Text that is numbers becomes numbers; numbers that do not meet become the wider kind; instants keep a zone.
    let mut candidates = match (own, target) {
        // What was cast to numbers, and lost its unit, stays what it is.
        _ if types.iter().all(|(value, _)| value.logical != *own) => {
            join(&[own.clone(), target.clone()]).into_iter().map(|joined| joined.target).collect()
        }
        _ if is_text(own) && !is_text(target) => vec![target.clone()],
        _ if is_text(target) && !is_text(own) => vec![own.clone()],
        (DataType::Timestamp(..), DataType::Timestamp(..)) if is_instant(own) || is_instant(target) => {
            vec![instants(dispute)]
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
    candidates.extend(dispute.before.cloned());
    // What a bare number counts nobody knows, and a time without its unit is one.
    if own.is_temporal() != target.is_temporal() {
        candidates.retain(|candidate| !(own.is_numeric() || target.is_numeric()) || is_text(candidate));
    }
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

fn is_instant(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, Some(_)))
}

/// Where timestamps on several clocks meet: one type for all of them, so that each of the files hears the same.
fn instants(dispute: &Dispute) -> DataType {
    let types = dispute.before.into_iter().chain(dispute.types.iter().map(|(value, _)| &value.logical));
    let (mut unit, mut known) = (TimeUnit::Second, None);
    for data_type in types {
        if let DataType::Timestamp(own, zone) = data_type {
            unit = finer(unit, *own);
            known = known.or_else(|| zone.as_ref().filter(|zone| parse_zone(zone).is_some()));
        }
    }
    // On clocks that nobody here knows nothing can be read; instants are the same on all others.
    DataType::Timestamp(unit, Some(known.map_or_else(|| "UTC".into(), Arc::clone)))
}

fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    let rank = |unit: TimeUnit| {
        [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond]
            .iter()
            .position(|other| *other == unit)
    };
    if rank(a) < rank(b) { b } else { a }
}

/// Says how the types of `file` do not meet those of the panel, and what helps. A file `of_fields` may have words that stand
/// for a null.
pub(in crate::source) fn tell(file: usize, conflicts: &[Conflict], of_fields: bool) -> Option<Reason> {
    let Conflict { column, own, common, why, .. } = conflicts.first()?;
    let mut text = format!("its column {column:?} is {own}, but {common}; {why}");
    let others: Vec<String> = conflicts[1..].iter().take(NAMED).map(|other| format!("{:?}", other.column)).collect();
    if !others.is_empty() {
        let more = conflicts.len() - 1 - others.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let verb = if conflicts.len() == 2 { "differs" } else { "differ" };
        let _ = write!(text, "; {}{more} {verb}, too", others.join(", "));
    }
    let casts: Vec<Option<&(DataType, Effect)>> = conflicts.iter().map(|conflict| conflict.cast_for(file)).collect();
    let has = |wanted: Effect| casts.iter().flatten().any(|(_, effect)| *effect == wanted);
    if let Some(obstacle) = conflicts.iter().find_map(|conflict| conflict.obstacle_for(file))
        && (casts.contains(&None) || has(Effect::Spells))
        && !why.contains(obstacle)
    {
        let _ = write!(text, "; {obstacle}");
    }
    let reason = Reason::new(Kind::TypesDiffer, text).of_column(column);
    let apart: Vec<&Conflict> = conflicts.iter().filter(|conflict| conflict.cast_for(file).is_none()).collect();
    if apart.iter().any(|conflict| conflict.advice.cast.is_some()) {
        return Some(reason.or(Remedy::Do("write the file anew with another value there".to_owned())));
    }
    if of_fields && apart.iter().any(|conflict| is_text(&conflict.own) && !conflict.advice.can_exclude) {
        let rewrite = "write the file anew with the types of the others";
        return Some(reason.or(taking_for_null()).or(Remedy::Do(rewrite.to_owned())));
    }
    if conflicts.len() > NAMED || apart.iter().any(|conflict| !conflict.advice.can_exclude) {
        let rewrite = "write the file anew with the types of the others, since no setting reads it beside them";
        return Some(reason.or(Remedy::Do(rewrite.to_owned())));
    }
    let it = if conflicts.len() == 1 { "it" } else { "them" };
    let effect = match () {
        () if apart.len() == conflicts.len() => format!("leaves {it} out"),
        () if has(Effect::Spells) => format!("reads {it} as text"),
        () if has(Effect::Rounds) => format!("reads {it}, rounded where it must"),
        () if has(Effect::Places) => format!("reads {it}, and takes clock times for those of that zone"),
        () if !apart.is_empty() => "reads the file".to_owned(),
        () if conflicts.len() == 1 => "decides on one type".to_owned(),
        () => "decides on their types".to_owned(),
    };
    let cast: Vec<CastTo> = conflicts
        .iter()
        .zip(&casts)
        .filter_map(|(conflict, cast)| Some(CastTo { column: conflict.column.clone(), to: (*cast)?.0.to_string() }))
        .collect();
    let apart: Vec<String> = apart.iter().map(|conflict| conflict.column.clone()).collect();
    let cast = (!cast.is_empty()).then_some(Setting::Cast(cast));
    let apart = (!apart.is_empty()).then_some(Setting::Exclude(apart));
    Some(reason.or(Remedy::Set { settings: cast.into_iter().chain(apart).collect(), effect }))
}

impl Conflict {
    /// The cast that helps `file`, if one does.
    fn cast_for(&self, file: usize) -> Option<&(DataType, Effect)> {
        self.advice.cast.as_ref().filter(|_| !self.advice.unread.contains_key(&file))
    }

    /// The value that is in the way: its own, where it has one.
    fn obstacle_for(&self, file: usize) -> Option<&str> {
        self.advice.unread.get(&file).or(self.advice.obstacle.as_ref()).map(String::as_str)
    }
}
