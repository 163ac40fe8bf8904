//! A build whose files were all read: what it says of them, and how its version becomes live.

use std::path::Path;

use super::build_report::{BuildReport, guard_skipped, nothing_to_store, report, source_entries, told_of_a_store};
use super::first::{SealedPieces, add_sealed, begin_history};
use super::gather::intake::Gathered;
use super::guard::{Guard, Guards};
use super::limit::Limit;
use super::rolled::Rolled;
use super::settings::{Settings, store_settings};
use super::sparse::guard_sparse;
use super::spelling::date_form;
use crate::error::{Error, Result};
use crate::key::Date;
use crate::progress::Observer;
use crate::source::Survey;
use crate::store::{FileEntry, Snapshot, SnapshotTables, SourceContents, Store, StoreWriter};

/// What is known once all files were read.
pub(super) struct Making<'a> {
    survey: &'a Survey,
    gathered: &'a Gathered,
    files: Vec<FileEntry>,
    settings: String,
    guards: Guards,
    max_skipped: Option<Limit>,
}

impl<'a> Making<'a> {
    /// Of the files in `source`, of which so many are skipped usually.
    pub(super) fn new(
        (survey, gathered): (&'a Survey, &'a Gathered),
        source: &Path,
        allowed: &[Guard],
        max_skipped: Option<Limit>,
    ) -> Result<Making<'a>> {
        let rolled = Rolled::new(survey, gathered, None, &[]);
        let settings = Settings { max_skipped, rolled, ..Settings::new(source, survey.options()) }.encode()?;
        let files = source_entries(survey, gathered);
        let mut guards = Guards::new(allowed);
        guard_skipped(&files, max_skipped, &mut guards);
        guard_sparse(survey, 0, 0, &mut guards);
        Ok(Making { survey, gathered, files, settings, guards, max_skipped })
    }

    /// Whether a guard stops it.
    ///
    /// # Errors
    /// When there is no row: not one of `sections`.
    pub(super) fn stops(&self, sections: &[(Date, u32)]) -> Result<bool> {
        match sections {
            [] => Err(nothing_to_store(self.survey, &self.files)),
            _ => Ok(self.guards.stop()),
        }
    }

    /// What would have been built, where a guard stopped it; `version` stays live.
    pub(super) fn stopped(self, mut snapshot: Snapshot, sections: &[(Date, u32)], version: u64) -> BuildReport {
        self.spell_dates(&mut snapshot, sections);
        BuildReport { version, published: false, ..self.report(&snapshot, sections) }
    }

    /// Makes the version live.
    ///
    /// # Errors
    /// When it cannot be written, or the observer cancels.
    pub(super) fn publish(
        mut self,
        writer: &StoreWriter,
        mut snapshot: Snapshot,
        sections: &[(Date, u32)],
        sealed: SealedPieces,
        observer: &dyn Observer,
    ) -> Result<BuildReport> {
        told_of_a_store(&mut self.files, self.survey);
        let contents = self.fill(writer, &mut snapshot, sections, sealed)?;
        snapshot.sources[0].tables = SnapshotTables::New(contents);
        begin_history(writer, "build", &mut snapshot, sections.len() as u64);
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        writer.publish(&snapshot)?;
        Ok(self.report(&snapshot, sections))
    }

    /// Has `writer` go on from the version that this is of those dates alone which are `whole`; `sections` are all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn stage(
        &self,
        writer: &mut StoreWriter,
        mut snapshot: Snapshot,
        sections: &[(Date, u32)],
        sealed: SealedPieces,
        whole: impl Fn(Date) -> bool,
    ) -> Result<()> {
        let mut contents = self.fill(writer, &mut snapshot, sections, sealed)?;
        contents.parts.retain(|part| Date::from_days(part.date).is_some_and(&whole));
        snapshot.pieces.retain(|piece| whole(piece.date));
        snapshot.sources[0].tables = SnapshotTables::New(contents);
        begin_history(writer, "build", &mut snapshot, sections.len() as u64);
        writer.stage(&snapshot)
    }

    /// Adds what was sealed to the version's pieces, and to what it says of the source.
    fn fill(
        &self,
        writer: &StoreWriter,
        snapshot: &mut Snapshot,
        sections: &[(Date, u32)],
        sealed: SealedPieces,
    ) -> Result<SourceContents> {
        snapshot.settings = store_settings("build")?;
        self.spell_dates(snapshot, sections);
        let (settings, files) = (self.settings.clone(), self.files.clone());
        let mut contents = SourceContents { settings, files, ..SourceContents::default() };
        add_sealed(sealed, &mut contents, snapshot, writer);
        Ok(contents)
    }

    /// How dates are spelt is decided when all are known.
    fn spell_dates(&self, snapshot: &mut Snapshot, sections: &[(Date, u32)]) {
        let dates = sections.iter().map(|&(date, _)| date);
        snapshot.set_date_form(date_form(self.survey, &self.gathered.read, dates));
    }

    fn report(self, snapshot: &Snapshot, sections: &[(Date, u32)]) -> BuildReport {
        report(self.survey, self.gathered, snapshot, &self.files, sections, (self.guards, self.max_skipped))
    }
}

/// The live version of the store that is built over, 0 where there is none.
pub(super) fn live_version(writer: &StoreWriter) -> u64 {
    writer.before().map_or(0, Store::version)
}
