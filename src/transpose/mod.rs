//! Store to sink: writes one file per date, and keeps the ledger of what was written.

mod check;
mod ledger;
mod plan;
mod run;

pub use check::{OutputReport, verify_output};

pub use plan::{Selection, Shape};
pub use run::{Transpose, TransposeReport};
