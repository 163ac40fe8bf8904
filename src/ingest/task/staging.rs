//! What lies in the staging directory, by name.

use std::path::Path;

use crate::error::{Error, Result};
use crate::storage::{Dir, Disk};

pub(super) const PLAN: &str = "plan.json";

/// The receipt of the one task that sees all parts.
pub(super) const ASSEMBLY: &str = "assembly";

/// What the names of attempts' directories begin with.
pub(super) const ATTEMPT_PREFIX: &str = ".attempt-";

/// The receipt of a part.
pub(super) fn part_name(part: usize) -> String {
    format!("part-{part:04}")
}

/// What a part has of a band.
pub(super) fn rows_name(part: usize, band: usize) -> String {
    format!("part-{part:04}.band-{band:04}")
}

/// The receipt of a band.
pub(super) fn band_name(band: usize) -> String {
    format!("band-{band:04}")
}

/// A sealed segment.
pub(super) fn sealed_name(ordinal: u32) -> String {
    format!("segment-{ordinal:04}.arrow")
}

/// The staging directory in which the plan at `path` lies, and the plan's name in it.
///
/// # Errors
/// When it is no path of a file, or there is no such directory.
pub(super) fn staging_of<'p>(disk: &Disk, path: &'p Path) -> Result<(Dir, &'p str)> {
    if path.is_dir() {
        let plan = path.join(PLAN);
        return Err(Error::refused(
            format!("{} is a directory", path.display()),
            format!("name the plan in it, {}", plan.display()),
        ));
    }
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Error::refused(format!("{} is no file", path.display()), "name a plan"))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((Dir::open(disk, parent)?, name))
}
