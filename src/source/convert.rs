//! Turns a file's column into the panel's type, exactly or with a reason, and compares values bit for bit.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_ord::ord::make_comparator;
use arrow_schema::{DataType, SortOptions};

use super::types::{is_text, logical};
use crate::panel::show;

/// `array` as `to`, where the values stay exactly the same; `before` rows of the file come before it.
///
/// # Errors
/// The first row (from 1) whose value `to` does not hold, as a reason.
pub(super) fn widen(array: &ArrayRef, to: &DataType, before: usize) -> Result<ArrayRef, String> {
    let from = array.data_type();
    if has_no_value(array) {
        return Ok(new_null_array(to, array.len()));
    }
    if let (DataType::Int64 | DataType::UInt64, DataType::Float64) = (from, to) {
        // Null slots may hold anything.
        let inexact = |row: &usize| {
            array.is_valid(*row)
                && !match array.as_primitive_opt::<Int64Type>() {
                    Some(signed) => fits_double(signed.value(*row).unsigned_abs()),
                    None => fits_double(array.as_primitive::<UInt64Type>().value(*row)),
                }
        };
        if let Some(row) = (0..array.len()).find(inexact) {
            return Err(no_exact_value(array, row, before, to));
        }
        return convert(array, to);
    }
    let out = convert(array, to)?;
    if surely_exact(from, to) {
        return Ok(out);
    }
    let back = cast_with_options(&out, from, &CastOptions { safe: true, ..CastOptions::default() })
        .map_err(|error| error.to_string())?;
    match first_difference(array, &back)? {
        Some(row) => Err(no_exact_value(array, row, before, to)),
        None => Ok(out),
    }
}

/// Whether there are but nulls, which are the same in every type.
fn has_no_value(array: &ArrayRef) -> bool {
    array.logical_null_count() == array.len()
}

/// Whether every value of `array` is exact in type `to`.
///
/// # Errors
/// Names the first that is not.
pub(crate) fn check_values(array: &ArrayRef, to: &DataType) -> Result<(), String> {
    widen(array, to, 0).map(drop)
}

/// Whether an integer of this magnitude is exact as a double: its significant bits fit 53.
pub(super) fn fits_double(magnitude: u64) -> bool {
    // Zero has 64 leading and 64 trailing zeros, and no bit between them.
    magnitude == 0 || 64 - magnitude.leading_zeros() - magnitude.trailing_zeros() <= 53
}

/// `array` as `to`, by a user's decision: values may be rounded to the precision of `to`, but none may be lost, and a
/// fraction never becomes an integer.
///
/// # Errors
/// The first row (from 1) whose value cannot be read as `to`, as a reason.
pub(super) fn convert(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, String> {
    let from = array.data_type();
    if from == to {
        return Ok(array.clone());
    }
    if has_no_value(array) {
        return Ok(new_null_array(to, array.len()));
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let out = match cast_with_options(array, to, &strict) {
        Ok(out) => out,
        Err(error) => {
            // The strict cast does not say which row it was; the lenient one leaves a null there.
            let lenient = CastOptions { safe: true, ..CastOptions::default() };
            let lost = cast_with_options(array, to, &lenient).ok().and_then(|out| newly_null(array, &out));
            return Err(match lost {
                Some(row) => format!("row {}: {} cannot be read as {to}", row + 1, shown_value(array, row)),
                None => format!("cannot be cast from {from} to {to}: {error}"),
            });
        }
    };
    let cut = || if from.is_floating() && to.is_integer() { first_fraction(array) } else { None };
    match newly_null(array, &out).or_else(cut) {
        Some(row) => Err(format!("row {}: {} cannot be read as {to}", row + 1, shown_value(array, row))),
        None => Ok(out),
    }
}

/// The first row of a column of floats that is no whole number.
fn first_fraction(array: &ArrayRef) -> Option<usize> {
    let is_fraction = |row: &usize| {
        array.is_valid(*row)
            && match array.as_primitive_opt::<Float32Type>() {
                Some(singles) => singles.value(*row).fract() != 0.0,
                None => array.as_primitive_opt::<Float64Type>().is_some_and(|floats| floats.value(*row).fract() != 0.0),
            }
    };
    (0..array.len()).find(is_fraction)
}

fn newly_null(before: &ArrayRef, after: &ArrayRef) -> Option<usize> {
    if after.null_count() == 0 || after.logical_null_count() == before.logical_null_count() {
        return None;
    }
    let (before, after) = (before.logical_nulls(), after.logical_nulls()?);
    (0..after.len()).find(|&row| after.is_null(row) && before.as_ref().is_none_or(|nulls| nulls.is_valid(row)))
}

/// Whether a cast between these is exact for every value there is, or reports those for which it is not.
pub(super) fn surely_exact(from: &DataType, to: &DataType) -> bool {
    use DataType::*;
    match (from, to) {
        (from, to) if from == to || (from.is_integer() && to.is_integer()) => true,
        (Null, _) => true,
        (Int8 | Int16 | UInt8 | UInt16, Float32) => true,
        (from, Float64) if from.is_integer() => from.primitive_width().is_some_and(|width| width <= 4),
        (from, to) if is_text(from) && is_text(to) => true,
        (Binary | LargeBinary | BinaryView, Binary | LargeBinary | BinaryView) => true,
        (Date32, Date64) => true,
        (Dictionary(_, value), to) => surely_exact(value, to) || logical(value).as_ref() == Some(to),
        _ => false,
    }
}

fn no_exact_value(array: &ArrayRef, row: usize, before: usize, to: &DataType) -> String {
    format!("row {}: {} ({}) has no exact value in {to}", before + row + 1, shown_value(array, row), array.data_type())
}

/// The first row in which two columns of one type differ, bit for bit.
fn first_difference(a: &ArrayRef, b: &ArrayRef) -> Result<Option<usize>, String> {
    let same = identity(a, b)?;
    Ok((0..a.len().min(b.len())).find(|&row| !same(row, row)))
}

/// Tells whether a row of `a` and a row of `b` are the same bit for bit; nulls are the same as nulls.
pub(super) fn identity(a: &ArrayRef, b: &ArrayRef) -> Result<impl Fn(usize, usize) -> bool + use<>, String> {
    // The order of floats used here is the total one: it tells -0.0 from 0.0 and NaN from NaN by their bits.
    let compare = match a.data_type() {
        DataType::Null => None,
        _ => Some(make_comparator(a, b, SortOptions::default()).map_err(|error| error.to_string())?),
    };
    Ok(move |i, j| compare.as_ref().is_none_or(|compare| compare(i, j) == Ordering::Equal))
}

/// A value for a message: text in quotes and escaped, long ones cut.
pub(super) fn shown_value(array: &dyn Array, row: usize) -> String {
    const LONGEST: usize = 80;
    let text = show(array, row);
    let is_null = array.logical_nulls().is_some_and(|nulls| nulls.is_null(row)) || *array.data_type() == DataType::Null;
    let cut = match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    };
    if is_text(array.data_type()) && !is_null { format!("{cut:?}") } else { cut }
}
