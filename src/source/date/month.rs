//! Dates of eight digits, quickly where they are of one month.

use crate::key::{Date, days_in_month};

/// The month of the text read last. A series has some twenty dates of a month one after the other, in which but two
/// digits differ; reading each as if nothing were known took a tenth of all decoding.
#[derive(Default)]
pub(super) struct Month {
    /// Its six digits, the first one lowest.
    digits: u64,
    /// The day before its first, since 1970.
    before: i32,
    day_count: u8,
}

impl Month {
    /// The date that eight digits spell.
    pub(super) fn date(&mut self, text: [u8; 8]) -> Option<Date> {
        let two = |at: usize| {
            let [tens, ones] = [text[at], text[at + 1]];
            (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
        };
        let digits = u64::from_le_bytes(text) & 0xffff_ffff_ffff;
        if digits != self.digits {
            let (year, month) = (i32::from(two(0)?) * 100 + i32::from(two(2)?), two(4)?.into());
            let first = Date::from_ymd(year, month, 1)?;
            *self = Month { digits, before: first.days() - 1, day_count: days_in_month(year, month) as u8 };
        }
        let day = two(6)?;
        if day == 0 || day > self.day_count { None } else { Date::from_days(self.before + i32::from(day)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_day_is_read_after_that_before_it() {
        let mut month = Month::default();
        for days in Date::MIN.days()..=Date::MAX.days() {
            let date = Date::from_days(days).unwrap();
            assert_eq!(month.date(date.to_string().as_bytes().try_into().unwrap()), Some(date));
        }
    }

    proptest! {
        #[test]
        fn texts_are_dates_where_the_usual_reading_finds_some(
            texts in prop::collection::vec("20240[0-3][0-3][0-9]|[0-9]{8}|2023[0-9/:]{4}|[0-9 -]{8}", 1..20),
        ) {
            let mut month = Month::default();
            for text in texts {
                prop_assert_eq!(month.date(text.as_bytes().try_into().unwrap()), text.parse().ok(), "{}", text);
            }
        }
    }
}
