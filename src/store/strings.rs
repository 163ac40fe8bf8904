//! The catalog's string table while it is being written.

use std::collections::HashMap;

use crate::format::StrRef;

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

    /// The table. References are only right if it is shorter than 4 GiB, which the writer checks.
    pub(super) fn finish(self) -> String {
        self.text
    }
}
