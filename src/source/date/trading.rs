//! Which trading date a row is of.

use serde::{Deserialize, Serialize};

use crate::key::Date;
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};
use crate::source::order::NO_DAY;
use crate::source::roll::Roll;

/// The trading dates, and from which time on rows belong to the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trading {
    roll: Roll,
    /// As days since 1970, ascending.
    days: Vec<i32>,
    /// Whether a calendar says so, which has every trading date from its first on.
    is_calendar: bool,
}

impl Trading {
    /// These `days`, in any order.
    pub(in crate::source) fn new(roll: Roll, mut days: Vec<i32>, is_calendar: bool) -> Trading {
        days.sort_unstable();
        days.dedup();
        Trading { roll, days, is_calendar }
    }

    /// The trading dates as days since 1970, ascending.
    pub(crate) fn days(&self) -> &[i32] {
        &self.days
    }

    /// Whether rows that were read when `then` were the trading dates known may be of other ones now.
    pub(crate) fn differs(&self, then: &[i32]) -> bool {
        let Some(last) = then.last() else { return false };
        let now = &self.days[..self.days.partition_point(|day| day <= last)];
        match self.is_calendar {
            true => now != then,
            false => now.iter().any(|day| then.binary_search(day).is_err()),
        }
    }

    /// Whether a row at this second of a day makes it a trading date.
    pub(in crate::source) fn is_by_day(&self, second: u32) -> bool {
        self.roll.is_after(second)
    }

    /// Puts the trading date of each row in the place of its day, and says how many rows have none that is known yet: those
    /// have no day then.
    ///
    /// # Errors
    /// When a row lies before the calendar.
    pub(in crate::source) fn roll(&self, days: &mut [i32], seconds: &[u32]) -> Result<u64, Reason> {
        let mut waiting = 0;
        for (row, (day, &second)) in days.iter_mut().zip(seconds).enumerate().filter(|(_, (day, _))| **day != NO_DAY) {
            let from = *day + i32::from(!self.is_by_day(second));
            let at = self.days.partition_point(|known| *known < from);
            match self.days.get(at) {
                Some(&first) if at == 0 && self.is_calendar && first != from => return Err(before(row, *day, first)),
                Some(&known) => *day = known,
                None => {
                    *day = NO_DAY;
                    waiting += 1;
                }
            }
        }
        Ok(waiting)
    }
}

fn before(row: usize, day: i32, first: i32) -> Reason {
    let shown = |day: i32| Date::from_days(day).map_or_else(|| day.to_string(), |date| date.to_string());
    let what = format!("row {} is of {}, before the calendar's first date {}", row + 1, shown(day), shown(first));
    Reason::new(Kind::BadDate, what).or(Remedy::set(Setting::Calendar, "names one that begins earlier"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rolled(trading: &Trading, day: i32, second: u32) -> Result<Option<i32>, String> {
        let mut days = [day];
        let waiting = trading.roll(&mut days, &[second]).map_err(|reason| reason.to_string())?;
        assert_eq!(waiting == 1, days[0] == NO_DAY);
        Ok(Some(days[0]).filter(|day| *day != NO_DAY))
    }

    #[test]
    fn a_row_is_of_the_first_trading_date_from_its_own_on_or_after_it() {
        // Friday, Monday, Tuesday.
        let days = vec![22, 18, 21];
        let evening = 20 * 3600 + 1800;
        let roll: Roll = "20:30".parse().unwrap();
        for is_calendar in [true, false] {
            let trading = Trading::new(roll, days.clone(), is_calendar);
            for (day, second, expected) in [
                (18, 0, Some(18)),
                (18, evening - 1, Some(18)),
                (18, evening, Some(21)),
                // The night after Friday's, past midnight.
                (19, 3600, Some(21)),
                (20, evening, Some(21)),
                (21, evening, Some(22)),
                (22, evening - 1, Some(22)),
                (22, evening, None),
                (23, 0, None),
                (17, evening, Some(18)),
            ] {
                assert_eq!(rolled(&trading, day, second), Ok(expected), "{day} {second}");
            }
            let before = rolled(&trading, 17, 0);
            match is_calendar {
                true => {
                    assert!(before.unwrap_err().starts_with("row 1 is of 19700118, before the calendar's first date"))
                }
                false => assert_eq!(before, Ok(Some(18))),
            }
        }
    }

    #[test]
    fn rows_without_a_date_stay_without_one() {
        let mut days = [NO_DAY, 18];
        let trading = Trading::new("20:30".parse().unwrap(), vec![18], true);
        assert_eq!(trading.roll(&mut days, &[0, 0]), Ok(0));
        assert_eq!(days, [NO_DAY, 18]);
    }

    #[test]
    fn other_dates_up_to_the_last_that_was_known_move_rows() {
        let trading = |days: &[i32], is_calendar| Trading::new("20:30".parse().unwrap(), days.to_vec(), is_calendar);
        for is_calendar in [true, false] {
            assert!(!trading(&[1, 2, 5], is_calendar).differs(&[1, 2]));
            assert!(!trading(&[1, 2], is_calendar).differs(&[]));
            assert!(trading(&[1, 2, 3, 5], is_calendar).differs(&[1, 2, 5]));
            // A panel's dates may be fewer where an older version was restored; a calendar was mended.
            assert_eq!(trading(&[1, 5], is_calendar).differs(&[1, 2, 5]), is_calendar);
        }
    }
}
