//! Whether a directory is a store, part of one, or somebody else's.

use std::io::Read;
use std::path::Path;

use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::format::{CATALOG_DIR, CURRENT_NAME, LOCK_NAME, SEGMENT_DIR, SPILL_PREFIX, TEMP_PREFIX, parse_catalog_name};
use crate::storage::{self, Dir, Disk};

/// How CURRENT begins in any version of the format. Other programs have files of that name, too.
const CURRENT_BEGINS: [u8; 15] = *b"transect store ";

/// Whether the directory `root` is a store of ours, finished or not: its CURRENT begins as ours does, or it has a LOCK
/// and nothing that a store does not have.
///
/// # Errors
/// When it cannot be read.
pub(super) fn is_store(root: &Path) -> Result<bool> {
    let mut begins = [0; CURRENT_BEGINS.len()];
    let current = storage::open(&root.join(CURRENT_NAME)).and_then(|mut file| file.read_exact(&mut begins));
    if current.is_ok() && begins == CURRENT_BEGINS {
        return Ok(true);
    }
    let is_ours = |name: &String| {
        [CURRENT_NAME, LOCK_NAME, CATALOG_DIR, SEGMENT_DIR].contains(&name.as_str())
            || name.starts_with(TEMP_PREFIX)
            || name.starts_with(SPILL_PREFIX)
    };
    Ok(root.join(LOCK_NAME).exists() && names(root)?.iter().all(is_ours))
}

/// Whether the directory `root` is empty.
///
/// # Errors
/// When it cannot be read.
pub(super) fn is_empty(root: &Path) -> Result<bool> {
    Ok(names(root)?.is_empty())
}

/// The names in a directory. One that is no UTF-8 cannot be ours, and is spelt with replacement characters.
///
/// # Errors
/// When it cannot be read.
pub(super) fn names(dir: &Path) -> Result<Vec<String>> {
    let refused = || Error::io("read directory", dir);
    let names = storage::list(dir).map_err(refused())?;
    names.map(|name| Ok(name.map_err(refused())?.to_string_lossy().into_owned())).collect()
}

/// The names in `dir`, which is catalog/ or segment/ of the store at `root`.
///
/// # Errors
/// When it cannot be read, or is a link: what lies behind one is not the store's.
pub(super) fn names_below(root: &Path, dir: &str) -> Result<Vec<String>> {
    let missing = || Error::io("read directory", &root.join(dir))(Errno::NOENT.into());
    Dir::open(&Disk::default(), root)?.enter(dir)?.ok_or_else(missing)?.names()
}

/// The commits that have a catalog in the store at `root`, published or not.
pub(super) fn catalogs(root: &Path) -> Result<Vec<u64>> {
    let names = names_below(root, CATALOG_DIR)?;
    let mut commits: Vec<u64> = names.iter().filter_map(|name| parse_catalog_name(name)).collect();
    commits.sort_unstable();
    Ok(commits)
}
