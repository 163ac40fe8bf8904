//! transect turns a panel the other way round.

mod build;
pub mod durable;
pub mod error;
pub mod format;
pub mod key;
pub mod mapped;
pub mod panel;
pub mod progress;
mod segment;
pub mod sink;
pub mod source;
pub mod store;
pub mod synth;
mod transpose;
pub mod workers;

pub use build::{Build, BuildReport, SourceReport, verify_source};
pub use error::{Damage, Error, Result};
pub use key::{Date, StockId};
pub use store::Store;
pub use transpose::{OutputReport, Selection, Shape, Transpose, TransposeReport, verify_output};
