//! What a scan found, as plain data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::reason::Reason;
use crate::skipped::Skipped;
use crate::source::Scan;

/// What became of the files of a source, as a plan has it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Scanned {
    changed: Vec<(String, PathBuf)>,
    touched: Vec<(String, i64)>,
    unchanged: u64,
    quiet: Vec<(String, PathBuf)>,
    missing: Vec<String>,
    pruned: Vec<String>,
    skipped: Vec<(String, Reason)>,
    notes: Vec<String>,
}

impl Scanned {
    pub(super) fn of(scan: &Scan) -> Scanned {
        Scanned {
            changed: scan.changed.clone(),
            touched: scan.touched.clone(),
            unchanged: scan.unchanged,
            quiet: scan.quiet.clone(),
            missing: scan.missing.clone(),
            pruned: scan.pruned.clone(),
            skipped: scan.skipped.iter().map(|one| (one.path.clone(), one.reason.clone())).collect(),
            notes: scan.notes.clone(),
        }
    }

    pub(super) fn scan(&self) -> Scan {
        Scan {
            changed: self.changed.clone(),
            touched: self.touched.clone(),
            unchanged: self.unchanged,
            quiet: self.quiet.clone(),
            missing: self.missing.clone(),
            pruned: self.pruned.clone(),
            skipped: self.skipped.iter().map(|(path, reason)| Skipped::new(path.clone(), reason.clone())).collect(),
            notes: self.notes.clone(),
        }
    }
}
