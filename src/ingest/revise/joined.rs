//! Which rows a source that joins left may have: those whose key another source has that joins outer.

use std::collections::{BTreeSet, HashSet};

use arrow_array::cast::AsArray;
use arrow_buffer::BooleanBuffer;

use super::changes::Changes;
use super::revision::{Revision, Unit};
use crate::compare::Alignment;
use crate::error::Result;
use crate::ingest::join::units_of;
use crate::ingest::seal::before::Before;
use crate::key::Date;
use crate::source::SourceOptions;
use crate::store::Snapshot;

impl Revision<'_> {
    /// `alignment` without the rows that the source may not have, where it joins left: those whose key no source has that
    /// joins outer. `before` is what the source had of the unit.
    ///
    /// # Errors
    /// When the section before is damaged.
    pub(super) fn joined(
        &self,
        date: Date,
        unit: &Unit,
        before: Option<&Before>,
        alignment: Alignment,
    ) -> Result<Alignment> {
        let Some(outer) = &self.outer else { return Ok(alignment) };
        let section = self.whole_section(date)?;
        let whole = self.whole_keys(section.as_ref(), unit)?;
        let mut brought = BooleanBuffer::new_unset(whole.as_ref().map_or(0, |whole| whole.stock_numbers().len()));
        for &place in outer {
            brought = &brought | &self.rows_of(place, section.as_ref(), unit)?;
        }
        let may_be = self.among((&alignment.runs, before), whole.as_ref(), &brought)?;
        Ok(alignment.only(&may_be))
    }

    /// Those of `units` of which rows are left out, by the names of `options`.
    pub(in crate::ingest) fn left_out(
        &self,
        changes: &Changes,
        snapshot: &Snapshot,
        units: impl IntoIterator<Item = String>,
        options: &SourceOptions,
    ) -> BTreeSet<String> {
        if self.outer.is_none() {
            return BTreeSet::new();
        }
        let codes = snapshot.dictionaries[0].as_string::<i32>();
        let codes: HashSet<&str> = changes.left_stocks.iter().map(|stock| codes.value(stock as usize)).collect();
        let dates: Vec<Date> = changes.left_dates.iter().copied().collect();
        units_of(units, options, (&codes, &dates))
    }
}
