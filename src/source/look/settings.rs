//! Settings of ways out, by themselves: what can be tried, what goes together, and what they do.

use std::collections::BTreeMap;

use crate::reason::Reason;
use crate::remedy::{Remedy, Setting};
use crate::skipped::Skipped;

/// Whether nothing is left to the reader of `settings`, but on whose clocks times are.
pub(super) fn can_be_tried(settings: &[Setting]) -> bool {
    settings.iter().all(|setting| match setting {
        Setting::DateColumn(names) | Setting::Key(names) => !names.is_empty(),
        Setting::DateFormat(format) => !format.is_empty(),
        Setting::Cast(_)
        | Setting::Exclude(_)
        | Setting::Epoch(_)
        | Setting::Zone
        | Setting::DropTime
        | Setting::BadDates(_)
        | Setting::Duplicates(_) => true,
        _ => false,
    })
}

/// What is said to help against `reason`, as far as it can be tried.
pub(super) fn ways_of(reason: &Reason) -> impl Iterator<Item = &[Setting]> {
    reason.remedies().iter().filter_map(|remedy| match remedy {
        Remedy::Set { settings, .. } if can_be_tried(settings) => Some(&settings[..]),
        _ => None,
    })
}

pub(super) fn is_of_other_dates(settings: &[Setting]) -> bool {
    matches!(settings, [Setting::DateColumn(names)] if names.is_empty())
}

/// Whether `more` goes with `settings`: a key keeps the times that others leave out.
pub(super) fn goes_with(more: &Setting, settings: &[Setting]) -> bool {
    let drops = settings.contains(&Setting::DropTime);
    let is_undone = drops && matches!(more, Setting::Key(_));
    !(settings.contains(more) || is_undone)
}

/// What `settings` do, of which the first do what `effect` says.
pub(super) fn effect_of(settings: &[Setting], effect: &str) -> String {
    let zone = settings.contains(&Setting::Zone).then_some("on whose clocks its times are midnight");
    let rows = settings.iter().find_map(|setting| match setting {
        Setting::Duplicates(which) => Some(which.as_str()),
        _ => None,
    });
    match (zone, rows) {
        (Some(zone), _) => format!("reads the file, where ZONE is one {zone}"),
        (None, Some(which)) => format!("{effect}, and of differing rows keeps the {which}"),
        (None, None) => "reads the file".to_owned(),
    }
}

/// The unit of a way out that says what dates count in.
fn epoch_of(remedy: &Remedy) -> Option<&str> {
    let Remedy::Set { settings, .. } = remedy else { return None };
    settings.iter().find_map(|setting| match setting {
        Setting::Epoch(unit) => Some(unit.as_str()),
        _ => None,
    })
}

/// Where dates of files count in several units, tells the most usual one alone: each loses the files of the others.
pub(super) fn agree_on_epochs(skipped: &mut [Skipped]) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for unit in skipped.iter().filter_map(|one| one.reason.remedies().iter().find_map(epoch_of)) {
        *counts.entry(unit).or_default() += 1;
    }
    let Some(usual) = counts.iter().max_by_key(|(_, count)| **count).map(|(unit, _)| (*unit).to_owned()) else {
        return;
    };
    let keep = |remedy: &Remedy| epoch_of(remedy).is_none_or(|unit| unit == usual);
    let in_words = format!("write its dates in {usual}, as most have them: no one setting reads several units");
    for Skipped { reason, .. } in skipped {
        *reason = reason.clone().keep_ways(keep, &in_words);
    }
}

/// The settings of a way out that has some.
pub(super) fn settings_of(remedy: &Remedy) -> Option<&[Setting]> {
    match remedy {
        Remedy::Set { settings, .. } => Some(settings),
        _ => None,
    }
}

/// The settings of a way out by a list of date columns.
pub(super) fn of_date_columns(remedy: &Remedy) -> Option<&[Setting]> {
    match remedy {
        Remedy::Set { settings, .. } if !date_columns(settings).is_empty() => Some(settings),
        _ => None,
    }
}

/// The settings of `other`, where they are those of `own` and more that say which rows are apart or how dates are
/// spelt, and take nothing of a file that can be read without.
pub(super) fn with_more_of_rows<'o>(own: &Remedy, other: &'o Remedy) -> Option<&'o [Setting]> {
    let (Remedy::Set { settings: own, .. }, Remedy::Set { settings: other, .. }) = (own, other) else { return None };
    let is_of_rows = |setting: &Setting| {
        use Setting::{DateFormat, DropTime, Duplicates, Key};
        matches!(setting, Key(_) | Duplicates(_) | DropTime | DateFormat(_))
    };
    let has_own = own.iter().all(|setting| other.contains(setting));
    let mut more = other.iter().filter(|setting| !own.contains(setting)).peekable();
    (has_own && more.peek().is_some() && more.all(is_of_rows)).then_some(other)
}

pub(super) fn date_columns(settings: &[Setting]) -> &[String] {
    match settings {
        [Setting::DateColumn(names), ..] => names,
        _ => &[],
    }
}

/// `settings` and `more`, those of one kind as one.
pub(super) fn joined(settings: &[Setting], more: &[Setting]) -> Vec<Setting> {
    let mut all = settings.to_vec();
    for setting in more {
        let known = all.iter_mut().find(|known| known.name() == setting.name());
        match (known, setting) {
            (Some(Setting::Cast(ours)), Setting::Cast(theirs)) => {
                ours.retain(|cast| theirs.iter().all(|other| other.column != cast.column));
                ours.extend(theirs.iter().cloned());
            }
            (Some(Setting::Exclude(ours)), Setting::Exclude(theirs)) => ours.extend(theirs.iter().cloned()),
            (Some(known), other) => known.clone_from(other),
            (None, other) => all.push(other.clone()),
        }
    }
    all
}
