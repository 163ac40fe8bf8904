//! Where the rows of a store came from, as the check against its source has to know.

use std::collections::{HashMap, HashSet};

use super::appended::Appended;
use super::check_report::Kept;
use crate::error::Result;
use crate::format::SourceStatus;
use crate::source::{Input, Survey};
use crate::store::Store;

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
    pub(super) fn new(store: &'a Store, survey: &Survey, appended: &'a Appended) -> Result<Origins<'a>> {
        let compared: HashSet<&str> = survey.inputs.iter().map(|input| input.code.as_str()).collect();
        let skipped: HashSet<&str> = survey.skipped.iter().map(|skipped| skipped.path.as_str()).collect();
        let sources = store.sources()?;
        let mut files: HashMap<&str, &str> = HashMap::new();
        for source in sources.iter().filter(|source| source.status != SourceStatus::Skipped) {
            files.extend(source.code.as_deref().map(|code| (code, source.path.as_str())));
        }
        let why = |code: &str| match files.get(code) {
            _ if compared.contains(code) => None,
            Some(path) if skipped.contains(path) => Some((Kept::Skipped, Some((*path).to_owned()))),
            Some(path) => Some((Kept::Missing, Some((*path).to_owned()))),
            None => Some((Kept::Appended, None)),
        };
        let codes = store.stocks()?;
        let kept = codes.iter().map(|code| why(code)).collect();
        let was_read = sources.iter().filter(|source| source.status != SourceStatus::Skipped);
        let contents = was_read.map(|source| (source.path.clone(), source.content_hash)).collect();
        Ok(Origins { codes, kept, appended, contents })
    }

    /// From which version on what was appended to a stock stands, whatever the file of `input` says, which holds these
    /// bytes now; as an update has it.
    pub(super) fn stands_since(&self, input: &Input, content_hash: u128) -> u64 {
        let path = input.path.display().to_string();
        if self.contents.get(&path) == Some(&content_hash) {
            return 1;
        }
        self.appended.unchanged_since(&path, content_hash).unwrap_or(u64::MAX)
    }
}
