//! What of a piece a plan selects.

use arrow_array::BooleanArray;
use arrow_select::filter::filter;

use super::plan::Plan;
use crate::error::{Error, Result};
use crate::sink::OutputColumn;
use crate::store::{Piece, Section, StoredColumn};

/// What `work` makes of `piece`. Where its bytes are damaged, that is the cause of whatever went wrong.
///
/// # Errors
/// When the piece is damaged, or `work` fails.
pub(super) fn checked<R>(piece: &Piece, plan: &Plan, work: impl FnOnce() -> Result<R>) -> Result<R> {
    work().or_else(|error| piece.check_columns(&plan.columns).and(Err(error)))
}

/// The columns and the number of rows of `piece`, the only one of `part`, that `plan` selects; without columns when no
/// row is left. Checksums are for the caller to compare.
///
/// # Errors
/// When the piece is damaged.
pub(super) fn select(part: &Section, piece: &Piece, plan: &Plan) -> Result<(Vec<OutputColumn>, usize)> {
    let code = piece.unchecked_code()?;
    // First of all, because with few stocks most sections end here.
    let chosen = plan.answer.rows(part)?.map(|chosen| BooleanArray::new(chosen, None));
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
        columns.push(OutputColumn::Constant(plan.date_form.repeated(piece.date(), 1)?));
    }
    for &index in &plan.columns {
        columns.push(stored(piece.unchecked_column(index)?, false));
    }
    let Some(chosen) = chosen else { return Ok((columns, piece.row_count())) };
    for column in &mut columns {
        if let OutputColumn::Stored { array, .. } = column {
            *array = filter(array, &chosen).map_err(Error::failed("choose stocks"))?;
        }
    }
    Ok((columns, chosen.true_count()))
}
