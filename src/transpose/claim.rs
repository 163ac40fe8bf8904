//! Files of an output directory that no ledger lists: which of them are transect's all the same.
//!
//! A ledger gets lost where a directory is copied without its hidden files. A file that is byte for byte what the store
//! has for its date, in this version or in one that is still kept, is the store's own; any other is somebody else's.

use std::sync::OnceLock;

use super::encode::encode_section;
use super::ledger::{LedgerFile, read_file};
use super::plan::Plan;
use super::shape::Shape;
use super::work::{Check, Claims, Work};
use crate::error::Result;
use crate::format::checksum;
use crate::key::Date;
use crate::sink::{Encoder, Scratch};
use crate::store::Store;

/// What a file is.
enum Claim {
    Current(LedgerFile),
    Older(LedgerFile),
    Foreign,
}

/// One version, and how its files are made.
struct Maker {
    store: Store,
    plan: Plan,
    encoder: Encoder,
}

/// Looks at the files of the dates at `places` that `work` does not own. Costs a look for each, and for each that
/// is there reading it, and encoding its section in every version that is kept until one matches.
///
/// # Errors
/// When the store is damaged, or a file cannot be read.
pub(super) fn claims(
    check: &Check<'_>,
    shape: &Shape,
    encoder: &Encoder,
    work: &Work,
    places: &[usize],
) -> Result<Claims> {
    let dates = check.store.dates()?;
    let others: OnceLock<Vec<Maker>> = OnceLock::new();
    let judged = check.workers.try_map_with(places.len(), Scratch::default, |scratch, at| {
        let (index, path) = (places[at], check.plan.names.path(dates[places[at]]));
        if work.owns(&path) {
            return Ok(None);
        }
        let Some(found) = check.out.look_below(&path)? else { return Ok(None) };
        let bytes = if found.is_file() { read_file(check.out, &path)? } else { None };
        let Some(bytes) = bytes else { return Ok(Some((index, Claim::Foreign))) };
        let record = |rows, changed_ns| LedgerFile {
            changed_ns,
            rows,
            bytes: bytes.len() as u64,
            checksum: checksum(&bytes),
            modified_ns: found.modified_ns,
        };
        if let Some(rows) = rows_if_same(check.store, index, check.plan, encoder, scratch, &bytes)? {
            return Ok(Some((index, Claim::Current(record(rows, check.store.changed_ns(index)?)))));
        }
        for maker in others.get_or_init(|| makers(check.store, shape)) {
            if let Some(file) = maker.claim(dates[index], scratch, &bytes, &record) {
                return Ok(Some((index, Claim::Older(file))));
            }
        }
        Ok(Some((index, Claim::Foreign)))
    })?;
    let mut claims = Claims::default();
    for (index, claim) in judged.into_iter().flatten() {
        match claim {
            Claim::Current(file) => claims.current.push((index, file)),
            Claim::Older(file) => claims.older.push((index, file)),
            Claim::Foreign => claims.foreign.push(index),
        }
    }
    Ok(claims)
}

/// The other versions of `store` that can be opened and have the columns of `shape`, newest first.
fn makers(store: &Store, shape: &Shape) -> Vec<Maker> {
    let maker = |version| {
        let store = Store::open_version(store.path(), version)?;
        let plan = Plan::new(&store, shape)?;
        let encoder = Encoder::new(plan.schema.clone(), shape.format, shape.compression)?;
        Ok::<Maker, crate::error::Error>(Maker { store, plan, encoder })
    };
    let versions = store.kept_versions().unwrap_or_default();
    // One that cannot be opened proves nothing, and stands in nobody's way.
    versions.into_iter().rev().filter(|&version| version != store.version()).filter_map(|v| maker(v).ok()).collect()
}

impl Maker {
    /// The record of a file of `date` with these bytes, if this version would write them.
    fn claim(
        &self,
        date: Date,
        scratch: &mut Scratch,
        bytes: &[u8],
        record: &impl Fn(u64, i64) -> LedgerFile,
    ) -> Option<LedgerFile> {
        let index = self.store.dates().ok()?.binary_search(&date).ok()?;
        let rows = rows_if_same(&self.store, index, &self.plan, &self.encoder, scratch, bytes).ok()??;
        Some(record(rows, self.store.changed_ns(index).ok()?))
    }
}

/// The rows of a section, if its file would have these bytes.
fn rows_if_same(
    store: &Store,
    index: usize,
    plan: &Plan,
    encoder: &Encoder,
    scratch: &mut Scratch,
    bytes: &[u8],
) -> Result<Option<u64>> {
    let mut rest = Some(bytes);
    let rows = encode_section(store, index, plan, encoder, scratch, &mut |encoded| {
        rest = rest.and_then(|rest| rest.strip_prefix(encoded));
        Ok(())
    })?;
    Ok((rows > 0 && rest.is_some_and(<[u8]>::is_empty)).then_some(rows))
}
