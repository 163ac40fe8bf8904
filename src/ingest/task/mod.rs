//! A build, and a change of a store, cut into tasks that any scheduler may run, lose, or run twice; `formats/tasks.md`
//! is their contract.

mod appended;
mod assemble;
mod assembly;
mod blocks;
mod changed;
mod commit;
mod files;
mod gather;
mod part;
mod plan;
mod seal;
mod sealed;
mod site;
mod task_plan;
mod tasks;
mod update_plan;
mod update_tasks;

pub use task_plan::{TaskPlanReport, TaskSplit};
pub use tasks::Tasks;
pub use update_plan::UpdatePlanReport;
pub use update_tasks::UpdateTasks;
