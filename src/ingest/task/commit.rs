//! Commits: publishes what the tasks made, from receipts alone.

use std::path::Path;
use std::time::Instant;

use super::assembly::{Assembled, Cuts};
use super::part::Part;
use super::sealed::{take_segment, unstage};
use super::tasks::Tasks;
use crate::error::Result;
use crate::ingest::build_report::{BuildReport, source_entries, told_of_a_store};
use crate::ingest::gather::intake::Gathered;
use crate::ingest::making::Making;
use crate::segment::SealedSegment;
use crate::storage::{Access, wait};
use crate::store::{FileEntry, Keep, Opening, Store, StoreWriter};

impl Tasks<'_> {
    /// Makes the version live. Reads no row, and gives the segments their names in the store. Where this plan was committed
    /// before, it says so and changes nothing: the report is of the store as it is then, and not
    /// [`published`](BuildReport::published).
    ///
    /// # Errors
    /// When a task is not done yet, there is another store, somebody else is committing, or something cannot be
    /// written. Nothing that tasks made is lost: the commit can be tried again.
    pub fn commit(&self) -> Result<BuildReport> {
        self.check_of_store()?;
        let started = Instant::now();
        let (plan, planned) = (&self.plan, self.planned()?);
        if let Some(mut report) = self.committed() {
            self.bring_files(&mut report)?;
            return Ok(report);
        }
        let assembled = Assembled::read(&self.staging, plan, &planned)?;
        let (parts, codes) = Part::read_all(&self.staging, plan, &planned)?;
        assembled.check(&parts)?;
        let read = parts.into_iter().flat_map(|part| part.read).collect();
        let gathered = Gathered { read, codes, ..Gathered::default() };
        let survey = assembled.told.clone().left(planned);
        let making =
            Making::new((&survey, &gathered), Path::new(plan.agreed.root()), &plan.allowed(), plan.max_skipped)?;
        let made = assembled.made(plan, &survey, plan.ids())?;
        let sealed = self.sealed(&assembled, (made.snapshot.sources[0].id, &made.columns))?;

        let store = Path::new(&plan.store);
        let begin = || StoreWriter::begin(store, &self.disk, Access::Map, Opening::Create);
        let mut writer = match wait(self.patience, self.observer, begin) {
            // Somebody else may have committed meanwhile.
            Err(why) => return self.committed().ok_or(why),
            Ok(writer) => writer,
        };
        let snapshot = assembled.made(plan, &survey, writer.take_over(plan.ids())?)?.snapshot;
        let batches = assembled.cuts.pieces.iter().map(|&(date, piece, _)| (date, piece)).collect();
        let published = self.take_segments(&writer, &assembled.cuts, &sealed).and_then(|()| {
            making.publish(&writer, snapshot, &assembled.cuts.sections, (sealed, batches), self.observer)
        });
        let mut report = published.inspect_err(|_| {
            // It says more than an error about the leftovers.
            let _ = writer.clear_unpublished();
        })?;
        if let Err(why) = writer.collect(Keep::ONE) {
            report.notes.push(format!("files that no version uses could not be removed: {why}"));
        }
        drop(writer);
        unstage(0..assembled.cuts.segments.len() as u32, &self.staging);
        self.bring_files(&mut report)?;
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    /// What became of the files.
    fn files(&self) -> Result<Vec<FileEntry>> {
        let planned = self.planned()?;
        let (parts, _) = Part::read_all(&self.staging, &self.plan, &planned)?;
        let survey = Assembled::read(&self.staging, &self.plan, &planned)?.told.left(planned);
        let read = parts.into_iter().flat_map(|part| part.read).collect();
        let mut files = source_entries(&survey, &Gathered { read, ..Gathered::default() });
        told_of_a_store(&mut files, &survey);
        Ok(files)
    }

    /// What there is to say where this plan was committed before.
    fn committed(&self) -> Option<BuildReport> {
        let store = Store::open(&self.plan.store).ok()?;
        let commit = self.plan.ids().commit;
        let entry = store.history().ok()?.into_iter().find(|entry| entry.commit == commit)?;
        // For as long as receipts tell of them.
        let files = self.files().unwrap_or_default();
        Some(BuildReport {
            version: entry.version,
            rows: entry.rows,
            dates: entry.dates,
            max_skipped: self.plan.max_skipped,
            files: files.len() as u64,
            skipped: files.iter().filter_map(FileEntry::skipped).collect(),
            notes: vec!["this plan was committed before".to_owned()],
            ..BuildReport::default()
        })
    }

    /// Gives the segments their names in the store, but those that have them from an earlier attempt.
    fn take_segments(&self, writer: &StoreWriter, cuts: &Cuts, sealed: &[SealedSegment]) -> Result<()> {
        writer.sync_names()?;
        let to = writer.segment_dir()?;
        for (segment, cut) in sealed.iter().zip(&cuts.segments) {
            take_segment(segment, cuts.band_of(&self.plan, cut), &self.staging, &to)?;
        }
        to.sync()
    }
}
