//! Logical types as catalog records, and back.

use arrow_schema::{DataType, TimeUnit};
use bytemuck::Zeroable;

use super::strings::StringTable;
use crate::format::{StrRef, TypeRecord};
use crate::panel::Spelling;

/// Types without parameters, by their number in the format.
const SIMPLE: [(u8, DataType); 21] = [
    (0, DataType::Null),
    (1, DataType::Boolean),
    (2, DataType::Int8),
    (3, DataType::Int16),
    (4, DataType::Int32),
    (5, DataType::Int64),
    (6, DataType::UInt8),
    (7, DataType::UInt16),
    (8, DataType::UInt32),
    (9, DataType::UInt64),
    (10, DataType::Float16),
    (11, DataType::Float32),
    (12, DataType::Float64),
    (14, DataType::Date32),
    (15, DataType::Date64),
    (19, DataType::Utf8),
    (20, DataType::LargeUtf8),
    (21, DataType::Utf8View),
    (22, DataType::Binary),
    (23, DataType::LargeBinary),
    (24, DataType::BinaryView),
];
const DECIMAL128: u8 = 13;
const TIME32: u8 = 16;
const TIME64: u8 = 17;
const TIMESTAMP: u8 = 18;
const DICTIONARY: u8 = 25;

const UNITS: [TimeUnit; 4] = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];

fn simple_kind(data_type: &DataType) -> Option<u8> {
    SIMPLE.iter().find(|(_, simple)| simple == data_type).map(|&(kind, _)| kind)
}

fn simple_type(kind: u8) -> Option<DataType> {
    SIMPLE.iter().find(|&&(simple, _)| simple == kind).map(|(_, data_type)| data_type.clone())
}

/// The record of a logical type; `None` for a type no panel can have.
pub(super) fn encode(data_type: &DataType, strings: &mut StringTable) -> Option<TypeRecord> {
    let unit_number = |unit: &TimeUnit| UNITS.iter().position(|u| u == unit).map(|n| n as u8);
    let record = match data_type {
        DataType::Decimal128(precision, scale) => {
            TypeRecord { kind: DECIMAL128, precision: *precision, scale: *scale, ..TypeRecord::zeroed() }
        }
        DataType::Time32(unit) => TypeRecord { kind: TIME32, unit: unit_number(unit)?, ..TypeRecord::zeroed() },
        DataType::Time64(unit) => TypeRecord { kind: TIME64, unit: unit_number(unit)?, ..TypeRecord::zeroed() },
        DataType::Timestamp(unit, zone) => TypeRecord {
            kind: TIMESTAMP,
            unit: unit_number(unit)?,
            zoned: u8::from(zone.is_some()),
            zone: zone.as_ref().map_or(StrRef::zeroed(), |zone| strings.add(zone)),
            ..TypeRecord::zeroed()
        },
        DataType::Dictionary(key, value) => TypeRecord {
            kind: DICTIONARY,
            key_kind: simple_kind(key)?,
            value_kind: simple_kind(value)?,
            ..TypeRecord::zeroed()
        },
        simple => TypeRecord { kind: simple_kind(simple)?, ..TypeRecord::zeroed() },
    };
    Some(record)
}

/// The logical type of a record, with its time zone's name at hand; `None` when the record makes no sense.
pub(super) fn decode(record: &TypeRecord, zone: &str) -> Option<DataType> {
    let unit = || UNITS.get(usize::from(record.unit)).copied();
    match record.kind {
        DECIMAL128 => {
            let digits_fit = (1..=38).contains(&record.precision) && record.scale.unsigned_abs() <= 38;
            digits_fit.then_some(DataType::Decimal128(record.precision, record.scale))
        }
        TIME32 => unit().filter(|unit| matches!(unit, TimeUnit::Second | TimeUnit::Millisecond)).map(DataType::Time32),
        TIME64 => {
            unit().filter(|unit| matches!(unit, TimeUnit::Microsecond | TimeUnit::Nanosecond)).map(DataType::Time64)
        }
        TIMESTAMP => Some(DataType::Timestamp(unit()?, (record.zoned == 1).then(|| zone.into()))),
        DICTIONARY => {
            let (key, value) = (simple_type(record.key_kind)?, simple_type(record.value_kind)?);
            let fits = key.is_dictionary_key_type() && value.is_string();
            fits.then(|| DataType::Dictionary(Box::new(key), Box::new(value)))
        }
        kind => simple_type(kind),
    }
}

/// The number of a spelling, and its format where it has one.
pub(super) fn encode_spelling(spelling: &Spelling) -> (u8, &str) {
    match spelling {
        Spelling::Day => (0, ""),
        Spelling::Digits => (1, ""),
        Spelling::Dashes => (2, ""),
        Spelling::Slashes => (3, ""),
        Spelling::Custom(format) => (4, format),
    }
}

/// The spelling with that number and format.
pub(super) fn decode_spelling(number: u8, format: &str) -> Option<Spelling> {
    match number {
        0 => Some(Spelling::Day),
        1 => Some(Spelling::Digits),
        2 => Some(Spelling::Dashes),
        3 => Some(Spelling::Slashes),
        4 => Some(Spelling::Custom(format.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_logical_type_survives_the_round_trip() {
        let mut types: Vec<DataType> = SIMPLE.iter().map(|(_, data_type)| data_type.clone()).collect();
        types.extend([
            DataType::Decimal128(20, 4),
            DataType::Decimal128(38, -2),
            DataType::Time32(TimeUnit::Second),
            DataType::Time32(TimeUnit::Millisecond),
            DataType::Time64(TimeUnit::Microsecond),
            DataType::Time64(TimeUnit::Nanosecond),
            DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::LargeUtf8)),
        ]);
        for unit in UNITS {
            types.push(DataType::Timestamp(unit, None));
            types.push(DataType::Timestamp(unit, Some("Asia/Shanghai".into())));
            types.push(DataType::Timestamp(unit, Some("".into())));
        }
        for data_type in types {
            let mut strings = StringTable::default();
            let record = encode(&data_type, &mut strings).unwrap();
            let text = strings.finish();
            let zone = &text[record.zone.offset as usize..][..record.zone.byte_len as usize];
            assert_eq!(decode(&record, zone), Some(data_type));
        }
    }

    #[test]
    fn no_record_of_arbitrary_bytes_panics() {
        for kind in 0..=255 {
            for other in [0u8, 1, 2, 3, 4, 5, 19, 25, 39, 255] {
                let record = TypeRecord {
                    kind,
                    unit: other,
                    precision: other,
                    scale: other as i8,
                    key_kind: other,
                    value_kind: other,
                    ..TypeRecord::zeroed()
                };
                decode(&record, "zone");
            }
        }
    }
}
