//! One column of one section, as it is stored.

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{Array, ArrayRef, UInt32Array, cast::AsArray, new_null_array};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use arrow_select::take::take;

use crate::error::{Error, Result};
use crate::panel::restore;

/// One column of one section in its stored type; the values lie in the map.
#[derive(Debug, Clone)]
pub struct StoredColumn {
    stored: ArrayRef,
    logical: DataType,
}

impl StoredColumn {
    /// `stored`, which holds values of type `logical`.
    pub(super) fn new(stored: ArrayRef, logical: DataType) -> StoredColumn {
        StoredColumn { stored, logical }
    }

    /// The array in its stored type: narrower than the logical one where no value needs more.
    pub fn stored(&self) -> &ArrayRef {
        &self.stored
    }

    /// The column's logical type.
    pub fn logical_type(&self) -> &DataType {
        &self.logical
    }

    /// The values as a slice, where `T` is the stored type. Slots of nulls hold zero.
    pub fn values<T: ArrowPrimitiveType>(&self) -> Option<&[T::Native]> {
        self.stored.as_primitive_opt::<T>().map(|array| array.values().as_ref())
    }

    /// Which rows have a value; `None` when all have.
    pub fn nulls(&self) -> Option<&NullBuffer> {
        self.stored.nulls()
    }

    /// The array in its logical type. Copies only where that differs from the stored one.
    ///
    /// # Errors
    /// When a value does not fit, which no undamaged store contains.
    pub fn logical(&self) -> Result<ArrayRef> {
        restore(&self.stored, &self.logical)
    }

    /// These of its rows.
    pub(crate) fn slice(&self, start: usize, len: usize) -> StoredColumn {
        StoredColumn { stored: self.stored.slice(start, len), logical: self.logical.clone() }
    }

    /// The rows at `places`, which must lie within it.
    pub(super) fn take(&self, places: &UInt32Array) -> Result<StoredColumn> {
        let stored = take(&self.stored, places, None).map_err(Error::failed("choose rows of a column"))?;
        Ok(StoredColumn { stored, logical: self.logical.clone() })
    }

    /// A column of `row_count` rows of its type that has no value.
    pub(super) fn all_null(&self, row_count: usize) -> StoredColumn {
        StoredColumn { stored: new_null_array(&self.logical, row_count), logical: self.logical.clone() }
    }
}
