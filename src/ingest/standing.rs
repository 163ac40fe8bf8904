//! Which rows stand although their files are read again: those of an older version that was restored, while their files
//! are as they were.

use std::collections::{BTreeSet, HashMap};

use super::join::{Join, LeftOut};
use super::left::outer_sources;
use super::rereads::was_read;
use super::revise::revision::Beside;
use crate::compare::{Rule, Unread, Wanted};
use crate::error::Result;
use crate::source::SourceOptions;
use crate::store::{FileEntry, Store};

/// The units of which files were `read` again, some with rows that were `restored`, and none is other than it was or
/// `pruned`.
pub(super) fn units(
    read: &[FileEntry],
    pruned: &[&FileEntry],
    restored: &BTreeSet<String>,
    is_as_it_was: impl Fn(&FileEntry) -> bool,
    options: &SourceOptions,
) -> BTreeSet<String> {
    let units_of = |entry: &FileEntry| options.units_of(entry.path.as_ref());
    let (same, other): (Vec<&FileEntry>, Vec<&FileEntry>) =
        read.iter().filter(was_read).partition(|entry| is_as_it_was(entry));
    let with_restored = same.into_iter().filter(|entry| restored.contains(&entry.path));
    let mut units: BTreeSet<String> = with_restored.flat_map(units_of).collect();
    for unit in other.into_iter().chain(pruned.iter().copied()).flat_map(units_of) {
        units.remove(&unit);
    }
    units
}

/// The version beside whose rows those of the source at `place` of `live` were laid when it `left_out` some; the oldest
/// one after it where that is no longer kept.
///
/// # Errors
/// When a version is damaged.
pub(super) fn beside(live: &Store, place: usize, left_out: &LeftOut) -> Result<Option<Beside>> {
    let kept = live.kept_versions()?;
    let Some(&version) = kept.iter().find(|version| **version >= left_out.since()) else { return Ok(None) };
    let (id, store) = (live.snapshot_sources()?[place].id, live.other_version(version)?);
    let place_then = store.snapshot_sources()?.iter().position(|source| source.id == id);
    let outer = outer_sources(&store, place_then.unwrap_or(usize::MAX), Join::Left)?.unwrap_or_default();
    Ok(Some(Beside { store, outer }))
}

/// Lets the rows of these `units` stand: nothing comes but what nobody knew then. Of those that got keys before the version
/// `beside` which they are laid, nobody can say that any more, and all comes that they lack.
///
/// # Errors
/// When that version is damaged.
pub(super) fn let_stand(
    rules: &mut HashMap<String, Rule>,
    units: &BTreeSet<String>,
    (left_out, beside): (&LeftOut, Option<&Beside>),
    options: &SourceOptions,
) -> Result<()> {
    let unknown = match beside {
        Some(beside) => left_out.gained(&beside.store, options)?,
        None => BTreeSet::new(),
    };
    for (unit, rule) in rules.iter_mut().filter(|(unit, _)| units.contains(*unit)) {
        let wanted = if unknown.contains(unit) { Wanted::Absent } else { Wanted::New };
        *rule = Rule { unread: Unread::Stays, wanted, ..*rule };
    }
    Ok(())
}
