//! What a survey asks of the values that a store has.

use std::cell::Cell;

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use crate::error::{Error, Result};
use crate::format::Stored;
use crate::progress::Observer;
use crate::source::{check_values, says_times};
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

/// Whether something holds of all values of a column of `store`, which has it.
pub(super) fn all_in_store(store: &Store, name: &str, holds: &dyn Fn(&ArrayRef) -> bool) -> Result<bool> {
    let Some(index) = store.schema()?.index_of(name) else { return Ok(true) };
    for at in 0..store.dates()?.len() {
        for part in store.section_at(at)?.parts() {
            if !holds(&part.column_at(index)?.logical()?) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Whether a column of `store` has instants: its first values tell.
pub(super) fn says_times_in_store(store: &Store, name: &str) -> bool {
    let says = Cell::new(false);
    let first = |values: &ArrayRef| {
        says.set(says_times(values));
        false
    };
    all_in_store(store, name, &first).is_ok() && says.get()
}
