//! The segments that the bands of an update seal, and the receipts of them: unlike those of a build, they are known only
//! once all bands were compared.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::plan::Plan;
use super::tasks::Tasks;
use crate::error::{Error, Result};
use crate::format::{ChunkRecord, segment_name};
use crate::ingest::gather::stages::{Bring, Choose};
use crate::key::Date;
use crate::segment::{SealedBatch, SealedSegment, SegmentColumn, SegmentId};
use crate::staging::{Attempt, Kind, Receipt, Receipts, band_name, damaged, encode, sealed_name};
use crate::storage::Dir;

/// Seals the segments that begin on the dates of a band.
pub(super) struct Sealing<'a> {
    plan: &'a Plan,
    band: usize,
    /// Whether it only looks which bands they reach into.
    looks: bool,
    /// The first and the last of these.
    reach: Mutex<Option<(usize, usize)>>,
    sealed: Mutex<Vec<SealedSegment>>,
}

impl<'a> Sealing<'a> {
    /// One that seals nothing yet.
    pub(super) fn looking(plan: &'a Plan, band: usize) -> Sealing<'a> {
        Sealing { plan, band, looks: true, reach: Mutex::default(), sealed: Mutex::default() }
    }

    /// One that seals what this has found.
    pub(super) fn now(self) -> Sealing<'a> {
        Sealing { looks: false, ..self }
    }

    /// The bands whose rows it needs.
    pub(super) fn bands(&self) -> Range<usize> {
        match *self.reach.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((first, last)) if !self.looks => first..last + 1,
            _ => 0..0,
        }
    }

    /// Puts the segments in place; the receipt of them, and their rows.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn finish(self, attempt: &Attempt) -> Result<(Vec<u8>, u64)> {
        let sealed = self.sealed.into_inner().unwrap_or_else(PoisonError::into_inner);
        for segment in &sealed {
            attempt.place(&segment.temporary, &sealed_name(segment.id.ordinal))?;
        }
        let heads = sealed.iter().flat_map(|segment| {
            let SealedSegment { id, file_len, frame_checksum, batches, chunks, .. } = segment;
            [u64::from(id.ordinal), *file_len, *frame_checksum, batches.len() as u64, chunks.len() as u64]
        });
        let heads: Vec<u64> = heads.collect();
        let batches = || sealed.iter().flat_map(|segment| &segment.batches);
        let bodies: Vec<u64> =
            batches().flat_map(|batch| [u64::from(batch.row_count), batch.body_offset, batch.body_len]).collect();
        let chunks: Vec<ChunkRecord> = sealed.iter().flat_map(|segment| segment.chunks.iter().copied()).collect();
        let arrays = [bytemuck::cast_slice(&heads), bytemuck::cast_slice(&bodies), bytemuck::cast_slice(&chunks)];
        let rows = batches().map(|batch| u64::from(batch.row_count)).sum();
        Ok((encode(self.plan.whose(Kind::Band, self.band), &arrays), rows))
    }
}

impl Choose for Sealing<'_> {
    fn of(&self, dates: &[(Date, Date)]) -> Range<usize> {
        let band = |date: Date| self.plan.band_of(date);
        let start = dates.partition_point(|(first, _)| band(*first) < self.band);
        let end = dates.partition_point(|(first, _)| band(*first) <= self.band);
        if !self.looks {
            return start..end;
        }
        let mut reach = self.reach.lock().unwrap_or_else(PoisonError::into_inner);
        for (first, last) in &dates[start..end] {
            let (known_first, known_last) = reach.unwrap_or((band(*first), band(*last)));
            *reach = Some((known_first.min(band(*first)), known_last.max(band(*last))));
        }
        start..start
    }

    fn take(&self, sealed: Vec<SealedSegment>) {
        self.sealed.lock().unwrap_or_else(PoisonError::into_inner).extend(sealed);
    }
}

/// A segment as the receipt of its band tells of it.
struct SealedThere {
    band: usize,
    file_len: u64,
    frame_checksum: u64,
    batches: Vec<SealedBatch>,
    chunks: Vec<ChunkRecord>,
}

/// Segments that bands sealed, by ordinal.
pub(super) struct Segments(BTreeMap<u32, SealedThere>);

impl Segments {
    /// Those of a band; `None` where it is not sealed yet.
    ///
    /// # Errors
    /// When its receipt is damaged.
    pub(super) fn of_band(staging: &Dir, plan: &Plan, band: usize) -> Result<Option<Segments>> {
        let whose = plan.whose(Kind::Band, band);
        let receipt = Receipt::open(staging, &band_name(band), whose, plan.receipt_limit())?;
        receipt.map(|receipt| Segments::read(&receipt, band)).transpose()
    }

    /// Those of all bands.
    ///
    /// # Errors
    /// When one is not sealed yet, or its receipt is damaged.
    pub(super) fn of_all(staging: &Dir, plan: &Plan) -> Result<Segments> {
        let (mut all, mut receipts) = (BTreeMap::new(), Receipts::new(staging, plan.receipt_limit()));
        for band in 0..plan.band_count() {
            let receipt = receipts.read(&band_name(band), plan.whose(Kind::Band, band))?;
            for (ordinal, told) in Segments::read(&receipt, band)?.0 {
                if all.insert(ordinal, told).is_some() {
                    return Err(receipt.damaged("it has the segment of another band"));
                }
            }
        }
        Ok(Segments(all))
    }

    fn read(receipt: &Receipt, band: usize) -> Result<Segments> {
        let wrong = || receipt.damaged("its segments are none");
        let (mut bodies, mut chunks): (&[[u64; 3]], &[ChunkRecord]) = (receipt.array(1)?, receipt.array(2)?);
        let mut segments = BTreeMap::new();
        for &[ordinal, file_len, frame_checksum, batch_count, chunk_count] in receipt.array::<[u64; 5]>(0)? {
            let own = bodies.split_off(..batch_count as usize).ok_or_else(wrong)?;
            let mut batches = Vec::with_capacity(own.len());
            for &[row_count, body_offset, body_len] in own {
                let row_count = u32::try_from(row_count).map_err(|_| wrong())?;
                batches.push(SealedBatch { row_count, body_offset, body_len });
            }
            let chunks = chunks.split_off(..chunk_count as usize).ok_or_else(wrong)?.to_vec();
            let ordinal = u32::try_from(ordinal).map_err(|_| wrong())?;
            let sealed = SealedThere { band, file_len, frame_checksum, batches, chunks };
            if segments.insert(ordinal, sealed).is_some() {
                return Err(wrong());
            }
        }
        match bodies.is_empty() && chunks.is_empty() {
            true => Ok(Segments(segments)),
            false => Err(wrong()),
        }
    }

    pub(super) fn ordinals(&self) -> impl Iterator<Item = u32> {
        self.0.keys().copied()
    }

    pub(super) fn row_count(&self) -> u64 {
        self.0.values().flat_map(|told| &told.batches).map(|batch| u64::from(batch.row_count)).sum()
    }

    /// Whether they are there, or in the store already.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn are_there(&self, tasks: &Tasks) -> Result<bool> {
        for (&ordinal, told) in &self.0 {
            if !tasks.has_segment(ordinal, told.file_len)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Segments that lie where bands sealed them, and get their names in the store once they are asked for.
pub(super) struct StagedSegments<'a> {
    pub(super) sealed: Segments,
    pub(super) staging: &'a Dir,
    pub(super) to: Dir,
}

impl Bring for StagedSegments<'_> {
    fn bring(&self, id: SegmentId, columns: &Arc<[SegmentColumn]>, row_counts: &[u32]) -> Result<SealedSegment> {
        let path = self.staging.path().join(sealed_name(id.ordinal));
        let told = self.sealed.0.get(&id.ordinal).ok_or_else(|| {
            Error::refused(format!("no band has sealed segment {}", id.ordinal), "plan again").about(&path)
        })?;
        let sealed = SealedSegment {
            id,
            columns: Arc::clone(columns),
            temporary: segment_name(id.commit, id.ordinal),
            file_len: told.file_len,
            frame_checksum: told.frame_checksum,
            batches: told.batches.clone(),
            chunks: told.chunks.clone(),
        };
        let rows = sealed.batches.iter().map(|batch| batch.row_count);
        if !rows.eq(row_counts.iter().copied()) || !sealed.is_possible() {
            let what = "its receipt has other rows than what was compared";
            let again = format!("remove {} beside it, and run seal {} again", band_name(told.band), told.band);
            return Err(damaged(&path, what, again));
        }
        take_segment(&sealed, told.band, self.staging, &self.to)?;
        Ok(sealed)
    }
}

/// Gives a segment that `band` sealed its name in the store, unless an earlier attempt did. It keeps the one that it has until
/// the version is live: whoever collects what no version uses takes nothing from a commit that is tried again.
///
/// # Errors
/// When it is neither here nor there, or has another length, or the system refuses.
pub(super) fn take_segment(segment: &SealedSegment, band: usize, staging: &Dir, to: &Dir) -> Result<()> {
    let own = sealed_name(segment.id.ordinal);
    let (is_staged, there) = match staging.look(&own)? {
        Some(found) => (true, Some(found)),
        None => (false, to.look(&segment.temporary)?),
    };
    if there.is_none_or(|found| !found.is_file() || found.byte_len != segment.file_len) {
        let what = match there {
            Some(_) => format!("it is not what seal {band} left"),
            None => "it is gone".to_owned(),
        };
        return Err(damaged(&staging.path().join(&own), what, format!("run seal {band} again")));
    }
    if is_staged {
        to.link(staging, &own, &segment.temporary)?;
    }
    Ok(())
}

/// Removes the names that segments of a version that is live have in the staging directory.
pub(super) fn unstage(ordinals: impl IntoIterator<Item = u32>, staging: &Dir) {
    // What stays is cleared away by age.
    ordinals.into_iter().for_each(|ordinal| _ = staging.remove(&sealed_name(ordinal)));
}
