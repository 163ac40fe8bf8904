//! The first half of an update: compares what was gathered with the version before, date by date, and says what
//! changed.

use arrow_array::{ArrayRef, RecordBatch};

use super::appended::AppendedDate;
use super::before::Before;
use super::changes::{Changes, DirtyDate, EXAMPLES, Found, RowChange};
use super::revision::{Given, Revision};
use super::stages::Stages;
use crate::compare::{Alignment, Marks, Origin, Pair, Piece, for_each_difference};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::panel::{restore, show};
use crate::progress::Observer;
use crate::segment::chunk_array;

/// Dates compared by one task: enough that a task is worth starting.
const DATES_AT_ONCE: usize = 32;

impl Revision<'_> {
    /// Compares every date on which a row was read again or may be gone.
    ///
    /// # Errors
    /// When the version before is damaged, or the observer cancels.
    pub(super) fn compare(&self, stages: &Stages) -> Result<Changes> {
        let observer = stages.observer;
        observer.begin("compare", "dates", self.dates.len() as u64);
        let tasks: Vec<&[Date]> = self.dates.chunks(DATES_AT_ONCE).collect();
        let parts = stages.workers.try_map(tasks.len(), |task| self.compare_dates(tasks[task], observer))?;
        observer.end();
        let mut all = Changes::none(self.sealer.columns.len() - 2);
        for part in parts {
            all.lost_values.iter_mut().zip(&part.lost_values).for_each(|(all, part)| all.extend(part));
            all.rows_before += part.rows_before;
            all.dirty.extend(part.dirty);
            all.columns.iter_mut().zip(part.columns).for_each(|(sum, count)| *sum += count);
            all.examples.extend(part.examples);
            all.appended.extend(part.appended);
            all.stayed.extend(part.stayed);
            all.lost.extend(part.lost);
        }
        all.examples.truncate(EXAMPLES);
        Ok(all)
    }

    fn compare_dates(&self, dates: &[Date], observer: &dyn Observer) -> Result<Changes> {
        let mut changes = Changes::none(self.sealer.columns.len() - 2);
        let columns_before = self.before.schema()?.columns.len();
        let mut walk = self.sealer.gathering.walk(dates[0]);
        for &date in dates {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let before = self.section_before(date)?;
            let alignment = self.align(date, before.as_ref(), &mut walk)?;
            let marks = self.marks(date, before.as_ref());
            changes.appended.extend(self.appended_now(&marks, &alignment).map(|now| (date, now)));
            changes.stayed.extend(self.found(date, before.as_ref(), &alignment.stayed)?);
            if !marks.is_empty() {
                changes.lost.extend(self.found(date, before.as_ref(), &alignment.removed)?);
            }
            let pair_count = alignment.pairs.iter().map(|pair| pair.len).sum();
            let (mut restated, mut filled) = (vec![false; pair_count], vec![false; pair_count]);
            let mut first_columns = Vec::new();
            let stocks = before.as_ref().map_or(&[][..], Before::stock_numbers);
            changes.rows_before += stocks.len() as u64;
            for (column, count) in changes.columns.iter_mut().enumerate() {
                let lost = &mut changes.lost_values[column];
                let differing = if column < columns_before { &mut restated } else { &mut filled };
                let signed = self.sealer.columns[column + 2].logical.is_signed_integer();
                let of_before = before.as_ref().and_then(|before| before.column(column));
                let of_block = |block| self.sealer.gathering.column(block, column);
                for_each_difference(of_before, of_block, &alignment.pairs, signed, |row, pair, n| {
                    if of_block(pair.block).is_none_or(|now| !now.is_valid(pair.row + n)) {
                        lost.note(stocks[pair.before + n]);
                    }
                    differing[row] = true;
                    *count += 1;
                    if first_columns.len() < EXAMPLES {
                        first_columns.push((row, column));
                    }
                });
            }
            let dirty = DirtyDate {
                date,
                row_count: alignment.row_count() as u32,
                added: alignment.added.len() as u64,
                restated: restated.iter().filter(|differs| **differs).count() as u64,
                filled: restated.iter().zip(&filled).filter(|(restated, filled)| **filled && !**restated).count()
                    as u64,
                removed: alignment.removed.len() as u64,
            };
            if dirty.added + dirty.restated + dirty.filled + dirty.removed > 0 {
                changes.dirty.push(dirty);
                if changes.examples.len() < EXAMPLES {
                    changes.examples.extend(self.examples(date, before.as_ref(), &alignment, &first_columns)?);
                }
            }
            observer.advance(1);
        }
        Ok(changes)
    }

    /// Which rows of a section are appended ones now, given those that were; `None` where there are and were none.
    fn appended_now(&self, marks: &Marks, alignment: &Alignment) -> Option<AppendedDate> {
        let (version, replaced) = match self.given {
            Given::ByStock if marks.is_empty() => return None,
            Given::ByStock => (0, marks.replaced),
            Given::ByDate { version, replaces } => (version, if replaces { version } else { marks.replaced }),
        };
        let versions = alignment.pieces.iter().flat_map(|Piece { origin, rows }| {
            rows.clone().map(|row| match origin {
                Origin::Before => marks.of_row(row),
                Origin::Block(_) => version,
            })
        });
        Some(AppendedDate::new(versions, replaced))
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

    /// The first changes of one date, restated and filled values before rows that are new or gone.
    fn examples(
        &self,
        date: Date,
        before: Option<&Before>,
        alignment: &Alignment,
        differing: &[(usize, usize)],
    ) -> Result<Vec<RowChange>> {
        let change = |row: &RecordBatch, change| {
            let (code, key) = (show(row.column(0), 0), self.key_of(row));
            RowChange { date, code, key, change, column: None, before: None, now: None }
        };
        let columns_before = self.before.schema()?.columns.len();
        let mut examples = Vec::new();
        for &(at, column) in differing {
            let mut start = 0;
            let holds = |pair: &&Pair| {
                start += pair.len;
                at < start
            };
            let (Some(pair), Some(before)) = (alignment.pairs.iter().find(holds).copied(), before) else { continue };
            let within = at - (start - pair.len);
            let now = self.row(date, Origin::Block(pair.block), pair.row + within, None)?;
            let was = self.row(date, Origin::Before, pair.before + within, Some(before))?;
            examples.push(RowChange {
                column: Some(self.sealer.columns[column + 2].name.clone()),
                before: Some(show(was.column(column + 2), 0)),
                now: Some(show(now.column(column + 2), 0)),
                ..change(&now, if column < columns_before { "restated" } else { "filled" })
            });
        }
        for &(block, row) in alignment.added.iter().take(EXAMPLES) {
            let row = self.row(date, Origin::Block(block), row, None)?;
            examples.push(change(&row, "added"));
        }
        for &row in alignment.removed.iter().take(EXAMPLES) {
            let row = self.row(date, Origin::Before, row, before)?;
            examples.push(change(&row, "removed"));
        }
        examples.truncate(EXAMPLES);
        Ok(examples)
    }

    /// One row in logical types.
    fn row(&self, date: Date, origin: Origin, row: usize, before: Option<&Before>) -> Result<RecordBatch> {
        let (_, body) = self.sealer.section(date, &[Piece { origin, rows: row..row + 1 }], before);
        let columns = self.sealer.columns.iter().zip(body.into_chunks());
        let arrays = columns.map(|(column, (chunk, null_count))| {
            let damaged = |damage| Error::Corrupt { path: self.before.path().to_owned(), damage };
            let array = chunk_array(column, 1, null_count, &chunk).map_err(damaged)?;
            Ok((column.name.as_str(), restore(&array, &column.logical)?, true))
        });
        let arrays: Vec<(&str, ArrayRef, bool)> = arrays.collect::<Result<_>>()?;
        RecordBatch::try_from_iter_with_nullable(arrays).map_err(Error::failed("show a row"))
    }
}
