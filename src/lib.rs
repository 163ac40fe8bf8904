//! transect turns a panel the other way round.

pub mod durable;
pub mod error;
pub mod format;
pub mod key;
pub mod mapped;
pub mod panel;
pub mod progress;
mod segment;
pub mod source;
pub mod store;
pub mod synth;
pub mod workers;

pub use error::{Damage, Error, Result};
pub use key::{Date, StockId};
