//! What an Arrow file says of itself.

use std::sync::Arc;

use arrow_schema::DataType;

use super::buffers::{all, buffers_of, unmatched, unpacked_len};
use super::columns::columns;
use super::decode::Arrow;
use super::messages::{Batch, batch};
use super::outline::Outline;
use crate::reason::Reason;
use crate::source::allowance::{Meter, ROW_LEN};
use crate::source::content::{Content, guarded};
use crate::source::input::interner::Interner;
use crate::source::input::parts::tells_attrs;
use crate::source::input::schema::{FileSchema, Footer};

/// What the texts of a dictionary are taken to be at most, in each row; longer ones are weighed when they are read.
const USUAL_TEXT: u64 = 64;

/// What an Arrow file says of itself. Reads its footer and its messages, and not the rows.
///
/// # Errors
/// The reason to skip the file.
pub(in crate::source) fn survey_arrow(content: &Content, interner: &Interner) -> Result<Footer, Reason> {
    guarded(|| {
        let meter = Meter::new(&interner.allowance);
        let outline = Outline::new(content, &meter)?;
        interner.check_own(outline.schema.fields().iter().map(|field| field.name()))?;
        let schema = interner.intern(interner.format(|| Arc::new(Arrow)), columns(&outline.schema));
        let row_count = outline.row_count;
        // Now, not when it is read: rows that a few bytes claim must not weigh in any decision on all files.
        let rows_len = row_count.saturating_mul(ROW_LEN);
        if rows_len > interner.allowance.most() {
            let values = (schema.columns.len() as u64).saturating_mul(row_count.saturating_mul(8));
            let what = format!("has {row_count} rows, whose dates alone");
            return Err(interner.allowance.refusal_of(&what, rows_len, rows_len.saturating_add(values)));
        }
        let text_len = text_len(content, &outline, &schema)?;
        let has_attrs = outline.schema.metadata().iter().any(|(key, value)| tells_attrs(key, Some(value.as_str())));
        Ok(Footer { schema, row_count, text_len, has_attrs, odd: Vec::new() })
    })
}

/// Upper estimate of the bytes in texts and binaries.
fn text_len(content: &Content, outline: &Outline, schema: &FileSchema) -> Result<u64, Reason> {
    let texts: Vec<usize> = schema
        .values
        .iter()
        .filter(|value| value.raw.primitive_width().is_none() && value.raw != DataType::Boolean)
        .map(|value| value.leaf)
        .collect();
    let mut sum = 0_u64;
    let mut coded = 0_u64;
    for part in outline.parts.iter().filter(|_| !texts.is_empty()) {
        let message = part.message(content)?;
        let prefix = |offset: u64| part.prefix(content, offset);
        match batch(&message, part.body_len()).map_err(Reason::damaged)? {
            Batch::Rows(rows, version) => {
                let places = buffers_of(&outline.schema, rows, version).ok_or_else(unmatched)?;
                for &leaf in &texts {
                    let places = places.get(leaf).ok_or_else(unmatched)?;
                    sum = sum.saturating_add(unpacked_len(rows, places, prefix).ok_or_else(unmatched)?);
                }
            }
            Batch::Dictionary(dictionary) => {
                let entries = dictionary.data().ok_or_else(unmatched)?;
                let len = unpacked_len(entries, &all(entries), prefix).ok_or_else(unmatched)?;
                coded = coded.saturating_add(len);
            }
        }
    }
    let coded_columns = texts.iter().filter(|leaf| {
        outline.schema.fields().get(**leaf).is_some_and(|field| matches!(field.data_type(), DataType::Dictionary(..)))
    });
    let of_rows = outline.row_count.saturating_mul(coded.min(USUAL_TEXT));
    Ok(coded_columns.fold(sum.saturating_add(coded), |sum, _| sum.saturating_add(of_rows)))
}
