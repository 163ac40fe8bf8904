//! The rows that were gathered, block by block: walked through date by date.

use std::ops::Range;
use std::sync::Arc;

use super::block::{Block, Sparse};
use super::spill::SpillMap;
use crate::compare::{ColumnRows, Origin, Run};
use crate::format::Stored;
use crate::key::Date;

/// The rows that were gathered.
pub(crate) struct Gathering<'a> {
    pub(crate) blocks: &'a [Block],
    pub(crate) spill: &'a SpillMap,
    /// For each input, the number of its stock.
    pub(crate) stocks: Vec<u32>,
    /// For each block and column of texts, the store's code for each of the block's codes.
    pub(crate) codes: Vec<Sparse<Arc<[u32]>>>,
}

impl Gathering<'_> {
    /// A panel column of a block; `None` when it has no value there.
    pub(crate) fn column(&self, block: usize, column: usize) -> Option<ColumnRows<'_>> {
        let found = self.blocks[block].columns.get(column)?;
        let codes = || self.codes[block].get(column).map_or(&[][..], |codes| &codes[..]);
        Some(ColumnRows {
            stored: found.stored,
            values: self.spill.get(found.values),
            validity: found.validity.map(|validity| self.spill.get(validity)),
            codes: (found.stored == Stored::Codes).then(codes),
        })
    }

    /// The stock numbers of these rows of a block.
    pub(crate) fn stocks(&self, block: usize, rows: Range<usize>) -> impl Iterator<Item = u32> {
        let Block { inputs, first_input, .. } = self.blocks[block];
        let inputs: &[u32] = bytemuck::cast_slice(self.spill.get(inputs));
        inputs[rows].iter().map(move |&input| self.stocks[(first_input + input) as usize])
    }

    /// The stock number of a row of a block.
    pub(crate) fn stock(&self, block: usize, row: usize) -> u32 {
        let Block { inputs, first_input, .. } = self.blocks[block];
        let inputs: &[u32] = bytemuck::cast_slice(self.spill.get(inputs));
        self.stocks[(first_input + inputs[row]) as usize]
    }

    /// For each block its days, ascending, and where each one's rows start and the last one's end.
    pub(crate) fn days(&self) -> impl Iterator<Item = (&[i32], &[u32])> + Clone {
        let get = |run| self.spill.get(run);
        self.blocks
            .iter()
            .map(move |block| (bytemuck::cast_slice(get(block.days)), bytemuck::cast_slice(get(block.row_starts))))
    }

    /// Walks through the blocks in step with dates that ascend from `first` on.
    pub(crate) fn walk(&self, first: Date) -> Walk<'_> {
        let steps = self.days().enumerate().map(|(block, (days, row_starts))| {
            let next = days.partition_point(|&day| day < first.days());
            Step { block, days, row_starts, next }
        });
        Walk { steps: steps.filter(|step| step.next < step.days.len()).collect(), at: None }
    }

    /// `sections`, each a date with the number of its rows, cut into pieces; see [`pieces`].
    pub(crate) fn pieces(&self, sections: &[(Date, u32)]) -> Vec<(Date, u32, Range<usize>)> {
        let mut walk = self.walk(sections.first().map_or(Date::EPOCH, |&(date, _)| date));
        pieces(sections, |date| self.cut(&walk.runs(date)))
    }

    /// The pieces that these rows of blocks make.
    pub(crate) fn cut(&self, runs: &[Run]) -> Vec<Range<usize>> {
        cut(runs.iter().flat_map(|run| match run.origin {
            Origin::Block(block) => self.stock_runs(block, run.rows.clone()),
            Origin::Before => Vec::new(),
        }))
    }

    /// How many neighbouring rows each stock has among these of a block.
    pub(crate) fn stock_runs(&self, block: usize, rows: Range<usize>) -> Vec<usize> {
        let stocks: Vec<u32> = self.stocks(block, rows).collect();
        stocks.chunk_by(|a, b| a == b).map(<[u32]>::len).collect()
    }
}

/// The most rows of a piece.
pub(crate) const PIECE_ROWS: usize = 1 << 16;

/// `sections`, each a date with the number of its rows, cut into pieces: the date, the piece's place in its section, and
/// its rows, counted in the section. Pieces are cut between stocks where that is possible, and `cut` says where; it is
/// asked for long sections alone.
pub(crate) fn pieces(
    sections: &[(Date, u32)],
    mut cut: impl FnMut(Date) -> Vec<Range<usize>>,
) -> Vec<(Date, u32, Range<usize>)> {
    let pieces = sections.iter().flat_map(|&(date, row_count)| {
        let cuts = match row_count as usize {
            whole if whole <= PIECE_ROWS => std::iter::once(0..whole).collect(),
            _ => cut(date),
        };
        cuts.into_iter().enumerate().map(move |(place, rows)| (date, place as u32, rows))
    });
    pieces.collect()
}

/// The rows of pieces, given how many rows each stock has, in the order of the rows.
pub(crate) fn cut(stocks: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let (mut start, mut end) = (0, 0);
    for count in stocks {
        if end > start && end + count - start > PIECE_ROWS {
            pieces.push(start..end);
            start = end;
        }
        end += count;
        // A stock with more rows than a piece may have.
        while end - start > PIECE_ROWS {
            pieces.push(start..start + PIECE_ROWS);
            start += PIECE_ROWS;
        }
    }
    if end > start {
        pieces.push(start..end);
    }
    pieces
}

/// A place in each block that is not behind; see [`Gathering::walk`].
pub(crate) struct Walk<'a> {
    steps: Vec<Step<'a>>,
    /// The date that was asked for last, and its rows.
    at: Option<(Date, Vec<Run>)>,
}

/// A place in one block.
struct Step<'a> {
    block: usize,
    days: &'a [i32],
    row_starts: &'a [u32],
    /// The next of its days.
    next: usize,
}

impl Walk<'_> {
    /// The rows of `date`, which must not be earlier than the one asked for before, in key order.
    pub(crate) fn runs(&mut self, date: Date) -> Vec<Run> {
        if let Some((at, runs)) = &self.at
            && *at == date
        {
            return runs.clone();
        }
        let mut runs = Vec::with_capacity(self.steps.len());
        for Step { block, days, row_starts, next } in &mut self.steps {
            while days.get(*next).is_some_and(|&other| other < date.days()) {
                *next += 1;
            }
            if days.get(*next) == Some(&date.days()) {
                let rows = row_starts[*next] as usize..row_starts[*next + 1] as usize;
                runs.push(Run { origin: Origin::Block(*block), rows });
                *next += 1;
            }
        }
        self.at = Some((date, runs.clone()));
        runs
    }
}

/// All dates of blocks with the rows of each. A block has its days, ascending, and where each one's rows start and the
/// last one's end.
pub(crate) fn sections<'a>(blocks: impl Iterator<Item = (&'a [i32], &'a [u32])> + Clone) -> Vec<(Date, u32)> {
    let first = blocks.clone().filter_map(|(days, _)| days.first()).min().copied().unwrap_or(0);
    let last = blocks.clone().filter_map(|(days, _)| days.last()).max().copied().unwrap_or(0);
    let mut counts = vec![0u32; (last - first) as usize + 1];
    for (days, row_starts) in blocks {
        for (day, ends) in days.iter().zip(row_starts.windows(2)) {
            let count = &mut counts[(day - first) as usize];
            *count = count.saturating_add(ends[1] - ends[0]);
        }
    }
    let days = counts.iter().zip(first..).filter(|(count, _)| **count > 0);
    days.filter_map(|(&count, day)| Some((Date::from_days(day)?, count))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow_array::Int64Array;
    use arrow_schema::DataType;
    use proptest::prelude::*;

    use super::*;
    use crate::panel::{Column, SeriesColumn};
    use crate::shuffle::spill::Spill;
    use crate::shuffle::{BlockBuilder, Inputs};
    use crate::storage::{Dir, Disk};

    /// The integers of one row; the last column is a dummy, constant for a stock.
    type Row = [Option<i64>; 3];

    /// One stock's rows by day.
    fn series() -> impl Strategy<Value = BTreeMap<i32, Row>> {
        let cell = || prop_oneof![Just(None), (-3..300_i64).prop_map(Some)];
        let row = (cell(), any::<bool>()).prop_map(|(cell, flag)| [cell, Some(flag.into())]);
        (0..60_i32, prop::collection::btree_map(0..40_i32, row, 1..30), 0..2_i64).prop_map(|(first, rows, dummy)| {
            rows.into_iter().map(|(day, [a, b])| (first + day, [a, b, Some(dummy)])).collect()
        })
    }

    /// What a spill of so many bands gives back when it is walked through, for each day and stock.
    fn gathered(blocks: &[Vec<BTreeMap<i32, Row>>], band_count: usize) -> Vec<(i32, u32, Row)> {
        let dir = tempfile::tempdir().unwrap();
        let open = Dir::open(&Disk::default(), dir.path()).unwrap();
        let spill = Spill::create(&open, 1, band_count, |number| number.to_string()).unwrap();
        let columns = ["a", "b", "dummy"].map(|name| Column { name: name.to_owned(), data_type: DataType::Int64 });
        let mut stock = 0;
        let mut all = Vec::new();
        for block in blocks {
            let mut builder = BlockBuilder::new(&columns);
            for rows in block {
                let dates = rows.keys().map(|&day| Date::from_days(day).unwrap()).collect();
                let column = |n: usize| Int64Array::from_iter(rows.values().map(|row| row[n]));
                let column = |n: usize| Some(SeriesColumn::Rows(std::sync::Arc::new(column(n))));
                builder.push(Inputs::One(stock), dates, (0..3).map(column).collect()).unwrap();
                stock += 1;
            }
            all.extend(builder.gather(&spill).unwrap());
        }
        let spill = spill.map().unwrap();
        let stocks = (0..stock).collect();
        let gathering = Gathering { blocks: &all, spill: &spill, stocks, codes: Vec::new() };
        let mut rows = Vec::new();
        let sections = sections(gathering.days());
        for (start, &(first, _)) in sections.iter().enumerate().step_by(7) {
            // What lies before was sealed.
            spill.release_before(first);
            let mut walk = gathering.walk(first);
            for &(date, row_count) in sections[start..].iter().take(7) {
                let before = rows.len();
                for run in walk.runs(date) {
                    let Origin::Block(block) = run.origin else { panic!("{run:?}") };
                    for (stock, row) in gathering.stocks(block, run.rows.clone()).zip(run.rows) {
                        let cell = |column| {
                            let column = gathering.column(block, column).filter(|column| column.is_valid(row))?;
                            Some(column.integers(row..row + 1, true)[0])
                        };
                        rows.push((date.days(), stock, [cell(0), cell(1), cell(2)]));
                    }
                }
                assert_eq!(rows.len() - before, row_count as usize);
            }
        }
        rows
    }

    proptest! {
        #[test]
        fn blocks_cut_into_bands_give_back_every_row_in_order(
            blocks in prop::collection::vec(prop::collection::vec(series(), 1..5), 1..4),
            band_count in 1..9_usize,
        ) {
            let stocks = blocks.iter().flatten().enumerate();
            let mut expected: Vec<(i32, u32, Row)> = stocks
                .flat_map(|(stock, rows)| rows.iter().map(move |(&day, &row)| (day, stock as u32, row)))
                .collect();
            expected.sort_unstable_by_key(|&(day, stock, _)| (day, stock));
            prop_assert_eq!(gathered(&blocks, band_count), expected);
        }
    }

    #[test]
    fn a_section_has_the_rows_of_all_blocks() {
        let blocks: [(&[i32], &[u32]); 3] = [(&[-3, 0, 2], &[0, 1, 3, 6]), (&[0], &[0, 5]), (&[], &[0])];
        let day = |day| Date::from_days(day).unwrap();
        assert_eq!(sections(blocks.into_iter()), [(day(-3), 1), (day(0), 7), (day(2), 3)]);
        assert_eq!(sections(std::iter::empty()), []);
    }
}
