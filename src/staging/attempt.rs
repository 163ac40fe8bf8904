//! One attempt at a task: it writes in a directory of its own, and puts in place what is complete.

use std::time::{SystemTime, UNIX_EPOCH};

use super::names::ATTEMPT_PREFIX;
use crate::error::Result;
use crate::storage::Dir;

/// The name of a receipt before it is put in place.
const RECEIPT: &str = "receipt";

/// A directory that no other attempt has. Whoever dies leaves it; nobody needs it.
pub(crate) struct Attempt<'a> {
    staging: &'a Dir,
    name: String,
    dir: Dir,
}

impl<'a> Attempt<'a> {
    /// An attempt at a task.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub(crate) fn begin(staging: &'a Dir) -> Result<Attempt<'a>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let drawn = staging.disk().draw()?;
        let name = format!("{ATTEMPT_PREFIX}{}-{now}-{drawn:016x}", std::process::id());
        let dir = staging.make(&name)?;
        Ok(Attempt { staging, name, dir })
    }

    /// Where it writes.
    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Puts a complete file in place. What stands there is the same, of another attempt.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn place(&self, from: &str, to: &str) -> Result<()> {
        self.staging.take(&self.dir, from, to)
    }

    /// As [`place`](Attempt::place), of a file in a directory below the attempt's.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn place_from(&self, dir: &Dir, from: &str, to: &str) -> Result<()> {
        self.staging.take(dir, from, to)
    }

    /// Puts the receipt in place, the last thing that a task does.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn place_receipt(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let file = self.dir.create(RECEIPT)?;
        file.write_at(bytes, 0)?;
        file.sync()?;
        // What it vouches for has its name before it has its own.
        self.staging.sync()?;
        self.place(RECEIPT, name)?;
        self.staging.sync()
    }
}

impl Drop for Attempt<'_> {
    /// What is left is nobody's; where it cannot be removed, it goes with what else is old.
    fn drop(&mut self) {
        clear(&self.dir);
        let _ = self.staging.remove_empty(&self.name);
    }
}

/// Removes what is in a directory, as far as it can be removed.
fn clear(dir: &Dir) {
    for name in dir.names().unwrap_or_default() {
        let _ = match dir.enter(&name) {
            Ok(Some(below)) => {
                clear(&below);
                dir.remove_empty(&name).map(drop)
            }
            _ => dir.remove(&name),
        };
    }
}
