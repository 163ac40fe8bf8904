//! The guards: what stops a night that looks broken, by the words that allow it.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Something that a change may do only when somebody has allowed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Guard {
    /// Many files are gone.
    MissingFiles,
    /// A column is gone from many files that had it.
    ColumnsGone,
    /// Many values of a column become null.
    TurnedNull,
    /// Many files are skipped.
    SkippedFiles,
    /// Another folder has few of the codes that are known.
    FewCodes,
    /// Many rows are to be removed.
    PrunedRows,
    /// Nearly no cell of a large panel can have a value.
    SparseColumns,
    /// Rows are to be removed of dates on which rows were appended.
    AppendedRows,
    /// A date that was expected is not there, or few stocks have it.
    ExpectedDate,
}

impl Guard {
    /// All of them.
    pub const ALL: [Guard; 9] = [
        Guard::MissingFiles,
        Guard::ColumnsGone,
        Guard::TurnedNull,
        Guard::SkippedFiles,
        Guard::FewCodes,
        Guard::PrunedRows,
        Guard::SparseColumns,
        Guard::AppendedRows,
        Guard::ExpectedDate,
    ];

    /// The word by which it is told and allowed.
    pub const fn word(self) -> &'static str {
        match self {
            Guard::MissingFiles => "missing-files",
            Guard::ColumnsGone => "columns-gone",
            Guard::TurnedNull => "turned-null",
            Guard::SkippedFiles => "skipped-files",
            Guard::FewCodes => "few-codes",
            Guard::PrunedRows => "pruned-rows",
            Guard::SparseColumns => "sparse-columns",
            Guard::AppendedRows => "appended-rows",
            Guard::ExpectedDate => "expected-date",
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Guard {
    type Err = String;

    fn from_str(text: &str) -> Result<Guard, String> {
        let words = || Guard::ALL.map(Guard::word).join(", ");
        Guard::ALL
            .into_iter()
            .find(|guard| guard.word() == text)
            .ok_or_else(|| format!("{text:?} is no guard; the guards are {}", words()))
    }
}

impl Serialize for Guard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// A guard that a change met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GuardMet {
    /// Which.
    pub guard: Guard,
    /// The source that it is about, where it is told of one of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether it was allowed. If not, nothing was published.
    pub allowed: bool,
    /// How many files, values, codes or rows it is about.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// What it is, in words and figures.
    pub what: String,
    /// Some of those.
    pub examples: Vec<String>,
}

/// A guard or a limit that was not met, with figures that are more than half of what would meet it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NearLimit {
    /// The guard's word, or the limit's name.
    pub guard: &'static str,
    /// The source that it is about, where it is told of one of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How many files, values or rows it is about.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// What it is, in words and figures.
    pub what: String,
}

/// The guards that one change meets, and those that it nearly does.
#[derive(Debug, Default)]
pub(super) struct Guards {
    allowed: Vec<Guard>,
    met: Vec<GuardMet>,
    near: Vec<NearLimit>,
}

impl Guards {
    /// Guards of which these are allowed.
    pub(super) fn new(allowed: &[Guard]) -> Guards {
        Guards { allowed: allowed.to_vec(), ..Guards::default() }
    }

    /// Notes that `guard` is met.
    pub(super) fn meet(&mut self, guard: Guard, (count, of): (u64, u64), what: String, examples: Vec<String>) {
        let allowed = self.allowed.contains(&guard);
        self.met.push(GuardMet { guard, source: None, allowed, count, of, what, examples });
    }

    /// The same, of one of several sources.
    pub(super) fn meet_of(
        &mut self,
        source: &str,
        guard: Guard,
        numbers: (u64, u64),
        what: String,
        examples: Vec<String>,
    ) {
        self.meet(guard, numbers, what, examples);
        if let Some(met) = self.met.last_mut() {
            met.source = Some(source.to_owned());
        }
    }

    /// Notes that `guard` is met where `count` of `all` are many, and that it nearly is where they are more than half as
    /// many.
    pub(super) fn weigh(
        &mut self,
        guard: Guard,
        (count, all, few): (u64, u64, u64),
        what: impl FnOnce() -> String,
        examples: impl FnOnce() -> Vec<String>,
    ) {
        if is_many(count, all, few) {
            self.meet(guard, (count, all), what(), examples());
        } else if is_near(count, all, few) {
            self.near.push(NearLimit { guard: guard.word(), source: None, count, of: all, what: what() });
        }
    }

    /// Those that were met so far.
    pub(super) fn met(&self) -> &[GuardMet] {
        &self.met
    }

    /// Whether one was met that is not allowed.
    pub(super) fn stop(&self) -> bool {
        self.met.iter().any(|met| !met.allowed)
    }

    /// All that were met, and those that nearly were.
    pub(super) fn into_parts(self) -> (Vec<GuardMet>, Vec<NearLimit>) {
        (self.met, self.near)
    }
}

/// How many are named as examples.
pub(super) const EXAMPLES: usize = 3;

/// A file that never stops a night on its own: one that is bad must not stop the others.
pub(super) const ONE: u64 = 1;

/// So many are no sign of a broken night, whatever their share.
pub(super) const FEW: u64 = 10;

/// Whether `count` of `all` are more than a tenth, and more than `few`: that looks like a broken night.
pub(super) fn is_many(count: u64, all: u64, few: u64) -> bool {
    count > few && u128::from(count) * 10 > u128::from(all)
}

/// Whether `count` of `all` are not many, and more than half as many as would be: of a tenth, and of one more than `few`.
pub(super) fn is_near(count: u64, all: u64, few: u64) -> bool {
    let twice = u128::from(count) * 2;
    twice > u128::from(few) + 1 && twice * 10 > u128::from(all) && !is_many(count, all, few)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_is_read_from_its_word() {
        for guard in Guard::ALL {
            assert_eq!(guard.word().parse(), Ok(guard));
        }
        let error = "pruned".parse::<Guard>().unwrap_err();
        assert!(error.starts_with("\"pruned\" is no guard; the guards are missing-files, columns-gone,"), "{error}");
    }

    #[test]
    fn more_than_a_tenth_is_many_unless_it_is_few() {
        let none = [(0, 0, ONE), (1, 1, ONE), (1, 3, ONE), (2, 20, ONE), (10, 10, FEW), (11, 110, FEW)];
        assert!(none.into_iter().all(|(count, all, few)| !is_many(count, all, few)));
        let many = [(2, 19, ONE), (2, 2, ONE), (37, 60, ONE), (u64::MAX, u64::MAX, ONE), (11, 109, FEW)];
        assert!(many.into_iter().all(|(count, all, few)| is_many(count, all, few)));
    }

    #[test]
    fn more_than_half_of_what_is_many_is_near_where_few_are_none_too() {
        // Eleven of a hundred would be many, and of ten; of two hundred, 21.
        let near = [(6, 100, FEW), (8, 100, FEW), (10, 100, FEW), (6, 10, FEW), (15, 200, FEW), (2, 39, ONE)];
        assert!(near.into_iter().all(|(count, all, few)| is_near(count, all, few)));
        let far = [(0, 0, ONE), (1, 3, ONE), (2, 40, ONE), (2, 19, ONE), (5, 100, FEW), (11, 100, FEW), (10, 200, FEW)];
        assert!(far.into_iter().all(|(count, all, few)| !is_near(count, all, few)));
    }
}
