//! Which stored types serve which logical ones.

use arrow_schema::DataType;
use bytemuck::Pod;

use crate::format::Stored;

/// The stored type of a column whose values need all the width that their logical type has.
pub(crate) fn natural_stored(logical: &DataType) -> Stored {
    match logical {
        DataType::Null | DataType::Boolean => Stored::Bits,
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::Dictionary(_, _) => Stored::Codes,
        fixed => match fixed.primitive_width() {
            Some(1) => Stored::Bytes1,
            Some(2) => Stored::Bytes2,
            Some(4) => Stored::Bytes4,
            Some(16) => Stored::Bytes16,
            _ => Stored::Bytes8,
        },
    }
}

/// The Arrow type under which a segment holds `logical` values stored as `stored`; `None` where the two cannot meet.
pub(crate) fn stored_type(logical: &DataType, stored: Stored) -> Option<DataType> {
    let natural = natural_stored(logical);
    match (logical, stored) {
        (DataType::Null, Stored::Bits) => Some(DataType::Boolean),
        (DataType::Binary | DataType::LargeBinary | DataType::BinaryView, Stored::Codes) => {
            Some(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Binary)))
        }
        (_, Stored::Codes) if natural == Stored::Codes => {
            Some(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))
        }
        (integer, _) if integer.is_integer() && stored <= natural => {
            Some(match (stored, integer.is_signed_integer()) {
                (Stored::Bits, _) => DataType::Boolean,
                (Stored::Bytes1, true) => DataType::Int8,
                (Stored::Bytes2, true) => DataType::Int16,
                (Stored::Bytes4, true) => DataType::Int32,
                (_, true) => DataType::Int64,
                (Stored::Bytes1, false) => DataType::UInt8,
                (Stored::Bytes2, false) => DataType::UInt16,
                (Stored::Bytes4, false) => DataType::UInt32,
                (_, false) => DataType::UInt64,
            })
        }
        (other, _) => (stored == natural).then(|| other.clone()),
    }
}

/// What is done at the width of a stored type: with bits, or with the unsigned integer that each value, or code, is as wide
/// as.
macro_rules! by_width {
    ($stored:expr, bits => $with_bits:expr, $width:ident => $with_width:expr $(,)?) => {
        match $stored {
            $crate::format::Stored::Bits => $with_bits,
            $crate::format::Stored::Bytes1 => {
                type $width = u8;
                $with_width
            }
            $crate::format::Stored::Bytes2 => {
                type $width = u16;
                $with_width
            }
            $crate::format::Stored::Bytes4 | $crate::format::Stored::Codes => {
                type $width = u32;
                $with_width
            }
            $crate::format::Stored::Bytes8 => {
                type $width = u64;
                $with_width
            }
            $crate::format::Stored::Bytes16 => {
                type $width = u128;
                $with_width
            }
        }
    };
}
pub(crate) use by_width;

/// An unsigned integer as wide as a stored type; what the bits mean does not matter to a copy.
pub(crate) trait Slot: Pod {
    /// The low bits of a widened integer.
    fn from_bits(bits: i64) -> Self;
}

macro_rules! slots {
    ($($slot:ty),+) => {$(
        impl Slot for $slot {
            fn from_bits(bits: i64) -> $slot {
                bits as $slot
            }
        }
    )+};
}
slots!(u8, u16, u32, u64, u128);
