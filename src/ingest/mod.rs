//! Source to store: reads series by blocks of stocks, gathers them by date, and publishes the result as a version.

mod append;
mod appended;
mod assemble;
mod before;
mod build;
mod build_report;
mod changes;
mod check;
mod check_report;
mod comparison;
mod guard;
mod intake;
mod limit;
mod merge;
mod night;
mod plan;
mod reseal;
mod revision;
mod seal;
mod settings;
mod sparse;
mod spelling;
mod stages;
mod texts;
mod update;
mod update_report;

pub use append::Append;
pub use build::Build;
pub use build_report::BuildReport;
pub use changes::RowChange;
pub use check::verify_source;
pub use check_report::{Differs, Kept, KeptRows, SourceDifference, SourceReport};
pub use guard::{Guard, GuardMet};
pub use limit::Limit;
pub use update::Update;
pub use update_report::{FilledColumn, RestatedColumn, UpdateReport};
