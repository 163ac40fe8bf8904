//! The rows of a unit of the whole section, after one of its sources has got or lost some.

use std::cmp::Ordering;
use std::ops::Range;

use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};

use super::changes::PieceNow;
use super::revision::{Aligned, Revision, Unit};
use crate::compare::{Alignment, KeyOrder, Origin, Place, Run, within};
use crate::error::Result;
use crate::ingest::seal::before::Before;
use crate::key::Date;
use crate::shuffle::{PIECE_ROWS, Walk, cut};
use crate::store::Section;

/// The rows of a unit, in key order.
pub(in crate::ingest) struct Merged {
    /// Where their keys lie: in the whole section before, or in blocks.
    pub(in crate::ingest) runs: Vec<Run>,
    /// Which of them the source has now.
    pub(in crate::ingest) own: BooleanBuffer,
    /// Rows of blocks that the whole section lacked.
    pub(in crate::ingest) new: Vec<Run>,
    /// Rows of the whole section that are gone.
    pub(in crate::ingest) gone: Vec<usize>,
    /// The rows that each piece of the section has now; where it had none, the pieces they make.
    pub(in crate::ingest) pieces: Vec<Range<usize>>,
    /// For each piece, whether it has other rows than before.
    pub(in crate::ingest) is_moved: Vec<bool>,
}

impl Merged {
    /// How many rows there are.
    pub(in crate::ingest) fn row_count(&self) -> usize {
        self.own.len()
    }

    /// Which of these rows a source has that had `before` of the unit's rows.
    pub(in crate::ingest) fn rows_of(&self, before: &BooleanBuffer, rows: Range<usize>) -> BooleanBuffer {
        let mut bits = BooleanBufferBuilder::new(rows.len());
        for run in within(&self.runs, rows) {
            match run.origin {
                Origin::Before => bits.append_buffer(&before.slice(run.rows.start, run.rows.len())),
                Origin::Block(_) => bits.append_n(run.rows.len(), false),
            }
        }
        bits.finish()
    }
}

impl Revision<'_> {
    /// The rows of a unit, of which the source has those of `alignment` now. `before` is the source's part of it, `section`
    /// the whole section before.
    ///
    /// # Errors
    /// When the section before is damaged.
    pub(in crate::ingest) fn merge(
        &self,
        unit: &Unit,
        section: Option<&Section>,
        (before, alignment): (Option<&Before>, &Alignment),
    ) -> Result<Merged> {
        let whole = self.whole_keys(section, unit)?;
        let part = section.filter(|_| !unit.pieces.is_empty()).map(|section| section.part(unit.pieces.clone()));
        let all = whole.as_ref().map(|whole| Run { origin: Origin::Before, rows: 0..whole.stock_numbers().len() });
        let whole_keys = self.keys(all.as_slice(), whole.as_ref())?;
        let order = KeyOrder::new(&whole_keys, &self.keys(&alignment.runs, before)?)?;
        let whole_stocks = whole.as_ref().map_or(&[][..], Before::stock_numbers);
        let others = match (&part, alignment.removed.is_empty()) {
            (Some(part), false) => Some(self.others(part)?),
            _ => None,
        };

        let mut merged = Merged {
            runs: Vec::new(),
            own: BooleanBuffer::new_unset(0),
            new: Vec::new(),
            gone: Vec::new(),
            pieces: Vec::new(),
            is_moved: Vec::new(),
        };
        // How many rows before there are up to the end of each piece.
        let mut ends: Vec<usize> = Vec::new();
        let mut end = 0;
        for count in part.iter().flat_map(|part| part.row_counts()) {
            end += count;
            ends.push(end);
        }
        let mut own = BooleanBufferBuilder::new(whole_stocks.len());
        let mut starts: Vec<usize> = Vec::new();
        merged.is_moved = vec![false; ends.len().max(1)];
        // A damaged section may name any stock.
        let rank = |stock: u32| self.ranks().get(stock as usize).copied().unwrap_or(u32::MAX);
        let now = self.stocks_of(&alignment.runs, before);
        let mut place = Place::first(&alignment.runs);
        let (mut row, mut n, mut piece) = (0, 0, 0);
        loop {
            // Mostly the source has what the panel has.
            let start = row;
            let both = whole_stocks[row..].iter().zip(&now[n..]).enumerate();
            let is_in_both =
                |&(at, (a, b)): &(usize, (&u32, &u32))| a == b && order.compare(start + at, n + at).is_eq();
            let len = both.take_while(is_in_both).count();
            place.pass(len);
            (row, n) = (row + len, n + len);
            while let Some(end) = ends.get(piece).filter(|&&end| end < row) {
                starts.push(own.len() + end.saturating_sub(start));
                piece += 1;
            }
            Run::push(&mut merged.runs, Origin::Before, start..row);
            own.append_n(row - start, true);
            let order = match (whole_stocks.get(row), now.get(n)) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(&a), Some(&b)) => rank(a).cmp(&rank(b)).then_with(|| order.compare(row, n)),
            };
            if order.is_le() {
                while ends.get(piece).is_some_and(|&end| row >= end) {
                    starts.push(own.len());
                    piece += 1;
                }
            }
            let moved = |merged: &mut Merged| {
                let at = piece.min(merged.is_moved.len() - 1);
                merged.is_moved[at] = true;
            };
            match (order, place.next()) {
                (Ordering::Less, _) if others.as_ref().is_none_or(|others| others.value(row)) => {
                    Run::push(&mut merged.runs, Origin::Before, row..row + 1);
                    own.append(false);
                }
                (Ordering::Less, _) => {
                    merged.gone.push(row);
                    moved(&mut merged);
                }
                (Ordering::Greater, Some(Run { origin, rows })) => {
                    let rows = rows.start..rows.start + 1;
                    Run::push(&mut merged.runs, origin, rows.clone());
                    own.append(true);
                    moved(&mut merged);
                    if origin != Origin::Before {
                        Run::push(&mut merged.new, origin, rows);
                    }
                }
                // Rows of one key were taken before.
                (Ordering::Equal, _) | (Ordering::Greater, None) => {}
            }
            row += usize::from(order.is_le());
            n += usize::from(order.is_ge());
            place.pass(usize::from(order.is_ge()));
        }
        merged.own = own.finish();
        let count = merged.row_count();
        if ends.is_empty() {
            merged.pieces = self.cut_new(&merged);
            merged.is_moved = vec![true; merged.pieces.len()];
        } else {
            starts.resize(ends.len() - 1, count);
            let bounds: Vec<usize> = std::iter::once(0).chain(starts).chain([count]).collect();
            merged.pieces = bounds.windows(2).map(|ends| ends[0]..ends[1]).collect();
        }
        Ok(merged)
    }

    /// The rows of a unit of `date`, whose section was `section`. The walk must not have passed the date.
    pub(in crate::ingest) fn merged(
        &self,
        date: Date,
        unit: &Unit,
        section: Option<&Section>,
        walk: &mut Walk,
    ) -> Result<Merged> {
        let Aligned { before, alignment } = self.aligned(date, unit, walk)?;
        self.merge(unit, section, (before.as_ref(), &alignment))
    }

    /// Those of the rows that the source has no longer which the panel keeps, since other sources have them.
    ///
    /// # Errors
    /// When the section before is damaged.
    pub(super) fn parted(
        &self,
        merged: &Merged,
        alignment: &Alignment,
        unit: &Unit,
        section: Option<&Section>,
    ) -> Result<Vec<usize>> {
        if alignment.removed.len() == merged.gone.len() {
            return Ok(Vec::new());
        }
        // Where each of the source's rows lies in the whole section.
        let places: Vec<usize> = self.rows_of(self.place, section, unit)?.set_indices().collect();
        let is_gone = |&row: &usize| places.get(row).is_some_and(|place| merged.gone.binary_search(place).is_ok());
        Ok(alignment.removed.iter().copied().filter(|row| !is_gone(row)).collect())
    }

    /// What the pieces of a unit of `section`, the whole one before, are now.
    pub(super) fn pieces_now(&self, merged: &Merged, unit: &Unit, section: Option<&Section>) -> Result<Vec<PieceNow>> {
        let mut others = Vec::new();
        if merged.is_moved.contains(&true) {
            let known = self.whole.source_names()?.len();
            for place in (0..known).filter(|&place| place != self.place) {
                others.push((place, self.rows_of(place, section, unit)?));
            }
        }
        let count = |rows: &Range<usize>, before: &BooleanBuffer| merged.rows_of(before, rows.clone()).count_set_bits();
        let pieces = merged.pieces.iter().zip(&merged.is_moved).map(|(rows, &is_moved)| PieceNow {
            rows: rows.clone(),
            own: merged.own.slice(rows.start, rows.len()).count_set_bits(),
            others: is_moved.then(|| others.iter().map(|(place, before)| (*place, count(rows, before))).collect()),
        });
        Ok(pieces.collect())
    }

    /// Which rows of a unit of `section`, the whole one before, the source at `place` has.
    pub(in crate::ingest) fn rows_of(
        &self,
        place: usize,
        section: Option<&Section>,
        unit: &Unit,
    ) -> Result<BooleanBuffer> {
        match section.filter(|_| !unit.pieces.is_empty()) {
            Some(section) => section.part(unit.pieces.clone()).rows_of(place),
            None => Ok(BooleanBuffer::new_unset(0)),
        }
    }

    /// Which rows of a part of the whole section another source has.
    fn others(&self, part: &Section) -> Result<BooleanBuffer> {
        let mut others = BooleanBuffer::new_unset(part.row_count());
        for place in (0..self.source_count).filter(|&place| place != self.place) {
            if place < self.whole.source_names()?.len() {
                others = &others | &part.rows_of(place)?;
            }
        }
        Ok(others)
    }

    /// The pieces that rows make which are all new.
    fn cut_new(&self, merged: &Merged) -> Vec<Range<usize>> {
        match merged.row_count() {
            0 => Vec::new(),
            few if few <= PIECE_ROWS => std::iter::once(0..few).collect(),
            _ => {
                let stocks = merged.runs.iter().flat_map(|run| match run.origin {
                    Origin::Block(block) => self.sealer.gathering.stocks(block, run.rows.clone()).collect(),
                    Origin::Before => Vec::new(),
                });
                let stocks: Vec<u32> = stocks.collect();
                cut(stocks.chunk_by(|a, b| a == b).map(<[u32]>::len))
            }
        }
    }
}
