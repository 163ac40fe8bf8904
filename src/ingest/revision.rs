//! A panel that changes: what was read again beside the version before.

use std::collections::HashMap;
use std::ops::Range;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;

use super::appended::Appended;
use super::before::Before;
use super::seal::Sealer;
use crate::compare::{Alignment, KeyOrder, Marks, Origin, Reread, Rule, Run, groups, within};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::panel::restore;
use crate::shuffle::{PIECE_ROWS, Walk, cut};
use crate::store::{Section, Snapshot, Store};

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
    pub(super) fn section_before(&self, date: Date) -> Result<Option<Section>> {
        let Ok(index) = self.before.dates()?.binary_search(&date) else { return Ok(None) };
        self.before.read_section_at(index).map(Some)
    }

    /// The units of a date whose section was `section`. The walk must not have passed the date.
    ///
    /// # Errors
    /// When the section before is damaged.
    pub(super) fn units(&self, date: Date, section: Option<&Section>, walk: &mut Walk) -> Result<Vec<Unit>> {
        let all = 0..self.ranks.len() as u32;
        let Some(section) = section else {
            let runs = walk.runs(date);
            let mut starts: Vec<u32> = match runs.iter().map(|run| run.rows.len()).sum::<usize>() {
                few if few <= PIECE_ROWS => Vec::new(),
                _ => {
                    let cuts = self.sealer.gathering.cut(&runs);
                    cuts.iter().skip(1).flat_map(|cut| self.rank_of(&runs, cut.start)).collect()
                }
            };
            starts.dedup();
            let mut start = 0;
            let mut units: Vec<Unit> = Vec::with_capacity(starts.len() + 1);
            for end in starts.into_iter().chain([all.end]).filter(|&end| end > 0) {
                units.push(Unit { pieces: 0..0, ranks: start..end });
                start = end;
            }
            return Ok(units);
        };
        if section.piece_count() == 1 {
            return Ok(vec![Unit { pieces: 0..1, ranks: all }]);
        }
        // Mapped, since of each piece only two rows are looked at.
        let index = self.before.dates()?.binary_search(&date).unwrap_or_default();
        let ends = self.before.section_at(index)?.ends(&self.ranks)?;
        let groups: Vec<Range<usize>> = groups(&ends, &[]).into_iter().map(|(pieces, _)| pieces).collect();
        let starts = groups.iter().skip(1).map(|pieces| ends[pieces.start].0).chain([all.end]);
        let mut start = 0;
        let units = groups.iter().zip(starts).map(|(pieces, end)| {
            let ranks = start..end;
            start = end;
            Unit { pieces: pieces.clone(), ranks }
        });
        Ok(units.collect())
    }

    /// The part of `section` that belongs to `unit`.
    pub(super) fn part(&self, section: Option<&Section>, unit: &Unit) -> Result<Option<Before>> {
        let part = section.filter(|_| !unit.pieces.is_empty()).map(|section| section.part(unit.pieces.clone()));
        part.map(|part| Before::new(part, &self.sealer.columns)).transpose()
    }

    /// How a unit of `date` follows from what it was, which is `before`. The walk must not have passed the date.
    ///
    /// # Errors
    /// When the section before is damaged.
    pub(super) fn align(
        &self,
        date: Date,
        unit: &Unit,
        (before, marks): (Option<&Before>, &Marks),
        walk: &mut Walk,
    ) -> Result<Alignment> {
        let runs = self.within(walk.runs(date), &unit.ranks);
        let all = |before: &Before| Run { origin: Origin::Before, rows: 0..before.stock_numbers().len() };
        let keys_before = self.keys(before.map(all).as_slice(), before)?;
        let order = KeyOrder::new(&keys_before, &self.keys(&runs, None)?)?;
        let blocks = runs.iter().filter_map(|run| match run.origin {
            Origin::Block(block) => Some((run, block)),
            Origin::Before => None,
        });
        let rows = blocks.flat_map(|(run, block)| {
            let stocks = self.sealer.gathering.stocks(block, run.rows.clone());
            stocks.zip(run.rows.clone()).map(move |(stock, row)| (stock, block, row))
        });
        let stocks = before.map_or(&[][..], Before::stock_numbers);
        let compare = |row, n| order.compare(row, n);
        let first = self.reread.partition_point(|reread| reread.rank < unit.ranks.start);
        let end = self.reread.partition_point(|reread| reread.rank < unit.ranks.end);
        Ok(Alignment::new(&self.reread[first..end], stocks, marks, rows, &self.ranks, compare))
    }

    /// The pieces that the rows of a unit make once it is aligned.
    pub(super) fn cut(&self, alignment: &Alignment, before: Option<&Before>) -> Vec<Range<usize>> {
        if alignment.row_count() <= PIECE_ROWS {
            return std::iter::once(0..alignment.row_count()).filter(|rows| !rows.is_empty()).collect();
        }
        let stocks = alignment.runs.iter().flat_map(|run| -> Vec<u32> {
            match run.origin {
                Origin::Block(block) => self.sealer.gathering.stocks(block, run.rows.clone()).collect(),
                Origin::Before => before.map_or(&[][..], Before::stock_numbers)[run.rows.clone()].to_vec(),
            }
        });
        let stocks: Vec<u32> = stocks.collect();
        cut(stocks.chunk_by(|a, b| a == b).map(<[u32]>::len))
    }

    /// Those of the rows of blocks in `runs` whose stocks have places in `ranks`.
    fn within(&self, runs: Vec<Run>, ranks: &Range<u32>) -> Vec<Run> {
        if *ranks == (0..self.ranks.len() as u32) {
            return runs;
        }
        let part = |run: Run| {
            let Origin::Block(block) = run.origin else { return None };
            let rank = |row: usize| self.ranks[self.sealer.gathering.stock(block, row) as usize];
            let below = |wanted: u32| {
                let (mut low, mut high) = (run.rows.start, run.rows.end);
                while low < high {
                    let middle = low + (high - low) / 2;
                    if rank(middle) < wanted { low = middle + 1 } else { high = middle }
                }
                low
            };
            let rows = below(ranks.start)..below(ranks.end);
            (!rows.is_empty()).then_some(Run { origin: run.origin, rows })
        };
        runs.into_iter().filter_map(part).collect()
    }

    /// The place in code order of the stock of the n-th row of `runs`.
    fn rank_of(&self, runs: &[Run], n: usize) -> Option<u32> {
        let run = within(runs, n..n + 1).pop()?;
        let Origin::Block(block) = run.origin else { return None };
        self.ranks.get(self.sealer.gathering.stock(block, run.rows.start) as usize).copied()
    }

    /// The further key columns of these rows.
    fn keys(&self, runs: &[Run], before: Option<&Before>) -> Result<Vec<ArrayRef>> {
        let damaged = |damage| Error::Corrupt { path: self.before.path().to_owned(), damage };
        let column = |&column: &usize| {
            let array = self.sealer.column_of(column, runs, before).map_err(damaged)?;
            restore(&array, &self.sealer.columns[column + 2].logical)
        };
        self.key.iter().map(column).collect()
    }

    /// Which rows of a unit of the section before were appended.
    pub(super) fn marks_of(&self, date: Date, section: Option<&Section>, unit: &Unit) -> Marks {
        let counts: Vec<usize> = section.iter().flat_map(|section| section.row_counts()).collect();
        let start: usize = counts[..unit.pieces.start].iter().sum();
        self.marks(date, section).part(start..start + counts[unit.pieces.clone()].iter().sum::<usize>())
    }

    /// Which rows of the section before were appended.
    pub(super) fn marks(&self, date: Date, section: Option<&Section>) -> Marks {
        self.appended.marks(date, section.map_or(0, Section::row_count))
    }
}

/// What of a date is compared, and written, at once: pieces that share no stock with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    /// The pieces of the section before.
    pub(super) pieces: Range<usize>,
    /// The places in code order of its stocks.
    pub(super) ranks: Range<u32>,
}
