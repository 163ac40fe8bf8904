//! How people write ages, waiting times, instants and numbers of bytes; for the command line, and for other languages.

use std::time::Duration;

use chrono::{DateTime, Local, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};

/// Reads `30d`, `2w` or `12h`.
///
/// # Errors
/// In words, for any other text.
pub fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no age; write it as 30d, 2w or 12h");
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let hours = match &text[split..] {
        "h" => 1,
        "d" => 24,
        "w" => 7 * 24,
        _ => return Err(wrong()),
    };
    let count: u64 = text[..split].parse().map_err(|_| wrong())?;
    count.checked_mul(hours * 3600).map(Duration::from_secs).ok_or_else(wrong)
}

/// Reads `30s`, `10m`, `2h` or `1d`.
///
/// # Errors
/// In words, for any other text.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; write it as 30s, 10m or 2h");
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let seconds = match &text[split..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(wrong()),
    };
    let count: u64 = text[..split].parse().map_err(|_| wrong())?;
    count.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// Reads a date, or a date and a time, as nanoseconds since 1970. Without an offset it is on this machine's clocks; a
/// date alone is the last instant of that day.
///
/// # Errors
/// In words, for any other text.
pub fn instant(text: &str) -> Result<i64, String> {
    instant_in(text, &Local)
}

/// An instant, in nanoseconds since 1970, as it is shown to people and as [`instant`] reads it, on this machine's clocks:
/// `2024-01-02 15:04:05.678 +08:00`. Rounded up, so that what was made then was there at the instant that is shown; to
/// milliseconds, since versions may follow each other within a second.
pub fn shown(ns: i64) -> String {
    shown_in(ns, &Local)
}

fn shown_in<Z: TimeZone<Offset: std::fmt::Display>>(ns: i64, zone: &Z) -> String {
    const MILLISECOND: i64 = 1_000_000;
    let whole = ns.div_euclid(MILLISECOND) + i64::from(ns.rem_euclid(MILLISECOND) > 0);
    let instant = DateTime::from_timestamp_millis(whole).unwrap_or_default();
    instant.with_timezone(zone).format("%Y-%m-%d %H:%M:%S%.3f %:z").to_string()
}

fn instant_in(text: &str, zone: &impl TimeZone) -> Result<i64, String> {
    let wrong =
        || format!("{text:?} is no time; write it as 2024-01-02, 2024-01-02T15:04 or 2024-01-02T15:04:05+08:00");
    // As `log` and `info` print it: a blank before the time, and one before the offset.
    let joined = text.replacen(' ', "T", 1).replace(' ', "").replace('/', "-").replace('Z', "+00:00");
    let with_offset = ["%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M%:z"];
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    let with_offset = with_offset.iter().find_map(|format| DateTime::parse_from_str(&joined, format).ok());
    let naive = || naive.iter().find_map(|format| NaiveDateTime::parse_from_str(&joined, format).ok());
    // A year of two digits would be one of the first century.
    if joined.bytes().take_while(u8::is_ascii_digit).count() < 4 {
        return Err(wrong());
    }
    // Fewer digits would be read, too, as those of a day without its zero.
    let is_eight_digits = joined.len() == 8 && joined.bytes().all(|byte| byte.is_ascii_digit());
    let form = if is_eight_digits { "%Y%m%d" } else { "%Y-%m-%d" };
    let date = || NaiveDate::parse_from_str(&joined, form).ok();
    let next_midnight = || date()?.succ_opt()?.and_hms_opt(0, 0, 0);
    let instant = if let Some(instant) = with_offset {
        instant.to_utc()
    } else if let Some(time) = naive() {
        // Where clocks were set back the hour comes twice; who asks what was known then means all of it.
        on_clocks(time, zone, Ord::max)
    } else {
        on_clocks(next_midnight().ok_or_else(wrong)?, zone, Ord::min) - TimeDelta::nanoseconds(1)
    };
    // Before or after all that 64 bits of nanoseconds reach is before or after all versions.
    let beyond = if instant.timestamp() < 0 { i64::MIN } else { i64::MAX };
    Ok(instant.timestamp_nanos_opt().unwrap_or(beyond))
}

/// The instant at which clocks in `zone` showed `time`; `which` chooses where there are two. A time that was left out
/// when clocks were set forward is read as on the clocks of the day before.
fn on_clocks<Z: TimeZone>(
    time: NaiveDateTime,
    zone: &Z,
    which: fn(DateTime<Utc>, DateTime<Utc>) -> DateTime<Utc>,
) -> DateTime<Utc> {
    let day = TimeDelta::days(1);
    let shown = |time: NaiveDateTime| match zone.from_local_datetime(&time) {
        LocalResult::None => None,
        LocalResult::Single(instant) => Some(instant.to_utc()),
        // The clocks of this machine name the later one first, a zone by its name the earlier.
        LocalResult::Ambiguous(one, other) => Some(which(one.to_utc(), other.to_utc())),
    };
    shown(time).or_else(|| Some(shown(time.checked_sub_signed(day)?)? + day)).unwrap_or_else(|| time.and_utc())
}

/// Reads `512MiB`, `2GB`, `1.5GiB` or plain bytes.
///
/// # Errors
/// In words, for any other text.
pub fn byte_len(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 10] = [
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("tib", 1 << 40),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("tb", 1_000_000_000_000),
        ("b", 1),
        ("", 1),
    ];
    let wrong = || format!("{text:?} is no number of bytes; write it as 512MiB, 2GB or 536870912");
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..split], text[split..].trim().to_ascii_lowercase());
    let &(_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    // More digits than nine are below a byte for any budget that fits a machine.
    let fraction = &fraction[..fraction.len().min(9)];
    let part = match fraction {
        "" if !number.ends_with('.') => 0,
        digits => digits.parse::<u64>().map_err(|_| wrong())?,
    };
    let part = u128::from(part) * u128::from(factor) / 10u128.pow(fraction.len() as u32);
    u64::try_from(u128::from(whole) * u128::from(factor) + part).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use arrow_array::timezone::Tz;
    use chrono::FixedOffset;

    use super::*;

    #[test]
    fn byte_lens_are_read_in_both_kinds_of_units() {
        for (text, bytes) in [
            ("0", 0),
            ("536870912", 512 << 20),
            ("512MiB", 512 << 20),
            ("512 mib", 512 << 20),
            ("64KiB", 64 << 10),
            ("64KB", 64_000),
            ("100MB", 100_000_000),
            ("2GB", 2_000_000_000),
            ("1.5GiB", 3 << 29),
            ("0.25GiB", 1 << 28),
        ] {
            assert_eq!(byte_len(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MiB", "12Q", "-1", "1.", ".5GiB", "1.x", "1e9", "99999999999TiB", "1.2.3MiB"] {
            assert!(byte_len(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ages_are_hours_days_or_weeks() {
        let hours = |hours: u64| Ok(Duration::from_secs(hours * 3600));
        assert_eq!((age("12h"), age("30d"), age("2w"), age("0d")), (hours(12), hours(720), hours(336), hours(0)));
        for bad in ["", "d", "30", "1.5d", "-1d", "30 d", "30D", "1m", "99999999999999999w"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn instants_are_shown_rounded_up_and_are_read_as_they_are_shown() {
        let east = chrono::FixedOffset::east_opt(8 * 3600).unwrap();
        for (ns, text) in [
            (1_704_207_845_000_000_000, "2024-01-02 23:04:05.000 +08:00"),
            (1_704_207_845_000_000_001, "2024-01-02 23:04:05.001 +08:00"),
            (1_704_207_845_999_000_001, "2024-01-02 23:04:06.000 +08:00"),
            (-1, "1970-01-01 08:00:00.000 +08:00"),
        ] {
            assert_eq!(shown_in(ns, &east), text);
            assert!((0..1_000_000).contains(&(instant(text).unwrap() - ns)), "{text}");
        }
    }

    #[test]
    fn instants_are_on_the_clocks_of_the_place_unless_they_say_otherwise() {
        const NOON: i64 = 1_704_196_800_000_000_000;
        const HOUR: i64 = 3_600_000_000_000;
        let shanghai = FixedOffset::east_opt(8 * 3600).unwrap();
        for (text, hour) in [
            ("2024-01-02T12:00", 4),
            ("2024-01-02T12:00:00", 4),
            ("2024-01-02 12:00", 4),
            ("2024/01/02 12:00", 4),
            ("2024-01-02T12:00:00Z", 12),
            ("2024-01-02T12:00:00.000Z", 12),
            ("2024-01-02T20:00+08:00", 12),
            ("2024-01-02T20:00:00+08:00", 12),
            ("2024-01-02 20:00:00 +08:00", 12),
        ] {
            assert_eq!(instant_in(text, &shanghai), Ok(NOON + (hour - 12) * HOUR), "{text}");
        }
        assert_eq!(instant_in("2024-01-02T12:00:00.000000001", &Utc), Ok(NOON + 1));
        for bad in [
            "",
            "now",
            "2024-01",
            "202401",
            "24-01-02",
            "24-01-02T12:00",
            "2024012",
            "20240230",
            "020240102",
            "2024-01-02T",
            "2024-02-30",
            "2024-01-02T25:00",
            "2024-01-02T12:00+8",
        ] {
            assert!(instant(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_date_is_the_end_of_its_day() {
        const MIDNIGHT: i64 = 1_704_240_000_000_000_000;
        assert_eq!(instant_in("2024-01-02", &Utc), Ok(MIDNIGHT - 1));
        assert_eq!(instant_in("20240102", &Utc), Ok(MIDNIGHT - 1), "as dates are written elsewhere");
        assert_eq!(instant_in("2024-1-2", &Utc), Ok(MIDNIGHT - 1));
        let new_york = FixedOffset::west_opt(5 * 3600).unwrap();
        assert_eq!(instant_in("2024-01-02", &new_york), Ok(MIDNIGHT + 5 * 3_600_000_000_000 - 1));
        assert_eq!([instant("9999-12-31"), instant("0001-01-01")], [Ok(i64::MAX), Ok(i64::MIN)]);
    }

    #[test]
    fn hours_that_come_twice_or_never_are_some_instant() {
        let utc = |text: &str, zone: &str| {
            let ns = instant_in(text, &zone.parse::<Tz>().unwrap()).unwrap();
            DateTime::from_timestamp_nanos(ns).format("%Y-%m-%dT%H:%M:%S").to_string()
        };
        assert_eq!(utc("2024-11-03T01:30", "America/New_York"), "2024-11-03T06:30:00", "the later one");
        assert_eq!(utc("2024-03-10T02:30", "America/New_York"), "2024-03-10T07:30:00", "by the clocks before");
        // Clocks went from the end of this day to one o'clock of the next.
        assert_eq!(utc("2023-03-25", "Asia/Beirut"), "2023-03-25T21:59:59");
    }
}
