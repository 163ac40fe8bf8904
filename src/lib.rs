//! transect turns a panel the other way round.

pub mod error;
pub mod key;
pub mod panel;
pub mod progress;
pub mod source;
pub mod synth;
pub mod workers;

pub use error::{Damage, Error, Result};
pub use key::{Date, StockId};
