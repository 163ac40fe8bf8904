//! Reads Parquet footers: what a file holds by its own account.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::{DataType, Field, Schema};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use parquet::arrow::ARROW_SCHEMA_META_KEY;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};
use parquet::file::reader::Length;

use super::chunks::check_places;
use super::declared::{Declared, Flat, Mark, Physical, Shape, declared};
use super::meaning::{Leaves, meaning};
use super::outline::decoded_len;
use crate::reason::{Kind, Reason};
use crate::remedy::Remedy;
use crate::source::allowance::{Allowance, Meter, ROW_LEN};
use crate::source::arrow::messages::{is_of_known_version, is_possible, message_in, unread};
use crate::source::arrow::schema::{schema_of, wide_integer};
use crate::source::content::{Content, changed, unreadable};
use crate::source::input::interner::Interner;
use crate::source::input::parts::{lost_of_field, tells_attrs};
use crate::source::input::schema::{FileColumn, FileSchema, Footer};
use crate::source::options::SourceOptions;

/// Bytes read from the end of a file in the hope that they hold the footer; that of 41 columns with pandas' own
/// notes has 10 KiB.
const TAIL: u64 = 32 << 10;

/// The columns of a file, of the types that its footer and the Arrow schema among its notes give them.
fn columns(leaves: &Leaves, hints: Option<&Schema>, options: &SourceOptions) -> Vec<FileColumn> {
    let hints: HashMap<&str, &Field> = hints.map_or_else(HashMap::new, |hints| {
        hints.fields().iter().map(|field| (field.name().as_str(), field.as_ref())).collect()
    });
    let column = |declared: &Declared| {
        let hint = hints.get(declared.name.as_str()).copied();
        FileColumn {
            name: declared.name.clone(),
            leaf: declared.leaf,
            raw: hint.and_then(wide_integer).map_or_else(|| meaning(&declared.shape, hint.map(Field::data_type)), Err),
            fields: None,
            is_instant: matches!(declared.shape, Shape::Flat(Flat { physical: Physical::Int96, .. })),
            may_round: options.cast(&declared.name).is_some(),
            loss: loss(&declared.shape, hint),
        }
    };
    leaves.declared.iter().map(column).collect()
}

/// What a writer says of a column that a panel does not keep: an output has its values, and not this.
fn loss(shape: &Shape, hint: Option<&Field>) -> Option<String> {
    let mark = match shape {
        Shape::Flat(Flat { mark: Mark::Geometry, .. }) => Some("the mark of a geometry"),
        Shape::Flat(Flat { mark: Mark::Geography, .. }) => Some("the mark of a geography"),
        Shape::Flat(Flat { mark: Mark::Bson, .. }) => Some("the mark of BSON"),
        Shape::Flat(Flat { mark: Mark::Json, .. }) => Some("the mark of JSON"),
        Shape::Flat(Flat { mark: Mark::Enum, .. }) => Some("the mark of an enumeration"),
        // Arrow's own times have no zone; it marked them so for long.
        Shape::Flat(Flat { mark: Mark::Time { is_utc: true, .. }, .. })
            if !matches!(hint.map(Field::data_type), Some(DataType::Time32(_) | DataType::Time64(_))) =>
        {
            Some("the mark of times of UTC")
        }
        Shape::Flat(Flat { mark: Mark::Other, .. }) => Some("a mark of its type that is unknown here"),
        _ => None,
    };
    let is_extension = hint.is_some_and(|hint| hint.extension_type_name().is_some());
    mark.filter(|_| !is_extension).map(str::to_owned).or_else(|| hint.and_then(lost_of_field))
}

/// The footer of a file on disk, and how the file is decoded. Reads the end of the file, and nothing else unless the
/// footer is long.
pub(super) fn survey_footer(content: &Content, interner: &Interner) -> Result<(Footer, Arc<Leaves>), Reason> {
    let meter = Meter::new(&interner.allowance);
    let footer = footer_bytes(content, TAIL, |len| match meter.take(len, len) {
        true => Ok(()),
        false => Err(too_long(content, len, &interner.allowance)),
    })?;
    let decoded_len = decoded_len(&footer).ok_or_else(|| Reason::damaged("its footer cannot be read"))?;
    if !meter.take(decoded_len, 0) {
        let needed = meter.used().saturating_add(decoded_len);
        return Err(interner.allowance.refusal("its footer, decoded,", needed));
    }
    let (declared, count) = declared(&footer)?;
    interner.check_own(declared.iter().map(|column| &column.name))?;
    let leaves = interner.leaves(declared, count).map_err(damaged)?;
    let metadata = parse(&footer, &leaves, ParquetStatisticsPolicy::SkipAll)?;
    content.check_used(used_len(&metadata).saturating_add(footer.len() as u64))?;
    let note = arrow_note(&metadata);
    let schema = interner.intern_noted(&leaves, note, || {
        let hints = note.map(arrow_schema).transpose()?;
        Ok(columns(&leaves, hints.as_ref(), interner.options))
    })?;
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
    let mut notes = metadata.file_metadata().key_value_metadata().into_iter().flatten();
    let has_attrs = notes.any(|note| tells_attrs(&note.key, note.value.as_deref()));
    Ok((Footer { schema, row_count, text_len, has_attrs, odd: Vec::new() }, leaves))
}

/// Why a file is refused whose footer has `len` bytes, which are too many; with the memory that it takes decoded.
fn too_long(content: &Content, len: u64, allowance: &Allowance) -> Reason {
    /// One at a time may have half of the memory: there are no rows yet.
    static LONG: Mutex<()> = Mutex::new(());
    let raw = len.saturating_mul(2);
    if len > allowance.most().saturating_mul(2) {
        let way_out = "write the file anew with fewer columns or row groups, or with less metadata";
        return allowance.refusal("its footer", raw).alone().or(Remedy::Do(way_out.to_owned()));
    }
    let _alone = LONG.lock().unwrap_or_else(PoisonError::into_inner);
    let footer = match footer_bytes(content, 8, |_| Ok(())) {
        Ok(footer) => footer,
        Err(reason) => return reason,
    };
    match decoded_len(&footer) {
        Some(decoded) => allowance.refusal_of("its footer", raw, raw.max(len.saturating_add(decoded))),
        None => Reason::damaged("its footer cannot be read"),
    }
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

/// The Arrow schema among a file's notes, which says what Parquet's types cannot, as it stands there.
fn arrow_note(metadata: &ParquetMetaData) -> Option<&str> {
    let mut notes = metadata.file_metadata().key_value_metadata().into_iter().flatten();
    notes.find(|note| note.key == ARROW_SCHEMA_META_KEY)?.value.as_deref()
}

/// The Arrow schema that such a note has.
fn arrow_schema(encoded: &str) -> Result<Schema, Reason> {
    const UNREAD: &str = "the Arrow schema in its footer cannot be read";
    let damaged = || Reason::damaged(UNREAD);
    let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| damaged())?;
    let message = message(&bytes).ok_or_else(damaged)?;
    let message = message_in(message).map_err(|error| unread(UNREAD, error))?;
    if !is_of_known_version(&message) {
        return Err(damaged());
    }
    let schema = message.header_as_schema().ok_or_else(damaged)?;
    let schema = schema_of(schema, UNREAD)?;
    match schema.fields().iter().all(|field| is_possible(field.data_type())) {
        true => Ok(schema),
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
        _ => Reason::new(Kind::OtherFormat, "is not a Parquet file"),
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

/// The bytes of all chunks.
fn used_len(metadata: &ParquetMetaData) -> u64 {
    let chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
    chunks.fold(0, |sum, chunk| sum.saturating_add(u64::try_from(chunk.compressed_size()).unwrap_or(0)))
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
