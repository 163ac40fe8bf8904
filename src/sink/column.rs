//! One column of a section on its way out: still in its stored type where that saves work.

use arrow_array::{Array, ArrayRef, UInt64Array};
use arrow_schema::DataType;
use arrow_select::take::take;

use crate::error::{Error, Result};
use crate::panel::restore;

/// One column of an output file.
pub(crate) enum OutputColumn {
    /// Every row holds the one value of this array, which has its logical type.
    Constant(ArrayRef),
    /// One value a row, in the stored type.
    Stored {
        /// The values.
        array: ArrayRef,
        /// The type to write.
        logical: DataType,
        /// Whether no value occurs twice.
        distinct: bool,
    },
}

impl OutputColumn {
    /// The column as an array of `row_count` values in its logical type.
    ///
    /// # Errors
    /// When a value does not fit, which no store of ours contains.
    pub(crate) fn logical(&self, row_count: usize) -> Result<ArrayRef> {
        match self {
            OutputColumn::Constant(value) => {
                let zeros = UInt64Array::from(vec![0; row_count]);
                take(value, &zeros, None).map_err(Error::failed("repeat a value"))
            }
            OutputColumn::Stored { array, logical, .. } => {
                debug_assert_eq!(array.len(), row_count, "columns of a section have one length");
                restore(array, logical)
            }
        }
    }
}
