//! What of a section a plan selects, and the bytes of its file.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, BooleanArray};
use arrow_select::filter::filter;

use super::plan::Plan;
use crate::error::{Error, Result};
use crate::sink::{Encoder, OutputColumn, Put, Scratch};
use crate::store::{Section, Store, StoredColumn};

/// Gives the bytes of the file of the `index`-th date to `put`; the number of its rows, and nothing put when that is 0.
///
/// Checksums are compared after encoding: what another program overwrites while it is mapped is found, too. Nothing may
/// get its final name before this returns.
///
/// # Errors
/// When the section is damaged, the format cannot hold a value, or `put` fails.
pub(super) fn encode_section(
    store: &Store,
    index: usize,
    plan: &Plan,
    encoder: &Encoder,
    scratch: &mut Scratch,
    put: &mut Put<'_>,
) -> Result<u64> {
    let section = store.section_at(index)?;
    let mut file = encoder.begin(scratch)?;
    let written = use_columns(&section, plan, |columns, row_count| {
        file.write(columns, row_count, put)?;
        section.check_columns(&plan.columns).map(|()| row_count as u64)
    })?;
    match written {
        Some(rows) => file.finish(put).map(|()| rows),
        None => Ok(0),
    }
}

/// Gives the columns and the number of rows of `section` that `plan` selects to `take`, which has checksums compared
/// when it has used them; `None` when no row is left.
///
/// # Errors
/// When the section is damaged, or `take` fails.
pub(super) fn use_columns<R>(
    section: &Section,
    plan: &Plan,
    take: impl FnOnce(&[OutputColumn], usize) -> Result<R>,
) -> Result<Option<R>> {
    let result = select(section, plan).and_then(|(columns, row_count)| match row_count {
        0 => section.check_columns(&[]).map(|()| None),
        _ => take(&columns, row_count).map(Some),
    });
    // Where bytes are damaged, that is the cause of whatever went wrong.
    result.or_else(|error| section.check_columns(&plan.columns).and(Err(error)))
}

/// The columns and the number of rows of `section` that `plan` selects; without columns when no row is left.
fn select(section: &Section, plan: &Plan) -> Result<(Vec<OutputColumn>, usize)> {
    let code = section.unchecked_code()?;
    // First of all, because with few stocks most sections end here.
    let chosen = plan.stocks.as_ref().map(|stocks| chosen(code.stored(), stocks));
    if chosen.as_ref().is_some_and(|chosen| chosen.true_count() == 0) {
        return Ok((Vec::new(), 0));
    }
    let mut columns = Vec::with_capacity(plan.schema.fields().len());
    let stored = |column: StoredColumn, distinct| OutputColumn::Stored {
        array: column.stored().clone(),
        logical: column.logical_type().clone(),
        distinct,
    };
    columns.push(stored(code, plan.is_code_unique));
    if plan.date {
        columns.push(OutputColumn::Constant(section.date_value()?));
    }
    for &index in &plan.columns {
        columns.push(stored(section.unchecked_column(index)?, false));
    }
    let Some(chosen) = chosen else { return Ok((columns, section.row_count())) };
    for column in &mut columns {
        if let OutputColumn::Stored { array, .. } = column {
            *array = filter(array, &chosen).map_err(Error::failed("choose stocks"))?;
        }
    }
    Ok((columns, chosen.true_count()))
}

/// Which rows of a section are of `stocks`.
fn chosen(codes: &ArrayRef, stocks: &HashSet<i32>) -> BooleanArray {
    let numbers = codes.as_dictionary::<Int32Type>().keys().values();
    numbers.iter().map(|stock| Some(stocks.contains(stock))).collect()
}
