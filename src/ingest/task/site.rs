//! Where a task of a build writes: segments and what it scatters lie in the directory of its attempt.

use crate::error::Result;
use crate::format::SPILL_PREFIX;
use crate::staging::Attempt;
use crate::storage::Dir;
use crate::store::{Ids, Site};

/// An attempt at a task of the commit with these numbers.
pub(super) struct AttemptSite<'a> {
    pub(super) attempt: &'a Attempt<'a>,
    pub(super) ids: Ids,
}

impl Site for AttemptSite<'_> {
    fn store_id(&self) -> [u8; 16] {
        self.ids.store_id
    }

    fn commit(&self) -> u64 {
        self.ids.commit
    }

    fn segment_dir(&self) -> Result<Dir> {
        Ok(self.attempt.dir().clone())
    }

    fn spill_dir(&self) -> &Dir {
        self.attempt.dir()
    }

    fn spill_name(&self, number: usize) -> String {
        format!("{SPILL_PREFIX}{number}")
    }
}
