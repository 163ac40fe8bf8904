//! Trading days: weekdays less the fixed holidays, counted back from one last day.

use crate::error::{Error, Result};
use crate::key::Date;

/// The last trading day of every panel, a Tuesday.
const LAST: Date = Date::from_ymd(2026, 6, 30).unwrap();

/// The last `count` trading days up to [`LAST`], oldest first.
pub(super) fn trading_days(count: usize) -> Result<Vec<Date>> {
    let mut days: Vec<Date> = (Date::MIN.days()..=LAST.days())
        .rev()
        .filter_map(Date::from_days)
        .filter(|&date| is_trading_day(date))
        .take(count)
        .collect();
    if days.len() < count {
        return Err(Error::refused(
            format!("there are no {count} trading days"),
            format!("ask for at most {}", days.len()),
        ));
    }
    days.reverse();
    Ok(days)
}

fn is_trading_day(date: Date) -> bool {
    // 1970-01-01 was a Thursday; 0 is Sunday.
    let weekday = (date.days() + 4).rem_euclid(7);
    let (_, month, day) = date.ymd();
    // New Year, a week for the Spring Festival (whose true place wanders), Labour Day and the National Day week.
    let holiday = matches!((month, day), (1, 1) | (2, 4..=10) | (5, 1..=3) | (10, 1..=7));
    !matches!(weekday, 0 | 6) && !holiday
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_ascend_and_leave_out_weekends_and_holidays() {
        let days = trading_days(6_552).unwrap();
        assert_eq!(days.len(), 6_552);
        assert!(days.is_sorted_by(|a, b| a < b));
        assert_eq!(days.last().unwrap().yyyymmdd(), 20260630);
        let has = |number| days.contains(&Date::from_yyyymmdd(number).unwrap());
        assert!(has(20240102) && has(20260629));
        assert!(!has(20240101) && !has(20240106) && !has(20240107) && !has(20241001));
    }

    #[test]
    fn more_days_than_the_calendar_has_are_refused() {
        assert!(trading_days(1_000_000).is_err());
    }
}
