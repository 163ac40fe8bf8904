//! Texts as values of other types that say all that the texts do.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date64Type, Float64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::DataType;

use super::convert::{convert, no_exact_value};
use super::time_text::has_offset;

/// More digits than a double tells apart, and fewer than may be asked for in writing one.
const DIGITS: usize = 40;

/// `texts` as `to`, where each value is all that its text says; `before` rows of the file come before them. A fraction is
/// the nearest double, as everywhere in csv.
///
/// # Errors
/// The first row (from 1) of another kind, as a reason.
pub(super) fn exactly(texts: &ArrayRef, to: &DataType, before: usize) -> Result<ArrayRef, String> {
    let out = convert(texts, to, before)?;
    let cast = |array: &ArrayRef, to| cast(array, to).map_err(|error| error.to_string());
    let plain = cast(texts, &DataType::Utf8)?;
    let plain = plain.as_string::<i32>();
    let values = match to {
        DataType::Float16 | DataType::Float32 => cast(&out, &DataType::Float64)?,
        _ => out.clone(),
    };
    let says_more = |&row: &usize| plain.is_valid(row) && says_more(plain.value(row).trim(), to, &values, row);
    match (0..plain.len()).find(says_more) {
        Some(row) => Err(no_exact_value(texts, row, before, to)),
        None => Ok(out),
    }
}

/// Whether `text` says more than the value of type `to` that was made of it; among `values`, where floats are doubles.
fn says_more(text: &str, to: &DataType, values: &ArrayRef, row: usize) -> bool {
    let double = || values.as_primitive::<Float64Type>().value(row);
    match to {
        DataType::Date64 => values.as_primitive::<Date64Type>().value(row).rem_euclid(86_400_000) != 0,
        DataType::Timestamp(_, None) => has_offset(text),
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => decimals(text) > i64::from(*scale),
        DataType::Float64 => {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text).trim_start_matches('0');
            let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_whole && format!("{:.0}", double().abs()) != digits
        }
        // The value says the same in as many digits.
        DataType::Float32 | DataType::Float16 => match text.parse::<f64>() {
            Ok(said) if said.is_finite() => {
                let digits = significant(text).clamp(1, DIGITS);
                format!("{:.*e}", digits - 1, double()).parse() != Ok(said)
            }
            said => said.is_err(),
        },
        _ => false,
    }
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
    (fraction.len() as i64).saturating_sub(exponent).saturating_sub(zeros as i64)
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
            ("100000000000000000000000000000000000000001", "float64", None),
            ("-000.0", "float64", Some("-0.0")),
            ("+007", "float64", Some("7.0")),
            ("0.1", "float64", Some("0.1")),
            ("16777217", "float32", None),
            ("16777216", "float32", Some("16777216.0")),
            ("0.1", "float32", Some("0.1")),
            ("0.12345678901", "float32", None),
            ("0.10000000149011612", "float32", Some("0.1")),
            ("0.100000001", "float32", Some("0.1")),
            ("123456.781250", "float32", Some("123456.78")),
            ("1e-3", "float32", Some("0.001")),
            ("1.234567e-10", "float32", Some("1.234567e-10")),
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
            ("2024-01-05T19:00:00 America/New_York", "date32", None),
            ("2024-01-05T19:00:00 America/New_York", "date64", None),
            ("2024-01-05 00:00:00 UTC", "date32", Some("2024-01-05")),
            ("2024-01-05 00:00:00 GMT", "date32", Some("2024-01-05")),
            ("2024-01-05 00:00:00 CST", "date32", None),
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
    fn numbers_of_any_length_are_read_or_refused() {
        let long = |head: &str, digit: &str| format!("{head}{}", digit.repeat(100_000));
        assert_eq!(read(&long("0.", "1"), "float32"), None);
        assert_eq!(read(&long("0.5", "0"), "float32").as_deref(), Some("0.5"));
        assert_eq!(read(&long("1.5", "0"), "decimal128(10,2)").as_deref(), Some("1.50"));
        for text in ["1e9223372036854775807", "100e-9223372036854775808", "1e99999999999999999999"] {
            for to in ["float32", "float64", "decimal128(10,2)"] {
                let _ = read(text, to);
            }
        }
    }

    #[test]
    fn a_cast_rounds_the_number_of_a_text_and_reads_no_other_time_than_it_says() {
        for (text, to, expected) in [
            ("1.255", "decimal128(10,2)", Some("1.26")),
            ("09:30:00.5", "time32[s]", None),
            ("09:30:00.500", "time32[s]", None),
            ("09:30:00.000", "time32[s]", Some("09:30:00")),
            ("09:30:00.1234567", "time64[us]", None),
            ("09:30:00.1234567", "time64[ns]", Some("09:30:00.123456700")),
            ("2024-01-05T09:30:00.1234567", "timestamp[us]", None),
            ("2024-01-05T09:30:00.1234567+08:00", "timestamp[us,UTC]", None),
            ("2024-01-05T09:30:00+08:00", "timestamp[us]", None),
            ("2024-01-05T09:30:00-0500", "timestamp[s]", None),
            ("2024-01-05 09:30:00 Asia/Shanghai", "timestamp[us]", None),
            ("2024-01-05T09:30:00+08:00", "timestamp[us,UTC]", Some("2024-01-05T01:30:00Z")),
            ("2024-01-05T09:30:00Z", "timestamp[us]", Some("2024-01-05T09:30:00")),
            ("2024-01-05T09:30:00+00:00", "timestamp[us]", Some("2024-01-05T09:30:00")),
            ("2024-01-05T09:30:00 PM", "timestamp[us]", None),
            ("2024-03-10T02:30:00", "timestamp[us,America/New_York]", None),
            ("2024-11-03T01:30:00", "timestamp[us,America/New_York]", None),
            ("2024-11-03T00:30:00", "timestamp[us,America/New_York]", Some("2024-11-03T00:30:00-04:00")),
            ("2024-01-05T00:00:00+08:00", "date32", None),
            ("2024-01-05T00:00:00.0001", "date32", None),
            ("2024-01-05T00:00:00.0001", "date64", None),
            ("2024-01-05T00:00:00.0000", "date32", Some("2024-01-05")),
            ("2024-01-05T093000", "timestamp[us]", Some("2024-01-05T09:30:00")),
            ("2024-01-05T235960", "timestamp[us]", None),
            ("2024-01-05 093060", "timestamp[s,UTC]", None),
            ("2024-01-05 235960", "date32", None),
            ("093000", "time32[ms]", None),
            ("145959", "time32[s]", None),
            ("99999999", "time64[us]", None),
            ("23:59:60", "time32[s]", None),
            ("2024-01-05 23:59:60", "timestamp[ns]", None),
            ("09:30:00 PM", "time32[s]", Some("21:30:00")),
        ] {
            let texts: ArrayRef = Arc::new(StringArray::from(vec![text]));
            let out = convert(&texts, &parse_type(to).unwrap(), 0).ok().map(|out| show(&out, 0));
            assert_eq!(out.as_deref(), expected, "{text} as {to}");
        }
    }
}
