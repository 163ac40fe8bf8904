//! The one way to files: what is written survives a crash whole, what is read is mapped or copied, and locks say who
//! writes.

mod dir;
mod disk;
mod lock;
mod map;

pub use dir::list;
pub(crate) use dir::{Dir, Found};
pub(crate) use disk::{AlignedWriter, Syncs, open, open_below, open_to_lock};
pub use disk::{Disk, DiskFile, Operation};
pub(crate) use lock::{FileLock, wait};
pub use map::{Access, Memory, network_file_system};
pub(crate) use map::{load, read_at};
