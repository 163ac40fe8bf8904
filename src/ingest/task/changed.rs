//! What differs on a band, and the receipt of it.

use std::ops::Range;

use super::plan::Plan;
use crate::error::Result;
use crate::format::RowCounts;
use crate::ingest::revise::changes::{Changes, NewUnit};
use crate::ingest::revise::revision::Revision;
use crate::key::Date;
use crate::staging::{Kind, Receipt, Receipts, changes_name, encode, json};
use crate::storage::Dir;
use crate::store::Store;

const STOCKS: usize = 1;
pub(super) const ROWS: usize = 2;

/// The receipt of what differs on a band.
///
/// # Errors
/// When it is nothing that JSON has.
pub(super) fn receipt_of(plan: &Plan, band: usize, changes: &Changes) -> Result<Vec<u8>> {
    let stocks: Vec<u32> = changes.rows_of.iter().map(|(stock, _)| *stock).collect();
    let rows: Vec<RowCounts> = changes.rows_of.iter().map(|(_, rows)| *rows).collect();
    let arrays = [&json(changes)?[..], bytemuck::cast_slice(&stocks), bytemuck::cast_slice(&rows)];
    Ok(encode(plan.whose(Kind::Changes, band), &arrays))
}

/// How many rows differ.
pub(super) fn row_count<'r>(rows: impl IntoIterator<Item = &'r RowCounts>) -> u64 {
    rows.into_iter().flat_map(RowCounts::all).fold(0, u64::saturating_add)
}

/// What differs on all bands.
///
/// # Errors
/// When a band was not compared yet, or its receipt is damaged.
pub(super) fn read_all(staging: &Dir, plan: &Plan, revision: &Revision) -> Result<Changes> {
    let mut all = Changes::none(revision.sealer.columns.len() - 2);
    let mut rows_of = vec![RowCounts::default(); revision.ranks().len()];
    let mut receipts = Receipts::new(staging, plan.receipt_limit());
    for band in 0..plan.band_count() {
        let receipt = receipts.read(&changes_name(band), plan.whose(Kind::Changes, band))?;
        let changes = of(&receipt, revision, plan, band)?;
        for (stock, rows) in &changes.rows_of {
            let wrong = || receipt.damaged("it counts rows of stocks that there are not");
            rows_of.get_mut(*stock as usize).ok_or_else(wrong)?.add(rows);
        }
        all.extend(changes);
    }
    let rows = (0..).zip(rows_of).filter(|(_, rows)| *rows != RowCounts::default());
    all.rows_of = rows.collect();
    Ok(all)
}

/// What a receipt says, which must fit the version before.
fn of(receipt: &Receipt, revision: &Revision, plan: &Plan, band: usize) -> Result<Changes> {
    let stocks = receipt.array::<u32>(STOCKS)?.iter().copied();
    let rows_of = stocks.zip(receipt.array::<RowCounts>(ROWS)?.iter().copied()).collect();
    let changes = Changes { rows_of, ..receipt.json(0)? };
    let wrong = || receipt.damaged("what differs is not of this store");
    let others: Vec<usize> = (0..revision.source_count).filter(|place| *place != revision.place).collect();
    let stocks = revision.ranks().len();
    let all_stocks = changes.stocks.iter().chain(changes.left_stocks.iter());
    let are_stocks = all_stocks.max().is_none_or(|last| (last as usize) < stocks);
    let is_own = |date: Date| plan.band_of(date) == band && revision.dates.binary_search(&date).is_ok();
    let ascend = changes.dirty.is_sorted_by(|a, b| a.date < b.date);
    if !(changes.are_possible(revision.sealer.columns.len() - 2) && are_stocks && ascend) {
        return Err(wrong());
    }
    for dirty in &changes.dirty {
        let (whole, own) = (piece_count(revision.whole, dirty.date)?, piece_count(revision.before, dirty.date)?);
        let fits = |NewUnit { unit, now }: &NewUnit| {
            is_within(&unit.pieces, whole)
                && is_within(&unit.own, own)
                && is_within(&unit.ranks, stocks as u32)
                && now.as_ref().is_none_or(|now| now.is_whole(&others))
        };
        if !(is_own(dirty.date) && dirty.units.iter().all(fits)) {
            return Err(wrong());
        }
    }
    Ok(changes)
}

fn is_within<T: PartialOrd>(range: &Range<T>, end: T) -> bool {
    range.start <= range.end && range.end <= end
}

/// How many pieces a store has of a date.
fn piece_count(store: &Store, date: Date) -> Result<usize> {
    match store.dates()?.binary_search(&date) {
        Ok(index) => Ok(store.section_at(index)?.piece_numbers().count()),
        Err(_) => Ok(0),
    }
}
