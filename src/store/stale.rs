//! Whether CURRENT is of another day: restored from a copy, it hides the versions that went live since, and whoever
//! collects would remove them.

use std::collections::HashSet;
use std::path::Path;

use super::layout::catalog_versions;
use super::lock;
use super::version::Home;
use super::view::Store;
use crate::error::{Error, Result};
use crate::remedy::{Remedy, Setting};
use crate::storage::Access;

/// A store in which a version went live that is newer than the one CURRENT names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stale {
    /// The version that CURRENT names.
    pub(super) current: u64,
    /// The newest version that there is, or was.
    pub(super) newest: u64,
    /// The newest version after CURRENT's that can be read.
    pub(super) whole: Option<u64>,
}

impl Stale {
    /// Looks at the store at `root`: at what LOCK notes, and at catalogs that CURRENT's version does not know. Such a
    /// catalog knows itself in any case, and may have been left by a writer that was killed before it went live; what
    /// it names besides was live.
    ///
    /// # Errors
    /// When the live version cannot be read.
    pub(super) fn find(root: &Path) -> Result<Option<Stale>> {
        // In this order: a version that goes live meanwhile is in CURRENT, too, when that is read.
        let note = lock::note(root);
        let mut catalogs: Vec<(u64, Vec<u64>)> = Vec::new();
        for version in catalog_versions(root)? {
            let history = Store::open_catalog(root, version, Access::Map).and_then(|store| store.history());
            let named = history.unwrap_or_default().iter().map(|entry| entry.version).collect();
            catalogs.push((version, named));
        }
        let live = Store::open(root)?;
        let current = live.version();
        let known: HashSet<u64> = live.history()?.iter().map(|entry| entry.version).collect();
        catalogs.retain(|(version, _)| !known.contains(version));

        // Whoever chose CURRENT's version before a newer one has LOCK say so.
        let settled = note.last.max(current);
        let named = catalogs.iter().flat_map(|(of, named)| named.iter().filter(move |version| *version != of));
        let named = named.copied().filter(|&version| version > settled).max();
        let Some(newest) = named.max(Some(note.live).filter(|&version| version > current)) else { return Ok(None) };
        // The last of them may not have gone live, but it was about to, and it is the only one that knows all others.
        let mut newer = catalogs.iter().rev().map(|(version, _)| *version).filter(|&version| version > current);
        let whole = newer.find(|&version| is_whole(root, version));
        Ok(Some(Stale { current, newest: newest.max(whole.unwrap_or(0)), whole }))
    }

    /// What is wrong, in words.
    pub(super) fn told(self) -> String {
        format!(
            "CURRENT names version {}, and version {} went live after it: CURRENT was restored from a copy, or altered",
            self.current, self.newest
        )
    }

    /// The refusal of a writer that would remove the newer versions.
    pub(super) fn refusal(self, root: &Path) -> Error {
        let live = |version: u64, effect: String| Remedy::set(Setting::Live(version), effect);
        let newer = match self.whole {
            Some(version) if version == self.newest => live(version, format!("makes version {version} live again")),
            Some(version) => live(version, format!("makes version {version} live, the newest that is whole")),
            None => Remedy::Do(format!("restore version {} from a copy, since it is not there any more", self.newest)),
        };
        let stay = live(self.current, format!("goes on from version {} and gives up what came later", self.current));
        Error::refused_unless(format!("{}: {}", root.display(), self.told()), [newer, stay])
    }
}

/// Whether a version can be opened with all its segments.
fn is_whole(root: &Path, version: u64) -> bool {
    let Ok(store) = Store::open_catalog(root, version, Access::Map) else { return false };
    let is_whole = |&home: &Home| {
        let mut segments = 0..store.version.segment_count(home).unwrap_or_default() as u32;
        store.version.home(home).is_ok() && segments.all(|index| store.version.segment(home, index).is_ok())
    };
    store.version.homes().is_ok_and(|homes| homes.iter().all(is_whole))
}
