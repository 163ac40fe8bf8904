//! The list of a source's files from one version to the next, and whether a list says anything new.

use std::collections::BTreeMap;

use super::settings::Settings;
use crate::format::FileStatus;
use crate::reason::Kind;
use crate::skipped::Skipped;
use crate::store::FileEntry;

/// Those of these files that are so.
pub(super) fn with_status(entries: &[FileEntry], status: FileStatus) -> impl Iterator<Item = &FileEntry> {
    entries.iter().filter(move |entry| entry.status == status)
}

/// The files of the new version. A file that can no longer be used keeps its entry as its rows stay, and will be read
/// again.
pub(super) fn sources_now(
    before: &[FileEntry],
    read: Vec<FileEntry>,
    touched: &[(String, i64)],
    pruned: &[&FileEntry],
    is_read_in_part: impl Fn(&str) -> bool,
) -> Vec<FileEntry> {
    let kept = before.iter().filter(|entry| entry.status != FileStatus::Skipped);
    let mut now: BTreeMap<String, FileEntry> = kept.map(|entry| (entry.path.clone(), entry.clone())).collect();
    for entry in pruned {
        now.remove(&entry.path);
    }
    for (path, modified_ns) in touched {
        if let Some(entry) = now.get_mut(path) {
            entry.modified_ns = *modified_ns;
        }
    }
    for mut entry in read {
        // A stock that was not read has its rows still.
        let had_rows = now.get(&entry.path).is_some_and(|before| before.status == FileStatus::Read);
        if had_rows && entry.status == FileStatus::Empty && is_read_in_part(&entry.path) {
            entry.status = FileStatus::Read;
        }
        if entry.status != FileStatus::Skipped || !now.contains_key(&entry.path) {
            now.insert(entry.path.clone(), entry);
        }
    }
    now.into_values().collect()
}

/// The files that the version with these files and settings skipped, and the kind of reason.
pub(super) fn skips_of(sources: &[FileEntry], settings: &Settings) -> BTreeMap<String, Kind> {
    let without_rows = sources.iter().filter_map(FileEntry::skipped).map(|skipped| (skipped.path, skipped.reason));
    let with_rows = settings.skipped.iter().map(|(path, reason)| (path.clone(), reason.clone()));
    without_rows.chain(with_rows).map(|(path, reason)| (path, reason.kind())).collect()
}

/// Whether the same files are skipped for the same kinds of reasons: a version says what its update skipped. Other words
/// are no news; they count other files.
pub(super) fn same_skips(before: &BTreeMap<String, Kind>, now: &[Skipped]) -> bool {
    let now = now.iter().map(|skipped| (skipped.path.clone(), skipped.reason.kind()));
    *before == now.collect::<BTreeMap<String, Kind>>()
}

/// Whether both lists hold the same files as far as they were read. Other times and bytes of files that hold the same
/// rows are no news: the next version remembers them, and until then those files are looked at again.
pub(super) fn same_files(before: &[FileEntry], now: &[FileEntry]) -> bool {
    let read = |entry: &&FileEntry| entry.status != FileStatus::Skipped;
    let (before, now) = (before.iter().filter(read), now.iter().filter(read));
    before.map(|entry| (&entry.path, entry.status)).eq(now.map(|entry| (&entry.path, entry.status)))
}
