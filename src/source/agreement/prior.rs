//! What a store tells of its panel when files are read again.

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use crate::error::Result;
use crate::panel::{Column, DateForm};
use crate::source::options::{OptionChanges, SourceOptions};

/// The panel that was there before, for files that are read again.
pub struct Prior<'a> {
    /// The code's column.
    pub code: &'a Column,
    /// Name of the date column.
    pub date_name: &'a str,
    /// Type and spelling of the dates. They stay, unless a user decides on another type.
    pub date_form: &'a DateForm,
    /// The other columns.
    pub columns: &'a [Column],
    /// The places of the further key columns among them.
    pub key: &'a [usize],
    /// Whether all values of the column with that name are exact in another type; the inner error says why not.
    pub exact: &'a Exactness<'a>,
    /// Whether no file of this source was read before, so that its options may leave something open.
    pub is_new: bool,
    /// Whether its options are those of other sources, too, so that they may name what it has not.
    pub shares_options: bool,
    /// The trading dates that the panel has, as days since 1970.
    pub trading_days: &'a [i32],
    /// How a source of the panel is read whose rows are of trading dates, where there is one.
    pub rolled: Option<&'a SourceOptions>,
    /// Columns as files call them that get other names from now on, and which the panel does not have.
    pub renamed: &'a [String],
    /// What was decided anew for this survey.
    pub changes: Option<&'a OptionChanges>,
    /// Whether the column with that name has a value.
    pub has_value: &'a dyn Fn(&str) -> Result<bool>,
    /// Whether something holds of all values of the column with that name.
    pub all: &'a All<'a>,
}

impl Prior<'_> {
    /// Whether the panel has a column of this name.
    pub(in crate::source) fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }
}

/// See [`Prior::all`].
pub type All<'a> = dyn Fn(&str, &dyn Fn(&ArrayRef) -> bool) -> Result<bool> + 'a;

/// See [`Prior::exact`].
pub type Exactness<'a> = dyn Fn(&str, &DataType) -> Result<Result<(), String>> + 'a;
