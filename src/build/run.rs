//! Runs a build: survey, gather, seal, publish.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use serde::Serialize;

use super::gather::{Block, BlockBuilder, Frame};
use super::lane::{DictionaryBuilder, Lane};
use super::plan;
use super::seal::Sealer;
use super::settings::Settings;
use super::spill::Spill;
use crate::durable::Disk;
use crate::error::{Error, Result};
use crate::format::{SourceStatus, Stored};
use crate::key::Date;
use crate::panel::{Column, DateForm};
use crate::progress::{Observer, Silent};
use crate::segment::{SealedSegment, SegmentColumn, SegmentId, SegmentWriter, natural_stored};
use crate::source::{Input, SeriesReader, Skipped, SourceOptions, Survey, join_date_forms, survey};
use crate::store::{Snapshot, SnapshotColumn, SourceEntry, StoreWriter, WriterOptions};
use crate::workers::Workers;

/// Anonymous memory a build may use, unless told otherwise: 512 MiB.
const DEFAULT_MEMORY: u64 = 512 << 20;

/// The least memory a build can work with.
const LEAST_MEMORY: u64 = 64 << 20;

/// Columns of a file too large for a block that are read at once.
const COLUMNS_AT_ONCE: usize = 4;

/// Builds a store from per-stock Parquet files.
///
/// ```no_run
/// let report = transect::Build::new("features", "panel.store").run()?;
/// println!("{} rows of {} stocks", report.rows, report.stocks);
/// # Ok::<(), transect::Error>(())
/// ```
///
/// # Memory
///
/// Series are collected in blocks that fill each worker's share of [`memory`](Build::memory), whatever the panel's
/// size, and pass through an intermediate file in the store's directory that is about as large as the store.
pub struct Build<'a> {
    source: PathBuf,
    store: PathBuf,
    options: SourceOptions,
    memory: u64,
    workers: Option<usize>,
    force: bool,
    observer: &'a dyn Observer,
    disk: Disk,
}

/// What a build did.
#[derive(Debug, Default, Serialize)]
pub struct BuildReport {
    /// The version published.
    pub version: u64,
    /// Rows in the store.
    pub rows: u64,
    /// Stocks with a row.
    pub stocks: u64,
    /// Dates with a row.
    pub dates: u64,
    /// First date, YYYYMMDD.
    pub first_date: Option<String>,
    /// Last date, YYYYMMDD.
    pub last_date: Option<String>,
    /// Columns, code and date included.
    pub columns: u64,
    /// How the output will spell dates.
    pub date_form: String,
    /// Files found.
    pub files: u64,
    /// Bytes of the files read.
    pub source_bytes: u64,
    /// Bytes of the segments.
    pub store_bytes: u64,
    /// Rows left out because another row of the file has the same key.
    pub merged_rows: u64,
    /// Rows left out because their date cannot be read.
    pub dropped_rows: u64,
    /// Files without rows.
    pub empty_files: Vec<String>,
    /// Files that could not be used.
    pub skipped: Vec<Skipped>,
    /// What else a user should know.
    pub notes: Vec<String>,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// What became of one input.
struct Read {
    input: usize,
    rows: u64,
    merged: u64,
    dropped: u64,
    content_hash: u128,
    /// How its dates are spelt.
    dates: Spelt,
}

/// How one file spells its dates.
enum Spelt {
    /// It has none.
    Not,
    /// In one form.
    As(DateForm),
    /// In several.
    Mixed,
}

/// What one task found: blocks in code order, and what became of each input.
#[derive(Default)]
struct Gathered {
    blocks: Vec<Block>,
    read: Vec<Read>,
    skipped: Vec<(usize, String)>,
}

impl<'a> Build<'a> {
    /// A build of the files in `source` into a store at `store`, with the defaults of the command line.
    pub fn new(source: impl Into<PathBuf>, store: impl Into<PathBuf>) -> Build<'a> {
        Build {
            source: source.into(),
            store: store.into(),
            options: SourceOptions::default(),
            memory: DEFAULT_MEMORY,
            workers: None,
            force: false,
            observer: &Silent,
            disk: Disk::default(),
        }
    }

    /// How to find and read the input.
    pub fn options(mut self, options: SourceOptions) -> Self {
        self.options = options;
        self
    }

    /// Anonymous memory to use, in bytes; 512 MiB by default.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Worker threads; one per core by default. One runs on the calling thread. The segments' bytes do not depend on it.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = Some(count);
        self
    }

    /// Whether to replace a store that exists. Its readers keep what they have open.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Who watches.
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// The disk to write to; a test's may fail.
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }

    /// Builds and publishes. Files that cannot be used are skipped, with reasons in the report.
    ///
    /// # Errors
    /// When no file can be used, the store cannot be written, or the observer cancels; then the version that was live
    /// before stays live.
    pub fn run(self) -> Result<BuildReport> {
        if self.memory < LEAST_MEMORY {
            return Err(Error::Refused(format!(
                "{} bytes of memory are too few; give at least {} MiB",
                self.memory,
                LEAST_MEMORY >> 20
            )));
        }
        let started = Instant::now();
        let workers = Workers::new(self.workers)?;
        let survey = survey(&self.source, &self.options, &workers, self.observer)?;
        let writer = StoreWriter::begin(&self.store, &self.disk, WriterOptions { replace: self.force })?;
        let result = self.write(&workers, &survey, &writer);
        if result.is_err() {
            // The error that stopped the build says more than one about its leftovers.
            let _ = writer.clear_unpublished();
        }
        let mut report = result?;
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    fn write(&self, workers: &Workers, survey: &Survey, writer: &StoreWriter) -> Result<BuildReport> {
        let spill = Spill::create(&self.disk, writer.spill_path(0))?;
        let gathered = self.gather(workers, survey, &spill)?;
        let mut store_id = [0; 16];
        getrandom::fill(&mut store_id).map_err(Error::arrow("draw a random number"))?;
        let (mut snapshot, sealer_parts) = assemble(survey, &gathered, writer.version(), store_id)?;
        snapshot.settings = Settings::of_build(&self.source, &self.options).encode()?;

        let sections = plan::sections(&gathered.blocks);
        if sections.is_empty() {
            return Err(nothing_to_store(survey, &snapshot));
        }
        snapshot.segments = self.seal(workers, writer, &gathered, &spill, sealer_parts, &sections, store_id)?;
        if self.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        writer.publish(&snapshot)?;
        let mut report = report(survey, &gathered, &snapshot, &sections);
        // The new version is live: what is left of old ones is no failure of this build, and the next one tries again.
        if let Err(why) = writer.drop_old_versions() {
            report.notes.push(format!("files of earlier versions could not be removed: {why}"));
        }
        Ok(report)
    }

    /// Reads all inputs and gathers them by blocks.
    fn gather(&self, workers: &Workers, survey: &Survey, spill: &Spill) -> Result<Gathered> {
        let inputs = &survey.inputs;
        // Half of the memory holds blocks; decoding, sealing and the catalog need the rest.
        let share = (self.memory / 2 / workers.count() as u64) as usize;
        let decoded_lens: Vec<u64> = inputs.iter().map(|input| input.decoded_len).collect();
        // A task makes about one block, and there are several tasks for each worker.
        let decoded_len = plan::total(&decoded_lens);
        let task_count = (workers.count() * 4).max((decoded_len / (3 * share as u64)) as usize);
        let tasks = plan::tasks(&decoded_lens, task_count);
        self.observer.begin("build", "files", inputs.len() as u64);
        let parts =
            workers.try_map(tasks.len(), |task| self.gather_inputs(survey, tasks[task].clone(), share, spill))?;
        self.observer.end();
        let mut all = Gathered::default();
        for part in parts {
            all.blocks.extend(part.blocks);
            all.read.extend(part.read);
            all.skipped.extend(part.skipped);
        }
        if self.options.strict && !all.skipped.is_empty() {
            let (input, reason) = &all.skipped[0];
            return Err(Error::Refused(format!(
                "{}: {reason} (and --strict allows no skipped file)",
                inputs[*input].path.display()
            )));
        }
        Ok(all)
    }

    fn gather_inputs(&self, survey: &Survey, range: Range<usize>, share: usize, spill: &Spill) -> Result<Gathered> {
        let mut gathered = Gathered::default();
        let mut builder = BlockBuilder::new(&survey.columns);
        for index in range {
            if self.observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let input = &survey.inputs[index];
            let outcome = if input.decoded_len > share as u64 {
                // Blocks must stay in code order, so what is collected goes first.
                builder = flush(builder, survey, &mut gathered.blocks, spill)?;
                gather_large(survey, index, input, spill)?.map(|(read, block)| {
                    gathered.blocks.extend(block);
                    read
                })
            } else {
                add_input(survey, index, input, &mut builder)?
            };
            match outcome {
                Ok(read) => gathered.read.push(read),
                Err(reason) => gathered.skipped.push((index, reason)),
            }
            if builder.byte_len() >= share {
                builder = flush(builder, survey, &mut gathered.blocks, spill)?;
            }
            self.observer.advance(1);
        }
        flush(builder, survey, &mut gathered.blocks, spill)?;
        Ok(gathered)
    }

    #[expect(clippy::too_many_arguments, reason = "each is one stage's result, used once, here")]
    fn seal(
        &self,
        workers: &Workers,
        writer: &StoreWriter,
        gathered: &Gathered,
        spill: &Spill,
        parts: SealerParts,
        sections: &[(Date, u32)],
        store_id: [u8; 16],
    ) -> Result<Vec<SealedSegment>> {
        let dates: Vec<Date> = sections.iter().map(|&(date, _)| date).collect();
        let row_counts: Vec<u32> = sections.iter().map(|&(_, rows)| rows).collect();
        let bits_per_row: u64 = parts.columns.iter().map(|column| column.stored.byte_len(8)).sum();
        let segments = plan::segments(&row_counts, bits_per_row);
        let spill = spill.map()?;
        let sealer = Sealer {
            blocks: &gathered.blocks,
            spill: &spill,
            columns: parts.columns,
            stocks: parts.stocks,
            codes: parts.codes,
        };
        self.observer.begin("seal", "sections", dates.len() as u64);
        let sealed = workers.try_map(segments.len(), |ordinal| {
            let id = SegmentId { store_id, version: writer.version(), ordinal: ordinal as u32 };
            let mut segment = SegmentWriter::create(&self.disk, &writer.segment_dir(), id, sealer.columns.clone())?;
            sealer.seal(&dates[segments[ordinal].clone()], &mut segment, || {
                self.observer.advance(1);
                if self.observer.cancelled() { Err(Error::Cancelled) } else { Ok(()) }
            })?;
            segment.finish()
        })?;
        self.observer.end();
        Ok(sealed)
    }
}

fn flush(builder: BlockBuilder, survey: &Survey, blocks: &mut Vec<Block>, spill: &Spill) -> Result<BlockBuilder> {
    if !builder.is_empty() {
        blocks.push(builder.gather(spill)?);
    }
    Ok(BlockBuilder::new(&survey.columns))
}

impl Read {
    fn new(input: usize, reader: &SeriesReader) -> Read {
        Read {
            input,
            rows: reader.dates().len() as u64,
            merged: reader.merged(),
            dropped: reader.dropped(),
            content_hash: reader.content_hash(),
            dates: match reader.date_form() {
                Some(form) => Spelt::As(form.clone()),
                None if reader.is_mixed() => Spelt::Mixed,
                None => Spelt::Not,
            },
        }
    }
}

/// Reads one input into the block being collected; the inner error is the reason for skipping it.
fn add_input(survey: &Survey, index: usize, input: &Input, builder: &mut BlockBuilder) -> Result<Result<Read, String>> {
    let read = survey.open(input).and_then(|reader| {
        let arrays = reader.read(0..survey.columns.len())?;
        Ok((Read::new(index, &reader), reader.dates().to_vec(), arrays))
    });
    let (read, dates, arrays) = match read {
        Ok(read) => read,
        Err(reason) => return Ok(Err(reason)),
    };
    if !dates.is_empty() {
        builder.push_series(index as u32, dates);
        for (column, array) in arrays.iter().enumerate() {
            builder.push_column(column, array.as_ref())?;
        }
    }
    Ok(Ok(read))
}

/// Reads an input that is too large for a block a few columns at a time, as a block of its own.
fn gather_large(
    survey: &Survey,
    index: usize,
    input: &Input,
    spill: &Spill,
) -> Result<Result<(Read, Option<Block>), String>> {
    let reader = match survey.open(input) {
        Ok(reader) => reader,
        Err(reason) => return Ok(Err(reason)),
    };
    let read = Read::new(index, &reader);
    if reader.dates().is_empty() {
        return Ok(Ok((read, None)));
    }
    let frame = Frame::new(&[(index as u32, reader.dates().to_vec())]);
    let mut columns = Vec::with_capacity(survey.columns.len());
    for start in (0..survey.columns.len()).step_by(COLUMNS_AT_ONCE) {
        let group = start..(start + COLUMNS_AT_ONCE).min(survey.columns.len());
        let arrays = match reader.read(group.clone()) {
            Ok(arrays) => arrays,
            Err(reason) => return Ok(Err(reason)),
        };
        for (array, column) in arrays.iter().zip(&survey.columns[group]) {
            let mut dictionary = DictionaryBuilder::default();
            let lane = array.as_ref().map(|array| Lane::new(array, &mut dictionary)).transpose()?.flatten();
            columns.push(frame.column(vec![lane], column.data_type.is_signed_integer(), dictionary, spill)?);
        }
    }
    Ok(Ok((read, Some(frame.finish(columns, spill)?))))
}

/// What sealing needs beside the blocks.
struct SealerParts {
    columns: Arc<[SegmentColumn]>,
    stocks: Vec<u32>,
    codes: Vec<Vec<Vec<u32>>>,
}

/// Decides everything that depends on all blocks: stock numbers, dictionaries, stored types, how dates are spelt.
fn assemble(survey: &Survey, gathered: &Gathered, version: u64, store_id: [u8; 16]) -> Result<(Snapshot, SealerParts)> {
    let mut stocks = vec![0; survey.inputs.len()];
    let mut codes = DictionaryBuilder::default();
    for read in gathered.read.iter().filter(|read| read.rows > 0) {
        stocks[read.input] = codes.add(survey.inputs[read.input].code.as_bytes());
    }
    let date_form = date_form(&gathered.read);

    let mut dictionaries: Vec<ArrayRef> = vec![codes.finish(false)?];
    let mut columns = vec![
        SnapshotColumn { name: survey.code.name.clone(), logical: survey.code.data_type.clone(), dictionary: Some(0) },
        SnapshotColumn { name: survey.date_name.clone(), logical: date_form.data_type.clone(), dictionary: None },
    ];
    let mut segment_columns = vec![
        SegmentColumn {
            column: 0,
            name: survey.code.name.clone(),
            logical: DataType::Utf8,
            stored: Stored::Codes,
            dictionary: Some(dictionaries[0].clone()),
        },
        SegmentColumn {
            column: 1,
            name: survey.date_name.clone(),
            logical: DataType::Date32,
            stored: Stored::Bytes4,
            dictionary: None,
        },
    ];
    let mut block_codes: Vec<Vec<Vec<u32>>> = gathered.blocks.iter().map(|_| Vec::new()).collect();
    for (index, Column { name, data_type }) in survey.columns.iter().enumerate() {
        let in_blocks = || gathered.blocks.iter().map(move |block| block.columns[index].as_ref());
        let logical = data_type.clone();
        let mut dictionary = None;
        let stored = if natural_stored(data_type) == Stored::Codes {
            let mut builder = DictionaryBuilder::default();
            for (block, column) in block_codes.iter_mut().zip(in_blocks()) {
                let values = column.map_or(&[][..], |column| &column.dictionary);
                block.push(values.iter().map(|value| builder.add(value)).collect());
            }
            let is_bytes = matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
            let values = builder.finish(is_bytes)?;
            dictionary = Some(values);
            Stored::Codes
        } else {
            block_codes.iter_mut().for_each(|block| block.push(Vec::new()));
            let widest = in_blocks().flatten().map(|column| column.stored).max();
            // Without any value, the narrowest that the type allows.
            let narrowest = if data_type.is_integer() { Stored::Bits } else { natural_stored(data_type) };
            widest.unwrap_or(narrowest)
        };
        columns.push(SnapshotColumn {
            name: name.clone(),
            logical: logical.clone(),
            dictionary: dictionary.as_ref().map(|_| dictionaries.len() as u32),
        });
        dictionaries.extend(dictionary.clone());
        segment_columns.push(SegmentColumn {
            column: index as u32 + 2,
            name: name.clone(),
            logical,
            stored,
            dictionary,
        });
    }
    let snapshot = Snapshot {
        version,
        store_id,
        created_ns: nanoseconds_since_1970(),
        settings: String::new(),
        columns,
        date_spelling: date_form.spelling,
        dictionaries,
        segments: Vec::new(),
        sources: source_entries(survey, gathered),
    };
    Ok((snapshot, SealerParts { columns: segment_columns.into(), stocks, codes: block_codes }))
}

/// The one form in which all files' dates can be written back.
fn date_form(read: &[Read]) -> DateForm {
    let mut joined: Option<DateForm> = None;
    for read in read {
        let form = match &read.dates {
            Spelt::Not => continue,
            Spelt::As(form) => form,
            Spelt::Mixed => &DateForm::COMMON,
        };
        joined = Some(match joined {
            None => form.clone(),
            Some(known) if known == *form => known,
            Some(known) => join_date_forms(&known, form),
        });
    }
    joined.unwrap_or(DateForm::COMMON)
}

/// What to tell about dates when the files do not agree on how to spell them.
fn date_note(survey: &Survey, read: &[Read]) -> Option<String> {
    let mut forms: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for read in read {
        let form = match &read.dates {
            Spelt::Not => continue,
            Spelt::As(form) => form.to_string(),
            Spelt::Mixed => "several ways at once".to_owned(),
        };
        forms.entry(form).or_insert((0, read.input)).0 += 1;
    }
    let mixes = read.iter().any(|read| matches!(read.dates, Spelt::Mixed));
    let example = |(form, (count, input)): (&String, &(usize, usize))| {
        format!("{form} in {count} such as {}", survey.inputs[*input].path.display())
    };
    (mixes || forms.len() > 1).then(|| {
        let forms: Vec<String> = forms.iter().map(example).collect();
        format!("files spell dates differently ({}); the output has {}", forms.join(", "), date_form(read))
    })
}

fn nanoseconds_since_1970() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}

/// What the store remembers of each file, by path.
fn source_entries(survey: &Survey, gathered: &Gathered) -> Vec<SourceEntry> {
    let entry = |input: &Input, status| SourceEntry {
        path: input.path.display().to_string(),
        status,
        code: Some(input.code.clone()),
        reason: String::new(),
        bytes: input.byte_len,
        modified_ns: input.modified_ns,
        content_hash: 0,
        rows: 0,
        merged: 0,
        dropped: 0,
    };
    let mut entries = Vec::new();
    for read in &gathered.read {
        let status = if read.rows == 0 { SourceStatus::Empty } else { SourceStatus::Read };
        entries.push(SourceEntry {
            rows: read.rows,
            merged: read.merged,
            dropped: read.dropped,
            content_hash: read.content_hash,
            ..entry(&survey.inputs[read.input], status)
        });
    }
    for (input, reason) in &gathered.skipped {
        let reason = reason.clone();
        entries.push(SourceEntry { reason, ..entry(&survey.inputs[*input], SourceStatus::Skipped) });
    }
    for skipped in &survey.skipped {
        entries.push(SourceEntry {
            path: skipped.path.clone(),
            status: SourceStatus::Skipped,
            code: None,
            reason: skipped.reason.clone(),
            bytes: 0,
            modified_ns: 0,
            content_hash: 0,
            rows: 0,
            merged: 0,
            dropped: 0,
        });
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries
}

/// Why there is no store: every file was skipped, or empty.
fn nothing_to_store(survey: &Survey, snapshot: &Snapshot) -> Error {
    let mut reasons: HashMap<&str, (usize, &str)> = HashMap::new();
    for source in &snapshot.sources {
        let reason = if source.reason.is_empty() { "it has no rows" } else { &source.reason };
        reasons.entry(reason).or_insert((0, &source.path)).0 += 1;
    }
    let most = reasons.iter().max_by_key(|(reason, (count, _))| (*count, std::cmp::Reverse(**reason)));
    let example = most.map_or_else(String::new, |(reason, (count, path))| {
        format!("; {count} of {} files for one reason, {path}: {reason}", snapshot.sources.len())
    });
    Error::Refused(format!("no row in {} can be stored{example}", survey.root.display()))
}

fn report(survey: &Survey, gathered: &Gathered, snapshot: &Snapshot, sections: &[(Date, u32)]) -> BuildReport {
    let sources = &snapshot.sources;
    let with = |status| sources.iter().filter(move |source| source.status == status);
    let mut notes = survey.notes.clone();
    notes.extend(date_note(survey, &gathered.read));
    BuildReport {
        version: snapshot.version,
        rows: sections.iter().map(|&(_, rows)| u64::from(rows)).sum(),
        stocks: snapshot.dictionaries[0].len() as u64,
        dates: sections.len() as u64,
        first_date: sections.first().map(|(date, _)| date.to_string()),
        last_date: sections.last().map(|(date, _)| date.to_string()),
        columns: snapshot.columns.len() as u64,
        date_form: snapshot.date_form().to_string(),
        files: sources.len() as u64,
        source_bytes: with(SourceStatus::Read).map(|source| source.bytes).sum(),
        store_bytes: snapshot.segments.iter().map(|segment| segment.file_len).sum(),
        merged_rows: sources.iter().map(|source| source.merged).sum(),
        dropped_rows: sources.iter().map(|source| source.dropped).sum(),
        empty_files: with(SourceStatus::Empty).map(|source| source.path.clone()).collect(),
        skipped: with(SourceStatus::Skipped)
            .map(|source| Skipped { path: source.path.clone(), reason: source.reason.clone() })
            .collect(),
        notes,
        seconds: 0.0,
    }
}
