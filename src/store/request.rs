//! What is asked of a version: which columns, dates and stocks, and in which types the answer is to be.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::universe::Universe;
use super::view::Store;
use crate::error::{Error, Result, Wanted};
use crate::key::Date;
use crate::remedy::{Remedy, Setting};

/// Which columns, dates and stocks are asked for, and in which types. The default asks for everything, in the types
/// that the input has.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The panel's columns in this order, each once; `None` asks for all. Code and date come first, named or not.
    pub columns: Option<Vec<String>>,
    /// The dates.
    pub dates: Selection,
    /// The stocks; `None` asks for all.
    pub stocks: Option<Vec<String>>,
    /// Whether stocks that the store lacks are passed over.
    pub ignore_unknown: bool,
    /// Further key columns, each with the one value that rows are to have, as `show` prints it. A matrix needs one for
    /// each key column.
    pub at: Vec<(String, String)>,
    /// Which of these rows belong; `None` takes all.
    pub universe: Option<Universe>,
    /// The types of the answer.
    pub types: Types,
}

impl Request {
    /// These columns, of all dates and stocks.
    pub fn of<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Request {
        Request { columns: Some(columns.into_iter().map(Into::into).collect()), ..Request::default() }
    }
}

/// Which dates are asked for. The default selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// The first date.
    pub from: Option<Date>,
    /// The last date.
    pub to: Option<Date>,
    /// Exactly these dates; the store must have each, unless those that it lacks are passed over. `None` selects all from
    /// the first to the last.
    pub dates: Option<Vec<Date>>,
    /// Of all these, only so many, the latest.
    pub last: Option<usize>,
    /// Whether dates that the store lacks are passed over.
    #[serde(skip)]
    pub ignore_unknown: bool,
}

/// In which types rows are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Types {
    /// Type of the code column.
    pub code: CodeType,
    /// Type of the date column.
    pub date: DateType,
    /// Types of the other columns.
    pub values: ValueTypes,
}

/// How codes are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CodeType {
    /// As the input has them.
    #[default]
    Logical,
    /// As a string view: sixteen bytes a row, and no text is copied.
    View,
    /// As they are stored, a dictionary of all codes of the store: nothing is copied.
    Dictionary,
}

/// How dates are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateType {
    /// As the input spells them. Making text of them can cost more than all other columns of a small section.
    #[default]
    Logical,
    /// As date32, which is how they are stored.
    Day,
    /// Not at all: a section has one date.
    Omitted,
}

/// How the values of the other columns are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValueTypes {
    /// As the input has them.
    #[default]
    Logical,
    /// As each section stores them, without a copy: as narrow as its segment's values allow. Where rows of several
    /// segments are joined, as in a series, they are in logical types all the same.
    Stored,
}

/// That a store lacks some of what was asked for, these `names`; `spell` adds to one what it may be a slip of.
pub(super) fn unknown_names<T: ToString>(
    wanted: Wanted,
    [one, several]: [&str; 2],
    names: &[T],
    spell: impl Fn(&T) -> String,
    store: &Store,
) -> Error {
    let (things, them) = if names.len() == 1 { (one, "it") } else { (several, "them") };
    let hint = Remedy::set(Setting::IgnoreUnknown, format!("passes over {them}"));
    Error::none_of(wanted, (things, names), &format!(" in {}", store.path().display()), spell, hint)
}

impl Types {
    /// The types that the input has.
    pub const LOGICAL: Types = Types { code: CodeType::Logical, date: DateType::Logical, values: ValueTypes::Logical };
    /// The types in which sections lie in the map.
    pub const STORED: Types = Types { code: CodeType::Dictionary, date: DateType::Day, values: ValueTypes::Stored };
}

impl Selection {
    /// The places of the selected dates among the store's, ascending.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a named date that the store lacks, with the nearest ones.
    pub fn resolve(&self, store: &Store) -> Result<Vec<usize>> {
        let all = store.dates()?;
        let named: Option<HashSet<Date>> = self.dates.as_ref().map(|dates| dates.iter().copied().collect());
        let is_unknown = |date: &&Date| all.binary_search(date).is_err();
        let mut unknown: Vec<Date> = named.iter().flatten().filter(is_unknown).copied().collect();
        unknown.sort_unstable();
        match unknown.as_slice() {
            [] => {}
            _ if self.ignore_unknown => {}
            // Which are near says more of one that is all that was asked for.
            &[only] if named.as_ref().is_some_and(|named| named.len() == 1) => store.place_of(only).map(drop)?,
            several => {
                let spell = |date: &Date| {
                    let near = store.beside(*date).unwrap_or_default();
                    format!("{date} ({}?)", near.iter().map(Date::to_string).collect::<Vec<_>>().join(" or "))
                };
                return Err(unknown_names(Wanted::Date, ["date", "dates"], several, spell, store));
            }
        }
        let selected = |date: Date| {
            self.from.is_none_or(|from| date >= from)
                && self.to.is_none_or(|to| date <= to)
                && named.as_ref().is_none_or(|named| named.contains(&date))
        };
        let mut places: Vec<usize> = (0..all.len()).filter(|&index| selected(all[index])).collect();
        let left_out = self.last.map_or(0, |last| places.len().saturating_sub(last));
        places.drain(..left_out);
        Ok(places)
    }
}
