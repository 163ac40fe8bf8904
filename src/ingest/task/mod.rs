//! A build cut into tasks that any scheduler may run, lose, or run twice; `formats/tasks.md` is their contract.

mod assemble;
mod assembly;
mod blocks;
mod commit;
mod gather;
mod part;
mod plan;
mod seal;
mod site;
mod task_plan;
mod tasks;

pub use task_plan::{TaskPlanReport, TaskSplit};
pub use tasks::Tasks;
