//! What a source remembers of its trading dates: which were known, and how many rows of which file wait for others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::appended::Appended;
use super::gather::intake::Gathered;
use crate::error::Result;
use crate::key::Date;
use crate::source::{SourceOptions, Survey};
use crate::store::Store;

/// What is remembered of a source whose rows are of trading dates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rolled {
    /// The trading dates that were known, as days since 1970, ascending.
    pub(super) days: Vec<i32>,
    /// By the path of their file, how many rows are left out until their trading date is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) waiting: BTreeMap<String, u64>,
}

impl Rolled {
    /// After what was read of `survey`; files that are neither read nor `pruned` are as they were `before`.
    pub(super) fn new(
        survey: &Survey,
        gathered: &Gathered,
        before: Option<&Rolled>,
        pruned: &[String],
    ) -> Option<Rolled> {
        let days = survey.trading()?.days().to_vec();
        let mut waiting = before.map(|before| before.waiting.clone()).unwrap_or_default();
        waiting.retain(|path, _| !pruned.contains(path));
        for read in &gathered.read {
            for (file, outcome) in survey.inputs[read.input].files.iter().zip(&read.files) {
                let path = file.path.display().to_string();
                match outcome.waiting {
                    0 => _ = waiting.remove(&path),
                    count => _ = waiting.insert(path, count),
                }
            }
        }
        Some(Rolled { days, waiting })
    }

    /// How many rows wait.
    pub(super) fn waiting_rows(&self) -> u64 {
        self.waiting.values().sum()
    }
}

/// The dates of `store` that are trading dates, where nothing else says which are. Where all files of a source are read
/// again, those say which dates it has, beside the rows `appended` to it.
///
/// # Errors
/// When the store is damaged.
pub(super) fn days_of(store: &Store, options: &SourceOptions, read: Option<(usize, &Appended)>) -> Result<Vec<i32>> {
    if options.roll.is_none() || options.calendar.is_some() {
        return Ok(Vec::new());
    }
    let Some((source, appended)) = read else { return Ok(days(store.dates()?)) };
    let mut all: Vec<i32> = appended.dates().map(Date::days).collect();
    for other in (0..store.source_names()?.len()).filter(|other| *other != source) {
        all.extend(days(store.of_source(other).dates()?));
    }
    Ok(all)
}

fn days(dates: &[Date]) -> Vec<i32> {
    dates.iter().map(|date| date.days()).collect()
}
