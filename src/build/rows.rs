//! Rows of a section, wherever they lie: in the blocks of the spill, or in the section of the version before.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::Buffer;
use arrow_buffer::bit_util::get_bit;
use arrow_schema::DataType;

use super::gather::Block;
use super::lane::{fixed_bytes, widened};
use super::spill::SpillMap;
use crate::error::Result;
use crate::format::Stored;
use crate::key::Date;
use crate::segment::{SegmentColumn, natural_stored};
use crate::store::Section;

/// Neighbouring rows of one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) origin: Origin,
    pub(super) rows: Range<usize>,
}

/// Where a piece's rows lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the block of this number.
    Block(usize),
    /// In the section of the version before.
    Before,
}

/// One column of all rows of an origin, as bytes.
#[derive(Clone, Copy)]
pub(super) struct ColumnRows<'a> {
    pub(super) stored: Stored,
    pub(super) values: &'a [u8],
    /// One bit a row; `None` when all rows have a value.
    pub(super) validity: Option<&'a [u8]>,
    /// For codes that are the origin's own, the store's code of each.
    pub(super) codes: Option<&'a [u32]>,
}

impl ColumnRows<'_> {
    /// Whether the row has a value.
    pub(super) fn is_valid(&self, row: usize) -> bool {
        self.validity.is_none_or(|bits| get_bit(bits, row))
    }

    /// The integers of these rows.
    pub(super) fn integers(&self, rows: Range<usize>, signed: bool) -> Vec<i64> {
        match self.stored {
            Stored::Bits => rows.map(|row| i64::from(get_bit(self.values, row))).collect(),
            stored => {
                let width = stored.byte_len(1) as usize;
                widened(&self.values[rows.start * width..rows.end * width], stored, signed)
            }
        }
    }
}

/// The rows that were gathered.
pub(super) struct Gathering<'a> {
    pub(super) blocks: &'a [Block],
    pub(super) spill: &'a SpillMap,
    /// For each input, the number of its stock.
    pub(super) stocks: Vec<u32>,
    /// For each block and panel column, the store's code for each of the block's codes.
    pub(super) codes: Vec<Vec<Arc<[u32]>>>,
}

impl Gathering<'_> {
    /// A panel column of a block; `None` when it has no value there.
    pub(super) fn column(&self, block: usize, column: usize) -> Option<ColumnRows<'_>> {
        let found = self.blocks[block].columns[column].as_ref()?;
        Some(ColumnRows {
            stored: found.stored,
            values: self.spill.get(found.values),
            validity: found.validity.map(|validity| self.spill.get(validity)),
            codes: (found.stored == Stored::Codes).then_some(&self.codes[block][column]),
        })
    }

    /// The stock numbers of these rows of a block.
    pub(super) fn stocks(&self, block: usize, rows: Range<usize>) -> impl Iterator<Item = u32> {
        let inputs: &[u32] = bytemuck::cast_slice(self.spill.get(self.blocks[block].inputs));
        inputs[rows].iter().map(|&input| self.stocks[input as usize])
    }

    /// For each block its days, ascending, and where each one's rows start and the last one's end.
    pub(super) fn days(&self) -> impl Iterator<Item = (&[i32], &[u32])> + Clone {
        let get = |piece| self.spill.get(piece);
        self.blocks
            .iter()
            .map(move |block| (bytemuck::cast_slice(get(block.days)), bytemuck::cast_slice(get(block.row_starts))))
    }

    /// Walks through the blocks in step with dates that ascend from `first` on.
    pub(super) fn walk(&self, first: Date) -> Walk<'_> {
        let steps = self.days().enumerate().map(|(block, (days, row_starts))| {
            let next = days.partition_point(|&day| day < first.days());
            Step { block, days, row_starts, next }
        });
        Walk { steps: steps.filter(|step| step.next < step.days.len()).collect() }
    }
}

/// A place in each block that is not behind; see [`Gathering::walk`].
pub(super) struct Walk<'a> {
    steps: Vec<Step<'a>>,
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
    /// The rows of `date`, which must be later than the one asked for before, in code order.
    pub(super) fn pieces(&mut self, date: Date) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(self.steps.len());
        for Step { block, days, row_starts, next } in &mut self.steps {
            while days.get(*next).is_some_and(|&other| other < date.days()) {
                *next += 1;
            }
            if days.get(*next) == Some(&date.days()) {
                let rows = row_starts[*next] as usize..row_starts[*next + 1] as usize;
                pieces.push(Piece { origin: Origin::Block(*block), rows });
                *next += 1;
            }
        }
        pieces
    }
}

/// The section of the version before, its columns in the panel's types of now.
pub(super) struct Before<'a> {
    section: Section<'a>,
    /// For each panel column, its values in the new type where the old one's bytes do not serve.
    converted: Vec<Option<Converted>>,
}

struct Converted {
    stored: Stored,
    values: Buffer,
    validity: Option<Buffer>,
}

impl<'a> Before<'a> {
    /// `section` for a panel with these `columns`, code and date included.
    ///
    /// # Errors
    /// When it is damaged.
    pub(super) fn new(section: Section<'a>, columns: &[SegmentColumn]) -> Result<Before<'a>> {
        let converted = columns[2..].iter().enumerate().map(|(index, column)| {
            let serves = section.raw(index).is_none_or(|raw| serves(raw.logical, &column.logical));
            if serves || !section.has_value(index) {
                return Ok(None);
            }
            let array = section.column_as(index, &column.logical, 0..section.row_count())?;
            Converted::new(&array).map(Some)
        });
        let converted = converted.collect::<Result<_>>()?;
        Ok(Before { section, converted })
    }

    /// The stock number of each row.
    pub(super) fn stock_numbers(&self) -> &[u32] {
        self.section.raw_stock_numbers()
    }

    /// The section itself.
    pub(super) fn section(&self) -> &Section<'a> {
        &self.section
    }

    /// A panel column; `None` when it has no value here.
    pub(super) fn column(&self, index: usize) -> Option<ColumnRows<'_>> {
        if let Some(converted) = self.converted.get(index)?.as_ref() {
            return Some(ColumnRows {
                stored: converted.stored,
                values: &converted.values,
                validity: converted.validity.as_deref(),
                codes: None,
            });
        }
        let raw = self.section.raw(index).filter(|_| self.section.has_value(index))?;
        Some(ColumnRows { stored: raw.stored, values: raw.values, validity: raw.validity, codes: None })
    }
}

/// Whether bytes stored for type `then` mean the same for type `now`.
fn serves(then: &DataType, now: &DataType) -> bool {
    let is_coded = |data_type| natural_stored(data_type) == Stored::Codes;
    let is_signed = |data_type: &DataType| data_type.is_signed_integer();
    then == now
        || *then == DataType::Null
        || (is_coded(then) && is_coded(now))
        || (then.is_integer() && now.is_integer() && is_signed(then) == is_signed(now))
}

/// The width at which values of type `then`, stored as `stored`, lie before a reader of type `now`; `None` without
/// values.
pub(super) fn stored_as(then: &DataType, stored: Stored, now: &DataType) -> Option<Stored> {
    match (then, serves(then, now)) {
        (DataType::Null, _) if *now != DataType::Null => None,
        (_, true) => Some(stored),
        (_, false) => Some(natural_stored(now)),
    }
}

impl Converted {
    fn new(array: &ArrayRef) -> Result<Converted> {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        Ok(Converted {
            stored: natural_stored(array.data_type()),
            values: fixed_bytes(array)?,
            validity: nulls.map(|nulls| nulls.inner().sliced()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow_array::Int64Array;
    use proptest::prelude::*;

    use super::*;
    use crate::build::gather::BlockBuilder;
    use crate::build::plan;
    use crate::build::spill::Spill;
    use crate::durable::Disk;
    use crate::panel::Column;
    use crate::source::SeriesColumn;

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
        let spill =
            Spill::create(&Disk::default(), 1, band_count, |number| dir.path().join(number.to_string())).unwrap();
        let columns = ["a", "b", "dummy"].map(|name| Column { name: name.to_owned(), data_type: DataType::Int64 });
        let mut stock = 0;
        let mut all = Vec::new();
        for block in blocks {
            let mut builder = BlockBuilder::new(&columns);
            for rows in block {
                let dates = rows.keys().map(|&day| Date::from_days(day).unwrap()).collect();
                let column = |n: usize| Int64Array::from_iter(rows.values().map(|row| row[n]));
                let column = |n: usize| Some(SeriesColumn::Rows(std::sync::Arc::new(column(n))));
                builder.push(stock, dates, (0..3).map(column).collect()).unwrap();
                stock += 1;
            }
            all.extend(builder.gather(&spill).unwrap());
        }
        let spill = spill.map().unwrap();
        let codes = all.iter().map(|_| vec![Arc::default(); 3]).collect();
        let gathering = Gathering { blocks: &all, spill: &spill, stocks: (0..stock).collect(), codes };
        let mut rows = Vec::new();
        let sections = plan::sections(gathering.days());
        for (start, &(first, _)) in sections.iter().enumerate().step_by(7) {
            // What lies before was sealed.
            spill.release_before(first);
            let mut walk = gathering.walk(first);
            for &(date, row_count) in sections[start..].iter().take(7) {
                let before = rows.len();
                for piece in walk.pieces(date) {
                    let Origin::Block(block) = piece.origin else { panic!("{piece:?}") };
                    for (stock, row) in gathering.stocks(block, piece.rows.clone()).zip(piece.rows) {
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
}
