//! The catalog's string table while it is being written.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::format::{CatalogBytes, StrRef, Table};

/// Collects text; the same text is kept once.
#[derive(Debug, Default)]
pub(super) struct StringTable {
    text: String,
    known: HashMap<String, StrRef>,
}

impl StringTable {
    /// Where `text` lies in the table.
    pub(super) fn add(&mut self, text: &str) -> StrRef {
        if let Some(&known) = self.known.get(text) {
            return known;
        }
        let place = StrRef { offset: self.text.len() as u32, byte_len: text.len() as u32 };
        self.text.push_str(text);
        self.known.insert(text.to_owned(), place);
        place
    }

    /// The whole file of `tables`, this one last, and the checksum in its header.
    ///
    /// # Errors
    /// When it is too long to be referred to.
    pub(super) fn into_tables(self, mut tables: CatalogBytes) -> Result<(Vec<u8>, u64)> {
        if self.text.len() > u32::MAX as usize {
            return Err(Error::refused_unless("names and reasons take more than 4 GiB", []));
        }
        tables.put(Table::Strings, self.text.as_bytes());
        Ok(tables.finish())
    }

    #[cfg(test)]
    pub(super) fn finish(self) -> String {
        self.text
    }
}
