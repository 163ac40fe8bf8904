//! Whether two record batches hold the same rows, bit for bit.

use arrow_array::{Array, ArrayRef, RecordBatch, downcast_primitive_array};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;

/// Where `found` first differs from `expected`, in words; `None` when all is the same: columns, types, rows, and every
/// value's bits, so that NaN payloads and the sign of zero count.
pub(crate) fn first_difference(expected: &RecordBatch, found: &RecordBatch) -> Option<String> {
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
        let row = first_differing_row(ours, theirs)?;
        let name = expected.schema().field(at).name().clone();
        Some(format!("column {name:?}, row {row}: {}, should be {}", show(theirs, row), show(ours, row)))
    };
    expected.columns().iter().zip(found.columns()).enumerate().find_map(differs)
}

/// The first row in which two arrays of one type and length differ by a bit.
pub(crate) fn first_differing_row(a: &ArrayRef, b: &ArrayRef) -> Option<usize> {
    if let DataType::Dictionary(_, value) = a.data_type() {
        // Codes may differ where texts do not.
        let (a, b) = (cast(a, value).ok()?, cast(b, value).ok()?);
        return first_differing_row(&a, &b);
    }
    let (a_nulls, b_nulls) = (a.logical_nulls(), b.logical_nulls());
    let valid = |nulls: &Option<arrow_buffer::NullBuffer>, row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    let same = |row: usize| match (valid(&a_nulls, row), valid(&b_nulls, row)) {
        (true, true) => same_value(a, b, row),
        (a, b) => a == b,
    };
    (0..a.len()).find(|&row| !same(row))
}

fn same_value(a: &ArrayRef, b: &ArrayRef, row: usize) -> bool {
    let b = b.as_ref();
    fn bits<T: arrow_array::types::ArrowPrimitiveType>(
        a: &arrow_array::PrimitiveArray<T>,
        b: &dyn Array,
        row: usize,
    ) -> bool {
        let b = arrow_array::cast::AsArray::as_primitive_opt::<T>(b);
        let bytes = |value: &T::Native| arrow_buffer::ToByteSlice::to_byte_slice(value).to_vec();
        b.is_some_and(|b| bytes(&a.value(row)) == bytes(&b.value(row)))
    }
    downcast_primitive_array!(
        a => bits(a, b, row),
        _ => a.slice(row, 1).to_data() == b.slice(row, 1).to_data()
    )
}

fn show(array: &ArrayRef, row: usize) -> String {
    let options = FormatOptions::default().with_null("null");
    match ArrayFormatter::try_new(array, &options) {
        Ok(formatter) => formatter.value(row).to_string(),
        Err(_) => "a value that cannot be shown".to_owned(),
    }
}
