//! The first half of an update: compares what was gathered with the version before, date by date, and says what
//! changed.

use arrow_array::{ArrayRef, RecordBatch};

use super::changes::{Changes, DirtyDate, EXAMPLES, Found, Lost, NewUnit, RowChange, UnitNow};
use super::revision::{Given, Revision, Unit};
use super::tallies::{Counts, Tallies, count_row};
use crate::compare::{Alignment, Marks, Origin, Pair, Run, Turned, for_each_difference, without};
use crate::error::{Error, Result};
use crate::ingest::appended::AppendedDate;
use crate::ingest::gather::stages::Stages;
use crate::ingest::seal::before::Before;
use crate::key::Date;
use crate::panel::{restore, show};
use crate::progress::Observer;
use crate::segment::{Room, chunk_array};
use crate::source::Survey;

/// Dates compared by one task: enough that a task is worth starting.
const DATES_AT_ONCE: usize = 32;

/// A value that differs: where it lies now and where it was, if it does and did.
struct Differing {
    now: Option<(Origin, usize)>,
    before: Option<usize>,
    column: usize,
    change: &'static str,
}

impl Revision<'_> {
    /// Compares every date on which a row was read again or may be gone.
    ///
    /// # Errors
    /// When the version before is damaged, or the observer cancels.
    pub(in crate::ingest) fn compare(&self, stages: &Stages) -> Result<Changes> {
        self.compare_some(&self.dates, stages)
    }

    /// As [`compare`](Revision::compare), of some of the dates alone.
    ///
    /// # Errors
    /// As there.
    pub(in crate::ingest) fn compare_some(&self, dates: &[Date], stages: &Stages) -> Result<Changes> {
        let observer = stages.observer;
        observer.begin("compare", "dates", dates.len() as u64);
        let tasks: Vec<&[Date]> = dates.chunks(DATES_AT_ONCE).collect();
        let tallies = Tallies::new(self.ranks().len());
        let compared = |task: usize| tallies.count(|counts| self.compare_dates(tasks[task], counts, observer));
        let parts = stages.workers.try_map(tasks.len(), compared)?;
        observer.end();
        let mut all = Changes::none(self.sealer.columns.len() - 2);
        parts.into_iter().for_each(|part| all.extend(part));
        all.rows_of = tallies.sums();
        Ok(all)
    }

    /// Adds to `counts` how many rows of each stock differ.
    fn compare_dates(&self, dates: &[Date], counts: &mut Counts, observer: &dyn Observer) -> Result<Changes> {
        let mut changes = Changes::none(self.sealer.columns.len() - 2);
        let mut walk = self.sealer.gathering.walk(dates[0]);
        for &date in dates {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let section = self.section_before(date)?;
            let marks = self.marks(date, section.as_ref());
            let mut dirty = DirtyDate { date, units: Vec::new(), added: 0, restated: 0, filled: 0, removed: 0 };
            let mut versions = self.is_marked(&marks).then(Vec::new);
            for unit in self.units(date, section.as_ref(), &mut walk)? {
                let marks = self.marks_of(date, section.as_ref(), &unit);
                let before = self.part(section.as_ref(), &unit)?;
                let alignment = self.align(date, &unit, (before.as_ref(), &marks), &mut walk)?;
                if let Some(versions) = &mut versions {
                    versions.extend(self.versions(&marks, &alignment));
                }
                let (before, changed) = ((before.as_ref(), &marks), (&mut dirty, &mut changes, &mut *counts));
                let now = self.compare_unit(&unit, before, &alignment, changed)?;
                dirty.units.push(NewUnit { unit, now });
            }
            let appended = versions.map(|versions| AppendedDate::new(versions, self.replaced(&marks)));
            changes.appended.extend(appended.map(|now| (date, now)));
            if dirty.units.iter().any(|unit| unit.now.is_some()) {
                changes.dirty.push(dirty);
            }
            observer.advance(1);
        }
        Ok(changes)
    }

    /// Compares the rows of a unit of `dirty`'s date, and adds what differs; what the source has of it then.
    fn compare_unit(
        &self,
        unit: &Unit,
        (before, marks): (Option<&Before>, &Marks),
        alignment: &Alignment,
        (dirty, changes, counts): (&mut DirtyDate, &mut Changes, &mut Counts),
    ) -> Result<Option<UnitNow>> {
        let date = dirty.date;
        changes.stayed.extend(self.found(date, before, &alignment.stayed)?);
        if !marks.is_empty() {
            changes.lost.extend(self.found(date, before, &alignment.removed)?);
            changes.lost_appended += alignment.removed.iter().filter(|&&row| marks.of_row(row) > 0).count() as u64;
        }
        let stocks = before.map_or(&[][..], Before::stock_numbers);
        changes.rows_before += stocks.len() as u64;
        let count_before = dirty.change_count();
        let mut differing = self.compare_pairs(before, &alignment.pairs, (&mut *dirty, &mut *changes, &mut *counts))?;
        alignment.removed.iter().for_each(|&row| changes.stocks.add(stocks[row]));
        let read = |runs: &[Run]| self.stocks_of(runs, None);
        read(&alignment.added).into_iter().for_each(|stock| changes.stocks.add(stock));
        let is_moved = !alignment.added.is_empty() || !alignment.removed.is_empty();
        // Those that are new to the panel, or gone from it.
        let (mut added, mut removed, mut moved) = (alignment.added.clone(), alignment.removed.clone(), None);
        if is_moved && self.source_count > 1 {
            let section = self.whole_section(date)?;
            let merged = self.merge(unit, section.as_ref(), (before, alignment))?;
            let joined = without(&added, &merged.new);
            let parted = self.parted(&merged, alignment, unit, section.as_ref())?;
            removed.retain(|row| parted.binary_search(row).is_err());
            differing.extend(self.compare_moved(
                before,
                (&joined, &parted),
                (&mut *dirty, &mut *changes, &mut *counts),
            ));
            moved = Some(self.pieces_now(&merged, unit, section.as_ref())?);
            added = merged.new;
        }
        let (added_stocks, left_stocks) = (read(&added), read(&alignment.left_out));
        dirty.added += added_stocks.len() as u64;
        dirty.removed += removed.len() as u64;
        added_stocks.into_iter().for_each(|stock| count_row(counts, stock, |of| &mut of.added));
        removed.iter().for_each(|&row| count_row(counts, stocks[row], |of| &mut of.removed));
        changes.left_out += left_stocks.len() as u64;
        left_stocks.into_iter().for_each(|stock| changes.left_stocks.add(stock));
        alignment.parted.iter().for_each(|&row| changes.left_stocks.add(stocks[row]));
        if !(alignment.left_out.is_empty() && alignment.parted.is_empty()) {
            changes.left_dates.insert(date);
        }
        let is_dirty = is_moved || dirty.change_count() > count_before;
        if is_dirty && changes.examples.len() < EXAMPLES {
            changes.examples.extend(self.examples(date, before, &differing, (&added, &removed))?);
        }
        Ok(is_dirty.then(|| UnitNow {
            cuts: if self.source_count == 1 { self.cut(alignment, before) } else { Vec::new() },
            moved,
        }))
    }

    /// Compares rows that the source had with those that take their place, and adds what differs; the first such values.
    fn compare_pairs(
        &self,
        before: Option<&Before>,
        pairs: &[Pair],
        (dirty, changes, counts): (&mut DirtyDate, &mut Changes, &mut Counts),
    ) -> Result<Vec<Differing>> {
        let columns_before = self.before.schema()?.columns.len();
        let stocks = before.map_or(&[][..], Before::stock_numbers);
        let place = self.place_by_date(dirty.date);
        let pair_count = pairs.iter().map(|pair| pair.len).sum();
        let (mut restated, mut filled) = (vec![false; pair_count], vec![false; pair_count]);
        let mut first = Vec::new();
        for (column, count) in changes.columns.iter_mut().enumerate() {
            let lost = &mut changes.lost_values[column];
            let (differing, change) =
                if column < columns_before { (&mut restated, "restated") } else { (&mut filled, "filled") };
            let logical = &self.sealer.columns[column + 2].logical;
            let of_before = before.and_then(|before| before.column(column));
            let of_block = |block| self.sealer.gathering.column(block, column);
            for_each_difference(of_before, of_block, pairs, logical, |row, row_before, turned| {
                match turned {
                    Turned::Null { of_number } => lost.note(place.unwrap_or_else(|| stocks[row_before]), of_number),
                    Turned::Nan => lost.turned_nan += 1,
                    Turned::Another => {}
                }
                differing[row] = true;
                changes.stocks.add(stocks[row_before]);
                *count += 1;
                if first.len() < EXAMPLES {
                    first.push(Differing { now: row_of(pairs, row), before: Some(row_before), column, change });
                }
            });
        }
        let rows_before = pairs.iter().flat_map(|pair| pair.before..pair.before + pair.len);
        for (row, (&is_restated, &is_filled)) in rows_before.zip(restated.iter().zip(&filled)) {
            if is_restated {
                dirty.restated += 1;
                count_row(counts, stocks[row], |of| &mut of.restated);
            } else if is_filled {
                dirty.filled += 1;
                count_row(counts, stocks[row], |of| &mut of.filled);
            }
        }
        Ok(first)
    }

    /// Adds the values of rows that the panel had and has: of those that the source had not, which are its first there, and
    /// of those that it has no longer, which turn null. Gives the first of them.
    fn compare_moved(
        &self,
        before: Option<&Before>,
        (joined, parted): (&[Run], &[usize]),
        (dirty, changes, counts): (&mut DirtyDate, &mut Changes, &mut Counts),
    ) -> Vec<Differing> {
        changes.parted += parted.len() as u64;
        let joined_stocks = self.stocks_of(joined, None);
        let (mut filled, mut restated) = (vec![false; joined_stocks.len()], vec![false; parted.len()]);
        let mut first = Vec::new();
        for column in (0..changes.columns.len()).filter(|column| !self.key.contains(column)) {
            let mut note = |now, before, change| {
                if first.len() < EXAMPLES {
                    first.push(Differing { now, before, column, change });
                }
            };
            let (count, mut rest) = (&mut changes.filled[column], &mut filled[..]);
            for Run { origin, rows } in joined {
                let has_value;
                (has_value, rest) = rest.split_at_mut(rows.len());
                let Some(values) = self.sealer.column(column, *origin, None) else { continue };
                for (row, has_value) in rows.clone().zip(has_value).filter(|(row, _)| values.is_valid(*row)) {
                    *has_value = true;
                    *count += 1;
                    note(Some((*origin, row)), None, "filled");
                }
            }
            let Some(values) = before.and_then(|before| before.column(column)) else { continue };
            for (&row, has_value) in parted.iter().zip(&mut restated).filter(|(row, _)| values.is_valid(**row)) {
                *has_value = true;
                changes.columns[column] += 1;
                note(None, Some(row), "restated");
            }
        }
        for (stock, _) in joined_stocks.into_iter().zip(filled).filter(|(_, has_value)| *has_value) {
            dirty.filled += 1;
            count_row(counts, stock, |of| &mut of.filled);
        }
        let stocks = before.map_or(&[][..], Before::stock_numbers);
        for (&row, _) in parted.iter().zip(&restated).filter(|(_, has_value)| **has_value) {
            dirty.restated += 1;
            count_row(counts, stocks[row], |of| &mut of.restated);
        }
        first
    }

    /// Whether something that was `lost` is of an input of `survey`, whose rows were read again.
    pub(in crate::ingest) fn has_lost(&self, lost: &Lost, input: usize, survey: &Survey) -> bool {
        match survey.options().period_of(&survey.inputs[input].unit) {
            None => self.sealer.gathering.stocks.get(input).is_some_and(|stock| lost.is_of(*stock)),
            Some(period) => {
                let start = self.dates.partition_point(|date| *date < period.first);
                let own = self.dates[start..].iter().take_while(|date| period.has(**date));
                (start..).zip(own).any(|(place, _)| lost.is_of(place as u32))
            }
        }
    }

    /// Whether a date with these marks has, or may have now, rows that were appended.
    fn is_marked(&self, marks: &Marks) -> bool {
        self.given != Given::ByStock || !marks.is_empty()
    }

    /// For each row of a unit, given the marks of those before, the version that appended it, or 0.
    fn versions(&self, marks: &Marks, alignment: &Alignment) -> Vec<u64> {
        let now = match self.given {
            Given::ByStock => 0,
            Given::ByDate { version, .. } => version,
        };
        let versions = alignment.runs.iter().flat_map(|Run { origin, rows }| {
            rows.clone().map(|row| match origin {
                Origin::Before => marks.of_row(row),
                Origin::Block(_) => now,
            })
        });
        versions.collect()
    }

    /// The last version that took away the rows that were not given.
    fn replaced(&self, marks: &Marks) -> u64 {
        match self.given {
            Given::ByDate { version, replaces: true } => version,
            _ => marks.replaced,
        }
    }

    /// These rows of the section before.
    fn found(&self, date: Date, before: Option<&Before>, rows: &[usize]) -> Result<Found> {
        let example = |&row: &usize| {
            let row = self.row(date, Origin::Before, row, before)?;
            Ok([date.to_string(), show(row.column(0), 0)]
                .into_iter()
                .chain(self.key_of(&row))
                .collect::<Vec<_>>()
                .join(" "))
        };
        let examples = rows.iter().take(EXAMPLES).map(example).collect::<Result<_>>()?;
        Ok(Found { count: rows.len() as u64, examples })
    }

    /// The further key columns of a row in words.
    fn key_of(&self, row: &RecordBatch) -> Vec<String> {
        self.key.iter().map(|&column| show(row.column(column + 2), 0)).collect()
    }

    /// The first changes of one date, values that differ before rows that are new or gone.
    fn examples(
        &self,
        date: Date,
        before: Option<&Before>,
        differing: &[Differing],
        (added, removed): (&[Run], &[usize]),
    ) -> Result<Vec<RowChange>> {
        let change = |row: &RecordBatch, change| {
            let (code, key) = (show(row.column(0), 0), self.key_of(row));
            RowChange { date, code, key, change, column: None, before: None, now: None }
        };
        let mut examples = Vec::new();
        for Differing { now, before: was, column, change: what } in differing.iter().take(EXAMPLES) {
            let now = now.map(|(origin, row)| self.row(date, origin, row, None)).transpose()?;
            let was = was.map(|row| self.row(date, Origin::Before, row, before)).transpose()?;
            let Some(row) = now.as_ref().or(was.as_ref()) else { continue };
            let value = |row: &Option<RecordBatch>| {
                Some(row.as_ref().map_or_else(|| "null".to_owned(), |row| show(row.column(column + 2), 0)))
            };
            examples.push(RowChange {
                column: Some(self.sealer.columns[column + 2].name.clone()),
                before: value(&was),
                now: value(&now),
                ..change(row, what)
            });
        }
        let added = added.iter().flat_map(|run| run.rows.clone().map(|row| (run.origin, row)));
        for (origin, row) in added.take(EXAMPLES) {
            let row = self.row(date, origin, row, None)?;
            examples.push(change(&row, "added"));
        }
        for &row in removed.iter().take(EXAMPLES) {
            let row = self.row(date, Origin::Before, row, before)?;
            examples.push(change(&row, "removed"));
        }
        examples.truncate(EXAMPLES);
        Ok(examples)
    }

    /// One row in logical types.
    fn row(&self, date: Date, origin: Origin, row: usize, before: Option<&Before>) -> Result<RecordBatch> {
        let all: Vec<usize> = (0..self.sealer.columns.len()).collect();
        let runs = [Run { origin, rows: row..row + 1 }];
        let body = self.sealer.batch(date, &runs, before, &all, &Room::Heap)?;
        let columns = self.sealer.columns.iter().zip(body.into_chunks());
        let arrays = columns.map(|(column, (chunk, null_count))| {
            let damaged = |damage| Error::Corrupt { path: self.before.path().to_owned(), damage };
            let array = chunk_array(column, column.dictionary.as_ref(), 1, null_count, &chunk).map_err(damaged)?;
            Ok((column.name.as_str(), restore(&array, &column.logical)?, true))
        });
        let arrays: Vec<(&str, ArrayRef, bool)> = arrays.collect::<Result<_>>()?;
        RecordBatch::try_from_iter_with_nullable(arrays).map_err(Error::failed("show a row"))
    }
}

/// The block and row of the `at`-th of all rows in `pairs`.
fn row_of(pairs: &[Pair], at: usize) -> Option<(Origin, usize)> {
    let mut start = 0;
    pairs.iter().find_map(|pair| {
        let within = at - start;
        start += pair.len;
        (at < start).then_some((Origin::Block(pair.block), pair.row + within))
    })
}
