//! Compares the files of an output directory with the store they came from.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_cast::cast;
use arrow_ipc::reader::FileReader;
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Serialize;

use super::encode::use_columns;
use super::ledger::{Ledger, LedgerFile};
use super::plan::Plan;
use crate::error::{Error, Result, Wanted};
use crate::key::Date;
use crate::progress::Observer;
use crate::remedy::Remedy;
use crate::sink::{Format, in_parquet};
use crate::storage::{Dir, Disk};
use crate::store::{Section, Store, first_difference};
use crate::workers::Workers;

/// What [`verify_output`] read and found.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct OutputReport {
    /// Files compared.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Dates of the store of which the ledger knows nothing: they were never selected, or came later.
    pub not_written: u64,
    /// Every file that is not as the store and the ledger say, one message each.
    pub differences: Vec<String>,
}

/// Reads every file that the ledger of `out` lists and compares it, bit for bit, with the section of `store`.
///
/// # Errors
/// When there is no ledger, it is another store's, or the observer cancels; what differs is in the report.
pub fn verify_output(store: &Store, out: &Path, workers: &Workers, observer: &dyn Observer) -> Result<OutputReport> {
    let no_ledger = || Error::NotFound {
        wanted: Wanted::Ledger,
        what: format!("transect's ledger in {}", out.display()),
        hint: Remedy::Do("a directory that a store was transposed into has one".to_owned()),
    };
    let dir = match Dir::open(&Disk::default(), out) {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Err(no_ledger()),
        opened => opened?,
    };
    let ledger = Ledger::read(&dir)?.ok_or_else(no_ledger)?;
    if ledger.store != format!("{:032x}", store.id()) {
        let (out, store) = (out.display(), store.path().display());
        let what = format!("{out} was written from another store than {store}");
        return Err(Error::refused(what, "transpose again, or name that store"));
    }
    let plan = Plan::new(store, &ledger.shape)?;
    let files: Vec<(Date, String, &LedgerFile)> = ledger.files().collect();
    observer.begin("verify output", "files", files.len() as u64);
    let results = workers.try_map(files.len(), |at| {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let (date, path, file) = &files[at];
        let difference = compare(store, &dir, path, *date, file, &plan, ledger.shape.format);
        observer.advance(1);
        Ok(difference.err().map(|why| format!("{}: {why}", out.join(path).display())))
    })?;
    observer.end();
    let mut differences: Vec<String> = results.into_iter().flatten().collect();
    if !ledger.pending.is_empty() {
        differences.push(format!("{}: a transpose into it did not complete; run it again", out.display()));
    }
    Ok(OutputReport {
        files: files.len() as u64,
        rows: files.iter().map(|(_, _, file)| file.rows).sum(),
        not_written: store.dates()?.iter().filter(|date| !ledger.files.contains_key(date)).count() as u64,
        differences,
    })
}

fn compare(
    store: &Store,
    out: &Dir,
    path: &str,
    date: Date,
    file: &LedgerFile,
    plan: &Plan,
    format: Format,
) -> Result<(), String> {
    let failed = |error: Error| error.to_string();
    let mut found = out.open_file(path).map_err(failed)?.ok_or("it is gone")?;
    let section = store.section(date).map_err(failed)?;
    let is_written = file.is_in(&mut found).map_err(|error| error.to_string())?;
    // One piece is held at a time, of the section and of the file.
    let mut rows = Rows::new(found, format);
    let (mut expected_rows, mut found_rows) = (0, 0);
    for place in 0..section.piece_count() {
        let Some(expected) = expected(&section.part(place..place + 1), plan, format).map_err(failed)? else { continue };
        if expected_rows == 0 && !is_written {
            return Err("it is not the file that was written; transpose again, comparing contents".to_owned());
        }
        let found = rows.as_mut().map_err(|why| why.to_string())?.next(expected.num_rows());
        let found = found.map_err(|error| error.to_string())?;
        if found.num_rows() == expected.num_rows()
            && let Some(difference) = first_difference(&expected, &found, expected_rows)
        {
            return Err(difference);
        }
        expected_rows += expected.num_rows();
        found_rows += found.num_rows();
    }
    if expected_rows == 0 {
        return Err("the store has no rows for it".to_owned());
    }
    found_rows += rows.and_then(|mut rows| rows.count_rest()).map_err(|error| error.to_string())?;
    match found_rows == expected_rows {
        true => Ok(()),
        false => Err(format!("{found_rows} rows, should be {expected_rows}")),
    }
}

/// What a file should hold of a section of one piece; `None` where no row of it is selected.
fn expected(part: &Section, plan: &Plan, format: Format) -> Result<Option<RecordBatch>> {
    let schema = match format {
        Format::Parquet => in_parquet(&plan.schema),
        Format::Arrow => plan.schema.clone(),
    };
    let Some(piece) = part.only_piece()? else { return Ok(None) };
    use_columns(piece, plan, |columns, row_count| {
        let arrays = columns.iter().zip(schema.fields()).map(|(column, field)| {
            let array = column.logical(row_count)?;
            match array.data_type() == field.data_type() {
                true => Ok(array),
                false => cast(&array, field.data_type()).map_err(Error::failed("turn seconds into milliseconds")),
            }
        });
        let batch = RecordBatch::try_new(schema.clone(), arrays.collect::<Result<_>>()?)
            .map_err(Error::failed("make a record batch"))?;
        piece.check_columns(&plan.columns).map(|()| batch)
    })
}

/// The rows of a file, as many at a time as are asked for.
struct Rows {
    reader: Box<dyn RecordBatchReader>,
    /// What was read and not yet asked for.
    rest: RecordBatch,
}

impl Rows {
    fn new(file: File, format: Format) -> Result<Rows, ArrowError> {
        let reader: Box<dyn RecordBatchReader> = match format {
            Format::Parquet => Box::new(ParquetRecordBatchReaderBuilder::try_new(file)?.build()?),
            Format::Arrow => Box::new(FileReader::try_new(file, None)?),
        };
        let rest = RecordBatch::new_empty(reader.schema());
        Ok(Rows { reader, rest })
    }

    /// The next `count` rows, or as many as there are.
    fn next(&mut self, count: usize) -> Result<RecordBatch, ArrowError> {
        let schema = self.reader.schema();
        let mut parts = Vec::new();
        let mut found = 0;
        while found < count {
            if self.rest.num_rows() == 0 {
                match self.reader.next().transpose()? {
                    Some(batch) => self.rest = batch,
                    None => break,
                }
            }
            let taken = self.rest.num_rows().min(count - found);
            parts.push(self.rest.slice(0, taken));
            self.rest = self.rest.slice(taken, self.rest.num_rows() - taken);
            found += taken;
        }
        concat_batches(&schema, &parts)
    }

    /// How many rows were not asked for.
    fn count_rest(&mut self) -> Result<usize, ArrowError> {
        let mut count = self.rest.num_rows();
        for batch in &mut self.reader {
            count += batch?.num_rows();
        }
        Ok(count)
    }
}
