//! What a build tells: the report to its caller, and the store's memory of each source file.

use std::collections::HashMap;

use arrow_array::Array;
use serde::Serialize;

use super::gather::intake::{Gathered, panel_of};
use super::guard::{EXAMPLES, Guard, GuardMet, Guards, ONE, is_many};
use super::limit::Limit;
use super::named_codes::codes_note;
use super::sparse::lone_note;
use super::spelling::date_note;
use crate::error::Error;
use crate::format::FileStatus;
use crate::key::Date;
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};
use crate::skipped::Skipped;
use crate::source::{Cast, FilesBy, Input, InputFile, KnownFile, OptionChanges, Survey, shown};
use crate::store::{FileEntry, Snapshot};

/// What a build did.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct BuildReport {
    /// The live version.
    pub version: u64,
    /// Whether the build made it.
    pub published: bool,
    /// The guards that were met. One that was not allowed stopped the build.
    pub guards: Vec<GuardMet>,
    /// How many skipped files are usual, if somebody has said so.
    pub max_skipped: Option<Limit>,
    /// Rows in the store.
    pub rows: u64,
    /// Stocks with a row.
    pub stocks: u64,
    /// Dates with a row.
    pub dates: u64,
    /// The first date.
    pub first_date: Option<Date>,
    /// The last date.
    pub last_date: Option<Date>,
    /// Columns, code and date included.
    pub columns: u64,
    /// How the output will spell dates.
    pub date_form: String,
    /// Files found.
    pub files: u64,
    /// Bytes of the files read.
    pub source_bytes: u64,
    /// Bytes of the segments.
    pub store_bytes: u64,
    /// Rows left out because another row of the stock has the same key.
    pub merged_rows: u64,
    /// Rows left out because their date cannot be read.
    pub dropped_rows: u64,
    /// Rows left out for now because their trading date is not known yet.
    pub waiting_rows: u64,
    /// Files without rows.
    pub empty_files: Vec<String>,
    /// Files that could not be used.
    pub skipped: Vec<Skipped>,
    /// What else a user should know.
    pub notes: Vec<String>,
    /// Wall-clock seconds.
    pub seconds: f64,
}

impl BuildReport {
    /// Whether no more files were skipped than is usual.
    pub fn skips_are_usual(&self) -> bool {
        self.max_skipped.unwrap_or(Limit::Count(0)).allows(self.skipped.len() as u64, self.files)
    }
}

/// What the store remembers of each file, by path.
pub(super) fn source_entries(survey: &Survey, gathered: &Gathered) -> Vec<FileEntry> {
    let entry = |input: &Input, file: &InputFile, status| FileEntry {
        path: file.path.display().to_string(),
        status,
        code: (survey.options().files_by == FilesBy::Stock).then(|| input.unit.clone()),
        reason: None,
        bytes: file.byte_len,
        modified_ns: file.modified_ns,
        content_hash: 0,
        rows: 0,
        merged: 0,
        dropped: 0,
    };
    let mut entries = Vec::new();
    for read in &gathered.read {
        let input = &survey.inputs[read.input];
        for (file, outcome) in input.files.iter().zip(&read.files) {
            let has_rows = outcome.rows + outcome.merged + outcome.waiting > 0;
            let status = if has_rows { FileStatus::Read } else { FileStatus::Empty };
            entries.push(FileEntry {
                rows: outcome.rows,
                merged: outcome.merged,
                dropped: outcome.dropped,
                content_hash: outcome.content_hash,
                ..entry(input, file, status)
            });
        }
    }
    let unread = survey.unread.iter().flat_map(|input| input.files.iter().map(move |file| (input, file)));
    let unread: HashMap<String, FileEntry> =
        unread.map(|(input, file)| (shown(file.path.as_os_str()), entry(input, file, FileStatus::Skipped))).collect();
    for skipped in &survey.skipped {
        let unlooked = || FileEntry {
            path: skipped.path.clone(),
            status: FileStatus::Skipped,
            code: None,
            reason: None,
            bytes: 0,
            modified_ns: 0,
            content_hash: 0,
            rows: 0,
            merged: 0,
            dropped: 0,
        };
        let known = unread.get(&skipped.path).cloned().unwrap_or_else(unlooked);
        entries.push(FileEntry { reason: Some(skipped.reason.clone()), ..known });
    }
    // A file that several stocks are in is one: as it was read, and skipped where no stock could be.
    entries.sort_by(|a, b| (&a.path, a.status as u32).cmp(&(&b.path, b.status as u32)));
    entries.dedup_by(|other, entry| {
        let is_same = other.path == entry.path;
        if is_same && other.status != FileStatus::Skipped {
            entry.rows += other.rows;
            entry.merged += other.merged;
            entry.code = entry.code.take().filter(|code| other.code.as_ref() == Some(code));
        }
        is_same
    });
    entries
}

/// Has what would help files that were skipped, and what an update may not be able to follow now that the store is there
/// and has its columns and types, go with a build that replaces it.
pub(super) fn told_of_a_store(files: &mut [FileEntry], survey: &Survey) {
    let (panel, options) = (panel_of(survey), survey.options());
    let is_too_late = |setting: &Setting| match setting {
        Setting::Cast(casts) => {
            let casts = casts.iter().filter_map(|cast| cast.to_string().parse::<Cast>().ok()).collect();
            !OptionChanges { casts, ..OptionChanges::default() }.can_be_followed(&panel, options)
        }
        Setting::Exclude(names) => names.iter().any(|name| panel.index_of(&options.name_of(name)).is_some()),
        _ => false,
    };
    files.iter_mut().filter_map(|file| file.reason.as_mut()).for_each(|reason| reason.force(is_too_late));
}

/// What the store remembers of a file that can be told to be unchanged. One that was skipped is looked at again each
/// time: what was wrong may have lain elsewhere.
pub(super) fn known_file(entry: &FileEntry) -> Option<KnownFile> {
    let FileEntry { bytes, modified_ns, content_hash, .. } = *entry;
    (entry.status != FileStatus::Skipped).then_some(KnownFile { byte_len: bytes, modified_ns, content_hash })
}

/// Why there is no store: every file was skipped, or empty.
pub(super) fn nothing_to_store(survey: &Survey, files: &[FileEntry]) -> Error {
    let without_rows = |file: &FileEntry| {
        let reason = match (file.status, &survey.options().calendar) {
            (FileStatus::Read, Some(calendar)) => {
                let what = format!("has no row whose trading date the calendar {calendar} knows");
                Reason::new(Kind::NoRows, what).or(Remedy::set(Setting::Calendar, "names one that does"))
            }
            (FileStatus::Read, None) => Reason::new(Kind::NoRows, "has no row whose trading date is known"),
            _ => Reason::new(Kind::NoRows, "has no rows"),
        };
        Skipped::new(&file.path, reason)
    };
    let skipped = files.iter().map(|file| file.skipped().unwrap_or_else(|| without_rows(file)));
    let what = format!("no row in {} can be stored", survey.root.display());
    Error::Inputs { what, skipped: skipped.collect(), path: Some(survey.root.as_path().into()) }
}

/// Notes where too many of a build's files were skipped.
pub(super) fn guard_skipped(sources: &[FileEntry], usual: Option<Limit>, guards: &mut Guards) {
    let skipped = || sources.iter().filter(|source| source.status == FileStatus::Skipped);
    let (count, all) = (skipped().count() as u64, sources.len() as u64);
    if is_many(count, all, ONE) && !usual.is_some_and(|usual| usual.allows(count, all)) {
        let examples = skipped().take(EXAMPLES).map(|source| source.path.clone()).collect();
        guards.meet(Guard::SkippedFiles, (count, all), format!("{count} of {all} files would be skipped"), examples);
    }
}

/// What a build of `snapshot` did.
pub(super) fn report(
    survey: &Survey,
    gathered: &Gathered,
    snapshot: &Snapshot,
    sources: &[FileEntry],
    sections: &[(Date, u32)],
    (guards, max_skipped): (Guards, Option<Limit>),
) -> BuildReport {
    let with = |status| sources.iter().filter(move |source| source.status == status);
    let mut notes = survey.notes.clone();
    notes.extend(lone_note(survey, 0));
    notes.extend(date_note(survey, &gathered.read, &snapshot.date_form(), true));
    notes.extend(codes_note(survey, &gathered.read));
    BuildReport {
        version: snapshot.version,
        published: true,
        guards: guards.into_parts().0,
        max_skipped,
        rows: sections.iter().map(|&(_, rows)| u64::from(rows)).sum(),
        stocks: snapshot.dictionaries[0].len() as u64,
        dates: sections.len() as u64,
        first_date: sections.first().map(|&(date, _)| date),
        last_date: sections.last().map(|&(date, _)| date),
        columns: snapshot.columns.len() as u64,
        date_form: snapshot.date_form().to_string(),
        files: sources.len() as u64,
        source_bytes: with(FileStatus::Read).map(|source| source.bytes).sum(),
        store_bytes: snapshot.new_segments().map(|segment| segment.record.file_len).sum(),
        merged_rows: sources.iter().map(|source| source.merged).sum(),
        dropped_rows: sources.iter().map(|source| source.dropped).sum(),
        waiting_rows: gathered.read.iter().flat_map(|read| &read.files).map(|file| file.waiting).sum(),
        empty_files: with(FileStatus::Empty).map(|source| source.path.clone()).collect(),
        skipped: sources.iter().filter_map(FileEntry::skipped).collect(),
        notes,
        seconds: 0.0,
    }
}
