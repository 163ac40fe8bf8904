//! The store's dictionaries: append-only lists of distinct texts or byte strings.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BinaryArray, StringArray, cast::AsArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};

use super::catalog::Catalog;
use crate::error::Result;
use crate::format::{CatalogBytes, DictionaryRecord, Table};

const TEXT: u32 = 0;
const BYTES: u32 = 1;

/// Puts the three dictionary tables into `catalog`. Each array is a `StringArray` or a `BinaryArray` without nulls.
pub(super) fn put(catalog: &mut CatalogBytes, dictionaries: &[ArrayRef]) {
    let mut records = Vec::with_capacity(dictionaries.len());
    let mut all_offsets: Vec<i32> = Vec::new();
    let (mut all_bytes, mut byte_len) = (Vec::with_capacity(dictionaries.len()), 0);
    for dictionary in dictionaries {
        let (kind, offsets, bytes) = match dictionary.as_string_opt::<i32>() {
            Some(text) => (TEXT, text.offsets(), text.values()),
            None => {
                let binary = dictionary.as_binary::<i32>();
                (BYTES, binary.offsets(), binary.values())
            }
        };
        let first = offsets[0];
        let used = &bytes[first as usize..offsets[offsets.len() - 1] as usize];
        records.push(DictionaryRecord {
            offsets_start: all_offsets.len() as u64,
            bytes_start: byte_len,
            byte_len: used.len() as u64,
            count: dictionary.len() as u32,
            kind,
        });
        all_offsets.extend(offsets.iter().map(|offset| offset - first));
        all_bytes.push(used);
        byte_len += used.len() as u64;
    }
    catalog.put(Table::Dictionaries, &records);
    catalog.put(Table::DictionaryOffsets, &all_offsets);
    catalog.put_all(Table::DictionaryBytes, &all_bytes);
}

/// The values of dictionary `index`, in place.
///
/// # Errors
/// When the catalog is damaged.
pub(super) fn get(catalog: &Catalog, index: u32) -> Result<ArrayRef> {
    let record: DictionaryRecord = catalog.record(Table::Dictionaries, index as usize)?;
    let damaged = |why: &dyn std::fmt::Display| catalog.structure(format!("dictionary {index}: {why}"));
    let offsets: &[i32] = catalog.records(Table::DictionaryOffsets, record.offsets_start, record.count as usize + 1)?;
    let in_order = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
    let ends = (offsets[0], i64::from(offsets[offsets.len() - 1]));
    if !in_order || ends != (0, record.byte_len as i64) {
        return Err(damaged(&"its offsets are out of order"));
    }
    let offset_bytes = catalog.buffer(
        Table::DictionaryOffsets,
        record.offsets_start * size_of::<i32>() as u64,
        size_of_val(offsets) as u64,
    )?;
    let offsets = OffsetBuffer::new(ScalarBuffer::new(offset_bytes, 0, offsets.len()));
    let bytes = catalog.buffer(Table::DictionaryBytes, record.bytes_start, record.byte_len)?;
    match record.kind {
        TEXT => StringArray::try_new(offsets, bytes, None).map(|text| Arc::new(text) as ArrayRef),
        BYTES => BinaryArray::try_new(offsets, bytes, None).map(|binary| Arc::new(binary) as ArrayRef),
        _ => return Err(damaged(&"its kind is unknown")),
    }
    .map_err(|error| damaged(&error))
}
