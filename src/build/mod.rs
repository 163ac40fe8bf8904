//! Source to store: reads series by blocks of stocks, gathers them by date, and publishes the result as a version.

mod check;
mod gather;
mod lane;
mod plan;
mod run;
mod seal;
mod settings;
mod spill;

pub use check::{SourceReport, verify_source};
pub use run::{Build, BuildReport};
