//! Puts the rows of one series in the order of their dates, one row a date. Pure: days in, row numbers out.

use arrow_array::UInt32Array;

use super::options::Duplicates;
use crate::key::Date;

/// Stands for a date that could not be read, in place of a day number; no [`Date`] has it.
pub(super) const NO_DAY: i32 = i32::MIN;

/// How a series' rows follow from a file's.
#[derive(Debug)]
pub(super) struct Order {
    /// Strictly ascending.
    pub(super) dates: Vec<Date>,
    /// For each date the row it comes from; `None` where that is every row as it stands.
    pub(super) rows: Option<UInt32Array>,
    /// Rows that are left out because they are claimed to be identical with another, which is named first.
    pub(super) claims: Vec<(u32, u32)>,
    /// Rows left out because another has the same date.
    pub(super) merged: u64,
}

/// The order for rows with these days. There are at most `u32::MAX` of them.
pub(super) fn order(days: &[i32], duplicates: Duplicates) -> Order {
    let dated = |rows: &[u32]| rows.iter().filter_map(|&row| Date::from_days(days[row as usize])).collect();
    if !days.contains(&NO_DAY) && days.is_sorted_by(|a, b| a < b) {
        let dates = days.iter().filter_map(|&day| Date::from_days(day)).collect();
        return Order { dates, rows: None, claims: Vec::new(), merged: 0 };
    }
    let mut rows: Vec<u32> = (0..days.len() as u32).filter(|&row| days[row as usize] != NO_DAY).collect();
    if rows.is_sorted_by(|&a, &b| days[a as usize] > days[b as usize]) {
        rows.reverse();
    } else {
        // Stable: rows of one date stay in the order of the file.
        rows.sort_by_key(|&row| days[row as usize]);
    }
    let before = rows.len();
    let mut claims = Vec::new();
    let mut kept: Vec<u32> = Vec::with_capacity(before);
    for row in rows {
        match kept.last_mut() {
            Some(last) if days[*last as usize] == days[row as usize] => match duplicates {
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
