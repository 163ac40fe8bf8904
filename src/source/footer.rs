//! Reads footers: what a file holds by its own account, and which of its columns play which part. Equal schemas are
//! kept once, since thousands of files share one.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_cast::can_cast_types;
use arrow_schema::DataType;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};

use super::content::Content;
use super::nesting::check_nesting;
use super::options::SourceOptions;
use super::types::{is_text, logical, shown_type};
use parquet::file::reader::Length;

/// Bytes read from the end of a file in the hope that they hold the footer; that of 41 columns with pandas' own
/// notes has 10 KiB.
const TAIL: u64 = 32 << 10;

/// Names that mean a date when the user names none.
pub(super) const DATE_NAMES: [&str; 3] = ["trade_date", "date", "datetime"];
/// Where pandas puts an index without a name.
pub(super) const INDEX_NAME: &str = "__index_level_0__";

/// A column that takes part in the panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) name: String,
    /// Where it stands among the file's columns.
    pub(super) root: usize,
    /// The leaf that holds it.
    pub(super) leaf: usize,
    pub(super) raw: DataType,
    /// Its type before files are compared: the logical type of `raw`, or the type of a cast.
    pub(super) logical: DataType,
}

/// The date column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DateColumn {
    pub(super) name: String,
    pub(super) root: usize,
    pub(super) raw: DataType,
}

/// What many files have in common: their columns, and the parts these play under the options.
#[derive(Debug)]
pub(super) struct FileSchema {
    /// All columns, excluded ones too.
    pub(super) names: Vec<String>,
    /// `Err` says why files with rows cannot do with this schema.
    pub(super) date: Result<DateColumn, String>,
    /// The column of the code, if there is one; its position and type.
    pub(super) code: Option<(usize, DataType)>,
    pub(super) values: Vec<Value>,
    /// Whether an index of integers is left out.
    pub(super) drops_index: bool,
    /// Why every file of this schema is refused, if it is.
    pub(super) refusal: Option<String>,
}

/// What a footer says.
pub(super) struct Footer {
    pub(super) schema: Arc<FileSchema>,
    pub(super) row_count: u64,
    /// Upper estimate of the bytes that the texts and binaries take once decoded.
    pub(super) text_len: u64,
}

/// All that the parts of columns depend on: their names and types, and the first leaf of each. Not the writer's notes
/// beside them, since pandas puts the length of the index there and so differs in every file.
type Columns = (Vec<(String, DataType)>, Vec<usize>);

/// Keeps each schema once.
pub(super) struct Interner<'a> {
    options: &'a SourceOptions,
    known: Mutex<HashMap<Columns, Arc<FileSchema>>>,
}

impl<'a> Interner<'a> {
    pub(super) fn new(options: &'a SourceOptions) -> Interner<'a> {
        Interner { options, known: Mutex::default() }
    }

    /// The parts that the columns of this file play.
    pub(super) fn intern(&self, metadata: &ParquetMetaData) -> Result<Arc<FileSchema>, String> {
        let file = metadata.file_metadata();
        let descriptor = file.schema_descr();
        let schema = parquet_to_arrow_schema(descriptor, file.key_value_metadata()).map_err(damaged)?;
        let mut leaves = vec![usize::MAX; schema.fields().len()];
        for leaf in (0..descriptor.num_columns()).rev() {
            let root = descriptor.get_column_root_idx(leaf);
            *leaves.get_mut(root).ok_or("is damaged: its schema contradicts itself")? = leaf;
        }
        let columns = schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone()));
        let key = (columns.collect(), leaves);
        // A panic under the lock leaves the map as it was.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = known.get(&key) {
            return Ok(Arc::clone(schema));
        }
        let schema = Arc::new(cast_parts(&key.0, &key.1, self.options));
        known.insert(key, Arc::clone(&schema));
        Ok(schema)
    }
}

/// Says which part each column plays.
pub(super) fn cast_parts(columns: &[(String, DataType)], leaves: &[usize], options: &SourceOptions) -> FileSchema {
    let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    let present: Vec<usize> = (0..names.len()).filter(|&root| !options.excludes(&names[root])).collect();
    let twice = present.iter().enumerate().find(|&(n, &root)| present[..n].iter().any(|&o| names[o] == names[root]));
    let mut refusal = twice.map(|(_, &root)| format!("has two columns named {:?}", names[root]));

    let code = present.iter().find(|&&root| names[root] == options.code_column);
    let code = code.map(|&root| (root, columns[root].1.clone()));
    if let Some((_, data_type)) = &code
        && !is_text(data_type)
        && *data_type != DataType::Null
    {
        refusal.get_or_insert_with(|| {
            let name = &options.code_column;
            format!(
                "its column {name:?} is {}, but a code is text; --exclude {name} leaves it out, and --code-column \
                 gives the codes another name",
                shown_type(data_type)
            )
        });
    }
    let is_code = |root: usize| code.as_ref().is_some_and(|(code, _)| *code == root);
    let candidates: Vec<usize> = present.iter().copied().filter(|&root| !is_code(root)).collect();
    let (chosen, apart) = choose_date(columns, &candidates, options);
    let date = chosen.and_then(|root| {
        let (name, raw) = &columns[root];
        let value = match raw {
            DataType::Dictionary(_, value) => value.as_ref(),
            plain => plain,
        };
        let fits = is_text(raw)
            || value.is_integer()
            || matches!(value, DataType::Null | DataType::Date32 | DataType::Date64 | DataType::Timestamp(..));
        if fits {
            Ok(DateColumn { name: name.clone(), root, raw: raw.clone() })
        } else {
            let kind = shown_type(raw);
            Err(format!("its date column {name:?} is {kind}, which is no date; --date-column names another"))
        }
    });

    let mut drops_index = false;
    let mut values = Vec::new();
    for root in candidates {
        let (name, raw) = &columns[root];
        if apart.contains(&root) {
            continue;
        }
        if name == INDEX_NAME && raw.is_integer() {
            drops_index = true;
            continue;
        }
        if !options.keeps(name) {
            continue;
        }
        let cast = options.cast(name);
        let type_in_panel = match cast {
            Some(to) if raw.is_nested() || !can_cast_types(raw, to) => {
                refusal.get_or_insert_with(|| {
                    format!("its column {name:?} is {}, which cannot be cast to {to}", shown_type(raw))
                });
                continue;
            }
            Some(to) => Some(to.clone()),
            None => logical(raw),
        };
        match type_in_panel {
            Some(logical) => {
                values.push(Value { name: name.clone(), root, leaf: leaves[root], raw: raw.clone(), logical });
            }
            None => {
                refusal.get_or_insert_with(|| {
                    let kind = shown_type(raw);
                    format!("its column {name:?} is {kind}, which a panel cannot hold; --exclude {name} leaves it out")
                });
            }
        }
    }
    FileSchema { names, date, code, values, drops_index, refusal }
}

/// The date column among `candidates`, and the columns that no panel column comes from because they are or may be it.
fn choose_date(
    columns: &[(String, DataType)],
    candidates: &[usize],
    options: &SourceOptions,
) -> (Result<usize, String>, Vec<usize>) {
    let listed = || {
        let names: Vec<String> = columns.iter().map(|(name, _)| format!("{name:?}")).collect();
        if names.is_empty() { "it has no columns".to_owned() } else { format!("its columns are {}", names.join(", ")) }
    };
    let position = |wanted: &String| candidates.iter().copied().find(|&root| columns[root].0 == *wanted);
    if !options.date_columns.is_empty() {
        return match options.date_columns.iter().find_map(position) {
            Some(root) => (Ok(root), vec![root]),
            None => {
                let wanted = options.date_columns.join(", ");
                (Err(format!("has none of the date columns {wanted}; {}", listed())), Vec::new())
            }
        };
    }
    let is_date = |name: &str| DATE_NAMES.iter().any(|date| name.eq_ignore_ascii_case(date));
    let dates: Vec<usize> = candidates.iter().copied().filter(|&root| is_date(&columns[root].0)).collect();
    match dates[..] {
        [root] => (Ok(root), dates),
        // An index of integers counts rows: it would be refused for its values, and hide that there is no date.
        [] => match position(&INDEX_NAME.to_owned()).filter(|&root| !columns[root].1.is_integer()) {
            Some(root) => (Ok(root), vec![root]),
            None => {
                let dates = DATE_NAMES.join(", ");
                let reason = format!("has no date column ({dates}); {}; --date-column names it", listed());
                (Err(reason), Vec::new())
            }
        },
        _ => {
            let reason = format!("has several date columns; {}; --date-column chooses one", listed());
            (Err(reason), dates)
        }
    }
}

/// The footer of a file on disk. Reads the end of the file, and nothing else unless the footer is long.
pub(super) fn survey_footer(file: &File, byte_len: u64, interner: &Interner) -> Result<Footer, String> {
    let read = |start: u64, len: u64| -> Result<Vec<u8>, String> {
        let mut buffer = vec![0; len as usize];
        file.read_exact_at(&mut buffer, start).map_err(|error| format!("cannot be read: {error}"))?;
        Ok(buffer)
    };
    let mut tail = read(byte_len - byte_len.min(TAIL), byte_len.min(TAIL))?;
    let len = match footer_len(&tail, byte_len) {
        Ok(len) => len,
        Err(reason) => return Err(reason.unwrap_or_else(|| without_magic(read(0, byte_len.min(4)).ok()))),
    };
    if len + 8 > tail.len() as u64 {
        tail = read(byte_len - len - 8, len + 8)?;
    }
    let footer = &tail[tail.len() - len as usize - 8..tail.len() - 8];
    let metadata = parse(footer, ParquetStatisticsPolicy::SkipAll)?;
    let schema = interner.intern(&metadata)?;
    let row_count = row_count(&metadata)?;
    let text_len = text_len(&metadata, &schema, row_count);
    Ok(Footer { schema, row_count, text_len })
}

/// The footer of a file whose bytes are at hand, with or without the statistics of its chunks.
pub(super) fn read_footer(content: &Content, statistics: ParquetStatisticsPolicy) -> Result<ParquetMetaData, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let byte_len = content.len();
    let tail = content.range(byte_len - byte_len.min(8), byte_len.min(8) as usize).map_err(unreadable)?;
    let len = footer_len(&tail, byte_len).map_err(|reason| reason.unwrap_or_else(|| without_magic(None)))?;
    let footer = content.range(byte_len - len - 8, len as usize).map_err(unreadable)?;
    let metadata = parse(&footer, statistics)?;
    row_count(&metadata)?;
    Ok(metadata)
}

/// The length that the last eight bytes give for the footer. `Err(None)` where the file does not end as it should.
fn footer_len(tail: &[u8], byte_len: u64) -> Result<u64, Option<String>> {
    let Some(&[a, b, c, d, ref magic @ ..]) = tail.last_chunk::<8>() else { return Err(None) };
    let len = u64::from(u32::from_le_bytes([a, b, c, d]));
    match magic {
        b"PAR1" if len + 12 > byte_len => Err(Some(format!(
            "is truncated or damaged: its footer should have {len} bytes, but the file has {byte_len}"
        ))),
        b"PAR1" => Ok(len),
        b"PARE" => Err(Some("is encrypted".to_owned())),
        _ => Err(None),
    }
}

/// What a file is that neither begins nor ends as Parquet does.
pub(super) const NOT_PARQUET: &str = "is not a Parquet file";

/// What a file is that does not end as Parquet does, by its first bytes.
fn without_magic(head: Option<Vec<u8>>) -> String {
    match head.as_deref() {
        Some(b"PAR1") => "is truncated: it begins as a Parquet file but does not end as one",
        Some(b"PARE") => "is encrypted, and truncated",
        _ => NOT_PARQUET,
    }
    .to_owned()
}

fn damaged(error: impl std::fmt::Display) -> String {
    format!("is damaged or of a kind that cannot be read: {error}")
}

fn parse(footer: &[u8], statistics: ParquetStatisticsPolicy) -> Result<ParquetMetaData, String> {
    check_nesting(footer)?;
    let mut options = ParquetMetaDataOptions::new();
    options.set_column_stats_policy(statistics);
    options.set_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll);
    let metadata = ParquetMetaDataReader::decode_metadata_with_options(footer, Some(&options)).map_err(damaged)?;
    let chunks = || metadata.row_groups().iter().flat_map(|group| group.columns());
    if let Some(elsewhere) = chunks().find_map(|chunk| chunk.file_path()) {
        return Err(format!("keeps its data in another file ({elsewhere:?})"));
    }
    Ok(metadata)
}

/// The number of rows, if the footer agrees with itself.
fn row_count(metadata: &ParquetMetaData) -> Result<u64, String> {
    let sum = metadata
        .row_groups()
        .iter()
        .try_fold(0_u64, |sum, group| sum.checked_add(u64::try_from(group.num_rows()).ok()?));
    match u64::try_from(metadata.file_metadata().num_rows()) {
        Ok(rows) if sum == Some(rows) => Ok(rows),
        _ => Err("is damaged: its footer gives two numbers of rows".to_owned()),
    }
}

/// Upper estimate of the bytes in texts and binaries. Where the writer did not say, a dictionary is taken to repeat
/// values of up to 64 bytes.
fn text_len(metadata: &ParquetMetaData, schema: &FileSchema, row_count: u64) -> u64 {
    let texts = schema.values.iter().filter(|value| value.raw.primitive_width().is_none());
    let mut sum = 0_u64;
    for value in texts {
        for chunk in metadata.row_groups().iter().filter_map(|group| group.columns().get(value.leaf)) {
            let stated = chunk.unencoded_byte_array_data_bytes().and_then(|len| u64::try_from(len).ok());
            let encoded = u64::try_from(chunk.uncompressed_size()).unwrap_or(0);
            let rows = u64::try_from(chunk.num_values()).unwrap_or(0).min(row_count);
            let len = match stated {
                Some(len) => len,
                None if chunk.dictionary_page_offset().is_none() => encoded,
                None => encoded.saturating_add(rows.saturating_mul(encoded.min(64))),
            };
            sum = sum.saturating_add(len);
        }
    }
    sum
}
