//! The files of a unit, a stock or a date, are read together or not at all: what is said of those that could be used.

use super::files_by::FilesBy;
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};

/// Why a file is left out: `other` of its unit cannot be used.
pub(crate) fn beside_unusable(files_by: FilesBy, other: &str) -> Reason {
    Reason::new(Kind::OtherFile, format!("another file of its {files_by} cannot be used: {other}"))
}

/// Why a file is left out: `other` of its unit is gone.
pub(in crate::source) fn beside_missing(files_by: FilesBy, other: &str) -> Reason {
    let prune = Remedy::set(Setting::Prune, "reads what is left, and removes the rows of what is gone");
    Reason::new(Kind::OtherFile, format!("another file of its {files_by} is gone: {other}")).or(prune)
}

/// Why a file is left out: `other` is of a unit that has dates of its own.
pub(in crate::source) fn beside_overlapping(other: &str) -> Reason {
    let keep = Remedy::Do("keep one of the two, or ignore one".to_owned());
    Reason::new(Kind::OtherDate, format!("is of dates that {other} is of, too")).or(keep)
}
