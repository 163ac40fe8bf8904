//! Source to store: reads series by blocks of stocks, gathers them by date, and publishes the result as a version.

mod assemble;
mod check;
mod gather;
mod intake;
mod lane;
mod plan;
mod report;
mod run;
mod seal;
mod settings;
mod spill;

pub use check::{SourceReport, verify_source};
pub use report::BuildReport;
pub use run::Build;
