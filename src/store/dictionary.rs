//! The store's dictionaries: append-only lists of distinct texts or byte strings.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow_array::{Array, ArrayRef, BinaryArray, StringArray, cast::AsArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};

use super::catalog::Catalog;
use crate::error::Result;
use crate::format::{CatalogBytes, DictionaryRecord, Table};

const TEXT: u32 = 0;
const BYTES: u32 = 1;

/// Bytes of an offset.
const OFFSET_LEN: u64 = size_of::<i32>() as u64;

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

/// The dictionaries of one version, each read at its first use and held from then on.
#[derive(Debug)]
pub(super) struct Dictionaries {
    catalog: Arc<Catalog>,
    read: Box<[OnceLock<ArrayRef>]>,
    /// Held by who reads one, so that no two workers hold a copy each.
    reading: Mutex<()>,
}

impl Dictionaries {
    /// Those of `catalog`, of which nothing is read yet.
    pub(super) fn new(catalog: Arc<Catalog>) -> Dictionaries {
        let byte_len = catalog.place(Table::Dictionaries).byte_len as usize;
        let read = (0..byte_len / size_of::<DictionaryRecord>()).map(|_| OnceLock::new()).collect();
        Dictionaries { catalog, read, reading: Mutex::new(()) }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.read.len()
    }

    /// The values of dictionary `number`, in place where the catalog is mapped.
    ///
    /// # Errors
    /// When there is none, or the catalog is damaged.
    pub(super) fn get(&self, number: u32) -> Result<&ArrayRef> {
        let missing = || self.catalog.structure(format!("there is no dictionary {number}"));
        let known = self.read.get(number as usize).ok_or_else(missing)?;
        if let Some(read) = known.get() {
            return Ok(read);
        }
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = known.get() {
            return Ok(read);
        }
        let read = read(&self.catalog, number, self.record(number)?)?;
        Ok(known.get_or_init(|| read))
    }

    /// Bytes that dictionary `number` takes when it is held.
    ///
    /// # Errors
    /// When there is none, or the catalog is damaged.
    pub(super) fn byte_len(&self, number: u32) -> Result<u64> {
        let record = self.record(number)?;
        Ok(record.byte_len.saturating_add((u64::from(record.count) + 1) * OFFSET_LEN))
    }

    fn record(&self, number: u32) -> Result<DictionaryRecord> {
        self.catalog.record(Table::Dictionaries, number as usize)
    }
}

/// One dictionary.
#[derive(Debug, Clone)]
pub(super) struct Texts {
    pub(super) all: Arc<Dictionaries>,
    pub(super) number: u32,
}

impl Texts {
    /// As [`Dictionaries::get`].
    pub(super) fn get(&self) -> Result<&ArrayRef> {
        self.all.get(self.number)
    }

    /// As [`Dictionaries::byte_len`].
    pub(super) fn byte_len(&self) -> Result<u64> {
        self.all.byte_len(self.number)
    }
}

/// The values of the dictionary of `record`, which is number `index`.
fn read(catalog: &Catalog, index: u32, record: DictionaryRecord) -> Result<ArrayRef> {
    let damaged = |why: &dyn std::fmt::Display| catalog.structure(format!("dictionary {index}: {why}"));
    let count = record.count as usize + 1;
    let start = record.offsets_start.checked_mul(OFFSET_LEN).ok_or_else(|| damaged(&"it has no offsets"))?;
    let offsets = catalog.stretch(Table::DictionaryOffsets, start, count as u64 * OFFSET_LEN)?;
    let offsets = ScalarBuffer::<i32>::new(offsets, 0, count);
    let in_order = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
    let ends = (offsets[0], i64::from(offsets[count - 1]));
    if !in_order || ends != (0, record.byte_len as i64) {
        return Err(damaged(&"its offsets are out of order"));
    }
    let offsets = OffsetBuffer::new(offsets);
    let bytes = catalog.stretch(Table::DictionaryBytes, record.bytes_start, record.byte_len)?;
    match record.kind {
        TEXT => StringArray::try_new(offsets, bytes, None).map(|text| Arc::new(text) as ArrayRef),
        BYTES => BinaryArray::try_new(offsets, bytes, None).map(|binary| Arc::new(binary) as ArrayRef),
        _ => return Err(damaged(&"its kind is unknown")),
    }
    .map_err(|error| damaged(&error))
}
