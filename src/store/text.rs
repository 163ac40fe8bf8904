//! Values as texts that lose nothing, as tables of rows and of changes have them.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, make_array};
use arrow_buffer::NullBuffer;
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;

use crate::error::{Error, Result};

/// The texts of an array that is [`printable`].
pub struct Texts<'a> {
    array: &'a ArrayRef,
    nulls: Option<NullBuffer>,
    formatter: ArrayFormatter<'a>,
}

impl<'a> Texts<'a> {
    /// The texts of `array`.
    ///
    /// # Errors
    /// For a type whose values have no text.
    pub fn of(array: &'a ArrayRef) -> Result<Texts<'a>> {
        let options = FormatOptions::new().with_display_error(false);
        let formatter = ArrayFormatter::try_new(array, &options).map_err(unprintable(array))?;
        Ok(Texts { array, nulls: array.logical_nulls(), formatter })
    }

    /// Puts the text of `row` into `text`; false where it is null.
    ///
    /// # Errors
    /// When the value has no text.
    pub fn read(&self, row: usize, text: &mut String) -> Result<bool> {
        text.clear();
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(false);
        }
        if self.formatter.value(row).write(text).is_err() {
            // A date or a time beyond all calendars; the number behind it is exact.
            text.clear();
            let number = cast(&self.array.slice(row, 1), &DataType::Int64).map_err(unprintable(self.array))?;
            let _ = write!(text, "{}", number.as_primitive::<Int64Type>().value(0));
        }
        Ok(true)
    }
}

/// All texts of `array`.
pub(super) fn texts(array: &ArrayRef) -> Result<Vec<Option<String>>> {
    let array = printable(array)?;
    let texts = Texts::of(&array)?;
    let text = |row| {
        let mut text = String::new();
        Ok(texts.read(row, &mut text)?.then_some(text))
    };
    (0..array.len()).map(text).collect()
}

/// The same values, with timestamps of a zone that has a name in UTC, as the trailing Z of their texts says.
///
/// # Errors
/// When Arrow refuses.
pub fn printable(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Timestamp(unit, Some(zone)) if !zone.starts_with(['+', '-']) => {
            let utc = DataType::Timestamp(*unit, Some(Arc::from("+00:00")));
            let data = array.to_data().into_builder().data_type(utc).build().map_err(unprintable(array))?;
            Ok(make_array(data))
        }
        _ => Ok(array.clone()),
    }
}

fn unprintable(array: &ArrayRef) -> impl FnOnce(arrow_schema::ArrowError) -> Error {
    Error::failed(format!("print a value of {}", array.data_type()))
}
