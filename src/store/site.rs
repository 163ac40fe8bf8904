//! Where segments and intermediate files are written, and which commit writes them.

use super::publish::StoreWriter;
use crate::error::Result;
use crate::format::SPILL_PREFIX;
use crate::storage::Dir;

/// What a run writes to: a store, by its one writer, or the directory of one attempt at a task.
pub(crate) trait Site: Sync {
    /// The store's identity.
    fn store_id(&self) -> [u8; 16];

    /// The commit that names what is written.
    fn commit(&self) -> u64;

    /// Where segments go, under temporary names.
    ///
    /// # Errors
    /// When it is gone or a link, or the system refuses.
    fn segment_dir(&self) -> Result<Dir>;

    /// Where intermediate files go.
    fn spill_dir(&self) -> &Dir;

    /// A name for an intermediate file.
    fn spill_name(&self, number: usize) -> String;
}

impl Site for StoreWriter {
    fn store_id(&self) -> [u8; 16] {
        StoreWriter::store_id(self)
    }

    fn commit(&self) -> u64 {
        StoreWriter::commit(self)
    }

    fn segment_dir(&self) -> Result<Dir> {
        StoreWriter::segment_dir(self)
    }

    fn spill_dir(&self) -> &Dir {
        &self.dir
    }

    fn spill_name(&self, number: usize) -> String {
        match self.lock {
            Some(_) => format!("{SPILL_PREFIX}{number}"),
            // Beside a writer's.
            None => format!("{SPILL_PREFIX}{}-{number}", std::process::id()),
        }
    }
}
