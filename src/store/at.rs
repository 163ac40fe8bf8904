//! Rows that have one value in a key column.

use arrow_array::{Array, ArrayRef, BooleanArray, Scalar, StringArray};
use arrow_buffer::BooleanBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_ord::cmp::eq;
use arrow_schema::DataType;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::section::Section;
use super::view::Store;
use crate::error::{Error, Result, Wanted};
use crate::hint::instead;
use crate::panel::show;
use crate::remedy::Operation;

/// A key column, and the value that its rows are to have.
#[derive(Debug, Clone)]
pub(super) struct At {
    /// Its place among the panel's columns.
    pub(super) column: usize,
    name: String,
    /// The value as it was written.
    text: String,
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
            let hint = instead(name, &keys, "key columns", Some(Operation::Info));
            return Err(Error::not_found(Wanted::Column, format!("key column {name:?}"), hint));
        };
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let wanted = comparable(&panel.columns[column].data_type);
        let value = spelt(text, &wanted).and_then(|text| {
            let texts: ArrayRef = Arc::new(StringArray::from(vec![text]));
            cast_with_options(&texts, &wanted, &strict).ok()
        });
        let value = value.ok_or_else(|| {
            let what = format!("{text:?} is no value of the key column {name:?}, which is {wanted}");
            Error::refused(what, "write it as the rows of the store show it")
        })?;
        Ok(At { column, name: name.to_owned(), text: text.to_owned(), value })
    }

    /// The value as rows show it.
    pub(super) fn shown(&self) -> String {
        show(&self.value, 0)
    }

    /// What is said where no row has the value, with those that the rows of `section` have.
    ///
    /// # Errors
    /// When the section is damaged.
    pub(super) fn nowhere(&self, section: &Section) -> Result<Error> {
        let column = section.checked_column_as(self.column, self.value.data_type(), 0..section.row_count())?;
        let values: BTreeSet<String> = (0..column.len()).map(|row| show(&column, row)).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let of = format!("values of {}", section.date());
        let what = format!("value {:?} of the key column {:?}", self.text, self.name);
        Ok(Error::not_found(Wanted::Value, what, instead(&self.text, &values, &of, None)))
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

/// `text` as a value of the type is read. Digits alone are a time of day as `145500` or `1455`, never a count.
fn spelt(text: &str, data_type: &DataType) -> Option<String> {
    let is_time = matches!(data_type, DataType::Time32(_) | DataType::Time64(_));
    match text.len() {
        _ if !is_time || text.contains(':') => Some(text.to_owned()),
        4 => Some(format!("{}:{}", text.get(..2)?, text.get(2..)?)),
        6 => Some(format!("{}:{}:{}", text.get(..2)?, text.get(2..4)?, text.get(4..)?)),
        _ => None,
    }
}

/// A type of the same values that can be compared.
fn comparable(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        other => other.clone(),
    }
}
