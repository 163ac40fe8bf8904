//! The columns of an Arrow schema, and their values in the types in which a panel takes them.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, GenericBinaryArray, GenericStringArray, OffsetSizeTrait, new_null_array,
};
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
        (DataType::BinaryView, DataType::Utf8View) => {
            let bytes = array.as_binary_view();
            let texts = bytes.clone().to_string_view().or_else(|_| {
                let views =
                    bytes.views().iter().enumerate().map(|(row, view)| if bytes.is_null(row) { 0 } else { *view });
                let nulls = bytes.nulls().cloned();
                BinaryViewArray::try_new(views.collect(), bytes.data_buffers().to_vec(), nulls)?.to_string_view()
            });
            Ok(Arc::new(texts?))
        }
        (DataType::Binary, DataType::Utf8) => texts_of::<i32>(array),
        (DataType::LargeBinary, DataType::LargeUtf8) => texts_of::<i64>(array),
        _ => cast(array, raw),
    }
}

/// The texts that bytes are. What lies under a null is none: "the value ... is undefined".
fn texts_of<O: OffsetSizeTrait>(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let bytes = array.as_binary::<O>();
    let texts = GenericStringArray::<O>::try_from_binary(bytes.clone());
    let texts = texts.or_else(|_| GenericStringArray::try_from_binary(bytes.iter().collect::<GenericBinaryArray<O>>()));
    Ok(Arc::new(texts?))
}
