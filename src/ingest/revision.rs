//! A panel that changes: what was read again beside the version before.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};

use super::appended::Appended;
use super::before::Before;
use super::seal::Sealer;
use crate::compare::{Alignment, Marks, Origin, Reread, Rule};
use crate::error::Result;
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
    /// Code of each stock, by stock number.
    codes: ArrayRef,
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
        let codes = Arc::clone(&snapshot.dictionaries[0]);
        Revision { sealer, before, reread, ranks, dates, appended, given, codes }
    }

    /// The section of `date` in the version before, if there is one.
    pub(super) fn section_before(&self, date: Date) -> Result<Option<Before>> {
        let Ok(index) = self.before.dates()?.binary_search(&date) else { return Ok(None) };
        Before::new(self.before.read_section_at(index)?, &self.sealer.columns).map(Some)
    }

    /// How the section of `date` follows from the one before. The walk must not have passed the date.
    pub(super) fn align(&self, date: Date, before: Option<&Before>, walk: &mut Walk) -> Alignment {
        let pieces = walk.pieces(date);
        let blocks = pieces.iter().filter_map(|piece| match piece.origin {
            Origin::Block(block) => Some((piece, block)),
            Origin::Before => None,
        });
        let rows = blocks.flat_map(|(piece, block)| {
            let stocks = self.sealer.gathering.stocks(block, piece.rows.clone());
            stocks.zip(piece.rows.clone()).map(move |(stock, row)| (stock, block, row))
        });
        let stocks = before.map_or(&[][..], Before::stock_numbers);
        Alignment::new(&self.reread, stocks, &self.marks(date, before), rows, &self.ranks)
    }

    /// The code of a stock.
    pub(super) fn code(&self, stock: u32) -> &str {
        let codes = self.codes.as_string::<i32>();
        if (stock as usize) < codes.len() { codes.value(stock as usize) } else { "" }
    }

    /// Which rows of the section before were appended.
    pub(super) fn marks(&self, date: Date, before: Option<&Before>) -> Marks {
        self.appended.marks(date, before.map_or(0, |before| before.stock_numbers().len()))
    }
}
