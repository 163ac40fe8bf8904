//! Rows that have one value in a key column.

use arrow_array::{Array, ArrayRef, BooleanArray, Scalar, StringArray};
use arrow_buffer::BooleanBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_ord::cmp::eq;
use arrow_schema::DataType;
use std::sync::Arc;

use super::section::Section;
use super::view::Store;
use crate::error::{Error, Result, Wanted};
use crate::hint::instead;
use crate::remedy::Operation;

/// A key column, and the value that its rows are to have.
#[derive(Debug, Clone)]
pub(super) struct At {
    /// Its place among the panel's columns.
    pub(super) column: usize,
    /// Of one row, in a type in which values can be compared.
    value: ArrayRef,
}

impl At {
    /// Finds the key column `name`, and its value that is written `text`.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a name that is none of a key column, [`Error::Refused`] for a text that is no value of it.
    pub(super) fn find(store: &Store, name: &str, text: &str) -> Result<At> {
        let panel = store.schema()?;
        let Some(&column) = panel.key.iter().find(|&&index| panel.columns[index].name == name) else {
            let keys: Vec<&str> = panel.key_names().collect();
            return Err(Error::NotFound {
                wanted: Wanted::Column,
                what: format!("key column {name:?}"),
                hint: Box::new(instead(name, &keys, "key columns", Some(Operation::Info))),
                path: None,
            });
        };
        let texts: ArrayRef = Arc::new(StringArray::from(vec![text]));
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let wanted = comparable(&panel.columns[column].data_type);
        let value = cast_with_options(&texts, &wanted, &strict);
        let value = value.map_err(|_| {
            let what = format!("{text:?} is no value of the key column {name:?}, which is {wanted}");
            Error::refused(what, "write it as the rows of the store show it")
        })?;
        Ok(At { column, value })
    }

    /// Which rows of `section` have the value.
    ///
    /// # Errors
    /// When the section is damaged.
    pub(super) fn rows(&self, section: &Section) -> Result<BooleanBuffer> {
        self.rows_of(&section.checked_column_as(self.column, self.value.data_type(), 0..section.row_count())?)
    }

    /// Which rows of the column, which is in any type of its values, have the value.
    ///
    /// # Errors
    /// When it cannot be compared.
    pub(super) fn rows_of(&self, column: &ArrayRef) -> Result<BooleanBuffer> {
        let failed = || Error::failed("compare a key column");
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let column = cast_with_options(column, self.value.data_type(), &strict).map_err(failed())?;
        let found: BooleanArray = eq(&column, &Scalar::new(&self.value)).map_err(failed())?;
        Ok(found.values()
            & &found.nulls().map_or_else(|| BooleanBuffer::new_set(found.len()), |nulls| nulls.inner().clone()))
    }
}

/// A type of the same values that can be compared.
fn comparable(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        other => other.clone(),
    }
}
