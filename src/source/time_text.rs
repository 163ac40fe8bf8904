//! What the text of a time says that a value made of it may not: digits beyond its unit, and clocks that are elsewhere.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};

use super::types::is_text;
use crate::panel::parse_zone;

/// Whether Arrow takes `text` for another value of this type than it says: digits alone for a count of a time's units,
/// a second 60 for the first of the next minute, a time for a coarser one, and a day or a time elsewhere for that of
/// UTC.
pub(super) fn is_misread(text: &str, to: &DataType) -> bool {
    match to {
        DataType::Time32(unit) | DataType::Time64(unit) => {
            !text.contains(':') || has_second_60(text) || digits(text) > digits_of(*unit)
        }
        DataType::Timestamp(unit, zone) => {
            has_second_60(text) || digits(text) > digits_of(*unit) || (zone.is_none() && is_elsewhere(text))
        }
        DataType::Date32 | DataType::Date64 => has_second_60(text) || digits(text) > 0 || is_elsewhere(text),
        _ => false,
    }
}

fn has_second_60(text: &str) -> bool {
    let is_packed = |time: &str| time.bytes().take(6).all(|byte| byte.is_ascii_digit());
    let packed = text.split(['T', 't', ' ']).skip(1).filter(|time| is_packed(time)).map(|time| time.get(4..));
    let second = text.split(':').nth(2);
    packed.flatten().chain(second).any(|second| second.starts_with("60"))
}

/// Whether a date has an offset behind it that is not UTC's, or the name of another zone.
fn is_elsewhere(text: &str) -> bool {
    let tail = text.get(10..).unwrap_or_default();
    let offset = tail.find(['+', '-']).map(|at| &tail[at..]);
    let zone = tail.trim_start_matches(['T', 't']).trim_start_matches(|c: char| !c.is_alphabetic());
    let is_utc = zone.is_empty() || ["Z", "UTC", "GMT"].iter().any(|name| name.eq_ignore_ascii_case(zone));
    offset.is_some_and(|offset| offset.bytes().any(|byte| (b'1'..=b'9').contains(&byte))) || !is_utc
}

/// Whether a time is followed by how far its clock is from UTC, or by the name of its zone.
pub(super) fn has_offset(text: &str) -> bool {
    let after_date = text.get(10..).unwrap_or_default();
    after_date.contains(['+', '-']) || after_date.chars().skip(1).any(char::is_alphabetic)
}

/// How many digits the fraction of a second needs.
fn digits(text: &str) -> usize {
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    let fraction = &fraction[..fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len())];
    fraction.trim_end_matches('0').len()
}

fn digits_of(unit: TimeUnit) -> usize {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// The type like `to` that holds the times of `array` as they are, where `to` does not: of a finer unit, or with a
/// zone.
pub(super) fn holding(array: &ArrayRef, to: &DataType) -> Option<DataType> {
    if let (DataType::Timestamp(_, Some(zone)), DataType::Timestamp(unit, None)) = (array.data_type(), to) {
        let known = parse_zone(zone).map_or_else(|| "UTC".into(), |_| zone.clone());
        return Some(DataType::Timestamp(*unit, Some(known)));
    }
    if !is_text(array.data_type()) {
        return None;
    }
    let texts = cast(array, &DataType::LargeUtf8).ok()?;
    let texts = || texts.as_string::<i64>().iter().flatten().map(str::trim);
    let needed = texts().map(digits).max()?;
    let finest = |unit: TimeUnit| {
        let units = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];
        units.into_iter().find(|own| digits_of(*own) >= needed.max(digits_of(unit)))
    };
    let held = match to {
        DataType::Time32(unit) | DataType::Time64(unit) => match finest(*unit)? {
            coarse @ (TimeUnit::Second | TimeUnit::Millisecond) => DataType::Time32(coarse),
            fine => DataType::Time64(fine),
        },
        // What a time without an offset says beside others nobody knows.
        DataType::Timestamp(_, None) if texts().any(is_elsewhere) && !texts().all(has_offset) => return None,
        DataType::Timestamp(unit, zone) => {
            let utc = texts().any(is_elsewhere).then(|| "UTC".into());
            DataType::Timestamp(finest(*unit)?, zone.clone().or(utc))
        }
        _ => return None,
    };
    (held != *to).then_some(held)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::StringArray;

    use super::*;
    use crate::source::types::parse_type;

    #[test]
    fn a_type_that_holds_the_times_has_their_unit_and_a_zone_where_all_have_offsets() {
        for (texts, to, expected) in [
            (&["09:30:00.5"][..], "time32[s]", Some("time32[ms]")),
            (&["09:30:00.0000001", "09:30:00"], "time64[us]", Some("time64[ns]")),
            (&["09:30:00.50"], "time32[ms]", None),
            (&["09:30:00.0000000001"], "time64[us]", None),
            (&["2024-01-05T09:30:00+08:00"], "timestamp[us]", Some("timestamp[us,UTC]")),
            (&["2024-01-05 09:30:00 Asia/Shanghai"], "timestamp[s]", Some("timestamp[s,UTC]")),
            (&["2024-01-05T09:30:00.5+08:00", "2024-01-05T09:30:00Z"], "timestamp[s]", Some("timestamp[ms,UTC]")),
            (&["2024-01-05T09:30:00+08:00", "2024-01-05T09:30:00"], "timestamp[us]", None),
            (&["2024-01-05T09:30:00.1234567+08:00"], "timestamp[us,UTC]", Some("timestamp[ns,UTC]")),
            (&["abc"], "timestamp[us]", None),
            (&["2024-01-05T09:30:00.5"], "date32", None),
        ] {
            let array: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
            let expected = expected.map(|expected| parse_type(expected).unwrap());
            assert_eq!(holding(&array, &parse_type(to).unwrap()), expected, "{texts:?} as {to}");
        }
    }
}
