//! What columns take once each row has its own value: dictionaries and views say one text many times in a few bytes.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

/// Bytes of `array` as `to`, whose values are all written out.
pub(super) fn written_out(array: &ArrayRef, to: &DataType) -> u64 {
    // Of a text its place is kept; that of a view takes 16 bytes.
    let slot = to.primitive_width().unwrap_or(16) as u64;
    (array.len() as u64).saturating_mul(slot).saturating_add(texts_len(array))
}

/// Bytes of all texts of `array`.
pub(super) fn texts_len(array: &dyn Array) -> u64 {
    match array.data_type() {
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let lens = lens(dictionary.values());
            if lens.is_empty() {
                return 0;
            }
            dictionary.normalized_keys().into_iter().map(|key| lens.get(key).copied().unwrap_or(0)).sum()
        }
        _ => lens(array).iter().sum(),
    }
}

/// The length of each text; none of other values.
fn lens(array: &dyn Array) -> Vec<u64> {
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().offsets().lengths().map(|len| len as u64).collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().offsets().lengths().map(|len| len as u64).collect(),
        DataType::Binary => array.as_binary::<i32>().offsets().lengths().map(|len| len as u64).collect(),
        DataType::LargeBinary => array.as_binary::<i64>().offsets().lengths().map(|len| len as u64).collect(),
        // The low half of a view's first word is its length.
        DataType::Utf8View => array.as_string_view().views().iter().map(|view| u64::from(*view as u32)).collect(),
        DataType::BinaryView => array.as_binary_view().views().iter().map(|view| u64::from(*view as u32)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{DictionaryArray, Int8Array, Int64Array, StringArray, StringViewArray};

    use super::*;

    #[test]
    fn a_text_weighs_as_often_as_it_is_said() {
        let keys = Int8Array::from(vec![Some(1), Some(1), None, Some(0), Some(1)]);
        let dictionary = DictionaryArray::new(keys, Arc::new(StringArray::from(vec!["ab", "0123456789"])));
        // A null's key is as good as the first.
        assert_eq!(written_out(&(Arc::new(dictionary) as ArrayRef), &DataType::Utf8), 5 * 16 + 3 * 10 + 2 * 2);
        let views = StringViewArray::from(vec![Some("a text beyond twelve bytes"), None, Some("ab")]);
        assert_eq!(written_out(&(Arc::new(views) as ArrayRef), &DataType::Utf8), 3 * 16 + 26 + 2);
        let texts = StringArray::from(vec!["drop", "ab", "cde"]).slice(1, 2);
        assert_eq!(written_out(&(Arc::new(texts) as ArrayRef), &DataType::Utf8), 2 * 16 + 5);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        assert_eq!(written_out(&numbers, &DataType::Float64), 24);
    }
}
