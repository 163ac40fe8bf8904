//! The files of an output that are written while a band is sealed, from the segments that it was just given, and moved to
//! their places by the commit: nothing is read twice.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::assembly::Assembled;
use super::tasks::Tasks;
use crate::error::{Error, Result};
use crate::ingest::build_report::BuildReport;
use crate::ingest::gather::intake::Gathered;
use crate::ingest::making::Making;
use crate::key::Date;
use crate::remedy::Remedy;
use crate::segment::SealedSegment;
use crate::source::Survey;
use crate::staging::{Attempt, Kind, Receipt, encode, json, written_name};
use crate::storage::Dir;
use crate::store::{Store, StoreWriter};
use crate::transpose::{StagedFile, WrittenFile, bring_dates, is_moved, is_staged, stage_dates, written_files};

const PLACES: usize = 1;
const FILES: usize = 2;

/// What the receipt of a band's files says in JSON.
#[derive(Serialize, Deserialize)]
struct InJson {
    /// The output directory, absolute.
    out: String,
    /// Where the files lie below it.
    paths: Vec<String>,
}

/// The files of a band.
struct BandFiles {
    out: String,
    paths: Vec<String>,
    /// By place, that of the date among all sections.
    files: Vec<(usize, WrittenFile)>,
}

impl Tasks<'_> {
    /// Writes the files of the dates that `own` pieces are all of, from what was sealed of them. `writer` goes on from the
    /// version that these dates are alone.
    pub(super) fn write_files(
        &self,
        (band, out): (usize, &Path),
        (attempt, writer): (&Attempt, &mut StoreWriter),
        (assembled, survey, gathered): (&Assembled, &Survey, &Gathered),
        (sealed, own): (&[SealedSegment], Range<usize>),
    ) -> Result<()> {
        let (plan, pieces, sections) = (&self.plan, &assembled.cuts.pieces, &assembled.cuts.sections);
        let is_cut = |date: Date| {
            let before = own.start.checked_sub(1).map(|before| &pieces[before]);
            [before, pieces.get(own.end)].into_iter().flatten().any(|(other, ..)| *other == date)
        };
        let mut dates: Vec<Date> = pieces[own.clone()].iter().map(|(date, ..)| *date).collect();
        dates.dedup();
        dates.retain(|date| !is_cut(*date));
        let place = |date: &Date| sections.partition_point(|(other, _)| other < date);
        let places: Vec<usize> = dates.iter().map(place).collect();
        let (mut paths, mut files) = (Vec::new(), Vec::new());
        if !dates.is_empty() {
            let root = Path::new(plan.agreed.root());
            let making = Making::new((survey, gathered), root, &plan.allowed(), plan.max_skipped)?;
            let snapshot = assembled.made(plan, survey, plan.ids())?.snapshot;
            let batches = pieces[own.clone()].iter().map(|&(date, piece, _)| (date, piece)).collect();
            making.stage(writer, snapshot, sections, (sealed.to_vec(), batches), |date| !is_cut(date))?;
            let with = (plan.memory, self.observer);
            (paths, files) = stage_dates(writer.live()?, with, attempt, &places)?;
        }
        let places: Vec<u64> = places.into_iter().map(|place| place as u64).collect();
        let told = json(&InJson { out: shown(out)?, paths })?;
        let arrays = [&told[..], bytemuck::cast_slice(&places), bytemuck::cast_slice(&files)];
        attempt.place_receipt(&written_name(band), &encode(plan.whose(Kind::Files, band), &arrays))
    }

    /// Whether the files of a band were written for this output, and are there, or in their places already.
    pub(super) fn has_files(&self, band: usize, out: &Path) -> Result<bool> {
        let Some(own) = self.band_files(band)?.filter(|own| Path::new(&own.out) == out) else { return Ok(false) };
        let dir = match out.is_dir() {
            true => Some(Dir::open(&self.disk, out)?),
            false => None,
        };
        for ((place, file), path) in own.files.iter().zip(&own.paths) {
            let is_moved = || dir.as_ref().map_or(Ok(false), |dir| is_moved(dir, path, file));
            if !is_staged(&self.staging, *place, file)? && !is_moved()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The files of a band; `None` where it was sealed without.
    fn band_files(&self, band: usize) -> Result<Option<BandFiles>> {
        let whose = self.plan.whose(Kind::Files, band);
        let Some(receipt) = Receipt::open(&self.staging, &written_name(band), whose, self.plan.receipt_limit())? else {
            return Ok(None);
        };
        let InJson { out, paths } = receipt.json(0)?;
        let places = receipt.array::<u64>(PLACES)?.iter().map(|&place| place as usize);
        if places.len() != paths.len() {
            return Err(receipt.damaged("it does not tell where its files are"));
        }
        let files = places.zip(written_files(&receipt, FILES, paths.len())?).collect();
        Ok(Some(BandFiles { out, paths, files }))
    }

    /// Moves the files that bands have written to their places, where any has, once the version of this report is live.
    pub(super) fn bring_files(&self, report: &mut BuildReport) -> Result<()> {
        let (mut to, mut files) = (None::<String>, BTreeMap::new());
        for band in 0..self.plan.band_count() {
            let Some(own) = self.band_files(band)? else { continue };
            if to.as_ref().is_some_and(|to| *to != own.out) {
                let what = format!("band {band} has files for {}, and another for {}", own.out, to.unwrap_or_default());
                return Err(Error::refused(what, "seal all for one output"));
            }
            to = Some(own.out);
            for (place, file) in own.files {
                files.insert(place, StagedFile { place, file, task: format!("seal {band}") });
            }
        }
        let Some(out) = to else { return Ok(()) };
        let live = Store::open(self.store())?;
        if !live.kept_versions()?.contains(&report.version) {
            return Ok(());
        }
        let store = live.other_version(report.version)?;
        let dates = store.dates()?;
        let wrong = || Error::refused("files were staged of dates that the store lacks", "plan again");
        let dated = |(place, file)| Ok((*dates.get(place).ok_or_else(wrong)?, file));
        let files: BTreeMap<Date, StagedFile> = files.into_iter().map(dated).collect::<Result<_>>()?;
        let missing = dates.len() - files.len();
        let with = (self.patience, self.observer, &self.disk);
        let brought = bring_dates(&store, Path::new(&out), (&self.staging, files), with).map_err(|why| match why {
            // Of another store, or somebody's own: only another directory helps.
            Error::Refused { what, path, .. } => Error::Refused {
                what: format!(
                    "version {} is live, and its files are in the staging directory alone: {what}",
                    report.version
                ),
                remedies: vec![Remedy::Do("seal for another directory, or transpose the store".to_owned())],
                path,
            },
            why => Error::Live { version: report.version, path: self.store().to_owned(), source: Box::new(why) },
        })?;
        report.notes.extend(brought.notes);
        report.notes.push(format!("{} files were put into {out}", brought.written));
        if missing > 0 {
            report.notes.push(format!("{missing} dates lie in segments of two bands, and have no file yet in {out}"));
        }
        Ok(())
    }
}

/// The path of an output as text.
fn shown(out: &Path) -> Result<String> {
    let odd = || Error::refused(format!("the path {} is not UTF-8", out.display()), "name another");
    out.to_str().map(str::to_owned).ok_or_else(odd)
}
