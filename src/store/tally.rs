//! A difference of two versions in numbers: by date, stock and column, and the numbers that moved furthest.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arrow_array::{Array, UInt32Array};
use arrow_schema::DataType;

use super::column::StoredColumn;
use super::diff::{ComparedColumn, Dated, Diff, DiffColumn, Keys, Pair};
use super::differences::{ColumnChange, DateChange, DiffReport, StockChange};
use super::moves::{Candidate, Largest, Move, Size, Turn, sizes};
use super::text::texts;
use crate::error::{Error, Result};
use crate::key::Date;
use crate::panel::show;
use crate::progress::Observer;
use crate::workers::Workers;

/// Moves that a report names.
const MOVES: usize = 20;

impl Diff {
    /// All that changed, in numbers, and the numbers that moved furthest. Reads every section that may differ, in both
    /// versions.
    ///
    /// # Errors
    /// When a section is damaged, or the observer cancels.
    pub fn report(&self, workers: &Workers, observer: &dyn Observer) -> Result<DiffReport> {
        self.tally(MOVES, workers, observer)
    }

    /// All that changed, in numbers, without a look at how far any moved. Between a version and the one before it this was
    /// [noted](crate::Store::changes_of) when it was made, and no section is read; as long as neither dates, stocks nor
    /// columns are chosen.
    ///
    /// # Errors
    /// As [`report`](Diff::report).
    pub fn counts(&self, workers: &Workers, observer: &dyn Observer) -> Result<DiffReport> {
        match self.noted()? {
            Some(noted) => Ok(noted),
            None => self.count_rows(workers, observer),
        }
    }

    /// As [`counts`](Diff::counts), of the rows themselves.
    ///
    /// # Errors
    /// As [`report`](Diff::report).
    pub(crate) fn count_rows(&self, workers: &Workers, observer: &dyn Observer) -> Result<DiffReport> {
        self.tally(0, workers, observer)
    }

    /// What was noted of all this when the newer version was made.
    fn noted(&self) -> Result<Option<DiffReport>> {
        let history = self.newer.history()?;
        let is_next = history.iter().rev().nth(1).is_some_and(|before| before.commit == self.older.commit());
        if self.is_narrowed || !is_next {
            return Ok(None);
        }
        let Some(noted) = self.newer.changes_of(self.newer.version())? else { return Ok(None) };
        let text = |data_type: &Option<DataType>| data_type.as_ref().map(ToString::to_string);
        let columns = self.columns.iter().map(|column| {
            let (older_type, newer_type) = (text(&column.older), text(&column.newer));
            let is_same = |of: &&ColumnChange| of.name == column.name && of.newer_type == newer_type;
            let found = noted.columns.iter().find(is_same);
            let (restated, filled) = found.map_or((0, 0), |of| (of.restated, of.filled));
            ColumnChange { name: column.name.clone(), older_type, newer_type, restated, filled, turned_null: 0 }
        });
        Ok(Some(DiffReport { columns: columns.collect(), ..noted }))
    }

    fn tally(&self, moves: usize, workers: &Workers, observer: &dyn Observer) -> Result<DiffReport> {
        let told = Told {
            moves: Largest::new(moves),
            turns: self.columns.iter().map(|_| Largest::new(moves.min(1))).collect(),
        };
        let stocks: Vec<Tally> = self.codes.iter().map(|_| Tally::default()).collect();
        observer.begin("diff", "sections", self.dates.len() as u64);
        let counted = workers.try_map(self.dates.len(), |index| {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let counted = self.count(self.dates[index], &stocks, &told);
            observer.advance(1);
            counted
        })?;
        observer.end();
        let mut counts = vec![(0, 0, 0, 0); self.columns.len()];
        let (mut dates, mut dirty_dates) = (Vec::new(), Vec::new());
        for (date, columns) in counted {
            let row_count = date.added + date.restated + date.filled + date.removed;
            if row_count > 0 || !columns.is_empty() {
                dirty_dates.push(date.date);
            }
            if row_count > 0 {
                dates.push(date);
            }
            for ColumnCount { column, restated, filled, turned, turned_null } in columns {
                let sums = &mut counts[column];
                *sums = (sums.0 + restated, sums.1 + filled, sums.2 + turned, sums.3 + turned_null);
            }
        }
        let text = |data_type: &Option<DataType>| data_type.as_ref().map(ToString::to_string);
        let change = |(column, (restated, filled, _, turned_null)): (&DiffColumn, (u64, u64, u64, u64))| ColumnChange {
            name: column.name.clone(),
            older_type: text(&column.older),
            newer_type: text(&column.newer),
            restated,
            filled,
            turned_null,
        };
        let turns = told.turns.into_iter().zip(&counts).flat_map(|(first, (_, _, values, _))| {
            first.into_moves().into_iter().map(|first| Turn { values: *values, first })
        });
        let turns = turns.collect();
        let columns = self.columns.iter().zip(counts).map(change);
        let differs = self.codes.iter().zip(&stocks).filter(|(_, tally)| tally.differs());
        let dirty_stocks = differs.map(|(code, _)| code.clone()).collect();
        let stocks = self.codes.iter().zip(stocks).filter_map(|(code, tally)| tally.told(code));
        Ok(DiffReport {
            older: self.has_older.then(|| self.older.version()),
            newer: self.newer.version(),
            added: dates.iter().map(|date| date.added).sum(),
            restated: dates.iter().map(|date| date.restated).sum(),
            filled: dates.iter().map(|date| date.filled).sum(),
            removed: dates.iter().map(|date| date.removed).sum(),
            moves: told.moves.into_moves(),
            turns,
            stocks: stocks.collect(),
            columns: columns.collect(),
            dates,
            dirty_dates,
            dirty_stocks,
        })
    }

    /// How much changed on one date, and in which columns; adds how much did of each stock, by place of its code, and
    /// what is told of restated values.
    fn count(&self, dated: Dated, stocks: &[Tally], told: &Told) -> Result<(DateChange, Vec<ColumnCount>)> {
        let mut change = DateChange { date: dated.date, added: 0, restated: 0, filled: 0, removed: 0 };
        let mut columns = Vec::new();
        for (older, newer) in self.groups(dated)? {
            let pair = self.pair(older, newer)?;
            let compared = self.compare(&pair)?;
            change.added += pair.added.len() as u64;
            change.restated += compared.restated.count_set_bits() as u64;
            change.filled += compared.filled.count_set_bits() as u64;
            change.removed += pair.removed.len() as u64;
            let start = columns.len();
            columns.extend(compared.columns.iter().map(ComparedColumn::count));
            let stock = |side: &Keys, row: u32| &stocks[side.ranks[row as usize] as usize];
            let of_both = |place: usize| stock(&pair.new, pair.both[place].1);
            let add = |count: &AtomicU64| {
                count.fetch_add(1, Relaxed);
            };
            pair.added.iter().for_each(|&row| add(&stock(&pair.new, row).added));
            pair.removed.iter().for_each(|&row| add(&stock(&pair.old, row).removed));
            compared.restated.set_indices().for_each(|place| add(&of_both(place).restated));
            compared.filled.set_indices().for_each(|place| add(&of_both(place).filled));
            compared.lost.set_indices().for_each(|place| add(&of_both(place).lost));
            self.tell(dated.date, &pair, &compared.columns, (&mut columns[start..], told))?;
        }
        Ok((change, columns))
    }

    /// Offers what was restated in `columns` of a date, and counts of each what is no number both times.
    fn tell(
        &self,
        date: Date,
        pair: &Pair,
        columns: &[ComparedColumn],
        (counts, told): (&mut [ColumnCount], &Told),
    ) -> Result<()> {
        let Some(least) = told.moves.least() else { return Ok(()) };
        let mut moved = Vec::new();
        for (at, (column, count)) in columns.iter().zip(counts).enumerate() {
            let known = &self.columns[column.column];
            let is_number = [&known.older, &known.newer].iter().all(|of| of.as_ref().is_some_and(DataType::is_numeric));
            let restated = column.restated();
            let places: UInt32Array = restated.set_indices().map(|place| place as u32).collect();
            let sizes = match is_number {
                true => Some(sizes(&column.old.take(&places)?.logical()?, &column.new.take(&places)?.logical()?)?),
                false => None,
            };
            let mut first = None;
            for (n, place) in restated.set_indices().enumerate() {
                let row = pair.both[place].1;
                let size = sizes.as_ref().map(|sizes| sizes[n]);
                let candidate = |size| Candidate { size, at: (date, pair.new.ranks[row as usize], row, at), place };
                match size.filter(|size| size.is_of_numbers) {
                    Some(size) if size.size > 0.0 && size.size >= least => moved.push(candidate(size)),
                    Some(_) => {}
                    None => {
                        count.turned += 1;
                        first.get_or_insert_with(|| candidate(Size::NONE));
                    }
                }
            }
            let first = first.into_iter().collect();
            told.turns[column.column].offer(first, |candidate| self.told(pair, columns, candidate))?;
        }
        told.moves.offer(moved, |candidate| self.told(pair, columns, candidate))
    }

    /// A restated value in words.
    fn told(&self, pair: &Pair, columns: &[ComparedColumn], candidate: &Candidate) -> Result<Move> {
        let (date, rank, row, at) = candidate.at;
        let column = &columns[at];
        let place = UInt32Array::from(vec![candidate.place as u32]);
        let text = |side: &StoredColumn| {
            let text = texts(&side.take(&place)?.logical()?)?.pop().flatten();
            Ok::<_, Error>(text.unwrap_or_else(|| "null".to_owned()))
        };
        Ok(Move {
            date,
            stock: self.codes[rank as usize].to_string(),
            key: pair.new.columns_at(&[row])?.iter().map(|column| show(column, 0)).collect(),
            column: self.columns[column.column].name.clone(),
            old: text(&column.old)?,
            new: text(&column.new)?,
            relative: candidate.size.relative,
        })
    }
}

/// What is told of restated values.
struct Told {
    /// The numbers that moved furthest.
    moves: Largest,
    /// Of each column the first value that is no number both times.
    turns: Vec<Largest>,
}

/// How much differs of one stock.
#[derive(Default)]
struct Tally {
    added: AtomicU64,
    restated: AtomicU64,
    filled: AtomicU64,
    removed: AtomicU64,
    lost: AtomicU64,
}

impl Tally {
    /// Whether anything does, also values that are gone with their column.
    fn differs(&self) -> bool {
        [&self.added, &self.restated, &self.filled, &self.removed, &self.lost]
            .iter()
            .any(|count| count.load(Relaxed) > 0)
    }

    /// As the change of the stock with this code; `None` where nothing did.
    fn told(self, code: &str) -> Option<StockChange> {
        let [added, restated, filled, removed] =
            [self.added, self.restated, self.filled, self.removed].map(AtomicU64::into_inner);
        let is_changed = added + restated + filled + removed > 0;
        is_changed.then(|| StockChange { stock: code.to_owned(), added, restated, filled, removed })
    }
}

/// How many values of a column differ.
struct ColumnCount {
    column: usize,
    restated: u64,
    filled: u64,
    /// Those of the restated ones that are no numbers both times; counted where values are told.
    turned: u64,
    /// Those of the restated ones that became null.
    turned_null: u64,
}

impl ComparedColumn {
    fn count(&self) -> ColumnCount {
        let restated = self.restated();
        let nulls = |column: &StoredColumn| column.stored().logical_nulls().map(|nulls| !nulls.inner());
        let null = nulls(&self.new).map(|nulls| &restated & &nulls);
        let null_before = nulls(&self.old);
        let turned_null = null.map(|null| match null_before {
            Some(before) => &null & &!&before,
            None => null,
        });
        ColumnCount {
            column: self.column,
            restated: restated.count_set_bits() as u64,
            filled: self.filled_count(),
            turned: 0,
            turned_null: turned_null.map_or(0, |null| null.count_set_bits() as u64),
        }
    }
}
