//! Files of an output directory that no ledger lists: which of them are transect's all the same.
//!
//! A ledger gets lost where a directory is copied without its hidden files. A file that is byte for byte what the store
//! has for it, in this version or in one that is still kept, is the store's own; any other is somebody else's.

use super::encode::encode;
use super::ledger::LedgerFile;
use super::plan::Plan;
use super::rows::for_each_file;
use super::shape::Shape;
use super::unit::{Unit, units};
use super::work::{Check, Claims, Work, place_of};
use crate::error::Result;
use crate::sink::{Encoder, OldFile, Scratch};
use crate::storage::Found;
use crate::store::{Store, Universe};

/// Looks at the files at `places` that `work` does not own. Costs a look for each, and for each that is there reading
/// it, and encoding it in every version that is kept until one matches.
///
/// # Errors
/// When the store is damaged, or a file cannot be read.
pub(super) fn claims(
    check: &Check<'_>,
    plan: &Plan,
    (shape, universe): (&Shape, Option<&Universe>),
    encoder: &Encoder,
    work: &Work,
    places: &[usize],
) -> Result<Claims> {
    let found = check.workers.try_map(places.len(), |at| {
        let path = &check.units[places[at]].path;
        match work.owns(path) {
            true => Ok(None),
            false => check.out.look_below(path),
        }
    })?;
    let found = places.iter().zip(found).filter_map(|(&place, found)| Some((place, found?)));
    let (files, others): (Vec<(usize, Found)>, Vec<_>) = found.partition(|(_, found)| found.is_file());
    let mut claims = Claims { foreign: others.into_iter().map(|(place, _)| place).collect(), ..Claims::default() };

    let store = plan.answer.store();
    let here: Vec<&Unit> = files.iter().map(|&(place, _)| &check.units[place]).collect();
    let mut rest = Vec::new();
    for (record, file) in same(check, plan, encoder, &here)?.into_iter().zip(files) {
        match record {
            Some(record) => claims.current.push((file.0, record)),
            None => rest.push(file.0),
        }
    }
    // Other versions are asked only where there is something to ask them of.
    let versions = if rest.is_empty() { Vec::new() } else { store.kept_versions().unwrap_or_default() };
    for version in versions.into_iter().rev().filter(|&version| version != store.version()) {
        // One that cannot be opened proves nothing, and stands in nobody's way.
        let Ok((plan, units, encoder)) = maker(store, version, shape, universe) else { continue };
        let there: Vec<(usize, &Unit)> = rest
            .iter()
            .filter_map(|&place| Some((place, &units[place_of(&units, &check.units[place].key)?])))
            .filter(|(place, unit)| unit.path == check.units[*place].path)
            .collect();
        let asked: Vec<&Unit> = there.iter().map(|&(_, unit)| unit).collect();
        let Ok(same) = same(check, &plan, &encoder, &asked) else { continue };
        for (record, (place, _)) in same.into_iter().zip(there) {
            if let Some(record) = record {
                claims.older.push((place, record));
                rest.retain(|&other| other != place);
            }
        }
    }
    claims.foreign.extend(rest);
    claims.foreign.sort_unstable();
    claims.older.sort_unstable_by_key(|&(place, _)| place);
    Ok(claims)
}

/// Another version of `store`, and how its files are made.
fn maker(
    store: &Store,
    version: u64,
    shape: &Shape,
    universe: Option<&Universe>,
) -> Result<(Plan, Vec<Unit>, Encoder)> {
    let plan = Plan::new(&Store::open_version(store.path(), version)?, &shape.passing_over(true), universe)?;
    let (units, encoder) = (units(&plan)?, Encoder::new(plan.schema.clone(), shape.format, shape.compression)?);
    Ok((plan, units, encoder))
}

/// For each of `units` the record of the file at its path, if it has the bytes that `plan` makes.
fn same(check: &Check<'_>, plan: &Plan, encoder: &Encoder, units: &[&Unit]) -> Result<Vec<Option<LedgerFile>>> {
    for_each_file(plan, units, check.workers, check.observer, Scratch::default, |scratch, at, rows| {
        let Unit { path, made, .. } = units[at];
        let Some(file) = check.out.open_file(path)? else { return Ok(None) };
        let mut compared = OldFile::new(file, check.out.path().join(path));
        let rows = encode(rows, encoder, scratch, &mut |bytes| compared.compare(bytes))?;
        Ok(compared.finish()?.filter(|_| rows > 0).map(|written| LedgerFile::new(*made, rows, written)))
    })
}
