//! The long stages that builds and updates have in common: gathering the input, and sealing segments.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::intake::{Gathered, Intake};
use super::plan;
use super::texts::{Texts, enough_for};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::progress::Observer;
use crate::remedy::{Remedy, Setting};
use crate::segment::{BatchBody, Room, SealedSegment, SegmentColumn, SegmentId, SegmentWriter};
use crate::shuffle::{Gathering, Spill, Walk};
use crate::source::{BadFile, Survey, Surveyor};
use crate::storage::Syncs;
use crate::store::{Site, Store};
use crate::workers::{self, LEAST_MEMORY, Workers, available};

/// Into how many bands of dates a large spill is divided: about as many as a store of gigabytes has segments.
const BANDS: usize = 8;

/// How many workers have files of their own in the spill, one for each band; more share them, since a process may have
/// some thousand files open.
const SPILLING_WORKERS: usize = 16;

/// What one worker needs, at least: a block of some use, and beside it a file, a section and what the allocator keeps.
const WORKER_MEMORY: u64 = 16 << 20;

/// What runs the stages.
pub(in crate::ingest) struct Stages<'a> {
    pub(in crate::ingest) workers: Workers,
    pub(in crate::ingest) observer: &'a dyn Observer,
}

/// A batch that is to be written.
pub(in crate::ingest) struct PlannedBatch<T> {
    pub(in crate::ingest) date: Date,
    /// The number of its piece.
    pub(in crate::ingest) piece: u32,
    pub(in crate::ingest) row_count: u32,
    /// What it is made from.
    pub(in crate::ingest) of: T,
}

/// Where sealed segments go, and how they are called.
pub(in crate::ingest) struct SegmentPlace<'a> {
    pub(in crate::ingest) site: &'a dyn Site,
    /// The id of the source that they are of; `None` of those that hold keys alone.
    pub(in crate::ingest) source: Option<u32>,
    /// The ordinal of the next segment.
    pub(in crate::ingest) next: u32,
    pub(in crate::ingest) syncs: &'a Syncs,
    pub(in crate::ingest) which: Which<'a>,
}

/// Which segments are sealed here.
#[derive(Clone, Copy)]
pub(in crate::ingest) enum Which<'a> {
    All,
    /// Those of which this says so. No other run goes on from here.
    Some(&'a dyn Choose),
    /// None: they were sealed elsewhere, and this brings each.
    Brought(&'a dyn Bring),
}

/// Who has some of a version's segments sealed.
pub(in crate::ingest) trait Choose: Sync {
    /// Which of those are sealed here that begin and end on these dates.
    fn of(&self, dates: &[(Date, Date)]) -> Range<usize>;

    /// Takes those that were sealed.
    fn take(&self, sealed: Vec<SealedSegment>);
}

/// Who has segments that were sealed elsewhere.
pub(in crate::ingest) trait Bring: Sync {
    /// A segment with these columns, whose batches have so many rows.
    ///
    /// # Errors
    /// When it is not there, or not what it must be.
    fn bring(&self, id: SegmentId, columns: &Arc<[SegmentColumn]>, row_counts: &[u32]) -> Result<SealedSegment>;
}

/// What one worker may hold, and where it puts what is more.
#[derive(Clone, Copy)]
pub(in crate::ingest) struct Scratch<'w> {
    site: &'w dyn Site,
    /// Bytes.
    pub(in crate::ingest) share: usize,
}

impl SegmentPlace<'_> {
    /// What the next segment is.
    fn id(&self) -> SegmentId {
        let SegmentPlace { site, source, next: ordinal, .. } = *self;
        SegmentId { store_id: site.store_id(), commit: site.commit(), ordinal, source }
    }
}

impl Scratch<'_> {
    /// Room for the worker that asks.
    pub(in crate::ingest) fn room(&self) -> Room<'_> {
        let name = self.site.spill_name(SPILLING_WORKERS * BANDS + 1 + workers::current());
        Room::Spill { limit: self.share, dir: self.site.spill_dir(), name }
    }
}

/// Refuses so little memory.
pub(in crate::ingest) fn too_little(memory: u64) -> Error {
    let why = format!("{} is too little", shown(memory));
    let least = Remedy::Do(format!("give at least {}", shown(LEAST_MEMORY)));
    Error::invalid(Setting::Memory(0), why, [least])
}

/// Makes the memory that files are said to need enough for the texts of all of them, beside those of the others.
pub(in crate::ingest) fn raise_figures(skipped: &mut [(usize, BadFile)], texts_len: usize) {
    let figures = skipped.iter().filter_map(|(_, bad)| bad.reason.memory());
    let all = figures.fold(enough_for(texts_len), u64::saturating_add);
    for (_, bad) in skipped {
        bad.reason.raise_memory(all);
    }
}

/// Bytes in the largest unit in which they are a whole number.
fn shown(bytes: u64) -> String {
    match bytes {
        0 => "no memory".to_owned(),
        bytes if bytes % (1 << 20) == 0 => format!("{} MiB", bytes >> 20),
        bytes if bytes % (1 << 10) == 0 => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} B"),
    }
}

impl<'a> Stages<'a> {
    /// Stages with at most so many workers, as far as so many bytes of memory allow.
    ///
    /// # Errors
    /// When the memory is too little, or the system refuses a thread.
    pub(in crate::ingest) fn new(
        workers: Option<usize>,
        memory: u64,
        observer: &'a dyn Observer,
    ) -> Result<Stages<'a>> {
        if memory < LEAST_MEMORY {
            return Err(too_little(memory));
        }
        let asked = workers.unwrap_or_else(available);
        let workers = Workers::new(Some(asked.min((memory / WORKER_MEMORY) as usize)))?.within(memory);
        Ok(Stages { workers, observer })
    }

    /// The same stages, with the workers and the memory that are left where `before` is read and not mapped.
    ///
    /// # Errors
    /// When it does not let one, or there is no store.
    pub(in crate::ingest) fn reading(self, before: Result<&Store>) -> Result<Stages<'a>> {
        let readers = before?.readers(&self.workers, None, LEAST_MEMORY)?;
        Ok(Stages { workers: readers.unwrap_or(self.workers), ..self })
    }

    /// Bytes that what one worker reads or puts together at once may take.
    pub(in crate::ingest) fn share(&self) -> usize {
        self.workers.memory() as usize / 8 / self.workers.count()
    }

    /// Where workers put together what is beyond their shares.
    pub(in crate::ingest) fn scratch<'w>(&self, site: &'w dyn Site) -> Scratch<'w> {
        Scratch { site, share: self.share() }
    }

    /// Intermediate files at `site`, for rows that take about so many bytes.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub(in crate::ingest) fn spill(&self, site: &dyn Site, byte_len: u64) -> Result<Spill> {
        // What fits the memory is not worth giving back by bands.
        let band_count = if byte_len > self.workers.memory() { BANDS } else { 1 };
        let worker_count = self.workers.count().min(SPILLING_WORKERS);
        Spill::create(site.spill_dir(), worker_count, band_count, |number| site.spill_name(number))
    }

    /// Reads all inputs that `surveyor` found and that can be used, and gathers them by blocks; `survey` is what it says
    /// before any is read, and `before` what the source has.
    ///
    /// # Errors
    /// When the intermediate files at `site` cannot be written, the observer cancels, `strict` and an input is skipped,
    /// or the files that are left do not make a panel.
    pub(in crate::ingest) fn read(
        &self,
        surveyor: Surveyor,
        survey: Survey,
        site: &dyn Site,
        before: Option<&Store>,
    ) -> Result<(Survey, Spill, Gathered)> {
        let (survey, (spill, gathered)) = surveyor.read(survey, |survey| {
            let spill = self.spill(site, survey.decoded_len())?;
            let (gathered, bad) = self.gather(survey, &spill, before)?;
            Ok(((spill, gathered), bad))
        })?;
        Ok((survey, spill, gathered))
    }

    /// Reads all inputs of `survey` and gathers them by blocks; those that cannot be used.
    fn gather(
        &self,
        survey: &mut Survey,
        spill: &Spill,
        before: Option<&Store>,
    ) -> Result<(Gathered, Vec<(usize, BadFile)>)> {
        survey.whole_file_limit(self.share() as u64);
        let survey = &*survey;
        let inputs = &survey.inputs;
        let fewer = self.workers.for_columns(survey.columns.len())?;
        let workers = fewer.as_ref().unwrap_or(&self.workers);
        let texts = Texts::new(&survey.columns, workers.memory(), Some(survey)).beside(before)?;
        let intake = Intake::new(survey, spill, self.observer, texts, (workers.memory(), workers.count()));
        let decoded_lens: Vec<u64> = inputs.iter().map(|input| input.decoded_len).collect();
        // There are several tasks for each worker, and each makes one block: what footers promise is two to three times
        // what a block takes, and blocks of half a share serve as well as larger ones.
        let task_count = (workers.count() * 4).max((2 * (survey.decoded_len() / (3 * intake.share() as u64))) as usize);
        let tasks = plan::tasks(&decoded_lens, task_count);
        self.observer.begin("read", "files", survey.files().count() as u64);
        let parts = workers.try_map(tasks.len(), |task| intake.gather(tasks[task].clone()))?;
        self.observer.end();
        let (mut all, mut skipped) = (Gathered::default(), Vec::new());
        for (part, bad) in parts {
            all.blocks.extend(part.blocks);
            all.read.extend(part.read);
            skipped.extend(bad);
        }
        intake.texts().check()?;
        if intake.texts().len() > 0 {
            raise_figures(&mut skipped, intake.texts().len());
        }
        all.codes = intake.into_codes();
        Ok((all, skipped))
    }

    /// Runs `work`, which seals, with syncs beside it.
    ///
    /// # Errors
    /// Those of `work`, or of a sync.
    pub(in crate::ingest) fn synced<R>(&self, work: impl FnOnce(&Syncs) -> Result<R>) -> Result<R> {
        // One worker is one thread: it syncs its files itself.
        Syncs::run(self.workers.count() - 1, work)
    }

    /// Writes segments with these columns of these batches, by date, each made by `make` with a walk that has come up
    /// to its date and room for it, and hands them over to be synced. What blocks have of dates that are done is given
    /// back if it `releases` it.
    ///
    /// # Errors
    /// When a file cannot be written, `make` fails, or the observer cancels.
    pub(in crate::ingest) fn seal<T: Sync>(
        &self,
        to: &mut SegmentPlace,
        columns: &Arc<[SegmentColumn]>,
        gathering: &Gathering,
        batches: &[PlannedBatch<T>],
        releases: bool,
        make: impl Fn(&mut Walk, &PlannedBatch<T>, &Room) -> Result<BatchBody> + Send + Sync,
    ) -> Result<Vec<SealedSegment>> {
        if let Some((what, way_out)) = plan::too_long(batches.len(), columns.len(), self.workers.memory()) {
            return Err(Error::refused_unless(what, [way_out]));
        }
        let row_counts: Vec<u32> = batches.iter().map(|batch| batch.row_count).collect();
        let segments = plan::segments(&row_counts, plan::bits_per_row(columns));
        let first = to.next;
        to.next += segments.len() as u32;
        let of = |n: usize| SegmentPlace { next: first + n as u32, ..*to };
        match to.which {
            Which::All => self.seal_segments(&of(0), columns, gathering, (batches, &segments), releases, make),
            Which::Some(some) => {
                let ends = |segment: &Range<usize>| (batches[segment.start].date, batches[segment.end - 1].date);
                let own = some.of(&segments.iter().map(ends).collect::<Vec<_>>());
                let place = of(own.start);
                some.take(self.seal_segments(&place, columns, gathering, (batches, &segments[own]), false, make)?);
                Ok(Vec::new())
            }
            Which::Brought(bring) => {
                let segment =
                    |(n, rows): (usize, &Range<usize>)| bring.bring(of(n).id(), columns, &row_counts[rows.clone()]);
                segments.iter().enumerate().map(segment).collect()
            }
        }
    }

    /// As [`seal`](Stages::seal), of batches that were cut into these segments.
    ///
    /// # Errors
    /// As there.
    pub(in crate::ingest) fn seal_segments<T: Sync>(
        &self,
        to: &SegmentPlace,
        columns: &Arc<[SegmentColumn]>,
        gathering: &Gathering,
        (batches, segments): (&[PlannedBatch<T>], &[Range<usize>]),
        releases: bool,
        make: impl Fn(&mut Walk, &PlannedBatch<T>, &Room) -> Result<BatchBody> + Send + Sync,
    ) -> Result<Vec<SealedSegment>> {
        self.observer.begin("seal", "sections", segments.iter().map(|segment| segment.len() as u64).sum());
        let open: Mutex<BTreeSet<usize>> = Mutex::new((0..segments.len()).collect());
        let site = to.site;
        let seal = |number: usize| {
            let id = SegmentId { ordinal: to.next + number as u32, ..to.id() };
            let mut segment = SegmentWriter::create(site.segment_dir()?, id, columns.clone())?;
            let own = &batches[segments[number].clone()];
            let mut walk = gathering.walk(own[0].date);
            let scratch = self.scratch(site);
            let room = scratch.room();
            for batch in own {
                if self.observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                let body = make(&mut walk, batch, &room)?;
                segment.write(batch.date, batch.piece, batch.row_count, body)?;
                self.observer.advance(1);
            }
            let sealed = segment.finish(to.syncs)?;
            // Where a lock is poisoned the run has failed.
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            open.remove(&number);
            if releases && let Some(&first) = open.first() {
                gathering.spill.release_before(batches[segments[first].start].date);
            }
            Ok(sealed)
        };
        let fewer = self.workers.for_columns(columns.len())?;
        let sealed = fewer.as_ref().unwrap_or(&self.workers).try_map(segments.len(), seal)?;
        self.observer.end();
        Ok(sealed)
    }
}
