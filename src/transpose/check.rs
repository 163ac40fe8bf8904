//! Compares the files of an output directory with the store they came from.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_cast::cast;
use arrow_ipc::reader::FileReader;
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use serde::Serialize;

use super::encode::encode;
use super::ledger::{Ledger, LedgerFile};
use super::plan::Plan;
use super::rows::{Rows, for_each_file, for_ends, longest_file};
use super::run::name_of;
use super::shape::{COLUMN, ROWS};
use super::unit::{Of, Unit, units};
use super::work::place_of;
use crate::error::{Error, Result, Wanted};
use crate::hint::listed;
use crate::progress::Observer;
use crate::remedy::Setting;
use crate::sink::{Encoder, Format, OldFile, OutputColumn, Scratch, in_parquet, in_slices, longest, rows_of_slice};
use crate::storage::{Dir, Disk};
use crate::store::{Store, Universe, first_difference};
use crate::workers::Workers;

/// What is wrong with a file that has other bytes than the ledger says.
const NOT_WRITTEN: &str = "it is not the file that was written";

const NO_ROWS: &str = "the store has no rows for it";

/// Rows that are decoded at a time, if they are short.
const BATCH_ROWS: usize = 1024;

/// Bytes that a worker takes at most, about: rows of the store, and of a file with the pages that they are read from.
const WORKER_LEN: u64 = 64 << 20;

/// Bytes that a worker takes for each column of a file, whatever its rows; of a Parquet file also for what decodes it.
/// Measured with 30,000 columns.
const COLUMN_LEN: u64 = 2 << 10;
const DECODER_LEN: u64 = 12 << 10;

/// What [`verify_output`] read and found.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct OutputReport {
    /// Files compared.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Dates of the store, or stocks, of which the ledger knows nothing: they were never selected, or came later.
    pub not_written: u64,
    /// Files that are not the ones that were written, which may not show in their sizes and times.
    pub not_as_written: u64,
    /// Every file that is not as the store and the ledger say, one message each.
    pub differences: Vec<String>,
}

/// Reads every file that the ledger of `out` lists and compares it, bit for bit, with the rows of `store`.
///
/// # Errors
/// When there is no ledger, it is another store's, or the observer cancels; what differs is in the report.
pub fn verify_output(store: &Store, out: &Path, workers: &Workers, observer: &dyn Observer) -> Result<OutputReport> {
    let no_ledger = || {
        let what = format!("transect's ledger in {}", out.display());
        Error::not_found(Wanted::Ledger, what, "a directory that a store was transposed into has one").about(out)
    };
    let dir = match Dir::open(&Disk::default(), out) {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Err(no_ledger()),
        opened => opened?,
    };
    let ledger = Ledger::read(&dir)?.ok_or_else(no_ledger)?;
    if ledger.store != name_of(store.id()) {
        let what = format!("{} was written from another store than {}", out.display(), store.path().display());
        return Err(Error::refused(what, "transpose again, or name that store").about(out));
    }
    let universe = ledger.shape.universe.as_ref().and_then(|universe| universe.strip_prefix(COLUMN));
    let universe = universe.map(|name| Universe::Column(name.to_owned()));
    let plan = Plan::new(store, &ledger.shape.passing_over(true), universe.as_ref())?;
    let fewer = workers.fewer(WORKER_LEN)?;
    let workers = fewer.as_ref().unwrap_or(workers);
    let column_len = if ledger.shape.format == Format::Parquet { DECODER_LEN } else { COLUMN_LEN };
    let fewer = plan.workers(workers, column_len)?;
    let workers = fewer.as_ref().unwrap_or(workers);
    let readers = store.readers(workers, Some(&plan.read(store)?), 0)?;
    let workers = readers.as_ref().unwrap_or(workers);
    let all = units(&plan)?;
    let fewer = for_ends(&plan, longest_file(&plan, &all)?, workers)?;
    let workers = fewer.as_ref().unwrap_or(workers);
    let mut differences = Vec::new();
    let (mut files, mut there): (Vec<&LedgerFile>, Vec<&Unit>) = (Vec::new(), Vec::new());
    for (key, path, file) in ledger.files() {
        match place_of(&all, key) {
            Some(place) => {
                files.push(file);
                there.push(&all[place]);
            }
            None => differences.push(format!("{}: the store has no {} {key}", out.join(path).display(), noun(&plan))),
        }
    }
    let encoder = Encoder::new(plan.schema.clone(), ledger.shape.format, ledger.shape.compression)?;
    let longest_text = |&column: &usize| Ok(store.dictionary(column + 2)?.map_or(0, longest));
    let longest_texts = plan.columns.iter().map(longest_text).collect::<Result<Vec<u64>>>()?;
    observer.begin("verify output", "files", there.len() as u64);
    let found = for_each_file(&plan, &there, workers, observer, Scratch::default, |scratch, at, rows| {
        let path = &there[at].path;
        let difference = match ledger.shape.format {
            // Nobody remembers which rows belonged.
            _ if ledger.shape.universe.as_deref() == Some(ROWS) => compare_checksum(&dir, path, files[at]),
            Format::Csv => compare_text(&dir, path, files[at], rows, &encoder, scratch),
            format => compare(&dir, path, files[at], rows, (format, texts_len(&plan, there[at], &longest_texts))),
        };
        match difference {
            Ok(()) => Ok(None),
            Err(Failed::Whole(error)) => Err(error),
            Err(failed) => Ok(Some((out.join(&there[at].path).display().to_string(), failed))),
        }
    })?;
    observer.end();
    differences.extend(told(found.into_iter().flatten().collect()));
    differences.sort_unstable();
    if !ledger.pending.is_empty() {
        differences.push(format!("{}: a transpose into it did not complete; run it again", out.display()));
    }
    Ok(OutputReport {
        files: ledger.files().count() as u64,
        rows: ledger.files().map(|(_, _, file)| file.rows).sum(),
        not_as_written: differences.iter().filter(|difference| difference.ends_with(NOT_WRITTEN)).count() as u64,
        not_written: all.iter().filter(|unit| !ledger.files.contains_key(&unit.key)).count() as u64,
        differences,
    })
}

fn noun(plan: &Plan) -> &'static str {
    plan.by.nouns()[0]
}

/// What is told of files that were not found to be as they should: damage of the store once, however many files have
/// rows of what is damaged.
fn told(failed: Vec<(String, Failed)>) -> Vec<String> {
    let (mut all, mut damages): (Vec<String>, BTreeMap<String, Vec<String>>) = (Vec::new(), BTreeMap::new());
    for (path, failed) in failed {
        match failed {
            Failed::Differs(why) => all.push(format!("{path}: {why}")),
            Failed::Damaged(why) => damages.entry(why).or_default().push(path),
            Failed::Whole(_) => {}
        }
    }
    let told = |(why, mut paths): (String, Vec<String>)| {
        paths.sort_unstable();
        format!("{why}: not compared were {}", listed(&paths))
    };
    all.extend(damages.into_iter().map(told));
    all
}

/// Why a file was not found to be as it should.
enum Failed {
    Differs(String),
    /// The store is damaged, which says nothing of the file.
    Damaged(String),
    /// The machine is in trouble, which says nothing of the file.
    Whole(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        match (error.is_of_machine(), std::error::Error::source(&error)) {
            (true, _) => Failed::Whole(error),
            (false, _) if matches!(error, Error::Corrupt { .. }) => Failed::Damaged(error.what(Setting::to_string)),
            (false, Some(cause)) => Failed::Differs(format!("{error}: {cause}")),
            (false, None) => Failed::Differs(error.to_string()),
        }
    }
}

impl From<String> for Failed {
    fn from(why: String) -> Failed {
        Failed::Differs(why)
    }
}

/// The file at `path`, and whether it holds what was written.
fn open(out: &Dir, path: &str, file: &LedgerFile) -> Result<(File, bool), Failed> {
    let mut found = out.open_file(path)?.ok_or_else(|| "it is gone".to_owned())?;
    let is_written = file.is_in(&mut found).map_err(Error::io("read", &out.path().join(path)))?;
    Ok((found, is_written))
}

/// Bytes that the texts of a row of this file take at most; `longest` has those of each of the plan's columns.
fn texts_len(plan: &Plan, unit: &Unit, longest: &[u64]) -> u64 {
    let of_column = |(&column, &len): (&usize, &u64)| match &unit.of {
        Of::Matrix(index) if *index != column => 0,
        Of::Matrix(_) => len.saturating_mul(plan.answer.matrix_stocks().map_or(1, |stocks| stocks.len() as u64)),
        _ => len,
    };
    plan.columns.iter().zip(longest).map(of_column).sum()
}

fn compare(
    out: &Dir,
    path: &str,
    file: &LedgerFile,
    rows: &Rows<'_>,
    (format, texts_len): (Format, u64),
) -> Result<(), Failed> {
    let found = match open(out, path, file)? {
        (found, true) => found,
        (_, false) => return Err(NOT_WRITTEN.to_owned().into()),
    };
    // A slice of the rows is held at a time, of the store and of the file.
    let schema = rows.schema()?;
    let mut in_file = RowsOfFile::new(found, format, rows_of_slice(&schema, texts_len));
    let (mut expected_rows, mut found_rows) = (0, 0);
    let mut difference = None;
    let mut compare = |columns: &[OutputColumn], row_count: usize| {
        if difference.is_some() {
            return Ok(());
        }
        let expected = expected(columns, row_count, &schema, format)?;
        let found = match in_file.as_mut() {
            Ok(rows) => rows.next(row_count).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match found {
            Err(why) => difference = Some(why),
            Ok(found) => {
                if found.num_rows() == row_count {
                    difference = first_difference(&expected, &found, expected_rows);
                }
                expected_rows += row_count;
                found_rows += found.num_rows();
            }
        }
        Ok(())
    };
    let compared = rows.for_each_group(&mut |columns, row_count| in_slices(columns, row_count, &mut compare));
    let total = compared?;
    if let Some(difference) = difference {
        return Err(difference.into());
    }
    if total == 0 {
        return Err(NO_ROWS.to_owned().into());
    }
    found_rows += in_file.and_then(|mut rows| rows.count_rest()).map_err(|error| error.to_string())?;
    match found_rows == expected_rows {
        true => Ok(()),
        false => Err(format!("{found_rows} rows, should be {expected_rows}").into()),
    }
}

/// As [`compare`], where it is not known which rows there should be.
fn compare_checksum(out: &Dir, path: &str, file: &LedgerFile) -> Result<(), Failed> {
    let (_, is_written) = open(out, path, file)?;
    is_written.then_some(()).ok_or_else(|| NOT_WRITTEN.to_owned().into())
}

/// As [`compare`], of a format that says of no value what type it has: by its bytes.
fn compare_text(
    out: &Dir,
    path: &str,
    file: &LedgerFile,
    rows: &Rows<'_>,
    encoder: &Encoder,
    scratch: &mut Scratch,
) -> Result<(), Failed> {
    let (found, is_written) = open(out, path, file)?;
    let mut compared = OldFile::new(found, out.path().join(path));
    let count = encode(rows, encoder, scratch, &mut |bytes| compared.compare(bytes))?;
    match (count, is_written, compared.finish()?) {
        (0, ..) => Err(NO_ROWS.to_owned().into()),
        (_, false, _) => Err(NOT_WRITTEN.to_owned().into()),
        (_, true, None) => Err("it has other rows or values than the store".to_owned().into()),
        (_, true, Some(_)) => Ok(()),
    }
}

/// What a file should hold where a row group has these columns.
fn expected(columns: &[OutputColumn], row_count: usize, schema: &SchemaRef, format: Format) -> Result<RecordBatch> {
    let schema = match format {
        Format::Parquet => in_parquet(schema),
        Format::Arrow | Format::Csv => schema.clone(),
    };
    let arrays = columns.iter().zip(schema.fields()).map(|(column, field)| {
        let array = column.logical(row_count)?;
        match array.data_type() == field.data_type() {
            true => Ok(array),
            false => cast(&array, field.data_type()).map_err(Error::failed("turn seconds into milliseconds")),
        }
    });
    RecordBatch::try_new(schema.clone(), arrays.collect::<Result<_>>()?).map_err(Error::failed("make a record batch"))
}

/// The rows of a file, as many at a time as are asked for.
struct RowsOfFile {
    reader: Box<dyn RecordBatchReader>,
    /// What was read and not yet asked for.
    rest: RecordBatch,
}

impl RowsOfFile {
    /// At most so many rows of a Parquet file are decoded at a time. Those of an Arrow file are as it has them: slices.
    fn new(file: File, format: Format, most: usize) -> Result<RowsOfFile, ArrowError> {
        let reader: Box<dyn RecordBatchReader> = match format {
            Format::Parquet => {
                let builder = ParquetRecordBatchReaderBuilder::try_new(Shared(Arc::new(file)))?;
                Box::new(builder.with_batch_size(most.min(BATCH_ROWS)).build()?)
            }
            Format::Arrow | Format::Csv => Box::new(FileReader::try_new(file, None)?),
        };
        let rest = RecordBatch::new_empty(reader.schema());
        Ok(RowsOfFile { reader, rest })
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

/// A file of which each column is read on by itself, through one handle: a file is not to blame for those that the
/// system has too few of.
struct Shared(Arc<File>);

impl Length for Shared {
    fn len(&self) -> u64 {
        self.0.metadata().map_or(0, |metadata| metadata.len())
    }
}

impl ChunkReader for Shared {
    type T = io::BufReader<At>;

    fn get_read(&self, start: u64) -> Result<io::BufReader<At>, ParquetError> {
        Ok(io::BufReader::new(At { file: Arc::clone(&self.0), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// A place in a file.
struct At {
    file: Arc<File>,
    at: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
