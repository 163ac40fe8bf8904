//! A difference of some dates, stocks and columns.

use super::diff::Diff;
use crate::error::{Error, Result, Wanted};
use crate::hint::slip;
use crate::key::Date;

impl Diff {
    /// The same on the dates from `from` to `to`, both among them.
    pub fn between(mut self, from: Option<Date>, to: Option<Date>) -> Diff {
        let is_within = |date: Date| from.is_none_or(|from| from <= date) && to.is_none_or(|to| date <= to);
        self.is_narrowed |= from.is_some() || to.is_some();
        self.dates = self.dates.iter().copied().filter(|dated| is_within(dated.date)).collect();
        self
    }

    /// The same of these stocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for codes that neither version has.
    pub fn of_stocks<S: AsRef<str>>(mut self, codes: impl IntoIterator<Item = S>) -> Result<Diff> {
        let (mut is_chosen, mut unknown) = (vec![false; self.codes.len()], Vec::new());
        for code in codes {
            match self.codes.binary_search_by(|known| (**known).cmp(code.as_ref())) {
                Ok(rank) => is_chosen[rank] = true,
                Err(_) => unknown.push(code.as_ref().to_owned()),
            }
        }
        match &unknown[..] {
            [] => {}
            // Says which codes it may be a slip of.
            [only] => drop(self.newer.stock(only)?),
            several => {
                let spell = |code: &String| slip(code, self.codes.iter().map(|known| &**known));
                let place = format!(" in {}", self.newer.path().display());
                let way_out = "name stocks that one of the versions has".into();
                return Err(Error::none_of(Wanted::Stock, ("stocks", several), &place, spell, way_out));
            }
        }
        self.is_narrowed = true;
        self.chosen = Some(is_chosen.into());
        Ok(self)
    }

    /// The same of these columns: of rows that both versions have, what differs in others is not told. Rows that only
    /// one version has are.
    ///
    /// # Errors
    /// [`Error::NotFound`] for columns that neither version has.
    pub fn of_columns<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Result<Diff> {
        let (mut is_chosen, mut unknown) = (vec![false; self.columns.len()], Vec::new());
        for name in names {
            match self.columns.iter().position(|column| column.name == name.as_ref()) {
                Some(place) => is_chosen[place] = true,
                None => unknown.push(name.as_ref().to_owned()),
            }
        }
        // Says which columns they may be slips of.
        self.newer.schema()?.find_all(unknown.iter().map(String::as_str))?;
        self.is_narrowed = true;
        let columns = self.columns.iter().zip(&is_chosen).filter(|(_, is_chosen)| **is_chosen);
        self.columns = columns.map(|(column, _)| column.clone()).collect();
        Ok(self)
    }
}
