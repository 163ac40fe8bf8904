//! Answers, for the agreement on types, what it asks about the values of a file's column.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow_array::{Array, ArrayRef};
use arrow_cast::can_cast_types;
use arrow_schema::DataType;

use super::question::Question;
use crate::compare::KeyOrder;
use crate::panel::can_be_key;
use crate::reason::{Kind, Reason};
use crate::source::allowance::Allowance;
use crate::source::content::{Content, Stamp, guarded};
use crate::source::convert::{convert, identity, shown_value, widen};
use crate::source::input::schema::{FileSchema, Value};
use crate::source::types::shown_type;

/// The leaves of one file whose signed integers all lie within 53 bits by the footer's statistics. Kept, since the
/// question often comes for many columns of a file.
pub(in crate::source) type Small = OnceLock<Vec<usize>>;

/// Answers `question` about a file's column by decoding it, as far as the answer needs it. Only whether integers are
/// small is taken from the statistics in the footer, if they tell: they may be wrong, but the reader looks at each value
/// again.
pub(in crate::source) fn answer(
    path: &Path,
    stamp: Stamp,
    schema: &Arc<FileSchema>,
    small: &Small,
    name: &str,
    question: &Question,
    allowance: &Arc<Allowance>,
) -> Result<(), String> {
    let Some(value) = schema.values.iter().find(|value| value.name == name) else { return Ok(()) };
    if let Question::Readable(to) | Question::Apart(to) = question
        && !can_cast_types(&value.raw, to)
    {
        return Err(format!("{} cannot be cast to {to}", shown_type(&value.raw)));
    }
    if is_by_statistics(value, question) && small.get().is_some_and(|small| small.contains(&value.leaf)) {
        return Ok(());
    }
    look(path, stamp, schema, small, value, question, allowance).map_err(|reason| reason.what().to_owned())
}

fn look(
    path: &Path,
    stamp: Stamp,
    schema: &Arc<FileSchema>,
    small: &Small,
    value: &Value,
    question: &Question,
    allowance: &Arc<Allowance>,
) -> Result<(), Reason> {
    // Not read whole: the footer and one column are little of a file.
    let content = Content::load(path, stamp, 0)?;
    guarded(|| {
        let file = schema.open(content, allowance)?;
        if is_by_statistics(value, question) && small.get_or_init(|| file.small_leaves()).contains(&value.leaf) {
            return Ok(());
        }
        let inexact = |why: String| Reason::new(Kind::InexactValue, why);
        if let Question::Apart(to) = question {
            let columns = file.columns(&[value.leaf], file.row_count().and_then(|rows| usize::try_from(rows).ok()))?;
            return columns.iter().try_for_each(|array| stay_apart(array, to).map_err(inexact));
        }
        let mut row_count = 0;
        for batch in file.batches(&[value.leaf])? {
            let array = &batch?[0];
            check(array, question, row_count).map_err(inexact)?;
            row_count += array.len();
        }
        Ok(())
    })
}

fn is_by_statistics(value: &Value, question: &Question) -> bool {
    value.raw == DataType::Int64 && matches!(question, Question::Exact(DataType::Float64))
}

fn check(array: &ArrayRef, question: &Question, before: usize) -> Result<(), String> {
    match question {
        Question::Empty if array.logical_null_count() == array.len() => Ok(()),
        Question::Empty => Err("it has values".to_owned()),
        Question::Exact(to) => widen(array, to, before).map(drop),
        Question::Readable(to) => convert(array, to).map(drop),
        Question::Apart(to) => stay_apart(array, to),
    }
}

/// Whether values of `array` that differ do so as `to`, too.
fn stay_apart(array: &ArrayRef, to: &DataType) -> Result<(), String> {
    if !can_be_key(to) {
        return Err(format!("a key column cannot be {to}"));
    }
    let converted = [convert(array, to)?];
    let order = KeyOrder::new(&converted, &converted).map_err(|error| error.to_string())?;
    let same = identity(array, array)?;
    let mut rows: Vec<usize> = (0..array.len()).collect();
    rows.sort_by(|&a, &b| order.compare(a, b));
    let met = rows.windows(2).find(|pair| order.compare(pair[0], pair[1]).is_eq() && !same(pair[0], pair[1]));
    met.map_or(Ok(()), |pair| {
        let (a, b) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
        let [first, second] = [a, b].map(|row| shown_value(array, row));
        Err(format!("rows {} and {}: {first} and {second} are the same key as {to}", a + 1, b + 1))
    })
}
