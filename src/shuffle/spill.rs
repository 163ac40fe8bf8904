//! The intermediate storage of a build: what blocks of stocks gathered, each column by (date, stock).

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use arrow_buffer::Buffer;

use crate::error::Result;
use crate::format::RunningChecksum;
use crate::key::Date;
use crate::storage::{Access, Dir, DiskFile, load};
use crate::workers;

/// Every extent starts on a multiple of this, so that values can be read in place.
const EXTENT_ALIGNMENT: u64 = 64;

/// Files without names: they go when the build ends, however it ends. Workers have their own, since those that write to
/// one file wait for each other, and for each band of dates one, so that what is sealed can be given back while the
/// rest is still needed. Otherwise the system would hold the whole panel twice, and begin to write out what nobody will
/// ever read.
pub(crate) struct Spill {
    /// The files of the first worker by band, then those of the second.
    files: Vec<SpillFile>,
    /// What is needed to the end.
    kept: SpillFile,
    band_count: usize,
    /// The first date of each band but the first: those that divide the first block evenly.
    starts: OnceLock<Vec<Date>>,
}

struct SpillFile {
    file: DiskFile,
    end: AtomicU64,
    /// Of what was written, where the file stays: then one worker writes it from its start to its end.
    sum: Option<Mutex<RunningChecksum>>,
}

/// A finished file of a band that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BandFile {
    pub(crate) byte_len: u64,
    pub(crate) checksum: u64,
}

/// Which files an extent goes to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shelf {
    /// Those of this band.
    Band(usize),
    /// The one that is kept to the end.
    Kept,
}

/// A finished extent of the spill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) file: usize,
    pub(crate) offset: u64,
    pub(crate) byte_len: u64,
}

impl Extent {
    /// Where the next extent of the file begins.
    pub(crate) fn end(self) -> u64 {
        self.offset.saturating_add(self.byte_len.checked_next_multiple_of(EXTENT_ALIGNMENT).unwrap_or(u64::MAX))
    }
}

impl Spill {
    /// Makes files for so many workers and bands in `dir`, under the names that `name` gives for a number, and takes
    /// the names away at once.
    pub(crate) fn create(
        dir: &Dir,
        worker_count: usize,
        band_count: usize,
        name: impl Fn(usize) -> String,
    ) -> Result<Spill> {
        let create = |number| unnamed(dir, &name(number));
        let file_count = worker_count * band_count;
        Ok(Spill {
            files: (0..file_count).map(create).collect::<Result<_>>()?,
            kept: create(file_count)?,
            band_count,
            starts: OnceLock::new(),
        })
    }

    /// Makes files that stay, one for each of the bands that begin at these dates, the first of which is every date before,
    /// under the names that `name` gives for a band. One worker may write to them.
    pub(crate) fn lasting(
        dir: &Dir,
        starts: &[Date],
        kept_name: &str,
        name: impl Fn(usize) -> String,
    ) -> Result<Spill> {
        let band_count = starts.len() + 1;
        let create = |band| {
            let (file, sum) = (dir.create(&name(band))?, Some(Mutex::default()));
            Ok(SpillFile { file, end: AtomicU64::new(0), sum })
        };
        Ok(Spill {
            files: (0..band_count).map(create).collect::<Result<_>>()?,
            kept: unnamed(dir, kept_name)?,
            band_count,
            starts: OnceLock::from(starts.to_vec()),
        })
    }

    /// The files of the bands, complete, and what was kept.
    pub(crate) fn finish(self) -> Result<(Vec<BandFile>, Buffer)> {
        let finish = |SpillFile { sum, .. }: SpillFile| {
            // Where a lock is poisoned the run has failed.
            let sum = sum.unwrap_or_default().into_inner().unwrap_or_else(PoisonError::into_inner);
            BandFile { byte_len: sum.byte_len(), checksum: sum.finish() }
        };
        let kept = load(self.kept.file.file(), self.kept.file.path(), Access::Map)?;
        Ok((self.files.into_iter().map(finish).collect(), kept))
    }

    /// The bands of a block with these `dates`, ascending, and with these starts of each one's rows: number of the band
    /// and range of its dates.
    pub(crate) fn bands(&self, dates: &[Date], row_starts: &[u32]) -> Vec<(usize, Range<usize>)> {
        let starts = self.starts.get_or_init(|| even_starts(dates, row_starts, self.band_count));
        let mut start = 0;
        let band = |number: usize| {
            let next = starts.get(number).map_or(dates.len(), |next| dates.partition_point(|date| date < next));
            let range = start..next;
            start = next;
            (number, range)
        };
        (0..self.band_count).map(band).filter(|(_, range)| !range.is_empty()).collect()
    }

    /// Room for an extent at the end of one of the worker's files.
    pub(crate) fn reserve(&self, shelf: Shelf, byte_len: u64) -> Extent {
        let file = match shelf {
            Shelf::Band(band) => workers::current() * self.band_count % self.files.len() + band,
            Shelf::Kept => self.files.len(),
        };
        let offset = self.file(file).end.fetch_add(byte_len.next_multiple_of(EXTENT_ALIGNMENT), Ordering::Relaxed);
        Extent { file, offset, byte_len }
    }

    /// Writes `bytes` at `at` within `extent`.
    pub(crate) fn write(&self, extent: Extent, at: u64, bytes: &[u8]) -> Result<()> {
        debug_assert!(at + bytes.len() as u64 <= extent.byte_len);
        let SpillFile { file, sum, .. } = self.file(extent.file);
        if let Some(sum) = sum {
            sum.lock().unwrap_or_else(PoisonError::into_inner).add(extent.offset + at, bytes);
        }
        file.write_at(bytes, extent.offset + at)
    }

    /// Appends an extent to one of the worker's files.
    pub(crate) fn put(&self, shelf: Shelf, bytes: &[u8]) -> Result<Extent> {
        let extent = self.reserve(shelf, bytes.len() as u64);
        self.write(extent, 0, bytes)?;
        Ok(extent)
    }

    fn file(&self, number: usize) -> &SpillFile {
        self.files.get(number).unwrap_or(&self.kept)
    }

    /// Maps what was written.
    pub(crate) fn map(self) -> Result<SpillMap> {
        let map = |SpillFile { file, .. }: SpillFile| {
            let bytes = load(file.file(), file.path(), Access::Map)?;
            Ok((Some(file), bytes))
        };
        Ok(SpillMap {
            files: self.files.into_iter().chain([self.kept]).map(map).collect::<Result<_>>()?,
            band_count: self.band_count,
            starts: self.starts.into_inner().unwrap_or_default(),
            released: AtomicUsize::new(0),
        })
    }
}

/// A file without a name.
fn unnamed(dir: &Dir, name: &str) -> Result<SpillFile> {
    let file = dir.create(name)?;
    dir.remove(name)?;
    Ok(SpillFile { file, end: AtomicU64::new(0), sum: None })
}

/// The dates at which a block's rows are to be cut into `count` bands of about equal length.
fn even_starts(dates: &[Date], row_starts: &[u32], count: usize) -> Vec<Date> {
    let (Some(&last), Some(&rows)) = (dates.last(), row_starts.last()) else { return Vec::new() };
    let start = |band: usize| {
        let row = (u64::from(rows) * band as u64 / count as u64) as u32;
        dates.get(row_starts.partition_point(|&start| start < row)).copied().unwrap_or(last)
    };
    (1..count).map(start).collect()
}

/// A spill, mapped.
pub(crate) struct SpillMap {
    /// With what is given back, where it can be.
    files: Vec<(Option<DiskFile>, Buffer)>,
    band_count: usize,
    starts: Vec<Date>,
    /// How many bands are gone.
    released: AtomicUsize,
}

impl SpillMap {
    /// Files that stay as they are.
    pub(crate) fn of(files: impl IntoIterator<Item = Buffer>) -> SpillMap {
        let files = files.into_iter().map(|bytes| (None, bytes)).collect();
        SpillMap { files, band_count: 1, starts: Vec::new(), released: AtomicUsize::new(0) }
    }

    /// The bytes of an extent, which must not have been [released](SpillMap::release_before).
    pub(crate) fn get(&self, extent: Extent) -> &[u8] {
        let start = extent.offset as usize;
        &self.files[extent.file].1[start..start + extent.byte_len as usize]
    }

    /// The same as a buffer that keeps the map.
    pub(crate) fn buffer(&self, extent: Extent) -> Buffer {
        self.files[extent.file].1.slice_with_length(extent.offset as usize, extent.byte_len as usize)
    }

    /// Gives back the bands that end before `date`. None of their bytes may be touched again.
    pub(crate) fn release_before(&self, date: Date) {
        let count = self.starts.partition_point(|&next| next <= date);
        let first = self.released.fetch_max(count, Ordering::Relaxed);
        for band in first..count {
            let files = self.files[band..self.files.len() - 1].iter().step_by(self.band_count);
            files.filter_map(|(file, _)| file.as_ref()).for_each(DiskFile::give_back);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Disk;

    fn open(dir: &tempfile::TempDir) -> Dir {
        Dir::open(&Disk::default(), dir.path()).unwrap()
    }

    fn date(day: i32) -> Date {
        Date::from_days(day).unwrap()
    }

    #[test]
    fn the_first_block_is_cut_evenly_and_others_at_the_same_dates() {
        let dir = tempfile::tempdir().unwrap();
        let spill = Spill::create(&open(&dir), 1, 4, |number| number.to_string()).unwrap();
        let dates: Vec<Date> = (0..8).map(date).collect();
        let starts = [0, 1, 2, 3, 4, 8, 12, 14, 16];
        assert_eq!(spill.bands(&dates, &starts), [(0, 0..4), (1, 4..5), (2, 5..6), (3, 6..8)]);
        let later: Vec<Date> = [-5, 3, 4, 9].map(date).to_vec();
        assert_eq!(spill.bands(&later, &[0, 1, 2, 3, 4]), [(0, 0..2), (1, 2..3), (3, 3..4)]);
        assert_eq!(spill.bands(&[], &[0]), []);
    }

    #[test]
    fn bands_that_end_before_a_date_are_given_back_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let spill = Spill::create(&open(&dir), 2, 2, |number| number.to_string()).unwrap();
        assert_eq!(spill.bands(&[date(1), date(5)], &[0, 1, 2]), [(0, 0..1), (1, 1..2)]);
        let [first, second] = [0, 1].map(|band| spill.put(Shelf::Band(band), &[band as u8; 100]).unwrap());
        let kept = spill.put(Shelf::Kept, b"kept").unwrap();
        let map = spill.map().unwrap();
        let len = |extent: Extent| map.files[extent.file].0.as_ref().unwrap().file().metadata().unwrap().len();
        for (before, lens) in [(4, [100, 100, 4]), (5, [0, 100, 4]), (2, [0, 100, 4]), (9, [0, 100, 4])] {
            map.release_before(date(before));
            assert_eq!([first, second, kept].map(len), lens, "before {before}");
        }
        assert_eq!(map.get(second), [1; 100]);
        assert_eq!(map.get(kept), b"kept");
        assert_eq!(crate::storage::list(dir.path()).unwrap().count(), 0);
    }
}
