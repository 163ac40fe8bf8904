//! Whether CURRENT is of another day: restored from a copy, it hides the versions that went live since, and whoever
//! collects would remove them.

use std::collections::HashSet;
use std::path::Path;

use super::layout::catalogs;
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
    /// The newest version after CURRENT's that can be read, and the commit that wrote it.
    pub(super) whole: Option<(u64, u64)>,
}

impl Stale {
    /// Looks at the store at `root`: at what LOCK notes, and at catalogs that CURRENT's version does not know. Such a
    /// catalog knows itself in any case, and may have been left by a writer that was killed before it went live; what
    /// it names besides was live.
    ///
    /// # Errors
    /// When the live version cannot be read.
    pub(super) fn find(root: &Path, access: Access) -> Result<Option<Stale>> {
        // In this order: a version that goes live meanwhile is in CURRENT, too, when that is read.
        let note = lock::note(root);
        let commits = catalogs(root)?;
        let live = Store::open_with(root, access)?;
        let current = live.version();
        let known: HashSet<u64> = live.history()?.iter().map(|entry| entry.commit).collect();
        // Of the others alone, since one that is not mapped may hold many texts.
        let others = commits.into_iter().filter(|commit| !known.contains(commit));
        let mut others: Vec<Store> =
            others.filter_map(|commit| Store::open_catalog(root, commit, access).ok()).collect();
        others.sort_unstable_by_key(|store| (store.version(), store.created_ns()));

        // Whoever chose CURRENT's version before a newer one has LOCK say so.
        let settled = note.last.max(current);
        let named_by = |store: &Store| {
            let named = store.history().unwrap_or_default().into_iter().filter(|entry| entry.commit != store.commit());
            named.map(|entry| entry.version).max()
        };
        let named = others.iter().filter_map(named_by).max().filter(|&version| version > settled);
        let Some(newest) = named.max(Some(note.live).filter(|&version| version > current)) else { return Ok(None) };
        // The last of them may not have gone live, but it was about to, and it is the only one that knows all others.
        let mut newer = others.iter().rev().filter(|store| store.version() > current);
        let whole = newer.find(|store| is_whole(store)).map(|store| (store.version(), store.commit()));
        Ok(Some(Stale { current, newest: newest.max(whole.map_or(0, |(version, _)| version)), whole }))
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
            Some((version, _)) if version == self.newest => {
                live(version, format!("makes version {version} live again"))
            }
            Some((version, _)) => live(version, format!("makes version {version} live, the newest that is whole")),
            None => Remedy::Do(format!("restore version {} from a copy, since it is not there any more", self.newest)),
        };
        let stay = live(self.current, format!("goes on from version {} and gives up what came later", self.current));
        Error::refused_unless(format!("{}: {}", root.display(), self.told()), [newer, stay])
    }
}

impl Store {
    /// Why nobody may write to the store before somebody chooses: CURRENT does not name the version that went live last.
    /// `None` where it does. Opens each catalog.
    ///
    /// # Errors
    /// When the live version cannot be read.
    pub fn stale_current(&self) -> Result<Option<Error>> {
        Ok(Stale::find(self.path(), self.access())?.map(|stale| stale.refusal(self.path())))
    }
}

/// Whether a version can be opened with all its segments.
fn is_whole(store: &Store) -> bool {
    let is_whole = |&home: &Home| {
        let mut segments = 0..store.version.segment_count(home).unwrap_or_default() as u32;
        store.version.home(home).is_ok() && segments.all(|index| store.version.segment(home, index).is_ok())
    };
    store.version.homes().is_ok_and(|homes| homes.iter().all(is_whole))
}
