//! Files that are alike but for the names of their columns, such as one that is called after its stock: what helps one is
//! told with what helps the others. Each alone would leave out the columns of the others, and be tried and told by itself.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::reason::{Kind, Reason};
use crate::remedy::{CastTo, LONGEST_LIST, Remedy, Setting, excluding};
use crate::skipped::{FEW_COLUMNS, Skipped};

/// What is alike: the kind of the reason, whether other files can be read with columns of these names, and the ways out
/// without the names.
type Shape = (Kind, bool, Vec<Remedy>);

/// For each of `skipped` that is one of many which are alike, its reason with the ways out of all of them. `is_read` says
/// whether a file has a column that can be read.
pub(super) fn joined_ways(skipped: &[Skipped], is_read: impl Fn(&str) -> bool) -> Vec<Option<Reason>> {
    let shapes: Vec<Option<Shape>> = skipped.iter().map(|one| shape(&one.reason, &is_read)).collect();
    let mut alike: HashMap<&Shape, Vec<&[Remedy]>> = HashMap::new();
    for (one, shape) in skipped.iter().zip(&shapes) {
        if let Some(shape) = shape {
            alike.entry(shape).or_default().push(one.reason.remedies());
        }
    }
    let mut joined: HashMap<&Shape, Vec<Remedy>> = HashMap::new();
    for (shape, all) in alike {
        if all.iter().collect::<HashSet<_>>().len() > FEW_COLUMNS {
            let places = 0..all[0].len();
            joined.insert(shape, places.filter_map(|at| join(all.iter().map(|ways| &ways[at]))).collect());
        }
    }
    let with = |(one, shape): (&Skipped, &Option<Shape>)| {
        let remedies = joined.get(shape.as_ref()?)?;
        Some(remedies.iter().cloned().fold(one.reason.clone().alone(), Reason::or))
    };
    skipped.iter().zip(&shapes).map(with).collect()
}

/// What a reason has in common with others; `None` where its ways out name no column.
fn shape(reason: &Reason, is_read: impl Fn(&str) -> bool) -> Option<Shape> {
    let settings = || {
        reason.remedies().iter().flat_map(|remedy| match remedy {
            Remedy::Set { settings, .. } => &settings[..],
            _ => &[],
        })
    };
    let left_out = settings().find_map(|setting| match setting {
        Setting::Exclude(names) => Some(names),
        _ => None,
    });
    let names_columns = |setting: &Setting| match setting {
        Setting::Exclude(_) | Setting::Cast(_) => true,
        Setting::DateColumn(names) => !names.is_empty(),
        _ => false,
    };
    settings().any(names_columns).then(|| {
        let costs = left_out.is_some_and(|names| names.iter().any(|name| is_read(name)));
        (reason.kind(), costs, reason.remedies().iter().map(without_names).collect())
    })
}

/// A way out without the names of columns, and of types without what is in brackets.
fn without_names(remedy: &Remedy) -> Remedy {
    let Remedy::Set { settings, effect } = remedy else { return remedy.clone() };
    let head = |to: &str| to.split('(').next().unwrap_or_default().to_owned();
    let bare = |setting: &Setting| match setting {
        Setting::Exclude(_) => Setting::Exclude(Vec::new()),
        Setting::Cast(casts) => {
            let mut heads: Vec<CastTo> =
                casts.iter().map(|cast| CastTo { column: String::new(), to: head(&cast.to) }).collect();
            heads.dedup();
            Setting::Cast(heads)
        }
        Setting::DateColumn(names) if !names.is_empty() => Setting::DateColumn(vec![String::new()]),
        other => other.clone(),
    };
    let effect = effect.replace("leaves them out", "leaves it out");
    Remedy::Set { settings: settings.iter().map(bare).collect(), effect }
}

/// Ways out that are alike as one with the names of all; `None` where a line cannot say it.
fn join<'r>(alike: impl Iterator<Item = &'r Remedy> + Clone) -> Option<Remedy> {
    let Remedy::Set { settings, effect } = alike.clone().next()? else { return alike.clone().next().cloned() };
    let at = |place: usize| {
        alike.clone().filter_map(move |remedy| match remedy {
            Remedy::Set { settings, .. } => settings.get(place),
            _ => None,
        })
    };
    let joined = |place: usize| match &settings[place] {
        Setting::Exclude(_) => Some(Setting::Exclude(sorted(at(place)))),
        Setting::Cast(_) => casts(at(place)).map(Setting::Cast),
        Setting::DateColumn(_) => Some(Setting::DateColumn(date_columns(at(place)))),
        other => Some(other.clone()),
    };
    let settings: Vec<Setting> = (0..settings.len()).map(joined).collect::<Option<_>>()?;
    match &settings[..] {
        [Setting::Exclude(names)] if effect.starts_with("leaves") => {
            Some(excluding(&names.iter().map(String::as_str).collect::<Vec<_>>()))
        }
        _ if settings.iter().map(|setting| setting.to_string().len()).sum::<usize>() > LONGEST_LIST => None,
        _ => Some(Remedy::Set { settings, effect: effect.replace("its values", "their values") }),
    }
}

/// The names that are left out by any of these settings.
fn sorted<'s>(settings: impl Iterator<Item = &'s Setting>) -> Vec<String> {
    let mut names: Vec<String> = settings
        .flat_map(|setting| match setting {
            Setting::Exclude(names) => &names[..],
            _ => &[],
        })
        .cloned()
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// All casts of these settings; `None` where two of them are of one column.
fn casts<'s>(settings: impl Iterator<Item = &'s Setting>) -> Option<Vec<CastTo>> {
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    for setting in settings {
        let Setting::Cast(casts) = setting else { continue };
        for CastTo { column, to } in casts {
            if types.insert(column, to).is_some_and(|other| other != to) {
                return None;
            }
        }
    }
    Some(types.into_iter().map(|(column, to)| CastTo { column: column.to_owned(), to: to.to_owned() }).collect())
}

/// The columns that these settings list, in the order of the lists.
fn date_columns<'s>(settings: impl Iterator<Item = &'s Setting>) -> Vec<String> {
    let mut known = HashSet::new();
    let names = settings.flat_map(|setting| match setting {
        Setting::DateColumn(names) => &names[..],
        _ => &[],
    });
    names.filter(|name| known.insert(*name)).cloned().collect()
}
