//! The columns of an Arrow schema, and their values in the types in which a panel takes them.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_cast::{can_cast_types, cast};
use arrow_schema::{ArrowError, DataType, Field, Schema};

use super::schema::wide_integer;
use crate::source::input::parts::lost_of_field;
use crate::source::input::schema::FileColumn;
use crate::source::types::{is_text, shown_type};

/// The columns of `schema`, those of codes with keys of one type.
pub(super) fn columns(schema: &Schema) -> Vec<FileColumn> {
    let column = |(leaf, field): (usize, &Arc<Field>)| FileColumn {
        name: field.name().clone(),
        leaf,
        raw: wide_integer(field).map_or_else(|| raw(field.data_type()), Err),
        fields: None,
        is_instant: false,
        may_round: false,
        loss: lost_of_field(field),
    };
    schema.fields().iter().enumerate().map(column).collect()
}

/// The type in which values of a column are taken; `Err` says what it is if they cannot be.
fn raw(data_type: &DataType) -> Result<DataType, String> {
    let raw = match data_type {
        DataType::Dictionary(_, value) if is_text(value) => {
            // Keys of 32 bits whatever the file has: a file of many parts may need more than each of them.
            let value = if **value == DataType::LargeUtf8 { DataType::LargeUtf8 } else { DataType::Utf8 };
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(value))
        }
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        DataType::RunEndEncoded(_, values) => values.data_type().clone(),
        DataType::Decimal32(digits, scale) | DataType::Decimal64(digits, scale) => {
            DataType::Decimal128(*digits, *scale)
        }
        plain => plain.clone(),
    };
    match data_type.is_nested() || !(raw == *data_type || can_cast_types(data_type, &raw)) {
        true => Err(shown_type(data_type)),
        false => Ok(raw),
    }
}

/// `array` in the type in which its column is taken.
pub(super) fn take_as(array: &ArrayRef, raw: &DataType) -> Result<ArrayRef, ArrowError> {
    if *raw == DataType::Null {
        return match array.logical_null_count() == array.len() {
            true => Ok(new_null_array(raw, array.len())),
            false => {
                Err(ArrowError::InvalidArgumentError("its values should all be null, and it has others".to_owned()))
            }
        };
    }
    if let (DataType::Dictionary(_, value), Some(dictionary)) = (raw, array.as_any_dictionary_opt())
        && dictionary.values().null_count() > 0
    {
        // A null is one of the row, and no entry.
        return cast(&cast(array, value)?, raw);
    }
    match (array.data_type(), raw) {
        (from, to) if from == to => Ok(array.clone()),
        (DataType::BinaryView, DataType::Utf8View) => Ok(Arc::new(array.as_binary_view().clone().to_string_view()?)),
        _ => cast(array, raw),
    }
}
