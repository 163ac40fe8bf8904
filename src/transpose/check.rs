//! Compares the files of an output directory with the store they came from.

use std::io::{Cursor, ErrorKind};
use std::path::Path;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_ipc::reader::FileReader;
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Serialize;

use super::encode::use_columns;
use super::ledger::{Ledger, LedgerFile, read_file};
use super::plan::Plan;
use crate::error::{Error, Result, Wanted};
use crate::key::Date;
use crate::progress::Observer;
use crate::sink::Format;
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
        hint: "a directory written by `transect transpose` has one".to_owned(),
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
    let bytes = read_file(out, path).map_err(|error| error.to_string())?.ok_or("it is gone")?;
    let section = store.section(date).map_err(|error| error.to_string())?;
    let expected = expected(&section, plan).map_err(|error| error.to_string())?;
    let expected = expected.ok_or("the store has no rows for it")?;
    if !file.has_content(&bytes) {
        return Err("it is not the file that was written; transpose again, comparing contents".to_owned());
    }
    let found = read(bytes.into(), format).map_err(|error| error.to_string())?;
    match first_difference(&expected, &found) {
        None => Ok(()),
        Some(difference) => Err(difference),
    }
}

/// What a file should hold; `None` when it should not be there.
fn expected(section: &Section, plan: &Plan) -> Result<Option<RecordBatch>> {
    use_columns(section, plan, |columns, row_count| {
        let arrays = columns.iter().map(|column| column.logical(row_count)).collect::<Result<_>>()?;
        let batch = RecordBatch::try_new(plan.schema.clone(), arrays).map_err(Error::failed("make a record batch"))?;
        section.check_columns(&plan.columns).map(|()| batch)
    })
}

fn read(bytes: Bytes, format: Format) -> Result<RecordBatch, ArrowError> {
    match format {
        Format::Parquet => join(ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()?),
        Format::Arrow => join(FileReader::try_new(Cursor::new(bytes), None)?),
    }
}

fn join(reader: impl RecordBatchReader) -> Result<RecordBatch, ArrowError> {
    let schema = reader.schema();
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>()?;
    concat_batches(&schema, &batches)
}
