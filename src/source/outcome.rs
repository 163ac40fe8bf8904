//! What became of one file that was read.

use serde::{Deserialize, Serialize};

use crate::panel::DateForm;

/// What one file of a series brought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileOutcome {
    /// Rows of the series that came from it.
    pub rows: u64,
    /// Rows left out because another row has the same key, in the file or in another of the stock. Unless a user chose
    /// which to keep, this holds only once the series was read and found them identical.
    pub merged: u64,
    /// Rows left out because their date is null or unreadable.
    pub dropped: u64,
    /// Rows left out for now because their trading date is not known yet.
    pub waiting: u64,
    /// XXH3-128 of the file's bytes.
    pub content_hash: u128,
    /// The one form of all dates in the file; `None` where none gives them back, or it has no dates.
    pub date_form: Option<DateForm>,
    /// How the file spells its dates where no form gives them back: in several ways, or in one that is read alone.
    pub other_form: Option<String>,
    /// Of a file of one stock without a column of its code: the columns that are named after codes, and up to two codes of
    /// each, as a message has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named_codes: Vec<(String, Vec<String>)>,
}
