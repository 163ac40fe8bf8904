//! Garbage collection: removes versions that are no longer wanted, and the files that only they used.

use std::collections::HashSet;
use std::fs::{self, File};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;

use super::layout::names;
use super::publish::StoreWriter;
use super::{Store, VersionEntry};
use crate::error::{Error, Result};
use crate::format::{CATALOG_DIR, parse_catalog_name, parse_chunks_name, parse_segment_name};

/// What was removed, or would be.
#[derive(Debug, Default, Serialize)]
pub struct CollectReport {
    /// The versions removed.
    pub versions: Vec<u64>,
    /// Versions that had to go and stay, because a reader has them open.
    pub held: Vec<u64>,
    /// Versions that stay, the live one last.
    pub kept: Vec<u64>,
    /// Files removed.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

impl StoreWriter {
    /// Removes the versions that `goes` names, with the segments that only they use, and segments that no version uses.
    /// It is asked about each version but the live one, with the number of newer versions there are. A version that a
    /// reader has open stays, and so does all that it uses. With `dry_run` nothing is removed, only told.
    ///
    /// # Errors
    /// When the live version cannot be read, or a file cannot be removed.
    pub(crate) fn collect(
        &mut self,
        goes: impl Fn(usize, &VersionEntry) -> bool,
        dry_run: bool,
    ) -> Result<CollectReport> {
        // The writer itself reads the version before, and would be in its own way.
        self.before = None;
        let live = Store::open(&self.root)?;
        let history = live.history()?;
        let catalog_dir = self.root.join(CATALOG_DIR);
        let mut present: Vec<u64> = names(&catalog_dir)?.iter().filter_map(|name| parse_catalog_name(name)).collect();
        present.sort_unstable_by_key(|&version| std::cmp::Reverse(version));

        let mut report = CollectReport::default();
        let remove = |path: &std::path::Path, report: &mut CollectReport| {
            report.files += 1;
            report.bytes += fs::metadata(path).map_or(0, |metadata| metadata.len());
            if dry_run { Ok(()) } else { self.disk.remove(path) }
        };
        let mut newer = 0;
        for version in present {
            let path = catalog_dir.join(crate::format::catalog_name(version));
            let entry = history.iter().find(|entry| entry.version == version);
            // A catalog that the live version's history does not know was written and never made live.
            if version != live.version() && entry.is_none_or(|entry| goes(newer, entry)) {
                let file = File::open(&path).map_err(Error::io("open", &path))?;
                if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                    remove(&path, &mut report)?;
                    report.versions.push(version);
                    continue;
                }
                report.held.push(version);
            }
            newer += usize::from(entry.is_some());
            report.kept.push(version);
        }
        report.kept.reverse();
        report.versions.reverse();
        if !dry_run && !report.versions.is_empty() {
            // A catalog must not come back after a crash that its segments did not survive.
            self.disk.sync_dir(&catalog_dir)?;
        }

        let mut used: HashSet<(u64, u32)> = HashSet::new();
        // Of a version that cannot be read, anything up to its own number may be in use.
        let mut unknown_up_to = 0;
        for &version in &report.kept {
            match Store::open_version(&self.root, version).and_then(|store| store.segment_names()) {
                Ok(segments) => used.extend(segments),
                Err(_) => unknown_up_to = version,
            }
        }
        let used_versions: HashSet<u64> = used.iter().map(|&(version, _)| version).collect();
        for name in names(&self.segment_dir())? {
            let is_garbage = match (parse_segment_name(&name), parse_chunks_name(&name)) {
                (Some(segment), _) => segment.0 > unknown_up_to && !used.contains(&segment),
                (_, Some(version)) => version > unknown_up_to && !used_versions.contains(&version),
                _ => false,
            };
            if is_garbage {
                remove(&self.segment_dir().join(name), &mut report)?;
            }
        }
        Ok(report)
    }
}
