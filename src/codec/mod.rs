//! How values are stored: narrowed, as codes, as bits; and copied and widened again.

mod bits;
mod dictionary;
mod narrow;
mod stored;

pub(crate) use bits::copy_bits;
pub(crate) use dictionary::{Dictionary, DictionaryBuilder};
pub(crate) use narrow::{Lane, Values, fixed_bytes, widened};
pub(crate) use stored::{Slot, by_width, natural_stored, stored_type};
