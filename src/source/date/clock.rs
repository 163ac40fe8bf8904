//! On whose clocks an instant is a date.

use arrow_array::timezone::Tz;
use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone};

use crate::error::{Error, Result};
use crate::key::Date;
use crate::panel::{midnight, parse_zone};
use crate::remedy::{Remedy, Setting};
use crate::source::options::{Epoch, SourceOptions};

const DAY: i64 = 86_400;

/// A value of a date column, as clocks show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) struct Moment {
    /// Since 1970.
    pub(in crate::source) day: i64,
    /// Seconds into it, as the clocks show them.
    pub(in crate::source) second: i64,
    /// Whether it is later than the first instant of its day.
    pub(in crate::source) has_time: bool,
    /// Whether the day's midnight, written as the value is, gives the value back.
    pub(super) is_midnight_as_written: bool,
    /// Seconds into the day of UTC, where UTC is what the clocks of the value show because nobody named others.
    pub(super) second_of_utc: Option<i64>,
}

impl Moment {
    /// The midnight of a day that is written as a day.
    pub(in crate::source) fn midnight(day: i64) -> Moment {
        Moment { day, second: 0, has_time: false, is_midnight_as_written: true, second_of_utc: None }
    }
}

/// A value before anybody says on whose clocks it is a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) struct Reading {
    /// Seconds since 1970 on the clocks of the value: those of its offset, if it has one.
    pub(in crate::source) seconds: i64,
    /// Whether something is left of a second.
    pub(super) has_fraction: bool,
    /// Seconds by which its clocks are ahead of UTC; `None` where it does not say.
    pub(in crate::source) offset: Option<i32>,
}

/// The clocks that a user names.
#[derive(Debug, Clone)]
pub(in crate::source) struct Clocks {
    zone: Option<Tz>,
    naive_zone: Option<Tz>,
}

impl Clocks {
    /// The clocks of `options`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where an option names a zone that nobody knows.
    pub(in crate::source) fn new(options: &SourceOptions) -> Result<Clocks> {
        let zone = |setting: Setting, name: &Option<String>| match name {
            None => Ok(None),
            Some(name) => parse_zone(name).map(Some).ok_or_else(|| {
                let way_out = Remedy::Do("write one such as Asia/Shanghai or +08:00".to_owned());
                Error::invalid(setting, format!("{name:?} is no time zone that is known"), [way_out])
            }),
        };
        Ok(Clocks {
            zone: zone(Setting::Zone, &options.zone)?,
            naive_zone: zone(Setting::NaiveZone, &options.naive_zone)?,
        })
    }

    /// The zone of instants that are stamped with one of this name: the user's, if there is one.
    pub(super) fn zone_of(&self, name: &str) -> Option<Tz> {
        self.zone.or_else(|| parse_zone(name))
    }

    /// Whether instants are read on other clocks than their own.
    fn is_decided(&self) -> bool {
        self.zone.is_some()
    }

    /// What a value with or without an offset means; `None` beyond all calendars.
    pub(in crate::source) fn read(&self, reading: Reading) -> Option<Moment> {
        let Reading { seconds, has_fraction, offset } = reading;
        let utc = match (offset, &self.naive_zone) {
            (Some(offset), _) => Some(seconds.checked_sub(offset.into())?),
            (None, Some(naive_zone)) if self.is_decided() => Some(instant_of(seconds, naive_zone)?),
            (None, _) => None,
        };
        let shown = match (utc, &self.zone) {
            (Some(utc), Some(zone)) => self.on(zone, utc, has_fraction)?,
            _ => wall(seconds, has_fraction),
        };
        let is_same = shown.day.checked_mul(DAY) == Some(seconds);
        let second_of_utc = self.second_of_utc(seconds, offset.filter(|_| !has_fraction));
        Some(Moment { is_midnight_as_written: is_same && !has_fraction, second_of_utc, ..shown })
    }

    /// The instant `seconds` since 1970 on the clocks of `zone`, which is that of [`zone_of`](Self::zone_of).
    pub(in crate::source) fn on(&self, zone: &Tz, seconds: i64, has_fraction: bool) -> Option<Moment> {
        let offset = zone.offset_from_utc_datetime(&naive(seconds)?).fix().local_minus_utc();
        let shown = wall(seconds.checked_add(offset.into())?, has_fraction);
        let first = i32::try_from(shown.day).ok().and_then(Date::from_days).and_then(|date| midnight(zone, date));
        let is_first = first == Some(seconds) && !has_fraction;
        let is_midnight_as_written = is_first && !self.is_decided();
        let second_of_utc = self.second_of_utc(seconds, Some(offset).filter(|_| !has_fraction));
        Some(Moment { has_time: shown.has_time && !is_first, is_midnight_as_written, second_of_utc, ..shown })
    }

    fn second_of_utc(&self, seconds: i64, offset: Option<i32>) -> Option<i64> {
        (offset == Some(0) && !self.is_decided()).then(|| seconds.rem_euclid(DAY))
    }

    /// What a count since 1970 means: an instant in UTC, unless it counts days.
    pub(super) fn since_1970(&self, count: i64, epoch: Epoch) -> Option<Moment> {
        let written_otherwise = |moment: Moment| Moment { is_midnight_as_written: false, ..moment };
        let Some(per_second) = epoch.per_second() else {
            return Some(written_otherwise(wall(count.checked_mul(DAY)?, false)));
        };
        let reading = Reading {
            seconds: count.div_euclid(per_second),
            has_fraction: count.rem_euclid(per_second) != 0,
            offset: Some(0),
        };
        self.read(reading).map(written_otherwise)
    }
}

/// What clocks show that were set `seconds` after 1970 began on them.
fn wall(seconds: i64, has_fraction: bool) -> Moment {
    let (day, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let has_time = has_fraction || second != 0;
    Moment { day, second, has_time, is_midnight_as_written: !has_time, second_of_utc: None }
}

fn naive(seconds: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(seconds, 0).map(|instant| instant.naive_utc())
}

/// The instant at which the clocks of `zone` show `seconds` since 1970: the first of two, and of a time that they skip
/// the one that would have been it.
fn instant_of(seconds: i64, zone: &Tz) -> Option<i64> {
    let shown = naive(seconds)?;
    if let Some(found) = zone.from_local_datetime(&shown).earliest() {
        return Some(found.timestamp());
    }
    // The longest that clocks skipped is a day.
    let before = zone.from_local_datetime(&shown.checked_sub_signed(TimeDelta::hours(25))?).latest()?;
    Some(seconds - i64::from(before.offset().fix().local_minus_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clocks(zone: Option<&str>, naive_zone: Option<&str>) -> Clocks {
        let options = SourceOptions {
            zone: zone.map(str::to_owned),
            naive_zone: naive_zone.map(str::to_owned),
            ..SourceOptions::default()
        };
        Clocks::new(&options).unwrap()
    }

    /// Year, month and day of the moment, and whether it has a time.
    fn shown(moment: Option<Moment>) -> (String, bool) {
        let moment = moment.unwrap();
        (Date::from_days(moment.day as i32).unwrap().to_string(), moment.has_time)
    }

    fn utc(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp()
    }

    #[test]
    fn an_instant_is_the_date_that_the_clocks_of_the_zone_show() {
        for (zone, instant, date, has_time) in [
            ("Asia/Shanghai", "2024-01-01T16:00:00Z", "20240102", false),
            ("Asia/Shanghai", "2024-01-01T15:59:59Z", "20240101", true),
            ("America/New_York", "2024-07-01T03:59:59Z", "20240630", true),
            ("America/New_York", "2024-07-01T04:00:00Z", "20240701", false),
            ("America/New_York", "2024-12-01T04:00:00Z", "20241130", true),
            // Local mean time, eight hours and some minutes ahead, until 1901.
            ("Asia/Shanghai", "1899-12-31T15:54:17Z", "19000101", false),
            ("America/New_York", "2200-01-15T05:00:00Z", "22000115", false),
            ("+05:30", "1969-12-31T18:30:00Z", "19700101", false),
            ("UTC", "0000-01-01T00:00:00Z", "00000101", false),
        ] {
            let read =
                clocks(Some(zone), None).read(Reading { seconds: utc(instant), has_fraction: false, offset: Some(0) });
            assert_eq!(shown(read), (date.to_owned(), has_time), "{zone} {instant}");
        }
    }

    #[test]
    fn a_midnight_that_clocks_skip_or_repeat_is_still_that_day() {
        for (zone, instant, date, has_time) in [
            // At midnight clocks went to one.
            ("America/Sao_Paulo", "2018-11-04T03:00:00Z", "20181104", false),
            ("America/Sao_Paulo", "2018-11-04T03:00:01Z", "20181104", true),
            ("America/Sao_Paulo", "2018-11-04T02:59:59Z", "20181103", true),
            ("Asia/Beirut", "2021-03-27T22:00:00Z", "20210328", false),
            // At one they went back to midnight.
            ("America/Havana", "2023-11-05T04:00:00Z", "20231105", false),
            ("America/Havana", "2023-11-05T05:00:00Z", "20231105", false),
            ("America/Havana", "2023-11-05T05:00:01Z", "20231105", true),
        ] {
            let clocks = clocks(None, None);
            let zone = clocks.zone_of(zone).unwrap();
            assert_eq!(shown(clocks.on(&zone, utc(instant), false)), (date.to_owned(), has_time), "{instant}");
        }
    }

    #[test]
    fn naive_stamps_are_shifted_only_where_both_zones_are_given() {
        let reading = Reading { seconds: utc("2024-01-02T00:00:00Z"), has_fraction: false, offset: None };
        for (zone, naive_zone, date, has_time) in [
            (None, None, "20240102", false),
            (Some("America/New_York"), None, "20240102", false),
            (None, Some("UTC"), "20240102", false),
            (Some("America/New_York"), Some("UTC"), "20240101", true),
            (Some("Asia/Tokyo"), Some("America/New_York"), "20240102", true),
            (Some("UTC"), Some("Asia/Shanghai"), "20240101", true),
        ] {
            assert_eq!(shown(clocks(zone, naive_zone).read(reading)), (date.to_owned(), has_time), "{zone:?}");
        }
        // Between two and three no clock of New York showed anything.
        let skipped = Reading { seconds: utc("2024-03-10T02:30:00Z"), has_fraction: false, offset: None };
        let read = clocks(Some("UTC"), Some("America/New_York")).read(skipped);
        assert_eq!(shown(read), ("20240310".to_owned(), true));
    }

    #[test]
    fn counts_since_1970_may_be_negative_and_end_where_calendars_do() {
        let utc_clocks = clocks(None, None);
        for (count, epoch, date, has_time) in [
            (0, Epoch::Seconds, "19700101", false),
            (-1, Epoch::Seconds, "19691231", true),
            (-2_208_988_800, Epoch::Seconds, "19000101", false),
            (-1, Epoch::Nanoseconds, "19691231", true),
            (-86_400_000, Epoch::Milliseconds, "19691231", false),
            (1_704_153_600_000, Epoch::Milliseconds, "20240102", false),
            (1_704_153_600_001, Epoch::Milliseconds, "20240102", true),
            (7_258_118_400_000_000, Epoch::Microseconds, "22000101", false),
            (-719_528, Epoch::Days, "00000101", false),
            (19_724, Epoch::Days, "20240102", false),
        ] {
            assert_eq!(shown(utc_clocks.since_1970(count, epoch)), (date.to_owned(), has_time), "{count}");
        }
        assert_eq!(utc_clocks.since_1970(i64::MAX, Epoch::Days), None);
        let moment = clocks(Some("Asia/Tokyo"), None).since_1970(i64::MIN, Epoch::Seconds);
        assert_eq!(moment, None);
        let days = clocks(Some("America/New_York"), None).since_1970(19_724, Epoch::Days);
        assert_eq!(shown(days), ("20240102".to_owned(), false));
    }
}
