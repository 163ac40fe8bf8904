//! Which date formats are told, where the files of a folder leave some to choose.

use std::collections::HashMap;

use crate::reason::Reason;
use crate::remedy::{Remedy, Setting};
use crate::skipped::Skipped;
use crate::source::date::spelling::READS_THEM;

/// Leaves to each file the date formats that read most files: where days and months may be swapped in one, another may
/// tell. What is left to choose, nothing tells.
pub(super) fn agree_on_formats(skipped: &mut [Skipped]) {
    fn format(remedy: &Remedy) -> Option<&str> {
        match remedy {
            Remedy::Set { settings, .. } => match &settings[..] {
                [Setting::DateFormat(format)] if !format.is_empty() => Some(format.as_str()),
                _ => None,
            },
            _ => None,
        }
    }
    let mut counts: HashMap<String, usize> = HashMap::new();
    for named in skipped.iter().flat_map(|skipped| skipped.reason.remedies()).filter_map(format) {
        *counts.entry(named.to_owned()).or_default() += 1;
    }
    for reason in skipped.iter_mut().map(|skipped| &mut skipped.reason) {
        let count = |remedy: &Remedy| format(remedy).map(|named| counts[named]);
        let most = reason.remedies().iter().filter_map(count).max();
        let mut kept: Vec<Remedy> = reason
            .remedies()
            .iter()
            .filter(|remedy| count(remedy).is_none() || count(remedy) == most)
            .cloned()
            .collect();
        let is_left: Vec<usize> = (0..kept.len()).filter(|&at| format(&kept[at]).is_some()).collect();
        for (n, &at) in is_left.iter().enumerate() {
            if let Remedy::Set { effect, .. } = &mut kept[at] {
                match is_left.len() {
                    1 => READS_THEM.clone_into(effect),
                    all if n + 1 == all => effect.push_str(": only you can know which"),
                    _ => {}
                }
            }
        }
        *reason = kept.into_iter().fold(reason.clone().alone(), Reason::or);
    }
}
