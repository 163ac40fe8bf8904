//! The date that an update is to bring, and how many stocks are to have it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use arrow_array::cast::AsArray;

use super::guard::{EXAMPLES, Guard, Guards};
use super::join::Join;
use super::limit::Limit;
use super::revise::revision::{Aligned, Revision};
use super::settings::Settings;
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

/// What an update brings.
pub(super) struct Brought<'a> {
    /// The sources that it looks at, by place.
    pub(super) updated: &'a [usize],
    /// Whether it names them.
    pub(super) are_named: bool,
    /// Which codes those of them that change then have on the date.
    pub(super) codes: HashMap<usize, Codes>,
    /// Whether none sees what another brings.
    pub(super) is_dry: bool,
}

/// Dates that say which stocks a source has.
const RECENT: usize = 20;

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
    /// The codes that the source has on `date` once the revision, which makes `snapshot`, is published.
    ///
    /// # Errors
    /// When the version before is damaged.
    pub(super) fn codes_on(&self, date: Date, snapshot: &Snapshot) -> Result<Codes> {
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

/// Notes where the date is not there, or too few stocks have it: of all sources of `live` together, or of one that is
/// updated and was up to date.
///
/// # Errors
/// When the store is damaged.
pub(super) fn guard_expected(
    expected: Expected,
    live: &Store,
    Brought { updated, are_named, mut codes, is_dry }: Brought<'_>,
    guards: &mut Guards,
) -> Result<()> {
    let names = live.source_names()?;
    for place in 0..names.len() {
        if let Entry::Vacant(unchanged) = codes.entry(place) {
            unchanged.insert(codes_on(&live.of_source(place), expected.date)?);
        }
    }
    let together: Codes = codes.values().flatten().cloned().collect();
    let dates = live.dates()?;
    let day_before = dates[..dates.partition_point(|&known| known < expected.date)].last().copied();
    let before = day_before.map_or(Ok(Codes::new()), |day| codes_on(live, day))?;
    if let Some((count, what, examples)) = lack(expected, &together, (day_before, &before)) {
        guards.meet(Guard::ExpectedDate, (count, before.len() as u64), what, examples);
        return Ok(());
    }
    // So many stocks are asked of the panel; of a source, what is usual of it.
    let least = match expected.least {
        Limit::Count(_) => Limit::Percent(0.0),
        share => share,
    };
    let Some(day) = day_before.filter(|_| names.len() > 1) else { return Ok(()) };
    // One that is named may follow others, which have the date already.
    let since = if are_named { Some(day) } else { dates.last().copied() };
    for &place in updated {
        let Some(before) = of_every_date(live, place, (day, since), is_dry)? else { continue };
        if let Some((count, what, examples)) =
            lack(Expected { least, ..expected }, &codes[&place], (day_before, &before))
        {
            let numbers = (count, before.len() as u64);
            guards.meet_of(names[place], Guard::ExpectedDate, numbers, what, examples);
        }
    }
    Ok(())
}

/// How many of `codes` have the date, and in words that this is too few beside those that have the date before.
fn lack(
    Expected { date, least }: Expected,
    codes: &Codes,
    (day_before, before): (Option<Date>, &Codes),
) -> Option<(u64, String, Vec<String>)> {
    let (count, all) = (codes.len() as u64, before.len() as u64);
    if count > 0 && least.is_reached(count, all) {
        return None;
    }
    let what = match (count, day_before) {
        (0, Some(day)) => format!("{date} is not there; {} {day}", have(all)),
        (0, None) => format!("{date} is not there"),
        (_, Some(day)) => {
            format!("{} {date}, and {} {day}; at least {least} should have it", have(count), have(all))
        }
        (_, None) => format!("{} {date}; at least {least} should have it", have(count)),
    };
    let examples = if count == 0 { Vec::new() } else { before.difference(codes).take(EXAMPLES).cloned().collect() };
    Some((count, what, examples))
}

/// The codes of a source on `day`, where its files bring most of its stocks on every date, and it was not behind but
/// had dates up to `since`: not one of the days on which companies report, nor one that always comes a day later, nor
/// one that has stayed away.
fn of_every_date(
    live: &Store,
    place: usize,
    (day, since): (Date, Option<Date>),
    is_dry: bool,
) -> Result<Option<Codes>> {
    let own = live.of_source(place);
    let (dates, settings) = (own.dates()?, Settings::of(&own)?);
    // Which keys the others bring, of which one that joins left has rows, a dry run does not know.
    let is_known = settings.source.is_some() && !(is_dry && settings.join == Join::Left);
    if dates.last().copied() < since || !is_known {
        return Ok(None);
    }
    let before = codes_on(&own, day)?;
    let mut recent = Codes::new();
    for &date in dates.iter().rev().skip_while(|&&date| date > day).take(RECENT) {
        recent.extend(codes_on(&own, date)?);
    }
    Ok((!before.is_empty() && before.len() * 2 >= recent.len()).then_some(before))
}
