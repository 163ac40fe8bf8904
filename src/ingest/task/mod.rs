//! A build cut into tasks that any scheduler may run, lose, or run twice; `formats/tasks.md` is their contract.

mod assemble;
mod assembly;
mod attempt;
mod blocks;
mod clear;
mod commit;
mod gather;
mod part;
mod plan;
mod receipt;
mod seal;
mod staging;
mod task_plan;
mod tasks;

pub use clear::clear_staging;
pub use task_plan::{TaskPlanReport, TaskSplit};
pub use tasks::{TaskReport, Tasks};
