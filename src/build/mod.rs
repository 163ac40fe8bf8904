//! Source to store: reads series by blocks of stocks, gathers them by date, and publishes the result as a version.

mod align;
mod append;
mod appended;
mod assemble;
mod bits;
mod changes;
mod check;
mod check_report;
mod differ;
mod gather;
mod guard;
mod intake;
mod lane;
mod merge;
mod plan;
mod report;
mod revision;
mod rows;
mod run;
mod seal;
mod settings;
mod spelling;
mod spill;
mod stages;
mod update;
mod update_report;

pub use append::Append;
pub use changes::RowChange;
pub use check::verify_source;
pub use check_report::{Differs, Kept, KeptRows, SourceDifference, SourceReport};
pub use guard::{Guard, GuardMet};
pub use report::BuildReport;
pub use run::Build;
pub use update::Update;
pub use update_report::{FilledColumn, MaxRestated, RestatedColumn, UpdateReport};
