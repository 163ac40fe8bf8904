//! Store to sink: brings one file per date up to date, and keeps the ledger of what was written.

mod check;
mod claim;
mod encode;
mod ledger;
mod names;
mod place;
mod plan;
mod run;
mod shape;
mod work;

pub use check::{OutputReport, verify_output};

pub use run::{Transpose, TransposeReport};
pub use shape::Shape;
