//! Where the rows of a store came from, as the check against its source has to know.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::appended::Appended;
use super::check_report::Kept;
use super::settings::Settings;
use crate::error::Result;
use crate::format::FileStatus;
use crate::reason::Kind;
use crate::skipped::Skipped;
use crate::source::{FileOutcome, Input, InputFile, Survey, beside_unusable};
use crate::store::{FileEntry, Store};

/// Where the rows of each of the store's stocks came from, and come from now.
pub(super) struct Origins<'a> {
    /// The codes, by place in code order.
    pub(super) codes: Vec<&'a str>,
    /// For each, why its rows stay, and their file; `None` where a file is to be compared.
    pub(super) kept: Vec<Option<(Kept, Option<String>)>>,
    /// The rows that were appended.
    pub(super) appended: &'a Appended,
    /// What the store remembers of the files' contents, by path.
    contents: HashMap<String, u128>,
}

impl<'a> Origins<'a> {
    /// Of the rows of `store`, which was made from the files `sources`; of these some are `missing`.
    pub(super) fn new(
        store: &'a Store,
        survey: &Survey,
        (sources, missing): (&[FileEntry], &[String]),
        settings: &'a Settings,
    ) -> Result<Origins<'a>> {
        let compared: HashSet<&str> = survey.inputs.iter().map(|input| input.code.as_str()).collect();
        let skipped: HashSet<&str> = survey.skipped.iter().map(|skipped| skipped.path.as_str()).collect();
        // Of the files of a stock the one that keeps it from being compared.
        let mut files: HashMap<&str, (Kept, &str)> = HashMap::new();
        for source in sources.iter().filter(|source| source.status != FileStatus::Skipped) {
            let Some(code) = source.code.as_deref() else { continue };
            let path = source.path.as_str();
            let is_missing = missing.binary_search(&source.path).is_ok();
            match files.entry(code) {
                Entry::Vacant(vacant) if !is_missing && skipped.contains(path) => {
                    _ = vacant.insert((Kept::Skipped, path))
                }
                Entry::Vacant(vacant) => _ = vacant.insert((Kept::Missing, path)),
                Entry::Occupied(mut occupied) if is_missing => _ = occupied.insert((Kept::Missing, path)),
                Entry::Occupied(_) => {}
            }
        }
        let why = |code: &str| match files.get(code) {
            _ if compared.contains(code) => None,
            Some((why, path)) => Some((*why, Some((*path).to_owned()))),
            None => Some((Kept::Appended, None)),
        };
        let codes = store.stocks()?;
        let kept = codes.iter().map(|code| why(code)).collect();
        let was_read = sources.iter().filter(|source| source.status != FileStatus::Skipped);
        let contents = was_read.map(|source| (source.path.clone(), source.content_hash)).collect();
        Ok(Origins { codes, kept, appended: &settings.appended, contents })
    }

    /// From which version on what was appended to a stock stands, whatever the files of `input` say, of which `outcomes`
    /// has what they hold now; as an update has it.
    pub(super) fn stands_since(&self, input: &Input, outcomes: &[FileOutcome]) -> u64 {
        let since = |(file, outcome): (&InputFile, &FileOutcome)| {
            let path = file.path.display().to_string();
            if self.contents.get(&path) == Some(&outcome.content_hash) {
                return 1;
            }
            self.appended.unchanged_since(&path, outcome.content_hash).unwrap_or(u64::MAX)
        };
        input.files.iter().zip(outcomes).map(since).max().unwrap_or(u64::MAX)
    }
}

/// Leaves out the inputs that the store has nothing of because they were too large for the memory then, and have not
/// changed since: with more memory they could be read, and nothing would be found in the store to compare them with.
pub(super) fn leave_out(survey: &mut Survey, sources: &[FileEntry]) {
    let is_refused = |entry: &&FileEntry| {
        entry.status == FileStatus::Skipped && entry.reason.as_ref().is_some_and(|why| why.kind() == Kind::TooLarge)
    };
    let refused: HashMap<&Path, &FileEntry> =
        sources.iter().filter(is_refused).map(|entry| (Path::new(&entry.path), entry)).collect();
    let entry_of = |file: &InputFile| {
        let same = |entry: &&&FileEntry| (entry.bytes, entry.modified_ns) == (file.byte_len, file.modified_ns);
        refused.get(file.path.as_path()).filter(same)
    };
    let (left_out, inputs) = std::mem::take(&mut survey.inputs)
        .into_iter()
        .partition::<Vec<_>, _>(|input| input.files.iter().any(|file| entry_of(file).is_some()));
    survey.inputs = inputs;
    for input in left_out {
        let bad = input.files.iter().find_map(entry_of).map_or("", |entry| entry.path.as_str());
        survey.skipped.extend(input.files.iter().map(|file| {
            let reason = entry_of(file).and_then(|entry| entry.reason.clone()).unwrap_or_else(|| beside_unusable(bad));
            Skipped { path: file.path.display().to_string(), reason }
        }));
    }
}
