//! What lies in the staging directory, by name.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::storage::{Dir, Disk};

pub(crate) const PLAN: &str = "plan.json";

/// The receipt of the one task that sees all parts.
pub(crate) const ASSEMBLY: &str = "assembly";

/// What the names of attempts' directories begin with.
pub(crate) const ATTEMPT_PREFIX: &str = ".attempt-";

/// The receipt of a part.
pub(crate) fn part_name(part: usize) -> String {
    format!("part-{part:04}")
}

/// The receipt of what differs on a band.
pub(crate) fn changes_name(band: usize) -> String {
    format!("changes-{band:04}")
}

/// What a part has of a band.
pub(crate) fn rows_name(part: usize, band: usize) -> String {
    format!("part-{part:04}.band-{band:04}")
}

/// The receipt of a band.
pub(crate) fn band_name(band: usize) -> String {
    format!("band-{band:04}")
}

/// A sealed segment.
pub(crate) fn sealed_name(ordinal: u32) -> String {
    format!("segment-{ordinal:04}.arrow")
}

/// The receipt of a task that writes files of an output.
pub(crate) fn written_name(part: usize) -> String {
    format!("files-{part:04}")
}

/// A file of an output, by its place in the plan.
pub(crate) fn file_name(place: usize) -> String {
    format!("file-{place:06}")
}

/// Refuses a staging directory that has a plan, and one from which nothing can be moved to `to`. Neither has to be
/// there yet.
///
/// # Errors
/// Where it is one.
pub(crate) fn check_staging(staging: &Path, to: &Path, moved: &str) -> Result<()> {
    if std::fs::symlink_metadata(staging.join(PLAN)).is_ok() {
        let what = format!("{} has a plan already", staging.display());
        return Err(Error::refused(what, "go on with it, or name another directory"));
    }
    check_device(staging, to, moved)
}

/// Refuses a staging directory from which nothing can be moved to `to`. Neither has to be there yet.
///
/// # Errors
/// Where it is one.
pub(crate) fn check_device(staging: &Path, to: &Path, moved: &str) -> Result<()> {
    let device = |path: &Path| {
        let path = std::path::absolute(path).map_err(Error::io("find", path))?;
        Ok(path.ancestors().find_map(|above| Some(std::fs::metadata(above).ok()?.dev())))
    };
    match device(to)? == device(staging)? {
        true => Ok(()),
        false => Err(Error::refused(
            format!("{} is on another file system than {}", staging.display(), to.display()),
            format!("name one on the same, as {moved} are moved, not copied"),
        )),
    }
}

/// That there is no plan at `path`.
pub(crate) fn no_plan(path: &Path) -> Error {
    Error::refused(format!("{} is not there", path.display()), "name a plan of tasks")
}

/// The staging directory in which the plan at `path` lies, and the plan's name in it.
///
/// # Errors
/// When it is no path of a file, or there is no such directory.
pub(crate) fn staging_of<'p>(disk: &Disk, path: &'p Path) -> Result<(Dir, &'p str)> {
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
    match std::fs::metadata(parent) {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(no_plan(path)),
        _ => Ok((Dir::open(disk, parent)?, name)),
    }
}
