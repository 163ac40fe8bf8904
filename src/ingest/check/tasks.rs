//! Which files are compared with a store at once, and for which of its rows each such task answers.

use std::ops::Range;

use crate::error::Result;
use crate::ingest::gather::plan;
use crate::source::{FilesBy, Input, Survey};
use crate::store::Store;

/// What an input takes for each of the panel's columns, also for those that its files lack.
const SLOT_LEN: u64 = 64;

/// What a row takes beside its values: its code, its place, which row goes there, its key as the store has it, and one
/// column in the making. That is up to 48 bytes, and a third of them here, as there is room for three times a share.
const ROW_LEN: u64 = 16;

/// Neighbouring inputs, and the rows of the store that they are compared with.
pub(super) struct Task {
    pub(in crate::ingest) inputs: Range<usize>,
    pub(super) answered: Answered,
}

impl Task {
    /// All inputs of `survey` in tasks of about `share` bytes. Each answers for all of the store's rows from its first unit
    /// up to the next task's first, so that together they answer for all.
    pub(in crate::ingest) fn all(store: &Store, survey: &Survey, share: u64) -> Result<Vec<Task>> {
        let lens: Vec<u64> = survey.inputs.iter().map(|input| byte_len(input, survey.columns.len())).collect();
        let all = lens.iter().fold(0, |sum: u64, len| sum.saturating_add(*len));
        let tasks = plan::tasks(&lens, (all / share) as usize + 1);
        let mut tasks: Vec<Range<usize>> = tasks.into_iter().flat_map(|task| large_apart(task, &lens, share)).collect();
        if tasks.is_empty() {
            // The store's rows are looked at in any case.
            tasks.push(0..0);
        }
        let mut places = vec![Place::default()];
        for task in &tasks[1..] {
            places.push(start(store, survey, task.start)?);
        }
        let end = Place { date: store.dates()?.len(), rank: store.stocks()?.len() as u32 };
        places.push(end);
        let answered = places.windows(2).map(|ends| match survey.options().files_by {
            FilesBy::Stock => Answered { dates: 0..end.date, ranks: ends[0].rank..ends[1].rank },
            FilesBy::Date => Answered { dates: ends[0].date..ends[1].date, ranks: 0..end.rank },
        });
        Ok(tasks.into_iter().zip(answered).map(|(inputs, answered)| Task { inputs, answered }).collect())
    }
}

/// What of a share `input` takes, whose files have some of so many columns.
pub(super) fn byte_len(input: &Input, columns: usize) -> u64 {
    let rows = input.row_count.saturating_mul(ROW_LEN);
    input.decoded_len.saturating_add(rows).saturating_add(columns as u64 * SLOT_LEN)
}

/// A place among the store's dates, and one in code order among its stocks.
#[derive(Default, Clone, Copy)]
struct Place {
    date: usize,
    rank: u32,
}

/// The rows of the store that a task answers for: those of these dates and stocks, by their places.
pub(super) struct Answered {
    pub(in crate::ingest) dates: Range<usize>,
    pub(in crate::ingest) ranks: Range<u32>,
}

/// Where the rows of an input begin in the store.
fn start(store: &Store, survey: &Survey, input: usize) -> Result<Place> {
    let unit = survey.inputs[input].unit.as_str();
    Ok(match survey.options().period_of(unit) {
        None => Place { rank: store.stocks()?.partition_point(|stock| *stock < unit) as u32, date: 0 },
        Some(period) => Place { date: store.dates()?.partition_point(|date| *date < period.first), rank: 0 },
    })
}

/// `task` in parts, so that inputs longer than `limit` are each a part of its own.
fn large_apart(task: Range<usize>, decoded_lens: &[u64], limit: u64) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let is_large = |input: usize| decoded_lens[input] > limit;
    for input in task {
        match parts.last_mut() {
            Some(part) if !is_large(input) && !is_large(input - 1) => part.end = input + 1,
            _ => parts.push(input..input + 1),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_inputs_stand_alone() {
        assert!(large_apart(0..0, &[], 1).is_empty());
        assert_eq!(large_apart(1..6, &[9, 1, 1, 9, 9, 1], 5), [1..3, 3..4, 4..5, 5..6]);
    }
}
