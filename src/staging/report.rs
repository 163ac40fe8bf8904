//! What a task tells.

use serde::Serialize;

use crate::error::{Error, Result};

/// What a task did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TaskReport {
    /// Whether it was done before, so that nothing was.
    pub was_done: bool,
    /// Rows that it is about.
    pub rows: u64,
}

impl TaskReport {
    pub(crate) fn now(rows: u64) -> TaskReport {
        TaskReport { was_done: false, rows }
    }

    pub(crate) fn before(rows: u64) -> TaskReport {
        TaskReport { was_done: true, rows }
    }
}

/// Refuses a number that no task has.
pub(crate) fn check_number(number: usize, count: usize, what: &str) -> Result<()> {
    match number < count {
        true => Ok(()),
        false => Err(Error::refused(
            format!("there is no number {number} among the {count} {what} of the plan"),
            format!("name one from 0 to {}", count - 1),
        )),
    }
}
