//! A source without files, whose rows were all appended: an update leaves it as it is, and other options give its columns
//! other names, or take them away.

use std::collections::HashSet;

use super::join::Join;
use super::reshape::Reshaped;
use super::settings::{Settings, store_settings};
use super::steps::Step;
use super::update_report::UpdateReport;
use super::writing::Writing;
use crate::error::{Error, Result};
use crate::source::{Becomes, SourceOptions};
use crate::store::{Snapshot, SnapshotTables, StoreWriter};

/// Leaves a source as it is; where it `is_named`, the report says why.
///
/// # Errors
/// When the store is damaged.
pub(super) fn leave(writing: &Writing, writer: &StoreWriter, is_named: bool) -> Result<Step> {
    let whole = writer.live()?;
    let keep = writing.keep.of(whole.kept());
    let mut report = UpdateReport::of(whole, keep);
    report.dry_run = writing.dry_run;
    if is_named {
        report.notes.push("no folder to read: the rows are those that were appended".to_owned());
    }
    if keep == whole.kept() || writing.dry_run {
        return Ok(Step { report, snapshot: None });
    }
    let settings = store_settings("update")?;
    let snapshot = Snapshot { keep, settings, ..whole.snapshot(writer.version(), writer.commit())? };
    Ok(Step { report, snapshot: Some(snapshot) })
}

/// Gives the source at `place` these settings, which it has from `now` on. What frames of it are called by them are
/// columns by their names in the frames, or in the store.
///
/// # Errors
/// When that asks for more than names that differ and columns that go: there is nothing to read again. When a column
/// would have the name of another, or none were left; when the store is damaged.
pub(super) fn set(
    writing: &Writing,
    writer: &StoreWriter,
    place: usize,
    (then, mut now): (Settings, Settings),
) -> Result<Step> {
    let live = writer.live()?;
    let names = live.source_names()?;
    let name = names[place];
    let anew = if names.len() > 1 { "drop it and add its rows anew" } else { "write the store anew" };
    let panel = live.of_source(place).schema()?.clone();
    let own = panel.columns.iter().map(|column| column.name.clone()).collect();
    name_as_frames_do(&mut now.options, &then.options, &own);
    let of_names = |options: &SourceOptions| SourceOptions {
        columns: None,
        exclude: Vec::new(),
        renames: Vec::new(),
        prefix: String::new(),
        ..options.clone()
    };
    if of_names(&now.options) != of_names(&then.options) || now.max_skipped != then.max_skipped {
        let what =
            format!("the source {name:?} has no folder to read otherwise: its rows are those that were appended");
        return Err(Error::refused(what, format!("give it the path of one, or {anew}")));
    }
    if !then.options.reads_as(&now.options) {
        let what = format!("the source {name:?} has no folder: what was left out of its rows is gone");
        return Err(Error::refused(what, anew));
    }
    let stays = |key: &&str| then.options.column_under(&now.options, key).0 == Becomes::Named((*key).to_owned());
    if let Some(key) = panel.key_names().find(|key| !stays(key)) {
        let what = format!("{key} is part of the store's key, and stays as it is");
        return Err(Error::refused(what, "leave it out of what is renamed or excluded"));
    }
    let reshaped = Reshaped::of_rows(live, place, (&then.options, &now.options), writer)?;
    let whole = reshaped.store(live);
    let keep = writing.keep.of(live.kept());
    let mut report = UpdateReport::of(live, keep);
    report.dry_run = writing.dry_run;
    reshaped.describe(&mut report);
    report.joins_left = now.join != then.join;
    if then.join == Join::Left && now.join == Join::Outer {
        let note = "rows that were left out so far come in where they are given again";
        report.notes.push(note.to_owned());
    }
    let is_as_it_was = now.options == then.options && now.join == then.join && keep == live.kept();
    if is_as_it_was || writing.dry_run {
        return Ok(Step { report, snapshot: None });
    }
    let settings = store_settings("source set")?;
    let mut snapshot = Snapshot { keep, settings, ..whole.snapshot(writer.version(), writer.commit())? };
    let mut contents = whole.snapshot_contents(place)?;
    // What is known of the rows stays as it is.
    contents.settings = Settings { options: now.options, join: now.join, ..then }.encode()?;
    contents.stock_changes.note(reshaped.stocks.iter(), snapshot.version);
    snapshot.stock_changes.note(reshaped.stocks.iter(), snapshot.version);
    snapshot.sources[place].tables = SnapshotTables::New(contents);
    Ok(Step { report, snapshot: Some(snapshot) })
}

/// Makes of names that the store gave to columns, which are `own`, those that frames have for them.
fn name_as_frames_do(now: &mut SourceOptions, then: &SourceOptions, own: &HashSet<String>) {
    let of_frames: HashSet<String> = own.iter().map(|name| then.file_name(name)).collect();
    let named = |name: &mut String| {
        if !of_frames.contains(name) && own.contains(name) {
            *name = then.file_name(name);
        }
    };
    now.exclude.iter_mut().filter(|name| !then.exclude.contains(name)).for_each(named);
    now.columns.iter_mut().flatten().for_each(named);
    let renames = now.renames.iter_mut().filter(|rename| !then.renames.contains(rename));
    renames.for_each(|rename| named(&mut rename.from));
    let mut seen = HashSet::new();
    // Of two names for one column the newer stands.
    let mut renames: Vec<_> = std::mem::take(&mut now.renames);
    renames.reverse();
    renames.retain(|rename| seen.insert(rename.from.clone()));
    renames.reverse();
    now.renames = renames;
}
