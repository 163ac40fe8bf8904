//! What one run has to do, decided from the ledger, the store and what stands in the directory; nothing is written
//! here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::ledger::{Ledger, LedgerFile};
use super::plan::Plan;
use crate::error::{Error, Result};
use crate::key::Date;
use crate::progress::Observer;
use crate::store::Store;
use crate::workers::Workers;

/// What one run has to do.
pub(super) struct Work {
    /// The dates to write, as places among the store's, ascending.
    pub(super) write: Vec<usize>,
    /// Selected dates whose files are current.
    pub(super) unchanged: u64,
    /// Selected dates that are known to need no file.
    pub(super) without_rows: u64,
    /// Paths of files that must go.
    pub(super) stale: BTreeSet<String>,
    /// Paths of dates that are not selected and that an unfinished run may have replaced.
    pub(super) open: BTreeSet<String>,
    /// The ledger while the run goes on: old files stay listed until they are replaced.
    pub(super) ledger: Ledger,
    /// What transect put at each path that is now to be written, removed or left open; `None` where an unfinished run
    /// may have put anything.
    before: BTreeMap<String, Option<LedgerFile>>,
}

/// How to find out which files are current.
pub(super) struct Check<'a> {
    pub(super) store: &'a Store,
    pub(super) out: &'a Path,
    pub(super) plan: &'a Plan,
    /// Whether to read files of the right size and time as well.
    pub(super) content: bool,
    pub(super) workers: &'a Workers,
    pub(super) observer: &'a dyn Observer,
}

impl Work {
    /// Compares the ledger `before`, if there is one, with the store and the directory; `ledger` is the new one, still
    /// without files. Costs one look at the file of each `selected` date, a place among the store's.
    ///
    /// # Errors
    /// When the store is damaged, a file cannot be examined, or the observer cancels.
    pub(super) fn new(check: &Check<'_>, before: Option<Ledger>, ledger: Ledger, selected: &[usize]) -> Result<Work> {
        let dates = check.store.dates()?;
        let path = |index: usize| check.plan.name.path(dates[index]);
        let mut work = Work {
            write: Vec::new(),
            unchanged: 0,
            without_rows: 0,
            stale: BTreeSet::new(),
            open: BTreeSet::new(),
            ledger,
            before: BTreeMap::new(),
        };
        if let Some(before) = before {
            work.take(before, dates);
        }
        let current = check.run(&work.ledger, selected)?;
        for (&index, is_current) in selected.iter().zip(current) {
            if !is_current {
                work.write.push(index);
            } else if work.ledger.files[&dates[index]].rows > 0 {
                work.unchanged += 1;
            } else {
                work.without_rows += 1;
            }
        }
        for &index in &work.write {
            let path = path(index);
            work.stale.remove(&path);
            work.open.remove(&path);
            if let Some(&file) = work.ledger.files.get(&dates[index]).filter(|file| file.rows > 0) {
                work.before.entry(path).or_insert(Some(file));
            }
        }
        work.ledger.pending = work.write.iter().map(|&index| path(index)).collect();
        work.ledger.pending.extend(work.stale.iter().chain(&work.open).cloned());
        Ok(work)
    }

    /// Sorts what an earlier run left: what stays in the ledger, and what must go.
    fn take(&mut self, before: Ledger, dates: &[Date]) {
        let same_kind = before.shape == self.ledger.shape && before.store == self.ledger.store;
        let same_schema = before.schema == self.ledger.schema;
        let name = before.shape.file_name();
        for (date, mut file) in before.files {
            if same_kind && dates.binary_search(&date).is_ok() {
                let path = (!before.pending.is_empty()).then(|| name.path(date));
                let open = path.filter(|path| before.pending.contains(path));
                if open.is_some() || !same_schema {
                    file.changed_ns = 0;
                }
                self.open.extend(open);
                self.ledger.files.insert(date, file);
            } else if file.rows > 0 {
                self.before.insert(name.path(date), Some(file));
            }
        }
        self.before.extend(before.pending.into_iter().map(|path| (path, None)));
        self.stale = self.before.keys().filter(|path| !self.open.contains(*path)).cloned().collect();
    }

    /// Whether nothing is to be written or removed.
    pub(super) fn is_none(&self) -> bool {
        self.write.is_empty() && self.stale.is_empty()
    }

    /// Whether transect may replace what stands at `path`: it has put a file there, though somebody may have changed
    /// that since.
    pub(super) fn owns(&self, path: &str) -> bool {
        self.before.contains_key(path)
    }

    /// Whether transect may remove the file at `path`, which is `at`: it is the one that was put there, or may be the
    /// one of an unfinished run. Costs reading it where its time differs.
    ///
    /// # Errors
    /// When it cannot be examined.
    pub(super) fn may_remove(&self, path: &str, at: &Path) -> Result<bool> {
        match self.before.get(path) {
            None => Ok(false),
            Some(None) => Ok(true),
            Some(Some(file)) => Ok(file.stands_at(at)? || file.holds_at(at)?),
        }
    }
}

impl Check<'_> {
    /// Which of the selected dates have, in the directory, what would be written for them.
    fn run(&self, ledger: &Ledger, selected: &[usize]) -> Result<Vec<bool>> {
        let dates = self.store.dates()?;
        if self.content {
            self.observer.begin("compare", "files", selected.len() as u64);
        }
        let current = self.workers.try_map(selected.len(), |at| {
            let index = selected[at];
            let Some(file) = ledger.files.get(&dates[index]) else { return Ok(false) };
            let path = self.out.join(self.plan.name.path(dates[index]));
            let is_current = file.changed_ns == self.store.changed_ns(index)? && file.stands_at(&path)?;
            if !self.content {
                return Ok(is_current);
            }
            if self.observer.cancelled() {
                return Err(Error::Cancelled);
            }
            self.observer.advance(1);
            Ok(is_current && (file.rows == 0 || file.holds_at(&path)?))
        })?;
        if self.content {
            self.observer.end();
        }
        Ok(current)
    }
}
