//! How many of something there may be: so many, or such a share of all.

use crate::as_text::as_text;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most there may be; written `1000` or `0.5%`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Limit {
    /// So many.
    Count(u64),
    /// So many of each hundred.
    Percent(f64),
}

impl Limit {
    /// Whether `count` of `all` are no more than that.
    pub(super) fn allows(self, count: u64, all: u64) -> bool {
        match self {
            Limit::Count(most) => count <= most,
            Limit::Percent(most) => count as f64 * 100.0 <= most * all as f64,
        }
    }
}

impl Limit {
    /// Whether `count` of `all` are no fewer than that.
    pub(super) fn is_reached(self, count: u64, all: u64) -> bool {
        match self {
            Limit::Count(least) => count >= least,
            Limit::Percent(least) => count as f64 * 100.0 >= least * all as f64,
        }
    }

    /// Whether `count` of `all` are more than half of that.
    pub(super) fn is_near(self, count: u64, all: u64) -> bool {
        !self.allows(count.saturating_mul(2), all)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Count(most) => write!(f, "{most}"),
            Limit::Percent(most) => write!(f, "{most}%"),
        }
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Limit, String> {
        let wrong = || format!("{text:?} is neither a number such as 1000 nor a share such as 0.5%");
        match text.strip_suffix('%') {
            None => text.parse().map(Limit::Count).map_err(|_| wrong()),
            Some(share) => {
                let share: f64 = share.trim_end().parse().map_err(|_| wrong())?;
                let is_share = (0.0..=100.0).contains(&share);
                is_share.then_some(Limit::Percent(share)).ok_or_else(|| format!("{text:?} is no share from 0% to 100%"))
            }
        }
    }
}

as_text!(Limit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_passed_by_one_more() {
        let refuses = |limit: &str, count, all| !limit.parse::<Limit>().unwrap().allows(count, all);
        assert!(!refuses("0", 0, 10) && refuses("0", 1, 10));
        assert!(!refuses("10", 10, 100) && refuses("10", 11, 100));
        assert!(!refuses("0.5%", 5, 1000) && refuses("0.5%", 6, 1000));
        assert!(!refuses("0%", 0, 0) && !refuses("100%", 10, 10));
        for bad in ["", "-1", "1.5", "x", "101%", "-1%", "NaN%", "%"] {
            assert!(bad.parse::<Limit>().is_err(), "{bad}");
        }
    }
}
