//! Dates in text, with or without a time of day and an offset, in the spellings that need no format.

use super::clock::Reading;
use crate::key::Date;
use crate::panel::Spelling;

/// A date as a text spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct Spelt<'t> {
    pub(in crate::source) date: Date,
    /// How the date is spelt; `None` where that leaves out a leading zero.
    pub(in crate::source) spelling: Option<Spelling>,
    /// What follows the date.
    pub(in crate::source) tail: &'t str,
    pub(in crate::source) reading: Reading,
}

/// Reads `20240102`, `2024-01-02`, `2024/1/2`, each with or without a time of day and an offset behind it, and digits
/// alone (`202401020930`, `20240102093000`, and so on). `None` for anything else.
pub(in crate::source) fn read(text: &str) -> Option<Spelt<'_>> {
    let digit_count = text.bytes().take_while(u8::is_ascii_digit).count();
    if digit_count != 4 {
        return read_digits(text, digit_count);
    }
    let separator = text[4..].chars().next().filter(|c| matches!(c, '-' | '/'))?;
    let (month, rest) = number(&text[5..], 1, 2)?;
    let (day, tail) = number(rest.strip_prefix(separator)?, 1, 2)?;
    let is_padded = text.len() - tail.len() == 10;
    let spelling = match separator {
        '-' => Spelling::Dashes,
        _ => Spelling::Slashes,
    };
    let date = Date::from_ymd(text[..4].parse().ok()?, month, day)?;
    let (time, offset) = time_and_offset(tail)?;
    Some(Spelt { date, spelling: is_padded.then_some(spelling), tail, reading: reading(date, time, offset) })
}

fn read_digits(text: &str, digit_count: usize) -> Option<Spelt<'_>> {
    let date = text.get(..8)?.parse().ok()?;
    let tail = &text[8..];
    let (time, offset) = match digit_count {
        8 => time_and_offset(tail)?,
        12 | 14 | 17 => compact(tail)?,
        _ => return None,
    };
    Some(Spelt { date, spelling: Some(Spelling::Digits), tail, reading: reading(date, time, offset) })
}

/// The second of the day of `21:05`, `21:05:00` or `21:05:00.5`.
pub(super) fn read_time(text: &str) -> Option<i64> {
    let (hour, rest) = number(text, 1, 2)?;
    let (minute, rest) = number(rest.strip_prefix(':')?, 2, 2)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => number(rest, 2, 2)?,
        None => (0, rest),
    };
    let (_, rest) = fraction(rest)?;
    time(hour, minute, second).filter(|_| rest.is_empty())
}

/// Seconds of the day, and whether something is left of a second.
type Time = (i64, bool);

fn reading(date: Date, (seconds, has_fraction): Time, offset: Option<i32>) -> Reading {
    Reading { seconds: i64::from(date.days()) * 86_400 + seconds, has_fraction, offset }
}

/// What follows a date: nothing, or a time and perhaps an offset.
fn time_and_offset(tail: &str) -> Option<(Time, Option<i32>)> {
    if tail.is_empty() {
        return Some(((0, false), None));
    }
    let clock = tail.strip_prefix([' ', 'T'])?;
    if clock.bytes().take_while(u8::is_ascii_digit).count() > 2 {
        return compact(clock);
    }
    let (hour, rest) = number(clock, 1, 2)?;
    let (minute, rest) = number(rest.strip_prefix(':')?, 2, 2)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => number(rest, 2, 2)?,
        None => (0, rest),
    };
    let (has_fraction, rest) = fraction(rest)?;
    Some(((time(hour, minute, second)?, has_fraction), offset(rest)?))
}

/// `0930`, `093000` or `093000123`, and perhaps a fraction and an offset.
fn compact(text: &str) -> Option<(Time, Option<i32>)> {
    let digit_count = text.bytes().take_while(u8::is_ascii_digit).count();
    let (hour, rest) = number(text, 2, 2)?;
    let (minute, rest) = number(rest, 2, 2)?;
    let (second, rest) = if digit_count == 4 { (0, rest) } else { number(rest, 2, 2)? };
    let (has_fraction, rest) = match digit_count {
        4 | 6 => fraction(rest)?,
        9 => number(rest, 3, 3).map(|(millis, rest)| (millis != 0, rest))?,
        _ => return None,
    };
    Some(((time(hour, minute, second)?, has_fraction), offset(rest)?))
}

fn time(hour: u32, minute: u32, second: u32) -> Option<i64> {
    (hour < 24 && minute < 60 && second < 60).then(|| i64::from(hour * 3600 + minute * 60 + second))
}

/// Whether digits after a point are more than zeros, and what follows them.
fn fraction(text: &str) -> Option<(bool, &str)> {
    let Some(digits) = text.strip_prefix(['.', ',']) else { return Some((false, text)) };
    let len = digits.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = digits.split_at(len);
    (len > 0).then(|| (digits.bytes().any(|digit| digit != b'0'), rest))
}

/// The seconds of `Z`, `UTC`, `+08:00`, `+0800` or `+08`; the inner `None` where there is nothing.
fn offset(text: &str) -> Option<Option<i32>> {
    if text.is_empty() {
        return Some(None);
    }
    let text = text.trim_start_matches(' ');
    if matches!(text, "Z" | "UTC" | "GMT") {
        return Some(Some(0));
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, rest) = number(digits, 2, 2)?;
    let (minutes, rest) =
        if rest.is_empty() { (0, rest) } else { number(rest.strip_prefix(':').unwrap_or(rest), 2, 2)? };
    let (seconds, rest) =
        if rest.is_empty() { (0, rest) } else { number(rest.strip_prefix(':').unwrap_or(rest), 2, 2)? };
    let offset = i32::try_from(time(hours, minutes, seconds)?).ok()?;
    rest.is_empty().then_some(Some(sign * offset))
}

/// A number of so many digits at the start of `text`, and what follows it.
fn number(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let len = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(len);
    (len >= least).then(|| digits.parse().ok().map(|number| (number, rest)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_texts_are_read_to_the_second_and_their_offset() {
        let nine_thirty = 1_704_187_800;
        for (text, seconds, has_fraction, offset) in [
            ("20240102", 1_704_153_600, false, None),
            ("2024-01-02", 1_704_153_600, false, None),
            ("2024/1/2", 1_704_153_600, false, None),
            ("2024-01-02 09:30:00", nine_thirty, false, None),
            ("2024-01-02 09:30", nine_thirty, false, None),
            ("2024/1/2 9:30", nine_thirty, false, None),
            ("2024-01-02T09:30:00.000000000", nine_thirty, false, None),
            ("2024-01-02T09:30:00.001", nine_thirty, true, None),
            ("2024-01-02T09:30:00Z", nine_thirty, false, Some(0)),
            ("2024-01-02 09:30:00 UTC", nine_thirty, false, Some(0)),
            ("2024-01-02 09:30:00+00:00", nine_thirty, false, Some(0)),
            ("2024-01-02T09:30:00-05:00", nine_thirty, false, Some(-18_000)),
            ("2024-01-02 09:30:00.5 +0800", nine_thirty, true, Some(28_800)),
            ("2024-01-02 09:30:00+08", nine_thirty, false, Some(28_800)),
            ("20240102 09:30:00", nine_thirty, false, None),
            ("20240102T093000Z", nine_thirty, false, Some(0)),
            ("202401020930", nine_thirty, false, None),
            ("20240102093000", nine_thirty, false, None),
            ("20240102093000000", nine_thirty, false, None),
            ("20240102093000001", nine_thirty, true, None),
            ("1899-12-31 23:59:59", -2_208_988_801, false, None),
        ] {
            let read = read(text).map(|spelt| spelt.reading);
            assert_eq!(read, Some(Reading { seconds, has_fraction, offset }), "{text}");
        }
    }

    #[test]
    fn what_could_mean_two_things_or_nothing_is_not_read() {
        for text in [
            "",
            "2024",
            "2024-01",
            "240102",
            "01/02/2024",
            "1-2-2024",
            "2024-01/02",
            "2024-13-01",
            "2024-02-30",
            "2024-01-02-09",
            "2024-01-02 24:00:00",
            "2024-01-02 09",
            "2024-01-02 9:3",
            "2024-01-02 09:60",
            "2024-01-02 09:30:60",
            "2024-01-02 09:30:00.",
            "2024-01-02 09:30 PM",
            "2024-01-02 09:30:00 EST",
            "2024-01-02 ",
            " 2024-01-02",
            "2024010209",
            "202401020930000",
            "2024-01-02 09:30+8",
            "2024-01-02 09:30+25:00",
            "2024年1月2日",
            "2024-01-02T",
            "2024-01-02é",
            "2024-é",
            "1704187800000",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_spelling_without_leading_zeros_is_no_spelling_to_write() {
        let spelling = |text| read(text).unwrap().spelling;
        assert_eq!(spelling("2024/10/12"), Some(Spelling::Slashes));
        assert_eq!(spelling("2024/1/12"), None);
        assert_eq!(spelling("2024-01-02 00:00:00"), Some(Spelling::Dashes));
        assert_eq!(read("2024-01-02 00:00:00").unwrap().tail, " 00:00:00");
    }
}
