//! Where the rows of a store came from, as the check against its source has to know.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::report::Kept;
use crate::error::Result;
use crate::format::FileStatus;
use crate::ingest::appended::Appended;
use crate::ingest::settings::Settings;
use crate::key::Date;
use crate::reason::Kind;
use crate::source::{BadFile, FileOutcome, Input, InputFile, Survey};
use crate::store::{FileEntry, Store};

/// Where the rows of a store came from, and come from now.
pub(super) struct Origins<'a> {
    /// The codes of the store's stocks, by place in code order.
    pub(in crate::ingest) codes: Vec<&'a str>,
    /// For each unit a file of it, and why its rows stay where none is to be compared.
    units: HashMap<String, (Option<Kept>, String)>,
    /// The rows that were appended.
    pub(in crate::ingest) appended: &'a Appended,
    /// What the store remembers of the files' contents, by path.
    contents: HashMap<String, u128>,
}

impl<'a> Origins<'a> {
    /// Of the rows of `store`, which was made from the files `sources`; of these some are `missing`.
    pub(in crate::ingest) fn new(
        store: &'a Store,
        survey: &Survey,
        (sources, missing): (&[FileEntry], &[String]),
        settings: &'a Settings,
    ) -> Result<Origins<'a>> {
        let skipped: HashSet<&str> = survey.skipped.iter().map(|skipped| skipped.path.as_str()).collect();
        // Of the files of a unit the one that keeps it from being compared.
        let mut units: HashMap<String, (Option<Kept>, String)> = HashMap::new();
        for source in sources.iter().filter(|source| source.status != FileStatus::Skipped) {
            let is_missing = missing.binary_search(&source.path).is_ok();
            for unit in survey.options().units_of(source.path.as_ref()) {
                let path = source.path.clone();
                match units.entry(unit) {
                    Entry::Vacant(vacant) if !is_missing && skipped.contains(path.as_str()) => {
                        _ = vacant.insert((Some(Kept::Skipped), path))
                    }
                    Entry::Vacant(vacant) => _ = vacant.insert((Some(Kept::Missing), path)),
                    Entry::Occupied(mut occupied) if is_missing => _ = occupied.insert((Some(Kept::Missing), path)),
                    Entry::Occupied(_) => {}
                }
            }
        }
        for Input { unit, files, .. } in &survey.inputs {
            units.insert(unit.clone(), (None, files[0].path.display().to_string()));
        }
        let was_read = sources.iter().filter(|source| source.status != FileStatus::Skipped);
        let contents = was_read.map(|source| (source.path.clone(), source.content_hash)).collect();
        Ok(Origins { codes: store.stocks()?, units, appended: &settings.appended, contents })
    }

    /// Why rows that were not compared stay, unless that is known, and a file of theirs. They are of this code or, where
    /// files are by date, of this date.
    pub(in crate::ingest) fn kept(&self, code: &str, date: Option<Date>, why: Option<Kept>) -> (Kept, Option<String>) {
        let unit = match date {
            None => self.units.get(code),
            Some(date) => {
                // Of a date, or of its month, or of its year.
                let text = date.to_string();
                [8, 6, 4].into_iter().find_map(|len| self.units.get(&text[..len]))
            }
        };
        match (why, unit) {
            (Some(why), unit) => (why, unit.map(|(_, path)| path.clone())),
            (None, Some((Some(why), path))) => (*why, Some(path.clone())),
            // Its file was to be compared and could not be read when its turn came.
            (None, Some((None, path))) => (Kept::Skipped, Some(path.clone())),
            (None, None) => (Kept::Appended, None),
        }
    }

    /// From which version on what was appended to a unit stands, whatever the files of `input` say, of which `outcomes`
    /// has what they hold now; as an update has it.
    pub(super) fn stands_since(&self, input: &Input, outcomes: &[FileOutcome]) -> u64 {
        let since = |(file, outcome): (&InputFile, &FileOutcome)| {
            let path = file.path.display().to_string();
            let is_known = self.contents.get(&path) == Some(&outcome.content_hash);
            let unchanged_since = self.appended.unchanged_since(&path, outcome.content_hash);
            unchanged_since.or(is_known.then_some(1)).unwrap_or(u64::MAX)
        };
        input.files.iter().zip(outcomes).map(since).max().unwrap_or(u64::MAX)
    }
}

/// The inputs that the store has nothing of because they were too large for the memory then, and have not changed since:
/// with more memory they could be read, and nothing would be found in the store to compare them with.
pub(super) fn refused_then(survey: &Survey, sources: &[FileEntry]) -> Vec<(usize, BadFile)> {
    let is_refused = |entry: &&FileEntry| {
        entry.status == FileStatus::Skipped && entry.reason.as_ref().is_some_and(|why| why.kind() == Kind::TooLarge)
    };
    let refused: HashMap<&Path, &FileEntry> =
        sources.iter().filter(is_refused).map(|entry| (Path::new(&entry.path), entry)).collect();
    let bad = |(place, input): (usize, &Input)| {
        let found = input.files.iter().enumerate().find_map(|(n, file)| {
            let entry = refused.get(file.path.as_path())?;
            let is_same = (entry.bytes, entry.modified_ns) == (file.byte_len, file.modified_ns);
            Some(BadFile { file: n, reason: entry.reason.clone().filter(|_| is_same)? })
        });
        found.map(|bad| (place, bad))
    };
    survey.inputs.iter().enumerate().filter_map(bad).collect()
}
