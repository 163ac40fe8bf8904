//! Runs `source drop` and `source rename`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::appended::Appended;
use super::gather::stages::{Stages, Which};
use super::guard::Guards;
use super::left::{check_outer, settle};
use super::revise::revision::{Given, Revised, Revision};
use super::seal::assemble::{Assembly, Target, assemble};
use super::seal::sealer::Sealer;
use super::settings::store_settings;
use super::steps::{Step, Steps};
use super::update_report::UpdateReport;
use super::writing::{Writing, setters};
use crate::compare::{Rule, Unread};
use crate::error::{Error, Result};
use crate::shuffle::Gathering;
use crate::store::{SourceContents, StoreWriter};

/// Takes a source out of a store, with its columns and the rows that no other source has, or gives it another name.
/// Older versions keep what they have of it.
pub struct ChangeSource<'a> {
    writing: Writing<'a>,
    name: String,
    change: Change,
}

/// What becomes of the source.
enum Change {
    Drop,
    Rename(String),
}

impl<'a> ChangeSource<'a> {
    /// Takes the source `name` out of the store at `store`.
    pub fn drop(store: impl Into<PathBuf>, name: impl Into<String>) -> ChangeSource<'a> {
        ChangeSource::new(store.into(), name.into(), Change::Drop)
    }

    /// Gives the source `name` of the store at `store` another name.
    pub fn rename(store: impl Into<PathBuf>, name: impl Into<String>, other: impl Into<String>) -> ChangeSource<'a> {
        ChangeSource::new(store.into(), name.into(), Change::Rename(other.into()))
    }

    fn new(store: PathBuf, name: String, change: Change) -> ChangeSource<'a> {
        ChangeSource { writing: Writing::new(store), name, change }
    }

    setters!(workers, dry_run, wait, access, observer, disk);

    /// Makes the change, and publishes it as a version.
    ///
    /// # Errors
    /// When there is no such store or source, the new name is taken, the only source would be dropped, the store cannot be
    /// read or written, or the observer cancels; then the version that was live before stays live.
    pub fn run(self) -> Result<UpdateReport> {
        self.writing.change(|stages, writer| self.write(stages, writer))
    }

    fn write(&self, stages: &Stages, writer: &mut StoreWriter) -> Result<UpdateReport> {
        let command = match self.change {
            Change::Drop => "source drop",
            Change::Rename(_) => "source rename",
        };
        let mut steps = Steps::new(writer, self.writing.dry_run, command)?;
        let step = match &self.change {
            Change::Drop => self.drop_it(stages, steps.writer())?,
            Change::Rename(other) => self.rename_it(steps.writer(), other)?,
        };
        steps.take(step);
        // Who drops a source is asking for it.
        settle(&mut steps, stages, &self.writing, |_, _, _| {})?;
        steps.finish(stages)
    }

    fn rename_it(&self, writer: &StoreWriter, other: &str) -> Result<Step> {
        let whole = writer.live()?;
        let place = whole.find_source(&self.name)?;
        if whole.source_names()?.contains(&other) {
            let what = format!("{} has a source {other:?} already", whole.path().display());
            return Err(Error::refused(what, "choose another name"));
        }
        let mut snapshot = whole.snapshot(writer.version(), writer.commit())?;
        snapshot.settings = store_settings("source rename")?;
        other.clone_into(&mut snapshot.sources[place].name);
        let mut report = UpdateReport::of(whole, whole.kept());
        report.dry_run = self.writing.dry_run;
        Ok(Step { report, snapshot: (!self.writing.dry_run).then_some(snapshot) })
    }

    fn drop_it(&self, stages: &Stages, writer: &StoreWriter) -> Result<Step> {
        let whole = writer.live()?;
        let place = whole.find_source(&self.name)?;
        if whole.source_names()?.len() == 1 {
            let what = format!("{:?} is the only source of {}", self.name, whole.path().display());
            return Err(Error::refused(what, "add another before it is dropped"));
        }
        check_outer(whole, place)?;
        let before = &whole.of_source(place);
        let panel = before.schema()?.clone();
        let (key, dates) = (panel.key.clone(), before.dates()?.to_vec());
        let lost: Vec<String> = panel
            .columns
            .iter()
            .enumerate()
            .filter(|(index, _)| !key.contains(index))
            .map(|(_, column)| column.name.clone())
            .collect();
        let target = Target { before: Some(whole), place, name: &self.name };
        let Assembly { mut snapshot, columns, .. } = assemble(panel, &[], &[], writer.ids(), whole.kept(), target)?;
        let spill = stages.spill(writer, 0)?.map()?;
        let gathering = Gathering { blocks: &[], spill: &spill, stocks: Vec::new(), codes: Vec::new() };
        let goes = Rule::anew(Unread::Goes);
        let reread: HashMap<&str, Rule> = whole.stocks()?.into_iter().map(|code| (code, goes)).collect();
        let (appended, given) = (&Appended::default(), Given::ByStock);
        let scratch = stages.scratch(writer);
        let revised = Revised { whole, before, place, appended, given, outer: None, scratch };
        let sealer = Sealer { gathering, columns: Arc::clone(&columns) };
        let revision = Revision::new(sealer, revised, &snapshot, key, &reread, dates)?;
        let changes = revision.compare(stages)?;
        let mut report = UpdateReport::of(whole, whole.kept());
        report.dry_run = self.writing.dry_run;
        report.describe(&changes, &snapshot, &columns, before)?;
        report.describe_lost(lost);
        report.judge(None, whole.row_count(), Guards::new(&[]));
        report.refuse_empty(None)?;
        if self.writing.dry_run {
            return Ok(Step { report, snapshot: None });
        }
        snapshot.settings = store_settings("source drop")?;
        revision.write(stages, (writer, Which::All), &changes, (&mut snapshot, SourceContents::default()))?;
        let id = snapshot.sources.remove(place).id;
        snapshot.columns.retain(|column| column.source != id);
        Ok(Step { report, snapshot: Some(snapshot) })
    }
}
