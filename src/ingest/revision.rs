//! A panel that changes: what was read again beside the version before.

use std::collections::HashMap;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;

use super::appended::Appended;
use super::before::Before;
use super::seal::Sealer;
use crate::compare::{Alignment, KeyOrder, Marks, Origin, Piece, Reread, Rule};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::shuffle::Walk;
use crate::store::{Snapshot, Store};

/// What was read again, beside the version before.
pub(super) struct Revision<'a> {
    pub(super) sealer: Sealer<'a>,
    pub(super) before: &'a Store,
    /// The stocks that were read again or are to go, by code.
    reread: Vec<Reread>,
    /// Place of each stock in code order, by stock number.
    ranks: Vec<u32>,
    /// The dates on which a row was read again or may be gone, ascending.
    pub(super) dates: Vec<Date>,
    /// The rows of the version before that were appended.
    appended: &'a Appended,
    /// Whose rows were read again.
    pub(super) given: Given,
    /// The further key columns, as places among the panel's.
    pub(super) key: Vec<usize>,
}

/// Whose rows were read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// Those of the stocks' files.
    ByStock,
    /// Those of whole dates, which this version appends.
    ByDate {
        version: u64,
        /// Whether rows that were not given go.
        replaces: bool,
    },
}

impl<'a> Revision<'a> {
    /// A revision of the stocks whose codes have a rule in `reread` on `dates`, in any order; what is not among the
    /// rows of `sealer` was not read.
    pub(super) fn new(
        sealer: Sealer<'a>,
        (before, appended): (&'a Store, &'a Appended),
        snapshot: &Snapshot,
        given: Given,
        reread: &HashMap<&str, Rule>,
        mut dates: Vec<Date>,
    ) -> Revision<'a> {
        let (order, ranks) = snapshot.stock_order();
        let codes = snapshot.dictionaries[0].as_string::<i32>();
        let reread = order.into_iter().filter_map(|stock| {
            let rule = *reread.get(codes.value(stock as usize))?;
            Some(Reread { stock, rank: ranks[stock as usize], rule })
        });
        let reread = reread.collect();
        dates.sort_unstable();
        dates.dedup();
        Revision { sealer, before, reread, ranks, dates, appended, given, key: snapshot.key() }
    }

    /// The section of `date` in the version before, if there is one.
    pub(super) fn section_before(&self, date: Date) -> Result<Option<Before>> {
        let Ok(index) = self.before.dates()?.binary_search(&date) else { return Ok(None) };
        Before::new(self.before.read_section_at(index)?, &self.sealer.columns).map(Some)
    }

    /// How the section of `date` follows from the one before. The walk must not have passed the date.
    ///
    /// # Errors
    /// When the section before is damaged.
    pub(super) fn align(&self, date: Date, before: Option<&Before>, walk: &mut Walk) -> Result<Alignment> {
        let pieces = walk.pieces(date);
        let all = |before: &Before| Piece { origin: Origin::Before, rows: 0..before.stock_numbers().len() };
        let keys_before = self.keys(before.map(all).as_slice(), before)?;
        let order = KeyOrder::new(&keys_before, &self.keys(&pieces, None)?)?;
        let blocks = pieces.iter().filter_map(|piece| match piece.origin {
            Origin::Block(block) => Some((piece, block)),
            Origin::Before => None,
        });
        let rows = blocks.flat_map(|(piece, block)| {
            let stocks = self.sealer.gathering.stocks(block, piece.rows.clone());
            stocks.zip(piece.rows.clone()).map(move |(stock, row)| (stock, block, row))
        });
        let stocks = before.map_or(&[][..], Before::stock_numbers);
        let compare = |row, n| order.compare(row, n);
        Ok(Alignment::new(&self.reread, stocks, &self.marks(date, before), rows, &self.ranks, compare))
    }

    /// The further key columns of these rows.
    fn keys(&self, pieces: &[Piece], before: Option<&Before>) -> Result<Vec<ArrayRef>> {
        let damaged = |damage| Error::Corrupt { path: self.before.path().to_owned(), damage };
        let column = |&column: &usize| self.sealer.column_of(column, pieces, before).map_err(damaged);
        self.key.iter().map(column).collect()
    }

    /// Which rows of the section before were appended.
    pub(super) fn marks(&self, date: Date, before: Option<&Before>) -> Marks {
        self.appended.marks(date, before.map_or(0, |before| before.stock_numbers().len()))
    }
}
