//! The first version of a store: all rows that were gathered are sealed, one source's.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use super::build_report::BuildReport;
use super::gather::stages::{PlannedBatch, SegmentPlace, Stages, Which};
use super::seal::sealer::Sealer;
use crate::compare::within;
use crate::error::Result;
use crate::format::{BatchRecord, PartRecord, PieceRecord};
use crate::key::Date;
use crate::segment::SealedSegment;
use crate::storage::Syncs;
use crate::store::{Keep, Snapshot, SnapshotPiece, SourceContents, Store, StoreWriter, VersionEntry};

/// Versions a store keeps, unless told otherwise.
pub(super) const DEFAULT_KEEP: Keep = Keep { versions: 7, age: Duration::ZERO };

/// Segments, and the date and place of each of their batches.
pub(super) type SealedPieces = (Vec<SealedSegment>, Vec<(Date, u32)>);

/// Seals all rows of the source with this id, which make `sections`, each a date and how many rows it has.
///
/// # Errors
/// When a file cannot be written, or the observer cancels.
pub(super) fn seal_all(
    stages: &Stages,
    writer: &StoreWriter,
    (source, sealer): (u32, &Sealer),
    sections: &[(Date, u32)],
    syncs: &Syncs,
) -> Result<SealedPieces> {
    let pieces = sealer.gathering.pieces(sections);
    let batch = |(date, place, rows): (Date, u32, Range<usize>)| PlannedBatch {
        date,
        piece: place,
        row_count: rows.len() as u32,
        of: rows,
    };
    let batches: Vec<PlannedBatch<Range<usize>>> = pieces.into_iter().map(batch).collect();
    let all: Vec<usize> = (0..sealer.columns.len()).collect();
    let mut to = SegmentPlace { site: writer, source: Some(source), next: 0, syncs, which: Which::All };
    let sealed = stages.seal(&mut to, &sealer.columns, &sealer.gathering, &batches, true, |walk, batch, room| {
        let runs = within(&walk.runs(batch.date), batch.of.clone());
        sealer.batch(batch.date, &runs, None, &all, room)
    })?;
    Ok((sealed, batches.into_iter().map(|batch| (batch.date, batch.piece)).collect()))
}

/// Adds what was sealed to the source's tables and to the version's pieces.
pub(super) fn add_sealed(
    (sealed, batches): SealedPieces,
    contents: &mut SourceContents,
    snapshot: &mut Snapshot,
    writer: &StoreWriter,
) {
    let changed = writer.version();
    let stocks = 0..snapshot.dictionaries[0].len() as u32;
    contents.stock_changes.note(stocks, changed);
    let records = contents.segments.add_sealed(sealed, &mut snapshot.chunks);
    for ((date, place), values) in batches.into_iter().zip(records) {
        let (days, present) = (date.days(), BatchRecord::NONE);
        contents.parts.push(PartRecord { date: days, piece: place, changed, values, present });
        let record = PieceRecord { keys: BatchRecord::NONE, number: place, row_count: values.row_count };
        snapshot.pieces.push(SnapshotPiece { date, place, changed, record });
    }
}

/// Gives `snapshot`, with which a store begins and which `command` makes of so many dates, its history.
pub(super) fn begin_history(writer: &StoreWriter, command: &str, snapshot: &mut Snapshot, dates: u64) {
    // What stood before may be too damaged to say what it was.
    let history = writer.history().unwrap_or_default();
    let entry = VersionEntry {
        version: writer.version(),
        commit: writer.commit(),
        created_ns: writer.now(),
        command: command.to_owned(),
        rows: snapshot.row_count(),
        dates,
        added: snapshot.row_count(),
        restated: 0,
        filled: 0,
        removed: writer.before().map_or(0, Store::row_count),
        dirty_dates: dates,
        dirty_stocks: snapshot.dictionaries[0].len() as u64,
        dirty_columns: 0,
        changes: None,
    };
    snapshot.set_history(history, entry, None);
}

/// Clears away what the making of a store with this result leaves, and the versions before.
pub(super) fn ended(
    result: Result<BuildReport>,
    mut writer: StoreWriter,
    store: &Path,
    started: Instant,
) -> Result<BuildReport> {
    let mut report = match result {
        Ok(report) => report,
        Err(why) => {
            // Of a disk that fails no more is asked than to take away what is half-written.
            let disk_fails = why.path().is_some_and(|path| path.starts_with(store));
            // It says more than an error about the leftovers.
            let _ = if disk_fails { writer.clear_unpublished() } else { writer.give_up() };
            return Err(why);
        }
    };
    if !report.published {
        writer.give_up()?;
    } else if let Err(why) = writer.collect(Keep::ONE) {
        // The new version is live: what is left of old ones is no failure, and the next change tries again.
        report.notes.push(format!("files of earlier versions could not be removed: {why}"));
    }
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}
