//! Reads footers: what a file holds by its own account, and which of its columns play which part. Equal schemas are
//! kept once, since thousands of files share one.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_cast::can_cast_types;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_schema::{DataType, Field, Schema};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, PARQUET_FIELD_ID_META_KEY};
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};
use parquet::file::reader::Length;

use super::chunks::check_places;
use super::declared::{Declared, Flat, Mark, Physical, Shape, declared};
use super::meaning::{Leaves, meaning};
use super::outline::decoded_len;
use super::refusals::{cast_that_keeps, tell_alike, tell_unheld};
use crate::hint::listed;
use crate::reason::{Kind, Reason};
use crate::remedy::{CastTo, Remedy, Setting, excluding};
use crate::source::allowance::{Allowance, Meter, ROW_LEN};
use crate::source::arrow_file::{is_of_known_version, is_possible};
use crate::source::content::{Content, changed, unreadable};
use crate::source::options::{DATE_NAMES, SourceOptions};
use crate::source::path::files_by::FilesBy;
use crate::source::types::{is_text, logical, shown_type};

/// Bytes read from the end of a file in the hope that they hold the footer; that of 41 columns with pandas' own
/// notes has 10 KiB.
const TAIL: u64 = 32 << 10;

/// Where pandas puts an index without a name.
pub(in crate::source) const INDEX_NAME: &str = "__index_level_0__";

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::source) struct FileColumn {
    pub(in crate::source) name: String,
    /// The leaf that holds it, or the first of them.
    pub(in crate::source) leaf: usize,
    /// The type of its values; `Err` says what it is if they cannot be read.
    pub(in crate::source) raw: Result<DataType, String>,
    /// Whether it holds instants of 96 bits, whose unit is not in the footer.
    pub(in crate::source) is_instant: bool,
    /// Whether a user decided its type in the panel, so that it may lose precision.
    pub(in crate::source) may_round: bool,
    /// What the writer said of it that a panel does not keep.
    pub(in crate::source) loss: Option<String>,
}

/// A column that takes part in the panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct Value {
    pub(in crate::source) name: String,
    /// What the file calls it, as settings do.
    pub(in crate::source) own_name: String,
    /// The leaf that holds it.
    pub(in crate::source) leaf: usize,
    pub(in crate::source) raw: DataType,
    /// Its type before files are compared: the logical type of `raw`, or the type of a cast.
    pub(in crate::source) logical: DataType,
}

/// The date column of a file, or the one of its codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct KeyColumn {
    pub(in crate::source) name: String,
    /// The leaf that holds it.
    pub(in crate::source) leaf: usize,
    pub(in crate::source) raw: DataType,
}

/// What many files have in common: their columns, and the parts these play under the options.
#[derive(Debug)]
pub(in crate::source) struct FileSchema {
    /// All columns, excluded ones too.
    pub(in crate::source) columns: Vec<FileColumn>,
    /// `Err` says why files with rows cannot do with this schema.
    pub(in crate::source) date: Result<KeyColumn, Reason>,
    /// Whether a file without a date column has the date that its name gives.
    pub(in crate::source) has_named_date: bool,
    pub(in crate::source) code: Option<KeyColumn>,
    pub(in crate::source) values: Vec<Value>,
    /// Whether an index of integers is left out.
    pub(in crate::source) drops_index: bool,
    /// Why every file of this schema is refused, if it is.
    pub(in crate::source) refusal: Option<Reason>,
    /// How a Parquet file is decoded.
    pub(in crate::source) leaves: Arc<Leaves>,
}

impl FileSchema {
    /// Why files of this schema cannot take part, those with rows or those without.
    pub(in crate::source) fn refusal_of(&self, has_rows: bool) -> Option<&Reason> {
        let no_date = self.date.as_ref().err().filter(|_| has_rows);
        let is_named = |reason: &&Reason| self.has_named_date && reason.kind() == Kind::NoDateColumn;
        self.refusal.as_ref().or(no_date.filter(|reason| !is_named(reason)))
    }

    /// Whether a file has a column of this name.
    pub(in crate::source) fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }

    /// Whether a column of this name becomes one of the panel's.
    pub(in crate::source) fn has_value(&self, name: &str) -> bool {
        self.values.iter().any(|value| value.name == name)
    }

    /// The leaves of columns that take part and hold instants of 96 bits, ascending.
    pub(in crate::source) fn instants(&self) -> impl Iterator<Item = usize> + use<'_> {
        let date = self.date.iter().map(|date| date.leaf);
        let taken: HashSet<usize> = self.values.iter().map(|value| value.leaf).chain(date).collect();
        let instants = self.columns.iter().filter(|column| column.is_instant).map(|column| column.leaf);
        instants.filter(move |leaf| self.refusal.is_none() && taken.contains(leaf))
    }
}

/// What a footer says.
pub(in crate::source) struct Footer {
    pub(in crate::source) schema: Arc<FileSchema>,
    pub(in crate::source) row_count: u64,
    /// Upper estimate of the bytes that the texts and binaries take once decoded.
    pub(in crate::source) text_len: u64,
    /// Whether pandas' own attributes of the whole table stand among the notes.
    pub(in crate::source) has_attrs: bool,
}

/// Keeps each schema once.
pub(in crate::source) struct Interner<'a> {
    options: &'a SourceOptions,
    pub(in crate::source) allowance: Arc<Allowance>,
    leaves: Mutex<HashMap<Vec<Declared>, Arc<Leaves>>>,
    schemas: Mutex<HashMap<Columns, Arc<FileSchema>>>,
}

/// All that the parts of columns depend on: the leaves, by their address, since they are kept once themselves, and what
/// the columns hold. Not the writer's notes beside them, since pandas puts the length of the index there and so differs
/// in every file.
type Columns = (usize, Vec<FileColumn>);

impl<'a> Interner<'a> {
    pub(in crate::source) fn new(options: &'a SourceOptions, allowance: &Arc<Allowance>) -> Interner<'a> {
        Interner { options, allowance: Arc::clone(allowance), leaves: Mutex::default(), schemas: Mutex::default() }
    }

    /// The leaves of a footer of these bytes.
    fn leaves(&self, footer: &[u8]) -> Result<Arc<Leaves>, Reason> {
        let (declared, count) = declared(footer)?;
        // A panic under the lock leaves the map as it was.
        let mut known = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaves) = known.get(&declared) {
            return Ok(Arc::clone(leaves));
        }
        let leaves = Arc::new(Leaves::new(declared.clone(), count).map_err(damaged)?);
        known.insert(declared, Arc::clone(&leaves));
        Ok(leaves)
    }

    /// The columns of a file, of the types that its footer and the Arrow schema among its notes give them.
    fn columns(&self, leaves: &Leaves, hints: Option<&Schema>) -> Vec<FileColumn> {
        let hints: HashMap<&str, &Field> = hints.map_or_else(HashMap::new, |hints| {
            hints.fields().iter().map(|field| (field.name().as_str(), field.as_ref())).collect()
        });
        let column = |declared: &Declared| {
            let hint = hints.get(declared.name.as_str()).copied();
            FileColumn {
                name: declared.name.clone(),
                leaf: declared.leaf,
                raw: meaning(&declared.shape, hint.map(Field::data_type)),
                is_instant: matches!(declared.shape, Shape::Flat(Flat { physical: Physical::Int96, .. })),
                may_round: self.options.cast(&declared.name).is_some(),
                loss: loss(&declared.shape, hint),
            }
        };
        leaves.declared.iter().map(column).collect()
    }

    /// The parts that the columns of a file play.
    pub(in crate::source) fn intern(&self, leaves: &Arc<Leaves>, columns: Vec<FileColumn>) -> Arc<FileSchema> {
        let key = (Arc::as_ptr(leaves) as usize, columns);
        let mut known = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = known.get(&key) {
            return Arc::clone(schema);
        }
        let schema = Arc::new(cast_parts(Arc::clone(leaves), key.1.clone(), self.options));
        known.insert(key, Arc::clone(&schema));
        schema
    }
}

/// What a writer says of a column that a panel does not keep: an output has its values, and not this.
fn loss(shape: &Shape, hint: Option<&Field>) -> Option<String> {
    let mark = match shape {
        Shape::Flat(Flat { mark: Mark::Geometry, .. }) => Some("the mark of a geometry"),
        Shape::Flat(Flat { mark: Mark::Geography, .. }) => Some("the mark of a geography"),
        Shape::Flat(Flat { mark: Mark::Bson, .. }) => Some("the mark of BSON"),
        Shape::Flat(Flat { mark: Mark::Json, .. }) => Some("the mark of JSON"),
        Shape::Flat(Flat { mark: Mark::Enum, .. }) => Some("the mark of an enumeration"),
        Shape::Flat(Flat { mark: Mark::Other, .. }) => Some("a mark of its type that is unknown here"),
        _ => None,
    };
    let is_extension = hint.is_some_and(|hint| hint.extension_type_name().is_some());
    mark.filter(|_| !is_extension).map(str::to_owned).or_else(|| hint.and_then(lost_of_field))
}

/// What an Arrow field says beside its type that a panel does not keep.
pub(in crate::source) fn lost_of_field(field: &Field) -> Option<String> {
    let extension = || field.extension_type_name().map(|name| format!("its extension type {name}"));
    let is_ordered = matches!(field.data_type(), DataType::Dictionary(..)) && field.dict_is_ordered() == Some(true);
    let order = || is_ordered.then(|| "the order of its categories".to_owned());
    let own = || {
        let mut keys: Vec<&str> = field.metadata().keys().map(String::as_str).collect();
        keys.retain(|key| !key.starts_with("ARROW:extension:") && *key != PARQUET_FIELD_ID_META_KEY);
        keys.sort_unstable();
        (!keys.is_empty()).then(|| format!("its metadata ({})", listed(&keys)))
    };
    extension().or_else(order).or_else(own)
}

/// Says which part each column plays.
pub(in crate::source) fn cast_parts(
    leaves: Arc<Leaves>,
    columns: Vec<FileColumn>,
    options: &SourceOptions,
) -> FileSchema {
    let present: Vec<usize> = (0..columns.len()).filter(|&at| !options.excludes(&columns[at].name)).collect();
    let mut known = HashSet::new();
    let twice = present.iter().find(|&&at| !known.insert(columns[at].name.as_str()));
    let mut refusal = twice.map(|&at| {
        let name = &columns[at].name;
        let reason = Reason::new(Kind::TwinColumns, format!("has two columns named {name:?}")).of_column(name);
        let renamed = Remedy::Do("write the file with another name for one of them".to_owned());
        reason.or(Remedy::set(Setting::Exclude(vec![name.clone()]), "leaves both out")).or(renamed)
    });

    let code = present.iter().copied().find(|&at| options.code_column.as_ref() == Some(&columns[at].name));
    let is_code = |name: &str, raw: &DataType| {
        is_text(raw) || *raw == DataType::Null || (raw.is_integer() && options.cast(name).is_some_and(is_text))
    };
    if let Some(FileColumn { name, raw, .. }) = code.map(|at| &columns[at])
        && !raw.as_ref().is_ok_and(|raw| is_code(name, raw))
    {
        refusal.get_or_insert_with(|| {
            let what = format!("its column {name:?} is {}, but a code is text", shown_raw(raw));
            let cast = || Setting::Cast(vec![CastTo { column: name.clone(), to: "Utf8".to_owned() }]);
            let is_number = raw.as_ref().is_ok_and(DataType::is_integer);
            let numbers = is_number.then(|| Remedy::set(cast(), "takes its numbers for codes"));
            let without = (options.files_by == FilesBy::Stock).then(|| excluding(&[name]));
            Reason::new(Kind::CodeType, what).of_column(name).or(numbers).or(without)
        });
    }
    let candidates: Vec<usize> = present.iter().copied().filter(|&at| Some(at) != code).collect();
    let (chosen, apart) = choose_date(&columns, &candidates, options);
    let key = |column: &FileColumn, raw: &DataType| KeyColumn {
        name: column.name.clone(),
        leaf: column.leaf,
        raw: raw.clone(),
    };
    let date = chosen.and_then(|at| {
        let FileColumn { name, raw, .. } = &columns[at];
        let fits = |raw: &DataType| {
            let value = match raw {
                DataType::Dictionary(_, value) => value.as_ref(),
                plain => plain,
            };
            let is_day =
                matches!(value, DataType::Null | DataType::Date32 | DataType::Date64 | DataType::Timestamp(..));
            let is_count = options.epoch.is_some() && value.is_floating();
            is_text(raw) || value.is_integer() || is_count || is_day
        };
        match raw {
            Ok(raw) if fits(raw) => Ok(key(&columns[at], raw)),
            _ => {
                let what = format!("its date column {name:?} is {}, which is no date", shown_raw(raw));
                Err(Reason::new(Kind::DateType, what).of_column(name))
            }
        }
    });
    let code = code.and_then(|at| Some(key(&columns[at], columns[at].raw.as_ref().ok()?)));

    let mut drops_index = false;
    let mut values = Vec::new();
    let mut unheld: Vec<(&str, String, Option<Remedy>)> = Vec::new();
    for at in candidates {
        let FileColumn { name, leaf, raw, .. } = &columns[at];
        // A date column that is part of the key stays a column, too.
        if apart.contains(&at) && !options.key.contains(&options.name_of(name)) {
            continue;
        }
        if name == INDEX_NAME && raw.as_ref().is_ok_and(DataType::is_integer) {
            drops_index = true;
            continue;
        }
        if !options.keeps(name) {
            continue;
        }
        let type_in_panel = match (raw, options.cast(name)) {
            (Ok(raw), Some(to)) if !raw.is_nested() && can_cast_types(raw, to) => Ok((raw, to.clone())),
            (Ok(raw), None) => match logical(raw) {
                Some(to) => Ok((raw, to)),
                None => {
                    unheld.push((name.as_str(), shown_type(raw), cast_that_keeps(name, raw)));
                    continue;
                }
            },
            (Err(kind), None) => {
                unheld.push((name.as_str(), kind.clone(), None));
                continue;
            }
            (_, Some(to)) => {
                let what = format!("its column {name:?} is {}, which cannot be cast to {to}", shown_raw(raw));
                Err(Reason::new(Kind::ColumnType, what).of_column(name).or(excluding(&[name])))
            }
        };
        match type_in_panel {
            Ok((raw, logical)) => {
                let (name, own_name) = (options.name_of(name), name.clone());
                values.push(Value { name, own_name, leaf: *leaf, raw: raw.clone(), logical });
            }
            Err(reason) => {
                refusal.get_or_insert(reason);
            }
        }
    }
    let refusal = refusal.or_else(|| tell_unheld(&unheld)).or_else(|| {
        let names = values.iter().map(|value| (value.name.as_str(), value.own_name.as_str()));
        tell_alike(names)
    });
    let has_named_date = options.files_by == FilesBy::Date;
    FileSchema { columns, date, has_named_date, code, values, drops_index, refusal, leaves }
}

/// A column's type for a message.
fn shown_raw(raw: &Result<DataType, String>) -> String {
    match raw {
        Ok(raw) => shown_type(raw),
        Err(kind) => kind.clone(),
    }
}

/// The date column among `candidates`, and the columns that no panel column comes from because they are or may be it.
fn choose_date(
    columns: &[FileColumn],
    candidates: &[usize],
    options: &SourceOptions,
) -> (Result<usize, Reason>, Vec<usize>) {
    let columns_are = || {
        let names: Vec<String> = columns.iter().map(|column| format!("{:?}", column.name)).collect();
        if names.is_empty() { "it has no columns".to_owned() } else { format!("its columns are {}", listed(&names)) }
    };
    let position = |wanted: &String| candidates.iter().copied().find(|&root| columns[root].name == *wanted);
    if !options.date_columns.is_empty() {
        return match options.date_columns.iter().find_map(position) {
            Some(root) => (Ok(root), vec![root]),
            None => {
                let wanted = options.date_columns.join(", ");
                let what = format!("has none of the date columns {wanted}; {}", columns_are());
                (Err(Reason::new(Kind::NoDateColumn, what)), Vec::new())
            }
        };
    }
    let is_date = |name: &str| DATE_NAMES.iter().any(|date| name.eq_ignore_ascii_case(date));
    let dates: Vec<usize> = candidates.iter().copied().filter(|&root| is_date(&columns[root].name)).collect();
    match dates[..] {
        [root] => (Ok(root), dates),
        // An index of integers counts rows: it would be refused for its values, and hide that there is no date.
        [] => match position(&INDEX_NAME.to_owned())
            .filter(|&root| !columns[root].raw.as_ref().is_ok_and(DataType::is_integer))
        {
            Some(root) => (Ok(root), vec![root]),
            None => {
                let dates = DATE_NAMES.join(", ");
                let what = format!("has no date column ({dates}); {}", columns_are());
                (Err(Reason::new(Kind::NoDateColumn, what)), Vec::new())
            }
        },
        _ => {
            let names: Vec<String> = dates.iter().map(|&root| format!("{:?}", columns[root].name)).collect();
            let what = format!("has several date columns, {}", listed(&names));
            (Err(Reason::new(Kind::SeveralDateColumns, what)), dates)
        }
    }
}

/// The footer of a file on disk. Reads the end of the file, and nothing else unless the footer is long.
pub(in crate::source) fn survey_footer(content: &Content, interner: &Interner) -> Result<Footer, Reason> {
    let meter = Meter::new(&interner.allowance);
    let footer = footer_bytes(content, TAIL, |len| match meter.take(len, len) {
        true => Ok(()),
        // Its texts are there once more when it is decoded.
        false => Err(interner.allowance.refusal_of("its footer", len.saturating_mul(2), len.saturating_mul(3))),
    })?;
    let decoded_len = decoded_len(&footer).ok_or_else(|| Reason::damaged("its footer cannot be read"))?;
    if !meter.take(decoded_len, 0) {
        let needed = meter.used().saturating_add(decoded_len);
        return Err(interner.allowance.refusal("its footer, decoded,", needed));
    }
    let leaves = interner.leaves(&footer)?;
    let metadata = parse(&footer, &leaves, ParquetStatisticsPolicy::SkipAll)?;
    let hints = arrow_schema(&metadata)?;
    let schema = interner.intern(&leaves, interner.columns(&leaves, hints.as_ref()));
    let row_count = row_count(&metadata)?;
    // Now, not when it is read: rows that a few bytes claim must not weigh in any decision on all files.
    let rows_len = row_count.saturating_mul(ROW_LEN);
    if rows_len > interner.allowance.most() {
        // Eight bytes a value, texts aside: with less it would be refused again.
        let values = (schema.columns.len() as u64).saturating_mul(row_count.saturating_mul(8));
        let what = format!("has {row_count} rows, whose dates alone");
        return Err(interner.allowance.refusal_of(&what, rows_len, rows_len.saturating_add(values)));
    }
    let text_len = text_len(&metadata, &schema, row_count);
    let has_attrs = has_attrs(&metadata);
    Ok(Footer { schema, row_count, text_len, has_attrs })
}

/// The footer of a file that was surveyed, with or without the statistics of its chunks.
pub(in crate::source) fn read_footer(
    content: &Content,
    leaves: &Leaves,
    statistics: ParquetStatisticsPolicy,
) -> Result<ParquetMetaData, Reason> {
    let footer = footer_bytes(content, 8, |_| Ok(()))?;
    // The decoder goes by the leaves of the surveyed footer.
    if declared(&footer)?.0 != leaves.declared {
        return Err(changed());
    }
    let metadata = parse(&footer, leaves, statistics)?;
    row_count(&metadata)?;
    let is_flat = |leaf: usize| match leaves.declared.binary_search_by_key(&leaf, |column| column.leaf) {
        Ok(at) => matches!(leaves.declared[at].shape, Shape::Flat(_)),
        Err(_) => false,
    };
    check_places(&metadata, content.len() - footer.len() as u64 - 8, is_flat)?;
    Ok(metadata)
}

/// The bytes of a FileMetaData. Reads `tail` bytes at the end of the file first, in the hope that they hold it; asks
/// whether so many `may` be read.
pub(super) fn footer_bytes(
    content: &Content,
    tail: u64,
    may: impl Fn(u64) -> Result<(), Reason>,
) -> Result<Bytes, Reason> {
    let read = |start: u64, len: u64| content.range(start, len as usize).map_err(unreadable);
    let byte_len = content.len();
    let tail = read(byte_len - byte_len.min(tail), byte_len.min(tail))?;
    let len = match footer_len(&tail, byte_len) {
        Ok(len) => len,
        Err(reason) => return Err(reason.unwrap_or_else(|| without_magic(read(0, byte_len.min(4)).ok()))),
    };
    may(len)?;
    match (tail.len() as u64).checked_sub(len + 8) {
        Some(start) => Ok(tail.slice(start as usize..tail.len() - 8)),
        None => read(byte_len - len - 8, len),
    }
}

/// Whether pandas noted attributes of the whole table. Its notes are not parsed: those of thousands of files are long.
fn has_attrs(metadata: &ParquetMetaData) -> bool {
    let mut notes = metadata.file_metadata().key_value_metadata().into_iter().flatten();
    notes.any(|note| match note.key.as_str() {
        "PANDAS_ATTRS" => note.value.as_deref().is_some_and(|attrs| attrs != "{}"),
        "pandas" => note.value.as_deref().is_some_and(|notes| notes.contains("\"attributes\": {\"")),
        _ => false,
    })
}

/// The Arrow schema among a file's notes, which says what Parquet's types cannot.
fn arrow_schema(metadata: &ParquetMetaData) -> Result<Option<Schema>, Reason> {
    let mut notes = metadata.file_metadata().key_value_metadata().into_iter().flatten();
    let Some(encoded) = notes.find(|note| note.key == ARROW_SCHEMA_META_KEY).and_then(|note| note.value.as_ref())
    else {
        return Ok(None);
    };
    let damaged = || Reason::damaged("the Arrow schema in its footer cannot be read");
    let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| damaged())?;
    let message = message(&bytes).ok_or_else(damaged)?;
    let message = arrow_ipc::root_as_message(message).map_err(|_| damaged())?;
    if !is_of_known_version(&message) {
        return Err(damaged());
    }
    let schema = message.header_as_schema().ok_or_else(damaged)?;
    let schema = try_fb_to_schema(schema).map_err(|_| damaged())?;
    match schema.fields().iter().all(|field| is_possible(field.data_type())) {
        true => Ok(Some(schema)),
        false => Err(damaged()),
    }
}

/// The metadata of an encapsulated message: "A 32-bit continuation indicator", which the oldest writers left out, "a
/// 32-bit little-endian length prefix indicating the metadata size", and as many bytes.
fn message(bytes: &[u8]) -> Option<&[u8]> {
    let bytes = bytes.strip_prefix(&[0xff; 4]).unwrap_or(bytes);
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    rest.get(..usize::try_from(i32::from_le_bytes(*len)).ok()?)
}

/// The length that the last eight bytes give for the footer. `Err(None)` where the file does not end as it should.
fn footer_len(tail: &[u8], byte_len: u64) -> Result<u64, Option<Reason>> {
    let Some(&[a, b, c, d, ref magic @ ..]) = tail.last_chunk::<8>() else { return Err(None) };
    let len = u64::from(u32::from_le_bytes([a, b, c, d]));
    match magic {
        b"PAR1" if len + 12 > byte_len => {
            let what =
                format!("is truncated or damaged: its footer should have {len} bytes, but the file has {byte_len}");
            Err(Some(Reason::new(Kind::Truncated, what)))
        }
        b"PAR1" => Ok(len),
        b"PARE" => Err(Some(Reason::new(Kind::Encrypted, "is encrypted"))),
        _ => Err(None),
    }
}

/// What a file is that does not end as Parquet does, by its first bytes.
fn without_magic(head: Option<Bytes>) -> Reason {
    match head.as_deref() {
        Some(b"PAR1") => {
            Reason::new(Kind::Truncated, "is truncated: it begins as a Parquet file but does not end as one")
        }
        Some(b"PARE") => Reason::new(Kind::Encrypted, "is encrypted, and truncated"),
        _ => Reason::new(Kind::NotParquet, "is not a Parquet file"),
    }
}

fn damaged(error: impl std::fmt::Display) -> Reason {
    Reason::new(Kind::Damaged, format!("is damaged or of a kind that cannot be read: {error}"))
}

fn parse(footer: &[u8], leaves: &Leaves, statistics: ParquetStatisticsPolicy) -> Result<ParquetMetaData, Reason> {
    let mut options = ParquetMetaDataOptions::new().with_schema(Arc::clone(&leaves.plain));
    options.set_column_stats_policy(statistics);
    options.set_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll);
    let metadata = ParquetMetaDataReader::decode_metadata_with_options(footer, Some(&options)).map_err(damaged)?;
    let chunks = || metadata.row_groups().iter().flat_map(|group| group.columns());
    if let Some(elsewhere) = chunks().find_map(|chunk| chunk.file_path()) {
        return Err(Reason::new(Kind::Other, format!("keeps its data in another file ({elsewhere:?})")));
    }
    Ok(metadata)
}

/// The number of rows, if the footer agrees with itself.
fn row_count(metadata: &ParquetMetaData) -> Result<u64, Reason> {
    let sum = metadata
        .row_groups()
        .iter()
        .try_fold(0_u64, |sum, group| sum.checked_add(u64::try_from(group.num_rows()).ok()?));
    match u64::try_from(metadata.file_metadata().num_rows()) {
        Ok(rows) if sum == Some(rows) => Ok(rows),
        _ => Err(Reason::damaged("its footer gives two numbers of rows")),
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
