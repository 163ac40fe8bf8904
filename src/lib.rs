//! transect turns a panel the other way round.

pub mod error;
pub mod key;
pub mod progress;
pub mod source;
pub mod synth;

pub use error::{Damage, Error, Result};
pub use key::{Date, StockId};
