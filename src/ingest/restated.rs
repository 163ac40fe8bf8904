//! Where values of rows that stay differ: by column, and by stock.

use serde::Serialize;

/// A column with restated values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RestatedColumn {
    /// Its name.
    pub column: String,
    /// How many of its values differ from those of the version before.
    pub restated: u64,
}

/// A stock with restated rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RestatedStock {
    /// Its code.
    pub stock: String,
    /// How many of its rows differ from those of the version before.
    pub restated: u64,
}

/// A column with first values in rows that are not new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FilledColumn {
    /// Its name.
    pub column: String,
    /// How many.
    pub filled: u64,
}
