//! Says which columns are in one file only, and stops what would make a store of next to nothing but nulls: a download
//! with the stock's code in each column's name makes gigabytes from files of megabytes.

use super::guard::{EXAMPLES, Guard, Guards};
use crate::hint::listed;
use crate::source::Survey;

/// Cells that make no large store, whatever they hold: 1 GiB of doubles.
const FEW_CELLS: u64 = 1 << 27;
/// A panel is sparse where fewer than one cell in so many can have a value.
const SPARSE: u64 = 20;

/// What to tell of columns that are in one file only, of those from the place `first` on, which are new.
pub(super) fn lone_note(survey: &Survey, first: usize) -> Option<String> {
    let lone = lone_columns(survey, first);
    if survey.files().count() < 2 || lone.is_empty() {
        return None;
    }
    // Code and date are columns, too.
    let all = survey.columns.len() + 2;
    let are = if lone.len() == 1 { "is in one file" } else { "are in one file each" };
    Some(format!("{} of {all} columns {are}: {}", lone.len(), listed(&lone)))
}

/// Notes where nearly no cell of many new columns, those from the place `first` on, can have a value: the panel has at
/// least so many rows.
pub(super) fn guard_sparse(survey: &Survey, first: usize, panel_rows: u64, guards: &mut Guards) {
    let rows = |sum: u64, count: u64| sum.saturating_add(count);
    let row_count = survey.inputs.iter().map(|input| input.row_count).fold(0, rows).max(panel_rows);
    let new = survey.columns.len() - first;
    let cells = row_count.saturating_mul(new as u64);
    if cells <= FEW_CELLS {
        return;
    }
    let filled = survey.cell_counts(first).fold(0, rows);
    if filled < cells / SPARSE {
        let lone = lone_columns(survey, first);
        let what = format!(
            "only {filled} of {cells} cells could have a value (give a column the same name in all files, or \
             choose columns): {} of {new} columns are in one file each",
            lone.len()
        );
        let examples = lone.into_iter().take(EXAMPLES).map(str::to_owned).collect();
        guards.meet(Guard::SparseColumns, (cells - filled, cells), what, examples);
    }
}

fn lone_columns(survey: &Survey, first: usize) -> Vec<&str> {
    let counts = survey.file_counts();
    let columns = survey.columns.iter().zip(counts).skip(first);
    columns.filter(|(_, count)| *count == 1).map(|(column, _)| column.name.as_str()).collect()
}
