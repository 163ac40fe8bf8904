//! Rows of neighbouring stocks, taken from many sections and put together by stock and date: the gather of a build, the
//! other way round.

use std::ops::Range;

use arrow_array::{Array, ArrayRef, cast::AsArray, new_null_array};
use arrow_buffer::MutableBuffer;
use arrow_buffer::bit_iterator::BitIndexIterator;
use arrow_buffer::bit_util::{get_bit, set_bit, unset_bit};
use arrow_schema::DataType;

use super::answer::Answer;
use super::column::StoredColumn;
use super::piece::{Piece, RawColumn};
use super::section::Section;
use super::version::Version;
use crate::codec::{by_width, fixed_bytes, natural_stored};
use crate::compare::ColumnRows;
use crate::error::{Error, Result};
use crate::format::{SEGMENT_DIR, Stored};
use crate::progress::Observer;
use crate::segment::{SegmentColumn, stored_array};
use crate::storage::Access;
use crate::workers::Workers;

/// Dates whose rows are put in place together, one column after the other: then a line of the processor's cache is filled
/// while it is there, and the places of one column are few enough for its page tables.
const DATES: usize = 16;

/// Parts of the work of one worker.
const SHARES: usize = 4;

/// What is known of an answer's rows before any is gathered.
pub(crate) struct Survey {
    answer: Answer,
    /// Where files are mapped, all sections, open.
    sections: Option<Vec<Section>>,
    /// Shares of the dates, and the rows of each of the stocks there.
    shares: Vec<(Stretch, Vec<usize>)>,
    columns: Vec<Kind>,
}

/// How a column is stored, over all sections.
#[derive(Debug, Clone, Default)]
struct Kind {
    /// The widest; `None` where no row has a value.
    stored: Option<Stored>,
    has_nulls: bool,
    /// Whether a segment holds it in another type than the panel does now.
    is_converted: bool,
}

/// Dates of which rows are gathered.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    /// Places among those asked for.
    dates: Range<usize>,
    /// Of one stock on one date: which of its rows, in their order. Otherwise all.
    rows: Range<usize>,
}

/// Rows of some stocks, those of each by date and key.
pub(crate) struct Gathered {
    /// Where each stock's rows start, and the end of the last.
    pub(crate) starts: Vec<usize>,
    /// For each row, the place of its date among those asked for.
    pub(crate) dates: Vec<i32>,
    /// The columns asked for.
    pub(crate) columns: Vec<StoredColumn>,
}

impl Answer {
    /// Counts the rows of each of `stocks`, numbers in the order of their codes, and looks how the columns are stored.
    /// Reads the codes of all sections.
    ///
    /// # Errors
    /// When the store is damaged, or the observer cancels.
    pub(crate) fn survey(&self, stocks: &[u32], workers: &Workers, observer: &dyn Observer) -> Result<Survey> {
        let is_mapped = self.store.access() == Access::Map;
        let local = self.local(stocks)?;
        let len = self.places.len().div_ceil(workers.count() * SHARES).max(1);
        let share = |first: usize| first..self.places.len().min(first + len);
        let shares: Vec<Range<usize>> = (0..self.places.len()).step_by(len).map(share).collect();
        let surveyed = workers.try_map(shares.len(), |at| {
            let (mut sections, mut counts) = (Vec::new(), vec![0; stocks.len()]);
            let mut kinds = vec![Kind::default(); self.columns.len()];
            for date in shares[at].clone() {
                if observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                let section = self.section(date)?;
                for part in section.parts() {
                    let Some(piece) = part.only_piece()? else { continue };
                    self.count(&part, piece, &local, &mut counts)?;
                    self.look(piece, &mut kinds)?;
                }
                sections.extend(is_mapped.then_some(section));
            }
            Ok((sections, counts, kinds))
        })?;
        let (mut sections, mut counted) = (Vec::new(), Vec::new());
        let mut columns = vec![Kind::default(); self.columns.len()];
        for ((of_share, counts, kinds), dates) in surveyed.into_iter().zip(shares) {
            sections.extend(of_share);
            counted.push((Stretch { dates, rows: 0..usize::MAX }, counts));
            columns.iter_mut().zip(kinds).for_each(|(all, kind)| all.meet(&kind));
        }
        Ok(Survey { answer: self.clone(), sections: is_mapped.then_some(sections), shares: counted, columns })
    }

    /// For each stock number its place among `stocks`, `u32::MAX` for all others.
    fn local(&self, stocks: &[u32]) -> Result<Vec<u32>> {
        let version = &self.store.version;
        let mut places = vec![u32::MAX; version.ranks()?.len()];
        for (place, &stock) in stocks.iter().enumerate() {
            let unknown = || version.catalog.structure("its stock order names unknown stocks");
            *places.get_mut(stock as usize).ok_or_else(unknown)? = place as u32;
        }
        Ok(places)
    }

    /// Adds the rows of a piece, the only one of `part`, to those of each stock; `local` says where a stock stands among
    /// those that are counted.
    fn count(&self, part: &Section, piece: &Piece, local: &[u32], counts: &mut [usize]) -> Result<()> {
        let chosen = self.rows(part)?;
        piece.check_code_once()?;
        for (row, &number) in piece.raw_stock_numbers()?.iter().enumerate() {
            let place = *local.get(number as usize).ok_or_else(|| piece.unknown_stocks())?;
            if let Some(count) = counts.get_mut(place as usize) {
                *count += usize::from(chosen.as_ref().is_none_or(|chosen| chosen.value(row)));
            }
        }
        Ok(())
    }

    fn look(&self, piece: &Piece, kinds: &mut [Kind]) -> Result<()> {
        for (&index, kind) in self.columns.iter().zip(kinds) {
            kind.meet(&match piece.nulls(index)?.filter(|(nulls, _)| *nulls < piece.row_count()) {
                None => Kind { has_nulls: true, ..Kind::default() },
                Some((nulls, column)) => Kind {
                    stored: Some(column.stored),
                    has_nulls: nulls > 0,
                    is_converted: column.logical != *self.store.version.panel_type(index)?,
                },
            });
        }
        Ok(())
    }
}

impl Answer {
    /// The column at `index` of the panel as a matrix, of these of the dates asked for: all dates of the first stock, then
    /// those of the next. Null where there is no row.
    ///
    /// # Errors
    /// When the store is damaged, or memory does not suffice.
    pub(crate) fn across(&self, index: usize, dates: Range<usize>) -> Result<StoredColumn> {
        let version = &self.store.version;
        let (logical, ranks) = (version.panel_type(index)?, version.ranks()?);
        let (height, width) = (dates.len(), self.matrix_stocks()?.len());
        let columns = self.stocks.as_ref().map(|stocks| &*stocks.columns);
        let stored = natural_stored(logical);
        let mut fill = Fill::new(index, logical, Some(stored), true, height * width);
        // Nothing is there that is not put there.
        fill.validity = Some(MutableBuffer::from_len_zeroed((height * width).div_ceil(8)));
        let (mut rows, mut places) = (Vec::new(), Vec::new());
        for (at, date) in dates.enumerate() {
            for part in self.section(date)?.parts() {
                let Some(piece) = part.only_piece()? else { continue };
                let chosen = self.rows(&part)?;
                rows.clear();
                places.clear();
                piece.check_code_once()?;
                for (row, &number) in piece.raw_stock_numbers()?.iter().enumerate() {
                    let rank = *ranks.get(number as usize).ok_or_else(|| piece.unknown_stocks())? as usize;
                    if chosen.as_ref().is_some_and(|chosen| !chosen.value(row)) {
                        continue;
                    }
                    let column = columns.map_or(rank, |columns| columns[rank] as usize);
                    if column >= width {
                        return Err(piece.unknown_stocks());
                    }
                    rows.push(row as u32);
                    places.push((column * height + at) as u32);
                }
                if let (false, Some(validity)) = (rows.is_empty(), &mut fill.validity) {
                    places.iter().for_each(|&place| set_bit(validity, place as usize));
                    fill.add(piece, piece.raw(index)?, &rows, &places)?;
                    piece.check_columns(&[index])?;
                }
            }
        }
        fill.finish(version)
    }
}

impl Kind {
    fn meet(&mut self, other: &Kind) {
        self.stored = self.stored.max(other.stored);
        self.has_nulls |= other.has_nulls;
        self.is_converted |= other.is_converted;
    }

    /// How it is gathered: as wide as the widest, or as its type is where types differ.
    fn gathered(&self, logical: &DataType) -> Option<Stored> {
        match natural_stored(logical) {
            natural if self.is_converted => self.stored.map(|_| natural),
            _ => self.stored,
        }
    }
}

impl Survey {
    /// How many rows the stock at this place of those that were counted has.
    pub(crate) fn row_count(&self, place: usize) -> usize {
        self.shares.iter().map(|(_, counts)| counts[place]).sum()
    }

    /// All dates as stretches, and how many rows each stock has there.
    pub(crate) fn shares(&self) -> &[(Stretch, Vec<usize>)] {
        &self.shares
    }

    /// Bytes that a gathered row takes, about.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub(crate) fn row_len(&self) -> Result<usize> {
        // Its date, and until it is in place which row of a piece it is and where it belongs.
        let mut bits = 3 * u32::BITS as usize;
        for (kind, &index) in self.columns.iter().zip(&*self.answer.columns) {
            let stored = kind.gathered(self.answer.store.version.panel_type(index)?);
            bits += stored.map_or(0, |stored| stored.byte_len(8) as usize) + usize::from(kind.has_nulls);
        }
        Ok(bits.div_ceil(8))
    }

    /// All dates that were asked for.
    pub(crate) fn whole(&self) -> Stretch {
        Stretch { dates: 0..self.answer.places.len(), rows: 0..usize::MAX }
    }

    /// Stretches of the dates, one after the other, in which the stock of this number has at most so many rows, and how
    /// many it has. Looks for its rows in each section.
    ///
    /// # Errors
    /// When the store is damaged.
    pub(crate) fn stretches(&self, stock: u32, most: usize) -> Result<Vec<(Stretch, usize)>> {
        let rank = self.rank(Some(&stock))?;
        let (mut stretches, mut start, mut held) = (Vec::new(), 0, 0);
        for date in self.whole().dates {
            let mut count = 0;
            for part in self.section(date)?.parts() {
                let Some(piece) = part.only_piece()? else { continue };
                let rows = piece.rows_between(rank..rank + 1)?;
                let chosen = if rows.is_empty() { None } else { self.answer.rows(&part)? };
                count += chosen.map_or(rows.len(), |chosen| chosen.slice(rows.start, rows.len()).count_set_bits());
            }
            if held + count > most && held > 0 {
                stretches.push((Stretch { dates: start..date, rows: 0..usize::MAX }, held));
                (start, held) = (date, 0);
            }
            held += count;
            if held > most {
                let pieces = (0..count).step_by(most).map(|first| first..count.min(first + most));
                stretches
                    .extend(pieces.map(|rows| (Stretch { dates: date..date + 1, rows: rows.clone() }, rows.len())));
                (start, held) = (date + 1, 0);
            }
        }
        if held > 0 {
            stretches.push((Stretch { dates: start..self.answer.places.len(), rows: 0..usize::MAX }, held));
        }
        Ok(stretches)
    }

    /// Where stocks in the order of their codes stand in that of all.
    fn ranks_of(&self, stocks: &[u32]) -> Result<Range<u32>> {
        Ok(self.rank(stocks.first())?..self.rank(stocks.last())? + 1)
    }

    /// Where a stock stands in the order of codes; 0 for none.
    fn rank(&self, stock: Option<&u32>) -> Result<u32> {
        let version = &self.answer.store.version;
        let (ranks, unknown) = (version.ranks()?, || version.catalog.structure("its stock order names unknown stocks"));
        stock.map_or(Ok(0), |&stock| ranks.get(stock as usize).copied().ok_or_else(unknown))
    }

    /// The rows of `stocks`, numbers in the order of their codes, in a stretch of the dates; `counts` says how many each
    /// has there.
    ///
    /// # Errors
    /// When the store is damaged.
    pub(crate) fn gather(&self, stocks: &[u32], stretch: &Stretch, counts: &[usize]) -> Result<Gathered> {
        let version = &self.answer.store.version;
        let (wanted, local) = (self.ranks_of(stocks)?, self.answer.local(stocks)?);
        let mut starts = vec![0usize];
        starts.extend(counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        }));
        let row_count = starts[stocks.len()];
        let fill = |(kind, &index): (&Kind, &usize)| {
            let logical = version.panel_type(index)?;
            Ok(Fill::new(index, logical, kind.gathered(logical), kind.has_nulls, row_count))
        };
        let mut fills = self.columns.iter().zip(&*self.answer.columns).map(fill).collect::<Result<Vec<_>>>()?;
        let mut days = vec![0i32; row_count];
        let mut next = starts.clone();
        // Of files that are not mapped a piece at a time is read, and held until its rows are in place.
        let at_once = if self.sections.is_some() { DATES } else { 1 };
        // Rows of a stock that lie before those of the stretch.
        let mut before = stretch.rows.start;
        let dates = &stretch.dates;
        for dates in dates.clone().step_by(at_once).map(|first| first..dates.end.min(first + at_once)) {
            let sections = dates.clone().map(|date| self.section(date)).collect::<Result<Vec<_>>>()?;
            let mut picked = Vec::new();
            for (section, date) in sections.iter().zip(dates) {
                for part in section.parts() {
                    let Some(piece) = part.only_piece()? else { continue };
                    let (mut rows, mut places) = (Vec::new(), Vec::new());
                    let (numbers, between) = (piece.raw_stock_numbers()?, piece.rows_between(wanted.clone())?);
                    let chosen = if between.is_empty() { None } else { self.answer.rows(&part)? };
                    for row in between {
                        let number = numbers[row] as usize;
                        let place = *local.get(number).ok_or_else(|| piece.unknown_stocks())?;
                        if place == u32::MAX || chosen.as_ref().is_some_and(|chosen| !chosen.value(row)) {
                            continue;
                        }
                        if before > 0 {
                            before -= 1;
                            continue;
                        }
                        let at = &mut next[place as usize];
                        if *at >= starts[place as usize + 1] {
                            // The rest is of the next stretch.
                            if stretch.rows.end < usize::MAX {
                                break;
                            }
                            return Err(section.out_of_order());
                        }
                        days[*at] = date as i32;
                        rows.push(row as u32);
                        places.push(*at as u32);
                        *at += 1;
                    }
                    if !rows.is_empty() {
                        picked.push((piece.clone(), rows, places));
                    }
                    if self.sections.is_none() {
                        self.put(&mut fills, &std::mem::take(&mut picked))?;
                    }
                }
            }
            self.put(&mut fills, &picked)?;
        }
        // Sections that are out of order hide rows.
        if next[..stocks.len()] != starts[1..] {
            return Err(version.catalog.structure("sections have other rows than their codes say"));
        }
        let columns = fills.into_iter().map(|fill| fill.finish(version)).collect::<Result<_>>()?;
        Ok(Gathered { starts, dates: days, columns })
    }

    /// Puts the rows that were `picked` of pieces where they belong, one column after the other.
    fn put(&self, fills: &mut [Fill], picked: &[(Piece, Vec<u32>, Vec<u32>)]) -> Result<()> {
        for fill in fills {
            for (piece, rows, places) in picked {
                let raw = self.checked(piece, fill.index)?;
                fill.add(piece, raw, rows, places)?;
            }
        }
        Ok(())
    }

    fn section(&self, date: usize) -> Result<std::borrow::Cow<'_, Section>> {
        match &self.sections {
            Some(sections) => Ok(std::borrow::Cow::Borrowed(&sections[date])),
            None => self.answer.section(date).map(std::borrow::Cow::Owned),
        }
    }

    /// The bytes of a column, whose checksum is compared: once of a map, each time of what was read for the purpose.
    fn checked<'p>(&self, piece: &'p Piece, index: usize) -> Result<Option<RawColumn<'p>>> {
        if self.sections.is_some() {
            return piece.checked_raw(index);
        }
        piece.check_columns(&[index])?;
        piece.raw(index)
    }
}

/// A column that is being gathered.
struct Fill<'a> {
    index: usize,
    logical: &'a DataType,
    stored: Option<Stored>,
    row_count: usize,
    values: MutableBuffer,
    /// `None` where every row has a value.
    validity: Option<MutableBuffer>,
}

impl<'a> Fill<'a> {
    fn new(index: usize, logical: &'a DataType, stored: Option<Stored>, has_nulls: bool, row_count: usize) -> Fill<'a> {
        let byte_len = stored.map_or(0, |stored| match stored {
            Stored::Bits => row_count.div_ceil(8),
            stored => row_count * stored.byte_len(1) as usize,
        });
        let validity = has_nulls.then(|| MutableBuffer::from_iter(std::iter::repeat_n(0xff_u8, row_count.div_ceil(8))));
        Fill { index, logical, stored, row_count, values: MutableBuffer::from_len_zeroed(byte_len), validity }
    }

    /// The column, whole.
    fn finish(self, version: &Version) -> Result<StoredColumn> {
        let Fill { index, logical, stored, row_count, values, validity } = self;
        let Some(stored) = stored else {
            return Ok(StoredColumn::new(new_null_array(logical, row_count), logical.clone()));
        };
        let column = SegmentColumn {
            column: 0,
            name: version.schema()?.columns[index].name.clone(),
            logical: logical.clone(),
            stored,
            dictionary: None,
        };
        let texts = if stored == Stored::Codes { version.dictionary(index + 2)? } else { None };
        let array = stored_array(&column, texts, row_count, validity.map(Into::into), values.into());
        let array = array.map_err(|damage| Error::Corrupt { path: version.root.join(SEGMENT_DIR), damage })?;
        Ok(StoredColumn::new(array, logical.clone()))
    }

    /// Puts the values of these rows of a piece, whose column this is as bytes, where they belong.
    fn add(&mut self, piece: &Piece, raw: Option<RawColumn<'_>>, rows: &[u32], places: &[u32]) -> Result<()> {
        let (Some(stored), Some(raw)) = (self.stored, raw.and_then(RawColumn::filled)) else {
            self.unset(places.iter().copied());
            return Ok(());
        };
        let span = rows[0] as usize..rows[rows.len() - 1] as usize + 1;
        if raw.stored == stored && (raw.logical == self.logical || stored == Stored::Codes) {
            if let Some(validity) = raw.validity.filter(|_| raw.null_count > 0) {
                let nulls = rows.iter().zip(places).filter(|(row, _)| !get_bit(validity, **row as usize));
                self.unset(nulls.map(|(_, place)| *place));
            }
            by_width!(
                stored,
                bits => self.put_bits(raw.values, rows, places, span),
                Width => put::<{ size_of::<Width>() }>(&mut self.values, raw.values, rows, places, span),
            );
            return Ok(());
        }
        if raw.logical == self.logical {
            // Narrower integers.
            let of = ColumnRows { stored: raw.stored, values: raw.values, validity: raw.validity, codes: None };
            let integers = of.integers(span.clone(), self.logical.is_signed_integer());
            let is_null = |row: usize| raw.null_count > 0 && !of.is_valid(row);
            let nulls = rows.iter().zip(places).filter(|(row, _)| is_null(**row as usize));
            self.unset(nulls.map(|(_, place)| *place));
            let width = stored.byte_len(1) as usize;
            for (&row, &place) in rows.iter().zip(places) {
                let bytes = integers[row as usize - span.start].to_le_bytes();
                self.values[place as usize * width..][..width].copy_from_slice(&bytes[..width]);
            }
            return Ok(());
        }
        let array = piece.column_as(self.index, self.logical, span.clone())?;
        self.add_array(&array, stored, rows, places, span.start)
    }

    /// Puts values in the panel's type, of rows from `first` on, where they belong.
    fn add_array(
        &mut self,
        array: &ArrayRef,
        stored: Stored,
        rows: &[u32],
        places: &[u32],
        first: usize,
    ) -> Result<()> {
        let nulls = rows.iter().zip(places).filter(|(row, _)| array.is_null(**row as usize - first));
        self.unset(nulls.map(|(_, place)| *place));
        let width = stored.byte_len(1) as usize;
        match array.as_boolean_opt() {
            Some(bits) => {
                let set = rows.iter().zip(places).filter(|(row, _)| {
                    let row = **row as usize - first;
                    bits.is_valid(row) && bits.value(row)
                });
                set.for_each(|(_, place)| set_bit(&mut self.values, *place as usize));
            }
            None => {
                let bytes = fixed_bytes(array)?;
                for (&row, &place) in rows.iter().zip(places) {
                    let row = row as usize - first;
                    if array.is_valid(row) {
                        let value = &bytes[row * width..(row + 1) * width];
                        self.values[place as usize * width..][..width].copy_from_slice(value);
                    }
                }
            }
        }
        Ok(())
    }

    fn put_bits(&mut self, from: &[u8], rows: &[u32], places: &[u32], span: Range<usize>) {
        if rows.len() == span.len() {
            let set = BitIndexIterator::new(from, span.start, span.len());
            set.for_each(|at| set_bit(&mut self.values, places[at] as usize));
            return;
        }
        let set = rows.iter().zip(places).filter(|(row, _)| get_bit(from, **row as usize));
        set.for_each(|(_, place)| set_bit(&mut self.values, *place as usize));
    }

    /// Marks the rows at these places as null. The survey said that there may be some.
    fn unset(&mut self, places: impl Iterator<Item = u32>) {
        if let Some(validity) = &mut self.validity {
            places.for_each(|place| unset_bit(validity, place as usize));
        }
    }
}

/// Copies the values of `rows` to `places`. Whole stretches go without a look at each row's number.
fn put<const WIDTH: usize>(to: &mut [u8], from: &[u8], rows: &[u32], places: &[u32], span: Range<usize>) {
    let (to, from) = (to.as_chunks_mut::<WIDTH>().0, &from.as_chunks::<WIDTH>().0[span.clone()]);
    if rows.len() == span.len() {
        from.iter().zip(places).for_each(|(value, &place)| to[place as usize] = *value);
        return;
    }
    rows.iter().zip(places).for_each(|(&row, &place)| to[place as usize] = from[row as usize - span.start]);
}
