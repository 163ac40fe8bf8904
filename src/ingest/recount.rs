//! What an update tells, counted anew as a diff of two versions finds it: the changes of several sources do not add up,
//! and a restore has none.

use std::sync::Arc;

use arrow_array::ArrayRef;

use super::restated::{FilledColumn, RestatedColumn};
use super::revise::changes::{EXAMPLES, RowChange};
use super::update_report::UpdateReport;
use crate::error::Result;
use crate::panel::show;
use crate::store::{DateChange, Diff, DiffReport, SectionDiff, Store};

impl UpdateReport {
    /// Counts anew what differs, of several changes together: what `diff` finds.
    ///
    /// # Errors
    /// When a section is damaged.
    pub(super) fn recount(&mut self, found: &DiffReport, diff: &Diff) -> Result<()> {
        self.count_again(found);
        self.examples = diff
            .first_changes(EXAMPLES)?
            .iter()
            .flat_map(|section| examples_of(section, diff))
            .take(EXAMPLES)
            .collect();
        Ok(())
    }

    fn count_again(&mut self, diff: &DiffReport) {
        (self.added, self.removed) = (diff.added, diff.removed);
        (self.restated, self.filled) = (diff.restated, diff.filled);
        self.dirty = diff.dirty_dates.iter().map(|&date| (date, DateChange::none(date))).collect();
        self.dirty.extend(diff.dates.iter().map(|change| (change.date, change.clone())));
        self.stocks_changed = diff.stocks.iter().map(|change| (change.stock.clone(), change.clone())).collect();
        self.count_dirty();
        let restated = diff.columns.iter().filter(|column| column.restated > 0);
        self.columns =
            restated.map(|column| RestatedColumn { column: column.name.clone(), restated: column.restated }).collect();
        let filled = diff.columns.iter().filter(|column| column.filled > 0);
        self.filled_columns =
            filled.map(|column| FilledColumn { column: column.name.clone(), filled: column.filled }).collect();
    }

    /// Adds what `found` and `diff` say of the way from `before` to the version that is `restored`.
    ///
    /// # Errors
    /// When a catalog or a section is damaged.
    pub(super) fn describe_restored(
        &mut self,
        (found, diff): (&DiffReport, &Diff),
        (before, restored): (&Store, &Store),
    ) -> Result<()> {
        self.recount(found, diff)?;
        let (was, is) = (before.schema()?, restored.schema()?);
        for (column, change) in diff.columns().iter().zip(&found.columns) {
            let name_before = column.older_index.map(|place| &was.columns[place].name);
            if let Some(before) = name_before.filter(|before| column.newer_index.is_some() && **before != change.name) {
                self.renamed_columns.push(format!("{before} -> {}", change.name));
            }
            match (&change.older_type, &change.newer_type) {
                (Some(_), None) => self.lost_columns.push(change.name.clone()),
                (None, _) => self.new_columns.push(change.name.clone()),
                (Some(older), Some(newer)) if older != newer => {
                    self.notes.push(format!("{:?} is {newer} from now on, and was {older}", change.name));
                }
                _ => {}
            }
        }
        if was.date_form != is.date_form {
            self.notes.push(format!("{} is {} from now on, and was {}", is.date_name, is.date_form, was.date_form));
        }
        self.schema_changed = was != is;
        Ok(())
    }
}

/// The first changes of a date, in words.
fn examples_of(section: &SectionDiff, diff: &Diff) -> Vec<RowChange> {
    let row = |change: &'static str, code: &Arc<str>, key: &[ArrayRef], row: usize| RowChange {
        date: section.date,
        code: code.to_string(),
        key: key.iter().map(|column| show(column, row)).collect(),
        change,
        column: None,
        before: None,
        now: None,
    };
    let added = section.added.iter().enumerate().map(|(n, code)| row("added", code, &section.added_key, n));
    let removed = section.removed.iter().enumerate().map(|(n, code)| row("removed", code, &section.removed_key, n));
    let values = section.columns.iter().flat_map(|column| {
        let known = &diff.columns()[column.column];
        column.rows.iter().zip(&column.changes).enumerate().map(move |(at, (&n, change))| RowChange {
            column: Some(known.name.clone()),
            before: Some(show(&column.old, at)),
            now: Some(show(&column.new, at)),
            ..row(change.as_str(), &section.changed[n], &section.changed_key, n)
        })
    });
    values.take(EXAMPLES).chain(added.take(EXAMPLES)).chain(removed.take(EXAMPLES)).collect()
}
