//! What differs between a version and the one before it.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::revision::Unit;
use crate::format::RowCounts;
use crate::ingest::appended::AppendedDate;
use crate::key::Date;
use crate::store::DateChange;

/// More rows or values than there can be of any; so many sums of these are no more than a number can be.
const MOST: u64 = 1 << 50;

/// Changes told in full.
pub(in crate::ingest) const EXAMPLES: usize = 10;

/// What differs from the version before.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::ingest) struct Changes {
    /// The dates whose sections differ, ascending.
    pub(in crate::ingest) dirty: Vec<DirtyDate>,
    /// For each panel column, how many values differ in rows that the source had: restated ones, or filled ones where the
    /// column was not.
    pub(in crate::ingest) columns: Vec<u64>,
    /// For each panel column, how many first values the source has in rows of others that it had not.
    pub(in crate::ingest) filled: Vec<u64>,
    /// For each stock by number that has some, its rows that differ.
    #[serde(skip)]
    pub(in crate::ingest) rows_of: Vec<(u32, RowCounts)>,
    /// For each panel column, what was lost of it.
    pub(in crate::ingest) lost_values: Vec<Lost>,
    /// Rows of the dates compared that were there before.
    pub(in crate::ingest) rows_before: u64,
    /// The stocks with rows of the source that differ, by number.
    pub(in crate::ingest) stocks: Numbers,
    /// The first changes.
    pub(in crate::ingest) examples: Vec<RowChange>,
    /// The appended rows of each date that has or had some.
    pub(in crate::ingest) appended: Vec<(Date, AppendedDate)>,
    /// Appended rows that stay although the files lack them.
    pub(in crate::ingest) stayed: Found,
    /// Rows that are gone from dates that had appended rows.
    pub(in crate::ingest) lost: Found,
    /// How many of these were appended themselves.
    pub(in crate::ingest) lost_appended: u64,
    /// Rows that were read and left out, since no source has their key that joins outer.
    pub(in crate::ingest) left_out: u64,
    /// The stocks and the dates with rows that are left out, or gone for the same reason.
    pub(in crate::ingest) left_stocks: Numbers,
    pub(in crate::ingest) left_dates: BTreeSet<Date>,
    /// Rows that the source lost and other sources still have.
    pub(in crate::ingest) parted: u64,
}

/// What was lost of a column.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(in crate::ingest) struct Lost {
    /// Values that turned null.
    pub(in crate::ingest) turned_null: u64,
    /// Numbers that turned NaN.
    pub(in crate::ingest) turned_nan: u64,
    /// Of the values that turned null, those of a column of floats that were numbers, and not NaN.
    #[serde(default)]
    pub(in crate::ingest) null_of_numbers: u64,
    /// The stocks that had such a value, by number, or the dates compared where files are by date.
    units: Numbers,
}

/// A set of numbers that are small: one bit each.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(in crate::ingest) struct Numbers(Vec<u64>);

impl Numbers {
    pub(in crate::ingest) fn has(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|bits| bits >> (number % 64) & 1 == 1)
    }

    pub(in crate::ingest) fn add(&mut self, number: u32) {
        let word = number as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (number % 64);
    }

    pub(in crate::ingest) fn add_all(&mut self, more: &Numbers) {
        if self.0.len() < more.0.len() {
            self.0.resize(more.0.len(), 0);
        }
        self.0.iter_mut().zip(&more.0).for_each(|(bits, more)| *bits |= more);
    }

    /// All of them, ascending.
    pub(in crate::ingest) fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.0.len() as u64 * 64).map(|number| number as u32).filter(|&number| self.has(number))
    }
}

impl Lost {
    /// Whether a value of the stock or the date turned null.
    pub(in crate::ingest) fn is_of(&self, unit: u32) -> bool {
        self.units.has(unit)
    }

    pub(in crate::ingest) fn note(&mut self, unit: u32, of_number: bool) {
        self.turned_null += 1;
        self.null_of_numbers += u64::from(of_number);
        self.units.add(unit);
    }

    pub(in crate::ingest) fn extend(&mut self, more: &Lost) {
        self.turned_null += more.turned_null;
        self.turned_nan += more.turned_nan;
        self.null_of_numbers += more.null_of_numbers;
        self.units.add_all(&more.units);
    }
}

/// Some rows.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::ingest) struct Found {
    pub(in crate::ingest) count: u64,
    /// Date and code of the first.
    pub(in crate::ingest) examples: Vec<String>,
}

/// A date whose section differs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ingest) struct DirtyDate {
    pub(in crate::ingest) date: Date,
    /// What it consists of.
    pub(in crate::ingest) units: Vec<NewUnit>,
    pub(in crate::ingest) added: u64,
    pub(in crate::ingest) restated: u64,
    /// Rows that differ only in first values: of columns that the version before does not have, or of a source that had no
    /// such row.
    pub(in crate::ingest) filled: u64,
    pub(in crate::ingest) removed: u64,
}

impl DirtyDate {
    /// How many rows are not as they were, by what became of them.
    pub(in crate::ingest) fn change(&self) -> DateChange {
        let Self { date, added, restated, filled, removed, .. } = *self;
        DateChange { date, added, restated, filled, removed }
    }

    /// How many rows are not as they were.
    pub(super) fn change_count(&self) -> u64 {
        self.added + self.restated + self.filled + self.removed
    }
}

/// A unit of a date on which something differs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ingest) struct NewUnit {
    pub(in crate::ingest) unit: Unit,
    /// What the source has of it now; `None` where that stays as it is.
    pub(in crate::ingest) now: Option<UnitNow>,
}

/// What a source has of a unit that differs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ingest) struct UnitNow {
    /// The pieces that its rows make where there is no other source.
    pub(super) cuts: Vec<Range<usize>>,
    /// What the unit consists of where rows of one of several sources came or went.
    pub(super) moved: Option<Vec<PieceNow>>,
}

/// A piece of a unit in which rows of one of several sources came or went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PieceNow {
    /// Its rows among the unit's; none where all are gone.
    pub(in crate::ingest) rows: Range<usize>,
    /// How many of them the source has.
    pub(in crate::ingest) own: usize,
    /// By place of the source, how many each other one has; `None` where the piece has the rows that it had.
    pub(in crate::ingest) others: Option<Vec<(usize, usize)>>,
}

/// One change, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RowChange {
    /// The date.
    pub date: Date,
    /// The stock's code.
    #[serde(rename = "stock")]
    pub code: String,
    /// The values of the further key columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// `added`, `restated`, `filled` or `removed`.
    #[serde(deserialize_with = "word_of")]
    pub change: Word,
    /// For a restated or filled value, its column.
    pub column: Option<String>,
    /// The value before.
    #[serde(rename = "old")]
    pub before: Option<String>,
    /// The value now.
    #[serde(rename = "new")]
    pub now: Option<String>,
}

/// A word for what became of a row. The type has a name since a field that is spelt `&str` would be borrowed from what
/// is read.
type Word = &'static str;

fn word_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
    let word = String::deserialize(deserializer)?;
    let known = ["added", "restated", "filled", "removed"].into_iter().find(|known| *known == word);
    known.ok_or_else(|| D::Error::custom(format!("{word} becomes of no row")))
}

impl Changes {
    /// No change of so many columns.
    pub(in crate::ingest) fn none(columns: usize) -> Changes {
        Changes {
            columns: vec![0; columns],
            filled: vec![0; columns],
            lost_values: vec![Lost::default(); columns],
            ..Changes::default()
        }
    }

    /// Whether the counts are such as there can be, of so many columns.
    pub(in crate::ingest) fn are_possible(&self, columns: usize) -> bool {
        let Changes { rows_before, lost_appended, left_out, parted, stayed, lost, .. } = self;
        let alone = [*rows_before, *lost_appended, *left_out, *parted, stayed.count, lost.count];
        let turned = self.lost_values.iter().flat_map(|lost| [lost.turned_null, lost.turned_nan, lost.null_of_numbers]);
        let of_columns = self.columns.iter().chain(&self.filled).copied().chain(turned);
        let of_stocks = self.rows_of.iter().all(|(_, rows)| rows.all().iter().all(|count| *count <= MOST));
        let of_date = |dirty: &DirtyDate| {
            [dirty.added, dirty.restated, dirty.filled, dirty.removed].iter().all(|count| *count <= u32::MAX.into())
        };
        [self.columns.len(), self.filled.len(), self.lost_values.len()] == [columns; 3]
            && alone.into_iter().chain(of_columns).all(|count| count <= MOST)
            && of_stocks
            && self.dirty.iter().all(of_date)
    }

    /// Adds those of later dates. Rows by stock are left to whoever counts them for all.
    pub(in crate::ingest) fn extend(&mut self, more: Changes) {
        self.lost_values.iter_mut().zip(&more.lost_values).for_each(|(all, more)| all.extend(more));
        self.rows_before += more.rows_before;
        self.stocks.add_all(&more.stocks);
        self.dirty.extend(more.dirty);
        self.columns.iter_mut().zip(more.columns).for_each(|(sum, count)| *sum += count);
        self.filled.iter_mut().zip(more.filled).for_each(|(sum, count)| *sum += count);
        self.examples.extend(more.examples);
        self.examples.truncate(EXAMPLES);
        self.appended.extend(more.appended);
        self.stayed.extend(more.stayed);
        self.lost.extend(more.lost);
        self.lost_appended += more.lost_appended;
        self.left_out += more.left_out;
        self.left_stocks.add_all(&more.left_stocks);
        self.left_dates.extend(more.left_dates);
        self.parted += more.parted;
    }
}

impl UnitNow {
    /// Whether it can be what a source has beside those at `others`.
    pub(in crate::ingest) fn is_whole(&self, others: &[usize]) -> bool {
        let follow = |rows: &[Range<usize>]| {
            let mut end = 0;
            rows.iter().all(|rows| {
                let follows = rows.start == end && rows.end >= end && rows.end <= u32::MAX as usize;
                end = rows.end;
                follows
            })
        };
        let moved = self.moved.as_deref().unwrap_or_default();
        let rows: Vec<Range<usize>> = moved.iter().map(|piece| piece.rows.clone()).collect();
        let counts = |piece: &PieceNow| {
            let (places, mut counts): (Vec<usize>, Vec<usize>) = piece.others.iter().flatten().copied().unzip();
            counts.push(piece.own);
            (piece.others.is_none() || places == others) && counts.iter().all(|count| *count <= piece.rows.len())
        };
        follow(&self.cuts) && follow(&rows) && moved.iter().all(counts)
    }
}

impl Found {
    pub(in crate::ingest) fn extend(&mut self, more: Found) {
        self.count += more.count;
        self.examples.extend(more.examples);
        self.examples.truncate(EXAMPLES);
    }
}
