//! The files that a store has in some shape: what each is of, where it lies, and what it is made from.

use std::collections::HashMap;
use std::hash::Hasher;

use twox_hash::XxHash3_64;

use super::key::Key;
use super::plan::Plan;
use crate::error::{Error, Result};
use crate::sink::Partition;

/// One file that a store has.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// What it is of, as the ledger lists it.
    pub(super) key: String,
    /// Where it lies below the output directory.
    pub(super) path: String,
    /// When its rows last changed.
    pub(super) made: Made,
    pub(super) of: Of,
}

/// Which rows a file has.
#[derive(Debug, Clone)]
pub(super) enum Of {
    /// Those of these dates, places among the store's.
    Dates(Vec<usize>),
    /// Those of the stock of this number.
    Stock(u32),
    /// A row for each date, of the column at this place of the panel.
    Matrix(usize),
}

/// What a file is made from: equal for two, they have the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Made {
    /// When the version was made in which one of its sections last changed, in nanoseconds since 1970.
    pub(super) changed_ns: i64,
    /// Which sections it is made from, when each changed, and which stocks belong: a checksum; 0 for a file of one date to
    /// which all belong.
    pub(super) sections: u64,
}

impl Made {
    /// Of the sections of these dates.
    fn of(plan: &Plan, places: &[usize]) -> Result<Made> {
        let (store, mut hasher) = (plan.answer.store(), XxHash3_64::new());
        let dates = store.dates()?;
        let (mut changed_ns, mut has_members) = (i64::MIN, false);
        for &place in places {
            let changed = store.changed_ns(place)?;
            hasher.write_i32(dates[place].days());
            hasher.write_i64(changed);
            if let Some(members) = plan.answer.members_on(dates[place]) {
                hasher.write_u64(members);
                has_members = true;
            }
            changed_ns = changed_ns.max(changed);
        }
        let sections = if plan.by == Partition::Date && !has_members { 0 } else { hasher.finish() };
        Ok(Made { changed_ns, sections })
    }
}

/// All files that the store of `plan` has, in the order of their keys.
///
/// # Errors
/// When two would be one, or the catalog is damaged.
pub(super) fn units(plan: &Plan) -> Result<Vec<Unit>> {
    let mut units = match plan.by {
        Partition::Stock => of_stocks(plan)?,
        Partition::Matrix => of_columns(plan)?,
        _ => of_dates(plan)?,
    };
    units.sort_by(|a, b| a.key.cmp(&b.key));
    let mut paths: HashMap<&str, &Unit> = HashMap::with_capacity(units.len());
    for unit in &units {
        if let Some(other) = paths.insert(&unit.path, unit) {
            let (a, b) = (&other.key, &unit.key);
            let what = format!("{} would be the file of {a:?} and of {b:?}", unit.path);
            return Err(Error::refused(what, "give files names that tell them apart"));
        }
        let is_hidden = |name: &str| name.is_empty() || name.starts_with(['.', '_']);
        if unit.path.split('/').any(is_hidden) {
            let what = format!("readers of folders would not see {}, the file of {:?}", unit.path, unit.key);
            return Err(Error::refused(what, "give files names that begin with something else"));
        }
    }
    Ok(units)
}

fn of_dates(plan: &Plan) -> Result<Vec<Unit>> {
    let dates = plan.answer.store().dates()?;
    let key = |place: usize| Key::of_date(plan.by, dates[place]);
    let runs = plan.places.chunk_by(|&a, &b| plan.by != Partition::Date && key(a) == key(b));
    let unit = |places: &[usize]| {
        let key = key(places[0]);
        let made = Made::of(plan, places)?;
        Ok(Unit { path: plan.names.path(&key), key: key.to_string(), made, of: Of::Dates(places.to_vec()) })
    };
    runs.map(unit).collect()
}

fn of_stocks(plan: &Plan) -> Result<Vec<Unit>> {
    let store = plan.answer.store();
    let chosen = chosen_dates(plan)?;
    let unit = |code: &str| {
        let stock = store.stock(code)?;
        let key = Key::Stock(code.to_owned());
        let made = Made { changed_ns: store.stock_changed_ns(stock)?, sections: chosen };
        Ok(Unit { path: plan.names.path(&key), key: code.to_owned(), made, of: Of::Stock(stock.0) })
    };
    match &plan.stocks {
        Some(codes) => codes.iter().map(|code| unit(code)).collect(),
        None => store.stocks()?.into_iter().map(unit).collect(),
    }
}

/// A checksum of the dates that were chosen, and of the stocks that belong on each; 0 where all were and do. What a stock
/// has on them is another matter: the store knows when that changed.
fn chosen_dates(plan: &Plan) -> Result<u64> {
    let (dates, mut hasher) = (plan.answer.store().dates()?, XxHash3_64::new());
    let mut is_all = !plan.chooses_dates;
    for &place in &plan.places {
        hasher.write_i32(dates[place].days());
        if let Some(members) = plan.answer.members_on(dates[place]) {
            hasher.write_u64(members);
            is_all = false;
        }
    }
    Ok(if is_all { 0 } else { hasher.finish() })
}

fn of_columns(plan: &Plan) -> Result<Vec<Unit>> {
    let (panel, made) = (plan.answer.store().schema()?, Made::of(plan, &plan.places)?);
    let unit = |&index: &usize| {
        let key = Key::Column(panel.columns[index].name.clone());
        Unit { path: plan.names.path(&key), key: key.to_string(), made, of: Of::Matrix(index) }
    };
    Ok(plan.columns.iter().map(unit).collect())
}
