//! A source that changes: what was read again beside what it had in the version before.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use serde::{Deserialize, Serialize};

use crate::compare::{Alignment, KeyOrder, Marks, Origin, Reread, Rule, Run, groups, within};
use crate::error::{Error, Result};
use crate::ingest::appended::Appended;
use crate::ingest::gather::stages::Scratch;
use crate::ingest::seal::before::Before;
use crate::ingest::seal::sealer::Sealer;
use crate::key::Date;
use crate::panel::restore;
use crate::segment::SegmentColumn;
use crate::shuffle::{PIECE_ROWS, Walk, cut};
use crate::store::{Section, Snapshot, Store};

/// What was read again, beside the version before.
pub(in crate::ingest) struct Revision<'a> {
    pub(in crate::ingest) sealer: Sealer<'a>,
    /// The version before, as the source sees it: its own rows.
    pub(in crate::ingest) before: &'a Store,
    /// The whole version before.
    pub(in crate::ingest) whole: &'a Store,
    /// The source's place.
    pub(in crate::ingest) place: usize,
    /// How many sources there are.
    pub(in crate::ingest) source_count: usize,
    /// Where the source joins left, the places of those that join outer: rows whose key none of them has are left out.
    pub(in crate::ingest) outer: Option<Vec<usize>>,
    /// The stocks that were read again or are to go, by code.
    reread: Vec<Reread>,
    /// Where files are by date, the rule of each date, which is that of all stocks then.
    date_rules: Option<BTreeMap<Date, Rule>>,
    /// What was known when the files of rows that stand were read.
    pub(super) then: KnownThen<'a>,
    /// Place of each stock in code order, by stock number.
    ranks: Vec<u32>,
    /// The dates on which a row was read again or may be gone, ascending.
    pub(in crate::ingest) dates: Vec<Date>,
    /// The rows of the version before that were appended.
    appended: &'a Appended,
    /// Whose rows were read again.
    pub(in crate::ingest) given: Given,
    scratch: Scratch<'a>,
    /// The further key columns, as places among the source's.
    pub(in crate::ingest) key: Vec<usize>,
    /// For each of them, its place among the columns of the whole version before.
    key_places: Vec<usize>,
}

/// What a revision is of.
pub(in crate::ingest) struct Revised<'a> {
    /// The whole version before.
    pub(in crate::ingest) whole: &'a Store,
    /// The same as the source sees it.
    pub(in crate::ingest) before: &'a Store,
    /// The source's place.
    pub(in crate::ingest) place: usize,
    /// Its rows that were appended.
    pub(in crate::ingest) appended: &'a Appended,
    pub(in crate::ingest) given: Given,
    /// Where it joins left, the places of those that join outer.
    pub(in crate::ingest) outer: Option<Vec<usize>>,
    /// What sections before may take of the memory.
    pub(in crate::ingest) scratch: Scratch<'a>,
}

/// What was known when the files of rows that stand were read.
#[derive(Default)]
pub(in crate::ingest) struct KnownThen<'a> {
    /// The trading dates, where rows are of such.
    pub(in crate::ingest) days: Option<&'a [i32]>,
    /// The version beside whose rows they were laid, where some were left out.
    pub(in crate::ingest) beside: Option<&'a Beside>,
}

/// A version, and the places of its sources that join outer.
pub(in crate::ingest) struct Beside {
    pub(in crate::ingest) store: Store,
    pub(in crate::ingest) outer: Vec<usize>,
}

/// Whose rows were read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) enum Given {
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
    ///
    /// # Errors
    /// When the version before is damaged.
    pub(in crate::ingest) fn new(
        sealer: Sealer<'a>,
        revised: Revised<'a>,
        snapshot: &Snapshot,
        key: Vec<usize>,
        reread: &HashMap<&str, Rule>,
        mut dates: Vec<Date>,
    ) -> Result<Revision<'a>> {
        let Revised { whole, before, place, appended, given, outer, scratch } = revised;
        let (order, ranks) = snapshot.stock_order();
        let codes = snapshot.dictionaries[0].as_string::<i32>();
        let reread = order.into_iter().filter_map(|stock| {
            let rule = *reread.get(codes.value(stock as usize))?;
            Some(Reread { stock, rank: ranks[stock as usize], rule })
        });
        let reread = reread.collect();
        dates.sort_unstable();
        dates.dedup();
        let (key_places, source_count) = (whole.schema()?.key.clone(), snapshot.sources.len());
        Ok(Revision {
            sealer,
            before,
            whole,
            place,
            source_count,
            outer,
            reread,
            date_rules: None,
            then: KnownThen::default(),
            ranks,
            dates,
            appended,
            given,
            scratch,
            key,
            key_places,
        })
    }

    /// The same, where files are by date and each of these has a rule for all its stocks.
    pub(in crate::ingest) fn by_date(self, date_rules: Option<BTreeMap<Date, Rule>>) -> Revision<'a> {
        Revision { date_rules, ..self }
    }

    /// The same, where rows stand of which this was known then.
    pub(in crate::ingest) fn knowing(self, then: KnownThen<'a>) -> Revision<'a> {
        Revision { then, ..self }
    }

    /// The place of a date that is compared, where files are by date.
    pub(super) fn place_by_date(&self, date: Date) -> Option<u32> {
        let place = self.dates.binary_search(&date).ok()?;
        self.date_rules.as_ref().map(|_| place as u32)
    }

    /// What the source had of `date` in the version before, if anything.
    pub(in crate::ingest) fn section_before(&self, date: Date) -> Result<Option<Section>> {
        let Ok(index) = self.before.dates()?.binary_search(&date) else { return Ok(None) };
        self.before.section_at(index).map(Some)
    }

    /// The section of `date` in the whole version before, if there is one. Mapped, since no more of it is looked at than
    /// keys and which rows each source has.
    pub(super) fn whole_section(&self, date: Date) -> Result<Option<Section>> {
        let Ok(index) = self.whole.dates()?.binary_search(&date) else { return Ok(None) };
        self.whole.section_at(index).map(Some)
    }

    /// The units of a date. The walk must not have passed the date.
    ///
    /// # Errors
    /// When the section before is damaged.
    pub(in crate::ingest) fn units(&self, date: Date, section: Option<&Section>, walk: &mut Walk) -> Result<Vec<Unit>> {
        let all = 0..self.ranks.len() as u32;
        let Ok(index) = self.whole.dates()?.binary_search(&date) else {
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
                units.push(Unit { pieces: 0..0, own: 0..0, ranks: start..end });
                start = end;
            }
            return Ok(units);
        };
        // Mapped, since of each piece only two rows are looked at.
        let whole = self.whole.section_at(index)?;
        let numbers: Vec<u32> = whole.piece_numbers().collect();
        let own: Vec<u32> = section.iter().flat_map(|section| section.piece_numbers()).collect();
        // The source's pieces are some of the section's, in their order.
        let count_before = |piece: usize| {
            let is_before = |number: &&u32| numbers[..piece].contains(number);
            own.iter().filter(is_before).count()
        };
        if numbers.len() == 1 {
            return Ok(vec![Unit { pieces: 0..1, own: 0..own.len(), ranks: all }]);
        }
        let ends = whole.ends(&self.ranks)?;
        let groups: Vec<Range<usize>> = groups(&ends, &[]).into_iter().map(|(pieces, _)| pieces).collect();
        let starts = groups.iter().skip(1).map(|pieces| ends[pieces.start].0).chain([all.end]);
        let mut start = 0;
        let units = groups.iter().zip(starts).map(|(pieces, end)| {
            let ranks = start..end;
            start = end;
            Unit { pieces: pieces.clone(), own: count_before(pieces.start)..count_before(pieces.end), ranks }
        });
        Ok(units.collect())
    }

    /// The part of `section`, the source's, that belongs to `unit`.
    pub(in crate::ingest) fn part(&self, section: Option<&Section>, unit: &Unit) -> Result<Option<Before>> {
        let part = section.filter(|_| !unit.own.is_empty()).map(|section| section.part(unit.own.clone()));
        let known = self.before.schema()?.columns.len();
        let places = (0..self.sealer.columns.len() - 2).map(|index| Some(index).filter(|&index| index < known));
        part.map(|part| Before::new(part, &self.sealer.columns, places.collect(), &self.scratch.room())).transpose()
    }

    /// The keys of the part of `section`, which is seen whole, that belongs to `unit`.
    pub(super) fn whole_keys(&self, section: Option<&Section>, unit: &Unit) -> Result<Option<Before>> {
        let part = section.filter(|_| !unit.pieces.is_empty()).map(|section| section.part(unit.pieces.clone()));
        part.map(|part| self.keys_of(part, &self.key_places)).transpose()
    }

    /// The keys of `part`, whose further key columns stand at these places.
    pub(super) fn keys_of(&self, part: Section, key_places: &[usize]) -> Result<Before> {
        let mut places = vec![None; self.sealer.columns.len() - 2];
        for (&column, &place) in self.key.iter().zip(key_places) {
            places[column] = Some(place);
        }
        Before::new(part, &self.sealer.columns, places, &self.scratch.room())
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
        let first = self.reread.partition_point(|reread| reread.rank < unit.ranks.start);
        let end = self.reread.partition_point(|reread| reread.rank < unit.ranks.end);
        let reread = &self.reread[first..end];
        let of_date: Vec<Reread>;
        let reread = match self.date_rules.as_ref().and_then(|rules| rules.get(&date)) {
            Some(&rule) => {
                of_date = reread.iter().map(|reread| Reread { rule, ..*reread }).collect();
                &of_date
            }
            None => reread,
        };
        let runs = self.wanted(date, (unit, reread), before, self.within(walk.runs(date), &unit.ranks))?;
        if before.is_none() && marks.is_none() {
            return self.joined(date, unit, None, Alignment::of_new(runs));
        }
        let all = |before: &Before| Run { origin: Origin::Before, rows: 0..before.stock_numbers().len() };
        let keys_before = self.keys(before.map(all).as_slice(), before)?;
        let order = KeyOrder::new(&keys_before, &self.keys(&runs, None)?)?;
        let stocks_read = self.stocks_of(&runs, None);
        let stocks = before.map_or(&[][..], Before::stock_numbers);
        let compare = |row, n| order.compare(row, n);
        self.joined(
            date,
            unit,
            before,
            Alignment::new(reread, stocks, marks, (&runs, &stocks_read), &self.ranks, compare),
        )
    }

    /// The pieces that the rows of a unit make once it is aligned.
    pub(in crate::ingest) fn cut(&self, alignment: &Alignment, before: Option<&Before>) -> Vec<Range<usize>> {
        if alignment.row_count() <= PIECE_ROWS {
            return std::iter::once(0..alignment.row_count()).filter(|rows| !rows.is_empty()).collect();
        }
        let stocks = self.stocks_of(&alignment.runs, before);
        cut(stocks.chunk_by(|a, b| a == b).map(<[u32]>::len))
    }

    /// The stock of each row of `runs`.
    pub(super) fn stocks_of(&self, runs: &[Run], before: Option<&Before>) -> Vec<u32> {
        let mut stocks = Vec::with_capacity(runs.iter().map(|run| run.rows.len()).sum());
        for run in runs {
            match run.origin {
                Origin::Block(block) => stocks.extend(self.sealer.gathering.stocks(block, run.rows.clone())),
                Origin::Before => {
                    stocks.extend_from_slice(&before.map_or(&[][..], Before::stock_numbers)[run.rows.clone()]);
                }
            }
        }
        stocks
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
        self.ranks.get(self.stock_of(runs, n)? as usize).copied()
    }

    /// The number of the stock of the n-th row of `runs`, where that was read again.
    pub(super) fn stock_of(&self, runs: &[Run], n: usize) -> Option<u32> {
        let run = within(runs, n..n + 1).pop()?;
        let Origin::Block(block) = run.origin else { return None };
        Some(self.sealer.gathering.stock(block, run.rows.start))
    }

    /// Place of each stock in code order, by stock number.
    pub(in crate::ingest) fn ranks(&self) -> &[u32] {
        &self.ranks
    }

    /// The further key columns of these rows.
    pub(in crate::ingest) fn keys(&self, runs: &[Run], before: Option<&Before>) -> Result<Vec<ArrayRef>> {
        let damaged = |damage| Error::Corrupt { path: self.before.path().to_owned(), damage };
        let column = |&column: &usize| {
            let array = self.sealer.column_of(column, runs, before).map_err(damaged)?;
            restore(&array, &self.sealer.columns[column + 2].logical)
        };
        self.key.iter().map(column).collect()
    }

    /// How a unit of `date` follows from what the source had of it. The walk must not have passed the date.
    pub(in crate::ingest) fn aligned(&self, date: Date, unit: &Unit, walk: &mut Walk) -> Result<Aligned> {
        let own = self.section_before(date)?;
        let before = self.part(own.as_ref(), unit)?;
        let marks = self.marks_of(date, own.as_ref(), unit);
        let alignment = self.align(date, unit, (before.as_ref(), &marks), walk)?;
        Ok(Aligned { before, alignment })
    }

    /// The columns of the segments that hold the source's values: the first source's have keys, too.
    pub(super) fn value_layout(&self) -> Vec<usize> {
        self.layout(|index| self.place == 0 || !self.is_key(index))
    }

    /// Whether a column of the sealer's is the code, the date or a key column.
    pub(super) fn is_key(&self, index: usize) -> bool {
        index < 2 || self.key.contains(&(index - 2))
    }

    /// The columns of the sealer's that are wanted, by ascending id.
    pub(in crate::ingest) fn layout(&self, is_wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut layout: Vec<usize> = (0..self.sealer.columns.len()).filter(|&index| is_wanted(index)).collect();
        layout.sort_unstable_by_key(|&index| self.sealer.columns[index].column);
        layout
    }

    pub(in crate::ingest) fn columns(&self, layout: &[usize]) -> Arc<[SegmentColumn]> {
        layout.iter().map(|&index| self.sealer.columns[index].clone()).collect()
    }

    /// Which of the source's rows of a unit were appended.
    pub(super) fn marks_of(&self, date: Date, section: Option<&Section>, unit: &Unit) -> Marks {
        let counts: Vec<usize> = section.iter().flat_map(|section| section.row_counts()).collect();
        let start: usize = counts[..unit.own.start].iter().sum();
        self.marks(date, section).part(start..start + counts[unit.own.clone()].iter().sum::<usize>())
    }

    /// Which of the source's rows were appended.
    pub(in crate::ingest) fn marks(&self, date: Date, section: Option<&Section>) -> Marks {
        self.appended.marks(date, section.map_or(0, Section::row_count))
    }
}

/// How a unit follows from what the source had of it.
pub(in crate::ingest) struct Aligned {
    pub(in crate::ingest) before: Option<Before>,
    pub(in crate::ingest) alignment: Alignment,
}

/// What of a date is compared, and written, at once: pieces that share no stock with others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ingest) struct Unit {
    /// The pieces of the whole section before.
    pub(in crate::ingest) pieces: Range<usize>,
    /// Those of them that the source has rows of, among its own.
    pub(in crate::ingest) own: Range<usize>,
    /// The places in code order of its stocks.
    pub(in crate::ingest) ranks: Range<u32>,
}
