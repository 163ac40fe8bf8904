//! Several changes that become one version: each goes on from the one before, and only the last is published.

use super::expected::{Brought, Expected, guard_expected};
use super::gather::stages::Stages;
use super::guard::{Guard, Guards};
use super::limit::Limit;
use super::settings::store_settings;
use super::update_report::UpdateReport;
use crate::error::{Error, Result};
use crate::store::{Snapshot, Store, StoreWriter};

/// One change of one source.
pub(super) struct Step {
    pub(super) report: UpdateReport,
    /// What it makes of the store, its segments written; `None` where nothing is to be published.
    pub(super) snapshot: Option<Snapshot>,
}

impl Step {
    /// The same, told as that of the source `name`, with ways out that are for it.
    pub(super) fn of_source(mut self, name: &str) -> Step {
        self.report.be_of_source(name);
        self
    }
}

/// The changes so far.
pub(super) struct Steps<'w> {
    writer: &'w mut StoreWriter,
    command: &'static str,
    dry_run: bool,
    /// The most rows that all changes together may restate or remove.
    max_restated: Option<Limit>,
    /// How many changes found something that differs.
    changed_count: usize,
    report: Option<UpdateReport>,
    /// What the last change made, not staged yet.
    pending: Option<Snapshot>,
    is_staged: bool,
    /// Bytes of segments that were staged.
    staged_bytes: u64,
}

impl<'w> Steps<'w> {
    /// No change yet, of a `command`.
    ///
    /// # Errors
    /// When there is no store.
    pub(super) fn new(writer: &'w mut StoreWriter, dry_run: bool, command: &'static str) -> Result<Steps<'w>> {
        writer.live()?;
        let (max_restated, changed_count) = (None, 0);
        let (report, pending, is_staged, staged_bytes) = (None, None, false, 0);
        Ok(Steps { writer, command, dry_run, max_restated, changed_count, report, pending, is_staged, staged_bytes })
    }

    /// The same, of which all together may restate or remove no more rows than this.
    pub(super) fn limited(self, max_restated: Option<Limit>) -> Steps<'w> {
        Steps { max_restated, ..self }
    }

    /// What the next change is written with.
    pub(super) fn writer(&self) -> &StoreWriter {
        self.writer
    }

    /// Whether the changes so far make a version.
    pub(super) fn is_changed(&self) -> bool {
        self.pending.is_some() || self.is_staged
    }

    /// What the changes so far tell, if there was any.
    pub(super) fn report(&self) -> Option<&UpdateReport> {
        self.report.as_ref()
    }

    /// Makes what the changes so far have made what the next one goes on from.
    ///
    /// # Errors
    /// When it cannot be written, or the observer cancels.
    pub(super) fn before(&mut self, stages: &Stages) -> Result<()> {
        let Some(mut snapshot) = self.pending.take() else { return Ok(()) };
        if stages.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let report = self.report.clone().unwrap_or_default();
        snapshot.history = self.writer.history()?;
        snapshot.history.push(report.history_entry(self.writer, &snapshot, self.command));
        self.staged_bytes += snapshot.new_segments().map(|segment| segment.record.file_len).sum::<u64>();
        self.writer.stage(&snapshot)?;
        self.is_staged = true;
        Ok(())
    }

    /// Adds a change.
    pub(super) fn take(&mut self, step: Step) {
        self.changed_count += usize::from(step.report.changes_anything());
        match &mut self.report {
            Some(report) => report.join(step.report),
            none => *none = Some(step.report),
        }
        self.pending = step.snapshot.or(self.pending.take());
    }

    /// Adds what else a user should know.
    pub(super) fn note(&mut self, note: &str) {
        if let Some(report) = &mut self.report {
            report.notes.push(note.to_owned());
        }
    }

    /// Looks whether the date that is expected would be there, also of each source that is updated.
    ///
    /// # Errors
    /// When the store is damaged.
    pub(super) fn expect(&mut self, expected: Expected, brought: Brought<'_>, allowed: &[Guard]) -> Result<()> {
        let mut guards = Guards::new(allowed);
        if let Some(live) = self.writer.readers_version() {
            guard_expected(expected, live, brought, &mut guards)?;
        }
        if let Some(report) = &mut self.report {
            report.meet(guards);
        }
        Ok(())
    }

    /// Publishes what all changes have made, if nothing stopped any.
    ///
    /// # Errors
    /// When it cannot be written, or the observer cancels.
    pub(super) fn finish(mut self, stages: &Stages) -> Result<UpdateReport> {
        let Some(mut report) = self.report.take() else {
            return Ok(UpdateReport::default());
        };
        if self.dry_run && self.changed_count > 1 {
            report
                .notes
                .push("each source is counted by itself: a row that two of them change counts twice".to_owned());
            let rows = self.writer.readers_version().map_or(0, Store::row_count);
            report.judge_together(self.max_restated, rows);
        }
        if report.is_stopped() || self.dry_run {
            return Ok(report);
        }
        let is_counted = |snapshot: &Snapshot| match self.writer.readers_version() {
            Some(live) => snapshot.makes_anew(live).map(|makes_anew| !makes_anew),
            None => Ok(true),
        };
        let mut snapshot = match self.pending.take() {
            None if !self.is_staged => return Ok(report),
            Some(snapshot) if !self.is_staged && is_counted(&snapshot)? => snapshot,
            pending => {
                // Of several changes, one may undo what another did, and what was read anew may be what it was: only both ends
                // tell what differs.
                self.pending = pending;
                self.before(stages)?;
                let staged = self.writer.live()?;
                if let Some(live) = self.writer.readers_version() {
                    let diff = staged.diff(live)?;
                    report.recount(&diff.count_rows(&stages.workers, stages.observer)?, &diff)?;
                    report.judge_together(self.max_restated, live.row_count());
                    if report.is_stopped() {
                        return Ok(report);
                    }
                }
                let mut snapshot = staged.snapshot(self.writer.version(), self.writer.commit())?;
                snapshot.settings = store_settings(self.command)?;
                snapshot
            }
        };
        report.count(&snapshot);
        let changes = match self.writer.readers_version() {
            Some(live) => report.changes(live, &snapshot)?,
            None => None,
        };
        let entry = report.history_entry(self.writer, &snapshot, self.command);
        snapshot.set_history(self.writer.history()?, entry, changes);
        if stages.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        self.writer.publish(&snapshot)?;
        report.published(&snapshot);
        report.written_bytes += self.staged_bytes;
        Ok(report)
    }
}
