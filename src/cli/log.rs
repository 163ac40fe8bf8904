//! `transect log`

use std::io::{self, IsTerminal};

use crate::quantity;
use crate::store::{DiffReport, VersionEntry};
use serde::Serialize;

use super::args::LogArgs;
use super::diff::summary;
use super::exit::Exit;
use super::output;
use super::table::{Align, Table};

#[derive(Serialize)]
struct Json {
    store: String,
    live_version: u64,
    keep: u32,
    versions: Vec<Entry>,
    /// What the version that was asked for changed, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<Option<DiffReport>>,
}

#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    entry: VersionEntry,
    kept: bool,
}

pub fn run(args: &LogArgs, quiet: bool) -> anyhow::Result<Exit> {
    let store = args.io.open(&args.store, quiet)?;
    let kept = store.kept_versions()?;
    let entries = store.history()?.into_iter();
    let entries = entries.map(|entry| Entry { kept: kept.binary_search(&entry.version).is_ok(), entry });
    let versions: Vec<Entry> = entries.collect();
    let change = args.version.map(|version| store.changes_of(version)).transpose()?;
    let path = output::path(&args.store);
    if args.json {
        let json = Json { store: path, live_version: store.version(), keep: store.keep(), versions, change };
        output::print_json("log", Exit::Done, &json)?;
    } else {
        output::print(&match (args.version, change) {
            (Some(_), Some(Some(change))) => summary(&path, &change),
            (Some(version), _) if versions.first().is_some_and(|first| first.entry.version == version) => {
                format!("{path}: version {version} is the first, and has nothing before it\n")
            }
            (Some(version), _) => {
                format!(
                    "{path}: version {version} was built anew, or is one of long ago: what it changed is not known\n"
                )
            }
            (None, _) => table(&versions, store.version()).to_string(),
        })?;
    }
    Ok(Exit::Done)
}

/// For a person, as `info` shows times and counts.
fn table(versions: &[Entry], live: u64) -> Table {
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new(&[
        ("version", right),
        ("made", left),
        ("command", left),
        ("rows", right),
        ("added", right),
        ("restated", right),
        ("removed", right),
        ("filled", right),
        ("dirty dates", right),
        ("state", left),
    ]);
    for Entry { entry, kept, .. } in versions {
        let state = match kept {
            _ if entry.version == live => "live",
            true => "kept",
            false => "gone",
        };
        table.push([
            entry.version.to_string(),
            quantity::shown(entry.created_ns),
            entry.command.clone(),
            output::count(entry.rows),
            output::count(entry.added),
            output::count(entry.restated),
            output::count(entry.removed),
            output::count(entry.filled),
            output::count(entry.dirty_dates),
            state.to_owned(),
        ]);
    }
    if io::stdout().is_terminal() {
        table.fit(output::terminal_width(io::stdout()), 2);
    }
    table
}
