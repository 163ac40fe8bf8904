//! What a store remembers of the rows that appends brought, so that an update can tell them from those of the files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::compare::Marks;
use crate::key::Date;
use crate::source::KnownFile;

/// The rows that appends brought and that no file has had since. Such a row stays, with its values, until its stock's
/// file has other bytes than it had then, and has the row itself; or until somebody appends again.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Appended {
    /// The dates on which there are such rows.
    dates: BTreeMap<Date, AppendedDate>,
    /// Files that were not as the store remembers them when rows of their stocks were appended, by path. Without this,
    /// a file that had changed before would seem to have changed since.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    files: BTreeMap<String, FileThen>,
}

/// Neighbouring rows of a section that one version appended: the version, the first row, how many.
type Run = (u64, u32, u32);

/// The appended rows of one date.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AppendedDate {
    /// By place in the section, which is as short as can be where all rows were appended.
    rows: Vec<Run>,
    /// The last version that took away the rows that were not given; 0 when none did.
    #[serde(default, skip_serializing_if = "is_zero")]
    replaced: u64,
}

/// A file as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FileThen {
    /// The first version that found it so.
    since: u64,
    byte_len: u64,
    modified_ns: i64,
    /// XXH3-128 of its bytes, low half first.
    content_hash: [u64; 2],
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Appended {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.dates.is_empty()
    }

    /// The dates on which there are some.
    pub(super) fn dates(&self) -> impl Iterator<Item = Date> {
        self.dates.keys().copied()
    }

    /// The appended rows of the section of `date`, which has so many rows.
    pub(super) fn marks(&self, date: Date, row_count: usize) -> Marks {
        let Some(AppendedDate { rows: runs, replaced }) = self.dates.get(&date) else { return Marks::default() };
        let mut rows = vec![0; row_count];
        for &(version, start, len) in runs {
            let end = (start as usize).saturating_add(len as usize).min(row_count);
            rows.get_mut(start as usize..end).unwrap_or_default().fill(version);
        }
        Marks { rows, replaced: *replaced }
    }

    /// Takes over what changed on these dates.
    pub(super) fn follow(&mut self, changed: impl IntoIterator<Item = (Date, AppendedDate)>) {
        for (date, now) in changed {
            match now.rows.is_empty() {
                true => self.dates.remove(&date),
                false => self.dates.insert(date, now),
            };
        }
        if self.dates.is_empty() {
            self.files.clear();
        }
    }

    /// What the file at `path` was when it was last looked at, where that is not what the store remembers.
    pub(super) fn file(&self, path: &str) -> Option<KnownFile> {
        self.files.get(path).map(FileThen::file)
    }

    /// Notes that the file at `path`, which the store remembers as `known`, is so `now` that `version` appends rows of its
    /// stock.
    pub(super) fn note_file(&mut self, path: &str, known: KnownFile, now: KnownFile, version: u64) {
        if self.file(path).is_some_and(|then| then.content_hash == now.content_hash) {
            return;
        }
        if now.content_hash == known.content_hash {
            self.files.remove(path);
        } else {
            self.files.insert(path.to_owned(), FileThen::new(version, now));
        }
    }

    /// Notes that the store remembers the file at `path` as it is `now`, which it was not yet when these rows were
    /// appended; `version` has them again.
    pub(super) fn note_restored(&mut self, path: &str, now: KnownFile, version: u64) {
        if !self.is_empty() && self.file(path).is_none_or(|then| then.content_hash != now.content_hash) {
            self.files.insert(path.to_owned(), FileThen::new(version, now));
        }
    }

    /// Whether the same rows are marked.
    pub(super) fn marks_as(&self, other: &Appended) -> bool {
        self.dates == other.dates
    }

    /// The dates on which there are other such rows than `then`.
    pub(super) fn dates_beyond(&self, then: &Appended) -> impl Iterator<Item = Date> {
        self.dates.iter().filter(|(date, marks)| then.dates.get(date) != Some(marks)).map(|(date, _)| *date)
    }

    /// From which version on rows were appended when the file at `path` had the content that it has now; `None` when it
    /// has changed since all of them.
    pub(super) fn unchanged_since(&self, path: &str, content_hash: u128) -> Option<u64> {
        self.files.get(path).filter(|then| then.file().content_hash == content_hash).map(|then| then.since)
    }

    /// The file at `path` is now remembered as it is.
    pub(super) fn forget_file(&mut self, path: &str) {
        self.files.remove(path);
    }
}

impl AppendedDate {
    /// The appended rows of a section whose rows have these versions, 0 for others.
    pub(super) fn new(versions: impl IntoIterator<Item = u64>, replaced: u64) -> AppendedDate {
        let mut rows: Vec<Run> = Vec::new();
        for (row, version) in versions.into_iter().enumerate().filter(|&(_, version)| version > 0) {
            let row = row as u32;
            match rows.last_mut() {
                Some((last, start, len)) if *last == version && *start + *len == row => *len += 1,
                _ => rows.push((version, row, 1)),
            }
        }
        AppendedDate { rows, replaced }
    }
}

impl FileThen {
    fn new(since: u64, file: KnownFile) -> FileThen {
        let KnownFile { byte_len, modified_ns, content_hash } = file;
        let content_hash = [content_hash as u64, (content_hash >> 64) as u64];
        FileThen { since, byte_len, modified_ns, content_hash }
    }

    fn file(&self) -> KnownFile {
        let [low, high] = self.content_hash;
        KnownFile {
            byte_len: self.byte_len,
            modified_ns: self.modified_ns,
            content_hash: u128::from(low) | u128::from(high) << 64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn file(content_hash: u128) -> KnownFile {
        KnownFile { byte_len: 7, modified_ns: -1, content_hash }
    }

    #[test]
    fn marks_survive_the_settings_and_whole_sections_take_little_of_them() {
        let (whole, part) = (vec![3; 5000], vec![0, 4, 4, 0, 3, 4]);
        let mut appended = Appended::default();
        appended.follow([
            (date("20240102"), AppendedDate::new(whole.iter().copied(), 0)),
            (date("20240103"), AppendedDate::new(part.iter().copied(), 4)),
        ]);
        let text = serde_json::to_string(&appended).unwrap();
        let expected = r#"{"dates":{"20240102":{"rows":[[3,0,5000]]},"#.to_owned()
            + r#""20240103":{"rows":[[4,1,2],[3,4,1],[4,5,1]],"replaced":4}}}"#;
        assert_eq!(text, expected);
        let appended: Appended = serde_json::from_str(&text).unwrap();
        assert_eq!(appended.marks(date("20240102"), 5000).rows, whole);
        let marks = appended.marks(date("20240103"), 6);
        assert_eq!((marks.rows, marks.replaced), (part, 4));
        assert!(appended.marks(date("20240104"), 6).is_empty());
    }

    #[test]
    fn runs_that_reach_beyond_the_section_are_cut() {
        let text = r#"{"dates":{"20240102":{"rows":[[3,4294967295,4294967295],[4,1,4294967295],[5,9,1]]}}}"#;
        let appended: Appended = serde_json::from_str(text).unwrap();
        assert_eq!(appended.marks(date("20240102"), 3).rows, [0, 4, 4]);
        assert!(serde_json::from_str::<Appended>(r#"{"dates":{"20240132":{"rows":[]}}}"#).is_err());
    }

    #[test]
    fn a_file_is_noted_while_it_is_not_what_the_store_remembers() {
        let mut appended = Appended::default();
        let hash = u128::MAX - 5;
        appended.note_file("A", file(1), file(hash), 3);
        appended.note_file("A", file(1), file(hash), 4);
        let text = serde_json::to_string(&appended).unwrap();
        let mut appended: Appended = serde_json::from_str(&text).unwrap();
        assert_eq!(appended.unchanged_since("A", hash), Some(3));
        assert_eq!((appended.unchanged_since("A", 1), appended.unchanged_since("B", hash)), (None, None));
        // It changes once more, and then back to what the store knows.
        appended.note_file("A", file(1), file(2), 5);
        assert_eq!((appended.unchanged_since("A", hash), appended.unchanged_since("A", 2)), (None, Some(5)));
        appended.note_file("A", file(1), file(1), 6);
        assert_eq!(appended.file("A").map(|file| file.content_hash), None);
    }
}
