//! The bytes of a file.

use super::rows::Rows;
use crate::error::{Error, Result};
use crate::sink::{Encoder, Put, Scratch};

/// Gives the bytes of the file of `rows` to `put`; the number of its rows, and nothing put when that is 0.
///
/// # Errors
/// When a section is damaged, the format cannot hold a value, or `put` fails.
pub(super) fn encode(rows: &Rows<'_>, encoder: &Encoder, scratch: &mut Scratch, put: &mut Put<'_>) -> Result<u64> {
    let own = encoder.of_schema(rows.schema()?)?;
    let encoder = own.as_ref().unwrap_or(encoder);
    let mut file = encoder.begin(scratch)?;
    loop {
        let total = rows.for_each_group(&mut |columns, row_count| file.write(columns, row_count, put))?;
        if total == 0 {
            return Ok(0);
        }
        if !file.begins_again()? {
            return file.finish(put).map(|()| total);
        }
    }
}

/// The error of who encodes the file at `path`, which tells of it.
pub(super) fn of_file(path: &str) -> impl FnOnce(Error) -> Error {
    move |error| match error {
        Error::Refused { what, remedies, path: place } => {
            Error::Refused { what: format!("{path}: {what}"), remedies, path: place }
        }
        error => error,
    }
}
