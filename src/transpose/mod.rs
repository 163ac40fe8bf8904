//! Store to sink: brings files up to date, each of a date, a period or a stock, and keeps the ledger of what was written.

mod check;
mod claim;
mod encode;
mod key;
mod ledger;
mod names;
mod output_plan;
mod place;
mod plan;
mod rows;
mod run;
mod select;
mod shape;
mod staged;
mod tasks;
mod unit;
mod work;

pub use check::{OutputReport, verify_output};

pub use output_plan::{OutputPlanReport, OutputSplit};
pub use run::{Transpose, TransposeReport};
pub use shape::Shape;
pub(crate) use staged::{
    StagedFile, WrittenFile, bring_dates, check_new_output, is_moved, is_staged, stage_dates, written_files,
};
pub use tasks::OutputTasks;
