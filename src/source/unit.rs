//! The files of a stock are read together or not at all: what is said of those that could be used.

use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};

/// Why a file is left out: `other` of its stock cannot be used.
pub(crate) fn beside_unusable(other: &str) -> Reason {
    Reason::new(Kind::OtherFile, format!("another file of its stock cannot be used: {other}"))
}

/// Why a file is left out: `other` of its stock is gone.
pub(super) fn beside_missing(other: &str) -> Reason {
    let prune = Remedy::set(Setting::Prune, "reads what is left, and removes the rows of what is gone");
    Reason::new(Kind::OtherFile, format!("another file of its stock is gone: {other}")).or(prune)
}
