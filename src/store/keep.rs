//! How many versions a store keeps, and for how long.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Which versions stay when a writer collects: the newest so many, and those that were replaced no longer ago than an
/// age. Whichever keeps more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keep {
    /// The newest so many, the live one among them.
    pub(crate) versions: u32,
    /// For so long after another has replaced it.
    pub(crate) age: Duration,
}

/// What somebody asks for; the rest stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeepChange {
    pub(crate) versions: Option<u32>,
    pub(crate) age: Option<Duration>,
}

impl Keep {
    /// Only the live version.
    pub(crate) const ONE: Keep = Keep { versions: 1, age: Duration::ZERO };

    /// The age as a catalog has it.
    pub(super) fn age_ns(self) -> u64 {
        u64::try_from(self.age.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Which versions go now: a question about the number of newer ones, and the instant at which it was replaced.
    pub(super) fn goes(self) -> impl Fn(usize, i64) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = i64::try_from(now.saturating_sub(self.age).as_nanos()).unwrap_or(i64::MAX);
        move |newer, replaced_ns| newer >= self.versions as usize && (self.age.is_zero() || replaced_ns < since)
    }
}

impl KeepChange {
    /// What `before` becomes.
    pub(crate) fn of(self, before: Keep) -> Keep {
        Keep { versions: self.versions.unwrap_or(before.versions), age: self.age.unwrap_or(before.age) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_goes_when_neither_its_number_nor_its_age_keeps_it() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
        let day = 24 * 3600 * 1_000_000_000;
        let goes = |versions, days: u64| Keep { versions, age: Duration::from_secs(days * 24 * 3600) }.goes();
        assert!(goes(2, 0)(2, now) && goes(2, 0)(5, now + day));
        assert!(!goes(2, 0)(1, 0));
        assert!(goes(2, 3)(2, now - 4 * day) && !goes(2, 3)(2, now - 2 * day) && !goes(2, 3)(1, now - 9 * day));
        assert!(!Keep { versions: 1, age: Duration::MAX }.goes()(9, 1));
    }

    #[test]
    fn what_nobody_asks_for_stays_as_it_is() {
        let before = Keep { versions: 7, age: Duration::from_secs(5) };
        assert_eq!(KeepChange::default().of(before), before);
        let asked = KeepChange { versions: Some(2), age: None };
        assert_eq!(asked.of(before), Keep { versions: 2, ..before });
        let asked = KeepChange { versions: None, age: Some(Duration::ZERO) };
        assert_eq!(asked.of(before), Keep { versions: 7, age: Duration::ZERO });
    }
}
