//! What a field of text looks like, and what it is worth.

use crate::source::convert::fits_double;
use crate::source::input::fields::{Fields, Guess};

/// Digits that every double has.
const SURE_DIGITS: usize = 15;
/// Digits that an exact double has at most.
const MOST_DIGITS: usize = 800;

/// What `field` looks like, where `nulls` stand for nothing.
pub(super) fn fields(field: &str, nulls: &[String]) -> Fields {
    let field = if is_null(field, nulls) { "" } else { field };
    let text = trimmed(field);
    let guess = match text {
        "" => Guess::Nothing,
        _ if boolean(text).is_some() => Guess::Boolean,
        _ => number(text).unwrap_or(Guess::Text),
    };
    let has_eight_digits = text.is_empty() || (field.len() == 8 && field.bytes().all(|byte| byte.is_ascii_digit()));
    Fields { guess, has_eight_digits }
}

/// `field` without the blanks around it, which say nothing of a number.
pub(super) fn trimmed(field: &str) -> &str {
    field.trim_matches([' ', '\t'])
}

/// Whether `field` is one of the words that stand for nothing.
pub(super) fn is_null(field: &str, nulls: &[String]) -> bool {
    nulls.iter().any(|null| null == trimmed(field))
}

/// True or false, as Python, R and databases write them.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// What a number looks like; `None` for what is none, or would not come back with the same digits.
fn number(text: &str) -> Option<Guess> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    if matches!(unsigned, "NaN" | "nan" | "inf" | "Inf" | "infinity" | "Infinity") {
        return Some(Guess::Double);
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && exponent.len() <= 5 && are_digits(exponent)
    });
    // A code such as 000001 would lose its zeros.
    let is_padded = whole.len() > 1 && whole.starts_with('0');
    let digits = [whole, fraction.unwrap_or_default()];
    let count = digits[0].len() + digits[1].len();
    if count == 0 || !digits.into_iter().all(are_digits) || !has_exponent || is_padded {
        return None;
    }
    if fraction.is_none() && exponent.is_none() && text != "-0" {
        let number: i64 = text.parse().ok()?;
        return Some(Guess::Integer { is_exact: fits_double(number.unsigned_abs()) });
    }
    let value: f64 = text.parse().ok()?;
    let is_sure = count <= SURE_DIGITS && value.is_normal();
    (is_sure || is_same(&digits.concat(), value)).then_some(Guess::Double)
}

/// Whether a double, written with as many digits, has these.
fn is_same(digits: &str, value: f64) -> bool {
    let digits = digits.trim_start_matches('0').trim_end_matches('0');
    if digits.is_empty() {
        return value == 0.0;
    }
    if !value.is_finite() || value == 0.0 || digits.len() > MOST_DIGITS {
        return false;
    }
    let written = format!("{:.*e}", digits.len() - 1, value.abs());
    let written = written.split('e').next().unwrap_or_default();
    written.bytes().filter(|byte| *byte != b'.').eq(digits.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTEGER: Guess = Guess::Integer { is_exact: true };
    const LONG: Guess = Guess::Integer { is_exact: false };

    #[test]
    fn fields_are_numbers_only_where_they_come_back_the_same() {
        for (field, guess) in [
            ("", Guess::Nothing),
            ("  ", Guess::Nothing),
            ("0", INTEGER),
            ("-5", INTEGER),
            (" 600519 ", INTEGER),
            ("9007199254740993", LONG),
            ("9223372036854775807", LONG),
            ("9223372036854775808", Guess::Text),
            ("000001", Guess::Text),
            ("007.5", Guess::Text),
            ("+5", Guess::Text),
            ("1,5", Guess::Text),
            ("1_000", Guess::Text),
            ("0x10", Guess::Text),
            ("-", Guess::Text),
            (".", Guess::Text),
            ("e5", Guess::Text),
            ("1e", Guess::Text),
            ("--1", Guess::Text),
            ("-0", Guess::Double),
            ("-0.0", Guess::Double),
            ("0.0000", Guess::Double),
            (".5", Guess::Double),
            ("5.", Guess::Double),
            ("1e5", Guess::Double),
            ("1E-07", Guess::Double),
            ("0.30000000000000004", Guess::Double),
            ("0.1234567890123456789", Guess::Text),
            // The exact value of 0.1, as some programs write it.
            ("1.000000000000000056e-01", Guess::Double),
            ("0.1000000000000000055511151231257827021181583404541015625", Guess::Double),
            ("12345678901234567.89", Guess::Text),
            ("1e400", Guess::Text),
            ("1e-400", Guess::Text),
            ("5e-324", Guess::Double),
            ("4.9406564584124654e-324", Guess::Double),
            ("NaN", Guess::Double),
            ("-inf", Guess::Double),
            ("nano", Guess::Text),
            ("true", Guess::Boolean),
            ("False", Guess::Boolean),
            ("t", Guess::Text),
            ("2024-01-02", Guess::Text),
        ] {
            assert_eq!(fields(field, &[]).guess, guess, "{field:?}");
        }
        let has_eight_digits = |field| fields(field, &[]).has_eight_digits;
        assert!(has_eight_digits("20240102") && has_eight_digits(""));
        assert!(!has_eight_digits("2024010") && !has_eight_digits(" 20240102"));
    }
}
