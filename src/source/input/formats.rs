//! The formats of input files, told apart.

use std::path::Path;
use std::sync::Arc;

use arrow_schema::DataType;
use parquet::file::reader::Length;

use super::interner::Interner;
use super::schema::{FileColumn, Footer};
use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting};
use crate::source::arrow::survey::survey_arrow;
use crate::source::content::{Content, guarded};
use crate::source::csv::survey::survey_csv;
use crate::source::parquet::settle::survey_parquet;
use crate::source::path::input_format::InputFormat;
use crate::source::types::logical;

/// What a file says of itself, one of the format that its source has.
///
/// # Errors
/// The reason to skip the file.
pub(in crate::source) fn survey_file(content: &Content, interner: &Interner) -> Result<Footer, Reason> {
    survey_as(interner.options.input, content, interner)
}

/// What a file says of itself that somebody named, of whatever format: by its first bytes, and csv by its name or because
/// the source's files are csv.
///
/// # Errors
/// The reason why it cannot be used.
pub(in crate::source) fn survey_by_hand(path: &Path, content: &Content, interner: &Interner) -> Result<Footer, Reason> {
    let is_csv = interner.options.input == InputFormat::Csv
        || path.file_name().is_some_and(|name| InputFormat::Csv.ending_of(name).is_some());
    match format_of(content) {
        Some(InputFormat::Arrow) => survey_as(InputFormat::Arrow, content, interner),
        Some(InputFormat::Csv) | None if is_csv => survey_as(InputFormat::Csv, content, interner),
        found => survey_as(InputFormat::Parquet, content, interner).map_err(|reason| match reason.kind() {
            Kind::OtherFormat => {
                let name = || Remedy::Do("give it a name that ends in .csv, if it is one".to_owned());
                let named = (found == Some(InputFormat::Csv)).then(name);
                Reason::new(Kind::OtherFormat, "is neither a Parquet nor an Arrow file").or(named)
            }
            _ => reason,
        }),
    }
}

/// What a file of this format says of itself.
fn survey_as(format: InputFormat, content: &Content, interner: &Interner) -> Result<Footer, Reason> {
    let footer = match format {
        InputFormat::Parquet => survey_parquet(content, interner)?,
        InputFormat::Arrow => survey_arrow(content, interner)?,
        InputFormat::Csv => return survey_csv(content, interner),
    };
    Ok(without_types_of_nulls(footer, content, interner))
}

/// `footer`, but columns that have no value have no type which would keep the file out of a panel. Those of types that a
/// panel holds are looked at where they meet others.
fn without_types_of_nulls(footer: Footer, content: &Content, interner: &Interner) -> Footer {
    let schema = &footer.schema;
    let is_unheld = |column: &&mut FileColumn| {
        interner.options.wants(&column.name)
            && interner.options.cast(&column.name).is_none()
            && !column.raw.as_ref().is_ok_and(|raw| logical(raw).is_some())
    };
    let mut columns = schema.columns.clone();
    let mut unheld = columns.iter_mut().filter(is_unheld).peekable();
    if footer.row_count == 0 || unheld.peek().is_none() {
        return footer;
    }
    // What else is wrong with it is told when it is read.
    let Ok(decoder) = guarded(|| schema.open(content.clone(), &interner.allowance)) else { return footer };
    let mut has_nulls = false;
    for column in unheld.filter(|column| guarded(|| decoder.is_null(column)).unwrap_or(false)) {
        (column.raw, has_nulls) = (Ok(DataType::Null), true);
    }
    match &schema.format {
        Some(format) if has_nulls => Footer { schema: interner.intern(Arc::clone(format), columns), ..footer },
        _ => footer,
    }
}

/// The format of a file by its first bytes; text with a comma in its first line is csv.
pub(in crate::source) fn format_of(content: &Content) -> Option<InputFormat> {
    let head = content.range(0, content.len().min(64 << 10) as usize).ok()?;
    let tail = content.range(content.len().saturating_sub(4), content.len().min(4) as usize).ok()?;
    if head.starts_with(b"PAR1") || *tail == *b"PAR1" {
        return Some(InputFormat::Parquet);
    }
    if head.starts_with(b"ARROW1") || head.starts_with(&[0xff; 4]) {
        return Some(InputFormat::Arrow);
    }
    let line = head.split(|byte| matches!(byte, b'\n' | b'\r')).next()?;
    let is_text = std::str::from_utf8(line).is_ok_and(|line| !line.contains(|c: char| c.is_control() && c != '\t'));
    (is_text && line.contains(&b',') && line.len() < head.len()).then_some(InputFormat::Csv)
}

/// `reason` with the format that the files have, where it is that they are of another than the source's.
pub(in crate::source) fn told_format(reason: Reason, format: Option<InputFormat>) -> Reason {
    let reads = |format: InputFormat| Remedy::set(Setting::Input(format.to_string()), "reads it");
    match reason.kind() {
        Kind::OtherFormat => reason.or(format.map(reads)),
        _ => reason,
    }
}
