//! Where the rows of a store came from, as the check against its source has to know.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::appended::Appended;
use super::check_report::Kept;
use super::settings::Settings;
use crate::error::Result;
use crate::format::FileStatus;
use crate::source::{FileOutcome, Input, InputFile, Survey};
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
