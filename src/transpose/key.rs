//! What one file of an output is of.

use std::fmt;

use crate::key::Date;
use crate::sink::{Named, Partition};

/// What one file is of. In text it is what the ledger lists the file under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// A date, or a period by its first day.
    Days(Partition, Date),
    /// The whole panel.
    All,
    /// The stock with this code.
    Stock(String),
    /// The column of this name.
    Column(String),
}

impl Key {
    /// What the file is of that has the rows of `date`, where files are of dates.
    pub(super) fn of_date(by: Partition, date: Date) -> Key {
        let (year, month, _) = date.ymd();
        let first = match by {
            Partition::Month => Date::from_ymd(year, month, 1),
            Partition::Year => Date::from_ymd(year, 1, 1),
            _ => None,
        };
        match by {
            Partition::All => Key::All,
            by => Key::Days(by, first.unwrap_or(date)),
        }
    }

    /// The key that `text` is; `None` for a text that is none.
    pub(super) fn parse(by: Partition, text: &str) -> Option<Key> {
        let day = |rest: &str| format!("{text}{rest}").parse().ok().map(|day| Key::Days(by, day));
        match by {
            Partition::Date => day(""),
            Partition::Month => day("01"),
            Partition::Year => day("0101"),
            Partition::All => (text == "all").then_some(Key::All),
            Partition::Stock => Some(Key::Stock(text.to_owned())),
            Partition::Matrix => Some(Key::Column(text.to_owned())),
        }
        .filter(|key| key.to_string() == text)
    }

    /// What the words of its name stand for; `spelt` is how `{date}` is written.
    pub(super) fn named<'a>(&'a self, spelt: &'a str) -> Named<'a> {
        match self {
            Key::Days(_, date) => Named::Days(*date, spelt),
            Key::All => Named::Nothing,
            Key::Stock(text) | Key::Column(text) => Named::Text(text),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Days(by, date) => {
                let (year, month, _) = date.ymd();
                match by {
                    Partition::Month => write!(f, "{year:04}{month:02}"),
                    Partition::Year => write!(f, "{year:04}"),
                    _ => write!(f, "{date}"),
                }
            }
            Key::All => f.write_str("all"),
            Key::Stock(text) | Key::Column(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let date: Date = "20240229".parse().unwrap();
        for (by, text) in [
            (Partition::Date, "20240229"),
            (Partition::Month, "202402"),
            (Partition::Year, "2024"),
            (Partition::All, "all"),
        ] {
            let key = Key::of_date(by, date);
            assert_eq!(key.to_string(), text);
            assert_eq!(Key::parse(by, text), Some(key));
        }
        assert_eq!(Key::parse(Partition::Stock, "a/b"), Some(Key::Stock("a/b".to_owned())));
        for (by, text) in [
            (Partition::Date, "2024-02-29"),
            (Partition::Date, "202402"),
            (Partition::Month, "20240229"),
            (Partition::Month, "202413"),
            (Partition::Year, "24"),
            (Partition::All, ""),
        ] {
            assert_eq!(Key::parse(by, text), None, "{text}");
        }
    }
}
