//! Puts the rows of one series in the order of their keys, one row a key. Pure: days and keys in, row numbers out.

use arrow_array::UInt32Array;

use super::options::Duplicates;
use crate::compare::KeyOrder;
use crate::key::Date;

/// Stands for a date that could not be read, in place of a day number; no [`Date`] has it.
pub(super) const NO_DAY: i32 = i32::MIN;

/// How a series' rows follow from a file's.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Ascending; strictly, where the key has no further columns.
    pub(super) dates: Vec<Date>,
    /// For each row the one of the file that it comes from; `None` where that is every row as it stands.
    pub(super) rows: Option<UInt32Array>,
    /// Rows that are left out because they are claimed to be identical with another, which is named first.
    pub(super) claims: Vec<(u32, u32)>,
    /// Rows left out because another has the same key.
    pub(super) merged: u64,
}

/// The order for rows with these days, and on each day by `key`. There are at most `u32::MAX` of them.
pub(super) fn order(days: &[i32], key: &KeyOrder, duplicates: Duplicates) -> Order {
    let dated = |rows: &[u32]| rows.iter().filter_map(|&row| Date::from_days(days[row as usize])).collect();
    let compare = |a: u32, b: u32| {
        let (a, b) = (a as usize, b as usize);
        days[a].cmp(&days[b]).then_with(|| key.compare(a, b))
    };
    if !days.contains(&NO_DAY) && (1..days.len() as u32).all(|row| compare(row - 1, row).is_lt()) {
        let dates = days.iter().filter_map(|&day| Date::from_days(day)).collect();
        return Order { dates, rows: None, claims: Vec::new(), merged: 0 };
    }
    let mut rows: Vec<u32> = (0..days.len() as u32).filter(|&row| days[row as usize] != NO_DAY).collect();
    if rows.is_sorted_by(|&a, &b| compare(a, b).is_gt()) {
        rows.reverse();
    } else {
        // Stable: rows of one key stay in the order of the file.
        rows.sort_by(|&a, &b| compare(a, b));
    }
    let before = rows.len();
    let mut claims = Vec::new();
    let mut kept: Vec<u32> = Vec::with_capacity(before);
    for row in rows {
        match kept.last_mut() {
            Some(last) if compare(*last, row).is_eq() => match duplicates {
                Duplicates::Error => claims.push((*last, row)),
                Duplicates::First => {}
                Duplicates::Last => *last = row,
            },
            _ => kept.push(row),
        }
    }
    let merged = (before - kept.len()) as u64;
    Order { dates: dated(&kept), rows: Some(UInt32Array::from(kept)), claims, merged }
}
