//! Which column tells rows of one key apart: a panel with such rows lacks it in its key, and leaving rows out would lose
//! what they say.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use crate::compare::KeyOrder;
use crate::error::Result;
use crate::hint::listed;
use crate::key::Date;
use crate::panel::{can_be_key, show};
use crate::reason::{Kind, Reason};
use crate::source::code_column::is_of_codes;
use crate::source::convert::{identity, shown_value};

/// A column of rows that are compared.
#[derive(Clone, Copy)]
pub(in crate::source) struct Compared<'a> {
    pub(in crate::source) name: &'a str,
    pub(in crate::source) logical: &'a DataType,
    pub(in crate::source) array: &'a ArrayRef,
}

/// Two rows of one key that differ.
pub(in crate::source) struct Differing<'a> {
    pub(in crate::source) claim: (usize, usize),
    pub(in crate::source) what: Difference<'a>,
    /// The column that tells all such rows apart, if one does: then no row is one too many.
    pub(in crate::source) telling: Option<Compared<'a>>,
    /// A column that differs and has codes, by its name: then rows of one stock are of several.
    pub(in crate::source) codes: Option<&'a str>,
}

/// In what they differ.
pub(in crate::source) struct Difference<'a> {
    first: Compared<'a>,
    others: Vec<&'a str>,
}

/// The first pair of `claims` whose rows are not the same in all of `columns`.
pub(in crate::source) fn differing<'a>(
    columns: &[Compared<'a>],
    claims: &[(u32, u32)],
) -> Result<Option<Differing<'a>>, Reason> {
    let mut found: Vec<(usize, Compared)> = Vec::new();
    for column in columns {
        let same = identity(column.array, column.array).map_err(Reason::undecodable)?;
        if let Some(at) = claims.iter().position(|&(a, b)| !same(a as usize, b as usize)) {
            found.push((at, *column));
        }
    }
    let Some(&(at, first)) = found.iter().min_by_key(|(at, _)| *at) else { return Ok(None) };
    let others = found.iter().map(|(_, column)| column.name).filter(|name| *name != first.name).collect();
    let claim = (claims[at].0 as usize, claims[at].1 as usize);
    let has_codes = |column: &&Compared| is_of_codes(column.name, column.logical);
    let codes = found.iter().map(|(_, column)| column).find(has_codes).map(|column| column.name);
    Ok(Some(Differing { claim, what: Difference { first, others }, telling: telling(columns, claims)?, codes }))
}

impl Difference<'_> {
    /// Why the file is left out: its rows of this date and `key` differ, `this` row of the key and the column and another
    /// that is at `that` place.
    pub(in crate::source) fn told(
        &self,
        date: Option<&Date>,
        key: &[ArrayRef],
        (this, at): (usize, &str),
        (that, there): (usize, &str),
    ) -> Reason {
        let Difference { first: Compared { name, array, .. }, others } = self;
        let key: String = key.iter().map(|column| format!(" {}", show(column, this))).collect();
        let date = date.map_or_else(|| "one date".to_owned(), Date::to_string);
        let (ours, theirs) = (shown_value(array, this), shown_value(array, that));
        let mut what =
            format!("has differing rows for {date}{key}: {name:?} is {ours} in {at} and {theirs} in {there}");
        if !others.is_empty() {
            let others: Vec<String> = others.iter().map(|name| format!("{name:?}")).collect();
            let verb = if others.len() == 1 { "differs" } else { "differ" };
            what += &format!("; {} {verb}, too", listed(&others));
        }
        Reason::new(Kind::DifferingRows, what)
    }
}

/// The column of `columns` that tells apart all rows of one key that are not identical, which `claims` names in pairs;
/// one of text or time rather than of numbers, since numbers differ by chance.
fn telling<'a>(columns: &[Compared<'a>], claims: &[(u32, u32)]) -> Result<Option<Compared<'a>>, Reason> {
    let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for &(first, other) in claims {
        groups.entry(first).or_insert_with(|| vec![first as usize]).push(other as usize);
    }
    let is_number =
        |column: &Compared| column.logical.is_integer() || matches!(column.logical, DataType::Decimal128(..));
    let mut candidates: Vec<&Compared<'a>> = columns
        .iter()
        .filter(|Compared { logical, array, .. }| {
            can_be_key(logical) && **logical != DataType::Boolean && array.logical_null_count() == 0
        })
        .collect();
    candidates.sort_by_key(|column| is_number(column));
    for column in candidates {
        let arrays = std::slice::from_ref(column.array);
        let order = KeyOrder::new(arrays, arrays).map_err(Reason::undecodable)?;
        if tells(columns, &order, &groups)? && (!is_number(column) || repeats(&order, &groups)) {
            return Ok(Some(*column));
        }
    }
    Ok(None)
}

/// Whether rows of one of `groups` that are equal by `order` are identical.
fn tells(columns: &[Compared], order: &KeyOrder, groups: &BTreeMap<u32, Vec<usize>>) -> Result<bool, Reason> {
    let same = columns.iter().map(|column| identity(column.array, column.array)).collect::<Result<Vec<_>, _>>();
    let same = same.map_err(Reason::undecodable)?;
    Ok(groups.values().all(|rows| {
        let mut rows = rows.clone();
        rows.sort_by(|&a, &b| order.compare(a, b));
        rows.windows(2).all(|pair| {
            order.compare(pair[0], pair[1]) != Ordering::Equal || same.iter().all(|same| same(pair[0], pair[1]))
        })
    }))
}

/// Whether most values come again in another of `groups`, as those of a key do and those of a measurement do not.
fn repeats(order: &KeyOrder, groups: &BTreeMap<u32, Vec<usize>>) -> bool {
    let mut rows: Vec<usize> = groups.values().flatten().copied().collect();
    rows.sort_by(|&a, &b| order.compare(a, b));
    let count = rows.len();
    rows.dedup_by(|a, b| order.compare(*a, *b) == Ordering::Equal);
    groups.len() > 1 && rows.len() * 2 <= count
}
