//! The rows of each file, a row group at a time: sections as they lie in the map, or what was gathered of stocks.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{DictionaryArray, Int32Array};
use arrow_schema::{DataType, SchemaRef};
use arrow_select::take::take;

use super::plan::{LEAST_LEN, Plan};
use super::select::{checked, select};
use super::unit::{Of, Unit};
use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::remedy::{Remedy, Setting};
use crate::sink::{Format, OutputColumn, Partition};
use crate::store::{Gathered, Piece, StoredColumn, Survey};
use crate::workers::Workers;

/// The most rows of a row group of a file of several dates.
const GROUP_ROWS: usize = 1 << 17;

/// Bytes that a row group has at most, by the types of its columns; but never fewer rows than [`FEWEST_ROWS`].
const GROUP_BYTES: usize = 16 << 20;
const FEWEST_ROWS: usize = 1 << 10;

/// Columns of sections that wait for others of their row group, each of some 300 bytes beside its values, before they
/// are put together.
const WAITING: usize = 1 << 15;

/// Bytes that a value of no fixed width counts for.
const TEXT_WIDTH: usize = 16;

/// Rows of a date, in one share of the work, that are too few for a walk of their own over all dates.
const FEW_ROWS: usize = 64;

/// What a writer, and a reader, of a Parquet file holds of each column of each row group until the file ends: what the end
/// of the file says of it. Measured with 2,000 columns in 24 groups: 0.85 KiB.
const LISTED_LEN: u64 = 1 << 10;

/// Files' shares of the work, so that workers end at about the same time.
const SHARES: usize = 4;

/// The rows of one file.
pub(super) struct Rows<'a> {
    plan: &'a Plan,
    of: Source<'a>,
}

enum Source<'a> {
    /// Sections, places among the store's.
    Sections(&'a [usize]),
    /// The rows of a stock: columns of the dates of each part, and how many rows they have.
    Gathered(Vec<(Vec<OutputColumn>, usize)>),
    /// Those of a stock that has too many for the memory.
    Long(&'a Survey, u32, usize),
    /// A row a date, of the column at this place of the panel.
    Matrix(usize),
}

/// Takes row groups: their columns, and how many rows they have.
pub(super) type Take<'t> = dyn FnMut(&[OutputColumn], usize) -> Result<()> + 't;

impl Rows<'_> {
    /// Gives the rows to `take`, a group at a time; how many there are. The bytes of a section that went into a group were
    /// compared with their checksums after `take` used them, and the catalog was not written to: what another program
    /// overwrites while it is mapped is found, too. Nothing may get its final name before this returns.
    ///
    /// # Errors
    /// When the store is damaged, or `take` fails.
    pub(super) fn for_each_group(&self, take: &mut Take<'_>) -> Result<u64> {
        let mut groups = Groups::new(self.plan, take);
        match &self.of {
            Source::Sections(places) => {
                for &place in *places {
                    let section = self.plan.answer.store().section_at(place)?;
                    for part in section.parts() {
                        let Some(piece) = part.only_piece()? else { continue };
                        let (columns, row_count) = checked(piece, self.plan, || select(&part, piece, self.plan))?;
                        match row_count {
                            0 => piece.check_columns(&[])?,
                            count => groups.push(columns, count, Some(piece))?,
                        }
                    }
                }
            }
            Source::Gathered(parts) => {
                for (columns, row_count) in parts {
                    groups.push(columns.clone(), *row_count, None)?;
                }
            }
            Source::Long(survey, stock, most) => {
                for (stretch, count) in survey.stretches(*stock, *most)? {
                    let gathered = survey.gather(&[*stock], &stretch, &[count])?;
                    let columns = stock_columns(self.plan, *stock, &gathered.columns, &gathered.dates)?;
                    groups.push(columns, gathered.dates.len(), None)?;
                }
            }
            Source::Matrix(index) => {
                let most = groups.rows.unwrap_or(1);
                for dates in date_runs(self.plan.places.len(), most) {
                    let cells = self.plan.answer.across(*index, dates.clone())?;
                    groups.push(matrix_columns(self.plan, &cells, &dates)?, dates.len(), None)?;
                }
            }
        }
        let total = groups.finish()?;
        self.plan.answer.store().check_unchanged()?;
        Ok(total)
    }

    /// The schema of the file.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(super) fn schema(&self) -> Result<SchemaRef> {
        match self.of {
            Source::Matrix(index) => self.plan.schema_across(index),
            _ => Ok(self.plan.schema.clone()),
        }
    }
}

/// Calls `work` with the place of each of `units` and its rows, each worker with a `T` of its own; what it returns, in
/// their order.
///
/// # Errors
/// The first that fails, or [`Error::Cancelled`].
pub(super) fn for_each_file<T, R: Send>(
    plan: &Plan,
    units: &[&Unit],
    workers: &Workers,
    observer: &dyn Observer,
    init: impl Fn() -> T + Send + Sync,
    work: impl Fn(&mut T, usize, &Rows<'_>) -> Result<R> + Send + Sync,
) -> Result<Vec<R>> {
    let run = |own: &mut T, at: usize, of: Source<'_>| {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let result = work(own, at, &Rows { plan, of })?;
        observer.advance(1);
        Ok(result)
    };
    if plan.by != Partition::Stock || units.is_empty() {
        return workers.try_map_with(units.len(), init, |own, at| match &units[at].of {
            Of::Dates(places) => run(own, at, Source::Sections(places)),
            Of::Matrix(index) => run(own, at, Source::Matrix(*index)),
            Of::Stock(_) => run(own, at, Source::Sections(&[])),
        });
    }
    let number = |unit: &&Unit| match unit.of {
        Of::Stock(number) => number,
        Of::Dates(_) | Of::Matrix(_) => 0,
    };
    let stocks: Vec<u32> = units.iter().map(number).collect();
    let survey = plan.answer.survey(&stocks, workers, observer)?;
    let counts: Vec<usize> = (0..stocks.len()).map(|place| survey.row_count(place)).collect();
    let fewer = for_ends(plan, counts.iter().copied().max().unwrap_or(0) as u64, workers)?;
    let workers = fewer.as_ref().unwrap_or(workers);
    let most = most_rows(&survey, workers)?;
    if are_few(plan, &counts, most) {
        let shares = survey.shares();
        let gathered = workers.try_map(shares.len(), |at| {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let (dates, counts) = &shares[at];
            survey.gather(&stocks, dates, counts)
        })?;
        return workers.try_map_with(stocks.len(), init, |own, place| {
            run(own, place, Source::Gathered(stock_parts(plan, stocks[place], place, &gathered)?))
        });
    }
    let bands = bands(&counts, most);
    let done = workers.try_map_with(bands.len(), init, |own, at| {
        let band = &bands[at];
        let of_band = &stocks[band.clone()];
        if let ([stock], true) = (of_band, counts[band.start] > most) {
            // Rows that wait for others of their group are held beside those that are gathered.
            let most = most.div_ceil(2);
            return Ok(vec![run(own, band.start, Source::Long(&survey, *stock, most))?]);
        }
        let gathered = [survey.gather(of_band, &survey.whole(), &counts[band.clone()])?];
        let file = |place: usize| {
            let of = stock_parts(plan, of_band[place], place, &gathered)?;
            run(own, band.start + place, Source::Gathered(of))
        };
        (0..of_band.len()).map(file).collect::<Result<Vec<R>>>()
    })?;
    Ok(done.into_iter().flatten().collect())
}

/// Fewer than these workers, where the ends of their files would take more than half of the memory, of `rows` rows each at
/// most; `None` where all may work.
///
/// # Errors
/// When one takes more; or the catalog is damaged, or the system refuses a thread.
pub(super) fn for_ends(plan: &Plan, rows: u64, workers: &Workers) -> Result<Option<Workers>> {
    if plan.format != Format::Parquet || plan.by == Partition::Date {
        return Ok(None);
    }
    let (groups, columns) = (rows.div_ceil(group_rows(plan) as u64), plan.column_count()? as u64);
    let needed = LISTED_LEN.saturating_mul(groups).saturating_mul(columns).saturating_mul(2);
    let memory = workers.memory();
    if needed > memory.max(LEAST_LEN) {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        let what = format!(
            "a file of {rows} rows and {columns} columns has {groups} row groups, which take {} MiB of the memory until it \
             is whole, more than half of it, which is {} MiB",
            mib(needed / 2),
            mib(memory)
        );
        let more = Remedy::set(Setting::Memory(mib(needed) << 20), "allows it");
        return Err(Error::refused_unless(
            what,
            [more, Remedy::Do("write files of fewer dates or columns".to_owned())],
        ));
    }
    workers.fewer(needed)
}

/// The rows of the longest of these files, as far as the catalog alone tells: of stocks it does not.
///
/// # Errors
/// When the catalog is damaged.
pub(super) fn longest_file(plan: &Plan, units: &[Unit]) -> Result<u64> {
    let store = plan.answer.store();
    let rows = |unit: &Unit| match &unit.of {
        Of::Dates(places) => places.iter().map(|&place| store.row_count_at(place)).sum(),
        Of::Matrix(_) => Ok(plan.places.len() as u64),
        Of::Stock(_) => Ok(0),
    };
    units.iter().map(rows).try_fold(0, |longest, rows| Ok(rows?.max(longest)))
}

/// How many rows a worker gathers at a time.
fn most_rows(survey: &Survey, workers: &Workers) -> Result<usize> {
    // The other half is for what is made of them.
    let share = workers.memory() as usize / workers.count() / 2;
    Ok((share / survey.row_len()?).clamp(1, u32::MAX as usize))
}

/// Whether stocks of so many rows have so few on a date that looking for each column of it costs more than its rows: then
/// workers divide the dates among them, and not the stocks.
fn are_few(plan: &Plan, counts: &[usize], most: usize) -> bool {
    let total: usize = counts.iter().sum();
    total <= most && total < FEW_ROWS * SHARES * plan.places.len()
}

/// Runs of neighbouring stocks of so many rows, each with `most` at most unless it is of one stock.
fn bands(counts: &[usize], most: usize) -> Vec<Range<usize>> {
    let total: usize = counts.iter().sum();
    let most = most.min(total.div_ceil(SHARES).max(1));
    let (mut bands, mut start, mut rows) = (Vec::new(), 0, 0);
    for (place, &count) in counts.iter().enumerate() {
        if place > start && rows + count > most {
            bands.push(start..place);
            (start, rows) = (place, 0);
        }
        rows += count;
    }
    bands.push(start..counts.len());
    bands
}

/// Runs of dates, so many that each has about `most` rows of a stock that has one a date.
fn date_runs(date_count: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    (0..date_count).step_by(most).map(move |first| first..date_count.min(first + most))
}

/// The rows of the stock at `place` among those that were gathered, of each part of the dates.
fn stock_parts(
    plan: &Plan,
    stock: u32,
    place: usize,
    gathered: &[Gathered],
) -> Result<Vec<(Vec<OutputColumn>, usize)>> {
    let part = |gathered: &Gathered| {
        let rows = gathered.starts[place]..gathered.starts[place + 1];
        let columns: Vec<StoredColumn> =
            gathered.columns.iter().map(|column| column.slice(rows.start, rows.len())).collect();
        Ok((stock_columns(plan, stock, &columns, &gathered.dates[rows.clone()])?, rows.len()))
    };
    gathered.iter().map(part).collect()
}

/// The columns of a stock's file, for rows on these of the dates asked for.
fn stock_columns(plan: &Plan, stock: u32, columns: &[StoredColumn], dates: &[i32]) -> Result<Vec<OutputColumn>> {
    let mut all = Vec::with_capacity(columns.len() + 2);
    if plan.code {
        all.push(OutputColumn::Constant(plan.code_of(stock)?));
    }
    all.push(date_column(plan, dates)?);
    all.extend(columns.iter().map(|column| OutputColumn::Stored {
        array: column.stored().clone(),
        logical: column.logical_type().clone(),
        distinct: false,
    }));
    Ok(all)
}

/// The columns of a matrix: its dates, and the cells of each stock.
fn matrix_columns(plan: &Plan, cells: &StoredColumn, dates: &Range<usize>) -> Result<Vec<OutputColumn>> {
    let places: Vec<i32> = dates.clone().map(|date| date as i32).collect();
    let stocks = cells.stored().len() / dates.len();
    let of_stock = |stock: usize| OutputColumn::Stored {
        array: cells.stored().slice(stock * dates.len(), dates.len()),
        logical: cells.logical_type().clone(),
        distinct: false,
    };
    Ok(std::iter::once(date_column(plan, &places)?).chain((0..stocks).map(of_stock)).collect())
}

/// The date column of rows on these of the dates asked for, ascending; texts as codes of all of them.
fn date_column(plan: &Plan, dates: &[i32]) -> Result<OutputColumn> {
    let failed = || Error::failed("repeat dates");
    let (values, logical) = (plan.spelt_dates()?, plan.date_form.data_type.clone());
    let keys = Int32Array::from(dates.to_vec());
    Ok(match values.data_type() {
        DataType::Utf8 => {
            let array = Arc::new(DictionaryArray::try_new(keys, values.clone()).map_err(failed())?);
            OutputColumn::Stored { array, logical, distinct: false }
        }
        _ => {
            let array = take(values, &keys, None).map_err(failed())?;
            OutputColumn::Stored { array, logical, distinct: false }
        }
    })
}

/// Rows on their way into row groups.
struct Groups<'g, 't> {
    plan: &'g Plan,
    /// Rows of each group but the last; `None` where each piece is one.
    rows: Option<usize>,
    held: Vec<Held>,
    held_rows: usize,
    total: u64,
    take: &'g mut Take<'t>,
}

/// Rows that wait for more.
struct Held {
    columns: Vec<OutputColumn>,
    row_count: usize,
    /// Of how many pieces they were put together.
    pieces: usize,
    /// Where they lie, if that is to be compared with its checksums.
    piece: Option<Piece>,
}

impl<'g, 't> Groups<'g, 't> {
    fn new(plan: &'g Plan, take: &'g mut Take<'t>) -> Groups<'g, 't> {
        let rows = (plan.by != Partition::Date).then(|| group_rows(plan));
        Groups { plan, rows, held: Vec::new(), held_rows: 0, total: 0, take }
    }

    fn push(&mut self, columns: Vec<OutputColumn>, row_count: usize, piece: Option<&Piece>) -> Result<()> {
        let full = self.rows.unwrap_or(row_count);
        let mut start = 0;
        while start < row_count {
            let len = (row_count - start).min(full - self.held_rows);
            let columns = match len == row_count {
                true => columns.clone(),
                false => columns.iter().map(|column| column.slice(start, len)).collect(),
            };
            self.held.push(Held { columns, row_count: len, pieces: 1, piece: piece.cloned() });
            self.held_rows += len;
            start += len;
            match self.held_rows == full {
                true => self.flush()?,
                false => self.join_some()?,
            }
        }
        Ok(())
    }

    /// Puts the latest together where there are many columns of few rows each: as many pieces at a time as were put
    /// together before, so that no row is copied often.
    fn join_some(&mut self) -> Result<()> {
        let columns = self.held.last().map_or(0, |held| held.columns.len());
        if self.held.len() * columns <= WAITING {
            return Ok(());
        }
        let after = |at: usize| self.held[at + 1..].iter().map(|held| held.pieces).sum::<usize>();
        let Some(start) = (0..self.held.len()).find(|&at| self.held[at].pieces <= after(at)) else { return Ok(()) };
        let held = self.held.split_off(start);
        let whole: Result<Vec<OutputColumn>> = columns_of(&held).iter().map(OutputColumn::whole).collect();
        self.check(&held)?;
        let (row_count, pieces) = held.iter().fold((0, 0), |(rows, all), of| (rows + of.row_count, all + of.pieces));
        self.held.push(Held { columns: whole?, row_count, pieces, piece: None });
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let (held, rows) = (std::mem::take(&mut self.held), std::mem::take(&mut self.held_rows));
        self.total += rows as u64;
        let taken = match held.as_slice() {
            [] => Ok(()),
            [only] => (self.take)(&only.columns, rows),
            held => (self.take)(&columns_of(held), rows),
        };
        self.check(&held)?;
        taken
    }

    /// Compares the bytes that were used with their checksums. Where they are damaged, that is the cause of whatever
    /// went wrong.
    fn check(&self, held: &[Held]) -> Result<()> {
        held.iter().filter_map(|held| held.piece.as_ref()).try_for_each(|piece| piece.check_columns(&self.plan.columns))
    }

    fn finish(mut self) -> Result<u64> {
        self.flush()?;
        Ok(self.total)
    }
}

/// The columns of several, each in parts.
fn columns_of(held: &[Held]) -> Vec<OutputColumn> {
    let parts = |at: usize| held.iter().map(move |held| (held.columns[at].clone(), held.row_count));
    (0..held[0].columns.len()).map(|at| OutputColumn::Joined(parts(at).collect())).collect()
}

/// Rows of a row group, by the types of its columns alone: files must not depend on memory or workers.
///
/// A matrix has a value of each stock in a row.
fn group_rows(plan: &Plan) -> usize {
    let width = |data_type: &DataType| {
        data_type.primitive_width().unwrap_or(match data_type {
            DataType::Boolean => 1,
            _ => TEXT_WIDTH,
        })
    };
    let row_len: usize = plan.schema.fields().iter().map(|field| width(field.data_type())).sum();
    let (row_len, fewest) = match plan.by {
        Partition::Matrix => (row_len.saturating_mul(plan.answer.matrix_stocks().map_or(1, |stocks| stocks.len())), 1),
        _ => (row_len, FEWEST_ROWS),
    };
    (GROUP_BYTES / row_len.max(1)).clamp(fewest, GROUP_ROWS)
}
