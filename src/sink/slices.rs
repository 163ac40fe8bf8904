//! A group of rows in slices that take few bytes, for formats whose values are held as they are written out.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, cast::AsArray};
use arrow_schema::{DataType, SchemaRef};

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
pub(crate) fn in_slices(columns: &[OutputColumn], row_count: usize, each: &mut Each<'_>) -> Result<()> {
    let all = |columns: &[OutputColumn], row_count| columns.iter().map(|column| byte_len(column, row_count)).sum();
    cut(columns, row_count, &all, each)
}

/// As [`in_slices`], for a format that holds one column at a time, and each of its texts once: few rows are ever cut.
///
/// # Errors
/// As [`in_slices`].
pub(super) fn in_groups(columns: &[OutputColumn], row_count: usize, each: &mut Each<'_>) -> Result<()> {
    let largest = |columns: &[OutputColumn], row_count| {
        columns.iter().map(|column| dictionary_len(column, row_count)).max().unwrap_or(0)
    };
    cut(columns, row_count, &largest, each)
}

/// How many rows of `schema` are no more bytes than a slice where the texts of a row are `texts_len` bytes at most; one
/// where none are.
pub(crate) fn rows_of_slice(schema: &SchemaRef, texts_len: u64) -> usize {
    let numbers: u64 = schema.fields().iter().map(|field| width(field.data_type())).sum();
    usize::try_from(SLICE_BYTES / (numbers + texts_len).max(1)).unwrap_or(usize::MAX).max(1)
}

/// Bytes of the longest of these texts.
pub(crate) fn longest(texts: &ArrayRef) -> u64 {
    text_len(texts).and_then(|len| (0..texts.len()).map(len).max()).unwrap_or(0)
}

/// Takes the columns of a slice, and how many rows it has.
type Each<'e> = dyn FnMut(&[OutputColumn], usize) -> Result<()> + 'e;

fn cut(
    columns: &[OutputColumn],
    row_count: usize,
    measure: &dyn Fn(&[OutputColumn], usize) -> u64,
    each: &mut Each<'_>,
) -> Result<()> {
    let parts = usize::try_from(measure(columns, row_count).div_ceil(SLICE_BYTES)).unwrap_or(usize::MAX);
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
        cut(&slice, count, measure, each)?;
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
    let len = text_len(coded.values())?;
    Some(coded.keys().iter().map(|code| NO_VALUE + code.map_or(0, |code| len(code as usize))).sum())
}

/// Bytes that the texts of a column take which are stored as codes, each once; 0 where they are less than a slice, as
/// all that the store knows of it are, or those of all rows.
fn dictionary_len(column: &OutputColumn, row_count: usize) -> u64 {
    let large: Vec<&DictionaryArray<Int32Type>> = column
        .arrays()
        .into_iter()
        .filter_map(|array| array.as_dictionary_opt::<Int32Type>())
        .filter(|coded| byte_count(coded.values()) > SLICE_BYTES)
        .collect();
    if large.is_empty() || byte_len(column, row_count) <= SLICE_BYTES {
        return 0;
    }
    let mut seen = HashSet::new();
    let mut len = 0;
    for coded in large {
        let Some(text_len) = text_len(coded.values()) else { continue };
        // Parts of a column have one dictionary, or few.
        let whose = Arc::as_ptr(coded.values()).addr();
        let new = coded.keys().iter().flatten().filter(|&code| seen.insert((whose, code)));
        len += new.map(|code| text_len(code as usize)).sum::<u64>();
    }
    len
}

/// Bytes of all of these texts.
fn byte_count(texts: &ArrayRef) -> u64 {
    texts.to_data().get_slice_memory_size().unwrap_or(0) as u64
}

/// The length of each of these texts.
fn text_len(texts: &ArrayRef) -> Option<Box<dyn Fn(usize) -> u64 + '_>> {
    if let Some(texts) = texts.as_string_opt::<i32>() {
        return Some(Box::new(|code| u64::from(texts.value_length(code).unsigned_abs())));
    }
    let texts = texts.as_binary_opt::<i32>()?;
    Some(Box::new(|code| u64::from(texts.value_length(code).unsigned_abs())))
}

fn width(data_type: &DataType) -> u64 {
    data_type.primitive_width().map_or(NO_VALUE, |width| width as u64)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, StringArray};

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
    fn a_group_is_cut_where_a_column_has_many_texts_and_not_where_it_has_few_often() {
        let long = |letter: char| letter.to_string().repeat(1 << 20);
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(('a'..='t').map(long)));
        let coded = |keys: Vec<i32>| {
            stored(Arc::new(DictionaryArray::<Int32Type>::new(keys.into(), texts.clone())), DataType::Utf8)
        };
        let groups = |columns: &[OutputColumn], row_count| {
            let mut counts = Vec::new();
            let mut each = |_: &[OutputColumn], count: usize| {
                counts.push(count);
                Ok(())
            };
            in_groups(columns, row_count, &mut each).unwrap();
            counts
        };
        // 20 MiB; 8 MiB, a thousand times; 8 MiB in each of two columns, of which one is held at a time.
        assert_eq!(groups(&[coded((0..20).collect())], 20), [7, 7, 6]);
        let often: Vec<i32> = (0..8000).map(|row| row % 8).collect();
        assert_eq!(groups(&[coded(often.clone()), coded(often.clone())], 8000), [8000]);
        let joined = OutputColumn::Joined(vec![(coded(often.clone()), 8000), (coded(often), 8000)]);
        assert_eq!(groups(&[joined], 16_000), [16_000]);
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
