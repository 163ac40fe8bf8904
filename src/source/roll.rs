//! The time of day from which on rows belong to the next trading date.

use crate::as_text::as_text;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A time of day from which on rows belong to the next trading date, such as 20:30.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Roll {
    /// Seconds since midnight, at least one.
    second: u32,
}

impl Roll {
    /// Whether it comes after so many seconds of a day.
    pub(super) fn is_after(self, second: u32) -> bool {
        second < self.second
    }
}

impl fmt::Display for Roll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute, second) = (self.second / 3600, self.second / 60 % 60, self.second % 60);
        write!(f, "{hour:02}:{minute:02}")?;
        if second > 0 { write!(f, ":{second:02}") } else { Ok(()) }
    }
}

impl FromStr for Roll {
    type Err = String;

    fn from_str(text: &str) -> Result<Roll, String> {
        let number = |text: &str, end: u32| -> Option<u32> {
            let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|_| is_number)?;
            (number < end).then_some(number)
        };
        let parts: Vec<&str> = text.split(':').collect();
        let second = match parts[..] {
            [hour, minute] => number(hour, 24).zip(number(minute, 60)).zip(Some(0)),
            [hour, minute, second] => number(hour, 24).zip(number(minute, 60)).zip(number(second, 60)),
            _ => None,
        };
        match second.map(|((hour, minute), second)| (hour * 60 + minute) * 60 + second) {
            Some(0) => Err(format!("{text:?} is midnight, from which on every row would be of the next date")),
            Some(second) => Ok(Roll { second }),
            None => Err(format!("{text:?} is no time of day such as 20:30")),
        }
    }
}

as_text!(Roll);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for text in ["20:30", "09:00", "00:01", "20:30:15"] {
            assert_eq!(text.parse::<Roll>().map(|roll| roll.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("9:05".parse::<Roll>().map(|roll| roll.to_string()), Ok("09:05".to_owned()));
        for text in ["", "20", "20:", "24:00", "20:60", "20:30:60", "2030", "20:30:15:00", "+1:30", "020:30"] {
            assert_eq!(text.parse::<Roll>(), Err(format!("{text:?} is no time of day such as 20:30")));
        }
        let midnight = "\"00:00\" is midnight, from which on every row would be of the next date";
        assert_eq!("00:00".parse::<Roll>(), Err(midnight.to_owned()));
    }
}
