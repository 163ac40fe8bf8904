//! Settings of ways out, by themselves: what can be tried, what goes together, and what they do.

use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting, excluding};
use crate::skipped::Skipped;

/// Columns of which each file has its own, such as one that is called after its stock, are told together where they are
/// more than these.
const FEW: usize = 3;

/// Whether nothing is left to the reader of `settings`, but on whose clocks times are.
pub(super) fn can_be_tried(settings: &[Setting]) -> bool {
    settings.iter().all(|setting| match setting {
        Setting::DateColumn(names) | Setting::Key(names) => !names.is_empty(),
        Setting::Cast(_)
        | Setting::Exclude(_)
        | Setting::DateFormat(_)
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

/// The settings of a way out by a list of date columns.
pub(super) fn of_date_columns(remedy: &Remedy) -> Option<&[Setting]> {
    match remedy {
        Remedy::Set { settings, .. } if !date_columns(settings).is_empty() => Some(settings),
        _ => None,
    }
}

/// The settings of `other`, where they are those of `own` and more that say which rows are apart, and take nothing of a
/// file that can be read without.
pub(super) fn with_more_of_rows<'o>(own: &Remedy, other: &'o Remedy) -> Option<&'o [Setting]> {
    let (Remedy::Set { settings: own, .. }, Remedy::Set { settings: other, .. }) = (own, other) else { return None };
    let is_of_rows =
        |setting: &Setting| matches!(setting, Setting::Key(_) | Setting::Duplicates(_) | Setting::DropTime);
    let has_own = own.iter().all(|setting| other.contains(setting));
    let mut more = other.iter().filter(|setting| !own.contains(setting)).peekable();
    (has_own && more.peek().is_some() && more.all(is_of_rows)).then_some(other)
}

/// `skipped`, where many columns that no panel holds are left out by one list of them: each alone would leave out the files
/// of the others, and be tried and told by itself.
pub(super) fn leaving_out_together(skipped: &[Skipped]) -> Vec<Skipped> {
    fn column(reason: &Reason) -> Option<&str> {
        match (reason.kind(), reason.remedies()) {
            (Kind::ColumnType, [Remedy::Set { settings, .. }]) => match &settings[..] {
                [Setting::Exclude(names)] if names.len() == 1 => Some(&names[0]),
                _ => None,
            },
            _ => None,
        }
    }
    let mut names: Vec<&str> = skipped.iter().filter_map(|skipped| column(&skipped.reason)).collect();
    names.sort_unstable();
    names.dedup();
    let together = |skipped: &Skipped| match column(&skipped.reason) {
        Some(_) if names.len() > FEW => {
            let reason = skipped.reason.clone().of_any_column().alone().or(excluding(&names));
            Skipped { reason, ..skipped.clone() }
        }
        _ => skipped.clone(),
    };
    skipped.iter().map(together).collect()
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
