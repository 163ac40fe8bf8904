//! Turns a file's column into the panel's type, exactly or with a reason, and compares values bit for bit.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::timezone::Tz;
use arrow_array::types::{
    ArrowPrimitiveType, Date64Type, Float32Type, Float64Type, Int32Type, Int64Type, Time64NanosecondType,
    TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray, new_null_array};
use arrow_cast::{CastOptions, can_cast_types, cast, cast_with_options};
use arrow_ord::ord::make_comparator;
use arrow_schema::{DataType, SortOptions, TimeUnit};
use chrono::{Offset, TimeZone};

use super::time_text::is_misread;
use super::types::{is_text, logical, per_tick};
use crate::panel::{parse_zone, show};

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
        return convert(array, to, before);
    }
    let out = convert(array, to, before)?;
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

/// `array` as `to`, by a user's decision: numbers may be rounded to the precision of `to` and ticks to its unit, but no
/// value may be lost, a fraction never becomes an integer, and a text is the time that it says; `before` rows of the
/// file come before it.
///
/// # Errors
/// The first row (from 1) whose value cannot be read as `to`, as a reason.
pub(super) fn convert(array: &ArrayRef, to: &DataType, before: usize) -> Result<ArrayRef, String> {
    let from = array.data_type();
    if from == to {
        return Ok(array.clone());
    }
    if has_no_value(array) {
        return Ok(new_null_array(to, array.len()));
    }
    if let Some(step) = step(array, to, before)? {
        return convert(&step, to, before);
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let out = match cast_with_options(array, to, &strict) {
        Ok(out) => out,
        Err(error) => {
            // The strict cast does not say which row it was. The lenient one leaves a null there, or fails as well.
            let fails = |row: &usize| cast_with_options(&array.slice(*row, 1), to, &strict).is_err();
            let lost = match lenient(array, to) {
                Some(out) => newly_null(array, &out),
                None if can_cast_types(from, to) => (0..array.len()).find(fails),
                None => None,
            };
            return Err(match lost {
                Some(row) => unreadable(array, row, before, to),
                None => format!("cannot be cast from {from} to {to}: {error}"),
            });
        }
    };
    match newly_null(array, &out).or_else(|| first_lost(array, &out)) {
        Some(row) => Err(unreadable(array, row, before, to)),
        None => Ok(out),
    }
}

fn unreadable(array: &ArrayRef, row: usize, before: usize, to: &DataType) -> String {
    format!("row {}: {} cannot be read as {to}", before + row + 1, shown_value(array, row))
}

fn lenient(array: &ArrayRef, to: &DataType) -> Option<ArrayRef> {
    cast_with_options(array, to, &CastOptions { safe: true, ..CastOptions::default() }).ok()
}

/// `array` in a type on the way to `to`, where one stride would go wrong unseen.
fn step(array: &ArrayRef, to: &DataType, before: usize) -> Result<Option<ArrayRef>, String> {
    use DataType::*;
    Ok(match (array.data_type(), to) {
        (Dictionary(_, value), _) if !is_text(value) => Some(cast(array, value).map_err(|error| error.to_string())?),
        (from, Timestamp(..)) if from.is_numeric() && *from != Int64 => {
            let is_lost = |row: &usize| convert(&array.slice(*row, 1), &Int64, 0).is_err();
            let named = |why| (0..array.len()).find(is_lost).map_or(why, |row| unreadable(array, row, before, to));
            Some(convert(array, &Int64, before).map_err(named)?)
        }
        (Timestamp(fine, zone), Timestamp(coarse, _)) if per_tick(*coarse) > per_tick(*fine) => {
            // Towards the past on both sides of 1970, as instants of 96 bits are cut.
            let ticks = i64::try_from(per_tick(*coarse) / per_tick(*fine)).unwrap_or(i64::MAX);
            let numbers = cast(array, &Int64).map_err(|error| error.to_string())?;
            let numbers = numbers.as_primitive::<Int64Type>().unary::<_, Int64Type>(|tick| tick.div_euclid(ticks));
            Some(cast(&numbers, &Timestamp(*coarse, zone.clone())).map_err(|error| error.to_string())?)
        }
        (Date32 | Date64, Timestamp(unit, Some(_))) => Some(convert(array, &Timestamp(*unit, None), before)?),
        _ => None,
    })
}

fn newly_null(before: &ArrayRef, after: &ArrayRef) -> Option<usize> {
    if after.null_count() == 0 || after.logical_null_count() == before.logical_null_count() {
        return None;
    }
    let (before, after) = (before.logical_nulls(), after.logical_nulls()?);
    (0..after.len()).find(|&row| after.is_null(row) && before.as_ref().is_none_or(|nulls| nulls.is_valid(row)))
}

/// The first row whose value `out` does not have, although the cast found nothing wrong with it.
fn first_lost(array: &ArrayRef, out: &ArrayRef) -> Option<usize> {
    use DataType::*;
    let found = |is_lost: &dyn Fn(usize) -> bool| (0..array.len()).find(|&row| array.is_valid(row) && is_lost(row));
    match (array.data_type(), out.data_type()) {
        (from, to) if from.is_floating() && to.is_integer() => {
            let doubles = lenient(array, &Float64)?;
            found(&|row| doubles.as_primitive::<Float64Type>().value(row).fract() != 0.0)
        }
        (from, to) if from.is_decimal() && to.is_integer() => first_changed(array, out),
        (from, Boolean) if from.is_numeric() => first_changed(array, out),
        (Date64, Date32 | Timestamp(TimeUnit::Second, _)) => first_changed(array, out),
        (from, to @ (Time32(_) | Time64(_) | Timestamp(..) | Date64)) if is_text(from) => {
            let texts = lenient(array, &Utf8)?;
            let texts = texts.as_string::<i32>();
            found(&|row| is_misread(texts.value(row).trim(), to))
        }
        (from, Date32) if is_text(from) => {
            let times = lenient(array, &Date64)?;
            let times = times.as_primitive::<Date64Type>();
            let texts = lenient(array, &Utf8)?;
            let texts = texts.as_string::<i32>();
            let has_time = |row| times.is_valid(row) && times.value(row).rem_euclid(86_400_000) != 0;
            found(&|row| has_time(row) || is_misread(texts.value(row).trim(), &Date32))
        }
        (Timestamp(..), Date32 | Date64) => {
            // By the clock of its zone.
            let times = lenient(array, &Time64(TimeUnit::Nanosecond))?;
            let times = times.as_primitive::<Time64NanosecondType>();
            found(&|row| times.is_null(row) || times.value(row) != 0)
        }
        // It would lose its day.
        (Timestamp(..), Time32(_) | Time64(_)) => found(&|_| true),
        (Int32 | Int64, Time32(unit) | Time64(unit)) => {
            let day = 86_400_000_000_000 / per_tick(*unit);
            found(&|row| {
                !(0..day).contains(&match array.as_primitive_opt::<Int32Type>() {
                    Some(numbers) => i128::from(numbers.value(row)),
                    None => i128::from(array.as_primitive::<Int64Type>().value(row)),
                })
            })
        }
        (Timestamp(_, Some(zone)), Timestamp(_, None)) => {
            // Its own clock shows one time, that of UTC another.
            let Some(zone) = parse_zone(zone) else { return found(&|_| true) };
            let seconds = convert(array, &Timestamp(TimeUnit::Second, Some("UTC".into())), 0).ok()?;
            let seconds = seconds.as_primitive::<TimestampSecondType>();
            found(&|row| {
                let instant = chrono::DateTime::from_timestamp(seconds.value(row), 0);
                let offset = instant.map(|instant| zone.offset_from_utc_datetime(&instant.naive_utc()).fix());
                offset.is_none_or(|offset| offset.local_minus_utc() != 0)
            })
        }
        (Timestamp(_, None), Timestamp(_, Some(zone))) => {
            let zone: Tz = zone.parse().ok()?;
            let seconds = convert(array, &Timestamp(TimeUnit::Second, None), 0).ok()?;
            let seconds = seconds.as_primitive::<TimestampSecondType>();
            // What no clock of the zone showed, or showed twice.
            found(&|row| {
                let shown = chrono::DateTime::from_timestamp(seconds.value(row), 0);
                shown.is_none_or(|shown| zone.offset_from_local_datetime(&shown.naive_utc()).single().is_none())
            })
        }
        (_, Float32) => first_infinite(array, out.as_primitive::<Float32Type>(), f32::is_infinite),
        (_, Float64) => first_infinite(array, out.as_primitive::<Float64Type>(), f64::is_infinite),
        _ => None,
    }
}

/// The first row that does not come back from `out` as it is in `array`.
fn first_changed(array: &ArrayRef, out: &ArrayRef) -> Option<usize> {
    first_difference(array, &lenient(out, array.data_type())?).ok()?
}

/// The first row that is beyond the type and became infinite, rather than being so.
fn first_infinite<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    out: &PrimitiveArray<T>,
    is_infinite: fn(T::Native) -> bool,
) -> Option<usize> {
    let became = |row: &usize| {
        array.is_valid(*row)
            && is_infinite(out.value(*row))
            && !shown_value(array, *row).to_ascii_lowercase().contains("inf")
    };
    (0..out.len()).find(became)
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

/// That a value has none in type `to`.
pub(super) fn no_exact_value(array: &ArrayRef, row: usize, before: usize, to: &DataType) -> String {
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
    let is_null = array.logical_nulls().is_some_and(|nulls| nulls.is_null(row)) || *array.data_type() == DataType::Null;
    let cut = cut(&show(array, row));
    if is_text(array.data_type()) && !is_null { format!("{cut:?}") } else { cut }
}

/// `text` without what a message has no room for.
pub(super) fn cut(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}
