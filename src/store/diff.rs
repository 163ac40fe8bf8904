//! What changed between two versions of a store, date by date and value by value.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, UInt32Array, new_null_array};
use arrow_buffer::BooleanBuffer;
use arrow_cast::{can_cast_types, cast};
use arrow_schema::DataType;
use arrow_select::take::take;

use super::column::StoredColumn;
use super::compare::differing_rows;
use super::differences::{ColumnDiff, GroupDiff, SectionDiff, ValueChange, joined};
use super::section::Section;
use super::shared_columns::{SharedColumn, shared_columns};
use super::view::Store;
use crate::compare::{KeyOrder, groups};
use crate::error::{Error, Result};
use crate::format::{SectionRecord, Table};
use crate::key::Date;

/// The difference between two versions of a store: see [`Store::diff`].
///
/// A row is *added* or *removed* where only one version has its key, *restated* where both have it with other values,
/// *filled* where nothing differs but first values: of columns that the older version lacks, or of a source that had no
/// such row in it. Values that are gone with their column restate no row; those that are null since their source has the
/// row no longer do. Values are compared bit by bit: null, NaN and its payload, and the sign of zero count. A column
/// that one version lacks is null there. Values of a column whose type changed are compared in the newer type; those that
/// it cannot hold exactly differ.
#[derive(Debug, Clone)]
pub struct Diff {
    pub(super) older: Store,
    pub(super) newer: Store,
    /// Whether the older version is another one.
    pub(super) has_older: bool,
    pub(super) columns: Arc<[DiffColumn]>,
    pub(super) dates: Arc<[Dated]>,
    /// For each stock number, the place of its code among the codes of both versions.
    older_ranks: Arc<[u32]>,
    newer_ranks: Arc<[u32]>,
    pub(super) codes: Arc<[Arc<str>]>,
    /// For each of them, whether it is asked for; all are by default.
    pub(super) chosen: Option<Arc<[bool]>>,
    /// Whether dates, stocks or columns are chosen.
    pub(super) is_narrowed: bool,
}

/// A column that one of two versions has, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffColumn {
    /// Its name.
    pub name: String,
    /// Its logical type in the older version, if that has it.
    pub older: Option<DataType>,
    /// Its logical type in the newer version, if that has it.
    pub newer: Option<DataType>,
    pub(crate) older_index: Option<usize>,
    pub(crate) newer_index: Option<usize>,
}

/// A date whose sections may differ, and where each version has its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dated {
    pub(super) date: Date,
    older: Option<usize>,
    newer: Option<usize>,
}

impl Store {
    /// What changed from `older`, another version of this store, to this one. Costs a look at each version's index of
    /// dates and at the codes: sections that no version between changed are not compared, and the others only when they
    /// are asked for.
    ///
    /// # Errors
    /// [`Error::Refused`] for a version of another store; [`Error::Corrupt`] when a catalog is damaged.
    pub fn diff(&self, older: &Store) -> Result<Diff> {
        if self.id() != older.id() {
            let (newer, older) = (self.path().display(), older.path().display());
            let what = format!("{older} and {newer} are no versions of one store");
            return Err(Error::refused(what, "name one store and two of its versions"));
        }
        let (codes, [older_ranks, newer_ranks]) = shared_codes(older, self)?;
        Ok(Diff {
            older: older.clone(),
            newer: self.clone(),
            has_older: true,
            columns: diff_columns(older, self)?.into(),
            dates: dates_that_may_differ(older, self)?.into(),
            older_ranks: older_ranks.into(),
            newer_ranks: newer_ranks.into(),
            codes: codes.into_iter().map(Arc::from).collect(),
            chosen: None,
            is_narrowed: false,
        })
    }

    /// What changed from the newest version before this one that is kept; nothing where none is.
    ///
    /// # Errors
    /// As [`diff`](Store::diff).
    pub fn diff_from_before(&self) -> Result<Diff> {
        match self.kept_versions()?.into_iter().rfind(|&version| version < self.version()) {
            Some(version) => self.diff(&self.other_version(version)?),
            None => Ok(Diff { has_older: false, ..self.diff(self)? }),
        }
    }
}

impl Diff {
    /// The columns of both versions but code and date: the newer version's in its order, then those that only the older
    /// one has.
    pub fn columns(&self) -> &[DiffColumn] {
        &self.columns
    }

    /// The dates on which the versions may differ, ascending: those of the sections that were written between.
    pub fn dates(&self) -> impl ExactSizeIterator<Item = Date> {
        self.dates.iter().map(|dated| dated.date)
    }

    /// What changed on the `index`-th of [`dates`](Diff::dates); `None` when nothing did. Reads both sections, and
    /// holds the values that differ.
    ///
    /// # Errors
    /// When a section is damaged.
    ///
    /// # Panics
    /// When there are not so many dates.
    pub fn section(&self, index: usize) -> Result<Option<SectionDiff>> {
        let dated = self.dates[index];
        let mut found: Vec<GroupDiff> = Vec::new();
        for (older, newer) in self.groups(dated)? {
            found.extend(self.group(&self.pair(older, newer)?)?);
        }
        match found.len() {
            0 => Ok(None),
            _ => joined(dated.date, found).map(Some),
        }
    }

    /// What changed in some pieces of a date; `None` when nothing did.
    fn group(&self, pair: &Pair) -> Result<Option<GroupDiff>> {
        let Compared { restated, filled, lost, columns } = self.compare(pair)?;
        let rows: Vec<usize> = (&(&restated | &filled) | &lost).set_indices().collect();
        if pair.added.is_empty() && pair.removed.is_empty() && rows.is_empty() {
            return Ok(None);
        }
        let mut row_of = vec![0; pair.both.len()];
        for (row, &place) in rows.iter().enumerate() {
            row_of[place] = row;
        }
        let values = |column: ComparedColumn| {
            let places: UInt32Array = column.differing.set_indices().map(|place| place as u32).collect();
            Ok(ColumnDiff {
                column: column.column,
                rows: column.differing.set_indices().map(|place| row_of[place]).collect(),
                changes: column.differing.set_indices().map(|place| column.change(place)).collect(),
                old: column.old.take(&places)?.logical()?,
                new: column.new.take(&places)?.logical()?,
            })
        };
        let changed: Vec<u32> = rows.iter().map(|&row| pair.both[row].1).collect();
        let code = |side: &Keys, row: u32| self.codes[side.ranks[row as usize] as usize].clone();
        let rows = |side: &Keys, rows: &[u32]| {
            let codes = rows.iter().map(|&row| code(side, row)).collect();
            Ok((codes, side.columns_at(rows)?))
        };
        Ok(Some(GroupDiff {
            added: rows(&pair.new, &pair.added)?,
            removed: rows(&pair.old, &pair.removed)?,
            changed: rows(&pair.new, &changed)?,
            columns: columns.into_iter().map(values).collect::<Result<_>>()?,
        }))
    }

    /// What changed on each date, ascending; holds one date at a time. Dates without a difference are left out.
    pub fn sections(&self) -> impl Iterator<Item = Result<SectionDiff>> {
        (0..self.dates.len()).filter_map(|index| self.section(index).transpose())
    }

    /// The first changes, `most` of them or somewhat more; holds a few pieces at a time.
    ///
    /// # Errors
    /// When a section is damaged.
    pub(crate) fn first_changes(&self, most: usize) -> Result<Vec<SectionDiff>> {
        let (mut found, mut count) = (Vec::new(), 0);
        for &dated in self.dates.iter() {
            for (older, newer) in self.groups(dated)? {
                if count >= most {
                    return Ok(found);
                }
                let Some(group) = self.group(&self.pair(older, newer)?)? else { continue };
                count += group.added.0.len() + group.removed.0.len() + group.changed.0.len();
                found.push(joined(dated.date, vec![group])?);
            }
        }
        Ok(found)
    }

    /// The parts of the older and of the newer section of a date that are compared with each other, one after the
    /// other.
    pub(super) fn groups(&self, dated: Dated) -> Result<Vec<(Option<Section>, Option<Section>)>> {
        let section = |store: &Store, index: Option<usize>| index.map(|index| store.section_at(index)).transpose();
        let (older, newer) = (section(&self.older, dated.older)?, section(&self.newer, dated.newer)?);
        let count = |section: &Option<Section>| section.as_ref().map_or(0, Section::piece_count);
        if count(&older) <= 1 && count(&newer) <= 1 {
            return Ok(vec![(older, newer)]);
        }
        let ends = |section: &Option<Section>, ranks| section.as_ref().map_or(Ok(Vec::new()), |s| s.ends(ranks));
        let (left, right) = (ends(&older, &self.older_ranks)?, ends(&newer, &self.newer_ranks)?);
        let part = |section: &Option<Section>, pieces: Range<usize>| {
            section.as_ref().filter(|_| !pieces.is_empty()).map(|section| section.part(pieces))
        };
        let groups = groups(&left, &right).into_iter();
        Ok(groups.map(|(left, right)| (part(&older, left), part(&newer, right))).collect())
    }

    /// The rows of two parts of sections, side by side.
    pub(super) fn pair(&self, older: Option<Section>, newer: Option<Section>) -> Result<Pair> {
        let old = self.keys(older.as_ref(), &self.older, &self.older_ranks)?;
        let new = self.keys(newer.as_ref(), &self.newer, &self.newer_ranks)?;
        let mut pair = Pair { older, newer, ..Pair::default() };
        let order = KeyOrder::new(&old.columns, &new.columns)?;
        let (mut i, mut j) = (0, 0);
        loop {
            let order = match (old.ranks.get(i), new.ranks.get(j)) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.cmp(b).then_with(|| order.compare(i, j)),
            };
            match order {
                Ordering::Less => pair.removed.push(i as u32),
                Ordering::Equal => pair.both.push((i as u32, j as u32)),
                Ordering::Greater => pair.added.push(j as u32),
            }
            i += usize::from(order.is_le());
            j += usize::from(order.is_ge());
        }
        if let Some(chosen) = &self.chosen {
            pair.added.retain(|&row| chosen[new.ranks[row as usize] as usize]);
            pair.removed.retain(|&row| chosen[old.ranks[row as usize] as usize]);
            pair.both.retain(|&(_, row)| chosen[new.ranks[row as usize] as usize]);
        }
        (pair.old, pair.new) = (old, new);
        Ok(pair)
    }

    /// The keys of a section of `store`, which has these ranks, in the newer version's types.
    fn keys(&self, section: Option<&Section>, store: &Store, ranks: &[u32]) -> Result<Keys> {
        let panel = self.newer.schema()?;
        let column = |&index: &usize| {
            let wanted = &panel.columns[index];
            match (section, store.schema()?.index_of(&wanted.name)) {
                (Some(section), Some(own)) => section.checked_column_as(own, &wanted.data_type, 0..section.row_count()),
                (section, _) => Ok(new_null_array(&wanted.data_type, section.map_or(0, Section::row_count))),
            }
        };
        let columns = panel.key.iter().map(column).collect::<Result<Vec<ArrayRef>>>()?;
        let ranks = section.map_or(Ok(Vec::new()), |section| ranks_of(section, ranks))?;
        let order = KeyOrder::new(&columns, &columns)?;
        let is_before = |row: usize| ranks[row - 1].cmp(&ranks[row]).then_with(|| order.compare(row - 1, row)).is_lt();
        match section {
            Some(section) if !(1..ranks.len()).all(is_before) => Err(section.out_of_order()),
            _ => Ok(Keys { ranks, columns }),
        }
    }

    /// Compares the rows that both versions have.
    pub(super) fn compare(&self, pair: &Pair) -> Result<Compared> {
        let none = BooleanBuffer::new_unset(pair.both.len());
        let mut compared = Compared { restated: none.clone(), filled: none.clone(), lost: none, columns: Vec::new() };
        let (Some(older), Some(newer)) = (&pair.older, &pair.newer) else { return Ok(compared) };
        let places = |row: fn(&(u32, u32)) -> u32| pair.both.iter().map(row).collect::<UInt32Array>();
        // Mostly no stock came or went, and nothing need be moved.
        let is_aligned = pair.both.len() == older.row_count() && pair.both.len() == newer.row_count();
        let places = (!is_aligned).then(|| (places(|pair| pair.0), places(|pair| pair.1)));
        let mut had = HashMap::new();
        for (column, DiffColumn { older_index, newer_index, .. }) in self.columns.iter().enumerate() {
            let side =
                |section: &Section, index: &Option<usize>| index.map(|index| section.column_at(index)).transpose();
            let (old, new) = match (side(older, older_index)?, side(newer, newer_index)?) {
                (Some(old), Some(new)) => (old, new),
                (Some(old), None) => (old.clone(), old.all_null(newer.row_count())),
                (None, Some(new)) => (new.all_null(older.row_count()), new),
                (None, None) => continue,
            };
            let (old, new) = match &places {
                Some((of_old, of_new)) => (old.take(of_old)?, new.take(of_new)?),
                None => (old, new),
            };
            let differing = differing(&old, &new)?;
            if differing.count_set_bits() == 0 {
                continue;
            }
            let is_gone = newer_index.is_none();
            let first = match older_index {
                _ if is_gone => BooleanBuffer::new_unset(differing.len()),
                None => differing.clone(),
                Some(index) => {
                    let had = self.rows_had(pair, older, *index, &mut had)?;
                    &differing & &!had
                }
            };
            match is_gone {
                true => compared.lost = &compared.lost | &differing,
                false => {
                    compared.filled = &compared.filled | &first;
                    compared.restated = &compared.restated | &(&differing & &!&first);
                }
            }
            compared.columns.push(ComparedColumn { column, differing, first, is_gone, old, new });
        }
        compared.filled = &compared.filled & &!&compared.restated;
        compared.lost = &compared.lost & &!&(&compared.restated | &compared.filled);
        Ok(compared)
    }

    /// Which of the rows that both versions have the source of a column had in the older one, where it lies at `index`.
    fn rows_had<'h>(
        &self,
        pair: &Pair,
        older: &Section,
        index: usize,
        had: &'h mut HashMap<Option<usize>, BooleanBuffer>,
    ) -> Result<&'h BooleanBuffer> {
        let owner = self.older.version.column_place(index)?.and_then(|(_, owner)| owner);
        Ok(match had.entry(owner) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(none) => none.insert(match owner {
                Some(place) => {
                    let rows = older.rows_of(place)?;
                    pair.both.iter().map(|&(row, _)| rows.value(row as usize)).collect()
                }
                None => BooleanBuffer::new_set(pair.both.len()),
            }),
        })
    }
}

/// The rows of one date in two versions, side by side.
#[derive(Default)]
pub(super) struct Pair {
    pub(super) older: Option<Section>,
    pub(super) newer: Option<Section>,
    /// Rows that both have: where each lies in the older section and in the newer one.
    pub(super) both: Vec<(u32, u32)>,
    /// Rows that only the newer section has.
    pub(super) added: Vec<u32>,
    /// Rows that only the older section has.
    pub(super) removed: Vec<u32>,
    pub(super) old: Keys,
    pub(super) new: Keys,
}

/// The keys of the rows of one section.
#[derive(Default)]
pub(super) struct Keys {
    /// The place of each row's code among those of both versions.
    pub(super) ranks: Vec<u32>,
    /// The further key columns.
    pub(super) columns: Vec<ArrayRef>,
}

impl Keys {
    /// The further key columns of these rows.
    pub(super) fn columns_at(&self, rows: &[u32]) -> Result<Vec<ArrayRef>> {
        let rows = UInt32Array::from(rows.to_vec());
        let columns = self.columns.iter().map(|column| take(column, &rows, None));
        columns.collect::<Result<_, _>>().map_err(Error::failed("choose keys"))
    }
}

/// What differs in the rows that both versions have, counted as [`Pair::both`].
pub(super) struct Compared {
    pub(super) restated: BooleanBuffer,
    /// Rows of which nothing is restated, with first values.
    pub(super) filled: BooleanBuffer,
    /// Rows that differ in columns alone that the newer version lacks.
    pub(super) lost: BooleanBuffer,
    /// Those in which anything differs.
    pub(super) columns: Vec<ComparedColumn>,
}

pub(super) struct ComparedColumn {
    pub(super) column: usize,
    pub(super) differing: BooleanBuffer,
    /// Those that are first values.
    first: BooleanBuffer,
    /// Whether the newer version lacks the column.
    is_gone: bool,
    pub(super) old: StoredColumn,
    pub(super) new: StoredColumn,
}

impl ComparedColumn {
    /// What became of a value that differs.
    fn change(&self, place: usize) -> ValueChange {
        match self.first.value(place) {
            _ if self.is_gone => ValueChange::Lost,
            true => ValueChange::Filled,
            false => ValueChange::Restated,
        }
    }

    /// The values that differ where both versions have the column, and the older one knew the row's values.
    pub(super) fn restated(&self) -> BooleanBuffer {
        match self.is_gone {
            true => BooleanBuffer::new_unset(self.differing.len()),
            false => &self.differing & &!&self.first,
        }
    }

    /// How many are first values.
    pub(super) fn filled_count(&self) -> u64 {
        self.first.count_set_bits() as u64
    }
}

/// The rows in which two columns of one length differ by a bit.
fn differing(old: &StoredColumn, new: &StoredColumn) -> Result<BooleanBuffer> {
    let compare = |a: &ArrayRef, b: &ArrayRef| differing_rows(a, b).map_err(Error::failed("compare two columns"));
    match (old.logical_type(), new.logical_type()) {
        (a, b) if a == b && old.stored().data_type() == new.stored().data_type() => compare(old.stored(), new.stored()),
        (a, b) if a == b => compare(&old.logical()?, &new.logical()?),
        (DataType::Null, data_type) => compare(&new_null_array(data_type, new.stored().len()), &new.logical()?),
        (data_type, DataType::Null) => compare(&old.logical()?, &new_null_array(data_type, old.stored().len())),
        (a, b) => {
            let old = old.logical()?;
            let there_and_back = try_cast(&old, b).and_then(|there| Some((try_cast(&there, a)?, there)));
            match there_and_back {
                Some((back, there)) => Ok(&compare(&there, &new.logical()?)? | &compare(&old, &back)?),
                // Types that have nothing in common: only nulls are the same.
                None => {
                    let new = new.logical()?;
                    let valid = |array: &ArrayRef| {
                        array.nulls().map_or_else(|| BooleanBuffer::new_set(array.len()), |nulls| nulls.inner().clone())
                    };
                    Ok(&valid(&old) | &valid(&new))
                }
            }
        }
    }
}

/// `array` as `data_type`, null where a value has no counterpart; `None` where no value has.
fn try_cast(array: &ArrayRef, data_type: &DataType) -> Option<ArrayRef> {
    if can_cast_types(array.data_type(), data_type) { cast(array, data_type).ok() } else { None }
}

/// The codes of two versions in order, and by stock number the place of each version's codes among them.
fn shared_codes<'a>(older: &'a Store, newer: &'a Store) -> Result<(Vec<&'a str>, [Vec<u32>; 2])> {
    let stocks = [older.stocks()?, newer.stocks()?];
    let mut codes = stocks.concat();
    // Two ascending runs, which this merges.
    codes.sort();
    codes.dedup();
    let ranks = |store: &Store, stocks: &[&str]| -> Result<Vec<u32>> {
        let order: &[u32] = store.version.catalog.table(Table::StockOrder)?;
        let mut ranks = vec![0; store.version.codes()?.len()];
        let mut place = 0;
        for (code, &stock) in stocks.iter().zip(order) {
            place += codes[place..].iter().take_while(|other| *other < code).count();
            if codes.get(place) != Some(code) {
                return Err(store.version.catalog.structure("its stocks are out of order"));
            }
            ranks[stock as usize] = place as u32;
        }
        Ok(ranks)
    };
    let ranks = [ranks(older, &stocks[0])?, ranks(newer, &stocks[1])?];
    Ok((codes, ranks))
}

/// The columns of both versions.
fn diff_columns(older: &Store, newer: &Store) -> Result<Vec<DiffColumn>> {
    let (old, new) = (older.known_columns()?, newer.known_columns()?);
    let column = |shared: SharedColumn| {
        let (older, newer) = (shared.older.map(|index| &old[index]), shared.newer.map(|index| &new[index]));
        DiffColumn {
            name: newer.or(older).map_or_else(String::new, |column| column.name.to_owned()),
            older: older.map(|column| column.data_type.clone()),
            newer: newer.map(|column| column.data_type.clone()),
            older_index: shared.older,
            newer_index: shared.newer,
        }
    };
    Ok(shared_columns(&old, &new).into_iter().map(column).collect())
}

/// The dates that only one version has, and those of sections that were written between.
fn dates_that_may_differ(older: &Store, newer: &Store) -> Result<Vec<Dated>> {
    let sections = |store: &'_ Store| -> Result<Vec<(Date, u64)>> {
        let records: &[SectionRecord] = store.version.catalog.table(Table::Sections)?;
        let dates = store.dates()?;
        if records.len() != dates.len() {
            return Err(store.version.catalog.structure("it does not have one section for each date"));
        }
        Ok(dates.iter().copied().zip(records.iter().map(|record| record.changed)).collect())
    };
    let (old, new) = (sections(older)?, sections(newer)?);
    let (mut i, mut j) = (0, 0);
    let mut dates = Vec::new();
    loop {
        let order = match (old.get(i), new.get(j)) {
            (None, None) => return Ok(dates),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        match order {
            Ordering::Less => dates.push(Dated { date: old[i].0, older: Some(i), newer: None }),
            Ordering::Greater => dates.push(Dated { date: new[j].0, older: None, newer: Some(j) }),
            Ordering::Equal if old[i].1 != new[j].1 => {
                dates.push(Dated { date: new[j].0, older: Some(i), newer: Some(j) });
            }
            Ordering::Equal => {}
        }
        i += usize::from(order.is_le());
        j += usize::from(order.is_ge());
    }
}

/// The places of the codes of a section's rows.
fn ranks_of(section: &Section, ranks: &[u32]) -> Result<Vec<u32>> {
    let rank = |&stock: &u32| ranks.get(stock as usize).copied();
    let ranks: Option<Vec<u32>> = section.stock_numbers()?.iter().map(rank).collect();
    ranks.ok_or_else(|| section.unknown_stocks())
}
