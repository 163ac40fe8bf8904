//! The Arrow decoder over one file: columns as the file has them, batch by batch.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::Buffer;
use arrow_ipc::MetadataVersion;
use arrow_ipc::reader::FileDecoder;
use arrow_schema::{ArrowError, DataType, FieldRef, Fields, Schema, SchemaRef};

use super::buffers::{all, are_whole, buffers_of, unmatched, unpacked_len};
use super::columns::{columns, take_as};
use super::messages::{Batch, batch};
use super::outline::{Outline, Part};
use super::views::{is_view, with_views_cleared};
use crate::reason::{Kind, Reason};
use crate::remedy::excluding;
use crate::source::allowance::{Allowance, Meter, ROW_LEN};
use crate::source::content::{Content, changed, first_failing};
use crate::source::input::schema::{Batches, Decoder, FileColumn, FileSchema, Format};
use crate::source::types::check_decimals;
use crate::source::weight::written_out;

/// What an array takes beside its values.
const ARRAY_LEN: u64 = 256;

/// What a value takes at most, texts' own bytes aside.
const SLOT_LEN: u64 = 16;

/// `schema` with bytes in place of texts: the decoder looks at each of them, at those under nulls, too, and any number of
/// views may be of one that is long. Once they are weighed, they are [taken as](take_as) texts.
fn bytes_of_texts(schema: &Schema) -> SchemaRef {
    let field = |field: &FieldRef| {
        let bytes = match field.data_type() {
            DataType::Utf8 => DataType::Binary,
            DataType::LargeUtf8 => DataType::LargeBinary,
            DataType::Utf8View => DataType::BinaryView,
            _ => return Arc::clone(field),
        };
        Arc::new(field.as_ref().clone().with_data_type(bytes))
    };
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Fields>()))
}

/// Why a file is skipped whose column has a number that its type does not have.
fn beyond(name: &str, what: &str) -> Reason {
    Reason::new(Kind::InexactValue, format!("its column {name:?}: {what}")).of_column(name).or(excluding(&[name]))
}

/// Arrow IPC.
#[derive(Debug)]
pub(super) struct Arrow;

impl Format for Arrow {
    fn open(
        self: Arc<Arrow>,
        content: Content,
        schema: &Arc<FileSchema>,
        allowance: &Arc<Allowance>,
    ) -> Result<Box<dyn Decoder>, Reason> {
        let meter = Meter::new(allowance);
        let outline = Outline::new(&content, &meter)?;
        // Of a column without a value the type is forgotten.
        let is_same = |own: &FileColumn, known: &FileColumn| {
            own == known || (own.name == known.name && known.raw == Ok(DataType::Null))
        };
        let own = columns(&outline.schema);
        if own.len() != schema.columns.len() || !own.iter().zip(&schema.columns).all(|(own, known)| is_same(own, known))
        {
            return Err(changed());
        }
        Ok(Box::new(ArrowFile { content, schema: Arc::clone(schema), outline, meter }))
    }
}

/// The decoder over one file, its messages looked over once.
struct ArrowFile {
    content: Content,
    schema: Arc<FileSchema>,
    outline: Outline,
    meter: Arc<Meter>,
}

impl Decoder for ArrowFile {
    fn row_count(&self) -> Option<u64> {
        Some(self.outline.row_count)
    }

    fn batches(&self, leaves: &[usize]) -> Result<Batches<'_>, Reason> {
        let columns: Vec<&FileColumn> =
            self.schema.columns.iter().filter(|column| leaves.binary_search(&column.leaf).is_ok()).collect();
        self.meter.start(self.outline.row_count.saturating_mul(ROW_LEN));
        let mut decoder = self.decoder(leaves);
        let leaves = leaves.to_vec();
        Ok(Box::new(
            self.outline
                .parts
                .iter()
                .filter_map(move |part| self.decode(part, &mut decoder, &leaves, &columns).transpose()),
        ))
    }

    fn check_unchanged(&self) -> Result<(), Reason> {
        self.content.check_unchanged()
    }

    fn was_too_large(&self) -> bool {
        self.meter.was_exceeded()
    }

    fn is_null(&self, column: &FileColumn) -> Result<bool, Reason> {
        let column = FileColumn { raw: Ok(DataType::Null), ..column.clone() };
        let mut decoder = self.decoder(&[column.leaf]);
        self.meter.start(0);
        let mut parts = self.outline.parts.iter();
        // One with values is no column of nulls.
        parts.try_for_each(|part| self.decode(part, &mut decoder, &[column.leaf], &[&column]).map(drop)).map(|()| true)
    }
}

impl ArrowFile {
    fn decoder(&self, leaves: &[usize]) -> FileDecoder {
        // Version 1 stands for any: pyarrow names another in the footer than in the messages, of which each was checked.
        let schema = bytes_of_texts(&self.outline.schema);
        FileDecoder::new(schema, MetadataVersion::V1).with_projection(leaves.to_vec())
    }

    /// The `columns`, which are at `leaves`, of the rows of a part; `None` where it is a dictionary.
    fn decode(
        &self,
        part: &Part,
        decoder: &mut FileDecoder,
        leaves: &[usize],
        columns: &[&FileColumn],
    ) -> Result<Option<Vec<ArrayRef>>, Reason> {
        // What is on disk lies in memory whole for as long as an array refers to it.
        let on_disk = if matches!(self.content, Content::Disk(_)) { part.body_len() } else { 0 };
        self.hold(if part.is_dictionary { on_disk } else { 0 }, on_disk)?;
        let bytes = part.read(&self.content)?;
        let (message, body) = part.split(&bytes);
        let found = batch(message, part.body_len()).map_err(Reason::damaged)?;
        let prefix = |offset: u64| body.get(offset as usize..).and_then(|rest| rest.first_chunk()).copied();
        let buffer = Buffer::from(bytes.clone());
        match found {
            Batch::Dictionary(dictionary) => {
                let entries = dictionary.data().ok_or_else(unmatched)?;
                self.hold(unpacked_len(entries, &all(entries), prefix).ok_or_else(unmatched)?, 0)?;
                if !are_whole(entries, &all(entries), body) {
                    return Err(Reason::damaged("it has a dictionary whose packed bytes end early"));
                }
                decoder.read_dictionary(&part.block(), &buffer).map_err(Reason::undecodable)?;
                Ok(None)
            }
            Batch::Rows(rows, version) => {
                let places = buffers_of(&self.outline.schema, rows, version).ok_or_else(unmatched)?;
                let mut unpacked = 0_u64;
                for &leaf in leaves {
                    let places = places.get(leaf).ok_or_else(unmatched)?;
                    unpacked = unpacked.saturating_add(unpacked_len(rows, places, prefix).ok_or_else(unmatched)?);
                }
                self.hold(0, unpacked)?;
                for (&leaf, FileColumn { name, .. }) in leaves.iter().zip(columns) {
                    if !are_whole(rows, &places[leaf], body) {
                        let what = format!("the packed bytes of its column {name:?} end early");
                        return Err(Reason::damaged(what).of_column(name));
                    }
                }
                let batch = decoder.read_record_batch(&part.block(), &buffer).or_else(|error| {
                    let is_of_views = |leaf: &&usize| is_view(self.outline.schema.field(**leaf).data_type());
                    let mut views = leaves.iter().filter(is_of_views).map(|&leaf| places[leaf].start).peekable();
                    // A copy of the part, and the views unpacked.
                    let passing = unpacked.saturating_mul(2).saturating_add(bytes.len() as u64);
                    let may_help = views.peek().is_some() && self.meter.take(0, passing);
                    let again = || {
                        if !may_help {
                            return None;
                        }
                        let (cleared, nulls) = with_views_cleared(rows, views, (message, body))?;
                        let batch = decoder.read_record_batch(&part.block(), &Buffer::from(cleared)).ok()??;
                        let views = batch.columns().iter().filter(|array| is_view(array.data_type()));
                        // Not where the column claims that it has no nulls.
                        let is_right = views.map(|array| array.null_count()).eq(nulls);
                        is_right.then_some(Some(batch))
                    };
                    again().ok_or_else(|| self.blame(part, &buffer, columns, &error))
                })?;
                let batch = batch.ok_or_else(unmatched)?;
                let mut arrays = Vec::with_capacity(columns.len());
                for (column, array) in columns.iter().zip(batch.columns()) {
                    let FileColumn { name, raw, .. } = column;
                    let raw =
                        raw.as_ref().map_err(|kind| Reason::damaged(format_args!("its column {name:?} is {kind}")))?;
                    self.hold(written_out(array, raw).saturating_add(ARRAY_LEN), 0)?;
                    let is_decimal = |array: &ArrayRef| check_decimals(array).map_err(|what| beyond(name, &what));
                    // A cast would make nulls of some.
                    is_decimal(array)?;
                    let array = take_as(array, raw).map_err(|error| {
                        Reason::undecodable(format_args!("its column {name:?}: {error}")).of_column(name)
                    })?;
                    is_decimal(&array)?;
                    arrays.push(array);
                }
                Ok(Some(arrays))
            }
        }
    }

    /// What the decoder said of these columns of a part, as a reason with the name of the one that it is about.
    fn blame(&self, part: &Part, buffer: &Buffer, columns: &[&FileColumn], error: &ArrowError) -> Reason {
        let fails = |columns: &[&FileColumn]| {
            let leaves: Vec<usize> = columns.iter().map(|column| column.leaf).collect();
            let mut alone = self.decoder(&leaves);
            let before = self.outline.parts.iter().take_while(|other| !std::ptr::eq(*other, part));
            let read = before.filter(|other| other.is_dictionary).try_for_each(|other| {
                let bytes = other.read(&self.content)?;
                alone.read_dictionary(&other.block(), &Buffer::from(bytes)).map_err(Reason::undecodable)
            });
            read.is_ok() && alone.read_record_batch(&part.block(), buffer).is_err()
        };
        match first_failing(columns, fails) {
            Some(FileColumn { name, .. }) => {
                Reason::undecodable(format_args!("its column {name:?}: {error}")).of_column(name)
            }
            None => Reason::undecodable(error),
        }
    }

    /// Takes memory for `kept` bytes, and for `passing` ones for a while.
    fn hold(&self, kept: u64, passing: u64) -> Result<(), Reason> {
        if self.meter.take(kept, passing) {
            return Ok(());
        }
        let bytes = self.meter.used().saturating_add(kept).saturating_add(passing);
        Err(self.meter.allowance.refusal_of("decoded, it", bytes, self.needed()?.max(bytes)))
    }

    /// About the most bytes that reading all columns would take at once.
    fn needed(&self) -> Result<u64, Reason> {
        let cells = self.outline.row_count.saturating_mul(self.schema.columns.len() as u64);
        let mut kept = self.outline.row_count.saturating_mul(ROW_LEN).saturating_add(cells.saturating_mul(SLOT_LEN));
        let mut largest = 0;
        for part in &self.outline.parts {
            let unpacked = part.unpacked_len(&self.content)?;
            kept = kept.saturating_add(unpacked).saturating_add(ARRAY_LEN * self.schema.columns.len() as u64);
            largest = largest.max(unpacked.saturating_add(part.body_len()));
        }
        Ok(kept.saturating_add(largest))
    }
}
