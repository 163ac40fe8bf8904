//! How a source joins the others: whether it brings rows of its own; and what is remembered of those that it may not bring.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::key::Date;
use crate::source::SourceOptions;
use crate::store::Store;

/// What becomes of rows of a source whose key no other source has that joins outer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Join {
    /// They are rows of the panel.
    #[default]
    Outer,
    /// They are counted and left out, until such a source has their key.
    Left,
}

impl Join {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(super) fn is_outer(&self) -> bool {
        *self == Join::Outer
    }
}

impl fmt::Display for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Join::Outer => "outer",
            Join::Left => "left",
        })
    }
}

impl FromStr for Join {
    type Err = String;

    fn from_str(text: &str) -> Result<Join, String> {
        match text {
            "outer" => Ok(Join::Outer),
            "left" => Ok(Join::Left),
            _ => Err(format!("{text:?} is neither outer nor left")),
        }
    }
}

/// What a source that joins left has left out.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeftOut {
    /// The units, stocks or dates, of which rows were left out.
    units: BTreeSet<String>,
    /// The version beside whose rows they were last laid.
    since: u64,
}

impl LeftOut {
    /// These units, beside the rows of a version.
    pub(super) fn new(units: BTreeSet<String>, since: u64) -> LeftOut {
        LeftOut { units, since }
    }

    /// Whether nothing was left out.
    pub(super) fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// The version beside whose rows they were last laid.
    pub(super) fn since(&self) -> u64 {
        self.since
    }

    /// The units of which rows were left out.
    pub(super) fn units(&self) -> &BTreeSet<String> {
        &self.units
    }

    /// Those of which rows may come in, since `whole` got others of their stocks or dates.
    ///
    /// # Errors
    /// When the store is damaged.
    pub(super) fn gained(&self, whole: &Store, options: &SourceOptions) -> Result<BTreeSet<String>> {
        if self.is_empty() {
            return Ok(BTreeSet::new());
        }
        let (stocks, dates) = (whole.stocks_changed_since(self.since)?, whole.dates_changed_since(self.since)?);
        Ok(units_of(self.units.iter().cloned(), options, (&stocks, &dates)))
    }

    /// With further units, whose rows were in the panel so far.
    pub(super) fn and(mut self, units: impl IntoIterator<Item = String>, version: u64) -> LeftOut {
        if self.is_empty() {
            self.since = version;
        }
        self.units.extend(units);
        self
    }

    /// With those of another version, beside whose rows none of them is laid again before they change.
    pub(super) fn restored(&self, then: &LeftOut, version: u64) -> LeftOut {
        LeftOut { units: self.units.union(&then.units).cloned().collect(), since: version }
    }
}

/// Those of `units` that are of one of these stocks or dates, ascending.
pub(super) fn units_of(
    units: impl IntoIterator<Item = String>,
    options: &SourceOptions,
    (codes, dates): (&HashSet<&str>, &[Date]),
) -> BTreeSet<String> {
    let is_of = |unit: &String| match options.period_of(unit) {
        None => codes.contains(unit.as_str()),
        Some(period) => {
            let first = dates.partition_point(|date| *date < period.first);
            dates.get(first).is_some_and(|date| period.has(*date))
        }
    };
    units.into_iter().filter(is_of).collect()
}
