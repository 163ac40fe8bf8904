//! Rows of a source that joins left, as the check against its files sees them: those whose key no source has that joins
//! outer are none of the store's.

use arrow_array::ArrayRef;

use crate::compare::KeyOrder;
use crate::error::Result;
use crate::ingest::left::outer_sources;
use crate::ingest::settings::Settings;
use crate::key::Date;
use crate::panel::Column;
use crate::store::Store;

/// The keys that sources bring which join outer.
pub(super) struct Brought<'a> {
    whole: &'a Store,
    outer: Vec<usize>,
    codes: Vec<&'a str>,
}

impl<'a> Brought<'a> {
    /// Those of `whole`, whose source at `place` has these settings; `None` where that joins outer itself.
    ///
    /// # Errors
    /// When the store is damaged.
    pub(super) fn new(whole: &'a Store, place: usize, settings: &Settings) -> Result<Option<Brought<'a>>> {
        let outer = outer_sources(whole, place, settings.join)?;
        let codes = whole.stocks()?;
        Ok(outer.map(|outer| Brought { whole, outer, codes }))
    }

    /// Whether the keys of these rows of `date` are among them: each a code, and the row in `key`, whose columns these are.
    ///
    /// # Errors
    /// When the store is damaged.
    pub(super) fn have(
        &self,
        date: Date,
        rows: &[(&str, usize)],
        (key, columns): (&[ArrayRef], &[&Column]),
    ) -> Result<Vec<bool>> {
        let Ok(index) = self.whole.dates()?.binary_search(&date) else { return Ok(vec![false; rows.len()]) };
        let section = self.whole.section_at(index)?;
        let mut brought = Vec::with_capacity(self.outer.len());
        for &place in &self.outer {
            brought.push(section.rows_of(place)?);
        }
        let panel = self.whole.schema()?;
        let mut have = Vec::with_capacity(rows.len());
        for of_code in rows.chunk_by(|a, b| a.0 == b.0) {
            let Ok(rank) = self.codes.binary_search(&of_code[0].0) else {
                have.extend(of_code.iter().map(|_| false));
                continue;
            };
            let theirs = section.rows_between(rank as u32..rank as u32 + 1)?;
            let places = panel.key.iter().zip(columns);
            let their_key = places.map(|(&place, c)| section.checked_column_as(place, &c.data_type, theirs.clone()));
            let order = KeyOrder::new(&their_key.collect::<Result<Vec<ArrayRef>>>()?, key)?;
            let has = |row: usize| {
                let mut same = (0..theirs.len()).filter(|&n| order.compare(n, row).is_eq());
                same.any(|n| brought.iter().any(|bits| bits.value(theirs.start + n)))
            };
            have.extend(of_code.iter().map(|(_, row)| has(*row)));
        }
        Ok(have)
    }
}
