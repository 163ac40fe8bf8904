//! Texts and byte strings as codes.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, BinaryArray, DictionaryArray, StringArray, cast::AsArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_cast::cast;
use arrow_schema::DataType;
use hashbrown::HashTable;

use crate::error::{Error, Result};

/// Rows whose texts are looked up at a time: what is made for it on the way stays small.
const ROWS_AT_ONCE: usize = 1 << 16;

/// Distinct texts or byte strings by code. There may be millions of them, so that they lie in one text.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Dictionary {
    bytes: Vec<u8>,
    /// By code, where each ends.
    ends: Vec<i32>,
}

/// The distinct texts or byte strings of one column of one block, in the order in which they were first seen.
#[derive(Default)]
pub(crate) struct DictionaryBuilder {
    /// The codes, by the hashes of their values.
    codes: HashTable<u32>,
    hasher: RandomState,
    values: Dictionary,
}

impl Dictionary {
    /// Values of these lengths, which lie one after the other in `bytes`; `None` where they are others, or too many.
    pub(crate) fn of(lens: &[u32], bytes: &[u8]) -> Option<Dictionary> {
        let mut end = 0u64;
        let mut next = |len: &u32| {
            end += u64::from(*len);
            i32::try_from(end).ok()
        };
        let ends = lens.iter().map(&mut next).collect::<Option<Vec<i32>>>()?;
        (end == bytes.len() as u64).then(|| Dictionary { bytes: bytes.to_vec(), ends })
    }

    fn get(&self, code: u32) -> &[u8] {
        let code = code as usize;
        let start = if code == 0 { 0 } else { self.ends[code - 1] };
        &self.bytes[start as usize..self.ends[code] as usize]
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The values, by code.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len() as u32).map(|code| self.get(code))
    }

    /// Bytes on the heap.
    pub(crate) fn byte_len(&self) -> usize {
        self.bytes.len() + size_of_val(&self.ends[..])
    }

    /// The values as an array of text, or of byte strings; not copied.
    ///
    /// # Errors
    /// When a text is not UTF-8.
    fn into_array(mut self, is_bytes: bool) -> Result<ArrayRef> {
        self.ends.insert(0, 0);
        let (ends, bytes) = (OffsetBuffer::new(ScalarBuffer::from(self.ends)), Buffer::from_vec(self.bytes));
        let array = match is_bytes {
            true => BinaryArray::try_new(ends, bytes, None).map(|values| Arc::new(values) as ArrayRef),
            false => StringArray::try_new(ends, bytes, None).map(|texts| Arc::new(texts) as ArrayRef),
        };
        array.map_err(Error::failed("read a text"))
    }
}

impl DictionaryBuilder {
    /// A builder that goes on from the values of an array of text, or of byte strings.
    ///
    /// # Errors
    /// As [`add`](DictionaryBuilder::add).
    pub(crate) fn of(known: Option<&ArrayRef>) -> Result<DictionaryBuilder> {
        let mut builder = DictionaryBuilder::default();
        let texts = known.and_then(|known| known.as_string_opt::<i32>()).into_iter().flatten();
        let values = known.and_then(|known| known.as_binary_opt::<i32>()).into_iter().flatten();
        for value in texts.flatten().map(str::as_bytes).chain(values.flatten()) {
            builder.add(value)?;
        }
        Ok(builder)
    }

    /// The code of each row of `array`; 0 where it is null.
    ///
    /// # Errors
    /// As [`add`](DictionaryBuilder::add).
    pub(crate) fn encode(&mut self, array: &ArrayRef) -> Result<Vec<u32>> {
        let is_bytes = matches!(array.data_type(), DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
        let plain = if is_bytes { DataType::Binary } else { DataType::Utf8 };
        let mut codes = Vec::with_capacity(array.len());
        if let Some(coded) = array.as_dictionary_opt::<Int32Type>() {
            self.encode_coded(coded, &plain, &mut codes)?;
            return Ok(codes);
        }
        let to = DataType::Dictionary(Box::new(DataType::Int32), Box::new(plain.clone()));
        for start in (0..array.len()).step_by(ROWS_AT_ONCE) {
            let rows = array.slice(start, ROWS_AT_ONCE.min(array.len() - start));
            let coded = cast(&rows, &plain).and_then(|flat| cast(&flat, &to));
            let coded = coded.map_err(Error::failed("dictionary-code a column"))?;
            self.encode_coded(coded.as_dictionary(), &plain, &mut codes)?;
        }
        Ok(codes)
    }

    /// Adds the codes of rows that have a dictionary, of values of the `plain` type or of one that becomes it.
    fn encode_coded(
        &mut self,
        coded: &DictionaryArray<Int32Type>,
        plain: &DataType,
        codes: &mut Vec<u32>,
    ) -> Result<()> {
        let values = cast(coded.values(), plain).map_err(Error::failed("dictionary-code a column"))?;
        let value = |key: usize| match plain {
            DataType::Binary => values.as_binary::<i32>().value(key),
            _ => values.as_string::<i32>().value(key).as_bytes(),
        };
        // A dictionary may have values that no row uses, one value twice, and nulls.
        let mut ours: Vec<Option<u32>> = vec![None; values.len()];
        let mut code = |key: i32| match &mut ours[key as usize] {
            Some(code) => Ok(*code),
            None if values.is_null(key as usize) => Ok(0),
            unseen => self.add(value(key as usize)).map(|code| *unseen.insert(code)),
        };
        match coded.nulls() {
            None => coded.keys().values().iter().try_for_each(|&key| code(key).map(|code| codes.push(code))),
            Some(_) => {
                coded.keys().iter().try_for_each(|key| key.map_or(Ok(0), &mut code).map(|code| codes.push(code)))
            }
        }
    }

    /// Makes room for all values of `others`: what grows holds its bytes twice for a while.
    pub(crate) fn reserve<'d>(&mut self, others: impl Iterator<Item = &'d Dictionary>) {
        let (count, byte_len) =
            others.fold((0, 0), |(count, len), other| (count + other.len(), len + other.bytes.len()));
        self.values.bytes.reserve_exact(byte_len);
        self.values.ends.reserve_exact(count + 1);
        let DictionaryBuilder { codes, hasher, values } = self;
        codes.reserve(count, |&code| hasher.hash_one(values.get(code)));
    }

    /// The code of each value of `other`.
    ///
    /// # Errors
    /// As [`add`](DictionaryBuilder::add).
    pub(crate) fn add_all(&mut self, other: &Dictionary) -> Result<Vec<u32>> {
        let mut codes = Vec::with_capacity(other.len());
        for value in other.iter() {
            codes.push(self.add(value)?);
        }
        Ok(codes)
    }

    /// The code of `value`, new or known.
    ///
    /// # Errors
    /// When all values take more than 2 GiB, the limit of an Arrow dictionary.
    pub(crate) fn add(&mut self, value: &[u8]) -> Result<u32> {
        let DictionaryBuilder { codes, hasher, values } = self;
        let hash = hasher.hash_one(value);
        if let Some(&code) = codes.find(hash, |&code| values.get(code) == value) {
            return Ok(code);
        }
        let Ok(end) = i32::try_from(values.bytes.len() + value.len()) else {
            let what = "the distinct texts of a column take more than 2 GiB";
            return Err(Error::refused(what, "leave out the column with the longest texts"));
        };
        let code = values.len() as u32;
        values.bytes.extend_from_slice(value);
        values.ends.push(end);
        codes.insert_unique(hash, code, |&code| hasher.hash_one(values.get(code)));
        Ok(code)
    }

    /// The values, by code.
    pub(crate) fn into_values(self) -> Dictionary {
        let mut values = self.values;
        values.bytes.shrink_to_fit();
        values.ends.shrink_to_fit();
        values
    }

    /// Bytes on the heap, with those of a table that grows.
    pub(crate) fn byte_len(&self) -> usize {
        const SLOT_LEN: usize = size_of::<u32>() + 1;
        self.values.byte_len() + self.codes.capacity() * SLOT_LEN * 2
    }

    /// The values as an array of text, or of byte strings.
    ///
    /// # Errors
    /// When a text is not UTF-8.
    pub(crate) fn finish(self, is_bytes: bool) -> Result<ArrayRef> {
        let DictionaryBuilder { values, .. } = self;
        values.into_array(is_bytes)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Int32Array;
    use proptest::prelude::*;

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

    /// Each text takes its bytes and a few beside them, however many there are.
    #[test]
    fn a_million_distinct_texts_take_little_more_than_their_bytes() {
        let mut dictionary = DictionaryBuilder::default();
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..1 << 20).map(|n| format!("{n:09}"))));
        let codes = dictionary.encode(&texts).unwrap();
        assert_eq!(codes, (0..1 << 20).collect::<Vec<u32>>());
        assert!(dictionary.byte_len() <= (9 + 4 + 24) << 20, "{}", dictionary.byte_len() >> 20);
        let values = dictionary.into_values();
        assert_eq!((values.len(), values.byte_len()), (1 << 20, (9 + 4) << 20));
        assert!(values.iter().zip(0..).all(|(text, n)| text == format!("{n:09}").as_bytes()));
    }

    proptest! {
        #[test]
        fn an_arrays_own_dictionary_gives_the_codes_of_its_rows(
            texts in prop::collection::vec(prop::option::weighted(0.8, "[ab]{0,2}"), 0..8),
            keys in prop::collection::vec(prop::option::weighted(0.8, any::<usize>()), 0..20),
            is_large in any::<bool>(),
        ) {
            let key = |key: &Option<usize>| key.filter(|_| !texts.is_empty()).map(|key| (key % texts.len()) as i32);
            let keys: Int32Array = keys.iter().map(key).collect();
            let values: ArrayRef = Arc::new(StringArray::from(texts.clone()));
            let values = if is_large { cast(&values, &DataType::LargeUtf8).unwrap() } else { values };
            let coded: ArrayRef = Arc::new(DictionaryArray::try_new(keys, values).unwrap());
            let rows = cast(&coded, &DataType::Utf8).unwrap();
            let [mut by_dictionary, mut by_rows] = [(); 2].map(|()| DictionaryBuilder::default());
            [&mut by_dictionary, &mut by_rows].into_iter().for_each(|dictionary| _ = dictionary.add(b"b").unwrap());
            prop_assert_eq!(by_dictionary.encode(&coded).unwrap(), by_rows.encode(&rows).unwrap());
            prop_assert_eq!(by_dictionary.into_values(), by_rows.into_values());
        }
    }
}
