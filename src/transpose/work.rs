//! What one run has to do, decided from the ledger, the store and what stands in the directory; nothing is written
//! here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::ledger::{Ledger, LedgerFile};
use super::unit::Unit;
use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::storage::Dir;
use crate::workers::Workers;

/// What one run has to do.
pub(super) struct Work {
    /// The files to write, as places among all that the store has, ascending.
    pub(super) write: Vec<usize>,
    /// Why some that were not selected are among them; `None` where none is.
    pub(super) note: Option<String>,
    /// Selected files that are current.
    pub(super) unchanged: u64,
    /// Selected files that are known not to be needed.
    pub(super) without_rows: u64,
    /// Files that no ledger listed, and that are taken over as they are.
    pub(super) taken_over: u64,
    /// Paths of files that must go.
    pub(super) stale: BTreeSet<String>,
    /// The ledger while the run goes on: old files stay listed until they are replaced.
    pub(super) ledger: Ledger,
    /// What transect put at each path that is now to be written or removed; `None` where an unfinished run may have put
    /// anything.
    before: BTreeMap<String, Option<LedgerFile>>,
}

/// The files that no ledger lists, each with its place among all that the store has.
#[derive(Default)]
pub(super) struct Claims {
    /// Files as they would be written.
    pub(super) current: Vec<(usize, LedgerFile)>,
    /// Files as another version would have them.
    pub(super) older: Vec<(usize, LedgerFile)>,
    /// Places of files that are not transect's.
    pub(super) foreign: Vec<usize>,
}

/// How to find out which files are current.
pub(super) struct Check<'a> {
    pub(super) out: &'a Dir,
    /// All that the store has.
    pub(super) units: &'a [Unit],
    /// Whether to read files of the right size and time as well.
    pub(super) content: bool,
    pub(super) workers: &'a Workers,
    pub(super) observer: &'a dyn Observer,
}

impl Work {
    /// Compares the ledger `before`, if there is one, with the store and the directory; `ledger` is the new one, still
    /// without files. Costs one look at each `selected` file, a place among all that the store has.
    ///
    /// A reader of the directory must meet one schema, whatever was selected: files that have another one, or that an
    /// unfinished run may have left so, are written again too.
    ///
    /// # Errors
    /// When the store is damaged, a file cannot be examined, or the observer cancels.
    pub(super) fn new(check: &Check<'_>, before: Option<Ledger>, ledger: Ledger, selected: &[usize]) -> Result<Work> {
        let units = check.units;
        let mut work = Work {
            write: Vec::new(),
            note: None,
            unchanged: 0,
            without_rows: 0,
            taken_over: 0,
            stale: BTreeSet::new(),
            ledger,
            before: BTreeMap::new(),
        };
        let mut wanted: BTreeSet<usize> = selected.iter().copied().collect();
        if let Some(before) = before {
            let why = work.why_again(&before);
            let [one, several] = work.ledger.shape.by.nouns();
            wanted.extend(work.take(before, units));
            work.note = match wanted.len() - selected.len() {
                0 => None,
                1 => Some(format!("{why}, so the file of one other {one} was written too")),
                count => Some(format!("{why}, so the files of {count} other {several} were written too")),
            };
        }
        let wanted: Vec<usize> = wanted.into_iter().collect();
        let current = check.run(&work.ledger, &wanted)?;
        for (&index, is_current) in wanted.iter().zip(current) {
            if !is_current {
                work.write.push(index);
            } else if work.ledger.files[&units[index].key].rows > 0 {
                work.unchanged += 1;
            } else {
                work.without_rows += 1;
            }
        }
        for &index in &work.write {
            let Unit { key, path, .. } = &units[index];
            work.stale.remove(path);
            if let Some(&file) = work.ledger.files.get(key).filter(|file| file.rows > 0) {
                work.before.entry(path.clone()).or_insert(Some(file));
            }
        }
        work.ledger.pending = work.write.iter().map(|&index| units[index].path.clone()).collect();
        work.ledger.pending.extend(work.stale.iter().cloned());
        Ok(work)
    }

    /// Sorts what an earlier run left: what stays in the ledger, what must go, and the places of the files that must be
    /// written again.
    fn take(&mut self, before: Ledger, units: &[Unit]) -> Vec<usize> {
        let same_store = before.store == self.ledger.store;
        let same_shape = self.has_shape_of(&before);
        let same_schema = before.schema == self.ledger.schema;
        let names = before.names();
        let mut again = Vec::new();
        for (key, mut file) in before.files {
            let place = place_of(units, &key).filter(|_| same_store);
            // One that is no key was refused when the ledger was read.
            let path = names.path_of(&key).unwrap_or_default();
            if let Some(place) = place
                && same_shape
            {
                if !same_schema || (!before.pending.is_empty() && before.pending.contains(&path)) {
                    file.changed_ns = 0;
                }
                if file.changed_ns == 0 {
                    again.push(place);
                }
                self.ledger.files.insert(key, file);
            } else if file.rows > 0 {
                again.extend(place);
                self.before.insert(path, Some(file));
            }
        }
        self.before.extend(before.pending.into_iter().map(|path| (path, None)));
        self.stale = self.before.keys().cloned().collect();
        again
    }

    /// Whether files of another ledger lie where this run's do, and are like them.
    fn has_shape_of(&self, other: &Ledger) -> bool {
        other.shape == self.ledger.shape && other.dashes == self.ledger.dashes
    }

    /// What makes files that are not selected contradict the others.
    fn why_again(&self, before: &Ledger) -> String {
        if !self.has_shape_of(before) {
            return "all files in a directory have one shape".to_owned();
        }
        let changes = changes(&before.schema, &self.ledger.schema);
        match changes.as_slice() {
            [] => "an earlier run did not complete".to_owned(),
            [change] => format!("the columns have changed ({change})"),
            [first, rest @ ..] => format!("the columns have changed ({first}, and {} more)", rest.len()),
        }
    }

    /// Takes over files that no ledger listed: as they are, or to be written again.
    pub(super) fn take_over(&mut self, claims: &Claims, units: &[Unit]) {
        for &(index, file) in &claims.current {
            let place = self.write.binary_search(&index);
            if let Ok(place) = place {
                self.write.remove(place);
                self.ledger.pending.remove(&units[index].path);
                self.unchanged += 1;
            }
            self.ledger.files.insert(units[index].key.clone(), file);
        }
        for &(index, file) in &claims.older {
            let Unit { key, path, .. } = &units[index];
            if let Err(place) = self.write.binary_search(&index) {
                self.write.insert(place, index);
                self.ledger.pending.insert(path.clone());
            }
            self.ledger.files.insert(key.clone(), file);
            self.before.insert(path.clone(), Some(file));
        }
        self.taken_over = (claims.current.len() + claims.older.len()) as u64;
    }

    /// Whether nothing is to be written or removed.
    pub(super) fn is_none(&self) -> bool {
        self.write.is_empty() && self.stale.is_empty() && self.taken_over == 0
    }

    /// Whether transect may replace what stands at `path`: it has put a file there, though somebody may have changed
    /// that since.
    pub(super) fn owns(&self, path: &str) -> bool {
        self.before.contains_key(path)
    }

    /// Whether transect may remove the file at `path` below `out`: it is the one that was put there, or may be the one
    /// of an unfinished run. Costs reading it where its time differs.
    ///
    /// # Errors
    /// When it cannot be examined.
    pub(super) fn may_remove(&self, out: &Dir, path: &str) -> Result<bool> {
        match self.before.get(path) {
            None => Ok(false),
            Some(None) => Ok(true),
            Some(Some(file)) => Ok(file.stands_at(out, path)? || file.holds_at(out, path)?),
        }
    }
}

/// What differs between two schemas, as a ledger spells them.
fn changes(before: &[(String, String)], after: &[(String, String)]) -> Vec<String> {
    let known: HashMap<&String, &String> = before.iter().map(|(name, kind)| (name, kind)).collect();
    let kept: HashSet<&String> = after.iter().map(|(name, _)| name).collect();
    let change = |(name, kind): &(String, String)| match known.get(name) {
        None => Some(format!("{name:?} is new")),
        Some(was) => (*was != kind).then(|| format!("{name:?} is {kind}, was {was}")),
    };
    let gone = before.iter().filter(|(name, _)| !kept.contains(name)).map(|(name, _)| format!("{name:?} is gone"));
    let mut changes: Vec<String> = after.iter().filter_map(change).chain(gone).collect();
    if changes.is_empty() && before != after {
        changes.push("their order".to_owned());
    }
    changes
}

/// Where the file of `key` stands among `units`.
pub(super) fn place_of(units: &[Unit], key: &str) -> Option<usize> {
    units.binary_search_by(|unit| unit.key.as_str().cmp(key)).ok()
}

impl Check<'_> {
    /// Which of the selected files stand in the directory as they would be written.
    fn run(&self, ledger: &Ledger, selected: &[usize]) -> Result<Vec<bool>> {
        if self.content {
            self.observer.begin("compare", "files", selected.len() as u64);
        }
        let current = self.workers.try_map(selected.len(), |at| {
            let Unit { key, path, made, .. } = &self.units[selected[at]];
            let Some(file) = ledger.files.get(key) else { return Ok(false) };
            let is_current = file.made() == *made && file.stands_at(self.out, path)?;
            if !self.content {
                return Ok(is_current);
            }
            if self.observer.cancelled() {
                return Err(Error::Cancelled);
            }
            self.observer.advance(1);
            Ok(is_current && (file.rows == 0 || file.holds_at(self.out, path)?))
        })?;
        if self.content {
            self.observer.end();
        }
        Ok(current)
    }
}
