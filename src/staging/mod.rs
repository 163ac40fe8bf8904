//! What tasks leave for each other in a directory: a plan, receipts, and what attempts have not finished. Which tasks
//! there are is for `ingest` and `transpose` to say; `formats/tasks.md` is the contract of all of them.

mod attempt;
mod clear;
mod names;
mod plan_file;
mod receipt;
mod report;

pub(crate) use attempt::Attempt;
pub use clear::clear_staging;
pub(crate) use names::{
    ASSEMBLY, band_name, changes_name, check_device, check_staging, file_name, part_name, rows_name, sealed_name,
    staging_of, written_name,
};
pub use plan_file::PlanOf;
pub(crate) use plan_file::{MOST, Planned, TASKS, check_count, hex, put_plan, read_plan, unhex};
pub(crate) use receipt::{Kind, Receipt, Receipts, Whose, damaged, encode, json};
pub use report::TaskReport;
pub(crate) use report::check_number;
