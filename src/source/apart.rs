//! Which column tells rows of one key apart: a panel with such rows lacks it in its key, and leaving rows out would lose
//! what they say.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::content::Stamp;
use super::convert::identity;
use super::exact::{Small, answer};
use super::parquet::footer::Value;
use super::question::Question;
use super::survey::Survey;
use crate::compare::KeyOrder;
use crate::error::{Error, Result};
use crate::panel::can_be_key;
use crate::progress::Observer;
use crate::reason::Reason;
use crate::workers::Workers;

/// The column of `columns` that tells apart all rows of one key that are not identical, which `claims` names in pairs;
/// one of text or time rather than of numbers, since numbers differ by chance.
pub(super) fn telling<'a>(
    columns: &[(&'a Value, &ArrayRef)],
    claims: &[(u32, u32)],
) -> Result<Option<&'a str>, Reason> {
    let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for &(first, other) in claims {
        groups.entry(first).or_insert_with(|| vec![first as usize]).push(other as usize);
    }
    let is_number = |value: &Value| value.logical.is_integer() || matches!(value.logical, DataType::Decimal128(..));
    let mut candidates: Vec<&(&Value, &ArrayRef)> = columns
        .iter()
        .filter(|(value, array)| {
            can_be_key(&value.logical) && value.logical != DataType::Boolean && array.logical_null_count() == 0
        })
        .collect();
    candidates.sort_by_key(|(value, _)| is_number(value));
    for (value, array) in candidates {
        let order = KeyOrder::new(&[(*array).clone()], &[(*array).clone()]).map_err(Reason::undecodable)?;
        if tells(columns, &order, &groups)? && (!is_number(value) || repeats(&order, &groups)) {
            return Ok(Some(&value.name));
        }
    }
    Ok(None)
}

/// Whether rows of one of `groups` that are equal by `order` are identical.
fn tells(
    columns: &[(&Value, &ArrayRef)],
    order: &KeyOrder,
    groups: &BTreeMap<u32, Vec<usize>>,
) -> Result<bool, Reason> {
    let same = columns.iter().map(|(_, array)| identity(array, array)).collect::<Result<Vec<_>, _>>();
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

impl Survey {
    /// Whether each row of each file has a value in the column `name`. Costs reading that column.
    ///
    /// # Errors
    /// When the observer cancels.
    pub(crate) fn is_full(&self, name: &str, workers: &Workers, observer: &dyn Observer) -> Result<bool> {
        let full = workers.try_map(self.inputs.len(), |n| {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let input = &self.inputs[n];
            let stamp = Stamp { byte_len: input.byte_len, modified_ns: input.modified_ns };
            let (path, schema) = (self.root.join(&input.path), &input.layout.schema);
            let is_there = input.row_count == 0 || schema.values.iter().any(|value| value.name == name);
            let asked = || answer(&path, stamp, schema, &Small::default(), name, &Question::Full, &self.allowance);
            Ok(is_there && asked().is_ok())
        })?;
        Ok(full.into_iter().all(|full| full))
    }
}
