//! What of a section a plan selects, and the bytes of its file.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, BooleanArray};
use arrow_select::filter::filter;

use super::plan::Plan;
use crate::error::{Error, Result};
use crate::sink::{Encoder, OutputColumn, Put, Scratch};
use crate::store::{Piece, Store, StoredColumn};

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
    let mut rows = 0;
    for place in 0..section.piece_count() {
        let part = section.part(place..place + 1);
        let Some(piece) = part.only_piece()? else { continue };
        let written = use_columns(piece, plan, |columns, row_count| {
            file.write(columns, row_count, put)?;
            piece.check_columns(&plan.columns).map(|()| row_count as u64)
        })?;
        rows += written.unwrap_or(0);
    }
    match rows {
        0 => Ok(0),
        rows => file.finish(put).map(|()| rows),
    }
}

/// Gives the columns and the number of rows of `piece` that `plan` selects to `take`, which has checksums compared when
/// it has used them; `None` when no row is left.
///
/// # Errors
/// When the piece is damaged, or `take` fails.
pub(super) fn use_columns<R>(
    piece: &Piece,
    plan: &Plan,
    take: impl FnOnce(&[OutputColumn], usize) -> Result<R>,
) -> Result<Option<R>> {
    let result = select(piece, plan).and_then(|(columns, row_count)| match row_count {
        0 => piece.check_columns(&[]).map(|()| None),
        _ => take(&columns, row_count).map(Some),
    });
    // Where bytes are damaged, that is the cause of whatever went wrong.
    result.or_else(|error| piece.check_columns(&plan.columns).and(Err(error)))
}

/// The columns and the number of rows of `piece` that `plan` selects; without columns when no row is left.
fn select(piece: &Piece, plan: &Plan) -> Result<(Vec<OutputColumn>, usize)> {
    let code = piece.unchecked_code()?;
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

/// Which rows of a section are of `stocks`.
fn chosen(codes: &ArrayRef, stocks: &HashSet<i32>) -> BooleanArray {
    let numbers = codes.as_dictionary::<Int32Type>().keys().values();
    numbers.iter().map(|stock| Some(stocks.contains(stock))).collect()
}
