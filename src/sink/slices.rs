//! A group of rows in slices that take few bytes, for formats whose values are held as they are written out.

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, cast::AsArray};
use arrow_schema::DataType;

use super::OutputColumn;
use crate::error::Result;

/// Bytes that the values of a slice take, unless it is of a single row. Held several times over, by each worker.
const SLICE_BYTES: u64 = 8 << 20;

/// Bytes that a value of no fixed width counts for, where there is none.
const NO_VALUE: u64 = 4;

/// Calls `each` with the rows, slice by slice, and how many each has. Where they are cut depends on nothing but the rows.
///
/// # Errors
/// The first that `each` gives.
pub(crate) fn in_slices(
    columns: &[OutputColumn],
    row_count: usize,
    each: &mut dyn FnMut(&[OutputColumn], usize) -> Result<()>,
) -> Result<()> {
    let all: u64 = columns.iter().map(|column| byte_len(column, row_count)).sum();
    let parts = usize::try_from(all.div_ceil(SLICE_BYTES)).unwrap_or(usize::MAX);
    if parts <= 1 {
        return each(columns, row_count);
    }
    if row_count == 1 {
        return each(columns, 1);
    }
    // Where some rows are much longer than others, a part may be cut again.
    let rows = row_count.div_ceil(parts).min(row_count - 1);
    for start in (0..row_count).step_by(rows) {
        let count = rows.min(row_count - start);
        let slice: Vec<OutputColumn> = columns.iter().map(|column| column.slice(start, count)).collect();
        in_slices(&slice, count, each)?;
    }
    Ok(())
}

/// Bytes that the values of a column take in its logical type.
fn byte_len(column: &OutputColumn, row_count: usize) -> u64 {
    match column {
        OutputColumn::Constant(value) => value_len(value).saturating_mul(row_count as u64),
        OutputColumn::Joined(parts) => parts.iter().map(|(part, count)| byte_len(part, *count)).sum(),
        OutputColumn::Stored { array, logical, .. } => match texts_len(array) {
            Some(len) => len,
            None => width(logical).saturating_mul(row_count as u64),
        },
    }
}

/// As [`byte_len`], of a column of one value.
fn value_len(value: &ArrayRef) -> u64 {
    width(value.data_type()).max(value.to_data().get_slice_memory_size().unwrap_or(0) as u64)
}

/// Bytes that texts take which are stored as codes.
fn texts_len(array: &ArrayRef) -> Option<u64> {
    let coded = array.as_dictionary_opt::<Int32Type>()?;
    let len: Box<dyn Fn(usize) -> u64> = match coded.values() {
        texts if texts.as_string_opt::<i32>().is_some() => {
            let texts = texts.as_string::<i32>();
            Box::new(|code| u64::from(texts.value_length(code).unsigned_abs()))
        }
        texts => {
            let texts = texts.as_binary_opt::<i32>()?;
            Box::new(|code| u64::from(texts.value_length(code).unsigned_abs()))
        }
    };
    let coded = coded.keys().iter();
    Some(coded.map(|code| NO_VALUE + code.map_or(0, |code| len(code as usize))).sum())
}

fn width(data_type: &DataType) -> u64 {
    data_type.primitive_width().map_or(NO_VALUE, |width| width as u64)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{DictionaryArray, Float64Array, StringArray};

    use super::*;

    fn slices(columns: &[OutputColumn], row_count: usize) -> Vec<usize> {
        let mut counts = Vec::new();
        let mut each = |slice: &[OutputColumn], count: usize| {
            slice.iter().for_each(|column| assert_eq!(column.logical(count).unwrap().len(), count));
            counts.push(count);
            Ok(())
        };
        in_slices(columns, row_count, &mut each).unwrap();
        counts
    }

    fn stored(array: ArrayRef, logical: DataType) -> OutputColumn {
        OutputColumn::Stored { array, logical, distinct: false }
    }

    #[test]
    fn rows_are_cut_by_the_bytes_of_their_values_however_they_lie() {
        let rows = 1 << 20;
        let numbers = stored(Arc::new(Float64Array::from(vec![1.0; rows])), DataType::Float64);
        assert_eq!(slices(std::slice::from_ref(&numbers), rows), [rows]);
        assert_eq!(slices(&[numbers.clone(), numbers.clone()], rows), [rows / 2; 2]);
        let joined =
            OutputColumn::Joined(vec![(numbers.slice(0, 1000), 1000), (numbers.slice(1000, rows - 1000), rows - 1000)]);
        assert_eq!(slices(&[numbers, joined], rows), [rows / 2; 2]);
    }

    #[test]
    fn a_text_counts_where_it_stands_and_a_row_that_is_too_long_stands_alone() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(9 << 20), "y".to_owned()]));
        let coded = |keys: Vec<i32>| {
            stored(Arc::new(DictionaryArray::<Int32Type>::new(keys.into(), texts.clone())), DataType::Utf8)
        };
        assert_eq!(slices(&[coded(vec![1; 1000])], 1000), [1000]);
        assert_eq!(slices(&[coded(vec![0])], 1), [1]);
        let counts = slices(&[coded(vec![1, 1, 1, 0, 1, 0, 1, 1])], 8);
        assert_eq!(counts.iter().sum::<usize>(), 8);
        assert!(counts.len() >= 5, "{counts:?}");
        let one: ArrayRef = Arc::new(StringArray::from(vec!["z".repeat(3 << 20)]));
        assert_eq!(slices(&[OutputColumn::Constant(one)], 4), [2, 2]);
    }
}
