//! Says which columns are in one file only, and stops a build whose store would hold next to nothing but nulls: a
//! download with the stock's code in each column's name makes a store of gigabytes from files of megabytes.

use super::guard::{EXAMPLES, Guard, Guards};
use crate::hint::listed;
use crate::source::Survey;

/// Cells that make no large store, whatever they hold: 1 GiB of doubles.
const FEW_CELLS: u64 = 1 << 27;
/// A panel is sparse where fewer than one cell in so many can have a value.
const SPARSE: u64 = 20;

/// What to tell of columns that are in one file only.
pub(super) fn lone_note(survey: &Survey) -> Option<String> {
    let lone = lone_columns(survey);
    if survey.files().count() < 2 || lone.is_empty() {
        return None;
    }
    // Code and date are columns, too.
    let all = survey.columns.len() + 2;
    let are = if lone.len() == 1 { "is in one file" } else { "are in one file each" };
    Some(format!("{} of {all} columns {are}: {}", lone.len(), listed(&lone)))
}

/// Notes where nearly no cell of a large panel can have a value.
pub(super) fn guard_sparse(survey: &Survey, guards: &mut Guards) {
    let rows = |sum: u64, count: u64| sum.saturating_add(count);
    let row_count = survey.inputs.iter().map(|input| input.row_count).fold(0, rows);
    let cells = row_count.saturating_mul(survey.columns.len() as u64);
    let filled = survey.files().map(|file| file.row_count.saturating_mul(file.column_count())).fold(0, rows);
    if cells > FEW_CELLS && filled < cells / SPARSE {
        let lone = lone_columns(survey);
        let what = format!(
            "only {filled} of {cells} cells could have a value (give a column the same name in all files, or \
             choose columns): {} of {} columns are in one file each",
            lone.len(),
            survey.columns.len() + 2
        );
        let examples = lone.into_iter().take(EXAMPLES).map(str::to_owned).collect();
        guards.meet(Guard::SparseColumns, (cells - filled, cells), what, examples);
    }
}

fn lone_columns(survey: &Survey) -> Vec<&str> {
    let counts = survey.file_counts();
    let columns = survey.columns.iter().zip(counts);
    columns.filter(|(_, count)| *count == 1).map(|(column, _)| column.name.as_str()).collect()
}
