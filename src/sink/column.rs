//! One column of a row group on its way out: still in its stored type where that saves work.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, UInt64Array};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType};
use arrow_select::concat::concat;
use arrow_select::take::take;

use crate::error::{Error, Result};
use crate::panel::restore;

/// One column of an output file.
#[derive(Clone)]
pub(crate) enum OutputColumn {
    /// Every row holds the one value of this array, which has its logical type.
    Constant(ArrayRef),
    /// One value a row, in the stored type.
    Stored {
        /// The values.
        array: ArrayRef,
        /// The type to write.
        logical: DataType,
        /// Whether no value occurs twice, and they ascend.
        distinct: bool,
    },
    /// The values of each part in turn, with the number of its rows. They are put together when it is written: then only
    /// one column of a row group is copied at a time.
    Joined(Vec<(OutputColumn, usize)>),
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
            OutputColumn::Joined(parts) => joined(parts)?.logical(row_count),
        }
    }

    /// The column in one part.
    ///
    /// # Errors
    /// As [`logical`](OutputColumn::logical).
    pub(crate) fn whole(&self) -> Result<OutputColumn> {
        match self {
            OutputColumn::Joined(parts) => joined(parts),
            other => Ok(other.clone()),
        }
    }

    /// The arrays that it is made of.
    pub(super) fn arrays(&self) -> Vec<&ArrayRef> {
        match self {
            OutputColumn::Constant(array) | OutputColumn::Stored { array, .. } => vec![array],
            OutputColumn::Joined(parts) => parts.iter().flat_map(|(part, _)| part.arrays()).collect(),
        }
    }

    /// These of its rows.
    pub(crate) fn slice(&self, start: usize, len: usize) -> OutputColumn {
        match self {
            OutputColumn::Stored { array, logical, distinct } => {
                OutputColumn::Stored { array: array.slice(start, len), logical: logical.clone(), distinct: *distinct }
            }
            OutputColumn::Constant(_) => self.clone(),
            OutputColumn::Joined(parts) => {
                let (mut at, mut kept) = (0, Vec::new());
                for (part, count) in parts {
                    let (from, to) = (start.max(at), (start + len).min(at + count));
                    if from < to {
                        kept.push((part.slice(from - at, to - from), to - from));
                    }
                    at += count;
                }
                OutputColumn::Joined(kept)
            }
        }
    }
}

/// Parts of one column as one.
fn joined(parts: &[(OutputColumn, usize)]) -> Result<OutputColumn> {
    if let [(only, _)] = parts {
        return only.whole();
    }
    let constant = |(part, count): &(OutputColumn, usize)| match part {
        OutputColumn::Constant(value) => Some((value.clone(), *count)),
        _ => None,
    };
    if let Some(constants) = parts.iter().map(constant).collect::<Option<Vec<_>>>() {
        return repeated(&constants);
    }
    let mut arrays = Vec::with_capacity(parts.len());
    let mut logical = DataType::Null;
    for (part, count) in parts {
        let array = match part.whole()? {
            OutputColumn::Stored { array, logical: own, .. } => {
                logical = own;
                array
            }
            constant => {
                let array = constant.logical(*count)?;
                logical = array.data_type().clone();
                array
            }
        };
        arrays.push(array);
    }
    let texts = arrays.iter().filter(|array| array.null_count() < array.len()).find_map(texts_of);
    let array = match texts {
        Some(texts) => join_codes(&arrays, &texts),
        None => {
            // What was stored differently meets in the type that it stands for.
            if arrays.iter().any(|array| array.data_type() != arrays[0].data_type()) {
                arrays = arrays.iter().map(|array| restore(array, &logical)).collect::<Result<_>>()?;
            }
            concat(&arrays.iter().map(AsRef::as_ref).collect::<Vec<_>>())
        }
    };
    let array = array.map_err(Error::failed("join parts of a column"))?;
    Ok(OutputColumn::Stored { array, logical, distinct: false })
}

/// The texts of codes, as a store has them.
fn texts_of(array: &ArrayRef) -> Option<ArrayRef> {
    array.as_dictionary_opt::<Int32Type>().map(|coded| coded.values().clone())
}

/// Codes of `texts`, and what lies otherwise, as codes in which each text stands once: all who write rely on that.
fn join_codes(arrays: &[ArrayRef], texts: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let coded = |array: &ArrayRef| -> Result<Option<ArrayRef>, ArrowError> {
        // A part without a value has no texts of its own.
        if array.null_count() == array.len() {
            let nulls = DictionaryArray::try_new(Int32Array::new_null(array.len()), texts.clone())?;
            return Ok(Some(Arc::new(nulls)));
        }
        let is_same = texts_of(array).is_some_and(|own| own.to_data().ptr_eq(&texts.to_data()));
        Ok(is_same.then(|| array.clone()))
    };
    if let Some(coded) = arrays.iter().map(coded).collect::<Result<Option<Vec<_>>, _>>()? {
        return concat(&coded.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    }
    let plain = arrays.iter().map(|array| cast(array, texts.data_type())).collect::<Result<Vec<_>, _>>()?;
    let plain = concat(&plain.iter().map(AsRef::as_ref).collect::<Vec<_>>())?;
    cast(&plain, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(texts.data_type().clone())))
}

/// Values, each so many times over; texts as codes of them.
fn repeated(constants: &[(ArrayRef, usize)]) -> Result<OutputColumn> {
    let (first, _) = &constants[0];
    // However a stock's rows were put together, its code is one.
    if constants.iter().all(|(value, _)| value == first) {
        return Ok(OutputColumn::Constant(first.clone()));
    }
    let failed = || Error::failed("repeat values");
    let values: Vec<&dyn Array> = constants.iter().map(|(value, _)| value.as_ref()).collect();
    let values = concat(&values).map_err(failed())?;
    let logical = values.data_type().clone();
    let counts = constants.iter().map(|&(_, count)| count);
    let keys: Int32Array = counts.zip(0..).flat_map(|(count, key)| std::iter::repeat_n(key, count)).collect();
    let is_text = logical.is_string() || matches!(logical, DataType::Dictionary(..));
    let array: ArrayRef = match is_text {
        true => {
            let texts = cast(&values, &DataType::Utf8).map_err(failed())?;
            Arc::new(DictionaryArray::try_new(keys, texts).map_err(failed())?)
        }
        false => take(&values, &keys, None).map_err(failed())?,
    };
    Ok(OutputColumn::Stored { array, logical, distinct: false })
}
