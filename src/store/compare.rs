//! Whether two record batches hold the same rows, bit for bit.

use arrow_array::{Array, ArrayRef, RecordBatch, make_array};
use arrow_buffer::BooleanBuffer;
use arrow_ord::cmp::distinct;
use arrow_schema::DataType;

use crate::panel::show;

/// Where `found` first differs from `expected`, in words; `None` when all is the same: columns, types, rows, and every
/// value's bits, so that NaN payloads and the sign of zero count. Their first row is told as row `first`.
pub(crate) fn first_difference(expected: &RecordBatch, found: &RecordBatch, first: usize) -> Option<String> {
    let columns = |batch: &RecordBatch| -> Vec<(String, DataType)> {
        batch.schema().fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect()
    };
    if columns(expected) != columns(found) {
        return Some(format!("columns are {:?}, should be {:?}", columns(found), columns(expected)));
    }
    if expected.num_rows() != found.num_rows() {
        return Some(format!("{} rows, should be {}", found.num_rows(), expected.num_rows()));
    }
    let differs = |(at, (ours, theirs)): (usize, (&ArrayRef, &ArrayRef))| {
        let name = expected.schema().field(at).name().clone();
        match first_differing_row(ours, theirs) {
            Ok(None) => None,
            Ok(Some(row)) => Some(format!(
                "column {name:?}, row {}: {}, should be {}",
                first + row,
                show(theirs, row),
                show(ours, row)
            )),
            Err(why) => Some(format!("column {name:?}: {why}")),
        }
    };
    expected.columns().iter().zip(found.columns()).enumerate().find_map(differs)
}

/// The first row in which two arrays of one type and length differ by a bit.
///
/// # Errors
/// In words, when the arrays cannot be compared.
fn first_differing_row(a: &ArrayRef, b: &ArrayRef) -> Result<Option<usize>, String> {
    Ok(differing_rows(a, b)?.set_indices().next())
}

/// All rows in which two arrays of one type and length differ by a bit.
///
/// # Errors
/// In words, when the arrays cannot be compared.
pub(crate) fn differing_rows(a: &ArrayRef, b: &ArrayRef) -> Result<BooleanBuffer, String> {
    if a.data_type() == &DataType::Null {
        return Ok(BooleanBuffer::new_unset(a.len()));
    }
    let differs = distinct(&bits(a)?, &bits(b)?).map_err(|error| error.to_string())?;
    Ok(differs.values().clone())
}

/// Floats as integers of the same bits: compared as floats, NaN payloads and the sign of zero would not count.
fn bits(array: &ArrayRef) -> Result<ArrayRef, String> {
    let integer = match array.data_type() {
        DataType::Float16 => DataType::UInt16,
        DataType::Float32 => DataType::UInt32,
        DataType::Float64 => DataType::UInt64,
        _ => return Ok(array.clone()),
    };
    let data = array.to_data().into_builder().data_type(integer).build().map_err(|error| error.to_string())?;
    Ok(make_array(data))
}
