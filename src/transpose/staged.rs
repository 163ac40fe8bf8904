//! Files that tasks have written into the staging directory, until a commit moves them to their places.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytemuck::{Pod, Zeroable};

use super::encode::{encode, of_file};
use super::key::Key;
use super::ledger::{Ledger, LedgerFile};
use super::names::Names;
use super::place::refuse_meeting;
use super::rows::{Rows, for_each_file};
use super::run::{Prepared, Transpose, TransposeReport, foreign, name_of};
use super::shape::Shape;
use super::unit::{Made, Unit};
use crate::error::{Error, Result};
use crate::key::Date;
use crate::progress::Observer;
use crate::sink::{NewFile, Partition, Scratch, Written};
use crate::source::Pattern;
use crate::staging::{Attempt, Receipt, damaged, file_name};
use crate::storage::{Dir, Disk};
use crate::store::{Selection, Store};

/// What a receipt says of a file; where it has no rows, there is none.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct WrittenFile {
    pub(crate) rows: u64,
    byte_len: u64,
    checksum: u64,
}

impl WrittenFile {
    /// What the ledger says of it, once it lies in its place.
    fn of(&self, made: Made, modified_ns: i64) -> LedgerFile {
        let written = Written { byte_len: self.byte_len, checksum: self.checksum, modified_ns };
        LedgerFile::new(made, self.rows, written)
    }
}

/// The files that an array of a receipt tells of, which must be so many.
///
/// # Errors
/// When it tells of others.
pub(crate) fn written_files(receipt: &Receipt, array: usize, count: usize) -> Result<Vec<WrittenFile>> {
    let files = receipt.array::<WrittenFile>(array)?;
    // No more than can be added up.
    let is_length = |length: u64| length < 1 << 40;
    match files.len() == count && files.iter().all(|file| is_length(file.rows) && is_length(file.byte_len)) {
        true => Ok(files.to_vec()),
        false => Err(receipt.damaged("its files are not those of the plan")),
    }
}

/// Writes the files of `units`, under the names of these `places`, and puts them in place.
///
/// # Errors
/// When the store is damaged, the system refuses, or the observer cancels.
pub(super) fn write(
    prepared: &Prepared,
    units: &[&Unit],
    (attempt, places): (&Attempt, &[usize]),
    observer: &dyn Observer,
) -> Result<Vec<WrittenFile>> {
    observer.begin("transpose", prepared.plan.by.nouns()[1], units.len() as u64);
    let write = |scratch: &mut Scratch, at: usize, rows: &Rows<'_>| {
        let mut file: Option<NewFile> = None;
        let rows = encode(rows, &prepared.encoder, scratch, &mut |bytes| {
            if file.is_none() {
                file = Some(NewFile::create(attempt.dir().clone(), &file_name(places[at]))?);
            }
            file.as_mut().map_or(Ok(()), |file| file.write(bytes))
        })
        .map_err(of_file(&units[at].path))?;
        let Some(file) = file else { return Ok(WrittenFile::zeroed()) };
        // Whoever moves it does not read it.
        file.sync()?;
        let Written { byte_len, checksum, .. } = file.finish()?;
        Ok(WrittenFile { rows, byte_len, checksum })
    };
    let files = for_each_file(&prepared.plan, units, &prepared.workers, observer, Scratch::default, write)?;
    observer.end();
    for (_, &place) in files.iter().zip(places).filter(|(file, _)| file.rows > 0) {
        attempt.place(&file_name(place), &file_name(place))?;
    }
    Ok(files)
}

/// Whether the file of this place was put where a task puts it.
///
/// # Errors
/// When the system refuses.
pub(crate) fn is_staged(staging: &Dir, place: usize, file: &WrittenFile) -> Result<bool> {
    let found = staging.look(&file_name(place))?;
    Ok(found.is_some_and(|found| found.is_file() && found.byte_len == file.byte_len))
}

/// Whether `path` below `out` holds this file: another of its length may stand there.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn is_moved(out: &Dir, path: &str, file: &WrittenFile) -> Result<bool> {
    file.of(Made::default(), 0).holds_at(out, path)
}

/// A file that was staged.
pub(crate) struct StagedFile {
    pub(crate) place: usize,
    pub(crate) file: WrittenFile,
    /// The task to run again where it is gone.
    pub(crate) task: String,
}

/// Those of a plan, by what the ledger lists them as.
pub(super) struct Staged<'s> {
    pub(super) staging: &'s Dir,
    pub(super) files: BTreeMap<String, StagedFile>,
}

impl Staged<'_> {
    fn of(&self, out: &Dir, unit: &Unit) -> Result<&StagedFile> {
        self.files.get(&unit.key).ok_or_else(|| {
            let path = out.path().join(&unit.path);
            let what = format!("{} was current when its directory was planned, and is no more", path.display());
            Error::refused(what, "plan again, in another staging directory").about(&path)
        })
    }

    /// Refuses what must not, or cannot, be brought to this version, before anything there is touched.
    ///
    /// # Errors
    /// Where it is so, or the system refuses.
    pub(super) fn check(&self, out: &Dir, units: &[&Unit], version: u64) -> Result<()> {
        let newer = Ledger::read(out)?.filter(|ledger| ledger.version > version && !units.is_empty());
        if let Some(ledger) = newer {
            let path = out.path();
            let what = format!("{} holds version {}, newer than {version}", path.display(), ledger.version);
            return Err(Error::refused(what, "plan again, in another staging directory").about(path));
        }
        for unit in units {
            let StagedFile { place, file, task } = self.of(out, unit)?;
            if file.rows > 0 && !is_staged(self.staging, *place, file)? && !is_moved(out, &unit.path, file)? {
                let path = self.staging.path().join(file_name(*place));
                return Err(damaged(&path, "it is not as long as its task says", format!("run {task} again")));
            }
        }
        Ok(())
    }

    /// Moves the file of `unit` to its place, unless an earlier commit did.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn take(&self, out: &Dir, unit: &Unit) -> Result<LedgerFile> {
        let StagedFile { place, file, .. } = self.of(out, unit)?;
        if file.rows == 0 {
            return Ok(LedgerFile::without_rows(unit.made));
        }
        let (dir, name) = out.make_holder(&unit.path)?;
        if is_staged(self.staging, *place, file)? {
            dir.take(self.staging, &file_name(*place), name)?;
        }
        // Not when the receipt was written: another attempt may have put the same bytes there since.
        Ok(file.of(unit.made, dir.look(name)?.map_or(0, |found| found.modified_ns)))
    }
}

/// Refuses an output directory to which [`bring_dates`] would not bring files of a store that is not there yet: at `root`, with
/// this id, from `source`, whose files have such paths.
///
/// # Errors
/// Where it is one, or the system refuses.
pub(crate) fn check_new_output(
    (root, id): (&Path, u128),
    source: (PathBuf, Pattern),
    out: &Path,
    disk: &Disk,
) -> Result<()> {
    let names = Names::new(Shape::default().file_name(), Partition::Date, false);
    refuse_meeting(root, &[source], out, &names.some_path())?;
    if !out.is_dir() {
        return Ok(());
    }
    let dir = Dir::open(disk, out)?;
    match foreign((&dir, out), Ledger::read(&dir)?.as_ref(), &name_of(id))? {
        Some((what, _)) => Err(Error::refused(what, "name another directory").about(out)),
        None => Ok(()),
    }
}

/// Writes the files of all dates of `store`, by one thread, under the names of their places in the store that it is a part
/// of; where each will lie below an output, and what it is.
///
/// # Errors
/// When the store is damaged, the system refuses, or the observer cancels.
pub(crate) fn stage_dates(
    store: &Store,
    (memory, observer): (u64, &dyn Observer),
    attempt: &Attempt,
    places: &[usize],
) -> Result<(Vec<String>, Vec<WrittenFile>)> {
    let prepared = Transpose::new(store, "").memory(memory).workers(1).prepare()?;
    let units: Vec<&Unit> = prepared.units.iter().collect();
    let files = write(&prepared, &units, (attempt, places), observer)?;
    Ok((prepared.units.into_iter().map(|unit| unit.path).collect(), files))
}

/// Brings `out` to this version of `store` on the dates whose files were staged, unless it has a newer one.
///
/// # Errors
/// When it holds what must not be replaced, a file is gone, somebody else is writing there, or the system refuses.
pub(crate) fn bring_dates(
    store: &Store,
    out: &Path,
    (staging, files): (&Dir, BTreeMap<Date, StagedFile>),
    (patience, observer, disk): (Duration, &dyn Observer, &Disk),
) -> Result<TransposeReport> {
    let selection = Selection { dates: Some(files.keys().copied().collect()), ..Selection::default() };
    let key = |date| Key::of_date(Partition::Date, date).to_string();
    let staged = Staged { staging, files: files.into_iter().map(|(date, file)| (key(date), file)).collect() };
    let mut transpose = Transpose::new(store, out).selection(selection).workers(1);
    transpose = transpose.observer(observer).wait(patience).disk(disk.clone());
    let is_newer = |own: &Ledger| own.store == transpose.store_name() && own.version > store.version();
    if out.is_dir() && Ledger::read(&Dir::open(disk, out)?)?.as_ref().is_some_and(is_newer) {
        return Ok(TransposeReport::default());
    }
    let prepared = transpose.prepare()?;
    let ready = |out: &Dir, units: &[&Unit]| staged.check(out, units, store.version());
    transpose.bring(&prepared, ready, |out, units| units.iter().map(|unit| staged.take(out, unit)).collect())
}
