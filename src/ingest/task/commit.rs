//! Commits: publishes what the tasks made, from receipts alone.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use super::assembly::{Assembled, Cuts};
use super::part::Part;
use super::tasks::Tasks;
use crate::error::Result;
use crate::format::segment_name;
use crate::ingest::build_report::BuildReport;
use crate::ingest::gather::intake::Gathered;
use crate::ingest::making::Making;
use crate::reason::Reason;
use crate::segment::SealedSegment;
use crate::skipped::Skipped;
use crate::staging::{damaged, sealed_name};
use crate::storage::{Access, wait};
use crate::store::{Keep, Opening, Store, StoreWriter};

impl Tasks<'_> {
    /// Makes the version live. Reads no row, and moves the segments into the store. Where this plan was committed
    /// before, it says so and changes nothing: the report is of the store as it is then, and not
    /// [`published`](BuildReport::published).
    ///
    /// # Errors
    /// When a task is not done yet, there is another store, somebody else is committing, or something cannot be
    /// written. Nothing that tasks made is lost: the commit can be tried again.
    pub fn commit(&self) -> Result<BuildReport> {
        let started = Instant::now();
        if let Some(report) = self.committed() {
            return Ok(report);
        }
        let (plan, planned) = (&self.plan, self.planned()?);
        let assembled = Assembled::read(&self.staging, plan, &planned)?;
        let (parts, codes) = Part::read_all(&self.staging, plan, &planned)?;
        assembled.check(&parts)?;
        let read = parts.into_iter().flat_map(|part| part.read).collect();
        let gathered = Gathered { read, codes, ..Gathered::default() };
        let skipped = assembled.told.skipped.iter();
        let skipped = skipped.map(|(path, reason): &(String, Reason)| Skipped::new(path, reason.clone()));
        let unread: HashSet<usize> = assembled.told.unread.iter().copied().collect();
        let survey = planned.without(skipped.collect(), assembled.told.notes.clone(), &unread);
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
        let published = self.move_segments(&writer, &assembled.cuts, &sealed).and_then(|()| {
            making.publish(&writer, snapshot, &assembled.cuts.sections, (sealed, batches), self.observer)
        });
        let mut report = published.inspect_err(|_| {
            // It says more than an error about the leftovers.
            let _ = writer.clear_unpublished();
        })?;
        if let Err(why) = writer.collect(Keep::ONE) {
            report.notes.push(format!("files that no version uses could not be removed: {why}"));
        }
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    /// What there is to say where this plan was committed before.
    fn committed(&self) -> Option<BuildReport> {
        let store = Store::open(&self.plan.store).ok()?;
        let commit = self.plan.ids().commit;
        let entry = store.history().ok()?.into_iter().find(|entry| entry.commit == commit)?;
        Some(BuildReport {
            version: entry.version,
            rows: entry.rows,
            dates: entry.dates,
            notes: vec!["this plan was committed before".to_owned()],
            ..BuildReport::default()
        })
    }

    /// Moves the segments into the store, but those that an earlier attempt moved.
    fn move_segments(&self, writer: &StoreWriter, cuts: &Cuts, sealed: &[SealedSegment]) -> Result<()> {
        writer.sync_names()?;
        let to = writer.segment_dir()?;
        for (segment, cut) in sealed.iter().zip(&cuts.segments) {
            let (own, name) = (sealed_name(segment.id.ordinal), segment_name(segment.id.commit, segment.id.ordinal));
            let (dir, there) = match self.staging.look(&own)? {
                Some(found) => (&self.staging, Some(found)),
                None => (&to, to.look(&name)?),
            };
            if there.is_none_or(|found| !found.is_file() || found.byte_len != segment.file_len) {
                let band = cuts.band_of(&self.plan, cut);
                let what = match there {
                    Some(_) => format!("it is not what seal {band} left"),
                    None => "it is gone".to_owned(),
                };
                return Err(damaged(&self.staging.path().join(&own), what, format!("run seal {band} again")));
            }
            if std::ptr::eq(dir, &self.staging) {
                to.take(&self.staging, &own, &name)?;
            }
        }
        to.sync()
    }
}
