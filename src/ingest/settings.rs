//! What a store remembers of how it was built, so that it can be checked and updated the same way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::appended::Appended;
use super::join::{Join, LeftOut};
use super::limit::Limit;
use super::rolled::Rolled;
use crate::error::{Error, Result};
use crate::reason::Reason;
use crate::source::{SourceOptions, absolute};
use crate::store::Store;

/// The settings table of a catalog, as JSON.
#[derive(Debug, Serialize)]
struct StoreSettings<'a> {
    /// The command that wrote the version.
    command: &'a str,
}

/// What a catalog remembers of a version that `command` makes, as it holds it.
pub(super) fn store_settings(command: &str) -> Result<String> {
    serde_json::to_string(&StoreSettings { command }).map_err(Error::failed("note the settings"))
}

/// The settings table of a source, as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    /// The directory of its files, absolute; `None` where it has none, and all its rows were appended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    /// How the input was found and read.
    pub(super) options: SourceOptions,
    /// The rows that appends brought.
    #[serde(default, skip_serializing_if = "Appended::is_empty")]
    pub(super) appended: Appended,
    /// Files that are gone although the store has rows of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) missing: BTreeSet<String>,
    /// Files that could not be used although the store has rows of them, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) skipped: BTreeMap<String, Reason>,
    /// Files whose rows are those of an older version that was restored, not what the files hold: they stand while the
    /// files are as they were.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) restored: BTreeSet<String>,
    /// How many skipped files are usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_skipped: Option<Limit>,
    /// Where its rows are of trading dates, what is known of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rolled: Option<Rolled>,
    /// How it joins the other sources.
    #[serde(default, skip_serializing_if = "Join::is_outer")]
    pub(super) join: Join,
    /// What it left out where it joins left.
    #[serde(default, skip_serializing_if = "LeftOut::is_empty")]
    pub(super) left_out: LeftOut,
}

impl Settings {
    /// The settings of a source of the files in `source`.
    pub(super) fn new(source: &Path, options: &SourceOptions) -> Settings {
        let mut settings = Settings::without_folder(options);
        settings.set_directory(source);
        settings
    }

    /// The settings of a source that has no files: its rows are appended.
    pub(super) fn without_folder(options: &SourceOptions) -> Settings {
        let calendar = options.calendar.as_deref().map(absolute);
        Settings {
            source: None,
            options: SourceOptions { calendar, ..options.clone() },
            appended: Appended::default(),
            missing: BTreeSet::new(),
            skipped: BTreeMap::new(),
            restored: BTreeSet::new(),
            max_skipped: None,
            rolled: None,
            join: Join::Outer,
            left_out: LeftOut::default(),
        }
    }

    /// Its files are in `source` from now on.
    pub(super) fn set_directory(&mut self, source: &Path) {
        let source = std::path::absolute(source).unwrap_or_else(|_| source.to_owned());
        self.source = Some(source.display().to_string());
    }

    /// The settings of the source that sees `store` so.
    ///
    /// # Errors
    /// When they are damaged.
    pub(super) fn of(store: &Store) -> Result<Settings> {
        let damaged = |error| Error::structure(store.path(), format!("its settings: {error}"));
        serde_json::from_str(&store.settings()?).map_err(damaged)
    }

    /// As the source's tables hold them.
    pub(super) fn encode(&self) -> Result<String> {
        serde_json::to_string(self).map_err(Error::failed("note the settings"))
    }
}
