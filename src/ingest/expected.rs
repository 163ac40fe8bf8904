//! The date that an update is to bring, and how many stocks are to have it.

use std::collections::{BTreeSet, HashMap};

use arrow_array::cast::AsArray;

use super::guard::{EXAMPLES, Guard, Guards};
use super::limit::Limit;
use super::revise::revision::{Aligned, Revision};
use crate::compare::Origin;
use crate::error::Result;
use crate::key::Date;
use crate::store::{Snapshot, Store};

/// What an update is to bring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) date: Date,
    /// How many stocks are to have it at least, of those that have the date before.
    pub(super) least: Limit,
}

/// Codes.
pub(super) type Codes = BTreeSet<String>;

/// The codes that `store` has on `date`.
///
/// # Errors
/// When it is damaged.
pub(super) fn codes_on(store: &Store, date: Date) -> Result<Codes> {
    Ok(store.codes_on(date)?.into_iter().map(str::to_owned).collect())
}

impl Revision<'_> {
    /// The codes that the source brings on `date` once the revision, which makes `snapshot`, is published; none where it
    /// brings no row that others lack.
    ///
    /// # Errors
    /// When the version before is damaged.
    pub(super) fn codes_on(&self, date: Date, snapshot: &Snapshot) -> Result<Codes> {
        if self.outer.is_some() {
            return Ok(Codes::new());
        }
        if self.dates.binary_search(&date).is_err() {
            return codes_on(self.before, date);
        }
        let (section, known) = (self.section_before(date)?, snapshot.dictionaries[0].as_string::<i32>());
        let mut walk = self.sealer.gathering.walk(date);
        let mut codes = Codes::new();
        for unit in self.units(date, section.as_ref(), &mut walk)? {
            let Aligned { before, alignment } = self.aligned(date, &unit, &mut walk)?;
            for run in &alignment.runs {
                let stocks: Vec<u32> = match (run.origin, &before) {
                    (Origin::Block(block), _) => self.sealer.gathering.stocks(block, run.rows.clone()).collect(),
                    (Origin::Before, Some(before)) => before.stock_numbers()[run.rows.clone()].to_vec(),
                    (Origin::Before, None) => Vec::new(),
                };
                codes.extend(stocks.into_iter().map(|stock| known.value(stock as usize).to_owned()));
            }
        }
        Ok(codes)
    }
}

fn have(stocks: u64) -> String {
    if stocks == 1 { "1 stock has".to_owned() } else { format!("{stocks} stocks have") }
}

/// Notes where the date is not there, or too few stocks have it. `changed` are the codes that sources which changed, by
/// place, have on it; the others of `live` have what they had.
///
/// # Errors
/// When the store is damaged.
pub(super) fn guard_expected(
    Expected { date, least }: Expected,
    live: &Store,
    changed: HashMap<usize, Codes>,
    guards: &mut Guards,
) -> Result<()> {
    let mut codes = Codes::new();
    for place in (0..live.source_names()?.len()).filter(|place| !changed.contains_key(place)) {
        codes.extend(codes_on(&live.of_source(place), date)?);
    }
    changed.into_values().for_each(|own| codes.extend(own));
    let dates = live.dates()?;
    let day_before = dates[..dates.partition_point(|&known| known < date)].last();
    let before = day_before.map_or(Ok(Codes::new()), |&day| codes_on(live, day))?;
    let (count, all) = (codes.len() as u64, before.len() as u64);
    if count > 0 && least.is_reached(count, all) {
        return Ok(());
    }
    let what = match (count, day_before) {
        (0, Some(day)) => format!("{date} is not there; {} {day}", have(all)),
        (0, None) => format!("{date} is not there"),
        (_, Some(day)) => {
            format!("{} {date}, and {} {day}; at least {least} should have it", have(count), have(all))
        }
        (_, None) => format!("{} {date}; at least {least} should have it", have(count)),
    };
    let examples = if count == 0 { Vec::new() } else { before.difference(&codes).take(EXAMPLES).cloned().collect() };
    guards.meet(Guard::ExpectedDate, (count, all), what, examples);
    Ok(())
}
