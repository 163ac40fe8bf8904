//! Texts as values of other types that say all that the texts do.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date64Type, Float64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};

use super::convert::{convert, no_exact_value};

/// `texts` as `to`, where each value is all that its text says; `before` rows of the file come before them. A fraction is
/// the nearest double, as everywhere in csv.
///
/// # Errors
/// The first row (from 1) of another kind, as a reason.
pub(super) fn exactly(texts: &ArrayRef, to: &DataType, before: usize) -> Result<ArrayRef, String> {
    let out = convert(texts, to)?;
    let plain = cast(texts, &DataType::Utf8).map_err(|error| error.to_string())?;
    let plain = plain.as_string::<i32>();
    let says_more = |&row: &usize| plain.is_valid(row) && says_more(plain.value(row).trim(), &out, row);
    match (0..plain.len()).find(says_more) {
        Some(row) => Err(no_exact_value(texts, row, before, to)),
        None => Ok(out),
    }
}

/// Whether `text` says more than the value that was made of it.
fn says_more(text: &str, value: &ArrayRef, row: usize) -> bool {
    match value.data_type() {
        DataType::Time32(unit) | DataType::Time64(unit) => is_finer(text, *unit),
        DataType::Date64 => value.as_primitive::<Date64Type>().value(row).rem_euclid(86_400_000) != 0,
        DataType::Timestamp(unit, zone) => is_finer(text, *unit) || (zone.is_none() && has_offset(text)),
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => decimals(text) > i64::from(*scale),
        DataType::Float64 => match text.parse::<i128>() {
            Ok(whole) => value.as_primitive::<Float64Type>().value(row) as i128 != whole,
            Err(_) => false,
        },
        // The value says the same in as many digits.
        DataType::Float32 | DataType::Float16 => {
            let is = cast(&value.slice(row, 1), &DataType::Float64).map(|is| is.as_primitive::<Float64Type>().value(0));
            match (text.parse::<f64>(), is) {
                (Ok(said), Ok(is)) if said.is_finite() => {
                    let digits = significant(text).max(1);
                    format!("{is:.*e}", digits - 1).parse() != Ok(said)
                }
                (said, is) => said.is_err() || is.is_err(),
            }
        }
        _ => false,
    }
}

/// Whether the fraction of the second has digits beyond the unit.
fn is_finer(text: &str, unit: TimeUnit) -> bool {
    let digits = match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    let fraction = fraction.bytes().take_while(u8::is_ascii_digit);
    fraction.skip(digits).any(|digit| digit != b'0')
}

/// Whether a time is followed by how far its clock is from UTC, or by the name of its zone.
fn has_offset(text: &str) -> bool {
    let after_date = text.get(10..).unwrap_or_default();
    after_date.contains(['+', '-']) || after_date.chars().skip(1).any(char::is_alphabetic)
}

/// How many digits a number is written with, leading zeros aside.
fn significant(text: &str) -> usize {
    let digits = text.split(['e', 'E']).next().unwrap_or_default();
    digits.chars().filter(char::is_ascii_digit).skip_while(|&digit| digit == '0').count()
}

/// How many digits behind the point a number needs.
fn decimals(text: &str) -> i64 {
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let zeros = fraction.bytes().rev().chain(whole.bytes().rev()).take_while(|&digit| digit == b'0').count();
    if digits.bytes().all(|byte| !(b'1'..=b'9').contains(&byte)) {
        return 0;
    }
    let exponent: i64 = exponent.parse().unwrap_or(0);
    (fraction.len() as i64).saturating_sub(exponent) - zeros as i64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::StringArray;

    use super::*;
    use crate::panel::show;
    use crate::source::types::parse_type;

    fn read(text: &str, to: &str) -> Option<String> {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![None, Some(text)]));
        let out = exactly(&texts, &parse_type(to).unwrap(), 0).ok()?;
        assert_eq!((out.len(), out.is_null(0)), (2, true));
        Some(show(&out, 1))
    }

    #[test]
    fn a_text_is_the_value_that_it_says_or_none() {
        for (text, to, expected) in [
            ("1.25", "decimal128(10,2)", Some("1.25")),
            ("1.250", "decimal128(10,2)", Some("1.25")),
            ("1.255", "decimal128(10,2)", None),
            ("125E-2", "decimal128(10,2)", Some("1.25")),
            ("1250E-3", "decimal128(10,2)", Some("1.25")),
            ("1E-3", "decimal128(10,2)", None),
            ("0E-10", "decimal128(10,2)", Some("0.00")),
            ("9007199254740992", "float64", Some("9007199254740992.0")),
            ("9007199254740993", "float64", None),
            ("0.1", "float64", Some("0.1")),
            ("16777217", "float32", None),
            ("16777216", "float32", Some("16777216.0")),
            ("0.1", "float32", Some("0.1")),
            ("0.12345678901", "float32", None),
            ("0.10000000149011612", "float32", Some("0.1")),
            ("0.100000001", "float32", Some("0.1")),
            ("123456.781250", "float32", Some("123456.78")),
            ("1e-3", "float32", Some("0.001")),
            ("-0.0", "float32", Some("-0.0")),
            ("inf", "float32", Some("inf")),
            ("nan", "float32", Some("NaN")),
            ("-inf", "float64", Some("-inf")),
            ("12", "int8", Some("12")),
            ("300", "int8", None),
            ("1.5", "int64", None),
            ("2024-01-05T09:30:00.123456", "timestamp[us]", Some("2024-01-05T09:30:00.123456")),
            ("2024-01-05T09:30:00.1234560", "timestamp[us]", Some("2024-01-05T09:30:00.123456")),
            ("2024-01-05T09:30:00.1234567", "timestamp[us]", None),
            ("2024-01-05T09:30:00+08:00", "timestamp[us]", None),
            ("2024-01-05T09:30:00Z", "timestamp[us]", None),
            ("2024-01-05T23:59:60", "timestamp[us]", None),
            ("2024-01-05", "timestamp[us]", Some("2024-01-05T00:00:00")),
            ("2024-01-05T09:30:00+08:00", "timestamp[us, UTC]", Some("2024-01-05T01:30:00Z")),
            ("2024-01-05 09:30:00 Asia/Shanghai", "timestamp[us]", None),
            ("2024-01-05T00:00:00+08:00", "date64", None),
            ("2024-01-04T16:00:00-08:00", "date32", None),
            ("2024-01-05T23:59:60", "date32", None),
            ("2024-01-05 09:30:00", "date64", None),
            ("2024-01-05", "date32", Some("2024-01-05")),
            ("2024-01-05T00:00:00Z", "date32", Some("2024-01-05")),
            ("09:30:00", "time32[ms]", Some("09:30:00")),
            ("09:30", "time32[s]", Some("09:30:00")),
            ("09:30:00.5", "time32[s]", None),
            ("09:30:00.0000001", "time64[us]", None),
            ("093000", "time64[us]", None),
            ("-5", "time64[us]", None),
            ("23:59:60", "time64[us]", None),
        ] {
            assert_eq!(read(text, to).as_deref(), expected, "{text} as {to}");
        }
    }

    #[test]
    fn a_cast_rounds_a_text_but_never_reads_another() {
        for (text, to, expected) in [
            ("1.255", "decimal128(10,2)", Some("1.26")),
            ("09:30:00.5", "time32[s]", Some("09:30:00")),
            ("093000", "time32[ms]", None),
            ("145959", "time32[s]", None),
            ("99999999", "time64[us]", None),
            ("23:59:60", "time32[s]", None),
            ("2024-01-05 23:59:60", "timestamp[ns]", None),
            ("09:30:00 PM", "time32[s]", Some("21:30:00")),
        ] {
            let texts: ArrayRef = Arc::new(StringArray::from(vec![text]));
            let out = convert(&texts, &parse_type(to).unwrap()).ok().map(|out| show(&out, 0));
            assert_eq!(out.as_deref(), expected, "{text} as {to}");
        }
    }
}
