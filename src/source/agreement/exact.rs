//! Answers, for the agreement on types, what it asks about the values of a file's column.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow_array::{Array, ArrayRef};
use arrow_cast::can_cast_types;
use arrow_schema::DataType;

use super::question::{Question, Questions};
use crate::compare::KeyOrder;
use crate::panel::can_be_key;
use crate::reason::{Kind, Reason};
use crate::source::allowance::Allowance;
use crate::source::content::{Content, Stamp, guarded};
use crate::source::convert::{convert, identity, shown_value, widen};
use crate::source::input::schema::{Decoder, FileSchema, Value};
use crate::source::types::shown_type;

/// The leaves of one file whose signed integers all lie within 53 bits by the footer's statistics. Kept, since the
/// question often comes for many columns of a file.
pub(in crate::source) type Small = OnceLock<Vec<usize>>;

/// Values that are looked at at once: of a file of few rows and many columns many columns, since to look at one takes as long
/// as the file has columns.
const VALUES_AT_ONCE: u64 = 1 << 16;

/// Columns that by themselves take more memory than a file may: where there are more, no other is looked at.
const TOO_LARGE: usize = 16;

/// Answers `questions` about columns of a file of so many rows by decoding them, as far as the answers need it. Only whether integers are
/// small is taken from the statistics in the footer, if they tell: they may be wrong, but the reader looks at each value
/// again.
pub(in crate::source) fn answer(
    path: &Path,
    stamp: Stamp,
    (schema, row_count): (&Arc<FileSchema>, u64),
    small: &Small,
    questions: &Questions,
    allowance: &Arc<Allowance>,
) -> Vec<Result<(), String>> {
    let values: HashMap<&str, &Value> = schema.values.iter().map(|value| (value.name.as_str(), value)).collect();
    let mut answers = vec![Ok(()); questions.len()];
    let mut open = Vec::new();
    for ((name, question), answer) in questions.iter().zip(&mut answers) {
        let Some(value) = values.get(name.as_str()) else { continue };
        match question {
            Question::Readable(to) | Question::Apart(to) if !can_cast_types(&value.raw, to) => {
                *answer = Err(format!("{} cannot be cast to {to}", shown_type(&value.raw)));
            }
            _ => open.push(Open { value, question, answer }),
        }
    }
    open.retain(|asked| !asked.is_known(small));
    if !open.is_empty()
        && let Err(reason) = look(path, stamp, (schema, row_count), small, &mut open, allowance)
    {
        open.iter_mut().for_each(|asked| *asked.answer = Err(reason.what().to_owned()));
    }
    answers
}

/// A question whose answer takes a look.
struct Open<'a> {
    value: &'a Value,
    question: &'a Question,
    /// That of a question is yes until something speaks against it.
    answer: &'a mut Result<(), String>,
}

/// Looks for the answers to all that is `open`.
fn look(
    path: &Path,
    stamp: Stamp,
    (schema, row_count): (&Arc<FileSchema>, u64),
    small: &Small,
    open: &mut Vec<Open>,
    allowance: &Arc<Allowance>,
) -> Result<(), Reason> {
    // Not read whole: the footer and some columns are little of a file.
    let content = Content::load(path, stamp, 0)?;
    let file = guarded(|| schema.open(content, allowance))?;
    if open.iter().any(Open::is_by_statistics) {
        small.get_or_init(|| file.small_leaves());
        open.retain(|asked| !asked.is_known(small));
    }
    open.sort_by_key(|asked| asked.value.leaf);
    let at_once = VALUES_AT_ONCE / row_count.clamp(1, VALUES_AT_ONCE);
    let mut too_large = 0;
    for some in open.chunks_mut(at_once as usize) {
        if guarded(|| check_all(&*file, some)).is_ok() {
            continue;
        }
        // Each by itself: that one cannot be read says nothing of the others.
        for one in some {
            *one.answer = Ok(());
            if let Err(reason) = guarded(|| check_all(&*file, std::slice::from_mut(one))) {
                *one.answer = Err(reason.what().to_owned());
                too_large += usize::from(reason.kind() == Kind::TooLarge);
                if too_large > TOO_LARGE {
                    return Err(reason);
                }
            }
        }
    }
    Ok(())
}

/// Answers what is asked about some columns, in the order of the file.
fn check_all(file: &dyn Decoder, some: &mut [Open]) -> Result<(), Reason> {
    let leaves: Vec<usize> = some.iter().map(|asked| asked.value.leaf).collect();
    if let [Open { question: Question::Apart(to), answer, .. }] = some {
        let columns = file.columns(&leaves, file.row_count().and_then(|rows| usize::try_from(rows).ok()))?;
        **answer = columns.iter().try_for_each(|array| stay_apart(array, to));
        return Ok(());
    }
    let mut row_count = 0;
    for batch in file.batches(&leaves)? {
        let batch = batch?;
        for (asked, array) in some.iter_mut().zip(&batch).filter(|(asked, _)| asked.answer.is_ok()) {
            *asked.answer = check(array, asked.question, row_count);
        }
        if some.iter().all(|asked| asked.answer.is_err()) {
            break;
        }
        row_count += batch.first().map_or(0, Array::len);
    }
    Ok(())
}

impl Open<'_> {
    fn is_by_statistics(&self) -> bool {
        self.value.raw == DataType::Int64 && matches!(self.question, Question::Exact(DataType::Float64))
    }

    /// Whether the statistics say yes.
    fn is_known(&self, small: &Small) -> bool {
        self.is_by_statistics() && small.get().is_some_and(|small| small.binary_search(&self.value.leaf).is_ok())
    }
}

fn check(array: &ArrayRef, question: &Question, before: usize) -> Result<(), String> {
    match question {
        Question::Empty if array.logical_null_count() == array.len() => Ok(()),
        Question::Empty => Err("it has values".to_owned()),
        Question::Exact(to) => widen(array, to, before).map(drop),
        Question::Readable(to) => convert(array, to, before).map(drop),
        Question::Apart(to) => stay_apart(array, to),
    }
}

/// Whether values of `array` that differ do so as `to`, too.
fn stay_apart(array: &ArrayRef, to: &DataType) -> Result<(), String> {
    if !can_be_key(to) {
        return Err(format!("a key column cannot be {to}"));
    }
    let converted = [convert(array, to, 0)?];
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
