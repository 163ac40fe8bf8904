//! Texts and byte strings as codes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, BinaryArray, StringArray, cast::AsArray};
use arrow_cast::cast;
use arrow_schema::DataType;

use crate::error::{Error, Result};

/// The distinct texts or byte strings of one column of one block, in the order in which they were first seen.
#[derive(Default)]
pub(crate) struct DictionaryBuilder {
    codes: HashMap<Box<[u8]>, u32>,
    /// The values, by code.
    values: Vec<Box<[u8]>>,
    byte_len: usize,
}

impl DictionaryBuilder {
    /// A builder that goes on from the values of an array of text, or of byte strings.
    pub(crate) fn of(known: Option<&ArrayRef>) -> DictionaryBuilder {
        let mut builder = DictionaryBuilder::default();
        let texts = known.and_then(|known| known.as_string_opt::<i32>()).into_iter().flatten();
        let values = known.and_then(|known| known.as_binary_opt::<i32>()).into_iter().flatten();
        for value in texts.flatten().map(str::as_bytes).chain(values.flatten()) {
            builder.add(value);
        }
        builder
    }

    /// The code of each row of `array`; 0 where it is null.
    pub(crate) fn encode(&mut self, array: &ArrayRef) -> Result<Vec<u32>> {
        let failed = || Error::failed("dictionary-code a column");
        let is_bytes = matches!(array.data_type(), DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
        let plain = if is_bytes { DataType::Binary } else { DataType::Utf8 };
        // Casting a dictionary to its values first drops values that no row uses, and nulls among them.
        let flat = cast(array, &plain).map_err(failed())?;
        let coded = cast(&flat, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(plain))).map_err(failed())?;
        let coded = coded.as_dictionary::<Int32Type>();
        let ours: Vec<u32> = if is_bytes {
            coded.values().as_binary::<i32>().iter().map(|value| self.add(value.unwrap_or_default())).collect()
        } else {
            let texts = coded.values().as_string::<i32>().iter();
            texts.map(|value| self.add(value.unwrap_or_default().as_bytes())).collect()
        };
        Ok(coded.keys().iter().map(|key| key.map_or(0, |key| ours[key as usize])).collect())
    }

    /// The code of `value`, new or known.
    pub(crate) fn add(&mut self, value: &[u8]) -> u32 {
        if let Some(&code) = self.codes.get(value) {
            return code;
        }
        let code = self.values.len() as u32;
        self.codes.insert(value.into(), code);
        self.values.push(value.into());
        self.byte_len += value.len();
        code
    }

    /// The values, by code.
    pub(crate) fn into_values(self) -> Vec<Box<[u8]>> {
        self.values
    }

    /// Bytes on the heap, roughly: each value is held twice, as key and in the list.
    pub(crate) fn byte_len(&self) -> usize {
        2 * self.byte_len + 64 * self.values.len()
    }

    /// The values as an array of text, or of byte strings.
    ///
    /// # Errors
    /// When they take more than 2 GiB, the limit of an Arrow dictionary.
    pub(crate) fn finish(self, is_bytes: bool) -> Result<ArrayRef> {
        if self.byte_len > i32::MAX as usize {
            let what = "the distinct texts of a column take more than 2 GiB";
            return Err(Error::refused(what, "leave out the column with the longest texts"));
        }
        let values = self.values.iter().map(AsRef::as_ref);
        if is_bytes {
            return Ok(Arc::new(BinaryArray::from_iter_values(values)));
        }
        let texts: Result<Vec<&str>, _> = values.map(std::str::from_utf8).collect();
        let texts = texts.map_err(Error::failed("read a text"))?;
        Ok(Arc::new(StringArray::from_iter_values(texts)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_code_over_all_arrays_of_a_block() {
        let mut dictionary = DictionaryBuilder::default();
        let first: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), None, Some("a"), Some("b")]));
        assert_eq!(dictionary.encode(&first).unwrap(), [0, 0, 1, 0]);
        let second = cast(&(Arc::new(StringArray::from(vec!["", "a"])) as ArrayRef), &DataType::Utf8View).unwrap();
        assert_eq!(dictionary.encode(&second).unwrap(), [2, 1]);
        let coded = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        assert_eq!(dictionary.encode(&cast(&first, &coded).unwrap().slice(2, 2)).unwrap(), [1, 0]);
        let values = dictionary.finish(false).unwrap();
        assert_eq!(values.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["b", "a", ""]);
    }
}
