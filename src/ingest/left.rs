//! Rows of sources that join left: those count whose key another source has that joins outer.

use std::collections::HashMap;

use super::gather::stages::{Stages, Which};
use super::guard::Guards;
use super::join::Join;
use super::night::{guard_appended, guard_pruned};
use super::revise::changes::Changes;
use super::revise::revision::{Given, Revised, Revision};
use super::seal::assemble::{Assembly, Target, assemble};
use super::seal::sealer::Sealer;
use super::settings::{Settings, store_settings};
use super::steps::{Step, Steps};
use super::update_report::UpdateReport;
use super::writing::Writing;
use crate::error::{Error, Result};
use crate::key::Date;
use crate::shuffle::Gathering;
use crate::store::{SourceContents, Store, StoreWriter};

/// What a dry run does not say.
const NOT_FOLLOWED: &str = "rows of sources that join left come and go with the keys of the others: that is not counted \
                            here, and the run itself may stop for such a row";

/// The places of the sources of `whole` that join outer, where the one at `place` joins left.
///
/// # Errors
/// When the store is damaged.
pub(super) fn outer_sources(whole: &Store, place: usize, join: Join) -> Result<Option<Vec<usize>>> {
    if join == Join::Outer {
        return Ok(None);
    }
    let mut outer = Vec::new();
    for other in (0..whole.source_names()?.len()).filter(|&other| other != place) {
        if Settings::of(&whole.of_source(other))?.join == Join::Outer {
            outer.push(other);
        }
    }
    Ok(Some(outer))
}

/// Refuses that no source but the one at `place` would bring rows.
pub(super) fn check_outer(whole: &Store, place: usize) -> Result<()> {
    if outer_sources(whole, place, Join::Left)?.is_some_and(|outer| outer.is_empty()) {
        let what = "no source would join outer, and the store would have no row";
        return Err(Error::refused(what, "let another join outer first"));
    }
    Ok(())
}

/// Takes away the rows that sources which join left still have although the changes so far took their keys from all that
/// join outer. `guard` looks whether too many go. A dry run says that it does not follow them.
///
/// # Errors
/// When the store cannot be read or written, or the observer cancels.
pub(super) fn settle(
    steps: &mut Steps,
    stages: &Stages,
    writing: &Writing,
    guard: fn(&Changes, u64, &mut Guards),
) -> Result<()> {
    let Some(report) = steps.report().filter(|report| !report.is_stopped()) else { return Ok(()) };
    if writing.dry_run {
        // The changes are not there to go on from.
        let moves_keys = report.is_parted || report.added > 0;
        if report.joins_left || moves_keys && has_left(steps.writer().live()?)? {
            steps.note(NOT_FOLLOWED);
        }
        return Ok(());
    }
    if !(report.joins_left || report.is_parted && has_left(steps.writer().live()?)?) {
        return Ok(());
    }
    steps.before(stages)?;
    for place in 0..steps.writer().live()?.source_names()?.len() {
        let whole = steps.writer().live()?;
        let settings = Settings::of(&whole.of_source(place))?;
        let Some(outer) = outer_sources(whole, place, settings.join)? else { continue };
        let dates = dates_alone(whole, place, &outer)?;
        if !dates.is_empty() {
            let step = take_away(stages, steps.writer(), place, (settings, outer, dates), (writing, guard))?;
            steps.take(step);
            steps.before(stages)?;
        }
    }
    Ok(())
}

/// What looks whether many rows go, or appended ones.
pub(super) fn guarded(changes: &Changes, all: u64, guards: &mut Guards) {
    guard_pruned(changes, all, guards);
    guard_appended(changes, all, guards);
}

/// Whether a source joins left.
fn has_left(whole: &Store) -> Result<bool> {
    for place in 0..whole.source_names()?.len() {
        if Settings::of(&whole.of_source(place))?.join == Join::Left {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The dates on which the source at `place` has a row that none of the `outer` ones has.
fn dates_alone(whole: &Store, place: usize, outer: &[usize]) -> Result<Vec<Date>> {
    let mut dates = Vec::new();
    for &date in whole.of_source(place).dates()? {
        let section = whole.section(date)?;
        let mut left = section.rows_of(place)?;
        for &other in outer {
            left = &left & &!&section.rows_of(other)?;
        }
        if left.count_set_bits() > 0 {
            dates.push(date);
        }
    }
    Ok(dates)
}

/// Takes away what the source at `place`, which has these settings, has on `dates` and none of the `outer` ones.
fn take_away(
    stages: &Stages,
    writer: &StoreWriter,
    place: usize,
    (mut settings, outer, dates): (Settings, Vec<usize>, Vec<Date>),
    (writing, guard): (&Writing, fn(&Changes, u64, &mut Guards)),
) -> Result<Step> {
    let whole = writer.live()?;
    let before = &whole.of_source(place);
    let panel = before.schema()?.clone();
    let key = panel.key.clone();
    let target = Target { before: Some(whole), place, name: "" };
    let Assembly { mut snapshot, columns, .. } = assemble(panel, &[], &[], writer.ids(), whole.kept(), target)?;
    let spill = stages.spill(writer, 0)?.map()?;
    let gathering = Gathering { blocks: &[], spill: &spill, stocks: Vec::new(), codes: Vec::new() };
    let appended = settings.appended.clone();
    let (given, outer, scratch) = (Given::ByStock, Some(outer), stages.scratch(writer));
    let revised = Revised { whole, before, place, appended: &appended, given, outer, scratch };
    let sealer = Sealer { gathering, columns };
    let revision = Revision::new(sealer, revised, &snapshot, key, &HashMap::new(), dates)?;
    let changes = revision.compare(stages)?;
    let mut report = UpdateReport::of(whole, whole.kept());
    report.describe(&changes, &snapshot, &revision.sealer.columns, before)?;
    let mut guards = Guards::new(&writing.allowed);
    guard(&changes, before.row_count(), &mut guards);
    report.judge(writing.max_restated, before.row_count(), guards);
    if report.is_stopped() {
        return Ok(Step { report, snapshot: None });
    }
    let (files, options) = (before.files()?, &settings.options);
    let units = files.iter().flat_map(|file| options.units_of(file.path.as_ref()));
    let units = revision.left_out(&changes, &snapshot, units, options);
    settings.left_out = settings.left_out.and(units, writer.version());
    settings.appended.follow(changes.appended.iter().cloned());
    snapshot.settings = store_settings("update")?;
    let contents = SourceContents { settings: settings.encode()?, files, ..SourceContents::default() };
    revision.write(stages, (writer, Which::All), &changes, (&mut snapshot, contents))?;
    Ok(Step { report, snapshot: Some(snapshot) })
}
