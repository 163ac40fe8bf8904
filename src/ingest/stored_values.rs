//! What a survey asks of the values that a store has.

use arrow_schema::DataType;

use crate::error::{Error, Result};
use crate::format::Stored;
use crate::progress::Observer;
use crate::source::check_values;
use crate::store::Store;
use crate::workers::Workers;

/// Whether all values of a column of `store` are exact in another type; the inner error says why not.
pub(super) fn exact_in_store(
    store: &Store,
    name: &str,
    to: &DataType,
    workers: &Workers,
    observer: &dyn Observer,
) -> Result<Result<(), String>> {
    let panel = store.schema()?;
    let Some(index) = panel.index_of(name) else { return Ok(Ok(())) };
    let is_integer = panel.columns[index].data_type.is_integer();
    let answers = workers.try_map(store.dates()?.len(), |at| {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let section = store.section_at(at)?;
        // Integers of fewer than 64 bits are exact in a double.
        let is_narrow = |stored: Stored| *to == DataType::Float64 && is_integer && stored < Stored::Bytes8;
        for part in section.parts() {
            let piece = part.only_piece()?.cloned();
            let raw = piece.as_ref().map(|piece| piece.raw(index)).transpose()?.flatten();
            if raw.is_none_or(|raw| is_narrow(raw.stored)) {
                continue;
            }
            let values = part.column_at(index)?.logical()?;
            if let Err(why) = check_values(&values, to) {
                return Ok(Err(format!("{}, {why}", section.date())));
            }
        }
        Ok(Ok(()))
    })?;
    Ok(answers.into_iter().find(Result::is_err).unwrap_or(Ok(())))
}

/// Whether a column of `store` has a value.
pub(super) fn has_value_in_store(store: &Store, name: &str) -> Result<bool> {
    let panel = store.schema()?;
    let Some(index) = panel.index_of(name) else { return Ok(false) };
    for at in 0..store.dates()?.len() {
        if store.section_at(at)?.has_value(index)? {
            return Ok(true);
        }
    }
    Ok(false)
}
