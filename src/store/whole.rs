//! Whether all files that a version lists are there, as long as they were written.

use super::chunks::Chunks;
use super::view::Store;
use crate::error::Result;
use crate::format::{SEGMENT_DIR, SegmentRecord, Table, segment_name};
use crate::segment::Segment;
use crate::storage::Access;

impl Store {
    /// Looks at every file that this version lists: tables of sources, segments and records of chunks. A version is not to
    /// go live on top of one that was cut short, or is gone, since nobody read it meanwhile.
    ///
    /// # Errors
    /// The first file that is not as the catalog says.
    pub(super) fn check_files(&self) -> Result<()> {
        for home in self.version.homes()? {
            let segments: &[SegmentRecord] = self.version.home(home)?.table(Table::Segments)?;
            for segment in segments {
                let path = self.path().join(SEGMENT_DIR).join(segment_name(segment.commit, segment.ordinal));
                Segment::open(&path, segment.file_len, Access::Read)?;
                Chunks::open(self.path(), segment, self.access())?;
            }
        }
        Ok(())
    }
}
