//! Source to store: reads series by blocks of stocks, gathers them by date, and publishes the result as a version.

mod gather;
mod lane;
mod plan;
mod run;
mod seal;
mod spill;

pub use run::{Build, BuildReport};
