//! The input as users have it: every habit of real files, and every way for one to be bad.

mod arrow;
mod bad_files;
mod casts;
mod coded;
mod columns;
mod constants;
mod csv;
mod dates;
mod files;
mod key_columns;
mod meaning;
mod nulls;
mod real;
mod types;
mod units;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use super::{BadFile, SeriesReader, SourceOptions, Survey, survey};
use crate::error::Error;
use crate::panel::SeriesColumn;
use crate::progress::Silent;
use crate::reason::Reason;
use crate::workers::Workers;

/// A directory of files in the making.
struct Source {
    directory: TempDir,
    options: SourceOptions,
}

impl Source {
    fn new() -> Source {
        Source { directory: tempfile::tempdir().unwrap(), options: SourceOptions::default() }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Adds `CODE.parquet` with these columns.
    fn add(&self, code: &str, columns: &[(&str, ArrayRef)]) -> &Source {
        self.add_at(&format!("{code}.parquet"), columns)
    }

    fn add_at(&self, path: &str, columns: &[(&str, ArrayRef)]) -> &Source {
        self.write(path, &encoded(columns))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> &Source {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    fn options(&mut self, change: impl FnOnce(&mut SourceOptions)) -> &mut Source {
        change(&mut self.options);
        self
    }

    fn survey(&self) -> Survey {
        self.try_survey().unwrap()
    }

    fn try_survey(&self) -> Result<Survey, Error> {
        survey(self.path(), &self.options, &Workers::new(Some(2)).unwrap(), &Silent)
    }

    /// The message of a survey that must be refused.
    fn refused(&self) -> String {
        match self.try_survey() {
            Err(error @ (Error::Refused { .. } | Error::Invalid { .. } | Error::Inputs { .. })) => error.to_string(),
            other => panic!("not refused: {other:?}"),
        }
    }

    /// The reason for which the only file is refused, by the survey or later.
    fn reason(&self) -> String {
        let survey = self.survey();
        match &survey.skipped[..] {
            [skipped] if survey.inputs.is_empty() => skipped.reason.to_string(),
            [] => match read_all(&survey, 0) {
                Err(reason) => reason.to_string(),
                Ok(_) => panic!("nothing is wrong with the file"),
            },
            other => panic!("more than one file: {other:?}"),
        }
    }
}

/// The bytes of a Parquet file with these columns.
fn encoded(columns: &[(&str, ArrayRef)]) -> Vec<u8> {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.iter().map(|(_, array)| array.clone()).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// Opens the input `n` and reads all its columns.
fn read_all(survey: &Survey, n: usize) -> Result<(SeriesReader<'_>, Vec<Option<ArrayRef>>), BadFile> {
    let reader = survey.open(&survey.inputs[n])?;
    let columns = arrays(&reader, reader.read(0..survey.columns.len())?);
    for (array, column) in columns.iter().zip(&survey.columns) {
        if let Some(array) = array {
            assert_eq!((array.len(), array.data_type()), (reader.dates().len(), &column.data_type));
        }
    }
    assert!(reader.dates().is_sorted_by(|a, b| a < b));
    Ok((reader, columns))
}

/// Columns of `reader` as arrays of all its rows.
fn arrays(reader: &SeriesReader, columns: Vec<Option<SeriesColumn>>) -> Vec<Option<ArrayRef>> {
    let row_count = reader.dates().len();
    columns.into_iter().map(|column| column.map(|column| column.into_array(row_count).unwrap())).collect()
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

/// Dates as their eight digits.
fn days(reader: &SeriesReader) -> Vec<String> {
    reader.dates().iter().map(ToString::to_string).collect()
}

/// The only input's column, by name.
fn column(survey: &Survey, n: usize, name: &str) -> ArrayRef {
    let at = survey.columns.iter().position(|column| column.name == name).unwrap();
    read_all(survey, n).unwrap().1[at].clone().unwrap()
}

fn names(survey: &Survey) -> Vec<&str> {
    survey.columns.iter().map(|column| column.name.as_str()).collect()
}

#[track_caller]
fn assert_mentions(text: &impl ToString, parts: &[&str]) {
    let text = text.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}
